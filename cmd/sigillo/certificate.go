package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/store"
)

func runCertificate(ctx context.Context, e env, args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(e.err, "usage: sigillo certificate list | suspend SERIAL | reactivate SERIAL | revoke SERIAL | code SERIAL\n       sigillo certificate suspend --code USERNAME|FISCAL-CODE|SERIAL")
		return exitUsage
	}
	fs := flags(e, "certificate "+args[0])
	dir := dirFlag(fs)
	reason := fs.Int("reason", 0, "reason of a revocation, RFC 5280 §5.3.1")
	name := fs.String("operator", "", "member of the staff who orders it; asked for when there is staff")
	code := fs.Bool("code", false, "suspend for somebody on the telephone, who says the emergency code")
	if code, ok := parse(fs, args[1:]); !ok {
		return code
	}
	if err := certificateWords(args[0], fs.Args()); err != nil {
		return failed(e, err)
	}
	a, err := openBeside(ctx, *dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	if args[0] == "list" {
		err = listCertificates(ctx, e, a)
	} else {
		c := statusChange{verb: args[0], about: fs.Arg(0), reason: *reason, operator: *name, code: *code && args[0] == "suspend"}
		err = c.do(ctx, e, a)
	}
	if err != nil {
		return failed(e, err)
	}
	return exitGood
}

// statusChange is what somebody wants done with a certificate.
type statusChange struct {
	verb, about, operator string
	reason                int
	code                  bool // about names the caller, who says the emergency code
}

// act is the right that the change needs.
func (c statusChange) act() staff.Act {
	switch {
	case c.code:
		return staff.SuspendByCode
	case c.verb == "suspend":
		return staff.Suspend
	case c.verb == "reactivate":
		return staff.Reactivate
	case c.verb == "code":
		return staff.RegisterHolder
	}
	return staff.Revoke
}

func (c statusChange) do(ctx context.Context, e env, a *appliance.Appliance) error {
	serial, act := strings.ToLower(c.about), c.act()
	if c.verb == "revoke" {
		house, err := ofTheHouse(ctx, a, serial)
		if err != nil {
			return err
		}
		if house {
			act = staff.RevokeHouse
		}
	}
	o, err := order(ctx, e, a, act, c.operator, "operator")
	if err != nil {
		return err
	}
	switch {
	case c.code:
		return suspendByCode(ctx, e, a, c.about, o)
	case c.verb == "suspend":
		return a.PKI.Suspend(ctx, serial, 6, o.actor)
	case c.verb == "reactivate":
		return a.PKI.Reactivate(ctx, serial, 0, o.actor)
	case c.verb == "code":
		code, err := a.NewEmergencyCode(ctx, serial, o.actor)
		if err == nil {
			fmt.Fprintf(e.out, "Emergency code of %s, for its holder and nobody else, shown now only: %s\n", serial, code)
		}
		return err
	case act == staff.RevokeHouse && !o.console():
		p, err := a.ProposeRevocation(ctx, o.by, serial, strconv.Itoa(c.reason))
		return proposed(e, p, err)
	}
	return a.PKI.Revoke(ctx, serial, c.reason, o.actor)
}

// ofTheHouse says whether a certificate is one of an authority, unit or responder, which
// one person alone does not revoke.
func ofTheHouse(ctx context.Context, a *appliance.Appliance, serial string) (house bool, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(serial)
		house = err == nil && !pki.HolderProfile(c.Profile)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		err = nil // which is said to who has the right
	}
	return house, err
}

// suspendByCode takes the call of somebody who says an emergency code.
func suspendByCode(ctx context.Context, e env, a *appliance.Appliance, who string, o ordered) error {
	code, err := askPassword(e, bufio.NewReader(e.in), say("Codice di emergenza, come lo dice chi chiama: ", "Emergency code, as the caller says it: "))
	if err != nil {
		return err
	}
	s, err := a.SuspendByCode(ctx, staff.Emergency{Who: who, Code: string(code), Client: "console:" + operator(), Actor: o.actor})
	if err != nil {
		return err
	}
	switch {
	case s.Revoked:
		fmt.Fprintf(e.text(), say("%s è già revocato (%s)\n", "%s is revoked already (%s)\n"), s.Serial, s.Subject)
	case s.Before:
		fmt.Fprintf(e.text(), say("%s è già sospeso (%s)\n", "%s is suspended already (%s)\n"), s.Serial, s.Subject)
	default:
		fmt.Fprintf(e.text(), say("%s è sospeso (%s)\n", "%s is suspended (%s)\n"), s.Serial, s.Subject)
	}
	return nil
}

func noVerb(verb string) error {
	return badUsage(fmt.Sprintf("non c'è il comando %q; usare list, suspend, reactivate, revoke o code", verb), fmt.Sprintf("there is no command %q; use list, suspend, reactivate, revoke or code", verb))
}

// certificateWords checks what stands behind `sigillo certificate`, before anything is
// opened.
func certificateWords(verb string, words []string) error {
	switch verb {
	case "list":
		return tooMany(words, nil)
	case "suspend", "reactivate", "revoke", "code":
		if len(words) != 1 {
			return badUsage("indicare un numero di serie, in esadecimale", "give one serial number, in hex")
		}
		return nil
	}
	return noVerb(verb)
}

func listCertificates(ctx context.Context, e env, a *appliance.Appliance) error {
	w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SERIAL\tSTATE\tPROFILE\tNOT AFTER\tSUBJECT")
	err := a.DB.Read(ctx, func(tx *store.Tx) error {
		for _, state := range []store.CertState{store.CertValid, store.CertSuspended, store.CertRevoked, store.CertPresumedIssued} {
			rows, err := tx.CertificatesInState(state)
			if err != nil {
				return err
			}
			for _, c := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Serial, c.State, c.Profile, c.NotAfter.Format(time.DateOnly), c.Subject)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.Flush()
}
