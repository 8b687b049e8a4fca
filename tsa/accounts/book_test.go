package accounts

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/csv"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// counts is a ledger that only counts.
type counts struct {
	mu   sync.Mutex
	lots map[string]int64 // account/lot
}

func (c *counts) record(t Ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lots[t.Account+"/"+t.Lot]++
}

func (c *counts) UsedOfLot(account, lot string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lots[account+"/"+lot]
}

func (c *counts) Used(account string) (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range c.lots {
		if strings.HasPrefix(k, account+"/") {
			n += v
		}
	}
	return n
}

// clock is moved by the test.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// cheap is a cost for tests.
var cheap = auth.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}

type bench struct {
	*Book
	db    *store.DB
	usage *counts
	clock *clock
	low   []string
}

func journal(tx *store.Tx, now time.Time, c Change) error {
	return audit.Append(tx, now, audit.Event{Actor: c.Actor, Event: c.Event, Subject: c.Subject, Detail: c.Detail})
}

func open(t testing.TB) *bench {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bench{db: db, usage: &counts{lots: map[string]int64{}}, clock: &clock{}}
	b.clock.at.Store(t0.UnixNano())
	b.reopen(t)
	return b
}

func (b *bench) config() Config {
	return Config{
		DB: b.db, Usage: b.usage, Journal: journal, Now: b.clock.now, Argon2: cheap,
		OnLow: func(a string, left int64) { b.low = append(b.low, a) },
	}
}

func (b *bench) reopen(t testing.TB) {
	t.Helper()
	book, err := Open(t.Context(), b.config())
	if err != nil {
		t.Fatal(err)
	}
	b.Book = book
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want Kind) {
	t.Helper()
	if KindOf(err) != want {
		t.Fatalf("got %v (%s), want the kind %q", err, KindOf(err), want)
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func nets(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	n, err := Networks(list...)
	must(t, err)
	return n
}

const secret = "cavallo graffetta batteria"

func TestHouse(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.reopen(t) // made once
	house := b.account(t, House)
	if house.Left() != Unlimited || len(b.Accounts()) != 1 {
		t.Fatalf("%+v", house)
	}
	ticket, err := b.Take(house)
	must(t, err)
	if ticket.Account != House || ticket.Lot != "" {
		t.Fatalf("%+v", ticket)
	}
	ticket.Return()
	_, _, err = b.SetPassword(t.Context(), "op", House, "house", []byte(secret), time.Time{})
	wantKind(t, err, BadChange)
	wantKind(t, b.Suspend(t.Context(), "op", House, ""), BadChange)
	_, err = b.Identify(t.Context(), Caller{Addr: addr("127.0.0.1")})
	wantKind(t, err, Unknown)
	_, err = b.Account("none")
	wantKind(t, err, NotFound)
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Name: "ACME", Networks: nets(t, "192.0.2.0/24", "2001:db8::/32"), Unlimited: true}))
	must(t, b.Create(ctx, "op", "wide", Terms{Networks: nets(t, "10.0.0.0/8"), ByNetwork: true, Unlimited: true}))
	must(t, b.Create(ctx, "op", "narrow", Terms{Networks: nets(t, "10.1.2.3"), ByNetwork: true, Unlimited: true}))
	_, _, err := b.SetPassword(ctx, "op", "acme", "acme-1", []byte(secret), t0.Add(time.Hour))
	must(t, err)
	_, token, err := b.IssueBearer(ctx, "op", "acme", "build server", time.Time{})
	must(t, err)
	certificate := func(raw, key string, until time.Time) *x509.Certificate {
		return &x509.Certificate{Raw: []byte(raw), RawSubjectPublicKeyInfo: []byte(key), NotBefore: t0.Add(-time.Hour), NotAfter: until}
	}
	cert, renewed := certificate("certificate", "key", t0.Add(time.Hour)), certificate("renewed", "key", t0.Add(time.Hour))
	pinned, foreign := certificate("pinned", "other key", t0.Add(time.Hour)), certificate("pinned 2", "other key", t0.Add(time.Hour))
	ended := certificate("ended", "key", t0.Add(-time.Minute))
	_, err = b.AddCertificate(ctx, "op", "acme", "old card", ended, true, time.Time{})
	wantKind(t, err, BadChange)
	_, err = b.AddCertificate(ctx, "op", "acme", "smart card", cert, true, time.Time{})
	must(t, err)
	_, err = b.AddCertificate(ctx, "op", "acme", "server", pinned, false, time.Time{})
	must(t, err)
	here, there := addr("192.0.2.7"), addr("198.51.100.1")
	for name, c := range map[string]struct {
		caller Caller
		want   string
		kind   Kind
	}{
		"password":               {Caller{Username: "acme-1", Password: []byte(secret), Addr: here}, "acme", ""},
		"password, 4 in 6":       {Caller{Username: "acme-1", Password: []byte(secret), Addr: addr("::ffff:192.0.2.7")}, "acme", ""},
		"password, IPv6":         {Caller{Username: "acme-1", Password: []byte(secret), Addr: addr("2001:db8::1%eth0")}, "acme", ""},
		"password from outside":  {Caller{Username: "acme-1", Password: []byte(secret), Addr: there}, "", NotPermitted},
		"wrong password":         {Caller{Username: "acme-1", Password: []byte("wrong"), Addr: here}, "", Unknown},
		"no password":            {Caller{Username: "acme-1", Addr: here}, "", Unknown},
		"no user":                {Caller{Password: []byte(secret), Addr: here}, "", Unknown},
		"unknown user":           {Caller{Username: "nobody", Password: []byte(secret), Addr: addr("10.1.2.3")}, "", Unknown},
		"endless password":       {Caller{Username: "acme-1", Password: make([]byte, 1<<20), Addr: here}, "", Unknown},
		"token":                  {Caller{Bearer: token, Addr: here}, "acme", ""},
		"token from outside":     {Caller{Bearer: token, Addr: there}, "", NotPermitted},
		"wrong token":            {Caller{Bearer: token + "A", Addr: here}, "", Unknown},
		"token and password":     {Caller{Username: "acme-1", Password: []byte(secret), Bearer: token, Addr: here}, "", Unknown},
		"key":                    {Caller{Certificate: cert, Addr: here}, "acme", ""},
		"key, renewed":           {Caller{Certificate: renewed, Addr: here}, "acme", ""},
		"key, certificate ended": {Caller{Certificate: ended, Addr: here}, "", Unknown},
		"certificate":            {Caller{Certificate: pinned, Addr: here}, "acme", ""},
		"another of its key":     {Caller{Certificate: foreign, Addr: here}, "", Unknown},
		"foreign, by network":    {Caller{Certificate: foreign, Addr: addr("10.9.9.9")}, "wide", ""},
		"network":                {Caller{Addr: addr("10.200.0.1")}, "wide", ""},
		"narrower network":       {Caller{Addr: addr("::ffff:10.1.2.3")}, "narrow", ""},
		"nobody":                 {Caller{Addr: there}, "", Unknown},
		"nowhere":                {Caller{}, "", Unknown},
	} {
		for range 2 { // fresh, and from memory
			a, err := b.Identify(ctx, c.caller)
			if KindOf(err) != c.kind || err == nil && a.ID != c.want {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
	}
	b.clock.forward(time.Hour)
	_, err = b.Identify(ctx, Caller{Username: "acme-1", Password: []byte(secret), Addr: here})
	wantKind(t, err, Unknown) // expired
}

func TestLots(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Low: 2}))
	a := b.account(t, "acme")
	_, err := b.Take(a)
	wantKind(t, err, Exhausted)
	for _, l := range []Lot{
		{ID: "for-ever", Quantity: 2},
		{ID: "late", Quantity: 2, Expires: t0.Add(48 * time.Hour)},
		{ID: "soon", Quantity: 1, Expires: t0.Add(24 * time.Hour)},
		{ID: "mistake", Quantity: 100, Expires: t0.Add(time.Hour)},
	} {
		_, err := b.Buy(ctx, "op", "acme", l)
		must(t, err)
	}
	_, err = b.Buy(ctx, "op", "acme", Lot{ID: "soon", Quantity: 1})
	wantKind(t, err, Conflict)
	must(t, b.Cancel(ctx, "op", "acme", "mistake", "twice in the books"))
	wantKind(t, b.Cancel(ctx, "op", "acme", "mistake", "again"), NotFound)
	if n := a.Left(); n != 5 {
		t.Fatalf("%d left", n)
	}
	take := func(want string) Ticket {
		t.Helper()
		ticket, err := b.Take(a)
		must(t, err)
		if ticket.Lot != want || ticket.Account != "acme" {
			t.Fatalf("taken from %q, not %q", ticket.Lot, want)
		}
		return ticket
	}
	first := take("soon")
	second := take("late")
	if n := a.Left(); n != 5 {
		t.Fatalf("%d left; what is under way is not used yet", n)
	}
	first.Return()
	b.usage.record(take("soon"))
	b.usage.record(second)
	if n := a.Left(); n != 3 || len(b.low) != 0 {
		t.Fatalf("%d left, low %v", n, b.low)
	}
	b.usage.record(take("late"))
	if len(b.low) != 1 || !a.IsLow() {
		t.Fatalf("the mark was not told: %v", b.low)
	}
	b.reopen(t) // a restart: the ledger knows
	a = b.account(t, "acme")
	b.usage.record(take("for-ever"))
	last := take("for-ever")
	_, err = b.Take(a)
	wantKind(t, err, Exhausted)
	last.Return()
	b.usage.record(take("for-ever"))
	if n := a.Left(); n != 0 {
		t.Fatalf("%d left", n)
	}
	bought, err := b.Buy(ctx, "op", "acme", Lot{Quantity: 1, Expires: t0.Add(time.Minute)})
	must(t, err)
	if bought.ID != "2026-11-22.1" || a.Left() != 1 {
		t.Fatalf("%+v, %d left", bought, a.Left())
	}
	b.clock.forward(time.Minute)
	_, err = b.Take(a)
	wantKind(t, err, Exhausted) // lapsed
	if lots := a.Lots(); len(lots) != 5 || lots[0].ID != bought.ID || lots[len(lots)-1].Used != 2 {
		t.Fatalf("%+v", lots)
	}
}

// Many at once never get more than there is, and what is given back can be had.
func TestTakeTogether(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{}))
	for range 3 {
		_, err := b.Buy(ctx, "op", "acme", Lot{Quantity: 100})
		must(t, err)
	}
	a := b.account(t, "acme")
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			for i := 0; ; i++ {
				ticket, err := b.Take(a)
				if KindOf(err) == Exhausted {
					return
				}
				if (i+n)%3 == 0 {
					ticket.Return()
				} else {
					b.usage.record(ticket)
				}
			}
		})
	}
	group.Wait()
	// The last callers may have seen what others gave back a moment later.
	for {
		ticket, err := b.Take(a)
		if err != nil {
			break
		}
		b.usage.record(ticket)
	}
	if n := b.usage.Used("acme"); n != 300 || a.Left() != 0 {
		t.Fatalf("%d used, %d left", n, a.Left())
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Name: "ACME", Unlimited: true}))
	cred, made, err := b.SetPassword(ctx, "op", "acme", "acme", nil, time.Time{})
	must(t, err)
	caller := Caller{Username: "acme", Password: []byte(made), Addr: addr("192.0.2.1")}
	if a, err := b.Identify(ctx, caller); err != nil || len(made) < 20 {
		t.Fatal(a, err, made)
	}
	_, _, err = b.SetPassword(ctx, "op", "acme", "acme", []byte(secret), time.Time{})
	wantKind(t, err, Conflict) // the name is in force
	must(t, b.SetTerms(ctx, "op", "acme", Terms{Name: "ACME", Unlimited: true, Networks: nets(t, "10.0.0.0/8")}))
	_, err = b.Identify(ctx, caller)
	wantKind(t, err, NotPermitted) // at once
	must(t, b.SetTerms(ctx, "op", "acme", Terms{Name: "ACME", Unlimited: true}))
	must(t, b.Suspend(ctx, "op", "acme", "has not paid"))
	_, err = b.Identify(ctx, caller)
	wantKind(t, err, NotPermitted)
	wantKind(t, b.Suspend(ctx, "op", "acme", "again"), BadChange)
	must(t, b.Resume(ctx, "op", "acme", "has paid"))
	_, err = b.Identify(ctx, caller)
	must(t, err)
	must(t, b.Revoke(ctx, "op", "acme", cred.ID))
	_, err = b.Identify(ctx, caller)
	wantKind(t, err, Unknown)
	wantKind(t, b.Revoke(ctx, "op", "acme", cred.ID), NotFound)
	_, _, err = b.SetPassword(ctx, "op", "acme", "acme", []byte(secret), time.Time{})
	must(t, err)
	if list, err := b.Credentials(ctx, "acme"); err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}

	other, err := Open(ctx, b.config()) // another process
	must(t, err)
	must(t, other.CloseAccount(ctx, "op2", "acme", "left"))
	must(t, b.Refresh(ctx))
	if a := b.account(t, "acme"); a.State != Closed {
		t.Fatalf("%+v", a)
	}
	wantKind(t, b.Create(ctx, "op", "acme", Terms{}), Conflict)
	_, err = b.Buy(ctx, "op", "acme", Lot{Quantity: 1})
	wantKind(t, err, BadChange)

	var events []string
	must(t, b.db.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.Journal(0, 0)
		for _, e := range list {
			events = append(events, strings.TrimPrefix(e.Event, "stamp-"))
			if bytes.Contains(e.Detail, []byte(made)) || bytes.Contains(e.Detail, []byte(secret)) {
				t.Errorf("a secret is in the journal: %s", e.Detail)
			}
		}
		return err
	}))
	if got, want := strings.Join(events, " "), "account.created account.created credential.added account.changed account.changed "+
		"account.suspended account.resumed credential.revoked credential.added account.closed"; got != want {
		t.Errorf("the journal has %s", got)
	}
}

// A change whose entry cannot be written is not made.
func TestNoJournalNoChange(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	c := b.config()
	c.Journal = func(*store.Tx, time.Time, Change) error { return errors.New("the journal is full") }
	book, err := Open(ctx, c)
	must(t, err)
	wantKind(t, book.Create(ctx, "op", "acme", Terms{}), Failed)
	if _, err := book.Account("acme"); KindOf(err) != NotFound {
		t.Fatal("the account is there all the same")
	}
	b.reopen(t)
	if _, err := b.Account("acme"); KindOf(err) != NotFound {
		t.Fatal("the account is stored all the same")
	}
}

func TestBadChanges(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "net", Terms{ByNetwork: true, Networks: nets(t, "10.0.0.0/8")}))
	for name, terms := range map[string]Terms{
		"network without": {ByNetwork: true},
		"not masked":      {Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
		"twice":           {Networks: nets(t, "10.0.0.0/8", "10.0.0.0/8")},
		"negative rate":   {Rate: -1},
		"tiny rate":       {Rate: 1e-9},
		"negative burst":  {Burst: -1},
		"control":         {Name: "a\nb"},
		"turned":          {Name: "a\u202eb"},
		"long":            {Note: strings.Repeat("x", maxText+1)},
		"policy":          {Policies: []asn1.ObjectIdentifier{{1}}},
	} {
		if err := b.Create(ctx, "op", "new", terms); KindOf(err) != BadChange {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantKind(t, b.Create(ctx, "op", "new", Terms{ByNetwork: true, Networks: nets(t, "10.0.0.0/8")}), Conflict)
	wantKind(t, b.Create(ctx, "op", "Big", Terms{}), BadChange)
	wantKind(t, b.Create(ctx, "", "new", Terms{}), BadChange)
	_, err := b.Buy(ctx, "op", "net", Lot{Quantity: 0})
	wantKind(t, err, BadChange)
	_, err = b.Buy(ctx, "op", "net", Lot{Quantity: 1, Expires: t0.Add(-time.Hour)})
	wantKind(t, err, BadChange)
	_, _, err = b.SetPassword(ctx, "op", "net", "a:b", []byte(secret), time.Time{})
	wantKind(t, err, BadChange)
	_, _, err = b.SetPassword(ctx, "op", "net", "ab", []byte("short"), time.Time{})
	wantKind(t, err, BadChange)
	if _, err := Networks("10.0.0.0/33"); KindOf(err) != BadChange {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Name: "=ACME, \"Srl\""}))
	_, err := b.Buy(ctx, "op", "acme", Lot{ID: "l1", Quantity: 10, Expires: t0.Add(time.Hour)})
	must(t, err)
	b.usage.lots["acme/l1"] = 4
	b.Resync(b.usage)
	var out bytes.Buffer
	must(t, b.Report(&out, []MonthUse{{"acme", "l1", "2026-11", 4}, {"gone", "", "2026-10", 1}}))
	got, err := csv.NewReader(&out).ReadAll()
	must(t, err)
	if len(got) != 3 || strings.Join(got[1], "|") != "acme|'=ACME, \"Srl\"|2026-11|l1|4|10|2026-11-22T09:00:00Z|2026-11-22T10:00:00Z|4|6|usable" || len(got[2]) != len(got[0]) {
		t.Fatalf("%q", got)
	}
	out.Reset()
	must(t, b.Summary(&out))
	if got, err := csv.NewReader(&out).ReadAll(); err != nil || len(got) != 3 || strings.Join(got[1][2:], "|") != "active|4|6|1|2026-11-22T10:00:00Z" {
		t.Fatalf("%q %v", got, err)
	}
	// What cannot be had any more is not left.
	for _, id := range []string{"void", "empty"} {
		_, err = b.Buy(ctx, "op", "acme", Lot{ID: id, Quantity: 10})
		must(t, err)
		b.usage.lots["acme/"+id] = 10
	}
	b.usage.lots["acme/void"] = 3
	b.Resync(b.usage)
	must(t, b.Cancel(ctx, "op", "acme", "void", "by mistake"))
	b.clock.forward(time.Hour)
	out.Reset()
	must(t, b.Report(&out, []MonthUse{{"acme", "l1", "2026-11", 4}, {"acme", "void", "2026-11", 3}, {"acme", "empty", "2026-11", 10}}))
	if got, err = csv.NewReader(&out).ReadAll(); err != nil || len(got) != 4 {
		t.Fatalf("%q %v", got, err)
	}
	for i, want := range []string{"4|0|lapsed", "3|0|cancelled", "10|0|used up"} {
		if got := strings.Join(got[i+1][8:], "|"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	delete(b.usage.lots, "acme/void")
	delete(b.usage.lots, "acme/empty")
	if a := b.account(t, "acme"); a.Used() != 4 || !a.MayUse(asn1.ObjectIdentifier{1, 2}) {
		t.Error(a.Used())
	}
}
