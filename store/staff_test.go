package store

import (
	"testing"
	"time"
)

func member(id, username, fiscalCode, role string) Staff {
	return Staff{ID: id, Username: username, GivenName: "Sara", Surname: "Sicura", FiscalCode: fiscalCode, Email: "s@x", Role: role, Centre: "Milano 12",
		State: StaffAppointed, Created: t0, Changed: t0}
}

func TestRoundTripsStaff(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	seed(t, db)
	roundTrip(t, db, member("s", "sara", "A", "security"), (*Tx).PutStaff, func(tx *Tx) (Staff, error) { return tx.Staff("s") })
	write(t, db, func(tx *Tx) error { return tx.PutStaff(member("c", "carlo", "B", "certification")) })
	roundTrip(t, db, Session{ID: []byte("id"), Holder: "s", Created: t0, Seen: t0, Expires: t0.Add(time.Hour), Binding: []byte("b")}, (*Tx).PutStaffSession,
		func(tx *Tx) (Session, error) { return tx.StaffSession([]byte("id")) })
	roundTrip(t, db, Proposal{"p", "recover-holder", "h", []byte("{}"), []byte("sum"), "s", "security", t0, t0.Add(time.Hour), "open", "", time.Time{}, time.Time{}, ""},
		(*Tx).PutProposal, func(tx *Tx) (Proposal, error) { return tx.Proposal("p") })
	roundTrip(t, db, Activation{"a", "register", "h", []byte("sum"), ActivationOpen, []byte("{}"), "", nil, 0, t0, t0.Add(time.Hour), "s"},
		(*Tx).PutActivation, func(tx *Tx) (Activation, error) { return tx.ActivationByVerifier([]byte("sum")) })
	id := Identification{"i", "h", "identity-card", "CA00000AA", "Comune", t0.AddDate(5, 0, 0), "s", t0}
	roundTrip(t, db, id, (*Tx).PutIdentification, func(tx *Tx) (Identification, error) {
		list, err := tx.Identifications("h")
		if err == nil && len(list) == 0 {
			return id, &Error{Kind: NotFound}
		}
		if err != nil {
			return id, err
		}
		return list[0], nil
	})
}

// The record of a member's factors gives way to the next one, and the sessions of that member
// alone end.
func TestReplaceStaffFactors(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	write(t, db, func(tx *Tx) error { return tx.PutStaff(member("s", "sara", "A", "security")) })
	write(t, db, func(tx *Tx) error { return tx.PutStaff(member("c", "carlo", "B", "certification")) })
	write(t, db, func(tx *Tx) error { return tx.SetStaffFactors("s", []byte("one"), StaffActive, t0) })
	for _, who := range []string{"s", "c"} {
		write(t, db, func(tx *Tx) error {
			return tx.PutStaffSession(Session{ID: []byte(who), Holder: who, Created: t0, Seen: t0, Expires: t0.Add(time.Hour), Binding: []byte("b")})
		})
	}
	replace := func(id, old, next string) error {
		return db.Write(t.Context(), func(tx *Tx) error { return tx.ReplaceStaffFactors(id, []byte(old), []byte(next)) })
	}
	wantKind(t, replace("s", "none", "two"), Conflict)
	wantKind(t, replace("x", "one", "two"), NotFound)
	if err := replace("s", "one", "two"); err != nil {
		t.Error(err)
	}
	write(t, db, func(tx *Tx) error { return tx.DeleteStaffSessionsOf("s") })
	read(t, db, func(tx *Tx) error {
		m, err := tx.Staff("s")
		if string(m.Factors) != "two" {
			t.Errorf("%+v", m)
		}
		_, gone := tx.StaffSession([]byte("s"))
		wantKind(t, gone, NotFound)
		_, stays := tx.StaffSession([]byte("c"))
		return firstOf(err, stays)
	})
	write(t, db, func(tx *Tx) error { return tx.RemoveStaff("s", t0) })
	wantKind(t, replace("s", "two", "three"), Conflict) // no longer in office
}

// One person has one role, whatever the programs above think; so it is with usernames.
func TestOneRole(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	put := func(s Staff) error { return db.Write(t.Context(), func(tx *Tx) error { return tx.PutStaff(s) }) }
	wantKind(t, put(member("1", "sara", "A", "security")), "")
	wantKind(t, put(member("2", "sara2", "A", "audit")), Conflict)
	wantKind(t, put(member("3", "sara", "B", "audit")), Conflict)
	wantKind(t, put(member("4", "x", "C", "root")), Conflict)
	unready := member("5", "y", "D", "audit")
	unready.State = StaffActive // without factors
	wantKind(t, put(unready), Conflict)
	write(t, db, func(tx *Tx) error {
		return tx.PutStaffSession(Session{ID: []byte("id"), Holder: "1", Created: t0, Seen: t0, Expires: t0})
	})
	write(t, db, func(tx *Tx) error { return tx.RemoveStaff("1", t0) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.RemoveStaff("1", t0) }), NotFound)
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.SetStaffFactors("1", []byte("f"), StaffActive, t0) }), NotFound)
	wantKind(t, put(member("6", "sara", "A", "audit")), "") // another role, after the first
	read(t, db, func(tx *Tx) error {
		if _, err := tx.StaffSession([]byte("id")); KindOf(err) != NotFound {
			t.Error("the session of a removed member lives on")
		}
		now, err := tx.StaffByUsername("sara")
		if now.ID != "6" {
			t.Errorf("sara is %s", now.ID)
		}
		list, _ := tx.StaffList(false)
		all, _ := tx.StaffList(true)
		if len(list) != 1 || len(all) != 2 {
			t.Errorf("%d of %d members", len(list), len(all))
		}
		return err
	})
}

func TestProposalStates(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	write(t, db, func(tx *Tx) error { return tx.PutStaff(member("s", "sara", "A", "security")) })
	write(t, db, func(tx *Tx) error {
		return tx.PutProposal(Proposal{ID: "p", Proposer: "s", State: "open", Created: t0, Expires: t0})
	})
	do := func(want Kind, f func(*Tx) error) {
		t.Helper()
		wantKind(t, db.Write(t.Context(), f), want)
	}
	do(Conflict, func(tx *Tx) error { return tx.DecideProposal("p", "approved", "s", t0) }) // not by who proposed
	do(NotFound, func(tx *Tx) error { return tx.DecideProposal("q", "approved", "c", t0) })
	do(Conflict, func(tx *Tx) error { return tx.EndProposal("p", "executed", "") })
	do("", func(tx *Tx) error { return tx.DecideProposal("p", "approved", "c", t0) })
	do(Conflict, func(tx *Tx) error { return tx.DecideProposal("p", "approved", "d", t0) })
	do(Conflict, func(tx *Tx) error { return tx.DecideProposal("p", "cancelled", "s", t0) })
	do("", func(tx *Tx) error { return tx.ClaimProposal("p", time.Time{}, t0) })
	do(Conflict, func(tx *Tx) error { return tx.ClaimProposal("p", time.Time{}, t0) })
	do("", func(tx *Tx) error { return tx.ClaimProposal("p", t0, t0.Add(time.Hour)) })
	do("", func(tx *Tx) error { return tx.EndProposal("p", "executed", "done") })
	do(Conflict, func(tx *Tx) error { return tx.EndProposal("p", "failed", "") })
}

func TestActivationStates(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	a := Activation{ID: "a", Kind: "register", Subject: "h", Verifier: []byte("1"), State: ActivationOpen, Created: t0, Expires: t0}
	write(t, db, func(tx *Tx) error { return tx.PutActivation(a) })
	second := a
	second.ID, second.Verifier = "b", []byte("2")
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.PutActivation(second) }), Conflict)
	a.State = ActivationVoid
	write(t, db, func(tx *Tx) error { return tx.ChangeActivation(a, ActivationOpen) })
	wantKind(t, db.Write(t.Context(), func(tx *Tx) error { return tx.ChangeActivation(a, ActivationOpen) }), Conflict)
	write(t, db, func(tx *Tx) error { return tx.PutActivation(second) })
	read(t, db, func(tx *Tx) error {
		got, err := tx.ActivationOf("h")
		if got.ID != "b" {
			t.Errorf("the activation of h is %q", got.ID)
		}
		return err
	})
}
