package certpath

import (
	"crypto/x509"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// reasons is a set of ReasonFlags, bit n being reason n of §4.2.1.13.
type reasons uint16

const allReasons reasons = 0x1fe // all but the first, which is unused

// scope is issuingDistributionPoint (RFC 5280 §5.2.5).
type scope struct {
	points                           []string // keys of the distribution point's names; nil: not there
	onlyUser, onlyCA, onlyAttributes bool
	indirect                         bool
	reasons                          reasons
}

// readScope reads issuingDistributionPoint of a list by the issuer.
func readScope(v, issuer []byte) (*scope, bool) {
	s := &scope{reasons: allReasons}
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	var point, flags cryptobyte.String
	var has bool
	if !body.ReadOptionalASN1(&point, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, false
	}
	if has {
		if s.points, has = readPointName(point, issuer); !has {
			return nil, false
		}
	}
	if !readFlag(&body, 1, &s.onlyUser) || !readFlag(&body, 2, &s.onlyCA) ||
		!body.ReadOptionalASN1(&flags, &has, cbasn1.Tag(3).ContextSpecific()) {
		return nil, false
	}
	if has {
		if s.reasons, has = readReasons(flags); !has {
			return nil, false
		}
	}
	return s, readFlag(&body, 4, &s.indirect) && readFlag(&body, 5, &s.onlyAttributes) && body.Empty()
}

// readFlag reads an optional implicit BOOLEAN, FALSE if it is not there.
func readFlag(in *cryptobyte.String, n uint8, out *bool) bool {
	var v cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&v, &has, cbasn1.Tag(n).ContextSpecific()) {
		return false
	}
	if has {
		*out = len(v) == 1 && v[0] != 0
		return len(v) == 1
	}
	return true
}

// readReasons reads the inside of a BIT STRING ReasonFlags. Bits that RFC 5280
// does not define are left out.
func readReasons(v []byte) (r reasons, ok bool) {
	if len(v) == 0 || v[0] > 7 || len(v) == 1 && v[0] != 0 {
		return 0, false
	}
	for i, b := range v[1:min(len(v), 3)] {
		for bit := range 8 {
			if b&(0x80>>bit) != 0 {
				r |= 1 << (8*i + bit)
			}
		}
	}
	return r & allReasons, true
}

// readPointName reads the inside of DistributionPointName, which is a choice,
// into keys of names. Relative names are below base, a Name in DER.
func readPointName(v, base []byte) ([]string, bool) {
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	if in.PeekASN1Tag(cbasn1.Tag(1).ContextSpecific().Constructed()) {
		parts, ok := rdns(base)
		if !ok || !in.ReadASN1(&body, cbasn1.Tag(1).ContextSpecific().Constructed()) || !in.Empty() {
			return nil, false
		}
		rdn, ok := relativeName(body)
		return []string{"\x04" + joined(append(parts, rdn))}, ok
	}
	if !in.ReadASN1(&body, cbasn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return nil, false
	}
	names, ok := readGeneralNames(body)
	return keys(names), ok && len(names) > 0 && len(names) <= maxNames
}

func keys(names []generalName) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.key()
	}
	return out
}

// point is a DistributionPoint of a certificate (RFC 5280 §4.2.1.13).
type point struct {
	names   []string // keys; nil: not there
	reasons reasons
	issuers []string // keys of cRLIssuer; nil: not there
}

// Bounds of distribution points: names of lists and of certificates are
// compared each with each.
const (
	maxPoints = 100 // of a certificate
	maxNames  = 100 // of a point
)

// points reads cRLDistributionPoints. What cannot be read gives none: lists for
// one point alone then say nothing about the certificate.
func points(c *x509.Certificate) []point {
	var out []point
	in, body := cryptobyte.String(extension(c, distributionPointsID)), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil
	}
	for !body.Empty() && len(out) < maxPoints {
		var dp cryptobyte.String
		if !body.ReadASN1(&dp, cbasn1.SEQUENCE) {
			return nil
		}
		p, ok := readPoint(dp, c.RawIssuer)
		if !ok {
			return nil
		}
		out = append(out, p)
	}
	return out
}

func readPoint(dp cryptobyte.String, certificateIssuer []byte) (point, bool) {
	p := point{reasons: allReasons}
	var name, flags, issuer cryptobyte.String
	var hasName, hasReasons, hasIssuer bool
	if !dp.ReadOptionalASN1(&name, &hasName, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!dp.ReadOptionalASN1(&flags, &hasReasons, cbasn1.Tag(1).ContextSpecific()) ||
		!dp.ReadOptionalASN1(&issuer, &hasIssuer, cbasn1.Tag(2).ContextSpecific().Constructed()) || !dp.Empty() {
		return p, false
	}
	base, ok := certificateIssuer, true
	if hasIssuer {
		names, read := readGeneralNames(issuer)
		if !read || len(names) > maxNames {
			return p, false
		}
		p.issuers = keys(names)
		if i := slices.IndexFunc(names, func(g generalName) bool { return g.tag == dirName }); i >= 0 {
			base = names[i].value
		}
	}
	if hasReasons {
		if p.reasons, ok = readReasons(flags); !ok {
			return p, false
		}
	}
	if hasName {
		p.names, ok = readPointName(name, base)
	}
	return p, ok
}

// covers gives the reasons for which a list speaks about a certificate, 0 if it
// does not (RFC 5280 §6.3.3 (b), (d)). issuer is the canonical name of the
// certificate's issuer.
func (l *list) covers(ca bool, issuer string, points []point) (r reasons) {
	s, own := l.scope, l.issuer == issuer
	if s == nil {
		if own {
			return allReasons
		}
		return 0
	}
	if s.onlyUser && ca || s.onlyCA && !ca || s.onlyAttributes || !own && !s.indirect {
		return 0
	}
	if own && (s.points == nil || slices.Contains(s.points, "\x04"+issuer)) {
		return s.reasons // also where the certificate names no such point: the last paragraph of §6.3.3
	}
	signer := "\x04" + l.issuer
	for _, p := range points {
		if p.issuers == nil && !own || p.issuers != nil && !slices.Contains(p.issuers, signer) {
			continue
		}
		at := p.names
		if at == nil {
			at = p.issuers
		}
		if s.points == nil || slices.ContainsFunc(at, func(name string) bool { return slices.Contains(s.points, name) }) {
			r |= p.reasons & s.reasons
		}
	}
	return r
}
