package vault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
)

func (h *holder) authenticate(password, otp string) error {
	return h.r.authenticate(Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(password), OTP: otp, Client: "test"}})
}

func TestFactors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	used := h.otp()
	if err := h.authenticate(goodPassword, used); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password, otp string // "now": the code of the next step
		kind                Kind
	}{
		{"wrong password", "il gatto suona la tromba", "now", WrongPassword},
		{"no password", "", "now", WrongPassword},
		{"wrong OTP", goodPassword, "000000", WrongOTP},
		{"no OTP", goodPassword, "", WrongOTP},
		{"used OTP", goodPassword, used, ReusedOTP},
		{"right", goodPassword, "now", ""},
		{"both wrong", "wrong", "wrong", WrongPassword},
		{"a password beyond the limit", strings.Repeat("x", maxPassword+1), "now", WrongPassword},
		{"a code beyond the limit", goodPassword, strings.Repeat("1", maxOTP+1), WrongOTP},
		{"right again", goodPassword, "now", ""},
	} {
		otp := c.otp
		if otp == "now" {
			otp = h.otp()
		}
		if err := h.authenticate(c.password, otp); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %q", c.name, err, c.kind)
		}
	}
	code := h.otp()
	if err := h.authenticate(goodPassword, code); err != nil {
		t.Fatal(err)
	}
	want(t, h.authenticate(goodPassword, code), ReusedOTP)
	want(t, h.authenticate("wrong", code), WrongPassword)
	r.restart() // what was used is remembered
	want(t, h.authenticate(goodPassword, code), ReusedOTP)
	r.clock.move(-auth.OTPPeriod)
	want(t, h.authenticate(goodPassword, auth.TOTP(h.secret, r.clock.now())), ReusedOTP) // an earlier step is over too
	if n := r.events(); n["holder.authenticated"] != 4 || n["factors.refused"] != 12 {
		t.Errorf("journal: %v", n)
	}
}

func TestLockout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	for range auth.FreeFailures {
		want(t, h.authenticate("wrong", "000000"), WrongPassword)
	}
	if err := h.authenticate(goodPassword, h.otp()); err != nil {
		t.Fatalf("four failures lock nobody out: %v", err)
	}
	wait := func(err error, kind Kind, atLeast time.Duration) time.Duration {
		t.Helper()
		want(t, err, kind)
		d := err.(*Error).RetryAfter
		if d < atLeast || d > atLeast+time.Second {
			t.Fatalf("wait %v, want %v", d, atLeast)
		}
		return d
	}
	for range auth.FreeFailures {
		wait(h.authenticate(goodPassword, "000000"), WrongOTP, 0)
	}
	for _, d := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		wait(h.authenticate("wrong", "000000"), WrongPassword, 0)                         // no word of the lock-out
		wait(h.authenticate(goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked, d) // right or not
		r.clock.move(d - time.Second)
		r.restart() // a restart does not help
		wait(h.authenticate(goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked, time.Second)
		r.clock.move(time.Second)
	}
	if err := h.authenticate(goodPassword, h.otp()); err != nil {
		t.Fatal(err)
	}
	wait(h.authenticate("wrong", "000000"), WrongPassword, 0) // counted from the start again
}

// TestLockedCostsTheSame: the answer to a holder who is locked out takes an
// Argon2id, as that to an invented name does.
func TestLockedCostsTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	for range auth.FreeFailures + 1 {
		want(t, h.authenticate("wrong", "000000"), WrongPassword)
	}
	want(t, h.authenticate("wrong", "000000"), Locked)
	v, done := r.direct()
	defer done()
	for range cap(v.stretching) {
		v.stretching <- struct{}{} // no Argon2id can begin
	}
	for name, f := range map[string]Factors{"locked out": h.factors, "unknown": {}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := v.authenticate(ctx, "id", &Authentication{Factors: f, Evidence: Evidence{Password: []byte("wrong"), OTP: "000000", Client: "test"}})
		if KindOf(err) != Busy {
			t.Errorf("%s: %v without an Argon2id", name, err)
		}
		cancel()
	}
}

// TestRefusalsJournalled: a lock-out is in the journal once, a tampered record
// now and then, however often somebody knocks.
func TestRefusalsJournalled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	for range auth.FreeFailures {
		want(t, h.authenticate("wrong", "000000"), WrongPassword)
	}
	for round := 1; round <= 2; round++ {
		want(t, h.authenticate("wrong", "000000"), WrongPassword)
		for range 10 {
			want(t, h.authenticate("wrong", "000000"), Locked)
		}
		if n := r.refusals(); n[Locked] != round || n[WrongPassword] != auth.FreeFailures+round {
			t.Errorf("locked out %d times: %v", round, n)
		}
		r.clock.move(time.Minute)
	}
	knock := func(holder string) {
		t.Helper()
		f := h.factors
		f.Holder, f.MAC = holder, nil
		want(t, r.authenticate(Authentication{Factors: f, Evidence: Evidence{Password: []byte("x"), OTP: "1", Client: "test"}}), Tampered)
	}
	for range 10 {
		knock("h")
		knock("a name with a line end\n")
	}
	if n := r.refusals(); n[Tampered] != 2 {
		t.Errorf("two records tampered with: %v", n)
	}
	for i := range 2 * maxTampered {
		knock(fmt.Sprint("invented-", i))
	}
	if n := r.refusals(); n[Tampered] != maxTampered {
		t.Errorf("many records: %v", n)
	}
	r.clock.move(tamperedEvery)
	knock("h")
	if n := r.refusals(); n[Tampered] != maxTampered+1 {
		t.Errorf("in the next period: %v", n)
	}
}

// refusals counts the refusals in the vault's journal by their reason.
func (r *rig) refusals() map[Kind]int {
	n := map[Kind]int{}
	for _, e := range r.entries("factors.refused") {
		n[Kind(e["reason"])]++
	}
	return n
}

// TestFull: a full database is told from other faults, at the other end too.
func TestFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	// No row fits behind the last number: SQLite says what it says of a full disk.
	for _, s := range []string{`CREATE TABLE brim (n INTEGER PRIMARY KEY AUTOINCREMENT)`,
		`INSERT INTO brim VALUES (9223372036854775807)`,
		`CREATE TRIGGER full BEFORE INSERT ON journal BEGIN INSERT INTO brim VALUES (NULL); END`} {
		execRaw(t, r.cfg.StateDB, s)
	}
	want(t, h.authenticate(goodPassword, h.otp()), Full)
	_, err := r.c.Sign(t.Context(), act)
	want(t, err, Full)
	execRaw(t, r.cfg.StateDB, `DROP TRIGGER full`)
	want(t, h.authenticate(goodPassword, auth.TOTP(h.secret, r.clock.now())), "")
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, "")
}

// TestUnknownHolder: the zero Factors cost the same and say nothing.
func TestUnknownHolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	err := r.authenticate(Authentication{Evidence: Evidence{Password: []byte(goodPassword), OTP: "123456", Client: "test"}})
	want(t, err, WrongPassword)
	h := r.enrol("h")
	known := h.authenticate("wrong", "123456")
	if err.Error() != known.Error() {
		t.Errorf("%v, and of a known one %v", err, known)
	}
}

func TestEnrol(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	if h.factors.Argon != fastArgon {
		t.Errorf("%+v", h.factors.Argon)
	}
	for _, secret := range [][]byte{h.secret, []byte(goodPassword)} {
		for _, b := range [][]byte{h.factors.OTP, h.factors.Verifier, h.factors.Salt} {
			if bytes.Contains(b, secret) {
				t.Error("the record shows a secret")
			}
		}
	}
	for _, c := range []struct {
		name string
		e    Enrolment
		kind Kind
	}{
		{"enrolled already", Enrolment{Holder: "h", Username: "x", Password: []byte(goodPassword)}, NotAllowed},
		{"no holder", Enrolment{Username: "x", Password: []byte(goodPassword)}, BadRequest},
		{"no user name", Enrolment{Holder: "g", Password: []byte(goodPassword)}, BadRequest},
		{"a name with a line end", Enrolment{Holder: "g\n", Username: "x", Password: []byte(goodPassword)}, BadRequest},
		{"weak", Enrolment{Holder: "g", Username: "x", Password: []byte("password2026")}, WeakPassword},
		{"the user name", Enrolment{Holder: "g", Username: "tamburino sardo", Password: []byte("tamburino sardo")}, WeakPassword},
	} {
		e := c.e
		if _, _, err := r.c.Enrol(t.Context(), e); KindOf(err) != c.kind {
			t.Errorf("%s: %v", c.name, err)
		}
		if bytes.Count(e.Password, []byte{0}) != len(e.Password) {
			t.Errorf("%s: the password was not wiped", c.name)
		}
	}
	if cfg := (Config{}); cfg.Argon.OrDefault() != auth.DefaultArgon2 {
		t.Error("the zero configuration is not the default cost")
	}
}

// TestEnrolAgain: the answer was lost; the repetition makes new factors, and the
// lost ones are worth nothing.
func TestEnrolAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, done := r.direct()
	defer done()
	e := func() *Enrolment {
		return &Enrolment{Holder: "h", Username: "user", Password: []byte(goodPassword)}
	}
	lost, err := v.enrol(t.Context(), "id", e())
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.enrol(t.Context(), "id", e())
	if err != nil {
		t.Fatal(err)
	}
	login := func(a *enrolAnswer, id string) error {
		r.clock.move(auth.OTPPeriod)
		_, err := v.authenticate(t.Context(), id, &Authentication{Factors: a.Factors, Evidence: Evidence{
			Password: []byte(goodPassword), OTP: auth.TOTP(secretOf(t, a.URI), r.clock.now()), Client: "test"}})
		return err
	}
	want(t, login(lost, "1"), Tampered)
	want(t, login(got, "2"), "")
	_, err = v.enrol(t.Context(), "id", e())
	want(t, err, NotAllowed) // they have been used
}

// direct stops the vault and gives its inside to the test.
func (r *rig) direct() (v *server, done func()) {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Fatal(err)
	}
	r.stop = func() error { return nil }
	v, unlock, err := start(r.t.Context(), r.cfg, func(string) {})
	if err != nil {
		r.t.Fatal(err)
	}
	return v, func() {
		v.close()
		unlock()
	}
}

func TestRecordsTampered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	other := r.newHolder("other", "p256")
	for name, change := range map[string]func(*Factors){
		"version":    func(f *Factors) { f.Version++ },
		"no version": func(f *Factors) { f.Version = 0 },
		"holder":     func(f *Factors) { f.Holder = "other" },
		"user name":  func(f *Factors) { f.Username += "x" },
		"salt":       func(f *Factors) { f.Salt = other.factors.Salt },
		"cost":       func(f *Factors) { f.Argon.MemoryKiB = 1 << 30 },
		"verifier":   func(f *Factors) { f.Verifier = other.factors.Verifier },
		"OTP":        func(f *Factors) { f.OTP = other.factors.OTP },
		"MAC":        func(f *Factors) { f.MAC = other.factors.MAC },
		"no MAC":     func(f *Factors) { f.MAC = nil },
		"moved boundary": func(f *Factors) {
			f.Salt, f.Verifier = append(f.Salt[:len(f.Salt):len(f.Salt)], f.Verifier[0]), f.Verifier[1:]
		},
	} {
		f := h.factors
		change(&f)
		err := r.authenticate(Authentication{Factors: f, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"}})
		if KindOf(err) != Tampered {
			t.Errorf("factors, %s: %v", name, err)
		}
	}
	act := h.authorised("tx", 1)
	for name, change := range map[string]func(*Credential){
		"ID":       func(c *Credential) { c.ID += "x" },
		"holder":   func(c *Credential) { c.Holder = "other" },
		"epoch":    func(c *Credential) { c.Epoch++ },
		"type":     func(c *Credential) { c.Type = "p384" },
		"key":      func(c *Credential) { c.PublicKey = other.cred.PublicKey },
		"policy":   func(c *Credential) { c.MaxDigests = 1000 },
		"wrapping": func(c *Credential) { c.Wrapped = other.cred.Wrapped },
		"MAC":      func(c *Credential) { c.MAC = other.cred.MAC },
		"no MAC":   func(c *Credential) { c.MAC = nil },
	} {
		c := h.cred
		change(&c)
		a := h.authorisation("tx-"+name, 1)
		a.Credential = c
		if _, err := r.c.Authorise(t.Context(), a); KindOf(err) != Tampered {
			t.Errorf("credential, %s: authorise: %v", name, err)
		}
		b := act
		b.Credential = c
		if _, err := r.c.Sign(t.Context(), b); KindOf(err) != Tampered {
			t.Errorf("credential, %s: sign: %v", name, err)
		}
	}
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Errorf("the true one: %v", err)
	}
}

// TestStateTampered: who edits the row of a holder's OTP shuts the holder out,
// and gains nothing else.
func TestStateTampered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sql string }{
		{"version", "UPDATE holder_states SET version = version - 1 WHERE holder = 'h'"},
		{"record", "UPDATE holder_states SET record = CAST(replace(CAST(record AS TEXT), '\"serial\":1', '\"serial\":0') AS BLOB) WHERE holder = 'h'"},
		{"another holder's row", "UPDATE holder_states SET (record, mac) = (SELECT record, mac FROM holder_states WHERE holder = 'g') WHERE holder = 'h'"},
		{"no MAC", "UPDATE holder_states SET mac = zeroblob(0) WHERE holder = 'h'"},
		{"gone", "DELETE FROM holder_states WHERE holder = 'h'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h, g := r.enrol("h"), r.enrol("g")
			for _, x := range []*holder{h, g} {
				if err := x.authenticate(goodPassword, x.otp()); err != nil {
					t.Fatal(err)
				}
			}
			editState(t, r, c.sql)
			want(t, h.authenticate(goodPassword, h.otp()), Tampered)
			if err := g.authenticate(goodPassword, g.otp()); err != nil {
				t.Errorf("another holder: %v", err)
			}
		})
	}
}

func TestCredentialPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	other := r.enrol("other")
	for _, c := range []struct {
		name   string
		change func(*Authorisation)
		kind   Kind
	}{
		{"too many digests", func(a *Authorisation) { a.Digests = digests(41) }, NotAllowed},
		{"no digest", func(a *Authorisation) { a.Digests = nil }, NotAllowed},
		{"a short digest", func(a *Authorisation) { a.Digests[0] = a.Digests[0][1:] }, BadRequest},
		{"SHA-1", func(a *Authorisation) { a.Hash = "SHA-1"; a.Digests[0] = a.Digests[0][:20] }, BadRequest},
		{"another holder's factors", func(a *Authorisation) { a.Factors, a.OTP = other.factors, other.otp() }, NotAllowed},
		{"no request", func(a *Authorisation) { a.Request = "" }, BadRequest},
		{"no client", func(a *Authorisation) { a.Client = "" }, BadRequest},
		{"nobody", func(a *Authorisation) { a.Factors = Factors{} }, NotAllowed},
	} {
		a := h.authorisation("tx", 1)
		c.change(&a)
		if _, err := r.c.Authorise(t.Context(), a); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", c.name, err, c.kind)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*NewCredential)
		kind   Kind
	}{
		{"wrong password", func(n *NewCredential) { n.Password = []byte("wrong") }, WrongPassword},
		{"wrong OTP", func(n *NewCredential) { n.OTP = "000000" }, WrongOTP},
		{"no ID", func(n *NewCredential) { n.ID = "" }, BadRequest},
		{"a long ID", func(n *NewCredential) { n.ID = strings.Repeat("x", maxCN+1) }, BadRequest},
		{"a key type nobody has", func(n *NewCredential) { n.Type = "rsa1024" }, BadRequest},
		{"no digests", func(n *NewCredential) { n.MaxDigests = 0 }, BadRequest},
		{"too many digests", func(n *NewCredential) { n.MaxDigests = MaxDigests + 1 }, BadRequest},
	} {
		n := NewCredential{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp()}, ID: "c", Type: "p256", MaxDigests: 1}
		c.change(&n)
		if _, _, err := r.c.CreateCredential(t.Context(), n); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", c.name, err, c.kind)
		}
	}
}

// TestStart: what is missing keeps the vault from starting, and says so.
func TestStart(t *testing.T) {
	t.Parallel()
	good := newConfig(t)
	for _, c := range []struct {
		name   string
		change func(*Config)
		kind   Kind
		says   string
	}{
		{"module gone", func(c *Config) { c.Module = filepath.Join(filepath.Dir(c.Socket), "gone.so") }, TokenGone, "token"},
		{"token gone", func(c *Config) { c.Token = "another" }, Failed, "token"},
		{"PIN file gone", func(c *Config) { c.PINFile += "x" }, Failed, "PIN"},
		{"PIN wrong", func(c *Config) { c.PINFile = writePIN(t, c, "wrong-pin", 0o600) }, Failed, "token"},
		{"PIN for all to read", func(c *Config) { c.PINFile = writePIN(t, c, "x", 0o644) }, Failed, "0600"},
		{"keys missing", func(c *Config) { c.Provision = false }, Failed, keyMaster},
		{"no node", func(c *Config) { c.Node = "" }, BadRequest, "node"},
		{"cost out of range", func(c *Config) { c.Argon.MemoryKiB = 1 << 30 }, Failed, "configuration"},
		{"socket's directory gone", func(c *Config) { c.Socket = "/nowhere/at/all" }, Failed, "socket"},
		{"socket's path too long", func(c *Config) { c.Socket += strings.Repeat("x", 100) }, Failed, "socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			cfg.StateDB = filepath.Join(t.TempDir(), "vault.db")
			c.change(&cfg)
			err := Serve(t.Context(), cfg, func() { t.Error("it started") })
			want(t, err, c.kind)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the message does not speak of %s: %v", c.says, err)
			}
		})
	}
}

func writePIN(t *testing.T, c *Config, pin string, mode os.FileMode) string {
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(pin), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTwoVaults: one state, one vault.
func TestTwoVaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := r.cfg
	cfg.Socket += "2"
	want(t, Serve(t.Context(), cfg, nil), Busy)
}
