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
// SADs are. So a session that was under way when the service stopped has ended, says so,
// and is done again; see [Service.Resolve]. What is signed rides on [signing.Service]: the
// documents of a dossier are one transaction under one authorisation, all or none.
//
// Nobody learns here how near a signature was. The answer is: recognised; again; not
// recognised, take another way.
package counter

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/signing/counter/callback"
	"sigillo/store"
	"sigillo/vault"
)

// Vault is the vault as this room uses it.
type Vault interface {
	RegisterTablet(ctx context.Context, n vault.NewTablet) error
	RevokeTablet(ctx context.Context, id, by, reason string) error
	Tablets(ctx context.Context) ([]vault.Tablet, error)
	OpenCapture(ctx context.Context, n vault.NewCapture) (vault.Capture, error)
	ArmCapture(ctx context.Context, id string) (vault.Armed, error)
	EnrolCapture(ctx context.Context, c vault.Captured) (vault.EnrolStep, error)
	RemoveCapture(ctx context.Context, capture string, index int) (vault.EnrolStep, error)
	FinishEnrolment(ctx context.Context, f vault.FinishEnrolment) (vault.Credential, []byte, error)
	CloseCapture(ctx context.Context, id, reason string) error
	DestroyProfile(ctx context.Context, credential, by, reason string) error
	Profiles(ctx context.Context, holder string) ([]vault.ProfileVersion, error)
	RollBackProfile(ctx context.Context, r vault.RollBack) error
	GraphometricReport(ctx context.Context) (vault.GraphometricReport, error)
	Challenge(ctx context.Context, request any) (vault.Challenge, error)
}

// Signer is the room that signs documents.
type Signer interface {
	Upload(ctx context.Context, holder, name string, r io.Reader) (signing.Document, error)
	Document(ctx context.Context, holder, id string) (signing.Document, error)
	Page(ctx context.Context, holder, id string, n int) ([]byte, error)
	Credentials(ctx context.Context, holder string) ([]signing.Credential, error)
	Prepare(ctx context.Context, holder string, r signing.Request) (signing.Transaction, error)
	CounterAuthorisation(ctx context.Context, holder, id string) (vault.Authorisation, error)
	Sign(ctx context.Context, holder, id string, e signing.Evidence) (signing.Transaction, error)
	Abandon(ctx context.Context, holder, id, why string) error
	Transaction(ctx context.Context, holder, id string) (signing.Transaction, error)
	Output(ctx context.Context, holder, id string, seq int) (*signing.Output, error)
}

// House is what the rest of the appliance does for a counter.
type House interface {
	// FindHolders looks holders up, exactly, and journals it.
	FindHolders(ctx context.Context, by staff.Member, who string) ([]staff.Found, error)
	// Certify issues the certificate of a credential and gives its serial number.
	Certify(ctx context.Context, h store.Holder, c store.Credential, csr []byte, actor string) (serial string, err error)
	// NewEmergencyCode makes the code that suspends a certificate.
	NewEmergencyCode(ctx context.Context, serial, actor string) (string, error)
	// RevokeCredential revokes the certificate of a credential whose key is destroyed, for a
	// reason of RFC 5280 §5.3.1, and erases what is left of the key. It may be done again.
	RevokeCredential(ctx context.Context, c store.Credential, reason int, actor string) error
}

// Config is all that a Service needs.
type Config struct {
	DB      *store.DB
	Vault   Vault
	Signing Signer
	House   House
	// Callbacks are the addresses that applications may be told at, by name; Post sends.
	Callbacks map[string]callback.Address
	Post      func(ctx context.Context, a callback.Address, now time.Time, body []byte) error
	Texts     []Text // what customers consent to, one for each language; nil: [Texts]
	Now       func() time.Time
	Log       *slog.Logger
}

// Service is the counters of the house. It is safe for concurrent use.
type Service struct {
	cfg   Config
	hub   hub
	locks locks
	given given
}

// New returns the service. Call [Service.Resolve] once before serving.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Texts == nil {
		cfg.Texts = Texts()
	}
	return &Service{cfg: cfg, hub: newHub(cfg.Now()), locks: newLocks(), given: newGiven()}
}

// Armed is what a tablet needs to seal one signature; Captured is what it then sends.
type (
	Armed    = vault.Armed
	Captured = vault.Captured
)

// newID makes an unguessable identifier: 130 bits, lower-case base32.
func newID() string {
	var b [17]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}

// journal writes one entry in a transaction of its own.
func (s *Service) journal(ctx context.Context, ev audit.Event) error {
	return fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error { return audit.Append(tx, s.cfg.Now(), ev) }))
}

// note journals what must not hide the error being reported.
func (s *Service) note(ctx context.Context, ev audit.Event) {
	if err := s.journal(context.WithoutCancel(ctx), ev); err != nil {
		s.cfg.Log.Error("journal entry lost", "event", ev.Event, "err", err)
	}
}

// factors are those of a member of the staff, as the vault has made them.
func (s *Service) factors(ctx context.Context, id string) (f vault.Factors, m member, err error) {
	var row store.Staff
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Staff(id)
		return err
	})
	if err != nil {
		return f, m, fromStore(err)
	}
	return readFactors(row)
}

// memberCalled is a member in office by username.
func (s *Service) memberCalled(ctx context.Context, username string) (f vault.Factors, m member, err error) {
	var row store.Staff
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.StaffByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return f, m, fail(Invalid, "nobody in office has this username", err)
	}
	if err != nil {
		return f, m, fromStore(err)
	}
	return readFactors(row)
}

func readFactors(row store.Staff) (f vault.Factors, m member, err error) {
	if row.State != store.StaffActive {
		return f, m, fail(NotPermitted, "this member is not in office", nil)
	}
	if err := json.Unmarshal(row.Factors, &f); err != nil {
		return f, m, fail(Internal, "the member's factors cannot be read", err)
	}
	return f, staff.Member{ID: row.ID, Username: row.Username, GivenName: row.GivenName, Surname: row.Surname,
		FiscalCode: row.FiscalCode, Email: row.Email, Role: staff.Role(row.Role), Centre: row.Centre}, nil
}

// present takes what a presence must not have: the operator has signed in with the
// password before, and a fresh second factor is what is asked for. The browser stays: where it
// is known, strangers who guess at the member's sign-in do not stop the work at the counter.
func present(e vault.Evidence) vault.Evidence {
	clear(e.Password)
	return vault.Evidence{OTP: e.OTP, Passkey: e.Passkey, Browser: e.Browser, Client: e.Client}
}
