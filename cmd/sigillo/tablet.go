package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
	"sigillo/vault"
)

// tabletCommands are the words after `sigillo tablet`.
func tabletCommands() []command {
	return []command{
		{name: "list", help: say("i tablet degli sportelli", "the tablets of the counters"), run: tabletList},
		{name: "register-code", args: say("--name NOME --centre SEDE", "--name NAME --centre CENTRE"), help: say("il codice con cui si registra un tablet", "the code that a tablet is registered with"), run: tabletCode},
		{name: "confirm", args: say("ID --fingerprint IMPRONTA", "ID --fingerprint FINGERPRINT"), help: say("fa conoscere al caveau la chiave che il tablet mostra", "make the key that the tablet shows known to the vault"), run: tabletConfirm},
		{name: "revoke", args: say("ID --reason TESTO", "ID --reason TEXT"), help: say("un tablet perso o dismesso: non firma più nulla", "a tablet that is lost or not used any more: it signs nothing"), run: tabletRevoke},
	}
}

func runTablet(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		for _, c := range tabletCommands() {
			if c.name == args[0] {
				return c.run(ctx, e, args[1:])
			}
		}
	}
	fmt.Fprint(e.err, say("uso: sigillo tablet COMANDO [--dir CARTELLA] [--operator UTENTE] …\n\n", "usage: sigillo tablet COMMAND [--dir DIR] [--operator USERNAME] …\n\n"))
	for _, c := range tabletCommands() {
		fmt.Fprintf(e.err, "  %-44s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	return exitUsage
}

// someone is order for what nobody does without being a member.
func someone(ctx context.Context, e env, a *appliance.Appliance, act staff.Act, name string) (staff.Member, error) {
	o, err := order(ctx, e, a, act, name, "")
	if err == nil && o.console() {
		err = unstaffed()
	}
	return o.by, err
}

func unstaffed() error {
	return tell("agli sportelli agiscono solo persone nominate; per nominare le prime: sigillo staff appoint", "at counters only appointed people act; to appoint the first ones: sigillo staff appoint")
}

func tabletList(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "tablet list")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := someone(ctx, e, a, staff.CounterTablets, *f.operator)
		if err != nil {
			return err
		}
		list, err := a.Counter.Tablets(ctx, by)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, say("ID\tNOME\tSEDE\tTIPO\tSTATO\tIMPRONTA", "ID\tNAME\tCENTRE\tCLASS\tSTATE\tFINGERPRINT"))
		for _, t := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Centre, t.Class, t.State, t.Fingerprint)
		}
		return w.Flush()
	})
}

func tabletCode(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "tablet register-code")
	var n counters.NewTablet
	f.StringVar(&n.Name, "name", "", say("nome del tablet", "name of the tablet"))
	f.StringVar(&n.Centre, "centre", "", say("sede a cui appartiene", "centre that it belongs to"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		if err := complete(f.FlagSet, "name", "centre"); err != nil {
			return err
		}
		by, err := someone(ctx, e, a, staff.CounterTablets, *f.operator)
		if err != nil {
			return err
		}
		t, code, until, err := a.Counter.NewTabletCode(ctx, by, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, say("Tablet %s\nCodice %s\nDa scrivere sul tablet, alla pagina /tablet, entro il %s. Vale una volta sola.\nPoi: sigillo tablet confirm %s --fingerprint \"…\" con l'impronta che il tablet mostra.\n",
			"Tablet %s\nCode %s\nTo be typed on the tablet, on the page /tablet, before %s. It is good once.\nThen: sigillo tablet confirm %s --fingerprint \"…\" with the fingerprint that the tablet shows.\n"),
			t.ID, code, until.Local().Format(time.DateTime), t.ID)
		return nil
	})
}

func tabletConfirm(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "tablet confirm")
	f.words = 1
	print := f.String("fingerprint", "", say("l'impronta che il tablet mostra", "the fingerprint that the tablet shows"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		if err := complete(f.FlagSet, "fingerprint"); err != nil {
			return err
		}
		by, evidence, err := unchecked(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		t, err := a.Counter.ConfirmTablet(ctx, by, f.Arg(0), *print, evidence)
		if err != nil {
			return ofFactors(err)
		}
		fmt.Fprintf(e.out, say("%s (%s, %s) è in uso\n", "%s (%s, %s) is in use\n"), t.ID, t.Name, t.Centre)
		return nil
	})
}

func tabletRevoke(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "tablet revoke")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		if err := complete(f.FlagSet, "reason"); err != nil {
			return err
		}
		by, err := someone(ctx, e, a, staff.CounterTablets, *f.operator)
		if err != nil {
			return err
		}
		if err := a.Counter.RevokeTablet(ctx, by, f.Arg(0), *f.reason); err != nil {
			return err
		}
		fmt.Fprintf(e.out, say("%s è revocato\n", "%s is revoked\n"), f.Arg(0))
		return nil
	})
}

// unchecked asks a member for the factors, for something where the vault itself checks
// them: here nobody has been recognised by them.
func unchecked(ctx context.Context, e env, a *appliance.Appliance, name string) (by staff.Member, out vault.Evidence, err error) {
	staffed, err := a.Staffed(ctx)
	if err == nil && !staffed {
		err = unstaffed()
	}
	if err != nil {
		return by, out, err
	}
	in := bufio.NewReader(e.in)
	if name == "" {
		if name, err = askLine(e, in, say("Operatore: ", "Operator: ")); err != nil {
			return by, out, err
		}
	}
	if out.Password, err = askPassword(e, in, say("Password dell'operatore: ", "Password of the operator: ")); err != nil {
		return by, out, err
	}
	if out.OTP, err = askLine(e, in, say("Codice dell'operatore: ", "Code of the operator: ")); err != nil {
		clear(out.Password)
		return by, out, err
	}
	out.Client = "console:" + operator()
	by, err = a.MemberNamed(ctx, name)
	if staff.KindOf(err) == staff.NotFound { // not told apart from a wrong password
		err = &signing.Error{Kind: signing.WrongFactors, Msg: "wrong"}
	}
	return by, out, ofFactors(err)
}

// ofFactors is an error in the words for who types factors at a terminal.
func ofFactors(err error) error {
	var e *signing.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case signing.WrongFactors:
		return tell("operatore, password o codice sbagliati", "operator, password or code are wrong")
	case signing.ReusedOTP:
		return tell("questo codice è già stato usato: attendere il prossimo", "this code was used already: wait for the next one")
	}
	return err
}
