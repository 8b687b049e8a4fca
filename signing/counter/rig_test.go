package counter

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sigillo/auth/staff"
	"sigillo/formats/inspect"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// rig is a house with two centres, and rooms below that fail when a test wants it. The
// real ones are tried together in cmd/sigillo.
type rig struct {
	*Service
	t     testing.TB
	db    *store.DB
	vault *fakeVault
	signs *fakeSigner
	house *fakeHouse
	clock *clock

	oreste, ornella, elsewhere, carla, tullio, security member
	holder, tablet                                      string
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

// now goes on a little with each look, as clocks do.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond)
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const here, there = "Milano 1", "Roma 2"

var passport = Identification{Kind: "passport", Number: "YA1234567", Issuer: "Questura", Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}

func newRig(t testing.TB) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, db: db, clock: &clock{at: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}}
	r.vault = &fakeVault{fail: map[string]error{}, known: map[string]vault.NewTablet{}, open: map[string]*vault.NewCapture{}}
	r.signs = &fakeSigner{r: r, documents: map[string]signing.Document{}, transactions: map[string]*signing.Transaction{}}
	r.house = &fakeHouse{r: r}
	r.restart()
	r.oreste = r.member("oreste", staff.RegistrationOperator, here)
	r.ornella = r.member("ornella", staff.RegistrationOfficer, here)
	r.elsewhere = r.member("ezio", staff.RegistrationOperator, there)
	r.carla = r.member("carla", staff.Certification, "")
	r.tullio = r.member("tullio", staff.Technical, "")
	r.security = r.member("sara", staff.Security, "")
	r.tablet = r.newTablet("Sportello 1", here)
	c, err := r.RegisterCustomer(t.Context(), r.oreste, NewCustomer{GivenName: "Anna", Surname: "Rossi", FiscalCode: "SMPDAA80A41H501X", Identification: passport})
	r.must(err)
	r.holder = c.ID
	return r
}

// restart is another process over the same database; the vault stays.
func (r *rig) restart() {
	r.Service = New(Config{DB: r.db, Vault: r.vault, Signing: r.signs, House: r.house, Now: r.clock.now})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// wants is must for an error of a kind of this room.
func (r *rig) wants(k Kind, err error) {
	r.t.Helper()
	if err == nil || KindOf(err) != k {
		r.t.Fatalf("got %v, want %s", err, k)
	}
}

func (r *rig) member(name string, role staff.Role, centre string) member {
	m := staff.Member{ID: "staff-" + name, Username: name, GivenName: name, Surname: "X", FiscalCode: name, Role: role, Centre: centre}
	factors, _ := json.Marshal(vault.Factors{Version: 1, Holder: m.ID})
	r.write(func(tx *store.Tx) error {
		return tx.PutStaff(store.Staff{ID: m.ID, Username: name, GivenName: name, Surname: "X", FiscalCode: name, Role: string(role), Centre: centre,
			State: store.StaffActive, Factors: factors, Created: r.clock.now(), Changed: r.clock.now()})
	})
	return m
}

func (r *rig) write(do func(*store.Tx) error) {
	r.t.Helper()
	r.must(r.db.Write(r.t.Context(), do))
}

func newKey(t testing.TB) []byte {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newTablet registers one, which has asked for its state.
func (r *rig) newTablet(name, centre string) string {
	r.t.Helper()
	ctx := r.t.Context()
	_, code, _, err := r.NewTabletCode(ctx, r.tullio, NewTablet{Name: name, Centre: centre})
	r.must(err)
	t, _, err := r.EnrolTablet(ctx, code, "pointer", newKey(r.t))
	r.must(err)
	_, err = r.ConfirmTablet(ctx, r.tullio, t.ID, t.Fingerprint, vault.Evidence{Password: []byte("p"), OTP: "1"})
	r.must(err)
	r.awake(t.ID)
	return t.ID
}

// awake has a tablet ask for its state.
func (r *rig) awake(tablet string) TabletView {
	r.t.Helper()
	v, err := r.TabletState(r.t.Context(), tablet, -1)
	r.must(err)
	return v
}

// signIn gives a member a session.
func (r *rig) signIn(m member) {
	now := r.clock.now()
	r.write(func(tx *store.Tx) error {
		return tx.PutStaffSession(store.Session{ID: []byte(m.ID), Holder: m.ID, Created: now, Seen: now, Expires: now.Add(time.Hour)})
	})
}

func otp(code string) vault.Evidence { return vault.Evidence{OTP: code, Client: "test"} }

// enrolled opens, begins and finishes an enrolment.
func (r *rig) enrolled() Session {
	r.t.Helper()
	s := r.sampled(4)
	s, err := r.FinishEnrolment(r.t.Context(), r.ornella, s.ID, "", otp("2"))
	r.must(err)
	if s.State != Done || s.Certificate == "" || s.EmergencyCode == "" {
		r.t.Fatalf("%+v", s)
	}
	return s
}

// sampled is an enrolment with so many signatures.
func (r *rig) sampled(n int) Session {
	r.t.Helper()
	ctx := r.t.Context()
	s, err := r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	s, err = r.Begin(ctx, r.oreste, s.ID, otp("1"))
	r.must(err)
	if v := r.awake(r.tablet); v.Step == StepConsent {
		_, err = r.Consent(ctx, r.tablet, s.ID, v.Consent.SHA256, true)
		r.must(err)
	}
	for range n {
		_, err = r.Submit(ctx, r.tablet, s.ID, r.captured(s.ID))
		r.must(err)
	}
	s, err = r.Session(ctx, r.oreste, s.ID)
	r.must(err)
	return s
}

// captured is what a tablet sends.
func (r *rig) captured(session string) Captured {
	r.t.Helper()
	a, err := r.Arm(r.t.Context(), r.tablet, session)
	r.must(err)
	v, err := r.load(r.t.Context(), session)
	r.must(err)
	return Captured{Capture: v.Capture, Nonce: a.Nonce}
}

// brought uploads documents.
func (r *rig) brought(by member, pages ...int) (out []signing.Order) {
	r.t.Helper()
	for i, n := range pages {
		r.signs.pages = n
		d, err := r.Upload(r.t.Context(), by, r.holder, fmt.Sprintf("d%d.pdf", i), bytes.NewReader([]byte{byte(i)}))
		r.must(err)
		out = append(out, signing.Order{Document: d.ID, Form: signing.PAdES})
	}
	return out
}

// dossier opens and begins one.
func (r *rig) dossier(pages ...int) Session {
	r.t.Helper()
	s, err := r.OpenDossier(r.t.Context(), r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, pages...)})
	r.must(err)
	s, err = r.Begin(r.t.Context(), r.oreste, s.ID, otp("1"))
	r.must(err)
	return s
}

// readAll has the customer be shown everything.
func (r *rig) readAll(s Session) TabletView {
	r.t.Helper()
	var v TabletView
	var err error
	for _, d := range s.Documents {
		for p := range d.Pages {
			_, err = r.TabletPage(r.t.Context(), r.tablet, s.ID, d.ID, p+1)
			r.must(err)
			v, err = r.Read(r.t.Context(), r.tablet, s.ID, d.ID, p+1)
			r.must(err)
		}
	}
	return v
}

// events are the journal's about a subject.
func (r *rig) events(subject string) (out []string) {
	r.must(r.db.Read(r.t.Context(), func(tx *store.Tx) error {
		list, err := tx.JournalOf(subject, 100)
		for _, e := range list {
			out = append(out, e.Event)
		}
		return err
	}))
	return out
}

func (r *rig) journalled(subject, event string) {
	r.t.Helper()
	for _, e := range r.events(subject) {
		if e == event {
			return
		}
	}
	r.t.Fatalf("no %s among %v", event, r.events(subject))
}

// fakeVault does what a test tells it.
type fakeVault struct {
	mu        sync.Mutex
	fail      map[string]error // by operation, once
	known     map[string]vault.NewTablet
	revoked   map[string]bool
	open      map[string]*vault.NewCapture
	closed    []string
	destroyed []string
	profiles  []string // that were made and not answered for
	late      []string // that will be when the vault has looked for the last ones, if their capture is open
	count     int
	step      func(vault.EnrolStep) vault.EnrolStep
	finish    vault.FinishEnrolment
	n         int
}

func (f *fakeVault) fault(op string) error {
	err := f.fail[op]
	delete(f.fail, op)
	return err
}

func (f *fakeVault) RegisterTablet(_ context.Context, n vault.NewTablet) error {
	if _, there := f.known[n.ID]; there {
		return &vault.Error{Kind: vault.NotAllowed, Msg: "there is one"}
	}
	if len(n.Password) == 0 {
		return &vault.Error{Kind: vault.WrongPassword}
	}
	f.known[n.ID] = n
	return f.fault("register")
}

func (f *fakeVault) RevokeTablet(_ context.Context, id, _, _ string) error {
	if f.revoked == nil {
		f.revoked = map[string]bool{}
	}
	f.revoked[id] = true
	return f.fault("revoke")
}

func (f *fakeVault) Tablets(context.Context) (out []vault.Tablet, err error) {
	for _, n := range f.known {
		out = append(out, vault.Tablet{ID: n.ID, PublicKey: n.PublicKey})
	}
	return out, nil
}

func (f *fakeVault) OpenCapture(_ context.Context, n vault.NewCapture) (vault.Capture, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault("open"); err != nil {
		return vault.Capture{}, err
	}
	if n.Presence.OTP == "" || len(n.Presence.Password) > 0 {
		return vault.Capture{}, &vault.Error{Kind: vault.WrongOTP}
	}
	f.n++
	f.count = 0
	id := fmt.Sprintf("capture-%d", f.n)
	f.open[id] = &n
	return vault.Capture{ID: id, Expires: time.Date(2026, 3, 4, 10, 15, 0, 0, time.UTC)}, nil
}

func (f *fakeVault) ArmCapture(_ context.Context, id string) (vault.Armed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[id] == nil {
		return vault.Armed{}, &vault.Error{Kind: vault.StaleCapture, Msg: "there is no such capture"}
	}
	return vault.Armed{Nonce: []byte("nonce")}, f.fault("arm")
}

func (f *fakeVault) EnrolCapture(context.Context, vault.Captured) (vault.EnrolStep, error) {
	if err := f.fault("enrol"); err != nil {
		return vault.EnrolStep{}, err
	}
	f.count++
	step := vault.EnrolStep{Accepted: true, Count: f.count, Ready: f.count >= 4, Pause: f.count == 3}
	if f.step != nil {
		step = f.step(step)
	}
	return step, nil
}

func (f *fakeVault) RemoveCapture(context.Context, string, int) (vault.EnrolStep, error) {
	f.count--
	return vault.EnrolStep{Accepted: true, Count: f.count, Ready: f.count >= 4}, nil
}

func (f *fakeVault) FinishEnrolment(_ context.Context, n vault.FinishEnrolment) (vault.Credential, []byte, error) {
	f.finish = n
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail["lost"] != nil { // it was done, and nobody got the answer
		f.profiles = append(f.profiles, n.ID)
		return vault.Credential{}, nil, f.fault("lost")
	}
	if f.fail["late"] != nil {
		f.late = append(f.late, n.ID, n.Capture)
		return vault.Credential{}, nil, f.fault("late")
	}
	if err := f.fault("finish"); err != nil {
		return vault.Credential{}, nil, err
	}
	return vault.Credential{ID: n.ID, Type: n.Type, Graphometric: true, Wrapped: []byte{1}}, []byte("csr"), nil
}

func (f *fakeVault) CloseCapture(_ context.Context, id, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	f.closed = append(f.closed, id)
	return f.fault("close")
}

func (f *fakeVault) DestroyProfile(_ context.Context, credential, _, _ string) error {
	if err := f.fault("destroy"); err != nil {
		return err
	}
	f.destroyed = append(f.destroyed, credential)
	f.profiles = slices.DeleteFunc(f.profiles, func(id string) bool { return id == credential })
	if len(f.late) == 2 && f.open[f.late[1]] != nil {
		f.profiles, f.late = append(f.profiles, f.late[0]), nil
	}
	return nil
}

func (f *fakeVault) Profiles(context.Context, string) ([]vault.ProfileVersion, error) {
	return nil, nil
}
func (f *fakeVault) RollBackProfile(context.Context, vault.RollBack) error {
	return f.fault("roll-back")
}
func (f *fakeVault) GraphometricReport(context.Context) (vault.GraphometricReport, error) {
	return vault.GraphometricReport{Enrolments: 7}, nil
}
func (f *fakeVault) Challenge(_ context.Context, request any) (vault.Challenge, error) {
	return vault.Challenge{Options: fmt.Appendf(nil, "%T", request)}, nil
}

// fakeSigner keeps documents that are rows, and transactions that are not.
type fakeSigner struct {
	r            *rig
	mu           sync.Mutex
	documents    map[string]signing.Document
	transactions map[string]*signing.Transaction
	pages        int
	findings     []inspect.Finding
	outcomes     []func(*signing.Transaction) error // of Sign, in turn; then it works
	signed       []vault.Captured
	n            int
}

func (f *fakeSigner) Upload(ctx context.Context, holder, name string, r io.Reader) (signing.Document, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return signing.Document{}, err
	}
	f.n++
	sum := sha256.Sum256(b)
	d := signing.Document{ID: fmt.Sprintf("document-%d", f.n), Name: name, Format: "pdf", Pages: f.pages, SHA256: hex.EncodeToString(sum[:]),
		Report: inspect.Report{Findings: f.findings}}
	f.documents[d.ID] = d
	return d, f.r.db.Write(ctx, func(tx *store.Tx) error {
		return tx.PutDocument(store.Document{ID: d.ID, Holder: holder, Name: name, SHA256: sum[:], Created: f.r.clock.now()})
	})
}

func (f *fakeSigner) Document(_ context.Context, _, id string) (signing.Document, error) {
	d, ok := f.documents[id]
	if !ok {
		return d, &signing.Error{Kind: signing.NotFound}
	}
	return d, nil
}

func (f *fakeSigner) Page(_ context.Context, _, id string, n int) ([]byte, error) {
	return fmt.Appendf(nil, "%s page %d", id, n), nil
}

func (f *fakeSigner) Credentials(ctx context.Context, holder string) (out []signing.Credential, err error) {
	err = f.r.db.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.CredentialsOf(holder)
		for _, c := range list {
			k, bad := readKey(c)
			status := "valid"
			if f.r.house.revoked[c.ID] || c.Certificate == "" {
				status = "revoked"
			}
			out = append(out, signing.Credential{ID: c.ID, Counter: bad == nil && k.Graphometric, Status: status})
		}
		return err
	})
	return out, err
}

func (f *fakeSigner) Prepare(_ context.Context, _ string, q signing.Request) (signing.Transaction, error) {
	if !q.Counter || !q.Confirmed {
		return signing.Transaction{}, errors.New("not for a counter")
	}
	f.n++
	t := signing.Transaction{ID: fmt.Sprintf("transaction-%d", f.n), State: signing.Prepared}
	for i, o := range q.Documents {
		t.Items = append(t.Items, signing.Item{Seq: i, Document: o.Document, Digest: "digest of " + o.Document})
	}
	f.transactions[t.ID] = &t
	return t, nil
}

func (f *fakeSigner) CounterAuthorisation(_ context.Context, _, id string) (vault.Authorisation, error) {
	var digests [][]byte
	for _, it := range f.transactions[id].Items {
		digests = append(digests, []byte(it.Digest))
	}
	return vault.Authorisation{Hash: "SHA-256", Digests: digests}, nil
}

func (f *fakeSigner) Sign(_ context.Context, _, id string, e signing.Evidence) (signing.Transaction, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.transactions[id]
	f.signed = append(f.signed, *e.Capture)
	if len(f.outcomes) > 0 {
		do := f.outcomes[0]
		f.outcomes = f.outcomes[1:]
		if err := do(t); err != nil {
			return signing.Transaction{}, err
		}
	}
	f.deliver(t)
	return *t, nil
}

func (f *fakeSigner) deliver(t *signing.Transaction) {
	t.State = signing.Delivered
	for i := range t.Items {
		t.Items[i].SHA256, t.Items[i].OutputName = "aa", "signed.pdf"
	}
}

func (f *fakeSigner) Abandon(_ context.Context, _, id, _ string) error {
	if t := f.transactions[id]; t.State == signing.Prepared {
		t.State = signing.Failed
	}
	return nil
}

func (f *fakeSigner) Transaction(_ context.Context, _, id string) (signing.Transaction, error) {
	return *f.transactions[id], nil
}

func (f *fakeSigner) Output(context.Context, string, string, int) (*signing.Output, error) {
	return &signing.Output{Name: "signed.pdf"}, nil
}

// refused is an outcome of Sign: the vault says so.
func refused(k vault.Kind) func(*signing.Transaction) error {
	return func(*signing.Transaction) error { return signing.FromVault(&vault.Error{Kind: k, Msg: "no"}) }
}

// fakeHouse issues certificates that are serial numbers.
type fakeHouse struct {
	r       *rig
	revoked map[string]bool
	fail    error
	n       int
}

func (h *fakeHouse) FindHolders(_ context.Context, _ staff.Member, who string) ([]staff.Found, error) {
	return []staff.Found{{ID: who}}, nil
}

func (h *fakeHouse) Certify(ctx context.Context, _ store.Holder, c store.Credential, csr []byte, _ string) (string, error) {
	if h.fail != nil || string(csr) != "csr" {
		return "", errors.Join(h.fail, errors.New("no certificate"))
	}
	h.n++
	serial := fmt.Sprintf("%02x", h.n)
	return serial, h.r.db.Write(ctx, func(tx *store.Tx) error { return tx.SetCredentialCertificate(c.ID, serial) })
}

func (h *fakeHouse) NewEmergencyCode(context.Context, string, string) (string, error) {
	return "EMER", nil
}

func (h *fakeHouse) RevokeCredential(ctx context.Context, c store.Credential, _ int, _ string) error {
	if h.revoked == nil {
		h.revoked = map[string]bool{}
	}
	h.revoked[c.ID] = true
	k, err := readKey(c)
	if err != nil {
		return err
	}
	k.Wrapped = nil
	b, _ := json.Marshal(k)
	return h.r.db.Write(ctx, func(tx *store.Tx) error { return tx.SetCredentialRecord(c.ID, b) })
}
