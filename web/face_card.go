package web

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/clientcert"
	"sigillo/store"
)

// Signing in with a card. TLS asks for a certificate before it is known which page is
// wanted, and the browser then asks the person; so cards have a listener of their own,
// and nothing is on it but this page and what it is drawn with. It is known by the
// listener that a connection came from, never by what a request says.

const cardPath = "/signin/card"

// routeCards opens the door for cards.
func (s *Server) routeCards() {
	if s.cfg.Cards == nil {
		return
	}
	s.app.Get(cardPath, s.cardPage)
	s.app.Post(cardPath, s.cardSignIn)
}

// cardDoor keeps everything else off the listener for cards, and the page for cards
// off the other one.
func (s *Server) cardDoor(c *fiber.Ctx) error {
	cards := s.peerOf(c.Context()).cards
	path := c.Path()
	reading := c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
	switch {
	case path == cardPath && cards || !cards && path != cardPath:
		return c.Next()
	case path == cardPath && reading && s.cfg.Cards != nil:
		return c.Redirect(s.cfg.CardURL+c.OriginalURL(), fiber.StatusSeeOther)
	case cards && (strings.HasPrefix(path, "/assets/") || strings.HasPrefix(path, "/lang/")):
		return c.Next()
	case cards && reading && faceOf(path) == facePages:
		return c.Redirect(s.cfg.PagesURL+c.OriginalURL(), fiber.StatusSeeOther)
	}
	return fail(NoRoute, "not on this listener", nil)
}

// cardChain is what the TLS client sent. A proxy in between would be whom we speak to.
func (s *Server) cardChain(c *fiber.Ctx) []*x509.Certificate {
	p := s.peerOf(c.Context())
	if p.proxy || !p.tls {
		return nil
	}
	return p.chain
}

type cardData struct {
	Next     string
	Holder   store.Holder // zero when the card is refused
	Identity clientcert.Identity
	Pages    string // address of the sign-in page
}

// cardPage shows whose card it is. The session begins with the button: a link from
// elsewhere signs nobody in.
func (s *Server) cardPage(c *fiber.Ctx) error {
	r := current(c)
	s.ensureFormCookie(c)
	data := s.cardData(localPath(c.Query("next", "/")))
	wait := s.attempts.take(r.client, s.cfg.Now())
	if wait > 0 {
		return s.refuseCard(c, data, lockedOut(wait))
	}
	var err error
	if data.Holder, data.Identity, err = s.cfg.Cards.CardHolder(c.UserContext(), s.cardChain(c)); err != nil {
		return s.refuseCard(c, data, err)
	}
	s.attempts.giveBack(r.client, s.cfg.Now())
	// The form leads on to the pages, which are at another port: to browsers, elsewhere.
	c.Set(fiber.HeaderContentSecurityPolicy, policyTo(s.cfg.PagesURL))
	return s.render(c, s.newView(c, "card", r.locale.T("card.title"), data))
}

func (s *Server) cardSignIn(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := s.cardData(localPath(f.get("next")))
	if wait := s.attempts.take(r.client, s.cfg.Now()); wait > 0 {
		return s.refuseCard(c, data, lockedOut(wait))
	}
	in, err := s.cfg.Cards.SignInWithCard(c.UserContext(), s.cardChain(c), r.visit)
	if err != nil {
		return s.refuseCard(c, data, err)
	}
	s.attempts.giveBack(r.client, s.cfg.Now())
	s.keepSession(c, in)
	return c.Redirect(s.cfg.PagesURL+data.Next, fiber.StatusSeeOther)
}

func (s *Server) cardData(next string) cardData {
	return cardData{Next: next, Pages: s.cfg.PagesURL + "/signin" + encodeQuery(fiber.Map{"next": next})}
}

// refuseCard says why a card is not accepted. The connection ends with it: browsers
// keep to the certificate that was chosen for one.
func (s *Server) refuseCard(c *fiber.Ctx, data cardData, err error) error {
	c.Context().Response.SetConnectionClose()
	data.Holder = store.Holder{}
	return s.again(c, s.newView(c, "card", current(c).locale.T("card.title"), data), err)
}

// cardURL is where the sign-in page sends those who have a card; "" for nowhere.
func (s *Server) cardURL(next string) string {
	if s.cfg.Cards == nil {
		return ""
	}
	return s.cfg.CardURL + cardPath + encodeQuery(fiber.Map{"next": next})
}

// kindOfCards maps the errors of clientcert.
func kindOfCards(err error) (Kind, bool) {
	var card *clientcert.Error
	if !errors.As(err, &card) {
		return "", false
	}
	switch card.Kind {
	case clientcert.None:
		return CardMissing, true
	case clientcert.Expired, clientcert.Revoked:
		return CardOver, true
	case clientcert.Unverifiable:
		return CardUnverifiable, true
	case clientcert.Unknown, clientcert.Nameless:
		return CardUnknown, true
	}
	return CardRefused, true
}
