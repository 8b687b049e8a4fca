package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	counters "sigillo/signing/counter"
)

// CounterCustomer is a customer as a counter sees one.
type CounterCustomer struct {
	ID         string     `json:"id"`
	Username   string     `json:"username"`
	GivenName  string     `json:"given_name"`
	Surname    string     `json:"surname"`
	FiscalCode string     `json:"fiscal_code"`
	Email      string     `json:"email,omitempty"`
	Locale     string     `json:"locale"`
	Enrolled   bool       `json:"enrolled" doc:"Can sign at a counter"`
	Waiting    bool       `json:"waiting,omitempty" doc:"An enrolment is under way"`
	Consent    string     `json:"consent,omitempty" doc:"The text that the customer has consented to"`
	Consented  *time.Time `json:"consented,omitempty"`
}

func counterCustomer(c counters.Customer) CounterCustomer {
	out := CounterCustomer{ID: c.ID, Username: c.Username, GivenName: c.GivenName, Surname: c.Surname, FiscalCode: c.FiscalCode,
		Email: c.Email, Locale: c.Locale, Enrolled: c.Enrolled, Waiting: c.Waiting}
	if c.Consent != nil {
		at := c.Consent.At.UTC()
		out.Consent, out.Consented = c.Consent.Text, &at
	}
	return out
}

// NewCounterCustomer is somebody to be registered, after having been identified.
type NewCounterCustomer struct {
	Username       string          `json:"username,omitempty" maxLength:"100" doc:"The codice fiscale in small letters unless given"`
	GivenName      string          `json:"given_name" minLength:"1" maxLength:"100"`
	Surname        string          `json:"surname" minLength:"1" maxLength:"100"`
	FiscalCode     string          `json:"fiscal_code" minLength:"16" maxLength:"16"`
	Email          string          `json:"email,omitempty" maxLength:"200"`
	Locale         string          `json:"locale,omitempty" enum:"it,en"`
	Identification CounterIdentity `json:"identification"`
}

type counterCustomerInput struct{ Body NewCounterCustomer }

func (s *Server) apiCounterCustomers(api huma.API) {
	huma.Register(api, counterOperation("listTablets", http.MethodGet, "/tablets", "The tablets of the operator's centre"),
		func(ctx context.Context, _ *struct{}) (*listOutput[counters.Tablet], error) {
			all, err := s.cfg.CounterDesk.Tablets(ctx, memberOf(ctx))
			return list(ctx, all, err)
		})
	huma.Register(api, counterOperation("findCustomers", http.MethodGet, "/customers", "Find a customer, exactly; every look is journalled"),
		func(ctx context.Context, in *counterWhoInput) (*listOutput[CounterCustomer], error) {
			found, err := s.cfg.CounterDesk.Customers(ctx, memberOf(ctx), in.Who)
			var out []CounterCustomer
			for _, c := range found {
				out = append(out, counterCustomer(c))
			}
			return list(ctx, out, err)
		})
	op := counterOperation("registerCustomer", http.MethodPost, "/customers", "Register a customer whom the operator has identified", http.StatusUnprocessableEntity)
	op.DefaultStatus = http.StatusCreated
	huma.Register(api, op, func(ctx context.Context, in *counterCustomerInput) (*oneOutput[CounterCustomer], error) {
		b := in.Body
		c, err := s.cfg.CounterDesk.RegisterCustomer(ctx, memberOf(ctx), counters.NewCustomer{Username: b.Username, GivenName: b.GivenName,
			Surname: b.Surname, FiscalCode: b.FiscalCode, Email: b.Email, Locale: b.Locale, Identification: b.Identification.read()})
		return one(ctx, counterCustomer(c), err)
	})
	op = counterOperation("withdrawConsent", http.MethodDelete, "/customers/{id}/consent",
		"Withdraw the customer's consent: profile and key are destroyed, the certificate is revoked", http.StatusConflict)
	op.DefaultStatus = http.StatusNoContent
	huma.Register(api, op, func(ctx context.Context, in *idInput) (*struct{}, error) {
		if err := s.cfg.CounterDesk.Withdraw(ctx, memberOf(ctx), in.ID); err != nil {
			return nil, apiFail(ctx, err)
		}
		return nil, nil
	})
}

// apiCounterDocuments describes what goes in and comes out: their handlers are fiber's,
// because bodies stay streams.
func (s *Server) apiCounterDocuments(api huma.API) {
	op := counterOperation("bringDocument", http.MethodPost, "/customers/{id}/documents", "Upload a document for a customer and have it inspected",
		http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge)
	op.Description = "The body is the document itself. It can be signed at the operator's centre only."
	op.Parameters = []*huma.Param{
		{Name: "id", In: "path", Required: true, Description: "Identifier of the customer", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "name", In: "query", Description: "File name", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		fiber.MIMEOctetStream: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
	op.DefaultStatus = http.StatusCreated
	describe[signing.Document](api, &op, "Created")
	s.app.Post(apiCounter+"/customers/:id/documents", s.apiBring)

	page := counterOperation("getCounterDocumentPage", http.MethodGet, "/sessions/{id}/documents/{document}/pages/{n}", "A page as the customer sees it", http.StatusNotFound)
	page.Responses = map[string]*huma.Response{"200": {Description: "The page", Content: map[string]*huma.MediaType{
		"image/png": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	huma.Register(api, page, func(ctx context.Context, in *counterPageInput) (*bytesOutput, error) {
		png, err := s.cfg.CounterDesk.Page(ctx, memberOf(ctx), in.ID, in.Document, in.N)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &bytesOutput{"image/png", png}, nil
	})

	signed := counterOperation("getCounterSigned", http.MethodGet, "/sessions/{id}/items/{seq}/content", "Download one signed document of a session that is done",
		http.StatusNotFound, http.StatusConflict)
	signed.Parameters = []*huma.Param{
		{Name: "id", In: "path", Required: true, Description: "Identifier of the session", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "seq", In: "path", Required: true, Description: "Position in the dossier, from 0", Schema: &huma.Schema{Type: huma.TypeInteger}},
	}
	describeResponse(api, &signed, "The signed document", fiber.MIMEOctetStream, &huma.Schema{Type: huma.TypeString, Format: "binary"})
	s.app.Get(apiCounter+"/sessions/:id/items/:seq/content", s.apiCounterOutput)
}

// apiBring streams a document to the counter's room.
func (s *Server) apiBring(c *fiber.Ctx) error {
	r := current(c)
	defer s.within(c, uploadTimeout)()
	if r.body.declared > s.cfg.MaxUpload {
		return errTooLarge
	}
	in := &limited{src: r.body, left: s.cfg.MaxUpload}
	doc, err := s.cfg.CounterDesk.Upload(c.UserContext(), *r.member, c.Params("id"), fileName(c.Query("name")), in)
	switch {
	case in.over:
		return errTooLarge
	case r.body.err != nil:
		return r.body.err
	case in.err != nil:
		return fail(Aborted, "the upload ended before its time", in.err)
	case err != nil:
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(doc)
}

func (s *Server) apiCounterOutput(c *fiber.Ctx) error {
	seq, err := strconv.Atoi(c.Params("seq"))
	if err != nil || seq < 0 {
		return fail(Kind(signing.NotFound), "items are counted from 0", nil)
	}
	out, err := s.cfg.CounterDesk.Output(c.UserContext(), *current(c).member, c.Params("id"), seq)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, out.MediaType)
	c.Set(fiber.HeaderContentDisposition, attachment(out.Name))
	return c.SendStream(&paced{ReadCloser: out.File, c: c.Context().Conn()}, int(out.Size))
}
