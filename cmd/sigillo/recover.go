package main

import (
	"context"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
)

// holderRecover proposes new factors, keys and certificates for a holder who was
// identified again. There is no such thing without staff: it takes two.
func holderRecover(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "holder recover")
	f.words = 1
	var n staff.NewRecovery
	f.StringVar(&n.Document, "document", "", say("identity-card, passport, driving-licence, residence-permit o other-art-35", "identity-card, passport, driving-licence, residence-permit or other-art-35"))
	f.StringVar(&n.Number, "number", "", say("numero del documento", "number of the document"))
	f.StringVar(&n.Issuer, "issuer", "", say("chi lo ha rilasciato", "who has issued it"))
	f.StringVar(&n.Contact, "phone", "", say("telefono del titolare, come +39333123456: vi arriva la seconda parte del codice di attivazione, dove c'è un courier", "the holder's telephone, as +39333123456: the second part of the activation code is sent there, where there is a courier"))
	expires := f.String("expires", "", say("ultimo giorno in cui vale, come 2030-12-31", "last day on which it is good, such as 2030-12-31"))
	f.BoolVar(&n.Compromised, "compromised", false, say("altri possono avere password o autenticatore", "others may have password or authenticator"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		day, err := time.Parse(time.DateOnly, *expires)
		if err != nil {
			return badUsage("--expires è un giorno, come 2030-12-31", "--expires is a day, such as 2030-12-31")
		}
		n.Username, n.Reason, n.Expires = f.Arg(0), *f.reason, day.AddDate(0, 0, 1).Add(-time.Second)
		by, err := recognise(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		if err := by.May(staff.RecoverHolder); err != nil {
			return err
		}
		p, err := a.ProposeRecovery(ctx, by, n)
		return proposed(e, p, err)
	})
}
