package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/store"
)

// softKeys are keys in memory, with faults on demand. Behaviour of a token is
// not what these tests are about.
type softKeys struct {
	mu     sync.Mutex
	keys   map[string]crypto.Signer
	signed map[string]int // signatures made, by label
	// fault, if not nil, is asked at each use: "create", "signer" or "sign".
	// before true: nothing was done; before false: it was done, the answer is lost.
	fault func(what, label string, before bool) error
}

func newSoftKeys() *softKeys {
	return &softKeys{keys: map[string]crypto.Signer{}, signed: map[string]int{}}
}

func (k *softKeys) fail(what, label string, before bool) error {
	if k.fault == nil {
		return nil
	}
	return k.fault(what, label, before)
}

func (k *softKeys) CreateKey(_ context.Context, label string, kt hsm.KeyType) (crypto.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail("create", label, true); err != nil {
		return nil, err
	}
	if k.keys[label] != nil {
		return nil, errors.New("there is such a key")
	}
	key, err := newKey(kt)
	if err != nil {
		return nil, err
	}
	k.keys[label] = key
	return key.Public(), k.fail("create", label, false)
}

func newKey(kt hsm.KeyType) (crypto.Signer, error) {
	switch kt {
	case hsm.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case hsm.P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case hsm.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case hsm.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case hsm.RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, errors.New("no such kind of key")
}

func (k *softKeys) Signer(_ context.Context, label string) (crypto.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail("signer", label, true); err != nil {
		return nil, err
	}
	if k.keys[label] == nil {
		return nil, errors.New("there is no such key")
	}
	return &softSigner{k, label, k.keys[label]}, nil
}

type softSigner struct {
	keys  *softKeys
	label string
	crypto.Signer
}

func (s *softSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if err := s.keys.fail("sign", s.label, true); err != nil {
		return nil, err
	}
	sig, err := s.Signer.Sign(r, digest, opts)
	if err != nil {
		return nil, err
	}
	s.keys.signed[s.label]++
	return sig, s.keys.fail("sign", s.label, false)
}

func t0() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) }

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// house is an authority whose ceremony was held.
type house struct {
	*Authority
	db     *store.DB
	keys   *softKeys
	clock  *clock
	record string
}

func testConfig() Config {
	return Config{Country: "IT", Organisation: "Prova S.p.A.", OrganisationID: "VATIT-00000000000",
		BaseURL: "http://localhost:8080", Witnesses: []string{"Anna Bianchi", "Carlo Verdi"}}
}

func qualifiedConfig() Config {
	c := testConfig()
	c.Qualified, c.PDSEnglish, c.PDSItalian = true, "https://localhost/pds-en.pdf", "https://localhost/pds-it.pdf"
	return c
}

func newHouse(t testing.TB, cfg Config) *house {
	t.Helper()
	h := &house{keys: newSoftKeys(), clock: &clock{t: time.Now()}}
	h.db = openStore(t)
	var record bytes.Buffer
	if err := Ceremony(t.Context(), h.db, h.keys, cfg, h.clock.now, &record); err != nil {
		t.Fatal(err)
	}
	h.record = record.String()
	h.reopen(t, cfg)
	return h
}

func openStore(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (h *house) reopen(t testing.TB, cfg Config) {
	t.Helper()
	var err error
	if h.Authority, err = Open(t.Context(), h.db, h.keys, cfg, h.clock.now); err != nil {
		t.Fatal(err)
	}
}

// mario is an invented person with a well-formed codice fiscale.
func mario() store.Holder {
	return store.Holder{ID: "h-0001", Username: "mario", GivenName: "Mario", Surname: "Rossi", FiscalCode: "RSSMRA85T10A562S",
		Email: "mario@example.org", Locale: "it"}
}

func csr(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// enrol stores a holder and a credential and returns the request for its
// certificate.
func (h *house) enrol(t testing.TB, id string, kt hsm.KeyType) Request {
	t.Helper()
	key, err := newKey(kt)
	if err != nil {
		t.Fatal(err)
	}
	person := mario()
	person.ID, person.Username = "h-"+id, "mario-"+id
	err = h.db.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutHolder(person); err != nil {
			return err
		}
		return tx.PutCredential(store.Credential{ID: "c-" + id, Holder: person.ID, KeyType: string(kt), Record: []byte("{}"), Created: h.clock.now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	return Request{Profile: ProfileSignature, CSR: csr(t, key), Holder: person, Credential: "c-" + id, Actor: "registration"}
}

func (h *house) issue(t testing.TB, id string) *x509.Certificate {
	t.Helper()
	cert, err := h.Issue(t.Context(), h.enrol(t, id, hsm.P256))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (h *house) row(t testing.TB, serial string) store.Certificate {
	t.Helper()
	var c store.Certificate
	err := h.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		c, err = tx.Certificate(serial)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *house) rowsIn(t testing.TB, state store.CertState) (rows []store.Certificate) {
	t.Helper()
	err := h.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		rows, err = tx.CertificatesInState(state)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// checkJournal fails if the journal is not whole.
func (h *house) checkJournal(t testing.TB) {
	t.Helper()
	report, err := audit.Verify(t.Context(), h.db, nil)
	if err != nil || !report.OK {
		t.Fatalf("journal: %+v, %v", report, err)
	}
}

func (h *house) events(t testing.TB, subject string) []string {
	t.Helper()
	var list []string
	err := h.db.Read(t.Context(), func(tx *store.Tx) error {
		entries, err := tx.JournalOf(subject, 0)
		for i := len(entries) - 1; i >= 0; i-- {
			list = append(list, entries[i].Event)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
