package auth

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

const (
	// RecoveryCodes is how many recovery codes a holder gets at once.
	RecoveryCodes = 10
	recoverySize  = 10 // bytes of a code: 80 bits, which nobody guesses
	activateSize  = 20 // bytes of an activation code
	groupSize     = 4
)

// crockford is an alphabet without letters that are mistaken for others: no I, L, O, U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// NewRecoveryCode returns a random code of 80 bits: four groups of four characters,
// joined by dashes.
func NewRecoveryCode() (string, error) { return newCode(recoverySize) }

// NewActivationCode returns a random code of 160 bits: eight groups of four characters.
func NewActivationCode() (string, error) { return newCode(activateSize) }

func newCode(size int) (string, error) {
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		return "", &Error{Kind: Failed, Msg: "no random numbers", Err: err}
	}
	defer clear(b)
	s := crockford.EncodeToString(b)
	groups := make([]string, 0, len(s)/groupSize)
	for ; s != ""; s = s[groupSize:] {
		groups = append(groups, s[:groupSize])
	}
	return strings.Join(groups, "-"), nil
}

// ParseRecoveryCode returns the one spelling of what somebody typed as a recovery
// code, in 16 characters; false when it cannot be one. It forgives small letters,
// spaces, dashes, and O, I and L for 0 and 1.
func ParseRecoveryCode(typed string) (code string, ok bool) { return parseCode(typed, recoverySize) }

// ParseActivationCode is [ParseRecoveryCode] for an activation code, in 32 characters.
func ParseActivationCode(typed string) (code string, ok bool) { return parseCode(typed, activateSize) }

func parseCode(typed string, size int) (string, bool) {
	want := crockford.EncodedLen(size)
	if len(typed) > 2*want {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return -1
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, typed)
	if len(code) != want {
		return "", false
	}
	if _, err := crockford.DecodeString(code); err != nil || strings.ContainsAny(code, "\r\n") {
		return "", false
	}
	return code, true
}
