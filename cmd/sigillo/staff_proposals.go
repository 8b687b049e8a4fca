package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
)

// proposed tells that a proposal waits for a second person.
func proposed(e env, p staff.Proposal, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, say("Proposta %s: serve l'approvazione di una seconda persona, di altro ruolo, entro il %s:\n  sigillo staff approve %s\n",
		"Proposal %s: a second person of another role has to approve it before %s:\n  sigillo staff approve %s\n"),
		p.ID, p.Expires.Local().Format(time.DateTime), p.ID)
	return nil
}

func staffProposals(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff proposals")
	all := f.Bool("all", false, say("anche quelle decise", "the decided ones, too"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		if _, err := order(ctx, e, a, staff.SeeStaff, *f.operator, ""); err != nil {
			return err
		}
		state := staff.Open
		if *all {
			state = ""
		}
		list, err := a.Proposals(ctx, state)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(e.err, say("Nessuna proposta attende.", "No proposal waits."))
			return nil
		}
		w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, say("PROPOSTA\tCHE COSA\tSU CHI\tDI\tSTATO\tFINO A", "PROPOSAL\tWHAT\tABOUT\tBY\tSTATE\tUNTIL"))
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s (%s)\t%s\t%s\n", p.ID, p.Act, p.Subject, called(ctx, a, p.Proposer), p.ProposerRole, p.State, p.Expires.Local().Format(time.DateTime))
		}
		return w.Flush()
	})
}

// called is the username of a member, the ID when it is not known.
func called(ctx context.Context, a *appliance.Appliance, id string) string {
	list, err := a.Staff(ctx, true)
	if err != nil {
		return id
	}
	for _, s := range list {
		if s.ID == id {
			return s.Username
		}
	}
	return id
}

// printProposal shows all that is approved; by is who has proposed it.
func printProposal(e env, p staff.Proposal, by string) error {
	w := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, say("proposta\t%s\nche cosa\t%s\nsu chi\t%s\n", "proposal\t%s\nwhat\t%s\nabout\t%s\n"), p.ID, p.Act, p.Subject)
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		fmt.Fprintf(w, "%s\t%s\n", k, p.Parameters[k])
	}
	digest := p.Digest()
	fmt.Fprintf(w, say("di\t%s (%s)\nfino a\t%s\nimpronta\t%s\n", "by\t%s (%s)\nuntil\t%s\ndigest\t%s\n"), by, p.ProposerRole,
		p.Expires.Local().Format(time.DateTime), hex.EncodeToString(digest[:8]))
	return w.Flush()
}

func staffApprove(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff approve")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := recognise(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		p, err := a.Proposal(ctx, f.Arg(0))
		if err != nil {
			return err
		}
		if err := printProposal(e, p, called(ctx, a, p.Proposer)); err != nil {
			return err
		}
		yes := say("sì", "yes")
		answer, err := askLine(e, bufio.NewReader(e.in), fmt.Sprintf(say("Approvare? Scrivere %q: ", "Approve? Type %q: "), yes))
		if err != nil {
			return err
		}
		if answer != yes && answer != "si" && answer != "yes" {
			return tell("non approvata; attende ancora", "not approved; it still waits")
		}
		out, err := a.Approve(ctx, by, p.ID, p.Digest())
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, say("Fatto: %s\n", "Done: %s\n"), out.Proposal.Act)
		handOver(e, out.Handout)
		return nil
	})
}

func staffCancel(ctx context.Context, e env, args []string) int {
	f := newStaffFlags(e, "staff cancel")
	f.words = 1
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		by, err := recognise(ctx, e, a, *f.operator)
		if err != nil {
			return err
		}
		if err := a.CancelProposal(ctx, by, f.Arg(0), *f.reason); err != nil {
			return err
		}
		fmt.Fprintln(e.out, say("la proposta è ritirata", "the proposal is withdrawn"))
		return nil
	})
}
