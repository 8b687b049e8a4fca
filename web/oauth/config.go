package oauth

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
	"sigillo/store"
)

// The two scopes.
const (
	Service    = "service"
	Credential = "credential"
)

// Lifetimes.
const (
	accessLife  = time.Hour
	grantLife   = 30 * 24 * time.Hour // of what a holder grants; then he is asked again
	codeLife    = time.Minute
	requestLife = 10 * time.Minute // of a pushed request: time enough to read what is to be signed
)

// Accounts knows the holders. Errors are of the kinds of signing.
type Accounts interface {
	// Known gives the holder with this username, without any proof of who asks;
	// NotFound when there is none.
	Known(ctx context.Context, username string) (store.Holder, error)
	// Recognise checks a holder's factors and uses the second one up. An unknown
	// username costs as much time as a wrong password and is answered the same:
	// WrongFactors, ReusedOTP, Locked, KeyUnavailable, Busy.
	Recognise(ctx context.Context, username string, e signing.Evidence) (store.Holder, error)
	// Unchanged says whether the factors that a holder was recognised by, of whom h was
	// read then, are still the holder's.
	Unchanged(tx *store.Tx, h store.Holder) (bool, error)
}

// Order is what an application wants signed.
type Order struct {
	Credential  string
	Hash        crypto.Hash
	Digests     [][]byte // a multiset: each is signed once
	Documents   bool     // digests of documents that are signed as such, not data to be signed (DTBS/R)
	Description string   // said by the application, shown to the holder
	Application string   // ID of the client
}

// Grant is the signing core's authorisation of an Order.
type Grant struct {
	Handle  string // 256 random bits; whoever has it has the signatures
	Expires time.Time
}

// Signing is the core that signs for outside applications. Errors are of the kinds of
// signing.
type Signing interface {
	// Credential is what may be shown of a credential to whoever knows its ID.
	Credential(ctx context.Context, id string) (signing.Credential, error)
	// Credentials are those of a holder.
	Credentials(ctx context.Context, holder string) ([]signing.Credential, error)
	// Authorise has the vault judge the holder's factors and bind what may be signed to
	// the order. The callee may wipe the password. NotFound, of a credential that is not
	// this holder's, comes before the factors are looked at.
	Authorise(ctx context.Context, holder string, o Order, e signing.Evidence) (Grant, error)
	// Drop ends a grant of an application before its time; one that is not the
	// application's, or none, is no fault. holder may then be empty. With an empty handle it
	// ends all that the application has of this holder.
	Drop(ctx context.Context, holder, application, handle string)
}

// House is what the web server around this package does for it.
type House interface {
	// Client is who asks: the address, and the certificate of the TLS connection, nil
	// when there is none or a proxy stands between.
	Client(c *fiber.Ctx) (address string, certificate *x509.Certificate)
	// Form reads a form. Its values are wiped by the caller.
	Form(c *fiber.Ctx) (map[string][][]byte, error)
	// Own refuses a form that was not made by us for this browser.
	Own(c *fiber.Ctx, form map[string][][]byte) error
	// Evidence is what the holder has typed into a form to be recognised.
	Evidence(c *fiber.Ctx, form map[string][][]byte) signing.Evidence
	// Attempt uses up one of an address's attempts to sign in; succeeded gives it back.
	// An error of kind Locked says that there is none.
	Attempt(c *fiber.Ctx) (succeeded func(), err error)
	// Page shows a page, Fault one that says what went wrong.
	Page(c *fiber.Ctx, p Page) error
	Fault(c *fiber.Ctx, err error) error
	// Tell answers the script of a page, in a language that may be "": with what it has
	// asked for, or with what went wrong. Language is the one that is spoken then.
	Tell(c *fiber.Ctx, language string, answer any, err error) error
	Language(c *fiber.Ctx, language string) string
	// Blame tells the log why a request failed.
	Blame(c *fiber.Ctx, err error)
}

// Page is a page in the house's layout.
type Page struct {
	Name     string // of the template: "consent" or "authorise"
	Language string // asked for by the request; "" leaves it to the browser
	Self     string // the page's own address, with its query
	Target   string // where an answer to its form may lead besides ourselves, as a source of a content policy
	Problem  error  // shown on top
	Data     any    // *Asked
}

// Config is what the server needs.
type Config struct {
	DB       *store.DB // the appliance's; required
	Accounts Accounts  // required
	Signing  Signing   // nil: scope credential is not offered
	Factors  Factors   // nil: holders type codes of an app, and use no passkey and no code that is sent

	// BaseURL is how others reach this server. It is the issuer (RFC 8414), and all
	// addresses are below it.
	BaseURL string

	// Qualifiers are the signature qualifiers (CSC v2 §11.1) that the credentials of
	// this house answer to, for requests that name no credential.
	Qualifiers []string

	Log *slog.Logger     // nil: slog.Default()
	Now func() time.Time // nil: time.Now
}

// Server is the authorization server. It is safe for concurrent use.
type Server struct {
	cfg     Config
	clients *Registry
	codes   codes
	handles handles
	house   House // set by Mount
}

// New makes a server; Mount gives it its addresses.
func New(cfg Config) (*Server, error) {
	if cfg.DB == nil || cfg.Accounts == nil {
		return nil, errors.New("oauth: Config.DB and Config.Accounts are required")
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("oauth: Config.BaseURL must be an http or https address without a query")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg, clients: NewRegistry(cfg.DB, cfg.Now)}, nil
}

// Mount opens the addresses below /oauth2, and those where clients look for metadata.
// CSC clients also look for the revocation endpoint at /revoke.
func (s *Server) Mount(router fiber.Router, h House) {
	s.house = h
	router.Get("/.well-known/oauth-authorization-server", s.metadata)
	router.Get("/.well-known/openid-configuration", s.metadata)
	router.Get("/oauth2/authorize", s.ask)
	router.Post("/oauth2/authorize", s.decide)
	if s.cfg.Factors != nil {
		router.Post("/oauth2/authorize/challenge", s.challenge)
		router.Post("/oauth2/authorize/send", s.sendCode)
	}
	router.Post("/oauth2/pushed_authorize", s.answering(s.push))
	router.Post("/oauth2/token", s.answering(s.token))
	router.Post("/oauth2/revoke", s.answering(s.revoke))
	router.Post("/revoke", s.answering(s.revoke))
}
