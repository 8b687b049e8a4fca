package main

import (
	"bytes"
	"crypto"
	"image"
	"image/color"
	"image/png"

	"sigillo/formats/ades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
)

func (id *identity) pades(l ades.Level) pades.Options {
	return pades.Options{Certificate: id.certificate, Chain: id.chain, Hash: id.hash, PSS: id.pss, SigningTime: claimed(), Timestamp: room(l)}
}

func makePades(change func(*pades.Options)) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		o := id.pades(base(l))
		change(&o)
		signed, err := sign[pades.Prepared](c, id, doc, base(l) == ades.BT)(pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o))
		if err != nil {
			return nil, err
		}
		return c.raise(padesForm, signed, base(l), l, nil, o.Password)
	}
}

// picture is a drawing with transparency, as scanned signatures have.
func picture() []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 120, 40))
	for x := range 120 {
		y := 20 + (x*x/90)%17 - 8
		m.Set(x, y, color.NRGBA{0, 0, 160, 255})
		m.Set(x, y+1, color.NRGBA{0, 0, 160, 128})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // writing to a bytes.Buffer does not fail
	}
	return b.Bytes()
}

const seen = "Firmato digitalmente da Ada Esempio\nForlì, perché è così: àèéìòù ÀÈÉÌÒÙ €"

// visibly shows an appearance in the lower left of the first page.
func visibly(a appearance.Appearance) func(*pades.Options) {
	return func(o *pades.Options) {
		o.Appearance, o.Page, o.Rect = &a, 1, [4]float64{40, 40, 260, 110}
	}
}

func padesKinds() []kind {
	pdf := func(packaging string, levels []ades.Level, keys []string, change func(*pades.Options)) kind {
		return kind{form: padesForm, packaging: packaging, document: "contratto.pdf", suffix: ".pdf", levels: levels, keys: keys, make: makePades(change)}
	}
	invisible := pdf("invisible", allLevels, keyTypes, func(*pades.Options) {})
	twice := pdf("twice", allLevels, oneKey, nil)
	twice.signatures, twice.make = 2, padesTwice(0)
	certified := pdf("certified 2, then approved", ends, oneKey, nil)
	certified.signatures, certified.make = 2, padesTwice(pades.FillForms)
	renewed := pdf("renewed", []ades.Level{ades.BLTA}, oneKey, nil)
	renewed.make = renew(padesForm, invisible)
	alone := pdf("time-stamp alone", onlyBB, oneKey, nil)
	alone.words = func(ades.Level) string { return "TIMESTAMP" }
	alone.make = func(c *craft, doc []byte, _ *identity, _ ades.Level) ([]byte, error) {
		return c.raise(padesForm, doc, ades.BB, ades.BT, nil, nil)
	}
	late := pdf("B-T by a document time-stamp", []ades.Level{ades.BT}, oneKey, nil)
	late.make = func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		signed, err := invisible.make(c, doc, id, ades.BB)
		if err != nil {
			return nil, err
		}
		return c.raise(padesForm, signed, ades.BB, l, nil, nil)
	}
	said := pdf("properties", ends, oneKey, nil)
	said.make = padesProperties
	kinds := []kind{
		invisible, twice, certified, renewed, alone, late,
		pdf("visible text", ends, oneKey, visibly(appearance.Appearance{Text: seen})),
		pdf("visible image", ends, oneKey, visibly(appearance.Appearance{Image: picture()})),
		pdf("visible text and image", allLevels, []string{"rsa2048"}, visibly(appearance.Appearance{Text: seen, Image: picture(), Border: 0.5})),
		pdf("certified 1", ends, oneKey, func(o *pades.Options) { o.Certify = pades.NoChanges }),
		pdf("certified 2", ends, oneKey, func(o *pades.Options) { o.Certify = pades.FillForms }),
		pdf("certified 3", ends, oneKey, func(o *pades.Options) { o.Certify = pades.FillFormsAnnotate }),
		pdf("reason, place, contact", ends, oneKey, func(o *pades.Options) {
			o.Reason, o.Location, o.Contact, o.Name = "Per accettazione: è così", "Forlì", "ada@example.it", "Ada Esempio"
		}),
		said,
	}
	return append(kinds, digests(invisible, crypto.SHA384, crypto.SHA512)...)
}

func padesProperties(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
	o := id.pades(base(l))
	o.Properties, o.ContentStamp = properties(), tokenSize
	imprint, err := pades.ContentImprint(bytes.NewReader(doc), int64(len(doc)), o)
	if err != nil {
		return nil, err
	}
	token, err := c.services.token(id.hash, imprint, nil)
	if err != nil {
		return nil, err
	}
	return makePades(func(to *pades.Options) {
		*to = o // the same time too, for it is in what was stamped
		to.Properties.ContentStamps = [][]byte{token}
	})(c, doc, id, l)
}

// padesTwice signs, and signs the result with another key; the first signature
// may certify.
func padesTwice(certify pades.Permission) func(*craft, []byte, *identity, ades.Level) ([]byte, error) {
	return func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
		signed, err := makePades(func(o *pades.Options) { o.Certify = certify })(c, doc, id, l)
		if err != nil {
			return nil, err
		}
		return makePades(func(*pades.Options) {})(c, signed, c.pki.signers["p384"], l)
	}
}
