package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os/user"
	"slices"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/tsa/clock"
	"sigillo/vault"
)

// tsaCommands are the words after `sigillo tsa`.
var tsaCommands = []command{
	{name: "status", args: "[--json]", help: "the clock, the units and what they did", run: tsaStatus},
	{name: "start", args: "[UNIT…]", help: "start units, with the passphrase; all that are ready if none is named", run: tsaStart},
	{name: "stop", args: "UNIT --reason TEXT", help: "stop a unit", run: tsaStop},
	{name: "new-unit", args: "[--series S] [--key p256]", help: "make a unit's key and certificate and start it", run: tsaNewUnit},
	{name: "retire", args: "UNIT --reason TEXT", help: "end a unit for good and destroy its key", run: tsaRetire},
	{name: "lift", help: "lift the stop of the clock", run: tsaLift},
	{name: "passphrase", help: "replace the passphrase of the time-stamping service", run: tsaPassphrase},
	{name: "account", args: "list|add|buy|password …", help: "customers, their credentials and lots", run: tsaAccount},
	{name: "find", args: "[--digest HEX] [--serial N] …", help: "look up tokens in the archive", run: tsaFind},
	{name: "export", args: "--format csv|accounting|zip …", help: "write tokens or accounts of the archive", run: tsaExport},
	{name: "verify", help: "check the whole record of time-stamps", run: tsaVerify},
	{name: "accept-loss", args: "--reason TEXT", help: "go on without time-stamps that are lost for good", run: tsaAcceptLoss},
}

func runTSA(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		for _, c := range tsaCommands {
			if c.name == args[0] {
				return c.run(ctx, e, args[1:])
			}
		}
	}
	fmt.Fprint(e.err, "usage: sigillo tsa COMMAND [--dir DIR] [--operator NAME] …\n\n")
	for _, c := range tsaCommands {
		fmt.Fprintf(e.err, "  %-42s %s\n", c.name+" "+c.args, c.help)
	}
	return exitUsage
}

// tsaFlags are the flags of all commands that act on the authority.
type tsaFlags struct {
	*flag.FlagSet
	dir, operator, reason *string
}

func newTSAFlags(e env, name string) tsaFlags {
	fs := flags(e, "tsa "+name)
	return tsaFlags{FlagSet: fs, dir: dirFlag(fs), operator: fs.String("operator", operator(), "who acts, for the journal"),
		reason: fs.String("reason", "", "why, for the journal")}
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

// consent asks for the passphrase of the time-stamping service.
func (f tsaFlags) consent(e env) (vault.Consent, error) {
	p, err := askPassword(e, bufio.NewReader(e.in), "Passphrase of the time-stamping service: ")
	return vault.Consent{Operator: *f.operator, Passphrase: p}, err
}

// unit is the one unit that is named on the command line.
func (f tsaFlags) unit() (string, error) {
	if f.NArg() != 1 {
		return "", errors.New("name one unit, such as tsu-1; `sigillo tsa status` lists them")
	}
	return f.Arg(0), nil
}

func tsaStatus(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "status")
	asJSON := f.Bool("json", false, "as JSON")
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
	if t.Fault != "" {
		fmt.Fprintln(e.out, "FAULT     ", t.Fault)
		return nil // the vault has neither clock nor units then
	}
	if !t.LockedUntil.IsZero() {
		fmt.Fprintf(e.out, "passphrase locked until %s after wrong ones; a service that is running is not touched by that\n", t.LockedUntil.Local().Format(time.DateTime))
	}
	fmt.Fprintf(e.out, "clock      %s", t.Clock.State)
	if t.Clock.Mode == clock.Unverified {
		fmt.Fprint(e.out, " (UNVERIFIED: for demonstration only)")
	} else {
		fmt.Fprintf(e.out, ", within %.6f s of UTC, %.3f s declared", t.Clock.Bound, t.Clock.Budget)
	}
	if t.Clock.Reason != "" {
		fmt.Fprint(e.out, ": ", t.Clock.Reason)
	}
	fmt.Fprintln(e.out)
	for _, s := range t.Clock.Sources {
		fmt.Fprintf(e.out, "  %-8s %s, within %.6f s, %.0f s old (%s)\n", s.Name, s.State, s.Bound, s.Age, s.Address)
	}
	w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "UNIT\tSERIES\tKEY\tSTATE\tFROM\tTO\tSTAMPS\tNOTE")
	for _, u := range t.Units {
		note := u.Reason
		switch {
		case u.Current:
			note = "stamps now"
		case u.State == vault.UnitActive && !u.Serving:
			note = "waits for the passphrase: sigillo tsa start"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", u.Name, u.Series, u.Type, u.State, day(u.From), day(u.To), u.Stamps, note)
	}
	return w.Flush()
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}

func tsaStart(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "start")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		names := f.Args()
		if len(names) == 0 {
			t, err := a.Vault.TimeStamping(ctx)
			if err != nil {
				return err
			}
			for _, u := range t.Units {
				if u.State == vault.UnitReady || u.State == vault.UnitActive && !u.Serving {
					names = append(names, u.Name)
				}
			}
			if len(names) == 0 {
				return errors.New("no unit waits to be started")
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
			fmt.Fprintf(e.out, "%s is %s until %s\n", u.Name, u.State, day(u.To))
		}
		return nil
	})
}

func tsaStop(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "stop")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		name, err := f.unit()
		if err != nil {
			return err
		}
		u, err := a.Vault.StopUnit(ctx, name, *f.operator, *f.reason)
		if err == nil {
			fmt.Fprintf(e.out, "%s is %s\n", u.Name, u.State)
		}
		return err
	})
}

func tsaNewUnit(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "new-unit")
	series := f.String("series", "", "row of units it belongs to, as the policies name it (default: the first policy's)")
	key := f.String("key", "", "p256, p384, rsa2048, rsa3072, rsa4096 or ed25519 (default: as configured)")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		u, err := a.NewStampUnit(ctx, *series, hsm.KeyType(*key), consent)
		if err == nil {
			fmt.Fprintf(e.out, "%s is %s from %s to %s\n", u.Name, u.State, day(u.From), day(u.To))
		}
		return err
	})
}

func tsaRetire(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "retire")
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
			fmt.Fprintf(e.out, "%s is %s; its key is destroyed\n", u.Name, u.State)
		}
		return err
	})
}

func tsaLift(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "lift")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		consent, err := f.consent(e)
		if err != nil {
			return err
		}
		if err := a.Vault.LiftClock(ctx, consent); err != nil {
			return err
		}
		fmt.Fprintln(e.out, "the stop of the clock is lifted")
		return nil
	})
}

func tsaPassphrase(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "passphrase")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		in := bufio.NewReader(e.in)
		old, err := askPassword(e, in, "Present passphrase: ")
		if err != nil {
			return err
		}
		fresh, err := askPassword(e, in, "New passphrase: ")
		if err != nil {
			return err
		}
		again, err := askPassword(e, in, "New passphrase again: ")
		if err != nil {
			return err
		}
		defer clear(again)
		if !bytes.Equal(fresh, again) {
			return errors.New("the two are not the same; nothing was changed")
		}
		file, err := a.ReplacePassphrase(ctx, *f.operator, old, fresh)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.out, "the passphrase is replaced")
		switch kept := a.Config.TSA.PassphraseFile; {
		case file != "":
			fmt.Fprintln(e.out, "and so is the file that starts the units by itself:", file)
		case kept != "":
			fmt.Fprintf(e.out, "%s is not there and was not written: units are started with `sigillo tsa start`\n", kept)
		}
		return nil
	})
}
