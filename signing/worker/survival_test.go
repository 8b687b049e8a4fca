//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/inspect"
)

// survived inspects a document as Inspect does, and tells besides how much memory
// the worker held at most, and whether it has left any process behind.
func survived(t *testing.T, name, path string) (rep inspect.Report, kilobytes int64, err error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	forgetPeak(t)
	p, err := start("", Command)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.hand(f, name); err != nil {
		t.Fatal(err)
	}
	out, err := p.answer(t.Context(), wallClock)
	if err == nil {
		rep, err = decode(out)
	} else {
		rep, _ = failed(err)
	}
	if left := syscall.Kill(-p.cmd.Process.Pid, 0); !errors.Is(left, syscall.ESRCH) {
		t.Errorf("a process is left: %v", left)
	}
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not say what the worker has used")
	}
	return rep, usage.Maxrss, err
}

// forgetPeak makes the memory that we have held ourselves until now no longer count:
// a process is charged with the peak of the one it was forked from.
func forgetPeak(t *testing.T) {
	t.Helper()
	debug.FreeOSMemory()
	f, err := os.OpenFile("/proc/self/clear_refs", os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("5") // proc_pid_clear_refs(5)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A bomb is a document made to exhaust the machine.
type bomb struct {
	doc []byte
	why string // in the rule and the quote of a finding that refuses it; "" if nothing does
}

// Documents made to exhaust the machine are refused by a worker that is alive to
// say so, within its time and little memory, and leave no process. Those whose name
// begins with "idle-" are not refused: what is wrong with them is what nobody follows.
func TestSurvival(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and inspects some hundred megabytes")
	}
	for _, bombs := range []func() map[string]bomb{bombsPDF, bombsZip, bombsCompound, bombsPictures, bombsText, bombsMail} {
		documents, paths, why := bombs(), map[string]string{}, map[string]string{}
		for name, b := range documents {
			paths[name], why[name] = filepath.Join(t.TempDir(), "document"), b.why
			if err := os.WriteFile(paths[name], b.doc, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		clear(documents)
		for _, name := range slices.Sorted(maps.Keys(paths)) {
			t.Run(name, func(t *testing.T) {
				began := time.Now()
				rep, kilobytes, err := survived(t, name, paths[name])
				if err != nil {
					t.Errorf("the worker did not answer: %v", err)
				}
				if kilobytes > 256<<10 {
					t.Errorf("the worker held %d MB", kilobytes>>10)
				}
				found := []string{}
				for _, f := range rep.Findings {
					found = append(found, f.Rule+" "+f.Quote)
				}
				expected := func(f string) bool { return strings.Contains(f, why[name]) }
				refused := !strings.HasPrefix(name, "idle-")
				if (rep.Verdict == inspect.Refuse) != refused || refused && !slices.ContainsFunc(found, expected) {
					t.Errorf("verdict %s: %.500q", rep.Verdict, found)
				}
				t.Logf("%v %d MB %.200q", time.Since(began).Round(time.Millisecond), kilobytes>>10, found)
			})
		}
	}
}

// A long document that is clean is inspected to its end: a worker lacks nothing that
// only a long inspection asks for.
func TestLongInspection(t *testing.T) {
	if testing.Short() {
		t.Skip("inspects for some seconds")
	}
	path := filepath.Join(t.TempDir(), "document")
	paragraph := `<w:p><w:r><w:t>Le parti convengono quanto segue: l'articolo %d vale.</w:t></w:r></w:p>`
	doc := wordOf(func(w io.Writer) {
		for i := range 300_000 {
			fmt.Fprintf(w, paragraph, i)
		}
	}, nil)
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if rep, _, err := survived(t, "contratto.docx", path); err != nil || rep.Verdict != inspect.Allow {
		t.Errorf("%+v, %v", rep, err)
	}
}
