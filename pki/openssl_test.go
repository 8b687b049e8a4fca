package pki

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigillo/hsm"
)

// OpenSSL as a second opinion.

type files struct {
	dir string
	t   *testing.T
}

func needOpenSSL(t *testing.T) files {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("the program openssl is missing (package openssl)")
	}
	return files{t.TempDir(), t}
}

func (f files) cert(name string, certs ...*x509.Certificate) string {
	var b []byte
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return f.write(name, b)
}

func (f files) crl(name string, ders ...[]byte) string {
	var b []byte
	for _, der := range ders {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return f.write(name, b)
}

func (f files) write(name string, b []byte) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// openssl runs a command and returns all it says, and whether it ended well.
func (f files) openssl(args ...string) (string, bool) {
	f.t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	return string(out), err == nil
}

func wantText(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

func TestOpenSSLVerify(t *testing.T) {
	t.Parallel()
	f, h := needOpenSSL(t), newHouse(t, testConfig())
	cert := h.issue(t, "1")
	root, chain := f.cert("root.pem", h.Roots()...), f.cert("chain.pem", h.CA(IssuingCA), h.CA(TSACA))
	verify := func(c *x509.Certificate, more ...string) (string, bool) {
		args := append([]string{"verify", "-x509_strict", "-check_ss_sig", "-CAfile", root, "-untrusted", chain}, more...)
		return f.openssl(append(args, f.cert("leaf.pem", c))...)
	}
	for what, c := range map[string]*x509.Certificate{"holder": cert, "responder": h.CA(OCSPIssuing), "root": h.CA(RootCA), "CA": h.CA(IssuingCA)} {
		if out, ok := verify(c); !ok {
			t.Errorf("%s: %s", what, out)
		}
	}
	if out, ok := verify(h.CA(TSU), "-purpose", "timestampsign"); !ok {
		t.Errorf("unit: %s", out)
	}
	lists := func() string {
		all, err := h.CRLs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f.crl("all.crl", all...)
	}
	if out, ok := verify(cert, "-crl_check_all", "-CRLfile", lists()); !ok {
		t.Errorf("with lists: %s", out)
	}
	if err := h.Suspend(t.Context(), serialOf(cert), 6, "ra"); err != nil {
		t.Fatal(err)
	}
	if out, ok := verify(cert, "-crl_check_all", "-CRLfile", lists()); ok || !strings.Contains(out, "certificate revoked") {
		t.Errorf("suspended: %s", out)
	}
	if err := h.Reactivate(t.Context(), serialOf(cert), 0, "ra"); err != nil {
		t.Fatal(err)
	}
	if out, ok := verify(cert, "-crl_check_all", "-CRLfile", lists()); !ok {
		t.Errorf("reactivated: %s", out)
	}
}

func TestOpenSSLText(t *testing.T) {
	t.Parallel()
	f, h := needOpenSSL(t), newHouse(t, qualifiedConfig())
	cert := h.issue(t, "1")
	text, _ := f.openssl("x509", "-in", f.cert("c.pem", cert), "-noout", "-text", "-nameopt", "utf8,sep_comma_plus_space,sname")
	wantText(t, text,
		`Version: 3`, `Signature Algorithm: ecdsa-with-SHA256`,
		`serialNumber=TINIT-RSSMRA85T10A562S, GN=Mario, SN=Rossi, CN=Mario Rossi, dnQualifier=h-1`,
		`X509v3 Key Usage: critical\s+Non Repudiation\n`,
		`Policy: 0\.4\.0\.194112\.1\.2\n`, `Policy: 1\.3\.76\.16\.6\n`, `Policy: 2\.999\.1\.1\n\s+CPS: http://localhost:8080/cps`,
		`OCSP - URI:http://localhost:8080/ocsp/issuing-ca`, `CA Issuers - URI:http://localhost:8080/certs/issuing-ca.crt`,
		`URI:http://localhost:8080/crl/issuing-ca.crl`, `qcStatements`)
	unit, _ := f.openssl("x509", "-in", f.cert("u.pem", h.CA(TSU)), "-noout", "-text")
	wantText(t, unit, `X509v3 Extended Key Usage: critical\s+Time Stamping\n`, `X509v3 Private Key Usage Period:\s+Not Before: .*, Not After: `,
		`Digital Signature, Non Repudiation`)
	responder, _ := f.openssl("x509", "-in", f.cert("o.pem", h.CA(OCSPTSA)), "-noout", "-text")
	wantText(t, responder, `OCSP Signing`, `OCSP No Check`)
	ca, _ := f.openssl("x509", "-in", f.cert("i.pem", h.CA(IssuingCA)), "-noout", "-text")
	wantText(t, ca, `CA:TRUE, pathlen:0`, `Certificate Sign, CRL Sign`, `ecdsa-with-SHA384`)

	if err := h.Suspend(t.Context(), serialOf(cert), 6, "ra"); err != nil {
		t.Fatal(err)
	}
	der, err := h.CRL(t.Context(), IssuingCA)
	if err != nil {
		t.Fatal(err)
	}
	list, ok := f.openssl("crl", "-in", f.crl("l.pem", der), "-noout", "-text", "-CAfile", f.cert("i.pem", h.CA(IssuingCA)))
	if !ok || !strings.Contains(list, "verify OK") {
		t.Errorf("%s", list)
	}
	wantText(t, list, `Version 2`, `X509v3 CRL Number`, `X509v3 Authority Key Identifier`, `Certificate Hold`,
		fmt.Sprintf("Serial Number: %X", cert.SerialNumber.Bytes()))
}

// openssl ocsp asks over HTTP, with a nonce, and checks the answer.
func TestOpenSSLOCSP(t *testing.T) {
	t.Parallel()
	f := needOpenSSL(t)
	for name, cfg := range map[string]Config{"P-256": testConfig(), "RSA house": func() Config {
		c := testConfig()
		c.RootKey, c.CAKey = hsm.RSA2048, hsm.RSA2048
		return c
	}()} {
		h := newHouse(t, cfg)
		cert := h.issue(t, "1")
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(io.LimitReader(r.Body, maxOCSPRequest+1))
			w.Header().Set("Content-Type", "application/ocsp-response")
			_, _ = w.Write(h.OCSP(r.Context(), strings.TrimPrefix(r.URL.Path, "/ocsp/"), body))
		}))
		t.Cleanup(srv.Close)
		root, issuer := f.cert("root.pem", h.Roots()...), f.cert("issuer.pem", h.CA(IssuingCA))
		leaf := f.cert("leaf.pem", cert)
		ask := func(digest string, more ...string) string {
			args := append([]string{"ocsp", digest, "-issuer", issuer, "-cert", leaf, "-url", srv.URL + "/ocsp/issuing-ca",
				"-CAfile", root, "-verify_other", issuer, "-text"}, more...)
			out, _ := f.openssl(args...)
			if strings.Contains(out, "WARNING") || !strings.Contains(out, "Response verify OK") {
				t.Errorf("%s: %s", name, out)
			}
			return out
		}
		wantText(t, ask("-sha1"), `leaf.pem: good`, `OCSP Nonce`, `OCSP Archive Cutoff`)
		wantText(t, ask("-sha256"), `leaf.pem: good`, `Hash Algorithm: sha256`)
		if err := h.Suspend(context.Background(), serialOf(cert), 6, "ra"); err != nil {
			t.Fatal(err)
		}
		wantText(t, ask("-sha1"), `leaf.pem: revoked`, `Reason: certificateHold`)
		if err := h.Revoke(context.Background(), serialOf(cert), 1, "ra"); err != nil {
			t.Fatal(err)
		}
		wantText(t, ask("-sha1"), `leaf.pem: revoked`, `Reason: keyCompromise`)
		wantText(t, ask("-sha1", "-serial", "4711"), `4711: unknown`)
	}
}
