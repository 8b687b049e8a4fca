package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os/user"
	"slices"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/tsa/clock"
	"sigillo/vault"
)

// tsaCommands are the words after `sigillo tsa`.
func tsaCommands() []command {
	return []command{
		{name: "status", args: "[--json]", help: say("l'orologio, le unità e che cosa hanno fatto", "the clock, the units and what they did"), run: tsaStatus},
		{name: "start", args: say("[UNITÀ…]", "[UNIT…]"), help: say("avvia le unità, con la passphrase; tutte quelle pronte se non se ne nomina, quelle fermate solo per nome", "start units, with the passphrase; all that are ready if none is named, stopped ones by name only"), run: tsaStart},
		{name: "stop", args: say("UNITÀ --reason TESTO", "UNIT --reason TEXT"), help: say("ferma un'unità", "stop a unit"), run: tsaStop},
		{name: "new-unit", args: "[--series S] [--key p256]", help: say("crea chiave e certificato di un'unità e la avvia", "make a unit's key and certificate and start it"), run: tsaNewUnit},
		{name: "retire", args: say("UNITÀ --reason TESTO", "UNIT --reason TEXT"), help: say("chiude un'unità per sempre e ne distrugge la chiave", "end a unit for good and destroy its key"), run: tsaRetire},
		{name: "lift", help: say("toglie il fermo dell'orologio", "lift the stop of the clock"), run: tsaLift},
		{name: "passphrase", help: say("cambia la passphrase del servizio di marcatura", "replace the passphrase of the time-stamping service"), run: tsaPassphrase},
		{name: "account", args: "list|add|buy|password …", help: say("clienti, credenziali e lotti", "customers, their credentials and lots"), run: tsaAccount},
		{name: "find", args: "[--digest HEX] [--serial N] …", help: say("cerca marche nell'archivio", "look up tokens in the archive"), run: tsaFind},
		{name: "export", args: "--format csv|accounting|zip …", help: say("scrive marche o consumi dall'archivio", "write tokens or accounts of the archive"), run: tsaExport},
		{name: "verify", help: say("controlla tutto il registro delle marche", "check the whole record of time-stamps"), run: tsaVerify},
		{name: "accept-loss", args: say("--reason TESTO", "--reason TEXT"), help: say("prosegue senza le marche perdute per sempre", "go on without time-stamps that are lost for good"), run: tsaAcceptLoss},
	}
}

func runTSA(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		for _, c := range tsaCommands() {
			if c.name == args[0] {
				return c.run(ctx, e, args[1:])
			}
		}
	}
	fmt.Fprint(e.err, say("uso: sigillo tsa COMANDO [--dir CARTELLA] [--operator NOME] …\n\n", "usage: sigillo tsa COMMAND [--dir DIR] [--operator NAME] …\n\n"))
	for _, c := range tsaCommands() {
		fmt.Fprintf(e.err, "  %-42s %s\n", c.name+" "+c.args, c.help)
	}
	return exitUsage
}

// tsaFlags are the flags of all commands that act on the authority.
type tsaFlags struct {
	*flag.FlagSet
	dir, operator, reason *string
	check                 func() error // the words behind the command, before anything is opened; nil: there are none
	act                   staff.Act    // the right that it needs; "": it only looks
}

func newTSAFlags(e env, name string) tsaFlags {
	fs := flags(e, "tsa "+name)
	return tsaFlags{FlagSet: fs, dir: dirFlag(fs), operator: fs.String("operator", operator(), say("chi agisce, per il giornale", "who acts, for the journal")),
		reason: fs.String("reason", "", say("perché, per il giornale", "why, for the journal"))}
}

// operator is the user of the machine who typed the command.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "operator"
}

// beside parses the flags and does something with the appliance, beside a running
// service or alone.
func (f tsaFlags) beside(ctx context.Context, e env, args []string, do func(*appliance.Appliance) error) int {
	if code, ok := parse(f.FlagSet, args); !ok {
		return code
	}
	if f.check == nil {
		f.check = func() error { return tooMany(f.Args(), nil) }
	}
	if err := f.check(); err != nil {
		return failed(e, err)
	}
	a, err := openBeside(ctx, *f.dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	if err := f.ordered(ctx, e, a); err != nil {
		return failed(e, err)
	}
	if err := do(a); err != nil {
		return failed(e, err)
	}
	return exitGood
}

// ordered asks for the member of the staff in whose name it is done, where there is
// staff. --operator is the username then.
func (f tsaFlags) ordered(ctx context.Context, e env, a *appliance.Appliance) error {
	if f.act == "" {
		return nil
	}
	name := ""
	f.Visit(func(given *flag.Flag) {
		if given.Name == "operator" {
			name = *f.operator
		}
	})
	o, err := order(ctx, e, a, f.act, name, *f.operator)
	*f.operator = o.actor
	return err
}

// consent asks for the passphrase of the time-stamping service.
func (f tsaFlags) consent(e env) (vault.Consent, error) {
	p, err := askPassword(e, bufio.NewReader(e.in), say("Passphrase del servizio di marcatura: ", "Passphrase of the time-stamping service: "))
	return vault.Consent{Operator: *f.operator, Passphrase: p}, err
}

// anyWords is for commands that look at their words themselves.
func anyWords() error { return nil }

// unit is the one unit that is named on the command line.
func (f tsaFlags) unit() (string, error) {
	if f.NArg() != 1 {
		return "", badUsage("indicare un'unità, come tsu-1; `sigillo tsa status` le elenca", "name one unit, such as tsu-1; `sigillo tsa status` lists them")
	}
	return f.Arg(0), nil
}

func tsaStatus(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "status")
	asJSON := f.Bool("json", false, say("in JSON", "as JSON"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		t, err := a.Vault.TimeStamping(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.out, t)
		}
		return printTimeStamping(e, t)
	})
}

func printTimeStamping(e env, t vault.TimeStamping) error {
	out := e.text()
	if t.Fault != "" {
		fmt.Fprintln(out, say("GUASTO    ", "FAULT     "), t.Fault)
		return nil // the vault has neither clock nor units then
	}
	if !t.LockedUntil.IsZero() {
		fmt.Fprintf(out, say("passphrase bloccata fino alle %s dopo tentativi sbagliati; un servizio in funzione non ne risente\n", "passphrase locked until %s after wrong ones; a service that is running is not touched by that\n"), t.LockedUntil.Local().Format(time.DateTime))
	}
	fmt.Fprintf(out, say("orologio   %s", "clock      %s"), t.Clock.State)
	if t.Clock.Mode == clock.Unverified {
		fmt.Fprint(out, say(" (NON VERIFICATO: solo a dimostrazione)", " (UNVERIFIED: for demonstration only)"))
	} else {
		fmt.Fprintf(out, say(", entro %.6f s da UTC, dichiarati %.3f s", ", within %.6f s of UTC, %.3f s declared"), t.Clock.Bound, t.Clock.Budget)
	}
	if why := clockReason(t.Clock.Cause, t.Clock.Reason); why != "" {
		fmt.Fprint(out, ": ", why)
	}
	fmt.Fprintln(out)
	for _, s := range t.Clock.Sources {
		fmt.Fprintf(out, say("  %-8s %s, entro %.6f s, di %.0f s fa (%s)\n", "  %-8s %s, within %.6f s, %.0f s old (%s)\n"), s.Name, s.State, s.Bound, s.Age, s.Address)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, say("UNITÀ\tSERIE\tCHIAVE\tSTATO\tDAL\tAL\tMARCHE\tNOTE", "UNIT\tSERIES\tKEY\tSTATE\tFROM\tTO\tSTAMPS\tNOTE"))
	for _, u := range t.Units {
		note := u.Reason
		switch {
		case u.Current:
			note = say("marca adesso", "stamps now")
		case u.Trouble != "":
			note = say("NON MARCA: i numeri di serie non si possono salvare; guardare il disco", "CANNOT STAMP: "+u.Trouble+"; look at the disk")
		case u.State == vault.UnitActive && !u.Serving:
			note = say("attende la passphrase: sigillo tsa start", "waits for the passphrase: sigillo tsa start")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", u.Name, u.Series, u.Type, u.State, day(u.From), day(u.To), u.Stamps, note)
	}
	return w.Flush()
}

// clockReason is why the clock is as it is. The reason with its figures is in English,
// as in the journal; in Italian the sentence about its cause comes first.
func clockReason(c clock.Cause, reason string) string {
	switch {
	case reason == "" || language() != "it":
		return reason
	case c == clock.CauseUnverified:
		return c.Text("it")
	}
	return c.Text("it") + " (" + reason + ")"
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}

func tsaStart(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "start")
	f.act = staff.StampUnits
	f.check = anyWords
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		names := f.Args()
		if len(names) == 0 {
			t, err := a.Vault.TimeStamping(ctx)
			if err != nil {
				return err
			}
			if names, err = waiting(t.Units); err != nil {
				return err
			}
		}
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		defer clear(consent.Passphrase)
		for _, name := range names {
			c := consent
			c.Passphrase = slices.Clone(consent.Passphrase) // the client wipes it
			u, err := a.Vault.ActivateUnit(ctx, name, c)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(e.text(), say("%s: %s fino al %s\n", "%s is %s until %s\n"), u.Name, u.State, day(u.To))
		}
		return nil
	})
}

// waiting are the units that wait for the passphrase. Those that somebody or the vault
// has stopped are started by their names only, after a look at the cause.
func waiting(units []vault.Unit) (names []string, err error) {
	stopped := ""
	for _, u := range units {
		switch {
		case u.State == vault.UnitReady || u.State == vault.UnitActive && !u.Serving:
			names = append(names, u.Name)
		case u.State == vault.UnitStopped:
			stopped += " " + u.Name
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	if stopped != "" {
		return nil, tell("nessuna unità attende l'avvio; sono ferme:"+stopped+". `sigillo tsa status` dice perché; `sigillo tsa start"+stopped+"` le avvia",
			"no unit waits to be started; stopped are:"+stopped+". `sigillo tsa status` says why; `sigillo tsa start"+stopped+"` starts them")
	}
	return nil, tell("nessuna unità attende l'avvio", "no unit waits to be started")
}

func tsaStop(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "stop")
	f.act = staff.StampUnits
	f.check = func() error { _, err := f.unit(); return err }
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		name, err := f.unit()
		if err != nil {
			return err
		}
		u, err := a.Vault.StopUnit(ctx, name, *f.operator, *f.reason)
		if err == nil {
			fmt.Fprintf(e.text(), say("%s: %s\n", "%s is %s\n"), u.Name, u.State)
		}
		return err
	})
}

func tsaNewUnit(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "new-unit")
	f.act = staff.StampUnits
	series := f.String("series", "", say("serie a cui appartiene, come la chiamano le politiche (altrimenti quella della prima)", "row of units it belongs to, as the policies name it (default: the first policy's)"))
	key := f.String("key", "", say("p256, p384, rsa2048, rsa3072, rsa4096 o ed25519 (altrimenti come configurato)", "p256, p384, rsa2048, rsa3072, rsa4096 or ed25519 (default: as configured)"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		u, err := a.NewStampUnit(ctx, *series, hsm.KeyType(*key), consent)
		if err == nil {
			fmt.Fprintf(e.text(), say("%s: %s dal %s al %s\n", "%s is %s from %s to %s\n"), u.Name, u.State, day(u.From), day(u.To))
		}
		return err
	})
}

func tsaRetire(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "retire")
	f.act = staff.StampUnits
	f.check = func() error { _, err := f.unit(); return err }
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		name, err := f.unit()
		if err != nil {
			return err
		}
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		u, err := a.Vault.RetireUnit(ctx, name, *f.reason, consent)
		if err == nil {
			fmt.Fprintf(e.text(), say("%s: %s; la sua chiave è distrutta\n", "%s is %s; its key is destroyed\n"), u.Name, u.State)
		}
		return err
	})
}

func tsaLift(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "lift")
	f.act = staff.StampUnits
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		if err := a.Vault.LiftClock(ctx, consent); err != nil {
			return err
		}
		fmt.Fprintln(e.out, say("il fermo dell'orologio è tolto", "the stop of the clock is lifted"))
		return nil
	})
}

func tsaPassphrase(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "passphrase")
	f.act = staff.StampUnits
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		in := bufio.NewReader(e.in)
		old, err := askPassword(e, in, say("Passphrase attuale: ", "Present passphrase: "))
		if err != nil {
			return err
		}
		fresh, err := askPassword(e, in, say("Nuova passphrase: ", "New passphrase: "))
		if err != nil {
			return err
		}
		again, err := askPassword(e, in, say("Di nuovo la nuova passphrase: ", "New passphrase again: "))
		if err != nil {
			return err
		}
		defer clear(again)
		if !bytes.Equal(fresh, again) {
			return tell("le due non sono uguali; nulla è cambiato", "the two are not the same; nothing was changed")
		}
		file, err := a.ReplacePassphrase(ctx, *f.operator, old, fresh)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.out, say("la passphrase è cambiata", "the passphrase is replaced"))
		switch kept := a.Config.TSA.PassphraseFile; {
		case file != "":
			fmt.Fprintln(e.out, say("e anche il file che avvia da sé le unità:", "and so is the file that starts the units by itself:"), file)
		case kept != "":
			fmt.Fprintf(e.out, say("%s non c'è e non è stato scritto: le unità si avviano con `sigillo tsa start`\n", "%s is not there and was not written: units are started with `sigillo tsa start`\n"), kept)
		}
		return nil
	})
}
