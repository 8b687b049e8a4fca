package xades

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
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

const more2001, more2007, more2021 = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2007/05/xmldsig-more#", "http://www.w3.org/2021/04/xmldsig-more#"

// The signature methods of XMLDSig §6.4, RFC 9231 §2.3 and, for PSS with all
// parameters fixed, §2.3.10.
var methods = map[string]cms.Algorithm{
	dsNamespace + "rsa-sha1":     {Scheme: cms.PKCS1, Hash: crypto.SHA1},
	more2001 + "rsa-sha256":      {Scheme: cms.PKCS1, Hash: crypto.SHA256},
	more2001 + "rsa-sha384":      {Scheme: cms.PKCS1, Hash: crypto.SHA384},
	more2001 + "rsa-sha512":      {Scheme: cms.PKCS1, Hash: crypto.SHA512},
	more2001 + "ecdsa-sha1":      {Scheme: cms.ECDSA, Hash: crypto.SHA1},
	more2001 + "ecdsa-sha256":    {Scheme: cms.ECDSA, Hash: crypto.SHA256},
	more2001 + "ecdsa-sha384":    {Scheme: cms.ECDSA, Hash: crypto.SHA384},
	more2001 + "ecdsa-sha512":    {Scheme: cms.ECDSA, Hash: crypto.SHA512},
	more2007 + "sha256-rsa-MGF1": {Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: 32},
	more2007 + "sha384-rsa-MGF1": {Scheme: cms.PSS, Hash: crypto.SHA384, SaltLength: 48},
	more2007 + "sha512-rsa-MGF1": {Scheme: cms.PSS, Hash: crypto.SHA512, SaltLength: 64},
	more2021 + "eddsa-ed25519":   {Scheme: cms.Ed25519, Hash: crypto.SHA512},
}

const (
	pssMethod = pssNamespace + "rsa-pss"
	mgf1      = pssNamespace + "MGF1"
)

// methodXML writes ds:SignatureMethod.
func methodXML(a cms.Algorithm) string {
	if a.Scheme == cms.Ed25519 {
		a.Hash = crypto.SHA512 // whatever the digest of the references
	}
	for uri, m := range methods {
		if m == a {
			return `<ds:SignatureMethod Algorithm="` + uri + `"/>`
		}
	}
	return ""
}

// readMethod reads ds:SignatureMethod.
func readMethod(n *c14n.Node) (cms.Algorithm, error) {
	uri, _ := n.Attr("", "Algorithm")
	children := n.Elements()
	if a, ok := methods[uri]; ok {
		if len(children) > 0 {
			return cms.Algorithm{}, fail(Unsupported, "the signature algorithm %q has parameters", uri)
		}
		return a, nil
	}
	if retired[uri] {
		return cms.Algorithm{}, fail(Weak, "the signature algorithm %q is too weak to be verified", uri)
	}
	if uri != pssMethod {
		return cms.Algorithm{}, fail(Unsupported, "the signature algorithm %q is not supported", uri)
	}
	if len(children) != 1 || !children[0].Is(pssNamespace, "RSAPSSParams") {
		return cms.Algorithm{}, fail(Malformed, "RSA-PSS without RSAPSSParams")
	}
	return readPSS(children[0])
}

// readPSS reads RSAPSSParams; what is absent takes the defaults of RFC 9231 §2.3.9.
func readPSS(params *c14n.Node) (cms.Algorithm, error) {
	a := cms.Algorithm{Scheme: cms.PSS, Hash: crypto.SHA256, SaltLength: -1}
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
			if a.SaltLength, err = strconv.Atoi(text); err != nil || a.SaltLength < 0 || a.SaltLength > 512 {
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
			return cms.Algorithm{}, err
		}
	}
	if a.SaltLength < 0 {
		a.SaltLength = a.Hash.Size()
	}
	if mask != 0 && mask != a.Hash {
		return cms.Algorithm{}, fail(Unsupported, "RSA-PSS with two different digests is not supported")
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

// retired are algorithms (RFC 9231 §2.1.1, §2.3.1) with which nothing is verified,
// whatever a policy says.
var retired = map[string]bool{"http://www.w3.org/2001/04/xmldsig-more#md5": true, "http://www.w3.org/2001/04/xmldsig-more#rsa-md5": true}

func readDigestMethod(n *c14n.Node) (crypto.Hash, error) {
	uri, _ := n.Attr("", "Algorithm")
	if retired[uri] {
		return 0, fail(Weak, "the digest algorithm %q is too weak to be verified", uri)
	}
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

// check verifies a signature value in XMLDSig form over the data that were
// signed. Unlike the check of package cms it takes SHA-1, so that the validator
// can call it weak instead of wrong. The error, of kind Unsupported, is about a
// key that is not tried.
func check(a cms.Algorithm, pub crypto.PublicKey, data, value []byte) (bool, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() > maxRSABits || int64(key.E) > maxRSAExponent {
			return false, fail(Unsupported, "an RSA key of more than %d bits, or with an exponent of more than 31, is not supported", maxRSABits)
		}
		switch a.Scheme {
		case cms.PSS:
			return rsa.VerifyPSS(key, a.Hash, digestOf(a.Hash, data), value, &rsa.PSSOptions{SaltLength: saltLength(a.SaltLength), Hash: a.Hash}) == nil, nil
		case cms.PKCS1:
			return rsa.VerifyPKCS1v15(key, a.Hash, digestOf(a.Hash, data), value) == nil, nil
		}
	case *ecdsa.PublicKey:
		// Each half has the size of the order, but some programs leave leading
		// zeros away from both.
		half := len(value) / 2
		return a.Scheme == cms.ECDSA && len(value)%2 == 0 && half <= (key.Curve.Params().N.BitLen()+7)/8 &&
			ecdsa.Verify(key, digestOf(a.Hash, data), new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])), nil
	case ed25519.PublicKey:
		return a.Scheme == cms.Ed25519 && ed25519.Verify(key, data, value), nil
	}
	return false, nil
}

func digestOf(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// saltLength maps an explicit zero to a value Go does not take for "auto".
func saltLength(n int) int {
	if n == 0 {
		return rsa.PSSSaltLengthAuto // Go has no way to ask for an empty salt only; the salt is under the signature
	}
	return n
}
