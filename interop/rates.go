package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/validate"
)

// The rates are how many files of level B-LTA are validated in a second of
// processor time, by us and by others, the same files in the same run. All are
// warm: the others answer one request after the other in one process that has
// answered many before.

// Rounds and files of a round; the median of the rounds counts. The Java machine
// needs a few hundred files before it has translated all it will.
const (
	rounds     = 5
	dssWarmth  = 200
	dssRound   = 20
	pyWarmth   = 4
	pyRound    = 8
	ownWarmth  = 200
	ownRound   = 400
	clockTicks = 100 // of /proc in a second, on every Linux
)

// validator validates a file and says what processor time it has used so far.
type validator struct {
	name          string
	warmth, round int
	one           func(ctx context.Context, path string) error
	used          func() (time.Duration, error)
	stop          func()
}

// rates measures and prints lines of the table of make bench.
func (r *run) rates(ctx context.Context, jar string, hanko []string) error {
	own, err := r.ownValidator()
	if err != nil {
		return err
	}
	trust := []string{"--trust", r.files.root, "--crl", r.files.rootCRL, "--crl", r.files.caCRL}
	var dss, py *validator
	if jar != "" {
		dss = peer("EU DSS", dssWarmth, dssRound, slices.Concat([]string{"java", "-XX:+UseSerialGC", "-Xmx1g", "-Djava.awt.headless=true", "-jar", jar}, trust, []string{"--serve"}))
		defer dss.stop()
	}
	if len(hanko) > 0 {
		rate := filepath.Join(filepath.Dir(hanko[len(hanko)-1]), "rate.py")
		py = peer("pyHanko", pyWarmth, pyRound, slices.Concat([]string{hanko[0], rate}, trust, []string{"--serve"}))
		defer py.stop()
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "rates"), 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		figure string
		kind   kind
	}{{"pades", padesKinds()[0]}, {"cades", cadesKinds()[0]}, {"xades", xadesKinds()[0]}, {"jades", kindOf(jadesKinds(), "general")}} {
		files, err := r.archived(f.kind)
		if err != nil {
			return err
		}
		if err := compare(ctx, "validate."+f.figure+".blta.vs-dss", files, own, dss, "EU DSS, warm"); err != nil {
			return err
		}
		if f.figure == "pades" {
			if err := compare(ctx, "validate.pades.blta.vs-pyhanko", files, own, py, "pyHanko, warm"); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindOf finds the first kind that reaches B-LTA and whose packaging is called so, else the first that does.
func kindOf(all []kind, packaging string) kind {
	var first *kind
	for i, k := range all {
		if !slices.Contains(k.levels, ades.BLTA) {
			continue
		}
		if first == nil {
			first = &all[i]
		}
		if strings.Contains(k.packaging, packaging) {
			return k
		}
	}
	return *first
}

// archived makes files of level B-LTA.
func (r *run) archived(k kind) ([]string, error) {
	var files []string
	for _, key := range []string{"p256", "rsa2048"} {
		s, err := k.sample(&craft{r.pki, r.services}, r, filepath.Join(r.dir, "rates"), key, ades.BLTA)
		if err != nil {
			return nil, err
		}
		files = append(files, s.path)
	}
	return files, nil
}

// compare lets two validators take turns.
func compare(ctx context.Context, figure string, files []string, own, other *validator, with string) error {
	if other == nil {
		fmt.Printf("%s\tmissing\t1/s\t%s\tmissing\tmissing\n", figure, with)
		return nil
	}
	for _, v := range []*validator{own, other} {
		if _, err := v.run(ctx, files, v.warmth); err != nil {
			return err
		}
		v.warmth = 3 * v.round // for another form less is needed
	}
	var ours, theirs []float64
	for range rounds {
		for v, rates := range map[*validator]*[]float64{own: &ours, other: &theirs} {
			rate, err := v.run(ctx, files, v.round)
			if err != nil {
				return err
			}
			*rates = append(*rates, rate)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	o, t := ours[rounds/2], theirs[rounds/2]
	fmt.Printf("%s\t%.4g\t1/s\t%s\t%.4g\t%.3f\n", figure, o, with, t, o/t)
	return nil
}

// run validates n files and gives the rate.
func (v *validator) run(ctx context.Context, files []string, n int) (float64, error) {
	before, err := v.used()
	if err != nil {
		before = 0 // it is not started before it is asked
	}
	for i := range n {
		if err := v.one(ctx, files[i%len(files)]); err != nil {
			return 0, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	after, err := v.used()
	return float64(n) / (after - before).Seconds(), err
}

// ownValidator reads, validates and reports in this process.
func (r *run) ownValidator() (*validator, error) {
	v, err := validate.New(validate.Options{Anchors: []*x509.Certificate{r.pki.root}, CRLs: [][]byte{r.pki.rootCRL, r.pki.caCRL}})
	if err != nil {
		return nil, err
	}
	one := func(ctx context.Context, path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		report, err := v.Validate(ctx, validate.Document{Data: f, Size: info.Size(), Name: path, Time: time.Now()})
		if err != nil {
			return err
		}
		if report.Indication != validate.TotalPassed || report.Signatures[0].Level != string(ades.BLTA) {
			return fmt.Errorf("%s is %s", path, report.Text("en"))
		}
		_, err = json.Marshal(report)
		return err
	}
	used := func() (time.Duration, error) {
		var u syscall.Rusage
		err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
	}
	return &validator{"sigillo", ownWarmth, ownRound, one, used, func() {}}, nil
}

// peer is a program that stays running.
func peer(name string, warmth, round int, command []string) *validator {
	s := &server{title: name, command: command}
	one := func(ctx context.Context, path string) error {
		col, err := s.answer(ctx, path, "-", "-", "-")
		if err != nil {
			return err
		}
		if col[2] != "TOTAL_PASSED" || name == "EU DSS" && !strings.HasSuffix(col[1], "-BASELINE-LTA") {
			return fmt.Errorf("said %s", strings.Join(col, " "))
		}
		return nil
	}
	used := func() (time.Duration, error) {
		if s.cmd == nil {
			return 0, fmt.Errorf("%s does not run", name)
		}
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(data), ") ") // behind the name, which may have anything in it
		col := strings.Fields(rest)
		user, err := strconv.ParseInt(col[11], 10, 64)
		if err != nil {
			return 0, err
		}
		system, err := strconv.ParseInt(col[12], 10, 64)
		return time.Duration(user+system) * time.Second / clockTicks, err
	}
	return &validator{name, warmth, round, one, used, s.stop}
}
