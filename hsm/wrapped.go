package hsm

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"sync"

	"github.com/miekg/pkcs11"
)

// Wrapped is a holder's key pair outside the token.
type Wrapped struct {
	Type KeyType `json:"type"`
	SPKI []byte  `json:"spki"` // SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7)
	Blob []byte  `json:"blob"` // PKCS#8 private key under the holder's KEK, RFC 5649
}

// maxBlob limits Wrapped.Blob; an RSA-4096 key takes about 2.4 kB.
const maxBlob = 8 << 10

// GenerateWrapped makes a holder's key pair in the token and hands it back
// wrapped, so that nothing of it stays in the token:
//
//  1. derive KEK = Derive(master, d), a session object that wraps and unwraps;
//  2. generate the pair as session objects, private key sensitive;
//  3. wrap the private key under KEK (CKM_AES_KEY_WRAP_PAD) and destroy it;
//  4. unwrap the blob again, now not extractable, and sign with it: what is
//     handed out is known to open and to belong to the public key;
//  5. call prove, if given, with that key: it may sign a certificate request;
//  6. destroy key and KEK.
//
// Between 2 and 3 the key is extractable: any key of this login with the right
// to wrap could wrap it. CKA_WRAP_WITH_TRUSTED would narrow that to keys
// the security officer marked trusted, which a derived KEK can never be
// (PKCS#11 v2.40 §4.9), so it cannot be used here.
//
// An error of prove is returned as it is. prove runs while the session is held:
// it must not wait for another operation of the same Token.
func (t *Token) GenerateWrapped(ctx context.Context, master string, d [32]byte, kt KeyType, prove func(crypto.Signer) error) (Wrapped, error) {
	defer clear(d[:])
	spec, err := kt.spec()
	if err != nil {
		return Wrapped{}, err
	}
	if kt == Ed25519 {
		return Wrapped{}, fail(Unsupported, nil, "holders have RSA or ECDSA keys")
	}
	w := Wrapped{Type: kt}
	var theirs error
	err = t.with(ctx, "generate a wrapped key", func(s *session) error {
		m, err := t.object(ctx, s, master, roleMaster)
		if err != nil {
			return err
		}
		var public crypto.PublicKey
		err = t.sharing(ctx, func() (err error) {
			public, w.Blob, err = t.makeWrapped(s, m.handle, &d, spec)
			return err
		})
		if err != nil {
			return err
		}
		if w.SPKI, err = x509.MarshalPKIXPublicKey(public); err != nil {
			return fail(Failed, err, "encode the public key")
		}
		return t.useInSession(ctx, s, master, &d, w, func(key crypto.Signer) error {
			if err := tryKey(key); err != nil || prove == nil {
				return err
			}
			theirs = prove(key)
			return theirs
		})
	})
	if theirs != nil {
		return Wrapped{}, theirs
	}
	if err != nil {
		return Wrapped{}, err
	}
	return w, nil
}

// UseWrapped derives KEK = Derive(master, d), unwraps w under it as a session
// object that can sign and nothing else and can never leave the token, calls use
// with it, and destroys both. WrongSecret if d is not the d of GenerateWrapped
// or w.Blob was changed.
//
// The signer is good for any number of signatures, one at a time, until use
// returns. The first of them is checked against w.SPKI. An error of use is
// returned as it is. use runs while the session is held: it must not wait for
// another operation of the same Token, and it is called once at most.
func (t *Token) UseWrapped(ctx context.Context, master string, d [32]byte, w Wrapped, use func(crypto.Signer) error) error {
	defer clear(d[:])
	var theirs error
	err := t.with(ctx, "use a wrapped key", func(s *session) error {
		return t.useInSession(ctx, s, master, &d, w, func(key crypto.Signer) error {
			theirs = use(key)
			return theirs
		})
	})
	if theirs != nil {
		return theirs
	}
	return err
}

// makeWrapped is steps 1 to 3 of GenerateWrapped. The caller holds a
// share of the right to objects.
func (t *Token) makeWrapped(s *session, master handle, d *[32]byte, spec pairSpec) (crypto.PublicKey, []byte, error) {
	kek, err := t.deriveKEK(s, master, d, pkcs11.CKA_WRAP)
	if err != nil {
		return nil, nil, err
	}
	defer t.drop(s, kek)
	pub, priv, err := t.api.generatePair(s.id, mech(spec.generate), spec.publicTemplate(false), spec.privateTemplate(false, true))
	if err != nil {
		return nil, nil, err
	}
	defer t.drop(s, pub, priv)
	public, err := t.publicKey(s, pub)
	if err != nil {
		return nil, nil, err
	}
	blob, err := t.api.wrap(s.id, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, priv)
	if err == nil && (len(blob) == 0 || len(blob) > maxBlob) {
		err = fail(Failed, nil, "the token wrapped the key into %d bytes", len(blob))
	}
	return public, blob, err
}

// deriveKEK makes the holder's key-encryption key, a session object.
func (t *Token) deriveKEK(s *session, master handle, d *[32]byte, uses ...int) (handle, error) {
	return t.api.derive(s.id, master, d, secretTemplate(pkcs11.CKK_AES, false, uses...))
}

// unwrapKey derives the KEK, unwraps the holder's key and destroys the KEK. The
// caller holds a share of the right to objects.
func (t *Token) unwrapKey(s *session, master handle, d *[32]byte, blob []byte, spec pairSpec) (handle, error) {
	kek, err := t.deriveKEK(s, master, d, pkcs11.CKA_UNWRAP)
	if err != nil {
		return 0, err
	}
	defer t.drop(s, kek)
	key, err := t.api.unwrap(s.id, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, blob, spec.privateTemplate(false, false))
	if err != nil && damageOf(err) == damageNone {
		return 0, t.refusal(s, err, "the holder's key does not unwrap: another secret, or the wrapped key was changed")
	}
	return key, err
}

// useInSession is UseWrapped in the session s. From the call of use on, errors
// are marked so that the operation is not tried again.
func (t *Token) useInSession(ctx context.Context, s *session, master string, d *[32]byte, w Wrapped, use func(crypto.Signer) error) error {
	spec, err := w.Type.spec()
	if err != nil {
		return err
	}
	if len(w.Blob) == 0 || len(w.Blob) > maxBlob {
		return fail(WrongSecret, nil, "%d bytes cannot be a wrapped key", len(w.Blob))
	}
	public, err := x509.ParsePKIXPublicKey(w.SPKI)
	if err != nil {
		return fail(Failed, err, "read the holder's public key")
	}
	m, err := t.object(ctx, s, master, roleMaster)
	if err != nil {
		return err
	}
	key := &wrappedSigner{api: t.api, s: s, public: public}
	err = t.sharing(ctx, func() (err error) {
		key.handle, err = t.unwrapKey(s, m.handle, d, w.Blob, spec)
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		key.end()
		// The key must go even if the caller has lost interest meanwhile.
		_ = t.sharing(context.WithoutCancel(ctx), func() error { t.drop(s, key.handle); return nil })
	}()
	if err := use(key); err != nil {
		return once{err}
	}
	if key.failed != nil {
		return once{key.failed} // use swallowed it; we do not
	}
	return nil
}

// drop destroys session objects. If the token will not, the session is marked
// to be closed, which destroys them too (PKCS#11 v2.40 §5.6, C_CloseSession).
func (t *Token) drop(s *session, objects ...handle) {
	for _, o := range objects {
		if err := t.api.destroy(s.id, o); err != nil {
			s.spoiled = true
		}
	}
}

// wrappedSigner is a holder's key while it is in the token.
type wrappedSigner struct {
	api    cryptoki
	s      *session
	handle handle
	public crypto.PublicKey

	mu      sync.Mutex // one session, one call at a time
	checked bool       // a signature verified with public
	ended   bool
	failed  error
}

func (k *wrappedSigner) Public() crypto.PublicKey { return k.public }

// Sign is as for Signer.
func (k *wrappedSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	job, err := newJob(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return nil, fail(Failed, nil, "the holder's key was destroyed; it is good only inside the function it was given to")
	}
	if k.failed != nil {
		return nil, k.failed // the session may not be used after an error
	}
	sig, err := job.run(k.api, k.s.id, k.handle)
	if err == nil && !k.checked {
		if err = verify(k.public, digest, opts, sig); err != nil {
			err = fail(Failed, err, "the wrapped key does not belong to the public key it is kept with")
		}
		k.checked = true
	}
	if err != nil {
		k.failed = typed(err, "sign with a holder's key")
		return nil, k.failed
	}
	return sig, nil
}

func (k *wrappedSigner) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
}

// tryKey makes a signature, which Sign checks against the public key.
func tryKey(key crypto.Signer) error {
	digest := make([]byte, sha256.Size)
	rand.Read(digest)
	_, err := key.Sign(nil, digest, crypto.SHA256)
	return err
}
