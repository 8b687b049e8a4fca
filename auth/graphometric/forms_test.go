package graphometric_test

import (
	"bytes"
	"io"
	"math"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// TestFormsKeepSignatures writes signatures in each form and reads them again.
func TestFormsKeepSignatures(t *testing.T) {
	t.Parallel()
	type form struct {
		write func(w io.Writer, s *graphometric.Sample) error
		read  func(r io.Reader) (*graphometric.Sample, error)
		µs    int64   // how far times may be off
		unit  float64 // and places, in 0.01 mm
		rest  float64 // and pressure and tilt
	}
	for name, f := range map[string]form{
		"ISO/IEC 19794-7": {graphometric.WriteISO19794, graphometric.ReadISO19794, 170, .33, .01},
		"InkML":           {graphometric.WriteInkML, graphometric.ReadInkML, 0, 1e-4, 1e-6},
		"capture": {func(w io.Writer, s *graphometric.Sample) error {
			_, err := w.Write(graphometric.AppendCapture(nil, s))
			return err
		}, func(r io.Reader) (*graphometric.Sample, error) {
			b, err := io.ReadAll(r)
			if err != nil {
				return nil, err
			}
			return graphometric.ParseCapture(b)
		}, 0, 1e-9, 1e-9},
	} {
		for seed, pen := range []synthetic.Pen{synthetic.Stylus, synthetic.Pad, synthetic.Digitizer, synthetic.Slow} {
			want := synthetic.New(uint64(seed)).With(pen).Forge(synthetic.Tracer, 1) // the longest
			var b bytes.Buffer
			if err := f.write(&b, want); err != nil {
				t.Errorf("%s, %s: %v", name, pen.Class, err)
				continue
			}
			got, err := f.read(&b)
			if err != nil {
				t.Errorf("%s, %s: %v", name, pen.Class, err)
				continue
			}
			if err := got.Check(); err != nil {
				t.Errorf("%s, %s: %v", name, pen.Class, err)
			}
			if d := got.Device; d.Hover != pen.Hover || d.Tilt != pen.Tilt || math.Abs(d.Rate/pen.Rate-1) > .15 {
				t.Errorf("%s, %s: device %+v", name, pen.Class, d)
			}
			for i, p := range got.Points {
				w := want.Points[i]
				if d := p.T - w.T; d > f.µs || d < -f.µs || p.Down != w.Down || math.Abs(p.X-w.X) > f.unit || math.Abs(p.Y-w.Y) > f.unit ||
					math.Abs(p.Pressure-w.Pressure) > f.rest || math.Abs(p.TiltX-w.TiltX) > f.rest || math.Abs(p.TiltY-w.TiltY) > f.rest {
					t.Errorf("%s, %s: point %d is %+v, was %+v", name, pen.Class, i, p, w)
					break
				}
			}
		}
	}
}
