package pki

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/hsm"
	"sigillo/store"
)

// fileKeys are keys that outlive the process, as a token's do. Every signature
// is noted, before it is handed out, in a file beside the keys: the witness of
// what was signed.
type fileKeys struct{ dir string }

func (k fileKeys) path(label string) string { return filepath.Join(k.dir, label+".key") }

func (k fileKeys) CreateKey(_ context.Context, label string, _ hsm.KeyType) (crypto.PublicKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(k.path(label)+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(der)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return key.Public(), os.Rename(k.path(label)+".new", k.path(label)) // all or nothing
}

func (k fileKeys) Signer(_ context.Context, label string) (crypto.Signer, error) {
	der, err := os.ReadFile(k.path(label))
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(der)
	return witnessed{key, filepath.Join(k.dir, "witness"), label}, err
}

type witnessed struct {
	crypto.Signer
	witness, label string
}

func (s witnessed) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	f, err := os.OpenFile(s.witness, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%s %x\n", s.label, digest)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return s.Signer.Sign(r, digest, opts)
}

const crashVariable = "PKI_CRASH_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVariable); dir != "" {
		if err := workForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workForEver holds the ceremony, or resumes it, and then issues certificates,
// suspending every other one, and tells of each thing done.
func workForEver(dir string) error {
	ctx, cfg := context.Background(), testConfig()
	cfg.RootKey = hsm.P256
	db, err := store.Open(ctx, filepath.Join(dir, "house.db"), store.Appliance)
	if err != nil {
		return err
	}
	err = Ceremony(ctx, db, fileKeys{dir}, cfg, time.Now, io.Discard)
	if err != nil && KindOf(err) != Exists {
		return err
	}
	fmt.Println("house")
	a, err := Open(ctx, db, fileKeys{dir}, cfg, time.Now)
	if err != nil {
		return err
	}
	if _, err := a.Resolve(ctx); err != nil {
		return err
	}
	key, err := newKey(hsm.P256)
	if err != nil {
		return err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		cert, err := issueOne(ctx, a, request)
		if err != nil {
			return err
		}
		fmt.Println("valid", serialOf(cert))
		if n%2 == 0 {
			continue
		}
		if err := a.Suspend(ctx, serialOf(cert), 6, "crash"); err != nil {
			return err
		}
		fmt.Println("suspended", serialOf(cert))
	}
}

func issueOne(ctx context.Context, a *Authority, request []byte) (*x509.Certificate, error) {
	person := mario()
	person.ID = rand.Text()
	person.Username = person.ID
	err := a.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutHolder(person); err != nil {
			return err
		}
		return tx.PutCredential(store.Credential{ID: "c" + person.ID, Holder: person.ID, Created: time.Now()})
	})
	if err != nil {
		return nil, err
	}
	return a.Issue(ctx, Request{Profile: ProfileSignature, CSR: request, Holder: person, Credential: "c" + person.ID, Actor: "crash"})
}

// The process is killed at random moments, from the ceremony on. Afterwards
// every digest that a key signed belongs to a certificate of the register or to
// a list or answer; what was told as valid or suspended is; no intent is left.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir, told := t.TempDir(), map[string]string{}
	for round := range 10 {
		for _, line := range killDuringWork(t, dir, round) {
			if what, serial, ok := strings.Cut(line, " "); ok {
				told[serial] = what
			}
		}
		checkAfterCrash(t, dir, told)
	}
	if len(told) < 6 {
		t.Fatalf("only %d certificates were issued; the test shows nothing", len(told))
	}
}

func checkAfterCrash(t *testing.T, dir string, told map[string]string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "house.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cfg := testConfig()
	cfg.RootKey = hsm.P256
	if err := Ceremony(t.Context(), db, fileKeys{dir}, cfg, time.Now, io.Discard); err != nil && KindOf(err) != Exists {
		t.Fatal(err)
	}
	h := &house{db: db, clock: &clock{t: time.Now()}}
	if h.Authority, err = Open(t.Context(), db, fileKeys{dir}, cfg, time.Now); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(h.rowsIn(t, store.CertIntent)); n > 0 {
		t.Errorf("%d intents are left", n)
	}
	for serial, what := range told {
		state, err := h.Status(t.Context(), serial)
		// A suspension may have been committed and not told of.
		if err != nil || string(state) != what && state != store.CertSuspended {
			t.Errorf("%s was told as %s and is %q (%v)", serial, what, state, err)
		}
		if state == store.CertSuspended && h.listing(t, serial) == "" && what == "suspended" {
			t.Errorf("%s was told as suspended and is not on the list", serial)
		}
	}
	h.checkWitness(t, dir)
	h.checkJournal(t)
}

// checkWitness counts, for each CA, the signatures it made that are no
// certificate of the register: these can only be lists, and each list used up a
// number.
func (h *house) checkWitness(t *testing.T, dir string) {
	t.Helper()
	witness, err := os.ReadFile(filepath.Join(dir, "witness"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, ca := range authorities {
		var rows []store.Certificate
		err := h.db.Read(t.Context(), func(tx *store.Tx) (err error) {
			rows, err = tx.CertificatesByIssuer(ca)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, r := range rows {
			known[hex.EncodeToString(digest(crypto.SHA256, h.row(t, r.Serial).TBS))] = true
		}
		others := int64(0)
		for line := range strings.Lines(string(witness)) {
			if label, sum, _ := strings.Cut(strings.TrimSpace(line), " "); label == ca && !known[sum] {
				others++
			}
		}
		if numbers := h.listNumbers(t, ca); others > numbers {
			t.Errorf("%s signed %d things that are neither a certificate of the register nor one of %d lists", ca, others-numbers, numbers)
		}
	}
}

// killDuringWork runs the working program and kills it: in the first rounds soon
// after its start, later some time after its first certificate.
func killDuringWork(t *testing.T, dir string, round int) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func(after int) {
		time.AfterFunc(time.Duration(after)*time.Millisecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	}
	if round < 4 {
		kill(60 + mrand.IntN(120))
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if lines = append(lines, scan.Text()); len(lines) == 3 && round >= 4 {
			kill(mrand.IntN(150))
		}
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != -1 {
		t.Fatal("the program ended by itself")
	}
	return lines
}
