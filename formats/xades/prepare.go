package xades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"time"

	"sigillo/formats/c14n"
)

// Options say how to sign.
type Options struct {
	// Certificate is the signer's; its key decides between RSA and ECDSA.
	Certificate *x509.Certificate
	// Chain are the issuers to carry along, nearest first.
	Chain []*x509.Certificate
	// Hash is SHA-256 (also for zero), SHA-384 or SHA-512.
	Hash crypto.Hash
	// PSS asks for RSASSA-PSS with a salt as long as the hash.
	PSS bool
	// SigningTime is claimed under the signature, in whole seconds; baseline requires it.
	SigningTime time.Time
	// Timestamp above zero asks for level B-T: Assemble then demands a token.
	Timestamp int
	// MediaType of the document, "text/xml" when empty.
	MediaType string
}

// Prepared is a signature that lacks only its value. It holds no document
// content and can be stored as JSON.
type Prepared struct {
	Hash        string `json:"hash"` // "SHA-256", "SHA-384", "SHA-512"
	PSS         bool   `json:"pss,omitempty"`
	Certificate []byte `json:"certificate"` // DER
	Stamped     bool   `json:"stamped,omitempty"`

	Size   int64  `json:"size"`   // bytes of the document
	SHA256 []byte `json:"sha256"` // of the document

	At   int64  `json:"at"`             // where the signature goes
	Skip int64  `json:"skip,omitempty"` // bytes it replaces: 2 for the "/>" of a document element without content
	Name string `json:"name,omitempty"` // qualified name of the document element, when Skip > 0

	ID         string `json:"id"`
	SignedInfo string `json:"signed_info"`
	KeyInfo    string `json:"key_info"`
	Properties string `json:"properties"` // SignedProperties
}

var hashNames = map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}

// Prepare computes what has to be signed for a document. The document is read
// into memory; its limits are those of the c14n package.
// Kinds: BadOptions, AlreadySigned, Malformed, Unsupported, Limit, Failed.
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	a, err := o.algorithm()
	if err != nil {
		return nil, err
	}
	if size > int64(c14n.DefaultLimits.Size) {
		return nil, fail(Limit, "the document has %d bytes, more than the %d that can be signed as XML", size, c14n.DefaultLimits.Size)
	}
	src, err := io.ReadAll(io.NewSectionReader(doc, 0, size))
	if err != nil || int64(len(src)) != size {
		return nil, &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	tree, err := c14n.Parse(src)
	if err != nil {
		return nil, fromXML(err)
	}
	if tree.Encoding() != "UTF-8" {
		return nil, fail(Unsupported, "the document is encoded in %s; convert it to UTF-8", tree.Encoding())
	}
	if err := unsigned(tree); err != nil {
		return nil, err
	}
	h := a.Hash.New()
	if err := c14n.Canonicalize(h, tree.Node, c14n.C14N10, c14n.Options{}); err != nil {
		return nil, fromXML(err)
	}
	sum := sha256.Sum256(src)
	p := &Prepared{Hash: a.Hash.String(), PSS: a.PSS, Certificate: o.Certificate.Raw, Stamped: o.Timestamp > 0,
		Size: size, SHA256: sum[:], At: int64(tree.Root.CloseStart)}
	if tree.Root.Empty {
		p.Skip, p.Name = 2, tree.Root.Local
		if tree.Root.Prefix != "" {
			p.Name = tree.Root.Prefix + ":" + tree.Root.Local
		}
	}
	p.ID = identifier(sum[:], o)
	return p, p.fill(a, o, h.Sum(nil))
}

// algorithm checks the options and finds the signature algorithm.
func (o Options) algorithm() (Algorithm, error) {
	a := Algorithm{Hash: o.Hash, PSS: o.PSS}
	if a.Hash == 0 {
		a.Hash = crypto.SHA256
	}
	if _, ok := hashNames[a.Hash.String()]; !ok {
		return a, fail(BadOptions, "sign with SHA-256, SHA-384 or SHA-512, not %s", a.Hash)
	}
	if o.Certificate == nil || o.SigningTime.IsZero() {
		return a, fail(BadOptions, "a certificate and a signing time are required (EN 319 132-1 §6.3)")
	}
	switch o.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		a.Key = RSA
	case *ecdsa.PublicKey:
		a.Key = ECDSA
	default:
		return a, fail(BadOptions, "the certificate's key is neither RSA nor ECDSA")
	}
	if a.PSS && a.Key != RSA {
		return a, fail(BadOptions, "PSS needs an RSA key")
	}
	if a.PSS {
		a.Salt = a.Hash.Size()
	}
	return a, nil
}

// unsigned refuses a document with a signature anywhere in it: this signature
// would be part of what the other one covers, or the other way round.
func unsigned(tree *c14n.Document) error {
	signed := false
	tree.Root.Walk(func(n *c14n.Node) bool {
		signed = signed || n.Is(dsNamespace, "Signature")
		return !signed
	})
	if signed {
		return fail(AlreadySigned, "the document already has an XML signature; a second enveloped signature would invalidate it, sign it as CAdES (.p7m) instead")
	}
	return nil
}

// identifier derives the Id of the signature from all that goes into it. It
// depends on the digest of the whole document, so the document cannot hold it.
func identifier(sum []byte, o Options) string {
	h := sha256.New()
	h.Write(sum)
	h.Write(o.Certificate.Raw)
	h.Write([]byte(o.SigningTime.UTC().Format(time.RFC3339Nano)))
	return "sig-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// fill writes the parts of the signature.
func (p *Prepared) fill(a Algorithm, o Options, document []byte) error {
	p.Properties = propertiesXML(p.ID, a.Hash, o)
	p.KeyInfo = keyInfoXML(append([]*x509.Certificate{o.Certificate}, o.Chain...))
	form, err := canonical(p.objectXML(""), "SignedProperties")
	if err != nil {
		return err
	}
	h := a.Hash.New()
	h.Write(form)
	p.SignedInfo = signedInfoXML(p.ID, a, document, h.Sum(nil))
	return nil
}

// canonical gives the exclusive canonical form of the one element of that
// local name inside the pieces of a Signature. Exclusive canonicalisation
// makes it the same as in the finished document.
func canonical(inner, local string) ([]byte, error) {
	tree, err := c14n.Parse([]byte(openSignature("") + inner + closeSignature))
	if err != nil {
		return nil, fromXML(err)
	}
	var found *c14n.Node
	tree.Root.Walk(func(n *c14n.Node) bool {
		if n.Kind == c14n.ElementNode && n.Local == local && found == nil {
			found = n
		}
		return found == nil
	})
	if found == nil {
		return nil, fail(Malformed, "the prepared signature has no %s", local)
	}
	var b bytes.Buffer
	if err := c14n.Canonicalize(&b, found, c14n.Exclusive, c14n.Options{}); err != nil {
		return nil, fromXML(err)
	}
	return b.Bytes(), nil
}

// HashAlgorithm is the digest of the signature.
func (p *Prepared) HashAlgorithm() crypto.Hash { return hashNames[p.Hash] }

// DTBS is the data to be signed: the canonical form of SignedInfo. It is nil
// when the stored form was damaged.
func (p *Prepared) DTBS() []byte {
	form, err := canonical(p.SignedInfo, "SignedInfo")
	if err != nil {
		return nil
	}
	return form
}

// DTBSR is the digest of DTBS, nil when the stored form was damaged.
func (p *Prepared) DTBSR() []byte {
	dtbs, hash := p.DTBS(), p.HashAlgorithm()
	if dtbs == nil || hash == 0 {
		return nil
	}
	h := hash.New()
	h.Write(dtbs)
	return h.Sum(nil)
}
