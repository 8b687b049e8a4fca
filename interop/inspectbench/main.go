// Command inspectbench measures how fast documents are inspected, beside the
// least that reading them costs and beside the scanners that people run on the
// same files: olevba, oleid, pdfid and clamd. It prints lines for scripts/bench.sh.
//
// A rate is that of a processor: bytes of the file in a second of processor time
// of the process that looks at them, all its threads and the collector counted,
// so that other work on the machine counts little. Ours, floor and peers take
// turns. The wait of a document, p50 and p95, is of the clock, through the pool
// of workers that the service has, from the file to the report.
//
// The peers look for other things than we do, and for fewer: they say what it
// costs to look at all, not who sees more.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sigillo/signing/worker"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == worker.Command {
		os.Exit(worker.Main(os.Args[2:]))
	}
	dir := flag.String("documents", ".interop/inspect", "where the documents are, or are made")
	python := flag.String("python", "", "a Python that has oletools and pdfid; empty: missing")
	clamd := flag.String("clamav", "", "the folder of ClamAV's program and libraries; empty: missing")
	only := flag.String("only", "", "the documents whose names have this in them")
	rounds := flag.Int("rounds", 4, "how often each looks at a document; the best counts")
	waits := flag.Int("waits", 30, "how often a document goes through the pool")
	flag.Parse()
	b := bench{only: *only, rounds: *rounds, waits: *waits}
	if err := b.run(*dir, *python, *clamd); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	only          string
	rounds, waits int
	python        *scanners
	clam          *clamd
	pool          *worker.Pool
}

func (b *bench) run(dir, python, clamav string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := makeDocuments(dir); err != nil {
		return err
	}
	if b.python, err = startScanners(python); err != nil {
		fmt.Fprintln(os.Stderr, "bench: olevba, oleid and pdfid are missing:", err)
	}
	defer b.python.close()
	if b.clam, err = startClamd(clamav); err != nil {
		fmt.Fprintln(os.Stderr, "bench: clamd is missing:", err)
	}
	defer b.clam.close()
	b.pool = worker.NewPool("", 2)
	defer b.pool.Close()
	for _, d := range documents {
		path := filepath.Join(dir, d.name)
		if strings.HasPrefix(d.name, "testdata/") {
			path = d.name
		}
		if _, err := os.Stat(path); err != nil || !strings.Contains(d.name, b.only) {
			continue
		}
		if err := b.document(path, d.title, d.floor, d.peers); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return nil
}

// document prints the lines of one.
func (b *bench) document(path, title string, floor floor, peers []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name := strings.NewReplacer("-", ".", ".", ".").Replace(filepath.Base(path))
	size := float64(len(data)) / 1e6
	fmt.Fprintf(os.Stderr, "bench: %s: %s, %.2f MB\n", name, title, size)
	best := map[string]time.Duration{}
	take := func(who string, took time.Duration, err error) {
		if errors.Is(err, errMissing) { // told once, at the start
			return
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s does not look at %s: %v\n", who, filepath.Base(path), err)
			return
		}
		if before, ok := best[who]; took > 0 && (!ok || took < before) {
			best[who] = took
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range b.rounds {
		took, err := inspectOnce(data, path)
		if err != nil {
			return err
		}
		take("ours", took, nil)
		took, err = floorOnce(floor, data)
		take("floor", took, err)
	}
	for _, peer := range peers {
		if peer == "clamd" {
			took, err := b.clam.scan(data)
			take(peer, took, err)
			continue
		}
		for range 2 {
			took, err := b.python.scan(peer, path)
			take(peer, took, err)
		}
	}
	rate := func(who string) float64 {
		if best[who] == 0 {
			return 0
		}
		return size / best[who].Seconds()
	}
	fmt.Println(line("inspect."+name+".mbps", rate("ours"), "MB/s", floorTitles[floor], rate("floor")))
	for _, peer := range peers {
		fmt.Println(line("inspect."+name+".vs-"+peer, rate("ours"), "MB/s", peer, rate(peer)))
	}
	p50, p95, err := b.wait(path)
	if err != nil {
		return err
	}
	fmt.Println(line("inspect."+name+".p95", p95, "ms", "p50", p50))
	return nil
}

// line is a figure; a side that was not measured is called missing.
func line(figure string, ours float64, unit, with string, theirs float64) string {
	if theirs == 0 {
		return fmt.Sprintf("%s\t%.4g\t%s\t%s\tmissing\tmissing", figure, ours, unit, with)
	}
	return fmt.Sprintf("%s\t%.4g\t%s\t%s\t%.4g\t%.3f", figure, ours, unit, with, theirs, ours/theirs)
}
