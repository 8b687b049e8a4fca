package web

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/formats/legible"
	"sigillo/signing"
)

// Staff is what the administration's face does, each in the name of a member. Kinds of
// errors: of staff, and of signing.
type Staff interface {
	StaffSignIn(ctx context.Context, username string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error)
	StaffSession(ctx context.Context, token string, v auth.Visit) (staff.Member, error)
	StaffSignOut(ctx context.Context, token string) error
	// StaffCheck recognises a member once more, for what a session is not enough for.
	StaffCheck(ctx context.Context, username string, e signing.Evidence) (staff.Member, error)

	Proposals(ctx context.Context, state staff.State) ([]staff.Proposal, error)
	Proposal(ctx context.Context, id string) (staff.Proposal, error)
	Approve(ctx context.Context, by staff.Member, id string, shown [32]byte) (staff.Outcome, error)
	CancelProposal(ctx context.Context, by staff.Member, id, reason string) error
	ProposeRecovery(ctx context.Context, by staff.Member, n staff.NewRecovery) (staff.Proposal, error)

	FindHolders(ctx context.Context, by staff.Member, who string) ([]staff.Found, error)
	SuspendByCode(ctx context.Context, m staff.Emergency) (staff.Suspended, error)
	SuspendFor(ctx context.Context, by staff.Member, serial string) error
	ReactivateFor(ctx context.Context, by staff.Member, serial string) error
	RevokeFor(ctx context.Context, by staff.Member, serial string, reason int) error
	RevokeDelegationFor(ctx context.Context, by staff.Member, holder, id, reason string) error
}

// deskCookie holds the session of a member of the staff; a holder's is another.
// deskBrowserCookie is what browserCookie is for holders: a member may be one, too.
const (
	deskCookie        = "sigillo-desk"
	deskBrowserCookie = "sigillo-desk-browser"
)

// deskEvidence is what a member of the staff has typed into a form to be recognised.
func (s *Server) deskEvidence(c *fiber.Ctx, f form) signing.Evidence {
	e := evidence(c, f)
	e.Browser = s.cookie(c, deskBrowserCookie)
	return e
}

// routeAdmin opens the face of the administration.
func (s *Server) routeAdmin() {
	if s.cfg.Staff == nil {
		return
	}
	s.app.Get("/admin/signin", s.adminSignInPage)
	s.app.Post("/admin/signin", s.adminSignIn)
	s.app.Post("/admin/signout", s.atDesk(s.adminSignOut))
	s.app.Get("/admin", s.atDesk(s.adminHome))
	s.app.Get("/admin/proposals/:id", s.atDesk(s.adminProposal))
	s.app.Post("/admin/proposals/:id/approve", s.atDesk(s.adminApprove))
	s.app.Post("/admin/proposals/:id/cancel", s.atDesk(s.adminCancel))
	s.app.Get("/admin/holders", s.atDesk(s.adminHolders))
	s.app.Post("/admin/emergency", s.atDesk(s.adminEmergency))
	s.app.Post("/admin/certificates/:serial/:verb", s.atDesk(s.adminCertificate))
	s.app.Post("/admin/holders/:id/delegations/:delegation/revoke", s.atDesk(s.adminDelegation))
	s.app.Get("/admin/recover", s.atDesk(s.adminRecoverPage))
	s.app.Post("/admin/recover", s.atDesk(s.adminRecover))
}

// memberVisit is what the session of a member is bound to.
func memberVisit(c *fiber.Ctx) auth.Visit {
	v := current(c).visit
	v.Face = auth.Desk
	return v
}

// atDesk lets only a member with a live session through.
func (s *Server) atDesk(next fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		token := s.cookie(c, deskCookie)
		if token == "" {
			return sendToDesk(c, fiber.Map{})
		}
		member, err := s.cfg.Staff.StaffSession(c.UserContext(), token, memberVisit(c))
		kind := signing.KindOf(err)
		switch {
		case err == nil:
		case kind == signing.Busy || kind == signing.KeyUnavailable || kind == signing.DiskFull:
			return err
		default:
			s.setCookie(c, deskCookie, "", -1)
			return sendToDesk(c, fiber.Map{"ended": "1"})
		}
		r := current(c)
		r.member, r.token = &member, token
		return next(c)
	}
}

// sendToDesk has a member sign in. Who was at a counter comes back to it; a script gets a 401.
func sendToDesk(c *fiber.Ctx, query fiber.Map) error {
	if wantsJSON(c) {
		return fail(Unauthenticated, "no session", nil)
	}
	if c.Method() == fiber.MethodGet && strings.HasPrefix(c.Path(), "/counter") {
		query["next"] = c.OriginalURL()
	}
	return c.Redirect("/admin/signin"+encodeQuery(query), fiber.StatusSeeOther)
}

// deskPath is where a member goes on to after signing in.
func deskPath(next string) string {
	if next = localPath(next); strings.HasPrefix(next, "/counter") {
		return next
	}
	return "/admin"
}

func (s *Server) adminSignInPage(c *fiber.Ctx) error {
	s.ensureFormCookie(c)
	v := s.newView(c, "admin_signin", current(c).locale.T("admin.signin"), signInData{Next: deskPath(c.Query("next"))})
	switch {
	case c.Query("ended") != "":
		v.Notice = v.T("signin.ended")
	case c.Query("changed") != "":
		v.Notice = v.T("signin.changed")
	}
	return s.render(c, v)
}

func (s *Server) adminSignIn(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := signInData{Username: f.get("username"), Next: deskPath(f.get("next"))}
	v := s.newView(c, "admin_signin", r.locale.T("admin.signin"), data)
	if wait := s.attempts.take(r.client, s.cfg.Now()); wait > 0 {
		return s.again(c, v, tooOften(wait))
	}
	in, err := s.cfg.Staff.StaffSignIn(c.UserContext(), data.Username, s.deskEvidence(c, f), memberVisit(c))
	if err != nil {
		return s.again(c, v, err)
	}
	s.attempts.giveBack(r.client, s.cfg.Now())
	s.setCookie(c, deskCookie, in.Token, 0)
	s.setCookie(c, formCookie, "", -1)
	s.keepBrowser(c, deskBrowserCookie, in)
	return c.Redirect(data.Next, fiber.StatusSeeOther)
}

func (s *Server) adminSignOut(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Staff.StaffSignOut(c.UserContext(), current(c).token); err != nil {
		return err
	}
	s.setCookie(c, deskCookie, "", -1)
	return c.Redirect("/admin/signin", fiber.StatusSeeOther)
}

type adminData struct {
	Open, Decided []staff.Proposal
	May           map[string]bool // by act
}

// rights are what the signed-in member may do, for templates.
func rights(m staff.Member) map[string]bool {
	out := map[string]bool{}
	for _, r := range staff.Rules {
		out[string(r.Act)] = staff.May(m.Role, r.Act)
	}
	return out
}

// decidedShown is how many proposals of the past the first page shows.
const decidedShown = 20

func (s *Server) adminHome(c *fiber.Ctx) error {
	r := current(c)
	data := adminData{May: rights(*r.member)}
	if data.May[string(staff.SeeStaff)] {
		list, err := s.cfg.Staff.Proposals(c.UserContext(), "")
		if err != nil {
			return err
		}
		for _, p := range list {
			p = readable(p)
			if p.State == staff.Open {
				data.Open = append(data.Open, p)
			} else if len(data.Decided) < decidedShown {
				data.Decided = append(data.Decided, p)
			}
		}
	}
	v := s.newView(c, "admin", r.locale.T("admin.title"), data)
	if c.Query("done") == "cancelled" {
		v.Notice = v.T("admin.cancelled")
	}
	return s.render(c, v)
}

// readable is a proposal as it is shown: what its proposer has written is not to pass for
// something else before who approves it.
func readable(p staff.Proposal) staff.Proposal {
	p.Subject, p.Result, p.Parameters = legible.Line(p.Subject), legible.Line(p.Result), maps.Clone(p.Parameters)
	for k, v := range p.Parameters {
		p.Parameters[k] = legible.Line(v)
	}
	return p
}

type proposalData struct {
	staff.Proposal
	Shown      string // digest of what is on the page
	Keys       []string
	MayApprove bool
	MayCancel  bool
	Why        string // why it cannot be approved by this member, a kind of error
}

// proposalPage is the page of a proposal as the member may see it.
func (s *Server) proposalPage(c *fiber.Ctx, id string) (view, error) {
	r := current(c)
	if err := r.member.May(staff.SeeStaff); err != nil {
		return view{}, err
	}
	p, err := s.cfg.Staff.Proposal(c.UserContext(), id)
	if err != nil {
		return view{}, err
	}
	digest := p.Digest()
	data := proposalData{Proposal: p, Shown: hex.EncodeToString(digest[:]), Keys: slices.Sorted(maps.Keys(p.Parameters))}
	refused := p.Approvable(*r.member, digest, s.cfg.Now())
	data.Proposal = readable(p)
	data.MayApprove, data.MayCancel = refused == nil, p.Cancellable(*r.member, s.cfg.Now()) == nil
	if refused != nil {
		data.Why = string(KindOf(refused))
	}
	return s.newView(c, "admin_proposal", r.locale.T("admin.proposal"), data), nil
}

func (s *Server) adminProposal(c *fiber.Ctx) error {
	v, err := s.proposalPage(c, c.Params("id"))
	if err != nil {
		return err
	}
	return s.render(c, v)
}

// adminApprove approves what was shown. A session is not enough for that: the member
// gives the factors once more.
func (s *Server) adminApprove(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	v, err := s.proposalPage(c, c.Params("id"))
	if err != nil {
		return err
	}
	by, err := s.cfg.Staff.StaffCheck(c.UserContext(), r.member.Username, s.deskEvidence(c, f))
	if err != nil {
		return s.again(c, v, err)
	}
	if by.ID != r.member.ID {
		return fail(Unauthenticated, "the username belongs to somebody else now", nil)
	}
	var shown [32]byte
	if n, err := hex.Decode(shown[:], []byte(f.get("shown"))[:min(64, len(f.get("shown")))]); err != nil || n != len(shown) {
		shown = [32]byte{}
	}
	out, err := s.cfg.Staff.Approve(c.UserContext(), by, c.Params("id"), shown)
	if err != nil {
		return s.again(c, v, err)
	}
	return s.render(c, s.newView(c, "admin_done", r.locale.T("admin.done"), out))
}

func (s *Server) adminCancel(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := s.cfg.Staff.CancelProposal(c.UserContext(), *current(c).member, c.Params("id"), f.get("reason")); err != nil {
		return err
	}
	return c.Redirect("/admin?done=cancelled", fiber.StatusSeeOther)
}
