package cms_test

import (
	"bytes"
	"crypto"
	"io"
	"math/big"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// seeds gives messages of each form.
func seeds(f *testing.F) [][]byte {
	pki := cmstest.New(f)
	id, tsu := pki.Signer(f, "p256"), pki.TSU(f, "p256")
	only := *id
	only.Chain = nil
	content := []byte("contratto")
	p, err := cms.Prepare(sum(crypto.SHA256, content), id.Options(crypto.SHA256))
	if err != nil {
		f.Fatal(err)
	}
	sig := id.Sign(f, p)
	stamped, err := p.Assemble(sig, tsu.Stamp(f, crypto.SHA256, sum(crypto.SHA256, sig), time.Now()))
	if err != nil {
		f.Fatal(err)
	}
	der := attached(f, id, content)
	return [][]byte{der, stamped, indefinite(f, attached(f, &only, content), 2, id.Certificate.Raw), tsu.Stamp(f, crypto.SHA256, sum(crypto.SHA256, sig), time.Now())}
}

// Any input is parsed to the end or refused with an error of this package, and what
// is parsed can be read and verified without harm.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sd, err := cms.ParseBytes(b, cms.Limits{Padding: true})
		if err != nil {
			if cms.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if sd.HasContent() {
			n, err := io.Copy(io.Discard, sd.Content())
			if err != nil || n != sd.ContentSize() || n > int64(len(b)) {
				t.Fatalf("content of %d bytes, read %d: %v", sd.ContentSize(), n, err)
			}
		}
		for _, si := range sd.Signers {
			_ = si.Verify(sd.ContentDigest())
		}
	})
}

// What is accepted as a request is DER, for it is written again the same.
func FuzzParseTimestampRequest(f *testing.F) {
	for _, n := range []*big.Int{nil, big.NewInt(-5), big.NewInt(1 << 40)} {
		req, err := cms.MarshalTimestampRequest(crypto.SHA256, make([]byte, 32), n, n == nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(req)
	}
	f.Add([]byte(der(0x30, one, imprint(32), policy, nonce, yes, der(0xa0, der(0x30, policy, der(0x04, "x"))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		req, refusal := cms.ParseTimestampRequest(b)
		if (req == nil) == (refusal == nil) {
			t.Fatal("neither or both of request and refusal")
		}
		if refusal != nil {
			if r, err := cms.ParseResponse(cms.MarshalRefusal(*refusal)); err != nil || r.Refusal == nil {
				t.Fatalf("the refusal cannot be read: %v", err)
			}
			return
		}
		if again, err := req.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written again as %x, %v", b, again, err)
		}
	})
}

// Any input is a token or an error, and verifying it does no harm.
func FuzzParseToken(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
		f.Add(cms.MarshalResponse(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := cms.ParseResponse(b); err == nil && r.Token != nil {
			b = r.Token
		}
		token, err := cms.ParseToken(b)
		if err != nil {
			if cms.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		_ = token.Verify(func(h crypto.Hash) ([]byte, error) { return token.Info.Imprint, nil })
	})
}
