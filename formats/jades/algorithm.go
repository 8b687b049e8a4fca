package jades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the digests of the algorithms below
	_ "crypto/sha512"
	"encoding/base64"
	"strings"

	"sigillo/formats/cms"
	"sigillo/formats/der"
)

// algorithms are the signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1). What is
// not here, "none" and the HMACs before all, is refused.
var algorithms = map[string]cms.Algorithm{
	"RS256": {Scheme: cms.PKCS1, Hash: crypto.SHA256},
	"RS384": {Scheme: cms.PKCS1, Hash: crypto.SHA384},
	"RS512": {Scheme: cms.PKCS1, Hash: crypto.SHA512},
	"PS256": {Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 32},
	"PS384": {Scheme: cms.PSS, Hash: crypto.SHA384, SaltLength: 48},
	"PS512": {Scheme: cms.PSS, Hash: crypto.SHA512, SaltLength: 64},
	"ES256": {Scheme: cms.ECDSA, Hash: crypto.SHA256},
	"ES384": {Scheme: cms.ECDSA, Hash: crypto.SHA384},
	"ES512": {Scheme: cms.ECDSA, Hash: crypto.SHA512},
	"EdDSA": {Scheme: cms.Ed25519, Hash: crypto.SHA512},
}

// curves are bound to the ECDSA algorithms (RFC 7518 §3.4).
var curves = map[crypto.Hash]elliptic.Curve{
	crypto.SHA256: elliptic.P256(), crypto.SHA384: elliptic.P384(), crypto.SHA512: elliptic.P521(),
}

// digests are the digest identifiers of TS 119 182-1 §5.2.2.2.
var digests = map[string]crypto.Hash{"S256": crypto.SHA256, "S384": crypto.SHA384, "S512": crypto.SHA512}

func digestName(h crypto.Hash) string {
	for name, d := range digests {
		if d == h {
			return name
		}
	}
	return ""
}

// algorithmFor chooses the algorithm for a key and its JWS name. A zero hash is
// SHA-256 with RSA and what the key demands with the others.
func algorithmFor(pub crypto.PublicKey, h crypto.Hash, pss bool) (cms.Algorithm, string, error) {
	none := cms.Algorithm{}
	if k, ok := pub.(*ecdsa.PublicKey); ok {
		want := crypto.Hash(0)
		for d, c := range curves {
			if c == k.Curve {
				want = d
			}
		}
		if h == 0 {
			h = want
		}
		if h != want && want != 0 {
			return none, "", fail(cms.BadOptions, "JWS signs with a %s key and %v only, not %v (RFC 7518 §3.4)", k.Params().Name, want, h)
		}
	}
	if h == 0 {
		h = crypto.SHA256
		if _, ok := pub.(ed25519.PublicKey); ok {
			h = crypto.SHA512
		}
	}
	alg, err := cms.AlgorithmFor(pub, h, pss)
	if err != nil {
		return none, "", err
	}
	if alg.Scheme == cms.Ed25519 {
		return alg, "EdDSA", nil
	}
	for name, a := range algorithms {
		if a == alg {
			return alg, name, nil
		}
	}
	return none, "", fail(cms.BadOptions, "JWS has no name for this kind of signature")
}

// jwsValue turns a signature value as crypto.Signer gives it into the one JWS
// carries: ECDSA as r ‖ s (RFC 7518 §3.4).
func jwsValue(pub crypto.PublicKey, signature []byte) ([]byte, error) {
	if k, ok := pub.(*ecdsa.PublicKey); ok {
		return cms.RawECDSA(signature, k)
	}
	return signature, nil
}

// derValue is the inverse of jwsValue. It also takes values whose two halves leave
// out the same leading zeros: EU DSS writes one P-521 signature in three so, and
// its halves mean nothing else.
func derValue(pub crypto.PublicKey, raw []byte) ([]byte, error) {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return raw, nil
	}
	n, size := len(raw)/2, (k.Params().N.BitLen()+7)/8
	if n == 0 || n > size || n < size-8 || len(raw)%2 != 0 {
		return nil, fail(cms.BadSignature, "the ECDSA signature value has %d octets, not %d", len(raw), 2*size)
	}
	return der.TLV(der.Sequence, der.AppendUnsigned(nil, raw[:n]), der.AppendUnsigned(nil, raw[n:])), nil
}

// checkKey holds a key to the algorithm that a header names (RFC 8725 §3.1).
func checkKey(pub crypto.PublicKey, alg cms.Algorithm) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if alg.Scheme == cms.PKCS1 || alg.Scheme == cms.PSS {
			return nil
		}
	case *ecdsa.PublicKey:
		if alg.Scheme == cms.ECDSA && k.Curve == curves[alg.Hash] {
			return nil
		}
	case ed25519.PublicKey:
		if alg.Scheme == cms.Ed25519 {
			return nil
		}
	}
	return fail(cms.BadSignature, "the key of the certificate is not one for the algorithm that the header names")
}

// b64 is base64url without padding, the only encoding of octets in a JWS.
var b64 = base64.RawURLEncoding.Strict()

// unb64 decodes base64url strictly: no padding, no line breaks, no stray bits.
func unb64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, fail(cms.Malformed, "a base64url value holds line breaks")
	}
	out, err := b64.DecodeString(s)
	if err != nil {
		return nil, wrap(cms.Malformed, err, "a value is not base64url (RFC 7515 §2)")
	}
	return out, nil
}

// unbase64 decodes the ordinary base64 of certificates and PKI objects.
func unbase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, fail(cms.Malformed, "a base64 value holds line breaks")
	}
	out, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, wrap(cms.Malformed, err, "a value is not base64")
	}
	return out, nil
}
