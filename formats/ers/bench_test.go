package ers_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
)

// digests are those of n documents.
func digests(n int) []ers.Group {
	out := make([]ers.Group, n)
	for i := range out {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(i))
		s := sha256.Sum256(b[:])
		out[i] = ers.Group{s[:]}
	}
	return out
}

// BenchmarkTree makes the tree over a hundred thousand documents.
func BenchmarkTree(b *testing.B) {
	groups := digests(100_000)
	b.ReportAllocs()
	for b.Loop() {
		p, err := ers.Prepare(crypto.SHA256, groups)
		if err != nil || len(p.Imprint()) != 32 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/document")
}

// BenchmarkRecords writes a record for each of ten thousand documents.
func BenchmarkRecords(b *testing.B) {
	tsu := cmstest.New(b).TSU(b, "p256")
	p, err := ers.Prepare(crypto.SHA256, digests(10_000))
	if err != nil {
		b.Fatal(err)
	}
	token := tsu.Stamp(b, crypto.SHA256, p.Imprint(), start)
	b.ReportAllocs()
	for b.Loop() {
		all, err := p.Assemble(token)
		if err != nil {
			b.Fatal(err)
		}
		for range all {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/record")
}

// BenchmarkVerify checks the record of one of a hundred thousand documents, signature
// included.
func BenchmarkVerify(b *testing.B) {
	tsu := cmstest.New(b).TSU(b, "p256")
	groups := digests(100_000)
	p, err := ers.Prepare(crypto.SHA256, groups)
	if err != nil {
		b.Fatal(err)
	}
	all, err := p.Assemble(tsu.Stamp(b, crypto.SHA256, p.Imprint(), start))
	if err != nil {
		b.Fatal(err)
	}
	var der []byte
	for _, r := range all {
		der = r
		break
	}
	document := []ers.Document{{Digest: func(crypto.Hash) ([]byte, error) { return groups[0][0], nil }}}
	b.ReportAllocs()
	for b.Loop() {
		r, err := ers.Parse(der)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Verify(document); err != nil {
			b.Fatal(err)
		}
	}
}
