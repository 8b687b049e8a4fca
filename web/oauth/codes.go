package oauth

import (
	"crypto/sha256"
	"sync"
	"time"

	"sigillo/store"
)

const (
	codesKept   = 10_000
	handlesKept = 100_000
	replayWatch = accessLife // how long a used code is remembered, with what it gave
)

// code is what an authorization code stands for.
type code struct {
	client, redirect, challenge string
	named                       bool // the redirect URI was
	scope, holder               string
	recognised                  store.Holder // scope service: as the holder was then
	order                       *order       // scope credential
	grant                       Grant
	expires                     time.Time

	used     bool
	replayed bool
	given    string // ID of the grant that it gave, in the database
}

// codes are in memory only, by the SHA-256 of each.
type codes struct {
	mu    sync.Mutex
	kept  map[[32]byte]*code
	swept time.Time
}

// put makes a code; false when there are too many.
func (k *codes) put(c code, now time.Time) (text string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[[32]byte]*code{}
	}
	if now.Sub(k.swept) > codeLife || len(k.kept) >= codesKept {
		k.swept = now
		k.sweep(now, replayWatch)
	}
	if len(k.kept) >= codesKept { // used ones are remembered only while there is room
		k.sweep(now, 0)
	}
	if len(k.kept) >= codesKept {
		return "", false
	}
	text = newToken()
	k.kept[sha256.Sum256([]byte(text))] = &c
	return text, true
}

// sweep forgets the codes that are over, used ones some time later.
func (k *codes) sweep(now time.Time, watch time.Duration) {
	for id, old := range k.kept {
		if !now.Before(old.expires) && (!old.used || now.Sub(old.expires) > watch) {
			delete(k.kept, id)
		}
	}
}

// take uses a code up, whoever asks for it: one that came into wrong hands is worth
// nothing to its owner either. used is what it was before; nil when there is no such
// code.
func (k *codes) take(text string, now time.Time) (c *code, used bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.kept[sha256.Sum256([]byte(text))]
	if old == nil {
		return nil, false
	}
	used = old.used
	copied := *old
	old.used, old.replayed, old.order = true, used, nil
	return &copied, used
}

// gave notes what a code has given; false when it was presented again in the meantime,
// and what it gave must be taken back.
func (k *codes) gave(text, grant string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.kept[sha256.Sum256([]byte(text))]
	if c == nil {
		return true
	}
	c.given = grant
	return !c.replayed
}

// handle is an access token of scope credential.
type handle struct {
	Access
	certificate []byte // SHA-256 of the one it is bound to; empty: to none
}

// handles are in memory only, by the SHA-256 of each.
type handles struct {
	mu    sync.Mutex
	kept  map[[32]byte]handle
	swept time.Time
}

// put keeps a handle until it expires; false when there are too many.
func (k *handles) put(h handle, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[[32]byte]handle{}
	}
	if now.Sub(k.swept) > time.Minute || len(k.kept) >= handlesKept {
		k.swept = now
		for id, old := range k.kept {
			if !now.Before(old.Expires) {
				delete(k.kept, id)
			}
		}
	}
	if len(k.kept) >= handlesKept {
		return false
	}
	k.kept[sha256.Sum256([]byte(h.Handle))] = h
	return true
}

func (k *handles) get(text string) (handle, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.kept[sha256.Sum256([]byte(text))]
	return h, ok
}

func (k *handles) drop(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, sha256.Sum256([]byte(text)))
}
