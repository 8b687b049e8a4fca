package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// liar is a key device that fails, or gives values that do not verify.
type liar struct {
	crypto.Signer
	fails atomic.Bool
}

func (k *liar) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if k.fails.Load() {
		return nil, errors.New("slot 4711: device removed")
	}
	other := bytes.Clone(digest)
	other[0] ^= 1
	return k.Signer.Sign(r, other, o)
}

// No token leaves that does not verify, whatever the kind of key, and the requester
// is not told the inside of it.
func TestSelfCheck(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, kind := range []string{"p256", "p384", "ed25519", "rsa2048", "rsa2048-pss"} {
		id := pki.TSU(t, kind)
		key := &liar{Signer: id.Key}
		a := newAuthority(t, wall{}, &counters{})
		cfg := unitConfig(id, "tsu", 1)
		cfg.Signer = key
		add(t, a, cfg)
		for _, fails := range []bool{false, true} {
			key.fails.Store(fails)
			s, err := a.Stamp(context.Background(), request(t, crypto.SHA256, nil, true))
			r := tsa.Refusal(err)
			if s.Token != nil || tsa.KindOf(err) != tsa.Unavailable || r.FailureInfo != cms.SystemFailure || strings.Contains(r.Text, "4711") {
				t.Errorf("%s, fails %v: got %v, %v", kind, fails, err, r)
			}
		}
		if u := a.Units(context.Background())[0]; u.Failures != 2 || u.Stamps != 0 {
			t.Errorf("%s: the list says %+v", kind, u)
		}
	}
}

// slow is a key device that takes its time, and counts how many wait at once.
type slow struct {
	crypto.Signer
	now, most atomic.Int64
	gate      chan struct{}
}

func (k *slow) SignContext(ctx context.Context, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if n := k.now.Add(1); n > k.most.Load() {
		k.most.Store(n)
	}
	defer k.now.Add(-1)
	select {
	case <-k.gate:
		return k.Signer.Sign(nil, digest, o)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Signatures are asked for side by side, the context reaches the key, and one who
// has gone is not served.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).TSU(t, "p256")
	key := &slow{Signer: id.Key, gate: make(chan struct{})}
	a := newAuthority(t, wall{}, &counters{})
	cfg := unitConfig(id, "tsu", 1)
	cfg.Signer = key
	add(t, a, cfg)
	req := request(t, crypto.SHA256, nil, false)
	const callers = 16
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := a.Stamp(context.Background(), req); err != nil {
				t.Error(err)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); key.now.Load() < callers && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.Stamp(ctx, req); !errors.Is(err, context.DeadlineExceeded) || tsa.KindOf(err) != tsa.Unavailable {
		t.Errorf("a key that does not answer: %v", err)
	}
	if _, err := a.Stamp(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a requester who has gone: %v", err)
	}
	close(key.gate)
	wg.Wait()
	if key.most.Load() < callers {
		t.Errorf("at most %d signatures were under way at once", key.most.Load())
	}
}

// MaxTokenSize holds for every token without a nonce, and is reached when the
// signature value is as long as it can be.
func TestAuthorityMaxTokenSize(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, kind := range []string{"p256", "p384", "rsa2048", "ed25519"} {
		c := &counters{next: map[string]int64{"tsu": 1<<46 - 1<<16}, promised: map[string]time.Time{}} // the longest serial numbers
		a := newAuthority(t, &hand{t: time.Date(2026, 11, 21, 10, 0, 0, 123_000_000, time.UTC)}, c)
		add(t, a, unitConfig(pki.TSU(t, kind), "tsu", 1<<17-1))
		req := []byte(seq(v1, im(crypto.SHA512, null), oid(policyQualified), yes))
		longest := 0
		for range 64 {
			s, _ := stamp(t, a, req)
			longest = max(longest, len(s.Token))
		}
		if longest > a.MaxTokenSize() {
			t.Errorf("%s: a token has %d octets, MaxTokenSize is %d", kind, longest, a.MaxTokenSize())
		}
		if longest < a.MaxTokenSize()-2 { // an ECDSA value of full length comes once in four
			t.Errorf("%s: no token came near MaxTokenSize %d; the longest has %d", kind, a.MaxTokenSize(), longest)
		}
	}
}

// When the numbers of a unit are used up, it stops: none is given twice.
func TestNumbersUsedUp(t *testing.T) {
	t.Parallel()
	c := &counters{next: map[string]int64{"tsu": 1<<46 - 100}, promised: map[string]time.Time{}}
	a := newAuthority(t, wall{}, c)
	add(t, a, unitConfig(cmstest.New(t).TSU(t, "p256"), "tsu", 1))
	if _, err := a.Stamp(context.Background(), request(t, crypto.SHA256, nil, false)); tsa.KindOf(err) != tsa.Stopped {
		t.Fatalf("got %v", err)
	}
}
