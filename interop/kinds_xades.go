package main

import (
	"bytes"
	"crypto"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/xades"
)

func (id *identity) xades(l ades.Level) xades.Options {
	return xades.Options{Certificate: id.certificate, Chain: id.chain, Hash: id.hash, PSS: id.pss, SigningTime: claimed(), Timestamp: room(l)}
}

func makeXades(change func(*xades.Options)) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		o := id.xades(base(l))
		change(&o)
		signed, err := sign[xades.Prepared](c, id, doc, base(l) == ades.BT)(xades.Prepare(bytes.NewReader(doc), int64(len(doc)), o))
		if err != nil {
			return nil, err
		}
		var content []byte
		if o.Packaging == xades.Detached {
			content = doc
		}
		return c.raise(xadesForm, signed, base(l), l, content, nil)
	}
}

func xadesKinds() []kind {
	xml := func(packaging, document string, levels []ades.Level, keys []string, change func(*xades.Options)) kind {
		return kind{form: xadesForm, packaging: packaging, document: document, suffix: ".xml", levels: levels, keys: keys, make: makeXades(change)}
	}
	enveloped := xml("enveloped", "fattura.xml", allLevels, keyTypes, func(*xades.Options) {})
	detached := xml("detached", "lettera.docx", allLevels, oneKey, func(o *xades.Options) { o.Packaging, o.Name = xades.Detached, "lettera.docx" })
	detached.beside = true
	parallel := xml("parallel", "fattura.xml", allLevels, oneKey, nil)
	parallel.signatures, parallel.make = 2, xadesParallel
	counter := xml("counter-signed", "fattura.xml", allLevels, oneKey, nil)
	counter.make = xadesCounter
	counter.words = func(l ades.Level) string { return baseline(xadesForm, l) + ",counter:" + baseline(xadesForm, ades.BB) }
	said := xml("properties", "fattura.xml", ends, oneKey, nil)
	said.make = xadesProperties
	renewed := xml("renewed", "fattura.xml", []ades.Level{ades.BLTA}, oneKey, nil)
	renewed.make = renew(xadesForm, enveloped)
	inside := xml("internally detached", "fattura.xml", allLevels, oneKey, nil)
	inside.make = func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		return makeXades(func(o *xades.Options) { o.Packaging, o.Element = xades.InternallyDetached, "documento" })(c, wrapped(doc), id, l)
	}
	kinds := []kind{
		enveloped, detached, parallel, counter, said, renewed, inside,
		xml("enveloping", "lettera.docx", allLevels, oneKey, func(o *xades.Options) { o.Packaging = xades.Enveloping }),
		xml("enveloping XML", "fattura.xml", allLevels, oneKey, func(o *xades.Options) { o.Packaging = xades.EnvelopingXML }),
	}
	return append(kinds, digests(enveloped, crypto.SHA384, crypto.SHA512)...)
}

func xadesParallel(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	m := makeXades(func(o *xades.Options) { o.Parallel = true })
	signed, err := m(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	if signed, err = m(c, signed, c.pki.signers["p384"], base(l)); err != nil {
		return nil, err
	}
	return c.raise(xadesForm, signed, base(l), l, nil, nil)
}

func xadesCounter(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	signed, err := makeXades(func(*xades.Options) {})(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	second := c.pki.signers["p384"]
	signed, err = sign[xades.Prepared](c, second, signed, false)(xades.PrepareCounter(bytes.NewReader(signed), int64(len(signed)), 0, second.xades(ades.BB)))
	if err != nil {
		return nil, err
	}
	return c.raise(xadesForm, signed, base(l), l, nil, nil)
}

func xadesProperties(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	o := id.xades(base(l))
	o.Properties = properties()
	imprint, err := xades.ContentImprint(bytes.NewReader(doc), int64(len(doc)), o, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	token, err := c.services.token(crypto.SHA256, imprint, nil)
	if err != nil {
		return nil, err
	}
	return makeXades(func(o *xades.Options) {
		o.Properties = properties()
		o.Properties.ContentStamps = [][]byte{token}
	})(c, doc, id, l)
}

// wrapped puts a document, known by an Id, beside where its signature goes, in the
// element that EU DSS uses for that: one that may be left out of the signature.
func wrapped(doc []byte) []byte {
	root := bytes.Index(doc, []byte("<p:FatturaElettronica ")) + len("<p:FatturaElettronica ")
	return slices.Concat([]byte("<internally-detached><p:FatturaElettronica Id=\"documento\" "), bytes.TrimSpace(doc[root:]), []byte("</internally-detached>"))
}
