package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/appliance"
	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/web"
)

// cardHouse is an appliance behind TLS, with a listener for cards of an invented
// authority.
type cardHouse struct {
	*house
	pki     *cmstest.PKI
	list    atomic.Pointer[[]byte] // what the authority publishes; nil: its server is down
	listURL string
	cards   string
}

func newCardHouse(t *testing.T) *cardHouse {
	t.Helper()
	h := &cardHouse{pki: cmstest.New(t)}
	dir := newFolder(t)
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if der := h.list.Load(); der != nil {
			_, _ = w.Write(*der)
			return
		}
		http.Error(w, "down", http.StatusServiceUnavailable)
	}))
	t.Cleanup(publisher.Close)
	h.listURL = publisher.URL + "/ca.crl"
	server := h.pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "server"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature})
	cert, key := pemFiles(t, server)
	if err := os.WriteFile(filepath.Join(dir, "cards.pem"), cmstest.PEM(h.pki.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	plain, doors := listenHere(t), listenHere(t)
	h.cards = "https://" + doors.Addr().String()
	cfg.TLSCertificate, cfg.TLSKey, cfg.BaseURL = cert, key, "https://"+plain.Addr().String()
	cfg.Cards = appliance.Cards{Listen: "127.0.0.1:0", URL: h.cards, Authorities: "cards.pem"}
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	a, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	face := webConfig(a)
	face.Log = quiet()
	srv, err := web.New(face)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := tlsListener(plain, cert, key, false)
	if err != nil {
		t.Fatal(err)
	}
	cards, err := cardListener(doors, cert, key, a.CardAuthorities)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ctx, pages, cards) }()
	t.Cleanup(func() { cancel(); <-served })
	h.house = &house{Appliance: a, url: "https://" + plain.Addr().String()}
	return h
}

func listenHere(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// publish has the authority publish a list that revokes these.
func (h *cardHouse) publish(t *testing.T, revoked ...*x509.Certificate) {
	t.Helper()
	var entries []cmstest.Revoked
	for _, c := range revoked {
		entries = append(entries, cmstest.Revoked{Certificate: c, At: time.Now().Add(-time.Minute), Reason: 1})
	}
	der := h.pki.CRL(t, &x509.Certificate{}, time.Now().Add(-time.Minute), time.Now().Add(time.Hour), entries...)
	h.list.Store(&der)
}

func (h *cardHouse) card(t *testing.T, change func(*x509.Certificate)) *cmstest.Identity {
	tmpl := &x509.Certificate{Subject: pkix.Name{CommonName: demoPeople[0].FiscalCode + "/7420000000000001.aBcD=", Country: []string{"IT"}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CRLDistributionPoints: []string{h.listURL}}
	if change != nil {
		change(tmpl)
	}
	return h.pki.Identity(t, cmstest.Key(t, "p256"), tmpl)
}

// visitor is a browser with a card in its reader, or none.
func (h *cardHouse) visitor(t *testing.T, card *cmstest.Identity) visitor {
	roots := x509.NewCertPool()
	roots.AddCert(h.pki.CA)
	cfg := &tls.Config{RootCAs: roots}
	if card != nil { // whatever the server names as acceptable: a browser that does not care
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{card.Certificate.Raw}, PrivateKey: card.Key}, nil
		}
	}
	return newVisitor(t, &http.Transport{TLSClientConfig: cfg})
}

// TestCardSignIn: a holder's card opens a session that says so; to sign, password and
// code are asked for as always.
func TestCardSignIn(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	c := h.holder(t, hsm.P256)
	h.publish(t)
	v := h.visitor(t, h.card(t, nil))
	status, at, page := v.read(v.Get(h.url + "/signin?next=/history"))
	link := regexp.MustCompile(`href="(` + regexp.QuoteMeta(h.cards) + `/signin/card[^"]*)"`).FindStringSubmatch(page)
	if status != 200 || link == nil {
		t.Fatalf("%d at %s: no way for cards on the page", status, at)
	}
	status, at, page = v.read(v.Get(link[1]))
	if got := v.policy(link[1]); !strings.Contains(got, "form-action 'self' "+h.url) { // else browsers stop on the way to the pages
		t.Errorf("the form may not lead to the pages: %s", got)
	}
	token := formToken.FindStringSubmatch(page)
	if status != 200 || token == nil || !strings.Contains(page, "Ada Esempio") || !strings.Contains(page, demoPeople[0].FiscalCode) {
		t.Fatalf("%d at %s: %s", status, at, page)
	}
	if status, _, _ := v.read(v.PostForm(h.cards+"/signin/card", url.Values{"next": {"/history"}})); status != 403 {
		t.Errorf("a form without its token: %d", status)
	}
	status, at, page = v.read(v.PostForm(h.cards+"/signin/card", url.Values{"token": token[1:], "next": {"/history"}}))
	if status != 200 || at != h.url+"/history" || !strings.Contains(page, "Ada") {
		t.Fatalf("%d at %s", status, at)
	}
	if !h.journalled(t, "holder.card-recognised", "", "") || !h.journalled(t, "holder.signed-in", "methods", "sc") {
		t.Error("the journal does not say that it was a card")
	}
	if _, _, page = v.read(v.Get(h.url + "/security/sessions")); !strings.Contains(page, "Carta") && !strings.Contains(page, "Card") {
		t.Error("the session does not say that it was a card")
	}
	// The session opens, and signs nothing.
	if _, err := h.Signing.Sign(t.Context(), h.holderID(t, c), "t", signing.Evidence{Client: "test"}); err == nil {
		t.Error("signed without factors")
	}
	// Only the one page is on that door, and on no other.
	for path, want := range map[string]string{"/": h.url + "/", "/history": h.url + "/history", "/signin": h.url + "/signin"} {
		if status, at, _ := v.read(v.Get(h.cards + path)); status != 200 || !strings.HasPrefix(at, want) {
			t.Errorf("%s on the door for cards: %d at %s", path, status, at)
		}
	}
	for _, path := range []string{"/api/v1/openapi.json", "/healthz", "/metrics"} {
		if status, _, _ := v.read(v.Get(h.cards + path)); status != 404 {
			t.Errorf("%s on the door for cards: %d", path, status)
		}
	}
	if status, at, _ := v.read(v.Get(h.url + "/signin/card")); !strings.HasPrefix(at, h.cards+"/signin/card") || status != 200 {
		t.Errorf("%d at %s", status, at)
	}
	if status, _, _ := v.read(v.PostForm(h.url+"/signin/card", url.Values{})); status != 404 {
		t.Errorf("a card's form on the other door: %d", status)
	}
}

// TestCardRefused: what is wrong with a card is said on a page, and no session begins.
func TestCardRefused(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	h.holder(t, hsm.P256)
	stolen, ended := h.card(t, nil), h.card(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	h.publish(t, stolen.Certificate)
	elsewhere := cmstest.New(t)
	other := elsewhere.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: demoPeople[0].FiscalCode + "/1.2"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CRLDistributionPoints: []string{h.listURL}})
	for name, c := range map[string]struct {
		card *cmstest.Identity
		kind string
		code int
	}{
		"no card": {nil, "card-missing", 403}, "stolen": {stolen, "card-over", 403}, "expired": {ended, "card-over", 403},
		"another authority": {other, "card-refused", 403},
		"for signing":       {h.card(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil }), "card-refused", 403},
		"of nobody":         {h.card(t, func(c *x509.Certificate) { c.Subject.CommonName = demoPeople[1].FiscalCode + "/1.2" }), "card-unknown", 403},
		"a serialNumber of nobody": {h.card(t, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Ada Esempio", SerialNumber: "TINIT-" + demoPeople[1].FiscalCode}
		}), "card-unknown", 403},
		"of two persons": {h.card(t, func(c *x509.Certificate) { c.Subject.SerialNumber = "TINIT-" + demoPeople[1].FiscalCode }), "card-unknown", 403},
		"in an odd place": {h.card(t, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "x/" + demoPeople[0].FiscalCode, Organization: []string{demoPeople[0].FiscalCode + "/1"}}
		}), "card-unknown", 403},
		"nowhere to ask": {h.card(t, func(c *x509.Certificate) { c.CRLDistributionPoints = nil }), "card-unverifiable", 503},
	} {
		v := h.visitor(t, c.card)
		title := errorTitle(t, c.kind)
		status, _, page := v.read(v.Get(h.cards + "/signin/card"))
		if status != c.code || !strings.Contains(page, title) || strings.Contains(page, `action="/signin/card"`) {
			t.Errorf("%s: %d, %s", name, status, page)
		}
		// A form that was made for another card does not help.
		good := h.visitor(t, h.card(t, nil))
		good.Jar = v.Jar
		_, _, page = good.read(good.Get(h.cards + "/signin/card"))
		token := formToken.FindStringSubmatch(page)
		if token == nil {
			t.Fatalf("%s: no form for a good card: %s", name, page)
		}
		if status, at, _ := v.read(v.PostForm(h.cards+"/signin/card", url.Values{"token": token[1:]})); status != c.code || !strings.HasPrefix(at, h.cards) {
			t.Errorf("%s, with the form: %d at %s", name, status, at)
		}
	}
	if h.journalled(t, "holder.signed-in", "methods", "sc") {
		t.Error("a session began")
	}
}

// TestCardProfiles: the codice fiscale may be in serialNumber too (EN 319 412-1 §5.1.3).
func TestCardProfiles(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	h.holder(t, hsm.P256)
	h.publish(t)
	for _, serial := range []string{"TINIT-", "IT:"} {
		v := h.visitor(t, h.card(t, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Ada Esempio", SerialNumber: serial + demoPeople[0].FiscalCode}
		}))
		if status, at, page := v.read(v.Get(h.cards + "/signin/card")); status != 200 || formToken.FindString(page) == "" {
			t.Errorf("%s: %d at %s: %s", serial, status, at, page)
		}
	}
}

// TestCardHeaders: what headers say about a certificate is not believed, on either door.
func TestCardHeaders(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	h.holder(t, hsm.P256)
	h.publish(t)
	card := h.card(t, nil)
	pem := url.QueryEscape(string(cmstest.PEM(card.Certificate)))
	b64 := base64.StdEncoding.EncodeToString(card.Certificate.Raw)
	forged := http.Header{"X-Ssl-Client-Cert": {pem}, "X-Client-Cert": {pem}, "Ssl_client_cert": {pem}, "X-Forwarded-Client-Cert": {`Cert="` + pem + `"`},
		"X-Arr-Clientcert": {b64}, "Client-Cert": {":" + b64 + ":"}, "X-Ssl-Client-Verify": {"SUCCESS"}, "X-Ssl-Client-S-Dn": {card.Certificate.Subject.String()},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"127.0.0.1"}}
	for what, card := range map[string]*cmstest.Identity{"without a card": nil,
		"with a card of nobody": h.card(t, func(c *x509.Certificate) { c.Subject.CommonName = demoPeople[1].FiscalCode + "/1.2" })} {
		v := h.visitor(t, card)
		for _, door := range []string{h.cards, h.url} {
			req, err := http.NewRequest(http.MethodGet, door+"/signin/card", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = forged.Clone()
			if status, at, page := v.read(v.Do(req)); status != 403 || strings.Contains(page, demoPeople[0].FiscalCode) || formToken.MatchString(page) && strings.Contains(page, `action="/signin/card"`) {
				t.Errorf("%s at %s: %d at %s", what, door, status, at)
			}
		}
	}
	if h.journalled(t, "holder.card-recognised", "", "") {
		t.Error("a card was recognised")
	}
}

// errorTitle is how the page calls an error, in Italian or English as it happens.
func errorTitle(t *testing.T, kind string) string {
	t.Helper()
	b, err := os.ReadFile("../../web/locale/it.toml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\[error\.` + kind + `\]\ntitle = "([^"]*)"`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no text for %s", kind)
	}
	return string(m[1])
}
