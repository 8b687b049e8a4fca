package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

type idInput struct {
	ID string `path:"id" maxLength:"100" doc:"Identifier"`
}

type pageInput struct {
	ID string `path:"id" maxLength:"100" doc:"Identifier of the document"`
	N  int    `path:"n" minimum:"1" doc:"Page, counted from 1"`
}

type bytesOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type listOutput[T any] struct{ Body []T }

type oneOutput[T any] struct{ Body T }

type createdOutput[T any] struct {
	Location string `header:"Location"`
	Body     T
}

// one and list answer with what a room gave, or with its error.
func one[T any](ctx context.Context, v T, err error) (*oneOutput[T], error) {
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	return &oneOutput[T]{v}, nil
}

func list[T any](ctx context.Context, v []T, err error) (*listOutput[T], error) {
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	if v == nil {
		v = []T{} // [] and not null
	}
	return &listOutput[T]{v}, nil
}

func holderOf(ctx context.Context) string { return requestOf(ctx).holder.ID }

func (s *Server) apiDocuments(api huma.API) {
	s.apiUploadOperation(api)
	huma.Register(api, operation("listDocuments", http.MethodGet, "/documents", "The holder's documents, newest first"),
		func(ctx context.Context, _ *struct{}) (*listOutput[signing.Document], error) {
			docs, err := s.cfg.Signing.Documents(ctx, holderOf(ctx))
			return list(ctx, docs, err)
		})
	huma.Register(api, operation("getDocument", http.MethodGet, "/documents/{id}", "One document with its inspection report", http.StatusNotFound),
		func(ctx context.Context, in *idInput) (*oneOutput[signing.Document], error) {
			doc, err := s.cfg.Signing.Document(ctx, holderOf(ctx), in.ID)
			return one(ctx, doc, err)
		})
	declare := operation("declareDocument", http.MethodPost, "/documents/digests",
		"Name a document of which only the digest is sent, and who has inspected it", http.StatusBadRequest)
	declare.DefaultStatus = http.StatusCreated
	huma.Register(api, declare, func(ctx context.Context, in *declarationInput) (*createdOutput[signing.Document], error) {
		doc, err := s.cfg.Signing.Declare(ctx, holderOf(ctx), in.Body)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &createdOutput[signing.Document]{apiBase + "/documents/" + pathSegment(doc.ID), doc}, nil
	})
	s.apiPages(api)
	huma.Register(api, operation("convertDocument", http.MethodPost, "/documents/{id}/convert",
		"Make a PDF/A of a refused document that is convertible: a new document, inspected and shown afresh", http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity),
		func(ctx context.Context, in *idInput) (*oneOutput[signing.Document], error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), convertTimeout)
			defer cancel()
			doc, err := s.cfg.Signing.Convert(ctx, holderOf(ctx), in.ID)
			return one(ctx, doc, err)
		})
	huma.Register(api, operation("listCredentials", http.MethodGet, "/credentials", "The holder's signing keys and their certificates"),
		func(ctx context.Context, _ *struct{}) (*listOutput[signing.Credential], error) {
			creds, err := s.cfg.Signing.Credentials(ctx, holderOf(ctx))
			return list(ctx, creds, err)
		})
	huma.Register(api, operation("suspendCredential", http.MethodPost, "/credentials/{id}/suspend",
		"Suspend the certificate of a credential at once", http.StatusNotFound, http.StatusConflict), s.apiSuspend)
}

type differenceInput struct {
	ID string `path:"id" maxLength:"100" doc:"Identifier of the document"`
	N  int    `path:"n" minimum:"1" maximum:"2" doc:"1 or 2: which of the two programs drew it"`
}

// apiPages describes what shows a document: pictures and words.
func (s *Server) apiPages(api huma.API) {
	image := func(id, path, summary, picture string) huma.Operation {
		op := operation(id, http.MethodGet, path, summary, http.StatusNotFound, http.StatusUnprocessableEntity)
		op.Responses = map[string]*huma.Response{"200": {Description: picture, Content: map[string]*huma.MediaType{
			"image/png": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
		return op
	}
	answer := func(ctx context.Context, png []byte, err error) (*bytesOutput, error) {
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &bytesOutput{"image/png", png}, nil
	}
	huma.Register(api, image("getPage", "/documents/{id}/pages/{n}", "One page as an image", "The page"),
		func(ctx context.Context, in *pageInput) (*bytesOutput, error) {
			png, err := s.cfg.Signing.Page(ctx, holderOf(ctx), in.ID, in.N)
			return answer(ctx, png, err)
		})
	huma.Register(api, image("getDifference", "/documents/{id}/difference/{n}",
		"The page that two programs show differently, as one of them drew it; for a day", "The picture"),
		func(ctx context.Context, in *differenceInput) (*bytesOutput, error) {
			png, err := s.cfg.Signing.Difference(ctx, holderOf(ctx), in.ID, in.N)
			return answer(ctx, png, err)
		})
	s.apiPageText(api)
}

// apiPageText describes the words of a page.
func (s *Server) apiPageText(api huma.API) {
	op := operation("getPageText", http.MethodGet, "/documents/{id}/pages/{n}/text", "The words of one page, as far as a program can tell", http.StatusNotFound, http.StatusUnprocessableEntity)
	op.Responses = map[string]*huma.Response{"200": {Description: "The words", Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	huma.Register(api, op, func(ctx context.Context, in *pageInput) (*bytesOutput, error) {
		text, err := s.cfg.Signing.PageText(ctx, holderOf(ctx), in.ID, in.N)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &bytesOutput{"text/plain; charset=utf-8", []byte(text)}, nil
	})
}

func (s *Server) apiSuspend(ctx context.Context, in *idInput) (*oneOutput[signing.Credential], error) {
	if err := s.cfg.Accounts.SuspendOwn(ctx, holderOf(ctx), in.ID); err != nil {
		return nil, apiFail(ctx, err)
	}
	creds, err := s.cfg.Signing.Credentials(ctx, holderOf(ctx))
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	for _, c := range creds {
		if c.ID == in.ID {
			return &oneOutput[signing.Credential]{c}, nil
		}
	}
	return nil, apiFail(ctx, fail(Kind(signing.NotFound), "no such credential", nil))
}

// apiUploadOperation describes the upload. Its handler is fiber's, because the
// body must stay a stream.
func (s *Server) apiUploadOperation(api huma.API) {
	op := operation("createDocument", http.MethodPost, "/documents", "Upload a document and have it inspected",
		http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage)
	op.Description = "The body is the document itself, or a form with one part named \"file\". It is streamed; neither end holds it in memory."
	op.Parameters = []*huma.Param{{Name: "name", In: "query", Description: "File name of a raw body",
		Schema: &huma.Schema{Type: huma.TypeString}}}
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		fiber.MIMEOctetStream: {Schema: binary},
		fiber.MIMEMultipartForm: {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"file"},
			Properties: map[string]*huma.Schema{"file": binary}}},
	}}
	op.DefaultStatus = http.StatusCreated
	describe[signing.Document](api, &op, "Created")
	s.app.Post(op.Path, s.apiUpload)
}

func (s *Server) apiUpload(c *fiber.Ctx) error {
	r := current(c)
	defer s.within(c, uploadTimeout)()
	doc, err := s.apiReceive(c, r)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, apiBase+"/documents/"+pathSegment(doc.ID))
	return c.Status(fiber.StatusCreated).JSON(doc)
}

func (s *Server) apiReceive(c *fiber.Ctx, r *request) (signing.Document, error) {
	if media, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); media != fiber.MIMEMultipartForm {
		if err := s.tooLargeAhead(c.UserContext(), r, 0); err != nil {
			return signing.Document{}, err
		}
		return s.store(c.UserContext(), r, c.Query("name"), r.body)
	}
	if err := s.tooLargeAhead(c.UserContext(), r, uploadOverhead); err != nil {
		return signing.Document{}, err
	}
	parts, err := s.multipartReader(c, r)
	if err != nil {
		return signing.Document{}, err
	}
	for {
		part, err := nextPart(r, parts)
		if errors.Is(err, io.EOF) {
			return signing.Document{}, fail(Kind(signing.Empty), "no part named file", nil)
		}
		if err != nil {
			return signing.Document{}, err
		}
		if part.FormName() == "file" {
			return s.store(c.UserContext(), r, part.FileName(), part)
		}
	}
}

// describe adds an operation to the document whose handler is not huma's.
func describe[T any](api huma.API, op *huma.Operation, text string) {
	var v T
	schema := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeOf(v))
	describeResponse(api, op, text, fiber.MIMEApplicationJSON, schema)
}

type declarationInput struct{ Body signing.Declaration }

type transactionInput struct{ Body signing.Request }

type signInput struct {
	ID   string `path:"id" maxLength:"100" doc:"Identifier of the transaction"`
	Body struct {
		Password secret `json:"password"`
		OTP      string `json:"otp" minLength:"6" maxLength:"9" doc:"A fresh one-time password"`
	}
}

func (s *Server) apiTransactions(api huma.API) {
	op := operation("createTransaction", http.MethodPost, "/transactions", "Fix what will be signed and get the digests",
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity)
	op.DefaultStatus = http.StatusCreated
	huma.Register(api, op, func(ctx context.Context, in *transactionInput) (*createdOutput[signing.Transaction], error) {
		tx, err := s.cfg.Signing.Prepare(ctx, holderOf(ctx), in.Body)
		if err != nil {
			return nil, apiFail(ctx, err)
		}
		return &createdOutput[signing.Transaction]{apiBase + "/transactions/" + pathSegment(tx.ID), tx}, nil
	})
	huma.Register(api, operation("listTransactions", http.MethodGet, "/transactions", "The holder's transactions, newest first"),
		func(ctx context.Context, _ *struct{}) (*listOutput[signing.Transaction], error) {
			txs, err := s.cfg.Signing.Transactions(ctx, holderOf(ctx))
			return list(ctx, txs, err)
		})
	huma.Register(api, operation("getTransaction", http.MethodGet, "/transactions/{id}", "One transaction", http.StatusNotFound),
		func(ctx context.Context, in *idInput) (*oneOutput[signing.Transaction], error) {
			tx, err := s.cfg.Signing.Transaction(ctx, holderOf(ctx), in.ID)
			return one(ctx, tx, err)
		})
	op = operation("signTransaction", http.MethodPost, "/transactions/{id}/sign", "Authorise with password and one-time password, and sign",
		http.StatusNotFound, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusUnprocessableEntity)
	huma.Register(api, op, func(ctx context.Context, in *signInput) (*oneOutput[signing.Transaction], error) {
		defer clear(in.Body.Password)
		r := requestOf(ctx)
		ctx, cancel := s.longer(ctx, signTimeout)
		defer cancel()
		tx, err := s.cfg.Signing.Sign(ctx, r.holder.ID, in.ID,
			signing.Evidence{Password: in.Body.Password, OTP: digits(in.Body.OTP), Client: r.client})
		s.metrics.signed(tx, err)
		return one(ctx, tx, err)
	})
	op = operation("getSigned", http.MethodGet, "/transactions/{id}/items/{seq}/content", "Download one signed document",
		http.StatusNotFound, http.StatusConflict)
	op.Parameters = []*huma.Param{
		{Name: "id", In: "path", Required: true, Description: "Identifier of the transaction", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "seq", In: "path", Required: true, Description: "Position in the transaction, from 0", Schema: &huma.Schema{Type: huma.TypeInteger}},
	}
	describeResponse(api, &op, "The signed document", fiber.MIMEOctetStream, &huma.Schema{Type: huma.TypeString, Format: "binary"})
	s.app.Get(apiBase+"/transactions/:id/items/:seq/content", s.output)
}
