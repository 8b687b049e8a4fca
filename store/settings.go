package store

import "math"

// next gives the next number of a durable counter; counting starts at 1 and never
// goes back. The number is the caller's once the transaction is committed.
func (tx *Tx) next(what, counter string) (int64, error) {
	if _, err := tx.exec(what, `INSERT INTO serials (unit, next) VALUES (?, 1) ON CONFLICT (unit) DO NOTHING`, counter); err != nil {
		return 0, err
	}
	n, err := one(tx, what, func(v *int64) []any { return []any{v} }, `SELECT next FROM serials WHERE unit = ?`, counter)
	if err != nil {
		return 0, err
	}
	if n == math.MaxInt64 {
		return 0, errorf(Failed, "store: %s: the counter %s is used up", what, counter)
	}
	return n, tx.change(what, `UPDATE serials SET next = ? WHERE unit = ?`, n+1, counter)
}

// Setting returns the value kept under key.
func (tx *Tx) Setting(key string) ([]byte, error) {
	return one(tx, "setting "+key, func(v *[]byte) []any { return []any{v} }, `SELECT value FROM settings WHERE key = ?`, key)
}

// PutSetting keeps a value under key, replacing what was there.
func (tx *Tx) PutSetting(key string, value []byte) error {
	return tx.put("put setting "+key,
		`INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
		key, bytes(value))
}
