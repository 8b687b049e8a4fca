package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/tsa/ledger"
)

// archiveFlags select entries of the archive.
type archiveFlags struct {
	tsaFlags
	digest, serial, unit, account, from, to *string
	limit                                   *int
}

func newArchiveFlags(e env, name string) archiveFlags {
	f := newTSAFlags(e, name)
	return archiveFlags{tsaFlags: f,
		digest:  f.String("digest", "", "digest that was stamped, in hex"),
		serial:  f.String("serial", "", "serial number, decimal or 0x…"),
		unit:    f.String("unit", "", "name of the unit"),
		account: f.String("account", "", "who asked"),
		from:    f.String("from", "", "not before this day or time (2026-11-22, 2026-11-22T10:00:00Z)"),
		to:      f.String("to", "", "before this day or time"),
		limit:   f.Int("limit", 0, "at most so many"),
	}
}

func (f archiveFlags) query() (q ledger.Query, err error) {
	q = ledger.Query{Unit: *f.unit, Account: *f.account, Limit: *f.limit}
	if q.Digest, err = hex.DecodeString(strings.ReplaceAll(*f.digest, ":", "")); err != nil {
		return q, errors.New("--digest must be in hex")
	}
	if *f.serial != "" {
		if q.Serial, err = strconv.ParseInt(*f.serial, 0, 64); err != nil {
			return q, errors.New("--serial must be a number, decimal or 0x…")
		}
	}
	if q.From, err = parseTime(*f.from); err == nil {
		q.To, err = parseTime(*f.to)
	}
	return q, err
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a day (2026-11-22) nor a time (2026-11-22T10:00:00Z)", s)
}

func tsaFind(ctx context.Context, e env, args []string) int {
	f := newArchiveFlags(e, "find")
	asJSON := f.Bool("json", false, "one JSON object a line")
	out := f.String("out", "", "folder for the tokens found, as UNIT-SERIAL.tst")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		q.Newest = true
		entries, err := a.Ledger.Lookup(ctx, q)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return errors.New("there is no such token in the archive")
		}
		if *out != "" {
			if err := writeTokens(a, entries, *out); err != nil {
				return err
			}
		}
		return printEntries(e.out, entries, *asJSON)
	})
}

func printEntries(w io.Writer, entries []ledger.Entry, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "TIME\tUNIT\tSERIAL\tACCOUNT\tPOLICY\tDIGEST")
	}
	for _, n := range entries {
		digest := hex.EncodeToString(n.Imprint)
		if !asJSON {
			fmt.Fprintf(table, "%s\t%s\t%#x\t%s\t%v\t%v %s\n", n.GenTime.Format(time.RFC3339Nano), n.Unit, n.Serial, n.Account, n.Policy, n.Hash, digest)
			continue
		}
		err := printJSON(w, map[string]any{"seq": n.Seq, "time": n.GenTime, "unit": n.Unit, "serial": fmt.Sprintf("%#x", n.Serial),
			"account": n.Account, "lot": n.Lot, "policy": n.Policy.String(), "hash": n.Hash.String(), "digest": digest})
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

func writeTokens(a *appliance.Appliance, entries []ledger.Entry, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, n := range entries {
		token, err := a.Ledger.Token(n)
		if err != nil {
			return err
		}
		if err := root.WriteFile(fmt.Sprintf("%s-%#x.tst", n.Unit, n.Serial), token, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func tsaExport(ctx context.Context, e env, args []string) int {
	f := newArchiveFlags(e, "export")
	format := f.String("format", string(ledger.CSV), "csv: a line per token; accounting: a line per account, lot and month; zip: the tokens")
	out := f.String("out", "-", "file to write, - for standard output")
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		w := e.out
		if *out != "-" {
			file, err := os.OpenFile(*out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer file.Close()
			w = file
		}
		done, err := a.Ledger.Export(ctx, w, q, ledger.Format(*format))
		if err != nil {
			return err
		}
		if *out != "-" {
			fmt.Fprintf(e.out, "%s: %d tokens\n", *out, done.Entries)
		}
		return nil
	})
}

func tsaVerify(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "verify")
	if code, ok := parse(f.FlagSet, args); !ok {
		return code
	}
	a, err := openBeside(ctx, *f.dir)
	if err != nil {
		fmt.Fprintln(e.err, "sigillo:", err)
		return exitUnreadable
	}
	defer a.Close()
	return verifyStamps(ctx, e, a, false)
}

// verifyStamps checks the record of time-stamps as `journal verify` does the
// journals.
func verifyStamps(ctx context.Context, e env, a *appliance.Appliance, asJSON bool) int {
	r, err := a.VerifyStamps(ctx)
	code, state := exitGood, "intact"
	switch {
	case ledger.KindOf(err) == ledger.Damaged:
		code, state = exitBad, "BROKEN"
	case err != nil:
		code, state = exitUnreadable, "unreadable"
	}
	if asJSON {
		text := ""
		if err != nil {
			text = err.Error()
		}
		if err := printJSON(e.out, map[string]any{"journal": "stamps", "state": state, "entries": r.Entries, "lost": r.Lost, "segments": r.Segments, "problem": text}); err != nil {
			return failed(e, err)
		}
		return code
	}
	fmt.Fprintf(e.out, "time-stamps: %s, %d tokens in %d files\n", state, r.Entries-r.Lost, r.Segments)
	if r.Lost > 0 {
		fmt.Fprintf(e.out, "  %d tokens are lost; the loss was accepted, see the journal\n", r.Lost)
	}
	if err != nil {
		fmt.Fprintln(e.out, " ", err)
	}
	return code
}

// tsaAcceptLoss is for when segments are gone and no backup has them.
func tsaAcceptLoss(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "accept-loss")
	if code, ok := parse(f.FlagSet, args); !ok {
		return code
	}
	dir, err := filepath.Abs(*f.dir)
	if err != nil {
		return failed(e, err)
	}
	loss, err := appliance.AcceptLoss(ctx, dir, appliance.Options{}, *f.operator, *f.reason)
	if err != nil {
		return failed(e, err)
	}
	for _, g := range loss.Gaps {
		fmt.Fprintf(e.out, "lost: %d time-stamps, the entries %d to %d\n", g.Len(), g.From, g.To)
	}
	fmt.Fprintf(e.out, "%d of them stay counted for the accounts that had them\n", loss.Charged)
	if loss.Unknown > 0 {
		fmt.Fprintf(e.out, "%d were made after the last note: nobody knows whose they were, and they are counted for no account\n", loss.Unknown)
	}
	return exitGood
}
