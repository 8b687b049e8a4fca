package certpath

import (
	"crypto/x509"
	"slices"
	"time"
)

// maxDelegation bounds how far the question who signed a statement leads: the
// signer's own status may come from somebody else again.
const maxDelegation = 4

// Check decides as RFC 5280 §6.3 whether the certificates of a path, its anchor
// excepted, are not revoked at a time, with the statements that are current then
// (RFC 6960 §4.2.2.1): thisUpdate is not later and nextUpdate not earlier, or
// they revoke for good and before. Those who signed the statements must have
// valid paths to the anchor of p, and not be revoked themselves.
func (s *Sources) Check(p Path, at time.Time) []Fault {
	r := &reviewer{sources: s, path: p, at: at}
	faults := r.all(p)
	if len(faults) == 0 && s.checker().Exhausted() { // a revocation may be among what was not looked at
		return []Fault{{NoStatus, p[0], "there is too much to check"}}
	}
	return faults
}

// CheckSigner judges who signed a statement about a certificate of p: its path
// and, unless NoCheck, the revocation of all on it that are not on p, at a time.
func (s *Sources) CheckSigner(st *Status, p Path, at time.Time) []Fault {
	r := &reviewer{sources: s, path: p, at: at}
	return r.signers(st)
}

// reviewer is one decision about revocation.
type reviewer struct {
	sources *Sources
	path    Path // of the certificate it is all about
	at      time.Time
	open    []*x509.Certificate // whose status is being asked for
}

// all judges the revocation of a path's certificates but its anchor, from the
// anchor down.
func (r *reviewer) all(p Path) (out []Fault) {
	for i := len(p) - 2; i >= 0; i-- {
		out = append(out, r.one(p[i], p[i+1])...)
	}
	return out
}

// one judges the revocation of one certificate.
func (r *reviewer) one(c, issuer *x509.Certificate) []Fault {
	if !isCA(c) && extension(c, noRevAvailID) != nil {
		return nil // RFC 9608 §4: nothing will ever be said about it
	}
	if n := len(r.open); n > 0 && r.open[n-1].Equal(c) {
		// A list's issuer may be on its own list, and nowhere else: that it does
		// not revoke itself is all there is to know. Longer circles prove nothing.
		return nil
	}
	if len(r.open) > maxDelegation || slices.ContainsFunc(r.open, c.Equal) {
		return []Fault{{NoStatus, c, "its status depends on itself"}}
	}
	r.open = append(r.open, c)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	statuses := r.sources.Statuses(c, issuer)
	var final *Status // the earliest
	for i := range statuses {
		if st := &statuses[i]; st.Final() && !st.At.After(r.at) && (final == nil || st.At.Before(final.At)) && r.signed(st) {
			final = st
		}
	}
	if final != nil {
		return []Fault{{Revoked, c, rfc3339(final.At)}}
	}
	for i := range statuses { // newest first
		st := &statuses[i]
		if st.Final() || !r.current(st, c) || len(r.signers(st)) > 0 {
			continue
		}
		switch {
		case st.Unknown:
			return []Fault{{NoStatus, c, "the responder does not know it"}}
		case st.Revoked && !st.At.After(r.at):
			return []Fault{{OnHold, c, rfc3339(st.At)}}
		}
		return nil
	}
	return []Fault{{NoStatus, c, ""}}
}

// current reports a statement that holds at the time and, if it was made after
// the certificate expired, would still list it.
func (r *reviewer) current(st *Status, c *x509.Certificate) bool {
	return !st.ThisUpdate.After(r.at) && !st.NextUpdate.IsZero() && !r.at.After(st.NextUpdate) &&
		(st.Revoked || st.CoversExpired || !st.ThisUpdate.After(c.NotAfter))
}

// signed reports whether a statement that revokes for good counts: its signer
// was good when it signed, or is now.
func (r *reviewer) signed(st *Status) bool {
	if len(r.signers(st)) == 0 {
		return true
	}
	then := &reviewer{sources: r.sources, path: r.path, at: st.ProducedAt, open: r.open}
	return len(then.signers(st)) == 0
}

// signers judges all who signed a statement.
func (r *reviewer) signers(st *Status) []Fault {
	for _, part := range st.sources() {
		if faults := r.signer(&part); len(faults) > 0 {
			return faults
		}
	}
	return nil
}

func (r *reviewer) signer(st *Status) []Fault {
	if len(st.SignerPath) == 0 {
		return []Fault{{NoStatus, st.Signer, "its signer has no path"}}
	}
	end := st.SignerPath[len(st.SignerPath)-1]
	i := slices.IndexFunc(r.path, end.Equal)
	if i < 0 {
		return r.elsewhere(st)
	}
	p := append(st.SignerPath[:len(st.SignerPath)-1:len(st.SignerPath)-1], r.path[i:]...)
	faults := r.along(p, st.NoCheck)
	if len(faults) > 0 && i == len(r.path)-1 && len(st.SignerPath) > 1 {
		return r.elsewhere(st) // it may have a better path
	}
	return faults
}

// along judges a signer's path as far as it is not the one that is being judged
// anyway.
func (r *reviewer) along(p Path, noCheck bool) []Fault {
	own := r.own(p)
	if own == 0 {
		return nil
	}
	if faults := p.Check(r.at, Constraints{}); len(faults) > 0 {
		return faults
	}
	for i := own - 1; i >= 0; i-- {
		if i == 0 && noCheck {
			break
		}
		if faults := r.one(p[i], p[i+1]); len(faults) > 0 {
			return faults
		}
	}
	return nil
}

// elsewhere judges a signer by any of its paths to the same anchor.
func (r *reviewer) elsewhere(st *Status) []Fault {
	search, anchor := r.sources.search(), r.path[len(r.path)-1]
	first := []Fault{{NoStatus, st.Signer, "its signer has no path to the same anchor"}}
	if search == nil {
		return first
	}
	for p := range search.Paths(st.Signer) {
		if !sameKey(p[len(p)-1], anchor) {
			continue
		}
		faults := r.along(p, st.NoCheck)
		if len(faults) == 0 {
			return nil
		}
		first = faults
	}
	return first
}

// own gives how many certificates of p come before it meets the path that is
// being judged.
func (r *reviewer) own(p Path) int {
	for i, c := range p {
		if slices.ContainsFunc(r.path, c.Equal) {
			return i
		}
	}
	return len(p) - 1
}
