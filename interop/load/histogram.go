package load

import (
	"math/bits"
	"time"
)

// histogram counts durations to within 0.8 %, from a nanosecond to hours, in
// 64 KB however many there are.
type histogram struct {
	counts [58 * fine]uint32
	n      uint64
	max    time.Duration
}

const (
	fineBits = 7
	fine     = 1 << fineBits // steps from one power of two to the next
)

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[place(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// place is d itself below fine, and then fine places for each power of two.
func place(d uint64) int {
	shift := max(0, bits.Len64(d)-fineBits-1)
	return min(shift*fine+int(d>>shift), 58*fine-1)
}

// value is the least duration at a place.
func value(p int) time.Duration {
	if p < 2*fine {
		return time.Duration(p)
	}
	shift := p/fine - 1
	return time.Duration(uint64(p-shift*fine) << shift)
}

// at gives the duration that the part q of all, between 0 and 1, did not exceed.
func (h *histogram) at(q float64) time.Duration {
	want := uint64(q*float64(h.n) + 0.999999)
	var seen uint64
	for p, n := range h.counts {
		if seen += uint64(n); n > 0 && seen >= want {
			return min(value(p+1), h.max)
		}
	}
	return h.max
}
