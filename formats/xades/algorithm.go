package xades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" // old signatures are verified, then judged by the validator's policy
	_ "crypto/sha256"
	_ "crypto/sha512"
	"math/big"
	"strconv"
	"strings"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// digestURIs names the digests of XMLDSig §6.2 and RFC 9231 §2.1.
var digestURIs = map[crypto.Hash]string{
	crypto.SHA1:   dsNamespace + "sha1",
	crypto.SHA256: "http://www.w3.org/2001/04/xmlenc#sha256",
	crypto.SHA384: "http://www.w3.org/2001/04/xmldsig-more#sha384",
	crypto.SHA512: "http://www.w3.org/2001/04/xmlenc#sha512",
}

func hashByURI(uri string) (crypto.Hash, bool) {
	for h, u := range digestURIs {
		if u == uri {
			return h, true
		}
	}
	return 0, false
}

// KeyKind is the kind of key an Algorithm needs.
type KeyKind string

// The kinds of key.
const (
	RSA   KeyKind = "RSA"
	ECDSA KeyKind = "ECDSA"
)

// Algorithm is a signature algorithm.
type Algorithm struct {
	Key  KeyKind
	Hash crypto.Hash
	PSS  bool // RSASSA-PSS with MGF1 over the same hash
	Salt int  // bytes of salt, for PSS
}

// The signature methods of XMLDSig §6.4 and RFC 9231 §2.3.
var methods = map[string]Algorithm{
	dsNamespace + "rsa-sha1":                                 {Key: RSA, Hash: crypto.SHA1},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":      {Key: RSA, Hash: crypto.SHA256},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":      {Key: RSA, Hash: crypto.SHA384},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":      {Key: RSA, Hash: crypto.SHA512},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1":      {Key: ECDSA, Hash: crypto.SHA1},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256":    {Key: ECDSA, Hash: crypto.SHA256},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384":    {Key: ECDSA, Hash: crypto.SHA384},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512":    {Key: ECDSA, Hash: crypto.SHA512},
	"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1": {Key: RSA, Hash: crypto.SHA256, PSS: true, Salt: 32},
	"http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1": {Key: RSA, Hash: crypto.SHA384, PSS: true, Salt: 48},
	"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1": {Key: RSA, Hash: crypto.SHA512, PSS: true, Salt: 64},
}

const (
	pssMethod = pssNamespace + "rsa-pss"
	mgf1      = pssNamespace + "MGF1"
)

// methodXML writes ds:SignatureMethod. PSS uses the identifier with
// parameters (RFC 9231 §2.3.9), all of them written out, so that no reader has
// to know the defaults.
func methodXML(a Algorithm) string {
	if a.PSS {
		digest := `<ds:DigestMethod Algorithm="` + digestURIs[a.Hash] + `"/>`
		return `<ds:SignatureMethod Algorithm="` + pssMethod + `"><pss:RSAPSSParams xmlns:pss="` + pssNamespace + `">` + digest +
			`<pss:MaskGenerationFunction Algorithm="` + mgf1 + `">` + digest + `</pss:MaskGenerationFunction>` +
			`<pss:SaltLength>` + strconv.Itoa(a.Salt) + `</pss:SaltLength><pss:TrailerField>1</pss:TrailerField>` +
			`</pss:RSAPSSParams></ds:SignatureMethod>`
	}
	for uri, m := range methods {
		if m == a {
			return `<ds:SignatureMethod Algorithm="` + uri + `"/>`
		}
	}
	return ""
}

// readMethod reads ds:SignatureMethod.
func readMethod(n *c14n.Node) (Algorithm, error) {
	uri, _ := n.Attr("", "Algorithm")
	children := n.Elements()
	if a, ok := methods[uri]; ok {
		if len(children) > 0 {
			return Algorithm{}, fail(Unsupported, "the signature algorithm %q has parameters", uri)
		}
		return a, nil
	}
	if uri != pssMethod {
		return Algorithm{}, fail(Unsupported, "the signature algorithm %q is not supported", uri)
	}
	if len(children) != 1 || !children[0].Is(pssNamespace, "RSAPSSParams") {
		return Algorithm{}, fail(Malformed, "RSA-PSS without RSAPSSParams")
	}
	return readPSS(children[0])
}

// readPSS reads RSAPSSParams; what is absent takes the defaults of RFC 9231 §2.3.9.
func readPSS(params *c14n.Node) (Algorithm, error) {
	a := Algorithm{Key: RSA, Hash: crypto.SHA256, PSS: true, Salt: -1}
	mask := crypto.Hash(0)
	for _, c := range params.Elements() {
		text, _ := c.Text()
		text = strings.TrimSpace(text)
		var err error
		switch {
		case c.Is(dsNamespace, "DigestMethod"):
			a.Hash, err = readDigestMethod(c)
		case c.Is(pssNamespace, "MaskGenerationFunction"):
			mask, err = readMask(c)
		case c.Is(pssNamespace, "SaltLength"):
			if a.Salt, err = strconv.Atoi(text); err != nil || a.Salt < 0 || a.Salt > 512 {
				err = fail(Malformed, "the PSS salt length %q is wrong", text)
			}
		case c.Is(pssNamespace, "TrailerField"):
			if text != "1" {
				err = fail(Unsupported, "the PSS trailer field is not 1")
			}
		default:
			err = fail(Malformed, "RSAPSSParams has an unknown part %q", c.Local)
		}
		if err != nil {
			return Algorithm{}, err
		}
	}
	if a.Salt < 0 {
		a.Salt = a.Hash.Size()
	}
	if mask != 0 && mask != a.Hash {
		return Algorithm{}, fail(Unsupported, "RSA-PSS with two different digests is not supported")
	}
	return a, nil
}

func readMask(n *c14n.Node) (crypto.Hash, error) {
	if uri, ok := n.Attr("", "Algorithm"); ok && uri != mgf1 {
		return 0, fail(Unsupported, "the mask generation function %q is not supported", uri)
	}
	for _, c := range n.Elements() {
		if c.Is(dsNamespace, "DigestMethod") {
			return readDigestMethod(c)
		}
	}
	return 0, nil
}

func readDigestMethod(n *c14n.Node) (crypto.Hash, error) {
	uri, _ := n.Attr("", "Algorithm")
	h, ok := hashByURI(uri)
	if !ok || len(n.Elements()) > 0 {
		return 0, fail(Unsupported, "the digest algorithm %q is not supported", uri)
	}
	return h, nil
}

// xmlValue turns a signature value as crypto.Signer gives it into the one
// XMLDSig carries: ECDSA as r‖s, each as long as the order (RFC 9231 §2.3.6).
func xmlValue(pub crypto.PublicKey, signature []byte) ([]byte, error) {
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return signature, nil
	}
	raw, err := cms.RawECDSA(signature, key)
	if err != nil {
		return nil, fail(WrongSignature, "the signature value is not an ECDSA-Sig-Value")
	}
	return raw, nil
}

// The size of an RSA key is its owner's choice, and the time of a verification
// grows with its square and with the exponent.
const (
	maxRSABits     = 16384
	maxRSAExponent = 1<<31 - 1
)

// check verifies a signature value in XMLDSig form over a digest. The error, of
// kind Unsupported, is about a key that is not tried.
func (a Algorithm) check(pub crypto.PublicKey, digest, value []byte) (bool, error) {
	if key, ok := pub.(*rsa.PublicKey); ok && (key.N.BitLen() > maxRSABits || int64(key.E) > maxRSAExponent) {
		return false, fail(Unsupported, "an RSA key of more than %d bits, or with an exponent of more than 31, is not supported", maxRSABits)
	}
	return a.matches(pub, digest, value), nil
}

func (a Algorithm) matches(pub crypto.PublicKey, digest, value []byte) bool {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if a.Key != RSA {
			return false
		}
		if a.PSS {
			return rsa.VerifyPSS(key, a.Hash, digest, value, &rsa.PSSOptions{SaltLength: saltLength(a.Salt), Hash: a.Hash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.Hash, digest, value) == nil
	case *ecdsa.PublicKey:
		size := (key.Curve.Params().N.BitLen() + 7) / 8
		if a.Key != ECDSA || len(value) != 2*size {
			return false
		}
		return ecdsa.Verify(key, digest, new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:]))
	}
	return false
}

// saltLength maps an explicit zero to a value Go does not take for "auto".
func saltLength(n int) int {
	if n == 0 {
		return rsa.PSSSaltLengthAuto // Go has no way to ask for an empty salt only; the salt is under the signature
	}
	return n
}
