package store

import (
	"context"
	"math"
	"strings"
)

// Stamp says where an entry of the time-stamping ledger is. The ledger is the
// truth; these rows only find things in it.
type Stamp struct {
	Seq     int64
	Unit    string
	Serial  int64
	GenTime int64 // unix nanoseconds: as exact as the ledger's
	Account string
	Imprint []byte
	Segment int64 // first sequence number of the segment
	Place   int64 // byte in the segment
}

// StampSegment says how far a segment of the ledger is indexed.
type StampSegment struct {
	Segment  int64 // its first sequence number
	Last     int64 // the last entry that has its row
	Next     int64 // byte of the segment at which the entry after that is looked for
	Earliest int64 // the least and greatest GenTime up to Last, unix nanoseconds
	Latest   int64
}

const stampColumns = `seq, unit, serial, gen_time, account, imprint, segment, place`

func stampRow(s *Stamp) []any {
	return []any{&s.Seq, &s.Unit, &s.Serial, &s.GenTime, &s.Account, &s.Imprint, &s.Segment, &s.Place}
}

// PutStamps stores the places of entries; Conflict if one is there already. The
// statement is prepared once: reading it costs more than a row does. (One statement
// of many rows is slower than many: SQLite then notes the old pages, to undo half
// of a statement.)
func (tx *Tx) PutStamps(list []Stamp) error {
	const what = "put stamps"
	if tx.broken != nil || !tx.writable || len(list) == 0 {
		_, err := tx.exec(what, `SELECT 1`) // says why not
		return err
	}
	insert, err := tx.tx.PrepareContext(tx.ctx, `INSERT INTO stamps (`+stampColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return tx.fail(what, err)
	}
	defer insert.Close()
	ctx := context.WithoutCancel(tx.ctx) // the driver starts a goroutine per row to watch one that can end
	for _, s := range list {
		if _, err := insert.ExecContext(ctx, s.Seq, s.Unit, s.Serial, s.GenTime, s.Account, bytes(s.Imprint), s.Segment, s.Place); err != nil {
			return tx.fail(what, err)
		}
	}
	return nil
}

// PutStampSegment stores how far a segment is indexed, replacing what was there.
func (tx *Tx) PutStampSegment(s StampSegment) error {
	return tx.put("put stamp segment", `INSERT INTO stamp_segments (segment, last, next, earliest, latest) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (segment) DO UPDATE SET last = excluded.last, next = excluded.next,
			earliest = excluded.earliest, latest = excluded.latest`,
		s.Segment, s.Last, s.Next, s.Earliest, s.Latest)
}

// StampSegments returns up to limit segments with a greater first sequence number
// than after, in their order.
func (tx *Tx) StampSegments(after int64, limit int) ([]StampSegment, error) {
	return many(tx, "stamp segments", stampSegmentRow, `SELECT segment, last, next, earliest, latest FROM stamp_segments
		WHERE segment > ? ORDER BY segment LIMIT ?`, after, limited(limit))
}

// LastStampSegment returns the segment that is being indexed; NotFound when none
// is.
func (tx *Tx) LastStampSegment() (StampSegment, error) {
	return one(tx, "last stamp segment", stampSegmentRow, `SELECT segment, last, next, earliest, latest FROM stamp_segments
		ORDER BY segment DESC LIMIT 1`)
}

func stampSegmentRow(s *StampSegment) []any {
	return []any{&s.Segment, &s.Last, &s.Next, &s.Earliest, &s.Latest}
}

// StampFilter selects stamps; what is zero selects nothing away. Without Serial,
// Imprint and Account it reads the whole table between After and Before.
type StampFilter struct {
	Serial        int64
	Unit          string
	Imprint       []byte
	Account       string
	From, To      int64 // GenTime in [From, To); To 0: no end
	After, Before int64 // Seq between them; Before 0: no end
	Newest        bool  // from the end
}

// Stamps returns up to limit places, in the order of Seq.
func (tx *Tx) Stamps(f StampFilter, limit int) ([]Stamp, error) {
	query, args := f.query(limit)
	return many(tx, "stamps", stampRow, query, args...)
}

func (f StampFilter) query(limit int) (query string, args []any) {
	where := []string{`seq > ?`}
	args = []any{f.After}
	add := func(clause string, v any) {
		where, args = append(where, clause), append(args, v)
	}
	if f.Before > 0 {
		add(`seq < ?`, f.Before)
	}
	if f.Serial > 0 {
		add(`serial = ?`, f.Serial)
	}
	if f.Unit != "" {
		add(`unit = ?`, f.Unit)
	}
	if len(f.Imprint) > 0 {
		add(`imprint = ?`, f.Imprint)
	}
	if f.Account != "" {
		clause := `account = ?`
		if len(f.Imprint) > 0 || f.Serial > 0 {
			clause = `account || '' = ?` // to be looked at, not to be searched by
		}
		add(clause, f.Account)
	}
	if f.From > math.MinInt64 {
		add(`gen_time >= ?`, f.From)
	}
	if f.To != 0 {
		add(`gen_time < ?`, f.To)
	}
	order := ` ORDER BY seq LIMIT ?`
	if f.Newest {
		order = ` ORDER BY seq DESC LIMIT ?`
	}
	return `SELECT ` + stampColumns + ` FROM stamps WHERE ` + strings.Join(where, ` AND `) + order, append(args, limited(limit))
}

// CountStamps returns how many places of entries from first to last there are. It reads
// them all.
func (tx *Tx) CountStamps(first, last int64) (n int64, err error) {
	return one(tx, "count stamps", func(n *int64) []any { return []any{n} }, `SELECT COUNT(*) FROM stamps WHERE seq BETWEEN ? AND ?`, first, last)
}

// DropStamps removes all places, so that they are filled in anew.
func (tx *Tx) DropStamps() error {
	if _, err := tx.exec("drop stamps", `DELETE FROM stamps`); err != nil {
		return err
	}
	_, err := tx.exec("drop stamps", `DELETE FROM stamp_segments`)
	return err
}

// CutStamps removes the places of the entries from first to last of a segment, and
// the segment with them if those are all from its beginning on.
func (tx *Tx) CutStamps(s StampSegment, first, last int64) error {
	if _, err := tx.exec("cut stamps", `DELETE FROM stamps WHERE seq BETWEEN ? AND ?`, first, last); err != nil {
		return err
	}
	if first <= s.Segment {
		_, err := tx.exec("cut stamps", `DELETE FROM stamp_segments WHERE segment = ?`, s.Segment)
		return err
	}
	s.Last = first - 1
	return tx.PutStampSegment(s)
}
