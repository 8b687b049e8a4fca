package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// signed makes a detached signature of content.
func signed(t testing.TB, id *cmstest.Identity, content []byte, change func(*cms.Prepared)) []byte {
	t.Helper()
	p, err := cms.Prepare(sum(crypto.SHA256, content), id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	sig := id.Sign(t, p)
	if change != nil {
		change(p)
	}
	der, err := p.Assemble(sig, nil)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func verify(t testing.TB, der, content []byte) error {
	t.Helper()
	sd, err := cms.ParseBytes(der, cms.Limits{})
	if err != nil {
		return err
	}
	return sd.Signers[0].Verify(digestFunc(content))
}

// A message that was changed after signing is refused, whatever was changed.
func TestTamperedIsRefused(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	content := []byte("contratto")
	// The same key certified anew under the same issuer and serial number: the value
	// verifies with it, but it is not the certificate that was signed for.
	twin := pki.Identity(t, id.Key, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Somebody Else"}, SerialNumber: id.Certificate.SerialNumber,
	}).Certificate
	stranger := pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{
		Subject: pkix.Name{CommonName: "Somebody Else"}, SerialNumber: id.Certificate.SerialNumber,
	}).Certificate
	replace := func(b []byte, from, to string) []byte {
		if !bytes.Contains(b, []byte(from)) {
			t.Fatalf("%x is not in %x", from, b)
		}
		return bytes.Replace(b, []byte(from), []byte(to), 1)
	}
	for _, c := range []struct {
		name    string
		content string
		change  func(*cms.Prepared)
		want    cms.Kind
	}{
		{"untouched", "contratto", nil, ""},
		{"other content", "contratta", nil, cms.Mismatch},
		{"content and signed digest", "contratta", func(p *cms.Prepared) {
			p.SignedAttributes = replace(p.SignedAttributes, string(p.ContentDigest), string(sum(crypto.SHA256, []byte("contratta"))))
		}, cms.BadSignature},
		{"signed content type", "contratto", func(p *cms.Prepared) {
			p.SignedAttributes = replace(p.SignedAttributes, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x05")
		}, cms.Mismatch},
		{"content type", "contratto", func(p *cms.Prepared) { p.ContentType = asn1.ObjectIdentifier{1, 2, 3} }, cms.Mismatch},
		{"swapped certificate, same key", "contratto", func(p *cms.Prepared) { p.Certificates = [][]byte{twin.Raw} }, cms.Mismatch},
		{"swapped certificate, other key", "contratto", func(p *cms.Prepared) { p.Certificates = [][]byte{stranger.Raw} }, cms.Mismatch},
		{"certificate added before the right one", "contratto", func(p *cms.Prepared) { p.Certificates = [][]byte{twin.Raw, id.Certificate.Raw} }, ""},
		{"certificate added after the right one", "contratto", func(p *cms.Prepared) { p.Certificates = [][]byte{id.Certificate.Raw, twin.Raw} }, ""},
		{"no certificate", "contratto", func(p *cms.Prepared) { p.Certificates = nil }, cms.NoCertificate},
		{"other digest algorithm", "contratto", func(p *cms.Prepared) { p.Hash = "SHA-384" }, cms.Mismatch},
		{"signing certificate named differently", "contratto", func(p *cms.Prepared) {
			p.SignedAttributes = replace(p.SignedAttributes, string(sum(crypto.SHA256, id.Certificate.Raw)), string(sum(crypto.SHA256, twin.Raw)))
		}, cms.Mismatch},
	} {
		der := signed(t, id, content, c.change)
		if err := verify(t, der, []byte(c.content)); cms.KindOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want kind %q", c.name, err, c.want)
		}
	}
}

// No byte of the signed attributes, of the value or of the signer's certificate can
// be changed without notice.
func TestEveryByteMatters(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "rsa2048")
	content := []byte("contratto")
	der := signed(t, id, content, nil)
	sd, err := cms.ParseBytes(der, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	signer := sd.Signers[0]
	for name, part := range map[string][]byte{"signed attributes": signer.RawSignedAttributes[4:], "signature value": signer.SignatureValue, "certificate": signer.Certificate.Raw} {
		at := bytes.Index(der, part)
		for i := at; i < at+len(part); i++ {
			changed := bytes.Clone(der)
			changed[i] ^= 0x01
			if verify(t, changed, content) == nil {
				t.Fatalf("byte %d of the %s can be changed", i-at, name)
			}
		}
	}
}

// A signature value that is not of this kind of key, or a token of another
// signature, is not put into a message.
func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "rsa2048"), pki.TSU(t, "p256")
	p, err := cms.Prepare(sum(crypto.SHA256, nil), id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	sig := id.Sign(t, p)
	for _, c := range []struct {
		name       string
		sig, token []byte
		want       cms.Kind
	}{
		{"empty value", nil, nil, cms.BadSignature},
		{"short value", sig[1:], nil, cms.BadSignature},
		{"long value", append([]byte{0}, sig...), nil, cms.BadSignature},
		{"token of something else", sig, tsu.Stamp(t, crypto.SHA256, sum(crypto.SHA256, nil), time.Now()), cms.Mismatch},
		{"no token at all", sig, []byte("token"), cms.NotCMS},
		{"a signature for a token", sig, signed(t, id, nil, nil), cms.NotCMS},
	} {
		if _, err := p.Assemble(c.sig, c.token); cms.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want kind %s", c.name, err, c.want)
		}
	}
	if err := p.VerifySignature(append(bytes.Clone(sig[1:]), 1)); cms.KindOf(err) != cms.BadSignature {
		t.Errorf("VerifySignature takes another value: %v", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	p256, weak := pki.Signer(t, "p256"), pki.Signer(t, "rsa1024")
	ed := pki.Signer(t, "ed25519")
	digest := sum(crypto.SHA256, nil)
	for name, c := range map[string]struct {
		digest []byte
		o      cms.SignerOptions
	}{
		"no certificate":     {digest, cms.SignerOptions{Hash: crypto.SHA256}},
		"no digest":          {digest, p256.Options(0)},
		"SHA-1":              {make([]byte, 20), p256.Options(crypto.SHA1)},
		"digest of no hash":  {digest[1:], p256.Options(crypto.SHA256)},
		"RSA with 1024 bits": {digest, weak.Options(crypto.SHA256)},
		"Ed25519, SHA-256":   {digest, ed.Options(crypto.SHA256)},
		"impossible time": {digest, cms.SignerOptions{Certificate: p256.Certificate, Hash: crypto.SHA256,
			SigningTime: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		if _, err := cms.Prepare(c.digest, c.o); cms.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Years up to 2049 are written as UTCTime, later ones as GeneralizedTime (RFC 5652
// §11.3), always in UTC.
func TestSigningTime(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	rome := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 21, 10, 0, 0, 0, rome), "\x17\x0d261121090000Z"},
		{time.Date(2050, 1, 1, 0, 30, 0, 0, rome), "\x17\x0d491231233000Z"},
		{time.Date(2050, 1, 1, 1, 0, 0, 0, rome), "\x18\x0f20500101000000Z"},
		{time.Date(1949, 12, 31, 0, 0, 0, 0, time.UTC), "\x18\x0f19491231000000Z"},
	} {
		o := id.Options(crypto.SHA256)
		o.SigningTime = c.at
		p, err := cms.Prepare(sum(crypto.SHA256, nil), o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(p.DTBS(), []byte(c.want)) {
			t.Errorf("%v is not written as %q", c.at, c.want)
		}
		der, err := p.Assemble(id.Sign(t, p), nil)
		if err != nil {
			t.Fatal(err)
		}
		sd, err := cms.ParseBytes(der, cms.Limits{})
		if err != nil || !sd.Signers[0].SigningTime.Equal(c.at) {
			t.Errorf("%v is read as %v, %v", c.at, sd.Signers[0].SigningTime, err)
		}
	}
}

// MaxSize is never less than what comes out, and is it exactly when the value has
// its full length: always for RSA, often enough for ECDSA.
func TestMaxSize(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, c := range keyCases {
		id := pki.Signer(t, c.key)
		o := id.Options(c.hash)
		o.PSS = c.pss
		p, err := cms.Prepare(sum(c.hash, nil), o)
		if err != nil {
			t.Fatal(err)
		}
		longest := 0
		for range 100 {
			sig := id.Sign(t, p)
			token := pki.TSU(t, "p256").Stamp(t, crypto.SHA256, sum(crypto.SHA256, sig), time.Now())
			for _, with := range [][]byte{nil, token} {
				der, err := p.Assemble(sig, with)
				if err != nil {
					t.Fatal(err)
				}
				bound := p.MaxSize(len(with))
				if len(der) > bound {
					t.Fatalf("%s: %d bytes came out, MaxSize said %d", c.key, len(der), bound)
				}
				if len(sig) == p.MaxSignature && len(der) != bound {
					t.Fatalf("%s: the longest value gives %d bytes, MaxSize said %d", c.key, len(der), bound)
				}
			}
			if longest = max(longest, len(sig)); longest == p.MaxSignature {
				break
			}
		}
		if longest < p.MaxSignature-1 {
			t.Errorf("%s: no value came near the %d bytes that were computed, but %d", c.key, p.MaxSignature, longest)
		}
	}
}

// A Prepared survives being stored, and one that was damaged where it was stored
// gives errors, not panics.
func TestPreparedIsPlainData(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	p, err := cms.Prepare(sum(crypto.SHA256, nil), id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back cms.Prepared
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	sig := id.Sign(t, p)
	a, err := p.Assemble(sig, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := back.Assemble(sig, nil)
	if err != nil || !bytes.Equal(a, b) || !bytes.Equal(p.DTBSR(), back.DTBSR()) || back.MaxSize(0) != p.MaxSize(0) {
		t.Fatalf("what came back from storage differs: %v", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(stored, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		damaged := map[string]json.RawMessage{}
		for k, v := range members {
			if k != name {
				damaged[k] = v
			}
		}
		text, err := json.Marshal(damaged)
		if err != nil {
			t.Fatal(err)
		}
		var p cms.Prepared
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		p.DTBSR()
		p.MaxSize(10)
		der, err := p.Assemble(sig, nil)
		if err != nil && cms.KindOf(err) == "" || err == nil && len(der) == 0 {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
