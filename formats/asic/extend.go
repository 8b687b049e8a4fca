package asic

import (
	"bytes"
	"crypto"
	"io"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/xades"
)

// Stamping is a container that waits for time-stamps. It may be stored as JSON; it
// holds files of META-INF and no document.
type Stamping struct {
	Size     int64             `json:"size"`
	SHA256   []byte            `json:"sha256"` // of the container
	Hash     string            `json:"hash"`
	Modified uint32            `json:"modified"`
	Inner    []innerStamping   `json:"inner,omitempty"`
	Files    []Written         `json:"files,omitempty"` // to be put in
	Rename   map[string]string `json:"rename,omitempty"`
	Token    string            `json:"token,omitempty"` // the file of the container's own time-stamp
	Imprint  []byte            `json:"imprint,omitempty"`
	MaxToken int               `json:"maxToken,omitempty"`
	// Of a new container with a time-stamp only.
	Type      Type      `json:"type,omitempty"`
	Comment   bool      `json:"comment,omitempty"`
	Documents []Prepaid `json:"documents,omitempty"`
}

// innerStamping is a signature file that waits for time-stamps.
type innerStamping struct {
	File  string          `json:"file"`
	CAdES *cades.Stamping `json:"cades,omitempty"`
	XAdES *xades.Stamping `json:"xades,omitempty"`
}

// stampingForm is what those of both forms have in common.
type stampingForm interface {
	Imprints() [][]byte
	Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error
}

func (i innerStamping) form() stampingForm {
	if i.XAdES != nil {
		return i.XAdES
	}
	return i.CAdES
}

// HashAlgorithm gives the digest algorithm of the imprints.
func (s *Stamping) HashAlgorithm() crypto.Hash { return cms.HashByName(s.Hash) }

// Imprints gives the digests to be stamped: one token is needed for each.
func (s *Stamping) Imprints() [][]byte {
	var out [][]byte
	for _, i := range s.Inner {
		out = append(out, i.form().Imprints()...)
	}
	if s.Token != "" {
		out = append(out, s.Imprint)
	}
	return out
}

// raising is what the extensions have in common.
type raising struct {
	c      *Container
	e      ades.Extension
	chosen map[string][]int // by file: the indexes within it
	order  []string
}

// raise reads a container whose signatures are to be raised. What an archive
// time-stamp of the container covers may not change.
func raise(container io.ReaderAt, size int64, e ades.Extension) (*raising, *Stamping, error) {
	c, err := Open(container, size)
	if err != nil {
		return nil, nil, err
	}
	if e.Hash == 0 {
		e.Hash = crypto.SHA256
	}
	if digestURIs[e.Hash] == "" || e.Hash == crypto.SHA1 {
		return nil, nil, fail(cms.BadOptions, "time-stamps are made over SHA-256, SHA-384 or SHA-512")
	}
	r := &raising{c: c, e: e, chosen: map[string][]int{}}
	for _, i := range e.Signatures {
		if i < 0 || i >= len(c.signatures) {
			return nil, nil, fail(cms.BadOptions, "the container has %d signatures, there is none with index %d", len(c.signatures), i)
		}
	}
	for i, s := range c.signatures {
		if e.Signatures != nil && !slices.Contains(e.Signatures, i) {
			continue
		}
		if s.problem != nil {
			return nil, nil, s.problem
		}
		if r.chosen[s.File] == nil {
			r.order = append(r.order, s.File)
		}
		r.chosen[s.File] = append(r.chosen[s.File], s.index)
	}
	out := &Stamping{Size: size, Hash: e.Hash.String(), MaxToken: e.TokenSize}
	for _, entry := range c.archive.entries {
		out.Modified = max(out.Modified, entry.modified)
	}
	out.SHA256, err = fingerprint(container, size)
	return r, out, err
}

// extension gives what a signature file needs: its own indexes and its content.
func (r *raising) extension(file string) ades.Extension {
	e := r.e
	e.Signatures, e.Content, e.ContentSize = r.chosen[file], nil, 0
	for _, s := range r.c.signatures {
		if s.File == file && s.content != "" {
			content := r.c.archive.byName[s.content]
			e.Content, e.ContentSize = content.readerAt(), content.size
		}
	}
	return e
}

// locked reports whether a time-stamp of the container covers a file.
func (r *raising) locked(file string) bool {
	return slices.ContainsFunc(r.c.stamps, func(t *ContainerStamp) bool { return t.covers(file) })
}

func (r *raising) free(file string) error {
	if r.locked(file) {
		return fail(cms.Unsupported, "an archive time-stamp of the container covers %s: it cannot be raised below level B-LTA any more", file)
	}
	return nil
}

// unless leaves out signatures, of those that were not named one by one.
func (r *raising) unless(not func(*Signature) bool) {
	if r.e.Signatures != nil {
		return
	}
	r.chosen, r.order = map[string][]int{}, nil
	for _, s := range r.c.signatures {
		if not(s) {
			continue
		}
		if r.chosen[s.File] == nil {
			r.order = append(r.order, s.File)
		}
		r.chosen[s.File] = append(r.chosen[s.File], s.index)
	}
}

func (s *Signature) stamped() bool {
	return slices.ContainsFunc(s.Stamps(), func(t ades.Stamp) bool { return t.Kind == ades.SignatureStamp })
}

// PrepareTimestamp raises signatures to level B-T: a time-stamp over each value, in
// the signature files. Where e names none, those that have one are left as they
// are. e.Content is not used: the container has it.
func PrepareTimestamp(container io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	r, s, err := raise(container, size, e)
	if err != nil {
		return nil, err
	}
	r.unless((*Signature).stamped)
	for _, file := range r.order {
		if err := r.free(file); err != nil {
			return nil, err
		}
		raw, err := r.c.archive.byName[file].bytes()
		if err != nil {
			return nil, err
		}
		i := innerStamping{File: file}
		if isCAdES(file) {
			i.CAdES, err = cades.PrepareTimestamp(bytes.NewReader(raw), int64(len(raw)), r.extension(file))
		} else {
			i.XAdES, err = xades.PrepareTimestamp(bytes.NewReader(raw), int64(len(raw)), r.extension(file))
		}
		if err != nil {
			return nil, err
		}
		s.Inner = append(s.Inner, i)
	}
	return s, s.some()
}

func (s *Stamping) some() error {
	if len(s.Imprints()) == 0 {
		return fail(cms.BadOptions, "the container has no signature that could be raised")
	}
	return nil
}

// AddEvidence raises signatures to level B-LT: certificates and revocation data are
// put into the signature files. Where e names none, those under an archive time-stamp
// of the container are left as they are; without signatures, the evidence goes into
// the newest time-stamp.
func AddEvidence(w io.Writer, container io.ReaderAt, size int64, e ades.Extension) error {
	r, s, err := raise(container, size, e)
	if err != nil {
		return err
	}
	r.unless(func(s *Signature) bool { return r.locked(s.File) })
	if len(r.order) == 0 {
		if err := r.renewToken(s); err != nil {
			return err
		}
	}
	for _, file := range r.order {
		if err := r.free(file); err != nil {
			return err
		}
		if err := r.addEvidence(s, file); err != nil {
			return err
		}
	}
	return r.c.archive.rewrite(w, s.Files, nil, s.Modified)
}

func (r *raising) addEvidence(s *Stamping, file string) error {
	raw, err := r.c.archive.byName[file].bytes()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if isCAdES(file) {
		err = cades.AddEvidence(&out, bytes.NewReader(raw), int64(len(raw)), r.extension(file))
	} else {
		err = xades.AddEvidence(&out, bytes.NewReader(raw), int64(len(raw)), r.extension(file))
	}
	if err != nil {
		return err
	}
	s.Files = append(s.Files, Written{file, out.Bytes()})
	return nil
}

// PrepareArchive raises signatures to level B-LTA, or renews them: e.Evidence is put
// in, then comes a time-stamp over all. In XAdES signatures and in the CAdES
// signatures of an ASiC-S that is theirs; in an ASiC-E with CAdES, and where there
// are time-stamps and no signatures, it is one of the container, over an
// ASiCArchiveManifest that names all files (EN 319 162-1 §4.4.4).
func PrepareArchive(container io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	r, s, err := raise(container, size, e)
	if err != nil {
		return nil, err
	}
	own := len(r.c.stamps) > 0
	for _, file := range r.order {
		own = own || isCAdES(file) && r.c.Type == Extended
	}
	if own {
		return s, r.archive(s)
	}
	for _, file := range r.order {
		raw, err := r.c.archive.byName[file].bytes()
		if err != nil {
			return nil, err
		}
		i := innerStamping{File: file}
		if isCAdES(file) {
			i.CAdES, err = cades.PrepareArchive(bytes.NewReader(raw), int64(len(raw)), r.extension(file))
		} else {
			i.XAdES, err = xades.PrepareArchiveFiles(bytes.NewReader(raw), int64(len(raw)), r.extension(file), r.c.lookup)
		}
		if err != nil {
			return nil, err
		}
		s.Inner = append(s.Inner, i)
	}
	return s, s.some()
}

// archive prepares the container's own archive time-stamp. The evidence goes into
// the signatures that no time-stamp covers yet, and into the newest token; the
// newest manifest gets a number, and the new one its name.
func (r *raising) archive(s *Stamping) error {
	a := r.c.archive
	for _, file := range r.order {
		if !r.locked(file) {
			if err := r.addEvidence(s, file); err != nil {
				return err
			}
		}
	}
	if err := r.renewToken(s); err != nil {
		return err
	}
	root := ""
	if a.byName[archiveManifest] != nil {
		root = a.free("ASiCArchiveManifest", ".xml")
		s.Rename = map[string]string{archiveManifest: root}
	}
	s.Token = a.free("timestamp", ".tst")
	m, err := r.everything(s, root)
	if err != nil {
		return err
	}
	m.signature = s.Token
	content := m.write("application/vnd.etsi.timestamp-token")
	s.Files = append(s.Files, Written{archiveManifest, content})
	s.Imprint = digestOf(r.e.Hash, content)
	return nil
}

// renewToken puts the evidence into the newest time-stamp that is not covered yet.
func (r *raising) renewToken(s *Stamping) error {
	for _, t := range r.c.stamps {
		if r.locked(t.File) || r.e.Evidence.Empty() {
			continue
		}
		if t.token == nil {
			return fail(cms.Malformed, "%s is not a time-stamp token", t.File)
		}
		with, err := t.token.Add(cms.Additions{Evidence: r.e.Evidence})
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := with.Write(&out); err != nil {
			return err
		}
		s.Files = append(s.Files, Written{t.File, out.Bytes()})
	}
	return nil
}

// everything names all files of the container as they will be, but for the mimetype
// and for what means nothing to ASiC.
func (r *raising) everything(s *Stamping, root string) (*manifest, error) {
	m := &manifest{}
	for _, e := range r.c.archive.entries {
		if !isDocument(e.name) && !isCAdES(e.name) && !isXAdES(e.name) && !isStamp(e.name) && !isManifest(e.name) && !isArchiveManifest(e.name) {
			continue
		}
		ref := reference{name: e.name, hash: r.e.Hash, mediaType: r.mediaTypeOf(e.name)}
		if e.name == archiveManifest {
			ref.name, ref.root = root, true
		}
		if i := slices.IndexFunc(s.Files, func(f Written) bool { return f.Name == e.name }); i >= 0 {
			ref.digest = digestOf(r.e.Hash, s.Files[i].Content)
		} else {
			sum, err := r.c.digest(e.name, r.e.Hash)
			if err != nil {
				return nil, err
			}
			ref.digest = sum
		}
		m.references = append(m.references, ref)
	}
	return m, nil
}

func (r *raising) mediaTypeOf(name string) string {
	switch {
	case isCAdES(name):
		return "application/pkcs7-signature"
	case isStamp(name):
		return "application/vnd.etsi.timestamp-token"
	case !isDocument(name):
		return "text/xml"
	}
	for _, d := range r.c.Documents {
		if d.Name == name {
			return d.MediaType
		}
	}
	return ""
}

// Assemble writes the container with the tokens in it, one for each imprint. All
// documents stay as they are packed.
func (s *Stamping) Assemble(w io.Writer, container io.ReaderAt, size int64, tokens [][]byte) error {
	if s.Documents != nil {
		return fail(cms.BadOptions, "this is a new container: it is made of its documents, by AssembleNew")
	}
	if err := s.checkTokens(tokens); err != nil {
		return err
	}
	if err := same(container, size, s.Size, s.SHA256); err != nil {
		return err
	}
	a, err := readArchive(container, size)
	if err != nil {
		return err
	}
	files := slices.Clone(s.Files)
	for _, i := range s.Inner {
		e := a.byName[i.File]
		if e == nil {
			return fail(cms.Mismatch, "the container has no file %q", i.File)
		}
		raw, err := e.bytes()
		if err != nil {
			return err
		}
		n := len(i.form().Imprints())
		var out bytes.Buffer
		if err := i.form().Assemble(&out, bytes.NewReader(raw), int64(len(raw)), tokens[:n]); err != nil {
			return err
		}
		files, tokens = append(files, Written{i.File, out.Bytes()}), tokens[n:]
	}
	if s.Token != "" {
		files = append(files, Written{s.Token, tokens[0]})
	}
	return a.rewrite(w, files, s.Rename, s.Modified)
}

// checkTokens holds the tokens to the imprints.
func (s *Stamping) checkTokens(tokens [][]byte) error {
	imprints := s.Imprints()
	if len(tokens) != len(imprints) {
		return fail(cms.BadOptions, "%d time-stamps are needed, %d were given", len(imprints), len(tokens))
	}
	for i, raw := range tokens {
		if s.MaxToken > 0 && len(raw) > s.MaxToken {
			return fail(cms.BadOptions, "the time-stamp has %d octets; at most %d were announced", len(raw), s.MaxToken)
		}
		t, err := cms.ParseToken(raw)
		if err != nil {
			return err
		}
		if t.Info.Hash != s.HashAlgorithm() || !bytes.Equal(t.Info.Imprint, imprints[i]) {
			return fail(cms.Mismatch, "the time-stamp number %d is over other data", i)
		}
	}
	return nil
}
