package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/store"
	"sigillo/vault"
)

// pad is a tablet at a counter: what the page in its browser does, without the browser.
type pad struct {
	h         *house
	id, print string // identifier, and fingerprint of the key
	token     string
	key       *ecdsa.PrivateKey
}

const branch = "Milano 12"

var identity = counters.Identification{Kind: "identity-card", Number: "CA12345AB", Issuer: "Comune di Prova", Expires: time.Now().AddDate(5, 0, 0)}

// pending is a tablet that waits to be confirmed.
func (h *house) pending(t testing.TB, tina *clerk) *pad {
	t.Helper()
	_, code, _, err := h.Counter.NewTabletCode(t.Context(), h.named(t, tina.Username), counters.NewTablet{Name: "Sportello 1", Centre: branch})
	if err != nil {
		t.Fatal(err)
	}
	return h.enrolTablet(t, code)
}

func (h *house) enrolTablet(t testing.TB, code string) *pad {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	tab, token, err := h.Counter.EnrolTablet(t.Context(), code, "pointer", spki)
	if err != nil {
		t.Fatal(err)
	}
	return &pad{h: h, id: tab.ID, print: tab.Fingerprint, token: token, key: k}
}

// newPad registers a tablet; by the commands of the technical service where typed is set.
func (h *house) newPad(t testing.TB, tina *clerk, typed bool) *pad {
	t.Helper()
	var p *pad
	if typed {
		p = h.enrolTablet(t, emergencyCode.FindString(h.must(t, tina.typed(), "tablet", "register-code", "--name", "Sportello 1", "--centre", branch)))
		h.wont(t, "another key", tina.Username+"\nx\n000000\n", "tablet", "confirm", p.id, "--fingerprint", "0000")
		h.wont(t, "wrong", "nobody\nx\n000000\n", "tablet", "confirm", p.id, "--fingerprint", p.print)
		h.must(t, tina.typed(), "tablet", "confirm", p.id, "--fingerprint", p.print)
	} else {
		p = h.pending(t, tina)
		e := vault.Evidence{Password: []byte(tina.password), OTP: tina.otp(), Client: "test"}
		if _, err := h.Counter.ConfirmTablet(t.Context(), h.named(t, tina.Username), p.id, p.print, e); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := h.Counter.TabletOf(t.Context(), p.token); err != nil || got.State != counters.TabletActive {
		t.Fatalf("%+v %v", got, err)
	}
	return p
}

func (p *pad) state(t testing.TB) counters.TabletView {
	t.Helper()
	v, err := p.h.Counter.TabletState(t.Context(), p.id, -1)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// write has a hand sign on the tablet, and gives what the tablet would send.
func (p *pad) write(t testing.TB, session string, s *graphometric.Sample) counters.Captured {
	t.Helper()
	a, err := p.h.Counter.Arm(t.Context(), p.id, session)
	if err != nil {
		t.Fatal(err)
	}
	began := a.Expires.Add(-vault.ArmedLife)
	time.Sleep(s.Duration()) // as long as a hand takes
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ecdh.P256().NewPublicKey(a.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := own.ECDH(peer)
	if err != nil {
		t.Fatal(err)
	}
	const name = "sigillo capture v1"
	key, err := hkdf.Key(sha256.New, shared, a.Nonce, name+string(a.Context), 32)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := aes.NewCipher(key)
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	c := counters.Captured{Nonce: a.Nonce, Ephemeral: own.PublicKey().Bytes(), Started: began.UnixMilli()}
	c.Sealed = aead.Seal(nil, make([]byte, 12), graphometric.AppendCapture(nil, s), a.Context)
	inner := sha256.Sum256(append(bytes.Clone(c.Ephemeral), c.Sealed...))
	m := append([]byte(name), a.Nonce...)
	m = append(m, a.Context...)
	m = binary.BigEndian.AppendUint64(m, uint64(c.Started))
	sum := sha256.Sum256(append(m, inner[:]...))
	r, v, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	c.Signature = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	return c
}

// submit writes and sends.
func (p *pad) submit(t testing.TB, session string, s *graphometric.Sample) (counters.TabletView, error) {
	t.Helper()
	return p.h.Counter.Submit(t.Context(), p.id, session, p.write(t, session, s))
}

// presence is a fresh code of a member.
func (c *clerk) presence() vault.Evidence { return vault.Evidence{OTP: c.otp(), Client: "test"} }

// named is a member as the database knows it.
func (h *house) named(t testing.TB, username string) staff.Member {
	t.Helper()
	m, err := h.MemberNamed(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// enrolCustomer takes a hand's signatures and has the second person approve.
func (h *house) enrolCustomer(t testing.TB, p *pad, holder string, operator, second *clerk, hand *synthetic.Signer) counters.Session {
	t.Helper()
	ctx, by := t.Context(), h.named(t, operator.Username)
	p.state(t)
	s, err := h.Counter.OpenEnrolment(ctx, by, counters.NewEnrolment{Holder: holder, Tablet: p.id, Identification: identity})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = h.Counter.Begin(ctx, by, s.ID, operator.presence()); err != nil {
		t.Fatal(err)
	}
	v := p.state(t)
	if v.Step == counters.StepConsent {
		if v, err = h.Counter.Consent(ctx, p.id, s.ID, v.Consent.SHA256, true); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; v.Step == counters.StepSign && (v.Progress == nil || v.Progress.Count < 5); i++ {
		if v, err = p.submit(t, s.ID, hand.Sign(0, i)); err != nil {
			t.Fatal(err)
		}
	}
	if v.Progress == nil || !v.Progress.Ready {
		t.Fatalf("%+v", v)
	}
	if s, err = h.Counter.FinishEnrolment(ctx, h.named(t, second.Username), s.ID, "", second.presence()); err != nil || s.State != counters.Done {
		t.Fatalf("%+v %v", s, err)
	}
	return s
}

// dossier opens and begins one with copies of the demonstration's contract, all pages read.
func (h *house) dossier(t testing.TB, p *pad, holder string, operator *clerk, files ...string) counters.Session {
	t.Helper()
	ctx, by := t.Context(), h.named(t, operator.Username)
	p.state(t)
	var orders []signing.Order
	for _, f := range files {
		file, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := h.Counter.Upload(ctx, by, holder, f, file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		orders = append(orders, signing.Order{Document: d.ID, Form: signing.PAdES, Level: signing.BT})
	}
	s, err := h.Counter.OpenDossier(ctx, by, counters.NewDossier{Holder: holder, Tablet: p.id, Identification: identity, Documents: orders, Reference: "P-1"})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = h.Counter.Begin(ctx, by, s.ID, operator.presence()); err != nil {
		t.Fatal(err)
	}
	h.readAll(t, p, s)
	return s
}

// readAll has the tablet show each page of a dossier.
func (h *house) readAll(t testing.TB, p *pad, s counters.Session) {
	t.Helper()
	for _, d := range s.Documents {
		for n := 1; n <= d.Pages; n++ {
			if b, err := h.Counter.TabletPage(t.Context(), p.id, s.ID, d.ID, n); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
				t.Fatal(err)
			}
			if _, err := h.Counter.Read(t.Context(), p.id, s.ID, d.ID, n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The counter with everything real but the hand: enrolled with five signatures and two
// members, a dossier signed with one, a forger sent away, the consent withdrawn.
func TestCustomerSigns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	team := h.appointed(t, staff.Certification, staff.Technical, staff.RegistrationOperator)
	carlo, tina, olga := team[0], team[1], team[2]
	p := h.newPad(t, tina, false)
	by := h.named(t, "olga")
	c, err := h.Counter.RegisterCustomer(ctx, by, counters.NewCustomer{GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Identification: identity})
	if err != nil {
		t.Fatal(err)
	}
	hand := synthetic.New(7)
	s := h.enrolCustomer(t, p, c.ID, olga, carlo, hand)
	if row := h.certificateRow(t, s.Certificate); row.Profile != pki.ProfileCounter || s.EmergencyCode == "" {
		t.Errorf("%+v", row)
	}

	s = h.dossier(t, p, c.ID, olga, document("contratto.pdf"), document("contratto.pdf"))
	v, err := p.submit(t, s.ID, hand.Sign(1, 20))
	for try := 1; err == nil && v.Step == counters.StepSign && try < 3; try++ { // a hand may miss
		v, err = p.submit(t, s.ID, hand.Sign(1, 20+try))
	}
	if err != nil || v.Step != counters.StepDone {
		t.Fatalf("%+v %v", v, err)
	}
	for seq := range 2 {
		out, err := h.Counter.Output(ctx, by, s.ID, seq)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(out.File)
		out.File.Close()
		if err != nil || !bytes.Contains(b, []byte("ETSI.CAdES.detached")) || !strings.HasSuffix(out.Name, ".pdf") {
			t.Errorf("%s: %d bytes, %v", out.Name, len(b), err)
		}
	}

	// Elsewhere the same key signs nothing.
	list, err := h.Signing.Credentials(ctx, c.ID)
	if err != nil || len(list) != 1 || !list[0].Counter {
		t.Fatalf("%+v %v", list, err)
	}
	order := signing.Request{Credential: list[0].ID, Documents: []signing.Order{{Document: s.Documents[0].ID, Form: signing.PAdES}}}
	if _, err := h.Signing.Prepare(ctx, c.ID, order); signing.KindOf(err) != signing.CounterOnly {
		t.Error(err)
	}

	// Somebody else's hand.
	forger := synthetic.New(8)
	s = h.dossier(t, p, c.ID, olga, document("contratto.pdf"))
	for i := 0; i < vault.MaxAttempts; i++ {
		if v, err = p.submit(t, s.ID, forger.Sign(0, i)); err != nil {
			t.Fatal(err)
		}
		if v.Step != counters.StepSign {
			break
		}
	}
	if got, err := h.Counter.Session(ctx, by, s.ID); err != nil || got.State != counters.Refused || got.Why != counters.WhyUnrecognised {
		t.Fatalf("%+v %v", got, err)
	}
	if tx, err := h.Signing.Transaction(ctx, c.ID, s.Transaction); err != nil || tx.State != signing.Failed {
		t.Errorf("%+v %v", tx, err)
	}

	h.wont(t, "wrong", "carlo\n"+carlo.password+"\n000000\n", "holder", "roll-back", list[0].ID, "--version", "1", "--reason", "disputed")
	h.wont(t, "may not", "olga\n"+olga.password+"\n000000\n", "holder", "roll-back", list[0].ID, "--version", "1", "--reason", "disputed")
	h.must(t, carlo.typed(), "holder", "withdraw", "smpdaa80a41h501x")
	if list, err = h.Signing.Credentials(ctx, c.ID); err != nil || list[0].Status != "revoked" {
		t.Errorf("%+v %v", list, err)
	}
	if ps, err := h.Vault.Profiles(ctx, c.ID); err != nil || len(ps) != 0 {
		t.Errorf("%+v %v", ps, err)
	}
	h.must(t, "", "journal", "verify")
}

func (h *house) certificateRow(t testing.TB, serial string) (row store.Certificate) {
	t.Helper()
	if err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) { row, err = tx.Certificate(serial); return err }); err != nil {
		t.Fatal(err)
	}
	return row
}

// What does not hang from the matcher: the tablet, presence, consent, a dead service.
func TestCounterBreaksOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	h.wont(t, "appointed people", "", "tablet", "list")
	team := h.appointed(t, staff.Technical, staff.RegistrationOperator)
	tina, olga := team[0], team[1]
	p := h.newPad(t, tina, true)
	by := h.named(t, "olga")
	c, err := h.Counter.RegisterCustomer(ctx, by, counters.NewCustomer{GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Identification: identity})
	if err != nil {
		t.Fatal(err)
	}
	p.state(t)
	bank := h.restOperator(t, olga)
	order := map[string]any{"purpose": "enrol", "holder": c.ID, "tablet": p.id, "presence": map[string]string{"otp": "000000"},
		"identification": map[string]string{"kind": "passport", "number": "YA1", "issuer": "Questura", "expires": "2040-01-01"}}
	if code := bank.call(t, "POST", "/counter/sessions", order, nil); code != 403 {
		t.Fatal(code)
	}
	order["presence"] = map[string]string{"otp": olga.otp()}
	var s counters.Session
	if code := bank.call(t, "POST", "/counter/sessions", order, &s); code != 201 || s.State != counters.Reading {
		t.Fatalf("%d %+v", code, s)
	}
	seen := s.Version
	waited := make(chan int, 1)
	go func() {
		waited <- bank.call(t, "GET", fmt.Sprintf("/counter/sessions/%s?seen=%d", s.ID, seen), nil, &s)
	}()
	v := p.state(t)
	if _, err := h.Counter.Consent(ctx, p.id, v.Session, v.Consent.SHA256, true); err != nil {
		t.Fatal(err)
	}
	if code := <-waited; code != 200 || s.State != counters.Signing || s.Consent == nil {
		t.Fatalf("%d %+v", code, s)
	}
	if _, err := h.Counter.Arm(ctx, p.id, s.ID); err != nil {
		t.Fatal(err)
	}
	if code := bank.call(t, "GET", "/documents", nil, nil); code != 401 { // it is no holder's token
		t.Error(code)
	}
	dir := h.Layout.Dir
	h.stop()
	h = open(t, dir)
	got, err := h.Counter.Session(ctx, by, s.ID)
	if err != nil || got.State != counters.Cancelled || got.Why != counters.WhyRestart {
		t.Fatalf("%+v %v", got, err)
	}
	if !h.journalled(t, "counter.cancelled", "why", counters.WhyRestart) || !h.journalled(t, "consent.given", "text", "it-1") {
		t.Error("the journal does not say so")
	}
	p.h = h
	if err := h.Counter.RevokeTablet(ctx, h.named(t, "tina"), p.id, "lost"); err != nil {
		t.Fatal(err)
	}
	if list, err := h.Vault.Tablets(ctx); err != nil || len(list) != 1 || list[0].Revoked.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := h.Counter.OpenEnrolment(ctx, by, counters.NewEnrolment{Holder: c.ID, Tablet: p.id, Identification: identity}); counters.KindOf(err) != counters.NotFound {
		t.Error(err)
	}
}
