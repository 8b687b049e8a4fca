package oauth

import (
	"crypto/sha256"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"sigillo/store"
)

// How many pushed requests of one client may wait. In the name of a public one anybody
// can push.
const (
	requestsWaiting  = 1000
	requestsOfPublic = 200
)

type pushBody struct {
	URI     string `json:"request_uri"`
	Expires int    `json:"expires_in"` // seconds
}

// credentialParameters are those a client shows who it is with: they are no part of what
// it asks for.
var credentialParameters = []string{"client_secret", "client_assertion", "client_assertion_type"}

// push takes a request from the application itself (RFC 9126). It is checked at once, so
// that a mistake is told to who made it.
func (s *Server) push(c *fiber.Ctx) error {
	r, err := s.call(c)
	if err != nil {
		return err
	}
	p := r.parameters
	for _, name := range credentialParameters {
		delete(p, name)
	}
	if p["request_uri"] != "" {
		return fail(InvalidRequest, "request_uri must not be pushed")
	}
	if p["client_id"] != "" && p["client_id"] != r.ID {
		return fail(InvalidRequest, "client_id is another's")
	}
	p["client_id"] = r.ID
	if _, _, err := destination(p, r.Client); err != nil {
		return fail(InvalidRequest, err.(*Error).Msg) // told to the application here, not to people
	}
	asked, err := readRequest(p, r.Client, s.scopes(), s.cfg.Now())
	if err != nil {
		return err
	}
	if err := s.checkQualifier(asked); err != nil {
		return err
	}
	values := url.Values{}
	for name, v := range p {
		values.Set(name, v)
	}
	query := values.Encode()
	if len(query) > queryLimit {
		return fail(InvalidRequest, "the request is too long")
	}
	most := requestsWaiting
	if !r.confidential() {
		most = requestsOfPublic
	}
	now, text := s.cfg.Now(), newToken()
	id := sha256.Sum256([]byte(text))
	err = s.cfg.DB.Write(c.UserContext(), func(tx *store.Tx) error {
		return tx.PutOAuthRequest(store.OAuthRequest{ID: id[:], Client: r.ID, Parameters: []byte(query), Expires: now.Add(requestLife)}, now, most)
	})
	if store.KindOf(err) == store.Conflict {
		return fail(Unavailable, "too many requests of this client are waiting")
	}
	if err != nil {
		return fromStore(err)
	}
	return c.Status(fiber.StatusCreated).JSON(pushBody{requestPrefix + text, int(requestLife.Seconds())})
}
