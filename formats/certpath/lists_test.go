package certpath

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
)

// world is what the tests of lists share: a root, an authority, a holder whose
// certificate names a distribution point, and others who sign lists.
type world struct {
	root, sub, holder, named *party
	rekeyed                  *party // the authority's other key, certified by the root
	other, lister            *party // another authority, and a list issuer under the root
	stranger                 *party // the authority's name under a root that is trusted too
	strangerRoot             *party
	search                   *Search
}

var shared = func() *world {
	w := &world{root: issue(nil, "Root", ca), strangerRoot: issue(nil, "Stranger", ca)}
	w.sub = issue(w.root, "Sub", ca)
	w.rekeyed = issue(w.root, "Sub", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	w.other = issue(w.root, "Altra", ca)
	w.lister = issue(w.root, "Lister", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	w.stranger = issue(w.strangerRoot, "Sub", ca)
	w.holder = issue(w.sub, "Ada", func(c *x509.Certificate) {
		c.CRLDistributionPoints = []string{"http://x/1.crl", "http://x/2.crl"}
	})
	w.named = issue(w.sub, "Grace", pointTo("http://x/all.crl", w.lister))
	w.search = &Search{Anchors: certificates(w.root, w.strangerRoot),
		Intermediates: certificates(w.sub, w.rekeyed, w.other, w.lister, w.stranger), Verifier: &Verifier{Cache: NewCache(0), Budget: 1 << 30}}
	return w
}()

// pointTo is cRLDistributionPoints of one point whose list another signs.
func pointTo(uri string, issuer *party) func(*x509.Certificate) {
	name := choice(dirName, string(issuer.RawSubject))
	body := append([]byte(at(uri)), must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 2, IsCompound: true, Bytes: name}))...)
	point := must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: body}))
	return with(false, must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: point})), 2, 5, 29, 31)
}

// says writes statuses as words, newest first: good, hold, revoked/reason,
// unknown; +n for what is put together from n sources.
func says(statuses []Status) string {
	var out []string
	for _, st := range statuses {
		w := "good"
		switch {
		case st.Unknown:
			w = "unknown"
		case st.Revoked && st.Reason == onHold:
			w = "hold"
		case st.Revoked:
			w = fmt.Sprint("revoked/", st.Reason)
		}
		if len(st.Parts) > 0 {
			w += fmt.Sprint("+", len(st.Parts))
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// TestLists puts lists of all kinds before the holder's certificate.
func TestLists(t *testing.T) {
	t.Parallel()
	w := shared
	h, early := w.holder.Certificate, noon.Add(-10*day)
	gone, hold, back := revokes(h, early, 1), revokes(h, early, onHold), revokes(h, early, removeFromCRL)
	entries := func(e ...x509.RevocationListEntry) []x509.RevocationListEntry { return e }
	ext := func(e ...pkix.Extension) []pkix.Extension { return e }
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	odd := gone
	odd.ExtraExtensions = []pkix.Extension{unknown}
	newer := noon.Add(-time.Minute)
	for _, tc := range []struct {
		name  string
		lists [][]byte
		want  string
	}{
		{"good", [][]byte{w.sub.list(crl{})}, "good"},
		{"revoked", [][]byte{w.sub.list(crl{revoked: entries(gone)})}, "revoked/1"},
		{"on hold", [][]byte{w.sub.list(crl{revoked: entries(hold)})}, "hold"},
		{"another's entry", [][]byte{w.sub.list(crl{revoked: entries(revokes(w.named.Certificate, early, 1))})}, "good"},
		{"twice in a list, the worse counts", [][]byte{w.sub.list(crl{revoked: entries(gone, hold, back)})}, "revoked/1"},
		{"twice in a list, the other way", [][]byte{w.sub.list(crl{revoked: entries(back, hold)})}, "hold"},
		{"the newer first", [][]byte{w.sub.list(crl{revoked: entries(hold)}), w.sub.list(crl{this: newer})}, "good hold"},
		{"by another authority", [][]byte{w.other.list(crl{revoked: entries(gone)})}, ""},
		{"by another authority of the same name, also trusted", [][]byte{w.stranger.list(crl{revoked: entries(gone)})}, ""},
		{"by the authority's other key", [][]byte{w.rekeyed.list(crl{revoked: entries(gone)})}, "revoked/1"},
		{"for users only", [][]byte{w.sub.list(crl{extensions: ext(idp(onlyUser))})}, "good"},
		{"for authorities only", [][]byte{w.sub.list(crl{extensions: ext(idp(onlyCA))})}, ""},
		{"for attribute certificates only", [][]byte{w.sub.list(crl{revoked: entries(gone), extensions: ext(idp(onlyAttributes))})}, ""},
		{"of its point", [][]byte{w.sub.list(crl{extensions: ext(idp(at("http://x/2.crl")))})}, "good"},
		{"of another point", [][]byte{w.sub.list(crl{extensions: ext(idp(at("http://x/3.crl")))})}, ""},
		{"of another point, revoked there", [][]byte{w.sub.list(crl{revoked: entries(gone), extensions: ext(idp(at("http://x/3.crl")))})}, "revoked/1"},
		{"of another point, on hold there", [][]byte{w.sub.list(crl{revoked: entries(hold), extensions: ext(idp(at("http://x/3.crl")))})}, ""},
		{"of some reasons", [][]byte{w.sub.list(crl{extensions: ext(idp(keyReasons))})}, ""},
		{"of some reasons, revoked", [][]byte{w.sub.list(crl{revoked: entries(gone), extensions: ext(idp(keyReasons))})}, "revoked/1"},
		{"of all reasons in two", [][]byte{w.sub.list(crl{extensions: ext(idp(keyReasons))}), w.sub.list(crl{extensions: ext(idp(otherReasons))})}, "good+2"},
		{"on hold in one of two", [][]byte{w.sub.list(crl{extensions: ext(idp(keyReasons))}), w.sub.list(crl{revoked: entries(hold), extensions: ext(idp(otherReasons))})}, "hold+2"},
		{"unknown critical extension", [][]byte{w.sub.list(crl{extensions: ext(unknown)})}, ""},
		{"unknown critical extension, revoked", [][]byte{w.sub.list(crl{revoked: entries(gone), extensions: ext(unknown)})}, "revoked/1"},
		{"unknown critical extension in an entry", [][]byte{w.sub.list(crl{revoked: entries(odd)})}, ""},
		{"an entry of another issuer in a list that is not indirect", [][]byte{w.sub.list(crl{revoked: entries(of(gone, w.other.Certificate))})}, ""},
		{"delta alone", [][]byte{w.sub.list(crl{number: 6, extensions: ext(delta(5))})}, ""},
		{"delta alone, revoked", [][]byte{w.sub.list(crl{number: 6, revoked: entries(gone), extensions: ext(delta(5))})}, "revoked/1"},
		{"delta and base", [][]byte{w.sub.list(crl{number: 5}), w.sub.list(crl{number: 6, this: newer, extensions: ext(delta(5))})}, "good+2 good"},
		{"delta puts on hold", [][]byte{w.sub.list(crl{number: 5}), w.sub.list(crl{number: 6, this: newer, revoked: entries(hold), extensions: ext(delta(5))})}, "hold+2 good"},
		{"delta releases", [][]byte{w.sub.list(crl{number: 5, revoked: entries(hold)}), w.sub.list(crl{number: 6, this: newer, revoked: entries(back), extensions: ext(delta(5))})}, "good+2 hold"},
		{"of the same second, the delta first", [][]byte{w.sub.list(crl{number: 5, revoked: entries(hold)}), w.sub.list(crl{number: 6, revoked: entries(back), extensions: ext(delta(5))})}, "good+2 hold"},
		{"delta of a later base", [][]byte{w.sub.list(crl{number: 5}), w.sub.list(crl{number: 9, this: newer, extensions: ext(delta(7))})}, "good"},
		{"delta older than its base", [][]byte{w.sub.list(crl{number: 5}), w.sub.list(crl{number: 5, revoked: entries(hold), extensions: ext(delta(4))})}, "good"},
		{"delta of another scope", [][]byte{w.sub.list(crl{number: 5}), w.sub.list(crl{number: 6, revoked: entries(hold), extensions: ext(idp(onlyUser), delta(5))})}, "good"},
		{"deltas of partitions", [][]byte{w.sub.list(crl{number: 5, extensions: ext(idp(keyReasons))}), w.sub.list(crl{number: 5, extensions: ext(idp(otherReasons))}),
			w.sub.list(crl{number: 6, this: newer, revoked: entries(hold), extensions: ext(idp(otherReasons), delta(5))})}, "hold+3 good+2"},
		{"indirect that it does not name", [][]byte{w.lister.list(crl{revoked: entries(of(gone, w.sub.Certificate)), extensions: ext(idp(indirect))})}, ""},
		{"its own authority's indirect list, another's entry", [][]byte{w.sub.list(crl{revoked: entries(of(gone, w.other.Certificate)), extensions: ext(idp(indirect))})}, "good"},
		{"its own authority's indirect list, its own entry after another's", [][]byte{w.sub.list(crl{extensions: ext(idp(indirect)),
			revoked: entries(of(revokes(w.named.Certificate, early, 1), w.other.Certificate), of(gone, w.sub.Certificate))})}, "revoked/1"},
		{"its own authority's indirect list, the issuer stays", [][]byte{w.sub.list(crl{extensions: ext(idp(indirect)),
			revoked: entries(of(revokes(w.named.Certificate, early, 1), w.other.Certificate), gone)})}, "good"},
	} {
		s := &Sources{Search: w.search}
		for _, der := range tc.lists {
			if err := s.AddCRL(der); err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
		}
		if g := says(s.Statuses(h, w.sub.Certificate)); g != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
		}
		if says(s.Statuses(h, w.other.Certificate)) != "" {
			t.Errorf("%s: somebody else is its issuer", tc.name)
		}
	}
}

// TestIndirect is about a certificate that names another list issuer.
func TestIndirect(t *testing.T) {
	t.Parallel()
	w := shared
	c := w.named.Certificate
	gone := revokes(c, noon.Add(-day), 1)
	scoped := []pkix.Extension{idp(at("http://x/all.crl"), indirect)}
	for _, tc := range []struct {
		name string
		list []byte
		want string
	}{
		{"good", w.lister.list(crl{extensions: scoped}), "good"},
		{"revoked", w.lister.list(crl{revoked: []x509.RevocationListEntry{of(gone, w.sub.Certificate)}, extensions: scoped}), "revoked/1"},
		{"the list issuer's own certificate of the same number", w.lister.list(crl{revoked: []x509.RevocationListEntry{gone}, extensions: scoped}), "good"},
		{"not said to be indirect", w.lister.list(crl{extensions: []pkix.Extension{idp(at("http://x/all.crl"))}}), ""},
		{"of another point", w.lister.list(crl{extensions: []pkix.Extension{idp(at("http://x/1.crl"), indirect)}}), ""},
		{"the authority itself", w.sub.list(crl{}), "good"},
	} {
		s := &Sources{Search: w.search}
		if err := s.AddCRL(tc.list); err != nil {
			t.Fatal(err)
		}
		got := s.Statuses(c, w.sub.Certificate)
		if g := says(got); g != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
		}
		for _, st := range got {
			path := st.SignerPath
			if !st.Signer.Equal(path[0]) || st.Signer.Equal(w.lister.Certificate) && !path[len(path)-1].Equal(w.root.Certificate) ||
				st.Signer.Equal(w.sub.Certificate) && len(path) != 1 {
				t.Errorf("%s: the signer's path has %d certificates", tc.name, len(path))
			}
		}
		if alone := (&Sources{}); alone.AddCRL(tc.list) != nil || tc.name != "the authority itself" && len(alone.Statuses(c, w.sub.Certificate)) != 0 {
			t.Errorf("%s: believed without an anchor", tc.name)
		}
	}
}

// TestWhoMaySignLists: keys that are not for lists.
func TestWhoMaySignLists(t *testing.T) {
	t.Parallel()
	root := issue(nil, "Root", ca)
	noLists := issue(root, "Sub", ca, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	leaf := issue(noLists, "Ada")
	user := issue(root, "Sub")                                                                       // has the name, but no keyUsage for lists
	lister := issue(noLists, "Sub", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }) // self-issued, for lists alone
	below := issue(user, "Sub", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })     // a right signature by no authority
	for _, tc := range []struct {
		name   string
		signer *party
		want   string
	}{{"no cRLSign", noLists, ""}, {"a user of that name", user, ""}, {"its key for lists", lister, "good"}, {"certified by a user", below, ""}} {
		s := &Sources{Search: &Search{Anchors: certificates(root)}}
		s.Add(ades.Evidence{Certificates: certificates(noLists, user, lister, below), CRLs: [][]byte{tc.signer.list(crl{})}})
		if got := says(s.Statuses(leaf.Certificate, noLists.Certificate)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestListDetails looks at what a Status tells beside good or bad.
func TestListDetails(t *testing.T) {
	t.Parallel()
	w := shared
	keeps := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 60}, Value: []byte("\x18\x0f20200101000000Z")}
	der := w.sub.list(crl{revoked: []x509.RevocationListEntry{revokes(w.holder.Certificate, noon.Add(-day), 3)}, extensions: []pkix.Extension{keeps}})
	s := &Sources{Search: w.search}
	s.Add(ades.Evidence{CRLs: [][]byte{der, der, []byte("nonsense")}})
	got := s.Statuses(w.holder.Certificate, w.sub.Certificate)
	if len(got) != 1 {
		t.Fatalf("%d statements", len(got))
	}
	st := got[0]
	if st.Kind != CRL || string(st.DER) != string(der) || string(st.Sum[:]) != string(sha(der)) || !st.ThisUpdate.Equal(noon.Add(-time.Hour)) ||
		!st.NextUpdate.Equal(noon.Add(day)) || !st.At.Equal(noon.Add(-day)) || st.Reason != 3 || !st.CoversExpired || st.Algorithm.Hash.Size() != 32 ||
		!slices.EqualFunc(st.SignerPath, Path{w.sub.Certificate}, (*x509.Certificate).Equal) || !st.Final() {
		t.Errorf("%+v", st)
	}
	for _, broken := range [][]byte{nil, {0x30, 0}, der[:len(der)-1], append(slices.Clone(der), 0)} {
		if err := s.AddCRL(broken); KindOf(err) != Malformed {
			t.Errorf("%d octets: %v", len(broken), err)
		}
	}
}

// More than is taken may hold a revocation, so it is not forgotten that there was
// more.
func TestTooManyLists(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{maxLists: false, maxLists + 1: true} {
		v := &Verifier{}
		s := (&Sources{}).With((&Search{}).With(nil, v))
		s.Add(ades.Evidence{CRLs: make([][]byte, n)})
		if v.Missed() != want {
			t.Errorf("%d lists: %v", n, v.Missed())
		}
	}
}
