package cms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/smallstep/pkcs7"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

const (
	sha1ID  = "\x06\x05\x2b\x0e\x03\x02\x1a"
	pssID   = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	mgf1ID  = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
	rsa256  = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	ecdsa1  = "\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"
	ecdsa25 = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
	salt32  = "\xa2\x03\x02\x01\x20"
)

// Signature algorithms are read with all their parameters; what does not fit
// together, or is left to old defaults, is refused.
func TestParseAlgorithm(t *testing.T) {
	t.Parallel()
	sha := der(0x30, sha256ID, null)
	bare := der(0x30, sha256ID)
	mgf := der(0x30, mgf1ID, sha)
	pss := func(params ...string) string { return der(0x30, pssID, der(0x30, params...)) }
	for _, c := range []struct {
		name   string
		in     string
		digest crypto.Hash
		want   cms.Algorithm
		kind   cms.Kind
	}{
		{"RSA", der(0x30, rsa256, null), crypto.SHA256, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA256}, ""},
		{"RSA without NULL", der(0x30, rsa256), crypto.SHA256, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA256}, ""},
		{"rsaEncryption", der(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", null), crypto.SHA512, cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA512}, ""},
		{"ECDSA", der(0x30, ecdsa25), crypto.SHA256, cms.Algorithm{Scheme: cms.ECDSA, Hash: crypto.SHA256}, ""},
		{"ECDSA with SHA-1", der(0x30, ecdsa1), crypto.SHA1, cms.Algorithm{Scheme: cms.ECDSA, Hash: crypto.SHA1}, ""},
		{"Ed25519", der(0x30, "\x06\x03\x2b\x65\x70"), crypto.SHA512, cms.Algorithm{Scheme: cms.Ed25519, Hash: crypto.SHA512}, ""},
		{"PSS", pss(der(0xa0, sha), der(0xa1, mgf), salt32), crypto.SHA256, cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 32}, ""},
		{"PSS without NULLs", pss(der(0xa0, bare), der(0xa1, der(0x30, mgf1ID, bare)), salt32, "\xa3\x03\x02\x01\x01"), crypto.SHA256, cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 32}, ""},
		{"PSS with defaults", pss(), crypto.SHA1, cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA1, SaltLength: 20}, ""},

		{"digests differ", der(0x30, rsa256, null), crypto.SHA512, cms.Algorithm{}, cms.Mismatch},
		{"PSS digests differ", pss(der(0xa0, sha), der(0xa1, mgf), salt32), crypto.SHA512, cms.Algorithm{}, cms.Mismatch},
		{"PSS defaults with SHA-256 beside", pss(), crypto.SHA256, cms.Algorithm{}, cms.Mismatch},
		{"PSS mask with another digest", pss(der(0xa0, sha), salt32), crypto.SHA256, cms.Algorithm{}, cms.Unsupported},
		{"PSS other mask", pss(der(0xa0, sha), der(0xa1, der(0x30, pssID, sha)), salt32), crypto.SHA256, cms.Algorithm{}, cms.Unsupported},
		{"PSS other trailer", pss(der(0xa0, sha), der(0xa1, mgf), salt32, "\xa3\x03\x02\x01\x02"), crypto.SHA256, cms.Algorithm{}, cms.Unsupported},
		{"PSS without salt", pss(der(0xa0, sha), der(0xa1, mgf), "\xa2\x03\x02\x01\x00"), crypto.SHA256, cms.Algorithm{}, cms.Unsupported},
		{"PSS unknown parameter", pss(der(0xa4, sha)), crypto.SHA256, cms.Algorithm{}, cms.Malformed},
		{"unknown", der(0x30, sha256ID), crypto.SHA256, cms.Algorithm{}, cms.Unsupported},
		{"empty", der(0x30), crypto.SHA256, cms.Algorithm{}, cms.Malformed},
		{"nothing", "", crypto.SHA256, cms.Algorithm{}, cms.Malformed},
	} {
		got, err := cms.ParseAlgorithm([]byte(c.in), c.digest)
		if cms.KindOf(err) != c.kind || (err == nil) != (c.kind == "") || err == nil && got != c.want {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

// A value is good for its key, scheme and digest only. With SHA-1 the right value
// is weak, and every other one wrong.
func TestAlgorithmVerify(t *testing.T) {
	t.Parallel()
	message := []byte("m")
	algs := map[string]cms.Algorithm{
		"rsa2048": {Scheme: cms.PKCS1, Hash: crypto.SHA256},
		"p256":    {Scheme: cms.ECDSA, Hash: crypto.SHA256},
		"ed25519": {Scheme: cms.Ed25519, Hash: crypto.SHA512},
	}
	for name, own := range algs {
		key := cmstest.Key(t, name)
		sig, err := key.Sign(rand.Reader, own.Input(message), own.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		if err := own.Verify(key.Public(), message, sig); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := own.Verify(key.Public(), []byte("n"), sig); cms.KindOf(err) != cms.BadSignature {
			t.Errorf("%s takes another message: %v", name, err)
		}
		for other, alg := range algs {
			if err := alg.Verify(key.Public(), message, sig); other != name && cms.KindOf(err) != cms.BadSignature {
				t.Errorf("a %s key with the algorithm of %s: %v", name, other, err)
			}
		}
		for _, own.Hash = range []crypto.Hash{crypto.SHA1, crypto.SHA224} {
			if own.Scheme == cms.Ed25519 {
				continue
			}
			if err := own.Verify(key.Public(), message, sig); cms.KindOf(err) != cms.BadSignature {
				t.Errorf("%s: a value by SHA-256 taken for %v: %v", name, own.Hash, err)
			}
			weak, err := key.Sign(rand.Reader, own.Input(message), own.Hash)
			if err != nil {
				t.Fatal(err)
			}
			if err := own.Verify(key.Public(), message, weak); cms.KindOf(err) != cms.Weak {
				t.Errorf("%s: %v gives %v", name, own.Hash, err)
			}
			if err := own.Verify(key.Public(), []byte("n"), weak); cms.KindOf(err) != cms.BadSignature {
				t.Errorf("%s: %v over another message gives %v", name, own.Hash, err)
			}
		}
	}
}

// An ECDSA value as XML carries it is the same two numbers.
func TestRawECDSA(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"p256", "p384", "p521"} {
		key := cmstest.Key(t, name)
		pub := key.Public().(*ecdsa.PublicKey)
		for range 20 {
			sig, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := cms.RawECDSA(sig, pub)
			if err != nil || len(raw) != 2*((pub.Curve.Params().BitSize+7)/8) {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
			half := len(raw) / 2
			if !ecdsa.Verify(pub, make([]byte, 32), new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])) {
				t.Fatalf("%x became %x", sig, raw)
			}
		}
	}
	pub := cmstest.Key(t, "p256").Public().(*ecdsa.PublicKey)
	for _, bad := range []string{"", "x", der(0x30, one), der(0x30, one, one, one), der(0x30, "\x02\x01\xff", one), der(0x30, der(0x02, "\x01", string(make([]byte, 32))), one)} {
		if raw, err := cms.RawECDSA([]byte(bad), pub); cms.KindOf(err) != cms.Malformed {
			t.Errorf("%x gives %x, %v", bad, raw, err)
		}
	}
}

// What smallstep/pkcs7 signs is read, and what it signs with SHA-1 is called weak.
func TestForeignMessage(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "rsa2048")
	content := []byte("contratto")
	for _, c := range []struct {
		hash string
		oid  []int
		want cms.Kind
	}{
		{"SHA-256", pkcs7.OIDDigestAlgorithmSHA256, ""},
		{"SHA-512", pkcs7.OIDDigestAlgorithmSHA512, ""},
		{"SHA-1", pkcs7.OIDDigestAlgorithmSHA1, cms.Weak},
	} {
		m, err := pkcs7.NewSignedData(content)
		if err != nil {
			t.Fatal(err)
		}
		m.SetDigestAlgorithm(c.oid)
		if err := m.AddSigner(id.Certificate, id.Key, pkcs7.SignerInfoConfig{}); err != nil {
			t.Fatal(err)
		}
		b, err := m.Finish()
		if err != nil {
			t.Fatal(err)
		}
		sd, err := cms.ParseBytes(b, cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sd.Signers[0].Verify(sd.ContentDigest()); cms.KindOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v", c.hash, err)
		}
	}
}
