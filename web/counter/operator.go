package counter

import (
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/signing/counter"
)

// Home is the data of the operator's first page.
type Home struct {
	Sessions, Past []counter.Session
	Tablets        []counter.Tablet
	Who            string
	Found          []counter.Customer
	May            map[string]bool // by act
}

// rights are what a member may do at counters, for the pages; the room below decides.
func rights(by staff.Member) map[string]bool {
	out := map[string]bool{}
	for _, a := range []staff.Act{staff.Counter, staff.EnrolCustomer, staff.WithdrawConsent, staff.RegisterHolder, staff.CounterTablets, staff.CounterReport} {
		out[string(a)] = by.May(a) == nil
	}
	return out
}

// pastShown is how many sessions of the past the first page shows.
const pastShown = 12

// home shows what is under way at the centre. The name that is looked for stands in the
// address, whose query is not logged.
func (s *Server) home(c *fiber.Ctx, by staff.Member) error {
	switch may := rights(by); { // who has something else to do here goes there
	case may[string(staff.Counter)]:
	case may[string(staff.CounterTablets)]:
		return c.Redirect("/counter/tablets", fiber.StatusSeeOther)
	case may[string(staff.CounterReport)]:
		return c.Redirect("/counter/report", fiber.StatusSeeOther)
	}
	p, err := s.homePage(c, by)
	if err != nil {
		return err
	}
	if done := c.Query("done"); done == "withdrawn" {
		p.Notice = "counter.done_" + done
	}
	return s.house.Page(c, p)
}

func (s *Server) homePage(c *fiber.Ctx, by staff.Member) (Page, error) {
	data := Home{Who: strings.TrimSpace(c.Query("who")), May: rights(by)}
	all, err := s.cfg.Desk.Sessions(c.UserContext(), by)
	if err != nil {
		return Page{}, err
	}
	for _, one := range all {
		if one.State.Ended() {
			data.Past = append(data.Past, one)
		} else {
			data.Sessions = append(data.Sessions, one)
		}
	}
	data.Past = data.Past[:min(pastShown, len(data.Past))]
	if data.Tablets, err = s.cfg.Desk.Tablets(c.UserContext(), by); err != nil {
		return Page{}, err
	}
	data.Tablets = inUse(data.Tablets)
	if data.Who != "" {
		if data.Found, err = s.cfg.Desk.Customers(c.UserContext(), by, data.Who); err != nil {
			return Page{}, err
		}
	}
	return Page{Name: "counter", Data: data}, nil
}

// inUse are the tablets that customers can sign on.
func inUse(all []counter.Tablet) []counter.Tablet {
	return slices.DeleteFunc(slices.Clone(all), func(t counter.Tablet) bool { return t.State != counter.TabletActive })
}

// Form is the data of the forms that begin something with a customer.
type Form struct {
	Customer   counter.Customer
	Tablets    []counter.Tablet
	Tablet     string // chosen before
	Identified counter.Identification
	Day        string // until which the document is good
	Kinds      []string
	Locale     string
	Reference  string
	Level      string
	Documents  []signing.Document // that were uploaded already
	Kept       []string           // their IDs, as they stand in the form
	New        counter.NewCustomer
}

// kinds of identity documents (art. 35 DPR 445/2000).
var kinds = []string{"identity-card", "passport", "driving-licence", "residence-permit", "other-art-35"}

// customer finds one by what identifies somebody exactly.
func (s *Server) customer(c *fiber.Ctx, by staff.Member, who string) (counter.Customer, error) {
	found, err := s.cfg.Desk.Customers(c.UserContext(), by, who)
	if err != nil {
		return counter.Customer{}, err
	}
	for _, one := range found {
		if one.Username == who || one.ID == who {
			return one, nil
		}
	}
	return counter.Customer{}, &counter.Error{Kind: counter.NotFound, Msg: "there is no such customer"}
}

// form puts together what a form needs besides what was typed into it.
func (s *Server) form(c *fiber.Ctx, by staff.Member, name string, data Form) (Page, error) {
	all, err := s.cfg.Desk.Tablets(c.UserContext(), by)
	if err != nil {
		return Page{}, err
	}
	data.Tablets, data.Kinds = inUse(all), kinds
	if data.Tablet == "" { // the one that can be used, if there is no choice
		free := slices.DeleteFunc(slices.Clone(data.Tablets), func(t counter.Tablet) bool { return t.Busy || !t.Online })
		if len(free) == 1 {
			data.Tablet = free[0].ID
		}
	}
	if data.Locale == "" {
		data.Locale = data.Customer.Locale
	}
	return Page{Name: name, Data: data}, nil
}

func (s *Server) begin(c *fiber.Ctx, by staff.Member, name string) error {
	who, err := s.customer(c, by, c.Query("customer"))
	if err != nil {
		return err
	}
	p, err := s.form(c, by, name, Form{Customer: who})
	if err != nil {
		return err
	}
	return s.house.Page(c, p)
}

// identified reads how the customer was identified.
func identified(get func(string) string) (i counter.Identification, day string) {
	i = counter.Identification{Kind: get("kind"), Number: strings.TrimSpace(get("number")), Issuer: strings.TrimSpace(get("issuer"))}
	day = get("expires")
	if d, err := time.Parse(time.DateOnly, day); err == nil {
		i.Expires = d.AddDate(0, 0, 1).Add(-time.Second)
	}
	return i, day
}

func (s *Server) customerPage(c *fiber.Ctx, _ staff.Member) error {
	return s.house.Page(c, Page{Name: "counter_customer", Data: Form{Kinds: kinds}})
}

// register takes a new customer, whom the operator has identified.
func (s *Server) register(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	data := Form{Kinds: kinds}
	data.Identified, data.Day = identified(f.get)
	trimmed := func(name string) string { return strings.TrimSpace(f.get(name)) }
	data.New = counter.NewCustomer{Username: trimmed("username"), GivenName: trimmed("given-name"), Surname: trimmed("surname"),
		FiscalCode: strings.ToUpper(trimmed("fiscal-code")), Email: trimmed("email"), Locale: f.get("locale"), Identification: data.Identified}
	who, err := s.cfg.Desk.RegisterCustomer(c.UserContext(), by, data.New)
	if err != nil {
		return s.house.Page(c, Page{Name: "counter_customer", Problem: err, Data: data})
	}
	return c.Redirect("/counter/enrol?customer="+url.QueryEscape(who.Username), fiber.StatusSeeOther)
}

func (s *Server) enrolPage(c *fiber.Ctx, by staff.Member) error {
	return s.begin(c, by, "counter_enrol")
}

func (s *Server) enrol(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	who, err := s.customer(c, by, f.get("customer"))
	if err != nil {
		return err
	}
	data := Form{Customer: who, Tablet: f.get("tablet"), Locale: f.get("locale")}
	data.Identified, data.Day = identified(f.get)
	out, err := s.cfg.Desk.OpenEnrolment(c.UserContext(), by, counter.NewEnrolment{Holder: who.ID, Tablet: data.Tablet, Identification: data.Identified, Locale: data.Locale})
	if err != nil {
		return s.again(c, by, "counter_enrol", data, err)
	}
	return c.Redirect("/counter/sessions/"+escaped(out.ID), fiber.StatusSeeOther)
}

// again shows a form once more, with what went wrong.
func (s *Server) again(c *fiber.Ctx, by staff.Member, name string, data Form, problem error) error {
	p, err := s.form(c, by, name, data)
	if err != nil {
		return err
	}
	p.Problem = problem
	return s.house.Page(c, p)
}

func (s *Server) dossierPage(c *fiber.Ctx, by staff.Member) error {
	return s.begin(c, by, "counter_dossier")
}

// dossier takes the documents and opens the session in which they are read and signed. A
// document that was taken stays taken when something else is wrong with the form.
func (s *Server) dossier(c *fiber.Ctx, by staff.Member) error {
	defer s.house.Long(c)()
	fields, data := map[string]string{}, Form{}
	var refused error
	err := s.house.Upload(c, func(name, value string) error {
		if name == "document" {
			data.Kept = append(data.Kept, value)
		}
		fields[name] = value
		return nil
	}, func(name string, r io.Reader) error {
		if data.Customer.ID == "" {
			who, err := s.customer(c, by, fields["customer"])
			if err != nil {
				return err
			}
			data.Customer = who
		}
		doc, err := s.cfg.Desk.Upload(c.UserContext(), by, data.Customer.ID, name, r)
		switch {
		case err != nil:
			return err
		case len(doc.Forms) == 0:
			refused = &signing.Error{Kind: signing.Refused, Msg: "the inspection refuses the document"}
		default:
			data.Documents = append(data.Documents, doc)
			data.Kept = append(data.Kept, doc.ID+" "+string(doc.Forms[0])+" "+doc.Name)
		}
		return nil
	})
	if err != nil && data.Customer.ID == "" {
		return err
	}
	if data.Customer.ID == "" {
		if data.Customer, err = s.customer(c, by, fields["customer"]); err != nil {
			return err
		}
	}
	if err == nil {
		err = refused
	}
	get := func(name string) string { return fields[name] }
	data.Tablet, data.Locale, data.Reference, data.Level = fields["tablet"], fields["locale"], strings.TrimSpace(fields["reference"]), fields["level"]
	data.Identified, data.Day = identified(get)
	orders := orders(data.Kept, data.Level)
	if err == nil && len(orders) == 0 {
		err = &signing.Error{Kind: signing.Empty, Msg: "no document was chosen"}
	}
	if err != nil {
		return s.again(c, by, "counter_dossier", data, err)
	}
	out, err := s.cfg.Desk.OpenDossier(c.UserContext(), by, counter.NewDossier{Holder: data.Customer.ID, Tablet: data.Tablet,
		Identification: data.Identified, Documents: orders, Locale: data.Locale, Reference: data.Reference})
	if err != nil {
		return s.again(c, by, "counter_dossier", data, err)
	}
	return c.Redirect("/counter/sessions/"+escaped(out.ID), fiber.StatusSeeOther)
}

// orders are the signatures of a dossier. Each entry is a document's ID, the form of its
// signature and its name, as the form keeps them; who changes them gets what the room below
// gives for it.
func orders(kept []string, level string) []signing.Order {
	var out []signing.Order
	for _, k := range kept {
		id, rest, _ := strings.Cut(k, " ")
		form, _, _ := strings.Cut(rest, " ")
		out = append(out, signing.Order{Document: id, Form: signing.Form(form), Level: signing.Level(level)})
	}
	return out
}

// KeptName is the name of a document that was uploaded before.
func (Form) KeptName(k string) string {
	_, rest, _ := strings.Cut(k, " ")
	_, name, _ := strings.Cut(rest, " ")
	return name
}

// withdraw ends a customer's consent, and with it profile and certificate.
func (s *Server) withdraw(c *fiber.Ctx, by staff.Member) error {
	f, err := s.posted(c)
	if err != nil {
		return err
	}
	defer f.wipe()
	if err := s.cfg.Desk.Withdraw(c.UserContext(), by, c.Params("id")); err != nil {
		p, broken := s.homePage(c, by)
		if broken != nil {
			return err
		}
		p.Problem = err
		return s.house.Page(c, p)
	}
	return c.Redirect("/counter?done=withdrawn", fiber.StatusSeeOther)
}
