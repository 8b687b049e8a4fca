package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"
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
)

// Session is the record of somebody who has signed in. ID is the SHA-256 of the
// token: who reads the database cannot take over a session.
type Session struct {
	ID      []byte
	Holder  string
	Created time.Time
	Seen    time.Time // last request, to the minute
	Expires time.Time // Created + SessionLife
}

// SessionStore keeps session records. Session returns a nil pointer and no error
// when there is none. TouchSession and DeleteSession of a record that is gone
// are not errors.
type SessionStore interface {
	PutSession(ctx context.Context, s Session) error
	Session(ctx context.Context, id []byte) (*Session, error)
	TouchSession(ctx context.Context, id []byte, seen time.Time) error
	DeleteSession(ctx context.Context, id []byte) error
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

// Start opens a session of holder and returns its token: 32 random bytes in
// base64url, to be given to the browser in a cookie (Secure, HttpOnly,
// SameSite) and kept nowhere else.
func (s *Sessions) Start(ctx context.Context, holder string) (token string, err error) {
	var raw [tokenSize]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", &Error{Kind: Failed, Msg: "no random numbers", Err: err}
	}
	now := s.now()
	id := sha256.Sum256(raw[:])
	rec := Session{ID: id[:], Holder: holder, Created: now, Seen: now, Expires: now.Add(SessionLife)}
	if err := s.st.PutSession(ctx, rec); err != nil {
		return "", &Error{Kind: Failed, Msg: "the session could not be stored", Err: err}
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Check returns the holder of the session token belongs to and notes that it was
// used. The kind of its error is NoSession, SessionExpired (the record is
// removed) or Failed.
func (s *Sessions) Check(ctx context.Context, token string) (holder string, err error) {
	id, ok := sessionID(token)
	if !ok {
		return "", &Error{Kind: NoSession, Msg: "you are not signed in; sign in again"}
	}
	// Looked up by the hash of the token: the time of the search tells nothing
	// about tokens.
	rec, err := s.st.Session(ctx, id)
	if err != nil {
		return "", &Error{Kind: Failed, Msg: "the session could not be read", Err: err}
	}
	if rec == nil {
		return "", &Error{Kind: NoSession, Msg: "you are not signed in; sign in again"}
	}
	now := s.now()
	if !now.Before(rec.Expires) || now.Sub(rec.Seen) >= SessionIdle {
		if err := s.st.DeleteSession(ctx, id); err != nil {
			return "", &Error{Kind: Failed, Msg: "the expired session could not be removed", Err: err}
		}
		return "", &Error{Kind: SessionExpired, Msg: "your session has ended; sign in again"}
	}
	if now.Sub(rec.Seen) >= touchEvery {
		if err := s.st.TouchSession(ctx, id, now); err != nil {
			return "", &Error{Kind: Failed, Msg: "the session could not be stored", Err: err}
		}
	}
	return rec.Holder, nil
}

// End closes the session token belongs to. To end a session that does not exist
// is not an error.
func (s *Sessions) End(ctx context.Context, token string) error {
	id, ok := sessionID(token)
	if !ok {
		return nil
	}
	if err := s.st.DeleteSession(ctx, id); err != nil {
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
