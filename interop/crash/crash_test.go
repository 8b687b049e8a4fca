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
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/interop/load"
)

const (
	clients  = 16
	patience = 60 * time.Second // for the service to stamp again
	// pollTime is how often it is looked whether it does.
	pollTime = 20 * time.Millisecond
)

// ctx is for what goes on over several calls.
var ctx = context.Background()

// service is what is killed.
type service interface {
	// victims are what can be killed, by name.
	victims() []string
	// kill kills, and starts what does not start by itself.
	kill(victim string) error
	stop() error
	addr() string
	// header is what tells whose the requests are.
	header() string
	// left is how many stamps the account has left of those bought.
	left() (int64, error)
	// log is what it said last.
	log() string
}

// issued is a token as a client received it.
type issued struct {
	serial uint64
	token  [32]byte // SHA-256
}

// run is the state of the test over its rounds.
type run struct {
	t       *testing.T
	service service
	archive *ledgerArchive
	random  *rand.Rand

	answered map[[32]byte]issued // of this round, by imprint
	count    atomic.Int64        // of all rounds
	serials  map[uint64]bool     // archived in any round
	archived int64
	unheard  int64 // archived, but their connections broke
}

// The product, as a user starts it: the service, its child the vault, SoftHSM.
func TestProduct(t *testing.T) {
	p := newProduct(t)
	crash(t, p, filepath.Join(p.Dir, "stamps"))
	if out, err := p.Command(t.Context(), "journal verify"); err != nil {
		t.Errorf("sigillo journal verify: %v: %s", err, out)
	}
	if out, err := p.Command(t.Context(), "tsa verify"); err != nil {
		t.Errorf("sigillo tsa verify: %v: %s", err, out)
	}
}

// The authority, the ledger, the accounts and the front over a key in memory: many
// times faster, so that kills meet many stamps at once, and with an account whose
// stamps are counted.
func TestLedger(t *testing.T) {
	s := newSoft(t)
	crash(t, s, filepath.Join(s.dir, "ledger"))
}

func crash(t *testing.T, s service, archive string) {
	rounds := setting(t, "ROUNDS", uint64(len(s.victims())))
	seed := setting(t, "SEED", rand.Uint64())
	t.Logf("SEED=%d", seed)
	r := &run{t: t, service: s, archive: &ledgerArchive{dir: archive}, random: rand.New(rand.NewPCG(seed, 0)), serials: map[uint64]bool{}}
	victims := s.victims()
	for n := range rounds {
		victim := victims[r.random.IntN(len(victims))]
		if n < uint64(len(victims)) {
			victim = victims[n]
		}
		r.round(int(n), victim)
		if t.Failed() {
			t.Fatalf("the log ends:\n%s", s.log())
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := r.archive.verify(t.Context()); err != nil {
		t.Error(err)
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
		report, loadErr = load.Run(r.t.Context(), load.Options{Addr: r.service.addr(), Path: "/tsa", Header: r.service.header(), Clients: clients,
			For: time.Hour, Stubborn: true, End: end, OnAnswer: r.note})
	}()
	r.moreThan(r.count.Load())
	time.Sleep(time.Duration(r.random.IntN(700)) * time.Millisecond)
	if err := r.service.kill(victim); err != nil {
		r.t.Fatalf("round %d, %s killed: %v: %s", n, victim, err, r.service.log())
	}
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
	r.t.Logf("round %d, %s killed: %d answered, %d refused, %d connections broke, %.1f s, %v",
		n, victim, len(r.answered), report.Refused, report.Broken, time.Since(began).Seconds(), report.FirstError)
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
			r.t.Fatalf("no stamps for %s; the log ends:\n%s", patience, r.service.log())
		}
	}
}

// compare holds what was answered in this round against what was archived in it.
func (r *run) compare(n int) {
	r.t.Helper()
	missing := len(r.answered)
	err := r.archive.since(r.t.Context(), func(own bool, imprint []byte, serial uint64, token []byte) error {
		if r.serials[serial] {
			return fmt.Errorf("serial number %d was given twice", serial)
		}
		r.serials[serial] = true
		if own {
			return nil
		}
		r.archived++
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
	left, err := r.service.left()
	if err != nil {
		r.t.Errorf("round %d: %v", n, err)
	} else if left+r.archived != bought {
		r.t.Errorf("round %d: the account has %d stamps left of %d, and %d in the archive", n, left, int64(bought), r.archived)
	}
}
