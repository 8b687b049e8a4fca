package certpath

import (
	"crypto"
	"crypto/x509"
	"time"

	"sigillo/formats/ades"
)

// SourceKind tells lists from answers.
type SourceKind string

// The kinds of source.
const (
	CRL  SourceKind = "crl"
	OCSP SourceKind = "ocsp"
)

// Status is what one source says about one certificate. It is authentic: signed
// by Signer, who was named for that. Whether it is fresh enough, and whether
// SignerPath was valid at a given time, is not looked at.
type Status struct {
	Kind SourceKind
	// DER is the list or OCSPResponse as it was given, Sum its SHA-256.
	DER []byte
	Sum [32]byte
	// ThisUpdate and NextUpdate bound the statement; NextUpdate may be zero.
	ThisUpdate, NextUpdate time.Time
	// ProducedAt is when an answer was signed; of a list it is ThisUpdate.
	ProducedAt time.Time
	// Revoked, since At, for Reason (RFC 5280 §5.3.1; 6 is certificateHold).
	Revoked bool
	At      time.Time
	Reason  int
	// Unknown: the responder does not know the certificate.
	Unknown bool
	// CoversExpired: it would still say so after the certificate expired
	// (expiredCertsOnCRL of ISO/IEC 9594-8, archive cutoff of RFC 6960 §4.4.4).
	CoversExpired bool
	// CertHash: the answer names the certificate's digest, and it is the right
	// one (a "positive" statement: the certificate was issued).
	CertHash bool
	// Hash is the digest that the signature of the source relies on; of several
	// Parts the weakest.
	Hash crypto.Hash
	// Signer signed it. SignerPath leads from Signer to the certificate's issuer,
	// both included, or to an anchor where the issuer is not above it; if the
	// issuer signed, it is the issuer alone.
	Signer     *x509.Certificate
	SignerPath Path
	// NoCheck: the signer's certificate has id-pkix-ocsp-nocheck, so its own
	// revocation is not asked for (RFC 6960 §4.2.2.2.1).
	NoCheck bool
	// Parts are the statements this one is put together from: a complete list
	// and its delta, or lists of some reasons each which together cover all.
	// DER, Sum and the signer are those of the first; the times are those of the
	// whole. nil for a statement of a single source.
	Parts []Status
}

// Final reports a revocation that nothing takes back: any but certificateHold
// and removeFromCRL.
func (st *Status) Final() bool { return st.Revoked && st.Reason != 6 && st.Reason != 8 }

// Sources are the revocation data at hand. The zero value is empty and ready.
// Adding is not safe while others read; reading is, so a service makes one with
// the lists it keeps, and for each file one of it by [Sources.With].
type Sources struct {
	// Search finds the paths of those who sign for others: issuers of indirect
	// lists, and an authority's other keys. nil: only the certificate's issuer,
	// and responders it named, are believed. Its Verifier checks the signatures.
	Search *Search
}

// With gives sources that have all that s has, for further ones to be added
// without changing s, and the given search.
func (s *Sources) With(search *Search) *Sources {
	n := *s
	n.Search = search
	return &n
}

// Add adds what a signature carries, at most 128 lists and 512 answers of it;
// what cannot be read is left out. The certificates help to find signers of
// lists and answers.
func (s *Sources) Add(e ades.Evidence) {}

// AddCRL adds a revocation list in DER.
func (s *Sources) AddCRL(der []byte) error { return nil }

// AddOCSP adds an OCSPResponse in DER. One that carries no answer (such as
// tryLater) is an error.
func (s *Sources) AddOCSP(der []byte) error { return nil }

// Statuses gives every authentic statement about c, which issuer issued, newest
// first.
//
// A list of some reasons, or for some certificates c is not one of, proves
// nothing good; it is a statement only where it revokes c for good, and where
// several together cover all reasons. The same goes for deltas without a base
// and for lists with unknown critical extensions. Lists with an unknown critical
// extension in an entry are not used (RFC 5280 §5.2, §5.3).
func (s *Sources) Statuses(c, issuer *x509.Certificate) []Status { return nil }

// Check decides as RFC 5280 §6.3 whether the certificates of a path, its anchor
// excepted, are not revoked at a time, with the statements that are current then
// (RFC 6960 §4.2.2.1). Those who signed the statements must have valid paths to
// the anchor of p, and not be revoked themselves.
func (s *Sources) Check(p Path, at time.Time) []Fault { return nil }

// CheckSigner judges who signed a statement about a certificate of p: its path
// and, unless NoCheck, the revocation of all on it that are not on p, at a time.
func (s *Sources) CheckSigner(st *Status, p Path, at time.Time) []Fault { return nil }
