package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/m7m"
	"sigillo/formats/tsd"
)

// outFor is the file to write for one of the files.
func (o *stampOptions) outFor(path, suffix string) string {
	if o.out != "" {
		return o.out
	}
	return path + suffix
}

// stampOne stamps a file on its own.
func (o *stampOptions) stampOne(ctx context.Context, e env, a *authority, path string) error {
	if o.tsd {
		return o.stampEnvelope(ctx, e, a, path)
	}
	out := o.outFor(path, map[bool]string{false: ".tsr", true: ".tst"}[o.tst])
	if err := o.free(out); err != nil { // a stamp costs something
		return err
	}
	digest, err := fileDigest(path, o.algorithm)
	if err != nil {
		return err
	}
	answer, token, err := a.ask(ctx, o.algorithm, digest)
	if err != nil {
		return err
	}
	if o.tst {
		answer = token.Raw
	}
	if err := o.write(out, answer); err != nil {
		return err
	}
	stampedLine(e, out, token)
	return nil
}

// stampEnvelope puts a file into an envelope with its time-stamp (RFC 5544).
func (o *stampOptions) stampEnvelope(ctx context.Context, e env, a *authority, path string) error {
	out := o.outFor(path, ".tsd")
	if err := o.free(out); err != nil {
		return err
	}
	f, _, err := openFile(path)
	if err != nil {
		return unreadableFile(err)
	}
	defer f.Close()
	p, err := tsd.Prepare(f, tsd.Options{Hash: o.algorithm, URI: o.uri, Outside: o.uri != "",
		Meta: &tsd.Metadata{FileName: filepath.Base(path), MediaType: o.mediaType, Protected: o.protect}})
	if err != nil {
		return err
	}
	_, token, err := a.ask(ctx, o.algorithm, p.Imprint)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := o.put(out, func(w io.Writer) error { return p.Assemble(w, f, token.Raw) }); err != nil {
		return err
	}
	stampedLine(e, out, token)
	return nil
}

// stampRecords stamps all files with one time-stamp (RFC 4998).
func (o *stampOptions) stampRecords(ctx context.Context, e env, a *authority, files []string) error {
	var outs []string
	var groups []ers.Group
	for _, path := range files {
		digest, err := fileDigest(path, o.algorithm)
		if err != nil {
			return err
		}
		if o.group && len(groups) > 0 {
			groups[0] = append(groups[0], digest)
			continue
		}
		groups, outs = append(groups, ers.Group{digest}), append(outs, o.outFor(path, ".ers"))
	}
	for _, out := range outs {
		if err := o.free(out); err != nil {
			return err
		}
	}
	p, err := ers.Prepare(o.algorithm, groups)
	if err != nil {
		return err
	}
	return o.finishRecords(ctx, e, a, p, outs)
}

// finishRecords gets the time-stamp for prepared records and writes them.
func (o *stampOptions) finishRecords(ctx context.Context, e env, a *authority, p *ers.Prepared, outs []string) error {
	_, token, err := a.ask(ctx, p.HashAlgorithm(), p.Imprint())
	if err != nil {
		return err
	}
	records, err := p.Assemble(token.Raw)
	if err != nil {
		return err
	}
	for i, der := range records {
		if err := o.put(outs[i], writeBytes(der)); err != nil {
			return err
		}
		stampedLine(e, outs[i], token)
	}
	return nil
}

// writeQueries writes requests for others to send.
func (o *stampOptions) writeQueries(e env, a *authority, files []string) error {
	for _, path := range files {
		digest, err := fileDigest(path, o.algorithm)
		if err != nil {
			return err
		}
		req, err := a.request(o.algorithm, digest)
		if err != nil {
			return err
		}
		out := o.outFor(path, ".tsq")
		if err := o.write(out, req); err != nil {
			return err
		}
		fmt.Fprintln(e.beside(out), out)
	}
	return nil
}

// checkAnswer checks an answer that came by another way; with FILE also that it is
// of it, and it is written in the form asked for.
func (o *stampOptions) checkAnswer(e env, a *authority, files []string) error {
	req, err := readSmall(o.queryFile, cms.MaxRequestSize)
	if err != nil {
		return err
	}
	answer, err := readSmall(o.answer, maxAnswer)
	if err != nil {
		return err
	}
	token, err := checkResponse(req, answer, a.tsu)
	if err != nil {
		return err
	}
	if len(files) == 1 {
		digest, err := fileDigest(files[0], token.Info.Hash)
		if err != nil {
			return err
		}
		if string(digest) != string(token.Info.Imprint) {
			return wrong("la marca non è di "+files[0], "the token is not of "+files[0], nil)
		}
	}
	switch {
	case o.tsd && len(files) == 1:
		return o.join(e, files[0], token)
	case o.tst:
		out := o.outFor(o.answer, ".tst")
		if err := o.write(out, token.Raw); err != nil {
			return err
		}
		if out == "-" {
			stampedLine(e, out, token)
			return nil
		}
	case o.tsd:
		return badUsage("--tsd vuole il FILE", "--tsd wants the FILE")
	}
	stampedLine(e, o.answer, token)
	return nil
}

func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadableFile(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than %d octets", path, limit)
	}
	if err != nil {
		return nil, unreadableFile(err)
	}
	return b, nil
}

// runStampFiles takes documents and time-stamps apart and puts them together.
func runStampFiles(e env, action string, args []string) int {
	o := stampOptions{stdout: e.out}
	fs := flags(e, "stamp "+action)
	fs.StringVar(&o.out, "out", "", say("file da scrivere; - per l'uscita standard (non con split, che ne scrive due)", "file to write; - for standard output (not with split, which writes two)"))
	fs.BoolVar(&o.force, "force", false, say("sovrascrive i file che ci sono già", "write over files that exist"))
	if code, ok := parse(fs, args); !ok {
		return code
	}
	switch {
	case action == "split" && o.out == "-":
		return endStamp(e, badUsage("split scrive due file: dare un nome con --out, o usare extract", "split writes two files: give a name with --out, or use extract"))
	case action == "join" && fs.NArg() == 2:
		return endStamp(e, o.joinFiles(e, fs.Arg(0), fs.Arg(1)))
	case action != "join" && fs.NArg() == 1:
		return endStamp(e, o.split(e, fs.Arg(0), action == "split"))
	}
	return endStamp(e, badUsage("uso: sigillo stamp split FILE.tsd | extract FILE.tsd | join FILE MARCA.tsr", "usage: sigillo stamp split FILE.tsd | extract FILE.tsd | join FILE STAMP.tsr"))
}

// split writes the document of a .tsd or .m7m and, unless only that is wanted, its
// time-stamp beside it. The names are made from the file's, not from what is in it.
func (o *stampOptions) split(e env, path string, stamp bool) error {
	f, size, err := openFile(path)
	if err != nil {
		return unreadableFile(err)
	}
	defer f.Close()
	token, document, err := o.takeApart(f, size, stamp)
	if err != nil {
		return err
	}
	ext := filepath.Ext(path)
	out := o.outFor(strings.TrimSuffix(path, ext), "")
	if ext == "" {
		out = o.outFor(path, ".out")
	}
	if err := errors.Join(o.free(out), o.free(out+".tst")); err != nil && stamp {
		return err
	}
	if err := o.free(out); err != nil {
		return err
	}
	if err := o.put(out, func(w io.Writer) error { _, err := io.Copy(w, document); return err }); err != nil {
		return err
	}
	fmt.Fprintln(e.beside(out), out)
	if !stamp {
		return nil
	}
	if err := o.write(out+".tst", token); err != nil {
		return err
	}
	fmt.Fprintln(e.text(), out+".tst")
	return nil
}

// takeApart gives the token and the document of a .tsd or .m7m. A token that is not
// over the document alone, or renewed, would be worth less alone: it is refused.
func (o *stampOptions) takeApart(f *os.File, size int64, stamp bool) ([]byte, io.Reader, error) {
	d, err := tsd.Parse(f, size)
	if tsd.KindOf(err) == cms.NotCMS {
		m, merr := m7m.Parse(f, size)
		if merr != nil {
			return nil, nil, &stampError{exitUnreadable, "il file non è un .tsd né un .m7m", "the file is neither a .tsd nor an .m7m", merr}
		}
		return m.Token, io.NewSectionReader(m.Document, 0, m.Size), nil
	}
	switch {
	case err != nil:
		return nil, nil, &stampError{exitUnreadable, "il .tsd non si può leggere", "the .tsd cannot be read", err}
	case !d.HasContent():
		return nil, nil, &stampError{exitFailed, "il documento non è nel .tsd ma in " + d.URI, "the document is not in the .tsd but at " + d.URI, nil}
	case !stamp:
		return nil, d.Content(), nil
	case len(d.Evidence) != 1 || d.Meta != nil && d.Meta.Protected:
		return nil, nil, &stampError{exitFailed, "la marca copre anche altro oltre al documento, o è stata rinnovata: separata varrebbe meno (usare extract per il solo documento)",
			"the time-stamp is over more than the document, or was renewed: alone it would be worth less (use extract for the document only)", nil}
	}
	return d.Evidence[0].Token, d.Content(), nil
}

// joinFiles makes a .tsd of a file and its time-stamp.
func (o *stampOptions) joinFiles(e env, path, stamp string) error {
	b, err := readSmall(stamp, maxAnswer)
	if err != nil {
		return err
	}
	if resp, rerr := cms.ParseResponse(b); rerr == nil {
		if resp.Refusal != nil {
			return refused(resp.Refusal)
		}
		b = resp.Token
	}
	token, err := cms.ParseToken(b)
	if err != nil {
		return &stampError{exitUnreadable, "la marca non si può leggere", "the time-stamp cannot be read", err}
	}
	return o.join(e, path, token)
}

func (o *stampOptions) join(e env, path string, token *cms.Token) error {
	if h := token.Info.Hash; h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return &stampError{exitFailed, "l'impronta della marca non è SHA-256, SHA-384 o SHA-512", "the imprint of the time-stamp is not SHA-256, SHA-384 or SHA-512", nil}
	}
	f, _, err := openFile(path)
	if err != nil {
		return unreadableFile(err)
	}
	defer f.Close()
	p, err := tsd.Prepare(f, tsd.Options{Hash: token.Info.Hash, Meta: &tsd.Metadata{FileName: filepath.Base(path)}})
	if err != nil {
		return err
	}
	if string(p.Imprint) != string(token.Info.Imprint) {
		return wrong("la marca non è di "+path, "the token is not of "+path, nil)
	}
	if token.Certificate != nil {
		if err := token.VerifySignature(); err != nil {
			return wrong("la firma della marca non è valida", "the signature of the token is not valid", err)
		}
	}
	out := o.outFor(path, ".tsd")
	if err := o.free(out); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := o.put(out, func(w io.Writer) error { return p.Assemble(w, f, token.Raw) }); err != nil {
		return err
	}
	stampedLine(e, out, token)
	return nil
}
