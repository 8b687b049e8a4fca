package web

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

// The pages on which a holder delegates signatures to an application, sees what is
// delegated, and takes it back. To give takes the factors, to take back does not.

const delegationsPath = "/delegations"

func (s *Server) routeDelegations() {
	if s.cfg.Delegations == nil {
		return
	}
	s.app.Get(delegationsPath, s.signedIn(s.delegations))
	s.app.Get(delegationsPath+"/new", s.signedIn(s.delegatePage))
	s.app.Post(delegationsPath+"/new", s.signedIn(s.delegate))
	s.app.Post(delegationsPath+"/:id/revoke", s.signedIn(s.revokeDelegation))
	if s.cfg.Security != nil {
		s.routeFactors(s.signedIn, delegationsPath+"/new", s.delegationRequest)
	}
}

// delegationRequest is what the vault will be asked for when the form is sent, without
// factors. What makes no sense in it is told then.
func (s *Server) delegationRequest(c *fiber.Ctx, f form) any {
	n, _ := s.delegationOf(f)
	return vault.NewDelegation{Evidence: withoutFactors(c, f), ID: n.ID, Credential: vault.Credential{ID: n.Credential}, Count: n.Count,
		Expires: n.Expires, ClientCertificate: n.ClientCertificate, Kinds: n.Kinds}
}

type delegationsData struct {
	Active, Over []delegationRow
	May          bool // there is a credential that can be delegated
}

type delegationRow struct {
	vault.Delegation
	Certificate signing.Credential // zero when it is gone
}

// Left is how many signatures are left.
func (d delegationRow) Left() int { return d.Count - d.Used }

// automatic are the credentials that can be delegated now.
func automatic(all []signing.Credential) (out []signing.Credential) {
	for _, c := range all {
		if c.Automatic && c.Status == "valid" {
			out = append(out, c)
		}
	}
	return out
}

func (s *Server) delegations(c *fiber.Ctx) error {
	r := current(c)
	list, err := s.cfg.Delegations.Delegations(c.UserContext(), r.holder.ID)
	if err != nil {
		return err
	}
	all, err := s.cfg.Signing.Credentials(c.UserContext(), r.holder.ID)
	if err != nil {
		return err
	}
	data := delegationsData{May: len(automatic(all)) > 0}
	for _, d := range list {
		row := delegationRow{Delegation: d}
		for _, one := range all {
			if one.ID == d.Credential {
				row.Certificate = one
			}
		}
		if d.State == vault.DelegationActive {
			data.Active = append(data.Active, row)
		} else {
			data.Over = append(data.Over, row)
		}
	}
	v := s.newView(c, "delegations", r.locale.T("delegations.title"), data)
	v.Here = delegationsPath
	switch c.Query("done") {
	case "given":
		v.Notice = v.T("delegations.given")
	case "revoked":
		v.Notice = v.T("delegations.revoked_now")
	}
	return s.render(c, v)
}

// delegateData is the form as it was filled in.
type delegateData struct {
	ID, Credential, Application, Count, Until, Kinds string
	First, Last                                      string // days that can be chosen
	Credentials                                      []signing.Credential
}

func (s *Server) delegateView(c *fiber.Ctx, data delegateData) (view, error) {
	r := current(c)
	all, err := s.cfg.Signing.Credentials(c.UserContext(), r.holder.ID)
	if err != nil {
		return view{}, err
	}
	data.Credentials = automatic(all)
	if data.Credential == "" && len(data.Credentials) > 0 {
		data.Credential = data.Credentials[0].ID
	}
	today := s.cfg.Now().In(s.cfg.Zone)
	data.First, data.Last = today.Format(time.DateOnly), today.AddDate(0, 0, 364).Format(time.DateOnly)
	return s.newView(c, "delegate", r.locale.T("delegations.give"), data), nil
}

func (s *Server) delegatePage(c *fiber.Ctx) error {
	v, err := s.delegateView(c, delegateData{ID: remote.NewDelegationID()})
	if err != nil {
		return err
	}
	return s.render(c, v)
}

func (s *Server) delegate(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	v, err := s.delegateView(c, delegateData{ID: f.get("id"), Credential: f.get("credential"), Application: f.get("certificate"),
		Count: f.get("count"), Until: f.get("until"), Kinds: f.get("kinds")})
	if err != nil {
		return err
	}
	n, err := s.delegationOf(f)
	if err == nil {
		_, err = s.cfg.Delegations.Delegate(c.UserContext(), current(c).holder.ID, n, evidence(c, f))
	}
	if err != nil {
		return s.again(c, v, err)
	}
	return c.Redirect(delegationsPath+"?done=given", fiber.StatusSeeOther)
}

func (s *Server) revokeDelegation(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	holder := current(c).holder.ID
	if err := s.cfg.Delegations.RevokeDelegation(c.UserContext(), holder, c.Params("id"), holder, byHolder); err != nil {
		return err
	}
	return c.Redirect(delegationsPath+"?done=revoked", fiber.StatusSeeOther)
}
