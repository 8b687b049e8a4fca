package jades_test

import (
	"bytes"
	"io"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

// FuzzSignatures reads anything, asks everything of it, and raises what can be
// raised: the result must be a file that is read again.
func FuzzSignatures(f *testing.F) {
	pki := cmstest.New(f)
	id := pki.Signer(f, "p256")
	for _, s := range []jades.Serialization{jades.Compact, jades.Flattened, jades.General} {
		o := options(id)
		o.Serialization = s
		file := sign(f, pki, id, o, document)
		f.Add(file)
		f.Add(raise(f, pki, file, ades.BLTA, nil))
	}
	d := doc(document)
	f.Fuzz(func(t *testing.T, file []byte) {
		sigs, err := jades.Signatures(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if jades.KindOf(err) == "" {
				t.Fatalf("the error %v has no kind", err)
			}
			return
		}
		for _, s := range sigs {
			s.Verify(d)
			s.Missing(ades.BLTA)
			s.Evidence()
			for _, stamp := range s.Stamps(d) {
				stamp.Imprint(5)
			}
			if p := s.Payload(); p != nil {
				io.Copy(io.Discard, p)
			}
		}
		e := ades.Extension{Evidence: ades.Evidence{CRLs: [][]byte{{1}}}}
		var out bytes.Buffer
		if jades.AddEvidence(&out, bytes.NewReader(file), int64(len(file)), e) != nil {
			return
		}
		again, err := jades.Signatures(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || len(again) != len(sigs) {
			t.Fatalf("a raised file cannot be read: %v\n%s", err, out.Bytes())
		}
	})
}
