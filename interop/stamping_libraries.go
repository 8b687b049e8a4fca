package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/digitorus/timestamp"
	"github.com/smallstep/pkcs7"
)

// The programs around libraries, in folder interop/clients.
const clientsFolder = "interop/clients"

// debianPython is the one that Debian's packages of libraries belong to.
const debianPython = "/usr/bin/python3"

// libraryClients are libraries with small programs around them. Each program takes
// the address and the file first, and says "stamped" or "refused" with what the
// library tells its user.
func (r *run) libraryClients() []client {
	orNone := func(account string) string { return orDash(account) }
	said := func(want ...string) func(string, error) error {
		return func(out string, err error) error {
			if err == nil && !strings.HasPrefix(lastLine(out), want[0]) {
				return errors.New(out)
			}
			return says(out, err, want...)
		}
	}
	stamped := said("stamped")

	java := "/usr/share/java/"
	bouncy := []string{"-cp", java + "bcpkix.jar:" + java + "bcprov.jar:" + java + "bcutil.jar", filepath.Join(clientsFolder, "BouncyCastle.java")}
	bouncyAsk := func(ctx context.Context, a *authority, policy, account string) (string, error) {
		return tool(ctx, "java", append(bouncy, a.url(), a.file, a.Root(), policy, account)...)
	}
	bouncyCastle := client{name: "BouncyCastle", missing: lacking("BouncyCastle", "libbcpkix-java", java+"bcpkix.jar", "/usr/bin/java"),
		stamps: func(ctx context.Context, a *authority, account string) error {
			return stamped(bouncyAsk(ctx, a, "-", orNone(account)))
		},
		refused: func(ctx context.Context, a *authority) error {
			// BouncyCastle gives the bits of PKIFailureInfo as a number: bit 15 is 256.
			return said("refused 2 256 ", "policy")(bouncyAsk(ctx, a, wrongPolicy, "-"))
		}}

	ngAsk := func(ctx context.Context, a *authority, policy, account string) (string, error) {
		return tool(ctx, debianPython, filepath.Join(clientsFolder, "ask_rfc3161ng.py"), a.url(), a.file, a.path("rfc3161ng.tst"), policy, account)
	}
	rfc3161ng := client{name: "rfc3161ng, openssl ts", missing: lacking("rfc3161ng", "python3-rfc3161ng", "/usr/lib/python3/dist-packages/rfc3161ng"),
		stamps: func(ctx context.Context, a *authority, account string) error {
			if err := stamped(ngAsk(ctx, a, "-", orNone(account))); err != nil {
				return err
			}
			out, err := tool(ctx, "openssl", "ts", "-verify", "-data", a.file, "-in", a.path("rfc3161ng.tst"), "-token_in", "-CAfile", a.Root())
			return says(out, err, "Verification: OK")
		},
		refused: func(ctx context.Context, a *authority) error {
			return said("refused 2 0000000000000001", "policy")(oneLineOf(ngAsk(ctx, a, wrongPolicy, "-")))
		}}

	return []client{bouncyCastle, rfc3161ng, r.dssClient(said), r.hankoClient(said), digitorusClient()}
}

// said makes a check of what a program printed: how its last line starts, and words.
type saidFunc = func(want ...string) func(string, error) error

// dssClient is OnlineTSPSource of EU DSS, which validates the token too.
func (r *run) dssClient(said saidFunc) client {
	ask := func(ctx context.Context, a *authority, policy, account string) (string, error) {
		// The command of the judge ends with its jar.
		args := []string{"-cp", r.dssOnce[len(r.dssOnce)-1], "Stamp", a.url(), a.file, policy, account, "SHA512", "--trust", a.Root()}
		for _, list := range a.crls {
			args = append(args, "--crl", list)
		}
		return tool(ctx, "java", args...)
	}
	return client{name: "EU DSS",
		missing: func() string {
			if len(r.dssOnce) == 0 {
				return "EU DSS was not set up"
			}
			return ""
		},
		stamps: func(ctx context.Context, a *authority, account string) error {
			return said("stamped")(ask(ctx, a, "-", orDash(account)))
		},
		refused: func(ctx context.Context, a *authority) error {
			return said("refused", "policy", "PKIFailureInfo: 0x100")(ask(ctx, a, wrongPolicy, "-"))
		}}
}

// hankoClient is pyHanko's HTTPTimeStamper, with its validation.
func (r *run) hankoClient(said saidFunc) client {
	ask := func(ctx context.Context, a *authority, account string) (string, error) {
		return tool(ctx, r.hankoOnce[0], filepath.Join(clientsFolder, "ask_pyhanko.py"), a.url(), a.file, a.Root(), "sha256", account)
	}
	return client{name: "pyHanko",
		missing: func() string {
			if len(r.hankoOnce) == 0 {
				return "pyHanko was not set up"
			}
			return ""
		},
		lacks: map[string]string{refusedColumn: "cannot read a refusal: its parser wants a token in every answer, which RFC 3161 §2.4.2 does not"},
		stamps: func(ctx context.Context, a *authority, account string) error {
			return said("stamped")(ask(ctx, a, orDash(account)))
		}}
}

// digitorusClient asks and checks with digitorus/timestamp, and has the signature
// checked by smallstep/pkcs7 too.
func digitorusClient() client {
	options := func() *timestamp.RequestOptions {
		return &timestamp.RequestOptions{Hash: crypto.SHA384, Certificates: true, Nonce: big.NewInt(0x1234567890)}
	}
	return client{name: "digitorus/timestamp, smallstep/pkcs7", missing: func() string { return "" },
		stamps: func(ctx context.Context, a *authority, account string) error {
			answer, err := askDigitorus(ctx, a, account, options())
			if err != nil {
				return err
			}
			ts, err := parseResponse(answer)
			if err != nil {
				return err
			}
			if ts.Nonce.Cmp(options().Nonce) != 0 || ts.HashAlgorithm != crypto.SHA384 {
				return fmt.Errorf("nonce %v, %v", ts.Nonce, ts.HashAlgorithm)
			}
			p7, err := pkcs7.Parse(ts.RawToken)
			if err != nil {
				return err
			}
			if err := p7.Verify(); err != nil {
				return err
			}
			return checkPath(ts, a.Root())
		},
		refused: func(ctx context.Context, a *authority) error {
			o := options()
			o.TSAPolicyOID = asn1.ObjectIdentifier{1, 2, 3, 4}
			answer, err := askDigitorus(ctx, a, "", o)
			if err != nil {
				return err
			}
			if _, err = parseResponse(answer); err == nil {
				return errors.New("a stamp was given under another policy")
			}
			return says(err.Error(), nil, "policy")
		}}
}

func askDigitorus(ctx context.Context, a *authority, account string, o *timestamp.RequestOptions) ([]byte, error) {
	data, err := os.ReadFile(a.file)
	if err != nil {
		return nil, err
	}
	der, err := timestamp.CreateRequest(bytes.NewReader(data), o)
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url(), bytes.NewReader(der))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/timestamp-query")
	if account != "" {
		q.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(account)))
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, 1<<20))
}

// zipOf makes an archive with one file in it.
func zipOf(path, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(filepath.Base(file))
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

// lastLine is what a program said last; a compiler may have said something before.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

func oneLineOf(out string, err error) (string, error) { return oneLine(out), err }
