package ledger

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// position is a place between two batches.
type position struct {
	segment int64 // first sequence number
	place   int64 // 0: after the head
	seq     int64 // of the entry that follows
}

// errEnough ends reading without an error.
var errEnough = errors.New("enough")

// reader reads entries as they were in one state of the ledger, whatever is
// recorded meanwhile. It belongs to one goroutine.
type reader struct {
	l  *Ledger
	st state

	segment int64 // that is open; 0: none
	f       file
	limit   int64
	known   map[int64]declaration // by place, of the open segment
}

// maxKnown bounds the declarations that a reader remembers.
const maxKnown = 64

func newReader(l *Ledger, st state) *reader { return &reader{l: l, st: st} }

func (r *reader) close() {
	if r.f != nil {
		_ = r.f.Close()
	}
	r.f, r.segment, r.known = nil, 0, nil
}

func (r *reader) path() string { return filepath.Join(r.l.dir, segmentName(r.segment)) }

func (r *reader) open(segment int64) error {
	if r.segment == segment && r.f != nil {
		return nil
	}
	r.close()
	i, ok := slices.BinarySearch(r.st.segments, segment)
	if !ok {
		return fail(NotFound, nil, "the ledger in %s has no segment %s", r.l.dir, segmentName(segment))
	}
	r.segment = segment
	f, err := r.l.disk.open(r.path(), os.O_RDONLY)
	if err != nil {
		return fail(Failed, err, "open a segment")
	}
	r.f, r.known = f, map[int64]declaration{}
	if r.limit = r.st.end; i < len(r.st.segments)-1 {
		if r.limit, err = f.size(); err != nil {
			return fail(Failed, err, "open %s", r.path())
		}
	}
	return nil
}

// declaration returns the one at a place of the open segment.
func (r *reader) declaration(place int64) (declaration, error) {
	if d, ok := r.known[place]; ok {
		return d, nil
	}
	body, err := readFrame(r.f, place, r.limit)
	if err != nil {
		return declaration{}, r.l.damaged(err, r.path())
	}
	d, err := parseDeclaration(body)
	if err != nil {
		return d, r.l.damaged(errDeclaration, r.path())
	}
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[place] = d
	return d, nil
}

// entry reads one entry by its place.
func (r *reader) entry(segment, place int64) (s stored, unit string, err error) {
	if err := r.open(segment); err != nil {
		return s, "", err
	}
	body, err := readFrame(r.f, place, r.limit)
	if err == nil {
		s, err = parseEntry(body)
	}
	if err != nil {
		return s, "", r.l.damaged(err, r.path())
	}
	d, err := r.declaration(s.declared)
	return s, d.unit, err
}

// batches reads batches from a position to the end of its segment. It returns where
// it ended: the place of the batch for which visit returned errEnough, or the end.
// Their hashes are not checked; the frames bear checksums.
func (r *reader) batches(ctx context.Context, at position, visit func(*batch) error) (int64, error) {
	if err := r.open(at.segment); err != nil {
		return 0, err
	}
	h, length, hash, err := readHead(r.f, r.limit)
	if err != nil {
		return 0, r.l.damaged(err, r.path())
	}
	h.units, h.used = nil, nil
	s := readBatches(r.f, h, max(at.place, length), r.limit, hash)
	s.unchecked, s.next = true, at.seq
	if at.place == 0 {
		s.next = h.first
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, fail(Failed, err, "reading the ledger was broken off")
		}
		b, err := s.read()
		switch {
		case errors.Is(err, io.EOF):
			return s.place, nil
		case errors.Is(err, errTorn):
			// Zeros that were written ahead may follow in a segment that was left in a hurry.
			if empty, zerr := zeros(r.f, s.place, r.limit); zerr == nil && empty {
				return s.place, nil
			}
			return 0, r.l.damaged(err, r.path())
		case err != nil:
			return 0, fail(Failed, err, "read %s", r.path())
		}
		if err := visit(b); err != nil {
			if errors.Is(err, errEnough) {
				return b.place, nil
			}
			return 0, err
		}
	}
}

// entries visits the entries of a batch of the open segment; the stored entry is
// good until the next.
func (r *reader) entries(b *batch, visit func(s *stored, unit string, place int64) error) error {
	place := b.place + batchHead
	seq := b.first
	for rest := b.frames; len(rest) > 0; {
		body, after, err := nextFrame(rest)
		if err != nil {
			return r.l.damaged(err, r.path())
		}
		if body[0] == frameEntry {
			s, err := parseEntry(body)
			if err != nil || s.seq != seq {
				return r.l.damaged(errFrame, r.path())
			}
			seq++
			d, err := r.declaration(s.declared)
			if err != nil {
				return err
			}
			if err := visit(&s, d.unit, place); err != nil {
				return err
			}
		}
		place += int64(len(rest) - len(after))
		rest = after
	}
	if seq != b.first+int64(b.entries) {
		return r.l.damaged(errFrame, r.path())
	}
	return nil
}
