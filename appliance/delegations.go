package appliance

import (
	"context"

	"sigillo/auth/staff"
	"sigillo/vault"
)

// RevokeDelegationFor takes a delegation of a holder back, by right. Nobody gives one in
// the place of a holder: that takes the holder's factors.
func (a *Appliance) RevokeDelegationFor(ctx context.Context, by staff.Member, holder, id, reason string) error {
	if err := by.May(staff.RevokeDelegation); err != nil {
		return err
	}
	return a.Remote.RevokeDelegation(ctx, holder, id, by.ID, reason)
}

// addDelegations puts what holders have delegated beside what was found of them. The
// vault knows it; while it cannot be asked, certificates can still be suspended.
func (a *Appliance) addDelegations(ctx context.Context, found []staff.Found) {
	for i := range found {
		ds, err := a.Remote.Delegations(ctx, found[i].ID)
		if err != nil {
			a.log.Error("the delegations of a holder cannot be listed", "err", err)
			found[i].Unlisted = true
			continue
		}
		for _, d := range ds {
			if d.State == vault.DelegationActive {
				found[i].Delegations = append(found[i].Delegations, staff.FoundDelegation{ID: d.ID, Credential: d.Credential, Kinds: d.Kinds,
					Count: d.Count, Used: d.Used, Expires: d.Expires, Certificate: d.ClientCertificate})
			}
		}
	}
}
