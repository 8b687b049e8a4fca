package web

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image/png"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/pquerna/otp"

	"sigillo/signing"
	"sigillo/vault"
)

// The pages on which holders, and members of the staff, look after the own factors. Each change is a form with
// the factors in it; beside each form stand two addresses for the script, of which one
// gives what a passkey is to sign for exactly this change, and the other has a code
// sent that is good for it alone (factors.go).

// Where the pages are: of holders, and of members.
const (
	holderSecurity = "/security"
	memberSecurity = "/admin/security"
)

// own is where the pages are for who is signed in.
func own(c *fiber.Ctx) string {
	if current(c).member != nil {
		return memberSecurity
	}
	return holderSecurity
}

func (s *Server) routeSecurity() {
	if s.cfg.Security == nil {
		return
	}
	s.routeOwn(holderSecurity, s.signedIn)
	s.app.Post(holderSecurity+"/browsers/forget", s.signedIn(s.forgetBrowsers))
	if s.cfg.Staff != nil {
		s.routeOwn(memberSecurity, s.atDesk)
	}
}

func (s *Server) routeOwn(base string, in func(fiber.Handler) fiber.Handler) {
	s.app.Get(base, in(s.securityPage))
	s.app.Get(base+"/devices/add", in(s.addDevicePage))
	s.app.Post(base+"/devices/add", in(s.addDevice))
	s.app.Post(base+"/passkeys/options", in(s.passkeyOptions))
	s.app.Get(base+"/devices/:id/confirm", in(s.confirmDevicePage))
	s.app.Post(base+"/devices/:id/confirm", in(s.confirmDevice))
	s.app.Get(base+"/devices/:id/remove", in(s.removeDevicePage))
	s.app.Post(base+"/devices/:id/remove", in(s.removeDevice))
	s.app.Get(base+"/devices/:id/resync", in(s.resyncPage))
	s.app.Post(base+"/devices/:id/resync", in(s.resync))
	s.app.Get(base+"/codes", in(s.codesPage))
	s.app.Post(base+"/codes", in(s.makeCodes))
	s.app.Get(base+"/password", in(s.passwordPage))
	s.app.Post(base+"/password", in(s.changePassword))
	s.routeFactors(in, base+"/devices/add", newDevice)
	s.routeFactors(in, base+"/devices/:id/confirm", confirmation)
	s.routeFactors(in, base+"/devices/:id/remove", removal)
	s.routeFactors(in, base+"/codes", newCodes)
	s.routeFactors(in, base+"/password", passwordChange)
}

// The requests that the forms stand for, with the factors that are in them: none when
// a challenge or a code is asked for.

func newDevice(c *fiber.Ctx, f form) any {
	n := vault.NewDevice{Evidence: evidence(c, f), Kind: vault.DeviceKind(f.get("kind")), Label: clip(f.get("label"))}
	switch n.Kind {
	case vault.Phone:
		n.To = phone(f.get("to"))
	case vault.Passkey:
		n.Registration = []byte(f.get("registration"))
	}
	return n
}

func confirmation(c *fiber.Ctx, f form) any {
	r := current(c)
	return vault.DeviceConfirmation{Device: c.Params("id"), Code: digits(f.get("code")), Client: r.client, Browser: r.server.browser(c)}
}

func removal(c *fiber.Ctx, f form) any {
	return vault.DeviceRemoval{Evidence: evidence(c, f), Device: c.Params("id")}
}

func newCodes(c *fiber.Ctx, f form) any { return vault.NewCodes{Evidence: evidence(c, f)} }

func passwordChange(c *fiber.Ctx, f form) any {
	return vault.PasswordChange{Evidence: evidence(c, f), New: f.secret("new")}
}

// phone drops what people write between the digits of a number; a mail address stays.
func phone(number string) string {
	if strings.Contains(number, "@") {
		return strings.TrimSpace(number)
	}
	return strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(number)
}

type securityData struct {
	vault.Means
	Passkeys, Codes bool // can be added
}

func (s *Server) securityPage(c *fiber.Ctx) error {
	r := current(c)
	m, err := s.cfg.Security.Means(c.UserContext(), r.subject())
	if err != nil {
		return err
	}
	v := s.newView(c, "security", r.locale.T("security.title"), securityData{m, s.cfg.Passkeys, s.cfg.SentCodes})
	switch c.Query("done") {
	case "added":
		v.Notice = v.T("security.added")
	case "removed":
		v.Notice = v.T("security.removed")
	case "resync":
		v.Notice = v.T("security.resynced")
	}
	return s.render(c, v)
}

// device finds one of the holder's own devices.
func (s *Server) device(c *fiber.Ctx) (vault.DeviceStatus, error) {
	m, err := s.cfg.Security.Means(c.UserContext(), current(c).subject())
	if err != nil {
		return vault.DeviceStatus{}, err
	}
	for _, d := range m.Devices {
		if d.ID == c.Params("id") {
			return d, nil
		}
	}
	return vault.DeviceStatus{}, fail(Kind(signing.NotFound), "no such device", nil)
}

// deviceData is what the pages about one device show.
type deviceData struct {
	Device vault.DeviceStatus
	Kind   vault.DeviceKind
	To     string
	Label  string
	QR     template.URL // picture of the address below
	URI    string       // otpauth
	Secret string       // of it, for typing
}

func (s *Server) addDevicePage(c *fiber.Ctx) error {
	kind := vault.DeviceKind(c.Query("kind", string(vault.TOTP)))
	if !s.mayAdd(kind) {
		return fiber.ErrNotFound
	}
	return s.render(c, s.addView(c, deviceData{Kind: kind}))
}

func (s *Server) mayAdd(kind vault.DeviceKind) bool {
	switch kind {
	case vault.TOTP, vault.HOTP:
		return true
	case vault.Passkey:
		return s.cfg.Passkeys
	case vault.Phone:
		return s.cfg.SentCodes
	}
	return false
}

func (s *Server) addView(c *fiber.Ctx, data deviceData) view {
	title := "device.add_" + string(data.Kind)
	return s.offered(c, s.newView(c, "device-add", current(c).locale.T(title), data))
}

// addDevice makes a device. Its secret is on the answer to this one form and kept
// nowhere: who loads the page anew has to remove the device and add it again.
func (s *Server) addDevice(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	n := newDevice(c, f).(vault.NewDevice)
	if !s.mayAdd(n.Kind) {
		return fail(Kind(signing.BadRequest), "no such kind of device", nil)
	}
	data := deviceData{Kind: n.Kind, To: n.To, Label: n.Label}
	added, err := s.cfg.Security.AddDevice(c.UserContext(), r.subject(), n)
	if err != nil {
		return s.again(c, s.addView(c, data), err)
	}
	if n.Kind == vault.Passkey {
		return c.Redirect(own(c)+"?done=added", fiber.StatusSeeOther)
	}
	if n.Kind == vault.Phone {
		return c.Redirect(own(c)+"/devices/"+added.Device+"/confirm", fiber.StatusSeeOther)
	}
	data.Device, data.URI = vault.DeviceStatus{ID: added.Device, Kind: n.Kind, Label: n.Label}, added.URI
	if data.QR, data.Secret, err = qrCode(added.URI); err != nil {
		return err
	}
	return s.render(c, s.confirmView(c, data))
}

// qrCode draws an otpauth address, as an image within the page: at an address of its own
// the secret would have to be kept for it.
func qrCode(uri string) (img template.URL, secret string, err error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return "", "", fail(Kind(signing.Internal), "the address of the device cannot be read", nil)
	}
	picture, err := key.Image(256, 256)
	if err != nil {
		return "", "", fail(Kind(signing.Internal), "the QR code cannot be drawn", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return "", "", fail(Kind(signing.Internal), "the QR code cannot be drawn", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), key.Secret(), nil
}

func (s *Server) confirmView(c *fiber.Ctx, data deviceData) view {
	return s.newView(c, "device-confirm", current(c).locale.T("device.confirm_title"), data)
}

func (s *Server) confirmDevicePage(c *fiber.Ctx) error {
	d, err := s.device(c)
	if err != nil {
		return err
	}
	return s.render(c, s.confirmView(c, deviceData{Device: d, Kind: d.Kind}))
}

func (s *Server) confirmDevice(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	d, err := s.device(c)
	if err != nil {
		return err
	}
	request := confirmation(c, f).(vault.DeviceConfirmation)
	if err := s.cfg.Security.ConfirmDevice(c.UserContext(), current(c).subject(), request); err != nil {
		return s.again(c, s.confirmView(c, deviceData{Device: d, Kind: d.Kind}), err)
	}
	return c.Redirect(own(c)+"?done=added", fiber.StatusSeeOther)
}

// deviceForm shows the form of one device and does what it is sent for.
func (s *Server) deviceForm(c *fiber.Ctx, page, done string, do func(f form, holder string) error) error {
	d, err := s.device(c)
	if err != nil {
		return err
	}
	v := s.offered(c, s.newView(c, "device-"+page, current(c).locale.T("device."+page+"_title"), deviceData{Device: d, Kind: d.Kind}))
	if do == nil {
		return s.render(c, v)
	}
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := do(f, current(c).subject()); err != nil {
		return s.again(c, v, err)
	}
	return c.Redirect(own(c)+"?done="+done, fiber.StatusSeeOther)
}

func (s *Server) removeDevicePage(c *fiber.Ctx) error { return s.deviceForm(c, "remove", "", nil) }

func (s *Server) removeDevice(c *fiber.Ctx) error {
	return s.deviceForm(c, "remove", "removed", func(f form, holder string) error {
		return s.cfg.Security.RemoveDevice(c.UserContext(), holder, removal(c, f).(vault.DeviceRemoval))
	})
}

func (s *Server) resyncPage(c *fiber.Ctx) error { return s.deviceForm(c, "resync", "", nil) }

func (s *Server) resync(c *fiber.Ctx) error {
	return s.deviceForm(c, "resync", "resync", func(f form, holder string) error {
		return s.cfg.Security.Resynchronise(c.UserContext(), holder, vault.Resynchronisation{Evidence: evidence(c, f),
			Device: c.Params("id"), Second: digits(f.get("second"))})
	})
}

type codesData struct {
	Codes []string // shown once
}

func (s *Server) codesPage(c *fiber.Ctx) error {
	return s.render(c, s.offered(c, s.newView(c, "codes", current(c).locale.T("codes.title"), codesData{})))
}

// makeCodes shows new recovery codes, in the answer to this one form.
func (s *Server) makeCodes(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	v := s.offered(c, s.newView(c, "codes", r.locale.T("codes.title"), codesData{}))
	codes, err := s.cfg.Security.RecoveryCodes(c.UserContext(), r.subject(), newCodes(c, f).(vault.NewCodes))
	if err != nil {
		return s.again(c, v, err)
	}
	v.Data = codesData{codes}
	return s.render(c, v)
}

func (s *Server) passwordPage(c *fiber.Ctx) error {
	return s.render(c, s.offered(c, s.newView(c, "password", current(c).locale.T("password.title"), nil)))
}

// changePassword changes the password. All sessions end, this one too: the next page is
// the one to sign in on.
func (s *Server) changePassword(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	v := s.offered(c, s.newView(c, "password", r.locale.T("password.title"), nil))
	request := passwordChange(c, f).(vault.PasswordChange)
	if !bytes.Equal(request.New, f.secret("repeated")) {
		return s.again(c, v, fail(Unequal, "the new password was typed in two ways", nil))
	}
	if err := checkPassword(request.New, r); err != nil {
		return s.again(c, v, err)
	}
	if err := s.cfg.Security.ChangePassword(c.UserContext(), r.subject(), request); err != nil {
		return s.again(c, v, err)
	}
	cookie, entrance := sessionCookie, "/signin"
	if r.member != nil {
		cookie, entrance = deskCookie, "/admin/signin"
	}
	s.setCookie(c, cookie, "", -1)
	return c.Redirect(entrance+"?changed=1", fiber.StatusSeeOther)
}
