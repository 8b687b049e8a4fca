package validate

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"sigillo/formats/certpath"
)

// maxPaths bounds the paths that are judged for one certificate.
const maxPaths = 16

// chain is a path and what speaks against it at the time of validation.
type chain struct {
	path     certpath.Path
	findings []finding
	statuses []statement // relied upon, from the anchor down
}

// statement is what was said about a certificate of a path.
type statement struct {
	certpath.Status
	about int // index in the path
}

// hopeless counts the findings that no proof of existence answers.
func (c *chain) hopeless() (n int) {
	for _, f := range c.findings {
		if f.indication != TotalPassed && f.before.IsZero() {
			n++
		}
	}
	return n
}

func (c *chain) better(than *chain) bool {
	if than == nil {
		return true
	}
	a, b := c.hopeless(), than.hopeless()
	return a < b || a == b && len(against(c.findings)) < len(against(than.findings))
}

// x509Validation is EN 319 102-1 §5.2.6: it tries the paths from a certificate to
// an anchor until one is acceptable at the time of validation. Without one it
// gives the one that proofs of existence are most likely to save. All findings of
// a path are given, not only the first: a certificate may be both expired and
// revoked, and a proof has to be older than both.
func (v *validation) x509Validation(leaf *x509.Certificate) *chain {
	if c, ok := v.chains[objectOf(leaf.Raw)]; ok {
		return c
	}
	var best *chain
	n := 0
	for path := range v.search.Paths(leaf) {
		c := v.judgePath(path, 0)
		if c.better(best) {
			best = c
		}
		if n++; n == maxPaths || passed(c.findings) {
			break
		}
	}
	if best == nil {
		best = &chain{findings: []finding{doubt(NoCertificateChain, "no-chain", name(leaf))}}
	}
	for i := range best.findings {
		best.findings[i].path = true
	}
	v.chains[objectOf(leaf.Raw)] = best
	return best
}

// judgePath is steps 3 to 5 of §5.2.6.4 for one path. depth counts how many
// signers of revocation information are above in the recursion.
func (v *validation) judgePath(path certpath.Path, depth int) *chain {
	c := &chain{path: path}
	c.findings = v.pathFaults(path)
	if slices.ContainsFunc(c.findings, func(f finding) bool { return f.indication != TotalPassed && f.before.IsZero() }) {
		return c
	}
	for i := len(path) - 2; i >= 0; i-- { // from the anchor down: a list is worth no more than its issuer
		fs, st := v.revocation(path, i, depth)
		for _, f := range fs {
			switch {
			case i == 0 || f.reason.Code == "stale-revocation" || f.of != (object{}):
			case f.sub == RevokedCANoPOE && st != nil && !compromising(st.Reason):
				f = f.about(objectOf(path[i-1].Raw)) // what it certified before is as good as ever
			default:
				f.deep = true
			}
			c.findings = append(c.findings, f)
		}
		if st != nil {
			c.statuses = append(c.statuses, statement{*st, i})
		}
		c.findings = append(c.findings, v.certificateCrypto(path[i], path[i+1])...)
	}
	c.notRevoked()
	return c
}

// notRevoked tells an expired certificate that was not revoked, as far as is known
// from its lifetime, from one of which nothing is known (§5.2.6.4 step 1).
func (c *chain) notRevoked() {
	known := slices.ContainsFunc(c.findings, func(f finding) bool { return f.reason.Code == "not-revoked-when-expired" })
	above := slices.ContainsFunc(c.findings, func(f finding) bool { return f.of != object{} && f.sub == OutOfBoundsNoPOE })
	for k, f := range c.findings {
		if known && !above && f.sub == OutOfBoundsNoPOE {
			c.findings[k].sub = OutOfBoundsNotRevoked
		}
	}
}

// pathFaults turns the faults of RFC 5280 §6.1 at the time of validation into
// findings, the signer's certificate first.
func (v *validation) pathFaults(path certpath.Path) (out []finding) {
	for _, f := range path.Check(v.at, v.constraints) {
		deep := !f.Certificate.Equal(path[0])
		switch f.Kind {
		case certpath.Weak: // the policy decides about algorithms, with their dates
			continue
		case certpath.Expired:
			e := doubt(OutOfBoundsNoPOE, "expired", name(f.Certificate), stamped(f.Certificate.NotAfter)).until(f.Certificate.NotAfter)
			if deep {
				i := slices.IndexFunc(path, f.Certificate.Equal)
				e = e.about(objectOf(path[i-1].Raw))
			}
			out = append(out, e.orRemark("expired-later", name(f.Certificate), stamped(f.Certificate.NotAfter)))
		case certpath.NotYetValid:
			if deep {
				out = append(out, doubt(ChainGeneralFailure, "not-yet-valid", name(f.Certificate), stamped(f.Certificate.NotBefore)))
			} // the signer's own is judged at the best signature time
		default:
			out = append(out, doubt(ChainGeneralFailure, "chain", name(f.Certificate), faultText(f)))
		}
	}
	slices.SortStableFunc(out, func(a, b finding) int {
		switch own := func(f finding) bool { return f.of == object{} }; {
		case own(a) == own(b):
			return 0
		case own(a):
			return -1
		}
		return 1
	})
	return out
}

// compromising reports reasons of revocation (RFC 5280 §5.3.1) after which an
// authority's statements are worth nothing but what they were proven to be before:
// unspecified, and compromise of a key.
func compromising(reason int) bool { return reason <= 2 || reason > 5 }

func faultText(f certpath.Fault) string {
	if f.Detail == "" {
		return string(f.Kind)
	}
	return string(f.Kind) + ": " + f.Detail
}

// onHold and removeFromCRL are reasons of RFC 5280 §5.3.1.
const (
	onHold        = 6
	removeFromCRL = 8
)

// revocation judges whether path[i] is revoked, from all authentic statements
// about it (§5.2.6.4 step 3, §5.2.5). It gives the statement it relies on.
func (v *validation) revocation(path certpath.Path, i, depth int) ([]finding, *certpath.Status) {
	c := path[i]
	if i == 0 && neverRevoked(c) {
		return nil, nil
	}
	var newest, final *certpath.Status
	late, early := false, false
	statuses := v.statuses(path, i, depth)
	for k := range statuses {
		st := &statuses[k]
		switch {
		case st.Final(): // the earliest, whatever newer or older statements leave out
			if final == nil || st.At.Before(final.At) {
				final = st
			}
		case st.ThisUpdate.After(c.NotAfter) && !st.CoversExpired && !st.Revoked:
			late = true
		case st.ThisUpdate.Before(c.NotBefore) && !st.Revoked:
			early = true // it cannot know the certificate
		case newest == nil:
			newest = st
		}
	}
	switch {
	case final != nil:
		sub := RevokedNoPOE
		if i > 0 {
			sub = RevokedCANoPOE
		}
		at := stamped(final.At)
		return []finding{doubt(sub, "revoked", name(c), at).since(final.At).orRemark("revoked-later", name(c), at)}, final
	case newest != nil:
		return v.freshStatus(path, i, newest), newest
	case late:
		return []finding{doubt(TryLater, "late-revocation", name(c))}, nil
	case early:
		return []finding{doubt(TryLater, "early-revocation", name(c))}, nil
	}
	return []finding{doubt(TryLater, "no-revocation", name(c))}, nil
}

// freshStatus judges the newest statement that is not a final revocation.
func (v *validation) freshStatus(path certpath.Path, i int, st *certpath.Status) (out []finding) {
	c, at := path[i], stamped(st.At)
	switch {
	case st.Unknown:
		return []finding{doubt(TryLater, "unknown-status", name(c))}
	case st.Revoked && st.Reason == onHold:
		out = append(out, doubt(TryLater, "suspended", name(c), at).since(st.At).orRemark("suspended-later", name(c), at))
	}
	if until := v.freshUntil(st); v.at.After(until) {
		out = append(out, doubt(TryLater, "stale-revocation", name(c), stamped(st.ThisUpdate)).until(until))
	}
	if end := signerEnd(st, path, i); v.at.After(end) && v.policy.Revocation.ExpiredSigner == "prove" {
		out = append(out, doubt(RevocationOutOfBoundsNoPOE, "revocation-signer-expired", name(c), name(st.Signer), stamped(end)).until(end).about(st.Sum))
	}
	for _, f := range v.crypto(v.statusValidity(st), "weak-revocation", name(c), algorithmName(st.Algorithm, st.Signer.PublicKey)) {
		out = append(out, f.about(st.Sum))
	}
	if c.NotAfter.Before(v.at) && !c.IsCA && !st.Revoked {
		out = append(out, remark("not-revoked-when-expired", name(c), stamped(st.ThisUpdate)))
	}
	return out
}

// freshUntil is the revocation freshness checker of §5.2.5 turned round: the last
// time at which a statement is fresh. Until it was issued it is fresh for all
// that is older.
func (v *validation) freshUntil(st *certpath.Status) time.Time {
	until := st.ThisUpdate
	if st.NextUpdate.After(until) {
		until = st.NextUpdate
	}
	if st.NextUpdate.IsZero() && st.Kind == certpath.OCSP {
		until = until.Add(time.Duration(v.policy.Revocation.NoNextUpdate))
	}
	if max := time.Duration(v.policy.Revocation.MaxAge); max > 0 {
		if limit := st.ThisUpdate.Add(max); limit.Before(until) || st.NextUpdate.IsZero() {
			until = limit
		}
	}
	return until
}

// statuses gives the statements about path[i] that are not from the future and
// whose signers were good when they signed, newest first.
func (v *validation) statuses(path certpath.Path, i, depth int) []certpath.Status {
	all := v.sources.Statuses(path[i], path[i+1])
	signers := signers{v: v, path: path, i: i, depth: depth, known: map[object]signerStatus{}}
	return slices.DeleteFunc(all, func(st certpath.Status) bool {
		if st.ThisUpdate.After(v.at.Add(clockTolerance)) { // what was fetched is younger than the question
			return true
		}
		good := signers.good(&st)
		v.missed = v.missed || !good && (st.Revoked || st.Unknown) && v.search.Verifier.Exhausted()
		return !good
	})
}

// neverRevoked reports certificates that say that nothing will ever be said about
// their revocation: short-lived ones (ETSI EN 319 412-1 §5.2 validity assured,
// RFC 9608 noRevAvail).
func neverRevoked(c *x509.Certificate) bool {
	if c.IsCA {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 56}) || e.Id.Equal(asn1.ObjectIdentifier{0, 4, 0, 194121, 2, 1}) {
			return true
		}
	}
	return false
}
