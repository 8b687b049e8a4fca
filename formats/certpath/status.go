package certpath

import (
	"crypto/x509"
	"time"

	"sigillo/formats/cms"
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
	// Algorithm is how the source is signed.
	Algorithm cms.Algorithm
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
	// DER, Sum, the algorithm and the signer are those of the first; the times are
	// those of the whole. nil for a statement of a single source.
	Parts []Status
}

// Final reports a revocation that nothing takes back: any but certificateHold
// and removeFromCRL.
func (st *Status) Final() bool {
	return st.Revoked && st.Reason != onHold && st.Reason != removeFromCRL
}

// sources gives the parts, or the statement itself if it has none.
func (st *Status) sources() []Status {
	if st.Parts == nil {
		return []Status{*st}
	}
	return st.Parts
}
