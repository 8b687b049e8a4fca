package xades

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"io"
	"time"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Prepared is a signature that lacks only its value. It holds no document
// content and can be stored as JSON.
type Prepared struct {
	Packaging   Packaging `json:"packaging,omitempty"`
	Hash        string    `json:"hash"` // "SHA-256", "SHA-384", "SHA-512"
	PSS         bool      `json:"pss,omitempty"`
	Certificate []byte    `json:"certificate"` // DER
	Stamped     bool      `json:"stamped,omitempty"`

	Size   int64  `json:"size,omitempty"`   // bytes of the document
	SHA256 []byte `json:"sha256,omitempty"` // of the document; none where it is not needed any more

	Encoding string `json:"encoding,omitempty"` // of the document the signature goes into; empty: UTF-8
	At       int64  `json:"at,omitempty"`       // where the signature goes
	Skip     int64  `json:"skip,omitempty"`     // bytes it replaces: the "/>" of an element without content
	Name     string `json:"name,omitempty"`     // qualified name of that element, when Skip > 0
	Before   string `json:"before,omitempty"`   // what stands around the signature
	After    string `json:"after,omitempty"`

	ID         string `json:"id"`
	SignedInfo string `json:"signed_info"`
	KeyInfo    string `json:"key_info"`
	Properties string `json:"properties"` // SignedProperties
}

var hashNames = map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}

// part is what one Reference covers.
type part struct {
	uri, kind  string
	transforms string
	media      string // of its DataObjectFormat; empty: it has none
	digest     []byte
	// write gives the octets that are digested; nil when only the digest is known.
	write func(io.Writer) error
}

// Prepare computes what has to be signed for a document. XML documents that the
// signature goes into, or the other way round, are read into memory; their
// limits are those of the c14n package.
// Kinds: BadOptions, AlreadySigned, Malformed, Unsupported, Limit, Failed.
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	a, err := o.algorithm()
	if err != nil {
		return nil, err
	}
	p, parts, err := plan(doc, size, o)
	if err != nil {
		return nil, err
	}
	return p, p.fill(a, o, parts)
}

// PrepareDetached computes what has to be signed for files beside the signature.
// What is assembled is a document of its own, or with Options.ASiC the
// signature file of an ASiC container. Assemble needs no document then.
// Kinds: BadOptions, Limit, Failed.
func PrepareDetached(objects []Object, o Options) (*Prepared, error) {
	o.Packaging = Detached
	a, err := o.algorithm()
	if err != nil {
		return nil, err
	}
	p, parts, err := detached(objects, o)
	if err != nil {
		return nil, err
	}
	return p, p.fill(a, o, parts)
}

// ContentImprint gives the digest that a content time-stamp of Prepare with the
// same document and options must be of (EN 319 132-1 §5.2.8.1): of all that the
// signature will cover. The token then goes into Options.Properties.
func ContentImprint(doc io.ReaderAt, size int64, o Options, h crypto.Hash) ([]byte, error) {
	if _, err := o.algorithm(); err != nil {
		return nil, err
	}
	_, parts, err := plan(doc, size, o)
	if err != nil {
		return nil, err
	}
	return imprint(parts, h)
}

// ContentImprintDetached is ContentImprint for PrepareDetached. It needs the
// content of all files.
func ContentImprintDetached(objects []Object, o Options, h crypto.Hash) ([]byte, error) {
	_, parts, err := detached(objects, o)
	if err != nil {
		return nil, err
	}
	return imprint(parts, h)
}

func imprint(parts []part, h crypto.Hash) ([]byte, error) {
	if digestURIs[h] == "" {
		return nil, fail(BadOptions, "the digest algorithm of the time-stamp is not supported")
	}
	d := h.New()
	for _, p := range parts {
		if p.write == nil {
			return nil, fail(BadOptions, "a content time-stamp needs the content of %q", p.uri)
		}
		if err := p.write(d); err != nil {
			return nil, err
		}
	}
	return d.Sum(nil), nil
}

// identifier derives the Id of the signature from all that goes into it. It
// depends on the digest of what is signed, so the document cannot hold it.
func identifier(sum []byte, o Options) string {
	h := sha256.New()
	h.Write(sum)
	h.Write(o.Certificate.Raw)
	h.Write([]byte(o.SigningTime.UTC().Format(time.RFC3339Nano)))
	return "sig-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// fill writes the parts of the signature.
func (p *Prepared) fill(a cms.Algorithm, o Options, parts []part) error {
	if p.Packaging = o.Packaging; p.Packaging == Enveloped {
		p.Packaging = ""
	}
	p.Hash, p.PSS, p.Certificate, p.Stamped = o.hash().String(), o.PSS, o.Certificate.Raw, o.Timestamp > 0
	for i := range parts {
		if parts[i].digest == nil {
			h := o.hash().New()
			if err := parts[i].write(h); err != nil {
				return err
			}
			parts[i].digest = h.Sum(nil)
		}
	}
	p.Properties = propertiesXML(p.ID, o.hash(), o, parts)
	p.KeyInfo = keyInfoXML(append([]*x509.Certificate{o.Certificate}, o.Chain...))
	form, err := canonical(p.objectXML(""), "SignedProperties")
	if err != nil {
		return err
	}
	p.SignedInfo = signedInfoXML(p.ID, a, o.hash(), parts, digestOf(o.hash(), form))
	return nil
}

// canonical gives the exclusive canonical form of the one element of that
// local name inside the pieces of a Signature. Exclusive canonicalisation
// makes it the same as in the finished document.
func canonical(inner, local string) ([]byte, error) {
	tree, err := c14n.ParseLimits(openSignature("")+inner+closeSignature, c14n.DefaultLimits)
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

// HashAlgorithm is the digest of the references and the signature.
func (p *Prepared) HashAlgorithm() crypto.Hash { return hashNames[p.Hash] }

// Algorithm says how the key must sign: with Ed25519 DTBS itself, with all
// others its digest. It is zero when the stored form was damaged.
func (p *Prepared) Algorithm() cms.Algorithm {
	cert, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return cms.Algorithm{}
	}
	a, err := cms.AlgorithmFor(cert.PublicKey, p.HashAlgorithm(), p.PSS)
	if err != nil {
		return cms.Algorithm{}
	}
	return a
}

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
	return digestOf(hash, dtbs)
}

// inBase64 writes what it is given as base64.
func inBase64(w io.Writer, r io.Reader) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(enc, r); err != nil {
		return err
	}
	return enc.Close()
}
