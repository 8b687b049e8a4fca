package graphometric

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// captured is the JSON of a capture with these readings.
func captured(points string) string {
	return `{"device":{"class":"pointer","hover":true,"tilt":false},"points":[` + points + `]}`
}

func TestParseCapture(t *testing.T) {
	t.Parallel()
	s, err := ParseCapture([]byte(" {\n\"points\" : [ [1000.25, -1.5, 2e1, 0.5, -90, 90, 1],[1000.25,1,2,0,0,0,0]\n," +
		"[1000.2471,0.3,-0,1E-1,0.0,1e+0,1],[1017,4,5,1,0,0,1]\t], \"device\":{\"tilt\":true,\"hover\":false,\"class\":\"wacom-stu\"} }\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Point{
		{T: 0, X: -1.5, Y: 20, Pressure: .5, TiltX: -90, TiltY: 90, Down: true},
		{T: 0, X: 1, Y: 2},
		{T: 0, X: .3, Pressure: .1, TiltY: 1, Down: true}, // a little older than the one before
		{T: 16750, X: 4, Y: 5, Pressure: 1, Down: true},
	}
	if !slices.Equal(s.Points, want) {
		t.Errorf("points %+v\nwant   %+v", s.Points, want)
	}
	if want := (Device{Class: "wacom-stu", Tilt: true, Rate: 1e6 / 16750.}); s.Device != want {
		t.Errorf("device %+v, want %+v", s.Device, want)
	}
}

func TestParseCaptureRefuses(t *testing.T) {
	t.Parallel()
	const one = `[1,2,3,0.5,0,0,1]`
	good := captured(one)
	if _, err := ParseCapture([]byte(good)); err != nil {
		t.Fatal(err)
	}
	flood := strings.TrimSuffix(strings.Repeat(one+",", 10_000), ",")
	for name, c := range map[string]struct {
		in     string
		kind   Kind
		reason Reason
	}{
		"nothing":           {"", Malformed, ""},
		"no points":         {captured(""), Unusable, TooFewPoints},
		"flood":             {captured(flood), TooLarge, TooManyPoints},
		"flood of bytes":    {strings.Repeat(" ", maxCapture) + good, TooLarge, ""},
		"endless flood":     {captured(flood)[:60_000], TooLarge, TooManyPoints},
		"six numbers":       {captured(`[1,2,3,0.5,0,0]`), Malformed, ""},
		"eight numbers":     {captured(`[1,2,3,0.5,0,0,1,1]`), Malformed, ""},
		"a word":            {captured(`[1,2,3,true,0,0,1]`), Malformed, ""},
		"null":              {captured(`[1,2,null,0.5,0,0,1]`), Malformed, ""},
		"NaN":               {captured(`[1,2,NaN,0.5,0,0,1]`), Malformed, ""},
		"Infinity":          {captured(`[1,2,Infinity,0.5,0,0,1]`), Malformed, ""},
		"too large":         {captured(`[1,2,1e309,0.5,0,0,1]`), Malformed, ""},
		"large":             {captured(`[1,2,1e300,0.5,0,0,1]`), Unusable, BadReadings},
		"exponent":          {captured(`[1,2,1e99999999999999999999,0.5,0,0,1]`), Malformed, ""},
		"leading zero":      {captured(`[1,2,03,0.5,0,0,1]`), Malformed, ""},
		"no fraction":       {captured(`[1,2,3.,0.5,0,0,1]`), Malformed, ""},
		"plus":              {captured(`[1,2,+3,0.5,0,0,1]`), Malformed, ""},
		"comma at end":      {captured(one + ","), Malformed, ""},
		"pressure":          {captured(`[1,2,3,1.01,0,0,1]`), Unusable, BadReadings},
		"no pressure":       {captured(`[1,2,3,-0.01,0,0,1]`), Unusable, BadReadings},
		"tilt":              {captured(`[1,2,3,0.5,91,0,1]`), Unusable, BadReadings},
		"down":              {captured(`[1,2,3,0.5,0,0,2]`), Unusable, BadReadings},
		"before time":       {captured(`[-1,2,3,0.5,0,0,1]`), Unusable, BadReadings},
		"back in time":      {captured(`[100,2,3,0.5,0,0,1],[89.9,2,3,0.5,0,0,1]`), Unusable, BadReadings},
		"more after it":     {good + "{}", Malformed, ""},
		"cut":               {good[:len(good)-1], Malformed, ""},
		"points twice":      {strings.Replace(good, `"device"`, `"points":[`+one+`],"device"`, 1), Malformed, ""},
		"another member":    {strings.Replace(good, `"device"`, `"x":1,"device"`, 1), Malformed, ""},
		"no device":         {`{"points":[` + one + `]}`, Malformed, ""},
		"no class":          {strings.Replace(good, `"class":"pointer",`, ``, 1), Malformed, ""},
		"empty class":       {strings.Replace(good, `pointer`, ``, 1), Malformed, ""},
		"class in capitals": {strings.Replace(good, `pointer`, `Pointer`, 1), Malformed, ""},
		"escape in class":   {strings.Replace(good, `pointer`, `p\u006finter`, 1), Malformed, ""},
		"long class":        {strings.Replace(good, `pointer`, strings.Repeat("p", 33), 1), Malformed, ""},
		"hover a number":    {strings.Replace(good, `true`, `1`, 1), Malformed, ""},
		"an array":          {`[` + good + `]`, Malformed, ""},
	} {
		s, err := ParseCapture([]byte(c.in))
		if s != nil || KindOf(err) != c.kind {
			t.Errorf("%s: %v, %v; want kind %s", name, s, err, c.kind)
			continue
		}
		if e := err.(*Error); e.Reason != c.reason {
			t.Errorf("%s: reason %q, want %q", name, e.Reason, c.reason)
		}
	}
}

// TestCaptureNumbers compares the reader of numbers with Go's.
func TestCaptureNumbers(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"0", "-0", "0.1", "0.3", "123.456", "5e-300", "1e-400", "1.7976931348623157e308", "12345678901234567890",
		"0.1234567890123456789", "0.00000000000000000000000000000000000012345", "100000000000000000000000000.5", "1e22", "0e400", "4096.0625"} {
		r := capture{b: []byte(in)}
		got, err := r.number()
		var want float64
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Logf("%s: %v", in, err)
		}
		if err != nil || r.i != len(in) || math.Abs(got-want) > 1e-15*math.Abs(want) {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
}

func TestAppendCapture(t *testing.T) {
	t.Parallel()
	s := &Sample{Device: Device{Class: "pointer", Hover: true, Tilt: true}}
	for i := range 100 {
		a := float64(i) / 7
		s.Points = append(s.Points, Point{T: int64(i) * 7001, X: 1000 * math.Sin(a), Y: 1000 * math.Cos(a) / 3,
			Pressure: math.Abs(math.Sin(a / 2)), TiltX: 30 * math.Sin(a), TiltY: -20, Down: i%10 != 0})
	}
	b := AppendCapture(nil, s)
	if !json.Valid(b) {
		t.Fatalf("not JSON: %s", b)
	}
	got, err := ParseCapture(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Device.Rate = 0; got.Device != s.Device {
		t.Errorf("device %+v, want %+v", got.Device, s.Device)
	}
	for i, p := range got.Points {
		if w := s.Points[i]; p.T != w.T || p.Down != w.Down || math.Abs(p.X-w.X)+math.Abs(p.Y-w.Y)+math.Abs(p.Pressure-w.Pressure)+
			math.Abs(p.TiltX-w.TiltX)+math.Abs(p.TiltY-w.TiltY) > 1e-11 {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}
}

func FuzzParseCapture(f *testing.F) {
	f.Add([]byte(captured(`[1,2,3,0.5,0,0,1],[2.5,-2e1,3,0.25,10,-20,0]`)))
	f.Add([]byte(captured(`[1e5,2,3,0.5,0,0,1]`)))
	f.Add([]byte(captured(``)))
	f.Add([]byte(`{"points":[],"device":{"class":"a","hover":true,"tilt":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseCapture(b)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("read what is no JSON: %q", b)
		}
		if err := s.checkReadings(); err != nil || len(s.Points) > MaxPoints {
			t.Fatalf("%d points, %v", len(s.Points), err)
		}
		again, err := ParseCapture(AppendCapture(nil, s))
		if err != nil || len(again.Points) != len(s.Points) {
			t.Fatalf("not read again: %v", err)
		}
	})
}

func BenchmarkParseCapture(b *testing.B) {
	var p strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&p, ",[%v,%v,%v,0.1234567,12,-34,1]", float64(i)*5.003, 1234.5678+float64(i), 987.654321)
	}
	in := []byte(captured(p.String()[1:]))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCapture(in); err != nil {
			b.Fatal(err)
		}
	}
}
