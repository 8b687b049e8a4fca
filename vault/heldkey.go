package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"runtime/debug"

	"sigillo/hsm"
)

// heldKey is a holder's key for one activation: steps 3 and 4 of sign. The token
// unwraps it in a goroutine of its own, which then waits for the word to sign, or to
// destroy it.
type heldKey struct {
	v      *server
	ctx    context.Context
	a      *Activation
	sad    *claims
	public crypto.PublicKey
	begun  bool
	word   chan bool // true: the intent is durable, sign
	ended  chan struct{}

	signatures [][]byte // once ended is closed
	err        error
}

// errWithdrawn ends the use of a key that was unwrapped and may not sign.
var errWithdrawn = fail(Failed, "the key was not used")

func (v *server) holdKey(ctx context.Context, a *Activation, sad *claims) (*heldKey, error) {
	pub, err := x509.ParsePKIXPublicKey(a.Credential.PublicKey)
	if err != nil {
		return nil, because(err, "the credential's public key cannot be read")
	}
	return &heldKey{v: v, ctx: ctx, a: a, sad: sad, public: pub, word: make(chan bool, 1), ended: make(chan struct{})}, nil
}

// unwrap lets the token begin. It does not wait.
func (k *heldKey) unwrap() {
	k.begun = true
	go func() {
		defer close(k.ended)
		defer func() {
			if r := recover(); r != nil { // as handle does
				k.v.log.Error("panic", "op", opSign, "panic", r, "stack", string(debug.Stack()))
				k.signatures, k.err = nil, fail(Failed, "the vault failed; see its log")
			}
		}()
		k.signatures, k.err = k.use()
	}()
}

// sign gives the word to sign and waits for the signatures.
func (k *heldKey) sign() ([][]byte, error) {
	k.word <- true
	<-k.ended
	return k.signatures, k.err
}

// drop has the key destroyed, if it is not yet, and waits until it is.
func (k *heldKey) drop() {
	if !k.begun {
		return
	}
	select {
	case k.word <- false:
	default: // it was given the word to sign
	}
	<-k.ended
}

// use unwraps the key, waits for the word and signs.
func (k *heldKey) use() (signatures [][]byte, err error) {
	d, err := k.v.mint.secret(k.sad)
	if err != nil {
		return nil, err
	}
	defer clear(d[:])
	err = k.v.tok.UseWrapped(k.ctx, keyMaster, d, k.a.Credential.wrapped(), func(key crypto.Signer) error {
		if !<-k.word {
			return errWithdrawn
		}
		signatures, err = k.signAll(key)
		return err
	})
	if hsm.KindOf(err) == hsm.WrongSecret {
		return nil, &Error{Kind: Tampered, Msg: "the key does not open; restore the credential from a backup or issue a new one", Err: err}
	}
	if err != nil {
		return nil, because(err, "the token did not sign")
	}
	return signatures, nil
}

// signAll has the token sign, and verifies the signatures beside it.
func (k *heldKey) signAll(key crypto.Signer) ([][]byte, error) {
	opts := signerOpts(k.a.Scheme, hashes[k.a.Hash])
	signatures := make([][]byte, len(k.a.Digests))
	made := make(chan int, len(k.a.Digests)) // the signatures that are there
	good := make(chan bool, 1)
	verified := k.v.verifiers.of(k.public, k.a.Credential.PublicKey, len(k.a.Digests))
	go func() {
		ok := true
		for i := range made {
			ok = ok && verified(k.a.Digests[i], signatures[i], opts)
		}
		good <- ok
	}()
	var err error
	for i, digest := range k.a.Digests {
		if err = k.ctx.Err(); err != nil {
			break
		}
		if signatures[i], err = key.Sign(rand.Reader, digest, opts); err != nil {
			break
		}
		made <- i
	}
	close(made)
	if ok := <-good; err == nil && !ok {
		err = fail(Failed, "the token made a wrong signature; nothing was released, have the token checked")
	}
	if err != nil {
		return nil, err
	}
	return signatures, nil
}

func signerOpts(scheme string, h crypto.Hash) crypto.SignerOpts {
	if scheme == schemePSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	return h
}
