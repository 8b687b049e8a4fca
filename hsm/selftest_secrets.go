package hsm

import (
	"bytes"
	"crypto/rand"
	"errors"

	"github.com/miekg/pkcs11"
)

// sealing tests AES-GCM and its key.
func (x *tester) sealing() {
	var key handle
	var sealed []byte
	text, aad, iv := []byte("a text to be sealed"), []byte("context"), make([]byte, ivSize)
	rand.Read(iv)
	ok := x.works("a text is sealed and unsealed (AES-GCM)", func(s sessionID) (err error) {
		key, err = x.api.generate(x.home.id, mech(pkcs11.CKM_AES_KEY_GEN), secretTemplate(pkcs11.CKK_AES, false, roleUses[roleSeal]...))
		if err != nil {
			return err
		}
		if sealed, err = sealGCM(x.api, s, key, iv, aad, text); err != nil {
			return err
		}
		plain, err := unsealGCM(x.api, s, key, aad, sealed)
		if err == nil && !bytes.Equal(plain, text) {
			return errors.New("another text came back")
		}
		return err
	})
	if !ok {
		return
	}
	x.hides("a sealing key", key, pkcs11.CKA_VALUE)
	for _, c := range []struct {
		part string
		at   int
	}{{"IV", 0}, {"ciphertext", ivSize}, {"tag", len(sealed) - 1}} {
		x.refuses("a sealed text with a changed "+c.part+" is refused", true, func(s sessionID) error {
			b := bytes.Clone(sealed)
			b[c.at] ^= 1
			_, err := unsealGCM(x.api, s, key, aad, b)
			return err
		})
	}
	x.refuses("a sealed text is refused in another context", true, func(s sessionID) error {
		_, err := unsealGCM(x.api, s, key, []byte("Context"), sealed)
		return err
	})
	x.refuses("a sealing key does not wrap", true, func(s sessionID) error {
		_, err := x.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), key, x.wrapper)
		return err
	})
}

// macs tests HMAC-SHA-256 and its key.
func (x *tester) macs() {
	var key handle
	ok := x.works("MACs depend on key and data (HMAC-SHA-256)", func(s sessionID) error {
		tmpl := secretTemplate(pkcs11.CKK_GENERIC_SECRET, false, roleUses[roleMAC]...)
		other, err := x.api.generate(s, mech(pkcs11.CKM_GENERIC_SECRET_KEY_GEN), tmpl)
		if err != nil {
			return err
		}
		if key, err = x.api.generate(x.home.id, mech(pkcs11.CKM_GENERIC_SECRET_KEY_GEN), tmpl); err != nil {
			return err
		}
		var macs [4][]byte
		for i, c := range []struct {
			key  handle
			data string
		}{{key, "a"}, {key, "a"}, {key, "b"}, {other, "a"}} {
			if macs[i], err = macOf(x.api, s, c.key, []byte(c.data)); err != nil {
				return err
			}
		}
		if len(macs[0]) != 32 || !bytes.Equal(macs[0], macs[1]) || bytes.Equal(macs[0], macs[2]) || bytes.Equal(macs[0], macs[3]) {
			return errors.New("the MACs are not as they must be")
		}
		return nil
	})
	if ok {
		x.hides("a MAC key", key, pkcs11.CKA_VALUE)
	}
}

// lifetime checks that a session takes its objects with it.
func (x *tester) lifetime() {
	if x.master == 0 || x.wrapper == 0 {
		return
	}
	var orphan handle
	_ = x.try(func(s sessionID) (err error) {
		orphan, err = x.api.derive(s, x.master, &x.d, secretTemplate(pkcs11.CKK_AES, false, pkcs11.CKA_UNWRAP))
		return err
	})
	x.refuses("session objects are gone with their session", true, func(s sessionID) error {
		_, err := x.api.attribute(s, orphan, pkcs11.CKA_CLASS)
		return err
	})
}
