package front

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/store"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

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

// house is a front end with everything real but the clock: an authority with a
// software key, accounts in a database, a ledger on the disk.
type house struct {
	*Front
	dir  string
	book *accounts.Book
	own  *ledger.Ledger
	pki  *cmstest.PKI
	fail *failing
}

// failing is a back end that can be told to fail.
type failing struct {
	tsa.Backend
	mu  sync.Mutex
	err error
}

func (f *failing) Stamp(ctx context.Context, request []byte) (tsa.Stamp, error) {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return tsa.Stamp{}, err
	}
	return f.Backend.Stamp(ctx, request)
}

const (
	customer = "acme"
	password = "quercia remo lanterna undici"
)

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), pki: cmstest.New(t)}
	db, err := store.Open(t.Context(), filepath.Join(h.dir, "a.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if h.own, err = ledger.Open(filepath.Join(h.dir, "ledger"), ledger.Options{Index: db}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.own.Close() })
	h.book, err = accounts.Open(t.Context(), accounts.Config{DB: db, Usage: h.own, Argon2: auth.Argon2{MemoryKiB: 64, Time: 1, Threads: 1},
		Journal: func(tx *store.Tx, now time.Time, c accounts.Change) error {
			return audit.Append(tx, now, audit.Event{Actor: c.Actor, Event: c.Event, Subject: c.Subject, Detail: c.Detail})
		}})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := tsa.NewAuthority(tsa.Config{Policies: testPolicies, Clock: wallClock{}, Counter: &counter{}})
	if err != nil {
		t.Fatal(err)
	}
	tsu := h.pki.TSU(t, "p256")
	if err := authority.Add(tsa.UnitConfig{Name: "tsu-1", Number: 1, Series: "a", Signer: tsu.Key, Certificate: tsu.Certificate, Chain: tsu.Chain}); err != nil {
		t.Fatal(err)
	}
	h.fail = &failing{Backend: authority}
	h.Front, err = New(Config{Backend: h.fail, Book: h.book, Ledger: h.own, Policies: testPolicies, MaxTokenSize: authority.MaxTokenSize})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// customer makes an account with a password and a lot.
func (h *house) customer(t testing.TB, stamps int64) accounts.Caller {
	t.Helper()
	if err := h.book.Create(t.Context(), "test", customer, accounts.Terms{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.book.SetPassword(t.Context(), "test", customer, customer, []byte(password), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.book.Buy(t.Context(), "test", customer, accounts.Lot{Quantity: stamps}); err != nil {
		t.Fatal(err)
	}
	return h.caller()
}

func (h *house) caller() accounts.Caller {
	return accounts.Caller{Username: customer, Password: []byte(password), Addr: netip.MustParseAddr("192.0.2.1")}
}

func randomQuery(t testing.TB) []byte {
	t.Helper()
	var b [32]byte
	_, _ = rand.Read(b[:])
	der, err := cms.MarshalTimestampRequest(crypto.SHA256, b[:], nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// openssl as the client: its request, our answer, its verdict.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	caller := h.customer(t, 10)
	file, query, reply, roots := filepath.Join(h.dir, "f"), filepath.Join(h.dir, "f.tsq"), filepath.Join(h.dir, "f.tsr"), filepath.Join(h.dir, "ca.pem")
	if err := errors.Join(os.WriteFile(file, []byte("a document"), 0o600), os.WriteFile(roots, cmstest.PEM(h.pki.Root, h.pki.CA), 0o600)); err != nil {
		t.Fatal(err)
	}
	openssl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("openssl", append([]string{"ts"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl ts %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	for _, options := range [][]string{{"-sha256", "-cert"}, {"-sha512"}, {"-sha384", "-no_nonce", "-cert"}, {"-sha256", "-tspolicy", oidTwo.String(), "-cert"}} {
		openssl(append([]string{"-query", "-data", file, "-out", query}, options...)...)
		request, err := os.ReadFile(query)
		if err != nil {
			t.Fatal(err)
		}
		caller := caller
		caller.Password = bytes.Clone(caller.Password)
		response, err := h.Answer(t.Context(), caller, request)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(reply, response, 0o600); err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(h.dir, "unit.pem") // for answers without certificates
		status, err := cms.ParseResponse(response)
		if err != nil || status.Token == nil {
			t.Fatalf("%v: %v", options, status)
		}
		if err := os.WriteFile(unit, cmstest.PEM(h.tsu(t)...), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := openssl("-verify", "-queryfile", query, "-in", reply, "-CAfile", roots, "-untrusted", unit); !strings.Contains(out, "Verification: OK") {
			t.Errorf("%v: %s", options, out)
		}
	}
	if st, err := h.Statement(t.Context(), h.caller()); err != nil || st.Left != 6 || st.Used != 4 || st.Unlimited || len(st.Policies) != 3 {
		t.Errorf("%+v, %v", st, err)
	}
}

// Many clients want the last stamps at once: exactly those that there are go out,
// each is in the ledger, and what failed on the way cost nothing.
func TestQuota(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	caller := h.customer(t, 20)
	h.fail.err = &tsa.Error{Kind: tsa.TimeNotAvailable, Msg: "no time"}
	for range 5 {
		caller := h.caller()
		out, err := h.Answer(t.Context(), caller, randomQuery(t))
		if err != nil || answered(t, out).FailureInfo != cms.TimeNotAvailable {
			t.Fatal(err)
		}
	}
	h.fail.err = nil
	_ = caller
	var wg sync.WaitGroup
	var mu sync.Mutex
	tokens := map[string]bool{}
	refused := 0
	for range 8 {
		wg.Go(func() {
			for range 8 {
				out, err := h.Answer(t.Context(), h.caller(), randomQuery(t))
				if err != nil {
					t.Error(err)
					return
				}
				r, err := cms.ParseResponse(out)
				mu.Lock()
				switch {
				case err != nil:
					t.Error(err)
				case r.Token != nil:
					tokens[string(r.Token)] = true
				case r.Refusal.FailureInfo == cms.BadRequest && strings.Contains(r.Refusal.Text, "no stamps left"):
					refused++
				default:
					t.Errorf("%+v", r.Refusal)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(tokens) != 20 || refused != 44 || h.own.Used(customer) != 20 {
		t.Errorf("%d tokens, %d refused, %d in the ledger", len(tokens), refused, h.own.Used(customer))
	}
	found, err := h.Tokens(t.Context(), h.caller(), ledger.Query{})
	if err != nil || len(found) != 20 {
		t.Fatalf("%d found, %v", len(found), err)
	}
	for _, e := range found {
		_, token, err := h.Token(t.Context(), h.caller(), e.Unit, e.Serial)
		if err != nil || !tokens[string(token)] {
			t.Errorf("serial %d: %v", e.Serial, err)
		}
	}
	if st, err := h.Statement(t.Context(), h.caller()); err != nil || st.Left != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

// refusing is a ledger whose disk fails.
type refusing struct {
	*ledger.Ledger
	kind ledger.Kind
}

func (l refusing) Append(context.Context, ledger.Entry) error {
	return &ledger.Error{Kind: l.kind, Msg: "the disk fails"}
}

// A stamp that could not be recorded costs nothing where it is certain that it was
// not, and is counted where the ledger has to be looked at first.
func TestUnrecordedCosts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.customer(t, 3)
	account, err := h.book.Account(customer)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		kind ledger.Kind
		left int // of three, as far as they can be taken
	}{{ledger.Failed, 3}, {ledger.Full, 3}, {ledger.Stopped, 2}} {
		f, err := New(Config{Backend: h.fail, Book: h.book, Ledger: refusing{h.own, c.kind}, Policies: testPolicies})
		if err != nil {
			t.Fatal(err)
		}
		if r := answered(t, f.AnswerFor(t.Context(), customer, randomQuery(t))); r.FailureInfo != cms.SystemFailure {
			t.Fatalf("%d: %+v", i, r)
		}
		var taken []accounts.Ticket
		for {
			ticket, err := h.book.Take(account)
			if err != nil {
				break
			}
			taken = append(taken, ticket)
		}
		for _, ticket := range taken {
			ticket.Return()
		}
		if len(taken) != c.left {
			t.Errorf("%s: %d can be taken, want %d", c.kind, len(taken), c.left)
		}
	}
}

// What an account was given is shown to its owner and to nobody else.
func TestArchiveIsPrivate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.customer(t, 10)
	nobody := accounts.Caller{Addr: netip.MustParseAddr("192.0.2.9")}
	if err := h.book.Admit(t.Context(), "test", true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Answer(t.Context(), h.caller(), randomQuery(t)); err != nil {
		t.Fatal(err)
	}
	out, err := h.Answer(t.Context(), nobody, randomQuery(t))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := cms.ParseResponse(out); err != nil || r.Token == nil {
		t.Fatalf("anonymous: %v", err)
	}
	if _, err := h.Stamp(t.Context(), crypto.SHA256, make([]byte, 32), accounts.House); err != nil {
		t.Fatal(err)
	}
	if n := h.own.Totals().Entries; n != 3 {
		t.Fatalf("%d in the ledger", n)
	}
	mine, err := h.Tokens(t.Context(), h.caller(), ledger.Query{Account: accounts.House})
	if err != nil || len(mine) != 1 || mine[0].Account != customer {
		t.Errorf("mine: %v, %v", mine, err)
	}
	all, err := h.own.Lookup(t.Context(), ledger.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		_, _, err := h.Token(t.Context(), h.caller(), e.Unit, e.Serial)
		if (err == nil) != (e.Account == customer) || err != nil && ledger.KindOf(err) != ledger.NotFound {
			t.Errorf("token of %s: %v", e.Account, err)
		}
	}
	var csv bytes.Buffer
	if err := h.ExportTokens(t.Context(), h.caller(), ledger.Query{}, ledger.CSV, func() io.Writer { return &csv }); err != nil || strings.Count(csv.String(), "\n") != 2 {
		t.Errorf("%q, %v", csv.String(), err)
	}
	if err := h.book.Admit(t.Context(), "test", false); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Answer(t.Context(), nobody, randomQuery(t)); accounts.KindOf(err) != accounts.Unknown {
		t.Errorf("the anonymous account is suspended, and nobody is asked: %v", err)
	}
	wrong := h.caller()
	wrong.Password = []byte("wrong")
	for name, c := range map[string]accounts.Caller{"anonymous": nobody, "wrong password": wrong} {
		_, err := h.Tokens(t.Context(), c, ledger.Query{})
		_, _, err2 := h.Token(t.Context(), c, all[0].Unit, all[0].Serial)
		_, err3 := h.Statement(t.Context(), c)
		err4 := h.ExportTokens(t.Context(), c, ledger.Query{}, ledger.CSV, func() io.Writer { t.Error("begun"); return io.Discard })
		for _, err := range []error{err, err2, err3, err4} {
			if accounts.KindOf(err) != accounts.Unknown {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// tsu gives the certificates of the unit, from a token that has them.
func (h *house) tsu(t testing.TB) (out []*x509.Certificate) {
	t.Helper()
	token, err := h.Stamp(t.Context(), crypto.SHA256, make([]byte, 32), accounts.House)
	if err != nil {
		t.Fatal(err)
	}
	if len(token) > h.MaxTokenSize() {
		t.Errorf("%d octets, at most %d were promised", len(token), h.MaxTokenSize())
	}
	parsed, err := cms.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Certificates
}

// The way of a request with all that is real, but a back end that gives always the
// same: accounts, ledger and front end.
func BenchmarkAnswerRecorded(b *testing.B) {
	h := newHouse(b)
	caller := h.customer(b, 1_000_000_000)
	one, err := h.cfg.Backend.Stamp(b.Context(), randomQuery(b))
	if err != nil {
		b.Fatal(err)
	}
	echo := &echoing{stamp: one}
	if h.Front, err = New(Config{Backend: echo, Book: h.book, Ledger: h.own, Policies: testPolicies}); err != nil {
		b.Fatal(err)
	}
	request := randomQuery(b)
	for _, clients := range []int{1, 32} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			b.SetParallelism(clients)
			b.ReportAllocs()
			began := cpu(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					out, err := h.Answer(context.Background(), caller, request)
					if err != nil || len(out) < 500 {
						b.Errorf("%v, %q", err, out)
						return
					}
				}
			})
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is what the process has used; on a busy machine it says more than the clock.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// echoing gives one token again and again, with another number and imprint.
type echoing struct {
	mu    sync.Mutex
	n     int64
	stamp tsa.Stamp
}

func (e *echoing) Stamp(_ context.Context, request []byte) (tsa.Stamp, error) {
	r, refusal := cms.ReadRequest(request)
	if refusal != nil {
		return tsa.Stamp{}, refusal
	}
	e.mu.Lock()
	e.n++
	s := e.stamp
	s.Serial += e.n
	e.mu.Unlock()
	s.Token = bytes.Clone(s.Token)
	copy(s.Token[100:], r.Imprint)
	return s, nil
}
