package signing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sigillo/audit"
	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/signing/clamd"
	"sigillo/store"
)

// Upload takes a document of holder from r: streamed to disk, hashed on the
// way, inspected in a disposable process, shown to a virus scanner if there is one.
// A document that the inspection refuses is reported, not kept: its row and report
// stay, its bytes go, at once or after a day in which it can be converted.
//
// Kinds: TooLarge, Empty, DiskFull, Busy, Internal.
func (s *Service) Upload(ctx context.Context, holder, name string, r io.Reader) (Document, error) {
	return s.take(ctx, upload{holder: holder, name: cleanName(name)}, r)
}

// upload is a document on its way in.
type upload struct {
	holder, name string
	origin       string            // document that this one was converted from; "" for none
	detail       map[string]string // about that, for the journal
	said         map[string]string // by the virus scanner, for the journal
}

func (s *Service) take(ctx context.Context, u upload, r io.Reader) (Document, error) {
	id := newID()
	doc, err := s.bring(ctx, id, u, r)
	if err != nil {
		s.forgetPages(id)
		s.note(ctx, u.holder, "document.rejected", id, map[string]string{"kind": string(KindOf(err))})
		return Document{}, err
	}
	return s.present(doc)
}

// bring receives, inspects, draws and admits it. After an error nothing of it is left
// but pages.
func (s *Service) bring(ctx context.Context, id string, u upload, r io.Reader) (doc store.Document, err error) {
	tmp := s.path("incoming", id)
	defer os.Remove(tmp)
	size, sum, err := s.receive(tmp, r)
	if err != nil {
		return doc, err
	}
	report, said, err := s.inspect(ctx, tmp, u)
	if err != nil {
		return doc, err
	}
	u.said = said
	doc = store.Document{ID: id, Holder: u.holder, Name: u.name, Format: report.Format, MediaType: report.MediaType,
		Size: size, SHA256: sum, Path: tmp, State: "inspected", Created: s.cfg.Now(), Origin: u.origin}
	if report.Verdict != inspect.Refuse {
		if err := s.show(ctx, &doc, &report); err != nil {
			return doc, err
		}
	}
	doc.Verdict = string(report.Verdict)
	if doc.Report, err = json.Marshal(report); err != nil {
		return doc, fail(Internal, "the report could not be stored", err)
	}
	if err := s.settle(&doc, report, tmp); err != nil {
		os.Remove(doc.Path)
		return doc, err
	}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error { return s.admit(tx, doc, report, u) })
	if err != nil {
		os.Remove(cmp.Or(doc.Path, s.refused(id)))
		return doc, fromStore(err)
	}
	return doc, nil
}

// settle moves the bytes of a document to where they belong: nowhere when it is
// refused, but aside for a day when it could be converted.
func (s *Service) settle(d *store.Document, report inspect.Report, tmp string) error {
	if report.Verdict == inspect.Refuse {
		d.Path = ""
		if !s.convertible(report) {
			return nil
		}
		if err := setAside(tmp, s.refused(d.ID)); err != nil {
			s.cfg.Log.Warn("a refused document was not kept for conversion", "document", d.ID, "err", err)
		}
		return nil
	}
	d.Path = s.path("documents", d.ID)
	if err := os.Rename(tmp, d.Path); err != nil {
		return fromDisk(err, "the document could not be stored")
	}
	if err := syncDir(s.path("documents")); err != nil {
		return fromDisk(err, "the document could not be stored")
	}
	return nil
}

// admit writes a document with what the journal says of it.
func (s *Service) admit(tx *store.Tx, d store.Document, report inspect.Report, u upload) error {
	if err := tx.PutDocument(d); err != nil {
		return err
	}
	if d.Origin != "" {
		if err := audit.Append(tx, s.cfg.Now(), convertedEvent(d, u.detail)); err != nil {
			return err
		}
	}
	detail := map[string]string{"sha256": hex.EncodeToString(d.SHA256), "format": d.Format, "verdict": d.Verdict,
		"rules": strings.Join(ruleNames(report, ""), " "), "ruleset": report.Ruleset, "policy": report.Policy}
	maps.Copy(detail, u.said)
	err := audit.Append(tx, s.cfg.Now(), audit.Event{Actor: d.Holder, Event: "document.inspected", Subject: d.ID, Detail: detail})
	if err != nil {
		return err
	}
	return s.journalView(tx, d)
}

// inspect runs the inspection when it is the holder's turn. What it would let pass is
// shown to the virus scanner, if there is one; said is for the journal what that
// said. Kind: Busy, when the client gives up waiting.
func (s *Service) inspect(ctx context.Context, path string, u upload) (report inspect.Report, said map[string]string, err error) {
	release, err := s.turns.take(ctx, u.holder)
	if err != nil {
		return inspect.Report{}, nil, err
	}
	defer release()
	report = s.cfg.Policy.Judge(s.cfg.Inspect(ctx, path, u.name))
	if s.cfg.Antivirus == nil || report.Verdict == inspect.Refuse {
		return report, nil, nil
	}
	answer := s.cfg.Antivirus(ctx, path)
	switch answer.Result {
	case clamd.Found:
		report = s.cfg.Policy.Judge(report.Infected(answer.Signature))
	case clamd.NoAnswer:
		s.cfg.Log.Warn("the virus scanner has no answer; the inspection alone decides", "reason", answer.Reason)
	}
	return report, map[string]string{"antivirus": answer.String(), "antivirus-engine": answer.Engine}, nil
}

// receive streams r into a new file, which is durable on return, and gives its
// size and SHA-256. The file may exist after an error; the caller removes it.
func (s *Service) receive(path string, r io.Reader) (int64, []byte, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, nil, fromDisk(err, "the upload could not be stored")
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(diskWriter{f}, h), io.LimitReader(r, s.cfg.MaxUpload+1))
	var disk diskError
	var own *Error
	switch {
	case errors.As(err, &own): // the reader keeps a limit of its own
		return 0, nil, own
	case errors.As(err, &disk):
		return 0, nil, fromDisk(disk.error, "the upload could not be stored")
	case err != nil:
		return 0, nil, fail(BadRequest, "the upload broke off", err)
	case size > s.cfg.MaxUpload:
		return 0, nil, fail(TooLarge, "the document is over the limit of "+strconv.FormatInt(s.cfg.MaxUpload/1_000_000, 10)+" MB", nil)
	case size == 0:
		return 0, nil, fail(Empty, "the document is empty", nil)
	}
	if err := f.Sync(); err != nil {
		return 0, nil, fromDisk(err, "the upload could not be stored")
	}
	return size, h.Sum(nil), nil
}

// diskWriter marks the errors of the file so that they are told apart from
// those of the network.
type diskWriter struct{ w io.Writer }

type diskError struct{ error }

func (e diskError) Unwrap() error { return e.error }

func (d diskWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		err = diskError{err}
	}
	return n, err
}

// note journals an event whose failure to be journalled must not hide the
// error being reported.
func (s *Service) note(ctx context.Context, actor, event, subject string, detail map[string]string) {
	ctx = context.WithoutCancel(ctx)
	if err := s.journal(ctx, audit.Event{Actor: actor, Event: event, Subject: subject, Detail: detail}); err != nil {
		s.cfg.Log.Error("journal entry lost", "event", event, "subject", subject, "err", err)
	}
}

// Document gives one document of holder. Kind: NotFound.
func (s *Service) Document(ctx context.Context, holder, id string) (Document, error) {
	d, err := s.document(ctx, holder, id)
	if err != nil {
		return Document{}, err
	}
	return s.present(d)
}

func (s *Service) document(ctx context.Context, holder, id string) (d store.Document, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		d, err = tx.Document(id)
		return err
	})
	if err == nil && d.Holder != holder {
		return d, fail(NotFound, "no such document", nil)
	}
	return d, fromStore(err)
}

// Documents lists the latest 100 documents of holder, newest first.
func (s *Service) Documents(ctx context.Context, holder string) ([]Document, error) {
	var rows []store.Document
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.DocumentsOf(holder, 100, time.Time{})
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	docs := make([]Document, 0, len(rows))
	for _, r := range rows {
		d, err := s.present(r)
		if err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// openUnchanged opens the stored bytes after checking that they are those
// that were inspected.
func openUnchanged(d store.Document) (*os.File, error) {
	if d.Path == "" {
		return nil, fail(Refused, "the document was refused and not kept", nil)
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return nil, fail(Changed, "the stored document is missing", err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		f.Close()
		return nil, fail(Changed, "the stored document cannot be read", err)
	}
	if string(h.Sum(nil)) != string(d.SHA256) {
		f.Close()
		return nil, fail(Changed, "the stored document is not the one that was inspected", nil)
	}
	return f, nil
}

func (s *Service) present(d store.Document) (Document, error) {
	out := Document{ID: d.ID, Name: d.Name, Format: d.Format, Size: d.Size, SHA256: hex.EncodeToString(d.SHA256),
		Pages: d.Pages, Created: d.Created, Forms: formsFor(d), Origin: d.Origin}
	if err := json.Unmarshal(d.Report, &out.Report); err != nil {
		return Document{}, fail(Internal, "the stored report cannot be read", err)
	}
	if d.Account != nil {
		var acc view.Account
		if err := json.Unmarshal(d.Account, &acc); err != nil {
			return Document{}, fail(Internal, "the account of the pages cannot be read", err)
		}
		out.Renderer, out.Second = acc.Renderer, acc.Second
	}
	if out.Report.Verdict == inspect.Refuse {
		out.Difference = s.hasDifference(d.ID)
		if s.convertible(out.Report) {
			_, err := os.Stat(s.refused(d.ID))
			out.Convertible = err == nil
		}
	}
	return out, nil
}

// ruleNames lists the rules of a report's findings of one severity, each once,
// at most 50; every severity when it is "".
func ruleNames(r inspect.Report, severity inspect.Verdict) []string {
	var rules []string
	for _, f := range r.Findings {
		if (severity == "" || f.Severity == severity) && !slices.Contains(rules, f.Rule) && len(rules) < 50 {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// cleanName keeps the last element of a file name, without control characters
// or anything a path or a header could trip on, at most 120 bytes with the
// extension kept.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`"<>|:*?`, r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(name))
	name = strings.TrimLeft(name, ".")
	if name == "" {
		return "document"
	}
	const limit = 120
	if len(name) > limit {
		ext := filepath.Ext(name)
		if len(ext) > 10 {
			ext = ""
		}
		stem := name[:limit-len(ext)]
		for !utf8.ValidString(stem) {
			stem = stem[:len(stem)-1]
		}
		name = stem + ext
	}
	return name
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
