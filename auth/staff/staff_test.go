package staff

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The table, written down a second time: a right that appears or goes by a slip of
// the hand is seen here.
func TestRights(t *testing.T) {
	t.Parallel()
	all := map[Role]string{
		Security:             "see-holders suspend-by-code suspend revoke-delegation read-journal see-staff appoint-staff remove-staff",
		Certification:        "see-holders register-holder suspend-by-code suspend reactivate revoke revoke-delegation read-journal see-staff stamp-units stamp-accounts approve-enrolment withdraw-consent roll-back-profile counter-report recover-holder appoint-staff remove-staff revoke-house",
		Technical:            "suspend-by-code see-staff oauth-clients counter-tablets change-configuration delete-journal restore-backup",
		Logistic:             "stamp-accounts",
		Audit:                "see-holders read-journal see-staff counter-report",
		RegistrationOperator: "see-holders register-holder suspend-by-code suspend reactivate revoke-delegation see-staff counter enrol-customer approve-enrolment withdraw-consent recover-holder",
		RegistrationOfficer:  "see-holders register-holder suspend-by-code suspend reactivate revoke-delegation see-staff counter enrol-customer approve-enrolment withdraw-consent recover-holder",
	}
	for _, r := range append([]Role{"", "root", "Security"}, Roles...) {
		got := ""
		for _, rule := range Rules {
			if May(r, rule.Act) {
				got += " " + string(rule.Act)
			}
		}
		if want := all[r]; got != map[bool]string{true: " " + want, false: ""}[want != ""] {
			t.Errorf("%s may%s", r, got)
		}
		if May(r, "") || May(r, "everything") || MayDecide(r, "everything") || Critical("everything") {
			t.Errorf("%s may what is not in the table", r)
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[Act]bool{}
	for _, r := range Rules {
		if seen[r.Act] || len(r.By) == 0 {
			t.Errorf("%s is there twice, or for nobody", r.Act)
		}
		seen[r.Act] = true
		for _, role := range slices.Concat(r.By, r.Approve) {
			if !slices.Contains(Roles, role) {
				t.Errorf("%s: no role %q", r.Act, role)
			}
		}
		if Critical(r.Act) && !Decided(Roles, r.Act) {
			t.Errorf("nobody can approve %s", r.Act)
		}
		for _, role := range r.By { // whoever may propose finds somebody else to approve
			if Critical(r.Act) && !slices.ContainsFunc(Roles, func(o Role) bool { return MayApprove(o, role, r.Act) }) {
				t.Errorf("nobody can approve %s of %s", r.Act, role)
			}
		}
		if slices.Contains(r.By, Audit) && !slices.Contains([]Act{SeeHolders, ReadJournal, SeeStaff, CounterReport}, r.Act) {
			t.Errorf("an auditor may change something: %s", r.Act)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	n := 0
	for _, r := range Roles {
		if got, err := ParseRole(string(r)); got != r || err != nil {
			t.Errorf("%s: %v", r, err)
		}
		if r.Responsible() {
			n++
		}
	}
	if n != 5 || RegistrationOperator.Responsible() {
		t.Errorf("%d responsible persons", n)
	}
	for _, s := range []string{"", "root", "security ", "SECURITY"} {
		if _, err := ParseRole(s); KindOf(err) != Invalid {
			t.Errorf("%q: %v", s, err)
		}
	}
	if Decided([]Role{Security}, AppointStaff) || Decided([]Role{Security, Audit, Logistic}, AppointStaff) || !Decided([]Role{Certification, Technical}, AppointStaff) {
		t.Error("who can appoint is wrong")
	}
}

var (
	sara  = Member{ID: "staff-sara", Role: Security}
	carlo = Member{ID: "staff-carlo", Role: Certification}
	clara = Member{ID: "staff-clara", Role: Certification}
	olga  = Member{ID: "staff-olga", Role: RegistrationOperator}
	aldo  = Member{ID: "staff-aldo", Role: Audit}
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func TestApprovable(t *testing.T) {
	t.Parallel()
	p, err := Propose("p-1", carlo, RecoverHolder, "holder-1", map[string]string{"number": "AB123"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	shown := p.Digest()
	other := p
	other.Parameters = map[string]string{"number": "AB124"}
	closed := p
	closed.State = Executed
	for name, c := range map[string]struct {
		p    Proposal
		by   Member
		at   time.Duration
		want Kind
	}{
		"good":              {p, sara, time.Hour, ""},
		"at the last":       {p, sara, ProposalLife - 1, ""},
		"expired":           {p, sara, ProposalLife, Expired},
		"who proposed":      {p, carlo, 0, SamePerson},
		"of the same role":  {p, clara, 0, SamePerson},
		"no right":          {p, aldo, 0, NotPermitted},
		"operator":          {p, olga, 0, NotPermitted},
		"stranger":          {p, Member{}, 0, NotPermitted},
		"other parameters":  {other, sara, 0, Changed},
		"decided":           {closed, sara, 0, Closed},
		"decided and stale": {closed, sara, 2 * ProposalLife, Closed},
	} {
		if err := c.p.Approvable(c.by, shown, noon.Add(c.at)); KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for by, want := range map[Member]Kind{carlo: "", sara: "", aldo: NotPermitted, olga: NotPermitted} {
		if err := p.Cancellable(by, noon); KindOf(err) != want {
			t.Errorf("cancelled by %s: %v", by.ID, err)
		}
	}
}

// Every field counts, and none can be moved into another.
func TestDigest(t *testing.T) {
	t.Parallel()
	p, err := Propose("p-1", sara, AppointStaff, "x", map[string]string{"a": "b", "c": "d"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]string{p.Digest(): "as it was"}
	for name, change := range map[string]func(*Proposal){
		"id":        func(p *Proposal) { p.ID = "p-2" },
		"act":       func(p *Proposal) { p.Act = RemoveStaff },
		"subject":   func(p *Proposal) { p.Subject = "y" },
		"proposer":  func(p *Proposal) { p.Proposer = "staff-carlo" },
		"role":      func(p *Proposal) { p.ProposerRole = Certification },
		"created":   func(p *Proposal) { p.Created = noon.Add(time.Millisecond) },
		"expires":   func(p *Proposal) { p.Expires = p.Expires.Add(time.Hour) },
		"value":     func(p *Proposal) { p.Parameters = map[string]string{"a": "bc", "c": "d"} },
		"moved":     func(p *Proposal) { p.Parameters = map[string]string{"a": "bcd"} },
		"key":       func(p *Proposal) { p.Parameters = map[string]string{"a": "b", "d": "c"} },
		"one more":  func(p *Proposal) { p.Parameters = map[string]string{"a": "b", "c": "d", "e": ""} },
		"one fewer": func(p *Proposal) { p.Parameters = map[string]string{"a": "b"} },
	} {
		q := p
		change(&q)
		if was := seen[q.Digest()]; was != "" {
			t.Errorf("%s has the digest of %s", name, was)
		}
		seen[q.Digest()] = name
	}
}

func TestPropose(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range MaxParameters + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, c := range map[string]struct {
		by     Member
		act    Act
		params map[string]string
		want   Kind
	}{
		"good":          {carlo, RevokeHouse, nil, ""},
		"no right":      {olga, RevokeHouse, nil, NotPermitted},
		"not critical":  {carlo, Revoke, nil, Invalid},
		"too many":      {carlo, RevokeHouse, many, Invalid},
		"no text":       {carlo, RevokeHouse, map[string]string{"a": "\xff"}, Invalid},
		"no such act":   {carlo, "all", nil, NotPermitted},
		"empty key":     {carlo, RevokeHouse, map[string]string{"": "x"}, Invalid},
		"auditor alone": {aldo, DeleteJournal, nil, NotPermitted},
	} {
		if _, err := Propose("p", c.by, c.act, "s", c.params, noon); KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCentre(t *testing.T) {
	t.Parallel()
	for s, good := range map[string]bool{"Milano 12": true, "Filiale di Forlì": true, "": false, " x": false, "a\x00": false,
		strings.Repeat("x", MaxCentre+1): false, "\xff": false} {
		if err := CheckCentre(s); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
	}
	here := Member{ID: "o", Role: RegistrationOperator, Centre: "here"}
	for name, c := range map[string]struct {
		m      Member
		centre string
		act    Act
		want   Kind
	}{
		"own":      {here, "here", Counter, ""},
		"other":    {here, "there", Counter, NotPermitted},
		"no right": {here, "here", CounterTablets, NotPermitted},
		"nowhere":  {Member{Role: RegistrationOperator}, "", Counter, NotPermitted},
	} {
		if err := c.m.At(c.centre, c.act); KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
