package c14n

import (
	"fmt"
	"math/rand"
	"strings"
)

// generator writes documents that use every corner of the parser and the
// canonical forms; the same seed gives the same document.
type generator struct {
	r     *rand.Rand
	b     strings.Builder
	scope []map[string]string // prefix: URI
	bases bool                // xml:base too
	left  int
}

var (
	prefixes = []string{"a", "b", "zz", "ds"}
	// No & here: libxml2 2.9 forgets to escape it in namespace declarations.
	uris     = []string{"urn:one", "urn:two", "http://example.it/x?a=1#b", "urn:a"}
	locals   = []string{"x", "y", "Zeta", "è", "_u", "d.e-f"}
	literals = []string{"text", " ", "\n", "\t", "\r\n", "\r", "&amp;", "&lt;", "&gt;", ">", "&#13;", "&#xA;", "&#9;", "&quot;", "&apos;", "'", "è€𝄞", "]] >", "&#x1F600;"}
)

func generate(seed int64, bases bool) []byte {
	g := &generator{r: rand.New(rand.NewSource(seed)), bases: bases, left: 40}
	if g.one(5) {
		g.b.WriteString("\ufeff")
	}
	if g.one(2) {
		g.b.WriteString("<?xml version='1.0'" + g.pick([]string{"", " encoding=\"UTF-8\"", " encoding='utf-8' standalone='yes'"}) + " ?>")
	}
	g.beside()
	g.element(0)
	g.beside()
	return []byte(g.b.String())
}

func (g *generator) one(in int) bool { return g.r.Intn(in) == 0 }

func (g *generator) pick(s []string) string { return s[g.r.Intn(len(s))] }

// beside writes what may stand beside the document element.
func (g *generator) beside() {
	for g.one(2) {
		switch g.r.Intn(3) {
		case 0:
			g.b.WriteString("\r\n ")
		case 1:
			g.comment()
		case 2:
			g.instruction()
		}
	}
}

func (g *generator) comment() {
	g.b.WriteString("<!--" + g.pick([]string{"", " c ", "two\r\nlines", "<x>&amp;"}) + "-->")
}

func (g *generator) instruction() {
	g.b.WriteString("<?" + g.pick([]string{"pi", "xml-stylesheet"}) + g.pick([]string{"", " ", "  a='b' ", "\r\nq\t"}) + "?>")
}

// lookup finds the URI of a prefix in scope.
func (g *generator) lookup(prefix string) (string, bool) {
	for i := len(g.scope) - 1; i >= 0; i-- {
		if u, ok := g.scope[i][prefix]; ok {
			return u, true
		}
	}
	return "", false
}

func (g *generator) element(depth int) {
	g.left--
	own := map[string]string{}
	g.scope = append(g.scope, own)
	var attrs []string
	for _, p := range prefixes {
		if g.one(4) {
			own[p] = g.pick(uris)
			attrs = append(attrs, fmt.Sprintf("xmlns:%s=%s", p, g.quoted(own[p])))
		}
	}
	if g.one(4) {
		own[""] = g.pick(append(uris, ""))
		attrs = append(attrs, "xmlns="+g.quoted(own[""]))
	}
	attrs = append(attrs, g.attributes()...)
	name := g.pick(locals)
	if p := g.pick(prefixes); g.one(2) {
		if _, ok := g.lookup(p); ok {
			name = p + ":" + name
		}
	}
	g.r.Shuffle(len(attrs), func(i, j int) { attrs[i], attrs[j] = attrs[j], attrs[i] })
	g.b.WriteString("<" + name)
	for _, a := range attrs {
		g.b.WriteString(g.pick([]string{" ", "\n  ", "\t"}) + a)
	}
	if g.one(6) {
		g.b.WriteString("/>")
	} else {
		g.b.WriteString(g.pick([]string{">", " >"}))
		g.content(depth)
		g.b.WriteString("</" + name + g.pick([]string{">", " >"}))
	}
	g.scope = g.scope[:len(g.scope)-1]
}

// attributes writes attributes whose expanded names differ.
func (g *generator) attributes() []string {
	var out []string
	used := map[string]bool{}
	add := func(space, prefix, local, value string) {
		if used[space+" "+local] {
			return
		}
		used[space+" "+local] = true
		if prefix != "" {
			local = prefix + ":" + local
		}
		out = append(out, local+g.pick([]string{"=", " = "})+value)
	}
	for range g.r.Intn(4) {
		p := g.pick(append(prefixes, "", ""))
		if u, ok := g.lookup(p); ok || p == "" {
			if p == "" {
				u = ""
			}
			add(u, p, g.pick(locals), g.quoted(g.text()))
		}
	}
	if g.one(6) {
		add("xml", "xml", "lang", g.quoted(g.pick([]string{"it", "en", ""})))
	}
	if g.one(8) {
		add("xml", "xml", "space", g.quoted("preserve"))
	}
	if g.bases && g.one(4) {
		add("xml", "xml", "base", g.quoted(g.pick([]string{"a/b/", "c", "../d/", "http://h.it/p/q", "/r/s/"})))
	}
	return out
}

func (g *generator) quoted(s string) string {
	if strings.Contains(s, "'") || g.one(2) {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}

func (g *generator) text() string {
	var s strings.Builder
	for range g.r.Intn(4) {
		s.WriteString(g.pick(literals))
	}
	return s.String()
}

func (g *generator) content(depth int) {
	for range g.r.Intn(6) {
		switch g.r.Intn(6) {
		case 0, 1:
			g.b.WriteString(g.text())
		case 2:
			g.b.WriteString("<![CDATA[" + g.pick([]string{"", "<&>", "a\r\nb", "]]"}) + "]]>")
		case 3:
			if g.one(2) {
				g.comment()
			} else {
				g.instruction()
			}
		default:
			if depth < 6 && g.left > 0 {
				g.element(depth + 1)
			}
		}
	}
}
