package signing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigillo/audit"
	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/store"
)

// Viewer makes the page images of a document.
type Viewer interface {
	// View draws all pages and hands them over in order.
	View(ctx context.Context, path, format string, keep func(view.Sheet) error) (view.Account, error)
	// Convert writes a document as PDF/A and tells which program did it.
	Convert(ctx context.Context, path, format, target string) (program string, err error)
	// Converts tells whether Convert takes this format.
	Converts(format string) bool
}

// Rules of the view. They are none of the inspection's: what two programs make
// of a document shows only when they draw it.
const (
	ruleDiffers = "view.differs"
	ruleFailed  = "view.failed"
)

var viewTexts = map[string]inspect.Text{
	ruleDiffers: {
		It: "Due programmi mostrano il documento in modo diverso: non si può dire che cosa si firma. Esportarlo di nuovo dal programma di origine, meglio in PDF/A.",
		En: "Two programs show the document differently: nobody can tell what is being signed. Export it again from the program it came from, best as PDF/A."},
	ruleFailed: {
		It: "Le pagine del documento non possono essere disegnate: esportarlo di nuovo, meglio in PDF/A; se è molto grande, dividerlo.",
		En: "The pages of the document cannot be drawn: export it again, best as PDF/A; if it is very large, split it."},
}

// Files of one document's pages. They can be made again, so they lie in the
// folder that is emptied every day.
func (s *Service) pageFile(id string, n int, ending string) string {
	return filepath.Join(s.cfg.Scratch, "views", id, strconv.Itoa(n)+ending)
}

// show draws a document that the inspection lets pass and notes the outcome in
// it: the pages and how they were made, or a refusal where two programs do not show
// it alike or where it cannot be drawn. Where no renderer is installed, none can be
// shut in, or there is none for the format, it may be signed all the same, and the
// holder is told that it cannot be shown.
//
// Kinds: Busy, DiskFull.
func (s *Service) show(ctx context.Context, d *store.Document, report *inspect.Report) error {
	acc, err := s.draw(ctx, *d)
	var disk diskError
	switch kind := view.KindOf(err); {
	case err == nil:
		d.Pages = len(acc.Images)
		if d.Account, err = json.Marshal(acc); err != nil {
			return fail(Internal, "the account of the pages could not be stored", err)
		}
		return nil
	case errors.As(err, &disk):
		return fromDisk(disk.error, "the page images could not be stored")
	case ctx.Err() != nil:
		return fail(Busy, "the pages could not be drawn in time", err)
	case kind == view.Differs:
		s.refuseDifferent(d.ID, report, err)
	case kind != view.Missing && kind != view.NoSandbox && kind != view.Unsupported:
		s.forgetPages(d.ID)
		refuse(report, ruleFailed, "", "")
	}
	s.cfg.Log.Warn("no page images", "document", d.ID, "format", d.Format, "err", err)
	return nil
}

// refuseDifferent puts the two pictures in place of the pages.
func (s *Service) refuseDifferent(id string, report *inspect.Report, err error) {
	s.forgetPages(id)
	where, quote := s.keepDifference(id, err)
	refuse(report, ruleDiffers, where, quote)
}

// forgetPages removes the pages that were drawn of a document until it was refused.
func (s *Service) forgetPages(id string) {
	if err := os.RemoveAll(filepath.Dir(s.pageFile(id, 1, ""))); err != nil {
		s.cfg.Log.Warn("pages of a refused document are kept for a day", "document", id, "err", err)
	}
}

func refuse(r *inspect.Report, rule, where, quote string) {
	r.Verdict = inspect.Refuse
	r.Findings = append(r.Findings, inspect.Finding{Rule: rule, Severity: inspect.Refuse, Where: where, Quote: quote, Text: viewTexts[rule]})
}

// keepDifference keeps the two pictures for the holder to look at, and names
// the page and the programs. Without the pictures the refusal stands all the same.
func (s *Service) keepDifference(id string, err error) (where, programs string) {
	d, ok := view.DifferenceOf(err)
	if !ok {
		return "", ""
	}
	programs = fmt.Sprintf("1: %s, 2: %s", d.Programs[0], d.Programs[1])
	if d.Page == 0 {
		return "", programs
	}
	for i, png := range [][]byte{d.First, d.Second} {
		if err := writeNew(s.pageFile(id, i+1, ".differs.png"), png); err != nil {
			s.cfg.Log.Warn("a picture of a difference was not kept", "document", id, "err", err)
		}
	}
	return "p. " + strconv.Itoa(d.Page), programs
}

// draw draws the pages of a document into files, a few documents at a time.
func (s *Service) draw(ctx context.Context, d store.Document) (view.Account, error) {
	release, err := s.turns.take(ctx, d.Holder)
	if err != nil {
		return view.Account{}, err
	}
	defer release()
	return s.cfg.Viewer.View(ctx, d.Path, d.Format, func(p view.Sheet) error {
		if err := writeNew(s.pageFile(d.ID, p.Number, ".png"), p.PNG); err != nil {
			return diskError{err}
		}
		if err := writeNew(s.pageFile(d.ID, p.Number, ".txt"), []byte(p.Text)); err != nil {
			return diskError{err}
		}
		return nil
	})
}

// writeNew makes a file appear whole or not at all.
func writeNew(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// hashesPerValue fit a value of the journal (audit.MaxValue).
const hashesPerValue = 60

// viewedEvents tell what the holder is shown: the programs with their versions,
// the number of pages, and the SHA-256 of every page image, in values of up to
// sixty named by their first page ("images.00001"). A long document takes several.
func viewedEvents(d store.Document) []audit.Event {
	var acc view.Account
	if d.Account == nil || json.Unmarshal(d.Account, &acc) != nil {
		return nil
	}
	const perEvent = 50 * hashesPerValue
	var out []audit.Event
	for first := 0; first < len(acc.Images); first += perEvent {
		second := acc.Second
		if second == "" {
			second = "none"
		}
		detail := map[string]string{"sha256": hex.EncodeToString(d.SHA256), "renderer": acc.Renderer, "second": second,
			"dpi": strconv.Itoa(acc.DPI), "pages": strconv.Itoa(len(acc.Images)), "account": accountHash(d)}
		last := min(first+perEvent, len(acc.Images))
		for i := first; i < last; i += hashesPerValue {
			detail[fmt.Sprintf("images.%05d", i+1)] = strings.Join(acc.Images[i:min(i+hashesPerValue, last)], " ")
		}
		out = append(out, audit.Event{Actor: d.Holder, Event: "document.viewed", Subject: d.ID, Detail: detail})
	}
	return out
}

// accountHash stands for the account of a view in the entries about signatures.
func accountHash(d store.Document) string {
	sum := sha256.Sum256(d.Account)
	return hex.EncodeToString(sum[:])
}

// Page gives the image of page n, from 1, made from the very bytes that will
// be signed: the image whose hash is in the journal. Kinds: NotFound, Changed,
// Unviewable, Busy.
func (s *Service) Page(ctx context.Context, holder, id string, n int) ([]byte, error) {
	return s.ofPage(ctx, holder, id, n, ".png")
}

// PageText gives what is written on page n as plain text, for those who cannot
// see the image; "" where there is none. Kinds as Page.
func (s *Service) PageText(ctx context.Context, holder, id string, n int) (string, error) {
	text, err := s.ofPage(ctx, holder, id, n, ".txt")
	return string(text), err
}

func (s *Service) ofPage(ctx context.Context, holder, id string, n int, ending string) ([]byte, error) {
	d, err := s.document(ctx, holder, id)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > d.Pages {
		return nil, fail(NotFound, "no such page", nil)
	}
	if b, ok := s.kept(d, n, ending); ok {
		return b, nil
	}
	f, err := openUnchanged(d)
	if err != nil {
		return nil, err
	}
	f.Close()
	// The images were thrown away, or the document comes from before there was
	// an account. They are made for all who ask, also when the first goes away.
	done := s.drawing.DoChan(id, func() (any, error) { return nil, s.redraw(context.WithoutCancel(ctx), holder, id) })
	select {
	case r := <-done:
		err = r.Err
	case <-ctx.Done():
		err = fail(Busy, "the page is being drawn; try again", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	if d, err = s.document(ctx, holder, id); err != nil {
		return nil, err
	}
	if b, ok := s.kept(d, n, ending); ok {
		return b, nil
	}
	return nil, fail(Unviewable, "the page could not be shown", nil)
}

// kept reads what is kept of a page. An image that is not the one of the account
// is not served.
func (s *Service) kept(d store.Document, n int, ending string) ([]byte, bool) {
	var acc view.Account
	if d.Account == nil || json.Unmarshal(d.Account, &acc) != nil || n > len(acc.Images) {
		return nil, false
	}
	b, err := os.ReadFile(s.pageFile(d.ID, n, ending))
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256(b)
	return b, ending != ".png" || hex.EncodeToString(sum[:]) == acc.Images[n-1]
}

// redraw makes the images of a document again. When they are not the same, as
// after an update of a renderer, that is journalled as another view; when the two
// programs do not agree any more, the document is refused from now on.
func (s *Service) redraw(ctx context.Context, holder, id string) error {
	d, err := s.document(ctx, holder, id)
	if err != nil {
		return err
	}
	acc, err := s.draw(ctx, d)
	if view.KindOf(err) == view.Differs {
		err = errors.Join(err, s.withdraw(ctx, d, err))
	}
	if err != nil {
		return fail(Unviewable, "the pages could not be shown", err)
	}
	account, err := json.Marshal(acc)
	if err != nil {
		return fail(Internal, "the account of the pages could not be stored", err)
	}
	if string(account) == string(d.Account) {
		return nil
	}
	d.Account, d.Pages = account, len(acc.Images)
	return fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetDocumentView(d.ID, d.Pages, d.Account); err != nil {
			return err
		}
		return s.journalView(tx, d)
	}))
}

// withdraw refuses a document that was let pass. What was signed of it stays; what
// was only prepared is not signed any more, because consent is asked for again.
func (s *Service) withdraw(ctx context.Context, d store.Document, differs error) error {
	var report inspect.Report
	if err := json.Unmarshal(d.Report, &report); err != nil {
		return err
	}
	s.refuseDifferent(d.ID, &report, differs)
	all, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetDocumentInspected(d.ID, d.State, d.State, d.Format, d.MediaType, string(report.Verdict), all); err != nil {
			return err
		}
		return audit.Append(tx, s.cfg.Now(), audit.Event{Actor: d.Holder, Event: "document.withdrawn", Subject: d.ID,
			Detail: map[string]string{"sha256": hex.EncodeToString(d.SHA256), "rules": strings.Join(ruleNames(report, inspect.Refuse), " ")}})
	})
}

func (s *Service) journalView(tx *store.Tx, d store.Document) error {
	for _, ev := range viewedEvents(d) {
		if err := audit.Append(tx, s.cfg.Now(), ev); err != nil {
			return err
		}
	}
	return nil
}

// accounted makes sure that what the holder could see is in the journal before
// anything of the document can be signed.
func (s *Service) accounted(ctx context.Context, d store.Document) (store.Document, error) {
	if d.Pages == 0 || d.Account != nil {
		return d, nil
	}
	_, err, _ := s.drawing.Do(d.ID, func() (any, error) { return nil, s.redraw(context.WithoutCancel(ctx), d.Holder, d.ID) })
	if err != nil {
		return d, err
	}
	return s.document(ctx, d.Holder, d.ID)
}

// Difference gives one of the two pictures, 1 or 2, of the page that two programs
// show differently. They are kept for a day. Kind: NotFound.
func (s *Service) Difference(ctx context.Context, holder, id string, which int) ([]byte, error) {
	d, err := s.document(ctx, holder, id)
	if err != nil {
		return nil, err
	}
	if which != 1 && which != 2 {
		return nil, fail(NotFound, "there are two pictures", nil)
	}
	b, err := os.ReadFile(s.pageFile(d.ID, which, ".differs.png"))
	if err != nil {
		return nil, fail(NotFound, "the picture is not kept any more", err)
	}
	return b, nil
}

func (s *Service) hasDifference(id string) bool {
	_, err := os.Stat(s.pageFile(id, 2, ".differs.png"))
	return err == nil
}
