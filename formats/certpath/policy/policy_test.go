package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// said makes a Certificate from words: a policy (any: anyPolicy), a>b (a
// mapping), self, req=n, map=n, any=n; "-" has no policies extension.
func said(words string) Certificate {
	c := Certificate{Policies: []OID{}, Require: None, InhibitMapping: None, InhibitAny: None}
	oid := func(s string) OID {
		if s == "any" {
			return Any
		}
		return OID(s)
	}
	for _, w := range strings.Fields(words) {
		var n int
		from, to, mapped := strings.Cut(w, ">")
		switch {
		case w == "-":
			c.Policies = nil
		case w == "self":
			c.SelfIssued = true
		case mapped:
			c.Mappings = append(c.Mappings, Mapping{oid(from), oid(to)})
		case scan(w, "req=%d", &n):
			c.Require = n
		case scan(w, "map=%d", &n):
			c.InhibitMapping = n
		case scan(w, "any=%d", &n):
			c.InhibitAny = n
		default:
			c.Policies = append(c.Policies, oid(w))
		}
	}
	return c
}

func scan(w, format string, n *int) bool {
	_, err := fmt.Sscanf(w, format, n)
	return err == nil
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	explicit := Settings{RequireExplicit: true}
	for _, tc := range []struct {
		name string
		path string // certificates separated by commas, the anchor's first
		s    Settings
		want string // policies, or the failure's index
	}{
		{"nothing said, nothing asked", "-,-", Settings{}, ""},
		{"nothing said but asked", "-,-", explicit, "at 0"},
		{"the same all the way", "a,a", explicit, "a"},
		{"another one", "a,b", explicit, "at 1"},
		{"any above", "any,a", explicit, "a"},
		{"any below", "a,any", explicit, "a"},
		{"any all the way", "any,any", explicit, "any"},
		{"any all the way, one asked for", "any,any", Settings{RequireExplicit: true, Initial: []OID{"a"}}, "a"},
		{"any inhibited", "any,a", Settings{RequireExplicit: true, InhibitAny: true}, "at 0"},
		{"any inhibited but self-issued", "a,any self,a", Settings{RequireExplicit: true, InhibitAny: true}, "a"},
		{"any inhibited below", "a any=0,any", explicit, "at 1"},
		{"asked for another", "a,a", Settings{RequireExplicit: true, Initial: []OID{"b"}}, "at 1"},
		{"asked for two", "a b,b", Settings{RequireExplicit: true, Initial: []OID{"a", "b"}}, "b"},
		{"required below", "a req=0,b", Settings{}, "at 1"},
		{"required further below", "a req=2,b", Settings{}, ""},
		{"required by the end", "a,b req=0", Settings{}, "at 1"},
		{"mapped", "a a>x,x", explicit, "a"},
		{"mapped, the old name no longer good", "a a>x,a", explicit, "at 1"},
		{"mapped to two", "a a>x a>y,y", explicit, "a"},
		{"two mapped to one", "a b a>x b>x,x", explicit, "a b"},
		{"mapped under any", "any a>x,x", explicit, "a"},
		{"mapped through the middle", "a a>x,x x>y,y", explicit, "a"},
		{"mapping inhibited from the start", "a a>x,x", Settings{RequireExplicit: true, InhibitMapping: true}, "at 1"},
		{"mapping inhibited on the way", "a b map=0,a a>x,x", explicit, "at 2"},
		{"mapped from any", "any any>x,x", Settings{}, "at 0"},
		{"mapped to any", "a a>any,a", Settings{}, "at 0"},
		{"the end's mappings do not matter", "a,a a>any", explicit, "a"},
	} {
		var path []Certificate
		for w := range strings.SplitSeq(tc.path, ",") {
			path = append(path, said(w))
		}
		if got := show(Evaluate(path, tc.s)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func show(r Result) string {
	if r.At != None {
		return fmt.Sprint("at ", r.At)
	}
	var out []string
	for _, p := range r.Policies {
		if p == Any {
			p = "any"
		}
		out = append(out, string(p))
	}
	return strings.Join(out, " ")
}

// A few kilobytes of mappings, each policy to all of the next level, make the
// tree of RFC 5280 grow by a factor of the width at every level.
func TestNoExplosion(t *testing.T) {
	t.Parallel()
	const width, depth = 30, 30
	var path []Certificate
	for d := range depth {
		c := said("")
		for i := range width {
			c.Policies = append(c.Policies, OID(fmt.Sprint(d, ".", i)))
			for j := range width {
				c.Mappings = append(c.Mappings, Mapping{OID(fmt.Sprint(d, ".", i)), OID(fmt.Sprint(d+1, ".", j))})
			}
		}
		path = append(path, c)
	}
	start := time.Now()
	r := Evaluate(path, Settings{RequireExplicit: true})
	if r.At != None || len(r.Policies) != width {
		t.Errorf("%d policies, at %d", len(r.Policies), r.At)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestAgainstTree compares the graph with the tree of RFC 5280 §6.1, which it
// replaces, on random paths small enough for the tree.
func TestAgainstTree(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	passed := 0
	for range 20000 {
		path, s := random(r)
		got, want := Evaluate(path, s), byTree(path, s)
		if got.At == None {
			passed++
		}
		if (got.At == None) != want.ok || want.ok && !slices.Equal(got.Policies, want.policies) {
			t.Fatalf("%+v\nsettings %+v\ngraph %+v\ntree %+v", path, s, got, want)
		}
	}
	if passed < 2000 || passed > 18000 {
		t.Errorf("%d of 20000 passed: the paths say little", passed)
	}
}

func random(r *rand.Rand) ([]Certificate, Settings) {
	all := []OID{"a", "b", "c", Any}
	some := func(n int) (out []OID) {
		for _, k := range r.Perm(len(all))[:r.IntN(n+1)] {
			out = append(out, all[k])
		}
		return out
	}
	path := make([]Certificate, 1+r.IntN(4))
	for i := range path {
		c := Certificate{Policies: some(4), SelfIssued: r.IntN(4) == 0, Require: None, InhibitMapping: None, InhibitAny: None}
		if len(c.Policies) == 0 {
			c.Policies = nil
		}
		for range r.IntN(3) {
			m := Mapping{all[r.IntN(3)], all[r.IntN(3)]}
			if r.IntN(20) == 0 {
				m.Subject = Any
			}
			c.Mappings = append(c.Mappings, m)
		}
		for _, n := range []*int{&c.Require, &c.InhibitMapping, &c.InhibitAny} {
			if r.IntN(5) == 0 {
				*n = r.IntN(3)
			}
		}
		path[i] = c
	}
	s := Settings{RequireExplicit: r.IntN(2) == 0, InhibitMapping: r.IntN(5) == 0, InhibitAny: r.IntN(5) == 0}
	if r.IntN(2) == 0 {
		s.Initial = some(3)
		slices.Sort(s.Initial)
	}
	return path, s
}
