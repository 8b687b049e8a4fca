package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// BrowserLife is how long a browser is remembered after a sign-in.
const BrowserLife = 90 * 24 * time.Hour

// A Browser token says that the holder has signed in with this browser before. It is
// no factor: all it does is to have failures counted apart from those of strangers.
// expiry, seconds ‖ nonce ‖ MAC over both, the holder and the count of revocations.
const (
	browserNonce = 12
	browserMAC   = 16
	browserSize  = 8 + browserNonce + browserMAC
)

func (v *server) browserTag(holder string, revocations int64, head []byte) []byte {
	return newMessage("sigillo browser v1").text(holder).num(revocations).bytes(head).mac(&v.rowKey)[:browserMAC]
}

// newBrowser mints a Browser token.
func (v *server) newBrowser(holder string, revocations int64) (token string, expires time.Time) {
	expires = v.now().Add(BrowserLife).Truncate(time.Second)
	b := make([]byte, 8+browserNonce, browserSize)
	binary.BigEndian.PutUint64(b, uint64(expires.Unix()))
	rand.Read(b[8:])
	b = append(b, v.browserTag(holder, revocations, b)...)
	return base64.RawURLEncoding.EncodeToString(b), expires.UTC()
}

// knownBrowser says whether the vault minted the token for this holder, and it holds.
func (v *server) knownBrowser(s *holderState, token string) bool {
	if len(token) != base64.RawURLEncoding.EncodedLen(browserSize) {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != browserSize {
		return false
	}
	head := b[:8+browserNonce]
	return hmac.Equal(b[len(head):], v.browserTag(s.Holder, s.Browsers, head)) &&
		v.now().Unix() < int64(binary.BigEndian.Uint64(head))
}

// forgetBrowsers makes the tokens of a holder void. It wants no factors: it takes
// away nothing but a privilege of the lock-out.
func (v *server) forgetBrowsers(ctx context.Context, f *Factors) error {
	return v.alter(ctx, f, func(tx *store.Tx, s *holderState) error {
		s.Browsers++
		return audit.Append(tx, v.now(), audit.Event{Actor: f.Holder, Event: "browsers.forgotten", Subject: f.Holder})
	})
}
