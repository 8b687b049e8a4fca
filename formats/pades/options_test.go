package pades_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// TestKeyTypes signs with each kind of key and digest, asks pdfsig, and measures the room that was kept.
func TestKeyTypes(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, key := range []string{"rsa2048", "rsa3072-pss", "p256", "p384", "p521", "ed25519"} {
		id := pki.Signer(t, key)
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			if key == "ed25519" && h != crypto.SHA512 {
				continue // RFC 8419 §3.1
			}
			doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, func(o *pades.Options) { o.Hash = h })
			s := signatures(t, doc)[0]
			if err := s.Verify(); err != nil || s.Missing(ades.BB) != nil {
				t.Errorf("%s, %v: %v, %q", key, h, err, s.Missing(ades.BB))
			}
			spare := int(s.ByteRange[2]-s.ByteRange[1]-2)/2 - len(s.CMS)
			if ecdsa := key[0] == 'p'; spare < 0 || !ecdsa && spare != 0 || spare > 12 {
				t.Errorf("%s, %v: %d bytes too many were kept", key, h, spare)
			}
			if key == "ed25519" {
				checkWellFormed(t, doc) // pdfsig of Debian 12 does not know the key
			} else {
				checkTools(t, doc, 1, 0)
			}
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(pdftest.Minimal(), "")
	place := &ades.Place{Street: "Via Appia 1", PostalCode: "00100", City: "Roma", Country: "IT"}
	policy := &ades.Policy{OID: []int{1, 2, 3}, Hash: crypto.SHA256, Digest: make([]byte, 32)}
	signed := sign(t, doc, id, nil, func(o *pades.Options) {
		o.Contact = "ada@example.org"
		o.Properties = ades.Properties{Commitments: []ades.Commitment{ades.ProofOfApproval}, ClaimedRoles: []string{"Direttrice"}, Place: place, Policy: policy}
	})
	s := signatures(t, signed)[0]
	p, err := s.Properties()
	if err != nil || len(p.Commitments) != 1 || len(p.ClaimedRoles) != 1 || p.Policy == nil || p.Place != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if s.Location != "Via Appia 1, 00100 Roma, IT" || s.Contact != "ada@example.org" || s.Missing(ades.BB) != nil {
		t.Errorf("%q, %q, %q", s.Location, s.Contact, s.Missing(ades.BB))
	}
	for name, change := range map[string]func(*pades.Options){
		"reason and commitment": func(o *pades.Options) {
			o.Reason, o.Properties.Commitments = "a", []ades.Commitment{ades.ProofOfOrigin}
		},
		"reason and policy":  func(o *pades.Options) { o.Reason, o.Properties.Policy = "a", policy },
		"expired":            func(o *pades.Options) { o.SigningTime = o.Certificate.NotAfter.Add(time.Second) },
		"not yet valid":      func(o *pades.Options) { o.SigningTime = o.Certificate.NotBefore.Add(-time.Second) },
		"location and place": func(o *pades.Options) { o.Location, o.Properties.Place = "a", place },
	} {
		if _, err := prepare(doc, id, change); pades.KindOf(err) != pades.BadOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContentStamp: a time-stamp over what will be signed becomes part of it.
func TestContentStamp(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	doc := pdftest.Table(pdftest.Minimal(), "")
	options := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: when, ContentStamp: 4000}
	imprint, err := pades.ContentImprint(bytes.NewReader(doc), int64(len(doc)), options)
	if err != nil {
		t.Fatal(err)
	}
	token := tsu.Stamp(t, crypto.SHA256, imprint, when)
	signed := sign(t, doc, id, nil, func(o *pades.Options) {
		*o = options
		o.Properties.ContentStamps = [][]byte{token}
	})
	s := signatures(t, signed)[0]
	stamps := s.Stamps()
	if err := s.Verify(); err != nil || len(stamps) != 1 || stamps[0].Kind != ades.ContentStamp {
		t.Fatalf("%d stamps, %v", len(stamps), err)
	}
	if got, err := stamps[0].Imprint(crypto.SHA256); err != nil || !bytes.Equal(got, imprint) {
		t.Errorf("imprint %x, want %x, %v", got, imprint, err)
	}
	for name, test := range map[string]func(*pades.Options){
		"over something else": func(o *pades.Options) {
			o.Properties.ContentStamps = [][]byte{tsu.Stamp(t, crypto.SHA256, make([]byte, 32), when)}
		},
		"larger than reserved": func(o *pades.Options) { o.ContentStamp = 100 },
		"negative room":        func(o *pades.Options) { o.ContentStamp = -1 },
	} {
		if _, err := prepare(doc, id, func(o *pades.Options) {
			*o = options
			o.Properties.ContentStamps = [][]byte{token}
			test(o)
		}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func qpdf(t testing.TB, doc []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("qpdf"); err != nil {
		t.Skip("qpdf is not installed (Debian package qpdf)")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	if err := os.WriteFile(in, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("qpdf", append(args, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, msg)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestEncrypted signs and archives encrypted documents with their password; they stay encrypted.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	for name, args := range map[string][]string{
		"rc4 40":            {"--allow-weak-crypto", "--encrypt", "u", "o", "40", "--"},
		"rc4 128":           {"--allow-weak-crypto", "--encrypt", "u", "o", "128", "--"},
		"aes 128":           {"--allow-weak-crypto", "--encrypt", "u", "o", "128", "--use-aes=y", "--"},
		"aes 256":           {"--encrypt", "u", "o", "256", "--"},
		"aes 256, streams":  {"--object-streams=generate", "--encrypt", "u", "o", "256", "--"},
		"metadata in clear": {"--encrypt", "u", "o", "256", "--cleartext-metadata", "--"},
	} {
		doc := qpdf(t, pdftest.Table(emptyField(nil), ""), args...)
		if _, err := prepare(doc, id, nil); pades.KindOf(err) != pades.Encrypted {
			t.Errorf("%s, no password: %v", name, err)
		}
		signed := sign(t, doc, id, tsu, func(o *pades.Options) {
			o.Field, o.Password, o.Reason, o.Appearance = "firma", []byte("u"), "perché", textAppearance("Ada")
		})
		lta := stamp(t, signed, tsu, ades.Extension{Evidence: pki.Evidence(t, when), Password: []byte("o")}, archive)
		if bytes.Contains(lta, pki.CA.Raw) && len(doc) > 0 && !bytes.Contains(doc, pki.CA.Raw) {
			t.Errorf("%s: the evidence is not encrypted", name)
		}
		list := document(t, lta, "u").Signatures()
		if len(list) != 2 || list[0].Reason != "perché" || list[0].Missing(ades.BLTA) != nil {
			t.Fatalf("%s: %+v", name, list)
		}
		for i := range list {
			if err := list[i].Verify(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if qpdf(t, lta, "--password=u", "--decrypt"); len(list[0].Evidence().CRLs) != 2 {
			t.Errorf("%s: the evidence has %d lists", name, len(list[0].Evidence().CRLs))
		}
	}
}

// TestAuthorsPermissions: what the author of an encrypted document forbids to those who have the user password.
func TestAuthorsPermissions(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	for modify, allowed := range map[string]struct{ existing, new bool }{"none": {}, "form": {existing: true}, "annotate": {existing: true}, "all": {true, true}} {
		doc := qpdf(t, pdftest.Table(emptyField(nil), ""), "--encrypt", "u", "o", "256", "--modify="+modify, "--")
		for what, want := range map[string]bool{"firma": allowed.existing, "": allowed.new} {
			for password, always := range map[string]bool{"u": false, "o": true} {
				_, err := prepare(doc, id, func(o *pades.Options) { o.Field, o.Password = what, []byte(password) })
				if (err == nil) != (want || always) || err != nil && pades.KindOf(err) != pades.NotPermitted {
					t.Errorf("modify %s, field %q, password %s: %v", modify, what, password, err)
				}
			}
		}
	}
}

// TestObjectsKept compares, as qpdf reads them, all objects before and after: only those may differ that a signature needs.
func TestObjectsKept(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	contract := read(t, "contratto.pdf")
	for name, doc := range map[string][]byte{
		"as it is":       contract,
		"object streams": qpdf(t, contract, "--object-streams=generate"),
		"none":           qpdf(t, contract, "--object-streams=disable"),
		"linearized":     qpdf(t, contract, "--linearize", "--object-streams=generate"),
		"form":           pdftest.Hybrid(emptyField(nil), "", 4, 10),
	} {
		signed := stamp(t, sign(t, doc, id, nil, nil), tsu, ades.Extension{Evidence: pki.Evidence(t, when)}, archive)
		before, after := objects(t, doc), objects(t, signed)
		f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var changed []string
		for key, v := range before {
			if key != "trailer" && !bytes.Equal(v, after[key]) {
				changed = append(changed, key)
			}
		}
		// The catalog, the page, and in the document with a form that. (The annotations of the contract are in the page.)
		if len(changed) > 3 {
			t.Errorf("%s: %q have changed", name, changed)
		}
		all, err := pdf.Open(bytes.NewReader(signed), int64(len(signed)), pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := changes.Analyse(all, len(f.Revisions()))
		if err != nil || len(list) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range list {
			if !(changes.Permissions{DocMDP: 1}).Allow(c) {
				t.Errorf("%s: after the signature: %+v", name, c)
			}
		}
	}
}

// objects gives the objects of a file as qpdf writes them in JSON.
func objects(t testing.TB, doc []byte) map[string]json.RawMessage {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.pdf")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("qpdf", "--json=1", "--json-key=objects", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Objects map[string]json.RawMessage }
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out.Objects
}
