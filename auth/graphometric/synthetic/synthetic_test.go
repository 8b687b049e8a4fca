package synthetic

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"sigillo/auth/graphometric"
)

var pens = []Pen{Stylus, Pad, Digitizer, Slow}

// TestUsable: whatever is made passes as a signature, on every pen.
func TestUsable(t *testing.T) {
	t.Parallel()
	for seed := range uint64(32) {
		p := pens[seed%4]
		s := New(seed).With(p)
		samples := []*graphometric.Sample{s.Sign(0, 0), s.Sign(0, 7), s.Sign(5, 3)}
		for _, k := range Forgeries {
			samples = append(samples, s.Forge(k, 0), s.Forge(k, 5))
		}
		for i, got := range samples {
			if err := got.Check(); err != nil {
				t.Errorf("person %d, sample %d: %v", seed, i, err)
			}
			if d := got.Device; d.Class != p.Class || d.Hover != p.Hover || d.Tilt != p.Tilt || d.Levels != p.Levels {
				t.Errorf("person %d, sample %d: device %+v", seed, i, d)
			}
			air, lifted := 0, 0
			for k, q := range got.Points {
				switch {
				case q.Down:
				case q.Pressure != 0:
					t.Errorf("person %d, sample %d: pressure in the air", seed, i)
				case k > 0 && got.Points[k-1].Down:
					lifted++
				default:
					air++
				}
			}
			if lifted == 0 || (air > 0) != p.Hover {
				t.Errorf("person %d, sample %d: lifted %d times, %d readings in the air", seed, i, lifted, air)
			}
		}
	}
}

func TestSameAgain(t *testing.T) {
	t.Parallel()
	a, b := New(7), New(7)
	if !reflect.DeepEqual(a.Sign(1, 2), b.Sign(1, 2)) {
		t.Error("the same person, session and number gave two signatures")
	}
	for _, k := range Forgeries {
		if !reflect.DeepEqual(a.Forge(k, 3), b.Forge(k, 3)) {
			t.Errorf("%s: the same number gave two forgeries", k)
		}
	}
	seen := map[int64]bool{}
	for _, s := range []*graphometric.Sample{a.Sign(0, 0), a.Sign(0, 1), a.Sign(1, 0), a.Sign(1, 1), New(8).Sign(0, 0)} {
		h := int64(len(s.Points))<<32 + int64(math.Float64bits(s.Points[20].X))>>20
		if seen[h] {
			t.Error("two signatures are the same")
		}
		seen[h] = true
	}
	if !reflect.DeepEqual(a.Forge(Replay, 2), a.Sign(0, 2)) {
		t.Error("the replay is not what was signed")
	}
	if reflect.DeepEqual(a.Forge(Noisy, 2).Points, a.Sign(0, 2).Points) {
		t.Error("the noisy replay has no noise")
	}
}

func TestUnknownForgery(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("there is a forgery of no kind")
		}
	}()
	New(1).Forge("charm", 0)
}

// figures are what a signature is compared by.
type figures struct{ duration, minima, path, mean, deviation float64 }

func measure(s *graphometric.Sample) (f figures) {
	var v []float64
	n, low, high := 0., s.Points[0], s.Points[0]
	for i, p := range s.Points {
		if !p.Down {
			continue
		}
		n++
		f.mean += p.Pressure
		f.deviation += p.Pressure * p.Pressure
		low.X, low.Y, high.X, high.Y = min(low.X, p.X), min(low.Y, p.Y), max(high.X, p.X), max(high.Y, p.Y)
		if i > 0 && s.Points[i-1].Down {
			q := s.Points[i-1]
			d := math.Hypot(p.X-q.X, p.Y-q.Y)
			f.path += d
			v = append(v, d/float64(p.T-q.T))
		}
	}
	for i := 3; i+3 < len(v); i++ {
		if v[i] < min(v[i-3], v[i+3]) && v[i] <= slices.Min(v[i-2:i+3]) {
			f.minima++
		}
	}
	f.duration = s.Duration().Seconds()
	f.minima /= f.duration
	f.path /= math.Hypot(high.X-low.X, high.Y-low.Y)
	f.mean /= n
	f.deviation = math.Sqrt(f.deviation/n - f.mean*f.mean)
	return f
}

// median of one of the figures over many people.
func median(people int, of func(f figures) float64, sample func(s *Signer) *graphometric.Sample) float64 {
	v := make([]float64, people)
	for i := range v {
		v[i] = of(measure(sample(New(uint64(1000 + i)).With(Pad))))
	}
	slices.Sort(v)
	return v[people/2]
}

// TestLikeRealOnes holds the figures that the package comment names in the range
// where those of real signatures are.
func TestLikeRealOnes(t *testing.T) {
	t.Parallel()
	genuine := func(s *Signer) *graphometric.Sample { return s.Sign(0, 0) }
	for name, c := range map[string]struct {
		of        func(f figures) float64
		low, high float64
	}{
		"duration, s":           {func(f figures) float64 { return f.duration }, 1.5, 3.5},
		"minima of speed a s":   {func(f figures) float64 { return f.minima }, 5, 12},
		"path over diagonal":    {func(f figures) float64 { return f.path }, 2.2, 4.5},
		"pressure":              {func(f figures) float64 { return f.mean }, .4, .75},
		"deviation of pressure": {func(f figures) float64 { return f.deviation }, .08, .25},
	} {
		if got := median(60, c.of, genuine); got < c.low || got > c.high {
			t.Errorf("%s: %.3g, should be %g to %g", name, got, c.low, c.high)
		}
	}
}

// TestForgersAreSlower compares each kind of forger with the person.
func TestForgersAreSlower(t *testing.T) {
	t.Parallel()
	ratio := func(k Forgery, of func(f figures) float64) float64 {
		var v []float64
		for seed := range uint64(25) {
			s := New(seed).With(Pad)
			for n := range 4 {
				v = append(v, of(measure(s.Forge(k, n)))/of(measure(s.Sign(0, n))))
			}
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	duration := func(f figures) float64 { return f.duration }
	path := func(f figures) float64 { return f.path }
	deviation := func(f figures) float64 { return f.deviation }
	if r := ratio(Skilled, duration); r < 1.1 || r > 1.8 {
		t.Errorf("skilled forgers take %.2f times as long", r)
	}
	if r := ratio(Tracer, duration); r < 2 || r > 3.5 {
		t.Errorf("tracers take %.2f times as long", r)
	}
	for _, k := range []Forgery{Skilled, Tracer} {
		if r := ratio(k, path); r < .85 || r > 1.25 {
			t.Errorf("%s: the path is %.2f times as long", k, r)
		}
	}
	if r := ratio(Tracer, deviation); r > .8 {
		t.Errorf("tracers vary the pressure %.2f times as much", r)
	}
	if r := ratio(Scaled, duration); r < .94 || r > 1.06 || r == 1 {
		t.Errorf("scaled replays take %.3f times as long", r)
	}
}

func BenchmarkSign(b *testing.B) {
	s := New(1)
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(0, 0)
	}
}
