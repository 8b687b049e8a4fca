package xades

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"io"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// valueXML writes SignatureValue from a value as crypto.Signer gives it,
// after checking it against the certificate.
func (p *Prepared) valueXML(signature []byte) (string, error) {
	dtbs := p.DTBS()
	cert, err := x509.ParseCertificate(p.Certificate)
	var a cms.Algorithm
	if err == nil {
		a, err = cms.AlgorithmFor(cert.PublicKey, p.HashAlgorithm(), p.PSS)
	}
	if err != nil || dtbs == nil {
		return "", &Error{Kind: Malformed, Msg: "the prepared signature is damaged", Err: err}
	}
	value, err := xmlValue(cert.PublicKey, signature)
	if err != nil {
		return "", err
	}
	if ok, err := check(a, cert.PublicKey, dtbs, value); err != nil {
		return "", err
	} else if !ok {
		return "", fail(WrongSignature, "the signature value was not made over this document with the key of this certificate")
	}
	return `<ds:SignatureValue Id="` + p.ID + `-value">` + encode(value) + `</ds:SignatureValue>`, nil
}

// StampDigest is the imprint of the signature time-stamp: the digest of the
// canonical SignatureValue element (EN 319 132-1 §5.3). signature is as
// crypto.Signer gives it.
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	value, err := p.valueXML(signature)
	if err != nil {
		return nil, err
	}
	return stampDigest(value, h)
}

func stampDigest(value string, h crypto.Hash) ([]byte, error) {
	form, err := canonical(value, "SignatureValue")
	if err != nil {
		return nil, err
	}
	if !h.Available() {
		return nil, fail(BadOptions, "the digest algorithm of the time-stamp is not available")
	}
	return digestOf(h, form), nil
}

// Assemble writes the signed document. signature is as crypto.Signer gives it
// (ECDSA as DER); token is a DER TimeStampToken over StampDigest, or nil for
// level B-B. doc is not read for a detached signature and may be nil. Nothing is
// written when the document is not the prepared one, the signature value does
// not verify or the token stamps something else. Kinds: Changed, WrongSignature,
// BadOptions, Failed.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	if err := p.unchanged(doc, size); err != nil {
		return err
	}
	if p.Stamped != (len(token) > 0) {
		return fail(BadOptions, "a time-stamp token is required for level B-T and not allowed for B-B")
	}
	value, err := p.valueXML(signature)
	if err != nil {
		return err
	}
	stamp := ""
	if len(token) > 0 {
		if err := checkToken(value, token); err != nil {
			return err
		}
		stamp = stampXML("xades:SignatureTimeStamp", "", token)
	}
	text := p.Before + openSignature(p.ID) + p.SignedInfo + value + p.KeyInfo + p.objectXML(stamp)
	switch p.Packaging {
	case "", Enveloped, InternallyDetached, counterPackaging:
		return apply(w, doc, size, p.Encoding, []insertion{{At: p.At, Skip: p.Skip, Name: p.Name, Before: text + closeSignature + p.After}})
	case Enveloping, EnvelopingXML:
		text += `<ds:Object Id="` + p.objectID() + `">`
	}
	if _, err := io.WriteString(w, text); err != nil {
		return &Error{Kind: Failed, Msg: "the signature cannot be written", Err: err}
	}
	if err := p.inner(w, doc, size); err != nil {
		return err
	}
	if _, err := io.WriteString(w, closeSignature+p.After); err != nil {
		return &Error{Kind: Failed, Msg: "the signature cannot be written", Err: err}
	}
	return nil
}

// inner writes the document that stands inside the signature.
func (p *Prepared) inner(w io.Writer, doc io.ReaderAt, size int64) error {
	switch p.Packaging {
	case Enveloping:
		if err := inBase64(w, io.NewSectionReader(doc, 0, size)); err != nil {
			return &Error{Kind: Failed, Msg: "the signed document cannot be written", Err: err}
		}
	case EnvelopingXML:
		tree, _, err := parse(doc, size)
		if err != nil {
			return err
		}
		if err := canonicalPart(tree.Root, c14n.C14N10WithComments, false)(w); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err := io.WriteString(w, "</ds:Object>")
	return err
}

// checkToken refuses a token that does not stamp this SignatureValue: the file
// would look like level B-T and have no provable time.
func checkToken(value string, token []byte) error {
	t, err := cms.ParseToken(token)
	if err != nil {
		return &Error{Kind: BadOptions, Msg: "the time-stamp token cannot be read", Err: err}
	}
	imprint, err := stampDigest(value, t.Info.Hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(imprint, t.Info.Imprint) {
		return fail(BadOptions, "the time-stamp is not over this signature value")
	}
	return nil
}

// unchanged makes sure the document is still the one that was prepared.
func (p *Prepared) unchanged(doc io.ReaderAt, size int64) error {
	if p.Packaging == Detached {
		return nil
	}
	if err := sameDocument(doc, size, p.Size, p.SHA256); err != nil {
		return err
	}
	if p.At < 0 || p.Skip < 0 || p.At+p.Skip > size {
		return fail(Malformed, "the prepared signature is damaged")
	}
	return nil
}

func sameDocument(doc io.ReaderAt, size, want int64, sum []byte) error {
	h := sha256.New()
	if _, err := copyPart(h, doc, 0, size); err != nil {
		return &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	if size != want || !bytes.Equal(h.Sum(nil), sum) {
		return fail(Changed, "the document is not the one the signature was prepared for")
	}
	return nil
}

// insertion is text that is put into a document, all the rest of which stays as
// it is.
type insertion struct {
	At     int64  `json:"at"`
	Skip   int64  `json:"skip,omitempty"` // bytes it replaces: the "/>" of an element without content
	Name   string `json:"name,omitempty"` // qualified name of that element
	Before string `json:"before"`
	Token  bool   `json:"token,omitempty"` // a time-stamp token stands between
	After  string `json:"after,omitempty"`
}

// apply writes a document with insertions, which come in order of place.
func apply(w io.Writer, doc io.ReaderAt, size int64, encoding string, all []insertion) error {
	if encoding == "" {
		encoding = "UTF-8"
	}
	var at int64
	for _, i := range all {
		text := i.Before + i.After
		if i.Skip > 0 {
			text = ">" + text + "</" + i.Name + ">"
		}
		encoded, err := c14n.Encode(encoding, text)
		if err != nil {
			return fromXML(err)
		}
		if i.At < at || i.Skip < 0 || i.At+i.Skip > size {
			return fail(Malformed, "the prepared extension is damaged")
		}
		if _, err = copyPart(w, doc, at, i.At-at); err == nil {
			_, err = w.Write(encoded)
		}
		if err != nil {
			return &Error{Kind: Failed, Msg: "the signed document cannot be written", Err: err}
		}
		at = i.At + i.Skip
	}
	if _, err := copyPart(w, doc, at, size-at); err != nil {
		return &Error{Kind: Failed, Msg: "the signed document cannot be written", Err: err}
	}
	return nil
}
