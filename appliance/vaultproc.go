package appliance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sigillo/hsm"
	"sigillo/vault"
)

// RunVault is the body of `sigillo vault`: the one process that loads the
// PKCS#11 module and knows the token's PIN. It serves until ctx ends; ready is
// called once its socket answers.
func RunVault(ctx context.Context, dir string, provision bool, ready func()) error {
	cfg, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	backend, err := cfg.TSA.backend()
	if err != nil {
		return err
	}
	if err := cfg.HSM.environment(); err != nil {
		return err
	}
	peers, err := cfg.vaultPeers(dir)
	if err != nil {
		return err
	}
	messages, stop, err := cfg.startCourier(dir)
	if err != nil {
		return err
	}
	defer stop()
	rpID, origins := cfg.RelyingParty()
	l := Layout{dir}
	return vault.Serve(ctx, vault.Config{Socket: l.Socket(), StateDB: l.VaultDB(), Module: cfg.HSM.Module,
		Arguments: cfg.HSM.Arguments, Token: cfg.HSM.Token, PINFile: cfg.HSM.PINFile, Node: cfg.HSM.Node, Provision: provision, TSA: backend,
		Peers: peers, Confine: true, Network: cfg.HSM.Network, Files: cfg.HSM.Files,
		Courier: messages, Breached: l.within(cfg.BreachedPasswords), RPID: rpID, Origins: origins, Signatures: cfg.Signatures.Policy,
		Impostors: cfg.Signatures.Impostors}, ready)
}

// environment gives the module what it reads from there, also when somebody starts
// the vault by hand. The module is loaded after this.
func (h HSM) environment() error {
	for _, e := range h.Environment {
		name, value, ok := strings.Cut(e, "=")
		if !ok {
			return fmt.Errorf("appliance: hsm.environment: %q is not NAME=VALUE", e)
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("appliance: hsm.environment: %q: %w", e, err)
		}
	}
	return nil
}

// InitToken is the body of `sigillo vault --init-token`: it makes a token with
// the security officer's PIN and the user's PIN read from r, a line each.
func InitToken(dir string, r io.Reader) error {
	cfg, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	if err := cfg.HSM.environment(); err != nil {
		return err
	}
	lines := bufio.NewScanner(io.LimitReader(r, 1024))
	var pins [2][]byte
	for i := range pins {
		if !lines.Scan() || len(lines.Bytes()) < 4 {
			return errors.New("appliance: give the security officer's PIN and the user's PIN on standard input, a line each")
		}
		pins[i] = append([]byte(nil), lines.Bytes()...)
		defer clear(pins[i])
	}
	if err := hsm.InitToken(hsm.Config{Module: cfg.HSM.Module, Arguments: cfg.HSM.Arguments, Token: cfg.HSM.Token, PIN: pins[1]}, pins[0]); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	return nil
}

// SelfTest has a token tried: the one of the appliance in dir, or, if other names a
// module, that one, for which there need be no appliance. Kind Unsupported of package
// hsm, with the report, if it is not fit for holders' keys.
func SelfTest(ctx context.Context, dir string, other HSM) (hsm.Report, error) {
	if other.Module == "" {
		cfg, err := LoadConfig(dir)
		if err != nil {
			return hsm.Report{}, err
		}
		other = cfg.HSM
	}
	if err := other.environment(); err != nil {
		return hsm.Report{}, err
	}
	pin, err := os.ReadFile(other.PINFile)
	if err != nil {
		return hsm.Report{}, fmt.Errorf("appliance: the file with the token's PIN: %w", err)
	}
	defer clear(pin)
	t, err := hsm.Open(hsm.Config{Module: other.Module, Arguments: other.Arguments, Token: other.Token, PIN: bytes.TrimRight(pin, "\r\n")})
	if err != nil {
		return hsm.Report{}, err
	}
	report, err := t.SelfTest(ctx)
	return report, errors.Join(err, t.Close())
}

// VaultStatus asks the running vault of the appliance in dir how it is.
func VaultStatus(ctx context.Context, dir string) (vault.Status, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return vault.Status{}, err
	}
	if _, err := LoadConfig(dir); err != nil {
		return vault.Status{}, err
	}
	c := vault.Dial(Layout{dir}.Socket())
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, patience/asks)
	defer cancel()
	return c.Status(ctx)
}
