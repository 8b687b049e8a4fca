package main

import (
	"bytes"
	"crypto"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
)

func (id *identity) cades(l ades.Level) cades.Options {
	return cades.Options{Certificate: id.certificate, Chain: id.chain, Hash: id.hash, PSS: id.pss, SigningTime: claimed(), Timestamp: room(l)}
}

// makeCades makes a kind of which only the options differ.
func makeCades(change func(*cades.Options)) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		o := id.cades(base(l))
		change(&o)
		signed, err := sign[cades.Prepared](c, id, doc, base(l) == ades.BT)(cades.Prepare(bytes.NewReader(doc), int64(len(doc)), o))
		if err != nil {
			return nil, err
		}
		var content []byte
		if o.Detached {
			content = doc
		}
		return c.raise(cadesForm, signed, base(l), l, content, nil)
	}
}

func cadesKinds() []kind {
	attached := kind{form: cadesForm, packaging: "attached", document: "lettera.docx", suffix: ".p7m", levels: allLevels, keys: keyTypes,
		make: makeCades(func(*cades.Options) {})}
	detached := kind{form: cadesForm, packaging: "detached", document: "lettera.docx", suffix: ".p7s", beside: true, levels: allLevels, keys: oneKey,
		make: makeCades(func(o *cades.Options) { o.Detached = true })}
	said := kind{form: cadesForm, packaging: "properties", document: "lettera.docx", suffix: ".p7m", levels: ends, keys: oneKey, make: cadesProperties}
	parallel := kind{form: cadesForm, packaging: "parallel", document: "lettera.docx", suffix: ".p7m", levels: allLevels, keys: oneKey, signatures: 2, make: cadesParallel}
	nested := kind{form: cadesForm, packaging: ".p7m in .p7m", document: "lettera.docx", suffix: ".p7m", levels: onlyBB, keys: oneKey, wrapped: true, make: cadesNested}
	counter := kind{form: cadesForm, packaging: "counter-signed", document: "lettera.docx", suffix: ".p7m", levels: allLevels, keys: oneKey, make: cadesCounter,
		words: func(l ades.Level) string { return baseline(cadesForm, l) + ",counter:" + baseline(cadesForm, ades.BB) }}
	renewed := kind{form: cadesForm, packaging: "renewed", document: "lettera.docx", suffix: ".p7m", levels: []ades.Level{ades.BLTA}, keys: oneKey, make: renew(cadesForm, attached)}
	return append([]kind{attached, detached, parallel, counter, said, nested, renewed}, digests(attached, crypto.SHA384, crypto.SHA512)...)
}

// renew makes a kind at B-LTA and stamps it once more.
func renew(f form, k kind) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		signed, err := k.make(c, doc, id, l)
		if err != nil {
			return nil, err
		}
		return c.raise(f, signed, ades.BLT, ades.BLTA, nil, nil)
	}
}

func cadesProperties(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	imprint := id.hash.New()
	imprint.Write(doc)
	token, err := c.services.token(id.hash, imprint.Sum(nil), nil)
	if err != nil {
		return nil, err
	}
	return makeCades(func(o *cades.Options) {
		o.Properties = properties()
		o.Properties.ContentStamps = [][]byte{token}
	})(c, doc, id, l)
}

func cadesParallel(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	signed, err := makeCades(func(*cades.Options) {})(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	second := c.pki.signers["p384"]
	signed, err = sign[cades.Prepared](c, second, signed, base(l) == ades.BT)(cades.PrepareParallel(bytes.NewReader(signed), int64(len(signed)), second.cades(base(l))))
	if err != nil {
		return nil, err
	}
	return c.raise(cadesForm, signed, base(l), l, nil, nil)
}

func cadesNested(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	m := makeCades(func(*cades.Options) {})
	inner, err := m(c, doc, c.pki.signers["rsa2048"], ades.BB)
	if err != nil {
		return nil, err
	}
	return m(c, inner, id, l)
}

func cadesCounter(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	signed, err := makeCades(func(*cades.Options) {})(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	second := c.pki.signers["p384"]
	signed, err = sign[cades.Prepared](c, second, signed, false)(cades.PrepareCounter(bytes.NewReader(signed), int64(len(signed)), []int{0}, second.cades(ades.BB)))
	if err != nil {
		return nil, err
	}
	return c.raise(cadesForm, signed, base(l), l, nil, nil)
}
