package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"sigillo/formats/inspect"
	"sigillo/formats/legible"
	"sigillo/signing/worker"
)

// language is the user's, from the environment: Italian or English.
func language() string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			if strings.HasPrefix(s, "it") {
				return "it"
			}
			return "en"
		}
	}
	return "en"
}

// verdictExit are the exit codes of the inspection.
var verdictExit = map[inspect.Verdict]int{inspect.Allow: exitGood, inspect.Confirm: exitDoubtful, inspect.Refuse: exitBad}

func runInspect(ctx context.Context, e env, args []string) int {
	fs := flags(e, "inspect")
	fs.Usage = inspectionHelp(fs)
	named := fs.String("policy", "standard", "what is refused and what may be confirmed: standard, strict, or a `file`")
	asJSON := fs.Bool("json", false, "one JSON object a line")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		return failed(e, badUsage("indicare i file da esaminare", "name the files to inspect"))
	}
	policy, err := inspect.OpenPolicy(*named)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUsage
	}
	exe, err := os.Executable()
	if err != nil {
		return failed(e, err)
	}
	pool := worker.NewPool(exe, min(fs.NArg(), 2))
	defer pool.Close()
	worst := exitGood
	for _, path := range fs.Args() {
		r, err := pool.Inspect(ctx, path, path)
		if err != nil { // the report is a refusal
			fmt.Fprintln(e.err, "sigillo:", uninspected(path, err))
			worst = exitUnreadable
		}
		if ctx.Err() != nil { // nobody waits for the rest
			return exitUnreadable
		}
		r = policy.Judge(r)
		worst = max(worst, verdictExit[r.Verdict])
		if !*asJSON {
			if worker.KindOf(err) == worker.Unreadable {
				r.Findings = nil // they say what to do about a document, and there is none
			}
			printInspection(e.text(), path, r)
			continue
		}
		if err := printJSON(e.out, inspected{path, r}); err != nil {
			return failed(e, err)
		}
	}
	return worst
}

// uninspected says why there is no report on a file. One that cannot be opened has
// another remedy than one that cannot be inspected.
func uninspected(path string, err error) string {
	if worker.KindOf(err) != worker.Unreadable {
		return legible.Line(path) + ": " + err.Error()
	}
	cause := err
	var opening *os.PathError
	if errors.As(err, &opening) {
		cause = opening.Err
	}
	return legible.Line(path) + ": " + say("non si può leggere, controllare nome e permessi", "it cannot be read, check its name and permissions") +
		" (" + cause.Error() + ")"
}

// inspectionHelp is printed above the options.
func inspectionHelp(fs *flag.FlagSet) func() {
	return func() {
		fmt.Fprintln(fs.Output(), "Usage: sigillo inspect [--policy standard|strict|FILE] [--json] FILE…")
		fs.PrintDefaults()
		fmt.Fprintln(fs.Output(), "Exit code: 0 allow, 1 confirm, 2 refuse, 3 not to be read or not inspected to its end, 64 wrong call;\nof several files the gravest.")
	}
}

// inspected is a line of --json.
type inspected struct {
	File string `json:"file"`
	inspect.Report
}

func printInspection(w io.Writer, path string, r inspect.Report) {
	fmt.Fprintf(w, "%s: %s (%s)\n", legible.Line(path), r.Verdict, r.Format)
	for _, f := range r.Findings {
		place := f.Rule
		if f.Where != "" {
			place += ", " + f.Where
		}
		if f.Quote != "" {
			place += " «" + f.Quote + "»"
		}
		text := f.Text.En
		if language() == "it" {
			text = f.Text.It
		}
		fmt.Fprintf(w, "  %-8s %s: %s\n", f.Severity, place, text)
	}
	if r.Omitted > 0 {
		fmt.Fprintf(w, "  … +%d\n", r.Omitted)
	}
}

func printJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if !strings.HasSuffix(b.Type, "CERTIFICATE") { // such as a key beside it
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, tell(path+" non contiene alcun certificato in formato PEM", path+" holds no PEM certificate")
	}
	return out, nil
}

func readDER(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if b, _ := pem.Decode(data); b != nil {
		return b.Bytes, nil
	}
	return data, nil
}
