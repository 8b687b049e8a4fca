package web

import (
	"bytes"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/formats/inspect"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the templates by the name of their page; each has the layout and
// the parts (files with a leading underscore) in it.
type pages map[string]*template.Template

func loadPages() (pages, error) {
	shared, err := template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	out := pages{}
	for _, file := range names {
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(templateFiles, file); err != nil {
			return nil, err
		}
		out[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return out, nil
}

// view is what a template sees. Its methods speak the reader's language.
type view struct {
	*locale
	Name    string        // of the page
	Heading string        // of the page, already translated
	Holder  *store.Holder // nil when nobody is signed in
	Member  *staff.Member // of the staff, signed in at the administration's face
	Token   string        // for forms
	Here    string        // this address, to come back to
	Self    string        // this address where it is too long to come back to, with its query; empty elsewhere
	Assets  *assets
	Idle    int      // seconds until an idle session ends
	Mark    string   // ends the ids of a part that a page has more than once
	Step    int      // of the four steps, from 1; 0 shows no steps
	Problem *Problem // shown in the error summary
	Notice  string
	Data    any

	Bare       bool // a tablet's page: without header and footer
	Counter    bool // there are counters
	Unverified bool // nobody vouches for the time: every page says so
	Security   bool // holders can change their factors
	Passkeys   bool // ... have passkeys
	SentCodes  bool // ... and have codes sent
	NoRecovery bool // this one has no recovery codes
	Authority  bool // there are pages of the time-stamping authority ...
	StampPage  bool // ... and one to stamp files on
	Requests   bool // there is a page where applications' requests are approved
	// Applications: holders can let applications in.
	Applications bool
	Emergency    bool // there is a page to suspend a certificate by its code
	Delegating   bool // there are pages where holders delegate signatures
}

// Own is where who is signed in looks after the own factors.
func (v view) Own() string {
	if v.Member != nil {
		return memberSecurity
	}
	return holderSecurity
}

// Username is the one of who is signed in.
func (v view) Username() string {
	switch {
	case v.Member != nil:
		return v.Member.Username
	case v.Holder != nil:
		return v.Holder.Username
	}
	return ""
}

// With is the view of a part of the page.
func (v view) With(data any) view { v.Data = data; return v }

// Marked is With for a part that a page has more than once: mark ends its fields' ids.
func (v view) Marked(mark string, data any) view {
	v.Mark = "-" + mark
	return v.With(data)
}

// Beside is an address beside that of a form, which may have a query.
func (view) Beside(action, name string) string {
	path, query, asked := strings.Cut(action, "?")
	if path += "/" + name; asked {
		path += "?" + query
	}
	return path
}

// In is the address of the page in a language.
func (v view) In(code string) string {
	if v.Self != "" {
		return v.Self + "&lang=" + code
	}
	return "/lang/" + code + encodeQuery(fiber.Map{"next": v.Here})
}

// Icon is the address of a picture in the sprite of Bootstrap Italia, empty
// when that was not built in. Icons are decoration: every one has a text.
func (v view) Icon(name string) string {
	if !v.Assets.HasDist {
		return ""
	}
	return v.Assets.Base + "/dist/svg/sprites.svg#" + name
}

// Steps are the four steps of the main job.
func (v view) Steps() []step {
	names := []string{"upload", "check", "sign", "download"}
	out := make([]step, len(names))
	for i, n := range names {
		out[i] = step{Number: i + 1, Text: v.T("steps." + n), Done: i+1 < v.Step, Now: i+1 == v.Step}
	}
	return out
}

type step struct {
	Number    int
	Text      string
	Done, Now bool
}

// Badge is the colour class of a verdict, a certificate's status, a
// transaction's state or an indication. The text beside it says the same.
func (view) Badge(v any) string {
	switch v := v.(type) {
	case inspect.Verdict:
		return badgeOf[string(v)]
	case signing.State:
		return badgeOf[string(v)]
	case string:
		return badgeOf[v]
	}
	return "neutral"
}

var badgeOf = map[string]string{
	"allow": "good", "confirm": "warn", "refuse": "bad",
	"valid": "good", "suspended": "warn", "revoked": "bad", "expired": "bad", "none": "neutral",
	"prepared": "warn", "authorised": "neutral", "signed": "neutral", "delivered": "good", "failed": "bad",
	"ok": "good", "warn": "warn", "waiting": "warn", "stopped": "bad", // the clock, and units
	"active": "good", "retired": "neutral",
	"open": "warn", "approved": "warn", "executed": "good", "cancelled": "neutral", // proposals
	"TOTAL_PASSED": "good", "INDETERMINATE": "warn", "TOTAL_FAILED": "bad",
}

// DeviceName is what a holder calls a device, or what kind it is.
func (v view) DeviceName(d vault.DeviceStatus) string {
	if d.Label != "" {
		return d.Label
	}
	return v.T("kind." + string(d.Kind))
}

// Hex breaks a fingerprint into groups that a person can compare.
func (view) Hex(digest any) string {
	s, ok := digest.(string)
	if raw, isRaw := digest.([]byte); isRaw {
		s = hex.EncodeToString(raw)
	} else if !ok {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i += 8 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s[i:min(i+8, len(s))])
	}
	return b.String()
}

// Person is the common name of a distinguished name, or all of it when it has
// none. The whole name is always shown beside it.
func (view) Person(subject string) string {
	i := strings.Index(subject, "CN=")
	if i < 0 || i > 0 && !strings.ContainsRune(",+/ ", rune(subject[i-1])) {
		return subject
	}
	var b strings.Builder
	for name := subject[i+len("CN="):]; name != ""; name = name[1:] {
		switch {
		case name[0] == '\\' && len(name) > 1: // RFC 4514 §2.4
			name = name[1:]
		case name[0] == ',' || name[0] == '+':
			return b.String()
		}
		b.WriteByte(name[0])
	}
	return b.String()
}

// Whole rounds a number.
func (view) Whole(f float64) int { return int(math.Round(f)) }

// Plus1 counts from 1 what is counted from 0.
func (view) Plus1(n int) int { return n + 1 }

// Percent writes a share.
func (v view) Percent(f float64) string {
	text := strconv.FormatFloat(f, 'f', 1, 64) + " %"
	if v.Code == "it" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}

// Initials are those of a person's names.
func (view) Initials(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		for _, r := range n {
			b.WriteRune(unicode.ToUpper(r))
			break
		}
	}
	return b.String()
}

// List writes names one after the other.
func (view) List(names []string) string { return strings.Join(names, ", ") }

// ISO is a moment for machines (the datetime attribute).
func (view) ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Word says a verdict, state, status or indication.
func (v view) Word(table string, value any) string {
	key := table + "." + toText(value)
	if !v.Has(key) {
		return toText(value)
	}
	return v.T(key)
}

func toText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case inspect.Verdict:
		return string(v)
	case signing.State:
		return string(v)
	case signing.Form:
		return string(v)
	}
	return ""
}

// newView begins a page in the language and the session of the request.
func (s *Server) newView(c *fiber.Ctx, name, heading string, data any) view {
	r := current(c)
	return view{locale: r.locale, Name: name, Heading: heading, Holder: r.holder, Member: r.member, Token: s.formToken(c),
		Here: localPath(c.OriginalURL()), Assets: s.assets, Idle: int(s.cfg.SessionIdle.Seconds()), Data: data,
		Counter: s.cfg.Counter != nil, Unverified: s.cfg.UnverifiedClock, Authority: s.cfg.Stamps != nil, StampPage: s.cfg.Stamps != nil && s.cfg.StampPage != StampPageOff, Requests: s.cfg.Requests != nil,
		Security: s.cfg.Security != nil, Passkeys: s.cfg.Passkeys && s.cfg.Security != nil, SentCodes: s.cfg.SentCodes && s.cfg.Security != nil, Emergency: s.cfg.Emergency != nil, Applications: s.cfg.Applications != nil, Delegating: s.cfg.Delegations != nil}
}

// render writes a page. It is rendered whole before a byte is sent, so that a
// broken template becomes an error and not half a page.
func (s *Server) render(c *fiber.Ctx, v view) error {
	var b bytes.Buffer
	page, ok := s.pages[v.Name]
	if !ok {
		return fail("internal", "no page "+v.Name, nil)
	}
	layout := "layout"
	if v.Bare {
		layout = "bare"
	}
	if err := page.ExecuteTemplate(&b, layout, v); err != nil {
		return fail("internal", "page "+v.Name, err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Set(fiber.HeaderContentLanguage, v.Code)
	c.Set(fiber.HeaderVary, "Accept-Language, Cookie")
	return c.Send(b.Bytes())
}

// errorPage is the page for what has no page of its own to be shown on.
func (s *Server) errorPage(c *fiber.Ctx, p *Problem) {
	v := s.newView(c, "error", p.Title, p)
	if c.Method() != fiber.MethodGet {
		v.Here = "/"
	}
	if err := s.render(c, v); err != nil {
		s.cfg.Log.Error("the error page failed", "error", err)
		c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
		_ = c.SendString(p.Title + "\n" + p.Detail + "\n")
	}
}

// again shows a page with a problem on top, under the problem's status.
func (s *Server) again(c *fiber.Ctx, v view, err error) error {
	r := current(c)
	r.fault = err
	v.Problem = s.problem(r.locale, err)
	if wait := v.Problem.GetHeaders().Get(fiber.HeaderRetryAfter); wait != "" {
		c.Set(fiber.HeaderRetryAfter, wait)
	}
	c.Status(v.Problem.Status)
	return s.render(c, v)
}
