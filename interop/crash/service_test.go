package crash

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sigillo/interop/rig"
)

// build makes one of our programs.
func build(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", pkg, err, out)
	}
	return path
}

// The customer whose stamps are counted, of both.
const (
	customer = "cliente"
	bought   = 50_000_000
)

// basic is the header of HTTP Basic.
func basic(password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(customer+":"+password)) + "\r\n"
}

// left asks as a customer does.
func left(addr, password string) (int64, error) {
	a, err := rig.AskAccount(ctx, addr, customer, password)
	if err != nil {
		return 0, err
	}
	if a.Left == nil || *a.Left+a.Used != bought {
		return 0, fmt.Errorf("of %d stamps the account has %v left and %d used", int64(bought), a.Left, a.Used)
	}
	return *a.Left, nil
}

// product is an appliance.
type product struct {
	*rig.Appliance
	password string
}

// newProduct provisions and serves one. The test is skipped where the token is missing.
func newProduct(t *testing.T) product {
	t.Helper()
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		t.Skipf("missing the Debian package softhsm2: no PKCS#11 module at %s", module)
	}
	a, err := rig.Provision(t.Context(), build(t, "sigillo/cmd/sigillo"), filepath.Join(t.TempDir(), "appliance"))
	if err != nil {
		t.Fatal(err)
	}
	password, err := a.Customer(t.Context(), customer, bought)
	if err == nil {
		err = a.Serve(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Kill)
	return product{a, password}
}

func (p product) victims() []string { return []string{"vault", "service", "both"} }
func (p product) stop() error       { return p.Stop() }
func (p product) addr() string      { return p.Addr }
func (p product) header() string    { return basic(p.password) }
func (p product) log() string       { return end(filepath.Join(p.Dir, "serve.log")) }

func (p product) left() (int64, error) { return left(p.Addr, p.password) }

func (p product) kill(victim string) error {
	if victim != "service" {
		pid, err := p.vault()
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("killing the vault, process %d: %w", pid, err)
		}
	}
	if victim == "vault" {
		return nil
	}
	p.Kill()
	return p.Serve(ctx)
}

// vault gives the process of the vault, which may be starting.
func (p product) vault() (int, error) {
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(pollTime) {
		if pid := p.VaultPID(); pid != 0 {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("there is no vault after %s", patience)
}

// soft is softtsa with a customer who has bought stamps.
type soft struct {
	program, dir, address string
	process               *rig.Process
}

const password = "parola di prova"

func newSoft(t *testing.T) *soft {
	t.Helper()
	address, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s := &soft{program: build(t, "sigillo/interop/softtsa"), dir: t.TempDir(), address: address}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.process.Kill() })
	return s
}

func (s *soft) start() (err error) {
	s.process, err = rig.Start(s.logFile(), s.program, "-dir", s.dir, "-addr", s.address, "-password", password, "-lot", fmt.Sprint(bought))
	if err != nil {
		return err
	}
	return s.process.Await(ctx, "http://"+s.address+"/healthz")
}

func (s *soft) victims() []string { return []string{"service"} }
func (s *soft) stop() error       { return s.process.Stop() }
func (s *soft) addr() string      { return s.address }
func (s *soft) logFile() string   { return filepath.Join(s.dir, "serve.log") }
func (s *soft) log() string       { return end(s.logFile()) }

func (s *soft) header() string       { return basic(password) }
func (s *soft) left() (int64, error) { return left(s.address, password) }

func (s *soft) kill(string) error {
	s.process.Kill()
	return s.start()
}

// end gives the end of a file.
func end(path string) string {
	data, _ := os.ReadFile(path)
	return string(data[max(0, len(data)-3000):])
}
