package hsm_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/hsm"
)

var stressTime = flag.Duration("stress", 1500*time.Millisecond, "how long TestStress runs")

// TestStress does everything at the same time, wrong secrets included, because
// they make sessions come and go. Not one call may fail that should not; this is
// the measurement behind the locks of Token.sharing.
func TestStress(t *testing.T) {
	t.Parallel()

	tok := open(t)
	for _, err := range []error{tok.GenerateMaster(ctx, "master"), tok.GenerateMACKey(ctx, "mac"), tok.GenerateSealKey(ctx, "seal")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	if err != nil {
		t.Fatal(err)
	}
	d := secret(t)
	w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("text"))
	sign := func(s crypto.Signer) error {
		_, err := s.Sign(nil, digest[:], crypto.SHA256)
		return err
	}

	end := time.Now().Add(*stressTime)
	var wg sync.WaitGroup
	var counts sync.Map
	run := func(name string, pause time.Duration, f func(i int) error) {
		n := new(atomic.Int64)
		counts.Store(name, n)
		wg.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				if err := f(i); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				n.Add(1)
				time.Sleep(pause)
			}
		})
	}
	for i := range 3 {
		run(fmt.Sprint("use", i), 0, func(int) error { return tok.UseWrapped(ctx, "master", d, w, sign) })
	}
	run("wrong secret", 0, func(int) error {
		wrong := d
		rand.Read(wrong[:])
		if err := tok.UseWrapped(ctx, "master", wrong, w, sign); hsm.KindOf(err) != hsm.WrongSecret {
			return fmt.Errorf("wanted a refusal, got %v", err)
		}
		return nil
	})
	run("generate", 0, func(int) error {
		_, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
		return err
	})
	run("generate in the token", 50*time.Millisecond, func(i int) error {
		_, err := tok.GenerateSigner(ctx, fmt.Sprint("key ", i), hsm.P256)
		return err
	})
	run("look up", 10*time.Millisecond, func(int) error {
		has, err := tok.Has("key")
		if err == nil && !has {
			return fmt.Errorf("the key is gone")
		}
		return err
	})
	run("sign", 0, func(int) error { return sign(key) })
	run("mac", time.Millisecond, func(int) error { _, err := tok.MAC(ctx, "mac", digest[:]); return err })
	run("seal", time.Millisecond, func(int) error {
		sealed, err := tok.Seal(ctx, "seal", nil, digest[:])
		if err == nil {
			_, err = tok.Unseal(ctx, "seal", nil, sealed)
		}
		return err
	})
	wg.Wait()
	counts.Range(func(name, n any) bool {
		t.Logf("%-22s %d", name, n.(*atomic.Int64).Load())
		if n.(*atomic.Int64).Load() == 0 {
			t.Errorf("%s never ran", name)
		}
		return true
	})
}

func secret(t testing.TB) (d [32]byte) {
	t.Helper()
	rand.Read(d[:])
	return d
}
