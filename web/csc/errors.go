package csc

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"sigillo/signing"
	"sigillo/signing/remote"
)

// Error is the answer of every method that fails (CSC API §10.2).
type Error struct {
	Code        string `json:"error" required:"true" doc:"Stable name of the error"`
	Description string `json:"error_description" required:"true" doc:"What is wrong, in English and in the words of the specification"`

	status int
	wait   time.Duration // when to try again; 0: not told
	err    error         // the cause, for the log
}

func (e *Error) Error() string { return "csc: " + e.Code + ": " + e.Description }

func (e *Error) Unwrap() error { return e.err }

// invalid is the error of a request that does not fit; nearly all are.
func invalid(description string) *Error {
	return &Error{Code: "invalid_request", Description: description, status: http.StatusBadRequest}
}

// The errors of the specification that have no kind below.
const (
	malformedHeader = "Malformed authorization header"
	unknownID       = "Invalid parameter credentialID"
	tooMany         = "Numbers of signatures is too high" // sic
	badNumber       = "Invalid value for parameter numSignatures"
	emptyHash       = "Empty hash array"
	badBase64       = "Invalid Base64 hash string parameter"
	badLength       = "Invalid digest value length"
	badSAD          = "Invalid parameter SAD"
)

func noToken() *Error {
	return &Error{Code: "invalid_request", Description: "Missing authorization header", status: http.StatusUnauthorized}
}

func badToken() *Error {
	return &Error{Code: "invalid_token", Description: "Token provided is not a valid OAuth access or refresh token", status: http.StatusUnauthorized}
}

func wrongScope(scope string) *Error {
	return &Error{Code: "insufficient_scope", Description: "The access token must have the scope " + scope, status: http.StatusForbidden}
}

func noHolder() *Error {
	return &Error{Code: "unauthorized_client", Description: "The access token is not of a user", status: http.StatusForbidden}
}

// words is a row of the table below.
type words struct {
	status      int
	code        string
	description string
	v1          string // where v1 has other words
}

const (
	request = "invalid_request"
	soon    = "temporarily_unavailable"
)

// table is the one place where the kinds of the rooms below become what the
// specifications say.
var table = map[signing.Kind]words{
	signing.NotFound:        {400, request, unknownID, ""},
	signing.BadRequest:      {400, request, "The request contradicts itself", ""},
	signing.CertSuspended:   {400, request, "The credential identified by credentialID is disabled", ""},
	signing.CertRevoked:     {400, request, "The credential identified by credentialID is disabled", ""},
	signing.CertMissing:     {400, request, "The credential identified by credentialID is disabled", ""},
	signing.CertExpired:     {400, request, "Signing certificate is expired", "Signing certificate is expired."},
	signing.AutomaticOnly:   {400, request, "The credential is for the automatic procedure: it is used under a delegation", ""},
	signing.CounterOnly:     {400, request, "The credential is used at a counter only", ""},
	signing.WrongFactors:    {400, "invalid_authentication_data", "The authentication data is invalid", "The PIN or the OTP is invalid"},
	signing.ReusedOTP:       {400, "invalid_otp", "The OTP is invalid", ""},
	signing.Locked:          {400, request, "Credential locked", "PIN locked"},
	signing.TimeUnavailable: {503, soon, "The clock cannot be shown to be right; try again later", ""},
	signing.KeyUnavailable:  {503, soon, "The key cannot be used at the moment; try again", ""},
	signing.Busy:            {503, soon, "The service is busy; try again", ""},
	signing.Undelivered:     {503, soon, "The code could not be sent; try again later", ""},
	signing.DiskFull:        {503, soon, "The service has no space left; try again later", ""},
	signing.Refused:         {400, request, "The inspection refuses the document: it has content that can change what it shows", ""},
	signing.Infected:        {400, request, "The inspection refuses the document: it has content that can change what it shows", ""},
	signing.Unconfirmed:     {400, request, "The document has findings that its signer must read and confirm: sign it in the web interface", ""},
	signing.WrongForm:       {400, request, "Invalid parameter signature_format", ""},
	signing.Unsignable:      {400, request, "The document cannot take this signature", ""},
	signing.Unviewable:      {400, request, "The document cannot be shown, so it cannot be signed", ""},
	signing.TooLarge:        {413, request, "The document is too large", ""},
	signing.Empty:           {400, request, "Invalid Base64 documents string parameter", ""},
	signing.NotVerified:     {500, "server_error", "The signed document was not accepted by our own validation and is not given out", ""},
	remote.NoGrant:          {400, request, badSAD, ""},
	remote.GrantExpired:     {400, request, "SAD expired", ""},
	remote.Unauthorised:     {400, request, "Hash is not authorized by the SAD", "Hash is not authorized by the SAD."},
	remote.NotDelegated:     {400, request, "No delegation allows this", ""},
	remote.TooMany:          {400, request, tooMany, ""},
	remote.WeakHash:         {400, request, "Invalid parameter hashAlgorithmOID", "Invalid parameter hashAlgo"},
	remote.BadDigest:        {400, request, badLength, ""},
	remote.BadScheme:        {400, request, "Invalid parameter signAlgo", ""},
	remote.NoFactor:         {400, request, "Invalid parameter authObjectID", "The credential has no OTP that is sent"},
	signing.WantsPasskey:    {400, "invalid_authentication_data", "The authentication data is invalid", "The PIN or the OTP is invalid"},
	signing.Internal:        {500, "server_error", "The service failed", ""},
}

// told gives any error as the specification of version v tells it.
func told(err error, v int) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	w, ok := table[signing.KindOf(err)]
	if !ok {
		w = table[signing.Internal]
	}
	e := &Error{Code: w.code, Description: w.description, status: w.status, err: err}
	if v == 1 {
		if w.v1 != "" {
			e.Description = w.v1
		}
		if e.Code == "invalid_authentication_data" {
			e.Code = "invalid_pin"
		}
	}
	var below *signing.Error
	if errors.As(err, &below) {
		e.wait = below.RetryAfter
	}
	if e.wait == 0 && e.status == http.StatusServiceUnavailable {
		e.wait = 5 * time.Second
	}
	return e
}

// seconds is for the header Retry-After.
func (e *Error) seconds() int { return int(math.Ceil(e.wait.Seconds())) }

// missing names a parameter that is not there or of another type.
func missing(kind, name string) *Error {
	return invalid("Missing (or invalid type) " + kind + " parameter " + name)
}

// bad names a parameter with a value that it cannot have.
func bad(name string) *Error { return invalid("Invalid parameter " + strings.TrimSpace(name)) }
