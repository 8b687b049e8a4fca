package counter

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing/counter"
	"sigillo/vault"
)

// mountTablet opens the addresses of a tablet. Its page is GET /tablet; all else is asked by
// its script, with the token that is on the page.
func (s *Server) mountTablet(r fiber.Router) {
	r.Get("/tablet", s.tabletPage)
	r.Post("/tablet/register", s.enrolTablet)
	r.Post("/tablet/forget", s.forget)
	r.Get("/tablet/state", s.atTablet(s.tabletState))
	r.Get("/tablet/documents/:document/pages/:n", s.atTablet(s.tabletSheet))
	r.Post("/tablet/read", s.told(func(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
		page, err := strconv.Atoi(f.get("page"))
		if err != nil {
			return nil, bad("no page", err)
		}
		return s.cfg.Tablets.Read(c.UserContext(), t.ID, f.get("session"), f.get("document"), page)
	}))
	r.Post("/tablet/accept", s.told(func(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
		return s.cfg.Tablets.Accept(c.UserContext(), t.ID, f.get("session"), f.get("document"))
	}))
	r.Post("/tablet/consent", s.told(func(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
		return s.cfg.Tablets.Consent(c.UserContext(), t.ID, f.get("session"), f.get("sha256"), f.get("agrees") == "yes")
	}))
	r.Post("/tablet/arm", s.told(s.arm))
	r.Post("/tablet/submit", s.told(s.submit))
	r.Post("/tablet/leave", s.told(func(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
		return s.cfg.Tablets.Leave(c.UserContext(), t.ID, f.get("session"), f.get("reason"))
	}))
	r.Post("/tablet/device", s.told(s.device))
}

// recognised is the tablet that asks; an error of kind Unknown says that there is none.
func (s *Server) recognised(c *fiber.Ctx) (counter.Tablet, error) {
	token := s.house.Tablet(c)
	if token == "" {
		return counter.Tablet{}, &counter.Error{Kind: counter.Unknown, Msg: "this browser is no tablet"}
	}
	return s.cfg.Tablets.TabletOf(c.UserContext(), token)
}

// atTablet lets only a tablet through that may be used.
func (s *Server) atTablet(next func(c *fiber.Ctx, t counter.Tablet) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		t, err := s.recognised(c)
		if err != nil {
			return err
		}
		if t.State != counter.TabletActive {
			return &counter.Error{Kind: counter.NotPermitted, Msg: "this tablet may not be used"}
		}
		return next(c, t)
	}
}

// told answers what the script of a tablet says.
func (s *Server) told(do func(c *fiber.Ctx, t counter.Tablet, f posted) (any, error)) fiber.Handler {
	return s.atTablet(func(c *fiber.Ctx, t counter.Tablet) error {
		f, err := s.posted(c)
		if err != nil {
			return err
		}
		defer f.wipe()
		answer, err := do(c, t, f)
		if err != nil {
			return err
		}
		if view, ok := answer.(counter.TabletView); ok {
			answer = shown{view, key(view)}
		}
		return s.house.Answer(c, answer)
	})
}

// Chip is one of the signatures of an enrolment: "done", "now" or "todo".
type Chip struct {
	Number int
	State  string
}

// chips show how far an enrolment is.
func chips(p *counter.Progress) []Chip {
	if p == nil {
		return nil
	}
	out := make([]Chip, max(p.Wanted, p.Count))
	for i := range out {
		out[i] = Chip{i + 1, "todo"}
		switch {
		case i < p.Count:
			out[i].State = "done"
		case i == p.Count:
			out[i].State = "now"
		}
	}
	return out
}

// OnTablet is the data of the tablet's page: that of a tablet without a place ("register"),
// of one that waits to be confirmed ("pending") or was revoked ("revoked"), or of one in use
// ("use"), which shows View.
type OnTablet struct {
	Shape  string
	Key    string
	Tablet counter.Tablet
	View   counter.TabletView
	Chips  []Chip
	Paper  *counter.TabletDocument // the document to be read first
	Sheet  int                     // and its page
	Papers int                     // number of that document, from 1
	Total  int                     // pages of all documents
	Seen   int                     // of these, those that were shown
}

func (s *Server) tabletPage(c *fiber.Ctx) error {
	t, err := s.recognised(c)
	data := OnTablet{Shape: "use", Tablet: t}
	switch {
	case counter.KindOf(err) == counter.Unknown:
		data.Shape = "register"
		s.house.Keep(c, "") // of one that was revoked: the form is this browser's, not that tablet's
	case err != nil:
		return err
	case t.State == counter.TabletRevoked:
		data.Shape = "revoked"
	case t.State != counter.TabletActive:
		data.Shape = "pending"
	default:
		if data.View, err = s.cfg.Tablets.TabletState(c.UserContext(), t.ID, -1); err != nil {
			return err
		}
		s.house.Keep(c, s.house.Tablet(c)) // as long as it is in use
		data.Key = key(data.View)
		data.lay()
		s.house.Speak(c, data.View.Locale)
	}
	return s.house.Page(c, Page{Name: "tablet", Bare: true, Data: data})
}

// lay finds the page that is to be read next.
func (d *OnTablet) lay() {
	d.Chips = chips(d.View.Progress)
	for i := range d.View.Documents {
		doc := &d.View.Documents[i]
		d.Total += doc.Pages
		d.Seen += len(doc.Shown)
		if d.Paper == nil && (len(doc.Shown) < doc.Pages || len(doc.Findings) > 0 && !doc.Accepted) {
			d.Paper, d.Papers = doc, i+1
		}
	}
	if d.Paper == nil && len(d.View.Documents) > 0 {
		d.Paper, d.Papers = &d.View.Documents[0], 1
	}
	if d.Paper == nil {
		return
	}
	seen := map[int]bool{}
	for _, n := range d.Paper.Shown {
		seen[n] = true
	}
	for d.Sheet = 1; d.Sheet < d.Paper.Pages && seen[d.Sheet]; d.Sheet++ {
	}
}

func (s *Server) tabletState(c *fiber.Ctx, t counter.Tablet) error {
	seen, err := strconv.ParseInt(c.Query("seen", "-1"), 10, 64)
	if err != nil {
		return bad("no version", err)
	}
	ctx, cancel := s.house.Patience(c)
	defer cancel()
	view, err := s.cfg.Tablets.TabletState(ctx, t.ID, seen)
	if err != nil {
		return err
	}
	return s.house.Answer(c, shown{view, key(view)})
}

// shown is a view for the script. Key changes when the page has to be laid out anew; what
// else changes, such as how much of a document was read, the script sees to itself.
type shown struct {
	counter.TabletView
	Key string `json:"key"`
}

func key(v counter.TabletView) string {
	parts := []string{string(v.Step), v.Session, string(v.Purpose), v.Locale, v.Why, strconv.Itoa(v.Try), strconv.FormatBool(v.Repeat)}
	if p := v.Progress; p != nil {
		parts = append(parts, strconv.Itoa(p.Count), strconv.FormatBool(p.Ready), strconv.FormatBool(p.Pause), strings.Join(p.Reasons, " "))
	}
	return strings.Join(parts, "|")
}

func (s *Server) tabletSheet(c *fiber.Ctx, t counter.Tablet) error {
	n, err := strconv.Atoi(c.Params("n"))
	if err != nil || c.Method() != fiber.MethodGet { // of HEAD nothing is shown, and the page would count as given
		return fiber.ErrNotFound
	}
	png, err := s.cfg.Tablets.TabletPage(c.UserContext(), t.ID, c.Query("session"), c.Params("document"), n)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/png")
	return c.Send(png)
}

// enrolTablet gives a browser its place as a tablet, if it knows a code for that. The token
// goes into its cookie; that it is of use takes the operator's confirmation.
func (s *Server) enrolTablet(c *fiber.Ctx) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	succeeded, err := s.house.Attempt(c)
	if err != nil {
		return err
	}
	key, err := raw(f, "key")
	if err != nil {
		return err
	}
	t, token, err := s.cfg.Tablets.EnrolTablet(c.UserContext(), f.get("code"), f.get("class"), key)
	if err != nil {
		return err
	}
	succeeded()
	s.house.Keep(c, token)
	return s.house.Answer(c, t)
}

// forget takes a revoked tablet's place away, so that it can be given another.
func (s *Server) forget(c *fiber.Ctx) error {
	t, err := s.recognised(c)
	if err != nil {
		return err
	}
	if t.State != counter.TabletRevoked {
		return &counter.Error{Kind: counter.BadState, Msg: "the tablet is not revoked"}
	}
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	f.wipe()
	s.house.Keep(c, "")
	return s.house.Answer(c, struct{}{})
}

// armed is [counter.Armed] for the script. Started is the moment, in Unix milliseconds, from
// which the tablet counts; its own clock need not be right.
type armed struct {
	Nonce     string `json:"nonce"`
	PublicKey string `json:"publicKey"`
	Context   string `json:"context"`
	Started   int64  `json:"started"`
	Life      int64  `json:"life"` // ms
}

func (s *Server) arm(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
	a, err := s.cfg.Tablets.Arm(c.UserContext(), t.ID, f.get("session"))
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString
	return armed{Nonce: text(a.Nonce), PublicKey: text(a.PublicKey), Context: text(a.Context),
		Started: a.Expires.Add(-vault.ArmedLife).UnixMilli(), Life: vault.ArmedLife.Milliseconds()}, nil
}

// submit passes on what only the vault can read.
func (s *Server) submit(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
	defer s.house.Long(c)() // a signature that is recognised has the whole dossier signed
	var k counter.Captured
	var err error
	for name, into := range map[string]*[]byte{"nonce": &k.Nonce, "ephemeral": &k.Ephemeral, "sealed": &k.Sealed, "signature": &k.Signature} {
		if *into, err = raw(f, name); err != nil {
			return nil, err
		}
	}
	if k.Started, err = strconv.ParseInt(f.get("started"), 10, 64); err != nil {
		return nil, bad("no time", err)
	}
	return s.cfg.Tablets.Submit(c.UserContext(), t.ID, f.get("session"), k)
}

func (s *Server) device(c *fiber.Ctx, t counter.Tablet, f posted) (any, error) {
	rate, err := strconv.ParseFloat(f.get("rate"), 64)
	if err != nil || !(rate >= 0 && rate <= 10_000) {
		return nil, bad("no rate", err)
	}
	levels, err := strconv.Atoi(f.get("levels"))
	if err != nil || levels < 0 || levels > 1<<16 {
		return nil, bad("no levels", err)
	}
	d := counter.Device{Class: t.Class, Rate: rate, Levels: levels, Hover: f.get("hover") == "yes", Tilt: f.get("tilt") == "yes"}
	return struct{}{}, s.cfg.Tablets.Report(c.UserContext(), t.ID, d)
}

func raw(f posted, name string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(f.get(name))
	if err != nil {
		return nil, bad(name+" is not base64url", err)
	}
	return b, nil
}
