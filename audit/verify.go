package audit

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"sigillo/store"
)

// Report is the result of [Verify]. Its JSON form is stable.
type Report struct {
	OK          bool      `json:"ok"`          // no problem found
	Entries     int64     `json:"entries"`     // entries read
	Head        Head      `json:"head"`        // the last entry, zero for an empty journal
	Checkpoints int64     `json:"checkpoints"` // checkpoints read
	Signed      int64     `json:"signed"`      // the last entry under a good checkpoint; what follows rests on the file alone
	Problems    []Problem `json:"problems"`    // in the order of Seq within entries, then checkpoints; never nil
	Truncated   bool      `json:"truncated"`   // there are more problems than listed
}

// Head is the end of the chain.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"` // hex
}

// Problem is something wrong with the journal.
type Problem struct {
	Seq  int64       `json:"seq"` // the entry or, for a checkpoint, the entry it names
	Kind ProblemKind `json:"kind"`
	Text string      `json:"text"`
}

// ProblemKind names the sort of a problem.
type ProblemKind string

// The sorts of problems.
const (
	Changed          ProblemKind = "changed"        // the entry is not what was hashed
	Missing          ProblemKind = "missing"        // entries were removed before this one
	BrokenLink       ProblemKind = "broken-link"    // the entry does not follow the one before it: that was replaced, or this one moved or inserted
	Inserted         ProblemKind = "inserted"       // an entry where none can be
	Rewritten        ProblemKind = "rewritten"      // the entry is not the one that was signed: it or entries before it were replaced
	CutOff           ProblemKind = "cut-off"        // a checkpoint names an entry beyond the end, or one that is gone
	BadCheckpoint    ProblemKind = "bad-checkpoint" // the checkpoint's signature is wrong
	UnknownKey       ProblemKind = "unknown-key"    // the checkpoint's key was not given
	maxProblems                  = 1000
	pageSize                     = 500
	firstPossibleSeq             = math.MinInt64
)

// Verify reads the whole journal in one snapshot and checks it: every hash, every
// link, every checkpoint against the key of its label. witnessed are checkpoints
// that were kept elsewhere; they find what was deleted together with the
// checkpoints behind it. The error tells that the journal could not be read; what
// is wrong with a journal that could be is in the report.
func Verify(ctx context.Context, db *store.DB, keys map[string]crypto.PublicKey, witnessed ...store.Checkpoint) (Report, error) {
	v := &verifier{journal: db.Schema(), keys: keys, last: make([]byte, hashSize)}
	v.r.Problems = []Problem{}
	err := db.Read(ctx, func(tx *store.Tx) error {
		v.tx = tx
		v.witnessed = slices.Clone(witnessed)
		slices.SortFunc(v.witnessed, func(a, b store.Checkpoint) int {
			return int(min(max(a.Seq-b.Seq, -1), 1))
		})
		return v.run()
	})
	v.r.OK = err == nil && len(v.r.Problems) == 0
	return v.r, err
}

type verifier struct {
	tx        *store.Tx
	journal   store.Schema
	keys      map[string]crypto.PublicKey
	r         Report
	last      []byte // stored hash of the entry before
	witnessed []store.Checkpoint
	page      []store.Checkpoint // read ahead from the database
	nextPage  int64
	drained   bool
}

func (v *verifier) problem(seq int64, kind ProblemKind, format string, args ...any) {
	if len(v.r.Problems) == maxProblems {
		v.r.Truncated = true
		return
	}
	v.r.Problems = append(v.r.Problems, Problem{seq, kind, fmt.Sprintf(format, args...)})
}

func (v *verifier) run() error {
	v.nextPage = firstPossibleSeq
	for from := int64(firstPossibleSeq); ; {
		entries, err := v.tx.Journal(from, pageSize)
		if err != nil {
			return err
		}
		for _, e := range entries {
			v.entry(e)
			if err := v.checkpointsUpTo(e.Seq, &e); err != nil {
				return err
			}
		}
		if len(entries) < pageSize || entries[len(entries)-1].Seq == math.MaxInt64 {
			return v.checkpointsUpTo(math.MaxInt64, nil)
		}
		from = entries[len(entries)-1].Seq + 1
	}
}

// entry checks one entry and its place behind the one before. After a problem
// the stored hash is taken as it is, so that one fault is one problem.
func (v *verifier) entry(e store.JournalEntry) {
	switch expected := v.r.Head.Seq + 1; {
	case e.Seq < 1:
		v.problem(e.Seq, Inserted, "entry %d stands before the first", e.Seq)
		return
	case e.Seq > expected && e.Seq == expected+1:
		v.problem(e.Seq, Missing, "entry %d is missing", expected)
	case e.Seq > expected:
		v.problem(e.Seq, Missing, "entries %d to %d are missing", expected, e.Seq-1)
	case !bytes.Equal(e.Prev, v.last):
		v.problem(e.Seq, BrokenLink, "entry %d does not follow entry %d as it stands", e.Seq, expected-1)
	}
	detail := map[string]string{}
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		v.problem(e.Seq, Changed, "the detail of entry %d cannot be read", e.Seq)
	} else if canon, err := marshalDetail(detail); err != nil || !bytes.Equal(canon, e.Detail) {
		// Two readers of other JSON might see two different details.
		v.problem(e.Seq, Changed, "the detail of entry %d is not in its canonical form", e.Seq)
	} else if !bytes.Equal(hash(e, detail), e.Hash) {
		v.problem(e.Seq, Changed, "entry %d is not what was hashed", e.Seq)
	}
	v.r.Entries++
	v.r.Head = Head{e.Seq, hex.EncodeToString(e.Hash)}
	v.last = e.Hash
}

// checkpointsUpTo checks the checkpoints that name an entry up to seq; e is the
// entry at seq itself.
func (v *verifier) checkpointsUpTo(seq int64, e *store.JournalEntry) error {
	for len(v.witnessed) > 0 && v.witnessed[0].Seq <= seq {
		v.checkpoint(v.witnessed[0], e)
		v.witnessed = v.witnessed[1:]
	}
	for {
		for len(v.page) > 0 && v.page[0].Seq <= seq {
			v.r.Checkpoints++
			v.checkpoint(v.page[0], e)
			v.page = v.page[1:]
		}
		if len(v.page) > 0 || v.drained {
			return nil
		}
		if err := v.readCheckpoints(); err != nil {
			return err
		}
	}
}

// readCheckpoints reads the next page. A page that is full may end in the middle
// of one entry's checkpoints; those are left for the page that follows.
func (v *verifier) readCheckpoints() error {
	page, err := v.tx.Checkpoints(v.nextPage, store.MaxRows)
	if err != nil {
		return err
	}
	if len(page) < store.MaxRows {
		v.page, v.drained = page, true
		return nil
	}
	last := page[len(page)-1].Seq
	whole := slices.IndexFunc(page, func(c store.Checkpoint) bool { return c.Seq == last })
	if whole == 0 {
		return &Error{Failed, fmt.Sprintf("audit: entry %d has too many checkpoints to check", last), nil}
	}
	v.page, v.nextPage = page[:whole], last
	return nil
}

func (v *verifier) checkpoint(c store.Checkpoint, e *store.JournalEntry) {
	key, known := v.keys[c.Key]
	if !known {
		v.problem(c.Seq, UnknownKey, "the checkpoint of entry %d is by the key %q, which was not given", c.Seq, c.Key)
		return
	}
	if err := verifyCheckpoint(v.journal, c, key); err != nil {
		v.problem(c.Seq, BadCheckpoint, "the checkpoint of entry %d does not bear a good signature by %q", c.Seq, c.Key)
		return
	}
	switch {
	case e == nil || e.Seq != c.Seq:
		v.problem(c.Seq, CutOff, "entry %d was signed at %s and is gone", c.Seq, c.Time.Format("2006-01-02 15:04:05"))
	case !bytes.Equal(c.Hash, e.Hash):
		v.problem(c.Seq, Rewritten, "entry %d is not the one signed at %s", c.Seq, c.Time.Format("2006-01-02 15:04:05"))
	default:
		v.r.Signed = c.Seq
	}
}
