package appliance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing/counter"
	"sigillo/signing/counter/callback"
	"sigillo/store"
	"sigillo/vault"
)

// The counters, where customers sign on tablets, are a room of their own (signing/counter).
// This is what the rest of the appliance does for it.

// counterHouse is the appliance as the counters see it.
type counterHouse struct{ *Appliance }

// Counter configures the counters.
type Counter struct {
	// Consents are the texts that customers consent to, one for each language: files,
	// relative to this folder, whose names say language and version ("it-2.txt"). The
	// first is for languages that none is for. Empty: those of the program.
	Consents []string `toml:"consents,omitempty"`
	// Callbacks are the addresses where applications are told that a session has ended, by
	// the name that they ask for it with.
	Callbacks map[string]Callback `toml:"callbacks,omitempty"`
}

// Callback is an address of an application.
type Callback struct {
	URL string `toml:"url"` // https
	// SecretFile holds what messages are signed with, 32 bytes at least, relative to this
	// folder. Ends of lines at its end do not belong to it.
	SecretFile string `toml:"secret_file"`
}

func (c Counter) check() error {
	for _, name := range c.Consents {
		if id, ok := strings.CutSuffix(filepath.Base(name), ".txt"); !ok || !strings.Contains(id, "-") {
			return fmt.Errorf("appliance: counter.consents: %q is to be named for language and version, as it-2.txt", name)
		}
	}
	for name, b := range c.Callbacks {
		// The secret is looked at when the service starts: it is in a file.
		if err := (callback.Address{URL: b.URL, Secret: make([]byte, callback.MinSecret)}).Check(); err != nil || b.SecretFile == "" || name == "" {
			return fmt.Errorf("appliance: counter.callbacks.%s needs url (https) and secret_file", name)
		}
	}
	return nil
}

// texts are those of the configuration; nil for those of the program.
func (c Counter) texts(dir string) (out []counter.Text, err error) {
	for _, name := range c.Consents {
		b, err := os.ReadFile(inFolder(dir, name))
		if err != nil {
			return nil, fmt.Errorf("appliance: counter.consents: %w", err)
		}
		t, err := counter.NewText(strings.TrimSuffix(filepath.Base(name), ".txt"), string(b))
		if err != nil {
			return nil, fmt.Errorf("appliance: counter.consents: %s: %w", name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// callbacks are the addresses with their secrets.
func (c Counter) callbacks(dir string) (map[string]callback.Address, error) {
	out := map[string]callback.Address{}
	for name, b := range c.Callbacks {
		secret, err := os.ReadFile(inFolder(dir, b.SecretFile))
		if err != nil {
			return nil, fmt.Errorf("appliance: counter.callbacks.%s: %w", name, err)
		}
		a := callback.Address{URL: b.URL, Secret: bytes.TrimRight(secret, "\r\n")}
		if err := a.Check(); err != nil {
			return nil, fmt.Errorf("appliance: counter.callbacks.%s: %w", name, err)
		}
		out[name] = a
	}
	return out, nil
}

func inFolder(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// openCounter puts the counters together.
func (a *Appliance) openCounter() error {
	texts, err := a.Config.Counter.texts(a.Layout.Dir)
	if err != nil {
		return err
	}
	c := counter.Config{DB: a.DB, Vault: a.Vault, Signing: a.Signing, House: counterHouse{a}, Texts: texts, Now: a.opt.Now, Log: a.log}
	if !a.opt.Unattended { // a command opens no session, and has no need of the secrets
		if c.Callbacks, err = a.Config.Counter.callbacks(a.Layout.Dir); err != nil {
			return err
		}
		c.Post = callback.NewClient(nil).Post
	}
	a.Counter = counter.New(c)
	return nil
}

// Certify issues the certificate of a key that a handwritten signature releases.
func (a counterHouse) Certify(ctx context.Context, h store.Holder, c store.Credential, csr []byte, actor string) (string, error) {
	serial, err := a.issue(ctx, h, c, csr, actor)
	return serial, asSigning(err, "the certificate cannot be issued now")
}

// RevokeCredential ends what is left of a key that the vault has destroyed.
func (a counterHouse) RevokeCredential(ctx context.Context, c store.Credential, reason int, actor string) error {
	if c.Certificate != "" {
		err := a.PKI.Revoke(ctx, c.Certificate, reason, actor)
		switch pki.KindOf(err) {
		case "", pki.Conflict: // it is revoked already
		case pki.Unpublished: // durable and in force; the list goes out with the next run
			a.log.Error("a revocation is not on the list yet", "certificate", c.Certificate, "err", err)
		default:
			return fromPKI(err, "the certificate could not be revoked")
		}
	}
	var record vault.Credential
	if err := json.Unmarshal(c.Record, &record); err != nil || len(record.Wrapped) == 0 {
		return nil // erased before
	}
	record.Wrapped, record.MAC = nil, nil
	erased, err := json.Marshal(record)
	if err != nil {
		return err
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetCredentialRecord(c.ID, erased); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: actor, Event: "credential.deleted", Subject: c.ID,
			Detail: map[string]string{"certificate": c.Certificate, "holder": c.Holder}})
	})
	if err != nil {
		return err
	}
	a.erase(ctx)
	return nil
}

// MemberNamed is a member in office by username, not recognised by any factor: for acts
// where the vault itself checks those.
func (a *Appliance) MemberNamed(ctx context.Context, username string) (staff.Member, error) {
	var row store.Staff
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.StaffByUsername(username)
		return err
	})
	if err == nil && row.State != store.StaffActive {
		err = &staff.Error{Kind: staff.NotFound, Msg: "this member is not in office yet"}
	}
	return asMember(row), missing(err, "there is no member of this username")
}
