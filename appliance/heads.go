package appliance

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/vault"
)

// The vault keeps its state and its journal for itself. Who puts an old copy of both
// in their place leaves nothing in them that shows it; but the appliance's journal
// notes what the vault's has reached, and its own head is signed by the token. What
// that journal has reached is kept in turn beside the index of the record of
// time-stamps, a file of its own.

const (
	vaultJournal = "vault-journal" // subject of the entries
	vaultHead    = "vault.head"
	ownHead      = "journal/head" // setting in the index's database
)

// noteVaultHead puts the last checkpoint of the vault's journal into the appliance's.
// When the vault's journal does not have what was noted last, that is told loudly,
// and the vault has stopped its time-stamping units. The appliance goes on all the
// same: revocation lists and answers about certificates must. What is noted then is
// the journal as it is now, so that it is told once.
func (a *Appliance) noteVaultHead(ctx context.Context) error {
	noted, err := a.NotedVaultHeads(ctx)
	if err != nil {
		return err
	}
	if len(noted) > 0 {
		if err := a.witnessJournal(ctx, noted[0]); err != nil {
			return err
		}
	}
	s, err := a.Vault.Status(ctx)
	if err != nil || s.Journal.Seq == 0 || len(noted) > 0 && bytes.Equal(noted[0].Hash, s.Journal.Hash) {
		return err
	}
	c, err := json.Marshal(s.Journal)
	if err != nil {
		return err
	}
	return a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: vaultHead, Subject: vaultJournal, Detail: map[string]string{
		"seq": strconv.FormatInt(s.Journal.Seq, 10), "hash": hex.EncodeToString(s.Journal.Hash), "checkpoint": string(c)}})
}

// witnessJournal asks the vault whether its journal has what was noted of it.
func (a *Appliance) witnessJournal(ctx context.Context, noted store.Checkpoint) error {
	err := a.Vault.WitnessJournal(ctx, noted)
	if vault.KindOf(err) != vault.Tampered {
		return err
	}
	a.log.Error("the vault is not the one it was; no time-stamps are made", "err", err, "do", a.goOn(ctx))
	return a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: "vault.set-back", Subject: "vault",
		Detail: map[string]string{"entry": strconv.FormatInt(noted.Seq, 10)}})
}

// firstWitness compares, at the start, what the vault and the others know of each
// other. When they disagree that is journalled; the vault has stopped its units.
func (a *Appliance) firstWitness(ctx context.Context) error {
	if err := a.checkOwnHead(ctx); err != nil {
		return fmt.Errorf("appliance: the journal: %w", err)
	}
	err := a.witness(ctx)
	if vault.KindOf(err) == vault.Tampered {
		a.log.Error("no time-stamps are made before this is looked into", "err", err, "do", a.goOn(ctx))
		err = a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: "vault.disagrees", Subject: "vault",
			Detail: map[string]string{"text": err.Error()}})
	}
	if err != nil {
		return fmt.Errorf("appliance: time-stamping units: %w", err)
	}
	if err := a.noteVaultHead(ctx); err != nil {
		return fmt.Errorf("appliance: the vault's journal: %w", err)
	}
	return nil
}

// keepOwnHead keeps, in another file, which entry of the journal is the last. It is
// on the disk in the journal already.
func (a *Appliance) keepOwnHead(ctx context.Context) error {
	var last store.JournalEntry
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.JournalHead()
		return err
	})
	if err != nil {
		return err
	}
	c, err := json.Marshal(store.Checkpoint{Seq: last.Seq, Hash: last.Hash, Time: last.Time})
	if err != nil {
		return err
	}
	return a.index.Write(ctx, func(tx *store.Tx) error { return tx.PutSetting(ownHead, c) })
}

// checkOwnHead says loudly that the journal does not have the entry that was kept: an
// old copy of the appliance's database was put in its place. It is told once: the
// next head that is kept is of the journal as it is now.
func (a *Appliance) checkOwnHead(ctx context.Context) error {
	var kept store.Checkpoint
	var e []store.JournalEntry
	b := []byte(nil)
	err := a.index.Read(ctx, func(tx *store.Tx) (err error) {
		b, err = tx.Setting(ownHead)
		return err
	})
	if store.KindOf(err) == store.NotFound { // the index is new
		return nil
	}
	if err != nil || json.Unmarshal(b, &kept) != nil {
		return errors.Join(err, errors.New("what was kept of the journal cannot be read; remove the index of time-stamps, it is made anew"))
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		e, err = tx.Journal(kept.Seq, 1)
		return err
	})
	if err != nil || len(e) == 1 && e[0].Seq == kept.Seq && bytes.Equal(e[0].Hash, kept.Hash) {
		return err
	}
	a.log.Error("the appliance's state was set back: its journal does not have the entry that it had",
		"entry", kept.Seq, "of", kept.Time.Format(time.RFC3339), "do", "put back the newest "+a.Layout.Database()+"; accounts, lots and signatures since that copy are missing in this one")
	return a.journal.Append(ctx, audit.Event{Actor: "appliance", Event: "journal.set-back", Subject: "journal",
		Detail: map[string]string{"entry": strconv.FormatInt(kept.Seq, 10), "hash": hex.EncodeToString(kept.Hash)}})
}

// goOn says what somebody does whose vault was set back, with the units by their
// names.
func (a *Appliance) goOn(ctx context.Context) string {
	names := ""
	if t, err := a.Vault.TimeStamping(ctx); err == nil {
		for _, u := range t.Units {
			if u.State == vault.UnitStopped {
				names += " " + u.Name
			}
		}
	}
	do := "look with `sigillo journal verify` and `sigillo tsa verify`; restore the state of vault and appliance from the newest backup"
	if names == "" { // it has none that could be started
		return do
	}
	return do + ", or go on from here with `sigillo tsa start" + names + " --dir " + quoted(a.Layout.Dir) + "`"
}

// NotedVaultHeads are the checkpoints of the vault's journal that the appliance's
// journal knows of, for [audit.Verify]: the last [store.MaxRows], newest first. More
// than one, because a journal that was set back grows again and passes the last.
func (a *Appliance) NotedVaultHeads(ctx context.Context) ([]store.Checkpoint, error) {
	var entries []store.JournalEntry
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = tx.JournalOf(vaultJournal, store.MaxRows)
		return err
	})
	noted := make([]store.Checkpoint, len(entries))
	for i, e := range entries {
		if err := readCheckpoint(e.Detail, &noted[i]); err != nil {
			return nil, fmt.Errorf("appliance: entry %d of the journal cannot be read: %w", e.Seq, err)
		}
	}
	return noted, err
}

func readCheckpoint(detail []byte, c *store.Checkpoint) error {
	var d map[string]string
	if err := json.Unmarshal(detail, &d); err != nil {
		return err
	}
	return json.Unmarshal([]byte(d["checkpoint"]), c)
}
