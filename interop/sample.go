package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sigillo/formats/ades"
)

// form is a form of signature, or of the container around signatures.
type form string

const (
	cadesForm form = "CAdES"
	padesForm form = "PAdES"
	xadesForm form = "XAdES"
	jadesForm form = "JAdES"
	asicCades form = "ASiC CAdES" // containers with CAdES signatures or a time-stamp alone
	asicXades form = "ASiC XAdES"
	records   form = "evidence record" // RFC 4998
)

// sample is a signed file to be judged.
type sample struct {
	kind string // its row in the matrix: form, level, packaging, key
	form form
	key  string // type of the signer's key
	// levels are those of its signatures in EU DSS's words, with commas between;
	// "TIMESTAMP" is a time-stamp alone, "EVIDENCE" an evidence record.
	levels   string
	path     string
	contents []string // signed files outside of it
	document string   // what was signed: told by other means when it is inside
	password string
	wrapped  bool   // the document is inside of another signed file that was signed
	foreign  string // the judge that made it; empty: we did
	archive  bool   // it says that it is PDF/A
	altered  bool   // a copy in which what was signed has changed: to be refused
}

// baseline gives the words of EU DSS for a level of a form.
func baseline(f form, l ades.Level) string {
	words := string(f)
	if i := strings.LastIndex(words, " "); i >= 0 {
		words = words[i+1:]
	}
	return words + "-BASELINE-" + strings.TrimPrefix(string(l), "B-")
}

// alteration finds a place of the signed content and what to put there. The
// changed file stays readable, so that a judge has to look at the signature.
type alteration struct {
	find []byte
	at   int // from the start of what is found
	put  func(byte) byte
}

func flip(b byte) byte { return b ^ 1 }

// alterations are the ways in which a document can stand in a signed file.
func alterations(document []byte) []alteration {
	const head = 24 // octets, divisible by 3
	start := document[:min(head, len(document))]
	other := func(b byte) byte { // another digit of base64
		if b == 'A' {
			return 'B'
		}
		return 'A'
	}
	raw := alteration{start, len(start) - 1, flip}
	switch {
	case bytes.HasPrefix(document, []byte("%PDF-")):
		raw = alteration{[]byte("%PDF-1."), len("%PDF-1."), flip}
		if bytes.HasPrefix(document, []byte("%PDF-2.0")) {
			raw = alteration{[]byte("%PDF-2.0"), len("%PDF-"), func(byte) byte { return '1' }}
		}
	case bytes.HasPrefix(document, []byte("PK\x03\x04")):
		raw = alteration{[]byte("PK\x03\x04"), 4, flip}
	case bytes.Contains(document, []byte("<Numero>")):
		raw = alteration{[]byte("<Numero>"), len("<Numero>"), flip}
	}
	return []alteration{
		raw,
		{[]byte(base64.StdEncoding.EncodeToString(start)), 20, other},
		{[]byte(base64.RawURLEncoding.EncodeToString(start)), 20, other},
	}
}

// apply changes one octet; false: the document does not stand there.
func apply(data, document []byte) bool {
	for _, a := range alterations(document) {
		if i := bytes.Index(data, a.find); i >= 0 && i+a.at < len(data) {
			data[i+a.at] = a.put(data[i+a.at])
			return true
		}
	}
	return false
}

// alter makes the copy of a sample that every judge must refuse.
func alter(s sample) (sample, error) {
	document, err := os.ReadFile(s.document)
	if err != nil {
		return s, err
	}
	s.altered = true
	if len(s.contents) > 0 { // the names are kept, for they may be signed
		dir := filepath.Join(filepath.Dir(s.path), "altered "+filepath.Base(s.path))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return s, err
		}
		apply(document, document)
		path := filepath.Join(dir, filepath.Base(s.contents[0]))
		s.contents = append([]string{path}, s.contents[1:]...)
		return s, os.WriteFile(path, document, 0o600)
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return s, err
	}
	changed := false
	if s.form == asicCades || s.form == asicXades {
		data, changed, err = alterContainer(data, document)
		if err != nil {
			return s, err
		}
	} else {
		changed = apply(data, document)
	}
	if !changed {
		return s, fmt.Errorf("%s: the document was not found in it", s.path)
	}
	s.path = filepath.Join(filepath.Dir(s.path), "altered "+filepath.Base(s.path))
	return s, os.WriteFile(s.path, data, 0o600)
}

// alterContainer changes the document in a ZIP file and copies the rest as it is.
func alterContainer(data, document []byte) ([]byte, bool, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, false, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	changed := false
	for _, f := range r.File {
		if strings.HasPrefix(f.Name, "META-INF/") || f.Name == "mimetype" || changed {
			if err := w.Copy(f); err != nil {
				return nil, false, err
			}
			continue
		}
		rc, err := f.Open()
		if err != nil {
			return nil, false, err
		}
		content, err := io.ReadAll(rc)
		if err != nil {
			return nil, false, err
		}
		changed = apply(content, document)
		e, err := w.Create(f.Name)
		if err != nil {
			return nil, false, err
		}
		if _, err := e.Write(content); err != nil {
			return nil, false, err
		}
	}
	err = w.Close()
	return out.Bytes(), changed, err
}
