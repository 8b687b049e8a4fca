package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/appliance"
	"sigillo/hsm/hsmtest"
)

// sigillo runs this program with arguments and gives what it says and its code.
func sigillo(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command(exe, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(b), code
}

func wantSaid(t *testing.T, out string, code, wantCode int, words ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("code %d, want %d: %s", code, wantCode, out)
	}
	for _, want := range words {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// The command says what a token enforces: of the appliance's own, and of another
// one, which then is refused as an appliance's token for the reasons it gave.
func TestVaultSelfTest(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	out, code := sigillo(t, "vault", "--self-test", "--dir", dir)
	wantSaid(t, out, code, exitGood, "SoftHSM", "yes  holders' keys  a changed wrapped rsa2048 key is refused", "fit for holders' keys               yes")
	out, code = sigillo(t, "vault", "--self-test", "--json", "--dir", dir)
	wantSaid(t, out, code, exitGood, `"house":true`, `"required":true`)
	out, code = sigillo(t, "vault", "--self-test", "--dir", filepath.Join(dir, "none"))
	wantSaid(t, out, code, exitUnreadable, "sigillo init")

	nss := hsmtest.NSS(t)
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, append(nss.PIN, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code = sigillo(t, "vault", "--self-test", "--dir", filepath.Join(dir, "none"),
		"--module", nss.Module, "--module-arguments", nss.Arguments, "--token", nss.Token, "--pin-file", pin)
	wantSaid(t, out, code, exitBad, "Mozilla", "NO   all keys       a resident rsa2048 key is not wrapped", "fit for holders' keys               NO, 14 reasons")
	out, code = sigillo(t, "vault", "--self-test", "--module", nss.Module, "--module-arguments", nss.Arguments, "--token", "another", "--pin-file", pin)
	wantSaid(t, out, code, exitUnreadable, `no token is labelled "another"`)

	cfg := appliance.DefaultConfig()
	cfg.HSM = appliance.HSM{Module: nss.Module, Arguments: nss.Arguments, Token: nss.Token, PINFile: pin}
	err := appliance.Init(t.Context(), filepath.Join(t.TempDir(), "appliance"), cfg, appliance.Options{Log: quiet()}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "the token is refused") {
		t.Errorf("an appliance with that token: %v", err)
	}
}

// The command says how a running vault is confined, and that there is none.
func TestVaultStatus(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	out, code := sigillo(t, "vault", "--status", "--dir", dir)
	wantSaid(t, out, code, 1, "the vault is not running")
	open(t, dir)
	out, code = sigillo(t, "vault", "--status", "--dir", dir)
	wantSaid(t, out, code, exitGood, "SoftHSM", "files and TCP (landlock): none but its own state", "system calls (seccomp): no new program")
	out, code = sigillo(t, "vault", "--status", "--json", "--dir", dir)
	wantSaid(t, out, code, exitGood, `"confinement":[`, `"held":true`)
}
