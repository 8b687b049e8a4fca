package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/hsm"
	"sigillo/interop/rig"
)

// softModule is where Debian's package softhsm2 puts the library.
const softModule = "/usr/lib/softhsm/libsofthsm2.so"

// bare is what a key does alone: no client, no protocol.
type bare struct {
	rate float64       // signatures a second on all cores
	cpu  time.Duration // processor time of one
}

// bareKeys are keys of a type like those that the servers have, by the names of
// the servers that sign with such a one.
func (b *bench) bareKeys(ctx context.Context, key string) (keys map[string]crypto.Signer, stop func(), err error) {
	soft, err := rig.NewKey(key)
	if err != nil {
		return nil, nil, err
	}
	tok, err := b.token()
	if err != nil {
		return nil, nil, err
	}
	hard, err := tok.GenerateSigner(ctx, key, hsm.KeyType(key))
	if err != nil {
		tok.Close()
		return nil, nil, err
	}
	return map[string]crypto.Signer{"soft": soft, "softhsm": hard}, func() { _ = tok.Close() }, nil
}

// token opens a token of this run; a PKCS#11 library reads its configuration once.
func (b *bench) token() (*hsm.Token, error) {
	cfg := hsm.Config{Module: softModule, Token: "bench", PIN: []byte("1234567890")}
	dir := filepath.Join(b.dir, "softhsm")
	if _, err := os.Stat(dir); err == nil {
		return hsm.Open(cfg)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		return nil, err
	}
	if err := hsm.InitToken(cfg, []byte("0987654321")); err != nil {
		return nil, err
	}
	return hsm.Open(cfg)
}

// signing measures a key, with two requests under way for each core.
func signing(key crypto.Signer, d time.Duration) (bare, error) {
	digest := sha256.Sum256([]byte("text"))
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began, before := time.Now(), processorTime()
	for range 2 * runtime.NumCPU() {
		all.Go(func() {
			for failed.Load() == nil && time.Since(began) < d {
				if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return bare{}, *err
	}
	n := count.Load()
	return bare{float64(n) / time.Since(began).Seconds(), (processorTime() - before) / time.Duration(n)}, nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mean is the middle of two measurements.
func mean(a, b bare) bare { return bare{(a.rate + b.rate) / 2, (a.cpu + b.cpu) / 2} }
