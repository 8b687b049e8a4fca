package evaluate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/evaluate"
	"sigillo/auth/graphometric/synthetic"
)

// madeUp is a set of made-up people.
func madeUp(people int) []evaluate.Person {
	var out []evaluate.Person
	for i := range people {
		s := synthetic.New(uint64(i + 1))
		p := evaluate.Person{Name: fmt.Sprint("U", i+1)}
		for n := range 10 {
			p.First, p.Second = append(p.First, s.Sign(0, n)), append(p.Second, s.Sign(1, n))
			p.Forged = append(p.Forged, s.Forge(synthetic.Skilled, 2*n), s.Forge(synthetic.Skilled, 2*n+1))
		}
		out = append(out, p)
	}
	return out
}

func TestRun(t *testing.T) {
	t.Parallel()
	people := madeUp(4)
	o := evaluate.Options{Choices: 2, Seed: 5}
	r, err := evaluate.Run(context.Background(), people, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Comparisons != (evaluate.Comparisons{Genuine: 80, Skilled: 160, Random: 160}) || r.Samples.Genuine != 80 || r.Samples.Forged != 80 || r.People != 4 {
		t.Errorf("%+v %+v", r.Comparisons, r.Samples)
	}
	if r.Skilled.EER <= r.Random.EER || r.Skilled.EER > .2 || r.Random.EER > .01 {
		t.Errorf("skilled %v random %v", r.Skilled.EER, r.Random.EER)
	}
	if i := r.Skilled.Interval; i[0] > r.Skilled.EER || i[1] < r.Skilled.EER || i[0] == i[1] {
		t.Errorf("%v is not within %v", r.Skilled.EER, i)
	}
	if r.Assessment != evaluate.Doubtful {
		t.Errorf("four people are %s", r.Assessment)
	}
	if r.Match.Mean <= 0 || r.Match.P99 < r.Match.Median {
		t.Errorf("%+v", r.Match)
	}
	for i, p := range r.Skilled.DET {
		if p.FMR > p.At || i > 0 && p.FNMR > r.Skilled.DET[i-1].FNMR {
			t.Errorf("the curve rises at %+v", p)
		}
	}
	again, err := evaluate.Run(context.Background(), people, o)
	if err != nil {
		t.Fatal(err)
	}
	again.Match = r.Match
	if !reflect.DeepEqual(r, again) {
		t.Errorf("the same seed gives another report:\n%+v\n%+v", r, again)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	people := madeUp(2)
	if _, err := evaluate.Run(context.Background(), people[:1], evaluate.Options{}); err == nil {
		t.Error("one person has no others")
	}
	if _, err := evaluate.Run(context.Background(), people, evaluate.Options{Enrol: 11}); err == nil {
		t.Error("eleven of ten samples were enrolled")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluate.Run(ctx, people, evaluate.Options{}); err != context.Canceled {
		t.Errorf("%v", err)
	}
	people[1].Forged = nil
	if _, err := evaluate.Run(context.Background(), people, evaluate.Options{}); err == nil || !strings.Contains(err.Error(), "U2") {
		t.Errorf("%v", err)
	}
}

// TestJSON: the shape that docs/graphometry.md promises.
func TestJSON(t *testing.T) {
	t.Parallel()
	r, err := evaluate.Run(context.Background(), madeUp(2), evaluate.Options{Choices: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string][]string{
		"": {"algorithm", "people", "enrol", "choices", "randomEach", "seed", "samples", "comparisons", "skilled", "random", "policies",
			"matchMilliseconds", "assessment"},
		"skilled":           {"eer", "interval95", "threshold", "eerOwnThreshold", "fnmrAtFmr1", "fnmrAtFmr01", "det"},
		"samples":           {"genuine", "forged", "unusable"},
		"comparisons":       {"genuine", "skilled", "random"},
		"matchMilliseconds": {"mean", "median", "p99"},
	} {
		m := got
		if of != "" {
			m = got[of].(map[string]any)
		}
		for _, k := range want {
			if _, ok := m[k]; !ok {
				t.Errorf("%q has no %s", of, k)
			}
		}
	}
}

// folder is a set as files.
func folder(t *testing.T, people int) fstest.MapFS {
	out := fstest.MapFS{}
	for i, p := range madeUp(people) {
		for k, s := range slices.Concat(p.First, p.Second, p.Forged) {
			var b bytes.Buffer
			if err := graphometric.WriteSVC2004(&b, s); err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprintf("U%dS%d.TXT", i+1, k+1)] = &fstest.MapFile{Data: b.Bytes()}
		}
	}
	return out
}

func TestReadSVC2004(t *testing.T) {
	t.Parallel()
	whole := folder(t, 2)
	with := func(change func(f fstest.MapFS)) fstest.MapFS {
		f := fstest.MapFS{}
		for k, v := range whole {
			f[k] = v
		}
		change(f)
		return f
	}
	people, err := evaluate.ReadSVC2004(with(func(f fstest.MapFS) {
		f["readme.txt"] = &fstest.MapFile{Data: []byte("hello")}
		f["u1s7.txt"] = f["U1S7.TXT"]
		delete(f, "U1S7.TXT")
	}))
	if err != nil || len(people) != 2 || people[1].Name != "U2" || len(people[0].First) != 10 || len(people[0].Second) != 10 || len(people[0].Forged) != 20 {
		t.Fatalf("%v, %d people", err, len(people))
	}
	for name, c := range map[string]struct {
		change func(f fstest.MapFS)
		want   string
	}{
		"nothing": {func(f fstest.MapFS) { clear(f) }, "no files"},
		"missing": {func(f fstest.MapFS) { delete(f, "U2S33.TXT") }, "U2S33.TXT"},
		"many missing": {func(f fstest.MapFS) {
			for k := range 20 {
				delete(f, fmt.Sprintf("U1S%d.TXT", k+1))
			}
		}, "15 more"},
		"twice":    {func(f fstest.MapFS) { f["u1s7.Txt"] = f["U1S7.TXT"] }, "the same sample"},
		"too many": {func(f fstest.MapFS) { f["U1S41.TXT"] = f["U1S7.TXT"] }, "U1S41.TXT"},
		"damaged":  {func(f fstest.MapFS) { f["U1S7.TXT"] = &fstest.MapFile{Data: []byte("x")} }, "U1S7.TXT"},
	} {
		if _, err := evaluate.ReadSVC2004(with(c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestRealSignatures measures on a set of real signatures: SIGILLO_SIGNATURES names
// its folder. None is part of this repository.
func TestRealSignatures(t *testing.T) {
	dir := os.Getenv("SIGILLO_SIGNATURES")
	if dir == "" {
		t.Skip("no real signatures: SIGILLO_SIGNATURES names no folder with a set in the form of SVC2004")
	}
	people, err := evaluate.ReadSVC2004(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Run(context.Background(), people, evaluate.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d people: skilled %.2f %% (%.1f to %.1f), random %.2f %%", r.People, r.Skilled.EER*100, r.Skilled.Interval[0]*100, r.Skilled.Interval[1]*100, r.Random.EER*100)
	if r.Skilled.EER > .07 || r.Random.EER > .003 {
		t.Errorf("the goals are 7 %% and 0.3 %%: %s", r.Assessment)
	}
}
