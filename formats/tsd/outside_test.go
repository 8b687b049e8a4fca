package tsd_test

import (
	"bufio"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/tsd"
)

// bouncy starts BouncyCastle as Debian has it (libbcpkix-java, a JDK), and gives the
// function that asks it something, with time-stamps when it wants some.
func bouncy(t *testing.T, tsu *cmstest.Identity) func(words ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Java")
	}
	var jars []string
	for _, name := range []string{"bcpkix", "bcutil", "bcprov"} {
		jar := "/usr/share/java/" + name + ".jar"
		if _, err := os.Stat(jar); err != nil {
			t.Skip("BouncyCastle is missing (libbcpkix-java)")
		}
		jars = append(jars, jar)
	}
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("the Java compiler is missing (a JDK)")
	}
	cmd := exec.CommandContext(t.Context(), "java", "-Dfile.encoding=UTF-8", "-cp", strings.Join(jars, ":"), "testdata/Outside.java")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	out := bufio.NewScanner(stdout)
	return func(words ...string) string {
		t.Helper()
		fmt.Fprintln(in, strings.Join(words, "\t"))
		for out.Scan() {
			request, ok := strings.CutPrefix(out.Text(), "stamp ")
			if !ok {
				return out.Text()
			}
			fmt.Fprintln(in, hex.EncodeToString(respond(t, tsu, request)))
		}
		t.Fatalf("BouncyCastle has gone: %v", out.Err())
		return ""
	}
}

func respond(t *testing.T, tsu *cmstest.Identity, request string) []byte {
	t.Helper()
	der, err := hex.DecodeString(request)
	if err != nil {
		t.Fatal(err)
	}
	req, refusal := cms.ParseTimestampRequest(der)
	if refusal != nil {
		t.Fatal(refusal)
	}
	p, err := cms.PrepareToken(&cms.TSTInfo{Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Hash: req.Hash, HashAlgorithmRaw: req.HashAlgorithmRaw, Imprint: req.Imprint,
		SerialNumber: big.NewInt(7), GenTime: start, Nonce: req.Nonce}, tsu.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.Assemble(tsu.Sign(t, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cms.MarshalResponse(token)
}

// BouncyCastle reads what is written here, and here is read what it writes.
func TestBouncyCastle(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	ask := bouncy(t, tsu)
	dir := t.TempDir()
	doc := filepath.Join(dir, "documento.txt")
	text := strings.Repeat(document, 300) // in several pieces
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("documento.txt", []byte(text))
	meta := tsd.Metadata{FileName: "a.txt", MediaType: "text/plain"}
	protected := meta
	protected.Protected = true
	for name, o := range map[string]tsd.Options{
		"plain":     {Hash: crypto.SHA256},
		"described": {Hash: crypto.SHA512, Meta: &meta},
		"protected": {Hash: crypto.SHA256, Meta: &protected},
		"outside":   {Hash: crypto.SHA256, URI: "file:documento.txt", Outside: true, Meta: &protected},
	} {
		b := envelope(t, tsu, text, o)
		want := "ok null null"
		if o.Meta != nil {
			want = "ok a.txt text/plain"
		}
		if got := ask("check", put(name, b), doc); got != want+" 1" {
			t.Errorf("ours, %s: BouncyCastle says %s", name, got)
		}
		d, err := parse(t, b, text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Renew(crypto.SHA256, ades.Evidence{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := r.Assemble(io.Writer(&out), tsu.Stamp(t, crypto.SHA256, r.Imprint, start)); err != nil {
			t.Fatal(err)
		}
		if got := ask("check", put(name+"2", []byte(out.String())), doc); got != want+" 2" {
			t.Errorf("ours, %s, renewed: BouncyCastle says %s", name, got)
		}
		theirs := filepath.Join(dir, "bc-"+name)
		if got := ask("make", theirs, doc, name); got != "ok" {
			t.Fatal(got)
		}
		b, err = os.ReadFile(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if d, err = parse(t, b, text); err != nil || len(d.Evidence) != 2 || d.HasContent() == o.Outside || o.Meta != nil && (d.Meta.FileName != "città.txt" || d.Meta.Protected != o.Meta.Protected) {
			t.Errorf("theirs, %s: %v, %+v", name, err, d)
		}
	}
}
