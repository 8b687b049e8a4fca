package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
	gate    *gate
	gateway *gateway // of newPhoneHouse
}

// newCSCHouse starts one; adapt changes its configuration before.
func newCSCHouse(t testing.TB, adapt ...func(*appliance.Config, net.Listener)) *cscHouse {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseURL = "http://" + ln.Addr().String()
	for _, change := range adapt {
		change(&cfg, ln)
	}
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	a, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	h := &cscHouse{gate: &gate{by: map[string]csc.Access{}}, house: &house{Appliance: a, url: cfg.BaseURL}}
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
		srv.Serve(serving, ln, nil)
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
	h := newPhoneHouse(t)
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

// However many requests use one SAD at once, in whatever shares, each hash is signed
// as often as it was authorised.
func TestCSCParallelSAD(t *testing.T) {
	t.Parallel()
	h := newCSCHouse(t)
	c := h.cscHolder(t, hsm.P256, 50)
	names := []string{"h1", "h2", "h3", "h4", "h5", "h5"}
	token := h.grant(t, c, h.holderID(t, c), testOrder(c.holder.Credential, names...))
	var signed atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		hashes := []string{b64(testDigest(names[i%6][1:]))}
		if i%4 == 0 { // two at once: both or none
			hashes = append(hashes, b64(testDigest(names[(i+1)%6][1:])))
		}
		wg.Go(func() {
			body, _ := json.Marshal(map[string]any{"credentialID": c.holder.Credential, "signAlgo": "1.2.840.10045.4.3.2", "hashes": hashes})
			req, _ := http.NewRequest(http.MethodPost, h.url+"/csc/v2/signatures/signHash", bytes.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			var out struct {
				Signatures []string `json:"signatures"`
			}
			if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode >= 500 {
				t.Errorf("%s: %v", res.Status, err)
			}
			if len(out.Signatures) != 0 && len(out.Signatures) != len(hashes) {
				t.Errorf("%d signatures over %d hashes", len(out.Signatures), len(hashes))
			}
			signed.Add(int32(len(out.Signatures)))
		})
	}
	wg.Wait()
	if n := signed.Load(); n > int32(len(names)) || n < 4 {
		t.Errorf("%d signatures came out of a SAD over %d hashes", n, len(names))
	}
}

// A vault that is killed between authorisation and signature does not lose the grant,
// and signs nothing twice.
func TestCSCVaultKilled(t *testing.T) {
	t.Parallel()
	h := newCSCHouse(t)
	c := h.cscHolder(t, hsm.P256, 50)
	holder := h.holderID(t, c)
	token := h.grant(t, c, holder, testOrder(c.holder.Credential, "h1", "h2"))
	pid := h.VaultPID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	sign := func(name string) error {
		_, err := h.Remote.Sign(t.Context(), holder, testApplication, token,
			remote.Activation{Credential: c.holder.Credential, Hash: crypto.SHA256, Digests: [][]byte{testDigest(name)}, Scheme: remote.ECDSA})
		return err
	}
	for try := 0; ; try++ { // until the supervisor has started it again
		err := sign("1")
		if err == nil {
			break
		}
		if signing.KindOf(err) != signing.KeyUnavailable || try > 100 {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := sign("1"); signing.KindOf(err) != remote.Unauthorised {
		t.Errorf("signed twice: %v", err)
	}
	if err := sign("2"); err != nil {
		t.Error(err)
	}
}
