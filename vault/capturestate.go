package vault

import (
	"context"
	"crypto/cipher"
	"crypto/ecdh"
	"strconv"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// The states of a capture.
const (
	captureOpen = "open"
	captureOver = "over"
)

// Why a capture is over, where that matters.
const (
	endMatched      = "matched"
	endUnrecognised = "not recognised"
	endEnrolled     = "enrolled"
	endFailed       = "failure to enrol"
	endExpired      = "its time is over"
)

// keepCaptures is how long the row of a capture that is over is kept. The journal keeps it
// for ever.
const keepCaptures = 24 * time.Hour

// capture is the record of one: what survives the vault. What a person has written is not
// in it.
type capture struct {
	ID         string `json:"id"`
	Purpose    string `json:"purpose"`
	Operator   string `json:"operator"`
	Holder     string `json:"holder"`
	Tablet     string `json:"tablet"`
	Credential string `json:"credential,omitempty"`
	Content    []byte `json:"content,omitempty"` // what an Authorisation must ask for
	Context    []byte `json:"context"`
	Client     string `json:"client"`
	Request    string `json:"request"` // that opened it
	Opened     int64  `json:"opened"`  // ms
	Expires    int64  `json:"expires"` // ms
	End        string `json:"end,omitempty"`
	Ended      int64  `json:"ended,omitempty"` // ms

	Attempts int `json:"attempts,omitempty"` // signatures that were compared
	Tries    int `json:"tries,omitempty"`    // signatures that were looked at for an enrolment

	// The signature that was compared last, and what came of it: the repetition of a request
	// whose answer was lost gets the same answer.
	Last    []byte `json:"last,omitempty"` // SHA-256 of it, as it was sent
	LastAt  int64  `json:"lastAt,omitempty"`
	Outcome Kind   `json:"outcome,omitempty"` // "": a match
	Granted string `json:"granted,omitempty"` // the request that got the SAD

	Finished string            `json:"finished,omitempty"` // the request that finished the enrolment
	Made     *credentialAnswer `json:"made,omitempty"`

	version int64
}

var (
	errCapture     = fail(NotAllowed, "this capture is over; open another")
	errOtherUse    = fail(NotAllowed, "this capture is for something else; open another")
	errStale       = fail(StaleCapture, "the capture was not armed for this signature, or it took too long; arm it and sign again")
	errBusyCapture = &Error{Kind: Busy, Msg: "another signature of this capture is just being looked at; try again", RetryAfter: shortestRetry}
)

// capture reads the record of a capture.
func (v *server) capture(tx *store.Tx, id string) (*capture, error) {
	c := &capture{}
	var err error
	if c.version, err = v.counterRow(tx, store.CounterCapture, id, c); err == errNoCounterRow {
		err = errCapture
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// is says whether the capture is open, and for this.
func (c *capture) is(purpose string, now time.Time) error {
	switch {
	case c.Purpose != purpose:
		return errOtherUse
	case c.End != "" || millis(now) >= c.Expires:
		return errCapture
	}
	return nil
}

// over ends the capture, in the record.
func (c *capture) over(end string, now time.Time) { c.End, c.Ended = end, millis(now) }

// keepCapture writes the next version of a capture.
func (v *server) keepCapture(tx *store.Tx, c *capture, ev audit.Event) error {
	r := store.CounterRow{Kind: store.CounterCapture, ID: c.ID, State: captureOpen, Holder: c.Holder, About: c.Tablet,
		Due: time.UnixMilli(c.Expires), Version: c.version}
	if c.End != "" {
		r.State, r.Due = captureOver, time.UnixMilli(c.Ended).Add(keepCaptures)
	}
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	for k, text := range map[string]string{"purpose": c.Purpose, "holder": c.Holder, "operator": c.Operator, "tablet": c.Tablet,
		"credential": c.Credential, "end": c.End} {
		if text != "" {
			ev.Detail[k] = text
		}
	}
	if c.End != "" {
		v.sessions.drop(c.ID)
	}
	if err := v.keepCounterRow(tx, r, c, ev); err != nil {
		return err
	}
	c.version++
	return nil
}

// endCapture closes a capture.
func (v *server) endCapture(tx *store.Tx, c *capture, end string) error {
	c.over(end, v.now())
	return v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureClosed,
		Detail: map[string]string{"attempts": strconv.Itoa(c.Attempts), "tries": strconv.Itoa(c.Tries)}})
}

// endCapturesAt closes the open capture of a tablet.
func (v *server) endCapturesAt(tx *store.Tx, tablet, end string) error {
	rows, err := tx.CounterRowsAbout(store.CounterCapture, captureOpen, tablet)
	return firstError(because(err, "the vault's state cannot be read"), v.endCaptures(tx, rows, end, func(*capture) bool { return true }))
}

// endCapturesFor closes the open captures for a credential of a holder; those to enrol for
// none.
func (v *server) endCapturesFor(tx *store.Tx, holder, credential, end string) error {
	rows, err := tx.CounterRowsOf(store.CounterCapture, captureOpen, holder)
	return firstError(because(err, "the vault's state cannot be read"),
		v.endCaptures(tx, rows, end, func(c *capture) bool { return c.Credential == credential }))
}

// endCaptures closes the captures that are meant. A row that was tampered with is of no use
// already.
func (v *server) endCaptures(tx *store.Tx, rows []store.CounterRow, end string, meant func(*capture) bool) error {
	for _, r := range rows {
		c := &capture{version: r.Version}
		if v.openCounterRow(r, c) != nil || !meant(c) {
			continue
		}
		if err := v.endCapture(tx, c, end); err != nil {
			return err
		}
	}
	return nil
}

// settleCaptures closes those whose time is over, and forgets those that were over a day ago.
func (v *server) settleCaptures(tx *store.Tx, now time.Time) error {
	rows, err := tx.DueCounterRows(now)
	if err != nil {
		return err
	}
	for _, r := range rows {
		c := &capture{version: r.Version}
		bad := v.openCounterRow(r, c)
		if bad != nil {
			v.log.Error("the row of a capture was changed, and is forgotten", "capture", r.ID, "err", bad)
		}
		if r.State != captureOpen || bad != nil {
			if err := tx.DeleteCounterRow(r.Kind, r.ID); err != nil {
				return err
			}
			continue
		}
		if err := v.endCapture(tx, c, endExpired); err != nil {
			return err
		}
	}
	return nil
}

func (v *server) closeCapture(ctx context.Context, q *captureRequest) error {
	if err := firstError(checkName("the capture", q.ID, maxName), checkName("the reason", q.Reason, maxName)); err != nil {
		return err
	}
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		c, err := v.capture(tx, q.ID)
		if err == errCapture || err == errCounterRow { // forgotten after a day, or of no use to anybody
			return nil
		}
		if err != nil || c.End != "" {
			return err
		}
		return v.endCapture(tx, c, q.Reason)
	})
	return because(err, "the end of the capture could not be written")
}

// sessions are what a capture has in memory and nowhere else: the nonce and the key it was
// armed with, and the signatures of an enrolment, encrypted under a key that is beside them
// for as long. A vault that is started again has none: what is armed must be armed again,
// and an enrolment begins again.
type sessions struct {
	mu  sync.Mutex
	all map[string]*session // guarded by mu; by capture
}

// maxSessions is how many enrolments are in memory at most; each may have some megabytes.
// maxCaptures is how many captures of all kinds: those to sign have a few hundred bytes, and
// every tablet may have one.
const (
	maxSessions = 64
	maxCaptures = 4 * store.MaxRows
)

type session struct {
	expires time.Time
	enrols  bool
	busy    sync.Mutex // held while a signature is looked at
	over    bool       // guarded by sessions.mu; kept so that who comes late finds the same lock
	armed   *armed     // guarded by sessions.mu

	steps []enrolled // guarded by busy
	seal  cipher.AEAD
	last  []byte // guarded by busy; the signature that was looked at last for an enrolment
	step  EnrolStep
}

// armed is what one signature is sent with.
type armed struct {
	nonce       []byte
	key         *ecdh.PrivateKey
	from, until time.Time
}

// enrolled is a step of an enrolment: a signature that was accepted, or the removal of one.
type enrolled struct {
	sealed  []byte // the JSON of the capture page; nil: a removal
	removed int    // its place then
}

// of returns the session of a capture, and makes it if need be.
func (s *sessions) of(c *capture, now time.Time) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.all[c.ID]; x != nil {
		return x, nil
	}
	open, enrols := 0, 0
	for id, x := range s.all {
		if !now.Before(x.expires) {
			delete(s.all, id)
		} else if !x.over {
			open++
			if x.enrols {
				enrols++
			}
		}
	}
	if open >= maxCaptures || enrols >= maxSessions && c.Purpose == ToEnrol {
		return nil, &Error{Kind: Busy, Msg: "too many people sign on tablets at the same time; try again", RetryAfter: longestRetry}
	}
	if s.all == nil {
		s.all = make(map[string]*session)
	}
	x := &session{expires: time.UnixMilli(c.Expires), enrols: c.Purpose == ToEnrol}
	s.all[c.ID] = x
	return x, nil
}

// arm makes a session ready for one signature.
func (s *sessions) arm(x *session, a *armed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.armed, x.over = a, false
}

// take returns what a capture was armed with, if it was with this nonce. It is good once:
// whatever comes of it, it is gone.
func (s *sessions) take(id string, nonce []byte, now time.Time) (*armed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.all[id]
	if x == nil || x.armed == nil || string(x.armed.nonce) != string(nonce) {
		return nil, errStale
	}
	a := x.armed
	x.armed = nil
	if !now.Before(a.until) {
		return nil, errStale
	}
	return a, nil
}

// drop forgets what is in a session, at once or when whoever looks at a signature is done.
func (s *sessions) drop(id string) {
	s.mu.Lock()
	x := s.all[id]
	if x != nil {
		x.armed, x.over = nil, true
	}
	s.mu.Unlock()
	if x != nil && x.busy.TryLock() {
		s.leave(x)
	}
}

// leave gives the lock of a session back.
func (s *sessions) leave(x *session) {
	s.mu.Lock()
	over := x.over
	s.mu.Unlock()
	if over { // the key goes with what is encrypted under it
		x.steps, x.seal = nil, nil
	}
	x.busy.Unlock()
}
