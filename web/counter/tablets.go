package counter

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing/counter"
)

// AtTablets is the data of the page of a centre's tablets.
type AtTablets struct {
	Tablets, Revoked []counter.Tablet
	Name, Code       string // of one that was just invited
	Expires          time.Time
	Centre           string // of the member
	May              bool   // register, confirm and revoke
}

func (s *Server) tabletsPage(c *fiber.Ctx, by staff.Member) (Page, error) {
	all, err := s.cfg.Desk.Tablets(c.UserContext(), by)
	if err != nil {
		return Page{}, err
	}
	data := AtTablets{Centre: by.Centre, May: by.May(staff.CounterTablets) == nil}
	for _, t := range all {
		if t.State == counter.TabletRevoked {
			data.Revoked = append(data.Revoked, t)
		} else {
			data.Tablets = append(data.Tablets, t)
		}
	}
	// What waits for somebody comes first.
	slices.SortStableFunc(data.Tablets, func(a, b counter.Tablet) int { return rank[a.State] - rank[b.State] })
	return Page{Name: "counter_tablets", Data: data}, nil
}

var rank = map[counter.TabletState]int{counter.TabletPending: 0, counter.TabletActive: 1, counter.TabletInvited: 2}

func (s *Server) tablets(c *fiber.Ctx, by staff.Member) error {
	p, err := s.tabletsPage(c, by)
	if err != nil {
		return err
	}
	if done := c.Query("done"); done == "confirmed" || done == "revoked" {
		p.Notice = "counter.done_" + done
	}
	return s.house.Page(c, p)
}

// newTablet gives a code. It is shown on the page that answers, and nowhere else.
func (s *Server) newTablet(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	t, code, expires, err := s.cfg.Desk.NewTabletCode(c.UserContext(), by, counter.NewTablet{Name: strings.TrimSpace(f.get("name")), Centre: strings.TrimSpace(f.get("centre"))})
	return s.tabletsAgain(c, by, err, func(d *AtTablets) { d.Name, d.Code, d.Expires = t.Name, code, expires })
}

// tabletsAgain shows the tablets with a problem, or with what was done.
func (s *Server) tabletsAgain(c *fiber.Ctx, by staff.Member, problem error, done func(*AtTablets)) error {
	p, err := s.tabletsPage(c, by)
	if err != nil {
		if problem != nil {
			err = problem
		}
		return err
	}
	p.Problem = problem
	if problem == nil {
		data := p.Data.(AtTablets)
		done(&data)
		p.Data = data
	}
	return s.house.Page(c, p)
}

// confirmTablet has the vault know a tablet: the operator has compared what it shows.
func (s *Server) confirmTablet(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if _, err := s.cfg.Desk.ConfirmTablet(c.UserContext(), by, c.Params("id"), f.get("fingerprint"), s.house.Presence(c, f)); err != nil {
		return s.tabletsAgain(c, by, err, nil)
	}
	return c.Redirect("/counter/tablets?done=confirmed", fiber.StatusSeeOther)
}

func (s *Server) challengeTablet(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	e := s.house.Presence(c, f)
	out, err := s.cfg.Desk.ChallengeTablet(c.UserContext(), by, c.Params("id"), e.Client, e.Browser)
	if err != nil {
		return err
	}
	return s.house.Answer(c, out)
}

func (s *Server) revokeTablet(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := s.cfg.Desk.RevokeTablet(c.UserContext(), by, c.Params("id"), strings.TrimSpace(f.get("reason"))); err != nil {
		return s.tabletsAgain(c, by, err, nil)
	}
	return c.Redirect("/counter/tablets?done=revoked", fiber.StatusSeeOther)
}
