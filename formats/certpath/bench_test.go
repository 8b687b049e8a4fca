package certpath

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"testing"
	"time"
)

// chain is the usual: a holder, an issuing authority, a root, and both lists.
func chain(_ *testing.B) (root, sub, holder *party, lists [][]byte) {
	root = issue(nil, "Root", ca)
	sub = issue(root, "Sub", ca)
	holder = issue(sub, "Ada")
	var entries []x509.RevocationListEntry
	for i := range 1000 {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(1e12) + int64(i)), RevocationTime: noon, ReasonCode: 1})
	}
	return root, sub, holder, [][]byte{root.list(crl{}), sub.list(crl{revoked: entries})}
}

// validate is path and revocation of one certificate.
func validate(b *testing.B, s *Search, sources *Sources, holder *party) {
	path := first(b, s, holder)
	if f := path.Check(noon, Constraints{}); len(f) > 0 {
		b.Fatal(f)
	}
	if f := sources.Check(path, noon); len(f) > 0 {
		b.Fatal(f)
	}
}

// BenchmarkValidate: cold reads the lists (1,000 entries in one) and checks all
// four signatures, warm finds them in what the service keeps. The floor is the
// four checks alone.
func BenchmarkValidate(b *testing.B) {
	root, sub, holder, lists := chain(b)
	b.Run("floor", func(b *testing.B) {
		digest := sha(holder.Raw)
		key := sub.key.(*ecdsa.PrivateKey)
		value := must(ecdsa.SignASN1(rand.Reader, key, digest))
		for b.Loop() {
			for range 4 {
				if !ecdsa.VerifyASN1(&key.PublicKey, digest, value) {
					b.Fatal("wrong")
				}
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			s := &Search{Anchors: certificates(root), Intermediates: certificates(sub), Verifier: &Verifier{}}
			sources := &Sources{Search: s}
			for _, der := range lists {
				if err := sources.AddCRL(der); err != nil {
					b.Fatal(err)
				}
			}
			validate(b, s, sources, holder)
		}
	})
	base, kept, cache := &Search{Anchors: certificates(root)}, &Sources{}, NewCache(0)
	for _, der := range lists {
		if err := kept.AddCRL(der); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			s := base.With(certificates(sub), &Verifier{Cache: cache})
			validate(b, s, kept.With(s), holder)
		}
	})
	b.Run("warm-embedded", func(b *testing.B) { // the signature carries the lists again
		for b.Loop() {
			s := base.With(certificates(sub), &Verifier{Cache: cache})
			sources := (&Sources{}).With(s)
			for _, der := range lists {
				if err := sources.AddCRL(der); err != nil {
					b.Fatal(err)
				}
			}
			validate(b, s, sources, holder)
		}
	})
}

// large makes a list of n entries.
func large(p *party, n int) []byte {
	entries := make([]x509.RevocationListEntry, n)
	for i := range entries {
		entries[i] = x509.RevocationListEntry{SerialNumber: new(big.Int).Add(big.NewInt(int64(i)), new(big.Int).Lsh(big.NewInt(1), 63)), RevocationTime: noon.Add(-day), ReasonCode: i % 3}
	}
	return p.list(crl{revoked: entries})
}

// BenchmarkLargeList reads a list of 300,000 entries, and looks into it.
func BenchmarkLargeList(b *testing.B) {
	sub := issue(nil, "Sub", ca)
	der := large(sub, 300_000)
	b.Run(fmt.Sprintf("read-%dMB", len(der)>>20), func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		for b.Loop() {
			if _, err := readList(der); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("crypto-x509", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		for b.Loop() {
			if _, err := x509.ParseRevocationList(der); err != nil {
				b.Fatal(err)
			}
		}
	})
	leaf := issue(sub, "Ada")
	s := &Sources{Search: &Search{Anchors: certificates(sub)}}
	if err := s.AddCRL(der); err != nil {
		b.Fatal(err)
	}
	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			if len(s.Statuses(leaf.Certificate, sub.Certificate)) != 1 {
				b.Fatal("no statement")
			}
		}
	})
}

// TestLargeList: what is in it is found, what is not is not, and it takes no
// long time, also when made to.
func TestLargeList(t *testing.T) {
	t.Parallel()
	sub := issue(nil, "Sub", ca)
	start := time.Now()
	der := large(sub, 50_000)
	made := time.Since(start)
	start = time.Now()
	l, err := readList(der)
	if err != nil {
		t.Fatal(err)
	}
	serial := func(i int64) []byte {
		return new(big.Int).Add(big.NewInt(i), new(big.Int).Lsh(big.NewInt(1), 63)).FillBytes(make([]byte, 9))
	}
	for _, i := range []int64{0, 1, 4711, 49_999} {
		if r, ok := l.lookup(serial(i), l.issuer); !ok || r.reason != int(i%3) || !r.at.Equal(noon.Add(-day)) {
			t.Errorf("entry %d: %v %v", i, r, ok)
		}
	}
	if _, ok := l.lookup(serial(50_000), l.issuer); ok {
		t.Error("found what is not there")
	}
	// All entries the same: each lookup goes through all, but reading does not.
	same := make([]x509.RevocationListEntry, 50_000)
	for i := range same {
		same[i] = x509.RevocationListEntry{SerialNumber: big.NewInt(7), RevocationTime: noon}
	}
	l, err = readList(sub.list(crl{revoked: same}))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.lookup([]byte{7}, l.issuer); !ok {
		t.Error("not found")
	}
	if d := time.Since(start); d > 2*time.Second+2*made {
		t.Errorf("took %v", d)
	}
}
