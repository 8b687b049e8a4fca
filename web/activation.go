package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"html/template"
	"image/png"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/pquerna/otp"

	"sigillo/auth/staff"
	"sigillo/signing"
)

// Activation lets somebody with an activation code choose password and authenticator.
// The password is wiped. Kinds of errors: of staff and signing, and those of auth for a
// password that is too weak.
type Activation interface {
	Activate(ctx context.Context, code string, password []byte, client string) (staff.Activating, error)
	Confirm(ctx context.Context, code string, e signing.Evidence) (staff.Activated, error)
}

// routeActivation opens the pages on which holders and members of the staff choose their
// factors. Nobody is signed in there: the code says who it is.
func (s *Server) routeActivation() {
	if s.cfg.Activation == nil {
		return
	}
	s.app.Get("/activate", s.activatePage)
	s.app.Post("/activate", s.activate)
	s.app.Post("/activate/confirm", s.confirmActivation)
}

// activationData is what the pages of an activation show. The code goes from one page to
// the next in a hidden field: it is kept nowhere else.
type activationData struct {
	Code     string // all of it; on the first page its first part
	Part     string // the second one there
	Username string
	Staff    bool
	QR       template.URL // the address of the authenticator as a picture
	Secret   string       // the same for typing, in groups
	Again    bool         // the authenticator was shown before
}

func (s *Server) activatePage(c *fiber.Ctx) error {
	s.ensureFormCookie(c)
	return s.render(c, s.newView(c, "activate", current(c).locale.T("activate.title"), activationData{}))
}

// activate has the factors made and shows the QR code, once.
func (s *Server) activate(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := activationData{Code: strings.TrimSpace(f.get("code") + " " + f.get("part"))}
	begin := s.newView(c, "activate", r.locale.T("activate.title"), activationData{Code: f.get("code"), Part: f.get("part")})
	if !bytes.Equal(f.secret("password"), f.secret("again")) {
		return s.again(c, begin, fail(Unequal, "the two passwords differ", nil))
	}
	if wait := s.emergencies.take(r.client, s.cfg.Now()); wait > 0 {
		return s.again(c, begin, tooOften(wait))
	}
	now, err := s.cfg.Activation.Activate(c.UserContext(), data.Code, f.secret("password"), r.client)
	if staff.KindOf(err) != staff.WrongCode {
		s.emergencies.giveBack(r.client, s.cfg.Now())
	}
	if err != nil {
		return s.again(c, begin, err)
	}
	data.Username, data.Staff = now.Username, now.Staff
	if data.QR, data.Secret, err = picture(now.OTPURI); err != nil {
		return fail("internal", "the QR code cannot be drawn", err)
	}
	return s.render(c, s.newView(c, "activate_code", r.locale.T("activate.title"), data))
}

// picture draws an otpauth address as a QR code and gives its secret in groups of four.
func picture(uri string) (template.URL, string, error) {
	if uri == "" {
		return "", "", nil
	}
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return "", "", err
	}
	img, err := key.Image(240, 240)
	if err != nil {
		return "", "", err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", "", err
	}
	var groups []byte
	for i, r := range []byte(key.Secret()) {
		if i > 0 && i%4 == 0 {
			groups = append(groups, ' ')
		}
		groups = append(groups, r)
	}
	// A picture of our own making: no text of others is in the address.
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), string(groups), nil
}

// confirmActivation shows that the authenticator works, has the key and the certificate
// made and shows the emergency code, once.
func (s *Server) confirmActivation(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := activationData{Code: f.get("code"), Username: f.get("username"), Staff: f.get("staff") != "", Again: true}
	form := s.newView(c, "activate_code", r.locale.T("activate.title"), data)
	if wait := s.emergencies.take(r.client, s.cfg.Now()); wait > 0 {
		return s.again(c, form, tooOften(wait))
	}
	done, err := s.cfg.Activation.Confirm(c.UserContext(), data.Code, evidence(c, f))
	if staff.KindOf(err) != staff.WrongCode {
		s.emergencies.giveBack(r.client, s.cfg.Now())
	}
	if err != nil {
		return s.again(c, form, err)
	}
	return s.render(c, s.newView(c, "activated", r.locale.T("activate.done_title"), done))
}
