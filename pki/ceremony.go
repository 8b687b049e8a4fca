package pki

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/store"
)

// step is one key of the house and its certificate.
type step struct {
	label    string
	keyType  hsm.KeyType
	profile  string // "" for a key without a certificate
	issuer   string // label; its own for the root
	template func(Config, time.Time) (*x509.Certificate, error)
}

// ceremonyPlan lists the keys in the order in which they are made.
func ceremonyPlan(c Config) []step {
	ca := func(commonName string) func(Config, time.Time) (*x509.Certificate, error) {
		return func(c Config, now time.Time) (*x509.Certificate, error) { return caTemplate(c, now, commonName) }
	}
	responder := func(commonName string) func(Config, time.Time) (*x509.Certificate, error) {
		return func(c Config, now time.Time) (*x509.Certificate, error) { return responderTemplate(c, now, commonName) }
	}
	firstUnit := func(c Config, now time.Time) (*x509.Certificate, error) { return unitTemplate(c, now, time.Time{}, 1) }
	return []step{
		{RootCA, c.RootKey, ProfileRoot, RootCA, rootTemplate},
		{IssuingCA, c.CAKey, ProfileCA, RootCA, ca("Signature CA")},
		{TSACA, c.CAKey, ProfileCA, RootCA, ca("Time-Stamping CA")},
		{TSU, c.UnitKey, ProfileUnit, TSACA, firstUnit},
		{OCSPIssuing, hsm.P256, ProfileResponder, IssuingCA, responder("Signature OCSP")},
		{OCSPTSA, hsm.P256, ProfileResponder, TSACA, responder("Stamping OCSP")},
		{label: JournalKey, keyType: hsm.P256},
	}
}

// ceremonySetting is the setting that says how far the ceremony came.
const ceremonySetting = "pki/ceremony"

const (
	ceremonyStarted = "started"
	ceremonyDone    = "done"
)

// Ceremony makes the keys of the house and their certificates, publishes the
// first lists, and writes the record for the witnesses to sign to w. Every step
// is in the journal.
//
// It is held once: after it has ended it refuses with Kind Exists, and so it does
// when the token holds keys under the labels that this database knows nothing
// of. A ceremony that was cut short is resumed by calling it again; the keys and
// certificates that exist are kept, and what had only been begun is settled as by
// [Authority.Resolve].
func Ceremony(ctx context.Context, db *store.DB, keys Keys, cfg Config, now func() time.Time, w io.Writer) error {
	a, err := newAuthority(db, keys, cfg, now)
	if err != nil {
		return err
	}
	c := &ceremony{Authority: a, w: w}
	if err := c.begin(ctx); err != nil {
		return err
	}
	for _, s := range ceremonyPlan(a.cfg) {
		if err := c.hold(ctx, s); err != nil {
			return err
		}
	}
	return c.end(ctx)
}

type ceremony struct {
	*Authority
	w       io.Writer
	writing error // the first failure to write the record
	resumed bool
	n       int // steps recorded
}

func (c *ceremony) printf(format string, args ...any) {
	if c.writing == nil {
		_, c.writing = fmt.Fprintf(c.w, format, args...)
	}
}

// begin refuses a second ceremony, marks the first as begun and writes the head
// of the record.
func (c *ceremony) begin(ctx context.Context) error {
	state, err := c.state(ctx)
	if err != nil {
		return err
	}
	switch state {
	case ceremonyDone:
		return errorf(Exists, "the key ceremony was held already; it is held once")
	case ceremonyStarted:
		c.resumed = true
		if err := c.load(ctx); err != nil {
			return err
		}
		if _, err := c.Resolve(ctx); err != nil {
			return err
		}
	default:
		if err := c.emptyToken(ctx); err != nil {
			return err
		}
	}
	c.printHead()
	if err := c.selfTest(ctx); err != nil {
		return err
	}
	return stored("begin the ceremony", c.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting(ceremonySetting, []byte(ceremonyStarted)); err != nil {
			return err
		}
		return audit.Append(tx, c.now(), audit.Event{Actor: "ceremony", Event: "ceremony.begun", Subject: c.cfg.Organisation,
			Detail: map[string]string{"witnesses": c.witnesses(), "resumed": strconv.FormatBool(c.resumed)}})
	}))
}

func (c *ceremony) state(ctx context.Context) (string, error) {
	var state []byte
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		state, err = tx.Setting(ceremonySetting)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return "", nil
	}
	return string(state), stored("read the state of the ceremony", err)
}

// emptyToken refuses a token that has a key of the house: it belongs to another
// database, and its certificates are not known here.
func (c *ceremony) emptyToken(ctx context.Context) error {
	for _, s := range ceremonyPlan(c.cfg) {
		if _, err := c.keys.Signer(ctx, s.label); err == nil {
			return errorf(Exists, "the token has a key %s already, which this database does not know; use an empty token or the database that belongs to it", s.label)
		}
	}
	return nil
}

func (c *ceremony) printHead() {
	c.printf("KEY CEREMONY\n============\n\n")
	c.printf("Organisation   %s (%s)\n", c.cfg.Organisation, c.cfg.Country)
	if c.cfg.OrganisationID != "" {
		c.printf("Identifier     %s\n", c.cfg.OrganisationID)
	}
	c.printf("Begun          %s\n", c.stamp())
	c.printf("Addresses      %s\n", c.cfg.BaseURL)
	if c.cfg.Qualified {
		c.printf("Claims         qualified certificates\n")
	} else {
		c.printf("Claims         none: certificates for test, not qualified\n")
	}
	for i, name := range c.cfg.Witnesses {
		c.printf("Witness %-2d     %s\n", i+1, name)
	}
	if c.resumed {
		c.printf("\nThis continues a ceremony that was cut short. What exists is kept.\n")
	}
}

func (c *ceremony) stamp() string { return c.now().UTC().Format("2006-01-02 15:04:05 UTC") }

func (c *ceremony) witnesses() string {
	list := strings.Join(c.cfg.Witnesses, ", ")
	if len(list) > audit.MaxValue {
		list = strings.ToValidUTF8(list[:audit.MaxValue], "")
	}
	return list
}

// selfTest has the token tested and the result recorded, if whoever has the
// keys can do that (the vault can).
func (c *ceremony) selfTest(ctx context.Context) error {
	tester, ok := c.keys.(interface {
		SelfTest(context.Context) (hsm.Report, error)
	})
	if !ok {
		c.printf("\nThe keys are not in a token that can be tested.\n")
		return nil
	}
	report, err := tester.SelfTest(ctx)
	if err != nil {
		return wrap(Failed, "the token failed its self-test", err)
	}
	c.printf("\nToken          %s, serial %s\nModule         %s\nManufacturer   %s\n",
		report.Label, report.Serial, report.Module, report.Manufacturer)
	for _, check := range report.Checks {
		verdict := "no "
		if check.OK {
			verdict = "yes"
		}
		c.printf("  %s  %s\n", verdict, check.Name)
	}
	return nil
}

// hold makes one key and its certificate, unless they exist.
func (c *ceremony) hold(ctx context.Context, s step) error {
	cert := c.CA(s.label)
	public, err := c.key(ctx, s)
	if err != nil {
		return err
	}
	if s.profile != "" && cert == nil {
		if err := c.certify(ctx, s, public, "ceremony"); err != nil {
			return err
		}
		cert = c.CA(s.label)
	}
	c.printStep(s, public, cert)
	return c.failedToWrite()
}

// key returns the public key of a label, creating the key if it does not exist.
// In the first run it cannot: begin has looked.
func (c *ceremony) key(ctx context.Context, s step) (crypto.PublicKey, error) {
	if c.resumed {
		if signer, err := c.keys.Signer(ctx, s.label); err == nil {
			return signer.Public(), nil
		}
	}
	public, err := c.keys.CreateKey(ctx, s.label, s.keyType)
	if err != nil {
		return nil, wrap(KeyUnavailable, "the key "+s.label+" could not be made", err)
	}
	print, err := keyFingerprint(public)
	if err != nil {
		return nil, err
	}
	return public, stored("record the key "+s.label, c.db.Write(ctx, func(tx *store.Tx) error {
		return audit.Append(tx, c.now(), audit.Event{Actor: "ceremony", Event: "key.created", Subject: s.label,
			Detail: map[string]string{"type": string(s.keyType), "spki-sha256": print}})
	}))
}

// certify mints the certificate of a key of the house.
func (a *Authority) certify(ctx context.Context, s step, public crypto.PublicKey, actor string) error {
	t, err := s.template(a.cfg, a.now())
	if err != nil {
		return err
	}
	o := order{profile: s.profile, template: t, public: public, issuer: s.issuer, label: s.label, actor: actor}
	if s.issuer != s.label {
		o.parent = a.CA(s.issuer)
		if last := o.parent.NotAfter; t.NotAfter.After(last) && s.profile == ProfileResponder {
			t.NotAfter = last // the last responder ends with its CA
		}
	}
	_, err = a.mint(ctx, o)
	return err
}

func keyFingerprint(public crypto.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", wrap(Failed, "the token returned a public key of no use", err)
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:]), nil
}

func (c *ceremony) printStep(s step, public crypto.PublicKey, cert *x509.Certificate) {
	c.n++
	print, err := keyFingerprint(public)
	if err != nil && c.writing == nil {
		c.writing = err
	}
	c.printf("\n%d. %s\n", c.n, s.label)
	c.printf("   Recorded      %s\n", c.stamp())
	c.printf("   Key           %s, generated in the token\n", s.keyType)
	c.printf("   Key SHA-256   %s\n", grouped(print))
	if cert == nil {
		return
	}
	sum := sha256.Sum256(cert.Raw)
	c.printf("   Certificate   %s\n", readableName(cert.RawSubject))
	c.printf("   Issued by     %s\n", readableName(cert.RawIssuer))
	c.printf("   Serial        %x\n", cert.SerialNumber)
	c.printf("   Valid         %s to %s\n", cert.NotBefore.Format("2006-01-02 15:04:05 UTC"), cert.NotAfter.Format("2006-01-02 15:04:05 UTC"))
	c.printf("   Cert SHA-256  %s\n", grouped(hex.EncodeToString(sum[:])))
}

// grouped puts a space after every eight characters, to be read aloud.
func grouped(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%8 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// end publishes the first lists, marks the ceremony as held and closes the
// record with the head of the journal, which ties the paper to the machine.
func (c *ceremony) end(ctx context.Context) error {
	if err := c.PublishCRLs(ctx); err != nil {
		return err
	}
	var head store.JournalEntry
	err := c.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting(ceremonySetting, []byte(ceremonyDone)); err != nil {
			return err
		}
		err := audit.Append(tx, c.now(), audit.Event{Actor: "ceremony", Event: "ceremony.ended", Subject: c.cfg.Organisation})
		if err != nil {
			return err
		}
		if head, err = tx.JournalHead(); err != nil {
			return err
		}
		c.printf("\nEnded          %s\nJournal        entry %d, %s\n", c.stamp(), head.Seq, grouped(hex.EncodeToString(head.Hash)))
		for _, name := range c.cfg.Witnesses {
			c.printf("\n\n______________________________\n%s\n", name)
		}
		return c.failedToWrite() // a ceremony without its record was not held
	})
	return stored("end the ceremony", err)
}

func (c *ceremony) failedToWrite() error {
	if c.writing != nil {
		return wrap(Failed, "the record of the ceremony could not be written", c.writing)
	}
	return nil
}
