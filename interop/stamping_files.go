package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
)

// fileClients sign files and have the signatures stamped. Their signing keys are
// thrown away; only the stamps are looked at.
func fileClients(f pkiFiles) []client {
	all := []client{osslsigncode(), libreOffice()}
	for _, digest := range []string{"SHA-256", "SHA-384", "SHA-512"} {
		all = append(all, jarsigner(digest))
	}
	return all
}

const noAccounts = "has no way to give a password"

// osslsigncode puts Authenticode signatures into Windows programs; it speaks HTTP/1.0.
func osslsigncode() client {
	sign := func(ctx context.Context, a *authority, digest, out string) (string, error) {
		in, key, cert := a.path("tiny.exe"), a.path("code.key"), a.path("code.pem")
		if err := os.WriteFile(in, tinyProgram(), 0o600); err != nil {
			return "", err
		}
		said, err := tool(ctx, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
			"-days", "30", "-subj", "/CN=Programmi di prova", "-addext", "extendedKeyUsage=codeSigning", "-addext", "keyUsage=digitalSignature")
		if err != nil {
			return said, err
		}
		os.Remove(out)
		return tool(ctx, "osslsigncode", "sign", "-certs", cert, "-key", key, "-h", digest, "-ts", a.url(), "-in", in, "-out", out)
	}
	return client{name: "osslsigncode", missing: lacking("osslsigncode", "osslsigncode", "/usr/bin/osslsigncode"),
		lacks: map[string]string{accountColumn: noAccounts},
		stamps: func(ctx context.Context, a *authority, _ string) error {
			out := a.path("stamped.exe")
			if said, err := sign(ctx, a, "sha256", out); err != nil || !strings.Contains(said, "Succeeded") {
				return fmt.Errorf("%v: %s", err, said)
			}
			said, err := tool(ctx, "osslsigncode", "verify", "-in", out, "-CAfile", a.path("code.pem"), "-TSA-CAfile", a.Root())
			return says(said, err, "Timestamp Server Signature verification: ok", "Number of verified signatures: 1")
		},
		refused: func(ctx context.Context, a *authority) error {
			out := a.path("refused.exe")
			said, err := sign(ctx, a, "sha1", out)
			if _, statErr := os.Stat(out); statErr == nil {
				return errors.New("a file was made")
			}
			return says(said, err, "Timestamping failed: status 2", "SHA-1")
		},
	}
}

// tinyProgram is the smallest program for 64-bit Windows that tools take for one:
// a section with one instruction, RET.
func tinyProgram() []byte {
	le := binary.LittleEndian
	b := make([]byte, 64, 1024)
	copy(b, "MZ")
	le.PutUint32(b[60:], 64)
	b = append(b, "PE\x00\x00"...)
	add := func(values ...any) {
		var w bytes.Buffer
		for _, v := range values {
			_ = binary.Write(&w, le, v)
		}
		b = append(b, w.Bytes()...)
	}
	add(uint16(0x8664), uint16(1), [3]uint32{}, uint16(240), uint16(0x22)) // x86-64, one section
	add(uint16(0x20b), uint16(14), [5]uint32{512, 0, 0, 0x1000, 0x1000}, uint64(0x140000000), [2]uint32{0x1000, 512},
		[8]uint16{6, 0, 0, 0, 6, 0, 0, 0}, [3]uint32{0x2000, 512, 0}, [2]uint16{3, 0},
		[4]uint64{0x100000, 0x1000, 0x100000, 0x1000}, [2]uint32{0, 16}, [16]uint64{})
	b = append(b, ".text\x00\x00\x00"...)
	add([4]uint32{1, 0x1000, 512, 512}, [2]uint32{}, [2]uint16{}, uint32(0x60000020))
	b = append(b, make([]byte, 512-len(b))...)
	b = append(b, 0xc3)
	return append(b, make([]byte, 511)...)
}

// jarsigner is Java's own signer of archives.
func jarsigner(digest string) client {
	sign := func(ctx context.Context, a *authority, out string, more ...string) (string, error) {
		store, in := a.path("jar-"+digest+".p12"), a.path("jar-"+digest+".jar")
		if err := zipOf(in, a.file); err != nil {
			return "", err
		}
		os.Remove(store)
		password := []string{"-keystore", store, "-storepass", "dimostrazione"}
		for _, args := range [][]string{
			{"-genkeypair", "-alias", "code", "-keyalg", "EC", "-dname", "CN=Programmi di prova", "-validity", "30"},
			{"-importcert", "-trustcacerts", "-noprompt", "-alias", "root", "-file", a.Root()},
		} {
			if said, err := tool(ctx, "keytool", append(args, password...)...); err != nil {
				return said, err
			}
		}
		os.Remove(out)
		args := append(password, "-J-Duser.language=en", "-tsa", a.url(), "-tsadigestalg", digest, "-signedjar", out)
		return tool(ctx, "jarsigner", append(append(args, more...), in, "code")...)
	}
	return client{name: "jarsigner, " + digest, missing: lacking("jarsigner", "default-jdk-headless", "/usr/bin/jarsigner"),
		lacks: map[string]string{accountColumn: noAccounts},
		stamps: func(ctx context.Context, a *authority, _ string) error {
			out := a.path("stamped-" + digest + ".jar")
			said, err := sign(ctx, a, out)
			if err := says(said, err, "jar signed."); err != nil {
				return err
			}
			if strings.Contains(said, "TSA certificate chain is invalid") {
				return errors.New(said)
			}
			said, err = tool(ctx, "jarsigner", "-J-Duser.language=en", "-verify", "-verbose", "-certs", "-keystore", a.path("jar-"+digest+".p12"), "-storepass", "dimostrazione", out)
			return says(said, err, "jar verified.", "Timestamped by", "Timestamp digest algorithm: "+digest)
		},
		refused: func(ctx context.Context, a *authority) error {
			out := a.path("refused-" + digest + ".jar")
			said, err := sign(ctx, a, out, "-tsapolicyid", wrongPolicy)
			if _, statErr := os.Stat(out); statErr == nil {
				return errors.New("a file was made")
			}
			return says(said, err, "the timestamp request was rejected", "policy is not supported")
		},
	}
}
