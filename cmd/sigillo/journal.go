package main

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pquerna/otp"

	"sigillo/appliance"
	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

func runJournal(ctx context.Context, e env, args []string) int {
	if len(args) == 0 || args[0] != "verify" {
		fmt.Fprintln(e.err, "usage: sigillo journal verify [--dir DIR] [--json]")
		return exitUsage
	}
	fs := flags(e, "journal verify")
	dir := dirFlag(fs)
	asJSON := fs.Bool("json", false, "one JSON object a journal")
	if code, ok := parseBare(fs, args[1:]); !ok {
		return code
	}
	a, err := openBeside(ctx, *dir)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUnreadable
	}
	defer a.Close()
	keys, err := a.JournalKeys(ctx)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUnreadable
	}
	return max(verifyJournals(ctx, e, a, keys, *asJSON), verifyStamps(ctx, e, a, *asJSON))
}

// verifyJournals checks the appliance's journal and the vault's own.
func verifyJournals(ctx context.Context, e env, a *appliance.Appliance, keys map[string]crypto.PublicKey, asJSON bool) int {
	own, err := store.Open(ctx, a.Layout.VaultDB(), store.Vault)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUnreadable
	}
	defer own.Close()
	noted, err := a.NotedVaultHeads(ctx)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUnreadable
	}
	code := exitGood
	for _, j := range []struct {
		name      string
		db        *store.DB
		witnessed []store.Checkpoint
	}{{"appliance", a.DB, nil}, {"vault", own, noted}} {
		r, err := audit.Verify(ctx, j.db, keys, j.witnessed...)
		if err != nil {
			fmt.Fprintln(e.err, "sigillo:", err)
			return exitUnreadable
		}
		if len(r.Problems) > 0 {
			code = exitBad
		}
		if asJSON {
			err = printJSON(e.out, struct {
				Journal string `json:"journal"`
				audit.Report
			}{j.name, r})
			if err != nil {
				return failed(e, err)
			}
			continue
		}
		printJournal(e, j.name, r)
	}
	return code
}

func printJournal(e env, name string, r audit.Report) {
	state := say("intatto", "intact")
	if len(r.Problems) > 0 {
		state = say("ROTTO", "BROKEN")
	}
	fmt.Fprintf(e.text(), say("giornale %s: %s, %d voci, %d testate firmate\n", "%s journal: %s, %d entries, %d checkpoints\n"), name, state, r.Entries, r.Checkpoints)
	for _, p := range r.Problems {
		fmt.Fprintf(e.text(), say("  voce", "  entry")+" %d: %s: %s\n", p.Seq, p.Kind, p.Text)
	}
}

// runOTP plays the holder's authenticator. It is for trying things out: a real
// holder's secret lives in the holder's device alone.
func runOTP(_ context.Context, e env, args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(e.err, "usage: sigillo otp OTPAUTH-URI|FILE-WITH-URI")
		return exitUsage
	}
	uri := args[0]
	if !strings.HasPrefix(uri, "otpauth://") {
		data, err := os.ReadFile(uri)
		if err != nil {
			return failed(e, err)
		}
		uri = strings.TrimSpace(string(data))
	}
	secret, err := otpSecret(uri)
	if err != nil {
		return failed(e, err)
	}
	now := time.Now()
	fmt.Fprintf(e.out, "%s  (good for %d s more, once)\n", auth.TOTP(secret, now), 30-now.Unix()%30)
	return exitGood
}

func otpSecret(uri string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return nil, err
	}
	return base32Secret(key.Secret())
}
