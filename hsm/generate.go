package hsm

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/miekg/pkcs11"
)

// maxLabel limits labels; tokens have limits of their own.
const maxLabel = 255

// Has reports whether the token holds a persistent key of that label, of
// whatever kind.
func (t *Token) Has(label string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signWait)
	defer cancel()
	var has bool
	err := t.with(ctx, "look for the key "+label, func(s *session) error {
		return t.excluding(ctx, func() (err error) {
			has, err = t.has(s, label)
			return err
		})
	})
	return has, err
}

func (t *Token) has(s *session, label string) (bool, error) {
	found, err := t.api.find(s.id, attr(pkcs11.CKA_LABEL, label, pkcs11.CKA_TOKEN, true), 1)
	if err == nil && len(found) == 0 {
		err = t.trulyAbsent(s, label)
	}
	return len(found) > 0, err
}

// GenerateSigner makes a persistent key pair: sensitive, not extractable, good
// for signing only, not modifiable. Conflict if the label is taken.
func (t *Token) GenerateSigner(ctx context.Context, label string, kt KeyType) (*Signer, error) {
	return t.generateSigner(ctx, label, kt, false)
}

// GenerateFastSigner is GenerateSigner for a key that signs thousands of times a
// second: its attributes may be changed, because a token copies no other key, and a
// Signer uses such a key through a copy in a session if that is to be had (see
// sessionCopy). It cannot become extractable, nor readable, by the change; if it
// becomes good for more than signing it is refused when it is looked up.
func (t *Token) GenerateFastSigner(ctx context.Context, label string, kt KeyType) (*Signer, error) {
	return t.generateSigner(ctx, label, kt, true)
}

func (t *Token) generateSigner(ctx context.Context, label string, kt KeyType, modifiable bool) (*Signer, error) {
	spec, err := kt.spec()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails (crypto/rand)
	named := attr(pkcs11.CKA_LABEL, label, pkcs11.CKA_ID, id)
	err = t.generate(ctx, label, func(s *session) error {
		_, _, err := t.api.generatePair(s.id, mech(spec.generate),
			append(append(spec.publicTemplate(true), named...), attr(pkcs11.CKA_MODIFIABLE, false)...),
			append(append(spec.privateTemplate(true, false), named...), attr(pkcs11.CKA_MODIFIABLE, modifiable)...))
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.signer(ctx, label)
}

// GenerateMaster makes the persistent key that the holders' key-encryption keys
// are derived from: AES-256, sensitive, not extractable, derive only.
// Conflict if the label is taken.
func (t *Token) GenerateMaster(ctx context.Context, label string) error {
	return t.generateSecret(ctx, label, roleMaster, pkcs11.CKM_AES_KEY_GEN, pkcs11.CKK_AES)
}

// GenerateMACKey makes a persistent 256-bit key for HMAC-SHA-256, sensitive, not
// extractable. Conflict if the label is taken.
func (t *Token) GenerateMACKey(ctx context.Context, label string) error {
	return t.generateSecret(ctx, label, roleMAC, pkcs11.CKM_GENERIC_SECRET_KEY_GEN, pkcs11.CKK_GENERIC_SECRET)
}

// GenerateSealKey makes a persistent AES-256 key for Seal and Unseal, sensitive,
// not extractable, encrypt and decrypt only. Conflict if the label is taken.
func (t *Token) GenerateSealKey(ctx context.Context, label string) error {
	return t.generateSecret(ctx, label, roleSeal, pkcs11.CKM_AES_KEY_GEN, pkcs11.CKK_AES)
}

func (t *Token) generateSecret(ctx context.Context, label string, r role, mechanism uint, keyType int) error {
	tmpl := secretTemplate(keyType, true, roleUses[r]...)
	tmpl = append(tmpl, attr(pkcs11.CKA_LABEL, label, pkcs11.CKA_MODIFIABLE, false)...)
	return t.generate(ctx, label, func(s *session) error {
		_, err := t.api.generate(s.id, mech(mechanism), tmpl)
		return err
	})
}

// generate makes sure that the label is free and runs make, as one step for this
// process. (Nothing in PKCS#11 keeps another process from taking the label in
// between; the next look-up finds two and reports Conflict.)
func (t *Token) generate(ctx context.Context, label string, make func(*session) error) error {
	if label == "" || len(label) > maxLabel {
		return fail(Unsupported, nil, "a key label has 1 to %d bytes", maxLabel)
	}
	return t.withWritable(ctx, "generate the key "+label, func(s *session) error {
		return t.excluding(ctx, func() error {
			taken, err := t.has(s, label)
			if err != nil {
				return err
			}
			if taken {
				return fail(Conflict, nil, "the token already has a key %q", label)
			}
			return make(s)
		})
	})
}

// DestroySigner takes a signing key out of the token, both halves, for good.
// NotFound if there is none; Conflict if the label belongs to something else.
func (t *Token) DestroySigner(ctx context.Context, label string) error {
	return t.withWritable(ctx, "destroy the key "+label, func(s *session) error {
		return t.excluding(ctx, func() error {
			o, err := t.lookUp(s, label, roleSigner)
			if err != nil {
				return err
			}
			public, err := t.findOne(s, label, pkcs11.CKO_PUBLIC_KEY)
			if err != nil {
				return err
			}
			t.mu.Lock()
			used := t.objects[label]
			delete(t.objects, label)
			delete(t.seen, label)
			t.mu.Unlock()
			var errs []error
			for _, c := range []object{o, used} { // the copies in the session
				if c.handle != c.stays {
					errs = append(errs, t.api.destroy(s.id, c.handle))
				}
			}
			// The public half goes last: without it what is left would not be found.
			errs = append(errs, t.api.destroy(s.id, o.stays), t.api.destroy(s.id, public))
			return errors.Join(errs...)
		})
	})
}
