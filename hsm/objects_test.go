package hsm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"testing"

	"github.com/miekg/pkcs11"
)

// points are CKA_EC_PARAMS and CKA_EC_POINT as tokens give them.
func points(t testing.TB) (params, wrapped, bare [][]byte) {
	t.Helper()
	for _, spec := range []pairSpec{pairSpecs[P256], pairSpecs[P384]} {
		key, err := ecdsa.GenerateKey(spec.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		octets, _ := asn1.Marshal(point)
		oid, _ := asn1.Marshal(spec.oid)
		params, wrapped, bare = append(params, oid), append(wrapped, octets), append(bare, point)
	}
	return params, wrapped, bare
}

func TestECPublicKey(t *testing.T) {
	t.Parallel()
	params, wrapped, bare := points(t)
	for i := range params {
		a, err := ecPublicKey(params[i], wrapped[i])
		if err != nil {
			t.Fatal(err)
		}
		b, err := ecPublicKey(params[i], bare[i])
		if err != nil || !samePublic(a, b) {
			t.Errorf("the bare point gives another key: %v", err)
		}
		if _, err := ecPublicKey(params[i], wrapped[1-i]); KindOf(err) != Unsupported {
			t.Errorf("a point of another curve: %v", err)
		}
		off := append([]byte(nil), bare[i]...)
		off[len(off)-1] ^= 1
		if _, err := ecPublicKey(params[i], off); KindOf(err) != Unsupported {
			t.Errorf("a point off the curve: %v", err)
		}
	}
	p521, _ := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 35})
	if _, err := ecPublicKey(p521, bare[0]); KindOf(err) != Unsupported {
		t.Errorf("another curve: %v", err)
	}
	if samePublic(elliptic.P256(), nil) {
		t.Error("a curve is a key")
	}
}

func FuzzECPublicKey(f *testing.F) {
	params, wrapped, bare := points(f)
	for i := range params {
		f.Add(params[i], wrapped[i])
		f.Add(params[i], bare[i])
	}
	f.Fuzz(func(t *testing.T, params, point []byte) {
		pub, err := ecPublicKey(params, point)
		if err != nil {
			if KindOf(err) != Unsupported {
				t.Errorf("kind %q", KindOf(err))
			}
			return
		}
		if _, err := pub.(*ecdsa.PublicKey).Bytes(); err != nil {
			t.Errorf("a key that is none: %v", err)
		}
	})
}

func TestULong(t *testing.T) {
	t.Parallel()
	for _, n := range []uint{0, pkcs11.CKK_EC, pkcs11.CKK_RSA, 1 << 20} {
		if got := ulong(pkcs11.NewAttribute(0, n).Value); got != n {
			t.Errorf("%d became %d", n, got)
		}
	}
	for _, raw := range [][]byte{nil, {1}, make([]byte, 16)} {
		if ulong(raw) != ^uint(0) {
			t.Errorf("%x was taken for a number", raw)
		}
	}
}
