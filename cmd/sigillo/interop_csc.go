package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigillo/signing"
)

// signOverCSC has pyHanko make signatures that are not ours with our keys, over the
// CSC API: the judges judge them as they do ours. pyhanko is the command that judges;
// the program that signs lies beside it.
func (d *demonstration) signOverCSC(ctx context.Context, c *client, key, pyhanko string) error {
	words := strings.Fields(pyhanko)
	if len(words) < 2 {
		return nil // told as missing elsewhere
	}
	otp, err := c.otp(ctx)
	if err != nil {
		return err
	}
	token, err := c.cscLogin(ctx, otp)
	if err != nil {
		return err
	}
	if otp, err = c.otp(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	plain, stamped := filepath.Join(d.out, "csc-"+key+"-B-B.pdf"), filepath.Join(d.out, "csc-"+key+"-B-T.pdf")
	cmd := exec.CommandContext(ctx, words[0], filepath.Join(filepath.Dir(words[len(words)-1]), "csc.py"),
		"--url", d.url, "--credential", c.holder.Credential, "--tsa", d.url+"/tsa", filepath.Join(d.docs, "contratto.pdf"), plain, stamped)
	cmd.Stdin = strings.NewReader(token + "\n" + c.holder.Password + "\n" + otp + "\n")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pyHanko's CSC signer: %w: %s", err, bytes.TrimSpace(out))
	}
	for _, f := range []signedFile{{path: plain, level: signing.BB}, {path: stamped, level: signing.BT}} {
		f.what, f.form = fmt.Sprintf("pades %s %s, pyHanko over CSC", f.level, key), signing.PAdES
		for _, j := range d.judges(ctx, f.form, f.level, f.path, filepath.Join(d.docs, "contratto.pdf")) {
			d.cell(f.what, j.name, j.judgement)
		}
		d.cell(f.what, "sigillo verify", d.verify(f.path, string(f.level)))
		d.files = append(d.files, f)
	}
	return nil
}

// contract has schemathesis hold the CSC API against its OpenAPI document: no answer
// may be a fault of ours, none of another status or shape than the document says, and
// what does not fit the document must be refused. That what fits is accepted cannot be
// asked: identifiers and hashes that are made up name nothing. Nor can it be asked that
// methods that are none of HTTP get status 405, which is fasthttp's to say.
func (d *demonstration) contract(ctx context.Context, c *client, command string) error {
	words := strings.Fields(command)
	if len(words) == 0 {
		fmt.Fprintln(d.e.out, "  MISSING  schemathesis was not set up and asks nothing")
		return nil
	}
	otp, err := c.otp(ctx)
	if err != nil {
		return err
	}
	token, err := c.cscLogin(ctx, otp)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], append(words[1:len(words):len(words)], "run", d.url+"/csc/openapi.json",
		"-H", "Authorization: Bearer "+token, "--phases", "examples,coverage,fuzzing", "--max-examples", "50", "--continue-on-failure",
		"--checks", "all", "--exclude-checks", "positive_data_acceptance,unsupported_method,ignored_auth")...)
	cmd.Dir = d.out // it leaves a folder behind
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	saw := "no failure"
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "generated") {
			saw = strings.TrimSpace(line)
		}
	}
	if err != nil {
		fmt.Fprintf(d.e.err, "%s", out)
	}
	d.checkErr("the CSC API keeps to its OpenAPI document, schemathesis", err, saw)
	return nil
}

// cscLogin gets a token of scope service, as an application of the holder's does.
func (c *client) cscLogin(ctx context.Context, otp string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/csc/v1/auth/login", strings.NewReader("{}"))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.holder.Username+":"+c.holder.Password+otp)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return "", err
	}
	var out struct {
		Token string `json:"access_token"`
	}
	if err = json.Unmarshal(body, &out); err == nil && out.Token == "" {
		err = errors.New(string(body))
	}
	return out.Token, err
}
