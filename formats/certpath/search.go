package certpath

import (
	"bytes"
	"crypto/x509"
	"iter"
	"slices"
	"sync"
)

const (
	defaultLength = 10      // certificates of a path, anchor included
	maxLength     = 32      // of MaxLength
	maxSteps      = 4096    // issuers tried in one search
	maxAllSteps   = 1 << 16 // and in all that share a Verifier
)

// Path is a way from a certificate to a trust anchor: the certificate first,
// the anchor last. A certificate that is an anchor itself is a path of one.
type Path []*x509.Certificate

// Search finds paths. The fields may not be changed once it is in use; it may be
// used by many goroutines.
type Search struct {
	// Anchors are trusted by decision. Where a path meets one it ends.
	Anchors []*x509.Certificate
	// Intermediates may stand between a certificate and an anchor.
	Intermediates []*x509.Certificate
	// Verifier checks the signatures. It bounds how many for all searches that
	// share it; nil: every call of Paths has its own bound, and nothing is
	// remembered.
	Verifier *Verifier
	// MaxLength bounds the certificates of a path, anchor included, 32 at most;
	// 0: 10.
	MaxLength int

	base  *Search // knows further certificates
	once  sync.Once
	index map[string][]member // by canonical subject
}

// member is a certificate that a search may use.
type member struct {
	*x509.Certificate
	subject string // canonical
	anchor  bool
}

// With gives a search that knows more intermediates than s and has the given
// verifier. It is cheap: a service keeps one Search with its anchors, and makes
// one of it for each file.
func (s *Search) With(intermediates []*x509.Certificate, v *Verifier) *Search {
	return &Search{Intermediates: intermediates, Verifier: v, MaxLength: s.MaxLength, base: s}
}

// build sorts the certificates by subject.
func (s *Search) build() {
	s.index = make(map[string][]member, len(s.Anchors)+len(s.Intermediates))
	add := func(c *x509.Certificate, anchor bool) {
		name := canonical(c.RawSubject)
		for _, m := range s.index[name] {
			if m.Equal(c) {
				return
			}
		}
		s.index[name] = append(s.index[name], member{c, name, anchor})
	}
	for _, c := range s.Anchors {
		add(c, true)
	}
	for _, c := range s.Intermediates {
		add(c, false)
	}
}

// named gives the certificates with a subject.
func (s *Search) named(subject string) []member {
	var out []member
	for ; s != nil; s = s.base {
		s.once.Do(s.build)
		if found := s.index[subject]; out == nil {
			out = found[:len(found):len(found)]
		} else {
			out = append(out, found...)
		}
	}
	return out
}

// isAnchor reports whether a certificate is one of the anchors.
func (s *Search) isAnchor(c *x509.Certificate, subject string) bool {
	return slices.ContainsFunc(s.named(subject), func(m member) bool { return m.anchor && m.Equal(c) })
}

// Paths gives the paths from leaf to an anchor whose signatures are right, best
// first: key identifiers that agree before those that say nothing or disagree,
// anchors before others, later ends before earlier ones. No path holds the same
// name and key twice. Steps and signature checks are bounded; when the bound is
// met there are no more paths.
func (s *Search) Paths(leaf *x509.Certificate) iter.Seq[Path] {
	return func(yield func(Path) bool) {
		w := &walk{Search: s, verifier: s.Verifier, yield: yield, checked: map[edge]bool{}, limit: s.MaxLength}
		if w.verifier == nil {
			w.verifier = &Verifier{}
		}
		if w.limit == 0 {
			w.limit = defaultLength
		}
		w.limit = min(w.limit, maxLength)
		w.extend([]member{{leaf, canonical(leaf.RawSubject), false}})
	}
}

type edge struct{ c, issuer *x509.Certificate }

// walk is one search, depth first.
type walk struct {
	*Search
	verifier *Verifier
	yield    func(Path) bool
	checked  map[edge]bool
	steps    int
	limit    int
}

// extend tries all issuers of the last certificate. It is false when the caller
// has seen enough or the bound is met.
func (w *walk) extend(path []member) bool {
	last := path[len(path)-1]
	if last.anchor || len(path) == 1 && w.isAnchor(last.Certificate, last.subject) {
		out := make(Path, len(path))
		for i, m := range path {
			out[i] = m.Certificate
		}
		return w.yield(out)
	}
	if len(path) >= w.limit {
		return true
	}
	for _, m := range w.issuers(last.Certificate) {
		if w.steps++; w.steps > maxSteps || w.verifier.steps.Add(1) > maxAllSteps {
			w.verifier.cut.Store(true)
			return false
		}
		if repeated(path, m) || !w.signed(last.Certificate, m.Certificate) {
			continue
		}
		if !w.extend(append(path[:len(path):len(path)], m)) {
			return false
		}
	}
	return true
}

// issuers gives the certificates that may have issued c, most likely first.
func (w *walk) issuers(c *x509.Certificate) []member {
	found := slices.Clone(w.named(canonical(c.RawIssuer)))
	rank := func(m member) int {
		n := 2
		switch {
		case len(c.AuthorityKeyId) == 0 || len(m.SubjectKeyId) == 0:
		case bytes.Equal(c.AuthorityKeyId, m.SubjectKeyId):
			n = 0
		default:
			n = 4
		}
		if !m.anchor {
			n++
		}
		return n
	}
	slices.SortStableFunc(found, func(a, b member) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return b.NotAfter.Compare(a.NotAfter)
	})
	return found
}

// repeated reports whether name and key of m are on the path already: going
// through them again leads nowhere new (RFC 4158 §2.4.2).
func repeated(path []member, m member) bool {
	return slices.ContainsFunc(path, func(p member) bool {
		return p.subject == m.subject && bytes.Equal(p.RawSubjectPublicKeyInfo, m.RawSubjectPublicKeyInfo)
	})
}

func (w *walk) signed(c, issuer *x509.Certificate) bool {
	right, ok := w.checked[edge{c, issuer}]
	if !ok {
		right = w.verifier.certificate(c, issuer) == nil
		w.checked[edge{c, issuer}] = right
	}
	return right
}
