package graphometric

import (
	"math"
	"time"
)

// The limits of a sample. The time of a comparison grows with the square of the
// number of points, so that this is also the limit of what a flood can cost.
const (
	MaxPoints   = 3000
	MaxDuration = 20 * time.Second
)

// What is the least of a signature.
const (
	minPoints   = 30 // half a second at 60 Hz
	minDuration = 500 * time.Millisecond
	maxReading  = 1e7 // of a coordinate: 100 m in 0.01 mm
)

// Sample is one signature as the pen gave it.
type Sample struct {
	Device Device
	Points []Point
}

// Device is what is known of the tablet.
type Device struct {
	Class  string  // "pointer", "wacom-stu", "file"; a profile is of one class
	Rate   float64 // readings a second, as measured; 0: unknown
	Levels int     // of pressure; 0: unknown
	Hover  bool    // the pen is seen above the surface
	Tilt   bool    // the pen's inclination is known
}

// Point is one reading of the pen.
type Point struct {
	T            int64   // µs since the first point
	X, Y         float64 // right and down, in 0.01 mm, or in the device's own units if these are as long in X as in Y
	Pressure     float64 // 0 to 1
	TiltX, TiltY float64 // degrees, -90 to 90
	Down         bool    // the pen touches
}

// Wipe overwrites the sample.
func (s *Sample) Wipe() {
	if s == nil {
		return
	}
	clear(s.Points[:cap(s.Points)])
	s.Points, s.Device = s.Points[:0], Device{}
}

// Duration is the time from the first point to the last.
func (s *Sample) Duration() time.Duration {
	if len(s.Points) == 0 {
		return 0
	}
	return time.Duration(s.Points[len(s.Points)-1].T-s.Points[0].T) * time.Microsecond
}

func unusable(r Reason, msg string) error { return &Error{Kind: Unusable, Reason: r, Msg: msg} }

// Check says whether the sample can be a signature written with a pen: its
// bounds, its readings, and that it is not of a mouse or a finger, which report
// one pressure all the time. It looks at this sample alone. The error is an
// [*Error] of kind Unusable, with the reason.
func (s *Sample) Check() error {
	switch {
	case len(s.Points) > MaxPoints:
		return unusable(TooManyPoints, "the signature has too many readings: sign again")
	case len(s.Points) < minPoints:
		return unusable(TooFewPoints, "the signature has too few readings: sign again")
	}
	if err := s.checkReadings(); err != nil {
		return err
	}
	switch d := s.Duration(); {
	case d > MaxDuration:
		return unusable(TooLong, "the signature took too long: sign again, without a pause")
	case d < minDuration:
		return unusable(TooShort, "the signature was too short: sign with your whole signature")
	}
	return s.checkPen()
}

// checkReadings refuses what no pen gives.
func (s *Sample) checkReadings() error {
	for i := range s.Points {
		p := &s.Points[i]
		ok := within(p.X, -maxReading, maxReading) && within(p.Y, -maxReading, maxReading) &&
			within(p.Pressure, 0, 1) && within(p.TiltX, -90, 90) && within(p.TiltY, -90, 90)
		if !ok || p.T < 0 || i > 0 && p.T < s.Points[i-1].T {
			return unusable(BadReadings, "the tablet gave impossible readings: look at the tablet")
		}
	}
	return nil
}

// within is false for what is not a number.
func within(v, low, high float64) bool { return v >= low && v <= high }

// checkPen looks at the readings where the pen is down: there must be enough of
// them, they must go somewhere in both directions, and press differently.
func (s *Sample) checkPen() error {
	n := 0
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range s.Points {
		p := &s.Points[i]
		if !p.Down {
			continue
		}
		n++
		minX, maxX = min(minX, p.X), max(maxX, p.X)
		minY, maxY = min(minY, p.Y), max(maxY, p.Y)
		low, high = min(low, p.Pressure), max(high, p.Pressure)
	}
	switch {
	case n < minPoints:
		return unusable(TooFewPoints, "the pen hardly touched: sign again")
	case low == high:
		return unusable(ConstantPressure, "there is no pressure in these readings: use the tablet's pen")
	case maxX-minX <= 0 || maxY-minY <= 0:
		return unusable(TooSimple, "this is a line: sign with your whole signature")
	}
	return nil
}
