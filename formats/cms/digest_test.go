package cms_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// VerifyDigest says what Verify says over the same data.
func TestVerifyDigest(t *testing.T) {
	t.Parallel()
	for _, keyType := range []string{"p256", "rsa2048"} {
		key := cmstest.Key(t, keyType)
		alg, err := cms.AlgorithmFor(key.Public(), crypto.SHA256, false)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte("data"))
		sig, err := key.Sign(rand.Reader, sum[:], alg.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		if err := alg.VerifyDigest(key.Public(), sum[:], sig); err != nil {
			t.Errorf("%s: %v", keyType, err)
		}
		sum[0] ^= 1
		if err := alg.VerifyDigest(key.Public(), sum[:], sig); cms.KindOf(err) != cms.BadSignature {
			t.Errorf("%s: another digest gives %v", keyType, err)
		}
		if err := alg.VerifyDigest(key.Public(), sum[:20], sig); cms.KindOf(err) != cms.Unsupported {
			t.Errorf("%s: a short digest gives %v", keyType, err)
		}
	}
	weak, key := cms.Algorithm{Scheme: cms.PKCS1, Hash: crypto.SHA1}, cmstest.Key(t, "rsa2048")
	sig, err := key.Sign(rand.Reader, make([]byte, 20), crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	if err := weak.VerifyDigest(key.Public(), make([]byte, 20), sig); cms.KindOf(err) != cms.Weak {
		t.Errorf("SHA-1 gives %v", err)
	}
	sig[0] ^= 1
	if err := weak.VerifyDigest(key.Public(), make([]byte, 20), sig); cms.KindOf(err) != cms.BadSignature {
		t.Errorf("a wrong value by SHA-1 gives %v", err)
	}
	if err := (cms.Algorithm{Scheme: cms.Ed25519, Hash: crypto.SHA512}).VerifyDigest(nil, nil, nil); cms.KindOf(err) != cms.Unsupported {
		t.Errorf("Ed25519 gives %v", err)
	}
}
