package main

import (
	"bytes"
	"crypto"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
)

func (id *identity) asic(l ades.Level, f form, t asic.Type) asic.Options {
	o := asic.Options{Certificate: id.certificate, Chain: id.chain, Hash: id.hash, PSS: id.pss, SigningTime: claimed(), Timestamp: room(l), Type: t, Form: asic.CAdES}
	if f == asicXades {
		o.Form = asic.XAdES
	}
	return o
}

// asicDocuments are the document of a kind and, in an ASiC-E, a second one.
func asicDocuments(doc []byte, t asic.Type) []asic.Document {
	docs := []asic.Document{{Name: "lettera.docx", Reader: bytes.NewReader(doc), Size: int64(len(doc))}}
	if t == asic.Extended {
		note := []byte("Nota di accompagnamento: è in regola.\n")
		docs = append(docs, asic.Document{Name: "allegati/nota è.txt", MediaType: "text/plain", Reader: bytes.NewReader(note), Size: int64(len(note))})
	}
	return docs
}

func makeAsic(f form, t asic.Type) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		return c.asic(f, asicDocuments(doc, t), id, l, id.asic(base(l), f, t))
	}
}

// asicProperties says all that a signer can, with a time-stamp of the documents.
func asicProperties(f form, t asic.Type) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		docs, o := asicDocuments(doc, t), id.asic(base(l), f, t)
		o.Properties = properties()
		imprint, err := asic.ContentImprint(docs, o, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		token, err := c.services.token(crypto.SHA256, imprint, nil)
		if err != nil {
			return nil, err
		}
		o.Properties.ContentStamps = [][]byte{token}
		return c.asic(f, docs, id, l, o)
	}
}

// asic makes a container and raises it.
func (c *craft) asic(f form, docs []asic.Document, id *identity, l ades.Level, o asic.Options) ([]byte, error) {
	p, err := asic.Prepare(docs, o)
	if err != nil {
		return nil, err
	}
	if p, err = moved(p); err != nil {
		return nil, err
	}
	value, token, err := c.valueOf(id, p, p.DTBS(), base(l) == ades.BT)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, docs, value, token); err != nil {
		return nil, err
	}
	return c.raise(f, out.Bytes(), base(l), l, nil, nil)
}

// makeAsicTwice adds a second signature to a container.
func makeAsicTwice(f form, t asic.Type) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		signed, err := makeAsic(f, t)(c, doc, id, base(l))
		if err != nil {
			return nil, err
		}
		second := c.pki.signers["p384"]
		r, size := bytes.NewReader(signed), int64(len(signed))
		p, err := asic.PrepareAdded(r, size, second.asic(base(l), f, t))
		if err != nil {
			return nil, err
		}
		if p, err = moved(p); err != nil {
			return nil, err
		}
		value, token, err := c.valueOf(second, p, p.DTBS(), base(l) == ades.BT)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := p.AssembleAdded(&out, r, size, value, token); err != nil {
			return nil, err
		}
		return c.raise(f, out.Bytes(), base(l), l, nil, nil)
	}
}

// stampAlone makes a container with a time-stamp and no signature.
func stampAlone(t asic.Type) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, _ *identity, _ ades.Level) ([]byte, error) {
		docs := asicDocuments(doc, t)
		s, err := asic.PrepareStamped(docs, asic.StampOptions{Type: t, Time: claimed()})
		if err != nil {
			return nil, err
		}
		if s, err = moved(s); err != nil {
			return nil, err
		}
		token, err := c.services.token(crypto.SHA256, s.Imprints()[0], nil)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = s.AssembleNew(&out, docs, token)
		return out.Bytes(), err
	}
}

func asicKinds() []kind {
	var kinds []kind
	for _, f := range []form{asicCades, asicXades} {
		for suffix, t := range map[string]asic.Type{"S": asic.Simple, "E": asic.Extended} {
			one := kind{form: f, packaging: "ASiC-" + suffix, document: "lettera.docx", suffix: ".asic" + map[string]string{"S": "s", "E": "e"}[suffix], levels: allLevels, keys: keyTypes, make: makeAsic(f, t)}
			two := one
			two.packaging, two.keys, two.signatures, two.make = one.packaging+" two signatures", oneKey, 2, makeAsicTwice(f, t)
			said := one
			said.packaging, said.keys, said.levels, said.make = one.packaging+" properties", oneKey, ends, asicProperties(f, t)
			kinds = append(kinds, one, two, said)
			if f == asicCades {
				stamp := one
				stamp.packaging, stamp.keys, stamp.levels, stamp.make = one.packaging+" time-stamp alone", oneKey, onlyBB, stampAlone(t)
				stamp.words = func(ades.Level) string { return "TIMESTAMP" }
				kinds = append(kinds, stamp)
			}
		}
	}
	return kinds
}
