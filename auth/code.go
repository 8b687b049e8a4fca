package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
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

// An activation code may be in two parts that come by two ways: the first, of 160 bits,
// is handed over by the staff, the second, of 80 bits, is sent to the person's phone by
// the vault. Nobody but the person has both, and one is worth nothing without the other.
const (
	activationPurpose = "activation"
	partPurpose       = "activation, second part"
)

// NewActivationPart returns a second part, 80 bits in four groups of four characters,
// and what is kept of it.
func NewActivationPart() (part string, kept []byte, err error) {
	if part, err = newCode(recoverySize); err != nil {
		return "", nil, err
	}
	plain, _ := parseCode(part, recoverySize) // which it is
	return part, CodeVerifier(partPurpose, "", plain), nil
}

// JoinActivation is the verifier of the activation code whose first part is code, and of
// whose second kept is kept. nil when code cannot be a first part.
func JoinActivation(code string, kept []byte) []byte {
	first, ok := ParseActivationCode(code)
	if !ok || len(kept) != sha256.Size {
		return nil
	}
	return CodeVerifier(activationPurpose, hex.EncodeToString(kept), first)
}

// ActivationVerifier is the verifier of an activation code as somebody typed it, of one
// part or of two, the first one first; nil when it cannot be one.
func ActivationVerifier(typed string) []byte {
	if code, ok := ParseActivationCode(typed); ok {
		return CodeVerifier(activationPurpose, "", code)
	}
	both, ok := parseCode(typed, activateSize+recoverySize)
	if !ok {
		return nil
	}
	cut := crockford.EncodedLen(activateSize)
	return JoinActivation(both[:cut], CodeVerifier(partPurpose, "", both[cut:]))
}
