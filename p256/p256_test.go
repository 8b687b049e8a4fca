package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	mrand "math/rand/v2"
	"testing"
	"time"

	"filippo.io/nistec"
)

func newKey(t testing.TB, size Size) (*ecdsa.PrivateKey, *Key) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(&key.PublicKey, size)
	if err != nil {
		t.Fatal(err)
	}
	return key, v
}

// agree compares the verdict, before crypto/ecdsa has the last word, with that of
// crypto/ecdsa and gives it.
func agree(t testing.TB, pub *ecdsa.PublicKey, v *Key, digest [32]byte, sig []byte) bool {
	t.Helper()
	theirs := ecdsa.VerifyASN1(pub, digest[:], sig)
	if ours := v.matches(&digest, sig); ours != theirs {
		t.Fatalf("digest %x, signature %x: ours %v, crypto/ecdsa %v", digest, sig, ours, theirs)
	}
	return theirs
}

func sigValue(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Good, altered and hostile signatures get the verdict of crypto/ecdsa.
func TestAgreesWithCrypto(t *testing.T) {
	t.Parallel()
	one, n := big.NewInt(1), order
	for _, size := range []Size{Small, Large} {
		key, v := newKey(t, size)
		pub := &key.PublicKey
		var digest [32]byte
		for i := range 12 {
			_, _ = rand.Read(digest[:]) // does not fail since Go 1.24
			switch i {
			case 0:
				digest = [32]byte{}
			case 1: // greater than the order
				for j := range digest {
					digest[j] = 0xff
				}
			}
			sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			if !agree(t, pub, v, digest, sig) {
				t.Fatal("a good signature is refused")
			}
			r, s, _ := readNumbers(sig)
			high := new(big.Int).Sub(n, s)
			if !agree(t, pub, v, digest, sigValue(t, r, high)) { // allowed by FIPS 186-5, so by both
				t.Fatal("the other half of s is refused")
			}
			for _, bad := range [][2]*big.Int{
				{r, new(big.Int)}, {new(big.Int), s}, {r, n}, {n, s}, {r, new(big.Int).Add(n, s)}, {new(big.Int).Add(n, r), s},
				{r, new(big.Int).Neg(s)}, {new(big.Int).Neg(r), s}, {s, r}, {one, one}, {new(big.Int).Sub(n, one), new(big.Int).Sub(n, one)},
				{r, new(big.Int).Lsh(s, 256)}, {new(big.Int).Add(r, one), s},
			} {
				if agree(t, pub, v, digest, sigValue(t, bad[0], bad[1])) {
					t.Fatalf("r %v, s %v is accepted", bad[0], bad[1])
				}
			}
			for j := range sig {
				sig[j] ^= 1 << (i % 8)
				if agree(t, pub, v, digest, sig) {
					t.Fatalf("accepted with octet %d altered", j)
				}
				sig[j] ^= 1 << (i % 8)
			}
			other := digest
			other[i] ^= 1
			if agree(t, pub, v, other, sig) {
				t.Fatal("accepted for another digest")
			}
			for _, bad := range [][]byte{nil, sig[:len(sig)-1], append(sig, 0), {0x30, 0}, append([]byte{0x30, 0x81, byte(len(sig) - 2)}, sig[2:]...)} {
				if agree(t, pub, v, digest, bad) {
					t.Fatalf("%x is accepted", bad)
				}
			}
		}
	}
}

// The tables with their signed digits give the same points as a multiplication, for
// scalars at the edges of windows too.
func TestMultiples(t *testing.T) {
	t.Parallel()
	key, v := newKey(t, Small)
	b, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	q, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	check := func(k *big.Int) {
		var scalar [32]byte
		k.FillBytes(scalar[:])
		for _, c := range []struct {
			table *multiples
			base  *nistec.P256Point
		}{{&v.key, q}, {generator(), nistec.NewP256Point().SetGenerator()}} {
			want, err := nistec.NewP256Point().ScalarMult(c.base, scalar[:])
			if err != nil {
				t.Fatal(err)
			}
			var all terms
			all.of(c.table, &scalar)
			got, ok := all.sum()
			if !ok {
				// Two parts of one scalar are equal or opposite only past the order.
				if k.Cmp(order) < 0 {
					t.Fatalf("%x meets a rare sum", scalar)
				}
				continue
			}
			if want.IsInfinity() == 1 {
				if got.z != (fe{}) {
					t.Fatalf("%x: a point in place of the one at infinity", scalar)
				}
				continue
			}
			out := make([]affine, 1)
			normalise(out, []jacobian{got})
			if out[0] != newAffine(want) {
				t.Fatalf("%x: another point", scalar)
			}
		}
	}
	top := new(big.Int).Lsh(big.NewInt(1), 256)
	for shift := range uint(256) {
		for _, add := range []int64{-1, 0, 1} {
			k := new(big.Int).Lsh(big.NewInt(1), shift)
			check(k.Add(k, big.NewInt(add)))
			check(new(big.Int).Sub(new(big.Int).Sub(top, k), big.NewInt(2)))
		}
	}
}

// The arithmetic of the field is that of math/big, for values with limbs at their
// edges above all.
func TestField(t *testing.T) {
	t.Parallel()
	radix := new(big.Int).Lsh(big.NewInt(1), 256)
	value := func(x fe) *big.Int {
		n := new(big.Int)
		for i := 3; i >= 0; i-- {
			n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(x[i]))
		}
		return n
	}
	limbs := []uint64{0, 1, 2, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 63, 1<<64 - 1<<32, 1<<64 - 1<<32 + 1, 1<<64 - 2, 1<<64 - 1}
	r := mrand.New(mrand.NewPCG(1, 2))
	element := func() fe {
		for {
			var x fe
			for i := range x {
				if x[i] = limbs[r.IntN(len(limbs))]; r.IntN(4) == 0 {
					x[i] = r.Uint64()
				}
			}
			if value(x).Cmp(prime) < 0 {
				return x
			}
		}
	}
	inverse := new(big.Int).ModInverse(radix, prime)
	for range 20_000 {
		x, y := element(), element()
		bx, by := value(x), value(y)
		var product, difference, twice fe
		product.mul(&x, &y)
		difference.sub(&x, &y)
		twice.double(&x)
		want := new(big.Int).Mul(bx, by)
		want.Mod(want.Mul(want, inverse), prime)
		if value(product).Cmp(want) != 0 {
			t.Fatalf("%x · %x", x, y)
		}
		if want.Mod(want.Sub(bx, by), prime); value(difference).Cmp(want) != 0 {
			t.Fatalf("%x - %x", x, y)
		}
		if want.Mod(want.Lsh(bx, 1), prime); value(twice).Cmp(want) != 0 {
			t.Fatalf("2 · %x", x)
		}
	}
	for range 100 {
		x := element()
		if x == (fe{}) {
			continue
		}
		var y fe
		y.invert(&x)
		if y.mul(&y, &x); y != feOne {
			t.Fatalf("1 / %x", x)
		}
	}
	if b := radix.Sub(prime, big.NewInt(3)).FillBytes(make([]byte, 32)); value(newElement(b)).Sign() == 0 {
		t.Fatal("p - 3 is read as zero")
	}
}

// A sum whose two parts are one point, or opposite ones, takes other formulas: the
// key and the digest are chosen so that u1·G = ±u2·Q. Then crypto/ecdsa decides.
func TestSpecialSums(t *testing.T) {
	t.Parallel()
	for _, private := range []*big.Int{big.NewInt(1), new(big.Int).Sub(order, big.NewInt(1)), big.NewInt(2)} {
		var d [32]byte
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private.FillBytes(d[:]))
		if err != nil {
			t.Fatal(err)
		}
		v, err := New(&key.PublicKey, Small)
		if err != nil {
			t.Fatal(err)
		}
		for r := int64(1); r < 40; r++ { // e = ±r·d makes u1 = ±u2·d for every s
			for _, sign := range []int64{1, -1} {
				e := new(big.Int).Mul(private, big.NewInt(sign*r))
				var digest [32]byte
				e.Mod(e, order).FillBytes(digest[:])
				for s := int64(1); s < 5; s++ {
					sig := sigValue(t, big.NewInt(r), big.NewInt(s))
					if (v.Verify(digest, sig) == nil) != ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
						t.Fatalf("digest %x, signature %x: another verdict than crypto/ecdsa", digest, sig)
					}
				}
			}
		}
	}
	// And one that is good: u1·G and u2·Q are the same point, x(2·u1·G) is r.
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 1))
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(&key.PublicKey, Small)
	if err != nil {
		t.Fatal(err)
	}
	k := big.NewInt(5) // one digit, so that the sum of two equal points is met
	var twice, scalar, digest [32]byte
	double, err := nistec.NewP256Point().ScalarBaseMult(new(big.Int).Lsh(k, 1).FillBytes(twice[:]))
	if err != nil {
		t.Fatal(err)
	}
	x, err := double.BytesX()
	if err != nil {
		t.Fatal(err)
	}
	r := new(big.Int).SetBytes(x)
	r.Mod(r, order).FillBytes(digest[:]) // e = r, so u1 = u2 = r/s = k
	s := new(big.Int).ModInverse(k, order)
	s.Mod(s.Mul(s, r), order).FillBytes(scalar[:])
	sig := sigValue(t, r, s)
	if v.matches(&digest, sig) {
		t.Fatal("the rare sum was not met")
	}
	if err := v.Verify(digest, sig); err != nil {
		t.Fatalf("a good signature with a rare sum: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 7))
	if err != nil {
		f.Fatal(err)
	}
	v, err := New(&key.PublicKey, Small)
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(4) {
		digest := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(digest[:], sig)
	}
	f.Add([]byte("x"), []byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, d, sig []byte) {
		var digest [32]byte
		copy(digest[:], d)
		agree(t, &key.PublicKey, v, digest, sig)
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(&key.PublicKey, Small); err == nil {
		t.Error("a key of another curve was taken")
	}
}

// The floor is crypto/ecdsa, in turns, so that all meet the same machine.
func BenchmarkVerify(b *testing.B) {
	for name, size := range map[string]Size{"small": Small, "large": Large} {
		b.Run(name, func(b *testing.B) { benchVerify(b, size) })
	}
}

func benchVerify(b *testing.B, size Size) {
	key, v := newKey(b, size)
	digest := sha256.Sum256([]byte("token"))
	sigs := make([][]byte, 1024) // as many places in the tables: they are not all at hand
	for i := range sigs {
		var err error
		if sigs[i], err = ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		sig := sigs[n%len(sigs)]
		n++
		began := time.Now()
		if !v.matches(&digest, sig) {
			b.Fatal("refused")
		}
		then := time.Now()
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("refused")
		}
		ours, theirs = ours+then.Sub(began), theirs+time.Since(then)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(n), "ns/verify")
	b.ReportMetric(float64(theirs.Nanoseconds())/float64(n), "ns/crypto-verify")
}

// BenchmarkNew is what the multiples cost.
func BenchmarkNew(b *testing.B) {
	key, _ := newKey(b, Small)
	for name, size := range map[string]Size{"small": Small, "large": Large} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := New(&key.PublicKey, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
