package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// No command passes over a word that it does not know, and none does anything then.
func TestWordsTooMany(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is begun all the same ends at once
	for _, line := range []string{
		"init now", "serve now", "vault now", "interop now", "demo now", "journal verify now", "holder add now",
		"certificate list now", "delegation list", "delegation revoke a", "delegation give a", "holder key", "holder profiles", "holder roll-back", "holder withdraw a b", "tablet confirm", "tablet revoke a b", "tablet give", "help now", "certificate suspend", "certificate suspend 1 2", "certificate vouch 1",
		"tsa status now", "tsa stop", "tsa stop tsu-1 tsu-2", "tsa new-unit tsu-2", "tsa retire tsu-1 tsu-2", "tsa lift now", "tsa passphrase now",
		"tsa find now", "tsa export now", "tsa verify now", "tsa accept-loss now",
		"stamp split a b", "stamp extract a b", "stamp join a b c", "otp a b", "extend a b",
	} {
		args := strings.Fields(line)
		if args[0] != "help" && args[0] != "stamp" && args[0] != "otp" && args[0] != "extend" && args[0] != "interop" && args[0] != "demo" {
			args = append(args, "--dir", t.TempDir()+"/none")
		}
		var out, errs bytes.Buffer
		if code := dispatch(ctx, env{in: strings.NewReader(""), out: &out, err: &errs}, args); code != exitUsage || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("sigillo %s: exit %d, %s%s", line, code, &out, &errs)
		}
		if word := args[len(strings.Fields(line))-1]; word == "now" && args[0] != "help" && !strings.Contains(errs.String(), `a word too many: "now"`) && !strings.Contains(errs.String(), `una parola di troppo: "now"`) {
			t.Errorf("sigillo %s: %s", line, &errs)
		}
	}
}

// Who forgot the name of an option is told which it was.
func TestArchiveOption(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		strings.Repeat("ab", 20): "--digest", strings.Repeat("0A:", 31) + "0A": "--digest", "0x1f": "--serial", "123": "--serial",
		"2026-11-22": "--from", "2026-11-22T10:00:00Z": "--from", "tsu-1": "--unit", "acme": "--account", "deadbeef": "--account",
	} {
		if got := archiveOption(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}

// A period that ends before it begins is a slip; one of a day is not.
func TestPeriod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		good     bool
	}{
		{"", "", true}, {"2026-11-22", "", true}, {"", "2026-11-22", true}, {"2026-11-22", "2026-11-22", true},
		{"2026-11-22T10:00:00Z", "2026-11-22", true}, {"2026-11-23", "2026-11-22", false},
		{"2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", false}, {"2026-11-22T10:00:00Z", "2026-11-22T10:30:00+01:00", false},
	} {
		first, beyond, err := period(c.from, c.to)
		if (err == nil) != c.good || !c.good && (exitOf(err) != exitUsage || !strings.Contains(err.Error(), "--from")) {
			t.Errorf("%s to %s: [%s, %s), %v", c.from, c.to, first.Format(time.RFC3339), beyond.Format(time.RFC3339), err)
		}
	}
}
