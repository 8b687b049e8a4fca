package store

import (
	"strings"
	"time"
)

// CertState is where a certificate is in its life.
type CertState string

// The states. An intent is written before the HSM is asked; it becomes valid
// when the certificate is stored, or presumed-issued when nobody can say any
// more whether the HSM signed it (then it is listed as revoked, for ever).
const (
	CertIntent         CertState = "intent"
	CertValid          CertState = "valid"
	CertSuspended      CertState = "suspended"
	CertRevoked        CertState = "revoked"
	CertPresumedIssued CertState = "presumed-issued"
)

// Certificate is a certificate, or the durable intent to make one.
type Certificate struct {
	Serial     string // lower-case hex, no leading zeros
	Issuer     string // label of the issuing CA's key
	Profile    string
	Subject    string // readable form, for lists
	Holder     string // "" for the certificates of the house
	Credential string
	State      CertState
	TBS        []byte // DER of TBSCertificate as handed to the signer
	DER        []byte // nil until issued
	NotBefore  time.Time
	NotAfter   time.Time
	Intent     time.Time // when the intent was stored
	Issued     time.Time // when the certificate was stored
	StatusAt   time.Time // since when State holds, as the CRL shall say
	Reason     int       // CRLReason, RFC 5280 §5.3.1
	Actor      string    // who asked for it
}

const certificateColumns = `serial, issuer, profile, subject, holder, credential, state, tbs, der,
	not_before, not_after, intent, issued, status_at, reason, actor`

func certificateRow(c *Certificate) []any {
	return []any{&c.Serial, &c.Issuer, &c.Profile, &c.Subject, &c.Holder, &c.Credential, &c.State, &c.TBS, &c.DER,
		at(&c.NotBefore), at(&c.NotAfter), at(&c.Intent), at(&c.Issued), at(&c.StatusAt), &c.Reason, &c.Actor}
}

// PutCertificate stores a new row, usually an intent; Conflict if the serial was
// ever used.
func (tx *Tx) PutCertificate(c Certificate) error {
	return tx.put("put certificate",
		`INSERT INTO certificates (`+certificateColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.Serial, c.Issuer, c.Profile, c.Subject, c.Holder, c.Credential, string(c.State), bytes(c.TBS), c.DER,
		ms(c.NotBefore), ms(c.NotAfter), ms(c.Intent), ms(c.Issued), ms(c.StatusAt), c.Reason, c.Actor)
}

// Certificate returns the row with this serial.
func (tx *Tx) Certificate(serial string) (Certificate, error) {
	return one(tx, "certificate", certificateRow, `SELECT `+certificateColumns+` FROM certificates WHERE serial = ?`, serial)
}

// SetCertificateIssued turns an intent into a valid certificate; Conflict if the
// row is not an intent any more.
func (tx *Tx) SetCertificateIssued(serial string, der []byte, when time.Time) error {
	return tx.transition("set certificate issued", string(CertIntent), tx.certState(serial),
		`UPDATE certificates SET state = ?, der = ?, issued = ?, status_at = ? WHERE serial = ? AND state = ?`,
		string(CertValid), bytes(der), ms(when), ms(when), serial, string(CertIntent))
}

// SetCertificateStatus moves a certificate from one state to another; Conflict
// when it is not in from. Which moves are lawful is the pki room's business.
func (tx *Tx) SetCertificateStatus(serial string, from, to CertState, when time.Time, reason int) error {
	return tx.transition("set certificate status", string(from), tx.certState(serial),
		`UPDATE certificates SET state = ?, status_at = ?, reason = ? WHERE serial = ? AND state = ?`,
		string(to), ms(when), reason, serial, string(from))
}

func (tx *Tx) certState(serial string) func() (string, error) {
	return func() (string, error) {
		c, err := tx.Certificate(serial)
		return string(c.State), err
	}
}

// CertificatesByIssuer returns all certificates of an issuer in the given states
// (all states if none is given), oldest intent first. It is made for CRLs of any
// length: there is no limit, but TBS and DER are left out.
func (tx *Tx) CertificatesByIssuer(issuer string, states ...CertState) ([]Certificate, error) {
	q := `SELECT serial, issuer, profile, subject, holder, credential, state,
		not_before, not_after, intent, issued, status_at, reason, actor FROM certificates WHERE issuer = ?`
	args := []any{issuer}
	if len(states) > 0 {
		q += ` AND state IN (?` + strings.Repeat(`, ?`, len(states)-1) + `)`
		for _, s := range states {
			args = append(args, string(s))
		}
	}
	return many(tx, "certificates by issuer", func(c *Certificate) []any {
		return []any{&c.Serial, &c.Issuer, &c.Profile, &c.Subject, &c.Holder, &c.Credential, &c.State,
			at(&c.NotBefore), at(&c.NotAfter), at(&c.Intent), at(&c.Issued), at(&c.StatusAt), &c.Reason, &c.Actor}
	}, q+` ORDER BY intent, serial`, args...)
}

// CertificatesInState returns up to MaxRows certificates in a state, oldest
// intent first.
func (tx *Tx) CertificatesInState(state CertState) ([]Certificate, error) {
	return many(tx, "certificates in state", certificateRow,
		`SELECT `+certificateColumns+` FROM certificates WHERE state = ? ORDER BY intent, serial LIMIT ?`, string(state), MaxRows)
}

// CertificatesOf returns the holder's certificates, oldest first.
func (tx *Tx) CertificatesOf(holder string) ([]Certificate, error) {
	return many(tx, "certificates of holder", certificateRow,
		`SELECT `+certificateColumns+` FROM certificates WHERE holder = ? ORDER BY intent, serial LIMIT ?`, holder, MaxRows)
}

// CRL is a published list.
type CRL struct {
	Issuer     string // label of the CA's key
	Number     int64  // cRLNumber, RFC 5280 §5.2.3
	DER        []byte
	ThisUpdate time.Time
	NextUpdate time.Time
	Published  time.Time
	Timestamp  []byte // RFC 3161 token over the DER, nil if none was asked for
}

const crlColumns = `issuer, number, der, this_update, next_update, published, timestamp`

func crlRow(c *CRL) []any {
	return []any{&c.Issuer, &c.Number, &c.DER, at(&c.ThisUpdate), at(&c.NextUpdate), at(&c.Published), &c.Timestamp}
}

// PutCRL stores a list; Conflict if the issuer has used the number.
func (tx *Tx) PutCRL(c CRL) error {
	return tx.put("put CRL", `INSERT INTO crls (`+crlColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		c.Issuer, c.Number, bytes(c.DER), ms(c.ThisUpdate), ms(c.NextUpdate), ms(c.Published), c.Timestamp)
}

// LatestCRL returns the issuer's list with the highest number.
func (tx *Tx) LatestCRL(issuer string) (CRL, error) {
	return one(tx, "latest CRL", crlRow,
		`SELECT `+crlColumns+` FROM crls WHERE issuer = ? ORDER BY number DESC LIMIT 1`, issuer)
}

// NextCRLNumber reserves a number for the issuer's next list. The number is used
// up when the transaction commits, whether or not a list bearing it follows, so
// that a list that was signed and then lost never shares its number.
func (tx *Tx) NextCRLNumber(issuer string) (int64, error) {
	return tx.next("next CRL number", "crl/"+issuer)
}
