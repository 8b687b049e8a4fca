package remote

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"sigillo/signing"
)

const (
	maxGrants  = 10_000 // at once
	maxOfOne   = 32     // of one holder, or one delegation: the oldest goes
	maxCached  = 10_000 // credentials whose certificate is kept parsed
	handleSize = 32     // bytes
)

// granted is a grant with what it stands for.
type granted struct {
	Grant
	sad   string
	left  map[string]int // by digest: how often it may still be signed
	ended bool           // revoked or extended: what is put back does not bring it back
	// certificate, with a delegation, is what the application has to present: SHA-256,
	// hex.
	certificate string
}

// user is who may use a grant: its holder, or who presents a certificate.
func (g *granted) user() string {
	if g.Delegation != "" {
		return presented(g.certificate)
	}
	return g.Holder
}

// lot is those that a grant is counted with: a program does not drive out what its
// holder has authorised.
func (g *granted) lot() string { return lot(g.Holder, g.Delegation) }

func lot(holder, delegation string) string { return holder + " " + delegation }

// grants are those in force, by the hash of their handle.
type grants struct {
	mu   sync.Mutex
	by   map[[32]byte]*granted
	lots map[string][][32]byte // by granted.lot, oldest first
	most int                   // maxGrants, fewer in tests
}

func newGrants() grants {
	return grants{by: map[[32]byte]*granted{}, lots: map[string][][32]byte{}, most: maxGrants}
}

// put keeps g and gives its handle. Kind: Busy.
func (s *grants) put(g *granted, now time.Time) (string, error) {
	var b [handleSize]byte
	rand.Read(b[:])
	handle := base64.RawURLEncoding.EncodeToString(b[:])
	key := sha256.Sum256([]byte(handle))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.by) >= s.most {
		s.sweep(now)
	}
	if len(s.by) >= s.most {
		return "", fail(signing.Busy, "too many authorisations are open; try again", nil)
	}
	if own := s.lots[g.lot()]; len(own) >= maxOfOne {
		s.drop(own[0])
	}
	s.keep(key, g)
	return handle, nil
}

// find gives a grant that has not expired. The caller holds the lock.
func (s *grants) find(handle string, now time.Time) (*granted, [32]byte, error) {
	key := sha256.Sum256([]byte(handle))
	g := s.by[key]
	if g == nil {
		return nil, key, fail(NoGrant, "no such authorisation", nil)
	}
	if !now.Before(g.Expires) {
		return nil, key, fail(GrantExpired, "the authorisation is too old; authorise again", nil)
	}
	return g, key, nil
}

// take reserves digests of a grant, all of them or none, and says how many are left.
// The last one takes the grant with it.
func (s *grants) take(handle, holder, application string, a Activation, now time.Time) (*granted, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, key, err := s.find(handle, now)
	if err != nil {
		return nil, 0, err
	}
	if g.user() != holder || g.Application != application {
		return nil, 0, fail(NoGrant, "no such authorisation", nil)
	}
	if a.Credential != "" && a.Credential != g.Credential {
		return nil, 0, fail(NoGrant, "the authorisation is for another credential", nil)
	}
	if a.Hash != g.Hash || !g.holds(a.Digests) {
		return nil, 0, fail(Unauthorised, "the authorisation is not for these digests, or they are signed", nil)
	}
	for _, d := range a.Digests {
		g.left[string(d)]--
	}
	g.Left -= len(a.Digests)
	if g.Left == 0 {
		s.drop(key)
	}
	return g, g.Left, nil
}

// give puts digests back that were not signed after all.
func (s *grants) give(handle string, g *granted, digests [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.ended {
		return
	}
	for _, d := range digests {
		g.left[string(d)]++
	}
	g.Left += len(digests)
	s.keep(sha256.Sum256([]byte(handle)), g)
}

// keep has a grant in force. The caller holds the lock.
func (s *grants) keep(key [32]byte, g *granted) {
	if s.by[key] == nil {
		s.lots[g.lot()] = append(s.lots[g.lot()], key)
	}
	s.by[key], g.ended = g, false
}

// drop forgets a grant. The caller holds the lock.
func (s *grants) drop(key [32]byte) {
	g := s.by[key]
	if g == nil {
		return
	}
	delete(s.by, key)
	own := s.lots[g.lot()]
	for i, k := range own {
		if k == key {
			own = append(own[:i:i], own[i+1:]...)
			break
		}
	}
	if len(own) == 0 {
		delete(s.lots, g.lot())
	} else {
		s.lots[g.lot()] = own
	}
}

// sweep forgets what has expired. The caller holds the lock.
func (s *grants) sweep(now time.Time) {
	for key, g := range s.by {
		if !now.Before(g.Expires) {
			s.drop(key)
		}
	}
}

// holds says whether digests are all left, repetitions counted.
func (g *granted) holds(digests [][]byte) bool {
	want := map[string]int{}
	for _, d := range digests {
		want[string(d)]++
		if want[string(d)] > g.left[string(d)] {
			return false
		}
	}
	return len(digests) > 0
}

// unsigned lists what is left, repetitions kept.
func (g *granted) unsigned() (digests [][]byte) {
	for d, n := range g.left {
		for range n {
			digests = append(digests, []byte(d))
		}
	}
	return digests
}
