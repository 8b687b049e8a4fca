package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Bounds of what waits for the disk. Callers beyond them wait for their turn.
const (
	maxWaiting      = 4096    // entries
	maxWaitingBytes = 4 << 20 // by Entry.size, so that their batch is within maxFrames
)

// Ledger is the open record. It is safe for concurrent use.
//
// One goroutine, the writer, owns the file and everything that runs along with
// it; it takes all entries that wait, writes them as one batch, syncs once, and
// wakes their callers. While it does, the next ones gather: there is no timer, and
// the slower the disk the larger the batches.
type Ledger struct {
	dir  string
	disk disk
	o    Options
	id   [16]byte // which ledger
	lock *os.File
	kick chan struct{} // room for one: there is something to do
	done chan struct{} // closed when the writer has ended

	events  sync.Mutex
	ahead   *ahead
	indexer *indexer
	trouble trouble

	// While it is opened: up to where somebody knows entries, behind which accepted loss
	// a segment must have been begun, how far the index says that it goes and of which
	// ledger, the last entry there is, copies that were saved, what is missing between the
	// segments, and that this is to be accepted.
	least     int64
	begun     int64
	indexed   int64
	indexOf   string
	lastEntry *placed
	saved     []savedCopy
	missing   []Gap
	accepting bool

	mu      sync.Mutex
	waiting *group
	spare   []Entry
	closed  bool
	stopped *Error // why nothing can be recorded any more
	durable state
	used    map[string]*account  // written by the writer only
	highest map[string]unitState // by unit
	w       writer               // the writer's own
}

// state is what is on the disk for certain.
type state struct {
	segments []int64 // their first sequence numbers; grows, never changed in place
	end      int64   // of the last segment
	head     Head
	latest   int64  // the latest GenTime
	path     string // of the last segment
	file     inode  // which file that is; its size says nothing
}

// group is the entries of one batch and what becomes of them. The entries point
// into their callers' memory: the callers wait.
type group struct {
	entries []Entry
	bytes   int
	done    chan struct{}
	err     error         // valid after done
	refused map[int]error // by place in entries; nil: none
}

// writer is where the next batch goes and what its content depends on.
type writer struct {
	file     file
	segment  *head
	at       int64 // place of the next batch
	next     int64 // sequence number of the next entry
	hash     [hashSize]byte
	latest   int64
	units    map[string]*window
	declared map[string][]declared // by unit, in this segment
	count    int                   // of them
	buf      []byte                // the hash before, then the batch
	gone     bool                  // the file is not the one at its place any more
}

// batch is what build made, empty when no entry was accepted.
func (w *writer) batch() []byte { return w.buf[min(hashSize, len(w.buf)):] }

type declared struct {
	certs []byte
	place int64
}

var errClosed = fail(Stopped, nil, "the ledger is closed")

// Append records an entry. It is durable when Append returns nil; when it
// returns an error the token must not go out. The entry's slices are read until
// Append returns. The end of ctx ends the waiting for a turn (Kind Busy), not the
// waiting for the disk: whoever gets an error knows that nothing is recorded,
// unless its Kind is Stopped.
func (l *Ledger) Append(ctx context.Context, e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	size := e.size()
	l.mu.Lock()
	for {
		if l.stopped != nil || l.closed {
			err := l.stopped
			l.mu.Unlock()
			if err == nil {
				return errClosed
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			l.mu.Unlock()
			return fail(Busy, err, "the time allowed passed before the entry could be recorded")
		}
		g := l.waiting
		if n := len(g.entries); n == 0 || n < maxWaiting && g.bytes+size <= maxWaitingBytes {
			break
		}
		l.mu.Unlock()
		select {
		case <-g.done:
		case <-ctx.Done():
		}
		l.mu.Lock()
	}
	g := l.waiting
	i := len(g.entries)
	g.entries = append(g.entries, e)
	g.bytes += size
	l.mu.Unlock()
	if i == 0 {
		l.wake()
	}
	<-g.done
	if err := g.refused[i]; err != nil {
		return err
	}
	return g.err
}

func (l *Ledger) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// run is the writer.
func (l *Ledger) run() {
	defer close(l.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.kick:
		case <-tick.C:
		}
		for idle := true; ; idle = false {
			g, closed := l.gather()
			if g == nil {
				if closed {
					return
				}
				if idle {
					_ = l.inPlace() // it stops the ledger, and says why
				}
				break
			}
			l.record(g)
			// Whoever was woken, and whoever else can run, goes first: under load more
			// entries share the next sync, which is what costs, and on an idle machine
			// this returns at once.
			runtime.Gosched()
		}
	}
}

// gather takes all that waits; nil when nothing does.
func (l *Ledger) gather() (g *group, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting.entries) == 0 {
		return nil, l.closed
	}
	g = l.waiting
	l.waiting = &group{entries: l.spare[:0], done: make(chan struct{})}
	l.spare = nil
	return g, false
}

// record makes a group durable and tells its callers.
//
//  1. A new segment is begun if this one is full. Durable: its head and its name.
//     Before that the file is looked at: it must still be the one at its place.
//  2. The batch is built: each entry is looked at again, beside the ones before.
//  3. It is written where the last one ended. If that fails the file is cut back,
//     and the disk is as it was before.
//  4. It is synced. If that fails nobody can know what the disk holds (the kernel
//     forgets the pages it could not write), so nothing is recorded any more.
//  5. The sums include it, lookups see it, the callers go on.
func (l *Ledger) record(g *group) {
	g.err = l.store(g)
	switch e, _ := g.err.(*Error); {
	case g.err == nil:
		wrote := len(l.w.batch()) > 0
		l.publish(g)
		if wrote {
			l.recorded()
		}
	case e != nil && e.Kind != Stopped:
		l.failed(g, e)
	}
	close(g.done)
	entries := g.entries
	g.entries = nil // its callers know their place; the memory serves again
	clear(entries)
	l.mu.Lock()
	l.spare = entries
	l.mu.Unlock()
	if l.indexer != nil {
		l.indexer.wake()
	}
}

func (l *Ledger) store(g *group) error {
	w := &l.w
	if l.stopped != nil { // only written by this goroutine
		return l.stopped
	}
	if err := l.inPlace(); err != nil {
		return err
	}
	full := w.at+int64(g.bytes) > l.o.SegmentSize || w.count >= maxDeclared
	if full && w.next > w.segment.first {
		if err := l.roll(); err != nil {
			return err
		}
	}
	w.build(g)
	if len(w.batch()) == 0 {
		return nil // all were refused
	}
	if err := l.ahead.write(w.file, w.batch(), w.at); err != nil {
		w.undo(g)
		l.ahead.cutBack(w.at)
		if cut := w.file.truncate(w.at); cut != nil {
			return l.stop(cut, "a batch was written in part and could not be cut off")
		}
		return fail(kindOfDisk(err), err, "write to %s; nothing was recorded", segmentName(w.segment.first))
	}
	if err := w.file.sync(); err != nil {
		return l.stop(err, "the disk did not confirm a batch")
	}
	return nil
}

// stop ends all recording. What was under way is in the ledger or not; opening it
// again shows.
func (l *Ledger) stop(cause error, what string) error {
	return l.stopWith(fail(Stopped, cause, "%s in %s; look at the disk, then open the ledger again", what, l.dir))
}

func (l *Ledger) stopWith(err *Error) error {
	l.mu.Lock()
	l.stopped = err
	l.mu.Unlock()
	l.trouble.forGood(err)
	l.tell("stopped", err.Msg, err.Err)
	return err
}

func (l *Ledger) tell(kind, text string, err error) {
	if l.o.OnEvent == nil {
		return
	}
	l.events.Lock()
	defer l.events.Unlock()
	l.o.OnEvent(Event{Kind: kind, Text: text, Err: err})
}

// build encodes the batch into buf, leaving it empty when no entry is accepted.
func (w *writer) build(g *group) {
	be := binary.BigEndian
	b := append(w.buf[:0], w.hash[:]...)
	b = append(b, make([]byte, batchHead)...)
	seq := w.next
	for i := range g.entries {
		e := &g.entries[i]
		unit := w.units[e.Unit]
		if unit == nil {
			unit = newWindow(unitState{})
			w.units[e.Unit] = unit
		}
		nano := e.GenTime.UnixNano()
		if kind := unit.take(e.Serial, nano); kind != "" {
			if g.refused == nil {
				g.refused = map[int]error{}
			}
			g.refused[i] = refusal(kind, e)
			continue
		}
		var place int64
		b, place = w.declare(b, e)
		b = appendEntry(b, e, seq, place)
		e.Seq = seq
		seq++
	}
	if seq == w.next {
		w.buf = b[:0]
		return
	}
	h := b[hashSize:]
	be.PutUint64(h, w.segment.mark)
	be.PutUint64(h[8:], uint64(w.next))
	be.PutUint32(h[16:], uint32(seq-w.next))
	be.PutUint32(h[20:], uint32(len(h)-batchHead))
	be.PutUint32(h[24:], checksum(h[:24]))
	sum := sha256.Sum256(b)
	w.buf = append(b, sum[:]...)
}

func refusal(kind Kind, e *Entry) error {
	if kind == Backwards {
		return fail(kind, nil, "the time of %s/%d does not fit those of its neighbours; nothing was recorded", e.Unit, e.Serial)
	}
	return fail(kind, nil, "the serial number %d of %s was used before, or is older than this ledger's last start; nothing was recorded", e.Serial, e.Unit)
}

// declare returns the place of the declaration that e refers to, appending it if
// this segment has none.
func (w *writer) declare(b []byte, e *Entry) ([]byte, int64) {
	certs := e.Token[e.Certs[0]:e.Certs[1]]
	for _, d := range w.declared[e.Unit] {
		if bytes.Equal(d.certs, certs) {
			return b, d.place
		}
	}
	place := w.at + int64(len(b)-hashSize)
	w.declared[e.Unit] = append(w.declared[e.Unit], declared{bytes.Clone(certs), place})
	w.count++
	return appendDeclaration(b, e.Unit, certs), place
}

// undo forgets a batch that was not written.
func (w *writer) undo(g *group) {
	for i := range g.entries {
		if e := &g.entries[i]; g.refused[i] == nil {
			w.units[e.Unit].giveBack(e.Serial)
		}
	}
	w.declared, w.count = map[string][]declared{}, 0
}

// publish moves everything past a batch that is on the disk.
func (l *Ledger) publish(g *group) {
	w := &l.w
	if len(w.batch()) == 0 {
		return
	}
	w.at += int64(len(w.batch()))
	w.hash = [hashSize]byte(w.buf[len(w.buf)-hashSize:])
	if cap(w.buf) > 1<<20 {
		w.buf = nil // a rare great batch is not kept for ever
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range g.entries {
		e := &g.entries[i]
		if g.refused[i] != nil {
			continue
		}
		w.next++
		nano := e.GenTime.UnixNano()
		u := w.units[e.Unit]
		u.recorded(e.Serial, nano)
		l.highest[e.Unit] = u.durable
		w.latest = max(w.latest, nano)
		a := l.used[e.Account]
		if a == nil {
			a = &account{}
			l.used[e.Account] = a
		}
		a.add(e.Lot)
	}
	l.durable.end, l.durable.latest = w.at, w.latest
	l.durable.head = Head{Seq: w.next - 1, Hash: w.hash}
}

// roll begins a new segment. Until its name is durable the old one is the last.
func (l *Ledger) roll() error {
	w := &l.w
	units := make(map[string]unitState, len(w.units))
	for name, u := range w.units {
		if u.durable.serial > 0 {
			units[name] = u.durable
		}
	}
	h := &head{
		ledger: w.segment.ledger, first: w.next, prev: w.hash, created: time.Now().UnixNano(),
		latest: w.latest, units: units, used: l.used,
	}
	f, at, hash, err := l.begin(h)
	if err != nil {
		return err
	}
	is, err := f.stat()
	if err != nil {
		_ = f.Close()
		return l.stop(err, "the new segment cannot be looked at")
	}
	l.ahead.leave()
	_ = w.file.truncate(w.at) // gives back what was set aside
	_ = w.file.Close()        // synced, every byte
	h.units, h.used = nil, nil
	w.file, w.segment, w.at, w.hash = f, h, at, hash
	w.declared, w.count = map[string][]declared{}, 0
	l.ahead.follow(h.first, at, is)
	l.mu.Lock()
	l.durable.segments = append(l.durable.segments, h.first)
	l.durable.end, l.durable.file, l.durable.path = at, is, filepath.Join(l.dir, segmentName(h.first))
	l.mu.Unlock()
	return nil
}

// begin makes the file of a segment: under another name, synced, then renamed, so
// that a segment has a whole head or does not exist.
func (l *Ledger) begin(h *head) (f file, at int64, hash [hashSize]byte, err error) {
	var mark [8]byte
	if _, err := rand.Read(mark[:]); err != nil {
		return nil, 0, hash, fail(Failed, err, "no random numbers")
	}
	h.mark = binary.BigEndian.Uint64(mark[:])
	b := h.marshal()
	if len(b) > maxHead {
		return nil, 0, hash, fail(Failed, nil, "there are more accounts and lots than a segment's head can hold")
	}
	path := filepath.Join(l.dir, segmentName(h.first))
	f, err = l.disk.open(path+suffixNew, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, 0, hash, fail(kindOfDisk(err), err, "begin %s", path)
	}
	if err = f.reserve(int64(len(b)) + l.o.SegmentSize); err == nil {
		if _, err = f.WriteAt(b, 0); err == nil {
			err = f.sync()
		}
	}
	if err != nil {
		_ = f.Close()
		_ = l.disk.remove(path + suffixNew)
		return nil, 0, hash, fail(kindOfDisk(err), err, "begin %s; nothing was recorded", path)
	}
	if err = l.disk.rename(path+suffixNew, path); err == nil {
		err = l.disk.syncDir(l.dir)
	}
	if err != nil { // the segment is there or not
		_ = f.Close()
		return nil, 0, hash, l.stop(err, "the disk did not confirm the name of a new segment")
	}
	return f, int64(len(b)), [hashSize]byte(b[len(b)-hashSize:]), nil
}
