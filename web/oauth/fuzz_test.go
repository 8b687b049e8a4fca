package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var (
	fuzzClient = &Client{ID: "app", Name: "App", Method: ClientSecret, Secret: digest("secret"), Redirects: []string{"https://app.example/cb", "http://127.0.0.1/cb", "app.example:/cb"}}
	fuzzHash   = base64.RawURLEncoding.EncodeToString(digest("a"))
	fuzzDetail = `[{"type":"credential","credentialID":"c","hashAlgorithmOID":"2.16.840.1.101.3.4.2.1","numSignatures":1,"documentDigests":[{"hash":"` + fuzzHash + `","label":"a.pdf","hashType":"DTBSR"}]}]`
)

// sound checks what must hold of every order that is accepted.
func sound(t *testing.T, o *order) {
	t.Helper()
	if len(o.Digests) < 1 || len(o.Digests) > maxDigests || (o.Credential == "") == (o.Qualifier == "") {
		t.Fatalf("%+v", o)
	}
	for _, d := range o.Digests {
		if len(d) != o.Hash.Size() || len(d) < sha256.Size {
			t.Fatalf("a digest of %d bytes for %v", len(d), o.Hash)
		}
	}
}

// told checks an error: an application is told why, in characters that an
// error_description may have (RFC 6749 §5.2).
func told(t *testing.T, err error) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok || e.Kind == ServerError || e.Msg == "" || strings.ContainsFunc(e.Msg, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
		t.Fatalf("%#v", err)
	}
}

func FuzzRequest(f *testing.F) {
	challenge := "&code_challenge_method=S256&code_challenge=" + fuzzHash
	for _, seed := range []string{
		"response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=service&state=x" + challenge,
		"response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcb&scope=credential&credentialID=c&numSignatures=1&hash=" + fuzzHash + challenge,
		"response_type=code&redirect_uri=app.example%3A%2Fcb&scope=credential&signatureQualifier=eu_eidas_aes&hashes=" + fuzzHash + "," + fuzzHash + "&hashAlgorithmOID=2.16.840.1.101.3.4.2.1" + challenge,
		"response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&authorization_details=" + url.QueryEscape(fuzzDetail) + challenge,
		"a=1&a=2", "%zz", "request=x", "account_token=a.b.c&response_type=code" + challenge,
	} {
		f.Add(seed)
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		p, err := readParameters(values)
		if err != nil {
			told(t, err)
			return
		}
		if uri, _, err := destination(p, fuzzClient); err == nil {
			checkDestination(t, uri)
		}
		r, err := readRequest(p, fuzzClient, []string{Service, Credential}, now)
		switch {
		case err != nil:
			told(t, err)
		case r.challenge == "" || r.scope != Service && r.scope != Credential || (r.order != nil) != (r.scope == Credential):
			t.Fatalf("%+v", r)
		case r.order != nil:
			sound(t, r.order)
		}
	})
}

// checkDestination: answers go to a registered address, or to one on this machine, and
// its origin can be put into a content policy.
func checkDestination(t *testing.T, uri string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil || !slices.Contains(fuzzClient.Redirects, uri) && (u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/cb") {
		t.Fatalf("sent to %q", uri)
	}
	if s := source(uri); s == "" || strings.ContainsAny(s, " ;,'\"\r\n") {
		t.Fatalf("source %q", s)
	}
}

func FuzzDetails(f *testing.F) {
	for _, seed := range []string{fuzzDetail, "[]", "[{}]", "{", `[{"type":"credential"}]`, "[" + strings.Repeat("[", 1000), strings.Replace(fuzzDetail, "DTBSR", "SDR", 1),
		strings.Replace(fuzzDetail, `"credential"`, `"https://cloudsignatureconsortium.org/2025/credential"`, 1), strings.Replace(fuzzDetail, "1,", "1e0,", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := readDetails(text, parameters{})
		if err != nil {
			told(t, err)
			return
		}
		sound(t, o)
		if len(o.Labels) != len(o.Digests) || len(o.Details) == 0 {
			t.Fatalf("%+v", o)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	claims := jwt.Claims{Issuer: "app", Subject: "app", ID: "1", Audience: jwt.Audience{"https://a.example"}}
	for alg, k := range map[jose.SignatureAlgorithm]any{jose.ES256: key, jose.HS256: fuzzClient.Secret} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k}, nil)
		if err != nil {
			f.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	keys := []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		// What is not signed with our key says nothing: the fuzzer has one good signature,
		// over these claims.
		if got, err := parseAssertion(text, keys); err != nil {
			told(t, err)
		} else if got.Subject != "app" || got.ID != "1" {
			t.Fatalf("believed %+v", got)
		}
		if account, err := checkAccountToken(text, fuzzClient, now); err != nil {
			told(t, err)
		} else {
			t.Fatalf("believed that the account is %q", account)
		}
		unverifiedSubject(text)
	})
}
