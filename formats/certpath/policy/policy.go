// Package policy decides under which certificate policies a certification path
// is valid (RFC 5280 §6.1, as RFC 9618 puts it).
//
// A path is valid for a policy if every certificate on it asserts that policy,
// or anyPolicy, or one that the authority above mapped it to. RFC 5280 describes
// this by a tree whose nodes are copied for every way that leads to them, so
// that a chain of mappings of a few kilobytes grows it past any memory. RFC 9618
// replaces the tree by a graph with one node for each policy at each depth, which
// gives the same answers and never has more nodes and edges than the
// certificates have policies and mappings. That graph is this package; it knows
// policies as opaque strings and nothing of certificates.
package policy

import "slices"

// OID is an object identifier: the content octets of its DER.
type OID string

// Any is anyPolicy, 2.5.29.32.0.
const Any OID = "\x55\x1d\x20\x00"

// Mapping says that the issuer takes Subject for as good as Issuer (§4.2.1.5).
type Mapping struct{ Issuer, Subject OID }

// None is the value of a policy constraint that is not there.
const None = -1

// Certificate is what one certificate says about policies.
type Certificate struct {
	// Policies of certificatePolicies, each once; nil: no such extension.
	Policies []OID
	// Mappings of policyMappings.
	Mappings []Mapping
	// SelfIssued: issuer and subject are the same name.
	SelfIssued bool
	// Require, InhibitMapping and InhibitAny are requireExplicitPolicy,
	// inhibitPolicyMapping and inhibitAnyPolicy: after so many more certificates;
	// None: not there.
	Require, InhibitMapping, InhibitAny int
}

// Settings are the inputs of §6.1.1 (c) to (g).
type Settings struct {
	// Initial is the user-initial-policy-set; empty: any policy.
	Initial []OID
	// RequireExplicit, InhibitMapping and InhibitAny are the initial indicators.
	RequireExplicit, InhibitMapping, InhibitAny bool
}

// Result is the outcome for a path.
type Result struct {
	// Policies is the user-constrained-policy-set: those of the initial set for
	// which the path is valid, as the authority under the anchor names them.
	Policies []OID
	// At is the index of the certificate at which the path became invalid,
	// None if it is valid.
	At int
	// Why it became invalid.
	Why Failure
}

// Failure says why a path is not valid.
type Failure string

// The failures.
const (
	NoPolicy  Failure = "a policy is required and none is valid"
	MappedAny Failure = "anyPolicy is mapped"
)

// node is a policy valid at one depth. expected are those that a certificate one
// deeper may assert under it.
type node struct {
	policy   OID
	expected []OID
	parents  []*node
}

// graph is the valid_policy_graph, of which the deepest level is at hand and the
// others hang on it by parents: what does not lead to the deepest level is gone
// without being pruned. Without nodes it is NULL.
type graph struct {
	level, above []*node // depth i and i-1
}

// Evaluate judges a path given from the certificate under the anchor, which is
// first, to the last. The anchor itself is not among them.
func Evaluate(path []Certificate, s Settings) Result {
	n := len(path)
	counter := func(now bool) int {
		if now {
			return 0
		}
		return n + 1
	}
	explicit, mapping, any := counter(s.RequireExplicit), counter(s.InhibitMapping), counter(s.InhibitAny)
	g := graph{level: []*node{{policy: Any, expected: []OID{Any}}}}
	for i, c := range path {
		last := i == n-1
		g.descend(c, any > 0 || !last && c.SelfIssued)
		if explicit == 0 && len(g.level) == 0 {
			return Result{At: i, Why: NoPolicy}
		}
		if !last {
			for _, m := range c.Mappings {
				if m.Issuer == Any || m.Subject == Any {
					return Result{At: i, Why: MappedAny}
				}
			}
			g.mapped(c.Mappings, mapping > 0)
		}
		if last || !c.SelfIssued { // §6.1.4 (h) and §6.1.5 (a)
			explicit, mapping, any = max(explicit-1, 0), max(mapping-1, 0), max(any-1, 0)
		}
		if last { // §6.1.5 (b)
			if c.Require == 0 {
				explicit = 0
			}
			continue
		}
		tighten(&explicit, c.Require)
		tighten(&mapping, c.InhibitMapping)
		tighten(&any, c.InhibitAny)
	}
	valid := g.valid(s.Initial)
	if explicit == 0 && len(valid) == 0 {
		return Result{At: max(n-1, 0), Why: NoPolicy}
	}
	return Result{Policies: valid, At: None}
}

func tighten(counter *int, to int) {
	if to != None && to < *counter {
		*counter = to
	}
}

// descend adds a level for a certificate (RFC 9618 §5.3: steps (d) and (e)).
func (g *graph) descend(c Certificate, anyCounts bool) {
	g.above, g.level = g.level, nil
	if len(g.above) == 0 {
		return
	}
	expected := map[OID][]*node{}
	var order []OID // of expected, so that results do not depend on a map
	var anyAbove *node
	for _, n := range g.above {
		if n.policy == Any {
			anyAbove = n
		}
		for _, p := range n.expected {
			if expected[p] == nil {
				order = append(order, p)
			}
			expected[p] = append(expected[p], n)
		}
	}
	add := func(p OID, parents ...*node) {
		g.level = append(g.level, &node{policy: p, expected: []OID{p}, parents: parents})
	}
	has := make(map[OID]bool, len(c.Policies))
	for _, p := range c.Policies {
		if has[p] {
			continue
		}
		has[p] = true
		switch {
		case p == Any:
		case expected[p] != nil:
			add(p, expected[p]...)
		case anyAbove != nil:
			add(p, anyAbove)
		}
	}
	if !has[Any] || !anyCounts {
		return
	}
	for _, p := range order {
		if p == Any || !has[p] {
			add(p, expected[p]...)
		}
	}
}

// mapped carries out policyMappings (RFC 9618 §5.4: step (b)).
func (g *graph) mapped(mappings []Mapping, allowed bool) {
	if len(mappings) == 0 || len(g.level) == 0 {
		return
	}
	to := map[OID][]OID{}
	seen := make(map[Mapping]bool, len(mappings))
	var order []OID
	for _, m := range mappings {
		if to[m.Issuer] == nil {
			order = append(order, m.Issuer)
		}
		if !seen[m] {
			seen[m] = true
			to[m.Issuer] = append(to[m.Issuer], m.Subject)
		}
	}
	if !allowed {
		g.level = slices.DeleteFunc(g.level, func(n *node) bool { return to[n.policy] != nil })
		return
	}
	at := map[OID]*node{}
	for _, n := range g.level {
		at[n.policy] = n
	}
	for _, p := range order {
		switch n := at[p]; {
		case n != nil:
			n.expected = to[p]
		case at[Any] != nil:
			g.level = append(g.level, &node{policy: p, expected: to[p], parents: at[Any].parents})
		}
	}
}

// valid gives the user-constrained-policy-set (RFC 9618 §5.5: step (g)): the
// authority's policies are the nodes just under anyPolicy; if anyPolicy itself
// reached the end, the initial set is valid whole.
func (g *graph) valid(initial []OID) []OID {
	var out []OID
	seen := map[*node]bool{}
	todo := slices.Clone(g.level)
	any := false
	for _, n := range todo {
		any = any || n.policy == Any
		seen[n] = true
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.policy != Any && len(n.parents) == 1 && n.parents[0].policy == Any {
			out = append(out, n.policy)
		}
		for _, p := range n.parents {
			if !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	switch {
	case len(initial) == 0 || slices.Contains(initial, Any):
		if any {
			out = append(out, Any)
		}
	case any:
		out = slices.Clone(initial)
	default:
		out = slices.DeleteFunc(out, func(p OID) bool { return !slices.Contains(initial, p) })
	}
	slices.Sort(out)
	return slices.Compact(out)
}
