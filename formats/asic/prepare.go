package asic

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/xades"
)

// Document is a document to be put into a container.
type Document struct {
	Name      string // with slashes for folders
	MediaType string // "application/octet-stream" if empty
	Reader    io.ReaderAt
	Size      int64 // octets
}

func (d Document) mediaType() string {
	if d.MediaType == "" {
		return "application/octet-stream"
	}
	return d.MediaType
}

// copyTo writes the document and holds it to its size.
func (d Document) copyTo(w io.Writer) (int64, error) {
	if d.Reader == nil || d.Size < 0 {
		return 0, fail(cms.BadOptions, "the document %q was not given", d.Name)
	}
	n, err := io.Copy(w, io.NewSectionReader(d.Reader, 0, d.Size))
	if err != nil {
		if KindOf(err) != "" {
			return n, err
		}
		return n, wrap(cms.Failed, err, "reading the document %q", d.Name)
	}
	if n != d.Size {
		return n, fail(cms.Mismatch, "the document %q has %d octets, not the %d it was said to have", d.Name, n, d.Size)
	}
	return n, nil
}

// Options says who signs and how.
type Options struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // the issuers, to be embedded
	// Hash is SHA-256, SHA-384 or SHA-512; zero is SHA-256, and SHA-512 with an
	// Ed25519 key, which takes no other in CAdES.
	Hash        crypto.Hash
	PSS         bool      // RSASSA-PSS in place of PKCS#1 v1.5
	SigningTime time.Time // claimed; mandatory
	// Timestamp, if greater than 0, asks for level B-T: it is the greatest size in
	// octets of the token to come.
	Timestamp  int
	Properties ades.Properties
	// Type is that of a new container; empty is Simple for one document and
	// Extended for several.
	Type Type
	// Form is how the signature is written; empty is CAdES.
	Form Form
	// Comment repeats the media type in the comment of the ZIP file (Annex A.1).
	Comment bool
}

func (o Options) hash() crypto.Hash {
	if o.Hash != 0 {
		return o.Hash
	}
	if o.Certificate != nil {
		if _, ok := o.Certificate.PublicKey.(ed25519.PublicKey); ok {
			return crypto.SHA512
		}
	}
	return crypto.SHA256
}

// Prepared is a signature that lacks its value and, for B-T, its time-stamp, and the
// container around it. It may be stored as JSON and holds no document content.
type Prepared struct {
	Type    Type   `json:"type"`
	Form    Form   `json:"form"`
	Comment bool   `json:"comment,omitempty"`
	Hash    string `json:"hash"` // of Digests
	// Documents of a new container, with their digests by Hash, in their order.
	Documents []Prepaid `json:"documents,omitempty"`
	Modified  uint32    `json:"modified"` // time of new entries, as MS-DOS has it
	// Of an added signature: the container it goes into.
	Size   int64  `json:"size,omitempty"`
	SHA256 []byte `json:"sha256,omitempty"`

	File     string          `json:"file"`               // of the signature
	Extra    []Written       `json:"extra,omitempty"`    // manifests
	Parallel bool            `json:"parallel,omitempty"` // the file is there already and gets one more
	CAdES    *cades.Prepared `json:"cades,omitempty"`
	XAdES    *xades.Prepared `json:"xades,omitempty"`
}

// Prepaid is a document as it was when it was prepared.
type Prepaid struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest []byte `json:"digest"`
}

// Written is a file of META-INF, ready.
type Written struct {
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// Prepare reads the documents and makes the attributes to be signed, for a new
// container.
func Prepare(docs []Document, o Options) (*Prepared, error) {
	if o.Form == "" {
		o.Form = CAdES
	}
	typ, err := checkDocuments(docs, o.Type)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: typ, Form: o.Form, Comment: o.Comment, Hash: o.hash().String(), Modified: dosTime(o.SigningTime)}
	if p.Documents, err = digestDocuments(docs, o.hash()); err != nil {
		return nil, err
	}
	refs := make([]reference, len(docs))
	for i, d := range p.Documents {
		refs[i] = reference{name: d.Name, mediaType: docs[i].mediaType(), hash: o.hash(), digest: d.Digest}
	}
	if typ == Extended && o.Form == XAdES {
		p.Extra = []Written{{odfManifest, odf(typ.mediaType(), docs)}}
	}
	return p, p.sign(refs, signatureNames(typ, o.Form, nil), o)
}

// ContentImprint gives the digest that a content time-stamp of Prepare with the
// same documents and options must be of: of the document, of the ASiCManifest in an
// ASiC-E with CAdES, of all documents with XAdES (EN 319 122-1 §5.2.8, EN 319 132-1
// §5.2.8.1). The token then goes into Options.Properties.
func ContentImprint(docs []Document, o Options, h crypto.Hash) ([]byte, error) {
	o.Properties.ContentStamps = nil
	p, err := Prepare(docs, o)
	switch {
	case err != nil:
		return nil, err
	case p.Form == XAdES:
		var objects []xades.Object
		for _, d := range docs {
			objects = append(objects, xades.Object{Name: d.Name, MediaType: d.mediaType(), Content: d.Reader, Size: d.Size})
		}
		return xades.ContentImprintDetached(objects, o.xades(), h)
	case p.Type == Simple:
		digests, err := digestDocuments(docs, h)
		if err != nil {
			return nil, err
		}
		return digests[0].Digest, nil
	case digestURIs[h] == "" || h == crypto.SHA1:
		return nil, fail(cms.BadOptions, "digest algorithm %v cannot be used to stamp; use SHA-256, SHA-384 or SHA-512", h)
	}
	return digestOf(h, p.Extra[0].Content), nil
}

// checkDocuments holds the documents of a new container to what it can hold.
func checkDocuments(docs []Document, typ Type) (Type, error) {
	switch {
	case typ == "" && len(docs) == 1:
		typ = Simple
	case typ == "":
		typ = Extended
	}
	switch {
	case len(docs) == 0 || len(docs) > maxEntries-64:
		return "", fail(cms.BadOptions, "a container holds from one to %d documents", maxEntries-64)
	case typ == Simple && len(docs) > 1:
		return "", fail(cms.BadOptions, "an ASiC-S container holds one document; make an ASiC-E of several")
	case typ != Simple && typ != Extended:
		return "", fail(cms.BadOptions, "the type of container %q is not known", typ)
	}
	a := archive{byName: map[string]*entry{}}
	for _, d := range docs {
		if err := checkDocumentName(d.Name); err != nil {
			return "", err
		}
		a.entries = append(a.entries, &entry{name: d.Name})
	}
	if err := a.checkNames(); err != nil {
		return "", &Error{cms.BadOptions, "the documents cannot stand in one container", err}
	}
	return typ, nil
}

func digestDocuments(docs []Document, h crypto.Hash) ([]Prepaid, error) {
	if digestURIs[h] == "" || h == crypto.SHA1 {
		return nil, fail(cms.BadOptions, "digest algorithm %v cannot be used to sign; use SHA-256, SHA-384 or SHA-512", h)
	}
	var out []Prepaid
	for _, d := range docs {
		sum := h.New()
		if _, err := d.copyTo(sum); err != nil {
			return nil, err
		}
		out = append(out, Prepaid{d.Name, d.Size, sum.Sum(nil)})
	}
	return out, nil
}

// names are the files that a new signature gets.
type names struct{ signature, manifest string }

// signatureNames gives the names of a signature's files that the container does not
// have yet.
func signatureNames(typ Type, form Form, a *archive) names {
	switch {
	case typ == Simple && form == CAdES:
		return names{signature: metaInf + "signature.p7s"}
	case typ == Simple:
		return names{signature: metaInf + "signatures.xml"}
	case form == XAdES:
		return names{signature: a.free("signatures", ".xml")}
	}
	return names{a.free("signature", ".p7s"), a.free("ASiCManifest", ".xml")}
}

// free gives the first numbered name of META-INF that is not taken.
func (a *archive) free(stem, suffix string) string {
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s%s%03d%s", metaInf, stem, i, suffix)
		if a == nil || a.byName[name] == nil {
			return name
		}
	}
}

// sign prepares the signature over the references.
func (p *Prepared) sign(refs []reference, n names, o Options) error {
	p.File = n.signature
	if p.Form == XAdES {
		return p.signXAdES(refs, o)
	}
	if p.Form != CAdES {
		return fail(cms.BadOptions, "the form %q is not known", p.Form)
	}
	digest, mediaType := refs[0].digest, refs[0].mediaType
	if p.Type == Extended {
		content := (&manifest{signature: n.signature, references: refs}).write("application/pkcs7-signature")
		p.Extra = append(p.Extra, Written{n.manifest, content})
		digest, mediaType = digestOf(o.hash(), content), "text/xml"
	}
	var err error
	p.CAdES, err = cades.PrepareDigest(digest, p.cadesOptions(o, mediaType))
	return err
}

func (p *Prepared) cadesOptions(o Options, mediaType string) cades.Options {
	return cades.Options{Certificate: o.Certificate, Chain: o.Chain, Hash: o.hash(), PSS: o.PSS, SigningTime: o.SigningTime,
		Timestamp: o.Timestamp, Properties: o.Properties, MIMEType: mediaType, Detached: true}
}

func (p *Prepared) signXAdES(refs []reference, o Options) error {
	var objects []xades.Object
	for _, r := range refs {
		objects = append(objects, xades.Object{Name: r.name, MediaType: r.mediaType, Digest: r.digest})
	}
	var err error
	p.XAdES, err = xades.PrepareDetached(objects, o.xades())
	return err
}

func (o Options) xades() xades.Options {
	return xades.Options{Certificate: o.Certificate, Chain: o.Chain, Hash: o.hash(), PSS: o.PSS,
		SigningTime: o.SigningTime, Timestamp: o.Timestamp, Properties: o.Properties, ASiC: true}
}

// PrepareAdded prepares one more signature over all documents of an existing
// container, also a foreign one. Type and Comment of o are not used. The form is
// that of the signatures there; another one is refused, since readers look for one.
//
// What an archive time-stamp of the container covers may not change any more: an
// ASiC-S under one takes no further signature.
func PrepareAdded(container io.ReaderAt, size int64, o Options) (*Prepared, error) {
	c, err := Open(container, size)
	if err != nil {
		return nil, err
	}
	if o.Form, err = c.formOf(o.Form); err != nil {
		return nil, err
	}
	p := &Prepared{Type: c.Type, Form: o.Form, Hash: o.hash().String(), Modified: dosTime(o.SigningTime), Size: size}
	if p.SHA256, err = fingerprint(container, size); err != nil {
		return nil, err
	}
	if c.Type == Simple && len(c.Documents) != 1 {
		return nil, fail(cms.BadOptions, "the ASiC-S container has %d documents; nobody could say which one is signed", len(c.Documents))
	}
	refs, err := c.references(o.hash())
	if err != nil {
		return nil, err
	}
	n := signatureNames(c.Type, o.Form, c.archive)
	if existing := c.signatureFile(); c.Type == Simple && existing != "" {
		n.signature, p.Parallel = existing, true
	}
	if e := c.archive.byName[n.signature]; p.Parallel && o.Form == CAdES {
		return p, p.signParallel(c, e, refs[0], o)
	}
	return p, p.sign(refs, n, o)
}

// signParallel prepares one more signer of the .p7s of an ASiC-S.
func (p *Prepared) signParallel(c *Container, e *entry, ref reference, o Options) error {
	p.File = e.name
	if len(c.stamps) > 0 {
		return fail(cms.Unsupported, "a time-stamp of the container covers the signatures: one more would break it")
	}
	raw, err := e.bytes()
	if err != nil {
		return err
	}
	options := p.cadesOptions(o, ref.mediaType)
	doc := c.archive.byName[ref.name]
	options.Content, options.ContentSize = doc.readerAt(), doc.size
	p.CAdES, err = cades.PrepareParallel(bytes.NewReader(raw), int64(len(raw)), options)
	return err
}

// formOf decides the form of a further signature.
func (c *Container) formOf(want Form) (Form, error) {
	for _, s := range c.signatures {
		if want == "" {
			want = s.Form
		}
		if s.Form != want {
			return "", fail(cms.BadOptions, "the container has %s signatures and cannot take one of %s", s.Form, want)
		}
	}
	if want == "" || want == XAdES && len(c.signatures) == 0 {
		want = CAdES // time-stamp files go with CAdES
	}
	return want, nil
}

// signatureFile gives the file of signatures of an ASiC-S, "" if there is none.
func (c *Container) signatureFile() string {
	if len(c.signatures) == 0 {
		return ""
	}
	return c.signatures[0].File
}

// references gives all documents with their digests.
func (c *Container) references(h crypto.Hash) ([]reference, error) {
	if digestURIs[h] == "" || h == crypto.SHA1 {
		return nil, fail(cms.BadOptions, "digest algorithm %v cannot be used to sign; use SHA-256, SHA-384 or SHA-512", h)
	}
	var refs []reference
	for _, d := range c.Documents {
		sum, err := c.digest(d.Name, h)
		if err != nil {
			return nil, err
		}
		refs = append(refs, reference{name: d.Name, mediaType: Document{MediaType: d.MediaType}.mediaType(), hash: h, digest: sum})
	}
	return refs, nil
}

// fingerprint gives the SHA-256 of a container.
func fingerprint(container io.ReaderAt, size int64) ([]byte, error) {
	d := sha256.New()
	if _, err := io.Copy(d, io.NewSectionReader(container, 0, size)); err != nil {
		return nil, wrap(cms.Failed, err, "reading the container")
	}
	return d.Sum(nil), nil
}

// same holds a container to the one that was prepared.
func same(container io.ReaderAt, size, want int64, sum []byte) error {
	if size == want {
		got, err := fingerprint(container, size)
		if err != nil {
			return err
		}
		if slices.Equal(got, sum) {
			return nil
		}
	}
	return fail(cms.Mismatch, "the container is not the one that was prepared")
}

func digestOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
