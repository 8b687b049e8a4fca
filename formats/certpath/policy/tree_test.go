package policy

import "slices"

// This is the valid_policy_tree of RFC 5280 §6.1, word for word and as wasteful
// as it stands there, to compare the graph with.

type leafNode struct {
	policy   OID
	expected []OID
	children []*leafNode
}

type treeResult struct {
	ok       bool
	policies []OID
}

// level gives the nodes of a depth.
func level(n *leafNode, depth int) []*leafNode {
	if n == nil || depth == 0 {
		if n == nil {
			return nil
		}
		return []*leafNode{n}
	}
	var out []*leafNode
	for _, c := range n.children {
		out = append(out, level(c, depth-1)...)
	}
	return out
}

// prune removes nodes above a depth that lead nowhere; nil if all are gone.
func prune(n *leafNode, depth int) *leafNode {
	if n == nil || depth == 0 {
		return n
	}
	n.children = slices.DeleteFunc(n.children, func(c *leafNode) bool { return prune(c, depth-1) == nil })
	if len(n.children) == 0 {
		return nil
	}
	return n
}

// remove deletes the nodes of a depth that a function names.
func remove(n *leafNode, depth int, gone func(*leafNode) bool) {
	if n == nil {
		return
	}
	if depth == 1 {
		n.children = slices.DeleteFunc(n.children, gone)
		return
	}
	for _, c := range n.children {
		remove(c, depth-1, gone)
	}
}

func byTree(path []Certificate, s Settings) treeResult {
	n := len(path)
	start := func(set bool) int {
		if set {
			return 0
		}
		return n + 1
	}
	explicit, mapping, any := start(s.RequireExplicit), start(s.InhibitMapping), start(s.InhibitAny)
	tree := &leafNode{policy: Any, expected: []OID{Any}}
	for k, c := range path {
		i := k + 1
		tree = grow(tree, c, i, any > 0 || i < n && c.SelfIssued)
		if explicit == 0 && tree == nil {
			return treeResult{}
		}
		if i == n {
			break
		}
		for _, m := range c.Mappings {
			if m.Issuer == Any || m.Subject == Any {
				return treeResult{}
			}
		}
		tree = remap(tree, c, i, mapping > 0)
		if !c.SelfIssued {
			explicit, mapping, any = max(0, explicit-1), max(0, mapping-1), max(0, any-1)
		}
		for counter, to := range map[*int]int{&explicit: c.Require, &mapping: c.InhibitMapping, &any: c.InhibitAny} {
			if to != None {
				*counter = min(*counter, to)
			}
		}
	}
	explicit = max(0, explicit-1)
	if path[n-1].Require == 0 {
		explicit = 0
	}
	valid := intersect(tree, n, s.Initial)
	return treeResult{explicit > 0 || len(valid) > 0, valid}
}

// grow is §6.1.3 (d) and (e).
func grow(tree *leafNode, c Certificate, i int, anyCounts bool) *leafNode {
	if c.Policies == nil || tree == nil {
		return nil
	}
	above := level(tree, i-1)
	for _, p := range c.Policies {
		if p == Any {
			continue
		}
		matched := false
		for _, a := range above {
			if slices.Contains(a.expected, p) {
				a.children = append(a.children, &leafNode{policy: p, expected: []OID{p}})
				matched = true
			}
		}
		for _, a := range above {
			if !matched && a.policy == Any {
				a.children = append(a.children, &leafNode{policy: p, expected: []OID{p}})
			}
		}
	}
	if slices.Contains(c.Policies, Any) && anyCounts {
		for _, a := range above {
			for _, e := range a.expected {
				if !slices.ContainsFunc(a.children, func(c *leafNode) bool { return c.policy == e }) {
					a.children = append(a.children, &leafNode{policy: e, expected: []OID{e}})
				}
			}
		}
	}
	return prune(tree, i)
}

// remap is §6.1.4 (b).
func remap(tree *leafNode, c Certificate, i int, allowed bool) *leafNode {
	to := map[OID][]OID{}
	for _, m := range c.Mappings {
		if !slices.Contains(to[m.Issuer], m.Subject) {
			to[m.Issuer] = append(to[m.Issuer], m.Subject)
		}
	}
	if tree == nil {
		return nil
	}
	if !allowed {
		remove(tree, i, func(n *leafNode) bool { return to[n.policy] != nil })
		return prune(tree, i)
	}
	at := level(tree, i)
	for issuer, subjects := range to {
		found := false
		for _, n := range at {
			if n.policy == issuer {
				n.expected, found = subjects, true
			}
		}
		for _, a := range level(tree, i-1) {
			if !found && a.policy == Any && slices.ContainsFunc(a.children, func(c *leafNode) bool { return c.policy == Any }) {
				a.children = append(a.children, &leafNode{policy: issuer, expected: subjects})
			}
		}
	}
	return tree
}

// intersect is §6.1.5 (g): the policies that remain under anyPolicy.
func intersect(tree *leafNode, n int, initial []OID) []OID {
	if tree == nil {
		return nil
	}
	all := len(initial) == 0 || slices.Contains(initial, Any)
	var out []OID
	for depth := range n {
		for _, a := range level(tree, depth) {
			for _, c := range a.children {
				if a.policy == Any && c.policy != Any && (all || slices.Contains(initial, c.policy)) {
					out = append(out, c.policy)
				}
			}
		}
	}
	for _, e := range level(tree, n) {
		switch {
		case e.policy != Any:
		case all:
			out = append(out, Any)
		default:
			out = append(out, initial...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
