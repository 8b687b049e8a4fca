package appliance

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"sigillo/auth/courier"
)

// TestManual: every example in the manual is a configuration that is taken, and every key
// of the courier and of cards is in a table of it and in an example.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	var all strings.Builder
	for _, m := range examples {
		all.Write(m[1])
		c := DefaultConfig()
		c.HSM.PINFile, c.HSM.Node = "pin", "node-1"
		if err := toml.NewDecoder(bytes.NewReader(m[1])).DisallowUnknownFields().Decode(&c); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
			continue
		}
		if err := c.Check(); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
		if c.Courier.Driver == "" && c.Cards.Listen == "" {
			t.Errorf("it configures nothing:\n%s", m[1])
		}
	}
	for _, part := range []any{courier.Config{}, courier.SMTP{}, courier.HTTP{}, Cards{}} {
		for f := range reflect.TypeOf(part).Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if f.Type.Kind() != reflect.Struct && !strings.Contains(string(text), "| `"+key+"`") && !strings.Contains(string(text), ", `"+key+"` |") {
				t.Errorf("%T: the manual does not tell %s", part, key)
			}
			switch key {
			case "ca_file", "user": // one of two that are alike is enough
			default:
				if !regexp.MustCompile(`(?m)^(\[courier\.(http\.)?)?` + key + `\b`).MatchString(all.String()) {
					t.Errorf("%T: no example has %s", part, key)
				}
			}
		}
	}
}
