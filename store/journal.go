package store

import (
	"strings"
	"time"
)

// JournalEntry is one link of the journal's hash chain. The store keeps the
// order; the audit room computes and checks the hashes.
type JournalEntry struct {
	Seq     int64 // from 1, without gaps
	Time    time.Time
	Actor   string
	Event   string
	Subject string
	Detail  []byte // JSON
	Prev    []byte // Hash of the entry before
	Hash    []byte
}

const journalColumns = `seq, time, actor, event, subject, detail, prev, hash`

func journalRow(e *JournalEntry) []any {
	return []any{&e.Seq, at(&e.Time), &e.Actor, &e.Event, &e.Subject, &e.Detail, &e.Prev, &e.Hash}
}

// AppendJournal stores the next entry; Conflict if its Seq is not the head's
// plus one.
func (tx *Tx) AppendJournal(e JournalEntry) error {
	n, err := tx.exec("append journal", `INSERT INTO journal (`+journalColumns+`)
		SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT coalesce(max(seq), 0) FROM journal) = ?`,
		e.Seq, ms(e.Time), e.Actor, e.Event, e.Subject, bytes(e.Detail), bytes(e.Prev), bytes(e.Hash), e.Seq-1)
	if err == nil && n != 1 {
		return errorf(Conflict, "store: append journal: entry %d does not follow the last one", e.Seq)
	}
	return err
}

// JournalHead returns the last entry; NotFound while the journal is empty.
func (tx *Tx) JournalHead() (JournalEntry, error) {
	return one(tx, "journal head", journalRow, `SELECT `+journalColumns+` FROM journal ORDER BY seq DESC LIMIT 1`)
}

// Journal returns up to limit entries in their order, starting with fromSeq.
func (tx *Tx) Journal(fromSeq int64, limit int) ([]JournalEntry, error) {
	return many(tx, "journal", journalRow,
		`SELECT `+journalColumns+` FROM journal WHERE seq >= ? ORDER BY seq LIMIT ?`, fromSeq, limited(limit))
}

// JournalOf returns the last limit entries about a subject, newest first.
func (tx *Tx) JournalOf(subject string, limit int) ([]JournalEntry, error) {
	return many(tx, "journal of subject", journalRow,
		`SELECT `+journalColumns+` FROM journal WHERE subject = ? ORDER BY seq DESC LIMIT ?`, subject, limited(limit))
}

// JournalOfEvent returns the last limit entries of one event about a subject, newest
// first.
func (tx *Tx) JournalOfEvent(subject, event string, limit int) ([]JournalEntry, error) {
	return many(tx, "journal of event", journalRow,
		`SELECT `+journalColumns+` FROM journal WHERE subject = ? AND event = ? ORDER BY seq DESC LIMIT ?`, subject, event, limited(limit))
}

// LastJournalOf returns the last entry about a subject that is one of these events;
// NotFound when there is none.
func (tx *Tx) LastJournalOf(subject string, events ...string) (JournalEntry, error) {
	args := []any{subject}
	for _, e := range events {
		args = append(args, e)
	}
	return one(tx, "last entry of the journal about a subject", journalRow, `SELECT `+journalColumns+` FROM journal
		WHERE subject = ? AND event IN (?`+strings.Repeat(", ?", len(events)-1)+`) ORDER BY seq DESC LIMIT 1`, args...)
}

// Checkpoint is a signed statement that the journal's head was Hash at Seq.
type Checkpoint struct {
	Seq       int64
	Hash      []byte
	Time      time.Time
	Signature []byte
	Key       string // label of the key
}

func checkpointRow(c *Checkpoint) []any {
	return []any{&c.Seq, &c.Hash, at(&c.Time), &c.Signature, &c.Key}
}

// PutCheckpoint stores a checkpoint; Conflict if there is one by the same key for
// the same entry.
func (tx *Tx) PutCheckpoint(c Checkpoint) error {
	return tx.put("put checkpoint", `INSERT INTO checkpoints (seq, hash, time, signature, key) VALUES (?, ?, ?, ?, ?)`,
		c.Seq, bytes(c.Hash), ms(c.Time), bytes(c.Signature), c.Key)
}

// LastCheckpoint returns the checkpoint of the latest entry that has one; NotFound
// while there is none.
func (tx *Tx) LastCheckpoint() (Checkpoint, error) {
	return one(tx, "last checkpoint", checkpointRow,
		`SELECT seq, hash, time, signature, key FROM checkpoints ORDER BY seq DESC, key LIMIT 1`)
}

// Checkpoints returns up to limit checkpoints of entries from fromSeq on, in
// their order.
func (tx *Tx) Checkpoints(fromSeq int64, limit int) ([]Checkpoint, error) {
	return many(tx, "checkpoints", checkpointRow,
		`SELECT seq, hash, time, signature, key FROM checkpoints WHERE seq >= ? ORDER BY seq, key LIMIT ?`, fromSeq, limited(limit))
}
