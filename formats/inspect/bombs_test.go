package inspect

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

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

// Documents made to exhaust the machine end soon, in little memory, and are
// refused where they cannot be read whole.
func TestBombs(t *testing.T) {
	bomb := zlibOf(64 << 20)
	deep := strings.Repeat("[", 2_000_000)
	entities := `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;</a>`
	for name, c := range map[string]struct {
		doc    []byte
		refuse bool
	}{
		"content.pdf":    {pdfPage("", "/X 5 0 R", pdfStream("/Filter /FlateDecode", bomb)), false}, // never inflated
		"objstm.pdf":     {pdfPage("", "", pdfStream("/Type /ObjStm /N 1 /First 5 /Filter /FlateDecode", bomb)), true},
		"script.pdf":     {pdfPage("/OpenAction << /S /JavaScript /JS 5 0 R >>", "", pdfStream("/Filter /FlateDecode", bomb)), true},
		"deep.pdf":       {pdfPage("/X "+deep, ""), true},
		"loop.pdf":       {pdfDoc("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"), true},
		"ratio.docx":     {docx("", "word/media/a.png", string(make([]byte, 12<<20))), true},
		"entries.docx":   {docx("", manyParts(maxZipEntries+1)...), true},
		"entities.xml":   {[]byte(entities), true},
		"deep.xml":       {[]byte("<?xml version='1.0'?>" + strings.Repeat("<a>", 1_000_000)), true},
		"attributes.xml": {[]byte("<?xml version='1.0'?><a" + manyAttributes(200_000) + "/>"), true},
		"attributes.htm": {[]byte("<html" + manyAttributes(40_000) + ">"), true},
		"deep.htm":       {[]byte("<html>" + strings.Repeat("<div>", 500_000)), false},
		"deep.rtf":       {[]byte(`{\rtf1 ` + strings.Repeat("{", 3_000_000)), true},
		"bin.rtf":        {[]byte(`{\rtf1 \bin2147483647 x}`), true},
		"scripts.htm":    {[]byte("<html>" + strings.Repeat("<script>x</script>", 100_000)), true},
		"loop.tif":       {tiffLoop(), true},
		"pieces.doc":     {docSpec{text: strings.Repeat("a", 30_000), tables: map[int]string{fibClx: manyPieces(1000, 30_000)}, edit: claim(30_000_000)}.file(), false},
		"text.doc":       {docSpec{text: "a", tables: map[int]string{fibClx: manyPieces(2000, 30_000)}}.file(), true},
		"deep.ppt":       {pptSpec{slide: nestedRecords(100_000)}.file(), true},
		"slides.ppt":     {pptSpec{loose: strings.Repeat(record(15, 0, pptSlide), maxPPTObjects)}.file(), true},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			rep := look(t, name, c.doc)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if c.refuse != (rep.Verdict == Refuse) {
				t.Errorf("verdict %s: %+v", rep.Verdict, rep.Findings)
			}
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 256<<20 {
				t.Errorf("heap grew by %d MB", grown>>20)
			}
			if len(rep.Findings) > maxFindings {
				t.Errorf("%d findings", len(rep.Findings))
			}
		})
	}
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
