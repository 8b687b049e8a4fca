package store

import "time"

// Staff is somebody who works here. A person (FiscalCode) has at most one row that is
// not removed.
type Staff struct {
	ID         string
	Username   string // unique among those who are not removed
	GivenName  string
	Surname    string
	FiscalCode string
	Email      string
	Role       string // as staff.Role
	Centre     string // where the member works; "" for nowhere in particular
	State      StaffState
	Factors    []byte // the vault's record of the factors, nil before they are chosen
	Created    time.Time
	Changed    time.Time
}

// StaffState is where an appointment is.
type StaffState string

// The states of an appointment.
const (
	StaffAppointed StaffState = "appointed" // has no factors yet
	StaffActive    StaffState = "active"
	StaffRemoved   StaffState = "removed"
)

const staffColumns = `id, username, given_name, surname, fiscal_code, email, role, centre, state, factors, created, changed`

func staffRow(s *Staff) []any {
	return []any{&s.ID, &s.Username, &s.GivenName, &s.Surname, &s.FiscalCode, &s.Email, &s.Role, &s.Centre, &s.State, &s.Factors,
		at(&s.Created), at(&s.Changed)}
}

// PutStaff stores a new appointment; Conflict if the person has a role already, or the
// ID or username is taken.
func (tx *Tx) PutStaff(s Staff) error {
	return tx.put("put staff", `INSERT INTO staff (`+staffColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Username, s.GivenName, s.Surname, s.FiscalCode, s.Email, s.Role, s.Centre, string(s.State), s.Factors, ms(s.Created), ms(s.Changed))
}

// Staff returns a member by ID, removed or not.
func (tx *Tx) Staff(id string) (Staff, error) {
	return one(tx, "staff", staffRow, `SELECT `+staffColumns+` FROM staff WHERE id = ?`, id)
}

// StaffByUsername returns the member of this username who is not removed.
func (tx *Tx) StaffByUsername(username string) (Staff, error) {
	return one(tx, "staff by username", staffRow,
		`SELECT `+staffColumns+` FROM staff WHERE username = ? AND state <> 'removed'`, username)
}

// StaffList returns up to MaxRows members in the order of their appointment; the
// removed ones too if all is set.
func (tx *Tx) StaffList(all bool) ([]Staff, error) {
	return many(tx, "staff list", staffRow, `SELECT `+staffColumns+` FROM staff
		WHERE state <> 'removed' OR ? = 1 ORDER BY created, id LIMIT ?`, bit(all), MaxRows)
}

// SetStaffFactors gives a member the vault's record of the factors and the state.
func (tx *Tx) SetStaffFactors(id string, factors []byte, state StaffState, now time.Time) error {
	return tx.change("set staff's factors", `UPDATE staff SET factors = ?, state = ?, changed = ? WHERE id = ? AND state <> 'removed'`,
		factors, string(state), ms(now), id)
}

// ReplaceStaffFactors is ReplaceFactors for a member in office.
func (tx *Tx) ReplaceStaffFactors(id string, old, factors []byte) error {
	n, err := tx.exec("replace staff's factors", `UPDATE staff SET factors = ? WHERE id = ? AND factors = ? AND state = 'active'`, factors, id, old)
	if err != nil || n == 1 {
		return err
	}
	if _, err := tx.Staff(id); err != nil {
		return err
	}
	return errorf(Conflict, "store: replace staff's factors: another record is stored")
}

// RemoveStaff takes a member's role away, once, and ends the sessions; NotFound if
// there is none to take.
func (tx *Tx) RemoveStaff(id string, now time.Time) error {
	if err := tx.change("remove staff", `UPDATE staff SET state = 'removed', changed = ? WHERE id = ? AND state <> 'removed'`, ms(now), id); err != nil {
		return err
	}
	return tx.DeleteStaffSessionsOf(id)
}

// DeleteStaffSessionsOf ends all sessions of a member.
func (tx *Tx) DeleteStaffSessionsOf(id string) error {
	return tx.put("end the sessions of staff", `DELETE FROM staff_sessions WHERE staff = ?`, id)
}

// PutStaffSession, StaffSession and the rest are those of sessions, for the staff.
// Holder is the member's ID; of what came with it, Binding alone is kept.
func (tx *Tx) PutStaffSession(s Session) error {
	return tx.put("put staff session", `INSERT INTO staff_sessions (id, staff, created, seen, expires, binding) VALUES (?, ?, ?, ?, ?, ?)`,
		bytes(s.ID), s.Holder, ms(s.Created), ms(s.Seen), ms(s.Expires), bytes(s.Binding))
}

// StaffSession returns the session with this ID, expired or not.
func (tx *Tx) StaffSession(id []byte) (Session, error) {
	return one(tx, "staff session", func(s *Session) []any {
		return []any{&s.ID, &s.Holder, at(&s.Created), at(&s.Seen), at(&s.Expires), &s.Binding}
	}, `SELECT id, staff, created, seen, expires, binding FROM staff_sessions WHERE id = ?`, bytes(id))
}

// StaffSignedIn says whether a member has a session that was used after since and has not
// come to its end.
func (tx *Tx) StaffSignedIn(staff string, since, now time.Time) (bool, error) {
	n, err := one(tx, "sessions of staff", func(n *int64) []any { return []any{n} },
		`SELECT count(*) FROM staff_sessions WHERE staff = ? AND seen >= ? AND expires > ?`, staff, ms(since), ms(now))
	return n > 0, err
}

// TouchStaffSession notes that the session was used.
func (tx *Tx) TouchStaffSession(id []byte, seen time.Time) error {
	return tx.put("touch staff session", `UPDATE staff_sessions SET seen = ? WHERE id = ?`, ms(seen), bytes(id))
}

// DeleteStaffSession ends a session and says whether there was one.
func (tx *Tx) DeleteStaffSession(id []byte) (bool, error) {
	n, err := tx.exec("delete staff session", `DELETE FROM staff_sessions WHERE id = ?`, bytes(id))
	return n > 0, err
}

// DeleteExpiredStaffSessions removes those whose absolute end is not after now.
func (tx *Tx) DeleteExpiredStaffSessions(now time.Time) (int64, error) {
	return tx.exec("delete expired staff sessions", `DELETE FROM staff_sessions WHERE expires <= ?`, ms(now))
}
