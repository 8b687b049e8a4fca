package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// outsidePKI gives the scripts an authority of somebody else: root.pem, ca.pem,
// their lists root.crl and, on-line only, ca.crl; keys and certificates of
// signers, and in $TSA the address of a time-stamping authority.
func outsidePKI(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		p := cmstest.New(t)
		now := time.Now().Truncate(time.Second)
		tsu := p.TSU(t, "p256")
		mux := http.NewServeMux()
		mux.HandleFunc("/tsa", func(w http.ResponseWriter, r *http.Request) { answer(t, w, r, tsu) })
		mux.HandleFunc("/ca.crl", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(p.CRL(t, tsu.Certificate, now, now.Add(time.Hour)))
		})
		srv := httptest.NewServer(mux)
		ts.Defer(srv.Close)
		ts.Setenv("TSA", srv.URL+"/tsa")
		write := func(name string, data []byte) { ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600)) }
		write("root.pem", cmstest.PEM(p.Root))
		write("ca.pem", cmstest.PEM(p.CA))
		write("root.crl", p.CRL(t, p.CA, now, now.Add(time.Hour)))
		write("ca.crl", p.CRL(t, tsu.Certificate, now, now.Add(time.Hour)))
		for _, kind := range []string{"p256", "p384", "rsa2048", "ed25519"} {
			id := p.Identity(t, cmstest.Key(t, kind), &x509.Certificate{KeyUsage: x509.KeyUsageContentCommitment,
				Subject: pkix.Name{Country: []string{"IT"}, CommonName: "Dora Prova"}, CRLDistributionPoints: []string{srv.URL + "/ca.crl"}})
			key, err := x509.MarshalPKCS8PrivateKey(id.Key)
			ts.Check(err)
			write(kind+".pem", cmstest.PEM(id.Certificate))
			write(kind+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
		}
	}
}

// clientCertificates gives the scripts certificates of a client: good.pem, early.pem
// whose time is to come, ended.pem whose time is over.
func clientCertificates(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		p, now := cmstest.New(t), time.Now()
		for name, days := range map[string][2]int{"good.pem": {-1, 1}, "early.pem": {1, 2}, "ended.pem": {-2, -1}} {
			id := p.Identity(t, cmstest.Key(t, "p256"), &x509.Certificate{Subject: pkix.Name{CommonName: "Cliente"},
				NotBefore: now.AddDate(0, 0, days[0]), NotAfter: now.AddDate(0, 0, days[1])})
			ts.Check(os.WriteFile(ts.MkAbs(name), cmstest.PEM(id.Certificate), 0o600))
		}
	}
}

// answer is a small time-stamping authority.
func answer(t *testing.T, w http.ResponseWriter, r *http.Request, tsu *cmstest.Identity) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	req, refusal := cms.ParseTimestampRequest(body)
	if refusal != nil {
		_, _ = w.Write(cms.MarshalRefusal(*refusal))
		return
	}
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	p, err := cms.PrepareToken(&cms.TSTInfo{Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Hash: req.Hash, Imprint: req.Imprint,
		SerialNumber: serial, GenTime: time.Now(), Accuracy: time.Second, Nonce: req.Nonce}, tsu.Options(crypto.SHA256))
	if err != nil {
		t.Error(err)
		return
	}
	token, err := p.Assemble(tsu.Sign(t, p), nil)
	if err != nil {
		t.Error(err)
	}
	_, _ = w.Write(cms.MarshalResponse(token))
}

// exits runs a command that must end with a code: exits 2 sigillo verify …
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d (%v)", got, want, err)
	}
}

// flip changes one bit of a file: flip FILE OFFSET
func flip(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
