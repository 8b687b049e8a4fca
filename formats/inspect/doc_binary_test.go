package inspect

import (
	"slices"
	"strings"
	"testing"
)

// docWith is a document of one word, edited.
func docWith(edit func(*docSpec)) []byte {
	s := docSpec{text: "Contratto\r"}
	edit(&s)
	return s.file()
}

// docCHPX has those properties of its characters.
func docCHPX(p string) []byte { return docWith(func(s *docSpec) { s.chpx = p }) }

// docTable has that table at that place of the FIB.
func docTable(index int, content string) []byte {
	return docWith(func(s *docSpec) { s.tables = map[int]string{index: content} })
}

func docCases() []ruleCase {
	with, chpx, table, doc := docWith, docCHPX, docTable, docWith(func(*docSpec) {})
	story := func(n int, text string) []byte { return with(func(s *docSpec) { s.stories = map[int]string{n: text} }) }
	cases := []ruleCase{
		{"cfb.legacy", "x.doc", with(func(s *docSpec) { s.nFib = 0x65 }), doc},
		{"cfb.legacy", "x.doc", with(func(s *docSpec) { s.flags = 2 }), doc}, // AutoText
		{"cfb.malformed", "x.doc", doc[:600], doc},
		{"cfb.encrypted", "x.doc", with(func(s *docSpec) { s.flags = 0x100 }), doc},
		{"cfb.encrypted", "x.doc", with(func(s *docSpec) { s.flags = 0x8000 }), doc},
		{"cfb.revisions", "x.doc", with(func(s *docSpec) { s.flags = 0x14 }), with(func(s *docSpec) { s.flags = 0x04 })},
		{"cfb.revisions", "x.doc", table(fibVersions, "versioni"), table(fibVersions, "")},
		{"cfb.macro", "x.doc", with(func(s *docSpec) { s.more = []string{"Macros/VBA/dir", "x"} }), doc},
		{"cfb.embedded", "x.doc", with(func(s *docSpec) { s.more = []string{"ObjectPool/_1/\x01Ole10Native", "x"} }), with(func(s *docSpec) { s.more = []string{"\x01CompObj", "x", "\x01Ole", "x"} })},
		{"cfb.embedded", "x.doc", with(func(s *docSpec) { s.more = []string{"ObjectPool/_1/CONTENTS", "x"} }), with(func(s *docSpec) { s.more = []string{"ObjectPool/", ""} })},
		{"cfb.embedded", "x.doc", with(func(s *docSpec) { s.more = []string{"X/\x01Ole10Native", "x"} }), doc},
		{"cfb.embedded", "x.doc", chpx(sprms(0x080a, "\x01", 0x6a03, "\x01\x02\x03\x04")), chpx(sprms(0x080a, "\x00"))},
		{"format.polyglot", "x.doc", with(func(s *docSpec) { s.more = []string{"Workbook", records(0x809, "x")} }), doc},
		{"name.mismatch", "x.xls", doc, nil},
		{"cfb.malformed", "x.doc", with(func(s *docSpec) { s.more = []string{"WORDDOCUMENT", "x"} }), with(func(s *docSpec) { s.more = []string{"X/WordDocument", "x"} })},
		{"cfb.malformed", "x.doc", with(func(s *docSpec) { s.more = []string{"1TABLE", "x"} }), with(func(s *docSpec) { s.more = []string{"\u200b1Table", "x"} })},
	}
	for i := range docStories {
		switch {
		case i == 3: // macros have no text in any document Word makes
			cases = append(cases, ruleCase{"field.dynamic", "x.doc", story(i, "\x13 DATE \x15\r"), nil})
		case i > 0:
			cases = append(cases, ruleCase{"field.dynamic", "x.doc", story(i, "Nota \x13 DATE \x14x\x15\r"), story(i, "Nota DATE\r")})
		}
	}
	return slices.Concat(cases, docFieldCases(), docContentCases())
}

func docFieldCases() []ruleCase {
	table, doc := docTable, docWith(func(*docSpec) {})
	return []ruleCase{
		{"field.dynamic", "x.doc", oneField(0x1f, `DATE \@ "d"`), oneField(0x21, "PAGE")},
		{"field.dynamic", "x.doc", oneField(0x1f, `DATA \@ "d"`), oneField(0x21, "PAGINA")}, // in Italian
		{"field.dynamic", "x.doc", oneField(0x21, "date"), oneField(0x21, "page")},          // the number lies
		{"field.dynamic", "x.doc", docSpec{text: "\x13\x13 PAGE \x14DATE \x15PAGE \x141\x15\r", types: []byte{0x21, 0x21}}.file(), docSpec{text: "\x13 REF \x13 PAGE \x141\x15\x141\x15\r", types: []byte{0x03, 0x21}}.file()},
		{"field.dynamic", "x.doc", oneField(0x02, "segnalibro"), oneField(0x03, "segnalibro")},
		{"field.dynamic", "x.doc", oneField(0xfe, "PAGE"), oneField(0x1a, "NUMPAGES")},
		{"field.dde", "x.doc", oneField(0x2e, "DDEAUTO excel"), oneField(0x1a, "NUMPAGES")},
		{"field.dde", "x.doc", oneField(0x03, "DDEAUTO excel"), oneField(0x03, "REF x")},
		{"field.layout", "x.doc", oneField(0x5f, `SHAPE \* MERGEFORMAT`), oneField(0x3a, "EMBED Equation.3")},
		{"field.layout", "x.doc", oneField(0x46, "MODULOTESTO"), oneField(0x58, `HYPERLINK "https://x.it/"`)},
		{"formula", "x.doc", oneField(0x22, "=1+1"), oneField(0x21, "PAGE")},
		{"link", "x.doc", oneField(0x58, `COLLEGAMENTO "https://x.it/"`), oneField(0x58, `HYPERLINK "file:///c:/x"`)},
		{"link.scheme", "x.doc", oneField(0x58, `COLLEGAMENTO "file:///c:/x"`), oneField(0x58, `HYPERLINK "https://x.it/"`)},
		{"field.dynamic", "x.doc", docSpec{text: "\x13 PAGE \x13 DATE \x15\x14 1\x15\r", types: []byte{0x21, 0x1f}}.file(), docSpec{text: "\x13 PAGE \x13 NUMPAGES \x15\x14 1\x15\r", types: []byte{0x21, 0x1a}}.file()},
		{"field.dynamic", "x.doc", docSpec{text: "\x13 DATE \x15\r", types: []byte{0x1f}, wide: true}.file(), docSpec{text: "Contratto\r", wide: true}.file()},
		{"cfb.malformed", "x.doc", docSpec{text: "\x13 PAGE \x14 1\r", types: []byte{0x21}}.file(), oneField(0x21, "PAGE")},
		{"cfb.malformed", "x.doc", docSpec{text: "a\x15\r"}.file(), docSpec{text: "a\x16\r"}.file()},
		{"cfb.malformed", "x.doc", docSpec{text: "\x13 PAGE \x15 \r", types: []byte{0x21}, tables: map[int]string{fibFldMain: fieldTable(" \x13 PAGE \x15\r", []byte{0x21})}}.file(), oneField(0x21, "PAGE")},
		{"cfb.malformed", "x.doc", table(fibFldMain, fieldTable("\x13PAGE\x15xxxx", []byte{0x21})), doc},
		{"cfb.malformed", "x.doc", docSpec{text: "\x13DATE\x15\r", types: []byte{0x1f}, tables: map[int]string{fibFldMain: ""}}.file(), doc},
		{"cfb.malformed", "x.doc", docSpec{text: strings.Repeat("\x13PAGE ", maxFieldDepth+1) + strings.Repeat("\x15", maxFieldDepth+1) + "\r", types: []byte(strings.Repeat("\x21", maxFieldDepth+1))}.file(), doc},
		{"text.bidi", "x.doc", docSpec{text: "a\u202eb\r", wide: true}.file(), docSpec{text: "a\u20acb\r", wide: true}.file()},
	}
}

// docContentCases are of properties, templates, drawings, controls and commands.
func docContentCases() []ruleCase {
	with, chpx, table, doc := docWith, docCHPX, docTable, docWith(func(*docSpec) {})
	dop := func(flags uint32) []byte { return with(func(s *docSpec) { s.dop = flags }) }
	assoc := func(template, source string) []byte {
		return with(func(s *docSpec) { s.assoc = []string{"", template, "Titolo", "", "", "", "", "", source, "", ""} })
	}
	data := func(d string) []byte {
		return with(func(s *docSpec) { s.text, s.chpx, s.data = "\x01 Contratto\r", sprms(0x6a03, "\x00\x00\x00\x00"), d })
	}
	drawing := func(id int, value uint32, d string) []byte {
		return table(fibDrawings, record(15, 0, 0xf000)+"\x00"+shape(id, value, d))
	}
	url := "\x02\x00\x00\x00\x03\x00\x00\x00" + string(clsidURL)
	link := func(target string) string {
		return url + string(words([]uint32{uint32(2 * len(target))})) + string(utf16le(target))
	}
	return []ruleCase{
		{"ooxml.hidden", "x.doc", chpx(sprms(0x083c, "\x01")), chpx(sprms(0x083c, "\x00"))},
		{"ooxml.hidden", "x.doc", chpx(sprms(0xca31, "\x02\x00\x00", 0x083c, "\x81")), chpx(sprms(0xca31, "\x03\x3c\x08\x01"))},
		{"ooxml.hidden", "x.doc", with(func(s *docSpec) { s.style = sprms(0x083c, "\x01") }), with(func(s *docSpec) { s.style = sprms(0x0835, "\x01") })},
		{"ooxml.hidden", "x.doc", drawing(0x3bf, 0x00020002, ""), drawing(0x3bf, 0x00020000, "")},
		{"ooxml.changes", "x.doc", chpx(sprms(0x0801, "\x01")), chpx(sprms(0x0801, "\x00"))},
		{"ooxml.changes", "x.doc", with(func(s *docSpec) { s.papx = sprms(0xc63f, "\x07\x01\x00\x00\x00\x00\x00\x00") }), with(func(s *docSpec) { s.papx = sprms(0xc63f, "\x07\x00\x00\x00\x00\x00\x00\x00") })},
		{"ooxml.changes", "x.doc", dop(1 << 15), dop(1 << 9)},
		{"ooxml.changes", "x.doc", section("\x01", docTextAt), section("\x00", docTextAt)},
		{"cfb.malformed", "x.doc", section("\x01", 0x7fffffff), section("\x01", ^uint32(0))}, // -1: none
		{"ooxml.comments", "x.doc", table(fibCommentRef, "\x01\x00\x00\x00"), doc},
		{"ooxml.template", "x.doc", dop(1 << 14), dop(1 << 12)},
		{"ooxml.template", "x.doc", assoc(`C:\Modelli\Lettera.dot`, ""), assoc(`C:\Modelli\Normal.dot`, "")},
		{"ooxml.template", "x.doc", assoc(`\\server\x\Normal.dot`, ""), assoc("Normal", "")},
		{"ooxml.data", "x.doc", assoc("", `C:\indirizzi.mdb`), assoc("Normal.dotm", "")},
		{"ooxml.data", "x.doc", table(fibMailMerge, "x"), doc},
		{"ooxml.activex", "x.doc", table(fibOCX, "x"), doc},
		{"ooxml.external", "x.doc", table(fibSubdocs, "x"), doc},
		{"ooxml.external", "x.doc", table(fibFrames, "\x0c\x00\x00\x00\x05\x00\x00\x00a\x00b\x00"), table(fibFrames, "\x0c\x00\x00\x00\x07\x00\x00\x00a\x00b\x00")},
		{"ooxml.external", "x.doc", drawing(0x106, 0x0a, ""), drawing(0x106, 2, "")},
		{"cfb.malformed", "x.doc", docSpec{text: "Foto \x01 \r", chpx: sprms(0x6a03, "\x00\x00\x00\x00")}.file(), data(picf(0x64, shape(0x104, 1, "")))},
		{"cfb.malformed", "x.doc", with(twoPictures("\x04\x00\x00\x00")), with(twoPictures("\x44\x00\x00\x00"))},
		{"cfb.malformed", "x.doc", docSpec{text: "\x01 \x01\r", chpx: sprms(0x6a03, "\x00\x00\x00\x00"), style: sprms(0x6a03, "\x00\x00\x00\x00"), data: picf(0x64, "")[:60]}.file(), doc},
		{"ooxml.external", "x.doc", data(picf(0x66, "\x05a.png")), data(picf(0x64, shape(0x106, 0, "")))},
		{"ooxml.external", "x.doc", data(picf(0x64, shape(0x106, 0x0a, ""))), data(picf(0x64, shape(0x105, 0x0a, "")))},
		{"link.scheme", "x.doc", drawing(0x8382, uint32(len(link("javascript:x"))), link("javascript:x")), drawing(0x8382, uint32(len(link("https://x.it"))), link("https://x.it"))},
		{"link.scheme", "x.doc", drawing(0x8382, 16, string(clsidFile)), drawing(0x8382, 8, url[:8])},
		{"cfb.macro", "x.doc", drawing(0x838e, 4, "a\x00b\x00"), drawing(0x838d, 4, "a\x00b\x00")},
		{"cfb.macro", "x.doc", data(picf(0, formData(0, "Testo1", "", "", "", "", "Avvio", ""))), data(picf(0, formData(0, "Testo1", "x", "", "aiuto", "stato", "", "")))},
		{"cfb.macro", "x.doc", table(fibCommands, "\xff\x01\x01\x00\x00\x00"+strings.Repeat("x", 24)+"\x40"), table(fibCommands, "\xff\x01\x00\x00\x00\x00\x40")},
		{"ooxml.extension", "x.doc", table(fibCommands, "\xff\x12\x00\x00"), table(fibCommands, "\xff\x40")},
		{"field.dynamic", "x.doc", data(picf(0, formData(3<<11, "Data", "", "", "", "", "", ""))), data(picf(0, formData(2<<11, "Data", "", "", "", "", "", "")))},
		{"formula", "x.doc", data(picf(0, formData(5<<11, "Somma", "", "", "", "", "", ""))), data(picf(0, formData(1<<11, "Somma", "", "", "", "", "", "")))},
	}
}

// section is a document whose text begins with the properties of a section,
// found at fc: a mark of their revision, on or off.
func section(on string, fc uint32) []byte {
	text := "\x0a\x00" + sprms(0xd243, "\x07"+on+"\x00\x00\x00\x00\x00\x00") + "\r"
	sed := string(words([]uint32{0, uint32(len(text))})) + "\x00\x00" + string(words([]uint32{fc})) + "\x00\x00\x00\x00\x00\x00"
	return docSpec{text: text, tables: map[int]string{fibSections: sed}}.file()
}

// twoPictures puts one at the beginning of the Data stream, the other at a place.
func twoPictures(at string) func(*docSpec) {
	return func(s *docSpec) {
		s.text, s.data = "\x01 Contratto\r", picf(0, "")+picf(0, "")
		s.chpx, s.papx = sprms(0x6a03, "\x00\x00\x00\x00"), sprms(0x6a03, at)
	}
}

// A plain document is not refused for being binary.
func TestPlainDoc(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string][]byte{
		"bytes": docSpec{text: "Contratto\r"}.file(), "wide": docSpec{text: "Contratto \u20ac\r", wide: true}.file(),
		"stories":    docSpec{text: "Contratto\r", stories: map[int]string{1: "Nota\r", 2: "Testata\r", 5: "Fine\r"}}.file(),
		"no picture": docSpec{text: "Contratto\r", chpx: sprms(0x6a03, "\x00\x00\x00\x00")}.file(),
		"picture":    docSpec{text: "Foto \x01 \r", chpx: sprms(0x6a03, "\x00\x00\x00\x00"), data: picf(0x64, shape(0x104, 1, "")+record(2, 0, 0xf007, "image"))}.file(),
	} {
		if rep := look(t, "x.doc", doc); rep.Verdict != Allow || len(rep.Findings) != 0 {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

// Sizes and places that lie make a document malformed, wherever they stand.
func TestDocLies(t *testing.T) {
	t.Parallel()
	base := docSpec{text: "Contratto \x13 PAGE \x14x\x15\r", types: []byte{0x21}, chpx: sprms(0x0835, "\x01"), papx: sprms(0x2416, "\x01"),
		assoc: []string{"", "Normal.dot"}, tables: map[int]string{fibDrawings: record(15, 0, 0xf000) + "\x00" + shape(0x104, 1, "")}}
	if rep := look(t, "x.doc", base.file()); has(rep, "cfb.malformed") {
		t.Fatalf("%+v", rep)
	}
	far := func(index int) func(main, table []byte) {
		return func(main, _ []byte) { copy(main[0x9a+8*index:], "\xff\xff\xff\x7f") }
	}
	lies := map[string]func(main, table []byte){
		"csw": func(main, _ []byte) { main[0x20] = 13 }, "count": func(main, _ []byte) { main[0x98], main[0x99] = 0xff, 0xff },
		"few": func(main, _ []byte) { main[0x98] = 92 }, "ccp": func(main, _ []byte) { main[0x4c] = 200 },
		"ccp huge": func(main, _ []byte) { copy(main[0x4c:], "\xff\xff\xff\xff") }, "no style sheet": func(main, _ []byte) { copy(main[0x9a+8*fibStyles:], strings.Repeat("\x00", 8)) },
		"no Dop": func(main, _ []byte) { copy(main[0x9a+8*fibDop:], strings.Repeat("\x00", 8)) },
		"shape":  func(_, table []byte) { table[strings.Index(string(table), "\x0b\xf0")+2] = 0xff },
		"runs":   func(main, _ []byte) { main[len(main)-1] = 200 },
		"papx":   func(main, _ []byte) { main[len(main)-512+8] = 0xff },
	}
	for _, index := range []int{fibClx, fibFldMain, fibCHPX, fibPAPX, fibAssoc, fibDrawings, fibDop, fibStyles} {
		lies["fc "+string(rune('0'+index))] = far(index)
	}
	for name, lie := range lies {
		s := base
		s.edit = lie
		if rep := look(t, "x.doc", s.file()); !has(rep, "cfb.malformed") {
			t.Errorf("%s: %+v", name, rep)
		}
	}
	for name, streams := range map[string][]string{"no table": {"WordDocument", string(make([]byte, 0x9a))}} {
		if rep := look(t, "x.doc", cfbFile(streams...)); rep.Verdict != Refuse {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}
