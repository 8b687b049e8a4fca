package clientcert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// An invented authority and an invented person: no such codice fiscale was given out.
const ada = "LVLDAA15T50Z114K"

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// authority is an invented CA with what it says about revocation.
type authority struct {
	t       *testing.T
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	serial  atomic.Int64 // of the last certificate; parallel tests share an authority
	revoked []x509.RevocationListEntry
	down    bool          // its server does not answer
	until   time.Duration // of its lists and answers
	asked   atomic.Int64
	forged  *ecdsa.PrivateKey // signs lists and answers instead
}

func newAuthority(t *testing.T, name string, above *authority) *authority {
	t.Helper()
	a := &authority{t: t, until: time.Hour}
	a.serial.Store(100)
	a.key = newKey(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	parent, key := tmpl, a.key
	if above != nil {
		parent, key = above.cert, above.key
		tmpl.CRLDistributionPoints = []string{"http://ca.invalid/" + above.cert.Subject.CommonName}
		tmpl.SerialNumber = big.NewInt(above.serial.Add(1))
	}
	a.cert = sign(t, tmpl, parent, a.key, key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, tmpl, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// card makes the certificate of a card as CNS have it; change makes it another.
func (a *authority) card(change func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.serial.Add(1)), Subject: pkix.Name{CommonName: ada + "/7420001234567890.aBc=", Country: []string{"IT"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CRLDistributionPoints: []string{"http://ca.invalid/" + a.cert.Subject.CommonName}}
	if change != nil {
		change(tmpl)
	}
	return sign(a.t, tmpl, a.cert, newKey(a.t), a.key)
}

func (a *authority) signer() *ecdsa.PrivateKey {
	if a.forged != nil {
		return a.forged
	}
	return a.key
}

func (a *authority) revoke(c *x509.Certificate, reason int) {
	a.revoked = append(a.revoked, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now.Add(-time.Minute), ReasonCode: reason})
}

// world has the authorities' servers.
type world struct {
	all []*authority
	now func() time.Time
}

func (w world) of(name string) *authority {
	for _, a := range w.all {
		if name == "http://ca.invalid/"+a.cert.Subject.CommonName {
			return a
		}
	}
	return nil
}

func (w world) CRLs(_ context.Context, c *x509.Certificate) ([][]byte, error) {
	a := w.of(c.CRLDistributionPoints[0])
	a.asked.Add(1)
	if a.down {
		return nil, errors.New("no answer")
	}
	// The library signs with what it is given, as long as it says it is the issuer's.
	issuer := *a.cert
	if a.forged != nil {
		issuer.PublicKey = a.forged.Public()
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(w.now().Unix()), ThisUpdate: w.now().Add(-time.Minute),
		NextUpdate: w.now().Add(a.until), RevokedCertificateEntries: a.revoked}, &issuer, a.signer())
	return [][]byte{der}, err
}

func (w world) OCSP(_ context.Context, c, issuer *x509.Certificate) ([][]byte, error) {
	a := w.of(c.OCSPServer[0])
	a.asked.Add(1)
	if a.down {
		return nil, errors.New("no answer")
	}
	answer := ocsp.Response{Status: ocsp.Good, SerialNumber: c.SerialNumber, ThisUpdate: w.now().Add(-time.Minute), NextUpdate: w.now().Add(a.until)}
	for _, r := range a.revoked {
		if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
			answer.Status, answer.RevokedAt, answer.RevocationReason = ocsp.Revoked, r.RevocationTime, r.ReasonCode
		}
	}
	der, err := ocsp.CreateResponse(a.cert, a.cert, answer, a.signer())
	return [][]byte{der}, err
}

func verifier(t *testing.T, change func(*Config), all ...*authority) *Verifier {
	t.Helper()
	at := now
	cfg := Config{Now: func() time.Time { return at }}
	cfg.Fetch = world{all, cfg.Now}
	cfg.Authorities = []*x509.Certificate{all[0].cert}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCards(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Root", nil)
	below := newAuthority(t, "Below", root)
	other := newAuthority(t, "Other", nil)
	name := func(n pkix.Name) func(*x509.Certificate) { return func(c *x509.Certificate) { c.Subject = n } }
	cie := pkix.Name{CommonName: "Ada Lovelace", SerialNumber: "TINIT-" + ada, Country: []string{"IT"}}
	for _, c := range []struct {
		name   string
		by     *authority
		change func(*x509.Certificate)
		chain  []*x509.Certificate
		kind   Kind
	}{
		{"CNS", root, nil, nil, ""},
		{"CIE", root, name(cie), nil, ""},
		{"the older way to write it", root, name(pkix.Name{CommonName: "Ada", SerialNumber: "IT:" + ada}), nil, ""},
		{"both, and the same", root, name(pkix.Name{CommonName: ada + "/1.2", SerialNumber: "TINIT-" + ada}), nil, ""},
		{"a number of the card beside the name", root, name(pkix.Name{CommonName: ada + "/1.2", SerialNumber: "IDCIT-CA00000AA"}), nil, ""},
		{"an authority below", below, nil, []*x509.Certificate{below.cert}, ""},
		{"by OCSP", root, func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = c.CRLDistributionPoints, nil
		}, nil, ""},

		{"an authority below that was not sent", below, nil, nil, Untrusted},
		{"another authority", other, nil, []*x509.Certificate{other.cert}, Untrusted},
		{"expired", root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, nil, Expired},
		{"not yet valid", root, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, nil, Expired},
		{"no clientAuth", root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, nil, NotForThis},
		{"no extended key usage", root, func(c *x509.Certificate) { c.ExtKeyUsage = nil }, nil, NotForThis},
		{"any extended key usage", root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, nil, NotForThis},
		{"for signing documents", root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, nil, NotForThis},
		{"no key usage", root, func(c *x509.Certificate) { c.KeyUsage = 0 }, nil, NotForThis},
		{"an authority's own", root, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
		}, nil, NotForThis},
		{"a critical extension nobody knows", root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 7}, Critical: true, Value: []byte{5, 0}}}
		}, nil, Untrusted},
		{"nowhere to ask", root, func(c *x509.Certificate) { c.CRLDistributionPoints = nil }, nil, Unverifiable},

		{"no name", root, name(pkix.Name{Country: []string{"IT"}}), nil, Nameless},
		{"two people", root, name(pkix.Name{CommonName: ada + "/1.2", SerialNumber: "TINIT-RSSMRA80A01H501U"}), nil, Nameless},
		{"two names", root, name(pkix.Name{CommonName: ada + "/1.2", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: oidCommonName, Value: ada + "/1.2"}, {Type: oidCommonName, Value: "RSSMRA80A01H501U/1.2"}}}), nil, Nameless},
		{"two numbers", root, name(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: oidSerialNumber, Value: "TINIT-" + ada}, {Type: oidSerialNumber, Value: "IDCIT-1"}}}), nil, Nameless},
		{"another country's number", root, name(pkix.Name{SerialNumber: "TINFR-" + ada}), nil, Nameless},
		{"a passport", root, name(pkix.Name{SerialNumber: "PASIT-" + ada}), nil, Nameless},
		{"lower case", root, name(pkix.Name{SerialNumber: "TINIT-" + strings.ToLower(ada)}), nil, Nameless},
		{"a space", root, name(pkix.Name{SerialNumber: "TINIT-" + ada + " "}), nil, Nameless},
		{"a zero byte", root, name(pkix.Name{SerialNumber: "TINIT-" + ada + "\x00X"}), nil, Nameless},
		{"the code alone", root, name(pkix.Name{SerialNumber: ada}), nil, Nameless},
		{"the common name alone", root, name(pkix.Name{CommonName: ada}), nil, Nameless},
		{"behind the slash", root, name(pkix.Name{CommonName: "x/" + ada}), nil, Nameless},
		{"in the organisation", root, name(pkix.Name{CommonName: "Ada", Organization: []string{ada + "/1.2"}, OrganizationalUnit: []string{"TINIT-" + ada}}), nil, Nameless},
		{"in the e-mail address", root, func(c *x509.Certificate) {
			c.Subject, c.EmailAddresses = pkix.Name{CommonName: "Ada"}, []string{ada + "@example.org"}
		}, nil, Nameless},
		{"a company's", root, name(pkix.Name{CommonName: "ACME/1", SerialNumber: "VATIT-00000000000"}), nil, Nameless},
		{"an impossible code", root, name(pkix.Name{SerialNumber: "TINIT-1234567890123456"}), nil, Nameless},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			card := c.by.card(c.change)
			id, err := verifier(t, nil, root, below, other).Verify(t.Context(), append([]*x509.Certificate{card}, c.chain...))
			if KindOf(err) != c.kind || (err == nil) != (id.FiscalCode == ada) || id.Unverified {
				t.Fatalf("%+v, %v; want %q", id, err, c.kind)
			}
			if err == nil && (id.SHA256 != fingerprint(card) || id.Serial != card.SerialNumber.Text(16) || !id.NotAfter.Equal(card.NotAfter) || id.Subject == "") {
				t.Errorf("%+v", id)
			}
		})
	}
}

func TestNoCard(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Root", nil)
	v := verifier(t, nil, root)
	if _, err := v.Verify(t.Context(), nil); KindOf(err) != None {
		t.Errorf("%v", err)
	}
	if _, err := v.Verify(t.Context(), []*x509.Certificate{root.cert}); KindOf(err) != Untrusted {
		t.Errorf("the authority itself: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range atOnce {
		v.places <- struct{}{}
	}
	if _, err := v.Verify(gone, []*x509.Certificate{root.card(nil)}); KindOf(err) != Unverifiable {
		t.Errorf("a crowd: %v", err)
	}
	if n := root.asked.Load(); n != 0 {
		t.Errorf("the authority was asked %d times for nothing", n)
	}
}

// TestStrangersAskNobody: certificates without a trusted path make us fetch nothing.
func TestStrangersAskNobody(t *testing.T) {
	t.Parallel()
	root, other := newAuthority(t, "Root", nil), newAuthority(t, "Other", nil)
	v := verifier(t, nil, root, other)
	_, _ = v.Verify(t.Context(), []*x509.Certificate{other.card(nil), other.cert})
	_, _ = v.Verify(t.Context(), []*x509.Certificate{root.card(func(c *x509.Certificate) { c.ExtKeyUsage = nil })})
	_, _ = v.Verify(t.Context(), []*x509.Certificate{root.card(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })})
	if root.asked.Load()+other.asked.Load() != 0 {
		t.Error("somebody was asked")
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	byOCSP := func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = c.CRLDistributionPoints, nil }
	both := func(c *x509.Certificate) { c.OCSPServer = c.CRLDistributionPoints }
	for name, change := range map[string]func(*x509.Certificate){"by a list": nil, "by OCSP": byOCSP, "by both": both} {
		for reason, word := range map[int]string{1: "key compromise", 6: "on hold"} {
			t.Run(name+", "+word, func(t *testing.T) {
				t.Parallel()
				for _, soft := range []bool{false, true} {
					root := newAuthority(t, "Root", nil)
					v := verifier(t, func(c *Config) { c.SoftFail = soft }, root)
					card := root.card(change)
					root.revoke(card, reason)
					if _, err := v.Verify(t.Context(), []*x509.Certificate{card}); KindOf(err) != Revoked {
						t.Errorf("soft %v: %v", soft, err)
					}
				}
			})
		}
	}
	root := newAuthority(t, "Root", nil)
	below := newAuthority(t, "Below", root)
	root.revoke(below.cert, 2)
	if _, err := verifier(t, nil, root, below).Verify(t.Context(), []*x509.Certificate{below.card(nil), below.cert}); KindOf(err) != Revoked {
		t.Errorf("below a revoked authority: %v", err)
	}
}

// TestUnverifiable: without an authentic and current word nobody gets in, unless it
// was so decided.
func TestUnverifiable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *authority){
		"down":   func(_ *testing.T, a *authority) { a.down = true },
		"old":    func(_ *testing.T, a *authority) { a.until = -time.Second },
		"forged": func(t *testing.T, a *authority) { a.forged = newKey(t) },
	} {
		for _, byOCSP := range []bool{false, true} {
			root := newAuthority(t, "Root", nil)
			spoil(t, root)
			card := root.card(func(c *x509.Certificate) {
				if byOCSP {
					c.OCSPServer, c.CRLDistributionPoints = c.CRLDistributionPoints, nil
				}
			})
			if _, err := verifier(t, nil, root).Verify(t.Context(), []*x509.Certificate{card}); KindOf(err) != Unverifiable {
				t.Errorf("%s, OCSP %v: %v", name, byOCSP, err)
			}
			soft := verifier(t, func(c *Config) { c.SoftFail = true }, root)
			if id, err := soft.Verify(t.Context(), []*x509.Certificate{card}); err != nil || !id.Unverified || id.FiscalCode != ada {
				t.Errorf("%s, OCSP %v, soft: %+v, %v", name, byOCSP, id, err)
			}
		}
	}
}

// TestBridged: a list is kept while it is good; it is not asked for at each sign-in,
// and a server that is down keeps nobody out before nextUpdate.
func TestBridged(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Root", nil)
	clock := now
	v := verifier(t, func(c *Config) {
		c.Now = func() time.Time { return clock }
		c.Fetch = world{[]*authority{root}, c.Now}
	}, root)
	card := root.card(func(c *x509.Certificate) { c.NotAfter = now.Add(100 * time.Hour) })
	try := func(want Kind, asked int64) {
		t.Helper()
		if _, err := v.Verify(t.Context(), []*x509.Certificate{card}); KindOf(err) != want {
			t.Errorf("at %v: %v, want %q", clock.Sub(now), err, want)
		}
		if n := root.asked.Load(); n != asked {
			t.Errorf("at %v: asked %d times, want %d", clock.Sub(now), n, asked)
		}
	}
	try("", 1)
	try("", 1)
	clock = clock.Add(refresh)
	try("", 2)
	root.down = true
	clock = clock.Add(refresh)
	try("", 3)
	clock = clock.Add(time.Hour)
	try(Unverifiable, 5) // asked again for want of a word
	root.down = false
	root.revoke(card, 1)
	try(Revoked, 6)
	root.down = true
	clock = clock.Add(50 * time.Hour) // what was revoked for good stays so
	try(Revoked, 7)
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	cns, err := x509.ParseOID("1.3.6.1.4.1.99999.4.1")
	if err != nil {
		t.Fatal(err)
	}
	root := newAuthority(t, "Root", nil)
	v := verifier(t, func(c *Config) { c.Policies = []x509.OID{cns} }, root)
	good := root.card(func(c *x509.Certificate) { c.Policies = []x509.OID{cns} })
	if _, err := v.Verify(t.Context(), []*x509.Certificate{good}); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), []*x509.Certificate{root.card(nil)}); KindOf(err) != NotForThis {
		t.Errorf("%v", err)
	}
}

// TestWeak: keys and digests that can be forged today recognise nobody.
func TestWeak(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Root", nil)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := root.card(nil)
	tmpl.SerialNumber = big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, root.cert, short.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	card, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, nil, root).Verify(t.Context(), []*x509.Certificate{card}); KindOf(err) != Untrusted {
		t.Errorf("%v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t, "A", nil), newAuthority(t, "B", nil)
	block := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := write("both/all.pem", append(block(a.cert), block(b.cert)...))
	write("split/a.pem", block(a.cert))
	write("split/b.der", b.cert.Raw)
	write("split/README", []byte("not looked at"))
	for name, n := range map[string]int{both: 2, filepath.Join(dir, "split"): 2, filepath.Join(dir, "split/b.der"): 1} {
		if list, err := Load(name); err != nil || len(list) != n {
			t.Errorf("%s: %d, %v", name, len(list), err)
		}
	}
	write("bad/a.pem", block(a.cert))
	for name, path := range map[string]string{
		"nothing": filepath.Join(dir, "nowhere"), "an empty folder": t.TempDir(), "an empty file": write("empty.pem", nil),
		"rubbish": write("rubbish.pem", []byte("hello")), "a key": write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})),
		"half a certificate": write("half.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw[:50]})),
	} {
		if _, err := Load(path); KindOf(err) != BadConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, list := range map[string][]*x509.Certificate{"nobody": nil, "a person": {a.card(nil)}} {
		if _, err := New(Config{Authorities: list}); KindOf(err) != BadConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSubject(f *testing.F) {
	for _, s := range [][2]string{{"TINIT-" + ada, "Ada"}, {"", ada + "/1.2"}, {"IT:" + ada, ada + "/"}, {"IDCIT-1", "/" + ada}, {"TINIT-", "\xff/"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, serial, name string) {
		c := &x509.Certificate{Subject: pkix.Name{Names: []pkix.AttributeTypeAndValue{{Type: oidSerialNumber, Value: serial}, {Type: oidCommonName, Value: name}}}}
		code, err := fiscalCode(c)
		if err != nil {
			return
		}
		if !codice.MatchString(code) || serial != "TINIT-"+code && serial != "IT:"+code && !strings.HasPrefix(name, code+"/") {
			t.Errorf("%q, %q is %q", serial, name, code)
		}
	})
}
