package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/store"
)

// session asks whose session a token is. Passing faults stay what they are;
// everything else means that nobody is signed in.
func (s *Server) session(c *fiber.Ctx, token string) (*store.Holder, error) {
	holder, err := s.cfg.Accounts.Session(c.UserContext(), token)
	if err == nil {
		return &holder, nil
	}
	switch signing.KindOf(err) {
	case signing.Busy, signing.KeyUnavailable, signing.TimeUnavailable, signing.DiskFull:
		return nil, err
	}
	return nil, fail(Unauthenticated, "no such session", err)
}

// encodeQuery writes a query with its question mark, or nothing.
func encodeQuery(m fiber.Map) string {
	if len(m) == 0 {
		return ""
	}
	q := url.Values{}
	for k, v := range m {
		q.Set(k, v.(string))
	}
	return "?" + q.Encode()
}
