package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

// What a JWS may hold beside its signature is told apart.
func TestBeside(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "rsa2048")
	file := string(withHeader(t, id, `{"alg":"RS256","iat":1,"x5c":["`+base64.StdEncoding.EncodeToString(id.Certificate.Raw)+`"]}`))
	for text, want := range map[string][]string{
		file: nil,
		strings.Replace(file, "{", `{"contract":"I owe you nothing","header":{"amount":1,"etsiU":[]},`, 1):                      {"contract", "header/amount"},
		`{"payload":"` + b64.EncodeToString(document) + `","signatures":[` + strings.Replace(file, "payload", "data", 1) + `]}`: {"signatures/data"},
	} {
		s := read(t, []byte(text))[0]
		if err := s.Verify(); err != nil || !slices.Equal(s.Beside, want) {
			t.Errorf("%v, want %v: %v", s.Beside, want, err)
		}
	}
}

// Several documents that were signed as one text could be cut elsewhere: the
// second of them would begin with the end of the first.
func TestDocumentsWithoutDigests(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "rsa2048")
	doc := func(name, text string) jades.Document {
		return jades.Document{Name: name, Reader: strings.NewReader(text), Size: int64(len(text))}
	}
	for pars, docs := range map[string][]jades.Document{
		`"a"`:     {doc("a", "abcdef")},
		`"a","b"`: {doc("a", "abc"), doc("b", "def")}, // nor as they were signed: it cannot be told
	} {
		f := flat{Protected: b64.EncodeToString([]byte(`{"alg":"RS256","iat":1,"x5c":["` + base64.StdEncoding.EncodeToString(id.Certificate.Raw) +
			`"],"crit":["sigD"],"sigD":{"mId":"http://uri.etsi.org/19182/ObjectIdByURI","pars":[` + pars + `]}}`))}
		h := crypto.SHA256.New()
		h.Write([]byte(f.Protected + "." + b64.EncodeToString([]byte("abcdef"))))
		value, err := id.Key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		f.Signature = b64.EncodeToString(value)
		text, _ := json.Marshal(f)
		sigs, err := jades.Signatures(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := cms.Kind("")
		if len(docs) > 1 {
			want = cms.Unsupported
		}
		if err := sigs[0].Verify(docs...); jades.KindOf(err) != want {
			t.Errorf("%s: %v", pars, err)
		}
	}
}

// counted counts the octets that are read.
type counted struct {
	io.ReaderAt
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// However many archive time-stamps there are, the document is read once for them.
func TestDocumentIsReadOnce(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "rsa2048")
	f := flat{Protected: b64.EncodeToString([]byte(`{"alg":"RS256","iat":1,"x5c":["` + base64.StdEncoding.EncodeToString(id.Certificate.Raw) + `"]}`)), Signature: "AAAA"}
	entry := b64.EncodeToString([]byte(`{"arcTst":{"tstTokens":[{"val":"` +
		base64.StdEncoding.EncodeToString(pki.TSU(t, "p256").Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())) + `"}]}}`))
	f.Header = []byte(`{"etsiU":["` + strings.Join(slices.Repeat([]string{entry}, 20), `","`) + `"]}`)
	text, _ := json.Marshal(f)
	doc := &counted{ReaderAt: strings.NewReader(strings.Repeat("x", 1000))}
	stamps := read(t, text)[0].Stamps(jades.Document{Reader: doc, Size: 1000})
	seen := map[string]bool{}
	for _, s := range stamps {
		sum, err := s.Imprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(sum)] = true
	}
	if len(stamps) != 20 || len(seen) != 20 || doc.n != 1000 {
		t.Errorf("%d time-stamps with %d imprints; %d octets of 1000 were read", len(stamps), len(seen), doc.n)
	}
}
