package web

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/store"
)

const (
	headerTimeout  = 30 * time.Second // for the header; body.go moves it on for bodies
	writeTimeout   = 60 * time.Second // for an answer; streamed answers move it on
	idleTimeout    = 75 * time.Second // between two requests of a connection
	requestTimeout = 60 * time.Second // for the rooms below, on most requests
	signTimeout    = 3 * time.Minute  // a batch of 100 documents, stamped and verified
	convertTimeout = 3 * time.Minute  // a minute for the conversion, the rest for a long document's pages
	uploadTimeout  = 90 * time.Minute // the limit over a slow line; body.go keeps it honest
	headerLimit    = 16 << 10         // request line and header
)

// Server is the web face of one appliance. It holds no state of its own but
// counters: sessions, documents and keys all live below.
type Server struct {
	cfg      Config
	attempts attempts
	// emergencies limits wrong codes, of emergency and of activation, apart from
	// sign-ins: whoever has used those up can still suspend.
	emergencies attempts
	app         *fiber.App
	locales     map[string]*locale
	pages       pages
	assets      *assets
	openAPI     []byte
	formKey     []byte // of this process: a restart makes open forms stale, nothing worse
	metrics     *metrics

	stampCounts stampCounts
	patience    patience

	base context.Context // ends when the server has shut down
	end  context.CancelFunc
	// leaving ends when the server begins to shut down: for requests that wait for something.
	leaving context.Context
	leave   context.CancelFunc
}

// New builds the server; nothing is opened before Serve or Listen. It fails
// when a required part is missing or an embedded file is broken.
func New(cfg Config) (*Server, error) {
	if cfg.Signing == nil || cfg.Accounts == nil {
		return nil, errors.New("web: Config.Signing and Config.Accounts are required")
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg, formKey: make([]byte, 32), metrics: newMetrics()}
	_, _ = rand.Read(s.formKey) // never fails (crypto/rand)
	var err error
	if s.locales, err = loadLocales(cfg.Zone); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = loadPages(); err != nil {
		return nil, err
	}
	s.base, s.end = context.WithCancel(context.Background())
	s.leaving, s.leave = context.WithCancel(s.base)
	s.patience = patience{base: s.base, time: stampTimeout}
	s.app = fiber.New(fiber.Config{
		AppName: "Sigillo", DisableStartupMessage: true,
		// Strings of the request may outlive it (they go to the rooms below).
		Immutable: true, CaseSensitive: true,
		// Bodies are streams: fasthttp reads at most 8 KiB ahead, body.go the rest.
		StreamRequestBody: true, DisablePreParseMultipartForm: true, BodyLimit: bodyLimit,
		ReadBufferSize: headerLimit,
		ReadTimeout:    headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorHandler: s.handleError,
	})
	s.app.Use(s.around)
	s.app.Use(s.cardDoor)
	s.routeAssets()
	s.routeProtocols()
	if err := s.routeAPI(); err != nil {
		return nil, err
	}
	if cfg.CSC != nil {
		cfg.CSC.Mount(s.app, applicationHouse{s})
	}
	if cfg.OAuth != nil { // before the face, whose forms come from its own pages alone
		cfg.OAuth.Mount(s.app, house{s})
	}
	s.routeFace()
	fast := s.app.Server()
	fast.Handler, fast.HeaderReceived = s.wellFormedDoor(s.stampDoor(fast.Handler)), s.expect
	return s, nil
}

// App is the fiber application, for tests that need no listener.
func (s *Server) App() *fiber.App { return s.app }

// OpenAPI is the document served at /api/v1/openapi.json.
func (s *Server) OpenAPI() []byte { return s.openAPI }

// Listen serves on a TCP address until ctx ends.
func (s *Server) Listen(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(ctx, ln, nil)
}

// Serve answers on ln (wrap it with crypto/tls for TLS) until ctx ends; open
// requests then have ten seconds. It returns nil after such an end. cards, nil for
// none, is a TLS listener that asks for certificates: the door of Config.Cards.
func (s *Server) Serve(ctx context.Context, ln, cards net.Listener) error {
	done := make(chan error, 2)
	s.app.Handler() // makes the routes ready, once, before two listeners use them
	if cards != nil {
		defer cards.Close()
		go func() { done <- s.app.Server().Serve(watched{cards, true}) }()
	}
	go func() { done <- s.app.Listener(watched{ln, false}) }()
	select {
	case err := <-done:
		s.end()
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.Shutdown(grace)
	// A shutdown that comes before the listener is being served finds nothing
	// to shut; closing the listener ends it all the same.
	ln.Close()
	if served := <-done; err == nil && !errors.Is(served, net.ErrClosed) {
		err = served
	}
	return err
}

// Shutdown stops taking connections, waits for open requests until ctx ends,
// and then cuts off what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	s.leave()
	return s.app.ShutdownWithContext(ctx)
}

// request is what the handlers of one request share.
type request struct {
	server  *Server
	locale  *locale
	client  string // address of who asks, or "unknown"
	body    *body
	visit   auth.Visit
	holder  *store.Holder // nil: nobody is signed in
	session auth.Session  // of the holder
	member  *staff.Member // of the staff; nil: none is
	tablet  string        // token of the signature tablet that asks; "" for none
	token   string        // of the session
	newForm string        // form cookie set by this answer
	fault   error         // told in the log
}

// subject is the identifier of who is signed in, "" for nobody.
func (r *request) subject() string {
	switch {
	case r.member != nil:
		return r.member.ID
	case r.holder != nil:
		return r.holder.ID
	}
	return ""
}

const requestKey = "sigillo.request"

func current(c *fiber.Ctx) *request {
	r, _ := c.Locals(requestKey).(*request)
	return r
}

// around is the outermost handler: it prepares what every request needs, turns
// errors and panics into answers, leaves the connection clean and writes one
// log line and one count.
func (s *Server) around(c *fiber.Ctx) error {
	began := time.Now()
	body := newBody(c.Context(), began)
	r := &request{server: s, client: s.clientName(c.Context()), body: &body, locale: s.chooseLocale(c)}
	c.Locals(requestKey, r)
	r.visit = s.visit(c)
	s.secureHeaders(c)
	ctx, cancel := context.WithTimeout(s.base, requestTimeout)
	defer cancel()
	c.SetUserContext(ctx)

	if err := s.guarded(c); err != nil {
		s.answerError(c, err)
	}
	r.body.finish(c.Context())
	s.record(c, r, time.Since(began))
	return nil
}

// guarded runs the handlers and turns a panic into an internal error; its
// stack goes to the log, never to the client.
func (s *Server) guarded(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic in a handler", "path", c.Path(), "panic", p, "stack", string(debug.Stack()))
			err = fail("internal", "a handler failed", nil)
		}
	}()
	return c.Next()
}

// chooseLocale picks the language. The REST interface has no cookies, so there
// Accept-Language alone decides.
func (s *Server) chooseLocale(c *fiber.Ctx) *locale {
	chosen := ""
	if faceOf(c.Path()) == facePages {
		chosen = s.cookie(c, languageCookie)
	}
	return s.locales[negotiate(chosen, c.Get(fiber.HeaderAcceptLanguage))]
}

// within gives the rooms below more time than usual for this request.
func (s *Server) within(c *fiber.Ctx, d time.Duration) context.CancelFunc {
	ctx, cancel := context.WithTimeout(s.base, d)
	c.SetUserContext(ctx)
	return cancel
}

// The doors of the package comment.
type face int

const (
	facePages face = iota
	faceREST
	faceProtocol
)

func faceOf(path string) face {
	if strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/csc/") {
		return faceREST
	}
	for _, p := range []string{"/tsa", "/ocsp", "/crl", "/certs", "/healthz", "/metrics", "/assets",
		"/oauth2/token", "/oauth2/pushed_authorize", "/oauth2/revoke", "/revoke", "/.well-known"} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return faceProtocol
		}
	}
	return facePages
}

// answerError writes an error in the manner of the door it came through.
func (s *Server) answerError(c *fiber.Ctx, err error) {
	r := current(c)
	r.fault = err
	p := s.problem(r.locale, err)
	for name, values := range p.GetHeaders() {
		if name == "Www-Authenticate" && faceOf(c.Path()) == facePages {
			continue // the face signs in with a form
		}
		c.Set(name, values[0])
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Status(p.Status)
	switch {
	case faceOf(c.Path()) == faceREST || wantsJSON(c):
		s.writeProblem(c, p)
	case faceOf(c.Path()) == faceProtocol:
		c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
		_ = c.SendString(p.Title + "\n" + p.Detail + "\n")
	default:
		s.errorPage(c, p)
	}
}

// handleError answers what fasthttp refuses before any handler runs, such as
// a header over its limit.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	if current(c) == nil {
		c.Locals(requestKey, &request{server: s, locale: s.locales[languages[0]], body: &body{ended: true}})
		s.secureHeaders(c)
	}
	s.answerError(c, err)
	return nil
}

// wantsJSON: our own upload script asks for JSON on a page's address.
func wantsJSON(c *fiber.Ctx) bool {
	return strings.HasPrefix(c.Get(fiber.HeaderAccept), fiber.MIMEApplicationJSON)
}
