package c14n

import "strings"

// fixBase replaces xml:base of an apex element by the combination of its own
// and its omitted ancestors' values (Canonical XML 1.1 §2.4). Without a value
// on an ancestor nothing changes.
func fixBase(n *Node, attrs []Attr) []Attr {
	own, has := n.Attr(xmlNamespace, "base")
	value, found := own, false
	for e := n.Parent; e != nil; e = e.Parent {
		v, ok := e.Attr(xmlNamespace, "base")
		switch {
		case !ok:
			continue
		case !has && !found:
			value = v
		default:
			value = joinReferences(v, value)
		}
		found = true
	}
	if !found {
		return attrs
	}
	out := attrs[:0]
	for _, a := range attrs {
		if a.Space != xmlNamespace || a.Local != "base" {
			out = append(out, a)
		}
	}
	if value == "" {
		return out
	}
	return append(out, Attr{Prefix: "xml", Local: "base", Space: xmlNamespace, Value: value})
}

// reference is a URI reference taken apart (RFC 3986 §3), fragment dropped.
type reference struct {
	scheme, authority, path, query    string
	hasScheme, hasAuthority, hasQuery bool
}

func parseReference(s string) (r reference) {
	s, _, _ = strings.Cut(s, "#")
	s, r.query, r.hasQuery = strings.Cut(s, "?")
	if absolute(s) {
		r.scheme, s, r.hasScheme = strings.Cut(s, ":")
	}
	if strings.HasPrefix(s, "//") {
		s, r.hasAuthority = s[2:], true
		r.authority = s
		if i := strings.IndexByte(s, '/'); i >= 0 {
			r.authority, s = s[:i], s[i:]
		} else {
			s = ""
		}
	}
	r.path = s
	return r
}

func (r reference) String() string {
	s := r.path
	if r.hasAuthority {
		s = "//" + r.authority + s
	}
	if r.hasScheme {
		s = r.scheme + ":" + s
	}
	if r.hasQuery {
		s += "?" + r.query
	}
	return s
}

// joinReferences is the join-URI-References function of Canonical XML 1.1
// §2.4: RFC 3986 §5.2 with a base that may itself be relative.
func joinReferences(base, ref string) string {
	b, r := parseReference(base), parseReference(ref)
	switch {
	case r.hasScheme:
		r.path = removeDots(r.path)
		return r.String()
	case r.hasAuthority:
		r.path = removeDots(r.path)
	case r.path == "":
		r.path = b.path
		if !r.hasQuery {
			r.query, r.hasQuery = b.query, b.hasQuery
		}
		r.authority, r.hasAuthority = b.authority, b.hasAuthority
	default:
		if !strings.HasPrefix(r.path, "/") {
			r.path = mergePaths(b, r.path)
		}
		r.path = removeDots(r.path)
		r.authority, r.hasAuthority = b.authority, b.hasAuthority
	}
	r.scheme, r.hasScheme = b.scheme, b.hasScheme
	return r.String()
}

// mergePaths is RFC 3986 §5.2.3; a base that ends in "." or ".." is a folder.
func mergePaths(b reference, path string) string {
	if b.hasAuthority && b.path == "" {
		return "/" + path
	}
	folder := b.path
	if last := folder[strings.LastIndexByte(folder, '/')+1:]; last == "." || last == ".." {
		folder += "/"
	}
	return folder[:strings.LastIndexByte(folder, '/')+1] + path
}

// removeDots is RFC 3986 §5.2.4 modified as Canonical XML 1.1 §2.4 asks:
// leading ".." of a relative path stay, a trailing ".." gets its slash, and
// runs of slashes become one.
func removeDots(path string) string {
	rooted := strings.HasPrefix(path, "/")
	segments := strings.Split(path, "/")
	var out []string
	folder := false // the path ends in a folder
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" || s == ".":
			folder = last
		case s == ".." && len(out) > 0 && out[len(out)-1] != "..":
			out, folder = out[:len(out)-1], last
		case s == "..":
			if !rooted {
				out = append(out, s)
			}
			folder = last
		default:
			out, folder = append(out, s), false
		}
	}
	joined := strings.Join(out, "/")
	if rooted {
		joined = "/" + joined
	}
	if folder && len(out) > 0 {
		joined += "/"
	}
	return joined
}
