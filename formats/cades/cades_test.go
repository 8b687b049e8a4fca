package cades_test

import (
	"bytes"
	"crypto"
	_ "crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

func options(id *cmstest.Identity, timestamp int) cades.Options {
	return cades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: time.Now(), Timestamp: timestamp}
}

// signFile signs doc, through JSON as if another process finished it.
func signFile(t testing.TB, pki *cmstest.PKI, keyType string, h crypto.Hash, pss, stamped bool, doc io.ReaderAt, size int64, w io.Writer) *cmstest.Identity {
	t.Helper()
	id := pki.Signer(t, keyType)
	o := options(id, 0)
	o.Hash, o.PSS = h, pss
	if stamped {
		o.Timestamp = 8000
	}
	first, err := cades.Prepare(doc, size, o)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var p cades.Prepared
	if err := json.Unmarshal(stored, &p); err != nil {
		t.Fatal(err)
	}
	sig := id.Sign(t, &p.CMS)
	var token []byte
	if stamped {
		imprint, err := p.StampDigest(sig, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		token = pki.TSU(t, "p256").Stamp(t, crypto.SHA256, imprint, time.Now())
	}
	counter := &counting{w: w}
	if err := p.Assemble(counter, doc, size, sig, token); err != nil {
		t.Fatal(err)
	}
	if counter.n > p.MaxSize() {
		t.Fatalf("the signed file has %d bytes, MaxSize said at most %d", counter.n, p.MaxSize())
	}
	return id
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.w.Write(b)
}

// Signed files of every key are accepted by openssl -cades, by another library
// and by our own reader, and carry the attributes of the baseline table.
func TestSignedFileIsAccepted(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	doc := []byte("Il sottoscritto dichiara.\n")
	for _, c := range []struct {
		key     string
		hash    crypto.Hash
		pss     bool
		stamped bool
	}{
		{"rsa2048", crypto.SHA256, false, true},
		{"rsa3072", crypto.SHA256, false, false},
		{"rsa2048", crypto.SHA256, true, true},
		{"p256", crypto.SHA256, false, true},
		{"p384", crypto.SHA384, false, false},
	} {
		t.Run(c.key, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			id := signFile(t, pki, c.key, c.hash, c.pss, c.stamped, bytes.NewReader(doc), int64(len(doc)), &out)
			checkOwn(t, out.Bytes(), doc, id, c.stamped)
			checkOpenSSL(t, pki, out.Bytes(), doc)
			if !c.pss { // smallstep/pkcs7 does not know PSS
				checkPKCS7(t, pki, out.Bytes(), doc)
			}
		})
	}
}

func checkOwn(t *testing.T, p7m, doc []byte, id *cmstest.Identity, stamped bool) {
	t.Helper()
	sd, err := cms.ParseBytes(p7m, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	si := sd.Signers[0]
	if err := si.Verify(sd.ContentDigest()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(sd.Content())
	if err != nil || !bytes.Equal(got, doc) {
		t.Fatalf("the document came out as %q, %v", got, err)
	}
	if !si.Certificate.Equal(id.Certificate) || len(sd.Certificates) != 2 || sd.Version != 1 ||
		!si.ContentType.Equal(cms.OIDData) || si.SigningCertificate == nil || time.Since(si.SigningTime).Abs() > time.Minute {
		t.Fatalf("the baseline table is not met: %+v", si)
	}
	if len(si.Tokens) != map[bool]int{true: 1}[stamped] {
		t.Fatalf("there are %d time-stamps", len(si.Tokens))
	}
	for _, raw := range si.Tokens {
		token, err := cms.ParseToken(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(func(h crypto.Hash) ([]byte, error) { return sum(h, si.SignatureValue), nil }); err != nil {
			t.Fatal(err)
		}
	}
}

func checkOpenSSL(t *testing.T, pki *cmstest.PKI, p7m, doc []byte) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"root.pem": cmstest.PEM(pki.Root), "doc.p7m": p7m} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "doc.p7m", "-CAfile", "root.pem", "-purpose", "any", "-out", "doc")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verification successful") {
		t.Fatalf("openssl refused the file: %v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "doc")); err != nil || !bytes.Equal(got, doc) {
		t.Fatalf("openssl took out %q, %v", got, err)
	}
}

func checkPKCS7(t *testing.T, pki *cmstest.PKI, p7m, doc []byte) {
	t.Helper()
	p7, err := pkcs7.Parse(p7m)
	if err != nil {
		t.Fatal(err)
	}
	if err := p7.Verify(); err != nil {
		t.Fatalf("smallstep/pkcs7 refused the file: %v", err)
	}
	if !bytes.Equal(p7.Content, doc) {
		t.Fatalf("smallstep/pkcs7 took out %q", p7.Content)
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	doc := []byte("abc")
	for name, change := range map[string]func(*cades.Options){
		"no signing time":          func(o *cades.Options) { o.SigningTime = time.Time{} },
		"no certificate":           func(o *cades.Options) { o.Certificate = nil },
		"no digest":                func(o *cades.Options) { o.Hash = 0 },
		"SHA-1":                    func(o *cades.Options) { o.Hash = crypto.SHA1 },
		"PSS with an ECDSA key":    func(o *cades.Options) { o.PSS = true },
		"before the certificate":   func(o *cades.Options) { o.SigningTime = id.Certificate.NotBefore.Add(-time.Second) },
		"after the certificate":    func(o *cades.Options) { o.SigningTime = id.Certificate.NotAfter.Add(time.Second) },
		"negative time-stamp size": func(o *cades.Options) { o.Timestamp = -1 },
	} {
		o := options(id, 0)
		change(&o)
		if _, err := cades.Prepare(bytes.NewReader(doc), 3, o); cades.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: got %v, want kind %s", name, err, cms.BadOptions)
		}
	}
	if _, err := cades.Prepare(bytes.NewReader(doc), 4, options(id, 0)); cades.KindOf(err) != cms.Mismatch {
		t.Errorf("a document shorter than said gives %v", err)
	}
}

func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	doc := []byte("abc")
	bb, err := cades.Prepare(bytes.NewReader(doc), 3, options(id, 0))
	if err != nil {
		t.Fatal(err)
	}
	bt, err := cades.Prepare(bytes.NewReader(doc), 3, options(id, 8000))
	if err != nil {
		t.Fatal(err)
	}
	small, err := cades.Prepare(bytes.NewReader(doc), 3, options(id, 100))
	if err != nil {
		t.Fatal(err)
	}
	sig := id.Sign(t, &bt.CMS)
	token := tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, sig), time.Now())
	late := tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, sig), id.Certificate.NotAfter.Add(time.Hour))
	foreign := tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, doc), time.Now())
	for _, c := range []struct {
		name  string
		p     *cades.Prepared
		doc   string
		token []byte
		want  cades.Kind
	}{
		{"B-T without a time-stamp", bt, "abc", nil, cms.BadOptions},
		{"B-B with a time-stamp", bb, "abc", token, cms.BadOptions},
		{"time-stamp larger than announced", small, "abc", token, cms.BadOptions},
		{"time-stamp over something else", bt, "abc", foreign, cms.Mismatch},
		{"time-stamp after expiry", bt, "abc", late, cms.Mismatch},
		{"broken time-stamp", bt, "abc", []byte{0x30, 0}, cms.NotCMS},
		{"other document", bt, "abd", token, cms.Mismatch},
		{"longer document", bt, "abcd", token, cms.Mismatch},
		{"nothing prepared", &cades.Prepared{Size: 3}, "abc", nil, cms.BadOptions},
	} {
		err := c.p.Assemble(io.Discard, strings.NewReader(c.doc), int64(len(c.doc)), sig, c.token)
		if cades.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want kind %s", c.name, err, c.want)
		}
	}
}

// A value that the prepared certificate did not make over the data to be signed is
// refused before anything is written, wherever the signature goes.
func TestAssembleRefusesForeignValues(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, other := pki.Signer(t, "p256"), pki.Signer(t, "p256")
	doc := []byte("abc")
	var signed bytes.Buffer
	signFile(t, pki, "p256", crypto.SHA256, false, false, bytes.NewReader(doc), 3, &signed)
	attached := options(id, 0)
	detached := attached
	detached.Detached = true
	file := signed.Bytes()
	for name, c := range map[string]struct {
		doc     []byte
		prepare func() (*cades.Prepared, error)
	}{
		"attached": {doc, func() (*cades.Prepared, error) { return cades.Prepare(bytes.NewReader(doc), 3, attached) }},
		"detached": {doc, func() (*cades.Prepared, error) { return cades.Prepare(bytes.NewReader(doc), 3, detached) }},
		"parallel": {file, func() (*cades.Prepared, error) {
			return cades.PrepareParallel(bytes.NewReader(file), int64(len(file)), attached)
		}},
		"counter": {file, func() (*cades.Prepared, error) {
			return cades.PrepareCounter(bytes.NewReader(file), int64(len(file)), []int{0}, attached)
		}},
	} {
		p, err := c.prepare()
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := p.CMS
		elsewhere.SignedAttributes = append(bytes.Clone(p.CMS.SignedAttributes), 0)
		for what, value := range map[string][]byte{
			"of another key": other.Sign(t, p), "over other data": id.Sign(t, &elsewhere), "none": nil, "no DER": make([]byte, 70),
		} {
			var out bytes.Buffer
			if err := p.Assemble(&out, bytes.NewReader(c.doc), int64(len(c.doc)), value, nil); cades.KindOf(err) != cms.BadSignature || out.Len() > 0 {
				t.Errorf("%s, %s: got %v with %d bytes written", name, what, err, out.Len())
			}
		}
		if err := p.Assemble(io.Discard, bytes.NewReader(c.doc), int64(len(c.doc)), id.Sign(t, p), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
