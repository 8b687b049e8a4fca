package extend_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"crypto/x509"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/extend"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/validate"
	"sigillo/formats/xades"
)

// house is an authority with a signer and a time-stamping unit.
type house struct {
	*cmstest.PKI
	signer, tsu *cmstest.Identity
}

func newHouse(t testing.TB) *house {
	p := cmstest.New(t)
	return &house{p, p.Signer(t, "p256"), p.TSU(t, "p256")}
}

// validator knows the root, and the lists of this moment if it is on-line.
func (h *house) validator(t testing.TB, online bool) *validate.Validator {
	t.Helper()
	o := validate.Options{Anchors: []*x509.Certificate{h.Root}}
	if online {
		e := h.Evidence(t, time.Now().Truncate(time.Second))
		o.Intermediates, o.CRLs = e.Certificates, e.CRLs
	}
	v, err := validate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *house) options(t testing.TB, level ades.Level) extend.Options {
	return extend.Options{Level: level, Validator: h.validator(t, true), Now: time.Now,
		Stamp: func(_ context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
			return h.tsu.Stamp(t, hash, digest, time.Now()), nil
		}}
}

type prepared interface {
	DTBSR() []byte
	Algorithm() cms.Algorithm
	Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error
}

// forms make a B-B signature; a detached one gives no content.
var forms = map[string]struct {
	file, format string
	detached     bool
	prepare      func(h *house, doc []byte) (prepared, error)
}{
	"CAdES": {file: "lettera.docx", prepare: func(h *house, doc []byte) (prepared, error) {
		return cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, Hash: crypto.SHA256, SigningTime: time.Now()})
	}},
	"CAdES detached": {file: "lettera.docx", detached: true, prepare: func(h *house, doc []byte) (prepared, error) {
		return cades.Prepare(bytes.NewReader(doc), int64(len(doc)), cades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, Hash: crypto.SHA256, SigningTime: time.Now(), Detached: true})
	}},
	"PAdES": {file: "contratto.pdf", prepare: func(h *house, doc []byte) (prepared, error) {
		return pades.Prepare(bytes.NewReader(doc), int64(len(doc)), pades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, Hash: crypto.SHA256, SigningTime: time.Now()})
	}},
	"XAdES": {file: "fattura.xml", prepare: func(h *house, doc []byte) (prepared, error) {
		return xades.Prepare(bytes.NewReader(doc), int64(len(doc)), xades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, SigningTime: time.Now()})
	}},
	"JAdES": {file: "fattura.xml", prepare: func(h *house, doc []byte) (prepared, error) {
		return jades.Prepare(bytes.NewReader(doc), int64(len(doc)), jades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, SigningTime: time.Now(), Serialization: jades.Flattened})
	}},
	"ASiC-E": {file: "contratto.pdf", prepare: func(h *house, doc []byte) (prepared, error) {
		docs := []asic.Document{{Name: "contratto.pdf", MediaType: "application/pdf", Reader: bytes.NewReader(doc), Size: int64(len(doc))}}
		p, err := asic.Prepare(docs, asic.Options{Type: asic.Extended, Form: asic.CAdES, Certificate: h.signer.Certificate, Chain: h.signer.Chain, SigningTime: time.Now()})
		return container{p, docs}, err
	}},
}

// container assembles from its own documents.
type container struct {
	*asic.Prepared
	docs []asic.Document
}

func (c container) Assemble(w io.Writer, _ io.ReaderAt, _ int64, signature, token []byte) error {
	return c.Prepared.Assemble(w, c.docs, signature, token)
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	doc, err := os.ReadFile("../../testdata/documents/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// sign makes a B-B signature of a form.
func (h *house) sign(t testing.TB, form string) (signed, doc []byte) {
	t.Helper()
	f := forms[form]
	doc = read(t, f.file)
	p, err := f.prepare(h, doc)
	if err != nil {
		t.Fatal(err)
	}
	value, err := h.signer.Key.Sign(rand.Reader, p.DTBSR(), p.Algorithm().SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), value, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), doc
}

func document(file, content []byte, detached bool) validate.Document {
	d := validate.Document{Data: bytes.NewReader(file), Size: int64(len(file)), Name: "file", Time: time.Now()}
	if detached {
		d.Contents = []validate.Content{{Data: bytes.NewReader(content), Size: int64(len(content))}}
	}
	return d
}

// Every form climbs from B-B to B-LTA, is renewed, and needs nobody then.
func TestExtend(t *testing.T) {
	t.Parallel()
	for form, f := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			file, doc := h.sign(t, form)
			for _, step := range []ades.Level{ades.BT, ades.BLT, ades.BLTA, ades.BLTA} {
				var out bytes.Buffer
				if err := extend.Extend(t.Context(), &out, document(file, doc, f.detached), h.options(t, step)); err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				file = out.Bytes()
				v := h.validator(t, !step.AtLeast(ades.BLT)) // a file at B-LT has all in it
				r, err := v.Validate(t.Context(), document(file, doc, f.detached))
				if err != nil {
					t.Fatal(err)
				}
				if r.Indication != validate.TotalPassed || len(r.Signatures) == 0 || r.Signatures[0].Level != string(step) {
					t.Fatalf("%s: %s", step, r.Text("en"))
				}
			}
		})
	}
}

// From B-B to B-LTA in one go gives the same.
func TestExtendAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for form, f := range forms {
		file, doc := h.sign(t, form)
		var out bytes.Buffer
		if err := extend.Extend(t.Context(), &out, document(file, doc, f.detached), h.options(t, ades.BLTA)); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		r, err := h.validator(t, false).Validate(t.Context(), document(out.Bytes(), doc, f.detached))
		if err != nil || r.Indication != validate.TotalPassed || r.Signatures[0].Level != "B-LTA" {
			t.Errorf("%s: %v %s", form, err, r.Text("en"))
		}
	}
}

// A .p7m that was sent as text is raised too, and comes out in binary.
func TestExtendText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file, _ := h.sign(t, "CAdES")
	for name, text := range map[string][]byte{
		"base64": []byte(base64.StdEncoding.EncodeToString(file) + "\r\n"),
		"PEM":    pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: file}),
	} {
		var out bytes.Buffer
		if err := extend.Extend(t.Context(), &out, document(text, nil, false), h.options(t, ades.BLTA)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := h.validator(t, false).Validate(t.Context(), document(out.Bytes(), nil, false))
		if err != nil || r.Indication != validate.TotalPassed || r.Signatures[0].Level != "B-LTA" || out.Bytes()[0] != 0x30 {
			t.Errorf("%s: %v %s", name, err, r.Text("en"))
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	good, _ := h.sign(t, "CAdES")
	broken := bytes.Clone(good)
	broken[bytes.Index(broken, []byte("PK\x03\x04"))+4] ^= 1
	offline := h.options(t, ades.BLT)
	offline.Validator = h.validator(t, false)
	noAuthority := h.options(t, ades.BT)
	noAuthority.Stamp = func(context.Context, crypto.Hash, []byte) ([]byte, error) { return nil, errors.New("closed") }
	other := h.options(t, ades.BT)
	other.Stamp = func(context.Context, crypto.Hash, []byte) ([]byte, error) {
		return h.tsu.Stamp(t, crypto.SHA256, make([]byte, 32), time.Now()), nil
	}
	stranger := h.options(t, ades.BT)
	stranger.Stamp = func(_ context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
		return newHouse(t).tsu.Stamp(t, hash, digest, time.Now()), nil
	}
	late := h.options(t, ades.BT)
	late.Stamp = func(_ context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
		return h.tsu.Stamp(t, hash, digest, time.Now().Add(time.Hour)), nil
	}
	for name, tt := range map[string]struct {
		file []byte
		o    extend.Options
		kind extend.Kind
	}{
		"a changed document":         {broken, h.options(t, ades.BLTA), extend.Broken},
		"no signature":               {read(t, "fattura.xml"), h.options(t, ades.BT), extend.NotSigned},
		"no evidence to be had":      {good, offline, extend.Incomplete},
		"no time-stamp to be had":    {good, noAuthority, extend.Failed},
		"a stamp of something else":  {good, other, extend.Failed},
		"a stamp of a stranger":      {good, stranger, extend.Worse},
		"a stamp from the future":    {good, late, extend.Worse},
		"a level that is no raising": {good, h.options(t, ades.BB), extend.BadOptions},
	} {
		var out bytes.Buffer
		if err := extend.Extend(t.Context(), &out, document(tt.file, nil, false), tt.o); extend.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", name, err, tt.kind)
		}
	}
}

// A signature over several documents is raised with all of them, each under its name.
func TestSeveralDocuments(t *testing.T) {
	t.Parallel()
	one, two := read(t, "lettera.docx"), read(t, "fattura.xml")
	contents := func(a, b string) []validate.Content {
		return []validate.Content{{Name: a, Data: bytes.NewReader(one), Size: int64(len(one))}, {Name: b, Data: bytes.NewReader(two), Size: int64(len(two))}}
	}
	for form, prepare := range map[string]func(h *house) (prepared, error){
		"XAdES": func(h *house) (prepared, error) {
			return xades.PrepareDetached([]xades.Object{{Name: "lettera.docx", Content: bytes.NewReader(one), Size: int64(len(one))}, {Name: "fattura.xml", Content: bytes.NewReader(two), Size: int64(len(two))}},
				xades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, SigningTime: time.Now(), Packaging: xades.Detached})
		},
		"JAdES": func(h *house) (prepared, error) {
			return jades.PrepareDetached([]jades.Document{{Name: "lettera.docx", Reader: bytes.NewReader(one), Size: int64(len(one))}, {Name: "fattura.xml", Reader: bytes.NewReader(two), Size: int64(len(two))}},
				jades.Options{Certificate: h.signer.Certificate, Chain: h.signer.Chain, SigningTime: time.Now(), Packaging: jades.Detached})
		},
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			p, err := prepare(h)
			if err != nil {
				t.Fatal(err)
			}
			value, err := h.signer.Key.Sign(rand.Reader, p.DTBSR(), p.Algorithm().SignerOpts())
			if err != nil {
				t.Fatal(err)
			}
			var signed bytes.Buffer
			if err := p.Assemble(&signed, nil, 0, value, nil); err != nil {
				t.Fatal(err)
			}
			file := signed.Bytes()
			var d validate.Document
			for range 2 { // the second time it is renewed
				d = document(file, nil, false)
				d.Contents = contents("lettera.docx", "fattura.xml")
				var out bytes.Buffer
				if err := extend.Extend(t.Context(), &out, d, h.options(t, ades.BLTA)); err != nil {
					t.Fatal(err)
				}
				file = out.Bytes()
			}
			d.Data, d.Size = bytes.NewReader(file), int64(len(file))
			r, err := h.validator(t, false).Validate(t.Context(), d)
			if err != nil || r.Indication != validate.TotalPassed || r.Signatures[0].Level != "B-LTA" || len(r.Signatures[0].Timestamps) != 3 {
				t.Errorf("%v %s", err, r.Text("en"))
			}
			d.Contents = contents("fattura.xml", "lettera.docx")
			if err := extend.Extend(t.Context(), io.Discard, d, h.options(t, ades.BLTA)); extend.KindOf(err) != extend.Broken {
				t.Errorf("with their names exchanged: %v", err)
			}
		})
	}
}

// With two documents at hand the time-stamp could be over the wrong one.
func TestSeveralDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file, doc := h.sign(t, "CAdES detached")
	d := document(file, doc, true)
	d.Contents = append([]validate.Content{{Name: "other", Data: bytes.NewReader(nil)}}, d.Contents...)
	if err := extend.Extend(t.Context(), io.Discard, d, h.options(t, ades.BLTA)); extend.KindOf(err) != extend.BadOptions {
		t.Errorf("%v", err)
	}
}
