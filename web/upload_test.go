package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/signing"
)

// zeros is a stream of n bytes that takes no memory.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// watchHeap samples the heap until stop is called, which gives its highest
// growth in bytes.
func watchHeap() (stop func() uint64) {
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var highest atomic.Uint64
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapInuse > before.HeapInuse {
				highest.Store(max(highest.Load(), now.HeapInuse-before.HeapInuse))
			}
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(quit); <-done; return highest.Load() }
}

// TestUploadIsStreamed sends the largest upload allowed, raw and as a form,
// and watches that the heap stays small. It is not parallel: others' memory
// would count.
func TestUploadIsStreamed(t *testing.T) {
	w := build(t)
	p := w.program()
	b := w.browser().signIn("111111")
	const size = MaxUploadDefault
	token := b.token("/")
	for name, send := range map[string]func() reply{
		"raw": func() reply { return p.call("POST", "/documents?name=big.bin", zeros(size)) },
		"form": func() reply {
			head := "--B\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n" + token + "\r\n" +
				"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.bin\"\r\n\r\n"
			body := io.MultiReader(strings.NewReader(head), zeros(size), strings.NewReader("\r\n--B--\r\n"))
			return b.do("POST", "/documents", "multipart/form-data; boundary=B", body)
		},
	} {
		stop := watchHeap()
		r := send()
		grown := stop()
		if r.StatusCode != 201 && r.StatusCode != 303 {
			t.Fatalf("%s: %d %s", name, r.StatusCode, r.body)
		}
		if w.rooms.uploaded != size {
			t.Errorf("%s: %d bytes arrived", name, w.rooms.uploaded)
		}
		if grown > 24<<20 {
			t.Errorf("%s: the heap grew by %d MiB", name, grown>>20)
		}
	}
}

// TestUploadLimit: exactly the limit passes, one byte more does not, whether
// the size is announced or not, raw or as a form; and the connection stays
// usable or is closed, but never confused.
func TestUploadLimit(t *testing.T) {
	t.Parallel()
	const limit = 300_000
	w := build(t, func(c *Config) { c.MaxUpload = limit })
	p := w.program()
	for _, c := range []struct {
		size     int
		announce bool
		status   int
	}{{limit, true, 201}, {limit, false, 201}, {limit + 1, true, 413}, {limit + 1, false, 413}, {5 * limit, false, 413}, {1, true, 201}, {0, true, 400}, {0, false, 400}} {
		var body io.Reader = bytes.NewReader(make([]byte, c.size)) // its length becomes Content-Length
		if !c.announce {
			body = struct{ io.Reader }{body} // chunked
		}
		r := p.call("POST", "/documents", body)
		if r.StatusCode != c.status {
			t.Errorf("raw, %d bytes, announced %t: %d %s", c.size, c.announce, r.StatusCode, r.body)
		}
		if c.status == 413 && (!strings.Contains(r.body, `"too-large"`) || !strings.Contains(r.body, "300 kB")) {
			t.Errorf("413 without a clear text: %s", r.body)
		}
		contentType, form := multipartBody(t, "", formFile{"a.bin", strings.Repeat("x", c.size)})
		body = form
		if !c.announce {
			body = struct{ io.Reader }{form}
		}
		r = p.do("POST", "/api/v1/documents", contentType, body, "Authorization", "Bearer "+p.bearer)
		if r.StatusCode != c.status {
			t.Errorf("form, %d bytes, announced %t: %d %s", c.size, c.announce, r.StatusCode, r.body)
		}
	}
}

// TestFaceUploadErrors: one bad file does not lose the good one, and both the
// page and the script are told.
func TestFaceUploadErrors(t *testing.T) {
	t.Parallel()
	w := build(t, func(c *Config) { c.MaxUpload = 1000 })
	b := w.browser().signIn("111111")
	r := b.upload(formFile{"good.pdf", "x"}, formFile{"empty.pdf", ""})
	if r.StatusCode != 400 || !strings.Contains(r.body, "empty.pdf") || !strings.Contains(r.body, "good.pdf") || len(w.rooms.documents) != 1 {
		t.Errorf("one empty: %d", r.StatusCode)
	}
	r = b.upload(formFile{"large.pdf", strings.Repeat("x", 1001)})
	if r.StatusCode != 413 || !strings.Contains(r.body, "File too large") || !strings.Contains(r.body, "1 kB") {
		t.Errorf("too large: %d", r.StatusCode)
	}
	if r = b.upload(formFile{"", ""}); r.StatusCode != 400 || !strings.Contains(r.body, "No content") {
		t.Errorf("no file: %d", r.StatusCode)
	}
	contentType, body := multipartBody(t, b.token("/"), formFile{"a.pdf", "x"})
	r = b.do("POST", "/documents", contentType, body, "Accept", "application/json")
	if r.StatusCode != 201 || r.body != `{"location":"/documents/d-2"}` {
		t.Errorf("script: %d %s", r.StatusCode, r.body)
	}
	contentType, body = multipartBody(t, b.token("/"), formFile{"a.pdf", ""})
	r = b.do("POST", "/documents", contentType, body, "Accept", "application/json")
	if r.StatusCode != 400 || !strings.Contains(r.body, `"kind":"empty"`) {
		t.Errorf("script, empty: %d %s", r.StatusCode, r.body)
	}
	contentType, body = multipartBody(t, b.token("/"), formFile{"a.pdf", ""}, formFile{"b.pdf", "x"}, formFile{"c.pdf", ""})
	r = b.do("POST", "/documents", contentType, body, "Accept", "application/json")
	if r.StatusCode != 400 || !strings.Contains(r.body, `"files":["“a.pdf”: No content.`) || !strings.Contains(r.body, `"“c.pdf”: No content.`) ||
		!strings.Contains(r.body, `"stored":"The other file was accepted`) || strings.Contains(r.body, "“b.pdf”") {
		t.Errorf("script, some empty: %d %s", r.StatusCode, r.body)
	}
	w.rooms.fault["Upload"] = refuse(signing.DiskFull)
	if r = b.upload(formFile{"a.pdf", "x"}); r.StatusCode != 507 {
		t.Errorf("disk full: %d", r.StatusCode)
	}
}

// All of many documents that were uploaded together can be chosen at once; later
// the page has the latest only.
func TestManyUploaded(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	files := make([]formFile, recentDocuments+3)
	for i := range files {
		files[i] = formFile{fmt.Sprintf("%d.pdf", i), "x"}
	}
	r := b.upload(files...)
	for path, want := range map[string]int{r.Header.Get("Location"): len(files), "/": recentDocuments, "/?added=-1": recentDocuments, "/?added=101": recentDocuments} {
		if n := strings.Count(b.get(path).body, `name="document"`); n != want {
			t.Errorf("%s shows %d documents", path, n)
		}
	}
}

// TestMalformedForms never reach the rooms and never crash.
func TestMalformedForms(t *testing.T) {
	t.Parallel()
	w := build(t)
	p := w.program()
	for name, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"no boundary":     {"multipart/form-data", "x", 415},
		"no part":         {"multipart/form-data; boundary=B", "--B--\r\n", 400},
		"cut in the file": {"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhal", 400},
		"rubbish":         {"multipart/form-data; boundary=B", "rubbish", 400},
		"other field":     {"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--B--\r\n", 400},
	} {
		r := p.do("POST", "/api/v1/documents", c.contentType, strings.NewReader(c.body), "Authorization", "Bearer "+p.bearer)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	if len(w.rooms.documents) != 0 {
		t.Errorf("%d documents stored", len(w.rooms.documents))
	}
}

// TestBrokenConnection: an upload that stops in the middle is no document,
// wherever it stops.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{
		"Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 20000),
		"Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 8<<10), // all that is read ahead
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		w := build(t)
		p := w.program()
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", p.bearer, rest); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if strings.Contains(w.log.String(), "path=/api/v1/documents") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		docs, _ := w.rooms.Documents(t.Context(), testHolder)
		if !strings.Contains(w.log.String(), "kind=aborted") || len(docs) != 0 {
			t.Errorf("%.40q: %d documents; log %s", rest, len(docs), w.log.String())
		}
	}
}

// TestRequestsDoNotMix: what a refused request left in the connection must not
// be taken for the next request.
func TestRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	w := build(t)
	for _, head := range []string{
		"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",                                          // no token
		"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",                                                   // no route
		"POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",                           // wrong type
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",                                                    // body on GET
		"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", // bad form
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		smuggled := strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 500) // beyond what is read ahead
		if _, err := fmt.Fprintf(conn, head+"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", len(smuggled), smuggled); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		in := bufio.NewReader(conn)
		first, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, first.Body); err != nil {
			t.Fatal(err)
		}
		second, err := http.ReadResponse(in, nil)
		if err == nil {
			data, _ := io.ReadAll(second.Body)
			if string(data) != `{"status":"ok"}` {
				t.Errorf("%.20s: the next answer is %s", head, data)
			}
		} else if !first.Close {
			t.Errorf("%.20s: %v", head, err)
		}
		_ = conn.Close()
	}
}

// TestSlowBody: a body that stops coming in ends with 408, not with a hanging
// connection.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer func() { _ = client.Close() }()
	b := &body{src: server, conn: expired{server}, began: time.Now(), declared: -1}
	_, err := io.ReadAll(b)
	if KindOf(err) != Slow || Slow.status() != http.StatusRequestTimeout {
		t.Errorf("%v", err)
	}
	if _, again := b.Read(make([]byte, 1)); !errors.Is(again, err) {
		t.Error("a broken body must stay broken")
	}
	trickle := &body{src: zeroReader{}, conn: expired{server}, began: time.Now().Add(-time.Hour), declared: -1}
	var asked time.Time
	trickle.conn = deadlines{server, &asked}
	if _, err := trickle.Read(make([]byte, 1)); err != nil || time.Until(asked) > 0 {
		t.Errorf("a trickle gets until %v, %v", asked, err)
	}
}

// expired makes every deadline one that has passed.
type expired struct{ net.Conn }

func (e expired) SetReadDeadline(time.Time) error {
	return e.Conn.SetReadDeadline(time.Now().Add(-time.Second))
}

type deadlines struct {
	net.Conn
	at *time.Time
}

func (d deadlines) SetReadDeadline(t time.Time) error { *d.at = t; return nil }

func TestFileName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", `C:\Users\ada\perché.pdf`: "perché.pdf", "../../etc/passwd": "passwd", "": "document", "..": "document",
		"/": "document", "a\x00b\n.pdf": "ab.pdf", "\xff.pdf": "\uFFFD.pdf", strings.Repeat("é", 200) + ".p7m": strings.Repeat("é", 98) + ".p7m",
	} {
		if got := fileName(in); got != want {
			t.Errorf("fileName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseForm(t *testing.T) {
	t.Parallel()
	f, err := parseForm([]byte("a=1&a=2&password=p%C3%A8+%26x&empty=&&alone"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.all("a")) != 2 || f.get("password") != "pè &x" || f.get("empty") != "" || f["alone"] == nil || f.get("none") != "" {
		t.Errorf("%q", f)
	}
	secret := f.secret("password")
	f.wipe()
	if !bytes.Equal(secret, make([]byte, len(secret))) {
		t.Error("not wiped")
	}
	for _, bad := range []string{"a=%", "a=%4", "a=%zz", "%zz=1", strings.Repeat("a&", formFields+1)} {
		if _, err := parseForm([]byte(bad)); KindOf(err) != "bad-request" {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add([]byte("a=1&b=%20+x"))
	f.Add([]byte("%=&=%"))
	f.Fuzz(func(t *testing.T, data []byte) {
		form, err := parseForm(data)
		if err != nil {
			return
		}
		var total int
		for name, values := range form {
			for _, v := range values {
				total += len(name) + len(v)
			}
		}
		if total > len(data) {
			t.Errorf("%d bytes made of %d", total, len(data))
		}
	})
}

func TestAttachment(t *testing.T) {
	t.Parallel()
	got := attachment("perché \"no\" (1);x'*.pdf")
	want := `attachment; filename="perch_ _no_ (1);x'*.pdf"; filename*=UTF-8''perch%C3%A9%20%22no%22%20%281%29%3Bx%27%2A.pdf`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
