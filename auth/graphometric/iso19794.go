package graphometric

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// ISO/IEC 19794-7 is the interchange form of signatures as time series. This is
// its full format, first edition (2007, version " 10"), the one that signature
// pads' kits and other programs write.
//
// Where the layout comes from: the text of the standard is sold, and was not at
// hand. Known from the public text of its national adoption GOST R ISO/IEC
// 19794-7-2009: the record header (clauses 7.3.1 to 7.3.3), and the ASN.1 of the
// whole record (annex B.2, the same as in ITU-T X.695): order of the channels,
// channel descriptions, the body with its extended data. The units of the
// orientation channels, and that values are divided by the scaling value, are from
// the text of the second edition's adoption. From a record that a maker of pads
// published, and from how open programs read and write: signed values lie 32768
// higher in the record, the scaling value is (1 + fraction/2048)·2^(exponent-16),
// X and Y are in mm, T and DT in seconds, a constant channel has no values in the
// body and DT is then 1/scaling. Not to be verified without the text: that Y goes
// up (two programs have it so), the directions of TX, TY, Az and El, and what a
// constant channel other than DT has for a value. The second edition (2014,
// version "020") has another header and is refused, not guessed at.

const (
	isoMagic   = "SDI\x00"
	isoVersion = " 10\x00"
	isoMax     = 256 << 10 // bytes; MaxPoints of all channels and the most extended data
)

// The channels, by the bit of the inclusion field that stands for each. In the
// record they are in this order.
const (
	isoX  = 15 - iota
	isoY  // up
	isoZ  // height of the pen
	isoVX // speeds and accelerations
	isoVY
	isoAX
	isoAY
	isoT  // s since the first point
	isoDT // s since the point before
	isoF  // force of the tip
	isoS  // tip switch: 1 touches; one byte, all others two
	isoTX // tilts, degrees
	isoTY
	isoAz // degrees
	isoEl
	isoR // rotation of the pen
)

// isoSigned are the channels with a sign.
const isoSigned = 1<<isoX | 1<<isoY | 1<<isoVX | 1<<isoVY | 1<<isoAX | 1<<isoAY | 1<<isoTX | 1<<isoTY

// isoChannel is a channel's description (7.3.4, annex B.2).
type isoChannel struct {
	number   int
	scale    float64 // 1 if it is not there
	low      float64 // minimum, maximum, mean: NaN if they are not there
	high     float64
	mean     float64
	constant bool // no values in the body
}

// The bits of a description's preamble. For each of the upper five there are two
// bytes in the description.
const (
	isoHasScale = 7 - iota
	isoHasMin
	isoHasMax
	isoHasMean
	isoHasDeviation
	isoConstant
	isoLinear // the linear component was removed
	isoReserved
)

// ReadISO19794 reads a record. The device's class is "file". Channels that a
// [Sample] has no place for (Z, speeds, accelerations, rotation) and extended data
// are passed over. Pressure is F between its minimum and its maximum, or in 65535
// levels if the record does not tell them; the pen touches where S is not 0, or,
// without S, where F is above its minimum. Tilt is from TX and TY, or from Az and
// El.
//
// The error is an [*Error]: TooLarge or Malformed.
func ReadISO19794(r io.Reader) (*Sample, error) {
	b, err := io.ReadAll(io.LimitReader(r, isoMax+1))
	defer clear(b)
	switch {
	case err != nil:
		return nil, &Error{Kind: Failed, Msg: "the record could not be read", Err: err}
	case len(b) > isoMax:
		return nil, tooLarge("the record has more than %d bytes", isoMax)
	case !bytes.HasPrefix(b, []byte(isoMagic)):
		return nil, malformed("this is no record of ISO/IEC 19794-7: it does not begin with SDI")
	case len(b) < 8 || string(b[4:8]) != isoVersion:
		return nil, malformed("this record is not of ISO/IEC 19794-7:2007; other editions are not read")
	}
	in := &isoReader{b: b[8:]}
	s := &Sample{Device: Device{Class: "file"}}
	if err := in.record(s); err != nil {
		s.Wipe()
		return nil, err
	}
	s.Device.Rate, s.Device.Hover = s.rate(), s.hovers()
	return s, nil
}

type isoReader struct {
	b     []byte
	short bool
}

// take is the next n bytes as a number; 0 with short set if there are too few.
func (r *isoReader) take(n int) uint32 {
	if len(r.b) < n {
		r.b, r.short = nil, true
		return 0
	}
	v := uint32(0)
	for _, c := range r.b[:n] {
		v = v<<8 | uint32(c)
	}
	r.b = r.b[n:]
	return v
}

// record reads what follows identifier and version.
func (r *isoReader) record(s *Sample) error {
	included := r.take(2)
	if included&(1<<isoX|1<<isoY) != 1<<isoX|1<<isoY {
		return malformed("the record has no X and Y")
	}
	if included&(1<<isoT|1<<isoDT) == 0 {
		return malformed("the record has no times")
	}
	var channels []isoChannel
	for k := isoX; k >= isoR; k-- {
		if included&(1<<k) == 0 {
			continue
		}
		c, err := r.channel(k)
		if err != nil {
			return err
		}
		channels = append(channels, c)
	}
	if r.take(1) != 0 {
		return malformed("a reserved byte of the header is not 0")
	}
	return r.body(s, channels)
}

func (r *isoReader) channel(number int) (isoChannel, error) {
	c := isoChannel{number: number, scale: 1, low: math.NaN(), high: math.NaN(), mean: math.NaN()}
	preamble := r.take(1)
	has := func(bit int) bool { return preamble&(1<<bit) != 0 }
	if has(isoHasScale) {
		v := r.take(2)
		c.scale = math.Ldexp(1+float64(v&0x7ff)/2048, int(v>>11)-16)
	}
	for _, a := range []struct {
		bit int
		to  *float64
	}{{isoHasMin, &c.low}, {isoHasMax, &c.high}, {isoHasMean, &c.mean}} {
		if has(a.bit) {
			*a.to = c.integer(r.take(2))
		}
	}
	if has(isoHasDeviation) {
		r.take(2)
	}
	c.constant = has(isoConstant)
	switch {
	case r.short:
		return c, malformed("the record ends in its header")
	case has(isoReserved):
		return c, malformed("a channel has a description of a kind that is not known")
	case has(isoLinear) && (number == isoX || number == isoY || number == isoT || number == isoDT):
		return c, malformed("the record's times or coordinates have their linear component removed, which cannot be undone")
	case c.constant && number == isoT:
		return c, malformed("the record's time stands still")
	}
	return c, nil
}

// integer is a value as the record has it, with its sign.
func (c *isoChannel) integer(v uint32) float64 {
	if isoSigned&(1<<c.number) != 0 {
		return float64(v) - 32768
	}
	return float64(v)
}

// fixed is the integer value of a constant channel: what its description tells,
// or 1.
func (c *isoChannel) fixed() float64 {
	for _, v := range []float64{c.mean, c.low, c.high} {
		if !math.IsNaN(v) && c.number != isoDT {
			return v
		}
	}
	return 1
}

// body reads the points and passes over the extended data.
func (r *isoReader) body(s *Sample, channels []isoChannel) error {
	flags, n := r.take(1), int(r.take(3))
	size := 0
	for _, c := range channels {
		size += c.size()
	}
	switch {
	case n > MaxPoints:
		return tooLarge("the record has %d points; %d are allowed", n, MaxPoints)
	case r.short || size*n > len(r.b):
		return malformed("the record ends before its last point")
	case flags&0x7e != 0: // the first bit of the bit map; there are programs that set the last
		return malformed("the record's body is of a kind that is not known")
	case n == 0:
		return malformed("the record has no points")
	}
	s.Points = make([]Point, 0, n)
	m := isoMeaning{s: s}
	for range n {
		var v isoPoint
		for i := range channels {
			c := &channels[i]
			v.has |= 1 << c.number
			if c.constant {
				v.value[c.number] = c.fixed()
			} else {
				v.value[c.number] = c.integer(r.take(c.size()))
			}
		}
		if err := m.add(&v, channels); err != nil {
			return err
		}
	}
	if flags != 0 {
		if left := int(r.take(2)); r.short || left != len(r.b) {
			return malformed("the record's extended data do not have the length that they tell")
		}
	} else if len(r.b) != 0 {
		return malformed("there is more after the record")
	}
	return nil
}

// size is how many bytes of a point are the channel's.
func (c *isoChannel) size() int {
	switch {
	case c.constant:
		return 0
	case c.number == isoS:
		return 1
	}
	return 2
}

// WriteISO19794 writes a sample as a record with the channels X, Y, T, F and S,
// and TX and TY if the device has tilt. Coordinates are taken for 0.01 mm, which
// those of a device that does not know its size are not. Time is kept to 20 µs in
// signatures of up to 1.3 s, to 0.1 ms up to 6.5 s, to a third of a millisecond
// beyond; coordinates to 0.6 µm or more, by their range; pressure to the device's
// levels, or to 65536.
//
// It fails with an [*Error] of kind Unusable if readings are impossible or it took
// longer than [MaxDuration], TooLarge if there are more points than [MaxPoints].
func WriteISO19794(w io.Writer, s *Sample) error {
	if err := s.writable(); err != nil {
		return err
	}
	far, last := 0., 0.
	for i := range s.Points {
		far = max(far, math.Abs(s.Points[i].X), math.Abs(s.Points[i].Y))
		last = float64(s.Points[i].T-s.Points[0].T) / 1e6
	}
	place := 1600. // units in a mm; these and those of time are exact as a scaling value
	for place*far/100 > 32767 {
		place /= 2
	}
	tick := 50000. // units in a second
	for _, slower := range []float64{10000, 3000} {
		if tick*last > 65535 {
			tick = slower
		}
	}
	levels := s.Device.Levels
	if levels < 2 || levels > 65536 {
		levels = 65536
	}
	included := uint16(1<<isoX | 1<<isoY | 1<<isoT | 1<<isoF | 1<<isoS)
	if s.Device.Tilt {
		included |= 1<<isoTX | 1<<isoTY
	}
	b := append([]byte(isoMagic+isoVersion), byte(included>>8), byte(included))
	two := binary.BigEndian.AppendUint16
	b = two(append(b, 1<<isoHasScale), isoScale(place))                     // X
	b = two(append(b, 1<<isoHasScale), isoScale(place))                     // Y
	b = two(append(b, 1<<isoHasScale), isoScale(tick))                      // T
	b = two(two(append(b, 1<<isoHasMin|1<<isoHasMax), 0), uint16(levels-1)) // F
	b = append(b, 0)                                                        // S
	const degree = 256.                                                     // units in one
	if s.Device.Tilt {
		b = two(append(b, 1<<isoHasScale), isoScale(degree)) // TX
		b = two(append(b, 1<<isoHasScale), isoScale(degree)) // TY
	}
	n := len(s.Points)
	b = append(b, 0 /* reserved */, 0 /* no extended data */, byte(n>>16), byte(n>>8), byte(n))
	signed := func(b []byte, v float64) []byte { return two(b, uint16(int(math.Round(v))+32768)) }
	for i := range s.Points {
		p := &s.Points[i]
		b = signed(b, p.X/100*place)
		b = signed(b, -p.Y/100*place)
		b = two(b, uint16(math.Round(float64(p.T-s.Points[0].T)/1e6*tick)))
		b = two(b, uint16(math.Round(p.Pressure*float64(levels-1))))
		if p.Down {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		if s.Device.Tilt {
			b = signed(b, p.TiltX*degree)
			b = signed(b, -p.TiltY*degree)
		}
	}
	defer clear(b)
	if _, err := w.Write(b); err != nil {
		return &Error{Kind: Failed, Msg: "the record could not be written", Err: err}
	}
	return nil
}

// isoScale is the nearest scaling value to v.
func isoScale(v float64) uint16 {
	fraction, exponent := math.Frexp(v) // fraction is 0.5 to 1
	f := math.Round((2*fraction - 1) * 2048)
	if f == 2048 {
		f, exponent = 0, exponent+1
	}
	return uint16(exponent-1+16)<<11 | uint16(f)
}
