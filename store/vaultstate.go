package store

import "time"

// OTPState is the vault's memory of a holder's one-time passwords: which step
// was used last, by which request, and how many attempts failed since.
type OTPState struct {
	Holder      string
	Step        int64  // last time step used, RFC 6238 §4.2
	Request     string // request that used it, so that its retry is recognised
	Failures    int
	LockedUntil time.Time
	MAC         []byte // over all the above, made by the token
}

func otpRow(s *OTPState) []any {
	return []any{&s.Holder, &s.Step, &s.Request, &s.Failures, at(&s.LockedUntil), &s.MAC}
}

// PutOTPState stores the state of a new holder; Conflict if there is one.
func (tx *Tx) PutOTPState(s OTPState) error {
	return tx.put("put OTP state",
		`INSERT INTO otp_states (holder, step, request, failures, locked_until, mac) VALUES (?, ?, ?, ?, ?, ?)`,
		s.Holder, s.Step, s.Request, s.Failures, ms(s.LockedUntil), bytes(s.MAC))
}

// OTPState returns the holder's state.
func (tx *Tx) OTPState(holder string) (OTPState, error) {
	return one(tx, "OTP state", otpRow,
		`SELECT holder, step, request, failures, locked_until, mac FROM otp_states WHERE holder = ?`, holder)
}

// SetOTPState replaces the holder's state. The step never goes back: Conflict
// if the stored one is greater.
func (tx *Tx) SetOTPState(s OTPState) error {
	n, err := tx.exec("set OTP state",
		`UPDATE otp_states SET step = ?, request = ?, failures = ?, locked_until = ?, mac = ? WHERE holder = ? AND step <= ?`,
		s.Step, s.Request, s.Failures, ms(s.LockedUntil), bytes(s.MAC), s.Holder, s.Step)
	if err != nil || n == 1 {
		return err
	}
	if _, err := tx.OTPState(s.Holder); err != nil {
		return err
	}
	return errorf(Conflict, "store: set OTP state: the stored step is greater")
}

// The states of a [Spent] row.
const (
	SpentIntent = "intent" // consumed, the key may have been used
	SpentDone   = "done"   // the signatures are stored
)

// Spent is one use of signature activation data, which consumes some of its digests.
// It is written before the key is used. Intents of other kinds are kept the same way.
type Spent struct {
	JTI        string // the SAD's unique identifier
	Seq        int    // from 1, without gaps
	Request    string // unique for a JTI
	Holder     string
	Credential string
	Taken      []byte // which digests are consumed by this use and those before
	Binding    []byte // digest of what is asked for
	State      string
	Signatures []byte // encoded result, so that a retry gets the same answer
	Created    time.Time
	Expires    time.Time // when the row may be forgotten
}

const spentColumns = `jti, seq, request, holder, credential, taken, binding, state, signatures, created, expires`

func spentRow(s *Spent) []any {
	return []any{&s.JTI, &s.Seq, &s.Request, &s.Holder, &s.Credential, &s.Taken, &s.Binding, &s.State, &s.Signatures,
		at(&s.Created), at(&s.Expires)}
}

// PutSpent stores a use; Conflict if there is one of this Seq or this Request.
func (tx *Tx) PutSpent(s Spent) error {
	return tx.put("put spent SAD", `INSERT INTO spent (`+spentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.JTI, s.Seq, s.Request, s.Holder, s.Credential, bytes(s.Taken), bytes(s.Binding), s.State, s.Signatures,
		ms(s.Created), ms(s.Expires))
}

// Spent returns the use that a request made of a SAD.
func (tx *Tx) Spent(jti, request string) (Spent, error) {
	return one(tx, "spent SAD", spentRow, `SELECT `+spentColumns+` FROM spent WHERE jti = ? AND request = ?`, jti, request)
}

// LastSpent returns the last use of a SAD, without its signatures.
func (tx *Tx) LastSpent(jti string) (Spent, error) {
	return one(tx, "last use of a SAD", spentRow, `SELECT jti, seq, request, holder, credential, taken, binding, state, NULL, created, expires
		FROM spent WHERE jti = ? ORDER BY seq DESC LIMIT 1`, jti)
}

// CountSpent returns how many uses of a SAD there are.
func (tx *Tx) CountSpent(jti string) (int, error) {
	return one(tx, "count uses of a SAD", func(n *int) []any { return []any{n} }, `SELECT count(*) FROM spent WHERE jti = ?`, jti)
}

// SetSpentDone stores the signatures of an intent; Conflict if it is done.
func (tx *Tx) SetSpentDone(jti string, seq int, signatures []byte) error {
	return tx.transition("set spent SAD done", SpentIntent, func() (string, error) {
		return one(tx, "state of a use", func(s *string) []any { return []any{s} },
			`SELECT state FROM spent WHERE jti = ? AND seq = ?`, jti, seq)
	}, `UPDATE spent SET state = ?, signatures = ? WHERE jti = ? AND seq = ? AND state = ?`,
		SpentDone, bytes(signatures), jti, seq, SpentIntent)
}

// SpentIntents returns up to MaxRows intents without a result, oldest first.
func (tx *Tx) SpentIntents() ([]Spent, error) {
	return many(tx, "unfinished uses of SADs", spentRow,
		`SELECT `+spentColumns+` FROM spent WHERE state = 'intent' ORDER BY created, jti LIMIT ?`, MaxRows)
}

// DeleteExpiredSpent forgets rows that are done and whose Expires is not after
// now, and returns how many there were.
func (tx *Tx) DeleteExpiredSpent(now time.Time) (int64, error) {
	return tx.exec("delete expired SADs", `DELETE FROM spent WHERE state = ? AND expires <= ?`, SpentDone, ms(now))
}

// The states of a [CredentialState].
const (
	CredentialActive    = "active"
	CredentialDestroyed = "destroyed"
)

// CredentialState is the vault's memory of a credential: which record of it is the
// current one, and whether it may be used.
type CredentialState struct {
	ID      string
	Holder  string
	Request string // that made it, so that its retry is recognised
	Epoch   int
	Record  []byte // MAC of the current record
	State   string
	Changed time.Time
	MAC     []byte
}

const credentialStateColumns = `id, holder, request, epoch, record, state, changed, mac`

func credentialStateRow(s *CredentialState) []any {
	return []any{&s.ID, &s.Holder, &s.Request, &s.Epoch, &s.Record, &s.State, at(&s.Changed), &s.MAC}
}

// PutCredentialState stores the state of a new credential; Conflict if there is one.
func (tx *Tx) PutCredentialState(s CredentialState) error {
	return tx.put("put state of a credential", `INSERT INTO credential_states (`+credentialStateColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Holder, s.Request, s.Epoch, bytes(s.Record), s.State, ms(s.Changed), bytes(s.MAC))
}

// CredentialState returns the state of a credential.
func (tx *Tx) CredentialState(id string) (CredentialState, error) {
	return one(tx, "state of a credential", credentialStateRow, `SELECT `+credentialStateColumns+` FROM credential_states WHERE id = ?`, id)
}

// SetCredentialState replaces the state of a credential.
func (tx *Tx) SetCredentialState(s CredentialState) error {
	return tx.change("set state of a credential",
		`UPDATE credential_states SET request = ?, epoch = ?, record = ?, state = ?, changed = ?, mac = ? WHERE id = ? AND holder = ?`,
		s.Request, s.Epoch, bytes(s.Record), s.State, ms(s.Changed), bytes(s.MAC), s.ID, s.Holder)
}

// Delegation is a delegation of the automatic procedure. The vault knows what is in
// Record.
type Delegation struct {
	ID         string
	Holder     string
	Credential string
	State      string
	Created    time.Time
	Due        time.Time // when something is to be done about it; zero: never
	Version    int64     // rises by one with each change
	Record     []byte
	MAC        []byte
}

const delegationColumns = `id, holder, credential, state, created, due, version, record, mac`

func delegationRow(d *Delegation) []any {
	return []any{&d.ID, &d.Holder, &d.Credential, &d.State, at(&d.Created), at(&d.Due), &d.Version, &d.Record, &d.MAC}
}

// PutDelegation stores a new delegation; Conflict if there is one.
func (tx *Tx) PutDelegation(d Delegation) error {
	return tx.put("put delegation", `INSERT INTO delegations (`+delegationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.Holder, d.Credential, d.State, ms(d.Created), ms(d.Due), d.Version, bytes(d.Record), bytes(d.MAC))
}

// Delegation returns a delegation.
func (tx *Tx) Delegation(id string) (Delegation, error) {
	return one(tx, "delegation", delegationRow, `SELECT `+delegationColumns+` FROM delegations WHERE id = ?`, id)
}

// SetDelegation replaces the version before; Conflict if another one is stored.
func (tx *Tx) SetDelegation(d Delegation) error {
	n, err := tx.exec("set delegation", `UPDATE delegations SET state = ?, due = ?, version = ?, record = ?, mac = ? WHERE id = ? AND version = ?`,
		d.State, ms(d.Due), d.Version, bytes(d.Record), bytes(d.MAC), d.ID, d.Version-1)
	if err == nil && n != 1 {
		return errorf(Conflict, "store: set delegation: another version than %d is stored", d.Version-1)
	}
	return err
}

// DelegationsOf returns up to limit delegations of a holder: those in a state first, of
// these the newest first.
func (tx *Tx) DelegationsOf(holder, first string, limit int) ([]Delegation, error) {
	return many(tx, "delegations of a holder", delegationRow,
		`SELECT `+delegationColumns+` FROM delegations WHERE holder = ? ORDER BY state <> ?, created DESC, id LIMIT ?`, holder, first, limited(limit))
}

// DelegationsUnder returns up to MaxRows delegations of a credential in a state.
func (tx *Tx) DelegationsUnder(credential, state string) ([]Delegation, error) {
	return many(tx, "delegations of a credential", delegationRow,
		`SELECT `+delegationColumns+` FROM delegations WHERE credential = ? AND state = ? ORDER BY id LIMIT ?`, credential, state, MaxRows)
}

// DueDelegations returns up to MaxRows delegations whose time has come.
func (tx *Tx) DueDelegations(now time.Time) ([]Delegation, error) {
	return many(tx, "delegations that are due", delegationRow,
		`SELECT `+delegationColumns+` FROM delegations WHERE due > 0 AND due <= ? ORDER BY due, id LIMIT ?`, ms(now), MaxRows)
}
