package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// Each request gets the exact answer: the token that repeats what was asked, or the
// one failure bit with a text.
func TestConformance(t *testing.T) {
	t.Parallel()
	if n := len(granted) + len(refused); n < 100 {
		t.Fatalf("the suite has %d cases", n)
	}
	a, id := authority(t)
	names := map[string]bool{}
	for _, c := range allCases() {
		if names[c.name] {
			t.Errorf("%s: there are two cases of that name", c.name)
		}
		names[c.name] = true
		answer := a.Respond(context.Background(), []byte(c.req))
		r, err := cms.ParseResponse(answer)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := outcome(r); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			continue
		}
		if r.Refusal == nil {
			if r.Status != cms.StatusGranted {
				t.Errorf("%s: status %d", c.name, r.Status)
			}
			checkEcho(t, c, r.Token, id.Certificate)
			continue
		}
		if text := r.Refusal.Text; len(text) < 10 || len(text) > 120 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: the text is %q", c.name, text)
		}
		if want := cms.MarshalRefusal(*r.Refusal); r.Status != cms.StatusRejection || !bytes.Equal(answer, want) {
			t.Errorf("%s: the refusal is %x, not %x", c.name, answer, want)
		}
	}
}

func allCases() []conformance {
	var all []conformance
	for _, c := range granted {
		c.want = "granted"
		all = append(all, c)
	}
	return append(all, refused...)
}

func outcome(r *cms.Response) string {
	if r.Refusal == nil {
		return "granted"
	}
	return r.Refusal.FailureInfo.String()
}

// checkEcho looks for everything that was asked in the token, octet for octet, and
// verifies it.
func checkEcho(t *testing.T, c conformance, der []byte, tsu *x509.Certificate) {
	t.Helper()
	token, err := cms.ParseToken(der)
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
		return
	}
	req, refusal := cms.ParseTimestampRequest([]byte(c.req))
	if refusal != nil {
		t.Errorf("%s: %v", c.name, refusal)
		return
	}
	if req.CertReq != (len(token.Certificates) == 2) || req.CertReq != (token.Certificate != nil) {
		t.Errorf("%s: certReq is %v, the token has %d certificates", c.name, req.CertReq, len(token.Certificates))
	}
	token.Certificate = tsu
	err = token.Verify(func(crypto.Hash) ([]byte, error) { return req.Imprint, nil })
	if err != nil && !(cms.KindOf(err) == cms.Weak && req.Hash == crypto.SHA1) {
		t.Errorf("%s: %v", c.name, err)
	}
	if err := token.Answers(req); err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	if !bytes.Equal(token.Info.HashAlgorithmRaw, req.HashAlgorithmRaw) || !bytes.Equal(token.Info.NonceRaw, req.NonceRaw) {
		t.Errorf("%s: came back as %x, %x", c.name, token.Info.HashAlgorithmRaw, token.Info.NonceRaw)
	}
	want := policy
	if req.Policy != nil {
		want = req.Policy
	}
	if !token.Info.Policy.Equal(want) || token.Info.Qualified != want.Equal(policyQualified) || token.Info.Ordering || token.Info.TSA == nil {
		t.Errorf("%s: the token says %+v", c.name, token.Info)
	}
	if d := time.Since(token.Info.GenTime); d < -time.Millisecond || d > time.Minute {
		t.Errorf("%s: the time is %v off", c.name, d)
	}
}

// openssl ts -reply answers the same requests. It agrees, except where the table
// says what it does otherwise; a difference that is gone must leave the table.
func TestConformanceSecondOpinion(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	id := cmstest.New(t).TSU(t, "p256")
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	save(t, dir, "tsu.pem", cmstest.PEM(id.Certificate))
	for i, c := range allCases() {
		if c.openssl == "-" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := func(what string) string { return fmt.Sprintf("%s-%d", what, i) }
			save(t, dir, name("conf"), []byte(opensslConfig(c.req, name("serial"))))
			save(t, dir, name("serial"), []byte("01\n"))
			save(t, dir, name("req"), []byte(c.req))
			cmd := exec.Command(path, "ts", "-reply", "-config", name("conf"), "-queryfile", name("req"),
				"-signer", "tsu.pem", "-inkey", "key.pem", "-out", name("resp"))
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("Response has been generated")) {
				t.Fatalf("%v\n%s", err, out)
			}
			answer, err := os.ReadFile(filepath.Join(dir, name("resp")))
			if err != nil {
				t.Fatal(err)
			}
			r, err := cms.ParseResponse(answer)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if c.openssl != "" {
				want = c.openssl
				if want == c.want || c.because == "" {
					t.Fatal("the table says that openssl differs, but not how or why")
				}
			}
			if got := outcome(r); got != want {
				t.Fatalf("openssl says %s, the table %s", got, want)
			}
			if r.Refusal == nil && c.want == "granted" {
				compareEcho(t, c, r.Token)
			}
		})
	}
}

// opensslConfig accepts the digests of the policy that the request names.
func opensslConfig(req, serial string) string {
	digests := "sha256, sha384, sha512"
	switch {
	case strings.Contains(req, oid(policyOld)):
		digests = "sha256, sha1"
	case strings.Contains(req, oid(policySHA3)):
		digests = "sha256, sha3-256, sha3-384, sha3-512"
	}
	return fmt.Sprintf("[tsa]\ndefault_tsa = one\n[one]\nserial = %s\nsigner_digest = sha256\ndefault_policy = %v\n"+
		"other_policies = %v, %v, %v\ndigests = %s\naccuracy = millisecs:500\nordering = no\ntsa_name = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n",
		serial, policy, policyOld, policySHA3, policyQualified, digests)
}

// compareEcho: what openssl repeats is what the conformance test demands of us.
func compareEcho(t *testing.T, c conformance, der []byte) {
	t.Helper()
	token, err := cms.ParseToken(der)
	if err != nil {
		t.Fatal(err)
	}
	req, refusal := cms.ParseTimestampRequest([]byte(c.req))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if err := token.Answers(req); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(token.Info.NonceRaw, req.NonceRaw) || !bytes.Equal(token.Info.HashAlgorithmRaw, req.HashAlgorithmRaw) {
		t.Errorf("came back as %x, %x", token.Info.HashAlgorithmRaw, token.Info.NonceRaw)
	}
}
