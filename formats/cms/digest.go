package cms

import "crypto"

// VerifyDigest checks a signature value over a digest that was computed elsewhere,
// for data too large to be held; see [Algorithm.Verify] for [Weak]. It is not for Ed25519, which signs the data
// themselves.
func (a Algorithm) VerifyDigest(pub crypto.PublicKey, digest, signature []byte) error {
	switch {
	case a.Scheme == Ed25519:
		return fail(Unsupported, "an Ed25519 signature is over the data, not over their digest")
	case !a.Hash.Available() || len(digest) != a.Hash.Size():
		return fail(Unsupported, "the digest algorithm of the signature is not supported")
	}
	return a.verifyDigest(pub, digest, signature)
}
