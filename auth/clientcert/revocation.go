package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"time"

	"sigillo/formats/certpath"
)

const (
	refresh   = 10 * time.Minute // a list that is younger is not asked for again
	maxKept   = 256              // places whose lists are kept
	maxOctets = 128 << 20        // of them
)

// status decides whether a path is not revoked now. What is at hand comes first, so
// that an authority that is down is bridged; what is refused for want of a word is
// looked for again.
func (v *Verifier) status(ctx context.Context, search *certpath.Search, p certpath.Path) (unverified bool, err error) {
	var faults []certpath.Fault
	sources := &certpath.Sources{Search: search}
	for _, ask := range []func(context.Context, *certpath.Sources, certpath.Path){v.answers, v.lists} {
		ask(ctx, sources, p)
		faults = sources.Check(p, v.cfg.Now())
		if len(faults) == 0 {
			return false, nil
		}
		if err := refusal(faults); KindOf(err) != Unverifiable {
			return false, err
		}
	}
	if v.cfg.SoftFail {
		return true, nil
	}
	return false, refusal(faults)
}

// answers adds what OCSP responders say about each certificate of a path, and for
// those that have none the lists.
func (v *Verifier) answers(ctx context.Context, s *certpath.Sources, p certpath.Path) {
	for i, c := range p[:len(p)-1] {
		if v.cfg.Fetch == nil {
			return
		}
		if len(c.OCSPServer) == 0 {
			v.addLists(ctx, s, c)
			continue
		}
		list, err := v.cfg.Fetch.OCSP(ctx, c, p[i+1])
		for _, der := range list {
			if err == nil {
				_ = s.AddOCSP(der) // what cannot be read has said nothing
			}
		}
	}
}

// lists adds the revocation lists of each certificate of a path.
func (v *Verifier) lists(ctx context.Context, s *certpath.Sources, p certpath.Path) {
	for _, c := range p[:len(p)-1] {
		v.addLists(ctx, s, c)
	}
}

func (v *Verifier) addLists(ctx context.Context, s *certpath.Sources, c *x509.Certificate) {
	if v.cfg.Fetch == nil || len(c.CRLDistributionPoints) == 0 {
		return
	}
	key := sha256.Sum256([]byte(strings.Join(c.CRLDistributionPoints, "\x00")))
	list, young := v.kept.get(key)
	if !young {
		if fresh, err := v.cfg.Fetch.CRLs(ctx, c); err == nil {
			// Kept only if it can be read: rubbish must not take the place of a list.
			if readable := slices.DeleteFunc(slices.Clone(fresh), unreadable); len(readable) > 0 {
				v.kept.put(key, readable)
				list = append(readable, list...) // an older one may know more
			}
		}
	}
	for _, der := range list {
		_ = s.AddCRL(der)
	}
}

func unreadable(der []byte) bool {
	var s certpath.Sources
	return s.AddCRL(der) != nil
}

// kept are revocation lists, by where they come from. Whether they are authentic and
// current is found out at each use.
type kept struct {
	now func() time.Time

	mu     sync.Mutex
	places map[[32]byte]keptLists
	octets int
}

type keptLists struct {
	lists [][]byte
	since time.Time
}

func (k *kept) get(key [32]byte) (lists [][]byte, young bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.places[key]
	age := k.now().Sub(p.since)
	return p.lists, ok && age >= 0 && age < refresh
}

func (k *kept) put(key [32]byte, lists [][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := size(lists)
	if k.places == nil || len(k.places) >= maxKept || k.octets+n > maxOctets {
		k.places, k.octets = map[[32]byte]keptLists{}, 0
	}
	k.octets += n - size(k.places[key].lists)
	k.places[key] = keptLists{lists, k.now()}
}

func size(lists [][]byte) (n int) {
	for _, der := range lists {
		n += len(der)
	}
	return n
}
