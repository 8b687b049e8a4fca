package web

import (
	"context"
	"crypto"
	"net/url"
	"strings"
	"testing"
	"time"

	"sigillo/signing"
	"sigillo/signing/remote"
)

// requestRoom stands for the room where requests wait.
type requestRoom struct {
	waiting  []remote.Request
	approved []string
	declined []string
	fault    error
	wiped    []byte
}

func (a *requestRoom) Asked(_ context.Context, holder string) []remote.Request {
	if holder != testHolder {
		return nil
	}
	return a.waiting
}

func (a *requestRoom) Approve(_ context.Context, _, id string, e signing.Evidence) error {
	a.wiped = e.Password
	if a.fault != nil {
		return a.fault
	}
	a.approved = append(a.approved, id+" "+string(e.Password)+" "+e.OTP)
	return nil
}

func (a *requestRoom) Decline(_ context.Context, _, id string) error {
	a.declined = append(a.declined, id)
	return a.fault
}

func withRequests(room *requestRoom) func(*Config) { return func(c *Config) { c.Requests = room } }

// twoRequests wait, and are refused by whatever factors.
func twoRequests() *requestRoom {
	order := remote.Order{Credential: testCred, Hash: crypto.SHA256, Digests: [][]byte{make([]byte, 32), {31: 1}}, Application: "gestionale", Description: "Pratica 2026/114"}
	other := order
	other.Documents, other.Digests, other.Description = true, other.Digests[:1], ""
	return &requestRoom{fault: refuse(signing.WrongFactors), waiting: []remote.Request{
		{ID: "r-1", Created: time.Now(), Expires: time.Now().Add(9 * time.Minute), Order: order}, {ID: "r-2", Created: time.Now(), Expires: time.Now().Add(10 * time.Minute), Order: other}}}
}

// A holder sees who asks, what for, and gives the factors there; what an application
// says is text and nothing else.
func TestRequestsPage(t *testing.T) {
	t.Parallel()
	room := &requestRoom{waiting: []remote.Request{{ID: "r-1", Created: time.Now(), Order: remote.Order{Credential: testCred, Hash: crypto.SHA256,
		Digests: [][]byte{make([]byte, 32), {31: 1}}, Application: "Offerte <i>S.p.A.</i>", Description: "Two <script>offers</script> \u202efdp.exe"}}}}
	w := build(t, func(c *Config) { c.Requests = room })
	b := w.browser()
	if r := b.get("/requests"); r.StatusCode != 303 {
		t.Fatalf("seen without signing in: %d", r.StatusCode)
	}
	b.signIn("000001")
	page := b.get("/requests").body
	for _, want := range []string{"Offerte &lt;i&gt;S.p.A.&lt;/i&gt; asks", "Two &lt;script&gt;", "[U&#43;202E]fdp.exe", "00000000 00000001", "Approve 2 signatures", "Ada Lovelace", `href="/requests" aria-current="page"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	fields := func() url.Values {
		return url.Values{"token": {b.token("/requests")}, "password": {testPassword}, "otp": {"123 456"}}
	}
	if r := b.post("/requests/r-1/approve", url.Values{"password": {testPassword}}); r.StatusCode != 403 || len(room.approved) > 0 {
		t.Fatalf("approved without a form of ours: %d", r.StatusCode)
	}
	room.fault = refuse(signing.WrongFactors)
	if r := b.post("/requests/r-1/approve", fields()); r.StatusCode != 403 || !strings.Contains(r.body, "Offerte") {
		t.Fatalf("wrong factors: %d", r.StatusCode)
	}
	room.fault = nil
	if r := b.post("/requests/r-1/approve", fields()); r.StatusCode != 303 || len(room.approved) != 1 || room.approved[0] != "r-1 "+testPassword+" 123456" {
		t.Fatalf("approved: %d %v", r.StatusCode, room.approved)
	}
	if strings.Contains(string(room.wiped), "cavallo") {
		t.Error("the password is still in memory")
	}
	if !strings.Contains(b.get("/requests?done=approved").body, "Approved: the application") {
		t.Error("the holder is not told")
	}
	if r := b.post("/requests/r-1/decline", url.Values{"token": {b.token("/requests")}}); r.StatusCode != 303 || len(room.declined) != 1 {
		t.Fatalf("declined: %d", r.StatusCode)
	}
	room.waiting = nil
	if !strings.Contains(b.get("/requests").body, "No application") {
		t.Error("an empty list says nothing")
	}
}
