package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/tsa/accounts"
)

// accountCommand is a word after `sigillo tsa account`. It takes the account's ID
// and what it needs, and defines its own flags before they are parsed.
type accountCommand struct {
	name, args, help string
	setup            func(fs *flag.FlagSet) func(context.Context, *accountWork) error
}

// accountWork is what an account command works with.
type accountWork struct {
	e     env
	a     *appliance.Appliance
	book  *accounts.Book
	actor string
	args  []string
}

// accountCommands are the words after `sigillo tsa account`.
func accountCommands() []accountCommand {
	why := say("ID --reason TESTO", "ID --reason TEXT")
	return []accountCommand{
		{"list", "[--csv]", say("tutti gli account e che cosa hanno ancora", "all accounts and what they have left"), accountList},
		{"show", "ID", say("condizioni, credenziali e lotti di un account", "terms, credentials and lots of an account"), accountShow},
		{"add", say("ID --name NOME [--unlimited] …", "ID --name NAME [--unlimited] …"), say("crea un account", "make an account"), accountAdd},
		{"terms", "ID --rate 50 …", say("cambia le condizioni; quel che non si nomina resta", "change terms of an account; what is not named stays"), accountTerms},
		{"buy", say("ID QUANTITÀ [--expires GIORNO] [--note TESTO]", "ID QUANTITY [--expires DAY] [--note TEXT]"), say("registra un lotto prepagato", "book a prepaid lot"), accountBuy},
		{"cancel", say("ID LOTTO --reason TESTO", "ID LOT --reason TEXT"), say("annulla quel che resta di un lotto", "void what is left of a lot"), accountCancel},
		{"password", say("ID UTENTE", "ID USERNAME"), say("crea nome utente e password (HTTP Basic)", "make a user name and password for HTTP Basic"), accountPassword},
		{"token", say("ID NOME", "ID NAME"), say("crea un token di accesso (Bearer)", "make a bearer token"), accountToken},
		{"certificate", "ID FILE.pem [--key]", say("riconosce un account dal certificato client TLS, o dalla chiave", "know an account by its TLS client certificate, or key"), accountCertificate},
		{"revoke", say("ID CREDENZIALE", "ID CREDENTIAL"), say("chiude una credenziale", "end a credential"), accountRevoke},
		{"suspend", why, say("rifiuta tutte le richieste di un account", "refuse all requests of an account"), reasoned((*accounts.Book).Suspend)},
		{"resume", why, say("toglie una sospensione", "end a suspension"), reasoned((*accounts.Book).Resume)},
		{"close", why, say("chiude un account per sempre", "end an account for good"), reasoned((*accounts.Book).CloseAccount)},
		{"report", say("[--from GIORNO] [--to GIORNO]", "[--from DAY] [--to DAY]"), say("che cosa si è usato, per account, mese e lotto, in CSV", "what was used, by account, month and lot, as CSV"), accountReport},
	}
}

func tsaAccount(ctx context.Context, e env, args []string) int {
	for _, c := range accountCommands() {
		if len(args) == 0 || c.name != args[0] {
			continue
		}
		f := newTSAFlags(e, "account "+c.name)
		if strings.HasPrefix(c.args, "ID") {
			f.check = anyWords
		}
		if !slices.Contains([]string{"list", "show", "report"}, c.name) {
			f.act = staff.StampAccounts
		}
		do := c.setup(f.FlagSet)
		return f.beside(ctx, e, args[1:], func(a *appliance.Appliance) error {
			return do(ctx, &accountWork{e: e, a: a, book: a.Customers, actor: *f.operator, args: f.Args()})
		})
	}
	fmt.Fprint(e.err, say("uso: sigillo tsa account COMANDO [--dir CARTELLA] [--operator NOME] …\n\n", "usage: sigillo tsa account COMMAND [--dir DIR] [--operator NAME] …\n\n"))
	for _, c := range accountCommands() {
		fmt.Fprintf(e.err, "  %-52s %s\n", c.name+" "+c.args, c.help)
	}
	return exitUsage
}

// need checks the number of arguments and says which they are.
func (w *accountWork) need(what ...string) error {
	if len(w.args) != len(what) {
		return badUsage("indicare "+strings.Join(what, " e "), "give "+strings.Join(what, " and "))
	}
	return nil
}

func accountList(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	asCSV := fs.Bool("csv", false, say("in CSV", "as CSV"))
	return func(_ context.Context, w *accountWork) error {
		if *asCSV {
			return w.book.Summary(w.e.out)
		}
		t := tabwriter.NewWriter(w.e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, say("ACCOUNT\tNOME\tSTATO\tUSATE\tRIMASTE", "ACCOUNT\tNAME\tSTATE\tUSED\tLEFT"))
		for _, a := range w.book.Accounts() {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", a.ID, a.Name, a.State, a.Used(), left(a))
		}
		return t.Flush()
	}
}

func left(a *accounts.Account) string {
	if n := a.Left(); n != accounts.Unlimited {
		return strconv.FormatInt(n, 10)
	}
	return say("illimitate", "unlimited")
}

func accountShow(*flag.FlagSet) func(context.Context, *accountWork) error {
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID")); err != nil {
			return err
		}
		a, err := w.book.Account(w.args[0])
		if err != nil {
			return err
		}
		credentials, err := w.book.Credentials(ctx, a.ID)
		if err != nil {
			return err
		}
		return printAccount(w.e.text(), a, credentials)
	}
}

func printAccount(out io.Writer, a *accounts.Account, credentials []accounts.Credential) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, say("account\t%s (%s)\nnome\t%s\nusate\t%d\nrimaste\t%s\n", "account\t%s (%s)\nname\t%s\nused\t%d\nleft\t%s\n"), a.ID, a.State, a.Name, a.Used(), left(a))
	if a.Rate > 0 {
		fmt.Fprintf(t, say("ritmo\t%g al secondo, %g insieme\n", "rate\t%g a second, %g at once\n"), a.Rate, a.AtOnce())
	}
	for _, n := range a.Networks {
		fmt.Fprintf(t, say("rete\t%v\n", "network\t%v\n"), n)
	}
	for _, p := range a.Policies {
		fmt.Fprintf(t, say("politica\t%v\n", "policy\t%v\n"), p)
	}
	if a.Note != "" {
		fmt.Fprintf(t, say("nota\t%s\n", "note\t%s\n"), a.Note)
	}
	for _, c := range credentials {
		fmt.Fprintf(t, say("credenziale", "credential")+"\t%s\t%s %s%s%s\n", c.ID, c.Kind, c.Name, lastDay(say(", vale fino al ", ", good until "), c.Expires), on(say(", revocata il ", ", revoked "), c.Revoked))
	}
	for _, l := range a.Lots() {
		fmt.Fprintf(t, say("lotto\t%s\t%d di %d usate%s%s %s\n", "lot\t%s\t%d of %d used%s%s %s\n"), l.ID, l.Used, l.Quantity, lastDay(say(", usabile fino al ", ", good until "), l.Expires), on(say(", annullato il ", ", cancelled "), l.Cancelled), l.Note)
	}
	return t.Flush()
}

func on(words string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return words + t.UTC().Format(time.DateOnly)
}

// lastDay is the last day of something that ends at t, as it was given: a day, when
// that is the end of one (UTC), else the time.
func lastDay(words string, t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case !t.UTC().Equal(t.UTC().Truncate(24 * time.Hour)):
		return words + t.UTC().Format(time.RFC3339)
	}
	return on(words, t.Add(-1))
}

// termFlags are the flags for the terms of an account. What is not named on the
// command line stays as it is in before.
func termFlags(fs *flag.FlagSet) func(before accounts.Terms) (accounts.Terms, error) {
	var t accounts.Terms
	fs.StringVar(&t.Name, "name", "", say("nome del cliente", "name of the customer"))
	fs.BoolVar(&t.Unlimited, "unlimited", false, say("le marche non si contano sui lotti", "stamps are not counted against lots"))
	fs.Float64Var(&t.Rate, "rate", 0, say("marche al secondo, alla lunga; 0: senza limite", "stamps a second in the long run; 0: no limit"))
	fs.Int64Var(&t.Burst, "burst", 0, say("marche insieme; 0: quelle di un secondo", "stamps at once; 0: one second's worth"))
	fs.Int64Var(&t.Low, "low", 0, say("avvisa l'operatore quando ne restano tante", "tell the operator when so many are left"))
	fs.StringVar(&t.Note, "note", "", say("per le persone", "for people"))
	fs.BoolVar(&t.ByNetwork, "by-network", false, say("basta venire da una delle reti", "coming from one of the networks is enough"))
	networks := fs.String("networks", "", say("reti da cui può venire, come 192.0.2.0/24,2001:db8::/32; vuoto: tutte", "networks it may come from, such as 192.0.2.0/24,2001:db8::/32; empty: all"))
	policies := fs.String("policies", "", say("OID delle politiche che può chiedere; vuoto: tutte", "object identifiers of the policies it may ask for; empty: all"))
	return func(before accounts.Terms) (out accounts.Terms, err error) {
		out = before
		take := map[string]func(){
			"name": func() { out.Name = t.Name }, "unlimited": func() { out.Unlimited = t.Unlimited },
			"rate": func() { out.Rate = t.Rate }, "burst": func() { out.Burst = t.Burst }, "low": func() { out.Low = t.Low },
			"note": func() { out.Note = t.Note }, "by-network": func() { out.ByNetwork = t.ByNetwork },
			"networks": func() { out.Networks, err = accounts.Networks(listed(*networks)...) },
			"policies": func() { out.Policies, err = identifiers(listed(*policies)) },
		}
		fs.Visit(func(f *flag.Flag) {
			if do := take[f.Name]; do != nil && err == nil {
				do()
			}
		})
		return out, err
	}
}

// listed splits a list with commas; nothing is an empty list.
func listed(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func identifiers(list []string) (out []asn1.ObjectIdentifier, err error) {
	for _, p := range list {
		oid, err := appliance.ParseOID(p)
		if err != nil {
			return nil, err
		}
		out = append(out, oid)
	}
	return out, nil
}

func accountAdd(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	terms := termFlags(fs)
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID")); err != nil {
			return err
		}
		t, err := terms(accounts.Terms{})
		if err != nil {
			return err
		}
		if err := customerNamed(t.Name); err != nil {
			return err
		}
		return w.book.Create(ctx, w.actor, w.args[0], t)
	}
}

// customerNamed refuses an account whose customer has no name: in lists and invoices it
// would be nobody's.
func customerNamed(name string) error {
	if strings.TrimSpace(name) == "" {
		return tell("indicare il nome del cliente con --name", "give the customer's name with --name")
	}
	return nil
}

func accountTerms(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	terms := termFlags(fs)
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID")); err != nil {
			return err
		}
		a, err := w.book.Account(w.args[0])
		if err != nil {
			return err
		}
		t, err := terms(a.Terms)
		if err != nil {
			return err
		}
		if a.Name != "" { // one of an older version may have none
			if err := customerNamed(t.Name); err != nil {
				return err
			}
		}
		return w.book.SetTerms(ctx, w.actor, w.args[0], t)
	}
}

func lastDayHelp() string {
	return say("ultimo giorno in cui vale, fino alla sua fine (UTC), o un'ora (2028-01-31T12:00:00Z) da cui non vale più", "last day on which it is good, to its end (UTC), or a time (2028-01-31T12:00:00Z) from which it is not")
}

func accountBuy(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	expires := fs.String("expires", "", lastDayHelp())
	note := fs.String("note", "", say("per esempio il numero della fattura", "such as the number of the invoice"))
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("il numero di marche", "the number of stamps")); err != nil {
			return err
		}
		n, err := strconv.ParseInt(w.args[1], 10, 64)
		if err != nil {
			return tell("il numero di marche non è un numero", "the number of stamps is no number")
		}
		l := accounts.Lot{Quantity: n, Note: *note}
		if l.Expires, err = end(*expires); err != nil {
			return err
		}
		if l, err = w.book.Buy(ctx, w.actor, w.args[0], l); err == nil {
			fmt.Fprintf(w.e.out, say("lotto %s: %d marche\n", "lot %s: %d stamps\n"), l.ID, l.Quantity)
		}
		return err
	}
}

func accountCancel(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("il lotto", "the lot")); err != nil {
			return err
		}
		return w.book.Cancel(ctx, w.actor, w.args[0], w.args[1], fs.Lookup("reason").Value.String())
	}
}

func accountPassword(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	expires := fs.String("expires", "", lastDayHelp())
	own := fs.Bool("own", false, say("chiede la password invece di crearla", "ask for the password instead of making one"))
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("il nome utente", "the user name")); err != nil {
			return err
		}
		at, err := end(*expires)
		if err != nil {
			return err
		}
		var password []byte
		if *own {
			if password, err = askPassword(w.e, bufio.NewReader(w.e.in), "Password: "); err != nil {
				return err
			}
			defer clear(password)
		}
		c, made, err := w.book.SetPassword(ctx, w.actor, w.args[0], w.args[1], password, at)
		if err == nil {
			fmt.Fprintf(w.e.out, say("credenziale  %s\nutente       %s\n", "credential  %s\nuser name   %s\n"), c.ID, c.Name)
			if made != "" {
				fmt.Fprintf(w.e.out, say("password     %s  (mostrata solo ora)\n", "password    %s  (shown this once)\n"), made)
			}
		}
		return err
	}
}

func accountToken(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	expires := fs.String("expires", "", lastDayHelp())
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("un nome per il token", "a name for the token")); err != nil {
			return err
		}
		if strings.TrimSpace(w.args[1]) == "" {
			return tell("dare un nome al token: con quello lo si riconosce per revocarlo", "give the token a name: it is known by that when it is to be revoked")
		}
		at, err := end(*expires)
		if err != nil {
			return err
		}
		c, token, err := w.book.IssueBearer(ctx, w.actor, w.args[0], w.args[1], at)
		if err == nil {
			fmt.Fprintf(w.e.out, say("credenziale  %s\ntoken        %s  (mostrato solo ora)\n", "credential  %s\ntoken       %s  (shown this once)\n"), c.ID, token)
		}
		return err
	}
}

func accountCertificate(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	key := fs.Bool("key", false, say("ogni certificato con questa chiave pubblica: un rinnovo non si nota", "any certificate with this public key, so that a renewal goes unnoticed"))
	name := fs.String("name", "", say("per le persone (altrimenti il soggetto del certificato)", "for people (default: the certificate's subject)"))
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("il file del certificato", "the certificate's file")); err != nil {
			return err
		}
		certs, err := readCertificates(w.args[1])
		if err != nil {
			return err
		}
		if *name == "" {
			*name = certs[0].Subject.CommonName
		}
		c, err := w.book.AddCertificate(ctx, w.actor, w.args[0], *name, certs[0], *key, time.Time{})
		if err == nil {
			fmt.Fprintf(w.e.out, say("credenziale  %s\n", "credential  %s\n"), c.ID)
			remarkPeriod(w.e, certs[0], time.Now())
		}
		return err
	}
}

// remarkPeriod tells of a certificate that is registered and refused for the time
// being; one that has expired is not registered.
func remarkPeriod(e env, cert *x509.Certificate, now time.Time) {
	if now.Before(cert.NotBefore) {
		fmt.Fprintf(e.err, say("sigillo: il certificato vale solo dal %s: fino ad allora è rifiutato\n", "sigillo: the certificate is valid only from %s: until then it is refused\n"), cert.NotBefore.UTC().Format(time.RFC3339))
	}
}

func accountRevoke(*flag.FlagSet) func(context.Context, *accountWork) error {
	return func(ctx context.Context, w *accountWork) error {
		if err := w.need(say("l'ID dell'account", "the account's ID"), say("la credenziale", "the credential")); err != nil {
			return err
		}
		return w.book.Revoke(ctx, w.actor, w.args[0], w.args[1])
	}
}

func reasoned(do func(*accounts.Book, context.Context, string, string, string) error) func(*flag.FlagSet) func(context.Context, *accountWork) error {
	return func(fs *flag.FlagSet) func(context.Context, *accountWork) error {
		return func(ctx context.Context, w *accountWork) error {
			if err := w.need(say("l'ID dell'account", "the account's ID")); err != nil {
				return err
			}
			return do(w.book, ctx, w.actor, w.args[0], fs.Lookup("reason").Value.String())
		}
	}
}

func accountReport(fs *flag.FlagSet) func(context.Context, *accountWork) error {
	from, to := fs.String("from", "", say("dall'inizio di questo giorno (UTC)", "from the beginning of this day (UTC)")), fs.String("to", "", say("fino alla fine di questo giorno (UTC)", "to the end of this day (UTC)"))
	return func(ctx context.Context, w *accountWork) error {
		first, last, err := period(*from, *to)
		if err != nil {
			return err
		}
		months, err := w.a.Ledger.Months(ctx, first, last)
		if err != nil {
			return err
		}
		var uses []accounts.MonthUse
		for _, m := range months {
			uses = append(uses, accounts.MonthUse(m))
		}
		return w.book.Report(w.e.out, uses)
	}
}
