package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Files can be lost, or cut, or put back as they were: the ledger that is left is
// then whole in itself, and what its customers have used is less. Only somebody else
// can tell: whoever was given a head, the index, the segment that follows. Open asks
// them all, and goes on without what is missing only where somebody has taken the
// loss upon himself.

// Gap is a run of entries, From and To included. Of the last Free of them nobody knows
// whether there were any: see [Spare].
type Gap struct{ From, To, Free int64 }

// Len is how many entries are known to have been in it.
func (g Gap) Len() int64 { return g.To - g.From + 1 - g.Free }

// Spare is how many entry numbers are left free behind the last that somebody knows,
// where the end of the ledger was lost: entries that were recorded after that have their
// numbers there, should they turn up. The heads are kept every ten minutes.
const Spare = 1 << 16

// Loss is what [AcceptLoss] has found missing.
type Loss struct {
	Gaps []Gap // in their order
	// Charged is how many of the lost stamps stay counted for the accounts that had
	// them, and Unknown how many nobody knows the accounts of: those after the last
	// state that was kept.
	Charged, Unknown int64
}

// accepted says whether the loss of these entries was accepted.
func (l *Ledger) accepted(from, to int64) bool {
	return len(l.remaining(from, to)) == 0
}

// remaining is what is left of a run of entries without those whose loss was accepted.
func (l *Ledger) remaining(from, to int64) (left []Gap) {
	return without(from, to, l.o.Lost)
}

// without is what is left of a run of entries without some others.
func without(from, to int64, others []Gap) (left []Gap) {
	gaps := slices.SortedFunc(slices.Values(others), func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	for _, g := range gaps {
		if g.To < from || g.From > to {
			continue
		}
		if g.From > from {
			left = append(left, Gap{From: from, To: g.From - 1})
		}
		from = max(from, g.To+1)
	}
	if from <= to {
		left = append(left, Gap{From: from, To: to})
	}
	return left
}

// given is how many entries of a run whose loss was accepted are known to have been.
func (l *Ledger) given(from, to int64) (n int64) {
	for _, g := range l.o.Lost {
		n += max(min(to, g.To-g.Free)-max(from, g.From)+1, 0)
	}
	return n
}

// expect works out up to which entry the ledger must go at least, by those who were
// told, and refuses where there is no segment at all.
func (l *Ledger) expect() error {
	for _, h := range l.o.Known {
		l.least = max(l.least, h.Seq)
	}
	for _, g := range l.o.Lost {
		l.least, l.begun = max(l.least, g.To-g.Free), max(l.begun, g.To)
	}
	if l.o.Index != nil && !l.o.Rebuild {
		var err error
		if l.indexed, l.indexOf, err = lastIndexed(l.o.Index); err != nil {
			return err
		}
	}
	names, err := l.disk.list(l.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(Failed, err, "list %s", l.dir)
	}
	l.findSaved(names)
	for _, name := range names {
		if _, ok := firstOf(name); ok {
			return nil // whose it is says the segment
		}
	}
	if err := l.believe(); err != nil && (l.accepting || l.least == 0) {
		return err
	}
	if l.least > 0 && !l.accepting {
		return l.lost(Gap{From: 1, To: l.least}, "put the whole folder back from the backup")
	}
	return nil
}

// kept is which ledger is kept here, by its segments, by others, or by the index; zeros:
// nobody knows.
func (l *Ledger) kept() [16]byte {
	for _, id := range [][16]byte{l.id, l.o.ID} {
		if id != [16]byte{} {
			return id
		}
	}
	b, err := hex.DecodeString(l.indexOf)
	if err != nil || len(b) != len(l.id) {
		return [16]byte{}
	}
	return [16]byte(b)
}

// believe takes in up to where the index and the copies that were saved know entries,
// once it is known which ledger is kept here: those of another say nothing.
func (l *Ledger) believe() error {
	if !l.o.ReadOnly { // beside, the copies were not put back, and may be of this moment
		for _, c := range l.copies() {
			l.least = max(l.least, c.last)
		}
	}
	if id := l.kept(); l.indexOf != "" && l.indexOf != hex.EncodeToString(id[:]) {
		return l.foreignIndex()
	}
	l.least = max(l.least, l.indexed)
	return nil
}

func (l *Ledger) lost(g Gap, remedy string) *Error {
	return fail(Lost, nil, "%d time-stamps that were recorded are missing in %s, the entries %d to %d; nothing was changed: %s",
		g.Len(), l.dir, g.From, g.To, l.orSaved(g, remedy))
}

// short says that the ledger ends before an entry that somebody knows.
func (l *Ledger) short() error {
	end := l.durable.head.Seq
	if l.indexed > end && !l.o.ReadOnly {
		if err := l.indexFollows(); err != nil {
			return err
		}
	}
	if l.accepting || l.o.ReadOnly || end >= max(l.least, l.begun) {
		return nil
	}
	if end >= l.least {
		return fail(Lost, nil, "the loss of the entries up to %d in %s was accepted, but that was broken off: accept it once more", l.begun, l.dir)
	}
	last := segmentName(l.durable.segments[len(l.durable.segments)-1])
	return l.lost(Gap{From: end + 1, To: l.least}, "put back "+last+", and the segments after it if there were any, from the backup")
}

// complete compares the ledger with what is known of it, before anything is recorded.
func (l *Ledger) complete() error {
	if err := l.short(); err != nil || l.o.ReadOnly {
		return err
	}
	gaps, err := l.gaps()
	if err != nil {
		return err
	}
	if l.missing = gaps; l.accepting {
		return nil
	}
	if len(gaps) > 0 {
		g := gaps[0]
		return l.lost(g, fmt.Sprintf("put back %s, or the segment before it, and all others up to %s from the backup", segmentName(g.From), segmentName(g.To+1)))
	}
	for i, h := range l.o.Known {
		if h.Seq == 0 || h == l.durable.head || slices.Contains(l.o.Known[:i], h) || l.accepted(h.Seq, h.Seq) {
			continue
		}
		if err := l.CheckHead(context.Background(), h); err != nil {
			return err
		}
	}
	return nil
}

// own refuses a file that is of another ledger.
func (l *Ledger) own(path string, id [16]byte) error {
	if l.o.ID == ([16]byte{}) || id == l.o.ID {
		return nil
	}
	return fail(Foreign, nil, "%s is a file of another ledger (%x) than the one that others know to be kept here (%x)%s. Nothing was changed. Either the file was put there from elsewhere, or what they know is of another appliance: put back whichever is wrong, from where it was moved to or from the backup",
		path, id, l.o.ID, l.savedFor(path))
}

// ends is what the first and the last bytes of a segment say.
type ends struct {
	first int64          // as the head says
	prev  [hashSize]byte // the hash before it
	last  [hashSize]byte // of its last batch, if nothing was written ahead
}

const prevPlace = len(magic) + 4 + 16 + 8 // of the hash before, in a segment

func (l *Ledger) ends(segment int64) (e ends, err error) {
	path := filepath.Join(l.dir, segmentName(segment))
	f, err := l.disk.open(path, os.O_RDONLY)
	if err != nil {
		return e, fail(Failed, err, "open %s", path)
	}
	defer f.Close()
	size, err := f.size()
	if err != nil {
		return e, fail(Failed, err, "open %s", path)
	}
	var start [prevPlace + hashSize]byte
	if size < int64(len(start)) {
		return e, l.damaged(errors.New("the head is cut short"), path)
	}
	_, err = f.ReadAt(start[:], 0)
	if err == nil {
		_, err = f.ReadAt(e.last[:], size-hashSize)
	}
	if err != nil {
		return e, fail(Failed, err, "read %s", path)
	}
	e.first, e.prev = int64(binary.BigEndian.Uint64(start[prevPlace-8:])), [hashSize]byte(start[prevPlace:])
	if id := [16]byte(start[prevPlace-8-16:]); id != l.id {
		return e, l.damaged(fmt.Errorf("it is of another ledger (%x) than the last segment (%x)", id, l.id), path)
	}
	if e.first != segment {
		return e, l.damaged(fmt.Errorf("the head says that it begins with entry %d", e.first), path)
	}
	return e, nil
}

// gaps finds what is missing before and between the segments and is not accepted. Of
// each segment it reads the two ends; [Ledger.Verify] reads all.
func (l *Ledger) gaps() (gaps []Gap, err error) {
	var before ends
	for i, segment := range l.durable.segments {
		e, err := l.ends(segment)
		if err != nil {
			return nil, err
		}
		g := Gap{From: 1, To: segment - 1}
		follows := i > 0 && before.last == e.prev && e.prev != [hashSize]byte{} // zeros: what was before it was lost
		if i > 0 && !follows {
			if g, err = l.gapAfter(before.first, &e); err != nil {
				return nil, err
			}
		}
		if !follows && g.Len() > 0 {
			gaps = append(gaps, l.remaining(g.From, g.To)...)
		}
		before = e
	}
	return gaps, nil
}

// gapAfter reads a segment to see what is missing between it and the next.
func (l *Ledger) gapAfter(segment int64, next *ends) (Gap, error) {
	h, err := l.endOf(segment)
	if err != nil {
		return Gap{}, err
	}
	path := filepath.Join(l.dir, segmentName(next.first))
	switch g := (Gap{From: h.Seq + 1, To: next.first - 1}); {
	case g.Len() < 0, g.Len() == 0 && h.Hash != next.prev:
		return g, l.damaged(fmt.Errorf("it does not follow on %s as that is", segmentName(segment)), path)
	default:
		return g, nil
	}
}

// endOf reads a segment that is not the last, to its end.
func (l *Ledger) endOf(segment int64) (Head, error) {
	r := newReader(l, l.durable)
	defer r.close()
	if err := r.open(segment); err != nil {
		return Head{}, err
	}
	h, at, hash, err := readHead(r.f, r.limit)
	if err != nil {
		return Head{}, l.damaged(err, r.path())
	}
	s := readBatches(r.f, h, at, r.limit, hash)
	for err == nil {
		_, err = s.read()
	}
	if errors.Is(err, errTorn) {
		empty, zerr := zeros(r.f, s.place, r.limit)
		if zerr != nil {
			return Head{}, fail(Failed, zerr, "read %s", r.path())
		}
		if !empty {
			place, entry := firstWrong(r.f, h.mark, s.place, r.limit, s.next-1)
			return Head{}, l.damaged(fmt.Errorf("there is no whole batch at byte %d: it is damaged at byte %d, in entry %d", s.place, place, entry), r.path())
		}
	} else if !errors.Is(err, io.EOF) {
		return Head{}, fail(Failed, err, "read %s", r.path())
	}
	if s.next == h.first {
		return Head{h.first - 1, h.prev}, nil
	}
	return Head{s.next - 1, s.hash}, nil
}

// ID is which ledger it is: a random number, the same in all of its segments.
func (l *Ledger) ID() [16]byte { return l.id }

// State returns the head and, as [AcceptLoss] takes it, what the ledger knows at it:
// what each account has used and where each unit is. Whoever keeps heads keeps the
// latest state beside them.
func (l *Ledger) State() (Head, []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.durable.head
	return at, (&head{ledger: l.id, first: at.Seq + 1, prev: at.Hash, created: l.o.now().UnixNano(),
		latest: l.durable.latest, units: l.highest, used: l.used}).marshal()
}

// AcceptLoss lets the ledger go on without entries that are lost for good:
//
//  1. What is missing is found, by o.Known, the index, and the segments themselves;
//     the Kind is NotFound when nothing is. Of the torn end of the last segment the
//     pieces are kept beside it.
//  2. accept is told, and records it where Open will be told of it (Options.Lost). An
//     error of it is returned, and nothing was changed.
//  3. If the end is missing, a new segment is begun behind the lost entries, whose
//     numbers are not given again, nor are the [Spare] after them. It begins with the sums of the ledger or those of
//     the state that was kept ([Ledger.State], may be nil), whichever are greater:
//     what was used does not come back.
//
// If it is broken off after step 2, Open says that entries are missing, and
// AcceptLoss is good to be called again. Should the files turn up later, they may be
// put back: their entries have their numbers, and Open and Verify take them as they
// are. What entries after the kept state have used is not counted then.
func AcceptLoss(dir string, o Options, state []byte, accept func(Loss) error) (Loss, error) {
	o.ReadOnly = false
	l, err := newLedger(dir, o, system{})
	if err != nil {
		return Loss{}, err
	}
	l.accepting = true
	defer l.release()
	if id, ok := StateOf(state); ok && l.o.ID == ([16]byte{}) {
		l.o.ID = id
	}
	if err := l.enter(); err != nil {
		return Loss{}, err
	}
	if err := l.expect(); err != nil {
		return Loss{}, err
	}
	if err := l.listSegments(); err != nil {
		return Loss{}, err
	}
	if len(l.durable.segments) > 0 {
		if err := l.resume(); err != nil {
			return Loss{}, err
		}
		if err := l.complete(); err != nil {
			return Loss{}, err
		}
	}
	loss, next, err := l.assess(state)
	if err != nil {
		return loss, err
	}
	if err := l.savedIsKept(loss.Gaps); err != nil {
		return loss, err
	}
	if err := accept(loss); err != nil {
		return loss, err
	}
	if next == nil {
		return loss, nil
	}
	f, _, _, err := l.begin(next)
	if err != nil {
		return loss, err
	}
	return loss, f.Close()
}

// assess says what is missing, and how the segment begins that is needed.
func (l *Ledger) assess(state []byte) (loss Loss, next *head, err error) {
	loss.Gaps = l.missing
	for _, g := range loss.Gaps {
		loss.Charged += g.Len() // by the head of the segment that follows
	}
	end := l.durable.head.Seq
	if end >= max(l.least, l.begun) {
		if len(loss.Gaps) == 0 {
			return loss, nil, fail(NotFound, nil, "nothing is missing in %s", l.dir)
		}
		return loss, nil, nil
	}
	// What was accepted before and broken off is begun where that says.
	last := l.begun
	lost := l.remaining(end+1, l.least)
	if n := len(lost); l.least > l.begun {
		last = l.least + Spare
		lost[n-1].To, lost[n-1].Free = last, Spare
	}
	next = &head{ledger: l.id, first: last + 1, created: time.Now().UnixNano(), latest: l.w.latest, units: l.highest, used: l.used}
	before := stampsOf(next.used)
	if kept := readState(state); kept != nil {
		next.atLeast(kept)
	}
	if next.ledger == ([16]byte{}) {
		if next.ledger, err = l.whose(); err != nil {
			return loss, nil, err
		}
	}
	missed := int64(0)
	for _, g := range lost {
		missed += g.Len()
	}
	charged := min(stampsOf(next.used)-before, missed)
	loss.Gaps = append(loss.Gaps, lost...)
	loss.Charged += charged
	loss.Unknown = missed - charged
	return loss, next, nil
}

// StateOf says which ledger a state is of ([Ledger.State]); ok is false for what is none.
func StateOf(state []byte) (id [16]byte, ok bool) {
	if h := readState(state); h != nil {
		return h.ledger, true
	}
	return id, false
}

// readState gives nil for what is no state.
func readState(state []byte) *head {
	h, length, _, err := readHead(bytes.NewReader(state), int64(len(state)))
	if err != nil || length != int64(len(state)) {
		return nil
	}
	return h
}

// atLeast raises the sums to those of a state that was kept.
func (h *head) atLeast(kept *head) {
	h.latest = max(h.latest, kept.latest)
	if h.units == nil {
		h.units = map[string]unitState{}
	}
	for name, u := range kept.units {
		if u.serial > h.units[name].serial {
			h.units[name] = u
		}
	}
	for name, k := range kept.used {
		a := h.used[name]
		if a == nil {
			h.used[name] = k
			continue
		}
		a.stamps = max(a.stamps, k.stamps)
		for lot, n := range k.lots {
			if a.lots == nil {
				a.lots = map[string]int64{}
			}
			a.lots[lot] = max(a.lots[lot], n)
		}
	}
}

func stampsOf(used map[string]*account) (n int64) {
	for _, a := range used {
		n += a.stamps
	}
	return n
}
