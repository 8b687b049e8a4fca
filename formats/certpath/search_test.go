package certpath

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// TestPaths looks at which paths are found, and in which order.
func TestPaths(t *testing.T) {
	t.Parallel()
	root, other := issue(nil, "Root", ca), issue(nil, "Other", ca)
	sub := issue(root, "Sub", ca)
	leaf := issue(sub, "Ada")
	cross := issueFor(other, sub.key, "Sub", ca) // the same authority, certified by another root
	back := issueFor(sub, root.key, "Root", ca)  // a circle
	impostor := issue(nil, "Sub", ca)            // the name alone
	rekeyed := issue(sub, "Sub", ca)             // self-issued: a new key certified by the old one
	after := issue(rekeyed, "Grace")             //
	misnamed := issue(sub, "Ada", func(c *x509.Certificate) { c.AuthorityKeyId = []byte{1, 2, 3} })
	other2 := issueFor(sub, misnamed.key, "Ada")
	shouting := issueFor(root, sub.key, "  sUB ", ca) // the same name as the standard compares them
	for _, tc := range []struct {
		name          string
		leaf          *party
		anchors, pool []*party
		want          string // paths, each by common names from the end, anchors' in capitals
	}{
		{"straight", leaf, []*party{root}, []*party{sub}, "Ada<Sub<ROOT"},
		{"none without the intermediate", leaf, []*party{root}, nil, ""},
		{"cross-certified", leaf, []*party{root, other}, []*party{sub, cross}, "Ada<Sub<ROOT Ada<Sub<OTHER"},
		{"over the bridge alone", leaf, []*party{other}, []*party{sub, cross, back}, "Ada<Sub<OTHER"},
		{"circles end", leaf, []*party{other}, []*party{sub, back}, ""},
		{"an impostor", leaf, []*party{root}, []*party{impostor, sub}, "Ada<Sub<ROOT"},
		{"impostor as anchor", leaf, []*party{impostor}, nil, ""},
		{"self-issued", after, []*party{root}, []*party{sub, rekeyed}, "Grace<Sub<Sub<ROOT"},
		{"an anchor in the middle ends it", leaf, []*party{sub, root}, []*party{sub}, "Ada<SUB"},
		{"the end is an anchor", leaf, []*party{leaf, root}, []*party{sub}, "ADA"},
		{"a wrong key identifier is a hint", misnamed, []*party{root}, []*party{sub}, "Ada<Sub<ROOT"},
		{"identifiers that agree first", other2, []*party{other, root}, []*party{cross, sub}, "Ada<Sub<OTHER Ada<Sub<ROOT"},
		{"case and spaces", leaf, []*party{root}, []*party{shouting}, "Ada<  sUB <ROOT"},
	} {
		s := &Search{Anchors: certificates(tc.anchors...), Intermediates: certificates(tc.pool...)}
		var got []string
		for _, p := range collect(s, tc.leaf) {
			var names []string
			for _, c := range p {
				names = append(names, c.Subject.CommonName)
			}
			names[len(names)-1] = strings.ToUpper(names[len(names)-1])
			got = append(got, strings.Join(names, "<"))
		}
		if g := strings.Join(got, " "); g != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
		}
	}
}

// The caller stops when content; a search may be asked again.
func TestPathsStop(t *testing.T) {
	t.Parallel()
	root, other := issue(nil, "Root", ca), issue(nil, "Other", ca)
	sub := issue(root, "Sub", ca)
	cross := issueFor(other, sub.key, "Sub", ca)
	leaf := issue(sub, "Ada")
	base := &Search{Anchors: certificates(root, other)}
	s := base.With(certificates(sub, cross), &Verifier{Cache: NewCache(0)})
	for range 3 {
		n := 0
		for range s.Paths(leaf.Certificate) {
			n++
			break
		}
		if n != 1 || len(collect(s, leaf)) != 2 {
			t.Fatal("paths are missing")
		}
	}
	if n := s.Verifier.Spent(); n != 3*2 {
		t.Errorf("spent %d: three signatures should have been checked once", n)
	}
	if len(collect(base, leaf)) != 0 {
		t.Error("With changed its base")
	}
}

func TestPathsBounded(t *testing.T) {
	t.Parallel()
	chain := []*party{issue(nil, "A0", ca)}
	for i := range 12 {
		chain = append(chain, issue(chain[i], fmt.Sprint("A", i+1), ca))
	}
	s := &Search{Anchors: certificates(chain[0]), Intermediates: certificates(chain...)}
	for n, want := range map[int]int{1: 1, 9: 1, 10: 0} {
		if got := len(collect(s, chain[n])); got != want {
			t.Errorf("%d certificates below the anchor: %d paths", n, got)
		}
	}
	s = &Search{Anchors: s.Anchors, Intermediates: s.Intermediates, Verifier: &Verifier{Budget: 6}}
	if len(collect(s, chain[3])) != 1 || len(collect(s, chain[4])) != 0 || KindOf(s.Verifier.certificate(chain[2].Certificate, chain[1].Certificate)) != Limit {
		t.Error("the budget is not kept")
	}
}

// A dozen authorities that all certify each other, none of them trusted, have
// hundreds of millions of ways between them.
func TestPathsInMesh(t *testing.T) {
	t.Parallel()
	const n = 12
	var authorities []*party
	for i := range n {
		authorities = append(authorities, issue(nil, fmt.Sprint("A", i), ca))
	}
	var pool []*x509.Certificate
	for i, a := range authorities {
		for j, b := range authorities {
			if i != j {
				pool = append(pool, issueFor(b, a.key, fmt.Sprint("A", i), ca).Certificate)
			}
		}
	}
	start := time.Now()
	s := &Search{Anchors: certificates(issue(nil, "Root", ca)), Intermediates: pool, MaxLength: 32}
	if len(collect(s, issue(authorities[0], "Ada"))) != 0 {
		t.Error("a path to nowhere")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// A right signature by an enormous RSA key is not even looked at: checking one
// takes seconds.
func TestEnormousIssuer(t *testing.T) {
	t.Parallel()
	leaf := issue(issue(nil, "Sub", ca), "Ada").Certificate
	for _, tc := range []struct {
		bits int
		want Kind
	}{{2048, ""}, {maxModulus + 512, Limit}} {
		key := manyPrimes(tc.bits)
		issuer := &x509.Certificate{PublicKey: key.Public(), RawSubjectPublicKeyInfo: []byte{1}}
		s := signedObject{tbs: leaf.RawTBSCertificate, value: signByPrimes(key, sha(leaf.RawTBSCertificate)),
			algorithm: []byte("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")}
		if got := KindOf((&Verifier{}).check(&s, issuer)); got != tc.want {
			t.Errorf("a key of %d bits: %q", key.N.BitLen(), got)
		}
	}
}

// manyPrimes makes an RSA key whose modulus is the product of primes of 512
// bits: quick to make, as an attacker would.
func manyPrimes(bits int) *rsa.PrivateKey {
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
	phi := big.NewInt(1)
	for range bits / 512 {
		p := must(rand.Prime(rand.Reader, 512))
		key.Primes = append(key.Primes, p)
		key.N.Mul(key.N, p)
		phi.Mul(phi, new(big.Int).Sub(p, big.NewInt(1)))
	}
	key.D = new(big.Int).ModInverse(big.NewInt(int64(key.E)), phi)
	return key
}

// signByPrimes is RSASSA-PKCS1-v1_5 with SHA-256, done modulo each prime and
// put together, because it has many.
func signByPrimes(key *rsa.PrivateKey, digest []byte) []byte {
	info := append([]byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), digest...)
	em := bytes.Repeat([]byte{0xff}, key.Size())
	em[0], em[1], em[len(em)-len(info)-1] = 0, 1, 0
	copy(em[len(em)-len(info):], info)
	m, one, sum := new(big.Int).SetBytes(em), big.NewInt(1), new(big.Int)
	for _, p := range key.Primes {
		part := new(big.Int).Exp(m, new(big.Int).Mod(key.D, new(big.Int).Sub(p, one)), p)
		rest := new(big.Int).Div(key.N, p)
		part.Mul(part, rest).Mul(part, new(big.Int).ModInverse(rest, p))
		sum.Add(sum, part)
	}
	return sum.Mod(sum, key.N).FillBytes(make([]byte, key.Size()))
}
