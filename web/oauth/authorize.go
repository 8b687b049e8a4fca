package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sigillo/audit"
	"sigillo/formats/legible"
	"sigillo/signing"
	"sigillo/store"
)

// The page keeps no state here: its forms are sent to its own address, and what that
// asks for is checked again. So what is granted is what was on the page, and open pages
// cost nothing.

// Asked is what the page shows. Texts of the application are made legible: nothing in
// them can pass for ours.
type Asked struct {
	Action      string // where the forms are sent to
	Application string
	ClientID    string
	Destination string // host, or scheme, that the answer goes to
	Username    string // as typed before

	// Of scope credential:
	Description string
	Documents   bool // the digests are those of documents
	Hash        string
	Digests     []Shown
	Credential  *signing.Credential // nil: the holder's own
}

// Shown is a digest with what the application calls it.
type Shown struct {
	Number int
	Label  string
	Hex    []byte
}

// asking is a request at the authorization endpoint. redirect is empty until the client
// and the address are known to be good.
type asking struct {
	*request
	redirect, state string
	self            string // the page's address, without the language asked for
	action          string // and with it
}

// read finds out what a browser asks for.
func (s *Server) read(c *fiber.Ctx) (asking, error) {
	var a asking
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return a, &Error{Kind: BadRequest, Msg: "the query cannot be read", Err: err}
	}
	language := values.Get("lang")
	values.Del("lang")
	a.self = "/oauth2/authorize?" + values.Encode()
	if a.action = a.self; language != "" {
		a.action += "&lang=" + url.QueryEscape(language)
	}
	p, err := readParameters(values)
	if err != nil {
		return a, fail(BadRequest, err.(*Error).Msg)
	}
	client, err := s.clients.Client(c.UserContext(), p["client_id"])
	if err != nil {
		return a, err
	}
	var pushed []byte
	if uri := p["request_uri"]; uri != "" {
		// What was pushed counts and nothing else (RFC 9126 §4).
		if p, pushed, err = s.pushedRequest(c.UserContext(), uri, client); err != nil {
			return a, err
		}
	}
	redirect, named, err := destination(p, client)
	if err != nil {
		return a, err
	}
	a.redirect, a.state = redirect, p["state"]
	if language != "" {
		p["lang"] = language
	}
	a.request, err = readRequest(p, client, s.scopes(), s.cfg.Now())
	if err != nil {
		return a, err
	}
	a.request.redirect, a.request.named, a.request.pushed = redirect, named, pushed
	return a, s.checkQualifier(a.request)
}

// checkQualifier refuses a kind of signature that this house has no credentials for.
func (s *Server) checkQualifier(r *request) error {
	if r.order != nil && r.order.Qualifier != "" && !slices.Contains(s.cfg.Qualifiers, r.order.Qualifier) {
		return fail(InvalidRequest, "Invalid parameter signatureQualifier")
	}
	return nil
}

// ask shows the page.
func (s *Server) ask(c *fiber.Ctx) error {
	a, err := s.read(c)
	if err != nil {
		return s.unanswered(c, a, err)
	}
	return s.show(c, a, "", nil)
}

// unanswered tells a fault to the application if it is known where that is, otherwise to
// whoever sits there.
func (s *Server) unanswered(c *fiber.Ctx, a asking, err error) error {
	if a.redirect == "" || KindOf(err) == StaleRequest {
		return s.house.Fault(c, err)
	}
	s.house.Blame(c, err)
	answer := map[string]string{"error": string(KindOf(err))}
	var own *Error
	if errors.As(err, &own) {
		answer["error_description"] = own.Msg
	}
	return c.Redirect(s.answerTo(a.redirect, a.state, answer), s.redirectStatus(c))
}

// redirectStatus: after a form 303, so that no browser sends it on (RFC 9700 §4.12);
// otherwise 302, as CSC has it.
func (s *Server) redirectStatus(c *fiber.Ctx) int {
	if c.Method() == fiber.MethodPost {
		return fiber.StatusSeeOther
	}
	return fiber.StatusFound
}

// show puts the page together.
func (s *Server) show(c *fiber.Ctx, a asking, username string, problem error) error {
	d := &Asked{Action: a.action, Application: legible.Line(a.client.Name), ClientID: a.client.ID, Destination: host(a.redirect), Username: username}
	page := Page{Name: "consent", Language: a.language, Self: a.self, Target: source(a.redirect), Problem: problem, Data: d}
	if a.order == nil {
		return s.house.Page(c, page)
	}
	page.Name = "authorise"
	d.Description, d.Documents, d.Hash = legible.Line(a.order.Description), a.order.Documents, a.order.Hash.String()
	for i, digest := range a.order.Digests {
		one := Shown{Number: i + 1, Hex: digest}
		if i < len(a.order.Labels) {
			one.Label = legible.Line(a.order.Labels[i])
		}
		d.Digests = append(d.Digests, one)
	}
	if a.order.Credential != "" {
		credential, err := s.cfg.Signing.Credential(c.UserContext(), a.order.Credential)
		if signing.KindOf(err) == signing.NotFound {
			return s.unanswered(c, a, fail(InvalidRequest, "Invalid parameter credentialID"))
		}
		if err != nil {
			return err
		}
		d.Credential = &credential
	}
	return s.house.Page(c, page)
}

// host is what a person can recognise of an address.
func host(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":"
	}
	return u.Host
}

// decide takes what the holder has decided.
func (s *Server) decide(c *fiber.Ctx) error {
	a, err := s.read(c)
	if err != nil {
		return s.unanswered(c, a, err)
	}
	form, err := s.house.Form(c)
	if err != nil {
		return err
	}
	defer wipe(form)
	username := strings.TrimSpace(first(form, "username"))
	if err := s.house.Own(c, form); err != nil {
		// Another page of ours may have been opened in this browser since.
		return s.show(c, a, username, err)
	}
	if first(form, "decision") == "refuse" {
		return s.refused(c, a)
	}
	succeeded, err := s.house.Attempt(c)
	if err != nil {
		return s.show(c, a, username, err)
	}
	g, err := s.consent(c, a, username, s.house.Evidence(c, form))
	if !guessed(err) {
		succeeded()
	}
	var own *Error
	switch {
	case errors.As(err, &own):
		return s.unanswered(c, a, err)
	case err != nil:
		return s.show(c, a, username, err)
	}
	text, ok := s.codes.put(g, s.cfg.Now())
	if !ok {
		s.drop(c.UserContext(), g)
		return s.unanswered(c, a, fail(Unavailable, "too many requests are under way"))
	}
	return c.Redirect(s.answerTo(a.redirect, a.state, map[string]string{"code": text}), s.redirectStatus(c))
}

// refused: what was pushed is used up by it.
func (s *Server) refused(c *fiber.Ctx, a asking) error {
	if a.pushed != nil {
		err := s.cfg.DB.Write(c.UserContext(), func(tx *store.Tx) error { return tx.DeleteOAuthRequest(a.pushed) })
		if store.KindOf(err) == store.NotFound {
			return s.unanswered(c, a, errStale)
		}
		if err != nil {
			return s.unanswered(c, a, fromStore(err))
		}
	}
	return s.unanswered(c, a, fail(AccessDenied, "the holder has refused"))
}

// consent recognises the holder, has an order authorised, and makes durable that the
// holder has consented. Errors that are not of this package are the holder's to mend.
func (s *Server) consent(c *fiber.Ctx, a asking, username string, e signing.Evidence) (code, error) {
	ctx := c.UserContext()
	g := code{client: a.client.ID, redirect: a.redirect, named: a.named, challenge: a.challenge, scope: a.scope, order: a.order}
	e.Client = a.client.ID + " " + e.Client
	detail := map[string]string{"scope": a.scope, "client": e.Client}
	if a.account != "" {
		detail["account"] = legible.Line(a.account)
	}
	var err error
	if a.order == nil {
		var h store.Holder
		if h, err = s.cfg.Accounts.Recognise(ctx, username, e); err != nil {
			return g, err
		}
		g.holder, g.recognised = h.ID, h
	} else {
		if g.holder, g.grant, err = s.authorise(ctx, a.order, username, e); err != nil {
			return g, err
		}
		detail["credential"] = a.order.Credential
	}
	err = s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if a.pushed != nil {
			if err := tx.DeleteOAuthRequest(a.pushed); err != nil {
				return err
			}
		}
		return audit.Append(tx, s.cfg.Now(), audit.Event{Actor: g.holder, Event: "oauth.consented", Subject: a.client.ID, Detail: detail})
	})
	if err != nil {
		s.drop(ctx, g)
		if store.KindOf(err) == store.NotFound {
			return g, errStale
		}
		return g, fromStore(err)
	}
	g.expires = s.cfg.Now().Add(codeLife)
	return g, nil
}

// authorise hands the factors to the signing core. They are good once, so they cannot be
// checked here first.
func (s *Server) authorise(ctx context.Context, o *order, username string, e signing.Evidence) (holder string, g Grant, err error) {
	// What is wrong with the credential is said whatever username is typed.
	if o.Credential != "" {
		c, err := s.cfg.Signing.Credential(ctx, o.Credential)
		if err != nil {
			return "", g, err
		}
		if kind, bad := unusable[c.Status]; bad {
			return "", g, &signing.Error{Kind: kind, Msg: "the certificate cannot sign"}
		}
		if c.Counter {
			return "", g, &signing.Error{Kind: signing.CounterOnly, Msg: "the key is used at a counter only"}
		}
		if c.Automatic {
			return "", g, &signing.Error{Kind: signing.AutomaticOnly, Msg: "the certificate is for the automatic procedure only"}
		}
	}
	h, err := s.cfg.Accounts.Known(ctx, username)
	if signing.KindOf(err) == signing.NotFound {
		if _, err = s.cfg.Accounts.Recognise(ctx, username, e); err == nil {
			err = &signing.Error{Kind: signing.WrongFactors, Msg: "the holder is not known any more"}
		}
		return "", g, err
	}
	if err != nil {
		return "", g, err
	}
	if o.Credential == "" {
		if o.Credential, err = s.choose(ctx, h.ID); err != nil && KindOf(err) != InvalidRequest {
			return "", g, err
		}
	}
	if err == nil {
		kept := append([]byte(nil), e.Password...)
		defer clear(kept)
		g, err = s.cfg.Signing.Authorise(ctx, h.ID, o.Order, e)
		e.Password = kept
	}
	switch {
	case slices.Contains(orderKinds, signing.KindOf(err)):
		return "", g, &Error{Kind: InvalidRequest, Msg: "the credential does not sign this many hashes at once, or not of this algorithm", Err: err}
	case signing.KindOf(err) != signing.NotFound && KindOf(err) != InvalidRequest:
		return h.ID, g, err
	}
	// The credential is not this holder's. To say so to somebody who is not the holder
	// would tell which usernames there are.
	if _, err := s.cfg.Accounts.Recognise(ctx, username, e); err != nil {
		return "", g, err
	}
	return "", g, fail(AccessDenied, "the holder has no such credential")
}

// orderKinds are mistakes of the application that only the signing core knows of: more
// digests than the credential is good for, or of another algorithm.
var orderKinds = []signing.Kind{signing.BadRequest, "too-many", "weak-hash", "bad-digest"}

// unusable are the states of a certificate that signs nothing.
var unusable = map[string]signing.Kind{"suspended": signing.CertSuspended, "revoked": signing.CertRevoked,
	"expired": signing.CertExpired, "none": signing.CertMissing}

// choose finds the credential of a holder for a request that names none.
func (s *Server) choose(ctx context.Context, holder string) (string, error) {
	all, err := s.cfg.Signing.Credentials(ctx, holder)
	if err != nil {
		return "", err
	}
	var found []string
	for _, c := range all {
		if c.Status == "valid" && !c.Automatic && !c.Counter {
			found = append(found, c.ID)
		}
	}
	if len(found) != 1 {
		return "", fail(InvalidRequest, "the request must name one of the holder's credentials")
	}
	return found[0], nil
}

// drop ends what a code would have given.
func (s *Server) drop(ctx context.Context, c code) {
	if c.grant.Handle != "" {
		s.handles.drop(c.grant.Handle)
		s.cfg.Signing.Drop(context.WithoutCancel(ctx), c.holder, c.client, c.grant.Handle)
	}
}

func first(form map[string][][]byte, name string) string {
	if v := form[name]; len(v) > 0 {
		return string(v[0])
	}
	return ""
}

func wipe(form map[string][][]byte) {
	for _, all := range form {
		for _, v := range all {
			clear(v)
		}
	}
}

// errStale is of a pushed request that cannot be used, or not again.
var errStale = fail(StaleRequest, "request_uri is unknown, used, or over")

const requestPrefix = "urn:ietf:params:oauth:request_uri:"

// pushedRequest finds what a client has pushed. It is the client's own or none.
func (s *Server) pushedRequest(ctx context.Context, uri string, client *Client) (parameters, []byte, error) {
	text, ok := strings.CutPrefix(uri, requestPrefix)
	if !ok {
		return nil, nil, errStale
	}
	id := sha256.Sum256([]byte(text))
	var row store.OAuthRequest
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.OAuthRequest(id[:])
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return nil, nil, errStale
	case err != nil:
		return nil, nil, fromStore(err)
	case row.Client != client.ID || !s.cfg.Now().Before(row.Expires):
		return nil, nil, errStale
	}
	values, err := url.ParseQuery(string(row.Parameters))
	if err != nil {
		return nil, nil, &Error{Kind: ServerError, Msg: "the request that was pushed cannot be read", Err: err}
	}
	p, err := readParameters(values)
	return p, row.ID, err
}
