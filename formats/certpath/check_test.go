package certpath

import (
	"crypto/x509"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
)

// TestSourcesCheck judges the holder's path by what there is about it.
func TestSourcesCheck(t *testing.T) {
	t.Parallel()
	w := shared
	today := time.Now()
	holder := issue(w.sub, "Ada", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = today.Add(-day), today.Add(day) })
	path := Path{holder.Certificate, w.sub.Certificate, w.root.Certificate}
	this, next := today.Add(-time.Hour), today.Add(time.Hour)
	list := func(p *party, e ...x509.RevocationListEntry) []byte {
		return p.list(crl{this: this, next: next, revoked: e})
	}
	above := list(w.root)
	from := func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = this, next }
	plain, unchecked := responder(w.sub), responder(w.sub, noCheckExtension)
	gone := revokes(plain.Certificate, today.Add(-day), 1)
	for _, tc := range []struct {
		name        string
		crls, ocsps [][]byte
		at          time.Time
		want        []FaultKind
	}{
		{"nothing", nil, nil, today, []FaultKind{NoStatus, NoStatus}},
		{"all good", [][]byte{above, list(w.sub)}, nil, today, nil},
		{"not yet", [][]byte{above, list(w.sub)}, nil, today.Add(-2 * time.Hour), []FaultKind{NoStatus, NoStatus}},
		{"no longer", [][]byte{above, list(w.sub)}, nil, today.Add(2 * time.Hour), []FaultKind{NoStatus, NoStatus}},
		{"revoked", [][]byte{above, list(w.sub, revokes(holder.Certificate, this, 1))}, nil, today, []FaultKind{Revoked}},
		{"revoked later", [][]byte{above, list(w.sub, revokes(holder.Certificate, today.Add(time.Minute), 1))}, nil, today, []FaultKind{NoStatus}},
		{"suspended", [][]byte{above, list(w.sub, revokes(holder.Certificate, this, onHold))}, nil, today, []FaultKind{OnHold}},
		{"the authority revoked", [][]byte{list(w.root, revokes(w.sub.Certificate, this, 2)), list(w.sub)}, nil, today, []FaultKind{Revoked}},
		{"an old revocation, a new list without it", [][]byte{above, list(w.sub),
			w.sub.list(crl{this: this.Add(-day), next: this, revoked: []x509.RevocationListEntry{revokes(holder.Certificate, this.Add(-2*day), 1)}})}, nil, today, []FaultKind{Revoked}},
		{"unknown to the responder", [][]byte{above}, [][]byte{unchecked.answer(w.sub, holder.Certificate, from, func(r *ocsp.Response) { r.Status = ocsp.Unknown })}, today, []FaultKind{NoStatus}},
		{"responder without a status", [][]byte{above}, [][]byte{plain.answer(w.sub, holder.Certificate, from)}, today, []FaultKind{NoStatus}},
		{"responder with a status", [][]byte{above, list(w.sub, revokes(holder.Certificate, this, onHold))}, [][]byte{plain.answer(w.sub, holder.Certificate, from, func(r *ocsp.Response) { r.ThisUpdate = today.Add(-time.Minute) })}, today, nil},
		{"responder revoked", [][]byte{above, w.sub.list(crl{this: this, next: next, revoked: []x509.RevocationListEntry{gone}})}, [][]byte{plain.answer(w.sub, holder.Certificate, from, func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, this })}, today, nil},
		{"responder that needs no status", [][]byte{above}, [][]byte{unchecked.answer(w.sub, holder.Certificate, from)}, today, nil},
		{"responders that vouch for each other", [][]byte{above}, vouching(w.sub, holder, from), today, []FaultKind{NoStatus}},
	} {
		s := (&Sources{Search: w.search}).With(w.search)
		s.Add(ades.Evidence{CRLs: tc.crls, OCSP: tc.ocsps})
		if got := kinds(s.Check(path, tc.at)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, s.Check(path, tc.at), tc.want)
		}
	}
}

// vouching are answers by two responders, each of which says that the other one
// is good.
func vouching(sub, holder *party, from func(*ocsp.Response)) [][]byte {
	a, b := responder(sub), responder(sub, func(c *x509.Certificate) { c.Subject.CommonName = "OCSP 2" })
	return [][]byte{a.answer(sub, holder.Certificate, from), a.answer(sub, b.Certificate, from), b.answer(sub, a.Certificate, from)}
}

// Short-lived certificates that say so need no status (RFC 9608).
func TestNoRevAvail(t *testing.T) {
	t.Parallel()
	w := shared
	brief := issue(w.sub, "Ada", with(false, []byte{5, 0}, 2, 5, 29, 56))
	s := &Sources{Search: w.search}
	s.Add(ades.Evidence{CRLs: [][]byte{w.root.list(crl{})}})
	if got := s.Check(Path{brief.Certificate, w.sub.Certificate, w.root.Certificate}, noon); got != nil {
		t.Error(got)
	}
}

// A list made after the certificate expired proves nothing, unless it says that
// it keeps what has expired.
func TestAfterExpiry(t *testing.T) {
	t.Parallel()
	w := shared
	old := issue(w.root, "Ada", func(c *x509.Certificate) { c.NotAfter = noon.Add(-day) })
	path := Path{old.Certificate, w.root.Certificate}
	s := &Sources{}
	s.Add(ades.Evidence{CRLs: [][]byte{w.root.list(crl{})}})
	if got := kinds(s.Check(path, noon)); !slices.Equal(got, []FaultKind{NoStatus}) {
		t.Error(got)
	}
}

// TestShared: what a service keeps is used by many at once, and every signature
// is checked once.
func TestShared(t *testing.T) {
	t.Parallel()
	w := shared
	cache := NewCache(0)
	base := &Search{Anchors: certificates(w.root)}
	kept := &Sources{}
	for _, der := range [][]byte{w.root.list(crl{}), w.sub.list(crl{})} {
		if err := kept.AddCRL(der); err != nil {
			t.Fatal(err)
		}
	}
	validate := func() int {
		v := &Verifier{Cache: cache}
		search := base.With(certificates(w.sub), v)
		s := kept.With(search)
		s.Add(ades.Evidence{CRLs: [][]byte{w.other.list(crl{})}})
		path := first(t, search, w.holder)
		if faults := append(path.Check(noon, Constraints{}), s.Check(path, noon)...); len(faults) > 0 {
			t.Error(faults)
		}
		return v.Spent()
	}
	if n := validate(); n != 4*2 { // two certificates, two lists
		t.Errorf("the first validation spent %d", n)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if n := validate(); n != 0 {
				t.Errorf("a later validation spent %d", n)
			}
		})
	}
	group.Wait()
}

// The cache forgets what is not used, and never grows beyond its size.
func TestCache(t *testing.T) {
	t.Parallel()
	c := NewCache(200 * perEntry)
	key := func(i int) (k cacheKey) { k[0], k[1] = byte(i), byte(i>>8); return k }
	for i := range 1000 {
		c.put(key(i), i, 0)
		if _, ok := c.get(key(0)); !ok {
			t.Fatalf("what is used was forgotten after %d", i)
		}
		if n := len(c.young) + len(c.old); n > 200 {
			t.Fatalf("%d entries", n)
		}
	}
	if _, ok := c.get(key(999)); !ok {
		t.Error("the newest is not there")
	}
	if _, ok := c.get(key(500)); ok {
		t.Error("what was not used is still there")
	}
	c.put(key(2000), 1, 100*perEntry)
	if _, ok := c.get(key(2000)); ok {
		t.Error("something larger than the cache was kept")
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 1000 {
				c.put(key(i), i, g)
				c.get(key(i / 2))
			}
		})
	}
	group.Wait()
}

// The same list, added again by other signatures, is read once.
func TestCachedList(t *testing.T) {
	t.Parallel()
	w := shared
	der := w.sub.list(crl{})
	v := &Verifier{Cache: NewCache(0)}
	var lists []*list
	for range 2 {
		s := &Sources{Search: w.search.With(nil, v)}
		if err := s.AddCRL(slices.Clone(der)); err != nil {
			t.Fatal(err)
		}
		lists = append(lists, s.listsOf(canonical(w.sub.RawSubject))...)
	}
	if len(lists) != 2 || lists[0] != lists[1] {
		t.Error("the list was read twice")
	}
}

// An authority that two roots certify: who signs its lists under one of them is
// not believed for paths to the other (RFC 5280 §6.3.3 (f)).
func TestSignerOfOtherAnchor(t *testing.T) {
	t.Parallel()
	a, b := issue(nil, "Root A", ca), issue(nil, "Root B", ca)
	sub := issue(a, "Sub", ca)
	cross := issueFor(b, sub.key, "Sub", ca)
	lister := issue(b, "Sub", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	leaf := issue(sub, "Ada")
	search := &Search{Anchors: certificates(a, b), Intermediates: certificates(sub, cross, lister)}
	s := &Sources{Search: search}
	s.Add(ades.Evidence{CRLs: [][]byte{lister.list(crl{}), a.list(crl{}), b.list(crl{})}})
	for anchor, want := range map[*party][]FaultKind{a: {NoStatus}, b: nil} {
		for p := range search.Paths(leaf.Certificate) {
			if p[len(p)-1].Equal(anchor.Certificate) {
				if got := kinds(s.Check(p, noon)); !slices.Equal(got, want) {
					t.Errorf("under %s: %v", anchor.Subject.CommonName, got)
				}
			}
		}
	}
}
