package graphometric

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
)

// inkFormat is a trace format of InkML: what the values of a point are.
type inkFormat struct {
	channels []inkChannel
	regular  int     // so many of them are in every point
	rate     float64 // points a second; 0: not told
	has      map[string]int
}

type inkChannel struct {
	name      string
	boolean   bool
	low, high float64 // NaN: not told
	fallback  float64
	factor    float64 // to this package's units
	relative  bool    // T: to the beginning of the trace
}

// inkFactors are the units, in ours: 0.01 mm, ms, degrees, as they come.
var inkFactors = map[string]float64{
	"m": 1e5, "cm": 1000, "mm": 100, "in": 2540, "pt": 2540. / 72, "pc": 2540. / 6, "s": 1000, "ms": 1,
	"rad": 180 / math.Pi, "deg": 1, "": 1, "dev": 1, "px": 1, "N": 1, "g": 1, "%": 1,
}

var inkDefault = &inkFormat{regular: 2, has: map[string]int{"X": 0, "Y": 1}, channels: []inkChannel{
	{name: "X", low: math.NaN(), high: math.NaN(), factor: 1}, {name: "Y", low: math.NaN(), high: math.NaN(), factor: 1},
}}

func (r *inkReader) traceFormat(t xml.StartElement) (*inkFormat, error) {
	f := &inkFormat{has: map[string]int{}}
	intermittent := 0
	for depth := 1; depth > 0; {
		tok, err := r.d.Token()
		if err != nil {
			return nil, xmlFailed(err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			if depth--; t.Name.Local == "intermittentChannels" {
				intermittent--
			}
		case xml.Directive, xml.ProcInst:
			return nil, malformed("a document type or processing instruction is not allowed here")
		case xml.StartElement:
			if t.Name.Space == inkNamespace && t.Name.Local == "intermittentChannels" && depth == 1 {
				depth, intermittent = depth+1, intermittent+1
				continue
			}
			if t.Name.Space == inkNamespace && t.Name.Local == "channel" {
				if err := f.channel(t, intermittent > 0); err != nil {
					return nil, err
				}
			}
			if err := r.skip(); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := f.has["X"]; !ok && len(f.channels) > 0 {
		return nil, malformed("a trace format has no X")
	}
	if len(f.channels) == 0 {
		*f = *inkDefault
		return f, nil
	}
	x, y := f.has["X"], -1
	if k, ok := f.has["Y"]; ok {
		y = k
	}
	if y < 0 || x >= f.regular || y >= f.regular {
		return nil, malformed("X and Y are not in every point")
	}
	return f, nil
}

func (f *inkFormat) channel(t xml.StartElement, intermittent bool) (err error) {
	c := inkChannel{name: inkAttr(t, "name"), boolean: inkAttr(t, "type") == "boolean", relative: inkAttr(t, "respectTo") == ""}
	unit := inkAttr(t, "units")
	factor, ok := inkFactors[unit]
	if _, twice := f.has[c.name]; c.name == "" || len(c.name) > 32 || twice {
		return malformed("a channel has no name of its own")
	}
	switch c.name {
	case "X", "Y", "T", "OTx", "OTy", "OA", "OE":
		if !ok {
			return malformed("the channel %s has a unit that is not known", c.name)
		}
	default:
		factor = 1
	}
	if inkAttr(t, "orientation") == "-ve" {
		factor = -factor
	}
	c.factor = factor
	if c.low, err = inkAttrNumber(t, "min", math.NaN()); err != nil {
		return err
	}
	if c.high, err = inkAttrNumber(t, "max", math.NaN()); err != nil {
		return err
	}
	if c.boolean {
		if inkAttr(t, "default") == "T" || inkAttr(t, "default") == "true" {
			c.fallback = 1
		}
	} else if c.fallback, err = inkAttrNumber(t, "default", 0); err != nil {
		return err
	}
	if c.name == "F" {
		if math.IsNaN(c.low) {
			c.low = 0
		}
		if math.IsNaN(c.high) {
			c.high = 1
			if unit == "%" {
				c.high = 100
			}
		}
		if c.high <= c.low {
			return malformed("the greatest force is not above the least")
		}
	}
	if len(f.channels) == inkChannels {
		return tooLarge("a trace format has more than %d channels", inkChannels)
	}
	f.has[c.name] = len(f.channels)
	f.channels = append(f.channels, c)
	if !intermittent {
		f.regular = len(f.channels)
	}
	return nil
}

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
	n := 0 // a sign begins the next value
	for n < len(text) && n < 40 && (text[n] >= '0' && text[n] <= '9' || text[n] == '.' || n == 0 && text[n] == '-') {
		n++
	}
	num, err := strconv.ParseFloat(text[:n], 64)
	if err != nil {
		return 0, malformed("a value is no decimal number")
	}
	return n, v.next(num)
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
