package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
)

// cardTab is a browser of a person whose computer knows this card, and trusts the house.
func cardTab(t *testing.T, h *cardHouse, card *cmstest.Identity) *holderTab {
	t.Helper()
	home, profile := t.TempDir(), t.TempDir()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(card.Key)
	if err != nil {
		t.Fatal(err)
	}
	bag := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), cmstest.PEM(card.Certificate)...)
	for name, data := range map[string][]byte{"card.pem": bag, "ca.pem": cmstest.PEM(h.pki.CA)} {
		if err := os.WriteFile(filepath.Join(home, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"certutil", "-N", "-d", "sql:" + db, "--empty-password"},
		{"certutil", "-A", "-d", "sql:" + db, "-n", "house", "-t", "CT,C,C", "-i", "ca.pem"},
		{"openssl", "pkcs12", "-export", "-in", "card.pem", "-out", "card.p12", "-passout", "pass:x", "-name", "card"},
		{"pk12util", "-i", "card.p12", "-d", "sql:" + db, "-W", "x", "-K", ""},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	// What a person chooses in a window that a browser without a screen does not have.
	prefs, err := json.Marshal(map[string]any{"profile": map[string]any{
		"managed_auto_select_certificate_for_urls": []string{`{"pattern":"` + h.cards + `","filter":{}}`}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(profile, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), prefs, 0o600); err != nil {
		t.Fatal(err)
	}
	return newTab(t, chromedp.UserDataDir(profile), chromedp.Env("HOME="+home, "XDG_DATA_HOME="+filepath.Join(home, ".local", "share")))
}

// TestCardInBrowser: a real browser that has a card signs in by it, and is told what is
// wrong with one that is not good.
func TestCardInBrowser(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"certutil", "pk12util", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the packages libnss3-tools and openssl are not installed")
		}
	}
	h := newCardHouse(t)
	h.holder(t, hsm.P256)
	good, stolen := h.card(t, nil), h.card(t, nil)
	h.publish(t, stolen.Certificate)

	tab := cardTab(t, h, good)
	tab.do("open", chromedp.Navigate(h.url+"/lang/it?next=/history"), chromedp.WaitVisible("#username"))
	tab.shot("card-signin")
	tab.do("choose the card", chromedp.Click(".other-way a"), chromedp.WaitVisible(`form[action="/signin/card"] button`))
	tab.shot("card")
	tab.says("the page", "Ada Esempio")
	tab.says("the page", demoPeople[0].FiscalCode)
	tab.do("sign in", chromedp.Click(`form[action="/signin/card"] button`), chromedp.WaitVisible(".site-out button"))
	tab.shot("card-signed-in")
	if !h.journalled(t, "holder.signed-in", "methods", "sc") {
		t.Error("the journal does not say that it was a card")
	}

	tab = cardTab(t, h, stolen)
	tab.do("a revoked card", chromedp.Navigate(h.cards+"/lang/it?next=/signin/card"), chromedp.WaitVisible("main h1"))
	tab.shot("card-revoked")
	tab.says("the page", errorTitle(t, "card-over"))
	nobodys := h.card(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: demoPeople[1].FiscalCode + "/1.2"} })
	tab = cardTab(t, h, nobodys)
	tab.do("a card of nobody", chromedp.Navigate(h.cards+"/lang/it?next=/signin/card"), chromedp.WaitVisible("main h1"))
	tab.says("the page", errorTitle(t, "card-unknown"))
}
