package certpath

import (
	"crypto/x509"
	"iter"
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
	// MaxLength bounds the certificates of a path, anchor included; 0: 10.
	MaxLength int
}

// With gives a search that also knows more intermediates and uses another
// verifier. It is cheap: a service keeps one Search with its anchors, and makes
// one of it for each file.
func (s *Search) With(intermediates []*x509.Certificate, v *Verifier) *Search {
	n := *s
	n.Verifier = v
	return &n
}

// Paths gives the paths from leaf to an anchor whose signatures are right, best
// first: key identifiers that agree before those that say nothing or disagree,
// anchors before others. No path holds the same name and key twice. Steps and
// signature checks are bounded; when the bound is met there are no more paths.
func (s *Search) Paths(leaf *x509.Certificate) iter.Seq[Path] {
	return func(yield func(Path) bool) {}
}
