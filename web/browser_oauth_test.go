package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"sigillo/signing"
	"sigillo/store"
	"sigillo/web/oauth"
)

// asking are the rooms as the authorization server sees them.
type asking struct{ *rooms }

func (r asking) Known(_ context.Context, username string) (store.Holder, error) {
	if username != testUser {
		return store.Holder{}, refuse(signing.NotFound)
	}
	return store.Holder{ID: testHolder, Username: testUser}, nil
}

func (r asking) Recognise(ctx context.Context, username string, e signing.Evidence) (store.Holder, error) {
	h, err := r.Known(ctx, username)
	if err != nil {
		return h, refuse(signing.WrongFactors)
	}
	leave, err := r.enter("Recognise")
	defer leave()
	if err == nil {
		err = r.factors(string(e.Password), e.OTP)
	}
	return h, err
}

func (asking) Unchanged(*store.Tx, store.Holder) (bool, error) { return true, nil }

func (r asking) Credential(ctx context.Context, id string) (signing.Credential, error) {
	all, err := r.Credentials(ctx, testHolder)
	if err != nil || all[0].ID != id {
		return signing.Credential{}, refuse(signing.NotFound)
	}
	return all[0], nil
}

func (r asking) Authorise(ctx context.Context, _ string, _ oauth.Order, e signing.Evidence) (oauth.Grant, error) {
	_, err := r.Recognise(ctx, testUser, e)
	return oauth.Grant{Handle: randomToken() + randomToken(), Expires: time.Now().Add(5 * time.Minute)}, err
}

func (r asking) Drop(context.Context, string, string, string) {}

// withApplications opens the doors for applications and registers one, whose secret is
// put into secret.
func withApplications(t testing.TB, secret *string, redirect string) func(*Config) {
	return func(cfg *Config) {
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "appliance.db"), store.Appliance)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		r := asking{cfg.Signing.(*rooms)}
		cfg.OAuth, err = oauth.New(oauth.Config{DB: db, Accounts: r, Signing: r, BaseURL: "https://sign.example"})
		if err != nil {
			t.Fatal(err)
		}
		*secret, err = oauth.NewRegistry(db, nil).Add(t.Context(), oauth.Client{ID: "gestionale", Name: "Gestionale Pratiche", Method: oauth.ClientSecret, Redirects: []string{redirect}}, "test")
		if err != nil {
			t.Fatal(err)
		}
	}
}

func documentHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// orderOf is an authorization request for signatures, as an application sends it.
func orderOf(client oauth2.Config, state, verifier string, names ...string) string {
	type digest struct {
		Hash  string `json:"hash"`
		Label string `json:"label,omitempty"`
	}
	detail := map[string]any{"type": "credential", "credentialID": testCred, "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1", "numSignatures": len(names)}
	var digests []digest
	for i, name := range names {
		digests = append(digests, digest{documentHash(fmt.Sprint(i, name)), name})
	}
	detail["documentDigests"] = digests
	text, _ := json.Marshal([]any{detail}) // cannot fail
	return client.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("authorization_details", string(text)),
		oauth2.SetAuthURLParam("scope", "credential"), oauth2.SetAuthURLParam("description", "Pratica 2026/114: locazione di via Garibaldi"))
}

// TestApplicationInBrowser: an application sends the holder here and gets him back, with
// a real browser between them, which applies the content policy to where a form leads.
func TestApplicationInBrowser(t *testing.T) {
	bin := chromium(t)
	axe := readAxe(t)
	shots := os.Getenv("SIGILLO_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	for _, c := range []struct {
		lang  string
		width int64
	}{{"it", 1280}, {"en", 390}} {
		name := c.lang + "-" + map[int64]string{1280: "desktop", 390: "phone"}[c.width]
		t.Run(name, func(t *testing.T) {
			// The application, at an origin of its own.
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "<!DOCTYPE html><html lang=en><title>app</title><h1>The application</h1><p id=answer>%s</p>", r.URL.Query().Encode())
			}))
			t.Cleanup(app.Close)
			redirect := strings.Replace(app.URL, "127.0.0.1", "localhost", 1) + "/cb" // another site than ours
			var secret string
			w := build(t, withApplications(t, &secret, redirect), func(c *Config) { c.UnverifiedClock = true })
			s := open(t, w, bin, c.lang)
			s.shots, s.axe = filepath.Join(shots, name), axe
			s.applications(oauth2.Config{ClientID: "gestionale", ClientSecret: secret, RedirectURL: redirect, Scopes: []string{"service"},
				Endpoint: oauth2.Endpoint{AuthURL: w.url + "/oauth2/authorize", TokenURL: w.url + "/oauth2/token"}}, c.lang, c.width)
		})
	}
}

func (s *stroll) applications(client oauth2.Config, lang string, width int64) {
	verifier := oauth2.GenerateVerifier()
	s.run("asked for the account", chromedp.EmulateViewport(width, 900), chromedp.Navigate(client.AuthCodeURL("one", oauth2.S256ChallengeOption(verifier))+"&lang="+lang), chromedp.WaitVisible("#otp"))
	s.shot("20-consent")
	s.fill("111111", "wrong")
	s.run("refused", chromedp.SendKeys("#username", testUser), chromedp.Click("main button.btn-primary"), chromedp.WaitVisible("main > .summary"))
	s.shot("21-consent-refused")
	s.fill("111111", testPassword)
	s.back("consent", "main button.btn-primary", client, "one", verifier, "Bearer")

	s.run("asked for signatures", chromedp.Navigate(orderOf(client, "two", verifier, "Contratto di locazione.pdf", "Verbale di consegna.pdf", "")+"&lang="+lang), chromedp.WaitVisible("#otp"))
	s.shot("22-authorise")
	s.run("language", chromedp.Click(".site-language a[hreflang=en]"), chromedp.WaitVisible("html[lang=en] #otp"))
	s.run("username", chromedp.SendKeys("#username", testUser))
	s.fill("222222", testPassword)
	s.back("authorise", "main button.btn-primary", client, "two", verifier, "Bearer")

	s.run("asked for one", chromedp.Navigate(orderOf(client, "three", verifier, "Contratto.pdf")), chromedp.WaitVisible("#otp"))
	answer := s.sent("refuse", ".refuse button")
	if answer.Get("error") != "access_denied" || answer.Get("state") != "three" {
		s.t.Errorf("refused: %v", answer)
	}
	s.w.rooms.mu.Lock()
	s.w.rooms.suspended = true
	s.w.rooms.mu.Unlock()
	s.run("suspended", chromedp.Navigate(orderOf(client, "four", verifier, "Contratto.pdf")+"&lang="+lang), chromedp.WaitVisible("#otp"), chromedp.SendKeys("#username", testUser))
	s.fill("333333", testPassword)
	s.run("suspended", chromedp.Click("main button.btn-primary"), chromedp.WaitVisible("main > .summary"))
	s.shot("23-authorise-suspended")
	s.run("unknown", chromedp.Navigate(s.w.url+"/oauth2/authorize?client_id=nobody"), chromedp.WaitVisible(".error-page"))
	s.shot("24-unknown-application")
}

// sent clicks and waits until the browser is back at the application; it gives what that
// was told.
func (s *stroll) sent(what, button string) url.Values {
	s.t.Helper()
	s.run(what, chromedp.Click(button), chromedp.WaitVisible("#answer"))
	answer, err := url.ParseQuery(eval[string](s, `document.getElementById("answer").textContent`))
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// back is sent, and the application gets its tokens.
func (s *stroll) back(what, button string, client oauth2.Config, state, verifier, kind string) {
	s.t.Helper()
	answer := s.sent(what, button)
	if answer.Get("state") != state || answer.Get("code") == "" || answer.Get("iss") != "https://sign.example" {
		s.t.Fatalf("%s: %v", what, answer)
	}
	token, err := client.Exchange(s.t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil || token.AccessToken == "" || token.Type() != kind {
		s.t.Errorf("%s: %v %+v", what, err, token)
	}
}
