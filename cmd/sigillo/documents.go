package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
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
	named := fs.String("policy", "standard", "what is refused and what may be confirmed: standard, strict, or a `file`")
	asJSON := fs.Bool("json", false, "one JSON object a line")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		fmt.Fprintln(e.err, "sigillo: name the files to inspect")
		return exitUsage
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
			fmt.Fprintln(e.err, "sigillo:", err)
			worst = exitUnreadable
		}
		r = policy.Judge(r)
		worst = max(worst, verdictExit[r.Verdict])
		if !*asJSON {
			printInspection(e.text(), path, r)
			continue
		}
		if err := printJSON(e.out, inspected{path, r}); err != nil {
			return failed(e, err)
		}
	}
	return worst
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
