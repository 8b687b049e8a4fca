package fetch

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// site serves what a certificate authority publishes.
func site(t *testing.T, p *cmstest.PKI, leaf, tsu *cmstest.Identity) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	now := time.Now()
	var asked atomic.Int32
	mux := http.NewServeMux()
	give := func(path string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); _, _ = w.Write(body) })
	}
	crl := p.CRL(t, leaf.Certificate, now, now.Add(time.Hour))
	give("/list.crl", crl)
	give("/list.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}))
	give("/page.html", []byte("<html>not found</html>"))
	give("/huge.crl", append([]byte{0x30}, make([]byte, maxList)...))
	give("/ca.crt", p.CA.Raw)
	give("/ca.pem", cmstest.PEM(p.CA))
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/list.crl", http.StatusFound) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/ocsp", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req, err := ocsp.ParseRequest(body)
		if err != nil || req.SerialNumber.Cmp(leaf.Certificate.SerialNumber) != 0 || r.Header.Get("Content-Type") != "application/ocsp-request" {
			http.Error(w, "no request", http.StatusBadRequest)
			return
		}
		_, _ = w.Write(p.OCSP(t, leaf.Certificate, now, now.Add(time.Hour), cmstest.Revoked{}))
	})
	give("/ocsp-refuses", ocsp.TryLaterErrorResponse)
	mux.HandleFunc("/tsa", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req, refusal := cms.ParseTimestampRequest(body)
		if refusal != nil {
			t.Error(refusal)
		}
		info := &cms.TSTInfo{Policy: []int{1, 2, 3}, Hash: req.Hash, Imprint: req.Imprint, SerialNumber: leaf.Certificate.SerialNumber,
			GenTime: now, Nonce: req.Nonce}
		prepared, err := cms.PrepareToken(info, tsu.Options(crypto.SHA256))
		if err != nil {
			t.Error(err)
		}
		token, err := prepared.Assemble(tsu.Sign(t, prepared), nil)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(cms.MarshalResponse(token))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv, &asked
}

func TestClient(t *testing.T) {
	t.Parallel()
	p := cmstest.New(t)
	leaf, tsu := p.Signer(t, "p256"), p.TSU(t, "p256")
	srv, asked := site(t, p, leaf, tsu)
	at := func(paths ...string) (urls []string) {
		for _, path := range paths {
			urls = append(urls, strings.Replace(path, "~", srv.URL, 1))
		}
		return urls
	}
	c := New(10*time.Second, time.Now)
	ctx := t.Context()

	for _, tt := range []struct {
		urls []string
		want int // lists
		kind Kind
	}{
		{at("~/list.crl"), 1, ""},
		{at("~/list.pem", "~/page.html"), 1, ""},
		{at("~/page.html", "~/moved"), 1, ""},
		{nil, 0, ""},
		{at("~/page.html"), 0, BadAnswer},
		{at("~/missing"), 0, BadAnswer},
		{at("~/huge.crl"), 0, BadAnswer},
		{at("~/round"), 0, Unreachable},
		{at("~/file"), 0, Forbidden},
		{at("ldap://directory.example/cn=ca"), 0, Forbidden},
		{at("http://user:secret@127.0.0.1/"), 0, Forbidden},
		{at("http://127.0.0.1:1/list.crl"), 0, Unreachable},
	} {
		lists, err := c.CRLs(ctx, &x509.Certificate{CRLDistributionPoints: tt.urls})
		if len(lists) != tt.want || KindOf(err) != tt.kind {
			t.Errorf("%v: %d lists, %v", tt.urls, len(lists), err)
		}
		for _, der := range lists {
			if _, err := x509.ParseRevocationList(der); err != nil {
				t.Errorf("%v: %v", tt.urls, err)
			}
		}
	}
	before := asked.Load()
	if _, err := c.CRLs(ctx, &x509.Certificate{CRLDistributionPoints: at("~/list.crl")}); err != nil || asked.Load() != before {
		t.Errorf("asked again: %v", err)
	}

	cert := *leaf.Certificate
	cert.OCSPServer = at("~/ocsp-refuses", "~/ocsp")
	answers, err := c.OCSP(ctx, &cert, p.CA)
	if err != nil || len(answers) != 1 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	if r, err := ocsp.ParseResponseForCert(answers[0], &cert, p.CA); err != nil || r.Status != ocsp.Good {
		t.Errorf("%+v %v", r, err)
	}
	cert.OCSPServer = at("~/ocsp-refuses")
	if _, err := c.OCSP(ctx, &cert, p.CA); KindOf(err) != BadAnswer {
		t.Errorf("a refusal: %v", err)
	}

	digest := sha256.Sum256([]byte("document"))
	der, err := c.Stamp(ctx, srv.URL+"/tsa", crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if token, err := cms.ParseToken(der); err != nil || !bytes.Equal(token.Info.Imprint, digest[:]) {
		t.Errorf("%v", err)
	}
	if _, err := c.Stamp(ctx, srv.URL+"/page.html", crypto.SHA256, digest[:]); KindOf(err) != BadAnswer {
		t.Errorf("a page: %v", err)
	}
}

// The addresses of issuers come from certificates nobody vouches for.
func TestIssuers(t *testing.T) {
	t.Parallel()
	p := cmstest.New(t)
	leaf := p.Signer(t, "p256")
	srv, asked := site(t, p, leaf, leaf)
	c := New(10*time.Second, time.Now)
	cert := &x509.Certificate{IssuingCertificateURL: []string{srv.URL + "/ca.crt"}}
	if _, err := c.Issuers(t.Context(), cert); KindOf(err) != Forbidden || asked.Load() != 0 {
		t.Errorf("our own network was asked: %v", err)
	}
	c = New(10*time.Second, time.Now)
	c.open = c.vouched // as if the site were public
	for _, path := range []string{"/ca.crt", "/ca.pem"} {
		got, err := c.Issuers(t.Context(), &x509.Certificate{IssuingCertificateURL: []string{srv.URL + path}})
		if err != nil || len(got) != 1 || !got[0].Equal(p.CA) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := c.Issuers(t.Context(), &x509.Certificate{IssuingCertificateURL: []string{srv.URL + "/page.html"}}); KindOf(err) != BadAnswer {
		t.Errorf("a page: %v", err)
	}
}

func TestCancelledIsNotRemembered(t *testing.T) {
	t.Parallel()
	p := cmstest.New(t)
	leaf := p.Signer(t, "p256")
	srv, _ := site(t, p, leaf, leaf)
	c := New(10*time.Second, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cert := &x509.Certificate{CRLDistributionPoints: []string{srv.URL + "/list.crl"}}
	if _, err := c.CRLs(ctx, cert); err == nil {
		t.Error("a cancelled request gave a list")
	}
	if lists, err := c.CRLs(t.Context(), cert); len(lists) != 1 {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.1": false, "::1": false,
		"fd00::1": false, "fe80::1": false, "::127.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "255.255.255.255": false,
	} {
		if got := publicAddress(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("%s is public: %v", address, got)
		}
	}
	if c := New(time.Second, time.Now); c.open.Transport.(*http.Transport).Proxy != nil {
		t.Error("addresses that nobody vouches for go through a proxy, which may lead anywhere")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := New(time.Second, time.Now)
	for i := range 40 {
		c.keep(strconv.Itoa(i%30), make([]byte, 10<<20), nil)
		sum := 0
		for _, a := range c.known {
			sum += len(a.body)
		}
		if sum > maxHeld || sum != c.held {
			t.Fatalf("%d bytes are held, counted as %d", sum, c.held)
		}
	}
	if len(c.known) == 0 {
		t.Error("nothing is remembered")
	}
}
