package main

import (
	"context"
	"crypto"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/legible"
	"sigillo/formats/tsd"
	"sigillo/formats/validate"
)

// renewFiles puts a new time-stamp over the newest of each file. It is done only
// while that is good, and with all that shows it inside: later nobody could tell.
func (o *stampOptions) renewFiles(ctx context.Context, e env, a *authority, files []string) error {
	if len(o.trust) == 0 {
		return badUsage("--renew vuole --trust: si rinnova solo una marca di cui ci si fida", "--renew wants --trust: only a time-stamp that is trusted is renewed")
	}
	if o.rehash && len(o.detached) > 0 && len(files) > 1 {
		return badUsage("--content vale per un solo FILE; altrimenti i documenti sono quelli accanto (FILE senza .ers)", "--content is for one FILE; else the documents are those beside (FILE without .ers)")
	}
	if o.out != "" {
		if err := o.free(o.out); err != nil {
			return err
		}
	}
	v, err := o.validator()
	if err != nil {
		return &stampError{exitUsage, "non si può leggere di chi fidarsi", "whom to trust cannot be read", err}
	}
	var records []*ers.Record
	var documents [][]ers.Document
	for _, path := range files {
		r, err := o.renewable(ctx, v, path)
		if err != nil {
			return err
		}
		if r.record == nil {
			if len(files) > 1 {
				return badUsage("i .tsd si rinnovano uno alla volta", ".tsd files are renewed one at a time")
			}
			return o.renewEnvelope(ctx, e, a, path, r.evidence)
		}
		if r.record, err = r.record.WithEvidence(r.evidence); err != nil {
			return err
		}
		records, documents = append(records, r.record), append(documents, r.documents)
	}
	var p *ers.Prepared
	if o.rehash {
		p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: o.algorithm, Only: o.only}, records, documents)
	} else {
		p, err = ers.PrepareRenewal(records)
	}
	if err != nil {
		return notRenewed(files, documents, err)
	}
	outs := files
	if o.out != "" {
		outs = []string{o.out}
	}
	return o.finishRecords(ctx, e, a, p, outs)
}

// notRenewed tells which documents of a record are missing: without them it would
// lose what it proves of them.
func notRenewed(files []string, documents [][]ers.Document, err error) error {
	var m *ers.Missing
	if !errors.As(err, &m) {
		return err
	}
	var given []string
	for _, d := range documents[m.Record] {
		given = append(given, legible.Line(d.Name))
	}
	name, names := legible.Line(files[m.Record]), strings.Join(given, ", ")
	return &stampError{exitFailed,
		name + " è anche di altri documenti oltre a quelli dati (" + names + "): rinnovandolo senza, di loro non proverebbe più nulla. Darli tutti con --content, o, se sono stati cancellati o stavano solo accanto nell'albero di un altro programma, usare --only-these. Mancano quelli con impronta",
		name + " is of other documents than those given (" + names + ") too: renewed without, it would prove nothing of them any longer. Give all with --content or, if they were deleted or only stood beside in the tree of another program, use --only-these. Missing are those with the digest", m}
}

// renewing is a file that may be renewed.
type renewing struct {
	record    *ers.Record // nil: a .tsd
	evidence  ades.Evidence
	documents []ers.Document // of the record, with --rehash
}

// renewable validates a file and collects the evidence for its newest time-stamp.
func (o *stampOptions) renewable(ctx context.Context, v *validate.Validator, path string) (r renewing, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return r, unreadableFile(err)
	}
	defer f.Close()
	if _, err := tsd.Parse(f, size); tsd.KindOf(err) == cms.NotCMS {
		if r.record, err = readRecord(f, size); err != nil {
			return r, err
		}
	}
	paths, contents, closing, err := o.documentsOf(path, r.record != nil)
	if err != nil {
		return r, err
	}
	defer closing()
	if o.rehash {
		for i, c := range contents {
			r.documents = append(r.documents, ers.Document{Name: c.Name, Digest: digestOnce(paths[i])})
		}
		if len(contents) == 0 {
			return r, badUsage("--rehash vuole i documenti: --content, o accanto ai .ers", "--rehash wants the documents: --content, or beside the .ers files")
		}
	}
	doc := validate.Document{Data: f, Size: size, Name: path, Time: time.Now(), Contents: contents}
	r.evidence, err = o.stillGood(ctx, v, doc)
	return r, err
}

func readRecord(f *os.File, size int64) (*ers.Record, error) {
	if size > ers.MaxSize {
		return nil, &stampError{exitUnreadable, "il file non è un .tsd né un .ers", "the file is neither a .tsd nor an .ers", nil}
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, unreadableFile(err)
	}
	record, err := ers.Parse(b)
	if err != nil {
		return nil, &stampError{exitUnreadable, "il file non è un .tsd né un .ers", "the file is neither a .tsd nor an .ers", err}
	}
	return record, nil
}

// documentsOf opens the documents that were given, or the one beside a record, and
// says where they are.
func (o *stampOptions) documentsOf(path string, record bool) ([]string, []validate.Content, func(), error) {
	w := o.world
	if beside := strings.TrimSuffix(path, ".ers"); len(w.detached) == 0 && record && beside != path {
		if _, err := os.Stat(beside); err == nil {
			w.detached = list{beside}
		}
	}
	contents, closing, err := w.contents()
	if err != nil && len(o.detached) > 0 { // of an option, as in `sigillo verify`
		err = &stampError{exitUsage, "--content non si può leggere", "--content cannot be read", err}
	} else if err != nil {
		err = unreadableFile(err)
	}
	return w.detached, contents, closing, err
}

// digestOnce reads a document when its digest is asked for, and once for each
// algorithm: it may be large, and be opened when the others are closed again.
func digestOnce(path string) func(crypto.Hash) ([]byte, error) {
	known := map[crypto.Hash][]byte{}
	return func(h crypto.Hash) ([]byte, error) {
		if known[h] == nil {
			v, err := fileDigest(path, h)
			if err != nil {
				return nil, err
			}
			known[h] = v
		}
		return known[h], nil
	}
}

// stillGood validates what is to be renewed, and gives all that shows that its
// newest time-stamp is good now, and the signatures in the document as far as it can
// be had: under the next time-stamp it will last as long as they must. Missing
// documents are no hindrance: the renewal is over the time-stamp.
func (o *stampOptions) stillGood(ctx context.Context, v *validate.Validator, doc validate.Document) (ades.Evidence, error) {
	var none ades.Evidence
	ctx, cancel := context.WithTimeout(ctx, fetchAltogether)
	defer cancel()
	report, err := v.Validate(ctx, doc)
	if err != nil {
		return none, &stampError{exitUnreadable, "il file non si può verificare", "the file cannot be validated", err}
	}
	s := report.Signatures[0]
	if s.Indication != validate.TotalPassed && s.SubIndication != validate.SignedDataNotFound {
		return none, notGood(filepath.Base(doc.Name), &s, !o.offline)
	}
	needs, err := v.Collect(ctx, doc)
	if err != nil {
		return none, err
	}
	if n := needs[0]; len(n.Missing) > 0 {
		return none, &stampError{exitFailed, "mancano le prove che la marca è valida adesso", "what shows that the time-stamp is good now is missing",
			errors.New(say(n.Missing[0].It, n.Missing[0].En))}
	}
	evidence := needs[0].Evidence
	for _, n := range needs[1:] { // of the signatures inside, which may bring none of their own
		if len(n.Missing) == 0 {
			evidence.Add(n.Evidence)
		}
	}
	return evidence, nil
}

// notGood says why a file is not renewed. That what was revoked could not be learned
// speaks against nothing but the moment.
func notGood(name string, s *validate.SignatureReport, fetches bool) error {
	d := s.Decisive()
	reason, sub := errors.New(say(d.It, d.En)), string(s.SubIndication)
	switch d.Code {
	case "no-revocation", "stale-revocation", "late-revocation", "early-revocation":
		it, en := "non è stato possibile scaricare le informazioni sulla revoca; riprovare più avanti", "the revocation information could not be fetched; try again later"
		if !fetches {
			it, en = "mancano le informazioni sulla revoca, e con --offline non si scaricano", "the revocation information is missing, and with --offline none is fetched"
		}
		return &stampError{exitBad, name + ": ora non si può dire se la marca è valida (" + sub + "): " + it + ", o darle con --crl o --ocsp",
			name + ": it cannot be told now whether the time-stamp is valid (" + sub + "): " + en + ", or give it with --crl or --ocsp", reason}
	}
	return &stampError{exitBad, name + ": la marca non è valida (" + sub + "), rinnovarla non servirebbe",
		name + ": the time-stamp is not valid (" + sub + "), renewing it would be of no use", reason}
}

// renewEnvelope renews a .tsd, in its place unless there is --out.
func (o *stampOptions) renewEnvelope(ctx context.Context, e env, a *authority, path string, evidence ades.Evidence) error {
	if o.rehash {
		return badUsage("--rehash vale per i .ers", "--rehash is for .ers files")
	}
	f, size, err := openFile(path)
	if err != nil {
		return unreadableFile(err)
	}
	defer f.Close()
	d, err := tsd.Parse(f, size)
	if err != nil {
		return err
	}
	r, err := d.Renew(o.algorithm, evidence)
	if err != nil {
		return err
	}
	_, token, err := a.ask(ctx, cms.HashByName(r.Hash), r.Imprint)
	if err != nil {
		return err
	}
	out := path
	if o.out != "" {
		out = o.out
	}
	if err := o.put(out, func(w io.Writer) error { return r.Assemble(w, token.Raw) }); err != nil {
		return err
	}
	stampedLine(e, out, token)
	return nil
}
