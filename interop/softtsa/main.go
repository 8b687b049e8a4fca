// Command softtsa serves the time-stamping authority of the product over a key in
// its own memory: the authority, the ledger, the front and the web's way of a
// time-stamp request are the product's, durable before every answer; the vault
// and the token are not there. make bench measures with it what the product could
// do with a device that costs nothing. It is no product: its key is in no HSM, its
// clock is believed, and it ends with the process.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"sigillo/interop/rig"
	"sigillo/store"
	"sigillo/tsa"
	"sigillo/tsa/clock"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
	"sigillo/web"
)

// series is the only row of units.
const series = "soft"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	dir := flag.String("dir", "", "folder of the ledger and the root certificate")
	key := flag.String("key", "p256", "type of the unit's key: p256, rsa2048 or rsa3072")
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	password := flag.String("password", "", "of an account called cliente; none: there is no such account")
	lot := flag.Int64("lot", 1_000_000, "stamps that the account has bought")
	profile := flag.String("cpuprofile", "", "file for a profile of the processor time, written at the end")
	flag.Parse()
	if os.Getenv("GOMAXPROCS") == "" { // as the product does
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "softtsa:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	if err := serve(ctx, *dir, *key, *addr, *password, *lot); err != nil {
		fmt.Fprintln(os.Stderr, "softtsa:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, dir, key, addr, password string, lot int64) error {
	policies := []tsa.Policy{{Name: "default", OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1, 3}, Accuracy: time.Second, Series: series}}
	authority, err := newAuthority(ctx, dir, key, policies)
	if err != nil {
		return err
	}
	index, err := store.Open(ctx, filepath.Join(dir, "index.db"), store.Appliance)
	if err != nil {
		return err
	}
	defer index.Close()
	record, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Index: index})
	if err != nil {
		return err
	}
	defer record.Close()
	book, err := openBook(ctx, index, record, password, lot)
	if err != nil {
		return err
	}
	stamps, err := front.New(front.Config{Backend: authority, Book: book, Ledger: record, Policies: policies, MaxTokenSize: authority.MaxTokenSize})
	if err != nil {
		return err
	}
	srv, err := web.New(web.Config{Signing: nobody{}, Accounts: nobody{}, Stamps: stamps, UnverifiedClock: true,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	return srv.Listen(ctx, addr)
}

// nobody signs here; the web asks for it only on pages that are not used.
type nobody struct {
	web.Signing
	web.Accounts
}

// newAuthority makes the keys and certificates of a root and one unit.
func newAuthority(ctx context.Context, dir, key string, policies []tsa.Policy) (*tsa.Authority, error) {
	gate, err := clock.New(ctx, clock.Config{Mode: clock.Unverified, Accuracy: time.Second})
	if err != nil {
		return nil, err
	}
	go gate.Run(ctx)
	counter := &counter{path: filepath.Join(dir, "counter")}
	authority, err := tsa.NewAuthority(tsa.Config{Policies: policies, Clock: gate, Counter: counter})
	if err != nil {
		return nil, err
	}
	signer, err := rig.NewKey(key)
	if err != nil {
		return nil, err
	}
	root, certificate, err := issue(signer.Public())
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	if err := os.WriteFile(filepath.Join(dir, "root.pem"), text, 0o600); err != nil {
		return nil, err
	}
	// A new process has a new key, which takes a new number.
	number, err := counter.life()
	if err != nil {
		return nil, err
	}
	return authority, authority.Add(tsa.UnitConfig{Name: fmt.Sprintf("soft-%d", number), Number: number, Series: series,
		Signer: signer, Certificate: certificate})
}

// issue makes a root and below it the certificate of a unit.
func issue(pub crypto.PublicKey) (root, unit *x509.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now().Truncate(time.Second)
	make := func(name string, c, issuer *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
		c.Subject = pkix.Name{Country: []string{"IT"}, Organization: []string{"Prova"}, CommonName: name}
		c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.AddDate(10, 0, 0)
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, pub, key)
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if root, err = make("Radice di prova", ca, ca, key.Public()); err != nil {
		return nil, nil, err
	}
	unit, err = make("Marca temporale di prova", &x509.Certificate{SerialNumber: big.NewInt(2), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}},
		root, pub)
	return root, unit, err
}

// counter keeps the serial numbers in a file that is replaced, durably, for each
// block: what the vault does in its database. Calls come one at a time for a unit,
// and there is one unit.
type counter struct{ path string }

// state is the file's text: the process's number, the next number, the promise.
type state struct {
	life, next, until int64
}

func (c *counter) load() (s state, err error) {
	data, err := os.ReadFile(c.path)
	if errors.Is(err, os.ErrNotExist) {
		return state{0, 1, 0}, nil
	}
	if err != nil {
		return s, err
	}
	_, err = fmt.Sscan(string(data), &s.life, &s.next, &s.until)
	return s, err
}

func (c *counter) save(s state) error {
	f, err := os.Create(c.path + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, s.life, s.next, s.until); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(c.path+".new", c.path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(c.path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// life gives the number of this process's unit.
func (c *counter) life() (uint32, error) {
	s, err := c.load()
	if err != nil {
		return 0, err
	}
	s.life++
	s.next, s.until = 1, 0
	return uint32(s.life), c.save(s)
}

// Reserve implements tsa.Counter.
func (c *counter) Reserve(_ context.Context, _ string, n int64, until time.Time) (int64, time.Time, error) {
	s, err := c.load()
	if err != nil {
		return 0, time.Time{}, err
	}
	first, before := s.next, time.Time{}
	if s.until != 0 {
		before = time.Unix(0, s.until)
	}
	s.next, s.until = s.next+n, until.UnixNano()
	return first, before, c.save(s)
}
