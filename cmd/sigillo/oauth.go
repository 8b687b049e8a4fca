package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"sigillo/appliance"
	"sigillo/auth/staff"
	"sigillo/web/oauth"
)

// oauthServer is the authorization server of an appliance; nil when it is off.
func oauthServer(a *appliance.Appliance) *oauth.Server {
	if a.Config.OAuth.Off {
		return nil
	}
	// It has no error: the configuration was checked when it was read.
	srv, _ := oauth.New(oauth.Config{DB: a.DB, Accounts: a, Signing: core{a}, Factors: core{a}, BaseURL: a.Config.BaseURL, Qualifiers: qualifiers(a.Config.PKI.Qualified)})
	return srv
}

// qualifiers are what the CSC API says of our credentials: no QSCD is claimed, so none is
// for qualified signatures.
func qualifiers(qualified bool) []string {
	if qualified {
		return []string{"eu_eidas_aesqc"}
	}
	return []string{"eu_eidas_aes"}
}

// runOAuth looks after the applications that may ask for signatures.
func runOAuth(ctx context.Context, e env, args []string) int {
	if len(args) > 1 && args[0] == "client" {
		for _, c := range clientCommands() {
			if c.name == args[1] {
				return c.run(ctx, e, args[2:])
			}
		}
	}
	fmt.Fprint(e.err, say("uso: sigillo oauth client COMANDO [--dir CARTELLA] [--operator NOME] …\n\n", "usage: sigillo oauth client COMMAND [--dir DIR] [--operator NAME] …\n\n"))
	for _, c := range clientCommands() {
		fmt.Fprintf(e.err, "  %-52s %s\n", c.name+" "+c.args, c.help)
	}
	return exitUsage
}

// clientCommands are the words after `sigillo oauth client`.
func clientCommands() []command {
	return []command{
		{name: "add", args: say("ID --name NOME --redirect URI …", "ID --name NAME --redirect URI …"), help: say("registra un'applicazione", "register an application"), run: clientAdd},
		{name: "list", help: say("tutte le applicazioni", "all applications"), run: clientList},
		{name: "remove", args: "ID", help: say("toglie un'applicazione con tutto ciò che le fu concesso", "remove an application with all that it was granted"), run: clientRemove},
	}
}

// several collects an option that may be given more than once.
type several []string

func (s *several) String() string     { return strings.Join(*s, " ") }
func (s *several) Set(v string) error { *s = append(*s, v); return nil }

// oauthFlags are the flags of all these commands.
type oauthFlags struct {
	*flag.FlagSet
	dir, operator *string
	act           staff.Act // the right that it needs; "": it only looks
}

func newOAuthFlags(e env, name string) oauthFlags {
	fs := flags(e, "oauth client "+name)
	return oauthFlags{FlagSet: fs, dir: dirFlag(fs), operator: fs.String("operator", operator(), say("chi agisce, per il giornale", "who acts, for the journal"))}
}

// with does something with the registry, beside a running service or alone. want is the
// number of words behind the command.
func (f oauthFlags) with(ctx context.Context, e env, args []string, want int, do func(*oauth.Registry) error) int {
	if code, ok := parse(f.FlagSet, args); !ok {
		return code
	}
	if f.NArg() != want {
		if want == 0 {
			return failed(e, tooMany(f.Args(), nil))
		}
		return failed(e, badUsage("indicare l'ID di un'applicazione", "give the ID of one application"))
	}
	a, err := openBeside(ctx, *f.dir)
	if err != nil {
		return failed(e, err)
	}
	defer a.Close()
	if f.act != "" {
		t := tsaFlags{FlagSet: f.FlagSet, operator: f.operator, act: f.act}
		if err := t.ordered(ctx, e, a); err != nil {
			return failed(e, err)
		}
	}
	if err := do(oauth.NewRegistry(a.DB, nil)); err != nil {
		return failed(e, err)
	}
	return exitGood
}

func clientAdd(ctx context.Context, e env, args []string) int {
	f := newOAuthFlags(e, "add")
	f.act = staff.OAuthClients
	var c oauth.Client
	var redirects several
	f.StringVar(&c.Name, "name", "", say("nome che vedono i titolari", "name that holders are shown"))
	f.Var(&redirects, "redirect", say("indirizzo a cui vanno le risposte, uguale lettera per lettera; più volte se sono più d'uno", "address that answers go to, letter by letter; several times for several"))
	f.StringVar(&c.Method, "method", oauth.ClientSecret, "client_secret, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, none")
	keys := f.String("keys", "", say("file con le chiavi pubbliche, JWKS o PEM (private_key_jwt)", "file with the public keys, JWKS or PEM (private_key_jwt)"))
	certificates := f.String("certificate", "", say("file PEM con i certificati (self_signed_tls_client_auth)", "PEM file with the certificates (self_signed_tls_client_auth)"))
	authorities := f.String("ca", "", say("file PEM con tutte le autorità sopra il certificato (tls_client_auth)", "PEM file with all authorities above the certificate (tls_client_auth)"))
	f.StringVar(&c.Subject, "subject", "", say("soggetto del certificato, come \"CN=app,O=Esempio\" (tls_client_auth)", "subject of the certificate, such as \"CN=app,O=Example\" (tls_client_auth)"))
	f.StringVar(&c.DNS, "dns", "", say("nome DNS nel certificato, invece del soggetto (tls_client_auth)", "DNS name in the certificate, instead of the subject (tls_client_auth)"))
	f.BoolVar(&c.WithoutProofKey, "legacy-v1", false, say("l'applicazione parla CSC v1 e non sa usare PKCE", "the application speaks CSC v1 and cannot use PKCE"))
	f.BoolVar(&c.ForItself, "for-itself", false, say("può ottenere token propri (client_credentials)", "it may have tokens of its own (client_credentials)"))
	return f.with(ctx, e, args, 1, func(r *oauth.Registry) error {
		c.ID, c.Redirects = f.Arg(0), redirects
		if err := complete(f.FlagSet, "name"); err != nil {
			return err
		}
		if len(redirects) == 0 && !c.ForItself {
			return badUsage("manca --redirect, l'indirizzo a cui vanno le risposte (o --for-itself)", "--redirect is missing, the address that answers go to (or --for-itself)")
		}
		if err := readClientFiles(&c, *keys, *certificates, *authorities); err != nil {
			return err
		}
		secret, err := r.Add(ctx, c, *f.operator)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "client_id      %s\n", c.ID)
		if secret != "" {
			fmt.Fprintf(e.out, "client_secret  %s\n%s\n", secret, say("Il segreto si mostra solo ora: di qui in poi se ne conserva l'impronta.", "The secret is shown this once: only a fingerprint of it is kept."))
		}
		return nil
	})
}

func readClientFiles(c *oauth.Client, keys, certificates, authorities string) (err error) {
	if keys != "" {
		data, err := os.ReadFile(keys)
		if err != nil {
			return err
		}
		if c.Keys, err = oauth.ReadKeys(data); err != nil {
			return err
		}
	}
	if certificates != "" {
		all, err := certificatesIn(certificates)
		if err != nil {
			return err
		}
		for _, der := range all {
			sum := sha256.Sum256(der)
			c.Certificates = append(c.Certificates, sum[:])
		}
	}
	if authorities != "" {
		c.Authorities, err = certificatesIn(authorities)
	}
	return err
}

func certificatesIn(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return oauth.ReadCertificates(data)
}

func clientList(ctx context.Context, e env, args []string) int {
	f := newOAuthFlags(e, "list")
	return f.with(ctx, e, args, 0, func(r *oauth.Registry) error {
		all, err := r.List(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			fmt.Fprintln(e.err, say("Nessuna applicazione è registrata. Per registrarne una: sigillo oauth client add ID --name NOME --redirect URI",
				"No application is registered. To register one: sigillo oauth client add ID --name NAME --redirect URI"))
			return nil
		}
		t := tabwriter.NewWriter(e.text(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, say("ID\tNOME\tMETODO\tDAL\tRISPOSTE A", "ID\tNAME\tMETHOD\tSINCE\tANSWERS TO"))
		for _, c := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Name, c.Method, c.Created.Local().Format(time.DateOnly), strings.Join(c.Redirects, " "))
		}
		return t.Flush()
	})
}

func clientRemove(ctx context.Context, e env, args []string) int {
	f := newOAuthFlags(e, "remove")
	f.act = staff.OAuthClients
	return f.with(ctx, e, args, 1, func(r *oauth.Registry) error {
		if err := r.Remove(ctx, f.Arg(0), *f.operator); err != nil {
			return err
		}
		fmt.Fprintf(e.out, say("%s è tolta, con tutto ciò che le era concesso\n", "%s is removed, with all that it was granted\n"), f.Arg(0))
		return nil
	})
}
