package cades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
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

// peakRSS gives how much the process's resident memory grew at most while f ran,
// in octets; -1 where the kernel does not tell.
func peakRSS(f func()) int64 {
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		f()
		return -1
	}
	idle := status("VmRSS")
	f()
	return status("VmHWM") - idle
}

func status(field string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		var kib int64
		if name, rest, _ := strings.Cut(line, ":"); name == field {
			fmt.Sscan(rest, &kib)
			return kib << 10
		}
	}
	return -1
}

// A document of 256 MB is signed, raised to B-LTA, read and verified within 32 MB
// of resident memory.
func TestLargeDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MB several times")
	}
	p := at(t)
	p.large(1 << 20) // what is loaded once is loaded now
	if peak := peakRSS(func() { p.large(256 << 20) }); peak > 32<<20 {
		t.Fatalf("the resident memory grew by %d bytes", peak)
	}
}

// BenchmarkStream2GB signs 2 GB detached and verifies it, then attached, raised
// to B-LTA and verified, and reports the memory that takes beside the idle
// process, and the rate of signing compared with hashing alone.
func BenchmarkStream2GB(b *testing.B) {
	const size = 2 << 30
	p := at(b)
	id := p.Signer(b, "p256")
	doc := pattern(size)
	p.large(1 << 20)
	var hashing, signing time.Duration
	var peak int64
	for b.Loop() {
		start := time.Now()
		d := sha256.New()
		if _, err := io.CopyBuffer(d, io.NewSectionReader(doc, 0, size), make([]byte, 64<<10)); err != nil {
			b.Fatal(err)
		}
		hashing += time.Since(start)
		peak = max(peak, peakRSS(func() {
			start := time.Now()
			prepared, err := cades.Prepare(doc, size, p.options(id, true))
			p7s := p.finish(id, prepared, err, nil)
			signing += time.Since(start)
			sd, err := cms.ParseBytes(p7s, cms.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			if err := sd.Signers[0].Verify(func(crypto.Hash) ([]byte, error) { return d.Sum(nil), nil }); err != nil {
				b.Fatal(err)
			}
			p.large(size)
		}))
	}
	b.ReportMetric(float64(peak)/(1<<20), "MB-over-idle")
	b.ReportMetric(float64(b.N)*size/signing.Seconds()/1e6, "MB/s-signing")
	b.ReportMetric(float64(b.N)*size/hashing.Seconds()/1e6, "MB/s-hashing")
}

// BenchmarkCAdES reports how many times longer a B-B signature of 1 MB takes than
// the digest of the data and the bare signature. Both take turns in one loop and
// the fastest tenths are compared: the others have other load on the machine in
// them.
func BenchmarkCAdES(b *testing.B) {
	for _, key := range []string{"p256", "rsa2048"} {
		for _, detached := range []bool{false, true} {
			b.Run(key+map[bool]string{false: "/attached", true: "/detached"}[detached], func(b *testing.B) {
				benchmarkCAdES(b, key, detached)
			})
		}
	}
}

func benchmarkCAdES(b *testing.B, key string, detached bool) {
	p := at(b)
	id := p.Signer(b, key)
	o := p.options(id, detached)
	doc := bytes.NewReader(block)
	var out bytes.Buffer
	out.Grow(len(block) + 16<<10)
	var whole, floor []time.Duration
	for b.Loop() {
		out.Reset()
		start := time.Now()
		prepared, err := cades.Prepare(doc, int64(len(block)), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := prepared.Assemble(&out, doc, int64(len(block)), id.Sign(b, prepared), nil); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		digest := sha256.Sum256(block)
		if _, err := id.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
		whole, floor = append(whole, middle.Sub(start)), append(floor, time.Since(middle))
	}
	slices.Sort(whole)
	slices.Sort(floor)
	w, f := whole[len(whole)/10], floor[len(floor)/10]
	b.ReportMetric(float64(w), "ns/signature")
	b.ReportMetric(float64(f), "ns/floor")
	b.ReportMetric(float64(w)/float64(f), "x-floor")
}
