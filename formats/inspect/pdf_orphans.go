package inspect

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"sigillo/formats/pdf"
)

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
	headers := make(map[pdf.Ref]int, len(p.uses))
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
	const overlap = 128 // more than the longest header
	buf := make([]byte, min(to-from, gapChunk))
	for {
		b := buf[:min(to-from, gapChunk)]
		if n, err := r.ReadAt(b, from); n < len(b) {
			return err
		}
		last := int64(len(b)) == to-from
		next := from + int64(len(b)) - overlap
		for h, ok := nextHeader(b, 0); ok; h, ok = nextHeader(b, h.to) {
			at := from + int64(h.from)
			if !last && at >= next {
				break // the next chunk has it whole
			}
			next = max(next, from+int64(h.to))
			headers[h.ref]++
			if headers[h.ref] <= p.uses[h.ref] {
				continue
			}
			// A cross-reference stream need not name itself.
			if !xref[at] && !bytes.Contains(b[h.to:min(len(b), h.to+512)], []byte("/XRef")) {
				p.where = fmt.Sprintf("byte %d", at)
				p.note("pdf.revisions", string(b[h.from:min(len(b), h.to+40)]))
			}
		}
		if last {
			return nil
		}
		from = next
	}
}

// header is "num gen obj" (ISO 32000-2 §7.3.10) and where it stands.
type header struct {
	ref      pdf.Ref
	from, to int
}

// nextHeader finds the next header in b[from:]: the word, and before it two
// numbers and white space, read backwards.
func nextHeader(b []byte, from int) (header, bool) {
	for {
		i := bytes.Index(b[from:], []byte("obj"))
		if i < 0 {
			return header{}, false
		}
		at := from + i
		from = at + len("obj")
		gen, at, ok := numberBefore(b, at)
		if !ok {
			continue
		}
		if num, at, ok := numberBefore(b, at); ok {
			return header{pdf.Ref{Num: num, Gen: gen}, at, from}, true
		}
	}
}

// numberBefore reads the digits that stand, with white space between, before
// position at, and returns where they begin. A number too long is -1, which is
// that of no object.
func numberBefore(b []byte, at int) (n, start int, ok bool) {
	end := at
	for end > 0 && at-end < 32 && isPDFSpace(b[end-1]) {
		end--
	}
	start = end
	for start > 0 && end-start < 20 && b[start-1] >= '0' && b[start-1] <= '9' {
		start--
	}
	if start == end || end == at {
		return 0, 0, false
	}
	n, err := strconv.Atoi(string(b[start:end]))
	if err != nil {
		n = -1
	}
	return n, start, true
}

func isPDFSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

// packed counts the objects that lie in an object stream (§7.5.7), by the
// numbers at its beginning.
func (p *pdfScan) packed(stream *pdf.Stream, headers map[pdf.Ref]int) error {
	if nums, ok := p.f.Packed(stream); ok {
		for _, num := range nums {
			if !p.countPacked(stream, pdf.Ref{Num: num}, headers) {
				break
			}
		}
		return nil
	}
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
		if err != nil {
			num = 0 // that of no object
		}
		if !p.countPacked(stream, pdf.Ref{Num: num}, headers) {
			break
		}
	}
	return nil
}

// countPacked counts an object in an object stream, and tells whether it is in use.
func (p *pdfScan) countPacked(stream *pdf.Stream, ref pdf.Ref, headers map[pdf.Ref]int) bool {
	headers[ref]++
	if headers[ref] <= p.uses[ref] {
		return true
	}
	p.where = "object stream " + stream.Ref.String()
	p.note("pdf.revisions", ref.String())
	return false
}
