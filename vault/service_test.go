package vault

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
	"sigillo/tsa"
	"sigillo/tsa/clock"
)

// TestKilledUnderStamps: the vault is killed over and over while stamps are made.
// Every caller gets an answer, none an error, no serial number comes twice, and the
// times rise with the numbers.
func TestKilledUnderStamps(t *testing.T) {
	t.Parallel()
	const rounds, askers = 20, 16
	r, starts := startProcessRig(t, child{TSA: true}, &handClock{t: time.Now()})
	ctx, pki := t.Context(), cmstest.New(t)
	if err := r.c.SetPassphrase(ctx, PassphraseChange{Operator: "anna", New: []byte(servicePhrase)}); err != nil {
		t.Fatal(err)
	}
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	var mu sync.Mutex
	var all []tsa.Stamp
	var over atomic.Bool
	var wg sync.WaitGroup
	for range askers {
		wg.Go(func() {
			for !over.Load() {
				q := stampRequest(t)
				s, err := r.c.Stamp(ctx, q)
				if err != nil {
					t.Errorf("after %d stamps: %v", len(all), err)
					return
				}
				checkStamp(t, q, s)
				s.Token = nil
				mu.Lock()
				all = append(all, s)
				mu.Unlock()
			}
		})
	}
	made := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(all)
	}
	for n := 0; n < rounds && !t.Failed(); n++ {
		for before := made(); made() < before+20+7*n && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		if err := syscall.Kill(int(peerPID(t, r.cfg.Socket)), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for { // until the next one listens
			if _, err := r.c.Status(ctx); err == nil {
				break
			}
		}
	}
	over.Store(true)
	wg.Wait()
	u := r.unit("tsu-1")
	if n := starts(); n != rounds+1 {
		t.Errorf("the vault was started %d times, want %d", n, rounds+1)
	}
	slices.SortFunc(all, func(a, b tsa.Stamp) int { return int(a.Serial - b.Serial) })
	for i := 1; i < len(all); i++ {
		if all[i].Serial == all[i-1].Serial || all[i].GenTime.Before(all[i-1].GenTime) {
			t.Fatalf("serial %x at %v after %x at %v", all[i].Serial, all[i].GenTime, all[i-1].Serial, all[i-1].GenTime)
		}
	}
	if last := all[len(all)-1].Serial & (1<<46 - 1); u.Reserved < last {
		t.Errorf("%d numbers are reserved, %d was given", u.Reserved, last)
	}
	if n := r.events(); n["vault.started"] != rounds+1 || n["tsu.started"] != rounds+1 || n["tsu.waiting"] != rounds {
		t.Errorf("journal: %v", n)
	}
	t.Logf("%d stamps over %d deaths", len(all), rounds)
}

// TestServiceTampered: a row of the service's state that is changed, removed or put
// back stops the stamps, and nothing else; the journal is told.
func TestServiceTampered(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"root changed":          {`UPDATE tsa_root SET record = replace(CAST(record AS TEXT), '"last":', '"last":1')`},
		"root's version raised": {`UPDATE tsa_root SET version = version + 1`},
		"root removed":          {`DELETE FROM tsa_root`},
		"all removed":           {`DELETE FROM tsa_root`, `DELETE FROM tsa_units`},
		"unit removed":          {`DELETE FROM tsa_units`},
		"unit changed":          {`UPDATE tsa_units SET record = replace(CAST(record AS TEXT), 'stopped', 'active')`},
		"number changed":        {`UPDATE tsa_units SET number = number + 1`},
		"unit put back":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTSARig(t, nil)
			pki := cmstest.New(t)
			r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
			r.stamp(pki)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			execRaw(t, r.cfg.StateDB, `CREATE TABLE kept AS SELECT * FROM tsa_units`)
			r.start()
			r.stamp(pki)
			if _, err := r.c.StopUnit(t.Context(), "tsu-1", "anna", "revoked"); err != nil {
				t.Fatal(err)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if change == nil {
				change = []string{`UPDATE tsa_units SET record = (SELECT record FROM kept), mac = (SELECT mac FROM kept)`}
			}
			for _, q := range change {
				rawExec(t, r.cfg.StateDB, q)
			}
			r.start()
			r.refused(tsa.Unavailable)
			s, err := r.c.TimeStamping(t.Context())
			if err != nil || s.Fault == "" {
				t.Errorf("%+v, %v", s, err)
			}
			_, err = r.c.ActivateUnit(t.Context(), "tsu-1", consent())
			want(t, err, Tampered)
			if _, err := r.c.CreateKey(t.Context(), "tsa-ca", "p256"); err != nil {
				t.Errorf("the vault's other work: %v", err)
			}
			if n := r.events()["tsa.tampered"]; n != 1 { // at the start; nothing was asked for before
				t.Errorf("%d entries", n)
			}
		})
	}
}

// TestSetBack: all rows are put back as they once were, as when an old copy of the
// file is restored. Under a running vault it is noticed; before a start the numbers go on
// above all that were given, and the archive's witness stops the unit, even after it
// has jumped over them.
func TestSetBack(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	ctx, pki := t.Context(), cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	r.clock.move(time.Hour)
	r.restart()
	r.stamp(pki)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	execRaw(t, r.cfg.StateDB, `CREATE TABLE kept AS SELECT * FROM tsa_root`)
	execRaw(t, r.cfg.StateDB, `CREATE TABLE kept_units AS SELECT * FROM tsa_units`)
	r.clock.move(time.Hour)
	r.start()
	given := r.stamp(pki)
	if r.unit("tsu-1").Reserved < 2*3600*16000 {
		t.Errorf("numbers do not rise with time: %+v", r.unit("tsu-1").Reserved)
	}
	back := func() {
		rawExec(t, r.cfg.StateDB, `UPDATE tsa_root SET version = (SELECT version FROM kept), record = (SELECT record FROM kept), mac = (SELECT mac FROM kept)`)
		rawExec(t, r.cfg.StateDB, `UPDATE tsa_units SET record = (SELECT record FROM kept_units), mac = (SELECT mac FROM kept_units)`)
	}
	back()
	_, err := r.c.TimeStamping(ctx)
	want(t, err, Tampered)
	if n := r.events()["tsa.tampered"]; n != 1 {
		t.Errorf("%d entries", n)
	}
	r.stop() // cannot write the end of what was set back
	r.clock.move(time.Second)
	r.start()
	if _, err := r.c.ActivateUnit(ctx, "tsu-1", consent()); err != nil {
		t.Fatal(err)
	}
	if s := r.stamp(pki); s.Serial <= given.Serial {
		t.Errorf("after the root was set back: %x, given before: %x", s.Serial, given.Serial)
	}
	known := r.stamp(pki).Serial
	want(t, r.c.Witness(ctx, map[string]int64{"tsu-1": given.Serial, "tsu-7": 5}, Archive{}), Tampered)
	if _, err := r.c.ActivateUnit(ctx, "tsu-1", consent()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{known, given.Serial, r.stamp(pki).Serial} { // it was told once
		if err := r.c.Witness(ctx, map[string]int64{"tsu-1": n, "tsu-7": 5}, Archive{}); err != nil {
			t.Errorf("a witness of what is known: %v", err)
		}
	}
	want(t, r.c.Witness(ctx, map[string]int64{"tsu-1": given.Serial + 1<<40}, Archive{}), Tampered)
	if u := r.unit("tsu-1"); u.State != UnitStopped || u.Reason == "" {
		t.Errorf("%+v", u.State)
	}
	r.refused(tsa.Stopped)
	if _, err := r.c.ActivateUnit(ctx, "tsu-1", consent()); err != nil {
		t.Fatal(err)
	}
	if s := r.stamp(pki); s.Serial <= given.Serial+1<<40 {
		t.Errorf("after the witness: %x", s.Serial)
	}
}

// TestReserve: the counter's promises, also over a restart.
func TestReserve(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	r.newUnit(cmstest.New(t), "p256", time.Time{}, time.Time{})
	v, done := r.direct()
	at := time.UnixMilli(1795255200000).UTC()
	var last int64
	for i, c := range []struct {
		n      int64
		until  time.Time
		before time.Time
	}{{10, at.Add(time.Nanosecond), time.Time{}}, {1, at.Add(time.Second), at.Add(time.Millisecond)}, {5, at, at.Add(time.Second)}, {5, at, at.Add(time.Second)}} {
		if i == 3 {
			done()
			r.start()
			v, done = r.direct()
		}
		first, before, err := v.tsa.Reserve(t.Context(), "tsu-1", c.n, c.until)
		if err != nil || first <= last || !before.Equal(c.before) {
			t.Fatalf("%d: %d after %d, before %v, %v", i, first, last, before, err)
		}
		last = first + c.n - 1
	}
	defer func() { done() }()
	if _, _, err := v.tsa.Reserve(t.Context(), "tsu-2", 1, at); KindOf(err) != Tampered {
		t.Errorf("an unknown unit: %v", err)
	}
	if _, _, err := v.tsa.Reserve(t.Context(), "tsu-1", 0, at); err == nil {
		t.Error("no numbers were reserved")
	}
}

// latched is a clock with a stop, in the latch that the vault gives it.
type latched struct {
	cfg     clock.Config
	anomaly error
}

func (l *latched) Now(ctx context.Context) (time.Time, error) {
	stop, err := l.cfg.Latch.Load(ctx)
	if err != nil || stop.Set() {
		return time.Time{}, errors.Join(err, errors.New("stopped"))
	}
	return time.Now(), nil
}

func (l *latched) Run(ctx context.Context) { <-ctx.Done() }

func (l *latched) Status() clock.Status { return clock.Status{} }

func (l *latched) Lift(ctx context.Context, operator string) error {
	if l.anomaly != nil {
		return l.anomaly
	}
	if err := l.cfg.OnEvent(ctx, clock.Event{Time: time.Now(), Name: "clock.lifted", Operator: operator}); err != nil {
		return err
	}
	return l.cfg.Latch.Store(ctx, clock.Stop{})
}

// TestLatch: a stop of the clock stays over restarts of the vault, refuses every
// stamp, and is lifted by who has the passphrase alone, when the clock agrees.
func TestLatch(t *testing.T) {
	t.Parallel()
	gate := &latched{}
	r := newTSARig(t, func(c *Config) {
		c.timekeeper = func(cfg clock.Config) timekeeper { gate.cfg = cfg; return gate }
	})
	ctx, pki := t.Context(), cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	r.stamp(pki)
	stop := clock.Stop{Since: time.Now().UTC().Truncate(time.Millisecond), Cause: "step", Reason: "the clock jumped by 3 s"}
	if err := gate.cfg.Latch.Store(ctx, stop); err != nil {
		t.Fatal(err)
	}
	r.refused(tsa.TimeNotAvailable)
	r.restart()
	if got, err := gate.cfg.Latch.Load(ctx); err != nil || got != stop {
		t.Errorf("%+v, %v", got, err)
	}
	r.refused(tsa.TimeNotAvailable)
	want(t, r.c.LiftClock(ctx, Consent{Operator: "anna"}), NotAllowed)
	want(t, r.c.LiftClock(ctx, Consent{Operator: "anna", Passphrase: []byte("wrong")}), WrongPassword)
	want(t, r.c.LiftClock(ctx, Consent{Passphrase: []byte(servicePhrase)}), BadRequest)
	gate.anomaly = &clock.Error{Kind: clock.StillWrong, Msg: "the clock is still 3 s off"}
	want(t, r.c.LiftClock(ctx, consent()), NotAllowed)
	r.refused(tsa.TimeNotAvailable)
	gate.anomaly = nil
	if err := r.c.LiftClock(ctx, consent()); err != nil {
		t.Fatal(err)
	}
	r.stamp(pki)
	if n := r.events(); n["clock.lift.asked"] != 2 || n["clock.lifted"] != 1 || n["tsa.refused"] != 2 {
		t.Errorf("journal: %v", n)
	}
}

// TestRealGate: a vault whose clock is to be proven makes no stamps on a machine
// whose kernel does not vouch for it, and a stop that the latch kept is not lifted.
func TestRealGate(t *testing.T) {
	t.Parallel()
	var tx unix.Timex
	if state, err := unix.Adjtimex(&tx); err == nil && state != unix.TIME_ERROR {
		t.Skip("the clock of this machine is synchronised: nothing to refuse")
	}
	r := newTSARig(t, func(c *Config) { c.TSA.Clock.Mode = clock.System })
	pki := cmstest.New(t)
	r.newActiveUnit(pki, "p256", time.Time{}, time.Time{})
	r.refused(tsa.TimeNotAvailable)
	s, err := r.c.TimeStamping(t.Context())
	if err != nil || s.Clock.State == clock.StateOK || !s.Clock.Verified {
		t.Errorf("%+v, %v", s.Clock, err)
	}
	want(t, r.c.LiftClock(t.Context(), consent()), NotAllowed) // it is not stopped
	v, done := r.direct()
	if err := (latch{v.tsa}).Store(t.Context(), clock.Stop{Since: time.Now(), Cause: "step", Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	done()
	r.start()
	if s, err := r.c.TimeStamping(t.Context()); err != nil || s.Clock.State != clock.StateStopped {
		t.Errorf("%+v, %v", s.Clock, err)
	}
	want(t, r.c.LiftClock(t.Context(), consent()), NotAllowed) // its cause persists
	r.refused(tsa.TimeNotAvailable)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if n := r.events(); n["clock.stopped"] == 0 || n["clock.lift.refused"] == 0 {
		t.Errorf("journal: %v", n)
	}
}

// TestWrongConfig: what cannot be is refused at the start, with the reason.
func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*TSAConfig){
		"node":     func(c *TSAConfig) { c.Node = 128 },
		"policies": func(c *TSAConfig) { c.Policies = nil },
		"clock":    func(c *TSAConfig) { c.Clock.Mode = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newConfig(t)
			cfg.TSA = tsaConfig()
			change(cfg.TSA)
			if err := Serve(t.Context(), cfg, nil); err == nil {
				t.Error("it was accepted")
			}
			if _, err := os.Stat(cfg.Socket); err == nil {
				t.Error("the socket was opened")
			}
		})
	}
	r := newTSARig(t, nil)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.cfg.TSA.Node = 6
	if err := Serve(t.Context(), r.cfg, nil); KindOf(err) != NotAllowed {
		t.Errorf("the state of another node: %v", err)
	}
	r.cfg.TSA = nil
	r.start()
	r.refused(tsa.Unavailable)
	_, err := r.c.TimeStamping(t.Context())
	want(t, err, NotAllowed)
}

// TestServiceBusy: readers whose snapshot is older than a change made meanwhile do
// not take it for one that was put back.
func TestServiceBusy(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	r.newUnit(cmstest.New(t), "p256", time.Time{}, time.Time{})
	v, done := r.direct()
	defer done()
	var over atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !over.Load() {
				if _, err := v.tsa.report(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		if _, _, err := v.tsa.Reserve(context.Background(), "tsu-1", 1, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	over.Store(true)
	wg.Wait()
}

// TestOpenSSL: tokens of keys in the token, over the socket, verify elsewhere.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("missing the Debian package openssl")
	}
	for _, kt := range []hsm.KeyType{"p256", "p384", "rsa2048"} {
		t.Run(string(kt), func(t *testing.T) {
			t.Parallel()
			r := newTSARig(t, nil)
			pki := cmstest.New(t)
			r.newActiveUnit(pki, kt, time.Time{}, time.Time{})
			q := stampRequest(t)
			s, err := r.c.Stamp(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for name, b := range map[string][]byte{"q": q, "token": s.Token, "root": cmstest.PEM(pki.Root), "ca": cmstest.PEM(pki.CA)} {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(openssl, "ts", "-verify", "-queryfile", "q", "-in", "token", "-token_in", "-CAfile", "root", "-untrusted", "ca")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verification: OK") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestEd25519Unit: a key that signs messages, not digests. The time-stamps of
// OpenSSL know no such keys.
func TestEd25519Unit(t *testing.T) {
	t.Parallel()
	r := newTSARig(t, nil)
	r.newActiveUnit(cmstest.New(t), hsm.Ed25519, time.Time{}, time.Time{})
	for range 3 {
		q := stampRequest(t)
		s, err := r.c.Stamp(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		checkStamp(t, q, s)
	}
	_, _, err := r.c.CreateCredential(t.Context(), NewCredential{Type: hsm.Ed25519})
	want(t, err, BadRequest)
}
