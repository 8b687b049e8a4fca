package front

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

var (
	oidOne = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
	oidTwo = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}
	oidOld = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3}
)

var testPolicies = []tsa.Policy{
	{Name: "default", OID: oidOne, Accuracy: time.Second, Series: "a"},
	{Name: "second", OID: oidTwo, Accuracy: time.Second, Series: "a"},
	{Name: "2013", OID: oidOld, Accuracy: time.Second, Series: "b"},
}

// steps notes what happens in which order.
type steps struct {
	mu   sync.Mutex
	list []string
}

func (s *steps) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, what)
}

// book is a book with one account.
type book struct {
	steps   *steps
	account *accounts.Account
	refuse  error // of Identify
	empty   error // of Take
}

func (b *book) Identify(_ context.Context, c accounts.Caller) (*accounts.Account, error) {
	if b.refuse != nil {
		return nil, b.refuse
	}
	return b.account, nil
}

func (b *book) Account(id string) (*accounts.Account, error) {
	if id != b.account.ID {
		return nil, &accounts.Error{Kind: accounts.NotFound, Msg: "there is no such account"}
	}
	return b.account, nil
}

func (b *book) Take(a *accounts.Account) (accounts.Ticket, error) {
	b.steps.note("take")
	if b.empty != nil {
		return accounts.Ticket{}, b.empty
	}
	return accounts.Ticket{Account: a.ID, Lot: "lot-1"}, nil
}

// backend gives tokens that are none but hold what the front end looks for.
type backend struct {
	steps *steps
	mu    sync.Mutex
	n     int64
	err   error
	mixed bool // gives the stamp of another request
	last  []byte
}

func (b *backend) Stamp(ctx context.Context, request []byte) (tsa.Stamp, error) {
	b.steps.note("stamp")
	if b.err != nil {
		return tsa.Stamp{}, b.err
	}
	r, refusal := cms.ReadRequest(request)
	if refusal != nil {
		return tsa.Stamp{}, &tsa.Error{Kind: tsa.BadRequest, Msg: "wrong", Err: refusal}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	b.last = bytes.Clone(request)
	imprint := bytes.Clone(r.Imprint)
	if b.mixed {
		imprint[0] ^= 1
	}
	token := append(append([]byte("\x30\x82\x01\x00 token of "), imprint...), r.Nonce...)
	return tsa.Stamp{Unit: "u1", Serial: b.n, GenTime: time.Now(), Policy: oidOne, Token: token}, nil
}

// record is a ledger in memory.
type record struct {
	steps   *steps
	mu      sync.Mutex
	err     error
	part    int // of 4 KiB that Export writes before err
	unready error
	entries []ledger.Entry
}

func (l *record) Ready() error { return l.unready }

func (l *record) Append(_ context.Context, e ledger.Entry) error {
	l.steps.note("append")
	if l.err != nil {
		return l.err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Imprint, e.Nonce = bytes.Clone(e.Imprint), bytes.Clone(e.Nonce)
	l.entries = append(l.entries, e)
	return nil
}

func (l *record) Err() error { return l.err }

func (l *record) Used(string) int64 { return int64(len(l.entries)) }

func (l *record) Lookup(_ context.Context, q ledger.Query) ([]ledger.Entry, error) {
	var out []ledger.Entry
	for _, e := range l.entries {
		if e.Account == q.Account && (q.Serial == 0 || q.Serial == e.Serial) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (l *record) Token(e ledger.Entry) ([]byte, error) { return e.Token, nil }

func (l *record) Export(_ context.Context, w io.Writer, q ledger.Query, f ledger.Format) (ledger.Exported, error) {
	if l.err != nil {
		for range l.part {
			_, _ = io.WriteString(w, strings.Repeat("x", 4<<10))
		}
		return ledger.Exported{}, l.err
	}
	_, err := io.WriteString(w, string(f)+" of "+q.Account)
	return ledger.Exported{}, err
}

type rig struct {
	*Front
	steps   *steps
	book    *book
	backend *backend
	ledger  *record
	log     *bytes.Buffer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s := &steps{}
	r := &rig{steps: s, book: &book{steps: s, account: &accounts.Account{ID: "a-1", Terms: accounts.Terms{Name: "One"}}}, backend: &backend{steps: s},
		ledger: &record{steps: s}, log: &bytes.Buffer{}}
	var err error
	r.Front, err = New(Config{Backend: r.backend, Book: r.book, Ledger: r.ledger, Policies: testPolicies,
		Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func query(t testing.TB, policy asn1.ObjectIdentifier) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte("a document"))
	der, err := (&cms.TimestampRequest{Hash: crypto.SHA256, Imprint: sum[:], Policy: policy, NonceRaw: []byte{2, 2, 0x12, 0x34}, CertReq: true}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// answered reads a TimeStampResp of a refusal.
func answered(t testing.TB, der []byte) cms.Refusal {
	t.Helper()
	r, err := cms.ParseResponse(der)
	if err != nil || r.Refusal == nil {
		t.Fatalf("no refusal: %v in %x", err, der)
	}
	return *r.Refusal
}

var errDisk = errors.New("secret disk path")
