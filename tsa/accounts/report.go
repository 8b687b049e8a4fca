package accounts

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// MonthUse is what an account used of a lot in a month, as the ledger counts it.
type MonthUse struct {
	Account, Lot string
	Month        string // "2026-11", UTC
	Stamps       int64
}

// Report writes the accounting of some months as CSV: one line per account, month
// and lot with what was used, and what that lot is. Accounts that the book does not
// know (a ledger that is older than its database) are there with their ID.
//
//	account, name, month, lot, stamps, lot_quantity, lot_bought, lot_expires, lot_used, lot_left, lot_state
//
// lot_left is how many stamps can still be had of the lot now: none, once it has lapsed
// or was cancelled, as lot_state says (usable, used up, lapsed, cancelled).
func (b *Book) Report(w io.Writer, uses []MonthUse) error {
	d := b.current.Load()
	lots := map[string][]Lot{}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"account", "name", "month", "lot", "stamps", "lot_quantity", "lot_bought", "lot_expires", "lot_used", "lot_left", "lot_state"})
	now := b.cfg.Now()
	for _, u := range uses {
		line := []string{plain(u.Account), "", u.Month, plain(u.Lot), strconv.FormatInt(u.Stamps, 10), "", "", "", "", "", ""}
		if a := d.accounts[u.Account]; a != nil {
			line[1] = plain(a.Name)
			if _, ok := lots[a.ID]; !ok {
				lots[a.ID] = a.Lots()
			}
		}
		for _, l := range lots[u.Account] {
			if l.ID == u.Lot {
				left, state := l.standing(now)
				copy(line[5:], []string{
					strconv.FormatInt(l.Quantity, 10), date(l.Bought), date(l.Expires),
					strconv.FormatInt(l.Used, 10), strconv.FormatInt(left, 10), state,
				})
			}
		}
		_ = out.Write(line)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fail(Failed, err, "write the report")
	}
	return nil
}

// standing is how many stamps can be had of a lot, and why there are none.
func (l *Lot) standing(now time.Time) (left int64, state string) {
	switch {
	case !l.Cancelled.IsZero():
		return 0, "cancelled"
	case !l.Expires.IsZero() && !now.Before(l.Expires):
		return 0, "lapsed"
	case l.Used >= l.Quantity:
		return 0, "used up"
	}
	return l.Quantity - l.Used, "usable"
}

// Summary writes how all accounts stand now as CSV.
//
//	account, name, state, used, left, lots, next_expiry
//
// left is empty for an unlimited account; lots counts those that can be used, and
// next_expiry is when the first of them lapses.
func (b *Book) Summary(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"account", "name", "state", "used", "left", "lots", "next_expiry"})
	now := b.cfg.Now()
	for _, a := range b.Accounts() {
		left, lots, next := "", 0, time.Time{}
		if n := a.Left(); n != Unlimited {
			left = strconv.FormatInt(n, 10)
		}
		for _, l := range a.Lots() {
			if (&lot{Lot: l}).usable(now) && l.Used < l.Quantity {
				if lots++; lots == 1 {
					next = l.Expires
				}
			}
		}
		_ = out.Write([]string{
			plain(a.ID), plain(a.Name), string(a.State), strconv.FormatInt(a.Used(), 10), left, strconv.Itoa(lots), date(next),
		})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fail(Failed, err, "write the report")
	}
	return nil
}

// Used is how many stamps of the account the ledger holds.
func (a *Account) Used() int64 {
	a.meter.mu.Lock()
	defer a.meter.mu.Unlock()
	return a.meter.usage.Used(a.ID)
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// plain keeps a spreadsheet from taking a name for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
