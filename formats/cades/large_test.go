package cades_test

import (
	"bytes"
	"io"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/internal/meter"
)

// pattern is a document of any size that takes no memory: a block over and over.
type pattern int64

var block = func() []byte {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}()

func (p pattern) ReadAt(b []byte, off int64) (int, error) {
	want := int(min(int64(len(b)), int64(p)-off))
	for n := 0; n < want; {
		n += copy(b[n:want], block[(off+int64(n))%int64(len(block)):])
	}
	if want < len(b) {
		return want, io.EOF
	}
	return want, nil
}

// folded is a signed file around a pattern, of which only what stands around the
// pattern is held. It is written first and read then.
type folded struct {
	doc        pattern
	head, tail []byte
	from       int64 // where the document starts
}

// fold holds what is written except the octets of the document, which it expects
// in writes of their own.
func fold(t testing.TB, doc pattern, write func(io.Writer) error) *folded {
	t.Helper()
	f := &folded{doc: doc}
	w := &folder{f: f, probe: make([]byte, 64)}
	doc.ReadAt(w.probe, 0)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	return f
}

type folder struct {
	f     *folded
	probe []byte
	seen  int64 // octets of the document
}

func (w *folder) Write(b []byte) (int, error) {
	n := len(b)
	if w.seen == 0 {
		i := bytes.Index(b, w.probe)
		if i < 0 {
			w.f.head = append(w.f.head, b...)
			return n, nil
		}
		w.f.head = append(w.f.head, b[:i]...)
		w.f.from = int64(len(w.f.head))
		b = b[i:]
	}
	k := min(int64(w.f.doc)-w.seen, int64(len(b)))
	w.seen += k
	w.f.tail = append(w.f.tail, b[k:]...)
	return n, nil
}

func (f *folded) size() int64 { return f.from + int64(f.doc) + int64(len(f.tail)) }

func (f *folded) ReadAt(b []byte, off int64) (int, error) {
	total := 0
	for len(b) > 0 && off < f.size() {
		var n int
		switch end := f.from + int64(f.doc); {
		case off < f.from:
			n = copy(b, f.head[off:])
		case off < end:
			n, _ = f.doc.ReadAt(b[:min(int64(len(b)), end-off)], off-f.from)
		default:
			n = copy(b, f.tail[off-end:])
		}
		b, off, total = b[n:], off+int64(n), total+n
	}
	if len(b) > 0 {
		return total, io.EOF
	}
	return total, nil
}

// large signs a document of that size, attached, raises it to B-LTA and verifies it.
func (p *place) large(size int64) {
	p.Helper()
	doc := pattern(size)
	id := p.Signer(p, "p256")
	prepared, err := cades.Prepare(doc, size, p.options(id, false))
	if err != nil {
		p.Fatal(err)
	}
	sig := id.Sign(p, prepared)
	file := fold(p, doc, func(w io.Writer) error { return prepared.Assemble(w, doc, size, sig, nil) })
	s, err := cades.PrepareTimestamp(file, file.size(), ades.Extension{})
	file = p.fold(file, s, err)
	s, err = cades.PrepareArchive(file, file.size(), p.extension(false))
	file = p.fold(file, s, err)
	sd, err := cms.Parse(file, file.size(), cms.Limits{})
	if err != nil {
		p.Fatal(err)
	}
	if sd.ContentSize() != size || cades.Missing(sd, sd.Signers[0], ades.BLTA) != nil {
		p.Fatalf("the content has %d bytes; missing %q", sd.ContentSize(), cades.Missing(sd, sd.Signers[0], ades.BLTA))
	}
	p.checkSignature(sd, sd.Signers[0], sd.ContentDigest())
}

func (p *place) fold(f *folded, s *cades.Stamping, err error) *folded {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, p.tsu.Stamp(p, s.HashAlgorithm(), imprint, p.now))
	}
	return fold(p, f.doc, func(w io.Writer) error { return s.Assemble(w, f, f.size(), tokens) })
}

// A document of 256 MB is signed, raised to B-LTA, read and verified within 32 MB
// of resident memory.
func TestLargeDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MB several times")
	}
	p := at(t)
	p.large(1 << 20) // what is loaded once is loaded now
	if peak, _ := meter.PeakRSS(func() { p.large(256 << 20) }); peak > 32<<20 {
		t.Fatalf("the resident memory grew by %d bytes", peak)
	}
}
