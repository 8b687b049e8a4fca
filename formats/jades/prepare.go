package jades

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Serialization is how a JWS is written (RFC 7515 §7).
type Serialization string

// The serialisations. The empty one is Flattened.
const (
	Compact   Serialization = "compact"   // one line, level B-B only
	Flattened Serialization = "flattened" // JSON, one signature
	General   Serialization = "general"   // JSON, one signature or several
)

// Packaging says where the document is.
type Packaging string

// The packagings. The empty one is Enveloping.
const (
	Enveloping Packaging = "enveloping" // in the signature
	Detached   Packaging = "detached"   // elsewhere, named and fixed by sigD
)

// Document is a document that a detached signature covers.
type Document struct {
	Name      string // a URI reference, in sigD
	MediaType string // "application/octet-stream" if empty
	Reader    io.ReaderAt
	Size      int64 // octets
}

// Options says who signs and how.
type Options struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // the issuers, nearest first, to be embedded
	// Hash is SHA-256, SHA-384 or SHA-512. Zero is SHA-256 with RSA and what the
	// key demands with ECDSA, where JWS binds the digest to the curve. With Ed25519
	// it is that of the thumbprint and of sigD only.
	Hash        crypto.Hash
	PSS         bool      // RSASSA-PSS in place of PKCS#1 v1.5
	SigningTime time.Time // claimed, in whole seconds; mandatory
	// Timestamp, if greater than 0, asks for level B-T: it is the greatest size in
	// octets of the token to come. Not with Compact.
	Timestamp     int
	Serialization Serialization
	Packaging     Packaging
	// Name and MediaType of the document. The name is written in detached
	// signatures only; empty is "document".
	Name, MediaType string
	// Unencoded makes the digests of a detached signature those of the documents
	// themselves and not of their base64url form (b64 false, RFC 7797).
	Unencoded  bool
	Properties ades.Properties
}

// role says what a Prepared will be in the file it is assembled into.
type role string

const (
	alone    role = ""         // a file of its own
	parallel role = "parallel" // beside the signatures of an existing file
	counter  role = "counter"  // under one of them
)

// Prepared is a signature that lacks its value and, for B-T, its time-stamp. It
// may be stored as JSON and holds no document content.
type Prepared struct {
	Hash          string        `json:"hash"`
	Scheme        cms.Scheme    `json:"scheme"`
	Certificate   []byte        `json:"certificate"` // DER
	NotAfter      time.Time     `json:"notAfter"`    // of the certificate
	Protected     string        `json:"protected"`   // the header, base64url
	Digest        []byte        `json:"digest"`      // of the data to be signed
	Serialization Serialization `json:"serialization"`
	Detached      bool          `json:"detached,omitempty"`
	Timestamp     int           `json:"timestamp,omitempty"`
	Size          int64         `json:"size"` // of what is given to Assemble; not looked at when Detached and alone
	SHA256        []byte        `json:"sha256,omitempty"`
	Role          role          `json:"role,omitempty"`
	Counters      int           `json:"counters,omitempty"` // index of the countersigned signature
}

// Prepare reads the document and makes the header to be signed.
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	if o.Packaging == Detached {
		return PrepareDetached([]Document{{o.Name, o.MediaType, doc, size}}, o)
	}
	if o.Unencoded {
		return nil, fail(cms.BadOptions, "an unencoded payload is made for detached signatures only")
	}
	if size == 0 { // RFC 7515 Appendix F: such a JWS is a detached one
		return nil, fail(cms.BadOptions, "an empty document cannot stand in a JWS: without a payload it reads as detached; sign it so")
	}
	p, h, err := begin(o)
	if err != nil {
		return nil, err
	}
	h.Cty = shortMediaType(o.MediaType)
	p.Size = size
	return p, p.finish(h, func(w io.Writer) error { return copyEncoded(w, doc, size, true) })
}

// PrepareDetached makes one signature over several documents, each named by its
// URI in sigD (§5.2.8.3.3).
func PrepareDetached(docs []Document, o Options) (*Prepared, error) {
	p, h, err := begin(o)
	if err != nil {
		return nil, err
	}
	if h.SigD, err = sigD(docs, p.HashAlgorithm(), !o.Unencoded); err != nil {
		return nil, err
	}
	h.Crit = []string{"sigD"}
	if o.Unencoded {
		h.B64, h.Crit = new(bool), []string{"b64", "sigD"}
	}
	p.Detached = true
	return p, p.finish(h, func(io.Writer) error { return nil })
}

func sigD(docs []Document, h crypto.Hash, encoded bool) (*signatureData, error) {
	if len(docs) == 0 || len(docs) > maxReferences {
		return nil, fail(cms.BadOptions, "a detached signature covers from one to %d documents", maxReferences)
	}
	d := &signatureData{Mechanism: byURIHash, HashM: digestName(h)}
	seen := map[string]bool{}
	for _, doc := range docs {
		if doc.Name == "" {
			doc.Name = "document"
		}
		if doc.MediaType == "" {
			doc.MediaType = "application/octet-stream"
		}
		if seen[doc.Name] {
			return nil, fail(cms.BadOptions, "two documents are named %q", doc.Name)
		}
		seen[doc.Name] = true
		sum := h.New()
		if err := copyEncoded(sum, doc.Reader, doc.Size, encoded); err != nil {
			return nil, err
		}
		d.Pars, d.Ctys = append(d.Pars, doc.Name), append(d.Ctys, shortMediaType(doc.MediaType))
		d.HashV = append(d.HashV, b64.EncodeToString(sum.Sum(nil)))
	}
	return d, nil
}

// PrepareParallel prepares one more signature of what an existing file, also a
// foreign one, signs. docs are the documents of a detached one, as in
// PrepareDetached, and nil otherwise. The file, with the new signature, becomes
// general JSON.
func PrepareParallel(file io.ReaderAt, size int64, docs []Document, o Options) (*Prepared, error) {
	m, err := readMessage(file, size)
	if err != nil {
		return nil, err
	}
	o.Serialization = General
	var p *Prepared
	if m.payload == "" {
		p, err = PrepareDetached(docs, o)
	} else {
		p, err = m.prepareOverPayload(o)
	}
	if err != nil {
		return nil, err
	}
	p.Role, p.Size, p.SHA256 = parallel, size, m.sum()
	return p, nil
}

func (m *message) prepareOverPayload(o Options) (*Prepared, error) {
	if len(m.signatures) == 0 || m.signatures[0].unencoded {
		return nil, fail(cms.Unsupported, "a signature cannot be added to an unencoded payload")
	}
	p, h, err := begin(o)
	if err != nil {
		return nil, err
	}
	h.Cty = shortMediaType(o.MediaType)
	if o.MediaType == "" {
		h.Cty = shortMediaType(m.signatures[0].ContentType)
	}
	return p, p.finish(h, func(w io.Writer) error {
		_, err := io.WriteString(w, m.payload)
		return err
	})
}

// PrepareCounter prepares a counter-signature (cSig, §5.3.2) of the signature of
// that index in an existing file: its payload is the signature value, detached.
func PrepareCounter(file io.ReaderAt, size int64, index int, o Options) (*Prepared, error) {
	m, err := readMessage(file, size)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(m.signatures) {
		return nil, fail(cms.BadOptions, "the file has %d signatures, there is none with index %d", len(m.signatures), index)
	}
	if o.Serialization == "" || o.Serialization == General {
		o.Serialization = Flattened
	}
	p, h, err := begin(o)
	if err != nil {
		return nil, err
	}
	p.Role, p.Counters, p.Detached, p.Size, p.SHA256 = counter, index, true, size, m.sum()
	return p, p.finish(h, func(w io.Writer) error {
		_, err := io.WriteString(w, m.signatures[index].encodedValue)
		return err
	})
}

// begin checks the options and starts the header.
func begin(o Options) (*Prepared, *header, error) {
	if o.Certificate == nil {
		return nil, nil, fail(cms.BadOptions, "a signature needs the signer's certificate")
	}
	if o.SigningTime.IsZero() {
		return nil, nil, fail(cms.BadOptions, "a JAdES baseline signature needs a signing time (TS 119 182-1 §6.3)")
	}
	if o.SigningTime.Before(o.Certificate.NotBefore) || o.SigningTime.After(o.Certificate.NotAfter) {
		return nil, nil, fail(cms.BadOptions, "the certificate is not valid at the signing time")
	}
	if o.Timestamp < 0 || o.Timestamp > 0 && o.Serialization == Compact {
		return nil, nil, fail(cms.BadOptions, "a compact serialisation has no place for a time-stamp; use flattened JSON")
	}
	switch o.Serialization {
	case "":
		o.Serialization = Flattened
	case Compact, Flattened, General:
	default:
		return nil, nil, fail(cms.BadOptions, "the serialisation %q is not known", o.Serialization)
	}
	alg, name, err := algorithmFor(o.Certificate.PublicKey, o.Hash, o.PSS)
	if err != nil {
		return nil, nil, err
	}
	h, err := newHeader(o, name, alg.Hash)
	if err != nil {
		return nil, nil, err
	}
	return &Prepared{Hash: alg.Hash.String(), Scheme: alg.Scheme, Certificate: o.Certificate.Raw, NotAfter: o.Certificate.NotAfter,
		Serialization: o.Serialization, Timestamp: o.Timestamp}, h, nil
}

// finish encodes the header and digests the data to be signed, whose second half
// payload writes.
func (p *Prepared) finish(h *header, payload func(io.Writer) error) error {
	var err error
	if p.Protected, err = h.encode(); err != nil {
		return err
	}
	d := p.HashAlgorithm().New()
	io.WriteString(d, p.Protected+".")
	if err := payload(d); err != nil {
		return err
	}
	p.Digest = d.Sum(nil)
	return nil
}

// copyEncoded writes a document of the given size, in base64url or as it is.
func copyEncoded(w io.Writer, doc io.ReaderAt, size int64, encoded bool) error {
	if doc == nil || size < 0 {
		return fail(cms.BadOptions, "the document to be signed was not given")
	}
	to, done := w, func() error { return nil }
	if encoded {
		e := base64.NewEncoder(b64, w)
		to, done = e, e.Close
	}
	n, err := io.Copy(to, io.NewSectionReader(doc, 0, size))
	if err == nil {
		err = done()
	}
	if err != nil {
		return wrap(cms.Failed, err, "reading the document")
	}
	if n != size {
		return fail(cms.Mismatch, "the document has %d octets, not the %d it was said to have", n, size)
	}
	return nil
}

// ContentImprint gives the imprint of a content time-stamp (adoTst, §5.2.6) for
// signatures prepared with these options: the digest of the payload or of the
// detached documents, in base64url unless Unencoded.
func ContentImprint(docs []Document, o Options, h crypto.Hash) ([]byte, error) {
	if !h.Available() {
		return nil, fail(cms.BadOptions, "the digest algorithm of the imprint is not available")
	}
	d := h.New()
	for _, doc := range docs {
		if err := copyEncoded(d, doc.Reader, doc.Size, !o.Unencoded); err != nil {
			return nil, err
		}
	}
	return d.Sum(nil), nil
}

func sha256Of(s string) []byte {
	d := sha256.New()
	io.WriteString(d, s)
	return d.Sum(nil)
}
