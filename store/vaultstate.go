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

// Spent is signature activation data that was consumed. It is written before
// the key is used.
type Spent struct {
	JTI        string // the SAD's unique identifier
	Request    string
	Holder     string
	Credential string
	Binding    []byte // digest of everything the SAD is bound to
	State      string
	Signatures []byte // encoded result, so that a retry gets the same answer
	Created    time.Time
	Expires    time.Time // when the row may be forgotten
}

const spentColumns = `jti, request, holder, credential, binding, state, signatures, created, expires`

func spentRow(s *Spent) []any {
	return []any{&s.JTI, &s.Request, &s.Holder, &s.Credential, &s.Binding, &s.State, &s.Signatures, at(&s.Created), at(&s.Expires)}
}

// PutSpent consumes a SAD; Conflict if it was consumed before.
func (tx *Tx) PutSpent(s Spent) error {
	return tx.put("put spent SAD", `INSERT INTO spent (`+spentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.JTI, s.Request, s.Holder, s.Credential, bytes(s.Binding), s.State, s.Signatures, ms(s.Created), ms(s.Expires))
}

// Spent returns the row of a SAD.
func (tx *Tx) Spent(jti string) (Spent, error) {
	return one(tx, "spent SAD", spentRow, `SELECT `+spentColumns+` FROM spent WHERE jti = ?`, jti)
}

// SetSpentDone stores the signatures of an intent; Conflict if it is done.
func (tx *Tx) SetSpentDone(jti string, signatures []byte) error {
	return tx.transition("set spent SAD done", SpentIntent, func() (string, error) {
		s, err := tx.Spent(jti)
		return s.State, err
	}, `UPDATE spent SET state = ?, signatures = ? WHERE jti = ? AND state = ?`,
		SpentDone, bytes(signatures), jti, SpentIntent)
}

// SpentInState returns up to MaxRows rows in a state, oldest first.
func (tx *Tx) SpentInState(state string) ([]Spent, error) {
	return many(tx, "spent SADs in state", spentRow,
		`SELECT `+spentColumns+` FROM spent WHERE state = ? ORDER BY created, jti LIMIT ?`, state, MaxRows)
}

// DeleteExpiredSpent forgets rows that are done and whose Expires is not after
// now, and returns how many there were.
func (tx *Tx) DeleteExpiredSpent(now time.Time) (int64, error) {
	return tx.exec("delete expired SADs", `DELETE FROM spent WHERE state = ? AND expires <= ?`, SpentDone, ms(now))
}
