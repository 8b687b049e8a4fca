package asic

import (
	"bytes"
	"crypto"
	"io"

	"sigillo/formats/cms"
)

// inner is what prepared signatures of both forms have in common.
type inner interface {
	DTBS() []byte
	DTBSR() []byte
	HashAlgorithm() crypto.Hash
	Algorithm() cms.Algorithm
	StampDigest(signature []byte, h crypto.Hash) ([]byte, error)
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

func (p *Prepared) inner() inner {
	if p.XAdES != nil {
		return p.XAdES
	}
	if p.CAdES != nil {
		return p.CAdES
	}
	return nil
}

// DTBS gives the data to be signed; nil if nothing was prepared.
func (p *Prepared) DTBS() []byte {
	if i := p.inner(); i != nil {
		return i.DTBS()
	}
	return nil
}

// DTBSR gives the digest of the data to be signed.
func (p *Prepared) DTBSR() []byte {
	if i := p.inner(); i != nil {
		return i.DTBSR()
	}
	return nil
}

// HashAlgorithm gives the digest algorithm of DTBSR.
func (p *Prepared) HashAlgorithm() crypto.Hash {
	if i := p.inner(); i != nil {
		return i.HashAlgorithm()
	}
	return 0
}

// Algorithm tells how the key must sign: [cms.Algorithm.Input] of DTBS.
func (p *Prepared) Algorithm() cms.Algorithm {
	if i := p.inner(); i != nil {
		return i.Algorithm()
	}
	return cms.Algorithm{}
}

// StampDigest gives the imprint of the signature time-stamp.
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	if i := p.inner(); i != nil {
		return i.StampDigest(signature, h)
	}
	return nil, fail(cms.BadOptions, "nothing was prepared")
}

// Assemble writes a new container. docs are those that were prepared, in their
// order. signature is the value as crypto.Signer returns it, token the time-stamp
// over it for B-T and nil for B-B. If a document has changed since it was prepared
// an error comes and what was written must be thrown away.
func (p *Prepared) Assemble(w io.Writer, docs []Document, signature, token []byte) error {
	if p.Size != 0 || p.inner() == nil {
		return fail(cms.BadOptions, "the signature was not prepared for a new container")
	}
	var file bytes.Buffer
	if err := p.inner().Assemble(&file, nil, 0, signature, token); err != nil {
		return err
	}
	meta := append(p.Extra[:len(p.Extra):len(p.Extra)], Written{p.File, file.Bytes()})
	return create(w, p.Type, p.Comment, p.Modified, docs, p.Documents, cms.HashByName(p.Hash), meta)
}

// create writes a new container: the mimetype, the documents, then META-INF.
func create(w io.Writer, typ Type, comment bool, modified uint32, docs []Document, want []Prepaid, h crypto.Hash, meta []Written) error {
	if len(docs) != len(want) || !h.Available() {
		return fail(cms.Mismatch, "%d documents were prepared, %d are given", len(want), len(docs))
	}
	m := &maker{w: w}
	m.file(mimetypeName, []byte(typ.mediaType()), modified)
	for i, d := range docs {
		if d.Name != want[i].Name || d.Size != want[i].Size {
			return fail(cms.Mismatch, "the document %q is not the one that was prepared", d.Name)
		}
		sum := h.New()
		if err := m.document(d, modified, sum); err != nil {
			return err
		}
		if !bytes.Equal(sum.Sum(nil), want[i].Digest) {
			return fail(cms.Mismatch, "the document %q was changed after it was prepared", d.Name)
		}
	}
	for _, f := range meta {
		m.file(f.Name, f.Content, modified)
	}
	text := ""
	if comment {
		text = "mimetype=" + typ.mediaType()
	}
	return m.close(text)
}

// AssembleAdded writes an existing container with the further signature that was
// prepared for it. All other files in it stay as they are.
func (p *Prepared) AssembleAdded(w io.Writer, container io.ReaderAt, size int64, signature, token []byte) error {
	if p.Size == 0 || p.inner() == nil {
		return fail(cms.BadOptions, "the signature was prepared for a new container")
	}
	if err := same(container, size, p.Size, p.SHA256); err != nil {
		return err
	}
	a, err := readArchive(container, size)
	if err != nil {
		return err
	}
	var existing []byte
	if p.Parallel {
		e := a.byName[p.File]
		if e == nil {
			return fail(cms.Mismatch, "the container has no file %q", p.File)
		}
		if existing, err = e.bytes(); err != nil {
			return err
		}
	}
	var file bytes.Buffer
	if err := p.inner().Assemble(&file, bytes.NewReader(existing), int64(len(existing)), signature, token); err != nil {
		return err
	}
	content := file.Bytes()
	if p.Parallel && p.Form == XAdES {
		if content, err = mergeXML(existing, content); err != nil {
			return err
		}
	}
	return a.rewrite(w, append(p.Extra[:len(p.Extra):len(p.Extra)], Written{p.File, content}), nil, p.Modified)
}

// rewrite writes a container with files of META-INF replaced, added or renamed.
// What stays is copied as it is packed.
func (a *archive) rewrite(w io.Writer, files []Written, rename map[string]string, modified uint32) error {
	replaced := map[string][]byte{}
	for _, f := range files {
		replaced[f.Name] = f.Content
	}
	m := &maker{w: w}
	done := map[string]bool{}
	for _, e := range a.entries {
		name := e.name
		if to, ok := rename[name]; ok {
			name = to
		}
		if content, ok := replaced[name]; ok {
			m.file(name, content, modified)
			done[name] = true
		} else if err := m.copy(e, name); err != nil {
			return err
		}
	}
	for _, f := range files {
		if !done[f.Name] {
			m.file(f.Name, f.Content, modified)
		}
	}
	return m.close(a.comment)
}
