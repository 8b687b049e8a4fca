package web

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
)

const (
	accountPath   = stampPath + "/account"
	tokensPath    = accountPath + "/tokens"
	exportTimeout = 30 * time.Minute
)

// routeStampCustomers opens what the owner of an account of the time-stamping
// authority may see, with the credentials that he stamps with.
func (s *Server) routeStampCustomers() {
	s.app.Get(accountPath, s.asCustomer(s.stampAccount))
	s.app.Get(tokensPath, s.asCustomer(s.stampTokens))
	s.app.Get(tokensPath+"/:unit/:file", s.asCustomer(s.stampTokenFile))
}

// customerHandler is a handler with the caller as he presents himself.
type customerHandler func(c *fiber.Ctx, caller accounts.Caller) error

// asCustomer reads the credentials, and asks for them when the room below does
// not know the caller.
func (s *Server) asCustomer(next customerHandler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		s.speakAsChosen(c)
		call := stampCalls.Get().(*stampCall)
		defer stampCalls.Put(call)
		defer call.forget()
		caller, ok := s.stampCaller(c.Context(), call)
		err := error(&accounts.Error{Kind: accounts.Unknown, Msg: "the credentials cannot be read"})
		if ok {
			err = next(c, caller)
		}
		if KindOf(err) != Unauthenticated {
			return err
		}
		r := current(c)
		r.fault = err
		p := s.problem(r.locale, fail(StampCredentials, "no account is known by these credentials", err))
		stampChallenge(c.Context(), "")
		s.writeProblem(c, p)
		return nil
	}
}

// speakAsChosen has a page outside of the face follow the reader's choice of
// language.
func (s *Server) speakAsChosen(c *fiber.Ctx) {
	current(c).locale = s.locales[negotiate(s.cookie(c, languageCookie), c.Get(fiber.HeaderAcceptLanguage))]
}

// StampAccount is what the owner of an account is told about it.
type StampAccount struct {
	Account    string            `json:"account" doc:"Identifier of the account"`
	Name       string            `json:"name"`
	Used       int64             `json:"used" doc:"Time-stamps given out so far"`
	Left       *int64            `json:"left" doc:"Time-stamps that are left; null when they are not counted"`
	Policies   []StampPolicyName `json:"policies" doc:"Policies that may be asked for"`
	Unverified bool              `json:"unverified_clock" doc:"Nobody vouches for the time: for demonstration only"`
}

// StampPolicyName names a policy.
type StampPolicyName struct {
	Name string `json:"name"`
	OID  string `json:"oid"`
}

func (s *Server) stampAccount(c *fiber.Ctx, caller accounts.Caller) error {
	st, err := s.cfg.Stamps.Statement(c.UserContext(), caller)
	if err != nil {
		return err
	}
	if wantsPage(c) {
		recent, err := s.cfg.Stamps.Tokens(c.UserContext(), caller, ledger.Query{Limit: 20, Newest: true})
		if err != nil {
			return err
		}
		data := accountData{Statement: st, Tokens: s.stampTokensOf(recent)}
		return s.render(c, s.newView(c, "account", current(c).locale.T("account.title"), data))
	}
	out := StampAccount{Account: st.Account, Name: st.Name, Used: st.Used, Unverified: s.cfg.UnverifiedClock, Policies: []StampPolicyName{}}
	if !st.Unlimited {
		out.Left = &st.Left
	}
	for _, p := range st.Policies {
		out.Policies = append(out.Policies, StampPolicyName{p.Name, p.OID.String()})
	}
	return c.JSON(out)
}

type accountData struct {
	front.Statement
	Tokens []StampToken
}

// wantsPage: a browser asks for text/html by name, programs don't.
func wantsPage(c *fiber.Ctx) bool {
	return strings.Contains(c.Get(fiber.HeaderAccept), fiber.MIMETextHTML)
}

// StampToken is one token of an account.
type StampToken struct {
	Seq        int64     `json:"seq" doc:"Place in the archive; pass the last one as after to go on"`
	Unit       string    `json:"unit" doc:"Time-stamping unit that signed it"`
	Serial     string    `json:"serial" doc:"Serial number, decimal: it may have more digits than a JSON number holds"`
	Time       time.Time `json:"time" doc:"As the token states it (genTime)"`
	Policy     string    `json:"policy" doc:"Object identifier of the policy"`
	Hash       string    `json:"hash" doc:"Digest algorithm of the imprint"`
	Digest     string    `json:"digest" doc:"The imprint, in hexadecimal"`
	Lot        string    `json:"lot,omitempty" doc:"Prepaid lot it was taken from"`
	Unverified bool      `json:"unverified_clock,omitempty" doc:"By its policy nobody vouched for the time: for demonstration only"`
	Token      string    `json:"token" doc:"Address of the token (.tst); .tsr for the answer it came in"`
}

// StampTokens is one page of a list of tokens.
type StampTokens struct {
	Unverified bool         `json:"unverified_clock" doc:"Nobody vouched for the time of one of them at least: for demonstration only"`
	Tokens     []StampToken `json:"tokens"`
	More       bool         `json:"more" doc:"There may be more: ask again with after"`
}

func (s *Server) stampTokensOf(entries []ledger.Entry) []StampToken {
	out := make([]StampToken, 0, len(entries))
	for _, e := range entries {
		serial := strconv.FormatInt(e.Serial, 10)
		out = append(out, StampToken{Seq: e.Seq, Unit: e.Unit, Serial: serial, Time: e.GenTime.UTC(), Policy: e.Policy.String(),
			Hash: e.Hash.String(), Digest: hex.EncodeToString(e.Imprint), Lot: e.Lot, Unverified: e.Unverified,
			Token: tokensPath + "/" + url.PathEscape(e.Unit) + "/" + serial + ".tst"})
	}
	return out
}

// stampTokens lists what the account was given: as JSON, one page at a time, or
// all of it as CSV or as the tokens themselves.
func (s *Server) stampTokens(c *fiber.Ctx, caller accounts.Caller) error {
	q, err := tokenQuery(c)
	if err != nil {
		return err
	}
	if format := ledger.Format(c.Query("format", "json")); format != "json" {
		return s.stampExport(c, caller, q, format)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	found, err := s.cfg.Stamps.Tokens(c.UserContext(), caller, q)
	if err != nil {
		return err
	}
	unverified := slices.ContainsFunc(found, func(e ledger.Entry) bool { return e.Unverified })
	return c.JSON(StampTokens{Unverified: unverified, Tokens: s.stampTokensOf(found), More: len(found) == q.Limit})
}

// tokenParameters are what a list of tokens can be asked for.
var tokenParameters = []string{"digest", "serial", "unit", "from", "to", "after", "newest", "limit", "format"}

// tokenQuery reads what is searched for. A condition that is not known is refused, and
// so is one that is there twice: who has mistyped it would get what he did not ask for.
func tokenQuery(c *fiber.Ctx) (ledger.Query, error) {
	seen := map[string]bool{}
	for key := range c.Context().QueryArgs().All() {
		name := string(key)
		if !slices.Contains(tokenParameters, name) || seen[name] {
			return ledger.Query{}, fail(BadQuery, "the query has a parameter that is not known, or one twice", nil)
		}
		seen[name] = true
	}
	q := ledger.Query{Unit: c.Query("unit"), Newest: c.Query("newest") == "1"}
	most := map[string]int64{"": ledger.MaxLimit, "json": ledger.MaxLimit, string(ledger.CSV): math.MaxInt32, string(ledger.Zip): ledger.MaxZip}[c.Query("format")]
	if most == 0 {
		return q, fail(BadQuery, "format is json, csv or zip", nil)
	}
	var errs [7]error
	if newest := c.Query("newest"); newest != "" && newest != "0" && newest != "1" {
		errs[6] = strconv.ErrSyntax
	}
	q.Digest, errs[0] = hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(c.Query("digest")))
	q.Serial, errs[1] = number(c.Query("serial"), 1<<63-1)
	q.After, errs[2] = number(c.Query("after"), 1<<63-1)
	limit, bad := number(c.Query("limit"), most)
	q.Limit, errs[3] = int(limit), bad
	q.From, errs[4] = moment(c.Query("from"), 0)
	q.To, errs[5] = moment(c.Query("to"), 24*time.Hour)
	if err := errors.Join(errs[:]...); err != nil {
		return q, fail(BadQuery, "the query is malformed", err)
	}
	return q, nil
}

// number reads a positive number, decimal or with 0x; 0 for an empty text.
func number(text string, limit int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits, base := text, 10
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err == nil && (n < 1 || n > limit) {
		err = strconv.ErrRange
	}
	return n, err
}

// moment reads a time (RFC 3339), or a day, which means its beginning in UTC, or
// with whole the beginning of the next one.
func moment(text string, whole time.Duration) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Add(whole), nil
	}
	return time.Parse(time.RFC3339, text)
}

// stampExport streams an export: it may be far larger than memory. What can be
// refused is refused before the first octet is sent. What goes wrong later breaks
// the answer off in the middle of a chunk's place (RFC 9112 §8: an answer without
// its last chunk is incomplete), so that no client takes a part for the whole.
func (s *Server) stampExport(c *fiber.Ctx, caller accounts.Caller, q ledger.Query, format ledger.Format) error {
	// The request ends, and its context with it, before the last octet is sent.
	ctx, cancel := context.WithTimeout(s.base, exportTimeout)
	r, w := io.Pipe()
	began, done := make(chan struct{}), make(chan error, 1)
	client := current(c).client
	go func() {
		defer cancel()
		err := s.export(ctx, caller, q, format, w, began)
		done <- err
		_ = w.CloseWithError(err) // cuts the answer off, or ends it
		select {
		case <-began:
			s.exported(format, client, err)
		default: // whoever asked is told
		}
	}()
	select {
	case <-began:
	case err := <-done: // before anything was to be sent
		if err != nil {
			return err
		}
	}
	name, media := "tokens", "text/csv; charset=utf-8; header=present"
	if format == ledger.Zip {
		media = "application/zip"
	}
	c.Set(fiber.HeaderContentType, media)
	c.Set(fiber.HeaderContentDisposition, attachment(name+"."+string(format)))
	return c.SendStream(&paced{ReadCloser: r, c: c.Context().Conn()})
}

// export runs an export into w and closes began when it has begun. It runs beside the
// handler, where a panic would end the service.
func (s *Server) export(ctx context.Context, caller accounts.Caller, q ledger.Query, format ledger.Format, w io.Writer, began chan struct{}) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic in a handler", "path", tokensPath, "panic", p, "stack", string(debug.Stack()))
			err = fail(Kind(signing.Internal), "a handler failed", nil)
		}
	}()
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := s.cfg.Stamps.ExportTokens(ctx, caller, q, format, func() io.Writer { close(began); return buffered }); err != nil {
		return err
	}
	return buffered.Flush()
}

// exported tells the log how an export ended that had begun: the access log has the
// answer's status only.
func (s *Server) exported(format ledger.Format, client string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.ErrClosedPipe):
		s.cfg.Log.Info("an export of tokens was not taken to its end", "format", format, "client", client)
	default:
		s.cfg.Log.Error("an export of tokens broke off; the client has a part of it", "format", format, "client", client, "error", err)
	}
}

// stampTokenFile gives one token: as <serial>.tst alone, as <serial>.tsr in the
// answer that granted it.
func (s *Server) stampTokenFile(c *fiber.Ctx, caller accounts.Caller) error {
	unit, err := url.PathUnescape(c.Params("unit"))
	serialText, ext, ok := strings.Cut(c.Params("file"), ".")
	serial, bad := number(serialText, 1<<63-1)
	if err != nil || bad != nil || !ok || serial < 1 || ext != "tst" && ext != "tsr" {
		return fiber.ErrNotFound
	}
	_, token, err := s.cfg.Stamps.Token(c.UserContext(), caller, unit, serial)
	if err != nil {
		return err
	}
	media := mediaStampToken
	if ext == "tsr" {
		media, token = mediaStampReply, front.Response(token)
	}
	c.Set(fiber.HeaderContentType, media)
	c.Set(fiber.HeaderContentDisposition, attachment(serialText+"."+ext))
	return c.Send(token)
}

// kindOfStamps maps the errors of the rooms behind Stamps.
func kindOfStamps(err error) (Kind, bool) {
	var account *accounts.Error
	var record *ledger.Error
	var authority *tsa.Error
	switch {
	case errors.As(err, &account):
		switch account.Kind {
		case accounts.Unknown:
			return Unauthenticated, true
		case accounts.NotPermitted:
			return NotPermitted, true
		case accounts.LockedOut:
			return StampLocked, true
		case accounts.RateLimited, accounts.Busy:
			return Kind(signing.Busy), true
		case accounts.NotFound:
			return Kind(signing.NotFound), true
		}
	case errors.As(err, &record):
		switch record.Kind {
		case ledger.NotFound:
			return Kind(signing.NotFound), true
		case ledger.TooMany:
			return TooManyTokens, true
		case ledger.BadQuery:
			return BadQuery, true
		case ledger.Busy, ledger.Stopped:
			return Kind(signing.Busy), true
		}
	case !errors.As(err, &authority):
		return "", false
	}
	return Kind(signing.Internal), true
}
