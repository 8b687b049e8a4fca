package xades

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"encoding/pem"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// handmade signs what this package would not make itself: the parts of a
// prepared signature are changed before the value is computed, so that the
// signature is right and says something else.
func handmade(t *testing.T, doc string, by party, properties, info func(p *Prepared, s string) string) []byte {
	t.Helper()
	p, err := Prepare(strings.NewReader(doc), int64(len(doc)), Options{Certificate: by.cert, SigningTime: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	before, err := canonical(p.objectXML(""), "SignedProperties")
	if err != nil {
		t.Fatal(err)
	}
	if properties != nil {
		p.Properties = properties(p, p.Properties)
	}
	after, err := canonical(p.objectXML(""), "SignedProperties")
	if err != nil {
		t.Fatal(err)
	}
	p.SignedInfo = strings.Replace(p.SignedInfo, b64(before), b64(after), 1)
	if info != nil {
		p.SignedInfo = info(p, p.SignedInfo)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, strings.NewReader(doc), int64(len(doc)), by.sign(t, p), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// b64 is the digest of b as DigestValue has it.
func b64(b []byte) string {
	h := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(h[:])
}

// form is the canonical form of a document or of its nth element.
func form(t *testing.T, doc string, element int, a c14n.Algorithm, prefixes ...string) []byte {
	t.Helper()
	tree, err := c14n.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	target, i := tree.Node, 0
	tree.Root.Walk(func(n *c14n.Node) bool {
		if n.Kind == c14n.ElementNode {
			if i++; i == element {
				target = n
			}
		}
		return true
	})
	var b bytes.Buffer
	if err := c14n.Canonicalize(&b, target, a, c14n.Options{InclusivePrefixes: prefixes}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHandmade(t *testing.T) {
	t.Parallel()
	by := ecHolder()
	doc := `<r xmlns:q="urn:q" xmlns:u="urn:u"><!-- c --><e Id="y" xsi="q:name">1</e></r>`
	old := form(t, doc, 0, c14n.C14N10)
	transform := `<ds:Transform Algorithm="` + string(c14n.C14N10) + `"/>`
	cover := func(from, to string, digest []byte) func(*Prepared, string) string {
		return func(_ *Prepared, s string) string {
			return swap(t, swap(t, s, from, to), b64(old), b64(digest))
		}
	}
	replace := func(from, to string) func(*Prepared, string) string {
		return func(_ *Prepared, s string) string { return swap(t, s, from, to) }
	}
	serial := base64.StdEncoding.EncodeToString(cms.IssuerSerial(by.cert))
	otherSerial := base64.StdEncoding.EncodeToString(cms.IssuerSerial(ec384().cert))
	v1 := func(number string) func(*Prepared, string) string {
		return func(_ *Prepared, s string) string {
			s = strings.ReplaceAll(s, "SigningCertificateV2", "SigningCertificate")
			return swap(t, s, "<xades:IssuerSerialV2>"+serial+"</xades:IssuerSerialV2>", "<xades:IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>"+number+"</ds:X509SerialNumber></xades:IssuerSerial>")
		}
	}
	for _, c := range []struct {
		name             string
		properties, info func(*Prepared, string) string
		kind             Kind
		missing          string
		xmlsec           bool // xmlsec1 must say the same
	}{
		{"as usual", nil, nil, "", "", true},
		{"with-comments transform selects none", nil, cover(transform, `<ds:Transform Algorithm="`+string(c14n.C14N10WithComments)+`"/>`, old), "", "", true},
		{"exclusive with a prefix list", nil, cover(transform, `<ds:Transform Algorithm="`+string(c14n.Exclusive)+`"><ec:InclusiveNamespaces xmlns:ec="`+inclusiveNamespaces+`" PrefixList="q #default"/></ds:Transform>`,
			form(t, doc, 0, c14n.Exclusive, "q", "#default")), "", "", true},
		{"C14N 1.1", nil, cover(transform, `<ds:Transform Algorithm="`+string(c14n.C14N11)+`"/>`, form(t, doc, 0, c14n.C14N11)), "", "", true},
		{"no canonicalisation is C14N 1.0", nil, cover(transform, "", old), "", "", true},
		{"covers one element only", nil, cover(`URI=""><ds:Transforms><ds:Transform Algorithm="`+envelopedTransform+`"/>`, `URI="#y"><ds:Transforms>`, form(t, doc, 2, c14n.C14N10)), NotCovering, "", false},
		{"serial number of another certificate", replace(serial, otherSerial), nil, Unbound, "", false},
		{"signing certificate of the old kind", v1(by.cert.SerialNumber.String()), nil, "", "SigningCertificateV2", true},
		{"old kind, other serial number", v1("7"), nil, Unbound, "", false},
		{"URI in the certificate reference", replace("<xades:Cert>", `<xades:Cert URI="http://x">`), nil, "", "SigningCertificateV2", true},
		{"no signing time", replace("<xades:SigningTime>2026-11-21T10:30:00Z</xades:SigningTime>", ""), nil, "", "SigningTime", true},
		{"signing time without zone", replace("10:30:00Z", "10:30:00"), nil, Malformed, "", false},
		{"format of something else", func(p *Prepared, s string) string { return swap(t, s, p.ID+"-document", "z") }, nil, "", "DataObjectFormat of the document with MimeType", true},
		{"no certificate reference", func(_ *Prepared, s string) string {
			return swap(t, s, between(t, s, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>"), "")
		}, nil, Unbound, "SigningCertificateV2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := handmade(t, doc, by, c.properties, c.info)
			s := only(t, file)
			if err := s.Verify(); KindOf(err) != c.kind {
				t.Fatalf("got %v, want %q\n%s", err, c.kind, file)
			}
			if got := strings.Join(s.missing, ", "); got != c.missing {
				t.Errorf("missing %q, want %q", got, c.missing)
			}
			if c.xmlsec {
				xmlsecAgrees(t, file)
			}
		})
	}
}

func xmlsecAgrees(t *testing.T, file []byte) {
	t.Helper()
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 (package xmlsec1) is missing")
	}
	dir := t.TempDir()
	root, name := filepath.Join(dir, "root.pem"), filepath.Join(dir, "x.xml")
	for path, data := range map[string][]byte{root: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority().cert.Raw}), name: file} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := xmlsec(t, root, name); !strings.Contains(out, "SignedInfo References (ok/all): 2/2") || strings.Contains(out, "FAIL") {
		t.Errorf("xmlsec1 says %s", out)
	}
}

// SHA-1 is verified, so that the validator can call it weak instead of wrong.
func TestSHA1IsReported(t *testing.T) {
	t.Parallel()
	doc := "<a/>"
	sum := crypto.SHA1.New()
	sum.Write(form(t, doc, 0, c14n.C14N10))
	file := handmade(t, doc, ecHolder(), nil, func(_ *Prepared, s string) string {
		s = swap(t, s, b64(form(t, doc, 0, c14n.C14N10)), base64.StdEncoding.EncodeToString(sum.Sum(nil)))
		return swap(t, s, digestURIs[crypto.SHA256], digestURIs[crypto.SHA1])
	})
	s := only(t, file)
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, h := range s.Digests {
		found = found || h == crypto.SHA1
	}
	if !found {
		t.Errorf("digests %v", s.Digests)
	}
}

// MD5 is known, and known to be worthless.
func TestRetired(t *testing.T) {
	t.Parallel()
	doc := `<a/>`
	for _, c := range []struct{ was, is string }{
		{digestURIs[crypto.SHA256], "http://www.w3.org/2001/04/xmldsig-more#md5"},
		{"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"},
	} {
		file := handmade(t, doc, ecHolder(), nil, func(_ *Prepared, s string) string { return swap(t, s, c.was, c.is) })
		if err := only(t, file).Verify(); KindOf(err) != Weak {
			t.Errorf("%s: %v", c.is, err)
		}
	}
}
