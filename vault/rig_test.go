package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
	"sigillo/store"
)

const goodPassword = "il gatto suona il flauto"

// fastArgon makes tests quick; that the default is used otherwise is tested.
var fastArgon = auth.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}

// handClock is a clock that stands still unless it is moved. With a file it can be
// read by another process.
type handClock struct {
	mu   sync.Mutex
	t    time.Time
	file string
}

func newClock() *handClock { return &handClock{t: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	if c.file != "" {
		os.WriteFile(c.file+".new", []byte(c.t.Format(time.RFC3339)), 0o600)
		os.Rename(c.file+".new", c.file)
	}
}

// rig is a vault in this process, over a real SoftHSM token, and its client.
type rig struct {
	t     testing.TB
	cfg   Config
	clock *handClock
	c     *Client
	fault func(string)
	stop  func() error
}

// newRig starts a vault. It stops when the test ends.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, clock: newClock(), fault: func(string) {}}
	r.cfg = newConfig(t)
	r.cfg.Now = r.clock.now
	r.c = Dial(r.cfg.Socket)
	t.Cleanup(func() { r.c.Close() })
	r.start()
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the vault ended with %v", err)
		}
	})
	return r
}

// newConfig makes a fresh token and the files of a vault.
func newConfig(t testing.TB) Config {
	t.Helper()
	tok := hsmtest.Token(t)
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pin := filepath.Join(dir, "pin")
	if err := os.WriteFile(pin, append(tok.PIN, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{Socket: filepath.Join(dir, "sock"), StateDB: filepath.Join(dir, "vault.db"), Module: tok.Module,
		Token: tok.Token, PINFile: pin, Node: "node-1", Provision: true, Argon: fastArgon}
}

// start runs the vault; stop ends it and returns what serve did.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- serve(ctx, r.cfg, func() { close(ready) }, func(s string) { r.fault(s) }) }()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		r.t.Fatalf("the vault did not start: %v", err)
	case <-time.After(30 * time.Second):
		r.t.Fatal("the vault did not start in time")
	}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
}

func (r *rig) restart() {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Fatal(err)
	}
	r.start()
}

// db opens the vault's state as an attacker with the file would. The vault may
// be running.
func (r *rig) db() *store.DB {
	r.t.Helper()
	db, err := store.Open(context.Background(), r.cfg.StateDB, "vault")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	return db
}

// events counts the entries of the vault's journal by their name.
func (r *rig) events() map[string]int {
	r.t.Helper()
	n := map[string]int{}
	err := r.db().Read(context.Background(), func(tx *store.Tx) error {
		es, err := tx.Journal(1, 0)
		for _, e := range es {
			n[e.Event]++
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// entries returns the details of the entries of a name in the vault's journal.
func (r *rig) entries(name string) (details []map[string]string) {
	r.t.Helper()
	err := r.db().Read(context.Background(), func(tx *store.Tx) error {
		es, err := tx.Journal(1, 0)
		for _, e := range es {
			if e.Event != name {
				continue
			}
			d := map[string]string{}
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				return err
			}
			details = append(details, d)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return details
}

// holder is somebody enrolled, with what only they have.
type holder struct {
	r       *rig
	factors Factors
	secret  []byte
	cred    Credential
	key     crypto.PublicKey
}

// enrol enrols a holder.
func (r *rig) enrol(id string) *holder {
	r.t.Helper()
	f, uri, err := r.c.Enrol(r.t.Context(), Enrolment{Holder: id, Username: "user-" + id, Password: []byte(goodPassword)})
	if err != nil {
		r.t.Fatal(err)
	}
	return &holder{r: r, factors: f, secret: secretOf(r.t, uri)}
}

// authenticate tells whether the vault recognises somebody.
func (r *rig) authenticate(a Authentication) error {
	_, err := r.c.Authenticate(r.t.Context(), a)
	return err
}

func secretOf(t testing.TB, uri string) []byte {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	s, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil || len(s) == 0 {
		t.Fatalf("no secret in the URI: %v", err)
	}
	return s
}

// newHolder enrols a holder and makes a credential.
func (r *rig) newHolder(id string, kt hsm.KeyType) *holder {
	r.t.Helper()
	h := r.enrol(id)
	h.newCredential("cred-"+id, kt)
	return h
}

func (h *holder) newCredential(id string, kt hsm.KeyType) {
	t := h.r.t
	t.Helper()
	c, csr, err := h.r.c.CreateCredential(t.Context(), NewCredential{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp()},
		ID: id, Type: kt, MaxDigests: 40})
	if err != nil {
		t.Fatal(err)
	}
	q, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.CheckSignature(); err != nil || q.Subject.String() != "CN="+id {
		t.Fatalf("request of %s: %v", q.Subject, err)
	}
	if string(q.RawSubjectPublicKeyInfo) != string(c.PublicKey) {
		t.Fatal("the request is for another key")
	}
	h.cred, h.key = c, q.PublicKey
}

// otp waits for the next step and reads the code.
func (h *holder) otp() string {
	h.r.clock.move(auth.OTPPeriod)
	return auth.TOTP(h.secret, h.r.clock.now())
}

// authorisation is one that should be granted, for n random digests.
func (h *holder) authorisation(request string, n int) Authorisation {
	return Authorisation{Factors: h.factors, Credential: h.cred, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"},
		Hash: "SHA-256", Digests: digests(n), Request: request}
}

// activation is the one that belongs to an authorisation.
func (h *holder) activation(a Authorisation, s SAD) Activation {
	scheme := schemeECDSA
	if rsa, _ := isRSA(h.cred.Type); rsa {
		scheme = schemePKCS1
	}
	return Activation{SAD: s.Token, Credential: a.Credential, Hash: a.Hash, Digests: a.Digests, Scheme: scheme, Request: a.Request}
}

// authorised returns an activation that should sign.
func (h *holder) authorised(request string, n int) Activation {
	h.r.t.Helper()
	a := h.authorisation(request, n)
	s, err := h.r.c.Authorise(h.r.t.Context(), a)
	if err != nil {
		h.r.t.Fatal(err)
	}
	return h.activation(a, s)
}

func digests(n int) [][]byte {
	ds := make([][]byte, n)
	for i := range ds {
		ds[i] = make([]byte, 32)
		rand.Read(ds[i])
	}
	return ds
}

// want checks the kind of an error.
func want(t testing.TB, err error, kind Kind) {
	t.Helper()
	if got := KindOf(err); got != kind {
		t.Fatalf("%q (%v), want %q", got, err, kind)
	}
}

// checkSignatures verifies signatures with the holder's public key.
func (h *holder) checkSignatures(a Activation, signatures [][]byte) {
	h.r.t.Helper()
	if len(signatures) != len(a.Digests) {
		h.r.t.Fatalf("%d signatures for %d digests", len(signatures), len(a.Digests))
	}
	for i, s := range signatures {
		if !verified(h.key, a.Digests[i], s, signerOpts(a.Scheme, hashes[a.Hash])) {
			h.r.t.Fatalf("signature %d is wrong", i)
		}
	}
}
