package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// contentPolicy allows nothing but our own files: no inline script, no inline
// style, no frame. Bootstrap Italia draws check marks and arrows as data:
// images, hence the one exception.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// policyTo is the policy of a page whose form may lead to another place besides.
func policyTo(source string) string { return contentPolicy + " " + source }

// secureHeaders sets what every answer carries. Answers are private and not
// to be stored unless a handler says otherwise.
func (s *Server) secureHeaders(c *fiber.Ctx) {
	c.Set("Content-Security-Policy", contentPolicy)
	c.Set("X-Content-Type-Options", "nosniff")
	// same-origin, not no-referrer: without a referrer browsers send
	// "Origin: null" with a form and the origin could not be checked.
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set("X-Frame-Options", "DENY")
	c.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if s.cfg.Secure {
		c.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Cookies. All are HttpOnly and SameSite=Strict; with TLS they carry the
// __Host- prefix, so that no other host of the domain can set them.
const (
	sessionCookie  = "sigillo-session"
	formCookie     = "sigillo-form" // ties the sign-in form to this browser
	languageCookie = "sigillo-language"
	// browserCookie is what the vault gives a browser that was signed in with: others
	// who guess then do not lock it out. It opens nothing.
	browserCookie = "sigillo-browser"
)

func (s *Server) cookieName(name string) string {
	if s.cfg.Secure {
		return "__Host-" + name
	}
	return name
}

func (s *Server) cookie(c *fiber.Ctx, name string) string {
	return c.Cookies(s.cookieName(name))
}

// setCookie sets a cookie that lives as long as the browser session, or
// maxAge seconds when that is positive; a negative maxAge removes it.
func (s *Server) setCookie(c *fiber.Ctx, name, value string, maxAge int) {
	cookie := &fiber.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HTTPOnly: true,
		Secure: s.cfg.Secure, SameSite: fiber.CookieSameSiteStrictMode, MaxAge: maxAge, SessionOnly: maxAge == 0}
	if maxAge < 0 {
		cookie.Expires = s.cfg.Now().AddDate(-1, 0, 0)
	}
	c.Cookie(cookie)
}

// formToken is the token that a form of this browser must bring back. It is
// bound to the session, or before sign-in to the form cookie, so that it is
// worth nothing elsewhere.
func (s *Server) formToken(c *fiber.Ctx) string {
	r := current(c)
	purpose, value := "session", r.token
	switch {
	case r.member != nil:
		purpose = "desk"
	case r.tablet != "":
		purpose, value = "tablet", r.tablet
	case r.holder == nil:
		purpose, value = "form", s.cookie(c, formCookie)
		if r.newForm != "" {
			value = r.newForm
		}
	}
	if value == "" {
		return ""
	}
	mac := hmac.New(sha256.New, s.formKey)
	mac.Write([]byte(purpose + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// ensureFormCookie gives a browser without a session something that a form
// token can be bound to.
func (s *Server) ensureFormCookie(c *fiber.Ctx) {
	if s.cookie(c, formCookie) != "" || current(c).newForm != "" {
		return
	}
	value := randomToken()
	current(c).newForm = value
	s.setCookie(c, formCookie, value, 0)
}

// checkFormToken refuses a form that was not made by us for this browser.
func (s *Server) checkFormToken(c *fiber.Ctx, got string) error {
	want := s.formToken(c)
	if want == "" || !hmac.Equal([]byte(want), []byte(got)) {
		return fail(Forged, "form token does not match", nil)
	}
	return nil
}

// checkOrigin refuses a form that another site sent. Browsers tell the origin
// with every POST; Sec-Fetch-Site covers those that hide it. A client that
// sends neither is no browser and is held by the form token alone.
func (s *Server) checkOrigin(c *fiber.Ctx) error {
	if origin := c.Get(fiber.HeaderOrigin); origin != "" {
		if slices.Contains(s.cfg.Origins, origin) {
			return nil
		}
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, string(c.Request().Host())) {
			return fail(Forged, "form sent from another origin", nil)
		}
		return nil
	}
	switch c.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	return fail(Forged, "form sent from another site", nil)
}

// localPath accepts only a path of our own as the place to go on to.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || len(next) > 500 ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func randomToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
