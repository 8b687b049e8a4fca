package validate

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"sigillo/formats/cms"
)

// detached makes a .p7s.
func detached(t *testing.T, content []byte, by *party) []byte {
	t.Helper()
	p, err := cms.Prepare(sha(content), cms.SignerOptions{Certificate: by.cert, Chain: by.chain, Hash: crypto.SHA256, SigningTime: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	der, err := p.Assemble(must(by.key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestDetached(t *testing.T) {
	t.Parallel()
	w := pki()
	content := []byte("il contenuto")
	file := detached(t, content, w.holder)
	with := func(b []byte) Options {
		o := w.options()
		o.Content, o.ContentSize = bytes.NewReader(b), int64(len(b))
		return o
	}
	expect(t, validate(t, file, with(content)), TotalPassed, "")
	expect(t, validate(t, file, with([]byte("un altro"))), TotalFailed, HashFailure)
	expect(t, validate(t, file, w.options()), Indeterminate, SignedDataNotFound)
	text := []byte(base64.StdEncoding.EncodeToString(file))
	expect(t, validate(t, text, with(content)), TotalPassed, "")
	expect(t, validate(t, pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: file}), with(content)), TotalPassed, "")
}

// Where the document is not at hand its digest does, by the algorithm that signed it.
func TestDetachedByDigest(t *testing.T) {
	t.Parallel()
	w := pki()
	content := []byte("il contenuto")
	file := detached(t, content, w.holder)
	with := func(h crypto.Hash, text string) Options {
		d := h.New()
		d.Write([]byte(text))
		o := w.options()
		o.Contents = []Content{{Name: "contratto.pdf", Digests: map[crypto.Hash][]byte{h: d.Sum(nil)}}}
		return o
	}
	expect(t, validate(t, file, with(crypto.SHA256, "il contenuto")), TotalPassed, "")
	expect(t, validate(t, file, with(crypto.SHA256, "un altro")), TotalFailed, HashFailure)
	if r := validate(t, file, with(crypto.SHA512, "il contenuto")); r.Indication == TotalPassed {
		t.Error("passed by a digest that was not signed")
	}
	for _, form := range []string{"XAdES", "JAdES"} {
		signed := sign(t, form, []byte("<a>contratto</a>"), w.holder, nil, signedAt)
		o := with(crypto.SHA256, "il contenuto")
		if r, err := Validate(bytes.NewReader(signed), int64(len(signed)), "f", o); KindOf(err) != BadOptions {
			t.Errorf("%s: %v, %v", form, r.Indication, err)
		}
	}
}

// A document that was taken out of a container was not changed: it is not there.
func TestDocumentTakenOut(t *testing.T) {
	t.Parallel()
	w := pki()
	for _, form := range []string{"ASiC-E/CAdES", "ASiC-E/XAdES"} {
		signed := sign(t, form, []byte("contratto"), w.holder, nil, signedAt)
		in := must(zip.NewReader(bytes.NewReader(signed), int64(len(signed))))
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		taken := 0
		for _, f := range in.File {
			if f.Name != "mimetype" && !strings.HasPrefix(f.Name, "META-INF/") && taken == 0 {
				taken++
				continue
			}
			if err := z.Copy(f); err != nil {
				t.Fatal(err)
			}
		}
		zipFile(t, z, "altro.txt", "another document")
		if err := z.Close(); err != nil || taken == 0 {
			t.Fatal(taken, err)
		}
		expect(t, validate(t, out.Bytes(), w.options()), Indeterminate, SignedDataNotFound)
	}
}
