// Package accounts knows who may have time-stamps, and how many.
package accounts

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/netip"
	"time"

	"sigillo/auth"
	"sigillo/store"
)

// The accounts whose names mean something.
const (
	// House is the appliance's own account; it always exists and no caller from
	// outside can be it.
	House = "house"
	// Anonymous is who callers without credentials are, where it was made.
	Anonymous = "anonymous"
)

// Usage tells what was used; the ledger does.
type Usage interface {
	Used(account string) int64
	UsedOfLot(account, lot string) int64
}

// Change is what an operator did, for the journal.
type Change struct {
	Actor, Event, Subject string
	Detail                map[string]string
}

// Config of a [Book].
type Config struct {
	DB    *store.DB
	Usage Usage
	// Journal records a change in the transaction that makes it.
	Journal func(tx *store.Tx, now time.Time, c Change) error
	Now     func() time.Time // nil: time.Now
	Argon2  auth.Argon2      // cost of new passwords; zero: 19 MiB, 2 passes, 1 lane
	// OnLow is told once when what is left of an account falls to its mark. It
	// must not block. May be nil.
	OnLow func(account string, left int64)
}

// Caller is what a request says about who sent it.
type Caller struct {
	Username    string // HTTP Basic
	Password    []byte
	Bearer      string            // RFC 6750
	Certificate *x509.Certificate // of the TLS client, its chain not looked at
	Addr        netip.Addr        // where it came from
}

// Account is one customer as of the last change. It is read-only.
type Account struct {
	ID   string
	Name string
	// Policies that may be asked for; none: all that the authority has.
	Policies []asn1.ObjectIdentifier
}

// Book holds all accounts. It is safe for concurrent use.
type Book struct{}

// Ticket is one stamp that was set aside. The ledger's record uses it up.
type Ticket struct {
	Account string
	Lot     string // for the ledger's entry; "" without lots
}

var errNotYet = errors.New("not yet")

// Open reads the accounts.
func Open(ctx context.Context, c Config) (*Book, error) { return nil, errNotYet }

// Identify says whose request it is. Kinds: Unknown, NotPermitted, RateLimited.
func (b *Book) Identify(ctx context.Context, c Caller) (*Account, error) { return nil, errNotYet }

// Account returns an account by its ID; NotFound if there is none. It is the way
// to the House.
func (b *Book) Account(id string) (*Account, error) { return nil, errNotYet }

// Take sets one stamp aside. Kinds: Exhausted, RateLimited, NotPermitted.
func (b *Book) Take(a *Account) (Ticket, error) { return Ticket{}, errNotYet }

// Return gives it back: nothing was stamped. It must not be called when an entry
// is, or may be, in the ledger.
func (t Ticket) Return() {}

// MayUse says whether the account may have stamps under this policy.
func (a *Account) MayUse(policy asn1.ObjectIdentifier) bool { return false }

// Left is how many stamps are left; Unlimited when they are not counted.
func (a *Account) Left() int64 { return 0 }

// Unlimited is what Left says about an account without lots.
const Unlimited = int64(1<<63 - 1)
