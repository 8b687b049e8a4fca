package attacks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/c14n"
	"sigillo/formats/xades"
)

// xmlMutants does to each element, attribute and text of a document all that can
// be done.
func xmlMutants(f *fixture) (out []mutant) {
	doc := string(f.file)
	tree, err := c14n.Parse(f.file)
	if err != nil {
		return nil
	}
	spans := f.spans(f.file)
	var elements []*c14n.Node
	tree.Root.Walk(func(n *c14n.Node) bool {
		part := partOf(spans, n.Start)
		add := func(kind string, start, end int, with string) {
			out = append(out, mutant{kind: "XML " + kind, part: part, make: func() []byte { return []byte(doc[:start] + with + doc[end:]) }})
		}
		switch n.Kind {
		case c14n.TextNode:
			textMutants(n, doc, add)
		case c14n.ElementNode:
			elements = append(elements, n)
			attributeMutants(n, doc, add)
			elementMutants(n, tree.Root, doc, add)
		}
		return true
	})
	out = append(out, moves(doc, spans, elements)...)
	for _, head := range []string{"<!DOCTYPE a>", `<!DOCTYPE a [<!ENTITY x "99">]>`, `<!DOCTYPE a SYSTEM "file:///etc/passwd">`, `<!DOCTYPE a [<!ATTLIST a Id ID #IMPLIED>]>`, "<?xml-stylesheet href='x'?>", "<!-- x -->", "\n"} {
		at := tree.Root.Start
		out = append(out, mutant{kind: "XML prolog", part: "file", make: func() []byte { return []byte(doc[:at] + head + doc[at:]) }},
			mutant{kind: "XML epilog", part: "file", make: func() []byte { return []byte(doc + head) }})
	}
	return out
}

type adding = func(kind string, start, end int, with string)

func textMutants(n *c14n.Node, doc string, add adding) {
	text := doc[n.Start:n.End]
	mid := len(text) / 2
	for text[mid]&0xc0 == 0x80 {
		mid--
	}
	blank := ""
	if strings.TrimSpace(text) == "" {
		blank = " of spaces"
	}
	add("text changed"+blank, n.Start+mid, n.Start+mid+1, "9")
	add("text deleted"+blank, n.Start, n.End, "")
	add("text doubled"+blank, n.Start, n.End, text+text)
	add("text cut"+blank, n.Start, n.End, text[:mid])
	add("comment in the text"+blank, n.Start+mid, n.Start+mid, "<!---->")
	add("comment in the text"+blank, n.Start+mid, n.End, "<!--"+text[mid:]+"-->")
	add("instruction in the text"+blank, n.Start+mid, n.Start+mid, "<?x y?>")
	add("element in the text"+blank, n.Start+mid, n.Start+mid, "<x/>")
	add("space in the text"+blank, n.Start+mid, n.Start+mid, " \n")
	add("CDATA"+blank, n.Start, n.End, "<![CDATA["+text+"]]>")
	add("entity"+blank, n.Start+mid, n.Start+mid, "&x;")
	add("character reference"+blank, n.Start, n.Start+1, fmt.Sprintf("&#x%x;", text[0]&0x7f))
	for _, v := range []string{"http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments", "MA==", "AA=="} {
		add("other text"+blank, n.Start, n.End, v)
	}
}

var algorithms = []string{"http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5", "http://www.w3.org/2001/04/xmlenc#sha512", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
	"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2006/12/xml-c14n11",
	"http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2000/09/xmldsig#base64", "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2", "http://www.w3.org/TR/1999/REC-xslt-19991116"}

func attributeMutants(n *c14n.Node, doc string, add adding) {
	tag := doc[n.Start : n.Start+strings.IndexByte(doc[n.Start:], '>')+1]
	for _, a := range n.Attrs {
		i := strings.Index(tag, " "+a.Local+"=")
		if i < 0 {
			continue
		}
		start := n.Start + i + 1
		value := start + len(a.Local) + 2
		end := value + strings.IndexByte(doc[value:], doc[value-1])
		add("attribute deleted", start-1, end+1, "")
		add("attribute renamed", start, start+len(a.Local), strings.ToUpper(a.Local))
		add("attribute renamed", start, start+len(a.Local), "x"+a.Local)
		values := []string{"", "x", "#x", a.Value + "x", "#xpointer(/)", "#xpointer(id('x'))", "http://localhost/x", "/etc/passwd", "&#35;x", " " + a.Value}
		if a.Local == "Algorithm" {
			values = append(values, algorithms...)
		}
		for _, v := range values {
			add("attribute "+a.Local, value, end, v)
		}
		for _, spelled := range []string{"Id", "ID", "id", "xml:id", "wsu:Id"} {
			add("second Id", start, start, spelled+`="`+a.Value+`" `)
		}
	}
}

func elementMutants(n, root *c14n.Node, doc string, add adding) {
	open := n.Start + strings.IndexByte(doc[n.Start:], '>') + 1
	self := doc[n.Start:n.End]
	add("namespace added", open-1, open, ` xmlns:zz="urn:z">`)
	if n.Empty {
		add("namespace added", open-2, open, ` xmlns:zz="urn:z"/>`)
	}
	name, _, _ := strings.Cut(strings.Trim(doc[n.Start+1:open-1], "/"), " ")
	renamed := func(to string) string {
		s := "<" + to + self[1+len(name):]
		if !n.Empty {
			s = s[:strings.LastIndex(s, "</")] + "</" + to + ">"
		}
		return s
	}
	if prefix, local, ok := strings.Cut(name, ":"); ok {
		add("prefix renamed", n.Start, n.End, strings.Replace(renamed("p:"+local), "<p:"+local, "<p:"+local+` xmlns:p="`+n.Space+`"`, 1))
		add("namespace changed", n.Start, n.End, strings.Replace(self, "<"+name, "<"+name+` xmlns:`+prefix+`="urn:x"`, 1))
		add("namespace dropped", n.Start, n.End, renamed(local))
		add("renamed", n.Start, n.End, renamed(prefix+":x"))
	} else {
		add("renamed", n.Start, n.End, renamed("x"))
	}
	add("wrapped", n.Start, n.End, "<w>"+self+"</w>")
	add("comment before", n.Start, n.Start, "<!-- x -->")
	if n == root {
		return
	}
	add("deleted", n.Start, n.End, "")
	add("doubled", n.Start, n.End, self+self)
	add("wrapped beside", n.Start, n.End, "<w>"+self+"</w>"+self)
	add("element before", n.Start, n.Start, "<x/>")
	add("element after", n.End, n.End, `<x xmlns="`+n.Space+`"/>`)
	add("text before", n.Start, n.Start, "x")
	add("space before", n.Start, n.Start, "\n ")
	if !n.Empty {
		inner := doc[open:n.CloseStart]
		add("emptied", open, n.CloseStart, "")
		add("unwrapped", n.Start, n.End, inner)
		add("content doubled", open, n.CloseStart, inner+inner)
		add("attribute of Id", open-1, open-1, ` Id="zz"`)
	}
	if i := slices.Index(n.Parent.Children, n); i > 0 {
		p := n.Parent.Children[i-1]
		add("swapped", p.Start, n.End, self+doc[p.Start:p.End])
	}
}

// moves puts each element under each other one, in place of where it was and as
// a copy, with the declarations that it needs. That is signature wrapping in all
// its variants.
func moves(doc string, spans []span, elements []*c14n.Node) (out []mutant) {
	const declare = `<w xmlns:ds="` + dsNamespace + `" xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" xmlns:xades141="http://uri.etsi.org/01903/v1.4.1#">`
	for _, n := range elements[1:] {
		self := doc[n.Start:n.End]
		for _, to := range elements {
			if to.Empty || n.Start <= to.Start && to.End <= n.End {
				continue
			}
			open := to.Start + strings.IndexByte(doc[to.Start:], '>') + 1
			for _, at := range []int{open, to.CloseStart} {
				for _, piece := range []string{self, declare + self + "</w>"} {
					out = append(out, mutant{kind: "XML moved", part: partOf(spans, n.Start), make: func() []byte {
						if at <= n.Start {
							return []byte(doc[:at] + piece + doc[at:n.Start] + doc[n.End:])
						}
						return []byte(doc[:n.Start] + doc[n.End:at] + piece + doc[at:])
					}}, mutant{kind: "XML copied", part: partOf(spans, at), make: func() []byte { return []byte(doc[:at] + piece + doc[at:]) }})
				}
			}
		}
	}
	return out
}

// xmlGrafts puts into each place what another document has in the same place.
func xmlGrafts(f *fixture, donor []byte, name string) (out []mutant) {
	there := map[string][]string{}
	for _, s := range xmlSpans(donor) {
		_, key, _ := strings.Cut(s.name, "Signature")
		there[key] = append(there[key], string(donor[s.start:s.end]))
	}
	for _, s := range f.spans(f.file) {
		_, key, ok := strings.Cut(s.name, "Signature")
		if !ok || s.end-s.start > len(f.file)*9/10 { // it would be the other file
			continue
		}
		for _, piece := range there[key] {
			out = append(out,
				mutant{kind: "graft " + name, part: s.name, make: func() []byte { return cutout(f.file, s.start, s.end, piece) }},
				mutant{kind: "graft-added " + name, part: s.name, make: func() []byte { return cutout(f.file, s.end, s.end, piece) }},
				mutant{kind: "graft-added " + name, part: s.name, make: func() []byte { return cutout(f.file, s.start, s.start, piece) }})
		}
	}
	return out
}

// wrapped are the classical variants of XML signature wrapping (McIntosh and Austel 2005,
// Somorovsky et al. 2012): another document in the place where a program looks for it,
// and the signed one in the place where the reference leads.
func wrapped(f *fixture) (out []mutant) {
	doc := string(f.file)
	tree, err := c14n.Parse(f.file)
	if err != nil || strings.HasPrefix(doc[tree.Root.Start:], "<ds:Signature") || !strings.Contains(doc, "<ds:Signature ") {
		return nil
	}
	i := strings.Index(doc, "<ds:Signature ")
	j := strings.LastIndex(doc, "</ds:Signature>") + len("</ds:Signature>")
	signature, whole := doc[i:j], doc[tree.Root.Start:tree.Root.End]
	rest := doc[tree.Root.Start:i] + doc[j:tree.Root.End]
	forged := strings.ReplaceAll(rest, "10", "99")
	end := strings.LastIndex(forged, "</")
	tail := strings.LastIndex(signature, "</ds:Signature>")
	for kind, text := range map[string]string{
		"forged around the original":                forged[:end] + whole + forged[end:],
		"forged around signature, original inside":  forged[:end] + signature[:tail] + "<ds:Object>" + rest + "</ds:Object>" + signature[tail:] + forged[end:],
		"forged around signature, original beside":  forged[:end] + signature + rest + forged[end:],
		"forged first, original second":             "<w>" + forged + whole + "</w>",
		"original first, forged second":             "<w>" + whole + forged + "</w>",
		"signature first, forged inside the object": signature[:tail] + "<ds:Object>" + forged + rest + "</ds:Object>" + signature[tail:],
		"original in an object of the signature":    signature[:tail] + "<ds:Object>" + whole + "</ds:Object>" + signature[tail:],
		"forged in an object of the signature":      doc[:i] + signature[:tail] + "<ds:Object>" + forged + "</ds:Object>" + signature[tail:] + doc[j:],
		"forged in the unsigned properties":         strings.Replace(doc, "</xades:QualifyingProperties>", "<xades:UnsignedProperties><xades:UnsignedDataObjectProperties>"+forged+"</xades:UnsignedDataObjectProperties></xades:UnsignedProperties></xades:QualifyingProperties>", 1),
		"signature around the document":             strings.Replace(signature, "<ds:SignedInfo>", forged+"<ds:SignedInfo>", 1),
	} {
		out = append(out, mutant{kind: "XML wrapping, " + kind, part: "file", make: func() []byte { return []byte(text) }})
	}
	return out
}

func TestXAdES(t *testing.T) {
	t.Parallel()
	w := world(t)
	fixtures := xadesFixtures(t)
	forged := strings.ReplaceAll(invoice, "10", "99")
	donors := map[string][]byte{
		"another document": signXAdES(t, forged, w.ada, nil), "another signer": signXAdES(t, invoice, w.eva, nil), "a stranger": signXAdES(t, invoice, w.nobody, nil),
		"another signer and document, B-LTA": w.raise(t, signXAdES(t, forged, w.eva, nil), nil, "B-LTA"),
		"enveloping":                         signXAdES(t, other, w.eva, func(o *xades.Options) { o.Packaging = xades.Enveloping }),
	}
	for i, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			all := slices.Concat(octetMutants(f), xmlMutants(f), wrapped(f))
			f.know(t, fixtures, donors)
			for name, d := range donors {
				all = append(all, xmlGrafts(f, d, name)...)
			}
			for j, g := range fixtures {
				if f.foreign(g) && (j == (i+1)%len(fixtures) || j == (i+3)%len(fixtures)) {
					all = append(all, xmlGrafts(f, g.file, g.name)...)
				}
			}
			f.attack(t, all, 6)
		})
	}
}
