package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigillo/appliance"
	"sigillo/formats/validate"
	"sigillo/formats/validate/etsireport"
	"sigillo/formats/validate/policy"
	"sigillo/pki/fetch"
)

// When evidence is got on-line, fetchTimeout bounds one exchange and
// fetchAltogether all of them for one file, which says whom to ask.
const (
	fetchTimeout    = 15 * time.Second
	fetchAltogether = 90 * time.Second
)

// list is a flag that may be given several times, or have several values
// separated by commas.
type list []string

func (l *list) String() string { return "" }

// Set adds to the list. A comma may also be part of a file's name.
func (l *list) Set(v string) error {
	if _, err := os.Stat(v); err == nil {
		*l = append(*l, v)
		return nil
	}
	*l = append(*l, strings.FieldsFunc(v, func(r rune) bool { return r == ',' })...)
	return nil
}

// unverifiedPolicy is the policy that an appliance states whose clock nobody vouches
// for, unless it was configured otherwise.
var unverifiedPolicy = appliance.DefaultConfig().TSA.UnverifiedPolicy

// world are the options about whom to trust and what to know, which verifying
// and extending share.
type world struct {
	trust, certs, crls, ocsp, detached list
	unverified                         list // policies, beside that of this product
	policy, password                   string
	offline                            bool
}

func (o *world) register(fs *flag.FlagSet) {
	fs.Var(&o.trust, "trust", "PEM file with certificates to trust; may be repeated")
	fs.Var(&o.crls, "crl", "revocation list (DER or PEM); may be repeated")
	fs.Var(&o.ocsp, "ocsp", "OCSP answer (DER); may be repeated")
	fs.Var(&o.detached, "detached", "the document that a detached signature, a time-stamp or an evidence record is of; may be repeated")
	fs.Var(&o.detached, "content", "the same as --detached")
	fs.Var(&o.certs, "certs", "PEM file with certificates that are not in the file, such as that of a time-stamping unit; may be repeated")
	fs.Var(&o.unverified, "unverified-policy", "object identifier of a time-stamp policy under which nobody vouches for the time; a remark says so, as of "+unverifiedPolicy+"; may be repeated")
	fs.StringVar(&o.policy, "policy", "", "file with the rules about algorithms (default: after ETSI TS 119 312)")
	fs.StringVar(&o.password, "password-file", "", "file with the password of an encrypted PDF")
	fs.BoolVar(&o.offline, "offline", false, "fetch no issuers, revocation lists and OCSP answers")
}

// validator makes the validator that the options describe.
func (o *world) validator() (*validate.Validator, error) {
	var opt validate.Options
	for _, path := range o.trust {
		certs, err := readCertificates(path)
		if err != nil {
			return nil, err
		}
		opt.Anchors = append(opt.Anchors, certs...)
	}
	for _, path := range o.certs {
		certs, err := readCertificates(path)
		if err != nil {
			return nil, err
		}
		opt.Intermediates = append(opt.Intermediates, certs...)
	}
	var err error
	if opt.CRLs, err = readAll(o.crls); err != nil {
		return nil, err
	}
	if opt.OCSP, err = readAll(o.ocsp); err != nil {
		return nil, err
	}
	if o.policy != "" {
		data, err := os.ReadFile(o.policy)
		if err != nil {
			return nil, err
		}
		if opt.Policy, err = policy.Parse(data); err != nil {
			return nil, fmt.Errorf("%s: %w", o.policy, err)
		}
	}
	for _, text := range append(list{unverifiedPolicy}, o.unverified...) {
		oid, err := parseOID(text)
		if err != nil || oid == nil {
			return nil, badUsage(fmt.Sprintf("--unverified-policy: %q non è un OID", text), fmt.Sprintf("--unverified-policy: %q is no object identifier", text))
		}
		opt.Unvouched = append(opt.Unvouched, oid)
	}
	if !o.offline {
		opt.Fetch = fetch.New(fetchTimeout, time.Now)
	}
	return validate.New(opt)
}

func readAll(paths []string) (out [][]byte, err error) {
	for _, path := range paths {
		der, err := readDER(path)
		if err != nil {
			return nil, err
		}
		out = append(out, der)
	}
	return out, nil
}

// contents opens the documents of detached signatures. Call closing afterwards.
func (o *world) contents() (out []validate.Content, closing func(), err error) {
	var files []*os.File
	closing = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, path := range o.detached {
		f, size, err := openFile(path)
		if err != nil {
			closing()
			return nil, nil, err
		}
		files = append(files, f)
		out = append(out, validate.Content{Name: filepath.Base(path), Data: f, Size: size})
	}
	return out, closing, nil
}

func runVerify(ctx context.Context, e env, args []string) int {
	var o world
	fs := flags(e, "verify")
	o.register(fs)
	at := fs.String("at", "", "time to validate at, RFC 3339 (default: now)")
	asJSON := fs.Bool("json", false, "one JSON object a line")
	report := fs.String("report", "", "file for the validation report of ETSI TS 119 102-2 (XML); one FILE only")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 || *report != "" && fs.NArg() > 1 {
		fmt.Fprintln(e.err, "sigillo: name the files to verify, one with --report")
		return exitUsage
	}
	v, err := o.validator()
	if err != nil {
		return usageError(e, err)
	}
	now := time.Now()
	if *at != "" {
		if now, err = time.Parse(time.RFC3339, *at); err != nil {
			return usageError(e, fmt.Errorf("--at: %w", err))
		}
	}
	contents, closing, err := o.contents()
	if err != nil {
		return usageError(e, err)
	}
	defer closing()
	password, err := readPassword(o.password)
	if err != nil {
		return usageError(e, err)
	}
	worst := exitGood
	for _, path := range fs.Args() {
		r, err := verifyFile(ctx, v, path, validate.Document{Time: now, Contents: contents, Password: password})
		if err != nil {
			fmt.Fprintf(e.err, "sigillo: %s: %s\n", path, reason(err))
			worst = exitUnreadable
			if *asJSON {
				err = printJSON(e.out, unreadable(path, now, err))
			} else {
				err = nil
			}
		} else {
			worst = max(worst, r.Exit())
			r.File = path // as it was given, for others may have the same name in another folder
			err = show(e, r, *asJSON, *report)
		}
		if err != nil {
			return usageError(e, err)
		}
	}
	return worst
}

// unreadable is what is told in JSON of a file that could not be judged, so that
// each file named has its line.
func unreadable(path string, at time.Time, err error) any {
	return struct {
		validate.Report
		Error string `json:"error"`
	}{validate.Report{File: path, Validated: at.UTC(), Indication: validate.NoSignature, Signatures: []validate.SignatureReport{}}, err.Error()}
}

// usageError is for options that cannot be followed: nothing was judged.
func usageError(e env, err error) int {
	fmt.Fprintln(e.err, "sigillo:", err)
	return exitUsage
}

func verifyFile(ctx context.Context, v *validate.Validator, path string, d validate.Document) (validate.Report, error) {
	f, size, err := openFile(path)
	if err != nil {
		return validate.Report{}, err
	}
	defer f.Close()
	d.Data, d.Size, d.Name = f, size, path
	ctx, cancel := context.WithTimeout(ctx, fetchAltogether)
	defer cancel()
	return v.Validate(ctx, d)
}

// show prints a report.
func show(e env, r validate.Report, asJSON bool, report string) error {
	var err error
	if asJSON {
		err = printJSON(e.out, r)
	} else {
		_, err = io.WriteString(e.out, r.Text(language()))
	}
	if report == "" || r.Indication == validate.NoSignature { // a report must have something to report on
		return err
	}
	return errors.Join(err, writeWhole(report, func(w io.Writer) error { return etsireport.Write(w, r, etsireport.Options{}) }))
}
