package cms_test

import (
	"crypto"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

func digestFunc(b []byte) func(crypto.Hash) ([]byte, error) {
	return func(h crypto.Hash) ([]byte, error) { return sum(h, b), nil }
}

// What Assemble writes, Parse reads and Verify accepts.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	content := []byte("contratto")
	for _, c := range keyCases {
		id := pki.Signer(t, c.key)
		o := id.Options(c.hash)
		o.PSS = c.pss
		p, err := cms.Prepare(sum(c.hash, content), o)
		if err != nil {
			t.Fatal(err)
		}
		sig := id.Sign(t, p)
		if err := p.VerifySignature(sig); err != nil {
			t.Fatal(err)
		}
		der, err := p.Assemble(sig, nil)
		if err != nil {
			t.Fatal(err)
		}
		sd, err := cms.ParseBytes(der, cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sd.Signers[0].Verify(digestFunc(content)); err != nil {
			t.Fatal(err)
		}
		if err := sd.Signers[0].Verify(digestFunc([]byte("altro"))); cms.KindOf(err) != cms.Mismatch {
			t.Fatalf("other content gives %v, want %s", err, cms.Mismatch)
		}
	}
}
