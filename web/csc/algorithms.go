package csc

import (
	"crypto"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/hsm"
	"sigillo/signing/remote"
)

// The digest algorithms, by OID (NIST). Others, SHA-1 among them, are refused.
var hashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// algorithm is a signature algorithm. Hash is 0 where the request has to say it.
type algorithm struct {
	scheme remote.Scheme
	hash   crypto.Hash
}

const (
	rsaEncryption = "1.2.840.113549.1.1.1"
	rsaPSS        = "1.2.840.113549.1.1.10"
)

// The signature algorithms, by OID (RFC 8017 App. C, RFC 5758 §3.2).
var algorithms = map[string]algorithm{
	rsaEncryption:           {remote.PKCS1, 0},
	rsaPSS:                  {remote.PSS, 0},
	"1.2.840.113549.1.1.11": {remote.PKCS1, crypto.SHA256},
	"1.2.840.113549.1.1.12": {remote.PKCS1, crypto.SHA384},
	"1.2.840.113549.1.1.13": {remote.PKCS1, crypto.SHA512},
	"1.2.840.10045.4.3.2":   {remote.ECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {remote.ECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {remote.ECDSA, crypto.SHA512},
}

// Explicit ones first: clients that know only those take the first they know.
var (
	ecAlgorithms  = []string{"1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"}
	rsaAlgorithms = []string{"1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13", rsaPSS, rsaEncryption}
)

// keyShape is what clients are told of a type of key.
type keyShape struct {
	bits       int
	curve      string
	algorithms []string
}

var keyShapes = map[hsm.KeyType]keyShape{
	hsm.P256:    {256, "1.2.840.10045.3.1.7", ecAlgorithms},
	hsm.P384:    {384, "1.3.132.0.34", ecAlgorithms},
	hsm.RSA2048: {2048, "", rsaAlgorithms},
	hsm.RSA3072: {3072, "", rsaAlgorithms},
	hsm.RSA4096: {4096, "", rsaAlgorithms},
}

// names are the parameters that the two versions call differently.
type names struct{ hash, hashes, hashAlgo string }

var namesOf = map[int]names{1: {"hash", "hash", "hashAlgo"}, 2: {"hash", "hashes", "hashAlgorithmOID"}}

// choose finds how to sign from signAlgo, its parameters and the digest algorithm. One
// that signAlgo implies wins over hashAlgo, which pyHanko for one always sends.
func choose(v int, signAlgo, params, hashAlgo string) (algorithm, error) {
	a, ok := algorithms[signAlgo]
	if !ok {
		return a, bad("signAlgo")
	}
	if signAlgo == rsaPSS {
		return choosePSS(v, params, hashAlgo)
	}
	if a.hash != 0 {
		return a, nil
	}
	if hashAlgo == "" {
		return a, missing("string", namesOf[v].hashAlgo)
	}
	if a.hash, ok = hashes[hashAlgo]; !ok {
		return a, bad(namesOf[v].hashAlgo)
	}
	return a, nil
}

// choosePSS reads RSASSA-PSS-params, which are required: their defaults are SHA-1.
func choosePSS(v int, params, hashAlgo string) (algorithm, error) {
	if params == "" {
		return algorithm{}, missing("string", "signAlgoParams")
	}
	der, ok := fromBase64(params)
	if !ok {
		return algorithm{}, bad("signAlgoParams")
	}
	h, ok := pssHash(der)
	if !ok {
		return algorithm{}, bad("signAlgoParams")
	}
	if given, ok := hashes[hashAlgo]; hashAlgo != "" && (!ok || given != h) {
		return algorithm{}, bad(namesOf[v].hashAlgo)
	}
	return algorithm{remote.PSS, h}, nil
}

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// pssHash reads RSASSA-PSS-params (RFC 8017 App. A.2.3) of the shape that our keys
// sign with: one digest algorithm, MGF1 with the same, a salt as long as it, trailer 1.
func pssHash(der []byte) (crypto.Hash, bool) {
	in := cryptobyte.String(der)
	var body, hash, mgf cryptobyte.String
	var hasSalt bool
	var salt cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1(&hash, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadASN1(&mgf, cbasn1.Tag(1).ContextSpecific().Constructed()) ||
		!body.ReadOptionalASN1(&salt, &hasSalt, cbasn1.Tag(2).ContextSpecific().Constructed()) || !hasSalt {
		return 0, false
	}
	h, ok := hashIdentifier(hash)
	if !ok {
		return 0, false
	}
	var oid asn1.ObjectIdentifier
	var inner cryptobyte.String
	var length int
	if !mgf.ReadASN1(&inner, cbasn1.SEQUENCE) || !mgf.Empty() || !inner.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidMGF1) {
		return 0, false
	}
	if m, ok := hashIdentifier(inner); !ok || m != h {
		return 0, false
	}
	if !salt.ReadASN1Integer(&length) || !salt.Empty() || length != h.Size() {
		return 0, false
	}
	var trailer cryptobyte.String
	var hasTrailer bool
	one := 1
	if !body.ReadOptionalASN1(&trailer, &hasTrailer, cbasn1.Tag(3).ContextSpecific().Constructed()) || !body.Empty() ||
		hasTrailer && (!trailer.ReadASN1Integer(&one) || !trailer.Empty()) {
		return 0, false
	}
	return h, one == 1
}

// hashIdentifier reads an AlgorithmIdentifier of a digest, with NULL or no parameters.
func hashIdentifier(in cryptobyte.String) (crypto.Hash, bool) {
	var body cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || !body.ReadASN1ObjectIdentifier(&oid) {
		return 0, false
	}
	if !body.Empty() {
		var null cryptobyte.String
		if !body.ReadASN1(&null, cbasn1.NULL) || !null.Empty() || !body.Empty() {
			return 0, false
		}
	}
	h, ok := hashes[oid.String()]
	return h, ok
}

// digests reads hashes of a request.
func digests(list []string) ([][]byte, error) {
	if len(list) == 0 {
		return nil, invalid(emptyHash)
	}
	out := make([][]byte, len(list))
	for i, s := range list {
		b, ok := fromBase64(s)
		if !ok {
			return nil, invalid(badBase64)
		}
		out[i] = b
	}
	return out, nil
}

// digestsOf reads hashes that must all be of one algorithm.
func digestsOf(list []string, h crypto.Hash) ([][]byte, error) {
	out, err := digests(list)
	if err != nil {
		return nil, err
	}
	for _, d := range out {
		if len(d) != h.Size() {
			return nil, invalid(badLength)
		}
	}
	return out, nil
}

// bySize is the digest algorithm of v1's hashes, which say it by their length alone;
// 0 for none that is taken.
func bySize(list [][]byte) crypto.Hash {
	for _, h := range hashes {
		if len(list) > 0 && len(list[0]) == h.Size() {
			return h
		}
	}
	return 0
}
