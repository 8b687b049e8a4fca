// Command sigillo is the whole appliance: the service, the vault that owns the
// keys, and the tools around them. Run it without arguments for the commands.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"

	"sigillo/formats/view"
	"sigillo/signing/cage"
	"sigillo/signing/worker"
)

// Exit codes of the commands that judge a file (verify, inspect, journal
// verify). Other commands use exitGood and exitFailed.
const (
	exitGood       = 0
	exitFailed     = 1
	exitDoubtful   = 1
	exitBad        = 2
	exitUnreadable = 3
	exitUsage      = 64
)

// command is one word of the command line.
type command struct {
	name, args, help string
	hidden           bool
	run              func(ctx context.Context, e env, args []string) int
}

// env is what a command talks to.
type env struct {
	in       io.Reader
	out, err io.Writer
	terminal *os.File // when in is one, for what must not be shown
}

var commands []command

func init() { // in a function, because help itself lists the commands
	commands = []command{
		{name: "init", args: "[--dir DIR] [--demo]", help: "provision a new appliance: token, vault, key ceremony", run: runInit},
		{name: "serve", args: "[--dir DIR] [--demo]", help: "run the service (and its vault)", run: runServe},
		{name: "vault", args: "[--dir DIR]", help: "run the vault alone: the one process that uses the token", run: runVault},
		{name: "staff", args: "list|appoint|approve …", help: "the people who run the appliance, and what needs two of them", run: runStaff},
		{name: "holder", args: "add|invite|key|recover …", help: "register a holder, give another key, or recover one who has lost the factors", run: runHolder},
		{name: "certificate", args: "list|suspend|reactivate|revoke …", help: "look at certificates and change their status", run: runCertificate},
		{name: "delegation", args: "list|revoke …", help: "what holders have delegated to applications, and its end", run: runDelegation},
		{name: "tablet", args: "list|register-code|confirm|revoke …", help: "look after the tablets that customers sign on at counters", run: runTablet},
		{name: "oauth", args: "client add|list|remove …", help: "look after the applications that may ask for signatures", run: runOAuth},
		{name: "inspect", args: "[--policy standard|strict|FILE] [--json] FILE…", help: "look for content that can change what a document shows", run: runInspect},
		{name: "verify", args: "--trust ROOT.pem [--detached FILE] [--json] FILE…", help: "validate signatures and time-stamps", run: runVerify},
		{name: "extend", args: "--level B-LTA --trust ROOT.pem FILE", help: "raise signatures to a level that lasts", run: runExtend},
		{name: "sign", args: "prepare|assemble …", help: "sign with a key that is elsewhere", run: runSign},
		{name: "stamp", args: "[--tsd|--tst|--ers] --url URL FILE…", help: "get, renew, check, split and join time-stamps", run: runStamp},
		{name: "tsa", args: "status|start|lift|find|export …", help: "look after the time-stamping authority", run: runTSA},
		{name: "graphometric", args: "eval|convert …", help: "measure the comparison of signatures on a set; convert their files", run: runGraphometric},
		{name: "journal", args: "verify [--dir DIR] [--json]", help: "check the tamper-evident journals", run: runJournal},
		{name: "otp", args: "OTPAUTH-URI|FILE", help: "show the current one-time password, for trying things out", run: runOTP},
		{name: "demo", args: "", help: "the whole main job on a throw-away appliance, checked by other programs", run: runDemo},
		{name: "courier", hidden: true, run: runCourier},
		{name: "interop", hidden: true, run: runInterop},
		{name: worker.Command, hidden: true, run: runInspectWorker},
		{name: cage.Command, hidden: true, run: runRenderCage},
		{name: view.Command, hidden: true, run: runDrawPages},
	}
}

func main() { os.Exit(Main()) }

// Main runs the command line of the process and gives its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	level := slog.LevelWarn
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		level = slog.LevelInfo
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	return dispatch(ctx, env{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:])
}

func dispatch(ctx context.Context, e env, args []string) int {
	e.err = plain{e.err} // errors quote names of files and answers of others
	if f, ok := e.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		e.terminal = f
	}
	if e.in != nil {
		e.in = bufio.NewReader(e.in) // one for all questions: what one has read ahead is the next one's
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		if len(args) > 1 {
			return failed(e, badUsage("le opzioni di un comando le dice `sigillo COMANDO --help`", "the options of a command are told by `sigillo COMMAND --help`"))
		}
		usage(e.out)
		return exitGood
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, e, args[1:])
		}
	}
	fmt.Fprintf(e.err, "sigillo: there is no command %q; run `sigillo help`\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Sigillo, a remote signing and time-stamping appliance\n\nUsage: sigillo COMMAND …\n\n")
	for _, c := range commands {
		if !c.hidden {
			fmt.Fprintf(w, "  %-44s %s\n", c.name+" "+c.args, c.help)
		}
	}
	fmt.Fprint(w, "\nDIR is the appliance's folder: --dir, else $SIGILLO_DIR, else ./var\n")
}

// flags makes a flag set that reports errors instead of exiting.
func flags(e env, name string) *flag.FlagSet {
	fs := flag.NewFlagSet("sigillo "+name, flag.ContinueOnError)
	fs.SetOutput(e.err)
	return fs
}

// dirFlag adds --dir.
func dirFlag(fs *flag.FlagSet) *string {
	def := os.Getenv("SIGILLO_DIR")
	if def == "" {
		def = "./var"
	}
	return fs.String("dir", def, "folder of the appliance")
}

// parse reads the flags, which may stand after the files too, up to "--"; ok is
// false when the command must end with code.
func parse(fs *flag.FlagSet, args []string) (code int, ok bool) {
	err := fs.Parse(optionsFirst(fs, args))
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood, false
	case err != nil:
		return exitUsage, false
	}
	return 0, true
}

// optionsFirst puts the options, with their values, before everything else.
func optionsFirst(fs *flag.FlagSet, args []string) []string {
	var options, rest []string
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case args[i] == "--":
			return slices.Concat(options, []string{"--"}, rest, args[i+1:])
		case args[i] == "-" || !strings.HasPrefix(args[i], "-"):
			rest = append(rest, args[i])
			continue
		}
		options = append(options, args[i])
		f := fs.Lookup(name)
		if f == nil || hasValue || i+1 == len(args) {
			continue
		}
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			continue
		}
		i++
		options = append(options, args[i])
	}
	return slices.Concat(options, []string{"--"}, rest)
}

// failed tells the user and gives the exit code.
func failed(e env, err error) int {
	fmt.Fprintln(e.err, "sigillo:", reason(err))
	return exitOf(err)
}
