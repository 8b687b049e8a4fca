package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// counters keeps serial numbers and promises in memory, as the store does on disk.
type counters struct {
	mu       sync.Mutex
	next     map[string]int64
	promised map[string]time.Time
	err      error
	calls    atomic.Int64
	delay    time.Duration
	gap      int64
}

func (c *counters) Reserve(ctx context.Context, unit string, n int64, until time.Time) (int64, time.Time, error) {
	c.calls.Add(1)
	if c.delay > 0 {
		time.Sleep(c.delay)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, time.Time{}, c.err
	}
	if c.next == nil {
		c.next, c.promised = map[string]int64{}, map[string]time.Time{}
	}
	first, before := c.next[unit]+1, c.promised[unit]
	c.next[unit] += n + c.gap
	if until.After(before) {
		c.promised[unit] = until
	}
	return first, before, nil
}

func (c *counters) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// wall is the machine's clock; lax is it, and held to less than a policy states.
type wall struct{}

func (wall) Now(context.Context) (time.Time, error) { return time.Now(), nil }

type lax struct{ wall }

func (lax) Keeps() time.Duration { return 200 * time.Millisecond }

// hand is a clock that the test moves.
type hand struct {
	mu  sync.Mutex
	t   time.Time
	err error
}

func (h *hand) Now(context.Context) (time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.t, h.err
}

func (h *hand) set(t time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.t, h.err = t, err
}

var (
	policyOld       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 2013}
	policySHA3      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 3}
	policyQualified = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 4}
	policyEmpty     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 5}
)

func policies() []tsa.Policy {
	return []tsa.Policy{
		{Name: "default", OID: policy, Accuracy: 500 * time.Millisecond, Series: "a"},
		tsa.Policy2013("2013", policyOld, time.Second, "a"),
		{Name: "sha3", OID: policySHA3, Accuracy: time.Second, Series: "a", Hashes: []crypto.Hash{crypto.SHA256, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512}},
		{Name: "qualified", OID: policyQualified, Accuracy: 100 * time.Millisecond, Series: "a", Qualified: true},
		{Name: "empty", OID: policyEmpty, Accuracy: time.Second, Series: "nobody"},
	}
}

func newAuthority(t testing.TB, clock tsa.Clock, c tsa.Counter) *tsa.Authority {
	t.Helper()
	a, err := tsa.NewAuthority(tsa.Config{Policies: policies(), Clock: clock, Counter: c, NameInToken: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func unitConfig(id *cmstest.Identity, name string, number uint32) tsa.UnitConfig {
	return tsa.UnitConfig{Name: name, Number: number, Series: "a", Signer: id.Key, Certificate: id.Certificate, Chain: id.Chain, PSS: id.PSS}
}

func add(t testing.TB, a *tsa.Authority, cfg tsa.UnitConfig) {
	t.Helper()
	if err := a.Add(cfg); err != nil {
		t.Fatal(err)
	}
}

// authority gives one with a unit of a P-256 key, at the machine's time.
func authority(t testing.TB) (*tsa.Authority, *cmstest.Identity) {
	t.Helper()
	a := newAuthority(t, wall{}, &counters{})
	id := cmstest.New(t).TSU(t, "p256")
	add(t, a, unitConfig(id, "tsu-1", 1))
	return a, id
}

func stamp(t testing.TB, a *tsa.Authority, req []byte) (tsa.Stamp, *cms.Token) {
	t.Helper()
	s, err := a.Stamp(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	token, err := cms.ParseToken(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

// The facts beside the token are those in it, and the certificates are where they
// are said to be, for every kind of key.
func TestStampFacts(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	data := []byte("documento")
	for i, kind := range []string{"p256", "p384", "p521", "ed25519", "rsa2048", "rsa3072-pss"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			id := pki.TSU(t, kind)
			clock := &hand{t: time.Date(2026, 11, 21, 10, 0, 0, 120_999_999, time.FixedZone("CET", 3600))}
			a := newAuthority(t, clock, &counters{})
			add(t, a, unitConfig(id, "tsu", uint32(i+1)))
			var certificates []byte
			for _, certReq := range []bool{true, false, true} {
				req := request(t, crypto.SHA256, data, certReq)
				s, token := stamp(t, a, req)
				if !certReq {
					token.Certificate = id.Certificate
				}
				if err := token.Verify(func(h crypto.Hash) ([]byte, error) { return digest(h, data), nil }); err != nil {
					t.Fatal(err)
				}
				want := time.Date(2026, 11, 21, 9, 0, 0, 120_000_000, time.UTC)
				if s.Unit != "tsu" || !s.GenTime.Equal(want) || s.GenTime.Location() != time.UTC || !s.Policy.Equal(policy) ||
					token.Info.SerialNumber.Cmp(big.NewInt(s.Serial)) != 0 || s.Serial>>46 != int64(i+1) {
					t.Fatalf("the facts are %+v", s)
				}
				if !token.Info.GenTime.Equal(want) || token.Info.Accuracy != 500*time.Millisecond || token.Info.Ordering || token.Info.Qualified {
					t.Fatalf("the token says %+v", token.Info)
				}
				field := s.Token[s.Certs[0]:s.Certs[1]]
				if !certReq && len(field) > 0 || certReq && (field[0] != 0xa0 || !bytes.Contains(field, id.Certificate.Raw) || !bytes.Contains(field, pki.CA.Raw)) {
					t.Fatalf("certReq %v: the certificates are said to be %x", certReq, field)
				}
				if certificates == nil {
					certificates = bytes.Clone(field)
				}
				if certReq && !bytes.Equal(field, certificates) {
					t.Fatal("the certificates differ from token to token")
				}
				if len(s.Token) > a.MaxTokenSize()+len(token.Info.NonceRaw) {
					t.Fatalf("the token has %d octets, at most %d were announced", len(s.Token), a.MaxTokenSize())
				}
			}
		})
	}
}

// A token goes into the room if it fits, and is whole in either case.
func TestStampInto(t *testing.T) {
	t.Parallel()
	a, _ := authority(t)
	req := request(t, crypto.SHA256, nil, true)
	for _, size := range []int{0, 100, 8192} {
		room := make([]byte, size)
		s, err := a.StampInto(context.Background(), req, room)
		if err != nil {
			t.Fatal(err)
		}
		if inside := size > 0 && &s.Token[0] == &room[0]; inside != (size >= len(s.Token)) {
			t.Errorf("a token of %d octets, a room of %d: inside is %v", len(s.Token), size, inside)
		}
		token, err := cms.ParseToken(s.Token)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.VerifySignature(); err != nil {
			t.Error(err)
		}
	}
}

// Each policy has its own digests and accuracy; requests that name none get the
// first.
func TestPolicies(t *testing.T) {
	t.Parallel()
	a, id := authority(t)
	for _, c := range []struct {
		policy    asn1.ObjectIdentifier
		hash      crypto.Hash
		accuracy  time.Duration // 0: refused
		qualified bool
		want      cms.FailureInfo
	}{
		{nil, crypto.SHA256, 500 * time.Millisecond, false, 0},
		{nil, crypto.SHA512, 500 * time.Millisecond, false, 0},
		{nil, crypto.SHA1, 0, false, cms.BadAlg},
		{nil, crypto.SHA224, 0, false, cms.BadAlg},
		{nil, crypto.SHA3_256, 0, false, cms.BadAlg},
		{policyOld, crypto.SHA1, time.Second, false, 0},
		{policyOld, crypto.SHA256, time.Second, false, 0},
		{policyOld, crypto.SHA384, 0, false, cms.BadAlg},
		{policyOld, crypto.SHA512, 0, false, cms.BadAlg},
		{policySHA3, crypto.SHA3_512, time.Second, false, 0},
		{policySHA3, crypto.SHA384, 0, false, cms.BadAlg},
		{policyQualified, crypto.SHA256, 100 * time.Millisecond, true, 0},
		{policyEmpty, crypto.SHA256, 0, false, cms.SystemFailure},
		{asn1.ObjectIdentifier{1, 2, 3}, crypto.SHA256, 0, false, cms.UnacceptedPolicy},
		{append(append(asn1.ObjectIdentifier{}, policy...), 1), crypto.SHA256, 0, false, cms.UnacceptedPolicy},
	} {
		req, err := (&cms.TimestampRequest{Hash: c.hash, Imprint: digest(c.hash, nil), Policy: c.policy}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		r, err := cms.ParseResponse(a.Respond(context.Background(), req))
		if err != nil {
			t.Fatal(err)
		}
		if c.accuracy == 0 {
			if r.Refusal == nil || r.Refusal.FailureInfo != c.want {
				t.Errorf("%v with %v: got %v, want %v", c.policy, c.hash, r.Refusal, c.want)
			}
			continue
		}
		if r.Refusal != nil {
			t.Errorf("%v with %v: %v", c.policy, c.hash, r.Refusal)
			continue
		}
		token, err := cms.ParseToken(r.Token)
		if err != nil {
			t.Fatal(err)
		}
		token.Certificate = id.Certificate
		if err := token.VerifySignature(); err != nil {
			t.Fatal(err)
		}
		if c.policy != nil && !token.Info.Policy.Equal(c.policy) || c.policy == nil && !token.Info.Policy.Equal(policy) ||
			token.Info.Accuracy != c.accuracy || token.Info.Qualified != c.qualified || token.Info.Hash != c.hash {
			t.Errorf("%v with %v: the token says %+v", c.policy, c.hash, token.Info)
		}
	}
}

// unitFor makes a unit whose key may be used from one time to another.
func unitFor(t testing.TB, pki *cmstest.PKI, name string, number uint32, from, to time.Time) tsa.UnitConfig {
	t.Helper()
	const layout = "20060102150405Z"
	period := fmt.Sprintf("\x30\x22\x80\x0f%s\x81\x0f%s", from.Format(layout), to.Format(layout))
	id := pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: from, NotAfter: to.AddDate(20, 0, 0),
		ExtraExtensions: []pkix.Extension{cmstest.TimeStampingEKU(true), {Id: []int{2, 5, 29, 16}, Value: []byte(period)}},
	})
	return unitConfig(id, name, number)
}

// Units follow one another: of those whose time it is the newest stamps, and at the
// end of a key's time of use it stamps no more, though its certificate lives on.
func TestRollOver(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	day := func(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	clock := &hand{t: day(1)}
	a := newAuthority(t, clock, &counters{})
	add(t, a, unitFor(t, pki, "second", 2, day(80), day(170)))
	add(t, a, unitFor(t, pki, "first", 1, day(0), day(90)))
	third := unitFor(t, pki, "third", 3, day(160), day(250))
	third.From, third.To = day(165), day(200) // the operator's own bounds
	add(t, a, third)
	req := request(t, crypto.SHA256, nil, false)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{day(0).Add(-time.Second), ""}, {day(0), "first"}, {day(79), "first"}, {day(80).Add(-time.Millisecond), "first"},
		{day(80), "second"}, {day(90), "second"}, {day(164), "second"}, {day(165), "third"}, {day(170), "third"},
		{day(200), "third"}, {day(200).Add(time.Millisecond), ""}, {day(240), ""},
	} {
		clock.set(c.at, nil)
		s, err := a.Stamp(context.Background(), req)
		if s.Unit != c.want || c.want == "" && tsa.KindOf(err) != tsa.NotValid {
			t.Errorf("at %v: unit %q, %v; want %q", c.at, s.Unit, err, c.want)
		}
		current := ""
		for _, u := range a.Units(context.Background()) {
			if u.Current {
				current += u.Name
			}
		}
		if current != c.want {
			t.Errorf("at %v: the list says that %q is current, want %q", c.at, current, c.want)
		}
	}
}

// A stopped unit stamps no more; the one before it goes on if its time is not over.
// It can come back with its key, and with no other.
func TestStop(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	now := time.Now()
	clock := &hand{t: now}
	a := newAuthority(t, clock, &counters{})
	old, fresh := unitFor(t, pki, "old", 1, now.AddDate(0, -2, 0), now.AddDate(0, 1, 0)), unitFor(t, pki, "fresh", 2, now.AddDate(0, 0, -1), now.AddDate(0, 3, 0))
	add(t, a, old)
	add(t, a, fresh)
	req := request(t, crypto.SHA256, nil, false)
	unit := func() string {
		s, err := a.Stamp(context.Background(), req)
		if (err == nil) != (s.Unit != "") || err != nil && tsa.KindOf(err) != tsa.Stopped {
			t.Fatalf("got %q, %v", s.Unit, err)
		}
		return s.Unit
	}
	if got := unit(); got != "fresh" {
		t.Fatalf("%q stamps", got)
	}
	if !a.Stop("fresh", "key compromised") || a.Stop("nobody", "") {
		t.Fatal("Stop knows other units")
	}
	if got := unit(); got != "old" {
		t.Fatalf("after the stop %q stamps", got)
	}
	a.Stop("old", "")
	if got := unit(); got != "" {
		t.Fatalf("after both stops %q stamps", got)
	}
	for _, u := range a.Units(context.Background()) {
		if u.State != tsa.UnitStopped || u.Reason == "" || u.Current || u.Stamps != 1 {
			t.Fatalf("the list says %+v", u)
		}
	}
	other := unitFor(t, pki, "fresh", 2, now.AddDate(0, 0, -1), now.AddDate(0, 3, 0))
	if err := a.Add(other); tsa.KindOf(err) != tsa.BadConfig {
		t.Fatalf("another key under a name that was used: %v", err)
	}
	clock.set(now.Add(2*time.Second), nil) // past the promise of the first life
	add(t, a, fresh)
	if got := unit(); got != "fresh" {
		t.Fatalf("after it came back %q stamps", got)
	}
	if err := a.Add(fresh); tsa.KindOf(err) != tsa.BadConfig {
		t.Fatalf("twice in service: %v", err)
	}
}

// What cannot keep its word is not set up.
func TestAuthorityRefusesConfig(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.TSU(t, "p256")
	for name, change := range map[string]func(*tsa.Config){
		"no clock":        func(c *tsa.Config) { c.Clock = nil },
		"no counter":      func(c *tsa.Config) { c.Counter = nil },
		"no policy":       func(c *tsa.Config) { c.Policies = nil },
		"no identifier":   func(c *tsa.Config) { c.Policies[1].OID = nil },
		"one arc":         func(c *tsa.Config) { c.Policies[1].OID = asn1.ObjectIdentifier{1} },
		"policy twice":    func(c *tsa.Config) { c.Policies[1].OID = policy },
		"no series":       func(c *tsa.Config) { c.Policies[0].Series = "" },
		"no accuracy":     func(c *tsa.Config) { c.Policies[0].Accuracy = 0 },
		"coarse accuracy": func(c *tsa.Config) { c.Policies[0].Accuracy = 1001 * time.Millisecond },
		"lax clock":       func(c *tsa.Config) { c.Clock = lax{} },
		"SHA-1":           func(c *tsa.Config) { c.Policies[0].Hashes = []crypto.Hash{crypto.SHA256, crypto.SHA1} },
		"SHA-224":         func(c *tsa.Config) { c.Policies[0].Hashes = []crypto.Hash{crypto.SHA224} },
		"MD5":             func(c *tsa.Config) { c.Policies[1].Hashes = []crypto.Hash{crypto.MD5} },
	} {
		cfg := tsa.Config{Policies: policies(), Clock: wall{}, Counter: &counters{}}
		change(&cfg)
		if _, err := tsa.NewAuthority(cfg); tsa.KindOf(err) != tsa.BadConfig {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, change := range map[string]func(*tsa.UnitConfig){
		"no name":           func(u *tsa.UnitConfig) { u.Name = "" },
		"no series":         func(u *tsa.UnitConfig) { u.Series = "" },
		"unknown series":    func(u *tsa.UnitConfig) { u.Series = "b" },
		"no key":            func(u *tsa.UnitConfig) { u.Signer = nil },
		"no certificate":    func(u *tsa.UnitConfig) { u.Certificate = nil },
		"large number":      func(u *tsa.UnitConfig) { u.Number = 1 << 17 },
		"key of another":    func(u *tsa.UnitConfig) { u.Signer = cmstest.Key(t, "p256") },
		"chain of another":  func(u *tsa.UnitConfig) { u.Chain = []*x509.Certificate{pki.Root} },
		"PSS with ECDSA":    func(u *tsa.UnitConfig) { u.PSS = true },
		"never":             func(u *tsa.UnitConfig) { u.From, u.To = time.Now(), time.Now().Add(-time.Hour) },
		"number of another": func(u *tsa.UnitConfig) { u.Number = 7 },
		"name of another":   func(u *tsa.UnitConfig) { u.Name = "there" },
		"signer's certificate": func(u *tsa.UnitConfig) {
			u.Certificate = pki.Identity(t, id.Key, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}).Certificate
		},
	} {
		a := newAuthority(t, wall{}, &counters{})
		add(t, a, unitConfig(pki.TSU(t, "ed25519"), "there", 7))
		cfg := unitConfig(id, "new", 8)
		change(&cfg)
		if err := a.Add(cfg); tsa.KindOf(err) != tsa.BadConfig {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n, err := tsa.UnitNumber(127, 1023); n != 1<<17-1 || err != nil {
		t.Errorf("the greatest number is %d, %v", n, err)
	}
	for _, bad := range [][2]uint32{{128, 0}, {0, 1024}, {math.MaxUint32, 0}} {
		if _, err := tsa.UnitNumber(bad[0], bad[1]); tsa.KindOf(err) != tsa.BadConfig {
			t.Errorf("unit %d of node %d: %v", bad[1], bad[0], err)
		}
	}
}

// Each kind of error has one answer, and causes stay inside.
func TestRefusalTable(t *testing.T) {
	t.Parallel()
	for kind, want := range map[tsa.Kind]cms.FailureInfo{
		tsa.BadRequest: cms.BadRequest, tsa.NotPermitted: cms.BadRequest, tsa.UnacceptedHash: cms.BadAlg,
		tsa.UnacceptedPolicy: cms.UnacceptedPolicy, tsa.TimeNotAvailable: cms.TimeNotAvailable, tsa.NotValid: cms.SystemFailure,
		tsa.Stopped: cms.SystemFailure, tsa.Unavailable: cms.SystemFailure, tsa.BadConfig: cms.SystemFailure,
	} {
		err := fmt.Errorf("wrapped: %w", &tsa.Error{Kind: kind, Msg: "what to do", Err: errors.New("secret")})
		if got := tsa.Refusal(err); got.FailureInfo != want || got.Text != "what to do" {
			t.Errorf("%s: got %+v, want %v", kind, got, want)
		}
	}
	inner := &cms.Refusal{FailureInfo: cms.UnacceptedExtension, Text: "no extensions"}
	if got := tsa.Refusal(&tsa.Error{Kind: tsa.BadRequest, Msg: "x", Err: inner}); got != *inner {
		t.Errorf("a refusal of the parser becomes %+v", got)
	}
	if got := tsa.Refusal(errors.New("secret")); got.FailureInfo != cms.SystemFailure || strings.Contains(got.Text, "secret") || got.Text == "" {
		t.Errorf("an error of elsewhere becomes %+v", got)
	}
}
