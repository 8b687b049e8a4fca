package web

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/vault"
)

// clerkDesk is a counter that tells what it was asked for.
type clerkDesk struct {
	mu      sync.Mutex
	calls   []string
	refuse  error // of Begin
	changed chan struct{}
	dir     string
}

func (d *clerkDesk) call(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
}

func (d *clerkDesk) said(what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Contains(strings.Join(d.calls, "\n"), what)
}

func (d *clerkDesk) session(by staff.Member, state counters.State) counters.Session {
	return counters.Session{ID: "counter-1", Version: 7, Purpose: counters.Sign, State: state, Operator: by.ID, Created: time.Now(), Expires: time.Now()}
}

func (d *clerkDesk) Customers(_ context.Context, by staff.Member, who string) ([]counters.Customer, error) {
	d.call("find %s for %s", who, by.ID)
	return []counters.Customer{{ID: "holder-1", Username: who, Consent: &counters.Given{Text: "it-1", At: time.Now()}}}, nil
}

func (d *clerkDesk) RegisterCustomer(_ context.Context, _ staff.Member, n counters.NewCustomer) (counters.Customer, error) {
	d.call("register %s until %s", n.FiscalCode, n.Identification.Expires.Format(time.RFC3339))
	return counters.Customer{ID: "holder-2"}, nil
}

func (d *clerkDesk) Withdraw(_ context.Context, _ staff.Member, holder string) error {
	d.call("withdraw %s", holder)
	return nil
}

func (d *clerkDesk) Tablets(context.Context, staff.Member) ([]counters.Tablet, error) {
	return nil, nil
}

func (d *clerkDesk) Upload(_ context.Context, _ staff.Member, holder, name string, r io.Reader) (signing.Document, error) {
	n, err := io.Copy(io.Discard, r)
	d.call("upload %s %s %d", holder, name, n)
	return signing.Document{ID: "d-1", Name: name, Size: n}, err
}

func (d *clerkDesk) OpenDossier(_ context.Context, by staff.Member, n counters.NewDossier) (counters.Session, error) {
	d.call("dossier %s %s %d %s", n.Holder, n.Tablet, len(n.Documents), n.Reference)
	return d.session(by, counters.Open), nil
}

func (d *clerkDesk) OpenEnrolment(_ context.Context, by staff.Member, n counters.NewEnrolment) (counters.Session, error) {
	d.call("enrol %s", n.Holder)
	return d.session(by, counters.Open), nil
}

func (d *clerkDesk) Challenge(_ context.Context, _ staff.Member, id, second string) (vault.Challenge, error) {
	d.call("challenge %s %q", id, second)
	return vault.Challenge{Options: []byte(`{"publicKey":{}}`)}, nil
}

func (d *clerkDesk) Begin(_ context.Context, by staff.Member, id string, e vault.Evidence) (counters.Session, error) {
	d.call("begin %s with %s %s", id, e.OTP, e.Passkey)
	return d.session(by, counters.Reading), d.refuse
}

func (d *clerkDesk) Sessions(_ context.Context, by staff.Member) ([]counters.Session, error) {
	return []counters.Session{d.session(by, counters.Done)}, nil
}

func (d *clerkDesk) Session(_ context.Context, by staff.Member, id string) (counters.Session, error) {
	return d.session(by, counters.Reading), nil
}

func (d *clerkDesk) Watch(ctx context.Context, by staff.Member, id string, seen int64) (counters.Session, error) {
	d.call("watch %d", seen)
	select {
	case <-d.changed:
	case <-ctx.Done():
	}
	return d.session(by, counters.Done), nil
}

func (d *clerkDesk) Page(context.Context, staff.Member, string, string, int) ([]byte, error) {
	return []byte("\x89PNG"), nil
}

func (d *clerkDesk) Output(_ context.Context, _ staff.Member, id string, seq int) (*signing.Output, error) {
	if seq > 0 {
		return nil, refuse(signing.NotFound)
	}
	path := filepath.Join(d.dir, "out")
	if err := os.WriteFile(path, []byte("signed"), 0o600); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return &signing.Output{Name: "polizza-firmato.pdf", MediaType: "application/pdf", Size: 6, File: f}, err
}

func (d *clerkDesk) RemoveSample(_ context.Context, by staff.Member, _ string, index int) (counters.Session, error) {
	d.call("remove %d", index)
	return d.session(by, counters.Signing), nil
}

func (d *clerkDesk) FinishEnrolment(_ context.Context, by staff.Member, id, second string, e vault.Evidence) (counters.Session, error) {
	d.call("finish %s %q %s", id, second, e.OTP)
	s := d.session(by, counters.Done)
	s.EmergencyCode = "AAAA-BBBB"
	return s, nil
}

func (d *clerkDesk) Cancel(_ context.Context, by staff.Member, id, reason string) (counters.Session, error) {
	d.call("cancel %s %s", id, reason)
	return d.session(by, counters.Cancelled), nil
}

// operatorProgram is a bank's own application, in which an operator has signed in.
func operatorProgram(t *testing.T) (*program, *clerkDesk) {
	d := &clerkDesk{changed: make(chan struct{}), dir: t.TempDir()}
	o := newOffice(staff.RegistrationOperator)
	w := build(t, withOffice(o), func(c *Config) { c.CounterDesk = d; c.MaxUpload = 1 << 20 })
	p := &program{browser: w.browser()}
	var out Session
	p.want(p.call("POST", "/counter/session", map[string]string{"username": "sara", "password": "wrong password", "otp": "000001"}), 403, nil)
	p.want(p.call("POST", "/counter/session", map[string]string{"username": "sara", "password": testPassword, "otp": "000001"}), 200, &out)
	p.bearer = out.Token
	return p, d
}

var passportBody = map[string]string{"kind": "passport", "number": "YA1", "issuer": "Questura", "expires": "2031-02-03"}

func TestCounterAPI(t *testing.T) {
	t.Parallel()
	p, d := operatorProgram(t)
	var found []CounterCustomer
	p.want(p.call("GET", "/counter/customers?who=anna", nil), 200, &found)
	if len(found) != 1 || found[0].Consent != "it-1" || !d.said("find anna for staff-sara") {
		t.Errorf("%+v", found)
	}
	p.want(p.call("GET", "/counter/customers", nil), 422, nil)
	p.want(p.call("GET", "/counter/tablets", nil), 200, nil)
	customer := map[string]any{"given_name": "A", "surname": "R", "fiscal_code": "SMPDAA80A41H501X", "identification": passportBody}
	p.want(p.call("POST", "/counter/customers", customer), 201, nil)
	if !d.said("register SMPDAA80A41H501X until 2031-02-03T23:59:59Z") {
		t.Error(d.calls)
	}
	var doc signing.Document
	p.want(p.call("POST", "/counter/customers/holder-1/documents?name=polizza.pdf", strings.NewReader(strings.Repeat("x", 100_000))), 201, &doc)
	if doc.Size != 100_000 || !d.said("upload holder-1 polizza.pdf 100000") {
		t.Errorf("%+v", doc)
	}
	p.want(p.call("POST", "/counter/customers/holder-1/documents", strings.NewReader(strings.Repeat("x", 1<<20+1))), 413, nil)

	open := map[string]any{"purpose": "sign", "holder": "holder-1", "tablet": "tablet-1", "reference": "P-1", "identification": passportBody,
		"documents": []map[string]string{{"document": "d-1", "form": "pades"}}, "presence": map[string]string{"otp": "000 123"}}
	var s counters.Session
	r := p.call("POST", "/counter/sessions", open)
	p.want(r, 201, &s)
	if s.State != counters.Reading || r.Header.Get("Location") != "/api/v1/counter/sessions/counter-1" || !d.said("dossier holder-1 tablet-1 1 P-1") || !d.said("begin counter-1 with 000123") {
		t.Errorf("%+v %v", s, d.calls)
	}
	d.refuse = refuse(signing.WrongFactors)
	p.want(p.call("POST", "/counter/sessions", open), 403, nil)
	if !d.said("cancel counter-1 operator") {
		t.Error("a session that was not begun was left")
	}
	d.refuse = nil
	delete(open, "presence")
	p.want(p.call("POST", "/counter/sessions", open), 201, &s)
	if s.State != counters.Open {
		t.Errorf("%+v", s)
	}
	p.want(p.call("POST", "/counter/sessions/counter-1/challenge", nil), 200, nil)
	p.want(p.call("POST", "/counter/sessions/counter-1/begin", map[string]any{"passkey": map[string]string{"id": "k"}}), 200, &s)
	if !d.said(`begin counter-1 with  {"id":"k"}`) {
		t.Error(d.calls)
	}
	open["purpose"] = "enrol"
	p.want(p.call("POST", "/counter/sessions", open), 201, nil)
	open["identification"] = map[string]string{"kind": "library-card", "number": "1", "issuer": "x", "expires": "2031-02-03"}
	p.want(p.call("POST", "/counter/sessions", open), 422, nil)

	p.want(p.call("GET", "/counter/sessions", nil), 200, nil)
	close(d.changed)
	p.want(p.call("GET", "/counter/sessions/counter-1?seen=7", nil), 200, &s)
	if s.State != counters.Done || !d.said("watch 7") {
		t.Errorf("%+v", s)
	}
	if r := p.call("GET", "/counter/sessions/counter-1/documents/d-1/pages/1", nil); r.Header.Get("Content-Type") != "image/png" {
		t.Error(r.body)
	}
	if r := p.call("GET", "/counter/sessions/counter-1/items/0/content", nil); r.body != "signed" || !strings.Contains(r.Header.Get("Content-Disposition"), "polizza-firmato.pdf") {
		t.Error(r.body, r.Header)
	}
	p.want(p.call("GET", "/counter/sessions/counter-1/items/1/content", nil), 404, nil)
	p.want(p.call("DELETE", "/counter/sessions/counter-1/samples/2", nil), 200, nil)
	p.want(p.call("POST", "/counter/sessions/counter-1/approve", map[string]string{"otp": "000009"}), 200, &s)
	if s.EmergencyCode == "" || !d.said(`finish counter-1 "" 000009`) {
		t.Errorf("%+v %v", s, d.calls)
	}
	p.want(p.call("DELETE", "/counter/sessions/counter-1?reason=pen", nil), 200, nil)
	p.want(p.call("DELETE", "/counter/sessions/counter-1?reason=bored", nil), 422, nil)
	p.want(p.call("DELETE", "/counter/customers/holder-1/consent", nil), 204, nil)
	p.want(p.call("DELETE", "/counter/session", nil), 204, nil)
	p.want(p.call("GET", "/counter/sessions", nil), 401, nil)
}

// The token of a holder opens nothing at the counters, and that of a member of the staff
// nothing of a holder.
func TestCounterTokens(t *testing.T) {
	t.Parallel()
	p, _ := operatorProgram(t)
	member := p.bearer
	p.want(p.call("GET", "/documents", nil), 401, nil)
	holder := p.w.program()
	holder.want(holder.call("GET", "/counter/sessions", nil), 401, nil)
	holder.want(holder.call("POST", "/counter/customers/holder-1/documents", strings.NewReader("x")), 401, nil)
	p.bearer = ""
	for _, path := range []string{"/counter/sessions", "/counter/tablets", "/counter/sessions/counter-1/items/0/content"} {
		p.want(p.call("GET", path, nil), 401, nil)
	}
	p.bearer = member
	p.want(p.call("GET", "/counter/nothing", nil), 404, nil)
	bare := build(t).program()
	bare.want(bare.call("POST", "/counter/session", map[string]string{"username": "x", "password": "y", "otp": "000000"}), 404, nil)
}
