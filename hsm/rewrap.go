package hsm

import (
	"context"

	"github.com/miekg/pkcs11"
)

// Rewrap wraps a holder's key, which is under the KEK of from, under the KEK of to:
// for a holder who changes the password. Nothing of the key is outside the token in
// the clear, and nothing of it stays in the token:
//
//  1. derive the old KEK and unwrap w under it as a session object that can be
//     wrapped;
//  2. derive the new KEK, wrap the key under it, destroy both;
//  3. unwrap the new blob as [Token.UseWrapped] does and sign with it: what is handed
//     out is known to open and to belong to the public key.
//
// WrongSecret if from is not the secret of w or w.Blob was changed. What was said of
// the moment in which the key is extractable at [Token.GenerateWrapped] holds here.
func (t *Token) Rewrap(ctx context.Context, master string, from, to [32]byte, w Wrapped) (Wrapped, error) {
	defer clear(from[:])
	defer clear(to[:])
	spec, err := w.Type.spec()
	if err != nil {
		return Wrapped{}, err
	}
	if len(w.Blob) == 0 || len(w.Blob) > maxBlob {
		return Wrapped{}, fail(WrongSecret, nil, "%d bytes cannot be a wrapped key", len(w.Blob))
	}
	anew := Wrapped{Type: w.Type, SPKI: w.SPKI}
	err = t.with(ctx, "wrap a key anew", func(s *session) error {
		m, err := t.object(ctx, s, master, roleMaster)
		if err != nil {
			return err
		}
		err = t.sharing(ctx, func() (err error) {
			anew.Blob, err = t.rewrap(s, m.handle, &from, &to, w.Blob, spec)
			return err
		})
		if err != nil {
			return err
		}
		return t.useInSession(ctx, s, master, &to, anew, tryKey)
	})
	if err != nil {
		return Wrapped{}, err
	}
	return anew, nil
}

// rewrap is steps 1 and 2 of Rewrap. The caller holds a share of the right to objects.
func (t *Token) rewrap(s *session, master handle, from, to *[32]byte, blob []byte, spec pairSpec) ([]byte, error) {
	kek, err := t.deriveKEK(s, master, from, pkcs11.CKA_UNWRAP)
	if err != nil {
		return nil, err
	}
	defer t.drop(s, kek)
	key, err := t.api.unwrap(s.id, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, blob, spec.privateTemplate(false, true))
	if err != nil {
		if damageOf(err) == damageNone {
			err = t.refusal(s, err, "the holder's key does not unwrap: another secret, or the wrapped key was changed")
		}
		return nil, err
	}
	defer t.drop(s, key)
	kek2, err := t.deriveKEK(s, master, to, pkcs11.CKA_WRAP)
	if err != nil {
		return nil, err
	}
	defer t.drop(s, kek2)
	anew, err := t.api.wrap(s.id, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek2, key)
	if err == nil && (len(anew) == 0 || len(anew) > maxBlob) {
		err = fail(Failed, nil, "the token wrapped the key into %d bytes", len(anew))
	}
	return anew, err
}
