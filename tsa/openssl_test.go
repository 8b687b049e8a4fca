package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

var policy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 1}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

func request(t testing.TB, h crypto.Hash, data []byte, certReq bool) []byte {
	t.Helper()
	req, err := cms.MarshalTimestampRequest(h, digest(h, data), big.NewInt(0x1234567890), certReq)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func openssl(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// openssl ts makes the query and judges the answer, for each key and digest, with
// and without certificates in the token; digitorus/timestamp is asked too.
func TestOpenSSLAcceptsAnswers(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, c := range []struct {
		key  string
		pss  bool
		hash crypto.Hash
		cert bool
	}{
		{"p256", false, crypto.SHA256, true},
		{"p256", false, crypto.SHA512, false},
		{"p384", false, crypto.SHA384, true},
		{"rsa2048", false, crypto.SHA256, true},
		{"rsa3072", false, crypto.SHA512, true},
		{"rsa2048", true, crypto.SHA256, true},
	} {
		t.Run(fmt.Sprintf("%s/%v/%v/%v", c.key, c.pss, c.hash, c.cert), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			id := pki.TSU(t, c.key)
			a := newAuthority(t, wall{}, &counters{})
			cfg := unitConfig(id, "tsu", 1)
			cfg.PSS = c.pss
			add(t, a, cfg)
			save(t, dir, "root.pem", cmstest.PEM(pki.Root))
			save(t, dir, "tsu.pem", cmstest.PEM(id.Certificate, pki.CA))
			save(t, dir, "doc", []byte("documento"))
			save(t, dir, "other", []byte("altro"))
			name := strings.ReplaceAll(strings.ToLower(c.hash.String()), "-", "")
			query := []string{"ts", "-query", "-data", "doc", "-" + name, "-tspolicy", policy.String(), "-out", "req"}
			if c.cert {
				query = append(query, "-cert")
			}
			if out, err := openssl(t, dir, query...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			req, err := os.ReadFile(filepath.Join(dir, "req"))
			if err != nil {
				t.Fatal(err)
			}
			resp := a.Respond(context.Background(), req)
			save(t, dir, "resp", resp)
			verify := []string{"ts", "-verify", "-in", "resp", "-CAfile", "root.pem", "-untrusted", "tsu.pem"}
			if c.pss { // openssl ts does not know PSS, openssl cms does
				checkTokenAsCMS(t, dir, resp)
				return
			}
			for _, with := range [][]string{{"-queryfile", "req"}, {"-data", "doc"}} {
				if out, err := openssl(t, dir, append(verify, with...)...); err != nil || !strings.Contains(out, "Verification: OK") {
					t.Fatalf("openssl refused the answer %v: %v\n%s", with, err, out)
				}
			}
			if out, err := openssl(t, dir, append(verify, "-data", "other")...); err == nil {
				t.Fatalf("openssl accepted other data\n%s", out)
			}
			text, err := openssl(t, dir, "ts", "-reply", "-in", "resp", "-text")
			if err != nil || !strings.Contains(text, "Policy OID: "+policy.String()) || !strings.Contains(text, "unspecified seconds, 0x01F4 millis") {
				t.Fatalf("openssl reads the answer as: %v\n%s", err, text)
			}
			checkDigitorus(t, resp, c.hash)
		})
	}
}

// Tokens under the other policies: openssl verifies them and shows the statement of
// a qualified one; digitorus/timestamp reads that one as qualified too.
func TestOpenSSLAcceptsPolicies(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.TSU(t, "p256")
	a := newAuthority(t, wall{}, &counters{})
	add(t, a, unitConfig(id, "tsu", 1))
	for _, c := range []struct {
		policy asn1.ObjectIdentifier
		digest string
		shows  string
	}{
		{policyQualified, "sha256", "Extensions:\nqcStatements"},
		{policyOld, "sha1", "Hash Algorithm: sha1"},
		{policySHA3, "sha3-256", "Hash Algorithm: sha3-256"},
	} {
		dir := t.TempDir()
		save(t, dir, "root.pem", cmstest.PEM(pki.Root))
		save(t, dir, "tsu.pem", cmstest.PEM(id.Certificate, pki.CA))
		save(t, dir, "doc", []byte("documento"))
		if out, err := openssl(t, dir, "ts", "-query", "-data", "doc", "-"+c.digest, "-tspolicy", c.policy.String(), "-cert", "-out", "req"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		req, err := os.ReadFile(filepath.Join(dir, "req"))
		if err != nil {
			t.Fatal(err)
		}
		resp := a.Respond(context.Background(), req)
		save(t, dir, "resp", resp)
		out, err := openssl(t, dir, "ts", "-verify", "-in", "resp", "-CAfile", "root.pem", "-untrusted", "tsu.pem", "-queryfile", "req")
		if err != nil || !strings.Contains(out, "Verification: OK") {
			t.Fatalf("openssl refused a token of %v: %v\n%s", c.policy, err, out)
		}
		text, err := openssl(t, dir, "ts", "-reply", "-in", "resp", "-text")
		if err != nil || !strings.Contains(text, "Policy OID: "+c.policy.String()) || !strings.Contains(text, c.shows) {
			t.Errorf("openssl reads a token of %v as: %v\n%s", c.policy, err, text)
		}
		if c.digest != "sha256" { // digitorus knows no others
			continue
		}
		digitorus.Lock()
		ts, err := timestamp.ParseResponse(resp)
		digitorus.Unlock()
		if err != nil || ts.Qualified != c.policy.Equal(policyQualified) {
			t.Errorf("digitorus/timestamp reads a token of %v as %+v, %v", c.policy, ts, err)
		}
	}
}

func checkTokenAsCMS(t *testing.T, dir string, resp []byte) {
	t.Helper()
	r, err := cms.ParseResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "token", r.Token)
	out, err := openssl(t, dir, "cms", "-verify", "-cades", "-inform", "DER", "-in", "token", "-CAfile", "root.pem", "-purpose", "timestampsign", "-out", "info")
	if err != nil || !strings.Contains(out, "Verification successful") {
		t.Fatalf("openssl refused the token: %v\n%s", err, out)
	}
}

// digitorus: the library counts the depth it prints at in a global variable.
var digitorus sync.Mutex

func checkDigitorus(t *testing.T, resp []byte, h crypto.Hash) {
	t.Helper()
	digitorus.Lock()
	ts, err := timestamp.ParseResponse(resp)
	digitorus.Unlock()
	if err != nil {
		t.Fatalf("digitorus/timestamp refused the answer: %v", err)
	}
	if !bytes.Equal(ts.HashedMessage, digest(h, []byte("documento"))) || !ts.Policy.Equal(policy) || time.Since(ts.Time).Abs() > time.Minute {
		t.Fatalf("digitorus/timestamp reads other facts: %+v", ts)
	}
}

func save(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
