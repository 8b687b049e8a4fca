package inspect

import (
	"encoding/binary"
	"strings"
	"testing"
)

// pptSpec is a presentation of PowerPoint 97 to be written: a document and one
// slide, with the records given in them.
type pptSpec struct {
	document, slide, master, notes string
	loose                          string // records behind the objects, in no container and no directory
	edits                          int    // saves before the last one
	encrypted                      bool
	edit                           func(stream, user []byte)
	more                           []string
}

func (s pptSpec) file() []byte {
	var stream string
	persist := []uint32{}
	object := func(kind int, body string) {
		persist = append(persist, uint32(len(stream)))
		stream += record(15, 0, kind, body)
	}
	object(pptDocument, record(1, 0, 0x03e9, strings.Repeat("\x00", 40))+s.document)
	object(pptMainMaster, s.master)
	object(pptSlide, record(2, 0, 0x03ef, strings.Repeat("\x00", 24))+s.slide)
	object(pptNotes, s.notes)
	stream += s.loose
	previous := uint32(0)
	for range s.edits + 1 {
		directory := uint32(len(stream))
		stream += record(0, 0, pptPersist, string(words(append([]uint32{uint32(len(persist))<<20 | 1}, persist...))))
		last := uint32(len(stream))
		stream += record(0, 0, pptUserEdit, string(words([]uint32{0, 0x03000000, previous, directory, 1, 5, 0})))
		previous = last
	}
	token := uint32(0xe391c05f)
	if s.encrypted {
		token = 0xf3d1c4df
	}
	user := []byte(record(0, 0, pptCurrentUser, string(words([]uint32{20, token, previous, 0x03f40000, 0x0803}))))
	main := []byte(stream)
	if s.edit != nil {
		s.edit(main, user)
	}
	return cfbFile(append([]string{"PowerPoint Document", string(main), "Current User", string(user)}, s.more...)...)
}

func pptSlideOf(records ...string) []byte { return pptSpec{slide: strings.Join(records, "")}.file() }

func pptDocumentOf(records ...string) []byte {
	return pptSpec{document: strings.Join(records, "")}.file()
}

func pptAtom(kind int, body string) string { return record(0, 0, kind, body) }

func pptActionOf(action, link byte, sound uint32) string {
	return record(15, 0, pptInteractive, pptAtom(pptAction, string(words([]uint32{sound, 0}))+string([]byte{action, 0, 0, 0, link, 0, 0, 0})))
}

func pptShow(flags uint16, sound uint32) string {
	return pptAtom(pptSlideShow, string(words([]uint32{0, sound}))+"\x00\x00"+string(binary.LittleEndian.AppendUint16(nil, flags))+"\x00\x00\x00\x00")
}

func pptTag(name, body string) string {
	return record(15, 0, 0x1388, record(15, 0, pptBinaryTag, pptAtom(pptCString, string(utf16le(name))), pptAtom(pptBinaryData, body)))
}

func pptCases() []ruleCase {
	slide, document, atom, action, show, tag := pptSlideOf, pptDocumentOf, pptAtom, pptActionOf, pptShow, pptTag
	ppt := pptSpec{}.file()
	headers := func(instance int, flags byte) string {
		return record(15, instance, pptHeaders, atom(pptHeadersAtom, "\x00\x00"+string([]byte{flags, 0})))
	}
	link := func(instance int, target string) string {
		return record(15, 0, 0x0409, record(15, 0, pptHyperlink, record(0, instance, pptCString, string(utf16le(target)))))
	}
	timing := func(kind uint32) string {
		return record(15, 1, pptTimeNodes, atom(pptTimeNode, string(words([]uint32{0, 0, kind, 0, 0, 0, 0, 0}))))
	}
	date := atom(pptGenericDate, "\x00\x00\x00\x00")
	cases := []ruleCase{
		{"field.dynamic", "x.ppt", slide(atom(pptDateTime, strings.Repeat("\x00", 8))), slide(atom(pptSlideNumber, "\x00\x00\x00\x00"))},
		{"field.dynamic", "x.ppt", slide(atom(pptRTFDateTime, strings.Repeat("\x00", 132))), slide(atom(0x0ff9, "\x00\x00\x00\x00"))},
		{"field.dynamic", "x.ppt", slide(date, headers(0, 3)), slide(date, headers(0, 5))},
		{"field.dynamic", "x.ppt", document(headers(3, 3)), document(headers(3, 2))},
		{"field.dynamic", "x.ppt", slide(date), slide(date, headers(0, 0))},
		{"field.dynamic", "x.ppt", pptSpec{notes: atom(0x03f1, "\x00\x01\x00\x00\x00\x00\x00\x00") + headers(0, 3)}.file(), pptSpec{notes: atom(0x03f1, "\x00\x00\x00\x00\x00\x00\x00\x00") + headers(0, 3)}.file()},
		{"field.layout", "x.ppt", slide(atom(pptSlideNumber, "\x00\x00\x00\x00")), slide(atom(0x0ffa, "\x00\x00\x00\x00"))},
		{"field.layout", "x.ppt", pptSpec{master: headers(0, 3)}.file(), pptSpec{master: headers(0, 5)}.file()},
		{"field.layout", "x.ppt", document(headers(4, 3)), document(headers(4, 5))},
		{"slide.action", "x.ppt", slide(action(1, 0, 0)), slide(action(3, 0, 0))},
		{"slide.action", "x.ppt", slide(strings.Replace(action(4, 8, 0), "\x0f\x00\xf2\x0f", "\x1f\x00\xf2\x0f", 1)), slide(action(4, 8, 0))},
		{"slide.action", "x.ppt", slide(action(2, 0, 0)), slide(action(7, 0, 0))},
		{"slide.action", "x.ppt", slide(action(5, 0, 0)), slide(action(0, 0, 0))},
		{"slide.action", "x.ppt", slide(action(9, 0, 0)), slide(action(4, 8, 0))},
		{"ooxml.media", "x.ppt", slide(action(6, 0, 0)), slide(action(4, 7, 0))},
		{"ooxml.media", "x.ppt", slide(action(0, 0, 1)), slide(action(0, 0, 0))},
		{"ooxml.media", "x.ppt", document(record(15, 5, 0x07e4, record(15, 0, pptSound))), document(record(15, 5, 0x07e4, ""))},
		{"ooxml.media", "x.ppt", slide(show(0x10, 1)), slide(show(0x10, 0))},
		{"ooxml.media", "x.ppt", slide(record(15, 0, 0x1014, atom(pptAnimation, string(words([]uint32{0, 0, 1, 0, 0, 0, 0}))))), slide(record(15, 0, 0x1014, atom(pptAnimation, string(words([]uint32{0, 0, 0, 0, 0, 0, 0})))))},
		{"link.scheme", "x.ppt", slide(action(4, 9, 0)), slide(action(4, 8, 0))},
		{"link.scheme", "x.ppt", document(link(1, "file:///c:/x.exe")), document(link(1, "https://x.it/"))},
		{"link.scheme", "x.ppt", document(link(1, "javascript:x")), document(link(0, "javascript:x"))},
		{"link", "x.ppt", document(link(1, "https://x.it/")), ppt},
		{"slide.animation", "x.ppt", slide(record(15, 0, 0x1014, atom(pptAnimation, strings.Repeat("\x00", 28)))), slide(record(15, 0, 0x1014))},
		{"slide.animation", "x.ppt", slide(show(0x400, 0)), slide(show(1, 0))},
		{"slide.animation", "x.ppt", slide(tag("___PPT10", timing(3))), slide(tag("___PPT10", timing(0)))},
		{"slide.animation", "x.ppt", slide(tag("___PPT10", timing(4))), slide(tag("altro", timing(4)))},
	}
	for _, kind := range []int{0x1005, 0x1006, 0x1007, 0x100d, 0x100e, 0x100f, 0x1010} {
		cases = append(cases, ruleCase{"ooxml.media", "x.ppt", document(record(15, 0, kind)), ppt})
	}
	return append(cases, pptContentCases()...)
}

// pptContentCases are of comments, objects and programs, and of files that are defective.
func pptContentCases() []ruleCase {
	slide, document, atom, action, show, tag := pptSlideOf, pptDocumentOf, pptAtom, pptActionOf, pptShow, pptTag
	ppt := pptSpec{}.file()
	text := func(s string) string { return atom(pptTextChars, s) }
	return []ruleCase{
		{"ooxml.comments", "x.ppt", slide(tag("___PPT10", record(15, 0, 0x2ee0))), slide(tag("altro", record(15, 0, 0x2ee0)))},
		{"ooxml.changes", "x.ppt", document(record(15, 0, 0x2eec)), ppt},
		{"ooxml.hidden", "x.ppt", slide(show(4, 0)), slide(show(2, 0))},
		{"ooxml.hidden", "x.ppt", slide(record(15, 0, 0x040c, shape(0x3bf, 0x00020002, ""))), slide(record(15, 0, 0x040c, shape(0x3bf, 0x00020000, "")))},
		{"ooxml.external", "x.ppt", slide(record(15, 0, 0x040c, shape(0x106, 8, ""))), slide(record(15, 0, 0x040c, shape(0x106, 0, "")))},
		{"ooxml.external", "x.ppt", document(record(15, 0, pptOleLink)), ppt},
		{"ooxml.external", "x.ppt", slide(record(15, 0, 0x3714)), ppt},
		{"cfb.embedded", "x.ppt", document(record(15, 0, pptOleEmbed)), ppt},
		{"cfb.embedded", "x.ppt", pptSpec{loose: record(0, 1, pptObjectStg, "xxxxxx")}.file(), ppt},
		{"ooxml.activex", "x.ppt", document(record(15, 0, pptControl)), ppt},
		{"cfb.macro", "x.ppt", document(record(15, 1, 0x03ff, record(2, 0, pptVBAInfo, string(words([]uint32{3, 1, 2}))))), document(record(15, 1, 0x03ff, record(2, 0, pptVBAInfo, string(words([]uint32{0, 0, 2})))))},
		{"text.bidi", "x.ppt", slide(text("a\x00\x2e\x20")), slide(text("a\x00\xac\x20"))},
		{"cfb.encrypted", "x.ppt", pptSpec{encrypted: true}.file(), ppt},
		{"cfb.encrypted", "x.ppt", pptSpec{loose: record(15, 0, pptCryptSession)}.file(), ppt},
		{"cfb.revisions", "x.ppt", pptSpec{edits: 1}.file(), ppt},
		{"cfb.revisions", "x.ppt", pptSpec{loose: record(15, 0, pptSlide)}.file(), ppt},
		{"cfb.legacy", "x.ppt", pptSpec{more: []string{"PP97_DUALSTORAGE/PowerPoint Document", "x"}}.file(), ppt},
		{"cfb.malformed", "x.ppt", pptSpec{loose: record(15, 0, 0x040c)}.file(), ppt},
		{"cfb.malformed", "x.ppt", pptSpec{loose: "\x00\x00"}.file(), ppt},
		{"cfb.malformed", "x.ppt", slide(record(0, 0, pptInteractive, "x")), slide(record(15, 0, pptInteractive))},
		{"cfb.malformed", "x.ppt", slide(record(15, 0, pptAction)), slide(record(15, 0, pptInteractive))},
		{"cfb.malformed", "x.ppt", slide(atom(pptAction, "\x00")), slide(action(0, 0, 0))},
		{"cfb.malformed", "x.ppt", slide(nestedRecords(maxRecordDepth)), slide(nestedRecords(maxRecordDepth - 1))},
		{"cfb.malformed", "x.ppt", slide(text(strings.Repeat("a\x00", maxRecord/2+1))), slide(text(strings.Repeat("a\x00", 5000)))},
	}
}

// nestedRecords are n, each all that is in the one before.
func nestedRecords(n int) string {
	var b []byte
	for inside := n - 1; inside >= 0; inside-- {
		b = append(b, "\x0f\x00\x03\xf0"...)
		b = binary.LittleEndian.AppendUint32(b, uint32(8*inside))
	}
	return string(b)
}

// A plain presentation is not refused for being binary.
func TestPlainPPT(t *testing.T) {
	t.Parallel()
	rep := look(t, "x.ppt", pptSpec{slide: record(0, 0, pptTextChars, "C\x00i\x00")}.file())
	if rep.Verdict != Allow || len(rep.Findings) != 0 {
		t.Errorf("%+v", rep)
	}
}

// What a program would find by the places in the file must be what was walked.
func TestPPTLies(t *testing.T) {
	t.Parallel()
	// last answers the place of the last record of a kind.
	last := func(stream []byte, kind uint16) int {
		return strings.LastIndex(string(stream), string(binary.LittleEndian.AppendUint16(nil, kind))) - 2
	}
	for name, lie := range map[string]func(stream, user []byte){
		"length of the first":  func(stream, _ []byte) { stream[7] = 1 },
		"length of the last":   func(stream, _ []byte) { stream[last(stream, pptUserEdit)+4]++ },
		"child beyond parent":  func(stream, _ []byte) { stream[12]++ },
		"edit elsewhere":       func(_, user []byte) { user[16]++ },
		"edit at an object":    func(_, user []byte) { copy(user[16:], "\x00\x00\x00\x00") },
		"token":                func(_, user []byte) { user[12]++ },
		"user record":          func(_, user []byte) { user[2]++ },
		"directory elsewhere":  func(stream, _ []byte) { stream[last(stream, pptUserEdit)+8+12]++ },
		"object within record": func(stream, _ []byte) { stream[last(stream, pptPersist)+8+4] = 8 },
		"directory size":       func(stream, _ []byte) { stream[last(stream, pptPersist)+8+3]++ },
		"earlier edit":         func(stream, _ []byte) { stream[last(stream, pptUserEdit)+8+8] = 8 },
	} {
		if rep := look(t, "x.ppt", pptSpec{edit: lie}.file()); !has(rep, "cfb.malformed") {
			t.Errorf("%s: %+v", name, rep)
		}
	}
	if rep := look(t, "x.ppt", cfbFile("PowerPoint Document", record(15, 0, pptDocument))); !has(rep, "cfb.malformed") {
		t.Errorf("without Current User: %+v", rep)
	}
}
