package attacks

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"
)

// tlv is an element of ASN.1, of which the offsets are known. An OCTET STRING
// that holds one element has it as its kid.
type tlv struct {
	file                   []byte
	start, body, stop, end int // stop: of the body; end: after the end-of-contents octets
	kids                   []*tlv
	parent                 *tlv
}

func (n *tlv) tag() byte   { return n.file[n.start] }
func (n *tlv) raw() []byte { return n.file[n.start:n.end] }

// octets is the value; of an OCTET STRING in pieces, all of them.
func (n *tlv) octets() []byte {
	if n.tag()&0x20 == 0 {
		return n.file[n.body:n.stop]
	}
	var out []byte
	for _, k := range n.kids {
		out = append(out, k.octets()...)
	}
	return out
}

// at follows indexes.
func (n *tlv) at(path ...int) *tlv {
	for _, i := range path {
		if n == nil || i >= len(n.kids) {
			return nil
		}
		n = n.kids[i]
	}
	return n
}

// parseDER reads DER, and BER as far as it is used.
func parseDER(file []byte) *tlv {
	n := parseTLV(file, 0, len(file), 0)
	return n
}

func parseTLV(file []byte, at, limit, depth int) *tlv {
	if at+2 > limit || depth > 60 || file[at]&0x1f == 0x1f {
		return nil
	}
	n := &tlv{file: file, start: at, body: at + 2}
	length := int(file[at+1])
	if length > 0x84 {
		return nil
	}
	indefinite := length == 0x80
	if length > 0x80 {
		octets := length & 0x7f
		if at+2+octets > limit {
			return nil
		}
		length = 0
		for _, b := range file[at+2 : at+2+octets] {
			length = length<<8 | int(b)
		}
		n.body += octets
	}
	if !indefinite {
		if n.stop = n.body + length; n.stop > limit {
			return nil
		}
		limit = n.stop
		n.end = n.stop
	}
	switch {
	case n.tag()&0x20 != 0:
		return n.readKids(limit, depth, indefinite)
	case indefinite:
		return nil
	case n.tag() == 0x04 && length > 2 && file[n.body] == 0x30: // something wrapped
		if k := parseTLV(file, n.body, limit, depth+1); k != nil && k.end == n.stop {
			k.parent, n.kids = n, []*tlv{k}
		}
	}
	return n
}

func (n *tlv) readKids(limit, depth int, indefinite bool) *tlv {
	p := n.body
	for p < limit {
		if indefinite && p+2 <= limit && n.file[p] == 0 && n.file[p+1] == 0 {
			n.stop, n.end = p, p+2
			return n
		}
		k := parseTLV(n.file, p, limit, depth+1)
		if k == nil && !indefinite { // something unreadable, which is left as it is
			n.kids = nil
			return n
		}
		if k == nil {
			return nil
		}
		k.parent = n
		n.kids, p = append(n.kids, k), k.end
	}
	if indefinite {
		return nil
	}
	return n
}

func (n *tlv) walk(visit func(*tlv)) {
	visit(n)
	for _, k := range n.kids {
		k.walk(visit)
	}
}

// length encodes a length.
func length(n int) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	var b []byte
	for ; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	return append([]byte{0x80 | byte(len(b))}, b...)
}

func element(tag byte, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	return slices.Concat([]byte{tag}, length(len(b)), b)
}

// with gives the file with other octets in place of the element. All around it get
// their new lengths.
func (n *tlv) with(octets []byte) []byte {
	for c := n; c.parent != nil; c = c.parent {
		p := c.parent
		octets = element(p.tag(), n.file[p.body:c.start], octets, n.file[c.end:p.stop])
		n = p
	}
	return slices.Concat(n.file[:n.start], octets, n.file[n.end:])
}

var otherOIDs = []asn1.ObjectIdentifier{
	{1, 2, 840, 113549, 2, 5}, {1, 3, 14, 3, 2, 26}, {2, 16, 840, 1, 101, 3, 4, 2, 1}, {2, 16, 840, 1, 101, 3, 4, 2, 3},
	{1, 2, 840, 113549, 1, 7, 1}, {1, 2, 840, 113549, 1, 7, 2}, {1, 2, 840, 113549, 1, 9, 16, 1, 4}, {1, 2, 840, 113549, 1, 1, 1}, {1, 2, 840, 10045, 4, 1},
	{1, 2, 840, 113549, 1, 9, 3}, {1, 2, 840, 113549, 1, 9, 4}, {1, 2, 3, 4},
}

// derMutants does to each element of a file all that can be done.
func derMutants(file []byte, spans []span) (out []mutant) {
	root := parseDER(file)
	if root == nil {
		return nil
	}
	root.walk(func(n *tlv) {
		part := partOf(spans, n.start)
		add := func(kind string, octets []byte) {
			if bytes.Equal(octets, n.raw()) {
				return
			}
			out = append(out, mutant{kind: "ASN.1 " + kind, part: part, make: func() []byte { return n.with(octets) }})
		}
		raw, body := n.raw(), n.file[n.body:n.stop]
		retag := func(tag byte) []byte { return append([]byte{tag}, raw[1:]...) }
		if n.parent != nil {
			add("deleted", nil)
			add("doubled", append(bytes.Clone(raw), raw...))
			add("empty element after", append(bytes.Clone(raw), 0x30, 0))
			if i := slices.Index(n.parent.kids, n); i+1 < len(n.parent.kids) {
				next := n.parent.kids[i+1]
				out = append(out, mutant{kind: "ASN.1 swapped", part: part, make: func() []byte {
					return swapped(n, next)
				}})
			}
		}
		add("emptied", element(n.tag()))
		add("null", []byte{5, 0})
		for _, tag := range []byte{n.tag() ^ 1, n.tag() ^ 0x20, 0x30, 0x31, 0x04, 0x24, 0xa0, 0xa1, 0x80} {
			add("retagged", retag(tag))
		}
		add("wrapped", element(0x30, raw))
		add("wrapped", element(0x31, raw))
		add("length not minimal", slices.Concat([]byte{n.tag(), 0x84}, []byte{byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body))
		for _, l := range [][]byte{{0x80}, {0x84, 0xff, 0xff, 0xff, 0xff}, {0x84, 0x7f, 0xff, 0xff, 0xff}, {0x88, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0}, {0xff}, {0}} {
			add("length wrong", slices.Concat([]byte{n.tag()}, l, body))
		}
		if n.tag()&0x20 != 0 {
			add("indefinite", slices.Concat([]byte{n.tag(), 0x80}, body, []byte{0, 0}))
			add("reversed", element(n.tag(), reversed(n)...))
			return
		}
		n.primitive(add, body)
	})
	return out
}

func reversed(n *tlv) (out [][]byte) {
	for _, k := range slices.Backward(n.kids) {
		out = append(out, k.raw())
	}
	return out
}

func swapped(a, b *tlv) []byte {
	p := a.parent
	return p.with(element(p.tag(), p.file[p.body:a.start], b.raw(), a.raw(), p.file[b.end:p.stop]))
}

func (n *tlv) primitive(add func(string, []byte), body []byte) {
	if len(body) > 0 {
		for _, i := range []int{0, len(body) / 2, len(body) - 1} {
			for _, bit := range []byte{1, 0x80} {
				b := bytes.Clone(body)
				b[i] ^= bit
				add("value", element(n.tag(), b))
			}
		}
		add("cut", element(n.tag(), body[:len(body)-1]))
	}
	add("zero before", element(n.tag(), []byte{0}, body))
	add("zero after", element(n.tag(), body, []byte{0}))
	switch n.tag() {
	case 6:
		for _, oid := range otherOIDs {
			b, _ := asn1.Marshal(oid)
			add("identifier "+oid.String(), b)
		}
	case 4:
		half := len(body) / 2
		add("in pieces", element(0x24, element(4, body[:half]), element(4, body[half:])))
		add("in pieces", slices.Concat([]byte{0x24, 0x80}, element(4, body), []byte{0, 0}))
	case 2:
		add("number", element(2, []byte{0}))
		add("number", element(2, []byte{0xff}))
		add("number", element(2, []byte{3}))
	}
}

// grafts puts into each place what another file has in the same place.
func grafts(f *fixture, donor []byte, name string) (out []mutant) {
	a, b := parseDER(f.file), parseDER(donor)
	if a == nil || b == nil {
		return nil
	}
	spans := f.spans(f.file)
	var pair func(x, y *tlv)
	pair = func(x, y *tlv) {
		if x.end-x.start < len(f.file)*9/10 { // more would be the other file
			out = append(out, mutant{kind: "graft " + name, part: partOf(spans, x.start), make: func() []byte { return x.with(y.raw()) }})
		}
		if x.parent != nil {
			out = append(out, mutant{kind: "graft-added " + name, part: partOf(spans, x.start), make: func() []byte { return x.with(append(bytes.Clone(x.raw()), y.raw()...)) }},
				mutant{kind: "graft-added " + name, part: partOf(spans, x.start), make: func() []byte { return x.with(append(bytes.Clone(y.raw()), x.raw()...)) }})
		}
		for i := range min(len(x.kids), len(y.kids)) {
			pair(x.kids[i], y.kids[i])
		}
	}
	pair(a, b)
	return out
}

func TestCAdES(t *testing.T) {
	t.Parallel()
	w := world(t)
	fixtures := cadesFixtures(t)
	donors := map[string][]byte{
		"another document": signCAdES(t, other, w.ada, nil), "another signer": signCAdES(t, letter, w.eva, nil),
		"another signer and document, B-LTA": w.raise(t, signCAdES(t, other, w.eva, nil), nil, "B-LTA"),
		"a stranger":                         signCAdES(t, letter, w.nobody, nil),
	}
	for i, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			all := append(octetMutants(f), derMutants(f.file, f.spans(f.file))...)
			f.know(t, fixtures, donors)
			for name, d := range donors {
				all = append(all, grafts(f, d, name)...)
			}
			for j, g := range fixtures {
				if f.foreign(g) && (j == (i+1)%len(fixtures) || j == (i+3)%len(fixtures)) {
					all = append(all, grafts(f, g.file, fmt.Sprint(g.name))...)
				}
			}
			f.attack(t, all, 6)
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := world(t)
	for _, f := range tokenFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			all := append(octetMutants(f), derMutants(f.file, f.spans(f.file))...)
			for name, d := range map[string][]byte{"another time": w.tsu.Stamp(t, 5, sum(letter), signedAt.AddDate(0, 0, -5)), "another imprint": w.tsu.Stamp(t, 5, sum(other), signedAt),
				"another unit": w.strangeTSU.Stamp(t, 5, sum(letter), signedAt)} {
				all = append(all, grafts(f, d, name)...)
			}
			f.attack(t, all, 40)
		})
	}
}
