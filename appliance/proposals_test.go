package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/store"
)

// office is an appliance with its database alone, and people in office.
type office struct {
	*Appliance
	t     *testing.T
	mu    sync.Mutex
	clock time.Time
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock
}

func (o *office) wait(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clock = o.clock.Add(d)
}

// The fiscal codes are invented, with right check letters.
var invented = []string{"SMPDAA80A41H501X", "CMPBRN75C15F205C", "RSSMRA85T10A562S"}

func newOffice(t *testing.T, roles ...staff.Role) *office {
	t.Helper()
	o := &office{t: t, clock: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "appliance.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o.Appliance = &Appliance{DB: db, opt: Options{Now: o.now}, log: slog.New(slog.DiscardHandler), journal: audit.New(db, o.now)}
	for i, r := range roles {
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			return tx.PutStaff(store.Staff{ID: "staff-" + string(r), Username: string(r), FiscalCode: fmt.Sprint(i), Role: string(r),
				State: store.StaffActive, Factors: []byte("{}"), Created: o.now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (o *office) get(r staff.Role) staff.Member {
	o.t.Helper()
	m, err := o.member(o.t.Context(), "staff-"+string(r))
	if err != nil {
		o.t.Fatal(err)
	}
	return m
}

func newcomer(i int, r staff.Role) NewMember {
	return NewMember{Username: fmt.Sprintf("nuovo%d", i), GivenName: "Nora", Surname: "Nuova", FiscalCode: invented[i], Role: r}
}

func (o *office) propose1(i int) staff.Proposal {
	o.t.Helper()
	p, err := o.ProposeAppointment(o.t.Context(), o.get(staff.Security), newcomer(i, staff.Audit))
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// events counts the journal's entries of a name.
func (o *office) events(name string) (n int) {
	o.t.Helper()
	err := o.DB.Read(o.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Journal(1, 0)
		for _, r := range rows {
			if r.Event == name {
				n++
			}
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

func want(t *testing.T, what string, err error, kind staff.Kind) {
	t.Helper()
	if staff.KindOf(err) != kind {
		t.Errorf("%s: %v, want %s", what, err, kind)
	}
}

func TestAppointment(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification, staff.Logistic)
	p := o.propose1(0)
	for role, kind := range map[staff.Role]staff.Kind{staff.Security: staff.SamePerson, staff.Logistic: staff.NotPermitted} {
		_, err := o.Approve(t.Context(), o.get(role), p.ID, p.Digest())
		want(t, string(role), err, kind)
	}
	_, err := o.Approve(t.Context(), o.get(staff.Certification), p.ID, [32]byte{})
	want(t, "another digest", err, staff.Changed)
	_, err = o.Approve(t.Context(), o.get(staff.Certification), "proposal-none", p.Digest())
	want(t, "no proposal", err, staff.NotFound)
	if list, _ := o.Staff(t.Context(), true); len(list) != 3 || o.events("proposal.refused") != 3 {
		t.Fatalf("%d members, %d refusals", len(list), o.events("proposal.refused"))
	}
	out, err := o.Approve(t.Context(), o.get(staff.Certification), p.ID, p.Digest())
	if err != nil || out.Proposal.State != staff.Executed || auth.ActivationVerifier(out.Handout.Code) == nil || out.Handout.Username != "nuovo0" {
		t.Fatalf("%+v: %v", out, err)
	}
	_, err = o.Approve(t.Context(), o.get(staff.Certification), p.ID, p.Digest())
	want(t, "twice", err, staff.Closed)
	want(t, "cancelled after", o.CancelProposal(t.Context(), o.get(staff.Security), p.ID, ""), staff.Closed)
	// The person has a role: no second one can even be proposed.
	again := newcomer(0, staff.Logistic)
	again.Username = "altro"
	_, err = o.ProposeAppointment(t.Context(), o.get(staff.Security), again)
	want(t, "a second role", err, staff.Conflict)
	_, err = o.AppointFirst(t.Context(), "root", newcomer(1, staff.Technical))
	want(t, "at the console", err, staff.NotPermitted)
	for name, n := range map[string]int{"proposal.made": 1, "proposal.approved": 1, "proposal.executed": 1, "staff.appointed": 1} {
		if got := o.events(name); got != n {
			t.Errorf("%d × %s", got, name)
		}
	}
}

// A person is appointed by two proposals made before either was approved: one of them
// finds that somebody was quicker, and says so.
func TestTwoAppointmentsOfOne(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification)
	p := o.propose1(0)
	q, err := o.ProposeAppointment(t.Context(), o.get(staff.Certification), newcomer(0, staff.Technical))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), o.get(staff.Certification), p.ID, p.Digest()); err != nil {
		t.Fatal(err)
	}
	out, err := o.Approve(t.Context(), o.get(staff.Security), q.ID, q.Digest())
	want(t, "the second", err, staff.Conflict)
	if out.Proposal.State != staff.Refused {
		t.Errorf("the second is %s", out.Proposal.State)
	}
	if now, _ := o.Proposal(t.Context(), q.ID); now.State != staff.Refused || now.Result == "" {
		t.Errorf("the second is kept as %+v", now)
	}
}

// Two approve at once, and one cancels: one of them gets there, and the act is done once
// or not at all.
func TestApproveRace(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification, staff.Technical)
	for i := range 3 {
		p := o.propose1(i)
		var wg sync.WaitGroup
		errs := make([]error, 9)
		for n := range errs {
			wg.Go(func() {
				switch n % 3 {
				case 0:
					_, errs[n] = o.Approve(context.Background(), o.get(staff.Certification), p.ID, p.Digest())
				case 1:
					_, errs[n] = o.Approve(context.Background(), o.get(staff.Technical), p.ID, p.Digest())
				case 2:
					errs[n] = o.CancelProposal(context.Background(), o.get(staff.Security), p.ID, "race")
				}
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if staff.KindOf(err) != staff.Closed {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d have decided", won)
		}
	}
	list, _ := o.Staff(t.Context(), true)
	if n := o.events("proposal.executed"); len(list) != 3+n || n != o.events("staff.appointed") || n != o.events("proposal.approved") || n+o.events("proposal.cancelled") != 3 {
		t.Errorf("%d members, %d executed, %d cancelled", len(list), n, o.events("proposal.cancelled"))
	}
}

// What was changed in the database after it was proposed is not approved, even by who
// was shown the changed row.
func TestChangedProposal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"role":     `UPDATE proposals SET parameters = CAST(replace(CAST(parameters AS TEXT), 'audit', 'security') AS BLOB)`,
		"digest":   `UPDATE proposals SET digest = X'00'`,
		"proposer": `UPDATE proposals SET proposer = 'staff-technical', proposer_role = 'technical'`,
		"expiry":   `UPDATE proposals SET expires = expires + 86400000`,
		"act":      `UPDATE proposals SET act = 'remove-staff', subject = 'staff-technical'`,
		"broken":   `UPDATE proposals SET parameters = X'7b'`,
	} {
		o := newOffice(t, staff.Security, staff.Certification, staff.Technical)
		p := o.propose1(0)
		behind(t, o.DB.Path(), change)
		q, err := o.Proposal(t.Context(), p.ID)
		if err == nil {
			_, err = o.Approve(t.Context(), o.get(staff.Certification), p.ID, q.Digest())
		} else {
			_, err = o.Approve(t.Context(), o.get(staff.Certification), p.ID, p.Digest())
		}
		if k := staff.KindOf(err); k != staff.Changed && !(name == "proposer" && k == staff.NotPermitted) {
			t.Errorf("%s: %v", name, err)
		}
		if list, _ := o.Staff(t.Context(), false); len(list) != 3 {
			t.Errorf("%s: it was done", name)
		}
	}
}

func TestExpiredProposal(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification)
	p, q := o.propose1(0), o.propose1(1)
	o.wait(staff.ProposalLife)
	_, err := o.Approve(t.Context(), o.get(staff.Certification), p.ID, p.Digest())
	want(t, "expired", err, staff.Expired)
	if got, _ := o.Proposal(t.Context(), q.ID); got.State != staff.Lapsed {
		t.Errorf("shown as %s", got.State)
	}
	if err := o.resumeProposals(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "cancelled", o.CancelProposal(t.Context(), o.get(staff.Security), q.ID, ""), staff.Expired)
	if list, _ := o.Proposals(t.Context(), staff.Lapsed); len(list) != 2 || o.events("proposal.expired") != 1 {
		t.Errorf("%d lapsed", len(list))
	}
}

// Who was removed can approve nothing, and what they proposed is not approved.
func TestRemoval(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification, staff.Technical)
	security, certification := o.get(staff.Security), o.get(staff.Certification)
	old := o.propose1(0)
	p, err := o.ProposeRemoval(t.Context(), certification, "security", "left")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), o.get(staff.Technical), p.ID, p.Digest()); err != nil {
		t.Fatal(err)
	}
	_, err = o.Approve(t.Context(), certification, old.ID, old.Digest())
	want(t, "of a removed member", err, staff.NotPermitted)
	q, err := o.ProposeAppointment(t.Context(), certification, newcomer(1, staff.Security))
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Approve(t.Context(), security, q.ID, q.Digest())
	want(t, "by a removed member", err, staff.NotPermitted)
	// Of the two that are left neither can go: nobody could appoint anybody then.
	r, err := o.ProposeRemoval(t.Context(), certification, "technical", "left")
	if err == nil {
		_, err = o.Approve(t.Context(), o.get(staff.Technical), r.ID, r.Digest())
	}
	want(t, "the last but one", err, staff.Unready)
}

// A crash between the approval and its execution: the clock takes it up, once, and not
// while somebody may be doing it.
func TestResumeApproved(t *testing.T) {
	t.Parallel()
	o := newOffice(t, staff.Security, staff.Certification)
	p := o.propose1(0)
	err := o.DB.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.DecideProposal(p.ID, "approved", "staff-certification", o.now()); err != nil {
			return err
		}
		return tx.ClaimProposal(p.ID, time.Time{}, o.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{0, 1, 1} {
		if err := o.resumeProposals(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := o.events("staff.appointed"); got != n {
			t.Errorf("run %d: appointed %d times", i, got)
		}
		o.wait(claimLife)
	}
	// The code reached nobody: a member gives it anew, one whose role could approve.
	_, err = o.NewCode(t.Context(), staff.Member{ID: "x", Role: staff.RegistrationOperator}, "nuovo0")
	want(t, "by an operator", err, staff.NotPermitted)
	out, err := o.NewCode(t.Context(), o.get(staff.Certification), "nuovo0")
	if err != nil || auth.ActivationVerifier(out.Code) == nil {
		t.Error(err)
	}
	_, err = o.NewCode(t.Context(), o.get(staff.Certification), "security")
	want(t, "for somebody active", err, staff.NotFound)
}

// Before there are two who can appoint, the console appoints; one person one role holds
// there too.
func TestFounding(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if on, err := o.Staffed(t.Context()); on || err != nil {
		t.Error(on, err)
	}
	h, err := o.AppointFirst(t.Context(), "root", newcomer(0, staff.Security))
	if err != nil || auth.ActivationVerifier(h.Code) == nil || strings.Count(h.Code, "-") != 7 {
		t.Fatal(h, err)
	}
	if on, err := o.Staffed(t.Context()); !on || err != nil {
		t.Error(on, err)
	}
	second := newcomer(0, staff.Certification)
	second.Username = "altro"
	_, err = o.AppointFirst(t.Context(), "root", second)
	want(t, "two roles", err, staff.Conflict)
	wrong := newcomer(1, "root")
	_, err = o.AppointFirst(t.Context(), "root", wrong)
	want(t, "no such role", err, staff.Invalid)
	wrong = newcomer(1, staff.Certification)
	wrong.FiscalCode = "XXX"
	_, err = o.AppointFirst(t.Context(), "root", wrong)
	want(t, "no fiscal code", err, staff.Invalid)
	if on, err := o.Founding(t.Context()); !on || err != nil {
		t.Error("not founding", err)
	}
}

// behind changes rows behind the store's back.
func behind(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestTries(t *testing.T) {
	t.Parallel()
	var s tries
	at := time.Unix(1000, 0)
	told := 0
	for i := range 100 {
		if _, ok := s.tell("a", at.Add(time.Duration(i)*10*time.Second)); ok {
			told++
		}
	}
	if told != triesTold {
		t.Errorf("%d entries about one subject in less than an hour", told)
	}
	if omitted, ok := s.tell("a", at.Add(time.Hour)); !ok || omitted != 100-triesTold {
		t.Errorf("%d omitted, told: %v", omitted, ok)
	}
	told = 0
	for i := range 100 {
		if _, ok := s.tell(fmt.Sprint(i), at.Add(2*time.Hour)); ok {
			told++
		}
	}
	if told != triesSecond {
		t.Errorf("%d entries in a second", told)
	}
}

func FuzzReadSerial(f *testing.F) {
	for _, s := range []string{"", "00ff", "3F:A0:1B:77:C2:D9:4E:10", " 3fa01b77 c2d94e10", "0000000000", strings.Repeat("a", 41), "\x00ÿ", "ada"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := readSerial(s)
		if len(got) > 40 || strings.Trim(got, "0123456789abcdef") != "" || strings.HasPrefix(got, "0") {
			t.Errorf("%q is read as %q", s, got)
		}
	})
}
