package web

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"
)

// Where one request ends and the next begins must be beyond doubt: a proxy in front
// of us that sees it elsewhere hands on, as the body of one client's request, what we
// take for the request of another (request smuggling). fasthttp is lenient about
// that: it lets Transfer-Encoding overrule a Content-Length, puts folded lines
// together, takes "Transfer-Encoding " for another header, and does not miss Host.
// RFC 9112 has all of that refused or lets us refuse it, and no client that stamps or
// signs needs any of it. So each head is looked at as it was sent, once fasthttp has
// all of it (within [headerLimit]), and before it reads a body. What is in doubt is
// answered with 400, and the connection is closed: nobody knows what comes next on it.
//
// The end of the request line itself is not shown to us. fasthttp lets that be a lone
// LF, which RFC 9112 §2.2 allows; who does not take it for an end sees a request line
// of more than three parts, which is to be refused (§3).

var errMalformed = errors.New("malformed head of a request")

// malformed is put in place of the HTTP version of a request whose head is in doubt.
// No client can send it: fasthttp takes only versions of the form HTTP/1.1.
const malformed = "malformed"

// unspoken is put there when the version is not one of HTTP/1: what is meant by it is
// defined elsewhere, and is not written so (RFC 9113 §3.3).
const unspoken = "unspoken"

// wellFormed looks at the lines of a head that decide where the request ends and
// whom it is for. lines are those after the request line, as they were sent, to the
// empty one.
func wellFormed(protocol, lines []byte) bool {
	var hosts, lengths, encodings int
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		// A lone LF may be taken for the end of a line (RFC 9112 §2.2), but not
		// everybody takes it for one; a lone CR must not.
		if end < 1 || bytes.IndexByte(lines[:end], '\r') != end-1 {
			return false
		}
		line := lines[:end-1]
		lines = lines[end+1:]
		if len(line) == 0 {
			break
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || bytes.IndexByte(line, 0) >= 0 {
			return false
		}
		name := line[:colon]
		if isBlank(name[0]) || isBlank(name[colon-1]) { // §5.2 a folded line, §5.1
			return false
		}
		switch {
		case equalFold(name, "host"):
			hosts++
		case equalFold(name, "content-length"): // fasthttp has read the number
			lengths++
		case equalFold(name, "transfer-encoding"):
			encodings++
			if !equalFold(bytes.Trim(line[colon+1:], " \t"), "chunked") { // §6.1
				return false
			}
		}
	}
	switch {
	case lengths > 1 || encodings > 1 || lengths+encodings > 1: // §6.3
		return false
	case encodings > 0 && string(protocol) != "HTTP/1.1": // §6.1
		return false
	case string(protocol) == "HTTP/1.0":
		return hosts <= 1
	}
	return hosts == 1 // §3.2
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// judge marks a request whose head is in doubt, or of a version that is not spoken
// here, and sees to it that nothing more is read of the connection. One of a later
// HTTP/1 is read as HTTP/1.1 (RFC 9110 §2.5).
func judge(h *fasthttp.RequestHeader) bool {
	mark := malformed
	switch version := h.Protocol(); {
	case version[len("HTTP/")] != '1': // fasthttp has seen to the form: HTTP/1.1
		mark = unspoken
	default:
		if version[len("HTTP/1.")] > '1' {
			h.SetProtocol("HTTP/1.1")
		}
		if wellFormed(h.Protocol(), h.RawHeaders()) {
			return true
		}
	}
	h.Del("Expect")
	h.SetContentLength(0)
	h.SetConnectionClose()
	h.SetProtocol(mark)
	return false
}

// wellFormedDoor lets nothing in that judge has marked.
func (s *Server) wellFormedDoor(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Request.Header.Protocol()) {
		case malformed:
			s.app.Server().ErrorHandler(ctx, errMalformed) // as what fasthttp refuses itself
		case unspoken:
			c := s.app.AcquireCtx(ctx)
			_ = s.handleError(c, fail(WrongVersion, "not HTTP/1", nil)) // has no error
			s.app.ReleaseCtx(c)
		default:
			next(ctx)
			return
		}
		ctx.SetConnectionClose()
	}
}
