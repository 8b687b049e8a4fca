package web

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"
)

// announced is where a request whose body is not asked for carries, from the header
// to the handler, the length that it announced. Nobody gains anything by sending
// it: the request is refused.
const announced = "X-Sigillo-Announced"

// expect sees to a client that waits for "100 Continue" before it sends a body
// (RFC 9110 §10.1.1). One that announces more than its address takes is not told to
// go on: the request loses its body here, and whoever wants to read that refuses it
// with 413 at once. fasthttp itself knows two answers only, to ask for the body
// before any handler runs, or 417. HTTP/1.0 knows no such answer: there the header is
// passed over.
func (s *Server) expect(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if !judge(h) || string(h.Peek("Expect")) != "100-continue" {
		return fasthttp.RequestConfig{}
	}
	switch {
	case !h.IsHTTP11():
		h.Del("Expect")
	case int64(h.ContentLength()) > s.bodyLimitAt(h.RequestURI()):
		h.Set(announced, strconv.Itoa(h.ContentLength()))
		h.Del("Expect")
		h.SetContentLength(0)
		h.SetConnectionClose() // what the client sends all the same is no request
	}
	return fasthttp.RequestConfig{}
}

// bodyLimitAt is the most that is read of a body sent to an address, in bytes.
func (s *Server) bodyLimitAt(uri []byte) int64 {
	path, _, _ := bytes.Cut(uri, []byte("?"))
	switch {
	case string(path) == apiBase+"/documents", isCounterUpload("POST", string(path)):
		return s.cfg.MaxUpload
	case string(path) == "/documents", string(path) == "/counter/dossier", !bytes.HasPrefix(path, []byte("/")): // the latter: with scheme and host
		return s.cfg.MaxUpload + uploadOverhead
	case string(path) == stampPath, bytes.HasPrefix(path, []byte(stampPath+"/")):
		return stampLimit
	}
	return bodyLimit
}

// unasked gives the length of a body that was not asked for.
func unasked(ctx *fasthttp.RequestCtx) (length int64, ok bool) {
	text := ctx.Request.Header.Peek(announced)
	if len(text) == 0 {
		return 0, false
	}
	length, err := strconv.ParseInt(string(text), 10, 64)
	return length, err == nil
}
