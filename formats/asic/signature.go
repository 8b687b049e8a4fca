package asic

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"io"
	"slices"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/xades"
)

// Signature is one signature in a container. What it says holds only after Verify
// returned nil.
type Signature struct {
	File string // META-INF/signature001.p7s
	Form Form
	// Documents are what it covers: the documents, with CAdES in an ASiC-E by way of
	// Manifest. Some may not be there; then Verify fails.
	Documents []File
	Manifest  string // the file of the ASiCManifest; "" if there is none
	// The signature inside: Message and Signer with CAdES, XML with XAdES.
	Message *cms.SignedData
	Signer  *cms.SignerInfo
	XML     *xades.Signature

	c       *Container
	index   int // within its file
	content string
	problem error
}

// findSignatures reads the files of signatures.
func (c *Container) findSignatures() error {
	files := 0
	for _, e := range c.archive.entries {
		var err error
		switch {
		case isCAdES(e.name):
			err = c.readCAdES(e)
		case isXAdES(e.name):
			err = c.readXAdES(e)
		default:
			continue
		}
		if err != nil {
			return err
		}
		if files++; files > maxSignatureFiles || len(c.signatures) > maxSignatureFiles {
			return fail(cms.Limit, "the container has more than %d signatures", maxSignatureFiles)
		}
	}
	return nil
}

// readCAdES reads a .p7s. It is over the one document of an ASiC-S and over the
// manifest of an ASiC-E that says so (§4.3.3.2, §4.4.3.2).
func (c *Container) readCAdES(e *entry) error {
	raw, err := e.bytes()
	if err != nil {
		return err
	}
	s := Signature{File: e.name, Form: CAdES, c: c}
	m, err := c.manifestOf(e.name)
	switch {
	case err != nil:
		s.problem = err
	case c.Type == Simple && len(c.Documents) == 1:
		s.content, s.Documents = c.Documents[0].Name, c.Documents
	case c.Type == Simple:
		s.problem = fail(Ambiguous, "nobody can say which document of the ASiC-S is signed: it has %d", len(c.Documents))
	case m == nil || !isManifest(m.file):
		s.problem = fail(cms.Malformed, "no ASiCManifest says what %s signs", e.name)
	default:
		s.content, s.Manifest, s.Documents = m.file, m.file, c.files(m)
	}
	if s.Message, err = cms.ParseBytes(raw, cms.Limits{}); err != nil {
		s.problem = err
		c.signatures = append(c.signatures, &s)
		return nil
	}
	if s.Message.HasContent() && s.problem == nil {
		s.problem = fail(Ambiguous, "%s holds a content of its own beside the documents", e.name)
	}
	for i, signer := range s.Message.Signers {
		one := s
		one.Signer, one.index = signer, i
		c.signatures = append(c.signatures, &one)
	}
	return nil
}

func (c *Container) files(m *manifest) []File {
	var out []File
	for _, r := range m.references {
		out = append(out, c.file(r.name, r.mediaType))
	}
	return out
}

// readXAdES reads a signatures*.xml, whose signatures name the documents themselves.
func (c *Container) readXAdES(e *entry) error {
	raw, err := e.bytes()
	if err != nil {
		return err
	}
	all, err := xades.Read(raw, c.lookup)
	if err != nil {
		c.signatures = append(c.signatures, &Signature{File: e.name, Form: XAdES, c: c, problem: err})
		return nil
	}
	for i := range all {
		s := &Signature{File: e.name, Form: XAdES, XML: &all[i], c: c, index: i}
		for _, d := range all[i].Covers {
			if d.File != "" {
				s.Documents = append(s.Documents, c.file(d.File, d.MediaType))
			}
		}
		if all[i].Coverage != xades.CoversFiles {
			s.problem = fail(cms.Malformed, "a signature of %s covers something else than files of the container", e.name)
		}
		c.signatures = append(c.signatures, s)
	}
	return nil
}

// lookup finds a file of the container for package xades, which reads it as often as
// signatures say: within what is left of the container's work.
func (c *Container) lookup(name string) (io.ReaderAt, int64, bool) {
	e := c.archive.byName[name]
	if e == nil || e.folder() {
		return nil, 0, false
	}
	return worked{e.readerAt(), c}, e.size, true
}

// worked reads within the work of a container.
type worked struct {
	r io.ReaderAt
	c *Container
}

// ReadAt reads unpacked octets.
func (w worked) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(b, off)
	if w.c.work -= int64(n); w.c.work < 0 {
		return 0, fail(cms.Limit, "the signatures of the container ask for too much work")
	}
	return n, err
}

// Verify checks the signature: that of its file over the manifest or the
// documents, and every document that it covers. The trust in the certificate is
// not looked at. [cms.Weak] means that all is right, as far as the digests can be
// relied on: see [Signature.Digests].
func (s *Signature) Verify() error {
	if s.problem != nil {
		return s.problem
	}
	if s.Form == XAdES {
		return s.XML.Verify()
	}
	weak := s.Signer.Verify(s.ContentDigest)
	if weak != nil && KindOf(weak) != cms.Weak || s.Manifest == "" {
		return weak
	}
	m, err := s.c.manifestOf(s.File)
	if err != nil {
		return err
	}
	return cmp.Or(s.c.check(m), weak)
}

// Digests gives the digest algorithms of the manifest that a CAdES signature is
// over, each once; nil if there is none.
func (s *Signature) Digests() []crypto.Hash {
	var out []crypto.Hash
	for _, m := range s.c.manifests {
		if m.file != s.Manifest {
			continue
		}
		for _, r := range m.references {
			if !slices.Contains(out, r.hash) {
				out = append(out, r.hash)
			}
		}
	}
	return out
}

// ContentDigest gives the digest of what a CAdES signature is over: the document
// or the manifest.
func (s *Signature) ContentDigest(h crypto.Hash) ([]byte, error) {
	if s.content == "" {
		return nil, fail(cms.Unsupported, "the signature has no content in the container")
	}
	return s.c.digest(s.content, h)
}

// CoversAll reports whether the signature covers every document of the container.
func (s *Signature) CoversAll() bool {
	covered := map[string]bool{}
	for _, d := range s.Documents {
		covered[d.Name] = d.e != nil
	}
	for _, d := range s.c.Documents {
		if !covered[d.Name] {
			return false
		}
	}
	return true
}

// Certificate gives the signer's certificate, nil if it is not in the signature.
func (s *Signature) Certificate() *x509.Certificate {
	switch {
	case s.Signer != nil:
		return s.Signer.Certificate
	case s.XML != nil:
		return s.XML.Certificate
	}
	return nil
}

// SigningTime gives the time the signer claims, zero if there is none.
func (s *Signature) SigningTime() time.Time {
	switch {
	case s.Signer != nil:
		return s.Signer.SigningTime
	case s.XML != nil:
		return s.XML.SigningTime
	}
	return time.Time{}
}

// Evidence gives the certificates and revocation data of the signature and of the
// container's time-stamps over it.
func (s *Signature) Evidence() ades.Evidence {
	var e ades.Evidence
	switch {
	case s.Message != nil:
		e.Add(s.Message.Evidence())
	case s.XML != nil:
		e.Add(s.XML.Evidence())
	}
	for _, t := range s.c.stamps {
		if t.covers(s.File) {
			e.Add(t.evidence())
		}
	}
	return e
}

// Stamps gives the time-stamps in the signature and then those of the container
// over it, oldest first.
func (s *Signature) Stamps() []ades.Stamp {
	var out []ades.Stamp
	switch {
	case s.Signer != nil:
		out = append(out, s.Signer.Stamps(s.ContentDigest)...)
	case s.XML != nil:
		out = append(out, s.XML.Stamps...)
	}
	for _, t := range s.c.stamps {
		if t.covers(s.File) {
			out = append(out, t.Stamp)
		}
	}
	return out
}

// archived reports whether an archive time-stamp of the container covers it.
func (s *Signature) archived() bool {
	for _, t := range s.c.stamps {
		if t.Stamp.Kind == ades.ArchiveStamp && t.covers(s.File) {
			return true
		}
	}
	return false
}

// Missing tells what the baseline tables of CAdES (EN 319 122-1 §6.3) or XAdES (EN
// 319 132-1 §6.3) ask for at a level and the signature lacks, and what is irregular
// in the container. An archive time-stamp of the container is one of B-LTA.
func (s *Signature) Missing(level ades.Level) []string {
	out := append([]string(nil), s.c.Irregular...)
	if level == ades.BLTA && s.archived() {
		level = ades.BLT
	}
	switch {
	case s.Signer != nil:
		return append(out, cades.Missing(s.Message, s.Signer, level)...)
	case s.XML != nil:
		return append(out, s.XML.Missing(level)...)
	}
	return append(out, "a signature that can be read")
}
