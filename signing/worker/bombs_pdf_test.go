//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

// bombsPDF are bombs in every place where a stream is read, things that go round in a
// circle, and counts that lie.
func bombsPDF() map[string]bomb {
	flat := "/Filter [/FlateDecode /FlateDecode /FlateDecode] "
	ten := nested(10 << 30)
	objects := func(dict, body string) []byte { return page("", streamOf("/Type /ObjStm "+dict, body)) }
	zeros := string(packed(func(w io.Writer) { _, _ = w.Write(make([]byte, 1000)) }))
	return map[string]bomb{
		"objects-10GB.pdf":    {objects(flat+"/N 1 /First 5", ten), "pdf.limit pdf: stream 5 0 R is more than"},
		"references-10GB.pdf": {crossReferences(flat+"/Size 5 /W [1 2 1]", ten), "more rows than /Index announces"},
		"script-10GB.pdf":     {page("/OpenAction << /S /JavaScript /JS 5 0 R >>", streamOf(flat, ten)), "pdf.javascript"},
		"predictor.pdf":       {objects("/N 1 /First 4 /Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 2147483647 /Colors 32 /BitsPerComponent 16 >>", zeros), "/Columns of /DecodeParms"},
		"arrays.pdf":          {page("/X " + strings.Repeat("[", 3_000_000)), "pdf.limit pdf: objects are nested"},
		"dictionaries.pdf":    {page("/X " + strings.Repeat("<< /A ", 1_000_000)), "pdf.limit pdf: objects are nested"},
		"strings.pdf":         {page("/X " + strings.Repeat("(", 5_000_000)), "pdf: the file ends inside a string"},

		// What nobody unpacks or follows harms nobody.
		"idle-content-10GB.pdf":   {page("", streamOf(flat, ten)), ""},
		"idle-next-loop.pdf":      {page("/OpenAction 5 0 R", "<< /S /GoTo /D [3 0 R /Fit] /Next 6 0 R >>", "<< /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>"), ""},
		"idle-next-itself.pdf":    {page("/OpenAction 5 0 R", "<< /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>"), ""},
		"idle-bookmarks-loop.pdf": {page("/Outlines 5 0 R", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (a) /Parent 5 0 R /Next 6 0 R /First 5 0 R /Dest [3 0 R /Fit] >>"), ""},
		"idle-array-loop.pdf":     {page("/X 5 0 R", "[5 0 R 5 0 R 5 0 R]"), ""},
		"idle-dictionaries.pdf":   {page("/X 5 0 R", "<< /A 6 0 R /B 6 0 R >>", "<< /A 5 0 R /B 5 0 R >>"), ""},
		"idle-function-loop.pdf":  {page("/X 5 0 R", "<< /FunctionType 3 /Functions [5 0 R 5 0 R] /Domain [0 1] /Bounds [0] /Encode [0 1 0 1] >>"), ""},
		"idle-extends.pdf":        {objects("/N 0 /First 0 /Extends 5 0 R", ""), ""},
		"idle-size.pdf":           {bytes.Replace(page(""), []byte("/Size 5"), []byte("/Size 2147483647"), 1), ""},
		"idle-objects.pdf":        {page("", manyObjects(50_000)...), ""},

		"names-loop.pdf":           {page("/Names << /JavaScript 5 0 R >>", "<< /Kids [5 0 R 5 0 R] >>"), "pdf.javascript"},
		"previous-loop.pdf":        {pdfOf("/Size 2 /Prev HERE", "<< /Type /Catalog /Pages 2 0 R >>"), "the chain of /Prev comes back"},
		"previous-stream-loop.pdf": {crossReferences("/Size 4 /W [1 2 1] /Prev HERE", strings.Repeat("\x00", 16)), "the chain of /Prev comes back"},
		"previous-nowhere.pdf":     {bytes.Replace(page(""), []byte("/Size 5"), []byte("/Size 5 /Prev 9"), 1), "a cross-reference section is expected, at offset 9"},
		"hybrid.pdf":               {pdfOf("/Size 2 /XRefStm HERE", "<< /Type /Catalog /Pages 2 0 R >>"), "an object is expected"},
		"pages-loop.pdf":           {pdfOf("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>"), "the page tree comes to object 2 0 R twice"},
		"pages-parents.pdf":        {pdfOf("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R 3 0 R 2 0 R] /Count 2 >>", "<< /Type /Pages /Kids [2 0 R] /Parent 3 0 R /Count 1 >>"), "/Parent of object 3 0 R"},
		"pages-tree.pdf":           {pagesTree(30), "the page tree comes to object"},
		"objects-in-themselves.pdf": {crossReferences("/Size 5 /W [1 2 1]",
			"\x00\x00\x00\x00"+"\x01\x00\x0f\x00"+"\x02\x00\x04\x00"+"\x01\x00\x0f\x00"+"\x02\x00\x04\x00"), "in another object stream"},
		"objects-extend.pdf":   {objects("/N 1 /First 4 /Extends 5 0 R", "9 0 null"), "pdf.revisions"},
		"size.pdf":             {pdfOf("/Size 2147483647", "<< /Type /Catalog /Pages 2 0 R >>"), "a node of the page tree, is missing"},
		"subsection.pdf":       {bytes.Replace(page(""), []byte("0 5\n"), []byte("0 2147483647\n"), 1), "pdf.limit pdf: the file names more than"},
		"index.pdf":            {crossReferences("/Size 2000000000 /Index [0 2000000000] /W [1 2 1]", strings.Repeat("\x01", 400)), "/Index of a cross-reference stream"},
		"widths.pdf":           {crossReferences("/Size 9 /W [2147483647 2147483647 2147483647]", strings.Repeat("\x01", 400)), "/W of a cross-reference stream has a width"},
		"zero-widths.pdf":      {crossReferences("/Size 2000000000 /W [0 0 0]", ""), "/W of a cross-reference stream leaves no room"},
		"length.pdf":           {page("", "<< /Length 99999999999 >>\nstream\nx\nendstream"), "beyond the file"},
		"length-of-itself.pdf": {page("", "<< /Length 5 0 R >>\nstream\nx\nendstream"), "is needed to read itself"},
		"number.pdf":           {objects("/N 2147483647 /First 10", "9 0 << >>"), "pdf.revisions"},
		"first.pdf":            {objects("/N 1 /First 2147483647", "9 0 << >>"), "pdf.revisions"},
		"count.pdf":            {pdfOf("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 2147483647 >>"), "has a /Count of 2147483647"},
	}
}

// pagesTree doubles at every level: 2^depth pages of depth objects.
func pagesTree(depth int) []byte {
	objs := []string{"<< /Type /Catalog /Pages 2 0 R >>"}
	for i := range depth {
		objs = append(objs, fmt.Sprintf("<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count %d >>", i+3, i+3, 1<<(depth-i)))
	}
	return pdfOf("", append(objs, "<< /Type /Page /MediaBox [0 0 9 9] >>")...)
}

// manyObjects name each other.
func manyObjects(n int) []string {
	objects := make([]string, n)
	for i := range objects {
		objects[i] = fmt.Sprintf("[%d 0 R]", (i*7919)%n+5)
	}
	return objects
}

// pdfOf writes a PDF with a cross-reference table; objs[0] is the catalog.
func pdfOf(trailer string, objs ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objs))
	for i, o := range objs {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objs)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	if trailer == "" {
		trailer = fmt.Sprintf("/Size %d", len(objs)+1)
	}
	trailer = strings.ReplaceAll(trailer, "HERE", fmt.Sprint(at))
	fmt.Fprintf(&b, "trailer\n<< %s /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", trailer, at)
	return b.Bytes()
}

// page is a PDF of one page with more objects from number 5.
func page(catalog string, more ...string) []byte {
	return pdfOf("", append([]string{
		"<< /Type /Catalog /Pages 2 0 R " + catalog + " >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>", streamOf("", "0 0 m 9 9 l S"),
	}, more...)...)
}

func streamOf(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// crossReferences is a PDF whose table is a stream with those entries and data.
func crossReferences(dict, data string) []byte {
	head := "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
	return fmt.Appendf(nil, "%s3 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n", head,
		streamOf(strings.ReplaceAll("/Type /XRef /Root 1 0 R "+dict, "HERE", fmt.Sprint(len(head))), data), len(head))
}

// zeros writes n bytes of zero (rounded to 2,064) as raw deflate: one literal, then
// copies of 258 bytes from the byte before in the fixed code, 13 bits each. Ten
// gigabytes take 63 megabytes that are themselves one pattern.
func zeros(w io.Writer, n int64) {
	var pattern []byte
	at := 0
	put := func(value uint32, bits int) {
		for i := range bits {
			if at%8 == 0 {
				pattern = append(pattern, 0)
			}
			pattern[at/8] |= byte(value>>i&1) << (at % 8)
			at++
		}
	}
	copies := func(n int) {
		for range n {
			put(0b10100011, 8) // the length 258, first bit first
			put(0, 5)          // the distance 1
		}
	}
	put(1, 1)          // the last block
	put(1, 2)          // fixed codes
	put(0b00001100, 8) // the literal 0, first bit first
	copies(1)          // which makes whole bytes of the head
	head := pattern
	pattern, at = nil, 0
	copies(8)
	_, _ = w.Write(head)
	chunk := bytes.Repeat(pattern, 4096)
	for left := n / 258 / 8; left > 0; left -= 4096 {
		_, _ = w.Write(chunk[:13*min(left, 4096)])
	}
}

// packed is what write writes, deflated in a zlib wrapper without its checksum,
// which nobody reaches.
func packed(write func(io.Writer)) []byte {
	var b bytes.Buffer
	b.WriteString("\x78\xda")
	z, _ := flate.NewWriter(&b, flate.BestCompression)
	write(z)
	_ = z.Close()
	return b.Bytes()
}

// nested are n zeros, deflated three times: some kilobytes for ten gigabytes.
func nested(n int64) string {
	return string(packed(func(w io.Writer) {
		_, _ = w.Write(packed(func(w io.Writer) {
			_, _ = io.WriteString(w, "\x78\xda")
			zeros(w, n)
		}))
	}))
}
