package pdf

import (
	"io"
	"reflect"
)

// Revision is one saved state of the document: the bytes up to End are a whole PDF file of their own
// (ISO 32000-1 §7.5.6).
type Revision struct {
	XRef    int64    // offset of the cross-reference section that startxref states at its end
	Kind    XRefKind // of that section
	Mark    int64    // offset after its %%EOF
	End     int64    // offset after its %%EOF and the white space that follows
	Trailer Dict     // read-only
}

// Revisions lists the saved states, oldest first; the last one is the file as it is.
//
// Two sections make one revision in two cases: the two parts of a linearized file (Annex F), and the empty table
// that office programs append only to point to the cross-reference stream of a hybrid file.
func (f *File) Revisions() []Revision { return f.revisions }

// At opens the file as it was at revision i, counted as in [File.Revisions]. Objects that later revisions replaced or
// freed are reachable there.
func (f *File) At(i int) (*File, error) {
	if i < 0 || i >= len(f.revisions) {
		return nil, failure(Malformed, "the file has no revision %d", i)
	}
	end := f.revisions[i].End
	return open(io.NewSectionReader(f.r, 0, end), end, f.limits, f.password)
}

// buildRevisions orders the sections and checks that the chain of /Prev only leads back, but for the two parts of a
// linearized file.
func (f *File) buildRevisions() error {
	for i := len(f.sections) - 1; i >= 0; i-- {
		s := &f.sections[i]
		if i == len(f.sections)-2 && f.sections[i+1].at > s.at {
			if err := f.linearized(s, &f.sections[i+1]); err != nil {
				return err
			}
			f.revisions[0].XRef, f.revisions[0].Kind, f.revisions[0].Trailer = s.at, s.kind, s.trailer
			continue
		}
		if s.prev != 0 && (s.prev > s.at || len(f.revisions) > 0 && f.revisions[len(f.revisions)-1].End > s.at) {
			return malformed("/Prev of the cross-reference section at offset %d does not lead back to an older part of the file", s.at)
		}
		if s.end == 0 {
			return malformed("the cross-reference section at offset %d is not followed by startxref", s.at)
		}
		if s.starts != s.at && !f.mainPart(i) {
			return malformed("the startxref that follows the cross-reference section at offset %d states %d", s.at, s.starts)
		}
		rev := Revision{XRef: s.at, Kind: s.kind, Mark: s.end, End: f.afterWhite(s.end), Trailer: s.trailer}
		if n := len(f.revisions); n > 0 && f.addsNothing(s, f.revisions[n-1].End) {
			f.revisions[n-1] = rev
			continue
		}
		f.revisions = append(f.revisions, rev)
	}
	last := f.revisions[len(f.revisions)-1]
	if last.End != f.size {
		return malformed("the newest cross-reference section ends at offset %d, not at the end of the file", last.End)
	}
	for _, r := range f.revisions {
		if !reflect.DeepEqual(r.Trailer["Encrypt"], last.Trailer["Encrypt"]) {
			return malformed("the trailer at offset %d names another encryption than the newest one", r.XRef)
		}
	}
	return nil
}

// afterWhite passes over the white space that may follow a %%EOF.
func (f *File) afterWhite(pos int64) int64 {
	l := f.lexerAt(pos)
	defer f.release(l)
	l.seek(pos, maxPadding)
	l.skipWhite()
	return l.pos
}

// mainPart tells whether section i is the main part of a linearized file: the oldest section, followed by a startxref
// that states the first part, which comes after it in the chain and before it in the file.
func (f *File) mainPart(i int) bool {
	return i > 0 && i == len(f.sections)-1 && f.sections[i-1].at < f.sections[i].at && f.sections[i].starts == f.sections[i-1].at
}

// linearized checks that a /Prev that leads forward belongs to a linearized file: the first object of the file must say
// so (Annex F.3.3), and the first part must lie before all else.
func (f *File) linearized(first, main *section) error {
	l := f.lexerAt(0)
	defer f.release(l)
	_, o, err := f.indirect(l, f.lengthOf)
	if err != nil {
		return err
	}
	d, _ := o.(Dict)
	if _, ok := d["Linearized"]; !ok {
		return malformed("/Prev of the cross-reference section at offset %d leads forward, and the file is not linearized", first.at)
	}
	if max(first.at, first.end) > main.at {
		return malformed("the two parts of the linearized file overlap, at offset %d", main.at)
	}
	return nil
}

// addsNothing tells whether s is a hybrid section that follows the revision before it at once and whose table is empty.
func (f *File) addsNothing(s *section, end int64) bool {
	if s.kind != XRefHybrid || s.own != 0 {
		return false
	}
	for _, e := range s.entries {
		if e.kind == inUse && e.off >= end {
			return false
		}
	}
	l := f.lexerAt(end)
	defer f.release(l)
	l.skipWhite()
	return l.pos == s.at
}
