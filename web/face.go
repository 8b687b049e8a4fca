package web

import (
	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/signing"
)

// routeFace opens the holder's face. Reading is GET, changing is POST with a
// form token; a POST that worked answers with 303, so that reloading a page
// repeats nothing.
func (s *Server) routeFace() {
	s.app.Use(func(c *fiber.Ctx) error {
		if c.Method() == fiber.MethodPost && faceOf(c.Path()) == facePages {
			if err := s.checkOrigin(c); err != nil {
				return err
			}
		}
		return c.Next()
	})
	s.app.Get("/lang/:code", s.switchLanguage)
	s.app.Get("/signin", s.signInPage)
	s.app.Post("/signin", s.signIn)
	s.routeCards()
	s.app.Post("/signout", s.signedIn(s.signOut))
	s.app.Get("/alive", s.signedIn(func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) }))

	s.app.Get("/", s.signedIn(s.home))
	s.app.Post("/documents", s.signedIn(s.upload))
	s.app.Get("/documents/:id", s.signedIn(s.document))
	s.app.Get("/documents/:id/pages/:n", s.signedIn(s.pageImage))
	s.app.Get("/documents/:id/pages/:n/text", s.signedIn(s.pageText))
	s.app.Get("/documents/:id/difference/:n", s.signedIn(s.difference))
	s.app.Post("/documents/:id/convert", s.signedIn(s.convert))
	s.app.Get("/together", s.signedIn(s.together))
	s.app.Post("/transactions", s.signedIn(s.prepare))
	s.app.Get("/transactions/:id", s.signedIn(s.transaction))
	s.app.Post("/transactions/:id/sign", s.signedIn(s.sign))
	s.app.Get("/transactions/:id/items/:seq/content", s.signedIn(s.output))
	s.app.Get("/history", s.signedIn(s.history))
	s.app.Get("/certificates", s.signedIn(s.certificates))
	s.app.Get("/certificates/:id/suspend", s.signedIn(s.suspendPage))
	s.app.Post("/certificates/:id/suspend", s.signedIn(s.suspend))
	s.routeRequests()
	s.routeSessions()
	s.routeApplications()
	s.routeSecurity()
	s.routeDelegations()
	s.routeEntrance()
	s.routeStampPage()
	s.routeEmergency()
	s.routeActivation()
	s.routeAdmin()
	if s.cfg.Counter != nil {
		s.cfg.Counter.Mount(s.app, counterHouse{house{s}})
	}
}

// signedIn lets only a holder with a live session through. Who reads a page
// without one is sent to sign in and comes back; who sends a form is sent to
// sign in and told that the session has ended; a script gets a 401.
func (s *Server) signedIn(next fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		token := s.cookie(c, sessionCookie)
		if token == "" {
			return s.sendToSignIn(c, false)
		}
		err := s.session(c, token)
		if KindOf(err) == Unauthenticated {
			s.setCookie(c, sessionCookie, "", -1)
			return s.sendToSignIn(c, true)
		}
		if err != nil {
			return err
		}
		return next(c)
	}
}

func (s *Server) sendToSignIn(c *fiber.Ctx, ended bool) error {
	if wantsJSON(c) || c.Path() == "/alive" {
		return fail(Unauthenticated, "no session", nil)
	}
	query := fiber.Map{}
	if c.Method() == fiber.MethodGet && c.Path() != "/" {
		query["next"] = c.OriginalURL()
	}
	if ended {
		query["ended"] = "1"
	}
	return c.Redirect("/signin"+encodeQuery(query), fiber.StatusSeeOther)
}

// switchLanguage stores the holder's choice. It changes nothing but what this
// browser is shown, which is why it may be a link.
func (s *Server) switchLanguage(c *fiber.Ctx) error {
	code := c.Params("code")
	if s.locales[code] == nil {
		return fiber.ErrNotFound
	}
	s.setCookie(c, languageCookie, code, 365*24*3600)
	return c.Redirect(localPath(c.Query("next", "/")), fiber.StatusSeeOther)
}

type signInData struct {
	Next, Username string
	Card           string // where to go with a card; "" for nowhere
}

func (s *Server) signInData(next, username string) signInData {
	return signInData{Next: next, Username: username, Card: s.cardURL(next)}
}

func (s *Server) signInPage(c *fiber.Ctx) error {
	s.ensureFormCookie(c)
	v := s.newView(c, "signin", current(c).locale.T("signin.title"), s.signInData(localPath(c.Query("next", "/")), ""))
	switch {
	case c.Query("ended") != "":
		v.Notice = v.T("signin.ended")
	case c.Query("changed") != "":
		v.Notice = v.T("signin.changed")
	case c.Query("out") != "":
		v.Notice = v.T("signin.out")
	}
	return s.render(c, v)
}

func (s *Server) signIn(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := s.signInData(localPath(f.get("next")), f.get("username"))
	in, err := s.openSession(c.UserContext(), data.Username, evidence(c, f), r.visit)
	if err != nil {
		return s.again(c, s.newView(c, "signin", r.locale.T("signin.title"), data), err)
	}
	s.keepSession(c, in)
	return c.Redirect(data.Next, fiber.StatusSeeOther)
}

// keepSession gives the browser what it gets for signing in.
func (s *Server) keepSession(c *fiber.Ctx, in auth.SignedIn) {
	s.setCookie(c, sessionCookie, in.Token, 0)
	s.setCookie(c, formCookie, "", -1)
	s.keepBrowser(c, browserCookie, in)
}

// keepBrowser gives the browser what it is known by the next time.
func (s *Server) keepBrowser(c *fiber.Ctx, cookie string, in auth.SignedIn) {
	if left := in.BrowserExpires.Sub(s.cfg.Now()); in.Browser != "" && left > 0 {
		s.setCookie(c, cookie, in.Browser, int(left.Seconds()))
	}
}

func (s *Server) signOut(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Accounts.SignOut(c.UserContext(), current(c).token); err != nil {
		return err
	}
	s.setCookie(c, sessionCookie, "", -1)
	return c.Redirect("/signin?out=1", fiber.StatusSeeOther)
}

// checkedForm reads a form and refuses it without its token.
func (s *Server) checkedForm(c *fiber.Ctx) (form, error) {
	f, err := readForm(c, current(c).body)
	if err != nil {
		return nil, err
	}
	if err := s.checkFormToken(c, f.get("token")); err != nil {
		f.wipe()
		return nil, err
	}
	return f, nil
}

// evidence is what the holder has typed into a form to be recognised.
func evidence(c *fiber.Ctx, f form) signing.Evidence {
	r := current(c)
	return signing.Evidence{Password: f.secret("password"), OTP: digits(f.get("otp")), Passkey: f.secret("passkey"),
		Client: r.client, Browser: r.server.browser(c)}
}

// browser is what the vault gave this browser at the sign-in of who is signed in; of
// nobody's, a holder's.
func (s *Server) browser(c *fiber.Ctx) string {
	if current(c).member != nil {
		return s.cookie(c, deskBrowserCookie)
	}
	return s.cookie(c, browserCookie)
}

// digits drops the spaces that apps show inside a code.
func digits(code string) string {
	out := make([]byte, 0, len(code))
	for _, b := range []byte(code) {
		if b != ' ' && b != '-' {
			out = append(out, b)
		}
	}
	return string(out)
}

type certificatesData struct {
	Credentials []signing.Credential
}

func (s *Server) certificates(c *fiber.Ctx) error {
	r := current(c)
	creds, err := s.cfg.Signing.Credentials(c.UserContext(), r.holder.ID)
	if err != nil {
		return err
	}
	v := s.newView(c, "certificates", r.locale.T("certificates.title"), certificatesData{creds})
	if c.Query("suspended") != "" {
		v.Notice = v.T("certificates.suspended")
	}
	return s.render(c, v)
}

// credential finds one of the holder's own credentials.
func (s *Server) credential(c *fiber.Ctx, holder, id string) (signing.Credential, error) {
	creds, err := s.cfg.Signing.Credentials(c.UserContext(), holder)
	if err != nil {
		return signing.Credential{}, err
	}
	for _, cr := range creds {
		if cr.ID == id {
			return cr, nil
		}
	}
	return signing.Credential{}, fail(Kind(signing.NotFound), "no such credential", nil)
}

func (s *Server) suspendPage(c *fiber.Ctx) error {
	r := current(c)
	cr, err := s.credential(c, r.holder.ID, c.Params("id"))
	if err != nil {
		return err
	}
	return s.render(c, s.newView(c, "suspend", r.locale.T("suspend.title"), cr))
}

func (s *Server) suspend(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if err := s.cfg.Accounts.SuspendOwn(c.UserContext(), current(c).holder.ID, c.Params("id")); err != nil {
		return err
	}
	return c.Redirect("/certificates?suspended=1", fiber.StatusSeeOther)
}
