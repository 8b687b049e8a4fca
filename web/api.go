package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

const (
	apiBase    = "/api/v1"
	apiSession = apiBase + "/session"
	apiOpenAPI = apiBase + "/openapi.json"
	apiDocs    = apiBase + "/docs"
)

// huma makes errors of its own (a body that does not fit the schema) through
// these two variables of its package. Ours have the shape of every other error.
func init() {
	huma.NewError = func(status int, _ string, _ ...error) huma.StatusError {
		kind := kindOfStatus(status)
		return &Problem{Kind: kind, Status: kind.status()}
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		r := requestOf(ctx.Context())
		r.fault = fail(kindOfStatus(status), msg, nil)
		p := r.server.problem(r.locale, r.fault)
		for _, err := range errs {
			if d, ok := err.(huma.ErrorDetailer); ok {
				// The detail's Value is left out: it may be a password.
				detail := d.ErrorDetail()
				p.Fields = append(p.Fields, ProblemField{Location: detail.Location, Message: detail.Message})
			}
		}
		return p
	}
}

// requestOf finds our request in the context that huma hands to a handler.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey).(*request)
	return r
}

// apiFail is how a handler of the REST interface ends with an error.
func apiFail(ctx context.Context, err error) error {
	r := requestOf(ctx)
	r.fault = err
	return r.server.problem(r.locale, err)
}

// writeProblem writes an error outside of huma.
func (s *Server) writeProblem(c *fiber.Ctx, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers only: cannot happen
		s.cfg.Log.Error("problem not written", "error", err)
	}
	c.Set(fiber.HeaderContentType, p.ContentType(""))
	c.Set(fiber.HeaderContentLanguage, current(c).locale.Code)
	_ = c.Send(body)
}

// secret is a string of JSON that becomes a byte slice, so that it can be wiped.
type secret []byte

// UnmarshalJSON takes a JSON string.
func (s *secret) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s = secret(text)
	return nil
}

// Schema tells the OpenAPI document that it is a password.
func (secret) Schema(huma.Registry) *huma.Schema {
	limit := 1000
	return &huma.Schema{Type: huma.TypeString, Format: "password", MaxLength: &limit}
}

// routeAPI registers the REST interface and makes its OpenAPI document.
func (s *Server) routeAPI() error {
	s.app.Use(apiBase, s.apiDoor)
	config := huma.DefaultConfig("Sigillo", s.cfg.Version)
	config.CreateHooks = nil // no $schema in answers
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Info.Description = "Remote qualified signature: upload, inspect, view, sign, download. " +
		"Errors are application/problem+json (RFC 9457); their kind is stable, their text follows Accept-Language."
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":      {Type: "http", Scheme: "bearer", Description: "Token from POST " + apiSession},
		counterBearer: {Type: "http", Scheme: "bearer", Description: "Token of a member of the staff, from POST " + apiCounterSession},
		stampBasic:    {Type: "http", Scheme: "basic", Description: "Account of the time-stamping authority"},
		stampBearer:   {Type: "http", Scheme: "bearer", Description: "Token of an account of the time-stamping authority"},
	}
	api := humafiber.New(s.app, config)
	s.apiSessions(api)
	if s.cfg.Applications != nil {
		s.apiApplications(api)
	}
	s.apiDocuments(api)
	s.apiTransactions(api)
	if s.cfg.Delegations != nil {
		s.apiDelegations(api)
	}
	if s.cfg.CounterDesk != nil {
		s.apiCounters(api)
	}
	if s.cfg.Stamps != nil {
		s.apiStamps(api)
	}
	document, err := json.MarshalIndent(api.OpenAPI(), "", " ")
	if err != nil {
		return fail(Kind(signing.Internal), "OpenAPI document", err)
	}
	s.openAPI = document
	reference := newReference(api.OpenAPI())
	s.app.Get(apiOpenAPI, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
		return c.Send(s.openAPI)
	})
	s.app.Get(apiDocs, func(c *fiber.Ctx) error {
		l := s.locales[negotiate(s.cookie(c, languageCookie), c.Get(fiber.HeaderAcceptLanguage))]
		current(c).locale = l
		return s.render(c, s.newView(c, "api", l.T("api.title"), reference))
	})
	return nil
}

// apiDoor lets a request in with a bearer token (RFC 6750 §2.1) and a small
// body. Cookies count for nothing here, so there is nothing to forge.
func (s *Server) apiDoor(c *fiber.Ctx) error {
	r := current(c)
	if !apiPublic(c.Method(), c.Path()) {
		scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return fail(Unauthenticated, "no bearer token", nil)
		}
		door := s.session
		if isCounter(c.Path()) {
			door = s.atCounter
		}
		if err := door(c, strings.TrimSpace(token)); err != nil {
			return err
		}
	}
	if c.Method() == fiber.MethodPost && c.Path() == apiBase+"/documents" || isCounterUpload(c.Method(), c.Path()) {
		return c.Next() // reads its own stream
	}
	body, err := r.body.buffered(c, bodyLimit)
	if err != nil {
		return err
	}
	defer clear(body)
	return c.Next()
}

func apiPublic(method, path string) bool {
	return method == fiber.MethodPost && (path == apiSession || path == apiCounterSession) ||
		(method == fiber.MethodGet || method == fiber.MethodHead) && (path == apiOpenAPI || path == apiDocs)
}

// operation is what all operations of the interface share.
func operation(id, method, path, summary string, errors ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: apiBase + path, Summary: summary,
		Errors: append(errors, http.StatusServiceUnavailable, http.StatusInternalServerError)}
	if !apiPublic(method, apiBase+path) {
		op.Security = []map[string][]string{{"bearer": {}}}
		op.Errors = append(op.Errors, http.StatusUnauthorized)
	}
	return op
}

// clientOf is the address of who asks, for the journal and the lock-out.
func clientOf(ctx context.Context) string { return requestOf(ctx).client }
