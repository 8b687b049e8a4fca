package accounts

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/store"
)

// Bounds of what an operator may set.
const (
	maxText     = 500 // bytes
	maxNetworks = 100
	maxPolicies = 50
	maxRate     = 1e6
	maxBurst    = 1e6
	maxQuantity = 1e12
)

var goodID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func bad(format string, a ...any) error { return fail(BadChange, nil, format, a...) }

func (t *Terms) check(id string) error {
	if err := errors.Join(goodText("the name", t.Name), goodText("the note", t.Note)); err != nil {
		return err
	}
	switch {
	case len(t.Networks) > maxNetworks || len(t.Policies) > maxPolicies:
		return bad("an account has at most %d networks and %d policies", maxNetworks, maxPolicies)
	case math.IsNaN(t.Rate) || t.Rate < 0 || t.Rate > maxRate || t.Rate > 0 && t.Rate < 0.001:
		return bad("the rate is 0 (no limit), or 0.001 to %.0f stamps a second", maxRate)
	case t.Burst < 0 || t.Burst > maxBurst:
		return bad("the burst is 0 (one second's worth of the rate) or 1 to %.0f stamps at once", maxBurst)
	case t.Low < 0:
		return bad("the mark for few stamps is 0 (none) or more")
	case t.ByNetwork && len(t.Networks) == 0:
		return bad("an account that is known by its network needs networks")
	case id == House && (t.ByNetwork || !t.Unlimited || len(t.Networks) > 0):
		return bad("the account of the house is unlimited and has no networks")
	case id == Anonymous && t.ByNetwork:
		return bad("the anonymous account is that of everybody in its networks; make another account for a customer")
	}
	for i, p := range t.Networks {
		if err := goodNetwork(p); err != nil {
			return err
		}
		if slices.Contains(t.Networks[:i], p) {
			return bad("the network %v is there twice", p)
		}
	}
	for _, p := range t.Policies {
		if len(p) < 2 || len(p) > 20 {
			return bad("%v is no policy", p)
		}
	}
	return nil
}

func goodNetwork(p netip.Prefix) error {
	if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
		return bad("%v is no network; write its first address and its length, such as 192.0.2.0/24 or 2001:db8::/32", p)
	}
	return nil
}

// edit runs one change: fn in a transaction that is journalled and counted, then
// everything is read anew. change is held.
func (b *Book) edit(ctx context.Context, c Change, fn func(tx *store.Tx, now time.Time) error) error {
	if c.Actor == "" {
		return bad("a change needs to know who makes it")
	}
	if err := goodText("the name of the operator", c.Actor); err != nil {
		return err
	}
	now := b.cfg.Now().UTC().Truncate(time.Millisecond)
	err := b.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := fn(tx, now); err != nil {
			return err
		}
		n, err := revisionOf(tx)
		if err != nil {
			return err
		}
		if err := tx.PutSetting(revisionKey, strconv.AppendInt(nil, n+1, 10)); err != nil {
			return err
		}
		return b.cfg.Journal(tx, now, c)
	})
	if err != nil {
		var own *Error
		if errors.As(err, &own) {
			return own
		}
		return stored(err, "the change was not made")
	}
	if err := b.reload(ctx); err != nil {
		return fail(Failed, err, "the change was made, but cannot be read back")
	}
	return nil
}

// stored is an error of the database in the terms of this room; what is the text of
// a fault.
func stored(err error, what string) error {
	switch store.KindOf(err) {
	case store.NotFound:
		return fail(NotFound, err, "there is nothing of this name to change; it may have been changed already")
	case store.Conflict:
		return fail(Conflict, err, "the name or credential is in use, or somebody else changed the account meanwhile; look at it again")
	case store.Busy:
		return fail(Busy, err, "%s: the database is in use; try again", what)
	case store.Full:
		return fail(Full, err, "%s: the disk is full or fails", what)
	}
	return fail(Failed, err, "%s", what)
}

// Create makes an account. Its ID is 1 to 63 of a-z, 0-9, dot, hyphen and
// underscore, and stays: the ledger knows the customer by it. The anonymous account
// is not made here, see [Book.Admit].
func (b *Book) Create(ctx context.Context, actor, id string, t Terms) error {
	if id == Anonymous {
		return configured()
	}
	b.change.Lock()
	defer b.change.Unlock()
	return b.create(ctx, actor, id, t)
}

func (b *Book) create(ctx context.Context, actor, id string, t Terms) error {
	if !goodID.MatchString(id) {
		return bad("the ID of an account is 1 to 63 of a-z, 0-9, dot, hyphen and underscore")
	}
	if _, err := b.Account(id); err == nil {
		return fail(Conflict, nil, "there is an account %s already, and an ID is not given twice; choose another", id)
	}
	if err := b.checkTerms(id, &t, nil); err != nil {
		return err
	}
	return b.edit(ctx, Change{actor, "stamp-account.created", id, t.detail()}, func(tx *store.Tx, now time.Time) error {
		row, err := toRow(id, Active, t, now, now)
		if err != nil {
			return err
		}
		return tx.PutStampAccount(row)
	})
}

// checkTerms checks what an account is to have; before is what it has. Policies
// that it has already are kept, even when they are no longer served.
func (b *Book) checkTerms(id string, t, before *Terms) error {
	if err := t.check(id); err != nil {
		return err
	}
	for _, p := range t.Policies {
		if b.cfg.Policies == nil || slices.ContainsFunc(b.cfg.Policies, p.Equal) || before != nil && slices.ContainsFunc(before.Policies, p.Equal) {
			continue
		}
		return bad("there is no policy %v; the configuration has %s", p, identifiers(b.cfg.Policies))
	}
	if !t.ByNetwork {
		return nil
	}
	for _, p := range t.Networks {
		if o := b.current.Load().networks.owners[p]; o != nil && o.ID != id {
			return fail(Conflict, nil, "the network %v is that of the account %s", p, o.ID)
		}
	}
	return nil
}

func identifiers(list []asn1.ObjectIdentifier) string {
	text := make([]string, len(list))
	for i, p := range list {
		text[i] = p.String()
	}
	return strings.Join(text, " ")
}

// detail is the terms for the journal.
func (t *Terms) detail() map[string]string {
	d := map[string]string{
		"name": t.Name, "unlimited": strconv.FormatBool(t.Unlimited), "by-network": strconv.FormatBool(t.ByNetwork),
		"rate": strconv.FormatFloat(t.Rate, 'g', -1, 64), "burst": strconv.FormatInt(t.Burst, 10), "low": strconv.FormatInt(t.Low, 10),
	}
	nets := make([]string, len(t.Networks))
	for i, p := range t.Networks {
		nets[i] = p.String()
	}
	d["networks"], d["policies"] = strings.Join(nets, " "), identifiers(t.Policies)
	if t.Note != "" {
		d["note"] = t.Note
	}
	for k, v := range d {
		if len(v) > 4000 { // the journal refuses longer values
			d[k] = v[:4000] + "…"
		}
	}
	return d
}

// SetTerms replaces the terms of an account. Passwords known by heart are checked
// again.
func (b *Book) SetTerms(ctx context.Context, actor, id string, t Terms) error {
	b.change.Lock()
	defer b.change.Unlock()
	a, err := b.Account(id)
	if err != nil {
		return err
	}
	if a.State == Closed {
		return bad("the account %s is closed", id)
	}
	if err := b.checkTerms(id, &t, &a.Terms); err != nil {
		return err
	}
	return b.edit(ctx, Change{actor, "stamp-account.changed", id, t.detail()}, func(tx *store.Tx, now time.Time) error {
		row, err := toRow(id, a.State, t, a.Created, later(now, a.Changed))
		if err != nil {
			return err
		}
		return tx.ChangeStampAccount(row, a.Changed)
	})
}

// later gives each version of an account a time of its own.
func later(now, before time.Time) time.Time {
	if now.After(before) {
		return now
	}
	return before.Add(time.Millisecond)
}

// Suspend refuses all requests of an account until Resume. It, Resume and
// CloseAccount need a reason, and leave the anonymous account alone: what becomes of
// that the configuration says.
func (b *Book) Suspend(ctx context.Context, actor, id, reason string) error {
	return b.setState(ctx, actor, id, reason, "stamp-account.suspended", Suspended, Active)
}

// Resume ends a suspension.
func (b *Book) Resume(ctx context.Context, actor, id, reason string) error {
	return b.setState(ctx, actor, id, reason, "stamp-account.resumed", Active, Suspended)
}

// CloseAccount ends an account for good. Its tokens stay in the ledger, its ID is not
// given again.
func (b *Book) CloseAccount(ctx context.Context, actor, id, reason string) error {
	return b.setState(ctx, actor, id, reason, "stamp-account.closed", Closed, Active, Suspended)
}

func (b *Book) setState(ctx context.Context, actor, id, reason, event string, to State, from ...State) error {
	if id == Anonymous {
		return configured()
	}
	b.change.Lock()
	defer b.change.Unlock()
	return b.become(ctx, actor, id, reason, event, to, from...)
}

func (b *Book) become(ctx context.Context, actor, id, reason, event string, to State, from ...State) error {
	if err := goodReason(reason); err != nil {
		return err
	}
	a, err := b.Account(id)
	switch {
	case err != nil:
		return err
	case id == House && to != Active:
		return bad("the account of the house cannot be %s: documents could not be signed", to)
	case !slices.Contains(from, a.State):
		return bad("the account %s is %s", id, a.State)
	}
	c := Change{actor, event, id, map[string]string{"reason": reason}}
	return b.edit(ctx, c, func(tx *store.Tx, now time.Time) error {
		row, err := toRow(id, to, a.Terms, a.Created, later(now, a.Changed))
		if err != nil {
			return err
		}
		return tx.ChangeStampAccount(row, a.Changed)
	})
}

// configured refuses to make, suspend, resume or close the anonymous account.
func configured() error {
	return bad("the account %s is there as long as tsa.anonymous is true in sigillo.toml: change that and start the service again; "+
		"to narrow the account at once change its terms, such as --rate or --networks", Anonymous)
}

// Admit makes the anonymous account what the configuration wants: there and active,
// or not in use. Its terms stay what they are from one time to the next, and so
// do its tokens; when it is made, it is unlimited. What was done to the account
// before does not count: not that it was suspended, nor that an older version let
// it be closed.
func (b *Book) Admit(ctx context.Context, actor string, anonymous bool) error {
	b.change.Lock()
	defer b.change.Unlock()
	a, err := b.Account(Anonymous)
	switch {
	case err != nil && !anonymous, err == nil && (a.State == Active) == anonymous, err == nil && a.State == Closed && !anonymous:
		return nil
	case err != nil:
		return b.create(ctx, actor, Anonymous, Terms{Name: "anonymous", Unlimited: true})
	case anonymous:
		return b.become(ctx, actor, Anonymous, "tsa.anonymous is true", "stamp-account.resumed", Active, Suspended, Closed)
	}
	return b.become(ctx, actor, Anonymous, "tsa.anonymous is false", "stamp-account.suspended", Suspended, Active)
}

// Buy books a lot and returns it with its ID. A lot without one gets the next that is
// free in the database: other processes may be selling at the same time.
func (b *Book) Buy(ctx context.Context, actor, account string, l Lot) (Lot, error) {
	b.change.Lock()
	defer b.change.Unlock()
	a, err := b.Account(account)
	if err != nil {
		return l, err
	}
	if l.Bought.IsZero() {
		l.Bought = b.cfg.Now()
	}
	l.Bought, l.Expires = l.Bought.UTC().Truncate(time.Millisecond), l.Expires.UTC().Truncate(time.Millisecond)
	given := l.ID != ""
	switch {
	case a.State == Closed:
		return l, bad("the account %s is closed", account)
	case given && !goodID.MatchString(l.ID):
		return l, bad("the ID of a lot is 1 to 63 of a-z, 0-9, dot, hyphen and underscore")
	case l.Quantity < 1 || l.Quantity > maxQuantity:
		return l, bad("a lot has 1 to %.0f stamps", maxQuantity)
	case !l.Expires.IsZero() && !l.Expires.After(l.Bought):
		return l, bad("the lot would lapse before it was bought")
	}
	if err := goodText("the note", l.Note); err != nil {
		return l, err
	}
	c := Change{actor, "stamp-lot.bought", account, map[string]string{
		"quantity": strconv.FormatInt(l.Quantity, 10), "bought": day(l.Bought), "expires": day(l.Expires), "note": l.Note,
	}}
	err = b.edit(ctx, c, func(tx *store.Tx, _ time.Time) error {
		row := store.StampLot{Account: account, ID: l.ID, Quantity: l.Quantity, Bought: l.Bought, Expires: l.Expires, Note: l.Note}
		if given {
			c.Detail["lot"] = l.ID
			return tx.PutStampLot(row)
		}
		var err error
		l.ID, err = putNextLot(tx, row, a.Lots())
		c.Detail["lot"] = l.ID // for the journal, which comes behind
		return err
	})
	return l, err
}

// putNextLot stores a lot under an ID of its day and a number: the first one that is
// neither known nor, since the accounts were read, taken by another process.
func putNextLot(tx *store.Tx, row store.StampLot, known []Lot) (string, error) {
	for n := 1; ; n++ { // each turn but the last meets a lot that is there
		row.ID = fmt.Sprintf("%s.%d", row.Bought.Format(time.DateOnly), n)
		if slices.ContainsFunc(known, func(l Lot) bool { return l.ID == row.ID }) {
			continue
		}
		if err := tx.PutStampLot(row); store.KindOf(err) != store.Conflict {
			return row.ID, err
		}
	}
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// Cancel voids what is left of a lot, such as one that was booked by mistake.
func (b *Book) Cancel(ctx context.Context, actor, account, lot, reason string) error {
	b.change.Lock()
	defer b.change.Unlock()
	if err := goodReason(reason); err != nil {
		return err
	}
	used := strconv.FormatInt(b.cfg.Usage.UsedOfLot(account, lot), 10)
	c := Change{actor, "stamp-lot.cancelled", account, map[string]string{"lot": lot, "used": used, "reason": reason}}
	return b.edit(ctx, c, func(tx *store.Tx, now time.Time) error { return tx.CancelStampLot(account, lot, now) })
}

// Networks parses networks as an operator writes them: an address alone is a
// network of one.
func Networks(list ...string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, single := netip.ParseAddr(s)
			if single != nil || addr.Zone() != "" {
				return nil, fail(BadChange, err, "%.80q is no network; write it as 192.0.2.0/24 or 2001:db8::/32", s)
			}
			p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		if err := goodNetwork(p); err != nil {
			return nil, err
		}
		nets = append(nets, p)
	}
	return nets, nil
}
