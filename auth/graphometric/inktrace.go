package graphometric

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
)

// inkValue is what the next value of a channel depends on: how values are told,
// and the ones before.
type inkValue struct {
	order     int     // 0 explicit, 1 and 2 differences
	told      float64 // the number that was last told, in that order
	value     float64
	step      float64 // the last difference
	n         int     // values before this one
	available bool
}

// next takes the number v, or the one before again, as the channel's next value.
func (v *inkValue) next(told float64) error {
	if v.n < v.order {
		return malformed("a difference has nothing before it")
	}
	before := v.value
	switch v.order {
	case 0:
		v.value = told
	case 1:
		v.value += told
	case 2:
		v.value += v.step + told
	}
	v.step = 0
	if v.n > 0 {
		v.step = v.value - before
	}
	v.told, v.available = told, true
	v.n++
	if !within(v.value, -1e15, 1e15) {
		return malformed("a value is out of range")
	}
	return nil
}

// trace reads one trace.
func (r *inkReader) trace(t xml.StartElement, f *inkFormat) error {
	if f == nil {
		f = inkDefault
	}
	offset, err := inkAttrNumber(t, "timeOffset", math.NaN())
	if err != nil {
		return err
	}
	duration, err := inkAttrNumber(t, "duration", math.NaN())
	if err != nil {
		return err
	}
	kind := inkAttr(t, "type")
	if kind != "" && kind != "penDown" && kind != "penUp" && kind != "indeterminate" {
		return malformed("a trace is of a type that is not known")
	}
	var text strings.Builder
	for done := false; !done; {
		tok, err := r.d.Token()
		if err != nil {
			return xmlFailed(err)
		}
		switch tok := tok.(type) {
		case xml.CharData:
			text.Write(tok)
		case xml.EndElement:
			done = true
		case xml.Comment:
		default:
			return malformed("there is an element in a trace")
		}
	}
	if strings.TrimSpace(text.String()) == "" {
		return nil
	}
	values := make([]inkValue, len(f.channels))
	first := len(r.s.Points)
	for point := range strings.SplitSeq(text.String(), ",") {
		if len(r.s.Points) == MaxPoints {
			return &Error{Kind: TooLarge, Reason: TooManyPoints, Msg: "the signature has too many readings"}
		}
		if err := inkPoint(point, f, values); err != nil {
			return err
		}
		p, at, err := f.point(values, kind)
		if err != nil {
			return err
		}
		r.s.Points = append(r.s.Points, p)
		if p.T = math.MinInt64; !math.IsNaN(at) {
			if k := f.has["T"]; f.channels[k].relative && !math.IsNaN(offset) {
				at += offset
			}
			if p.T, err = inkTime(at); err != nil {
				return err
			}
		}
		r.s.Points[len(r.s.Points)-1].T = p.T
	}
	if _, tilt := f.has["OTx"]; tilt {
		r.s.Device.Tilt = true
	} else if _, tilt := f.has["OA"]; tilt {
		r.s.Device.Tilt = true
	}
	return r.times(first, offset, duration, f.rate)
}

// inkTime is a time in µs.
func inkTime(ms float64) (int64, error) {
	if !within(ms, -1e15, 1e15) {
		return 0, malformed("a time is out of range")
	}
	return int64(math.Round(ms * 1000)), nil
}

// times gives a trace without T its times, and sees that they go forward. The
// first point of all is at 0.
func (r *inkReader) times(first int, offset, duration, rate float64) error {
	p := r.s.Points
	if p[first].T == math.MinInt64 {
		step := 0.
		switch n := len(p) - first; {
		case math.IsNaN(offset):
			return malformed("there are no times in this ink")
		case n == 1:
		case duration > 0:
			step = duration / float64(n-1)
		case rate > 0:
			step = 1000 / rate
		default:
			return malformed("there are no times in this ink")
		}
		for i := range p[first:] {
			t, err := inkTime(offset + float64(i)*step)
			if err != nil {
				return err
			}
			p[first+i].T = t
		}
	}
	if first == 0 {
		r.zero = p[0].T
	}
	for i := first; i < len(p); i++ {
		p[i].T -= r.zero
		if i > 0 && p[i].T < p[i-1].T || p[i].T < 0 {
			return malformed("the times of the ink do not go forward")
		}
	}
	return nil
}

// inkPoint reads the values of a point: of the regular channels all, of the
// intermittent ones some; the others have none.
func inkPoint(text string, f *inkFormat, values []inkValue) error {
	k := 0
	for i := 0; i < len(text); {
		if inkSpace(text[i]) {
			i++
			continue
		}
		if k == len(values) {
			return malformed("a point has more values than its format")
		}
		v := &values[k]
		if o := strings.IndexByte("!'\"", text[i]); o >= 0 {
			v.order = o
			for i++; i < len(text) && inkSpace(text[i]); i++ {
			}
			if i == len(text) {
				return malformed("a value is missing in a point")
			}
		}
		n, err := v.read(text[i:], f.channels[k].boolean)
		if err != nil {
			return err
		}
		i += n
		k++
	}
	if k < f.regular {
		return malformed("a point has fewer values than its format")
	}
	for ; k < len(values); k++ {
		values[k].available = false
	}
	return nil
}

func inkSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// read reads one value, and says how long it is.
func (v *inkValue) read(text string, boolean bool) (int, error) {
	switch c := text[0]; {
	case c == '*' && v.n > 0:
		return 1, v.next(v.told)
	case c == '?':
		v.available = false
		return 1, nil
	case c == 'T' && boolean:
		return 1, v.next(1)
	case c == 'F' && boolean:
		return 1, v.next(0)
	}
	at, sign := 0, 1.
	if text[0] == '-' {
		for at, sign = 1, -1; at < len(text) && inkSpace(text[at]); at++ {
		}
	}
	n, num, err := inkNumeral(text[at:])
	if err != nil {
		return 0, malformed("a value is no number")
	}
	return at + n, v.next(sign * num)
}

// inkNumeral reads a number without a sign: decimal, double, or hexadecimal after
// a #. It ends where no more of it can follow: a sign begins the next value.
func inkNumeral(text string) (n int, v float64, err error) {
	const most = 40
	if strings.HasPrefix(text, "#") {
		for n = 1; n < min(len(text), most) && strings.IndexByte("0123456789abcdefABCDEF", text[n]) >= 0; n++ {
		}
		u, err := strconv.ParseUint(text[1:n], 16, 32)
		return n, float64(u), err
	}
	for n < min(len(text), most) {
		c := text[n]
		exponent := n > 0 && (c == 'e' || c == 'E') || n > 1 && (c == '-' || c == '+') && (text[n-1] == 'e' || text[n-1] == 'E')
		if (c < '0' || c > '9') && c != '.' && !exponent {
			break
		}
		n++
	}
	v, err = strconv.ParseFloat(text[:n], 64)
	return n, v, err
}

// point is what the values say; the time is NaN if they do not say it.
func (f *inkFormat) point(values []inkValue, kind string) (p Point, at float64, err error) {
	get := func(name string) (float64, bool) {
		k, ok := f.has[name]
		switch {
		case !ok:
			return 0, false
		case !values[k].available:
			return f.channels[k].fallback * f.channels[k].factor, true
		}
		return values[k].value * f.channels[k].factor, true
	}
	if !values[f.has["X"]].available || !values[f.has["Y"]].available {
		return p, 0, malformed("a point has no X or no Y")
	}
	p.X, _ = get("X")
	p.Y, _ = get("Y")
	p.Down = kind != "penUp"
	if v, ok := get("F"); ok {
		c := f.channels[f.has["F"]]
		if !within(v, c.low, c.high) {
			return p, 0, malformed("a force is out of range")
		}
		p.Pressure = (v - c.low) / (c.high - c.low)
		if kind == "indeterminate" {
			p.Down = p.Pressure > 0
		}
	}
	if v, ok := get("S"); ok {
		p.Down = v != 0
	}
	if tx, ok := get("OTx"); ok {
		p.TiltX = tx
		p.TiltY, _ = get("OTy")
	} else if azimuth, ok := get("OA"); ok {
		if altitude, ok := get("OE"); ok && within(altitude, 0, 90) {
			p.TiltX, p.TiltY = tiltOf(azimuth, altitude)
		}
	}
	if !within(p.X, -maxReading, maxReading) || !within(p.Y, -maxReading, maxReading) || !within(p.TiltX, -90, 90) || !within(p.TiltY, -90, 90) {
		return p, 0, malformed("a value is out of range")
	}
	at = math.NaN()
	if k, ok := f.has["T"]; ok {
		if !values[k].available {
			return p, 0, malformed("a point has no time")
		}
		at, _ = get("T")
	}
	return p, at, nil
}
