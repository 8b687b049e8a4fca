package web

import (
	"crypto/x509"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/vault"
	"sigillo/web/oauth"
)

// OAuth is the authorization server for applications. *oauth.Server satisfies it.
type OAuth interface {
	// Mount opens its addresses; what it needs of the web server it asks of h.
	Mount(router fiber.Router, h oauth.House)
}

// house is the web server as the rooms beside it see it.
type house struct{ s *Server }

var _ oauth.House = house{}

func (h house) Client(c *fiber.Ctx) (string, *x509.Certificate) {
	_, cert := h.s.client(c.Context())
	return current(c).client, cert
}

func (h house) Form(c *fiber.Ctx) (map[string][][]byte, error) { return readForm(c, current(c).body) }

func (h house) Own(c *fiber.Ctx, f map[string][][]byte) error {
	if err := h.s.checkOrigin(c); err != nil {
		return err
	}
	return h.s.checkFormToken(c, form(f).get("token"))
}

func (h house) Evidence(c *fiber.Ctx, f map[string][][]byte) signing.Evidence { return evidence(c, f) }

func (h house) Attempt(c *fiber.Ctx) (func(), error) {
	client := current(c).client
	if wait := h.s.attempts.take(client, h.s.cfg.Now()); wait > 0 {
		return nil, &signing.Error{Kind: signing.Locked, Msg: "too many failed sign-ins from this address", RetryAfter: wait}
	}
	return func() { h.s.attempts.giveBack(client, h.s.cfg.Now()) }, nil
}

// Tell is for the script, so a fault is told as JSON too; see answerError.
func (h house) Tell(c *fiber.Ctx, language string, answer any, err error) error {
	r := current(c)
	r.locale = h.s.locales[h.Language(c, language)]
	if sent, ok := answer.(vault.CodeSent); ok {
		answer, err = h.s.sent(sent, err)
	}
	if err != nil {
		return err
	}
	return writeJSON(c, answer)
}

func (h house) Language(c *fiber.Ctx, language string) string {
	if h.s.locales[language] != nil {
		return language
	}
	return current(c).locale.Code
}

func (h house) Blame(c *fiber.Ctx, err error) { current(c).fault = err }

// Fault shows a page even at an address where programs ask.
func (h house) Fault(c *fiber.Ctx, err error) error { return err }

// Page shows a page that a form of may lead to another place: browsers apply the content
// policy's form-action to where the answer to a form redirects, too.
func (h house) Page(c *fiber.Ctx, p oauth.Page) error {
	r := current(c)
	if l := h.s.locales[negotiate(p.Language, c.Get(fiber.HeaderAcceptLanguage))]; p.Language != "" {
		r.locale = l
	}
	h.s.ensureFormCookie(c)
	heading := r.locale.T("consent.title")
	if p.Name == "authorise" {
		heading = r.locale.T("authorise.title")
	}
	v := h.s.newView(c, p.Name, heading, p.Data)
	v.Self = p.Self
	c.Set("Content-Security-Policy", policyTo(p.Target))
	if p.Problem != nil {
		return h.s.again(c, v, p.Problem)
	}
	return h.s.render(c, v)
}
