package rlimit

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be a program that takes memory.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "take" {
		take(os.Args[2] == "much")
		return
	}
	os.Exit(m.Run())
}

var taken []byte

func take(much bool) {
	mapped, err := Mapped()
	if err == nil {
		err = Set(unix.RLIMIT_DATA, mapped+100<<20)
	}
	if err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	size := 20 << 20
	if much {
		size *= 50
	}
	taken = make([]byte, size)
	os.Stdout.WriteString("taken")
}

// A limit beyond what is mapped at the start leaves as much as it says.
func TestMemory(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{"little": "taken", "much": ""} {
		out, err := exec.Command("/proc/self/exe", "take", what).Output()
		if (err == nil) != (want != "") || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %q, %v", what, out, err)
		}
	}
}

func TestSetFails(t *testing.T) {
	t.Parallel()
	if Set(1<<20, 1) == nil {
		t.Error("a resource that does not exist was limited")
	}
}
