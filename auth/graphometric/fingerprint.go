package graphometric

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
)

// Fingerprint is a keyed hash (HMAC-SHA-256) of the readings: time to the
// millisecond, place relative to the first reading in sixteenths of a unit,
// pressure in 1024 levels. It finds the same readings again, also if they were
// moved or came through another form of file, long after the sample itself is
// gone; it says nothing to who does not know the key. It does not find copies
// that were changed: [Profile.Match] does, of those that it has.
func (s *Sample) Fingerprint(key *[32]byte) [32]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte("sigillo signature fingerprint 1"))
	first := true
	var x, y, t float64
	for i := range s.Points {
		p := &s.Points[i]
		if !p.Down { // whether hovering was recorded is the device's affair
			continue
		}
		if first {
			x, y, t, first = p.X, p.Y, float64(p.T), false
		}
		put(h, (float64(p.T)-t)/1000, (p.X-x)*16, (p.Y-y)*16, p.Pressure*1023)
	}
	return [32]byte(h.Sum(nil))
}

func put(h hash.Hash, values ...float64) {
	var b [32]byte
	for i, v := range values {
		binary.BigEndian.PutUint64(b[8*i:], uint64(int64(math.Round(v))))
	}
	h.Write(b[:8*len(values)])
}
