package graphometric

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"slices"
)

// What the readers of the forms of files have in common.

func malformed(format string, args ...any) error {
	return &Error{Kind: Malformed, Msg: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &Error{Kind: TooLarge, Msg: fmt.Sprintf(format, args...)}
}

// scanFailed is why a file of lines could not be read further.
func scanFailed(err error) error {
	switch {
	case err == nil:
		return malformed("the file is empty")
	case errors.Is(err, bufio.ErrTooLong):
		return malformed("a line is too long")
	}
	return &Error{Kind: Failed, Msg: "the file could not be read", Err: err}
}

// rate is how many readings a second the device gives: of the intervals between
// readings the median, so that pauses do not count. 0: too few to say.
func (s *Sample) rate() float64 {
	if len(s.Points) < 3 {
		return 0
	}
	d := make([]int64, 0, len(s.Points)-1)
	for i := range s.Points[1:] {
		if dt := s.Points[i+1].T - s.Points[i].T; dt > 0 {
			d = append(d, dt)
		}
	}
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return 1e6 / float64(d[len(d)/2])
}

// hovers says whether the device sees the pen in the air: one reading where the
// pen is lifted is given by any.
func (s *Sample) hovers() bool {
	for i := range s.Points {
		if i > 0 && !s.Points[i].Down && !s.Points[i-1].Down {
			return true
		}
	}
	return false
}

// tiltOf makes of an azimuth (degrees, 0 to the right, growing clockwise as seen
// by the writer) and an altitude (degrees above the surface) the tilts, as W3C
// Pointer Events converts them.
func tiltOf(azimuth, altitude float64) (tiltX, tiltY float64) {
	sin, cos := math.Sincos(azimuth * math.Pi / 180)
	tan := math.Tan(altitude * math.Pi / 180)
	if altitude <= 0 { // the pen lies on the surface
		return 90 * sign(cos), 90 * sign(sin)
	}
	return math.Atan(cos/tan) * 180 / math.Pi, math.Atan(sin/tan) * 180 / math.Pi
}

// anglesOf is the other way round: azimuth 0 to 360, altitude 0 to 90.
func anglesOf(tiltX, tiltY float64) (azimuth, altitude float64) {
	x, y := math.Tan(tiltX*math.Pi/180), math.Tan(tiltY*math.Pi/180)
	azimuth = math.Atan2(y, x) * 180 / math.Pi
	if azimuth < 0 {
		azimuth += 360
	}
	return azimuth, 90 - math.Atan(math.Hypot(x, y))*180/math.Pi
}

// sign is 0 for what is 0 but for rounding.
func sign(v float64) float64 {
	switch {
	case v > 1e-9:
		return 1
	case v < -1e-9:
		return -1
	}
	return 0
}

// writable says whether the sample can be written in a form for others: whether
// its readings are within bounds. It need not be a signature.
func (s *Sample) writable() error {
	switch {
	case len(s.Points) == 0:
		return unusable(TooFewPoints, "the signature is empty")
	case len(s.Points) > MaxPoints:
		return &Error{Kind: TooLarge, Reason: TooManyPoints, Msg: "the signature has too many readings"}
	}
	if err := s.checkReadings(); err != nil {
		return err
	}
	if s.Duration() > MaxDuration {
		return unusable(TooLong, "the signature took too long")
	}
	return nil
}
