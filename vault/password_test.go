package vault

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	otherPassword = "la mucca legge il giornale"
	thirdPassword = "un treno verde dorme poco"
)

func (h *holder) evidence(password string) Evidence {
	return Evidence{Password: []byte(password), OTP: h.otp(), Client: "test"}
}

// passwordChange is one that should be granted.
func (h *holder) passwordChange(from, to string) PasswordChange {
	p := PasswordChange{Factors: h.factors, Evidence: h.evidence(from), New: []byte(to)}
	if h.cred.ID != "" {
		p.Credentials = []Credential{h.cred}
	}
	return p
}

// changePassword changes the password from the good one as a service does.
func (h *holder) changePassword(to string) {
	t := h.r.t
	t.Helper()
	a, err := h.r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, to))
	if err != nil {
		t.Fatal(err)
	}
	h.keep(a)
	if err := h.r.c.AdoptFactors(t.Context(), h.factors); err != nil {
		t.Fatal(err)
	}
}

// keep stores what the vault answered.
func (h *holder) keep(a ChangedPassword) {
	h.factors = a.Factors
	if len(a.Credentials) > 0 {
		h.cred = a.Credentials[0]
	}
}

// signs says whether the holder can sign with a password.
func (h *holder) signs(password, request string) error {
	a := h.authorisation(request, 2)
	a.Password = []byte(password)
	s, err := h.r.c.Authorise(h.r.t.Context(), a)
	if err != nil {
		return err
	}
	act := h.activation(a, s)
	sigs, err := h.r.c.Sign(h.r.t.Context(), act)
	if err == nil {
		h.checkSignatures(act, sigs)
	}
	return err
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	old := *h
	minted := h.authorised("minted before", 1)
	h.changePassword(otherPassword)
	want(t, h.signs(otherPassword, "new"), "")
	want(t, h.authenticate(goodPassword, h.otp()), WrongPassword)
	want(t, h.authenticate(otherPassword, h.otp()), "")
	// Nothing of before is good for anything.
	want(t, old.authenticate(goodPassword, old.otp()), Tampered)
	want(t, old.signs(goodPassword, "old"), Tampered)
	mixed := old
	mixed.factors = h.factors
	want(t, mixed.signs(otherPassword, "new factors, old key"), Tampered)
	_, err := r.c.Sign(t.Context(), minted)
	want(t, err, Tampered)
	minted.Credential = h.cred
	if _, err := r.c.Sign(t.Context(), minted); err == nil {
		t.Error("a SAD of before the change was used")
	}
	if h.cred.Epoch != old.cred.Epoch+1 || bytes.Equal(h.cred.Wrapped, old.cred.Wrapped) || !bytes.Equal(h.cred.PublicKey, old.cred.PublicKey) {
		t.Errorf("%+v", h.cred)
	}
	r.restart()
	want(t, h.signs(otherPassword, "after a start"), "")
	if n := r.events(); n["password.intent"] != 1 || n["password.changed"] != 1 || n[factorsAdopted] != 1 || n[credentialReplaced] != 1 {
		t.Errorf("journal: %v", n)
	}
}

func TestChangePasswordRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, other := r.newHolder("h", "p256"), r.newHolder("other", "p256")
	for _, c := range []struct {
		name   string
		change func(*PasswordChange)
		kind   Kind
	}{
		{"weak", func(p *PasswordChange) { p.New = []byte("password2026") }, WeakPassword},
		{"the user name", func(p *PasswordChange) { p.New = []byte("user-h user-h user-h") }, WeakPassword},
		{"wrong password", func(p *PasswordChange) { p.Password = []byte("wrong") }, WrongPassword},
		{"wrong code", func(p *PasswordChange) { p.OTP = "000000" }, WrongOTP},
		{"a credential missing", func(p *PasswordChange) { p.Credentials = nil }, NotAllowed},
		{"a credential twice", func(p *PasswordChange) { p.Credentials = append(p.Credentials, p.Credentials[0]) }, NotAllowed},
		{"another's credential", func(p *PasswordChange) { p.Credentials = append(p.Credentials, other.cred) }, NotAllowed},
		{"a credential tampered with", func(p *PasswordChange) {
			p.Credentials = slices.Clone(p.Credentials)
			p.Credentials[0].Wrapped = other.cred.Wrapped
		}, Tampered},
		{"too many", func(p *PasswordChange) { p.Credentials = make([]Credential, maxCredentials+1) }, BadRequest},
		{"no client", func(p *PasswordChange) { p.Client = "" }, BadRequest},
		{"nobody", func(p *PasswordChange) { p.Factors, p.Credentials = Factors{}, nil }, WrongPassword},
	} {
		p := h.passwordChange(goodPassword, otherPassword)
		c.change(&p)
		_, err := r.c.ChangePassword(t.Context(), p)
		if KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %q", c.name, err, c.kind)
		}
		if bytes.Count(p.New, []byte{0}) != len(p.New) {
			t.Errorf("%s: the new password was not wiped", c.name)
		}
	}
	want(t, h.signs(goodPassword, "unchanged"), "")
}

// TestChangeInterrupted: whatever dies when, the holder has one password: that of the
// record the service has.
func TestChangeInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	change := func() ChangedPassword {
		t.Helper()
		a, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	// The answer, or the service before it stored it, was lost.
	lost := change()
	r.restart()
	want(t, h.signs(goodPassword, "the old record"), "")
	want(t, h.authenticate(otherPassword, h.otp()), WrongPassword)
	// A second change takes the place of the first, which is good for nothing.
	second := change()
	before := *h
	gone := *h
	gone.keep(lost)
	want(t, gone.authenticate(otherPassword, gone.otp()), Tampered)
	want(t, r.c.AdoptFactors(t.Context(), lost.Factors), Tampered)
	want(t, h.signs(goodPassword, "still the old record"), "")
	// The service died after it stored the records and before it said so. The first
	// request adopts them, whichever it is, even one with the wrong password.
	h.keep(second)
	r.restart()
	want(t, h.authenticate(goodPassword, h.otp()), WrongPassword)
	want(t, before.signs(goodPassword, "no way back"), Tampered)
	want(t, h.signs(otherPassword, "the new record"), "")
	want(t, r.c.AdoptFactors(t.Context(), h.factors), "") // again
	want(t, r.c.AdoptFactors(t.Context(), before.factors), Tampered)
	f := h.factors
	f.Username += "x"
	want(t, r.c.AdoptFactors(t.Context(), f), Tampered)
}

// TestAuthoriseAdopts: the first request after a crash may be one to sign.
func TestAuthoriseAdopts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
	if err != nil {
		t.Fatal(err)
	}
	forged := *h
	forged.keep(a)
	forged.factors.Salt = h.factors.Salt // no record of the vault's, with the MAC of the pending one
	want(t, forged.signs(otherPassword, "forged"), Tampered)
	want(t, h.signs(goodPassword, "nothing was adopted"), "")
	h.keep(a)
	want(t, h.signs(otherPassword, "adopted"), "")
}

// TestChangeKilled: the vault is killed at any step of a change. The client asks again
// and gets an answer; until that is stored and shown the old password counts.
func TestChangeKilled(t *testing.T) {
	t.Parallel()
	for _, die := range []string{"password-checked", "password-rewrapped", "password-pending"} {
		t.Run(die, func(t *testing.T) {
			t.Parallel()
			r, starts := newProcessRig(t, die)
			h := r.newHolder("h", "p256")
			a, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
			if err != nil {
				t.Fatal(err)
			}
			want(t, h.signs(goodPassword, "the old record"), "")
			h.keep(a)
			want(t, h.signs(otherPassword, "the new record"), "")
			if n := starts(); n != 2 {
				t.Errorf("the vault was started %d times, want 2: it was to die once", n)
			}
			if n := r.events(); n["password.intent"] != 1 || n[factorsAdopted] != 1 {
				t.Errorf("journal: %v", n)
			}
		})
	}
}

// TestChangesRace: of many changes with one code, one is granted.
func TestChangesRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	code := h.otp()
	var granted atomic.Int32
	done := make(chan ChangedPassword, 8)
	for i := range 8 {
		go func() {
			p := PasswordChange{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: code, Client: "test"},
				New: fmt.Appendf(nil, "%s %d", otherPassword, i), Credentials: []Credential{h.cred}}
			a, err := r.c.ChangePassword(context.Background(), p)
			if err == nil {
				granted.Add(1)
			}
			done <- a
		}()
	}
	var won ChangedPassword
	for range 8 {
		if a := <-done; len(a.Factors.MAC) > 0 {
			won = a
		}
	}
	if granted.Load() != 1 {
		t.Fatalf("%d changes with one code", granted.Load())
	}
	if err := r.c.AdoptFactors(t.Context(), won.Factors); err != nil {
		t.Fatal(err)
	}
}

// TestBreached: a password that is on the operator's list is refused.
func TestBreached(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	path := filepath.Join(t.TempDir(), "list")
	line := strings.ToUpper(fmt.Sprintf("%x", sha1.Sum([]byte(otherPassword)))) + ":17\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cfg.Breached = path
	r.restart()
	_, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
	want(t, err, WeakPassword)
	_, _, err = r.c.Enrol(t.Context(), Enrolment{Holder: "g", Username: "g", Password: []byte(otherPassword)})
	want(t, err, WeakPassword)
	_, err = r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, thirdPassword))
	want(t, err, "")
	cfg := r.cfg
	cfg.Breached = filepath.Join(t.TempDir(), "none")
	cfg.StateDB += "2"
	want(t, Serve(t.Context(), cfg, func() { t.Error("it started") }), Failed)
}

// TestRecover: the old keys are gone for good, the holder enrols again, and a service
// that was taken over gains no signature of the old keys by it.
func TestRecover(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	old, minted := *h, h.authorised("minted before", 1)
	for name, bad := range map[string]Recovery{
		"nobody":           {Holder: "h", Reason: "lost"},
		"one":              {Holder: "h", By: []string{"anna"}, Reason: "lost"},
		"twice the same":   {Holder: "h", By: []string{"anna", "anna"}, Reason: "lost"},
		"a third":          {Holder: "h", By: []string{"anna", "bruno", "carla"}, Reason: "lost"},
		"a holder unknown": {Holder: "x", By: []string{"anna", "bruno"}, Reason: "lost"},
	} {
		if _, err := r.c.Recover(t.Context(), bad); KindOf(err) != NotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, h.signs(goodPassword, "unharmed"), "")
	q := Recovery{Holder: "h", By: []string{"anna", "bruno"}, Reason: "password forgotten"}
	first, err := r.c.Recover(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	code, err := r.c.Recover(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	enrol := func(activation string) error {
		f, uri, err := r.c.Enrol(t.Context(), Enrolment{Holder: "h", Username: "user-h", Password: []byte(otherPassword), Activation: activation})
		if err == nil {
			h.factors, h.secret = f, secretOf(t, uri)
		}
		return err
	}
	want(t, old.authenticate(goodPassword, old.otp()), Tampered)
	for name, bad := range map[string]string{"none": "", "a replaced one": first.Code, "nonsense": "x", "another": strings.Repeat("0", 32)} {
		if err := enrol(bad); KindOf(err) != NotAllowed {
			t.Errorf("activation %s: %v", name, err)
		}
	}
	r.restart()
	want(t, enrol(strings.ToLower(code.Code)), "")
	want(t, enrol(code.Code), NotAllowed) // once
	want(t, h.authenticate(otherPassword, h.otp()), "")
	// What was before opens nothing, with whatever it is mixed.
	want(t, old.authenticate(goodPassword, old.otp()), Tampered)
	want(t, old.signs(goodPassword, "old"), NotAllowed)
	mixed := old
	mixed.factors, mixed.secret = h.factors, h.secret
	want(t, mixed.signs(otherPassword, "new factors, old key"), NotAllowed)
	_, err = r.c.Sign(t.Context(), minted)
	want(t, err, NotAllowed)
	_, err = r.c.ChangePassword(t.Context(), PasswordChange{Factors: h.factors, Evidence: h.evidence(otherPassword), New: []byte(thirdPassword),
		Credentials: []Credential{old.cred}})
	want(t, err, NotAllowed)
	if n := r.events(); n[holderRecovered] != 2 || n[credentialDestroyed] != 1 || n[holderEnrolled] != 2 {
		t.Errorf("journal: %v", n)
	}
	// A code that is too old.
	if code, err = r.c.Recover(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	r.clock.move(ActivationLife)
	want(t, enrol(code.Code), NotAllowed)
}

// TestRowSetBack: the row of a holder as it was before a change of the password, with
// the old records, is found out.
func TestRowSetBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	old := *h
	execRaw(t, r.cfg.StateDB, "CREATE TABLE kept AS SELECT * FROM holder_states")
	h.changePassword(otherPassword)
	editState(t, r, "DELETE FROM holder_states; INSERT INTO holder_states SELECT * FROM kept")
	want(t, old.authenticate(goodPassword, old.otp()), Tampered)
	want(t, h.authenticate(otherPassword, h.otp()), Tampered)
	// Only a recovery helps, and it works.
	code, err := r.c.Recover(t.Context(), Recovery{Holder: "h", By: []string{"anna", "bruno"}, Reason: "tampered with"})
	if err != nil {
		t.Fatal(err)
	}
	f, uri, err := r.c.Enrol(t.Context(), Enrolment{Holder: "h", Username: "user-h", Password: []byte(goodPassword), Activation: code.Code})
	if err != nil {
		t.Fatal(err)
	}
	h.factors, h.secret = f, secretOf(t, uri)
	want(t, h.authenticate(goodPassword, h.otp()), "")
}
