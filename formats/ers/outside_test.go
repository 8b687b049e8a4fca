package ers_test

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
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
)

// bouncy is a conversation with BouncyCastle.
type bouncy struct {
	t   *testing.T
	tsu *cmstest.Identity
	at  time.Time
	in  io.Writer
	out *bufio.Scanner
}

// newBouncy starts BouncyCastle as Debian has it (libbcpkix-java, a JDK).
func newBouncy(t *testing.T) *bouncy {
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
	cmd := exec.CommandContext(t.Context(), "java", "-cp", strings.Join(jars, ":"), "testdata/Outside.java")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	b := &bouncy{t: t, tsu: cmstest.New(t).TSU(t, "p256"), at: start, in: in, out: bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	return b
}

// ask sends a command and answers requests for time-stamps until the answer comes.
func (b *bouncy) ask(words ...string) string {
	b.t.Helper()
	fmt.Fprintln(b.in, strings.Join(words, "\t"))
	for b.out.Scan() {
		request, ok := strings.CutPrefix(b.out.Text(), "stamp ")
		if !ok {
			return b.out.Text()
		}
		fmt.Fprintln(b.in, hex.EncodeToString(b.respond(request)))
	}
	b.t.Fatalf("BouncyCastle has gone: %v", b.out.Err())
	return ""
}

func (b *bouncy) respond(request string) []byte {
	b.t.Helper()
	der, err := hex.DecodeString(request)
	if err != nil {
		b.t.Fatal(err)
	}
	req, refusal := cms.ParseTimestampRequest(der)
	if refusal != nil {
		b.t.Fatal(refusal)
	}
	b.at = b.at.Add(time.Second)
	p, err := cms.PrepareToken(&cms.TSTInfo{Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Hash: req.Hash, HashAlgorithmRaw: req.HashAlgorithmRaw, Imprint: req.Imprint,
		SerialNumber: big.NewInt(b.at.UnixNano()), GenTime: b.at, Nonce: req.Nonce}, b.tsu.Options(crypto.SHA256))
	if err != nil {
		b.t.Fatal(err)
	}
	token, err := p.Assemble(b.tsu.Sign(b.t, p), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return cms.MarshalResponse(token)
}

// BouncyCastle reads what is written here, and here is read what it writes.
func TestBouncyCastle(t *testing.T) {
	t.Parallel()
	b := newBouncy(t)
	dir := t.TempDir()
	groups := [][]string{{"uno"}, {"due"}, {"tre", "quattro", "cinque"}, {"sei"}, {"sette"}}
	var joined []string
	for _, g := range groups {
		joined = append(joined, strings.Join(g, "+"))
	}

	check := func(step string, records []*ers.Record) {
		for i, r := range records {
			file := filepath.Join(dir, fmt.Sprintf("ours-%s-%d.ers", step, i))
			if err := os.WriteFile(file, r.Marshal(), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := b.ask("check", file, joined[i]); got != "ok" {
				t.Errorf("ours, %s, record %d: BouncyCastle says %s", step, i, got)
			}
			if got := b.ask("check", file, "altro"); got == "ok" {
				t.Errorf("ours, %s, record %d: BouncyCastle takes another document", step, i)
			}
		}
	}
	p, err := ers.Prepare(crypto.SHA256, groupsOf(crypto.SHA256, groups...))
	records := assemble(t, p, err, b.tsu, start)
	check("new", records)
	p, err = ers.PrepareRenewal(records)
	records = assemble(t, p, err, b.tsu, start.Add(time.Second))
	check("stamp", records)
	p, err = ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, records, documentsOf(groups...))
	check("tree", assemble(t, p, err, b.tsu, start.Add(2*time.Second)))

	together := apart(t, b.tsu, "uno", "due", "nove")
	joined = append(joined[:2:2], "nove")
	check("together", together)

	joined = joined[:0]
	for _, g := range groups {
		joined = append(joined, strings.Join(g, "+"))
	}
	if got := b.ask(append([]string{"make", dir}, joined...)...); got != "ok" {
		t.Fatal(got)
	}
	for i, g := range groups {
		for _, step := range []string{"new", "stamp", "tree"} {
			der, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d-%s.ers", i, step)))
			if err != nil {
				t.Error(err)
				continue
			}
			r, err := ers.Parse(der)
			if err != nil {
				t.Errorf("theirs, %d, %s: %v", i, step, err)
				continue
			}
			if err := r.Verify(document(g...)); err != nil {
				t.Errorf("theirs, %d, %s: %v", i, step, err)
			}
			if err := r.Verify(document("altro")); err == nil {
				t.Errorf("theirs, %d, %s: another document is taken", i, step)
			}
		}
	}
}
