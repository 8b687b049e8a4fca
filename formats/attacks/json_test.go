package attacks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/jades"
)

// member is a value of a JSON text, or a part of a compact JWS, and its place.
type member struct {
	name       string // the way to it
	key        string // of an object's member
	start, end int    // of the value
	from       int    // where the key begins; start for others
	object     bool
	array      bool
	kids       []*member
}

// parseJSON finds the places of all values.
func parseJSON(file []byte) *member {
	p := &jsonPlaces{file: file}
	m := p.value("")
	if p.bad || m == nil {
		return nil
	}
	return m
}

type jsonPlaces struct {
	file []byte
	at   int
	bad  bool
}

func (p *jsonPlaces) space() byte {
	for p.at < len(p.file) && strings.IndexByte(" \t\r\n", p.file[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.file) {
		p.bad = true
		return 0
	}
	return p.file[p.at]
}

func (p *jsonPlaces) value(name string) *member {
	c := p.space()
	m := &member{name: name, start: p.at, from: p.at, object: c == '{', array: c == '['}
	switch c {
	case '{', '[':
		p.at++
		for i := 0; !p.bad && p.space() != '}' && p.space() != ']'; i++ {
			from, key, inner := p.at, "", fmt.Sprintf("%s[]", name)
			if m.object {
				k := p.value("")
				if p.bad || json.Unmarshal(p.file[k.start:k.end], &key) != nil || p.space() != ':' {
					p.bad = true
					return m
				}
				p.at++
				inner = strings.TrimPrefix(name+"/"+key, "/")
			}
			k := p.value(inner)
			k.key = key
			if m.object {
				k.from = from
			}
			m.kids = append(m.kids, k)
			if !p.bad && p.space() == ',' {
				p.at++
			}
		}
		p.at++
	case '"':
		for p.at++; p.at < len(p.file) && p.file[p.at] != '"'; p.at++ {
			if p.file[p.at] == '\\' {
				p.at++
			}
		}
		p.at++
	default:
		for p.at < len(p.file) && strings.IndexByte(",]} \t\r\n", p.file[p.at]) < 0 {
			p.at++
		}
	}
	if p.at > len(p.file) {
		p.at, p.bad = len(p.file), true
	}
	m.end = p.at
	return m
}

func (m *member) walk(visit func(m, parent *member)) {
	var down func(m, p *member)
	down = func(m, p *member) {
		visit(m, p)
		for _, k := range m.kids {
			down(k, m)
		}
	}
	down(m, nil)
}

func jsonSpans(file []byte) (out []span) {
	root := parseJSON(file)
	if root == nil {
		at := 0
		for i, part := range bytes.Split(file, []byte(".")) {
			out = append(out, span{at, at + len(part) + 1, []string{"protected", "payload", "signature", "more"}[min(i, 3)]})
			at += len(part) + 1
		}
		return out
	}
	root.walk(func(m, _ *member) { out = append(out, span{m.from, m.end, m.name}) })
	return out
}

func cutout(file []byte, start, end int, with string) []byte {
	return slices.Concat(file[:start], []byte(with), file[end:])
}

// jsonMutants does to each value of a text all that can be done.
func jsonMutants(f *fixture) (out []mutant) {
	file := f.file
	root := parseJSON(file)
	if root == nil {
		return compactMutants(f)
	}
	root.walk(func(m, parent *member) {
		add := func(kind string, start, end int, with string) {
			out = append(out, mutant{kind: "JSON " + kind, part: m.name, make: func() []byte { return cutout(file, start, end, with) }})
		}
		value, whole := string(file[m.start:m.end]), string(file[m.from:m.end])
		for _, v := range []string{`null`, `true`, `0`, `-1`, `1e400`, `""`, `"x"`, `[]`, `{}`, `[` + value + `]`, `{"x":` + value + `}`} {
			add("other type", m.start, m.end, v)
		}
		add("space", m.start, m.end, " \n"+value+"\t")
		if parent == nil {
			return
		}
		add("deleted", m.from, m.end, "")
		if m.from > parent.start+1 {
			add("deleted", m.from-1, m.end, "")
		} else if m.end < parent.end-1 {
			add("deleted", m.from, m.end+1, "")
		}
		add("doubled", m.from, m.end, whole+","+whole)
		if i := slices.Index(parent.kids, m); i > 0 {
			p := parent.kids[i-1]
			add("swapped", p.from, m.end, whole+","+string(file[p.from:p.end]))
		}
		if m.key != "" {
			for _, k := range []string{strings.ToUpper(m.key), "x" + m.key, "", `\u00` + fmt.Sprintf("%02x", m.key[0]) + m.key[1:]} {
				add("renamed "+strings.ToLower(k), m.from, m.end, `"`+k+`":`+value)
			}
			for _, other := range []string{`""`, `"eyJhbGciOiJub25lIn0"`, `"` + b64(other) + `"`, `null`, `[]`, `{}`} {
				add("second of the key", m.from, m.end, whole+`,"`+m.key+`":`+other)
				add("second of the key", m.from, m.end, `"`+m.key+`":`+other+`,`+whole)
				add("second of another case", m.from, m.end, whole+`,"`+strings.ToUpper(m.key)+`":`+other)
			}
		}
		if strings.HasPrefix(value, `"`) {
			for _, v := range textVariants(strings.Trim(value, `"`)) {
				add("text", m.start, m.end, `"`+v+`"`)
			}
		}
	})
	return append(out, headerMutants(f)...)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// textVariants are other texts, some of which decode to the same.
func textVariants(v string) (out []string) {
	if v == "" {
		return []string{"x"}
	}
	out = []string{v + "=", v + "==", v + "A", v[1:], v[:len(v)-1], " " + v, v + `\n`, v[:len(v)/2] + " " + v[len(v)/2:], fmt.Sprintf(`\u%04x`, v[0]) + v[1:],
		strings.NewReplacer("-", "+", "_", "/").Replace(v), b64(other), b64(v), v + "." + v}
	last := v[len(v)-1]
	for _, c := range []byte{last + 1, last ^ 1} { // bits that base64 does not use
		if c != '"' && c != '\\' && c >= ' ' && c < 0x7f {
			out = append(out, v[:len(v)-1]+string(c))
		}
	}
	return out
}

// compactMutants exchanges the parts of a compact JWS.
func compactMutants(f *fixture) (out []mutant) {
	parts := strings.Split(string(f.file), ".")
	add := func(kind string, parts ...string) {
		out = append(out, mutant{kind: "JSON " + kind, part: "compact", make: func() []byte { return []byte(strings.Join(parts, ".")) }})
	}
	for i, p := range parts {
		with := func(v string) []string {
			list := slices.Clone(parts)
			list[i] = v
			return list
		}
		for _, v := range append(textVariants(p), "") {
			add("text", with(v)...)
		}
		for j := range parts {
			add("swapped", with(parts[j])...)
		}
		add("deleted", slices.Delete(slices.Clone(parts), i, i+1)...)
		add("doubled", slices.Insert(slices.Clone(parts), i, p)...)
	}
	for _, v := range []string{" %s.%s.%s", "%s.%s.%s\n", `{"protected":"%s","payload":"%s","signature":"%s"}`, `{"payload":"` + b64(other) + `","protected":"%s","payload":"%s","signature":"%s"}`} {
		out = append(out, mutant{kind: "JSON serialised otherwise", part: "compact", make: func() []byte { return []byte(fmt.Sprintf(v, parts[0], parts[1], parts[2])) }})
	}
	return append(out, headerMutants(f)...)
}

// headers are texts that are put into a header, in place of nothing.
var headers = []string{`"alg":"none"`, `"alg":"HS256"`, `"alg":"ES512"`, `"alg":"RS256"`, `"b64":false`, `"b64":true`, `"crit":[]`, `"crit":["b64"]`, `"crit":["x"],"x":1`, `"crit":["alg"]`,
	`"b64":false,"crit":["b64"]`, `"kid":"x"`, `"jwk":{}`, `"jku":"http://localhost/"`, `"x5u":"http://localhost/"`, `"x5c":[]`, `"x5t#S256":"AA"`, `"sigD":{}`, `"iat":1`, `"sigT":"2020-01-01T00:00:00Z"`, `"zip":"DEF"`, `"etsiU":[]`}

// headerMutants puts further members into the protected header, where the signature
// is over them, and beside it, where it is not.
func headerMutants(f *fixture) (out []mutant) {
	text := string(f.file)
	start, end := 0, strings.IndexByte(text, '.')
	if root := parseJSON(f.file); root != nil {
		root.walk(func(m, _ *member) {
			if m.key == "protected" {
				start, end = m.start+1, m.end-1
			}
		})
	}
	header, err := base64.RawURLEncoding.DecodeString(text[start:end])
	if err != nil {
		return nil
	}
	add := func(kind, header string) {
		out = append(out, mutant{kind: "JSON " + kind, part: "protected", make: func() []byte { return cutout(f.file, start, end, b64(header)) }})
	}
	for _, h := range headers {
		add("header", strings.TrimSuffix(string(header), "}")+","+h+"}")
		add("header", "{"+h+","+strings.TrimPrefix(string(header), "{"))
		if i := strings.LastIndex(text, "}"); i >= 0 && text[0] == '{' {
			for _, beside := range []string{`"header":{` + h + `}`, h} {
				out = append(out, mutant{kind: "JSON unprotected " + strings.SplitN(h, ":", 2)[0], part: "beside", make: func() []byte { return cutout(f.file, i, i, ","+beside) }})
			}
			if i := strings.Index(text, `"header":{`); i >= 0 {
				i += len(`"header":{`)
				out = append(out, mutant{kind: "JSON unprotected " + strings.SplitN(h, ":", 2)[0], part: "header", make: func() []byte { return cutout(f.file, i, i, h+",") }})
			}
		}
	}
	if root := parseJSON(header); root != nil {
		root.walk(func(m, _ *member) {
			add("header deleted", string(cutout(header, m.from, m.end, "")))
			add("header changed", string(cutout(header, m.start, m.end, `"x"`)))
			if m.from > 1 {
				add("header deleted", string(cutout(header, m.from-1, m.end, "")))
			}
		})
	}
	return out
}

// jsonGrafts puts into each place what another file has under the same name.
func jsonGrafts(f *fixture, donor []byte, name string) (out []mutant) {
	a, b := parseJSON(f.file), parseJSON(donor)
	if a == nil || b == nil {
		return nil
	}
	there := map[string][]*member{}
	b.walk(func(m, _ *member) { there[m.name] = append(there[m.name], m) })
	a.walk(func(m, p *member) {
		if p == nil {
			return // it would be the other file
		}
		for _, d := range there[m.name] {
			value := string(donor[d.start:d.end])
			out = append(out, mutant{kind: "graft " + name, part: m.name, make: func() []byte { return cutout(f.file, m.start, m.end, value) }})
			if p != nil && p.array {
				out = append(out, mutant{kind: "graft-added " + name, part: m.name, make: func() []byte { return cutout(f.file, m.end, m.end, ","+value) }},
					mutant{kind: "graft-added " + name, part: m.name, make: func() []byte { return cutout(f.file, m.start, m.start, value+",") }})
			}
		}
	})
	return out
}

func TestJAdES(t *testing.T) {
	t.Parallel()
	w := world(t)
	fixtures := jadesFixtures(t)
	donors := map[string][]byte{
		"another document": signJAdES(t, other, w.ada, nil), "another signer": signJAdES(t, letter, w.eva, nil),
		"a stranger": signJAdES(t, letter, w.nobody, nil), "another signer and document, B-LTA": w.raise(t, signJAdES(t, other, w.eva, nil), nil, "B-LTA"),
		"general": signJAdES(t, other, w.eva, func(o *jades.Options) { o.Serialization = jades.General }),
	}
	for i, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			all := append(octetMutants(f), jsonMutants(f)...)
			f.know(t, fixtures, donors)
			for name, d := range donors {
				all = append(all, jsonGrafts(f, d, name)...)
			}
			for j, g := range fixtures {
				if f.foreign(g) && (j == (i+1)%len(fixtures) || j == (i+3)%len(fixtures)) {
					all = append(all, jsonGrafts(f, g.file, g.name)...)
				}
			}
			f.attack(t, all, 6)
		})
	}
}
