package oauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sigillo/web/oauth"
)

// sign makes a JWT.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, c claims) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type claims map[string]any

// TestAssertions: a client that signs is known by a JWT made for us, now, by its key,
// once.
func TestAssertions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := d.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	good := func(change ...any) claims {
		now := d.now().Unix()
		c := claims{"iss": "signer", "sub": "signer", "aud": d.url, "jti": random(), "iat": now, "exp": now + 60}
		for i := 0; i+1 < len(change); i += 2 {
			if change[i+1] == nil {
				delete(c, change[i].(string))
			} else {
				c[change[i].(string)] = change[i+1]
			}
		}
		return c
	}
	es := func(c claims) string { return sign(t, jose.ES256, d.key, "1", c) }
	push := func(assertion string, change ...string) tokens {
		q := asked(append([]string{"client_id", "signer", "client_assertion", assertion, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, change...)...)
		return d.read(d.call("/oauth2/pushed_authorize", "", q))
	}
	for name, c := range map[string]struct {
		assertion string
		change    []string
		error     string
	}{
		"good":                                   {es(good()), nil, ""},
		"without client_id":                      {es(good()), []string{"client_id", "-"}, ""},
		"for the token endpoint":                 {es(good("aud", []string{d.url + "/oauth2/token"})), nil, ""},
		"without iat":                            {es(good("iat", nil)), nil, ""},
		"without kid":                            {sign(t, jose.ES256, d.key, "", good()), nil, ""},
		"clock a little ahead":                   {es(good("iat", d.now().Unix()+20)), nil, ""},
		"another's key":                          {sign(t, jose.ES256, stranger, "1", good()), nil, "invalid_client"},
		"another kid":                            {sign(t, jose.ES256, d.key, "2", good()), nil, "invalid_client"},
		"no signature":                           {none(good()), nil, "invalid_client"},
		"signed with the public key as a secret": {sign(t, jose.HS256, public, "1", good()), nil, "invalid_client"},
		"another issuer":                         {es(good("iss", "app")), nil, "invalid_client"},
		"another subject":                        {es(good("sub", "app")), nil, "invalid_client"},
		"another client_id":                      {es(good()), []string{"client_id", "app"}, "invalid_client"},
		"no audience":                            {es(good("aud", nil)), nil, "invalid_client"},
		"another audience":                       {es(good("aud", "https://other.example")), nil, "invalid_client"},
		"audience like us":                       {es(good("aud", d.url+".evil.example")), nil, "invalid_client"},
		"for others too":                         {es(good("aud", []string{d.url, "https://other.example"})), nil, "invalid_client"},
		"expired":                                {es(good("exp", d.now().Unix()-31)), nil, "invalid_client"},
		"no end":                                 {es(good("exp", nil)), nil, "invalid_client"},
		"far end":                                {es(good("exp", d.now().Unix()+700)), nil, "invalid_client"},
		"from the future":                        {es(good("iat", d.now().Unix()+60)), nil, "invalid_client"},
		"not yet":                                {es(good("nbf", d.now().Unix()+60)), nil, "invalid_client"},
		"no jti":                                 {es(good("jti", nil)), nil, "invalid_client"},
		"long jti":                               {es(good("jti", strings.Repeat("x", 257))), nil, "invalid_client"},
		"too long":                               {es(good("more", strings.Repeat("x", 20000))), nil, "invalid_client"},
		"nonsense":                               {"a.b.c", nil, "invalid_client"},
		"another type":                           {es(good()), []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_client"},
		"a secret too":                           {es(good()), []string{"client_secret", "x"}, "invalid_request"},
	} {
		if got := push(c.assertion, c.change...); got.Error != c.error || (got.URI == "") != (c.error != "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// It is good once, also after a restart, and at whichever endpoint.
	once := es(good("jti", "the one"))
	if got := push(once); got.URI == "" {
		t.Fatalf("%+v", got)
	}
	again, err := oauth.New(oauth.Config{DB: d.db, Accounts: d.rooms, BaseURL: d.url, Now: d.now})
	if err != nil || again == nil {
		t.Fatal(err)
	}
	for _, assertion := range []string{once, es(good("jti", "the one"))} {
		p := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		if r := d.call("/oauth2/token", "", p); r.StatusCode != http.StatusUnauthorized || d.read(r).Error != "invalid_client" {
			t.Errorf("replayed: %d %s", r.StatusCode, r.body)
		}
	}
	if err := forget(d); err != nil {
		t.Fatal(err)
	}
	if got := push(once); got.Error != "invalid_client" {
		t.Errorf("replayed after what is over was forgotten: %+v", got)
	}
	d.later(2 * time.Minute)
	if err := forget(d); err != nil {
		t.Fatal(err)
	}
	if got := push(once); got.Error != "invalid_client" {
		t.Errorf("replayed when it is over: %+v", got)
	}
}

// none is a JWT without a signature.
func none(c claims) string {
	body, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

// TestClientAuthentication: each client shows who it is in its own way, and in no other.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	try := func(certificate, user, pass string, p ...string) reply {
		form := params(map[string]string{"grant_type": "refresh_token", "refresh_token": "x"}, p...)
		req, err := http.NewRequest("POST", d.url+"/oauth2/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if user != "" {
			req.SetBasicAuth(user, pass)
		}
		return d.do(d.http(certificate), req, err)
	}
	secret := d.secrets["app"]
	for name, c := range map[string]struct {
		r     reply
		error string // invalid_grant: known, and the refresh token is not
	}{
		"header":                         {try("", "app", secret), "invalid_grant"},
		"form":                           {try("", "", "", "client_id", "app", "client_secret", secret), "invalid_grant"},
		"public":                         {try("", "", "", "client_id", "phone"), "invalid_grant"},
		"own certificate":                {try("bound", "", "", "client_id", "bound"), "invalid_grant"},
		"certificate of an authority":    {try("org", "", "", "client_id", "org"), "invalid_grant"},
		"nobody":                         {try("", "", ""), "invalid_client"},
		"unknown":                        {try("", "", "", "client_id", "x"), "invalid_client"},
		"no secret":                      {try("", "", "", "client_id", "app"), "invalid_client"},
		"empty secret":                   {try("", "app", ""), "invalid_client"},
		"wrong secret":                   {try("", "app", secret+"x"), "invalid_client"},
		"secret of another":              {try("", "app", d.secrets["other"]), "invalid_client"},
		"header and form":                {try("", "app", secret, "client_secret", secret), "invalid_request"},
		"header and another client":      {try("", "app", secret, "client_id", "other"), "invalid_client"},
		"public with a secret":           {try("", "", "", "client_id", "phone", "client_secret", "x"), "invalid_client"},
		"public with a header":           {try("", "phone", "x"), "invalid_client"},
		"signer with nothing":            {try("", "", "", "client_id", "signer"), "invalid_client"},
		"signer with a secret":           {try("", "signer", ""), "invalid_client"},
		"no certificate":                 {try("", "", "", "client_id", "bound"), "invalid_client"},
		"another certificate":            {try("stranger", "", "", "client_id", "bound"), "invalid_client"},
		"certificate and a secret":       {try("bound", "", "", "client_id", "bound", "client_secret", "x"), "invalid_client"},
		"subject of another authority":   {try("stranger", "", "", "client_id", "org"), "invalid_client"},
		"subject of another application": {try("colleague", "", "", "client_id", "org"), "invalid_client"},
		"a parameter twice":              {twice(d), "invalid_request"},
	} {
		got := d.read(c.r)
		status := http.StatusBadRequest
		if c.error == "invalid_client" {
			status = http.StatusUnauthorized
		}
		if got.Error != c.error || c.r.StatusCode != status {
			t.Errorf("%s: %d %+v", name, c.r.StatusCode, got)
		}
		if basic := c.r.Request.Header.Get("Authorization") != ""; basic && status == http.StatusUnauthorized && c.r.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without a challenge", name)
		}
	}
	if r := d.call("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}}); d.read(r).Error != "unauthorized_client" {
		t.Errorf("for itself, without the right to: %s", r.body)
	}
	if r := d.call("/oauth2/token", "machine", url.Values{"grant_type": {"client_credentials"}, "scope": {"credential"}}); d.read(r).Error != "invalid_scope" {
		t.Errorf("for itself, to sign: %s", r.body)
	}
	d.later(48 * time.Hour)
	if got := d.read(try("bound", "", "", "client_id", "bound")); got.Error != "invalid_client" {
		t.Errorf("expired certificate: %+v", got)
	}
}

func twice(d *desk) reply {
	p := exchange("x")
	p.Add("code", "y")
	return d.call("/oauth2/token", "app", p)
}

// TestBoundTokens: tokens of a client with a certificate are worth nothing without it.
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, client := range []string{"bound", "org"} {
		service := d.tokens(client, asked("client_id", client))
		order := d.tokens(client, ordered("client_id", client))
		for _, token := range []string{service.Access, order.Access} {
			for certificate, good := range map[string]bool{client: true, "": false, "stranger": false, "colleague": false} {
				if got := d.opens(token, certificate); (got != "") != good {
					t.Errorf("%s with %q opens %q", client, certificate, got)
				}
			}
		}
		next := d.read(d.call("/oauth2/token", client, url.Values{"client_id": {client}, "grant_type": {"refresh_token"}, "refresh_token": {service.Refresh}}))
		if d.opens(next.Access, client) == "" || d.opens(next.Access, "") != "" {
			t.Errorf("%s: refreshed tokens are bound otherwise", client)
		}
	}
	machine := d.read(d.call("/oauth2/token", "bound", url.Values{"client_id": {"bound"}, "grant_type": {"client_credentials"}}))
	if d.opens(machine.Access, "bound") != "bound service " || d.opens(machine.Access, "") != "" {
		t.Errorf("%+v", machine)
	}
}

// TestAccountToken: what an application says of its account is believed when its secret
// says so, and opens nothing.
func TestAccountToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := sha256.Sum256([]byte(d.secrets["app"]))
	make := func(key []byte, azp string, iat time.Time, more ...any) string {
		c := claims{"sub": "account-7", "azp": azp, "iat": iat.Unix(), "jti": "1"}
		for i := 0; i+1 < len(more); i += 2 {
			c[more[i].(string)] = more[i+1]
		}
		return sign(t, jose.HS256, key, "", c)
	}
	other := sha256.Sum256([]byte("x"))
	for name, c := range map[string]struct {
		token string
		good  bool
	}{
		"good":           {make(key[:], "app", d.now()), true},
		"another key":    {make(other[:], "app", d.now()), false},
		"another client": {make(key[:], "other", d.now()), false},
		"old":            {make(key[:], "app", d.now().Add(-16*time.Minute)), false},
		"future":         {make(key[:], "app", d.now().Add(time.Minute)), false},
		"expired":        {make(key[:], "app", d.now().Add(-5*time.Minute), "exp", d.now().Add(-time.Minute).Unix()), false},
		"no subject":     {make(key[:], "app", d.now(), "sub", ""), false},
		"no signature":   {none(claims{"sub": "account-7", "azp": "app", "iat": d.now().Unix()}), false},
	} {
		r := d.visitor().get(asked("account_token", c.token))
		if (r.StatusCode == http.StatusOK) != c.good {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
}

// TestRegistration: what would not be safe is not registered.
func TestRegistration(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := func(key crypto.PublicKey) *jose.JSONWebKeySet {
		return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key}}}
	}
	good := oauth.Client{ID: "new", Name: "New", Method: oauth.ClientSecret, Redirects: []string{callback}}
	for name, change := range map[string]func(*oauth.Client){
		"no ID":                func(c *oauth.Client) { c.ID = "" },
		"ID with a colon":      func(c *oauth.Client) { c.ID = "a:b" },
		"taken":                func(c *oauth.Client) { c.ID = "app" },
		"no name":              func(c *oauth.Client) { c.Name = "" },
		"no method":            func(c *oauth.Client) { c.Method = "" },
		"no address":           func(c *oauth.Client) { c.Redirects = nil },
		"http":                 func(c *oauth.Client) { c.Redirects = []string{"http://app.example/cb"} },
		"relative":             func(c *oauth.Client) { c.Redirects = []string{"/cb"} },
		"fragment":             func(c *oauth.Client) { c.Redirects = []string{callback + "#x"} },
		"empty fragment":       func(c *oauth.Client) { c.Redirects = []string{callback + "#"} },
		"user":                 func(c *oauth.Client) { c.Redirects = []string{"https://u@app.example/"} },
		"script":               func(c *oauth.Client) { c.Redirects = []string{"javascript:alert(1)"} },
		"data":                 func(c *oauth.Client) { c.Redirects = []string{"data:text/html,x"} },
		"breaks out of policy": func(c *oauth.Client) { c.Redirects = []string{"https://app.example;script-src *"} },
		"public, for itself":   func(c *oauth.Client) { c.Method, c.ForItself = oauth.None, true },
		"public, without PKCE": func(c *oauth.Client) { c.Method, c.WithoutProofKey = oauth.None, true },
		"no keys":              func(c *oauth.Client) { c.Method = oauth.PrivateKeyJWT },
		"small key":            func(c *oauth.Client) { c.Method, c.Keys = oauth.PrivateKeyJWT, set(small.Public()) },
		"private key":          func(c *oauth.Client) { c.Method, c.Keys = oauth.PrivateKeyJWT, set(d.key) },
		"shared key":           func(c *oauth.Client) { c.Method, c.Keys = oauth.PrivateKeyJWT, set([]byte("0123456789abcdef")) },
		"no certificate":       func(c *oauth.Client) { c.Method = oauth.SelfSignedTLS },
		"no authority":         func(c *oauth.Client) { c.Method, c.Subject = oauth.TLSClientAuth, "CN=x" },
		"no subject": func(c *oauth.Client) {
			c.Method, c.Authorities = oauth.TLSClientAuth, [][]byte{d.certs["org"].Leaf.Raw}
		},
	} {
		c := good
		change(&c)
		if _, err := d.clients.Add(t.Context(), c, "test"); oauth.KindOf(err) != oauth.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.clients.Add(t.Context(), good, "test"); err != nil {
		t.Error(err)
	}
}
