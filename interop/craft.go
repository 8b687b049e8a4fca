package main

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/xades"
)

// craft signs, stamps and raises with the packages below formats.
type craft struct {
	pki      *pki
	services *services
}

// unfinished lacks a value and perhaps a time-stamp over it.
type unfinished interface {
	Algorithm() cms.Algorithm
	StampDigest(signature []byte, h crypto.Hash) ([]byte, error)
}

// prepared is what all forms have in common between preparing and assembling.
type prepared interface {
	unfinished
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

// stamping is the same of what lacks only time-stamps.
type stamping interface {
	Imprints() [][]byte
	Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error
}

// moved takes a value through JSON, as if it were finished days later by another
// process.
func moved[T any](v *T) (*T, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	w := new(T)
	return w, json.Unmarshal(data, w)
}

// dtbs gives the data to be signed, which JAdES takes from the document.
func dtbs(p prepared, doc []byte) ([]byte, error) {
	switch p := p.(type) {
	case *jades.Prepared:
		return p.DTBSOf(bytes.NewReader(doc), int64(len(doc)))
	case interface{ DTBS() []byte }:
		return p.DTBS(), nil
	}
	return nil, fmt.Errorf("%T has no data to be signed", p)
}

// finish signs what was prepared and assembles it; with a time-stamp if stamp is true.
func (c *craft) finish(id *identity, p prepared, doc []byte, stamp bool) ([]byte, error) {
	data, err := dtbs(p, doc)
	if err != nil {
		return nil, err
	}
	value, token, err := c.valueOf(id, p, data, stamp)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, token)
	return out.Bytes(), err
}

// valueOf signs, and stamps the value if stamp is true.
func (c *craft) valueOf(id *identity, p unfinished, data []byte, stamp bool) (value, token []byte, err error) {
	if value, err = id.value(p.Algorithm(), data); err != nil || !stamp {
		return value, nil, err
	}
	imprint, err := p.StampDigest(value, crypto.SHA256)
	if err != nil {
		return nil, nil, err
	}
	token, err = c.services.token(crypto.SHA256, imprint, nil)
	return value, token, err
}

// sign finishes what Prepare of a form gave, after a walk through JSON.
func sign[T any, P interface {
	*T
	prepared
}](c *craft, id *identity, doc []byte, stamp bool) func(P, error) ([]byte, error) {
	return func(p P, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		q, err := moved((*T)(p))
		if err != nil {
			return nil, err
		}
		return c.finish(id, P(q), doc, stamp)
	}
}

// stamped gets a token for each imprint and assembles, after a walk through JSON.
func stamped[T any, S interface {
	*T
	stamping
}](c *craft, doc []byte) func(S, error) ([]byte, error) {
	return func(s S, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		q, err := moved((*T)(s))
		if err != nil {
			return nil, err
		}
		var tokens [][]byte
		for _, imprint := range S(q).Imprints() {
			token, err := c.services.token(crypto.SHA256, imprint, nil)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token)
		}
		var out bytes.Buffer
		err = S(q).Assemble(&out, bytes.NewReader(doc), int64(len(doc)), tokens)
		return out.Bytes(), err
	}
}

// raise brings a signed file from one level to another. content is the document
// of a detached signature, nil otherwise.
func (c *craft) raise(f form, signed []byte, from, to ades.Level, content, password []byte) ([]byte, error) {
	steps := []struct {
		level ades.Level
		do    func(form, []byte, ades.Extension) ([]byte, error)
	}{{ades.BT, c.timestamp}, {ades.BLT, c.evidence}, {ades.BLTA, c.archive}}
	e := ades.Extension{Hash: crypto.SHA256, TokenSize: tokenSize, Password: password}
	if content != nil {
		e.Content, e.ContentSize = bytes.NewReader(content), int64(len(content))
	}
	for _, s := range steps {
		if from.AtLeast(s.level) || !to.AtLeast(s.level) {
			continue
		}
		if s.level != ades.BT {
			e.Evidence = c.pki.evidence()
		}
		var err error
		if signed, err = s.do(f, signed, e); err != nil {
			return nil, fmt.Errorf("to %s: %w", s.level, err)
		}
	}
	return signed, nil
}

var errForm = errors.New("no such form")

func (c *craft) timestamp(f form, doc []byte, e ades.Extension) ([]byte, error) {
	r, size := bytes.NewReader(doc), int64(len(doc))
	switch f {
	case cadesForm:
		return stamped[cades.Stamping](c, doc)(cades.PrepareTimestamp(r, size, e))
	case padesForm:
		return stamped[pades.Stamping](c, doc)(pades.PrepareTimestamp(r, size, e))
	case xadesForm:
		return stamped[xades.Stamping](c, doc)(xades.PrepareTimestamp(r, size, e))
	case jadesForm:
		return stamped[jades.Stamping](c, doc)(jades.PrepareTimestamp(r, size, e))
	case asicCades, asicXades:
		return stamped[asic.Stamping](c, doc)(asic.PrepareTimestamp(r, size, e))
	}
	return nil, errForm
}

func (c *craft) evidence(f form, doc []byte, e ades.Extension) ([]byte, error) {
	r, size := bytes.NewReader(doc), int64(len(doc))
	var out bytes.Buffer
	err := errForm
	switch f {
	case cadesForm:
		err = cades.AddEvidence(&out, r, size, e)
	case padesForm:
		err = pades.AddEvidence(&out, r, size, e)
	case xadesForm:
		err = xades.AddEvidence(&out, r, size, e)
	case jadesForm:
		err = jades.AddEvidence(&out, r, size, e)
	case asicCades, asicXades:
		err = asic.AddEvidence(&out, r, size, e)
	}
	return out.Bytes(), err
}

func (c *craft) archive(f form, doc []byte, e ades.Extension) ([]byte, error) {
	r, size := bytes.NewReader(doc), int64(len(doc))
	switch f {
	case cadesForm:
		return stamped[cades.Stamping](c, doc)(cades.PrepareArchive(r, size, e))
	case padesForm:
		return stamped[pades.Stamping](c, doc)(pades.PrepareArchive(r, size, e))
	case xadesForm:
		return stamped[xades.Stamping](c, doc)(xades.PrepareArchive(r, size, e))
	case jadesForm:
		return stamped[jades.Stamping](c, doc)(jades.PrepareArchive(r, size, e))
	case asicCades, asicXades:
		return stamped[asic.Stamping](c, doc)(asic.PrepareArchive(r, size, e))
	}
	return nil, errForm
}
