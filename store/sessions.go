package store

import (
	"strings"
	"time"
)

// Session is a signed-in holder. Only the SHA-256 of the session's token is kept.
type Session struct {
	ID      []byte // SHA-256 of the token
	Holder  string
	Created time.Time
	Seen    time.Time // last use
	Expires time.Time // absolute end
	Face    string    // where it was opened, as auth.Face
	Methods []string  // how the holder was recognised, RFC 8176
	Client  string    // address it was opened from
	Agent   string    // what the browser said of itself
	Label   string    // what a program called itself
	Binding []byte    // hash of what the token is good on
	Epoch   []byte    // of the holder's factors
}

// words is a list in a column: words with spaces between.
type words struct{ list *[]string }

func (w words) Scan(v any) error {
	s, _ := v.(string)
	*w.list = strings.Fields(s)
	return nil
}

const sessionColumns = `id, holder, created, seen, expires, face, methods, client, agent, label, binding, epoch`

func sessionRow(s *Session) []any {
	return []any{&s.ID, &s.Holder, at(&s.Created), at(&s.Seen), at(&s.Expires), &s.Face, words{&s.Methods},
		&s.Client, &s.Agent, &s.Label, &s.Binding, &s.Epoch}
}

// PutSession stores a new session; Conflict if the ID is taken or the holder
// does not exist.
func (tx *Tx) PutSession(s Session) error {
	return tx.put("put session", `INSERT INTO sessions (`+sessionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		bytes(s.ID), s.Holder, ms(s.Created), ms(s.Seen), ms(s.Expires), s.Face, strings.Join(s.Methods, " "),
		s.Client, s.Agent, s.Label, bytes(s.Binding), bytes(s.Epoch))
}

// Session returns the session with this ID, expired or not.
func (tx *Tx) Session(id []byte) (Session, error) {
	return one(tx, "session", sessionRow, `SELECT `+sessionColumns+` FROM sessions WHERE id = ?`, bytes(id))
}

// SessionsOf returns a holder's sessions, expired or not, the last used one first.
func (tx *Tx) SessionsOf(holder string) ([]Session, error) {
	return many(tx, "sessions of holder", sessionRow,
		`SELECT `+sessionColumns+` FROM sessions WHERE holder = ? ORDER BY seen DESC, created DESC, id LIMIT ?`, holder, MaxRows)
}

// TouchSession notes that the session was used.
func (tx *Tx) TouchSession(id []byte, seen time.Time) error {
	return tx.change("touch session", `UPDATE sessions SET seen = ? WHERE id = ?`, ms(seen), bytes(id))
}

// DeleteSession ends a session and says whether there was one.
func (tx *Tx) DeleteSession(id []byte) (bool, error) {
	n, err := tx.exec("delete session", `DELETE FROM sessions WHERE id = ?`, bytes(id))
	return n > 0, err
}

// ExpiredSessions returns up to MaxRows sessions whose absolute end is not after now.
func (tx *Tx) ExpiredSessions(now time.Time) ([]Session, error) {
	return many(tx, "expired sessions", sessionRow,
		`SELECT `+sessionColumns+` FROM sessions WHERE expires <= ? ORDER BY expires, id LIMIT ?`, ms(now), MaxRows)
}
