package vault

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// Whoever can cause an entry of the journal can fill the disk with them. What
// strangers or the service can cause without end is therefore journalled by the
// period, not by the attempt.

// journal appends an entry in a transaction of its own, even when the request it
// is about has run out of time.
func (v *server) journal(ctx context.Context, ev audit.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return v.db.Write(ctx, func(tx *store.Tx) error { return audit.Append(tx, v.now(), ev) })
}

// maxTampered is how many holders' tampered records are told apart in a period.
const maxTampered = 64

// notes remembers about whom the journal was told, and until when that holds. It
// forgets when the vault ends; who can end vaults fills journals anyway.
type notes struct {
	most  int // names told apart, the others are one; 0: no limit
	mu    sync.Mutex
	until map[string]time.Time // guarded by mu
}

// first reports whether the journal has to be told about name. If so, it need
// not be again until then, unless the key is forgotten.
func (n *notes) first(name string, now, until time.Time) (key string, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.until, func(_ string, u time.Time) bool { return !u.After(now) })
	if _, known := n.until[name]; !known && n.most > 0 && len(n.until) >= n.most {
		name = ""
	}
	if _, known := n.until[name]; known {
		return name, false
	}
	if n.until == nil {
		n.until = make(map[string]time.Time)
	}
	n.until[name] = until
	return name, true
}

// forget takes back what first said, when the journal could not be told.
func (n *notes) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.until, key)
}

// uses counts the signatures of infrastructure keys that were asked for over the
// socket since the journal was last told. A vault that is killed takes the counts
// of its last minutes with it; that it was shows in the journal, as a start
// without an end before.
type uses struct {
	mu    sync.Mutex
	since time.Time        // guarded by mu
	count map[string]int64 // guarded by mu; by label, of which there are few
}

func (u *uses) add(label string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count == nil {
		u.count = make(map[string]int64)
	}
	u.count[label]++
}

// pending returns what the journal has not been told.
func (u *uses) pending() (count map[string]int64, since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.count), u.since
}

// told takes off what the journal has been told; uses that came meanwhile stay.
func (u *uses) told(count map[string]int64, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.since = now
	for label, n := range count {
		if u.count[label] -= n; u.count[label] == 0 {
			delete(u.count, label)
		}
	}
}

// journalUses writes one entry for each infrastructure key that was used, and
// then the events of its caller, in one transaction.
func (v *server) journalUses(ctx context.Context, then ...audit.Event) error {
	now := v.now()
	count, since := v.uses.pending()
	var evs []audit.Event
	for _, label := range slices.Sorted(maps.Keys(count)) {
		evs = append(evs, audit.Event{Actor: "vault", Event: "key.used", Subject: label, Detail: map[string]string{
			"label": label, "count": strconv.FormatInt(count[label], 10), "since": since.UTC().Format(time.RFC3339)}})
	}
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		for _, ev := range append(evs, then...) {
			if err := audit.Append(tx, now, ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		v.uses.told(count, now)
	}
	return err
}
