package csc

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

// Remote signs digests. *remote.Service satisfies it.
type Remote interface {
	Credentials(ctx context.Context, holder string) ([]remote.Credential, error)
	Credential(ctx context.Context, holder, id string) (remote.Credential, error)
	Second(ctx context.Context, holder string) (remote.Second, error)
	SendCode(ctx context.Context, holder, application, credential, language string) error
	Challenge(ctx context.Context, holder string, o remote.Order) (vault.Challenge, error)
	Authorise(ctx context.Context, holder string, o remote.Order, e signing.Evidence) (remote.Grant, error)
	Extend(ctx context.Context, holder, application, handle string, digests [][]byte) (remote.Grant, error)
	Grant(handle string) (remote.Grant, error)
	Ask(ctx context.Context, holder string, o remote.Order) (handle string, err error)
	Outcome(holder, application, handle string) (g remote.Grant, waiting bool, err error)
	Sign(ctx context.Context, holder, application, handle string, a remote.Activation) ([][]byte, error)
	DelegatedTo(ctx context.Context, username string, certificate []byte) ([]remote.Credential, error)
	DelegatedCredential(ctx context.Context, certificate []byte, id string) (remote.Credential, error)
	AuthoriseDelegated(ctx context.Context, certificate []byte, delegation string, o remote.Order, kind, client string) (remote.Grant, error)
	SignDelegated(ctx context.Context, application string, certificate []byte, handle string, a remote.Activation) ([][]byte, error)
	SignDocuments(ctx context.Context, holder, application, handle string, a remote.Activation,
		make func(sign func(ctx context.Context, dtbsr [][]byte, scheme string) ([][]byte, error)) error) error
}

// Documents makes signed documents. *signing.Service satisfies it.
type Documents interface {
	Upload(ctx context.Context, holder, name string, r io.Reader) (signing.Document, error)
	Declare(ctx context.Context, holder string, d signing.Declaration) (signing.Document, error)
	Prepare(ctx context.Context, holder string, r signing.Request) (signing.Transaction, error)
	SignAuthorised(ctx context.Context, holder, transaction, client string,
		sign func(ctx context.Context, digests [][]byte, scheme string) ([][]byte, error)) (signing.Transaction, error)
	Output(ctx context.Context, holder, transaction string, seq int) (*signing.Output, error)
}

// Evidence tells what relying parties want to know of our certificates.
type Evidence interface {
	CRLs(ctx context.Context) ([][]byte, error)
	StatusOf(ctx context.Context, cert *x509.Certificate) (ocspResponse []byte, err error)
}

// The scopes of an access token.
const (
	ScopeService    = "service"
	ScopeCredential = "credential"
)

// Access is what a bearer token stands for.
type Access struct {
	Holder      string // "" for an application that signs in for itself (client credentials)
	Application string // who uses the token
	Scope       string
	Handle      string // with ScopeCredential: of the grant
	Expires     time.Time
	login       bool // of auth/login: the application collects the factors itself
}

// Gate knows the tokens of OAuth.
type Gate interface {
	// Access tells what a bearer token stands for; certificate is the client's, nil
	// for none. An error of signing's kinds Busy, KeyUnavailable or DiskFull passes;
	// any other means that there is no such token.
	Access(ctx context.Context, bearer string, certificate *x509.Certificate) (Access, error)
}

// OAuth is what info tells about the authorisation server.
type OAuth struct {
	Base   string // the addresses are Base + "/oauth2/authorize" and so on
	Issuer string // of the metadata (RFC 8414); "": v2 tells Base too
	RAR    bool   // authorization_details are understood
	Client bool   // client credentials are
}

// House is what the web server around this package does for it.
type House interface {
	// Client is who asks: the address, for the journal and the lock-out, and the
	// certificate of the TLS connection, nil for none.
	Client(c *fiber.Ctx) (address string, certificate *x509.Certificate)
	// Body reads the body of a request, at most limit bytes. An error may have a
	// method GetStatus() int, the HTTP status.
	Body(c *fiber.Ctx, limit int64) ([]byte, error)
	// Attempt uses up one of an address's attempts to sign in; succeeded gives it
	// back. An error of kind Locked says that there is none.
	Attempt(c *fiber.Ctx) (succeeded func(), err error)
}

// Config is what a Server needs from its builder.
type Config struct {
	Remote Remote // required

	// Documents and Evidence are for signatures/signDoc; nil: there is none.
	Documents Documents
	Evidence  Evidence
	// Keys is for credentials/create and credentials/delete; nil: there is none.
	Keys Keys

	// Login checks the factors of a holder for auth/login and gives the holder's
	// identifier; nil: no auth/login. Errors are of the kinds of signing. It wipes
	// the password. epoch is what the tokens are bound to: they are over when Epoch
	// gives another one for the holder, because the password was changed or the holder
	// recovered. Both are required together.
	Login func(ctx context.Context, username string, e signing.Evidence) (holder string, epoch []byte, err error)
	Epoch func(ctx context.Context, holder string) (epoch []byte, err error)
	// Gate knows the tokens of OAuth, whose server is described by OAuth; nil: there
	// is none.
	Gate  Gate
	OAuth OAuth
	// Page is where holders approve what applications ask for without having their
	// factors; "" for none. Such a request is answered with 202 and a handle.
	Page string
	// SentCodes says that codes can be sent to phones, Passkeys that holders can have
	// passkeys.
	SentCodes, Passkeys bool
	// Stamp answers a TimeStampReq with a TimeStampResp (RFC 3161); nil: no
	// signatures/timestamp.
	Stamp func(ctx context.Context, request []byte) (response []byte)

	BaseURL   string // where others reach the service
	Name      string // of the service; "Sigillo" when empty
	Region    string // ISO 3166-1 Alpha-2; "IT" when empty
	Qualified bool   // the certificates are qualified, and the signatures with them

	Log *slog.Logger
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Name == "" {
		c.Name = "Sigillo"
	}
	if c.Region == "" {
		c.Region = "IT"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}
