package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/inspect"
	"sigillo/signing/worker"
)

// language is the user's, from the environment: Italian or English.
func language() string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			if strings.HasPrefix(s, "it") {
				return "it"
			}
			return "en"
		}
	}
	return "en"
}

// verdictExit are the exit codes of the inspection.
var verdictExit = map[inspect.Verdict]int{inspect.Allow: exitGood, inspect.Confirm: exitDoubtful, inspect.Refuse: exitBad}

func runInspect(ctx context.Context, e env, args []string) int {
	fs := flags(e, "inspect")
	asJSON := fs.Bool("json", false, "one JSON object a line")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		fmt.Fprintln(e.err, "sigillo: name the files to inspect")
		return exitUsage
	}
	exe, err := os.Executable()
	if err != nil {
		return failed(e, err)
	}
	worst := exitGood
	for _, path := range fs.Args() {
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintln(e.err, "sigillo:", err)
			worst = exitUnreadable
			continue
		}
		r, err := worker.Inspect(ctx, exe, path, path)
		if err != nil { // the report is a refusal
			fmt.Fprintln(e.err, "sigillo:", err)
		}
		worst = max(worst, verdictExit[r.Verdict])
		if *asJSON {
			err = printJSON(e.out, struct {
				File string `json:"file"`
				inspect.Report
			}{path, r})
		} else {
			printInspection(e.out, path, r)
		}
		if err != nil {
			return failed(e, err)
		}
	}
	return worst
}

func printInspection(w io.Writer, path string, r inspect.Report) {
	fmt.Fprintf(w, "%s: %s (%s)\n", path, r.Verdict, r.Format)
	for _, f := range r.Findings {
		text := f.Text.En
		if language() == "it" {
			text = f.Text.It
		}
		fmt.Fprintf(w, "  %-8s %s, %s: %s\n", f.Severity, f.Rule, f.Where, text)
	}
}

func printJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	return out, nil
}

func readDER(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if b, _ := pem.Decode(data); b != nil {
		return b.Bytes, nil
	}
	return data, nil
}

func runStamp(ctx context.Context, e env, args []string) int {
	fs := flags(e, "stamp")
	url := fs.String("url", "http://127.0.0.1:8080/tsa", "address of the time-stamping authority")
	out := fs.String("out", "", "file for the response (default FILE.tsr)")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() != 1 {
		return failed(e, errors.New("name one file to stamp"))
	}
	if *out == "" {
		*out = fs.Arg(0) + ".tsr"
	}
	at, err := stampFile(ctx, *url, fs.Arg(0), *out)
	if err != nil {
		return failed(e, err)
	}
	fmt.Fprintf(e.out, "%s: stamped at %s\n", *out, at.Format(time.RFC3339Nano))
	return exitGood
}

// stampFile asks a TSA to stamp a file, checks the answer against the request
// and stores it.
func stampFile(ctx context.Context, url, path, out string) (time.Time, error) {
	var zero time.Time
	f, err := os.Open(path)
	if err != nil {
		return zero, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return zero, err
	}
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return zero, err
	}
	req, err := cms.MarshalTimestampRequest(crypto.SHA256, h.Sum(nil), nonce, true)
	if err != nil {
		return zero, err
	}
	resp, err := post(ctx, url, req)
	if err != nil {
		return zero, err
	}
	token, err := checkResponse(req, resp)
	if err != nil {
		return zero, err
	}
	return token.Info.GenTime, os.WriteFile(out, resp, 0o644)
}

// checkResponse gives the token of a response after checking that it answers
// the request. Whom to trust is another question: see `sigillo verify`.
func checkResponse(req, resp []byte) (*cms.Token, error) {
	request, refusal := cms.ParseTimestampRequest(req)
	if refusal != nil {
		return nil, refusal
	}
	response, err := cms.ParseResponse(resp)
	if err != nil {
		return nil, err
	}
	der, err := response.Granted()
	if err != nil {
		return nil, err
	}
	token, err := cms.ParseToken(der)
	if err != nil {
		return nil, err
	}
	if err := token.Answers(request); err != nil {
		return nil, err
	}
	return token, token.VerifySignature()
}

func post(ctx context.Context, url string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the time-stamping authority answered %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}
