package graphometric_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"math"
	"os"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

var update = flag.Bool("update", false, "write what the tests compute to the files that they compare with")

// madeUp are the samples of some people: the first of each of several days.
func madeUp(people, days, each int) [][]*graphometric.Sample {
	var out [][]*graphometric.Sample
	for i := range people {
		s := synthetic.New(uint64(1000 + i))
		var samples []*graphometric.Sample
		for day := range days {
			for n := range each {
				samples = append(samples, s.Sign(day, n))
			}
		}
		out = append(out, samples)
	}
	return out
}

// TestShippedSpread: the numbers in the package are those of the made-up people,
// so that anybody can make them again: go test -run TestShippedSpread -update
func TestShippedSpread(t *testing.T) {
	t.Parallel()
	got := graphometric.EstimateSpread(madeUp(80, 5, 2))
	shipped := graphometric.ShippedSpread()
	if *update {
		writeSpread(t, got)
		return
	}
	for i := range got {
		if math.Abs(got[i]-shipped[i]) > .0006 {
			t.Errorf("figure %d has spread %.4f, the package has %.4f", i, got[i], shipped[i])
		}
	}
}

func writeSpread(t *testing.T, s graphometric.Spread) {
	var b bytes.Buffer
	b.WriteString("package graphometric\n\n// shipped is made by go test -run TestShippedSpread -update\nvar shipped = Spread{\n")
	for i, v := range s {
		fmt.Fprintf(&b, "%.3f,", v)
		if i%10 == 9 {
			b.WriteString("\n")
		}
	}
	b.WriteString("\n}\n")
	src, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("spread_shipped.go", src, 0o644); err != nil {
		t.Fatal(err)
	}
}
