package cms

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"sigillo/formats/der"
)

// Numbers and headers are read as package der writes them.
func TestPrimitivesAreReadBack(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "1", "127", "128", "255", "256", "-1", "-128", "-129", "9223372036854775807", "1461501637330902918203684832716283019655932542975"} {
		n, _ := new(big.Int).SetString(s, 10)
		e, _, err := next(der.BigInt(n), 1)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := readInt(e); err != nil || back.Cmp(n) != 0 {
			t.Errorf("%s is read as %v, %v", s, back, err)
		}
	}
	for _, n := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24, 1 << 32, 1 << 40} {
		h := der.AppendHeader(nil, der.Octets, n)
		if back, err := readHeader(append(h, 0)); err != nil || back.length != n || back.size != len(h) {
			t.Errorf("a header for %d is read as %+v, %v", n, back, err)
		}
	}
}

// Signatures with Ed25519 keys (RFC 8419), which this package does not make, are
// verified.
func TestEd25519(t *testing.T) {
	t.Parallel()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "Ada"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("contratto")
	p := &Prepared{
		Hash: "SHA-512", Scheme: Ed25519, ContentType: OIDData, MaxSignature: ed25519.SignatureSize,
		SignerIdentifier: issuerAndSerial(cert), Certificates: [][]byte{raw},
		SignedAttributes: der.SetOf(der.Set,
			attribute(OIDContentType, der.OID(OIDData)),
			attribute(OIDMessageDigest, der.TLV(der.Octets, digestOf(crypto.SHA512, content))),
			attribute(OIDSigningCertificateV2, signingCertificateV2(cert, crypto.SHA512))),
	}
	message, err := p.Assemble(ed25519.Sign(key, p.DTBS()), nil)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := ParseBytes(message, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	digest := func(h crypto.Hash) ([]byte, error) { return digestOf(h, content), nil }
	if err := sd.Signers[0].Verify(digest); err != nil {
		t.Fatal(err)
	}
	sd.Signers[0].SignatureValue[3] ^= 1
	if err := sd.Signers[0].Verify(digest); KindOf(err) != BadSignature {
		t.Fatalf("got %v", err)
	}
}

// Signed attributes that travel unsorted verify both for signers who hashed what
// they sent and for those who hashed the DER form, as RFC 5652 §5.4 says.
func TestUnsortedAttributes(t *testing.T) {
	t.Parallel()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("contratto")
	sorted := der.SetOf(der.Set,
		attribute(OIDContentType, der.OID(OIDData)),
		attribute(OIDMessageDigest, der.TLV(der.Octets, digestOf(crypto.SHA256, content))))
	first := attribute(OIDContentType, der.OID(OIDData))
	second := attribute(OIDMessageDigest, der.TLV(der.Octets, digestOf(crypto.SHA256, content)))
	unsorted := der.TLV(der.Set, second, first)
	if bytes.Equal(sorted, unsorted) {
		t.Fatal("the attributes are in order")
	}
	for name, hashed := range map[string][]byte{"as sent": unsorted, "as DER": sorted, "something else": []byte("x")} {
		sent := bytes.Clone(unsorted)
		sent[0] = der.Context0Con
		info := der.TLV(der.Sequence, der.Int(3), der.TLV(der.Context0, []byte("key")), algorithm(HashOID(crypto.SHA256), nil),
			sent, algorithm(oidEd25519, nil), der.TLV(der.Octets, ed25519.Sign(key, hashed)))
		e, _, err := next(info, 10)
		if err != nil {
			t.Fatal(err)
		}
		si, err := parseSignerAlone(e)
		if err != nil {
			t.Fatal(err)
		}
		si.contentType, si.Certificate = OIDData, &x509.Certificate{PublicKey: pub}
		err = si.Verify(func(h crypto.Hash) ([]byte, error) { return digestOf(h, content), nil })
		if (err == nil) != (name != "something else") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A signer without signed attributes, or with one of the known ones twice, is
// refused.
func TestSignedAttributesAreHeldTo(t *testing.T) {
	t.Parallel()
	typ := attribute(OIDContentType, der.OID(OIDData))
	md := attribute(OIDMessageDigest, der.TLV(der.Octets, make([]byte, 32)))
	signer := func(attrs ...[]byte) (*SignerInfo, error) {
		var signed []byte
		if attrs != nil {
			signed = der.TLV(der.Context0Con, attrs...)
		}
		e, _, err := next(der.TLV(der.Sequence, der.Int(3), der.TLV(der.Context0, []byte("key")), algorithm(HashOID(crypto.SHA256), nil),
			signed, algorithm(oidEd25519, nil), der.TLV(der.Octets, make([]byte, 64))), 10)
		if err != nil {
			t.Fatal(err)
		}
		return parseSignerAlone(e)
	}
	for name, attrs := range map[string][][]byte{
		"content-type twice":    {typ, typ, md},
		"message-digest twice":  {typ, md, md},
		"two values":            {der.TLV(der.Sequence, der.OID(OIDContentType), der.TLV(der.Set, der.OID(OIDData), der.OID(OIDData)))},
		"no value":              {der.TLV(der.Sequence, der.OID(OIDContentType), der.TLV(der.Set))},
		"not an attribute":      {der.Int(1)},
		"digest that is a time": {attribute(OIDMessageDigest, der.TLV(der.UTCTime, []byte("261121090000Z")))},
		"broken time":           {attribute(OIDSigningTime, der.TLV(der.UTCTime, []byte("tomorrow")))},
		"broken reference":      {attribute(OIDSigningCertificateV2, der.TLV(der.Sequence))},
	} {
		if _, err := signer(attrs...); KindOf(err) != Malformed {
			t.Errorf("%s: got %v", name, err)
		}
	}
	si, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	if err := si.Verify(nil); KindOf(err) != Unsupported {
		t.Errorf("no signed attributes: got %v", err)
	}
}

// An RSA key of a size that would keep the reader busy is not tried.
func TestHugeRSAKeyIsRefused(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *big.Int { n := new(big.Int).Lsh(big.NewInt(1), bits-1); return n.SetBit(n, 0, 1) }
	for _, c := range []struct {
		name string
		key  *rsa.PublicKey
		want Kind
	}{
		{"largest", &rsa.PublicKey{N: odd(16384), E: 65537}, BadSignature},
		{"modulus", &rsa.PublicKey{N: odd(16385), E: 65537}, Unsupported},
		{"exponent", &rsa.PublicKey{N: odd(2048), E: 1<<31 + 1}, Unsupported},
	} {
		for _, s := range []Scheme{PKCS1, PSS} {
			err := Algorithm{s, crypto.SHA256, 32}.Verify(c.key, nil, make([]byte, c.key.Size()))
			if KindOf(err) != c.want {
				t.Errorf("%s, %s: got %v, want %s", c.name, s, err, c.want)
			}
		}
	}
}

// A token over a digest that cannot be computed is refused, not computed.
func TestTokenWithUnknownImprintHash(t *testing.T) {
	t.Parallel()
	known := HashOID(crypto.SHA256)
	for name, c := range map[string]struct {
		hash crypto.Hash
		oid  asn1.ObjectIdentifier
		want Kind
	}{
		"unknown": {crypto.SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 99}, Unsupported},
		"SHA-224": {crypto.SHA224, HashOID(crypto.SHA224), Weak},
		"other":   {crypto.SHA256, known, Mismatch},
	} {
		info := &TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: c.hash, Imprint: make([]byte, c.hash.Size()),
			HashAlgorithmRaw: algorithm(c.oid, nil), SerialNumber: big.NewInt(1), GenTime: time.Now()}
		content, err := info.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		p := &Prepared{
			Hash: "SHA-256", Scheme: Ed25519, ContentType: OIDTSTInfo, MaxSignature: 64, Content: content,
			SignerIdentifier: der.TLV(der.Context0, []byte("key")),
			SignedAttributes: der.SetOf(der.Set, attribute(OIDContentType, der.OID(OIDTSTInfo)),
				attribute(OIDMessageDigest, der.TLV(der.Octets, digestOf(crypto.SHA256, content)))),
		}
		token, err := p.Assemble(make([]byte, 64), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Content = nil
		if _, err := p.Assemble(make([]byte, 64), token); KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// What a signer may cost its reader is bounded: time-stamps and signed attributes.
func TestSignerLimits(t *testing.T) {
	t.Parallel()
	signer := func(signed []byte, tokens [][]byte) (*SignerInfo, error) {
		e, _, err := next(der.TLV(der.Sequence, der.Int(3), der.TLV(der.Context0, []byte("key")), algorithm(HashOID(crypto.SHA256), nil),
			der.TLV(der.Context0Con, signed), algorithm(oidEd25519, nil), der.TLV(der.Octets, make([]byte, 64)),
			der.TLV(der.Context0Con|1, der.TLV(der.Sequence, der.OID(OIDSignatureTimeStamp), der.TLV(der.Set, tokens...)))), 10)
		if err != nil {
			t.Fatal(err)
		}
		return parseSignerAlone(e)
	}
	var tokens [][]byte
	for i := range int64(16) {
		tokens = append(tokens, der.Int(i), der.Int(i/2))
	}
	if si, err := signer(nil, tokens); err != nil || len(si.Tokens) != 16 {
		t.Errorf("16 time-stamps, some twice: %v", err)
	}
	if _, err := signer(nil, append(tokens, der.Int(16))); KindOf(err) != Limit {
		t.Errorf("17 time-stamps: got %v", err)
	}
	large := func(n int) []byte {
		return attribute(asn1.ObjectIdentifier{1, 2, 3}, der.TLV(der.Octets, make([]byte, n)))
	}
	if _, err := signer(large(255<<10), nil); err != nil {
		t.Error(err)
	}
	if _, err := signer(large(256<<10), nil); KindOf(err) != Limit {
		t.Errorf("large signed attributes: got %v", err)
	}
}

// End-of-contents octets have one form (X.690 §8.1.5): in any other, what follows
// would be read from the wrong place.
func TestEndOfContentsOctets(t *testing.T) {
	t.Parallel()
	for end, want := range map[string]Kind{"\x00\x00": "", "\x00\x81\x00": Malformed, "\x00\x82\x00\x00": Malformed, "\x1f\x00\x00": Malformed} {
		ber := []byte("\x30\x80\x02\x01\x05" + end)
		if e, _, err := next(ber, 5); KindOf(err) != want || err == nil && !bytes.Equal(e.body, []byte{2, 1, 5}) {
			t.Errorf("% x in memory: got %v", end, err)
		}
		f := &frame{src: newSource(bytes.NewReader(ber), int64(len(ber)), 100), end: int64(len(ber)), depth: 5}
		if err := f.skip(); KindOf(err) != want || err == nil && f.pos != f.end {
			t.Errorf("% x in a file: got %v", end, err)
		}
	}
}

func parseSignerAlone(e element) (*SignerInfo, error) {
	left := budget{DefaultLimits.Signers, maxStamps}
	return parseSigner(e, DefaultLimits, maxCounterDepth, &left)
}
