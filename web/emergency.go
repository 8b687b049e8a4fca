package web

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing"
)

// Emergency suspends a certificate for whoever knows its emergency code. The kind of an
// error is staff.WrongCode for a wrong code and for an unknown person alike, else of
// signing.
type Emergency interface {
	SuspendByCode(ctx context.Context, m staff.Emergency) (staff.Suspended, error)
}

// routeEmergency opens the page on which a certificate is suspended without signing in,
// at any hour, by its emergency code.
func (s *Server) routeEmergency() {
	if s.cfg.Emergency == nil {
		return
	}
	s.app.Get("/suspend", s.emergencyPage)
	s.app.Post("/suspend", s.emergency)
}

type emergencyData struct {
	Who  string
	Done string // "", or how it ended: "now", "before", "revoked"
}

func (s *Server) emergencyPage(c *fiber.Ctx) error {
	s.ensureFormCookie(c)
	data := emergencyData{}
	switch done := c.Query("done"); done {
	case "now", "before", "revoked":
		data.Done = done
	}
	return s.render(c, s.newView(c, "emergency", current(c).locale.T("emergency.title"), data))
}

// emergency suspends. Wrong attempts are limited by address, apart from those to sign
// in; a right code is never refused for the wrong ones of others.
func (s *Server) emergency(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	m := staff.Emergency{Who: f.get("who"), Code: f.get("code"), Client: r.client}
	view := s.newView(c, "emergency", r.locale.T("emergency.title"), emergencyData{Who: m.Who})
	_, done, err := s.suspendByCode(c, s.cfg.Emergency, m)
	if err != nil {
		return s.again(c, view, err)
	}
	return c.Redirect("/suspend?done="+done, fiber.StatusSeeOther)
}

// suspendByCode suspends, and says what there was to do: "now", "before" or "revoked".
func (s *Server) suspendByCode(c *fiber.Ctx, desk Emergency, m staff.Emergency) (out staff.Suspended, done string, err error) {
	if wait := s.emergencies.take(m.Client, s.cfg.Now()); wait > 0 {
		return out, "", tooOften(wait)
	}
	if out, err = desk.SuspendByCode(c.UserContext(), m); err != nil {
		return out, "", err
	}
	s.emergencies.giveBack(m.Client, s.cfg.Now())
	switch {
	case out.Revoked:
		return out, "revoked", nil
	case out.Before:
		return out, "before", nil
	}
	return out, "now", nil
}

func tooOften(wait time.Duration) error {
	return &signing.Error{Kind: signing.Locked, Msg: "too many wrong codes from this address", RetryAfter: wait}
}
