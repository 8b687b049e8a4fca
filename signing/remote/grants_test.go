package remote

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/signing"
)

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func digest(n int) []byte {
	d := sha256.Sum256([]byte(fmt.Sprint(n)))
	return d[:]
}

func testGrant(holder string, digests ...[]byte) *granted {
	return &granted{left: count(digests), Grant: Grant{ID: "g", Holder: holder, Application: "app", Credential: "c",
		Hash: crypto.SHA256, Left: len(digests), Expires: testNow.Add(5 * time.Minute)}}
}

func ask(digests ...[]byte) Activation {
	return Activation{Credential: "c", Hash: crypto.SHA256, Digests: digests, Scheme: ECDSA}
}

func want(t *testing.T, err error, kind signing.Kind) {
	t.Helper()
	if err == nil || signing.KindOf(err) != kind {
		t.Fatalf("%v, want kind %s", err, kind)
	}
}

// A grant is for one holder, one application, one credential, one hash function and
// one multiset of digests; each digest is given out once.
func TestTake(t *testing.T) {
	t.Parallel()
	a, b, c := digest(1), digest(2), digest(3)
	g := newGrants()
	h, err := g.put(testGrant("h", a, b, b), testNow)
	if err != nil {
		t.Fatal(err)
	}
	take := func(handle, holder, app string, x Activation, at time.Time) error {
		_, _, err := g.take(handle, holder, app, x, at)
		return err
	}
	want(t, take("x", "h", "app", ask(a), testNow), NoGrant)
	want(t, take(h, "other", "app", ask(a), testNow), NoGrant)
	want(t, take(h, "h", "other", ask(a), testNow), NoGrant)
	other := ask(a)
	other.Credential = "d"
	want(t, take(h, "h", "app", other, testNow), NoGrant)
	other = ask(a)
	other.Hash = crypto.SHA512
	want(t, take(h, "h", "app", other, testNow), Unauthorised)
	want(t, take(h, "h", "app", ask(c), testNow), Unauthorised)
	want(t, take(h, "h", "app", ask(a, c), testNow), Unauthorised)
	want(t, take(h, "h", "app", ask(a, a), testNow), Unauthorised)
	want(t, take(h, "h", "app", ask(), testNow), Unauthorised)
	want(t, take(h, "h", "app", ask(a), testNow.Add(5*time.Minute)), GrantExpired)
	kept, left, err := g.take(h, "h", "app", ask(b, a), testNow)
	if err != nil || left != 1 {
		t.Fatal(left, err)
	}
	want(t, take(h, "h", "app", ask(a), testNow), Unauthorised)
	if err := take(h, "h", "app", ask(b), testNow); err != nil {
		t.Fatal(err)
	}
	want(t, take(h, "h", "app", ask(b), testNow), NoGrant) // nothing is left, so it is gone
	g.give(h, kept, [][]byte{a})                           // and comes back when something was not signed
	if err := take(h, "h", "app", ask(a), testNow); err != nil || len(g.by) != 0 || len(g.lots) != 0 {
		t.Fatal(err, len(g.by), len(g.lots))
	}
}

// However many ask at once, each digest is given out exactly as often as it was
// authorised.
func TestTakeTogether(t *testing.T) {
	t.Parallel()
	const each, digests = 3, 20
	var all [][]byte
	for n := range digests {
		for range each {
			all = append(all, digest(n))
		}
	}
	g := newGrants()
	h, err := g.put(testGrant("h", all...), testNow)
	if err != nil {
		t.Fatal(err)
	}
	var out [digests]atomic.Int32
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for n := range digests {
				kept, _, err := g.take(h, "h", "app", ask(digest(n)), testNow)
				switch {
				case err != nil:
				case worker%4 == 0: // could not be signed
					g.give(h, kept, [][]byte{digest(n)})
				default:
					out[n].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for n := range out { // what was put back is still to be had
		for {
			if _, _, err := g.take(h, "h", "app", ask(digest(n)), testNow); err != nil {
				break
			}
			out[n].Add(1)
		}
		if got := out[n].Load(); got != each {
			t.Errorf("digest %d was given out %d times, not %d", n, got, each)
		}
	}
}

// Memory is bounded: of one holder the oldest goes, of all nothing new comes until
// something expires. What was revoked does not come back.
func TestGrantsBounded(t *testing.T) {
	t.Parallel()
	g := newGrants()
	g.most = maxOfOne + 1
	var handles []string
	for n := range maxOfOne + 1 {
		h, err := g.put(testGrant("h", digest(n)), testNow)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	_, _, err := g.take(handles[0], "h", "app", ask(digest(0)), testNow)
	want(t, err, NoGrant)
	if len(g.by) != maxOfOne {
		t.Fatal(len(g.by))
	}
	if _, err := g.put(testGrant("i", digest(1)), testNow); err != nil {
		t.Fatal(err)
	}
	_, err = g.put(testGrant("j", digest(1)), testNow)
	want(t, err, signing.Busy)
	if _, err := g.put(testGrant("j", digest(1)), testNow.Add(time.Hour)); err != nil || len(g.by) != 1 {
		t.Fatal(err, len(g.by))
	}
	s := &Service{grants: newGrants(), cfg: Config{Now: func() time.Time { return testNow }}}
	h, err := s.grants.put(testGrant("h", digest(1), digest(2)), testNow)
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := s.grants.take(h, "h", "app", ask(digest(1)), testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.withdraw(h, "h", "app", nil); err != nil {
		t.Fatal(err)
	}
	s.grants.give(h, kept, [][]byte{digest(1)})
	_, err = s.Grant(h)
	want(t, err, NoGrant)
}

func TestOrder(t *testing.T) {
	t.Parallel()
	good := Order{Credential: "c", Hash: crypto.SHA256, Digests: [][]byte{digest(1)}, Application: "app"}
	if err := good.check(1); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Order)
		kind   signing.Kind
	}{
		"SHA-1":          {func(o *Order) { o.Hash, o.Digests = crypto.SHA1, [][]byte{make([]byte, 20)} }, WeakHash},
		"SHA-224":        {func(o *Order) { o.Hash, o.Digests = crypto.SHA224, [][]byte{make([]byte, 28)} }, WeakHash},
		"short":          {func(o *Order) { o.Digests = [][]byte{digest(1)[:31]} }, BadDigest},
		"none":           {func(o *Order) { o.Digests = nil }, signing.BadRequest},
		"many":           {func(o *Order) { o.Digests = append(o.Digests, digest(2)) }, TooMany},
		"no application": {func(o *Order) { o.Application = "" }, signing.BadRequest},
		"long text":      {func(o *Order) { o.Description = string(make([]byte, MaxDescription+1)) }, signing.BadRequest},
	} {
		o := good
		c.change(&o)
		if err := o.check(1); signing.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
