package vault

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sigillo/store"
)

// TestRoomForDelegation: no more are in force than are listed.
func TestRoomForDelegation(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), store.Vault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := newClock().now()
	v := &server{now: func() time.Time { return now }}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		put := func(id, state string, due time.Time) {
			t.Helper()
			r := store.Delegation{ID: id, Holder: "h", Credential: "c", State: state, Created: now, Due: due, Version: 1, Record: []byte("{}"), MAC: []byte("m")}
			if err := tx.PutDelegation(r); err != nil {
				t.Fatal(err)
			}
		}
		mine, other := &delegation{Delegation: Delegation{Holder: "h"}}, &delegation{Delegation: Delegation{Holder: "other"}}
		for i := range listed {
			put(fmt.Sprint("over", i), DelegationRevoked, time.Time{})
		}
		put("expired", DelegationActive, now)
		for i := range MaxActive - 1 {
			put(fmt.Sprint("active", i), DelegationActive, now.Add(time.Hour))
		}
		if err := v.roomFor(tx, mine); err != nil {
			t.Errorf("one more: %v", err)
		}
		put("last", DelegationActive, now.Add(time.Hour))
		if err := v.roomFor(tx, mine); KindOf(err) != BadRequest {
			t.Errorf("one too many: %v", err)
		}
		return v.roomFor(tx, other)
	})
	if err != nil {
		t.Error(err)
	}
}
