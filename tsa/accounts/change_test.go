package accounts

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/store"
)

// The anonymous account is what the configuration says, from whatever it was before;
// no command makes, suspends, resumes or closes it.
func TestConfigurationDecides(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	state := func(want State) {
		t.Helper()
		b.reopen(t)
		if a, err := b.Account(Anonymous); err == nil && a.State != want || err != nil && want != "" {
			t.Fatalf("it is %v %v, not %q", a, err, want)
		}
	}
	if err := b.Create(ctx, "op", Anonymous, Terms{Unlimited: true}); KindOf(err) != BadChange || !strings.Contains(err.Error(), "tsa.anonymous") {
		t.Fatal(err)
	}
	must(t, b.Admit(ctx, "configuration", false))
	state("")
	must(t, b.Admit(ctx, "configuration", true))
	state(Active)
	must(t, b.SetTerms(ctx, "op", Anonymous, Terms{Unlimited: true, Rate: 7}))
	for _, wanted := range []bool{true, false, false, true} {
		must(t, b.Admit(ctx, "configuration", wanted))
		state(map[bool]State{true: Active, false: Suspended}[wanted])
		for name, do := range map[string]func() error{
			"suspend": func() error { return b.Suspend(ctx, "op", Anonymous, "abuse") },
			"resume":  func() error { return b.Resume(ctx, "op", Anonymous, "no abuse") },
			"close":   func() error { return b.CloseAccount(ctx, "op", Anonymous, "over") },
		} {
			if err := do(); KindOf(err) != BadChange || !strings.Contains(err.Error(), "tsa.anonymous") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// What an older version has closed comes back.
	must(t, b.become(ctx, "op", Anonymous, "older version", "stamp-account.closed", Closed, Active))
	must(t, b.Admit(ctx, "configuration", false))
	state(Closed)
	must(t, b.Admit(ctx, "configuration", true))
	state(Active)
	if a := b.account(t, Anonymous); a.Rate != 7 {
		t.Errorf("the terms were lost: %+v", a.Terms)
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Admit(ctx, "configuration", true))
	must(t, b.SetTerms(ctx, "op", Anonymous, Terms{Networks: nets(t, "127.0.0.0/8"), Unlimited: true, Rate: 1, Burst: 2}))
	_, err := b.Identify(ctx, Caller{Addr: addr("192.0.2.1")})
	wantKind(t, err, Unknown)
	_, err = b.Identify(ctx, Caller{Username: "x", Password: []byte("y"), Addr: addr("127.0.0.1")})
	wantKind(t, err, Unknown)
	a, err := b.Identify(ctx, Caller{Addr: addr("127.0.0.1")})
	must(t, err)
	for range 2 {
		_, err = b.Take(a)
		must(t, err)
	}
	_, err = b.Take(a)
	wantKind(t, err, RateLimited)
	b.clock.forward(1500 * time.Millisecond)
	_, err = b.Take(a)
	must(t, err)
	_, err = b.Take(a)
	wantKind(t, err, RateLimited)
	b.clock.forward(-time.Hour) // a clock that goes back gives nothing
	_, err = b.Take(a)
	wantKind(t, err, RateLimited)
	must(t, b.Admit(ctx, "configuration", false))
	_, err = b.Identify(ctx, Caller{Addr: addr("127.0.0.1")})
	wantKind(t, err, Unknown) // he may still say who he is
	_, err = b.Take(a)        // of the version before
	wantKind(t, err, NotPermitted)
}

// A certificate that was registered is a credential for good, and refused once it is
// revoked or out of its time; one that never was says nothing. So it is with
// everybody let in, with nobody, and by network.
func TestCertificates(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Unlimited: true}))
	must(t, b.Create(ctx, "op", "office", Terms{Networks: nets(t, "10.0.0.0/8"), ByNetwork: true, Unlimited: true}))
	certificate := func(raw, key string) *x509.Certificate {
		return &x509.Certificate{Raw: []byte(raw), RawSubjectPublicKeyInfo: []byte(key), NotBefore: t0.Add(-time.Hour), NotAfter: t0.Add(time.Hour)}
	}
	add := func(c *x509.Certificate, key bool) string {
		t.Helper()
		made, err := b.AddCertificate(ctx, "op", "acme", "card", c, key, time.Time{})
		must(t, err)
		return made.ID
	}
	revoke := func(id string) { t.Helper(); must(t, b.Revoke(ctx, "op", "acme", id)) }
	revoked, keyRevoked := certificate("1", "k1"), certificate("2", "k2")
	revoke(add(revoked, false))
	revoke(add(keyRevoked, true))
	again := certificate("3", "k3")
	revoke(add(again, false))
	add(again, false)
	byKey := certificate("4", "k4") // revoked as a certificate, good by its key
	revoke(add(byKey, false))
	add(byKey, true)
	pinned := certificate("5", "k5") // the other way round
	revoke(add(pinned, true))
	add(pinned, false)
	ended := certificate("6", "k6")
	ended.NotAfter = t0.Add(time.Minute)
	add(ended, false)
	early := certificate("7", "k7")
	early.NotBefore = t0.Add(30 * time.Minute)
	add(early, false)
	never := certificate("8", "k8")
	b.clock.forward(2 * time.Minute)
	b.reopen(t) // whatever the order in which they are read

	for _, anonymous := range []bool{true, false} {
		must(t, b.Admit(ctx, "configuration", true))
		must(t, b.Admit(ctx, "configuration", anonymous))
		nobody := map[bool]string{true: Anonymous, false: errNobody.Msg}[anonymous]
		for name, c := range map[string]struct {
			caller *x509.Certificate
			from   string
			want   string // account, or why there is none
		}{
			"never registered":     {never, "192.0.2.1", nobody},
			"none":                 {nil, "192.0.2.1", nobody},
			"never, by network":    {never, "10.1.1.1", "office"},
			"revoked":              {revoked, "192.0.2.1", errRevoked.Msg},
			"revoked, by network":  {revoked, "10.1.1.1", errRevoked.Msg},
			"key revoked":          {keyRevoked, "192.0.2.1", errRevoked.Msg},
			"registered again":     {again, "192.0.2.1", "acme"},
			"good by its key":      {byKey, "192.0.2.1", "acme"},
			"good by itself":       {pinned, "192.0.2.1", "acme"},
			"expired":              {ended, "192.0.2.1", errPeriod.Msg},
			"not valid yet":        {early, "192.0.2.1", errPeriod.Msg},
			"expired, but network": {ended, "10.1.1.1", errPeriod.Msg},
		} {
			a, err := b.Identify(ctx, Caller{Certificate: c.caller, Addr: addr(c.from)})
			got := ""
			var e *Error
			if errors.As(err, &e) {
				wantKind(t, err, Unknown)
				got = e.Msg
			} else {
				got = a.ID
			}
			if got != c.want {
				t.Errorf("%s, anonymous %t: %q, want %q", name, anonymous, got, c.want)
			}
		}
	}
	// An account that may not keeps saying so to who has shown that it is his.
	must(t, b.Suspend(ctx, "op", "acme", "not paid"))
	_, err := b.Identify(ctx, Caller{Certificate: again, Addr: addr("192.0.2.1")})
	wantKind(t, err, NotPermitted)
}

// Sellers that do not know of each other get a lot each, numbered without a gap, and
// each is in the journal under its own.
func TestBuyTogether(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Name: "ACME"}))
	var sellers []*Book
	for range 8 { // all have read the accounts before one sells
		other, err := Open(ctx, b.config())
		must(t, err)
		sellers = append(sellers, other)
	}
	var group sync.WaitGroup
	for _, s := range sellers {
		group.Go(func() {
			if _, err := s.Buy(ctx, "op", "acme", Lot{Quantity: 10}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	must(t, b.Refresh(ctx))
	var got []string
	for _, l := range b.account(t, "acme").Lots() {
		got = append(got, l.ID)
	}
	slices.Sort(got)
	want := []string{"2026-11-22.1", "2026-11-22.2", "2026-11-22.3", "2026-11-22.4", "2026-11-22.5", "2026-11-22.6", "2026-11-22.7", "2026-11-22.8"}
	if !slices.Equal(got, want) || b.account(t, "acme").Left() != 80 {
		t.Errorf("%q", got)
	}
	var told []string
	must(t, b.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.JournalOfEvent("acme", "stamp-lot.bought", 0)
		for _, r := range rows {
			_, lot, _ := strings.Cut(string(r.Detail), `"lot":"`)
			told = append(told, lot[:min(len(lot), len(want[0]))])
		}
		return err
	}))
	slices.Sort(told)
	if !slices.Equal(told, want) {
		t.Errorf("in the journal: %q", told)
	}
	// One that has a name of its own is not sold twice.
	_, err := sellers[0].Buy(ctx, "op", "acme", Lot{ID: "gift", Quantity: 1})
	must(t, err)
	_, err = sellers[1].Buy(ctx, "op", "acme", Lot{ID: "gift", Quantity: 1})
	wantKind(t, err, Conflict)
}

// Nothing is suspended, resumed, closed or cancelled without a word about it.
func TestReasons(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{}))
	_, err := b.Buy(ctx, "op", "acme", Lot{ID: "l1", Quantity: 1})
	must(t, err)
	steps := []struct {
		name string
		do   func(reason string) error
	}{
		{"suspend", func(why string) error { return b.Suspend(ctx, "op", "acme", why) }},
		{"resume", func(why string) error { return b.Resume(ctx, "op", "acme", why) }},
		{"cancel", func(why string) error { return b.Cancel(ctx, "op", "acme", "l1", why) }},
		{"close", func(why string) error { return b.CloseAccount(ctx, "op", "acme", why) }},
	}
	for _, s := range steps {
		for _, none := range []string{"", " \t", "a\u202eb"} {
			if err := s.do(none); KindOf(err) != BadChange {
				t.Errorf("%s because of %q: %v", s.name, none, err)
			}
		}
		must(t, s.do("ticket 7 of "+s.name))
	}
	var reasons int
	must(t, b.db.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.Journal(0, 0)
		for _, e := range list {
			reasons += strings.Count(string(e.Detail), "ticket 7")
		}
		return err
	}))
	if reasons != len(steps) {
		t.Errorf("%d reasons in the journal, not %d", reasons, len(steps))
	}
}

// Policies are those that there are; what an account has already it keeps.
func TestPoliciesThatThereAre(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	one, two := asn1.ObjectIdentifier{1, 2, 3}, asn1.ObjectIdentifier{1, 2, 4}
	must(t, b.Create(ctx, "op", "old", Terms{Policies: []asn1.ObjectIdentifier{two}}))
	c := b.config()
	c.Policies = []asn1.ObjectIdentifier{one}
	book, err := Open(ctx, c)
	must(t, err)
	must(t, book.Create(ctx, "op", "new", Terms{Policies: []asn1.ObjectIdentifier{one}}))
	if err := book.Create(ctx, "op", "bad", Terms{Policies: []asn1.ObjectIdentifier{two}}); KindOf(err) != BadChange ||
		!strings.Contains(err.Error(), "1.2.4") || !strings.Contains(err.Error(), "1.2.3") {
		t.Error(err)
	}
	wantKind(t, book.SetTerms(ctx, "op", "new", Terms{Policies: []asn1.ObjectIdentifier{one, two}}), BadChange)
	must(t, book.SetTerms(ctx, "op", "old", Terms{Name: "Old", Policies: []asn1.ObjectIdentifier{two, one}}))
}

// What cannot be seen does not come in, and what is there already is shown in
// numbers and can be changed.
func TestHiddenCharacters(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{Name: "Società Über, 株式会社 \"日本\""}))
	for _, text := range []string{"a\u202eb", "a\x1b[2Jb", "a\tb", "a\u200bb", "a\u2066b", "a\u2028b", "a\ufeffb", "a\u0085b", "a\xffb", "a\ue000b"} {
		wantKind(t, b.Create(ctx, "op", "new", Terms{Name: text}), BadChange)
		wantKind(t, b.SetTerms(ctx, "op", "acme", Terms{Note: text}), BadChange)
		wantKind(t, b.Create(ctx, text, "new", Terms{}), BadChange)
		_, _, err := b.SetPassword(ctx, "op", "acme", text, nil, time.Time{})
		wantKind(t, err, BadChange)
		_, _, err = b.IssueBearer(ctx, "op", "acme", text, time.Time{})
		wantKind(t, err, BadChange)
		_, err = b.Buy(ctx, "op", "acme", Lot{Quantity: 1, Note: text})
		wantKind(t, err, BadChange)
	}
	_, err := b.Buy(ctx, "op", "acme", Lot{Quantity: 1})
	must(t, err)
	must(t, b.db.Write(ctx, func(tx *store.Tx) error { // as an older version let it in
		row, err := tx.StampAccount("acme")
		if err != nil {
			return err
		}
		was := row.Changed
		row.Name, row.Note, row.Changed = "Acme\u202e\xff", "x\x1b[2J", was.Add(time.Second)
		return tx.ChangeStampAccount(row, was)
	}))
	b.reopen(t)
	if a := b.account(t, "acme"); a.Name != "Acme[U+202E]\ufffd" || a.Note != "x[U+001B][2J" {
		t.Fatalf("%q %q", a.Name, a.Note)
	}
	terms := b.account(t, "acme").Terms
	terms.Rate = 1
	must(t, b.SetTerms(ctx, "op", "acme", terms))
}

// Errors of an operator's own making are said in our words, not the database's.
func TestNoDriverText(t *testing.T) {
	t.Parallel()
	b, ctx := open(t), t.Context()
	must(t, b.Create(ctx, "op", "acme", Terms{}))
	_, _, err := b.SetPassword(ctx, "op", "acme", "user", nil, time.Time{})
	must(t, err)
	_, err = b.Buy(ctx, "op", "acme", Lot{ID: "l1", Quantity: 1})
	must(t, err)
	_, again := b.Buy(ctx, "op", "acme", Lot{ID: "l1", Quantity: 1})
	_, _, name := b.SetPassword(ctx, "op", "acme", "user", nil, time.Time{})
	for what, c := range map[string]struct {
		err  error
		kind Kind
		text string
	}{
		"account":    {b.Create(ctx, "op", "acme", Terms{}), Conflict, "there is an account acme already"},
		"lot":        {again, Conflict, "in use"},
		"user name":  {name, Conflict, "the user name user is in use"},
		"credential": {b.Revoke(ctx, "op", "acme", "none"), NotFound, "nothing of this name"},
		"no lot":     {b.Cancel(ctx, "op", "acme", "none", "why not"), NotFound, "nothing of this name"},
		"busy":       {stored(&store.Error{Kind: store.Busy, Msg: "busy", Err: errSQL}, "no"), Busy, "try again"},
		"full":       {stored(&store.Error{Kind: store.Full, Msg: "full"}, "no"), Full, "disk"},
	} {
		if KindOf(c.err) != c.kind || !strings.Contains(c.err.Error(), c.text) || strings.Contains(c.err.Error(), "constraint") ||
			strings.Contains(c.err.Error(), "SQL") || strings.Contains(c.err.Error(), "sql:") {
			t.Errorf("%s: %v", what, c.err)
		}
	}
}

var errSQL = errors.New("database is locked (5) (SQLITE_BUSY)")

// A burst of 0 is what one second allows, one stamp at least.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		burst int64
		want  float64
	}{{50, 0, 50}, {0.1, 0, 1}, {50, 7, 7}} {
		if got := (&Terms{Rate: c.rate, Burst: c.burst}).AtOnce(); got != c.want {
			t.Errorf("%+v: %g", c, got)
		}
	}
	for _, terms := range []Terms{{Rate: 1e7}, {Burst: 1e7}} {
		if err := open(t).Create(t.Context(), "op", "acme", terms); KindOf(err) != BadChange || strings.Contains(err.Error(), "e+") {
			t.Error(err)
		}
	}
}
