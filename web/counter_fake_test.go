package web

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/vault"
	counterface "sigillo/web/counter"
)

// till stands for the counter's room and the vault below it: one customer, one session at
// a time. It really opens what the tablet has sealed, and compares it, in a simple way. The
// real ones are tested elsewhere.
type till struct {
	mu       sync.Mutex
	rooms    *rooms
	changed  chan struct{}
	version  int64
	tablet   counters.Tablet
	key      *ecdsa.PublicKey
	customer counters.Customer
	session  counters.Session
	past     []counters.Session
	shown    map[string]map[int]bool
	armed    armed
	samples  [][64]float64
	seen     [][]byte // every sample that was opened
	device   counters.Device
	calls    []string

	crowded bool // nobody waits: all are answered at once
	looks   int  // of tablets and operators
	broken  int  // so often the tablet's page cannot be had
	given   int  // pages that a tablet was given
}

const (
	tillCode  = "4KF7-QX2M"
	tillToken = "tablet-token-of-the-test"
	tillText  = "Acconsento a che le mie firme sulla tavoletta siano confrontate fra loro.\n\nPosso sempre firmare in un altro modo, e revocare il consenso quando voglio."
)

func newTill(r *rooms) *till {
	return &till{rooms: r, changed: make(chan struct{}), version: 1, shown: map[string]map[int]bool{},
		tablet:   counters.Tablet{ID: "t-1", Name: "Sportello 2", Centre: "Filiale di Prova", State: counters.TabletInvited, Created: time.Now()},
		customer: counters.Customer{ID: testHolder, Username: "0012345678", GivenName: "Maria", Surname: "Bianchi", FiscalCode: "BNCMRA80A41H501X", Locale: "it"}}
}

func withTill(w **till, o *office) func(*Config) {
	return func(c *Config) {
		t := newTill(c.Signing.(*rooms))
		*w = t
		s, err := counterface.New(counterface.Config{Desk: t, Tablets: t})
		if err != nil {
			panic(err)
		}
		c.Counter, c.Staff = s, o
	}
}

func atCounter(kind counters.Kind) error { return &counters.Error{Kind: kind, Msg: "on purpose"} }

// change does something with the session and tells who waits.
func (t *till) change(what string, do func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, what)
	if err := do(); err != nil {
		return err
	}
	t.tell()
	return nil
}

func (t *till) tell() {
	t.version++
	t.session.Version = t.version
	close(t.changed)
	t.changed = make(chan struct{})
}

// await waits until there is something newer than seen.
func (t *till) await(ctx context.Context, seen int64) {
	t.mu.Lock()
	t.looks++
	t.mu.Unlock()
	for end := time.After(counters.WaitLimit); ; {
		t.mu.Lock()
		newer, changed := t.version > seen || t.crowded, t.changed
		t.mu.Unlock()
		if newer {
			return
		}
		select {
		case <-changed:
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (t *till) end(state counters.State, why string) {
	t.session.State, t.session.Why = state, why
	for i := range t.session.Documents {
		t.session.Documents[i].Signed = state == counters.Done
	}
}

func (t *till) current() counters.Session {
	s := t.session
	s.Documents = append([]counters.Document(nil), s.Documents...)
	s.Device = t.device
	return s
}

// The operator's side.

func (t *till) Customers(_ context.Context, _ staff.Member, who string) ([]counters.Customer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if who != t.customer.Username && who != t.customer.FiscalCode {
		return nil, nil
	}
	return []counters.Customer{t.customer}, nil
}

func (t *till) RegisterCustomer(_ context.Context, _ staff.Member, n counters.NewCustomer) (counters.Customer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.FiscalCode) != 16 {
		return counters.Customer{}, atCounter(counters.Invalid)
	}
	t.customer = counters.Customer{ID: testHolder, Username: n.Username, GivenName: n.GivenName, Surname: n.Surname, FiscalCode: n.FiscalCode, Locale: n.Locale}
	return t.customer, nil
}

func (t *till) Upload(ctx context.Context, _ staff.Member, holder, name string, r io.Reader) (signing.Document, error) {
	return t.rooms.Upload(ctx, holder, name, r)
}

func (t *till) open(purpose counters.Purpose, tablet string, i counters.Identification) error {
	switch {
	case tablet != t.tablet.ID || t.tablet.State != counters.TabletActive:
		return atCounter(counters.NotFound)
	case i.Number == "" || i.Expires.Before(time.Now()):
		return atCounter(counters.Invalid)
	case t.session.ID != "" && !t.session.State.Ended():
		return atCounter(counters.TabletBusy)
	}
	if t.session.ID != "" {
		t.past = append([]counters.Session{t.current()}, t.past...)
	}
	t.session = counters.Session{ID: fmt.Sprintf("s-%d", len(t.past)+1), Purpose: purpose, State: counters.Open, Holder: t.customer.ID, Customer: "Maria Bianchi", Operator: "staff-sara",
		Centre: t.tablet.Centre, Tablet: tablet, MaxTries: 3, Created: time.Now(), Expires: time.Now().Add(counters.SessionLife)}
	t.armed = armed{}
	return nil
}

func (t *till) OpenEnrolment(_ context.Context, _ staff.Member, n counters.NewEnrolment) (counters.Session, error) {
	err := t.change("enrol", func() error {
		if err := t.open(counters.Enrol, n.Tablet, n.Identification); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(tillText))
		t.samples = nil
		t.session.Enrolment = &counters.Progress{Wanted: 6}
		t.session.Consent = &counters.Given{Text: "it-1", SHA256: hex.EncodeToString(sum[:])}
		return nil
	})
	return t.session, err
}

func (t *till) OpenDossier(ctx context.Context, _ staff.Member, n counters.NewDossier) (counters.Session, error) {
	err := t.change("dossier "+n.Reference, func() error {
		if !t.customer.Enrolled {
			return atCounter(counters.NoProfile)
		}
		if err := t.open(counters.Sign, n.Tablet, n.Identification); err != nil {
			return err
		}
		t.session.Reference, t.session.Code = n.Reference, "7F3A-22C9"
		t.shown = map[string]map[int]bool{}
		for i, o := range n.Documents {
			d, err := t.rooms.Document(ctx, t.customer.ID, o.Document)
			if err != nil {
				return err
			}
			doc := counters.Document{ID: d.ID, Name: d.Name, SHA256: d.SHA256, Pages: d.Pages, Seq: i, Output: strings.TrimSuffix(d.Name, ".pdf") + "-firmato.pdf", Digest: d.SHA256}
			for _, f := range d.Report.Findings {
				doc.Findings = append(doc.Findings, f.Text.It)
			}
			t.session.Documents = append(t.session.Documents, doc)
			t.shown[d.ID] = map[int]bool{}
		}
		return nil
	})
	return t.session, err
}

func (t *till) Challenge(context.Context, staff.Member, string, string) (vault.Challenge, error) {
	return vault.Challenge{}, refuse(signing.NotFound)
}

func (t *till) Begin(_ context.Context, _ staff.Member, id string, e vault.Evidence) (counters.Session, error) {
	err := t.change("begin", func() error {
		switch {
		case id != t.session.ID:
			return atCounter(counters.NotFound)
		case e.OTP != "123456":
			return refuse(signing.WrongFactors)
		case t.session.State != counters.Open:
			return atCounter(counters.BadState)
		}
		t.session.State = counters.Reading
		return nil
	})
	return t.session, err
}

func (t *till) Session(_ context.Context, _ staff.Member, id string) (counters.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != t.session.ID {
		return counters.Session{}, atCounter(counters.NotFound)
	}
	return t.current(), nil
}

func (t *till) Watch(ctx context.Context, by staff.Member, id string, seen int64) (counters.Session, error) {
	t.await(ctx, seen)
	return t.Session(ctx, by, id)
}

func (t *till) Sessions(context.Context, staff.Member) ([]counters.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session.ID == "" {
		return nil, nil
	}
	return append([]counters.Session{t.current()}, t.past...), nil
}

func (t *till) Page(ctx context.Context, _ staff.Member, id, document string, page int) ([]byte, error) {
	return t.TabletPage(ctx, t.tablet.ID, id, document, page)
}

func (t *till) Output(_ context.Context, _ staff.Member, id string, seq int) (*signing.Output, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != t.session.ID || t.session.State != counters.Done || seq >= len(t.session.Documents) {
		return nil, atCounter(counters.NotFound)
	}
	f, err := os.Open("testdata/pad.js")
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return &signing.Output{Name: t.session.Documents[seq].Output, MediaType: "application/pdf", Size: info.Size(), File: f}, err
}

func (t *till) RemoveSample(_ context.Context, _ staff.Member, _ string, index int) (counters.Session, error) {
	err := t.change("remove", func() error {
		if index < 0 || index >= len(t.samples) {
			return atCounter(counters.Invalid)
		}
		t.samples = append(t.samples[:index], t.samples[index+1:]...)
		t.session.Enrolment.Count, t.session.Enrolment.Ready = len(t.samples), false
		t.session.State = counters.Signing
		return nil
	})
	return t.session, err
}

func (t *till) FinishEnrolment(_ context.Context, by staff.Member, _ string, second string, e vault.Evidence) (counters.Session, error) {
	err := t.change("finish "+second, func() error {
		switch {
		case second == by.Username:
			return atCounter(counters.SamePerson)
		case e.OTP != "123456":
			return refuse(signing.WrongFactors)
		}
		t.end(counters.Done, "")
		t.session.Certificate, t.session.EmergencyCode = "3fa01b77c2d94e10", goodEmergency
		t.customer.Enrolled = true
		t.customer.Consent = t.session.Consent
		return nil
	})
	return t.session, err
}

func (t *till) Cancel(_ context.Context, _ staff.Member, _, reason string) (counters.Session, error) {
	err := t.change("cancel "+reason, func() error { t.end(counters.Cancelled, reason); return nil })
	return t.session, err
}

func (t *till) Withdraw(context.Context, staff.Member, string) error {
	return t.change("withdraw", func() error {
		t.customer.Enrolled, t.customer.Consent = false, nil
		return nil
	})
}

func (t *till) Tablets(context.Context, staff.Member) ([]counters.Tablet, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.tablet
	one.Online, one.Device, one.Busy = true, t.device, t.session.ID != "" && !t.session.State.Ended()
	return []counters.Tablet{one, {ID: "t-2", Name: "Sportello 1", Centre: one.Centre, Class: "wacom-stu", State: counters.TabletActive, Created: one.Created}}, nil
}

func (t *till) NewTabletCode(_ context.Context, _ staff.Member, n counters.NewTablet) (counters.Tablet, string, time.Time, error) {
	err := t.change("invite "+n.Name, func() error { t.tablet.Name = n.Name; return nil })
	return t.tablet, tillCode, time.Now().Add(10 * time.Minute), err
}

func (t *till) ChallengeTablet(context.Context, staff.Member, string, string, string) (vault.Challenge, error) {
	return vault.Challenge{}, nil
}

func (t *till) ConfirmTablet(_ context.Context, _ staff.Member, _, fingerprint string, e vault.Evidence) (counters.Tablet, error) {
	err := t.change("confirm", func() error {
		if fingerprint != t.tablet.Fingerprint || e.OTP != "123456" || string(e.Password) != testPassword {
			return refuse(signing.WrongFactors)
		}
		t.tablet.State = counters.TabletActive
		return nil
	})
	return t.tablet, err
}

func (t *till) RevokeTablet(_ context.Context, _ staff.Member, _, reason string) error {
	return t.change("revoke "+reason, func() error { t.tablet.State = counters.TabletRevoked; return nil })
}

func (t *till) Counts(context.Context, staff.Member) (vault.GraphometricReport, error) {
	return vault.GraphometricReport{ImpostorComparisons: 3050, ImpostorMatches: 1, Enrolments: 412, EnrolFailures: 9, EnrolSamples: 2611, EnrolRefused: 118, Captures: 3120, Unusable: 41, Updates: 1877, Replays: 2, ProfilesActive: 398, TabletsActive: 14,
		Attempts: [vault.MaxAttempts]vault.Outcomes{{Match: 2894, Repeat: 171, Refuse: 12}, {Match: 139, Repeat: 24, Refuse: 3}, {Match: 17, Repeat: 0, Refuse: 5}}}, nil
}

// The tablet's side.

func (t *till) EnrolTablet(_ context.Context, code, class string, publicKey []byte) (counters.Tablet, string, error) {
	err := t.change("register "+class, func() error {
		key, err := x509.ParsePKIXPublicKey(publicKey)
		if err != nil || code != tillCode {
			return atCounter(counters.WrongCode)
		}
		t.key = key.(*ecdsa.PublicKey)
		sum := sha256.Sum256(publicKey)
		t.tablet.State, t.tablet.Class, t.tablet.Fingerprint = counters.TabletPending, class, strings.ToUpper(hex.EncodeToString(sum[:2])+"-"+hex.EncodeToString(sum[2:4])+"-"+hex.EncodeToString(sum[4:6]))
		return nil
	})
	return t.tablet, tillToken, err
}

func (t *till) TabletOf(_ context.Context, token string) (counters.Tablet, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token != tillToken {
		return counters.Tablet{}, atCounter(counters.Unknown)
	}
	return t.tablet, nil
}

func (t *till) view() counters.TabletView {
	s := t.session
	v := counters.TabletView{Version: t.version, Step: counters.StepIdle}
	switch {
	case s.ID == "":
		return v
	case s.State == counters.Open:
		v.Step, v.Session, v.Purpose, v.Locale = counters.StepWait, s.ID, s.Purpose, t.customer.Locale
		return v
	case s.State.Ended():
		v.Step, v.Session, v.Purpose, v.Locale, v.Why = counters.StepStopped, s.ID, s.Purpose, t.customer.Locale, s.Why
		if s.State == counters.Done {
			v.Step = counters.StepDone
		}
		return v
	}
	v.Session, v.Purpose, v.Locale, v.Customer, v.Operator, v.Centre, v.Code, v.Why = s.ID, s.Purpose, t.customer.Locale, s.Customer, "Sara Sicura", s.Centre, s.Code, s.Why
	v.Try, v.MaxTries, v.Repeat = s.Tries+1, s.MaxTries, s.Repeat
	for _, d := range s.Documents {
		one := counters.TabletDocument{ID: d.ID, Name: d.Name, Pages: d.Pages, Findings: d.Findings, Accepted: d.Accepted, Shown: []int{}}
		for n := range t.shown[d.ID] {
			one.Shown = append(one.Shown, n)
		}
		v.Documents = append(v.Documents, one)
	}
	if s.Enrolment != nil {
		p := *s.Enrolment
		v.Progress = &p
	}
	switch s.State {
	case counters.Reading:
		v.Step = counters.StepRead
		if s.Purpose == counters.Enrol {
			v.Step, v.Consent = counters.StepConsent, &counters.Text{ID: "it-1", Locale: "it", Body: tillText, SHA256: s.Consent.SHA256}
		}
	case counters.Signing:
		v.Step = counters.StepSign
	case counters.Matched:
		v.Step = counters.StepWait
	}
	return v
}

func (t *till) TabletState(ctx context.Context, _ string, seen int64) (counters.TabletView, error) {
	t.await(ctx, seen)
	t.mu.Lock()
	defer t.mu.Unlock()
	if seen < 0 && t.broken > 0 {
		t.broken--
		return counters.TabletView{}, refuse(signing.Busy)
	}
	return t.view(), nil
}

func (t *till) TabletPage(ctx context.Context, _, session, document string, page int) ([]byte, error) {
	t.mu.Lock()
	mine := session == t.session.ID && t.shown[document] != nil
	t.mu.Unlock()
	if !mine {
		return nil, atCounter(counters.NotFound)
	}
	t.mu.Lock()
	t.given++
	t.mu.Unlock()
	return t.rooms.Page(ctx, testHolder, document, page)
}

// told is change for the tablet: only of the session that it shows.
func (t *till) told(what, session string, do func() error) (counters.TabletView, error) {
	err := t.change(what, func() error {
		if session != t.session.ID || t.session.State.Ended() {
			return atCounter(counters.BadState)
		}
		return do()
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view(), err
}

func (t *till) ready() {
	for _, d := range t.session.Documents {
		if len(t.shown[d.ID]) < d.Pages || len(d.Findings) > 0 && !d.Accepted {
			return
		}
	}
	t.session.State = counters.Signing
}

func (t *till) Read(_ context.Context, _, session, document string, page int) (counters.TabletView, error) {
	return t.told("read", session, func() error {
		t.shown[document][page] = true
		for i := range t.session.Documents {
			t.session.Documents[i].Shown = len(t.shown[t.session.Documents[i].ID])
		}
		t.ready()
		return nil
	})
}

func (t *till) Accept(_ context.Context, _, session, document string) (counters.TabletView, error) {
	return t.told("accept", session, func() error {
		for i := range t.session.Documents {
			t.session.Documents[i].Accepted = t.session.Documents[i].Accepted || t.session.Documents[i].ID == document
		}
		t.ready()
		return nil
	})
}

func (t *till) Consent(_ context.Context, _, session, sum string, agrees bool) (counters.TabletView, error) {
	return t.told("consent", session, func() error {
		if sum != t.session.Consent.SHA256 {
			return atCounter(counters.Stale)
		}
		if !agrees {
			t.end(counters.Refused, counters.WhyCustomer)
			return nil
		}
		t.session.Consent.At, t.session.State = time.Now(), counters.Signing
		return nil
	})
}

func (t *till) Arm(_ context.Context, _, session string) (counters.Armed, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if session != t.session.ID || t.session.State != counters.Signing {
		return counters.Armed{}, atCounter(counters.BadState)
	}
	t.armed = newArmed()
	return counters.Armed{Nonce: t.armed.nonce, PublicKey: t.armed.key.PublicKey().Bytes(), Context: t.armed.context, Expires: time.Now().Add(vault.ArmedLife)}, nil
}

func (t *till) Submit(_ context.Context, _, session string, c counters.Captured) (counters.TabletView, error) {
	return t.told("submit", session, func() error {
		if t.armed.key == nil {
			return atCounter(counters.Stale)
		}
		sample, err := t.armed.unseal(t.key, c.Nonce, c.Ephemeral, c.Sealed, c.Signature, c.Started)
		t.armed = armed{}
		if age := time.Now().UnixMilli() - c.Started; err != nil || age < 0 || age > vault.ArmedLife.Milliseconds() {
			return &counters.Error{Kind: counters.Stale, Msg: "sign again", Err: err}
		}
		shape, reason := shapeOf(sample)
		for _, one := range t.seen {
			if bytes.Equal(one, sample) {
				reason = "copy"
			}
		}
		t.seen = append(t.seen, bytes.Clone(sample))
		if t.session.Purpose == counters.Enrol {
			t.enrol(shape, reason)
		} else {
			t.compare(shape, reason)
		}
		return nil
	})
}

func (t *till) enrol(shape [64]float64, reason string) {
	p := t.session.Enrolment
	p.Reasons, p.Pause = nil, false
	if reason == "" && len(t.samples) > 0 && !alike(shape, t.samples[0]) {
		reason = "differs"
	}
	if reason != "" {
		p.Reasons = []string{reason}
		return
	}
	t.samples = append(t.samples, shape)
	p.Count, p.Pause, p.Ready = len(t.samples), len(t.samples) == 3, len(t.samples) >= 4
	if p.Count == p.Wanted {
		t.session.State = counters.Matched
	}
}

func (t *till) compare(shape [64]float64, reason string) {
	t.session.Repeat = false
	switch {
	case reason == "copy":
		t.end(counters.Refused, counters.WhyUnrecognised)
	case reason == "" && alike(shape, t.samples[0]):
		t.end(counters.Done, "")
	default:
		t.session.Tries++
		t.session.Repeat = true
		if t.session.Tries == t.session.MaxTries {
			t.end(counters.Refused, counters.WhyUnrecognised)
		}
	}
}

func (t *till) Leave(_ context.Context, _, session, reason string) (counters.TabletView, error) {
	return t.told("leave "+reason, session, func() error { t.end(counters.Cancelled, reason); return nil })
}

func (t *till) Report(_ context.Context, _ string, d counters.Device) error {
	return t.change("device", func() error { t.device = d; return nil })
}

// shapeOf is the height of a signature at 64 places along its length, or a reason why it is
// none.
func shapeOf(sample []byte) (out [64]float64, reason string) {
	var c captured
	if err := json.Unmarshal(sample, &c); err != nil {
		return out, "bad-readings"
	}
	var down [][7]float64
	levels := map[float64]bool{}
	for _, p := range c.Points {
		if p[6] == 1 {
			down, levels[p[3]] = append(down, p), true
		}
	}
	switch {
	case len(down) < 30:
		return out, "too-short"
	case len(levels) < 2:
		return out, "constant-pressure"
	}
	for i := range out {
		out[i] = down[i*len(down)/64][2]
	}
	return out, ""
}

// alike says whether two shapes go along with each other.
func alike(a, b [64]float64) bool {
	var ma, mb, ab, aa, bb float64
	for i := range a {
		ma, mb = ma+a[i]/64, mb+b[i]/64
	}
	for i := range a {
		ab, aa, bb = ab+(a[i]-ma)*(b[i]-mb), aa+(a[i]-ma)*(a[i]-ma), bb+(b[i]-mb)*(b[i]-mb)
	}
	return ab/math.Sqrt(aa*bb) > 0.9
}
