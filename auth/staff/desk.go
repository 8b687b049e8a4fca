package staff

import (
	"strings"
	"time"
)

// What is handed over a desk: between the faces, which show it, and the appliance, which
// does it.

// Handout is a code that goes to somebody, and is shown once.
type Handout struct {
	Subject  string // the holder's or member's ID
	Username string
	Code     string // or the first part of it
	Expires  time.Time
	// SentTo is the end of the address that the second part was sent to; empty where the
	// code has one part.
	SentTo string
	// Undelivered says that the second part could not be sent: there is no code.
	Undelivered bool
}

// Outcome is what an approved act has come to.
type Outcome struct {
	Proposal Proposal
	// Handout is the code that goes to who was appointed or recovered; Code is empty
	// where there is none. It is shown once.
	Handout Handout
}

// Activating is what somebody sees who has typed a good activation code.
type Activating struct {
	Username string
	Staff    bool
	OTPURI   string // to be shown as a QR code, once; empty when the key is made already
}

// Activated is the end of an activation.
type Activated struct {
	Username    string
	Staff       bool
	Certificate string // serial number; empty for the staff
	Emergency   string // the emergency code of the certificate, shown once
}

// Emergency is somebody who wants a certificate suspended and says its code.
type Emergency struct {
	Who    string // username, codice fiscale, or the certificate's serial number
	Code   string // as it was typed or heard
	Client string // from where
	Actor  string // the member who takes the call; empty: the caller, by web
}

// Suspended is the answer to an [Emergency].
type Suspended struct {
	Serial  string
	Subject string
	Since   time.Time
	Before  bool // it was suspended, or revoked, already
	Revoked bool
}

// NewRecovery is a holder's recovery as a member proposes it.
type NewRecovery struct {
	Username string
	// Document is the kind of the identity document (art. 35 DPR 445/2000), such as
	// "identity-card", "passport", "driving-licence".
	Document, Number, Issuer string
	Expires                  time.Time // of the document
	Reason                   string    // why, for the journal
	// Contact is the holder's telephone, where the second part of the activation code is
	// sent to; of no use where there is no courier.
	Contact string
	// Compromised says that somebody else may have the factors: the certificates are
	// revoked for that reason.
	Compromised bool
}

// The kinds of identity document.
var documents = map[string]bool{"identity-card": true, "passport": true, "driving-licence": true, "residence-permit": true, "other-art-35": true}

// Check says what is missing or wrong.
func (n NewRecovery) Check(now time.Time) error {
	if err := CheckDocument(n.Document, n.Number, n.Issuer, n.Expires, now); err != nil {
		return err
	}
	if strings.TrimSpace(n.Reason) == "" || len(n.Reason) > 200 {
		return fail(Invalid, "say why, in at most 200 bytes")
	}
	return nil
}

// CheckDocument says what is missing or wrong about an identity document.
func CheckDocument(kind, number, issuer string, expires, now time.Time) error {
	switch {
	case !documents[kind]:
		return fail(Invalid, "the document must be identity-card, passport, driving-licence, residence-permit or other-art-35")
	case strings.TrimSpace(number) == "" || len(number) > 40:
		return fail(Invalid, "the number of the document must have 1 to 40 bytes")
	case strings.TrimSpace(issuer) == "" || len(issuer) > 100:
		return fail(Invalid, "the issuer of the document must have 1 to 100 bytes")
	case !expires.After(now):
		return fail(Invalid, "the document has expired; it identifies nobody")
	}
	return nil
}

// Found is a holder whom a member has looked up.
type Found struct {
	ID, Username, GivenName, Surname, FiscalCode, Email string
	Waiting                                             bool // for the activation
	Certificates                                        []FoundCertificate
	Delegations                                         []FoundDelegation // in force
	Unlisted                                            bool              // what is delegated cannot be seen now
}

// FoundCertificate is one of a holder's certificates.
type FoundCertificate struct {
	Serial, Profile, State string // State as store.CertState
	NotAfter, Since        time.Time
}

// FoundDelegation is what a holder has delegated to an application.
type FoundDelegation struct {
	ID, Credential string
	Kinds          []string // of documents
	Count, Used    int      // signatures
	Expires        time.Time
	Certificate    []byte // SHA-256 of the application's
}
