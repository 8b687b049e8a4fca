package inspect

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// survive inspects a document as the product does, from a file: it has to be
// refused, or not, in little memory and without a fall. How long it may take is the
// worker's to say: see TestSurvival in signing/worker, with the largest of these.
func survive(t *testing.T, name string, doc []byte, refuse bool) {
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

// What an inspection must come through of PDF: bombs in every place where a
// stream is read, things that go round in a circle, counts that lie.
func TestSurvivePDF(t *testing.T) {
	bomb := zlibOf(64 << 20)
	nested := zlibText(zlibText(bomb))
	action := func(s string) []byte { return pdfPage("/OpenAction 5 0 R", "", s) }
	objects := func(dict, body string) []byte { return pdfPage("", "", pdfStream("/Type /ObjStm "+dict, body)) }
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"xref bomb":         {pdfXRefStream("/W [1 2 1] /Size 5 /Filter /FlateDecode", bomb), true},
		"xref nested bomb":  {pdfXRefStream("/W [1 2 1] /Size 5 /Filter [/FlateDecode /FlateDecode /FlateDecode]", nested), true},
		"script nested":     {pdfPage("/OpenAction 5 0 R", "", "<< /S /JavaScript /JS 6 0 R >>", pdfStream("/Filter [/FlateDecode /FlateDecode /FlateDecode]", nested)), true},
		"objects nested":    {objects("/N 1 /First 5 /Filter [/FlateDecode /FlateDecode /FlateDecode]", nested), true},
		"content bomb":      {pdfPage("", "/X 5 0 R", pdfStream("/Filter /FlateDecode", bomb)), false}, // never inflated
		"deep arrays":       {pdfPage("/X "+strings.Repeat("[", 2_000_000), ""), true},
		"next action":       {action("<< /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>"), false},
		"outline":           {pdfPage("/Outlines 5 0 R", "", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (x) /Parent 5 0 R /Next 6 0 R /First 5 0 R >>"), false},
		"names tree":        {pdfPage("/Names << /JavaScript 5 0 R >>", "", "<< /Kids [5 0 R 5 0 R] >>"), true},
		"array in itself":   {pdfPage("/X 5 0 R", "", "[5 0 R 5 0 R 5 0 R]"), false},
		"dictionaries":      {pdfPage("/X 5 0 R", "", "<< /A 6 0 R /B 6 0 R >>", "<< /A 5 0 R /B 5 0 R >>"), false},
		"function":          {pdfPage("", "/X 5 0 R", "<< /FunctionType 3 /Functions [5 0 R 5 0 R] /Domain [0 1] /Bounds [0] /Encode [0 1 0 1] >>"), false},
		"extends":           {objects("/N 0 /First 0 /Extends 5 0 R", ""), false},
		"length of itself":  {pdfPage("", "", "<< /Length 5 0 R >>\nstream\nx\nendstream"), true},
		"page of itself":    {pdfDoc("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R 3 0 R 2 0 R] /Count 2 >>", "<< /Type /Pages /Kids [2 0 R] /Parent 3 0 R /Count 1 >>"), true},
		"forged N":          {objects("/N 2147483647 /First 10", "9 0 << >>"), true},
		"forged First":      {objects("/N 1 /First 2147483647", "9 0 << >>"), true},
		"forged Length":     {pdfPage("", "", "<< /Length 2147483647 >>\nstream\nx\nendstream"), true},
		"forged Size":       {bytes.Replace(pdfPage("", ""), []byte("/Size 5"), []byte("/Size 2147483647"), 1), false},
		"forged table":      {bytes.Replace(pdfPage("", ""), []byte("0 5\n"), []byte("0 2147483647\n"), 1), true},
		"forged Count":      {bytes.Replace(pdfPage("", ""), []byte("/Count 1"), []byte("/Count 2147483647"), 1), true},
		"forged W":          {pdfXRefStream("/W [2147483647 8 8] /Size 5", "x"), true},
		"forged Index":      {pdfXRefStream("/W [1 2 1] /Size 5 /Index [0 2147483647]", "xxxx"), true},
		"nothing per entry": {pdfXRefStream("/W [0 0 0] /Size 2147483647", ""), true},
		"previous":          {bytes.Replace(pdfPage("", ""), []byte("/Size 5"), []byte("/Size 5 /Prev 9"), 1), true},
		"deep dictionaries": {pdfPage("/X "+strings.Repeat("<< /A ", 300_000), ""), true},
		"deep strings":      {pdfPage("/X "+strings.Repeat("(", 1_000_000), ""), true},
		"many objects":      {pdfPage("", "", manyObjects(50_000)...), false},
	} {
		t.Run(name, func(t *testing.T) { survive(t, "x.pdf", c.doc, c.refuse) })
	}
	// However a name or a string is written, it is the same.
	for _, doc := range [][]byte{
		action("<< /S /#4a#61v#61Script /#4A#53 (x) >>"), action("<< /#53 /JavaScript /JS <78> >>"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (\\152avascript:x) >> >>]"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI <6A617661 73637269 70743a78> >> >>]"),
		pdfPage("", "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (java\\\nscript:x) >> >>]"),
	} {
		if rep := look(t, "x.pdf", doc); !has(rep, "pdf.javascript") && !has(rep, "link.scheme") {
			t.Errorf("%.400q: %+v", doc, rep.Findings)
		}
	}
}

func manyObjects(n int) []string {
	objects := make([]string, n)
	for i := range objects {
		objects[i] = fmt.Sprintf("[%d 0 R]", (i*7919)%n+5)
	}
	return objects
}

// pdfXRefStream is a one-page PDF whose table of objects is a stream.
func pdfXRefStream(dict, data string) []byte {
	doc := string(pdfPage("", ""))
	at := strings.Index(doc, "xref\n0 ")
	return []byte(doc[:at] + "5 0 obj\n" + pdfStream("/Type /XRef /Root 1 0 R "+dict, data) + fmt.Sprintf("\nendobj\nstartxref\n%d\n%%%%EOF\n", at))
}

// Of packages: what expands, lies about its size or lies twice.
func TestSurvivePackages(t *testing.T) {
	laughs := `<!DOCTYPE a [<!ENTITY a "` + strings.Repeat("a", 100_000) + `">]><a>` + strings.Repeat("&a;", 100_000) + `</a>`
	good := docx("")
	part := func(s string) []byte { return docx("", "word/a.xml", `<w:a `+nsW+`>`+s+`</w:a>`) }
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"entities":       {docx("", "word/a.xml", laughs), true},
		"shared strings": {xlsx("", "", "xl/sharedStrings.xml", `<sst `+nsX+`>`+strings.Repeat("<si><t>a</t></si>", 100_000)+`</sst>`), false},
		"formulas":       {xlsx("<sheetData>"+strings.Repeat(`<c r="A1"><f>SUM(A1:A9)</f></c>`, 20_000)+"</sheetData>", ""), false},
		"fields":         {docx(strings.Repeat(field("PAGE"), 5_000)), false},
		"nested fields":  {part(strings.Repeat(`<w:fldChar w:fldCharType="begin"/>`, 50_000)), true},
		"attributes":     {part("<w:p" + manyAttributes(100_000) + "/>"), true},
		"deep":           {part(strings.Repeat("<w:p>", 300_000)), true},
		"one long text":  {part(strings.Repeat("a", 9<<20)), false},
		"says less":      {sayLess(good), true},
		"overlapping":    {twice(good), true},
		"zip in zip":     {docx("", "word/media/a.png", string(docx("", "word/media/a.png", string(good)))), true},
		"ratio":          {docx("", "word/media/a.png", string(make([]byte, 12<<20))), true},
		"entries":        {docx("", manyParts(maxZipEntries+1)...), true},
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

// sayLess halves the sizes that a ZIP's headers give of its first part.
func sayLess(z []byte) []byte {
	z = bytes.Clone(z)
	for _, h := range []struct {
		magic string
		at    int
	}{{"PK\x03\x04", 22}, {"PK\x01\x02", 24}} {
		i := bytes.Index(z, []byte(h.magic))
		binary.LittleEndian.PutUint32(z[i+h.at:], binary.LittleEndian.Uint32(z[i+h.at:])/2)
	}
	return z
}

// twice has two entries of the directory of a ZIP lead to the same part.
func twice(z []byte) []byte {
	z = bytes.Clone(z)
	first := bytes.Index(z, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(z[first+4:], []byte("PK\x01\x02"))
	copy(z[second+42:second+46], z[first+42:first+46])
	return z
}

// Of compound files: chains that go round in a circle, sizes that lie.
func TestSurviveCompoundFiles(t *testing.T) {
	le32 := binary.LittleEndian
	doc := docSpec{text: "a\r"}.file()
	book := xlsOf("", "")
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
	circle := func(size uint32) func(b []byte) {
		return func(b []byte) {
			start := le32.Uint32(entry(b, 1)[116:])
			le32.PutUint32(fat(b, start), start)
			le32.PutUint32(entry(b, 1)[120:], size)
		}
	}
	for name, c := range map[string][]byte{
		"x.doc stream circle":    edit(doc, circle(1<<31-1)),
		"x.xls stream circle":    edit(xlsOf("", strings.Repeat(records(0x203, strings.Repeat("\x00", 12)), 1000)), circle(1<<31-1)),
		"x.ppt stream circle":    edit(pptSpec{slide: nestedRecords(600)}.file(), circle(1<<31-1)),
		"x.doc directory circle": edit(doc, func(b []byte) { le32.PutUint32(fat(b, dirAt(b)), dirAt(b)) }),
		"x.doc child circle":     edit(doc, func(b []byte) { le32.PutUint32(entry(b, 1)[76:], 0); entry(b, 1)[66] = 1 }),
		"x.doc sibling circle":   edit(doc, func(b []byte) { le32.PutUint32(entry(b, 1)[72:], 1) }),
		"x.doc left circle":      edit(doc, func(b []byte) { le32.PutUint32(entry(b, 2)[68:], 1) }),
		"x.xls mini circle": edit(book, func(b []byte) {
			start := le32.Uint32(entry(b, 1)[116:])
			le32.PutUint32(sector(b, le32.Uint32(b[60:]))[4*start:], start)
			le32.PutUint32(entry(b, 1)[120:], 4095)
		}),
		"x.xls mini stream circle": edit(book, func(b []byte) { start := le32.Uint32(entry(b, 0)[116:]); le32.PutUint32(fat(b, start), start) }),
		"x.ppt no such sector":     edit(show, func(b []byte) { le32.PutUint32(entry(b, 1)[116:], 0x00fffff0) }),
		"x.doc no such directory":  edit(doc, func(b []byte) { le32.PutUint32(b[48:], 0x00fffff0) }),
		"x.doc many tables":        edit(doc, func(b []byte) { le32.PutUint32(b[44:], 0xffffffff) }),
		"x.doc many mini tables":   edit(doc, func(b []byte) { le32.PutUint32(b[64:], 0x00ffffff) }),
		"x.doc many more tables": edit(doc, func(b []byte) {
			le32.PutUint32(b[68:], 0)
			le32.PutUint32(b[72:], 0x00ffffff)
			le32.PutUint32(b[44:], 0xffffffff)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, " ")
			survive(t, file, c, true)
		})
	}
}

// Of what is in compound files: floods of entries, records and pieces.
func TestSurviveFloods(t *testing.T) {
	for name, c := range map[string][]byte{
		"x.doc many entries":    cfbFile(append([]string{"WordDocument", wordStream(0)}, manyStreams(maxCFBEntries+1)...)...),
		"x.doc many projects":   cfbFile(append([]string{"WordDocument", wordStream(0)}, manyProjects(3000)...)...),
		"x.doc project bomb":    cfbFile("WordDocument", wordStream(0), "Macros/VBA/dir", vbaBomb(40<<20)),
		"x.doc module bomb":     cfbFile(append(append([]string{"WordDocument", wordStream(0)}, vbaFiles("Macros/", "A", "", "")[:5]...), vbaBomb(40<<20))...),
		"x.xls continues":       xlsOf("", records(0x06, "")+strings.Repeat(records(0x3c, ""), 1<<20)),
		"x.xls long continues":  xlsOf("", records(0x06, "x")+strings.Repeat(records(0x3c, strings.Repeat("x", 8000)), 500)),
		"x.xls texts":           xlsOf(records(0xfc, le(uint32(0xffffffff), uint32(0xffffffff)))+strings.Repeat(records(0x3c, "\xff\xff\x01"), 1<<19), ""),
		"x.xls record too long": xlsOf("", "\x06\x00\xff\xff"),
		"x.xls formulas":        xlsOf("", strings.Repeat(parsed(strings.Repeat(callNow, 1000)), 500)),
		"x.xls names":           xlsOf(strings.Repeat(named(0, "a", callNow), maxBIFFNames+1), ""),
		"x.xls list":            listSpec{names: strings.Repeat(listColumn(0, ""), 100) + "x"}.file(),
		"x.doc pieces":          docSpec{text: "a", tables: map[int]string{fibClx: manyPieces(2000, 30_000)}}.file(),
		"x.ppt nested":          pptSpec{slide: nestedRecords(100_000)}.file(),
		"x.ppt slides":          pptSpec{loose: strings.Repeat(record(15, 0, pptSlide), maxPPTObjects)}.file(),
		"x.ppt storages":        pptSpec{loose: strings.Repeat(record(0, 1, pptObjectStg, le(uint32(1<<20))+zlibOf(1<<20)), 200)}.file(),
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

func manyStreams(n int) (files []string) {
	for i := range n {
		files = append(files, fmt.Sprintf("s%d", i), "")
	}
	return files
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
	mail := "Received: x\nFrom: a\nTo: b\nMIME-Version: 1.0\nContent-Type: multipart/"
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"x.eml parts":          {[]byte(mail + "mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: multipart/mixed; boundary=b\n\n", 100_000)), true},
		"x.eml header":         {[]byte(mail + "mixed\n" + strings.Repeat("X-A: b\n", 1<<20)), true},
		"x.eml one line":       {[]byte("Received: " + strings.Repeat("a", 4<<20)), true},
		"x.mht parts":          {[]byte("MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n" + strings.Repeat("--b\n\nQWN0aXZl\n", 1<<19)), true},
		"x.slk formulas":       {[]byte("ID;P\n" + strings.Repeat("C;ENOW();EA|B!C\n", 1<<19)), true},
		"x.slk one line":       {[]byte("ID;P\nC" + strings.Repeat(";E", 2<<20)), true},
		"x.json deep":          {[]byte(strings.Repeat("[", 4<<20)), true},
		"x.json text":          {[]byte(`"` + strings.Repeat("a", 4<<20) + `"`), false},
		"x.md images":          {[]byte(strings.Repeat("![a](b)\n", 1<<19)), false},
		"x.md brackets":        {[]byte(strings.Repeat("![", 2<<20)), false},
		"x.md tags":            {[]byte(strings.Repeat("<", 4<<20)), false},
		"x.rtf unicode":        {[]byte(`{\rtf1 ` + strings.Repeat(`\uc9\u8238 `, 1<<18) + `}`), true},
		"x.rtf code":           {[]byte(`{\rtf1 {\field{\*\fldinst ` + strings.Repeat(`{\b A}`, 1<<19) + `}}}`), true},
		"x.rtf fields":         {[]byte(`{\rtf1 {\field{\*\fldinst ` + strings.Repeat(`{\field{\*\fldinst `, 100) + strings.Repeat(`}}`, 100) + `}}}`), true},
		"x.doc shown often":    {docSpec{text: strings.Repeat("a", 30_000), tables: map[int]string{fibClx: manyPieces(1000, 30_000)}, edit: claim(30_000_000)}.file(), false},
		"x.xml deep":           {[]byte("<?xml version='1.0'?>" + strings.Repeat("<a>", 1_000_000)), true},
		"x.rtf deep":           {[]byte(`{\rtf1 ` + strings.Repeat("{", 3_000_000)), true},
		"x.rtf binary":         {[]byte(`{\rtf1 \bin2147483647 x}`), true},
		"x.html attributes":    {[]byte("<html" + manyAttributes(40_000) + ">"), true},
		"x.html deep":          {[]byte("<html>" + strings.Repeat("<div>", 500_000)), false},
		"x.html scripts":       {[]byte("<html>" + strings.Repeat("<script>x</script>", 100_000)), true},
		"x.tif loop":           {tiffLoop(), true},
		"x.html anchors":       {[]byte("<html>" + strings.Repeat("<a>", 1<<19)), false},
		"x.html UTF-7":         {[]byte("+/v8-+ADw-script+AD4-x+ADw-/script+AD4-"), true},
		"x.html UTF-16":        {utf16Text("<html><script>x</script>")[2:], true},
		"x.html comments":      {[]byte("<html>" + strings.Repeat("<!--[if IE]>", 1<<18)), true},
		"x.html style":         {[]byte("<html><style>" + strings.Repeat("a{b:url(", 50_000) + "</style>"), true},
		"x.csv cells":          {[]byte(strings.Repeat("=a\n", 1<<20)), true},
		"x.png chunks":         {join(pngOf(1, 1)[:33], bytes.Repeat([]byte("\x00\x00\x00\x00tEXt\x00\x00\x00\x00"), 2<<20), pngOf(1, 1)[33:]), true},
		"x.gif extensions":     {join(gifOf(1)[:13], bytes.Repeat([]byte("\x21\xfe\x00"), 3<<20), gifOf(1)[13:]), true},
		"x.gif frames":         {gifOf(maxGIFFrames + 1), true},
		"x.jpg markers":        {join(jpegOf(1, 1)[:2], bytes.Repeat([]byte("\xff\xfe\x00\x02"), 3<<20), jpegOf(1, 1)[2:]), true},
		"x.jpg 65,535":         {jpegOf(65535, 65535), true},
		"x.bmp 65,535":         {bmpOf(65535, 65535), true},
		"x.bmp most":           {bmpOf(-2147483648, -2147483648), true},
		"x.webp chunks":        {webpFlood("EXIF"), true},
		"x.webp frames":        {webpFlood("ANMF"), true},
		"x.webp 16,383":        {webpOf("VP8L", vp8l(16384, 16384)), true},
		"x.webp forged length": {webpOf("VP8 ", vp8(3, 2))[:20], true},
		"x.tif 4 G":            {tiffEdit(8+2+8, 0xffffffff), true},
		"x.tif values":         {tiffEdit(8+2+2*12+4, 0xffffffff), true},
		"x.tif entries":        {[]byte("II*\x00\x08\x00\x00\x00\xff\xff" + strings.Repeat("\x00", 12*4096)), true},
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
