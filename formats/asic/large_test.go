package asic_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms/cmstest"
)

// pattern is a document of any size that takes no memory.
type pattern int64

func (p pattern) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), int64(p)-off))
	for i := range b[:n] {
		b[i] = byte((off + int64(i)) * 31 >> 3)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// A document of 40 MB is signed, read and verified within 24 MB of heap.
func TestLargeDocument(t *testing.T) {
	const size = 40 << 20
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	out, err := os.Create(filepath.Join(t.TempDir(), "large.asice"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	docs := []asic.Document{{Name: "large.bin", Reader: pattern(size), Size: size}}
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		peak := watchHeap()
		p, err := asic.Prepare(docs, options(id, form, asic.Extended))
		if err != nil {
			t.Fatal(err)
		}
		sig, _ := value(t, pki, id, p, false)
		if err := p.Assemble(out, docs, sig, nil); err != nil {
			t.Fatal(err)
		}
		end, err := out.Seek(0, io.SeekCurrent)
		if err != nil {
			t.Fatal(err)
		}
		c, err := asic.Open(out, end)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Signatures()[0].Verify(); err != nil {
			t.Fatal(err)
		}
		if got := peak(); got > 24<<20 {
			t.Fatalf("%s: the heap grew to %d octets", form, got)
		}
	}
}

// watchHeap samples the heap until the function it gives is called, which tells the
// greatest sample.
func watchHeap() func() uint64 {
	runtime.GC()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-stop:
				result <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-result }
}

// A container may have very many documents, in both forms.
func TestManyDocuments(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	var docs []asic.Document
	for i := range 1000 {
		docs = append(docs, document(fmt.Sprintf("fascicolo/%d.txt", i), fmt.Sprint("atto ", i)))
	}
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		file := sign(t, pki, id, docs, options(id, form, asic.Extended))
		c, err := asic.Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Signatures(); len(s) != 1 || len(s[0].Documents) != len(docs) || !s[0].CoversAll() || s[0].Verify() != nil {
			t.Errorf("%s: %d signatures, %v", form, len(s), s[0].Verify())
		}
	}
}

// A time-stamp into which a renewal put lists of millions of octets is still read.
func TestLargeLists(t *testing.T) {
	t.Parallel()
	pki, now := cmstest.New(t), time.Now()
	entries := make([]cmstest.Revoked, 60_000)
	for i := range entries {
		entries[i] = cmstest.Revoked{Certificate: &x509.Certificate{SerialNumber: big.NewInt(1<<40 + int64(i))}, At: now.Add(-time.Hour), Reason: 4}
	}
	file := stampOnly(t, pki, asic.Simple, one)
	for range 2 {
		s, err := asic.PrepareArchive(bytes.NewReader(file), int64(len(file)), ades.Extension{Evidence: pki.Evidence(t, now, entries...)})
		file = stamped(t, pki, s, err, file)
	}
	token := open(t, file).Stamps()[0].Stamp.DER
	if len(token) < 2<<20 {
		t.Fatalf("the renewed time-stamp has %d bytes", len(token))
	}
	check(t, file, "", one)
}
