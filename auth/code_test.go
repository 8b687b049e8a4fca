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
