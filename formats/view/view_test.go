package view

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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
	r := renderer(t, false)
	path := write(t, "a.pdf", pdfOf(3, "0 0 1000 1000"))
	if n, err := r.Pages(t.Context(), path, "pdf"); n != 3 || err != nil {
		t.Fatalf("%d pages, %v", n, err)
	}
	for n := 1; n <= 3; n++ {
		b, err := r.Page(t.Context(), path, "pdf", n, 36)
		if err != nil {
			t.Fatal(err)
		}
		p := picture(t, b)
		if p.Bounds().Dx() != 500 || p.Bounds().Dy() != 500 {
			t.Errorf("size %v", p.Bounds())
		}
		for row := range 10 {
			if dark := inkIn(p, 0, row, 1, row+1) > 2000; dark != (row == n-1) {
				t.Errorf("page %d: square in row %d: %v", n, row, dark)
			}
		}
	}
	for _, n := range []int{0, -1, 4, MaxPages + 1} {
		if _, err := r.Page(t.Context(), path, "pdf", n, 36); KindOf(err) != NoPage {
			t.Errorf("page %d: %v", n, err)
		}
	}
	for _, dpi := range []int{0, MinDPI - 1, MaxDPI + 1} {
		if _, err := r.Page(t.Context(), path, "pdf", 1, dpi); KindOf(err) != Limit {
			t.Errorf("%d dpi: %v", dpi, err)
		}
	}
}

func TestPDFFaults(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	huge := write(t, "a.pdf", pdfOf(1, "0 0 14400 14400"))
	if _, err := r.Page(t.Context(), huge, "pdf", 1, 72); KindOf(err) != Limit {
		t.Errorf("huge page: %v", err)
	}
	broken := write(t, "b.pdf", pdfOf(1, "0 0 9 9")[:200])
	if _, err := r.Pages(t.Context(), broken, "pdf"); KindOf(err) != Failed {
		t.Errorf("broken: %v", err)
	}
	if _, err := r.Pages(t.Context(), "/nonexistent", "pdf"); KindOf(err) != Unreadable {
		t.Errorf("missing: %v", err)
	}
	if _, err := r.Pages(t.Context(), broken, "p7m"); KindOf(err) != Unsupported {
		t.Errorf("p7m: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Page(ctx, write(t, "c.pdf", pdfOf(1, "0 0 9 9")), "pdf", 1, 72); KindOf(err) != TimedOut {
		t.Errorf("cancelled: %v", err)
	}
	none := New("")
	none.Pdftoppm = ""
	if _, err := none.Page(t.Context(), huge, "pdf", 1, 72); KindOf(err) != Missing {
		t.Errorf("no pdftoppm: %v", err)
	}
}

// Without the cage there is no view, unless the operator says so.
func TestNoSandbox(t *testing.T) {
	t.Parallel()
	path := write(t, "a.pdf", pdfOf(1, "0 0 1000 1000"))
	for _, bwrap := range []string{"", "/bin/false"} {
		r := renderer(t, false)
		r.Bwrap = bwrap
		if _, err := r.Page(t.Context(), path, "pdf", 1, 36); KindOf(err) != NoSandbox {
			t.Errorf("%q: %v", bwrap, err)
		}
		r.AllowUnsandboxed = true
		if _, err := r.Page(t.Context(), path, "pdf", 1, 36); err != nil {
			t.Errorf("%q, allowed: %v", bwrap, err)
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
	path := write(t, "a.pdf", pdfOf(1, "0 0 1000 1000"))
	for name, c := range map[string]struct {
		bwrap, cage, log string
		kind             Kind
		asked            int // for the trial and two pages
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
			if _, err := r.Page(t.Context(), path, "pdf", 1, 36); KindOf(err) != c.kind {
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
	n, err := r.Pages(t.Context(), rtf, "rtf")
	if err != nil || n != 2 {
		t.Fatalf("%d pages, %v", n, err)
	}
	b, err := r.Page(t.Context(), rtf, "rtf", 1, 50)
	if err != nil {
		t.Fatal(err)
	}
	if p := picture(t, b); inkIn(p, 0, 0, 10, 3) < 20 || inkIn(p, 0, 4, 10, 10) > 0 {
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
	if _, err := r.Page(t.Context(), rtf, "rtf", 2, 50); err != nil {
		t.Error(err)
	}
	r.Soffice = converter("LibreOffice 99.1")
	if _, err := r.Page(t.Context(), rtf, "rtf", 2, 50); KindOf(err) != Failed {
		t.Errorf("made by another version: %v", err)
	}
	if _, err := r.Pages(t.Context(), write(t, "b.rtf", []byte(`{\rtf1 x}`)), "rtf"); KindOf(err) != Failed {
		t.Errorf("a renderer that fails: %v", err)
	}
	docx := filepath.Join("..", "..", "testdata", "documents", "lettera.docx")
	r = renderer(t, true)
	r.Cache = ""
	if b, err = r.Page(t.Context(), docx, "docx", 1, 50); err != nil || inkIn(picture(t, b), 0, 0, 10, 10) < 50 {
		t.Errorf("lettera.docx: %v", err)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	r := New("")
	src := image.NewPaletted(image.Rect(0, 0, 40, 20), color.Palette{color.White, color.Black})
	for i := range src.Pix[:200] {
		src.Pix[i] = 1
	}
	encoders := map[string]func(io.Writer) error{
		"png":  func(w io.Writer) error { return png.Encode(w, src) },
		"jpeg": func(w io.Writer) error { return jpeg.Encode(w, src, nil) },
		"gif":  func(w io.Writer) error { return gif.Encode(w, src, nil) },
		"bmp":  func(w io.Writer) error { return bmp.Encode(w, src) },
		"tiff": func(w io.Writer) error { return tiff.Encode(w, src, nil) },
		"webp": func(w io.Writer) error { return webpEncode(w, src) },
	}
	for format, encode := range encoders {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		path := write(t, "a", b.Bytes())
		if n, err := r.Pages(t.Context(), path, format); n != 1 || err != nil {
			t.Errorf("%s: %d pages, %v", format, n, err)
		}
		out, err := r.Page(t.Context(), path, format, 1, 72)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if p := picture(t, out); p.Bounds().Dx() != 40 || inkIn(p, 0, 0, 10, 2) == 0 || inkIn(p, 0, 4, 10, 10) != 0 {
			t.Errorf("%s: wrong picture", format)
		}
		if _, err := r.Page(t.Context(), path, format, 2, 72); KindOf(err) != NoPage {
			t.Errorf("%s: %v", format, err)
		}
		if _, err := r.Page(t.Context(), write(t, "b", b.Bytes()[:b.Len()/2]), format, 1, 72); KindOf(err) != Unreadable {
			t.Errorf("%s cut short: %v", format, err)
		}
	}
}

// webpEncode writes black and white as a lossless WebP (RFC 9649 §3): no
// transform, no cache, and one bit for each of green, red and blue.
func webpEncode(w io.Writer, src *image.Paletted) error {
	var out []byte
	n := 0
	put := func(value, bits int) {
		for ; bits > 0; bits, value = bits-1, value>>1 {
			if n%8 == 0 {
				out = append(out, 0)
			}
			out[n/8] |= byte(value&1) << (n % 8)
			n++
		}
	}
	put(0x2f, 8)
	put(src.Rect.Dx()-1, 14)
	put(src.Rect.Dy()-1, 14)
	put(0, 1+3+3) // no alpha, version 0; no transform, no colour cache, one group of codes
	for range 3 { // codes of two symbols: 0 and 255
		put(1|1<<1|1<<2, 3)
		put(0, 8)
		put(255, 8)
	}
	put(1|0<<1|1<<2, 3) // alpha is always 255
	put(255, 8)
	put(1, 4) // no distances: the symbol 0
	for _, p := range src.Pix {
		put(7*(1-int(p)), 3)
	}
	out = append(out, make([]byte, len(out)%2)...)
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(out)+12))
	head = binary.LittleEndian.AppendUint32(append(head, "WEBPVP8L"...), uint32(len(out)))
	_, err := w.Write(append(head, out...))
	return err
}

func TestImageLimits(t *testing.T) {
	t.Parallel()
	r := New("")
	header := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x00\x00\x00\x00")
	header = binary.BigEndian.AppendUint32(header, 0x4dabd318)
	if _, err := r.Page(t.Context(), write(t, "a.png", header), "png", 1, 72); KindOf(err) != Limit && KindOf(err) != Unreadable {
		t.Errorf("huge: %v", err)
	}
	big := image.NewGray(image.Rect(0, 0, 3000, 1000))
	var b bytes.Buffer
	if err := png.Encode(&b, big); err != nil {
		t.Fatal(err)
	}
	out, err := r.Page(t.Context(), write(t, "b.png", b.Bytes()), "png", 1, 72)
	if err != nil {
		t.Fatal(err)
	}
	if p := picture(t, out); p.Bounds().Dx() > sheetHeight || p.Bounds().Dy() > sheetWidth {
		t.Errorf("not reduced: %v", p.Bounds())
	}
}

// Every page of a fax is shown: two single-page TIFFs are chained by hand.
func TestTIFFPages(t *testing.T) {
	t.Parallel()
	r := New("")
	var b bytes.Buffer
	if err := tiff.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 4)), nil); err != nil {
		t.Fatal(err)
	}
	doc := b.Bytes()
	first := int(binary.LittleEndian.Uint32(doc[4:]))
	count := int(binary.LittleEndian.Uint16(doc[first:]))
	size := 2 + 12*count + 4
	second := len(doc) + len(doc)%2
	doc = append(doc, make([]byte, len(doc)%2)...)
	doc = append(doc, doc[first:first+size]...)
	binary.LittleEndian.PutUint32(doc[first+size-4:], uint32(second))
	for i := range count { // the second page is half as high
		if e := doc[second+2+12*i:]; binary.LittleEndian.Uint16(e) == 257 {
			binary.LittleEndian.PutUint16(e[8:], 2)
		}
	}
	path := write(t, "a.tif", doc)
	if n, err := r.Pages(t.Context(), path, "tiff"); n != 2 || err != nil {
		t.Fatalf("%d pages, %v", n, err)
	}
	for n, height := range map[int]int{1: 4, 2: 2} {
		out, err := r.Page(t.Context(), path, "tiff", n, 72)
		if err != nil {
			t.Fatal(err)
		}
		if p := picture(t, out); p.Bounds().Dy() != height {
			t.Errorf("page %d: %v", n, p.Bounds())
		}
	}
	binary.LittleEndian.PutUint32(doc[second+size-4:], uint32(first))
	if _, err := r.Pages(t.Context(), write(t, "b.tif", doc), "tiff"); KindOf(err) != Unreadable {
		t.Errorf("loop: %v", err)
	}
}

func TestReadPPM(t *testing.T) {
	t.Parallel()
	good := "P6\n2 1\n255\n\x00\x00\x00\xff\x00\x00"
	if p, err := readPPM(bufio.NewReader(strings.NewReader(good))); err != nil || p.Bounds().Dx() != 2 {
		t.Fatalf("%v", err)
	}
	for _, bad := range []string{"", "P5\n2 1\n255\n", "P6\n2 1\n65535\n", "P6\n-2 1\n255\n", good[:len(good)-1], good + "x"} {
		if err := readPPMs(strings.NewReader(bad), span{1, 1}, func(int, image.Image) error { return nil }); err == nil && bad != "" {
			t.Errorf("%q is read", bad)
		}
	}
	var limit *Error
	if _, err := readPPM(bufio.NewReader(strings.NewReader("P6\n99999 99999\n255\n"))); !errors.As(err, &limit) || limit.Kind != Limit {
		t.Errorf("%v", err)
	}
}

func ExampleRenderer_Page() {
	r := New("")
	path := filepath.Join(os.TempDir(), "sigillo-example.txt")
	if err := os.WriteFile(path, []byte("Il sottoscritto dichiara.\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(path)
	pages, err := r.Pages(context.Background(), path, "text")
	if err != nil {
		fmt.Println(err)
		return
	}
	picture, err := r.Page(context.Background(), path, "text", 1, 100)
	fmt.Println(pages, len(picture) > 1000, err)
	// Output: 1 true <nil>
}
