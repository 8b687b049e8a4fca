package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/web"
	"sigillo/web/csc"
)

// cscScenarios are the black-box suite of the CSC API; see its README.txt for the
// language.
const cscScenarios = "../../testdata/csc"

// gate knows tokens as an OAuth server does: of scope service, and of scope credential,
// which are grants.
type gate struct {
	mu sync.Mutex
	by map[string]csc.Access
}

func (g *gate) Access(_ context.Context, bearer string, _ *x509.Certificate) (csc.Access, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.by[bearer]
	if !ok {
		return a, errors.New("no such token")
	}
	return a, nil
}

const testApplication = "app-1"

// service gives a token of scope service, as after the holder's consent.
func (g *gate) service(holder string) string {
	token := rand.Text()
	g.put(token, csc.Access{Holder: holder, Application: testApplication, Scope: csc.ScopeService})
	return token
}

func (g *gate) put(token string, a csc.Access) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.by[token] = a
}

// cscHouse is a running appliance whose CSC face knows the tokens of a gate.
type cscHouse struct {
	*house
	gate *gate
}

func newCSCHouse(t testing.TB) *cscHouse {
	t.Helper()
	a, err := appliance.Open(t.Context(), newFolder(t), appliance.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &cscHouse{gate: &gate{by: map[string]csc.Access{}}, house: &house{Appliance: a, url: "http://" + ln.Addr().String()}}
	config := cscConfig(a, nil)
	config.BaseURL, config.Gate, config.OAuth = h.url, h.gate, csc.OAuth{Base: h.url, RAR: true, Client: true}
	config.Log = quiet()
	front, err := csc.New(config)
	if err != nil {
		t.Fatal(err)
	}
	face := webConfig(a)
	face.Log, face.CSC = quiet(), front
	srv, err := web.New(face)
	if err != nil {
		t.Fatal(err)
	}
	serving, end := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.Serve(serving, ln)
	}()
	t.Cleanup(func() {
		end()
		<-served
		a.Close()
	})
	return h
}

// grant has the holder authorise hashes and gives the token of scope credential, as
// our own page does.
func (h *cscHouse) grant(t testing.TB, c *client, holder string, o remote.Order) string {
	t.Helper()
	o.Application = testApplication
	g, err := h.Remote.Authorise(t.Context(), holder, o, signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(t), Client: "the page"})
	if err != nil {
		t.Fatal(err)
	}
	h.gate.put(g.Handle, csc.Access{Holder: holder, Application: testApplication, Scope: csc.ScopeCredential, Handle: g.Handle, Expires: g.Expires})
	return g.Handle
}

// cscHolder registers an invented holder whose credential signs most digests at once.
func (h *cscHouse) cscHolder(t testing.TB, kt hsm.KeyType, most int) *client {
	t.Helper()
	n := demoPeople[0]
	n.Username, n.KeyType, n.MaxDigests = "csc-"+strings.ToLower(rand.Text()[:8]), kt, most
	d, err := addDemoHolder(t.Context(), h.Appliance, n)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(h.url, d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The CSC API from outside: every method, parameter and error, and what real clients
// send, against a real appliance.
func TestCSC(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(cscScenarios, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	h := newCSCHouse(t)
	for _, f := range files {
		if filepath.Base(f) == "README.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{t: t, h: h, vars: map[string]string{}}
			s.run(string(text))
		})
	}
}

// testDigest is the SHA-256 that scenarios call h followed by n.
func testDigest(n string) []byte {
	d := sha256.Sum256([]byte("document " + n))
	return d[:]
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func testOrder(credential string, names ...string) remote.Order {
	o := remote.Order{Credential: credential, Hash: crypto.SHA256}
	for _, n := range names {
		o.Digests = append(o.Digests, testDigest(strings.TrimPrefix(n, "h")))
	}
	return o
}
