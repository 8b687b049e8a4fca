package web

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/vault"
	counterface "sigillo/web/counter"
)

// Counter is the face of the counters, where customers sign on tablets.
// *counter.Server of web/counter satisfies it.
type Counter interface {
	// Mount opens its addresses; what it needs of the web server it asks of h.
	Mount(router fiber.Router, h counterface.House)
}

// counterHouse is what this server does for the face of the counters.
type counterHouse struct{ house }

var _ counterface.House = counterHouse{}

// tabletCookie holds the token of a signature tablet. It lasts: a tablet stays one until
// it is revoked.
const tabletCookie = "sigillo-tablet"

const tabletAge = 400 * 24 * time.Hour // as long as browsers keep a cookie at most

// patienceTime is longer than the rooms below wait for a change.
const patienceTime = 40 * time.Second

func (h counterHouse) Member(next func(c *fiber.Ctx, by staff.Member) error) fiber.Handler {
	return h.s.atDesk(func(c *fiber.Ctx) error { return next(c, *current(c).member) })
}

func (h counterHouse) Tablet(c *fiber.Ctx) string {
	r := current(c)
	r.tablet = h.s.cookie(c, tabletCookie)
	return r.tablet
}

func (h counterHouse) Keep(c *fiber.Ctx, token string) {
	current(c).tablet = token
	age := int(tabletAge.Seconds())
	if token == "" {
		age = -1
	}
	h.s.setCookie(c, tabletCookie, token, age)
}

// Upload streams the files of a form, one after the other. Those without a name were not
// chosen.
func (h counterHouse) Upload(c *fiber.Ctx, onField func(name, value string) error, file func(name string, r io.Reader) error) error {
	r := current(c)
	if err := h.s.checkOrigin(c); err != nil {
		return err
	}
	if r.body.declared > uploadFiles*h.s.cfg.MaxUpload {
		return errTooLarge
	}
	parts, err := h.s.multipartReader(c, r)
	if err != nil {
		return err
	}
	checked, files, fields := false, 0, 0
	for {
		part, err := nextPart(r, parts)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch name := part.FormName(); {
		case name == "token":
			token, err := field(part)
			if err != nil {
				return err
			}
			if err := h.s.checkFormToken(c, token); err != nil {
				return err
			}
			checked = true
		case !checked:
			return fail(Forged, "form token must come first", nil)
		case name == "file" && part.FileName() == "":
		case name == "file":
			if files++; files > uploadFiles {
				return fail(Kind(signing.BadRequest), "too many files in one form", nil)
			}
			in := &limited{src: part, left: h.s.cfg.MaxUpload}
			err := file(fileName(part.FileName()), in)
			switch {
			case in.over:
				return errTooLarge
			case r.body.err != nil:
				return r.body.err
			case in.err != nil:
				return fail(Aborted, "the upload ended before its time", in.err)
			case err != nil:
				return err
			}
		default:
			if fields++; fields > formFields {
				return fail(Kind(signing.BadRequest), "too many form fields", nil)
			}
			value, err := field(part)
			if err != nil {
				return err
			}
			if err := onField(name, value); err != nil {
				return err
			}
		}
	}
	if !checked {
		return fail(Forged, "form token is missing", nil)
	}
	return nil
}

func (h counterHouse) Presence(c *fiber.Ctx, f map[string][][]byte) vault.Evidence {
	return h.s.deskEvidence(c, f)
}

func (h counterHouse) Page(c *fiber.Ctx, p counterface.Page) error {
	r := current(c)
	if r.member == nil && r.tablet == "" {
		h.s.ensureFormCookie(c)
	}
	v := h.s.newView(c, p.Name, r.locale.T(p.Name+".title"), p.Data)
	v.Bare = p.Bare
	if p.Notice != "" {
		v.Notice = v.T(p.Notice)
	}
	if p.Problem != nil {
		return h.s.again(c, v, p.Problem)
	}
	return h.s.render(c, v)
}

func (h counterHouse) Answer(c *fiber.Ctx, answer any) error { return writeJSON(c, answer) }

func (h counterHouse) Download(c *fiber.Ctx, o *signing.Output) error { return sendOutput(c, o) }

func (h counterHouse) Patience(*fiber.Ctx) (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.s.leaving, patienceTime)
}

func (h counterHouse) Long(c *fiber.Ctx) context.CancelFunc { return h.s.within(c, signTimeout) }

func (h counterHouse) Speak(c *fiber.Ctx, language string) {
	if l := h.s.locales[language]; l != nil {
		current(c).locale = l
	}
}
