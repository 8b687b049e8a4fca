package counter

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing/counter"
)

// mountSession opens the addresses of one session.
func (s *Server) mountSession(r fiber.Router) {
	const at = "/counter/sessions/:id"
	h := s.house
	r.Get(at, h.Member(s.session))
	r.Get(at+"/state", h.Member(s.sessionState))
	r.Get(at+"/documents/:document/pages/:n", h.Member(s.sheet))
	r.Get(at+"/items/:seq", h.Member(s.output))
	r.Post(at+"/begin", h.Member(s.act(func(c *fiber.Ctx, by staff.Member, f posted) (counter.Session, error) {
		return s.cfg.Desk.Begin(c.UserContext(), by, c.Params("id"), s.house.Presence(c, f))
	})))
	r.Post(at+"/begin/challenge", h.Member(s.challenge))
	r.Post(at+"/remove", h.Member(s.act(func(c *fiber.Ctx, by staff.Member, f posted) (counter.Session, error) {
		n, err := strconv.Atoi(f.get("index"))
		if err != nil {
			return counter.Session{}, bad("no signature", err)
		}
		return s.cfg.Desk.RemoveSample(c.UserContext(), by, c.Params("id"), n)
	})))
	r.Post(at+"/finish", h.Member(s.finish))
	r.Post(at+"/finish/challenge", h.Member(s.challenge))
	r.Post(at+"/cancel", h.Member(s.act(func(c *fiber.Ctx, by staff.Member, f posted) (counter.Session, error) {
		reason := f.get("reason")
		if !slices.Contains(counter.Reasons, reason) {
			return counter.Session{}, bad("no reason", nil)
		}
		return s.cfg.Desk.Cancel(c.UserContext(), by, c.Params("id"), reason)
	})))
	// A form that was refused leaves its own address in the browser. Loaded anew, or in the
	// other language, it is the session.
	for _, form := range []string{"/begin", "/remove", "/finish", "/cancel"} {
		r.Get(at+form, h.Member(func(c *fiber.Ctx, _ staff.Member) error { return toSession(c) }))
	}
}

func toSession(c *fiber.Ctx) error {
	return c.Redirect("/counter/sessions/"+escaped(c.Params("id")), fiber.StatusSeeOther)
}

// AtSession is the data of a session's page.
type AtSession struct {
	counter.Session
	Tablet counter.Tablet
	Chips  []Chip
	Paper  *counter.Document // that the customer reads
	Sheet  int               // and the page of it
	Own    bool              // the member who looks has opened the session
	Ended  bool
	Finish bool     // the second person is asked for
	Reason []string // that a session can be cancelled for
	Second string   // username typed before
}

// Step is one of those that a session goes through; State is "past", "now" or empty.
type Step struct {
	Number      int
	Name, State string
}

// Steps shows how far the session is. One that ended otherwise stays where it was.
func (d AtSession) Steps() []Step {
	names := []string{"presence", "read", "sign", "copies"}
	at := map[counter.State]int{counter.Open: 0, counter.Reading: 1, counter.Signing: 2, counter.Matched: 3, counter.Done: 4}
	if d.Purpose == counter.Enrol {
		names = []string{"presence", "consent", "signatures", "second", "certificate"}
		at[counter.Done] = 5
	}
	now, known := at[d.State]
	out := make([]Step, len(names))
	for i, name := range names {
		out[i] = Step{Number: i + 1, Name: name}
		switch {
		case !known:
		case i < now:
			out[i].State = "past"
		case i == now:
			out[i].State = "now"
		}
	}
	return out
}

func (s *Server) sessionPage(c *fiber.Ctx, by staff.Member, one counter.Session) (Page, error) {
	d := AtSession{Session: one, Finish: finishing(c, one), Chips: chips(one.Enrolment), Own: one.Operator == by.ID, Ended: one.State.Ended(), Reason: counter.Reasons}
	for i := range one.Documents {
		if doc := &one.Documents[i]; d.Paper == nil && doc.Shown < doc.Pages {
			d.Paper, d.Sheet = doc, doc.Shown+1
		}
	}
	if d.Paper == nil && len(one.Documents) > 0 {
		last := &one.Documents[len(one.Documents)-1]
		d.Paper, d.Sheet = last, max(last.Pages, 1)
	}
	all, err := s.cfg.Desk.Tablets(c.UserContext(), by)
	if err != nil {
		return Page{}, err
	}
	if i := slices.IndexFunc(all, func(t counter.Tablet) bool { return t.ID == one.Tablet }); i >= 0 {
		d.Tablet = all[i]
	}
	return Page{Name: "counter_session", Data: d}, nil
}

// OddIndex is where the signature is that stands apart, from 0.
func (d AtSession) OddIndex() int { return d.Enrolment.Odd - 1 }

// finishing says whether the second person of an enrolment is asked for: when all signatures
// are there, or, if the operator wants so, when there are enough.
func finishing(c *fiber.Ctx, one counter.Session) bool {
	if one.Purpose != counter.Enrol {
		return false
	}
	asked := c.Query("finish") != "" || c.Method() == fiber.MethodPost
	return one.State == counter.Matched || one.State == counter.Signing && one.Enrolment != nil && one.Enrolment.Ready && asked
}

func (s *Server) session(c *fiber.Ctx, by staff.Member) error {
	one, err := s.cfg.Desk.Session(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	p, err := s.sessionPage(c, by, one)
	if err != nil {
		return err
	}
	return s.house.Page(c, p)
}

// changed tells the script of the page that it is to be shown anew.
type changed struct {
	Version int64 `json:"version"`
	// State and Away change without a version, too: what the console ends, and silence.
	State counter.State `json:"state"`
	Away  bool          `json:"away"`
}

func (s *Server) sessionState(c *fiber.Ctx, by staff.Member) error {
	seen, err := strconv.ParseInt(c.Query("seen", "-1"), 10, 64)
	if err != nil {
		return bad("no version", err)
	}
	ctx, cancel := s.house.Patience(c)
	defer cancel()
	one, err := s.cfg.Desk.Watch(ctx, by, c.Params("id"), seen)
	if err != nil {
		return err
	}
	return s.house.Answer(c, changed{one.Version, one.State, one.Away})
}

// act does something with a session that a form asks for, and shows it then.
func (s *Server) act(do func(c *fiber.Ctx, by staff.Member, f posted) (counter.Session, error)) func(*fiber.Ctx, staff.Member) error {
	return func(c *fiber.Ctx, by staff.Member) error {
		f, err := s.posted(c)
		if err != nil {
			return err
		}
		defer f.wipe()
		if _, err := do(c, by, f); err != nil {
			return s.failed(c, by, err, "")
		}
		return toSession(c)
	}
}

// failed shows a session as it is, with what went wrong.
func (s *Server) failed(c *fiber.Ctx, by staff.Member, problem error, second string) error {
	one, err := s.cfg.Desk.Session(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return problem
	}
	p, err := s.sessionPage(c, by, one)
	if err != nil {
		return problem
	}
	d := p.Data.(AtSession)
	d.Second = second
	p.Problem, p.Data = problem, d
	return s.house.Page(c, p)
}

// finish makes key and certificate. The answer is a page and no redirect: the code that
// suspends the certificate is in it, and nowhere else.
func (s *Server) finish(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	defer s.house.Long(c)()
	second := f.get("second")
	one, err := s.cfg.Desk.FinishEnrolment(c.UserContext(), by, c.Params("id"), second, s.house.Presence(c, f))
	if err != nil {
		return s.failed(c, by, err, second)
	}
	p, err := s.sessionPage(c, by, one)
	if err != nil {
		return err
	}
	return s.house.Page(c, p)
}

func (s *Server) challenge(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	out, err := s.cfg.Desk.Challenge(c.UserContext(), by, c.Params("id"), f.get("second"))
	if err != nil {
		return err
	}
	return s.house.Answer(c, out)
}

func (s *Server) sheet(c *fiber.Ctx, by staff.Member) error {
	n, err := strconv.Atoi(c.Params("n"))
	if err != nil {
		return fiber.ErrNotFound
	}
	png, err := s.cfg.Desk.Page(c.UserContext(), by, c.Params("id"), c.Params("document"), n)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/png")
	return c.Send(png)
}

func (s *Server) output(c *fiber.Ctx, by staff.Member) error {
	seq, err := strconv.Atoi(c.Params("seq"))
	if err != nil || seq < 0 {
		return fiber.ErrNotFound
	}
	out, err := s.cfg.Desk.Output(c.UserContext(), by, c.Params("id"), seq)
	if err != nil {
		return err
	}
	return s.house.Download(c, out)
}

func escaped(s string) string { return url.PathEscape(s) }
