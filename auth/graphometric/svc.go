package graphometric

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"strconv"
)

// SVC2004 is the form of files in which the data of the First International
// Signature Verification Competition of 2004 were given out, and in which many
// other research sets are kept. It is text: the number of readings on the first
// line, then one line for each, "x y t button" (task 1) or "x y t button azimuth
// altitude pressure" (task 2). All are whole numbers: x and y in units of the
// tablet with y up, t in milliseconds of some clock, button 1 where the pen
// touches, azimuth in tenths of a degree clockwise from the tablet's upper edge,
// altitude in tenths of a degree above the surface, pressure in levels of 1024.

const (
	svcMaxBytes  = 1 << 20
	svcMaxLine   = 200
	svcLevels    = 1024
	svcMaxCoord  = maxReading
	svcMaxClock  = math.MaxInt64 / 4000 // so that microseconds and differences fit
	svcStaleness = 4                    // not more than one reading in so many may be out of time
)

// ReadSVC2004 reads a file of that form. The device's class is "file", its
// coordinates stay in its own units, turned so that y goes down.
//
// Readings that are not later than the one before are left out: two readings of
// one millisecond, and clocks that hop back by a few, are known of this form.
// Where more than a quarter of them is so the file is refused. In many of these
// files button is 0 at the first reading of each stroke, with pressure: the pen
// has come down there. Such a reading is of the pen touching, and one of the pen
// in the air is put before it, at the place and a millisecond after the reading
// before, so that the strokes stay apart. Where the file has no pressure, a reading
// with button 0 that stands alone before one with 1 is taken for such a one.
//
// The error is an [*Error]: TooLarge, or Malformed.
func ReadSVC2004(r io.Reader) (*Sample, error) {
	in := bufio.NewScanner(io.LimitReader(r, svcMaxBytes+1))
	in.Buffer(make([]byte, svcMaxLine), svcMaxLine)
	if !in.Scan() {
		return nil, scanFailed(in.Err())
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(in.Bytes())))
	switch {
	case err != nil || n < 1:
		return nil, malformed("the first line is not the number of readings")
	case n > MaxPoints:
		return nil, tooLarge("the file has %d readings; %d are allowed", n, MaxPoints)
	}
	s := &Sample{Device: Device{Class: "file"}, Points: make([]Point, 0, n)}
	if err := s.readSVCLines(in, n); err != nil {
		s.Wipe()
		return nil, err
	}
	s.Device.Rate = s.rate()
	return s, nil
}

func (s *Sample) readSVCLines(in *bufio.Scanner, n int) error {
	var v [7]int64
	var first int64
	columns, stale := 0, 0
	for i := range n {
		if !in.Scan() {
			if err := in.Err(); err != nil {
				return scanFailed(err)
			}
			return malformed("the file ends after %d readings of %d", i, n)
		}
		c, err := svcColumns(in.Bytes(), &v)
		if err != nil {
			return malformed("line %d is not of whole numbers within range", i+2)
		}
		if i == 0 {
			first, columns = v[2], c
			s.Device.Tilt = c == 7
			if c == 7 {
				s.Device.Levels = svcLevels
			}
		}
		if c != columns || c != 4 && c != 7 {
			return malformed("line %d has %d columns; it should have 4 or 7, as all of the file", i+2, c)
		}
		p, err := svcPoint(&v, first)
		if err != nil {
			return malformed("line %d: %v", i+2, err)
		}
		if s.appendSVC(p, v[3] == 0) {
			stale++
		}
	}
	for in.Scan() {
		if len(bytes.TrimSpace(in.Bytes())) != 0 {
			return malformed("there is more after the %d readings", n)
		}
	}
	if err := in.Err(); err != nil {
		return scanFailed(err)
	}
	if columns == 4 {
		s.landSVC()
	}
	if stale*svcStaleness > n {
		return malformed("the times of the readings do not go forward")
	}
	return nil
}

// landSVC makes of single readings of a pen in the air, where there is no pressure
// to tell, first ones of the strokes that follow.
func (s *Sample) landSVC() {
	all := s.Points
	s.Points = make([]Point, 0, len(all)+len(all)/8)
	for i, p := range all {
		alone := !p.Down && (i == 0 || all[i-1].Down) && i+1 < len(all) && all[i+1].Down
		p.Down = p.Down || alone
		s.appendSVC(p, alone)
	}
	clear(all)
}

// appendSVC appends a reading unless it is not later than the one before, which
// it says. begins: a stroke begins with it.
func (s *Sample) appendSVC(p Point, begins bool) (stale bool) {
	k := len(s.Points)
	if k > 0 && p.T <= s.Points[k-1].T {
		return true
	}
	if k > 0 && begins && p.Down && s.Points[k-1].Down && len(s.Points) < MaxPoints-1 {
		lifted := s.Points[k-1]
		lifted.T, lifted.Pressure, lifted.Down = min(lifted.T+1000, p.T), 0, false
		s.Points = append(s.Points, lifted)
	}
	s.Points = append(s.Points, p)
	return false
}

// svcColumns reads the numbers of a line and says how many there were; unused
// places of v are 0. More than seven are counted, not read.
func svcColumns(line []byte, v *[7]int64) (int, error) {
	*v = [7]int64{}
	n := 0
	for field := range bytes.FieldsSeq(line) {
		if n < len(v) {
			x, err := strconv.ParseInt(string(field), 10, 64)
			if err != nil {
				return 0, err
			}
			v[n] = x
		}
		n++
	}
	return n, nil
}

func svcPoint(v *[7]int64, first int64) (Point, error) {
	x, y, t, button, azimuth, altitude, pressure := v[0], v[1], v[2], v[3], v[4], v[5], v[6]
	switch {
	case x < -svcMaxCoord || x > svcMaxCoord || y < -svcMaxCoord || y > svcMaxCoord:
		return Point{}, malformed("a coordinate is out of range")
	case t < 0 || t > svcMaxClock:
		return Point{}, malformed("a time is out of range")
	case button != 0 && button != 1:
		return Point{}, malformed("the button is neither 0 nor 1")
	case azimuth < 0 || azimuth > 3600 || altitude < 0 || altitude > 900:
		return Point{}, malformed("an angle is out of range")
	case pressure < 0 || pressure >= svcLevels:
		return Point{}, malformed("a pressure is out of range")
	}
	p := Point{
		T: (t - first) * 1000, X: float64(x), Y: float64(-y),
		Pressure: float64(pressure) / (svcLevels - 1), Down: button == 1 || pressure > 0,
	}
	if altitude != 0 {
		p.TiltX, p.TiltY = tiltOf(float64(azimuth)/10-90, float64(altitude)/10)
	}
	return p, nil
}

// WriteSVC2004 writes a sample as a file of task 2. Coordinates are rounded to
// whole units, time to milliseconds, pressure to 1024 levels, angles to tenths of
// a degree.
//
// It fails as [WriteISO19794] does.
func WriteSVC2004(w io.Writer, s *Sample) error {
	if err := s.writable(); err != nil {
		return err
	}
	b := append(strconv.AppendInt(nil, int64(len(s.Points)), 10), '\n')
	for i := range s.Points {
		p := &s.Points[i]
		azimuth, altitude := anglesOf(p.TiltX, p.TiltY)
		button := 0.
		if p.Down {
			button = 1
		}
		for k, v := range [...]float64{p.X, -p.Y, float64(p.T-s.Points[0].T) / 1000, button,
			math.Mod(azimuth*10+900, 3600), altitude * 10, p.Pressure * (svcLevels - 1)} {
			if k > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendInt(b, int64(math.Round(v)), 10)
		}
		b = append(b, '\n')
	}
	defer clear(b)
	if _, err := w.Write(b); err != nil {
		return &Error{Kind: Failed, Msg: "the file could not be written", Err: err}
	}
	return nil
}
