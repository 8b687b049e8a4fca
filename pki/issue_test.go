package pki

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/hsm"
	"sigillo/store"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	r := h.enrol(t, "1", hsm.P256)
	cert, err := h.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	csr, _ := x509.ParseCertificateRequest(r.CSR)
	if !reflect.DeepEqual(cert.PublicKey, csr.PublicKey) {
		t.Error("another key was certified")
	}
	serial := serialOf(cert)
	row := h.row(t, serial)
	if row.State != store.CertValid || string(row.DER) != string(cert.Raw) || string(row.TBS) != string(cert.RawTBSCertificate) ||
		row.Issuer != IssuingCA || row.Holder != "h-1" || row.Credential != "c-1" || row.Actor != "registration" ||
		!row.NotAfter.Equal(cert.NotAfter) || !row.NotBefore.Equal(cert.NotBefore) {
		t.Errorf("%+v", row)
	}
	if days := cert.NotAfter.Add(time.Second).Sub(cert.NotBefore).Hours() / 24; days != 1095 {
		t.Errorf("valid for %v days", days)
	}
	err = h.db.Read(t.Context(), func(tx *store.Tx) error {
		c, err := tx.Credential("c-1")
		if c.Certificate != serial {
			t.Errorf("the credential has the certificate %q", c.Certificate)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := h.events(t, serial); !reflect.DeepEqual(got, []string{"certificate.intent", "certificate.issued"}) {
		t.Error(got)
	}
	h.checkJournal(t)
}

// A request that is wrong leaves no trace: no row, no signature.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	good := h.enrol(t, "1", hsm.P256)
	signed := h.keys.signed[IssuingCA]
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	forged := append([]byte(nil), good.CSR...)
	forged[len(forged)-1] ^= 1
	for name, change := range map[string]func(*Request){
		"profile":          func(r *Request) { r.Profile = "root-ca" },
		"actor":            func(r *Request) { r.Actor = "" },
		"holder":           func(r *Request) { r.Holder.ID = "" },
		"credential":       func(r *Request) { r.Credential = "" },
		"no CSR":           func(r *Request) { r.CSR = nil },
		"large CSR":        func(r *Request) { r.CSR = append(r.CSR, make([]byte, maxCSR)...) },
		"trailing":         func(r *Request) { r.CSR = append(append([]byte(nil), r.CSR...), 0) },
		"forged":           func(r *Request) { r.CSR = forged },
		"P-224":            func(r *Request) { r.CSR = csr(t, p224) },
		"P-521":            func(r *Request) { r.CSR = csr(t, p521) },
		"RSA-1024":         func(r *Request) { r.CSR = csr(t, weak) },
		"Ed25519":          func(r *Request) { r.CSR = csr(t, ed) },
		"key of the house": func(r *Request) { r.CSR = csr(t, h.keys.keys[IssuingCA]) },
		"fiscal code":      func(r *Request) { r.Holder.FiscalCode = "RSSMRA85T10A562T" },
		"no name":          func(r *Request) { r.Holder.GivenName = "" },
		"padded name":      func(r *Request) { r.Holder.Surname = " Rossi" },
		"long name":        func(r *Request) { r.Holder.Surname = strings.Repeat("x", 65) },
		"long common name": func(r *Request) {
			r.Holder.GivenName, r.Holder.Surname = strings.Repeat("x", 40), strings.Repeat("y", 40)
		},
		"name with a control": func(r *Request) { r.Holder.Surname = "Ros\x00si" },
		"reversed name":       func(r *Request) { r.Holder.Surname = "Ros\u202esi" },
		"name not UTF-8":      func(r *Request) { r.Holder.Surname = "Ros\xffsi" },
		"limit":               func(r *Request) { r.Limits.Use.Kind = "else" },
	} {
		r := good
		change(&r)
		if _, err := h.Issue(t.Context(), r); KindOf(err) != BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.keys.signed[IssuingCA] != signed {
		t.Error("the CA's key was used")
	}
	if _, err := h.Issue(t.Context(), good); err != nil {
		t.Error(err)
	}
}

// Names of real people.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"D'Amico", "D’Amico", "De Nittis-Rossi", "Zoë", "Müller", "Žižek", "Şahin", "José María", "Sant'Angelo", "李", "J. R."} {
		if err := checkName("surname", n); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
	for _, n := range []string{"", " ", "a  b", "a\tb", "a\nb", "<b>", "a;b", "a=b", "a\u200bb", "a\"b", "a\\b", "a@b"} {
		if err := checkName("surname", n); KindOf(err) != BadRequest {
			t.Errorf("%q is a name", n)
		}
	}
}

// What the linter refuses is not signed, and the refusal is journalled. The
// certificate is made wrong here by a template no profile has.
func TestLintRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	signed := h.keys.signed[IssuingCA]
	tmpl, err := signatureTemplate(h.cfg, h.clock.now(), ProfileSignature, mario(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ext, err := policiesExtension([]policy{{oid: mustOID("2.999.1"), notices: []string{strings.Repeat("x", 201)}}})
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExtraExtensions[0] = ext
	key, _ := newKey(hsm.P256)
	_, err = h.mint(t.Context(), order{profile: ProfileSignature, template: tmpl, public: key.Public(), issuer: IssuingCA,
		parent: h.CA(IssuingCA), actor: "test"})
	if KindOf(err) != Refused || !strings.Contains(err.Error(), "explicit_text_too_long") {
		t.Fatal(err)
	}
	if h.keys.signed[IssuingCA] != signed {
		t.Error("the CA's key was used")
	}
	err = h.db.Read(t.Context(), func(tx *store.Tx) error {
		head, err := tx.JournalHead()
		if head.Event != "certificate.refused" || !strings.Contains(string(head.Detail), "explicit_text_too_long") {
			t.Errorf("the journal ends with %s %s", head.Event, head.Detail)
		}
		if n, _ := tx.CertificatesInState(store.CertIntent); len(n) != 0 {
			t.Error("an intent stays")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// lyingKeys hand out a signer that signs something else.
type lyingKeys struct {
	Keys
	label string
	lie   func(crypto.Signer) crypto.Signer
}

func (k lyingKeys) Signer(ctx context.Context, label string) (crypto.Signer, error) {
	s, err := k.Keys.Signer(ctx, label)
	if err == nil && label == k.label {
		s = k.lie(s)
	}
	return s, err
}

// A token that answers with a wrong signature, or with that of another key, is
// found out; the certificate is not delivered and ends as presumed issued.
func TestWrongSignature(t *testing.T) {
	t.Parallel()
	other, _ := newKey(hsm.P256)
	for name, lie := range map[string]func(crypto.Signer) crypto.Signer{
		"another key": func(crypto.Signer) crypto.Signer { return other },
		"nonsense":    func(s crypto.Signer) crypto.Signer { return nonsense{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, testConfig())
			h.Authority.keys = lyingKeys{h.keys, IssuingCA, lie}
			if _, err := h.Issue(t.Context(), h.enrol(t, "1", hsm.P256)); KindOf(err) != Failed {
				t.Fatal(err)
			}
			h.Authority.keys = h.keys
			if n, err := h.Resolve(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		})
	}
}

type nonsense struct{ crypto.Signer }

func (nonsense) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) { return nil, nil }

// Resolve leaves alone what this process is working on.
func TestResolveDuringIssue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	r := h.enrol(t, "1", hsm.P256)
	reached, release := make(chan struct{}), make(chan struct{})
	h.Authority.keys = lyingKeys{h.keys, IssuingCA, func(s crypto.Signer) crypto.Signer {
		close(reached)
		<-release
		return s
	}}
	var cert *x509.Certificate
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { cert, err = h.Issue(context.Background(), r) })
	<-reached
	if n, err := h.Resolve(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	close(release)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := h.Status(t.Context(), serialOf(cert)); s != store.CertValid {
		t.Error(s)
	}
}

// The regular round settles old intents only; the sweep at the start all.
func TestResolveAges(t *testing.T) {
	t.Parallel()
	h := newHouse(t, testConfig())
	r := h.enrol(t, "1", hsm.P256)
	h.keys.fault = func(what, label string, _ bool) error {
		if what == "sign" && label == IssuingCA {
			return errors.New("time-out")
		}
		return nil
	}
	_, err := h.Issue(t.Context(), r)
	wantKind(t, err, KeyUnavailable)
	h.keys.fault = nil
	h.clock.advance(time.Minute)
	intents := func() (n int) {
		_ = h.db.Read(t.Context(), func(tx *store.Tx) error {
			list, err := tx.CertificatesInState(store.CertIntent)
			n = len(list)
			return err
		})
		return n
	}
	if err := h.PublishCRLs(t.Context()); err != nil || intents() != 1 {
		t.Errorf("a young intent was settled (%v)", err)
	}
	h.clock.advance(intentLife)
	if err := h.PublishCRLs(t.Context()); err != nil || intents() != 0 {
		t.Errorf("an old intent was not settled (%v)", err)
	}
	if n := len(h.list(t, IssuingCA).RevokedCertificateEntries); n != 1 {
		t.Errorf("%d entries on the list", n)
	}
}

func FuzzCSR(f *testing.F) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.P384, hsm.RSA2048} {
		key, err := newKey(kt)
		if err != nil {
			f.Fatal(err)
		}
		der := csr(f, key)
		f.Add(der)
		f.Add(der[:len(der)/2])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		public, err := checkCSR(der)
		if err != nil {
			if KindOf(err) != BadRequest {
				t.Fatal(err)
			}
			return
		}
		if _, err := keyIdentifier(public); err != nil {
			t.Fatal(err)
		}
	})
}
