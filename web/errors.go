package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
	"sigillo/web/oauth"
)

// Kind tells what went wrong with a request. The kinds of the signing room
// pass through under their own names; the ones below are the web's own.
type Kind string

const (
	Unauthenticated  Kind = "unauthenticated"    // no session, or it has ended
	Forged           Kind = "forged"             // form token or origin is not ours
	NoRoute          Kind = "no-route"           // no such address
	MethodNotAllowed Kind = "method-not-allowed" // the address exists, not with this method
	UnsupportedMedia Kind = "unsupported-media"  // wrong Content-Type
	BodyTooLarge     Kind = "body-too-large"     // a body that is no upload over its limit
	Slow             Kind = "slow"               // the client sent too slowly, or we answered too late
	Aborted          Kind = "aborted"            // the client stopped in the middle
	Invalid          Kind = "invalid"            // the body does not fit the schema
	NotPermitted     Kind = "not-permitted"      // known, and may not
	WrongVersion     Kind = "wrong-version"      // not HTTP/1

	Unequal      Kind = "unequal"       // what was to be typed twice was not typed alike
	CodeSoon     Kind = "code-soon"     // a code was sent already, or too many
	NotDelegated Kind = "not-delegated" // remote.NotDelegated: nothing that can be delegated, or not so

	// Of signing in with a card.
	CardMissing      Kind = "card-missing"      // no certificate came with the connection
	CardRefused      Kind = "card-refused"      // of an authority, or of a kind, that is not accepted
	CardOver         Kind = "card-over"         // expired, revoked or suspended
	CardUnverifiable Kind = "card-unverifiable" // nothing is known about its revocation now
	CardUnknown      Kind = "card-unknown"      // good, and no holder's here

	// Of the staff, and of codes that are given to people; see errors_staff.go.
	RoleNotPermitted Kind = "role-not-permitted" // the member's role may not do this
	SamePerson       Kind = "same-person"        // it takes a second person of another role
	TooOld           Kind = "too-old"            // the proposal, or the code, has expired
	ProposalChanged  Kind = "proposal-changed"   // it is not what was shown
	Decided          Kind = "decided"            // the proposal was decided, the code used
	PersonTaken      Kind = "person-taken"       // the person has a role already
	WrongEntry       Kind = "wrong-entry"        // what was filled in makes no sense
	WrongCode        Kind = "wrong-code"         // no such code, or not of this person
	NobodyApproves   Kind = "nobody-approves"    // nobody in office could approve it

	// Of counters and their tablets; see errors_counter.go.
	CounterSecond    Kind = "counter-second"     // it takes a second person
	CounterSignedOut Kind = "counter-signed-out" // the second person has not signed in
	CounterState     Kind = "counter-state"      // the session is past this, or not there yet
	CounterUnread    Kind = "counter-unread"     // not every page was shown
	CounterLocked    Kind = "counter-locked"     // the customer's signature was not recognised too often
	CounterStale     Kind = "counter-stale"      // what was written is too old, or of another session
	CounterFull      Kind = "counter-full"       // too many sessions, documents, pages or tablets
	TabletBusy       Kind = "tablet-busy"        // somebody signs on the tablet
	TabletAway       Kind = "tablet-away"        // the tablet does not answer
	TabletCode       Kind = "tablet-code"        // no code that a tablet is registered with
	TabletUnknown    Kind = "tablet-unknown"     // the browser is no tablet
	NoProfile        Kind = "no-profile"         // the customer has to be enrolled first
	NoConsent        Kind = "no-consent"         // the customer has not agreed, or not any more

	// Of the time-stamping authority.
	StampCredentials  Kind = "stamp-credentials"   // no account is known by the credentials
	StampLocked       Kind = "stamp-locked"        // too many wrong passwords from there
	BadQuery          Kind = "bad-query"           // what is looked for in the archive makes no sense
	TooManyTokens     Kind = "too-many-tokens"     // more than one zip holds
	BadDigest         Kind = "bad-digest"          // what should be stamped is no digest of its algorithm
	StampNotPermitted Kind = "stamp-not-permitted" // no stamps left, or too many at once
	StampNoTime       Kind = "stamp-no-time"       // the clock cannot be shown to be right
	StampFailed       Kind = "stamp-failed"        // the unit, its key or the archive

	// Of the authorization server, while it is not known whom to tell.
	OAuthClient   Kind = "oauth-client"   // no such application
	OAuthRedirect Kind = "oauth-redirect" // the address for the answer is none of the application's
	OAuthStale    Kind = "oauth-stale"    // what the application has asked for is used, or over
	OAuthRequest  Kind = "oauth-request"  // not to be understood
)

// statusOf is the one place where a kind becomes an HTTP status.
//
// Wrong factors are 403, not 401: password and OTP travel in the body, so a
// 401 with its challenge for the Authorization header (RFC 9110 §15.5.2) would
// make clients throw away a good bearer token.
var statusOf = map[Kind]int{
	Kind(signing.NotFound):        http.StatusNotFound,
	Kind(signing.TooLarge):        http.StatusRequestEntityTooLarge,
	Kind(signing.Empty):           http.StatusBadRequest,
	Kind(signing.BadRequest):      http.StatusBadRequest,
	Kind(signing.Refused):         http.StatusUnprocessableEntity,
	Kind(signing.Unconfirmed):     http.StatusConflict,
	Kind(signing.WrongForm):       http.StatusUnprocessableEntity,
	Kind(signing.Unsignable):      http.StatusUnprocessableEntity,
	Kind(signing.Changed):         http.StatusConflict,
	Kind(signing.Unconvertible):   http.StatusUnprocessableEntity,
	Kind(signing.Infected):        http.StatusUnprocessableEntity,
	Kind(signing.Unviewable):      http.StatusUnprocessableEntity,
	Kind(signing.CertSuspended):   http.StatusConflict,
	Kind(signing.CertRevoked):     http.StatusConflict,
	Kind(signing.CertExpired):     http.StatusConflict,
	Kind(signing.CertMissing):     http.StatusConflict,
	Kind(signing.AutomaticOnly):   http.StatusConflict,
	Kind(signing.CounterOnly):     http.StatusConflict,
	Kind(signing.NotRecognised):   http.StatusForbidden,
	Kind(signing.BadCapture):      http.StatusConflict,
	Kind(signing.Abandoned):       http.StatusConflict,
	Kind(signing.WrongFactors):    http.StatusForbidden,
	Kind(signing.ReusedOTP):       http.StatusForbidden,
	Kind(signing.Locked):          http.StatusTooManyRequests,
	Kind(signing.WantsPasskey):    http.StatusForbidden,
	Kind(signing.Undelivered):     http.StatusServiceUnavailable,
	Kind(signing.WeakPassword):    http.StatusUnprocessableEntity,
	Kind(signing.WrongState):      http.StatusConflict,
	Kind(signing.TimeUnavailable): http.StatusServiceUnavailable,
	Kind(signing.NotVerified):     http.StatusInternalServerError,
	Kind(signing.KeyUnavailable):  http.StatusServiceUnavailable,
	Kind(signing.Busy):            http.StatusServiceUnavailable,
	Kind(signing.DiskFull):        http.StatusInsufficientStorage,
	Kind(signing.Internal):        http.StatusInternalServerError,

	Unauthenticated:  http.StatusUnauthorized,
	Forged:           http.StatusForbidden,
	NoRoute:          http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	UnsupportedMedia: http.StatusUnsupportedMediaType,
	BodyTooLarge:     http.StatusRequestEntityTooLarge,
	Slow:             http.StatusRequestTimeout,
	Aborted:          http.StatusBadRequest,
	Invalid:          http.StatusUnprocessableEntity,
	NotPermitted:     http.StatusForbidden,
	WrongVersion:     http.StatusHTTPVersionNotSupported,
	Unequal:          http.StatusUnprocessableEntity,
	CodeSoon:         http.StatusTooManyRequests,
	NotDelegated:     http.StatusConflict,

	CardMissing:      http.StatusForbidden,
	CardRefused:      http.StatusForbidden,
	CardOver:         http.StatusForbidden,
	CardUnverifiable: http.StatusServiceUnavailable,
	CardUnknown:      http.StatusForbidden,

	RoleNotPermitted: http.StatusForbidden,
	SamePerson:       http.StatusForbidden,
	TooOld:           http.StatusConflict,
	ProposalChanged:  http.StatusConflict,
	Decided:          http.StatusConflict,
	PersonTaken:      http.StatusConflict,
	WrongEntry:       http.StatusUnprocessableEntity,
	WrongCode:        http.StatusForbidden,
	NobodyApproves:   http.StatusConflict,

	CounterSecond:    http.StatusForbidden,
	CounterSignedOut: http.StatusForbidden,
	CounterState:     http.StatusConflict,
	CounterUnread:    http.StatusConflict,
	CounterLocked:    http.StatusTooManyRequests,
	CounterStale:     http.StatusConflict,
	CounterFull:      http.StatusConflict,
	TabletBusy:       http.StatusConflict,
	TabletAway:       http.StatusConflict,
	TabletCode:       http.StatusForbidden,
	TabletUnknown:    http.StatusUnauthorized,
	NoProfile:        http.StatusConflict,
	NoConsent:        http.StatusConflict,

	StampCredentials:  http.StatusUnauthorized,
	StampLocked:       http.StatusTooManyRequests,
	BadQuery:          http.StatusBadRequest,
	TooManyTokens:     http.StatusBadRequest,
	BadDigest:         http.StatusUnprocessableEntity,
	StampNotPermitted: http.StatusForbidden,
	StampNoTime:       http.StatusServiceUnavailable,
	StampFailed:       http.StatusServiceUnavailable,

	OAuthClient:   http.StatusBadRequest,
	OAuthRedirect: http.StatusBadRequest,
	OAuthStale:    http.StatusBadRequest,
	OAuthRequest:  http.StatusBadRequest,
}

// kindOfOAuth names the faults of the authorization server that are told to people.
func kindOfOAuth(err error) (Kind, bool) {
	var own *oauth.Error
	if !errors.As(err, &own) {
		return "", false
	}
	switch own.Kind {
	case oauth.UnknownClient, oauth.WrongRedirect, oauth.StaleRequest, oauth.BadRequest:
		return Kind(own.Kind), true
	case oauth.Unavailable:
		return Kind(signing.Busy), true
	case oauth.ServerError:
		return Kind(signing.Internal), true
	}
	return OAuthRequest, true
}

// retryOf says when to try again where the error itself doesn't.
var retryOf = map[Kind]time.Duration{
	Kind(signing.Locked):          30 * time.Second,
	CounterLocked:                 15 * time.Minute,
	Kind(signing.TimeUnavailable): 30 * time.Second,
	Kind(signing.KeyUnavailable):  5 * time.Second,
	Kind(signing.Busy):            2 * time.Second,
	CardUnverifiable:              time.Minute,
	StampNoTime:                   30 * time.Second,
	StampFailed:                   5 * time.Second,
}

// Error is this room's own error.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "web: " + e.Msg + ": " + e.Err.Error()
	}
	return "web: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

func fail(kind Kind, msg string, err error) error { return &Error{Kind: kind, Msg: msg, Err: err} }

// KindOf gives the kind of any error that reaches the edge. What nobody
// claimed is a fault of ours: "internal".
func KindOf(err error) Kind {
	var own *Error
	if errors.As(err, &own) {
		return own.Kind
	}
	var below *signing.Error
	if errors.As(err, &below) {
		return Kind(below.Kind)
	}
	if kind, ok := kindOfOAuth(err); ok {
		return kind
	}
	if kind, ok := kindOfCards(err); ok {
		return kind
	}
	if kind, ok := kindOfStamps(err); ok {
		return kind
	}
	if kind, ok := kindOfCounter(err); ok {
		return kind
	}
	if kind, ok := kindOfStaff(err); ok {
		return kind
	}
	var framework *fiber.Error
	if errors.As(err, &framework) {
		return kindOfStatus(framework.Code)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Slow
	}
	return Kind(signing.Internal)
}

// kindOfStatus names the framework's own refusals.
func kindOfStatus(code int) Kind {
	switch code {
	case http.StatusNotFound:
		return NoRoute
	case http.StatusMethodNotAllowed:
		return MethodNotAllowed
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return UnsupportedMedia
	case http.StatusRequestEntityTooLarge:
		return BodyTooLarge
	case http.StatusRequestTimeout:
		return Slow
	case http.StatusUnprocessableEntity:
		return Invalid
	}
	if code >= 400 && code < 500 {
		return Kind(signing.BadRequest)
	}
	return Kind(signing.Internal)
}

// status is the HTTP status of a kind; deny by default for an unknown one.
func (k Kind) status() int {
	if code, ok := statusOf[k]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// retryAfter is in whole seconds, rounded up; 0 means that trying again later
// brings nothing by itself.
func retryAfter(err error) int {
	wait := retryOf[KindOf(err)]
	var below *signing.Error
	if errors.As(err, &below) && below.RetryAfter > 0 {
		wait = below.RetryAfter
	}
	var atCounter *counters.Error
	if errors.As(err, &atCounter) && atCounter.RetryAfter > 0 {
		wait = atCounter.RetryAfter
	}
	var account *accounts.Error
	if errors.As(err, &account) && account.Wait > 0 {
		wait = account.Wait
	}
	return int(math.Ceil(wait.Seconds()))
}

// Problem is the body of every error of the REST interface (RFC 9457).
type Problem struct {
	Type   string         `json:"type" doc:"urn:sigillo:problem: followed by the kind"`
	Title  string         `json:"title" doc:"What went wrong, in the language of the request"`
	Status int            `json:"status" doc:"HTTP status"`
	Detail string         `json:"detail" doc:"What to do, in the language of the request"`
	Kind   Kind           `json:"kind" doc:"Stable name of the error, for programs"`
	Retry  int            `json:"retry_after,omitempty" doc:"Seconds to wait before trying again"`
	Fields []ProblemField `json:"errors,omitempty" doc:"Where the request does not fit the schema"`
}

// ProblemField points at one place of a request that doesn't fit. It never
// repeats the value: the value may be a password.
type ProblemField struct {
	Location string `json:"location" example:"body.documents[0].form"`
	Message  string `json:"message" doc:"In English, for developers"`
}

func (p *Problem) Error() string  { return string(p.Kind) + ": " + p.Title }
func (p *Problem) GetStatus() int { return p.Status }

// ContentType gives the problem its media type (RFC 9457 §3).
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders adds the headers that belong to the status.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.Retry))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="sigillo"`)
	}
	return h
}

// problem tells err in the reader's language.
func (s *Server) problem(l *locale, err error) *Problem {
	kind := KindOf(err)
	if _, known := statusOf[kind]; !known {
		kind = Kind(signing.Internal)
	}
	retry := retryAfter(err)
	args := []any{"limit", l.Size(s.cfg.MaxUpload), "wait", l.Wait(retry), "zip", ledger.MaxZip, "page", ledger.MaxLimit}
	return &Problem{
		Type: "urn:sigillo:problem:" + string(kind), Kind: kind, Status: kind.status(), Retry: retry,
		Title:  l.T("error."+string(kind)+".title", args...),
		Detail: l.T("error."+string(kind)+".detail", args...),
	}
}
