package hsm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
)

// SelfTest tries out, on session objects that are gone afterwards, whether the
// token really enforces what its attributes promise: there are tokens that
// accept CKA_SENSITIVE, or a changed wrapped key, and do not care.
//
// Refusals that are asked for stand next to uses of the same keys that must
// succeed, so that a token that refuses everything does not pass.
//
// The error is Unsupported if a required check failed (the report then says
// which), TokenGone if the token went away meanwhile. The test takes about a
// second, most of it for an RSA key.
func (t *Token) SelfTest(ctx context.Context) (Report, error) {
	var r Report
	err := t.with(ctx, "test the token", func(s *session) error {
		return t.sharing(ctx, func() error {
			s.spoiled = true // closing the session takes the test keys with it
			x := &tester{t: t, api: t.api, home: s}
			x.run(ctx)
			i := t.Info()
			r = Report{Module: i.Module, Manufacturer: i.Manufacturer, Label: i.Label, Serial: i.Serial, Firmware: i.Firmware, Checks: x.checks}
			return x.lost
		})
	})
	if err != nil {
		return r, err
	}
	missing := r.Missing()
	if len(missing) == 0 {
		return r, nil
	}
	also := ""
	if len(r.MissingHouse()) == 0 {
		also = " (it would do for the signing keys of the house alone)"
	}
	return r, fail(Unsupported, nil, "the token %q does not do what holders' keys rely on%s: %s", r.Label, also, strings.Join(missing, "; "))
}

// tester runs the checks. Test keys live in the session home; every try gets a
// session of its own, because what is refused may leave an operation active.
type tester struct {
	t      *Token
	api    cryptoki
	home   *session
	checks []Check
	lost   error // the token went away, or ctx ended: stop
	houses bool  // what is checked now counts for the keys of the house

	master  handle // derive only
	wrapper handle // KEK for d, may wrap
	opener  handle // KEK for d, may unwrap
	d       [32]byte
}

func (x *tester) run(ctx context.Context) {
	rand.Read(x.d[:])
	groups := []func(){x.randomness, x.house, x.derivation, x.elliptic, x.rsa, x.sealing, x.macs, x.lifetime, x.curiosity}
	for _, group := range groups {
		if x.lost == nil {
			x.lost = ctx.Err()
		}
		if x.lost == nil {
			group()
		}
	}
}

// works records a check that is OK if f succeeds.
func (x *tester) works(name string, f func(s sessionID) error) bool {
	err := x.try(f)
	if x.lost != nil {
		return false
	}
	c := Check{Name: name, OK: err == nil, Required: true, House: x.houses, Detail: "done"}
	if err != nil {
		c.Detail = "failed: " + err.Error()
	}
	x.checks = append(x.checks, c)
	return c.OK
}

// refuses records a check that is OK if f fails.
func (x *tester) refuses(name string, required bool, f func(s sessionID) error) {
	err := x.try(f)
	if x.lost != nil {
		return
	}
	c := Check{Name: name, OK: err != nil, Required: required, House: x.houses, Detail: "the token did it"}
	if err != nil {
		c.Detail = "refused: " + err.Error()
	}
	x.checks = append(x.checks, c)
}

// try runs f in a session of its own. A lost token is not a refusal.
func (x *tester) try(f func(s sessionID) error) error {
	if x.lost != nil {
		return x.lost
	}
	s, err := x.api.open(x.home.slot, false)
	if err == nil {
		err = f(s)
		_ = x.api.close(s) // a test session; its objects do not matter any more
	}
	if damageOf(err) >= damageSession {
		x.lost = err
	}
	return err
}

// hides checks that a secret attribute of a key cannot be read.
func (x *tester) hides(what string, key handle, attributes ...uint) {
	for _, a := range attributes {
		x.refuses(fmt.Sprintf("the value of %s cannot be read (attribute 0x%x)", what, a), true, func(s sessionID) error {
			value, err := x.api.attribute(s, key, a)
			if err == nil && len(value) == 0 {
				return errors.New("the token returned nothing")
			}
			return err
		})
	}
}

func (x *tester) randomness() {
	x.houses = true
	defer func() { x.houses = false }()
	x.works("random numbers differ", func(s sessionID) error {
		a, err := x.api.random(s, 32)
		if err != nil {
			return err
		}
		b, err := x.api.random(s, 32)
		if err != nil {
			return err
		}
		if len(a) != 32 || len(b) != 32 || bytes.Equal(a, b) || bytes.Count(a, a[:1]) == 32 {
			return errors.New("the same bytes came twice")
		}
		return nil
	})
}

// derivation tests the master and the key-encryption keys.
func (x *tester) derivation() {
	ok := x.works("a derive-only master key can be made", func(sessionID) (err error) {
		x.master, err = x.api.generate(x.home.id, mech(pkcs11.CKM_AES_KEY_GEN), secretTemplate(pkcs11.CKK_AES, false, pkcs11.CKA_DERIVE))
		return err
	}) && x.works("key-encryption keys are derived inside the token", func(sessionID) (err error) {
		if x.wrapper, err = x.t.deriveKEK(x.home, x.master, &x.d, pkcs11.CKA_WRAP); err == nil {
			x.opener, err = x.t.deriveKEK(x.home, x.master, &x.d, pkcs11.CKA_UNWRAP)
		}
		return err
	})
	if !ok {
		return
	}
	x.hides("the master key", x.master, pkcs11.CKA_VALUE)
	x.hides("a key-encryption key", x.opener, pkcs11.CKA_VALUE)
	// Encrypting d with the master would hand out the key-encryption key.
	x.refuses("the master key does not encrypt", true, func(s sessionID) error {
		_, err := x.api.encrypt(s, mech(pkcs11.CKM_AES_ECB), x.master, x.d[:])
		return err
	})
	x.refuses("the master key does not decrypt", true, func(s sessionID) error {
		_, err := x.api.decrypt(s, mech(pkcs11.CKM_AES_ECB), x.master, x.d[:])
		return err
	})
	x.refuses("a key-encryption key does not decrypt", true, func(s sessionID) error {
		_, err := x.api.decrypt(s, mech(pkcs11.CKM_AES_ECB), x.opener, x.d[:])
		return err
	})
	x.refuses("a key-encryption key does not derive", true, func(s sessionID) error {
		_, err := x.api.derive(s, x.opener, &x.d, secretTemplate(pkcs11.CKK_AES, false, pkcs11.CKA_UNWRAP))
		return err
	})
	x.refuses("a secret key cannot be made readable by a copy", true, func(s sessionID) error {
		c, err := x.api.copy(s, x.opener, attr(pkcs11.CKA_SENSITIVE, false, pkcs11.CKA_EXTRACTABLE, true))
		if err != nil {
			return err
		}
		_, err = x.api.attribute(s, c, pkcs11.CKA_VALUE)
		return err
	})
}

// elliptic and rsa test holders' keys and signatures of the two families.
func (x *tester) elliptic() {
	for _, kt := range []KeyType{P256, P384} {
		if k := x.holderKey(kt, pkcs11.CKA_VALUE); k != nil {
			x.signs(k, crypto.SHA256)
			x.signs(k, crypto.SHA384)
		}
	}
}

func (x *tester) rsa() {
	k := x.holderKey(RSA2048, pkcs11.CKA_PRIVATE_EXPONENT, pkcs11.CKA_PRIME_1)
	if k == nil {
		return
	}
	x.signs(k, crypto.SHA256)
	x.signs(k, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	x.signs(k, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512})
	x.signsOnly("an unwrapped RSA key", k)
}

// testKey is a holder's key after its way through the wrapping.
type testKey struct {
	kt     KeyType
	spec   pairSpec
	public crypto.PublicKey
	fresh  handle // as generated: sensitive, extractable
	handle handle // as unwrapped: sensitive, not extractable
	blob   []byte
}

// holderKey tests what is done with a holder's key: generated extractable,
// wrapped, unwrapped for good. It returns nil if that does not work.
func (x *tester) holderKey(kt KeyType, secrets ...uint) *testKey {
	k := &testKey{kt: kt, spec: pairSpecs[kt]}
	ok := x.works(fmt.Sprintf("a %s key is generated", kt), func(sessionID) error {
		pub, priv, err := x.api.generatePair(x.home.id, mech(k.spec.generate), k.spec.publicTemplate(false), k.spec.privateTemplate(false, true))
		if err != nil {
			return err
		}
		k.fresh = priv
		k.public, err = x.t.publicKey(x.home, pub)
		return err
	}) && x.works(fmt.Sprintf("a %s key is wrapped (AES key wrap with padding)", kt), func(s sessionID) (err error) {
		k.blob, err = x.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), x.wrapper, k.fresh)
		return err
	}) && x.works(fmt.Sprintf("a %s key is unwrapped", kt), func(sessionID) (err error) {
		k.handle, err = x.unwrap(x.home.id, x.opener, k.blob, k.spec)
		return err
	})
	if !ok {
		return nil
	}
	x.hides(fmt.Sprintf("a fresh %s key", kt), k.fresh, secrets...)
	x.hides(fmt.Sprintf("an unwrapped %s key", kt), k.handle, secrets...)
	x.staysInside(k)
	x.openers(k)
	x.tampering(k)
	return k
}

func (x *tester) unwrap(s sessionID, kek handle, blob []byte, spec pairSpec) (handle, error) {
	return x.api.unwrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, blob, spec.privateTemplate(false, false))
}

// staysInside checks that an unwrapped key can never leave again.
func (x *tester) staysInside(k *testKey) {
	wrap := func(s sessionID, kek, key handle) error {
		_, err := x.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, key)
		return err
	}
	x.refuses(fmt.Sprintf("a %s key that is not extractable is not wrapped", k.kt), true, func(s sessionID) error {
		return wrap(s, x.wrapper, k.handle)
	})
	x.refuses(fmt.Sprintf("a %s key cannot be made extractable again", k.kt), true, func(s sessionID) error {
		if err := x.api.set(s, k.handle, attr(pkcs11.CKA_EXTRACTABLE, true)); err != nil {
			return err
		}
		return wrap(s, x.wrapper, k.handle)
	})
	x.refuses(fmt.Sprintf("a %s key cannot be made readable again", k.kt), true, func(s sessionID) error {
		return x.api.set(s, k.handle, attr(pkcs11.CKA_SENSITIVE, false))
	})
	x.refuses(fmt.Sprintf("a copy of a %s key cannot be made extractable", k.kt), true, func(s sessionID) error {
		c, err := x.api.copy(s, k.handle, attr(pkcs11.CKA_EXTRACTABLE, true))
		if err != nil {
			return err
		}
		return wrap(s, x.wrapper, c)
	})
	x.refuses(fmt.Sprintf("an unwrap-only key does not wrap a %s key", k.kt), true, func(s sessionID) error {
		return wrap(s, x.opener, k.fresh)
	})
}

// openers checks who can open a wrapped key: only a KEK from the same master
// over the same 32 bytes, all of them.
func (x *tester) openers(k *testKey) {
	x.refuses(fmt.Sprintf("a wrap-only key does not unwrap a %s key", k.kt), true, func(s sessionID) error {
		_, err := x.unwrap(s, x.wrapper, k.blob, k.spec)
		return err
	})
	for _, at := range []int{0, 15, 16, 31} {
		other := x.d
		other[at] ^= 1
		var kek handle
		ok := x.works(fmt.Sprintf("a key-encryption key is derived from a secret that differs in byte %d", at), func(sessionID) (err error) {
			kek, err = x.t.deriveKEK(x.home, x.master, &other, pkcs11.CKA_UNWRAP)
			return err
		})
		if !ok {
			return
		}
		x.refuses(fmt.Sprintf("a secret that differs in byte %d does not unwrap a %s key", at, k.kt), true, func(s sessionID) error {
			_, err := x.unwrap(s, kek, k.blob, k.spec)
			return err
		})
	}
}

// tampering changes one bit in each of up to 64 places of the wrapped key, cuts
// it, lengthens it and swaps its blocks; nothing of that may unwrap.
func (x *tester) tampering(k *testKey) {
	step := max(1, len(k.blob)/64)
	var changed [][]byte
	for i := 0; i < len(k.blob); i += step {
		b := bytes.Clone(k.blob)
		b[i] ^= 1 << (i % 8)
		changed = append(changed, b)
	}
	if len(k.blob) > 32 {
		last := bytes.Clone(k.blob)
		last[len(last)-1] ^= 1
		swapped := slices.Concat(k.blob[:8], k.blob[16:24], k.blob[8:16], k.blob[24:])
		changed = append(changed, last, swapped, k.blob[:len(k.blob)-8], k.blob[:len(k.blob)-1])
	}
	changed = append(changed, append(bytes.Clone(k.blob), make([]byte, 8)...))
	accepted := 0
	var answer error
	for _, b := range changed {
		err := x.try(func(s sessionID) error {
			_, err := x.unwrap(s, x.opener, b, k.spec)
			return err
		})
		if x.lost != nil {
			return
		}
		if err == nil {
			accepted++
		}
		answer = err
	}
	c := Check{Name: fmt.Sprintf("a changed wrapped %s key is refused", k.kt), OK: accepted == 0, Required: true}
	c.Detail = fmt.Sprintf("%d changes tried, %d accepted; last answer: %v", len(changed), accepted, answer)
	x.checks = append(x.checks, c)
}

// signs makes a signature with the unwrapped key and verifies it in Go.
func (x *tester) signs(k *testKey, opts crypto.SignerOpts) {
	scheme := "PKCS #1 v1.5"
	switch opts.(type) {
	case *rsa.PSSOptions:
		scheme = "PSS"
	default:
		if k.spec.curve != nil {
			scheme = "ECDSA"
		}
	}
	whose := "an unwrapped"
	if x.houses {
		whose = "a resident"
	}
	x.works(fmt.Sprintf("%s signatures of %s %s key with %v verify", scheme, whose, k.kt, opts.HashFunc()), func(s sessionID) error {
		digest := make([]byte, opts.HashFunc().Size())
		rand.Read(digest)
		job, err := newJob(k.public, digest, opts)
		if err != nil {
			return err
		}
		sig, err := job.run(x.api, s, k.handle)
		if err != nil {
			return err
		}
		return verify(k.public, digest, opts, sig)
	})
}
