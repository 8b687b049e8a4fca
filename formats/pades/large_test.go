package pades_test

import (
	"bufio"
	"crypto"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
)

// writeLarge writes a PDF of images of noise, one megabyte each, one a page, and returns its size.
func writeLarge(t testing.TB, path string, megabytes int) int64 {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	size := int64(0)
	var at []int64
	put := func(format string, args ...any) {
		n, err := fmt.Fprintf(w, format, args...)
		if err != nil {
			t.Fatal(err)
		}
		size += int64(n)
	}
	object := func(text string) {
		at = append(at, size)
		put("%d 0 obj\n%s\nendobj\n", len(at), text)
	}
	put("%%PDF-1.7\n")
	kids := ""
	for i := range megabytes {
		kids += fmt.Sprintf("%d 0 R ", 3+2*i)
	}
	object("<</Type/Catalog/Pages 2 0 R>>")
	object(fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", megabytes, kids))
	noise := rand.NewChaCha8([32]byte{1})
	for i := range megabytes {
		object(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 512 512]/Resources<</XObject<</I %d 0 R>>>>>>", 4+2*i))
		at = append(at, size)
		put("%d 0 obj\n<</Type/XObject/Subtype/Image/Width 1024/Height 1024/BitsPerComponent 8/ColorSpace/DeviceGray/Length %d>>\nstream\n", len(at), 1<<20)
		if _, err := io.CopyN(w, noise, 1<<20); err != nil {
			t.Fatal(err)
		}
		size += 1 << 20
		put("\nendstream\nendobj\n")
	}
	xref := size
	put("xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, off := range at {
		put("%010d 00000 n \n", off)
	}
	put("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return size
}

// signFile signs from file to file and reads the signature back.
func signFile(t testing.TB, in, out string, size int64, id *cmstest.Identity) {
	t.Helper()
	doc, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	p, err := pades.Prepare(doc, size, pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: when})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer signed.Close()
	if err := p.Assemble(signed, doc, size, id.Sign(t, p.CMS), nil); err != nil {
		t.Fatal(err)
	}
	list, err := pades.Signatures(signed, p.SignedSize())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d signatures, %v", len(list), err)
	}
	verify(t, &list[0])
}

// archiveFile raises a signed file to level B-LTA, from file to file, and reads it back.
func archiveFile(t testing.TB, in, out string, tsu *cmstest.Identity, e ades.Evidence) {
	t.Helper()
	doc, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	info, err := doc.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pades.PrepareArchive(doc, info.Size(), ades.Extension{Evidence: e, TokenSize: tokenRoom})
	if err != nil {
		t.Fatal(err)
	}
	stamped, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer stamped.Close()
	if err := s.Assemble(stamped, doc, info.Size(), [][]byte{tsu.Stamp(t, crypto.SHA256, s.Imprint, when)}); err != nil {
		t.Fatal(err)
	}
	d, err := pades.Open(stamped, s.StampedSize(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range d.Signatures() {
		if err := sig.Verify(); err != nil {
			t.Error(err)
		}
	}
}

// watchHeap samples the heap until the returned function is called, which gives the peak in bytes.
func watchHeap() func() uint64 {
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return peak.Load()
	}
}

// TestLargeDocumentMemory is not parallel, so that no other test's heap is measured.
func TestLargeDocumentMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 300 MB; not with -short")
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "large.pdf")
	size := writeLarge(t, in, 100)
	pki := cmstest.New(t)
	id, tsu, e := pki.Signer(t, "p256"), pki.TSU(t, "p256"), pki.Evidence(t, when)
	signed := filepath.Join(dir, "signed.pdf")
	runtime.GC()
	peak := watchHeap()
	signFile(t, in, signed, size, id)
	archiveFile(t, signed, filepath.Join(dir, "archived.pdf"), tsu, e)
	if p := peak(); p > 48<<20 {
		t.Errorf("the heap reached %d MB for a document of %d MB", p>>20, size>>20)
	} else {
		t.Logf("heap %d KB for a document of %d MB", p>>10, size>>20)
	}
}

func benchmarkSign(b *testing.B, megabytes int, keyType string) {
	dir := b.TempDir()
	in := filepath.Join(dir, "in.pdf")
	size := writeLarge(b, in, megabytes)
	id := cmstest.New(b).Signer(b, keyType)
	b.SetBytes(size)
	b.ReportAllocs()
	peak := watchHeap()
	for b.Loop() {
		signFile(b, in, filepath.Join(dir, "out.pdf"), size, id)
	}
	b.ReportMetric(float64(peak())/(1<<20), "heap-MB")
}

func BenchmarkSign1MB(b *testing.B)   { benchmarkSign(b, 1, "p256") }
func BenchmarkSign100MB(b *testing.B) { benchmarkSign(b, 100, "p256") }
