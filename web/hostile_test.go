package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"regexp"
	"testing"
	"time"

	"sigillo/auth/staff"
)

// A tablet that was revoked has a token that nobody knows any more. Its browser can be
// registered again, with another code.
func TestTabletRegisteredAgain(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.cookies[tabletCookie] = "a token of before"
	m := regexp.MustCompile(`data-token="([0-9a-f]{32})"`).FindStringSubmatch(b.get("/tablet").body)
	if m == nil {
		t.Fatal("the page has no token")
	}
	fields := url.Values{"token": {m[1]}, "code": {tillCode}, "class": {"pointer"}, "key": {base64.RawURLEncoding.EncodeToString(spki)}}
	if r := b.post("/tablet/register", fields); r.StatusCode != 200 || b.cookies[tabletCookie] != tillToken {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// Who was just registered is who is enrolled, whatever the username has in it.
func TestRegisteredIsEnrolled(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	b := w.browser().deskSignIn()
	r := b.post("/counter/customers/new", url.Values{"token": {b.token("/counter/customers/new")}, "username": {"anna&customer=berta+c"},
		"given-name": {"Anna"}, "surname": {"Rossi"}, "fiscal-code": {"SMPDAA80A41H501X"}, "locale": {"it"}, "kind": {"passport"},
		"number": {"YA1"}, "issuer": {"Questura"}, "expires": {"2040-01-01"}})
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.StatusCode != 303 || len(to.Query()["customer"]) != 1 || to.Query().Get("customer") != "anna&customer=berta+c" {
		t.Errorf("%d %v %v", r.StatusCode, to, err)
	}
}

// A server that is being shut down does not wait for an application that waits for a change.
func TestCounterAPILeaves(t *testing.T) {
	t.Parallel()
	p, d := operatorProgram(t)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.call("GET", "/counter/sessions/counter-1?seen=7", nil)
	}()
	for !d.said("watch 7") {
		time.Sleep(time.Millisecond)
	}
	p.w.leave() // what it has not answered in its ten seconds is an error of the rig's
	<-answered
}

// A page of which only the head was asked for was not given to the tablet.
func TestPageGiven(t *testing.T) {
	t.Parallel()
	var till *till
	w := build(t, withTill(&till, newOffice(staff.RegistrationOperator)))
	slate := w.asTablet(till)
	till.mu.Lock()
	till.session.ID, till.shown["d-1"] = "s-1", map[int]bool{}
	till.mu.Unlock()
	const page = "/tablet/documents/d-1/pages/1?session=s-1"
	given := func() int { till.mu.Lock(); defer till.mu.Unlock(); return till.given }
	slate.do("HEAD", page, "", nil)
	if n := given(); n != 0 {
		t.Errorf("%d pages were given", n)
	}
	slate.get(page)
	if n := given(); n != 1 {
		t.Errorf("%d pages were given", n)
	}
}
