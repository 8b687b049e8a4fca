package validate

import (
	"crypto"
	"crypto/x509"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/validate/policy"
)

// subject is a signature of any form, read and checked as far as its form goes,
// to be judged in the same way as all others.
type subject struct {
	id, parent  string // of the report
	form        string
	field       string            // of a PDF
	certificate *x509.Certificate // the signer's; nil when it could not be identified (§5.2.3)
	evidence    ades.Evidence     // all it carries
	claimed     time.Time         // when the signer claims to have signed
	properties  ades.Properties   // what else the signer claims
	value       []byte            // the signature value
	algorithm   cms.Algorithm     // of the value; zero when it is not known
	digests     []crypto.Hash     // other digests it relies on
	reference   crypto.Hash       // digest by which it names its certificate, 0 if none
	unnamed     bool              // it does not name its certificate, but could: plain CMS
	stamps      []ades.Stamp      // time-stamps in it or over it
	whole       bool              // it covers the whole document
	covers      []string          // names of the documents it covers, where they have names
	// missing says what a baseline level asks for and the signature has not;
	// nil when it cannot be of any level.
	missing func(ades.Level) []string
	// findings are those of format (§5.2.2), identification (§5.2.3),
	// cryptographic verification (§5.2.7) and signed attributes (§5.2.8).
	findings []finding
	// later says what was changed in the document after the signature; nil if nothing
	// was. It is costly and asked only about signatures that lead to an anchor.
	later     func() ([]finding, []ChangeReport)
	revisions int // that came later
	// changes are those that the document has seen after the signature, as it permits,
	// evidence and time-stamps aside.
	changes []ChangeReport
	// token is set for a time-stamp that is judged for itself.
	token *cms.Token
	// renewed says that the time-stamps over a token are its renewals, which must be
	// right as those of a signature must.
	renewed bool
}

// object names the signature among the proofs of existence.
func (s *subject) object() object { return objectOf(s.value) }

// use is what the subject's algorithms are used for.
func (s *subject) use() policy.Use {
	if s.token != nil {
		return policy.Timestamp
	}
	return policy.Signature
}

// intact reports whether the signature itself is right: format, digests, value
// and the binding of the certificate.
func (s *subject) intact() bool { return s.certificate != nil && passed(s.findings) }

// broken reports whether integrity failed: nothing else matters then.
func broken(fs []finding) bool {
	for _, f := range fs {
		if f.indication == TotalFailed {
			return true
		}
	}
	return false
}
