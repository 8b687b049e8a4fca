// Package pdftest builds small PDF files for tests: each cross-reference form that ISO 32000-1 knows, from the
// text of the objects. What it writes is well formed; tests that want broken files break them afterwards.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"slices"
)

// Objects maps object numbers to the text between "obj" and "endobj". Object 1 is the catalog.
type Objects map[int]string

// Minimal is a document of one empty page.
func Minimal() Objects {
	return Objects{
		1: "<</Type/Catalog/Pages 2 0 R>>",
		2: "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>>>",
	}
}

// With adds or replaces objects.
func (o Objects) With(more Objects) Objects {
	out := Objects{}
	for _, m := range []Objects{o, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// Stream is the text of a stream object; dict is what comes between << and >> beside /Length.
func Stream(dict string, data []byte) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// Deflate compresses data as FlateDecode wants it.
func Deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

const header = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

// file collects the objects and where they are.
type file struct {
	bytes.Buffer
	at map[int]int
}

func (f *file) put(num int, text string) {
	f.at[num] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n%s\nendobj\n", num, text)
}

func (f *file) end(at int) []byte {
	fmt.Fprintf(f, "startxref\n%d\n%%%%EOF\n", at)
	return f.Bytes()
}

// table writes a cross-reference table from 0 to size-1; objects without a place are free.
func (f *file) table(size int) int {
	at := f.Len()
	fmt.Fprintf(f, "xref\n0 %d\n0000000000 65535 f \n", size)
	for num := 1; num < size; num++ {
		if off, ok := f.at[num]; ok {
			fmt.Fprintf(f, "%010d 00000 n \n", off)
		} else {
			f.WriteString("0000000000 00000 f \n")
		}
	}
	return at
}

func numbers(o Objects) []int {
	var out []int
	for n := range o {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

const id = "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"

// Table is a file with a cross-reference table. trailer is added to its trailer.
func Table(o Objects, trailer string) []byte {
	f := &file{at: map[int]int{}}
	f.WriteString(header)
	nums := numbers(o)
	for _, n := range nums {
		f.put(n, o[n])
	}
	size := nums[len(nums)-1] + 1
	at := f.table(size)
	fmt.Fprintf(f, "trailer\n<</Size %d/Root 1 0 R%s%s>>\n", size, id, trailer)
	return f.end(at)
}

// xrefStream writes a cross-reference stream for all objects that have a place and those in the object stream.
func (f *file) xrefStream(num int, within map[int]int, container int, extra string) int {
	at := f.Len()
	f.at[num] = at
	rows := []byte{0, 0, 0, 0, 0, 255}
	for n := 1; n <= num; n++ {
		off, placed := f.at[n]
		index, inside := within[n]
		switch {
		case inside:
			rows = append(rows, 2, byte(container>>24), byte(container>>16), byte(container>>8), byte(container), byte(index))
		case placed:
			rows = append(rows, 1, byte(off>>24), byte(off>>16), byte(off>>8), byte(off), 0)
		default:
			rows = append(rows, 0, 0, 0, 0, 0, 0)
		}
	}
	dict := fmt.Sprintf("/Type/XRef/W[1 4 1]/Size %d/Filter/FlateDecode%s", num+1, extra)
	fmt.Fprintf(f, "%d 0 obj\n%s\nendobj\n", num, Stream(dict, Deflate(rows)))
	return at
}

// objectStream writes the objects of inside into object stream num.
func (f *file) objectStream(num int, inside Objects) map[int]int {
	var head, body bytes.Buffer
	within := map[int]int{}
	for i, n := range numbers(inside) {
		fmt.Fprintf(&head, "%d %d ", n, body.Len())
		body.WriteString(inside[n] + "\n")
		within[n] = i
	}
	dict := fmt.Sprintf("/Type/ObjStm/N %d/First %d/Filter/FlateDecode", len(inside), head.Len())
	f.put(num, Stream(dict, Deflate(append(head.Bytes(), body.Bytes()...))))
	return within
}

// Streams is a file with a cross-reference stream; inside names the objects that lie in an object stream.
func Streams(o Objects, trailer string, inside ...int) []byte {
	f := &file{at: map[int]int{}}
	f.WriteString(header)
	nums := numbers(o)
	next := nums[len(nums)-1] + 1
	packed := Objects{}
	for _, n := range nums {
		if slices.Contains(inside, n) {
			packed[n] = o[n]
		} else {
			f.put(n, o[n])
		}
	}
	within := map[int]int{}
	if len(packed) > 0 {
		within = f.objectStream(next, packed)
		next++
	}
	return f.end(f.xrefStream(next, within, next-1, "/Root 1 0 R"+id+trailer))
}

// Hybrid is a file as an office program writes it: a table that hides the objects of inside, then an empty table whose
// trailer points to a cross-reference stream that names them (ISO 32000-1 §7.5.8.4).
func Hybrid(o Objects, trailer string, inside ...int) []byte {
	f := &file{at: map[int]int{}}
	f.WriteString(header)
	nums := numbers(o)
	next := nums[len(nums)-1] + 1
	packed := Objects{}
	for _, n := range nums {
		if slices.Contains(inside, n) {
			packed[n] = o[n]
		} else {
			f.put(n, o[n])
		}
	}
	within := f.objectStream(next, packed)
	stm := f.xrefStream(next+1, within, next, "")
	delete(f.at, next)
	delete(f.at, next+1)
	at := f.table(next + 2)
	rest := fmt.Sprintf("/Size %d/Root 1 0 R%s%s", next+2, id, trailer)
	fmt.Fprintf(f, "trailer\n<<%s>>\n", rest)
	f.end(at)
	second := f.Len()
	fmt.Fprintf(f, "xref\n0 0\ntrailer\n<<%s/Prev %d/XRefStm %d>>\n", rest, at, stm)
	return f.end(second)
}
