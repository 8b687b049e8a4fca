package validate

import (
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/legible"
)

// Indication is the result of a validation (ETSI EN 319 102-1 §5.1.3).
type Indication string

// The indications.
const (
	TotalPassed   Indication = "TOTAL_PASSED"
	Indeterminate Indication = "INDETERMINATE"
	TotalFailed   Indication = "TOTAL_FAILED"
	// NoSignature is not in the standard: the file has nothing to validate.
	NoSignature Indication = "NO_SIGNATURE_FOUND"
)

// rank orders indications from good to bad.
func (i Indication) rank() int {
	switch i {
	case TotalPassed:
		return 0
	case Indeterminate:
		return 1
	case TotalFailed:
		return 2
	}
	return 3
}

// SubIndication says more about a result (ETSI EN 319 102-1 Tables 5 and 6).
type SubIndication string

// The sub-indications.
const (
	FormatFailure                 SubIndication = "FORMAT_FAILURE"
	HashFailure                   SubIndication = "HASH_FAILURE"
	SigCryptoFailure              SubIndication = "SIG_CRYPTO_FAILURE"
	Revoked                       SubIndication = "REVOKED"
	Expired                       SubIndication = "EXPIRED"
	NotYetValid                   SubIndication = "NOT_YET_VALID"
	SigConstraintsFailure         SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure       SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	ChainGeneralFailure           SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraintsFailure      SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"
	PolicyProcessingError         SubIndication = "POLICY_PROCESSING_ERROR"
	SignaturePolicyNotAvailable   SubIndication = "SIGNATURE_POLICY_NOT_AVAILABLE"
	TimestampOrderFailure         SubIndication = "TIMESTAMP_ORDER_FAILURE"
	NoSigningCertificate          SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChain            SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	NoCertificateChainNoPOE       SubIndication = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
	RevokedNoPOE                  SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE                SubIndication = "REVOKED_CA_NO_POE"
	OutOfBoundsNotRevoked         SubIndication = "OUT_OF_BOUNDS_NOT_REVOKED"
	OutOfBoundsNoPOE              SubIndication = "OUT_OF_BOUNDS_NO_POE"
	RevocationOutOfBoundsNoPOE    SubIndication = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
	CryptoConstraintsFailureNoPOE SubIndication = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
	NoPOE                         SubIndication = "NO_POE"
	TryLater                      SubIndication = "TRY_LATER"
	SignedDataNotFound            SubIndication = "SIGNED_DATA_NOT_FOUND"
)

// Reason is one sentence of explanation. Code is stable; the texts may change.
type Reason struct {
	Code string `json:"code"`
	It   string `json:"it"`
	En   string `json:"en"`
}

// SignatureReport is the result for one signature.
type SignatureReport struct {
	ID                  string              `json:"id"`
	Parent              string              `json:"parent,omitempty"` // of a counter-signature
	Form                string              `json:"form"`
	Level               string              `json:"level"`
	Indication          Indication          `json:"indication"`
	SubIndication       SubIndication       `json:"subIndication"` // empty when passed
	Signer              string              `json:"signer,omitempty"`
	Issuer              string              `json:"issuer,omitempty"`
	Serial              string              `json:"serial,omitempty"`
	SigningTime         time.Time           `json:"signingTime,omitzero"`
	BestSignatureTime   time.Time           `json:"bestSignatureTime,omitzero"`
	Timestamps          []TimestampReport   `json:"timestamps"`
	CoversWholeDocument bool                `json:"coversWholeDocument"`
	Changes             []ChangeReport      `json:"changes,omitempty"` // permitted ones of the document after the signature, but for evidence and time-stamps
	Field               string              `json:"field,omitempty"`
	Reasons             []Reason            `json:"reasons"`
	Covers              []string            `json:"covers,omitempty"` // names of the documents it covers
	Algorithm           string              `json:"algorithm,omitempty"`
	Properties          *PropertiesReport   `json:"properties,omitempty"`
	Chain               []CertificateReport `json:"chain,omitempty"`
	Evidence            []EvidenceReport    `json:"evidence,omitempty"`

	value []byte // the signature value

	decisive Reason
}

// TimestampReport is the result for a time-stamp in or over a signature.
type TimestampReport struct {
	ID            string              `json:"id"`
	Kind          ades.StampKind      `json:"kind"`
	Time          time.Time           `json:"time,omitzero"`
	Indication    Indication          `json:"indication"`
	SubIndication SubIndication       `json:"subIndication,omitempty"`
	TSA           string              `json:"tsa,omitempty"`
	Proven        time.Time           `json:"proven,omitzero"`     // since when the time-stamp itself is proven to exist
	Unvouched     bool                `json:"unvouched,omitempty"` // see Options
	Chain         []CertificateReport `json:"chain,omitempty"`
	Evidence      []EvidenceReport    `json:"evidence,omitempty"`
}

// ChangeReport is a permitted change of a PDF after the signature.
type ChangeReport struct {
	Kind  string `json:"kind"` // signature, form-fill, form-change, annotation, metadata
	Field string `json:"field,omitempty"`
	Page  int    `json:"page,omitempty"` // that it shows on, counted from 1; 0: none
}

// PropertiesReport is what the signer says under the signature.
type PropertiesReport struct {
	Commitments  []string `json:"commitments,omitempty"` // URIs
	ClaimedRoles []string `json:"claimedRoles,omitempty"`
	Place        []string `json:"place,omitempty"`
	Policy       string   `json:"policy,omitempty"` // object identifier
}

// CertificateReport is a certificate of a path, the signer's first.
type CertificateReport struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Anchor    bool      `json:"anchor,omitempty"`
	SHA256    string    `json:"sha256"`
	Proven    time.Time `json:"proven,omitzero"` // since when it is proven to exist
}

// EvidenceReport is a revocation list or OCSP answer that was relied upon.
type EvidenceReport struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"` // crl, ocsp
	About      string    `json:"about"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate,omitzero"`
	Revoked    time.Time `json:"revoked,omitzero"` // since when, if it is
	Reason     int       `json:"reason,omitempty"` // RFC 5280 §5.3.1
	SHA256     string    `json:"sha256"`
	Proven     time.Time `json:"proven,omitzero"`
}

// Report is the result for a file.
type Report struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Form       string            `json:"form"`
	Validated  time.Time         `json:"validated"`
	Indication Indication        `json:"indication"`
	Signatures []SignatureReport `json:"signatures"`
	Policy     string            `json:"policy,omitempty"` // name and version of the rules

	objects []Object
}

// ObjectKind says what an Object is.
type ObjectKind string

// The kinds of objects.
const (
	CertificateObject ObjectKind = "certificate"
	CRLObject         ObjectKind = "crl"
	OCSPObject        ObjectKind = "ocsp"
	TimestampObject   ObjectKind = "timestamp"
)

// Object is something in DER that the validation relied upon, under the
// identifier that the report uses.
type Object struct {
	ID     string
	Kind   ObjectKind
	DER    []byte
	Proven time.Time // since when it is proven to exist; zero: the time of validation
	By     string    // the identifier of the time-stamp that proves it
}

// Objects gives what the validation relied upon. They are not part of the JSON:
// a report that was read from there has none.
func (r Report) Objects() []Object { return r.objects }

// Value is the signature value, nil in a report that was read from JSON.
func (s SignatureReport) Value() []byte { return s.value }

// Stamped reports whether a valid time-stamp proves that the signature exists.
func (s SignatureReport) Stamped() bool { return !s.BestSignatureTime.IsZero() }

// Exit is the exit code for commands: 0 good, 1 doubtful, 2 bad, 3 unreadable
// or nothing signed in it.
func (r Report) Exit() int { return r.Indication.rank() }

func stamped(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// printable makes text that comes from a file fit for a report.
func printable(s string) string {
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return legible.Line(s)
}
