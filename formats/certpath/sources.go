package certpath

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"

	"sigillo/formats/ades"
)

// Bounds of what [Sources.Add] takes.
const (
	maxLists        = 1024
	maxAnswers      = 4096
	maxCertificates = 4096
)

// Sources are the revocation data at hand. The zero value is empty and ready.
// Adding is not safe while others read; reading is, so a service makes one with
// the lists it keeps, and for each file one of it by [Sources.With].
type Sources struct {
	// Search finds the paths of those who sign for others: issuers of indirect
	// lists, and an authority's other keys. nil: only the certificate's issuer,
	// and responders it named, are believed. Its Verifier checks the signatures;
	// nil: one of the Sources' own, with the default budget.
	Search *Search

	base         *Sources // has further ones
	lists        map[string][]*list
	indirect     []*list
	answers      map[string][]answered // by serial number
	certificates []*x509.Certificate
	verifier     *Verifier // if Search has none
	known        map[[32]byte]bool
}

// answered is one single answer.
type answered struct {
	*answer
	*single
}

// With gives sources that have all that s has, for further ones to be added
// without changing s, and the given search.
func (s *Sources) With(search *Search) *Sources {
	return &Sources{Search: search, base: s}
}

// Add adds what a file carries, at most 1,024 lists and 4,096 answers of it (see
// [Verifier.Missed]); what cannot be read is left out. The certificates help to
// find signers of lists and answers.
func (s *Sources) Add(e ades.Evidence) {
	if len(e.CRLs) > maxLists || len(e.OCSP) > maxAnswers {
		s.prepare()
		s.checker().missed.Store(true)
	}
	for _, der := range e.CRLs[:min(len(e.CRLs), maxLists)] {
		_ = s.AddCRL(der)
	}
	for _, der := range e.OCSP[:min(len(e.OCSP), maxAnswers)] {
		_ = s.AddOCSP(der)
	}
	s.certificates = append(s.certificates, e.Certificates[:min(len(e.Certificates), maxCertificates)]...)
}

// AddCRL adds a revocation list in DER, which must not change afterwards. It is
// read here, once, in time proportional to its size, or not at all if the cache
// knows it.
func (s *Sources) AddCRL(der []byte) error {
	s.prepare()
	sum := sha256.Sum256(der)
	if s.has(sum) {
		return nil
	}
	cache := s.checker().Cache
	l, err := cachedList(cache, der, sum)
	if err != nil {
		return err
	}
	s.known[sum] = true
	s.lists[l.issuer] = append(s.lists[l.issuer], l)
	if l.scope != nil && l.scope.indirect {
		s.indirect = append(s.indirect, l)
	}
	return nil
}

func cachedList(cache *Cache, der []byte, sum [32]byte) (*list, error) {
	if cache != nil {
		if v, ok := cache.get(cacheKey(sum)); ok {
			if l, ok := v.(*list); ok {
				return l, nil
			}
		}
	}
	if cache != nil {
		der = bytes.Clone(der) // it may be a part of a file that should not be kept
	}
	l, err := readList(der)
	if err != nil {
		return nil, err
	}
	l.sum = sum
	if cache != nil {
		cache.put(cacheKey(sum), l, l.size())
	}
	return l, nil
}

// AddOCSP adds an OCSPResponse in DER, which must not change afterwards. One
// that carries no answer (such as tryLater) is an Unsupported error.
func (s *Sources) AddOCSP(der []byte) error {
	s.prepare()
	a, err := readAnswer(der)
	if err != nil {
		return err
	}
	if s.has(a.sum) {
		return nil
	}
	s.known[a.sum] = true
	for i := range a.singles {
		one := &a.singles[i]
		s.answers[string(one.serial)] = append(s.answers[string(one.serial)], answered{a, one})
	}
	return nil
}

func (s *Sources) prepare() {
	if s.known == nil {
		s.known, s.lists, s.answers, s.verifier = map[[32]byte]bool{}, map[string][]*list{}, map[string][]answered{}, &Verifier{}
	}
}

func (s *Sources) has(sum [32]byte) bool {
	for ; s != nil; s = s.base {
		if s.known[sum] {
			return true
		}
	}
	return false
}

// checker gives what checks signatures.
func (s *Sources) checker() *Verifier {
	if s.Search != nil && s.Search.Verifier != nil {
		return s.Search.Verifier
	}
	for ; s != nil; s = s.base {
		if s.verifier != nil {
			return s.verifier
		}
	}
	return &Verifier{}
}

// search gives a search that knows the certificates of the sources too, nil
// without anchors.
func (s *Sources) search() *Search {
	if s.Search == nil {
		return nil
	}
	return s.Search.With(s.all(), s.checker())
}

// all gives the certificates added.
func (s *Sources) all() (out []*x509.Certificate) {
	for ; s != nil; s = s.base {
		out = append(out, s.certificates...)
	}
	return out
}

// layers gives the sources that these are made of, what was there first before
// what was added to it: the lists that a service keeps before those of a file,
// whose maker may have put in more than can be checked.
func (s *Sources) layers() (out []*Sources) {
	for ; s != nil; s = s.base {
		out = append(out, s)
	}
	slices.Reverse(out)
	return out
}

// listsOf gives the lists of this layer by an issuer, and indirect ones by others.
func (s *Sources) listsOf(issuer string) []*list {
	out := slices.Clone(s.lists[issuer])
	for _, l := range s.indirect {
		if l.issuer != issuer {
			out = append(out, l)
		}
	}
	return out
}

// Statuses gives every authentic statement about c, which issuer issued, newest
// first.
//
// A list of some reasons, or for some certificates c is not one of, proves
// nothing good; it is a statement only where it revokes c for good, and where
// several together cover all reasons. The same goes for deltas without a base
// and for lists with unknown critical extensions. Lists with an unknown critical
// extension in an entry are not used (RFC 5280 §5.2, §5.3).
//
// When not all signatures can be checked ([Verifier.Budget]), those of the sources
// that these were made of by With come first, and in each of them those of
// statements against c.
func (s *Sources) Statuses(c, issuer *x509.Certificate) []Status {
	q := &question{sources: s, c: c, issuer: issuer, serial: serialOf(c), issuerName: canonical(c.RawIssuer)}
	if q.serial == nil || canonical(issuer.RawSubject) != q.issuerName {
		return nil
	}
	q.hear()
	out := append(q.byLists(), q.answers...)
	slices.SortStableFunc(out, func(a, b Status) int { return b.ThisUpdate.Compare(a.ThisUpdate) })
	return out
}
