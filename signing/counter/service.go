// Package counter is the counter of a bank or an insurer: an operator who knows the
// customer by a document, a tablet with a pen, and the customer, who reads and signs.
// What the customer writes is compared in the vault with what was written before, and
// that, together with the operator being there, lets the vault use the customer's key.
//
// There are two kinds of session, each with one customer at one tablet:
//
//	Enrol  consent → four to six signatures → a second person → key and certificate
//	Sign   documents → every page shown → one signature → all of them signed
//
// A session is a row of the database, and every step of it is durable, with its journal
// entry, before the next. What was opened in the vault for it is not: it is in memory, as
// SADs are. So a session that was under way when the service or the vault stopped has
// ended, says so, and is done again. What is signed rides on [signing.Service]: the
// documents of a dossier are one transaction under one authorisation, all or none.
//
// Nobody learns here how near a signature was. The answer is: recognised; again; not
// recognised, take another way.
package counter

import (
	"context"
	"io"
	"log/slog"
	"time"

	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Config is all that a Service needs.
type Config struct {
	DB  *store.DB
	Now func() time.Time
	Log *slog.Logger
}

// Service is the counters of the house. It is safe for concurrent use.
type Service struct {
	cfg Config
}

// New returns the service. Call [Service.Resolve] once before serving.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Service{cfg: cfg}
}

var notYet = &Error{Kind: Unavailable, Msg: "the counter does not do this yet"}

// Armed is what a tablet needs to seal one signature; Captured is what it then sends.
type (
	Armed    = vault.Armed
	Captured = vault.Captured
)

// Customers finds customers by username, codice fiscale or certificate, exactly.
func (s *Service) Customers(ctx context.Context, by member, who string) ([]Customer, error) {
	return nil, notYet
}

// RegisterCustomer registers somebody who is no holder yet.
func (s *Service) RegisterCustomer(ctx context.Context, by member, n NewCustomer) (Customer, error) {
	return Customer{}, notYet
}

// Upload takes a document for a customer, to be signed at the member's centre.
func (s *Service) Upload(ctx context.Context, by member, holder, name string, r io.Reader) (signing.Document, error) {
	return signing.Document{}, notYet
}

// OpenEnrolment puts a session together; [Service.Begin] starts it.
func (s *Service) OpenEnrolment(ctx context.Context, by member, n NewEnrolment) (Session, error) {
	return Session{}, notYet
}

// OpenDossier puts a session together and fixes what will be signed; [Service.Begin] starts it.
func (s *Service) OpenDossier(ctx context.Context, by member, n NewDossier) (Session, error) {
	return Session{}, notYet
}

// Challenge makes a challenge for the passkey of the operator, for Begin, or of the
// second person, for FinishEnrolment. second is a username, "" for the operator.
func (s *Service) Challenge(ctx context.Context, by member, id, second string) (vault.Challenge, error) {
	return vault.Challenge{}, notYet
}

// Begin starts a session: the operator shows to be there, by a fresh OTP or passkey.
func (s *Service) Begin(ctx context.Context, by member, id string, presence vault.Evidence) (Session, error) {
	return Session{}, notYet
}

// Session is one of the member's centre.
func (s *Service) Session(ctx context.Context, by member, id string) (Session, error) {
	return Session{}, notYet
}

// Watch is Session, and waits for a version after seen, for at most [WaitLimit].
func (s *Service) Watch(ctx context.Context, by member, id string, seen int64) (Session, error) {
	return Session{}, notYet
}

// Sessions are those of the member's centre: the open ones, then the newest others.
func (s *Service) Sessions(ctx context.Context, by member) ([]Session, error) {
	return nil, notYet
}

// Page is a page of a session's document, from 1, as PNG; the operator sees what the
// customer sees.
func (s *Service) Page(ctx context.Context, by member, id, document string, page int) ([]byte, error) {
	return nil, notYet
}

// Output is a signed document of a session that is done.
func (s *Service) Output(ctx context.Context, by member, id string, seq int) (*signing.Output, error) {
	return nil, notYet
}

// RemoveSample takes one of the signatures of an enrolment away, the first is 0.
func (s *Service) RemoveSample(ctx context.Context, by member, id string, index int) (Session, error) {
	return Session{}, notYet
}

// FinishEnrolment makes key and certificate. second is the username of another member,
// who shows to be there; "" when by is the other member.
func (s *Service) FinishEnrolment(ctx context.Context, by member, id, second string, presence vault.Evidence) (Session, error) {
	return Session{}, notYet
}

// Cancel breaks a session off; reason is one of [Reasons].
func (s *Service) Cancel(ctx context.Context, by member, id, reason string) (Session, error) {
	return Session{}, notYet
}

// Withdraw ends a customer's consent: the profile is destroyed, the certificate revoked.
func (s *Service) Withdraw(ctx context.Context, by member, holder string, presence vault.Evidence) error {
	return notYet
}

// TabletState is what the tablet shows; it waits for a version after seen, for at most
// [WaitLimit].
func (s *Service) TabletState(ctx context.Context, tablet string, seen int64) (TabletView, error) {
	return TabletView{}, notYet
}

// TabletPage is a page of a document, from 1, as PNG.
func (s *Service) TabletPage(ctx context.Context, tablet, session, document string, page int) ([]byte, error) {
	return nil, notYet
}

// Read says that the customer has been shown a page.
func (s *Service) Read(ctx context.Context, tablet, session, document string, page int) (TabletView, error) {
	return TabletView{}, notYet
}

// Accept says that the customer accepts the findings of a document.
func (s *Service) Accept(ctx context.Context, tablet, session, document string) (TabletView, error) {
	return TabletView{}, notYet
}

// Consent says that the customer agrees, or does not, to the text that was shown; sha256
// is of the text.
func (s *Service) Consent(ctx context.Context, tablet, session, sha256 string, agrees bool) (TabletView, error) {
	return TabletView{}, notYet
}

// Arm is asked for when the customer is about to sign.
func (s *Service) Arm(ctx context.Context, tablet, session string) (Armed, error) {
	return Armed{}, notYet
}

// Submit takes a signature that the customer has confirmed.
func (s *Service) Submit(ctx context.Context, tablet, session string, c Captured) (TabletView, error) {
	return TabletView{}, notYet
}

// Leave says that the customer does not want to go on: [WhyCustomer] or [WhyPen].
func (s *Service) Leave(ctx context.Context, tablet, session, reason string) (TabletView, error) {
	return TabletView{}, notYet
}

// Report takes what a tablet has found out about its pen.
func (s *Service) Report(ctx context.Context, tablet string, d Device) error { return notYet }

// NewTabletCode makes the code that a tablet is registered with; it is shown once.
func (s *Service) NewTabletCode(ctx context.Context, by member, n NewTablet) (t Tablet, code string, expires time.Time, err error) {
	return t, "", expires, notYet
}

// EnrolTablet gives a tablet its place: publicKey is its key for signatures, SubjectPublicKeyInfo
// of P-256. The token is what it shows with each request. It is of no use before the
// tablet is confirmed.
func (s *Service) EnrolTablet(ctx context.Context, code, class string, publicKey []byte) (t Tablet, token string, err error) {
	return t, "", notYet
}

// ConfirmTablet makes a tablet known to the vault; fingerprint is what it shows.
func (s *Service) ConfirmTablet(ctx context.Context, by member, id, fingerprint string, e vault.Evidence) (Tablet, error) {
	return Tablet{}, notYet
}

// RevokeTablet ends a tablet for good.
func (s *Service) RevokeTablet(ctx context.Context, by member, id, reason string, e vault.Evidence) error {
	return notYet
}

// Tablets lists them: those of the member's centre, or all.
func (s *Service) Tablets(ctx context.Context, by member) ([]Tablet, error) { return nil, notYet }

// TabletOf is the tablet of a token.
func (s *Service) TabletOf(ctx context.Context, token string) (Tablet, error) {
	return Tablet{}, notYet
}
