package main

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// lost is the recovery of a holder who has lost the telephone.
func lost(username string) staff.NewRecovery {
	return staff.NewRecovery{Username: username, Document: "identity-card", Number: "CA00000AA", Issuer: "Comune di Prova",
		Expires: time.Now().AddDate(5, 0, 0), Reason: "ha perso il telefono"}
}

// reactivate has a holder choose new factors.
func (h *house) reactivate(t testing.TB, c *client, code string) staff.Activated {
	t.Helper()
	c.holder.Password = randomWords()
	now, err := h.Activate(t.Context(), code, []byte(c.holder.Password), "test")
	if err != nil || now.Username != c.holder.Username {
		t.Fatal(now, err)
	}
	c.holder.OTPURI = now.OTPURI
	secret, err := otpSecret(now.OTPURI)
	if err != nil {
		t.Fatal(err)
	}
	c.secret = secret
	done, err := h.Confirm(t.Context(), code, signing.Evidence{Password: []byte(c.holder.Password),
		OTP: early(secret), Client: "test"})
	if err != nil || done.Emergency == "" {
		t.Fatal(done, err)
	}
	return done
}

// A holder who has lost the factors is identified, recovered by two of the staff, and
// signs with a new key. The old one is of no use to anybody, with the old password and a
// backup of the database either.
func TestRecovery(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.signedIn(t, hsm.P256)
	old, id := h.serialOf(t, ada), h.holderID(t, ada)
	var backup store.Holder
	var key store.Credential
	err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		if backup, err = tx.Holder(id); err != nil {
			return err
		}
		key, err = tx.Credential(ada.holder.Credential)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	staffed := h.appointed(t, staff.Security, staff.Certification, staff.RegistrationOperator)
	sara, carlo, olga := staffed[0].Member, staffed[1].Member, staffed[2].Member

	bad := lost(ada.holder.Username)
	bad.Expires = time.Now()
	if _, err := h.ProposeRecovery(t.Context(), olga, bad); staff.KindOf(err) != staff.Invalid {
		t.Errorf("an expired document: %v", err)
	}
	if _, err := h.ProposeRecovery(t.Context(), sara, lost(ada.holder.Username)); staff.KindOf(err) != staff.NotPermitted {
		t.Errorf("proposed by security: %v", err)
	}
	p, err := h.ProposeRecovery(t.Context(), olga, lost(ada.holder.Username))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Approve(t.Context(), olga, p.ID, p.Digest()); staff.KindOf(err) != staff.SamePerson {
		t.Errorf("approved alone: %v", err)
	}
	if h.status(t, old) != store.CertValid {
		t.Fatal("revoked before it was approved")
	}
	out, err := h.Approve(t.Context(), carlo, p.ID, p.Digest())
	if err != nil || out.Handout.Username != ada.holder.Username {
		t.Fatalf("%+v: %v", out, err)
	}

	// The old is gone.
	if h.status(t, old) != store.CertRevoked {
		t.Error("the old certificate is not revoked")
	}
	if _, err := ada.documents(t); err == nil {
		t.Error("the old session lives on")
	}
	_, err = h.SignIn(t.Context(), ada.holder.Username, signing.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"}, auth.Visit{Face: auth.Programs})
	if signing.KindOf(err) != signing.WrongFactors {
		t.Errorf("the old factors: %v", err)
	}
	var factors vault.Factors
	var record vault.Credential
	if err := json.Unmarshal(backup.Factors, &factors); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(key.Record, &record); err != nil {
		t.Fatal(err)
	}
	_, err = h.Vault.Authorise(t.Context(), vault.Authorisation{Factors: factors, Credential: record, Hash: "SHA-256", Digests: [][]byte{make([]byte, 32)}, Request: "backup",
		Evidence: vault.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"}})
	if err == nil {
		t.Error("factors from a backup are good")
	}
	if err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		key, err = tx.Credential(key.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	record = vault.Credential{}
	if err := json.Unmarshal(key.Record, &record); err != nil || len(record.Wrapped) > 0 {
		t.Errorf("the wrapped key is still there: %v", err)
	}

	// The new one signs.
	done := h.reactivate(t, ada, out.Handout.Code)
	if done.Certificate == old || h.status(t, done.Certificate) != store.CertValid {
		t.Errorf("certificate %s", done.Certificate)
	}
	list, err := h.Signing.Credentials(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.Status == "valid" {
			ada.holder.Credential = c.ID
		}
	}
	ada.used = max(auth.OTPStep(time.Now())-1, earliest(time.Now()))
	if err := ada.signIn(t.Context(), ada.holder.Password, ada.mustOTP(t)); err != nil {
		t.Fatal(err)
	}
	tx := ada.prepared(t, signing.XAdES)
	if got, err := ada.sign(t.Context(), tx.ID, ada.holder.Password, ada.mustOTP(t)); err != nil || got.State != signing.Delivered {
		t.Errorf("%s: %v", got.State, err)
	}
	// What is left of the old key does not stand in the way of another password.
	words := randomWords()
	err = h.ChangePassword(t.Context(), id, vault.PasswordChange{New: []byte(words),
		Evidence: vault.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ada.signIn(t.Context(), words, ada.mustOTP(t)); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"holder.identified", "proposal.made", "proposal.approved", "certificate.revoked", "holder.recovered",
		"proposal.executed", "activation.begun", "activation.done", "emergency.code-made"} {
		if !h.journalled(t, name, "", "") {
			t.Errorf("%s is not in the journal", name)
		}
	}
}

// documents is a request that needs a session.
func (c *client) documents(t testing.TB) (any, error) {
	t.Helper()
	var out any
	err := c.do(t.Context(), "GET", "/documents", nil, &out)
	return out, err
}

// A crash after the approval: the next start does what was approved; one after that, when
// the holder has a new key already, leaves it alone. A broken-off activation is begun
// again with the same code.
func TestRecoveryAfterCrash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	old := h.serialOf(t, ada)
	staffed := h.appointed(t, staff.Security, staff.Certification)
	sara, carlo := staffed[0].Member, staffed[1].Member
	p, err := h.ProposeRecovery(t.Context(), carlo, lost(ada.holder.Username))
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	h.statement(t, `UPDATE proposals SET state = 'approved', approver = '`+sara.ID+`', decided = 1, claimed = 1`)
	h = open(t, h.Layout.Dir)
	if now, err := h.Proposal(t.Context(), p.ID); err != nil || now.State != staff.Executed || h.status(t, old) != store.CertRevoked {
		t.Fatalf("%s: %v", now.State, err)
	}
	if _, err := h.NewCode(t.Context(), carlo, ada.holder.Username); staff.KindOf(err) != staff.SamePerson {
		t.Errorf("who has proposed the recovery gets the code: %v", err)
	}
	hand, err := h.NewCode(t.Context(), sara, ada.holder.Username) // the first reached nobody
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Activate(t.Context(), hand.Code, []byte(randomWords()), "test"); err != nil { // and the browser was closed
		t.Fatal(err)
	}
	done := h.reactivate(t, ada, hand.Code)
	h.stop()
	h.statement(t, `UPDATE proposals SET state = 'approved', claimed = 1`)
	h = open(t, h.Layout.Dir)
	if now, err := h.Proposal(t.Context(), p.ID); err != nil || now.State != staff.Executed || h.status(t, done.Certificate) != store.CertValid {
		t.Errorf("%s: %v; the new certificate is %s", now.State, err, h.status(t, done.Certificate))
	}
}

// statement changes rows of a stopped house behind the store's back.
func (h *house) statement(t testing.TB, s string) {
	t.Helper()
	db, err := sql.Open("sqlite", h.Layout.Database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(s); err != nil {
		t.Fatal(err)
	}
}
