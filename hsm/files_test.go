package hsm_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigillo/hsm"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, c := range []struct {
		conf, arguments string
		own             []string
		read            bool // the configuration
	}{
		{"", "", nil, false},
		{"log.level = ERROR\n", "", nil, false},
		{"# directories.tokendir = /no\n directories.tokendir =  /var/lib/tokens # here\nslots.removable = false\n", "", []string{"/var/lib/tokens"}, true},
		{"directories.tokendir=/a b\n", "configDir='sql:/nss' certPrefix=''", []string{"/a b", "/nss"}, true},
		{"", `flags="" configdir="/other" `, []string{"/other"}, false},
		{"", "configDir='sql:relative'", nil, false},
		{"", "noconfigDir='/x'", nil, false},
	} {
		if err := os.WriteFile(conf, []byte(c.conf), 0o600); err != nil {
			t.Fatal(err)
		}
		own, config := hsm.Files(c.arguments)
		if !slices.Equal(own, c.own) {
			t.Errorf("%q, %q: %q, want %q", c.conf, c.arguments, own, c.own)
		}
		if slices.Equal(config, []string{conf}) != c.read {
			t.Errorf("%q: read %q", c.conf, config)
		}
	}
}
