package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigillo/signing"
)

// signedFile is one signature to be judged. An altered one must be refused.
type signedFile struct {
	what, path string
	form       signing.Form
	level      signing.Level
	altered    bool
}

// outsider is a judge from another ecosystem. It is asked about all files in
// one run, because starting it is what costs. Its command takes --trust ROOT,
// --crl LIST for each list, and the files, fetches nothing, and prints one
// line a file, tab-separated:
//
//	path, what it found, indication, subindication, remarks, perhaps more
type outsider struct {
	name    string
	command []string // none: the judge could not be set up
	// finds gives what the judge must find in a signature of this form and
	// level, or nothing when it does not judge the form.
	finds func(signing.Form, signing.Level) string
}

// euDSS is the Commission's own library. It tells the form and the baseline
// level, and says PKCS7 or XAdES-B where a requirement of the level is broken.
func euDSS(command string) outsider {
	forms := map[signing.Form]string{signing.PAdES: "PAdES", signing.CAdES: "CAdES", signing.XAdES: "XAdES"}
	return outsider{"EU DSS", strings.Fields(command), func(f signing.Form, l signing.Level) string {
		return forms[f] + "-BASELINE-" + strings.TrimPrefix(string(l), "B-")
	}}
}

// pyHanko judges PDF and CMS, not the profile: it tells the kind of signature
// and what came with it and after it.
func pyHanko(command string) outsider {
	kinds := map[signing.Form]string{signing.PAdES: "ETSI.CAdES.detached", signing.CAdES: "CMS"}
	return outsider{"pyHanko", strings.Fields(command), func(f signing.Form, l signing.Level) string {
		found := kinds[f]
		if found != "" && l.AtLeast(signing.BT) {
			found += "+timestamp"
		}
		if f == signing.PAdES && l.AtLeast(signing.BLT) {
			found += "+DSS"
		}
		if f == signing.PAdES && l == signing.BLTA {
			found += "+DocTimeStamp"
		}
		return found
	}}
}

// verdict is one line of an outsider's answer.
type verdict struct{ found, indication, sub, remarks string }

// judgeOutside asks each outsider about all signed files, and about an altered
// copy of one of each form, without which a judge that accepts anything would
// look as good as one that looks.
func (d *demonstration) judgeOutside(ctx context.Context, judges ...outsider) error {
	crls, err := d.lists()
	if err != nil {
		return err
	}
	if err := d.addAltered(); err != nil {
		return err
	}
	for _, o := range judges {
		var files []signedFile
		for _, f := range d.files {
			switch {
			case o.finds(f.form, f.level) == "":
			case len(o.command) == 0:
				d.cells = append(d.cells, cell{f.what, o.name, "missing"})
			default:
				files = append(files, f)
			}
		}
		if len(o.command) == 0 {
			fmt.Fprintf(d.e.out, "  MISSING  %s was not set up and judges nothing\n", o.name)
			continue
		}
		said, err := o.ask(ctx, d.layout().Root(), crls, files)
		for _, f := range files {
			d.cell(f.what, o.name, o.judge(f, said, err))
		}
	}
	return nil
}

// ask runs the judge. What it said before it failed still counts.
func (o outsider) ask(ctx context.Context, root string, crls []string, files []signedFile) (map[string]verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	args := append(o.command[1:len(o.command):len(o.command)], "--trust", root)
	for _, crl := range crls {
		args = append(args, "--crl", crl)
	}
	for _, f := range files {
		args = append(args, f.path)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, o.command[0], args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", o.name, err, strings.TrimSpace(log.String()))
	}
	said := map[string]verdict{}
	for line := range strings.Lines(string(out)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(col) >= 5 {
			said[col[0]] = verdict{col[1], col[2], col[3], col[4]}
		}
	}
	return said, err
}

// judge holds what the outsider said about a file against what it must say.
func (o outsider) judge(f signedFile, said map[string]verdict, err error) judgement {
	v, ok := said[f.path]
	if !ok {
		if err == nil {
			err = errors.New(o.name + " said nothing about this file")
		}
		return judgement{err: err}
	}
	want := verdict{found: o.finds(f.form, f.level), indication: "TOTAL_PASSED", sub: "-"}
	if f.altered {
		want.indication, want.sub = "TOTAL_FAILED", "HASH_FAILURE"
	}
	saw := v.found + " " + v.indication
	if v.sub != "-" {
		saw += " " + v.sub
	}
	if v.found != want.found || v.indication != want.indication || v.sub != want.sub {
		return judgement{err: fmt.Errorf("%s said %s, not %s %s: %s", o.name, saw, want.found, want.indication, v.remarks)}
	}
	return judgement{saw: saw}
}

// alterAfter are bytes of the signed documents; the one that follows them can
// change without making the file unreadable.
var alterAfter = map[signing.Form]string{
	signing.PAdES: "%PDF-1.",
	signing.CAdES: "PK\x03\x04", // of the DOCX inside
	signing.XAdES: "<Numero>",
}

// addAltered adds a copy of the first time-stamped file of each form in which
// one bit of the document is changed.
func (d *demonstration) addAltered() error {
	done := map[signing.Form]bool{}
	for _, f := range d.files {
		if f.level != signing.BT || done[f.form] {
			continue
		}
		done[f.form] = true
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		at := bytes.Index(data, []byte(alterAfter[f.form]))
		if at < 0 {
			return fmt.Errorf("%s does not contain %q", f.path, alterAfter[f.form])
		}
		data[at+len(alterAfter[f.form])] ^= 1
		f.path = filepath.Join(filepath.Dir(f.path), "altered-"+filepath.Base(f.path))
		if err := os.WriteFile(f.path, data, 0o600); err != nil {
			return err
		}
		f.what, f.altered = string(f.form)+" altered is refused", true
		d.files = append(d.files, f)
	}
	return nil
}
