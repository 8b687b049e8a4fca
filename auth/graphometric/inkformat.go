package graphometric

import (
	"encoding/xml"
	"math"
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

// resolution takes note of the scale of a channel's values: 1000 1/in are
// thousandths of an inch. It is known of lengths and times only.
func (f *inkFormat) resolution(t xml.StartElement) error {
	if f == nil || inkAttr(t, "name") != "resolution" {
		return nil
	}
	v, err := inkAttrNumber(t, "value", 0)
	k, ok := f.has[inkAttr(t, "channel")]
	unit, inverse := strings.CutPrefix(inkAttr(t, "units"), "1/")
	factor := inkFactors[unit]
	if err != nil || !ok || unit == "" || unit == "dev" || v <= 0 || factor == 0 {
		return err
	}
	if !within(v, 1e-9, 1e9) {
		return malformed("a resolution is out of range")
	}
	switch c := &f.channels[k]; c.name {
	case "X", "Y", "T":
		if inverse {
			v = 1 / v
		}
		c.factor = math.Copysign(factor*v, c.factor)
	}
	return nil
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
