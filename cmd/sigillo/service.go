package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sigillo/appliance"
	"sigillo/formats/view"
	"sigillo/signing/cage"
	"sigillo/signing/worker"
	"sigillo/tsa/clock"
	"sigillo/web"
	"sigillo/web/counter"
)

func runInit(ctx context.Context, e env, args []string) int {
	fs := flags(e, "init")
	dir := dirFlag(fs)
	listen := fs.String("listen", "", "address to listen on (default 127.0.0.1:8080)")
	base := fs.String("base-url", "", "address under which others reach the service; written into certificates")
	module := fs.String("module", "", "PKCS#11 module (default SoftHSM2)")
	token := fs.String("token", "", "label of an existing token; needs --pin-file")
	pin := fs.String("pin-file", "", "file with the user PIN of an existing token")
	arguments := fs.String("module-arguments", "", "text given to the PKCS#11 module when it starts, for those that take one")
	vaultUser := fs.String("vault-user", "", "user that the vault runs as when root starts the service (default sigillo-vault, if there is one)")
	demo := fs.Bool("demo", false, "also register two invented holders to try things out")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	cfg := appliance.DefaultConfig()
	set(&cfg.Listen, *listen)
	set(&cfg.BaseURL, *base)
	if *base == "" {
		cfg.BaseURL = "http://" + cfg.Listen
	}
	set(&cfg.HSM.Module, *module)
	set(&cfg.HSM.Arguments, *arguments)
	set(&cfg.VaultUser, *vaultUser)
	set(&cfg.HSM.Token, *token)
	set(&cfg.HSM.PINFile, *pin)
	if err := appliance.Init(ctx, *dir, cfg, appliance.Options{}, e.out); err != nil {
		return failed(e, err)
	}
	if *demo {
		if err := addDemoHolders(ctx, e, *dir, demoPeople); err != nil {
			return failed(e, err)
		}
	}
	return exitGood
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

func runServe(ctx context.Context, e env, args []string) int {
	fs := flags(e, "serve")
	dir := dirFlag(fs)
	demo := fs.Bool("demo", false, "on first use provision a demonstration; then show its sign-ins")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	if _, err := appliance.LoadConfig(*dir); errors.Is(err, appliance.ErrNotProvisioned) && *demo {
		if code := runInit(ctx, e, []string{"--dir", *dir, "--demo"}); code != exitGood {
			return code
		}
	}
	abs, err := filepath.Abs(*dir)
	if err != nil {
		return failed(e, err)
	}
	if err := serve(ctx, e, abs, *demo); err != nil {
		return failed(e, err)
	}
	return exitGood
}

// serve runs the appliance until ctx ends.
//
// Whoever waits for the disk in a system call keeps one of Go's processors for some
// tens of microseconds, and the record of time-stamps does nothing else: with two
// more the others go on. Who has set GOMAXPROCS has decided otherwise.
func serve(ctx context.Context, e env, dir string, demo bool) error {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	}
	a, err := appliance.Open(ctx, dir, appliance.Options{})
	if err != nil {
		return err
	}
	defer a.Close()
	srv, err := web.New(webConfig(a))
	if err != nil {
		return err
	}
	ln, err := listen(a.Config)
	if err != nil {
		return err
	}
	cards, err := listenCards(a)
	if err != nil {
		ln.Close()
		return err
	}
	fmt.Fprintf(e.out, "Sigillo is at %s  (API: %s/api/v1/docs, stop with Ctrl-C)\n", a.Config.BaseURL, a.Config.BaseURL)
	if demo {
		showDemoHolders(e, dir)
	}
	return srv.Serve(ctx, ln, cards)
}

// webConfig is how the service faces the world.
func webConfig(a *appliance.Appliance) web.Config {
	proxies, _ := a.Config.Proxies() // has no error: the configuration was checked when it was read
	cfg := web.Config{Signing: a.Signing, Accounts: a, Status: a, Health: a, Requests: a.Remote, Delegations: a.Remote, Emergency: a, Activation: a, Staff: a, CounterDesk: a.Counter,
		Stamps: a.Stamps, Metrics: []web.Metrics{a.Stamps}, StampPage: web.StampPage(a.Config.TSA.Page),
		UnverifiedClock: a.Config.TSA.Clock == string(clock.Unverified),
		MaxUpload:       a.Config.MaxUploadMB * 1_000_000, Secure: strings.HasPrefix(a.Config.BaseURL, "https:"),
		TrustedProxies: proxies}
	applications := oauthServer(a)
	if applications != nil {
		cfg.OAuth, cfg.Applications = applications, applications
	}
	cfg.CSC = cscFace(a, applications)
	if counters, err := counter.New(counter.Config{Desk: a.Counter, Tablets: a.Counter}); err == nil { // both are there
		cfg.Counter = counters
	}
	rpID, _ := a.Config.RelyingParty()
	cfg.Security, cfg.Passkeys, cfg.SentCodes = a, rpID != "", a.Config.Courier.Driver != ""
	if a.Config.Cards.Listen != "" {
		cfg.Cards, cfg.CardURL, cfg.PagesURL = a, strings.TrimSuffix(a.Config.Cards.URL, "/"), strings.TrimSuffix(a.Config.BaseURL, "/")
	}
	return cfg
}

func listen(cfg appliance.Config) (net.Listener, error) {
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", cfg.Listen, err)
	}
	if cfg.TLSCertificate == "" {
		return ln, nil
	}
	return tlsListener(ln, cfg.TLSCertificate, cfg.TLSKey, cfg.TLSClientCertificates)
}

// listenCards opens the listener for cards; nil when there is to be none.
func listenCards(a *appliance.Appliance) (net.Listener, error) {
	cfg := a.Config
	if cfg.Cards.Listen == "" {
		return nil, nil
	}
	ln, err := net.Listen("tcp", cfg.Cards.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", cfg.Cards.Listen, err)
	}
	return cardListener(ln, cfg.TLSCertificate, cfg.TLSKey, a.CardAuthorities)
}

func runVault(ctx context.Context, e env, args []string) int {
	fs := flags(e, "vault")
	dir := dirFlag(fs)
	provision := fs.Bool("provision", false, "allow the making of the house's keys")
	initToken := fs.Bool("init-token", false, "make the token with the two PINs read from standard input, then end")
	check := checkFlags(fs)
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	if check.asked() {
		return check.run(ctx, e, *dir)
	}
	if *initToken {
		if err := appliance.InitToken(*dir, e.in); err != nil {
			return failed(e, err)
		}
		return exitGood
	}
	if err := appliance.RunVault(ctx, *dir, *provision, func() { fmt.Fprintln(e.out, "ready") }); err != nil {
		return failed(e, err)
	}
	return exitGood
}

func runCourier(ctx context.Context, e env, args []string) int {
	fs := flags(e, "courier")
	dir := dirFlag(fs)
	keep := fs.Bool("keep", false, "start the one that sends, and start it again when it dies")
	if code, ok := parseBare(fs, args); !ok {
		return code
	}
	if err := appliance.RunCourier(ctx, *dir, *keep, e.in, e.out); err != nil {
		return failed(e, err)
	}
	return exitGood
}

func runInspectWorker(_ context.Context, _ env, args []string) int { return worker.Main(args) }

func runRenderCage(_ context.Context, _ env, args []string) int { return cage.Main(args) }

func runDrawPages(_ context.Context, _ env, args []string) int { return view.Main(args) }

// openBeside opens the appliance for a one-shot command, beside a running
// service or alone.
func openBeside(ctx context.Context, dir string) (*appliance.Appliance, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return appliance.Open(ctx, abs, appliance.Options{Unattended: true})
}
