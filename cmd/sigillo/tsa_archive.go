package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// archiveFlags select entries of the archive.
type archiveFlags struct {
	tsaFlags
	digest, serial, unit, account, from, to *string
	limit                                   *int
}

func newArchiveFlags(e env, name string) archiveFlags {
	f := newTSAFlags(e, name)
	a := archiveFlags{tsaFlags: f,
		digest:  f.String("digest", "", say("impronta marcata, in esadecimale", "digest that was stamped, in hex")),
		serial:  f.String("serial", "", say("numero di serie, decimale o 0x…", "serial number, decimal or 0x…")),
		unit:    f.String("unit", "", say("nome dell'unità", "name of the unit")),
		account: f.String("account", "", say("chi ha chiesto", "who asked")),
		from:    f.String("from", "", say("dall'inizio di questo giorno (UTC), o da quest'ora: 2026-11-22, 2026-11-22T10:00:00Z", "from the beginning of this day (UTC), or from this time: 2026-11-22, 2026-11-22T10:00:00Z")),
		to:      f.String("to", "", say("fino alla fine di questo giorno (UTC), o prima di quest'ora", "to the end of this day (UTC), or before this time")),
		limit:   f.Int("limit", 0, say("al più tante", "at most so many")),
	}
	a.check = func() error {
		if err := tooMany(f.Args(), archiveOption); err != nil {
			return err
		}
		_, err := a.query()
		return err
	}
	return a
}

// query is what the flags select. An option without a value, such as that of a script
// whose variable is not set, is not taken for everything.
func (f archiveFlags) query() (q ledger.Query, err error) {
	q = ledger.Query{Unit: *f.unit, Account: *f.account, Limit: *f.limit}
	f.Visit(func(set *flag.Flag) {
		switch {
		case set.Value.String() == "":
			err = badUsage("--"+set.Name+" è vuoto", "--"+set.Name+" is empty")
		case set.Name == "limit" && *f.limit < 1:
			err = badUsage("--limit è un numero positivo", "--limit is a positive number")
		}
	})
	if err != nil {
		return q, err
	}
	if q.Digest, err = hex.DecodeString(strings.ReplaceAll(*f.digest, ":", "")); err != nil {
		return q, badUsage("--digest va in esadecimale", "--digest must be in hex")
	}
	if *f.serial != "" {
		if q.Serial, err = parseSerial(*f.serial); err != nil {
			return q, err
		}
	}
	q.From, q.To, err = period(*f.from, *f.to)
	return q, err
}

// known refuses a search for an account or a unit that never was: a slip of the hand
// would look like a customer without stamps. One that the archive has is known, also
// when nothing else knows of it any more.
func (f archiveFlags) known(ctx context.Context, a *appliance.Appliance) error {
	if id := *f.account; id != "" {
		_, err := a.Customers.Account(id)
		if accounts.KindOf(err) == accounts.NotFound {
			had, lookup := a.Ledger.Lookup(ctx, ledger.Query{Account: id, Limit: 1})
			if err = lookup; err == nil && len(had) == 0 {
				err = badUsage(fmt.Sprintf("non c'è un account %q; `sigillo tsa account list` li elenca", id), fmt.Sprintf("there is no account %q; `sigillo tsa account list` lists them", id))
			}
		}
		if err != nil {
			return err
		}
	}
	if *f.unit == "" {
		return nil
	}
	had, err := a.Ledger.Lookup(ctx, ledger.Query{Unit: *f.unit, Limit: 1})
	if err != nil || len(had) > 0 {
		return err
	}
	t, err := a.Vault.TimeStamping(ctx)
	if err != nil || t.Fault != "" || slices.ContainsFunc(t.Units, func(u vault.Unit) bool { return u.Name == *f.unit }) {
		return err
	}
	return badUsage(fmt.Sprintf("non c'è un'unità %q; `sigillo tsa status` le elenca", *f.unit), fmt.Sprintf("there is no unit %q; `sigillo tsa status` lists them", *f.unit))
}

// parseSerial reads a serial number. A leading 0 is no more than that: the number is
// decimal unless it has 0x in front.
func parseSerial(s string) (int64, error) {
	digits, base := s, 10
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil || n < 1 {
		return 0, badUsage("--serial è un numero positivo, decimale o 0x…", "--serial is a positive number, decimal or 0x…")
	}
	return n, nil
}

// beginning reads a time, or a day, which is its first moment in UTC.
func beginning(s string) (time.Time, error) {
	t, _, err := parseTime(s)
	return t, err
}

// end reads what is not reached any more: a time, or a day, which is counted in, so
// it is the first moment of the next in UTC.
func end(s string) (time.Time, error) {
	t, day, err := parseTime(s)
	if day {
		t = t.AddDate(0, 0, 1)
	}
	return t, err
}

// parseTime reads a time, or a day; nothing is the zero time.
func parseTime(s string) (t time.Time, day bool, err error) {
	if s == "" {
		return t, false, nil
	}
	if t, err = time.Parse(time.DateOnly, s); err == nil {
		return t, true, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, s); err == nil {
		return t, false, nil
	}
	return time.Time{}, false, badUsage(fmt.Sprintf("%q non è né un giorno (2026-11-22) né un'ora (2026-11-22T10:00:00Z)", s),
		fmt.Sprintf("%q is neither a day (2026-11-22) nor a time (2026-11-22T10:00:00Z)", s))
}

func tsaFind(ctx context.Context, e env, args []string) int {
	f := newArchiveFlags(e, "find")
	asJSON := f.Bool("json", false, say("un oggetto JSON per riga", "one JSON object a line"))
	out := f.String("out", "", say("cartella per le marche trovate, come UNITÀ-SERIALE.tst", "folder for the tokens found, as UNIT-SERIAL.tst"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		if err := f.known(ctx, a); err != nil {
			return err
		}
		q.Newest = true
		entries, err := a.Ledger.Lookup(ctx, q)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return tell("nell'archivio non c'è una marca così", "there is no such token in the archive")
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
	table := tabwriter.NewWriter(plain{w}, 0, 4, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, say("DATA\tUNITÀ\tSERIALE\tACCOUNT\tPOLITICA\tIMPRONTA", "TIME\tUNIT\tSERIAL\tACCOUNT\tPOLICY\tDIGEST"))
	}
	for _, n := range entries {
		digest := hex.EncodeToString(n.Imprint)
		if !asJSON {
			policy := n.Policy.String()
			if n.Unverified {
				policy += say(" (NON VERIFICATA)", " (UNVERIFIED)")
			}
			fmt.Fprintf(table, "%s\t%s\t%#x\t%s\t%s\t%v %s\n", n.GenTime.Format(time.RFC3339Nano), n.Unit, n.Serial, n.Account, policy, n.Hash, digest)
			continue
		}
		err := printJSON(w, map[string]any{"seq": n.Seq, "time": n.GenTime, "unit": n.Unit, "serial": fmt.Sprintf("%#x", n.Serial),
			"account": n.Account, "lot": n.Lot, "policy": n.Policy.String(), "unverified": n.Unverified, "hash": n.Hash.String(), "digest": digest})
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
	format := f.String("format", string(ledger.CSV), say("csv: una riga per marca; accounting: una per account, lotto e mese; zip: le marche", "csv: a line per token; accounting: a line per account, lot and month; zip: the tokens"))
	out := f.String("out", "-", say("file da scrivere, - per l'uscita standard", "file to write, - for standard output"))
	return f.beside(ctx, e, args, func(a *appliance.Appliance) error {
		q, err := f.query()
		if err != nil {
			return err
		}
		if err := f.known(ctx, a); err != nil {
			return err
		}
		if *out == "-" {
			_, err := a.Ledger.Export(ctx, e.out, q, ledger.Format(*format))
			return err
		}
		done, err := exportTo(ctx, a, *out, q, ledger.Format(*format))
		if err == nil {
			fmt.Fprintf(e.text(), say("%s: %d marche\n", "%s: %d tokens\n"), *out, done.Entries)
		}
		return err
	})
}

// exportTo leaves no file behind that is empty or a part, and takes none for it that is
// there already.
func exportTo(ctx context.Context, a *appliance.Appliance, path string, q ledger.Query, format ledger.Format) (ledger.Exported, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return ledger.Exported{}, err
	}
	done, err := a.Ledger.Export(ctx, file, q, format)
	if err = errors.Join(err, file.Close()); err != nil {
		return done, errors.Join(err, os.Remove(path))
	}
	return done, nil
}

func tsaVerify(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "verify")
	if code, ok := parseBare(f.FlagSet, args); !ok {
		return code
	}
	a, err := openBeside(ctx, *f.dir)
	if err != nil {
		failed(e, err)
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
	case r.Index != nil: // what is searched is not complete
		code = exitBad
	}
	index := ""
	if r.Index != nil {
		index = r.Index.Error()
	}
	if asJSON {
		text := ""
		if err != nil {
			text = reason(err)
		}
		if err := printJSON(e.out, map[string]any{"journal": "stamps", "state": state, "entries": r.Entries, "lost": r.Lost, "free": r.Free, "segments": r.Segments, "problem": text, "index": index}); err != nil {
			return failed(e, err)
		}
		return code
	}
	words := map[string]string{"intact": "integre", "BROKEN": "ROTTE", "unreadable": "illeggibili"}
	fmt.Fprintf(e.text(), say("marche temporali: %s, %d in %d file\n", "time-stamps: %s, %d tokens in %d files\n"), say(words[state], state), r.Entries-r.Lost-r.Free, r.Segments)
	if r.Lost > 0 {
		fmt.Fprintf(e.text(), say("  %d marche sono perdute; la perdita fu accettata, si veda il giornale\n", "  %d tokens are lost; the loss was accepted, see the journal\n"), r.Lost)
	}
	if index != "" {
		fmt.Fprintf(e.text(), say("  l'indice delle ricerche (stamps.db) non corrisponde: %s. Fermare il servizio e cancellarlo: all'avvio si rifà da sé\n",
			"  the index for lookups (stamps.db) does not fit: %s. Stop the service and delete it: at the start it is made anew by itself\n"), index)
	}
	if err != nil {
		fmt.Fprintln(e.text(), " ", reason(err))
	}
	return code
}

// tsaAcceptLoss is for when segments are gone and no backup has them.
func tsaAcceptLoss(ctx context.Context, e env, args []string) int {
	f := newTSAFlags(e, "accept-loss")
	if code, ok := parseBare(f.FlagSet, args); !ok {
		return code
	}
	dir, err := filepath.Abs(*f.dir)
	if err != nil {
		return failed(e, err)
	}
	f.act = staff.StampUnits
	loss, err := appliance.AcceptLoss(ctx, dir, appliance.Options{}, *f.reason, func(a *appliance.Appliance) (string, error) {
		err := f.ordered(ctx, e, a)
		return *f.operator, err
	})
	if err != nil {
		return failed(e, err)
	}
	for _, g := range loss.Gaps {
		fmt.Fprintf(e.out, say("perdute: %d marche temporali, le registrazioni da %d a %d\n", "lost: %d time-stamps, the entries %d to %d\n"), g.Len(), g.From, g.To-g.Free)
	}
	fmt.Fprintf(e.out, say("%d restano a carico degli account che le ebbero\n", "%d of them stay counted for the accounts that had them\n"), loss.Charged)
	if loss.Unknown > 0 {
		fmt.Fprintf(e.out, say("%d furono fatte dopo l'ultima annotazione: non si sa di chi, e non sono a carico di nessun account\n", "%d were made after the last note: nobody knows whose they were, and they are counted for no account\n"), loss.Unknown)
	}
	for _, g := range loss.Gaps {
		if g.Free > 0 {
			fmt.Fprintf(e.out, say("di ciò che fu marcato dopo, al massimo per dieci minuti, nessuno sa: può essere perduto anche quello; i numeri da %d a %d restano liberi per esso\n",
				"of what was stamped after those, for ten minutes at most, nobody knows: that may be lost, too; the numbers %d to %d are left free for it\n"), g.To-g.Free+1, g.To)
		}
	}
	return exitGood
}
