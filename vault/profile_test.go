package vault

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
	"sigillo/store"
)

// update has the customer sign until the profile has learned, and returns its version.
func (c *counterRig) update() int64 {
	c.t.Helper()
	before := c.current()
	for range 6 {
		if _, err := c.attempt("learn", digests(1), c.signature()); err != nil {
			c.t.Logf("not matched: %v", err)
		}
		c.tomorrow()
		if now := c.current(); now > before {
			return now
		}
	}
	c.t.Fatal("the profile does not learn")
	return 0
}

// current is the version of the profile that is in force; 0: none.
func (c *counterRig) current() int64 {
	c.t.Helper()
	ps, err := c.c.Profiles(c.t.Context(), c.customer)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, p := range ps {
		if p.Current {
			return p.Version
		}
	}
	return 0
}

// TestTemplatesSwapped: an attacker with the database who puts one template in the place of
// another, or an old one in the place of the present one, gets nothing.
func TestTemplatesSwapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	mallory := newOther(c, synthetic.New(8))
	execRaw(t, r.cfg.StateDB, `CREATE TABLE heads AS SELECT * FROM counter_rows WHERE kind = 'profile'`)
	version := c.update()
	try := func(name string, kind Kind) {
		t.Helper()
		c.tomorrow()
		_, err := c.attempt(name, digests(1), mallory.signature())
		if err == nil || kind != "" && KindOf(err) != kind {
			t.Errorf("%s: %v, want %s", name, err, kind)
		}
	}
	try("nothing changed", "")
	execRaw(t, r.cfg.StateDB, `CREATE TABLE saved AS SELECT * FROM templates`)
	for _, edit := range []struct{ name, sql string }{
		{"mallory's template", `UPDATE templates SET (wrapped, sealed, mac, created, algorithm, reason) =
			(SELECT wrapped, sealed, mac, created, algorithm, reason FROM templates WHERE credential = 'grapho-customer-2' AND version = 1) WHERE credential = 'grapho-customer'`},
		{"mallory's template under mallory's key", `UPDATE templates SET (wrapped, sealed) =
			(SELECT wrapped, sealed FROM templates WHERE credential = 'grapho-customer-2' AND version = 1) WHERE credential = 'grapho-customer'`},
		{"mallory's key", `UPDATE templates SET wrapped = (SELECT wrapped FROM templates WHERE credential = 'grapho-customer-2' AND version = 1) WHERE credential = 'grapho-customer'`},
		{"the first version in the place of the last", `UPDATE templates SET (wrapped, sealed, mac, created, algorithm, reason) =
			(SELECT wrapped, sealed, mac, created, algorithm, reason FROM templates WHERE credential = 'grapho-customer' AND version = 1) WHERE credential = 'grapho-customer' AND version > 1`},
		{"one byte", `UPDATE templates SET sealed = zeroblob(length(sealed)) WHERE credential = 'grapho-customer'`},
		{"another class", `UPDATE templates SET class = 'file' WHERE credential = 'grapho-customer'`},
		{"another algorithm", `UPDATE templates SET algorithm = 'none' WHERE credential = 'grapho-customer'`},
		{"no template", `DELETE FROM templates WHERE credential = 'grapho-customer'`},
	} {
		execRaw(t, r.cfg.StateDB, edit.sql)
		before := c.failures()
		try(edit.name, Tampered)
		if n := c.failures(); n != before { // it is not the customer's doing
			t.Errorf("%s: %d mismatches", edit.name, n)
		}
		execRaw(t, r.cfg.StateDB, `DELETE FROM templates; INSERT INTO templates SELECT * FROM saved`)
	}
	execRaw(t, r.cfg.StateDB, `CREATE TABLE now AS SELECT * FROM counter_rows WHERE kind = 'profile'`)
	execRaw(t, r.cfg.StateDB, `DELETE FROM counter_rows WHERE kind = 'profile'; INSERT INTO counter_rows SELECT * FROM heads`)
	_, err := r.c.OpenCapture(t.Context(), c.opening("the head of before", digests(1)))
	want(t, err, Tampered)
	execRaw(t, r.cfg.StateDB, `DELETE FROM counter_rows WHERE kind = 'profile'; INSERT INTO counter_rows SELECT * FROM now`)
	if got := c.current(); got != version {
		t.Fatalf("version %d, want %d", got, version)
	}
	if _, err := c.attempt("good", digests(1), c.hand.Sign(1, 77)); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// TestRollBack: a member puts an earlier version in force, as a new one.
func TestRollBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	version := c.update()
	order := func() RollBack {
		return RollBack{Factors: c.second.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: c.second.otp(), Client: "test"},
			Credential: c.cred.ID, Version: 1, Reason: "disputed", Request: "roll back"}
	}
	for _, at := range []struct {
		name string
		want Kind
		do   func(o *RollBack)
	}{
		{"no password", WrongPassword, func(o *RollBack) { o.Password = nil }},
		{"no code", WrongOTP, func(o *RollBack) { o.OTP = "" }},
		{"a version that there is not", NotAllowed, func(o *RollBack) { o.Version = 99 }},
		{"a profile that there is not", NotAllowed, func(o *RollBack) { o.Credential = "none" }},
	} {
		o := order()
		at.do(&o)
		want(t, r.c.RollBackProfile(t.Context(), o), at.want)
		c.use(c.second)
	}
	if err := r.c.RollBackProfile(t.Context(), order()); err != nil {
		t.Fatal(err)
	}
	ps, err := r.c.Profiles(t.Context(), c.customer)
	if err != nil || ps[0].Version != version+1 || ps[0].Reason != "rolled back to 1" || !ps[0].Current || len(ps) != int(version)+1 {
		t.Errorf("%+v, %v", ps, err)
	}
	if _, err := c.attempt("after", digests(1), c.signature()); err != nil {
		t.Error(err)
	}
	if n := r.entries(profileRolledBack); len(n) != 1 || n[0]["reason"] != "disputed" || n[0]["to"] != "1" {
		t.Errorf("%v", n)
	}
}

// TestDriftTold: that a profile has moved away from what was enrolled is counted and
// journalled, beside the match.
func TestDriftTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	a := c.capturedFor("tx", ds, c.write(c.open("tx", ds), c.signature()))
	v, done := r.direct()
	defer done()
	err := v.db.Write(t.Context(), func(tx *store.Tx) error {
		l, err := v.look(tx, &a)
		if err != nil {
			return err
		}
		return v.ruled(tx, &a, &l, &comparison{decision: graphometric.Match, drift: true}, []byte("print"), l.profile.mismatches)
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.graphometricReport(t.Context())
	if err != nil || n.DriftAlarms != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	if d := r.entries("profile.drift"); len(d) != 1 || d[0]["holder"] != c.customer || d[0]["capture"] != a.Capture.Capture {
		t.Errorf("%v", d)
	}
}

// TestVersionsKept: the first version and the last few are kept, the keys of others are gone.
func TestVersionsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	for i := range keptVersions + 4 {
		o := RollBack{Factors: c.second.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: c.second.otp(), Client: "test"},
			Credential: c.cred.ID, Version: 1, Reason: "again", Request: time.Duration(i).String()}
		if err := r.c.RollBackProfile(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	ps, err := r.c.Profiles(t.Context(), c.customer)
	if err != nil || len(ps) != keptVersions+1 || ps[0].Version != keptVersions+5 || ps[len(ps)-1].Version != 1 {
		t.Errorf("%+v, %v", ps, err)
	}
}

// TestDestroyProfile: what is destroyed signs nothing any more, whatever was granted, and
// nothing of it is left.
func TestDestroyProfile(t *testing.T) {
	t.Parallel()
	for name, destroy := range map[string]func(c *counterRig) error{
		"the profile": func(c *counterRig) error {
			return c.c.DestroyProfile(c.t.Context(), c.cred.ID, "customer", "withdrawn")
		},
		"the credential": func(c *counterRig) error {
			return c.c.DestroyCredential(c.t.Context(), Destruction{c.cred, "officer", "revoked"})
		},
		"the holder's keys, in a recovery": func(c *counterRig) error {
			_, err := c.c.Recover(c.t.Context(), Recovery{Holder: c.customer, By: []string{"one", "two"}, Reason: "forgotten"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := newCounter(t, r)
			r.enrol(c.customer) // has a password too
			c.enrolCustomer()
			ds := digests(1)
			sad, err := c.attempt("granted", ds, c.signature())
			if err != nil {
				t.Fatal(err)
			}
			capture := c.open("open", ds)
			sent := c.write(capture, c.signature())
			for range 2 { // the second time it is no error
				if err := destroy(c); err != nil {
					t.Fatal(err)
				}
			}
			_, err = r.c.Sign(t.Context(), Activation{SAD: sad.Token, Credential: c.cred, Hash: "SHA-256", Digests: ds, Scheme: schemeECDSA, Request: "granted"})
			want(t, err, NotAllowed)
			_, err = r.c.Authorise(t.Context(), c.capturedFor("open", ds, sent))
			want(t, err, NotAllowed)
			_, err = r.c.OpenCapture(t.Context(), c.opening("again", ds))
			want(t, err, NotAllowed)
			if ps, err := r.c.Profiles(t.Context(), c.customer); err != nil || len(ps) != 0 {
				t.Errorf("%+v, %v", ps, err)
			}
			if n := count(t, r.cfg.StateDB, `SELECT count(*) FROM templates`); n != 0 {
				t.Errorf("%d templates are left", n)
			}
			if n := r.events(); n[profileDestroyed] != 1 || n[credentialDestroyed] != 1 {
				t.Errorf("%v", n)
			}
		})
	}
}

// TestPasswordChangedBeside: who has a password too changes it without the graphometric key.
func TestPasswordChangedBeside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	h := r.newHolder("customer", "p256")
	c.enrolCustomer()
	change := func(cs ...Credential) PasswordChange {
		return PasswordChange{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"},
			New: []byte("la volpe legge il giornale"), Credentials: cs}
	}
	for _, cs := range [][]Credential{{h.cred}, {h.cred, c.cred}} {
		p := change(cs...)
		a, err := r.c.ChangePassword(t.Context(), p)
		if err != nil || len(a.Credentials) != len(cs) {
			t.Fatalf("%d credentials: %+v, %v", len(cs), a, err)
		}
		if len(cs) == 2 && string(a.Credentials[1].MAC) != string(c.cred.MAC) {
			t.Error("the graphometric credential was changed")
		}
	}
	if _, err := c.attempt("after", digests(1), c.signature()); err != nil {
		t.Error(err)
	}
	// Neither kind of evidence is good for the other kind of credential.
	a := h.authorisation("password", 1)
	a.Credential = c.cred
	_, err := r.c.Authorise(t.Context(), a)
	want(t, err, NotAllowed)
	n := c.opening("pen", digests(1))
	n.Credential = h.cred
	_, err = r.c.OpenCapture(t.Context(), n)
	want(t, err, NotAllowed)
	l := h.authorisation("sign-in", 1)
	err = r.authenticate(Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: l.OTP, Client: "test", Capture: &Captured{}}})
	want(t, err, BadRequest)
	changed := c.cred
	changed.Graphometric = false
	a = h.authorisation("disguised", 1)
	a.Credential = changed
	_, err = r.c.Authorise(t.Context(), a)
	want(t, err, Tampered)
}

// lossyToken is a token that may have lost the key of the templates.
type lossyToken struct {
	*softToken
	has, made bool
	refuses   error
}

func (l *lossyToken) Has(label string) (bool, error) { return label != keyTemplates || l.has, nil }

func (l *lossyToken) GenerateSealKey(context.Context, string) error {
	if l.refuses != nil {
		return l.refuses
	}
	l.has, l.made = true, true
	return nil
}

// TestTemplateKeyLost: the key of the templates is made once, at the first start of a vault
// that knows it; one that is lost is not made again, and nothing else stops working.
func TestTemplateKeyLost(t *testing.T) {
	t.Parallel()
	tok := &lossyToken{softToken: &softToken{keys: map[string][32]byte{}}}
	dir := t.TempDir()
	cfg := Config{Socket: filepath.Join(dir, "sock"), StateDB: filepath.Join(dir, "vault.db"), Node: "node-1", Provision: true,
		Argon: fastArgon, Now: newClock().now, token: tok}
	run := func(do func(v *server)) {
		t.Helper()
		v, unlock, err := start(t.Context(), cfg, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		defer v.close()
		do(v)
	}
	run(func(v *server) {
		if !tok.made || v.withTemplates() != nil {
			t.Errorf("made: %v, %v", tok.made, v.withTemplates())
		}
	})
	lenient := cfg
	lenient.Signatures = "lenient"
	_, _, err := start(t.Context(), lenient, func(string) {})
	want(t, err, Failed)
	tok.has, tok.made, cfg.Provision = false, false, false
	run(func(v *server) {
		if tok.made {
			t.Error("a lost key was made again")
		}
		_, err := v.openCapture(t.Context(), &NewCapture{})
		want(t, err, TokenGone) // for handwritten signatures
		if _, err := v.enrol(t.Context(), "id", &Enrolment{Holder: "h", Username: "ada", Password: []byte(goodPassword)}); err != nil {
			t.Error(err)
		}
	})
}
