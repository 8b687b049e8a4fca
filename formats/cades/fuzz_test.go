package cades_test

import (
	"bytes"
	"io"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
)

// Any input is raised, counter-signed and added to, or refused with an error of a
// kind.
func FuzzRaise(f *testing.F) {
	p := at(f)
	signed := p.sign("p256", false)
	for _, level := range []ades.Level{ades.BB, ades.BT, ades.BLTA} {
		f.Add(p.raise(signed, level, false))
	}
	id := p.Signer(f, "p256")
	e := p.extension(true)
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(err error) {
			if err != nil && cades.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
		}
		in, size := bytes.NewReader(b), int64(len(b))
		_, err := cades.PrepareTimestamp(in, size, e)
		check(err)
		check(cades.AddEvidence(io.Discard, in, size, e))
		_, err = cades.PrepareArchive(in, size, e)
		check(err)
		o := p.options(id, false)
		prepared, err := cades.PrepareCounter(in, size, []int{0}, o)
		check(err)
		if err == nil {
			check(prepared.Assemble(io.Discard, in, size, id.Sign(t, prepared), nil))
		}
		o.Content, o.ContentSize = e.Content, e.ContentSize
		_, err = cades.PrepareParallel(in, size, o)
		check(err)
		if sd, err := cms.ParseBytes(b, cms.Limits{}); err == nil {
			for _, si := range sd.Signers {
				cades.Missing(sd, si, ades.BLTA)
			}
		}
	})
}
