package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"sync"

	"sigillo/p256"
)

// verifiers verify what the token signed with holders' keys before it leaves the vault.
// An ECDSA signature takes as long to verify as to make: of P-256 keys that sign many
// digests at once the multiples are kept, with which it takes a third of that.
type verifiers struct {
	mu   sync.Mutex
	keys map[string]*p256.Key // guarded by mu; by SubjectPublicKeyInfo
}

const (
	maxVerifiers = 64 // keys, of 150 KB each
	manyDigests  = 32 // from so many on it pays to make the multiples
)

// of gives what reports whether signature is one over digest by the key, which is to
// sign n digests.
func (c *verifiers) of(pub crypto.PublicKey, spki []byte, n int) func(digest, signature []byte, opts crypto.SignerOpts) bool {
	slow := func(digest, signature []byte, opts crypto.SignerOpts) bool {
		return verified(pub, digest, signature, opts)
	}
	ec, ok := pub.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return slow
	}
	fast := c.fast(ec, string(spki), n)
	if fast == nil {
		return slow
	}
	return func(digest, signature []byte, opts crypto.SignerOpts) bool {
		if len(digest) != 32 {
			return slow(digest, signature, opts)
		}
		return fast.Verify([32]byte(digest), signature) == nil
	}
}

// fast gives the multiples of a key if they are there or worth while.
func (c *verifiers) fast(pub *ecdsa.PublicKey, spki string, n int) *p256.Key {
	c.mu.Lock()
	k := c.keys[spki]
	c.mu.Unlock()
	if k != nil || n < manyDigests {
		return k
	}
	k, err := p256.New(pub, p256.Small)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= maxVerifiers {
		clear(c.keys)
	}
	if c.keys == nil {
		c.keys = make(map[string]*p256.Key)
	}
	c.keys[spki] = k
	return k
}

// verified reports whether signature is one over digest with the given options.
func verified(pub crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, signature)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(k, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, opts.HashFunc(), digest, signature) == nil
	}
	return false
}
