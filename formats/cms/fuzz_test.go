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
	full := mustWrite(f, archived(f, pki, der, nil))
	return [][]byte{der, stamped, full, indefinite(f, attached(f, &only, content), 2, id.Certificate.Raw), tsu.Stamp(f, crypto.SHA256, sum(crypto.SHA256, sig), time.Now())}
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
		sd.Evidence()
		sd.InnerType()
		for _, si := range sd.Signers {
			readAll(t, sd, si)
		}
	})
}

// readAll reads all that a signature says and carries.
func readAll(t *testing.T, sd *cms.SignedData, si *cms.SignerInfo) {
	_ = si.Verify(sd.ContentDigest())
	if _, err := si.Properties(); err != nil && cms.KindOf(err) == "" {
		t.Fatalf("an error of no kind: %v", err)
	}
	for _, s := range si.Stamps(sd.ContentDigest()) {
		if _, err := s.Imprint(crypto.SHA256); err != nil && cms.KindOf(err) == "" {
			t.Fatalf("an error of no kind: %v", err)
		}
	}
	for _, c := range si.CounterSignatures {
		readAll(t, sd, c)
	}
}

// What can be parsed can be added to: what was there is there after, octet by
// octet, and in its order.
func FuzzAdd(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	pki := cmstest.New(f)
	more := cms.Additions{Evidence: pki.Evidence(f, time.Now()), Signers: [][]byte{signerInfo(f, pki.Signer(f, "p256"), nil)}}
	f.Fuzz(func(t *testing.T, b []byte) {
		sd, err := cms.ParseBytes(b, cms.Limits{Padding: true})
		if err != nil {
			return
		}
		attrs := more
		if len(sd.Signers) > 0 {
			attrs.Attributes = []cms.Unsigned{{Path: []int{0}, Type: cms.OIDSignatureTimeStamp, Value: []byte{5, 0}}}
		}
		sd2, err := sd.Add(attrs)
		if err != nil {
			if cms.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := sd2.Write(&out); err != nil {
			t.Fatal(err)
		}
		after, err := cms.ParseBytes(out.Bytes(), cms.Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !isSubsequence(sd.RawCertificates, after.RawCertificates) || !isSubsequence(sd.RawRevocation, after.RawRevocation) {
			t.Fatal("members of the root were changed")
		}
		if len(after.Signers) != len(sd.Signers)+1 || sd.ContentSize() != after.ContentSize() {
			t.Fatalf("%d signers became %d", len(sd.Signers), len(after.Signers))
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
