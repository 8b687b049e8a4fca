package clientcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"

	"sigillo/formats/certpath"
)

const (
	maxFile        = 4 << 20
	maxFiles       = 1000
	maxAuthorities = 2000
)

// Load reads authorities from a file, PEM with one or more certificates or DER with
// one, or from all files ending in .pem, .crt, .cer or .der in a folder. The kind of
// its error is BadConfig; what cannot be read is one, so that nobody believes to
// trust whom he does not.
func Load(path string) ([]*x509.Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Error{Kind: BadConfig, Msg: "the authorities cannot be read", Err: err}
	}
	files := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, &Error{Kind: BadConfig, Msg: "the authorities cannot be read", Err: err}
		}
		files = nil
		for _, e := range entries {
			if slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, filepath.Ext(e.Name())) && !e.IsDir() {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	if len(files) > maxFiles {
		return nil, fail(BadConfig, "%s has more than %d files", path, maxFiles)
	}
	var out []*x509.Certificate
	for _, name := range files {
		list, err := loadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	if len(out) == 0 || len(out) > maxAuthorities {
		return nil, fail(BadConfig, "%s has %d certificates; 1 to %d are taken", path, len(out), maxAuthorities)
	}
	return out, nil
}

func loadFile(name string) ([]*x509.Certificate, error) {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		return nil, fail(BadConfig, "%s is no file, or too large", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, &Error{Kind: BadConfig, Msg: "the authorities cannot be read", Err: err}
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		c, err := certpath.ParseCertificate(data)
		if err != nil {
			return nil, &Error{Kind: BadConfig, Msg: name + " is no certificate", Err: err}
		}
		return []*x509.Certificate{c}, nil
	}
	var out []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return out, nil
		}
		if b.Type != "CERTIFICATE" {
			return nil, fail(BadConfig, "%s has a %q, which is no certificate", name, b.Type)
		}
		c, err := certpath.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, &Error{Kind: BadConfig, Msg: name + " has a certificate that cannot be read", Err: err}
		}
		out = append(out, c)
	}
}
