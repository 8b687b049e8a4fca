package hsm_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

func openFaulty(t testing.TB, f *hsm.Faults) *hsm.Token {
	t.Helper()
	return openFaultyConfig(t, hsmtest.Token(t), f)
}

func openFaultyConfig(t testing.TB, cfg hsm.Config, f *hsm.Faults) *hsm.Token {
	t.Helper()
	tok, err := hsm.OpenFaulty(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	tok := open(t)
	r, err := tok.SelfTest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Module == "" || !strings.Contains(r.Manufacturer, "SoftHSM") || r.Label != tok.Info().Label || r.Serial == "" || r.Firmware == "" {
		t.Errorf("the report does not name the token: %+v", r)
	}
	names := make(map[string]bool)
	required := 0
	for _, c := range r.Checks {
		if names[c.Name] && !strings.HasPrefix(c.Name, "a key-encryption key is derived") {
			t.Errorf("two checks are called %q", c.Name)
		}
		names[c.Name] = true
		if c.Detail == "" {
			t.Errorf("%s: no detail", c.Name)
		}
		if c.Required {
			required++
		}
	}
	if required < 60 {
		t.Errorf("only %d required checks ran", required)
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestSelfTestTable compares what two real tokens enforce with what is known of
// them. SoftHSM does all that is asked. NSS does not care what a key may be used
// for, wraps an RSA key that may not leave, and so is no token for anybody's keys.
func TestSelfTestTable(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]func(testing.TB) hsm.Config{"softhsm": hsmtest.Token, "nss": hsmtest.NSS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := openFaultyConfig(t, token(t), &hsm.Faults{}).SelfTest(context.Background())
			if want := map[string]hsm.Kind{"nss": hsm.Unsupported}[name]; hsm.KindOf(err) != want {
				t.Errorf("the self-test said %v", err)
			}
			golden := filepath.Join("testdata", "selftest-"+name+".txt")
			if *update {
				check(t, os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(r.Table()), 0o644))
			}
			want, err := os.ReadFile(golden)
			check(t, err)
			if got := r.Table(); got != string(want) {
				t.Errorf("the table is another than %s (-update writes it anew):\n%s", golden, got)
			}
		})
	}
}

// TestSelfTestFindsFaults gives a real token one bad habit at a time. The
// self-test must fail, and name what is wrong.
func TestSelfTestFindsFaults(t *testing.T) {
	t.Parallel()
	some := bytes.Repeat([]byte("secret"), 8)
	tests := []struct {
		name  string
		fault hsm.Faults
		want  []string // checks that must fail
	}{
		{"reveals sensitive values", hsm.Faults{Attribute: func(_ uint, v []byte, err error) ([]byte, error) {
			if err == hsm.RV(pkcs11.CKR_ATTRIBUTE_SENSITIVE) {
				return some, nil
			}
			return v, err
		}}, []string{
			"the value of the master key cannot be read", "the value of a key-encryption key cannot be read",
			"the value of a fresh p256 key cannot be read", "the value of an unwrapped rsa2048 key cannot be read",
			"the value of a sealing key cannot be read", "the value of a MAC key cannot be read",
		}},
		{"wraps what is not extractable", hsm.Faults{Wrap: func(b []byte, err error) ([]byte, error) {
			if err != nil {
				return some, nil
			}
			return b, nil
		}}, []string{"a p256 key that is not extractable is not wrapped", "an unwrap-only key does not wrap", "a sealing key does not wrap"}},
		{"unwraps changed blobs", hsm.Faults{Unwrap: acceptAll()}, []string{
			"a changed wrapped p256 key is refused", "a changed wrapped rsa2048 key is refused",
			"a secret that differs in byte 0 does not unwrap", "a wrap-only key does not unwrap", "an unwrapped RSA key that is to sign only does not unwrap",
		}},
		{"derives from the first block only", hsm.Faults{Data: func(d [32]byte) [32]byte {
			clear(d[16:])
			return d
		}}, []string{"a secret that differs in byte 16 does not unwrap", "a secret that differs in byte 31 does not unwrap"}},
		{"encrypts with any key", hsm.Faults{Encrypt: func(b []byte, err error) ([]byte, error) {
			if err != nil {
				return some, nil
			}
			return b, nil
		}}, []string{"the master key does not encrypt"}},
		{"decrypts anything with any key", hsm.Faults{Decrypt: func(b []byte, err error) ([]byte, error) {
			if err != nil {
				return some[:19], nil
			}
			return b, nil
		}}, []string{
			"the master key does not decrypt", "a key-encryption key does not decrypt", "an unwrapped RSA key that is to sign only does not decrypt", "a resident RSA key that is to sign only does not decrypt",
			"a sealed text with a changed tag is refused", "a sealed text is refused in another context",
		}},
		{"lets attributes be relaxed", hsm.Faults{
			Set: func(error) error { return nil },
			Wrap: func(b []byte, err error) ([]byte, error) {
				if err != nil {
					return some, nil
				}
				return b, nil
			},
		}, []string{"a p256 key cannot be made readable again", "a p256 key cannot be made extractable again"}},
		{"lets copies be relaxed", hsm.Faults{
			Copy: func(of, o uint, err error) (uint, error) { return of, nil },
			Wrap: func(b []byte, err error) ([]byte, error) {
				if err != nil {
					return some, nil
				}
				return b, nil
			},
		}, []string{"a copy of a p256 key cannot be made extractable"}},
		{"makes wrong signatures", hsm.Faults{Sign: func(b []byte, err error) ([]byte, error) {
			if len(b) > 0 {
				b[len(b)-1] ^= 1
			}
			return b, err
		}}, []string{"ECDSA signatures of an unwrapped p256 key", "ECDSA signatures of a resident p256 key",
			"PKCS #1 v1.5 signatures of an unwrapped rsa2048 key", "PSS signatures of an unwrapped rsa2048 key"}},
		{"makes one MAC for all", hsm.Faults{Sign: func([]byte, error) ([]byte, error) {
			return some[:32], nil
		}}, []string{"MACs depend on key and data"}},
		{"has no randomness", hsm.Faults{Random: func(b []byte, err error) ([]byte, error) {
			return some[:len(b)], err
		}}, []string{"random numbers differ"}},
		{"keeps session objects", hsm.Faults{Attribute: func(_ uint, v []byte, err error) ([]byte, error) {
			if err == hsm.RV(pkcs11.CKR_OBJECT_HANDLE_INVALID) {
				return []byte{1}, nil
			}
			return v, err
		}}, []string{"session objects are gone with their session"}},
		{"cannot derive", hsm.Faults{Before: func(call string) error {
			if call == "derive" {
				return hsm.RV(pkcs11.CKR_MECHANISM_INVALID)
			}
			return nil
		}}, []string{"key-encryption keys are derived inside the token"}},
		{"makes no key pairs", hsm.Faults{Before: func(call string) error {
			if call == "generatePair" {
				return hsm.RV(pkcs11.CKR_MECHANISM_INVALID)
			}
			return nil
		}}, []string{"a p256 key is generated", "a rsa2048 key is generated"}},
	}
	for i := range tests {
		t.Run(tests[i].name, func(t *testing.T) {
			t.Parallel()
			tok := openFaulty(t, &tests[i].fault)
			r, err := tok.SelfTest(context.Background())
			if hsm.KindOf(err) != hsm.Unsupported {
				t.Fatalf("the self-test said %v", err)
			}
			for _, want := range tests[i].want {
				at := slices.IndexFunc(r.Checks, func(c hsm.Check) bool { return strings.HasPrefix(c.Name, want) && !c.OK })
				if at < 0 {
					t.Errorf("no failed check %q", want)
				} else if c := r.Checks[at]; !c.Required || !strings.Contains(err.Error(), c.Name) {
					t.Errorf("%q is not in the error %v", c.Name, err)
				}
			}
		})
	}
}

// acceptAll answers a refused unwrap with the key that was unwrapped last.
func acceptAll() func(uint, error) (uint, error) {
	var last uint
	return func(o uint, err error) (uint, error) {
		if err == nil {
			last = o
		}
		return last, nil
	}
}

func TestSelfTestOfALostToken(t *testing.T) {
	t.Parallel()
	calls := 0
	f := &hsm.Faults{Before: func(call string) error {
		if calls++; calls > 40 {
			return hsm.RV(pkcs11.CKR_DEVICE_REMOVED)
		}
		return nil
	}}
	if _, err := openFaulty(t, f).SelfTest(context.Background()); hsm.KindOf(err) != hsm.TokenGone {
		t.Errorf("got %v, want TokenGone, not a verdict", err)
	}
}
