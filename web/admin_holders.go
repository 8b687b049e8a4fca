package web

import (
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing"
)

type holdersData struct {
	Who   string
	Asked bool
	Found []staff.Found
	May   map[string]bool
}

// holdersPage is the page of a search.
func (s *Server) holdersPage(c *fiber.Ctx, who string) (view, error) {
	r := current(c)
	data := holdersData{Who: who, Asked: who != "", May: rights(*r.member)}
	if data.Asked {
		var err error
		if data.Found, err = s.cfg.Staff.FindHolders(c.UserContext(), *r.member, who); err != nil {
			return view{}, err
		}
	}
	return s.newView(c, "admin_holders", r.locale.T("admin.holders"), data), nil
}

// adminHolders looks a holder up. The name stands in the address, which is not logged.
func (s *Server) adminHolders(c *fiber.Ctx) error {
	v, err := s.holdersPage(c, strings.TrimSpace(c.Query("who")))
	if err != nil {
		return err
	}
	switch done := c.Query("done"); done {
	case "suspend", "reactivate", "revoke", "now", "before", "revoked", "delegation":
		key := "admin.done_" + done
		v.Notice = v.T(key)
	}
	return s.render(c, v)
}

// adminEmergency takes a call: the code is what counts, whoever says it.
func (s *Server) adminEmergency(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := r.member.May(staff.SuspendByCode); err != nil {
		return err
	}
	m := staff.Emergency{Who: f.get("who"), Code: f.get("code"), Client: r.client, Actor: r.member.ID}
	v, err := s.holdersPage(c, "")
	if err != nil {
		return err
	}
	out, done, err := s.suspendByCode(c, s.cfg.Staff, m)
	if err != nil {
		return s.again(c, v, err)
	}
	next := fiber.Map{"done": done}
	if r.member.May(staff.SeeHolders) == nil { // else the code is all they deal with
		next["who"] = out.Serial
	}
	return c.Redirect("/admin/holders"+encodeQuery(next), fiber.StatusSeeOther)
}

// adminCertificate changes the status of a holder's certificate by right.
func (s *Server) adminCertificate(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	serial, verb := c.Params("serial"), c.Params("verb")
	switch verb {
	case "suspend":
		err = s.cfg.Staff.SuspendFor(c.UserContext(), *r.member, serial)
	case "reactivate":
		err = s.cfg.Staff.ReactivateFor(c.UserContext(), *r.member, serial)
	case "revoke":
		reason, bad := strconv.Atoi(f.get("reason"))
		if bad != nil {
			return fail(Kind(signing.BadRequest), "no reason", bad)
		}
		err = s.cfg.Staff.RevokeFor(c.UserContext(), *r.member, serial, reason)
	default:
		return fiber.ErrNotFound
	}
	if err != nil {
		return err
	}
	return c.Redirect("/admin/holders"+encodeQuery(fiber.Map{"done": verb, "who": serial}), fiber.StatusSeeOther)
}

// adminDelegation takes back what a holder has delegated, by right.
func (s *Server) adminDelegation(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	err = s.cfg.Staff.RevokeDelegationFor(c.UserContext(), *current(c).member, c.Params("id"), c.Params("delegation"), "revoked by the staff")
	if err != nil {
		return err
	}
	return c.Redirect("/admin/holders"+encodeQuery(fiber.Map{"done": "delegation", "who": f.get("who")}), fiber.StatusSeeOther)
}

type recoverData struct {
	staff.NewRecovery
	Day       string // on which the document expires
	Documents []string
}

func (s *Server) recoverView(c *fiber.Ctx, data recoverData) view {
	data.Documents = []string{"identity-card", "passport", "driving-licence", "residence-permit", "other-art-35"}
	return s.newView(c, "admin_recover", current(c).locale.T("admin.recover"), data)
}

func (s *Server) adminRecoverPage(c *fiber.Ctx) error {
	if err := current(c).member.May(staff.RecoverHolder); err != nil {
		return err
	}
	return s.render(c, s.recoverView(c, recoverData{NewRecovery: staff.NewRecovery{Username: c.Query("username")}}))
}

// adminRecover records the identification and proposes the recovery.
func (s *Server) adminRecover(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := recoverData{Day: f.get("expires"), NewRecovery: staff.NewRecovery{Username: f.get("username"), Document: f.get("document"),
		Number: f.get("number"), Issuer: f.get("issuer"), Contact: phone(f.get("contact")), Reason: f.get("reason"), Compromised: f.get("compromised") != ""}}
	if day, err := time.Parse(time.DateOnly, data.Day); err == nil {
		data.Expires = day.AddDate(0, 0, 1).Add(-time.Second)
	}
	p, err := s.cfg.Staff.ProposeRecovery(c.UserContext(), *current(c).member, data.NewRecovery)
	if err != nil {
		return s.again(c, s.recoverView(c, data), err)
	}
	return c.Redirect("/admin/proposals/"+p.ID, fiber.StatusSeeOther)
}
