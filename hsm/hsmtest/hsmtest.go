// Package hsmtest gives tests a real token: a fresh SoftHSM2 token in a
// throw-away directory.
//
// A PKCS#11 library reads its configuration once per process, so all tokens of a
// test process live in one directory, each under a label of its own; tests may
// therefore run in parallel. The directory goes when the last test that asked
// for a token ends.
//
// The environment variable SOFTHSM2_CONF is set for the rest of the process, and
// so for every child process that a test starts: a child opens the token with
// the same hsm.Config. (It should be the only user of the token then; SoftHSM
// lets two processes share one, but keeps their sessions and logins apart.)
package hsmtest

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sigillo/hsm"
)

// Module is where Debian's package softhsm2 puts the library; the environment
// variable SOFTHSM2_MODULE names another place.
const Module = "/usr/lib/softhsm/libsofthsm2.so"

var shared struct {
	mu    sync.Mutex
	dir   string // never changes once set: a library that is loaded remembers it
	users int
}

// Token initialises a fresh token and returns how to open it. The test is
// skipped, naming the missing package, on a machine without SoftHSM2. The token
// is removed when the test ends; close it before (for instance with t.Cleanup,
// registered after the call of Token).
func Token(t testing.TB) hsm.Config {
	t.Helper()
	module := Module
	if m := os.Getenv("SOFTHSM2_MODULE"); m != "" {
		module = m
	}
	if _, err := os.Stat(module); err != nil {
		t.Skipf("missing the Debian package softhsm2: no PKCS#11 module at %s (or set SOFTHSM2_MODULE)", module)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		if err := prepare(); err != nil {
			t.Fatalf("prepare a directory for SoftHSM: %v", err)
		}
	}
	shared.users++
	t.Cleanup(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.users--; shared.users == 0 {
			_ = os.RemoveAll(shared.dir) // a left-over below the temporary directory is no failure
		}
	})
	name := make([]byte, 8)
	rand.Read(name)
	cfg := hsm.Config{Module: module, Token: "test-" + hex.EncodeToString(name), PIN: []byte(rand.Text()[:12])}
	if err := hsm.InitToken(cfg, []byte(rand.Text()[:12])); err != nil {
		t.Fatalf("initialise a SoftHSM token: %v", err)
	}
	return cfg
}

// prepare makes the directory and its configuration file, again if the last test
// took them away, and points SoftHSM to them. Nobody uses the directory yet: the
// library may read the file at any time later, so it must not be rewritten then.
func prepare() error {
	if shared.dir == "" {
		dir, err := os.MkdirTemp("", "softhsm-")
		if err != nil {
			return err
		}
		shared.dir = dir
	}
	tokens := filepath.Join(shared.dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return err
	}
	conf := filepath.Join(shared.dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Setenv("SOFTHSM2_CONF", conf)
}
