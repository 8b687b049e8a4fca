package appliance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigillo/audit"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// Init provisions a new appliance in dir and tells what it does on w:
//
//  1. The folder and its configuration. An appliance that is there already is
//     left alone.
//  2. The token: a fresh SoftHSM token in the folder, or the one that
//     cfg.HSM names. The passphrase of the time-stamping service: the one
//     given, or a random one in a file.
//  3. The vault starts in provisioning mode and tests the token; a token that
//     does not enforce what we rely on is refused.
//  4. The key ceremony: root, issuing and time-stamping authorities, the
//     time-stamping unit, the status responders, the journal's key. Its record
//     is written to ceremony.txt.
//  5. The first revocation lists and the first signed checkpoint of the journal.
//
// When a step fails the folder is left as it is, for the cause to be looked
// at; provisioning is begun again with an empty folder.
func Init(ctx context.Context, dir string, cfg Config, opt Options, w io.Writer) error {
	if err := opt.complete(); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	l := Layout{dir}
	if _, err := os.Stat(l.Root()); err == nil { // 1
		return fmt.Errorf("appliance: %s is provisioned already", dir)
	}
	if _, err := os.Stat(l.Config()); err == nil {
		return fmt.Errorf("appliance: %s was left by a provisioning that failed; look into it, remove it, and try again", dir)
	}
	for _, d := range []string{dir, l.VaultDir(), l.Documents()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("appliance: %w", err)
		}
	}
	cfg.HSM.Node = "node-" + randomPIN()[:16]
	if cfg.HSM.PINFile == "" { // 2
		fmt.Fprintln(w, "Token       a fresh SoftHSM token in", l.VaultDir())
		if err := softToken(ctx, opt.Executable, l, &cfg); err != nil {
			return err
		}
	}
	if len(opt.Passphrase) == 0 {
		if opt.Passphrase, err = randomPassphrase(l, &cfg); err != nil {
			return err
		}
	}
	defer clear(opt.Passphrase)
	if err := cfg.Check(); err != nil {
		return err
	}
	a := &Appliance{Config: cfg, Layout: l, opt: opt, log: opt.Log}
	defer a.Close()
	return a.provision(ctx, w)
}

func (a *Appliance) provision(ctx context.Context, w io.Writer) error {
	if err := a.Config.Save(a.Layout.Dir); err != nil {
		return err
	}
	if err := a.startVault(true); err != nil { // 3
		return err
	}
	report, err := a.Vault.SelfTest(ctx)
	if err != nil {
		return fmt.Errorf("appliance: the token is refused: %w", err)
	}
	fmt.Fprintf(w, "Self-test   %d checks of the token passed\n", len(report.Checks))
	if a.DB, err = store.Open(ctx, a.Layout.Database(), store.Appliance); err != nil {
		return err
	}
	a.journal = audit.New(a.DB, a.opt.Now)
	if err := a.ceremony(ctx, w); err != nil { // 4
		return err
	}
	if err := a.PKI.PublishCRLs(ctx); err != nil { // 5
		return err
	}
	if err := a.checkpoint(ctx); err != nil {
		return err
	}
	// The root's file is written last: it is what marks the folder as
	// provisioned, and what others need in order to trust our signatures.
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.PKI.CA(rootCA).Raw})
	if err := os.WriteFile(a.Layout.Root(), root, 0o644); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	fmt.Fprintln(w, "Provisioned", a.Layout.Dir)
	return nil
}

func (a *Appliance) ceremony(ctx context.Context, w io.Writer) error {
	record, err := os.OpenFile(a.Layout.Record(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	defer record.Close()
	keys := ceremonyKeys{a.Vault, a.opt.Passphrase}
	if err := a.Vault.SetPassphrase(ctx, vault.PassphraseChange{Operator: "ceremony", New: bytes.Clone(keys.passphrase)}); err != nil {
		return err
	}
	if err := pki.Ceremony(ctx, a.DB, keys, a.pkiConfig(), a.opt.Now, record); err != nil {
		return err
	}
	if err := record.Sync(); err != nil {
		return err
	}
	if a.PKI, err = pki.Open(ctx, a.DB, a.Vault, a.pkiConfig(), a.opt.Now); err != nil {
		return err
	}
	fmt.Fprintln(w, "Ceremony    root, issuing and time-stamping authorities; record in", a.Layout.Record())
	if err := a.startFirstUnit(ctx, keys); err != nil {
		return err
	}
	return a.firstLedger(ctx)
}

// firstLedger makes the record of time-stamps with its index, so that commands can
// look into it before anything was stamped.
func (a *Appliance) firstLedger(ctx context.Context) error {
	index, err := store.Open(ctx, a.Layout.StampIndex(), store.Appliance)
	if err != nil {
		return err
	}
	defer index.Close()
	l, err := ledger.Open(a.Layout.Ledger(), ledger.Options{Index: index})
	if err != nil {
		return err
	}
	return l.Close()
}

// softToken makes a SoftHSM token inside the appliance's folder with a random
// PIN that only the vault reads.
func softToken(ctx context.Context, exe string, l Layout, cfg *Config) error {
	if _, err := os.Stat(cfg.HSM.Module); err != nil {
		return fmt.Errorf("appliance: the PKCS#11 module %s is missing; install the package softhsm2 or name another module", cfg.HSM.Module)
	}
	tokens, conf := filepath.Join(l.VaultDir(), "tokens"), filepath.Join(l.VaultDir(), "softhsm2.conf")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	pin := randomPIN()
	cfg.HSM.Environment = []string{"SOFTHSM2_CONF=" + conf}
	cfg.HSM.PINFile = filepath.Join(l.VaultDir(), "pin")
	if err := os.WriteFile(cfg.HSM.PINFile, []byte(pin), 0o600); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	if err := cfg.Save(l.Dir); err != nil {
		return err
	}
	// The PINs travel on standard input: arguments and environment can be read
	// by others. Loading the module is the vault program's business alone.
	cmd := exec.CommandContext(ctx, exe, "vault", "--dir", l.Dir, "--init-token")
	cmd.Env = cfg.HSM.Environment
	cmd.Stdin = strings.NewReader(randomPIN() + "\n" + pin + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("appliance: the token could not be made: %w: %s", err, out)
	}
	return nil
}

// randomPassphrase keeps a random passphrase of the time-stamping service in a
// file that the vault reads: the units start without anybody.
func randomPassphrase(l Layout, cfg *Config) ([]byte, error) {
	passphrase := []byte(randomPIN())
	cfg.TSA.PassphraseFile = filepath.Join(l.VaultDir(), "tsa-passphrase")
	if err := os.WriteFile(cfg.TSA.PassphraseFile, passphrase, 0o600); err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	return passphrase, nil
}

func randomPIN() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
