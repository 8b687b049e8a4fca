package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"sigillo/formats/legible"
)

const (
	// SessionIdle is how long a session lives without a request.
	SessionIdle = 15 * time.Minute
	// SessionLife is how long a session lives at all.
	SessionLife = 8 * time.Hour
	// touchEvery is how often the time of the last request is written down: a
	// durable write for every picture of a page would be a waste.
	touchEvery = time.Minute
	tokenSize  = 32

	maxAgent = 200 // bytes that are kept of what a browser says of itself
	maxLabel = 100
	refSize  = 16
)

// Face is a side of the house that sessions are opened on. A token of the one is
// worth nothing on the other.
type Face string

// The faces.
const (
	Pages    Face = "pages"    // a person with a browser; the token is in a cookie
	Programs Face = "programs" // the REST interface; the token is in a header
	Desk     Face = "desk"     // the staff, with a browser
)

// Visit is who asks: what a session is opened with, and held against at each use.
type Visit struct {
	Face   Face
	Client string // address, "" if not known
	Agent  string // the User-Agent header as it came
	Label  string // what a program calls itself, when a session is opened
}

// binding is what the token of a session is good for: a face, and for people the
// browser it was opened with. A token that turns up in another browser was copied.
// The header is easily copied too; this stops those who do not think of it, and
// tells the holder.
func (v Visit) binding() []byte {
	text := string(v.Face)
	if v.Face != Programs {
		text += "\x00" + v.Agent
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Session is the record of somebody who has signed in. ID is the SHA-256 of the
// token: who reads the database cannot take over a session.
type Session struct {
	ID      []byte
	Holder  string
	Created time.Time
	Seen    time.Time // last request, to the minute
	Expires time.Time // Created + SessionLife
	Face    string    // a Face
	Methods []string  // how the holder was recognised, RFC 8176: "pwd", "otp", "pop", "sc" …
	Client  string    // address it was opened from
	Agent   string    // what the browser said of itself: printable ASCII, 200 bytes at most
	Label   string    // what a program called itself, 100 characters at most
	Binding []byte    // see Visit
	Epoch   []byte    // of the holder's factors, see Opening
}

// Ref names the session to its holder. It is of no use to anybody else.
func (s *Session) Ref() string { return hex.EncodeToString(s.ID[:min(len(s.ID), refSize)]) }

// Live says whether the session has not ended by the clock.
func (s *Session) Live(now time.Time) bool {
	return now.Before(s.Expires) && now.Sub(s.Seen) < SessionIdle
}

// Ending says why a session ended.
type Ending string

// The endings.
const (
	SignedOut      Ending = "signed-out"
	EndedByHolder  Ending = "ended-by-holder" // from another session
	Idle           Ending = "idle"            // no request for SessionIdle, or SessionLife is over
	UsedElsewhere  Ending = "used-elsewhere"  // the token turned up on another face or in another browser
	FactorsChanged Ending = "factors-changed" // another password, or recovery
	TooMany        Ending = "too-many"        // the holder opened more than MaxSessions
)

// MaxSessions is how many sessions a holder may have at a time. One more ends the
// one that has not been used for longest.
const MaxSessions = 50

// SessionStore keeps session records. Session returns a nil pointer and no error
// when there is none. TouchSession and DeleteSession of a record that is gone are
// not errors. PutSession and DeleteSession journal what they do in the transaction
// that does it.
type SessionStore interface {
	// PutSession stores s, and ends the least used sessions of its holder beyond
	// MaxSessions.
	PutSession(ctx context.Context, s Session) error
	Session(ctx context.Context, id []byte) (*Session, error)
	TouchSession(ctx context.Context, id []byte, seen time.Time) error
	DeleteSession(ctx context.Context, s Session, why Ending) error
}

// Sessions starts, checks and ends sessions. It holds no state of its own and
// may be used by many goroutines at once.
type Sessions struct {
	st  SessionStore
	now func() time.Time
}

// NewSessions returns sessions over st with the clock now (nil: time.Now).
func NewSessions(st SessionStore, now func() time.Time) *Sessions {
	if now == nil {
		now = time.Now
	}
	return &Sessions{st: st, now: now}
}

// Opening is what a session is opened with.
type Opening struct {
	Holder  string
	Methods []string // how the holder was recognised, RFC 8176
	// Epoch changes with the holder's password: sessions of another one are over.
	Epoch []byte
	Visit
}

// SignedIn is what somebody gets who has signed in. Browser, when there is one, is
// for the browser to bring along the next time: others who guess then do not lock it
// out. It opens nothing by itself.
type SignedIn struct {
	Token          string
	Browser        string
	BrowserExpires time.Time
}

// Start opens a session and returns its token: 32 random bytes in base64url, to be
// given to the browser in a cookie (Secure, HttpOnly, SameSite) and kept nowhere
// else.
func (s *Sessions) Start(ctx context.Context, o Opening) (token string, err error) {
	var raw [tokenSize]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", &Error{Kind: Failed, Msg: "no random numbers", Err: err}
	}
	now := s.now()
	id := sha256.Sum256(raw[:])
	rec := Session{ID: id[:], Holder: o.Holder, Created: now, Seen: now, Expires: now.Add(SessionLife),
		Face: string(o.Face), Methods: slices.Clone(o.Methods), Client: cleanAgent(o.Client), Agent: cleanAgent(o.Agent),
		Label: cleanLabel(o.Label), Binding: o.binding(), Epoch: o.Epoch}
	if err := s.st.PutSession(ctx, rec); err != nil {
		return "", &Error{Kind: Failed, Msg: "the session could not be stored", Err: err}
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Check returns the session that token belongs to and notes that it was used. The
// kind of its error is NoSession, SessionExpired (the record is removed) or Failed.
// A token that v may not use is removed too: it was copied.
func (s *Sessions) Check(ctx context.Context, token string, v Visit) (Session, error) {
	id, ok := sessionID(token)
	if !ok {
		return Session{}, &Error{Kind: NoSession, Msg: "you are not signed in; sign in again"}
	}
	// Looked up by the hash of the token: the time of the search tells nothing
	// about tokens.
	rec, err := s.st.Session(ctx, id)
	if err != nil {
		return Session{}, &Error{Kind: Failed, Msg: "the session could not be read", Err: err}
	}
	if rec == nil {
		return Session{}, &Error{Kind: NoSession, Msg: "you are not signed in; sign in again"}
	}
	now := s.now()
	switch {
	case !rec.Live(now):
		return Session{}, s.over(ctx, *rec, Idle)
	case !hmac.Equal(rec.Binding, v.binding()):
		return Session{}, s.over(ctx, *rec, UsedElsewhere)
	case now.Sub(rec.Seen) >= touchEvery:
		if err := s.st.TouchSession(ctx, id, now); err != nil {
			return Session{}, &Error{Kind: Failed, Msg: "the session could not be stored", Err: err}
		}
	}
	return *rec, nil
}

// over removes a session, and gives the error that says so.
func (s *Sessions) over(ctx context.Context, rec Session, why Ending) error {
	if err := s.st.DeleteSession(ctx, rec, why); err != nil {
		return &Error{Kind: Failed, Msg: "the ended session could not be removed", Err: err}
	}
	return &Error{Kind: SessionExpired, Msg: "your session has ended; sign in again"}
}

// CheckEpoch ends a session that is of another epoch than its holder's factors are
// now. The kind of its error is SessionExpired or Failed.
func (s *Sessions) CheckEpoch(ctx context.Context, rec Session, epoch []byte) error {
	if hmac.Equal(rec.Epoch, epoch) {
		return nil
	}
	return s.over(ctx, rec, FactorsChanged)
}

// End closes the session token belongs to. To end a session that does not exist
// is not an error.
func (s *Sessions) End(ctx context.Context, token string) error {
	id, ok := sessionID(token)
	if !ok {
		return nil
	}
	rec, err := s.st.Session(ctx, id)
	if err == nil && rec != nil {
		err = s.st.DeleteSession(ctx, *rec, SignedOut)
	}
	if err != nil {
		return &Error{Kind: Failed, Msg: "the session could not be ended", Err: err}
	}
	return nil
}

// sessionID returns the record's ID of a token, or false when it is not one.
func sessionID(token string) ([]byte, bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, false
	}
	id := sha256.Sum256(raw)
	return id[:], true
}

// cleanAgent is the beginning of a header as it can be shown.
func cleanAgent(s string) string {
	s = s[:min(len(s), maxAgent)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// cleanLabel is the beginning of a name as it can be shown.
func cleanLabel(s string) string {
	return cut(legible.Line(cut(strings.TrimSpace(s))))
}

func cut(s string) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), maxLabel)])
}
