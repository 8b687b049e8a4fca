package store

import "time"

// Session is a signed-in holder. Only the SHA-256 of the session's token is kept.
type Session struct {
	ID      []byte // SHA-256 of the token
	Holder  string
	Created time.Time
	Seen    time.Time // last use
	Expires time.Time // absolute end
}

func sessionRow(s *Session) []any {
	return []any{&s.ID, &s.Holder, at(&s.Created), at(&s.Seen), at(&s.Expires)}
}

// PutSession stores a new session; Conflict if the ID is taken or the holder
// does not exist.
func (tx *Tx) PutSession(s Session) error {
	return tx.put("put session", `INSERT INTO sessions (id, holder, created, seen, expires) VALUES (?, ?, ?, ?, ?)`,
		bytes(s.ID), s.Holder, ms(s.Created), ms(s.Seen), ms(s.Expires))
}

// Session returns the session with this ID, expired or not.
func (tx *Tx) Session(id []byte) (Session, error) {
	return one(tx, "session", sessionRow, `SELECT id, holder, created, seen, expires FROM sessions WHERE id = ?`, bytes(id))
}

// TouchSession notes that the session was used.
func (tx *Tx) TouchSession(id []byte, seen time.Time) error {
	return tx.change("touch session", `UPDATE sessions SET seen = ? WHERE id = ?`, ms(seen), bytes(id))
}

// DeleteSession ends a session; ending one that does not exist is no error.
func (tx *Tx) DeleteSession(id []byte) error {
	return tx.put("delete session", `DELETE FROM sessions WHERE id = ?`, bytes(id))
}

// DeleteExpiredSessions removes all sessions whose absolute end is not after now
// and returns how many there were.
func (tx *Tx) DeleteExpiredSessions(now time.Time) (int64, error) {
	return tx.exec("delete expired sessions", `DELETE FROM sessions WHERE expires <= ?`, ms(now))
}
