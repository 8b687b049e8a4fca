package store

import "time"

// The kinds of a [CounterRow].
const (
	CounterTablet  = "tablet"
	CounterCapture = "capture"
	CounterProfile = "profile"
)

// CounterRow is something the vault remembers of the counter: a signature tablet, a
// capture, the head of a profile. The vault knows what is in Record.
type CounterRow struct {
	Kind, ID string
	State    string
	Holder   string
	About    string    // of a capture: its tablet; of others: empty
	Due      time.Time // when something is to be done about it; zero: never
	Version  int64     // rises by one with each change
	Record   []byte
	MAC      []byte
}

const counterColumns = `kind, id, state, holder, about, due, version, record, mac`

func counterRow(r *CounterRow) []any {
	return []any{&r.Kind, &r.ID, &r.State, &r.Holder, &r.About, at(&r.Due), &r.Version, &r.Record, &r.MAC}
}

// PutCounterRow stores a new row; Conflict if there is one.
func (tx *Tx) PutCounterRow(r CounterRow) error {
	return tx.put("put row of the counter", `INSERT INTO counter_rows (`+counterColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Kind, r.ID, r.State, r.Holder, r.About, ms(r.Due), r.Version, bytes(r.Record), bytes(r.MAC))
}

// SetCounterRow replaces the version before; Conflict if another one is stored.
func (tx *Tx) SetCounterRow(r CounterRow) error {
	n, err := tx.exec("set row of the counter",
		`UPDATE counter_rows SET state = ?, due = ?, version = ?, record = ?, mac = ? WHERE kind = ? AND id = ? AND version = ?`,
		r.State, ms(r.Due), r.Version, bytes(r.Record), bytes(r.MAC), r.Kind, r.ID, r.Version-1)
	if err == nil && n != 1 {
		return errorf(Conflict, "store: set row of the counter: another version than %d is stored", r.Version-1)
	}
	return err
}

// CounterRow returns a row.
func (tx *Tx) CounterRow(kind, id string) (CounterRow, error) {
	return one(tx, "row of the counter", counterRow, `SELECT `+counterColumns+` FROM counter_rows WHERE kind = ? AND id = ?`, kind, id)
}

// CounterRows returns up to MaxRows rows of a kind: those in a state first.
func (tx *Tx) CounterRows(kind, first string) ([]CounterRow, error) {
	return many(tx, "rows of the counter", counterRow,
		`SELECT `+counterColumns+` FROM counter_rows WHERE kind = ? ORDER BY state <> ?, id LIMIT ?`, kind, first, MaxRows)
}

// CounterRowsAfter returns up to MaxRows rows of a kind, by their ID, from the one after id.
func (tx *Tx) CounterRowsAfter(kind, id string) ([]CounterRow, error) {
	return many(tx, "rows of the counter in turn", counterRow,
		`SELECT `+counterColumns+` FROM counter_rows WHERE kind = ? AND id > ? ORDER BY id LIMIT ?`, kind, id, MaxRows)
}

// CounterRowsOf returns up to MaxRows rows of a kind and state about a holder.
func (tx *Tx) CounterRowsOf(kind, state, holder string) ([]CounterRow, error) {
	return many(tx, "rows of the counter about a holder", counterRow,
		`SELECT `+counterColumns+` FROM counter_rows WHERE kind = ? AND holder = ? AND state = ? ORDER BY id LIMIT ?`, kind, holder, state, MaxRows)
}

// CounterRowsAbout returns up to MaxRows rows of a kind and state about a thing.
func (tx *Tx) CounterRowsAbout(kind, state, about string) ([]CounterRow, error) {
	return many(tx, "rows of the counter about a thing", counterRow,
		`SELECT `+counterColumns+` FROM counter_rows WHERE kind = ? AND state = ? AND about = ? ORDER BY id LIMIT ?`, kind, state, about, MaxRows)
}

// DueCounterRows returns up to MaxRows rows whose time has come.
func (tx *Tx) DueCounterRows(now time.Time) ([]CounterRow, error) {
	return many(tx, "rows of the counter that are due", counterRow,
		`SELECT `+counterColumns+` FROM counter_rows WHERE due > 0 AND due <= ? ORDER BY due, id LIMIT ?`, ms(now), MaxRows)
}

// DeleteCounterRow forgets a row. None is no error.
func (tx *Tx) DeleteCounterRow(kind, id string) error {
	_, err := tx.exec("delete row of the counter", `DELETE FROM counter_rows WHERE kind = ? AND id = ?`, kind, id)
	return err
}

// CountCounterRows returns how many rows of a kind are in a state.
func (tx *Tx) CountCounterRows(kind, state string) (int64, error) {
	return one(tx, "count rows of the counter", func(n *int64) []any { return []any{n} },
		`SELECT count(*) FROM counter_rows WHERE kind = ? AND state = ?`, kind, state)
}

// CounterRowAt returns the ID of a row of a kind in a state by its number, from 0.
func (tx *Tx) CounterRowAt(kind, state string, n int64) (string, error) {
	return one(tx, "row of the counter by number", func(id *string) []any { return []any{id} },
		`SELECT id FROM counter_rows WHERE kind = ? AND state = ? ORDER BY about LIMIT 1 OFFSET ?`, kind, state, n)
}

// Template is a version of a profile, encrypted under a key that is wrapped by the token.
type Template struct {
	Credential string
	Version    int64
	Created    time.Time
	Class      string
	Algorithm  string
	Reason     string
	Wrapped    []byte // the key
	Sealed     []byte
	MAC        []byte
}

const templateColumns = `credential, version, created, class, algorithm, reason, wrapped, sealed, mac`

func templateRow(t *Template) []any {
	return []any{&t.Credential, &t.Version, at(&t.Created), &t.Class, &t.Algorithm, &t.Reason, &t.Wrapped, &t.Sealed, &t.MAC}
}

// PutTemplate stores a version; Conflict if there is one of this number.
func (tx *Tx) PutTemplate(t Template) error {
	return tx.put("put template", `INSERT INTO templates (`+templateColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Credential, t.Version, ms(t.Created), t.Class, t.Algorithm, t.Reason, bytes(t.Wrapped), bytes(t.Sealed), bytes(t.MAC))
}

// Template returns a version.
func (tx *Tx) Template(credential string, version int64) (Template, error) {
	return one(tx, "template", templateRow, `SELECT `+templateColumns+` FROM templates WHERE credential = ? AND version = ?`, credential, version)
}

// Templates returns up to MaxRows versions, the newest first, without what is encrypted.
func (tx *Tx) Templates(credential string) ([]Template, error) {
	return many(tx, "templates", templateRow, `SELECT credential, version, created, class, algorithm, reason, NULL, NULL, mac
		FROM templates WHERE credential = ? ORDER BY version DESC LIMIT ?`, credential, MaxRows)
}

// DeleteTemplates forgets the versions from first to last, with their keys.
func (tx *Tx) DeleteTemplates(credential string, first, last int64) (int64, error) {
	return tx.exec("delete templates", `DELETE FROM templates WHERE credential = ? AND version >= ? AND version <= ?`, credential, first, last)
}

// PutFingerprint remembers the fingerprint of a signature; Conflict if it is known.
func (tx *Tx) PutFingerprint(print []byte, now time.Time) error {
	return tx.put("put fingerprint", `INSERT INTO fingerprints (print, time) VALUES (?, ?)`, bytes(print), ms(now))
}

// HasFingerprint reports whether a fingerprint is known.
func (tx *Tx) HasFingerprint(print []byte) (bool, error) {
	n, err := one(tx, "fingerprint", func(n *int64) []any { return []any{n} }, `SELECT count(*) FROM fingerprints WHERE print = ?`, bytes(print))
	return n > 0, err
}

// Count adds to a count.
func (tx *Tx) Count(name string, n int64) error {
	_, err := tx.exec("count", `INSERT INTO counts (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = counts.n + excluded.n`, name, n)
	return err
}

// Counts returns all counts.
func (tx *Tx) Counts() (map[string]int64, error) {
	type count struct {
		name string
		n    int64
	}
	list, err := many(tx, "counts", func(c *count) []any { return []any{&c.name, &c.n} }, `SELECT name, n FROM counts LIMIT ?`, MaxRows)
	m := make(map[string]int64, len(list))
	for _, c := range list {
		m[c.name] = c.n
	}
	return m, err
}
