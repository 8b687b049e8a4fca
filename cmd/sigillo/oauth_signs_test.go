package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"sigillo/hsm"
	"sigillo/web/oauth"
)

// ask calls the CSC API with a token; into may be nil.
func (a *application) ask(path, bearer string, in, into any) int {
	a.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequest("POST", a.h.url+"/csc/"+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, text := a.read(http.DefaultClient.Do(req))
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil || res.StatusCode >= 300 {
			a.t.Fatalf("%s: %d %s", path, res.StatusCode, text)
		}
	}
	return res.StatusCode
}

// pushed is the address of a page for a request that was pushed.
func (a *application) pushed(at string) string {
	a.t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequest("POST", a.h.url+"/oauth2/pushed_authorize", strings.NewReader(u.RawQuery))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(a.ClientID, a.ClientSecret)
	res, text := a.read(http.DefaultClient.Do(req))
	var out struct{ Request_uri string }
	if err := json.Unmarshal([]byte(text), &out); err != nil || res.StatusCode != http.StatusCreated {
		a.t.Fatalf("%d %s", res.StatusCode, text)
	}
	return a.Endpoint.AuthURL + "?" + url.Values{"client_id": {a.ClientID}, "request_uri": {out.Request_uri}}.Encode()
}

// certificate is that of a credential, as the API gives it.
func (a *application) certificate(bearer, credential string) *x509.Certificate {
	a.t.Helper()
	var info struct {
		Cert struct{ Certificates []string }
	}
	a.ask("v2/credentials/info", bearer, map[string]any{"credentialID": credential, "certificates": "single"}, &info)
	der, err := base64.StdEncoding.DecodeString(info.Cert.Certificates[0])
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// verified says whether the signatures are over the digests, in their order.
func verified(t *testing.T, cert *x509.Certificate, signatures []string, digests ...[32]byte) {
	t.Helper()
	if len(signatures) != len(digests) {
		t.Fatalf("%d signatures for %d digests", len(signatures), len(digests))
	}
	for i, text := range signatures {
		sig, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !ecdsa.VerifyASN1(cert.PublicKey.(*ecdsa.PublicKey), digests[i][:], sig) {
			t.Errorf("signature %d: %v", i, err)
		}
	}
}

const (
	oidSHA256      = "2.16.840.1.101.3.4.2.1"
	oidECDSASHA256 = "1.2.840.10045.4.3.2"
)

// TestApplicationSigns walks the whole way of an application, with a real vault behind
// it: the holder's account, his credentials, his consent to two digests, two signatures,
// and no third one.
func TestApplicationSigns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one, two, evil := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two")), sha256.Sum256([]byte("evil"))
	std, raw := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	verifier := oauth2.GenerateVerifier()
	challenge := oauth2.S256ChallengeOption(verifier)

	t.Run("v2", func(t *testing.T) {
		t.Parallel()
		c, app := h.holder(t, hsm.P256), h.application(t)
		app.t = t
		service := app.token(app.AuthCodeURL("x", challenge), verifier, c.holder.Username, c.holder.Password, c.mustOTP(t))
		var list struct{ CredentialIDs []string }
		app.ask("v2/credentials/list", service.AccessToken, map[string]any{}, &list)
		if len(list.CredentialIDs) != 1 || list.CredentialIDs[0] != c.holder.Credential {
			t.Fatalf("%v", list)
		}
		cert := app.certificate(service.AccessToken, c.holder.Credential)
		details, _ := json.Marshal([]any{map[string]any{"type": "https://cloudsignatureconsortium.org/2025/credential", "credentialID": c.holder.Credential,
			"hashAlgorithmOID": oidSHA256, "numSignatures": 2, "documentDigests": []any{
				map[string]any{"hash": std(one[:]), "label": "uno.pdf", "hashType": "DTBSR"}, map[string]any{"hash": std(two[:]), "label": "due.pdf", "hashType": "DTBSR"}}}})
		at := app.pushed(app.AuthCodeURL("x", challenge, oauth2.SetAuthURLParam("scope", "credential"), oauth2.SetAuthURLParam("authorization_details", string(details))))
		token := app.token(at, verifier, c.holder.Username, c.holder.Password, c.mustOTP(t))
		sign := func(digests ...[32]byte) map[string]any {
			var list []string
			for _, d := range digests {
				list = append(list, std(d[:]))
			}
			return map[string]any{"credentialID": c.holder.Credential, "hashes": list, "hashAlgorithmOID": oidSHA256, "signAlgo": oidECDSASHA256, "signAlgoParams": nil, "operationMode": "S"}
		}
		for name, status := range map[string]int{
			"other digests":     app.ask("v2/signatures/signHash", token.AccessToken, sign(evil), nil),
			"one of them twice": app.ask("v2/signatures/signHash", token.AccessToken, sign(one, one), nil),
			"scope service":     app.ask("v2/signatures/signHash", service.AccessToken, sign(one), nil),
			"no token":          app.ask("v2/signatures/signHash", "x", sign(one), nil),
		} {
			if status < 400 || status >= 500 {
				t.Errorf("%s: %d", name, status)
			}
		}
		var out struct{ Signatures []string }
		app.ask("v2/signatures/signHash", token.AccessToken, sign(two, one), &out)
		verified(t, cert, out.Signatures, two, one)
		if status := app.ask("v2/signatures/signHash", token.AccessToken, sign(one), nil); status < 400 || status >= 500 {
			t.Errorf("a third signature: %d", status)
		}
	})

	t.Run("v1", func(t *testing.T) {
		t.Parallel()
		c := h.holder(t, hsm.P256)
		app := h.application(t, func(c *oauth.Client) { c.ID, c.WithoutProofKey = "vecchio", true })
		app.t = t
		service := app.token(app.AuthCodeURL("x"), "", c.holder.Username, c.holder.Password, c.mustOTP(t))
		cert := app.certificate(service.AccessToken, c.holder.Credential)
		token := app.token(app.AuthCodeURL("x", oauth2.SetAuthURLParam("scope", "credential"), oauth2.SetAuthURLParam("credentialID", c.holder.Credential),
			oauth2.SetAuthURLParam("numSignatures", "2"), oauth2.SetAuthURLParam("hash", raw(one[:])+","+raw(two[:]))), "", c.holder.Username, c.holder.Password, c.mustOTP(t))
		if token.TokenType != "SAD" {
			t.Errorf("type %q", token.TokenType)
		}
		var out struct{ Signatures []string }
		app.ask("v1/signatures/signHash", service.AccessToken, map[string]any{"credentialID": c.holder.Credential, "SAD": token.AccessToken,
			"hash": []string{std(one[:])}, "signAlgo": oidECDSASHA256}, &out)
		verified(t, cert, out.Signatures, one)
		// What is left ends when the application says so.
		req, err := http.NewRequest("POST", h.url+"/oauth2/revoke", strings.NewReader(url.Values{"token": {token.AccessToken}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(app.ClientID, app.ClientSecret)
		if res, _ := app.read(http.DefaultClient.Do(req)); res.StatusCode != http.StatusNoContent {
			t.Errorf("revoke: %d", res.StatusCode)
		}
		if status := app.ask("v1/signatures/signHash", service.AccessToken, map[string]any{"credentialID": c.holder.Credential, "SAD": token.AccessToken,
			"hash": []string{std(two[:])}, "signAlgo": oidECDSASHA256}, nil); status < 400 || status >= 500 {
			t.Errorf("after the revocation: %d", status)
		}
	})
}
