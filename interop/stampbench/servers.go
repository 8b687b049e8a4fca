package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"sigillo/interop/rig"
)

// server is a running authority.
type server struct {
	name, floor string // floor: which bare rate bounds it
	addr, path  string
	pid         int
	ours        bool
	stop        func()
}

// missing tells that a server is not measured, and why.
func missing(key, name, why string) (*server, error) {
	fmt.Fprintf(os.Stderr, "%s %s: missing, %s\n", key, name, why)
	return nil, nil
}

// startProduct provisions and serves the product, with a unit of the type of key
// in SoftHSM behind the vault.
func (b *bench) startProduct(ctx context.Context, key string) (*server, error) {
	if b.sigillo == "" {
		return missing(key, "softhsm", "the product was not built")
	}
	a, err := rig.Provision(ctx, b.sigillo, filepath.Join(b.dir, "product-"+key))
	if err != nil {
		return nil, err
	}
	if key != "p256" { // the ceremony's unit has a P-256 key; the newest of a series stamps
		if out, err := a.Consented(ctx, "tsa new-unit", "--key", key); errors.Is(err, os.ErrNotExist) {
			return missing(key, "softhsm", "the product makes units with P-256 keys only")
		} else if err != nil {
			return nil, fmt.Errorf("sigillo tsa new-unit: %w: %s", err, out)
		}
	}
	if err := a.Serve(ctx); err != nil {
		return nil, err
	}
	if err := a.AwaitStamps(ctx); err != nil {
		a.Kill()
		return nil, err
	}
	return &server{name: "softhsm", floor: "softhsm", addr: a.Addr, path: "/tsa", pid: a.PID(), ours: true, stop: func() { _ = a.Stop() }}, nil
}

// startSoft serves the authority, the ledger and the front of the product over a
// key in memory: what the product could do with a device that costs nothing.
func (b *bench) startSoft(ctx context.Context, key string) (*server, error) {
	if b.softtsa == "" {
		return missing(key, "soft", "it was not built")
	}
	dir := filepath.Join(b.dir, "soft-"+key)
	return b.start(ctx, "soft", dir, "/healthz", "/tsa", func(addr string) []string {
		return []string{b.softtsa, "-dir", dir, "-key", key, "-addr", addr}
	})
}

// startSigstore serves sigstore's authority, with a key from a file. Its metrics
// have a fixed port, 2112, so that there can be only one on a machine; it is asked
// to watch no NTP servers, and its log goes where ours goes.
func (b *bench) startSigstore(ctx context.Context, key string) (*server, error) {
	if key != "p256" {
		return nil, nil
	}
	if b.sigstore == "" {
		return missing(key, "sigstore", "timestamp-server was not built")
	}
	dir := filepath.Join(b.dir, "sigstore")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	keyFile, chain := filepath.Join(dir, "key.pem"), filepath.Join(dir, "chain.pem")
	if err := writeIdentity(keyFile, chain); err != nil {
		return nil, err
	}
	s, err := b.start(ctx, "sigstore", dir, "/ping", "/api/v1/timestamp", func(addr string) []string {
		host, port, _ := net.SplitHostPort(addr)
		return []string{b.sigstore, "serve", "--host", host, "--port", port, "--disable-ntp-monitoring", "--log-type", "prod",
			"--timestamp-signer", "file", "--file-signer-key-path", keyFile, "--certificate-chain-path", chain}
	})
	if s != nil {
		s.floor, s.ours = "soft", false
	}
	return s, err
}

// start runs a program that serves on a free port.
func (b *bench) start(ctx context.Context, name, dir, alive, path string, command func(addr string) []string) (*server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	addr, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	args := command(addr)
	p, err := rig.Start(os.DevNull, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	if err := p.Await(ctx, "http://"+addr+alive); err != nil {
		p.Kill()
		return nil, err
	}
	return &server{name: name, floor: name, addr: addr, path: path, pid: p.PID(), ours: true, stop: func() { _ = p.Stop() }}, nil
}

// writeIdentity makes a root and below it a time-stamping unit with a P-256 key:
// what other authorities read from files.
func writeIdentity(keyFile, chainFile string) error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Prova"}, CommonName: "Radice di prova"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"Prova"}, CommonName: "Marca temporale di prova"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	if err := os.WriteFile(keyFile, encode("PRIVATE KEY", keyDER), 0o600); err != nil {
		return err
	}
	return os.WriteFile(chainFile, append(encode("CERTIFICATE", leafDER), encode("CERTIFICATE", rootDER)...), 0o600)
}
