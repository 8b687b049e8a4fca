package main

import (
	"bytes"
	"crypto"

	"sigillo/formats/ades"
	"sigillo/formats/jades"
)

// jades gives the options of a key. JWS binds the digest to the curve of an
// ECDSA key, so the package chooses.
func (id *identity) jades(l ades.Level) jades.Options {
	o := jades.Options{Certificate: id.certificate, Chain: id.chain, Hash: id.hash, PSS: id.pss, SigningTime: claimed(), Timestamp: room(l)}
	o.MediaType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	return o
}

func makeJades(change func(*jades.Options)) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		o := id.jades(base(l))
		change(&o)
		signed, err := sign[jades.Prepared](c, id, doc, base(l) == ades.BT)(jades.Prepare(bytes.NewReader(doc), int64(len(doc)), o))
		if err != nil {
			return nil, err
		}
		var content []byte
		if o.Packaging == jades.Detached {
			content = doc
		}
		return c.raise(jadesForm, signed, base(l), l, content, nil)
	}
}

func jadesKinds() []kind {
	jws := func(packaging string, levels []ades.Level, keys []string, change func(*jades.Options)) kind {
		return kind{form: jadesForm, packaging: packaging, document: "lettera.docx", suffix: ".json", levels: levels, keys: keys, make: makeJades(change)}
	}
	general := jws("JSON", allLevels, keyTypes, func(o *jades.Options) { o.Serialization = jades.General })
	detached := jws("JSON detached", allLevels, oneKey, func(o *jades.Options) {
		o.Serialization, o.Packaging, o.Name = jades.General, jades.Detached, "lettera.docx"
	})
	detached.beside = true
	compact := jws("compact detached", onlyBB, oneKey, func(o *jades.Options) {
		o.Serialization, o.Packaging, o.Name = jades.Compact, jades.Detached, "lettera.docx"
	})
	compact.beside = true
	clear := jws("JSON detached, unencoded", ends, oneKey, func(o *jades.Options) {
		o.Serialization, o.Packaging, o.Name, o.Unencoded = jades.General, jades.Detached, "lettera.docx", true
	})
	clear.beside = true
	parallel := jws("JSON parallel", allLevels, oneKey, nil)
	parallel.signatures, parallel.make = 2, jadesParallel
	counter := jws("counter-signed", []ades.Level{ades.BB, ades.BT}, oneKey, nil)
	counter.make = jadesCounter
	counter.words = func(l ades.Level) string { return baseline(jadesForm, l) + ",counter:" + baseline(jadesForm, ades.BB) }
	renewed := jws("renewed", []ades.Level{ades.BLTA}, oneKey, nil)
	renewed.make = renew(jadesForm, general)
	said := jws("properties", ends, oneKey, nil)
	said.make = jadesProperties
	return []kind{
		general, detached, compact, clear, parallel, counter, renewed,
		jws("compact", onlyBB, keyTypes, func(o *jades.Options) { o.Serialization = jades.Compact }),
		jws("flattened", allLevels, oneKey, func(o *jades.Options) { o.Serialization = jades.Flattened }),
		said,
		digests(jws("JSON", onlyBB, oneKey, func(o *jades.Options) { o.Serialization = jades.General }), crypto.SHA512)[0].only("rsa2048", "pss"),
	}
}

// only is the kind with these keys.
func (k kind) only(keys ...string) kind {
	k.keys = keys
	return k
}

func jadesProperties(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	o := id.jades(base(l))
	imprint, err := jades.ContentImprint([]jades.Document{{Reader: bytes.NewReader(doc), Size: int64(len(doc))}}, o, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	token, err := c.services.token(crypto.SHA256, imprint, nil)
	if err != nil {
		return nil, err
	}
	return makeJades(func(o *jades.Options) {
		o.Properties = properties()
		o.Properties.ContentStamps = [][]byte{token}
	})(c, doc, id, l)
}

func jadesParallel(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	signed, err := makeJades(func(*jades.Options) {})(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	second := c.pki.signers["p384"]
	signed, err = sign[jades.Prepared](c, second, signed, base(l) == ades.BT)(jades.PrepareParallel(bytes.NewReader(signed), int64(len(signed)), nil, second.jades(base(l))))
	if err != nil {
		return nil, err
	}
	return c.raise(jadesForm, signed, base(l), l, nil, nil)
}

func jadesCounter(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	signed, err := makeJades(func(*jades.Options) {})(c, doc, id, base(l))
	if err != nil {
		return nil, err
	}
	second := c.pki.signers["p384"]
	return sign[jades.Prepared](c, second, signed, false)(jades.PrepareCounter(bytes.NewReader(signed), int64(len(signed)), 0, second.jades(ades.BB)))
}
