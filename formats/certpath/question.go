package certpath

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"
)

// question is one call of [Sources.Statuses].
type question struct {
	sources    *Sources
	c, issuer  *x509.Certificate
	serial     []byte
	issuerName string // canonical

	anchors    []*x509.Certificate // of the issuer, once asked for
	asked      bool
	search     *Search
	paths      map[*x509.Certificate]Path    // of signers; nil: not trusted
	responders map[*answer]*x509.Certificate // nil: nobody who may
	delegates  []*x509.Certificate           // added certificates that may answer for the issuer

	complete, deltas []statement // of lists, what is authentic
	answers          []Status
}

// statement is what one list says, or a complete list with a delta.
type statement struct {
	Status
	list    *list // the complete list, or the delta where there is no base
	delta   *list // nil: none
	reasons reasons
	scoped  bool // the list speaks about the certificate; otherwise only what it revokes counts
}

const maxDeltas = 16 // put together with one complete list

// hear takes in what is authentic. Since not everything may be checked, it goes
// through the layers one after the other, and in each of them first through what
// speaks against the certificate.
func (q *question) hear() {
	ps := points(q.c)
	for _, layer := range q.sources.layers() {
		against, rest := q.claims(layer, ps)
		bad, good := q.answersOf(layer)
		q.hearLists(against)
		q.hearAnswers(bad)
		q.hearLists(rest)
		q.hearAnswers(good)
	}
	for _, st := range slices.Concat(q.complete, q.deltas) {
		if !st.Final() { // on hold, which may count only together with others
			q.missed(&st.Status)
		}
	}
	slices.SortStableFunc(q.complete, newestFirst)
	slices.SortStableFunc(q.deltas, newestFirst)
}

// missed notes that a statement, if it is one against the certificate, may go
// unheard when not everything could be checked. Of others nothing bad is unheard.
func (q *question) missed(st *Status) {
	if v := q.sources.checker(); (st.Revoked || st.Unknown) && v.Exhausted() {
		v.missed.Store(true)
	}
}

// byLists gives the statements of revocation lists (RFC 5280 §6.3.3).
func (q *question) byLists() (out []Status) {
	var whole, partial []statement
	for _, st := range q.complete {
		all := []statement{st}
		for _, d := range q.deltas {
			if len(all) <= maxDeltas && extends(d.list, st.list) && d.scoped && st.scoped {
				all = append(all, st.with(d))
			}
		}
		for _, st := range all {
			switch {
			case st.Final() || st.scoped && st.reasons == allReasons:
				whole = append(whole, st)
			case st.scoped:
				partial = append(partial, st)
			}
		}
	}
	for _, d := range q.deltas {
		if d.Final() {
			whole = append(whole, d)
		}
	}
	whole = append(whole, together(partial)...)
	slices.SortStableFunc(whole, newestFirst)
	for _, st := range whole {
		out = append(out, st.Status)
	}
	return out
}

// newestFirst puts what knows of a delta before what does not.
func newestFirst(a, b statement) int {
	return cmp.Or(b.ThisUpdate.Compare(a.ThisUpdate), cmp.Compare(len(b.Parts), len(a.Parts)))
}

// claims reads what the lists of a layer say, whoever signed them: against the
// certificate, and the rest.
func (q *question) claims(layer *Sources, ps []point) (against, rest []statement) {
	for _, l := range layer.listsOf(q.issuerName) {
		if l.unusable {
			continue
		}
		st := statement{list: l, reasons: l.covers(isCA(q.c), q.issuerName, ps)}
		st.scoped = st.reasons != 0 && !l.unknown
		r, found := l.lookup(q.serial, q.issuerName)
		// A list that does not speak about the certificate proves it not good, but
		// what its issuer revokes is revoked, wherever that is found. Serial numbers
		// of attribute certificates are others.
		ours := l.issuer == q.issuerName && (l.scope == nil || !l.scope.onlyAttributes)
		if !st.scoped && !(found && r.weight() == 2 && ours) {
			continue
		}
		st.Status = Status{Kind: CRL, DER: l.der, Sum: l.sum, ThisUpdate: l.thisUpdate, NextUpdate: l.nextUpdate, ProducedAt: l.thisUpdate,
			CoversExpired: !l.expiredSince.IsZero() && !l.expiredSince.After(q.c.NotAfter)}
		if found {
			st.Revoked, st.At, st.Reason = r.reason != removeFromCRL, r.at, r.reason
		}
		if st.Revoked {
			against = append(against, st)
		} else {
			rest = append(rest, st)
		}
	}
	return against, rest
}

// hearLists takes in the claims of those who may make them.
func (q *question) hearLists(claims []statement) {
	for _, st := range claims {
		path := q.listSigner(st.list)
		if path == nil {
			q.missed(&st.Status)
			continue
		}
		st.Signer, st.SignerPath = path[0], path
		st.Algorithm, _ = readAlgorithm(st.list.algorithm) // its signature was checked with it
		if st.list.base != nil {
			q.deltas = append(q.deltas, st)
		} else {
			q.complete = append(q.complete, st)
		}
	}
}

// extends reports whether a delta can be put together with a complete list
// (RFC 5280 §5.2.4, §6.3.3 (c)).
func extends(delta, l *list) bool {
	return l.number != nil && delta.number != nil && delta.issuer == l.issuer &&
		string(delta.scopeDER) == string(l.scopeDER) && string(delta.keyID) == string(l.keyID) &&
		delta.base.Cmp(l.number) <= 0 && delta.number.Cmp(l.number) > 0
}

// with puts a complete list's statement together with a delta's.
func (st statement) with(d statement) statement {
	out := st
	out.delta, out.Parts = d.list, []Status{st.Status, d.Status}
	out.ThisUpdate, out.NextUpdate, out.ProducedAt = d.ThisUpdate, d.NextUpdate, d.ProducedAt
	if d.Revoked || d.Reason == removeFromCRL {
		out.Revoked, out.At, out.Reason = d.Revoked, d.At, d.Reason
	}
	return out
}

// together puts statements of some reasons together to such of all. For each of
// them as the newest, one with the newest of the rest.
func together(partial []statement) (out []statement) {
	slices.SortStableFunc(partial, newestFirst)
	for i := range partial[:min(len(partial), maxLists)] {
		sum := partial[i]
		sum.Parts = slices.Clone(sum.Status.sources())
		for _, st := range partial[i+1:] {
			if st.reasons&^sum.reasons == 0 {
				continue
			}
			sum.reasons |= st.reasons
			sum.Parts = append(sum.Parts, st.Status.sources()...)
			sum.ThisUpdate, sum.NextUpdate = earlier(sum.ThisUpdate, st.ThisUpdate), earlier(sum.NextUpdate, st.NextUpdate)
			sum.ProducedAt, sum.CoversExpired = earlier(sum.ProducedAt, st.ProducedAt), sum.CoversExpired && st.CoversExpired
			if st.Revoked && (!sum.Revoked || st.At.Before(sum.At)) { // both on hold: final ones stand alone
				sum.Revoked, sum.At, sum.Reason = true, st.At, st.Reason
			}
		}
		if sum.reasons == allReasons {
			out = append(out, sum)
		}
	}
	return out
}

// earlier gives the earlier of two times. Zero, where nothing is promised, is
// earlier than any.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// listSigner gives the path of who signed a list, nil if nobody did who may.
func (q *question) listSigner(l *list) Path {
	v := q.sources.checker()
	direct := l.issuer == q.issuerName && isCA(q.issuer) && !lacksUsage(q.issuer, x509.KeyUsageCRLSign)
	if direct && l.signedBy(q.issuer, v) {
		return Path{q.issuer}
	}
	s := q.find()
	if s == nil || v.exhausted() {
		return nil
	}
	for _, m := range s.named(l.issuer) {
		if direct && sameKey(m.Certificate, q.issuer) || lacksUsage(m.Certificate, x509.KeyUsageCRLSign) {
			continue
		}
		if !isCA(m.Certificate) && extension(m.Certificate, keyUsageID) == nil || !l.signedBy(m.Certificate, v) {
			continue
		}
		if path := q.trusted(m.Certificate); path != nil {
			return path
		}
	}
	return nil
}

// find gives the search for signers that are not the issuer, nil if there is
// none.
func (q *question) find() *Search {
	if q.search == nil {
		q.search = q.sources.search()
	}
	return q.search
}

// trusted gives a path from a signer to an anchor that the certificate's issuer
// has as well (RFC 5280 §6.3.3 (f)), without faults but for the time.
func (q *question) trusted(signer *x509.Certificate) Path {
	path, ok := q.paths[signer]
	if !ok {
		path = q.seek(signer)
		if q.paths == nil {
			q.paths = map[*x509.Certificate]Path{}
		}
		q.paths[signer] = path
	}
	return path
}

func (q *question) seek(signer *x509.Certificate) Path {
	if !q.asked {
		q.asked = true
		for p := range q.find().Paths(q.issuer) {
			if q.anchors = append(q.anchors, p[len(p)-1]); len(q.anchors) == maxNames {
				break
			}
		}
	}
	for p := range q.find().Paths(signer) {
		anchor := p[len(p)-1]
		if slices.ContainsFunc(q.anchors, func(c *x509.Certificate) bool { return sameKey(c, anchor) }) && sound(p) {
			return p
		}
	}
	return nil
}

// sound reports a path without faults at no particular time, weakness aside,
// which is for the caller to judge by its time.
func sound(p Path) bool {
	return !slices.ContainsFunc(p.Check(time.Time{}, Constraints{}), func(f Fault) bool { return f.Kind != Weak })
}

// answersOf gives the answers of a layer about the certificate, whoever gave them:
// those that do not say that it is good, and those that do.
func (q *question) answersOf(layer *Sources) (bad, good []answered) {
	for _, a := range layer.answers[string(q.serial)] {
		switch {
		case !a.about(q.c, q.issuer):
		case a.status == 0:
			good = append(good, a)
		default:
			bad = append(bad, a)
		}
	}
	slices.SortStableFunc(bad, func(a, b answered) int { return cmp.Compare(a.status, b.status) }) // unknown last
	return bad, good
}

// hearAnswers takes in the answers of those who may give them.
func (q *question) hearAnswers(answers []answered) {
	for _, a := range answers {
		if len(q.answers) == maxAnswers { // about one certificate: nobody but who hides something has so many
			q.sources.checker().missed.Store(true)
			return
		}
		st := Status{Kind: OCSP, DER: a.answer.der, Sum: a.sum, ThisUpdate: a.thisUpdate, NextUpdate: a.nextUpdate, ProducedAt: a.producedAt,
			Unknown: a.status == 2, CoversExpired: !a.archiveCutoff.IsZero() && !a.archiveCutoff.After(q.c.NotAfter),
			CertHash: a.certHash != nil, SignerPath: Path{q.issuer}}
		if a.status == 1 {
			st.Revoked, st.At, st.Reason = a.revocation.reason != removeFromCRL, a.revocation.at, a.revocation.reason
		}
		if st.Signer = q.signerOf(a.answer); st.Signer == nil {
			q.missed(&st)
			continue
		}
		st.Algorithm, _ = readAlgorithm(a.algorithm) // its signature was checked with it
		if st.Signer != q.issuer {
			st.SignerPath = Path{st.Signer, q.issuer}
			st.NoCheck = noCheck(st.Signer)
		}
		q.answers = append(q.answers, st)
	}
}

// noCheck looks for id-pkix-ocsp-nocheck.
func noCheck(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidNoCheck) {
			return true
		}
	}
	return false
}

// signerOf is responder, asked once for each answer.
func (q *question) signerOf(a *answer) *x509.Certificate {
	c, ok := q.responders[a]
	if !ok {
		c = q.responder(a)
		if q.responders == nil {
			q.responders = map[*answer]*x509.Certificate{}
		}
		q.responders[a] = c
	}
	return c
}

// responder gives the certificate of who signed an answer: the issuer itself, or
// one it issued for that (RFC 6960 §4.2.2.2); nil if it is neither.
func (q *question) responder(a *answer) *x509.Certificate {
	v := q.sources.checker()
	if a.named(q.issuer) && v.remembered(&a.signedObject, q.issuer) == nil {
		return q.issuer
	}
	for _, der := range a.certificates {
		if c, err := ParseCertificate(der); err == nil && q.mayAnswer(c) && q.answered(a, c, v) {
			return c
		}
	}
	if q.delegates == nil {
		q.delegates = []*x509.Certificate{}
		for _, c := range q.sources.all() {
			if len(q.delegates) < maxNames && q.mayAnswer(c) {
				q.delegates = append(q.delegates, c)
			}
		}
	}
	for _, c := range q.delegates {
		if q.answered(a, c, v) {
			return c
		}
	}
	return nil
}

// mayAnswer reports whether c says that the issuer named it to answer.
func (q *question) mayAnswer(c *x509.Certificate) bool {
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && unknownCritical(c, nil) == "" &&
		sameName(c.RawIssuer, q.issuer.RawSubject)
}

// answered reports whether c, which the issuer did sign, was valid then and gave
// the answer.
func (q *question) answered(a *answer, c *x509.Certificate, v *Verifier) bool {
	return a.named(c) && !a.producedAt.Before(c.NotBefore) && !a.producedAt.After(c.NotAfter) &&
		v.certificate(c, q.issuer) == nil && v.remembered(&a.signedObject, c) == nil
}
