package graphometric

import (
	"encoding/binary"
	"math"
	"time"
)

// The binary form of a profile: a head, the samples, and the distances between
// them, which take time to make. Numbers are big endian. What is kept of a
// reading is rounded as here when a sample is taken, so that a profile that was
// written and read again gives the same scores.
const (
	profileMagic   = "SGRP"
	profileVersion = 1
	maxProfile     = 4 << 20 // bytes
	maxClass       = 32      // bytes
	pointSize      = 8 + 4 + 4 + 2 + 2 + 2 + 1
)

// kept is a copy with the precision that is kept.
func (s *Sample) kept() *Sample {
	c := &Sample{Device: s.Device, Points: make([]Point, len(s.Points))}
	for i, p := range s.Points {
		p.X, p.Y = float64(float32(p.X)), float64(float32(p.Y))
		p.Pressure = float64(level(p.Pressure)) / math.MaxUint16
		p.TiltX, p.TiltY = float64(hundredth(p.TiltX))/100, float64(hundredth(p.TiltY))/100
		c.Points[i] = p
	}
	return c
}

func level(p float64) uint16    { return uint16(math.Round(max(0, min(1, p)) * math.MaxUint16)) }
func hundredth(d float64) int16 { return int16(math.Round(max(-90, min(90, d)) * 100)) }

// MarshalBinary writes the profile. It is as secret as the profile: seal it, and
// wipe it.
func (p *Profile) MarshalBinary() ([]byte, error) {
	if p.reference == nil {
		return nil, &Error{Kind: NotReady, Msg: "the profile was wiped"}
	}
	w := writer{b: make([]byte, 0, p.size())}
	w.b = append(w.b, profileMagic...)
	w.u8(profileVersion)
	w.text(Algorithm)
	w.text(p.class)
	w.flag(p.weak)
	for _, v := range p.spread {
		w.f64(v)
	}
	w.u8(len(p.anchors))
	w.u8(len(p.recent))
	w.u8(len(p.past))
	for _, s := range p.anchors {
		w.sample(s)
	}
	for _, e := range p.recent {
		w.i64(e.at.Unix())
		w.sample(e.sample)
	}
	for _, s := range p.past {
		w.sample(s)
	}
	for _, d := range p.reference.pairs {
		w.f64(d)
	}
	return w.b, nil
}

// size is about what the binary form takes.
func (p *Profile) size() int {
	n := 1024
	for _, s := range append(p.current(), p.past...) {
		n += 100 + len(s.Points)*pointSize
	}
	return n
}

type writer struct{ b []byte }

func (w *writer) u8(v int)      { w.b = append(w.b, byte(v)) }
func (w *writer) u16(v uint16)  { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) i64(v int64)   { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }
func (w *writer) f32(v float32) { w.b = binary.BigEndian.AppendUint32(w.b, math.Float32bits(v)) }
func (w *writer) f64(v float64) { w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(v)) }
func (w *writer) text(s string) { w.u8(len(s)); w.b = append(w.b, s...) }
func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) sample(s *Sample) {
	w.f64(s.Device.Rate)
	w.i64(int64(s.Device.Levels))
	w.flag(s.Device.Hover)
	w.flag(s.Device.Tilt)
	w.u16(uint16(len(s.Points)))
	for i := range s.Points {
		p := &s.Points[i]
		w.i64(p.T)
		w.f32(float32(p.X))
		w.f32(float32(p.Y))
		w.u16(level(p.Pressure))
		w.u16(uint16(hundredth(p.TiltX)))
		w.u16(uint16(hundredth(p.TiltY)))
		w.flag(p.Down)
	}
}

// ParseProfile reads a profile. The error is an [*Error]: TooLarge, or Malformed,
// also for a profile of another algorithm. The caller wipes b.
func ParseProfile(b []byte) (*Profile, error) {
	if len(b) > maxProfile {
		return nil, tooLarge("a profile of %d bytes is larger than any; %d are allowed", len(b), maxProfile)
	}
	r := reader{b: b}
	p := &Profile{}
	if !r.profile(p) {
		p.Wipe()
		return nil, malformed("this is not a profile, or one of another version")
	}
	return p, nil
}

// reader takes numbers from the front; bad stays set once something was missing
// or wrong.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() int      { return int(r.take(1)[0]) }
func (r *reader) u16() uint16  { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) i64() int64   { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *reader) f32() float32 { return math.Float32frombits(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) text() string { return string(r.take(min(r.u8(), maxClass))) }
func (r *reader) flag() bool {
	v := r.u8()
	r.need(v <= 1)
	return v == 1
}

// f64 is a number within limits.
func (r *reader) f64(low, high float64) float64 {
	v := math.Float64frombits(binary.BigEndian.Uint64(r.take(8)))
	r.need(within(v, low, high))
	return v
}

func (r *reader) need(ok bool) { r.bad = r.bad || !ok }

func (r *reader) profile(p *Profile) bool {
	r.need(string(r.take(4)) == profileMagic)
	r.need(r.u8() == profileVersion)
	r.need(r.text() == Algorithm)
	p.class = r.text()
	p.weak = r.flag()
	for i := range p.spread {
		p.spread[i] = r.f64(0, 1e3)
	}
	anchors, recent, past := r.u8(), r.u8(), r.u8()
	r.need(anchors >= MinSamples && anchors <= MaxSamples && recent <= maxRecent && past <= maxPast)
	for i := 0; i < anchors && !r.bad; i++ {
		p.anchors = append(p.anchors, r.sample(p.class))
	}
	for i := 0; i < recent && !r.bad; i++ {
		at := time.Unix(r.i64(), 0).UTC()
		p.recent = append(p.recent, entry{r.sample(p.class), at})
	}
	for i := 0; i < past && !r.bad; i++ {
		p.past = append(p.past, r.sample(p.class))
	}
	if r.bad {
		return false
	}
	var sc Scratch
	defer sc.Wipe()
	p.reference = sc.traced(p.current(), &p.spread)
	p.tracePast(&sc)
	for i := range p.reference.pairs {
		p.reference.pairs[i] = r.f64(0, 100)
	}
	r.need(len(r.b) == 0)
	return !r.bad
}

// sample reads one; it must be as one that an enrolment takes.
func (r *reader) sample(class string) *Sample {
	s := &Sample{Device: Device{Class: class, Rate: r.f64(0, 1e6), Levels: int(r.i64()), Hover: r.flag(), Tilt: r.flag()}}
	n := int(r.u16())
	if r.bad || n > MaxPoints || len(r.b) < n*pointSize {
		r.bad = true
		return s
	}
	s.Points = make([]Point, n)
	for i := range s.Points {
		s.Points[i] = Point{T: r.i64(), X: float64(r.f32()), Y: float64(r.f32()), Pressure: float64(r.u16()) / math.MaxUint16,
			TiltX: float64(int16(r.u16())) / 100, TiltY: float64(int16(r.u16())) / 100, Down: r.flag()}
	}
	r.need(s.Check() == nil)
	return s
}
