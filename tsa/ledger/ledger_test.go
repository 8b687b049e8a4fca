package ledger

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

var (
	t0     = time.Date(2026, 11, 22, 9, 0, 0, 123e6, time.UTC)
	policy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3, 1}
	certs  = pattern(1450, 7)
)

// pattern is n bytes that differ from place to place and from seed to seed.
func pattern(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// made is an entry of the size that a P-256 unit makes: 1,450 bytes of
// certificates inside of a token of about 2,100.
func made(unit string, serial int64, account, lot string) Entry {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(serial))
	imprint := sha256.Sum256(append([]byte(unit), n[:]...))
	token := pattern(260, uint64(serial))
	token = append(token, certs...)
	token = append(token, pattern(330, uint64(serial)+1)...)
	return Entry{
		Unit: unit, Serial: serial, GenTime: t0.Add(time.Duration(serial) * time.Millisecond), Policy: policy,
		Hash: crypto.SHA256, Imprint: imprint[:], Nonce: n[:], Account: account, Lot: lot,
		Token: token, Certs: [2]int{260, 260 + len(certs)},
	}
}

func openTest(t testing.TB, dir string, o Options) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func put(t testing.TB, l *Ledger, e Entry) {
	t.Helper()
	if err := l.Append(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want Kind) {
	t.Helper()
	if KindOf(err) != want {
		t.Fatalf("got %v (%s), want the kind %s", err, KindOf(err), want)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("c%d", clients), func(b *testing.B) {
			l := openTest(b, b.TempDir(), Options{})
			template := made("tsu", 1, "acme", "l1")
			b.ReportAllocs()
			b.ResetTimer()
			measure(b, clients, func(serial int64) {
				e := template
				e.Serial = serial
				e.GenTime = t0
				if err := l.Append(context.Background(), e); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// measure runs f b.N times by so many callers and reports the CPU of the process
// per call.
func measure(b *testing.B, clients int, f func(i int64)) {
	var next atomic.Int64
	before := cpu()
	done := make(chan struct{})
	for range clients {
		go func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					break
				}
				f(i)
			}
			done <- struct{}{}
		}()
	}
	for range clients {
		<-done
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}
