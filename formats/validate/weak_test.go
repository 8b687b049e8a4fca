package validate

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/validate/policy"
)

// weakened makes SHA-1 the digest of a prepared signature over a content, which no
// option allows any more.
func weakened(t *testing.T, p *cms.Prepared, content []byte) {
	t.Helper()
	var attributes []struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	if _, err := asn1.UnmarshalWithParams(p.SignedAttributes, &attributes, "set"); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(content)
	for i := range attributes {
		if attributes[i].Type.Equal(cms.OIDMessageDigest) {
			attributes[i].Values = []asn1.RawValue{{Tag: asn1.TagOctetString, Bytes: sum[:]}}
		}
	}
	p.SignedAttributes = must(asn1.MarshalWithParams(attributes, "set"))
	p.Hash, p.ContentDigest, p.Checksum = crypto.SHA1.String(), sum[:], nil
}

// weakToken makes a time-stamp that relies on SHA-1 for all it is.
func weakToken(t *testing.T, tsu *party, data []byte, at time.Time) []byte {
	t.Helper()
	sum := sha1.Sum(data)
	sha1ID := []byte{0x30, 7, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a}
	p, err := cms.PrepareToken(&cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA1, HashAlgorithmRaw: sha1ID, Imprint: sum[:],
		SerialNumber: big.NewInt(7), GenTime: at}, cms.SignerOptions{Certificate: tsu.cert, Chain: tsu.chain, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	weakened(t, p, p.Content)
	return must(p.Assemble(must(tsu.key.Sign(rand.Reader, p.Algorithm().Input(p.DTBS()), crypto.SHA1)), nil))
}

var weakContent = []byte("contratto")

// weakFile makes a CAdES signature by SHA-1, with the time-stamp that stamp makes
// over its value.
func weakFile(t *testing.T, by *party, stamp func(value []byte) []byte) []byte {
	t.Helper()
	h := crypto.SHA256
	if _, ok := by.key.(ed25519.PrivateKey); ok {
		h = crypto.SHA512
	}
	p, err := cades.Prepare(bytes.NewReader(weakContent), int64(len(weakContent)), cades.Options{Certificate: by.cert, Chain: by.chain, Hash: h, SigningTime: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	weakened(t, &p.CMS, weakContent)
	value := must(by.key.Sign(rand.Reader, p.Algorithm().Input(p.DTBS()), p.Algorithm().SignerOpts()))
	var out bytes.Buffer
	if err := p.CMS.AssembleAttached(&out, bytes.NewReader(weakContent), int64(len(weakContent)), value, nil); err != nil {
		t.Fatal(err)
	}
	if stamp == nil {
		return out.Bytes()
	}
	sd, err := must(cms.ParseBytes(out.Bytes(), cms.Limits{})).Add(cms.Additions{
		Attributes: []cms.Unsigned{{Path: []int{0}, Type: cms.OIDSignatureTimeStamp, Value: stamp(value)}}})
	if err != nil {
		t.Fatal(err)
	}
	var stamped bytes.Buffer
	if err := sd.Write(&stamped); err != nil {
		t.Fatal(err)
	}
	return stamped.Bytes()
}

// A signature by SHA-1 is good while the policy says so, and afterwards if it is
// proven to be from before; one that is wrong is wrong whatever the digest.
func TestWeakWithProof(t *testing.T) {
	t.Parallel()
	l, ends := newLife(), time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	text := strings.Replace(string(policy.Text()), "until = 2012-08-01", "until = 2027-06-01", 1)
	strong := func(at time.Time) func([]byte) []byte {
		return func(value []byte) []byte { return token(t, l.tsu1, sha(value), at) }
	}
	weak := func(value []byte) []byte { return weakToken(t, l.tsu1, value, stampedAt) }
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards := issue(l.sub, key, "Eva Altra", nil)
	bare := weakFile(t, l.holder, nil)
	archived := func(at time.Time) []byte {
		return raised(t, "CAdES", weakFile(t, l.holder, weak), l.evidence(publishedAt), l.tsu3, at)
	}
	flipped := func(file, part []byte) []byte {
		i := bytes.Index(file, part)
		out := bytes.Clone(file)
		out[i+len(part)-1] ^= 1
		return out
	}
	value := must(cms.ParseBytes(bare, cms.Limits{})).Signers[0].SignatureValue
	for _, c := range []struct {
		name string
		file []byte
		at   time.Time
		want Indication
		sub  SubIndication
	}{
		{"before the end", bare, validatedAt, TotalPassed, ""},
		{"after it, no proof", bare, year(1), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"after it, stamped before", weakFile(t, l.holder, strong(stampedAt)), year(1), TotalPassed, ""},
		{"stamped after the end", weakFile(t, l.holder, strong(ends)), year(1), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"Ed25519 over a digest by SHA-1", weakFile(t, edwards, nil), year(1), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"stamped by SHA-1, before the end", weakFile(t, l.holder, weak), validatedAt, TotalPassed, ""},
		{"stamped by SHA-1", weakFile(t, l.holder, weak), year(1), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"stamped by SHA-1, archived before the end", archived(archivedAt), year(1), TotalPassed, ""},
		{"stamped by SHA-1, archived after the end", archived(ends.AddDate(0, 1, 0)), year(1), Indeterminate, CryptoConstraintsFailureNoPOE},
		{"content changed", flipped(bare, weakContent), validatedAt, TotalFailed, HashFailure},
		{"value changed", flipped(bare, value), year(1), TotalFailed, SigCryptoFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Anchors: []*x509.Certificate{l.root.cert}, Time: c.at, CRLs: l.lists(c.at.Add(-time.Hour)), Policy: must(policy.Parse([]byte(text)))}
			expect(t, validate(t, c.file, o), c.want, c.sub)
			o.Policy = nil // by the built-in one the end was in 2012
			if c.want != TotalFailed {
				c.want, c.sub = Indeterminate, CryptoConstraintsFailureNoPOE
			}
			expect(t, validate(t, c.file, o), c.want, c.sub)
		})
	}
}

// referring makes a prepared signature name its certificate as RFC 2634 and RFC
// 3161 did, by SHA-1.
func referring(t *testing.T, p *cms.Prepared, by *party) {
	t.Helper()
	var attributes []struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	if _, err := asn1.UnmarshalWithParams(p.SignedAttributes, &attributes, "set"); err != nil {
		t.Fatal(err)
	}
	type essCertID struct{ Hash []byte }
	sum := sha1.Sum(by.cert.Raw)
	value := must(asn1.Marshal(struct{ Certs []essCertID }{[]essCertID{{sum[:]}}}))
	for i := range attributes {
		if attributes[i].Type.Equal(cms.OIDSigningCertificateV2) {
			attributes[i].Type = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
			attributes[i].Values = []asn1.RawValue{{FullBytes: value}}
		}
	}
	p.SignedAttributes = must(asn1.MarshalWithParams(attributes, "set"))
}

// Many time-stamping units name their certificate by SHA-1, for RFC 3161 knew no
// other way, and so did signers: what they made is good all the same, unless the
// policy has no such exception.
func TestReferenceBySHA1(t *testing.T) {
	t.Parallel()
	w := pki()
	p, err := cades.Prepare(bytes.NewReader(weakContent), int64(len(weakContent)), cades.Options{Certificate: w.holder.cert, Chain: w.holder.chain, Hash: crypto.SHA256, SigningTime: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	referring(t, &p.CMS, w.holder)
	p.CMS.Checksum = nil
	value := must(w.holder.key.Sign(rand.Reader, p.Algorithm().Input(p.DTBS()), p.Algorithm().SignerOpts()))
	tp, err := cms.PrepareToken(&cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: sha(value),
		SerialNumber: big.NewInt(7), GenTime: stampedAt}, cms.SignerOptions{Certificate: w.tsu.cert, Chain: w.tsu.chain, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	referring(t, tp, w.tsu)
	tp.Checksum = nil
	stamp := must(tp.Assemble(must(w.tsu.key.Sign(rand.Reader, tp.Algorithm().Input(tp.DTBS()), crypto.SHA256)), nil))
	var out bytes.Buffer
	if err := p.CMS.AssembleAttached(&out, bytes.NewReader(weakContent), int64(len(weakContent)), value, stamp); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	s := expect(t, validate(t, out.Bytes(), o), TotalPassed, "")
	if !hasCode(s, "weak-reference") || !s.BestSignatureTime.Equal(stampedAt) {
		t.Errorf("proven at %v, reasons %v", s.BestSignatureTime, s.Reasons)
	}
	text := string(policy.Text())
	exception := "[[digest]]\nalgorithm = \"SHA-1\"\nuses = [\"reference\"]\n"
	o.Policy = must(policy.Parse([]byte(strings.Replace(text, exception, "", 1))))
	s = expect(t, validate(t, out.Bytes(), o), Indeterminate, CryptoConstraintsFailureNoPOE)
	if !s.BestSignatureTime.IsZero() {
		t.Errorf("proven at %v", s.BestSignatureTime)
	}
}

// What a signer states is signed; a second statement beside it is none.
func TestUnsignedStatements(t *testing.T) {
	t.Parallel()
	w := pki()
	file := sign(t, "CAdES", []byte("contratto"), w.holder, nil, signedAt)
	signer := must(cms.ParseBytes(file, cms.Limits{})).Signers[0]
	for _, a := range signer.SignedAttributes {
		sd := must(must(cms.ParseBytes(file, cms.Limits{})).Add(cms.Additions{
			Attributes: []cms.Unsigned{{Path: []int{0}, Type: a.Type, Value: a.Values[0]}}}))
		var out bytes.Buffer
		if err := sd.Write(&out); err != nil {
			t.Fatal(err)
		}
		expect(t, validate(t, out.Bytes(), w.options()), TotalFailed, FormatFailure)
	}
}
