package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/audit"
	"sigillo/store"
)

// tokenBody is RFC 6749 §5.1, with CSC's credentialID and RFC 9396's
// authorization_details.
type tokenBody struct {
	Access     string          `json:"access_token"`
	Type       string          `json:"token_type"` // Bearer, or SAD for a request in the words of CSC v1
	Expires    int             `json:"expires_in"` // seconds
	Refresh    string          `json:"refresh_token,omitempty"`
	Scope      string          `json:"scope,omitempty"`
	Credential string          `json:"credentialID,omitempty"`
	Details    json.RawMessage `json:"authorization_details,omitempty"`
}

// token is the token endpoint (RFC 6749 §3.2).
func (s *Server) token(c *fiber.Ctx) error {
	r, err := s.call(c)
	if err != nil {
		return err
	}
	var out tokenBody
	switch r.parameters["grant_type"] {
	case "authorization_code":
		out, err = s.exchangeCode(c.UserContext(), r)
	case "refresh_token":
		out, err = s.refresh(c.UserContext(), r)
	case "client_credentials":
		out, err = s.forItself(c.UserContext(), r)
	case "":
		err = fail(InvalidRequest, "grant_type is missing")
	default:
		err = fail(UnsupportedGrantType, "grant_type must be authorization_code, refresh_token or client_credentials")
	}
	if err != nil {
		return err
	}
	return c.JSON(out)
}

// exchangeCode gives tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
func (s *Server) exchangeCode(ctx context.Context, r called) (tokenBody, error) {
	text := r.parameters["code"]
	if text == "" {
		return tokenBody{}, fail(InvalidRequest, "code is missing")
	}
	now := s.cfg.Now()
	// 1. From here on the code is used, whatever comes of it.
	g, used := s.codes.take(text, now)
	if g == nil {
		return tokenBody{}, errCode
	}
	if used {
		return tokenBody{}, s.replayed(ctx, r, g)
	}
	// 2. It must be presented by whom it was made for, as it was asked for.
	if err := g.fits(r, now); err != nil {
		s.drop(ctx, *g)
		return tokenBody{}, err
	}
	if g.scope == Credential {
		return s.giveHandle(ctx, r, text, g, now)
	}
	// 3. The tokens are durable before they are given.
	grant := store.OAuthGrant{ID: newID(), Client: r.ID, Holder: g.holder, Certificate: r.thumbprint(), Created: now, Expires: now.Add(grantLife)}
	out, err := s.give(ctx, grant, "authorization_code", func(tx *store.Tx) error {
		// Who had the former password may have got the code: with another one it is over, as
		// is what it would have given.
		good, err := s.cfg.Accounts.Unchanged(tx, g.recognised)
		if err == nil && !good {
			err = errCode
		}
		if err != nil {
			return err
		}
		return tx.PutOAuthGrant(grant)
	})
	if err != nil {
		return out, fromStore(err)
	}
	// 4. Whoever presented the code meanwhile has spoilt it for both.
	if !s.codes.gave(text, grant.ID) {
		s.endGrant(ctx, grant.ID, audit.Event{Actor: r.ID, Event: "oauth.code-replayed", Subject: grant.ID})
		return tokenBody{}, errCode
	}
	return out, nil
}

var errCode = fail(InvalidGrant, "the code is unknown, used, or over")

// fits checks that a code is presented by its client, with what it was asked with.
func (g *code) fits(r called, now time.Time) error {
	verifier, redirect := r.parameters["code_verifier"], r.parameters["redirect_uri"]
	switch {
	case g.client != r.ID, !now.Before(g.expires):
		return errCode
	case redirect != g.redirect && (g.named || redirect != ""):
		return fail(InvalidGrant, "redirect_uri is not that of the authorization request")
	case g.challenge == "" && verifier != "": // RFC 9700 §4.8.2: somebody has taken the challenge out
		return fail(InvalidGrant, "the authorization request had no code_challenge")
	case g.challenge != "" && (!wellFormedVerifier(verifier) || !proves(verifier, g.challenge)):
		return fail(InvalidGrant, "code_verifier does not belong to code_challenge")
	}
	return nil
}

// replayed ends what a code gave when it is presented again (RFC 6749 §4.1.2).
func (s *Server) replayed(ctx context.Context, r called, g *code) error {
	s.drop(ctx, *g)
	if g.given != "" {
		s.endGrant(ctx, g.given, audit.Event{Actor: r.ID, Event: "oauth.code-replayed", Subject: g.given, Detail: map[string]string{"client": g.client}})
	}
	return errCode
}

// giveHandle gives the signing core's handle as access token. It is not stored: it dies
// with the activation data that it stands for.
func (s *Server) giveHandle(ctx context.Context, r called, text string, g *code, now time.Time) (tokenBody, error) {
	h := handle{Access: Access{Holder: g.holder, Application: r.ID, Scope: Credential, Handle: g.grant.Handle, Expires: g.grant.Expires}, certificate: r.thumbprint()}
	left := int(g.grant.Expires.Sub(now).Seconds())
	if left <= 0 {
		s.drop(ctx, *g)
		return tokenBody{}, errCode
	}
	if !s.handles.put(h, now) {
		s.drop(ctx, *g)
		return tokenBody{}, fail(Unavailable, "too many authorisations are open")
	}
	if !s.codes.gave(text, "") {
		s.drop(ctx, *g)
		return tokenBody{}, errCode
	}
	out := tokenBody{Access: g.grant.Handle, Type: "Bearer", Expires: left, Scope: Credential, Credential: g.order.Credential, Details: g.order.Details}
	if g.order.Legacy {
		out.Type = "SAD"
	}
	return out, nil
}

// give makes tokens of a grant and stores them. first is done in the same commit: it
// stores a new grant, or uses up what the tokens are exchanged for.
func (s *Server) give(ctx context.Context, grant store.OAuthGrant, how string, first func(*store.Tx) error) (tokenBody, error) {
	now := s.cfg.Now()
	ends := now.Add(accessLife)
	if grant.Expires.Before(ends) {
		ends = grant.Expires
	}
	out := tokenBody{Access: newToken(), Type: "Bearer", Expires: int(ends.Sub(now).Seconds()), Scope: Service}
	if grant.Holder != "" {
		out.Refresh = newToken()
	}
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		if err := tx.PutOAuthToken(store.OAuthToken{ID: digest(out.Access), Grant: grant.ID, Kind: store.OAuthAccess, Expires: ends}); err != nil {
			return err
		}
		if out.Refresh != "" {
			// It stays until the grant ends, so that it is known when it comes back.
			if err := tx.PutOAuthToken(store.OAuthToken{ID: digest(out.Refresh), Grant: grant.ID, Kind: store.OAuthRefresh, Expires: grant.Expires}); err != nil {
				return err
			}
		}
		return audit.Append(tx, now, audit.Event{Actor: grant.Client, Event: "oauth.token-given", Subject: grant.ID,
			Detail: map[string]string{"for": how, "holder": grant.Holder}})
	})
	return out, err
}

// refresh exchanges a refresh token (RFC 6749 §6). Each is exchanged once: one that comes
// back has been in two hands, and nobody knows whose are the right ones (RFC 9700
// §4.14.2).
func (s *Server) refresh(ctx context.Context, r called) (tokenBody, error) {
	text := r.parameters["refresh_token"]
	if text == "" {
		return tokenBody{}, fail(InvalidRequest, "refresh_token is missing")
	}
	if scope := r.parameters["scope"]; scope != "" && scope != Service {
		return tokenBody{}, fail(InvalidScope, "the scope is wider than what was granted")
	}
	id := digest(text)
	var old store.OAuthToken
	var grant store.OAuthGrant
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if old, err = tx.OAuthToken(id); err == nil {
			grant, err = tx.OAuthGrant(old.Grant)
		}
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return tokenBody{}, errRefresh
	case err != nil:
		return tokenBody{}, fromStore(err)
	case old.Kind != store.OAuthRefresh || grant.Client != r.ID || !s.cfg.Now().Before(old.Expires):
		return tokenBody{}, errRefresh
	case !boundTo(grant.Certificate, r.certificate):
		return tokenBody{}, errRefresh
	}
	var out tokenBody
	if old.Used.IsZero() {
		out, err = s.give(ctx, grant, "refresh_token", func(tx *store.Tx) error {
			// Used ones stay with their grant, so that they are known when they come back.
			if n, err := tx.OAuthTokensOf(grant.ID); err != nil {
				return err
			} else if n >= grantTokens {
				return errWornOut
			}
			return tx.UseOAuthToken(id, s.cfg.Now())
		})
	}
	switch {
	case !old.Used.IsZero() || store.KindOf(err) == store.NotFound: // the latter: another was quicker
		s.endGrant(ctx, grant.ID, audit.Event{Actor: r.ID, Event: "oauth.refresh-replayed", Subject: grant.ID, Detail: map[string]string{"holder": grant.Holder}})
		return tokenBody{}, errRefresh
	case store.KindOf(err) == store.Conflict: // its grant has ended in the meantime
		return tokenBody{}, errRefresh
	}
	return out, fromStore(err)
}

// grantTokens is how many tokens a grant gives: far more than its thirty days need.
const grantTokens = 5000

var errWornOut = fail(InvalidGrant, "the grant has given too many tokens; ask the holder again")

var errRefresh = fail(InvalidGrant, "the refresh token is unknown, used, or over")

// forItself gives a client a token of its own (RFC 6749 §4.4). It opens nothing of any
// holder.
func (s *Server) forItself(ctx context.Context, r called) (tokenBody, error) {
	switch {
	case !r.ForItself || !r.confidential():
		return tokenBody{}, fail(UnauthorizedClient, "the client may not act for itself")
	case r.parameters["scope"] != "" && r.parameters["scope"] != Service:
		return tokenBody{}, fail(InvalidScope, "a client acts for itself with scope service alone")
	}
	now := s.cfg.Now()
	grant := store.OAuthGrant{ID: newID(), Client: r.ID, Certificate: r.thumbprint(), Created: now, Expires: now.Add(accessLife)}
	out, err := s.give(ctx, grant, "client_credentials", func(tx *store.Tx) error { return tx.PutOwnOAuthGrant(grant, now, ownGrants) })
	if store.KindOf(err) == store.Conflict {
		return tokenBody{}, fail(Unavailable, "the client has too many tokens; use those it has until they expire")
	}
	return out, fromStore(err)
}

// ownGrants is how many tokens of its own a client has at once: each is journalled, and
// costs the client nothing.
const ownGrants = 2000

// endGrant ends a grant with all its tokens and says why in the journal.
func (s *Server) endGrant(ctx context.Context, id string, why audit.Event) {
	err := s.cfg.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.DeleteOAuthGrant(id); err != nil {
			return err
		}
		return audit.Append(tx, s.cfg.Now(), why)
	})
	if err != nil && store.KindOf(err) != store.NotFound {
		s.cfg.Log.Error("tokens could not be revoked", "grant", id, "event", why.Event, "err", err)
	}
}

// newID makes an identifier of 128 bits, lower-case base32.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
