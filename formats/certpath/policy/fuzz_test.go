package policy

import (
	"slices"
	"testing"
	"time"
)

// FuzzEvaluate makes paths of the input's octets and compares the graph with the
// tree where that is small enough.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x01a", "\x20abc\x21a>b\x22b", "\x0fab\xff\x10\x81ab\x02\x31", "\xff\xff\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		path, s := fromOctets(in)
		start := time.Now()
		got := Evaluate(path, s)
		if time.Since(start) > time.Second {
			t.Errorf("took %v", time.Since(start))
		}
		if len(path) == 0 || len(path) > 4 || len(in) > 60 {
			return
		}
		if want := byTree(path, s); (got.At == None) != want.ok || want.ok && !slices.Equal(got.Policies, want.policies) {
			t.Errorf("%+v\nsettings %+v\ngraph %+v\ntree %+v", path, s, got, want)
		}
	})
}

// fromOctets reads settings from the first octet, and then certificates: one
// octet of flags and counts, policies, pairs of mappings.
func fromOctets(in []byte) (path []Certificate, s Settings) {
	next := func() byte {
		if len(in) == 0 {
			return 0
		}
		b := in[0]
		in = in[1:]
		return b
	}
	oid := func() OID {
		if b := next(); b%8 > 0 {
			return OID([]byte{b % 8})
		}
		return Any
	}
	flags := next()
	s = Settings{RequireExplicit: flags&1 > 0, InhibitMapping: flags&2 > 0, InhibitAny: flags&4 > 0}
	for range flags >> 6 {
		s.Initial = append(s.Initial, oid())
	}
	for len(in) > 0 && len(path) < 32 {
		c := Certificate{SelfIssued: false, Require: None, InhibitMapping: None, InhibitAny: None}
		flags, counts := next(), next()
		c.SelfIssued = flags&1 > 0
		for i, n := range []*int{&c.Require, &c.InhibitMapping, &c.InhibitAny} {
			if flags&(2<<i) > 0 {
				*n = int(flags >> 6)
			}
		}
		for range counts & 15 {
			if p := oid(); !slices.Contains(c.Policies, p) {
				c.Policies = append(c.Policies, p)
			}
		}
		for range counts >> 4 {
			c.Mappings = append(c.Mappings, Mapping{oid(), oid()})
		}
		path = append(path, c)
	}
	return path, s
}
