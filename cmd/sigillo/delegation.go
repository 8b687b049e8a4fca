package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/store"
)

// runDelegation lists what a holder has delegated, and revokes it. Giving a delegation
// takes the holder's factors and is no command.
func runDelegation(ctx context.Context, e env, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(e.err, say("uso: sigillo delegation list UTENTE | revoke UTENTE ID [--reason TESTO] [--dir CARTELLA] [--operator NOME]\n",
			"usage: sigillo delegation list USERNAME | revoke USERNAME ID [--reason TEXT] [--dir DIR] [--operator NAME]\n"))
		return exitUsage
	}
	fs := flags(e, "delegation "+args[0])
	dir := dirFlag(fs)
	reason := fs.String("reason", "revoked by the staff", say("motivo, per il giornale", "reason, for the journal"))
	name := fs.String("operator", "", say("membro del personale che lo ordina", "member of the staff who orders it"))
	if code, ok := parse(fs, args[1:]); !ok {
		return code
	}
	wanted := map[string]int{"list": 1, "revoke": 2}[args[0]]
	switch {
	case wanted == 0:
		return failed(e, badUsage(fmt.Sprintf("non c'è il comando %q; usare list o revoke", args[0]), fmt.Sprintf("there is no command %q; use list or revoke", args[0])))
	case fs.NArg() != wanted:
		return failed(e, badUsage("indicare il nome utente, e con revoke l'ID della delega", "give the username, and with revoke the ID of the delegation"))
	}
	a, err := openBeside(ctx, *dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	holder, err := holderNamed(ctx, a, fs.Arg(0))
	if err == nil && args[0] == "list" {
		err = listDelegations(ctx, e, a, holder)
	} else if err == nil {
		var o ordered
		if o, err = order(ctx, e, a, staff.RevokeDelegation, *name, "operator"); err == nil {
			err = a.Remote.RevokeDelegation(ctx, holder, fs.Arg(1), o.actor, *reason)
		}
	}
	if err != nil {
		return failed(e, err)
	}
	return exitGood
}

// holderNamed finds a holder by username.
func holderNamed(ctx context.Context, a *appliance.Appliance, username string) (string, error) {
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		err = tell("non c'è un titolare con questo nome utente", "there is no holder of this username")
	}
	return h.ID, err
}

func listDelegations(ctx context.Context, e env, a *appliance.Appliance, holder string) error {
	ds, err := a.Remote.Delegations(ctx, holder)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, say("ID\tSTATO\tUSATE\tFINO AL\tCREDENZIALE\tTIPI\tCERTIFICATO", "ID\tSTATE\tUSED\tUNTIL\tCREDENTIAL\tKINDS\tCERTIFICATE"))
	for _, d := range ds {
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\n", d.ID, d.State, d.Used, d.Count, d.Expires.Local().Format("2006-01-02 15:04"),
			d.Credential, strings.Join(d.Kinds, ", "), hex.EncodeToString(d.ClientCertificate))
	}
	return w.Flush()
}
