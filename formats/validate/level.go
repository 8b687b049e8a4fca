package validate

import (
	"cmp"
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
	inside := v.statementsIn(s)
	if !v.selfContained(s, d, inside) || len(s.missing(ades.BLT)) > 0 {
		return ades.BT
	}
	if !v.archived(s, inside) || len(s.missing(ades.BLTA)) > 0 {
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
		t := v.tokens[v.sums.of(st.DER)]
		return (st.Kind == ades.SignatureStamp || st.Kind == ades.DocumentStamp) && t != nil && t.right && !t.at.After(s.certificate.NotAfter)
	})
}

// archived reports a right time-stamp over the signature and its evidence.
func (v *validation) archived(s *subject, inside map[object]bool) bool {
	var over []ades.Stamp // of the document
	for _, st := range s.stamps {
		switch t := v.tokens[v.sums.of(st.DER)]; {
		case t == nil || !t.right:
		case st.Kind == ades.ArchiveStamp:
			return true
		case st.Kind == ades.DocumentStamp:
			over = append(over, st)
		}
	}
	return v.coversEvidence(over, inside)
}

// coversEvidence reports that one of the document time-stamps is over revocation
// data.
func (v *validation) coversEvidence(stamps []ades.Stamp, inside map[object]bool) bool {
	slices.SortStableFunc(stamps, func(a, b ades.Stamp) int { return cmp.Compare(len(b.Covers), len(a.Covers)) })
	done := map[*[]byte]bool{}
	for _, st := range stamps {
		if len(st.Covers) == 0 || done[&st.Covers[0]] { // the beginning of a list in which there was none
			continue
		}
		done[&st.Covers[0]] = true
		if slices.ContainsFunc(st.Covers, func(der []byte) bool { return inside[v.sums.of(der)] }) {
			return true
		}
	}
	return false
}

// statementsIn names the revocation data that a signature carries.
func (v *validation) statementsIn(s *subject) map[object]bool {
	inside := make(map[object]bool, len(s.evidence.CRLs)+len(s.evidence.OCSP))
	for _, list := range [][][]byte{s.evidence.CRLs, s.evidence.OCSP} {
		for _, der := range list {
			inside[v.sums.of(der)] = true
		}
	}
	return inside
}

// selfContained reports that the signature carries its own path with revocation
// data for each certificate, and so for its signature time-stamps.
func (v *validation) selfContained(s *subject, d verdict, inside map[object]bool) bool {
	if d.chain == nil || !v.carries(s, d.chain.path, inside) {
		return false
	}
	for _, st := range s.stamps {
		if t := v.tokens[v.sums.of(st.DER)]; st.Kind == ades.SignatureStamp && t != nil && t.right {
			if c := v.x509Validation(t.certificate); !v.carries(s, c.path, inside) {
				return false
			}
		}
	}
	return true
}

// carries reports that a signature carries a path, its anchor excepted, and a
// statement about each certificate of it.
func (v *validation) carries(s *subject, path certpath.Path, inside map[object]bool) bool {
	if len(path) == 0 {
		return false
	}
	for i, c := range path[:len(path)-1] {
		if !slices.ContainsFunc(s.evidence.Certificates, func(x *x509.Certificate) bool { return x.Equal(c) }) {
			return false
		}
		if i == 0 && neverRevoked(c) {
			continue
		}
		if !slices.ContainsFunc(v.spokenOf(c, path[i+1]), func(o object) bool { return inside[o] }) {
			return false
		}
	}
	return true
}

// spokenOf names the statements about a certificate, asked for once: signatures of
// one file have much of their paths in common.
func (v *validation) spokenOf(c, issuer *x509.Certificate) []object {
	key := [2]object{v.sums.of(c.Raw), v.sums.of(issuer.Raw)}
	sums, ok := v.spoken[key]
	if !ok {
		for _, st := range v.sources.Statuses(c, issuer) {
			sums = append(sums, st.Sum)
		}
		v.spoken[key] = sums
	}
	return sums
}
