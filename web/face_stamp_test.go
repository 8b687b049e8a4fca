package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"sigillo/formats/cms"
	"sigillo/tsa/accounts"
)

var pageDigest = strings.Repeat("ab", 32)

func (b *browser) stampForm(hash, digest string, header ...string) reply {
	b.w.t.Helper()
	return b.post("/stamp", url.Values{"token": {b.token("/stamp")}, "hash": {hash}, "digest": {digest}}, header...)
}

// Without a script the answer is the file; the script gets it in JSON with what
// it shows.
func TestStampPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPageHolders)).browser().signIn("111111")
	if page := b.get("/stamp"); !strings.Contains(page.body, `id="stamp-left-count">7<`) || !strings.Contains(page.body, "static/stamp.js") {
		t.Errorf("%s", page.body)
	}
	for lang, want := range map[string]string{"it": "JavaScript è spento", "en": "JavaScript is off"} {
		page := b.get("/stamp", "Accept-Language", lang)
		_, rest, _ := strings.Cut(page.body, "<noscript>")
		if text, _, ok := strings.Cut(rest, "</noscript>"); !ok || !strings.Contains(text, want) || !strings.Contains(text, "sigillo stamp --url http://") || !strings.Contains(text, "openssl ts -query") {
			t.Errorf("%s: without a script the page says %q", lang, text)
		}
	}
	file := b.stampForm("sha256", pageDigest)
	token, err := tokenOf(file.body)
	if err != nil || file.Header.Get("Content-Type") != mediaStampReply || !strings.Contains(file.Header.Get("Content-Disposition"), ".tsr") {
		t.Fatalf("%d %v: %v", file.StatusCode, file.Header, err)
	}
	if d.account != accounts.House || !bytes.Equal(token.Info.Imprint, bytes.Repeat([]byte{0xab}, 32)) || token.Info.Nonce == nil {
		t.Errorf("on account %q: %+v", d.account, token.Info)
	}
	for hash, n := range map[string]int{"sha256": 32, "sha384": 48, "sha512": 64} {
		r := b.stampForm(hash, strings.Repeat(" AB", n), "Accept", "application/json")
		var got stamped
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", hash, r.StatusCode, r.body)
		}
		response, _ := base64.StdEncoding.DecodeString(got.Response)
		alone, _ := base64.StdEncoding.DecodeString(got.Token)
		token, err := tokenOf(string(response))
		if err != nil || !bytes.Equal(token.Raw, alone) || got.Serial != token.Info.SerialNumber.String() || got.Digest != strings.Repeat("ab", n) ||
			got.Left == nil || *got.Left != d.left || got.Time == "" || got.Moment == "" || got.Policy != "1.3.6.1.4.1.99999.1" {
			t.Errorf("%s: %v %+v", hash, err, got)
		}
	}
	for name, c := range map[string][2]string{"short": {"sha256", "abcd"}, "of another": {"sha512", pageDigest}, "no hex": {"sha256", strings.Repeat("xy", 32)},
		"no algorithm": {"", pageDigest}, "weak": {"sha1", strings.Repeat("ab", 20)}, "nothing": {"sha256", ""}} {
		page, script := b.stampForm(c[0], c[1]), b.stampForm(c[0], c[1], "Accept", "application/json")
		if page.StatusCode != 422 || !strings.Contains(page.body, "Digest not valid") || script.StatusCode != 422 || !strings.Contains(script.body, `"kind":"bad-digest"`) {
			t.Errorf("%s: %d, %d %s", name, page.StatusCode, script.StatusCode, script.body)
		}
	}
}

// What the authority refuses is told on the page in the reader's words.
func TestStampPageRefusals(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPageHolders)).browser().signIn("111111")
	for info, c := range map[cms.FailureInfo]struct {
		status int
		kind   string
	}{
		cms.TimeNotAvailable: {503, "stamp-no-time"}, cms.BadRequest: {403, "stamp-not-permitted"}, cms.BadAlg: {422, "bad-digest"},
		cms.SystemFailure: {503, "stamp-failed"},
	} {
		d.refusal = &cms.Refusal{FailureInfo: info, Text: "in English"}
		r := b.stampForm("sha256", pageDigest, "Accept", "application/json")
		if r.StatusCode != c.status || !strings.Contains(r.body, `"kind":"`+c.kind+`"`) {
			t.Errorf("%v: %d %s", info, r.StatusCode, r.body)
		}
		if page := b.stampForm("sha256", pageDigest); page.StatusCode != c.status || !strings.Contains(page.body, `class="summary"`) {
			t.Errorf("%v: the page %d", info, page.StatusCode)
		}
	}
}

// Who may stamp on the page is configured, and deny is the default.
func TestStampPageAudience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page      StampPage
		anonymous bool
		get, post int
	}{
		"off":                          {StampPageOff, true, 404, 404},
		"holders":                      {StampPageHolders, true, 303, 303},
		"everybody":                    {StampPagePublic, true, 200, 200},
		"everybody who has an account": {StampPagePublic, false, 200, 403},
	} {
		d := newDesk(t)
		d.anonymous = c.anonymous
		b := build(t, withDesk(d, c.page)).browser()
		page := b.get("/stamp")
		fields := url.Values{"hash": {"sha256"}, "digest": {pageDigest}}
		if m := tokenField.FindStringSubmatch(page.body); m != nil {
			fields.Set("token", m[1])
		}
		if post := b.post("/stamp", fields); page.StatusCode != c.get || post.StatusCode != c.post {
			t.Errorf("%s: GET %d, POST %d %s", name, page.StatusCode, post.StatusCode, post.body)
		}
		if c.page == StampPagePublic && (d.caller.Username != "" || d.caller.Addr.String() != "127.0.0.1" || strings.Contains(page.body, "stamp-left")) {
			t.Errorf("%s: caller %+v", name, d.caller)
		}
	}
}

// A page of another site stamps nothing.
func TestStampPageForged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	b := build(t, withDesk(d, StampPagePublic)).browser()
	token := b.token("/stamp")
	for name, c := range map[string]struct {
		token  string
		header []string
	}{"none": {"", nil}, "wrong": {strings.Repeat("0", 32), nil}, "other origin": {token, []string{"Origin", "https://evil.example"}}} {
		if r := b.post("/stamp", url.Values{"token": {c.token}, "hash": {"sha256"}, "digest": {pageDigest}}, c.header...); r.StatusCode != 403 || len(d.entries) > 0 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
}
