// Package remote is hash-level remote signing: an application that is not ours makes
// the signed documents, and the holder's key signs the digests that the holder has
// authorised, and no others. The CSC API (web/csc) and OAuth (web/oauth) are faces of
// it.
//
// The walk has two steps, each durable before the next begins:
//
//	Authorise  the holder's factors to the vault → a SAD over exactly these digests →
//	           a grant: what the application gets is its handle
//	Sign       handle and digests → certificate still valid, intent journalled →
//	           the vault consumes the digests of the SAD and signs them
//
// The SAD never leaves this process: the application holds a handle of 256 random
// bits, of which only the hash is kept here, in memory, together with the SAD, until
// the grant expires. A grant is bound to holder, application, credential, digest
// algorithm and the multiset of digests. Each digest is signed once; when none is left
// the grant is gone. There is no open count: other digests want the holder's factors
// again.
//
// An application that collects the factors itself may have a code sent to the holder, or
// a passkey's challenge made, before it orders: both are bound to it and the credential,
// a challenge to the digests, too, where they are known.
//
// The factors may come with the order, or later: Ask leaves an order for its holder, who
// approves or declines it on a page of ours.
//
// A grant dies with the process, as the SADs of a vault do with theirs.
package remote

import (
	"context"
	"crypto/x509"
	"log/slog"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/vault"
)

// Vault is the vault as this room uses it.
type Vault interface {
	Authorise(ctx context.Context, a vault.Authorisation) (vault.SAD, error)
	ExtendSAD(ctx context.Context, e vault.Extension) (vault.SAD, error)
	Sign(ctx context.Context, a vault.Activation) ([][]byte, error)
	Delegate(ctx context.Context, n vault.NewDelegation) (vault.Delegation, error)
	Delegations(ctx context.Context, holder string) ([]vault.Delegation, error)
	RevokeDelegation(ctx context.Context, id, by, reason string) error
	AuthoriseDelegated(ctx context.Context, a vault.DelegatedAuthorisation) (vault.SAD, error)
	Means(ctx context.Context, f vault.Factors) (vault.Means, error)
	SendCode(ctx context.Context, request any, q vault.CodeRequest) (vault.CodeSent, error)
	Challenge(ctx context.Context, request any) (vault.Challenge, error)
}

// Certificates tells about the certificates we issued.
type Certificates interface {
	// Chain gives the authorities above cert, its issuer first, without the root.
	Chain(cert *x509.Certificate) []*x509.Certificate
	Roots() []*x509.Certificate
}

// Config is all that a Service needs.
type Config struct {
	DB           *store.DB
	Vault        Vault
	Certificates Certificates
	Now          func() time.Time
	Log          *slog.Logger
}

// Service signs digests. It is safe for concurrent use.
type Service struct {
	cfg      Config
	grants   grants
	requests requests
	parsed   parsed
	told     told
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Service{cfg: cfg, grants: newGrants(), requests: newRequests(), parsed: newParsed()}
}

// journal writes entries in one durable commit with also, which may be nil and waits for
// nothing: those who sign at the same time share commits.
func (s *Service) journal(ctx context.Context, ev audit.Event, also func(*store.Tx) error) error {
	return fromStore(s.cfg.DB.WriteShared(ctx, func(tx *store.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return audit.Append(tx, s.cfg.Now(), ev)
	}))
}

// note journals what must not hide the error being reported, unless there was too much
// of its kind.
func (s *Service) note(ctx context.Context, ev audit.Event) {
	if repeated[ev.Event] {
		omitted, ok := s.told.tell(ev.Event+"\x00"+ev.Actor+"\x00"+ev.Detail["kind"], s.cfg.Now())
		if !ok {
			return
		}
		if omitted > 0 {
			ev.Detail["omitted-before"] = strconv.Itoa(omitted)
		}
	}
	if err := s.journal(context.WithoutCancel(ctx), ev, nil); err != nil {
		s.cfg.Log.Error("journal entry lost", "event", ev.Event, "err", err)
	}
}
