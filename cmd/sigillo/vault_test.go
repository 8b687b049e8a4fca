package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/appliance"
)

// A vault that lives and does not answer: the health says so soon, and the vault is
// killed and comes back with its units.
func TestSilentVault(t *testing.T) {
	t.Parallel()
	a, err := appliance.Open(t.Context(), newFolder(t), appliance.Options{Log: quiet(), Patience: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	stuck := a.VaultPID()
	if err := syscall.Kill(stuck, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !stopped(t, stuck) { // until then it may answer
		time.Sleep(time.Millisecond)
	}
	if err := a.Health(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("health: %v, %v", err, ctx.Err())
	}
	for a.VaultPID() == stuck || a.Health(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("the vault was not started again")
		}
		time.Sleep(50 * time.Millisecond)
	}
	h := &house{Appliance: a}
	if !h.journalled(t, "vault.silent", "", "") {
		t.Error("the journal does not know")
	}
}

// stopped tells whether all threads of a process are: a signal stops one after the
// other.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d: %v, %d threads", pid, err, len(threads))
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(stat, []byte(") T ")) { // proc_pid_stat(5)
			return false
		}
	}
	return true
}

// A command beside a service whose vault takes connections and says nothing does not
// wait without a word.
func TestCommandBesideSilentVault(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	l, err := net.Listen("unix", filepath.Join(dir, "vault", "vault.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := appliance.Open(ctx, dir, appliance.Options{Log: quiet(), Unattended: true, Patience: time.Second})
	if err == nil {
		a.Close()
	}
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

// `sigillo vault` started by hand finds the token: what the module reads from its
// environment is in the configuration.
func TestVaultByHand(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "vault", "--dir", newFolder(t))
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	cancel()
	_ = cmd.Wait() // its end is the cancellation's
	if line != "ready\n" {
		t.Errorf("%q: %s", line, said.String())
	}
}
