package auth

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

const (
	// MinPassword is the least number of characters of a password.
	MinPassword = 12
	// MaxPassword is the greatest number of bytes of a password: enough for any
	// passphrase, little enough that hashing it costs nothing.
	MaxPassword = 512
	// minDistinct is the least number of different characters.
	minDistinct = 5
)

// Argon2 holds the cost of stretching a password with Argon2id (RFC 9106). It is
// stored beside each verifier so that the default can rise later without
// locking anybody out. The zero value means [DefaultArgon2].
type Argon2 struct {
	MemoryKiB uint32 `json:"memoryKiB"` // memory in KiB
	Time      uint32 `json:"time"`      // passes over the memory
	Threads   uint8  `json:"threads"`   // lanes
}

// DefaultArgon2 is the second recommended option of RFC 9106 §4 (64 MiB, three
// passes) with two lanes instead of four: the appliance is often a small machine.
var DefaultArgon2 = Argon2{MemoryKiB: 64 << 10, Time: 3, Threads: 2}

// Limits of the parameters that [Argon2.Check] lets through.
const (
	maxArgonMemory = 1 << 20 // KiB: 1 GiB
	maxArgonTime   = 64
)

// OrDefault returns a, or [DefaultArgon2] when a is the zero value.
func (a Argon2) OrDefault() Argon2 {
	if a == (Argon2{}) {
		return DefaultArgon2
	}
	return a
}

// Check says whether a can be used: every field set, memory at most 1 GiB, at
// most 64 passes. A record that comes from outside is checked with it before
// [Argon2.Stretch] spends the memory.
func (a Argon2) Check() error {
	switch {
	case a.Threads == 0 || a.Time == 0 || a.Time > maxArgonTime,
		a.MemoryKiB < 8*uint32(a.Threads), a.MemoryKiB > maxArgonMemory:
		return &Error{Kind: Failed, Msg: fmt.Sprintf("Argon2id parameters m=%d KiB, t=%d, p=%d are out of range", a.MemoryKiB, a.Time, a.Threads)}
	}
	return nil
}

// Stretch returns Argon2id(password, salt), 32 bytes. The password is brought
// to Unicode NFC first (RFC 8265 §4.2.2), so that "è" is the same key whether a
// keyboard sends it as one code point or two. The salt is at least 16 random
// bytes. Parameters below the algorithm's minimum are raised to it; there is no
// error to ignore.
//
// The argon2 package works on memory of its own, which Go gives back to the
// allocator unwiped: this is why the vault process is not dumpable.
func (a Argon2) Stretch(password, salt []byte) [32]byte {
	a = a.OrDefault()
	a.Time, a.Threads = max(a.Time, 1), max(a.Threads, 1)
	pw := norm.NFC.Append(make([]byte, 0, 3*len(password)), password...)
	defer clear(pw)
	k := argon2.IDKey(pw, salt, a.Time, a.MemoryKiB, a.Threads, 32)
	defer clear(k)
	return [32]byte(k)
}

// Derive returns HKDF-SHA-256(stretched, info), 32 bytes (RFC 5869). Two infos
// give two values that tell nothing about each other.
func Derive(stretched [32]byte, info string) [32]byte {
	k, err := hkdf.Key(sha256.New, stretched[:], nil, info, 32)
	if err != nil {
		// Only possible when more than 255 blocks are asked for; 32 bytes are one.
		panic("auth: HKDF refused 32 bytes: " + err.Error())
	}
	defer clear(k)
	return [32]byte(k)
}

//go:embed weak.txt
var weakList string

// weak holds the words of weak.txt.
var weak = func() map[string]bool {
	m := make(map[string]bool)
	for line := range strings.Lines(weakList) {
		if w := strings.TrimSpace(line); w != "" && w[0] != '#' {
			m[w] = true
		}
	}
	return m
}()

// CheckPassword says whether pw may become a holder's password. It wants at
// least [MinPassword] characters with five different ones among them, and
// refuses a run of neighbours ("abcdefghijkl"), a well-known word dressed up
// with digits, symbols or repetition, and the names given (user name, e-mail
// address). There are no rules about classes of characters: length counts, such
// rules only make passwords predictable (NIST SP 800-63B §5.1.1.2).
func CheckPassword(pw string, names ...string) error {
	b := []byte(pw)
	defer clear(b)
	return CheckPasswordBytes(b, names...)
}

// CheckPasswordBytes is [CheckPassword] for those who keep the password where it
// can be wiped.
func CheckPasswordBytes(pw []byte, names ...string) error {
	if len(pw) > MaxPassword {
		return &Error{Kind: TooLong, Msg: fmt.Sprintf("the password is longer than %d bytes; choose a shorter one", MaxPassword)}
	}
	if !utf8.Valid(pw) || bytes.ContainsFunc(pw, unicode.IsControl) {
		return &Error{Kind: NotText, Msg: "the password has characters that cannot be typed; use letters, digits, spaces and symbols"}
	}
	pw = norm.NFC.Append(make([]byte, 0, 3*len(pw)), pw...)
	defer clear(pw)
	if utf8.RuneCount(pw) < MinPassword {
		return &Error{Kind: TooShort, Msg: fmt.Sprintf("the password has fewer than %d characters; choose a longer one", MinPassword)}
	}
	low := bytes.ToLower(pw)
	defer clear(low)
	for _, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if len(n) >= 4 && bytes.Contains(low, []byte(n)) || n != "" && string(low) == n {
			return &Error{Kind: ContainsName, Msg: "the password contains your user name; choose one that has nothing to do with you"}
		}
	}
	if regular(low) || known(low) {
		return &Error{Kind: TooWeak, Msg: "the password is among those everybody tries first; choose a few unrelated words instead"}
	}
	return nil
}

// regular reports whether low has too few different characters, or is mostly a
// run of neighbouring code points or of neighbouring keys.
func regular(low []byte) bool {
	runes := []rune(string(low))
	defer clear(runes)
	seen := map[rune]bool{}
	steps := 0
	for i, r := range runes {
		seen[r] = true
		if i > 0 {
			if d := r - runes[i-1]; d >= -1 && d <= 1 || keyNeighbours(runes[i-1], r) {
				steps++
			}
		}
	}
	return len(seen) < minDistinct || 4*steps >= 3*(len(runes)-1)
}

// keyNeighbours reports whether b follows or precedes a in a row of a keyboard.
func keyNeighbours(a, b rune) bool {
	for _, row := range []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "1qaz2wsx3edc4rfv"} {
		if i := strings.IndexRune(row, a); i >= 0 {
			if j := strings.IndexRune(row, b); j >= 0 && (j-i == 1 || i-j == 1) {
				return true
			}
		}
	}
	return false
}

// leet undoes the letters-as-digits that add nothing.
var leet = map[rune]rune{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', '$': 's', '!': 'i', '€': 'e'}

// known reports whether low is made of nothing but words of the weak list and
// of digits and symbols around them.
func known(low []byte) bool {
	plain := bytes.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, low)
	undone := bytes.Map(func(r rune) rune {
		if l, ok := leet[r]; ok {
			r = l
		}
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, bytes.TrimRight(low, "0123456789!?.,;:-_#*+ "))
	defer clear(plain)
	defer clear(undone)
	return onlyWeak(plain) || onlyWeak(undone)
}

// onlyWeak reports whether s splits wholly into weak words. An empty s (nothing
// but digits and symbols) is left to regular. The work is bounded by the square
// of [MaxPassword].
func onlyWeak(s []byte) bool {
	if len(s) == 0 {
		return false
	}
	const longest = 20
	ends := make([]bool, len(s)+1)
	ends[0] = true
	for i := range s {
		if !ends[i] {
			continue
		}
		for n := 3; n <= longest && i+n <= len(s); n++ {
			if weak[string(s[i:i+n])] {
				ends[i+n] = true
			}
		}
	}
	return ends[len(s)]
}
