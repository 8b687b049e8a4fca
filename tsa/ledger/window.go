package ledger

// windowSize is how far behind a unit's highest serial number another may come in.
// Stamps are made one after the other and recorded by many at once, so they arrive
// nearly in order; a unit that starts again goes on at a later block.
const windowSize = 1 << 18

// window remembers which of a unit's latest serial numbers were used.
type window struct {
	floor int64    // not above this: from before the ledger was opened
	max   int64    // the highest used
	time  int64    // GenTime of that
	bits  []uint64 // nil until the first is used: most units are of years ago
	// durable is the highest that is on the disk. max runs ahead of it, and stays
	// ahead when a batch could not be written.
	durable unitState
}

func newWindow(u unitState) *window {
	return &window{floor: u.serial, max: u.serial, time: u.time, durable: u}
}

// recorded says that a serial number is on the disk.
func (w *window) recorded(serial, time int64) {
	if serial > w.durable.serial {
		w.durable = unitState{serial, time}
	}
}

func (w *window) bit(serial int64) (*uint64, uint64) {
	i := uint64(serial) % windowSize
	return &w.bits[i/64], 1 << (i % 64)
}

// take marks a serial number as used and says whether that makes sense: it was not
// used, and the times run with the numbers (RFC 3161 §2.4.2: unique per TSA; the
// clock never goes back within a unit).
func (w *window) take(serial, time int64) Kind {
	if w.bits == nil {
		w.bits = make([]uint64, windowSize/64)
	}
	if serial > w.max {
		if time < w.time {
			return Backwards
		}
		if serial-w.max >= windowSize {
			clear(w.bits)
		} else {
			for s := w.max + 1; s <= serial; s++ {
				word, bit := w.bit(s)
				*word &^= bit
			}
		}
		w.max, w.time = serial, time
	} else if serial <= w.floor || serial <= w.max-windowSize {
		return Repeated
	} else if time > w.time {
		return Backwards
	}
	word, bit := w.bit(serial)
	if *word&bit != 0 {
		return Repeated
	}
	*word |= bit
	return ""
}

// giveBack unmarks a serial number whose entry could not be written.
func (w *window) giveBack(serial int64) {
	if serial > w.floor && serial > w.max-windowSize && w.bits != nil {
		word, bit := w.bit(serial)
		*word &^= bit
	}
}
