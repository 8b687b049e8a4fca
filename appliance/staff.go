package appliance

import (
	"context"
	"encoding/json"
	"strings"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Members of the staff are known to the vault as holders are, under IDs of their own
// and with factors of their own, and have no credential. Who they are and what they may
// do is decided here, by the table of package staff.

// NewMember is somebody to be appointed.
type NewMember struct {
	Username, GivenName, Surname, FiscalCode, Email string
	Role                                            staff.Role
	Centre                                          string // where the member works; needed by nobody but at counters
}

// parameters are the proposal's; memberOf reads them back.
func (n NewMember) parameters() map[string]string {
	p := map[string]string{"username": n.Username, "given-name": n.GivenName, "surname": n.Surname,
		"fiscal-code": n.FiscalCode, "email": n.Email, "role": string(n.Role)}
	if n.Centre != "" {
		p["centre"] = n.Centre
	}
	return p
}

func memberOf(p map[string]string) NewMember {
	return NewMember{Username: p["username"], GivenName: p["given-name"], Surname: p["surname"],
		FiscalCode: p["fiscal-code"], Email: p["email"], Role: staff.Role(p["role"]), Centre: p["centre"]}
}

func (n NewMember) check() error {
	if _, err := staff.ParseRole(string(n.Role)); err != nil {
		return err
	}
	if err := pki.CheckFiscalCode(n.FiscalCode); err != nil {
		return &staff.Error{Kind: staff.Invalid, Msg: "the fiscal code is wrong", Err: err}
	}
	if n.Centre != "" {
		if err := staff.CheckCentre(n.Centre); err != nil {
			return err
		}
	}
	for what, s := range map[string]string{"username": n.Username, "given name": n.GivenName, "surname": n.Surname} {
		if strings.TrimSpace(s) == "" || strings.TrimSpace(s) != s || len(s) > 100 {
			return &staff.Error{Kind: staff.Invalid, Msg: "the " + what + " must have 1 to 100 bytes and no spaces around it"}
		}
	}
	return nil
}

func (n NewMember) row(id string, a *Appliance) store.Staff {
	now := a.opt.Now()
	return store.Staff{ID: id, Username: n.Username, GivenName: n.GivenName, Surname: n.Surname, FiscalCode: n.FiscalCode,
		Email: n.Email, Role: string(n.Role), Centre: n.Centre, State: store.StaffAppointed, Created: now, Changed: now}
}

func asMember(s store.Staff) staff.Member {
	return staff.Member{ID: s.ID, Username: s.Username, GivenName: s.GivenName, Surname: s.Surname, FiscalCode: s.FiscalCode,
		Email: s.Email, Role: staff.Role(s.Role), Centre: s.Centre}
}

// Staff lists who works here, in the order of their appointment; those who are gone too
// if all is set.
func (a *Appliance) Staff(ctx context.Context, all bool) (list []store.Staff, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.StaffList(all)
		return err
	})
	return list, err
}

// Staffed says whether anybody was appointed. Until then whoever has the console of the
// machine acts for the house, as in a demonstration; from then on nobody does without
// the factors of a member.
func (a *Appliance) Staffed(ctx context.Context) (bool, error) {
	list, err := a.Staff(ctx, true)
	return len(list) > 0, err
}

// Founding says whether appointments are still made at the console, because there are
// no two members yet of whom one could propose and the other approve one.
func (a *Appliance) Founding(ctx context.Context) (bool, error) {
	list, err := a.Staff(ctx, false)
	return !staff.Decided(activeRoles(list, ""), staff.AppointStaff), err
}

// activeRoles are the roles of those who have their factors, but for the member without.
func activeRoles(list []store.Staff, without string) (roles []staff.Role) {
	for _, s := range list {
		if s.State == store.StaffActive && s.ID != without {
			roles = append(roles, staff.Role(s.Role))
		}
	}
	return roles
}

// AppointFirst appoints a member without a second person, while Founding: at the
// ceremony, or at the console of the machine. The activation code is for the member.
// console is who sits there.
func (a *Appliance) AppointFirst(ctx context.Context, console string, n NewMember) (staff.Handout, error) {
	if err := n.check(); err != nil {
		return staff.Handout{}, err
	}
	row := n.row(memberID+randomPIN()[:16], a)
	act, code := a.newActivation(activateStaff, row.ID, terms{}, "console:"+console)
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		list, err := tx.StaffList(false)
		if err != nil {
			return err
		}
		if staff.Decided(activeRoles(list, ""), staff.AppointStaff) {
			return &staff.Error{Kind: staff.NotPermitted, Msg: "the staff appoints its members itself now: one proposes, another approves"}
		}
		return a.appoint(tx, row, act, map[string]string{"approved-by": "nobody: the house is being founded"})
	})
	return staff.Handout{Subject: row.ID, Username: row.Username, Code: code, Expires: act.Expires}, taken(err)
}

// appoint stores a member with the activation of the factors, and the journal's entry.
func (a *Appliance) appoint(tx *store.Tx, row store.Staff, act store.Activation, more map[string]string) error {
	if err := tx.PutStaff(row); err != nil {
		return err
	}
	if err := tx.PutActivation(act); err != nil {
		return err
	}
	detail := map[string]string{"role": row.Role, "username": row.Username, "name": row.GivenName + " " + row.Surname, "fiscal-code": row.FiscalCode}
	if row.Centre != "" {
		detail["centre"] = row.Centre
	}
	for k, v := range more {
		detail[k] = v
	}
	return audit.Append(tx, a.opt.Now(), audit.Event{Actor: act.Actor, Event: "staff.appointed", Subject: row.ID, Detail: detail})
}

// taken says that a conflict of the database is one of persons.
func taken(err error) error {
	if store.KindOf(err) == store.Conflict {
		return &staff.Error{Kind: staff.Conflict, Msg: "this person has a role already, or the username is taken; nobody has two roles", Err: err}
	}
	return err
}

// remove takes a member's role away. The house must stay able to appoint others.
func (a *Appliance) remove(tx *store.Tx, id, by, approver, reason string) error {
	list, err := tx.StaffList(false)
	if err != nil {
		return err
	}
	if !staff.Decided(activeRoles(list, id), staff.AppointStaff) {
		return &staff.Error{Kind: staff.Unready, Msg: "without this member nobody could appoint another; appoint the successor in another role first"}
	}
	row, err := tx.Staff(id)
	if err != nil {
		return err
	}
	if err := tx.RemoveStaff(id, a.opt.Now()); err != nil {
		return err
	}
	act, err := tx.ActivationOf(id)
	if err == nil {
		from := act.State
		act.State = store.ActivationVoid
		err = tx.ChangeActivation(act, from)
	}
	if err != nil && store.KindOf(err) != store.NotFound {
		return err
	}
	return audit.Append(tx, a.opt.Now(), audit.Event{Actor: by, Event: "staff.removed", Subject: id,
		Detail: map[string]string{"role": row.Role, "username": row.Username, "reason": reason, "approved-by": approver}})
}

// StaffCheck recognises a member by username, password and second factor. Unknown names
// are answered like wrong passwords. Errors are of package signing, as of SignIn.
func (a *Appliance) StaffCheck(ctx context.Context, username string, e signing.Evidence) (staff.Member, error) {
	m, _, err := a.recogniseMember(ctx, username, e)
	return m, err
}

// recogniseMember has the vault check a member's factors.
func (a *Appliance) recogniseMember(ctx context.Context, username string, e signing.Evidence) (m staff.Member, r vault.Recognition, err error) {
	defer clear(e.Password)
	if username = strings.TrimSpace(username); len(username) > maxUsername {
		return m, r, &signing.Error{Kind: signing.WrongFactors, Msg: "no username is that long"}
	}
	var row store.Staff
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.StaffByUsername(username)
		return err
	})
	var factors vault.Factors
	switch {
	case store.KindOf(err) == store.NotFound, err == nil && row.State != store.StaffActive:
		return m, r, a.refuseStranger(ctx, "staff:"+username, e)
	case err != nil:
		return m, r, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if err := json.Unmarshal(row.Factors, &factors); err != nil {
		return m, r, &signing.Error{Kind: signing.Internal, Msg: "the member's factors cannot be read", Err: err}
	}
	if r, err = a.Vault.Authenticate(ctx, vault.Authentication{Factors: factors, Evidence: e}); err != nil {
		err = signing.FromVault(err)
		if signing.KindOf(err) != signing.Locked || a.strangers.tell(a.opt.Now()) {
			a.note(ctx, audit.Event{Actor: row.ID, Event: "staff.sign-in-refused", Subject: row.ID,
				Detail: map[string]string{"kind": string(signing.KindOf(err)), "client": e.Client}})
		}
		return m, r, err
	}
	err = a.journal.Append(ctx, audit.Event{Actor: row.ID, Event: "staff.recognised", Subject: row.ID,
		Detail: map[string]string{"client": e.Client, "role": row.Role, "username": row.Username}})
	if err != nil {
		return m, r, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return asMember(row), r, nil
}

// StaffSignIn opens a session of a member. As with holders, the vault gives something to
// the browser that others who guess then do not lock out: who works here must be able to
// act when somebody wants to keep them from it.
func (a *Appliance) StaffSignIn(ctx context.Context, username string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error) {
	m, r, err := a.recogniseMember(ctx, username, e)
	if err != nil {
		return auth.SignedIn{}, err
	}
	token, err := a.desks.Start(ctx, auth.Opening{Holder: m.ID, Visit: v})
	return auth.SignedIn{Token: token, Browser: r.Browser, BrowserExpires: r.BrowserExpires}, passing(err)
}

// StaffSession gives the member of a session token; an error when there is none, or
// when the member was removed meanwhile, or v may not use it.
func (a *Appliance) StaffSession(ctx context.Context, token string, v auth.Visit) (staff.Member, error) {
	s, err := a.desks.Check(ctx, token, v)
	if err != nil {
		return staff.Member{}, passing(err)
	}
	return a.member(ctx, s.Holder)
}

// member is a member in office.
func (a *Appliance) member(ctx context.Context, id string) (staff.Member, error) {
	var row store.Staff
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Staff(id)
		return err
	})
	if err != nil {
		return staff.Member{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if row.State != store.StaffActive {
		return staff.Member{}, &auth.Error{Kind: auth.NoSession, Msg: "you are not in office any more"}
	}
	return asMember(row), nil
}

// StaffSignOut ends a member's session.
func (a *Appliance) StaffSignOut(ctx context.Context, token string) error {
	return passing(a.desks.End(ctx, token))
}
