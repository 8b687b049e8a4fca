package rlimit

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test binary be a program that takes memory.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "take" {
		take(os.Args[2] == "much")
		return
	}
	os.Exit(m.Run())
}

var held []byte

func take(much bool) {
	taken, err := Taken()
	if err == nil {
		err = taken.Allow(100 << 20)
	}
	if err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	size := 20 << 20
	if much {
		size *= 50
	}
	held = make([]byte, size)
	os.Stdout.WriteString("taken")
}

// A limit beyond what is mapped at the start leaves as much as it says.
func TestMemory(t *testing.T) {
	t.Parallel()
	// Several times: where the runtime maps its heap is random.
	for i := range 16 {
		what, want := "little", "taken"
		if i%2 == 0 {
			what, want = "much", ""
		}
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
