package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of an authorization request.
const (
	queryLimit = 256 << 10 // bytes of one that was pushed; of others the header's limit
	stateLimit = 2048
	dataLimit  = 4096 // clientData
)

// request is an authorization request that was checked.
type request struct {
	client    *Client
	redirect  string // where the answer goes
	named     bool   // by the request itself: then the token request must name it too
	state     string
	scope     string
	challenge string // S256; "": there is none
	language  string
	account   string // of the application, if it names one
	order     *order // scope credential
	pushed    []byte // ID of the pushed request; nil: it was not pushed
}

// order is what a request of scope credential wants signed.
type order struct {
	Order
	Qualifier string // instead of a credential
	Labels    []string
	Legacy    bool            // asked for in the words of v1: the token's type is then SAD
	Details   json.RawMessage // authorization_details as they were sent
}

// destination finds where answers to a request may go. Until it has, nothing may be sent
// anywhere.
func destination(p parameters, client *Client) (uri string, named bool, err error) {
	uri, named = p["redirect_uri"]
	switch {
	case named && client.redirect(uri):
		return uri, true, nil
	case named || len(client.Redirects) != 1:
		return "", false, fail(WrongRedirect, "redirect_uri is none of those the client has registered")
	}
	// RFC 6749 §3.1.2.3: with one registered it need not be named. But the port of one
	// on this machine is not known then.
	return client.Redirects[0], false, nil
}

// readRequest checks the parameters of a request (RFC 6749 §4.1.1, RFC 7636 §4.3, CSC v1
// §8.3.2, v2 §8.4.2). Its errors may be sent to the redirect URI, which must be known.
func readRequest(p parameters, client *Client, scopes []string, now time.Time) (*request, error) {
	r := &request{client: client, state: p["state"], challenge: p["code_challenge"], language: p["lang"], scope: p["scope"]}
	if r.language == "" {
		r.language = p["ui_locales"]
	}
	switch {
	case p["request"] != "":
		return nil, fail(RequestNotSupported, "request objects are not supported; push the request")
	case p["response_type"] == "":
		return nil, fail(InvalidRequest, "response_type is missing")
	case p["response_type"] != "code":
		return nil, fail(UnsupportedResponseType, "response_type must be code")
	case p["response_mode"] != "" && p["response_mode"] != "query":
		return nil, fail(InvalidRequest, "response_mode must be query")
	case slices.Contains(strings.Fields(p["prompt"]), "none"):
		return nil, fail(LoginRequired, "the holder is asked each time")
	case len(r.state) > stateLimit || len(p["clientData"]) > dataLimit:
		return nil, fail(InvalidRequest, "state or clientData is too long")
	}
	if err := checkChallenge(p, client); err != nil {
		return nil, err
	}
	details := p["authorization_details"]
	if err := r.readScope(details != "", scopes); err != nil {
		return nil, err
	}
	if token := p["account_token"]; token != "" {
		account, err := checkAccountToken(token, client, now)
		if err != nil {
			return nil, err
		}
		r.account = account
	}
	var err error
	switch {
	case r.scope == Service:
		return r, nil
	case details != "":
		r.order, err = readDetails(details, p)
	default:
		r.order, err = readOrder(p)
	}
	if err != nil {
		return nil, err
	}
	r.order.Application = client.ID
	r.order.Description = p["description"]
	return r, nil
}

// checkChallenge insists on a proof key. "plain" is none: who reads the request has it.
func checkChallenge(p parameters, client *Client) error {
	challenge, method := p["code_challenge"], p["code_challenge_method"]
	switch {
	case challenge == "" && method == "" && client.WithoutProofKey && client.confidential():
		return nil
	case challenge == "":
		return fail(InvalidRequest, "code_challenge is missing")
	case method != "S256":
		return fail(InvalidRequest, "code_challenge_method must be S256")
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(raw) != sha256.Size {
		return fail(InvalidRequest, "code_challenge must be the base64url of a SHA-256")
	}
	return nil
}

// readScope: one of the two, never both. CSC's default is service.
func (r *request) readScope(details bool, scopes []string) error {
	switch {
	case r.scope == "" && details:
		r.scope = Credential
	case r.scope == "":
		r.scope = Service
	case details && r.scope != Credential:
		return fail(InvalidScope, "authorization_details go with scope credential")
	}
	if !slices.Contains(scopes, r.scope) {
		return fail(InvalidScope, "scope must be one of: "+strings.Join(scopes, ", "))
	}
	return nil
}

// proves says whether a verifier belongs to a challenge (RFC 7636 §4.6).
func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// wellFormedVerifier is RFC 7636 §4.1.
func wellFormedVerifier(v string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(v) >= 43 && len(v) <= 128 && strings.Trim(v, unreserved) == ""
}

// answerTo is the redirect URI with an answer put into its query, which it may have one of
// already (RFC 6749 §4.1.2, RFC 9207).
func (s *Server) answerTo(redirect, state string, answer map[string]string) string {
	q := url.Values{"iss": {s.cfg.BaseURL}}
	if state != "" {
		q.Set("state", state)
	}
	for name, value := range answer {
		q.Set(name, value)
	}
	mark := "?"
	switch {
	case strings.HasSuffix(redirect, "?"), strings.HasSuffix(redirect, "&"):
		mark = ""
	case strings.Contains(redirect, "?"):
		mark = "&"
	}
	return redirect + mark + q.Encode()
}

// source is a redirect URI as a source of a content policy's form-action. Hosts that
// are IPv6 addresses cannot be written there; their scheme stands for them.
func source(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return ""
	case u.Scheme != "https" && u.Scheme != "http", strings.Contains(u.Host, "["):
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && strconv.Itoa(n) == text
}
