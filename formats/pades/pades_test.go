package pades_test

import (
	"bytes"
	"crypto"
	_ "crypto/sha512"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

var when = time.Date(2026, 11, 21, 10, 30, 15, 0, time.FixedZone("CET", 3600))

const tokenRoom = 8000

// sign signs a document as the signing room does, by way of the JSON form of what was prepared. tsu nil is level B-B.
func sign(t testing.TB, doc []byte, id, tsu *cmstest.Identity, change func(*pades.Options)) []byte {
	t.Helper()
	o := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: id.Hash(), PSS: id.PSS, SigningTime: when}
	if tsu != nil {
		o.Timestamp = tokenRoom
	}
	if change != nil {
		change(&o)
	}
	first, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var p pades.Prepared
	if err := json.Unmarshal(stored, &p); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.DTBSR(), first.DTBSR()) {
		t.Fatal("what is to be signed changed while it was stored")
	}
	signature := id.Sign(t, &p)
	var token []byte
	if tsu != nil {
		imprint, err := p.StampDigest(signature, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		token = tsu.Stamp(t, crypto.SHA256, imprint, when)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), signature, token); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != p.SignedSize() {
		t.Errorf("the signed document has %d bytes, %d were announced", out.Len(), p.SignedSize())
	}
	if !bytes.HasPrefix(out.Bytes(), doc) {
		t.Error("bytes of the document have changed")
	}
	return out.Bytes()
}

func signatures(t testing.TB, doc []byte) []pades.Signature {
	t.Helper()
	return document(t, doc, "").Signatures()
}

func document(t testing.TB, doc []byte, password string) *pades.Document {
	t.Helper()
	d, err := pades.Open(bytes.NewReader(doc), int64(len(doc)), []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// verify checks a signature's message over the bytes that it covers and returns its only signer.
func verify(t testing.TB, s *pades.Signature) *cms.SignerInfo {
	t.Helper()
	if s.Err != nil {
		t.Fatalf("%s: %v", s.Field, s.Err)
	}
	sd, err := cms.ParseBytes(s.CMS, cms.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", s.Field, err)
	}
	if len(sd.Signers) != 1 {
		t.Fatalf("%s: %d signers", s.Field, len(sd.Signers))
	}
	if err := sd.Signers[0].Verify(s.ContentDigest); err != nil {
		t.Fatalf("%s: %v", s.Field, err)
	}
	return sd.Signers[0]
}

// formDocument has a form with a text field; the objects may be replaced.
func formDocument(more pdftest.Objects) pdftest.Objects {
	return pdftest.Minimal().With(pdftest.Objects{
		1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Lang(it-IT)>>",
		3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>/Annots[5 0 R]>>",
		4: "<</Fields[5 0 R]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1>>",
		5: "<</Type/Annot/Subtype/Widget/FT/Tx/T(prezzo)/V(100)/P 3 0 R/Rect[10 10 90 30]/AP<</N 7 0 R>>>>",
		6: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
		7: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 80 20]/Resources<</Font<</Helv 6 0 R>>>>", []byte("/Tx BMC BT /Helv 9 Tf (100) Tj ET EMC")),
	}).With(more)
}

// documents are the forms of documents that must be signed correctly.
func documents(t testing.TB) map[string][]byte {
	minimal := pdftest.Minimal()
	docs := map[string][]byte{
		"table":                 pdftest.Table(minimal, ""),
		"stream":                pdftest.Streams(minimal, ""),
		"object streams":        pdftest.Streams(minimal, "", 1, 2, 3),
		"hybrid":                pdftest.Hybrid(minimal, "", 2),
		"form indirect":         pdftest.Table(formDocument(nil), ""),
		"form in object stream": pdftest.Streams(formDocument(nil), "", 1, 3, 4, 5),
		"form in hybrid":        pdftest.Hybrid(formDocument(nil), "", 4, 5),
		"form direct": pdftest.Table(formDocument(pdftest.Objects{
			1: "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1>>/Lang(it-IT)>>",
			4: "null"}), ""),
		"fields indirect": pdftest.Table(formDocument(pdftest.Objects{
			4: "<</Fields 8 0 R/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1/SigFlags 1>>", 8: "[5 0 R]"}), ""),
		"fields indirect, flags set": pdftest.Table(formDocument(pdftest.Objects{
			4: "<</Fields 8 0 R/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1/SigFlags 3>>", 8: "[5 0 R]"}), ""),
		"form direct, fields indirect": pdftest.Table(formDocument(pdftest.Objects{
			1: "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields 8 0 R/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1>>/Lang(it-IT)>>",
			4: "null", 8: "[5 0 R]"}), ""),
		"annotations indirect": pdftest.Table(formDocument(pdftest.Objects{
			3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>/Annots 8 0 R>>", 8: "[5 0 R]"}), ""),
		"contract": read(t, "contratto.pdf"),
	}
	if qpdf, err := exec.LookPath("qpdf"); err == nil {
		for name, args := range map[string][]string{"linearized": {"--linearize"}, "linearized with streams": {"--linearize", "--object-streams=generate"}} {
			out := filepath.Join(t.TempDir(), "out.pdf")
			args = append(args, "../../testdata/documents/contratto.pdf", out)
			if msg, err := exec.Command(qpdf, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, msg)
			}
			if docs[name], err = os.ReadFile(out); err != nil {
				t.Fatal(err)
			}
		}
	}
	return docs
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/documents/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTwoSignatures signs every form of document twice, with different keys and levels, and asks ourselves and the tools.
func TestTwoSignatures(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	rsa, ec, tsu := pki.Signer(t, "rsa2048"), pki.Signer(t, "p256"), pki.TSU(t, "p256")
	for name, doc := range documents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := sign(t, doc, rsa, nil, nil)
			two := sign(t, one, ec, tsu, nil)
			list := signatures(t, one)
			if len(list) != 1 || list[0].Covers != pades.WholeFile || list[0].Later != 0 {
				t.Fatalf("after the first: %+v", list)
			}
			list = signatures(t, two)
			if len(list) != 2 {
				t.Fatalf("%d signatures, want 2", len(list))
			}
			first, second := verify(t, &list[0]), verify(t, &list[1])
			if !first.Certificate.Equal(rsa.Certificate) || !second.Certificate.Equal(ec.Certificate) {
				t.Error("the signers are others")
			}
			if len(first.Tokens) != 0 || len(second.Tokens) != 1 {
				t.Errorf("%d and %d time-stamps, want 0 and 1", len(first.Tokens), len(second.Tokens))
			}
			if list[0].Covers != pades.WholeRevision || list[0].Later != 1 || list[1].Covers != pades.WholeFile || list[1].Later != 0 {
				t.Errorf("they cover %s and %s, with %d and %d revisions later", list[0].Covers, list[1].Covers, list[0].Later, list[1].Later)
			}
			checkKept(t, doc, two, 2)
			checkTools(t, two, 2, 0)
		})
	}
}

// checkKept proves that nothing but what signatures need has changed, and that there are so many fields more.
func checkKept(t *testing.T, before, after []byte, fields int) {
	t.Helper()
	old, err := pdf.Open(bytes.NewReader(before), int64(len(before)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	now, err := pdf.Open(bytes.NewReader(after), int64(len(after)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	form := func(f *pdf.File) (catalog, form pdf.Dict) {
		catalog, err := f.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		if form, _, err = pdf.As[pdf.Dict](f, catalog["AcroForm"]); err != nil {
			t.Fatal(err)
		}
		return catalog, form
	}
	oldCatalog, oldForm := form(old)
	newCatalog, newForm := form(now)
	for key, v := range oldCatalog {
		if key != "AcroForm" && key != "DSS" && !same(newCatalog[key], v) {
			t.Errorf("/%s of the catalog was %v and is %v", key, v, newCatalog[key])
		}
	}
	for key, v := range oldForm {
		if key != "Fields" && key != "SigFlags" && !same(newForm[key], v) {
			t.Errorf("/%s of the form was %v and is %v", key, v, newForm[key])
		}
	}
	if newForm["SigFlags"] != pdf.Integer(3) {
		t.Errorf("/SigFlags is %v", newForm["SigFlags"])
	}
	oldFields, _, _ := pdf.As[pdf.Array](old, oldForm["Fields"])
	newFields, _, err := pdf.As[pdf.Array](now, newForm["Fields"])
	if err != nil || len(newFields) != len(oldFields)+fields || !same(newFields[:len(oldFields)], oldFields) {
		t.Errorf("the fields were %v and are %v", oldFields, newFields)
	}
	for p, err := range old.Pages() {
		if err != nil {
			t.Fatal(err)
		}
		is, _, err := pdf.As[pdf.Dict](now, p.Ref)
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range p.Dict {
			if key != "Annots" && !same(is[key], v) {
				t.Errorf("/%s of page %v was %v and is %v", key, p.Ref, v, is[key])
			}
		}
	}
}

func same(a, b pdf.Object) bool {
	if x, ok := a.(pdf.Array); ok && len(x) == 0 {
		y, ok := b.(pdf.Array)
		return ok && len(y) == 0
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func TestFieldNames(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(formDocument(pdftest.Objects{
		4: "<</Fields[5 0 R 8 0 R]>>",
		8: "<</T<FEFF005300690067006E006100740075007200650031>/Kids[9 0 R]>>", // Signature1, in UTF-16
		9: "<</T(Signature2)/FT/Tx/Parent 8 0 R>>",
	}), "")
	list := signatures(t, sign(t, doc, id, nil, nil))
	if len(list) != 1 || list[0].Field != "Signature2" {
		t.Errorf("the field is called %q", list[0].Field)
	}
}

func TestDictionaryTexts(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, func(o *pades.Options) {
		o.Reason, o.Location, o.Name = "Perché è così (davvero)", "Roma", "Ada Ж. 𝄞"
	})
	s := signatures(t, doc)[0]
	if s.Reason != "Perché è così (davvero)" || s.Location != "Roma" || s.Name != "Ada Ж. 𝄞" {
		t.Errorf("read %q, %q, %q", s.Reason, s.Location, s.Name)
	}
	if !s.Time.Equal(when) {
		t.Errorf("/M is %v, want %v", s.Time, when)
	}
	if !bytes.Contains(doc, []byte("/M (D:20261121093015+00'00')")) {
		t.Error("/M is not in UTC")
	}
	if s.Filter != "Adobe.PPKLite" || s.SubFilter != "ETSI.CAdES.detached" {
		t.Errorf("%s, %s", s.Filter, s.SubFilter)
	}
	if si := verify(t, &s); !si.SigningTime.IsZero() {
		t.Error("the signing-time attribute is there, which PAdES forbids")
	}
}

// TestRoomIsComputed: the place kept free is what the message needs, but for the few bytes by which an ECDSA value varies.
func TestRoomIsComputed(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	for _, test := range []struct {
		key   string
		hash  crypto.Hash
		pss   bool
		spare int
	}{
		{"rsa2048", crypto.SHA256, false, 0},
		{"rsa3072", crypto.SHA512, true, 0},
		{"p256", crypto.SHA256, false, 12},
		{"p384", crypto.SHA384, false, 12},
	} {
		id := pki.Signer(t, test.key)
		doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, func(o *pades.Options) { o.Hash, o.PSS = test.hash, test.pss })
		s := signatures(t, doc)[0]
		verify(t, &s)
		room := int(s.ByteRange[2]-s.ByteRange[1]-2) / 2
		if spare := room - len(s.CMS); spare < 0 || spare > test.spare {
			t.Errorf("%s: %d bytes were kept for a message of %d", test.key, room, len(s.CMS))
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	minimal := pdftest.Minimal()
	certified := func(p string) []byte {
		return pdftest.Table(minimal.With(pdftest.Objects{
			1: "<</Type/Catalog/Pages 2 0 R/Perms<</DocMDP 4 0 R>>>>",
			4: "<</Type/Sig/Filter/Adobe.PPKLite/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams" + p + "/V/1.2>>>>]>>",
		}), "")
	}
	good := pdftest.Table(minimal, "")
	tests := []struct {
		name   string
		doc    []byte
		change func(*pades.Options)
		kind   pades.Kind
	}{
		{"good", good, nil, ""},
		{"certified, no changes", certified("/P 1"), nil, pades.NotPermitted},
		{"certified, forms and signatures", certified("/P 2"), nil, ""},
		{"certified, default", certified(""), nil, ""},
		{"locked by a signed field", pdftest.Table(formDocument(pdftest.Objects{
			5: "<</FT/Sig/T(a)/V<</Type/Sig/Filter/Adobe.PPKLite>>/Lock<</Type/SigFieldLock/Action/All/P 1>>>>"}), ""), nil, pades.NotPermitted},
		{"XFA", pdftest.Table(formDocument(pdftest.Objects{4: "<</Fields[]/XFA 7 0 R>>"}), ""), nil, pades.Unsupported},
		{"encrypted", read(t, "cifrato.pdf"), nil, pades.Encrypted},
		{"cut off", read(t, "troncato.pdf"), nil, pades.Malformed},
		{"no PDF", read(t, "lettera.docx"), nil, pades.Malformed},
		{"fields in a circle", pdftest.Table(formDocument(pdftest.Objects{5: "<</T(a)/Kids[5 0 R]>>"}), ""), nil, pades.Malformed},
		{"fields no array", pdftest.Table(formDocument(pdftest.Objects{4: "<</Fields 3>>"}), ""), nil, pades.Malformed},
		{"no pages", pdftest.Table(minimal.With(pdftest.Objects{2: "<</Type/Pages/Kids[]/Count 0>>"}), ""), nil, pades.Malformed},
		{"no certificate", good, func(o *pades.Options) { o.Certificate = nil }, pades.BadOptions},
		{"no time", good, func(o *pades.Options) { o.SigningTime = time.Time{} }, pades.BadOptions},
		{"no hash", good, func(o *pades.Options) { o.Hash = 0 }, pades.BadOptions},
		{"weak hash", good, func(o *pades.Options) { o.Hash = crypto.SHA1 }, pades.BadOptions},
		{"negative token", good, func(o *pades.Options) { o.Timestamp = -1 }, pades.BadOptions},
		{"long reason", good, func(o *pades.Options) { o.Reason = strings.Repeat("a", 5000) }, pades.BadOptions},
		{"reason not UTF-8", good, func(o *pades.Options) { o.Reason = "\xff" }, pades.BadOptions},
	}
	for _, test := range tests {
		o := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: when}
		if test.change != nil {
			test.change(&o)
		}
		_, err := pades.Prepare(bytes.NewReader(test.doc), int64(len(test.doc)), o)
		if pades.KindOf(err) != test.kind || (err == nil) != (test.kind == "") {
			t.Errorf("%s: %v (%s), want %q", test.name, err, pades.KindOf(err), test.kind)
		}
	}
}

func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	doc := pdftest.Table(pdftest.Minimal(), "")
	prepare := func(timestamp int) *pades.Prepared {
		p, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)),
			pades.Options{Certificate: id.Certificate, Hash: crypto.SHA256, SigningTime: when, Timestamp: timestamp})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	bb, bt := prepare(0), prepare(tokenRoom)
	signature := id.Sign(t, bb.CMS)
	elsewhere := *bb.CMS
	elsewhere.SignedAttributes = append(bytes.Clone(bb.CMS.SignedAttributes), 0)
	imprint, _ := bb.StampDigest(signature, crypto.SHA256)
	token := tsu.Stamp(t, crypto.SHA256, imprint, when)
	other := tsu.Stamp(t, crypto.SHA256, make([]byte, 32), when)
	changed := bytes.Replace(doc, []byte("200 100"), []byte("200 900"), 1)
	tests := []struct {
		name             string
		p                *pades.Prepared
		doc              []byte
		signature, token []byte
		kind             pades.Kind
	}{
		{"good", bb, doc, signature, nil, ""},
		{"changed", bb, changed, signature, nil, pades.Changed},
		{"longer", bb, append(bytes.Clone(doc), '\n'), signature, nil, pades.Changed},
		{"already signed", bb, sign(t, doc, id, nil, nil), signature, nil, pades.Changed},
		{"no signature", bb, doc, nil, nil, pades.BadSignature},
		{"signature too long", bb, doc, make([]byte, 500), nil, pades.BadSignature},
		{"signature of another key", bb, doc, pki.Signer(t, "p256").Sign(t, bb.CMS), nil, pades.BadSignature},
		{"signature over other data", bb, doc, id.Sign(t, &elsewhere), nil, pades.BadSignature},
		{"token for B-B", bb, doc, signature, token, pades.BadSignature},
		{"no token for B-T", bt, doc, signature, nil, pades.BadSignature},
		{"token over something else", bt, doc, signature, other, pades.BadSignature},
		{"token too long", bt, doc, signature, make([]byte, tokenRoom+1), pades.BadSignature},
		{"empty", &pades.Prepared{}, doc, signature, nil, pades.BadOptions},
		{"empty message", &pades.Prepared{CMS: &cms.Prepared{}}, doc, signature, nil, pades.BadOptions},
	}
	for _, test := range tests {
		var out bytes.Buffer
		err := test.p.Assemble(&out, bytes.NewReader(test.doc), int64(len(test.doc)), test.signature, test.token)
		if pades.KindOf(err) != test.kind || (err == nil) != (test.kind == "") {
			t.Errorf("%s: %v (%s), want %q", test.name, err, pades.KindOf(err), test.kind)
		}
		if err != nil && out.Len() > len(test.doc) {
			t.Errorf("%s: the signature was written all the same", test.name)
		}
	}
}
