package inspect

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// survive inspects a document as the product does, from a file: it has to be
// refused, or not, in little memory and without a fall. These are documents that only
// this package's tests can build; the others are in TestSurvival of signing/worker,
// which measures a worker's time and memory besides.
func survive(t *testing.T, name string, doc []byte, refuse bool) Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	size := int64(len(doc))
	doc = nil
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rep, err := Inspect(f, size, name)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if err := rep.Check(); err != nil {
		t.Fatal(err)
	}
	if refuse != (rep.Verdict == Refuse) {
		t.Errorf("verdict %s: %+v", rep.Verdict, rep.Findings)
	}
	grown := (int64(after.HeapSys) - int64(before.HeapSys)) >> 20
	if grown > 256 {
		t.Errorf("heap grew by %d MB", grown)
	}
	if len(rep.Findings) > maxFindings+len(rules) {
		t.Errorf("%d findings", len(rep.Findings))
	}
	t.Logf("%d KB, %d MB: %s %.200v", size>>10, grown, rep.Verdict, rep.Findings)
	return rep
}

func zlibOf(n int) string {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, 9)
	chunk := make([]byte, 1<<20)
	for ; n > 0; n -= len(chunk) {
		_, _ = w.Write(chunk)
	}
	_ = w.Close()
	return b.String()
}

func zlibText(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// Of packages and documents in one file: floods of cells, fields and records.
func TestSurvivePackages(t *testing.T) {
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"shared strings": {xlsx("", "", "xl/sharedStrings.xml", `<sst `+nsX+`>`+strings.Repeat("<si><t>a</t></si>", 100_000)+`</sst>`), false},
		"formulas":       {xlsx("<sheetData>"+strings.Repeat(`<c r="A1"><f>SUM(A1:A9)</f></c>`, 20_000)+"</sheetData>", ""), false},
		"fields":         {docx(strings.Repeat(field("PAGE"), 5_000)), false},
		"flat sheet":     {sheetXML(strings.Repeat(`<Cell Formula="=NOW()"/>`, 30_000)), true},
		"flat data":      {flatPackage(flatPart("/a", "image/png", "<pkg:binaryData>"+strings.Repeat("AAAA", 1<<18)+"</pkg:binaryData>")), true},
		"xlsb records":   {xlsb(strings.Repeat("\x09\x00", 1<<19)), true},
		"xlsb names":     {xlsb(strings.Repeat(xlsbRecord(xlsbName, le(uint32(0), byte(0), uint32(0), uint32(0xffffffff))), 200_000)), true},
	} {
		t.Run(name, func(t *testing.T) {
			file := "x.docx"
			if strings.HasPrefix(name, "flat") {
				file = "x.xml"
			} else if strings.HasPrefix(name, "xlsb") {
				file = "x.xlsb"
			} else if name == "shared strings" || name == "formulas" {
				file = "x.xlsx"
			}
			survive(t, file, c.doc, c.refuse)
		})
	}
}

// Of compound files: chains that go round in a circle, sizes that lie.
func TestSurviveCompoundFiles(t *testing.T) {
	le32 := binary.LittleEndian
	doc := docSpec{text: "a\r"}.file()
	book := xlsOf("", strings.Repeat(records(0x203, strings.Repeat("\x00", 12)), 200))
	show := pptSpec{}.file()
	sector := func(b []byte, n uint32) []byte { return b[512*(n+1):] }
	fat := func(b []byte, n uint32) []byte { return sector(b, le32.Uint32(b[76:]))[4*n:] }
	dirAt := func(b []byte) uint32 { return le32.Uint32(b[48:]) }
	entry := func(b []byte, n uint32) []byte { return sector(b, dirAt(b))[128*n:] }
	edit := func(b []byte, how func(b []byte)) []byte {
		b = bytes.Clone(b)
		how(b)
		return b
	}
	circle := func(b []byte) {
		start := le32.Uint32(entry(b, 1)[116:])
		le32.PutUint32(fat(b, start), start)
	}
	for name, c := range map[string]struct {
		doc []byte
		why string // in a finding's quote
	}{
		"x.doc stream circle": {edit(docSpec{text: strings.Repeat("a", 9000) + "\r"}.file(), circle), "is not in the table of fields"},
		"x.doc child circle":  {edit(doc, func(b []byte) { le32.PutUint32(entry(b, 1)[76:], 0); entry(b, 1)[66] = 1 }), "traversal counter overflow"},
		"x.doc left circle":   {edit(doc, func(b []byte) { le32.PutUint32(entry(b, 2)[68:], 1) }), "traversal counter overflow"},
		"x.xls mini circle": {edit(book, func(b []byte) {
			start := le32.Uint32(entry(b, 1)[116:])
			le32.PutUint32(sector(b, le32.Uint32(b[60:]))[4*start:], start)
			le32.PutUint32(entry(b, 1)[120:], 4095)
		}), "record 0x0 at"},
		"x.xls mini stream circle": {edit(book, func(b []byte) { start := le32.Uint32(entry(b, 0)[116:]); le32.PutUint32(fat(b, start), start) }), "cycle detected in mini stream"},
		"x.ppt no such sector":     {edit(show, func(b []byte) { le32.PutUint32(entry(b, 1)[116:], 0x00fffff0) }), "outside minisector range"},
		"x.doc no such directory":  {edit(doc, func(b []byte) { le32.PutUint32(b[48:], 0x00fffff0) }), "directory entries read error"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, " ")
			rep := survive(t, file, c.doc, true)
			if !slices.ContainsFunc(rep.Findings, func(f Finding) bool { return strings.Contains(f.Quote, c.why) }) {
				t.Errorf("refused for something else: %+v", rep.Findings)
			}
		})
	}
}

// Of what is in compound files: floods of entries, records and pieces.
func TestSurviveFloods(t *testing.T) {
	for name, c := range map[string][]byte{
		"x.doc many projects":  cfbFile(append([]string{"WordDocument", wordStream(0)}, manyProjects(3000)...)...),
		"x.doc module bomb":    cfbFile(append(append([]string{"WordDocument", wordStream(0)}, vbaFiles("Macros/", "A", "", "")[:5]...), vbaBomb(40<<20))...),
		"x.xls long continues": xlsOf("", records(0x06, "x")+strings.Repeat(records(0x3c, strings.Repeat("x", 8000)), 500)),
		"x.xls formulas":       xlsOf("", strings.Repeat(parsed(strings.Repeat(callNow, 1000)), 500)),
		"x.xls names":          xlsOf(strings.Repeat(named(0, "a", callNow), maxBIFFNames+1), ""),
		"x.xls list":           listSpec{names: strings.Repeat(listColumn(0, ""), 100) + "x"}.file(),
		"x.doc pieces":         docSpec{text: "a", tables: map[int]string{fibClx: manyPieces(2000, 30_000)}}.file(),
		"x.ppt nested":         pptSpec{slide: nestedRecords(100_000)}.file(),
		"x.ppt slides":         pptSpec{loose: strings.Repeat(record(15, 0, pptSlide), maxPPTObjects)}.file(),
		"x.ppt storages":       pptSpec{loose: strings.Repeat(record(0, 1, pptObjectStg, le(uint32(1<<20))+zlibOf(1<<20)), 200)}.file(),
	} {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, " ")
			survive(t, file, c, true)
		})
	}
}

// A stream that says it is larger than its file is not read round in a circle.
func TestStreamSizes(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string][]byte{"x.xls": xlsOf("", ""), "x.ppt": pptSpec{}.file()} {
		dir := doc[512*(binary.LittleEndian.Uint32(doc[48:])+1):]
		binary.LittleEndian.PutUint32(dir[128+120:], 1<<30)
		rep := look(t, name, doc)
		if len(rep.Findings) != 1 || rep.Findings[0].Quote != "the stream is larger than the file" {
			t.Errorf("%s: %+v", name, rep.Findings)
		}
	}
}

func manyProjects(n int) (files []string) {
	for i := range n {
		files = append(files, fmt.Sprintf("s%d/VBA/dir", i), "\x01")
	}
	return files
}

// vbaBomb is a compressed container in which each chunk of six bytes becomes
// 4,096: a letter, and a copy of it.
func vbaBomb(n int) string { return "\x01" + strings.Repeat("\x03\xb0\x02a\xfc\x0f", n/4096) }

// Of the rest: texts that flood or are read in two ways, images that say more
// than they have.
func TestSurviveTexts(t *testing.T) {
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"x.doc shown often":    {docSpec{text: strings.Repeat("a", 30_000), tables: map[int]string{fibClx: manyPieces(1000, 30_000)}, edit: claim(30_000_000)}.file(), false},
		"x.html UTF-7":         {[]byte("+/v8-+ADw-script+AD4-x+ADw-/script+AD4-"), true},
		"x.html UTF-16":        {utf16Text("<html><script>x</script>")[2:], true},
		"x.bmp 65,535":         {bmpOf(65535, 65535), true},
		"x.bmp most":           {bmpOf(-2147483648, -2147483648), true},
		"x.webp chunks":        {webpFlood("EXIF"), true},
		"x.webp frames":        {webpFlood("ANMF"), true},
		"x.webp 16,383":        {webpOf("VP8L", vp8l(16384, 16384)), true},
		"x.webp forged length": {webpOf("VP8 ", vp8(3, 2))[:20], true},
		"x.tif 4 G":            {tiffEdit(8+2+8, 0xffffffff), true},
		"x.tif values":         {tiffEdit(8+2+2*12+4, 0xffffffff), true},
	} {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, " ")
			survive(t, file, c.doc, c.refuse)
		})
	}
}

// webpFlood has millions of chunks of one kind.
func webpFlood(kind string) []byte {
	b := join(webpOf("VP8X", vp8x(0, 3, 2)), bytes.Repeat([]byte(kind+"\x00\x00\x00\x00"), 1<<20))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func tiffEdit(at int, value uint32) []byte {
	b := tiffOf(1)
	binary.LittleEndian.PutUint32(b[at:], value)
	return b
}

// manyPieces is a piece table that shows the same characters n times.
func manyPieces(n, length int) string {
	var at []uint32
	var pcd strings.Builder
	for i := range n {
		at = append(at, uint32(i*length))
		pcd.WriteString("\x00\x00" + string(words([]uint32{2*docTextAt | 0x40000000})) + "\x00\x00")
	}
	plc := string(words(append(at, uint32(n*length)))) + pcd.String()
	return "\x02" + string(words([]uint32{uint32(len(plc))})) + plc
}

// claim sets the number of characters of the main text.
func claim(n uint32) func(main, table []byte) {
	return func(main, _ []byte) { copy(main[docStories[0].length:], words([]uint32{n})) }
}

func manyParts(n int) []string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf("word/media/%d.png", i), "x")
	}
	return parts
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}
