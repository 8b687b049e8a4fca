package hsm

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Files are the folders that a software token works in, and the configuration it
// reads, as far as they are known: those of SoftHSM from the file that SOFTHSM2_CONF
// names, that of NSS from the module's arguments. For a process that wants to be
// shut out of all others. Modules of other makers have files of their own, which
// the operator names.
func Files(arguments string) (own, config []string) {
	conf := os.Getenv("SOFTHSM2_CONF")
	if conf == "" {
		conf = "/etc/softhsm/softhsm2.conf"
	}
	if dir := softHSMDir(conf); dir != "" {
		own, config = append(own, dir), append(config, conf)
	}
	if m := nssDir.FindStringSubmatch(arguments); m != nil && filepath.IsAbs(m[1]) {
		own = append(own, m[1])
	}
	return own, config
}

var nssDir = regexp.MustCompile(`(?i)\bconfigdir=['"]?(?:sql:)?([^'"]+)`)

// softHSMDir is the directory of the tokens that a configuration of SoftHSM names,
// "" if it names none.
func softHSMDir(conf string) string {
	f, err := os.Open(conf)
	if err != nil {
		return ""
	}
	defer f.Close()
	dir := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "directories.tokendir" {
			dir = strings.TrimSpace(value)
		}
	}
	return dir
}
