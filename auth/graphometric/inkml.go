package graphometric

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// InkML (Ink Markup Language, W3C Recommendation of 20 September 2011) is for
// looking at a signature with other programs, and for what these have to give.

const (
	inkNamespace = "http://www.w3.org/2003/InkML"
	inkMax       = 2 << 20 // bytes
	inkDepth     = 16      // of elements
	inkChannels  = 32      // of a trace format
	inkFormats   = 64
)

// WriteInkML writes a sample: one trace for each time that the pen touches, or is
// in the air; X and Y in mm with y down, as InkML has it (0.01 mm taken for the
// sample's unit), T in ms since the first point, F from 0 to 1, OTx and OTy in
// degrees if the device has tilt.
//
// It fails as [WriteISO19794] does.
func WriteInkML(w io.Writer, s *Sample) error {
	if err := s.writable(); err != nil {
		return err
	}
	b := append([]byte(nil), xml.Header...)
	b = append(b, `<ink xmlns="`+inkNamespace+`">
<definitions>
<timestamp xml:id="start"/>
<context xml:id="pen">
<inkSource xml:id="device">
<traceFormat xml:id="format">
<channel name="X" type="decimal" units="mm"/>
<channel name="Y" type="decimal" units="mm"/>
<channel name="F" type="decimal" min="0" max="1" units="dev"/>
<channel name="T" type="decimal" units="ms" respectTo="#start"/>
`...)
	if s.Device.Tilt {
		b = append(b, `<channel name="OTx" type="decimal" min="-90" max="90" units="deg"/>
<channel name="OTy" type="decimal" min="-90" max="90" units="deg"/>
`...)
	}
	b = append(b, "</traceFormat>\n"...)
	if r := s.Device.Rate; r > 0 && !math.IsInf(r, 0) {
		b = fmt.Appendf(b, "<sampleRate uniform=\"false\" value=%q/>\n", strconv.FormatFloat(r, 'f', -1, 64))
	}
	b = append(b, "</inkSource>\n</context>\n</definitions>\n"...)
	for i := range s.Points {
		p := &s.Points[i]
		t := float64(p.T-s.Points[0].T) / 1000
		switch {
		case i > 0 && p.Down == s.Points[i-1].Down:
			b = append(b, ",\n"...)
		default:
			if i > 0 {
				b = append(b, "</trace>\n"...)
			}
			kind := "penUp"
			if p.Down {
				kind = "penDown"
			}
			b = fmt.Appendf(b, "<trace contextRef=\"#pen\" type=%q timeOffset=\"", kind)
			b = append(inkNumber(b, t), "\">\n"...)
		}
		b = inkNumber(b, p.X/100)
		b = inkNumber(append(b, ' '), p.Y/100)
		b = inkNumber(append(b, ' '), p.Pressure)
		b = inkNumber(append(b, ' '), t)
		if s.Device.Tilt {
			b = inkNumber(append(b, ' '), p.TiltX)
			b = inkNumber(append(b, ' '), p.TiltY)
		}
	}
	b = append(b, "</trace>\n</ink>\n"...)
	defer clear(b)
	if _, err := w.Write(b); err != nil {
		return &Error{Kind: Failed, Msg: "the file could not be written", Err: err}
	}
	return nil
}

// inkNumber writes a number to six decimals.
func inkNumber(b []byte, v float64) []byte {
	return strconv.AppendFloat(b, math.Round(v*1e6)/1e6+0, 'f', -1, 64)
}

// ReadInkML reads a file of ink as one signature: its traces in their order. What
// is read: trace formats with regular and intermittent channels, in contexts, ink
// sources or alone; values explicit, as first and second differences, repeated and
// not reported; traces with the pen down or up. A document type is refused, as are
// references that lead nowhere. Brushes, canvases, mappings, annotations, views and
// elements of others are passed over; mappings do not change the values.
//
// Time comes from the channel T, which counts from the trace's timeOffset unless
// it is said (respectTo) to what else; without T from timeOffset with the trace's
// duration or the source's sample rate; without any of these the file is refused.
// F goes from the channel's min, or 0, to its max, or 1 (100 if the unit is %).
// Angles go from X towards Y, and are in degrees unless another unit is told. The
// device's class is "file".
//
// The error is an [*Error]: TooLarge or Malformed.
func ReadInkML(r io.Reader) (*Sample, error) {
	limited := &io.LimitedReader{R: r, N: inkMax + 1}
	in := &inkReader{d: xml.NewDecoder(limited), s: &Sample{Device: Device{Class: "file"}}, formats: map[string]*inkFormat{}}
	err := in.document()
	if err == nil && len(in.s.Points) == 0 {
		err = malformed("there are no points in this ink")
	}
	if limited.N <= 0 {
		err = tooLarge("the file has more than %d bytes", inkMax)
	}
	if err != nil {
		in.s.Wipe()
		return nil, err
	}
	in.s.Device.Rate, in.s.Device.Hover = in.s.rate(), in.s.hovers()
	return in.s, nil
}

// inkReader walks through the elements.
type inkReader struct {
	d       *xml.Decoder
	s       *Sample
	formats map[string]*inkFormat // by the id of a trace format, an ink source or a context
	current *inkFormat            // of a trace without a context
	depth   int
	zero    int64 // µs: the time of the first point of all
}

// xmlFailed is why the XML could not be read.
func xmlFailed(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return malformed("this is no well-formed XML: line %d", syntax.Line)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("the XML is not complete")
	}
	return &Error{Kind: Failed, Msg: "the file could not be read", Err: err}
}

// document reads the root.
func (r *inkReader) document() error {
	root := false
	for {
		t, err := r.d.Token()
		if err == io.EOF && root {
			return nil
		}
		if err != nil {
			return xmlFailed(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if root || t.Name != (xml.Name{Space: inkNamespace, Local: "ink"}) {
				return malformed("this is no InkML: the root element is not ink")
			}
			root = true
			if err := r.children("ink", &inkPlace{}); err != nil {
				return err
			}
		case xml.Directive:
			return malformed("a document type is not allowed here")
		case xml.ProcInst:
			if t.Target != "xml" || root {
				return malformed("a processing instruction is not allowed here")
			}
		}
	}
}

// inkPlace is where in the file an element is.
type inkPlace struct {
	ids     []string   // of the contexts and sources around it
	defines bool       // within definitions: nothing becomes current
	format  *inkFormat // of the trace groups around it; nil: current
	last    *inkFormat // the trace format that was last read here
}

// children reads what is in an element up to its end.
func (r *inkReader) children(name string, at *inkPlace) error {
	if r.depth++; r.depth > inkDepth {
		return malformed("the elements are nested too deeply")
	}
	defer func() { r.depth-- }()
	for {
		t, err := r.d.Token()
		if err != nil {
			return xmlFailed(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.Directive, xml.ProcInst:
			return malformed("a document type or processing instruction is not allowed here")
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return malformed("there is text in the element %s", name)
			}
		case xml.StartElement:
			if err := r.element(t, at); err != nil {
				return err
			}
		}
	}
}

// element reads one element of those that matter, and passes over others.
func (r *inkReader) element(t xml.StartElement, at *inkPlace) error {
	if t.Name.Space != inkNamespace {
		return r.skip()
	}
	switch t.Name.Local {
	case "definitions":
		return r.children("definitions", &inkPlace{defines: true})
	case "context", "inkSource":
		return r.context(t, at)
	case "traceFormat":
		f, err := r.traceFormat(t)
		if err != nil {
			return err
		}
		at.last = f
		return r.define(f, append(at.ids, inkID(t)), at)
	case "sampleRate":
		v, err := inkAttrNumber(t, "value", math.NaN())
		if err != nil || at.last == nil {
			return err
		}
		if v > 0 {
			at.last.rate = v
		}
	case "channelProperties":
		return r.children("channelProperties", at)
	case "channelProperty":
		if err := at.last.resolution(t); err != nil {
			return err
		}
	case "traceGroup":
		inner := *at
		if err := r.refer(t, "contextRef", &inner.format); err != nil {
			return err
		}
		return r.children("traceGroup", &inner)
	case "trace":
		f := at.format
		if f == nil {
			f = r.current
		}
		if err := r.refer(t, "contextRef", &f); err != nil {
			return err
		}
		if at.defines {
			return r.skip() // shown only where a view refers to it
		}
		return r.trace(t, f)
	}
	return r.skip()
}

// context reads a context or an ink source.
func (r *inkReader) context(t xml.StartElement, at *inkPlace) error {
	inner := &inkPlace{ids: append(append([]string(nil), at.ids...), inkID(t)), defines: at.defines}
	for _, ref := range []string{"contextRef", "inkSourceRef", "traceFormatRef"} {
		var f *inkFormat
		if err := r.refer(t, ref, &f); err != nil {
			return err
		}
		if f != nil {
			inner.last = f
			if err := r.define(f, inner.ids, at); err != nil {
				return err
			}
		}
	}
	err := r.children(t.Name.Local, inner)
	if inner.last != nil {
		at.last = inner.last
	}
	return err
}

// define keeps a format under these ids, and as the current one if it stands
// outside of definitions.
func (r *inkReader) define(f *inkFormat, ids []string, at *inkPlace) error {
	for _, id := range ids {
		if id != "" {
			r.formats[id] = f
		}
	}
	if len(r.formats) > inkFormats {
		return tooLarge("there are more than %d contexts", inkFormats)
	}
	if !at.defines {
		r.current = f
	}
	return nil
}

// refer sets f to what an attribute refers to, if it is there.
func (r *inkReader) refer(t xml.StartElement, attr string, f **inkFormat) error {
	ref := inkAttr(t, attr)
	if ref == "" {
		return nil
	}
	to, ok := r.formats[strings.TrimPrefix(ref, "#")]
	if !ok && ref != "#DefaultContext" && ref != "#DefaultTraceFormat" {
		return malformed("%s refers to %.40q, which is not in the file before it", attr, ref)
	}
	*f = to
	return nil
}

// skip passes over the element that was begun.
func (r *inkReader) skip() error {
	for depth := r.depth; ; {
		t, err := r.d.Token()
		if err != nil {
			return xmlFailed(err)
		}
		switch t.(type) {
		case xml.StartElement:
			if depth++; depth > 4*inkDepth {
				return malformed("the elements are nested too deeply")
			}
		case xml.EndElement:
			if depth--; depth < r.depth {
				return nil
			}
		case xml.Directive, xml.ProcInst:
			return malformed("a document type or processing instruction is not allowed here")
		}
	}
}

func inkAttr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// inkID is the element's xml:id.
func inkID(t xml.StartElement) string {
	for _, a := range t.Attr {
		if a.Name.Local == "id" && (a.Name.Space == "http://www.w3.org/XML/1998/namespace" || a.Name.Space == "xml") {
			return a.Value
		}
	}
	return ""
}

// inkAttrNumber is an attribute's number; other if it is not there.
func inkAttrNumber(t xml.StartElement, name string, other float64) (float64, error) {
	s := inkAttr(t, name)
	if s == "" {
		return other, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || math.Abs(v) > 1e15 {
		return 0, malformed("the attribute %s is no number", name)
	}
	return v, nil
}
