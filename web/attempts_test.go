package web

import (
	"fmt"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	t.Parallel()
	var a attempts
	now := time.Unix(1_800_000_000, 0)
	for i := range attemptBurst {
		if wait := a.take("192.0.2.1", now); wait > 0 {
			t.Fatalf("attempt %d waits %v", i+1, wait)
		}
	}
	if wait := a.take("::ffff:192.0.2.1", now); wait <= 0 || wait > attemptRefill {
		t.Errorf("one too many waits %v", wait)
	}
	if wait := a.take("192.0.2.2", now); wait > 0 {
		t.Error("another address waits")
	}
	if wait := a.take("192.0.2.1", now.Add(attemptRefill)); wait > 0 {
		t.Errorf("after its time it waits %v more", wait)
	}
	for range attemptBurst {
		a.take("2001:db8:1:2::1", now)
	}
	if a.take("2001:db8:1:2:ffff::9", now) == 0 {
		t.Error("one subscriber has the attempts of many addresses")
	}
	if a.take("2001:db8:1:3::1", now) > 0 {
		t.Error("the next subscriber waits")
	}
	a.giveBack("192.0.2.1", now.Add(attemptRefill))
	if a.take("192.0.2.1", now.Add(attemptRefill)) > 0 {
		t.Error("a success cost an attempt")
	}
	for i := range 3 * attemptTracked {
		a.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if len(a.seen) > attemptTracked {
		t.Errorf("%d addresses are kept", len(a.seen))
	}
	a.take("not an address", now)
}
