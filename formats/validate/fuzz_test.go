package validate

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sigillo/formats/cms"
)

// FuzzValidate: no file may make the validator panic or wait, and nobody but our
// holder passes. The seeds are a file of each form at each level, made anew with
// each run; those in testdata are shapes that no honest program writes.
func FuzzValidate(f *testing.F) {
	l := newLife()
	for form := range forms {
		if archivers[form] == nil {
			continue
		}
		for _, file := range l.files(f, form) {
			f.Add(file)
		}
	}
	f.Add(cms.MarshalResponse(token(f, l.tsu1, sha(nil), stampedAt)))
	v := must(New(Options{Anchors: []*x509.Certificate{l.root.cert}, CRLs: l.lists(publishedAt)}))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, contents := range [][]Content{nil, {{Data: bytes.NewReader(nil)}}} {
			begin := time.Now()
			r, err := v.Validate(t.Context(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Name: "fuzz", Time: validatedAt, Contents: contents})
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("%d bytes took %v", len(file), d)
			}
			if err != nil {
				continue
			}
			r.Text("it")
			for _, s := range r.Signatures {
				if s.Indication == TotalPassed && s.Signer != "Ada Prova" && s.Form != "RFC3161" {
					t.Fatalf("%q passes: %s", file, r.Text("en"))
				}
			}
		}
	})
}

// TestWriteSeeds makes the committed seeds again when it is asked to.
func TestWriteSeeds(t *testing.T) {
	if os.Getenv("WRITE_SEEDS") == "" {
		t.Skip("WRITE_SEEDS is not set")
	}
	dir := filepath.Join("testdata", "fuzz", "FuzzValidate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range oddFiles() {
		text := "go test fuzz v1\n[]byte(" + strconv.Quote(string(data)) + ")\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// oddFiles are small files that begin as each kind does.
func oddFiles() map[string][]byte {
	return map[string][]byte{
		"base64":        []byte("MIIB"),
		"pem":           []byte("-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n"),
		"cms-no-signer": {0x30, 0x24, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x17, 0x30, 0x15, 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x00, 0x00},
		"xml-signature": []byte(`<a><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo/><ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature></a>`),
		"xml-entity":    []byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`),
		"json-empty":    []byte(`{"payload":"","signatures":[]}`),
		"json-none":     []byte(`{"payload":"AA","protected":"eyJhbGciOiJub25lIn0","signature":""}`),
		"jws":           []byte("eyJhbGciOiJFUzI1NiJ9.AA.AA"),
		"zip":           []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00mimetype"),
		"pdf":           []byte("%PDF-1.7\n1 0 obj<</Type/Catalog/AcroForm<</Fields[2 0 R]>>>>endobj\n2 0 obj<</FT/Sig/T(a)/V<</Type/Sig/ByteRange[0 1 2 3]/Contents<00>>>>>endobj\nxref\n0 1\n0000000000 65535 f \ntrailer<</Root 1 0 R/Size 3>>\nstartxref\n0\n%%EOF\n"),
		"refusal":       cms.MarshalRefusal(cms.Refusal{FailureInfo: cms.BadAlg, Text: "no"}),
	}
}
