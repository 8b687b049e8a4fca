package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sigillo/auth/staff"
	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/store"
	"sigillo/vault"
	"sigillo/web"
)

// TestKeyOfTheAutomaticProcedure: a holder with an ordinary key gets another one for the
// automatic procedure at the operator's terminal, delegates it, and the staff takes the
// delegation back: who may, and nobody else. Nobody there can give one.
func TestKeyOfTheAutomaticProcedure(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	staffed := h.appointed(t, staff.Security, staff.Certification, staff.Technical, staff.RegistrationOperator)
	tina, olga := staffed[2], staffed[3]
	id := h.holderID(t, ada)

	if code, _, errs := h.command(t, tina.typed(ada.holder.Password, "123456"), "holder", "key", "--automatic", ada.holder.Username); code == exitGood {
		t.Errorf("a key made by who may not: %s", errs)
	}
	out := h.must(t, olga.typed(ada.holder.Password, ada.mustOTP(t)), "holder", "key", "--automatic", "--max-documents", "7", ada.holder.Username)
	if !emergencyCode.MatchString(out[strings.LastIndex(out, ": ")+2 : len(out)-1]) {
		t.Errorf("no emergency code in %q", out)
	}
	list, err := h.Signing.Credentials(t.Context(), id)
	if err != nil || len(list) != 2 || list[0].Automatic || !list[1].Automatic || list[1].MaxItems != 7 || list[1].Status != "valid" {
		t.Fatalf("%+v, %v", list, err)
	}
	var row store.Certificate
	if err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) { row, err = tx.Certificate(list[1].Serial); return err }); err != nil || row.Profile != "automatic-procedure" {
		t.Errorf("profile %s, %v", row.Profile, err)
	}
	if !h.journalled(t, "credential.created", "automatic", "true") {
		t.Error("the journal does not say what the key is for")
	}

	sum := sha256.Sum256([]byte("an application's certificate"))
	d, err := h.Remote.Delegate(t.Context(), id, remote.Delegation{ID: remote.NewDelegationID(), Credential: list[1].ID, Count: 9,
		Expires: time.Now().Add(time.Hour), ClientCertificate: sum[:], Kinds: []string{"fatture"}},
		signing.Evidence{Password: []byte(ada.holder.Password), OTP: ada.mustOTP(t), Client: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if out := h.must(t, "", "delegation", "list", ada.holder.Username); !strings.Contains(out, d.ID) || !strings.Contains(out, "fatture") || !strings.Contains(out, "0/9") || !strings.Contains(out, hex.EncodeToString(sum[:])) {
		t.Error(out)
	}
	found, err := h.FindHolders(t.Context(), olga.Member, ada.holder.Username)
	if err != nil || len(found) != 1 || len(found[0].Delegations) != 1 || found[0].Delegations[0].ID != d.ID || found[0].Unlisted {
		t.Errorf("%+v, %v", found, err)
	}
	if err := h.RevokeDelegationFor(t.Context(), tina.Member, id, d.ID, "x"); staff.KindOf(err) != staff.NotPermitted {
		t.Errorf("taken back at the desk by who may not: %v", err)
	}
	if code, _, _ := h.command(t, tina.typed(), "delegation", "revoke", ada.holder.Username, d.ID); code == exitGood {
		t.Error("taken back by who may not")
	}
	for _, args := range [][]string{{"delegation"}, {"delegation", "give", ada.holder.Username}, {"delegation", "revoke", ada.holder.Username}, {"delegation", "list"},
		{"delegation", "list", "nobody"}, {"delegation", "list", ada.holder.Username, "now"}, {"holder", "key"}} {
		if code, out, errs := h.command(t, "", args...); code == exitGood || errs == "" || out != "" {
			t.Errorf("%v: %d %s%s", args, code, out, errs)
		}
	}
	h.must(t, olga.typed(), "delegation", "revoke", "--reason", "certificate of the application stolen", ada.holder.Username, d.ID)
	ds, err := h.Remote.Delegations(t.Context(), id)
	if err != nil || len(ds) != 1 || ds[0].State != vault.DelegationRevoked {
		t.Errorf("%+v, %v", ds, err)
	}
	if !h.journalled(t, "delegation.given", "clientCertificate", hex.EncodeToString(sum[:])) || !h.journalled(t, "delegation.revoked", "reason", "certificate of the application stolen") {
		t.Error("the journal lacks what became of the delegation")
	}
	h.must(t, "", "journal", "verify")
}

// TestDelegationByProgram: a holder delegates and takes back over the REST interface.
func TestDelegationByProgram(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ben := h.automatic(t, 1)
	if err := ben.signIn(t.Context(), ben.holder.Password, ben.mustOTP(t)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("an application's certificate"))
	in := map[string]any{"credential": ben.holder.Credential, "count": 2, "expires": time.Now().Add(time.Hour).UTC(), "kinds": []string{"a", "b"},
		"client_certificate": strings.ToUpper(hex.EncodeToString(sum[:])), "password": ben.holder.Password, "otp": "000000"}
	var d web.DelegationInfo
	if err := ben.do(t.Context(), "POST", "/delegations", in, &d); err == nil {
		t.Fatal("given without the second factor")
	}
	in["otp"] = ben.mustOTP(t)
	if err := ben.do(t.Context(), "POST", "/delegations", in, &d); err != nil || d.State != "active" || d.Certificate != hex.EncodeToString(sum[:]) {
		t.Fatalf("%+v, %v", d, err)
	}
	var list []web.DelegationInfo
	if err := ben.do(t.Context(), "POST", "/delegations/"+d.ID+"/revoke", nil, &d); err != nil || d.State != "revoked" {
		t.Errorf("%+v, %v", d, err)
	}
	if err := ben.do(t.Context(), "GET", "/delegations", nil, &list); err != nil || len(list) != 1 || list[0].State != "revoked" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDelegateInBrowser: a holder delegates with a passkey, which signs exactly these
// bounds, and takes it back: a real browser, vault and token.
func TestDelegateInBrowser(t *testing.T) {
	t.Parallel()
	h := newLocalHouse(t)
	c := h.automatic(t, 0)
	mine := cmstest.New(t).Signer(t, "p256")
	tab := newTab(t)
	tab.withAuthenticator()
	tab.do("open", chromedp.Navigate(h.url+"/lang/en?next=/"), chromedp.WaitVisible("#username"))
	tab.do("sign in with a code", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	tab.visit("passkey", h.url+"/security/devices/add?kind=passkey", "#label")
	tab.do("add the passkey", chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", c.mustOTP(t)),
		chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".notice"))

	tab.visit("delegate", h.url+"/delegations/new", "#count")
	if _, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](`document.getElementById("until").value = document.getElementById("until").max`)); err != nil {
		t.Fatal(err)
	}
	tab.do("fill in", chromedp.SendKeys("#certificate", string(cmstest.PEM(mine.Certificate))), chromedp.SendKeys("#kinds", "fatture"), chromedp.SendKeys("#count", "12"),
		chromedp.SendKeys("#password", c.holder.Password))
	tab.do("delegate with the passkey", chromedp.Click("[data-use=passkey]"), chromedp.WaitVisible("main > .notice"))
	holder := h.holderID(t, c)
	sum := sha256.Sum256(mine.Certificate.Raw)
	list, err := h.Remote.Delegations(t.Context(), holder)
	if err != nil || len(list) != 1 || list[0].Count != 12 || string(list[0].ClientCertificate) != string(sum[:]) || list[0].State != vault.DelegationActive {
		t.Fatalf("%+v, %v", list, err)
	}
	tab.says("the delegations", list[0].ID)
	tab.do("take it back", chromedp.Click(".verdict.good button"), chromedp.WaitNotPresent(".verdict.good"))
	if list, err = h.Remote.Delegations(t.Context(), holder); err != nil || list[0].State != vault.DelegationRevoked {
		t.Errorf("%+v, %v", list, err)
	}
	if !h.journalled(t, "delegation.revoked", "reason", "revoked by the holder") {
		t.Error("the journal does not say who took it back")
	}
}
