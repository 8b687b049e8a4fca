package store

import "time"

// Holder is a person who may sign (the certificate's subject).
type Holder struct {
	ID         string // opaque, unique, also the certificate's dnQualifier
	Username   string // unique, for signing in
	GivenName  string
	Surname    string
	FiscalCode string // codice fiscale, upper case
	Email      string
	Locale     string // BCP 47: "it" or "en"
	Factors    []byte // the vault's record of the holder's factors, opaque here; nil before enrolment
	Created    time.Time
}

const holderColumns = `id, username, given_name, surname, fiscal_code, email, locale, factors, created`

func holderRow(h *Holder) []any {
	return []any{&h.ID, &h.Username, &h.GivenName, &h.Surname, &h.FiscalCode, &h.Email, &h.Locale, &h.Factors, at(&h.Created)}
}

// PutHolder stores a new holder; Conflict if the ID or username is taken.
func (tx *Tx) PutHolder(h Holder) error {
	return tx.put("put holder", `INSERT INTO holders (`+holderColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		h.ID, h.Username, h.GivenName, h.Surname, h.FiscalCode, h.Email, h.Locale, h.Factors, ms(h.Created))
}

// Holder returns the holder with this ID.
func (tx *Tx) Holder(id string) (Holder, error) {
	return one(tx, "holder", holderRow, `SELECT `+holderColumns+` FROM holders WHERE id = ?`, id)
}

// HolderByUsername returns the holder with this username, compared exactly.
func (tx *Tx) HolderByUsername(username string) (Holder, error) {
	return one(tx, "holder by username", holderRow, `SELECT `+holderColumns+` FROM holders WHERE username = ?`, username)
}

// HoldersByFiscalCode returns up to limit holders with this codice fiscale.
func (tx *Tx) HoldersByFiscalCode(code string, limit int) ([]Holder, error) {
	return many(tx, "holders by fiscal code", holderRow,
		`SELECT `+holderColumns+` FROM holders WHERE fiscal_code = ? ORDER BY created, id LIMIT ?`, code, limited(limit))
}

// Holders returns up to limit holders in the order of their usernames, starting
// behind the username after ("" for the first page).
func (tx *Tx) Holders(limit int, after string) ([]Holder, error) {
	return many(tx, "holders", holderRow,
		`SELECT `+holderColumns+` FROM holders WHERE username > ? ORDER BY username LIMIT ?`, after, limited(limit))
}

// SetFactors replaces the vault's record of the holder's factors.
func (tx *Tx) SetFactors(holder string, factors []byte) error {
	return tx.change("set factors", `UPDATE holders SET factors = ? WHERE id = ?`, factors, holder)
}

// ReplaceFactors replaces the record old by another; Conflict if another one than old is
// stored: of two changes at once one is lost, and must not take the other's place.
func (tx *Tx) ReplaceFactors(holder string, old, factors []byte) error {
	n, err := tx.exec("replace factors", `UPDATE holders SET factors = ? WHERE id = ? AND factors = ?`, factors, holder, old)
	if err != nil || n == 1 {
		return err
	}
	if _, err := tx.Holder(holder); err != nil {
		return err
	}
	return errorf(Conflict, "store: replace factors: another record is stored")
}

// Credential is a holder's signing key, in the form only the vault can use.
type Credential struct {
	ID          string
	Holder      string
	KeyType     string // as hsm.KeyType: "p256", "rsa2048", …
	Record      []byte // the vault's record: wrapped key, public key, policy, MAC; opaque here
	Certificate string // serial of the current certificate, "" before issuance
	Created     time.Time
}

const credentialColumns = `id, holder, key_type, record, certificate, created`

func credentialRow(c *Credential) []any {
	return []any{&c.ID, &c.Holder, &c.KeyType, &c.Record, &c.Certificate, at(&c.Created)}
}

// PutCredential stores a new credential; Conflict if the ID is taken or the
// holder does not exist.
func (tx *Tx) PutCredential(c Credential) error {
	return tx.put("put credential", `INSERT INTO credentials (`+credentialColumns+`) VALUES (?, ?, ?, ?, ?, ?)`,
		c.ID, c.Holder, c.KeyType, bytes(c.Record), c.Certificate, ms(c.Created))
}

// Credential returns the credential with this ID.
func (tx *Tx) Credential(id string) (Credential, error) {
	return one(tx, "credential", credentialRow, `SELECT `+credentialColumns+` FROM credentials WHERE id = ?`, id)
}

// CredentialsOf returns the holder's credentials, oldest first.
func (tx *Tx) CredentialsOf(holder string) ([]Credential, error) {
	return many(tx, "credentials of holder", credentialRow,
		`SELECT `+credentialColumns+` FROM credentials WHERE holder = ? ORDER BY created, id LIMIT ?`, holder, MaxRows)
}

// SetCredentialRecord puts another record of the vault's in the place of a credential's.
func (tx *Tx) SetCredentialRecord(id string, record []byte) error {
	return tx.change("set credential's record", `UPDATE credentials SET record = ? WHERE id = ?`, bytes(record), id)
}

// SetCredentialCertificate names the credential's current certificate.
func (tx *Tx) SetCredentialCertificate(id, serial string) error {
	return tx.change("set credential's certificate", `UPDATE credentials SET certificate = ? WHERE id = ?`, serial, id)
}
