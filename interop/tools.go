package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// program is a judge that is started anew for each file. Its exit code is not
// trusted, for pdfsig's is 0 on a digest mismatch: what it prints is read.
type program struct {
	title, command string
	judges         func(s sample) bool
	look           func(ctx context.Context, s sample) opinion
	lacks          map[string]string // by type of key, why such signatures are not judged
}

func (p *program) name() string { return p.title }

func (p *program) missing() string {
	if _, err := exec.LookPath(p.command); err != nil {
		return p.command + " is not installed"
	}
	return ""
}

func (p *program) can(s sample) bool { return p.judges(s) }

func (p *program) limit(s sample) string { return p.lacks[s.key] }

func (p *program) judge(ctx context.Context, s sample) opinion { return p.look(ctx, s) }

// tool runs a program and gives all that it printed.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// tools are the judges that are packages of Debian.
func tools(f pkiFiles) []judge {
	pdf := func(s sample) bool { return s.form == padesForm }
	return []judge{
		&program{"openssl", "openssl", func(s sample) bool { return s.form == cadesForm }, f.openssl,
			map[string]string{"ed25519": "OpenSSL 3.0 has no Ed25519 in CMS"}},
		&program{"xmlsec1", "xmlsec1", func(s sample) bool { return s.form == xadesForm }, f.xmlsec,
			map[string]string{"ed25519": "xmlsec1 1.2 has no Ed25519", "pss": "xmlsec1 1.2 has no RSASSA-PSS"}},
		&program{"pdfsig", "pdfsig", func(s sample) bool { return pdf(s) && s.levels != "TIMESTAMP" }, pdfsig,
			map[string]string{"ed25519": "the NSS below pdfsig has no Ed25519"}},
		&program{"qpdf", "qpdf", func(s sample) bool { return pdf(s) && !s.altered }, qpdf, nil},
		&program{"mutool", "mutool", func(s sample) bool { return pdf(s) && s.levels != "TIMESTAMP" && s.password == "" }, mutool,
			map[string]string{"ed25519": "mutool has no Ed25519", "pss": "mutool has no RSASSA-PSS"}},
	}
}

// openssl checks the CMS, the certificate path and the signing-certificate
// attribute, and the content that it gives out is compared with the document.
func (f pkiFiles) openssl(ctx context.Context, s sample) opinion {
	out := s.path + ".content"
	defer os.Remove(out)
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", s.path, "-CAfile", f.root, "-purpose", "any", "-out", out}
	if len(s.contents) > 0 {
		args = append(args, "-content", s.contents[0])
	}
	said, err := tool(ctx, "openssl", args...)
	switch {
	case err != nil:
		return doubt("%v", err)
	case strings.Contains(said, "CAdES Verification successful"), strings.Contains(said, "CMS Verification successful"):
		if s.altered {
			return accept(said)
		}
		return sameContent(s, out)
	case strings.Contains(said, "digest verification error"), strings.Contains(said, "verification failure"), strings.Contains(said, "digest mismatch"):
		return refuse(said)
	}
	return doubt("%s", said)
}

func sameContent(s sample, content string) opinion {
	a, err := os.ReadFile(s.document)
	if err != nil {
		return doubt("%v", err)
	}
	b, err := os.ReadFile(content)
	if err != nil {
		return doubt("%v", err)
	}
	if !bytes.Equal(a, b) && !(s.wrapped && bytes.Contains(b, a)) {
		return doubt("successful, but the content is not the document")
	}
	return accept("successful")
}

// xmlsec checks the XML signatures; it knows nothing of XAdES.
func (f pkiFiles) xmlsec(ctx context.Context, s sample) opinion {
	args := []string{"--verify", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object",
		"--id-attr:Id", "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2:FatturaElettronica",
		"--trusted-pem", f.root, "--untrusted-pem", f.ca}
	for _, c := range s.contents {
		args = append(args, "--url-map:"+nameOf(c), c)
	}
	said, err := tool(ctx, "xmlsec1", append(args, s.path)...)
	switch {
	case err != nil:
		return doubt("%v", err)
	case strings.Contains("\n"+said, "\nFAIL\n"), !allManifests(said):
		return refuse(said)
	case strings.Contains("\n"+said, "\nOK\n"):
		return accept(said)
	}
	return doubt("%s", said)
}

// allManifests reports whether all references of manifests are as they must be,
// which xmlsec1 counts but does not hold against a signature.
func allManifests(said string) bool {
	_, counts, ok := strings.Cut(said, "Manifests References (ok/all): ")
	if !ok {
		return true
	}
	var good, all int
	_, err := fmt.Sscanf(counts, "%d/%d", &good, &all)
	return err == nil && good == all
}

// pdfsig checks the signatures, not the certificates.
func pdfsig(ctx context.Context, s sample) opinion {
	args := []string{"-nocert"}
	if s.password != "" {
		args = append(args, "-upw", s.password)
	}
	said, err := tool(ctx, "pdfsig", append(args, s.path)...)
	if err != nil {
		return doubt("%v", err)
	}
	signatures := strings.Count(s.levels, ",") + 1
	switch valid := strings.Count(said, "Signature Validation: Signature is Valid."); {
	case strings.Contains(said, "Digest Mismatch"), strings.Contains(said, "Signature is Invalid"):
		return refuse(said)
	case valid == signatures:
		return accept(fmt.Sprint(valid, " valid"))
	}
	return doubt("%s", said)
}

// qpdf checks that the file is still well formed, and says so without a warning.
func qpdf(ctx context.Context, s sample) opinion {
	args := []string{"--check"}
	if s.password != "" {
		args = append(args, "--password="+s.password)
	}
	said, err := tool(ctx, "qpdf", append(args, s.path)...)
	if err != nil {
		return doubt("%v", err)
	}
	if strings.Contains(said, "No syntax or stream encoding errors found") && !strings.Contains(said, "WARNING") {
		return accept("no errors")
	}
	return doubt("%s", said)
}

// mutool checks the digest and what was changed since; it trusts no certificate
// of this run and does not know document time-stamps.
func mutool(ctx context.Context, s sample) opinion {
	said, err := tool(ctx, "mutool", "sign", "-v", s.path)
	if err != nil {
		return doubt("%v", err)
	}
	switch {
	case strings.Contains(said, "Digest failure"), strings.Contains(said, "invalidated"), strings.Contains(said, "Signature invalidated"):
		return refuse(said)
	case strings.Count(said, "The document is unchanged since signing")+strings.Count(said, "The signature is valid but there have been edits since signing") == strings.Count(s.levels, ",")+1:
		return accept(said)
	}
	return doubt("%s", said)
}
