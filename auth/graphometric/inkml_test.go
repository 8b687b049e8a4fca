package graphometric

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

const inkHead = `<ink xmlns="http://www.w3.org/2003/InkML">`

// inkOf is a file with a trace format of these channels and these traces.
func inkOf(channels, traces string) string {
	return inkHead + "<traceFormat>" + channels + "</traceFormat>" + traces + "</ink>"
}

const inkXYT = `<channel name="X" units="mm"/><channel name="Y" units="mm"/><channel name="T" units="ms"/>`

func TestReadInkML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []Point
	}{
		"plain": {inkOf(inkXYT, `<trace>1 2 0, 1.5 -2 5</trace>`),
			[]Point{{X: 100, Y: 200, Down: true}, {T: 5000, X: 150, Y: -200, Down: true}}},
		// The example of the recommendation's clause on traces, with a time.
		"differences": {inkHead + `<trace timeOffset="100" duration="50">1125 18432, '23 '43, "7"-8, 3-5, 7 -3, 6 2</trace></ink>`,
			[]Point{{X: 1125, Y: 18432, Down: true}, {T: 10000, X: 1148, Y: 18475, Down: true}, {T: 20000, X: 1178, Y: 18510, Down: true},
				{T: 30000, X: 1211, Y: 18540, Down: true}, {T: 40000, X: 1251, Y: 18567, Down: true}, {T: 50000, X: 1297, Y: 18596, Down: true}}},
		"explicit again": {inkOf(inkXYT, "<trace>1 1 0, '1 '1 '4, ! 5 ! 6 *\n, * .5 4</trace>"),
			[]Point{{X: 100, Y: 100, Down: true}, {T: 4000, X: 200, Y: 200, Down: true}, {T: 8000, X: 500, Y: 600, Down: true}, {T: 12000, X: 500, Y: 50, Down: true}}},
		"traces": {inkOf(inkXYT, `<trace type="penUp" timeOffset="10">1 1 0</trace><trace type="penDown" timeOffset="15">2 2 0,2 2 3</trace>`),
			[]Point{{X: 100, Y: 100}, {T: 5000, X: 200, Y: 200, Down: true}, {T: 8000, X: 200, Y: 200, Down: true}}},
		"one clock": {inkOf(strings.Replace(inkXYT, `"ms"`, `"s" respectTo="#x"`, 1), `<trace timeOffset="0">1 1 5</trace><trace timeOffset="99">2 2 5.5</trace>`),
			[]Point{{X: 100, Y: 100, Down: true}, {T: 500_000, X: 200, Y: 200, Down: true}}},
		"force, switch and tilt": {inkOf(`<channel name="T"/><channel name="X" units="in"/><channel name="Y" orientation="-ve"/>
			<channel name="F" type="integer" min="100" max="300"><mapping type="identity"/></channel><channel name="B1" type="boolean"/><channel name="OTx" units="rad"/>
			<channel name="OTy"/><intermittentChannels><channel name="S" type="boolean" default="T"/><channel name="Q" units="furlong"/></intermittentChannels>`,
			`<annotation>who</annotation><trace>0 1 1 200 T 0 5 F 7,1 1 1 300F1 0,2 1 1 100 T 1 ? T</trace>`),
			[]Point{{X: 2540, Y: -1, Pressure: .5, TiltY: 5}, {T: 1000, X: 2540, Y: -1, Pressure: 1, TiltX: 57.29577951308232, Down: true},
				{T: 2000, X: 2540, Y: -1, TiltX: 57.29577951308232, Down: true}}},
		"azimuth": {inkOf(`<channel name="X"/><channel name="Y"/><channel name="T"/><channel name="OA"/><channel name="OE"/><channel name="F" units="%"/>`,
			`<trace type="indeterminate">0 0 0 90 45 50, 0 0 1 0 90 0</trace>`),
			[]Point{{TiltY: 45, Pressure: .5, Down: true}, {T: 1000}}},
		"numbers": {inkOf(inkXYT, `<trace>1e1-2.5E-1 0,- 1#a 3</trace>`),
			[]Point{{X: 1000, Y: -25, Down: true}, {T: 3000, X: -100, Y: 1000, Down: true}}},
		"resolution": {inkHead + `<context><inkSource><traceFormat><channel name="X" type="integer" units="cm"/><channel name="Y" type="integer" units="cm" orientation="-ve"/>
			<channel name="T" units="dev"/></traceFormat><channelProperties><channelProperty channel="X" name="resolution" value="400" units="1/cm"/>
			<channelProperty channel="Y" name="resolution" value="0.005" units="cm"/><channelProperty channel="T" name="resolution" value="10000" units="1/s"/>
			<channelProperty channel="T" name="latency" value="5" units="s"/><channelProperty channel="F" name="resolution" value="0" units="1/dev"/></channelProperties></inkSource></context>
			<trace>400 200 0, 800 200 50</trace></ink>`,
			[]Point{{X: 1000, Y: -1000, Down: true}, {T: 5000, X: 2000, Y: -1000, Down: true}}},
		"contexts": {`<?xml version="1.0" encoding="UTF-8"?><!-- ink --><i:ink xmlns:i="http://www.w3.org/2003/InkML" xmlns="urn:x"><other><a/></other><i:definitions>
			<i:brush xml:id="b"/><i:context xml:id="a"><i:inkSource xml:id="s"><i:traceFormat xml:id="f"><i:channel name="Y"/><i:channel name="X"/></i:traceFormat>
			<i:sampleRate uniform="true" value="200"/></i:inkSource></i:context><i:context xml:id="c" inkSourceRef="#s" brushRef="#b"/>
			<i:trace xml:id="t">nothing to see</i:trace></i:definitions>
			<i:traceGroup contextRef="#c"><i:trace timeOffset="0">1 2,3 4</i:trace></i:traceGroup><i:trace contextRef="#f" timeOffset="5">5 6</i:trace></i:ink>`,
			[]Point{{X: 2, Y: 1, Down: true}, {T: 5000, X: 4, Y: 3, Down: true}, {T: 5000, X: 6, Y: 5, Down: true}}},
	} {
		s, err := ReadInkML(strings.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(s.Points) != len(c.want) {
			t.Errorf("%s: %d points: %+v", name, len(s.Points), s.Points)
			continue
		}
		for i, p := range s.Points {
			if !nearly(p, c.want[i], 1e-9, 1e-9) {
				t.Errorf("%s: point %d is %+v, want %+v", name, i, p, c.want[i])
			}
		}
		if s.Device.Class != "file" {
			t.Errorf("%s: device %+v", name, s.Device)
		}
	}
}

func TestReadInkMLRefuses(t *testing.T) {
	t.Parallel()
	trace := func(s string) string { return inkOf(inkXYT, "<trace>"+s+"</trace>") }
	for name, c := range map[string]struct {
		in   string
		want Kind
	}{
		"empty":            {"", Malformed},
		"other XML":        {"<html/>", Malformed},
		"no namespace":     {"<ink><trace>1 2</trace></ink>", Malformed},
		"no traces":        {inkHead + "</ink>", Malformed},
		"empty trace":      {trace(" "), Malformed},
		"not closed":       {inkHead + "<trace>1 2", Malformed},
		"document type":    {`<!DOCTYPE ink [<!ENTITY a "1">]>` + trace("1 2 3"), Malformed},
		"entity":           {trace("&a; 2 3"), Malformed},
		"type inside":      {inkHead + `<!DOCTYPE ink>` + `</ink>`, Malformed},
		"instruction":      {`<?xml-stylesheet href="x"?>` + trace("1 2 3"), Malformed},
		"two roots":        {trace("1 2 3") + trace("1 2 3"), Malformed},
		"charset":          {`<?xml version="1.0" encoding="UTF-16"?>` + trace("1 2 3"), Failed},
		"text":             {inkHead + `x<trace>1 2</trace></ink>`, Malformed},
		"element in trace": {trace("1 2 <b/>3"), Malformed},
		"few values":       {trace("1 2"), Malformed},
		"many values":      {trace("1 2 3 4"), Malformed},
		"comma at end":     {trace("1 2 3,"), Malformed},
		"word":             {trace("1 2 x"), Malformed},
		"NaN":              {trace("1 2 NaN"), Malformed},
		"exponent":         {trace("1 2 1e"), Malformed},
		"large exponent":   {trace("1 2 1e999"), Malformed},
		"hexadecimal":      {trace("1 2 #"), Malformed},
		"minus":            {trace("1 2 - "), Malformed},
		"long number":      {trace("1 2 " + strings.Repeat("1", 100)), Malformed},
		"far":              {trace("1 200000000 1"), Malformed},
		"runs away":        {trace(`0 0 0, '9 '9 '900000000000000, "9 "9 "900000000000000`), Malformed},
		"difference first": {trace("'1 2 3"), Malformed},
		"second first":     {trace(`1 2 3, "1 "1 "1`), Malformed},
		"repeat first":     {trace("* 2 3"), Malformed},
		"prefix alone":     {trace("1 2 '"), Malformed},
		"no X":             {trace("? 2 3"), Malformed},
		"no time":          {trace("1 2 ?"), Malformed},
		"no times":         {inkHead + "<trace>1 2</trace></ink>", Malformed},
		"no rate":          {inkHead + `<trace timeOffset="0">1 2,3 4</trace></ink>`, Malformed},
		"back in time":     {trace("1 2 3,1 2 2"), Malformed},
		"next trace back":  {inkOf(inkXYT, "<trace>1 2 3</trace><trace>1 2 2</trace>"), Malformed},
		"force":            {inkOf(inkXYT+`<channel name="F"/>`, "<trace>1 2 3 1.5</trace>"), Malformed},
		"least force":      {inkOf(inkXYT+`<channel name="F" min="2" max="2"/>`, "<trace>1 2 3 2</trace>"), Malformed},
		"tilt":             {inkOf(inkXYT+`<channel name="OTx"/>`, "<trace>1 2 3 91</trace>"), Malformed},
		"unit":             {inkOf(strings.Replace(inkXYT, "mm", "ell", 1), "<trace>1 2 3</trace>"), Malformed},
		"channel twice":    {inkOf(inkXYT+`<channel name="X"/>`, "<trace>1 2 3 4</trace>"), Malformed},
		"nameless":         {inkOf(inkXYT+`<channel/>`, "<trace>1 2 3 4</trace>"), Malformed},
		"without Y":        {inkOf(`<channel name="X"/>`, "<trace>1</trace>"), Malformed},
		"sometimes Y":      {inkOf(`<channel name="X"/><intermittentChannels><channel name="Y"/></intermittentChannels>`, "<trace>1 2</trace>"), Malformed},
		"minimum":          {inkOf(`<channel name="X" min="low"/><channel name="Y"/>`, "<trace>1 2</trace>"), Malformed},
		"resolution":       {inkHead + `<context><inkSource><traceFormat><channel name="X"/><channel name="Y"/><channel name="T"/></traceFormat><channelProperties><channelProperty channel="T" name="resolution" value="1e-320" units="1/s"/></channelProperties></inkSource></context><trace>1 2 0</trace></ink>`, Malformed},
		"type of trace":    {inkOf(inkXYT, `<trace type="erased">1 2 3</trace>`), Malformed},
		"offset":           {inkOf(inkXYT, `<trace timeOffset="Inf">1 2 3</trace>`), Malformed},
		"nowhere":          {inkOf(inkXYT, `<trace contextRef="#gone">1 2 3</trace>`), Malformed},
		"deep":             {inkHead + strings.Repeat("<traceGroup>", 50) + strings.Repeat("</traceGroup>", 50) + "</ink>", Malformed},
		"deep elsewhere":   {inkHead + strings.Repeat("<a>", 500) + strings.Repeat("</a>", 500) + "</ink>", Malformed},
		"flood":            {trace(strings.TrimSuffix(strings.Repeat("1 2 3,", 10_000), ",")), TooLarge},
		"flood of traces":  {inkOf(inkXYT, strings.Repeat("<trace>1 2 3</trace>", 10_000)), TooLarge},
		"flood of bytes":   {trace(strings.Repeat(" ", inkMax) + "1 2 3"), TooLarge},
		"many channels":    {inkOf(inkXYT+manyChannels(40), "<trace>1 2 3</trace>"), TooLarge},
		"many contexts":    {inkHead + manyContexts(100) + "</ink>", TooLarge},
	} {
		s, err := ReadInkML(strings.NewReader(c.in))
		if s != nil || KindOf(err) != c.want {
			t.Errorf("%s: %+v, %v; want kind %s", name, s, err, c.want)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	broken := errors.New("broken")
	if _, err := ReadInkML(iotest.ErrReader(broken)); !errors.Is(err, broken) || KindOf(err) != Failed {
		t.Errorf("a reader that fails: %v", err)
	}
}

func manyChannels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<channel name="C%d"/>`, i)
	}
	return b.String()
}

func manyContexts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<context xml:id="c%d"><traceFormat/></context>`, i)
	}
	return b.String()
}

func TestWriteInkML(t *testing.T) {
	t.Parallel()
	s := small()
	s.Device.Rate = 200
	var b bytes.Buffer
	if err := WriteInkML(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "small.inkml", b.Bytes())
	got, err := ReadInkML(&b)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Device{Class: "file", Rate: 200, Tilt: true}); got.Device != want {
		t.Errorf("device %+v, want %+v", got.Device, want)
	}
	for i, p := range got.Points {
		w := s.Points[i]
		if w.T -= 7000; !nearly(p, w, 1e-4, 1e-6) {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}
	s.Points[2].X = 1e8
	b.Reset()
	if err := WriteInkML(&b, s); err == nil || b.Len() != 0 {
		t.Error("impossible readings were written")
	}
}

func FuzzReadInkML(f *testing.F) {
	f.Add([]byte(inkOf(inkXYT, `<trace type="penUp" timeOffset="10">1 1 0, '1 '1 '4, "1 "1 "1, * ? *</trace><trace>! 5 6 7</trace>`)))
	f.Add([]byte(inkOf(`<channel name="X" units="in"/><channel name="Y" orientation="-ve"/><intermittentChannels><channel name="S" type="boolean" default="T"/></intermittentChannels>`,
		`<trace timeOffset="1" duration="5">1 2 T,3 4</trace>`)))
	f.Add([]byte(inkHead + `<context><inkSource><traceFormat><channel name="X" units="cm"/><channel name="Y"/><channel name="T"/></traceFormat><channelProperties><channelProperty channel="X" name="resolution" value="400" units="1/cm"/></channelProperties></inkSource></context><trace>1e1-2.5E-1 0,- 1#a 3</trace></ink>`))
	f.Add([]byte(inkHead + `<definitions><context xml:id="c"><inkSource xml:id="s"><traceFormat/><sampleRate value="100"/></inkSource></context></definitions><traceGroup contextRef="#c"><trace timeOffset="0">1 2,3 4</trace></traceGroup></ink>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadInkML(bytes.NewReader(b))
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
		if err != nil {
			return
		}
		if err := s.checkReadings(); err != nil || len(s.Points) == 0 || len(s.Points) > MaxPoints {
			t.Fatalf("%d points, %v", len(s.Points), err)
		}
		if s.Duration() > MaxDuration {
			return
		}
		var out bytes.Buffer
		if err := WriteInkML(&out, s); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadInkML(&out); err != nil || len(again.Points) != len(s.Points) {
			t.Fatalf("not read again: %v\n%s", err, out.Bytes())
		}
	})
}
