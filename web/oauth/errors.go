package oauth

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/store"
)

// Kind says what went wrong. Those with an underscore are the error codes of the
// standards and reach the application as they stand; the others are for people alone.
type Kind string

// The kinds.
const (
	InvalidRequest          Kind = "invalid_request"               // RFC 6749 §4.1.2.1, §5.2
	InvalidClient           Kind = "invalid_client"                // §5.2
	InvalidGrant            Kind = "invalid_grant"                 // §5.2
	UnauthorizedClient      Kind = "unauthorized_client"           // §4.1.2.1, §5.2
	UnsupportedGrantType    Kind = "unsupported_grant_type"        // §5.2
	UnsupportedResponseType Kind = "unsupported_response_type"     // §4.1.2.1
	InvalidScope            Kind = "invalid_scope"                 // §4.1.2.1, §5.2
	AccessDenied            Kind = "access_denied"                 // §4.1.2.1
	ServerError             Kind = "server_error"                  // §4.1.2.1
	Unavailable             Kind = "temporarily_unavailable"       // §4.1.2.1
	InvalidToken            Kind = "invalid_token"                 // RFC 6750 §3.1
	InvalidDetails          Kind = "invalid_authorization_details" // RFC 9396 §5
	RequestNotSupported     Kind = "request_not_supported"         // RFC 9101 §6.3
	LoginRequired           Kind = "login_required"                // OpenID Connect Core §3.1.2.6

	UnknownClient Kind = "oauth-client"   // no such application
	WrongRedirect Kind = "oauth-redirect" // the address for the answer is none of the application's
	StaleRequest  Kind = "oauth-stale"    // the pushed request is unknown, used, or over
	BadRequest    Kind = "oauth-request"  // not to be understood, and nobody to tell
)

// statusOf is the HTTP status of what is answered to an application.
var statusOf = map[Kind]int{InvalidClient: http.StatusUnauthorized, InvalidToken: http.StatusUnauthorized,
	ServerError: http.StatusInternalServerError, Unavailable: http.StatusServiceUnavailable}

// Error is the one error type of this package. Msg is for the application's developer and
// holds nothing secret; its characters are those of an error_description (RFC 6749 §5.2).
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "oauth: " + e.Msg + ": " + e.Err.Error()
	}
	return "oauth: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

func fail(kind Kind, msg string) *Error { return &Error{Kind: kind, Msg: msg} }

// KindOf gives the kind of an error, ServerError for one of another make and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ServerError
}

// fromStore gives a failure of the database its meaning.
func fromStore(err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch store.KindOf(err) {
	case store.Busy, store.Full:
		return &Error{Kind: Unavailable, Msg: "the database is not at hand; try again", Err: err}
	}
	return &Error{Kind: ServerError, Msg: "the request could not be carried out", Err: err}
}

// guessed says that an attempt was the holder's mistake, or somebody's who is not the
// holder; other failures do not count against the address.
func guessed(err error) bool {
	switch signing.KindOf(err) {
	case signing.WrongFactors, signing.ReusedOTP, signing.Locked:
		return true
	}
	return false
}

type errorBody struct {
	Error       Kind   `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// answering turns the error of an endpoint for applications into its answer (RFC 6749
// §5.2).
func (s *Server) answering(endpoint fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderPragma, "no-cache")
		err := endpoint(c)
		if err == nil {
			return nil
		}
		s.house.Blame(c, err)
		var own *Error
		if !errors.As(err, &own) {
			own = &Error{Kind: ServerError, Msg: "the request could not be carried out", Err: err}
		}
		status, ok := statusOf[own.Kind]
		if !ok {
			status = http.StatusBadRequest
		}
		if status == http.StatusUnauthorized && c.Get(fiber.HeaderAuthorization) != "" {
			c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="sigillo"`)
		}
		if status == http.StatusServiceUnavailable {
			c.Set(fiber.HeaderRetryAfter, "2")
		}
		return c.Status(status).JSON(errorBody{own.Kind, own.Msg})
	}
}
