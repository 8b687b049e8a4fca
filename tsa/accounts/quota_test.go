package accounts

import (
	"bufio"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigillo/store"
	"sigillo/tsa/ledger"
)

// crashVariable makes the test binary a program that has stamps recorded for an
// account as fast as it can, and tells about each, until there are none or it is
// killed.
const crashVariable = "ACCOUNTS_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVariable); dir != "" {
		if err := useUp(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openBoth opens the real ledger and the book over it.
func openBoth(dir string) (*Book, *ledger.Ledger, error) {
	db, err := store.Open(context.Background(), filepath.Join(dir, "a.db"), store.Appliance)
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{SegmentSize: 128 << 10})
	if err != nil {
		return nil, nil, err
	}
	b, err := Open(context.Background(), Config{DB: db, Usage: l, Journal: journal, Argon2: cheap})
	return b, l, err
}

func entryOf(t Ticket, serial int64) ledger.Entry {
	imprint := sha256.Sum256(fmt.Append(nil, serial))
	return ledger.Entry{
		Unit: "tsu", Serial: serial, GenTime: t0, Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256,
		Imprint: imprint[:], Account: t.Account, Lot: t.Lot, Token: make([]byte, 600),
	}
}

func useUp(dir string) error {
	b, l, err := openBoth(dir)
	if err != nil {
		return err
	}
	var serial atomic.Int64
	serial.Store(2 * l.Head().Seq)
	var group sync.WaitGroup
	failures := make(chan error, 16)
	for range 16 {
		group.Go(func() {
			a, err := b.Account("acme")
			for err == nil {
				var ticket Ticket
				if ticket, err = b.Take(a); err == nil {
					if rand.IntN(5) == 0 {
						ticket.Return() // the back end refused
						continue
					}
					if err = l.Append(context.Background(), entryOf(ticket, serial.Add(1))); err == nil {
						fmt.Println("stamped")
					}
				}
			}
			if KindOf(err) != Exhausted {
				failures <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return l.Close()
	}
}

// Killed at any moment, again and again: an answered stamp is counted, what is left
// is what was bought less the tokens that are there, and in the end exactly as many
// tokens exist as were bought.
func TestQuotaOverCrashes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const bought = 3000
	b, l, err := openBoth(dir)
	must(t, err)
	must(t, b.Create(t.Context(), "op", "acme", Terms{}))
	for range 3 {
		_, err := b.Buy(t.Context(), "op", "acme", Lot{Quantity: bought / 3})
		must(t, err)
	}
	must(t, l.Close())
	answered, crashes := 0, 0
	for done := false; !done; {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		var kill *time.Timer
		lines := bufio.NewReader(out)
		for {
			if line, err := lines.ReadString('\n'); err != nil || line != "stamped\n" {
				break
			}
			if answered++; kill == nil {
				kill = time.AfterFunc(time.Duration(rand.IntN(100))*time.Millisecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
			}
		}
		err = cmd.Wait()
		if kill == nil {
			kill = time.NewTimer(0) // nothing was left to be had
		}
		kill.Stop()
		if done = err == nil; !done {
			crashes++
			if cmd.ProcessState.ExitCode() != -1 {
				t.Fatal(err)
			}
		}
		b, l, err := openBoth(dir)
		must(t, err)
		a := b.account(t, "acme")
		report, err := l.Verify(t.Context())
		must(t, err)
		used := report.Totals.Accounts["acme"].Stamps
		if used != a.Used() || a.Left() != bought-used || used < int64(answered) || used > bought {
			t.Fatalf("after %d crashes: %d answered, %d tokens, %d used, %d left", crashes, answered, used, a.Used(), a.Left())
		}
		if done && a.Left() != 0 {
			t.Fatalf("%d left, and nobody could have them", a.Left())
		}
		must(t, l.Close())
		if crashes > 200 {
			t.Fatal("no end in sight")
		}
	}
	t.Logf("%d crashes, %d of %d answered", crashes, answered, bought)
}

func (b *Book) account(t testing.TB, id string) *Account {
	t.Helper()
	a, err := b.Account(id)
	must(t, err)
	return a
}

// Whatever an operator types is a list of networks that works, or a clear error.
func FuzzNetworks(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "192.0.2.1", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4/33", "0.0.0.1/0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := Networks(s)
		if err != nil {
			if KindOf(err) != BadChange {
				t.Fatal(err)
			}
			return
		}
		var n networks
		n.add(list[0], &Account{ID: "x"})
		if n.find(list[0].Addr()) == nil {
			t.Fatalf("%v is not in itself", list[0])
		}
		terms := Terms{Networks: list}
		if err := terms.check("x"); err != nil {
			t.Fatal(err)
		}
	})
}
