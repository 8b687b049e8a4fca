package vault

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"reflect"
	"testing"
	"time"

	"sigillo/hsm"
)

func TestInfrastructureKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for _, kt := range []struct {
		label string
		kt    hsm.KeyType
	}{{"tsu-1", "p256"}, {"root-ca", "rsa2048"}, {"journal", "p256"}} {
		pub, err := r.c.CreateKey(ctx, kt.label, kt.kt)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.c.Signer(ctx, kt.label)
		if err != nil {
			t.Fatal(err)
		}
		if !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(s.Public()) {
			t.Fatal("two keys of one label")
		}
		d, d5 := sha256.Sum256([]byte("x")), sha512.Sum512([]byte("x"))
		for _, o := range []struct {
			scheme string
			h      crypto.Hash
			digest []byte
		}{{schemePKCS1, crypto.SHA256, d[:]}, {schemePSS, crypto.SHA256, d[:]}, {schemePKCS1, crypto.SHA512, d5[:]}} {
			if o.scheme == schemePSS && kt.kt != "rsa2048" {
				continue
			}
			opts := signerOpts(o.scheme, o.h)
			sig, err := s.Sign(rand.Reader, o.digest, opts)
			if err != nil || !verified(pub, o.digest, sig, opts) {
				t.Errorf("%s %s: %v", kt.label, o.scheme, err)
			}
		}
		_, err = s.Sign(rand.Reader, d[:20], crypto.SHA1)
		want(t, err, NotAllowed)
		_, err = s.Sign(rand.Reader, d[:31], crypto.SHA256)
		want(t, err, BadRequest)
		_, err = s.Sign(rand.Reader, d[:], nil)
		want(t, err, NotAllowed)
		_, err = r.c.CreateKey(ctx, kt.label, kt.kt)
		want(t, err, NotAllowed)
	}
	for _, label := range []string{keyMaster, keyMAC, keySeal, "tsu-2", ""} {
		_, err := r.c.CreateKey(ctx, label, "p256")
		want(t, err, NotAllowed)
		_, err = r.c.Signer(ctx, label)
		want(t, err, NotAllowed)
	}
	_, err := r.c.CreateKey(ctx, "tsa-ca", "p521")
	want(t, err, BadRequest)
	_, err = r.c.Signer(ctx, "tsa-ca")
	want(t, err, NotAllowed)
	if n := r.events(); n["key.intent"] < 3 || n["key.created"] < 3 {
		t.Errorf("journal: %v", n)
	}
	r.cfg.Provision = false
	r.restart()
	_, err = r.c.CreateKey(ctx, "tsa-ca", "p256")
	want(t, err, NotAllowed)
	if rep, err := r.c.SelfTest(ctx); err != nil {
		t.Errorf("self-test: %+v, %v", rep, err)
	}
}

// TestUsesAreJournalled: the uses of infrastructure keys are in the journal, by
// the number, every ten minutes and at the end.
func TestUsesAreJournalled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, label := range []string{"tsu-1", "tsa-ca"} {
		if _, err := r.c.CreateKey(t.Context(), label, "p256"); err != nil {
			t.Fatal(err)
		}
	}
	begin := r.clock.now().Format(time.RFC3339)
	for range 3 {
		if err := signLabel(r, "tsu-1", make([]byte, 32)); err != nil {
			t.Fatal(err)
		}
	}
	if err := signLabel(r, "tsa-ca", make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	if n := r.events()["key.used"]; n != 0 {
		t.Errorf("%d entries at once", n)
	}
	r.clock.move(time.Hour)
	v, done := r.direct() // the vault is stopped
	defer done()
	want := []map[string]string{{"label": "tsa-ca", "count": "1", "since": begin}, {"label": "tsu-1", "count": "3", "since": begin}}
	if got := r.entries("key.used"); !reflect.DeepEqual(got, want) {
		t.Errorf("at the end: %v", got)
	}
	begin = r.clock.now().Format(time.RFC3339)
	use := func() {
		t.Helper()
		if _, err := v.signDigest(t.Context(), &digestRequest{Label: "tsu-1", Hash: "SHA-256", Digest: make([]byte, 32)}); err != nil {
			t.Fatal(err)
		}
	}
	use()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	v.minute(over, 10) // fails: the use is not forgotten
	use()
	v.minute(t.Context(), 19) // too early
	if n := r.events()["key.used"]; n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
	v.minute(t.Context(), 20)
	v.minute(t.Context(), 30) // nothing to say
	want = append(want, map[string]string{"label": "tsu-1", "count": "2", "since": begin})
	if got := r.entries("key.used"); !reflect.DeepEqual(got, want) {
		t.Errorf("after ten minutes: %v", got)
	}
}

// TestCreateKeyAgain: the answer was lost, the same request comes again.
func TestCreateKeyAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	v, unlock, err := start(t.Context(), r.cfg, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	defer v.close()
	r.stop = func() error { return nil }
	q := &keyRequest{Label: "tsu-1", Type: "p256"}
	a, err := v.createKey(t.Context(), "id", q)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.createKey(t.Context(), "id", q)
	if err != nil || !bytes.Equal(a.SPKI, b.SPKI) {
		t.Fatalf("the repetition: %v", err)
	}
	_, err = v.createKey(t.Context(), "id2", q)
	want(t, err, NotAllowed)
	_, err = v.createKey(t.Context(), "id", &keyRequest{Label: "tsu-1", Type: "p384"})
	want(t, err, NotAllowed)
}
