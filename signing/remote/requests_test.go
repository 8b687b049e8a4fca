package remote

import (
	"crypto/sha256"
	"testing"
	"time"
)

// One holder who has requests asked for and declines them, again and again, leaves the
// room to others, and loses no request that waits.
func TestRoom(t *testing.T) {
	t.Parallel()
	r := newRequests()
	put := func(n int, holder string, answered bool) {
		r.by[sha256.Sum256(digest(n))] = &asked{holder: holder, answered: answered,
			Request: Request{Created: testNow.Add(time.Duration(n) * time.Millisecond), Expires: testNow.Add(RequestLife)}}
	}
	put(1, "h", false)
	put(2, "other", true)
	for n := 3; n < 500; n++ {
		if !r.room("h", testNow) {
			t.Fatalf("no room after %d", n)
		}
		put(n, "h", true)
	}
	if r.by[sha256.Sum256(digest(1))] == nil || r.by[sha256.Sum256(digest(2))] == nil || r.by[sha256.Sum256(digest(499))] == nil || len(r.by) > maxAnswered+3 {
		t.Errorf("%d are kept", len(r.by))
	}
}
