package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/formats/cms/cmstest"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
	"sigillo/web"
	"sigillo/web/oauth"
)

// robots are applications that sign in for themselves over TLS.
type robots struct {
	t    *testing.T
	h    *house
	pki  *cmstest.PKI
	base string
}

// newRobots serves a house over TLS.
func newRobots(t *testing.T) *robots {
	t.Helper()
	h := newHouse(t)
	pki := cmstest.New(t)
	face := webConfig(h.Appliance)
	face.Log = quiet()
	srv, err := web.New(face)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := pemFiles(t, pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "server"},
		DNSNames: []string{"sigillo.test"}, KeyUsage: x509.KeyUsageDigitalSignature}))
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tlsListener(plain, cert, key, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ctx, ln, nil) }()
	t.Cleanup(func() { cancel(); <-done })
	return &robots{t, h, pki, "https://" + ln.Addr().String()}
}

// robot is one of them.
type robot struct {
	*robots
	http  *http.Client
	token string
}

// with gives a client with a certificate, nil for none.
func (r *robots) with(id *cmstest.Identity) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(r.pki.CA)
	cfg := &tls.Config{RootCAs: roots, ServerName: "sigillo.test"}
	if id != nil {
		cfg.Certificates = []tls.Certificate{{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key}}
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	r.t.Cleanup(c.CloseIdleConnections)
	return c
}

// robot registers an application with a secret and gets it a token of its own. The
// token is not bound to the certificate: what binds the signatures is the delegation.
func (r *robots) robot(name string, id *cmstest.Identity) robot {
	r.t.Helper()
	secret, err := oauth.NewRegistry(r.h.DB, nil).Add(r.t.Context(), oauth.Client{ID: name, Name: name, Method: oauth.ClientSecret, ForItself: true}, "test")
	if err != nil {
		r.t.Fatal(err)
	}
	c := r.with(id)
	res, err := c.PostForm(r.base+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {secret}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Access_token string }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Access_token == "" {
		r.t.Fatal(res.Status, err)
	}
	return robot{r, c, out.Access_token}
}

// by is the same application over another connection.
func (r robot) by(c *http.Client) robot { r.http = c; return r }

// call asks a method, and gives status and error description.
func (r robot) call(path string, in, out any) (int, string) {
	r.t.Helper()
	body, _ := json.Marshal(in)
	req, _ := http.NewRequest(http.MethodPost, r.base+"/csc/v2/"+path, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		r.t.Fatal(path, res.Status, err)
	}
	if res.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			r.t.Fatal(err)
		}
	}
	var e struct{ Error_description string }
	_ = json.Unmarshal(raw, &e)
	return res.StatusCode, e.Error_description
}

// delegatedOrder asks for a SAD over n new digests.
func delegatedOrder(credential, delegation, kind string, n int) (map[string]any, [][32]byte) {
	var hashes []string
	var ds [][32]byte
	for range n {
		d := sha256.Sum256([]byte(rand.Text()))
		ds, hashes = append(ds, d), append(hashes, base64.StdEncoding.EncodeToString(d[:]))
	}
	return map[string]any{"credentialID": credential, "numSignatures": n, "hashes": hashes, "hashAlgorithmOID": oidSHA256,
		"delegation": delegation, "documentKind": kind}, ds
}

// sign sends the request for the signatures of an order.
func (r robot) sign(in map[string]any, sad string, out any) (int, string) {
	r.t.Helper()
	return r.call("signatures/signHash", map[string]any{"credentialID": in["credentialID"], "SAD": sad, "hashes": in["hashes"],
		"hashAlgorithmOID": oidSHA256, "signAlgo": oidECDSASHA256}, out)
}

// automatic registers one of the invented people as a holder whose credential can be
// delegated.
func (h *house) automatic(t *testing.T, person int) *client {
	t.Helper()
	n := demoPeople[person]
	n.Username, n.Automatic, n.MaxDigests = "robot-"+strings.ToLower(rand.Text()[:8]), true, 20
	d, err := addDemoHolder(t.Context(), h.Appliance, n)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(h.url, d)
	if err != nil {
		t.Fatal(err)
	}
	c.used = auth.OTPStep(time.Now()) - 1
	return c
}

// give has a holder give a delegation to who presents a certificate.
func (r *robots) give(c *client, id *cmstest.Identity, count int) vault.Delegation {
	r.t.Helper()
	return r.giveUntil(c, id, count, time.Now().Add(24*time.Hour))
}

func (r *robots) giveUntil(c *client, id *cmstest.Identity, count int, until time.Time) vault.Delegation {
	r.t.Helper()
	sum := sha256.Sum256(id.Certificate.Raw)
	d, err := r.h.Remote.Delegate(r.t.Context(), r.h.holderID(r.t, c), remote.Delegation{ID: remote.NewDelegationID(), Credential: c.holder.Credential, Count: count,
		Expires: until, ClientCertificate: sum[:], Kinds: []string{"invoice"}},
		signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(r.t), Client: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// TestDelegatedApplication walks the automatic procedure (SIG-7) from the holder's
// delegation to signatures, over TLS, and tries what it must not be good for.
func TestDelegatedApplication(t *testing.T) {
	t.Parallel()
	r := newRobots(t)
	c := r.h.automatic(t, 0)
	mine, theirs := r.pki.Signer(t, "p256"), r.pki.Signer(t, "p256")
	d := r.give(c, mine, 6)
	app, other := r.robot("fatture", mine), r.robot("altra", theirs)
	id := c.holder.Credential

	var list struct {
		CredentialIDs []string
	}
	if status, say := app.call("credentials/list", map[string]any{"userID": c.holder.Username}, &list); status != 200 || len(list.CredentialIDs) != 1 || list.CredentialIDs[0] != id {
		t.Fatal(status, say, list)
	}
	var info struct {
		Auth struct{ Mode string }
		Cert struct{ Certificates []string }
	}
	if status, say := app.call("credentials/info", map[string]any{"credentialID": id}, &info); status != 200 || info.Auth.Mode != "implicit" {
		t.Fatal(status, say, info)
	}
	der, _ := base64.StdEncoding.DecodeString(info.Cert.Certificates[0])
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	// Another certificate sees nothing, nor does nobody's.
	for name, who := range map[string]robot{"another application": other, "another certificate": app.by(r.with(theirs))} {
		list.CredentialIDs = nil
		if status, _ := who.call("credentials/list", map[string]any{"userID": c.holder.Username}, &list); status != 200 || len(list.CredentialIDs) != 0 {
			t.Errorf("%s lists %v (%d)", name, list.CredentialIDs, status)
		}
		if status, _ := who.call("credentials/info", map[string]any{"credentialID": id}, nil); status != 400 {
			t.Errorf("%s sees the credential: %d", name, status)
		}
	}
	if status, _ := app.call("credentials/list", map[string]any{"userID": "nobody"}, &list); status != 200 || len(list.CredentialIDs) != 0 {
		t.Error(status, list)
	}
	bare := app.by(r.with(nil))
	if status, _ := bare.call("credentials/list", map[string]any{"userID": c.holder.Username}, nil); status != 400 {
		t.Errorf("list without a certificate: %d", status)
	}
	if status, _ := bare.call("credentials/info", map[string]any{"credentialID": id}, nil); status != 403 {
		t.Errorf("info without a certificate: %d", status)
	}
	if status, _ := app.call("credentials/list", map[string]any{}, nil); status != 403 {
		t.Errorf("list of nobody: %d", status)
	}

	in, digests := delegatedOrder(id, d.ID, "invoice", 3)
	var sad struct {
		SAD       string
		ExpiresIn int
	}
	if status, say := app.call("credentials/authorize", in, &sad); status != 200 || sad.SAD == "" || sad.ExpiresIn < 200 {
		t.Fatal(status, say, sad)
	}
	for name, who := range map[string]robot{"another application": other, "another certificate": app.by(r.with(theirs)), "no certificate": bare} {
		if status, say := who.sign(in, sad.SAD, nil); status != 400 && status != 403 {
			t.Errorf("%s signs: %d %s", name, status, say)
		}
	}
	if status, say := app.call("credentials/extendTransaction", map[string]any{"credentialID": id, "SAD": sad.SAD}, nil); status != 403 {
		t.Errorf("extended: %d %s", status, say)
	}
	stranger, _ := delegatedOrder(id, d.ID, "invoice", 1)
	if status, say := app.sign(stranger, sad.SAD, nil); status != 400 {
		t.Errorf("other digests: %d %s", status, say)
	}
	// The holder's own ways do not lead to it either.
	_, err = r.h.Remote.Sign(t.Context(), r.h.holderID(t, c), "fatture", sad.SAD, remote.Activation{Hash: crypto.SHA256, Digests: [][]byte{digests[0][:]}, Scheme: remote.ECDSA})
	if signing.KindOf(err) != remote.NoGrant {
		t.Errorf("as the holder: %v", err)
	}
	var out struct{ Signatures []string }
	if status, say := app.sign(in, sad.SAD, &out); status != 200 {
		t.Fatal(status, say)
	}
	verified(t, cert, out.Signatures, digests...)
	if status, _ := app.sign(in, sad.SAD, nil); status != 400 {
		t.Errorf("signed twice: %d", status)
	}
	app.refusals(t, other, bare, d, id)
	if !r.h.journalled(t, "signature.granted", "delegation", d.ID) || !r.h.journalled(t, "signature.done", "delegation", d.ID) {
		t.Error("the journal does not name the delegation")
	}
	app.revoked(t, c, d)
}

// refusals tries what is outside of the bounds; 3 of 6 are used.
func (r robot) refusals(t *testing.T, other, bare robot, d vault.Delegation, id string) {
	t.Helper()
	ask := func(change func(map[string]any)) map[string]any {
		in, _ := delegatedOrder(id, d.ID, "invoice", 1)
		change(in)
		return in
	}
	for name, c := range map[string]struct {
		who    robot
		status int
		change func(map[string]any)
	}{
		"another application":  {other, 400, func(map[string]any) {}},
		"no certificate":       {bare, 403, func(map[string]any) {}},
		"another kind":         {r, 400, func(in map[string]any) { in["documentKind"] = "will" }},
		"no kind":              {r, 400, func(in map[string]any) { delete(in, "documentKind") }},
		"a kind without limit": {r, 400, func(in map[string]any) { in["documentKind"] = strings.Repeat("x", 5000) }},
		"no such delegation":   {r, 400, func(in map[string]any) { in["delegation"] = "none" }},
		"no delegation":        {r, 403, func(in map[string]any) { delete(in, "delegation") }},
		"no such credential":   {r, 400, func(in map[string]any) { in["credentialID"] = "none" }},
		"whole documents":      {r, 400, func(in map[string]any) { in["hashType"] = "SDR" }},
		"factors too":          {r, 400, func(in map[string]any) { in["authData"] = []any{map[string]any{"id": "PIN", "value": "x"}} }},
		"over the count": {r, 400, func(in map[string]any) {
			more, _ := delegatedOrder(id, d.ID, "invoice", 4)
			in["hashes"], in["numSignatures"] = more["hashes"], 4
		}},
		"more than there are": {r, 400, func(in map[string]any) { in["numSignatures"] = 2 }},
	} {
		if status, say := c.who.call("credentials/authorize", ask(c.change), nil); status != c.status || say == "" {
			t.Errorf("%s: %d %q, want %d", name, status, say, c.status)
		}
	}
	if list, err := r.h.Remote.Delegations(t.Context(), d.Holder); err != nil || len(list) != 1 || list[0].Used != 3 {
		t.Errorf("what was refused was counted: %+v, %v", list, err)
	}
}

// revoked: at once, also for a SAD that is there already.
func (r robot) revoked(t *testing.T, c *client, d vault.Delegation) {
	t.Helper()
	in, _ := delegatedOrder(d.Credential, d.ID, "invoice", 1)
	var sad struct{ SAD string }
	if status, say := r.call("credentials/authorize", in, &sad); status != 200 {
		t.Fatal(status, say)
	}
	err := r.h.Remote.RevokeDelegation(t.Context(), "holder-of-nothing", d.ID, "test", "no longer wanted")
	if signing.KindOf(err) != signing.NotFound {
		t.Errorf("another's delegation revoked: %v", err)
	}
	if err := r.h.Remote.RevokeDelegation(t.Context(), d.Holder, d.ID, "test", "no longer wanted"); err != nil {
		t.Fatal(err)
	}
	if status, say := r.sign(in, sad.SAD, nil); status != 400 || say != "No delegation allows this" {
		t.Errorf("signed after the revocation: %d %s", status, say)
	}
	if status, _ := r.call("credentials/authorize", in, nil); status != 400 {
		t.Errorf("authorised after the revocation: %d", status)
	}
	if status, _ := r.call("credentials/info", map[string]any{"credentialID": d.Credential}, nil); status != 400 {
		t.Errorf("seen after the revocation: %d", status)
	}
	if !r.h.journalled(t, "delegation.revoked", "holder", d.Holder) {
		t.Error("the revocation is not in the journal")
	}
}

// TestDelegateRefused: what a delegation needs.
func TestDelegateRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	auto, ordinary := h.automatic(t, 0), h.holder(t, "p256")
	for name, c := range map[string]struct {
		who    *client
		change func(*remote.Delegation, *signing.Evidence)
		kind   signing.Kind
	}{
		"an ordinary credential": {ordinary, func(*remote.Delegation, *signing.Evidence) {}, remote.NotDelegated},
		"another's credential":   {auto, func(n *remote.Delegation, _ *signing.Evidence) { n.Credential = ordinary.holder.Credential }, signing.NotFound},
		"no code":                {auto, func(_ *remote.Delegation, e *signing.Evidence) { e.OTP = "" }, signing.WrongFactors},
		"no kinds":               {auto, func(n *remote.Delegation, _ *signing.Evidence) { n.Kinds = nil }, signing.BadRequest},
		"for ever":               {auto, func(n *remote.Delegation, _ *signing.Evidence) { n.Expires = time.Now().AddDate(3, 0, 0) }, signing.BadRequest},
	} {
		sum := sha256.Sum256([]byte(name))
		n := remote.Delegation{ID: remote.NewDelegationID(), Credential: c.who.holder.Credential, Count: 1, Expires: time.Now().Add(time.Hour), ClientCertificate: sum[:], Kinds: []string{"x"}}
		e := signing.Evidence{Password: []byte(c.who.holder.Password), OTP: "000000", Client: "test"}
		c.change(&n, &e)
		if _, err := h.Remote.Delegate(t.Context(), h.holderID(t, c.who), n, e); signing.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
		if len(bytes.Trim(e.Password, "\x00")) > 0 {
			t.Errorf("%s: the password is there still", name)
		}
	}
	if list, err := h.Remote.Delegations(t.Context(), h.holderID(t, auto)); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
