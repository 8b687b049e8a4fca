package hsm_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"testing"

	"github.com/miekg/pkcs11"

	"sigillo/hsm"
)

// master is a token with a master key, and with faults to come.
func master(t testing.TB, f *hsm.Faults) *hsm.Token {
	t.Helper()
	tok := openFaulty(t, f)
	check(t, tok.GenerateMaster(ctx, "master"))
	return tok
}

func TestWrapped(t *testing.T) {
	t.Parallel()
	f := &hsm.Faults{}
	tok := master(t, f)
	types := []hsm.KeyType{hsm.P256, hsm.P384, hsm.RSA2048, hsm.RSA3072}
	if !testing.Short() {
		types = append(types, hsm.RSA4096)
	}
	for _, kt := range types {
		d := secret(t)
		var csr []byte
		w, err := tok.GenerateWrapped(ctx, "master", d, kt, func(key crypto.Signer) (err error) {
			csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "holder"}}, key)
			return err
		})
		check(t, err)
		// The request proves possession of the key whose SPKI is kept.
		req, err := x509.ParseCertificateRequest(csr)
		check(t, err)
		check(t, req.CheckSignature())
		if spki, err := x509.MarshalPKIXPublicKey(req.PublicKey); err != nil || !bytes.Equal(spki, w.SPKI) || w.Type != kt {
			t.Errorf("%s: the request is for another key: %v", kt, err)
		}
		// The wrapped key lives outside: it survives being written down.
		row, err := json.Marshal(w)
		check(t, err)
		var back hsm.Wrapped
		check(t, json.Unmarshal(row, &back))

		var dead crypto.Signer
		check(t, tok.UseWrapped(ctx, "master", d, back, func(key crypto.Signer) error {
			for _, h := range hashes {
				verify(t, key, h)
			}
			dead = key
			return nil
		}))
		if sig, err := dead.Sign(nil, make([]byte, 32), crypto.SHA256); sig != nil || err == nil {
			t.Errorf("%s: the key signed after its use", kt)
		}
		if _, _, _, objects, _ := f.Count(); objects != 0 {
			t.Errorf("%s: %d objects left in the token", kt, objects)
		}
	}
}

func TestWrappedRefuses(t *testing.T) {
	t.Parallel()
	f := &hsm.Faults{}
	tok := master(t, f)
	check(t, tok.GenerateMaster(ctx, "other master"))
	d := secret(t)
	w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	check(t, err)
	big, err := tok.GenerateWrapped(ctx, "master", d, hsm.RSA2048, nil)
	check(t, err)
	refused := func(name, master string, d [32]byte, w hsm.Wrapped, want hsm.Kind) {
		t.Helper()
		err := tok.UseWrapped(ctx, master, d, w, func(crypto.Signer) error {
			t.Errorf("%s: unwrapped", name)
			return nil
		})
		if hsm.KindOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range d {
		wrong := d
		wrong[i] ^= 1 << (i % 8)
		refused("another secret", "master", wrong, w, hsm.WrongSecret)
	}
	refused("another secret, RSA", "master", [32]byte{}, big, hsm.WrongSecret)
	refused("another master", "other master", d, w, hsm.WrongSecret)
	refused("no master", "nobody", d, w, hsm.NotFound)
	for i := range w.Blob {
		c := w
		c.Blob = bytes.Clone(w.Blob)
		c.Blob[i] ^= 1 << (i % 8)
		refused("changed", "master", d, c, hsm.WrongSecret)
	}
	for _, blob := range [][]byte{nil, w.Blob[:8], w.Blob[:len(w.Blob)-8], w.Blob[:len(w.Blob)-1], make([]byte, 8<<10+1), make([]byte, 4096)} {
		c := w
		c.Blob = blob
		refused("another length", "master", d, c, hsm.WrongSecret)
	}
	c := w
	c.Type = "p521"
	refused("unknown type", "master", d, c, hsm.Unsupported)
	c = w
	c.SPKI = w.SPKI[1:]
	refused("broken public key", "master", d, c, hsm.Failed)
	if _, _, _, objects, _ := f.Count(); objects != 0 {
		t.Errorf("%d objects left in the token", objects)
	}
}

// A key kept with the public key of another must not deliver a signature.
func TestWrappedWithAnotherPublicKey(t *testing.T) {
	t.Parallel()
	tok := master(t, &hsm.Faults{})
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048} {
		d := secret(t)
		mine, err := tok.GenerateWrapped(ctx, "master", d, kt, nil)
		check(t, err)
		other, err := tok.GenerateWrapped(ctx, "master", d, kt, nil)
		check(t, err)
		mine.SPKI = other.SPKI
		err = tok.UseWrapped(ctx, "master", d, mine, func(key crypto.Signer) error {
			sig, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
			if sig != nil || err == nil {
				t.Errorf("%s: a signature came out", kt)
			}
			if _, again := key.Sign(nil, make([]byte, 32), crypto.SHA256); again == nil {
				t.Errorf("%s: the second signature came out", kt)
			}
			return nil // swallowed: UseWrapped must fail all the same
		})
		wantKind(t, err, hsm.Failed)
	}
}

func TestWrappedPassesErrorsOn(t *testing.T) {
	t.Parallel()
	f := &hsm.Faults{}
	tok := master(t, f)
	d := secret(t)
	mine := errors.New("not today")
	if _, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, func(crypto.Signer) error { return mine }); err != mine {
		t.Errorf("prove's error became %v", err)
	}
	w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	check(t, err)
	if err := tok.UseWrapped(ctx, "master", d, w, func(crypto.Signer) error { return mine }); err != mine {
		t.Errorf("use's error became %v", err)
	}
	if _, _, _, objects, _ := f.Count(); objects != 0 {
		t.Errorf("%d objects left in the token", objects)
	}
}

// What a token that wraps badly hands out is never given to the caller.
func TestGenerateWrappedProvesTheBlob(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func([]byte, error) ([]byte, error){
		"changed": func(b []byte, err error) ([]byte, error) {
			if len(b) > 0 {
				b[len(b)-1] ^= 1
			}
			return b, err
		},
		"empty": func([]byte, error) ([]byte, error) { return nil, nil },
		"huge":  func([]byte, error) ([]byte, error) { return make([]byte, 9000), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &hsm.Faults{Wrap: wrap}
			w, err := master(t, f).GenerateWrapped(ctx, "master", secret(t), hsm.P256, func(crypto.Signer) error {
				t.Error("prove was called")
				return nil
			})
			if err == nil || w.Blob != nil {
				t.Errorf("got %+v, %v", w, err)
			}
			if _, _, _, objects, _ := f.Count(); objects != 0 {
				t.Errorf("%d objects left in the token", objects)
			}
		})
	}
}

// If the token does not destroy a key, the session that owns it is closed.
func TestUndestroyedKeysGoWithTheirSession(t *testing.T) {
	t.Parallel()
	f := &hsm.Faults{}
	tok := master(t, f)
	d := secret(t)
	w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	check(t, err)
	_, before, _, _, _ := f.Count()
	f.Destroy = func(error) error { return hsm.RV(pkcs11.CKR_FUNCTION_FAILED) }
	check(t, tok.UseWrapped(ctx, "master", d, w, func(key crypto.Signer) error {
		verify(t, key, crypto.SHA256)
		return nil
	}))
	if _, after, _, _, _ := f.Count(); after != before+1 {
		t.Errorf("%d sessions were closed, want 1", after-before)
	}
}

// Keys of one token do not open under the master of another.
func TestWrappedIsBoundToTheToken(t *testing.T) {
	t.Parallel()
	a, b := master(t, &hsm.Faults{}), master(t, &hsm.Faults{})
	d := secret(t)
	w, err := a.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	check(t, err)
	wantKind(t, b.UseWrapped(ctx, "master", d, w, func(crypto.Signer) error { return nil }), hsm.WrongSecret)
}
