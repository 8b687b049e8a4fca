package oauth

import (
	"testing"
	"time"
)

// A code that comes back while its tokens are being made spoils them: whoever makes them
// is told when they are done, and takes them back.
func TestReplayMeanwhile(t *testing.T) {
	t.Parallel()
	var k codes
	now := time.Unix(1_800_000_000, 0)
	text, ok := k.put(code{client: "app", expires: now.Add(codeLife)}, now)
	if c, used := k.take(text, now); !ok || c == nil || used {
		t.Fatal(c, used)
	}
	if !k.gave(text, "g") {
		t.Error("nobody came in between")
	}
	if c, used := k.take(text, now); c == nil || !used || c.given != "g" {
		t.Errorf("the second time: %+v", c)
	}
	text, _ = k.put(code{client: "app", expires: now.Add(codeLife)}, now)
	k.take(text, now)
	k.take(text, now)
	if k.gave(text, "g") {
		t.Error("somebody came in between")
	}
}

// Codes are remembered as long as what they gave may last, and not longer.
func TestCodesAreForgotten(t *testing.T) {
	t.Parallel()
	var k codes
	now := time.Unix(1_800_000_000, 0)
	used, _ := k.put(code{expires: now.Add(codeLife)}, now)
	k.put(code{expires: now.Add(codeLife)}, now)
	k.take(used, now)
	for after, want := range map[time.Duration]int{2 * codeLife: 1, codeLife + replayWatch + time.Second: 0} {
		other := codes{kept: map[[32]byte]*code{}}
		for id, c := range k.kept {
			copied := *c
			other.kept[id] = &copied
		}
		other.put(code{expires: now.Add(after + codeLife)}, now.Add(after))
		if len(other.kept) != want+1 {
			t.Errorf("after %v: %d are kept", after, len(other.kept)-1)
		}
	}
	full := codes{kept: map[[32]byte]*code{}}
	for range codesKept {
		if _, ok := full.put(code{expires: now.Add(codeLife)}, now); !ok {
			t.Fatal("no place")
		}
	}
	if _, ok := full.put(code{expires: now.Add(codeLife)}, now); ok {
		t.Error("more codes than there may be")
	}
	for _, c := range full.kept { // exchanged, each of them, and remembered for an hour
		c.used = true
	}
	if _, ok := full.put(code{expires: now.Add(3 * codeLife)}, now.Add(2*codeLife)); !ok {
		t.Error("codes that were used keep new ones out")
	}
}
