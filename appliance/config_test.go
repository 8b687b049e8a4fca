package appliance

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/tsa"
)

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	good := DefaultConfig()
	good.HSM.PINFile, good.HSM.Node = "pin", "node-1"
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, says string
		change     func(*Config)
	}{
		{"network without TLS", "without TLS", func(c *Config) { c.Listen = "0.0.0.0:80" }},
		{"a name without TLS", "without TLS", func(c *Config) { c.Listen = "sign.example.org:80" }},
		{"half of TLS", "both", func(c *Config) { c.TLSKey = "key.pem" }},
		{"no address", "base_url", func(c *Config) { c.BaseURL = "ftp://x" }},
		{"address with a query", "base_url", func(c *Config) { c.BaseURL = "http://x/?a=1" }},
		{"no upload", "max_upload_mb", func(c *Config) { c.MaxUploadMB = 0 }},
		{"an unknown policy for the pen", "signatures.policy", func(c *Config) { c.Signatures.Policy = "lenient" }},
		{"a virus scanner somewhere", "clamd_socket", func(c *Config) { c.Inspection.ClamdSocket = "clamd.ctl" }},
		{"a wished-for clock", "tsa.clock", func(c *Config) { c.TSA.Clock = "trusted" }},
		{"a bad accuracy", "accuracy", func(c *Config) { c.TSA.AccuracyMS = 2000 }},
		{"no policy", "policy", func(c *Config) { c.TSA.Policies = nil }},
		{"no such digest", "MD5", func(c *Config) { c.TSA.Policies = []StampPolicy{{Name: "p", OID: "1.2.3", Hashes: []string{"MD5"}}} }},
		{"half of the rules of 2013", "2013", func(c *Config) {
			c.TSA.Policies = []StampPolicy{{Name: "p", OID: "1.2.3", Profile: "2013", Hashes: []string{"SHA-512"}}}
		}},
		{"qualified for nothing", "pki.qualified", func(c *Config) { c.TSA.Policies[0].Qualified = true }},
		{"a page for nobody known", "anonymous", func(c *Config) { c.TSA.Page, c.TSA.Anonymous = "public", false }},
		{"a node too many", "node", func(c *Config) { c.TSA.Node = 128 }},
		{"a key nobody has", "tsa.key", func(c *Config) { c.TSA.Key = "rsa1024" }},
		{"a proxy without an address", "trusted_proxies", func(c *Config) { c.TrustedProxies = []string{"proxy.example.org"} }},
		{"everybody a proxy", "everybody", func(c *Config) { c.TrustedProxies = []string{"10.0.0.1", "::/0"} }},
		{"passkeys of an address", "passkey_origins", func(c *Config) {
			c.BaseURL, c.PasskeyOrigins = "http://127.0.0.1:8080", []string{"https://sign.example.org"}
		}},
		{"passkeys of another domain", "passkey_origins", func(c *Config) {
			c.BaseURL, c.PasskeyOrigins = "http://example.org", []string{"https://sign.example.org", "https://notexample.org"}
		}},
		{"passkeys of a page", "passkey_origins", func(c *Config) {
			c.BaseURL, c.PasskeyOrigins = "http://example.org", []string{"https://sign.example.org/x"}
		}},
		{"passkeys of an application without a hash", "passkey_origins", func(c *Config) {
			c.BaseURL, c.PasskeyOrigins = "http://example.org", []string{"android:apk-key-hash:AAAA"}
		}},
		{"a consent without a version", "it-2.txt", func(c *Config) { c.Counter.Consents = []string{"texts/consent.txt"} }},
		{"a callback in the clear", "https", func(c *Config) {
			c.Counter.Callbacks = map[string]Callback{"core": {URL: "http://core.example.org", SecretFile: "s"}}
		}},
		{"a callback without a secret", "secret_file", func(c *Config) { c.Counter.Callbacks = map[string]Callback{"core": {URL: "https://core.example.org"}} }},
		{"no PIN", "pin_file", func(c *Config) { c.HSM.PINFile = "" }},
	} {
		c := good
		c.TSA.Policies = slices.Clone(good.TSA.Policies)
		tc.change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := LoadConfig(dir); !errors.Is(err, ErrNotProvisioned) {
		t.Errorf("empty folder: %v", err)
	}
	c := DefaultConfig()
	c.HSM.PINFile, c.HSM.Node = "pin", "node-1"
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadConfig(dir)
	if err != nil || got.BaseURL != c.BaseURL || !reflect.DeepEqual(got.TSA, c.TSA) {
		t.Errorf("read back %+v, %v", got, err)
	}
	path := Layout{dir}.Config()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("listn = 'x'\n"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(dir); err == nil || !strings.Contains(err.Error(), "listn") {
		t.Errorf("a mistyped key is taken: %v", err)
	}
}

// With a clock that nobody vouches for one policy is served, which must be one that
// the authority takes whatever the first of the configuration is; and its series has
// the only units that are made.
func TestUnverifiedPolicy(t *testing.T) {
	t.Parallel()
	three := []StampPolicy{{Name: "p", OID: "1.2.3", Hashes: []string{"SHA3-256"}}, {Name: "q", OID: "1.2.4", Profile: "2013"}, {Name: "r", OID: "1.2.5", Series: "rsa"}}
	for _, tc := range []struct {
		first  int
		series string
		hash   []crypto.Hash // of the policy served
	}{{0, "tsu", []crypto.Hash{crypto.SHA3_256}}, {1, "tsu", nil}, {2, "rsa", nil}} {
		c := DefaultConfig().TSA
		c.Policies = []StampPolicy{three[tc.first], three[(tc.first+1)%3], three[(tc.first+2)%3]}
		got, err := c.policies()
		if err != nil || len(got) != 1 || got[0].Series != tc.series || !slices.Equal(got[0].Hashes, tc.hash) {
			t.Errorf("%s first: %+v, %v", three[tc.first].Name, got, err)
		}
		if _, err := tsa.NewAuthority(tsa.Config{Policies: got, Clock: noStamps{}, Counter: noStamps{}}); err != nil {
			t.Errorf("%s first: %v", three[tc.first].Name, err)
		}
		for _, series := range []string{"", "tsu", "rsa", "nobody"} {
			name, err := c.seriesFor(series)
			switch {
			case series == "nobody":
				if err == nil || !strings.Contains(err.Error(), `no policy names the series "nobody"`) {
					t.Errorf("%q: %v", series, err)
				}
			case series == "" || series == tc.series:
				if err != nil || name != tc.series {
					t.Errorf("%q: %s, %v", series, name, err)
				}
			case err == nil || !strings.Contains(err.Error(), "unverified"):
				t.Errorf("%q: %s, %v", series, name, err)
			}
		}
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if nets, err := c.Proxies(); err != nil || len(nets) != 0 {
		t.Errorf("%v, %v", nets, err)
	}
	c.TrustedProxies = []string{"10.0.0.5", "2001:db8:1::/64"}
	if nets, err := c.Proxies(); err != nil || fmt.Sprint(nets) != "[10.0.0.5/32 2001:db8:1::/64]" {
		t.Errorf("%v, %v", nets, err)
	}
}

// Unknown usernames are locked out as known ones are, one by one, and do not
// fill memory or the journal.
func TestStrangers(t *testing.T) {
	t.Parallel()
	var s strangers
	now := time.Unix(1_800_000_000, 0)
	noted, locked := 0, false
	for range 10 {
		wait := s.failed("nobody", now)
		if s.tell(now) {
			noted++
		}
		locked = locked || wait > 0
	}
	if !locked || noted != 1 {
		t.Errorf("locked %v, noted %d times in one moment", locked, noted)
	}
	if s.failed("somebody", now) > 0 {
		t.Error("one name's failures lock another out")
	}
	for i := range 2 * maxStrangers {
		s.failed(strings.Repeat("x", i%50)+time.Duration(i).String(), now)
	}
	if len(s.seen) > maxStrangers {
		t.Errorf("%d names are kept", len(s.seen))
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	var l lastLine
	l.Write([]byte("one\ntwo\nthree\n"))
	if got := l.String(); got != "three" {
		t.Errorf("got %q", got)
	}
}
