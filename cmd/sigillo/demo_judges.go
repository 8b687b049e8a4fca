package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigillo/auth"
	"sigillo/formats/validate"
	"sigillo/signing"
)

// judgement is what a program said, in a few words, or why it does not hold.
type judgement struct {
	saw string
	err error
}

func (d *demonstration) external(_ context.Context, what string, j judgement) {
	d.checkErr(what, j.err, j.saw)
}

func totpAt(secret []byte, step int64) string { return auth.TOTP(secret, time.Unix(step*30, 0)) }

// tool runs a program that is not ours and gives all it printed. Its exit code
// is not trusted: pdfsig says 0 on a digest mismatch. What it prints is parsed.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", fmt.Errorf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	return string(out), nil
}

// says judges a tool's output: every phrase must be there.
func says(name, out string, err error, phrases ...string) judgement {
	if err != nil {
		return judgement{err: err}
	}
	for _, p := range phrases {
		if !strings.Contains(out, p) {
			return judgement{err: fmt.Errorf("%s did not say %q but: %s", name, p, strings.TrimSpace(out))}
		}
	}
	return judgement{saw: strings.Join(phrases, "; ")}
}

// pdfsig checks a PDF. What makes it last comes after what was signed.
func pdfsig(ctx context.Context, path string, level signing.Level) judgement {
	out, err := tool(ctx, "pdfsig", "-nocert", path)
	covers := "Total document signed"
	if level == signing.BLT {
		covers = "Not total document signed"
	}
	return says("pdfsig", out, err, "Signature is Valid", covers, "ETSI.CAdES.detached")
}

func opensslCMS(ctx context.Context, p7m, original, root string) judgement {
	content := p7m + ".content"
	out, err := tool(ctx, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", p7m, "-CAfile", root, "-purpose", "any", "-out", content)
	j := says("openssl cms", out, err, "Verification successful")
	if j.err != nil {
		return j
	}
	if j.err = sameBytes(original, content); j.err == nil {
		j.saw += "; the content is the original document"
	}
	return j
}

func xmlsec(ctx context.Context, path, root string) judgement {
	out, err := tool(ctx, "xmlsec1", "--verify", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--trusted-pem", root, path)
	if err == nil && !strings.HasPrefix(out, "OK") {
		return judgement{err: fmt.Errorf("xmlsec1 said: %s", strings.TrimSpace(out))}
	}
	return says("xmlsec1", out, err, "OK", "SignedInfo References (ok/all): 2/2")
}

func opensslTS(ctx context.Context, tsr, original, root string) judgement {
	out, err := tool(ctx, "openssl", "ts", "-verify", "-in", tsr, "-data", original, "-CAfile", root)
	return says("openssl ts", out, err, "Verification: OK")
}

// lists fetches the current revocation lists, as a relying party would.
func (d *demonstration) lists() ([]string, error) {
	var crls []string
	for _, ca := range []string{"root-ca", "issuing-ca", "tsa-ca"} {
		file := filepath.Join(d.out, ca+".crl")
		if err := get(d.url+"/crl/"+ca+".crl", file); err != nil {
			return nil, err
		}
		crls = append(crls, file)
	}
	return crls, nil
}

// verify has our own validator judge a file with the current lists.
func (d *demonstration) verify(path, level string) judgement {
	crls, err := d.lists()
	if err != nil {
		return judgement{err: err}
	}
	var out, errs bytes.Buffer
	code := runVerify(context.Background(), env{out: &out, err: &errs}, []string{"--trust", d.layout().Root(), "--crl", strings.Join(crls, ","), "--json", path})
	var r validate.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return judgement{err: fmt.Errorf("sigillo verify: %w: %s", err, errs.String())}
	}
	if code != exitGood || r.Indication != validate.TotalPassed || len(r.Signatures) != 1 || r.Signatures[0].Level != level {
		return judgement{err: fmt.Errorf("sigillo verify said: %s", out.String())}
	}
	return judgement{saw: string(r.Indication) + ", level " + r.Signatures[0].Level}
}

// opensslOCSP asks the status responder about a holder's certificate.
func (d *demonstration) opensslOCSP(ctx context.Context, c *client) judgement {
	cred, err := c.credential(ctx)
	if err != nil {
		return judgement{err: err}
	}
	issuer := filepath.Join(d.out, "issuing-ca.pem")
	if err := d.fetchPEM("issuing-ca", issuer); err != nil {
		return judgement{err: err}
	}
	out, err := tool(ctx, "openssl", "ocsp", "-issuer", issuer, "-serial", "0x"+cred.Serial, "-url", d.url+"/ocsp/issuing-ca", "-CAfile", d.layout().Root())
	return says("openssl ocsp", out, err, "Response verify OK", ": revoked", "certificateHold")
}

// opensslCRL looks a holder's certificate up in the revocation list.
func (d *demonstration) opensslCRL(ctx context.Context, c *client) judgement {
	cred, err := c.credential(ctx)
	if err != nil {
		return judgement{err: err}
	}
	file, issuer := filepath.Join(d.out, "now.crl"), filepath.Join(d.out, "issuing-ca.pem")
	if err := get(d.url+"/crl/issuing-ca.crl", file); err != nil {
		return judgement{err: err}
	}
	out, err := tool(ctx, "openssl", "crl", "-inform", "DER", "-in", file, "-noout", "-text", "-CAfile", issuer)
	serial := strings.ToUpper(cred.Serial)
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	return says("openssl crl", out, err, "verify OK", serial, "Certificate Hold")
}

func (c *client) credential(ctx context.Context) (signing.Credential, error) {
	var list []signing.Credential
	if err := c.do(ctx, http.MethodGet, "/credentials", nil, &list); err != nil {
		return signing.Credential{}, err
	}
	for _, cred := range list {
		if cred.ID == c.holder.Credential {
			return cred, nil
		}
	}
	return signing.Credential{}, errors.New("the holder's credential is not listed")
}

func get(url, file string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// fetchPEM stores the certificate of an authority, as its AIA address gives it.
func (d *demonstration) fetchPEM(ca, file string) error {
	if err := get(d.url+"/certs/"+ca+".crt", file); err != nil {
		return err
	}
	der, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// keepsBytes says whether the original is a prefix of the signed file.
func keepsBytes(original, signed string) error {
	a, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(signed)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, a) || len(b) == len(a) {
		return errors.New("the signed file does not begin with the original")
	}
	return nil
}

func sameBytes(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return errors.New("the content is not the original document")
	}
	return nil
}
