package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/auth"
)

// Guesses from one address soon wait; the same guess is not stretched again; who
// was right there before goes on; a stranger elsewhere too.
func TestGuessing(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Unlimited: true}))
	_, _, err := b.SetPassword(ctx, "op", "acme", "acme", []byte(secret), time.Time{})
	must(t, err)
	from := addr("2001:db8::1")
	guess := func(pw, user string, from netip.Addr) error {
		_, err := b.Identify(ctx, Caller{Username: user, Password: []byte(pw), Addr: from})
		return err
	}
	for range 50 {
		wantKind(t, guess("the same", "acme", from), Unknown) // counts once
	}
	for _, pw := range []string{"2", "3", "4", "5"} {
		wantKind(t, guess(pw, "acme", from), Unknown)
	}
	wantKind(t, guess("6", "acme", from), LockedOut)
	// The same customer, and the same words whether the name exists or not.
	locked, stranger := guess("6", "acme", from), guess("6", "nobody", addr("2001:db8::2"))
	if locked.Error() != stranger.Error() || !strings.Contains(locked.Error(), "for 30 seconds; then send the right user name") {
		t.Errorf("%v\n%v", locked, stranger)
	}
	var e *Error
	if !errors.As(locked, &e) || e.Kind != LockedOut || e.Wait != auth.Delay(5) {
		t.Errorf("%+v", e)
	}
	wantKind(t, guess("the same", "acme", from), Unknown) // from memory
	must(t, guess(secret, "acme", addr("192.0.2.1")))
	// That it is right is known from elsewhere, and nothing that is told here: who
	// guesses would learn it at once.
	wantKind(t, guess(secret, "acme", from), LockedOut)
	b.clock.forward(auth.Delay(5))
	wantKind(t, guess("6", "acme", from), Unknown)
	wantKind(t, guess("7", "acme", from), LockedOut)

	// A customer who was at work goes on when another one behind his address guesses.
	office := addr("203.0.113.1")
	must(t, guess(secret, "acme", office)) // known by then, not from there
	for i := range 5 {
		wantKind(t, guess(fmt.Sprint("office", i), "acme", office), Unknown)
	}
	wantKind(t, guess("office", "acme", office), LockedOut)
	must(t, guess(secret, "acme", office))
	// He is remembered at a number of places, the last ones.
	for i := range 3 * maxFrom {
		must(t, guess(secret, "acme", netip.AddrFrom4([4]byte{203, 0, 114, byte(i)})))
	}
	for name, known := range b.verify.known {
		if len(known.from) > maxFrom || known.right != (len(known.from) > 0) {
			t.Errorf("%x is known from %d", name[:4], len(known.from))
		}
	}
	wantKind(t, guess(secret, "acme", office), LockedOut)

	// A crowd of strangers, each with one guess, gets a few of them checked.
	limited := 0
	for i := range 100 {
		if KindOf(guess(fmt.Sprint("x", i), "acme", netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))) == RateLimited {
			limited++
		}
	}
	if limited < 70 {
		t.Errorf("only %d of 100 were kept out", limited)
	}
	// Who was right before is no stranger, even with a password that is new.
	_, _, err = b.SetPassword(ctx, "op", "acme", "acme-2", []byte(secret+"!"), time.Time{})
	must(t, err)
	must(t, guess(secret+"!", "acme-2", addr("192.0.2.1")))
}

// Passwords that come at once are counted as if they came in a row: five wrong ones
// are looked at, and a right one that waits with them is refused only when its turn
// comes behind those.
func TestGuessingAtOnce(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Unlimited: true}))
	_, _, err := b.SetPassword(ctx, "op", "acme", "acme", []byte(secret), time.Time{})
	must(t, err)
	v := b.verify
	// begin has a number of passwords wait for their turn while do happens, and gives
	// the kinds of the answers; "" is let in.
	begin := func(from netip.Addr, pws []string, do func()) map[Kind]int {
		v.slot <- struct{}{}
		answers := make(chan Kind)
		for _, pw := range pws {
			go func() {
				_, err := b.Identify(ctx, Caller{Username: "acme", Password: []byte(pw), Addr: from})
				if err == nil {
					answers <- ""
					return
				}
				answers <- KindOf(err)
			}()
		}
		for wait := 0; len(v.queue) < len(pws); wait++ {
			if wait == 10_000 {
				t.Fatalf("%d of %d wait for their turn", len(v.queue), len(pws))
			}
			time.Sleep(time.Millisecond)
		}
		do()
		<-v.slot
		kinds := map[Kind]int{}
		for range pws {
			kinds[<-answers]++
		}
		return kinds
	}
	var wrong []string
	for i := range 16 {
		wrong = append(wrong, fmt.Sprint("wrong", i))
	}
	from := addr("192.0.2.1")
	if got := begin(from, wrong, func() {}); got[Unknown] != auth.FreeFailures+1 || got[LockedOut] != len(wrong)-auth.FreeFailures-1 {
		t.Errorf("of %d at once: %v", len(wrong), got)
	}
	b.clock.forward(auth.Delay(5)) // then it is one at a time
	if got := begin(from, []string{"a", "b", "c"}, func() {}); got[Unknown] != 1 || got[LockedOut] != 2 {
		t.Errorf("after the lock: %v", got)
	}
	b.clock.forward(time.Hour)
	from = addr("192.0.2.2")
	if got := begin(from, append(wrong[:auth.FreeFailures:auth.FreeFailures], secret), func() {}); got[Unknown] != auth.FreeFailures || got[""] != 1 {
		t.Errorf("the right one among %d: %v", auth.FreeFailures, got)
	}
	// Locked out while it waits, and meanwhile known to be right from elsewhere: nothing
	// of that is told.
	b.clock.forward(2 * knownFor)
	from = addr("192.0.2.3")
	got := begin(from, []string{secret}, func() {
		for range auth.FreeFailures + 1 {
			v.guard.learn(from, false, b.clock.now())
		}
		v.remember(v.name("acme", []byte(secret)), b.current.Load().users["acme"], true, network(addr("192.0.2.9")), b.clock.now())
	})
	if got[LockedOut] != 1 {
		t.Errorf("locked out meanwhile: %v", got)
	}
}

func TestInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{time.Millisecond: "1 second", 30 * time.Second: "30 seconds", 119 * time.Second: "119 seconds",
		119*time.Second + 1: "2 minutes", 121 * time.Second: "3 minutes", 15 * time.Minute: "15 minutes"} {
		if got := inWords(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// What is remembered is bounded.
func TestMemory(t *testing.T) {
	t.Parallel()
	v := newVerifier([32]byte{1}, cheap)
	for i := range 3 * maxKnown {
		v.remember(v.name("u", []byte{byte(i), byte(i >> 8), byte(i >> 16)}), nil, i%2 == 0, netip.Prefix{}, t0)
		v.guard.learn(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1}), false, t0)
	}
	if len(v.known) > maxKnown || len(v.guard.addresses) > maxAddresses {
		t.Errorf("%d pairs, %d addresses", len(v.known), len(v.guard.addresses))
	}
	h := hmac.New(sha256.New, append([]byte{1}, make([]byte, 31)...))
	h.Write([]byte("u\x00pw"))
	if got := v.name("u", []byte("pw")); !hmac.Equal(got[:], h.Sum(nil)) {
		t.Error("the name of a pair is not its HMAC")
	}
}

// cpu is what this process has used of the processors.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStamp is what a stamp costs here: who it is, one set aside, given back.
func BenchmarkStamp(b *testing.B) {
	book := open(b)
	book.Book.cfg.Now = time.Now
	ctx := context.Background()
	must(b, book.Create(ctx, "op", "acme", Terms{Rate: 1e6, Burst: 1e6}))
	_, _, err := book.SetPassword(ctx, "op", "acme", "acme", []byte(secret), time.Time{})
	must(b, err)
	_, token, err := book.IssueBearer(ctx, "op", "acme", "t", time.Time{})
	must(b, err)
	_, err = book.Buy(ctx, "op", "acme", Lot{Quantity: 1e9})
	must(b, err)
	for name, caller := range map[string]Caller{
		"basic":  {Username: "acme", Password: []byte(secret), Addr: addr("192.0.2.1")},
		"bearer": {Bearer: token, Addr: addr("192.0.2.1")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpu()
			defer func() { b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op") }()
			for b.Loop() {
				a, err := book.Identify(ctx, caller)
				if err != nil {
					b.Fatal(err)
				}
				ticket, err := book.Take(a)
				if err != nil && KindOf(err) != RateLimited {
					b.Fatal(err)
				}
				ticket.Return()
			}
		})
	}
	b.Run("floor", func(b *testing.B) { // an HMAC-SHA-256 of the same length
		h := hmac.New(sha256.New, make([]byte, 32))
		in, out := []byte("acme\x00"+secret), make([]byte, 0, 32)
		before := cpu()
		defer func() { b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			h.Reset()
			h.Write(in)
			out = h.Sum(out[:0])
		}
	})
}
