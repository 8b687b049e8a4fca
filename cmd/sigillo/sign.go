package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/xades"
	"sigillo/pki/fetch"
)

// tokenRoom is what is kept free for a time-stamp token, in bytes.
const tokenRoom = 16 << 10

// interrupted is a signature between `sign prepare` and `sign assemble`: the key
// is elsewhere, and may be asked days later.
type interrupted struct {
	Form     string          `json:"form"`
	Level    ades.Level      `json:"level"`
	Prepared json.RawMessage `json:"prepared"`
}

// signature is what every form's Prepared can do.
type signature interface {
	DTBS() []byte
	DTBSR() []byte
	Algorithm() cms.Algorithm
	StampDigest(signature []byte, h crypto.Hash) ([]byte, error)
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

// signForms load what was prepared.
var signForms = map[string]func() signature{
	"pades": func() signature { return new(pades.Prepared) },
	"cades": func() signature { return new(cades.Prepared) },
	"xades": func() signature { return new(xades.Prepared) },
	"jades": func() signature { return new(jades.Prepared) },
}

func runSign(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "prepare":
			return runSignPrepare(ctx, e, args[1:])
		case "assemble":
			return runSignAssemble(ctx, e, args[1:])
		}
	}
	fmt.Fprint(e.err, "sigillo: say what to do: sign prepare … or sign assemble …; the key signs in between, wherever it is\n")
	return exitUsage
}

// signFlags are the options of `sign prepare`.
type signFlags struct {
	form, level, hash, certificate, chain, at     string
	pss, detached, parallel                       bool
	packaging, field, reason, location, contact   string
	certify, page                                 int
	rect, text, image, password, commitment, role string
	state, dtbs                                   string
}

func (s *signFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&s.form, "form", "", "pades, cades, xades or jades (default: by the name of the file)")
	fs.StringVar(&s.level, "level", "B-B", "B-B or B-T; raise further with `sigillo extend`")
	fs.StringVar(&s.hash, "hash", "SHA-256", "SHA-256, SHA-384 or SHA-512")
	fs.StringVar(&s.certificate, "certificate", "", "PEM file with the signer's certificate")
	fs.StringVar(&s.chain, "chain", "", "PEM file with the issuers to embed")
	fs.StringVar(&s.at, "time", "", "claimed time of signing, RFC 3339 (default: now)")
	fs.BoolVar(&s.pss, "pss", false, "RSASSA-PSS instead of PKCS#1 v1.5")
	fs.BoolVar(&s.detached, "detached", false, "leave the document out of the signature (cades, xades, jades)")
	fs.BoolVar(&s.parallel, "parallel", false, "let others sign the same document independently (xades)")
	fs.StringVar(&s.packaging, "packaging", "", "enveloped, enveloping, detached or internally-detached (xades)")
	fs.StringVar(&s.field, "field", "", "name of the signature field (pades)")
	fs.StringVar(&s.reason, "reason", "", "reason (pades)")
	fs.StringVar(&s.location, "location", "", "location (pades)")
	fs.StringVar(&s.contact, "contact", "", "contact (pades)")
	fs.IntVar(&s.certify, "certify", 0, "certify the PDF and allow: 1 no changes, 2 forms and signatures, 3 annotations too")
	fs.IntVar(&s.page, "page", 1, "page of a visible signature (pades)")
	fs.StringVar(&s.rect, "rect", "", "left,bottom,right,top of a visible signature, in points (pades)")
	fs.StringVar(&s.text, "text", "", "what a visible signature says; \\n begins a line (pades)")
	fs.StringVar(&s.image, "image", "", "PNG or JPEG of a visible signature (pades)")
	fs.StringVar(&s.password, "password-file", "", "file with the password of an encrypted PDF")
	fs.StringVar(&s.commitment, "commitment", "", "what the signature is meant for, such as proof-of-approval")
	fs.StringVar(&s.role, "role", "", "claimed role of the signer")
	fs.StringVar(&s.state, "state", "", "file for the prepared signature")
	fs.StringVar(&s.dtbs, "dtbs", "", "file for the data to be signed")
}

func runSignPrepare(_ context.Context, e env, args []string) int {
	var s signFlags
	fs := flags(e, "sign prepare")
	s.register(fs)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 || s.certificate == "" || s.state == "" {
		fmt.Fprintln(e.err, "sigillo: usage: sigillo sign prepare --certificate CERT.pem --state STATE.json [--dtbs FILE] FILE")
		return exitUsage
	}
	p, dtbs, err := s.prepare(fs.Arg(0))
	if err != nil {
		return failed(e, err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return failed(e, err)
	}
	data, err = json.Marshal(interrupted{s.form, ades.Level(s.level), data})
	if err != nil {
		return failed(e, err)
	}
	if err := os.WriteFile(s.state, data, 0o600); err != nil {
		return failed(e, err)
	}
	if s.dtbs != "" {
		if err := os.WriteFile(s.dtbs, dtbs, 0o600); err != nil {
			return failed(e, err)
		}
	}
	a := p.Algorithm()
	fmt.Fprintf(e.out, "scheme %s\n", a.Scheme)
	if a.Scheme == cms.Ed25519 {
		fmt.Fprintln(e.out, "sign the data of --dtbs themselves")
	} else {
		fmt.Fprintf(e.out, "hash   %s\ndigest %x\n", a.Hash, p.DTBSR())
	}
	return exitGood
}

// prepare prepares a signature of the file, and gives the data to be signed.
func (s *signFlags) prepare(path string) (p signature, dtbs []byte, err error) {
	if l := ades.Level(s.level); l != ades.BB && l != ades.BT {
		return nil, nil, errors.New("--level is B-B or B-T; use `sigillo extend` for B-LT and B-LTA")
	}
	f, size, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	certs, err := readCertificates(s.certificate)
	if err != nil {
		return nil, nil, err
	}
	chain := certs[1:]
	if s.chain != "" {
		if chain, err = readCertificates(s.chain); err != nil {
			return nil, nil, err
		}
	}
	at := time.Now()
	if s.at != "" {
		if at, err = time.Parse(time.RFC3339, s.at); err != nil {
			return nil, nil, fmt.Errorf("--time: %w", err)
		}
	}
	h := cms.HashByName(s.hash)
	if h == 0 {
		return nil, nil, fmt.Errorf("--hash %s is not one of SHA-256, SHA-384, SHA-512", s.hash)
	}
	room := 0
	if ades.Level(s.level) == ades.BT {
		room = tokenRoom
	}
	if s.form == "" {
		s.form = formOf(path)
	}
	p, err = s.prepareForm(f, size, path, signer{certs[0], chain, h, at, room, s.properties()})
	if err != nil {
		return nil, nil, err
	}
	if j, ok := p.(*jades.Prepared); ok { // whose data to be signed can hold the document
		dtbs, err = j.DTBSOf(f, size)
		return p, dtbs, err
	}
	return p, p.DTBS(), nil
}

// signer is what all forms are told.
type signer struct {
	certificate *x509.Certificate
	chain       []*x509.Certificate
	hash        crypto.Hash
	at          time.Time
	room        int
	properties  ades.Properties
}

func (s *signFlags) properties() (p ades.Properties) {
	if s.commitment != "" {
		p.Commitments = []ades.Commitment{ades.Commitment(s.commitment)}
	}
	if s.role != "" {
		p.ClaimedRoles = []string{s.role}
	}
	return p
}

// formOf gives the natural form of a file.
func formOf(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pdf":
		return "pades"
	case ".xml":
		return "xades"
	}
	return "cades"
}

func (s *signFlags) prepareForm(f io.ReaderAt, size int64, path string, by signer) (signature, error) {
	switch s.form {
	case "cades":
		return cades.Prepare(f, size, cades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss,
			SigningTime: by.at, Timestamp: by.room, Properties: by.properties, Detached: s.detached})
	case "xades":
		o := xades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at,
			Timestamp: by.room, Properties: by.properties, Packaging: xades.Packaging(s.packaging), Parallel: s.parallel}
		if s.detached {
			o.Packaging = xades.Detached
		}
		if o.Packaging == xades.Detached {
			o.Name = filepath.Base(path)
		}
		return xades.Prepare(f, size, o)
	case "jades":
		o := jades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at,
			Timestamp: by.room, Properties: by.properties, Name: filepath.Base(path)}
		if s.detached {
			o.Packaging = jades.Detached
		}
		return jades.Prepare(f, size, o)
	case "pades":
		o, err := s.pades(by)
		if err != nil {
			return nil, err
		}
		return pades.Prepare(f, size, o)
	}
	return nil, fmt.Errorf("--form %s is not one of pades, cades, xades, jades", s.form)
}

// pades are the options of a PDF signature.
func (s *signFlags) pades(by signer) (pades.Options, error) {
	o := pades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at, Timestamp: by.room,
		Properties: by.properties, Reason: s.reason, Location: s.location, Contact: s.contact, Name: by.certificate.Subject.CommonName,
		Field: s.field, Certify: pades.Permission(s.certify), Page: s.page}
	var err error
	if o.Password, err = readPassword(s.password); err != nil {
		return o, err
	}
	if s.text == "" && s.image == "" {
		return o, nil
	}
	o.Appearance = &appearance.Appearance{Text: strings.ReplaceAll(s.text, `\n`, "\n")}
	if s.image != "" {
		if o.Appearance.Image, err = os.ReadFile(s.image); err != nil {
			return o, err
		}
	}
	if s.rect != "" {
		if _, err := fmt.Sscanf(s.rect, "%g,%g,%g,%g", &o.Rect[0], &o.Rect[1], &o.Rect[2], &o.Rect[3]); err != nil {
			return o, errors.New("--rect wants four numbers: left,bottom,right,top")
		}
	}
	return o, nil
}

// readPassword reads the first line of a file; no name gives none.
func readPassword(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func openFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

func runSignAssemble(ctx context.Context, e env, args []string) int {
	fs := flags(e, "sign assemble")
	state := fs.String("state", "", "file that `sign prepare` wrote")
	value := fs.String("signature", "", "file with the signature value (ECDSA: DER, as openssl gives it)")
	tsa := fs.String("tsa", "", "address of the time-stamping authority, for B-T")
	out := fs.String("out", "", "file for the result")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 || *state == "" || *value == "" || *out == "" {
		fmt.Fprintln(e.err, "sigillo: usage: sigillo sign assemble --state STATE.json --signature FILE --out FILE [--tsa URL] FILE")
		return exitUsage
	}
	if err := assemble(ctx, *state, *value, *tsa, *out, fs.Arg(0)); err != nil {
		return failed(e, err)
	}
	fmt.Fprintln(e.out, *out)
	return exitGood
}

func assemble(ctx context.Context, state, value, tsa, out, path string) error {
	data, err := os.ReadFile(state)
	if err != nil {
		return err
	}
	var s interrupted
	if err := json.Unmarshal(data, &s); err != nil || signForms[s.Form] == nil {
		return fmt.Errorf("%s was not written by `sigillo sign prepare`", state)
	}
	p := signForms[s.Form]()
	if err := json.Unmarshal(s.Prepared, p); err != nil {
		return fmt.Errorf("%s: %w", state, err)
	}
	sig, err := os.ReadFile(value)
	if err != nil {
		return err
	}
	var token []byte
	if s.Level == ades.BT {
		if tsa == "" {
			return errors.New("a signature prepared as B-T needs --tsa URL")
		}
		digest, err := p.StampDigest(sig, crypto.SHA256)
		if err != nil {
			return err
		}
		if token, err = fetch.New(30*time.Second, time.Now).Stamp(ctx, tsa, crypto.SHA256, digest); err != nil {
			return err
		}
	}
	f, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeWhole(out, func(w io.Writer) error { return p.Assemble(w, f, size, sig, token) })
}

// writeWhole writes a file under its name only once it is whole.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once it is renamed
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
