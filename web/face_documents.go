package web

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/formats/inspect"
	"sigillo/signing"
)

const recentDocuments = 10 // on the home page; the history has them all

type homeData struct {
	Documents []signing.Document
	More      bool
	Limit     int64
	Failed    []failedUpload
}

type failedUpload struct {
	Name    string
	Problem *Problem
}

func (s *Server) homeView(c *fiber.Ctx) (view, error) {
	r := current(c)
	docs, err := s.cfg.Signing.Documents(c.UserContext(), r.holder.ID)
	if err != nil {
		return view{}, err
	}
	data := homeData{Documents: docs, Limit: s.cfg.MaxUpload}
	if n := max(recentDocuments, added(c)); len(docs) > n {
		data.Documents, data.More = docs[:n], true
	}
	v := s.newView(c, "home", r.locale.T("home.title"), data)
	v.Step, v.Here = 1, "/"
	return v, nil
}

func (s *Server) home(c *fiber.Ctx) error {
	v, err := s.homeView(c)
	if err != nil {
		return err
	}
	if n := added(c); n > 0 {
		v.Notice = v.N("home.added", n)
	}
	return s.render(c, v)
}

// added is how many documents were uploaded just now, if several: all are on the
// page, however many there are, since all can be chosen there.
func added(c *fiber.Ctx) int {
	n, err := strconv.Atoi(c.Query("added"))
	if err != nil || n < 0 || n > uploadFiles {
		return 0
	}
	return n
}

// upload takes the form of the home page. With one document it goes on to its
// page; with several, back home where they can be chosen together. The upload
// script asks for JSON and is told the same.
func (s *Server) upload(c *fiber.Ctx) error {
	r := current(c)
	defer s.within(c, uploadTimeout)()
	files, err := s.receive(c, r, func(token string) error { return s.checkFormToken(c, token) })
	if err != nil && (len(files) == 0 || wantsJSON(c)) {
		if KindOf(err) == Forged || wantsJSON(c) {
			return err
		}
		v, homeErr := s.homeView(c)
		if homeErr != nil {
			return homeErr
		}
		return s.again(c, v, err)
	}
	var failed []failedUpload
	var stored []signing.Document
	var first error
	for _, f := range files {
		if f.Err == nil {
			stored = append(stored, f.Doc)
			continue
		}
		if first == nil {
			first = f.Err
		}
		failed = append(failed, failedUpload{f.Name, s.problem(r.locale, f.Err)})
	}
	if first == nil {
		first = err
	}
	if first == nil {
		next := "/?added=" + strconv.Itoa(len(stored))
		if len(stored) == 1 {
			next = "/documents/" + stored[0].ID
		}
		if wantsJSON(c) {
			return c.Status(fiber.StatusCreated).JSON(fiber.Map{"location": next})
		}
		return c.Redirect(next, fiber.StatusSeeOther)
	}
	if wantsJSON(c) {
		if len(files) == 1 {
			return first
		}
		return s.someFailed(c, failed, len(stored), first)
	}
	v, err := s.homeView(c)
	if err != nil {
		return err
	}
	data := v.Data.(homeData)
	data.Failed = failed
	v.Data = data
	return s.again(c, v, first)
}

// someFailed tells the upload script which of several files were not accepted, and
// that the others are here, or they would be sent again.
func (s *Server) someFailed(c *fiber.Ctx, failed []failedUpload, stored int, first error) error {
	r := current(c)
	r.fault = first
	p := s.problem(r.locale, first)
	if wait := p.GetHeaders().Get(fiber.HeaderRetryAfter); wait != "" {
		c.Set(fiber.HeaderRetryAfter, wait)
	}
	answer := struct {
		*Problem
		Files  []string `json:"files"`
		Stored string   `json:"stored,omitempty"`
	}{Problem: p}
	for _, f := range failed {
		answer.Files = append(answer.Files, r.locale.T("home.failed", "name", f.Name, "title", f.Problem.Title, "detail", f.Problem.Detail))
	}
	if stored > 0 {
		answer.Stored = r.locale.N("home.stored", stored)
	}
	return c.Status(p.Status).JSON(answer, "application/problem+json")
}

// documentData is the page of one document, with the form to sign it.
type documentData struct {
	Document signing.Document
	Page     int    // shown, from 1; 0 when none can be
	Text     string // of that page
	All      bool
	Pages    []int // 1 ... Pages, when all are shown
	Order    orderData
}

// orderData is the form that asks how to sign, for one document or several.
type orderData struct {
	Documents   []signing.Document
	Credentials []signing.Credential // usable ones only
	Chosen      signing.Request      // what the holder chose before an error
}

// NeedsConfirmation: some findings ask for the holder's explicit acceptance.
func (o orderData) NeedsConfirmation() bool {
	for _, d := range o.Documents {
		if d.Report.Verdict == inspect.Confirm {
			return true
		}
	}
	return false
}

// Blocked: a document among them can't be signed at all.
func (o orderData) Blocked() bool {
	for _, d := range o.Documents {
		if len(d.Forms) == 0 {
			return true
		}
	}
	return false
}

// HasPDF: reason and place can be asked for.
func (o orderData) HasPDF() bool {
	for _, d := range o.Documents {
		for _, f := range d.Forms {
			if f == signing.PAdES {
				return true
			}
		}
	}
	return false
}

// HasDigest: a document among them is not here, so none can have the archive
// time-stamp of B-LTA, for which its bytes are needed; B-LT is offered instead.
func (o orderData) HasDigest() bool {
	return slices.ContainsFunc(o.Documents, func(d signing.Document) bool { return slices.Contains(d.Forms, signing.CAdESDetached) })
}

// Checked tells whether a form is the chosen one of a document; the first on
// offer is chosen beforehand.
func (o orderData) Checked(d signing.Document, f signing.Form) bool {
	for _, chosen := range o.Chosen.Documents {
		if chosen.Document == d.ID && chosen.Form != "" {
			return chosen.Form == f
		}
	}
	return len(d.Forms) > 0 && d.Forms[0] == f
}

func (o orderData) first() signing.Order {
	if len(o.Chosen.Documents) > 0 {
		return o.Chosen.Documents[0]
	}
	return signing.Order{}
}

// Level, Reason and Location are asked once for all documents.
func (o orderData) Level() signing.Level {
	if l := o.first().Level; l != "" {
		return l
	}
	return signing.BT
}
func (o orderData) Reason() string   { return o.first().Reason }
func (o orderData) Location() string { return o.first().Location }

// Credential is the chosen one, the first beforehand.
func (o orderData) Credential() string {
	if o.Chosen.Credential != "" {
		return o.Chosen.Credential
	}
	if len(o.Credentials) > 0 {
		return o.Credentials[0].ID
	}
	return ""
}

// orderFor gathers what the form needs. The documents must be the holder's.
func (s *Server) orderFor(c *fiber.Ctx, ids []string) (orderData, error) {
	holder := current(c).holder.ID
	var o orderData
	if len(ids) == 0 || len(ids) > uploadFiles {
		return o, fail(Kind(signing.BadRequest), "between 1 and 100 documents", nil)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		doc, err := s.cfg.Signing.Document(c.UserContext(), holder, id)
		if err != nil {
			return o, err
		}
		o.Documents = append(o.Documents, doc)
	}
	creds, err := s.cfg.Signing.Credentials(c.UserContext(), holder)
	if err != nil {
		return o, err
	}
	for _, cr := range creds {
		if cr.Status == "valid" && !cr.Automatic && !cr.Counter {
			o.Credentials = append(o.Credentials, cr)
		}
	}
	return o, nil
}

// orderView is the page of the form: the document's own page for one, the
// page for several otherwise.
func (s *Server) orderView(c *fiber.Ctx, o orderData) view {
	l := current(c).locale
	if len(o.Documents) == 1 {
		return s.documentView(c, o)
	}
	v := s.newView(c, "together", l.T("together.title"), o)
	v.Step = 2
	if c.Method() != fiber.MethodGet {
		v.Here = "/"
	}
	return v
}

func (s *Server) documentView(c *fiber.Ctx, o orderData) view {
	doc := o.Documents[0]
	data := documentData{Document: doc, Order: o, Page: min(1, doc.Pages), All: c.Query("view") == "all"}
	if n, err := strconv.Atoi(c.Query("page")); err == nil && n >= 1 && n <= doc.Pages {
		data.Page = n
	}
	if data.Page > 0 && !data.All {
		// Help only: the page is shown without it too, and the image says what is wrong.
		// Where the pages have to be drawn anew it is not waited for.
		ctx, cancel := context.WithTimeout(c.UserContext(), 2*time.Second)
		defer cancel()
		data.Text, _ = s.cfg.Signing.PageText(ctx, current(c).holder.ID, doc.ID, data.Page)
	}
	if data.All {
		for n := 1; n <= doc.Pages; n++ {
			data.Pages = append(data.Pages, n)
		}
	}
	v := s.newView(c, "document", doc.Name, data)
	v.Step, v.Here = 2, "/documents/"+doc.ID
	return v
}

func (s *Server) document(c *fiber.Ctx) error {
	o, err := s.orderFor(c, []string{c.Params("id")})
	if err != nil {
		return err
	}
	return s.render(c, s.documentView(c, o))
}

func (s *Server) together(c *fiber.Ctx) error {
	var ids []string
	for _, raw := range c.Context().QueryArgs().PeekMulti("document") {
		ids = append(ids, string(raw))
	}
	if len(ids) == 1 {
		return c.Redirect("/documents/"+pathSegment(ids[0]), fiber.StatusSeeOther)
	}
	if len(ids) == 0 {
		return c.Redirect("/", fiber.StatusSeeOther)
	}
	o, err := s.orderFor(c, ids)
	if err != nil {
		return err
	}
	return s.render(c, s.orderView(c, o))
}

// Previous and Next are the pages beside the one shown.
func (d documentData) Previous() int { return d.Page - 1 }
func (d documentData) Next() int     { return d.Page + 1 }
