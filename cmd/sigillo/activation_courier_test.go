package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
)

var partSent = regexp.MustCompile(`[0-9A-Z]{4}(-[0-9A-Z]{4}){3}`)

// part is the second part of an activation code, as it arrives on the telephone.
func (p *provider) part(t *testing.T, number string) string {
	t.Helper()
	part := partSent.FindString(p.next(t, strings.TrimPrefix(number, "+")))
	if part == "" {
		t.Fatal("no part of a code arrived")
	}
	return part
}

// TestActivationByCourier: where there is a courier the staff have no holder's whole
// code, neither at the registration nor at a recovery: what they hand over opens nothing
// without what comes to the holder's telephone.
func TestActivationByCourier(t *testing.T) {
	t.Parallel()
	p := mailProvider(t)
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Courier = p.cfg
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir)
	number := aNumber()
	n := demoPeople[0]
	n.Username, n.KeyType = "dina", hsm.P256
	if _, err := h.Invite(t.Context(), n, "olga"); staff.KindOf(err) != staff.Invalid {
		t.Errorf("invited without a telephone: %v", err)
	}
	n.Phone = "333 12"
	if _, err := h.Invite(t.Context(), n, "olga"); staff.KindOf(err) != staff.Invalid {
		t.Errorf("invited with a number that is none: %v", err)
	}
	n.Phone = number
	hand, err := h.Invite(t.Context(), n, "olga")
	if err != nil || hand.Undelivered || !strings.HasSuffix(number, strings.TrimPrefix(hand.SentTo, "…")) {
		t.Fatalf("%+v: %v", hand, err)
	}
	part := p.part(t, number)
	refuseCodes(t, h, hand.Code, part, part+" "+hand.Code, hand.Code+" 0000-0000-0000-0000")

	// The holder types both, on the page.
	v := newVisitor(t, &http.Transport{})
	password := randomWords()
	page := h.url + "/activate"
	status, _, body := v.fill(page, page, url.Values{"code": {hand.Code}, "part": {part}, "password": {password}, "again": {"x" + password}})
	if status != http.StatusUnprocessableEntity || formValue(t, body, `code" id="code`) != hand.Code || formValue(t, body, `part" id="part`) != part {
		t.Errorf("after a slip: %d %s", status, body)
	}
	status, _, body = v.fill(page, page, url.Values{"code": {hand.Code}, "part": {strings.ToLower(part)}, "password": {password}, "again": {password}})
	secret := regexp.MustCompile(`id="secret">([A-Z2-7 ]+)<`).FindStringSubmatch(body)
	if status != http.StatusOK || secret == nil {
		t.Fatalf("%d: %s", status, body)
	}
	typed := formValue(t, body, "code")
	key, err := otpSecret("otpauth://totp/x?secret=" + strings.ReplaceAll(secret[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	token := formToken.FindStringSubmatch(body)
	status, _, body = v.read(v.PostForm(page+"/confirm", url.Values{"token": token[1:], "code": {typed}, "username": {"dina"}, "password": {password}, "otp": {early(key)}}))
	if status != http.StatusOK || !partSent.MatchString(body) { // the emergency code
		t.Fatalf("%d: %s", status, body)
	}
	refuseCodes(t, h, hand.Code+" "+part) // it was used

	// At the terminal.
	said := h.must(t, "", "holder", "invite", "--username", "gino", "--given-name", "Gino", "--surname", "Prova", "--fiscal-code", demoPeople[1].FiscalCode, "--phone", number)
	first := regexp.MustCompile(`(?m)^ +([0-9A-Z]{4}(-[0-9A-Z]{4}){7})$`).FindStringSubmatch(said)
	gino := p.part(t, number)
	if first == nil || strings.Contains(said, gino) || !strings.Contains(said, "…"+number[len(number)-4:]) {
		t.Fatalf("it prints %s", said)
	}
	refuseCodes(t, h, first[1])
	h.reactivate(t, &client{holder: demoHolder{Username: "gino"}}, first[1]+gino)

	// Recovery: another telephone, which the one who approves has seen.
	staffed := h.appointed(t, staff.Security, staff.Certification, staff.RegistrationOperator)
	carlo, olga := staffed[1].Member, staffed[2].Member
	again := lost("dina")
	if _, err := h.ProposeRecovery(t.Context(), olga, again); staff.KindOf(err) != staff.Invalid {
		t.Errorf("recovered without a telephone: %v", err)
	}
	again.Contact = aNumber()
	proposal, err := h.ProposeRecovery(t.Context(), olga, again)
	if err != nil || proposal.Parameters["contact"] != again.Contact {
		t.Fatalf("%+v: %v", proposal, err)
	}
	out, err := h.Approve(t.Context(), carlo, proposal.ID, proposal.Digest())
	if err != nil || out.Handout.SentTo == "" {
		t.Fatalf("%+v: %v", out, err)
	}
	second := p.part(t, again.Contact)
	refuseCodes(t, h, out.Handout.Code, out.Handout.Code+" "+part)

	// A code given anew needs its own second part.
	anew, err := h.NewCode(t.Context(), carlo, "dina")
	if err != nil {
		t.Fatal(err)
	}
	third := p.part(t, again.Contact)
	refuseCodes(t, h, out.Handout.Code+" "+second, anew.Code+" "+second, out.Handout.Code+" "+third)
	c := &client{holder: demoHolder{Username: "dina"}}
	h.reactivate(t, c, anew.Code+" "+third)

	// With a provider that is down there is no code at all.
	p.close()
	n.Username, n.FiscalCode, n.Phone = "enzo", demoPeople[1].FiscalCode, aNumber()
	none, err := h.Invite(t.Context(), n, "olga")
	if err != nil || !none.Undelivered || none.Code != "" {
		t.Fatalf("%+v: %v", none, err)
	}
	for _, e := range h.events(t, "") {
		if e.Event == "proposal.made" { // which holds all that was proposed
			continue
		}
		for _, secret := range []string{part, second, third, number, again.Contact} {
			if strings.Contains(string(e.Detail), secret) {
				t.Errorf("%s of %s holds %s", e.Event, e.Subject, secret)
			}
		}
	}
}

// refuseCodes wants none of these to open anything.
func refuseCodes(t *testing.T, h *house, codes ...string) {
	t.Helper()
	for _, code := range codes {
		if _, err := h.Activate(t.Context(), code, []byte(randomWords()), "test"); staff.KindOf(err) != staff.WrongCode {
			t.Errorf("%q: %v", code, err)
		}
		_, err := h.Confirm(t.Context(), code, signing.Evidence{Password: []byte(randomWords()), OTP: "123456", Client: "test"})
		if staff.KindOf(err) != staff.WrongCode {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// formValue is what a hidden field of a page holds.
func formValue(t *testing.T, page, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no field %s: %s", name, page)
	}
	return m[1]
}
