package vault

import (
	"context"
	"testing"

	"sigillo/auth"
	"sigillo/store"
)

// rewrapped is the same key in a record of the next epoch, made as a change of the
// password would.
func (h *holder) rewrapped(t *testing.T, v *server) *Credential {
	t.Helper()
	next := h.cred
	next.Epoch++
	var err error
	if next.MAC, err = v.tok.MAC(t.Context(), keyMAC, credentialMessage(&next)); err != nil {
		t.Fatal(err)
	}
	return &next
}

// TestDestroyed: a credential that was destroyed is of no use, with a SAD of before,
// with fresh factors, or under any record of it.
func TestDestroyed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	done, act := h.authorised("done", 1), h.authorised("tx", 2)
	if _, err := r.c.Sign(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Sign(t.Context(), part(act, "part", 0)); err != nil {
		t.Fatal(err)
	}
	changed := h.cred
	changed.Holder = "x"
	want(t, r.c.DestroyCredential(t.Context(), Destruction{changed, "officer", "lost"}), Tampered)
	want(t, r.c.DestroyCredential(t.Context(), Destruction{h.cred, "", "lost"}), BadRequest)
	for range 2 {
		if err := r.c.DestroyCredential(t.Context(), Destruction{h.cred, "officer", "lost"}); err != nil {
			t.Fatal(err)
		}
	}
	r.restart()
	for name, a := range map[string]Activation{"the rest": part(act, "rest", 1), "what was signed": part(act, "part", 0), "a finished request": done} {
		if _, err := r.c.Sign(t.Context(), a); KindOf(err) != NotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := r.c.ExtendSAD(t.Context(), Extension{SAD: act.SAD, Credential: h.cred, Client: "c", Request: "x"})
	want(t, err, NotAllowed)
	_, err = r.c.Authorise(t.Context(), h.authorisation("fresh", 1))
	want(t, err, NotAllowed)
	_, _, err = r.c.CreateCredential(t.Context(), NewCredential{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp()},
		ID: h.cred.ID, Type: "p256", MaxDigests: 1})
	want(t, err, NotAllowed)
	n := r.events()
	if n[credentialDestroyed] != 1 || n["credential.refused"] < 1 || n["credential.intent"] != 1 {
		t.Errorf("journal: %v", n)
	}
	es := r.entries(credentialDestroyed)
	if len(es) != 1 || es[0]["reason"] != "lost" || es[0]["epoch"] != "2" {
		t.Errorf("%v", es)
	}
}

// TestSuperseded: when a credential has a new record, the old one is refused, and a
// SAD of before is good with neither.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	v, done := r.direct()
	old, next := h.cred, h.rewrapped(t, v)
	replace := func(a, b *Credential) error {
		return v.db.Write(t.Context(), func(tx *store.Tx) error { return v.replaceCredential(tx, a, b, "h", "password changed") })
	}
	wrong := *next
	wrong.Epoch++
	want(t, replace(&old, &wrong), Failed)
	if err := replace(&old, next); err != nil {
		t.Fatal(err)
	}
	want(t, replace(&old, next), Tampered)
	done()
	r.start()
	_, err := r.c.Sign(t.Context(), act)
	want(t, err, Tampered) // the record
	act.Credential = *next
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, BadSAD) // the SAD
	_, err = r.c.Authorise(t.Context(), h.authorisation("old", 1))
	want(t, err, Tampered)
	h.cred = *next
	act = h.authorised("new", 1)
	if _, err := r.c.Authorise(t.Context(), h.authorisation("new again", 1)); err != nil {
		t.Fatal(err)
	}
	// Its wrapping was not renewed, so the new record does not open: the epoch is in
	// what the KEK is derived from.
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, Tampered)
	if n := r.events(); n["credential.refused"] != 1 || n[credentialReplaced] != 1 {
		t.Errorf("journal: %v", n)
	}
}

// TestCredentialRowEdited: what the vault remembers of a credential is edited, removed,
// swapped, or put back as it was before.
func TestCredentialRowEdited(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"alive again":  "UPDATE credential_states SET state = 'active' WHERE id = 'cred-h'",
		"removed":      "DELETE FROM credential_states WHERE id = 'cred-h'",
		"another's":    "UPDATE credential_states SET mac = (SELECT mac FROM credential_states WHERE id = 'cred-x'), state = 'active' WHERE id = 'cred-h'",
		"as it was":    "UPDATE credential_states SET (request, epoch, record, state, changed, mac) = (SELECT request, epoch, record, state, changed, mac FROM old) WHERE id = 'cred-h'",
		"another name": "UPDATE credential_states SET id = 'cred-h' WHERE id = 'cred-x'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := r.newHolder("h", "p256")
			r.newHolder("x", "p256")
			act := h.authorised("tx", 1)
			execRaw(t, r.cfg.StateDB, "CREATE TABLE old AS SELECT * FROM credential_states WHERE id = 'cred-h'")
			if err := r.c.DestroyCredential(t.Context(), Destruction{h.cred, "officer", "lost"}); err != nil {
				t.Fatal(err)
			}
			if name == "another name" {
				editState(t, r, "DELETE FROM credential_states WHERE id = 'cred-h'")
			}
			editState(t, r, sql)
			_, err := r.c.Sign(t.Context(), act)
			want(t, err, Tampered)
			_, err = r.c.Authorise(t.Context(), h.authorisation("fresh", 1))
			want(t, err, Tampered)
			if n := r.events(); n["signature.intent"] != 0 || n["credential.refused"] != 1 {
				t.Errorf("journal: %v", n)
			}
		})
	}
}

// TestAdopted: a credential from before the vault kept rows of them is taken as it is,
// once.
func TestAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	// As the journal was then: without the epoch. It is not verified here.
	editState(t, r, `UPDATE journal SET detail = '{"key":"00"}' WHERE event = 'credential.created'`)
	rawExec(t, r.cfg.StateDB, "DELETE FROM credential_states")
	act := h.authorised("tx", 1)
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if n := r.events(); n[credentialAdopted] != 1 {
		t.Errorf("journal: %v", n)
	}
	rawExec(t, r.cfg.StateDB, "DELETE FROM credential_states")
	_, err := r.c.Authorise(t.Context(), h.authorisation("again", 1))
	want(t, err, Tampered)
}

// TestCredentialName: a name is given once.
func TestCredentialName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, x := r.newHolder("h", "p256"), r.enrol("x")
	for _, o := range []*holder{h, x} {
		_, _, err := r.c.CreateCredential(t.Context(), NewCredential{Factors: o.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: o.otp()},
			ID: h.cred.ID, Type: "p256", MaxDigests: 1})
		want(t, err, NotAllowed)
	}
	if _, err := r.c.Authorise(t.Context(), h.authorisation("tx", 1)); err != nil {
		t.Error(err)
	}
}

// TestStateBefore: a vault's state of the program before is brought up, and what was
// in the table of spent SADs is forgotten.
func TestStateBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	asBefore(h)
	execRaw(t, r.cfg.StateDB, `DROP TABLE spent; DROP TABLE credential_states; DROP TABLE delegations; DROP TABLE holder_states;
		DROP TABLE counter_rows; DROP TABLE templates; DROP TABLE fingerprints; DROP TABLE counts;
		DELETE FROM vault_version WHERE version_id >= 3;
		CREATE TABLE spent (jti TEXT NOT NULL PRIMARY KEY, request TEXT NOT NULL, holder TEXT NOT NULL, credential TEXT NOT NULL, binding BLOB NOT NULL,
			state TEXT NOT NULL, signatures BLOB, created BIGINT NOT NULL, expires BIGINT NOT NULL);
		INSERT INTO spent VALUES ('j', 'r', 'h', 'c', x'00', 'intent', NULL, 0, 0);
		UPDATE journal SET detail = '{"key":"00"}' WHERE event IN ('credential.created', 'holder.enrolled')`)
	r.start()
	want(t, h.authenticate(goodPassword, auth.TOTP(h.secret, r.clock.now())), ReusedOTP) // what was used is not forgotten
	act := h.authorised("tx", 1)
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if s, err := r.c.Status(t.Context()); err != nil || s.Unfinished != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	// The old row is gone, and does not serve when it is put back and the new one removed.
	if n := count(t, r.cfg.StateDB, "SELECT count(*) FROM otp_states"); n != 0 {
		t.Errorf("%d old rows", n)
	}
	h.changePassword(otherPassword)
	if h.factors.Version != 2 || len(h.factors.Devices) != 1 {
		t.Errorf("%+v", h.factors)
	}
	want(t, h.authenticate(otherPassword, h.otp()), "")
	editState(t, r, "DELETE FROM holder_states WHERE holder = 'h'")
	want(t, h.authenticate(otherPassword, h.otp()), Tampered)
}

// asBefore gives a holder the record and the row a vault of before would have made, and
// stops the vault.
func asBefore(h *holder) {
	h.r.t.Helper()
	v, done := h.r.direct()
	defer done()
	f := h.factors
	f.Version, f.Devices = 1, nil
	var err error
	if f.OTP, err = v.tok.Seal(context.Background(), keySeal, secretsContext(&f), h.secret); err != nil {
		h.r.t.Fatal(err)
	}
	if err := v.signFactors(context.Background(), &f); err != nil {
		h.r.t.Fatal(err)
	}
	s := store.OTPState{Holder: "h", Step: auth.OTPStep(h.r.clock.now()), Request: "before"}
	s.MAC = v.otpMAC(s, f.MAC)
	if err := v.db.Write(context.Background(), func(tx *store.Tx) error { return tx.PutOTPState(s) }); err != nil {
		h.r.t.Fatal(err)
	}
	h.factors = f
}
