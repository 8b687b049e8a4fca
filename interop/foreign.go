package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// madeByDSS has EU DSS make every kind of signature that it can, and has our own
// validator judge them. EU DSS judges its own too: what it does not accept
// itself, nobody is asked about.
func (r *run) madeByDSS(ctx context.Context) error {
	if r.maker == nil {
		r.matrix.absent(sample{kind: "all kinds"}, "EU DSS")
		return nil
	}
	args := append(r.maker[1:len(r.maker):len(r.maker)], "--pdf", r.document("contratto.pdf"), "--xml", r.document("fattura.xml"), "--any", r.document("lettera.docx"))
	for _, t := range keyTypes {
		key, chain := r.files.key(t)
		args = append(args, "--signer", t, key, chain)
	}
	key, chain := r.files.key("tsa")
	args = append(args, "--tsa", key, chain, filepath.Join(r.dir, "dss"))
	cmd := exec.CommandContext(ctx, r.maker[0], args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("EU DSS could not make signatures: %w: %s", err, log.Bytes())
	}
	if err := os.WriteFile(filepath.Join(r.dir, "dss.tsv"), out, 0o600); err != nil {
		return err
	}
	var samples []sample
	for line := range strings.Lines(string(out)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(col) != 4 {
			return fmt.Errorf("EU DSS printed %q", line)
		}
		if col[2] == "-" {
			r.matrix.broken(col[0], "EU DSS", fmt.Errorf("could not make it: %s", col[3]))
			continue
		}
		s := sample{kind: col[0], form: formOf(col[0]), levels: col[1], path: col[2]}
		s.document, s.wrapped = r.original(s), strings.Contains(col[0], "of a .p7m")
		s.key = col[0][strings.LastIndex(col[0], " ")+1:]
		if col[3] != "-" {
			s.contents = []string{r.document(col[3])}
		}
		samples = append(samples, s)
	}
	return r.judge(ctx, samples)
}

// formOf reads the form from the name of a kind.
func formOf(kind string) form {
	switch {
	case strings.HasPrefix(kind, "ASiC") && strings.Contains(kind, "XAdES"):
		return asicXades
	case strings.HasPrefix(kind, "ASiC"):
		return asicCades
	}
	return form(kind[:len(cadesForm)])
}

// original finds what EU DSS was given to sign: the one whose octets, or whose
// base64, stand in the file.
func (r *run) original(s sample) string {
	switch s.form {
	case padesForm:
		return r.document("contratto.pdf")
	case xadesForm:
		return r.document("fattura.xml")
	case jadesForm:
		data, err := os.ReadFile(s.path)
		if err == nil && bytes.Contains(data, []byte("FatturaElettronica")) {
			return r.document("fattura.xml")
		}
	}
	return r.document("lettera.docx")
}
