package c14n

import (
	"cmp"
	"slices"
	"strings"
)

// declare checks a namespace declaration against Namespaces in XML 1.0 §3.
func (p *parser) declare(n *Node, prefix, uri string) error {
	switch {
	case len(uri) > p.lim.Namespace:
		return p.fail(Limit, "a namespace URI is longer than %d bytes", p.lim.Namespace)
	case prefix == "xmlns" || uri == xmlnsNamespace:
		return p.bad("the prefix and the namespace of xmlns cannot be declared")
	case (prefix == "xml") != (uri == xmlNamespace):
		return p.bad("the prefix xml and its namespace belong to each other alone")
	case prefix != "" && uri == "":
		return p.bad("the prefix %s cannot be undeclared in XML 1.0", prefix)
	}
	p.relative = p.relative || uri != "" && !absolute(uri)
	n.Namespaces = append(n.Namespaces, Namespace{Prefix: prefix, URI: uri})
	return nil
}

// resolve finds the namespaces of the element and its attributes, puts them
// in canonical order and refuses duplicates.
func (p *parser) resolve(n *Node) error {
	slices.SortFunc(n.Namespaces, byPrefix)
	for i := 1; i < len(n.Namespaces); i++ {
		if n.Namespaces[i].Prefix == n.Namespaces[i-1].Prefix {
			return p.bad("<%s> declares a namespace prefix twice", n.Local)
		}
	}
	var ok bool
	if n.Space, ok = p.lookup(n.Prefix); !ok {
		return p.bad("the prefix %s of <%s> is not declared", n.Prefix, n.Local)
	}
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if a.Prefix == "" {
			continue
		}
		if a.Space, ok = p.lookup(a.Prefix); !ok {
			return p.bad("the prefix %s of the attribute %s is not declared", a.Prefix, a.Local)
		}
	}
	slices.SortFunc(n.Attrs, order)
	for i := 1; i < len(n.Attrs); i++ {
		if n.Attrs[i].Space == n.Attrs[i-1].Space && n.Attrs[i].Local == n.Attrs[i-1].Local {
			return p.bad("<%s> has the attribute %s twice", n.Local, n.Attrs[i].Local)
		}
	}
	return nil
}

// order is the canonical order of attributes (Canonical XML §2.2): namespace
// URI first, then local name, both by code point, which is byte order in UTF-8.
func order(a, b Attr) int {
	return cmp.Or(strings.Compare(a.Space, b.Space), strings.Compare(a.Local, b.Local))
}

// lookup gives the namespace a prefix is bound to here.
func (p *parser) lookup(prefix string) (string, bool) {
	uris := p.scope[prefix]
	if len(uris) == 0 {
		return "", prefix == ""
	}
	return uris[len(uris)-1], true
}

// enter brings the declarations of n into scope.
func (p *parser) enter(n *Node) {
	if len(n.Namespaces) > 0 {
		p.bare = nil // the same names may mean something else now
	}
	for _, ns := range n.Namespaces {
		p.scope[ns.Prefix] = append(p.scope[ns.Prefix], ns.URI)
	}
}

// leave takes the declarations of n out of scope.
func (p *parser) leave(n *Node) {
	if len(n.Namespaces) > 0 {
		p.bare = nil
	}
	for _, ns := range n.Namespaces {
		uris := p.scope[ns.Prefix]
		if len(uris) == 1 {
			delete(p.scope, ns.Prefix)
		} else {
			p.scope[ns.Prefix] = uris[:len(uris)-1]
		}
	}
}
