package web

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/vault"
)

// locksmith stands for the vault's operations on factors: it keeps devices in memory
// and accepts the password and any code of six digits but 000000.
type locksmith struct {
	mu      sync.Mutex
	devices []vault.DeviceStatus
	asked   []any // of challenges and codes
	changed string
	codes   int
	who     string // asked about last
	broken  error
}

func (l *locksmith) judge(e vault.Evidence) error {
	if string(e.Password) != testPassword || len(e.Passkey) == 0 && (len(e.OTP) != 6 || e.OTP == "000000") {
		return refuse(signing.WrongFactors)
	}
	return nil
}

func (l *locksmith) Means(_ context.Context, who string) (vault.Means, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.who = who
	return vault.Means{Devices: append([]vault.DeviceStatus(nil), l.devices...), Codes: l.codes}, l.broken
}

func (l *locksmith) AddDevice(_ context.Context, _ string, n vault.NewDevice) (vault.AddedDevice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.judge(n.Evidence); err != nil {
		return vault.AddedDevice{}, err
	}
	id := "d" + itoa(len(l.devices)+1)
	l.devices = append(l.devices, vault.DeviceStatus{ID: id, Kind: n.Kind, Label: n.Label, To: n.To, Created: time.Now(), Confirmed: n.Kind == vault.Passkey})
	return vault.AddedDevice{Device: id, URI: auth.OTPURI("Sigillo", testUser, []byte("12345678901234567890"))}, nil
}

func (l *locksmith) ConfirmDevice(_ context.Context, _ string, d vault.DeviceConfirmation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.devices {
		if l.devices[i].ID == d.Device && d.Code == "123456" {
			l.devices[i].Confirmed = true
			return nil
		}
	}
	return refuse(signing.WrongFactors)
}

func (l *locksmith) RemoveDevice(_ context.Context, _ string, d vault.DeviceRemoval) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.devices {
		if l.devices[i].ID == d.Device && l.judge(d.Evidence) == nil {
			l.devices = append(l.devices[:i], l.devices[i+1:]...)
			return nil
		}
	}
	return refuse(signing.WantsPasskey)
}

func (l *locksmith) Resynchronise(_ context.Context, _ string, r vault.Resynchronisation) error {
	return l.judge(r.Evidence)
}

func (l *locksmith) RecoveryCodes(_ context.Context, _ string, n vault.NewCodes) ([]string, error) {
	return []string{"ABCD-EFGH-IJKL-MNOP", "QRST-UVWX-YZ23-4567"}, l.judge(n.Evidence)
}

func (l *locksmith) ChangePassword(_ context.Context, _ string, p vault.PasswordChange) error {
	l.changed = string(p.New)
	return l.judge(p.Evidence)
}

func (l *locksmith) PasskeyOptions(context.Context, string) (vault.Challenge, error) {
	return vault.Challenge{Options: json.RawMessage(`{"challenge":"AAAA"}`)}, nil
}

func (l *locksmith) note(request any) (vault.Challenge, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, request)
	return vault.Challenge{Options: json.RawMessage(`{"challenge":"AAAA"}`)}, nil
}

func (l *locksmith) Challenge(_ context.Context, _ string, request any) (vault.Challenge, error) {
	return l.note(request)
}

func (l *locksmith) SendCode(_ context.Context, _ string, request any, _ vault.CodeRequest) (vault.CodeSent, error) {
	_, err := l.note(request)
	return vault.CodeSent{Resend: time.Now().Add(time.Minute)}, err
}

func (l *locksmith) SignInChallenge(_ context.Context, username string, e signing.Evidence) (vault.Challenge, error) {
	return l.note([]any{username, e})
}

func (l *locksmith) SendSignInCode(_ context.Context, username string, e signing.Evidence, _ vault.CodeRequest) (vault.CodeSent, error) {
	_, err := l.note([]any{username, e})
	return vault.CodeSent{}, err
}

func (l *locksmith) SignChallenge(_ context.Context, _, tx string, e signing.Evidence) (vault.Challenge, error) {
	return l.note([]any{tx, e})
}

func (l *locksmith) SendSignCode(_ context.Context, _, tx string, e signing.Evidence, _ vault.CodeRequest) (vault.CodeSent, error) {
	_, err := l.note([]any{tx, e})
	return vault.CodeSent{}, err
}

func (l *locksmith) RequestChallenge(_ context.Context, _, id string, e signing.Evidence) (vault.Challenge, error) {
	return l.note([]any{id, e})
}

func (l *locksmith) SendRequestCode(_ context.Context, _, id string, e signing.Evidence, _ vault.CodeRequest) (vault.CodeSent, error) {
	_, err := l.note([]any{id, e})
	return vault.CodeSent{}, err
}

func (l *locksmith) ForgetBrowsers(_ context.Context, holder string) error {
	_, err := l.note("forget " + holder)
	return err
}

func withLocksmith(l *locksmith) func(*Config) {
	return func(c *Config) { c.Security, c.Passkeys, c.SentCodes = l, true, true }
}

// securityPages gives all pages about factors in all their shapes.
func securityPages(b *browser, l *locksmith) map[string]string {
	out := map[string]string{}
	token := b.token("/security")
	factors := func(more ...string) url.Values {
		v := url.Values{"token": {token}, "password": {testPassword}, "otp": {"123456"}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for _, kind := range []string{"totp", "hotp", "passkey", "phone"} {
		out["add "+kind] = b.get("/security/devices/add?kind=" + kind).body
	}
	out["qr"] = b.post("/security/devices/add", factors("kind", "totp", "label", "Mine <b>")).body
	out["add refused"] = b.post("/security/devices/add", factors("kind", "phone", "to", "+39 333 1234567", "otp", "000000")).body
	b.post("/security/devices/add", factors("kind", "phone", "to", "+39 333 1234567"))
	b.post("/security/devices/add", factors("kind", "passkey", "registration", "{}"))
	out["security"] = b.get("/security?done=added").body
	out["confirm"], out["confirm phone"] = b.get("/security/devices/d1/confirm").body, b.get("/security/devices/d2/confirm").body
	out["confirm refused"] = b.post("/security/devices/d1/confirm", url.Values{"token": {token}, "code": {"000000"}}).body
	out["remove"], out["resync"] = b.get("/security/devices/d1/remove").body, b.get("/security/devices/d1/resync").body
	out["remove refused"] = b.post("/security/devices/d1/remove", factors("otp", "000000")).body
	out["codes"], out["codes made"] = b.get("/security/codes").body, b.post("/security/codes", factors()).body
	out["password"] = b.get("/security/password").body
	out["password unequal"] = b.post("/security/password", factors("new", "x", "repeated", "y")).body
	out["password weak"] = b.post("/security/password", factors("new", "password1234", "repeated", "password1234")).body
	return out
}

func TestSecurityPages(t *testing.T) {
	t.Parallel()
	l := &locksmith{}
	w := build(t, withLocksmith(l))
	b := w.browser().signIn("111111")
	pages := securityPages(b, l)
	for page, want := range map[string]string{"qr": "data:image/png;base64,", "security": "Mine &lt;b&gt;", "add refused": "Wrong credentials",
		"confirm refused": "Wrong credentials", "remove refused": "Your passkey is needed", "codes made": "QRST-UVWX-YZ23-4567",
		"password unequal": "differ", "password weak": "too weak", "confirm phone": "Send me a code", "add phone": `type="tel"`} {
		if !strings.Contains(pages[page], want) {
			t.Errorf("%s lacks %q", page, want)
		}
	}
	if l.devices[1].To != "+393331234567" {
		t.Errorf("the number is %q", l.devices[1].To)
	}
	token := b.token("/security")
	if r := b.post("/security/devices/d1/confirm", url.Values{"token": {token}, "code": {"123 456"}}); r.StatusCode != 303 || !l.devices[0].Confirmed {
		t.Errorf("confirm: %d", r.StatusCode)
	}
	factors := url.Values{"token": {token}, "password": {testPassword}, "otp": {"123456"}, "second": {"234567"}, "new": {"tre gatti viola sul tetto"}, "repeated": {"tre gatti viola sul tetto"}}
	if r := b.post("/security/devices/d1/resync", factors); r.Header.Get("Location") != "/security?done=resync" {
		t.Errorf("resync: %d", r.StatusCode)
	}
	if r := b.post("/security/devices/d1/remove", factors); r.Header.Get("Location") != "/security?done=removed" || len(l.devices) != 2 {
		t.Errorf("remove: %d", r.StatusCode)
	}
	if r := b.get("/security/devices/d1/remove"); r.StatusCode != 404 {
		t.Errorf("a device that is gone: %d", r.StatusCode)
	}
	if r := b.get("/security/devices/add?kind=smoke"); r.StatusCode != 404 {
		t.Errorf("no such kind: %d", r.StatusCode)
	}
	if r := b.post("/security/password", factors); r.Header.Get("Location") != "/signin?changed=1" || l.changed != factors.Get("new") || b.cookies[sessionCookie] != "" {
		t.Errorf("password: %d", r.StatusCode)
	}
	if r := b.get("/security"); r.StatusCode != 303 {
		t.Errorf("security without a session: %d", r.StatusCode)
	}
	if log := w.log.String(); strings.Contains(log, "QRST") || strings.Contains(log, "GEZDGNBV") || strings.Contains(log, "gatti") {
		t.Error("the log holds a secret")
	}
}

// TestMembersSecurity: members of the staff look after their own factors at their own address,
// with their own session; neither session opens the pages of the others.
func TestMembersSecurity(t *testing.T) {
	t.Parallel()
	l := &locksmith{}
	w := build(t, withLocksmith(l), withOffice(newOffice(staff.Technical)))
	holder, member := w.browser().signIn("111111"), w.browser().deskSignIn()
	if r := holder.get(memberSecurity); r.StatusCode != 303 || r.Header.Get("Location") != "/admin/signin" {
		t.Errorf("a holder: %d", r.StatusCode)
	}
	if r := member.get(holderSecurity); r.StatusCode != 303 {
		t.Errorf("a member: %d", r.StatusCode)
	}
	page := member.get(memberSecurity)
	if page.StatusCode != 200 || strings.Contains(page.body, `"/security`) || !strings.Contains(page.body, `href="/admin/security/codes"`) || !strings.HasPrefix(l.who, "staff-") {
		t.Errorf("%d, about %q:\n%s", page.StatusCode, l.who, page.body)
	}
	for _, at := range []string{"/devices/add?kind=totp", "/devices/add?kind=passkey", "/codes", "/password"} {
		if page := member.get(memberSecurity + at); page.StatusCode != 200 || strings.Contains(page.body, `"/security`) {
			t.Errorf("%s: %d", at, page.StatusCode)
		}
	}
	factors := url.Values{"token": {member.token(memberSecurity)}, "password": {testPassword}, "otp": {"123456"}, "new": {"tre gatti viola sul tetto"}, "repeated": {"tre gatti viola sul tetto"}}
	if r := member.post(memberSecurity+"/password", factors); r.Header.Get("Location") != "/admin/signin?changed=1" || l.changed != factors.Get("new") || member.cookies[deskCookie] != "" {
		t.Errorf("password: %d %s", r.StatusCode, r.body)
	}
}

// TestFactorsOffered: a page offers the ways that its holder has, and all of them where
// that is not known.
func TestFactorsOffered(t *testing.T) {
	t.Parallel()
	l := &locksmith{}
	w := build(t, withLocksmith(l), withRequests(twoRequests()))
	guest := w.browser().get("/signin").body
	b := w.browser().signIn("111111")
	ways := func(page string) string {
		found := ""
		for _, way := range []string{"passkey", "send", "recovery"} {
			if strings.Contains(page, `data-use="`+way+`"`) {
				found += way + " "
			}
		}
		return strings.TrimSpace(found)
	}
	if got := ways(guest); got != "passkey send recovery" {
		t.Errorf("before signing in: %s", got)
	}
	const passkey, phone = vault.Passkey, vault.Phone
	for _, c := range []struct {
		devices []vault.DeviceStatus
		codes   int
		broken  error
		want    string
	}{
		{nil, 0, nil, ""},
		{[]vault.DeviceStatus{{Kind: vault.TOTP, Confirmed: true}}, 2, nil, "recovery"},
		{[]vault.DeviceStatus{{Kind: passkey, Confirmed: true}, {Kind: phone}}, 0, nil, "passkey"},
		{[]vault.DeviceStatus{{Kind: phone, Confirmed: true}}, 0, nil, "send"},
		{nil, 0, refuse(signing.Busy), "passkey send recovery"},
	} {
		l.mu.Lock()
		l.devices, l.codes, l.broken = c.devices, c.codes, c.broken
		l.mu.Unlock()
		for _, at := range []string{"/security/codes", "/security/password", "/security/devices/add?kind=phone", "/requests"} {
			if got := ways(b.get(at).body); got != c.want {
				t.Errorf("%s offers %q, not %q", at, got, c.want)
			}
		}
	}
}

// TestChallenges: the script gets a challenge for exactly the form beside it, and not
// without the form's token.
func TestChallenges(t *testing.T) {
	t.Parallel()
	l := &locksmith{}
	w := build(t, withLocksmith(l))
	b := w.browser()
	ask := func(path string, v url.Values) reply { return b.post(path, v, "Accept", "application/json") }
	guest := b.token("/signin")
	for _, path := range []string{"/signin/challenge", "/signin/send"} {
		if r := ask(path, url.Values{"username": {testUser}}); r.StatusCode != 403 {
			t.Errorf("%s without a token: %d", path, r.StatusCode)
		}
		if r := ask(path, url.Values{"username": {testUser}, "token": {guest}}); r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	if r := ask("/security/codes/challenge", url.Values{"token": {guest}}); r.StatusCode != 401 {
		t.Errorf("of nobody: %d", r.StatusCode)
	}
	b.signIn("111111")
	token := b.token("/security")
	l.asked = nil
	for _, path := range []string{"/security/devices/add", "/security/devices/d7/remove", "/security/codes", "/security/password", "/transactions/t-9/sign", "/security/devices/d7/confirm", "/requests/r-9/approve"} {
		for _, what := range []string{"/challenge", "/send"} {
			r := ask(path+what, url.Values{"token": {token}, "kind": {"passkey"}, "label": {"L"}, "registration": {"{}"}, "password": {"p"}})
			if r.StatusCode != 200 {
				t.Errorf("%s: %d %s", path+what, r.StatusCode, r.body)
			}
		}
	}
	if len(l.asked) != 14 {
		t.Fatalf("%d requests", len(l.asked))
	}
	if n, ok := l.asked[0].(vault.NewDevice); !ok || n.Label != "L" || n.Kind != vault.Passkey || string(n.Registration) != "{}" || n.Client != "127.0.0.1" {
		t.Errorf("%+v", l.asked[0])
	}
	if d, ok := l.asked[2].(vault.DeviceRemoval); !ok || d.Device != "d7" {
		t.Errorf("%+v", l.asked[2])
	}
	if q, ok := l.asked[8].([]any); !ok || q[0] != "t-9" || len(q[1].(signing.Evidence).Password) != 0 {
		t.Errorf("%+v", l.asked[8])
	}
	if q, ok := l.asked[12].([]any); !ok || q[0] != "r-9" || q[1].(signing.Evidence).Client != "127.0.0.1" {
		t.Errorf("%+v", l.asked[12])
	}
}
