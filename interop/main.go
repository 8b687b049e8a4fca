// Command interop has programs that are not ours judge the signatures that we
// make, and has us judge those that others make. It makes a throw-away
// public-key infrastructure, signs with every form, level, packaging and type of
// key straight from the packages below formats, and prints a matrix: a row for
// each kind of signature, a column for each judge. The last line is
// "N passed, N failed".
//
// Every signature must be accepted by all judges that know its form, and a copy
// in which the signed document was altered must be refused by them; a judge that
// could not be set up is marked as missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// run is one run of the suite.
type run struct {
	dir       string // all that is made
	documents string // what is signed
	sigillo   string
	dss       []string // command of EU DSS as a judge that stays running
	dssOnce   []string // and of one that does not
	maker     []string // command of EU DSS as a maker
	hanko     []string // command of pyHanko as a maker
	hankoOnce []string // and as a judge that does not stay running
	python    string   // with the libraries that make PDFs
	contract  string   // command of schemathesis
	pki       *pki
	files     pkiFiles
	services  *services
	matrix    *matrix
	judges    []judge
}

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	documents := flag.String("documents", "testdata/documents", "folder with the documents to sign")
	program := flag.String("sigillo", "bin/sigillo", "our own program")
	jar := flag.String("dss", "", "jar with the judge and maker around EU DSS; none: it is missing")
	hanko := flag.String("pyhanko", "", "command that judges with pyHanko; none: it is missing")
	python := flag.String("python", "", "Python with the libraries that make PDFs; none: they are missing")
	contract := flag.String("schemathesis", "", "command of schemathesis, which asks the CSC API; none: it is missing")
	keep := flag.String("keep", "", "folder to leave all files in")
	only := flag.String("only", "", "run only these groups, with commas between: "+strings.Join(groupNames(), " "))
	rates := flag.Bool("rates", false, "only measure how fast files of level B-LTA are validated")
	flag.Parse()
	r := &run{documents: *documents, sigillo: *program, dir: *keep, python: *python, contract: *contract}
	if r.dir != "" {
		abs, err := filepath.Abs(r.dir) // programs run in folders of their own
		if err != nil {
			return err
		}
		r.dir = abs
	}
	if r.dir == "" {
		tmp, err := os.MkdirTemp("", "sigillo-interop-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		r.dir = tmp
	}
	if err := r.setUp(*jar, strings.Fields(*hanko)); err != nil {
		return err
	}
	defer r.stop()
	if *rates {
		return r.rates(ctx, *jar, strings.Fields(*hanko))
	}
	return r.groups(ctx, *only)
}

// groups runs what was asked for and prints the total.
func (r *run) groups(ctx context.Context, only string) error {
	for _, g := range groups {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		began := time.Now()
		if err := g.run(r, ctx); err != nil { // the other groups can be run all the same
			r.matrix.broken(g.title, "sigillo", err)
		}
		r.matrix.print(g.title)
		fmt.Printf("%s took %.0f s\n\n", g.title, time.Since(began).Seconds())
	}
	fmt.Printf("%d passed, %d failed\n", r.matrix.passed, r.matrix.failed)
	if r.matrix.failed > 0 {
		return fmt.Errorf("%d judgements were not what they must be", r.matrix.failed)
	}
	return nil
}

// setUp makes the PKI and starts the services and judges.
func (r *run) setUp(jar string, hanko []string) error {
	var err error
	if r.services, err = listen(); err != nil {
		return err
	}
	if r.pki, err = newPKI(r.services.base()); err != nil {
		return err
	}
	r.services.pki = r.pki
	r.services.serve()
	if r.files, err = r.pki.write(filepath.Join(r.dir, "pki")); err != nil {
		return err
	}
	trust := []string{"--trust", r.files.root, "--crl", r.files.rootCRL, "--crl", r.files.caCRL}
	var vera []string
	if jar != "" {
		java := []string{"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g", "-Djava.awt.headless=true"}
		r.dss = append(append(slices.Clone(java), "-jar", jar), append(trust, "--serve")...)
		r.dssOnce = append(slices.Clone(java), "-jar", jar)
		vera = append(slices.Clone(java), "-cp", jar, "Archivable", "--serve")
		r.maker = append(append(slices.Clone(java), "-cp", jar, "Make"), append(trust, "--cert", r.files.ca)...)
	}
	if len(hanko) > 0 {
		r.hankoOnce = slices.Clone(hanko)
		r.hanko = []string{hanko[0], filepath.Join(filepath.Dir(hanko[len(hanko)-1]), "make.py")}
		hanko = append(slices.Clone(hanko), append(trust, "--serve")...)
	}
	r.judges = append([]judge{
		&ours{r.sigillo, r.files},
		&euDSS{server{title: "EU DSS", command: r.dss}},
		&pyHanko{server{title: "pyHanko", command: hanko}},
		&veraPDF{server{title: "veraPDF", command: vera}},
	}, tools(r.files)...)
	r.matrix = newMatrix(os.Stdout, r.judges)
	for _, j := range r.judges {
		if why := j.missing(); why != "" {
			fmt.Println("  MISSING ", why)
		}
	}
	return nil
}

func (r *run) stop() {
	for _, j := range r.judges {
		switch j := j.(type) {
		case *euDSS:
			j.stop()
		case *pyHanko:
			j.stop()
		case *veraPDF:
			j.stop()
		}
	}
}

// document gives the path of a document of the suite.
func (r *run) document(name string) string { return filepath.Join(r.documents, name) }

func nameOf(path string) string { return filepath.Base(path) }

// judge has samples, and altered copies of them, judged.
func (r *run) judge(ctx context.Context, samples []sample) error {
	r.matrix.declare(samples)
	all := slices.Clone(samples)
	for _, s := range samples {
		a, err := alter(s)
		if err != nil {
			r.matrix.broken(s.kind, "sigillo", fmt.Errorf("no altered copy: %w", err))
			continue
		}
		all = append(all, a)
	}
	ask(ctx, r.matrix, r.judges, all)
	return nil
}
