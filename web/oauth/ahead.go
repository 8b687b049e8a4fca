package oauth

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/vault"
)

// Factors makes ready what a holder presents in the place of a code of an app: what a
// passkey is to sign, and a code that is sent. Both are good for what is on the page and
// nothing else. Who asks has typed a username and shown nothing: one that does not exist,
// or has no such credential, is answered alike. e has client and browser only.
type Factors interface {
	SignInChallenge(ctx context.Context, username string, e signing.Evidence) (vault.Challenge, error)
	SendSignInCode(ctx context.Context, username string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error)
	OrderChallenge(ctx context.Context, username string, o Order, e signing.Evidence) (vault.Challenge, error)
	SendOrderCode(ctx context.Context, username string, o Order, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error)
}

// challenge is what a passkey is to sign for what the page asks.
func (s *Server) challenge(c *fiber.Ctx) error {
	return s.ahead(c, func(ctx context.Context, username string, o *Order, e signing.Evidence, _ string) (any, error) {
		if o == nil {
			return s.cfg.Factors.SignInChallenge(ctx, username, e)
		}
		return s.cfg.Factors.OrderChallenge(ctx, username, *o, e)
	})
}

// sendCode has a code sent that is good for what the page asks.
func (s *Server) sendCode(c *fiber.Ctx) error {
	return s.ahead(c, func(ctx context.Context, username string, o *Order, e signing.Evidence, language string) (any, error) {
		q := vault.CodeRequest{Language: language}
		if o == nil {
			return s.cfg.Factors.SendSignInCode(ctx, username, e, q)
		}
		return s.cfg.Factors.SendOrderCode(ctx, username, *o, e, q)
	})
}

// ahead reads what the page asks as it is read when the holder has decided, and has
// something made ready for that. It counts as one of the address's attempts to sign in.
func (s *Server) ahead(c *fiber.Ctx, make func(ctx context.Context, username string, o *Order, e signing.Evidence, language string) (any, error)) error {
	a, err := s.read(c)
	if err != nil {
		return s.house.Tell(c, a.spoken(), nil, err)
	}
	form, err := s.house.Form(c)
	if err != nil {
		return err
	}
	defer wipe(form)
	if err = s.house.Own(c, form); err == nil {
		_, err = s.house.Attempt(c)
	}
	if err != nil {
		return s.house.Tell(c, a.spoken(), nil, err)
	}
	username, ctx := strings.TrimSpace(first(form, "username")), c.UserContext()
	o, err := s.orderFor(ctx, &a, username)
	if err != nil {
		return s.house.Tell(c, a.spoken(), nil, err)
	}
	shown := s.house.Evidence(c, form)
	defer clear(shown.Password)
	e := signing.Evidence{Client: a.client.ID + " " + shown.Client, Browser: shown.Browser}
	answer, err := make(ctx, username, o, e, s.house.Language(c, a.spoken()))
	return s.house.Tell(c, a.spoken(), answer, err)
}

// orderFor is the order of a page with the credential that will sign it; nil for one of
// scope service.
func (s *Server) orderFor(ctx context.Context, a *asking, username string) (*Order, error) {
	if a.order == nil {
		return nil, nil
	}
	o := a.order.Order
	if o.Credential != "" {
		return &o, nil
	}
	h, err := s.cfg.Accounts.Known(ctx, username)
	if err == nil {
		o.Credential, err = s.choose(ctx, h.ID)
	}
	if signing.KindOf(err) == signing.NotFound || KindOf(err) == InvalidRequest {
		err = nil
	}
	return &o, err
}

// spoken is the language that was asked for; "" leaves it to the browser.
func (a asking) spoken() string {
	if a.request == nil {
		return ""
	}
	return a.language
}
