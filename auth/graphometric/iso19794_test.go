package graphometric

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update-forms", false, "write the golden files of the forms anew")

// bytesOf reads hexadecimal digits; what follows a semicolon in a line is a remark.
func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// byHand are records put together by hand, in the ways in which different
// programs write them.
var byHand = map[string]string{
	"pad": `53444900 20313000 c160 ; SDI, " 10", X Y T F S
		e0 b480 8000 a7bf      ; X: scaling 100, minimum 0, maximum 10175
		e0 b480 8000 9dcf      ; Y: scaling 100, minimum 0, maximum 7631
		80 e9c4                ; T: scaling 10000
		60 0000 01ff           ; F: minimum 0, maximum 511
		00 00                  ; S; reserved
		00 000003              ; no extended data, 3 points
		83e8 81f4 0000 0000 00 ; 10.00 mm, 5.00 mm, 0 s, no force, no touch
		83e9 81f3 0032 00ff 01 ; 10.01, 4.99, 5 ms, 255
		83ea 81f2 0064 01ff 01`,
	"constant rate": `53444900 20313000 c0c0 ; X Y DT F
		80 8000                ; X: scaling 1
		80 8000                ; Y: scaling 1
		84 b480                ; DT: constant, scaling 100
		60 0000 03ff           ; F: minimum 0, maximum 1023
		00                     ; reserved
		00 000003
		7ff6 8014 0000         ; -10 mm, 20 mm
		7ff7 8014 03ff
		7ff8 8013 0000`,
	"all channels": `53444900 20313000 ffff
		f8 b480 0000 ffff 8000 0010 ; X with all its attributes
		80 b480                ; Y
		00 00 00 02 02         ; Z, VX, VY, AX and AY with linear components removed
		80 cfa0                ; T: scaling 1000
		80 cfa0                ; DT
		40 0001                ; F: minimum 1
		00                     ; S
		80 a000                ; TX: scaling 16
		80 a000                ; TY: scaling 16
		04 00                  ; Az constant, El
		80 8000                ; R
		00
		80 000002              ; extended data, 2 points
		8000 8000 0001 0002 0003 0004 0005 07d0 0000 0001 01 80a0 7f60 0007 0008
		8064 7f9c 0001 0002 0003 0004 0005 07da 000a ffff 01 8000 8010 0007 0008
		0004 deadbeef`,
	"azimuth": `53444900 20313000 c086 ; X Y DT Az El
		00 00                  ; X, Y: mm
		80 cfa0                ; DT: scaling 1000
		00 00                  ; Az, El: degrees
		00
		00 000002
		8001 8001 0063 005a 002d ; the first DT does not count; 90 and 45 degrees
		8002 8002 0005 0000 005a`,
}

func TestReadISO19794(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Sample{
		"pad": {Device{Class: "file", Rate: 200, Levels: 512}, []Point{
			{X: 1000, Y: -500},
			{T: 5000, X: 1001, Y: -499, Pressure: 255. / 511, Down: true},
			{T: 10000, X: 1002, Y: -498, Pressure: 1, Down: true},
		}},
		"constant rate": {Device{Class: "file", Rate: 100, Levels: 1024}, []Point{
			{X: -1000, Y: -2000},
			{T: 10000, X: -900, Y: -2000, Pressure: 1, Down: true},
			{T: 20000, X: -800, Y: -1900},
		}},
		"all channels": {Device{Class: "file", Tilt: true}, []Point{
			{TiltX: 10, TiltY: 10, Down: true},
			{T: 10000, X: 100, Y: 100, Pressure: 1, TiltY: -1, Down: true},
		}},
		"azimuth": {Device{Class: "file", Tilt: true}, []Point{
			{X: 100, Y: -100, TiltY: -45, Down: true},
			{T: 5000, X: 200, Y: -200, Down: true},
		}},
	} {
		s, err := ReadISO19794(bytes.NewReader(bytesOf(t, byHand[name])))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Device != want.Device {
			t.Errorf("%s: device %+v, want %+v", name, s.Device, want.Device)
		}
		if len(s.Points) != len(want.Points) {
			t.Errorf("%s: %d points", name, len(s.Points))
			continue
		}
		for i, p := range s.Points {
			if !nearly(p, want.Points[i], 1e-9, 1e-9) {
				t.Errorf("%s: point %d is %+v, want %+v", name, i, p, want.Points[i])
			}
		}
	}
}

// nearly: the same time and touch, the rest up to so much.
func nearly(a, b Point, place, rest float64) bool {
	return a.T == b.T && a.Down == b.Down && math.Abs(a.X-b.X) <= place && math.Abs(a.Y-b.Y) <= place &&
		math.Abs(a.Pressure-b.Pressure) <= rest && math.Abs(a.TiltX-b.TiltX) <= rest && math.Abs(a.TiltY-b.TiltY) <= rest
}

func TestReadISO19794Refuses(t *testing.T) {
	t.Parallel()
	pad, all, rate := bytesOf(t, byHand["pad"]), bytesOf(t, byHand["all channels"]), bytesOf(t, byHand["constant rate"])
	with := func(b []byte, at int, v ...byte) []byte {
		return append(append(slices.Clone(b[:at]), v...), b[at+len(v):]...)
	}
	for name, c := range map[string]struct {
		in   []byte
		want Kind
	}{
		"empty":            {nil, Malformed},
		"other magic":      {with(pad, 0, 'F', 'M', 'R'), Malformed},
		"other edition":    {with(pad, 4, '0', '2', '0'), Malformed},
		"no X":             {with(pad, 8, 0x41), Malformed},
		"no time":          {bytesOf(t, `53444900 20313000 c000 0000 00 00 000001 8000 8000`), Malformed},
		"no points":        {bytesOf(t, `53444900 20313000 c100 000000 00 00 000000`), Malformed},
		"reserved bit":     {with(pad, 10, 0xe1), Malformed},
		"reserved byte":    {with(pad, 33, 1), Malformed},
		"linear X":         {with(pad, 10, 0xe2), Malformed},
		"constant T":       {bytesOf(t, `53444900 20313000 c100 000004 00 00 000001 8000 8000`), Malformed},
		"kind of body":     {with(pad, 34, 0x40), Malformed},
		"flood":            {with(pad, 35, 0xff, 0xff, 0xff), TooLarge},
		"one point more":   {with(pad, 37, 4), Malformed},
		"one point less":   {with(pad, 37, 2), Malformed},
		"back in time":     {with(pad, len(pad)-5, 0, 1), Malformed},
		"no force":         {with(pad, 30, 0, 0), Malformed},
		"more":             {append(slices.Clone(pad), 0), Malformed},
		"extended short":   {all[:len(all)-1], Malformed},
		"extended long":    {append(slices.Clone(all), 0), Malformed},
		"no extended":      {with(pad, 34, 0x80), Malformed},
		"far away":         {with(rate, 11, 0, 0), Malformed},
		"tilt":             {with(all, len(all)-14, 0xff, 0xff), Malformed},
		"too many bytes":   {append(slices.Clone(pad), make([]byte, isoMax)...), TooLarge},
		"azimuth of 65535": {with(bytesOf(t, byHand["azimuth"]), 27, 0xff, 0xff), Malformed},
	} {
		s, err := ReadISO19794(bytes.NewReader(c.in))
		if s != nil || KindOf(err) != c.want {
			t.Errorf("%s: %+v, %v; want kind %s", name, s, err, c.want)
		}
	}
	for n := range pad {
		if s, err := ReadISO19794(bytes.NewReader(pad[:n])); s != nil || KindOf(err) != Malformed {
			t.Errorf("cut after %d bytes: %+v, %v", n, s, err)
		}
	}
	broken := errors.New("broken")
	if _, err := ReadISO19794(iotest.ErrReader(broken)); !errors.Is(err, broken) || KindOf(err) != Failed {
		t.Errorf("a reader that fails: %v", err)
	}
}

func TestISOScale(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]uint16{1: 0x8000, 100: 0xb480, 1000: 0xcfa0, 10000: 0xe9c4, 50000: 0xfc35, 3000: 0xdbb8, 1600: 0xd480, 256: 0xc000, 1.0 / 65536: 0} {
		if got := isoScale(v); got != want {
			t.Errorf("%v: %04x, want %04x", v, got, want)
		}
	}
}

// small is a sample of few points that uses all of the form.
func small() *Sample {
	return &Sample{Device: Device{Class: "wacom-stu", Levels: 1024, Hover: true, Tilt: true}, Points: []Point{
		{T: 7000, X: 1200.5, Y: 800.25, TiltX: 30, TiltY: -90},
		{T: 12000, X: 1210, Y: 790, Pressure: 1. / 1023, TiltX: 31.5, TiltY: 90, Down: true},
		{T: 17000, X: -1230, Y: -0.5, Pressure: 1, TiltX: -30, TiltY: 12, Down: true},
		{T: 2_007_000, X: 0, Y: 0},
	}}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is written now:\n%q", name, got)
	}
}

func TestWriteISO19794(t *testing.T) {
	t.Parallel()
	s := small()
	var b bytes.Buffer
	if err := WriteISO19794(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "small.iso19794", b.Bytes())
	got, err := ReadISO19794(&b)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Device{Class: "file", Levels: 1024, Tilt: true, Rate: 200}); got.Device != want {
		t.Errorf("device %+v, want %+v", got.Device, want)
	}
	for i, p := range got.Points {
		w := s.Points[i]
		if w.T -= 7000; !nearly(p, w, .04, 1./500) {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}
	// Far coordinates, and a long time.
	s.Points[0].X, s.Points[3].T = -maxReading, s.Points[0].T+MaxDuration.Microseconds()
	b.Reset()
	if err := WriteISO19794(&b, s); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadISO19794(&b); err != nil || math.Abs(got.Points[0].X+maxReading) > 300 || got.Duration() != MaxDuration {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *Sample){
		"empty":    func(s *Sample) { s.Points = nil },
		"flood":    func(s *Sample) { s.Points = make([]Point, MaxPoints+1) },
		"NaN":      func(s *Sample) { s.Points[1].X = math.NaN() },
		"pressure": func(s *Sample) { s.Points[1].Pressure = 1.1 },
		"long":     func(s *Sample) { s.Points[3].T += 20_000_000 },
		"backward": func(s *Sample) { s.Points[3].T = 1 },
	} {
		s := small()
		change(s)
		var b bytes.Buffer
		if err := WriteISO19794(&b, s); err == nil || b.Len() != 0 {
			t.Errorf("%s: written to a record", name)
		}
	}
}

func FuzzReadISO19794(f *testing.F) {
	for _, s := range byHand {
		f.Add(bytesOf(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadISO19794(bytes.NewReader(b))
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
		if err := WriteISO19794(&out, s); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadISO19794(&out); err != nil || len(again.Points) != len(s.Points) {
			t.Fatalf("not read again: %v", err)
		}
	})
}
