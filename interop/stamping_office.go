package main

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/digitorus/timestamp"
	"github.com/smallstep/pkcs7"
)

// libreOffice exports a PDF with a signature that has a stamp over it. It has no
// way to check one without its windows, so OpenSSL does.
func libreOffice() client {
	export := func(ctx context.Context, a *authority, url string) (string, error) {
		database, err := officeKey(ctx, a)
		if err != nil {
			return "", err
		}
		out := filepath.Join(a.dir, "office")
		os.RemoveAll(out)
		options := fmt.Sprintf(`{"SignPDF":{"type":"boolean","value":"true"},"SignatureTSA":{"type":"string","value":%q},"SignCertificateSubjectName":{"type":"string","value":"CN=Ada Esempio"}}`, url)
		cmd := exec.CommandContext(ctx, "soffice", "-env:UserInstallation=file://"+filepath.Join(a.dir, "office-profile"), "--headless",
			"--convert-to", "pdf:writer_pdf_Export:"+options, "--outdir", out, a.file)
		cmd.Env = append(os.Environ(), "MOZILLA_CERTIFICATE_FOLDER=sql:"+database)
		said, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return "", err
		}
		pdf := filepath.Join(out, strings.TrimSuffix(nameOf(a.file), filepath.Ext(a.file))+".pdf")
		if _, err := os.Stat(pdf); err != nil {
			return "", fmt.Errorf("no PDF: %s", said)
		}
		return pdf, nil
	}
	return client{name: "LibreOffice, openssl ts", missing: lacking("LibreOffice", "libreoffice-writer-nogui, libnss3-tools", "/usr/bin/soffice", "/usr/bin/certutil"),
		lacks: map[string]string{accountColumn: noAccounts},
		stamps: func(ctx context.Context, a *authority, _ string) error {
			pdf, err := export(ctx, a, a.url())
			if err != nil {
				return err
			}
			return stampInPDF(ctx, a, pdf)
		},
		// There is nothing to ask it for that it understands and we refuse: it has
		// neither policy nor algorithm to choose. Another file than a stamp it notices.
		refused: func(ctx context.Context, a *authority) error {
			if pdf, err := export(ctx, a, a.URL("/healthz")); err == nil {
				return fmt.Errorf("it made %s without a stamp", pdf)
			}
			return nil
		},
	}
}

// officeKey makes a key in a database of NSS, where LibreOffice looks for them.
func officeKey(ctx context.Context, a *authority) (string, error) {
	database := filepath.Join(a.dir, "office-nss")
	if _, err := os.Stat(database); err == nil {
		return database, nil
	}
	if err := os.Mkdir(database, 0o700); err != nil {
		return "", err
	}
	key, cert, p12 := a.path("office.key"), a.path("office.pem"), a.path("office.p12")
	for _, args := range [][]string{
		{"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=Ada Esempio", "-addext", "keyUsage=digitalSignature,nonRepudiation"},
		{"openssl", "pkcs12", "-export", "-inkey", key, "-in", cert, "-name", "ada", "-passout", "pass:", "-out", p12},
		{"certutil", "-d", "sql:" + database, "-N", "--empty-password"},
		{"pk12util", "-d", "sql:" + database, "-i", p12, "-W", ""},
		{"certutil", "-d", "sql:" + database, "-M", "-n", "ada", "-t", "CTu,CTu,CTu"},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	return database, nil
}

// stampInPDF takes the signature out of a PDF and the stamp out of the signature,
// and has OpenSSL check it. Not over the signature: LibreOffice 7.4 signs twice and
// puts the stamp over the first value beside the second.
func stampInPDF(ctx context.Context, a *authority, pdf string) error {
	data, err := os.ReadFile(pdf)
	if err != nil {
		return err
	}
	_, rest, ok := bytes.Cut(data, []byte("/Contents <"))
	text, _, closed := bytes.Cut(rest, []byte(">"))
	if !ok || !closed {
		return errors.New("no signature in the PDF")
	}
	der := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(der, text); err != nil {
		return err
	}
	p7, err := pkcs7.Parse(der) // in BER, and the room for it is larger than it
	if err != nil {
		return err
	}
	for _, s := range p7.Signers {
		for _, attribute := range s.UnauthenticatedAttributes {
			if !attribute.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}) { // id-aa-signatureTimeStampToken
				continue
			}
			token := a.path("office.tst")
			if err := os.WriteFile(token, attribute.Value.Bytes, 0o600); err != nil {
				return err
			}
			ts, err := timestamp.Parse(attribute.Value.Bytes)
			if err != nil {
				return err
			}
			said, err := tool(ctx, "openssl", "ts", "-verify", "-digest", hex.EncodeToString(ts.HashedMessage), "-in", token, "-token_in", "-CAfile", a.Root())
			return says(said, err, "Verification: OK")
		}
	}
	return errors.New("no stamp in the signature")
}
