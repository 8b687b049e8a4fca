package attacks

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sigillo/formats/pades"
	"sigillo/formats/pdf"
)

// rangeMutants shifts, shrinks, overlaps and swaps the byte ranges of signatures,
// in place and in a dictionary that a later revision puts in the place of the
// signed one.
func rangeMutants(f *fixture) (out []mutant) {
	list, err := pades.Signatures(bytes.NewReader(f.file), int64(len(f.file)))
	if err != nil {
		return nil
	}
	for _, s := range list {
		b := s.ByteRange
		size := int64(len(f.file))
		for _, r := range [][4]int64{{1, b[1] - 1, b[2], b[3]}, {0, b[1] - 1, b[2], b[3]}, {0, b[1] + 1, b[2], b[3]}, {0, b[1], b[2] - 1, b[3] + 1}, {0, b[1], b[2] + 1, b[3] - 1}, {0, b[1], b[2], b[3] - 1}, {0, b[1], b[2], b[3] + 1},
			{0, b[2], b[2], b[3]}, {0, b[1], b[1], b[3]}, {0, 0, 0, b[2] + b[3]}, {b[2], b[3], 0, b[1]}, {0, b[1], b[2], size - b[2]}, {0, b[1], b[2], 0}, {0, b[1], -1, b[3]}, {0, 1 << 40, b[2], b[3]}, {0, b[1], 1 << 62, 1 << 62}} {
			text := fmt.Sprintf("%d %d %d %d", r[0], r[1], r[2], r[3])
			out = append(out, mutant{kind: "PDF byte range", part: "signature " + s.SubFilter, make: func() []byte { return inPlaceRange(f.file, b, text) }},
				mutant{kind: "PDF byte range in a later revision", part: "signature " + s.SubFilter, make: func() []byte {
					return laterSignature(f.file, s.Field, func(d pdf.Dict) {
						d["ByteRange"] = pdf.Array{pdf.Integer(r[0]), pdf.Integer(r[1]), pdf.Integer(r[2]), pdf.Integer(r[3])}
					})
				}})
		}
		for _, more := range []pdf.Object{pdf.String(""), pdf.String("0"), pdf.Array{}} {
			out = append(out, mutant{kind: "PDF value in a later revision", part: "signature " + s.SubFilter, make: func() []byte {
				return laterSignature(f.file, s.Field, func(d pdf.Dict) { d["Contents"] = more })
			}})
		}
		out = append(out, mutant{kind: "PDF signature again in a later revision", part: "signature " + s.SubFilter, make: func() []byte { return laterSignature(f.file, s.Field, func(pdf.Dict) {}) }})
		out = append(out, movedPart(f.file, b)...)
	}
	return out
}

// inPlaceRange writes other numbers over those of a signature, if they fit.
func inPlaceRange(file []byte, b [4]int64, text string) []byte {
	old := fmt.Sprintf("%d %d %d %d", b[0], b[1], b[2], b[3])
	at := bytes.LastIndex(file[:b[1]], []byte("/ByteRange"))
	i := bytes.Index(file, []byte(old))
	if i < 0 && at < 0 {
		return nil
	}
	if i < 0 { // written with padding
		i = at + bytes.IndexByte(file[at:], '[') + 1
	}
	j := i + bytes.IndexByte(file[i:], ']')
	if len(text) > j-i {
		return nil
	}
	return slices.Concat(file[:i], []byte(text), bytes.Repeat([]byte(" "), j-i-len(text)), file[j:])
}

// laterSignature replaces the value of a signature field in a later revision.
func laterSignature(file []byte, name string, change func(pdf.Dict)) []byte {
	return later(file, func(u *pdf.Update) {
		for ref := range u.File().Objects() {
			d, ok, err := pdf.As[pdf.Dict](u.File(), ref)
			if err != nil || !ok || d["FT"] != pdf.Name("Sig") {
				continue
			}
			if t, _ := d["T"].(pdf.String); t.Text() != name {
				continue
			}
			v, ok, err := pdf.As[pdf.Dict](u.File(), d["V"])
			if err != nil || !ok {
				continue
			}
			v = v.Clone()
			change(v)
			if r, ok := d["V"].(pdf.Ref); ok {
				u.Set(r, v)
			}
		}
	})
}

// movedPart is the signature wrapping attack on PDF: the second signed part moves
// to the end, where a false range names it, and something else takes its place.
func movedPart(file []byte, b [4]int64) (out []mutant) {
	first, gap, second := file[:b[1]], file[b[1]:b[2]], file[b[2]:b[2]+b[3]]
	for _, middle := range []string{"", "\n9 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n", strings.Repeat(" ", 200)} {
		at := int(b[2]) + len(middle)
		if middle == "" {
			at += len(second)
		}
		moved := fmt.Sprintf("%d %d %d %d", 0, b[1], at, b[3])
		out = append(out, mutant{kind: "PDF second part moved", part: "signature", make: func() []byte {
			m := slices.Concat(first, gap, []byte(middle), second)
			if middle == "" {
				m = slices.Concat(first, gap, second, second)
			}
			return inPlaceRange(m, b, moved)
		}}, mutant{kind: "PDF second part moved", part: "signature", make: func() []byte { return slices.Concat(first, gap, []byte(middle+" "), second) }})
	}
	return out
}

// tailMutants appends what a strict reader must not take for a revision, or must
// see through.
func tailMutants(f *fixture) (out []mutant) {
	file := f.file
	prev := lastXRef(file)
	n := len(file)
	root := rootOf(file)
	object := "9 0 obj\n<</Length 41>>\nstream\nBT /F 12 Tf 100 700 Td (Eva 99 euro) Tj ET\nendstream\nendobj\n"
	entry := func(num, at int) string { return fmt.Sprintf("xref\n%d 1\n%010d 00000 n \n", num, at) }
	hidden := bytes.Index(file, []byte("20 0 obj"))
	trailer := func(dict string, at int) string {
		return fmt.Sprintf("trailer\n<<%s>>\nstartxref\n%d\n%%%%EOF\n", dict, at)
	}
	good := fmt.Sprintf("/Size 90/Root %s/Prev %d", root, prev)
	x := n + len(object)
	for name, text := range map[string]string{
		"object replaced":                     object + entry(9, n) + trailer(good, x),
		"object without a section":            object,
		"object without a trailer":            object + entry(9, n) + fmt.Sprintf("startxref\n%d\n%%%%EOF\n", x),
		"object without startxref":            object + entry(9, n) + "trailer\n<<" + good + ">>\n",
		"object without its mark":             object + entry(9, n) + "trailer\n<<" + good + ">>\nstartxref\n" + fmt.Sprint(x) + "\n",
		"section without a /Prev":             object + entry(9, n) + trailer("/Size 90/Root "+root, x),
		"/Prev to itself":                     object + entry(9, n) + trailer(fmt.Sprintf("/Size 90/Root %s/Prev %d", root, x), x),
		"/Prev beyond the end":                object + entry(9, n) + trailer(fmt.Sprintf("/Size 90/Root %s/Prev %d", root, 1<<30), x),
		"/Prev to nothing":                    object + entry(9, n) + trailer(fmt.Sprintf("/Size 90/Root %s/Prev 20", root), x),
		"entry led to a hidden object":        entry(9, hidden) + trailer(good, n),
		"entry led into the signed part":      entry(9, hidden+3) + trailer(good, n),
		"page led to a hidden page":           entry(3, bytes.Index(file, []byte("21 0 obj"))) + trailer(good, n),
		"object freed":                        "xref\n9 1\n0000000000 65535 f \n" + trailer(good, n),
		"another generation":                  "xref\n9 1\n0000000015 00001 n \n" + trailer(good, n),
		"other root":                          "xref\n0 0\n" + trailer(fmt.Sprintf("/Size 90/Root 23 0 R/Prev %d", prev), n),
		"root of another type":                "xref\n0 0\n" + trailer(fmt.Sprintf("/Size 90/Root 9 0 R/Prev %d", prev), n),
		"/XRefStm that overrides":             object + entry(14, n) + trailer(good+"/XRefStm 20", x),
		"/Encrypt":                            "xref\n0 0\n" + trailer(good+"/Encrypt<</Filter/Standard/V 1/R 2/O()/U()/P -4>>", n),
		"nothing but a section":               "xref\n0 0\n" + trailer(good, n),
		"white space":                         "\n\n\n",
		"a comment":                           "% fine\n",
		"a mark":                              "%%EOF\n",
		"another startxref":                   fmt.Sprintf("startxref\n%d\n%%%%EOF\n", prev),
		"startxref to an earlier revision":    fmt.Sprintf("startxref\n%d\n%%%%EOF\n", bytes.Index(file, []byte("xref\n"))),
		"the whole file":                      string(file),
		"octets":                              "\x00\x00\x00",
		"a picture":                           "\x89PNG\r\n",
		"/Info":                               object + entry(80, n) + trailer(good+"/Info 80 0 R", x),
		"an object of the number of a lesser": object + "xref\n9 2\n" + fmt.Sprintf("%010d 00000 n \n%010d 00000 n \n", n, n) + trailer(good, x),
	} {
		out = append(out, mutant{kind: "PDF tail", part: name, make: func() []byte { return slices.Concat(file, []byte(text)) }})
	}
	f.want = append(f.want, "")
	for i := 0; i < len(file); { // cut after each mark
		j := bytes.Index(file[i:], []byte("%%EOF"))
		if j < 0 {
			break
		}
		i += j + 5
		for _, end := range []int{i, min(i+1, len(file)), min(i+2, len(file))} {
			out = append(out, mutant{kind: "PDF cut to an earlier revision", part: "file", make: func() []byte { return bytes.Clone(file[:end]) }})
		}
	}
	f.want = f.want[:len(f.want)-1]
	return out
}

func lastXRef(file []byte) (at int) {
	i := bytes.LastIndex(file, []byte("startxref"))
	_, _ = fmt.Sscan(string(file[i+len("startxref"):]), &at)
	return at
}

func rootOf(file []byte) string {
	f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	if err != nil {
		return "1 0 R"
	}
	return f.Root().String()
}

// valueMutants change the CMS message in the place that no signature covers.
func valueMutants(f *fixture) (out []mutant) {
	list, err := pades.Signatures(bytes.NewReader(f.file), int64(len(f.file)))
	if err != nil {
		return nil
	}
	for _, s := range list {
		put := func(cms []byte) []byte { return inGap(f.file, s.ByteRange, cms) }
		for _, m := range derMutants(s.CMS, cmsSpans(s.CMS)) {
			out = append(out, mutant{kind: m.kind, part: s.SubFilter + ": " + m.part, make: func() []byte { return put(m.make()) }})
		}
		for _, tail := range []string{"00", "ff", "30", " ", ">", "/A", ")"} {
			out = append(out, mutant{kind: "PDF padding", part: s.SubFilter + ": padding", make: func() []byte {
				m := bytes.Clone(f.file)
				copy(m[s.ByteRange[2]-1-int64(len(tail)):], tail)
				return m
			}})
		}
	}
	return out
}

// inGap writes a message in the place of a signature's value; nil if it does not fit.
func inGap(file []byte, b [4]int64, cms []byte) []byte {
	room := int(b[2]-b[1]) - 2
	if 2*len(cms) > room {
		return nil
	}
	text := hex.EncodeToString(cms) + strings.Repeat("0", room-2*len(cms))
	return slices.Concat(file[:b[1]], []byte("<"+text+">"), file[b[2]:])
}

// padesGrafts puts the messages of other signatures in.
func padesGrafts(f *fixture, all []*fixture) (out []mutant) {
	list, err := pades.Signatures(bytes.NewReader(f.file), int64(len(f.file)))
	if err != nil {
		return nil
	}
	for _, g := range all {
		if !f.foreign(g) {
			continue
		}
		donors, err := pades.Signatures(bytes.NewReader(g.file), int64(len(g.file)))
		if err != nil {
			continue
		}
		for _, s := range list {
			inner := &fixture{file: s.CMS, spans: cmsSpans}
			for _, d := range donors {
				for _, m := range append(grafts(inner, d.CMS, g.name), mutant{kind: "graft " + g.name, part: "whole", make: func() []byte { return d.CMS }}) {
					out = append(out, mutant{kind: m.kind, part: s.SubFilter + ": " + m.part, make: func() []byte { return inGap(f.file, s.ByteRange, m.make()) }})
				}
			}
		}
	}
	return out
}
