package store

import "time"

// CounterCallback is a message to an application that a session at a counter has ended.
type CounterCallback struct {
	Session string
	Address string // its name in the configuration
	State   string // "waiting", "delivered", "given-up"
	Tries   int
	Due     time.Time // zero: when the session has ended
}

func callbackRow(c *CounterCallback) []any {
	return []any{&c.Session, &c.Address, &c.State, &c.Tries, at(&c.Due)}
}

// PutCounterCallback stores a new message; Conflict when the session has one.
func (tx *Tx) PutCounterCallback(c CounterCallback) error {
	return tx.put("put counter callback", `INSERT INTO counter_callbacks (session, address, state, tries, due) VALUES (?, ?, ?, ?, ?)`,
		c.Session, c.Address, c.State, c.Tries, ms(c.Due))
}

// RaiseCounterCallback makes the message about a session due, if there is one to be sent.
func (tx *Tx) RaiseCounterCallback(session string, now time.Time) error {
	return tx.put("raise counter callback", `UPDATE counter_callbacks SET due = ? WHERE session = ? AND state = 'waiting' AND due = 0`, ms(now), session)
}

// DueCounterCallbacks returns up to limit messages that are to be sent now, the oldest first.
func (tx *Tx) DueCounterCallbacks(now time.Time, limit int) ([]CounterCallback, error) {
	return many(tx, "due counter callbacks", callbackRow, `SELECT session, address, state, tries, due FROM counter_callbacks
		WHERE state = 'waiting' AND due > 0 AND due <= ? ORDER BY due, session LIMIT ?`, ms(now), limited(limit))
}

// SetCounterCallback keeps what became of a try.
func (tx *Tx) SetCounterCallback(c CounterCallback) error {
	return tx.change("set counter callback", `UPDATE counter_callbacks SET state = ?, tries = ?, due = ? WHERE session = ? AND state = 'waiting'`,
		c.State, c.Tries, ms(c.Due), c.Session)
}
