package graphometric

import (
	"bytes"
	"math"
	"strconv"
)

// The capture page sends a signature as JSON:
//
//	{"device":{"class":"pointer","hover":true,"tilt":true},
//	 "points":[[t,x,y,pressure,tiltX,tiltY,down],…]}
//
// t is in milliseconds of any clock, with fractions; x and y as in [Point];
// pressure 0 to 1; the tilts in degrees; down is 0 or 1. It is read here by a
// small reader of its own, which leaves no second copy of the signature behind in
// memory as encoding/json would, and stops at the first reading too many.

const (
	maxCapture      = 512 << 10 // bytes; MaxPoints readings of the page have 200 kB
	maxCaptureClass = 32        // bytes of the device's class
	maxCaptureClock = 1e15      // of t: 30,000 years
	maxCaptureBack  = 10_000    // µs that a reading may be older than the one before
)

// ParseCapture reads what the capture page sent. Nothing may be missing and
// nothing more may be there.
//
// Browsers round the times of their events: readings of the same time are kept
// as they are, one that is up to 10 ms older than the one before gets its time,
// and one that is older still is refused. The sample's rate is measured here; its
// other properties are for [Sample.Check] to judge.
//
// The error is an [*Error]: TooLarge for too many bytes or readings (with the
// reason TooManyPoints), Unusable with BadReadings for values that no pen gives,
// Malformed for the rest. The caller wipes b.
func ParseCapture(b []byte) (*Sample, error) {
	if len(b) > maxCapture {
		return nil, tooLarge("the capture has %d bytes; %d are allowed", len(b), maxCapture)
	}
	s := &Sample{}
	r := capture{b: b}
	if err := r.read(s); err != nil {
		s.Wipe()
		return nil, err
	}
	s.Device.Rate = s.rate()
	return s, nil
}

// capture is the reader: what is left, and whether it went wrong.
type capture struct {
	b []byte
	i int
}

func (r *capture) read(s *Sample) error {
	seen := map[string]bool{}
	err := r.object(seen, func(name string) error {
		switch name {
		case "device":
			return r.device(&s.Device)
		case "points":
			return r.points(s)
		}
		return errCapture
	})
	if err != nil {
		return err
	}
	r.space()
	if r.i != len(r.b) || !seen["device"] || !seen["points"] {
		return errCapture
	}
	if len(s.Points) == 0 {
		return unusable(TooFewPoints, "the signature is empty: sign again")
	}
	return nil
}

var errCapture = malformed("this is not the JSON that the capture page sends")

func (r *capture) device(d *Device) error {
	seen := map[string]bool{}
	err := r.object(seen, func(name string) (err error) {
		switch name {
		case "class":
			d.Class, err = r.name()
		case "hover":
			d.Hover, err = r.boolean()
		case "tilt":
			d.Tilt, err = r.boolean()
		default:
			err = errCapture
		}
		return err
	})
	if err == nil && len(seen) != 3 {
		err = errCapture
	}
	return err
}

func (r *capture) points(s *Sample) error {
	if !r.take('[') {
		return errCapture
	}
	if r.take(']') {
		return nil
	}
	// A reading has 14 bytes at least: no more memory than what was sent can fill.
	s.Points = make([]Point, 0, min(MaxPoints, (len(r.b)-r.i)/14+1))
	var first float64
	for {
		if len(s.Points) == MaxPoints {
			return &Error{Kind: TooLarge, Reason: TooManyPoints, Msg: "the signature has too many readings: sign again"}
		}
		var v [7]float64
		if err := r.reading(&v); err != nil {
			return err
		}
		if len(s.Points) == 0 {
			first = v[0]
		}
		p, ok := capturePoint(&v, first)
		if n := len(s.Points); ok && n > 0 {
			ok = p.T >= s.Points[n-1].T-maxCaptureBack
			p.T = max(p.T, s.Points[n-1].T)
		}
		if !ok {
			return unusable(BadReadings, "the tablet gave impossible readings: look at the tablet")
		}
		s.Points = append(s.Points, p)
		if r.take(']') {
			return nil
		}
		if !r.take(',') {
			return errCapture
		}
	}
}

// capturePoint makes a point of the seven numbers of a reading; false: no pen
// gives these.
func capturePoint(v *[7]float64, first float64) (Point, bool) {
	p := Point{X: v[1], Y: v[2], Pressure: v[3], TiltX: v[4], TiltY: v[5], Down: v[6] == 1}
	ok := within(v[0], 0, maxCaptureClock) && within(p.X, -maxReading, maxReading) && within(p.Y, -maxReading, maxReading) &&
		within(p.Pressure, 0, 1) && within(p.TiltX, -90, 90) && within(p.TiltY, -90, 90) && (v[6] == 0 || v[6] == 1)
	if ok {
		p.T = int64(math.Round((v[0] - first) * 1000))
	}
	return p, ok
}

func (r *capture) reading(v *[7]float64) (err error) {
	if !r.take('[') {
		return errCapture
	}
	for k := range v {
		if k > 0 && !r.take(',') {
			return errCapture
		}
		if v[k], err = r.number(); err != nil {
			return err
		}
	}
	if !r.take(']') {
		return errCapture
	}
	return nil
}

// object reads an object and has member read each value. No name may be there
// twice.
func (r *capture) object(seen map[string]bool, member func(name string) error) error {
	if !r.take('{') {
		return errCapture
	}
	for first := true; !r.take('}'); first = false {
		if !first && !r.take(',') {
			return errCapture
		}
		name, err := r.name()
		if err != nil || seen[name] || !r.take(':') {
			return errCapture
		}
		seen[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	return nil
}

// name reads a string of small letters, digits and hyphens: there are no others.
func (r *capture) name() (string, error) {
	if !r.take('"') {
		return "", errCapture
	}
	n := bytes.IndexByte(r.b[r.i:], '"')
	if n < 1 || n > maxCaptureClass {
		return "", errCapture
	}
	s := string(r.b[r.i : r.i+n])
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", errCapture
		}
	}
	r.i += n + 1
	return s, nil
}

func (r *capture) boolean() (bool, error) {
	r.space()
	for word, v := range map[string]bool{"true": true, "false": false} {
		if bytes.HasPrefix(r.b[r.i:], []byte(word)) {
			r.i += len(word)
			return v, nil
		}
	}
	return false, errCapture
}

// take takes the character c if it comes next.
func (r *capture) take(c byte) bool {
	r.space()
	if r.i >= len(r.b) || r.b[r.i] != c {
		return false
	}
	r.i++
	return true
}

func (r *capture) space() {
	for r.i < len(r.b) && (r.b[r.i] == ' ' || r.b[r.i] == '\n' || r.b[r.i] == '\r' || r.b[r.i] == '\t') {
		r.i++
	}
}

// number reads a number of JSON (RFC 8259 section 6). Its first 18 digits count,
// and the last of them may come out one off, which is far below what a tablet
// measures; a number that does not fit in a float64 is none.
func (r *capture) number() (float64, error) {
	r.space()
	negative := r.next('-')
	var mantissa uint64
	exponent := 0
	switch n := r.digits(&mantissa, &exponent); {
	case n == 0, n > 1 && r.b[r.i-n] == '0':
		return 0, errCapture
	}
	if r.next('.') {
		n := r.digits(&mantissa, &exponent)
		if n == 0 {
			return 0, errCapture
		}
		exponent -= n
	}
	if r.next('e') || r.next('E') {
		var e uint64
		over, sign := 0, 1
		if r.next('-') {
			sign = -1
		} else {
			r.next('+')
		}
		if r.digits(&e, &over) == 0 || over > 0 || e > 400 {
			return 0, errCapture
		}
		exponent += sign * int(e)
	}
	v := float64(mantissa)
	switch {
	case v == 0:
	case exponent < 0: // not times a negative power: 0.3 is to be 0.3
		v /= math.Pow10(-exponent)
	default:
		v *= math.Pow10(exponent)
	}
	if math.IsInf(v, 0) {
		return 0, errCapture
	}
	if negative {
		v = -v
	}
	return v, nil
}

// digits reads digits on to the end of m, and says how many there were. Those
// for which m has no place are counted in left.
func (r *capture) digits(m *uint64, left *int) (n int) {
	for ; r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9'; r.i++ {
		if *m < 1e17 {
			*m = *m*10 + uint64(r.b[r.i]-'0')
		} else {
			*left++
		}
		n++
	}
	return n
}

// next takes the character c if it is the very next.
func (r *capture) next(c byte) bool {
	if r.i >= len(r.b) || r.b[r.i] != c {
		return false
	}
	r.i++
	return true
}

// AppendCapture appends to b what the capture page would send of s: for tests,
// and for tools that play a tablet's part.
func AppendCapture(b []byte, s *Sample) []byte {
	b = append(b, `{"device":{"class":"`...)
	b = append(b, s.Device.Class...)
	b = append(b, `","hover":`...)
	b = strconv.AppendBool(b, s.Device.Hover)
	b = append(b, `,"tilt":`...)
	b = strconv.AppendBool(b, s.Device.Tilt)
	b = append(b, `},"points":[`...)
	for i := range s.Points {
		p := &s.Points[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(append(b, '['), float64(p.T)/1000, 'f', -1, 64)
		for _, v := range [...]float64{p.X, p.Y, p.Pressure, p.TiltX, p.TiltY} {
			b = strconv.AppendFloat(append(b, ','), v, 'f', -1, 64)
		}
		if p.Down {
			b = append(b, ",1]"...)
		} else {
			b = append(b, ",0]"...)
		}
	}
	return append(b, "]}"...)
}
