package front

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sigillo/formats/der"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/clock"
	"sigillo/tsa/ledger"
)

// Book knows the accounts. *accounts.Book is one.
type Book interface {
	Identify(ctx context.Context, c accounts.Caller) (*accounts.Account, error)
	Account(id string) (*accounts.Account, error)
	Take(a *accounts.Account) (accounts.Ticket, error)
}

// Ledger keeps what was issued. *ledger.Ledger is one.
type Ledger interface {
	// Ready says why an entry would not be recorded now.
	Ready() error
	Append(ctx context.Context, e ledger.Entry) error
	Used(account string) int64
	Err() error // why it takes nothing in; nil: it does
	Lookup(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Token(e ledger.Entry) ([]byte, error)
	Export(ctx context.Context, w io.Writer, q ledger.Query, f ledger.Format) (ledger.Exported, error)
}

// Config is what a front end is made of.
type Config struct {
	Backend tsa.Backend // required
	Book    Book        // required
	Ledger  Ledger      // required

	// Policies are those of the back end, in its order: the first is the default.
	// A name may be part of an address: letters, digits, dot, hyphen, underscore.
	Policies []tsa.Policy

	// LooseTrue lets the TRUE of certReq be written in other ways than DER has
	// (X.690 §11.1): LibreOffice sends 01. What is handed on to the back end has it
	// right, and neither imprint nor nonce is touched.
	LooseTrue bool

	// MaxTokenSize is the size in octets that a token for the appliance's own
	// signatures can have; nil: 16 KiB.
	MaxTokenSize func() int

	// Units and Clock tell what the public page shows of the back end. They are
	// asked at most once in [publicationAge]. nil: nothing is shown.
	Units func(ctx context.Context) ([]Unit, error)
	Clock func(ctx context.Context) (clock.Status, error)

	Log *slog.Logger // of faults on our side; nil: slog.Default()
}

// Front is the front end. Its methods may be called from many goroutines; it has
// no lock on the way of a stamp.
type Front struct {
	cfg      Config
	policies []policy
	meter    meter
	faults   sparing
	shown    shown
}

// policy is a policy as requests ask for it.
type policy struct {
	tsa.Policy
	oid []byte // as in a request
}

// tokenSizeDefault is more than a token with four certificates of RSA-4096 keys.
const tokenSizeDefault = 16 << 10

// New checks the configuration. An error has kind [tsa.BadConfig].
func New(cfg Config) (*Front, error) {
	if cfg.Backend == nil || cfg.Book == nil || cfg.Ledger == nil {
		return nil, fail(tsa.BadConfig, nil, "the front end needs a back end, the accounts and the ledger")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if len(cfg.Policies) == 0 {
		return nil, fail(tsa.BadConfig, nil, "the front end needs the policies of the back end")
	}
	f := &Front{cfg: cfg}
	for _, p := range cfg.Policies {
		if !fitsAddress(p.Name) || f.named(p.Name) != nil {
			return nil, fail(tsa.BadConfig, nil, "the policy name %q is taken or does not fit into an address; use letters, digits, dot, hyphen and underscore", p.Name)
		}
		oid := der.OID(p.OID)
		if oid == nil {
			return nil, fail(tsa.BadConfig, nil, "policy %s has no object identifier", p.Name)
		}
		f.policies = append(f.policies, policy{p, oid})
	}
	return f, nil
}

// reserved are the names below /tsa that mean something else.
var reserved = []string{"account", "units", "certificates.pem"}

func fitsAddress(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	return name != "" && name[0] != '.' && len(name) <= 64 && strings.Trim(name, letters) == "" && !slices.Contains(reserved, name)
}

func (f *Front) named(name string) *policy {
	for i := range f.policies {
		if f.policies[i].Name == name {
			return &f.policies[i]
		}
	}
	return nil
}

// MaxTokenSize is the size in octets of the largest token that [Front.Stamp] gives.
func (f *Front) MaxTokenSize() int {
	if f.cfg.MaxTokenSize != nil {
		if n := f.cfg.MaxTokenSize(); n > 0 {
			return n
		}
	}
	return tokenSizeDefault
}

// sparing lets one line a second into the log: a back end that is away fails
// every request, and they may be ten thousand a second.
type sparing struct{ next atomic.Int64 }

func (s *sparing) ok(now time.Time) bool {
	next := s.next.Load()
	return now.UnixNano() >= next && s.next.CompareAndSwap(next, now.Add(time.Second).UnixNano())
}
