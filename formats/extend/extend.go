// Package extend raises existing signatures, also those that others made, to a
// level that lasts: with a time-stamp (B-T), with everything that is needed to
// check them later (B-LT), and with a time-stamp over all of that (B-LTA), which
// is renewed by raising to B-LTA again.
//
// It is the way through the steps that each form's package offers, the same for
// all forms: what the file lacks is found out by validating it, since that is
// what the evidence is for. The world is asked through Options; the signed
// document itself and the signature value stay as they are.
//
//	from          step
//	no stamp      a time-stamp over the signature value (a PDF: over the document)
//	to B-LT       certificates, revocation lists and OCSP answers, put in
//	to B-LTA      the same, and a time-stamp over all
//
// A signature that is broken is refused: time-stamping it would give it the looks
// of one that is not.
package extend

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/validate"
	"sigillo/formats/xades"
)

// Kind says what sort of thing went wrong.
type Kind string

// The kinds of errors.
const (
	// BadOptions: the options ask for something that cannot be done.
	BadOptions Kind = "bad-options"
	// NotSigned: the file has no signature of a form that can be raised.
	NotSigned Kind = "not-signed"
	// Broken: a signature in the file is not valid.
	Broken Kind = "broken"
	// Incomplete: evidence that the level asks for cannot be had.
	Incomplete Kind = "incomplete"
	// Worse: the result would not be what was asked for; the file stays as it was.
	Worse Kind = "worse"
	// Failed: a step failed; the cause says why.
	Failed Kind = "failed"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k Kind, err error, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Err: err}
}

// Options say how far to raise, and where to get what is needed.
type Options struct {
	// Level to reach: B-T, B-LT or B-LTA.
	Level ades.Level
	// Stamp gets a time-stamp token over a digest.
	Stamp func(ctx context.Context, h crypto.Hash, digest []byte) ([]byte, error)
	// Hash is the digest of what is stamped; 0: SHA-256.
	Hash crypto.Hash
	// TokenSize is an upper bound in octets of what Stamp gives; 0: 16 KiB.
	TokenSize int
	// Validator knows whom to trust, and fetches what is missing.
	Validator *validate.Validator
	// Now is the clock of the validations between the steps.
	Now func() time.Time
	// Scratch makes a place for the file between two steps, which Extend closes;
	// nil: memory.
	Scratch func() (Scratch, error)
}

// Scratch holds a file between two steps. Size is how much was written.
type Scratch interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Size() int64
}

// stamping is a file that lacks only its time-stamps.
type stamping interface {
	Imprints() [][]byte
	Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error
}

// steps are what each form can do.
type steps struct {
	timestamp, archive func(io.ReaderAt, int64, ades.Extension) (stamping, error)
	evidence           func(io.Writer, io.ReaderAt, int64, ades.Extension) error
	// several is archive for signatures over several documents beside the file,
	// which are known by their names; nil where a signature is over one.
	several func(io.ReaderAt, int64, ades.Extension, []validate.Content) (stamping, error)
}

// forms are the formats of files, as validate calls them.
var forms = map[string]steps{
	"cms":  {step(cades.PrepareTimestamp), step(cades.PrepareArchive), cades.AddEvidence, nil},
	"pdf":  {step(pades.PrepareTimestamp), step(pades.PrepareArchive), pades.AddEvidence, nil},
	"xml":  {step(xades.PrepareTimestamp), step(xades.PrepareArchive), xades.AddEvidence, xmlFiles},
	"asic": {step(asic.PrepareTimestamp), step(asic.PrepareArchive), asic.AddEvidence, nil},
	"json": {step(jades.PrepareTimestamp), step(jades.PrepareArchive), jades.AddEvidence, jsonDocuments},
}

func step[S stamping](f func(io.ReaderAt, int64, ades.Extension) (S, error)) func(io.ReaderAt, int64, ades.Extension) (stamping, error) {
	return func(r io.ReaderAt, size int64, e ades.Extension) (stamping, error) {
		s, err := f(r, size, e)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func xmlFiles(r io.ReaderAt, size int64, e ades.Extension, contents []validate.Content) (stamping, error) {
	s, err := xades.PrepareArchiveFiles(r, size, e, func(name string) (io.ReaderAt, int64, bool) {
		i := slices.IndexFunc(contents, func(c validate.Content) bool { return c.Name == name })
		if i < 0 {
			return nil, 0, false
		}
		return contents[i].Data, contents[i].Size, true
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func jsonDocuments(r io.ReaderAt, size int64, e ades.Extension, contents []validate.Content) (stamping, error) {
	var docs []jades.Document
	for _, c := range contents {
		docs = append(docs, jades.Document{Name: c.Name, Reader: c.Data, Size: c.Size})
	}
	s, err := jades.PrepareArchiveOf(r, size, docs, e)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// work is a file on its way up.
type work struct {
	o     Options
	doc   validate.Document // the file as it is now
	steps steps
	held  Scratch // what doc reads from, nil for the original
}

// Extend writes the file with all its signatures at least at the level; a .p7m in
// PEM or base64 comes out in binary. The errors have the kinds above; what was
// written before one is to be thrown away.
func Extend(ctx context.Context, w io.Writer, doc validate.Document, o Options) error {
	if !o.Level.AtLeast(ades.BT) || o.Stamp == nil || o.Validator == nil || o.Now == nil {
		return fail(BadOptions, nil, "a level from B-T to B-LTA, a time-stamping authority, a validator and a clock are needed")
	}
	if o.TokenSize == 0 {
		o.TokenSize = 16 << 10
	}
	if o.Hash == 0 {
		o.Hash = crypto.SHA256
	}
	if o.Scratch == nil {
		o.Scratch = func() (Scratch, error) { return &memory{}, nil }
	}
	var err error
	if doc.Data, doc.Size, err = validate.Binary(doc.Data, doc.Size); err != nil {
		return err
	}
	t := &work{o: o, doc: doc}
	defer t.release()
	report, err := t.look(ctx)
	if err != nil {
		return err
	}
	if !stamped(report) {
		if err := t.raise(ctx, t.timestamp); err != nil {
			return err
		}
	}
	switch o.Level {
	case ades.BLT:
		err = t.raise(ctx, t.evidence)
	case ades.BLTA:
		err = t.raise(ctx, t.archive)
	}
	if err != nil {
		return err
	}
	if err := t.check(ctx, report); err != nil {
		return err
	}
	if _, err := io.Copy(w, io.NewSectionReader(t.doc.Data, 0, t.doc.Size)); err != nil {
		return fail(Failed, err, "the file cannot be written")
	}
	return nil
}

// look validates the file as it is and finds out its form.
func (t *work) look(ctx context.Context) (validate.Report, error) {
	t.doc.Time = t.o.Now()
	r, err := t.o.Validator.Validate(ctx, t.doc)
	if validate.KindOf(err) == validate.BadOptions {
		return r, fail(BadOptions, err, "the file cannot be raised with these documents beside it")
	}
	if err != nil {
		return r, err
	}
	var ok bool
	if t.steps, ok = forms[r.Format]; !ok || len(r.Signatures) == 0 {
		return r, fail(NotSigned, nil, "the file has no signature that can be raised")
	}
	if len(t.doc.Contents) > 1 && t.steps.several == nil {
		// One document is taken whatever its name: an archive time-stamp could be over the wrong one.
		return r, fail(BadOptions, nil, "several detached documents were given; give the one that the signature is of")
	}
	for _, s := range r.Signatures {
		if s.Indication == validate.TotalFailed {
			return r, fail(Broken, nil, "signature %s is broken (%s) and is not raised", s.ID, s.SubIndication)
		}
	}
	return r, nil
}

// check validates what came out: a good signature is not given away for a
// step that did harm, be the fault ours or the authority's.
func (t *work) check(ctx context.Context, before validate.Report) error {
	after, err := t.look(ctx)
	if err != nil {
		return fail(Worse, err, "what came out cannot be validated")
	}
	if len(after.Signatures) != len(before.Signatures) {
		return fail(Worse, nil, "of %d signatures %d came out", len(before.Signatures), len(after.Signatures))
	}
	for i, was := range before.Signatures {
		is := after.Signatures[i]
		if was.Indication == validate.TotalPassed && is.Indication != validate.TotalPassed {
			return fail(Worse, nil, "signature %s was %s and would be %s (%s)", was.ID, was.Indication, is.Indication, is.SubIndication)
		}
		// A counter-signature stays as it is; what is of no baseline level cannot get to one.
		if was.Parent == "" && was.Level != "" && !ades.Level(is.Level).AtLeast(t.o.Level) {
			return fail(Worse, nil, "signature %s would be of level %q", was.ID, is.Level)
		}
	}
	return nil
}

// stamped reports whether every signature has a time-stamp that proves its existence.
func stamped(r validate.Report) bool {
	return !slices.ContainsFunc(r.Signatures, func(s validate.SignatureReport) bool {
		return !ades.Level(s.Level).AtLeast(ades.BT) && !s.Stamped()
	})
}

// raise does one step, and goes on with what it wrote.
func (t *work) raise(ctx context.Context, do func(context.Context, io.Writer) error) error {
	s, err := t.o.Scratch()
	if err != nil {
		return fail(Failed, err, "there is no place for the file between two steps")
	}
	if err := do(ctx, s); err != nil {
		_ = s.Close()
		return err
	}
	t.release()
	t.held, t.doc.Data, t.doc.Size = s, s, s.Size()
	return nil
}

func (t *work) release() {
	if t.held != nil {
		_ = t.held.Close()
	}
}

// extension says what to put in.
func (t *work) extension(e ades.Evidence) ades.Extension {
	x := ades.Extension{Evidence: e, Hash: t.o.Hash, TokenSize: t.o.TokenSize, Password: t.doc.Password}
	if len(t.doc.Contents) == 1 {
		x.Content, x.ContentSize = t.doc.Contents[0].Data, t.doc.Contents[0].Size
	}
	return x
}

func (t *work) timestamp(ctx context.Context, w io.Writer) error {
	s, err := t.steps.timestamp(t.doc.Data, t.doc.Size, t.extension(ades.Evidence{}))
	if err != nil {
		return fail(Failed, err, "the time-stamp cannot be prepared")
	}
	return t.stamp(ctx, w, s)
}

func (t *work) evidence(ctx context.Context, w io.Writer) error {
	e, err := t.collect(ctx)
	if err != nil {
		return err
	}
	if err := t.steps.evidence(w, t.doc.Data, t.doc.Size, t.extension(e)); err != nil {
		return fail(Failed, err, "the evidence cannot be put in")
	}
	return nil
}

// collect finds what the file needs to be B-LT.
func (t *work) collect(ctx context.Context) (ades.Evidence, error) {
	t.doc.Time = t.o.Now()
	needs, err := t.o.Validator.Collect(ctx, t.doc)
	if err != nil {
		return ades.Evidence{}, err
	}
	e, err := validate.Union(needs)
	if err != nil {
		return e, fail(Incomplete, err, "evidence is missing")
	}
	return e, nil
}

func (t *work) archive(ctx context.Context, w io.Writer) error {
	e, err := t.collect(ctx)
	if err != nil {
		return err
	}
	var s stamping
	if len(t.doc.Contents) > 1 {
		s, err = t.steps.several(t.doc.Data, t.doc.Size, t.extension(e), t.doc.Contents)
	} else {
		s, err = t.steps.archive(t.doc.Data, t.doc.Size, t.extension(e))
	}
	if err != nil {
		return fail(Failed, err, "the archive time-stamp cannot be prepared")
	}
	return t.stamp(ctx, w, s)
}

// stamp gets the tokens for what was prepared and writes the file with them.
func (t *work) stamp(ctx context.Context, w io.Writer, s stamping) error {
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		token, err := t.o.Stamp(ctx, t.o.Hash, imprint)
		if err != nil {
			return fail(Failed, err, "the time-stamping authority gave no time-stamp")
		}
		tokens = append(tokens, token)
	}
	if err := s.Assemble(w, t.doc.Data, t.doc.Size, tokens); err != nil {
		return fail(Failed, err, "the time-stamp cannot be put in")
	}
	return nil
}

// memory is a Scratch in memory.
type memory struct{ bytes.Buffer }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}
func (m *memory) Size() int64  { return int64(m.Len()) }
func (m *memory) Close() error { return nil }
