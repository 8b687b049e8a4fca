package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Open opens the ledger in the folder dir, making it if need be, and keeps other
// processes out of it. Only the last segment is read whole. What a crash has left of a
// batch nobody was told of is cut off, kept in a file beside it, and told as event
// "recovered". Where entries are missing that somebody knows of ([Options].Known, the
// index, the segment that follows) the Kind is Lost; everything else that is not as
// it was written is Damaged. Open then changes nothing; it does not look for missing
// entries when it opens for reading only.
func Open(dir string, o Options) (*Ledger, error) { return open(dir, o, system{}) }

func open(dir string, o Options, d disk) (*Ledger, error) {
	l, err := newLedger(dir, o, d)
	if err != nil {
		return nil, err
	}
	if err := l.load(); err != nil {
		l.release()
		return nil, err
	}
	if l.o.ReadOnly {
		l.stopped = fail(Stopped, nil, "the ledger was opened for reading only")
		l.trouble.forGood(l.stopped)
		l.release()
		close(l.done)
		return l, nil
	}
	l.ahead = newAhead(l)
	l.ahead.follow(l.w.segment.first, l.w.at, l.durable.file)
	go l.ahead.run()
	go l.run()
	if l.indexer != nil {
		go l.indexer.run()
	}
	return l, nil
}

func newLedger(dir string, o Options, d disk) (*Ledger, error) {
	if o.SegmentSize == 0 {
		o.SegmentSize = stdSegment
	}
	if o.SegmentSize < minSegment || o.SegmentSize > maxSegment {
		return nil, fail(Failed, nil, "a segment has %d to %d bytes, not %d", minSegment, maxSegment, o.SegmentSize)
	}
	if o.IndexShare <= 0 || o.IndexShare > 1 {
		o.IndexShare = indexShare
	}
	if o.now == nil {
		o.now = time.Now
	}
	return &Ledger{
		dir: dir, disk: d, o: o, kick: make(chan struct{}, 1), done: make(chan struct{}),
		waiting: &group{done: make(chan struct{})}, used: map[string]*account{},
	}, nil
}

func (l *Ledger) load() (err error) {
	if err := l.expect(); err != nil {
		return err
	}
	if !l.o.ReadOnly {
		if err := l.enter(); err != nil {
			return err
		}
	}
	if err := l.find(); err != nil {
		return err
	}
	if err := l.resume(); err != nil {
		return err
	}
	if err := l.complete(); err != nil {
		return err
	}
	if l.o.Index != nil {
		l.indexer, err = newIndexer(l)
	}
	return err
}

// enter makes the folder and locks it.
func (l *Ledger) enter() error {
	if _, err := os.Stat(l.dir); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return fail(kindOfDisk(err), err, "make %s", l.dir)
		}
		if err := l.disk.syncDir(filepath.Dir(l.dir)); err != nil {
			return fail(kindOfDisk(err), err, "make %s", l.dir)
		}
	}
	var err error
	l.lock, err = lock(l.dir)
	return err
}

// find lists the segments, and begins the first if there is none.
func (l *Ledger) find() error {
	if err := l.listSegments(); err != nil || len(l.durable.segments) > 0 {
		return err
	}
	if l.o.ReadOnly {
		return fail(NotFound, nil, "there is no ledger in %s", l.dir)
	}
	id, err := l.whose()
	if err != nil {
		return err
	}
	f, _, _, err := l.begin(&head{ledger: id, first: 1, created: time.Now().UnixNano()})
	if err != nil {
		return err
	}
	l.durable.segments = []int64{1}
	return f.Close()
}

// whose is which ledger a first segment is of: the one that others know, or a new one.
func (l *Ledger) whose() (id [16]byte, err error) {
	if kept := l.kept(); kept != id {
		return kept, nil
	}
	if _, err := rand.Read(id[:]); err != nil {
		return id, fail(Failed, err, "no random numbers")
	}
	return id, nil
}

// listSegments finds the segments, and clears away what was to become one.
func (l *Ledger) listSegments() error {
	names, err := l.disk.list(l.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(Failed, err, "list %s", l.dir)
	}
	for _, name := range names {
		if first, ok := firstOf(name); ok {
			l.durable.segments = append(l.durable.segments, first)
		} else if strings.HasSuffix(name, suffix+suffixNew) && !l.o.ReadOnly {
			if err := l.disk.remove(filepath.Join(l.dir, name)); err != nil {
				return fail(Failed, err, "remove %s, which was never begun", name)
			}
		}
	}
	slices.Sort(l.durable.segments)
	return nil
}

// resume reads the last segment and leaves everything as the writer left it.
func (l *Ledger) resume() error {
	first := l.durable.segments[len(l.durable.segments)-1]
	path := filepath.Join(l.dir, segmentName(first))
	flag := os.O_RDWR
	if l.o.ReadOnly {
		flag = os.O_RDONLY
	}
	f, err := l.disk.open(path, flag)
	if err != nil {
		return fail(Failed, err, "open %s", path)
	}
	w := &l.w
	w.file = f
	l.durable.file, err = f.stat()
	if err != nil {
		return fail(Failed, err, "open %s", path)
	}
	l.durable.path = path
	size := l.durable.file.size
	h, at, hash, err := readHead(f, size)
	if err == nil && h.first != first {
		err = fmt.Errorf("the head says that it begins with entry %d", h.first)
	}
	if err != nil {
		return l.damaged(err, path)
	}
	w.segment, w.at, w.next, w.hash, w.latest = h, at, h.first, hash, h.latest
	l.id = h.ledger
	if err := l.own(path, l.id); err != nil {
		return err
	}
	if err := l.believe(); err != nil {
		return err
	}
	w.units, w.declared = map[string]*window{}, map[string][]declared{}
	for name, u := range h.units {
		w.units[name] = newWindow(u)
	}
	l.used = h.used
	h.units, h.used = nil, nil
	l.durable.head = Head{Seq: h.first - 1, Hash: h.prev}
	if err := l.replay(path, size); err != nil {
		return err
	}
	for _, u := range w.units {
		u.floor, u.max, u.time = u.durable.serial, u.durable.serial, u.durable.time // see window: every new stamp has a higher number
	}
	l.highest = make(map[string]unitState, len(w.units))
	for name, u := range w.units {
		l.highest[name] = u.durable
	}
	l.durable.end, l.durable.latest = w.at, w.latest
	return nil
}

// replay reads the batches of the last segment and ends it where they end.
func (l *Ledger) replay(path string, size int64) error {
	w := &l.w
	var last []byte
	lastAt, units := w.at, map[int64]string{}
	for tries := 0; ; tries++ {
		s := readBatches(w.file, w.segment, w.at, size, w.hash)
		s.next = w.next
		b, err := s.read()
		for ; err == nil; b, err = s.read() {
			if err := l.count(b, units); err != nil {
				return l.damaged(err, path)
			}
			last, lastAt = append(last[:0], s.buf[hashSize:hashSize+batchHead+len(b.frames)+hashSize]...), b.place
			w.at, w.hash, w.next = b.end(), b.hash, s.next
			l.durable.head = Head{Seq: s.next - 1, Hash: b.hash}
			tries = 0
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if !errors.Is(err, errTorn) {
			return fail(Failed, err, "read %s", path)
		}
		if err = l.looked(path, w.at, size, w.next-1); err == nil {
			if err := l.short(); err != nil {
				return err
			}
			err = l.cut(path, w.at, size)
		}
		if KindOf(err) == Damaged && l.o.ReadOnly && tries < readTries {
			// Or the process that holds the ledger was writing where we read.
			time.Sleep(readPause)
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if l.o.ReadOnly {
		return nil
	}
	return l.settle(path, last, lastAt)
}

// How often a place at which a batch may just be written is read.
const (
	readTries = 20
	readPause = 5 * time.Millisecond
)

// settle makes the last segment ready to be written to.
func (l *Ledger) settle(path string, last []byte, at int64) error {
	f := l.w.file
	if err := f.reserve(l.o.SegmentSize); err != nil {
		l.tell("full", "no room can be set aside for "+path+"; free some space", err)
	}
	if last == nil {
		return nil
	}
	// The last batch may be one whose sync failed: the kernel then has it in memory
	// and believes that it is on the disk. Writing it once more makes that true.
	if _, err := f.WriteAt(last, at); err != nil {
		return fail(kindOfDisk(err), err, "write the last batch of %s again", path)
	}
	if err := f.sync(); err != nil {
		return fail(kindOfDisk(err), err, "the disk does not confirm the last batch of %s", path)
	}
	return nil
}

// count takes the entries of a batch into the sums. units has the declarations of
// this segment by their places.
func (l *Ledger) count(b *batch, units map[int64]string) error {
	w := &l.w
	seq := b.first
	place := b.place + batchHead
	var last stored
	lastUnit, lastPlace := "", int64(0)
	for rest := b.frames; len(rest) > 0; {
		body, after, err := nextFrame(rest)
		if err != nil {
			return err
		}
		if body[0] == frameDeclaration {
			d, err := parseDeclaration(body)
			if err != nil {
				return err
			}
			w.declared[d.unit] = append(w.declared[d.unit], declared{slices.Clone(d.certs), place})
			w.count++
			units[place] = d.unit
		} else {
			e, err := parseEntry(body)
			if err != nil {
				return err
			}
			unit, ok := units[e.declared]
			if !ok || e.seq != seq {
				return errDeclaration
			}
			l.countEntry(unit, &e)
			last, lastUnit, lastPlace = e, unit, place
			seq++
		}
		place += int64(len(rest) - len(after))
		rest = after
	}
	if seq != b.first+int64(b.entries) {
		return errFrame
	}
	last.account, last.imprint = slices.Clone(last.account), slices.Clone(last.imprint) // the rest is the batch's
	l.lastEntry = &placed{last, lastUnit, w.segment.first, lastPlace}
	return nil
}

func (l *Ledger) countEntry(unit string, e *stored) {
	w := &l.w
	u := w.units[unit]
	if u == nil {
		u = newWindow(unitState{})
		w.units[unit] = u
	}
	u.recorded(e.serial, e.time)
	w.latest = max(w.latest, e.time)
	a := l.used[string(e.account)]
	if a == nil {
		a = &account{}
		l.used[string(e.account)] = a
	}
	a.add(string(e.lot))
}

// cut ends the last segment where the last whole batch ends, if what follows is
// what a crash leaves: part of the one batch that was under way, of which nobody
// was told. What is cut off is kept in a file beside it.
func (l *Ledger) cut(path string, at, size int64) error {
	w := &l.w
	if l.o.ReadOnly {
		return nil // the process that holds it is writing, or will cut it
	}
	empty, err := zeros(w.file, at, size)
	if err != nil {
		return fail(Failed, err, "read %s", path)
	}
	if empty { // written ahead, and not reached
		if err := w.file.truncate(at); err != nil {
			return fail(Failed, err, "cut the zeros off %s", path)
		}
		return nil
	}
	kept := fmt.Sprintf("%s.cut-%d-%d", path, at, time.Now().UnixNano())
	if err := l.keep(kept, at, size); err != nil {
		return fail(kindOfDisk(err), err, "keep in %s what a crash left; nothing was cut", kept)
	}
	err = w.file.truncate(at)
	if err == nil {
		err = w.file.sync()
	}
	if err != nil {
		return fail(kindOfDisk(err), err, "cut %s after its last whole batch", path)
	}
	l.tell("recovered", fmt.Sprintf("%s ended in %d bytes of a batch that was never confirmed; they are in %s now", path, size-at, kept), nil)
	return nil
}

// keep copies a part of the last segment into a new file, and makes that durable.
func (l *Ledger) keep(path string, from, to int64) error {
	f, err := l.disk.open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for at := from; at < to; {
		n, err := l.w.file.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		if n == 0 {
			return err
		}
		if _, err := f.WriteAt(buf[:n], at-from); err != nil {
			return err
		}
		at += int64(n)
	}
	if err := f.sync(); err != nil {
		return err
	}
	return l.disk.syncDir(l.dir)
}

// Close records what is waiting and closes the ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.wake()
	<-l.done
	if !l.trouble.since.IsZero() {
		l.calmed("the ledger is closed")
	}
	l.trouble.forGood(errClosed)
	if !l.o.ReadOnly {
		l.ahead.stop()
		if !l.w.gone {
			_ = l.w.file.truncate(l.w.at) // zeros written ahead; if it fails, Open does it
		}
		if l.indexer != nil {
			l.indexer.stop()
		}
	}
	l.release()
	return nil
}

// release gives back what the ledger holds of the system. Every byte of the file
// was synced when its caller was told.
func (l *Ledger) release() {
	if l.w.file != nil {
		_ = l.w.file.Close()
		l.w.file = nil
	}
	if l.lock != nil {
		unlock(l.lock)
	}
}

// Head returns the last durable state.
func (l *Ledger) Head() Head { return l.state().head }

func (l *Ledger) state() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Latest returns the highest serial number that is recorded of a unit and its time;
// ok is false when nothing is.
func (l *Ledger) Latest(unit string) (serial int64, genTime time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.highest[unit]
	if !ok {
		return 0, time.Time{}, false
	}
	return u.serial, nanoTime(u.time), true
}

// Err returns why nothing can be recorded any more; nil while entries are taken.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return l.stopped
	}
	return nil
}
