package graphometric

import "math"

// isoPoint is a point of a record of ISO/IEC 19794-7: the integer value of each
// channel, by its number.
type isoPoint struct {
	has   uint16
	value [16]float64
}

// isoMeaning makes points of a sample of them.
type isoMeaning struct {
	s    *Sample
	time float64 // s, of the point before
	zero float64 // s, of the first
}

func (m *isoMeaning) add(v *isoPoint, channels []isoChannel) error {
	has := func(c int) bool { return v.has&(1<<c) != 0 }
	var real [16]float64
	var force *isoChannel
	for i := range channels {
		c := &channels[i]
		real[c.number] = v.value[c.number] / c.scale
		if c.number == isoF {
			force = c
		}
	}
	first := len(m.s.Points) == 0
	t := real[isoT]
	if !has(isoT) {
		if t = m.time + real[isoDT]; first {
			t = 0
		}
	}
	if first {
		m.zero = t
	} else if t < m.time {
		return malformed("the record's times do not go forward")
	}
	m.time = t
	p := Point{T: int64(math.Round((t - m.zero) * 1e6)), X: 100 * real[isoX], Y: -100 * real[isoY], Down: true}
	if !within(p.X, -maxReading, maxReading) || !within(p.Y, -maxReading, maxReading) {
		return malformed("a coordinate is out of range")
	}
	if force != nil {
		low, high := 0., 65535.
		if !math.IsNaN(force.low) {
			low = force.low
		}
		if !math.IsNaN(force.high) {
			high = force.high
			m.s.Device.Levels = int(high-low) + 1
		}
		if high <= low {
			return malformed("the greatest force is not above the least")
		}
		p.Pressure = max(0, min(1, (v.value[isoF]-low)/(high-low)))
		p.Down = p.Pressure > 0
	}
	if has(isoS) {
		p.Down = v.value[isoS] != 0
	}
	switch {
	case has(isoTX) && has(isoTY):
		p.TiltX, p.TiltY = real[isoTX], -real[isoTY]
	case has(isoAz) && has(isoEl):
		if !within(real[isoAz], 0, 360) || !within(real[isoEl], 0, 90) {
			return malformed("an angle is out of range")
		}
		p.TiltX, p.TiltY = tiltOf(-real[isoAz], real[isoEl])
	default:
		m.s.Points = append(m.s.Points, p)
		return nil
	}
	if !within(p.TiltX, -90, 90) || !within(p.TiltY, -90, 90) {
		return malformed("an angle is out of range")
	}
	m.s.Device.Tilt = true
	m.s.Points = append(m.s.Points, p)
	return nil
}
