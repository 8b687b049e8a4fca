package signing

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sigillo/audit"
	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/signing/clamd"
	"sigillo/store"
)

// refused is where the bytes of a refused document that can be converted wait
// for a day, in case the holder wants that.
func (s *Service) refused(id string) string { return filepath.Join(s.cfg.Scratch, "refused", id) }

// setAside moves a file to a folder that may be on another file system.
func setAside(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		os.Remove(to)
		return err
	}
	return nil
}

// convertible tells whether converting a refused document helps: it removes what
// is refused, and the document can be read in one way only. What does not let
// itself be read is not guessed at: a defective file, one of two formats, one
// under a password, one that was too much for the inspection.
func (s *Service) convertible(r inspect.Report) bool {
	if r.Verdict != inspect.Refuse || r.Omitted > 0 || !s.cfg.Viewer.Converts(r.Format) {
		return false
	}
	for _, f := range r.Findings {
		if f.Severity == inspect.Refuse && !removable(f.Rule) {
			return false
		}
	}
	return true
}

func removable(rule string) bool {
	switch rule {
	case "empty", "size", "inspect.failed", "virus", "name.mismatch", "zip.bomb", "zip.layout", "zip.names", "html.encoding", "text.encoding.mixed":
		return false
	}
	for _, part := range []string{"format.", "view.", "pdf."} {
		if strings.HasPrefix(rule, part) {
			return false
		}
	}
	for _, part := range []string{".malformed", ".encrypted", ".limit"} {
		if strings.HasSuffix(rule, part) {
			return false
		}
	}
	return true
}

// Convert makes a PDF/A of a document that the inspection has refused, when the
// holder asks for it: a new document of his, inspected and shown like any other,
// and journalled with where it comes from. What changes by itself in the
// original, such as the date of a field, stands in it as it was at this moment.
//
// Kinds: NotFound, Unconvertible, Infected, TooLarge, Changed, DiskFull, Busy, Internal.
func (s *Service) Convert(ctx context.Context, holder, id string) (Document, error) {
	d, err := s.document(ctx, holder, id)
	if err != nil {
		return Document{}, err
	}
	old, err := s.present(d)
	if err != nil {
		return Document{}, err
	}
	if !old.Convertible {
		return Document{}, fail(Unconvertible, "the document cannot be converted, or is not kept any more", nil)
	}
	d.Path = s.refused(id)
	f, err := openUnchanged(d)
	if err != nil {
		return Document{}, err
	}
	f.Close()
	made := newID()
	tmp := s.path("incoming", made)
	defer os.Remove(tmp)
	detail, err := s.convert(ctx, d, tmp)
	if err != nil {
		return Document{}, err
	}
	pdf, err := os.Open(tmp)
	if err != nil {
		return Document{}, fromDisk(err, "the converted document cannot be read")
	}
	defer pdf.Close()
	u := upload{holder: holder, name: strings.TrimSuffix(d.Name, filepath.Ext(d.Name)) + ".pdf", origin: d.ID, detail: detail}
	return s.take(ctx, u, pdf)
}

// convert does it, and says for the journal what was done to which document. The
// virus scanner, if there is one, has not seen a document that the inspection
// refused: it is asked now, before a program opens it.
func (s *Service) convert(ctx context.Context, d store.Document, target string) (detail map[string]string, err error) {
	release, err := s.turns.take(ctx, d.Holder)
	if err != nil {
		return nil, err
	}
	defer release()
	detail = map[string]string{"origin": d.ID, "origin.sha256": hex.EncodeToString(d.SHA256)}
	if s.cfg.Antivirus != nil {
		answer := s.cfg.Antivirus(ctx, d.Path)
		detail["origin.antivirus"], detail["origin.antivirus-engine"] = answer.String(), answer.Engine
		if answer.Result == clamd.Found {
			os.Remove(d.Path)
			s.note(ctx, d.Holder, "document.unconverted", d.ID, detail)
			return nil, fail(Infected, "the virus scanner has found something in the document", nil)
		}
	}
	program, err := s.cfg.Viewer.Convert(ctx, d.Path, d.Format, target)
	switch {
	case err == nil:
		detail["program"] = program
		return detail, nil
	case ctx.Err() != nil:
		return nil, fail(Busy, "the document could not be converted in time", err)
	}
	detail["kind"] = string(view.KindOf(err))
	s.note(ctx, d.Holder, "document.unconverted", d.ID, detail)
	return nil, fail(Unconvertible, "the document could not be converted", err)
}

// convertedEvent says where a converted document comes from, with both digests.
func convertedEvent(d store.Document, detail map[string]string) audit.Event {
	all := map[string]string{"sha256": hex.EncodeToString(d.SHA256)}
	for k, v := range detail {
		all[k] = v
	}
	return audit.Event{Actor: d.Holder, Event: "document.converted", Subject: d.ID, Detail: all}
}
