package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/vault"
)

// TestNotActivatedIsNobody: who is registered and has no factors yet, or none any more, is
// told from one who does not exist by no door.
func TestNotActivatedIsNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := demoPeople[1]
	n.Username = "attesa"
	if _, err := h.Invite(t.Context(), n, "operator"); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(username string) error{
		"challenge": func(username string) error {
			ch, err := h.SignInChallenge(t.Context(), username, signing.Evidence{Client: "test"})
			if err == nil && len(ch.Options) == 0 {
				t.Errorf("%s gets an empty challenge", username)
			}
			return err
		},
		"send": func(username string) error {
			_, err := h.SendSignInCode(t.Context(), username, signing.Evidence{Client: "test"}, vault.CodeRequest{Language: "it"})
			return err
		},
		"sign in": func(username string) error {
			_, err := h.Recognise(t.Context(), username, signing.Evidence{Password: []byte("x"), OTP: "123456", Client: "test"})
			return err
		},
	} {
		waits, nobody := ask("attesa"), ask("nessuno")
		if signing.KindOf(waits) != signing.KindOf(nobody) || (waits == nil) != (nobody == nil) {
			t.Errorf("%s: %v, and of nobody %v", name, waits, nobody)
		}
	}
}

// TestStrangersAtTheDesk: whoever guesses a member's factors locks out strangers, not the
// browser that the member has signed in with.
func TestStrangersAtTheDesk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sara := h.appointed(t, staff.Security)[0]
	visit := auth.Visit{Face: auth.Desk, Client: "192.0.2.1"}
	in, err := h.StaffSignIn(t.Context(), sara.Username, signing.Evidence{Password: []byte(sara.password), OTP: sara.otp(), Client: "192.0.2.1"}, visit)
	if err != nil {
		t.Fatal(err)
	}
	guess := func(browser string) signing.Kind {
		_, err := h.StaffSignIn(t.Context(), sara.Username, signing.Evidence{Password: []byte("x"), OTP: "123456", Client: "test", Browser: browser}, visit)
		return signing.KindOf(err)
	}
	for range auth.FreeFailures + 1 {
		guess("")
	}
	if got := guess(""); got != signing.Locked {
		t.Fatalf("a stranger may guess on: %s", got)
	}
	if got := guess(in.Browser); got != signing.WrongFactors {
		t.Errorf("the member's own browser, mistyped once: %s", got)
	}
}

// TestCodeOfOwnProposal: who has proposed an appointment, and had it approved, does not
// get the code with which the person becomes a member.
func TestCodeOfOwnProposal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	staffed := h.appointed(t, staff.Security, staff.Certification)
	sara, carlo := staffed[0].Member, staffed[1].Member
	n := colleagues[staff.Technical]
	n.Role = staff.Technical
	p, err := h.ProposeAppointment(t.Context(), sara, n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Approve(t.Context(), carlo, p.ID, p.Digest()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.NewCode(t.Context(), sara, n.Username); staff.KindOf(err) != staff.SamePerson {
		t.Errorf("the proposer: %v", err)
	}
	if out, err := h.NewCode(t.Context(), carlo, n.Username); err != nil || out.Code == "" {
		t.Errorf("the approver: %v", err)
	}
}

// TestLossAcceptedByRight: where there is staff, nobody gives time-stamps up without the
// right to it, under a name that was only written on the command line.
func TestLossAcceptedByRight(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	h := open(t, dir)
	sara := h.appointed(t, staff.Security)[0] // who has not the right
	otp := sara.otp()
	h.stop()
	for _, path := range []string{h.Layout.Ledger(), h.Layout.StampIndex()} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	code := dispatch(t.Context(), env{in: strings.NewReader(sara.password + "\n" + otp + "\n"), out: &out, err: &errs},
		[]string{"tsa", "accept-loss", "--operator", sara.Username, "--reason", "x", "--dir", dir})
	if code == exitGood || !strings.Contains(errs.String(), "the role security may not do this") {
		t.Errorf("%d %s%s", code, out.String(), errs.String())
	}
}

// TestBrowsersForgotten: a holder who ends all other sessions is rid of whoever had the
// factors once, who would still count as the holder's own browser.
func TestBrowsersForgotten(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	visit := auth.Visit{Face: auth.Programs, Client: "192.0.2.1"}
	thief, err := h.SignIn(t.Context(), ada.holder.Username, signing.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"}, visit)
	if err != nil || thief.Browser == "" {
		t.Fatal(err)
	}
	guess := func(browser string) signing.Kind {
		_, err := h.Recognise(t.Context(), ada.holder.Username, signing.Evidence{Password: []byte("x"), OTP: "123456", Client: "test", Browser: browser})
		return signing.KindOf(err)
	}
	for range auth.FreeFailures + 1 {
		guess("")
	}
	if a, b := guess(""), guess(thief.Browser); a != signing.Locked || b != signing.WrongFactors {
		t.Fatalf("before: %s, %s", a, b)
	}
	if n, err := h.EndOtherSessions(t.Context(), h.holderID(t, ada), "the holder's"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := guess(thief.Browser); got != signing.Locked {
		t.Errorf("the thief's browser is still the holder's: %s", got)
	}
}
