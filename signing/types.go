package signing

import (
	"errors"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/inspect"
	"sigillo/vault"
)

// Form is the kind of signature put on a document.
type Form string

const (
	PAdES Form = "pades" // ETSI EN 319 142-1, for PDF
	CAdES Form = "cades" // ETSI EN 319 122-1, attached .p7m, for any file
	XAdES Form = "xades" // ETSI EN 319 132-1, enveloped, for XML
	// CAdESDetached is a .p7s beside a document of which only the digest is known here.
	CAdESDetached Form = "cades-detached"

	// Forms that applications ask for (CSC signDoc); the pages do not offer them.
	PAdESCertified  Form = "pades-certified"  // the author's signature: later ones and filled forms are allowed
	CAdESSeparate   Form = "cades-separate"   // a .p7s beside a document that is here
	XAdESEnveloping Form = "xades-enveloping" // the document is inside the signature
	XAdESDetached   Form = "xades-detached"   // a signature beside the document
	JAdES           Form = "jades"            // ETSI TS 119 182-1, the document inside
	JAdESDetached   Form = "jades-detached"   // a signature beside the document

	// Containers with the document and its signature (ETSI EN 319 162-1).
	ASiCSCAdES Form = "asic-s-cades"
	ASiCSXAdES Form = "asic-s-xades"
	ASiCECAdES Form = "asic-e-cades"
	ASiCEXAdES Form = "asic-e-xades"

	// PAdESDigest is the message of a PAdES signature, for a PDF that was laid out with
	// the room for it and of which only the digest of the rest is known here. B-B or B-T:
	// what a lasting signature needs goes into the document.
	PAdESDigest Form = "pades-digest"
)

// Level is the baseline level asked for.
type Level = ades.Level

const (
	BB   = ades.BB   // signature alone
	BT   = ades.BT   // with a time-stamp
	BLT  = ades.BLT  // and with all that is needed to check it later
	BLTA = ades.BLTA // and with a time-stamp over that
)

// Document is an uploaded file, inspected, that its holder may sign.
type Document struct {
	ID      string         `json:"id" doc:"Identifier of the document"`
	Name    string         `json:"name" doc:"File name as uploaded"`
	Format  string         `json:"format" doc:"Format found by content, never by name"`
	Size    int64          `json:"size" doc:"Size in bytes"`
	SHA256  string         `json:"sha256" doc:"SHA-256 of the bytes that will be signed, lower hex"`
	Pages   int            `json:"pages" doc:"Number of page images; 0 when the document cannot be shown"`
	Report  inspect.Report `json:"report" doc:"What the inspection found"`
	Forms   []Form         `json:"forms" doc:"Signature forms this document can take; empty when it is refused"`
	Created time.Time      `json:"created"`

	Renderer    string `json:"renderer,omitempty" doc:"Programs that drew the page images, with their versions"`
	Second      string `json:"second,omitempty" doc:"Program that drew the pages of a PDF too and shows the same; empty when none did"`
	Difference  bool   `json:"difference,omitempty" doc:"Two pictures of a page that two programs show differently can be had"`
	Convertible bool   `json:"convertible,omitempty" doc:"Refused, and a conversion to PDF/A removes what it is refused for"`
	Origin      string `json:"origin,omitempty" doc:"Identifier of the refused document that this one was converted from"`
}

// Declaration is a document that stays where it is: only its digest is signed.
type Declaration struct {
	Name   string `json:"name" minLength:"1" maxLength:"255" doc:"File name of the document"`
	SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the document, lower hex"`
	// InspectedBy is who looked for content that can change what the document shows. It
	// is recorded as stated, and the holder is asked to confirm it.
	InspectedBy string `json:"inspected_by" minLength:"3" maxLength:"78" doc:"Who has inspected the document for active content, and with what"`
}

// Order asks for one signature on one document.
type Order struct {
	Document string `json:"document" doc:"Identifier of the document"`
	Form     Form   `json:"form" enum:"pades,cades,xades,cades-detached" doc:"Form of the signature"`
	Level    Level  `json:"level,omitempty" enum:"B-B,B-T,B-LT,B-LTA" default:"B-T" doc:"Baseline level"`
	Reason   string `json:"reason,omitempty" maxLength:"200" doc:"PAdES only: reason shown by PDF readers"`
	Location string `json:"location,omitempty" maxLength:"200" doc:"PAdES only: place of signing"`
}

// Request asks for a transaction: all its documents are signed under one
// authorisation, or none.
type Request struct {
	Credential string  `json:"credential" doc:"Identifier of the credential whose key signs"`
	Documents  []Order `json:"documents" minItems:"1" maxItems:"100"`
	// Confirmed says that the holder has read and accepts the findings whose
	// severity is "confirm". It is journalled and never implied.
	Confirmed bool `json:"confirmed,omitempty" doc:"The holder accepts the findings that need confirmation"`
	// Counter says that the holder signs at a counter, where the key of the credential
	// must be one for that.
	Counter bool `json:"-"`
}

// State of a transaction.
type State string

const (
	Prepared   State = "prepared"   // digests fixed, waiting for the holder's factors
	Authorised State = "authorised" // SAD minted, intent durable, key in use or to be used
	Signed     State = "signed"     // signature values durable, assembling
	Delivered  State = "delivered"  // every signed file verified and durable
	Failed     State = "failed"     // will never be completed; Error says why
)

// Transaction is one authorisation over one or more documents.
type Transaction struct {
	ID         string    `json:"id"`
	State      State     `json:"state" enum:"prepared,authorised,signed,delivered,failed"`
	Credential string    `json:"credential"`
	Signer     string    `json:"signer" doc:"Subject of the signer's certificate"`
	Hash       string    `json:"hash" doc:"Digest algorithm of the data to be signed"`
	Error      string    `json:"error,omitempty" doc:"Kind of error when failed"`
	Items      []Item    `json:"items"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
}

// Item is one signature of a transaction.
type Item struct {
	Seq        int    `json:"seq" doc:"Position in the transaction, from 0"`
	Document   string `json:"document"`
	Name       string `json:"name" doc:"File name of the document"`
	Form       Form   `json:"form"`
	Level      Level  `json:"level"`
	Digest     string `json:"digest" doc:"Data-to-be-signed representation (DTBS/R), lower hex"`
	OutputName string `json:"output_name,omitempty" doc:"File name of the signed document"`
	SHA256     string `json:"sha256,omitempty" doc:"SHA-256 of the signed document, lower hex"`
	Indication string `json:"indication,omitempty" doc:"Result of our own validation, ETSI EN 319 102-1"`
}

// Credential is a signing key of a holder with its certificate.
type Credential struct {
	ID       string    `json:"id"`
	KeyType  string    `json:"key_type"`
	Subject  string    `json:"subject"`
	Serial   string    `json:"serial" doc:"Serial number of the certificate, lower hex"`
	Status   string    `json:"status" enum:"valid,suspended,revoked,expired,none"`
	NotAfter time.Time `json:"not_after"`
	MaxItems int       `json:"max_items" doc:"How many documents one authorisation may sign"`
	// Automatic: for the automatic procedure; nothing is signed with it here.
	Automatic bool `json:"automatic,omitempty" doc:"For the automatic procedure: it is delegated to applications, and signs nothing here"`
	// Counter: released by the holder's handwritten signature at a counter, and nowhere else.
	Counter bool `json:"counter,omitempty" doc:"Used at a counter only, where its holder signs on a tablet"`
}

// Evidence is what a holder presents to be recognised; the vault judges it.
type Evidence = vault.Evidence

// Kind tells what went wrong, for the edges to map: HTTP status and text in
// the user's language in web, exit codes in the command line.
type Kind string

const (
	NotFound        Kind = "not-found"        // no such document, transaction or credential of this holder
	TooLarge        Kind = "too-large"        // upload over the configured limit
	Empty           Kind = "empty"            // upload of zero bytes
	BadRequest      Kind = "bad-request"      // the request contradicts itself
	Refused         Kind = "refused"          // the inspection refuses the document
	Unconfirmed     Kind = "unconfirmed"      // findings need the holder's confirmation
	WrongForm       Kind = "wrong-form"       // this form does not fit this document
	Unsignable      Kind = "unsignable"       // the document forbids a signature (DocMDP, XFA, already signed XML ...)
	Changed         Kind = "changed"          // stored bytes are not the bytes inspected
	Unviewable      Kind = "unviewable"       // no page image can be made
	Unconvertible   Kind = "unconvertible"    // no PDF/A can be made of the document
	Infected        Kind = "infected"         // the virus scanner has found something in the document that was to be converted
	CertSuspended   Kind = "cert-suspended"   // SIG-5
	CertRevoked     Kind = "cert-revoked"     // SIG-5
	CertExpired     Kind = "cert-expired"     // SIG-5
	CertMissing     Kind = "cert-missing"     // the credential has no certificate
	AutomaticOnly   Kind = "automatic-only"   // the certificate is for the automatic procedure and nothing else (SIG-7)
	CounterOnly     Kind = "counter-only"     // the key is used at a counter, by its holder's handwritten signature
	NotRecognised   Kind = "not-recognised"   // the handwritten signature was not recognised
	BadCapture      Kind = "bad-capture"      // the handwritten signature came too late, or cannot be compared: sign again
	Abandoned       Kind = "abandoned"        // given up before it was signed
	WrongFactors    Kind = "wrong-factors"    // password or OTP wrong: never told which
	ReusedOTP       Kind = "reused-otp"       // the OTP was used before
	Locked          Kind = "locked"           // too many wrong factors; RetryAfter says how long
	WantsPasskey    Kind = "wants-passkey"    // who has a passkey changes factors with it, or with a recovery code
	Undelivered     Kind = "undelivered"      // a code that was to be sent did not get away
	WeakPassword    Kind = "weak-password"    // the new password is too weak, or was stolen elsewhere
	WrongState      Kind = "wrong-state"      // the transaction is past this step
	TimeUnavailable Kind = "time-unavailable" // the TSA can't show the time
	NotVerified     Kind = "not-verified"     // our own validation did not say TOTAL_PASSED
	KeyUnavailable  Kind = "key-unavailable"  // token or vault gone; nothing was lost, try again
	Busy            Kind = "busy"             // database locked or vault saturated; try again
	DiskFull        Kind = "disk-full"        // no space; nothing half-written
	Internal        Kind = "internal"         // a fault of ours
)

// Error is the one error type of this room.
type Error struct {
	Kind       Kind
	Msg        string
	RetryAfter time.Duration // for Locked
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "signing: " + e.Msg + ": " + e.Err.Error()
	}
	return "signing: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of err, Internal when it is not of this room.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
