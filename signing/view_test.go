package signing

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/signing/clamd"
	"sigillo/store"
	"sigillo/vault"
)

// painter draws pages that say their number; it is the renderer of this test.
type painter struct {
	pages   int
	version string
	err     error
	late    bool // the error comes after the pages
	drawn   int
}

func (p *painter) View(_ context.Context, path, _ string, keep func(view.Sheet) error) (view.Account, error) {
	p.drawn++
	acc := view.Account{Renderer: "painter " + p.version, DPI: 144}
	for n := 1; n <= p.pages && (p.late || p.err == nil); n++ {
		png := []byte(fmt.Sprintf("%s page %d", p.version, n))
		sum := sha256.Sum256(png)
		acc.Images = append(acc.Images, hex.EncodeToString(sum[:]))
		if err := keep(view.Sheet{Number: n, PNG: png, Text: fmt.Sprintf("text %d", n)}); err != nil {
			return acc, err
		}
	}
	return acc, p.err
}

func (p *painter) Converts(format string) bool { return format == "docx" }

func (p *painter) Convert(_ context.Context, path, _, target string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil && strings.Contains(string(b), "garbled") {
		err = &view.Error{Kind: view.Failed}
	}
	if err != nil {
		return "", err
	}
	return "painter " + p.version, os.WriteFile(target, append([]byte("pdf of "), b...), 0o600)
}

// bystander stands for the certification authority.
type bystander struct{ Certificates }

func (bystander) Status(context.Context, string) (store.CertState, error) {
	return store.CertValid, nil
}
func (bystander) Chain(c *x509.Certificate) []*x509.Certificate               { return []*x509.Certificate{c} }
func (bystander) Roots() []*x509.Certificate                                  { return nil }
func (bystander) CRLs(context.Context) ([][]byte, error)                      { return nil, nil }
func (bystander) StatusOf(context.Context, *x509.Certificate) ([]byte, error) { return nil, nil }

// room is a service of one holder "h" with a credential "c" on a database of its own.
// Its inspection refuses what contains "macro", and what is "defective" for good.
func room(t testing.TB, p *painter) *Service {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(10), Subject: pkix.Name{CommonName: "Ada"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(vault.Credential{ID: "c", Holder: "h", MaxDigests: 5})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.PutHolder(store.Holder{ID: "h", Username: "ada", Created: now}),
			tx.PutCredential(store.Credential{ID: "c", Holder: "h", Record: record, Certificate: "0a", Created: now}),
			tx.PutCertificate(store.Certificate{Serial: "0a", Holder: "h", Credential: "c", State: store.CertValid, DER: der, NotBefore: tmpl.NotBefore, NotAfter: tmpl.NotAfter}))
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{DB: db, Certificates: bystander{}, Viewer: p, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Inspect: func(_ context.Context, path, name string) inspect.Report {
			b, err := os.ReadFile(path)
			r := inspect.Report{Format: strings.TrimPrefix(filepath.Ext(name), "."), Verdict: inspect.Allow, Findings: []inspect.Finding{}, Ruleset: "r"}
			for word, rule := range map[string]string{"macro": "ooxml.macro", "defective": "ooxml.malformed"} {
				if err != nil || strings.Contains(string(b), word) && !strings.HasPrefix(string(b), "pdf of ") {
					r.Verdict = inspect.Refuse
					r.Findings = append(r.Findings, inspect.Finding{Rule: rule, Severity: inspect.Refuse})
				}
			}
			return r
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// entries are the details of the journal's entries of an event about a subject.
func entries(t *testing.T, s *Service, event, subject string) (out []map[string]string) {
	t.Helper()
	err := s.cfg.DB.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.JournalOfEvent(subject, event, 100)
		for _, e := range rows {
			d := map[string]string{}
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				return err
			}
			out = append(out, d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, s *Service, name, content string) Document {
	t.Helper()
	d, err := s.Upload(t.Context(), "h", name, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// journalled gathers the hashes of the images that one account in the journal names.
func journalled(t *testing.T, s *Service, document, account string) (hashes []string, about map[string]string) {
	t.Helper()
	at := map[string]string{}
	for _, d := range entries(t, s, "document.viewed", document) {
		if account != "" && d["account"] != account {
			continue
		}
		about = d
		for k, v := range d {
			if strings.HasPrefix(k, "images.") {
				at[k] = v
			}
		}
	}
	for n := 1; ; {
		v, ok := at[fmt.Sprintf("images.%05d", n)]
		if !ok {
			return hashes, about
		}
		list := strings.Fields(v)
		hashes, n = append(hashes, list...), n+len(list)
	}
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The images that the holder is served are those whose hashes are in the journal,
// and the entry of a signature that is prepared names them.
func TestImagesAreJournalled(t *testing.T) {
	t.Parallel()
	for _, pages := range []int{1, 3, hashesPerValue + 1, 50*hashesPerValue + 1} {
		p := &painter{pages: pages, version: "1.0"}
		s := room(t, p)
		d := put(t, s, "a.pdf", "document")
		hashes, about := journalled(t, s, d.ID, "")
		if len(hashes) != pages || about["renderer"] != "painter 1.0" || about["second"] != "none" || about["pages"] != fmt.Sprint(pages) || about["sha256"] != d.SHA256 {
			t.Fatalf("%d pages: %d hashes, %v", pages, len(hashes), about)
		}
		for _, n := range []int{1, pages} {
			png, err := s.Page(t.Context(), "h", d.ID, n)
			if err != nil || hashOf(png) != hashes[n-1] {
				t.Errorf("page %d is not the one of the journal, %v", n, err)
			}
			if text, err := s.PageText(t.Context(), "h", d.ID, n); err != nil || text != fmt.Sprintf("text %d", n) {
				t.Errorf("page %d says %q, %v", n, text, err)
			}
		}
		for _, n := range []int{0, pages + 1} {
			if _, err := s.Page(t.Context(), "h", d.ID, n); KindOf(err) != NotFound {
				t.Errorf("page %d: %v", n, err)
			}
		}
		if _, err := s.PageText(t.Context(), "other", d.ID, 1); KindOf(err) != NotFound {
			t.Errorf("another holder: %v", err)
		}
		if p.drawn != 1 {
			t.Errorf("drawn %d times", p.drawn)
		}
		tx, err := s.Prepare(t.Context(), "h", Request{Credential: "c", Documents: []Order{{Document: d.ID, Form: CAdES, Level: BB}}})
		if err != nil {
			t.Fatal(err)
		}
		prepared := entries(t, s, "signature.prepared", tx.ID)
		if len(prepared) != 1 || prepared[0]["account"] != about["account"] || about["account"] == "" || prepared[0]["pages"] != fmt.Sprint(pages) {
			t.Errorf("%v", prepared)
		}
	}
}

// An image that was changed or thrown away is made again; another renderer is
// another view, which is journalled before its images are served.
func TestImagesAreMadeAgain(t *testing.T) {
	t.Parallel()
	p := &painter{pages: 2, version: "1.0"}
	s := room(t, p)
	d := put(t, s, "a.pdf", "document")
	first, _ := journalled(t, s, d.ID, "")
	if err := os.WriteFile(s.pageFile(d.ID, 2, ".png"), []byte("another image"), 0o600); err != nil {
		t.Fatal(err)
	}
	if png, err := s.Page(t.Context(), "h", d.ID, 2); err != nil || hashOf(png) != first[1] {
		t.Errorf("%q, %v", png, err)
	}
	if n := len(entries(t, s, "document.viewed", d.ID)); n != 1 {
		t.Errorf("%d entries about the same images", n)
	}
	if err := os.RemoveAll(s.cfg.Scratch); err != nil {
		t.Fatal(err)
	}
	p.version, p.pages = "2.0", 3
	png, err := s.Page(t.Context(), "h", d.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	row, err := s.document(t.Context(), "h", d.ID)
	if err != nil {
		t.Fatal(err)
	}
	second, about := journalled(t, s, d.ID, accountHash(row))
	if len(second) != 3 || hashOf(png) != second[0] || about["renderer"] != "painter 2.0" || row.Pages != 3 {
		t.Errorf("%v, %v", second, about)
	}
}

// A document that two programs show differently, or that cannot be drawn, is
// refused with a finding; where there is nothing to draw it with, it is not.
func TestWhatCannotBeShown(t *testing.T) {
	t.Parallel()
	differs := &view.Error{Kind: view.Differs, Err: &view.Difference{Page: 2, First: []byte("one"), Second: []byte("two"), Programs: [2]string{"a 1", "b 2"}}}
	for name, c := range map[string]struct {
		file string
		err  error
		rule string
	}{
		"differs":      {"a.pdf", differs, ruleDiffers},
		"page count":   {"a.pdf", &view.Error{Kind: view.Differs, Err: &view.Difference{}}, ruleDiffers},
		"not drawn":    {"a.pdf", &view.Error{Kind: view.Failed}, ruleFailed},
		"too slow":     {"a.pdf", &view.Error{Kind: view.TimedOut}, ruleFailed},
		"too large":    {"a.pdf", &view.Error{Kind: view.Limit}, ruleFailed},
		"any fault":    {"a.pdf", errors.New("any fault"), ruleFailed},
		"no renderer":  {"a.pdf", &view.Error{Kind: view.Missing}, ""},
		"no cage":      {"a.pdf", &view.Error{Kind: view.NoSandbox}, ""},
		"no office":    {"a.docx", &view.Error{Kind: view.Missing}, ""},
		"office fails": {"a.docx", &view.Error{Kind: view.Failed}, ruleFailed},
		"image fails":  {"a.png", &view.Error{Kind: view.Unreadable}, ruleFailed},
		"no such view": {"a.bin", &view.Error{Kind: view.Unsupported}, ""},
	} {
		s := room(t, &painter{pages: 1, late: true, err: c.err})
		d := put(t, s, c.file, "document")
		if _, err := os.Stat(s.pageFile(d.ID, 1, ".png")); (err == nil) != (c.rule == "") {
			t.Errorf("%s: pages of a refused document: %v", name, err)
		}
		if d.Pages != 0 || len(entries(t, s, "document.viewed", d.ID)) != 0 {
			t.Errorf("%s: %d pages", name, d.Pages)
		}
		rules := strings.Join(ruleNames(d.Report, inspect.Refuse), " ")
		if rules != c.rule || (len(d.Forms) == 0) != (c.rule != "") || (d.Report.Verdict == inspect.Refuse) != (c.rule != "") {
			t.Errorf("%s: %s, %v", name, rules, d.Forms)
		}
		if got := entries(t, s, "document.inspected", d.ID); len(got) != 1 || got[0]["rules"] != c.rule || got[0]["verdict"] != string(d.Report.Verdict) {
			t.Errorf("%s: %v", name, got)
		}
		if d.Difference != (name == "differs") {
			t.Errorf("%s: pictures %v", name, d.Difference)
		}
		if name != "differs" {
			continue
		}
		if f := d.Report.Findings[0]; f.Where != "p. 2" || f.Quote != "1: a 1, 2: b 2" || f.Text.It == "" || f.Text.En == "" {
			t.Errorf("%+v", f)
		}
		for i, want := range map[int]string{1: "one", 2: "two"} {
			if got, err := s.Difference(t.Context(), "h", d.ID, i); err != nil || string(got) != want {
				t.Errorf("picture %d: %q, %v", i, got, err)
			}
		}
		for _, i := range []int{0, 3} {
			if _, err := s.Difference(t.Context(), "h", d.ID, i); KindOf(err) != NotFound {
				t.Errorf("picture %d: %v", i, err)
			}
		}
		if _, err := s.Difference(t.Context(), "other", d.ID, 1); KindOf(err) != NotFound {
			t.Errorf("another holder: %v", err)
		}
	}
}

// A document on which the programs have come to differ is refused from then on, also
// where a signature was prepared.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	p := &painter{pages: 2, version: "1.0"}
	s := room(t, p)
	d := put(t, s, "a.pdf", "document")
	order := Request{Credential: "c", Documents: []Order{{Document: d.ID, Form: CAdES, Level: BB}}}
	prepared, err := s.Prepare(t.Context(), "h", order)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.cfg.Scratch); err != nil {
		t.Fatal(err)
	}
	p.err = &view.Error{Kind: view.Failed} // for some reason that may go away
	if _, err := s.Page(t.Context(), "h", d.ID, 1); KindOf(err) != Unviewable {
		t.Fatal(err)
	}
	if _, err := s.Prepare(t.Context(), "h", order); err != nil {
		t.Error(err)
	}
	p.err = &view.Error{Kind: view.Differs, Err: &view.Difference{Page: 2, First: []byte("one"), Second: []byte("two")}}
	if _, err := s.Page(t.Context(), "h", d.ID, 1); KindOf(err) != Unviewable {
		t.Fatal(err)
	}
	now, err := s.Document(t.Context(), "h", d.ID)
	if err != nil || now.Report.Verdict != inspect.Refuse || !now.Difference || len(now.Forms) != 0 {
		t.Errorf("%+v, %v", now, err)
	}
	if got := entries(t, s, "document.withdrawn", d.ID); len(got) != 1 || got[0]["rules"] != ruleDiffers || got[0]["sha256"] != d.SHA256 {
		t.Errorf("%v", got)
	}
	if _, err := s.Prepare(t.Context(), "h", order); KindOf(err) != Refused {
		t.Error(err)
	}
	row, items, err := s.load(t.Context(), "h", prepared.ID)
	if err != nil || row.State != string(Prepared) {
		t.Fatal(row.State, err)
	}
	if _, err := s.confirmed(t.Context(), "h", items); KindOf(err) != Refused {
		t.Errorf("the prepared signature: %v", err)
	}
}

// An upload that fails while it is drawn leaves nothing behind, and the journal says so.
func TestUploadFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := room(t, &painter{pages: 1, late: true, err: &view.Error{Kind: view.TimedOut}})
	s.cfg.Inspect = func(context.Context, string, string) inspect.Report {
		cancel() // the client goes away
		return inspect.Report{Format: "pdf", Verdict: inspect.Allow, Findings: []inspect.Finding{}}
	}
	if _, err := s.Upload(ctx, "h", "a.pdf", strings.NewReader("x")); KindOf(err) != Busy {
		t.Fatal(err)
	}
	var last store.JournalEntry
	err := s.cfg.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		last, err = tx.JournalHead()
		return err
	})
	if err != nil || last.Event != "document.rejected" || !strings.Contains(string(last.Detail), "busy") {
		t.Errorf("%+v, %v", last, err)
	}
	for _, dir := range []string{s.path("incoming"), s.path("documents"), filepath.Join(s.cfg.Scratch, "views")} {
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: %v", dir, left)
		}
	}
}

// What is converted is a new document, inspected and shown afresh, and the journal
// says what it was made of.
func TestConvert(t *testing.T) {
	t.Parallel()
	s := room(t, &painter{pages: 1, version: "1.0"})
	d := put(t, s, "lettera.docx", "a macro")
	if !d.Convertible || len(d.Forms) != 0 || d.Pages != 0 {
		t.Fatalf("%+v", d)
	}
	if _, err := s.Convert(t.Context(), "other", d.ID); KindOf(err) != NotFound {
		t.Errorf("another holder: %v", err)
	}
	made, err := s.Convert(t.Context(), "h", d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == d.ID || made.Name != "lettera.pdf" || made.Format != "pdf" || made.Origin != d.ID || made.Pages != 1 || made.SHA256 != hashOf([]byte("pdf of a macro")) {
		t.Errorf("%+v", made)
	}
	got := entries(t, s, "document.converted", made.ID)
	if len(got) != 1 || got[0]["sha256"] != made.SHA256 || got[0]["origin"] != d.ID || got[0]["origin.sha256"] != d.SHA256 || got[0]["program"] != "painter 1.0" {
		t.Errorf("%v", got)
	}
	if len(entries(t, s, "document.inspected", made.ID)) != 1 || len(entries(t, s, "document.viewed", made.ID)) != 1 {
		t.Error("the new document was not inspected and shown")
	}
	if _, err := s.Prepare(t.Context(), "h", Request{Credential: "c", Documents: []Order{{Document: d.ID, Form: CAdES, Level: BB}}}); KindOf(err) != Refused {
		t.Errorf("the original: %v", err)
	}

	for name, c := range map[string]struct {
		file, content string
		spoil         func(Document) error
		kind          Kind
	}{
		"not refused":       {"a.docx", "fine", nil, Unconvertible},
		"another format":    {"a.xml", "macro", nil, Unconvertible},
		"defective as well": {"a.docx", "defective macro", nil, Unconvertible},
		"not converted":     {"a.docx", "garbled macro", nil, Unconvertible},
		"changed":           {"a.docx", "macro", func(d Document) error { return os.WriteFile(s.refused(d.ID), []byte("x"), 0o600) }, Changed},
		"a day later":       {"a.docx", "macro", func(d Document) error { return os.Remove(s.refused(d.ID)) }, Unconvertible},
	} {
		d := put(t, s, c.file, c.content)
		if c.spoil != nil {
			if err := c.spoil(d); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Convert(t.Context(), "h", d.ID); KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if kept, err := filepath.Glob(filepath.Join(s.cfg.Dir, "incoming", "*")); err != nil || len(kept) != 0 {
		t.Errorf("left behind: %v, %v", kept, err)
	}
}

// What the virus scanner finds something in is not converted, nor kept.
func TestConvertVirus(t *testing.T) {
	t.Parallel()
	s := room(t, &painter{pages: 1})
	found := false
	s.cfg.Antivirus = func(_ context.Context, path string) clamd.Answer {
		b, err := os.ReadFile(path)
		if found = err == nil && strings.Contains(string(b), "eicar"); found {
			return clamd.Answer{Result: clamd.Found, Signature: "Eicar", Engine: "e"}
		}
		return clamd.Answer{Result: clamd.Clean, Engine: "e"}
	}
	d := put(t, s, "a.docx", "a macro and eicar")
	if _, err := s.Convert(t.Context(), "h", d.ID); KindOf(err) != Infected || !found {
		t.Errorf("%v", err)
	}
	if got := entries(t, s, "document.unconverted", d.ID); len(got) != 1 || got[0]["origin.antivirus"] != "found Eicar" || got[0]["origin.antivirus-engine"] != "e" {
		t.Errorf("%v", got)
	}
	if d, err := s.Document(t.Context(), "h", d.ID); err != nil || d.Convertible {
		t.Errorf("still convertible, %v", err)
	}
	made, err := s.Convert(t.Context(), "h", put(t, s, "a.docx", "a macro").ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(t, s, "document.converted", made.ID); len(got) != 1 || got[0]["origin.antivirus"] != "clean" {
		t.Errorf("%v", got)
	}
}

// A conversion that was interrupted leaves a folder, which the next start removes.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := room(t, &painter{})
	if err := os.MkdirAll(s.path("incoming", "converting-1", "profile"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(s.path("incoming")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// The folder of what is set aside may be on another file system.
func TestSetAside(t *testing.T) {
	t.Parallel()
	folders := []string{t.TempDir()}
	if other, err := os.MkdirTemp("/dev/shm", "sigillo-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(other) })
		folders = append(folders, other)
	}
	for _, dir := range folders {
		from, to := filepath.Join(t.TempDir(), "a"), filepath.Join(dir, "new", "b")
		if err := os.WriteFile(from, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := setAside(from, to); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(to); err != nil || string(b) != "content" {
			t.Errorf("%q, %v", b, err)
		}
	}
}
