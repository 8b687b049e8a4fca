package graphometric

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadSVC2004(t *testing.T) {
	t.Parallel()
	s, err := ReadSVC2004(strings.NewReader("5\r\n100 200 5000 0 900 450 0\r\n110 190 5010 1 900 450 1023\r\n" +
		"120 180 5010 1 900 450 5\r\n120 180 5002 1 900 450 5\r\n130 170 5020 1 1800 900 511\r\n"))
	if err == nil {
		t.Fatalf("two of five readings are out of time, and it was read: %+v", s)
	}
	s, err = ReadSVC2004(strings.NewReader("5\r\n100 200 5000 0 900 450 0\r\n110 190 5010 1 900 450 1023\r\n" +
		"120 180 5010 1 900 450 5\r\n130 170 5020 1 1800 900 511\r\n140 160 5030 1 1800 450 1\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Device != (Device{Class: "file", Rate: 100, Levels: 1024, Tilt: true}) {
		t.Errorf("device %+v", s.Device)
	}
	want := []Point{
		{T: 0, X: 100, Y: -200, TiltX: 45},
		{T: 10000, X: 110, Y: -190, Pressure: 1, TiltX: 45, Down: true},
		{T: 20000, X: 130, Y: -170, Pressure: 511. / 1023, Down: true},
		{T: 30000, X: 140, Y: -160, Pressure: 1. / 1023, TiltY: 45, Down: true},
	}
	if len(s.Points) != len(want) {
		t.Fatalf("%d points: %+v", len(s.Points), s.Points)
	}
	for i, p := range s.Points {
		w := want[i]
		if math.Abs(p.TiltX-w.TiltX) > 1e-9 || math.Abs(p.TiltY-w.TiltY) > 1e-9 {
			t.Errorf("point %d: tilt %v %v, want %v %v", i, p.TiltX, p.TiltY, w.TiltX, w.TiltY)
		}
		p.TiltX, p.TiltY, w.TiltX, w.TiltY = 0, 0, 0, 0
		if p != w {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}
	s, err = ReadSVC2004(strings.NewReader("2\n1 2 3 1\n-4 5 6 1"))
	if err != nil || s.Device != (Device{Class: "file"}) || len(s.Points) != 2 || s.Points[1].X != -4 {
		t.Errorf("task 1: %+v, %v", s, err)
	}
}

func TestReadSVC2004Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want Kind
	}{
		"empty":           {"", Malformed},
		"no number":       {"x\n1 2 3 1\n", Malformed},
		"none":            {"0\n", Malformed},
		"minus":           {"-1\n", Malformed},
		"flood":           {"10000\n" + strings.Repeat("1 2 3 1\n", 10000), TooLarge},
		"too few":         {"3\n1 2 3 1\n", Malformed},
		"too many":        {"1\n1 2 3 1\n1 2 4 1\n", Malformed},
		"five columns":    {"1\n1 2 3 1 5\n", Malformed},
		"eight columns":   {"1\n1 2 3 1 5 6 7 8\n", Malformed},
		"columns change":  {"2\n1 2 3 1\n1 2 4 1 900 450 5\n", Malformed},
		"fraction":        {"1\n1.5 2 3 1\n", Malformed},
		"not a number":    {"1\nNaN 2 3 1\n", Malformed},
		"far away":        {"1\n99999999999 2 3 1\n", Malformed},
		"overflow":        {"1\n99999999999999999999 2 3 1\n", Malformed},
		"clock":           {"1\n1 2 9223372036854775807 1\n", Malformed},
		"button":          {"1\n1 2 3 2\n", Malformed},
		"azimuth":         {"1\n1 2 3 1 3601 450 5\n", Malformed},
		"altitude":        {"1\n1 2 3 1 900 901 5\n", Malformed},
		"pressure":        {"1\n1 2 3 1 900 450 1024\n", Malformed},
		"time stands":     {"4\n1 2 3 1\n1 2 3 1\n1 2 3 1\n1 2 3 1\n", Malformed},
		"long line":       {"1\n" + strings.Repeat(" ", 5000) + "1 2 3 1\n", Malformed},
		"long first line": {strings.Repeat("1", 5000), Malformed},
	} {
		s, err := ReadSVC2004(strings.NewReader(c.in))
		if s != nil || KindOf(err) != c.want {
			t.Errorf("%s: %v, %v; want kind %s", name, s, err, c.want)
		}
		if len(err.Error()) > 200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	broken := errors.New("broken")
	if _, err := ReadSVC2004(iotest.ErrReader(broken)); !errors.Is(err, broken) || KindOf(err) != Failed {
		t.Errorf("a reader that fails: %v", err)
	}
}

func TestWriteSVC2004(t *testing.T) {
	t.Parallel()
	s := small()
	s.Points[0].TiltY = -85 // 90 says nothing of the other direction
	s.Points[1].TiltY = 0
	var b bytes.Buffer
	if err := WriteSVC2004(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "small.svc2004", b.Bytes())
	got, err := ReadSVC2004(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got.Points {
		w := s.Points[i]
		if w.T -= 7000; !nearly(p, w, .5, .2) {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}
}

func TestAngles(t *testing.T) {
	t.Parallel()
	for azimuth := 0.; azimuth < 360; azimuth += 15 {
		for _, altitude := range []float64{1, 30, 60, 89} {
			a, e := anglesOf(tiltOf(azimuth, altitude))
			if math.Abs(math.Remainder(a-azimuth, 360)) > 1e-6 || math.Abs(e-altitude) > 1e-6 {
				t.Errorf("azimuth %v, altitude %v came back as %v, %v", azimuth, altitude, a, e)
			}
		}
	}
	if x, y := tiltOf(90, 0); x != 0 || y != 90 {
		t.Errorf("a pen that lies: %v %v", x, y)
	}
}

// TestReadSVC2004Set reads every file of a directory of real signatures, which
// are not part of this repository.
func TestReadSVC2004Set(t *testing.T) {
	dir := os.Getenv("SIGILLO_SIGNATURES")
	if dir == "" {
		t.Skip("SIGILLO_SIGNATURES names no directory")
	}
	files, err := filepath.Glob(filepath.Join(dir, "U*S*.TXT"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		r, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadSVC2004(r)
		r.Close()
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		} else if err := s.Check(); err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
	}
}

func FuzzReadSVC2004(f *testing.F) {
	f.Add("2\r\n1 2 3 1 1260 400 351\r\n-4 5 13 0 0 0 0\r\n")
	f.Add("3\n1 2 3 1\n1 2 4 1\n5 6 7 0\n")
	f.Add("3000\n")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ReadSVC2004(strings.NewReader(in))
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
		if err == nil {
			if err := s.checkReadings(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestReadSVC2004Strokes: button 0 at the first reading of a stroke is of a pen that
// has come down; the strokes stay apart. Several in a row are of a pen in the air.
func TestReadSVC2004Strokes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		down string
	}{
		"pressure":    {"4\n0 0 0 0 900 450 7\n1 1 10 1 900 450 7\n2 2 60 0 900 450 7\n3 3 70 1 900 450 7\n", "11011"},
		"in the air":  {"4\n0 0 0 1 900 450 7\n1 1 10 0 900 450 0\n2 2 60 0 900 450 0\n3 3 70 1 900 450 7\n", "1001"},
		"no pressure": {"4\n0 0 0 0\n1 1 10 1\n2 2 60 0\n3 3 70 1\n", "11011"},
		"several":     {"4\n0 0 0 1\n1 1 10 0\n2 2 60 0\n3 3 70 1\n", "1001"},
	} {
		s, err := ReadSVC2004(strings.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		down := ""
		for _, p := range s.Points {
			if p.Down {
				down += "1"
			} else {
				down += "0"
			}
		}
		if down != c.down {
			t.Errorf("%s: %s, want %s", name, down, c.down)
		}
	}
}
