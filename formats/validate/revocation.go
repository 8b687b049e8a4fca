package validate

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // names issuers in OCSP answers
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// sources are the revocation data at hand.
type sources struct {
	crls []*x509.RevocationList
	ocsp [][]byte
}

// maxEmbedded bounds the lists and answers taken from inside a signature.
const maxEmbedded = 64

// with adds what a signature carries; what cannot be read is left out.
func (s sources) with(crls, answers [][]byte) sources {
	s.crls, s.ocsp = slices.Clip(s.crls), slices.Clip(s.ocsp)
	for _, der := range crls[:min(len(crls), maxEmbedded)] {
		if l, err := x509.ParseRevocationList(der); err == nil {
			s.crls = append(s.crls, l)
		}
	}
	s.ocsp = append(s.ocsp, answers[:min(len(answers), maxEmbedded)]...)
	return s
}

// status is what one source says about one certificate.
type status struct {
	thisUpdate, nextUpdate time.Time
	coversExpired          bool // still lists certificates that expired before thisUpdate
	revoked, unknown       bool
	at                     time.Time
	reason                 int // RFC 5280 §5.3.1
}

const (
	onHold        = 6
	removeFromCRL = 8
)

// revocation judges a certificate of a path whose issuer is given. poe is the
// time at which the signature is proven to exist, now the time of validation.
func (s sources) revocation(c, issuer *x509.Certificate, ca bool, poe, now time.Time) []finding {
	var best *status
	seen := false
	keep := func(st *status) {
		seen = true
		if !fresh(st, poe, now) || (best != nil && !st.thisUpdate.After(best.thisUpdate)) {
			return
		}
		best = st
	}
	late := false
	var final *status // the earliest revocation, whatever newer or older lists leave out
	for _, st := range s.all(c, issuer, now) {
		if st.final() {
			if final == nil || st.at.Before(final.at) {
				final = st
			}
			continue
		}
		if st.thisUpdate.After(c.NotAfter) && !st.coversExpired && !st.revoked {
			late = true
			continue
		}
		keep(st)
	}
	switch {
	case final != nil:
		return final.judge(c, ca, poe)
	case best == nil && late:
		return []finding{doubt(TryLater, "late-revocation", name(c))}
	case best == nil && seen:
		return []finding{doubt(TryLater, "stale-revocation", name(c))}
	case best == nil:
		return []finding{doubt(TryLater, "no-revocation", name(c))}
	}
	return best.judge(c, ca, poe)
}

// final reports a revocation that nothing takes back.
func (st *status) final() bool {
	return st.revoked && st.reason != onHold && st.reason != removeFromCRL
}

// judge follows EN 319 102-1 §5.2.6.4 and §5.5.4: a revocation counts unless
// the signature is proven to be older.
func (st *status) judge(c *x509.Certificate, ca bool, poe time.Time) []finding {
	at := stamped(st.at)
	switch {
	case st.unknown:
		return []finding{doubt(TryLater, "unknown-status", name(c))}
	case !st.revoked || st.reason == removeFromCRL:
		return nil
	case poe.Before(st.at) && st.reason == onHold:
		return []finding{remark("suspended-later", name(c), at)}
	case poe.Before(st.at):
		return []finding{remark("revoked-later", name(c), at)}
	case st.reason == onHold:
		return []finding{doubt(TryLater, "suspended", name(c), at)}
	case ca:
		return []finding{doubt(RevokedCANoPOE, "revoked", name(c), at)}
	}
	return []finding{doubt(RevokedNoPOE, "revoked", name(c), at)}
}

// fresh reports whether information can be relied upon: issued after the
// signature existed, or not replaced yet.
func fresh(st *status, poe, now time.Time) bool {
	if st.thisUpdate.After(now) {
		return false
	}
	return !st.thisUpdate.Before(poe) || (!st.nextUpdate.IsZero() && !now.After(st.nextUpdate))
}

// all collects what is said about c by lists and answers that its issuer signed.
func (s sources) all(c, issuer *x509.Certificate, now time.Time) (out []*status) {
	for _, l := range s.crls {
		if !bytes.Equal(l.RawIssuer, c.RawIssuer) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		// A partial list proves no certificate good, but what it revokes is revoked.
		if st := listed(l, c); inScope(l, c) || st.final() && ownEntries(l) {
			out = append(out, st)
		}
	}
	for _, der := range s.ocsp {
		r, err := ocsp.ParseResponseForCert(der, c, issuer)
		if err != nil || !answersFor(r, issuer) || !s.mayAnswer(r, issuer, now) {
			continue
		}
		out = append(out, &status{thisUpdate: r.ThisUpdate, nextUpdate: r.NextUpdate, revoked: r.Status == ocsp.Revoked,
			unknown: r.Status == ocsp.Unknown, at: r.RevokedAt, reason: r.RevocationReason})
	}
	return out
}

// listed looks a certificate up in a list.
func listed(l *x509.RevocationList, c *x509.Certificate) *status {
	st := &status{thisUpdate: l.ThisUpdate, nextUpdate: l.NextUpdate, coversExpired: keepsExpired(l, c.NotAfter)}
	for _, e := range l.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) != 0 {
			continue
		}
		// Should a list name a certificate twice, the worse entry counts.
		n := &status{revoked: true, at: e.RevocationTime, reason: e.ReasonCode}
		if !st.revoked || n.weight() > st.weight() || n.weight() == st.weight() && n.at.Before(st.at) {
			st.revoked, st.at, st.reason = true, n.at, n.reason
		}
	}
	return st
}

func (st *status) weight() int {
	switch st.reason {
	case removeFromCRL:
		return 0
	case onHold:
		return 1
	}
	return 2
}

// keepsExpired reads expiredCertsOnCRL (ISO/IEC 9594-8 §9.5.2.8).
func keepsExpired(l *x509.RevocationList, notAfter time.Time) bool {
	for _, e := range l.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 60}) {
			continue
		}
		var since time.Time
		rest, err := asn1.UnmarshalWithParams(e.Value, &since, "generalized")
		return err == nil && len(rest) == 0 && !since.After(notAfter)
	}
	return false
}

// inScope refuses lists that do not speak about c: indirect and partial ones,
// delta lists, those with extensions we do not know (RFC 5280 §5.2, §6.3.3).
func inScope(l *x509.RevocationList, c *x509.Certificate) bool {
	for _, e := range l.Extensions {
		switch id := e.Id.String(); {
		case id == "2.5.29.28":
			if !distributed(e.Value, c) {
				return false
			}
		case id == "2.5.29.27" || e.Critical: // deltaCRLIndicator, unknown
			return false
		}
	}
	return ownEntries(l)
}

// ownEntries reports whether all entries of a list are about certificates of
// its issuer: none has a critical extension but the reason, as the
// certificateIssuer of an indirect list would be.
func ownEntries(l *x509.RevocationList) bool {
	for _, entry := range l.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical && !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) {
				return false
			}
		}
	}
	return true
}

// distributed reads issuingDistributionPoint (RFC 5280 §5.2.5).
func distributed(value []byte, c *x509.Certificate) bool {
	var idp struct {
		Point          asn1.RawValue `asn1:"optional,tag:0"`
		OnlyUser       bool          `asn1:"optional,tag:1"`
		OnlyCA         bool          `asn1:"optional,tag:2"`
		Reasons        asn1.RawValue `asn1:"optional,tag:3"`
		Indirect       bool          `asn1:"optional,tag:4"`
		OnlyAttributes bool          `asn1:"optional,tag:5"`
	}
	rest, err := asn1.Unmarshal(value, &idp)
	if err != nil || len(rest) > 0 || idp.Indirect || idp.OnlyAttributes || len(idp.Reasons.FullBytes) > 0 {
		return false
	}
	if idp.OnlyUser && c.IsCA || idp.OnlyCA && !c.IsCA {
		return false
	}
	if len(idp.Point.FullBytes) == 0 {
		return true
	}
	// The list is one of several of its issuer: it must be the one c names.
	for _, uri := range c.CRLDistributionPoints {
		if bytes.Contains(idp.Point.Bytes, uniformResource(uri)) {
			return true
		}
	}
	return false
}

// uniformResource is the DER of GeneralName uniformResourceIdentifier.
func uniformResource(uri string) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	if err != nil {
		return nil
	}
	return der
}

// answersFor checks that an OCSP answer is about a certificate of issuer: the
// library compares the serial number alone, and a responder may speak for
// several authorities (RFC 6960 §4.1.1).
func answersFor(r *ocsp.Response, issuer *x509.Certificate) bool {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return false
	}
	tbs := cryptobyte.String(r.TBSResponseData)
	var answers cryptobyte.String
	if !tbs.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!tbs.ReadAnyASN1(&answers, new(cbasn1.Tag)) || !tbs.SkipASN1(cbasn1.GeneralizedTime) || !tbs.ReadASN1(&answers, cbasn1.SEQUENCE) {
		return false
	}
	for !answers.Empty() {
		var answer, id cryptobyte.String
		if !answers.ReadASN1(&answer, cbasn1.SEQUENCE) || !answer.ReadASN1Element(&id, cbasn1.SEQUENCE) {
			return false
		}
		var certID struct {
			Hash      pkix.AlgorithmIdentifier
			Name, Key []byte
			Serial    *big.Int
		}
		if _, err := asn1.Unmarshal(id, &certID); err != nil {
			return false
		}
		if certID.Serial.Cmp(r.SerialNumber) != 0 {
			continue
		}
		h, ok := certIDHashes[certID.Hash.Algorithm.String()]
		if !ok || !bytes.Equal(certID.Name, sumOf(h, issuer.RawSubject)) || !bytes.Equal(certID.Key, sumOf(h, key.Bits.RightAlign())) {
			return false
		}
	}
	return true
}

// certIDHashes are the digests that name an issuer in an OCSP answer; no
// security rests on them, so SHA-1 is one.
var certIDHashes = map[string]crypto.Hash{"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512}

func sumOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// mayAnswer checks that an OCSP answer comes from the issuer itself or from a
// responder it named for that (RFC 6960 §4.2.2.2), and that a responder's own
// certificate was valid and not revoked.
func (s sources) mayAnswer(r *ocsp.Response, issuer *x509.Certificate, now time.Time) bool {
	if r.Certificate == nil || r.Certificate.Equal(issuer) {
		return true
	}
	c := r.Certificate
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || len(c.UnhandledCriticalExtensions) > 0 {
		return false
	}
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) || r.ProducedAt.Before(c.NotBefore) || r.ProducedAt.After(c.NotAfter) {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}) { // id-pkix-ocsp-nocheck
			return true
		}
	}
	return passed(sources{crls: s.crls}.revocation(c, issuer, false, r.ProducedAt, now))
}
