package appliance

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// A critical act is proposed by one member and done when another has approved it:
//
//  1. Propose. Durable: the proposal, and its digest in the journal.
//  2. Approve, by a second person of another role, of exactly what was shown: the digest
//     of the row must be the approver's and the journal's. Durable: that it is approved,
//     by whom, and that it is being done. Of two approvals one gets here.
//  3. It is done. Every act is made so that doing it again after a crash adds nothing.
//  4. Durable: that it was executed, or why it can't be. What failed in passing stays
//     approved and is taken up again by the clock.

// maxOpenProposals is how many proposals of one member may wait.
const maxOpenProposals = 50

// claimLife is how long who does an approved act has for it before another tries.
const claimLife = 5 * time.Minute

// performer does an approved act. It may be called again for the same proposal.
type performer func(*Appliance, context.Context, staff.Proposal) (result string, out staff.Handout, err error)

// performers are the acts that can be proposed.
var performers = map[staff.Act]performer{
	staff.RecoverHolder: (*Appliance).performRecovery,
	staff.AppointStaff:  (*Appliance).performAppointment,
	staff.RemoveStaff:   (*Appliance).performRemoval,
	staff.RevokeHouse:   (*Appliance).performRevocation,
}

// Propose makes a proposal durable. more, if not nil, runs in the same transaction.
func (a *Appliance) propose(ctx context.Context, by staff.Member, act staff.Act, subject string, parameters map[string]string, more func(*store.Tx, staff.Proposal) error) (staff.Proposal, error) {
	p, err := staff.Propose("proposal-"+randomPIN()[:16], by, act, subject, parameters, a.opt.Now())
	if err != nil {
		return p, err
	}
	if performers[act] == nil {
		return p, &staff.Error{Kind: staff.Invalid, Msg: "this cannot be proposed yet: " + string(act)}
	}
	data, err := json.Marshal(p.Parameters)
	if err != nil {
		return p, &staff.Error{Kind: staff.Failed, Msg: "the parameters cannot be written", Err: err}
	}
	digest := p.Digest()
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if n, err := tx.OpenProposals(by.ID); err != nil || n >= maxOpenProposals {
			return errors.Join(err, tooMany(n))
		}
		list, err := tx.StaffList(false)
		if err != nil {
			return err
		}
		if !decidable(list, p) {
			return &staff.Error{Kind: staff.Unready, Msg: "nobody is in office who could approve this; appoint another role first"}
		}
		if more != nil {
			if err := more(tx, p); err != nil {
				return err
			}
		}
		err = tx.PutProposal(store.Proposal{ID: p.ID, Act: string(p.Act), Subject: p.Subject, Parameters: data, Digest: digest[:],
			Proposer: p.Proposer, ProposerRole: string(p.ProposerRole), Created: p.Created, Expires: p.Expires, State: string(p.State)})
		if err != nil {
			return err
		}
		detail := map[string]string{"act": string(p.Act), "about": p.Subject, "digest": hex.EncodeToString(digest[:]), "expires": p.Expires.Format(time.RFC3339)}
		for k, v := range p.Parameters {
			detail["with-"+k] = v
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: by.ID, Event: "proposal.made", Subject: p.ID, Detail: detail})
	})
	return p, err
}

func tooMany(n int64) error {
	if n < maxOpenProposals {
		return nil
	}
	return &staff.Error{Kind: staff.Conflict, Msg: "too many of your proposals wait; withdraw some"}
}

// decidable says whether somebody in office could approve a proposal.
func decidable(list []store.Staff, p staff.Proposal) bool {
	for _, r := range activeRoles(list, p.Proposer) {
		if staff.MayApprove(r, p.ProposerRole, p.Act) {
			return true
		}
	}
	return false
}

// ProposeAppointment proposes to appoint somebody.
func (a *Appliance) ProposeAppointment(ctx context.Context, by staff.Member, n NewMember) (staff.Proposal, error) {
	if err := n.check(); err != nil {
		return staff.Proposal{}, err
	}
	return a.propose(ctx, by, staff.AppointStaff, n.Username, n.parameters(), func(tx *store.Tx, _ staff.Proposal) error {
		list, err := tx.StaffList(false)
		for _, s := range list {
			if s.FiscalCode == n.FiscalCode || s.Username == n.Username {
				return taken(&store.Error{Kind: store.Conflict, Msg: "store: put staff"})
			}
		}
		return err
	})
}

// ProposeRemoval proposes to take a member's role away.
func (a *Appliance) ProposeRemoval(ctx context.Context, by staff.Member, username, reason string) (staff.Proposal, error) {
	var row store.Staff
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.StaffByUsername(username)
		return err
	})
	if err != nil {
		return staff.Proposal{}, missing(err, "there is no member of this username")
	}
	return a.propose(ctx, by, staff.RemoveStaff, row.ID, map[string]string{"username": row.Username, "role": row.Role,
		"name": row.GivenName + " " + row.Surname, "reason": reason}, nil)
}

// ProposeRevocation proposes to revoke a certificate of the house, for a reason of
// RFC 5280 §5.3.1.
func (a *Appliance) ProposeRevocation(ctx context.Context, by staff.Member, serial, reason string) (staff.Proposal, error) {
	if _, err := revocationReason(reason); err != nil {
		return staff.Proposal{}, err
	}
	var c store.Certificate
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Certificate(serial)
		return err
	})
	switch {
	case err != nil:
		return staff.Proposal{}, missing(err, "there is no such certificate")
	case pki.HolderProfile(c.Profile):
		return staff.Proposal{}, &staff.Error{Kind: staff.Invalid, Msg: "the certificate of a holder is revoked without a proposal"}
	}
	return a.propose(ctx, by, staff.RevokeHouse, serial, map[string]string{"subject": c.Subject, "profile": c.Profile, "reason": reason}, nil)
}

// missing turns NotFound of the database into one that says what.
func missing(err error, what string) error {
	if store.KindOf(err) == store.NotFound {
		return &staff.Error{Kind: staff.NotFound, Msg: what, Err: err}
	}
	return err
}

// Proposals lists those in a state (all, when it is empty), the newest first.
func (a *Appliance) Proposals(ctx context.Context, state staff.State) (list []staff.Proposal, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Proposals(string(state), store.MaxRows)
		for _, r := range rows {
			p, err := asProposal(r)
			if err != nil {
				return err
			}
			list = append(list, a.lapsed(p))
		}
		return err
	})
	return list, err
}

// Proposal is one of them.
func (a *Appliance) Proposal(ctx context.Context, id string) (p staff.Proposal, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		r, err := tx.Proposal(id)
		if err != nil {
			return err
		}
		p, err = asProposal(r)
		return err
	})
	return a.lapsed(p), missing(err, "there is no such proposal")
}

// lapsed shows an open proposal that is too old as what it is.
func (a *Appliance) lapsed(p staff.Proposal) staff.Proposal {
	if p.State == staff.Open && !a.opt.Now().Before(p.Expires) {
		p.State = staff.Lapsed
	}
	return p
}

func asProposal(r store.Proposal) (staff.Proposal, error) {
	p := staff.Proposal{ID: r.ID, Act: staff.Act(r.Act), Subject: r.Subject, Proposer: r.Proposer, ProposerRole: staff.Role(r.ProposerRole),
		Created: r.Created, Expires: r.Expires, State: staff.State(r.State), Approver: r.Approver, Decided: r.Decided, Result: r.Result}
	if err := json.Unmarshal(r.Parameters, &p.Parameters); err != nil {
		return p, &staff.Error{Kind: staff.Changed, Msg: "the proposal cannot be read", Err: err}
	}
	return p, nil
}

// Approve approves a proposal and does what it is for. shown is the digest of what the
// member was shown.
func (a *Appliance) Approve(ctx context.Context, by staff.Member, id string, shown [32]byte) (staff.Outcome, error) {
	var p staff.Proposal
	var refused error
	now := a.opt.Now()
	err := a.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if p, refused, err = a.judge(tx, by, id, shown, now); err != nil || refused != nil {
			return err
		}
		if err := tx.DecideProposal(id, string(staff.Approved), by.ID, now); err != nil {
			return err
		}
		if err := tx.ClaimProposal(id, time.Time{}, now); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "proposal.approved", Subject: id,
			Detail: map[string]string{"act": string(p.Act), "about": p.Subject, "proposer": p.Proposer, "digest": hex.EncodeToString(shown[:])}})
	})
	if store.KindOf(err) == store.Conflict {
		err = &staff.Error{Kind: staff.Closed, Msg: "somebody else has decided this proposal", Err: err}
	}
	if err := errors.Join(err, refused); err != nil {
		return staff.Outcome{}, missing(firstOf(refused, err), "there is no such proposal")
	}
	p.State, p.Approver, p.Decided = staff.Approved, by.ID, now
	return a.perform(ctx, p)
}

// judge says whether a member may approve a proposal, on the state as it is in tx. A
// refusal is journalled and so no error of the transaction's.
func (a *Appliance) judge(tx *store.Tx, by staff.Member, id string, shown [32]byte, now time.Time) (p staff.Proposal, refused, err error) {
	row, err := tx.Proposal(id)
	if err != nil {
		return p, nil, err
	}
	if p, refused = asProposal(row); refused == nil {
		refused = p.Approvable(by, shown, now)
	}
	if refused == nil {
		refused = asMade(tx, row, p)
	}
	for _, m := range []staff.Member{by, {ID: p.Proposer, Role: p.ProposerRole}} {
		if refused == nil {
			refused, err = inOffice(tx, m)
		}
	}
	if refused == nil || err != nil {
		return p, refused, err
	}
	if staff.KindOf(refused) == staff.Expired && row.State == string(staff.Open) {
		if err := tx.DecideProposal(id, string(staff.Lapsed), "", now); err != nil {
			return p, refused, err
		}
	}
	return p, refused, audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "proposal.refused", Subject: id,
		Detail: map[string]string{"reason": string(staff.KindOf(refused))}})
}

// asMade makes sure that the row is what was proposed: the journal has its digest, and
// whoever changes a row cannot change that unseen.
func asMade(tx *store.Tx, row store.Proposal, p staff.Proposal) error {
	changed := &staff.Error{Kind: staff.Changed, Msg: "the proposal is not what was proposed; have it withdrawn and look into it"}
	made, err := tx.JournalOfEvent(p.ID, "proposal.made", 1)
	if err != nil || len(made) == 0 {
		changed.Err = err
		return changed
	}
	var detail map[string]string
	if err := json.Unmarshal(made[0].Detail, &detail); err != nil {
		changed.Err = err
		return changed
	}
	digest := p.Digest()
	if detail["digest"] != hex.EncodeToString(digest[:]) || !bytes.Equal(row.Digest, digest[:]) || made[0].Actor != p.Proposer {
		return changed
	}
	return nil
}

// inOffice refuses a member who was removed, or has another role by now.
func inOffice(tx *store.Tx, m staff.Member) (refused, err error) {
	row, err := tx.Staff(m.ID)
	if err != nil && store.KindOf(err) != store.NotFound {
		return nil, err
	}
	if err != nil || row.State != store.StaffActive || staff.Role(row.Role) != m.Role {
		return &staff.Error{Kind: staff.NotPermitted, Msg: "who proposed or approves this is not in office any more"}, nil
	}
	return nil, nil
}

// CancelProposal withdraws an open proposal.
func (a *Appliance) CancelProposal(ctx context.Context, by staff.Member, id, reason string) error {
	now := a.opt.Now()
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Proposal(id)
		if err != nil {
			return err
		}
		p, err := asProposal(row)
		if err != nil {
			p = staff.Proposal{ID: id, Act: staff.Act(row.Act), Proposer: row.Proposer, ProposerRole: staff.Role(row.ProposerRole),
				Expires: row.Expires, State: staff.State(row.State)} // unreadable: that is a reason to withdraw it
		}
		if err := p.Cancellable(by, now); err != nil {
			return err
		}
		if err := tx.DecideProposal(id, string(staff.Cancelled), by.ID, now); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "proposal.cancelled", Subject: id, Detail: map[string]string{"reason": reason}})
	})
	if store.KindOf(err) == store.Conflict {
		return &staff.Error{Kind: staff.Closed, Msg: "somebody else has decided this proposal", Err: err}
	}
	return missing(err, "there is no such proposal")
}

// perform does an approved act and records its end.
func (a *Appliance) perform(ctx context.Context, p staff.Proposal) (staff.Outcome, error) {
	ctx = context.WithoutCancel(ctx) // who approved may close the window
	ctx, cancel := context.WithTimeout(ctx, claimLife-time.Minute)
	defer cancel()
	do := performers[p.Act]
	if do == nil {
		return staff.Outcome{Proposal: p}, &staff.Error{Kind: staff.Invalid, Msg: "this program cannot do " + string(p.Act)}
	}
	result, handout, err := do(a, ctx, p)
	switch {
	case err == nil:
		p.State, p.Result = staff.Executed, result
	case passingFault(err):
		a.log.Error("an approved act has to be tried again", "proposal", p.ID, "act", p.Act, "err", err)
		return staff.Outcome{Proposal: p}, err
	default:
		p.State, p.Result = staff.Refused, err.Error()
		a.log.Error("an approved act cannot be done", "proposal", p.ID, "act", p.Act, "err", err)
	}
	ended := a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.EndProposal(p.ID, string(p.State), p.Result); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: p.Approver, Event: "proposal." + string(p.State), Subject: p.ID,
			Detail: map[string]string{"act": string(p.Act), "about": p.Subject, "proposer": p.Proposer, "result": p.Result}})
	})
	return staff.Outcome{Proposal: p, Handout: handout}, firstOf(err, ended)
}

// passingFault says whether doing it later may work.
func passingFault(err error) bool {
	switch store.KindOf(err) {
	case store.Busy, store.Full:
		return true
	}
	switch vault.KindOf(err) {
	case vault.Busy, vault.Unavailable, vault.TokenGone, vault.Full:
		return true
	}
	switch pki.KindOf(err) {
	case pki.Busy, pki.Full, pki.KeyUnavailable:
		return true
	}
	switch signing.KindOf(err) {
	case signing.Busy, signing.KeyUnavailable, signing.DiskFull:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// resumeProposals takes up what was approved and not brought to its end, and marks what
// has waited too long. Codes that such an act makes reach nobody: members give them
// anew.
func (a *Appliance) resumeProposals(ctx context.Context) error {
	now := a.opt.Now()
	var due []staff.Proposal
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		due = nil
		open, err := tx.Proposals(string(staff.Open), store.MaxRows)
		if err != nil {
			return err
		}
		for _, r := range open {
			if now.Before(r.Expires) {
				continue
			}
			if err := tx.DecideProposal(r.ID, string(staff.Lapsed), "", now); err != nil {
				return err
			}
			if err := audit.Append(tx, now, audit.Event{Actor: "appliance", Event: "proposal.expired", Subject: r.ID}); err != nil {
				return err
			}
		}
		approved, err := tx.Proposals(string(staff.Approved), store.MaxRows)
		if err != nil {
			return err
		}
		for _, r := range approved {
			if now.Sub(r.Claimed) < claimLife {
				continue
			}
			p, err := asProposal(r)
			if err != nil {
				continue // its end is for people
			}
			if err := tx.ClaimProposal(r.ID, r.Claimed, now); err != nil {
				return err
			}
			due = append(due, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range due {
		if _, err := a.perform(ctx, p); err != nil {
			a.log.Error("an approved act was taken up again in vain", "proposal", p.ID, "err", err)
		}
	}
	return nil
}
