package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
)

// holderProfiles lists the states of what a customer's handwritten signatures are compared
// with.
func holderProfiles(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "holder profiles")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := someone(ctx, e, a, staff.RollBackProfile, *f.operator)
		if err != nil {
			return err
		}
		holder, err := holderNamed(ctx, a, f.Arg(0))
		if err != nil {
			return err
		}
		list, err := a.Counter.Profiles(ctx, by, holder)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, say("CREDENZIALE\tVERSIONE\tIN USO\tDEL\tPERCHÉ\tTIPO", "CREDENTIAL\tVERSION\tIN USE\tOF\tWHY\tCLASS"))
		for _, p := range list {
			current := say("no", "no")
			if p.Current {
				current = say("sì", "yes")
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", p.Credential, p.Version, current, p.Created.Local().Format(time.DateTime), p.Reason, p.Class)
		}
		return w.Flush()
	})
}

// holderRollBack puts a profile back to what it was.
func holderRollBack(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "holder roll-back")
	f.words = 1
	version := f.Int64("version", 0, say("la versione a cui tornare", "the version to go back to"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		if err := complete(f.FlagSet, "reason"); err != nil {
			return err
		}
		by, evidence, err := unchecked(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		if err := a.Counter.RollBack(ctx, by, f.Arg(0), *version, *f.reason, evidence); err != nil {
			return ofFactors(err)
		}
		fmt.Fprintf(e.out, say("%s è di nuovo quello della versione %d\n", "%s is again that of version %d\n"), f.Arg(0), *version)
		return nil
	})
}

// holderWithdraw ends a customer's consent, with what hangs from it.
func holderWithdraw(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "holder withdraw")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := someone(ctx, e, a, staff.WithdrawConsent, *f.operator)
		if err != nil {
			return err
		}
		holder, err := holderNamed(ctx, a, f.Arg(0))
		if err != nil {
			return err
		}
		if err := a.Counter.Withdraw(ctx, by, holder); err != nil {
			return err
		}
		fmt.Fprintln(e.out, say("Il consenso è ritirato: profilo e chiave sono distrutti, il certificato è revocato.",
			"The consent is withdrawn: profile and key are destroyed, the certificate is revoked."))
		return nil
	})
}
