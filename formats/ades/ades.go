// Package ades holds the words that all forms of advanced electronic signature
// share: CAdES, PAdES, XAdES and JAdES say the same things in four syntaxes, and
// a program that makes, raises or judges signatures says them once.
//
// It has no behaviour of its own beyond what the words mean: the levels of the
// baseline profiles, the properties a signer may sign beside the document, the
// evidence that a signature carries for those who check it later, and the
// time-stamps found in it. The forms' packages turn them into octets and back.
package ades

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"io"
)

// Level is a level of the baseline profiles (ETSI EN 319 122-1 §6, 319 132-1 §6,
// 319 142-1 §6, TS 119 182-1 §6). The empty Level is no baseline signature.
type Level string

// The levels, each of which has all of the one before.
const (
	BB   Level = "B-B"   // signed, with what the signer has to say
	BT   Level = "B-T"   // and a time-stamp proves since when it exists
	BLT  Level = "B-LT"  // and it carries all certificates and revocation data
	BLTA Level = "B-LTA" // and a time-stamp over all of that, which can be renewed
)

// rank orders the levels; unknown ones have 0.
var rank = map[Level]int{BB: 1, BT: 2, BLT: 3, BLTA: 4}

// Known reports whether l is one of the four levels.
func (l Level) Known() bool { return rank[l] > 0 }

// AtLeast reports whether l has all that m asks for.
func (l Level) AtLeast(m Level) bool { return rank[l] >= rank[m] }

// Properties are what a signer may sign beside the document. All of it is the
// signer's claim; the zero value claims nothing.
type Properties struct {
	// Commitments say what the signature is meant for (EN 319 122-1 §5.2.3).
	Commitments []Commitment
	// ClaimedRoles are positions or functions, in the signer's words (§5.2.6.1).
	ClaimedRoles []string
	// Place is where it was signed (§5.2.5); nil: not said.
	Place *Place
	// Policy is the signature policy that applies (§5.2.9); nil: none.
	Policy *Policy
	// ContentStamps are DER tokens that prove that the document existed before
	// it was signed (§5.2.8), each over the imprint that the form defines.
	ContentStamps [][]byte
}

// Commitment is a commitment type: an object identifier in CAdES and PAdES, the
// same as a URI in XAdES and JAdES.
type Commitment string

// The commitment types of ETSI EN 319 122-1 Annex / TS 119 172-1 Annex B.
const (
	ProofOfOrigin   Commitment = "proof-of-origin"
	ProofOfReceipt  Commitment = "proof-of-receipt"
	ProofOfDelivery Commitment = "proof-of-delivery"
	ProofOfSender   Commitment = "proof-of-sender"
	ProofOfApproval Commitment = "proof-of-approval"
	ProofOfCreation Commitment = "proof-of-creation"
)

var commitments = map[Commitment]struct {
	arc  int
	name string
}{
	ProofOfOrigin: {1, "ProofOfOrigin"}, ProofOfReceipt: {2, "ProofOfReceipt"}, ProofOfDelivery: {3, "ProofOfDelivery"},
	ProofOfSender: {4, "ProofOfSender"}, ProofOfApproval: {5, "ProofOfApproval"}, ProofOfCreation: {6, "ProofOfCreation"},
}

// OID gives the object identifier of a commitment type, nil if it is not known.
func (c Commitment) OID() asn1.ObjectIdentifier {
	if e, ok := commitments[c]; ok {
		return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, e.arc}
	}
	return nil
}

// URI gives the identifier that XAdES and JAdES use, "" if it is not known.
func (c Commitment) URI() string {
	if e, ok := commitments[c]; ok {
		return "http://uri.etsi.org/01903/v1.2.2#" + e.name
	}
	return ""
}

// CommitmentByOID is the inverse of OID; "" if it is not known.
func CommitmentByOID(oid asn1.ObjectIdentifier) Commitment {
	for c := range commitments {
		if c.OID().Equal(oid) {
			return c
		}
	}
	return ""
}

// CommitmentByURI is the inverse of URI; "" if it is not known.
func CommitmentByURI(uri string) Commitment {
	for c := range commitments {
		if c.URI() == uri {
			return c
		}
	}
	return ""
}

// Place is a postal place. Empty parts are not said.
type Place struct {
	Street, City, Province, PostalCode, Country string
}

// Policy names a signature policy and fixes its text by a digest.
type Policy struct {
	OID    asn1.ObjectIdentifier
	Hash   crypto.Hash // of Digest
	Digest []byte
	URI    string // where the text can be had; may be empty
}

// Evidence is what a relying party needs of the world to check a signature:
// certificates, revocation lists and OCSP answers.
type Evidence struct {
	Certificates []*x509.Certificate
	CRLs         [][]byte // DER CertificateList
	OCSP         [][]byte // DER OCSPResponse (not the bare BasicOCSPResponse), also where a form embeds the bare one
}

// Add adds what e does not have yet.
func (e *Evidence) Add(more Evidence) {
	have := map[string]bool{}
	for _, c := range e.Certificates {
		have[string(c.Raw)] = true
	}
	for _, c := range more.Certificates {
		if !have[string(c.Raw)] {
			have[string(c.Raw)] = true
			e.Certificates = append(e.Certificates, c)
		}
	}
	e.CRLs = addNew(e.CRLs, more.CRLs)
	e.OCSP = addNew(e.OCSP, more.OCSP)
}

func addNew(to, from [][]byte) [][]byte {
	have := map[string]bool{}
	for _, b := range to {
		have[string(b)] = true
	}
	for _, b := range from {
		if !have[string(b)] {
			have[string(b)] = true
			to = append(to, b)
		}
	}
	return to
}

// Empty reports whether there is nothing in it.
func (e Evidence) Empty() bool {
	return len(e.Certificates)+len(e.CRLs)+len(e.OCSP) == 0
}

// StampKind says what a time-stamp was made for.
type StampKind string

// The kinds of time-stamps in signatures.
const (
	ContentStamp    StampKind = "content"    // over the document, before signing
	SignatureStamp  StampKind = "signature"  // over the signature value
	ArchiveStamp    StampKind = "archive"    // over everything, to be renewed
	DocumentStamp   StampKind = "document"   // over a whole PDF or ASiC container's objects
	ReferencesStamp StampKind = "references" // over certificate and revocation references of the old extended forms
)

// Stamp is a time-stamp found in a signature, not judged yet.
type Stamp struct {
	Kind StampKind
	DER  []byte // the TimeStampToken
	// Imprint gives the digest of the octets it must be of. It fails when they
	// cannot be had or are not defined.
	Imprint func(crypto.Hash) ([]byte, error)
	// Covers are DER certificates, revocation lists, OCSP responses (as in
	// Evidence) and earlier time-stamp tokens that existed when it was made,
	// beside the signature value and the signed document.
	Covers [][]byte
}

// Extension says how existing signatures are raised to a higher level. Each
// form's package has three functions that take it:
//
//	PrepareTimestamp  to B-T: a time-stamp over each signature value
//	AddEvidence       to B-LT: certificates and revocation data put in
//	PrepareArchive    to B-LTA or to renew it: the evidence put in, then a time-stamp over all
type Extension struct {
	// Evidence is put into the signatures; what they have already is left out.
	Evidence Evidence
	// Hash is the digest of the imprints; 0: SHA-256.
	Hash crypto.Hash
	// TokenSize is an upper bound in octets of a time-stamp token.
	TokenSize int
	// Signatures are the indexes, as the package's reader numbers them, of
	// those to raise; nil: all.
	Signatures []int
	// Content is the signed document of a detached signature, nil otherwise.
	Content     io.ReaderAt
	ContentSize int64
	// Password opens an encrypted document.
	Password []byte
	// VRI also says of each signature which evidence belongs to it (PAdES only,
	// EN 319 142-1 §5.4.2.3); no validator needs it.
	VRI bool
}
