package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// A file that grows with each batch costs the file system a commit of its own
// journal per sync: half as long again as a sync of bytes in place. So under load
// zeros are written ahead of the batches, by another goroutine, a bit at a time.
// They mean nothing: a segment ends where its batches end.
const (
	aheadStep  = 1 << 20   // bytes of zeros written at once
	aheadDepth = 2 << 20   // how far ahead of the batches
	aheadAfter = 256 << 10 // bytes recorded since opening before it is worth it
)

var nothing [aheadStep]byte

// ahead writes zeros before the writer gets there.
type ahead struct {
	l    *Ledger
	kick chan struct{}
	done chan struct{}

	// mu orders the writes of the two: zeros go only where no batch is.
	mu      sync.Mutex
	path    string // of the segment
	is      inode  // which file that is
	written int64  // end of the batches, the one being written included
	zeroed  int64  // end of the zeros
	limit   int64
	since   int64 // where counting the load began
	busy    bool
	off     bool
}

func newAhead(l *Ledger) *ahead {
	return &ahead{l: l, kick: make(chan struct{}, 1), done: make(chan struct{})}
}

// follow tells of a segment that batches go to from now on.
func (a *ahead) follow(first, at int64, is inode) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.path, a.is = filepath.Join(a.l.dir, segmentName(first)), is
	a.written, a.zeroed, a.limit = at, at, a.l.o.SegmentSize
	a.since = at
	if a.busy {
		a.since -= aheadAfter
	}
	a.busy = true // the next one follows on a segment that was filled
}

// leave says that the segment is full: what is cut off it stays off.
func (a *ahead) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = 0
}

// write writes a batch, keeping zeros away from it.
func (a *ahead) write(f file, b []byte, at int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written = at + int64(len(b))
	_, err := f.WriteAt(b, at)
	if a.wanted() {
		select {
		case a.kick <- struct{}{}:
		default:
		}
	}
	return err
}

// cutBack says that nothing is after a place, zeros included.
func (a *ahead) cutBack(at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written, a.zeroed = at, at
}

func (a *ahead) wanted() bool {
	return !a.off && a.written-a.since >= aheadAfter && a.zeroed < a.written+aheadDepth && max(a.zeroed, a.written) < a.limit
}

func (a *ahead) run() {
	defer close(a.done)
	var f file
	var open string
	defer func() {
		if f != nil {
			_ = f.Close()
		}
	}()
	for range a.kick {
		for {
			a.mu.Lock()
			if !a.wanted() {
				a.mu.Unlock()
				break
			}
			err := a.fill(&f, &open)
			a.mu.Unlock()
			if err == nil {
				// A descriptor of its own: an error of the disk is told once to each,
				// and the writer must hear of it too.
				err = f.sync()
			}
			if errors.Is(err, errMoved) {
				a.l.wake() // the writer looks, and tells
				break
			}
			if err != nil {
				a.mu.Lock()
				a.off = true // without zeros it is slower, that is all
				a.mu.Unlock()
				a.l.tell("full", "no room can be prepared for the ledger; look at the disk", err)
			}
		}
	}
}

// fill writes the next zeros; mu is held.
func (a *ahead) fill(f *file, open *string) error {
	if *open != a.path {
		if *f != nil {
			_ = (*f).Close()
		}
		next, err := a.l.disk.open(a.path, os.O_RDWR)
		*f, *open = next, a.path
		if err != nil {
			*f, *open = nil, ""
			return err
		}
	}
	// Zeros would hide that the file was cut, and spoil one that was put in its place.
	if is, err := (*f).stat(); err != nil || !is.same(a.is) || is.size < a.written {
		return errMoved
	}
	from := max(a.zeroed, a.written)
	n := min(int64(len(nothing)), a.limit-from)
	if _, err := (*f).WriteAt(nothing[:n], from); err != nil {
		return err
	}
	a.zeroed = from + n
	return nil
}

func (a *ahead) stop() {
	a.mu.Lock()
	a.off = true
	a.mu.Unlock()
	close(a.kick)
	<-a.done
}
