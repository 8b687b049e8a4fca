package web

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/clock"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
)

// desk stands for the front end of the time-stamping authority: its tokens are
// real, its one account is in memory.
type desk struct {
	authority *tsa.Authority
	pki       *cmstest.PKI
	tsu       *cmstest.Identity

	mu         sync.Mutex
	anonymous  bool  // callers without credentials are served
	err        error // of everything about the account
	panics     bool
	refusal    *cms.Refusal // instead of a stamp
	before     error        // of an export that has not begun
	within     error        // of one in its midst; with panics, a panic there
	unlimited  bool
	unverified int // which token is marked; 0: none
	left       int64
	state      clock.State
	verified   bool
	caller     accounts.Caller // the last one, its password copied
	under      string          // policy of the last address
	account    string          // of the last AnswerFor
	entries    []ledger.Entry
	tokens     map[int64][]byte
	query      ledger.Query
	until      context.Context // that the last request was answered in
}

const (
	deskUser     = "acme"
	deskPassword = "sesto: è àncora"
	deskBearer   = "tok-123"
)

var deskPolicies = []tsa.Policy{
	{Name: "demo", OID: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Accuracy: time.Second, Series: "a"},
	{Name: "fast", OID: []int{1, 3, 6, 1, 4, 1, 99999, 2}, Accuracy: time.Millisecond, Series: "a", Hashes: []crypto.Hash{crypto.SHA256}, Qualified: true},
}

// wallClock is the machine's own time, without any claim.
type wallClock struct{}

func (wallClock) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

// counter gives numbers that live as long as the test.
type counter struct {
	mu   sync.Mutex
	next int64
}

func (c *counter) Reserve(_ context.Context, _ string, n int64, _ time.Time) (int64, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.next + 1
	c.next += n
	return first, time.Time{}, nil
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{pki: cmstest.New(t), left: 7, state: clock.StateOK, verified: true, tokens: map[int64][]byte{}}
	d.tsu = d.pki.TSU(t, "p256")
	var err error
	d.authority, err = tsa.NewAuthority(tsa.Config{Policies: deskPolicies, Clock: wallClock{}, Counter: &counter{}})
	if err != nil {
		t.Fatal(err)
	}
	err = d.authority.Add(tsa.UnitConfig{Name: "tsu-1", Number: 1, Series: "a", Signer: d.tsu.Key, Certificate: d.tsu.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) identify(c accounts.Caller) error {
	d.caller = c
	d.caller.Password = bytes.Clone(c.Password)
	switch {
	case d.err != nil:
		return d.err
	case c.Username == deskUser && string(c.Password) == deskPassword, c.Bearer == deskBearer:
		return nil
	case c.Username == "" && c.Bearer == "" && (d.anonymous || c.Certificate != nil):
		return nil
	}
	return &accounts.Error{Kind: accounts.Unknown, Msg: "nobody is known by these credentials"}
}

func (d *desk) AnswerUnder(ctx context.Context, policy string, c accounts.Caller, request []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.under, d.until = policy, ctx
	if d.panics {
		panic("on purpose")
	}
	if err := d.identify(c); err != nil {
		return nil, err
	}
	return d.stamp(ctx, request), nil
}

func (d *desk) AnswerFor(ctx context.Context, account string, request []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account = account
	return d.stamp(ctx, request)
}

func (d *desk) stamp(ctx context.Context, request []byte) []byte {
	if d.refusal != nil {
		return cms.MarshalRefusal(*d.refusal)
	}
	r, refusal := cms.ParseTimestampRequest(request)
	if refusal != nil {
		return cms.MarshalRefusal(*refusal)
	}
	s, err := d.authority.Stamp(ctx, request)
	if err != nil {
		return cms.MarshalRefusal(tsa.Refusal(err))
	}
	d.left--
	d.tokens[s.Serial] = s.Token
	d.entries = append(d.entries, ledger.Entry{Seq: int64(len(d.entries) + 1), Unit: s.Unit, Serial: s.Serial, GenTime: s.GenTime,
		Policy: s.Policy, Hash: r.Hash, Imprint: r.Imprint, Account: deskUser, Unverified: len(d.entries) == d.unverified-1})
	return front.Response(s.Token)
}

func (d *desk) statement() front.Statement {
	return front.Statement{Account: deskUser, Name: "Acme S.p.A.", Used: int64(len(d.entries)), Left: d.left, Unlimited: d.unlimited,
		Policies: deskPolicies}
}

func (d *desk) Statement(_ context.Context, c accounts.Caller) (front.Statement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.statement(), d.identify(c)
}

func (d *desk) StatementOf(string) (front.Statement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.statement(), d.err
}

func (d *desk) Tokens(_ context.Context, c accounts.Caller, q ledger.Query) ([]ledger.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.query = q
	if err := d.identify(c); err != nil {
		return nil, err
	}
	var out []ledger.Entry
	for _, e := range d.entries {
		if (len(q.Digest) == 0 || bytes.Equal(q.Digest, e.Imprint)) && e.Seq > q.After && len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (d *desk) ExportTokens(_ context.Context, c accounts.Caller, q ledger.Query, format ledger.Format, begin func() io.Writer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.identify(c); err != nil {
		return err
	}
	if d.before != nil {
		return d.before
	}
	w := begin()
	for i := range 10_000 {
		switch {
		case i == 9_000 && d.within != nil && d.panics:
			panic("on purpose")
		case i == 9_000 && d.within != nil:
			return d.within
		}
		if _, err := io.WriteString(w, string(format)+" line\n"); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) Token(_ context.Context, c accounts.Caller, unit string, serial int64) (ledger.Entry, []byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.identify(c); err != nil {
		return ledger.Entry{}, nil, err
	}
	if d.tokens[serial] == nil || unit != "tsu-1" {
		return ledger.Entry{}, nil, &ledger.Error{Kind: ledger.NotFound, Msg: "no such token"}
	}
	return ledger.Entry{}, d.tokens[serial], nil
}

func (d *desk) Publication(ctx context.Context) front.Publication {
	d.mu.Lock()
	defer d.mu.Unlock()
	units := d.authority.Units(ctx)
	return front.Publication{Policies: deskPolicies, Clock: clock.Status{State: d.state, Verified: d.verified},
		Units: []front.Unit{{UnitStatus: units[0], Certificate: d.tsu.Certificate.Raw, Chain: [][]byte{d.pki.Root.Raw}}}}
}

// withDesk puts a desk into the wall.
func withDesk(d *desk, page StampPage) func(*Config) {
	return func(c *Config) { c.Stamps, c.StampPage = d, page }
}

// stampQuery is a request over a digest that is all of one octet.
func stampQuery(t testing.TB, fill byte) []byte {
	t.Helper()
	der, err := cms.MarshalTimestampRequest(crypto.SHA256, bytes.Repeat([]byte{fill}, 32), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// tokenOf reads the token of an answer that grants one.
func tokenOf(answer string) (*cms.Token, error) {
	r, err := cms.ParseResponse([]byte(answer))
	if err != nil {
		return nil, err
	}
	if r.Refusal != nil {
		return nil, r.Refusal
	}
	return cms.ParseToken(r.Token)
}

var errOnPurpose = errors.New("on purpose")
