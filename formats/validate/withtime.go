package validate

import (
	"slices"
	"time"
)

// verdict is the result of the whole validation of one signature.
type verdict struct {
	findings []finding
	chain    *chain
	best     time.Time // the best signature time: since when it is proven to exist
}

// judge is the validation of a signature with all it has (EN 319 102-1 §5.6.3,
// which begins with §5.5.4 and §5.3). The time-stamps were judged before, and
// what they prove is known.
func (v *validation) judge(s *subject) verdict {
	if at := v.poes.proven(s.object()); !at.IsZero() && s.intact() {
		// The certificate's digest is under the signature: it is as old.
		v.poes.add(objectOf(s.certificate.Raw), at)
	}
	fs, c := v.basicValidation(s)
	d := verdict{findings: fs, chain: c, best: v.poes.of(s.object())}
	if c == nil || broken(fs) {
		return d
	}
	d.findings = v.withTime(s, d)
	d.findings = v.withArchivalData(s, &d)
	if s.token == nil {
		d.findings = append(d.findings, v.claims(s, d.best)...)
	}
	if s.token == nil || s.renewed {
		d.findings = append(d.findings, v.stampFindings(s, d)...)
	}
	if v.missed || v.search.Verifier.Missed() || v.search.Verifier.Exhausted() && !passed(d.findings) {
		// A revocation may be among what was not looked at, or what would have helped.
		d.findings = append(d.findings, doubt(ChainGeneralFailure, "too-much"))
	}
	return d
}

// withTime is the comparison of times in §5.5.4 step 4: a finding does not count
// when its trouble began after the best signature time.
func (v *validation) withTime(s *subject, d verdict) []finding {
	fs := make([]finding, 0, len(d.findings))
	for _, f := range d.findings {
		switch {
		case f.indication == TotalPassed || f.deep || !v.poes.outlived(f, s.object()):
			fs = append(fs, v.afterProof(s, f))
		case f.later != nil:
			fs = append(fs, finding{indication: TotalPassed, reason: *f.later, path: f.path})
		}
	}
	if d.best.Before(s.certificate.NotBefore) {
		// Step 4 c): there is proof that it was made before the certificate was.
		f := failed(NotYetValid, "not-yet-valid", name(s.certificate), stamped(s.certificate.NotBefore))
		if s.token != nil {
			f.indication = Indeterminate
		}
		fs = append(fs, f)
	}
	return fs
}

// afterProof turns a doubt into a certainty where a content time-stamp proves
// that the signature was made after the trouble began (§5.3 step 5).
func (v *validation) afterProof(s *subject, f finding) finding {
	at := v.notBefore[s]
	if at.IsZero() || f.deep || f.before.IsZero() || at.Before(f.before) {
		return f
	}
	switch f.sub {
	case RevokedNoPOE:
		f.indication, f.sub = TotalFailed, Revoked
	case OutOfBoundsNoPOE, OutOfBoundsNotRevoked:
		f.indication, f.sub = TotalFailed, Expired
	}
	return f
}

// claims compares the times that the signer claims with the proven ones (§5.5.4
// steps 5 and 6).
func (v *validation) claims(s *subject, best time.Time) []finding {
	if s.claimed.After(best.Add(clockTolerance)) {
		return []finding{doubt(TimestampOrderFailure, "stamp-before-claim", stamped(s.claimed), stamped(best))}
	}
	if at := v.notBefore[s]; at.After(best.Add(clockTolerance)) {
		return []finding{doubt(TimestampOrderFailure, "content-stamp-after", stamped(at), stamped(best))}
	}
	return nil
}

// archival are the results that archival data may still save (§5.6.3 step 3).
var archival = []SubIndication{RevokedNoPOE, RevokedCANoPOE, OutOfBoundsNoPOE, OutOfBoundsNotRevoked,
	CryptoConstraintsFailureNoPOE, RevocationOutOfBoundsNoPOE, TryLater}

// withArchivalData is §5.6.3 steps 5 to 7: what is left to say against the
// certificates is judged in the past, at a time at which everything that is
// needed is proven to have existed.
func (v *validation) withArchivalData(s *subject, d *verdict) []finding {
	var certificates, rest []finding
	for _, f := range d.findings {
		if f.path && f.indication != TotalPassed {
			certificates = append(certificates, f)
		} else {
			rest = append(rest, f)
		}
	}
	if len(certificates) == 0 || v.poes.proven(s.object()).IsZero() {
		return d.findings
	}
	for _, f := range certificates {
		if !slices.Contains(archival, f.sub) {
			return d.findings
		}
	}
	if c := v.pastSignature(s, d.best); c != nil {
		d.chain = c
		return append(rest, remark("valid-then", name(s.certificate), stamped(d.best)))
	}
	return d.findings
}
