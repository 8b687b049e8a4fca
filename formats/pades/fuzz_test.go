package pades_test

import (
	"bytes"
	"crypto"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/pdftest"
)

// hostile are documents that the mutations may start from.
func hostile(f *testing.F, pki *cmstest.PKI) [][]byte {
	id, tsu := pki.Signer(f, "p256"), pki.TSU(f, "p256")
	form := pdftest.Table(emptyField(nil), "")
	one := sign(f, form, id, nil, func(o *pades.Options) { o.Certify, o.Field = 2, "firma" })
	locked := sign(f, form, id, nil, func(o *pades.Options) {
		o.Lock = &pades.Lock{Action: "Include", Fields: []string{"prezzo"}, Permission: 2}
	})
	return [][]byte{
		form, one, locked,
		sign(f, sign(f, form, id, nil, nil), id, nil, nil),
		sign(f, pdftest.Streams(pdftest.Minimal(), "", 1, 2, 3), id, nil, nil),
		stamp(f, one, tsu, ades.Extension{Evidence: pki.Evidence(f, when), VRI: true}, archive),
		pdftest.Table(emptyField(pdftest.Objects{10: "<</FT/Sig/T(firma)/Rect[1 1 9 9]/Subtype/Widget/SV<</Ff 511/Reasons[(a)]/MDP<</P 0>>/Cert<</Ff 63/Subject[(a)]>>>>>>"}), ""),
		pdftest.Hybrid(emptyField(nil), "", 4, 10),
	}
}

// builtOf makes a document of the texts of objects 1, 2, 3 … with zero bytes between, so that mutations reach further than to the
// cross-reference table; what begins as a PDF is one.
func builtOf(data []byte) []byte {
	if bytes.HasPrefix(data, []byte("%PDF")) || len(data) == 0 {
		return data
	}
	objects := pdftest.Objects{}
	for i, text := range bytes.Split(data, []byte{0}) {
		objects[i+1] = string(text)
	}
	return pdftest.Table(objects, "")
}

// textsOf is the inverse.
func textsOf(objects pdftest.Objects) []byte {
	last := 0
	for n := range objects {
		last = max(last, n)
	}
	var texts []string
	for n := 1; n <= last; n++ {
		text := objects[n]
		if text == "" {
			text = "null"
		}
		texts = append(texts, text)
	}
	return []byte(strings.Join(texts, "\x00"))
}

// built are documents for [builtOf].
func built() [][]byte {
	const sig = "/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 9 9 9]/Contents<3000>/M(D:2026)"
	return [][]byte{
		textsOf(emptyField(nil)),
		textsOf(emptyField(pdftest.Objects{
			1:  "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Perms<</DocMDP 8 0 R>>/DSS 14 0 R>>",
			8:  "<<" + sig + "/Reference[<</TransformMethod/DocMDP/TransformParams<</P 2>>>><</TransformMethod/FieldMDP/TransformParams<</Action/Include/Fields[(firma)]>>>>]>>",
			10: "<</Type/Annot/Subtype/Widget/FT/Sig/T(firma)/Rect[100 10 190 40]/Lock<</Action/All/P 3>>/SV<</Ff 255/Reasons[(a)]/MDP<</P 1>>/TimeStamp<</Ff 1>>>>>>",
			14: "<</Certs[15 0 R]/CRLs[15 0 R 15 0 R]/OCSPs 16 0 R/VRI<</AB<</Cert[15 0 R]/TU(D:2026)/TS 15 0 R>>>>>>",
			15: pdftest.Stream("", []byte("3000")), 16: "[15 0 R 99 0 R]",
		})),
	}
}

// FuzzSignatures: whatever the bytes, reading signatures ends without a panic, and a signature without an error has a gap that is its
// own hexadecimal string.
func FuzzSignatures(f *testing.F) {
	for _, doc := range hostile(f, cmstest.New(f)) {
		f.Add(doc)
	}
	for _, texts := range built() {
		f.Add(texts)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = builtOf(data)
		d, err := pades.Open(bytes.NewReader(data), int64(len(data)), nil)
		if err != nil {
			if pades.KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		for _, s := range d.Signatures() {
			s.Evidence()
			stamps := s.Stamps()
			for _, x := range stamps {
				_, _ = x.Imprint(crypto.SHA256)
			}
			missing := s.Missing(ades.BLTA)
			if s.Err != nil {
				if pades.KindOf(s.Err) == "" || missing == nil || stamps != nil || s.Verify() == nil {
					t.Fatalf("a broken signature is taken for good: %v", s.Err)
				}
				continue
			}
			b := s.ByteRange
			if b[0] != 0 || data[b[1]] != '<' || data[b[2]-1] != '>' || s.Covers == pades.Part {
				t.Fatalf("accepted %+v", s)
			}
			if _, err := s.ContentDigest(crypto.SHA256); err != nil && pades.KindOf(err) != pades.Limit {
				t.Fatal(err)
			}
		}
	})
}

// FuzzPrepare: what can be prepared can be assembled, and then has one signature more, which is good and over the whole file; those
// before it keep what they cover.
func FuzzPrepare(f *testing.F) {
	pki := cmstest.New(f)
	id := pki.Signer(f, "p256")
	for i, doc := range hostile(f, pki) {
		f.Add(doc, byte(i))
	}
	for i, texts := range built() {
		f.Add(texts, byte(i+2))
	}
	f.Fuzz(func(t *testing.T, data []byte, how byte) {
		data = builtOf(data)
		o := pades.Options{Certificate: id.Certificate, Hash: crypto.SHA256, SigningTime: when, Certify: pades.Permission(how >> 2 & 3)}
		if how&1 != 0 {
			o.Field = "firma"
		}
		if how&2 != 0 {
			o.Appearance = textAppearance("Ada")
			if o.Field == "" {
				o.Rect = [4]float64{10, 10, 100, 60}
			}
		}
		size := int64(len(data))
		p, err := pades.Prepare(bytes.NewReader(data), size, o)
		if err != nil {
			if pades.KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := p.Assemble(&out, bytes.NewReader(data), size, id.Sign(t, p), nil); err != nil {
			t.Fatal(err)
		}
		before, after := signatures(t, data), signatures(t, out.Bytes())
		if len(after) != len(before)+1 {
			t.Fatalf("%d signatures became %d", len(before), len(after))
		}
		mine := 0
		for _, s := range after {
			if s.Covers != pades.WholeFile || s.Field != p.Field {
				continue
			}
			if err := s.Verify(); err == nil {
				mine++
			}
		}
		if mine != 1 {
			t.Fatalf("the new signature is not there, or not good")
		}
	})
}

// FuzzDSS: whatever the bytes, reading the document security store ends without a panic, and what is put into it is read again.
func FuzzDSS(f *testing.F) {
	pki := cmstest.New(f)
	e := ades.Evidence{CRLs: [][]byte{[]byte("list")}, OCSP: [][]byte{[]byte("answer")}}
	for _, doc := range hostile(f, pki) {
		f.Add(doc)
	}
	for _, texts := range built() {
		f.Add(texts)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = builtOf(data)
		size := int64(len(data))
		var out bytes.Buffer
		if err := pades.AddEvidence(&out, bytes.NewReader(data), size, ades.Extension{Evidence: e, VRI: true}); err != nil {
			if pades.KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		d, err := pades.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), nil)
		if err != nil {
			t.Fatal(err)
		}
		dss, err := d.DSS()
		if err != nil {
			t.Fatal(err)
		}
		has := func(list []pades.Datum, der []byte) bool {
			for _, v := range list {
				if bytes.Equal(v.DER, der) && v.End <= int64(out.Len()) {
					return true
				}
			}
			return false
		}
		if !has(dss.CRLs, e.CRLs[0]) || !has(dss.OCSPs, e.OCSP[0]) {
			t.Fatal("what was put into the store is not in it")
		}
		_, _ = d.DSSAt(0)
	})
}
