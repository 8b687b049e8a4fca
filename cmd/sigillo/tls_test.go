package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa/accounts"
	"sigillo/web"
)

// A customer of the time-stamping authority is known by the certificate that the
// TLS handshake has proved, and somebody else's says nothing.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	pki := cmstest.New(t)
	face := webConfig(h.Appliance)
	face.Log = quiet()
	srv, err := web.New(face)
	if err != nil {
		t.Fatal(err)
	}
	server := pki.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "server"},
		DNSNames: []string{"sigillo.test"}, KeyUsage: x509.KeyUsageDigitalSignature})
	cert, key := pemFiles(t, server)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tlsListener(plain, cert, key, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ctx, ln, nil) }()
	defer func() { cancel(); <-done }()

	if err := h.Customers.Create(t.Context(), "anna", "acme", accounts.Terms{Name: "Acme", Unlimited: true}); err != nil {
		t.Fatal(err)
	}
	acme, stranger := pki.Signer(t, "p256"), pki.Signer(t, "p256")
	if _, err := h.Customers.AddCertificate(t.Context(), "anna", "acme", "server 1", acme.Certificate, false, acme.Certificate.NotAfter); err != nil {
		t.Fatal(err)
	}
	for account, id := range map[string]*cmstest.Identity{"acme": acme, accounts.Anonymous: stranger} {
		before := h.Ledger.Used(account)
		stampOverTLS(t, ln.Addr().String(), pki, id)
		if n := h.Ledger.Used(account) - before; n != 1 {
			t.Errorf("%s has used %d stamps, not 1", account, n)
		}
	}
}

func stampOverTLS(t *testing.T, addr string, pki *cmstest.PKI, id *cmstest.Identity) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(pki.CA)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "sigillo.test",
		Certificates: []tls.Certificate{{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key}}}}}
	defer client.CloseIdleConnections()
	sum := sha256.Sum256([]byte("documento"))
	request, err := cms.MarshalTimestampRequest(crypto.SHA256, sum[:], nil, true)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Post("https://"+addr+"/tsa", "application/timestamp-query", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := cms.ParseResponse(body); err != nil || r.Refusal != nil {
		t.Fatalf("%v, %v", err, r)
	}
}

func pemFiles(t *testing.T, id *cmstest.Identity) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{cert: cmstest.PEM(id.Certificate), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
