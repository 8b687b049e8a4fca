package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"sigillo/hsm"
)

// softModule is where Debian's package softhsm2 puts the library.
const softModule = "/usr/lib/softhsm/libsofthsm2.so"

// floors are the signatures a second of the bare keys on all cores: nothing else
// runs, no client, no protocol.
func (b *bench) floors(ctx context.Context, key string) (map[string]float64, error) {
	soft, err := softKey(key)
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	if all["soft"], err = signing(soft, b.time/2); err != nil {
		return nil, err
	}
	tok, err := b.token()
	if err != nil {
		return nil, err
	}
	defer tok.Close()
	label := fmt.Sprintf("%s-%d", key, time.Now().UnixNano())
	hard, err := tok.GenerateSigner(ctx, label, hsm.KeyType(key))
	if err != nil {
		return nil, err
	}
	all["softhsm"], err = signing(hard, b.time/2)
	fmt.Fprintf(os.Stderr, "%s bare on %d cores: in memory %.0f/s, SoftHSM %.0f/s\n", key, runtime.NumCPU(), all["soft"], all["softhsm"])
	return all, err
}

func softKey(key string) (crypto.Signer, error) {
	switch key {
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("unknown type of key %q", key)
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
	if err := hsm.InitToken(cfg.Module, cfg.Token, []byte("0987654321"), cfg.PIN); err != nil {
		return nil, err
	}
	return hsm.Open(cfg)
}

// signing gives the signatures a second, with two requests under way for each core.
func signing(key crypto.Signer, d time.Duration) (float64, error) {
	digest := sha256.Sum256([]byte("text"))
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began := time.Now()
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
		return 0, *err
	}
	return float64(count.Load()) / time.Since(began).Seconds(), nil
}
