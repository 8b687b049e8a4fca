package ledger

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigillo/store"
)

// crashVariable makes the test binary a program that records entries from many
// callers and tells about each on its output, until it is killed.
const crashVariable = "LEDGER_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVariable); dir != "" {
		recordForEver(dir)
	}
	os.Exit(m.Run())
}

func recordForEver(dir string) {
	give := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	db, err := store.Open(context.Background(), filepath.Join(dir, "index.db"), store.Appliance)
	if err != nil {
		give(err)
	}
	l, err := Open(filepath.Join(dir, "ledger"), Options{SegmentSize: 256 << 10, Index: db, IndexShare: 1})
	if err != nil {
		give(err)
	}
	var mu sync.Mutex
	next := l.Head().Seq * 2 // higher than all before
	for c := range 16 {
		go func() {
			account := "account-" + strconv.Itoa(c%3)
			for {
				mu.Lock()
				next++
				e := made("tsu", next, account, "lot")
				mu.Unlock()
				if err := l.Append(context.Background(), e); err != nil {
					give(err)
				}
				fmt.Println(e.Serial, account) // one write: acknowledged
			}
		}()
	}
	select {}
}

// What was acknowledged is there after kill -9, whatever the moment; the sums are
// those of the entries; the chain is good; the index is right. (A kill shows a
// crash of the process; TestTornEnd and TestFaults show the disk's part.)
func TestCrash(t *testing.T) {
	t.Parallel()
	const rounds = 30
	dir := t.TempDir()
	acknowledged := map[int64]string{}
	for round := range rounds {
		killWhileRecording(t, dir, time.Duration(rand.IntN(60))*time.Millisecond, acknowledged)
		l, err := Open(filepath.Join(dir, "ledger"), Options{SegmentSize: 256 << 10})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		r := verify(t, l)
		if int(r.Entries) < len(acknowledged) {
			t.Fatalf("round %d: %d acknowledged, %d there", round, len(acknowledged), r.Entries)
		}
		if round%10 == 9 {
			checkAcknowledged(t, l, acknowledged)
		}
		_ = l.Close()
	}
	if len(acknowledged) < 10*rounds {
		t.Fatalf("only %d entries were recorded; the test shows little", len(acknowledged))
	}
	l := openTest(t, filepath.Join(dir, "ledger"), Options{SegmentSize: 256 << 10, Index: openIndex(t, filepath.Join(dir, "index.db"))})
	<-indexed(l, l.Head().Seq)
	for serial := range acknowledged { // map order: any few
		if serial%50 != 0 {
			continue
		}
		list, err := l.Lookup(t.Context(), Query{Serial: serial})
		if err != nil || len(list) != 1 {
			t.Fatalf("the index finds %d of %d: %v", len(list), serial, err)
		}
	}
}

func checkAcknowledged(t *testing.T, l *Ledger, acknowledged map[int64]string) {
	t.Helper()
	used := map[string]int64{}
	there := 0
	s := l.search(Query{})
	defer s.r.close()
	err := s.each(t.Context(), 0, func(f *found) error {
		used[string(f.account)]++
		if account, ok := acknowledged[f.serial]; ok {
			there++
			if account != string(f.account) {
				t.Errorf("%d is of %s, not of %s", f.serial, f.account, account)
			}
		}
		return nil
	})
	if err != nil || there != len(acknowledged) {
		t.Fatalf("%d acknowledged, %d of them there, %v", len(acknowledged), there, err)
	}
	for account, n := range used {
		if l.Used(account) != n || l.UsedOfLot(account, "lot") != n {
			t.Errorf("%s used %d, the sum is %d", account, n, l.Used(account))
		}
	}
}

// killWhileRecording runs the program, kills it some time after its first entry,
// and notes what it had acknowledged.
func killWhileRecording(t *testing.T, dir string, after time.Duration, acknowledged map[int64]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := true
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that was cut was not told
		}
		if first {
			first = false
			time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		}
		number, account, _ := strings.Cut(strings.TrimSpace(line), " ")
		serial, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatalf("the program said %q", line)
		}
		acknowledged[serial] = account
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the program ended by itself: %v", err)
	}
}
