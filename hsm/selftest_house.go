package hsm

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// house tests the signing keys that stay in the token: made not extractable, never
// wrapped. The keys here are session objects, for the rest as GenerateSigner makes
// them. What is tried to get one out is a key of the same login, as who has the PIN
// could make it.
func (x *tester) house() {
	x.houses = true
	defer func() { x.houses = false }()
	var thief handle
	canWrap := x.try(func(sessionID) (err error) {
		thief, err = x.api.generate(x.home.id, mech(pkcs11.CKM_AES_KEY_GEN), secretTemplate(pkcs11.CKK_AES, false, pkcs11.CKA_WRAP))
		return err
	}) == nil
	for _, c := range []struct {
		kt      KeyType
		secrets []uint
		signs   []crypto.SignerOpts
	}{
		{P256, []uint{pkcs11.CKA_VALUE}, []crypto.SignerOpts{crypto.SHA256}},
		{P384, []uint{pkcs11.CKA_VALUE}, []crypto.SignerOpts{crypto.SHA384}},
		{RSA2048, []uint{pkcs11.CKA_PRIVATE_EXPONENT, pkcs11.CKA_PRIME_1}, []crypto.SignerOpts{crypto.SHA256,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}}},
	} {
		k := &testKey{kt: c.kt, spec: pairSpecs[c.kt]}
		if !x.works(fmt.Sprintf("a resident %s key is generated", c.kt), func(sessionID) error {
			pub, priv, err := x.api.generatePair(x.home.id, mech(k.spec.generate), k.spec.publicTemplate(false), k.spec.privateTemplate(false, false))
			if err != nil {
				return err
			}
			k.handle = priv
			k.public, err = x.t.publicKey(x.home, pub)
			return err
		}) {
			continue
		}
		x.hides(fmt.Sprintf("a resident %s key", c.kt), k.handle, c.secrets...)
		if canWrap {
			x.resident(k, thief)
		}
		for _, opts := range c.signs {
			x.signs(k, opts)
		}
		if c.kt == RSA2048 {
			x.signsOnly("a resident RSA key", k)
		}
	}
}

// resident checks that a key made not extractable does not leave.
func (x *tester) resident(k *testKey, thief handle) {
	leave := func(s sessionID, key handle) error {
		_, err := x.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), thief, key)
		return err
	}
	x.refuses(fmt.Sprintf("a resident %s key is not wrapped", k.kt), true, func(s sessionID) error { return leave(s, k.handle) })
	x.refuses(fmt.Sprintf("a resident %s key cannot be made extractable", k.kt), true, func(s sessionID) error {
		if err := x.api.set(s, k.handle, attr(pkcs11.CKA_EXTRACTABLE, true)); err != nil {
			return err
		}
		return leave(s, k.handle)
	})
	x.refuses(fmt.Sprintf("a copy of a resident %s key cannot be made extractable", k.kt), true, func(s sessionID) error {
		c, err := x.api.copy(s, k.handle, attr(pkcs11.CKA_EXTRACTABLE, true))
		if err != nil {
			return err
		}
		return leave(s, c)
	})
}

// signsOnly checks that an RSA key that may sign neither decrypts nor unwraps.
func (x *tester) signsOnly(whose string, k *testKey) {
	// A valid text, so that only the key's flags stand in the way. SHA-1 is the
	// one hash that SoftHSM knows for OAEP; nothing is protected by it here.
	secret := make([]byte, 32)
	rand.Read(secret)
	text, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, k.public.(*rsa.PublicKey), secret, nil)
	oaep := pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_OAEP, pkcs11.NewOAEPParams(pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, pkcs11.CKZ_DATA_SPECIFIED, nil))
	if err != nil {
		x.works("the RSA key encrypts", func(sessionID) error { return err })
		return
	}
	x.refuses(whose+" that is to sign only does not decrypt", true, func(s sessionID) error {
		_, err := x.api.decrypt(s, oaep, k.handle, text)
		return err
	})
	x.refuses(whose+" that is to sign only does not unwrap", true, func(s sessionID) error {
		_, err := x.api.unwrap(s, oaep, k.handle, text, attr(
			pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY, pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES,
			pkcs11.CKA_TOKEN, false, pkcs11.CKA_ENCRYPT, true))
		return err
	})
}

// curiosity looks at what we would like and do not need.
func (x *tester) curiosity() {
	if trusted := x.curious(true, pkcs11.CKA_WRAP_WITH_TRUSTED); trusted != 0 && x.wrapper != 0 {
		x.refuses("CKA_WRAP_WITH_TRUSTED is enforced", false, func(s sessionID) error {
			_, err := x.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), x.wrapper, trusted)
			return err
		})
	}
	if careful := x.curious(false, pkcs11.CKA_ALWAYS_AUTHENTICATE); careful != 0 {
		x.refuses("CKA_ALWAYS_AUTHENTICATE is enforced", false, func(s sessionID) error {
			var out [64]byte
			_, err := x.api.sign(s, mechECDSA, careful, out[:32], out[:])
			if isRV(err, pkcs11.CKR_USER_NOT_LOGGED_IN) { // the right answer, and not a lost login
				return errors.New("it wants the PIN for each signature")
			}
			return err
		})
	}
}

// curious makes a key with a further attribute, 0 if the token does not.
func (x *tester) curious(extractable bool, attribute int) (key handle) {
	spec := pairSpecs[P256]
	_ = x.try(func(sessionID) (err error) {
		tmpl := append(spec.privateTemplate(false, extractable), attr(attribute, true)...)
		_, key, err = x.api.generatePair(x.home.id, mech(spec.generate), spec.publicTemplate(false), tmpl)
		return err
	})
	return key
}
