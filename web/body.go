package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sigillo/signing"
)

const (
	bodyLimit   = 1 << 20          // every body that is no upload
	readPause   = 30 * time.Second // longest silence while a body comes in
	readGrace   = 60 * time.Second // what a body may take whatever its size ...
	readRate    = 4 << 10          // ... and the slowest rate in bytes/s beyond that
	drainBytes  = 64 << 20         // how much of a refused body is read, so that the answer is
	drainTime   = 10 * time.Second // seen by a client that sends first and reads then
	prefetchMax = 8 << 10          // what fasthttp itself holds of a streamed body
)

// body is the one reader of a request's body. fasthttp's own stream must not
// be read past its end (on a chunked body that would eat the next request of
// the connection) and its connection must not be used again while bytes of the
// body are left in it; body sees to both. It also keeps the read deadline
// moving: an upload may be slow, but neither silent nor a trickle.
type body struct {
	src      io.Reader // nil: the request has no body
	conn     net.Conn
	declared int64 // Content-Length, -1 when chunked
	read     int64
	began    time.Time
	ended    bool
	err      error
}

func newBody(ctx *fasthttp.RequestCtx, began time.Time) body {
	src := ctx.Request.BodyStream()
	b := body{src: src, conn: ctx.Conn(), began: began, ended: src == nil,
		declared: int64(ctx.Request.Header.ContentLength())}
	if b.declared == 0 {
		if length, ok := unasked(ctx); ok {
			b.declared, b.ended, b.err = length, false, fail(BodyTooLarge, "body over its limit", nil)
		}
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.ended:
		return 0, io.EOF
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	deadline := time.Now().Add(readPause)
	if last := b.began.Add(readGrace + time.Duration(b.read/readRate)*time.Second); last.Before(deadline) {
		deadline = last
	}
	_ = b.conn.SetReadDeadline(deadline)
	n, err := b.src.Read(p)
	b.read += int64(n)
	switch {
	case err == io.EOF && (b.read < b.declared || b.declared < 0 && hasEnded(b.conn)):
		// fasthttp says io.EOF for a connection that broke, too, even between
		// two chunks: without this half a document would pass for a whole one.
		b.err = fail(Aborted, "the connection broke while the body came in", io.ErrUnexpectedEOF)
		return n, b.err
	case err == io.EOF:
		b.ended = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = fail(Slow, "the body came in too slowly", err)
		return n, b.err
	case err != nil:
		b.err = fail(Aborted, "the connection broke while the body came in", err)
		return n, b.err
	}
	return n, err
}

// watched is a listener whose connections remember that the client closed its
// side.
type watched struct {
	net.Listener
	cards bool // it is the door for cards
}

func (w watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, cards: w.cards}, nil
}

type watchedConn struct {
	net.Conn
	ended atomic.Bool
	cards bool
	peer  peer // only for the connection's own goroutine
}

func (w *watchedConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err == io.EOF {
		w.ended.Store(true)
	}
	return n, err
}

func hasEnded(conn net.Conn) bool {
	w, ok := conn.(*watchedConn)
	return ok && w.ended.Load()
}

// finish leaves the connection clean for its next request, or marks it to be
// closed. It never reads without bounds.
func (b *body) finish(ctx *fasthttp.RequestCtx) {
	if b.ended {
		return
	}
	if b.err == nil {
		stop := time.Now().Add(drainTime)
		buf := make([]byte, 32<<10)
		for left := drainBytes; left > 0 && time.Now().Before(stop); {
			n, err := b.Read(buf)
			left -= n
			if err != nil {
				break
			}
		}
	}
	if !b.ended {
		ctx.SetConnectionClose()
	}
}

// all reads a body of at most limit bytes into memory.
func (b *body) all(limit int64) ([]byte, error) {
	if b.declared > limit {
		return nil, fail(BodyTooLarge, "body over its limit", nil)
	}
	data, err := io.ReadAll(io.LimitReader(b, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		clear(data)
		return nil, fail(BodyTooLarge, "body over its limit", nil)
	}
	return data, nil
}

// buffered reads a small body and puts it back into the request, for handlers
// that know only the framework. What fasthttp prefetched is overwritten.
func (b *body) buffered(c *fiber.Ctx, limit int64) ([]byte, error) {
	data, err := b.all(limit)
	if err != nil {
		return nil, err
	}
	if b.src != nil {
		b.wipePrefetched(c)
	}
	c.Request().SetBodyStream(bytes.NewReader(data), len(data))
	return data, nil
}

// wipePrefetched overwrites the first bytes of the body in fasthttp's pooled
// buffer, which may hold a password. The body must have been read to its end.
func (b *body) wipePrefetched(c *fiber.Ctx) {
	if !b.ended {
		return
	}
	b.src = nil
	c.Request().SetBody(make([]byte, prefetchMax))
	c.Request().ResetBody()
}

// form is a submitted form. Values stay byte slices so that secrets among them
// can be wiped.
type form map[string][][]byte

func (f form) get(name string) string {
	if v := f[name]; len(v) > 0 {
		return string(v[0])
	}
	return ""
}

func (f form) all(name string) []string {
	out := make([]string, 0, len(f[name]))
	for _, v := range f[name] {
		out = append(out, string(v))
	}
	return out
}

// secret gives the value itself, not a copy: whoever gets it wipes it.
func (f form) secret(name string) []byte {
	if v := f[name]; len(v) > 0 {
		return v[0]
	}
	return nil
}

func (f form) wipe() {
	for _, values := range f {
		for _, v := range values {
			clear(v)
		}
	}
}

// readForm reads an application/x-www-form-urlencoded body.
func readForm(c *fiber.Ctx, b *body) (form, error) {
	media, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if media != fiber.MIMEApplicationForm {
		return nil, fail(UnsupportedMedia, "a form is expected", nil)
	}
	data, err := b.all(bodyLimit)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	defer b.wipePrefetched(c)
	return parseForm(data)
}

const formFields = 1000 // more fields than any form of ours can have

// parseForm decodes application/x-www-form-urlencoded (WHATWG URL §5.1)
// without making strings of the values.
func parseForm(data []byte) (form, error) {
	f := form{}
	if bytes.Count(data, []byte("&")) >= formFields {
		return nil, fail(Kind(signing.BadRequest), "too many form fields", nil)
	}
	for pair := range bytes.SplitSeq(data, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		rawName, rawValue, _ := bytes.Cut(pair, []byte("="))
		name, err := url.QueryUnescape(string(rawName))
		if err != nil {
			return nil, fail(Kind(signing.BadRequest), "malformed form", nil)
		}
		value, ok := unescape(rawValue)
		if !ok {
			return nil, fail(Kind(signing.BadRequest), "malformed form", nil)
		}
		f[name] = append(f[name], value)
	}
	return f, nil
}

func unescape(raw []byte) ([]byte, bool) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(raw) {
				return nil, false
			}
			hi, lo := hexDigit(raw[i+1]), hexDigit(raw[i+2])
			if hi > 15 || lo > 15 {
				return nil, false
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, raw[i])
		}
	}
	return out, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
