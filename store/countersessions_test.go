package store

import (
	"testing"
	"time"
)

func TestRoundTripsCounter(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error { return tx.PutStaff(member("o", "olga", "A", "registration-operator")) })
	tablet := Tablet{"t", "One", "Milano 12", "pointer", "invited", []byte("code"), t0, []byte("token"), []byte("key"), "o", "", t0, t0}
	roundTrip(t, db, tablet, (*Tx).PutTablet, func(tx *Tx) (Tablet, error) { return tx.Tablet("t") })
	s := CounterSession{"s", "enrol", "open", "", "h", "o", "", "Milano 12", "t", "it", "P-1", "r", "", "", "", nil, 0, []byte("{}"), t0, t0, t0.Add(time.Hour)}
	roundTrip(t, db, s, (*Tx).PutCounterSession, func(tx *Tx) (CounterSession, error) { return tx.CounterSession("s") })
	c := Consent{"c", "h", "s", "it-1", []byte("sum"), "o", t0, time.Time{}, ""}
	roundTrip(t, db, c, (*Tx).PutConsent, func(tx *Tx) (Consent, error) { return tx.ConsentOf("h") })
}

// A tablet has one session that has not ended, and so has a customer; a consent is in
// force once; who approves is another than who works.
func TestCounterRules(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error {
		for i, c := range []string{"a", "b"} {
			if err := tx.PutTablet(Tablet{ID: c, Name: c, Centre: "x", State: "invited", Code: []byte(c), CodeExpires: t0, InvitedBy: "o", Created: t0.Add(time.Duration(i))}); err != nil {
				return err
			}
		}
		return tx.PutStaff(member("o", "olga", "A", "registration-operator"))
	})
	do := func(f func(*Tx) error) error { return db.Write(t.Context(), f) }
	one := CounterSession{ID: "1", Purpose: "sign", State: "open", Holder: "h", Operator: "o", Centre: "x", Tablet: "a", Created: t0, Changed: t0, Expires: t0}
	wantKind(t, do(func(tx *Tx) error { return tx.PutCounterSession(one) }), "")
	two := one
	two.ID, two.Tablet = "2", "b"
	wantKind(t, do(func(tx *Tx) error { return tx.PutCounterSession(two) }), Conflict) // the customer sits elsewhere
	one.Second = "o"
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeCounterSession(one, "open") }), Conflict)
	one.Second, one.State, one.Why = "", "cancelled", "pen"
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeCounterSession(one, "reading") }), Conflict)
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeCounterSession(one, "open") }), "")
	wantKind(t, do(func(tx *Tx) error { return tx.PutCounterSession(two) }), "")
	read(t, db, func(tx *Tx) error {
		under, err := tx.CounterSessionsUnder()
		of, err2 := tx.CounterSessionOf("h")
		last, err3 := tx.CounterSessionAt("a")
		all, err4 := tx.CounterSessions("x", 0)
		for _, err := range []error{err, err2, err3, err4} {
			wantKind(t, err, "")
		}
		if len(under) != 1 || of.ID != "2" || last.ID != "1" || len(all) != 2 {
			t.Errorf("%v %v %v %v", under, of, last, all)
		}
		return nil
	})

	consent := Consent{ID: "1", Holder: "h", Text: "it-1", Witness: "o", Given: t0}
	wantKind(t, do(func(tx *Tx) error { return tx.PutConsent(consent) }), "")
	consent.ID = "2"
	wantKind(t, do(func(tx *Tx) error { return tx.PutConsent(consent) }), Conflict)
	wantKind(t, do(func(tx *Tx) error { return tx.WithdrawConsent("h", "o", t0) }), "")
	wantKind(t, do(func(tx *Tx) error { return tx.WithdrawConsent("h", "o", t0) }), NotFound)
	wantKind(t, do(func(tx *Tx) error { return tx.PutConsent(consent) }), "")
	read(t, db, func(tx *Tx) error {
		if list, err := tx.Consents("h"); err != nil || len(list) != 2 {
			t.Errorf("%v %v", list, err)
		}
		return nil
	})

	tab := Tablet{ID: "a", State: "active", Token: []byte("token"), Changed: t0}
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeTablet(tab, "pending") }), Conflict)
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeTablet(tab, "invited") }), "")
	tab.State = "revoked"
	read(t, db, func(tx *Tx) error { _, err := tx.TabletByToken([]byte("token")); return err })
	wantKind(t, do(func(tx *Tx) error { return tx.ChangeTablet(tab, "active") }), "")
	wantKind(t, do(func(tx *Tx) error { _, err := tx.TabletByToken([]byte("token")); return err }), NotFound)
	wantKind(t, do(func(tx *Tx) error { _, err := tx.TabletByCode([]byte("a")); return err }), NotFound)
}

// A message about a session is due when the session has ended, and not before.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	write(t, db, func(tx *Tx) error {
		if err := tx.PutStaff(member("o", "olga", "A", "registration-operator")); err != nil {
			return err
		}
		if err := tx.PutTablet(Tablet{ID: "a", Name: "a", Centre: "x", State: "invited", InvitedBy: "o"}); err != nil {
			return err
		}
		if err := tx.PutCounterSession(CounterSession{ID: "1", Purpose: "sign", State: "open", Holder: "h", Operator: "o", Centre: "x", Tablet: "a"}); err != nil {
			return err
		}
		return tx.PutCounterCallback(CounterCallback{Session: "1", Address: "core", State: "waiting"})
	})
	due := func(now time.Time) (n int) {
		read(t, db, func(tx *Tx) error {
			list, err := tx.DueCounterCallbacks(now, 0)
			n = len(list)
			return err
		})
		return n
	}
	if due(t0.AddDate(1, 0, 0)) != 0 {
		t.Error("due before the end")
	}
	write(t, db, func(tx *Tx) error { return tx.RaiseCounterCallback("1", t0) })
	write(t, db, func(tx *Tx) error { return tx.RaiseCounterCallback("none", t0) })
	if due(t0) != 1 || due(t0.Add(-time.Second)) != 0 {
		t.Error("not due at the end")
	}
	write(t, db, func(tx *Tx) error {
		return tx.SetCounterCallback(CounterCallback{Session: "1", State: "delivered", Tries: 1, Due: t0})
	})
	if due(t0) != 0 {
		t.Error("sent twice")
	}
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error {
		return tx.SetCounterCallback(CounterCallback{Session: "1", State: "waiting"})
	}), NotFound)
}
