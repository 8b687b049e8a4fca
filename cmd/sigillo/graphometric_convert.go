package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sigillo/auth/graphometric"
)

// convertUsage is the beginning of the help, in Italian and English.
var convertUsage = [2]string{`uso: sigillo graphometric convert --to FORMA [--from FORMA] [--out FILE] FILE
Le forme: svc2004, iso19794-7, inkml, capture (il JSON della pagina di acquisizione).
Una firma è un dato biometrico: il file scritto è leggibile solo a chi lo scrive.
Esce con 0 se è scritto, 1 se non si può scrivere, 3 se FILE non si può leggere, 64 se
le opzioni non vanno.

`, `usage: sigillo graphometric convert --to FORM [--from FORM] [--out FILE] FILE
The forms: svc2004, iso19794-7, inkml, capture (the JSON of the capture page).
A signature is biometric data: what is written can be read by its writer only.
Exits with 0 when it is written, 1 when it cannot be, 3 when FILE cannot be read, 64
for wrong options.

`}

// signatureForm is a form of files with one signature.
type signatureForm struct {
	name, suffix string
	begins       string // one of the characters that files of it begin with
	read         func(r io.Reader) (*graphometric.Sample, error)
	write        func(w io.Writer, s *graphometric.Sample) error
}

var signatureForms = []signatureForm{
	{"svc2004", ".txt", "0123456789", graphometric.ReadSVC2004, graphometric.WriteSVC2004},
	{"iso19794-7", ".iso19794", "S", graphometric.ReadISO19794, graphometric.WriteISO19794},
	{"inkml", ".inkml", "<\xef", graphometric.ReadInkML, graphometric.WriteInkML},
	{"capture", ".json", "{", readCapture, func(w io.Writer, s *graphometric.Sample) error {
		b := graphometric.AppendCapture(nil, s)
		defer clear(b)
		_, err := w.Write(b)
		return err
	}},
}

// maxSignatureFile is more than any of the forms takes.
const maxSignatureFile = 4 << 20

func readCapture(r io.Reader) (*graphometric.Sample, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSignatureFile))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return graphometric.ParseCapture(b)
}

// runGraphometricConvert writes a signature in another form.
func runGraphometricConvert(e env, args []string) int {
	fs := flags(e, "graphometric convert")
	from := fs.String("from", "", say("forma di FILE; altrimenti si vede dal contenuto", "form of FILE; default: seen from what is in it"))
	to := fs.String("to", "", say("forma da scrivere", "form to write"))
	out := fs.String("out", "", say("file da scrivere (altrimenti FILE con un altro suffisso); - per l'uscita standard", "file to write (default FILE with another suffix); - for standard output"))
	force := fs.Bool("force", false, say("sovrascrive un file che c'è già", "write over a file that exists"))
	fs.Usage = func() {
		fmt.Fprint(e.err, say(convertUsage[0], convertUsage[1]))
		fs.PrintDefaults()
	}
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 || *to == "" {
		return endStamp(e, badUsage("indicare un FILE e la forma da scrivere, con --to", "name one FILE, and the form to write with --to"))
	}
	path := fs.Arg(0)
	target, err := signatureFormOf(*to)
	if err != nil {
		return endStamp(e, err)
	}
	s, err := readSignature(path, *from)
	if err != nil {
		return endStamp(e, err)
	}
	defer s.Wipe()
	if *out == "" {
		*out = path + target.suffix
	}
	write := func(w io.Writer) error { return target.write(w, s) }
	if *out == "-" {
		return endStamp(e, write(e.out))
	}
	if err := writePrivately(*out, *force, write); err != nil {
		return endStamp(e, err)
	}
	fmt.Fprintln(e.text(), *out)
	return exitGood
}

func signatureFormOf(name string) (*signatureForm, error) {
	if i := slices.IndexFunc(signatureForms, func(f signatureForm) bool { return f.name == name }); i >= 0 {
		return &signatureForms[i], nil
	}
	return nil, badUsage("le forme sono svc2004, iso19794-7, inkml e capture", "the forms are svc2004, iso19794-7, inkml and capture")
}

// readSignature reads a file in the form that is named or, for "", the one that
// its first character tells.
func readSignature(path, name string) (*graphometric.Sample, error) {
	var form *signatureForm
	if name != "" {
		f, err := signatureFormOf(name)
		if err != nil {
			return nil, err
		}
		form = f
	}
	b, err := readSmall(path, maxSignatureFile)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	if form == nil {
		first := bytes.TrimLeft(b, " \t\r\n")
		i := slices.IndexFunc(signatureForms, func(f signatureForm) bool {
			return len(first) > 0 && strings.IndexByte(f.begins, first[0]) >= 0
		})
		if i < 0 {
			return nil, &stampError{exitUnreadable, path + " non è in una forma nota: indicarla con --from", path + " is of no known form: name it with --from", nil}
		}
		form = &signatureForms[i]
	}
	s, err := form.read(bytes.NewReader(b))
	if err != nil {
		return nil, &stampError{exitUnreadable, path + " non si può leggere come " + form.name, path + " cannot be read as " + form.name, err}
	}
	return s, nil
}

// writePrivately writes a file that only the user can read, once it is whole.
func writePrivately(path string, force bool, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // writeWhole keeps the rights
	switch {
	case errors.Is(err, os.ErrExist) && !force:
		return &stampError{exitFailed, path + " c'è già: usare --force per sovrascriverlo", path + " exists: use --force to write over it", nil}
	case errors.Is(err, os.ErrExist):
		return writeWhole(path, write)
	case err != nil:
		return err
	}
	f.Close()
	if err := writeWhole(path, write); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}
