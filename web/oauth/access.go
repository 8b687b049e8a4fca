package oauth

import (
	"bytes"
	"context"
	"crypto/x509"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/audit"
	"sigillo/formats/legible"
	"sigillo/store"
)

// Access is what an access token opens.
type Access struct {
	Holder      string // "": nobody's, the application acts for itself
	Application string // ID of the client
	Scope       string // Service or Credential
	Handle      string // scope credential: the signing core's grant, which is the token itself
	Expires     time.Time
}

var errToken = fail(InvalidToken, "the access token is unknown, revoked, or over, or bound to another certificate")

// Access says what a bearer token opens, for the API behind. certificate is that of the
// TLS connection the token came through, nil when there is none: a token that is bound
// to one is worth nothing without it (RFC 8705 §3). Errors are of kind InvalidToken,
// Unavailable, ServerError.
func (s *Server) Access(ctx context.Context, bearer string, certificate *x509.Certificate) (Access, error) {
	now := s.cfg.Now()
	if h, ok := s.handles.get(bearer); ok {
		if !now.Before(h.Expires) || !boundTo(h.certificate, certificate) {
			return Access{}, errToken
		}
		if _, err := s.clients.Client(ctx, h.Application); KindOf(err) == UnknownClient {
			return Access{}, errToken // it was removed
		} else if err != nil {
			return Access{}, err
		}
		return h.Access, nil
	}
	if len(bearer) != len(newToken()) {
		return Access{}, errToken
	}
	token, grant, err := s.find(ctx, bearer)
	switch {
	case store.KindOf(err) == store.NotFound:
		return Access{}, errToken
	case err != nil:
		return Access{}, fromStore(err)
	case token.Kind != store.OAuthAccess || !now.Before(token.Expires) || !now.Before(grant.Expires) || !boundTo(grant.Certificate, certificate):
		return Access{}, errToken
	}
	s.touch(ctx, grant, now)
	return Access{Holder: grant.Holder, Application: grant.Client, Scope: Service, Expires: token.Expires}, nil
}

// touch notes for the holder that an application uses what it was granted, once a minute.
// That it could not be noted keeps nobody out.
func (s *Server) touch(ctx context.Context, g store.OAuthGrant, now time.Time) {
	if g.Holder == "" || now.Sub(g.Used) < time.Minute {
		return
	}
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error { return tx.TouchOAuthGrant(g.ID, now) })
	if err != nil && store.KindOf(err) != store.NotFound {
		s.cfg.Log.Warn("the last use of a grant was not noted", "grant", g.ID, "err", err)
	}
}

// find looks a token up by its hash: the time of the search tells nothing about tokens.
func (s *Server) find(ctx context.Context, text string) (token store.OAuthToken, grant store.OAuthGrant, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if token, err = tx.OAuthToken(digest(text)); err == nil {
			grant, err = tx.OAuthGrant(token.Grant)
		}
		return err
	})
	return token, grant, err
}

// boundTo says whether a certificate will do; wanted is empty when none is asked for.
func boundTo(wanted []byte, certificate *x509.Certificate) bool {
	return len(wanted) == 0 || certificate != nil && bytes.Equal(wanted, thumbprint(certificate))
}

// revoke ends a token (RFC 7009). An access token ends alone; a refresh token ends all
// that was granted with it. What is not a token of this client is none, and that is no
// error. The answer is CSC's 204.
func (s *Server) revoke(c *fiber.Ctx) error {
	r, err := s.call(c)
	if err != nil {
		return err
	}
	text := r.parameters["token"]
	switch hint := r.parameters["token_type_hint"]; {
	case text == "":
		return fail(InvalidRequest, "Invalid string parameter token")
	case hint != "" && hint != "access_token" && hint != "refresh_token":
		return fail(InvalidRequest, "Invalid string parameter token_type_hint")
	}
	if err := s.Revoke(c.UserContext(), r.ID, text); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// Revoke ends a token of an application; one it does not have is no error. It is for the
// API behind, too (CSC auth/revoke).
func (s *Server) Revoke(ctx context.Context, application, text string) error {
	if h, ok := s.handles.get(text); ok {
		if h.Application == application {
			s.drop(ctx, code{holder: h.Holder, client: h.Application, grant: Grant{Handle: text}})
		}
		return nil
	}
	token, grant, err := s.find(ctx, text)
	switch {
	case store.KindOf(err) == store.NotFound && s.cfg.Signing != nil:
		// A handle that the API behind gave for one of ours, when it was extended.
		s.cfg.Signing.Drop(context.WithoutCancel(ctx), "", application, text)
		return nil
	case store.KindOf(err) == store.NotFound || err == nil && grant.Client != application:
		return nil
	case err != nil:
		return fromStore(err)
	}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if token.Kind == store.OAuthAccess {
			err = tx.DeleteOAuthToken(token.ID)
		} else {
			err = tx.DeleteOAuthGrant(grant.ID)
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, s.cfg.Now(), audit.Event{Actor: application, Event: "oauth.revoked", Subject: grant.ID,
			Detail: map[string]string{"kind": token.Kind, "holder": grant.Holder}})
	})
	if store.KindOf(err) == store.NotFound {
		return nil
	}
	return fromStore(err)
}

// Granted is an application that a holder has let act for him.
type Granted struct {
	ID               string
	Application      string // ID
	Name             string
	Scope            string
	Created, Expires time.Time
	Used             time.Time // last, noted once a minute; zero: not yet
}

// Grants are what a holder has granted and what is not over, the newest first.
func (s *Server) Grants(ctx context.Context, holder string) ([]Granted, error) {
	var out []Granted
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.OAuthGrantsOf(holder)
		if err != nil {
			return err
		}
		for _, g := range rows {
			if !s.cfg.Now().Before(g.Expires) {
				continue
			}
			row, err := tx.OAuthClient(g.Client)
			if err != nil {
				return err
			}
			c, err := readClient(row)
			if err != nil {
				return err
			}
			out = append(out, Granted{g.ID, c.ID, legible.Line(c.Name), Service, g.Created, g.Expires, g.Used})
		}
		return nil
	})
	return out, fromStore(err)
}

// Name is what the application with this ID is called, the ID when nobody knows it.
func (s *Server) Name(ctx context.Context, id string) string {
	c, err := s.clients.Client(ctx, id)
	if err != nil {
		return legible.Line(id)
	}
	return legible.Line(c.Name)
}

// EndGrant ends one of a holder's grants, by the holder, and what its application was
// authorised to sign and has not; one that is not the holder's is none, and that is no
// error.
func (s *Server) EndGrant(ctx context.Context, holder, id string) error {
	application := ""
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		g, err := tx.OAuthGrant(id)
		if err != nil || g.Holder != holder {
			return err
		}
		if err := tx.DeleteOAuthGrant(id); err != nil {
			return err
		}
		application = g.Client
		return audit.Append(tx, s.cfg.Now(), audit.Event{Actor: holder, Event: "oauth.revoked", Subject: id, Detail: map[string]string{"client": g.Client}})
	})
	if err == nil && application != "" && s.cfg.Signing != nil {
		s.cfg.Signing.Drop(context.WithoutCancel(ctx), holder, application, "")
	}
	if store.KindOf(err) == store.NotFound {
		return nil
	}
	return fromStore(err)
}
