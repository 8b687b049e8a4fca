package certpath

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"sigillo/formats/internal/meter"
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
// four signatures, warm finds them in what the service keeps, embedded is warm but
// the signature carries the lists again. The floor is the four checks alone.
func BenchmarkValidate(b *testing.B) {
	root, sub, holder, lists := chain(b)
	digest := sha(holder.Raw)
	key := sub.key.(*ecdsa.PrivateKey)
	value := must(ecdsa.SignASN1(rand.Reader, key, digest))
	add := func(sources *Sources) *Sources {
		for _, der := range lists {
			if err := sources.AddCRL(der); err != nil {
				b.Fatal(err)
			}
		}
		return sources
	}
	base, kept, cache := &Search{Anchors: certificates(root)}, add(&Sources{}), NewCache(0)
	for _, c := range []struct {
		figure string
		run    func()
	}{
		{"cold", func() {
			s := &Search{Anchors: certificates(root), Intermediates: certificates(sub), Verifier: &Verifier{}}
			validate(b, s, add(&Sources{Search: s}), holder)
		}},
		{"warm", func() {
			s := base.With(certificates(sub), &Verifier{Cache: cache})
			validate(b, s, kept.With(s), holder)
		}},
		{"embedded", func() {
			s := base.With(certificates(sub), &Verifier{Cache: cache})
			validate(b, s, add((&Sources{}).With(s)), holder)
		}},
	} {
		b.Run(c.figure, func(b *testing.B) {
			ours, floor := meter.Turns(b, c.run, func() {
				for range 4 {
					if !ecdsa.VerifyASN1(&key.PublicKey, digest, value) {
						b.Fatal("wrong")
					}
				}
			})
			meter.Figure("certpath.validate."+c.figure+".p256.cpu", float64(ours)/1e3, "µs", "four bare verifications", float64(floor)/1e3)
		})
	}
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
	b.Run("read", func(b *testing.B) {
		ours, theirs := meter.Turns(b, func() {
			if _, err := readList(der); err != nil {
				b.Fatal(err)
			}
		}, func() {
			if _, err := x509.ParseRevocationList(der); err != nil {
				b.Fatal(err)
			}
		})
		mb := float64(len(der)) / 1e6
		meter.Figure("certpath.crl.300000.mbps", mb/ours.Seconds(), "MB/s", "crypto/x509", mb/theirs.Seconds())
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
