package csc

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	bodyLimit = 1 << 20          // of a request without documents
	signTime  = 3 * time.Minute  // for signing, which may be of many documents
	callTime  = 60 * time.Second // for anything else
)

// Server answers the methods of the API. It is safe for concurrent use.
type Server struct {
	cfg     Config
	house   House // set by Mount
	tokens  tokens
	jobs    jobs
	stamps  pace
	large   places            // for requests with documents
	methods map[string]method // by path
	openAPI []byte
	logo    []byte
}

// New builds a server from its configuration.
func New(cfg Config) (*Server, error) {
	if cfg.Remote == nil {
		return nil, errors.New("csc: Config.Remote is required")
	}
	if (cfg.Login == nil) != (cfg.Epoch == nil) {
		return nil, errors.New("csc: Config.Login and Config.Epoch go together")
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg, tokens: newTokens(), jobs: newJobs(), methods: map[string]method{}}
	for _, m := range s.list() {
		s.methods[m.path()] = m
	}
	var err error
	if s.openAPI, err = json.MarshalIndent(s.document(), "", " "); err != nil {
		return nil, err
	}
	s.logo, err = drawLogo()
	return s, err
}

// Mount opens the doors below /csc.
func (s *Server) Mount(r fiber.Router, h House) {
	s.house = h
	for _, m := range s.methods {
		r.Post(m.path(), func(c *fiber.Ctx) error { return s.serve(c, m) })
	}
	r.Get("/csc/openapi.json", public("application/json; charset=utf-8", s.openAPI))
	r.Get("/csc/logo.png", public("image/png", s.logo))
	r.Use("/csc", func(c *fiber.Ctx) error {
		if _, known := s.methods[c.Path()]; known {
			c.Set(fiber.HeaderAllow, fiber.MethodPost)
			return answer(c, &Error{Code: "invalid_request", Description: "The method is called with POST", status: http.StatusMethodNotAllowed})
		}
		return answer(c, &Error{Code: "invalid_request", Description: "There is no such method", status: http.StatusNotFound})
	})
}

func public(media string, data []byte) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, media)
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
		return c.Send(data)
	}
}

// call is one request on its way through a method.
type call struct {
	*Server
	ctx    context.Context
	v      int // of the API: 1 or 2
	access Access
	// presented is the SHA-256 of the certificate of the TLS connection; nil: none.
	presented []byte
	client    string // for the journal and the lock-out: who, and from where
	basic     string // the header Authorization, for auth/login
	// attempt is House.Attempt, for auth/login.
	attempt func() (succeeded func(), err error)
}

// reply is an answer with another status than 200.
type reply struct {
	status int
	body   any // nil: none
}

var noContent = reply{status: http.StatusNoContent}

// serve answers one request.
func (s *Server) serve(c *fiber.Ctx, m method) error {
	limit := callTime
	if m.signs {
		limit = signTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), limit)
	defer cancel()
	out, err := s.run(ctx, c, m)
	if err != nil {
		e := told(err, m.v)
		if e.status >= http.StatusInternalServerError {
			s.cfg.Log.Error("a method of the CSC API failed", "method", m.path(), "err", err)
		}
		return answer(c, e)
	}
	r, ok := out.(reply)
	if !ok {
		r = reply{http.StatusOK, out}
	}
	c.Status(r.status)
	if r.body == nil {
		return nil
	}
	return c.JSON(r.body)
}

func (s *Server) run(ctx context.Context, c *fiber.Ctx, m method) (any, error) {
	k := call{Server: s, ctx: ctx, v: m.v, basic: c.Get(fiber.HeaderAuthorization),
		attempt: func() (func(), error) { return s.house.Attempt(c) }}
	address, certificate := s.house.Client(c)
	k.client, k.presented = address, fingerprint(certificate)
	if m.scopes != nil {
		var err error
		if k.access, err = s.admit(ctx, c, m, certificate); err != nil {
			return nil, err
		}
		k.client = k.access.Application + " " + address
	}
	if m.limit > bodyLimit {
		if !s.large.take(k.access.Holder) {
			return nil, tooBusy()
		}
		defer s.large.drop(k.access.Holder)
	}
	body, err := s.house.Body(c, m.limit)
	if err != nil {
		return nil, bodyError(err)
	}
	defer clear(body)
	o, err := readObject(body)
	if err != nil {
		return nil, err
	}
	return m.run(&k, o)
}

// bodyError tells a body that could not be read.
func bodyError(err error) error {
	e := &Error{Code: "invalid_request", Description: "The body could not be read", status: http.StatusBadRequest, err: err}
	var told interface{ GetStatus() int }
	if errors.As(err, &told) {
		e.status = told.GetStatus()
	}
	return e
}

// admit lets a request in with a bearer token (RFC 6750 §2.1) of one of the method's
// scopes.
func (s *Server) admit(ctx context.Context, c *fiber.Ctx, m method, certificate *x509.Certificate) (Access, error) {
	header := c.Get(fiber.HeaderAuthorization)
	if header == "" {
		return Access{}, noToken()
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Access{}, invalid(malformedHeader)
	}
	a, err := s.identify(ctx, token, certificate)
	if err != nil {
		return Access{}, err
	}
	for _, scope := range m.scopes {
		if a.Scope == scope {
			return a, nil
		}
	}
	return Access{}, wrongScope(strings.Join(m.scopes, " or "))
}

// identify finds what a bearer token stands for.
func (s *Server) identify(ctx context.Context, token string, certificate *x509.Certificate) (Access, error) {
	a, login, refused := s.tokens.access(token, s.cfg.Now())
	switch {
	case refused == nil:
		return a, s.same(ctx, login)
	case refused.Code != "invalid_token" || s.cfg.Gate == nil:
		return a, refused
	}
	a, err := s.cfg.Gate.Access(ctx, token, certificate)
	if err != nil && told(err, 2).status != http.StatusServiceUnavailable {
		err = badToken()
	}
	return a, err
}

// answer writes an error.
func answer(c *fiber.Ctx, e *Error) error {
	c.Status(e.status)
	if e.wait > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(e.seconds()))
	}
	if e.status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, challenge(c.Path(), e))
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(e)
}

// challenge says how to sign in (RFC 9110 §11.6.1, RFC 6750 §3).
func challenge(path string, e *Error) string {
	switch {
	case strings.HasSuffix(path, "/auth/login"):
		return `Basic realm="sigillo", charset="UTF-8"`
	case e.Code == "invalid_token":
		return `Bearer realm="sigillo", error="invalid_token"`
	}
	return `Bearer realm="sigillo"`
}
