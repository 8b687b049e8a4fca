package xades

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"sync"

	"sigillo/formats/c14n"
)

// plan finds what a signature with these options covers and where it goes.
func plan(doc io.ReaderAt, size int64, o Options) (*Prepared, []part, error) {
	switch o.Packaging {
	case "", Enveloped, InternallyDetached:
		return inside(doc, size, o)
	case Enveloping:
		return enveloping(doc, size, o)
	case EnvelopingXML:
		return envelopingXML(doc, size, o)
	case Detached:
		return detached([]Object{{Name: o.Name, MediaType: o.MediaType, Content: doc, Size: size}}, o)
	}
	return nil, nil, fail(BadOptions, "the packaging %q is not known", o.Packaging)
}

// source is a document as it was read.
type source struct {
	text   string
	sha256 []byte
}

// parse reads a document into memory, once: the tree holds the text that is
// given with it.
func parse(doc io.ReaderAt, size int64) (*c14n.Document, source, error) {
	if size > int64(c14n.DefaultLimits.Size) {
		return nil, source{}, fail(Limit, "the document has %d bytes, more than the %d that can be signed as XML", size, c14n.DefaultLimits.Size)
	}
	var text strings.Builder
	text.Grow(int(max(size, 0)))
	sum := sha256.New()
	if n, err := copyPart(io.MultiWriter(sum, &text), doc, 0, size); err != nil || n != size {
		return nil, source{}, &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	src := source{text.String(), sum.Sum(nil)}
	tree, err := c14n.ParseLimits(src.text, c14n.DefaultLimits)
	if err != nil {
		return nil, source{}, fromXML(err)
	}
	return tree, src, nil
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyPart copies n bytes of a document from an offset on.
func copyPart(w io.Writer, doc io.ReaderAt, off, n int64) (int64, error) {
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(w, io.NewSectionReader(doc, off, n), buffer[:])
}

// canonicalPart writes the canonical form of n without comments. All
// signatures are left out when asked for; the one to come is not there yet.
func canonicalPart(n *c14n.Node, a c14n.Algorithm, withoutSignatures bool) func(io.Writer) error {
	o := c14n.Options{}
	if withoutSignatures {
		o.Exclude = isSignature
	}
	return func(w io.Writer) error {
		if err := c14n.Canonicalize(w, n, a, o); err != nil {
			return fromXML(err)
		}
		return nil
	}
}

func isSignature(n *c14n.Node) bool { return n.Is(dsNamespace, "Signature") }

// inside plans a signature within the document it signs.
func inside(doc io.ReaderAt, size int64, o Options) (*Prepared, []part, error) {
	tree, src, err := parse(doc, size)
	if err != nil {
		return nil, nil, err
	}
	d := newDocument(tree, nil)
	target, host, uri := tree.Node, tree.Root, ""
	if o.Element != "" {
		if target = d.ids[o.Element]; target == nil {
			return nil, nil, fail(BadOptions, "no element of the document, or more than one, has the Id %q", o.Element)
		}
		uri = "#" + o.Element
		if o.Packaging != InternallyDetached {
			host = target
		} else if target == tree.Root {
			return nil, nil, fail(BadOptions, "the document element cannot stand beside its signature")
		}
	}
	if inSignature(target) || isSignature(host) {
		return nil, nil, fail(BadOptions, "a part of a signature cannot be signed so; add a counter-signature instead")
	}
	if err := d.allows(host.CloseStart, true); err != nil {
		return nil, nil, err
	}
	p := &Prepared{Size: size, SHA256: src.sha256, Encoding: tree.Encoding(), ID: identifier(src.sha256, o)}
	p.into(host)
	transforms := transformXML(envelopedTransform)
	switch {
	case o.Parallel:
		transforms = `<ds:Transform Algorithm="` + filter2Transform + `"><filter2:XPath xmlns:filter2="` + filter2Transform + `" Filter="subtract">/descendant::ds:Signature</filter2:XPath></ds:Transform>`
	case o.Packaging == InternallyDetached:
		transforms = ""
	}
	media := o.MediaType
	if media == "" {
		media = "text/xml"
	}
	return p, []part{{uri: uri, transforms: transforms + transformXML(string(c14n.C14N10)), media: media,
		write: canonicalPart(target, c14n.C14N10, o.Parallel)}}, nil
}

// inSignature reports whether n is in a Signature or is one.
func inSignature(n *c14n.Node) bool {
	for ; n != nil; n = n.Parent {
		if isSignature(n) {
			return true
		}
	}
	return false
}

// into lets the signature become the last child of an element.
func (p *Prepared) into(host *c14n.Node) {
	p.At = int64(host.CloseStart)
	if host.Empty {
		p.Skip, p.Name = int64(host.End-host.CloseStart), qualified(host)
	}
}

func qualified(n *c14n.Node) string {
	if n.Prefix != "" {
		return n.Prefix + ":" + n.Local
	}
	return n.Local
}

const xmlDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

// enveloping plans a signature with any document inside.
func enveloping(doc io.ReaderAt, size int64, o Options) (*Prepared, []part, error) {
	if size/3*4 > int64(c14n.DefaultLimits.Size)-1<<20 {
		return nil, nil, fail(Limit, "a document of %d bytes is too large to stand inside an XML signature; sign it detached or as CAdES (.p7m)", size)
	}
	sum := sha256.New()
	if _, err := copyPart(sum, doc, 0, size); err != nil {
		return nil, nil, &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	p := &Prepared{Size: size, SHA256: sum.Sum(nil), Before: xmlDeclaration}
	p.ID = identifier(p.SHA256, o)
	media := o.MediaType
	if media == "" {
		media = "application/octet-stream"
	}
	return p, []part{{uri: "#" + p.objectID(), kind: objectType, transforms: transformXML(base64Transform), media: media,
		write: content(doc, size)}}, nil
}

func content(doc io.ReaderAt, size int64) func(io.Writer) error {
	return func(w io.Writer) error {
		if n, err := copyPart(w, doc, 0, size); err != nil || n != size {
			return &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
		}
		return nil
	}
}

func (p *Prepared) objectID() string { return p.ID + "-object" }

// envelopingXML plans a signature with the document element of an XML document
// inside, in its canonical form, which is the same element in UTF-8. Comments
// beside it are lost, as they are to any signature of the whole document.
func envelopingXML(doc io.ReaderAt, size int64, o Options) (*Prepared, []part, error) {
	tree, src, err := parse(doc, size)
	if err != nil {
		return nil, nil, err
	}
	if !rootIsAll(tree) {
		return nil, nil, fail(Unsupported, "the document has processing instructions beside its element, which would be lost; put it into the signature as base64")
	}
	p := &Prepared{Size: size, SHA256: src.sha256, Before: xmlDeclaration}
	p.ID = identifier(p.SHA256, o)
	var inner bytes.Buffer
	if err := canonicalPart(tree.Root, c14n.C14N10WithComments, false)(&inner); err != nil {
		return nil, nil, err
	}
	whole, err := c14n.Parse([]byte(openSignature(p.ID) + `<ds:Object Id="` + p.objectID() + `">` + inner.String() + "</ds:Object>" + closeSignature))
	if err != nil {
		return nil, nil, fromXML(err)
	}
	media := o.MediaType
	if media == "" {
		media = "text/xml"
	}
	return p, []part{{uri: "#" + p.objectID(), kind: objectType, transforms: transformXML(string(c14n.Exclusive)), media: media,
		write: canonicalPart(whole.Root.Elements()[0], c14n.Exclusive, false)}}, nil
}

// detached plans a signature beside the files it signs.
func detached(objects []Object, o Options) (*Prepared, []part, error) {
	if len(objects) == 0 || len(objects) > maxFiles {
		return nil, nil, fail(BadOptions, "a detached signature is over 1 to %d files, not %d", maxFiles, len(objects))
	}
	if o.Certificate == nil {
		return nil, nil, fail(BadOptions, "a certificate is required")
	}
	var parts []part
	all := sha256.New()
	seen := map[string]bool{}
	for _, object := range objects {
		t := part{uri: fileURI(object.Name), media: object.MediaType, digest: object.Digest}
		if object.Name == "" || seen[t.uri] {
			return nil, nil, fail(BadOptions, "each file of a detached signature needs a name of its own, not %q", object.Name)
		}
		seen[t.uri] = true
		if t.media == "" {
			t.media = "application/octet-stream"
		}
		if object.Content != nil {
			t.write = content(object.Content, object.Size)
		}
		switch {
		case t.digest == nil && t.write == nil, t.digest != nil && len(t.digest) != o.hash().Size():
			return nil, nil, fail(BadOptions, "the file %q has neither content nor a %s digest", object.Name, o.hash())
		case t.digest == nil:
			h := o.hash().New()
			if err := t.write(h); err != nil {
				return nil, nil, err
			}
			t.digest = h.Sum(nil)
		}
		all.Write([]byte(t.uri + "\n"))
		all.Write(t.digest)
		parts = append(parts, t)
	}
	p := &Prepared{Before: xmlDeclaration, ID: identifier(all.Sum(nil), o)}
	if o.ASiC {
		p.Before += `<asic:XAdESSignatures xmlns:asic="` + asicNamespace + `">`
		p.After = `</asic:XAdESSignatures>`
	}
	return p, parts, nil
}
