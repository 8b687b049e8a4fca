package store

import "time"

// CounterSession is what an operator and a customer do at a counter.
type CounterSession struct {
	ID          string
	Purpose     string // "enrol", "sign"
	State       string // as counter.State
	Why         string // it has ended
	Holder      string
	Operator    string // a member's ID
	Second      string // the member who approved an enrolment; never Operator
	Centre      string
	Tablet      string
	Locale      string
	Reference   string
	Request     string // names it to the vault
	Capture     string // what the vault has opened for it
	Transaction string
	Credential  string
	CSR         []byte // while the key has no certificate
	Tries       int
	Data        []byte // JSON
	Created     time.Time
	Changed     time.Time
	Expires     time.Time
}

const counterSessionColumns = `id, purpose, state, why, holder, operator, second, centre, tablet, locale, reference, request, capture,
	transaction_id, credential, csr, tries, data, created, changed, expires`

func counterSessionRow(s *CounterSession) []any {
	return []any{&s.ID, &s.Purpose, &s.State, &s.Why, &s.Holder, &s.Operator, &s.Second, &s.Centre, &s.Tablet, &s.Locale,
		&s.Reference, &s.Request, &s.Capture, &s.Transaction, &s.Credential, &s.CSR, &s.Tries, &s.Data,
		at(&s.Created), at(&s.Changed), at(&s.Expires)}
}

// under is the part of a query for sessions that have not ended.
const under = `state IN ('open', 'reading', 'signing', 'matched')`

// PutCounterSession stores a new session; Conflict when the tablet or the holder has one
// that has not ended.
func (tx *Tx) PutCounterSession(s CounterSession) error {
	return tx.put("put counter session", `INSERT INTO counter_sessions (`+counterSessionColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Purpose, s.State, s.Why, s.Holder, s.Operator, s.Second, s.Centre, s.Tablet, s.Locale, s.Reference, s.Request, s.Capture,
		s.Transaction, s.Credential, s.CSR, s.Tries, bytes(s.Data), ms(s.Created), ms(s.Changed), ms(s.Expires))
}

// CounterSession returns the session with this ID.
func (tx *Tx) CounterSession(id string) (CounterSession, error) {
	return one(tx, "counter session", counterSessionRow, `SELECT `+counterSessionColumns+` FROM counter_sessions WHERE id = ?`, id)
}

// counterSessionAt is asked with each look of a tablet.
const counterSessionAt = `SELECT ` + counterSessionColumns + ` FROM counter_sessions WHERE tablet = ? ORDER BY created DESC, id DESC LIMIT 1`

// CounterSessionAt returns the session of a tablet that was made last.
func (tx *Tx) CounterSessionAt(tablet string) (CounterSession, error) {
	return one(tx, "counter session of tablet", counterSessionRow,
		counterSessionAt, tablet)
}

// CounterSessions returns up to limit sessions of a centre, the newest first.
func (tx *Tx) CounterSessions(centre string, limit int) ([]CounterSession, error) {
	return many(tx, "counter sessions", counterSessionRow,
		`SELECT `+counterSessionColumns+` FROM counter_sessions WHERE centre = ? ORDER BY created DESC, id DESC LIMIT ?`, centre, limited(limit))
}

// CounterSessionsUnder returns up to MaxRows sessions that have not ended, the oldest first.
func (tx *Tx) CounterSessionsUnder() ([]CounterSession, error) {
	return many(tx, "counter sessions under way", counterSessionRow,
		`SELECT `+counterSessionColumns+` FROM counter_sessions WHERE `+under+` ORDER BY created, id LIMIT ?`, MaxRows)
}

// CounterSessionOf returns the session of a holder that has not ended.
func (tx *Tx) CounterSessionOf(holder string) (CounterSession, error) {
	return one(tx, "counter session of holder", counterSessionRow,
		`SELECT `+counterSessionColumns+` FROM counter_sessions WHERE holder = ? AND `+under, holder)
}

// ChangeCounterSession replaces what changes of a session, if it is still in the state
// from; else Conflict.
func (tx *Tx) ChangeCounterSession(s CounterSession, from string) error {
	return tx.transition("change counter session", from, func() (string, error) {
		have, err := tx.CounterSession(s.ID)
		return have.State, err
	}, `UPDATE counter_sessions SET state = ?, why = ?, second = ?, capture = ?, transaction_id = ?, credential = ?, csr = ?, tries = ?,
		data = ?, changed = ?, expires = ? WHERE id = ? AND state = ?`,
		s.State, s.Why, s.Second, s.Capture, s.Transaction, s.Credential, s.CSR, s.Tries, bytes(s.Data), ms(s.Changed), ms(s.Expires), s.ID, from)
}

// PutCounterDocument notes that a document was brought at a counter, and by which member.
func (tx *Tx) PutCounterDocument(document, centre, by string, now time.Time) error {
	return tx.put("put counter document", `INSERT INTO counter_documents (document, centre, brought_by, at) VALUES (?, ?, ?, ?)`,
		document, centre, by, ms(now))
}

// CounterDocument returns the centre where a document was brought.
func (tx *Tx) CounterDocument(document string) (centre string, err error) {
	return one(tx, "counter document", func(s *string) []any { return []any{s} },
		`SELECT centre FROM counter_documents WHERE document = ?`, document)
}

// Consent is a holder's, to the processing of handwritten signatures.
type Consent struct {
	ID          string
	Holder      string
	Session     string // in which it was given
	Text        string // identifies it
	SHA256      []byte // of the text
	Witness     string // the operator's ID
	Given       time.Time
	Withdrawn   time.Time
	WithdrawnBy string
}

const consentColumns = `id, holder, session, text, sha256, witness, given, withdrawn, withdrawn_by`

func consentRow(c *Consent) []any {
	return []any{&c.ID, &c.Holder, &c.Session, &c.Text, &c.SHA256, &c.Witness, at(&c.Given), at(&c.Withdrawn), &c.WithdrawnBy}
}

// PutConsent stores a consent; Conflict when the holder has given one that is not
// withdrawn.
func (tx *Tx) PutConsent(c Consent) error {
	return tx.put("put consent", `INSERT INTO consents (`+consentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Holder, c.Session, c.Text, bytes(c.SHA256), c.Witness, ms(c.Given), ms(c.Withdrawn), c.WithdrawnBy)
}

// ConsentOf returns the holder's consent that is not withdrawn.
func (tx *Tx) ConsentOf(holder string) (Consent, error) {
	return one(tx, "consent", consentRow, `SELECT `+consentColumns+` FROM consents WHERE holder = ? AND withdrawn = 0`, holder)
}

// Consents returns the holder's consents, the newest first.
func (tx *Tx) Consents(holder string) ([]Consent, error) {
	return many(tx, "consents", consentRow,
		`SELECT `+consentColumns+` FROM consents WHERE holder = ? ORDER BY given DESC, id LIMIT ?`, holder, MaxRows)
}

// WithdrawConsent ends the holder's consent; NotFound when none is in force.
func (tx *Tx) WithdrawConsent(holder, by string, now time.Time) error {
	return tx.change("withdraw consent", `UPDATE consents SET withdrawn = ?, withdrawn_by = ? WHERE holder = ? AND withdrawn = 0`,
		ms(now), by, holder)
}

// lacksConsent finds the keys for counters, k.created and so on, whose holders have
// withdrawn after they were made, or have no consent: those of which something is there
// still, be it the key or a certificate that counts. A consent that gave way to one to
// another text, which its holder has ended, was not withdrawn.
const lacksConsent = `SELECT c.id, c.holder, c.key_type, c.record, c.certificate, c.created FROM credentials c
		LEFT JOIN certificates x ON x.serial = c.certificate
		WHERE (x.profile = ? AND x.state IN ('valid', 'suspended')
			OR instr(c.record, CAST('"graphometric":true' AS BLOB)) > 0 AND instr(c.record, CAST('"wrapped":null' AS BLOB)) = 0)
		AND (NOT EXISTS (SELECT 1 FROM consents n WHERE n.holder = c.holder AND n.withdrawn = 0)
			OR EXISTS (SELECT 1 FROM consents w WHERE w.holder = c.holder AND w.withdrawn >= c.created AND w.withdrawn_by <> w.holder))`

const (
	inTurn = ` ORDER BY c.created, c.id LIMIT ?`
	// withoutConsent is asked every few seconds: it begins with those who have withdrawn.
	withoutConsent   = lacksConsent + ` AND c.holder IN (SELECT holder FROM consents WHERE withdrawn > 0)` + inTurn
	withoutConsentOf = lacksConsent + ` AND c.holder = ?` + inTurn
)

// WithoutConsent returns up to MaxRows credentials for counters, which have certificates of
// this profile, that no consent carries any more: their holders have withdrawn since they
// were made, whether or not they have consented anew. What was destroyed and revoked is not
// among them.
func (tx *Tx) WithoutConsent(profile string) ([]Credential, error) {
	return many(tx, "credentials without consent", credentialRow, withoutConsent, profile, MaxRows)
}

// WithoutConsentOf is WithoutConsent of one holder.
func (tx *Tx) WithoutConsentOf(holder, profile string) ([]Credential, error) {
	return many(tx, "credentials without consent", credentialRow, withoutConsentOf, profile, holder, MaxRows)
}
