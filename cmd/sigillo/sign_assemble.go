package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sigillo/formats/ades"
	"sigillo/pki/fetch"
)

func runSignAssemble(ctx context.Context, e env, args []string) int {
	fs := flags(e, "sign assemble")
	state := fs.String("state", "", "file that `sign prepare` wrote")
	value := fs.String("signature", "", "file with the signature value (ECDSA: DER, as openssl gives it)")
	tsa := fs.String("tsa", "", "address of the time-stamping authority, for B-T")
	out := fs.String("out", "", "file for the result; - for standard output")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() < 1 || *state == "" || *value == "" || *out == "" {
		fmt.Fprintln(e.err, "sigillo: usage: sigillo sign assemble --state STATE.json --signature FILE --out FILE [--tsa URL] FILE (a container: FILE…)")
		return exitUsage
	}
	if err := assemble(ctx, e, *state, *value, *tsa, *out, fs.Args()); err != nil {
		return failed(e, err)
	}
	fmt.Fprintln(e.beside(*out), *out)
	return exitGood
}

func assemble(ctx context.Context, e env, state, value, tsa, out string, paths []string) error {
	data, err := os.ReadFile(state)
	if err != nil {
		return err
	}
	var s interrupted
	if err := json.Unmarshal(data, &s); err != nil || signForms[s.Form] == nil {
		return fmt.Errorf("%s was not written by `sigillo sign prepare`", state)
	}
	if !bytes.Equal(s.SHA256, s.sum()) {
		return fmt.Errorf("%s was changed since `sigillo sign prepare` wrote it; prepare the signature again", state)
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
	docs, closing, err := openDocuments(paths)
	if err != nil {
		return err
	}
	defer closing()
	if c, ok := p.(*container); ok {
		c.docs = docs
	} else if len(docs) > 1 {
		return errors.New("only a container takes several documents")
	}
	return e.deliver(out, func(w io.Writer) error { return p.Assemble(w, docs[0].Reader, docs[0].Size, sig, token) })
}

// deliver writes a file under its name, or to standard output for "-", only once it
// is whole.
func (e env) deliver(path string, write func(io.Writer) error) error {
	if path != "-" {
		return writeWhole(path, write)
	}
	f, err := scratch()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	_, err = io.Copy(e.out, io.NewSectionReader(f, 0, f.Size()))
	return err
}

// writeWhole writes a file under its name only once it is whole.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once it is renamed
	mode := os.FileMode(0o644)
	if st, err := os.Stat(path); err == nil { // what was for few stays for few
		mode = st.Mode().Perm()
	}
	if err := errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
