package counter

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/signing/counter"
	"sigillo/vault"
)

// Desk is the operator's side of the room below, [counter.Service]. Each call is in the
// name of a member of the staff, who sees what belongs to the own centre and nothing else.
// Errors are of signing/counter and of signing.
type Desk interface {
	Customers(ctx context.Context, by staff.Member, who string) ([]counter.Customer, error)
	RegisterCustomer(ctx context.Context, by staff.Member, n counter.NewCustomer) (counter.Customer, error)
	Upload(ctx context.Context, by staff.Member, holder, name string, r io.Reader) (signing.Document, error)
	OpenEnrolment(ctx context.Context, by staff.Member, n counter.NewEnrolment) (counter.Session, error)
	OpenDossier(ctx context.Context, by staff.Member, n counter.NewDossier) (counter.Session, error)
	// Challenge is what a passkey is to sign for Begin (second is empty) or FinishEnrolment.
	Challenge(ctx context.Context, by staff.Member, id, second string) (vault.Challenge, error)
	Begin(ctx context.Context, by staff.Member, id string, presence vault.Evidence) (counter.Session, error)
	Session(ctx context.Context, by staff.Member, id string) (counter.Session, error)
	Watch(ctx context.Context, by staff.Member, id string, seen int64) (counter.Session, error)
	Sessions(ctx context.Context, by staff.Member) ([]counter.Session, error)
	Page(ctx context.Context, by staff.Member, id, document string, page int) ([]byte, error)
	Output(ctx context.Context, by staff.Member, id string, seq int) (*signing.Output, error)
	RemoveSample(ctx context.Context, by staff.Member, id string, index int) (counter.Session, error)
	FinishEnrolment(ctx context.Context, by staff.Member, id, second string, presence vault.Evidence) (counter.Session, error)
	Cancel(ctx context.Context, by staff.Member, id, reason string) (counter.Session, error)
	Withdraw(ctx context.Context, by staff.Member, holder string) error
	// Counts is what the vault has counted, for who may see that.
	Counts(ctx context.Context, by staff.Member) (vault.GraphometricReport, error)

	Tablets(ctx context.Context, by staff.Member) ([]counter.Tablet, error)
	NewTabletCode(ctx context.Context, by staff.Member, n counter.NewTablet) (t counter.Tablet, code string, expires time.Time, err error)
	ConfirmTablet(ctx context.Context, by staff.Member, id, fingerprint string, e vault.Evidence) (counter.Tablet, error)
	ChallengeTablet(ctx context.Context, by staff.Member, id, client, browser string) (vault.Challenge, error)
	RevokeTablet(ctx context.Context, by staff.Member, id, reason string) error
}

// Tablets is the tablet's side of it. Each call but the first two is in the name of a
// tablet that was recognised by its token.
type Tablets interface {
	EnrolTablet(ctx context.Context, code, class string, publicKey []byte) (t counter.Tablet, token string, err error)
	TabletOf(ctx context.Context, token string) (counter.Tablet, error)
	TabletState(ctx context.Context, tablet string, seen int64) (counter.TabletView, error)
	TabletPage(ctx context.Context, tablet, session, document string, page int) ([]byte, error)
	Read(ctx context.Context, tablet, session, document string, page int) (counter.TabletView, error)
	Accept(ctx context.Context, tablet, session, document string) (counter.TabletView, error)
	Consent(ctx context.Context, tablet, session, sha256 string, agrees bool) (counter.TabletView, error)
	Arm(ctx context.Context, tablet, session string) (counter.Armed, error)
	Submit(ctx context.Context, tablet, session string, c counter.Captured) (counter.TabletView, error)
	Leave(ctx context.Context, tablet, session, reason string) (counter.TabletView, error)
	Report(ctx context.Context, tablet string, d counter.Device) error
}

// House is what the web server around this package does for it.
type House interface {
	// Member lets only a member of the staff with a live session through.
	Member(next func(c *fiber.Ctx, by staff.Member) error) fiber.Handler
	// Tablet is the token of the tablet that asks, "" for none; Keep gives it one, or
	// with "" takes it away.
	Tablet(c *fiber.Ctx) string
	Keep(c *fiber.Ctx, token string)
	// Form reads a form. Its values are wiped by the caller. Own refuses one that was not
	// made by us for this browser.
	Form(c *fiber.Ctx) (map[string][][]byte, error)
	Own(c *fiber.Ctx, form map[string][][]byte) error
	// Upload reads a form with files, which come after the fields. The form's token is
	// checked before anything is handed on.
	Upload(c *fiber.Ctx, field func(name, value string) error, file func(name string, r io.Reader) error) error
	// Presence is what a member has typed into a form to show to be there.
	Presence(c *fiber.Ctx, form map[string][][]byte) vault.Evidence
	// Attempt uses up one of an address's attempts to guess; succeeded gives it back.
	Attempt(c *fiber.Ctx) (succeeded func(), err error)
	// Page shows a page; Answer answers a script; Fault shows what went wrong as a page.
	Page(c *fiber.Ctx, p Page) error
	Answer(c *fiber.Ctx, answer any) error
	Download(c *fiber.Ctx, o *signing.Output) error
	// Patience is a context for a request that waits for something to happen. It ends when
	// the server is being shut down.
	Patience(c *fiber.Ctx) (context.Context, context.CancelFunc)
	// Long gives a request the time that signing takes.
	Long(c *fiber.Ctx) context.CancelFunc
	// Speak has the page speak a language, whatever the browser asks for; "" changes nothing.
	Speak(c *fiber.Ctx, language string)
}

// Page is a page in the house's layout; Name is also that of its heading, "<Name>.title".
type Page struct {
	Name    string
	Bare    bool   // without the house's header and footer: a tablet's
	Notice  string // key of a text shown on top
	Problem error  // shown on top
	Data    any
}

// Config is what the server needs.
type Config struct {
	Desk    Desk    // required
	Tablets Tablets // required
	Now     func() time.Time
}

// Server is the face of the counters. It is safe for concurrent use.
type Server struct {
	cfg   Config
	house House // set by Mount
}

// New makes a server; Mount gives it its addresses.
func New(cfg Config) (*Server, error) {
	if cfg.Desk == nil || cfg.Tablets == nil {
		return nil, errors.New("counter: Config.Desk and Config.Tablets are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg}, nil
}

// Mount opens the addresses below /counter, for operators, and below /tablet.
func (s *Server) Mount(r fiber.Router, h House) {
	s.house = h
	s.mountTablet(r)
	r.Get("/counter", h.Member(s.home))
	r.Get("/counter/customers/new", h.Member(s.customerPage))
	r.Post("/counter/customers/new", h.Member(s.register))
	r.Post("/counter/customers/:id/withdraw", h.Member(s.withdraw))
	r.Get("/counter/enrol", h.Member(s.enrolPage))
	r.Post("/counter/enrol", h.Member(s.enrol))
	r.Get("/counter/dossier", h.Member(s.dossierPage))
	r.Post("/counter/dossier", h.Member(s.dossier))
	s.mountSession(r)
	r.Get("/counter/tablets", h.Member(s.tablets))
	r.Post("/counter/tablets", h.Member(s.newTablet))
	r.Post("/counter/tablets/:id/confirm", h.Member(s.confirmTablet))
	r.Post("/counter/tablets/:id/confirm/challenge", h.Member(s.challengeTablet))
	r.Post("/counter/tablets/:id/revoke", h.Member(s.revokeTablet))
	r.Get("/counter/report", h.Member(s.report))
	r.Get("/counter/report.csv", h.Member(s.reportFile))
}

// posted is a form of ours, to be wiped after use.
type posted map[string][][]byte

func (s *Server) posted(c *fiber.Ctx) (posted, error) {
	f, err := s.house.Form(c)
	if err != nil {
		return nil, err
	}
	if err := s.house.Own(c, f); err != nil {
		posted(f).wipe()
		return nil, err
	}
	return f, nil
}

func (f posted) get(name string) string {
	if v := f[name]; len(v) > 0 {
		return string(v[0])
	}
	return ""
}

func (f posted) wipe() {
	for _, all := range f {
		for _, v := range all {
			clear(v)
		}
	}
}

func bad(msg string, err error) error {
	return &counter.Error{Kind: counter.Invalid, Msg: msg, Err: err}
}
