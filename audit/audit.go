// Package audit is the journal: what happened, who did it, to what, and when, in
// an order nobody can change unnoticed.
//
// Every entry holds the SHA-256 of the entry before it, so that a changed,
// removed, inserted or moved entry breaks the chain at that place. A chain alone
// can be recomputed by whoever owns the file; therefore its head is signed from
// time to time with a key inside the HSM (a checkpoint), and what lies before a
// checkpoint can no longer be rewritten or cut off. What lies after the last
// checkpoint is only as safe as the file: make checkpoints often. And whoever can
// delete entries can delete the checkpoints behind them: keep copies elsewhere and
// hand them to [Verify].
//
// An effect and its entry belong in one transaction: [Append] works in the
// caller's, so that neither exists without the other.
//
// The journal is read by auditors and copied to other places. It must hold no
// secret: no password, one-time password, activation data, key, session token,
// nor the content of a document. Put the digest or the identifier of the thing
// there instead. Nothing in it can be taken back.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"sigillo/store"
)

// Event is one thing that happened.
type Event struct {
	Actor   string            // who: a holder's ID, an operator, "system"
	Event   string            // what: dotted lower-case words, such as "signature.intent"
	Subject string            // to what: the ID of the transaction, the serial of the certificate, may be ""
	Detail  map[string]string // more, for people; no secrets
}

// Limits of an event. Beyond them Append refuses: the journal never silently
// says less than it was told.
const (
	MaxName   = 256       // bytes of Actor, Subject
	MaxEvent  = 64        // bytes of Event
	MaxDetail = 2048      // entries in Detail
	MaxKey    = 64        // bytes of a key in Detail
	MaxValue  = 4096      // bytes of a value in Detail
	MaxTotal  = 256 << 10 // bytes of all keys and values
)

// Kind says what sort of failure an [Error] is.
type Kind string

// The kinds of failure. Failures of the database keep the Kind of store.
const (
	BadEvent Kind = "BadEvent" // the event is not well-formed or too large
	BadKey   Kind = "BadKey"   // the checkpoint's key cannot be used
	Failed   Kind = "Failed"
)

// Error is the one error type of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first [Error] in err's chain, "" for nil and
// Failed for an error of another make.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

func badEvent(format string, args ...any) error {
	return &Error{Kind: BadEvent, Msg: "audit: " + fmt.Sprintf(format, args...)}
}

// Append adds an entry in the caller's transaction: it is durable when that is,
// together with the effect it describes. The time is cut to milliseconds.
func Append(tx *store.Tx, now time.Time, ev Event) error {
	if err := check(ev); err != nil {
		return err
	}
	detail, err := marshalDetail(ev.Detail)
	if err != nil {
		return &Error{Failed, "audit: encode the detail", err}
	}
	e := store.JournalEntry{
		Seq: 1, Time: now.UTC().Truncate(time.Millisecond), Prev: make([]byte, hashSize),
		Actor: ev.Actor, Event: ev.Event, Subject: ev.Subject, Detail: detail,
	}
	head, err := tx.JournalHead()
	switch {
	case err == nil:
		e.Seq, e.Prev = head.Seq+1, head.Hash
	case store.KindOf(err) != store.NotFound:
		return err
	}
	e.Hash = hash(e, ev.Detail)
	return tx.AppendJournal(e)
}

var eventName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$`)

func check(ev Event) error {
	switch {
	case len(ev.Event) > MaxEvent || !eventName.MatchString(ev.Event):
		return badEvent("%.80q is no event name; use dotted lower-case words, such as \"signature.intent\"", ev.Event)
	case ev.Actor == "":
		return badEvent("the event %q has no actor", ev.Event)
	case len(ev.Actor) > MaxName || len(ev.Subject) > MaxName:
		return badEvent("actor or subject of %q is longer than %d bytes", ev.Event, MaxName)
	case !utf8.ValidString(ev.Actor) || !utf8.ValidString(ev.Subject):
		return badEvent("actor or subject of %q is not UTF-8", ev.Event)
	case len(ev.Detail) > MaxDetail:
		return badEvent("the detail of %q has more than %d entries", ev.Event, MaxDetail)
	}
	total := 0
	for k, v := range ev.Detail {
		if k == "" || len(k) > MaxKey || len(v) > MaxValue {
			return badEvent("a detail of %q is too long (key %d bytes, value %d bytes)", ev.Event, MaxKey, MaxValue)
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return badEvent("a detail of %q is not UTF-8", ev.Event)
		}
		if total += len(k) + len(v); total > MaxTotal {
			return badEvent("the detail of %q is longer than %d bytes", ev.Event, MaxTotal)
		}
	}
	return nil
}

// marshalDetail gives the one stored form of a detail: JSON, keys sorted.
func marshalDetail(detail map[string]string) ([]byte, error) {
	if len(detail) == 0 {
		return []byte("{}"), nil
	}
	return json.Marshal(detail)
}

// Journal appends entries in transactions of their own and signs checkpoints.
type Journal struct {
	db  *store.DB
	now func() time.Time
}

// New returns the journal kept in db; now is the clock of its entries.
func New(db *store.DB, now func() time.Time) *Journal {
	return &Journal{db: db, now: now}
}

// Append adds an entry in a transaction of its own; it is durable on return.
func (j *Journal) Append(ctx context.Context, ev Event) error {
	return j.db.Write(ctx, func(tx *store.Tx) error { return Append(tx, j.now(), ev) })
}
