package web

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"sigillo/signing"
	"sigillo/web/oauth"
)

// letIn stands for the authorization server: two applications that a holder has let in.
type letIn struct {
	grants []oauth.Granted
	fault  error
}

func newLetIn() *letIn {
	at := time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC)
	return &letIn{grants: []oauth.Granted{
		{ID: "g-2", Application: "gestionale", Name: "Gestionale <b>Pratiche</b>", Scope: oauth.Service, Created: at, Expires: at.AddDate(0, 0, 30), Used: at.Add(time.Hour)},
		{ID: "g-1", Application: "archivio", Name: "Archivio", Scope: oauth.Service, Created: at.AddDate(0, 0, -3), Expires: at.AddDate(0, 0, 27)},
	}}
}

func (a *letIn) Grants(_ context.Context, holder string) ([]oauth.Granted, error) {
	if holder != testHolder {
		return nil, nil
	}
	return append([]oauth.Granted(nil), a.grants...), a.fault
}

func (a *letIn) EndGrant(_ context.Context, holder, id string) error {
	for i, g := range a.grants {
		if g.ID == id && holder == testHolder {
			a.grants = append(a.grants[:i], a.grants[i+1:]...)
			break
		}
	}
	return a.fault
}

func (a *letIn) Name(_ context.Context, id string) string {
	for _, g := range a.grants {
		if g.Application == id {
			return g.Name
		}
	}
	return id
}

// A holder sees which applications are let in, and since when, and ends each at once.
func TestApplicationsPage(t *testing.T) {
	t.Parallel()
	room := newLetIn()
	w := build(t, withLocksmith(&locksmith{}), withRequests(twoRequests()), func(c *Config) { c.Applications = room })
	b := w.browser()
	if r := b.get("/security/applications"); r.StatusCode != 303 {
		t.Fatalf("seen without signing in: %d", r.StatusCode)
	}
	b.signIn("000001")
	page := b.get("/security/applications").body
	for _, want := range []string{"Gestionale &lt;b&gt;Pratiche", "See your certificates", `datetime="2026-03-02T11:30:00Z"`, "never", "/security/applications/g-1/end"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.Contains(b.get("/security").body, `href="/security/applications"`) {
		t.Error("nothing leads to the page")
	}
	if !strings.Contains(b.get("/requests").body, "Gestionale &lt;b&gt;Pratiche&lt;/b&gt; asks") {
		t.Error("who asks for a signature is not called by its name")
	}
	if r := b.post("/security/applications/g-1/end", url.Values{}); r.StatusCode != 403 || len(room.grants) != 2 {
		t.Fatalf("ended without a form of ours: %d", r.StatusCode)
	}
	token := b.token("/security/applications")
	if r := b.post("/security/applications/g-1/end", url.Values{"token": {token}}); r.StatusCode != 303 || len(room.grants) != 1 {
		t.Fatalf("ended: %d", r.StatusCode)
	}
	room.fault = refuse(signing.Busy)
	if r := b.post("/security/applications/g-2/end", url.Values{"token": {token}}); r.StatusCode != 503 {
		t.Fatalf("busy: %d", r.StatusCode)
	}
	room.fault, room.grants = nil, nil
	if !strings.Contains(b.get("/security/applications?ended=1").body, "let no application in") {
		t.Error("an empty list says nothing")
	}
}

func TestForgetBrowsers(t *testing.T) {
	t.Parallel()
	l := &locksmith{}
	w := build(t, withLocksmith(l))
	b := w.browser().signIn("000001")
	b.cookies[browserCookie] = "known"
	if r := b.post("/security/browsers/forget", url.Values{}); r.StatusCode != 403 || len(l.asked) > 0 {
		t.Fatalf("without a form of ours: %d", r.StatusCode)
	}
	r := b.post("/security/browsers/forget", url.Values{"token": {b.token("/security/sessions")}})
	if r.StatusCode != 303 || len(l.asked) != 1 || l.asked[0] != "forget "+testHolder || b.cookies[browserCookie] != "" {
		t.Fatalf("%d %v %v", r.StatusCode, l.asked, b.cookies)
	}
	if !strings.Contains(b.get(r.Header.Get("Location")).body, "counts as new") {
		t.Error("the holder is not told")
	}
}

func TestApplicationsInAPI(t *testing.T) {
	t.Parallel()
	room := newLetIn()
	w := build(t, func(c *Config) { c.Applications = room })
	p := w.program()
	var got []ApplicationGrant
	p.want(p.call("GET", "/applications", nil), 200, &got)
	if len(got) != 2 || got[0].Client != "gestionale" || got[0].Used == nil || got[1].Used != nil || got[1].Scope != oauth.Service {
		t.Errorf("%+v", got)
	}
	p.want(p.call("DELETE", "/applications/g-2", nil), 204, nil)
	p.want(p.call("DELETE", "/applications/g-2", nil), 204, nil)
	if len(room.grants) != 1 || room.grants[0].ID != "g-1" {
		t.Errorf("%+v", room.grants)
	}
	room.grants = nil
	if r := p.call("GET", "/applications", nil); r.body != "[]\n" && r.body != "[]" {
		t.Errorf("%q", r.body)
	}
	p.bearer = ""
	p.want(p.call("GET", "/applications", nil), 401, nil)
}
