package auth

import (
	"strings"
	"testing"
)

func TestEmergencyCode(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		c, err := NewEmergencyCode()
		if err != nil || len(c) != 19 || seen[c] {
			t.Fatalf("%q: %v", c, err)
		}
		seen[c] = true
		plain, ok := ParseEmergencyCode(" " + strings.ToLower(strings.ReplaceAll(c, "-", " ")))
		if !ok || plain != strings.ReplaceAll(c, "-", "") {
			t.Fatalf("%q is read as %q, %v", c, plain, ok)
		}
	}
	for _, s := range []string{"", "0123-4567-89AB-CDE", "0123-4567-89AB-CDEF-0", "0123-4567-89AB-CDEU", strings.Repeat(" ", 1000), "\xff\xfe"} {
		if code, ok := ParseEmergencyCode(s); ok {
			t.Errorf("%q is read as %q", s, code)
		}
	}
}

func TestCodeVerifier(t *testing.T) {
	t.Parallel()
	a := CodeVerifier("emergency", "1a", "0123456789ABCDEF")
	if !SameCode(a, CodeVerifier("emergency", "1a", "0123456789ABCDEF")) || SameCode(nil, nil) {
		t.Error("verifiers do not compare")
	}
	for _, b := range [][]byte{CodeVerifier("emergency", "1b", "0123456789ABCDEF"), CodeVerifier("activation", "1a", "0123456789ABCDEF"),
		CodeVerifier("emergency", "1a0", "123456789ABCDEF")} {
		if SameCode(a, b) {
			t.Error("two codes have one verifier")
		}
	}
}

// TestActivationParts: both parts together are the code, and nothing less is.
func TestActivationParts(t *testing.T) {
	t.Parallel()
	code, err := NewActivationCode()
	if err != nil {
		t.Fatal(err)
	}
	part, kept, err := NewActivationPart()
	if err != nil || len(part) != 19 {
		t.Fatal(part, err)
	}
	want := JoinActivation(code, kept)
	for _, typed := range []string{code + " " + part, code + "-" + part, strings.ToLower(code + part), strings.ReplaceAll(code+part, "-", " ")} {
		if !SameCode(want, ActivationVerifier(typed)) {
			t.Errorf("%q is not the code", typed)
		}
	}
	another, _, _ := NewActivationPart()
	for _, typed := range []string{code, part, part + code, code + another, code + part[:18] + "?", "", code + part + "A"} {
		if SameCode(want, ActivationVerifier(typed)) {
			t.Errorf("%q is the code", typed)
		}
	}
	if ActivationVerifier(code) == nil || ActivationVerifier(part) != nil || JoinActivation(part, kept) != nil || JoinActivation(code, nil) != nil {
		t.Error("what is no code has a verifier, or what is one has none")
	}
}
