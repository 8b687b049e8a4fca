package validate

import (
	"crypto/sha256"
	"crypto/x509"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/certpath"
)

// object names something whose existence can be proven: a certificate, a
// revocation list, an OCSP response, or a signature by its value.
type object [sha256.Size]byte

func objectOf(b []byte) object { return sha256.Sum256(b) }

// octets names a stretch of memory.
type octets struct {
	first *byte
	n     int
}

// sums remembers the names of what was read from a file. Hundreds of signatures may
// share tens of megabytes of evidence, of which nothing is changed once it is read.
type sums map[octets]object

func (s sums) of(b []byte) object {
	if len(b) == 0 {
		return objectOf(b)
	}
	key := octets{&b[0], len(b)}
	o, ok := s[key]
	if !ok {
		o = objectOf(b)
		s[key] = o
	}
	return o
}

// poes are the proofs of existence known so far (EN 319 102-1 §5.6.2.3): for each
// object the earliest time at which it is proven to have existed. All that is in
// the file exists at the time of validation.
type poes struct {
	now   time.Time
	known map[object]time.Time
}

func newPOEs(now time.Time) *poes { return &poes{now, map[object]time.Time{}} }

// of gives since when an object is proven to exist.
func (p *poes) of(o object) time.Time {
	if t, ok := p.known[o]; ok {
		return t
	}
	return p.now
}

// proven is of, with the zero time for what only exists now.
func (p *poes) proven(o object) time.Time { return p.known[o] }

// add learns that an object existed at a time.
func (p *poes) add(o object, at time.Time) {
	if at.Before(p.of(o)) {
		p.known[o] = at
	}
}

func (p *poes) ofCertificate(c *x509.Certificate) time.Time { return p.of(objectOf(c.Raw)) }

// ofStatus gives since when all sources of a statement are proven to exist.
func (p *poes) ofStatus(st *certpath.Status) time.Time {
	t := p.of(st.Sum)
	for i := range st.Parts {
		if u := p.of(st.Parts[i].Sum); u.After(t) {
			t = u
		}
	}
	return t
}

// extractPOEs is the POE extraction of EN 319 102-1 §5.6.2.3: what a valid
// time-stamp proves. It proves nothing when the digest of its imprint was not
// reliable while the time-stamp itself is proven to have existed.
func (v *validation) extractPOEs(st *stamp) {
	var done [][]byte
	for _, u := range st.uses {
		switch u.kind {
		case ades.ContentStamp:
			continue
		case ades.ReferencesStamp: // some of these are not over the signature value
		default:
			v.poes.add(u.subject.object(), st.at)
		}
		if sameList(u.covers, done) { // all signatures under it have one, which may be long
			continue
		}
		done = u.covers
		for _, covered := range u.covers {
			o := v.sums.of(covered)
			v.poes.add(o, st.at)
			if t := v.tokens[o]; t != nil {
				v.extractToken(t, st.at)
			}
		}
	}
}

func sameList(a, b [][]byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// extractToken adds what exists since a token inside which it is exists.
func (v *validation) extractToken(t *stamp, at time.Time) {
	if t.token == nil {
		return
	}
	v.poes.add(t.object(), at)
	for _, c := range t.token.Certificates {
		v.poes.add(v.sums.of(c.Raw), at)
	}
	for _, der := range t.evidence.CRLs {
		v.poes.add(v.sums.of(der), at)
	}
	for _, der := range t.evidence.OCSP {
		v.poes.add(v.sums.of(der), at)
	}
}
