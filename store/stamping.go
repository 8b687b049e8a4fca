package store

import "time"

// StampAccount is a customer of the time-stamping service. What it has used is not
// here: the ledger knows.
type StampAccount struct {
	ID        string
	Name      string
	State     string // "active", "suspended", "closed"
	Policies  string // JSON
	Networks  string // JSON
	ByNetwork bool
	Unlimited bool
	Rate      int64 // stamps per 1,000 s; 0: no limit
	Burst     int64
	Low       int64
	Note      string
	Created   time.Time
	Changed   time.Time
}

const stampAccountColumns = `id, name, state, policies, networks, by_network, unlimited, rate, burst, low, note, created, changed`

func stampAccountRow(a *StampAccount) []any {
	return []any{&a.ID, &a.Name, &a.State, &a.Policies, &a.Networks, &a.ByNetwork, &a.Unlimited, &a.Rate, &a.Burst,
		&a.Low, &a.Note, at(&a.Created), at(&a.Changed)}
}

// PutStampAccount stores a new account; Conflict if the ID is taken.
func (tx *Tx) PutStampAccount(a StampAccount) error {
	return tx.put("put stamp account",
		`INSERT INTO stamp_accounts (`+stampAccountColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Name, a.State, a.Policies, a.Networks, bit(a.ByNetwork), bit(a.Unlimited), a.Rate, a.Burst, a.Low, a.Note,
		ms(a.Created), ms(a.Changed))
}

// ChangeStampAccount replaces all of an account but ID and Created, if it is still
// as it was at the time changed; else Conflict.
func (tx *Tx) ChangeStampAccount(a StampAccount, changed time.Time) error {
	n, err := tx.exec("change stamp account", `UPDATE stamp_accounts SET name = ?, state = ?, policies = ?, networks = ?,
		by_network = ?, unlimited = ?, rate = ?, burst = ?, low = ?, note = ?, changed = ? WHERE id = ? AND changed = ?`,
		a.Name, a.State, a.Policies, a.Networks, bit(a.ByNetwork), bit(a.Unlimited), a.Rate, a.Burst, a.Low, a.Note,
		ms(a.Changed), a.ID, ms(changed))
	if err != nil || n == 1 {
		return err
	}
	if _, err := tx.StampAccount(a.ID); err != nil {
		return err
	}
	return errorf(Conflict, "store: change stamp account: somebody else has changed it meanwhile; look again")
}

// StampAccount returns an account by its ID.
func (tx *Tx) StampAccount(id string) (StampAccount, error) {
	return one(tx, "stamp account", stampAccountRow, `SELECT `+stampAccountColumns+` FROM stamp_accounts WHERE id = ?`, id)
}

// StampAccounts returns up to limit accounts with a greater ID than after, by ID.
func (tx *Tx) StampAccounts(after string, limit int) ([]StampAccount, error) {
	return many(tx, "stamp accounts", stampAccountRow,
		`SELECT `+stampAccountColumns+` FROM stamp_accounts WHERE id > ? ORDER BY id LIMIT ?`, after, limited(limit))
}

// StampLot is a number of stamps that were paid for.
type StampLot struct {
	Account   string
	ID        string // unique within the account
	Quantity  int64
	Bought    time.Time
	Expires   time.Time // zero: never
	Cancelled time.Time // zero: it is not
	Note      string
}

func stampLotRow(l *StampLot) []any {
	return []any{&l.Account, &l.ID, &l.Quantity, at(&l.Bought), at(&l.Expires), at(&l.Cancelled), &l.Note}
}

const stampLotColumns = `account, id, quantity, bought, expires, cancelled, note`

// PutStampLot stores a new lot; Conflict if the account has one of this ID or
// there is no such account.
func (tx *Tx) PutStampLot(l StampLot) error {
	return tx.put("put stamp lot", `INSERT INTO stamp_lots (`+stampLotColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		l.Account, l.ID, l.Quantity, ms(l.Bought), ms(l.Expires), ms(l.Cancelled), l.Note)
}

// CancelStampLot ends a lot, once; NotFound if there is none to end.
func (tx *Tx) CancelStampLot(account, id string, now time.Time) error {
	return tx.change("cancel stamp lot", `UPDATE stamp_lots SET cancelled = ? WHERE account = ? AND id = ? AND cancelled = 0`,
		ms(now), account, id)
}

// StampLots returns up to limit lots that follow on the lot after (by account and
// ID; the zero lot is before all).
func (tx *Tx) StampLots(after StampLot, limit int) ([]StampLot, error) {
	return many(tx, "stamp lots", stampLotRow, `SELECT `+stampLotColumns+` FROM stamp_lots
		WHERE account > ? OR (account = ? AND id > ?) ORDER BY account, id LIMIT ?`,
		after.Account, after.Account, after.ID, limited(limit))
}

// StampCredential is something by which a caller shows who it is.
type StampCredential struct {
	ID       string
	Account  string
	Kind     string // "password", "bearer", "certificate", "key"
	Name     string // the user name of a password; else for people
	Verifier []byte // of a password JSON; else a SHA-256
	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: it is not
}

const stampCredentialColumns = `id, account, kind, name, verifier, created, expires, revoked`

func stampCredentialRow(c *StampCredential) []any {
	return []any{&c.ID, &c.Account, &c.Kind, &c.Name, &c.Verifier, at(&c.Created), at(&c.Expires), at(&c.Revoked)}
}

// PutStampCredential stores a new credential; Conflict if its user name or its
// verifier is in use.
func (tx *Tx) PutStampCredential(c StampCredential) error {
	return tx.put("put stamp credential",
		`INSERT INTO stamp_credentials (`+stampCredentialColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Account, c.Kind, c.Name, bytes(c.Verifier), ms(c.Created), ms(c.Expires), ms(c.Revoked))
}

// RevokeStampCredential ends a credential of an account, once; NotFound if there is
// none to end.
func (tx *Tx) RevokeStampCredential(account, id string, now time.Time) error {
	return tx.change("revoke stamp credential",
		`UPDATE stamp_credentials SET revoked = ? WHERE account = ? AND id = ? AND revoked = 0`, ms(now), account, id)
}

// StampCredentials returns up to limit credentials with a greater ID than after, by
// ID, the revoked ones too.
func (tx *Tx) StampCredentials(after string, limit int) ([]StampCredential, error) {
	return many(tx, "stamp credentials", stampCredentialRow,
		`SELECT `+stampCredentialColumns+` FROM stamp_credentials WHERE id > ? ORDER BY id LIMIT ?`, after, limited(limit))
}

// bit is the stored form of a bool.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
