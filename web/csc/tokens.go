package csc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	accessLife  = time.Hour
	refreshLife = 8 * time.Hour // from the login, however often it is used
	maxTokens   = 20_000
	maxOfHolder = 64
	loginName   = "csc-login" // the application of those who come by auth/login
)

// token is an access or a refresh token of auth/login.
type token struct {
	holder  string
	family  string // of one login
	epoch   []byte // of the holder's factors at the login
	refresh bool
	expires time.Time // when it stops to be good; its family ends at the latest then, too
	ends    time.Time // of the family
}

// tokens of auth/login, by their hash. They end with the process.
type tokens struct {
	mu sync.Mutex
	by map[[32]byte]token
}

func newTokens() tokens { return tokens{by: map[[32]byte]token{}} }

func randomToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// issue makes an access token of a login, and a refresh token if that is wanted.
func (t *tokens) issue(of token, remember bool, now time.Time) (access, refresh string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.room(of.holder, now) {
		return "", "", &Error{Code: soon, Description: "Too many logins are open; revoke some", status: http.StatusServiceUnavailable, wait: time.Minute}
	}
	access = randomToken()
	of.refresh, of.expires = false, earlier(now.Add(accessLife), of.ends)
	t.by[sha256.Sum256([]byte(access))] = of
	if remember {
		refresh = randomToken()
		of.refresh, of.expires = true, of.ends
		t.by[sha256.Sum256([]byte(refresh))] = of
	}
	return access, refresh, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// room forgets what has expired and says whether two more fit.
func (t *tokens) room(holder string, now time.Time) bool {
	own := 0
	for key, v := range t.by {
		switch {
		case !now.Before(v.expires):
			delete(t.by, key)
		case v.holder == holder:
			own++
		}
	}
	return len(t.by)+2 <= maxTokens && own+2 <= maxOfHolder
}

// access tells what an access token stands for, and the token it is.
func (t *tokens) access(bearer string, now time.Time) (Access, token, *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := sha256.Sum256([]byte(bearer))
	v, ok := t.by[key]
	switch {
	case !ok || v.refresh:
		return Access{}, v, badToken()
	case !now.Before(v.expires):
		return Access{}, v, expiredToken()
	}
	return Access{Holder: v.holder, Application: loginName, Scope: ScopeService, Expires: v.expires, login: true}, v, nil
}

func expiredToken() *Error {
	return &Error{Code: "expired_token", Description: "Access or refresh token is expired or has been revoked", status: http.StatusUnauthorized}
}

// end forgets all tokens of a login.
func (t *tokens) end(family string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(family)
}

// drop is end for who has the lock.
func (t *tokens) drop(family string) {
	for key, v := range t.by {
		if v.family == family {
			delete(t.by, key)
		}
	}
}

// renew uses up a refresh token: it works once. Used twice it was stolen, but a token
// that is gone cannot be told from one that never was; its family ends after 8 hours.
func (t *tokens) renew(refresh string, now time.Time) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := sha256.Sum256([]byte(refresh))
	v, ok := t.by[key]
	if !ok || !v.refresh || !now.Before(v.expires) {
		return token{}, false
	}
	delete(t.by, key)
	return v, true
}

// revoke ends a token of holder; a refresh token takes the access tokens of the same
// login with it (RFC 7009 §2.1).
func (t *tokens) revoke(text, holder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := sha256.Sum256([]byte(text))
	v, ok := t.by[key]
	if !ok || v.holder != holder {
		return
	}
	delete(t.by, key)
	if v.refresh {
		t.drop(v.family)
	}
}
