package vault

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/store"
)

var theirCertificate = bytes.Repeat([]byte{0xce}, 32)

// newAutomatic enrols a holder with a credential of the automatic procedure.
func (r *rig) newAutomatic(id string) *holder {
	r.t.Helper()
	h := r.enrol(id)
	c, _, err := r.c.CreateCredential(r.t.Context(), NewCredential{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp()},
		ID: "auto-" + id, Type: "p256", MaxDigests: 40, Automatic: true})
	if err != nil {
		r.t.Fatal(err)
	}
	k, err := x509.ParsePKIXPublicKey(c.PublicKey)
	if err != nil {
		r.t.Fatal(err)
	}
	h.cred, h.key = c, k
	return h
}

// delegation is one that should be given.
func (h *holder) delegation(id string, count int) NewDelegation {
	return NewDelegation{Factors: h.factors, Credential: h.cred, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"},
		ID: id, Count: count, Expires: h.r.clock.now().Add(30 * 24 * time.Hour), ClientCertificate: theirCertificate,
		Kinds: []string{"invoice", "receipt"}, Request: "give-" + id}
}

func (h *holder) delegated(id, request string, n int) DelegatedAuthorisation {
	return DelegatedAuthorisation{Delegation: id, Credential: h.cred, ClientCertificate: theirCertificate, Kind: "invoice",
		Hash: "SHA-256", Digests: digests(n), Client: "robot", Request: request}
}

func (h *holder) give(id string, count int) Delegation {
	h.r.t.Helper()
	d, err := h.r.c.Delegate(h.r.t.Context(), h.delegation(id, count))
	if err != nil {
		h.r.t.Fatal(err)
	}
	return d
}

func (a DelegatedAuthorisation) activation(s SAD) Activation {
	return Activation{SAD: s.Token, Credential: a.Credential, Hash: a.Hash, Digests: a.Digests, Scheme: schemeECDSA, Request: a.Request}
}

func TestDelegate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, other, ordinary := r.newAutomatic("h"), r.newAutomatic("other"), r.newHolder("ordinary", "p256")
	for name, c := range map[string]struct {
		change func(*NewDelegation)
		kind   Kind
	}{
		"an ordinary credential":      {func(n *NewDelegation) { *n = ordinary.delegation("d", 1) }, NotAllowed},
		"one made automatic":          {func(n *NewDelegation) { *n = ordinary.delegation("d", 1); n.Credential.Automatic = true }, Tampered},
		"another holder's credential": {func(n *NewDelegation) { n.Credential = other.cred }, NotAllowed},
		"no code":                     {func(n *NewDelegation) { n.OTP = "" }, WrongOTP},
		"a wrong password":            {func(n *NewDelegation) { n.Password = []byte("x") }, WrongPassword},
		"no signature":                {func(n *NewDelegation) { n.Count = 0 }, BadRequest},
		"too many":                    {func(n *NewDelegation) { n.Count = MaxDelegated + 1 }, BadRequest},
		"over already":                {func(n *NewDelegation) { n.Expires = r.clock.now() }, BadRequest},
		"for ever":                    {func(n *NewDelegation) { n.Expires = r.clock.now().Add(DelegationLife + time.Hour) }, BadRequest},
		"any application":             {func(n *NewDelegation) { n.ClientCertificate = nil }, BadRequest},
		"any document":                {func(n *NewDelegation) { n.Kinds = nil }, BadRequest},
		"a kind without a name":       {func(n *NewDelegation) { n.Kinds = []string{""} }, BadRequest},
	} {
		n := h.delegation("d", 3)
		c.change(&n)
		if _, err := r.c.Delegate(t.Context(), n); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
		r.clock.move(15 * time.Minute)
	}
	n := h.delegation("d", 3)
	d, err := r.c.Delegate(t.Context(), n)
	if err != nil || d.State != DelegationActive || d.Count != 3 || d.Used != 0 || d.Holder != "h" || !d.Expires.Equal(n.Expires) {
		t.Fatalf("%+v, %v", d, err)
	}
	n.Password = []byte(goodPassword)
	if again, err := r.c.Delegate(t.Context(), n); err != nil || again.Created != d.Created {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	_, err = r.c.Delegate(t.Context(), h.delegation("d", 5))
	want(t, err, NotAllowed)
	_, err = r.c.Delegate(t.Context(), other.delegation("d", 5))
	want(t, err, NotAllowed)
	list, err := r.c.Delegations(t.Context(), "h")
	if err != nil || len(list) != 1 || list[0].Count != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if n := r.events(); n[delegationGiven] != 1 {
		t.Errorf("journal: %v", n)
	}
}

// TestDelegatedSignature: within its bounds a delegation signs without the holder, and
// the SAD and the journal say so.
func TestDelegatedSignature(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	h.give("d", 5)
	r.clock.move(24 * time.Hour)
	a := h.delegated("d", "tx", 3)
	s, err := r.c.AuthoriseDelegated(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(s.Token, ".")[1])
	if c, err := parseClaims(raw); err != nil || strings.Join(c.AMR, " ") != "delegated" || c.Delegation != "d" {
		t.Errorf("%+v, %v", c, err)
	}
	r.restart()
	again, err := r.c.AuthoriseDelegated(t.Context(), a) // counted once
	if err != nil || again.ID != s.ID || !again.Expires.Equal(s.Expires) {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	act := a.activation(s)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	act.SAD, act.Request = again.Token, "other"
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, SpentSAD)
	_, err = r.c.AuthoriseDelegated(t.Context(), h.delegated("d", "over", 3))
	want(t, err, NotAllowed)
	last := h.delegated("d", "last", 2)
	if s, err = r.c.AuthoriseDelegated(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.AuthoriseDelegated(t.Context(), last); err != nil {
		t.Errorf("the last one, sent again: %v", err)
	}
	if _, err := r.c.Sign(t.Context(), last.activation(s)); err != nil {
		t.Fatal(err)
	}
	_, err = r.c.AuthoriseDelegated(t.Context(), h.delegated("d", "more", 1))
	want(t, err, NotAllowed)
	list, err := r.c.Delegations(t.Context(), "h")
	if err != nil || len(list) != 1 || list[0].Used != 5 || list[0].State != DelegationUsedUp {
		t.Errorf("%+v, %v", list, err)
	}
	n := r.events()
	if n[delegationUsed] != 2 || n["signature.authorised"] != 2 || n["signature.done"] != 2 {
		t.Errorf("journal: %v", n)
	}
	if es := r.entries("signature.intent"); len(es) != 2 || es[0]["delegation"] != "d" {
		t.Errorf("%v", es)
	}
}

func TestDelegationBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	second := *h
	second.newCredential("ordinary", "p256")
	other := r.newAutomatic("other")
	h.give("d", 5)
	other.give("theirs", 5)
	for name, change := range map[string]func(*DelegatedAuthorisation){
		"another application":              func(a *DelegatedAuthorisation) { a.ClientCertificate = bytes.Repeat([]byte{1}, 32) },
		"no application":                   func(a *DelegatedAuthorisation) { a.ClientCertificate = nil },
		"another kind":                     func(a *DelegatedAuthorisation) { a.Kind = "will" },
		"another credential of the holder": func(a *DelegatedAuthorisation) { a.Credential = second.cred },
		"another holder's credential":      func(a *DelegatedAuthorisation) { a.Credential = other.cred },
		"another holder's delegation":      func(a *DelegatedAuthorisation) { a.Delegation = "theirs" },
		"no delegation":                    func(a *DelegatedAuthorisation) { a.Delegation = "none" },
		"too many":                         func(a *DelegatedAuthorisation) { a.Digests = digests(6) },
	} {
		a := h.delegated("d", "tx", 1)
		change(&a)
		if _, err := r.c.AuthoriseDelegated(t.Context(), a); KindOf(err) != NotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := r.events(); n[delegationUsed] != 0 {
		t.Errorf("journal: %v", n)
	}
	r.clock.move(31 * 24 * time.Hour)
	_, err := r.c.AuthoriseDelegated(t.Context(), h.delegated("d", "late", 1))
	want(t, err, NotAllowed)
	list, err := r.c.Delegations(t.Context(), "h")
	if err != nil || list[0].State != DelegationExpired {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDelegationRevoked: at once, also for SADs that were minted before.
func TestDelegationRevoked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, end := range map[string]func(*holder) error{
		"revoked": func(h *holder) error {
			return r.c.RevokeDelegation(t.Context(), "d-"+h.factors.Holder, "officer", "no longer wanted")
		},
		"credential destroyed": func(h *holder) error {
			return r.c.DestroyCredential(t.Context(), Destruction{h.cred, "officer", "lost"})
		},
	} {
		h := r.newAutomatic(strings.ReplaceAll(name, " ", "-"))
		id := "d-" + h.factors.Holder
		h.give(id, 5)
		a := h.delegated(id, "tx", 1)
		s, err := r.c.AuthoriseDelegated(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := end(h); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.c.Sign(t.Context(), a.activation(s)); KindOf(err) != NotAllowed {
			t.Errorf("%s, with a SAD: %v", name, err)
		}
		if _, err := r.c.AuthoriseDelegated(t.Context(), a); KindOf(err) != NotAllowed {
			t.Errorf("%s, sent again: %v", name, err)
		}
		if _, err := r.c.AuthoriseDelegated(t.Context(), h.delegated(id, "new", 1)); KindOf(err) != NotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, r.c.RevokeDelegation(t.Context(), "none", "officer", "x"), NotAllowed)
	if n := r.events(); n[delegationRevoked] != 2 || n["signature.intent"] != 0 {
		t.Errorf("journal: %v", n)
	}
}

// TestDelegationErased: what unlocks the key is gone when a delegation is over.
func TestDelegationErased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	for _, id := range []string{"revoked", "expired", "used-up"} {
		h.give(id, 1)
	}
	var sealed [][]byte // as it is written in the file
	db, err := store.Open(t.Context(), r.cfg.StateDB, store.Vault)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.DelegationsOf("h", DelegationActive, 0)
		for _, row := range rows {
			_, rest, _ := bytes.Cut(row.Record, []byte(`"secret":"`))
			secret, _, _ := bytes.Cut(rest, []byte(`"`))
			sealed = append(sealed, secret)
		}
		return err
	})
	if err := db.Close(); err != nil { // else the log would not be written back at the end
		t.Fatal(err)
	}
	if err != nil || len(sealed) != 3 || len(sealed[0]) < 60 {
		t.Fatalf("%q, %v", sealed, err)
	}
	if _, err := r.c.AuthoriseDelegated(t.Context(), h.delegated("used-up", "tx", 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.c.RevokeDelegation(t.Context(), "revoked", "officer", "x"); err != nil {
		t.Fatal(err)
	}
	r.clock.move(SADLife)
	r.restart()
	r.clock.move(31 * 24 * time.Hour)
	r.restart()
	list, err := r.c.Delegations(t.Context(), "h")
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, d := range list {
		if d.State != d.ID {
			t.Errorf("%s is %s", d.ID, d.State)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.stop = func() error { return nil }
	file, err := os.ReadFile(r.cfg.StateDB)
	for _, s := range sealed {
		if err != nil || bytes.Contains(file, s) {
			t.Errorf("what was erased is in the file still: %v", err)
		}
	}
	if n := count(t, r.cfg.StateDB, `SELECT count(*) FROM delegations WHERE due <> 0 OR CAST(record AS TEXT) LIKE '%"secret"%'`); n != 0 {
		t.Errorf("%d secrets are there still", n)
	}
}

// TestDelegationTampered: rows that were edited, removed or put back as they were.
func TestDelegationTampered(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"more":       `UPDATE delegations SET record = replace(record, '"count":2', '"count":9')`,
		"as it was":  "UPDATE delegations SET (state, due, version, record, mac) = (SELECT state, due, version, record, mac FROM old)",
		"removed":    "DELETE FROM delegations",
		"active":     "UPDATE delegations SET state = 'active', due = 1",
		"other name": "UPDATE delegations SET id = 'e'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := r.newAutomatic("h")
			h.give("d", 2)
			execRaw(t, r.cfg.StateDB, "CREATE TABLE old AS SELECT * FROM delegations")
			if _, err := r.c.AuthoriseDelegated(t.Context(), h.delegated("d", "tx", 1)); err != nil {
				t.Fatal(err)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			rawExec(t, r.cfg.StateDB, sql)
			r.start()
			a := h.delegated("d", "tx2", 1)
			if name == "other name" {
				_, err := r.c.AuthoriseDelegated(t.Context(), h.delegated("e", "tx2", 1))
				want(t, err, Tampered)
			}
			_, err := r.c.AuthoriseDelegated(t.Context(), a)
			want(t, err, Tampered)
			// What was not tampered with is listed still, and can be revoked.
			h.give("another", 1)
			list, err := r.c.Delegations(t.Context(), "h")
			if err != nil || len(list) == 0 || list[0].ID != "another" || list[len(list)-1].Count == 9 {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

// TestDelegatedRace: many ask at once; exactly as many signatures as the delegation
// allows.
func TestDelegatedRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	h.give("d", 7)
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			a := h.delegated("d", fmt.Sprint("tx", i), 1)
			s, err := r.c.AuthoriseDelegated(t.Context(), a)
			if err != nil {
				if KindOf(err) != NotAllowed {
					t.Error(err)
				}
				return
			}
			if _, err := r.c.Sign(t.Context(), a.activation(s)); err != nil {
				t.Error(err)
			}
			made.Add(1)
		})
	}
	wg.Wait()
	if made.Load() != 7 {
		t.Errorf("%d signatures of a delegation of 7", made.Load())
	}
}

// TestDelegatedKilled: the vault dies when a use is counted and not yet told.
func TestDelegatedKilled(t *testing.T) {
	t.Parallel()
	r, starts := newProcessRig(t, "delegated")
	h := r.newAutomatic("h")
	h.give("d", 1)
	a := h.delegated("d", "tx", 1)
	s, err := r.c.AuthoriseDelegated(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Sign(t.Context(), a.activation(s)); err != nil {
		t.Fatal(err)
	}
	if n := starts(); n != 2 {
		t.Errorf("the vault was started %d times, want 2", n)
	}
}
