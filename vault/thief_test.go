package vault

import (
	"crypto"
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
)

// thief is somebody with a copy of both databases and the disk, and with the token and
// its PIN: they can do with the token whatever the vault can. What they lack is the
// holder's password.
type thief struct {
	t   *testing.T
	r   *rig
	tok *hsm.Token
}

func newThief(t *testing.T, r *rig) *thief {
	t.Helper()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.stop = func() error { return nil }
	pin, err := os.ReadFile(r.cfg.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := hsm.Open(hsm.Config{Module: r.cfg.Module, Token: r.cfg.Token, PIN: []byte(strings.TrimSpace(string(pin)))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tok.Close() })
	return &thief{t, r, tok}
}

// open tries to sign with a wrapped key under the KEK that d gives.
func (th *thief) open(d [32]byte, w hsm.Wrapped) error {
	return th.tok.UseWrapped(th.t.Context(), keyMaster, d, w, func(key crypto.Signer) error {
		_, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
		return err
	})
}

// secret is what the vault would derive from a password for a credential.
func secret(f *Factors, c *Credential, password string) [32]byte {
	stretched := f.Argon.Stretch([]byte(password), f.Salt)
	return kekSecret(&stretched, c)
}

// key derives a key of the vault's process, as its start does.
func (th *thief) key(purpose string) (k [32]byte) {
	b, err := th.tok.MAC(th.t.Context(), keyMAC, newMessage("sigillo vault key v1").text(purpose).text(th.r.cfg.Node))
	if err != nil {
		th.t.Fatal(err)
	}
	copy(k[:], b)
	return k
}

// TestThief: without the password the wrapped key does not open, whatever else there
// is; and what a thief can do instead.
func TestThief(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	victim, mallory, robot := r.newHolder("victim", "p256"), r.newHolder("mallory", "p256"), r.newAutomatic("robot")
	if _, err := r.c.Sign(t.Context(), victim.authorised("honest", 1)); err != nil {
		t.Fatal(err)
	}
	robot.give("live", 3)
	robot.give("over", 3)
	if err := r.c.RevokeDelegation(t.Context(), "over", "officer", "x"); err != nil {
		t.Fatal(err)
	}
	th := newThief(t, r)
	c, f := &victim.cred, &victim.factors
	own := secret(&mallory.factors, &mallory.cred, goodPassword)
	if err := th.open(own, mallory.cred.wrapped()); err != nil {
		t.Fatalf("mallory's own key, with mallory's password: %v", err) // else all that follows says nothing
	}
	otherEpoch, edited := *c, *c
	otherEpoch.Epoch = 0
	edited.Holder = "mallory"
	var random [32]byte
	rand.Read(random[:])
	for name, d := range map[string][32]byte{
		"a wrong password":                       secret(f, c, "il gatto suona il violino"),
		"no password":                            secret(f, c, ""),
		"nothing":                                {},
		"chance":                                 random,
		"the verifier":                           [32]byte(f.Verifier),
		"the right password with another salt":   secret(&mallory.factors, c, goodPassword),
		"the right password, other epoch":        secret(f, &otherEpoch, goodPassword),
		"the right password, another credential": secret(f, &mallory.cred, goodPassword),
		"another's secret":                       own,
		"the record made mallory's":              secret(&mallory.factors, &edited, goodPassword),
		"the token's MAC of the record":          [32]byte(c.MAC),
	} {
		if err := th.open(d, c.wrapped()); hsm.KindOf(err) != hsm.WrongSecret {
			t.Errorf("under the KEK of %s: %v", name, err)
		}
	}
	right := secret(f, c, goodPassword)
	for i := 0; i < len(c.Wrapped); i += 11 { // with the password too: a blob that was changed does not open
		w := c.wrapped()
		w.Blob = append([]byte(nil), w.Blob...)
		w.Blob[i] ^= 1
		if err := th.open(right, w); hsm.KindOf(err) != hsm.WrongSecret {
			t.Fatalf("byte %d of the blob changed: %v", i, err)
		}
	}
	swapped := hsm.Wrapped{Type: c.Type, SPKI: c.PublicKey, Blob: mallory.cred.Wrapped}
	if err := th.open(own, swapped); err == nil {
		t.Error("mallory's key signs for the victim's public key")
	}
	th.forge(victim)
	th.can(victim, robot, right)
}

// forge makes what the vault itself would: the token's MACs over records, the rows,
// and a SAD. A vault that runs on the copy takes them, and the key does not open.
func (th *thief) forge(victim *holder) {
	t := th.t
	sad, seal, rows := th.key("sad jws"), th.key("sad seal"), th.key("rows")
	m, err := newMint(th.r.cfg.Node, &sad, &seal)
	if err != nil {
		t.Fatal(err)
	}
	th.tok.Close()
	v, done := th.r.direct()
	defer done()
	if v.rowKey != rows {
		t.Fatal("this is not what the vault derives")
	}
	c, ds, now := &victim.cred, digests(1), v.now()
	s, err := m.issue(claims{Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: "SHA-256",
		Digests: ds, Count: 1, AMR: []string{"pwd", "otp"}, Client: "thief", Authorised: now.Unix(), ID: "forged"}, &[32]byte{7}, now)
	if err != nil {
		t.Fatal(err)
	}
	a := Activation{SAD: s.Token, Credential: *c, Hash: "SHA-256", Digests: ds, Scheme: schemeECDSA, Request: "forged"}
	_, err = v.sign(t.Context(), &a)
	want(t, err, Tampered)
	if !strings.Contains(err.Error(), "does not open") {
		t.Errorf("refused before the token was asked, which says nothing: %v", err)
	}
}

// can shows what a thief of all that can do. docs/security.md says so.
func (th *thief) can(victim, robot *holder, right [32]byte) {
	t := th.t
	th2 := newThief(t, th.r)
	// Read the secrets of the OTP devices.
	otp, err := th2.tok.Unseal(t.Context(), keySeal, secretsContext(&victim.factors), victim.factors.OTP)
	if err != nil || auth.TOTP(otp[1:], time.Unix(0, 0)) != auth.TOTP(victim.secret, time.Unix(0, 0)) {
		t.Errorf("the OTP secret: %v", err)
	}
	// Try passwords, each for an Argon2id and a use of the token; the right one opens.
	if err := th2.open(right, victim.cred.wrapped()); err != nil {
		t.Errorf("the right password: %v", err)
	}
	// Sign with keys that are delegated at the moment, not with one whose delegation
	// was over when the copy was made.
	db, err := store.Open(t.Context(), th.r.cfg.StateDB, "vault")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for id, live := range map[string]bool{"live": true, "over": false} {
		var d delegation
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			r, err := tx.Delegation(id)
			if err != nil {
				return err
			}
			return json.Unmarshal(r.Record, &d)
		})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := th2.tok.Unseal(t.Context(), keySeal, d.sealContext(), d.Secret)
		if (err == nil) != live {
			t.Fatalf("the delegation %s: %v", id, err)
		}
		if live {
			if err := th2.open([32]byte(plain), robot.cred.wrapped()); err != nil {
				t.Errorf("the delegated key: %v", err)
			}
		}
	}
}

// TestStateSetBack: who puts an older copy of the whole state in its place, journal
// and all, can have the same digests signed again while the SAD lasts, and nothing
// else. docs/security.md says so.
func TestStateSetBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(r.cfg.StateDB)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.cfg.StateDB, before, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	other := act
	other.Digests, other.Request = digests(1), "other"
	_, err = r.c.Sign(t.Context(), other)
	want(t, err, BadSAD)
	act.Request = "again"
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	act.Request = "and again"
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, SpentSAD)
	r.clock.move(SADLife)
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, SpentSAD)
}
