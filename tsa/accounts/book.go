// Package accounts knows who may have time-stamps, and how many.
//
// An account is a customer. It is found by what a request brings along: a user name
// with a password (HTTP Basic), a bearer token (RFC 6750), a TLS client
// certificate, or only the network it comes from. Networks may also narrow an
// account down: the right password from the wrong place is refused. Two accounts
// need no credentials: [House] is the appliance itself, whom no request from
// outside can be, and [Anonymous] is everybody, where the configuration wants that.
//
// What a customer has bought is lots: a number of stamps, a day on which they
// lapse. The lot that lapses first is used first. What was used of a lot is not
// counted here: the ledger knows, it holds the tokens themselves. The book only
// sets a stamp aside while it is being made ([Book.Take]), so that two requests
// cannot have the last one both; whoever was given a ticket either records a token
// in the ledger or gives the ticket back ([Ticket.Return]), and what the book and
// the ledger say is the same again. After a crash the book asks the ledger, and
// nothing is lost or given twice.
//
// The way of a request is short: it reads one immutable directory of accounts and
// takes one lock of one account. A password is stretched with Argon2id once; then
// the pair is known by its HMAC under a key that this process made for itself, for
// an hour or until the account changes. Whoever guesses passwords is slowed down by
// address, cannot make the machine stretch more than one at a time, and gets the
// same guess answered from memory. An address that is locked out is refused even the
// right password, except one that was right from there within the hour: behind one
// address there may be many customers, and those at work are not stopped by a neighbour
// whose program has the wrong password.
//
// Whatever an operator changes is in the journal, in the transaction that changes
// it, and never holds a secret.
package accounts

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"sync"
	"sync/atomic"
	"time"

	"sigillo/auth"
	"sigillo/store"
)

// The accounts whose names mean something.
const (
	// House is the appliance's own account; it always exists and no caller from
	// outside can be it.
	House = "house"
	// Anonymous is who callers without credentials are, where the configuration
	// wants one ([Book.Admit]); its networks say from where.
	Anonymous = "anonymous"
)

// Usage tells what was used; the ledger does.
type Usage interface {
	Used(account string) int64
	UsedOfLot(account, lot string) int64
}

// Change is what an operator did, for the journal. It holds no secret.
type Change struct {
	Actor, Event, Subject string
	Detail                map[string]string
}

// Config of a [Book].
type Config struct {
	DB    *store.DB // required, of the schema of the appliance
	Usage Usage     // required
	// Journal records a change in the transaction that makes it. Required.
	Journal func(tx *store.Tx, now time.Time, c Change) error
	// Policies that there are: an account is not given another. nil: any.
	Policies []asn1.ObjectIdentifier
	Now      func() time.Time // nil: time.Now
	// Argon2 is the cost of new passwords. Zero: 19 MiB, 2 passes, 1 lane, which is
	// little: these passwords are for programs, and each costs the machine once an
	// hour per client.
	Argon2 auth.Argon2
	// OnLow is told when what is left of an account falls to its mark, once until it
	// rises again. It is called while a request waits and must return at once. May be
	// nil.
	OnLow func(account string, left int64)
}

// defaultArgon2 is the least of the OWASP recommendations of equal strength.
var defaultArgon2 = auth.Argon2{MemoryKiB: 19 << 10, Time: 2, Threads: 1}

// Book holds all accounts. It is safe for concurrent use.
type Book struct {
	cfg     Config
	current atomic.Pointer[directory] // replaced, never changed
	verify  *verifier
	certs   certificates

	change sync.Mutex // one change or reload at a time
	meters map[string]*meter
}

// Open reads the accounts, and makes that of the house if it is not there yet.
func Open(ctx context.Context, c Config) (*Book, error) {
	if c.DB == nil || c.Usage == nil || c.Journal == nil {
		return nil, fail(Failed, nil, "the accounts need a database, the ledger and the journal")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Argon2 == (auth.Argon2{}) {
		c.Argon2 = defaultArgon2
	}
	if err := c.Argon2.Check(); err != nil {
		return nil, fail(Failed, err, "the cost of passwords cannot be used")
	}
	b := &Book{cfg: c, meters: map[string]*meter{}}
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fail(Failed, err, "no random numbers")
	}
	b.verify = newVerifier(key, c.Argon2)
	b.change.Lock()
	defer b.change.Unlock()
	if err := b.reload(ctx); err != nil {
		return nil, err
	}
	if _, ok := b.current.Load().accounts[House]; ok {
		return b, nil
	}
	return b, b.create(ctx, "system", House, Terms{Name: "Sigillo", Unlimited: true})
}

// Account returns an account by its ID; NotFound if there is none. It is the way
// to the [House].
func (b *Book) Account(id string) (*Account, error) {
	if a := b.current.Load().accounts[id]; a != nil {
		return a, nil
	}
	return nil, fail(NotFound, nil, "there is no account %.80q", id)
}

// Accounts returns all accounts, by ID.
func (b *Book) Accounts() []*Account { return b.current.Load().sorted }

// Refresh takes in what another process has changed. It costs one read of one row
// when nothing was: call it every few seconds.
func (b *Book) Refresh(ctx context.Context) error {
	b.change.Lock()
	defer b.change.Unlock()
	revision, err := b.revision(ctx)
	if err != nil || revision == b.current.Load().revision {
		return err
	}
	return b.reload(ctx)
}

// Resync asks the ledger anew what was used, and forgets what was set aside. It is
// for the moment at which a ledger that had stopped was opened again, when no stamp
// is being made.
func (b *Book) Resync(u Usage) {
	b.change.Lock()
	defer b.change.Unlock()
	b.cfg.Usage = u
	for id, m := range b.meters {
		m.mu.Lock()
		for _, l := range m.lots {
			l.taken = u.UsedOfLot(id, l.ID)
		}
		m.usage = u
		m.mu.Unlock()
	}
}
