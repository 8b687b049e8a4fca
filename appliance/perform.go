package appliance

import (
	"context"
	"strconv"
	"strings"

	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/store"
)

// What approved proposals do. Each may be done again: what is there already is left.

// performAppointment gives somebody a role. The member's ID hangs from the proposal's, so
// that one proposal appoints one person.
func (a *Appliance) performAppointment(ctx context.Context, p staff.Proposal) (string, staff.Handout, error) {
	n := memberOf(p.Parameters)
	if err := n.check(); err != nil {
		return "", staff.Handout{}, err
	}
	row := n.row(memberID+p.ID[len("proposal-"):], a)
	act, code := a.newActivation(activateStaff, row.ID, terms{}, p.Approver)
	out := staff.Handout{Subject: row.ID, Username: row.Username, Code: code, Expires: act.Expires}
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Staff(row.ID); store.KindOf(err) != store.NotFound {
			out = staff.Handout{} // done before; the code was given, or is given anew
			return err
		}
		return a.appoint(tx, row, act, map[string]string{"proposal": p.ID, "proposed-by": p.Proposer, "approved-by": p.Approver})
	})
	return row.ID, out, taken(err)
}

// performRemoval takes a member's role away.
func (a *Appliance) performRemoval(ctx context.Context, p staff.Proposal) (string, staff.Handout, error) {
	err := a.DB.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Staff(p.Subject)
		if err != nil || row.State == store.StaffRemoved {
			return err
		}
		return a.remove(tx, p.Subject, p.Proposer, p.Approver, p.Parameters["reason"])
	})
	return p.Subject, staff.Handout{}, err
}

// performRevocation revokes a certificate of the house.
func (a *Appliance) performRevocation(ctx context.Context, p staff.Proposal) (string, staff.Handout, error) {
	reason, err := revocationReason(p.Parameters["reason"])
	if err != nil {
		return "", staff.Handout{}, err
	}
	if state, err := a.PKI.Status(ctx, p.Subject); err != nil || state == store.CertRevoked {
		return p.Subject, staff.Handout{}, err
	}
	err = a.PKI.Revoke(ctx, p.Subject, reason, p.Approver)
	if pki.KindOf(err) == pki.Unpublished {
		a.log.Error("a revocation is not on the list yet", "certificate", p.Subject, "err", err)
		err = nil
	}
	return p.Subject, staff.Handout{}, err
}

// revocationReason reads a reason's number; which numbers are reasons pki knows.
func revocationReason(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 10 {
		return 0, &staff.Error{Kind: staff.Invalid, Msg: "the reason of a revocation is a number of RFC 5280 §5.3.1"}
	}
	return n, nil
}

// proposerOf is who has proposed what an activation follows from; "" for one that nobody
// had to propose.
func proposerOf(tx *store.Tx, act store.Activation) (string, error) {
	id := ""
	switch act.Kind {
	case activateRecover:
		id = "proposal-" + strings.TrimPrefix(act.ID, "activation-")
	case activateStaff:
		id = "proposal-" + strings.TrimPrefix(act.Subject, memberID)
	}
	p, err := tx.Proposal(id)
	if store.KindOf(err) == store.NotFound {
		return "", nil // registered, or appointed when the house was founded
	}
	return p.Proposer, err
}
