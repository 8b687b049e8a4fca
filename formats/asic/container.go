package asic

import (
	"crypto"
	"crypto/subtle"
	"io"
	"slices"
	"strings"

	"sigillo/formats/cms"
)

// Type says which of the two forms a container has.
type Type string

// The types (EN 319 162-1 §4.3, §4.4).
const (
	Simple   Type = "ASiC-S" // one document
	Extended Type = "ASiC-E" // any documents
)

// Media types of the containers (§4.3.3.1, §4.4.3.1).
const (
	simpleMediaType   = "application/vnd.etsi.asic-s+zip"
	extendedMediaType = "application/vnd.etsi.asic-e+zip"
)

func (t Type) mediaType() string {
	if t == Simple {
		return simpleMediaType
	}
	return extendedMediaType
}

// Form says how the signatures of a container are written.
type Form string

// The forms.
const (
	CAdES Form = "CAdES"
	XAdES Form = "XAdES"
)

// maxSignatureFiles bounds the files of META-INF that are read as signatures,
// time-stamps or manifests.
const maxSignatureFiles = 256

// File is a document in a container.
type File struct {
	Name      string
	MediaType string // as a manifest or a signature tells it; may be empty
	Size      int64

	e *entry
}

// Open gives the octets of the document. Reading fails if they are damaged.
func (f File) Open() io.Reader { return f.e.open() }

// ReaderAt gives the same for those who ask for places. Going back in a packed
// document unpacks it again.
func (f File) ReaderAt() io.ReaderAt { return f.e.readerAt() }

// Container is an ASiC container that was read.
type Container struct {
	Type      Type
	MediaType string // what the file mimetype says; "" if there is none
	Comment   string // of the ZIP file
	// Documents are all files outside of META-INF.
	Documents []File
	// Irregular tells what is against the standard and no reason not to read on.
	Irregular []string

	archive    *archive
	manifests  []*manifest
	broken     map[string]error // manifests that cannot be read, and why
	digests    map[digested][]byte
	work       int64 // octets of documents that XAdES signatures may still read
	signatures []*Signature
	stamps     []*ContainerStamp
	records    []*Record
}

type digested struct {
	name string
	hash crypto.Hash
}

// Open reads the directory of a container and its manifests, and finds its
// signatures. r must stay readable as long as the container is used. Kinds:
// NotASiC, Ambiguous, Malformed, Limit, Unsupported, Failed.
//
// A Container is for one goroutine at a time: it remembers the digests it made.
func Open(r io.ReaderAt, size int64) (*Container, error) {
	a, err := readArchive(r, size)
	if err != nil {
		return nil, err
	}
	c := &Container{Comment: a.comment, archive: a, broken: map[string]error{}, digests: map[digested][]byte{}}
	if err := c.findType(); err != nil {
		return nil, err
	}
	if err := c.readManifests(); err != nil {
		return nil, err
	}
	types := c.mediaTypes()
	for _, e := range a.entries {
		c.work += maxPasses * e.size
	}
	c.work = maxWork + max(c.work, 2*maxRatio*size)
	for _, e := range a.entries {
		if isDocument(e.name) {
			c.Documents = append(c.Documents, File{Name: e.name, MediaType: types[e.name], Size: e.size, e: e})
		}
	}
	if len(c.Documents) == 0 {
		return nil, fail(NotASiC, "the container holds no documents")
	}
	if c.Type == Simple && len(c.Documents) > 1 {
		c.irregular("an ASiC-S container has one document at its root, this one has %d", len(c.Documents))
	}
	if err := c.findSignatures(); err != nil {
		return nil, err
	}
	c.findStamps()
	if c.findRecords(); len(c.signatures)+len(c.stamps)+len(c.records) == 0 {
		if i := slices.IndexFunc(a.entries, func(e *entry) bool { return IsXMLRecord(e.name) }); i >= 0 {
			return nil, fail(cms.Unsupported, "the container holds only %s, an evidence record in XML (RFC 6283), which is not read", a.entries[i].name)
		}
		return nil, fail(NotASiC, "the ZIP file holds no signatures, time-stamps and evidence records")
	}
	return c, nil
}

func (c *Container) irregular(format string, a ...any) {
	c.Irregular = append(c.Irregular, fail("", format, a...).(*Error).Msg)
}

// findType reads the file mimetype and the comment, which say the type; without
// both, what is in it tells.
func (c *Container) findType() error {
	comment, _ := strings.CutPrefix(c.Comment, "mimetype=")
	if e := c.archive.byName[mimetypeName]; e != nil {
		if e.header != 0 || e.method != stored || e.extra || e.flags&flagDescriptor != 0 {
			c.irregular("the file mimetype is not the first one, or packed, or has an extra field (Annex A.1)")
		}
		if e.size > 256 {
			return fail(NotASiC, "the file mimetype names no type")
		}
		b, err := e.bytes()
		if err != nil {
			return err
		}
		if c.MediaType = string(b); strings.TrimSpace(c.MediaType) != c.MediaType {
			c.irregular("the file mimetype holds more than the media type")
		}
		if comment != "" && strings.HasPrefix(c.Comment, "mimetype=") && comment != c.MediaType {
			c.irregular("the comment names another media type than the file mimetype")
		}
		comment = strings.TrimSpace(c.MediaType)
	} else if !strings.HasPrefix(c.Comment, "mimetype=") {
		comment = ""
	}
	switch comment {
	case simpleMediaType:
		c.Type = Simple
	case extendedMediaType:
		c.Type = Extended
	case "":
		c.Type = c.guessType()
	default:
		return fail(NotASiC, "the file is %q, not an ASiC container", comment)
	}
	return nil
}

func (c *Container) guessType() Type {
	documents := 0
	for _, e := range c.archive.entries {
		if isManifest(e.name) || isRecordManifest(e.name) || e.name == odfManifest {
			return Extended
		}
		if isDocument(e.name) {
			documents++
		}
	}
	if documents == 1 {
		return Simple
	}
	return Extended
}

// readManifests reads all ASiCManifests. One that is broken makes the signature
// that needs it invalid and no other.
func (c *Container) readManifests() error {
	for _, e := range c.archive.entries {
		if !isManifest(e.name) && !isArchiveManifest(e.name) && !isRecordManifest(e.name) {
			continue
		}
		if len(c.manifests)+len(c.broken) >= maxSignatureFiles {
			return fail(cms.Limit, "the container has more than %d manifests", maxSignatureFiles)
		}
		raw, err := e.bytes()
		if err != nil {
			return err
		}
		m, err := readManifest(e.name, raw)
		if err != nil {
			c.broken[e.name] = err
			c.irregular("%s cannot be read: %v", e.name, err)
			continue
		}
		c.manifests = append(c.manifests, m)
	}
	return nil
}

func (c *Container) mediaTypes() map[string]string {
	types := map[string]string{}
	if e := c.archive.byName[odfManifest]; e != nil {
		if raw, err := e.bytes(); err == nil {
			types = mediaTypes(raw)
		}
	}
	for _, m := range c.manifests {
		for _, r := range m.references {
			if r.mediaType != "" && types[r.name] == "" {
				types[r.name] = r.mediaType
			}
		}
	}
	return types
}

// manifestOf finds the manifest that a signature or time-stamp signs. Two of them
// could mean either.
func (c *Container) manifestOf(file string) (*manifest, error) {
	var found *manifest
	for _, m := range c.manifests {
		if m.signature != file {
			continue
		}
		if found != nil {
			return nil, fail(Ambiguous, "%s and %s both say that %s signs them", found.file, m.file, file)
		}
		found = m
	}
	return found, nil
}

// digest gives the digest of a file, which is computed once.
func (c *Container) digest(name string, h crypto.Hash) ([]byte, error) {
	k := digested{name, h}
	if sum := c.digests[k]; sum != nil {
		return sum, nil
	}
	e := c.archive.byName[name]
	if e == nil {
		return nil, fail(cms.ContentMissing, "the file %q is not in the container", name)
	}
	if !h.Available() {
		return nil, fail(cms.Unsupported, "the digest algorithm over %q is not supported", name)
	}
	d := h.New()
	if _, err := io.Copy(d, e.open()); err != nil {
		return nil, err
	}
	c.digests[k] = d.Sum(nil)
	return c.digests[k], nil
}

// check verifies the digests of all that a manifest names. [cms.Weak] means that
// they are right, and some of them by SHA-1.
func (c *Container) check(m *manifest) error {
	weak := false
	for _, r := range m.references {
		if r.hash == 0 {
			return fail(cms.Unsupported, "%s uses a digest algorithm that is not supported", m.file)
		}
		weak = weak || r.hash == crypto.SHA1
		sum, err := c.digest(r.name, r.hash)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(sum, r.digest) != 1 {
			return fail(cms.Mismatch, "the file %q was changed after %s was signed", r.name, m.file)
		}
	}
	if weak {
		return fail(cms.Weak, "%s relies on SHA-1, which is no longer safe", m.file)
	}
	return nil
}

// Signatures gives all signatures, file by file in the order of the container and
// in the order within each file.
func (c *Container) Signatures() []*Signature { return c.signatures }

// Stamps gives the time-stamps that are files of the container.
func (c *Container) Stamps() []*ContainerStamp { return c.stamps }

// Uncovered gives the names of documents that no signature names, nor a time-stamp
// or evidence record of documents alone, and of files in META-INF that mean nothing here. What it does not name is
// not verified thereby.
func (c *Container) Uncovered() []string {
	covered := map[string]bool{mimetypeName: true, odfManifest: true}
	for _, s := range c.signatures {
		covered[s.File], covered[s.Manifest] = true, true
		for _, d := range s.Documents {
			covered[d.Name] = true
		}
	}
	for _, s := range c.stamps {
		covered[s.File], covered[s.Manifest] = true, true
		over := slices.ContainsFunc(c.signatures, func(g *Signature) bool { return s.covers(g.File) })
		for _, d := range s.Documents {
			// A time-stamp over a signature speaks for that; a document that came with
			// the time-stamp would be taken for one of the signer's.
			covered[d.Name] = covered[d.Name] || !over || !isDocument(d.Name)
		}
	}
	for _, r := range c.records {
		covered[r.File], covered[r.Manifest] = true, true
		for _, d := range r.Documents { // as with time-stamps: beside signatures it speaks for no document
			covered[d.Name] = covered[d.Name] || len(c.signatures) == 0 || !isDocument(d.Name)
		}
	}
	var out []string
	for _, e := range c.archive.entries {
		if !covered[e.name] && !e.folder() {
			out = append(out, e.name)
		}
	}
	return out
}

// file gives a File by its name, one of no content if it is not there.
func (c *Container) file(name, mediaType string) File {
	f := File{Name: name, MediaType: mediaType}
	if e := c.archive.byName[name]; e != nil {
		f.e, f.Size = e, e.size
	}
	return f
}
