package web

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"sigillo/auth"
	"sigillo/auth/clientcert"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// Signing is the room below that takes documents in and gives signed ones out.
// Every method works for one holder and answers NotFound for what belongs to
// another. *signing.Service satisfies it.
type Signing interface {
	Upload(ctx context.Context, holder, name string, r io.Reader) (signing.Document, error)
	Declare(ctx context.Context, holder string, d signing.Declaration) (signing.Document, error)
	Document(ctx context.Context, holder, id string) (signing.Document, error)
	Documents(ctx context.Context, holder string) ([]signing.Document, error)
	// Page gives page n, counted from 1, as a PNG image.
	Page(ctx context.Context, holder, id string, n int) (png []byte, err error)
	// PageText gives what is written on that page, as far as a program can tell.
	PageText(ctx context.Context, holder, id string, n int) (text string, err error)
	// Difference gives one of the two pictures, 1 or 2, of the page that two
	// programs show differently, as a PNG image.
	Difference(ctx context.Context, holder, id string, which int) (png []byte, err error)
	// Convert makes a PDF/A of a refused document: a new document of the holder.
	Convert(ctx context.Context, holder, id string) (signing.Document, error)
	Credentials(ctx context.Context, holder string) ([]signing.Credential, error)
	Prepare(ctx context.Context, holder string, r signing.Request) (signing.Transaction, error)
	// Sign hands the holder's factors over. The callee may wipe the password;
	// e.Client names who asks (an IP address), for the journal and the lock-out.
	Sign(ctx context.Context, holder, transaction string, e signing.Evidence) (signing.Transaction, error)
	Transaction(ctx context.Context, holder, id string) (signing.Transaction, error)
	Transactions(ctx context.Context, holder string) ([]signing.Transaction, error)
	// Output opens a signed document; the caller closes its File.
	Output(ctx context.Context, holder, transaction string, seq int) (*signing.Output, error)
}

// Accounts knows the holders and their sessions.
type Accounts interface {
	// SignIn checks the factors and starts a session, bound to who visits. Its errors
	// have the kinds of signing: WrongFactors, ReusedOTP, Locked, KeyUnavailable, Busy.
	SignIn(ctx context.Context, username string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error)
	// Session tells whose session it is and keeps it alive. An error of kind
	// Busy, KeyUnavailable, TimeUnavailable or DiskFull is shown as that
	// passing fault; any other error means that there is no such session.
	Session(ctx context.Context, token string, v auth.Visit) (store.Holder, auth.Session, error)
	SignOut(ctx context.Context, token string) error
	// Sessions lists what this holder has open, the last used one first. EndSession
	// ends the one that ref names, NotFound when there is none; EndOtherSessions all
	// but that one, and says how many there were.
	Sessions(ctx context.Context, holder string) ([]auth.Session, error)
	EndSession(ctx context.Context, holder, ref string) error
	EndOtherSessions(ctx context.Context, holder, ref string) (int, error)
	// SuspendOwn suspends the certificate of a credential of this holder.
	SuspendOwn(ctx context.Context, holder, credential string) error
}

// Security is what a holder does about the own factors. The Factors and Credentials of
// requests are left out: they are put in below. Errors are of the kinds of signing.
type Security interface {
	Means(ctx context.Context, holder string) (vault.Means, error)
	AddDevice(ctx context.Context, holder string, n vault.NewDevice) (vault.AddedDevice, error)
	ConfirmDevice(ctx context.Context, holder string, d vault.DeviceConfirmation) error
	RemoveDevice(ctx context.Context, holder string, d vault.DeviceRemoval) error
	Resynchronise(ctx context.Context, holder string, r vault.Resynchronisation) error
	RecoveryCodes(ctx context.Context, holder string, n vault.NewCodes) ([]string, error)
	// ForgetBrowsers makes the browsers that the holder has signed in with strange again.
	ForgetBrowsers(ctx context.Context, holder string) error
	// ChangePassword ends all sessions of the holder.
	ChangePassword(ctx context.Context, holder string, p vault.PasswordChange) error
	PasskeyOptions(ctx context.Context, holder string) (vault.Challenge, error)
	// Challenge is what a passkey is to sign for one of the requests above; SendCode
	// has a code sent that is good for it.
	Challenge(ctx context.Context, holder string, request any) (vault.Challenge, error)
	SendCode(ctx context.Context, holder string, request any, q vault.CodeRequest) (vault.CodeSent, error)
	// The same for signing in, where who does not exist is answered alike, for signing,
	// and for approving what an application asks. e has client and browser only.
	SignInChallenge(ctx context.Context, username string, e signing.Evidence) (vault.Challenge, error)
	SendSignInCode(ctx context.Context, username string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error)
	SignChallenge(ctx context.Context, holder, transaction string, e signing.Evidence) (vault.Challenge, error)
	SendSignCode(ctx context.Context, holder, transaction string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error)
	RequestChallenge(ctx context.Context, holder, id string, e signing.Evidence) (vault.Challenge, error)
	SendRequestCode(ctx context.Context, holder, id string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error)
}

// Cards recognises holders by the certificates that a TLS client has sent, such as
// those of a card. Errors are of clientcert, or Busy of signing.
type Cards interface {
	// CardHolder tells whose card it is.
	CardHolder(ctx context.Context, chain []*x509.Certificate) (store.Holder, clientcert.Identity, error)
	// SignInWithCard opens a session for whose card it is.
	SignInWithCard(ctx context.Context, chain []*x509.Certificate, v auth.Visit) (auth.SignedIn, error)
}

// Stamps is the time-stamping authority with its accounts. *front.Front
// satisfies it. Errors are of the kinds of accounts and ledger.
type Stamps interface {
	// AnswerUnder answers a TimeStampReq under the policy of this name, "" for the
	// default. Refusals are answers too: the bytes are a TimeStampResp. An error
	// means that the caller has to say who he is. The request is not kept.
	AnswerUnder(ctx context.Context, policy string, caller accounts.Caller, request []byte) (response []byte, err error)
	// AnswerFor answers for somebody whom the web has identified.
	AnswerFor(ctx context.Context, account string, request []byte) (response []byte)
	// Statement is what the caller's account has left, StatementOf what one has
	// that the web may show.
	Statement(ctx context.Context, caller accounts.Caller) (front.Statement, error)
	StatementOf(account string) (front.Statement, error)
	// Tokens, ExportTokens and Token give what the caller's own account has.
	// ExportTokens calls begin when there is something to write, so that an error
	// before is an answer of its own.
	Tokens(ctx context.Context, caller accounts.Caller, q ledger.Query) ([]ledger.Entry, error)
	ExportTokens(ctx context.Context, caller accounts.Caller, q ledger.Query, format ledger.Format, begin func() io.Writer) error
	Token(ctx context.Context, caller accounts.Caller, unit string, serial int64) (ledger.Entry, []byte, error)
	// Publication is what everybody may know about policies, units and clock.
	Publication(ctx context.Context) front.Publication
}

// StampPage says who may stamp files on the page /stamp.
type StampPage string

// The audiences of the page.
const (
	StampPageOff     StampPage = ""        // there is no page
	StampPageHolders StampPage = "holders" // holders who have signed in, on Config.StampAccount
	StampPagePublic  StampPage = "public"  // whoever gets stamps at /tsa without credentials
)

// Metrics writes further counts for /metrics, in the Prometheus text format
// 0.0.4.
type Metrics interface {
	WriteMetrics(w io.Writer)
}

// Status publishes what the certification authorities say. ca is the label of
// an authority ("issuing-ca"); an unknown one is an error of kind NotFound,
// for OCSP an "unauthorized" response (RFC 6960 §2.3).
type Status interface {
	OCSP(ctx context.Context, ca string, request []byte) (response []byte)
	CRL(ctx context.Context, ca string) (der []byte, err error)
	Certificate(ctx context.Context, ca string) (der []byte, err error)
}

// Health is nil when the appliance can do its main job.
type Health interface {
	Health(ctx context.Context) error
}

// Config is what the web needs from its builder.
type Config struct {
	Signing  Signing   // required
	Accounts Accounts  // required
	Stamps   Stamps    // nil: no /tsa
	Metrics  []Metrics // written into /metrics after the web's own
	Status   Status    // nil: no /ocsp, /crl, /certs
	Cards    Cards     // nil: nobody signs in with a card
	Health   Health    // nil: healthy as long as it answers
	CSC      CSC       // nil: no /csc
	OAuth    OAuth     // nil: no /oauth2
	// Applications are those that holders have let in; nil: none can be.
	Applications Applications
	Requests     Requests // nil: no page where holders approve what applications ask for
	Security     Security // nil: holders cannot change their factors here

	Delegations Delegations // nil: holders delegate nothing here

	// Passkeys says that holders can have passkeys, SentCodes that codes can be sent to
	// their telephones.
	Passkeys, SentCodes bool

	Emergency  Emergency  // nil: no /suspend
	Activation Activation // nil: no /activate
	Staff      Staff      // nil: no /admin

	CounterDesk CounterDesk // nil: no counters in the REST interface; needs Staff
	Counter     Counter     // nil: no /counter and no /tablet

	// MaxUpload is the size limit of one uploaded document in bytes;
	// 0 means 200 MB (200·10⁶).
	MaxUpload int64

	// StampPage opens the page that stamps a file which stays with its owner. On
	// StampAccount the stamps of holders are counted ("house" when empty).
	StampPage    StampPage
	StampAccount string

	// CardURL and PagesURL are how browsers reach the door for cards and all the rest
	// ("https://sign.example.org:8444" and "https://sign.example.org"); for Cards.
	CardURL, PagesURL string

	// UnverifiedClock has every page and every list of tokens say that nobody
	// vouches for the time.
	UnverifiedClock bool

	// TrustedProxies are the networks of the reverse proxies in front of this server,
	// each with nobody else in it. From there, and from nowhere else, the client's
	// address is taken out of X-Forwarded-For, see client.go.
	TrustedProxies []netip.Prefix

	// Secure says that browsers reach this server over TLS, be it by the
	// listener or by a proxy in front: cookies are then Secure with the
	// __Host- prefix, and HSTS is sent.
	Secure bool

	// Origins are further origins ("https://sign.example.org") that forms may
	// be sent from, for a proxy that changes the Host header. The origin made
	// of the request's own Host is always allowed.
	Origins []string

	// SessionIdle and SessionMax are the lifetimes that Accounts enforces
	// (0: those of auth). Here they are only told to the holder.
	SessionIdle, SessionMax time.Duration

	// Zone is the zone in which times are shown; nil means Europe/Rome, or
	// UTC on a machine without zone data.
	Zone *time.Location

	Version string           // shown in the OpenAPI document
	Log     *slog.Logger     // access and fault log; nil: slog.Default()
	Now     func() time.Time // nil: time.Now
}

// MaxUploadDefault is the size limit of an upload unless configured: 200 MB.
const MaxUploadDefault int64 = 200_000_000

func (c *Config) setDefaults() {
	if c.MaxUpload <= 0 {
		c.MaxUpload = MaxUploadDefault
	}
	if c.SessionIdle <= 0 {
		c.SessionIdle = auth.SessionIdle
	}
	if c.SessionMax <= 0 {
		c.SessionMax = auth.SessionLife
	}
	if c.StampAccount == "" {
		c.StampAccount = accounts.House
	}
	if c.Zone == nil {
		c.Zone = time.UTC
		if rome, err := time.LoadLocation("Europe/Rome"); err == nil {
			c.Zone = rome
		}
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}
