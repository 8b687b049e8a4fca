// Package pki is the certification authority: it makes certificates, keeps their
// status, and tells the world about it by CRL and OCSP.
//
// There is one function that makes certificates, [Authority.mint]; everything
// else prepares its input. It leaves a durable record of the intent before the
// key in the HSM is asked, so that no certificate can exist of which the house
// does not know; what a crash leaves open, [Authority.Resolve] lists as revoked.
//
// The house is small: a root, an issuing CA for the holders' certificates, a CA
// for time-stamping units alone (DPCM 22 February 2013 art. 49), one unit, and a
// status responder for each of the two CAs. Each is known by the label of its key.
//
// A certificate's life is valid ⇄ suspended → revoked. Suspension is lawful in
// Italy (DPCM art. 26): lifted, the certificate counts as never suspended;
// followed by revocation, it counts as revoked since the suspension began.
//
// A holder's certificate has one of two profiles: for what the holder signs there and
// then, and for the automatic procedure, where a program signs what the holder has
// delegated. The second has a policy (.1.3) and a notice of its own that say so, and a
// key of its own.
//
// What the profiles follow: ETSI EN 319 412-2, -5 and AgID's recommendations for
// the holder, EN 319 422 §6 for the unit, RFC 6960 for the responders. A house
// that is not configured as qualified claims nothing: its certificates say that
// they are for test and bear no statement of quality.
package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/url"
	"strings"
	"sync"
	"time"

	"sigillo/hsm"
	"sigillo/store"
)

// The labels of the keys of the house.
const (
	RootCA      = "root-ca"
	IssuingCA   = "issuing-ca"
	TSACA       = "tsa-ca"
	TSU         = "tsu-1" // the first time-stamping unit; see UnitLabel
	OCSPIssuing = "ocsp-issuing"
	OCSPTSA     = "ocsp-tsa"
	JournalKey  = "journal" // signs the journal's checkpoints, has no certificate
)

// authorities are the labels of those who issue lists.
var authorities = []string{RootCA, IssuingCA, TSACA}

// responders are the labels of the status responders, by the CA they answer for.
// The root has none: the status of its few certificates is in its list.
var responders = map[string]string{IssuingCA: OCSPIssuing, TSACA: OCSPTSA}

// Keys gives the use of the keys of the house; the vault's client is one.
type Keys interface {
	CreateKey(ctx context.Context, label string, kt hsm.KeyType) (crypto.PublicKey, error)
	Signer(ctx context.Context, label string) (crypto.Signer, error)
}

// Config is how the house presents itself. What is left empty has a default.
type Config struct {
	Country        string // ISO 3166-1 alpha-2, where the provider is established
	Organisation   string // its full registered name
	OrganisationID string // EN 319 412-1 §5.1.4, such as "VATIT-12345678901"; may be ""
	BaseURL        string // "http://host:port", the beginning of the addresses of lists, certificates and responders

	// Qualified makes the holders' certificates claim what only a provider
	// supervised as such, with keys in a certified device, may claim: QcCompliance,
	// QcSSCD, QCP-n-qscd, agIDcert. It needs PDSEnglish and PDSItalian.
	Qualified  bool
	PDSEnglish string // https address of the PKI disclosure statement
	PDSItalian string
	CPS        string   // address of the practice statement; BaseURL + "/cps" if empty
	PolicyArc  string   // OID of the provider; its policies are .1.1, .1.2 and .1.3. 2.999 (the arc for examples) if empty
	Witnesses  []string // of the key ceremony

	RootKey hsm.KeyType // p384
	CAKey   hsm.KeyType // p256: issuing-ca and tsa-ca
	UnitKey hsm.KeyType // p256: tsu-1
	// The responders and the journal have p256 keys: they sign often, and
	// nothing of theirs lives long.

	RootDays, CADays, UnitDays, ResponderDays, HolderDays int // 9125, 5475, 3650, 30, 1095
	UnitUseMonths                                         int // 3: how long a unit's key may stamp (DPCM art. 49)

	CRLLife  time.Duration // from thisUpdate to nextUpdate, 2 h
	OCSPLife time.Duration // the same of an OCSP response, 10 min
	// Stamp, if not nil, is asked for an RFC 3161 token over each list, which is
	// filed with it (CAD art. 36 c. 3: the moment of publication must be provable).
	Stamp func(ctx context.Context, der []byte) (token []byte, err error)
}

func (c Config) complete() (Config, error) {
	text := map[*string]string{&c.PolicyArc: "2.999", &c.CPS: c.BaseURL + "/cps"}
	for p, v := range text {
		if *p == "" {
			*p = v
		}
	}
	for p, v := range map[*hsm.KeyType]hsm.KeyType{&c.RootKey: hsm.P384, &c.CAKey: hsm.P256, &c.UnitKey: hsm.P256} {
		if *p == "" {
			*p = v
		}
	}
	for p, v := range map[*int]int{&c.RootDays: 9125, &c.CADays: 5475, &c.UnitDays: 3650, &c.ResponderDays: 30,
		&c.HolderDays: 1095, &c.UnitUseMonths: 3} {
		if *p == 0 {
			*p = v
		}
	}
	if c.CRLLife == 0 {
		c.CRLLife = 2 * time.Hour
	}
	if c.OCSPLife == 0 {
		c.OCSPLife = 10 * time.Minute
	}
	return c, c.check()
}

func (c Config) check() error {
	if len(c.Country) != 2 || strings.ToUpper(c.Country) != c.Country || !printable(c.Country) {
		return errorf(BadRequest, "the country must be two upper-case letters, such as IT")
	}
	if err := checkName("organisation", c.Organisation); err != nil {
		return err
	}
	if len(c.Organisation) > 40 {
		return errorf(BadRequest, "the organisation's name is longer than 40 bytes; the names made from it would not fit")
	}
	if c.OrganisationID != "" && (len(c.OrganisationID) > 64 || !printable(c.OrganisationID)) {
		return errorf(BadRequest, "the organisation's identifier must be like VATIT-12345678901")
	}
	for _, u := range []string{c.BaseURL, c.CPS} {
		if !webAddress(u, "http", "https") {
			return errorf(BadRequest, "%q is no http address; set the base address, such as http://host:port", u)
		}
	}
	if c.BaseURL[len(c.BaseURL)-1] == '/' {
		return errorf(BadRequest, "the base address %q must not end in a slash", c.BaseURL)
	}
	if c.Qualified && (!webAddress(c.PDSEnglish, "https") || !webAddress(c.PDSItalian, "https")) {
		return errorf(BadRequest, "a qualified house needs https addresses of its disclosure statement in English and Italian (EN 319 412-5 §4.3.4)")
	}
	if _, err := parseOID(c.PolicyArc); err != nil {
		return err
	}
	for _, d := range []int{c.RootDays, c.CADays, c.UnitDays, c.ResponderDays, c.HolderDays, c.UnitUseMonths} {
		if d < 1 || d > 36500 {
			return errorf(BadRequest, "a life of %d days or months is out of range", d)
		}
	}
	return nil
}

func webAddress(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || len(s) > 200 || !ascii(s) {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}

// Where things are found below BaseURL.
func (c Config) crlURL(ca string) string  { return c.BaseURL + "/crl/" + ca + ".crl" }
func (c Config) certURL(ca string) string { return c.BaseURL + "/certs/" + ca + ".crt" }
func (c Config) ocspURL(ca string) string { return c.BaseURL + "/ocsp/" + ca }

// Authority is the open certification authority. It is safe for concurrent use.
type Authority struct {
	db   *store.DB
	keys Keys
	cfg  Config
	now  func() time.Time

	mu       sync.RWMutex
	house    map[string]*x509.Certificate // by the label of the key
	inFlight map[string]bool              // serials that a mint of this process is working on

	twins sync.Map // throw-away keys for linting, by kind
}

func newAuthority(db *store.DB, keys Keys, cfg Config, now func() time.Time) (*Authority, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Authority{db: db, keys: keys, cfg: cfg, now: now,
		house: map[string]*x509.Certificate{}, inFlight: map[string]bool{}}, nil
}

// Open opens the authority whose ceremony was held with this database. Call
// [Authority.Resolve] before the first certificate is issued.
func Open(ctx context.Context, db *store.DB, keys Keys, cfg Config, now func() time.Time) (*Authority, error) {
	a, err := newAuthority(db, keys, cfg, now)
	if err != nil {
		return nil, err
	}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	for _, label := range []string{RootCA, IssuingCA, TSACA, TSU, OCSPIssuing, OCSPTSA} {
		if a.CA(label) == nil {
			return nil, errorf(NotFound, "there is no certificate of %s; hold the key ceremony first", label)
		}
	}
	return a, nil
}

// load reads the certificates of the house.
func (a *Authority) load(ctx context.Context) error {
	return stored("read the certificates of the house", a.db.Read(ctx, func(tx *store.Tx) error {
		for _, s := range ceremonyPlan(a.cfg) {
			if err := a.loadLabel(tx, s.label); err != nil && store.KindOf(err) != store.NotFound {
				return err
			}
		}
		for n := 2; n <= maxUnits; n++ {
			if err := a.loadLabel(tx, UnitLabel(n)); store.KindOf(err) == store.NotFound {
				return nil
			} else if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (a *Authority) loadLabel(tx *store.Tx, label string) error {
	serial, err := tx.Setting(labelSetting(label))
	if err != nil {
		return err
	}
	row, err := tx.Certificate(string(serial))
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(row.DER)
	if err != nil {
		return wrap(Failed, "the stored certificate of "+label+" cannot be read", err)
	}
	a.setHouse(label, cert)
	return nil
}

// labelSetting is the setting that holds the serial of a key's current certificate.
func labelSetting(label string) string { return "pki/certificate/" + label }

func (a *Authority) setHouse(label string, cert *x509.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.house[label] = cert
}

// CA returns the certificate of a key of the house (a CA, a unit, a responder),
// nil if there is none.
func (a *Authority) CA(label string) *x509.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.house[label]
}

// Chain returns the certificates above cert, the nearest first, without the
// root: verifiers must have that from elsewhere.
func (a *Authority) Chain(cert *x509.Certificate) []*x509.Certificate {
	if ca, _ := a.issuer(cert); ca != nil {
		return []*x509.Certificate{ca}
	}
	return nil
}

// issuer tells which authority of the house a certificate names, and its label.
func (a *Authority) issuer(cert *x509.Certificate) (*x509.Certificate, string) {
	for _, label := range []string{IssuingCA, TSACA} {
		ca := a.CA(label)
		if ca != nil && string(ca.RawSubject) == string(cert.RawIssuer) && string(ca.SubjectKeyId) == string(cert.AuthorityKeyId) {
			return ca, label
		}
	}
	return nil, ""
}

// Roots returns the trust anchors of the house.
func (a *Authority) Roots() []*x509.Certificate {
	if root := a.CA(RootCA); root != nil {
		return []*x509.Certificate{root}
	}
	return nil
}

// Status returns the state of a certificate, by its serial in lower-case hex.
func (a *Authority) Status(ctx context.Context, serial string) (store.CertState, error) {
	var c store.Certificate
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Certificate(serial)
		return err
	})
	return c.State, stored("status of certificate "+printableSerial(serial), err)
}

// printableSerial keeps what came from outside out of messages when it is no serial.
func printableSerial(s string) string {
	if len(s) > 40 || strings.Trim(s, "0123456789abcdef") != "" {
		return "(not a serial number)"
	}
	return s
}
