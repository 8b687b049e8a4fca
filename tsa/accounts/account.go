package accounts

import (
	"cmp"
	"encoding/asn1"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// State of an account.
type State string

// The states. A closed account stays so; its tokens and its name remain.
const (
	Active    State = "active"
	Suspended State = "suspended"
	Closed    State = "closed"
)

// Account is one customer as of the last change. It is read-only; ask the book anew
// for each request.
type Account struct {
	Terms
	ID      string
	State   State
	Created time.Time
	Changed time.Time // of the terms or the state

	meter *meter // the same for all versions of the account
}

// Terms are what an operator sets.
type Terms struct {
	Name string
	// Policies that may be asked for; none: all that the authority has.
	Policies []asn1.ObjectIdentifier
	// Networks from which the account may be used; none: all.
	Networks []netip.Prefix
	// ByNetwork: coming from one of Networks is enough, no credential is asked for.
	ByNetwork bool
	// Unlimited: stamps are not counted against lots.
	Unlimited bool
	// Rate is how many stamps per second are allowed in the long run, and Burst how
	// many at once; Rate 0: no limit, Burst 0: one second's worth. It is kept in
	// thousandths.
	Rate  float64
	Burst int64
	// Low: when so many stamps are left, or fewer, the operator is told; 0: never.
	Low  int64
	Note string // for people
}

// Lot is a number of stamps that were paid for.
type Lot struct {
	ID        string // given by the book when ""
	Quantity  int64
	Bought    time.Time // zero: now
	Expires   time.Time // zero: never
	Cancelled time.Time // zero: it is not
	Note      string
	Used      int64 // of it, by the ledger
}

// Unlimited is what Left says about an account whose stamps are not counted.
const Unlimited = int64(math.MaxInt64)

// AtOnce is how many stamps may be asked for at once where there is a rate: Burst,
// or one second's worth, and one at least, where that is 0.
func (t *Terms) AtOnce() float64 {
	if t.Burst > 0 {
		return float64(t.Burst)
	}
	return max(t.Rate, 1)
}

// MayUse says whether the account may have stamps under this policy.
func (a *Account) MayUse(policy asn1.ObjectIdentifier) bool {
	return len(a.Policies) == 0 || slices.ContainsFunc(a.Policies, policy.Equal)
}

// Left is how many stamps are left now by what the ledger holds; [Unlimited] when
// they are not counted.
func (a *Account) Left() int64 {
	m := a.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unlimited {
		return Unlimited
	}
	left := int64(0)
	for _, l := range m.lots {
		if l.usable(m.now()) {
			left += max(l.Quantity-m.usage.UsedOfLot(m.id, l.ID), 0)
		}
	}
	return left
}

// IsLow says whether the account is at its mark.
func (a *Account) IsLow() bool { return a.Low > 0 && a.Left() <= a.Low }

// meter is what moves in an account: lots and rate. lots, with mu, are the only
// things that a stamp changes here.
type meter struct {
	id    string
	now   func() time.Time
	onLow func(string, int64)

	mu        sync.Mutex
	usage     Usage
	state     State
	unlimited bool
	lots      []*lot // usable or not, the one to be used first in front
	low       int64
	told      bool // that it is low
	rate      float64
	burst     float64
	tokens    float64
	at        time.Time // when tokens was right
}

// lot counts what was used or set aside: what the ledger holds plus what is being
// made.
type lot struct {
	Lot
	taken int64
}

func (l *lot) usable(now time.Time) bool {
	return l.Cancelled.IsZero() && (l.Expires.IsZero() || now.Before(l.Expires))
}

// before is the order of use: what lapses first, then what was bought first.
func (l *lot) before(o *lot) int {
	if l.Expires.IsZero() != o.Expires.IsZero() {
		if l.Expires.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(l.Expires.Compare(o.Expires), l.Bought.Compare(o.Bought), cmp.Compare(l.ID, o.ID))
}

// Ticket is one stamp that was set aside. The ledger's record of a token uses it up.
type Ticket struct {
	Account string
	Lot     string // for the ledger's entry; "" without lots

	meter *meter
	lot   *lot
}

// Take sets one stamp aside. Kinds: NotPermitted (suspended or closed meanwhile),
// RateLimited, Exhausted.
func (b *Book) Take(a *Account) (Ticket, error) {
	m := a.meter
	now := m.now()
	m.mu.Lock()
	if m.state != Active {
		m.mu.Unlock()
		return Ticket{}, notActive(m.id, m.state)
	}
	if !m.allow(now) {
		m.mu.Unlock()
		return Ticket{}, errRate
	}
	if m.unlimited {
		m.mu.Unlock()
		return Ticket{Account: m.id}, nil
	}
	for _, l := range m.lots {
		if l.taken >= l.Quantity || !l.usable(now) {
			continue
		}
		l.taken++
		left, low := m.nowLow(now)
		m.mu.Unlock()
		if low {
			m.onLow(m.id, left)
		}
		return Ticket{Account: m.id, Lot: l.ID, meter: m, lot: l}, nil
	}
	m.mu.Unlock()
	return Ticket{}, errExhausted
}

var (
	errRate      = fail(RateLimited, nil, "more time-stamps per second than agreed; ask again a little later")
	errExhausted = fail(Exhausted, nil, "no time-stamps are left; buy more")
)

func notActive(id string, s State) error {
	return fail(NotPermitted, nil, "the account %s is %s", id, s)
}

// allow takes one out of the bucket.
func (m *meter) allow(now time.Time) bool {
	if m.rate <= 0 {
		return true
	}
	if d := now.Sub(m.at); d > 0 {
		m.tokens = min(m.tokens+m.rate*d.Seconds(), m.burst)
	}
	m.at = now
	if m.tokens < 1 {
		return false
	}
	m.tokens--
	return true
}

// nowLow says whether the mark was reached just now.
func (m *meter) nowLow(now time.Time) (left int64, low bool) {
	if m.low <= 0 || m.told || m.onLow == nil {
		return 0, false
	}
	for _, l := range m.lots {
		if l.usable(now) {
			left += max(l.Quantity-l.taken, 0)
		}
	}
	m.told = left <= m.low
	return left, m.told
}

// Return gives it back: nothing was stamped. It is called at most once, and not
// when a token is, or may be, in the ledger.
func (t Ticket) Return() {
	if t.lot == nil {
		return
	}
	t.meter.mu.Lock()
	t.lot.taken--
	t.meter.mu.Unlock()
}

// follow takes over what was changed. Lots that are known keep what is set aside.
func (m *meter) follow(a *Account, lots []Lot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.unlimited, m.low = a.State, a.Unlimited, a.Low
	burst := a.AtOnce()
	if m.rate != a.Rate || m.burst != burst {
		m.rate, m.burst, m.tokens, m.at = a.Rate, burst, burst, m.now()
	}
	known := map[string]*lot{}
	for _, l := range m.lots {
		known[l.ID] = l
	}
	m.lots = m.lots[:0:0]
	for _, row := range lots {
		l := known[row.ID]
		if l == nil {
			l = &lot{taken: m.usage.UsedOfLot(m.id, row.ID)}
			m.told = false
		}
		l.Lot = row
		m.lots = append(m.lots, l)
	}
	slices.SortFunc(m.lots, (*lot).before)
}

// Lots returns the lots of the account in the order in which they are used, with
// those that are used up, have lapsed or were cancelled.
func (a *Account) Lots() []Lot {
	m := a.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Lot, len(m.lots))
	for i, l := range m.lots {
		list[i] = l.Lot
		list[i].Used = m.usage.UsedOfLot(m.id, l.ID)
	}
	return list
}
