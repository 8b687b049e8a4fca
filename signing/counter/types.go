package counter

import (
	"time"

	"sigillo/auth/staff"
	"sigillo/signing"
)

// Limits of what is done at a counter.
const (
	// MaxDocuments is how many documents a dossier has at most, where the credential
	// does not allow fewer.
	MaxDocuments = 20
	// MaxPages is how many pages they have together: the customer turns each.
	MaxPages = 1000
	// SessionLife is how long a session lasts: as long as the vault keeps what it has
	// opened for it.
	SessionLife = 15 * time.Minute
	// OpenLife is how long one waits that nobody has begun.
	OpenLife = 5 * time.Minute
	// AwayLife is how long a tablet may be silent before the session that it shows ends:
	// longer than [WaitLimit], and than it takes to load a page anew.
	AwayLife = 90 * time.Second
	// WaitLimit is how long [Service.TabletState] and [Service.Watch] wait for a change.
	WaitLimit = 25 * time.Second
)

// What a session is for.
const (
	Enrol Purpose = "enrol" // the customer gives the signatures that others are compared with
	Sign  Purpose = "sign"  // the customer signs a dossier
)

// Purpose is what a session is for.
type Purpose string

// State is where a session is. Done, Refused, Failed, Cancelled and Expired are ends.
type State string

// The states.
const (
	Open      State = "open"      // put together; waits for the operator's presence
	Reading   State = "reading"   // the customer reads the documents, or what the consent is to
	Signing   State = "signing"   // every page was shown; the customer may sign
	Matched   State = "matched"   // recognised, documents under way; or enough signatures were taken, and the second person is waited for
	Done      State = "done"      // every document is signed; or the key and its certificate are there
	Refused   State = "refused"   // not recognised, or the customer did not want: nothing was signed
	Failed    State = "failed"    // a fault of ours, Why says which; nothing half-signed is kept
	Cancelled State = "cancelled" // broken off, Why says why; nothing was signed
	Expired   State = "expired"   // took too long; nothing was signed
)

// Ended says whether nothing happens any more in a session of this state.
func (s State) Ended() bool {
	switch s {
	case Done, Refused, Failed, Cancelled, Expired:
		return true
	}
	return false
}

// Reasons why a session has come to its end, for [Session.Why] and for [Service.Cancel].
// Faces have words for each.
const (
	WhyOperator     = "operator"     // the operator has broken it off
	WhyCustomer     = "customer"     // the customer does not want to go on
	WhyPen          = "pen"          // the pen is lost, or does not write
	WhyTablet       = "tablet"       // the tablet was not heard of for too long
	WhyRestart      = "restart"      // the service or the vault was started again
	WhyTime         = "time"         // it took too long
	WhyUnrecognised = "unrecognised" // not recognised: another way has to be taken
	WhyNoEnrolment  = "no-enrolment" // the signatures differ too much from each other to be compared with
	WhyCertificate  = "certificate"  // the certificate is not valid any more
	WhyFault        = "fault"        // a fault of ours
)

// Reasons are those that an operator may give to [Service.Cancel].
var Reasons = []string{WhyOperator, WhyCustomer, WhyPen}

// Identification is how the operator has seen who the customer is.
type Identification struct {
	Kind    string    `json:"kind" enum:"identity-card,passport,driving-licence,residence-permit,other-art-35" doc:"Kind of the identity document (art. 35 DPR 445/2000)"`
	Number  string    `json:"number" minLength:"1" maxLength:"40"`
	Issuer  string    `json:"issuer" minLength:"1" maxLength:"100"`
	Expires time.Time `json:"expires" doc:"The document is good until this day"`
}

// NewEnrolment asks for a session in which a customer's profile is made, the first or
// another one.
type NewEnrolment struct {
	Holder         string // ID
	Tablet         string // ID
	Identification Identification
	Locale         string // "it" or "en": the language of the tablet and of the consent; "": the holder's
	Reference      string // the bank's own name for it, at most 100 bytes
	Callback       string // name of the address that is told of the end; "": none
}

// NewDossier asks for a session in which a customer signs. The documents are those that
// [Service.Upload] has taken for this customer, at this centre.
type NewDossier struct {
	Holder         string
	Tablet         string
	Identification Identification
	Documents      []signing.Order
	Locale         string
	// Reference is the dossier's name in the bank's own books, at most 100 bytes.
	Reference string
	Callback  string // name of the address that is told of the end; "": none
}

// Session is what the operator sees of one.
type Session struct {
	ID       string  `json:"id"`
	Version  int64   `json:"version" doc:"Rises with every change: what to say when waiting for the next"`
	Purpose  Purpose `json:"purpose" enum:"enrol,sign"`
	State    State   `json:"state" enum:"open,reading,signing,matched,done,refused,failed,cancelled,expired"`
	Why      string  `json:"why,omitempty" doc:"Why it has ended, for refused, failed, cancelled and expired"`
	Holder   string  `json:"holder" doc:"Identifier of the customer"`
	Customer string  `json:"customer" doc:"Name of the customer"`
	Operator string  `json:"operator" doc:"Identifier of the member of the staff who opened it"`
	Centre   string  `json:"centre"`
	Tablet   string  `json:"tablet"`
	Away     bool    `json:"away,omitempty" doc:"The tablet was not heard of for a while"`
	Device   Device  `json:"device" doc:"What the tablet's pen can do, as the tablet has measured it"`

	// Identification is what the operator has recorded, for the second person to check; it is
	// there as long as the session is under way.
	Identification *Identification `json:"identification,omitempty"`

	Reference string `json:"reference,omitempty"`
	// Code is short and made of what is signed: the tablet shows the same.
	Code      string     `json:"code,omitempty" doc:"Short code of what is signed; the tablet shows the same"`
	Documents []Document `json:"documents,omitempty"`
	// Tries is how often the customer has signed and was not recognised, of so many that
	// are allowed.
	Tries    int  `json:"tries"`
	MaxTries int  `json:"max_tries"`
	Repeat   bool `json:"repeat,omitempty" doc:"The last signature was not near enough; the customer signs again"`

	Enrolment *Progress `json:"enrolment,omitempty"`
	Consent   *Given    `json:"consent,omitempty"`

	Transaction string `json:"transaction,omitempty" doc:"Of the signatures, once the documents are fixed"`
	Credential  string `json:"credential,omitempty"`
	Certificate string `json:"certificate,omitempty" doc:"Serial number, lower hex"`
	// EmergencyCode suspends the certificate; it is there once, in the answer that ends
	// the enrolment, and goes to the customer.
	EmergencyCode string `json:"emergency_code,omitempty" doc:"Suspends the certificate; shown once, for the customer"`

	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Document is one of a dossier.
type Document struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	SHA256   string   `json:"sha256"`
	Pages    int      `json:"pages"`
	Shown    int      `json:"shown" doc:"Pages that the customer has been shown"`
	Findings []string `json:"findings,omitempty" doc:"What the inspection has found that the customer must accept"`
	Accepted bool     `json:"accepted,omitempty" doc:"The customer has accepted the findings"`
	Signed   bool     `json:"signed,omitempty"`
	Seq      int      `json:"seq" doc:"Position in the dossier, and of the signed document in the transaction"`
	Output   string   `json:"output_name,omitempty" doc:"File name of the signed document"`
	Digest   string   `json:"output_sha256,omitempty" doc:"SHA-256 of the signed document, lower hex"`
}

// Progress of an enrolment.
type Progress struct {
	Count   int      `json:"count" doc:"Signatures that were taken"`
	Wanted  int      `json:"wanted" doc:"How many are best; fewer may do"`
	Ready   bool     `json:"ready" doc:"There are enough"`
	Pause   bool     `json:"pause,omitempty" doc:"The customer should put the pen down and sit anew before the next"`
	Weak    bool     `json:"weak,omitempty" doc:"The signature is so simple that others could write it"`
	Odd     int      `json:"odd,omitempty" doc:"Number, from 1, of one that stands apart from the others and has to be taken away"`
	Reasons []string `json:"reasons,omitempty" doc:"Why the last one was not taken"`
}

// Given is a consent that was given, or the text that one is asked to.
type Given struct {
	Text    string    `json:"text,omitempty" doc:"Identifier of the text, as it-1"`
	SHA256  string    `json:"sha256,omitempty" doc:"Of the text, lower hex"`
	At      time.Time `json:"at,omitzero"`
	Revoked time.Time `json:"withdrawn,omitzero"`
}

// Step is what a tablet shows.
type Step string

// The steps.
const (
	StepIdle    Step = "idle"    // nothing to do
	StepConsent Step = "consent" // the text, and: I agree, I do not
	StepRead    Step = "read"    // the documents, page by page
	StepSign    Step = "sign"    // the field for the signature
	StepWait    Step = "wait"    // somebody else has to do something
	StepDone    Step = "done"
	StepStopped Step = "stopped" // ended otherwise; Why says why
)

// TabletView is what a tablet shows.
type TabletView struct {
	Version   int64            `json:"version"` // what to say when waiting for the next
	Step      Step             `json:"step"`
	Session   string           `json:"session,omitempty"`
	Purpose   Purpose          `json:"purpose,omitempty"`
	Locale    string           `json:"locale,omitempty"`
	Customer  string           `json:"customer,omitempty"`
	Operator  string           `json:"operator,omitempty"` // name
	Centre    string           `json:"centre,omitempty"`
	Code      string           `json:"code,omitempty"`
	Consent   *Text            `json:"consent,omitempty"`
	Documents []TabletDocument `json:"documents,omitempty"`
	Try       int              `json:"try,omitempty"` // the signature asked for is the Try-th of MaxTries
	MaxTries  int              `json:"maxTries,omitempty"`
	Repeat    bool             `json:"repeat,omitempty"` // the last was not near enough; no more is told to the customer
	Progress  *Progress        `json:"progress,omitempty"`
	Why       string           `json:"why,omitempty"`
	Expires   time.Time        `json:"expires,omitzero"`
}

// TabletDocument is a document as the tablet shows it. Shown are the pages, from 1, that
// the customer has been shown.
type TabletDocument struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Pages    int      `json:"pages"`
	Shown    []int    `json:"shown"`
	Findings []string `json:"findings,omitempty"`
	Accepted bool     `json:"accepted,omitempty"`
}

// Text is what a customer consents to.
type Text struct {
	ID     string `json:"id"` // such as it-1: language and version
	Locale string `json:"locale"`
	Body   string `json:"body"` // plain text; empty lines between paragraphs
	SHA256 string `json:"sha256"`
}

// Device is what a tablet has found out about its pen. It is shown to the operator and
// decides nothing.
type Device struct {
	Class  string  `json:"class,omitempty"`
	Rate   float64 `json:"rate,omitempty"` // Hz
	Levels int     `json:"levels,omitempty"`
	Hover  bool    `json:"hover,omitempty"`
	Tilt   bool    `json:"tilt,omitempty"`
}

// TabletState is whether a tablet may be used.
type TabletState string

// The states of a tablet.
const (
	TabletInvited TabletState = "invited" // its code was given, and not used
	TabletPending TabletState = "pending" // has its key, and waits to be confirmed
	TabletActive  TabletState = "active"
	TabletRevoked TabletState = "revoked"
)

// Tablet is one that customers sign on.
type Tablet struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Centre      string      `json:"centre"`
	Class       string      `json:"class"`
	State       TabletState `json:"state"`
	Fingerprint string      `json:"fingerprint,omitempty"` // of its key, to be compared with what it shows
	Busy        bool        `json:"busy,omitempty"`        // has a session
	Online      bool        `json:"online,omitempty"`      // was heard of lately
	Device      Device      `json:"device"`
	Created     time.Time   `json:"created"`
}

// NewTablet is one to be registered.
type NewTablet struct {
	Name   string
	Centre string
}

// Customer is a holder as a counter sees one.
type Customer struct {
	ID, Username, GivenName, Surname, FiscalCode, Email string
	Locale                                              string
	Consent                                             *Given // the one in force; nil: none
	Enrolled                                            bool   // has a profile and a certificate that is valid
	Waiting                                             bool   // has an enrolment under way
}

// NewCustomer is somebody to be registered at the counter, after having been identified.
type NewCustomer struct {
	Username, GivenName, Surname, FiscalCode, Email, Locale string
	Identification                                          Identification
}

// member is what the rooms above know a member of the staff by.
type member = staff.Member
