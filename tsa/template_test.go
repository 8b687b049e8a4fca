package tsa

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"io"
	"math"
	"math/big"
	mrand "math/rand/v2"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/der"
)

// general makes the token by the way of package cms, with the value of a signature
// that was made elsewhere.
func general(t *testing.T, info cms.TSTInfo, o cms.SignerOptions, value []byte) []byte {
	t.Helper()
	p, err := cms.PrepareToken(&info, o)
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.Assemble(value, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// randomRequest gives a valid request in DER with its parts as they are to be
// repeated.
func randomRequest(t *testing.T, r *mrand.Rand, policy asn1.ObjectIdentifier, hashes []crypto.Hash) ([]byte, *cms.TimestampRequest) {
	t.Helper()
	h := hashes[r.IntN(len(hashes))]
	req := &cms.TimestampRequest{Hash: h, Imprint: make([]byte, h.Size()), CertReq: r.IntN(2) == 0}
	fill(r, req.Imprint)
	if r.IntN(2) == 0 {
		req.HashAlgorithmRaw = der.TLV(der.Sequence, der.OID(cms.HashOID(h)), der.TLV(der.Null))
	}
	if r.IntN(2) == 0 {
		req.Policy = policy
	}
	if r.IntN(4) > 0 {
		nonce := make([]byte, 1+r.IntN(cms.MaxNonce))
		fill(r, nonce)
		if nonce[0] == 0 || nonce[0] == 0xff {
			nonce[0] = 0x7f
		}
		req.NonceRaw = der.TLV(der.Integer, nonce)
	}
	raw, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw, req
}

func fill(r *mrand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// Every token is octet for octet the one that the general way makes, for all kinds
// of keys and random times, numbers, nonces, policies and chains.
func TestTemplateIsTheGeneralWay(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, kind := range []string{"p256", "p384", "p521", "ed25519", "rsa2048", "rsa2048-pss", "rsa3072"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			id := pki.TSU(t, kind)
			h := signatureHash(id.Certificate.PublicKey)
			seed := uint64(time.Now().UnixNano())
			r := mrand.New(mrand.NewPCG(seed, 7))
			t.Logf("seed %d", seed)
			for range 40 {
				p := Policy{
					OID: asn1.ObjectIdentifier{2, r.IntN(100), r.IntN(1 << 30), r.IntN(200)}, Qualified: r.IntN(2) == 0,
					Accuracy: time.Duration(1+r.IntN(1000)) * time.Millisecond,
				}
				o := id.Options(h)
				if r.IntN(3) == 0 {
					o.Chain = nil
				}
				var name []byte
				if r.IntN(2) == 0 {
					name = cms.DirectoryName(id.Certificate.RawSubject)
				}
				tpl, err := newTemplate(p, name, o)
				if err != nil {
					t.Fatal(err)
				}
				compareTokens(t, r, tpl, p, name, o, id.Key)
			}
		})
	}
}

func compareTokens(t *testing.T, r *mrand.Rand, tpl *template, p Policy, name []byte, o cms.SignerOptions, key crypto.Signer) {
	t.Helper()
	var s scratch
	for range 4 {
		raw, req := randomRequest(t, r, p.OID, []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512})
		view, refusal := cms.ReadRequest(raw)
		if refusal != nil {
			t.Fatal(refusal)
		}
		at := time.UnixMilli(r.Int64N(253402300800_000)).UTC()
		if r.IntN(4) == 0 {
			at = at.Truncate(time.Second)
		}
		serial := r.Int64N(math.MaxInt64)>>r.IntN(62) + 1
		tpl.fill(&s, &view, serial, at)
		value, err := key.Sign(rand.Reader, s.input, tpl.options)
		if err != nil {
			t.Fatal(err)
		}
		got, certs := tpl.token(nil, &s, value, view.CertReq)
		o.OmitCertificates = !req.CertReq
		want := general(t, cms.TSTInfo{
			Policy: p.OID, Hash: req.Hash, HashAlgorithmRaw: req.HashAlgorithmRaw, Imprint: req.Imprint, SerialNumber: big.NewInt(serial),
			GenTime: at, Accuracy: p.Accuracy, NonceRaw: req.NonceRaw, TSA: name, Qualified: p.Qualified,
		}, o, value)
		if !bytes.Equal(got, want) || cap(got) != len(got) {
			t.Fatalf("written as\n%x, the general way gives\n%x", got, want)
		}
		if inside := got[certs[0]:certs[1]]; !bytes.Equal(inside, tpl.certificates) && req.CertReq || !req.CertReq && len(inside) > 0 {
			t.Fatalf("certReq %v, certificates %x", req.CertReq, inside)
		}
		if err := tpl.algorithm.Verify(key.Public(), s.attributes, value); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 11, 21, 9, 8, 7, 0, time.UTC)
	for ms, want := range map[int]string{0: "", 1: ".001", 10: ".01", 12: ".012", 100: ".1", 101: ".101", 120: ".12", 123: ".123", 999: ".999"} {
		if got := string(appendTime(nil, base.Add(time.Duration(ms)*time.Millisecond))); got != "20261121090807"+want+"Z" {
			t.Errorf("%d ms is written as %s", ms, got)
		}
	}
	if got := string(appendTime(nil, time.Date(2027, 1, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600)))); got != "20261231233000Z" {
		t.Errorf("another zone is written as %s", got)
	}
}

// null is a key that takes no time: what is left is the encoding.
type null struct {
	crypto.Signer
	value []byte
}

func (n null) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return n.value, nil }

// encoding is one token without its signature: parsed, filled, digested, written
// into the room.
func encoding(t testing.TB, room []byte) func() {
	id := cmstest.New(t).TSU(t, "p256")
	tpl, err := newTemplate(Policy{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 1}, Accuracy: 500 * time.Millisecond, Qualified: true},
		cms.DirectoryName(id.Certificate.RawSubject), id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	req, err := cms.MarshalTimestampRequest(crypto.SHA256, make([]byte, 32), big.NewInt(0x1234567890abcdef), true)
	if err != nil {
		t.Fatal(err)
	}
	key := null{value: make([]byte, 71)}
	serial, at := int64(1)<<46, time.Date(2026, 11, 21, 9, 8, 7, 123e6, time.UTC)
	return func() {
		view, refusal := cms.ReadRequest(req)
		if refusal != nil {
			t.Fatal(refusal)
		}
		s := scratches.Get().(*scratch)
		serial++
		tpl.fill(s, &view, serial, at)
		value, _ := key.Sign(rand.Reader, s.input, tpl.options) // does not fail
		tpl.token(room, s, value, view.CertReq)
		scratches.Put(s)
	}
}

// The floor of an encoding is its two digests, in the same run. A token that is
// given away costs its memory too, and the collection of it.
func BenchmarkEncode(b *testing.B) {
	id := cmstest.New(b).TSU(b, "p256")
	tpl, err := newTemplate(Policy{OID: asn1.ObjectIdentifier{1, 2, 3}, Accuracy: time.Second}, nil, id.Options(crypto.SHA256))
	if err != nil {
		b.Fatal(err)
	}
	var sum [64]byte
	info := make([]byte, 160)
	given, reused := encoding(b, nil), encoding(b, make([]byte, 4096))
	b.ReportAllocs()
	medians := Turns(b, 16, given, reused, func() {
		tpl.digest(&sum, info)
		tpl.digest(&sum, tpl.attributes)
	})
	b.ReportMetric(medians[0], "ns/token")
	b.ReportMetric(medians[1], "ns/token-reused")
	b.ReportMetric(medians[2], "ns/digests")
}
