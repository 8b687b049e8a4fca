package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/signing"
	"sigillo/store"
)

// session asks whose session a token is. Passing faults stay what they are;
// everything else means that nobody is signed in. From here on the holder's
// registered language is spoken, unless this request asks for another.
func (s *Server) session(c *fiber.Ctx, token string) error {
	r := current(c)
	holder, session, err := s.cfg.Accounts.Session(c.UserContext(), token, r.visit)
	if err == nil {
		r.holder, r.session, r.token = &holder, session, token
		s.speakTo(c, &holder)
		return nil
	}
	switch signing.KindOf(err) {
	case signing.Busy, signing.KeyUnavailable, signing.TimeUnavailable, signing.DiskFull:
		return err
	}
	return fail(Unauthenticated, "no such session", err)
}

// visit is what a session is bound to, and what its holder sees of it.
func (s *Server) visit(c *fiber.Ctx) auth.Visit {
	v := auth.Visit{Face: auth.Pages, Client: current(c).client, Agent: c.Get(fiber.HeaderUserAgent)}
	if faceOf(c.Path()) == faceREST {
		v.Face = auth.Programs
	}
	return v
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
