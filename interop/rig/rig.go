// Package rig runs a throw-away appliance in processes of its own, as a user
// would: `sigillo init`, `sigillo serve`, and signals. It is for what looks at the
// product from outside: clients, load, and the crash test.
package rig

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sigillo/interop/load"
)

// startTime is how long a service may take until it answers.
const startTime = 60 * time.Second

// Appliance is an appliance in a folder, and the service while it runs.
type Appliance struct {
	Program string // bin/sigillo
	Dir     string
	Addr    string // host:port on the loopback

	service *Process
}

// Provision makes the appliance, on a free port. It takes some seconds.
func Provision(ctx context.Context, program, dir string) (*Appliance, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	addr, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	a := &Appliance{Program: program, Dir: dir, Addr: addr}
	if out, err := a.Command(ctx, "init", "--listen", addr); err != nil {
		return nil, fmt.Errorf("rig: sigillo init: %w: %s", err, last(out))
	}
	return a, nil
}

// Command runs a command of the program, which may be two words, on the appliance's
// folder and gives what
// it printed.
func (a *Appliance) Command(ctx context.Context, name string, args ...string) ([]byte, error) {
	return a.command(ctx, name, args).CombinedOutput()
}

func (a *Appliance) command(ctx context.Context, name string, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, a.Program, slices.Concat(strings.Fields(name), []string{"--dir", a.Dir}, args)...)
}

// Consented is Command with the passphrase of the time-stamping service on
// standard input, which the ceremony has left in a file.
func (a *Appliance) Consented(ctx context.Context, name string, args ...string) ([]byte, error) {
	passphrase, err := os.ReadFile(filepath.Join(a.Dir, "vault", "tsa-passphrase"))
	if err != nil {
		return nil, err
	}
	cmd := a.command(ctx, name, args)
	cmd.Stdin = strings.NewReader(string(passphrase) + "\n")
	return cmd.CombinedOutput()
}

// Customer makes an account of the time-stamping authority with a prepaid lot, and
// gives its password; the user is called as the account is.
func (a *Appliance) Customer(ctx context.Context, id string, stamps int64) (password string, err error) {
	for _, args := range [][]string{{"tsa account add", id, "--name", "Cliente di prova"}, {"tsa account buy", id, fmt.Sprint(stamps)}} {
		if out, err := a.Command(ctx, args[0], args[1:]...); err != nil {
			return "", fmt.Errorf("rig: sigillo %s: %w: %s", args[0], err, last(out))
		}
	}
	out, err := a.Command(ctx, "tsa account password", id, id)
	if err != nil {
		return "", fmt.Errorf("rig: sigillo tsa account password: %w: %s", err, last(out))
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "password" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("rig: no password: %s", out)
}

// Account is what the authority tells a customer.
type Account struct {
	Used int64  `json:"used"`
	Left *int64 `json:"left"` // nil: they are not counted
}

// AskAccount asks an authority at an address what an account has left.
func AskAccount(ctx context.Context, addr, user, password string) (Account, error) {
	var a Account
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/tsa/account", nil)
	if err != nil {
		return a, err
	}
	q.SetBasicAuth(user, password)
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return a, fmt.Errorf("rig: the account cannot be asked for: %s", answer.Status)
	}
	return a, json.NewDecoder(answer.Body).Decode(&a)
}

// Root is the file with the certificate of the root authority, PEM.
func (a *Appliance) Root() string { return filepath.Join(a.Dir, "root.pem") }

// URL is the address of a path of the service.
func (a *Appliance) URL(path string) string { return "http://" + a.Addr + path }

// Configure changes a line of sigillo.toml: the first that starts with key.
func (a *Appliance) Configure(key, line string) error {
	path := filepath.Join(a.Dir, "sigillo.toml")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, key) {
			lines[i] = line
			return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600)
		}
	}
	return fmt.Errorf("rig: sigillo.toml has no line %s", key)
}

// Serve starts the service and returns when it answers.
func (a *Appliance) Serve(ctx context.Context) error {
	if a.service != nil {
		return errors.New("rig: the service runs already")
	}
	p, err := Start(filepath.Join(a.Dir, "serve.log"), a.Program, "serve", "--dir", a.Dir)
	if err != nil {
		return err
	}
	if err := p.Await(ctx, a.URL("/healthz")); err != nil {
		p.Kill()
		return err
	}
	a.service = p
	return nil
}

// AwaitStamps returns when the authority stamps for whoever asks: its units start
// behind the service, and after a crash a unit waits until the times that it may
// have stated have passed.
func (a *Appliance) AwaitStamps(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	request, err := load.Request(crypto.SHA256, make([]byte, 32), 1<<62)
	if err != nil {
		return err
	}
	for {
		answer, err := post(ctx, a.URL("/tsa"), request)
		if err == nil && load.Token(answer) != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("rig: the authority does not stamp: %v: %q", err, answer)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, url string, body []byte) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/timestamp-query")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, 1<<20))
}

// Stop ends the service as an operator would, and returns when it has ended.
func (a *Appliance) Stop() error {
	if a.service == nil {
		return nil
	}
	defer func() { a.service = nil }()
	return a.service.Stop()
}

// Kill ends the service without a word, and returns when it has ended. Its vault
// sees that and ends by itself.
func (a *Appliance) Kill() {
	if a.service != nil {
		a.service.Kill()
		a.service = nil
	}
}

// PID is the process of the service, 0 when it does not run.
func (a *Appliance) PID() int {
	if a.service == nil {
		return 0
	}
	return a.service.PID()
}

// VaultPID is the process of the vault that the service started, 0 if there is none.
func (a *Appliance) VaultPID() int {
	if a.service == nil {
		return 0
	}
	for _, pid := range load.Family(a.PID()) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if args := bytes.Split(cmdline, []byte{0}); len(args) > 1 && string(args[1]) == "vault" {
			return pid
		}
	}
	return 0
}

// Process is a program that runs until it is ended.
type Process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
	err  error
}

// Start starts a program; what it prints goes to the end of a file.
func Start(log, program string, args ...string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(program, args...), log: f, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	// If we die, it is not to stay behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		f.Close()
		return nil, fmt.Errorf("rig: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		f.Close()
		close(p.done)
	}()
	return p, nil
}

// PID is the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Await returns when a GET of url is answered with status 200, or with an error
// when the program ends before or takes too long.
func (p *Process) Await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if r, err := http.Get(url); err == nil {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("rig: %s ended: %v: %s", p.cmd.Path, p.err, tail(p.log.Name()))
		case <-ctx.Done():
			return fmt.Errorf("rig: %s does not answer at %s: %s", p.cmd.Path, url, tail(p.log.Name()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop asks it to end and waits until it has; after 20 s it is killed.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		p.Kill()
		return fmt.Errorf("rig: %s did not end when asked to", p.cmd.Path)
	}
}

// Kill ends it at once and waits until it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// FreeAddress gives an address of the loopback on which nothing listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// tail gives the end of a file.
func tail(path string) string {
	data, _ := os.ReadFile(path)
	return last(data)
}

// last gives the last lines of a text.
func last(text []byte) string {
	var lines []string
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
