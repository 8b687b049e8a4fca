package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the counters are told by files.
func TestCounterFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("it-7.txt", strings.Repeat("Acconsento. ", 20))
	write("en-7.txt", "too short")
	write("secret", strings.Repeat("k", 40)+"\r\n")
	write("short", "k")
	c := Counter{Consents: []string{"it-7.txt"}, Callbacks: map[string]Callback{"core": {URL: "https://core.example.org", SecretFile: "secret"}}}
	texts, err := c.texts(dir)
	if err != nil || len(texts) != 1 || texts[0].ID != "it-7" || texts[0].Locale != "it" {
		t.Errorf("%+v %v", texts, err)
	}
	if all, err := (Counter{}).texts(dir); err != nil || all != nil {
		t.Errorf("%+v %v", all, err)
	}
	to, err := c.callbacks(dir)
	if err != nil || string(to["core"].Secret) != strings.Repeat("k", 40) {
		t.Errorf("%v", err)
	}
	for name, bad := range map[string]Counter{
		"no file":      {Consents: []string{"fr-1.txt"}},
		"short":        {Consents: []string{"en-7.txt"}},
		"no secret":    {Callbacks: map[string]Callback{"core": {URL: "https://core.example.org", SecretFile: "none"}}},
		"short secret": {Callbacks: map[string]Callback{"core": {URL: "https://core.example.org", SecretFile: "short"}}},
	} {
		_, err := bad.texts(dir)
		_, err2 := bad.callbacks(dir)
		if err == nil && err2 == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
