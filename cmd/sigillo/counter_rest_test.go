package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"

	"sigillo/auth/graphometric/synthetic"
	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
)

// bankProgram is a bank's own application, in which an operator has signed in.
type bankProgram struct{ url, token string }

func (h *house) restOperator(t testing.TB, c *clerk) *bankProgram {
	t.Helper()
	b := &bankProgram{url: h.url + "/api/v1"}
	var in struct{ Token string }
	if code := b.call(t, "POST", "/counter/session", map[string]string{"username": c.Username, "password": c.password, "otp": c.otp()}, &in); code != 200 {
		t.Fatal(code)
	}
	b.token = in.Token
	return b
}

func (b *bankProgram) call(t testing.TB, method, path string, body, into any) int {
	data, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
	}
	return b.send(t, method, path, "application/json", data, into)
}

// send is call of something that is not JSON; into may be a *[]byte.
func (b *bankProgram) send(t testing.TB, method, path, kind string, data []byte, into any) int {
	q, err := http.NewRequestWithContext(t.Context(), method, b.url+path, bytes.NewReader(data))
	if err != nil {
		t.Error(err)
		return 0
	}
	q.Header.Set("Content-Type", kind)
	if b.token != "" {
		q.Header.Set("Authorization", "Bearer "+b.token)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if raw, ok := into.(*[]byte); ok {
		*raw = answer
	} else if err == nil && into != nil && r.StatusCode < 300 {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode
}

// until waits for a session to be in a state, as an application does that waits.
func (b *bankProgram) until(t testing.TB, s *counters.Session, want counters.State) {
	t.Helper()
	for s.State != want {
		if s.State.Ended() {
			t.Fatalf("%+v", s)
		}
		if code := b.call(t, "GET", fmt.Sprintf("/counter/sessions/%s?seen=%d", s.ID, s.Version), nil, s); code != 200 {
			t.Fatal(code)
		}
	}
}

// A bank's own application does all that operators do: it registers a customer, has the
// signatures taken and approved, brings two documents, has them signed, takes the copies and
// ends the consent. The tablet is the one thing that it is not.
func TestBankProgram(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	team := h.appointed(t, staff.Certification, staff.Technical, staff.RegistrationOperator)
	carlo, tina, olga := team[0], team[1], team[2]
	p := h.newPad(t, tina, false)
	bank, second := h.restOperator(t, olga), h.restOperator(t, carlo)
	passport := map[string]string{"kind": "passport", "number": "YA1", "issuer": "Questura", "expires": "2040-01-01"}
	var ada struct {
		ID       string
		Username string
		Enrolled bool
	}
	person := map[string]any{"given_name": "Ada", "surname": "Esempio", "fiscal_code": "SMPDAA80A41H501X", "identification": passport}
	if code := bank.call(t, "POST", "/counter/customers", person, &ada); code != 201 || ada.Enrolled {
		t.Fatal(code, ada)
	}

	p.state(t)
	var s counters.Session
	order := map[string]any{"purpose": "enrol", "holder": ada.ID, "tablet": p.id, "identification": passport, "presence": map[string]string{"otp": olga.otp()}}
	if code := bank.call(t, "POST", "/counter/sessions", order, &s); code != 201 {
		t.Fatal(code)
	}
	hand := synthetic.New(7)
	v, err := h.Counter.Consent(ctx, p.id, s.ID, p.state(t).Consent.SHA256, true)
	for i := 0; err == nil && (v.Progress == nil || v.Progress.Count < 5); i++ {
		v, err = p.submit(t, s.ID, hand.Sign(0, i))
		if i == 0 && err == nil { // the operator did not like the first one
			if code := bank.call(t, "DELETE", "/counter/sessions/"+s.ID+"/samples/0", nil, nil); code != 200 {
				t.Error(code)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"otp": "000000"}
	if code := bank.call(t, "POST", "/counter/sessions/"+s.ID+"/approve", own, nil); code != 403 {
		t.Errorf("who has enrolled approves: %d", code)
	}
	if code := second.call(t, "POST", "/counter/sessions/"+s.ID+"/approve", map[string]string{"otp": carlo.otp()}, &s); code != 200 || s.EmergencyCode == "" {
		t.Fatal(code, s)
	}

	var found []struct{ Enrolled bool }
	if code := bank.call(t, "GET", "/counter/customers?who="+url.QueryEscape(ada.Username), nil, &found); code != 200 || len(found) != 1 || !found[0].Enrolled {
		t.Fatal(code, found)
	}
	contract, err := os.ReadFile(document("contratto.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	var documents []signing.Order
	for _, name := range []string{"polizza.pdf", "condizioni.pdf"} {
		var d signing.Document
		if code := bank.send(t, "POST", "/counter/customers/"+ada.ID+"/documents?name="+name, "application/octet-stream", contract, &d); code != 201 {
			t.Fatal(code)
		}
		documents = append(documents, signing.Order{Document: d.ID, Form: signing.PAdES, Level: signing.BT})
	}
	order = map[string]any{"purpose": "sign", "holder": ada.ID, "tablet": p.id, "identification": passport, "documents": documents, "reference": "P-1",
		"presence": map[string]string{"otp": olga.otp()}}
	if code := bank.call(t, "POST", "/counter/sessions", order, &s); code != 201 || len(s.Documents) != 2 {
		t.Fatal(code, s)
	}
	h.readAll(t, p, s)
	bank.until(t, &s, counters.Signing)
	var page []byte
	if code := bank.call(t, "GET", "/counter/sessions/"+s.ID+"/documents/"+s.Documents[0].ID+"/pages/1", nil, &page); code != 200 || !bytes.HasPrefix(page, []byte("\x89PNG")) {
		t.Error(code)
	}
	if code := bank.call(t, "GET", "/counter/sessions/"+s.ID+"/items/0/content", nil, nil); code != 409 {
		t.Errorf("a document that is not signed: %d", code)
	}
	v, err = p.submit(t, s.ID, hand.Sign(1, 20))
	for try := 1; err == nil && v.Step == counters.StepSign && try < 3; try++ { // a hand may miss
		v, err = p.submit(t, s.ID, hand.Sign(1, 20+try))
	}
	if err != nil {
		t.Fatal(err)
	}
	bank.until(t, &s, counters.Done)
	for n := range 2 {
		var signed []byte
		if code := bank.call(t, "GET", fmt.Sprintf("/counter/sessions/%s/items/%d/content", s.ID, n), nil, &signed); code != 200 || !bytes.HasPrefix(signed, contract) || len(signed) == len(contract) {
			t.Errorf("%d: %d, %d bytes", n, code, len(signed))
		}
	}

	h.must(t, carlo.typed(), "holder", "roll-back", s.Credential, "--version", "1", "--reason", "disputed")
	if !h.journalled(t, "profile.rolled-back", "reason", "disputed") {
		t.Error("that the profile was put back is in no journal")
	}
	if code := bank.call(t, "DELETE", "/counter/customers/"+ada.ID+"/consent", nil, nil); code != 204 {
		t.Error(code)
	}
	if ps, err := h.Vault.Profiles(ctx, ada.ID); err != nil || len(ps) != 0 {
		t.Errorf("%+v %v", ps, err)
	}
	if code := bank.call(t, "DELETE", "/counter/session", nil, nil); code != 204 {
		t.Error(code)
	}
	if code := bank.call(t, "GET", "/counter/tablets", nil, nil); code != 401 {
		t.Error(code)
	}
}
