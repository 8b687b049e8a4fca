package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/store"
	"sigillo/vault"
)

func runHolder(ctx context.Context, e env, args []string) int {
	if len(args) == 0 || args[0] != "add" {
		fmt.Fprintln(e.err, "usage: sigillo holder add --username … --given-name … --surname … --fiscal-code … --email …")
		return exitUsage
	}
	fs := flags(e, "holder add")
	dir := dirFlag(fs)
	var n appliance.NewHolder
	fs.StringVar(&n.Username, "username", "", "name to sign in with")
	fs.StringVar(&n.GivenName, "given-name", "", "given name, as on the identity document")
	fs.StringVar(&n.Surname, "surname", "", "surname, as on the identity document")
	fs.StringVar(&n.FiscalCode, "fiscal-code", "", "codice fiscale")
	fs.StringVar(&n.Email, "email", "", "e-mail address")
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
	in := bufio.NewReader(e.in)
	password, err := askPassword(e, in, "Password of the holder: ")
	if err != nil {
		return failed(e, err)
	}
	n.Password = password
	a, err := openBeside(ctx, *dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
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
	if f, ok := e.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(e.out)
		return p, err
	}
	line, err := in.ReadBytes('\n')
	if err != nil && len(line) == 0 {
		return nil, errors.New("no password was given")
	}
	return []byte(strings.TrimRight(string(line), "\r\n")), nil
}

func runCertificate(ctx context.Context, e env, args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(e.err, "usage: sigillo certificate list | suspend SERIAL | reactivate SERIAL | revoke SERIAL")
		return exitUsage
	}
	fs := flags(e, "certificate "+args[0])
	dir := dirFlag(fs)
	reason := fs.Int("reason", 0, "reason of a revocation, RFC 5280 §5.3.1")
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
		err = changeStatus(ctx, a, args[0], strings.ToLower(fs.Arg(0)), *reason)
	}
	if err != nil {
		return failed(e, err)
	}
	return exitGood
}

func changeStatus(ctx context.Context, a *appliance.Appliance, verb, serial string, reason int) error {
	const actor = "operator"
	switch verb {
	case "suspend":
		return a.PKI.Suspend(ctx, serial, 6, actor)
	case "reactivate":
		return a.PKI.Reactivate(ctx, serial, 0, actor)
	case "revoke":
		return a.PKI.Revoke(ctx, serial, reason, actor)
	}
	return noVerb(verb)
}

func noVerb(verb string) error {
	return badUsage(fmt.Sprintf("non c'è il comando %q; usare list, suspend, reactivate o revoke", verb), fmt.Sprintf("there is no command %q; use list, suspend, reactivate or revoke", verb))
}

// certificateWords checks what stands behind `sigillo certificate`, before anything is
// opened.
func certificateWords(verb string, words []string) error {
	switch verb {
	case "list":
		return tooMany(words, nil)
	case "suspend", "reactivate", "revoke":
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
