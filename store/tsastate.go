package store

// TSARoot is the vault's one row about the time-stamping service as a whole: the
// serial numbers, the promises about the time, the passphrase's verifier, the
// clock's latch. The vault knows what is in it.
type TSARoot struct {
	Version int64 // rises by one with each change
	Record  []byte
	MAC     []byte
}

// TSARoot returns the row; NotFound before the service was set up.
func (tx *Tx) TSARoot() (TSARoot, error) {
	return one(tx, "time-stamping state", func(r *TSARoot) []any { return []any{&r.Version, &r.Record, &r.MAC} },
		`SELECT version, record, mac FROM tsa_root WHERE id = 1`)
}

// PutTSARoot stores the first version; Conflict if there is one.
func (tx *Tx) PutTSARoot(r TSARoot) error {
	return tx.put("put time-stamping state", `INSERT INTO tsa_root (id, version, record, mac) VALUES (1, ?, ?, ?)`,
		r.Version, bytes(r.Record), bytes(r.MAC))
}

// SetTSARoot replaces the version before; Conflict if another one is stored.
func (tx *Tx) SetTSARoot(r TSARoot) error {
	n, err := tx.exec("set time-stamping state", `UPDATE tsa_root SET version = ?, record = ?, mac = ? WHERE id = 1 AND version = ?`,
		r.Version, bytes(r.Record), bytes(r.MAC), r.Version-1)
	if err == nil && n != 1 {
		return errorf(Conflict, "store: set time-stamping state: another version than %d is stored", r.Version-1)
	}
	return err
}

// TSAUnit is a time-stamping unit, as the vault remembers it.
type TSAUnit struct {
	Name   string
	Number int64 // unique for ever
	Record []byte
	MAC    []byte
}

func tsaUnitRow(u *TSAUnit) []any { return []any{&u.Name, &u.Number, &u.Record, &u.MAC} }

// PutTSAUnit stores a new unit; Conflict if the name or the number was given
// before.
func (tx *Tx) PutTSAUnit(u TSAUnit) error {
	return tx.put("put time-stamping unit", `INSERT INTO tsa_units (name, number, record, mac) VALUES (?, ?, ?, ?)`,
		u.Name, u.Number, bytes(u.Record), bytes(u.MAC))
}

// SetTSAUnit replaces the record of a unit; NotFound if there is no such unit.
func (tx *Tx) SetTSAUnit(u TSAUnit) error {
	return tx.change("set time-stamping unit", `UPDATE tsa_units SET record = ?, mac = ? WHERE name = ? AND number = ?`,
		bytes(u.Record), bytes(u.MAC), u.Name, u.Number)
}

// TSAUnit returns a unit.
func (tx *Tx) TSAUnit(name string) (TSAUnit, error) {
	return one(tx, "time-stamping unit", tsaUnitRow, `SELECT name, number, record, mac FROM tsa_units WHERE name = ?`, name)
}

// TSAUnits returns all units in the order of their numbers. There are at most 1024.
func (tx *Tx) TSAUnits() ([]TSAUnit, error) {
	return many(tx, "time-stamping units", tsaUnitRow, `SELECT name, number, record, mac FROM tsa_units ORDER BY number LIMIT ?`, 1024)
}
