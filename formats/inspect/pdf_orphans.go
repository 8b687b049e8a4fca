package inspect

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"sigillo/formats/pdf"
)

// objectHeader is "num gen obj" (ISO 32000-2 §7.3.10).
var objectHeader = regexp.MustCompile(`([0-9]+)[\x00\t\n\f\r ]+([0-9]+)[\x00\t\n\f\r ]+obj`)

const (
	gapChunk        = 1 << 20  // bytes searched at a time
	maxObjectStream = 16 << 20 // bytes of an object stream when decoded
)

// locate remembers what orphans needs to know of an object in use.
func (p *pdfScan) locate(ref pdf.Ref, o pdf.Object) {
	p.uses[ref]++
	stream, ok := o.(*pdf.Stream)
	if !ok {
		return
	}
	if _, seen := p.data[stream.Offset]; !seen && stream.Dict["Type"] == pdf.Name("ObjStm") {
		p.packs = append(p.packs, stream)
	}
	p.data[stream.Offset] = stream.Length
}

// orphans looks, outside of the data of streams, for objects that no
// cross-reference section knows, and for more copies of one, object streams
// included, than revisions use.
// A strict reader never sees them, a repairing one may: that is a second
// document in the file.
func (p *pdfScan) orphans(r io.ReaderAt, size int64) error {
	xref := map[int64]bool{}
	for _, rev := range p.f.Revisions() {
		xref[rev.XRef] = true
	}
	headers := map[pdf.Ref]int{}
	for _, stream := range p.packs {
		if err := p.packed(stream, headers); err != nil {
			return err
		}
	}
	pos := int64(0)
	for _, at := range append(slices.Sorted(maps.Keys(p.data)), size) {
		if at > pos {
			if err := p.gap(r, pos, at, xref, headers); err != nil {
				return err
			}
		}
		pos = max(pos, at+p.data[at])
	}
	return nil
}

// gap searches the bytes between from and to, a chunk at a time.
func (p *pdfScan) gap(r io.ReaderAt, from, to int64, xref map[int64]bool, headers map[pdf.Ref]int) error {
	const overlap = 64 // more than the longest header
	buf := make([]byte, min(to-from, gapChunk))
	for {
		b := buf[:min(to-from, gapChunk)]
		if n, err := r.ReadAt(b, from); n < len(b) {
			return err
		}
		last := int64(len(b)) == to-from
		next := from + int64(len(b)) - overlap
		for _, m := range objectHeader.FindAllSubmatchIndex(b, -1) {
			at := from + int64(m[0])
			if !last && at >= next {
				break // the next chunk has it whole
			}
			next = max(next, from+int64(m[1]))
			head := b[m[1]:min(len(b), m[1]+512)]
			if xref[at] || bytes.Contains(head, []byte("/XRef")) {
				continue // a cross-reference stream need not name itself
			}
			ref, ok := headerRef(b, m)
			headers[ref]++
			if !ok || headers[ref] > p.uses[ref] {
				p.where = fmt.Sprintf("byte %d", at)
				p.note("pdf.revisions", string(b[m[0]:min(len(b), m[1]+40)]))
			}
		}
		if last {
			return nil
		}
		from = next
	}
}

func headerRef(b []byte, m []int) (pdf.Ref, bool) {
	num, err1 := strconv.Atoi(string(b[m[2]:m[3]]))
	gen, err2 := strconv.Atoi(string(b[m[4]:m[5]]))
	return pdf.Ref{Num: num, Gen: gen}, err1 == nil && err2 == nil
}

// packed counts the objects that lie in an object stream (§7.5.7), by the
// numbers at its beginning.
func (p *pdfScan) packed(stream *pdf.Stream, headers map[pdf.Ref]int) error {
	b, err := p.f.Decoded(stream, maxObjectStream)
	if err != nil {
		return err
	}
	count, _, err := pdf.As[pdf.Integer](p.f, stream.Dict["N"])
	if err != nil {
		return err
	}
	words := bytes.Fields(b[:min(len(b), 24*int(min(max(count, 0), maxObjectStream/24)))])
	for i := 0; i < int(count); i++ {
		if 2*i >= len(words) {
			break // the reader has judged those it needed
		}
		num, err := strconv.Atoi(string(words[2*i]))
		ref := pdf.Ref{Num: num}
		headers[ref]++
		if err != nil || headers[ref] > p.uses[ref] {
			p.where = "object stream " + stream.Ref.String()
			p.note("pdf.revisions", ref.String())
			return nil
		}
	}
	return nil
}
