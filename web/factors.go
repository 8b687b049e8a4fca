package web

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/signing"
	"sigillo/vault"
)

// What the script beside a form with factors asks for (assets/static/factors.js). Both
// addresses take the form as it is, without passwords and codes, and answer with JSON:
//
//	…/challenge  what a passkey is to sign, bound to what the form stands for
//	…/send       has a code sent that is good for what the form stands for
//
// They are asked for with the form's token, as the form itself, and count as attempts
// of an address where nobody is signed in.

// routeFactors opens the two addresses beside the form at path; change makes of the
// form what it stands for.
func (s *Server) routeFactors(in func(fiber.Handler) fiber.Handler, path string, change func(*fiber.Ctx, form) any) {
	s.app.Post(path+"/challenge", in(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.cfg.Security.Challenge(c.UserContext(), r.subject(), change(c, f))
		})
	}))
	s.app.Post(path+"/send", in(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.sent(s.cfg.Security.SendCode(c.UserContext(), r.subject(), change(c, f), s.codeRequest(c, f)))
		})
	}))
}

// routeEntrance opens the addresses beside the forms that sign in, sign and approve.
func (s *Server) routeEntrance() {
	if s.cfg.Security == nil {
		return
	}
	guest := func(do func(c *fiber.Ctx, f form, e signing.Evidence) (any, error)) fiber.Handler {
		return func(c *fiber.Ctx) error {
			return s.answerScript(c, func(f form, r *request) (any, error) {
				if wait := s.attempts.take(r.client, s.cfg.Now()); wait > 0 {
					return nil, lockedOut(wait)
				}
				return do(c, f, withoutFactors(c, f))
			})
		}
	}
	s.app.Post("/signin/challenge", guest(func(c *fiber.Ctx, f form, e signing.Evidence) (any, error) {
		return s.cfg.Security.SignInChallenge(c.UserContext(), f.get("username"), e)
	}))
	s.app.Post("/signin/send", guest(func(c *fiber.Ctx, f form, e signing.Evidence) (any, error) {
		return s.sent(s.cfg.Security.SendSignInCode(c.UserContext(), f.get("username"), e, s.codeRequest(c, f)))
	}))
	s.app.Post("/transactions/:id/sign/challenge", s.signedIn(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.cfg.Security.SignChallenge(c.UserContext(), r.holder.ID, c.Params("id"), withoutFactors(c, f))
		})
	}))
	s.app.Post("/requests/:id/approve/challenge", s.signedIn(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.cfg.Security.RequestChallenge(c.UserContext(), r.holder.ID, c.Params("id"), withoutFactors(c, f))
		})
	}))
	s.app.Post("/requests/:id/approve/send", s.signedIn(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.sent(s.cfg.Security.SendRequestCode(c.UserContext(), r.holder.ID, c.Params("id"), withoutFactors(c, f), s.codeRequest(c, f)))
		})
	}))
	s.app.Post("/transactions/:id/sign/send", s.signedIn(func(c *fiber.Ctx) error {
		return s.answerScript(c, func(f form, r *request) (any, error) {
			return s.sent(s.cfg.Security.SendSignCode(c.UserContext(), r.holder.ID, c.Params("id"), withoutFactors(c, f), s.codeRequest(c, f)))
		})
	}))
}

// passkeyOptions is what the browser needs to make a passkey.
func (s *Server) passkeyOptions(c *fiber.Ctx) error {
	return s.answerScript(c, func(_ form, r *request) (any, error) {
		return s.cfg.Security.PasskeyOptions(c.UserContext(), r.subject())
	})
}

// answerScript reads a form and answers with JSON, problems too.
func (s *Server) answerScript(c *fiber.Ctx, do func(f form, r *request) (any, error)) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	out, err := do(f, current(c))
	if err != nil {
		return err
	}
	return writeJSON(c, out)
}

func writeJSON(c *fiber.Ctx, out any) error {
	body, err := json.Marshal(out)
	if err != nil {
		return fail(Kind(signing.Internal), "an answer to the script", err)
	}
	c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	return c.Send(body)
}

// withoutFactors is what a challenge is bound to beside the request: who asks.
func withoutFactors(c *fiber.Ctx, f form) signing.Evidence {
	e := evidence(c, f)
	return signing.Evidence{Client: e.Client, Browser: e.Browser}
}

func (s *Server) codeRequest(c *fiber.Ctx, f form) vault.CodeRequest {
	q := vault.CodeRequest{Language: current(c).locale.Code}
	if c.Params("id") != "" && f.get("confirm") != "" {
		q.Device = c.Params("id")
	}
	return q
}

// sentCode tells the script when another code can be asked for.
type sentCode struct {
	Text   string `json:"text,omitempty"`
	Resend int    `json:"resend_seconds"`
}

func (s *Server) sent(sent vault.CodeSent, err error) (any, error) {
	if signing.KindOf(err) == signing.Locked { // not the holder is locked out, only the next code
		return nil, fail(CodeSoon, "no other code is sent so soon", err)
	}
	if err != nil {
		return nil, err
	}
	return sentCode{Resend: int(max(sent.Resend.Sub(s.cfg.Now()), 0) / time.Second)}, nil
}

// offered leaves of the ways to be recognised those that the holder has. Where that
// cannot be found out now, all are shown: the vault will say what is not right.
func (s *Server) offered(c *fiber.Ctx, v view) view {
	who := current(c).subject()
	if s.cfg.Security == nil || who == "" {
		return v
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), time.Second)
	defer cancel()
	m, err := s.cfg.Security.Means(ctx, who)
	if err != nil {
		return v
	}
	has := map[vault.DeviceKind]bool{}
	for _, d := range m.Devices {
		has[d.Kind] = has[d.Kind] || d.Confirmed
	}
	v.Passkeys, v.SentCodes = v.Passkeys && has[vault.Passkey], v.SentCodes && has[vault.Phone]
	v.NoRecovery = m.Codes == 0
	return v
}

// checkPassword tells who is signed in why a new password is too weak, before the vault is
// asked, which has a longer list.
func checkPassword(password []byte, r *request) error {
	var names []string
	switch {
	case r.member != nil:
		names = []string{r.member.Username, r.member.Email}
	case r.holder != nil:
		names = []string{r.holder.Username, r.holder.Email}
	}
	if err := auth.CheckPasswordBytes(password, names...); err != nil {
		return &signing.Error{Kind: signing.WeakPassword, Msg: "the new password is too weak", Err: err}
	}
	return nil
}
