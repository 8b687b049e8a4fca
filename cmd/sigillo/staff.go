package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/signing"
)

// staffCommands are the words after `sigillo staff`.
func staffCommands() []command {
	return []command{
		{name: "list", args: "[--all]", help: say("chi è in carica, e con quale ruolo", "who is in office, in which role"), run: staffList},
		{name: "roles", help: say("che cosa può fare ciascun ruolo", "what each role may do"), run: staffRoles},
		{name: "appoint", args: "--role … --username … …", help: say("nomina una persona, o ne propone la nomina", "appoint a person, or propose to"), run: staffAppoint},
		{name: "remove", args: say("UTENTE --reason TESTO", "USERNAME --reason TEXT"), help: say("propone di togliere il ruolo a una persona", "propose to take a person's role away"), run: staffRemove},
		{name: "activate", help: say("con il codice di attivazione: sceglie password e autenticatore", "with the activation code: choose password and authenticator"), run: staffActivate},
		{name: "code", args: say("UTENTE", "USERNAME"), help: say("un nuovo codice di attivazione, per chi non ha finito", "another activation code, for who has not finished"), run: staffCode},
		{name: "proposals", args: "[--all]", help: say("le proposte che attendono una seconda persona", "the proposals that wait for a second person"), run: staffProposals},
		{name: "approve", args: say("PROPOSTA", "PROPOSAL"), help: say("approva una proposta, che è allora eseguita", "approve a proposal, which is then done"), run: staffApprove},
		{name: "cancel", args: say("PROPOSTA --reason TESTO", "PROPOSAL --reason TEXT"), help: say("ritira una proposta", "withdraw a proposal"), run: staffCancel},
	}
}

func runStaff(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		for _, c := range staffCommands() {
			if c.name == args[0] {
				return c.run(ctx, e, args[1:])
			}
		}
	}
	fmt.Fprint(e.err, say("uso: sigillo staff COMANDO [--dir CARTELLA] [--operator UTENTE] …\n\n", "usage: sigillo staff COMMAND [--dir DIR] [--operator USERNAME] …\n\n"))
	for _, c := range staffCommands() {
		fmt.Fprintf(e.err, "  %-36s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	return exitUsage
}

// staffFlags are those of all commands done by a member.
type staffFlags struct {
	*flag.FlagSet
	dir, operator, reason *string
	words                 int // behind the command
}

func newStaffFlags(e env, name string) staffFlags {
	fs := flags(e, name)
	return staffFlags{FlagSet: fs, dir: dirFlag(fs), operator: fs.String("operator", "", say("chi agisce (altrimenti è chiesto)", "who acts (asked for otherwise)")),
		reason: fs.String("reason", "", say("perché, per il giornale", "why, for the journal"))}
}

// beside parses the flags and does something with the appliance.
func (f staffFlags) beside(ctx context.Context, e env, args []string, do func(*appliance.Appliance) error) int {
	if code, ok := parse(f.FlagSet, args); !ok {
		return code
	}
	if f.NArg() != f.words {
		return failed(e, badUsage(fmt.Sprintf("servono %d parole, non %d; `sigillo help` dice quali", f.words, f.NArg()), fmt.Sprintf("%d words are needed, not %d; `sigillo help` says which", f.words, f.NArg())))
	}
	a, err := openBeside(ctx, *f.dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	if err := do(a); err != nil {
		return failed(e, err)
	}
	return exitGood
}

func staffList(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff list")
	all := f.Bool("all", false, say("anche chi non è più in carica", "those who are not in office any more, too"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		list, err := a.Staff(ctx, *all)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(e.err, say("Nessuno è in carica: chi ha la console agisce per la casa. Per nominare i primi: sigillo staff appoint --role security …",
				"Nobody is in office: whoever has the console acts for the house. To appoint the first ones: sigillo staff appoint --role security …"))
			return nil
		}
		w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, say("UTENTE\tNOME\tRUOLO\tSEDE\tSTATO\tID", "USERNAME\tNAME\tROLE\tCENTRE\tSTATE\tID"))
		for _, s := range list {
			fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\n", s.Username, s.GivenName, s.Surname, s.Role, cmp.Or(s.Centre, "-"), s.State, s.ID)
		}
		return w.Flush()
	})
}

func staffRoles(_ context.Context, e env, args []string) int {
	fs := flags(e, "staff roles")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	for _, r := range staff.Roles {
		fmt.Fprintf(e.out, "%s: %s\n", r, roleWord(r))
		for _, rule := range staff.Rules {
			switch {
			case staff.May(r, rule.Act) && len(rule.Approve) > 0:
				fmt.Fprintf(e.out, "  %-22s %s\n", rule.Act, say("propone; serve una seconda persona", "proposes; needs a second person"))
			case staff.May(r, rule.Act):
				fmt.Fprintf(e.out, "  %s\n", rule.Act)
			}
			if staff.MayDecide(r, rule.Act) {
				fmt.Fprintf(e.out, "  %-22s %s\n", rule.Act, say("approva", "approves"))
			}
		}
	}
	return exitGood
}

func staffAppoint(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff appoint")
	var n appliance.NewMember
	role := f.String("role", "", say("il ruolo; \"sigillo staff roles\" li elenca", "the role; \"sigillo staff roles\" lists them"))
	f.StringVar(&n.Username, "username", "", say("nome utente", "name to sign in with"))
	f.StringVar(&n.GivenName, "given-name", "", say("nome", "given name"))
	f.StringVar(&n.Surname, "surname", "", say("cognome", "surname"))
	f.StringVar(&n.FiscalCode, "fiscal-code", "", "codice fiscale")
	f.StringVar(&n.Email, "email", "", say("indirizzo di posta", "e-mail address"))
	f.StringVar(&n.Centre, "centre", "", say("la sede in cui lavora, per chi sta allo sportello", "the centre where the person works, for who sits at a counter"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		n.Role = staff.Role(*role)
		if err := complete(f.FlagSet, "role", "username", "given-name", "surname", "fiscal-code"); err != nil {
			return err
		}
		founding, err := a.Founding(ctx)
		if err != nil {
			return err
		}
		if founding {
			out, err := a.AppointFirst(ctx, operator(), n)
			if err == nil {
				handOver(e, out)
			}
			return err
		}
		o, err := order(ctx, e, a, staff.AppointStaff, *f.operator, "")
		if err != nil {
			return err
		}
		p, err := a.ProposeAppointment(ctx, o.by, n)
		return proposed(e, p, err)
	})
}

// complete refuses a command that lacks some of the flags it cannot do without.
func complete(fs *flag.FlagSet, names ...string) error {
	var missing []string
	for _, name := range names {
		if fs.Lookup(name).Value.String() == "" {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, ", ")
	return badUsage("manca: "+list, "missing: "+list)
}

func staffRemove(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff remove")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		o, err := order(ctx, e, a, staff.RemoveStaff, *f.operator, "")
		if err != nil {
			return err
		}
		if o.console() {
			return tell("nessuno è stato nominato", "nobody was appointed")
		}
		p, err := a.ProposeRemoval(ctx, o.by, f.Arg(0), *f.reason)
		return proposed(e, p, err)
	})
}

func staffCode(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff code")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := recognise(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		out, err := a.NewCode(ctx, by, f.Arg(0))
		if err == nil {
			handOver(e, out)
		}
		return err
	})
}

// handOver shows a code that goes to somebody else.
func handOver(e env, h staff.Handout) {
	switch {
	case h.Undelivered:
		fmt.Fprintf(e.text(), say("\nLa seconda parte del codice di attivazione di %s non è partita: non c'è ancora un codice. Guarda il log del courier, poi: sigillo staff code %s\n",
			"\nThe second part of the activation code of %s could not be sent: there is no code yet. Look at the courier's log, then: sigillo staff code %s\n"),
			h.Username, h.Username)
		return
	case h.Code == "":
		return
	case h.SentTo != "":
		fmt.Fprintf(e.text(), say("\nPrima parte del codice di attivazione per %s, da consegnare a lui o lei:\n\n  %s\n\nLa seconda parte è andata a %s, e nessuno qui la vede. Insieme valgono una volta, fino al %s, alla pagina /activate.\n",
			"\nFirst part of the activation code for %s, to be handed over:\n\n  %s\n\nThe second part went to %s, and nobody here sees it. Together they are good once, until %s, on the page /activate.\n"),
			h.Username, h.Code, h.SentTo, h.Expires.Local().Format(time.DateTime))
		return
	}
	fmt.Fprintf(e.text(), say("\nCodice di attivazione per %s, da consegnare a lui o lei e a nessun altro:\n\n  %s\n\nVale una volta, fino al %s, alla pagina /activate. Non sarà più mostrato.\n",
		"\nActivation code for %s, to be handed over and to nobody else:\n\n  %s\n\nIt is good once, until %s, on the page /activate. It is not shown again.\n"),
		h.Username, h.Code, h.Expires.Local().Format(time.DateTime))
}

// staffActivate walks who has an activation code through it at the terminal.
func staffActivate(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff activate")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		in := bufio.NewReader(e.in)
		code, err := askLine(e, in, say("Codice di attivazione: ", "Activation code: "))
		if err != nil {
			return err
		}
		password, err := newPassword(e, in)
		if err != nil {
			return err
		}
		defer clear(password)
		now, err := a.Activate(ctx, code, bytes.Clone(password), "console:"+operator())
		if err != nil {
			return err
		}
		if now.OTPURI != "" {
			fmt.Fprintf(e.out, say("\nPer il proprio autenticatore:\n\n  %s\n\n", "\nFor your authenticator:\n\n  %s\n\n"), now.OTPURI)
		}
		for {
			otp, err := askLine(e, in, say("Codice mostrato dall'autenticatore: ", "Code shown by the authenticator: "))
			if err != nil {
				return err
			}
			done, err := a.Confirm(ctx, code, signing.Evidence{Password: bytes.Clone(password), OTP: otp, Client: "console:" + operator()})
			if kind := signing.KindOf(err); err != nil && (kind == signing.WrongFactors || kind == signing.ReusedOTP) {
				fmt.Fprintln(e.err, "sigillo:", say("il codice non è giusto: attendere il prossimo", "that code is not right: wait for the next one"))
				continue
			}
			if err == nil {
				activated(e, done)
			}
			return err
		}
	})
}

func activated(e env, done staff.Activated) {
	fmt.Fprintf(e.text(), say("%s è attivo\n", "%s is active\n"), done.Username)
	if done.Emergency != "" {
		fmt.Fprintf(e.out, say("Certificato %s; codice di emergenza per sospenderlo, mostrato solo ora: %s\n", "Certificate %s; emergency code that suspends it, shown now only: %s\n"), done.Certificate, done.Emergency)
	}
}

// newPassword asks for a password twice.
func newPassword(e env, in *bufio.Reader) ([]byte, error) {
	password, err := askPassword(e, in, say("Nuova password: ", "New password: "))
	if err != nil {
		return nil, err
	}
	again, err := askPassword(e, in, say("Di nuovo: ", "Again: "))
	defer clear(again)
	if err == nil && !bytes.Equal(password, again) {
		err = tell("le due non sono uguali; nulla è cambiato", "the two are not the same; nothing was changed")
	}
	if err != nil {
		clear(password)
		return nil, err
	}
	return password, nil
}
