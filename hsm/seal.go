package hsm

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"github.com/miekg/pkcs11"
)

// Limits of Seal and MAC, far above what a registry row needs.
const (
	maxSealed = 1 << 20
	maxMACed  = 1 << 20

	ivSize  = 12
	tagSize = 16
)

// MAC returns the HMAC-SHA-256 (RFC 2104) of data under the MAC key of that
// label. Compare MACs in constant time; CheckMAC does.
func (t *Token) MAC(ctx context.Context, label string, data []byte) ([]byte, error) {
	if len(data) > maxMACed {
		return nil, fail(Unsupported, nil, "MAC: %d bytes are more than %d", len(data), maxMACed)
	}
	var mac []byte
	err := t.with(ctx, "compute a MAC with "+label, func(s *session) error {
		o, err := t.object(ctx, s, label, roleMAC)
		if err != nil {
			return err
		}
		mac, err = macOf(t.api, s.id, o.handle, data)
		if err == nil && len(mac) != 32 {
			return fail(Failed, nil, "the token returned a MAC of %d bytes", len(mac))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return mac, nil
}

// maxMAC has room for any MAC, so that one of a wrong length shows.
const maxMAC = 64

func macOf(api cryptoki, s sessionID, key handle, data []byte) ([]byte, error) {
	return api.sign(s, mechMAC, key, data, make([]byte, maxMAC))
}

// CheckMAC reports whether mac is the MAC of data, in constant time.
func (t *Token) CheckMAC(ctx context.Context, label string, data, mac []byte) (bool, error) {
	want, err := t.MAC(ctx, label, data)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(want, mac) == 1, nil
}

// Seal encrypts plaintext (at most 1 MiB) in the token with AES-256-GCM (NIST
// SP 800-38D) under the sealing key of that label and binds aad to it. The
// result is IV ‖ ciphertext ‖ tag, 28 bytes longer than the plaintext.
//
// The IV is 96 random bits, so one key should seal no more than 2^32 texts
// (SP 800-38D §8.3).
func (t *Token) Seal(ctx context.Context, label string, aad, plaintext []byte) ([]byte, error) {
	if len(plaintext) > maxSealed || len(aad) > maxSealed {
		return nil, fail(Unsupported, nil, "seal: more than %d bytes", maxSealed)
	}
	var sealed []byte
	err := t.with(ctx, "seal with "+label, func(s *session) error {
		o, err := t.object(ctx, s, label, roleSeal)
		if err != nil {
			return err
		}
		iv := make([]byte, ivSize)
		rand.Read(iv)
		sealed, err = sealGCM(t.api, s.id, o.handle, iv, aad, plaintext)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sealed, nil
}

// Unseal decrypts what Seal made. WrongSecret if key or aad differ from those of
// Seal or a single bit was changed.
func (t *Token) Unseal(ctx context.Context, label string, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < ivSize+tagSize || len(sealed) > maxSealed+ivSize+tagSize || len(aad) > maxSealed {
		return nil, fail(WrongSecret, nil, "unseal: %d bytes cannot be a sealed text", len(sealed))
	}
	var plain []byte
	err := t.with(ctx, "unseal with "+label, func(s *session) error {
		o, err := t.object(ctx, s, label, roleSeal)
		if err != nil {
			return err
		}
		plain, err = unsealGCM(t.api, s.id, o.handle, aad, sealed)
		if err != nil && damageOf(err) == damageNone {
			return t.refusal(s, err, "the sealed text does not open: another key, another context, or it was changed")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return plain, nil
}

func sealGCM(api cryptoki, s sessionID, key handle, iv, aad, plaintext []byte) ([]byte, error) {
	params := pkcs11.NewGCMParams(iv, aad, 8*tagSize)
	defer params.Free()
	out, err := api.encrypt(s, pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params), key, plaintext)
	if err != nil {
		return nil, err
	}
	if len(out) != len(plaintext)+tagSize {
		return nil, fail(Failed, nil, "seal: the token returned %d bytes for %d", len(out), len(plaintext))
	}
	// Some tokens ignore our IV and write their own back.
	if used := params.IV(); len(used) == ivSize {
		iv = used
	}
	return append(iv, out...), nil
}

func unsealGCM(api cryptoki, s sessionID, key handle, aad, sealed []byte) ([]byte, error) {
	params := pkcs11.NewGCMParams(sealed[:ivSize], aad, 8*tagSize)
	defer params.Free()
	out, err := api.decrypt(s, pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params), key, sealed[ivSize:])
	if err != nil {
		return nil, err
	}
	if len(out) != len(sealed)-ivSize-tagSize {
		return nil, fail(Failed, nil, "unseal: the token returned %d bytes", len(out))
	}
	return out, nil
}

// refusal tells a token that refuses a text from a token that is ill: some
// answer both with CKR_GENERAL_ERROR. If the token still gives random bytes in
// the same session, and the login holds, the text was to blame.
func (t *Token) refusal(s *session, err error, msg string) error {
	if _, ours := err.(*Error); ours {
		return err
	}
	if isRV(err, pkcs11.CKR_HOST_MEMORY) || isRV(err, pkcs11.CKR_DEVICE_MEMORY) || isRV(err, pkcs11.CKR_MECHANISM_INVALID) {
		return err
	}
	if _, ill := t.api.random(s.id, 16); ill != nil {
		return ill
	}
	if in, ill := t.api.loggedIn(s.id); ill != nil {
		return ill
	} else if !in { // it sees no keys then, and may blame the text
		return pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return fail(WrongSecret, err, "%s", msg)
}
