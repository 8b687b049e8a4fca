package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/xades"
)

// tokenRoom is what is kept free for a time-stamp token, in bytes.
const tokenRoom = 16 << 10

// interrupted is a signature between `sign prepare` and `sign assemble`: the key
// is elsewhere, and may be asked days later.
type interrupted struct {
	Form     string          `json:"form"`
	Level    ades.Level      `json:"level"`
	Prepared json.RawMessage `json:"prepared"`
	SHA256   []byte          `json:"sha256"` // of the others, against mistakes in between
}

func (s *interrupted) sum() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s", s.Form, s.Level, s.Prepared)
	return h.Sum(nil)
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
	"asic":  func() signature { return new(container) },
}

// container is an ASiC signature, which is put around its documents.
type container struct {
	asic.Prepared
	docs []asic.Document
}

// Assemble writes the container around the documents that were opened for it.
func (c *container) Assemble(w io.Writer, _ io.ReaderAt, _ int64, signature, token []byte) error {
	return c.Prepared.Assemble(w, c.docs, signature, token)
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
	packaging, element                            string
	field, reason, location, contact              string
	certify, page                                 int
	rect, text, image, password, commitment, role string
	state, dtbs                                   string
}

func (s *signFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&s.form, "form", "", "pades, cades, xades, jades, or a container: asic-s-cades, asic-s-xades, asic-e-cades, asic-e-xades (default: by the name of the file)")
	fs.StringVar(&s.level, "level", "B-B", "B-B or B-T; raise further with `sigillo extend`")
	fs.StringVar(&s.hash, "hash", "", "SHA-256, SHA-384 or SHA-512 (default: SHA-256, or what the key asks for)")
	fs.StringVar(&s.certificate, "certificate", "", "PEM file with the signer's certificate")
	fs.StringVar(&s.chain, "chain", "", "PEM file with the issuers to embed")
	fs.StringVar(&s.at, "time", "", "claimed time of signing, RFC 3339 (default: now)")
	fs.BoolVar(&s.pss, "pss", false, "RSASSA-PSS instead of PKCS#1 v1.5")
	fs.BoolVar(&s.detached, "detached", false, "leave the document out of the signature (cades, xades, jades)")
	fs.BoolVar(&s.parallel, "parallel", false, "let others sign the same document independently (xades)")
	fs.StringVar(&s.packaging, "packaging", "", "enveloped, enveloping, enveloping-xml, detached or internally-detached (xades)")
	fs.StringVar(&s.element, "element", "", "Id of the element to sign instead of the whole document (xades, enveloped or internally-detached)")
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
	if fs.NArg() < 1 || fs.NArg() > 1 && !s.container() || s.certificate == "" || s.state == "" {
		fmt.Fprintln(e.err, "sigillo: usage: sigillo sign prepare --certificate CERT.pem --state STATE.json [--dtbs FILE] FILE (a container: FILE…)")
		return exitUsage
	}
	p, dtbs, err := s.prepare(fs.Args())
	if err != nil {
		return failed(e, err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return failed(e, err)
	}
	state := interrupted{Form: stateForm(s.form), Level: ades.Level(s.level), Prepared: data}
	state.SHA256 = state.sum()
	data, err = json.Marshal(state)
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
func (s *signFlags) prepare(paths []string) (p signature, dtbs []byte, err error) {
	if l := ades.Level(s.level); l != ades.BB && l != ades.BT {
		return nil, nil, errors.New("--level is B-B or B-T; use `sigillo extend` for B-LT and B-LTA")
	}
	docs, closing, err := openDocuments(paths)
	if err != nil {
		return nil, nil, err
	}
	defer closing()
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
	if err := signs(certs[0], at); err != nil {
		return nil, nil, err
	}
	room := 0
	if ades.Level(s.level) == ades.BT {
		room = tokenRoom
	}
	if s.form == "" {
		s.form = formOf(paths[0])
	}
	h, err := s.digest(certs[0])
	if err != nil {
		return nil, nil, err
	}
	p, err = s.prepareForm(docs, signer{certs[0], chain, h, at, room, s.properties()})
	if err != nil {
		return nil, nil, err
	}
	if j, ok := p.(*jades.Prepared); ok { // whose data to be signed can hold the document
		dtbs, err = j.DTBSOf(docs[0].Reader, docs[0].Size)
		return p, dtbs, err
	}
	return p, p.DTBS(), nil
}

// signs reports why nobody would accept a signature with this certificate.
func signs(c *x509.Certificate, at time.Time) error {
	name := cms.ReadableName(c.RawSubject)
	if c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return fmt.Errorf("the certificate of %s is not for signing documents: its keyUsage has neither digitalSignature nor nonRepudiation", name)
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return fmt.Errorf("the certificate of %s is valid from %s to %s, which is not at the claimed time of signing, %s",
			name, c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}

// digest gives the digest algorithm; when none is named, one that goes with the key.
func (s *signFlags) digest(c *x509.Certificate) (crypto.Hash, error) {
	if s.hash != "" {
		h := cms.HashByName(s.hash)
		if h == 0 {
			return 0, fmt.Errorf("--hash %s is not one of SHA-256, SHA-384, SHA-512", s.hash)
		}
		return h, nil
	}
	if _, ok := c.PublicKey.(ed25519.PublicKey); ok {
		return crypto.SHA512, nil // RFC 8419 §3.1
	}
	if s.form == "jades" {
		return 0, nil // JWS binds it to the curve
	}
	return crypto.SHA256, nil
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

// container reports whether the form is a container.
func (s *signFlags) container() bool { return stateForm(s.form) == "asic" }

// stateForm gives the name under which a form is stored.
func stateForm(form string) string {
	if strings.HasPrefix(form, "asic-") {
		return "asic"
	}
	return form
}

// openDocuments opens the documents to be signed; in a container they have the
// last part of their path for a name.
func openDocuments(paths []string) (docs []asic.Document, closing func(), err error) {
	var files []*os.File
	closing = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, path := range paths {
		f, size, err := openFile(path)
		if err != nil {
			closing()
			return nil, nil, err
		}
		files = append(files, f)
		docs = append(docs, asic.Document{Name: filepath.Base(path), MediaType: mime.TypeByExtension(filepath.Ext(path)), Reader: f, Size: size})
	}
	return docs, closing, nil
}

func (s *signFlags) prepareForm(docs []asic.Document, by signer) (signature, error) {
	f, size, name := docs[0].Reader, docs[0].Size, docs[0].Name
	switch s.form {
	case "asic-s-cades", "asic-s-xades", "asic-e-cades", "asic-e-xades":
		o := asic.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at, Timestamp: by.room,
			Properties: by.properties, Type: asic.Simple, Form: asic.CAdES}
		if strings.HasPrefix(s.form, "asic-e") {
			o.Type = asic.Extended
		}
		if strings.HasSuffix(s.form, "xades") {
			o.Form = asic.XAdES
		}
		p, err := asic.Prepare(docs, o)
		if err != nil {
			return nil, err
		}
		return &container{Prepared: *p}, nil
	case "cades":
		return cades.Prepare(f, size, cades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss,
			SigningTime: by.at, Timestamp: by.room, Properties: by.properties, Detached: s.detached})
	case "xades":
		o := xades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at,
			Timestamp: by.room, Properties: by.properties, Packaging: xades.Packaging(s.packaging), Element: s.element, Parallel: s.parallel}
		if s.detached {
			o.Packaging = xades.Detached
		}
		if o.Packaging == xades.Detached {
			o.Name = name
		}
		return xades.Prepare(f, size, o)
	case "jades":
		o := jades.Options{Certificate: by.certificate, Chain: by.chain, Hash: by.hash, PSS: s.pss, SigningTime: by.at,
			Timestamp: by.room, Properties: by.properties, Name: name}
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
	return nil, fmt.Errorf("--form %s is not one of pades, cades, xades, jades, asic-s-cades, asic-s-xades, asic-e-cades, asic-e-xades", s.form)
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
		if s.rect != "" {
			return o, errors.New("--rect is of a visible signature: say with --text or --image what it shows")
		}
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
	st, err := os.Stat(path) // before opening: that of a pipe waits for a writer
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file; it is read in several places, so store it as a file first", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if st, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}
