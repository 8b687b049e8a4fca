package xades

import (
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
)

// xmlsec1 agrees on every packaging that it knows, at every level; it sees
// XMLDSig only.
func TestXmlsecVerifiesPackagings(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 (package xmlsec1) is missing")
	}
	w := newWorld(t)
	for i, c := range packagings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			level := []ades.Level{ades.BB, ades.BLTA}[i%2]
			e := w.extension(t)
			change := c.change
			if c.covers == CoversFiles {
				e.Content, e.ContentSize = strings.NewReader(c.doc), int64(len(c.doc))
				change = func(o *Options) { c.change(o); o.Name = "content.txt" }
			}
			by := w.Signer(t, []string{"p256", "rsa2048"}[i%2])
			doc := w.raise(t, w.sign(t, []byte(c.doc), by, func(o *Options) { change(o); o.Hash = crypto.SHA512 }), level, e)
			dir := t.TempDir()
			for name, data := range map[string][]byte{"root.pem": cmstest.PEM(w.Root), "doc.xml": doc, "content.txt": []byte(c.doc)} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("xmlsec1", "--verify", "--id-attr:Id", xadesNamespace+":SignedProperties", "--id-attr:Id", dsNamespace+":Object",
				"--id-attr:Id", "b", "--trusted-pem", "root.pem", "doc.xml")
			cmd.Dir = dir
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), "SignedInfo References (ok/all): 2/2") || strings.Contains(string(out), "FAIL") {
				t.Errorf("xmlsec1 says %s\n%s", out, doc)
			}
		})
	}
}
