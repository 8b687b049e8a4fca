package hsmtest

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sigillo/hsm"
)

// NSSModule is where Debian's package libnss3 puts the software token of Mozilla's
// NSS, for each kind of processor in a folder of its own; the environment variable
// NSS_MODULE names another place.
const NSSModule = "/usr/lib/*-linux-gnu/libsoftokn3.so"

// nss is held by the test that has the token: the library takes one directory for
// a process.
var nss sync.Mutex

// NSS initialises a fresh token of another maker, in a directory of the test's own,
// and returns how to open it. It is a real token that answers differently from
// SoftHSM and enforces less. One test has it at a time; the others wait. The test
// is skipped, naming the missing package, on a machine without it.
func NSS(t testing.TB) hsm.Config {
	t.Helper()
	pattern := NSSModule
	if m := os.Getenv("NSS_MODULE"); m != "" {
		pattern = m
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Skipf("missing the Debian package libnss3: no PKCS#11 module at %s (or set NSS_MODULE)", pattern)
	}
	module := found[0]
	nss.Lock()
	t.Cleanup(nss.Unlock)
	cfg := hsm.Config{Module: module, Token: "nss-test", PIN: []byte(rand.Text()[:12]),
		Arguments: "configDir='sql:" + t.TempDir() + "' certPrefix='' keyPrefix='' secmod='' flags='' dbTokenDescription='nss-test'"}
	if err := hsm.InitToken(cfg, nil); err != nil {
		t.Fatalf("initialise a token of NSS: %v", err)
	}
	return cfg
}
