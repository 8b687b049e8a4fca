package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
)

// holderKey makes another key of a holder who is registered, at the operator's terminal:
// the holder types password and code. It is the way to a key of the automatic procedure
// for who has an ordinary one.
func holderKey(ctx context.Context, e env, args []string) int {
	fs := flags(e, "holder key")
	dir := dirFlag(fs)
	var n appliance.NewHolder
	name := fs.String("operator", "", say("membro del personale che lo ordina; chiesto se c'è personale", "member of the staff who orders it; asked for when there is staff"))
	fs.BoolVar(&n.Automatic, "automatic", false, say("chiave e certificato per la procedura automatica: firme che il titolare ha delegato", "key and certificate are for the automatic procedure: signatures that the holder has delegated"))
	fs.IntVar(&n.MaxDigests, "max-documents", 50, say("quanti documenti firma un'autorizzazione", "documents one authorisation may sign"))
	key := fs.String("key", string(hsm.P256), "p256, p384, rsa2048, rsa3072, rsa4096")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 {
		return failed(e, badUsage("indicare il nome utente del titolare", "give the username of the holder"))
	}
	n.KeyType = hsm.KeyType(*key)
	a, err := openBeside(ctx, *dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	in := bufio.NewReader(e.in)
	e.in = in // one reader for the operator and the holder
	if err := addKey(ctx, e, a, in, *name, fs.Arg(0), n); err != nil {
		return failed(e, err)
	}
	return exitGood
}

func addKey(ctx context.Context, e env, a *appliance.Appliance, in *bufio.Reader, operatorName, username string, n appliance.NewHolder) error {
	o, err := order(ctx, e, a, staff.RegisterHolder, operatorName, "registration")
	if err != nil {
		return err
	}
	n.Actor = o.actor
	holder, err := holderNamed(ctx, a, username)
	if err != nil {
		return err
	}
	password, err := askPassword(e, in, say("Password del titolare: ", "Password of the holder: "))
	if err != nil {
		return err
	}
	otp, err := askLine(e, in, say("Codice del titolare: ", "Code of the holder: "))
	if err != nil {
		clear(password)
		return err
	}
	added, err := a.AddKey(ctx, holder, n, signing.Evidence{Password: password, OTP: strings.ReplaceAll(otp, " ", ""), Client: "console:" + operator()})
	if err != nil {
		return told(err)
	}
	fmt.Fprintf(e.out, say("Credenziale %s, certificato %s\n", "Credential %s, certificate %s\n"), added.Credential, added.Certificate)
	fmt.Fprintf(e.out, say("Per il titolare, per sospendere il certificato via web o telefono; mostrato solo ora: %s\n",
		"For the holder, to suspend the certificate by web or telephone, and shown now only: %s\n"), added.EmergencyCode)
	return nil
}

// told says for people at a terminal why a key was not made.
func told(err error) error {
	switch signing.KindOf(err) {
	case signing.WrongFactors:
		return tell("password o codice sbagliati", "password or code are wrong")
	case signing.ReusedOTP:
		return tell("questo codice è già stato usato: attendere il prossimo", "this code was used already: wait for the next one")
	case signing.CertMissing:
		return tell("nessun certificato valido attesta l'identità del titolare: identificarlo di nuovo", "no valid certificate states the holder's identity: identify the holder again")
	}
	return err
}
