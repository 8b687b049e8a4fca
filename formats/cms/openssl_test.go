package cms_test

import (
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// keyCases are the keys and digests that signatures are made with.
var keyCases = []struct {
	key  string
	hash crypto.Hash
	pss  bool
}{
	{"rsa2048", crypto.SHA256, false},
	{"rsa3072", crypto.SHA512, false},
	{"rsa2048", crypto.SHA256, true},
	{"rsa3072", crypto.SHA384, true},
	{"p256", crypto.SHA256, false},
	{"p384", crypto.SHA384, false},
	{"p521", crypto.SHA512, false},
	{"ed25519", crypto.SHA512, false},
}

func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// OpenSSL verifies detached and attached signatures of every kind with -cades,
// which checks the signed certificate reference, and refuses changed content.
func TestOpenSSLVerifies(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	content := []byte("Contratto di prova\r\nart. 1\r\n")
	for _, c := range keyCases {
		if c.key == "ed25519" { // OpenSSL 3.0 does not do RFC 8419
			continue
		}
		t.Run(c.key+"/"+c.hash.String()+map[bool]string{true: "/pss"}[c.pss], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			id := pki.Signer(t, c.key)
			o := id.Options(c.hash)
			o.PSS, o.SigningTime = c.pss, time.Now()
			p, err := cms.Prepare(sum(c.hash, content), o)
			if err != nil {
				t.Fatal(err)
			}
			sig := id.Sign(t, p)
			token := pki.TSU(t, "p256").Stamp(t, crypto.SHA256, sum(crypto.SHA256, sig), time.Now())
			der, err := p.Assemble(sig, token)
			if err != nil {
				t.Fatal(err)
			}
			root := write(t, dir, "root.pem", cmstest.PEM(pki.Root))
			msg := write(t, dir, "sig.p7s", der)
			doc := write(t, dir, "doc", content)
			bad := write(t, dir, "bad", append([]byte("x"), content...))
			verify := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-CAfile", root, "-purpose", "any", "-out", os.DevNull, "-in", msg}
			if out, err := openssl(t, append(verify, "-content", doc)...); err != nil || !strings.Contains(out, "Verification successful") {
				t.Fatalf("openssl refused the signature: %v\n%s", err, out)
			}
			if out, err := openssl(t, append(verify, "-content", bad)...); err == nil {
				t.Fatalf("openssl accepted other content:\n%s", out)
			}
			f, err := os.Create(filepath.Join(dir, "doc.p7m"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := os.Open(doc)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := p.AssembleAttached(f, r, int64(len(content)), sig, token); err != nil {
				t.Fatal(err)
			}
			verify[len(verify)-1] = f.Name()
			if out, err := openssl(t, verify...); err != nil || !strings.Contains(out, "Verification successful") {
				t.Fatalf("openssl refused the attached signature: %v\n%s", err, out)
			}
		})
	}
}
