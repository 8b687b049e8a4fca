package xades

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Packaging is where a signature stands and where what it signs does.
type Packaging string

// The packagings.
const (
	// Enveloped: the signature is inside the XML document it signs. The empty
	// Packaging is this one.
	Enveloped Packaging = "enveloped"
	// Enveloping: a document of any kind is inside the signature, as base64.
	Enveloping Packaging = "enveloping"
	// EnvelopingXML: an XML document is inside the signature, as XML.
	EnvelopingXML Packaging = "enveloping-xml"
	// Detached: the document is another file, named by the signature.
	Detached Packaging = "detached"
	// InternallyDetached: the signature stands beside the element it signs, both
	// in one document element.
	InternallyDetached Packaging = "internally-detached"
)

// Options say how to sign.
type Options struct {
	// Certificate is the signer's; its key decides between RSA, ECDSA and Ed25519.
	Certificate *x509.Certificate
	// Chain are the issuers to carry along, nearest first.
	Chain []*x509.Certificate
	// Hash is SHA-256, SHA-384 or SHA-512. Zero is SHA-256, and with an Ed25519
	// key SHA-512.
	Hash crypto.Hash
	// PSS asks for RSASSA-PSS with a salt as long as the hash.
	PSS bool
	// SigningTime is claimed under the signature, in whole seconds; baseline requires it.
	SigningTime time.Time
	// Timestamp above zero asks for level B-T: Assemble then demands a token.
	Timestamp int
	// MediaType of the document; when empty, "text/xml", or
	// "application/octet-stream" where it need not be XML.
	MediaType string
	// Properties are what is signed beside the document.
	Properties ades.Properties
	// Packaging is Enveloped when empty.
	Packaging Packaging
	// Name is the file name of a Detached document, with slashes for folders.
	Name string
	// Element is the Id of the element to sign instead of the whole document,
	// for Enveloped, which puts the signature into it, and InternallyDetached,
	// which needs it.
	Element string
	// Parallel makes an Enveloped signature leave all signatures of the document
	// out of what it covers and not only itself, so that any number of signers
	// can sign the same document, in any order.
	Parallel bool
	// ASiC puts a Detached signature into the document element of ETSI EN
	// 319 162-1 Annex A, asic:XAdESSignatures.
	ASiC bool
}

// Object is one file that a detached signature covers.
type Object struct {
	// Name is its name as the signature tells it, with slashes for folders.
	Name string
	// MediaType is "application/octet-stream" when empty.
	MediaType string
	// Digest of the file by Options.Hash. Where it is nil the file is read.
	Digest  []byte
	Content io.ReaderAt
	Size    int64
}

// hash gives the digest of references and signature.
func (o Options) hash() crypto.Hash {
	if o.Hash != 0 || o.Certificate == nil {
		return o.Hash
	}
	if _, ok := o.Certificate.PublicKey.(ed25519.PublicKey); ok {
		return crypto.SHA512
	}
	return crypto.SHA256
}

// algorithm checks the options and finds the signature algorithm.
func (o Options) algorithm() (cms.Algorithm, error) {
	if o.Certificate == nil || o.SigningTime.IsZero() {
		return cms.Algorithm{}, fail(BadOptions, "a certificate and a signing time are required (EN 319 132-1 §6.3)")
	}
	a, err := cms.AlgorithmFor(o.Certificate.PublicKey, o.hash(), o.PSS)
	if err != nil {
		return a, &Error{Kind: BadOptions, Msg: "the key and the digest cannot sign", Err: err}
	}
	if o.Parallel && o.Packaging != Enveloped && o.Packaging != "" {
		return a, fail(BadOptions, "parallel signatures are enveloped ones")
	}
	if o.Packaging == InternallyDetached && o.Element == "" {
		return a, fail(BadOptions, "an internally detached signature needs the Id of the element it signs")
	}
	if o.Element != "" && (o.Packaging == Enveloping || o.Packaging == EnvelopingXML || o.Packaging == Detached) {
		return a, fail(BadOptions, "only an enveloped or internally detached signature can be of one element")
	}
	return a, o.properties()
}

// properties checks what is put into the signature as text.
func (o Options) properties() error {
	texts := append([]string{o.MediaType, o.Name}, o.Properties.ClaimedRoles...)
	if p := o.Properties.Place; p != nil {
		texts = append(texts, p.Street, p.City, p.Province, p.PostalCode, p.Country)
	}
	for _, c := range o.Properties.Commitments {
		if commitmentURI(c) == "" {
			return fail(BadOptions, "the commitment type %q is neither known nor a URI", c)
		}
		texts = append(texts, string(c))
	}
	if p := o.Properties.Policy; p != nil {
		if len(p.OID) < 2 || digestURIs[p.Hash] == "" || len(p.Digest) != p.Hash.Size() {
			return fail(BadOptions, "a signature policy needs an object identifier and the digest of its text")
		}
		texts = append(texts, p.URI)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF }) {
			return fail(BadOptions, "%q has characters that XML cannot hold", s)
		}
	}
	return nil
}

// commitmentURI gives the identifier of a commitment type; one that is not
// known stands for itself if it is a URI.
func commitmentURI(c ades.Commitment) string {
	if uri := c.URI(); uri != "" {
		return uri
	}
	if u, err := url.Parse(string(c)); err == nil && u.IsAbs() {
		return string(c)
	}
	return ""
}

// fileURI is the reference to a file beside the signature.
func fileURI(name string) string { return (&url.URL{Path: name}).EscapedPath() }

// fileName is the inverse of fileURI; what is no such reference is given as it is.
func fileName(uri string) string {
	if name, err := url.PathUnescape(uri); err == nil {
		return name
	}
	return uri
}
