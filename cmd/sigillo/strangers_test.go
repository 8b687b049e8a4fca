package main

import (
	"testing"

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
