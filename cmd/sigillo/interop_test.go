package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/signing"
)

// A judge passes a file only by the very words it must say: another level, a
// lesser kind of signature, silence, and praise for an altered file fail.
func TestOutsider(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "judge")
	script := `while [ $# -gt 0 ]; do
	case $1 in
	--trust|--crl) shift ;;
	good) printf '%s\tCAdES-BASELINE-T\tTOTAL_PASSED\t-\t-\n' "$1" ;;
	lesser) printf '%s\tCAdES-BASELINE-B\tTOTAL_PASSED\t-\t-\n' "$1" ;;
	kind) printf '%s\tPKCS7-T\tTOTAL_PASSED\t-\tsigning-certificate is missing\n' "$1" ;;
	unsure) printf '%s\tCAdES-BASELINE-T\tINDETERMINATE\tTRY_LATER\t-\n' "$1" ;;
	broken) printf '%s\tCAdES-BASELINE-T\tTOTAL_FAILED\tHASH_FAILURE\t-\n' "$1" ;;
	crash) echo "out of memory" >&2; exit 1 ;;
	esac
	shift
done`
	if err := os.WriteFile(program, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	o := euDSS("sh " + program)
	file := func(path string, altered bool) signedFile {
		return signedFile{what: path, path: path, form: signing.CAdES, level: signing.BT, altered: altered}
	}
	files := []signedFile{file("good", false), file("lesser", false), file("kind", false), file("unsure", false), file("broken", false), file("silent", false), file("crash", false)}
	said, err := o.ask(t.Context(), "root.pem", []string{"a.crl", "b.crl"}, files)
	for path, want := range map[string]string{
		"good":   "",
		"lesser": "CAdES-BASELINE-B TOTAL_PASSED, not CAdES-BASELINE-T",
		"kind":   "signing-certificate is missing",
		"unsure": "INDETERMINATE TRY_LATER",
		"broken": "HASH_FAILURE",
		"silent": "out of memory",
		"crash":  "out of memory",
	} {
		j := o.judge(file(path, false), said, err)
		if (j.err == nil) != (want == "") || j.err != nil && !strings.Contains(j.err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, j.err, want)
		}
	}
	if j := o.judge(file("broken", true), said, err); j.err != nil {
		t.Error("an altered file was refused, as it must be:", j.err)
	}
	if j := o.judge(file("good", true), said, err); j.err == nil {
		t.Error("an altered file was accepted")
	}
	if j := o.judge(file("silent", false), said, nil); j.err == nil || !strings.Contains(j.err.Error(), "said nothing") {
		t.Error("a file passed over in silence:", j.err)
	}
}
