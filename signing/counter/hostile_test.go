package counter

import (
	"errors"
	"slices"
	"testing"

	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// A member of the staff can be a customer, too: somebody else serves them, and approves.
// The vault does not know that two records of factors are one person.
func TestServesThemselves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	key := r.enrolled().Credential
	is := func(m member) member { m.FiscalCode = "smpdaa80a41h501x"; return m }
	_, err := r.OpenEnrolment(ctx, is(r.oreste), NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.wants(SamePerson, err)
	_, err = r.OpenDossier(ctx, is(r.oreste), NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)})
	r.wants(SamePerson, err)

	s := r.sampled(4)
	anna := member{ID: "staff-anna", Username: "anna", Role: staff.Certification}
	r.write(func(tx *store.Tx) error {
		return tx.PutStaff(store.Staff{ID: anna.ID, Username: "anna", GivenName: "Anna", Surname: "Rossi", FiscalCode: "SMPDAA80A41H501X",
			Role: string(anna.Role), State: store.StaffActive, Factors: []byte(`{"version":1,"holder":"staff-anna"}`), Created: r.clock.now(), Changed: r.clock.now()})
	})
	_, err = r.FinishEnrolment(ctx, anna, s.ID, "", otp("2"))
	r.wants(SamePerson, err)
	r.wants(SamePerson, r.RollBack(ctx, anna, key, 1, "disputed", otp("2")))
}

// An enrolment of which the vault has made a key, and the answer was lost: whatever ends the
// session, nothing stays behind in the vault that nobody would find.
func TestProfileLeftBehind(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig, Session) error{
		"restart":   func(r *rig, _ Session) error { r.restart(); _, err := r.Resolve(t.Context()); return err },
		"cancel":    func(r *rig, s Session) error { return second(r.Cancel(t.Context(), r.oreste, s.ID, WhyOperator)) },
		"time":      func(r *rig, s Session) error { r.clock.pass(SessionLife); return r.Sweep(t.Context()) },
		"withdrawn": func(r *rig, _ Session) error { return r.Withdraw(t.Context(), r.oreste, r.holder) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := r.sampled(4)
			r.vault.fail["lost"] = &vault.Error{Kind: vault.Unavailable}
			if _, err := r.FinishEnrolment(t.Context(), r.ornella, s.ID, "", otp("2")); err == nil || len(r.vault.profiles) != 1 {
				t.Fatal(err)
			}
			r.must(end(r, s))
			if got, err := r.Session(t.Context(), r.oreste, s.ID); err != nil || !got.State.Ended() {
				t.Errorf("%+v %v", got, err)
			}
			if len(r.vault.profiles) != 0 {
				t.Error("a profile was left in the vault")
			}
		})
	}
}

// Where the vault cannot be reached the session goes on, until it can.
func TestProfileLeftBehindLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sampled(4)
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.Unavailable}
	r.restart()
	if _, err := r.Resolve(t.Context()); err == nil {
		t.Error("nobody says so")
	}
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.NotAllowed, Msg: "there is none"}
	r.clock.pass(SessionLife)
	r.must(r.Sweep(t.Context()))
	if got, err := r.Session(t.Context(), r.oreste, s.ID); err != nil || got.State != Expired {
		t.Errorf("%+v %v", got, err)
	}
}

// Withdrawn after the session was put together: the customer is asked, before anything is
// written.
func TestWithdrawnBeforeBegin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.enrolled()
	s, err := r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	r.write(func(tx *store.Tx) error { return tx.WithdrawConsent(r.holder, "x", r.clock.now()) })
	if s, err = r.Begin(ctx, r.oreste, s.ID, otp("1")); err != nil || s.State != Reading || s.Consent != nil {
		t.Errorf("%+v %v", s, err)
	}
	if v := r.awake(r.tablet); v.Step != StepConsent {
		t.Errorf("%+v", v)
	}
}

// Withdrawn while the certificate was waited for, and the vault could not be reached: none
// is issued any more.
func TestNoCertificateAfterWithdrawal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	s := r.sampled(4)
	r.house.fail = errors.New("the authority is not there")
	s, err := r.FinishEnrolment(ctx, r.ornella, s.ID, "", otp("2"))
	r.must(err)
	r.house.fail = nil
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.Unavailable}
	if err := r.Withdraw(ctx, r.oreste, r.holder); signing.KindOf(err) != signing.KeyUnavailable {
		t.Fatal(err)
	}
	r.must(r.Sweep(ctx))
	got, err := r.Session(ctx, r.oreste, s.ID)
	if err != nil || got.State != Cancelled || got.Certificate != "" || r.house.n != 0 {
		t.Errorf("%+v %v, %d certificates", got, err, r.house.n)
	}
	if !slices.Contains(r.vault.destroyed, s.Credential) || !r.house.revoked[s.Credential] {
		t.Error("the key is there still")
	}
}

// What stands in a signature and is shown to nobody is not signed.
func TestReasonNotShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	for _, change := range []func(*signing.Order){
		func(o *signing.Order) { o.Reason = "I pay all of it" },
		func(o *signing.Order) { o.Location = "Elsewhere" },
	} {
		n := NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)}
		change(&n.Documents[0])
		_, err := r.OpenDossier(t.Context(), r.oreste, n)
		r.wants(Invalid, err)
	}
}

// A tablet that was never confirmed is revoked, too, though the vault does not know it.
func TestRevokedUnconfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tab, _, _, err := r.NewTabletCode(t.Context(), r.tullio, NewTablet{Name: "due", Centre: here})
	r.must(err)
	r.vault.fail["revoke"] = &vault.Error{Kind: vault.NotAllowed, Msg: "this tablet is not registered, or was revoked"}
	r.must(r.RevokeTablet(t.Context(), r.tullio, tab.ID, "not used"))
}

// Who guesses at an operator's sign-in elsewhere does not stop the counter: the vault is told
// which browser it is.
func TestPresenceKnowsBrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := otp("1")
	e.Browser, e.Password = "known", []byte("not wanted")
	s, err := r.OpenEnrolment(t.Context(), r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
	_, err = r.Begin(t.Context(), r.oreste, s.ID, e)
	r.must(err)
	for _, n := range r.vault.open {
		if n.Presence.Browser != "known" || len(n.Presence.Password) > 0 {
			t.Errorf("%+v", n.Presence)
		}
	}
}

// A certificate that never comes holds up neither the tablet nor the customer for ever.
func TestNoCertificateEver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	s := r.sampled(4)
	r.house.fail = errors.New("the authority does not want to")
	s, err := r.FinishEnrolment(ctx, r.ornella, s.ID, "", otp("2"))
	r.must(err)
	_, err = r.Cancel(ctx, r.oreste, s.ID, WhyOperator)
	r.wants(BadState, err)
	r.clock.pass(SessionLife)
	if err := r.Sweep(ctx); err == nil {
		t.Error("nobody says so")
	}
	if s, err = r.Cancel(ctx, r.oreste, s.ID, WhyOperator); err != nil || s.State != Cancelled {
		t.Fatalf("%+v %v", s, err)
	}
	if !slices.Contains(r.vault.destroyed, s.Credential) || !r.house.revoked[s.Credential] {
		t.Error("the key is there still")
	}
	r.awake(r.tablet)
	_, err = r.OpenEnrolment(ctx, r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport})
	r.must(err)
}

// Withdrawn while the vault was away, and consented anew before it was back: what there was
// before the withdrawal is not in use again, and goes as soon as the vault is there.
func TestConsentAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	key := r.enrolled().Credential
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.Unavailable}
	if err := r.Withdraw(ctx, r.oreste, r.holder); signing.KindOf(err) != signing.KeyUnavailable {
		t.Fatal(err)
	}
	s := r.sampled(2) // consented anew, and not enrolled
	r.must(second(r.Cancel(ctx, r.oreste, s.ID, WhyCustomer)))
	_, err := r.OpenDossier(ctx, r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)})
	r.wants(NoProfile, err)
	r.must(r.Sweep(ctx))
	if !r.house.revoked[key] || !slices.Contains(r.vault.destroyed, key) {
		t.Error("the key is there still")
	}
	again := r.enrolled().Credential
	r.must(r.Sweep(ctx))
	if r.house.revoked[again] {
		t.Error("the new key is destroyed too")
	}
}

// A profile that the vault cannot destroy keeps no other from being destroyed, and one that
// it does not know keeps no certificate in force.
func TestWithdrawalsApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	var keys []string
	for i, code := range []string{"", "SMPDAA80A41H501X", "RSSMRA85T10A562S", "TCNTNA72C43L219S"} {
		if i > 1 {
			c, err := r.RegisterCustomer(ctx, r.oreste, NewCustomer{GivenName: "N", Surname: "N", FiscalCode: code, Identification: passport})
			r.must(err)
			r.holder = c.ID
		}
		if i > 0 {
			keys = append(keys, r.enrolled().Credential)
			r.write(func(tx *store.Tx) error { return tx.WithdrawConsent(r.holder, "x", r.clock.now()) })
		}
	}
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.Tampered}
	if err := r.Sweep(ctx); err == nil {
		t.Error("nothing was said of the first")
	}
	for i, key := range keys {
		if r.house.revoked[key] != (i > 0) {
			t.Errorf("key %d: revoked is %v", i, r.house.revoked[key])
		}
	}
	r.vault.fail["destroy"] = &vault.Error{Kind: vault.NotAllowed}
	r.must(r.Sweep(ctx))
	if !r.house.revoked[keys[0]] {
		t.Error("the certificate is in force, of a key the vault does not know")
	}
}

// An enrolment that the vault is still finishing when nobody waits for it any more: the
// session ends, and nothing is left behind.
func TestProfileMadeLate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sampled(4)
	r.vault.fail["late"] = &vault.Error{Kind: vault.Unavailable}
	if _, err := r.FinishEnrolment(t.Context(), r.ornella, s.ID, "", otp("2")); err == nil {
		t.Fatal("it was answered")
	}
	r.must(second(r.Cancel(t.Context(), r.oreste, s.ID, WhyOperator)))
	if len(r.vault.profiles) != 0 {
		t.Error("a profile is left that nobody knows of")
	}
}

// Withdrawn in the moment in which a dossier is opened: it does not begin.
func TestWithdrawnBeforePresence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	s, err := r.OpenDossier(t.Context(), r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport, Documents: r.brought(r.oreste, 1)})
	r.must(err)
	r.write(func(tx *store.Tx) error { return tx.WithdrawConsent(r.holder, "x", r.clock.now()) })
	_, err = r.Begin(t.Context(), r.oreste, s.ID, otp("1"))
	r.wants(NoConsent, err)
}

// A signature whose answer was lost is sent again, and gets the same answer: it is one try.
func TestTriedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	s := r.dossier(1)
	r.readAll(s)
	again := func(*signing.Transaction) error {
		return signing.FromVault(&vault.Error{Kind: vault.Mismatch, Left: 2})
	}
	r.signs.outcomes = append(r.signs.outcomes, again, again)
	c := r.captured(s.ID)
	for range 2 {
		if _, err := r.Submit(t.Context(), r.tablet, s.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.Session(t.Context(), r.oreste, s.ID); err != nil || s.Tries != 1 || s.State != Signing {
		t.Errorf("%d tries, %s, %v", s.Tries, s.State, err)
	}
}
