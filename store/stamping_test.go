package store

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRoundTripsStamping(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	account := StampAccount{"acme", "ACME", "active", "[]", `["10.0.0.0/8"]`, true, true, 1500, 20, 10, "note", t0, t0}
	roundTrip(t, db, account, (*Tx).PutStampAccount, func(tx *Tx) (StampAccount, error) { return tx.StampAccount("acme") })
	lot := StampLot{"acme", "l1", 1000, t0, t0.AddDate(1, 0, 0), time.Time{}, "invoice 7"}
	roundTrip(t, db, lot, (*Tx).PutStampLot, func(tx *Tx) (StampLot, error) { return single(tx.StampLots(StampLot{}, 2)) })
	credential := StampCredential{"c1", "acme", "password", "user", []byte("{}"), t0, time.Time{}, time.Time{}}
	roundTrip(t, db, credential, (*Tx).PutStampCredential, func(tx *Tx) (StampCredential, error) { return single(tx.StampCredentials("", 2)) })
	stamp := Stamp{1, "tsu", 7, t0.UnixNano(), "acme", []byte("imprint"), 1, 141}
	roundTrip(t, db, stamp, func(tx *Tx, s Stamp) error { return tx.PutStamps([]Stamp{s}) },
		func(tx *Tx) (Stamp, error) { return single(tx.Stamps(StampFilter{Imprint: []byte("imprint")}, 2)) })

	for name, put := range map[string]func(tx *Tx) error{
		"user name in force": func(tx *Tx) error {
			return tx.PutStampCredential(StampCredential{"c2", "acme", "password", "user", []byte("{2}"), t0, time.Time{}, time.Time{}})
		},
		"lot of nobody":       func(tx *Tx) error { return tx.PutStampLot(StampLot{Account: "none", ID: "l", Quantity: 1}) },
		"empty lot":           func(tx *Tx) error { return tx.PutStampLot(StampLot{Account: "acme", ID: "l", Quantity: 0}) },
		"unknown state":       func(tx *Tx) error { return tx.PutStampAccount(StampAccount{ID: "x", State: "odd"}) },
		"serial number twice": func(tx *Tx) error { return tx.PutStamps([]Stamp{{2, "tsu", 7, 1, "a", nil, 1, 2}}) },
	} {
		if err := db.Write(t.Context(), put); KindOf(err) != Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(t, db, func(tx *Tx) error { return tx.RevokeStampCredential("acme", "c1", t0) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.RevokeStampCredential("acme", "c1", t0) }), NotFound)
	write(t, db, func(tx *Tx) error { // the name is free again
		return tx.PutStampCredential(StampCredential{"c2", "acme", "password", "user", []byte("{}"), t0, time.Time{}, time.Time{}})
	})
	write(t, db, func(tx *Tx) error { return tx.CancelStampLot("acme", "l1", t0) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.CancelStampLot("acme", "l1", t0) }), NotFound)

	changed := account
	changed.State, changed.Changed = "closed", t0.Add(time.Second)
	write(t, db, func(tx *Tx) error { return tx.ChangeStampAccount(changed, t0) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.ChangeStampAccount(changed, t0) }), Conflict)
	changed.ID = "none"
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.ChangeStampAccount(changed, t0) }), NotFound)
	wantKind(t, db.Read(t.Context(), func(tx *Tx) error { return tx.PutStamps([]Stamp{stamp}) }), Failed)
}

func single[T any](list []T, err error) (T, error) {
	var zero T
	if err == nil && len(list) != 1 {
		return zero, errorf(NotFound, "%d rows", len(list))
	}
	if err != nil {
		return zero, err
	}
	return list[0], nil
}

func TestStampSegments(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	want := []StampSegment{{1, 9, 5000, 10, 20}, {10, 12, 900, 15, 30}}
	write(t, db, func(tx *Tx) error {
		for _, s := range append([]StampSegment{{1, 5, 2000, 12, 19}}, want...) {
			if err := tx.PutStampSegment(s); err != nil {
				return err
			}
		}
		return nil
	})
	read(t, db, func(tx *Tx) error {
		got, err := tx.StampSegments(0, 0)
		last, _ := tx.LastStampSegment()
		if !reflect.DeepEqual(got, want) || last != want[1] {
			t.Errorf("%+v, last %+v", got, last)
		}
		return err
	})
	write(t, db, (*Tx).DropStamps)
	read(t, db, func(tx *Tx) error {
		_, err := tx.LastStampSegment()
		wantKind(t, err, NotFound)
		return nil
	})
}

// The lookups of the index go by an index, not through the table.
func TestStampPlans(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	for index, filters := range map[string][]StampFilter{
		"stamps_imprint": {{Imprint: []byte{1}}, {Imprint: []byte{1}, Account: "a", From: 5, Newest: true}},
		"stamps_serial":  {{Serial: 5}, {Serial: 5, Unit: "u", Account: "a"}},
		"stamps_account": {{Account: "a"}, {Account: "a", From: 5, To: 6, After: 3, Before: 9, Newest: true}},
	} {
		for _, f := range filters {
			query, args := f.query(9)
			var id, parent, unused int
			var detail string
			if err := db.read.QueryRow(`EXPLAIN QUERY PLAN `+query, args...).Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if want := "SEARCH stamps USING INDEX " + index + " "; !strings.HasPrefix(detail, want) {
				t.Errorf("%+v: %s", f, detail)
			}
		}
	}
}

func TestCutStamps(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	a, b := StampSegment{1, 3, 5000, 10, 20}, StampSegment{4, 5, 900, 15, 30}
	write(t, db, func(tx *Tx) error {
		for n := int64(1); n <= 5; n++ {
			if err := tx.PutStamps([]Stamp{{n, "tsu", n, 1, "acme", []byte("imprint"), 1, n}}); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutStampSegment(a), tx.PutStampSegment(b))
	})
	left := func(wantRows int64, want ...StampSegment) {
		t.Helper()
		read(t, db, func(tx *Tx) error {
			rows, err := tx.Stamps(StampFilter{}, 10)
			if err != nil || int64(len(rows)) != wantRows || rows[wantRows-1].Seq != wantRows {
				t.Errorf("rows %+v, %v", rows, err)
			}
			got, err := tx.StampSegments(0, 0)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
			return err
		})
	}
	write(t, db, func(tx *Tx) error { return tx.CutStamps(b, 4, 5) })
	left(3, a)
	write(t, db, func(tx *Tx) error { return tx.CutStamps(a, 3, 3) })
	a.Last = 2
	left(2, a)
}
