package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// NewEmergencyCode returns a random code of 80 bits that suspends a certificate: four
// groups of four characters, short enough to be said on the telephone.
func NewEmergencyCode() (string, error) { return newCode(recoverySize) }

// ParseEmergencyCode is [ParseRecoveryCode] for an emergency code.
func ParseEmergencyCode(typed string) (code string, ok bool) { return parseCode(typed, recoverySize) }

// CodeVerifier is what is kept of a code: a SHA-256 that is bound to what the code is
// for and to what it belongs to. It needs no stretching: nobody tries 2^80 codes.
func CodeVerifier(purpose, subject, code string) []byte {
	h := sha256.New()
	for _, s := range []string{"sigillo code v1", purpose, subject, code} {
		h.Write([]byte{byte(len(s) >> 8), byte(len(s))})
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

// SameCode compares two verifiers in constant time.
func SameCode(a, b []byte) bool { return len(a) > 0 && subtle.ConstantTimeCompare(a, b) == 1 }
