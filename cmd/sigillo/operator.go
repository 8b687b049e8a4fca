package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/signing"
)

// Whoever has the console of a machine where nobody was appointed acts for the house, as
// in a demonstration. Once somebody was, every command that changes something is done in
// the name of a member with the right to it, who is asked for username, password and
// code.

// ordered is who does what a command does.
type ordered struct {
	by    staff.Member // zero at the console of a machine without staff
	actor string       // for the journal
}

// console says whether nobody was appointed yet.
func (o ordered) console() bool { return o.by.ID == "" }

// order asks for the operator and makes sure of the right to act. name is the username
// if it was given on the command line, console the actor where there is no staff.
func order(ctx context.Context, e env, a *appliance.Appliance, act staff.Act, name, console string) (ordered, error) {
	staffed, err := a.Staffed(ctx)
	if err != nil || !staffed {
		return ordered{actor: console}, err
	}
	by, err := recognise(ctx, e, a, name)
	if err != nil {
		return ordered{}, err
	}
	return ordered{by, by.ID}, by.May(act)
}

// recognise asks a member of the staff for the factors.
func recognise(ctx context.Context, e env, a *appliance.Appliance, name string) (staff.Member, error) {
	in := bufio.NewReader(e.in)
	if name == "" {
		var err error
		if name, err = askLine(e, in, say("Operatore: ", "Operator: ")); err != nil {
			return staff.Member{}, err
		}
	}
	password, err := askPassword(e, in, say("Password dell'operatore: ", "Password of the operator: "))
	if err != nil {
		return staff.Member{}, err
	}
	code, err := askLine(e, in, say("Codice dell'operatore: ", "Code of the operator: "))
	if err != nil {
		clear(password)
		return staff.Member{}, err
	}
	by, err := a.StaffCheck(ctx, name, signing.Evidence{Password: password, OTP: code, Client: "console:" + operator()})
	return by, ofFactors(err)
}

// askLine reads a line that may be seen.
func askLine(e env, in *bufio.Reader, prompt string) (string, error) {
	fmt.Fprint(e.out, prompt)
	line, err := in.ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		if err == nil {
			err = tell("non è stato scritto nulla", "nothing was typed")
		} else {
			err = tell("manca una risposta a: "+strings.TrimSpace(prompt), "there is no answer to: "+strings.TrimSpace(prompt))
		}
		return "", err
	}
	return line, nil
}

// roleWords are the roles for people.
func roleWord(r staff.Role) string {
	words := map[staff.Role]string{
		staff.Security:             say("responsabile della sicurezza", "responsible of security"),
		staff.Certification:        say("responsabile del servizio di certificazione e validazione temporale", "responsible of the certification and time-stamping service"),
		staff.Technical:            say("responsabile della conduzione tecnica dei sistemi", "responsible of the technical operation"),
		staff.Logistic:             say("responsabile dei servizi tecnici e logistici", "responsible of technical and logistic services"),
		staff.Audit:                say("responsabile delle verifiche e delle ispezioni (auditing)", "responsible of verifications and inspections (audit)"),
		staff.RegistrationOperator: say("operatore di registrazione (OdR)", "registration operator"),
		staff.RegistrationOfficer:  say("incaricato alla registrazione (IR)", "registration officer"),
	}
	if w := words[r]; w != "" {
		return w
	}
	return string(r)
}
