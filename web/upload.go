package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

const (
	uploadFiles    = 100      // documents in one form, as many as one authorisation may sign
	uploadOverhead = 1 << 20  // boundaries and fields of a multipart body
	fieldLimit     = 64 << 10 // one field of a multipart body that is no file
)

// limited passes at most left bytes on and then refuses, so that the limit is
// enforced while the bytes come in and not after.
type limited struct {
	src  io.Reader
	left int64
	over bool
	err  error // of src, other than its end
}

func (l *limited) Read(p []byte) (int, error) {
	if l.over {
		return 0, errTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1] // one more byte tells "exactly the limit" from "over it"
	}
	n, err := l.src.Read(p)
	if int64(n) > l.left {
		l.over = true
		return int(l.left), errTooLarge
	}
	l.left -= int64(n)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}

// errTooLarge is of the signing room's kind, which journals it.
var errTooLarge error = &signing.Error{Kind: signing.TooLarge, Msg: "upload over its limit"}

// store streams one document to the signing room. Errors of the stream win
// over what the room made of them.
func (s *Server) store(ctx context.Context, r *request, name string, src io.Reader) (signing.Document, error) {
	in := &limited{src: src, left: s.cfg.MaxUpload}
	doc, err := s.cfg.Signing.Upload(ctx, r.holder.ID, fileName(name), in)
	switch {
	case in.over:
		return doc, errTooLarge
	case r.body.err != nil:
		return doc, r.body.err
	case in.err != nil:
		return doc, fail(Aborted, "the upload ended before its time", in.err)
	}
	return doc, err
}

// fileName reduces what a client calls a file to its last path element, in
// valid UTF-8, with a length that any file system takes.
func fileName(name string) string {
	name = path.Base("/" + strings.ReplaceAll(strings.ToValidUTF8(name, "�"), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, name)
	for len(name) > 200 {
		_, size := utf8.DecodeRuneInString(name)
		name = name[size:]
	}
	if name == "/" || name == "." || name == ".." || name == "" {
		return "document"
	}
	return name
}

// tooLargeAhead refuses an upload whose announced size is over the limit
// before a byte of it is read. The signing room is told, for its journal.
func (s *Server) tooLargeAhead(ctx context.Context, r *request, overhead int64) error {
	if r.body.declared <= s.cfg.MaxUpload+overhead {
		return nil
	}
	_, _ = s.cfg.Signing.Upload(ctx, r.holder.ID, "document", &limited{over: true})
	return errTooLarge
}

// multipartReader opens a multipart/form-data body as a stream.
func (s *Server) multipartReader(c *fiber.Ctx, r *request) (*multipart.Reader, error) {
	media, params, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || media != fiber.MIMEMultipartForm || params["boundary"] == "" {
		return nil, fail(UnsupportedMedia, "multipart/form-data is expected", err)
	}
	return multipart.NewReader(r.body, params["boundary"]), nil
}

// nextPart is NextPart with its errors given a kind; io.EOF stays io.EOF.
func nextPart(r *request, parts *multipart.Reader) (*multipart.Part, error) {
	part, err := parts.NextPart()
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return part, err
	case r.body.err != nil:
		return nil, r.body.err
	}
	return nil, fail(Kind(signing.BadRequest), "malformed multipart body", err)
}

// field reads one small field of a multipart body.
func field(part *multipart.Part) (string, error) {
	data, err := io.ReadAll(io.LimitReader(part, fieldLimit+1))
	if err != nil {
		return "", fail(Kind(signing.BadRequest), "malformed multipart body", err)
	}
	if len(data) > fieldLimit {
		return "", fail(BodyTooLarge, "form field over its limit", nil)
	}
	return string(data), nil
}

// received is what became of one file of a form.
type received struct {
	Name string
	Doc  signing.Document
	Err  error
}

// receive reads a multipart form file by file. The form token comes first and
// is checked (check) before a byte of a document is read. An error of one file
// does not lose the others; an error of the stream ends it.
func (s *Server) receive(c *fiber.Ctx, r *request, check func(token string) error) ([]received, error) {
	if err := s.tooLargeAhead(c.UserContext(), r, uploadFiles*s.cfg.MaxUpload); err != nil {
		return nil, err
	}
	parts, err := s.multipartReader(c, r)
	if err != nil {
		return nil, err
	}
	var out []received
	checked := check == nil
	for {
		part, err := nextPart(r, parts)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, err
		}
		switch {
		case part.FormName() == "token" && check != nil:
			token, err := field(part)
			if err != nil {
				return nil, err
			}
			if err := check(token); err != nil {
				return nil, err
			}
			checked = true
		case part.FormName() != "file":
			continue // NextPart skips what is left of it
		case !checked:
			return nil, fail(Forged, "form token must come before the files", nil)
		case len(out) >= uploadFiles:
			return out, fail(Kind(signing.BadRequest), "too many files in one form", nil)
		case part.FileName() == "":
			continue // the form was sent with no file chosen
		default:
			doc, err := s.store(c.UserContext(), r, part.FileName(), part)
			out = append(out, received{Name: fileName(part.FileName()), Doc: doc, Err: err})
			if r.body.err != nil || KindOf(err) == Kind(signing.TooLarge) {
				return out, nil // what is left of the stream is not worth reading
			}
		}
	}
	if !checked {
		return nil, fail(Forged, "form token is missing", nil)
	}
	if len(out) == 0 {
		return nil, fail(Kind(signing.Empty), "no file was chosen", nil)
	}
	return out, nil
}
