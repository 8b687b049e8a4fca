package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// `sigillo stamp`, typed, against the real authority in this process.
func TestStampScripts(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Abs(testdata)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/stamp",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"authority": stampAuthority(t), "exits": exits, "flip": flip},
		Setup: func(e *testscript.Env) error {
			e.Setenv("DOCS", docs)
			return nil
		},
	})
}

// memoryCounter keeps serial numbers for as long as a test lasts.
type memoryCounter struct {
	mu   sync.Mutex
	next int64
}

func (c *memoryCounter) Reserve(_ context.Context, _ string, n int64, _ time.Time) (int64, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.next + 1
	c.next += n
	return first, time.Time{}, nil
}

type machineClock struct{}

func (machineClock) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

var testPolicy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 7}

// stampAuthority starts a time-stamping authority: $TSA is its address, $TLS the
// same with a client certificate; other paths go wrong in a way each. The files are
// root.pem, root.crl, ca.pem, ca.crl, tsu.pem, tls.pem, client.pem, client.key.
func stampAuthority(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		p := cmstest.New(t)
		tsu := p.TSU(t, "p256")
		demoPolicy, err := parseOID(unverifiedPolicy)
		ts.Check(err)
		a, err := tsa.NewAuthority(tsa.Config{Clock: machineClock{}, Counter: &memoryCounter{},
			Policies: []tsa.Policy{{Name: "test", OID: testPolicy, Accuracy: time.Second, Series: "a"},
				{Name: "demo", OID: demoPolicy, Accuracy: time.Second, Series: "a"}}})
		ts.Check(err)
		ts.Check(a.Add(tsa.UnitConfig{Name: "tsu-1", Number: 1, Series: "a", Signer: tsu.Key, Certificate: tsu.Certificate, Chain: tsu.Chain}))
		handler := handleStamps(a)
		plain := httptest.NewServer(handler)
		ts.Defer(plain.Close)
		secure := httptest.NewUnstartedServer(handler)
		clients := x509.NewCertPool()
		clients.AddCert(p.Root)
		secure.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
		secure.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
		secure.StartTLS()
		ts.Defer(secure.Close)
		ts.Setenv("HTTP", plain.URL)
		ts.Setenv("TSA", plain.URL+"/tsa")
		ts.Setenv("TLS", secure.URL+"/tsa")

		now := time.Now().Truncate(time.Second)
		client := p.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature,
			Subject: pkix.Name{CommonName: "Cliente"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		key, err := x509.MarshalPKCS8PrivateKey(client.Key)
		ts.Check(err)
		signer := p.Signer(t, "p256")
		signerKey, err := x509.MarshalPKCS8PrivateKey(signer.Key)
		ts.Check(err)
		for name, data := range map[string][]byte{
			"root.pem": cmstest.PEM(p.Root), "ca.pem": cmstest.PEM(p.CA), "tsu.pem": cmstest.PEM(tsu.Certificate),
			"root.crl": p.CRL(t, p.CA, now, now.Add(time.Hour)), "ca.crl": p.CRL(t, tsu.Certificate, now, now.Add(time.Hour)),
			"tls.pem": cmstest.PEM(secure.Certificate()), "client.pem": cmstest.PEM(client.Certificate, p.CA),
			"client.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
			"signer.pem": cmstest.PEM(signer.Certificate), "signer.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: signerKey}),
		} {
			ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600))
		}
	}
}

// handleStamps answers rightly under /tsa, /basic and /bearer, and wrongly elsewhere.
func handleStamps(a *tsa.Authority) http.Handler {
	mux := http.NewServeMux()
	answer := func(path string, change func(w http.ResponseWriter, r *http.Request, req *cms.TimestampRequest) bool, after func([]byte) []byte) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			req, refusal := cms.ParseTimestampRequest(body)
			if refusal != nil {
				_, _ = w.Write(cms.MarshalRefusal(*refusal))
				return
			}
			if change != nil && !change(w, r, req) {
				return
			}
			if change != nil {
				body, _ = req.Marshal()
			}
			out := a.Respond(r.Context(), body)
			if after != nil {
				out = after(out)
			}
			_, _ = w.Write(out)
		})
	}
	pass := func(ok func(*http.Request) bool) func(http.ResponseWriter, *http.Request, *cms.TimestampRequest) bool {
		return func(w http.ResponseWriter, r *http.Request, _ *cms.TimestampRequest) bool {
			if !ok(r) {
				w.WriteHeader(http.StatusUnauthorized)
			}
			return ok(r)
		}
	}
	answer("/tsa", nil, nil)
	answer("/basic", pass(func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == "ada" && password == "mare calmo"
	}), nil)
	answer("/bearer", pass(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer gettone-1" }), nil)
	changed := func(f func(*cms.TimestampRequest)) func(http.ResponseWriter, *http.Request, *cms.TimestampRequest) bool {
		return func(_ http.ResponseWriter, _ *http.Request, r *cms.TimestampRequest) bool { f(r); return true }
	}
	answer("/nonce", changed(func(r *cms.TimestampRequest) { r.Nonce, r.NonceRaw = big.NewInt(7), nil }), nil)
	answer("/no-nonce", changed(func(r *cms.TimestampRequest) { r.Nonce, r.NonceRaw = nil, nil }), nil)
	answer("/imprint", changed(func(r *cms.TimestampRequest) { r.Imprint[0] ^= 1 }), nil)
	answer("/policy", changed(func(r *cms.TimestampRequest) { r.Policy = nil }), nil)
	answer("/signature", nil, func(b []byte) []byte { b = slices.Clone(b); b[len(b)-1] ^= 1; return b })
	answer("/refuse", nil, func([]byte) []byte {
		return cms.MarshalRefusal(cms.Refusal{FailureInfo: cms.TimeNotAvailable, Text: "orologio \x1b[31mfermo"})
	})
	answer("/html", nil, func([]byte) []byte { return []byte("<html>benvenuti</html>") })
	answer("/huge", nil, func(b []byte) []byte { return append(b, make([]byte, maxAnswer)...) })
	mux.Handle("/elsewhere", http.RedirectHandler("/tsa", http.StatusTemporaryRedirect))
	return mux
}
