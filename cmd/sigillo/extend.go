package main

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"os"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/extend"
	"sigillo/formats/validate"
	"sigillo/pki/fetch"
)

func runExtend(ctx context.Context, e env, args []string) int {
	var o world
	fs := flags(e, "extend")
	o.register(fs)
	level := fs.String("level", "B-LTA", "level to reach: B-T, B-LT or B-LTA, which renews what has it already")
	tsa := fs.String("tsa", "http://127.0.0.1:8080/tsa", "address of the time-stamping authority")
	out := fs.String("out", "", "file for the result (default: FILE itself); - for standard output")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 {
		fmt.Fprintln(e.err, "sigillo: usage: sigillo extend --level B-LTA --trust ROOT.pem --tsa URL [--out FILE] FILE")
		return exitUsage
	}
	if *out == "" {
		*out = fs.Arg(0)
	}
	if err := extendFile(ctx, e, &o, ades.Level(*level), *tsa, fs.Arg(0), *out); err != nil {
		return failed(e, err)
	}
	fmt.Fprintln(e.beside(*out), *out)
	return exitGood
}

func extendFile(ctx context.Context, e env, o *world, level ades.Level, tsa, path, out string) error {
	v, err := o.validator()
	if err != nil {
		return err
	}
	contents, closing, err := o.contents()
	if err != nil {
		return err
	}
	defer closing()
	password, err := readPassword(o.password)
	if err != nil {
		return err
	}
	f, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	client := fetch.New(fetchTimeout, time.Now)
	doc := validate.Document{Data: f, Size: size, Name: path, Contents: contents, Password: password}
	return e.deliver(out, func(w io.Writer) error {
		return extend.Extend(ctx, w, doc, extend.Options{
			Level: level, Validator: v, Now: time.Now, Scratch: scratch,
			Stamp: func(ctx context.Context, h crypto.Hash, digest []byte) ([]byte, error) {
				return client.Stamp(ctx, tsa, h, digest)
			},
		})
	})
}

// scratch is a file without a name.
func scratch() (extend.Scratch, error) {
	f, err := os.CreateTemp("", "sigillo-extend-")
	if err != nil {
		return nil, err
	}
	return scratchFile{f}, os.Remove(f.Name())
}

type scratchFile struct{ *os.File }

// Size is how much was written.
func (s scratchFile) Size() int64 {
	st, err := s.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}
