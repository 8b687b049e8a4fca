package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"sigillo/signing"
	"sigillo/store"
	"sigillo/web"
	"sigillo/web/oauth"
)

const (
	user     = "ada"
	password = "corretto cavallo pila graffetta"
	holderID = "h-1"
	cred     = "credential-0123456789abcdef"
	callback = "https://app.example/cb?tenant=1"
)

// rooms stands for the rooms below: one holder, whose codes work once, and a core that
// remembers what it was asked for. The real ones are asked in cmd/sigillo.
type rooms struct {
	mu      sync.Mutex
	now     func() time.Time
	used    map[string]bool
	orders  []oauth.Order
	dropped []string
	ahead   []readied
	status  string
	fault   error
	holder  string // of the credential
	changed bool   // the holder has another password by now
}

func refuse(k signing.Kind) error { return &signing.Error{Kind: k, Msg: "said by the test"} }

func (r *rooms) Known(_ context.Context, username string) (store.Holder, error) {
	if username != user {
		return store.Holder{}, refuse(signing.NotFound)
	}
	return store.Holder{ID: holderID, Username: user}, nil
}

func (r *rooms) factors(e signing.Evidence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer clear(e.Password)
	switch {
	case r.fault != nil:
		return r.fault
	case string(e.Password) != password || len(e.OTP) != 6:
		return refuse(signing.WrongFactors)
	case r.used[e.OTP]:
		return refuse(signing.ReusedOTP)
	}
	r.used[e.OTP] = true
	return nil
}

func (r *rooms) Recognise(ctx context.Context, username string, e signing.Evidence) (store.Holder, error) {
	h, err := r.Known(ctx, username)
	if err != nil {
		return h, refuse(signing.WrongFactors)
	}
	return h, r.factors(e)
}

func (r *rooms) Unchanged(*store.Tx, store.Holder) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.changed, nil
}

func (r *rooms) shown() signing.Credential {
	return signing.Credential{ID: cred, KeyType: "p256", Subject: "CN=Ada Lovelace, C=IT", Serial: "3fa01b77", Status: r.status, MaxItems: 100}
}

func (r *rooms) Credential(_ context.Context, id string) (signing.Credential, error) {
	if id != cred {
		return signing.Credential{}, refuse(signing.NotFound)
	}
	return r.shown(), nil
}

func (r *rooms) Credentials(_ context.Context, holder string) ([]signing.Credential, error) {
	if holder != r.holder {
		return nil, nil
	}
	return []signing.Credential{r.shown()}, nil
}

func (r *rooms) Authorise(_ context.Context, holder string, o oauth.Order, e signing.Evidence) (oauth.Grant, error) {
	if o.Credential != cred || holder != r.holder {
		return oauth.Grant{}, refuse(signing.NotFound)
	}
	if err := r.factors(e); err != nil {
		return oauth.Grant{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders = append(r.orders, o)
	return oauth.Grant{Handle: random(), Expires: r.now().Add(5 * time.Minute)}, nil
}

func (r *rooms) Drop(_ context.Context, _, _, handle string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, handle)
}

// SignIn, Session, SignOut and SuspendOwn are not asked for here.
type nobody struct{ web.Accounts }
type nothing struct{ web.Signing }

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// desk is a running server with registered applications.
type desk struct {
	t       testing.TB
	url     string
	rooms   *rooms
	srv     *oauth.Server
	clients *oauth.Registry
	db      *store.DB
	secrets map[string]string
	key     *ecdsa.PrivateKey // of "signer"
	certs   map[string]tls.Certificate
	trust   *x509.CertPool
	otp     int

	mu     sync.Mutex
	offset time.Duration
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Add(d.offset)
}

// later moves the clock on.
func (d *desk) later(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offset += by
}

// newDesk starts a server that speaks TLS, as clients with certificates need.
func newDesk(t testing.TB) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "appliance.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{t: t, db: db, secrets: map[string]string{}, certs: map[string]tls.Certificate{}}
	d.rooms = &rooms{now: d.now, used: map[string]bool{}, status: "valid", holder: holderID}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.url = "https://" + ln.Addr().String()
	d.srv, err = oauth.New(oauth.Config{DB: db, Accounts: d.rooms, Signing: d.rooms, Factors: d.rooms, BaseURL: d.url, Qualifiers: []string{"eu_eidas_aes"},
		Now: d.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	face, err := web.New(web.Config{Signing: nothing{}, Accounts: nobody{}, OAuth: d.srv, Secure: true, Now: d.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, nil)
	d.trust = x509.NewCertPool()
	d.trust.AddCert(server.Leaf)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- face.Serve(ctx, tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}), nil)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	d.register()
	return d
}

// issue makes a certificate, its own when there is no authority.
func issue(t testing.TB, c *x509.Certificate, by *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<60))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	c.BasicConstraintsValid = true
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func named(cn string) pkix.Name {
	return pkix.Name{CommonName: cn, Organization: []string{"Esempio"}, Country: []string{"IT"}}
}

func (d *desk) register() {
	t := d.t
	d.clients = oauth.NewRegistry(d.db, d.now)
	var err error
	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	ca := issue(t, &x509.Certificate{Subject: named("CA"), IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	d.certs["bound"] = issue(t, &x509.Certificate{Subject: named("bound"), ExtKeyUsage: client}, nil)
	d.certs["org"] = issue(t, &x509.Certificate{Subject: named("org"), ExtKeyUsage: client, DNSNames: []string{"org.example"}}, &ca)
	d.certs["stranger"] = issue(t, &x509.Certificate{Subject: named("org"), ExtKeyUsage: client}, nil)
	d.certs["colleague"] = issue(t, &x509.Certificate{Subject: named("colleague"), ExtKeyUsage: client}, &ca)
	sum := sha256.Sum256(d.certs["bound"].Leaf.Raw)
	for _, c := range []oauth.Client{
		{ID: "app", Method: oauth.ClientSecret, Redirects: []string{callback}},
		{ID: "other", Method: oauth.ClientSecret, Redirects: []string{"https://other.example/cb"}},
		{ID: "v1", Method: oauth.ClientSecret, Redirects: []string{callback, "https://v1.example/cb"}, WithoutProofKey: true},
		{ID: "phone", Method: oauth.None, Redirects: []string{"app.example:/cb", "http://127.0.0.1/cb"}},
		{ID: "signer", Method: oauth.PrivateKeyJWT, Redirects: []string{callback}, Keys: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: d.key.Public(), KeyID: "1"}}}},
		{ID: "bound", Method: oauth.SelfSignedTLS, Redirects: []string{callback}, Certificates: [][]byte{sum[:]}, ForItself: true},
		{ID: "org", Method: oauth.TLSClientAuth, Redirects: []string{callback}, Authorities: [][]byte{ca.Leaf.Raw}, Subject: "CN=org,O=Esempio,C=IT"},
		{ID: "machine", Method: oauth.ClientSecret, ForItself: true},
	} {
		c.Name = "Application " + c.ID
		if d.secrets[c.ID], err = d.clients.Add(t.Context(), c, "test"); err != nil {
			t.Fatal(err)
		}
	}
}

// http is a client with one of the certificates, "" for none. It follows no redirect.
func (d *desk) http(certificate string) *http.Client {
	cfg := &tls.Config{RootCAs: d.trust}
	if certificate != "" {
		cfg.Certificates = []tls.Certificate{d.certs[certificate]}
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	d.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// params are the parameters of a request; a value of "-" takes one out.
func params(base map[string]string, change ...string) url.Values {
	p := maps.Clone(base)
	for i := 0; i+1 < len(change); i += 2 {
		p[change[i]] = change[i+1]
	}
	out := url.Values{}
	for k, v := range p {
		if v != "-" {
			out.Set(k, v)
		}
	}
	return out
}

var verifier = oauth2.GenerateVerifier()

// asked is a good authorization request of "app" with scope service.
func asked(change ...string) url.Values {
	return params(map[string]string{"response_type": "code", "client_id": "app", "redirect_uri": callback, "scope": "service", "state": "s-1",
		"code_challenge": oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method": "S256"}, change...)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ordered is one with scope credential, in the words of v2.
func ordered(change ...string) url.Values {
	return asked(append([]string{"scope", "credential", "credentialID", cred, "hashes", hash("a") + "," + hash("b"),
		"hashAlgorithmOID", "2.16.840.1.101.3.4.2.1", "numSignatures", "2", "description", "Contratto"}, change...)...)
}

type reply struct {
	*http.Response
	body string
}

func (d *desk) do(c *http.Client, req *http.Request, err error) reply {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", "en")
	res, err := c.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return reply{res, string(data)}
}

// visitor is a browser.
type visitor struct {
	d    *desk
	http *http.Client
}

func (d *desk) visitor() visitor {
	c := d.http("")
	c.Jar, _ = cookiejar.New(nil)
	return visitor{d, c}
}

func (v visitor) get(q url.Values) reply {
	v.d.t.Helper()
	req, err := http.NewRequest("GET", v.d.url+"/oauth2/authorize?"+q.Encode(), nil)
	return v.d.do(v.http, req, err)
}

var (
	tokenField  = regexp.MustCompile(`name="token" value="([0-9a-f]{32})"`)
	actionField = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
)

// decide fills the form of a page in.
func (v visitor) decide(page reply, change ...string) reply {
	v.d.t.Helper()
	token, action := tokenField.FindStringSubmatch(page.body), actionField.FindStringSubmatch(page.body)
	if token == nil || action == nil {
		v.d.t.Fatalf("no form on the page (%d): %s", page.StatusCode, page.body)
	}
	v.d.otp++
	form := params(map[string]string{"token": token[1], "username": user, "password": password, "otp": big.NewInt(int64(100000 + v.d.otp)).String()}, change...)
	req, err := http.NewRequest("POST", v.d.url+html.UnescapeString(action[1]), strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return v.d.do(v.http, req, err)
}

// answer is what a redirect tells the application.
func (d *desk) answer(r reply, to string) url.Values {
	d.t.Helper()
	if r.StatusCode != http.StatusFound && r.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("no redirect but %d: %s", r.StatusCode, r.body)
	}
	at := r.Header.Get("Location")
	if !strings.HasPrefix(at, to) {
		d.t.Fatalf("sent to %s, not to %s", at, to)
	}
	u, err := url.Parse(at)
	if err != nil {
		d.t.Fatal(err)
	}
	if u.Query().Get("iss") != d.url {
		d.t.Errorf("iss is %q", u.Query().Get("iss"))
	}
	return u.Query()
}

// code has the holder consent to a request.
func (d *desk) code(q url.Values) string {
	d.t.Helper()
	v := d.visitor()
	to := q.Get("redirect_uri")
	if to == "" {
		to = callback
	}
	a := d.answer(v.decide(v.get(q)), to)
	if a.Get("code") == "" {
		d.t.Fatalf("no code but %v", a)
	}
	return a.Get("code")
}

// call is a request of an application to an endpoint; a client with a secret shows it
// in the Authorization header.
func (d *desk) call(path, client string, p url.Values) reply {
	d.t.Helper()
	certificate := ""
	if _, ok := d.certs[client]; ok {
		certificate = client
	}
	req, err := http.NewRequest("POST", d.url+path, strings.NewReader(p.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if d.secrets[client] != "" {
			req.SetBasicAuth(client, d.secrets[client])
		}
	}
	return d.do(d.http(certificate), req, err)
}

// tokens are what the token endpoint gives.
type tokens struct {
	Access      string          `json:"access_token"`
	Refresh     string          `json:"refresh_token"`
	Type        string          `json:"token_type"`
	Expires     int             `json:"expires_in"`
	Scope       string          `json:"scope"`
	Credential  string          `json:"credentialID"`
	Details     json.RawMessage `json:"authorization_details"`
	Error       string          `json:"error"`
	Description string          `json:"error_description"`
	URI         string          `json:"request_uri"`
}

func (d *desk) read(r reply) tokens {
	d.t.Helper()
	var out tokens
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		d.t.Fatalf("%d %v: %s", r.StatusCode, err, r.body)
	}
	if cache := r.Header.Get("Cache-Control"); cache != "no-store" {
		d.t.Errorf("Cache-Control %q", cache)
	}
	return out
}

// exchange is a good request for the tokens of a code.
func exchange(code string, change ...string) url.Values {
	return params(map[string]string{"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}, change...)
}

// tokens walks the whole way.
func (d *desk) tokens(client string, q url.Values) tokens {
	d.t.Helper()
	p := exchange(d.code(q))
	if d.secrets[client] == "" {
		p.Set("client_id", client)
	}
	if q.Get("redirect_uri") != "" {
		p.Set("redirect_uri", q.Get("redirect_uri"))
	}
	r := d.call("/oauth2/token", client, p)
	if r.StatusCode != http.StatusOK {
		d.t.Fatalf("%d: %s", r.StatusCode, r.body)
	}
	return d.read(r)
}

// opens says what a token opens, "" for nothing.
func (d *desk) opens(token, certificate string) string {
	d.t.Helper()
	var leaf *x509.Certificate
	if certificate != "" {
		leaf = d.certs[certificate].Leaf
	}
	a, err := d.srv.Access(d.t.Context(), token, leaf)
	if err != nil {
		if oauth.KindOf(err) != oauth.InvalidToken {
			d.t.Fatal(err)
		}
		return ""
	}
	return a.Application + " " + a.Scope + " " + a.Holder
}

// forget removes what is over, as the appliance does every hour.
func forget(d *desk) error {
	return d.db.Write(d.t.Context(), func(tx *store.Tx) error { return tx.DeleteExpiredOAuth(d.now()) })
}
