package web

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/clock"
	"sigillo/tsa/front"
)

func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	return v
}

func TestStampAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPageOff), func(c *Config) { c.UnverifiedClock = true }).browser()
	me := basic(deskUser, deskPassword)
	b.stamp("/tsa", stampQuery(t, 1), me...)
	a := decode[StampAccount](t, b.get("/tsa/account", me...))
	if a.Account != deskUser || a.Used != 1 || a.Left == nil || *a.Left != 6 || !a.Unverified || len(a.Policies) != 2 || a.Policies[0].Name != "demo" {
		t.Errorf("%+v", a)
	}
	d.unlimited = true
	if r := b.get("/tsa/account", me...); !strings.Contains(r.body, `"left":null`) {
		t.Errorf("unlimited: %s", r.body)
	}
	for _, path := range []string{"/tsa/account", "/tsa/account/tokens", "/tsa/account/tokens?format=csv", "/tsa/account/tokens/tsu-1/1.tst"} {
		r := b.get(path)
		if r.StatusCode != 401 || len(r.Header.Values("WWW-Authenticate")) != 2 || r.Header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(r.body, `"kind":"stamp-credentials"`) {
			t.Errorf("%s without credentials: %d %v %s", path, r.StatusCode, r.Header, r.body)
		}
	}
	page := b.get("/tsa/account", append(me, "Accept", "text/html,*/*")...)
	for _, want := range []string{"Acme S.p.A.", "unlimited", "Unverified clock", ".tst"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	d.err = &accounts.Error{Kind: accounts.NotPermitted, Msg: "suspended"}
	if r := b.get("/tsa/account", me...); r.StatusCode != 403 {
		t.Errorf("suspended: %d", r.StatusCode)
	}
	d.err = errOnPurpose
	if r := b.get("/tsa/account", me...); r.StatusCode != 500 || strings.Contains(r.body, "purpose") {
		t.Errorf("fault: %d %s", r.StatusCode, r.body)
	}
}

func TestStampTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPageOff)).browser()
	me := basic(deskUser, deskPassword)
	var answers []string
	for i := range byte(3) {
		answers = append(answers, b.stamp("/tsa", stampQuery(t, i), me...).body)
	}
	all := decode[StampTokens](t, b.get("/tsa/account/tokens", me...))
	if len(all.Tokens) != 3 || all.More || all.Tokens[1].Seq != 2 || all.Tokens[1].Hash != "SHA-256" || all.Tokens[1].Unit != "tsu-1" {
		t.Fatalf("%+v", all)
	}
	digest := hex.EncodeToString(bytes.Repeat([]byte{1}, 32))
	for _, q := range []string{"digest=" + digest, "digest=" + strings.ToUpper(digest), "after=1&limit=1"} {
		got := decode[StampTokens](t, b.get("/tsa/account/tokens?"+q, me...))
		if len(got.Tokens) != 1 || got.Tokens[0].Digest != digest || got.More != strings.Contains(q, "limit") {
			t.Errorf("%s: %+v", q, got)
		}
	}
	decode[StampTokens](t, b.get("/tsa/account/tokens?from=2026-11-01&to=2026-11-30&serial=0x10&unit=u&newest=1", me...))
	q := d.query
	if q.From.Format(time.RFC3339) != "2026-11-01T00:00:00Z" || q.To.Format(time.RFC3339) != "2026-12-01T00:00:00Z" || q.Serial != 16 ||
		q.Unit != "u" || !q.Newest || q.Limit != 100 {
		t.Errorf("asked for %+v", q)
	}
	if decode[StampTokens](t, b.get("/tsa/account/tokens?serial=010", me...)); d.query.Serial != 10 {
		t.Errorf("the serial number 010 is taken for %d", d.query.Serial)
	}
	decode[StampTokens](t, b.get("/tsa/account/tokens?from=2026-11-01T10:00:00%2B01:00", me...))
	if got := d.query.From.UTC().Format(time.RFC3339); got != "2026-11-01T09:00:00Z" {
		t.Errorf("from %s", got)
	}
	for _, bad := range []string{"digest=xyz", "digest=1", "serial=-1", "serial=x", "after=99999999999999999999", "limit=1001", "limit=0x", "from=yesterday",
		"to=2026-13-01", "format=xml", "serial=1_0", "serial=0b1",
		"digset=00", "Digest=00", "format=csv&form=2026-11-01", "serial=1&serial=2", "newest=yes", "x"} {
		if r := b.get("/tsa/account/tokens?"+bad, me...); r.StatusCode != 400 {
			t.Errorf("%s: %d", bad, r.StatusCode)
		}
	}
	// The address in the list gives the token, and the answer it came in, octet by octet.
	path := all.Tokens[2].Token
	tst, tsr := b.get(path, me...), b.get(strings.TrimSuffix(path, "tst")+"tsr", me...)
	res, err := cms.ParseResponse([]byte(answers[2]))
	if err != nil || tst.body != string(res.Token) || tst.Header.Get("Content-Type") != mediaStampToken || tsr.body != answers[2] {
		t.Errorf("%s: %d, %d; %v", path, tst.StatusCode, tsr.StatusCode, err)
	}
	for _, path := range []string{"/tsu-1/99.tst", "/tsu-2/1.tst", "/tsu-1/1.pdf", "/tsu-1/1", "/tsu-1/-1.tst", "/tsu-1/x.tst", "/tsu-1/99999999999999999999.tst"} {
		if r := b.get("/tsa/account/tokens"+path, me...); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

// A token is marked by what the record says of its policy, not by the clock of today.
func TestUnverifiedTokens(t *testing.T) {
	t.Parallel()
	for unverified, verified := range map[int]bool{0: false, 2: true} { // which token, and the clock now
		d := newDesk(t)
		d.unverified = unverified
		b := build(t, withDesk(d, StampPageOff), func(c *Config) { c.UnverifiedClock = !verified }).browser()
		me := basic(deskUser, deskPassword)
		for i := range byte(3) {
			b.stamp("/tsa", stampQuery(t, i), me...)
		}
		list := decode[StampTokens](t, b.get("/tsa/account/tokens", me...))
		if list.Unverified != (unverified > 0) {
			t.Errorf("token %d unverified: the list says %t", unverified, list.Unverified)
		}
		for i, token := range list.Tokens {
			if token.Unverified != (i == unverified-1) {
				t.Errorf("token %d unverified: %d is marked %t", unverified, i+1, token.Unverified)
			}
		}
		page := b.get("/tsa/account", append(me, "Accept", "text/html")...)
		if n := strings.Count(page.body, `tag warn">Unverified clock`); n != min(unverified, 1) {
			t.Errorf("token %d unverified: %d marks on the page", unverified, n)
		}
	}
}

// Exports are streamed; nobody gets one without credentials.
func TestStampExport(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := build(t, withDesk(d, StampPageOff), func(c *Config) { c.UnverifiedClock = true })
	b := w.browser()
	me := basic(deskUser, deskPassword)
	r := b.get("/tsa/account/tokens?format=csv", me...)
	if r.StatusCode != 200 || strings.Count(r.body, "csv line\n") != 10_000 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv") ||
		!strings.Contains(r.Header.Get("Content-Disposition"), "tokens.csv") {
		t.Errorf("%d %v, %d octets", r.StatusCode, r.Header, len(r.body))
	}
	if r := b.get("/tsa/account/tokens?format=zip", me...); r.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("zip: %v", r.Header)
	} else if _, err := zip.NewReader(strings.NewReader(r.body), int64(len(r.body))); err == nil {
		t.Error("the desk has learnt to zip: check more")
	}
	// A client that goes away in the middle leaves nothing behind that blocks.
	c := w.wire()
	c.send("GET /tsa/account/tokens?format=csv HTTP/1.1\r\nHost: x\r\n" + me[0] + ": " + me[1] + "\r\n\r\n")
	if _, err := c.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	_ = c.conn.Close()
	if r := b.get("/tsa/account", me...); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

func TestStampAbout(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPagePublic)).browser()
	page := b.get("/tsa")
	for _, want := range []string{"1.3.6.1.4.1.99999.1", "SHA-256, SHA-384, SHA-512", "/tsa/fast", "/tsa/units/tsu-1.crt", "/tsa/certificates.pem",
		"openssl ts -query", b.w.url + "/tsa", `href="/stamp"`, "Clock: verified"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page.body, "Unverified clock") {
		t.Error("a verified clock is called unverified")
	}
	d.verified = false
	if page := b.get("/tsa"); strings.Contains(page.body, "Clock: verified") {
		t.Error("an unverified clock is called verified")
	}
	d.verified, d.state = true, clock.StateStopped
	if page := b.get("/tsa"); !strings.Contains(page.body, "Clock: stopped") {
		t.Error("a stopped clock is not shown")
	}
	cert := b.get("/tsa/units/tsu-1.crt")
	if cert.body != string(d.tsu.Certificate.Raw) || cert.Header.Get("Content-Type") != mediaCertificate {
		t.Errorf("certificate: %d %v", cert.StatusCode, cert.Header)
	}
	if pem := b.get("/tsa/certificates.pem"); strings.Count(pem.body, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("certificates: %s", pem.body)
	}
	for _, path := range []string{"/tsa/units/tsu-2.crt", "/tsa/units/tsu-1", "/tsa/units/..%2f.crt"} {
		if r := b.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

// With an unverified clock every page says so, whoever looks at it.
func TestUnverifiedClock(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := build(t, withDesk(d, StampPageHolders), func(c *Config) { c.UnverifiedClock = true }).browser()
	for _, path := range []string{"/signin", "/tsa", "/nowhere", "/api/v1/docs"} {
		if r := b.get(path); !strings.Contains(r.body, "Unverified clock.") || !strings.Contains(r.body, "for demonstration only") {
			t.Errorf("%s does not say it", path)
		}
	}
	b.signIn("111111")
	for _, path := range []string{"/", "/stamp", "/history", "/certificates"} {
		if r := b.get(path); !strings.Contains(r.body, "Unverified clock.") {
			t.Errorf("%s does not say it", path)
		}
	}
	b.lang = "it"
	if r := b.get("/stamp"); !strings.Contains(r.body, "Orologio non verificato.") {
		t.Error("not in Italian")
	}
}

// The certificate of a TLS client reaches the accounts as it is.
func TestStampClientCertificate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	srv, err := New(Config{Signing: newRooms(t), Accounts: newRooms(t), Stamps: d, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, client := selfSigned(t, "localhost"), selfSigned(t, "customer")
	go func() {
		_ = srv.Serve(t.Context(), tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert}), nil)
	}()
	for _, own := range [][]tls.Certificate{nil, {client}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: own}}
		for range 2 { // the second one on the same connection
			res, err := (&http.Client{Transport: transport}).Post("https://"+ln.Addr().String()+"/tsa", mediaStampQuery, bytes.NewReader(stampQuery(t, 1)))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if want := map[bool]int{true: 200, false: 401}[own != nil]; res.StatusCode != want || res.Header.Get("Strict-Transport-Security") == "" {
				t.Errorf("certificate %t: %d %v", own != nil, res.StatusCode, res.Header)
			}
			if (own != nil) != (d.caller.Certificate != nil) || own != nil && d.caller.Certificate.Subject.CommonName != "customer" {
				t.Errorf("certificate %t: caller %+v", own != nil, d.caller)
			}
		}
		transport.CloseIdleConnections()
	}
}

func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// The operations are in the OpenAPI document with the credentials they need, and
// only where there is something behind them.
func TestStampOperations(t *testing.T) {
	t.Parallel()
	with := build(t, withDesk(newDesk(t), StampPageOff)).browser().get(apiOpenAPI).body
	without := build(t).browser().get(apiOpenAPI).body
	for path, id := range map[string]string{"/tsa/account": "getStampAccount", "/tsa/account/tokens": "listStampTokens",
		"/tsa/account/tokens/{unit}/{file}": "getStampToken"} {
		var doc struct {
			Paths map[string]map[string]struct {
				ID       string                `json:"operationId"`
				Security []map[string][]string `json:"security"`
			} `json:"paths"`
		}
		if err := json.Unmarshal([]byte(with), &doc); err != nil {
			t.Fatal(err)
		}
		if op := doc.Paths[path]["get"]; op.ID != id || len(op.Security) != 2 || op.Security[0][stampBasic] == nil || strings.Contains(without, id) {
			t.Errorf("%s: %+v", path, op)
		}
	}
}

// A unit that somebody retired has no period that is over.
func TestUnitState(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state tsa.UnitState
		to    time.Time
		want  string
	}{
		{tsa.UnitActive, now.Add(time.Hour), "active"}, {tsa.UnitExpired, now.Add(-time.Hour), "expired"},
		{tsa.UnitExpired, now.Add(time.Hour), "retired"}, {tsa.UnitStopped, now.Add(time.Hour), "stopped"},
	} {
		p := front.Publication{Units: []front.Unit{{UnitStatus: tsa.UnitStatus{Name: "tsu-1", State: c.state, To: c.to}}}}
		if got := newStampAbout(p, now).Units[0].State; got != c.want {
			t.Errorf("%s until %v: shown as %s", c.state, c.to, got)
		}
	}
}
