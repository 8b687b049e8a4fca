package xades

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

func ecdsaKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// between cuts the text from start up to and including end.
func between(t *testing.T, s, start, end string) string {
	t.Helper()
	i := strings.Index(s, start)
	if i < 0 {
		t.Fatalf("no %q", start)
	}
	j := strings.Index(s[i:], end)
	if j < 0 {
		t.Fatalf("no %q", end)
	}
	return s[i : i+j+len(end)]
}

// swap replaces exactly one occurrence.
func swap(t *testing.T, s, old, new string) string {
	t.Helper()
	if strings.Count(s, old) < 1 {
		t.Fatalf("no %q", old)
	}
	return strings.Replace(s, old, new, 1)
}

// declared wraps pieces of a signature so that their prefixes are declared.
func declared(s string) string {
	return `<w xmlns:xades="` + xadesNamespace + `" xmlns:ds="` + dsNamespace + `">` + s + "</w>"
}

// Every variant keeps the original signature value and tries to make the
// reader see something else than what was signed.
func TestManipulationsAreRefused(t *testing.T) {
	t.Parallel()
	doc := string(signed(t, `<a><pay to="Ada">10</pay></a>`, variants[0], true))
	signature := between(t, doc, "<ds:Signature ", closeSignature)
	object := between(t, doc, "<ds:Object>", "</ds:Object>")
	properties := between(t, doc, "<xades:SignedProperties ", "</xades:SignedProperties>")
	info := between(t, doc, "<ds:SignedInfo>", "</ds:SignedInfo>")
	content := `<pay to="Ada">10</pay>`
	forged := strings.Replace(properties, "2026-11-21T10:30:00Z", "2020-01-01T00:00:00Z", 1)
	cert := between(t, doc, "<ds:X509Certificate>", "</ds:X509Certificate>")
	mallory := holder(must(ecdsaKey()))
	malloryCert := "<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(mallory.cert.Raw) + "</ds:X509Certificate>"
	id := only(t, []byte(doc)).ID

	for _, c := range []struct {
		name, doc string
		kind      Kind
	}{
		{"content changed", swap(t, doc, ">10<", ">99<"), HashFailure},
		{"content added before the signature", swap(t, doc, signature, "<more/>"+signature), HashFailure},
		{"content added after the signature", swap(t, doc, signature, signature+"<more/>"), HashFailure},
		{"white space added", swap(t, doc, "</a>", "\n</a>"), HashFailure},
		{"instruction added beside the root", doc + "<?x y?>", HashFailure},
		{"content smuggled into an object of the signature", swap(t, doc, "</ds:Object>", `</ds:Object><ds:Object><pay to="Eva">99</pay></ds:Object>`), Malformed},
		{"content smuggled into the same object", swap(t, doc, "</xades:QualifyingProperties>", `</xades:QualifyingProperties><pay to="Eva">99</pay>`), Malformed},
		{"text smuggled beside the properties", swap(t, doc, "<xades:QualifyingProperties", "pay Eva 99<xades:QualifyingProperties"), Malformed},
		{"text smuggled into the properties", swap(t, doc, "<xades:SignedProperties", "pay Eva 99<xades:SignedProperties"), Malformed},
		{"text smuggled into the signature", swap(t, doc, "<ds:SignedInfo>", "pay Eva 99<ds:SignedInfo>"), Malformed},
		{"content smuggled into the signature", swap(t, doc, "</ds:Object>", `</ds:Object><pay to="Eva">99</pay>`), Malformed},
		{"content smuggled before SignedInfo", swap(t, doc, "<ds:SignedInfo>", `<pay to="Eva">99</pay><ds:SignedInfo>`), Malformed},
		{"original wrapped inside the signature, new content outside",
			swap(t, swap(t, doc, content, `<pay to="Eva">99</pay>`), "</ds:Object>", "</ds:Object><ds:Object>"+content+"</ds:Object>"), Malformed},
		{"signature moved to another document", "<a><pay to=\"Eva\">99</pay>" + signature + "</a>", HashFailure},
		{"whole signed document wrapped", "<b>" + doc + "</b>", HashFailure},
		{"signature nested in another element", swap(t, doc, signature, "<c>"+signature+"</c>"), HashFailure},
		{"signature twice", swap(t, doc, signature, signature+signature), Malformed},
		{"signed properties changed", swap(t, doc, properties, forged), HashFailure},
		{"forged properties first, original in a second object", swap(t, doc, object, swap(t, object, properties, forged)+object), Malformed},
		{"forged properties first, original in the unsigned ones", swap(t, swap(t, doc, properties, forged), "<xades:UnsignedSignatureProperties>", "<xades:UnsignedSignatureProperties>"+properties), Malformed},
		{"forged properties with another Id", swap(t, doc, properties, swap(t, forged, id+"-properties", "x")+properties), Malformed},
		{"forged properties elsewhere with the same Id", swap(t, doc, content, content+declared(forged)), Malformed},
		{"original properties moved into the document, forged in place", swap(t, swap(t, doc, properties, swap(t, forged, id+"-properties", "x")), content, content+declared(properties)), Malformed},
		{"Id taken by an attribute named xml:id", swap(t, doc, content, `<pay to="Ada" xml:id="`+id+`-properties">10</pay>`), Malformed},
		{"Id of the signature taken twice", swap(t, doc, "<ds:Object>", `<ds:Object Id="`+id+`">`), Malformed},
		{"QualifyingProperties of another signature", swap(t, doc, `Target="#`+id+`"`, `Target="#x"`), Malformed},
		{"two SignedInfo", swap(t, doc, info, info+info), Malformed},
		{"forged SignedInfo first", swap(t, doc, info, strings.Replace(info, "URI=\"\"", "URI=\"#x\"", 1)+info), Malformed},
		{"reference narrowed to an element", swap(t, swap(t, doc, `<ds:Reference Id="`+id+`-document" URI="">`, `<ds:Reference Id="`+id+`-document" URI="#y">`), content, `<pay Id="y" to="Ada">10</pay>`), Unsupported},
		{"XPath transform", swap(t, doc, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`, `<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"/>`), Unsupported},
		{"external reference", swap(t, doc, `URI=""`, `URI="http://localhost/x"`), Unsupported},
		{"xpointer", swap(t, doc, `URI=""`, `URI="#xpointer(/)"`), Unsupported},
		{"digest algorithm MD5", swap(t, doc, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#md5"), Weak},
		{"HMAC instead of a signature", swap(t, doc, "xmldsig-more#ecdsa-sha256", "xmldsig-more#hmac-sha256"), Unsupported},
		{"signature algorithm swapped", swap(t, doc, "xmldsig-more#ecdsa-sha256", "xmldsig-more#ecdsa-sha512"), SignatureFailure},
		{"certificate swapped", swap(t, doc, cert, malloryCert), NoCertificate},
		{"properties removed", swap(t, doc, object, ""), Unbound},
		{"signed properties removed", swap(t, doc, properties, ""), Malformed},
		{"signature value changed", swap(t, doc, "-value\">", "-value\">AAAA"), SignatureFailure},
		{"signature value inflated", swap(t, doc, "-value\">", "-value\">"+strings.Repeat(" ", maxValue)), Limit},
		{"properties referred to without their type", swap(t, doc, "Type=\""+signedPropertiesType+"\" ", ""), Malformed},
		{"document referred to twice", swap(t, doc, "</ds:SignedInfo>", between(t, doc, "<ds:Reference Id", "</ds:Reference>")+"</ds:SignedInfo>"), Malformed},
		{"no enveloped-signature transform", swap(t, doc, `<ds:Transform Algorithm="`+envelopedTransform+`"/>`, ""), Malformed},
		{"signature value removed", swap(t, doc, between(t, doc, "<ds:SignatureValue ", "</ds:SignatureValue>"), ""), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sigs, err := Signatures([]byte(c.doc))
			if err != nil {
				t.Fatalf("the document is not even XML: %v\n%s", err, c.doc)
			}
			if len(sigs) == 0 {
				t.Fatal("no signature found")
			}
			for i := range sigs {
				if err := sigs[i].Verify(); KindOf(err) != c.kind {
					t.Errorf("got %v, want %s", err, c.kind)
				}
			}
		})
	}
}

// References to parts of the document are few, since each may be a pass over it;
// those to files may be as many as an ASiC container has.
func TestManyReferences(t *testing.T) {
	t.Parallel()
	parts := ""
	for i := range maxReferences {
		parts += fmt.Sprintf(`<b Id="b%d"/>`, i)
	}
	doc := string(signed(t, "<a>"+parts+"</a>", variants[0], true))
	digest := between(t, doc, "<ds:DigestMethod", "</ds:DigestValue>")
	with := func(n int, uri string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<ds:Reference URI="`+uri+`">%s</ds:Reference>`, i, digest)
		}
		return swap(t, doc, "</ds:SignedInfo>", b.String()+"</ds:SignedInfo>")
	}
	for _, c := range []struct {
		name, doc string
		kind      Kind
	}{
		{"parts", with(maxReferences-1, "#b%d"), Limit}, // two are there already
		{"fewer parts", with(maxReferences-2, "#b%d"), HashFailure},
		{"files", with(maxFiles+1, "f%d"), Limit},
		{"fewer files", with(maxFiles, "f%d"), SignatureFailure}, // the files are not given
		{"one file under two names", swap(t, with(2, "f%d"), `URI="f1"`, `URI="%66%30"`), Malformed},
	} {
		began := time.Now()
		if err := only(t, []byte(c.doc)).Verify(); KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want %s", c.name, err, c.kind)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%s: %v", c.name, d)
		}
	}
}

// A second certificate in KeyInfo, even first, does not become the signer.
func TestSignerIsTheNamedCertificate(t *testing.T) {
	t.Parallel()
	doc := string(signed(t, "<a/>", variants[0], false))
	mallory := holder(must(ecdsaKey()))
	doc = swap(t, doc, "<ds:X509Data>", "<ds:X509Data><ds:X509Certificate>"+base64.StdEncoding.EncodeToString(mallory.cert.Raw)+"</ds:X509Certificate>")
	s := only(t, []byte(doc))
	if err := s.Verify(); err != nil || !s.Certificate.Equal(ecHolder().cert) {
		t.Errorf("got %v, signer %s", err, s.Certificate.Subject)
	}
}

// The same document in other bytes is the same document.
func TestEquivalentBytesVerify(t *testing.T) {
	t.Parallel()
	doc := signed(t, "<a b='1' c='2'>x</a>", variants[0], false)
	for _, c := range [][2]string{{"b='1' c='2'", "c=\"2\"   b=\"1\""}, {">x<", "><![CDATA[x]]><"}, {">x<", "><!-- no -->&#120;<"}} {
		again := bytes.Replace(doc, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(again, doc) {
			t.Fatalf("no %q", c[0])
		}
		if err := only(t, again).Verify(); err != nil {
			t.Errorf("%q: %v", c[1], err)
		}
	}
}
