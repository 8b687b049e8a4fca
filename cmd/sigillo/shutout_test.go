package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
	"sigillo/web/oauth"
)

// opensCSC says how the CSC API answers a bearer token.
func (h *house) opensCSC(t *testing.T, token string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, h.url+"/csc/v1/credentials/list", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// otherPassword changes a holder's password.
func (h *house) otherPassword(t *testing.T, c *client) {
	t.Helper()
	next := randomWords()
	err := h.ChangePassword(t.Context(), h.holderID(t, c), vault.PasswordChange{New: []byte(next),
		Evidence: vault.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(t), Client: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	c.holder.Password = next
}

// TestPasswordShutsApplicationsOut: who has the old password may have signed in with an
// application, and may have a code that was not exchanged yet. With the new password all
// of it is over.
func TestPasswordShutsApplicationsOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	token, err := ada.cscLogin(t.Context(), ada.mustOTP(t))
	if err != nil || h.opensCSC(t, token) != http.StatusOK {
		t.Fatal(token, err)
	}
	h.otherPassword(t, ada)
	if got := h.opensCSC(t, token); got != http.StatusUnauthorized {
		t.Errorf("a token of auth/login after the change of the password: %d", got)
	}

	eva := h.holder(t, hsm.P256)
	app := h.application(t)
	verifier := oauth2.GenerateVerifier()
	res, page := app.consent(app.AuthCodeURL("x", oauth2.S256ChallengeOption(verifier)), eva.holder.Username, eva.holder.Password, eva.mustOTP(t))
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatal(res.Status, page)
	}
	h.otherPassword(t, eva)
	if got, err := app.Exchange(context.Background(), to.Query().Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Errorf("a code of before the change of the password gives tokens until %s", got.Expiry)
	}
}

// TestExtendedRevoked: an application ends an authorisation that was extended by the
// revocation endpoint, as it does one that it got there; another application does not.
func TestExtendedRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada, app := h.holder(t, hsm.P256), h.application(t)
	other := h.application(t, func(c *oauth.Client) { c.ID = "altro" })
	holder := h.holderID(t, ada)
	digest := sha256.Sum256([]byte("one"))
	g, err := h.Remote.Authorise(t.Context(), holder, remote.Order{Credential: ada.holder.Credential, Hash: crypto.SHA256, Digests: [][]byte{digest[:]},
		Application: app.ClientID}, signing.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if g, err = h.Remote.Extend(t.Context(), holder, app.ClientID, g.Handle, nil); err != nil {
		t.Fatal(err)
	}
	for _, by := range []*application{other, app} {
		if _, err := h.Remote.Grant(g.Handle); err != nil {
			t.Fatalf("ended by another: %v", err)
		}
		req, err := http.NewRequest(http.MethodPost, h.url+"/oauth2/revoke", strings.NewReader(url.Values{"token": {g.Handle}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(by.ClientID, by.ClientSecret)
		if res, text := by.read(http.DefaultClient.Do(req)); res.StatusCode != http.StatusNoContent {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
	}
	if _, err := h.Remote.Grant(g.Handle); signing.KindOf(err) != remote.NoGrant {
		t.Errorf("an authorisation that was revoked: %v", err)
	}
}
