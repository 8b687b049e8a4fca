package web

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"sigillo/web/oauth"
)

// Applications are those that holders have let in. *oauth.Server satisfies it.
type Applications interface {
	// Grants are what a holder has granted and what is not over, the newest first.
	Grants(ctx context.Context, holder string) ([]oauth.Granted, error)
	// EndGrant ends one of a holder's grants at once; one that is not the holder's is
	// none, and that is no error.
	EndGrant(ctx context.Context, holder, id string) error
	// Name is what the application with this ID is called, the ID when nobody knows it.
	Name(ctx context.Context, id string) string
}

func (s *Server) routeApplications() {
	if s.cfg.Applications == nil {
		return
	}
	s.app.Get("/security/applications", s.signedIn(s.applications))
	s.app.Post("/security/applications/:id/end", s.signedIn(s.endGrant))
}

type applicationsData struct{ Grants []oauth.Granted }

func (s *Server) applications(c *fiber.Ctx) error {
	r := current(c)
	all, err := s.cfg.Applications.Grants(c.UserContext(), r.holder.ID)
	if err != nil {
		return err
	}
	v := s.newView(c, "applications", r.locale.T("applications.title"), applicationsData{all})
	if c.Query("ended") != "" {
		v.Notice = v.T("applications.ended")
	}
	return s.render(c, v)
}

func (s *Server) endGrant(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Applications.EndGrant(c.UserContext(), current(c).holder.ID, c.Params("id")); err != nil {
		return err
	}
	return c.Redirect("/security/applications?ended=1", fiber.StatusSeeOther)
}

// forgetBrowsers makes all browsers of the holder strange ones again, this one too.
func (s *Server) forgetBrowsers(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Security.ForgetBrowsers(c.UserContext(), current(c).holder.ID); err != nil {
		return err
	}
	s.setCookie(c, browserCookie, "", -1)
	return c.Redirect("/security/sessions?forgotten=1", fiber.StatusSeeOther)
}
