package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// message is the unambiguous encoding of what a MAC, a hash or a derivation is
// over: every part carries its length, and the first one says what it is for,
// so that no value made for one purpose can serve another.
type message []byte

func newMessage(purpose string) message { return message(nil).text(purpose) }

func (m message) bytes(b []byte) message {
	m = binary.BigEndian.AppendUint32(m, uint32(len(b)))
	return append(m, b...)
}

func (m message) text(s string) message { return m.bytes([]byte(s)) }

func (m message) num(n int64) message {
	return binary.BigEndian.AppendUint64(m.text("n"), uint64(n))
}

func (m message) list(bs [][]byte) message {
	m = m.num(int64(len(bs)))
	for _, b := range bs {
		m = m.bytes(b)
	}
	return m
}

func (m message) sha256() []byte {
	h := sha256.Sum256(m)
	return h[:]
}

func (m message) mac(key *[32]byte) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(m)
	return h.Sum(nil)
}

const (
	maxName     = 200 // bytes of an identifier or a name
	maxCN       = 64  // ub-common-name, RFC 5280 Appendix A.1
	maxPassword = 512 // as auth.MaxPassword; longer ones are refused unread
	maxOTP      = 32  // of a code, with the spaces somebody types
)

// checkName says whether s can be an identifier or a name: not empty, not long,
// nothing invisible.
func checkName(what, s string, most int) error {
	if s == "" || len(s) > most || !utf8.ValidString(s) {
		return failf(BadRequest, "%s must have 1 to %d bytes of UTF-8", what, most)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return failf(BadRequest, "%s has characters that cannot be printed", what)
		}
	}
	return nil
}

// firstError returns the first of errs that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
