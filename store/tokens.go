package store

import (
	"math"
	"time"
)

// Token is an issued time-stamp token, kept as the law asks of a TSA.
type Token struct {
	Serial  string // of the token, not of a certificate
	Unit    string // label of the time-stamping unit
	Hash    string
	Imprint []byte
	GenTime time.Time // milliseconds; the DER has what the token says
	Account string
	DER     []byte
}

const tokenColumns = `serial, unit, hash, imprint, gen_time, account, der`

func tokenRow(t *Token) []any {
	return []any{&t.Serial, &t.Unit, &t.Hash, &t.Imprint, at(&t.GenTime), &t.Account, &t.DER}
}

// PutToken stores a token; Conflict if the serial was used.
func (tx *Tx) PutToken(t Token) error {
	return tx.put("put token", `INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.Serial, t.Unit, t.Hash, bytes(t.Imprint), ms(t.GenTime), t.Account, bytes(t.DER))
}

// Token returns the token with this serial.
func (tx *Tx) Token(serial string) (Token, error) {
	return one(tx, "token", tokenRow, `SELECT `+tokenColumns+` FROM tokens WHERE serial = ?`, serial)
}

// TokensByImprint returns up to limit tokens over this digest, oldest first.
func (tx *Tx) TokensByImprint(imprint []byte, limit int) ([]Token, error) {
	return many(tx, "tokens by imprint", tokenRow,
		`SELECT `+tokenColumns+` FROM tokens WHERE imprint = ? ORDER BY gen_time, serial LIMIT ?`, bytes(imprint), limited(limit))
}

// ReserveSerials reserves n numbers of a unit's durable counter and returns the
// first; counting starts at 1 and never goes back. The numbers are the caller's
// once the transaction is committed.
func (tx *Tx) ReserveSerials(unit string, n int64) (first int64, err error) {
	return tx.reserve("reserve serials", "serial/"+unit, n)
}

// maxReserve bounds one reservation, so that a slip cannot use up the counter.
const maxReserve = 1 << 20

func (tx *Tx) reserve(what, counter string, n int64) (int64, error) {
	if n < 1 || n > maxReserve {
		return 0, errorf(Failed, "store: %s: cannot reserve %d numbers", what, n)
	}
	if _, err := tx.exec(what, `INSERT INTO serials (unit, next) VALUES (?, 1) ON CONFLICT (unit) DO NOTHING`, counter); err != nil {
		return 0, err
	}
	first, err := one(tx, what, func(v *int64) []any { return []any{v} }, `SELECT next FROM serials WHERE unit = ?`, counter)
	if err != nil {
		return 0, err
	}
	if first > math.MaxInt64-n {
		return 0, errorf(Failed, "store: %s: the counter %s is used up", what, counter)
	}
	return first, tx.change(what, `UPDATE serials SET next = ? WHERE unit = ?`, first+n, counter)
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

// LatestToken returns the unit's token with the latest time; NotFound if the
// unit has made none.
func (tx *Tx) LatestToken(unit string) (Token, error) {
	return one(tx, "latest token", tokenRow, `SELECT `+tokenColumns+` FROM tokens WHERE unit = ? ORDER BY gen_time DESC LIMIT 1`, unit)
}
