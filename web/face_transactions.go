package web

import (
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

// prepare fixes what will be signed. Nothing is signed yet; the next page
// shows the digests and asks for the factors.
func (s *Server) prepare(c *fiber.Ctx) error {
	r := current(c)
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	o, err := s.orderFor(c, f.all("document"))
	if err != nil {
		return err
	}
	o.Chosen = signing.Request{Credential: f.get("credential"), Confirmed: f.get("confirmed") == "yes"}
	for _, d := range o.Documents {
		order := signing.Order{Document: d.ID, Form: signing.Form(f.get("form-" + d.ID)), Level: signing.Level(f.get("level"))}
		if order.Form == signing.PAdES {
			order.Reason, order.Location = clip(f.get("reason")), clip(f.get("location"))
		}
		o.Chosen.Documents = append(o.Chosen.Documents, order)
	}
	tx, err := s.cfg.Signing.Prepare(c.UserContext(), r.holder.ID, o.Chosen)
	if err != nil {
		return s.again(c, s.orderView(c, o), err)
	}
	return c.Redirect("/transactions/"+tx.ID, fiber.StatusSeeOther)
}

// clip holds a text to the 200 characters that the field itself allows.
func clip(text string) string {
	if r := []rune(strings.TrimSpace(text)); len(r) > 200 {
		return string(r[:200])
	}
	return strings.TrimSpace(text)
}

type transactionData struct {
	Transaction signing.Transaction
	Items       []itemData
	Credential  signing.Credential // zero when it is gone
}

type itemData struct {
	signing.Item
	Doc   signing.Document // zero when it is gone
	Pages []int
}

// transaction is one address for the whole life of a transaction: what it
// shows depends on the state.
func (s *Server) transaction(c *fiber.Ctx) error {
	v, err := s.transactionView(c, c.Params("id"))
	if err != nil {
		return err
	}
	if v.Name == "working" {
		c.Set("Refresh", "5")
	}
	return s.render(c, v)
}

func (s *Server) transactionView(c *fiber.Ctx, id string) (view, error) {
	r := current(c)
	tx, err := s.cfg.Signing.Transaction(c.UserContext(), r.holder.ID, id)
	if err != nil {
		return view{}, err
	}
	data := transactionData{Transaction: tx}
	for _, item := range tx.Items {
		row := itemData{Item: item}
		if row.Doc, err = s.cfg.Signing.Document(c.UserContext(), r.holder.ID, item.Document); err != nil {
			if KindOf(err) != Kind(signing.NotFound) {
				return view{}, err
			}
			row.Doc = signing.Document{}
		}
		for n := 1; n <= row.Doc.Pages; n++ {
			row.Pages = append(row.Pages, n)
		}
		data.Items = append(data.Items, row)
	}
	if data.Credential, err = s.credential(c, r.holder.ID, tx.Credential); err != nil && KindOf(err) != Kind(signing.NotFound) {
		return view{}, err
	}
	name, title, step := "working", "result.working_title", 3
	switch tx.State {
	case signing.Prepared:
		name, title = "sign", "sign.title"
	case signing.Delivered:
		name, title, step = "result", "result.title", 4
	case signing.Failed:
		name, title = "failed", "result.failed_title"
	}
	v := s.newView(c, name, r.locale.T(title), data)
	if name == "sign" {
		v = s.offered(c, v)
	}
	v.Step, v.Here = step, "/transactions/"+tx.ID
	if tx.State == signing.Failed && tx.Error != "" {
		v.Problem = s.problem(r.locale, &signing.Error{Kind: signing.Kind(tx.Error)})
	}
	return v, nil
}

// sign hands the factors over. On an error the page is shown again as the
// transaction now is, with the problem on top.
func (s *Server) sign(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	id := c.Params("id")
	cancel := s.within(c, signTimeout)
	defer cancel()
	tx, err := s.cfg.Signing.Sign(c.UserContext(), current(c).holder.ID, id, evidence(c, f))
	s.metrics.signed(tx, err)
	if err == nil {
		return c.Redirect("/transactions/"+pathSegment(id), fiber.StatusSeeOther)
	}
	v, viewErr := s.transactionView(c, id)
	if viewErr != nil {
		return err
	}
	return s.again(c, v, err)
}

// output streams a signed document to the browser.
func (s *Server) output(c *fiber.Ctx) error {
	seq, err := strconv.Atoi(c.Params("seq"))
	if err != nil || seq < 0 {
		return fail(Kind(signing.NotFound), "items are counted from 0", nil)
	}
	out, err := s.cfg.Signing.Output(c.UserContext(), current(c).holder.ID, c.Params("id"), seq)
	if err != nil {
		return err
	}
	return sendOutput(c, out)
}

// sendOutput gives a signed document out as a download.
func sendOutput(c *fiber.Ctx, out *signing.Output) error {
	c.Set(fiber.HeaderContentType, out.MediaType)
	c.Set(fiber.HeaderContentDisposition, attachment(out.Name))
	return c.SendStream(&paced{ReadCloser: out.File, c: c.Context().Conn()}, int(out.Size))
}

// paced moves the write deadline on while a long answer is being sent: a slow
// line is no reason to cut a download off, a dead one is.
type paced struct {
	io.ReadCloser
	c interface{ SetWriteDeadline(time.Time) error }
}

func (p *paced) Read(b []byte) (int, error) {
	_ = p.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.ReadCloser.Read(b)
}

// attachment names a download (RFC 6266 §4.3): filename for old clients in
// ASCII, filename* for the true name (RFC 8187).
func attachment(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	// PathEscape leaves some characters that attr-char does not have.
	extended := strings.NewReplacer("'", "%27", "(", "%28", ")", "%29", "*", "%2A", "=", "%3D", "@", "%40", ":", "%3A",
		",", "%2C", ";", "%3B").Replace(url.PathEscape(name))
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + extended
}

func pathSegment(id string) string { return url.PathEscape(id) }

type historyData struct {
	Documents    []signing.Document
	Transactions []signing.Transaction
}

func (s *Server) history(c *fiber.Ctx) error {
	r := current(c)
	var data historyData
	var err error
	if data.Documents, err = s.cfg.Signing.Documents(c.UserContext(), r.holder.ID); err != nil {
		return err
	}
	if data.Transactions, err = s.cfg.Signing.Transactions(c.UserContext(), r.holder.ID); err != nil {
		return err
	}
	return s.render(c, s.newView(c, "history", r.locale.T("history.title"), data))
}
