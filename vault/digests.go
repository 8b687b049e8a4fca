package vault

import (
	"bytes"
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"slices"

	"sigillo/hsm"
)

// hashes are the hash functions a signature may be made with (ETSI TS 119 312).
var hashes = map[string]crypto.Hash{
	"SHA-256": crypto.SHA256,
	"SHA-384": crypto.SHA384,
	"SHA-512": crypto.SHA512,
}

// The signature schemes.
const (
	schemePKCS1 = "pkcs1" // RSASSA-PKCS1-v1_5, RFC 8017 §8.2
	schemePSS   = "pss"   // RSASSA-PSS with a salt as long as the hash, RFC 8017 §8.1
	schemeECDSA = "ecdsa" // FIPS 186-5 §6
)

// isRSA reports whether keys of type kt are RSA keys; false with ok unset for a
// type nobody may have.
func isRSA(kt hsm.KeyType) (rsa, ok bool) {
	switch kt {
	case "rsa2048", "rsa3072", "rsa4096":
		return true, true
	case "p256", "p384":
		return false, true
	}
	return false, false
}

// schemeFits reports whether a key of type kt may sign with scheme.
func schemeFits(scheme string, kt hsm.KeyType) bool {
	rsa, ok := isRSA(kt)
	switch scheme {
	case schemePKCS1, schemePSS:
		return ok && rsa
	case schemeECDSA:
		return ok && !rsa
	}
	return false
}

// checkDigests says whether there are 1 to most digests, each as long as hash
// makes them.
func checkDigests(hash string, digests [][]byte, most int) (crypto.Hash, error) {
	h, ok := hashes[hash]
	if !ok {
		return 0, fail(BadRequest, "the hash function must be SHA-256, SHA-384 or SHA-512")
	}
	if len(digests) == 0 || len(digests) > min(most, MaxDigests) {
		return 0, failf(NotAllowed, "%d digests asked for; this credential signs 1 to %d at once", len(digests), min(most, MaxDigests))
	}
	for _, d := range digests {
		if len(d) != h.Size() {
			return 0, failf(BadRequest, "a digest has %d bytes; %s makes %d", len(d), hash, h.Size())
		}
	}
	return h, nil
}

// sorted returns the digests in order, repetitions kept: a multiset.
func sorted(digests [][]byte) [][]byte {
	s := slices.Clone(digests)
	slices.SortFunc(s, bytes.Compare)
	return s
}
