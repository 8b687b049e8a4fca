package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sigillo/formats/cms"
	"sigillo/tsa/accounts"
)

const (
	stampPath    = "/tsa"
	stampLimit   = 16 << 10         // a time-stamp request is some 100 bytes (cms.MaxRequestSize)
	stampTimeout = 20 * time.Second // for the rooms below; clients wait for a minute or so

	mediaStampQuery = "application/timestamp-query" // RFC 3161 §3.4
	mediaStampReply = "application/timestamp-reply"
	mediaStampToken = "application/timestamp-token"
)

// stampDoor takes time-stamp requests in before the router does. They are by
// far the most frequent ones, small, and answered within microseconds, so what
// the router and around spend on every request (a locale, a context with a
// timer, a dozen headers, a line in the log) would cost several times the
// work. What is kept of it: the limits and deadlines of body.go, the count for
// /metrics, the panic that becomes an answer, and the headers that mean
// something to a program. The record of a stamp is the ledger's.
func (s *Server) stampDoor(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	if s.cfg.Stamps == nil {
		return router
	}
	return func(ctx *fasthttp.RequestCtx) {
		if policy, ok := stampAddress(ctx); ok {
			s.stamp(ctx, policy)
			return
		}
		router(ctx)
	}
}

// stampAddress recognises POST /tsa and POST /tsa/<name of a policy>. What
// else there is below /tsa has a name that no policy may have.
func stampAddress(ctx *fasthttp.RequestCtx) (policy []byte, ok bool) {
	path := ctx.Path()
	if len(path) < len(stampPath) || string(path[:len(stampPath)]) != stampPath || !ctx.IsPost() {
		return nil, false
	}
	rest := path[len(stampPath):]
	if len(rest) == 0 {
		return nil, true
	}
	if rest[0] != '/' || bytes.IndexByte(rest[1:], '/') >= 0 || string(rest) == "/account" {
		return nil, false
	}
	return rest[1:], true
}

// stampCall is what one request needs, kept for the next one.
type stampCall struct {
	body    body
	request [stampLimit + 1]byte
	secret  [1 << 10]byte // the decoded credentials
	held    int           // octets of secret in use
}

// forget wipes what was secret in the request.
func (c *stampCall) forget() {
	clear(c.secret[:c.held])
	c.held = 0
}

var stampCalls = sync.Pool{New: func() any { return new(stampCall) }}

// stamp is the HTTP transport of RFC 3161 §3.4. Whatever refuses the request,
// the answer has status 200 and is a TimeStampResp that says why: clients show
// their users nothing of any other. The exceptions are who must first say who
// he is (401), a body that never came, and one that is too large for a client which
// asks before it sends it (413, with the TimeStampResp).
func (s *Server) stamp(ctx *fasthttp.RequestCtx, policy []byte) {
	began := time.Now()
	call := stampCalls.Get().(*stampCall)
	call.body = newBody(ctx, began)
	s.stampGuarded(ctx, call, policy)
	call.body.finish(ctx)
	call.body = body{}
	call.forget()
	stampCalls.Put(call)
	s.stampCounts.add(ctx.Response.StatusCode(), time.Since(began))
}

func (s *Server) stampGuarded(ctx *fasthttp.RequestCtx, call *stampCall, policy []byte) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic in a handler", "path", stampPath, "panic", p, "stack", string(debug.Stack()))
			s.refuseStamp(ctx, cms.SystemFailure, "the time-stamp could not be made; try again later")
		}
	}()
	s.stampHeaders(ctx)
	request, err := call.read()
	if err != nil {
		s.stampUnread(ctx, call, KindOf(err))
		return
	}
	if text := wrongStampMedia(&ctx.Request.Header); text != "" {
		s.refuseStamp(ctx, cms.BadDataFormat, text)
		return
	}
	caller, known := s.stampCaller(ctx, call)
	var response []byte
	if known {
		response, err = s.cfg.Stamps.AnswerUnder(s.patience.context(), string(policy), caller, request)
	}
	if !known || err != nil {
		stampChallenge(ctx, reasonOf(err))
		return
	}
	ctx.SetContentType(mediaStampReply)
	ctx.Response.SetBodyRaw(response)
}

// stampUnread answers a request that did not come in as it should.
func (s *Server) stampUnread(ctx *fasthttp.RequestCtx, call *stampCall, kind Kind) {
	if kind == BodyTooLarge {
		s.refuseStamp(ctx, cms.BadDataFormat, "the request is larger than 16384 bytes; send a digest, not the file")
		if call.body.err != nil { // the client has asked whether to send it
			ctx.SetStatusCode(http.StatusRequestEntityTooLarge)
		}
		return
	}
	ctx.SetStatusCode(kind.status()) // there is nobody to tell, or soon won't be
}

// read gives the body, at most stampLimit octets of it.
func (c *stampCall) read() ([]byte, error) {
	if c.body.declared > stampLimit {
		return nil, fail(BodyTooLarge, "body over its limit", nil)
	}
	for n := 0; ; {
		got, err := c.body.Read(c.request[n:])
		n += got
		switch {
		case n > stampLimit:
			return nil, fail(BodyTooLarge, "body over its limit", nil)
		case err == io.EOF || c.body.ended:
			return c.request[:n], nil
		case err != nil:
			return nil, err
		}
	}
}

// stampHeaders are those that mean something where no page is shown.
func (s *Server) stampHeaders(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if s.cfg.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func (s *Server) refuseStamp(ctx *fasthttp.RequestCtx, info cms.FailureInfo, text string) {
	ctx.SetStatusCode(http.StatusOK)
	ctx.SetContentType(mediaStampReply)
	ctx.Response.SetBodyRaw(cms.MarshalRefusal(cms.Refusal{FailureInfo: info, Text: text}))
}

// wrongStampMedia says what is wrong with the media type of a request, or
// nothing. RFC 3161 §3.4 knows one; application/octet-stream and none at all
// are what programs send that were not told. The types that a web page may
// send to another site without asking first (Fetch §2.2.2) are refused: a page
// must not use up the stamps of who looks at it.
func wrongStampMedia(h *fasthttp.RequestHeader) string {
	media, _, _ := bytes.Cut(h.ContentType(), []byte(";"))
	media = bytes.TrimSpace(media)
	switch {
	case equalFold(media, mediaStampQuery):
		return ""
	case len(media) == 0 || equalFold(media, "application/octet-stream"):
		if site := h.Peek("Sec-Fetch-Site"); len(site) > 0 && string(site) != "same-origin" && string(site) != "none" {
			return "the request was sent by a page of another site"
		}
		return ""
	}
	return "the Content-Type must be " + mediaStampQuery
}

func equalFold(b []byte, text string) bool {
	if len(b) != len(text) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != text[i] {
			return false
		}
	}
	return true
}

// stampCaller tells how the client says who he is: with HTTP Basic (RFC 7617), with
// a bearer token (RFC 6750 §2.1), with the certificate of the connection, by
// where he comes from. It is false for credentials that can't be read. The
// password lies in the call's buffer until forget.
func (s *Server) stampCaller(ctx *fasthttp.RequestCtx, c *stampCall) (accounts.Caller, bool) {
	var caller accounts.Caller
	caller.Addr, caller.Certificate = s.client(ctx)
	sent := ctx.Request.Header.PeekAll("Authorization")
	switch len(sent) {
	case 0:
		return caller, true
	case 1:
		return caller, c.credentials(&caller, sent[0])
	}
	return caller, false
}

// credentials reads the header Authorization. An empty one is wrong, as anything that
// is sent and says nothing: it is not taken for none.
func (c *stampCall) credentials(caller *accounts.Caller, header []byte) bool {
	scheme, value, _ := bytes.Cut(header, []byte(" "))
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0:
		return false
	case equalFold(scheme, "bearer"):
		caller.Bearer = string(value)
		return true
	case !equalFold(scheme, "basic") || base64.StdEncoding.DecodedLen(len(value)) > len(c.secret):
		return false
	}
	var err error
	if c.held, err = base64.StdEncoding.Decode(c.secret[:], value); err != nil {
		return false
	}
	name, password, ok := bytes.Cut(c.secret[:c.held], []byte(":"))
	caller.Username, caller.Password = string(name), password
	return ok && len(name) > 0 // nobody's name is not nobody's account
}

// reasonOf is why credentials were refused, as the accounts tell it to customers;
// "" for none.
func reasonOf(err error) string {
	var account *accounts.Error
	if !errors.As(err, &account) {
		return ""
	}
	return account.Msg + "\n"
}

// stampChallenge asks who it is, in the ways that a program can answer
// (RFC 9110 §11.6.1), and says what was wrong with what it has sent.
func stampChallenge(ctx *fasthttp.RequestCtx, reason string) {
	ctx.SetStatusCode(http.StatusUnauthorized)
	ctx.Response.Header.Add("WWW-Authenticate", `Basic realm="time-stamps", charset="UTF-8"`)
	ctx.Response.Header.Add("WWW-Authenticate", `Bearer realm="time-stamps"`)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.Response.SetBodyString("Time-stamps are given to accounts: send user name and password (HTTP Basic), a bearer token or a client certificate.\n" + reason)
}

// patience gives contexts with a deadline without making one for each request:
// all requests that begin within the same second share one. A request has the
// given time and up to a second more.
type patience struct {
	base context.Context
	time time.Duration

	mu  sync.Mutex
	now atomic.Pointer[epoch]
}

type epoch struct {
	ctx    context.Context
	cancel context.CancelFunc // its deadline does it
	renew  time.Time
}

func (p *patience) context() context.Context {
	now := time.Now()
	if e := p.now.Load(); e != nil && now.Before(e.renew) {
		return e.ctx
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.now.Load(); e != nil && now.Before(e.renew) {
		return e.ctx
	}
	e := &epoch{renew: now.Add(time.Second)}
	e.ctx, e.cancel = context.WithDeadline(p.base, now.Add(time.Second+p.time))
	p.now.Store(e)
	return e.ctx
}
