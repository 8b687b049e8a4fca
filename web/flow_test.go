package web

import (
	"net/url"
	"strings"
	"testing"

	"sigillo/signing"
)

// TestMainJobWithoutScript walks the whole job with plain forms.
func TestMainJobWithoutScript(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	r := b.upload(formFile{"contratto.pdf", "%PDF-1.7 hello"})
	if r.StatusCode != 303 || r.Header.Get("Location") != "/documents/d-1" {
		t.Fatalf("upload: %d to %q: %s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	page := b.get("/documents/d-1")
	for _, want := range []string{"contratto.pdf", "Nothing in the way", "/documents/d-1/pages/1", "PAdES"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("document page lacks %q", want)
		}
	}
	if img := b.get("/documents/d-1/pages/2"); img.StatusCode != 200 || img.Header.Get("Content-Type") != "image/png" {
		t.Errorf("page image: %d %s", img.StatusCode, img.Header.Get("Content-Type"))
	}
	if words := b.get("/documents/d-1/pages/2/text"); words.body != "Words of page 2 of d-1 <b>&amp;" || words.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("page text: %q %s", words.body, words.Header.Get("Content-Type"))
	}
	if page := b.get("/documents/d-1?page=3"); !strings.Contains(page.body, "Words of page 3 of d-1 &lt;b&gt;&amp;amp;") || !strings.Contains(page.body, "mupdf 1.21.1") {
		t.Error("the page lacks its text or who drew it")
	}
	for _, path := range []string{"/documents/d-1/pages/4/text", "/documents/d-1/pages/0/text", "/documents/d-1/pages/x", "/documents/d-1/difference/3"} {
		if r := b.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	r = b.post("/transactions", url.Values{"token": {b.token("/documents/d-1")}, "document": {"d-1"}, "form-d-1": {"pades"},
		"level": {"B-T"}, "credential": {testCred}, "reason": {"prova"}})
	if r.StatusCode != 303 || r.Header.Get("Location") != "/transactions/t-1" {
		t.Fatalf("prepare: %d %s", r.StatusCode, r.body)
	}
	page = b.get("/transactions/t-1")
	tx, _ := w.rooms.Transaction(t.Context(), testHolder, "t-1")
	flat := strings.ReplaceAll(page.body, " ", "")
	if !strings.Contains(flat, tx.Items[0].Digest) || !strings.Contains(page.body, "3fa01b77c2d94e10") {
		t.Error("signing page lacks the digest or the certificate")
	}
	factors := url.Values{"token": {b.token("/transactions/t-1")}, "password": {"wrong"}, "otp": {"222222"}}
	if r = b.post("/transactions/t-1/sign", factors); r.StatusCode != 403 || !strings.Contains(r.body, "Wrong credentials") {
		t.Fatalf("wrong factors: %d %s", r.StatusCode, r.body)
	}
	factors.Set("password", testPassword)
	factors.Set("otp", "222 222") // as apps show it
	if r = b.post("/transactions/t-1/sign", factors); r.StatusCode != 303 {
		t.Fatalf("sign: %d %s", r.StatusCode, r.body)
	}
	for _, c := range w.rooms.wiped {
		if c != 0 {
			t.Fatal("password was not wiped")
		}
	}
	if w.rooms.client != "127.0.0.1" {
		t.Errorf("client %q", w.rooms.client)
	}
	page = b.get("/transactions/t-1")
	if !strings.Contains(page.body, "TOTAL_PASSED") || !strings.Contains(page.body, "/transactions/t-1/items/0/content") {
		t.Error("result page lacks indication or download")
	}
	file := b.get("/transactions/t-1/items/0/content")
	if file.body != "signed contratto.pdf" || !strings.Contains(file.Header.Get("Content-Disposition"), `filename="contratto-signed.pdf"`) {
		t.Errorf("download %q %q", file.body, file.Header.Get("Content-Disposition"))
	}
	if hist := b.get("/history"); !strings.Contains(hist.body, "Completed") {
		t.Error("history lacks the transaction")
	}
	if log := w.log.String(); strings.Contains(log, testPassword) || strings.Contains(log, "222222") {
		t.Error("the log holds a secret")
	}
}

// TestSeveralTogether signs two documents under one authorisation; one needs
// the holder's confirmation.
func TestSeveralTogether(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	r := b.upload(formFile{"a.pdf", "one"}, formFile{"macro.docx", "two"})
	if r.Header.Get("Location") != "/?added=2" {
		t.Fatalf("upload of two: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	page := b.get("/together?document=d-1&document=d-2&document=d-1")
	if strings.Count(page.body, `name="document"`) != 2 || !strings.Contains(page.body, `name="confirmed"`) {
		t.Fatalf("page for several: %s", page.body)
	}
	fields := url.Values{"token": {b.token("/together?document=d-1&document=d-2")}, "document": {"d-1", "d-2"},
		"form-d-1": {"pades"}, "form-d-2": {"cades"}, "level": {"B-B"}, "credential": {testCred}}
	r = b.post("/transactions", fields)
	if r.StatusCode != 409 || !strings.Contains(r.body, "Your confirmation is needed") || !strings.Contains(r.body, `value="B-B" checked`) {
		t.Fatalf("unconfirmed: %d, or the choice was lost", r.StatusCode)
	}
	fields.Set("confirmed", "yes")
	if r = b.post("/transactions", fields); r.StatusCode != 303 {
		t.Fatalf("confirmed: %d %s", r.StatusCode, r.body)
	}
	r = b.post(r.Header.Get("Location")+"/sign", url.Values{"token": fields["token"], "password": {testPassword}, "otp": {"333333"}})
	if r.StatusCode != 303 {
		t.Fatalf("sign: %d", r.StatusCode)
	}
	page = b.get(r.Header.Get("Location"))
	if strings.Count(page.body, "TOTAL_PASSED") != 2 {
		t.Error("two results expected")
	}
	if m := b.get("/metrics").body; !strings.Contains(m, `sigillo_signatures_total{result="delivered"} 2`) {
		t.Errorf("metrics: %s", m)
	}
}

func TestRefusedDocument(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	b.upload(formFile{"script.pdf", "x"})
	page := b.get("/documents/d-1")
	if strings.Contains(page.body, `action="/transactions"`) {
		t.Error("a refused document must not offer the form")
	}
	if strings.Contains(page.body, `id="pages"`) || strings.Contains(page.body, "Sign it only if") {
		t.Error("a refused document is not kept, yet its pages are spoken of")
	}
	if !strings.Contains(page.body, "app.alert(&#39;&lt;b&gt;ciao") {
		t.Error("the quote is missing or not escaped")
	}
}

// TestRefusedAmongSeveral: no link to pages that are not there.
func TestRefusedAmongSeveral(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	b.upload(formFile{"a.pdf", "x"}, formFile{"script.pdf", "y"})
	page := b.get("/together?document=d-1&document=d-2")
	if !strings.Contains(page.body, `"/documents/d-1?view=all#pages"`) || !strings.Contains(page.body, `href="/documents/d-2"`) {
		t.Error("links to the documents")
	}
}

// TestTransactionStates: one address, a page for each state.
func TestTransactionStates(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	for _, c := range []struct {
		state   signing.State
		kind    string
		want    string
		refresh string
	}{
		{signing.Prepared, "", "Confirm with your credentials", ""},
		{signing.Authorised, "", "Signing in progress", "5"},
		{signing.Signed, "", "Signing in progress", "5"},
		{signing.Delivered, "", "Signed documents", ""},
		{signing.Failed, "key-unavailable", "Signing device unreachable", ""},
	} {
		id := "t-" + string(c.state)
		w.rooms.txs[id] = &signing.Transaction{ID: id, State: c.state, Error: c.kind, Items: []signing.Item{{Name: "gone.pdf", Document: "d-gone"}}}
		page := b.get("/transactions/" + id)
		if page.StatusCode != 200 || !strings.Contains(page.body, c.want) || page.Header.Get("Refresh") != c.refresh {
			t.Errorf("%s: %d, refresh %q, or %q is missing", c.state, page.StatusCode, page.Header.Get("Refresh"), c.want)
		}
	}
}

func TestSuspendOwnCertificate(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	if page := b.get("/certificates"); !strings.Contains(page.body, "/certificates/c-1/suspend") {
		t.Fatal("no way to suspend")
	}
	r := b.post("/certificates/c-1/suspend", url.Values{"token": {b.token("/certificates/c-1/suspend")}})
	if r.StatusCode != 303 || !w.rooms.suspended {
		t.Fatalf("suspend: %d", r.StatusCode)
	}
	page := b.get(r.Header.Get("Location"))
	if !strings.Contains(page.body, "The certificate is suspended.") || strings.Contains(page.body, "c-1/suspend") {
		t.Error("page after suspension")
	}
	if r := b.get("/certificates/c-9/suspend"); r.StatusCode != 404 {
		t.Errorf("another's credential: %d", r.StatusCode)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	r := b.get("/documents/d-1?page=2")
	if r.StatusCode != 303 || r.Header.Get("Location") != "/signin?next=%2Fdocuments%2Fd-1%3Fpage%3D2" {
		t.Fatalf("without a session: %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	r = b.post("/signin", url.Values{"token": {b.token("/signin?next=%2Fhistory")}, "username": {testUser}, "password": {"no"},
		"otp": {"123456"}, "next": {"/history"}})
	if r.StatusCode != 403 || !strings.Contains(r.body, `value="/history"`) || !strings.Contains(r.body, `value="ada"`) || strings.Contains(r.body, `value="no"`) {
		t.Errorf("failed sign-in: %d %s", r.StatusCode, r.body)
	}
	r = b.post("/signin", url.Values{"token": {b.token("/signin")}, "username": {testUser}, "password": {testPassword},
		"otp": {"123456"}, "next": {"//evil.example"}})
	if r.Header.Get("Location") != "/" {
		t.Errorf("open redirect to %q", r.Header.Get("Location"))
	}
	old := b.cookies[sessionCookie]
	if r = b.post("/signout", url.Values{"token": {b.token("/")}}); r.Header.Get("Location") != "/signin?out=1" || b.cookies[sessionCookie] != "" {
		t.Errorf("sign-out: %d", r.StatusCode)
	}
	b.cookies[sessionCookie] = old
	if r = b.get("/"); r.Header.Get("Location") != "/signin?ended=1" || b.cookies[sessionCookie] != "" {
		t.Errorf("ended session: %q", r.Header.Get("Location"))
	}
	b.signIn("654321")
	w.rooms.mu.Lock()
	w.rooms.fault["Session"] = refuse(signing.Busy)
	w.rooms.mu.Unlock()
	if r = b.get("/"); r.StatusCode != 503 || r.Header.Get("Retry-After") != "2" || b.cookies[sessionCookie] == "" {
		t.Errorf("a busy database must not end the session: %d", r.StatusCode)
	}
}

// TestConvertRefused: the offer to convert, and what comes of it.
func TestConvertRefused(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	b.upload(formFile{"campi.docx", "PK"}, formFile{"due.pdf", "%PDF"})
	page := b.get("/documents/d-1")
	if !strings.Contains(page.body, `action="/documents/d-1/convert"`) || !strings.Contains(page.body, "as they are worked out now") {
		t.Error("no offer that says what becomes of the fields")
	}
	if page := b.get("/documents/d-2"); strings.Contains(page.body, "/convert") || !strings.Contains(page.body, "/documents/d-2/difference/2") {
		t.Error("a difference is not shown, or conversion is offered for it")
	}
	if img := b.get("/documents/d-2/difference/1"); img.StatusCode != 200 || img.Header.Get("Content-Type") != "image/png" {
		t.Errorf("picture of a difference: %d", img.StatusCode)
	}
	if r := b.post("/documents/d-1/convert", url.Values{"token": {"forged"}}); r.StatusCode != 403 || len(w.rooms.documents) != 2 {
		t.Errorf("forged: %d", r.StatusCode)
	}
	token := url.Values{"token": {b.token("/documents/d-1")}}
	if r := b.post("/documents/d-1/convert", token); r.StatusCode != 303 || r.Header.Get("Location") != "/documents/d-3" {
		t.Fatalf("convert: %d %s", r.StatusCode, r.body)
	}
	if page := b.get("/documents/d-3"); !strings.Contains(page.body, `href="/documents/d-1"`) || !strings.Contains(page.body, "not the file you uploaded") {
		t.Error("the new document does not say where it comes from")
	}
	if r := b.post("/documents/d-2/convert", token); r.StatusCode != 422 || !strings.Contains(r.body, "cannot be converted") || !strings.Contains(r.body, "Two programs") {
		t.Errorf("what cannot be converted: %d", r.StatusCode)
	}
}
