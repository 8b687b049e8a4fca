package store

import "time"

// Tablet is one that customers sign on at a counter.
type Tablet struct {
	ID          string
	Name        string
	Centre      string
	Class       string // of the device
	State       string // "invited", "pending", "active", "revoked"
	Code        []byte // verifier of the code that it is registered with
	CodeExpires time.Time
	Token       []byte // SHA-256 of what it shows with each request
	PublicKey   []byte // SubjectPublicKeyInfo, DER
	InvitedBy   string // a member's ID
	ConfirmedBy string
	Created     time.Time
	Changed     time.Time
}

const tabletColumns = `id, name, centre, class, state, code, code_expires, token, public_key, invited_by, confirmed_by, created, changed`

func tabletRow(t *Tablet) []any {
	return []any{&t.ID, &t.Name, &t.Centre, &t.Class, &t.State, &t.Code, at(&t.CodeExpires), &t.Token, &t.PublicKey,
		&t.InvitedBy, &t.ConfirmedBy, at(&t.Created), at(&t.Changed)}
}

// PutTablet stores a new tablet; Conflict if the ID or the code is taken.
func (tx *Tx) PutTablet(t Tablet) error {
	return tx.put("put tablet", `INSERT INTO tablets (`+tabletColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Name, t.Centre, t.Class, t.State, bytes(t.Code), ms(t.CodeExpires), bytes(t.Token), bytes(t.PublicKey),
		t.InvitedBy, t.ConfirmedBy, ms(t.Created), ms(t.Changed))
}

// Tablet returns the tablet with this ID.
func (tx *Tx) Tablet(id string) (Tablet, error) {
	return one(tx, "tablet", tabletRow, `SELECT `+tabletColumns+` FROM tablets WHERE id = ?`, id)
}

// TabletByCode finds the tablet that waits for this code.
func (tx *Tx) TabletByCode(verifier []byte) (Tablet, error) {
	return one(tx, "tablet by code", tabletRow, `SELECT `+tabletColumns+` FROM tablets WHERE code = ? AND state = 'invited'`, bytes(verifier))
}

// TabletByToken finds the tablet of a token, one that is in use or is to be.
func (tx *Tx) TabletByToken(hash []byte) (Tablet, error) {
	return one(tx, "tablet by token", tabletRow,
		`SELECT `+tabletColumns+` FROM tablets WHERE token = ? AND state IN ('pending', 'active')`, bytes(hash))
}

// Tablets returns up to MaxRows tablets of a centre (of all, when it is empty) that are
// not revoked, and the revoked ones too if all is set.
func (tx *Tx) Tablets(centre string, all bool) ([]Tablet, error) {
	return many(tx, "tablets", tabletRow, `SELECT `+tabletColumns+` FROM tablets
		WHERE (centre = ? OR ? = '') AND (state <> 'revoked' OR ? = 1) ORDER BY centre, name, id LIMIT ?`, centre, centre, bit(all), MaxRows)
}

// ChangeTablet replaces what changes of a tablet, if it is still in the state from; else
// Conflict.
func (tx *Tx) ChangeTablet(t Tablet, from string) error {
	return tx.transition("change tablet", from, func() (string, error) {
		have, err := tx.Tablet(t.ID)
		return have.State, err
	}, `UPDATE tablets SET class = ?, state = ?, code = ?, code_expires = ?, token = ?, public_key = ?, confirmed_by = ?, changed = ?
		WHERE id = ? AND state = ?`,
		t.Class, t.State, bytes(t.Code), ms(t.CodeExpires), bytes(t.Token), bytes(t.PublicKey), t.ConfirmedBy, ms(t.Changed), t.ID, from)
}
