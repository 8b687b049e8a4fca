package certpath

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"
)

// choice is a GeneralName in DER.
func choice(tag int, value string) []byte {
	return must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: tag, IsCompound: tag == dirName || tag == otherName, Bytes: []byte(value)}))
}

// rawName is a Name in DER, of common names and the like.
func rawName(parts ...string) string {
	var seq pkix.RDNSequence
	for _, p := range parts {
		kind, v, _ := strings.Cut(p, "=")
		oid := map[string]asn1.ObjectIdentifier{"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "CN": {2, 5, 4, 3}, "E": {1, 2, 840, 113549, 1, 9, 1}}[kind]
		seq = append(seq, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: v}})
	}
	return string(must(asn1.Marshal(seq)))
}

// constraints is NameConstraints in DER.
func constraints(permitted, excluded [][]byte) []byte {
	trees := func(tag int, names [][]byte) (out []byte) {
		for _, n := range names {
			out = append(out, must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: n}))...)
		}
		if len(names) == 0 {
			return nil
		}
		return must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: tag, IsCompound: true, Bytes: out}))
	}
	return must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: append(trees(0, permitted), trees(1, excluded)...)}))
}

func TestNameConstraints(t *testing.T) {
	t.Parallel()
	ip := func(octets ...byte) string { return string(octets) }
	v6 := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 12)
	for _, tc := range []struct {
		tag        int
		base       string
		in, out    []string // names that lie in the subtree, and that do not
		unreadable []string // names that cannot lie under a constraint of this kind at all
	}{
		{dnsName, "prova.it", []string{"prova.it", "a.prova.it", "A.B.PROVA.IT", "*.prova.it", "prova.it."}, []string{"it", "xprova.it", "prova.it.evil"}, []string{"", "a..it", ".prova.it", "prova.it\x00.evil", "pröva.it"}},
		{dnsName, ".prova.it", []string{"a.prova.it"}, []string{"prova.it"}, nil},
		{dnsName, "", []string{"a", "prova.it"}, nil, []string{""}},
		{emailName, "prova.it", []string{"ada@prova.it", "ADA@PROVA.it"}, []string{"ada@a.prova.it", "ada@it"}, []string{"prova.it", "ada@", "@prova.it", ""}},
		{emailName, ".prova.it", []string{"ada@a.prova.it"}, []string{"ada@prova.it", "ada@xprova.it"}, nil},
		{emailName, "ada@prova.it", []string{"ada@prova.it", "ada@PROVA.it", `"ada"@prova.it`, `"\ada"@prova.it`}, []string{"Ada@prova.it", "bob@prova.it", "ada@a.prova.it", `"x@y"@prova.it`}, nil},
		{uriName, "prova.it", []string{"https://prova.it/x", "http://a@PROVA.it:80", "ldap://prova.it?x"}, []string{"https://a.prova.it/", "https://evil/prova.it", "https://prova.it.evil"}, []string{"urn:x", "https://127.0.0.1/", "https://[::1]/", "mailto:a@prova.it", "//"}},
		{uriName, ".prova.it", []string{"https://a.prova.it/"}, []string{"https://prova.it/"}, nil},
		{ipName, ip(10, 0, 0, 0, 255, 0, 0, 0), []string{ip(10, 1, 2, 3)}, []string{ip(11, 0, 0, 1), v6}, []string{ip(10), ""}},
		{ipName, v6 + strings.Repeat("\xff", 4) + strings.Repeat("\x00", 12), []string{v6[:15] + "\x09"}, []string{ip(10, 1, 2, 3), "\x30" + v6[1:]}, nil},
		{dirName, rawName("C=IT", "O=Prova"), []string{rawName("C=IT", "O=Prova"), rawName("C=IT", "O=  PROVA ", "CN=Ada")}, []string{rawName("C=IT"), rawName("C=IT", "O=Altra"), rawName("O=Prova", "C=IT")}, []string{"\x30\x01\x00"}},
		{dirName, rawName(), []string{rawName("C=IT")}, nil, nil},
		{8, "\x2a\x03", nil, nil, []string{"\x2a\x03", "\x2a\x04"}}, // registeredID: not supported, so nothing may be below
		{otherName, "x", nil, nil, []string{"x"}},
	} {
		permit := must1(readNameConstraints(constraints([][]byte{choice(tc.tag, tc.base)}, nil)))
		exclude := must1(readNameConstraints(constraints(nil, [][]byte{choice(tc.tag, tc.base)})))
		check := func(names []string, permitted, excluded bool) {
			for _, n := range names {
				g := generalName{tc.tag, []byte(n)}
				if got := new(nameChecker).allowed(g, permit) == ""; got != permitted {
					t.Errorf("%d %q permits %q: %v", tc.tag, tc.base, n, got)
				}
				if got := new(nameChecker).allowed(g, exclude) == ""; got != excluded {
					t.Errorf("%d excluding %q leaves %q: %v", tc.tag, tc.base, n, got)
				}
			}
		}
		check(tc.in, true, false)
		check(tc.out, false, true)
		check(tc.unreadable, false, false)
	}
}

func must1[T any](v T, ok bool) T {
	if !ok {
		panic("cannot be read")
	}
	return v
}

// A wildcard stands for names that may be excluded.
func TestExcludedWildcard(t *testing.T) {
	t.Parallel()
	nc := must1(readNameConstraints(constraints(nil, [][]byte{choice(dnsName, "bank.prova.it")})))
	for name, ok := range map[string]bool{"*.prova.it": false, "*.it": true, "*.altra.it": true, "*.bank.prova.it": false, "shop.prova.it": true} {
		if got := new(nameChecker).allowed(generalName{dnsName, []byte(name)}, nc) == ""; got != ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Addresses are constrained wherever they stand, in the subject and in the
// internationalised form.
func TestAddressesElsewhere(t *testing.T) {
	t.Parallel()
	nc := must1(readNameConstraints(constraints([][]byte{choice(emailName, "prova.it")}, nil)))
	check := func(raw string) string {
		c := *issue(nil, "x").Certificate
		c.RawSubject = []byte(raw)
		return (&nameChecker{constraints: []*nameConstraints{nc}}).check(&c)
	}
	if why := check(rawName("CN=Ada", "E=ada@prova.it")); why != "" {
		t.Error(why)
	}
	if check(rawName("CN=Ada", "E=ada@evil.example")) == "" {
		t.Error("an address in the subject goes through")
	}
	if new(nameChecker).allowed(generalName{otherName, []byte(smtpUTF8Mailbox + "\xa0\x03\x0c\x01x")}, nc) == "" {
		t.Error("an internationalised address goes through")
	}
}

func TestNameConstraintsBroken(t *testing.T) {
	t.Parallel()
	for name, der := range map[string][]byte{
		"empty":        {0x30, 0},
		"nothing":      {},
		"minimum 1":    []byte("\x30\x0a\xa0\x08\x30\x06\x82\x01x\x80\x01\x01"),
		"maximum":      []byte("\x30\x0a\xa0\x08\x30\x06\x82\x01x\x81\x01\x01"),
		"tail":         append(constraints([][]byte{choice(dnsName, "x")}, nil), 0),
		"address":      constraints([][]byte{choice(ipName, "1234")}, nil),
		"not ASCII":    constraints([][]byte{choice(dnsName, "pröva.it")}, nil),
		"mailbox":      constraints([][]byte{choice(emailName, "@prova.it")}, nil),
		"unknown kind": constraints([][]byte{choice(9, "x")}, nil),
	} {
		if _, ok := readNameConstraints(der); ok {
			t.Errorf("%s: read", name)
		}
	}
	if _, ok := readNameConstraints([]byte("\x30\x0a\xa0\x08\x30\x06\x82\x01x\x80\x01\x00")); !ok {
		t.Error("minimum 0 written out is not read")
	}
}

// Thousands of names under thousands of constraints are refused, soon.
func TestManyNames(t *testing.T) {
	t.Parallel()
	names := slices.Repeat([][]byte{choice(dnsName, "a.example")}, 5000)
	nc := must1(readNameConstraints(constraints(nil, slices.Repeat([][]byte{choice(dnsName, "b.example")}, 5000))))
	k := &nameChecker{constraints: []*nameConstraints{nc}}
	start, why := time.Now(), ""
	for range names {
		if why = k.allowed(generalName{dnsName, []byte("a.example")}, nc); why != "" {
			break
		}
	}
	if why == "" || time.Since(start) > time.Second {
		t.Errorf("%q after %v", why, time.Since(start))
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	attr := func(tag int, v string) string {
		value := must(asn1.Marshal(asn1.RawValue{Tag: tag, Bytes: []byte(v)}))
		a := must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: append([]byte{6, 3, 0x55, 4, 3}, value...)}))
		return string(must(asn1.Marshal(asn1.RawValue{Tag: 17, IsCompound: true, Bytes: a})))
	}
	seq := func(s string) []byte {
		return must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: []byte(s)}))
	}
	const printable, utf8, ia5, teletex, bmp = 19, 12, 22, 20, 30
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{attr(printable, "Test CA"), attr(utf8, "test  ca "), true},
		{attr(printable, "Test CA"), attr(ia5, "Test CA"), true},
		{attr(utf8, "Città"), attr(utf8, "CITTÀ"), true},
		{attr(utf8, "Straße"), attr(utf8, "STRASSE"), true},
		{attr(utf8, "e\u0301"), attr(utf8, "é"), true},
		{attr(printable, "TestCA"), attr(printable, "Test CA"), false},
		{attr(teletex, "Test"), attr(teletex, "test"), false},
		{attr(teletex, "Test"), attr(printable, "Test"), false},
		{attr(printable, "a") + attr(printable, "b"), attr(printable, "b") + attr(printable, "a"), false},
		{attr(bmp, "\x00a"), attr(utf8, "a"), false},
		{attr(printable, ""), "", false},
	} {
		if got := sameName(seq(tc.a), seq(tc.b)); got != tc.same {
			t.Errorf("%q and %q: %v", tc.a, tc.b, got)
		}
	}
	if sameName([]byte("\x30\x01\x00"), []byte("\x30\x01\x01")) || !sameName([]byte("x"), []byte("x")) {
		t.Error("what cannot be read must match only itself")
	}
}
