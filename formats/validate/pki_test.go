package validate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/xades"
)

// The day of the tests: signed, stamped a minute later, lists published,
// validated an hour after signing.
var (
	signedAt    = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	stampedAt   = signedAt.Add(time.Minute)
	publishedAt = signedAt.Add(30 * time.Minute)
	validatedAt = signedAt.Add(time.Hour)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// party is a key and its certificate.
type party struct {
	key   crypto.Signer
	cert  *x509.Certificate
	chain []*x509.Certificate // issuers below the root
}

var serials struct {
	sync.Mutex
	n int64
}

func newKey() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// issue makes a certificate; shape changes the template of a signer.
func issue(by *party, key crypto.Signer, cn string, shape func(*x509.Certificate)) *party {
	serials.Lock()
	serials.n++
	t := &x509.Certificate{SerialNumber: big.NewInt(serials.n), Subject: pkix.Name{CommonName: cn, Country: []string{"IT"}},
		NotBefore: signedAt.AddDate(0, -1, 0), NotAfter: signedAt.AddDate(2, 0, 0), KeyUsage: x509.KeyUsageContentCommitment}
	serials.Unlock()
	if shape != nil {
		shape(t)
	}
	parent, signer := t, key
	p := &party{key: key}
	if by != nil {
		parent, signer = by.cert, by.key
		if !bytes.Equal(by.cert.RawIssuer, by.cert.RawSubject) {
			p.chain = append([]*x509.Certificate{by.cert}, by.chain...)
		}
	}
	p.cert = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer))))
	return p
}

func ca(t *x509.Certificate) {
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.NotBefore, t.NotAfter = signedAt.AddDate(-5, 0, 0), signedAt.AddDate(15, 0, 0)
}

func stamping(t *x509.Certificate) {
	t.KeyUsage = x509.KeyUsageDigitalSignature
	eku := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: eku})
}

// world is a small public key infrastructure.
type world struct {
	root, sub, tsaCA, tsu, holder, rsaHolder, stranger *party
}

var pki = sync.OnceValue(func() *world {
	w := &world{}
	w.root = issue(nil, newKey(), "Root", ca)
	w.sub = issue(w.root, newKey(), "Issuing CA", ca)
	w.tsaCA = issue(w.root, newKey(), "TSA CA", ca)
	w.tsu = issue(w.tsaCA, newKey(), "TSU 1", stamping)
	w.holder = issue(w.sub, newKey(), "Ada Prova", nil)
	w.rsaHolder = issue(w.sub, must(rsa.GenerateKey(rand.Reader, 2048)), "Rsa Prova", nil)
	w.stranger = issue(nil, newKey(), "Stranger Root", ca)
	return w
})

// entry is a line of a revocation list.
type entry struct {
	of     *party
	at     time.Time
	reason int
}

// list makes a CRL.
func list(by *party, this, next time.Time, shape func(*x509.RevocationList), entries ...entry) []byte {
	l := &x509.RevocationList{Number: big.NewInt(this.Unix()), ThisUpdate: this, NextUpdate: next}
	for _, e := range entries {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: e.of.cert.SerialNumber, RevocationTime: e.at, ReasonCode: e.reason})
	}
	if shape != nil {
		shape(l)
	}
	return must(x509.CreateRevocationList(rand.Reader, l, by.cert, by.key))
}

// lists makes the current lists of all authorities, with entries of the issuing CA.
func (w *world) lists(entries ...entry) [][]byte {
	next := publishedAt.Add(24 * time.Hour)
	return [][]byte{list(w.root, publishedAt, next, nil), list(w.tsaCA, publishedAt, next, nil), list(w.sub, publishedAt, next, nil, entries...)}
}

// options are those of a relying party that trusts the root.
func (w *world) options(entries ...entry) Options {
	return Options{Anchors: []*x509.Certificate{w.root.cert}, Time: validatedAt, CRLs: w.lists(entries...)}
}

// token makes a time-stamp token.
func token(t testing.TB, tsu *party, digest []byte, at time.Time) []byte {
	t.Helper()
	p, err := cms.PrepareToken(&cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: digest,
		SerialNumber: big.NewInt(7), GenTime: at}, cms.SignerOptions{Certificate: tsu.cert, Chain: tsu.chain, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	der, err := p.Assemble(must(tsu.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// prepared is what the three forms have in common.
type prepared interface {
	DTBSR() []byte
	StampDigest(signature []byte, h crypto.Hash) ([]byte, error)
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

const tokenSize = 16 << 10

var forms = map[string]func(doc []byte, by *party, stamped int) (prepared, error){
	"CAdES": func(doc []byte, by *party, n int) (prepared, error) {
		return cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt, Timestamp: n})
	},
	"PAdES": func(doc []byte, by *party, n int) (prepared, error) {
		return pades.Prepare(bytes.NewReader(doc), int64(len(doc)), pades.Options{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt, Timestamp: n})
	},
	"XAdES": func(doc []byte, by *party, n int) (prepared, error) {
		return xades.Prepare(bytes.NewReader(doc), int64(len(doc)), xades.Options{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt, Timestamp: n})
	},
}

func init() {
	forms["JAdES"] = func(doc []byte, by *party, n int) (prepared, error) {
		return jades.Prepare(bytes.NewReader(doc), int64(len(doc)), jades.Options{Certificate: by.cert, Chain: by.chain, SigningTime: signedAt, Timestamp: n})
	}
}

// container makes one of the ASiC forms fit the others.
type container struct {
	*asic.Prepared
	docs []asic.Document
}

func (c container) Assemble(w io.Writer, _ io.ReaderAt, _ int64, signature, token []byte) error {
	return c.Prepared.Assemble(w, c.docs, signature, token)
}

func init() {
	for name, o := range map[string]asic.Options{
		"ASiC-S/CAdES": {Type: asic.Simple, Form: asic.CAdES}, "ASiC-E/CAdES": {Type: asic.Extended, Form: asic.CAdES},
		"ASiC-E/XAdES": {Type: asic.Extended, Form: asic.XAdES},
	} {
		forms[name] = func(doc []byte, by *party, n int) (prepared, error) {
			o := o
			o.Certificate, o.Chain, o.SigningTime, o.Timestamp, o.Hash = by.cert, by.chain, signedAt, n, crypto.SHA256
			docs := []asic.Document{{Name: "lettera.docx", Reader: bytes.NewReader(doc), Size: int64(len(doc))}}
			if o.Type == asic.Extended {
				docs = append(docs, asic.Document{Name: "altro/nota.txt", Reader: strings.NewReader("nota"), Size: 4})
			}
			p, err := asic.Prepare(docs, o)
			return container{p, docs}, err
		}
	}
}

// document gives something each form can sign.
func document(t testing.TB, form string) []byte {
	t.Helper()
	file := map[string]string{"PAdES": "contratto.pdf", "XAdES": "fattura.xml"}[form]
	if file == "" {
		file = "lettera.docx"
	}
	doc, err := os.ReadFile("../../testdata/documents/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// sign makes a signed file; with a tsu also a time-stamp.
func sign(t testing.TB, form string, doc []byte, by, tsu *party, at time.Time) []byte {
	t.Helper()
	n := 0
	if tsu != nil {
		n = tokenSize
	}
	p, err := forms[form](doc, by, n)
	if err != nil {
		t.Fatal(err)
	}
	value := must(by.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256))
	var tok []byte
	if tsu != nil {
		digest, err := p.StampDigest(value, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		tok = token(t, tsu, digest, at)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, tok); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func validate(t testing.TB, file []byte, o Options) Report {
	t.Helper()
	r, err := Validate(bytes.NewReader(file), int64(len(file)), "dir/file", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// expect checks the result of the only signature.
func expect(t testing.TB, r Report, i Indication, sub SubIndication) SignatureReport {
	t.Helper()
	if len(r.Signatures) != 1 {
		t.Fatalf("%d signatures", len(r.Signatures))
	}
	s := r.Signatures[0]
	if s.Indication != i || s.SubIndication != sub || r.Indication != i {
		t.Fatalf("got %s %s, want %s %s\n%s", s.Indication, s.SubIndication, i, sub, r.Text("en"))
	}
	if len(s.Reasons) == 0 {
		t.Error("no reason is given")
	}
	return s
}

func sha(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}
