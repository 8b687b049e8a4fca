package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// crashVariable makes the test binary a program that commits rows and tells
// about each on its output, until it is killed.
const crashVariable = "STORE_CRASH_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashVariable); path != "" {
		commitForEver(path)
	}
	os.Exit(m.Run())
}

// commitForEver writes pairs of settings that belong together, several at a time, and
// acknowledges each pair after its commit.
func commitForEver(path string) {
	db, err := Open(context.Background(), path, Appliance)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 5 { // they share commits with each other, and take turns with who does not
		go commit(db.WriteShared)
	}
	commit(db.Write)
}

func commit(write func(context.Context, func(*Tx) error) error) {
	for {
		err := write(context.Background(), func(tx *Tx) error {
			n, err := tx.NextCRLNumber("crash")
			if err != nil {
				return err
			}
			for _, half := range []string{"a", "b"} {
				if err := tx.PutSetting(half+strconv.FormatInt(n, 10), make([]byte, 3000)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("committed")
	}
}

// What was acknowledged is there after kill -9, whole pairs only, and the file
// is sound. (A kill shows a crash of the process; that the disk keeps what fsync
// promised is beyond a test.)
func TestCrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "crash.db")
	acknowledged := int64(0)
	for round := range 6 {
		acknowledged += killDuringCommits(t, path, time.Duration(20+rand.IntN(120))*time.Millisecond)
		db := openAt(t, path, Appliance)
		write(t, db, func(tx *Tx) error {
			next, err := tx.NextCRLNumber("crash") // also: the file can be written
			if err != nil {
				return err
			}
			stored := next - 1
			if stored < acknowledged {
				t.Fatalf("round %d: %d were acknowledged, %d are stored", round, acknowledged, stored)
			}
			acknowledged = stored // some may have been committed and not told of
			for i := int64(1); i <= stored; i++ {
				_, errA := tx.Setting("a" + strconv.FormatInt(i, 10))
				_, errB := tx.Setting("b" + strconv.FormatInt(i, 10))
				if (errA == nil) != (errB == nil) {
					t.Fatalf("round %d: half of pair %d is stored", round, i)
				}
			}
			acknowledged++ // our own reservation
			return nil
		})
		var verdict string
		if err := db.write.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Fatalf("round %d: %s, %v", round, verdict, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if acknowledged < 20 {
		t.Fatalf("only %d commits were made; the test shows nothing", acknowledged)
	}
}

// killDuringCommits runs the committing program, kills it some time after its
// first commit, and returns how many commits it had acknowledged.
func killDuringCommits(t *testing.T, path string, after time.Duration) (acknowledged int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if acknowledged++; acknowledged == 1 {
			time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the program ended by itself: %v", err)
	}
	return acknowledged
}
