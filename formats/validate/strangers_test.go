package validate

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/asic"
	"sigillo/formats/xades"
)

// asked remembers for whom it was asked, and has nothing.
type asked []string

func (a *asked) Issuers(context.Context, *x509.Certificate) ([]*x509.Certificate, error) {
	return nil, nil
}

func (a *asked) CRLs(_ context.Context, c *x509.Certificate) ([][]byte, error) {
	*a = append(*a, "CRL of "+c.Subject.CommonName)
	return nil, nil
}

func (a *asked) OCSP(_ context.Context, c, _ *x509.Certificate) ([][]byte, error) {
	*a = append(*a, "OCSP of "+c.Subject.CommonName)
	return nil, nil
}

// Whoever holds a certificate can sign another one with its key. No authority
// vouches for the addresses in that, which may lead into our own network.
func TestNobodysAddresses(t *testing.T) {
	t.Parallel()
	w := pki()
	fake := issue(w.holder, newKey(), "Nobody", func(c *x509.Certificate) {
		c.CRLDistributionPoints, c.OCSPServer = []string{"http://127.0.0.1/crl"}, []string{"http://127.0.0.1/ocsp"}
	})
	known := issue(w.sub, newKey(), "Known", nil)
	for _, c := range []struct {
		by   *party
		want int
	}{{fake, 0}, {known, 2}} {
		var a asked
		o := Options{Anchors: []*x509.Certificate{w.root.cert}, CRLs: w.lists()[:2], Time: validatedAt, Fetch: &a}
		file := sign(t, "CAdES", []byte("x"), c.by, nil, time.Time{})
		validate(t, file, o)
		if _, err := must(New(o)).Collect(context.Background(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Time: validatedAt}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, what := range a {
			if strings.HasSuffix(what, c.by.cert.Subject.CommonName) {
				n++
			}
		}
		if n < c.want || c.want == 0 && n > 0 {
			t.Errorf("%s: asked for %v", c.by.cert.Subject.CommonName, a)
		}
	}
}

// A document that comes into a signed container together with a time-stamp over it
// and the signature is still signed by nobody.
func TestDocumentBesideStampedSignature(t *testing.T) {
	t.Parallel()
	w := pki()
	docs := []asic.Document{{Name: "contratto.txt", Reader: strings.NewReader("1000 euro"), Size: 9}}
	p := must(asic.Prepare(docs, asic.Options{Type: asic.Extended, Form: asic.CAdES, Certificate: w.holder.cert, Chain: w.holder.chain, SigningTime: signedAt, Hash: crypto.SHA256}))
	var signed bytes.Buffer
	if err := p.Assemble(&signed, docs, must(w.holder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	references := ""
	put := func(name string, b []byte) {
		f := must(zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}))
		must(f.Write(b))
		if strings.HasSuffix(name, ".p7s") || name == "allegato.txt" {
			references += `<asic:DataObjectReference URI="` + name + `"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>` +
				base64.StdEncoding.EncodeToString(sha(b)) + `</ds:DigestValue></asic:DataObjectReference>`
		}
	}
	for _, f := range must(zip.NewReader(bytes.NewReader(signed.Bytes()), int64(signed.Len()))).File {
		put(f.Name, must(io.ReadAll(must(f.Open()))))
	}
	put("allegato.txt", []byte("e altri 900000"))
	manifest := []byte(`<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
		`<asic:SigReference URI="META-INF/timestamp9.tst"/>` + references + `</asic:ASiCManifest>`)
	put("META-INF/ASiCManifest9.xml", manifest)
	put("META-INF/timestamp9.tst", token(t, w.tsu, sha(manifest), stampedAt))
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	s := expect(t, validate(t, out.Bytes(), w.options()), Indeterminate, SigConstraintsFailure)
	if !hasCode(s, "uncovered") || !s.Stamped() {
		t.Errorf("%v", s.Reasons)
	}
}

// Contents that would not be looked at are refused, or spoken of; and so are data
// beside a signature.
func TestNotSigned(t *testing.T) {
	t.Parallel()
	w := pki()
	content := func(name, text string) Content {
		return Content{Name: name, Data: strings.NewReader(text), Size: int64(len(text))}
	}
	p := must(xades.Prepare(strings.NewReader("abc"), 3, xades.Options{Certificate: w.holder.cert, Chain: w.holder.chain, Hash: crypto.SHA256,
		SigningTime: signedAt, Packaging: xades.Detached, Name: "a.txt"}))
	var file bytes.Buffer
	if err := p.Assemble(&file, strings.NewReader("abc"), 3, must(w.holder.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	o.Contents = []Content{content("a.txt", "abc"), content("b.txt", "and more")}
	if s := expect(t, validate(t, file.Bytes(), o), TotalPassed, ""); !hasCode(s, "not-named") {
		t.Errorf("%v", s.Reasons)
	}
	o.Contents = []Content{content("a.txt", "abc"), content("a.txt", "forged")}
	if _, err := Validate(bytes.NewReader(file.Bytes()), int64(file.Len()), "f", o); KindOf(err) != BadOptions {
		t.Errorf("two contents of one name: %v", err)
	}
	text := bytes.Replace(sign(t, "JAdES", []byte(`{"pay":1}`), w.holder, nil, time.Time{}), []byte("{"), []byte(`{"pay":1000,`), 1)
	if s := expect(t, validate(t, text, w.options()), TotalPassed, ""); !hasCode(s, "beside") || s.CoversWholeDocument {
		t.Errorf("%v %v", s.Reasons, s.CoversWholeDocument)
	}
}
