package oauth

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sigillo/store"
)

const (
	assertionType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLimit = 16 << 10         // bytes
	assertionLife  = 10 * time.Minute // the longest until an assertion's end
	accountLife    = 15 * time.Minute // since an account token was made
	clockSkew      = 30 * time.Second // between the application's clock and ours
	jtiLimit       = 256
)

// algorithms are those that clients may sign assertions with: public keys only, so that
// nothing that is known here can make one.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
	jose.RS256, jose.RS384, jose.RS512, jose.EdDSA}

func algorithmNames() []string {
	out := make([]string, len(algorithms))
	for i, a := range algorithms {
		out[i] = string(a)
	}
	return out
}

// parseAssertion reads a JWT of RFC 7523 §3 and verifies its signature. What is
// returned was said by whoever has one of the keys.
func parseAssertion(text string, keys []jose.JSONWebKey) (jwt.Claims, error) {
	var claims jwt.Claims
	if len(text) > assertionLimit {
		return claims, fail(InvalidClient, "the assertion is too long")
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return claims, &Error{Kind: InvalidClient, Msg: "the assertion is not a signed JWT of an algorithm that is accepted", Err: err}
	}
	kid := token.Headers[0].KeyID
	for _, k := range keys {
		if kid != "" && k.KeyID != "" && kid != k.KeyID || k.Algorithm != "" && k.Algorithm != token.Headers[0].Algorithm {
			continue
		}
		claims = jwt.Claims{}
		if token.Claims(k.Key, &claims) == nil {
			return claims, nil
		}
	}
	return jwt.Claims{}, fail(InvalidClient, "the assertion is not signed with a key of the client")
}

// unverifiedSubject is whom an assertion names, so that one knows whose keys to take.
func unverifiedSubject(text string) string {
	if len(text) > assertionLimit {
		return ""
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return ""
	}
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ""
	}
	return claims.Subject
}

// checkAssertion recognises a client by a JWT (RFC 7523 §3). Each works once: its jti is
// noted durably until it is over.
func (s *Server) checkAssertion(ctx context.Context, client *Client, text string) error {
	claims, err := parseAssertion(text, client.Keys.Keys)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	base := s.cfg.BaseURL
	switch {
	case claims.Issuer != client.ID || claims.Subject != client.ID:
		return fail(InvalidClient, "iss and sub of the assertion must be the client's ID")
	case !s.audience(claims.Audience):
		return fail(InvalidClient, "aud of the assertion must be "+base+" or the address of the token endpoint, and nothing else")
	case claims.Expiry == nil || claims.Expiry.Time().After(now.Add(assertionLife)):
		return fail(InvalidClient, "the assertion must expire within ten minutes")
	case !now.Before(claims.Expiry.Time().Add(clockSkew)):
		return fail(InvalidClient, "the assertion has expired")
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(clockSkew)), claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(clockSkew)):
		return fail(InvalidClient, "the assertion is of a time to come")
	case claims.ID == "" || len(claims.ID) > jtiLimit:
		return fail(InvalidClient, "the assertion needs a jti of at most 256 characters")
	}
	id := sha256.Sum256([]byte(client.ID + "\x00" + claims.ID))
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		return tx.PutOAuthAssertion(id[:], claims.Expiry.Time().Add(2*clockSkew))
	})
	if store.KindOf(err) == store.Conflict {
		return &Error{Kind: InvalidClient, Msg: "the assertion was used before", Err: err}
	}
	return fromStore(err)
}

// audience says that an assertion was made for us, and for nobody else whom it could be
// passed on by.
func (s *Server) audience(aud jwt.Audience) bool {
	ours := []string{"", "/", "/oauth2/token", "/oauth2/pushed_authorize", "/oauth2/revoke"}
	for _, a := range aud {
		path, ok := strings.CutPrefix(a, s.cfg.BaseURL)
		if !ok || !slices.Contains(ours, path) {
			return false
		}
	}
	return len(aud) > 0
}

// accountClaims are those of an account token.
type accountClaims struct {
	jwt.Claims
	Party string `json:"azp"`
}

// checkAccountToken reads an account token (CSC v1 §8.3.2): the application's word about
// which of its accounts asks, under the SHA-256 of its secret. It opens nothing; one that
// is there must be right, and what it says goes to the journal.
func checkAccountToken(text string, client *Client, now time.Time) (account string, err error) {
	bad := fail(InvalidRequest, "account_token must be a JWT, HS256 under the SHA-256 of the client's secret, with sub, iat and azp")
	if client.Method != ClientSecret || len(text) > assertionLimit {
		return "", bad
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return "", bad
	}
	var claims accountClaims
	if err := token.Claims(client.Secret, &claims); err != nil {
		return "", bad
	}
	switch {
	case claims.Party != client.ID || claims.Subject == "" || len(claims.Subject) > jtiLimit || claims.IssuedAt == nil:
		return "", bad
	case claims.IssuedAt.Time().After(now.Add(clockSkew)) || now.Sub(claims.IssuedAt.Time()) > accountLife,
		claims.Expiry != nil && !now.Before(claims.Expiry.Time().Add(clockSkew)):
		return "", fail(InvalidRequest, "account_token is too old, or of a time to come")
	}
	return claims.Subject, nil
}
