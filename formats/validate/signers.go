package validate

import (
	"crypto/sha256"
	"slices"
	"time"

	"sigillo/formats/certpath"
)

// maxSigners bounds how far the signers of revocation information are followed:
// a responder, and who says that it is not revoked.
const maxSigners = 2

// signers are those who signed statements about path[i], of whom there may be many
// fewer than statements.
type signers struct {
	v        *validation
	path     certpath.Path
	i, depth int
	known    map[object]signerStatus // by the octets of their paths
}

// signerStatus is what revocation says about the signer of a statement.
type signerStatus struct {
	findings []finding
	about    *certpath.Status
}

// good judges who signed a statement: its path was valid when it signed, and none of
// those on it that are not on the judged path was revoked before.
func (s *signers) good(st *certpath.Status) bool {
	for k := range st.Parts {
		if !s.good(&st.Parts[k]) {
			return false
		}
	}
	if st.ThisUpdate.After(st.ProducedAt.Add(clockTolerance)) {
		return false // nobody says what will be known later
	}
	issuer := s.path[s.i+1]
	if !st.Final() && s.i+1 < len(s.path)-1 && st.ProducedAt.After(issuer.NotAfter) {
		return false // its key may be in anybody's hands by then
	}
	if st.Signer.Equal(issuer) {
		return true
	}
	full := signerPath(st, s.path, s.i)
	for _, f := range full.Check(st.ProducedAt, certpath.Constraints{}) {
		if f.Kind != certpath.Weak && !f.Certificate.Equal(full[len(full)-1]) {
			return false
		}
	}
	if len(full) < 2 {
		return true
	}
	if s.depth == maxSigners {
		return st.NoCheck
	}
	signer := s.status(full)
	if st.NoCheck && (signer.about == nil || !signer.about.Revoked) {
		return true // nothing need be known about it (RFC 6960 §4.2.2.2.1), but what is known counts
	}
	made := st.ProducedAt
	if signer.about != nil && signer.about.Final() && compromising(signer.about.Reason) && !st.Final() {
		made = s.v.poes.ofStatus(st) // whoever has its key writes whatever time they like
	}
	for _, f := range signer.findings {
		if f.before.IsZero() || !made.Before(f.before) {
			return false
		}
	}
	return true
}

// status asks about a signer once.
func (s *signers) status(full certpath.Path) signerStatus {
	h := sha256.New()
	for _, c := range full {
		h.Write(c.Raw)
	}
	key := object(h.Sum(nil))
	known, ok := s.known[key]
	if !ok {
		fs, about := s.v.revocation(full, 0, s.depth+1)
		known = signerStatus{against(fs), about}
		s.known[key] = known
	}
	return known
}

// signerPath is the path of the signer of a statement about path[i], as far as it
// is known up to an anchor.
func signerPath(st *certpath.Status, path certpath.Path, i int) certpath.Path {
	full := slices.Clone(st.SignerPath)
	if n := len(full); n > 0 && full[n-1].Equal(path[i+1]) {
		full = append(full, path[i+2:]...)
	}
	return full
}

// signerEnd is when the first certificate on the path of the signer of a statement
// expires: from then on only a statement that is proven to be older is beyond
// doubt (EN 319 102-1 §5.2.6.4).
func signerEnd(st *certpath.Status, path certpath.Path, i int) time.Time {
	end := time.Unix(1<<40, 0)
	full := signerPath(st, path, i)
	for _, c := range full[:max(len(full)-1, 0)] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	for k := range st.Parts {
		if e := signerEnd(&st.Parts[k], path, i); e.Before(end) {
			end = e
		}
	}
	return end
}
