package vault

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
)

// TestTakenOverWeb plays a web process in the hands of somebody who wants a
// signature of holder h over a document of their own. They have the database
// (all records), the whole protocol of the socket, the password (the holder
// types it into the web process), every OTP used so far and every SAD minted so
// far. They have no live OTP of h. They may even enrol holders of their own.
func TestTakenOverWeb(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	victim := r.newHolder("victim", "p256")
	mallory := r.newHolder("mallory", "p256")
	if _, err := r.c.CreateKey(ctx, "tsu-1", "p256"); err != nil {
		t.Fatal(err)
	}

	// An honest transaction passes through their hands.
	honest := victim.authorisation("honest", 1)
	seen := honest.OTP
	sad, err := r.c.Authorise(ctx, honest)
	if err != nil {
		t.Fatal(err)
	}
	honestAct := victim.activation(honest, sad)
	if _, err := r.c.Sign(ctx, honestAct); err != nil {
		t.Fatal(err)
	}
	unspent := victim.authorised("honest, not signed yet", 1)
	evil := sha256.Sum256([]byte("all my money to mallory"))
	wanted := [][]byte{evil[:]}

	authorise := func(change func(*Authorisation)) error {
		a := Authorisation{Factors: victim.factors, Credential: victim.cred,
			Evidence: Evidence{Password: []byte(goodPassword), OTP: seen, Client: "test"}, Hash: "SHA-256", Digests: wanted, Request: "evil"}
		change(&a)
		s, err := r.c.Authorise(ctx, a)
		if err != nil {
			return err
		}
		act := victim.activation(a, s)
		act.Credential, act.Digests = victim.cred, wanted
		_, err = r.c.Sign(ctx, act)
		return err
	}
	sign := func(change func(*Activation)) error {
		a := unspent
		a.Digests = wanted
		change(&a)
		_, err := r.c.Sign(ctx, a)
		return err
	}
	attempts := map[string]func() error{
		"the used OTP":                  func() error { return authorise(func(*Authorisation) {}) },
		"the used OTP, honest request":  func() error { return authorise(func(a *Authorisation) { a.Request = "honest" }) },
		"no OTP":                        func() error { return authorise(func(a *Authorisation) { a.OTP = "" }) },
		"their own OTP":                 func() error { return authorise(func(a *Authorisation) { a.OTP = mallory.otp() }) },
		"their own factors":             func() error { return authorise(ownFactors(mallory)) },
		"their own OTP secret":          func() error { return authorise(ownOTP(mallory)) },
		"their credential, then ours":   func() error { return authorise(ownAll(mallory)) },
		"the credential made theirs":    func() error { return authorise(stolenCredential(mallory, victim)) },
		"a SAD of other documents":      func() error { return sign(func(*Activation) {}) },
		"a spent SAD":                   func() error { return sign(func(a *Activation) { a.SAD = honestAct.SAD }) },
		"a SAD rewritten":               func() error { return sign(func(a *Activation) { a.SAD = rewrite(t, a.SAD, wanted) }) },
		"a SAD of their own":            func() error { return sign(func(a *Activation) { a.SAD = forged(t, victim, wanted) }) },
		"no SAD":                        func() error { return sign(func(a *Activation) { a.SAD = "" }) },
		"the holders' master as signer": func() error { _, err := r.c.Signer(ctx, keyMaster); return err },
		"the credential as a label":     func() error { return signLabel(r, victim.cred.ID, evil[:]) },
		"the MAC key as signer":         func() error { return signLabel(r, keyMAC, evil[:]) },
		"the holder enrolled again": func() error {
			_, _, err := r.c.Enrol(ctx, Enrolment{Holder: "victim", Username: "x", Password: []byte(goodPassword)})
			return err
		},
		"a second credential of the holder": func() error {
			_, _, err := r.c.CreateCredential(ctx, NewCredential{Factors: victim.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: seen},
				ID: "evil", Type: "p256", MaxDigests: 1})
			return err
		},
	}
	for name, try := range attempts {
		err := try()
		if err == nil {
			t.Errorf("%s: it worked", name)
		}
		t.Logf("%-36s %v", name, err)
		r.clock.move(15 * time.Minute) // let no lock-out hide the true reason
		unspent = victim.authorised("again, for "+name, 1)
		seen = auth.TOTP(victim.secret, r.clock.now()) // used by the line before
	}
	// A raw guess at the code: the lock-out leaves five tries.
	guessed := 0
	for i := range 100 {
		err := authorise(func(a *Authorisation) { a.OTP = fmt.Sprintf("%06d", i) })
		if KindOf(err) == WrongOTP {
			guessed++
		} else if KindOf(err) != Locked {
			t.Fatal(err)
		}
	}
	if guessed != auth.FreeFailures+1 {
		t.Errorf("%d guesses at once", guessed)
	}
	// What they can do, and docs/security.md must say: use the infrastructure
	// keys, as the web process must, and have signed what the holder authorises.
	if err := signLabel(r, "tsu-1", evil[:]); err != nil {
		t.Error(err)
	}
}

func ownFactors(m *holder) func(*Authorisation) {
	return func(a *Authorisation) { a.Factors, a.OTP = m.factors, m.otp() }
}

func ownOTP(m *holder) func(*Authorisation) {
	return func(a *Authorisation) { a.Factors.OTP, a.OTP = m.factors.OTP, m.otp() }
}

func ownAll(m *holder) func(*Authorisation) {
	return func(a *Authorisation) { a.Factors, a.Credential, a.OTP = m.factors, m.cred, m.otp() }
}

func stolenCredential(m, v *holder) func(*Authorisation) {
	return func(a *Authorisation) {
		a.Factors, a.OTP = m.factors, m.otp()
		a.Credential.Holder = m.factors.Holder
		a.Credential.MAC = m.cred.MAC
	}
}

// rewrite puts other digests into a SAD and keeps its MAC.
func rewrite(t *testing.T, token string, digests [][]byte) string {
	parts := strings.Split(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	c.Digests, c.Count = digests, len(digests)
	if b, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(b) + "." + parts[2]
}

// forged is a SAD made with keys of one's own.
func forged(t *testing.T, v *holder, digests [][]byte) string {
	m := testMint(t, v.r.cfg.Node, 1)
	now := v.r.clock.now()
	s, err := m.issue(claims{Subject: v.cred.Holder, Credential: v.cred.ID, Epoch: 1, Key: thumbprint(v.cred.PublicKey), Hash: "SHA-256",
		Digests: digests, Count: len(digests), AMR: []string{"pwd", "otp"}, Client: "test", Authorised: now.Unix(), ID: "forged"}, &[32]byte{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return s.Token
}

// signLabel asks for a signature of an infrastructure key without asking for its
// public half first.
func signLabel(r *rig, label string, digest []byte) error {
	s := &remoteSigner{c: r.c, label: label}
	_, err := s.Sign(nil, digest, crypto.SHA256)
	return err
}
