package web

import (
	"bytes"
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sigillo/formats/cms/cmstest"
)

// stampPages are the pages of the time-stamping authority, in the walk of
// TestBrowser.
func (s *stroll) stampPages() {
	file := filepath.Join(s.t.TempDir(), "Verbale è pronto.pdf")
	if err := os.WriteFile(file, []byte("minutes"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("stamp", chromedp.Navigate(s.w.url+"/stamp"), chromedp.WaitVisible("#stamp-file"))
	s.shot("14-stamp")
	s.run("nothing chosen", chromedp.Click("#stamp button[type=submit]"), chromedp.WaitVisible("#stamp-error"))
	s.shot("15-stamp-error")
	s.run("stamp it", chromedp.SetUploadFiles("#stamp-file", []string{file}), chromedp.Click("#stamp button[type=submit]"), chromedp.WaitVisible("#stamp-result"))
	if got := eval[string](s, `document.getElementById("result-digest").textContent.replaceAll(" ", "")`); got != digestOf(s.t, crypto.SHA256, file) {
		s.t.Errorf("digest %s", got)
	}
	if focused := eval[string](s, `document.activeElement.id`); focused != "stamp-result" {
		s.t.Errorf("focus is on %q, not on the result", focused)
	}
	s.shot("16-stamped")
	eval[bool](s, `document.getElementById("stamp-progress").hidden = false; document.getElementById("stamp-known").open = true; true`)
	s.shot("17-stamp-progress")
	s.run("tsa", chromedp.Navigate(s.w.url+"/tsa"), chromedp.WaitVisible("h1"))
	s.shot("18-tsa")
	account := strings.Replace(s.w.url, "://", "://"+deskUser+":"+url.QueryEscape(deskPassword)+"@", 1)
	s.run("account", chromedp.Navigate(strings.ReplaceAll(account, "+", "%20")+"/tsa/account"), chromedp.WaitVisible("h1"))
	s.shot("19-account")
}

func digestOf(t testing.TB, h crypto.Hash, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := h.New()
	if _, err := io.Copy(d, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(d.Sum(nil))
}

// TestStampInBrowser stamps files whose digest is computed in the browser, with
// every algorithm, and has openssl verify what is downloaded. The content policy
// holds: nothing but our own files runs, and only the digest leaves.
//
// SIGILLO_LARGE_FILE=2000 adds a file of so many megabytes.
func TestStampInBrowser(t *testing.T) {
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPagePublic))
	s := open(t, w, chromium(t), "en")
	dir := t.TempDir()
	if _, err := chromedp.CallBrowser(s.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}); err != nil {
		t.Fatal(err)
	}
	// Larger than a piece of the worker, and not a whole number of them.
	file := filepath.Join(dir, "a file.bin")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789abcde"), 600_000), 0o600); err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(roots, append(cmstest.PEM(d.pki.Root), cmstest.PEM(d.pki.CA)...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("open", chromedp.Navigate(w.url+"/stamp"), chromedp.WaitVisible("#stamp-file"), chromedp.SetUploadFiles("#stamp-file", []string{file}))
	for hash, h := range pageHashes {
		// By keyboard: scrolling is smooth, and a click would miss what moves.
		s.run(hash, chromedp.Focus("#hash-"+hash), chromedp.KeyEvent(" "), chromedp.Focus("#stamp button[type=submit]"), chromedp.KeyEvent(kb.Enter),
			chromedp.WaitVisible("#stamp-result"))
		if got := eval[string](s, `document.getElementById("result-digest").textContent.replaceAll(" ", "")`); got != digestOf(t, h, file) {
			t.Errorf("%s: digest %s", hash, got)
		}
		for link, option := range map[string][]string{"#result-tsr": nil, "#result-tst": {"-token_in"}} {
			s.run(link, chromedp.Focus(link), chromedp.KeyEvent(kb.Enter))
			saved := filepath.Join(dir, "a file.bin.ts"+link[len(link)-1:])
			awaitFile(t, saved)
			out, err := exec.Command("openssl", append([]string{"ts", "-verify", "-data", file, "-in", saved, "-CAfile", roots}, option...)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Verification: OK") {
				t.Errorf("%s, %s: %v: %s", hash, link, err, out)
			}
			if err := os.Remove(saved); err != nil {
				t.Fatal(err)
			}
		}
		eval[bool](s, `document.getElementById("stamp-result").hidden = true; true`)
	}
	if !eval[bool](s, `performance.getEntriesByType("resource").every(e => e.name.startsWith(location.origin) || e.name.startsWith("data:"))`) {
		t.Error("something was loaded from elsewhere")
	}
	s.turned(dir)
	s.cancel(file)
	if size := os.Getenv("SIGILLO_LARGE_FILE"); size != "" {
		s.large(filepath.Join(dir, "large.bin"), size)
	}
}

// turned stamps a file whose name hides what it is: the page shows how.
func (s *stroll) turned(dir string) {
	file := filepath.Join(dir, "fattura\u202efdp.exe")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("turned name", chromedp.SetUploadFiles("#stamp-file", []string{file}), chromedp.Click("#stamp button[type=submit]"), chromedp.WaitVisible("#stamp-result"))
	if got := eval[string](s, `document.getElementById("result-file").textContent`); got != "fattura[U+202E]fdp.exe" {
		s.t.Errorf("the file is shown as %q", got)
	}
}

// cancel gives up while the digest is computed: nothing is asked for.
func (s *stroll) cancel(file string) {
	before := len(s.w.srv.cfg.Stamps.(*desk).entries)
	big := file + ".big"
	f, err := os.Create(big)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Truncate(1 << 30); err != nil { // sparse
		s.t.Fatal(err)
	}
	_ = f.Close()
	s.run("cancel", chromedp.SetUploadFiles("#stamp-file", []string{big}), chromedp.Click("#stamp button[type=submit]"),
		chromedp.WaitVisible("#stamp-progress"), chromedp.Sleep(300*time.Millisecond), chromedp.Click("#stamp-cancel"), chromedp.WaitNotVisible("#stamp-progress"))
	if eval[bool](s, `document.querySelector("#stamp button[type=submit]").disabled`) || len(s.w.srv.cfg.Stamps.(*desk).entries) != before {
		s.t.Error("cancelled, and stamped all the same")
	}
}

// large stamps a file that must not be held in memory.
func (s *stroll) large(file, megabytes string) {
	n, err := strconv.Atoi(megabytes)
	if err != nil {
		s.t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Truncate(int64(n) * 1_000_000); err != nil {
		s.t.Fatal(err)
	}
	_ = f.Close()
	began, before := time.Now(), residentMemory()
	s.run("large", chromedp.SetUploadFiles("#stamp-file", []string{file}), chromedp.Click("#hash-sha256"), chromedp.Click("#stamp button[type=submit]"))
	most := before
	for !eval[bool](s, `!document.getElementById("stamp-result").hidden || !document.getElementById("stamp-error").hidden`) {
		most = max(most, residentMemory())
		if time.Since(began) > 10*time.Minute {
			s.t.Fatal("the digest takes for ever")
		}
		time.Sleep(250 * time.Millisecond)
	}
	if got := eval[string](s, `document.getElementById("result-digest").textContent.replaceAll(" ", "")`); got != digestOf(s.t, crypto.SHA256, file) {
		s.t.Errorf("large: digest %s", got)
	}
	s.t.Logf("%d MB: %v, memory of all processes of the browser grew by %d MB", n, time.Since(began).Round(time.Second), (most-before)>>20)
	if most-before > 200<<20 {
		s.t.Errorf("the browser's memory grew by %d MB", (most-before)>>20)
	}
}

// residentMemory is that of the browser's processes, which are descendants of
// this one, without what they share.
func residentMemory() (sum int64) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	parent := map[string]string{}
	for _, file := range all {
		data, _ := os.ReadFile(file)
		// The name in parentheses may hold anything; the parent is the second field after it.
		if fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])); len(fields) > 1 {
			parent[filepath.Base(filepath.Dir(file))] = fields[1]
		}
	}
	self := strconv.Itoa(os.Getpid())
	for pid, up := range parent {
		for up != self && up != "" {
			up = parent[up]
		}
		data, _ := os.ReadFile("/proc/" + pid + "/statm")
		if fields := strings.Fields(string(data)); up == self && len(fields) > 2 {
			resident, _ := strconv.ParseInt(fields[1], 10, 64)
			shared, _ := strconv.ParseInt(fields[2], 10, 64)
			sum += (resident - shared) * int64(os.Getpagesize())
		}
	}
	return sum
}

func awaitFile(t testing.TB, name string) {
	t.Helper()
	for range 200 {
		if st, err := os.Stat(name); err == nil && st.Size() > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	there, _ := os.ReadDir(filepath.Dir(name))
	t.Fatalf("%s was not downloaded; there are %v", name, there)
}
