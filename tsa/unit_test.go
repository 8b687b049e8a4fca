package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// ledger keeps serial numbers and tokens in memory, as the store does on disk.
type ledger struct {
	mu         sync.Mutex
	next       int64
	tokens     []tsa.Stamped
	reserveErr error
	putErr     error
}

func (l *ledger) Reserve(_ context.Context, _ string, n int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reserveErr != nil {
		return 0, l.reserveErr
	}
	first := l.next + 1
	l.next += n
	return first, nil
}

func (l *ledger) Put(_ context.Context, s tsa.Stamped) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.putErr != nil {
		return l.putErr
	}
	l.tokens = append(l.tokens, s)
	return nil
}

// fixed is a clock that says what the test wants.
type fixed struct {
	t   time.Time
	err error
}

func (c *fixed) Now(context.Context) (time.Time, error) { return c.t, c.err }

func config(id *cmstest.Identity, l *ledger) tsa.Config {
	return tsa.Config{
		Name: "tsu-1", Signer: id.Key, Certificate: id.Certificate, Chain: id.Chain, Policy: policy,
		Accuracy: 500 * time.Millisecond, Clock: tsa.Unproven{}, Serials: l, Archive: l, Check: true,
	}
}

func newUnit(t testing.TB, cfg tsa.Config) *tsa.Unit {
	t.Helper()
	u, err := tsa.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ask sends a request and gives the token or the refusal.
func ask(t testing.TB, u *tsa.Unit, req []byte) (*cms.Token, *cms.Refusal) {
	t.Helper()
	r, err := cms.ParseResponse(u.Respond(context.Background(), req, "acme"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Refusal != nil {
		return nil, r.Refusal
	}
	token, err := cms.ParseToken(r.Token)
	if err != nil {
		t.Fatal(err)
	}
	return token, nil
}

// An Ed25519 unit signs the attributes themselves, with SHA-512 as their digest
// (RFC 8419 §3.1). OpenSSL 3.0 cannot judge that.
func TestEd25519(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	cfg := config(cmstest.New(t).TSU(t, "ed25519"), l)
	cfg.Check = false // the reader below must see for itself
	token, refusal := ask(t, newUnit(t, cfg), request(t, crypto.SHA256, []byte("documento"), true))
	if refusal != nil {
		t.Fatal(refusal)
	}
	over := func(data string) func(crypto.Hash) ([]byte, error) {
		return func(h crypto.Hash) ([]byte, error) { return digest(h, []byte(data)), nil }
	}
	if err := token.Verify(over("documento")); err != nil || token.Signer.Hash != crypto.SHA512 {
		t.Fatalf("%v, digest %v", err, token.Signer.Hash)
	}
	if err := token.Verify(over("altro")); cms.KindOf(err) != cms.Mismatch {
		t.Fatalf("other data: got %v", err)
	}
	token.Signer.SignatureValue[0] ^= 1
	if err := token.Verify(over("documento")); cms.KindOf(err) != cms.BadSignature {
		t.Fatalf("changed value: got %v", err)
	}
}

// What was asked comes back, is archived as delivered, and verifies.
func TestRespond(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).TSU(t, "p256")
	l := &ledger{}
	cfg := config(id, l)
	cfg.Clock = &fixed{t: time.Date(2026, 11, 21, 10, 0, 0, 120_999_999, time.FixedZone("CET", 3600))}
	u := newUnit(t, cfg)
	data := []byte("documento")
	for _, certReq := range []bool{true, false} {
		req := request(t, crypto.SHA256, data, certReq)
		parsed, _ := cms.ParseTimestampRequest(req)
		token, refusal := ask(t, u, req)
		if refusal != nil {
			t.Fatal(refusal)
		}
		if (len(token.Certificates) == 2) != certReq || (token.Certificate != nil) != certReq {
			t.Fatalf("certReq %v gives %d certificates", certReq, len(token.Certificates))
		}
		token.Certificate = id.Certificate
		if err := token.Verify(func(h crypto.Hash) ([]byte, error) { return digest(h, data), nil }); err != nil {
			t.Fatal(err)
		}
		if err := token.Answers(parsed); err != nil {
			t.Fatal(err)
		}
		want := time.Date(2026, 11, 21, 9, 0, 0, 120_000_000, time.UTC)
		if !token.Info.GenTime.Equal(want) || token.Info.Accuracy != 500*time.Millisecond || token.Info.Ordering {
			t.Fatalf("the token says %+v", token.Info)
		}
		if !bytes.Contains(token.Raw, []byte("20261121090000.12Z")) {
			t.Fatal("genTime is not written with its trailing zeros removed")
		}
		last := l.tokens[len(l.tokens)-1]
		if !bytes.Equal(last.DER, token.Raw) || last.Account != "acme" || last.Unit != "tsu-1" || last.Hash != crypto.SHA256 ||
			!last.GenTime.Equal(want) || big.NewInt(last.Serial).Cmp(token.Info.SerialNumber) != 0 {
			t.Fatalf("the archive has %+v", last)
		}
	}
}

// The algorithm identifier and the nonce come back as they were written, with NULL
// parameters or without, negative or long.
func TestRequestIsEchoed(t *testing.T) {
	t.Parallel()
	u := newUnit(t, config(cmstest.New(t).TSU(t, "p256"), &ledger{}))
	sum := sha256.Sum256([]byte("x"))
	oid := []byte{0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}
	withNull := append([]byte{0x30, 13}, append(bytes.Clone(oid), 5, 0)...)
	without := append([]byte{0x30, 11}, oid...)
	long := append([]byte{0x02, 0x81, cms.MaxNonce, 0x7f}, bytes.Repeat([]byte{0xa5}, cms.MaxNonce-1)...)
	for _, alg := range [][]byte{withNull, without} {
		for _, nonce := range [][]byte{{2, 1, 0}, {2, 2, 0xff, 0x7f}, long} {
			req, err := (&cms.TimestampRequest{Hash: crypto.SHA256, HashAlgorithmRaw: alg, Imprint: sum[:], NonceRaw: nonce}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			token, refusal := ask(t, u, req)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if !bytes.Equal(token.Info.HashAlgorithmRaw, alg) || !bytes.Equal(token.Info.NonceRaw, nonce) {
				t.Fatalf("came back as %x, %x", token.Info.HashAlgorithmRaw, token.Info.NonceRaw)
			}
		}
	}
}

// The key's period of use, when the certificate states one, is kept to.
func TestPrivateKeyUsagePeriod(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	from, to := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	const layout = "20060102150405Z"
	value := fmt.Sprintf("\x30\x22\x80\x0f%s\x81\x0f%s", from.Format(layout), to.Format(layout))
	id := pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{
		Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: from.AddDate(-1, 0, 0), NotAfter: to.AddDate(20, 0, 0),
		ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(true), {Id: []int{2, 5, 29, 16}, Value: []byte(value)}},
	})
	clock := &fixed{}
	cfg := config(id, &ledger{})
	cfg.Clock = clock
	u := newUnit(t, cfg)
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{from.Add(-time.Second), false}, {from, true}, {to, true}, {to.Add(time.Second), false}} {
		clock.t = c.at
		token, refusal := ask(t, u, request(t, crypto.SHA256, nil, true))
		if (token != nil) != c.want {
			t.Errorf("at %v: token %v, refusal %v", c.at, token != nil, refusal)
		}
	}
}

// A clock that steps back stops the stamps until it has caught up.
func TestTimeNeverRunsBack(t *testing.T) {
	t.Parallel()
	clock := &fixed{t: time.Now()}
	cfg := config(cmstest.New(t).TSU(t, "p256"), &ledger{})
	cfg.Clock = clock
	u := newUnit(t, cfg)
	start := clock.t
	for _, step := range []struct {
		to   time.Duration
		want bool
	}{{0, true}, {0, true}, {-time.Millisecond, false}, {-time.Hour, false}, {0, true}, {time.Second, true}, {0, false}} {
		clock.t = start.Add(step.to)
		if _, refusal := ask(t, u, request(t, crypto.SHA256, nil, true)); (refusal == nil) != step.want {
			t.Fatalf("at %v: %v", step.to, refusal)
		}
	}
}

// Many requesters and restarts: no serial number twice, and no later number with
// an earlier time.
func TestSerialsAreUnique(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).TSU(t, "p256")
	l := &ledger{}
	const restarts, workers, each = 3, 8, 40
	for range restarts {
		u := newUnit(t, config(id, l))
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					if _, err := u.Stamp(context.Background(), crypto.SHA256, digest(crypto.SHA256, nil), ""); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	if len(l.tokens) != restarts*workers*each {
		t.Fatalf("%d tokens were archived", len(l.tokens))
	}
	slices.SortFunc(l.tokens, func(a, b tsa.Stamped) int { return int(a.Serial - b.Serial) })
	for i := 1; i < len(l.tokens); i++ {
		if l.tokens[i].Serial == l.tokens[i-1].Serial {
			t.Fatalf("serial number %d was given twice", l.tokens[i].Serial)
		}
		if l.tokens[i].GenTime.Before(l.tokens[i-1].GenTime) {
			t.Fatalf("serial number %d has an earlier time than the one before", l.tokens[i].Serial)
		}
	}
}

// A store that was set back behind the unit's back is noticed.
func TestSerialsSetBack(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	u := newUnit(t, config(cmstest.New(t).TSU(t, "p256"), l))
	stamp := func() error {
		_, err := u.Stamp(context.Background(), crypto.SHA256, digest(crypto.SHA256, nil), "")
		return err
	}
	if err := stamp(); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	block := l.next
	l.next = 0
	l.mu.Unlock()
	for range block - 1 {
		if err := stamp(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stamp(); tsa.KindOf(err) != tsa.Unavailable {
		t.Fatalf("got %v", err)
	}
}

// MaxTokenSize holds for every token and is reached when the signature value is as
// long as it can be.
func TestMaxTokenSize(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, key := range []string{"p256", "p384", "rsa2048", "ed25519"} {
		l := &ledger{}
		cfg := config(pki.TSU(t, key), l)
		cfg.NameInToken = true
		cfg.Clock = &fixed{t: time.Date(2026, 11, 21, 10, 0, 0, 123_000_000, time.UTC)}
		l.next = 1<<63 - 1 - 600 // the longest serial numbers
		u := newUnit(t, cfg)
		longest := 0
		for range 64 {
			token, err := u.Stamp(context.Background(), crypto.SHA512, digest(crypto.SHA512, nil), "")
			if err != nil {
				t.Fatal(err)
			}
			longest = max(longest, len(token))
		}
		if longest > u.MaxTokenSize() {
			t.Errorf("%s: a token has %d bytes, MaxTokenSize is %d", key, longest, u.MaxTokenSize())
		}
		if longest < u.MaxTokenSize()-2 { // an ECDSA value of full length comes once in four
			t.Errorf("%s: no token came near MaxTokenSize %d; the longest has %d", key, u.MaxTokenSize(), longest)
		}
	}
}

func TestStampRefusesWrongDigest(t *testing.T) {
	t.Parallel()
	u := newUnit(t, config(cmstest.New(t).TSU(t, "p256"), &ledger{}))
	for h, d := range map[crypto.Hash][]byte{crypto.SHA256: make([]byte, 31), crypto.MD5: make([]byte, 16), 0: nil} {
		if _, err := u.Stamp(context.Background(), h, d, ""); tsa.KindOf(err) != tsa.BadRequest {
			t.Errorf("%v: got %v", h, err)
		}
	}
}

// BenchmarkRespond reports, beside the time of an answer, how many times longer it
// takes than the bare signature it contains, measured in the same run.
func BenchmarkRespond(b *testing.B) {
	pki := cmstest.New(b)
	for _, key := range []string{"p256", "rsa2048"} {
		b.Run(key, func(b *testing.B) {
			id := pki.TSU(b, key)
			cfg := config(id, &ledger{})
			cfg.Check, cfg.Archive = false, forget{}
			u := newUnit(b, cfg)
			req := request(b, crypto.SHA256, []byte("x"), true)
			sum := sha256.Sum256(req)
			// Answers and bare signatures take turns, so that both meet the same machine.
			// The medians are compared: other load on it then weighs little.
			var answers, bare []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if len(u.Respond(context.Background(), req, "")) < 100 {
					b.Fatal("refused")
				}
				middle := time.Now()
				if _, err := id.Key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
				answers, bare = append(answers, middle.Sub(start)), append(bare, time.Since(middle))
			}
			slices.Sort(answers)
			slices.Sort(bare)
			answer, signature := answers[len(answers)/2], bare[len(bare)/2]
			b.ReportMetric(float64(answer), "ns/answer")
			b.ReportMetric(float64(signature), "ns/bare-signature")
			b.ReportMetric(float64(answer)/float64(signature), "x-bare-signature")
		})
	}
}

type forget struct{}

func (forget) Put(context.Context, tsa.Stamped) error { return nil }
