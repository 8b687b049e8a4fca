package validate

import (
	"crypto/x509"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/certpath"
)

// level is the highest baseline level whose parts are there and right (EN 319
// 122-1, 132-1, 142-1 §6, TS 119 182-1 §6): time-stamps whose imprint and value
// are right, evidence that is enough for every certificate. Whether the
// authorities are trusted is said by the indications, not by the level.
func (v *validation) level(s *subject, d verdict) ades.Level {
	if s.missing == nil || s.token != nil || !s.intact() && !onlyDoubtful(s) || len(s.missing(ades.BB)) > 0 {
		return ""
	}
	if !v.stampedInTime(s) || len(s.missing(ades.BT)) > 0 {
		return ades.BB
	}
	if !v.selfContained(s, d) || len(s.missing(ades.BLT)) > 0 {
		return ades.BT
	}
	if !v.archived(s) || len(s.missing(ades.BLTA)) > 0 {
		return ades.BLT
	}
	return ades.BLTA
}

// onlyDoubtful reports that the signature value is right although something else
// about the signature is doubtful, such as later revisions.
func onlyDoubtful(s *subject) bool {
	return s.certificate != nil && !slices.ContainsFunc(s.findings, func(f finding) bool {
		return f.indication == TotalFailed || f.sub == NoSigningCertificate || f.sub == SignedDataNotFound || f.reason.Code == "unsupported"
	})
}

// stampedInTime reports a right time-stamp over the signature from before its
// certificate expired.
func (v *validation) stampedInTime(s *subject) bool {
	return slices.ContainsFunc(s.stamps, func(st ades.Stamp) bool {
		t := v.tokens[objectOf(st.DER)]
		return (st.Kind == ades.SignatureStamp || st.Kind == ades.DocumentStamp) && t != nil && t.right && !t.at.After(s.certificate.NotAfter)
	})
}

// archived reports a right time-stamp over the signature and its evidence.
func (v *validation) archived(s *subject) bool {
	return slices.ContainsFunc(s.stamps, func(st ades.Stamp) bool {
		t := v.tokens[objectOf(st.DER)]
		return (st.Kind == ades.ArchiveStamp || st.Kind == ades.DocumentStamp && v.coversEvidence(s, st)) && t != nil && t.right
	})
}

// coversEvidence reports that a document time-stamp is over revocation data.
func (v *validation) coversEvidence(s *subject, st ades.Stamp) bool {
	inside := map[object]bool{}
	for _, der := range slices.Concat(s.evidence.CRLs, s.evidence.OCSP) {
		inside[objectOf(der)] = true
	}
	return slices.ContainsFunc(st.Covers, func(der []byte) bool { return inside[objectOf(der)] })
}

// selfContained reports that the signature carries its own path with revocation
// data for each certificate, and so for its signature time-stamps.
func (v *validation) selfContained(s *subject, d verdict) bool {
	if d.chain == nil || !v.carries(s, d.chain.path) {
		return false
	}
	for _, st := range s.stamps {
		if t := v.tokens[objectOf(st.DER)]; st.Kind == ades.SignatureStamp && t != nil && t.right {
			if c := v.x509Validation(t.certificate); !v.carries(s, c.path) {
				return false
			}
		}
	}
	return true
}

// carries reports that a signature carries a path, its anchor excepted, and a
// statement about each certificate of it.
func (v *validation) carries(s *subject, path certpath.Path) bool {
	if len(path) == 0 {
		return false
	}
	inside := map[object]bool{}
	for _, der := range slices.Concat(s.evidence.CRLs, s.evidence.OCSP) {
		inside[objectOf(der)] = true
	}
	for i, c := range path[:len(path)-1] {
		if !slices.ContainsFunc(s.evidence.Certificates, func(x *x509.Certificate) bool { return x.Equal(c) }) {
			return false
		}
		if i == 0 && neverRevoked(c) {
			continue
		}
		if !slices.ContainsFunc(v.sources.Statuses(c, path[i+1]), func(st certpath.Status) bool { return inside[st.Sum] }) {
			return false
		}
	}
	return true
}
