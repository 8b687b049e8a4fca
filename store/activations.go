package store

import "time"

// PutEmergencyCode keeps the verifier of a certificate's emergency code, instead of
// the one there was.
func (tx *Tx) PutEmergencyCode(certificate string, verifier []byte, now time.Time) error {
	return tx.put("put emergency code", `INSERT INTO emergency_codes (certificate, verifier, created) VALUES (?, ?, ?)
		ON CONFLICT (certificate) DO UPDATE SET verifier = excluded.verifier, created = excluded.created`,
		certificate, bytes(verifier), ms(now))
}

// EmergencyCode returns the verifier of a certificate's emergency code.
func (tx *Tx) EmergencyCode(certificate string) ([]byte, error) {
	return one(tx, "emergency code", func(v *[]byte) []any { return []any{v} },
		`SELECT verifier FROM emergency_codes WHERE certificate = ?`, certificate)
}

// Activation is somebody who is to choose a password and to show an authenticator.
type Activation struct {
	ID         string
	Kind       string // "register", "recover", "staff"
	Subject    string // the holder's or the member's ID
	Verifier   []byte // of the code
	State      ActivationState
	Terms      []byte // JSON: of the key and the certificate
	Credential string // once the key is made
	CSR        []byte
	Tries      int // enrolments so far
	Created    time.Time
	Expires    time.Time
	Actor      string // who gave the code
}

// ActivationState is where an activation is.
type ActivationState string

// The states of an activation.
const (
	ActivationOpen     ActivationState = "open"
	ActivationEnrolled ActivationState = "enrolled" // has factors that were not confirmed yet
	ActivationKeyed    ActivationState = "keyed"    // has a key and no certificate
	ActivationDone     ActivationState = "done"
	ActivationVoid     ActivationState = "void"
)

const activationColumns = `id, kind, subject, verifier, state, terms, credential, csr, tries, created, expires, actor`

func activationRow(a *Activation) []any {
	return []any{&a.ID, &a.Kind, &a.Subject, &a.Verifier, &a.State, &a.Terms, &a.Credential, &a.CSR, &a.Tries, at(&a.Created),
		at(&a.Expires), &a.Actor}
}

// PutActivation stores a new activation; Conflict when the subject has one that is
// not at its end.
func (tx *Tx) PutActivation(a Activation) error {
	return tx.put("put activation", `INSERT INTO activations (`+activationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Kind, a.Subject, bytes(a.Verifier), string(a.State), bytes(a.Terms), a.Credential, a.CSR, a.Tries, ms(a.Created),
		ms(a.Expires), a.Actor)
}

// Activation returns the activation with this ID.
func (tx *Tx) Activation(id string) (Activation, error) {
	return one(tx, "activation", activationRow, `SELECT `+activationColumns+` FROM activations WHERE id = ?`, id)
}

// ActivationByVerifier finds the activation that a code belongs to.
func (tx *Tx) ActivationByVerifier(verifier []byte) (Activation, error) {
	return one(tx, "activation by code", activationRow, `SELECT `+activationColumns+` FROM activations WHERE verifier = ?`, bytes(verifier))
}

// ActivationOf returns the subject's activation that is not at its end.
func (tx *Tx) ActivationOf(subject string) (Activation, error) {
	return one(tx, "activation of subject", activationRow, `SELECT `+activationColumns+` FROM activations
		WHERE subject = ? AND state NOT IN ('done', 'void')`, subject)
}

// ChangeActivation replaces what changes of an activation, if it is still in the state
// from; else Conflict.
func (tx *Tx) ChangeActivation(a Activation, from ActivationState) error {
	return tx.transition("change activation", string(from), func() (string, error) {
		s, err := one(tx, "activation", func(s *string) []any { return []any{s} }, `SELECT state FROM activations WHERE id = ?`, a.ID)
		return s, err
	}, `UPDATE activations SET verifier = ?, state = ?, terms = ?, credential = ?, csr = ?, tries = ?, expires = ?, actor = ?
		WHERE id = ? AND state = ?`,
		bytes(a.Verifier), string(a.State), bytes(a.Terms), a.Credential, a.CSR, a.Tries, ms(a.Expires), a.Actor, a.ID, string(from))
}

// Identification is the record of a holder having been identified in person.
type Identification struct {
	ID           string
	Holder       string
	Document     string // the kind, such as "identity-card"
	Number       string
	Issuer       string
	Expires      time.Time // of the document
	IdentifiedBy string    // a member's ID
	At           time.Time
}

// PutIdentification stores a record; Conflict if the ID is taken.
func (tx *Tx) PutIdentification(i Identification) error {
	return tx.put("put identification", `INSERT INTO identifications (id, holder, document, number, issuer, expires, identified_by, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, i.ID, i.Holder, i.Document, i.Number, i.Issuer, ms(i.Expires), i.IdentifiedBy, ms(i.At))
}

// Identifications returns the records of a holder, the newest first.
func (tx *Tx) Identifications(holder string) ([]Identification, error) {
	return many(tx, "identifications", func(i *Identification) []any {
		return []any{&i.ID, &i.Holder, &i.Document, &i.Number, &i.Issuer, at(&i.Expires), &i.IdentifiedBy, at(&i.At)}
	}, `SELECT id, holder, document, number, issuer, expires, identified_by, at FROM identifications
		WHERE holder = ? ORDER BY at DESC, id LIMIT ?`, holder, MaxRows)
}
