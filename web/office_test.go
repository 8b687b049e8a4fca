package web

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/signing"
)

// office stands for the staff's room below: one proposal, one holder, codes that are
// known. The real one is tested elsewhere.
type office struct {
	mu       sync.Mutex
	role     staff.Role
	proposal staff.Proposal
	state    string // of the certificate
	sessions map[string]bool
	approved [][32]byte
	calls    []string
	wiped    []byte
}

const (
	goodEmergency  = "K7QF-20ZD-9M4T-XW8C"
	goodActivation = "K7QF-20ZD-9M4T-XW8C-K7QF-20ZD-9M4T-XW8C"
	testURI        = "otpauth://totp/Sigillo:nora?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Sigillo"
)

var (
	_ Staff      = (*office)(nil)
	_ Emergency  = (*office)(nil)
	_ Activation = (*office)(nil)
)

func newOffice(role staff.Role) *office {
	o := &office{role: role, state: "valid", sessions: map[string]bool{}}
	p, err := staff.Propose("proposal-1", staff.Member{ID: "staff-olga", Role: staff.RegistrationOperator}, staff.RecoverHolder, "holder-1",
		map[string]string{"username": "ada", "name": "Ada <Esempio>\u202e", "fiscal-code": "SMPDAA80A41H501X", "document": "identity-card", "number": "CA00000AA",
			"issuer": "Comune di Prova", "document-expires": "2030-12-31", "identified-by": "staff-olga", "reason": "ha perso il telefono", "compromised": "no"}, time.Now())
	if err != nil {
		panic(err)
	}
	o.proposal = p
	return o
}

func withOffice(o *office) func(*Config) {
	return func(c *Config) { c.Staff, c.Emergency, c.Activation = o, o, o }
}

func (o *office) call(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, fmt.Sprintf(format, args...))
}

// become gives the member another role.
func (o *office) become(role staff.Role) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.role = role
}

func (o *office) member() staff.Member {
	o.mu.Lock()
	defer o.mu.Unlock()
	return staff.Member{ID: "staff-sara", Username: "sara", GivenName: "Sara", Surname: "Sicura", Role: o.role}
}

func (o *office) StaffCheck(_ context.Context, username string, e signing.Evidence) (staff.Member, error) {
	if username != "sara" || string(e.Password) != testPassword || len(e.OTP) != 6 {
		return staff.Member{}, refuse(signing.WrongFactors)
	}
	return o.member(), nil
}

func (o *office) StaffSignIn(ctx context.Context, username string, e signing.Evidence, _ auth.Visit) (auth.SignedIn, error) {
	o.call("sign in from %s", e.Browser)
	if _, err := o.StaffCheck(ctx, username, e); err != nil {
		return auth.SignedIn{}, err
	}
	token := randomToken()
	o.sessions[token] = true
	return auth.SignedIn{Token: token, Browser: "known", BrowserExpires: time.Now().Add(time.Hour)}, nil
}

func (o *office) StaffSession(_ context.Context, token string, _ auth.Visit) (staff.Member, error) {
	if !o.sessions[token] {
		return staff.Member{}, refuse(signing.NotFound)
	}
	return o.member(), nil
}

func (o *office) StaffSignOut(_ context.Context, token string) error {
	delete(o.sessions, token)
	return nil
}

func (o *office) Proposals(context.Context, staff.State) ([]staff.Proposal, error) {
	done := o.proposal
	done.ID, done.State, done.Act, done.Approver, done.Result = "proposal-0", staff.Executed, staff.RevokeHouse, "staff-carlo", "0a"
	done.Parameters = map[string]string{"subject": "CN=x", "profile": "ca", "reason": "1"}
	return []staff.Proposal{o.proposal, done}, nil
}

func (o *office) Proposal(ctx context.Context, id string) (staff.Proposal, error) {
	list, _ := o.Proposals(ctx, "")
	for _, p := range list {
		if p.ID == id {
			return p, nil
		}
	}
	return staff.Proposal{}, &staff.Error{Kind: staff.NotFound, Msg: "none"}
}

func (o *office) Approve(_ context.Context, by staff.Member, id string, shown [32]byte) (staff.Outcome, error) {
	if err := o.proposal.Approvable(by, shown, time.Now()); err != nil {
		return staff.Outcome{}, err
	}
	o.approved = append(o.approved, shown)
	o.proposal.State, o.proposal.Approver = staff.Executed, by.ID
	return staff.Outcome{Proposal: o.proposal, Handout: staff.Handout{Username: "ada", Code: goodActivation, Expires: time.Now().Add(time.Hour)}}, nil
}

func (o *office) CancelProposal(_ context.Context, by staff.Member, id, reason string) error {
	o.call("cancel %s %s", id, reason)
	return o.proposal.Cancellable(by, time.Now())
}

func (o *office) ProposeRecovery(_ context.Context, by staff.Member, n staff.NewRecovery) (staff.Proposal, error) {
	o.call("recover %s %s %s", n.Username, n.Document, n.Number)
	return o.proposal, n.Check(time.Now())
}

func (o *office) FindHolders(_ context.Context, by staff.Member, who string) ([]staff.Found, error) {
	if err := by.May(staff.SeeHolders); err != nil || who == "nobody" {
		return nil, err
	}
	return []staff.Found{{ID: "holder-1", Username: "ada", GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Email: "ada@example.org", Waiting: true,
		Certificates: []staff.FoundCertificate{{Serial: "3fa01b77c2d94e10", Profile: "qualified-signature", State: o.state, NotAfter: time.Now(), Since: time.Now()}},
		Delegations:  []staff.FoundDelegation{{ID: "delegation-1", Kinds: []string{"fatture <b>"}, Count: 9, Used: 2, Expires: time.Now(), Certificate: make([]byte, 32)}}}}, nil
}

func (o *office) SuspendByCode(_ context.Context, m staff.Emergency) (staff.Suspended, error) {
	o.call("code %s %s %s", m.Who, m.Client, m.Actor)
	if m.Code != goodEmergency || m.Who == "" {
		return staff.Suspended{}, &staff.Error{Kind: staff.WrongCode, Msg: "wrong"}
	}
	before := o.state != "valid"
	o.state = "suspended"
	return staff.Suspended{Serial: "3fa01b77c2d94e10", Before: before}, nil
}

func (o *office) SuspendFor(_ context.Context, by staff.Member, serial string) error {
	o.call("suspend %s", serial)
	o.state = "suspended"
	return by.May(staff.Suspend)
}

func (o *office) ReactivateFor(_ context.Context, by staff.Member, serial string) error {
	o.call("reactivate %s", serial)
	return by.May(staff.Reactivate)
}

func (o *office) RevokeFor(_ context.Context, by staff.Member, serial string, reason int) error {
	o.call("revoke %s %d", serial, reason)
	return by.May(staff.Revoke)
}

func (o *office) RevokeDelegationFor(_ context.Context, by staff.Member, holder, id, _ string) error {
	o.call("revoke delegation %s %s", holder, id)
	return by.May(staff.RevokeDelegation)
}

func (o *office) Activate(_ context.Context, code string, password []byte, client string) (staff.Activating, error) {
	if code != goodActivation {
		return staff.Activating{}, &staff.Error{Kind: staff.WrongCode, Msg: "wrong"}
	}
	if err := auth.CheckPasswordBytes(password, "nora"); err != nil {
		return staff.Activating{}, err
	}
	o.wiped = password
	clear(password)
	return staff.Activating{Username: "nora", OTPURI: testURI}, nil
}

func (o *office) Confirm(_ context.Context, code string, e signing.Evidence) (staff.Activated, error) {
	if e.OTP != "111111" {
		return staff.Activated{}, refuse(signing.WrongFactors)
	}
	return staff.Activated{Username: "nora", Certificate: "3fa01b77c2d94e10", Emergency: goodEmergency}, nil
}

// deskSignIn signs a member in.
func (b *browser) deskSignIn() *browser {
	b.w.t.Helper()
	r := b.post("/admin/signin", url.Values{"token": {b.token("/admin/signin")}, "username": {"sara"}, "password": {testPassword}, "otp": {"111111"}})
	if r.StatusCode != 303 || r.Header.Get("Location") != "/admin" {
		b.w.t.Fatalf("sign-in: %d %s", r.StatusCode, r.body)
	}
	return b
}

// TestStaffPages: every page of the administration, of activation and of emergency is
// sound, in both languages.
func TestStaffPages(t *testing.T) {
	t.Parallel()
	for _, lang := range languages {
		o := newOffice(staff.Certification)
		w := build(t, withOffice(o))
		b := w.browser()
		b.lang = lang
		out := map[string]string{"emergency": b.get("/suspend").body, "emergency now": b.get("/suspend?done=now").body,
			"emergency revoked": b.get("/suspend?done=revoked").body, "activate": b.get("/activate").body, "signin": b.get("/admin/signin").body}
		form := url.Values{"token": {b.token("/suspend")}, "who": {"ada"}, "code": {"x"}}
		out["emergency wrong"] = b.post("/suspend", form).body
		act := url.Values{"token": form["token"], "code": {goodActivation}, "password": {testPassword}, "again": {testPassword}}
		out["activate code"] = b.post("/activate", act).body
		act.Set("again", "other")
		out["activate again"] = b.post("/activate", act).body
		out["activate wrong otp"] = b.post("/activate/confirm", url.Values{"token": form["token"], "code": {goodActivation}, "username": {"nora"}, "password": {"x"}, "otp": {"1"}}).body
		out["activated"] = b.post("/activate/confirm", url.Values{"token": form["token"], "code": {goodActivation}, "username": {"nora"}, "password": {"x"}, "otp": {"111111"}}).body
		b.deskSignIn()
		out["home"], out["proposal"], out["decided"] = b.get("/admin").body, b.get("/admin/proposals/proposal-1").body, b.get("/admin/proposals/proposal-0").body
		out["holders"], out["found"], out["nobody"] = b.get("/admin/holders").body, b.get("/admin/holders?who=ada&done=suspend").body, b.get("/admin/holders?who=nobody").body
		out["recover"] = b.get("/admin/recover?username=ada").body
		token := b.token("/admin/holders")
		out["recover wrong"] = b.post("/admin/recover", url.Values{"token": {token}, "username": {"ada"}}).body
		out["phone wrong"] = b.post("/admin/emergency", url.Values{"token": {token}, "who": {"ada"}, "code": {"x"}}).body
		shown := o.proposal.Digest()
		approve := url.Values{"token": {token}, "password": {"x"}, "otp": {"1"}, "shown": {fmt.Sprintf("%x", shown)}}
		out["approve wrong"] = b.post("/admin/proposals/proposal-1/approve", approve).body
		approve.Set("password", testPassword)
		approve.Set("otp", "222222")
		out["done"] = b.post("/admin/proposals/proposal-1/approve", approve).body
		for name, body := range out {
			doc, err := html.Parse(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			p := &page{t: t, name: lang + " " + name, ids: map[string]int{}, labels: map[string]bool{}}
			p.collect(doc)
			p.check(doc)
			if p.lang != lang || p.h1 != 1 || !p.skip {
				t.Errorf("%s: lang %q, %d h1", p.name, p.lang, p.h1)
			}
			if strings.Contains(body, "%!") || strings.Contains(body, "<no value>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, ">admin.") || strings.Contains(body, "<Esempio>") || strings.Contains(body, "\u202e") {
				t.Errorf("%s: broken template output", p.name)
			}
		}
		if len(o.approved) != 1 || !strings.Contains(out["done"], goodActivation) {
			t.Errorf("%d approvals: %s", len(o.approved), out["done"])
		}
	}
}

// TestRightsAtTheDesk: the face shows and lets through what the role may do, and approves
// what was shown and nothing else.
func TestRightsAtTheDesk(t *testing.T) {
	t.Parallel()
	o := newOffice(staff.Logistic)
	w := build(t, withOffice(o))
	b := w.browser().deskSignIn()
	if body := b.get("/admin").body; strings.Contains(body, "/admin/proposals/") || strings.Contains(body, `class="btn btn-primary" href="/admin/holders"`) {
		t.Error("logistics see proposals or holders")
	}
	for _, path := range []string{"/admin/proposals/proposal-1", "/admin/holders?who=ada", "/admin/recover"} {
		if r := b.get(path); r.StatusCode != 403 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	token := b.token("/admin")
	for path, f := range map[string]url.Values{"/admin/emergency": {"who": {"ada"}, "code": {goodEmergency}}, "/admin/certificates/0a/revoke": {"reason": {"0"}},
		"/admin/certificates/0a/suspend": {}, "/admin/certificates/0a/reactivate": {}, "/admin/holders/holder-1/delegations/delegation-1/revoke": {}} {
		f.Set("token", token)
		if r := b.post(path, f); r.StatusCode != 403 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
		f.Set("token", "x")
		if r := b.post(path, f); r.StatusCode != 403 {
			t.Errorf("%s with another token: %d", path, r.StatusCode)
		}
	}
	o.role = staff.Technical // takes calls, and sees no holders
	r := b.post("/admin/emergency", url.Values{"token": {token}, "who": {"ada"}, "code": {goodEmergency}})
	if page := b.get(r.Header.Get("Location")); r.StatusCode != 303 || page.StatusCode != 200 || strings.Contains(page.body, "Esempio") {
		t.Errorf("a call taken by a technician: %d, %d", r.StatusCode, page.StatusCode)
	}
	o.role = staff.Security
	digest := o.proposal.Digest()
	for shown, status := range map[string]int{"": 409, "zz": 409, strings.Repeat("0", 64): 409, strings.Repeat("0", 640): 409, fmt.Sprintf("%x", digest[:31]): 409} {
		f := url.Values{"token": {token}, "password": {testPassword}, "otp": {"222222"}, "shown": {shown}}
		if r := b.post("/admin/proposals/proposal-1/approve", f); r.StatusCode != status {
			t.Errorf("shown %.10q: %d", shown, r.StatusCode)
		}
	}
	if len(o.approved) > 0 {
		t.Error("what was not shown was approved")
	}
	if r := b.post("/admin/certificates/0a/burn", url.Values{"token": {token}}); r.StatusCode != 404 {
		t.Errorf("no such verb: %d", r.StatusCode)
	}
	// A holder's session opens nothing here, and a member's nothing there.
	h := w.browser().signIn("111111")
	if r := h.get("/admin"); r.StatusCode != 303 || r.Header.Get("Location") != "/admin/signin" {
		t.Errorf("a holder at the desk: %d", r.StatusCode)
	}
	if r := b.get("/certificates"); r.StatusCode != 303 {
		t.Errorf("a member at the holder's pages: %d", r.StatusCode)
	}
	if r := b.post("/admin/signout", url.Values{"token": {token}}); r.StatusCode != 303 || len(o.sessions) != 0 {
		t.Errorf("sign-out: %d", r.StatusCode)
	}
}

// TestEmergencyAttempts: wrong codes are limited by address, and those who sign in wrongly
// do not use the attempts up.
func TestEmergencyAttempts(t *testing.T) {
	t.Parallel()
	o := newOffice(staff.Security)
	w := build(t, withOffice(o), func(c *Config) { at := time.Now(); c.Now = func() time.Time { return at } })
	b := w.browser()
	token := b.token("/suspend")
	for range attemptBurst + 5 {
		b.post("/signin", url.Values{"token": {token}, "username": {"x"}, "password": {"x"}, "otp": {"111111"}})
	}
	wrong := url.Values{"token": {token}, "who": {"ada"}, "code": {"x"}}
	for range attemptBurst {
		if r := b.post("/suspend", wrong); r.StatusCode != 403 {
			t.Fatalf("%d", r.StatusCode)
		}
	}
	if r := b.post("/suspend", wrong); r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("not limited: %d", r.StatusCode)
	}
	if n := len(o.calls); n != attemptBurst {
		t.Errorf("%d attempts came through", n)
	}
	fresh := build(t, withOffice(o)).browser()
	right := url.Values{"token": {fresh.token("/suspend")}, "who": {"ada"}, "code": {goodEmergency}}
	if r := fresh.post("/suspend", right); r.StatusCode != 303 || r.Header.Get("Location") != "/suspend?done=now" {
		t.Errorf("%d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r := fresh.post("/suspend", right); r.Header.Get("Location") != "/suspend?done=before" {
		t.Errorf("to %s", r.Header.Get("Location"))
	}
	if strings.Contains(w.log.String()+fresh.w.log.String(), goodEmergency) {
		t.Error("the log has a code")
	}
}

// TestWithoutStaff: what was not configured is not there.
func TestWithoutStaff(t *testing.T) {
	t.Parallel()
	b := build(t).browser()
	for _, path := range []string{"/admin", "/admin/signin", "/suspend", "/activate"} {
		if r := b.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

// TestStaffInBrowser looks at the pages in Chromium, with axe-core, at two widths.
func TestStaffInBrowser(t *testing.T) {
	bin, axe := chromium(t), readAxe(t)
	shots := os.Getenv("SIGILLO_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	for lang, width := range map[string]int64{"it": 1280, "en": 390} {
		t.Run(lang, func(t *testing.T) {
			o := newOffice(staff.Certification)
			w := build(t, withOffice(o))
			s := open(t, w, bin, lang)
			s.shots, s.axe = filepath.Join(shots, "staff-"+lang), axe
			for _, p := range []string{"suspend", "suspend?done=now", "activate"} {
				s.run(p, chromedp.EmulateViewport(width, 900), chromedp.Navigate(w.url+"/lang/"+lang+"?next=/"+url.QueryEscape(p)), chromedp.WaitVisible("h1"))
				s.shot(strings.ReplaceAll(p, "?done=", "-"))
			}
			s.run("activate", chromedp.SendKeys("#code", goodActivation), chromedp.SendKeys("#password", testPassword), chromedp.SendKeys("#again", testPassword),
				chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("img.qr"))
			s.shot("activate-code")
			s.fill("111111", testPassword)
			s.run("confirm", chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#emergency-code"))
			s.shot("activated")
			s.run("desk", chromedp.Navigate(w.url+"/admin"), chromedp.WaitVisible("#otp"))
			s.shot("desk-signin")
			s.fill("111111", testPassword)
			s.run("sign in", chromedp.SendKeys("#username", "sara"), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#open"))
			s.shot("desk-home")
			s.run("holders", chromedp.Navigate(w.url+"/admin/holders?who=ada"), chromedp.WaitVisible("#holder-holder-1"))
			s.shot("desk-holders")
			s.run("recover", chromedp.Navigate(w.url+"/admin/recover?username=ada"), chromedp.WaitVisible("#document"))
			s.shot("desk-recover")
			s.run("proposal", chromedp.Navigate(w.url+"/admin/proposals/proposal-1"), chromedp.WaitVisible("#otp"))
			s.shot("desk-proposal")
			s.fill("222222", testPassword)
			s.run("approve", chromedp.Click("form[action$='/approve'] button"), chromedp.WaitVisible("#activation-code"))
			s.shot("desk-done")
		})
	}
}

// TestDeskKnown: what the vault gave a member's browser comes back when the member is
// recognised again, apart from what a holder's sign-in gave it.
func TestDeskKnown(t *testing.T) {
	t.Parallel()
	o := newOffice(staff.Security)
	w := build(t, withOffice(o))
	b := w.browser().signIn("111111").deskSignIn()
	if b.cookies[deskBrowserCookie] != "known" || b.cookies[browserCookie] != "seen-"+testUser {
		t.Fatalf("%v", b.cookies)
	}
	b.deskSignIn()
	if got := strings.Join(o.calls, ", "); got != "sign in from , sign in from known" {
		t.Error(got)
	}
}
