package ers_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
	"sigillo/formats/internal/meter"
)

// many is how many documents the trees of the benchmarks are of.
const many = 100_000

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

// BenchmarkTree makes the tree over a hundred thousand documents. The floor are its
// digests alone.
func BenchmarkTree(b *testing.B) {
	groups := digests(many)
	pair := make([]byte, 64)
	ours, floor := meter.Turns(b, func() {
		p, err := ers.Prepare(crypto.SHA256, groups)
		if err != nil || len(p.Imprint()) != 32 {
			b.Fatal(err)
		}
	}, func() {
		for range many {
			sum := sha256.Sum256(pair)
			copy(pair, sum[:])
		}
	})
	meter.Figure("ers.tree.100k.cpu", float64(ours)/1e6, "ms", "the SHA-256 of its nodes", float64(floor)/1e6)
}

// BenchmarkRecords writes the records of ten thousand documents out of one tree.
func BenchmarkRecords(b *testing.B) {
	const n = many / 10
	tsu := cmstest.New(b).TSU(b, "p256")
	p, err := ers.Prepare(crypto.SHA256, digests(n))
	if err != nil {
		b.Fatal(err)
	}
	token := tsu.Stamp(b, crypto.SHA256, p.Imprint(), start)
	ours, floor := meter.Turns(b, func() {
		all, err := p.Assemble(token)
		if err != nil {
			b.Fatal(err)
		}
		for range all {
		}
	}, func() {
		for range n {
			copied = append([]byte(nil), token...)
		}
	})
	meter.Figure("ers.record.cpu", float64(ours)/1e3/n, "µs", "copying the token", float64(floor)/1e3/n)
}

var copied []byte

// BenchmarkVerify checks the record of one of a hundred thousand documents. The floor
// is the token alone.
func BenchmarkVerify(b *testing.B) {
	tsu := cmstest.New(b).TSU(b, "p256")
	groups := digests(many)
	p, err := ers.Prepare(crypto.SHA256, groups)
	if err != nil {
		b.Fatal(err)
	}
	token := tsu.Stamp(b, crypto.SHA256, p.Imprint(), start)
	all, err := p.Assemble(token)
	if err != nil {
		b.Fatal(err)
	}
	var der []byte
	for _, der = range all {
		break
	}
	document := []ers.Document{{Digest: func(crypto.Hash) ([]byte, error) { return groups[0][0], nil }}}
	ours, floor := meter.Turns(b, func() {
		r, err := ers.Parse(der)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Verify(document); err != nil {
			b.Fatal(err)
		}
	}, func() {
		t, err := cms.ParseToken(token)
		if err != nil {
			b.Fatal(err)
		}
		if err := t.VerifySignature(); err != nil {
			b.Fatal(err)
		}
	})
	meter.Figure("ers.verify.100k.cpu", float64(ours)/1e3, "µs", "its token alone", float64(floor)/1e3)
}
