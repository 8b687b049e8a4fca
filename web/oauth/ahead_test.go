package oauth_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/signing"
	"sigillo/vault"
	"sigillo/web/oauth"
)

// SignInChallenge and the others note what they are asked for, and say no more of a
// holder than of nobody, as the vault does.
func (r *rooms) SignInChallenge(_ context.Context, username string, e signing.Evidence) (vault.Challenge, error) {
	return r.readied(username, nil, e)
}

func (r *rooms) SendSignInCode(_ context.Context, username string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	_, err := r.readied(username+" "+q.Language, nil, e)
	return vault.CodeSent{Resend: r.now().Add(time.Minute)}, err
}

func (r *rooms) OrderChallenge(_ context.Context, username string, o oauth.Order, e signing.Evidence) (vault.Challenge, error) {
	return r.readied(username, &o, e)
}

func (r *rooms) SendOrderCode(_ context.Context, username string, o oauth.Order, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	_, err := r.readied(username+" "+q.Language, &o, e)
	return vault.CodeSent{Resend: r.now().Add(time.Minute)}, err
}

func (r *rooms) readied(username string, o *oauth.Order, e signing.Evidence) (vault.Challenge, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead = append(r.ahead, readied{username, o, e})
	return vault.Challenge{Options: json.RawMessage(`{"challenge":"AAAA"}`)}, r.fault
}

type readied struct {
	username string
	order    *oauth.Order
	evidence signing.Evidence
}

// ask has the script of a page ask for something.
func (v visitor) ask(page reply, what string, change ...string) reply {
	v.d.t.Helper()
	token, action := tokenField.FindStringSubmatch(page.body), actionField.FindStringSubmatch(page.body)
	if token == nil || action == nil {
		v.d.t.Fatalf("no form on the page (%d): %s", page.StatusCode, page.body)
	}
	at := strings.Replace(html.UnescapeString(action[1]), "?", "/"+what+"?", 1)
	form := params(map[string]string{"token": token[1], "username": user}, change...)
	req, err := http.NewRequest("POST", v.d.url+at, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
	}
	return v.d.do(v.http, req, err)
}

// TestFactorsAhead: the script of a page has made ready what is good for the page and
// nothing else, for a stranger as for a holder.
func TestFactorsAhead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := d.visitor()
	last := func() readied { return d.rooms.ahead[len(d.rooms.ahead)-1] }

	page := v.get(asked("lang", "it"))
	if r := v.ask(page, "challenge", "password", "not for the challenge"); r.StatusCode != 200 || !strings.Contains(r.body, `"challenge":"AAAA"`) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if a := last(); a.username != user || a.order != nil || a.evidence.Client != "app 127.0.0.1" || len(a.evidence.Password) > 0 {
		t.Errorf("%+v", a)
	}
	if r := v.ask(page, "send"); r.StatusCode != 200 || !strings.Contains(r.body, "resend_seconds") || last().username != user+" it" {
		t.Errorf("%d %s %+v", r.StatusCode, r.body, last())
	}

	page = v.get(ordered())
	of := v.ask(page, "challenge")
	nobody := v.ask(page, "challenge", "username", "nobody")
	if of.StatusCode != 200 || of.body != nobody.body {
		t.Errorf("of a holder %d %s, of nobody %s", of.StatusCode, of.body, nobody.body)
	}
	if a := last(); a.order == nil || a.order.Credential != cred || len(a.order.Digests) != 2 || a.evidence.Client != "app 127.0.0.1" {
		t.Errorf("%+v", a)
	}
	// The same is asked for when the holder has decided.
	if a := d.answer(v.decide(page), callback); a.Get("code") == "" {
		t.Fatalf("%v", a)
	}
	if got, asked := d.rooms.orders[0], *last().order; got.Credential != asked.Credential || !slices.EqualFunc(got.Digests, asked.Digests, slices.Equal) {
		t.Errorf("authorised %+v, made ready %+v", got, asked)
	}

	// The credential of one who has one, where the request names none.
	page = v.get(ordered("credentialID", "-", "signatureQualifier", "eu_eidas_aes"))
	if r := v.ask(page, "send"); r.StatusCode != 200 || last().order.Credential != cred {
		t.Errorf("%d %+v", r.StatusCode, last().order)
	}
	if r := v.ask(page, "send", "username", "nobody"); r.StatusCode != 200 || last().order.Credential != "" {
		t.Errorf("%d %+v", r.StatusCode, last().order)
	}
}

func TestFactorsAheadRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := d.visitor()
	page := v.get(asked())
	if r := v.ask(page, "send", "token", "-"); r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, `"kind":"forged"`) {
		t.Errorf("without the form's token: %d %s", r.StatusCode, r.body)
	}
	req, err := http.NewRequest("POST", d.url+"/oauth2/authorize/send?"+url.Values{"client_id": {"unknown"}}.Encode(), strings.NewReader(""))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
	}
	if r := d.do(v.http, req, err); r.StatusCode != http.StatusBadRequest || len(d.rooms.ahead) > 0 {
		t.Errorf("of an unknown application: %d %s", r.StatusCode, r.body)
	}
	d.rooms.fault = refuse(signing.Busy)
	if r := v.ask(page, "challenge"); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("busy: %d %s", r.StatusCode, r.body)
	}
	d.rooms.fault = nil
	// Whoever asks again and again is told to wait.
	for range 100 {
		if r := v.ask(page, "challenge"); r.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("attempts are without limit")
}
