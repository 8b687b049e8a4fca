package web

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"sigillo/signing"
	"sigillo/vault"
)

// everyPage gives the pages of the face, in all their shapes.
func everyPage(t *testing.T, w *wall, lang string) map[string]string {
	t.Helper()
	out := map[string]string{}
	b := w.browser()
	b.lang = lang
	out["signin"] = b.get("/signin").body
	out["signin ended"] = b.get("/signin?ended=1").body
	b.signIn("11111" + map[string]string{"it": "1", "en": "2"}[lang])
	out["home empty"] = b.get("/").body
	out["home error"] = b.upload(formFile{"empty.pdf", ""}).body
	b.upload(formFile{"a.pdf", "x"}, formFile{"macro.docx", "y"}, formFile{"script.pdf", "z"})
	docs, err := w.rooms.Documents(t.Context(), testHolder)
	if err != nil {
		t.Fatal(err)
	}
	script, macro, pdf := docs[0].ID, docs[1].ID, docs[2].ID
	out["home"] = b.get("/?added=3").body
	out["document"] = b.get("/documents/" + pdf + "?page=2").body
	out["document all"] = b.get("/documents/" + pdf + "?view=all").body
	out["document confirm"] = b.get("/documents/" + macro).body
	out["document refused"] = b.get("/documents/" + script).body
	b.upload(formFile{"due.pdf", "x"}, formFile{"campi.docx", "y"})
	if docs, err = w.rooms.Documents(t.Context(), testHolder); err != nil {
		t.Fatal(err)
	}
	out["document differs"], out["document convertible"] = b.get("/documents/"+docs[1].ID).body, b.get("/documents/"+docs[0].ID).body
	convert := url.Values{"token": {b.token("/")}}
	out["document converted"] = b.get(b.post("/documents/"+docs[0].ID+"/convert", convert).Header.Get("Location")).body
	out["document not converted"] = b.post("/documents/"+docs[1].ID+"/convert", convert).body
	together := "/together?document=" + pdf + "&document=" + macro
	out["together"] = b.get(together).body
	out["together blocked"] = b.get(together + "&document=" + script).body
	fields := url.Values{"token": {b.token("/")}, "document": {pdf, macro}, "form-" + pdf: {"pades"}, "form-" + macro: {"cades"},
		"level": {"B-T"}, "credential": {testCred}}
	out["order error"] = b.post("/transactions", fields).body
	fields.Set("confirmed", "yes")
	tx := b.post("/transactions", fields).Header.Get("Location")
	out["sign"] = b.get(tx).body
	out["sign error"] = b.post(tx+"/sign", url.Values{"token": fields["token"], "password": {"x"}, "otp": {"1"}}).body
	b.post(tx+"/sign", url.Values{"token": fields["token"], "password": {testPassword}, "otp": {"33333" + map[string]string{"it": "1", "en": "2"}[lang]}})
	out["result"] = b.get(tx).body
	w.rooms.txs["t-w"] = &signing.Transaction{ID: "t-w", State: signing.Authorised, Items: []signing.Item{{Name: "a"}}}
	w.rooms.txs["t-f"] = &signing.Transaction{ID: "t-f", State: signing.Failed, Error: "busy", Items: []signing.Item{{Name: "a"}}}
	out["working"], out["failed"] = b.get("/transactions/t-w").body, b.get("/transactions/t-f").body
	out["history"] = b.get("/history").body
	out["certificates"] = b.get("/certificates").body
	out["suspend"] = b.get("/certificates/c-1/suspend").body
	out["sessions"] = b.get("/security/sessions?ended=1").body
	if l, ok := w.srv.cfg.Security.(*locksmith); ok {
		l.devices = nil
		for name, body := range securityPages(b, l) {
			out["security: "+name] = body
		}
	}
	out["requests"] = b.get("/requests?done=approved").body
	out["requests error"] = b.post("/requests/r-2/approve", url.Values{"token": fields["token"], "password": {"x"}, "otp": {"000000"}}).body
	out["applications"], out["applications ended"] = b.get("/security/applications").body, b.get("/security/applications?ended=1").body
	out["forgotten"] = b.get("/security/sessions?forgotten=1").body
	if m, ok := w.srv.cfg.Delegations.(*mandates); ok {
		m.given = []vault.Delegation{{ID: "delegation-1", Credential: testAutomatic, Count: 3, Used: 2, State: vault.DelegationActive, Kinds: []string{"a", "b"}},
			{ID: "delegation-2", Credential: "gone", Count: 1, Used: 1, State: vault.DelegationUsedUp, Kinds: []string{"c"}}}
		out["delegations no key"], out["delegate no key"] = b.get("/delegations").body, b.get("/delegations/new").body
		w.rooms.automatic = true
		out["delegations"], out["delegate"], out["certificates automatic"] = b.get("/delegations?done=given").body, b.get("/delegations/new").body, b.get("/certificates").body
		out["delegate refused"] = b.post("/delegations/new", url.Values{"token": {b.token("/delegations")}}).body
		w.rooms.automatic = false
	}
	out["error"] = b.get("/nowhere").body
	out["api"] = b.get(apiDocs).body
	w.rooms.suspended = true
	out["tsa"], out["stamp"] = b.get("/tsa").body, b.get("/stamp").body
	out["stamp error"] = b.post("/stamp", url.Values{"token": fields["token"], "hash": {"sha256"}, "digest": {"x"}}).body
	account := append(basic(deskUser, deskPassword), "Accept", "text/html")
	out["account empty"] = b.get("/tsa/account", account...).body
	b.stamp("/tsa", stampQuery(t, 1), account...)
	out["account"] = b.get("/tsa/account", account...).body
	out["no credential"] = b.get("/documents/" + pdf).body
	out["certificates suspended"] = b.get("/certificates?suspended=1").body
	w.rooms.suspended = false
	client := oauth2.Config{ClientID: "gestionale", RedirectURL: "https://app.example/cb", Endpoint: oauth2.Endpoint{AuthURL: "/oauth2/authorize"}}
	order := orderOf(client, "x", oauth2.GenerateVerifier(), "a.pdf", "")
	out["authorise"] = b.get(order).body
	out["authorise error"] = b.post(order, url.Values{"token": {"x"}}).body
	out["consent"] = b.get(client.AuthCodeURL("x", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))).body
	out["unknown application"] = b.get("/oauth2/authorize?client_id=nobody").body
	return out
}

// TestPagesAreAccessible checks what can be checked without a browser: every
// field has a label, every image an alt, ids are unique and references lead to
// them, one h1, headings in order, the language, the skip link, and no inline
// script or style, which the policy would block.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	var secret string
	w := build(t, withDesk(newDesk(t), StampPageHolders), withLocksmith(&locksmith{codes: 3}), withMandates(&mandates{}), withApplications(t, &secret, "https://app.example/cb"), withRequests(twoRequests()), func(c *Config) { c.UnverifiedClock, c.Applications = true, newLetIn() })
	for _, lang := range languages {
		for name, body := range everyPage(t, w, lang) {
			doc, err := html.Parse(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			p := &page{t: t, name: lang + " " + name, ids: map[string]int{}, labels: map[string]bool{}}
			p.collect(doc)
			p.check(doc)
			if p.lang != lang || p.h1 != 1 || !p.skip || p.title == "" || p.ids["main"] != 1 {
				t.Errorf("%s: lang %q, %d h1, skip link %t, title %q", p.name, p.lang, p.h1, p.skip, p.title)
			}
			if strings.Contains(body, "%!") || strings.Contains(body, "<no value>") || strings.Contains(body, "ZgotmplZ") {
				t.Errorf("%s: broken template output", p.name)
			}
			if words := strings.Fields(visibleText(doc)); len(words) < 30 {
				t.Errorf("%s: only %d words", p.name, len(words))
			}
			for key := range w.srv.locales[lang].messages {
				if strings.Contains(body, ">"+key+"<") {
					t.Errorf("%s: the key %s is shown", p.name, key)
				}
			}
		}
	}
}

type page struct {
	t      *testing.T
	name   string
	ids    map[string]int
	labels map[string]bool
	lang   string
	title  string
	h1     int
	level  int // of the last heading
	skip   bool
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func visibleText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return b.String()
}

// pictureText is what the images of an element say.
func pictureText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "img" {
			b.WriteString(attr(d, "alt"))
		}
	}
	return b.String()
}

func (p *page) collect(doc *html.Node) {
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			if p.ids[id]++; p.ids[id] > 1 {
				p.t.Errorf("%s: id %q twice", p.name, id)
			}
		}
		switch n.Data {
		case "html":
			p.lang = attr(n, "lang")
		case "title":
			p.title = visibleText(n)
		case "label":
			p.labels[attr(n, "for")] = true
			if strings.TrimSpace(visibleText(n)) == "" {
				p.t.Errorf("%s: empty label", p.name)
			}
		case "h1":
			p.h1++
		case "a":
			if attr(n, "href") == "#main" {
				p.skip = true
			}
		}
	}
}

func (p *page) check(doc *html.Node) {
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				p.t.Errorf("%s: inline %s", p.name, a.Key)
			}
			if a.Key == "aria-describedby" || a.Key == "aria-labelledby" {
				for _, id := range strings.Fields(a.Val) {
					if p.ids[id] == 0 {
						p.t.Errorf("%s: %s leads to no %q", p.name, a.Key, id)
					}
				}
			}
		}
		p.element(n)
	}
}

func (p *page) element(n *html.Node) {
	switch n.Data {
	case "input", "select", "textarea", "progress":
		if attr(n, "type") != "hidden" && !p.labels[attr(n, "id")] {
			p.t.Errorf("%s: no label for %s %q", p.name, n.Data, attr(n, "name"))
		}
		if attr(n, "type") == "password" && attr(n, "value") != "" {
			p.t.Errorf("%s: a password is sent back", p.name)
		}
	case "img":
		if !has(n, "alt") {
			p.t.Errorf("%s: image without alt", p.name)
		}
	case "fieldset":
		if n.FirstChild == nil || !strings.Contains(first(n), "legend") {
			p.t.Errorf("%s: fieldset without legend first", p.name)
		}
	case "script":
		if attr(n, "src") == "" || n.FirstChild != nil {
			p.t.Errorf("%s: inline script", p.name)
		}
	case "style":
		p.t.Errorf("%s: inline style", p.name)
	case "button", "a":
		if strings.TrimSpace(visibleText(n)+pictureText(n)) == "" {
			p.t.Errorf("%s: %s without a text", p.name, n.Data)
		}
		if strings.HasPrefix(attr(n, "href"), "#") && p.ids[attr(n, "href")[1:]] == 0 {
			p.t.Errorf("%s: link to no %s", p.name, attr(n, "href"))
		}
	case "form":
		if attr(n, "method") == "post" && !strings.Contains(inner(n), `name="token"`) {
			p.t.Errorf("%s: form %s without a token", p.name, attr(n, "action"))
		}
	case "h1", "h2", "h3", "h4":
		level := int(n.Data[1] - '0')
		if level > p.level+1 && p.level > 0 {
			p.t.Errorf("%s: h%d after h%d", p.name, level, p.level)
		}
		p.level = level
	}
}

func first(n *html.Node) string {
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return c.Data
		}
	}
	return ""
}

func inner(n *html.Node) string {
	var b strings.Builder
	_ = html.Render(&b, n)
	return b.String()
}
