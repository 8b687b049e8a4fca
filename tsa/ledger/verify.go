package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Verify reads the whole ledger, up to what was durable when it began, and returns
// the first thing that is not as it must be (Damaged): a byte that was changed, an
// entry that was removed, added or moved, a sum in a segment's head that is not
// that of the entries before it, a serial number that came twice in a unit, a time
// that goes back in a unit, a checkpoint that the ledger never was at. Checkpoints
// are heads of earlier days, kept and signed elsewhere: without one, whoever can
// write the files can write a whole new ledger.
func (l *Ledger) Verify(ctx context.Context, checkpoints ...Head) (Report, error) {
	v := &verifier{
		l: l, r: newReader(l, l.state()), used: map[string]*account{}, units: map[string]*order{},
		checkpoints: slices.Clone(checkpoints), rows: newRowCheck(l), ctx: ctx,
	}
	defer v.r.close()
	slices.SortFunc(v.checkpoints, func(a, b Head) int { return int(min(max(a.Seq-b.Seq, -1), 1)) })
	for len(v.checkpoints) > 0 && v.checkpoints[0] == (Head{}) {
		v.checkpoints = v.checkpoints[1:]
	}
	for i, first := range v.r.st.segments {
		if err := v.segment(ctx, i, first); err != nil {
			return v.report(), err
		}
	}
	if v.head != v.r.st.head {
		return v.report(), fail(Damaged, nil, "the ledger in %s ends at entry %d, not at %d", l.dir, v.head.Seq, v.r.st.head.Seq)
	}
	if len(v.checkpoints) > 0 {
		return v.report(), notAt(v.checkpoints[0])
	}
	return v.report(), nil
}

func notAt(h Head) error {
	return fail(Damaged, nil, "the ledger was never at the checkpoint of entry %d: entries were changed or cut off; compare with a backup", h.Seq)
}

type verifier struct {
	l           *Ledger
	r           *reader
	ledger      [16]byte
	head        Head
	lost, free  int64
	latest      int64
	bytes       int64
	segments    int
	used        map[string]*account
	units       map[string]*order
	checkpoints []Head // that were not come by yet
	rows        *rowCheck
	ctx         context.Context
}

func (v *verifier) report() Report {
	return Report{
		Entries: v.head.Seq, Lost: v.lost, Free: v.free, Segments: v.segments, Bytes: v.bytes, Head: v.head,
		Totals: totalsOf(v.head.Seq, v.used), Index: v.rows.wrong,
	}
}

func (v *verifier) segment(ctx context.Context, i int, first int64) error {
	if err := v.r.open(first); err != nil {
		return err
	}
	path := v.r.path()
	h, at, hash, err := readHead(v.r.f, v.r.limit)
	if err != nil {
		return v.l.damaged(err, path)
	}
	if g := (Gap{From: v.head.Seq + 1, To: first - 1}); g.Len() > 0 && h.first == first && v.l.accepted(g.From, g.To) {
		err = v.skip(i, g, h)
	} else {
		err = v.begins(i, first, h)
	}
	if err != nil {
		return v.l.damaged(err, path)
	}
	s := readBatches(v.r.f, h, at, v.r.limit, hash)
	for {
		if err := ctx.Err(); err != nil {
			return fail(Failed, err, "the verification was broken off at entry %d", v.head.Seq)
		}
		b, err := s.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errTorn) {
			if empty, zerr := zeros(v.r.f, s.place, v.r.limit); zerr == nil && empty && i < len(v.r.st.segments)-1 {
				break // written ahead, left there by a crash
			}
			place, entry := firstWrong(v.r.f, h.mark, s.place, v.r.limit, v.head.Seq)
			return v.l.damaged(fmt.Errorf("the batch at byte %d, after entry %d, does not follow on the one before it: it is damaged at byte %d, in entry %d", s.place, v.head.Seq, place, entry), path)
		}
		if err != nil {
			return fail(Failed, err, "read %s", path)
		}
		if err := v.r.entries(b, v.entry); err != nil {
			return err
		}
		v.head = Head{b.first + int64(b.entries) - 1, b.hash}
		if err := v.passed(); err != nil {
			return err
		}
	}
	v.segments++
	v.bytes += s.place
	return nil
}

// begins compares a segment's head with all that comes before it.
func (v *verifier) begins(i int, first int64, h *head) error {
	if i == 0 {
		v.ledger = h.ledger
	}
	switch {
	case h.first != first || first != v.head.Seq+1:
		return fmt.Errorf("it begins with entry %d, but %d comes next; segments are missing or misnamed", h.first, v.head.Seq+1)
	case h.ledger != v.ledger:
		return errors.New("it is of another ledger")
	case h.prev != v.head.Hash:
		return fmt.Errorf("it does not follow on entry %d as it is", v.head.Seq)
	}
	want := head{ledger: h.ledger, first: first, prev: h.prev, mark: h.mark, created: h.created, latest: v.latest, used: v.used, units: map[string]unitState{}}
	for unit, o := range v.units {
		want.units[unit] = o.state()
	}
	if !bytes.Equal(want.marshal(), h.marshal()) {
		return errors.New("its sums are not those of the entries before it")
	}
	return nil
}

// skip takes over what a segment's head says of the entries before it, whose loss was
// accepted: it must not be less than what is there.
func (v *verifier) skip(i int, g Gap, h *head) error {
	if i == 0 {
		v.ledger = h.ledger
	}
	if h.ledger != v.ledger {
		return errors.New("it is of another ledger")
	}
	// Entries that were given up and are there again may not be in its sums.
	if again := v.l.accepted(v.head.Seq, v.head.Seq); v.head.Seq > 0 && !again && !h.covers(v.used, v.latest) {
		return errors.New("its sums are less than those of the entries before it")
	}
	v.used, v.latest, v.units = h.used, h.latest, map[string]*order{}
	for name, u := range h.units { // what was under way may come in after it
		v.units[name] = &order{window: window{max: u.serial, time: u.time, floor: max(u.serial-windowSize, 0)}}
	}
	v.checkpoints = slices.DeleteFunc(v.checkpoints, func(c Head) bool { return c.Seq >= g.From && c.Seq < g.To })
	v.head = Head{g.To, h.prev}
	known := v.l.given(g.From, g.To)
	v.lost += known
	v.free += g.Len() - known
	return v.passed()
}

// covers says whether the sums of a head are not less than others.
func (h *head) covers(used map[string]*account, latest int64) bool {
	if h.latest < latest {
		return false
	}
	for name, a := range used {
		b := h.used[name]
		if b == nil || b.stamps < a.stamps {
			return false
		}
		for lot, n := range a.lots {
			if b.lots[lot] < n {
				return false
			}
		}
	}
	return true
}

// passed compares the checkpoints that the ledger is at or past.
func (v *verifier) passed() error {
	for len(v.checkpoints) > 0 && v.checkpoints[0].Seq <= v.head.Seq {
		if v.checkpoints[0] != v.head {
			return notAt(v.checkpoints[0])
		}
		v.checkpoints = v.checkpoints[1:]
	}
	return nil
}

func (v *verifier) entry(s *stored, unit string, place int64) error {
	if err := v.rows.entry(v.ctx, s, unit, v.r.segment, place); err != nil {
		return err
	}
	o := v.units[unit]
	if o == nil {
		o = &order{}
		v.units[unit] = o
	}
	if wrong := o.add(s.serial, s.time); wrong != "" {
		return fail(Damaged, nil, "entry %d: the serial number %d of unit %s %s", s.seq, s.serial, unit, wrong)
	}
	v.latest = max(v.latest, s.time)
	a := v.used[string(s.account)]
	if a == nil {
		a = &account{}
		v.used[string(s.account)] = a
	}
	a.add(string(s.lot))
	return nil
}

// order sees that the serial numbers of a unit come once, by the rule of Append, and
// that the times run with them: each entry is compared with its neighbours among the
// latest, which is where stamps made at the same moment are.
type order struct {
	window
	recent []unitState // the latest, by serial, ascending
}

// maxRecent is how many are remembered: more than can be under way at once.
const maxRecent = 2 * maxWaiting

func (o *order) state() unitState { return unitState{o.max, o.time} }

func (o *order) add(serial, time int64) (wrong string) {
	switch o.take(serial, time) {
	case Repeated:
		return "was used before, or comes too late to be told from one that was"
	case Backwards:
		return "has a time that does not fit that of the highest number"
	}
	i := len(o.recent)
	if i > 0 && serial < o.recent[i-1].serial {
		i = sort.Search(i, func(j int) bool { return o.recent[j].serial > serial })
	}
	if i > 0 && time < o.recent[i-1].time || i < len(o.recent) && time > o.recent[i].time {
		return "has a time that does not fit those of its neighbours"
	}
	o.recent = slices.Insert(o.recent, i, unitState{serial, time})
	if len(o.recent) > maxRecent {
		o.recent = append(o.recent[:0], o.recent[maxRecent/2:]...)
	}
	return ""
}

// CheckHead says whether the ledger was once at a state, such as that of an old
// checkpoint: nil, or Damaged. It reads one segment; [Ledger.Verify] reads all.
func (l *Ledger) CheckHead(ctx context.Context, h Head) error {
	r := newReader(l, l.state())
	defer r.close()
	if h == (Head{}) {
		return nil
	}
	if h.Seq < 1 || h.Seq > r.st.head.Seq {
		return notAt(h)
	}
	if _, next := slices.BinarySearch(r.st.segments, h.Seq+1); next {
		e, err := l.ends(h.Seq + 1)
		if err == nil && e.prev != h.Hash {
			err = notAt(h)
		}
		return err
	}
	if err := r.open(r.st.segments[r.st.segmentOf(h.Seq)]); err != nil {
		return err
	}
	head, at, hash, err := readHead(r.f, r.limit)
	if err != nil {
		return l.damaged(err, r.path())
	}
	s := readBatches(r.f, head, at, r.limit, hash)
	for s.next <= h.Seq {
		if err := ctx.Err(); err != nil {
			return fail(Failed, err, "the check was broken off")
		}
		if _, err := s.read(); err != nil {
			return l.damaged(err, r.path())
		}
	}
	if s.next != h.Seq+1 || s.hash != h.Hash {
		return notAt(h)
	}
	return nil
}
