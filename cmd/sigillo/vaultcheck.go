package main

import (
	"context"
	"flag"
	"fmt"

	"sigillo/appliance"
	"sigillo/hsm"
)

// vaultCheck is what `sigillo vault` does to be looked at, and not to serve: it says
// what the token enforces, or how a running vault is.
type vaultCheck struct {
	selfTest, status, json bool
	token                  appliance.HSM
}

func checkFlags(fs *flag.FlagSet) *vaultCheck {
	c := &vaultCheck{}
	fs.BoolVar(&c.selfTest, "self-test", false, "say what the token enforces and what it is fit for, then end")
	fs.BoolVar(&c.status, "status", false, "say how the running vault is and how it is confined, then end")
	fs.BoolVar(&c.json, "json", false, "with --self-test or --status: as JSON")
	fs.StringVar(&c.token.Module, "module", "", "with --self-test: another PKCS#11 module than the configured one")
	fs.StringVar(&c.token.Arguments, "module-arguments", "", "with --module: text given to it when it starts")
	fs.StringVar(&c.token.Token, "token", "", "with --module: label of the token")
	fs.StringVar(&c.token.PINFile, "pin-file", "", "with --module: file with the user PIN")
	return c
}

func (c *vaultCheck) asked() bool { return c.selfTest || c.status }

func (c *vaultCheck) run(ctx context.Context, e env, dir string) int {
	if c.status {
		return c.showStatus(ctx, e, dir)
	}
	report, err := appliance.SelfTest(ctx, dir, c.token)
	if err != nil && (hsm.KindOf(err) != hsm.Unsupported || len(report.Checks) == 0) {
		failed(e, err)
		return exitUnreadable
	}
	if c.json {
		if err := printJSON(e.out, report); err != nil {
			return failed(e, err)
		}
		return fitness(report)
	}
	fmt.Fprintf(e.out, "%s, %s, %q, serial number %s\n\n%s", report.Manufacturer, report.Module, report.Label, report.Serial, report.Table())
	for _, check := range report.Checks {
		if !check.OK {
			fmt.Fprintf(e.out, "\n%s: %s", check.Name, check.Detail)
		}
	}
	if len(report.Missing()) > 0 {
		fmt.Fprintln(e.out)
	}
	return fitness(report)
}

// fitness is good for a token that may hold everybody's keys, doubtful for one that
// may hold those of the house alone, and bad for any other.
func fitness(r hsm.Report) int {
	switch {
	case len(r.Missing()) == 0:
		return exitGood
	case len(r.MissingHouse()) == 0:
		return exitDoubtful
	}
	return exitBad
}

func (c *vaultCheck) showStatus(ctx context.Context, e env, dir string) int {
	st, err := appliance.VaultStatus(ctx, dir)
	if err != nil {
		return failed(e, err)
	}
	if c.json {
		if err := printJSON(e.out, st); err != nil {
			return failed(e, err)
		}
		return exitGood
	}
	fmt.Fprintf(e.out, "token   %s, %q, %s\nsince   %s\n", st.Token.Manufacturer, st.Token.Label, st.Token.Module, st.Since.Format("2006-01-02 15:04:05 MST"))
	for _, m := range st.Confinement {
		held := "yes"
		if !m.Held {
			held = "NO "
		}
		fmt.Fprintf(e.out, "%s     %s", held, m.What)
		if m.Detail != "" {
			fmt.Fprintf(e.out, ": %s", m.Detail)
		}
		fmt.Fprintln(e.out)
	}
	return exitGood
}
