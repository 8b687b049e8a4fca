package view

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMain lets the test binary be the renderer of texts and images.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// view draws a document and gives the pictures of its pages.
func view(t *testing.T, r *Renderer, path, format string) (pages []image.Image, err error) {
	t.Helper()
	_, err = r.View(t.Context(), path, format, func(s Sheet) error {
		pages = append(pages, picture(t, s.PNG))
		return nil
	})
	return pages, err
}

// renderer skips the test when the outside programs are not there.
func renderer(t *testing.T, office bool) *Renderer {
	t.Helper()
	r := New(t.TempDir())
	switch {
	case r.Pdftoppm == "":
		t.Skip("pdftoppm (poppler-utils) is not installed")
	case r.Bwrap == "":
		t.Skip("bwrap (bubblewrap) is not installed")
	case office && r.Soffice == "":
		t.Skip("LibreOffice (libreoffice-writer-nogui, libreoffice-calc-nogui) is not installed")
	}
	return r
}

func picture(t *testing.T, b []byte) image.Image {
	t.Helper()
	p, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ink counts dark pixels within a rectangle given in tenths of the page.
func inkIn(p image.Image, x0, y0, x1, y1 int) (n int) {
	b := p.Bounds()
	for y := b.Dy() * y0 / 10; y < b.Dy()*y1/10; y++ {
		for x := b.Dx() * x0 / 10; x < b.Dx()*x1/10; x++ {
			if r, _, _, _ := p.At(b.Min.X+x, b.Min.Y+y).RGBA(); r < 0x4000 {
				n++
			}
		}
	}
	return n
}

// pdfOf makes a PDF of pages on each of which a black square stands further down.
func pdfOf(pages int, box string) []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", 3+2*i)
	}
	object("<< /Type /Pages /Kids [%s] /Count %d >>", kids, pages)
	for i := range pages {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents %d 0 R >>", box, 4+2*i)
		content := fmt.Sprintf("0 %d 100 100 re f", 900-100*i)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return b.Bytes()
}

func TestPDF(t *testing.T) {
	t.Parallel()
	pages, err := view(t, renderer(t, false), write(t, "a.pdf", pdfOf(3, "0 0 1000 1000")), "pdf")
	if len(pages) != 3 || err != nil {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for n, p := range pages {
		if p.Bounds().Dx() != 1000*DPI/72 || p.Bounds().Dy() != 1000*DPI/72 {
			t.Errorf("size %v", p.Bounds())
		}
		for row := range 10 {
			if dark := inkIn(p, 0, row, 1, row+1) > 30000; dark != (row == n) {
				t.Errorf("page %d: square in row %d: %v", n+1, row, dark)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	none := New("")
	none.Pdftoppm, none.Own = "", ""
	small, text := pdfOf(1, "0 0 9 9"), []byte("a")
	given, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		r      *Renderer
		path   string
		format string
		want   Kind
	}{
		"huge page":      {t.Context(), r, write(t, "a", pdfOf(1, "0 0 14400 14400")), "pdf", Limit},
		"broken":         {t.Context(), r, write(t, "a", small[:200]), "pdf", Failed},
		"no pages":       {t.Context(), r, write(t, "a", pdfOf(0, "0 0 9 9")), "pdf", Failed},
		"no PDF":         {t.Context(), r, "/nonexistent", "pdf", Unreadable},
		"no text":        {t.Context(), r, "/nonexistent", "text", Failed},
		"no view":        {t.Context(), r, write(t, "a", text), "p7m", Unsupported},
		"given up":       {given, r, write(t, "a", small), "pdf", TimedOut},
		"text, given up": {given, r, write(t, "a", text), "text", TimedOut},
		"no poppler":     {t.Context(), none, write(t, "a", small), "pdf", Missing},
		"not us":         {t.Context(), none, write(t, "a", text), "text", Missing},
	} {
		if _, err := c.r.View(c.ctx, c.path, c.format, func(Sheet) error { return nil }); KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without the cage there is no view, unless the operator says so.
func TestNoSandbox(t *testing.T) {
	t.Parallel()
	path := write(t, "a.pdf", pdfOf(1, "0 0 1000 1000"))
	for _, bwrap := range []string{"", "/bin/false"} {
		r := renderer(t, false)
		r.Bwrap = bwrap
		text := write(t, "a.txt", []byte("a"))
		for path, format := range map[string]string{path: "pdf", text: "text"} {
			if _, err := view(t, r, path, format); KindOf(err) != NoSandbox {
				t.Errorf("%q, %s: %v", bwrap, format, err)
			}
		}
		r.AllowUnsandboxed = true
		for path, format := range map[string]string{path: "pdf", text: "text"} {
			if _, err := view(t, r, path, format); err != nil {
				t.Errorf("%q, %s, allowed: %v", bwrap, format, err)
			}
		}
		// What the inspection has refused is not opened without a cage all the same.
		r.Soffice = "/bin/true"
		if _, err := r.Convert(t.Context(), path, "docx", filepath.Join(t.TempDir(), "b.pdf")); KindOf(err) != NoSandbox {
			t.Errorf("%q, converted: %v", bwrap, err)
		}
	}
}

// Where bubblewrap does not work the owner's cage is used, and the log is told
// once; where bubblewrap works, it is not asked.
func TestSecondCage(t *testing.T) {
	t.Parallel()
	path := write(t, "a.txt", []byte("a"))
	for name, c := range map[string]struct {
		bwrap, cage, log string
		kind             Kind
		asked            int // for the trial and two documents
	}{
		"neither":    {"/bin/false", "/bin/false", "level=WARN msg=\"pages cannot be drawn in a sandbox\"", NoSandbox, 1},
		"the second": {"/bin/false", "/usr/bin/env", "level=WARN msg=\"pages are drawn in the cage without namespaces\"", "", 3},
		"no bwrap":   {"", "/usr/bin/env", "level=WARN msg=\"pages are drawn in the cage without namespaces\"", "", 3},
		"bwrap":      {"/usr/bin/bwrap", "/bin/false", "level=INFO msg=\"pages are drawn in bubblewrap\"", "", 0},
	} {
		r := renderer(t, false)
		if c.bwrap == r.Bwrap && r.tryBubblewrap(t.Context()) != nil {
			continue // this machine has no namespaces to give
		}
		r.Bwrap = c.bwrap
		var folders []string
		r.Cage = func(dir, document string, _ int64, _ time.Duration) []string {
			folders = append(folders, dir)
			return []string{c.cage}
		}
		var log bytes.Buffer
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		for range 2 {
			if _, err := view(t, r, path, "text"); KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: the log says %q", name, &log)
		}
		if len(folders) != c.asked {
			t.Errorf("%s: the cage was asked %d times", name, len(folders))
		}
		for _, dir := range folders {
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s: %s is left", name, dir)
			}
		}
	}
}

// What runs in the cage sees the document and nothing else of ours.
func TestCage(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	path := write(t, "secret.txt", []byte("document"))
	script := fmt.Sprintf(`cat /in/a.txt; ls /etc/passwd %s /root /home 2>/dev/null; (echo x > /usr/x) 2>/dev/null && echo WROTE; (exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo NET; env | grep -v -E '^(PATH|HOME|LANG|TZ|SAL_USE_VCLPLUGIN|PWD|SHLVL|_)='; ls /proc | grep -c '^[0-9]'`,
		filepath.Dir(path), listener.Addr().(*net.TCPAddr).Port)
	var out []byte
	err = r.run(t.Context(), &job{program: "/usr/bin/bash", args: []string{"-c", script}, document: path, as: "a.txt", memory: 1 << 30, time: 5 * time.Second,
		stdout: func(p io.Reader) (err error) { out, err = io.ReadAll(p); return err }})
	if err != nil && KindOf(err) != Failed {
		t.Fatal(err)
	}
	got := strings.Fields(string(out))
	if len(got) != 1 && (len(got) != 2 || len(got[1]) > 1) || !strings.HasPrefix(string(out), "document") {
		t.Errorf("the cage shows %q", out)
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	err := r.run(t.Context(), &job{program: "/usr/bin/sleep", args: []string{"60"}, document: write(t, "a", nil), as: "a", memory: 1 << 30, time: 2 * time.Second})
	if KindOf(err) != TimedOut {
		t.Error(err)
	}
}

func TestOffice(t *testing.T) {
	if testing.Short() {
		t.Skip("converts with LibreOffice")
	}
	t.Parallel()
	r := renderer(t, true)
	rtf := write(t, "a.rtf", []byte(`{\rtf1\ansi{\fs40 CONTRATTO}\par\page seconda pagina\par}`))
	pages, err := view(t, r, rtf, "rtf")
	if err != nil || len(pages) != 2 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if p := pages[0]; inkIn(p, 0, 0, 10, 3) < 160 || inkIn(p, 0, 4, 10, 10) > 0 {
		t.Error("the title is not where it should be")
	}
	cached, err := filepath.Glob(filepath.Join(r.Cache, "*"))
	if err != nil || len(cached) != 1 || !strings.HasSuffix(cached[0], ".rtf.pdf") {
		t.Errorf("cache: %v, %v", cached, err)
	}
	var texts []string
	acc, err := r.View(t.Context(), rtf, "rtf", func(s Sheet) error { texts = append(texts, s.Text); return nil })
	if err != nil || len(acc.Images) != 2 || !strings.HasPrefix(acc.Renderer, "LibreOffice ") || !strings.Contains(acc.Renderer, ", poppler ") || acc.Second != "" {
		t.Errorf("%+v, %v", acc, err)
	}
	if strings.Join(texts, "|") != "CONTRATTO|seconda pagina" {
		t.Errorf("%q", texts)
	}
	// The second time LibreOffice is not asked, unless it is another by then.
	converter := func(version string) string {
		path := write(t, "soffice", []byte("#!/bin/sh\necho '"+version+"'\nexit 1\n"))
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r.Soffice = converter(r.version(t.Context(), libreOffice))
	if _, err := view(t, r, rtf, "rtf"); err != nil {
		t.Error(err)
	}
	r.Soffice = converter("LibreOffice 99.1")
	if _, err := view(t, r, rtf, "rtf"); KindOf(err) != Failed {
		t.Errorf("made by another version: %v", err)
	}
	if _, err := view(t, r, write(t, "b.rtf", []byte(`{\rtf1 x}`)), "rtf"); KindOf(err) != Failed {
		t.Errorf("a renderer that fails: %v", err)
	}
	docx := filepath.Join("..", "..", "testdata", "documents", "lettera.docx")
	r = renderer(t, true)
	r.Cache = ""
	if pages, err = view(t, r, docx, "docx"); err != nil || inkIn(pages[0], 0, 0, 10, 10) < 400 {
		t.Errorf("lettera.docx: %v", err)
	}
}

func ExampleRenderer_View() {
	r := New("")
	path := filepath.Join(os.TempDir(), "sigillo-example.txt")
	if err := os.WriteFile(path, []byte("Il sottoscritto dichiara.\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(path)
	account, err := r.View(context.Background(), path, "text", func(s Sheet) error {
		fmt.Println(s.Number, len(s.PNG) > 1000, s.Text)
		return nil
	})
	switch KindOf(err) {
	case "":
		fmt.Println(account.Renderer, account.DPI, len(account.Images))
	case NoSandbox: // no cage can be built on this machine
		fmt.Println("1 true Il sottoscritto dichiara.\nsigillo 1 144 1")
	default:
		fmt.Println(err)
	}
	// Output:
	// 1 true Il sottoscritto dichiara.
	// sigillo 1 144 1
}
