package web

import (
	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/signing"
)

func (s *Server) routeSessions() {
	s.app.Get("/security/sessions", s.signedIn(s.sessions))
	s.app.Post("/security/sessions/others/end", s.signedIn(s.endOtherSessions))
	s.app.Post("/security/sessions/:ref/end", s.signedIn(s.endSession))
}

type sessionsData struct {
	Sessions []sessionRow
	Others   int
}

// sessionRow is a session as its holder sees it.
type sessionRow struct {
	SessionInfo
	Name string // of the browser or program
	Way  string // how the holder was recognised: a key of the catalogue below "way"
}

// wayOf tells the combinations of methods that there are in a word.
func wayOf(methods []string) string {
	way := "other"
	for _, m := range methods {
		switch m {
		case "otp", "sms", "pop", "sc":
			way = m
		}
	}
	return way
}

func (s *Server) sessions(c *fiber.Ctx) error {
	r := current(c)
	all, err := s.cfg.Accounts.Sessions(c.UserContext(), r.holder.ID)
	if err != nil {
		return err
	}
	var data sessionsData
	for _, one := range all {
		row := sessionRow{SessionInfo: sessionInfo(one, r.session.Ref()), Name: one.Label, Way: wayOf(one.Methods)}
		if row.Name == "" {
			row.Name = browserName(one.Agent)
		}
		if row.Name == "" {
			row.Name = r.locale.T("sessions.unknown")
		}
		if !row.Current {
			data.Others++
		}
		data.Sessions = append(data.Sessions, row)
	}
	v := s.newView(c, "sessions", r.locale.T("sessions.title"), data)
	switch {
	case c.Query("ended") != "":
		v.Notice = v.T("sessions.ended")
	case c.Query("forgotten") != "":
		v.Notice = v.T("sessions.forgotten")
	}
	return s.render(c, v)
}

func (s *Server) endSession(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	err = s.cfg.Accounts.EndSession(c.UserContext(), r.holder.ID, c.Params("ref"))
	if err != nil && KindOf(err) != Kind(signing.NotFound) { // it has ended meanwhile: what was wanted
		return err
	}
	return s.endedSessions(c, c.Params("ref") == r.session.Ref())
}

func (s *Server) endOtherSessions(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	f.wipe()
	if _, err := s.cfg.Accounts.EndOtherSessions(c.UserContext(), r.holder.ID, r.session.Ref()); err != nil {
		return err
	}
	return s.endedSessions(c, false)
}

// endedSessions goes on after sessions were ended, perhaps this one.
func (s *Server) endedSessions(c *fiber.Ctx, own bool) error {
	if own {
		s.setCookie(c, sessionCookie, "", -1)
		return c.Redirect("/signin?out=1", fiber.StatusSeeOther)
	}
	return c.Redirect("/security/sessions?ended=1", fiber.StatusSeeOther)
}

// Programs tells the templates which sessions are those of programs.
func (r sessionRow) Programs() bool { return r.Face == string(auth.Programs) }
