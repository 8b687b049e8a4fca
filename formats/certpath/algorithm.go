package certpath

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // verified for signatures proven to be old, and reported as weak
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/cms"
)

// maxModulus bounds RSA keys in bits: checking a longer one takes seconds, and
// its owner chooses how long it is.
const maxModulus = 16384

// algorithms are the signature algorithms with a fixed digest (RFC 4055 §5,
// RFC 5758 §3.2, RFC 9688). DSA and MD5 are left out on purpose.
var algorithms = byOctets(map[string]cms.Algorithm{
	"1.2.840.113549.1.1.5":    {Scheme: cms.PKCS1, Hash: crypto.SHA1},
	"1.2.840.113549.1.1.14":   {Scheme: cms.PKCS1, Hash: crypto.SHA224},
	"1.2.840.113549.1.1.11":   {Scheme: cms.PKCS1, Hash: crypto.SHA256},
	"1.2.840.113549.1.1.12":   {Scheme: cms.PKCS1, Hash: crypto.SHA384},
	"1.2.840.113549.1.1.13":   {Scheme: cms.PKCS1, Hash: crypto.SHA512},
	"2.16.840.1.101.3.4.3.14": {Scheme: cms.PKCS1, Hash: crypto.SHA3_256},
	"2.16.840.1.101.3.4.3.15": {Scheme: cms.PKCS1, Hash: crypto.SHA3_384},
	"2.16.840.1.101.3.4.3.16": {Scheme: cms.PKCS1, Hash: crypto.SHA3_512},
	"1.2.840.10045.4.1":       {Scheme: cms.ECDSA, Hash: crypto.SHA1},
	"1.2.840.10045.4.3.1":     {Scheme: cms.ECDSA, Hash: crypto.SHA224},
	"1.2.840.10045.4.3.2":     {Scheme: cms.ECDSA, Hash: crypto.SHA256},
	"1.2.840.10045.4.3.3":     {Scheme: cms.ECDSA, Hash: crypto.SHA384},
	"1.2.840.10045.4.3.4":     {Scheme: cms.ECDSA, Hash: crypto.SHA512},
	"2.16.840.1.101.3.4.3.10": {Scheme: cms.ECDSA, Hash: crypto.SHA3_256},
	"2.16.840.1.101.3.4.3.11": {Scheme: cms.ECDSA, Hash: crypto.SHA3_384},
	"2.16.840.1.101.3.4.3.12": {Scheme: cms.ECDSA, Hash: crypto.SHA3_512},
	"1.3.101.112":             {Scheme: cms.Ed25519, Hash: crypto.SHA512},
})

var hashes = byOctets(map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.4": crypto.SHA224,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"2.16.840.1.101.3.4.2.8": crypto.SHA3_256,
	"2.16.840.1.101.3.4.2.9": crypto.SHA3_384, "2.16.840.1.101.3.4.2.10": crypto.SHA3_512,
})

var oidPSS, oidMGF1 = octets("1.2.840.113549.1.1.10"), octets("1.2.840.113549.1.1.8")

// octets gives the content octets of an object identifier.
func octets(dotted string) string {
	oid, err := x509.ParseOID(dotted)
	if err != nil {
		panic(err) // a constant of this file is wrong
	}
	der, err := oid.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return string(der)
}

func byOctets[T any](m map[string]T) map[string]T {
	out := make(map[string]T, len(m))
	for dotted, v := range m {
		out[octets(dotted)] = v
	}
	return out
}

// SignedWith gives the algorithm with which a certificate was signed, for those
// who have rules about that. It is an Unsupported error if it is not known.
func SignedWith(c *x509.Certificate) (cms.Algorithm, error) {
	s, err := certificateSigned(c)
	if err != nil {
		return cms.Algorithm{}, err
	}
	return readAlgorithm(s.algorithm)
}

// readAlgorithm reads a signature's AlgorithmIdentifier in DER.
func readAlgorithm(der []byte) (cms.Algorithm, error) {
	oid, params, ok := splitAlgorithm(der)
	if !ok {
		return cms.Algorithm{}, fail(Malformed, nil, "a signature algorithm is broken")
	}
	if string(oid) == oidPSS {
		return readPSS(params)
	}
	a, ok := algorithms[string(oid)]
	if !ok {
		var known x509.OID
		_ = known.UnmarshalBinary(oid)
		return a, fail(Unsupported, nil, "signature algorithm %s is not supported", known)
	}
	if len(params) > 0 && string(params) != "\x05\x00" {
		return a, fail(Malformed, nil, "a signature algorithm has parameters it should not have")
	}
	return a, nil
}

// splitAlgorithm gives the identifier's content octets, and the parameters, still
// in DER.
func splitAlgorithm(der []byte) (oid, params []byte, ok bool) {
	in, body, id := cryptobyte.String(der), cryptobyte.String(nil), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || !body.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) {
		return nil, nil, false
	}
	return id, body, true
}

// readPSS reads RSASSA-PSS-params (RFC 4055 §3.1); what is left out means SHA-1.
func readPSS(params []byte) (cms.Algorithm, error) {
	a := cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA1, SaltLength: 20}
	broken := fail(Malformed, nil, "the PSS parameters are broken")
	in, body := cryptobyte.String(params), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return a, broken
	}
	var h, mgf, salt, trailer cryptobyte.String
	var hasHash, hasMGF, hasSalt, hasTrailer bool
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	if !body.ReadOptionalASN1(&h, &hasHash, tag(0)) || !body.ReadOptionalASN1(&mgf, &hasMGF, tag(1)) ||
		!body.ReadOptionalASN1(&salt, &hasSalt, tag(2)) || !body.ReadOptionalASN1(&trailer, &hasTrailer, tag(3)) || !body.Empty() {
		return a, broken
	}
	mask := crypto.SHA1
	if hasHash {
		a.Hash = readHash(h)
	}
	if hasMGF {
		oid, p, ok := splitAlgorithm(mgf)
		if mask = readHash(p); !ok || string(oid) != oidMGF1 {
			mask = 0
		}
	}
	if hasSalt && !salt.ReadASN1Integer(&a.SaltLength) {
		return a, broken
	}
	if one := 1; hasTrailer && (!trailer.ReadASN1Integer(&one) || one != 1) {
		return a, broken
	}
	if a.Hash == 0 || mask != a.Hash || a.SaltLength < 0 || a.SaltLength > 512 {
		return a, fail(Unsupported, nil, "PSS with these parameters is not supported: use one digest for both, and a salt of at most 512 octets")
	}
	return a, nil
}

// readHash reads a digest's AlgorithmIdentifier, 0 if it is not known.
func readHash(der []byte) crypto.Hash {
	oid, params, ok := splitAlgorithm(der)
	if !ok || len(params) > 0 && string(params) != "\x05\x00" {
		return 0
	}
	return hashes[string(oid)]
}

// verifyValue checks a signature value. digest gives that of the message.
func verifyValue(pub crypto.PublicKey, a cms.Algorithm, message []byte, digest func(crypto.Hash) []byte, value []byte) error {
	right := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > maxModulus {
			return fail(Limit, nil, "an RSA key of more than %d bits is not looked at", maxModulus)
		}
		switch a.Scheme {
		case cms.PKCS1:
			right = rsa.VerifyPKCS1v15(k, a.Hash, digest(a.Hash), value) == nil
		case cms.PSS:
			salt := a.SaltLength
			if salt == 0 { // 0 is PSSSaltLengthAuto to the library
				return fail(Unsupported, nil, "PSS without a salt is not supported")
			}
			right = rsa.VerifyPSS(k, a.Hash, digest(a.Hash), value, &rsa.PSSOptions{SaltLength: salt, Hash: a.Hash}) == nil
		}
	case *ecdsa.PublicKey:
		right = a.Scheme == cms.ECDSA && ecdsa.VerifyASN1(k, digest(a.Hash), value)
	case ed25519.PublicKey:
		right = a.Scheme == cms.Ed25519 && ed25519.Verify(k, message, value)
	default:
		return fail(Unsupported, nil, "a key of type %T is not supported", pub)
	}
	if !right {
		return fail(BadSignature, nil, "the signature is not by this key")
	}
	return nil
}

// weakKey says what is wrong with a key's length (ETSI TS 119 312).
func weakKey(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Sprintf("RSA %d bit", k.N.BitLen())
		}
		return ""
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fmt.Sprintf("EC %d bit", k.Curve.Params().BitSize)
		}
		return ""
	case ed25519.PublicKey:
		return ""
	}
	return fmt.Sprintf("%T", pub)
}

// weakHash reports digests that no signature may rely on any more.
func weakHash(h crypto.Hash) bool { return h == crypto.SHA1 || h == crypto.SHA224 || h == 0 }
