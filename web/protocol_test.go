package web

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestOCSPEndpoint(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	request := string([]byte{0xfb, 0xef, 0xff, 0x00, 0xfb, 0xff, 0x01}) // base64 with + and /
	r := b.do("POST", "/ocsp/issuing-ca", mediaOCSPRequest, strings.NewReader(request))
	if r.StatusCode != 200 || r.body != "ocsp:issuing-ca:"+request || r.Header.Get("Content-Type") != mediaOCSPResponse {
		t.Errorf("POST: %d %q", r.StatusCode, r.body)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(request))
	if !strings.ContainsAny(encoded, "+/") {
		t.Fatal("the request should need escaping")
	}
	for _, path := range []string{url.PathEscape(encoded), url.QueryEscape(encoded), encoded, strings.TrimRight(encoded, "=")} {
		r := b.get("/ocsp/issuing-ca/" + path)
		if r.StatusCode != 200 || r.body != "ocsp:issuing-ca:"+request {
			t.Errorf("GET %s: %d %q", path, r.StatusCode, r.body)
		}
	}
	for path, status := range map[string]int{"/ocsp/issuing-ca/%25%25": 400, "/ocsp/issuing-ca/not*base64": 400, "/ocsp/BAD_LABEL/AAAA": 404} {
		if r := b.get(path); r.StatusCode != status {
			t.Errorf("GET %s: %d", path, r.StatusCode)
		}
	}
	if r := b.do("POST", "/ocsp/issuing-ca", "text/plain", strings.NewReader("x")); r.StatusCode != 415 {
		t.Errorf("wrong type: %d", r.StatusCode)
	}
	if r := b.do("POST", "/ocsp/issuing-ca", mediaOCSPRequest, zeros(ocspLimit+1)); r.StatusCode != 413 {
		t.Errorf("over: %d", r.StatusCode)
	}
}

func TestPublishedFiles(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	crl := b.get("/crl/issuing-ca.crl")
	if crl.StatusCode != 200 || crl.body != string(w.pub.crl) || crl.Header.Get("Content-Type") != mediaCRL ||
		crl.Header.Get("Cache-Control") != "public, max-age=300" || crl.Header.Get("Expires") == "" || crl.Header.Get("Last-Modified") == "" {
		t.Errorf("CRL: %d %v", crl.StatusCode, crl.Header)
	}
	again := b.get("/crl/issuing-ca.crl", "If-None-Match", crl.Header.Get("ETag"))
	if again.StatusCode != 304 || again.body != "" {
		t.Errorf("unchanged CRL: %d", again.StatusCode)
	}
	cert := b.get("/certs/issuing-ca.crt")
	if cert.StatusCode != 200 || cert.body != string(w.pub.cert) || cert.Header.Get("Content-Type") != mediaCertificate {
		t.Errorf("certificate: %d %v", cert.StatusCode, cert.Header)
	}
	for _, path := range []string{"/crl/other.crl", "/crl/issuing-ca", "/certs/other.crt", "/certs/issuing-ca.crl", "/crl/..%2f.crl"} {
		if r := b.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	if r := b.get("/healthz"); r.StatusCode != 200 || r.body != `{"status":"ok"}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	w.pub.sick = errors.New("the token is gone")
	if r := b.get("/healthz"); r.StatusCode != 503 || strings.Contains(r.body, "token") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	b.get("/documents/a")
	b.get("/documents/b")
	b.get("/made-up/1")
	b.get("/made-up/2")
	m := b.get("/metrics").body
	for _, want := range []string{
		`sigillo_http_request_seconds_count{method="GET",route="/healthz",status="503"} 1`,
		`sigillo_http_request_seconds_count{method="GET",route="/documents/:id",status="303"} 2`,
		`sigillo_http_request_seconds_count{method="GET",route="(none)",status="404"} 2`,
		"# TYPE sigillo_signatures_total counter",
	} {
		if !strings.Contains(m, want) {
			t.Errorf("%s is missing in\n%s", want, m)
		}
	}
}

// TestDoorsThatAreNotThere: without the room behind it a door does not exist.
func TestDoorsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := build(t, func(c *Config) { c.Status, c.Health = nil, nil })
	b := w.browser()
	if r := b.do("POST", "/tsa", mediaStampQuery, strings.NewReader("x")); r.StatusCode != 404 {
		t.Errorf("/tsa: %d", r.StatusCode)
	}
	if r := b.get("/crl/issuing-ca.crl"); r.StatusCode != 404 {
		t.Errorf("/crl: %d", r.StatusCode)
	}
	if r := b.get("/healthz"); r.StatusCode != 200 {
		t.Errorf("/healthz: %d", r.StatusCode)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a server without rooms")
	}
}
