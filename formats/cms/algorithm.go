package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/der"
)

// Scheme names a way of signing, in the spelling the key's keeper uses.
type Scheme string

// The schemes. With all but Ed25519 the key signs the digest of the data to be
// signed; with Ed25519 it signs the data itself (RFC 8032 §5.1, RFC 8419 §3.1).
const (
	PKCS1   Scheme = "pkcs1"   // RSASSA-PKCS1-v1_5
	PSS     Scheme = "pss"     // RSASSA-PSS, salt as long as the digest
	ECDSA   Scheme = "ecdsa"   // value is the DER ECDSA-Sig-Value
	Ed25519 Scheme = "ed25519" // pure EdDSA
)

// Algorithm is a signature algorithm with all its parameters.
type Algorithm struct {
	Scheme     Scheme
	Hash       crypto.Hash // with Ed25519 that of the document only
	SaltLength int         // PSS only, in octets
}

// AlgorithmFor chooses the algorithm for a key. It refuses keys and digests that
// should not sign any more: RSA below 2048 bits, digests below SHA-256, curves
// other than P-256, P-384 and P-521.
//
// An Ed25519 key does not care about h, which is the digest of the document then;
// in CMS it must be SHA-512 (RFC 8419 §3.1).
func AlgorithmFor(pub crypto.PublicKey, h crypto.Hash, pss bool) (Algorithm, error) {
	if !strong(h) {
		return Algorithm{}, fail(BadOptions, "digest algorithm %v cannot be used to sign; use SHA-256, SHA-384 or SHA-512", h)
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return Algorithm{}, fail(BadOptions, "the RSA key has %d bits; at least 2048 are needed", k.N.BitLen())
		}
		if pss {
			return Algorithm{PSS, h, h.Size()}, nil
		}
		return Algorithm{Scheme: PKCS1, Hash: h}, nil
	case *ecdsa.PublicKey:
		if pss {
			return Algorithm{}, fail(BadOptions, "PSS is for RSA keys; this certificate has an ECDSA key")
		}
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			return Algorithm{}, fail(BadOptions, "curve %s cannot be used; use P-256, P-384 or P-521", k.Params().Name)
		}
		return Algorithm{Scheme: ECDSA, Hash: h}, nil
	case ed25519.PublicKey:
		if pss {
			return Algorithm{}, fail(BadOptions, "PSS is for RSA keys; this certificate has an Ed25519 key")
		}
		return Algorithm{Scheme: Ed25519, Hash: h}, nil
	}
	return Algorithm{}, fail(BadOptions, "a key of type %T cannot be used to sign; use RSA, ECDSA or Ed25519", pub)
}

// SignerOpts gives what crypto.Signer.Sign wants beside the digest, or beside the
// data themselves for Ed25519.
func (a Algorithm) SignerOpts() crypto.SignerOpts {
	switch a.Scheme {
	case PSS:
		return &rsa.PSSOptions{SaltLength: a.SaltLength, Hash: a.Hash}
	case Ed25519:
		return crypto.Hash(0)
	}
	return a.Hash
}

// Input gives what the key is given to sign: the data to be signed themselves for
// Ed25519, their digest for all others; nil if the digest is not available.
func (a Algorithm) Input(dtbs []byte) []byte {
	switch {
	case a.Scheme == Ed25519:
		return dtbs
	case !a.Hash.Available():
		return nil
	}
	return digestOf(a.Hash, dtbs)
}

// Identifier gives the AlgorithmIdentifier in DER: for RSA PKCS#1 v1.5 with NULL
// parameters (RFC 4055 §5), for ECDSA without (RFC 5758 §3.2), for PSS with all
// of them written out (RFC 4055 §3.1).
func (a Algorithm) Identifier() ([]byte, error) {
	if a.Scheme == Ed25519 {
		return algorithm(oidEd25519, nil), nil // RFC 8419 §2.2
	}
	for _, row := range hashTable {
		if row.hash != a.Hash {
			continue
		}
		switch a.Scheme {
		case PKCS1:
			return algorithm(row.rsa, derNull), nil
		case ECDSA:
			return algorithm(row.ecdsa, nil), nil
		case PSS:
			h := algorithm(row.oid, derNull)
			return algorithm(oidPSS, der.TLV(der.Sequence,
				der.TLV(der.Context0Con, h),
				der.TLV(der.Context0Con|1, algorithm(oidMGF1, h)),
				der.TLV(der.Context0Con|2, der.Int(int64(a.SaltLength))),
			)), nil
		}
	}
	return nil, fail(Unsupported, "there is no identifier for %s with %v", a.Scheme, a.Hash)
}

// ParseAlgorithm reads the AlgorithmIdentifier of a signature. digest is the
// digest algorithm stated beside it; identifiers that name a digest themselves
// must name the same one (RFC 8933 §3).
func ParseAlgorithm(raw []byte, digest crypto.Hash) (Algorithm, error) {
	depth := DefaultLimits.Depth
	e, rest, err := next(raw, depth)
	if err != nil {
		return Algorithm{}, err
	}
	if !e.is(der.Sequence) || len(rest) > 0 {
		return Algorithm{}, fail(Malformed, "the signature algorithm is broken")
	}
	f, err := fields(e.body, depth, 2)
	if err != nil {
		return Algorithm{}, err
	}
	if len(f) == 0 {
		return Algorithm{}, fail(Malformed, "the signature algorithm is empty")
	}
	oid, err := readOID(f[0])
	if err != nil {
		return Algorithm{}, err
	}
	switch {
	case oid.Equal(oidRSA):
		return Algorithm{Scheme: PKCS1, Hash: digest}, nil
	case oid.Equal(oidEd25519):
		return Algorithm{Scheme: Ed25519, Hash: digest}, nil
	case oid.Equal(oidPSS):
		return parsePSS(f[1:], digest)
	}
	for _, row := range hashTable {
		scheme := PKCS1
		if oid.Equal(row.ecdsa) {
			scheme = ECDSA
		} else if !oid.Equal(row.rsa) {
			continue
		}
		if row.hash != digest {
			return Algorithm{}, fail(Mismatch, "the signature algorithm uses %v, the message digest %v", row.hash, digest)
		}
		return Algorithm{Scheme: scheme, Hash: digest}, nil
	}
	return Algorithm{}, fail(Unsupported, "signature algorithm %v is not supported", oid)
}

// parsePSS reads RSASSA-PSS-params (RFC 4055 §3.1). What is left out means SHA-1.
func parsePSS(params []element, digest crypto.Hash) (Algorithm, error) {
	a := Algorithm{Scheme: PSS, Hash: crypto.SHA1, SaltLength: 20}
	mgf := crypto.SHA1
	if len(params) == 1 {
		f, err := fields(params[0].body, DefaultLimits.Depth, 4)
		if err != nil {
			return a, err
		}
		for _, e := range f {
			inner, rest, err := next(e.body, DefaultLimits.Depth)
			if err != nil || len(rest) > 0 || e.class != 2 {
				return a, fail(Malformed, "the PSS parameters are broken")
			}
			switch e.tag {
			case 0:
				a.Hash, _, err = parseDigestAlgorithm(inner)
			case 1:
				mgf, err = parseMGF1(inner)
			case 2:
				a.SaltLength, err = readSmall(inner)
			case 3:
				var trailer int
				if trailer, err = readSmall(inner); err == nil && trailer != 1 {
					err = fail(Unsupported, "PSS trailer field %d is not supported", trailer)
				}
			default:
				err = fail(Malformed, "the PSS parameters are broken")
			}
			if err != nil {
				return a, err
			}
		}
	}
	if a.Hash != digest {
		return a, fail(Mismatch, "the signature algorithm uses %v, the message digest %v", a.Hash, digest)
	}
	if mgf != a.Hash {
		return a, fail(Unsupported, "PSS with a mask digest (%v) other than the digest (%v) is not supported", mgf, a.Hash)
	}
	if a.SaltLength == 0 || a.SaltLength > 512 {
		return a, fail(Unsupported, "a PSS salt of %d bytes is not supported", a.SaltLength)
	}
	return a, nil
}

func parseMGF1(e element) (crypto.Hash, error) {
	f, err := fields(e.body, DefaultLimits.Depth, 2)
	if err != nil {
		return 0, err
	}
	if len(f) != 2 {
		return 0, fail(Malformed, "the PSS mask generation function is broken")
	}
	if oid, err := readOID(f[0]); err != nil || !oid.Equal(oidMGF1) {
		return 0, fail(Unsupported, "a PSS mask generation function other than MGF1 is not supported")
	}
	h, _, err := parseDigestAlgorithm(f[1])
	return h, err
}

// parseDigestAlgorithm reads a digest AlgorithmIdentifier: parameters absent or
// NULL (RFC 5754 §2). An unknown algorithm gives hash 0 and its identifier.
func parseDigestAlgorithm(e element) (crypto.Hash, asn1.ObjectIdentifier, error) {
	if !e.is(der.Sequence) || !e.constructed {
		return 0, nil, fail(Malformed, "a digest algorithm was expected")
	}
	f, err := fields(e.body, DefaultLimits.Depth, 2)
	if err != nil {
		return 0, nil, err
	}
	if len(f) == 0 {
		return 0, nil, fail(Malformed, "a digest algorithm is empty")
	}
	oid, err := readOID(f[0])
	if err != nil {
		return 0, nil, err
	}
	if len(f) == 2 && !bytes.Equal(f[1].raw, derNull) {
		return 0, oid, fail(Malformed, "a digest algorithm has parameters")
	}
	return HashByOID(oid), oid, nil
}

// Verify checks a signature value over message with the public key. The kind
// [Weak] means that it is right, and made with a digest that no signature may rely
// on any more: who has rules with dates may take it for nil.
func (a Algorithm) Verify(pub crypto.PublicKey, message, signature []byte) error {
	if a.Scheme == Ed25519 {
		k, ok := pub.(ed25519.PublicKey)
		if !ok {
			return fail(BadSignature, "the algorithm is Ed25519 but the certificate has another kind of key")
		}
		if !ed25519.Verify(k, message, signature) {
			return fail(BadSignature, "the signature value does not match")
		}
		return nil
	}
	if !a.Hash.Available() {
		return fail(Unsupported, "the digest algorithm of the signature is not supported")
	}
	return a.verifyDigest(pub, digestOf(a.Hash, message), signature)
}

// weakness is the error of kind [Weak] of a digest that is not collision-resistant
// any more (ETSI TS 119 312), nil for the others. It is asked for last, when all
// else is right.
func weakness(what string, h crypto.Hash) error {
	if h == crypto.SHA1 || h == crypto.SHA224 {
		return fail(Weak, "the %s relies on %v, which is no longer safe", what, h)
	}
	return nil
}

// The size of an RSA key is its owner's choice, and the time of a verification
// grows with its square and with the exponent: one certificate with a key of
// megabits would keep the reader busy for minutes.
const (
	maxRSABits     = 16384
	maxRSAExponent = 1<<31 - 1
)

func (a Algorithm) verifyDigest(pub crypto.PublicKey, digest, signature []byte) error {
	var err error
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > maxRSABits || int64(k.E) > maxRSAExponent {
			return fail(Unsupported, "an RSA key of more than %d bits, or with an exponent of more than 31, is not supported", maxRSABits)
		}
		switch a.Scheme {
		case PKCS1:
			err = rsa.VerifyPKCS1v15(k, a.Hash, digest, signature)
		case PSS:
			err = rsa.VerifyPSS(k, a.Hash, digest, signature, &rsa.PSSOptions{SaltLength: a.SaltLength, Hash: a.Hash})
		default:
			return fail(BadSignature, "the algorithm is %s but the certificate has an RSA key", a.Scheme)
		}
	case *ecdsa.PublicKey:
		if a.Scheme != ECDSA {
			return fail(BadSignature, "the algorithm is %s but the certificate has an ECDSA key", a.Scheme)
		}
		if !ecdsa.VerifyASN1(k, digest, signature) {
			return fail(BadSignature, "the signature value does not match")
		}
	case ed25519.PublicKey:
		return fail(BadSignature, "the algorithm is %s but the certificate has an Ed25519 key", a.Scheme)
	default:
		return fail(Unsupported, "the certificate has a kind of key that is not supported")
	}
	if err != nil {
		return wrap(BadSignature, err, "the signature value does not match")
	}
	return weakness("signature", a.Hash)
}

// MaxSignatureSize gives the largest size in octets of a signature value as
// crypto.Signer returns it: the modulus for RSA, and for ECDSA a SEQUENCE of two
// INTEGERs, each as long as the order with a leading zero octet if its top bit
// can be set. It is 0 for keys that are not supported.
func MaxSignatureSize(pub crypto.PublicKey) int {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return k.Size()
	case *ecdsa.PublicKey:
		number := der.Size(int64(k.Curve.Params().N.BitLen()/8 + 1))
		return int(der.Size(2 * number))
	case ed25519.PublicKey:
		return ed25519.SignatureSize
	}
	return 0
}

// RawECDSA turns a DER ECDSA-Sig-Value into r ‖ s, each as long as the order of
// the curve, as XML signatures carry it (RFC 4050 §3.3, XMLDSig 1.1 §6.4.3).
func RawECDSA(signature []byte, pub *ecdsa.PublicKey) ([]byte, error) {
	broken := fail(Malformed, "the ECDSA signature value is not DER of two numbers that fit the curve")
	size := (pub.Curve.Params().N.BitLen() + 7) / 8
	in, v := cryptobyte.String(signature), cryptobyte.String(nil)
	r, s := new(big.Int), new(big.Int)
	if !in.ReadASN1(&v, cbasn1.SEQUENCE) || !in.Empty() || !v.ReadASN1Integer(r) || !v.ReadASN1Integer(s) || !v.Empty() {
		return nil, broken
	}
	if r.Sign() < 0 || s.Sign() < 0 || r.BitLen() > 8*size || s.BitLen() > 8*size {
		return nil, broken
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}
