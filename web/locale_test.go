package web

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/inspect"
)

func testLocales(t *testing.T) map[string]*locale {
	t.Helper()
	ls, err := loadLocales(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// TestCataloguesMatch: every text exists in both languages, with the same
// placeholders, and is not empty.
func TestCataloguesMatch(t *testing.T) {
	t.Parallel()
	ls := testLocales(t)
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	for _, from := range languages {
		for _, to := range languages {
			for key, text := range ls[from].messages {
				other, ok := ls[to].messages[key]
				if !ok {
					t.Errorf("%s has %q, %s has not", from, key, to)
					continue
				}
				if text == "" {
					t.Errorf("%s: %q is empty", from, key)
				}
				a, b := placeholder.FindAllString(text, -1), placeholder.FindAllString(other, -1)
				slices.Sort(a)
				slices.Sort(b)
				if !slices.Equal(a, b) {
					t.Errorf("%q: %s has %v, %s has %v", key, from, a, to, b)
				}
			}
		}
	}
}

// TestEveryTextIsUsedAndThere reads templates and sources for keys.
func TestEveryTextIsUsedAndThere(t *testing.T) {
	t.Parallel()
	it := testLocales(t)["it"]
	used := map[string]bool{}
	plain := regexp.MustCompile(`\.T\(?\s?"([a-z][A-Za-z0-9_.-]*)"`)
	counted := regexp.MustCompile(`\.N\(?\s?"([a-z][A-Za-z0-9_.]*)"`)
	quoted := regexp.MustCompile(`"((?:sign|result)\.[a-z_]*title)"`) // chosen by state
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, sources...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range plain.FindAllSubmatch(data, -1) {
			if strings.HasSuffix(string(m[1]), ".") {
				continue // the beginning of a key made at run time
			}
			used[string(m[1])] = true
		}
		for _, m := range quoted.FindAllSubmatch(data, -1) {
			used[string(m[1])] = true
		}
		for _, m := range counted.FindAllSubmatch(data, -1) {
			used[string(m[1])+".one"], used[string(m[1])+".other"] = true, true
		}
	}
	for key := range used {
		if !it.Has(key) {
			t.Errorf("no text for %q", key)
		}
	}
	made := regexp.MustCompile(`^(error\.|month\.|steps\.|verdict\.|severity\.|status\.|clock\.(ok|warn|waiting|stopped)|unit\.|requests\.(approved|declined)|scope\.|keytype\.|way\.|kind\.|delegation\.|device\.(lead_|add_|remove_title|resync_title)|state\.|indication\.|order\.(pades|cades|xades)|admin\.(act|state|role|with|reason|document|done)_|graphometric\.|tablet\.(why|chip)_|(tablet|counter(_[a-z]+)?)\.title|counter\.(state|why|step|cancel|done)_|counter_session\.now_|counter_tablets\.(state|class)_|counter_report\.(rate|help|count)_)`)
	for key := range it.messages {
		if !used[key] && !made.MatchString(key) {
			t.Errorf("text %q is never shown", key)
		}
	}
}

// TestWordsForEveryValue: what templates look up by value has a text.
func TestWordsForEveryValue(t *testing.T) {
	t.Parallel()
	it := testLocales(t)["it"]
	for table, values := range map[string][]string{
		"verdict":    {"allow", "confirm", "refuse", "allow_text", "confirm_text", "refuse_text"},
		"severity":   {"allow", "confirm", "refuse"},
		"status":     {"valid", "suspended", "revoked", "expired", "none"},
		"state":      {"prepared", "authorised", "signed", "delivered", "failed"},
		"indication": {"TOTAL_PASSED", "INDETERMINATE", "TOTAL_FAILED"},
		"order":      {"pades", "cades", "xades", "cades-detached", "pades_help", "cades_help", "xades_help", "cades-detached_help"},
		"unit":       {"waiting", "active", "expired", "stopped", "retired"},
		"kind":       {"totp", "hotp", "passkey", "phone"},
		"keytype":    {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"},
		"scope":      {"service"},
		"delegation": {"active", "used-up", "expired", "revoked"},
		"way":        {"otp", "sms", "pop", "sc", "other"},
		"month":      {"1", "12"},
	} {
		for _, v := range values {
			if !it.Has(table + "." + v) {
				t.Errorf("no word for %s.%s", table, v)
			}
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cookie, accept, want string }{
		{"", "", "it"},
		{"", "en", "en"},
		{"", "en-GB,en;q=0.9,it;q=0.8", "en"},
		{"", "it-IT,it;q=0.9,en;q=0.8", "it"},
		{"", "fr,en;q=0.5", "en"},
		{"", "fr", "it"},
		{"", "de;q=0.9, en;q=0.1", "en"},
		{"", "garbage;;;q=x", "it"},
		{"en", "it", "en"},
		{"it", "en", "it"},
		{"xx", "en", "en"},
		{"", strings.Repeat("a-", 100000), "it"},
	} {
		if got := negotiate(c.cookie, c.accept); got != c.want {
			t.Errorf("negotiate(%q, %.30q) = %q, want %q", c.cookie, c.accept, got, c.want)
		}
	}
}

func TestLocaleFormats(t *testing.T) {
	t.Parallel()
	ls := testLocales(t)
	it, en := ls["it"], ls["en"]
	at := time.Date(2026, 11, 21, 14, 3, 2, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{it.Time(at), "21 novembre 2026, 14:03:02 UTC"},
		{en.Date(at), "21 November 2026"},
		{en.Time(time.Time{}), "–"},
		{it.Size(1_250_000), "1,2 MB"},
		{en.Size(200_000_000), "200 MB"},
		{en.Size(999), "999 B"},
		{it.Wait(1), "1 secondo"},
		{it.Wait(45), "45 secondi"},
		{en.Wait(301), "6 minutes"},
		{it.N("home.added", 1), "Documento caricato. Aprilo per firmarlo."},
		{en.T("no.such.key"), "no.such.key"},
		{it.Text(inspect.Text{It: "sì", En: "yes"}), "sì"},
		{en.Text(inspect.Text{It: "sì", En: "yes"}), "yes"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestPerson(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"CN=Ada Lovelace, serialNumber=TINIT-X, C=IT": "Ada Lovelace",
		`C=IT,CN=Rossi\, Mario+SN=Rossi`:              "Rossi, Mario",
		"O=ACME":                                      "O=ACME",
		"OCN=not a name":                              "OCN=not a name",
		"":                                            "",
	} {
		if got := (view{}).Person(in); got != want {
			t.Errorf("Person(%q) = %q, want %q", in, got, want)
		}
	}
}
