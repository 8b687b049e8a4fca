package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/term"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/vault"
)

func runHolder(ctx context.Context, e env, args []string) int {
	if len(args) > 0 && args[0] == "recover" {
		return holderRecover(ctx, e, args[1:])
	}
	if len(args) > 0 && args[0] == "key" {
		return holderKey(ctx, e, args[1:])
	}
	if len(args) > 0 {
		switch args[0] {
		case "profiles":
			return holderProfiles(ctx, e, args[1:])
		case "roll-back":
			return holderRollBack(ctx, e, args[1:])
		case "withdraw":
			return holderWithdraw(ctx, e, args[1:])
		}
	}
	if len(args) == 0 || args[0] != "add" && args[0] != "invite" {
		fmt.Fprintln(e.err, "usage: sigillo holder add|invite --username … --given-name … --surname … --fiscal-code … --email …\n       sigillo holder key USERNAME [--automatic] [--key p256]\n       sigillo holder recover USERNAME --document … --number … --issuer … --expires … --reason …\n       sigillo holder withdraw USERNAME\n       sigillo holder profiles USERNAME\n       sigillo holder roll-back CREDENTIAL --version N --reason …")
		return exitUsage
	}
	invite := args[0] == "invite"
	fs := flags(e, "holder "+args[0])
	dir := dirFlag(fs)
	var n appliance.NewHolder
	name := fs.String("operator", "", "member of the staff who registers; asked for when there is staff")
	fs.BoolVar(&n.Automatic, "automatic", false, "key and certificate are for the automatic procedure: signatures that the holder has delegated")
	fs.StringVar(&n.Username, "username", "", "name to sign in with")
	fs.StringVar(&n.GivenName, "given-name", "", "given name, as on the identity document")
	fs.StringVar(&n.Surname, "surname", "", "surname, as on the identity document")
	fs.StringVar(&n.FiscalCode, "fiscal-code", "", "codice fiscale")
	fs.StringVar(&n.Email, "email", "", "e-mail address")
	fs.StringVar(&n.Phone, "phone", "", "telephone, as +39333123456: the second part of the activation code is sent there (invite, where a courier is configured)")
	fs.StringVar(&n.Locale, "language", "it", "it or en")
	fs.IntVar(&n.MaxDigests, "max-documents", 50, "documents one authorisation may sign")
	key := fs.String("key", string(hsm.P256), "p256, p384, rsa2048, rsa3072 or rsa4096")
	if code, ok := parseBare(fs, args[1:]); !ok {
		return code
	}
	n.KeyType = hsm.KeyType(*key)
	if n.Username == "" || n.GivenName == "" || n.Surname == "" || n.FiscalCode == "" {
		return failed(e, errors.New("--username, --given-name, --surname and --fiscal-code are needed"))
	}
	a, err := openBeside(ctx, *dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	o, err := order(ctx, e, a, staff.RegisterHolder, *name, "registration")
	if err != nil {
		return failed(e, err)
	}
	n.Actor = o.actor
	if invite {
		out, err := a.Invite(ctx, n, o.actor)
		if err != nil {
			return failed(e, err)
		}
		handOver(e, out)
		return exitGood
	}
	in := bufio.NewReader(e.in)
	if n.Password, err = askPassword(e, in, "Password of the holder: "); err != nil {
		return failed(e, err)
	}
	if err := register(ctx, e, a, n, in); err != nil {
		return failed(e, err)
	}
	return exitGood
}

// register walks through registration with the holder at the terminal.
func register(ctx context.Context, e env, a *appliance.Appliance, n appliance.NewHolder, in *bufio.Reader) error {
	reg, err := a.Register(ctx, n)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "For the holder's authenticator, and for nobody else:\n\n  %s\n\n", reg.OTPURI)
	for {
		fmt.Fprint(e.out, "Code shown by the authenticator: ")
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return errors.New("no code was given; the holder has no key yet")
		}
		cred, err := a.Complete(ctx, reg, strings.TrimSpace(line))
		if err == nil {
			fmt.Fprintf(e.out, "Registered %s; certificate %s\n", n.Username, cred.Certificate)
			fmt.Fprintf(e.out, "For the holder, to suspend the certificate by web or telephone, and shown now only: %s\n", reg.EmergencyCode)
			return nil
		}
		if kind := vault.KindOf(err); kind != vault.WrongOTP && kind != vault.ReusedOTP {
			return err // another code would not help
		}
		fmt.Fprintln(e.err, "sigillo:", err)
	}
}

// askPassword reads a line without showing it when the input is a terminal.
func askPassword(e env, in *bufio.Reader, prompt string) ([]byte, error) {
	fmt.Fprint(e.out, prompt)
	if e.terminal != nil {
		p, err := term.ReadPassword(int(e.terminal.Fd()))
		fmt.Fprintln(e.out)
		return p, err
	}
	line, err := in.ReadBytes('\n')
	if err != nil && len(line) == 0 {
		return nil, errors.New("no password was given")
	}
	return []byte(strings.TrimRight(string(line), "\r\n")), nil
}
