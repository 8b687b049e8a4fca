package attacks

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/validate"
)

// mutant is a changed file. kind says what was done, part where.
type mutant struct {
	kind, part string
	contents   []content // instead of the fixture's, if not nil
	make       func() []byte
}

// span names a part of a file.
type span struct {
	start, end int
	name       string
}

// partOf names the innermost part at an offset.
func partOf(spans []span, at int) string {
	best := span{0, 1 << 62, "file"}
	for _, s := range spans {
		if s.start <= at && at < s.end && s.end-s.start <= best.end-best.start {
			best = s
		}
	}
	return best.name
}

const (
	deadline = 2 * time.Second
	hung     = 2 * time.Minute
	maxHeap  = 512 << 20
)

// maxFailures are enough to see what is wrong with a fixture.
const maxFailures = 12

// How much is tried: a sample, a number of times as much, or all.
var (
	everything = os.Getenv("SIGILLO_ATTACKS") == "all"
	factor     = 1
)

func init() {
	if n, err := strconv.Atoi(os.Getenv("SIGILLO_ATTACKS")); err == nil && n > 0 {
		factor = n
	}
}

// sample takes n of the mutants of each kind, the same each time.
func sample(all []mutant, n int) []mutant {
	if everything {
		return all
	}
	n *= factor
	kinds := map[string][]mutant{}
	var names []string
	for _, m := range all {
		k := strings.Join(strings.Fields(m.kind)[:min(2, len(strings.Fields(m.kind)))], " ")
		if kinds[k] == nil {
			names = append(names, k)
		}
		kinds[k] = append(kinds[k], m)
	}
	var out []mutant
	for _, k := range names {
		list := kinds[k]
		r := rand.New(rand.NewPCG(3, uint64(len(list))))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		out = append(out, list[:min(n, len(list))]...)
	}
	return out
}

// tally counts for the table at the end.
var tally = struct {
	sync.Mutex
	made, passed map[[2]string]int
	reasons      map[string]int
}{made: map[[2]string]int{}, passed: map[[2]string]int{}, reasons: map[string]int{}}

func count(form, kind string, passed bool) {
	tally.Lock()
	defer tally.Unlock()
	k := [2]string{form, strings.SplitN(kind, " ", 2)[0]}
	tally.made[k]++
	if passed {
		tally.passed[k]++
	}
}

// TestMain prints the table.
func TestMain(m *testing.M) {
	code := m.Run()
	if everything || factor > 1 {
		var keys [][2]string
		total, passed := 0, 0
		for k, n := range tally.made {
			keys = append(keys, k)
			total, passed = total+n, passed+tally.passed[k]
		}
		sort.Slice(keys, func(i, j int) bool { return strings.Join(keys[i][:], " ") < strings.Join(keys[j][:], " ") })
		for _, k := range keys {
			fmt.Printf("%-12s %-10s %7d changed files, %6d pass harmlessly\n", k[0], k[1], tally.made[k], tally.passed[k])
		}
		for r, n := range tally.reasons {
			fmt.Printf("%7d %s\n", n, r)
		}
		fmt.Printf("%d changed files, %d pass harmlessly\n", total, passed)
	}
	os.Exit(code)
}

// attack judges mutants of a fixture.
func (f *fixture) attack(t *testing.T, all []mutant, n int) {
	t.Helper()
	failures := 0
	seen := map[string]bool{}
	for _, m := range sample(all, n) {
		if failures >= maxFailures {
			t.Fatal("too many to go on")
		}
		if why := f.judge(t, m); why != "" && !seen[m.kind+m.part+why] {
			seen[m.kind+m.part+why] = true
			failures++
			t.Errorf("%s: %s at %s: %s", f.name, m.kind, m.part, why)
		}
	}
}

// judge validates a mutant and says what is wrong with the result.
func (f *fixture) judge(t *testing.T, m mutant) string {
	file := m.make()
	contents := f.contents
	if m.contents != nil {
		contents = m.contents
	}
	if file == nil || bytes.Equal(file, f.file) && m.contents == nil {
		return ""
	}
	whole := file
	if f.rebuild != nil {
		if whole = f.rebuild(file); whole == nil {
			return ""
		}
	}
	r, why := f.bounded(t, m, whole, contents)
	good := slices.ContainsFunc(r.Signatures, func(s validate.SignatureReport) bool { return f.counts(s) && s.Indication == validate.TotalPassed })
	count(f.form, m.kind, good && r.Indication == validate.TotalPassed)
	if why == "" && good {
		why = f.truth(m, whole, r)
	}
	if why != "" {
		keep(f, m, whole)
	}
	return why
}

// bounded validates within the limits of time and memory.
func (f *fixture) bounded(t *testing.T, m mutant, file []byte, contents []content) (r validate.Report, why string) {
	guard := time.AfterFunc(hung, func() { panic("hangs: " + f.name + " " + m.kind + " " + m.part) })
	defer guard.Stop()
	defer func() {
		if p := recover(); p != nil {
			why = fmt.Sprintf("panic: %v", p)
		}
	}()
	start := time.Now()
	r, _ = f.validator.Validate(t.Context(), f.document(file, contents))
	if time.Since(start) > deadline { // the machine may be busy: what counts is the work
		if spent := work(func() { _, _ = f.validator.Validate(t.Context(), f.document(file, contents)) }); spent > deadline {
			return r, fmt.Sprintf("takes %v", spent)
		}
	}
	if heap := heap(); heap > maxHeap {
		return r, fmt.Sprintf("the heap has %d MB", heap>>20)
	}
	return r, ""
}

// work measures the processor time of a function.
func work(do func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const thread = 1 // RUSAGE_THREAD
	var before, after syscall.Rusage
	if syscall.Getrusage(thread, &before) != nil {
		return 0
	}
	do()
	_ = syscall.Getrusage(thread, &after)
	return time.Duration(after.Utime.Nano() - before.Utime.Nano())
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// said is what the report of a passed signature says.
func said(s validate.SignatureReport) string {
	covers := s.Covers
	if len(covers) == 1 { // what an ASiC-S is called is not signed; that it is what was signed is checked by zipUnnamed
		covers = nil
	}
	return fmt.Sprintf("%s %s %s %s %s %v %+v", s.Form, s.Signer, s.Issuer, s.Serial, s.SigningTime, covers, s.Properties)
}

// truth checks what a report says that passed something.
func (f *fixture) truth(m mutant, file []byte, r validate.Report) string {
	shown, err := f.shown(file)
	if err != nil {
		return "what passes cannot be read: " + err.Error()
	}
	if !slices.Contains(f.want, shown) {
		return "what passes shows something else:\n" + r.Text("en")
	}
	have := map[string]bool{}
	for _, s := range f.report.Signatures {
		have[said(s)] = true
	}
	for _, s := range r.Signatures {
		if s.Indication != validate.TotalPassed || !f.counts(s) {
			continue
		}
		if !have[said(s)] && !f.known[said(s)+shown] {
			return "a signature that passes was not there: " + said(s) + "\n" + r.Text("en")
		}
		if why := f.older(s); why != "" && !f.known[said(s)+shown] {
			return why
		}
	}
	if r.Indication != validate.TotalPassed {
		return ""
	}
	for _, h := range harmless {
		if h.form == f.form && h.part.MatchString(m.part) && h.kind.MatchString(m.kind) && (h.remark == "" || hasCode(r, h.remark)) {
			tally.Lock()
			tally.reasons[h.form+" "+h.reason]++
			tally.Unlock()
			return ""
		}
	}
	var codes []string
	for _, s := range r.Signatures {
		for _, e := range s.Reasons {
			codes = append(codes, e.Code)
		}
	}
	return "passes and is not in the table of harmless changes; reasons given: " + strings.Join(codes, " ")
}

// counts reports whether a signature vouches for what the file shows. A counter-
// signature is over a value alone; a time-stamp of a PDF stands for itself once
// the signature below it is broken, and vouches for the revision that it is over.
func (f *fixture) counts(s validate.SignatureReport) bool {
	return s.Parent == "" && (s.Form != "RFC3161" || f.report.Signatures[0].Form == "RFC3161")
}

// hasCode looks for a reason whose code begins so.
func hasCode(r validate.Report, code string) bool {
	for _, s := range r.Signatures {
		for _, e := range s.Reasons {
			if strings.HasPrefix(e.Code, code) {
				return true
			}
		}
	}
	return false
}

// older says whether a signature is proven older than it was.
func (f *fixture) older(s validate.SignatureReport) string {
	for _, o := range f.report.Signatures {
		if said(o) == said(s) && !s.BestSignatureTime.IsZero() && (o.BestSignatureTime.IsZero() || s.BestSignatureTime.Before(o.BestSignatureTime)) {
			return fmt.Sprintf("proven since %v, was %v", s.BestSignatureTime, o.BestSignatureTime)
		}
	}
	return ""
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// keep writes a file that should not have passed.
func keep(f *fixture, m mutant, file []byte) {
	if dir := os.Getenv("SIGILLO_ATTACKS_KEEP"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, unsafeName.ReplaceAllString(f.name+" "+m.kind+" "+m.part, "-")), file, 0o600)
	}
}
