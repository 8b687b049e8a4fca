package web

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"sigillo/formats/legible"
	"sigillo/signing"
	"sigillo/signing/remote"
)

// Requests are what applications want signed and have left for the holder to
// authorise here, where the factors are not seen by them. *remote.Service satisfies it.
type Requests interface {
	Asked(ctx context.Context, holder string) []remote.Request
	Approve(ctx context.Context, holder, id string, e signing.Evidence) error
	Decline(ctx context.Context, holder, id string) error
}

func (s *Server) routeRequests() {
	if s.cfg.Requests == nil {
		return
	}
	s.app.Get("/requests", s.signedIn(s.requests))
	s.app.Post("/requests/:id/approve", s.signedIn(s.approve))
	s.app.Post("/requests/:id/decline", s.signedIn(s.decline))
}

type requestsData struct{ List []requestRow }

type requestRow struct {
	remote.Request
	Application string             // what it is called here
	Credential  signing.Credential // zero when it is gone
}

func (s *Server) requestsView(c *fiber.Ctx) (view, error) {
	r := current(c)
	var data requestsData
	for _, one := range s.cfg.Requests.Asked(c.UserContext(), r.holder.ID) {
		// What the application says is not to pass for something else.
		one.Order.Description = legible.Line(one.Order.Description)
		cred, err := s.credential(c, r.holder.ID, one.Order.Credential)
		if err != nil && KindOf(err) != Kind(signing.NotFound) {
			return view{}, err
		}
		name := one.Order.Application
		if s.cfg.Applications != nil {
			name = s.cfg.Applications.Name(c.UserContext(), name)
		}
		data.List = append(data.List, requestRow{one, name, cred})
	}
	v := s.offered(c, s.newView(c, "requests", r.locale.T("requests.title"), data))
	v.Here = "/requests"
	return v, nil
}

// requests shows what applications want signed.
func (s *Server) requests(c *fiber.Ctx) error {
	v, err := s.requestsView(c)
	if err != nil {
		return err
	}
	switch c.Query("done") {
	case "approved", "declined":
		v.Notice = v.T("requests." + c.Query("done"))
	}
	return s.render(c, v)
}

func (s *Server) approve(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := s.cfg.Requests.Approve(c.UserContext(), current(c).holder.ID, c.Params("id"), evidence(c, f)); err != nil {
		return s.requestsAgain(c, err)
	}
	return c.Redirect("/requests?done=approved", fiber.StatusSeeOther)
}

func (s *Server) decline(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Requests.Decline(c.UserContext(), current(c).holder.ID, c.Params("id")); err != nil {
		return s.requestsAgain(c, err)
	}
	return c.Redirect("/requests?done=declined", fiber.StatusSeeOther)
}

// requestsAgain shows the page as it now is, with the problem on top.
func (s *Server) requestsAgain(c *fiber.Ctx, err error) error {
	v, viewErr := s.requestsView(c)
	if viewErr != nil {
		return err
	}
	return s.again(c, v, err)
}
