package asic_test

import (
	"bytes"
	"io"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms/cmstest"
)

// FuzzOpen reads anything, asks everything of it, and raises what can be raised.
// What is read and raised is read again with the same documents.
func FuzzOpen(f *testing.F) {
	pki := cmstest.New(f)
	id := pki.Signer(f, "p256")
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		for typ, docs := range map[asic.Type][]asic.Document{asic.Simple: one, asic.Extended: several} {
			file := sign(f, pki, id, docs, options(id, form, typ))
			f.Add(file)
			f.Add(zipOf(parts(f, file), "mimetype=x", nil))
			f.Add(raise(f, pki, file, ades.BLTA))
		}
	}
	f.Add(stampOnly(f, pki, asic.Extended, several))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := openBytes(file)
		if err != nil {
			if asic.KindOf(err) == "" {
				t.Fatalf("the error %v has no kind", err)
			}
			return
		}
		for _, s := range c.Signatures() {
			s.Verify()
			s.Missing(ades.BLTA)
			s.Evidence()
			for _, stamp := range s.Stamps() {
				stamp.Imprint(5)
			}
		}
		for _, s := range c.Stamps() {
			s.Verify()
		}
		c.Uncovered()
		var out bytes.Buffer
		if asic.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), ades.Extension{Evidence: ades.Evidence{CRLs: [][]byte{{0x30, 0}}}}) != nil {
			return
		}
		again, err := openBytes(out.Bytes())
		if err != nil || len(again.Documents) != len(c.Documents) {
			t.Fatalf("a raised container cannot be read: %v", err)
		}
		for i, d := range c.Documents {
			a, aerr := io.ReadAll(d.Open())
			b, berr := io.ReadAll(again.Documents[i].Open())
			if !bytes.Equal(a, b) || (aerr == nil) != (berr == nil) {
				t.Fatalf("the document %q changed", d.Name)
			}
		}
	})
}
