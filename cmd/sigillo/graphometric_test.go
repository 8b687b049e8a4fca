package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// madeUpSignatures is a command of the scripts: made-up-signatures PEOPLE FOLDER
// writes a set of made-up people in the form of SVC2004.
func madeUpSignatures(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: made-up-signatures PEOPLE FOLDER")
	}
	people, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.MkdirAll(args[1], 0o755))
	for u := 1; u <= people; u++ {
		s := synthetic.New(uint64(u))
		var first, second, forged []*graphometric.Sample
		for n := range 10 {
			first, second = append(first, s.Sign(0, n)), append(second, s.Sign(1, n))
			forged = append(forged, s.Forge(synthetic.Skilled, 2*n), s.Forge(synthetic.Skilled, 2*n+1))
		}
		for k, sample := range slices.Concat(first, second, forged) {
			f, err := os.Create(filepath.Join(args[1], fmt.Sprintf("U%dS%d.TXT", u, k+1)))
			ts.Check(err)
			ts.Check(graphometric.WriteSVC2004(f, sample))
			ts.Check(f.Close())
		}
	}
}
