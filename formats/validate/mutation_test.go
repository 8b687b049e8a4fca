package validate

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
)

// shown gives what a reader of a signed file takes for signed.
var shown = map[string]func(file []byte) (string, error){
	"CAdES": func(file []byte) (string, error) {
		sd, err := cms.ParseBytes(file, cms.Limits{})
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(sd.Content())
		return string(b), err
	},
	"PAdES": func(file []byte) (string, error) {
		sigs, err := pades.Signatures(bytes.NewReader(file), int64(len(file)))
		if err != nil || len(sigs) == 0 {
			return "", fmt.Errorf("%d signatures, %w", len(sigs), err)
		}
		b, err := io.ReadAll(sigs[0].Content())
		return string(b), err
	},
	"JAdES": func(file []byte) (string, error) {
		sigs, err := jades.Signatures(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(sigs[0].Payload())
		return string(b), err
	},
	"ASiC-E/CAdES": documents, "ASiC-E/XAdES": documents, "ASiC-S/CAdES": documents,
}

// documents are all documents of a container with their names.
func documents(file []byte) (string, error) {
	c, err := asic.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, d := range c.Documents {
		b, err := io.ReadAll(d.Open())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s\x00%d\x00%s", d.Name, len(b), b)
	}
	return out.String(), nil
}

// mutate changes a file in one of the ways that need no knowledge of its form.
func mutate(r *rand.Rand, file []byte) []byte {
	m := bytes.Clone(file)
	at := r.IntN(len(m))
	to := min(at+1+r.IntN(64), len(m))
	switch r.IntN(8) {
	case 0:
		m[at] ^= 1 << r.IntN(8)
	case 1:
		m[at] = byte(r.IntN(256))
	case 2:
		m = slices.Delete(m, at, to)
	case 3:
		m = slices.Insert(m, at, m[at:to]...)
	case 4:
		copy(m[at:], bytes.Repeat([]byte{byte(r.IntN(256))}, to-at))
	case 5:
		copy(m[at:to], file[r.IntN(len(file)):])
	case 6:
		m = m[:at]
	case 7:
		m = append(m, m[at:to]...)
	}
	return m
}

// However a signed file is changed: if it passes, it shows what was signed by whom
// it was signed. Most changes that pass are of the case of a hexadecimal digit in
// a PDF, of a certificate that is not needed, or of dates in a ZIP directory.
func TestMutations(t *testing.T) {
	t.Parallel()
	w := pki()
	v := must(New(w.options()))
	for form, show := range shown {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			doc := []byte("poco da firmare")
			if form == "PAdES" {
				doc = document(t, form)
			}
			file := sign(t, form, doc, w.holder, w.tsu, stampedAt)
			want := must(show(file))
			r := rand.New(rand.NewPCG(1, 2))
			passed := 0
			for range 500 {
				m := mutate(r, file)
				if bytes.Equal(m, file) {
					continue
				}
				got, err := v.Validate(t.Context(), Document{Data: bytes.NewReader(m), Size: int64(len(m)), Time: validatedAt})
				if err != nil || got.Indication != TotalPassed {
					continue
				}
				passed++
				if now, err := show(m); err != nil || now != want || got.Signatures[0].Signer != "Ada Prova" {
					t.Fatalf("a changed file passes: %v\n%s", err, got.Text("en"))
				}
			}
			if passed > 150 {
				t.Errorf("%d of 500 changed files pass", passed)
			}
		})
	}
}
