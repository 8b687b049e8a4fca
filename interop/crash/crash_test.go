// Package crash kills the service and the vault at random while they stamp, and
// looks at what is left:
//
//   - no serial number was given twice, in any round;
//   - every token that a client received is in the archive and the journal, byte
//     for byte;
//   - what is there besides are the tokens of requests whose connections broke;
//   - the accounts agree with the archive.
//
// A few rounds are part of the tests; ROUNDS=200 makes as many, and SEED=n the same
// once more.
package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigillo/interop/load"
	"sigillo/interop/rig"
)

const (
	clients  = 16
	patience = 60 * time.Second // for the service to stamp again
	// pollTime is how often it is looked whether it does.
	pollTime = 20 * time.Millisecond
)

// victims are what is killed, in the first rounds one after the other, then at random.
var victims = []string{"vault", "service", "both"}

// issued is a token as a client received it.
type issued struct {
	serial uint64
	token  [32]byte // SHA-256
}

// run is the state of the test over its rounds.
type run struct {
	t         *testing.T
	appliance *rig.Appliance
	archive   archive
	random    *rand.Rand

	answered map[[32]byte]issued // of this round, by imprint
	count    atomic.Int64        // of all rounds
	serials  map[uint64]bool     // archived in any round
	archived int64
	unheard  int64 // archived, but their connections broke
}

func TestCrash(t *testing.T) {
	rounds := setting(t, "ROUNDS", uint64(len(victims)))
	seed := setting(t, "SEED", rand.Uint64())
	t.Logf("SEED=%d", seed)
	dir := t.TempDir()
	a, err := rig.Provision(t.Context(), program(t), filepath.Join(dir, "appliance"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer a.Kill()
	r := &run{t: t, appliance: a, archive: archiveOf(a.Dir), random: rand.New(rand.NewPCG(seed, 0)), serials: map[uint64]bool{}}
	for n := range rounds {
		victim := victims[r.random.IntN(len(victims))]
		if n < uint64(len(victims)) {
			victim = victims[n]
		}
		r.round(int(n), victim)
		if t.Failed() {
			keep(t, a)
			t.FailNow()
		}
	}
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
	if err := r.archive.verify(t.Context()); err != nil {
		t.Error(err)
	}
	if out, err := a.Command(t.Context(), "journal verify"); err != nil {
		t.Errorf("sigillo journal verify: %v: %s", err, out)
	}
	t.Logf("%d rounds, %d tokens answered, %d archived, %d of them for connections that broke", rounds, r.count.Load(), r.archived, r.unheard)
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// program builds ours. The test is skipped where the token is missing.
func program(t *testing.T) string {
	t.Helper()
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		t.Skipf("missing the Debian package softhsm2: no PKCS#11 module at %s", module)
	}
	path := filepath.Join(t.TempDir(), "sigillo")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "sigillo/cmd/sigillo")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

// round puts the service under load, kills, waits until stamps are given again,
// and looks at what is left.
func (r *run) round(n int, victim string) {
	r.t.Helper()
	began := time.Now()
	r.answered = map[[32]byte]issued{}
	end, done := make(chan struct{}), make(chan struct{})
	var report *load.Report
	var loadErr error
	go func() {
		defer close(done)
		report, loadErr = load.Run(r.t.Context(), load.Options{Addr: r.appliance.Addr, Path: "/tsa", Clients: clients, For: time.Hour,
			Stubborn: true, End: end, OnAnswer: r.note})
	}()
	r.moreThan(r.count.Load())
	time.Sleep(time.Duration(r.random.IntN(700)) * time.Millisecond)
	r.kill(victim)
	r.moreThan(r.count.Load() + clients) // those under way may have had their answers
	time.Sleep(time.Duration(r.random.IntN(300)) * time.Millisecond)
	close(end)
	<-done
	if loadErr != nil {
		r.t.Fatalf("round %d: %v", n, loadErr)
	}
	if report.Errors != report.Refused {
		r.t.Errorf("round %d, %s killed: %d errors that are no refusals; first: %v", n, victim, report.Errors-report.Refused, report.FirstError)
	}
	before := r.unheard
	r.compare(n)
	if lost := r.unheard - before; lost > int64(report.Broken+report.Refused) {
		r.t.Errorf("round %d, %s killed: %d tokens are archived that nobody received, but only %d connections broke", n, victim, lost, report.Broken)
	}
	r.t.Logf("round %d, %s killed: %d answered, %d refused, %d connections broke, %.1f s",
		n, victim, len(r.answered), report.Refused, report.Broken, time.Since(began).Seconds())
}

// note keeps what a client received.
func (r *run) note(imprint []byte, serial uint64, response []byte) {
	r.answered[[32]byte(imprint)] = issued{serial, sha256.Sum256(load.Token(response))}
	r.count.Add(1)
}

// moreThan waits until more stamps than n were answered.
func (r *run) moreThan(n int64) {
	r.t.Helper()
	for limit := time.Now().Add(patience); r.count.Load() <= n; time.Sleep(pollTime) {
		if time.Now().After(limit) {
			keep(r.t, r.appliance)
			r.t.Fatalf("no stamps for %s", patience)
		}
	}
}

// kill ends the victim with SIGKILL and, where that was the service, starts it again.
func (r *run) kill(victim string) {
	r.t.Helper()
	if victim != "service" {
		pid := r.vault()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			r.t.Fatalf("killing the vault, process %d: %v", pid, err)
		}
	}
	if victim != "vault" {
		r.appliance.Kill()
		if err := r.appliance.Serve(r.t.Context()); err != nil {
			keep(r.t, r.appliance)
			r.t.Fatal(err)
		}
	}
}

// vault gives the process of the vault, which may be starting.
func (r *run) vault() int {
	r.t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(pollTime) {
		if pid := r.appliance.VaultPID(); pid != 0 {
			return pid
		}
	}
	r.t.Fatal("there is no vault")
	return 0
}

// compare holds what was answered in this round against what was archived in it.
func (r *run) compare(n int) {
	r.t.Helper()
	missing := len(r.answered)
	err := r.archive.since(r.t.Context(), func(imprint []byte, serial uint64, token []byte) error {
		r.archived++
		if r.serials[serial] {
			return fmt.Errorf("serial number %d was given twice", serial)
		}
		r.serials[serial] = true
		was, ok := r.answered[[32]byte(imprint)]
		if !ok {
			r.unheard++
			return nil
		}
		missing--
		if was.serial != serial || was.token != sha256.Sum256(token) {
			return fmt.Errorf("token %d of the archive is not the one that was answered", serial)
		}
		if !bytes.Contains(token, imprint) {
			return fmt.Errorf("token %d of the archive is not over its imprint", serial)
		}
		return nil
	})
	if err != nil {
		r.t.Errorf("round %d: %v", n, err)
	}
	if missing != 0 {
		r.t.Errorf("round %d: %d tokens that clients received are not in the archive", n, missing)
	}
}

// keep leaves what the service said where it can be read.
func keep(t *testing.T, a *rig.Appliance) {
	data, err := os.ReadFile(filepath.Join(a.Dir, "serve.log"))
	if err == nil {
		t.Logf("serve.log ends:\n%s", data[max(0, len(data)-3000):])
	}
}

// archive is where the appliance keeps its tokens, read beside it.
type archive interface {
	// since visits what was archived since the last call.
	since(ctx context.Context, visit func(imprint []byte, serial uint64, token []byte) error) error
	// verify checks it as a whole, when nothing is under way.
	verify(ctx context.Context) error
}
