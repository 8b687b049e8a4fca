package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sigillo/vault"
)

// ReplacePassphrase replaces the passphrase of the time-stamping service, and what
// the passphrase file holds, if there is one: an operator who has removed it wants
// to type. It returns the file's path then. The new file is on the disk under its
// path with ".new" before the vault is asked, and gets its name after; should the
// machine fail between the two, the operator finds it there. Both passphrases are
// wiped.
func (a *Appliance) ReplacePassphrase(ctx context.Context, operator string, old, fresh []byte) (file string, err error) {
	defer clear(old)
	defer clear(fresh)
	change := vault.PassphraseChange{Operator: operator, Old: old, New: bytes.Clone(fresh)} // the client wipes what it sends
	path := a.Config.TSA.PassphraseFile
	if _, err := os.Stat(path); path == "" || errors.Is(err, fs.ErrNotExist) {
		return "", a.Vault.SetPassphrase(ctx, change)
	}
	next := path + ".new"
	if err := writeSecret(next, fresh); err != nil {
		return "", err
	}
	switch err := a.Vault.SetPassphrase(ctx, change); {
	case vault.KindOf(err) == vault.Unavailable: // it may have done so all the same
		return "", fmt.Errorf("%w; if the new passphrase is good already, give %s the name %s", err, next, path)
	case err != nil:
		return "", errors.Join(err, os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return "", err
	}
	return path, syncDir(filepath.Dir(path))
}

// writeSecret writes a file that only its owner reads, durably. What an earlier try
// has left is replaced.
func writeSecret(path string, b []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = sameOwner(f, filepath.Dir(path))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncDir(filepath.Dir(path))
}

// sameOwner gives a file to the owner of its folder, who is to read it: the vault's
// user, where that is another one.
func sameOwner(f *os.File, dir string) error {
	st, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	own := st.Sys().(*syscall.Stat_t)
	return f.Chown(int(own.Uid), int(own.Gid))
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
