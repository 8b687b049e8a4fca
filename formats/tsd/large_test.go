package tsd_test

import (
	"bytes"
	"crypto"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/internal/meter"
	"sigillo/formats/tsd"
)

// block is a part of a document that takes no memory.
var block = bytes.Repeat([]byte("sedici ottetti.\n"), 1<<12)

type repeated int64

func (r *repeated) Read(b []byte) (int, error) {
	if *r == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), int64(*r))], block)
	*r -= repeated(n)
	return n, nil
}

// large puts a document of that size into an envelope, renews it and reads it.
func large(t *testing.T, tsu *cmstest.Identity, size int64) {
	dir := t.TempDir()
	file := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	document := func() io.Reader { r := repeated(size); return &r }
	p, err := tsd.Prepare(document(), tsd.Options{Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "grande", Protected: true}})
	if err != nil {
		t.Fatal(err)
	}
	first, second := file("1.tsd"), file("2.tsd")
	if err := p.Assemble(first, document(), tsu.Stamp(t, crypto.SHA256, p.Imprint, start)); err != nil {
		t.Fatal(err)
	}
	st, err := first.Stat()
	if err != nil {
		t.Fatal(err)
	}
	d, err := tsd.Parse(first, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Renew(crypto.SHA256, ades.Evidence{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assemble(second, tsu.Stamp(t, crypto.SHA256, r.Imprint, start)); err != nil {
		t.Fatal(err)
	}
	if st, err = second.Stat(); err != nil {
		t.Fatal(err)
	}
	if d, err = tsd.Parse(second, st.Size()); err != nil || d.ContentSize() != size || len(d.Evidence) != 2 {
		t.Fatalf("%d octets, %v", d.ContentSize(), err)
	}
	token, err := cms.ParseToken(d.Evidence[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(d.Imprint(0, nil)); err != nil {
		t.Fatal(err)
	}
}

// A document of 256 MB is put into an envelope, renewed and verified within 16 MB of
// resident memory.
func TestLargeDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 512 MB")
	}
	tsu := cmstest.New(t).TSU(t, "p256")
	large(t, tsu, 1<<20)
	size := int64(256 << 20)
	if os.Getenv("SIGILLO_LARGE") != "" { // beyond 32 bits
		size = 2<<30 + 17
	}
	if peak, _ := meter.PeakRSS(func() { large(t, tsu, size) }); peak > 16<<20 {
		t.Fatalf("the resident memory grew by %d bytes", peak)
	}
}
