package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/store"
)

// session asks whose session a token is. Passing faults stay what they are;
// everything else means that nobody is signed in. From here on the holder's
// registered language is spoken, unless this request asks for another.
func (s *Server) session(c *fiber.Ctx, token string) (*store.Holder, error) {
	holder, err := s.cfg.Accounts.Session(c.UserContext(), token)
	if err == nil {
		s.speakTo(c, &holder)
		return &holder, nil
	}
	switch signing.KindOf(err) {
	case signing.Busy, signing.KeyUnavailable, signing.TimeUnavailable, signing.DiskFull:
		return nil, err
	}
	return nil, fail(Unauthenticated, "no such session", err)
}

// speakTo switches to the holder's language when the request asks for none of
// ours, by the choice made in this browser or by Accept-Language.
func (s *Server) speakTo(c *fiber.Ctx, holder *store.Holder) {
	chosen := ""
	if faceOf(c.Path()) == facePages {
		chosen = s.cookie(c, languageCookie)
	}
	if l := s.locales[holder.Locale]; l != nil && asked(chosen, c.Get(fiber.HeaderAcceptLanguage)) == "" {
		current(c).locale = l
	}
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
