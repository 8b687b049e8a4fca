package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

const testAutomatic = "c-2"

// mandates stands for the room that keeps delegations: it has those of one holder in
// memory, and accepts the password with any code of six digits but 000000.
type mandates struct {
	mu    sync.Mutex
	given []vault.Delegation
	wiped []byte
	fault error
}

func (m *mandates) Delegations(_ context.Context, holder string) ([]vault.Delegation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if holder != testHolder {
		return nil, nil
	}
	return slices.Clone(m.given), m.fault
}

func (m *mandates) Delegate(_ context.Context, holder string, n remote.Delegation, e signing.Evidence) (vault.Delegation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wiped = e.Password
	switch {
	case string(e.Password) != testPassword || len(e.OTP) != 6 || e.OTP == "000000":
		return vault.Delegation{}, refuse(signing.WrongFactors)
	case n.Credential != testAutomatic:
		return vault.Delegation{}, refuse(remote.NotDelegated)
	}
	d := vault.Delegation{ID: n.ID, Holder: holder, Credential: n.Credential, Count: n.Count, Created: time.Now(), Expires: n.Expires,
		ClientCertificate: n.ClientCertificate, Kinds: n.Kinds, State: vault.DelegationActive}
	m.given = append([]vault.Delegation{d}, m.given...)
	return d, nil
}

func (m *mandates) RevokeDelegation(_ context.Context, holder, id, by, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.given {
		if m.given[i].ID == id && holder == testHolder && by == testHolder {
			m.given[i].State = vault.DelegationRevoked
			return nil
		}
	}
	return refuse(signing.NotFound)
}

func withMandates(m *mandates) func(*Config) { return func(c *Config) { c.Delegations = m } }

// theirPEM is the certificate of an application, in PEM, and its SHA-256.
func theirPEM(t *testing.T) (text string, sum [32]byte) {
	t.Helper()
	der := newPublisher(t, time.Now()).cert
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), sha256.Sum256(der)
}

func TestApplicationCertificate(t *testing.T) {
	t.Parallel()
	text, sum := theirPEM(t)
	digest := hex.EncodeToString(sum[:])
	colons := strings.ToUpper(digest[:2])
	for i := 2; i < len(digest); i += 2 {
		colons += ":" + strings.ToUpper(digest[i:i+2])
	}
	for name, given := range map[string]string{"PEM": text, "PEM with what openssl writes above it": "subject=CN=x\n" + text, "hex": digest,
		"openssl": "sha256 Fingerprint=" + colons, "a browser's": strings.ReplaceAll(colons, ":", " "), "two lines": digest[:32] + "\r\n" + digest[32:] + "\n"} {
		if got, err := applicationCertificate(given); err != nil || string(got) != string(sum[:]) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	for name, given := range map[string]string{"nothing": "", "SHA-1": digest[:40], "no hex": strings.Repeat("x", 64), "a key": key, "a chain": text + text,
		"a key behind it": text + key, "garbage in PEM": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
		"cut off": text[:len(text)/2], "long": strings.Repeat(" ", maxApplication) + digest} {
		if got, err := applicationCertificate(given); KindOf(err) != WrongEntry || got != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

func FuzzApplicationCertificate(f *testing.F) {
	for _, s := range []string{"", strings.Repeat("ab", 32), "sha256 Fingerprint=" + strings.Repeat("AB:", 31) + "AB", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "-----BEGIN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sum, err := applicationCertificate(text)
		if err == nil != (len(sum) == sha256.Size) {
			t.Errorf("%x, %v", sum, err)
		}
	})
}

// TestDelegationsPage: a holder gives a delegation with the factors, sees it, and takes it
// back without them.
func TestDelegationsPage(t *testing.T) {
	t.Parallel()
	m, l := &mandates{}, &locksmith{}
	w := build(t, withMandates(m), withLocksmith(l))
	b := w.browser()
	if r := b.get("/delegations"); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("seen without signing in: %d", r.StatusCode)
	}
	b.signIn("000001")
	if page := b.get("/delegations").body; !strings.Contains(page, "you need a key of the automatic procedure") || strings.Contains(page, `href="/delegations/new"`) {
		t.Error("one can delegate without an automatic key")
	}
	w.rooms.automatic = true
	if page := b.get("/certificates").body; !strings.Contains(page, "Automatic procedure") || !strings.Contains(page, `href="/delegations"`) {
		t.Error("the certificates do not lead to the delegations")
	}
	text, sum := theirPEM(t)
	page := b.get("/delegations/new").body
	id := between(t, page, `name="id" value="`, `"`)
	if !strings.Contains(page, `value="`+testAutomatic+`"`) || strings.Contains(page, `value="`+testCred+`"`) {
		t.Error("the page offers another credential than the automatic one")
	}
	fields := func(more ...string) url.Values {
		v := url.Values{"token": {b.token("/delegations/new")}, "id": {id}, "credential": {testAutomatic}, "certificate": {text}, "count": {"100"},
			"kinds": {"fatture\r\n ordini  di acquisto, fatture"}, "until": {time.Now().UTC().AddDate(0, 1, 0).Format(time.DateOnly)},
			"password": {testPassword}, "otp": {"123 456"}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for name, c := range map[string]struct {
		status int
		fields url.Values
	}{
		"another site's form":  {403, fields("token", "")},
		"no certificate":       {422, fields("certificate", "")},
		"no kinds":             {422, fields("kinds", " ,\n")},
		"a long kind":          {422, fields("kinds", strings.Repeat("x", 65))},
		"too many kinds":       {422, fields("kinds", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q")},
		"no signature":         {422, fields("count", "0")},
		"no number":            {422, fields("count", "x")},
		"too many":             {422, fields("count", "1000001")},
		"no day":               {422, fields("until", "soon")},
		"yesterday":            {422, fields("until", day(-1))},
		"in two years":         {422, fields("until", day(730))},
		"wrong factors":        {403, fields("otp", "000000")},
		"an ordinary key":      {409, fields("credential", testCred)},
		"somebody else's key?": {409, fields("credential", "c-9")},
	} {
		r := b.post("/delegations/new", c.fields)
		if r.StatusCode != c.status || len(m.given) > 0 {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, c.status)
		}
		if c.status != 403 && !strings.Contains(r.body, `name="id" value="`+id+`"`) {
			t.Errorf("%s: the form is not shown again", name)
		}
	}
	if r := b.post("/delegations/new", fields()); r.StatusCode != http.StatusSeeOther || len(m.given) != 1 {
		t.Fatalf("given: %d %s", r.StatusCode, r.body)
	}
	d := m.given[0]
	if d.ID != id || d.Count != 100 || string(d.ClientCertificate) != string(sum[:]) || !slices.Equal(d.Kinds, []string{"fatture", "ordini di acquisto"}) ||
		d.Expires.Format("15:04:05") != "23:59:59" {
		t.Errorf("%+v", d)
	}
	if strings.Contains(string(m.wiped), "cavallo") {
		t.Error("the password is still in memory")
	}
	page = b.get("/delegations?done=given").body
	for _, want := range []string{"fatture, ordini di acquisto", "100 signatures of 100 are left", view{}.Hex(sum[:]), id, "The delegation is in force", `href="/certificates" aria-current`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	b.passkeyFor(t, l, fields("password", "", "otp", ""))
	if r := b.post("/delegations/"+id+"/revoke", url.Values{}); r.StatusCode != 403 || m.given[0].State != vault.DelegationActive {
		t.Fatalf("taken back by another site: %d", r.StatusCode)
	}
	token := url.Values{"token": {b.token("/delegations")}}
	if r := b.post("/delegations/none/revoke", token); r.StatusCode != 404 {
		t.Errorf("taken back what is not there: %d", r.StatusCode)
	}
	if r := b.post("/delegations/"+id+"/revoke", token); r.StatusCode != http.StatusSeeOther || m.given[0].State != vault.DelegationRevoked {
		t.Fatalf("taken back: %d", r.StatusCode)
	}
	if page := b.get("/delegations?done=revoked").body; !strings.Contains(page, "Taken back") || strings.Contains(page, "/revoke") {
		t.Error("what is over can be taken back")
	}
}

// passkeyFor asks what a passkey is to sign for the form: exactly what the form says.
func (b *browser) passkeyFor(t *testing.T, l *locksmith, fields url.Values) {
	t.Helper()
	if r := b.post("/delegations/new/challenge", fields); r.StatusCode != 200 || len(l.asked) != 1 {
		t.Fatalf("challenge: %d %s", r.StatusCode, r.body)
	}
	n, ok := l.asked[0].(vault.NewDelegation)
	if !ok || n.ID != fields.Get("id") || n.Count != 100 || len(n.ClientCertificate) != 32 || len(n.Kinds) != 2 || n.Credential.ID != testAutomatic ||
		n.Client == "" || len(n.Password) > 0 || n.OTP != "" {
		t.Errorf("%+v", l.asked[0])
	}
}

func between(t *testing.T, text, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, before)
	got, _, ok2 := strings.Cut(rest, after)
	if !ok || !ok2 {
		t.Fatalf("no %q in %s", before, text)
	}
	return got
}

// TestDelegationsByProgram is the same over the REST interface.
func TestDelegationsByProgram(t *testing.T) {
	t.Parallel()
	m := &mandates{}
	w := build(t, withMandates(m))
	w.rooms.automatic = true
	p := w.program()
	text, sum := theirPEM(t)
	body := func(more ...any) map[string]any {
		out := map[string]any{"credential": testAutomatic, "count": 3, "expires": time.Now().Add(time.Hour).UTC(), "client_certificate": text,
			"kinds": []string{"fatture"}, "password": testPassword, "otp": "123456"}
		for i := 0; i+1 < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		status int
		body   any
	}{"wrong factors": {403, body("otp", "000000")}, "no certificate": {422, body("client_certificate", "x")}, "no kinds": {422, body("kinds", []string{})},
		"no signature": {422, body("count", 0)}, "an ordinary key": {409, body("credential", testCred)}} {
		if r := p.call("POST", "/delegations", c.body); r.StatusCode != c.status || strings.Contains(r.body, testPassword) {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	var d DelegationInfo
	p.want(p.call("POST", "/delegations", body()), 201, &d)
	if d.State != "active" || d.Certificate != hex.EncodeToString(sum[:]) || d.Count != 3 || d.ID == "" {
		t.Errorf("%+v", d)
	}
	var list []DelegationInfo
	p.want(p.call("GET", "/delegations", nil), 200, &list)
	if len(list) != 1 || list[0].ID != d.ID {
		t.Errorf("%+v", list)
	}
	p.want(p.call("POST", "/delegations/none/revoke", nil), 404, nil)
	p.want(p.call("POST", "/delegations/"+d.ID+"/revoke", nil), 200, &d)
	if d.State != "revoked" {
		t.Errorf("%+v", d)
	}
	if r := w.browser().get(apiBase + "/delegations"); r.StatusCode != 401 {
		t.Errorf("without a session: %d", r.StatusCode)
	}
}

// TestDelegationsInBrowser gives a delegation and takes it back in a real browser, has
// axe-core examine the pages, and takes pictures of them, as TestBrowser does.
func TestDelegationsInBrowser(t *testing.T) {
	bin, axe := chromium(t), readAxe(t)
	shots := os.Getenv("SIGILLO_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	for _, c := range []struct {
		name, lang string
		width      int64
	}{{"it-desktop", "it", 1280}, {"en-phone", "en", 390}} {
		t.Run(c.name, func(t *testing.T) {
			m := &mandates{given: []vault.Delegation{{ID: remote.NewDelegationID(), Credential: testAutomatic, Count: 50, Used: 50, State: vault.DelegationUsedUp,
				Created: time.Now().Add(-time.Hour), Expires: time.Now(), ClientCertificate: make([]byte, 32), Kinds: []string{"solleciti"}}}}
			w := build(t, withMandates(m), withLocksmith(&locksmith{}))
			text, _ := theirPEM(t)
			s := open(t, w, bin, c.lang)
			s.shots, s.axe = filepath.Join(shots, c.name), axe
			s.run("open", chromedp.EmulateViewport(c.width, 900), chromedp.Navigate(w.url+"/lang/"+c.lang+"?next=/delegations"), chromedp.WaitVisible("#otp"))
			s.fill("111111", testPassword)
			s.run("sign in", chromedp.SendKeys("#username", testUser), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("main .lead"))
			s.shot("14-delegations-no-key")
			w.rooms.mu.Lock()
			w.rooms.automatic = true
			w.rooms.mu.Unlock()
			s.run("certificates", chromedp.Navigate(w.url+"/certificates"), chromedp.WaitVisible("a[href='/delegations']"))
			s.shot("14-certificates")
			s.run("delegations", chromedp.Click("a[href='/delegations']"), chromedp.WaitVisible("a[href='/delegations/new']"), chromedp.Click("a[href='/delegations/new']"),
				chromedp.WaitVisible("#count"))
			s.shot("14-delegate")
			eval[bool](s, `document.getElementById("until").value = document.getElementById("until").max; true`)
			s.run("fill in", chromedp.SendKeys("#certificate", text), chromedp.SendKeys("#kinds", "fatture\nordini"), chromedp.SendKeys("#count", "250"))
			s.fill("000000", testPassword)
			s.run("refused", chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("main > .summary"))
			if kept := eval[string](s, `document.getElementById("count").value + document.getElementById("kinds").value`); kept != "250fatture\nordini" {
				t.Errorf("what was filled in is gone: %q", kept)
			}
			s.shot("14-delegate-refused")
			s.fill("222222", testPassword)
			s.run("give", chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("main > .notice"))
			eval[bool](s, `document.querySelector("details").open = true`)
			s.shot("14-delegations")
			s.run("take back", chromedp.Click(".verdict.good button"), chromedp.WaitNotPresent(".verdict.good"))
			if n := eval[int](s, `document.querySelectorAll("form[action$='/revoke']").length`); n != 0 || len(m.given) != 2 || m.given[0].State != vault.DelegationRevoked {
				t.Errorf("%d forms; %+v", n, m.given)
			}
			s.shot("14-delegations-over")
		})
	}
}

// TestDelegationAtTheDesk: the staff sees what a holder has delegated, and those with the
// right take it back.
func TestDelegationAtTheDesk(t *testing.T) {
	t.Parallel()
	o := newOffice(staff.Audit)
	w := build(t, withOffice(o))
	b := w.browser().deskSignIn()
	const action = "/admin/holders/holder-1/delegations/delegation-1/revoke"
	page := b.get("/admin/holders?who=ada").body
	if !strings.Contains(page, "fatture &lt;b&gt;") || !strings.Contains(page, "2 signatures of 9 were authorised") || strings.Contains(page, action) {
		t.Errorf("the auditor's page: %s", page)
	}
	o.role = staff.RegistrationOperator
	if page := b.get("/admin/holders?who=ada").body; !strings.Contains(page, `action="`+action+`"`) {
		t.Error("the operator cannot take it back")
	}
	r := b.post(action, url.Values{"token": {b.token("/admin")}, "who": {"ada"}})
	if r.StatusCode != http.StatusSeeOther || !slices.Contains(o.calls, "revoke delegation holder-1 delegation-1") {
		t.Fatalf("%d %v", r.StatusCode, o.calls)
	}
	if page := b.get(r.Header.Get("Location")).body; !strings.Contains(page, "The delegation is over") {
		t.Error("the page does not say that it is over")
	}
}
