package counter

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/auth/staff"
	"sigillo/formats/inspect"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// A dossier from the opening to its copies: nothing is offered before its time.
func TestDossier(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	ctx := t.Context()
	orders := r.brought(r.oreste, 2, 1)
	s, err := r.OpenDossier(ctx, r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: orders, Reference: "P-77"})
	r.must(err)
	if v := r.awake(r.tablet); v.Step != StepWait || len(v.Documents) != 0 || v.Code != "" {
		t.Errorf("before the operator is there the tablet shows %+v", v)
	}
	_, err = r.TabletPage(ctx, r.tablet, s.ID, orders[0].Document, 1)
	r.wants(BadState, err)
	s, err = r.Begin(ctx, r.oreste, s.ID, vault.Evidence{Password: []byte("secret"), OTP: "1"}) // the password is not passed on
	r.must(err)
	if s.State != Reading || s.Code == "" || s.Customer != "Anna Rossi" || s.Reference != "P-77" {
		t.Errorf("%+v", s)
	}
	n := r.vault.open["capture-2"]
	if n == nil || n.Operator.Holder != r.oreste.ID || n.Tablet != r.tablet || n.Holder != r.holder || len(n.Digests) != 2 {
		t.Errorf("the vault has opened %+v", n)
	}
	for _, d := range orders {
		_, err = r.Arm(ctx, r.tablet, s.ID)
		r.wants(Unread, err)
		_, err = r.Submit(ctx, r.tablet, s.ID, Captured{Capture: "capture-2"})
		r.wants(Unread, err)
		for p := 1; p <= r.signs.documents[d.Document].Pages; p++ {
			_, err := r.Read(ctx, r.tablet, s.ID, d.Document, p)
			r.wants(Unread, err) // it was not given
			b, err := r.TabletPage(ctx, r.tablet, s.ID, d.Document, p)
			r.must(err)
			seen, err := r.Page(ctx, r.oreste, s.ID, d.Document, p)
			r.must(err)
			if string(b) != string(seen) {
				t.Error("the operator sees something else")
			}
			_, err = r.Read(ctx, r.tablet, s.ID, d.Document, p)
			r.must(err)
		}
	}
	v := r.awake(r.tablet)
	if v.Step != StepSign || v.Try != 1 || v.Code != s.Code || v.Operator != "oreste X" || !slices.Equal(v.Documents[0].Shown, []int{1, 2}) {
		t.Errorf("%+v", v)
	}
	r.journalled(s.ID, "counter.read")
	_, err = r.Submit(ctx, r.tablet, s.ID, Captured{Capture: "capture-1"})
	r.wants(Stale, err)
	v, err = r.Submit(ctx, r.tablet, s.ID, r.captured(s.ID))
	r.must(err)
	if v.Step != StepDone || v.Customer != "" {
		t.Errorf("%+v", v)
	}
	s, err = r.Session(ctx, r.oreste, s.ID)
	r.must(err)
	if s.State != Done || !s.Documents[1].Signed || s.Documents[1].Output == "" || s.Tries != 0 {
		t.Errorf("%+v", s)
	}
	_, err = r.Output(ctx, r.oreste, s.ID, 1)
	r.must(err)
	r.journalled(s.ID, "counter.copy")
	_, err = r.Cancel(ctx, r.oreste, s.ID, WhyOperator)
	r.wants(BadState, err)
	r.clock.pass(showLife + time.Second)
	if v := r.awake(r.tablet); v.Step != StepIdle || v.Session != "" {
		t.Errorf("%+v", v)
	}
}

// What the inspection has found is accepted on the tablet, or nothing is signed.
func TestFindings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	r.signs.findings = []inspect.Finding{{Rule: "pdf.links", Severity: inspect.Confirm}, {Rule: "pdf.links", Severity: inspect.Confirm}, {Rule: "x", Severity: inspect.Allow}}
	s := r.dossier(1)
	if v := r.readAll(s); v.Step != StepRead || !slices.Equal(v.Documents[0].Findings, []string{"pdf.links"}) {
		t.Fatalf("%+v", v)
	}
	_, err := r.Arm(t.Context(), r.tablet, s.ID)
	r.wants(Unread, err)
	v, err := r.Accept(t.Context(), r.tablet, s.ID, s.Documents[0].ID)
	r.must(err)
	if v.Step != StepSign {
		t.Errorf("%+v", v)
	}
}

// Who is not recognised signs again, three times in all, and then goes another way.
func TestNotRecognised(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcomes []func(*signing.Transaction) error
		state    State
		why      string
		tries    int
	}{
		"at the third": {[]func(*signing.Transaction) error{refused(vault.Mismatch), refused(vault.Mismatch)}, Done, "", 2},
		"never":        {[]func(*signing.Transaction) error{refused(vault.Mismatch), refused(vault.Mismatch), refused(vault.Unrecognised)}, Refused, WhyUnrecognised, 3},
		"at once":      {[]func(*signing.Transaction) error{refused(vault.Unrecognised)}, Refused, WhyUnrecognised, 1},
		"locked":       {[]func(*signing.Transaction) error{refused(vault.SignatureLocked)}, Refused, WhyUnrecognised, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enrolled()
			s := r.dossier(1)
			r.readAll(s)
			r.signs.outcomes = c.outcomes
			for i := range 3 {
				v, err := r.Submit(t.Context(), r.tablet, s.ID, r.captured(s.ID))
				r.must(err)
				if v.Step != StepSign {
					break
				}
				if !v.Repeat || v.Try != i+2 {
					t.Errorf("%+v", v)
				}
			}
			s, err := r.Session(t.Context(), r.oreste, s.ID)
			r.must(err)
			if s.State != c.state || s.Why != c.why || s.Tries != c.tries {
				t.Errorf("%+v", s)
			}
			if c.state == Refused {
				r.journalled(s.ID, "counter.refused")
				if r.signs.transactions[s.Transaction].State != signing.Failed || !slices.Contains(r.vault.closed, "capture-2") {
					t.Error("something was left open")
				}
			}
		})
	}
}

// Faults in the middle: what can pass leaves the session where it was, what cannot ends it.
func TestFaults(t *testing.T) {
	t.Parallel()
	gone := func(to signing.State) func(*signing.Transaction) error {
		return func(tr *signing.Transaction) error {
			tr.State = to
			return &signing.Error{Kind: signing.KeyUnavailable, Msg: "gone"}
		}
	}
	for name, c := range map[string]struct {
		outcome  func(*signing.Transaction) error
		state    State
		fails    bool
		after    signing.State // the transaction then is
		finally  State
		finalWhy string
	}{
		"stale":       {refused(vault.StaleCapture), Signing, true, signing.Prepared, Signing, ""},
		"bad sample":  {refused(vault.BadSample), Signing, true, signing.Prepared, Signing, ""},
		"vault gone":  {gone(signing.Prepared), Signing, true, signing.Prepared, Signing, ""},
		"half":        {gone(signing.Signed), Matched, false, signing.Delivered, Done, ""},
		"set back":    {gone(signing.Authorised), Matched, false, signing.Prepared, Failed, WhyFault},
		"never valid": {gone(signing.Failed), Failed, false, signing.Failed, Failed, WhyFault},
		"certificate": {func(*signing.Transaction) error { return &signing.Error{Kind: signing.CertRevoked} }, Failed, false, signing.Failed, Failed, WhyCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enrolled()
			s := r.dossier(1)
			r.readAll(s)
			r.signs.outcomes = []func(*signing.Transaction) error{c.outcome}
			_, err := r.Submit(t.Context(), r.tablet, s.ID, r.captured(s.ID))
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if s, err = r.Session(t.Context(), r.oreste, s.ID); err != nil || s.State != c.state || s.Tries != 0 {
				t.Fatalf("%+v %v", s, err)
			}
			r.signs.transactions[s.Transaction].State = c.after
			r.must(r.Sweep(t.Context()))
			if s, err = r.Session(t.Context(), r.oreste, s.ID); err != nil || s.State != c.finally || s.Why != c.finalWhy {
				t.Fatalf("%+v %v", s, err)
			}
			if c.finally == Signing { // it goes on
				v, err := r.Submit(t.Context(), r.tablet, s.ID, r.captured(s.ID))
				if err != nil || v.Step != StepDone {
					t.Fatalf("%+v %v", v, err)
				}
			}
		})
	}
}

// An enrolment, and another one, which takes the place of the first.
func TestEnrolment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	s, err := r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport, Locale: "en", Reference: "C-5"})
	r.must(err)
	if s.Reference != "C-5" {
		t.Error(s.Reference)
	}
	s, err = r.Begin(ctx, r.oreste, s.ID, otp("1"))
	r.must(err)
	v := r.awake(r.tablet)
	if v.Step != StepConsent || v.Consent == nil || v.Consent.ID != "en-1" {
		t.Fatalf("%+v", v)
	}
	_, err = r.Arm(ctx, r.tablet, s.ID)
	r.wants(BadState, err) // before the consent nothing is taken
	_, err = r.Consent(ctx, r.tablet, s.ID, strings.Repeat("0", 64), true)
	r.wants(Invalid, err)
	v, err = r.Consent(ctx, r.tablet, s.ID, v.Consent.SHA256, true)
	r.must(err)
	if v.Step != StepSign {
		t.Fatalf("%+v", v)
	}
	for i := range 6 {
		if v, err = r.Submit(ctx, r.tablet, s.ID, r.captured(s.ID)); err != nil || v.Progress.Count != i+1 || v.Progress.Pause != (i == 2) {
			t.Fatalf("%+v %v", v.Progress, err)
		}
		if i == 1 {
			s, err = r.FinishEnrolment(ctx, r.ornella, s.ID, "", otp("2"))
			r.wants(BadState, err) // too few
			s = Session{ID: v.Session}
		}
	}
	if v.Step != StepWait {
		t.Errorf("%+v", v)
	}
	s, err = r.RemoveSample(ctx, r.oreste, s.ID, 5)
	r.must(err)
	if s.State != Signing || s.Enrolment.Count != 5 || !s.Enrolment.Ready {
		t.Errorf("%+v", s)
	}
	s, err = r.FinishEnrolment(ctx, r.ornella, s.ID, "", otp("2"))
	r.must(err)
	first := s.Credential
	if s.State != Done || s.EmergencyCode == "" || r.vault.finish.Second.Holder != r.ornella.ID || len(r.vault.finish.Consent) != 32 {
		t.Errorf("%+v %+v", s, r.vault.finish)
	}
	if s, err = r.Session(ctx, r.oreste, s.ID); err != nil || s.EmergencyCode != "" {
		t.Errorf("the emergency code is shown twice: %v", err)
	}
	again := r.enrolled() // the consent is in force, and not asked for again
	if again.Credential == first || !r.house.revoked[first] || !slices.Contains(r.vault.destroyed, first) || r.house.revoked[again.Credential] {
		t.Error("the first key is good still, or the second is not")
	}
	for _, e := range []string{"counter.enrolment-opened", "counter.begun", "consent.given", "counter.sample", "counter.sample-removed", "counter.enrolment-approved", "counter.done"} {
		r.journalled(s.ID, e)
	}
	c, err := r.Customers(ctx, r.oreste, r.holder)
	if err != nil || !c[0].Enrolled || c[0].Consent == nil || c[0].Waiting {
		t.Errorf("%+v %v", c, err)
	}
}

// Who approves is somebody else, of the same house, and has the right.
func TestSecondPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	s := r.sampled(4)
	if i := s.Identification; i == nil || i.Number != passport.Number || i.Kind != passport.Kind {
		t.Errorf("the second person cannot check %+v", i)
	}
	for name, c := range map[string]struct {
		by     member
		second string
		want   Kind
		staff  staff.Kind
	}{
		"the operator":        {r.oreste, "", SamePerson, ""},
		"the operator, named": {r.ornella, "oreste", SamePerson, ""},
		"elsewhere":           {r.elsewhere, "", NotFound, ""},
		"named, elsewhere":    {r.oreste, "ezio", NotPermitted, ""},
		"no right":            {r.oreste, "sara", NotPermitted, ""},
		"technical":           {r.tullio, "", "", staff.NotPermitted},
		"not signed in":       {r.oreste, "ornella", SignedOut, ""},
		"nobody":              {r.oreste, "nobody", Invalid, ""},
	} {
		_, err := r.FinishEnrolment(ctx, c.by, s.ID, c.second, otp("2"))
		if c.want != "" && KindOf(err) != c.want || c.staff != "" && staff.KindOf(err) != c.staff || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.vault.fail["finish"] = &vault.Error{Kind: vault.WrongOTP}
	if _, err := r.FinishEnrolment(ctx, r.ornella, s.ID, "", otp("2")); signing.KindOf(err) != signing.WrongFactors {
		t.Error(err)
	}
	r.journalled(s.ID, "counter.approval-refused")
	c, err := r.Challenge(ctx, r.carla, s.ID, "")
	if err != nil || string(c.Options) != "vault.FinishEnrolment" {
		t.Errorf("%s %v", c.Options, err)
	}
	r.signIn(r.ornella)
	s, err = r.FinishEnrolment(ctx, r.oreste, s.ID, "ornella", otp("2"))
	if err != nil || s.State != Done {
		t.Errorf("%+v %v", s, err)
	}
}

// Certification is of no centre and approves everywhere.
func TestCertificationApproves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sampled(4)
	s, err := r.FinishEnrolment(t.Context(), r.carla, s.ID, "", otp("2"))
	if err != nil || s.State != Done {
		t.Errorf("%+v %v", s, err)
	}
}

func TestNoEnrolment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	s, err := r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	s, err = r.Begin(ctx, r.oreste, s.ID, otp("1"))
	r.must(err)
	v, err := r.Consent(ctx, r.tablet, s.ID, "", false)
	r.must(err)
	if v.Step != StepStopped || v.Why != WhyCustomer {
		t.Errorf("%+v", v)
	}
	r.vault.step = func(s vault.EnrolStep) vault.EnrolStep {
		s.Odd, s.Ready = 1, false
		return s
	}
	if s = r.sampled(4); s.State != Signing || s.Enrolment.Odd != 1 || s.Enrolment.Ready {
		t.Errorf("%+v", s)
	}
	_, err = r.Cancel(ctx, r.oreste, s.ID, WhyCustomer)
	r.must(err)
	r.vault.step = func(s vault.EnrolStep) vault.EnrolStep {
		s.Failed = true
		return s
	}
	if s = r.sampled(1); s.State != Refused || s.Why != WhyNoEnrolment {
		t.Errorf("%+v", s)
	}
	_, err = r.OpenDossier(ctx, r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)})
	r.wants(NoProfile, err)
}

// A key that is made gets its certificate, now or later.
func TestCertificateLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sampled(4)
	r.house.fail = errors.New("the authority is not there")
	s, err := r.FinishEnrolment(t.Context(), r.ornella, s.ID, "", otp("2"))
	r.must(err)
	if s.State != Matched || s.EmergencyCode != "" {
		t.Fatalf("%+v", s)
	}
	_, err = r.Cancel(t.Context(), r.oreste, s.ID, WhyOperator)
	r.wants(BadState, err)
	r.restart()
	if _, err := r.Resolve(t.Context()); err == nil {
		t.Error("the authority is not there, and nobody says so")
	}
	r.house.fail = nil
	r.must(r.Sweep(t.Context()))
	if s, err = r.Session(t.Context(), r.oreste, s.ID); err != nil || s.State != Done || s.Certificate == "" {
		t.Fatalf("%+v %v", s, err)
	}
}

// Withdrawal: at once, whatever else can be reached.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	key := r.enrolled().Credential
	s := r.dossier(1)
	if err := r.Withdraw(ctx, r.tullio, r.holder); staff.KindOf(err) != staff.NotPermitted {
		t.Error(err)
	}
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.Unavailable}
	if err := r.Withdraw(ctx, r.oreste, r.holder); signing.KindOf(err) != signing.KeyUnavailable {
		t.Error(err)
	}
	r.journalled(r.holder, "consent.withdrawn")
	if s, _ = r.Session(ctx, r.oreste, s.ID); s.State != Cancelled || s.Why != WhyCustomer {
		t.Errorf("%+v", s)
	}
	_, err := r.OpenDossier(ctx, r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)})
	r.wants(NoConsent, err)
	r.wants(NoConsent, r.Withdraw(ctx, r.oreste, r.holder))
	r.must(r.forget(ctx, r.holder, "appliance")) // as Sweep does
	if !r.house.revoked[key] || !slices.Contains(r.vault.destroyed, key) {
		t.Error("the key is there still")
	}
}

// Withdrawn between the signatures and the approval: no key is kept.
func TestWithdrawnBeforeApproval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sampled(4)
	r.write(func(tx *store.Tx) error { return tx.WithdrawConsent(r.holder, "x", r.clock.now()) })
	if _, err := r.FinishEnrolment(t.Context(), r.ornella, s.ID, "", otp("2")); err == nil {
		t.Fatal("a key without consent")
	}
	if len(r.vault.destroyed) != 1 {
		t.Error("the vault was not told")
	}
}

// A new text is asked for at the next enrolment; until then the consent to the old one counts.
func TestNewText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	text, err := NewText("it-2", strings.Repeat("Another text. ", 20))
	r.must(err)
	r.cfg.Texts = []Text{text}
	s := r.dossier(1)
	r.must(second(r.Cancel(t.Context(), r.oreste, s.ID, WhyOperator)))
	s, err = r.OpenEnrolment(t.Context(), r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	_, err = r.Begin(t.Context(), r.oreste, s.ID, otp("1"))
	r.must(err)
	v := r.awake(r.tablet)
	if v.Step != StepConsent || v.Consent.ID != "it-2" {
		t.Fatalf("%+v", v)
	}
	r.must(second(r.Consent(t.Context(), r.tablet, s.ID, text.SHA256, true)))
	c, err := r.inForce(t.Context(), r.holder)
	if err != nil || c.Text != "it-2" {
		t.Errorf("%+v %v", c, err)
	}
}

// A member who is a customer, too, is served by others, and approved by others.
func TestNobodyServesHimself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	self := r.oreste
	self.FiscalCode = "SMPDAA80A41H501X"
	_, err := r.OpenEnrolment(t.Context(), self, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.wants(SamePerson, err)
	s := r.sampled(4)
	r.write(func(tx *store.Tx) error { return tx.RemoveStaff(r.ornella.ID, r.clock.now()) })
	factors, _ := json.Marshal(vault.Factors{Holder: "staff-anna"})
	r.write(func(tx *store.Tx) error {
		return tx.PutStaff(store.Staff{ID: "staff-anna", Username: "anna", FiscalCode: self.FiscalCode, Role: string(staff.RegistrationOfficer), Centre: here,
			State: store.StaffActive, Factors: factors})
	})
	anna := staff.Member{ID: "staff-anna", FiscalCode: self.FiscalCode, Role: staff.RegistrationOfficer, Centre: here}
	_, err = r.FinishEnrolment(t.Context(), anna, s.ID, "", otp("2"))
	r.wants(SamePerson, err)
	_, err = r.FinishEnrolment(t.Context(), r.ornella, s.ID, "", otp("2"))
	r.wants(NotPermitted, err) // not in office any more
}
