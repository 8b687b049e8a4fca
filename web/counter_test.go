package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
)

// json is what the scripts of the pages ask for.
var forScript = []string{"Accept", "application/json"}

// asTablet is a browser that is a tablet in use.
func (w *wall) asTablet(till *till) *browser {
	w.t.Helper()
	b := w.browser()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	r := b.post("/tablet/register", url.Values{"token": {b.tabletToken()}, "code": {tillCode}, "class": {"pointer"}, "key": {base64.RawURLEncoding.EncodeToString(spki)}}, forScript...)
	if r.StatusCode != 200 || b.cookies[tabletCookie] != tillToken {
		w.t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	till.mu.Lock()
	defer till.mu.Unlock()
	till.tablet.State = counters.TabletActive
	return b
}

// tabletToken is the form token of the tablet's page.
func (b *browser) tabletToken() string {
	b.w.t.Helper()
	page := b.get("/tablet").body
	_, rest, ok := strings.Cut(page, `data-token="`)
	if !ok {
		b.w.t.Fatalf("no token: %s", page)
	}
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

var identified = counters.Identification{Kind: "passport", Number: "X1", Issuer: "Prova", Expires: time.Now().Add(time.Hour)}

// TestCounterPages: every page of counters and tablets is sound, in both languages and in
// every state of a session.
func TestCounterPages(t *testing.T) {
	t.Parallel()
	for _, lang := range languages {
		var till *till
		o := newOffice(staff.RegistrationOperator)
		w := build(t, withTill(&till, o))
		b, tab := w.browser(), w.asTablet
		b.lang = lang
		out := map[string]string{"register": b.get("/tablet").body}
		b.deskSignIn()
		slate := tab(till)
		slate.lang, till.customer.Locale = lang, lang
		out["idle"] = slate.get("/tablet").body
		for name, path := range map[string]string{"home": "/counter", "found": "/counter?who=0012345678&done=withdrawn", "nobody": "/counter?who=x", "new": "/counter/customers/new",
			"enrol": "/counter/enrol?customer=0012345678", "dossier": "/counter/dossier?customer=0012345678", "tablets": "/counter/tablets", "report": "/counter/report"} {
			out[name] = b.get(path).body
		}
		token := b.token("/counter/customers/new")
		out["new wrong"] = b.post("/counter/customers/new", url.Values{"token": {token}, "given-name": {"<b>x"}}).body
		out["enrol wrong"] = b.post("/counter/enrol", url.Values{"token": {token}, "customer": {"0012345678"}, "tablet": {"t-1"}}).body
		o.become(staff.Technical)
		out["tablets technical"] = b.get("/counter/tablets?done=revoked").body
		out["invited"] = b.post("/counter/tablets", url.Values{"token": {token}, "name": {"Sportello 2"}, "centre": {"Prova"}}).body
		till.tablet.State = counters.TabletPending
		out["pending"], out["tablet pending"] = b.get("/counter/tablets").body, slate.get("/tablet").body
		till.tablet.State = counters.TabletActive
		o.become(staff.RegistrationOperator)
		for _, purpose := range []counters.Purpose{counters.Enrol, counters.Sign} {
			till.customer.Enrolled, till.session = true, counters.Session{}
			if purpose == counters.Enrol {
				if _, err := till.OpenEnrolment(t.Context(), staff.Member{}, counters.NewEnrolment{Tablet: "t-1", Identification: identified}); err != nil {
					t.Fatal(err)
				}
				till.session.Enrolment = &counters.Progress{Wanted: 6, Count: 4, Ready: true, Pause: true, Weak: true, Reasons: []string{"differs", "weak"}}
			} else {
				doc, err := w.rooms.Upload(t.Context(), testHolder, "Lettera con macro.docx", strings.NewReader("x"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := till.OpenDossier(t.Context(), staff.Member{}, counters.NewDossier{Tablet: "t-1", Identification: identified, Reference: "<i>", Documents: []signing.Order{{Document: doc.ID}}}); err != nil {
					t.Fatal(err)
				}
				till.session.Tries, till.session.Repeat = 1, true
			}
			at := "/counter/sessions/" + till.session.ID
			for _, state := range []counters.State{counters.Open, counters.Reading, counters.Signing, counters.Matched, counters.Done, counters.Refused, counters.Failed, counters.Cancelled, counters.Expired} {
				for _, why := range []string{counters.WhyOperator, counters.WhyCustomer, counters.WhyPen, counters.WhyTablet, counters.WhyRestart, counters.WhyTime, counters.WhyUnrecognised, counters.WhyNoEnrolment, counters.WhyCertificate, counters.WhyFault} {
					till.session.State, till.session.Why = state, ""
					if state.Ended() && state != counters.Done {
						till.session.Why = why
					}
					till.session.Away = state == counters.Signing
					name := string(purpose) + " " + string(state) + " " + till.session.Why
					out[name], out["tablet "+name] = b.get(at).body, slate.get("/tablet").body
				}
			}
			till.session.State = counters.Signing
			out[string(purpose)+" finish"] = b.get(at + "?finish=1").body
			if purpose == counters.Enrol {
				till.session.Enrolment = &counters.Progress{Wanted: 6, Count: 4, Odd: 2, Reasons: []string{"differs"}}
				out["odd"] = b.get(at).body
				if !strings.Contains(out["odd"], template.HTMLEscapeString(w.srv.locales[lang].T("counter_session.odd", "n", 2))) || strings.Contains(out["odd"], w.srv.locales[lang].T("counter_session.not_taken")) {
					t.Errorf("%s: which one stands apart is not told", lang)
				}
			}
			out[string(purpose)+" wrong"] = b.post(at+"/begin", url.Values{"token": {token}, "otp": {"1"}}).body
		}
		till.session = counters.Session{}
		for _, reason := range []string{"too-short", "too-long", "too-few-points", "too-many-points", "too-simple", "use-the-pen", "constant-pressure", "bad-readings", "differs", "copy", "other-device", "weak"} {
			if !w.srv.locales[lang].Has("graphometric." + reason) {
				t.Errorf("%s: no words for %s", lang, reason)
			}
		}
		for name, body := range out {
			doc, err := html.Parse(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			p := &page{t: t, name: lang + " " + name, ids: map[string]int{}, labels: map[string]bool{}}
			p.collect(doc)
			p.check(doc)
			if p.lang != lang || p.h1 != 1 {
				t.Errorf("%s: lang %q, %d h1", p.name, p.lang, p.h1)
			}
			for _, broken := range []string{"%!", "<no value>", "ZgotmplZ", ">counter", ">tablet.", ">graphometric.", "{n}", "{of}", "<b>x", "<i>"} {
				if strings.Contains(body, broken) {
					t.Errorf("%s: broken template output: %s", p.name, broken)
				}
			}
		}
	}
}

// TestCounterIsClosed: nothing of a counter opens without its session or its token.
func TestCounterIsClosed(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	stranger, member, slate := w.browser(), w.browser().deskSignIn(), w.asTablet(till)
	routes := 0
	for _, r := range w.srv.App().GetRoutes(true) {
		if !strings.HasPrefix(r.Path, "/counter") && !strings.HasPrefix(r.Path, "/tablet") || r.Method == http.MethodHead {
			continue
		}
		routes++
		path := strings.NewReplacer(":id", "s-1", ":document", "d-1", ":n", "1", ":seq", "0").Replace(r.Path)
		public := r.Path == "/tablet" || r.Path == "/tablet/register"
		for name, who := range map[string]*browser{"stranger": stranger, "member": member, "tablet": slate} {
			var got reply
			if r.Method == http.MethodGet {
				got = who.get(path)
			} else { // without its token
				got = who.post(path, url.Values{"session": {"s-1"}, "name": {"x"}})
			}
			counter := strings.HasPrefix(r.Path, "/counter")
			switch {
			case public && r.Method == http.MethodGet, r.Method == http.MethodGet && counter && name == "member", r.Method == http.MethodGet && !counter && name == "tablet":
				continue // theirs
			case counter && name != "member":
				if got.StatusCode != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/admin/signin") {
					t.Errorf("%s %s for a %s: %d", r.Method, path, name, got.StatusCode)
				}
			case !counter && name != "tablet" && !public:
				if got.StatusCode != 401 {
					t.Errorf("%s %s for a %s: %d", r.Method, path, name, got.StatusCode)
				}
			case path == "/tablet/forget": // of one that is revoked only
				if got.StatusCode != 409 {
					t.Errorf("%s %s for a %s: %d", r.Method, path, name, got.StatusCode)
				}
			case path == "/counter/dossier": // no form of this kind
				if got.StatusCode != 415 {
					t.Errorf("%s %s for a %s: %d", r.Method, path, name, got.StatusCode)
				}
			default:
				if got.StatusCode != 403 {
					t.Errorf("%s %s for a %s without a token: %d", r.Method, path, name, got.StatusCode)
				}
			}
		}
	}
	if routes < 30 {
		t.Errorf("only %d routes", routes)
	}
	// A script is told so, and is not sent to a page.
	if got := stranger.get("/counter/sessions/s-1/state?seen=1", forScript...); got.StatusCode != 401 {
		t.Errorf("a script without a session: %d", got.StatusCode)
	}
	// Tokens are of one browser: neither a member's nor a guest's is a tablet's.
	for name, token := range map[string]string{"member": member.token("/counter/customers/new"), "guest": stranger.tabletToken()} {
		if got := slate.post("/tablet/arm", url.Values{"token": {token}, "session": {"s-1"}}, forScript...); got.StatusCode != 403 {
			t.Errorf("the token of a %s on a tablet: %d", name, got.StatusCode)
		}
	}
	// Another site's form.
	if got := slate.post("/tablet/leave", url.Values{"token": {slate.tabletToken()}, "session": {"s-1"}, "reason": {"pen"}}, "Origin", "https://evil.example"); got.StatusCode != 403 {
		t.Errorf("another site: %d", got.StatusCode)
	}
	// A tablet that waits, or was revoked.
	for _, state := range []counters.TabletState{counters.TabletPending, counters.TabletRevoked} {
		token := slate.tabletToken()
		till.tablet.State = state
		if got := slate.get("/tablet/state?seen=-1", forScript...); got.StatusCode != 403 {
			t.Errorf("a tablet that is %s: %d", state, got.StatusCode)
		}
		if got := slate.post("/tablet/arm", url.Values{"token": {token}}, forScript...); got.StatusCode != 403 {
			t.Errorf("a tablet that is %s: %d", state, got.StatusCode)
		}
		till.tablet.State = counters.TabletActive
	}
}

// TestTabletSaysNonsense: what a tablet's script sends is looked at before it goes on.
func TestTabletSaysNonsense(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	slate := w.asTablet(till)
	token := slate.tabletToken()
	good := url.Values{"session": {"s-1"}, "nonce": {"AA"}, "ephemeral": {"AA"}, "sealed": {"AA"}, "signature": {"AA"}, "started": {"1"}}
	with := func(name, value string) url.Values {
		out := url.Values{}
		for k, v := range good {
			out[k] = v
		}
		out.Set(name, value)
		return out
	}
	for _, c := range []struct {
		path   string
		fields url.Values
		want   int
	}{
		{"read", url.Values{"page": {"first"}}, 422},
		{"read", url.Values{"page": {"99999999999999999999"}}, 422},
		{"submit", with("sealed", "not base64!"), 422},
		{"submit", with("sealed", "AA=="), 422},
		{"submit", with("started", "1e9"), 422},
		{"submit", with("started", ""), 422},
		{"submit", good, 409},                                           // of no session
		{"submit", with("sealed", strings.Repeat("A", bodyLimit)), 413}, // the flood
		{"device", url.Values{"rate": {"NaN"}, "levels": {"1"}}, 422},
		{"device", url.Values{"rate": {"-1"}, "levels": {"1"}}, 422},
		{"device", url.Values{"rate": {"1"}, "levels": {"1000000"}}, 422},
		{"device", url.Values{"rate": {"200"}, "levels": {"1024"}, "hover": {"yes"}}, 200},
	} {
		c.fields.Set("token", token)
		if got := slate.post("/tablet/"+c.path, c.fields, forScript...); got.StatusCode != c.want {
			t.Errorf("%s %.60v: %d %s", c.path, c.fields, got.StatusCode, got.body)
		}
	}
	if till.device != (counters.Device{Class: "pointer", Rate: 200, Levels: 1024, Hover: true}) {
		t.Errorf("%+v", till.device)
	}
	for _, path := range []string{"/tablet/state?seen=x", "/tablet/documents/d-1/pages/x?session=s"} {
		if got := slate.get(path, forScript...); got.StatusCode != 422 && got.StatusCode != 404 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	// The limits of guessing are those of signing in.
	guess := w.browser()
	form := url.Values{"token": {guess.tabletToken()}, "code": {"x"}, "class": {"pointer"}, "key": {"AA"}}
	for range 40 {
		if got := guess.post("/tablet/register", form, forScript...); got.StatusCode == 429 {
			return
		}
	}
	t.Error("codes of tablets can be guessed without end")
}

// TestCounterWaits: who waits for a change is answered when there is one, and when the server
// goes away.
func TestCounterWaits(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	slate := w.asTablet(till)
	answered := make(chan string, 1)
	wait := func() {
		version := till.version
		go func() {
			answered <- slate.get("/tablet/state?seen="+string(rune('0'+version)), forScript...).body
		}()
		time.Sleep(50 * time.Millisecond)
	}
	wait()
	if err := till.change("x", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; !strings.Contains(got, `"step":"idle"`) || !strings.Contains(got, `"key":"idle`) {
		t.Error(got)
	}
	wait()
	w.leave() // what it has not answered in its ten seconds is an error of the rig's
	<-answered
}

// TestCounterOutcomes: each end of a session has its own name, what a refused form leaves in
// the browser can be loaded anew, and silence is told without a change.
func TestCounterOutcomes(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	b := w.browser().deskSignIn()
	w.asTablet(till).get("/tablet")
	till.customer.Enrolled = true
	if _, err := till.OpenEnrolment(t.Context(), staff.Member{}, counters.NewEnrolment{Tablet: "t-1", Identification: identified}); err != nil {
		t.Fatal(err)
	}
	at, words := "/counter/sessions/"+till.session.ID, w.srv.locales[b.lang]
	for why, heading := range map[string]string{counters.WhyCustomer: "declined", counters.WhyNoEnrolment: "no_profile", counters.WhyUnrecognised: "state_refused"} {
		till.session.State, till.session.Why = counters.Refused, why
		if body := b.get(at).body; !strings.Contains(body, `<h2 id="ended">`+template.HTMLEscapeString(words.T("counter."+heading))+"</h2>") {
			t.Errorf("%s is not told as %s", why, heading)
		}
	}
	for _, form := range []string{"/begin", "/remove", "/finish", "/cancel"} {
		if got := b.get(at + form); got.StatusCode != 303 || got.Header.Get("Location") != at {
			t.Errorf("%s loaded anew: %d, to %q", form, got.StatusCode, got.Header.Get("Location"))
		}
	}
	till.session.State, till.session.Why, till.session.Away = counters.Reading, "", true
	if body := b.get(at+"/state?seen=-1", forScript...).body; !strings.Contains(body, `"state":"reading","away":true`) {
		t.Error(body)
	}
}

// TestCounterReport: the figures as a page and as a file.
func TestCounterReport(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.Certification)))
	b := w.browser().deskSignIn()
	if r := b.get("/counter"); r.Header.Get("Location") != "/counter/report" {
		t.Errorf("who may see the report only: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	if page := b.get("/counter/report").body; !strings.Contains(page, "6.6 %") || !strings.Contains(page, "/ 3265") || !strings.Contains(page, "1 / 3050") {
		t.Error(page)
	}
	r := b.get("/counter/report.csv")
	rows, err := csv.NewReader(strings.NewReader(r.body)).ReadAll()
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv") {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range rows {
		got[row[0]] = strings.Join(row[1:], " ")
	}
	for name, want := range map[string]string{"measure": "count of percent low_95 high_95", "fnmr": "215 3265 6.585 5.784 7.488", "fnmr_first": "183 3077 5.947 5.165 6.839",
		"frr": "27 3077 0.877 0.604 1.274", "fta": "41 3306 1.240 0.916 1.678", "fte": "9 421 2.138 1.129 4.012", "try_2_repeat": "24    ", "replays": "2    "} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// TestCounterDossierForm: documents that were taken are kept when something else is wrong, and
// downloads come with their name.
func TestCounterDossierForm(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	b := w.browser().deskSignIn()
	w.asTablet(till)
	till.customer.Enrolled = true
	token := b.token("/counter/dossier?customer=0012345678")
	send := func(fields url.Values, files ...formFile) reply {
		contentType, body := dossierBody(t, token, fields, files...)
		return b.do("POST", "/counter/dossier", contentType, body)
	}
	fields := url.Values{"customer": {"0012345678"}, "tablet": {"t-1"}, "kind": {"passport"}, "number": {"X"}, "issuer": {"P"}, "expires": {"2001-01-01"}, "level": {"B-T"}}
	r := send(fields, formFile{"a.pdf", "%PDF a"}, formFile{"script.pdf", "%PDF"})
	if r.StatusCode != 422 || strings.Count(r.body, `name="document"`) != 1 || !strings.Contains(r.body, "a.pdf") {
		t.Fatalf("a document that is refused: %d %s", r.StatusCode, r.body)
	}
	_, kept, _ := strings.Cut(r.body, `name="document" value="`)
	kept, _, _ = strings.Cut(kept, `"`)
	fields.Set("document", html.UnescapeString(kept))
	if r = send(fields); r.StatusCode != 422 || !strings.Contains(r.body, "a.pdf") {
		t.Fatalf("a document of identity that is over: %d", r.StatusCode)
	}
	fields.Set("expires", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
	if r = send(fields); r.StatusCode != 303 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	at := r.Header.Get("Location")
	if r = send(fields); r.StatusCode != 409 {
		t.Errorf("a tablet that is in use: %d", r.StatusCode)
	}
	if len(till.session.Documents) != 1 || till.session.Documents[0].Name != "a.pdf" {
		t.Errorf("%+v", till.session.Documents)
	}
	if r = b.get(at + "/items/0"); r.StatusCode != 404 {
		t.Errorf("what is not signed: %d", r.StatusCode)
	}
	till.session.State = counters.Done
	if r = b.get(at + "/items/0"); r.StatusCode != 200 || !strings.Contains(r.Header.Get("Content-Disposition"), "a-firmato.pdf") {
		t.Errorf("%d %s", r.StatusCode, r.Header.Get("Content-Disposition"))
	}
	// No customer, no token, no file.
	if r = send(url.Values{"customer": {"nobody"}}, formFile{"a.pdf", "x"}); r.StatusCode != 404 {
		t.Errorf("nobody: %d", r.StatusCode)
	}
	token = "0"
	if r = send(fields, formFile{"a.pdf", "x"}); r.StatusCode != 403 {
		t.Errorf("a wrong token: %d", r.StatusCode)
	}
}

func dossierBody(t testing.TB, token string, fields url.Values, files ...formFile) (string, io.Reader) {
	t.Helper()
	contentType, body := multipartBody(t, token, files...)
	// The fields go after the token and before the files.
	_, boundary, _ := strings.Cut(contentType, "boundary=")
	var extra strings.Builder
	for name, values := range fields {
		for _, v := range values {
			extra.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + v + "\r\n")
		}
	}
	whole := body.String()
	head := whole[:strings.Index(whole, token)+len(token)+2]
	return contentType, strings.NewReader(head + extra.String() + whole[len(head):])
}
