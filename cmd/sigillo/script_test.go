package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sigillo/auth"
)

// The command line, typed.
func TestScripts(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Abs(testdata)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"outside-pki": outsidePKI(t), "exits": exits, "flip": flip, "client-certificates": clientCertificates(t), "made-up-signatures": madeUpSignatures,
		},
		Setup: func(e *testscript.Env) error {
			dir := newFolder(t)
			e.Setenv("DIR", dir)
			e.Setenv("ROOT", filepath.Join(dir, "root.pem"))
			e.Setenv("DOCS", docs)
			return nil
		},
	})
}

// tamper is a helper program of the scripts: it runs a statement on a database
// file behind the store's back.
func tamper() int {
	db, err := sql.Open("sqlite", os.Args[1])
	if err == nil {
		defer db.Close()
		_, err = db.Exec(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// playHolder is a helper program of the scripts: it plays the holder at the
// operator's terminal, mistyping the first code.
func playHolder() int {
	cmd := exec.Command("sigillo", "holder", "add", "--dir", os.Args[1], "--username", os.Args[2],
		"--given-name", "Carla", "--surname", "Esempio", "--fiscal-code", "SMPDAA80A41H501X")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(in, "faro-lontano-82-vela")
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Println(lines.Text())
		uri := strings.TrimSpace(lines.Text())
		if !strings.HasPrefix(uri, "otpauth://") {
			continue
		}
		secret, err := otpSecret(uri)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := auth.TOTP(secret, time.Now())
		fmt.Fprintf(in, "%s\n%s\n", wrongOTP(code), code)
	}
	if err := cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
