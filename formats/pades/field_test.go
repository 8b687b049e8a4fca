package pades_test

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// emptyField is a document with the signature fields "firma", its own widget, and "parti.attore", which has one.
func emptyField(more pdftest.Objects) pdftest.Objects {
	return formDocument(pdftest.Objects{
		3:  "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>/Annots[5 0 R 10 0 R 13 0 R]>>",
		4:  "<</Fields[5 0 R 10 0 R 11 0 R]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>/Q 1>>",
		10: "<</Type/Annot/Subtype/Widget/FT/Sig/T(firma)/P 3 0 R/Rect[100 10 190 40]/F 4/TU(Firma qui)>>",
		11: "<</T(parti)/Kids[12 0 R]>>",
		12: "<</T(attore)/FT/Sig/Parent 11 0 R/Kids[13 0 R]>>",
		13: "<</Type/Annot/Subtype/Widget/Parent 12 0 R/P 3 0 R/Rect[100 50 190 90]/F 6>>",
	}).With(more)
}

func prepare(doc []byte, id *cmstest.Identity, change func(*pades.Options)) (*pades.Prepared, error) {
	o := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: id.Hash(), SigningTime: when}
	if change != nil {
		change(&o)
	}
	return pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
}

func field(name string) func(*pades.Options) {
	return func(o *pades.Options) { o.Field = name }
}

func dictOf(t testing.TB, doc []byte, num int) pdf.Dict {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := pdf.As[pdf.Dict](f, pdf.Ref{Num: num})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestExistingField: an empty field is signed in its place, and nothing changes but its value and the flags of the form.
func TestExistingField(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	for _, doc := range [][]byte{pdftest.Table(emptyField(nil), ""), pdftest.Streams(emptyField(nil), "", 3, 4, 10, 11, 12, 13)} {
		for name, num := range map[string]int{"firma": 10, "parti.attore": 12} {
			signed := sign(t, doc, id, nil, field(name))
			list := signatures(t, signed)
			if len(list) != 1 || list[0].Field != name {
				t.Fatalf("%s: %+v", name, list)
			}
			verify(t, &list[0])
			after := dictOf(t, signed, num).Clone()
			if after["V"] == nil {
				t.Errorf("%s: no value", name)
			}
			delete(after, "V")
			if before := dictOf(t, doc, num); !same(before, after) {
				t.Errorf("%s: the field was %v and is %v", name, before, after)
			}
			for _, kept := range []int{3, 5, 11, 13} {
				if !same(dictOf(t, doc, kept), dictOf(t, signed, kept)) {
					t.Errorf("%s: object %d has changed", name, kept)
				}
			}
			checkKept(t, doc, signed, 0)
			if checkWellFormed(t, signed); num == 10 {
				checkTools(t, signed, 1, 0) // pdfsig sees no value of a field whose widget is another object
			}
			both := sign(t, signed, id, nil, nil)
			if list := signatures(t, both); len(list) != 2 || list[0].Field == list[1].Field {
				t.Errorf("%s: signed again: %+v", name, list)
			}
		}
	}
}

func TestNamedField(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(emptyField(nil), "")
	signed := sign(t, doc, id, nil, field("Perché no"))
	if list := signatures(t, signed); len(list) != 1 || list[0].Field != "Perché no" {
		t.Errorf("%+v", list)
	}
	for name, test := range map[string]struct {
		doc  []byte
		kind pades.Kind
	}{
		"Perché no": {signed, pades.NotPermitted}, // signed already
		"prezzo":    {doc, pades.BadOptions},      // a text field
		"parti":     {doc, pades.BadOptions},      // not a terminal field
		"a.b":       {doc, pades.BadOptions},
	} {
		if _, err := prepare(test.doc, id, field(name)); pades.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := pdftest.Table(emptyField(pdftest.Objects{11: "<</T(firma)/FT/Sig>>"}), "")
	if _, err := prepare(twice, id, field("firma")); pades.KindOf(err) != pades.Malformed {
		t.Errorf("two fields of one name: %v", err)
	}
}

// TestDanglingReferences: what a form or a page refers to and is not there comes to mean nothing, whatever its number.
func TestDanglingReferences(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	missing := ""
	for n := 9; n < 40; n++ { // in a cross-reference stream 8 is taken
		missing += fmt.Sprintf("%d 0 R ", n)
	}
	for name, more := range map[string]pdftest.Objects{
		"value":            {5: "<</FT/Sig/T(a)/V 9 0 R>>"},
		"value, chain":     {5: "<</FT/Sig/T(a)/V 7 0 R>>", 7: "9 0 R"},
		"value, inherited": {5: "<</FT/Sig/T(a)/V 10 0 R/Kids[6 0 R]>>", 6: "<</T(b)/Parent 5 0 R>>"},
		"kids":             {5: "<</FT/Sig/T(a)/Kids[" + missing + "]>>"},
		"fields":           {4: "<</Fields[5 0 R " + missing + "]>>"},
		"annotations":      {3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>/Annots[5 0 R " + missing + "]>>"},
		"fields and value": {4: "<</Fields[5 0 R " + missing + "]>>", 5: "<</FT/Sig/T(a)/V 40 0 R>>"},
		"lock":             {5: "<</FT/Sig/T(a)/Lock 9 0 R/SV 10 0 R>>"},
		"permissions":      {1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Perms<</DocMDP 9 0 R>>>>"},
		"permissions, far": {1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Perms 7 0 R>>", 7: "<</DocMDP 8 0 R>>", 8: "10 0 R"},
		"form, chain":      {1: "<</Type/Catalog/Pages 2 0 R/AcroForm 7 0 R>>", 7: "9 0 R"},
		"fields, chain":    {4: "<</Fields 7 0 R>>", 7: "9 0 R"},
	} {
		for form, doc := range map[string][]byte{
			"table":   pdftest.Table(formDocument(more), ""),
			"streams": pdftest.Streams(formDocument(more), ""),
		} {
			before := len(signatures(t, doc))
			var evidence bytes.Buffer
			if err := pades.AddEvidence(&evidence, bytes.NewReader(doc), int64(len(doc)), ades.Extension{Evidence: pki.Evidence(t, when)}); err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
				continue
			}
			for _, s := range signatures(t, evidence.Bytes()) {
				if s.Certification != 0 {
					t.Errorf("%s, %s: evidence certifies", name, form)
				}
			}
			signed := sign(t, doc, id, nil, func(o *pades.Options) {
				o.Appearance, o.Rect = textAppearance("Ada"), [4]float64{10, 10, 100, 60}
			})
			signed = stamp(t, signed, tsu, ades.Extension{Evidence: pki.Evidence(t, when)}, archive)
			good := 0
			for _, s := range signatures(t, signed) {
				if s.Err == nil && s.Certification == 0 {
					good++
				}
			}
			if all := len(signatures(t, signed)); all != before+2 || good != 2 {
				t.Errorf("%s, %s: %d signatures, %d good, had %d broken", name, form, all, good, before)
			}
		}
	}
}

// TestCertification: the first signature may certify; what it permits is kept.
func TestCertification(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, tsu := pki.Signer(t, "p256"), pki.TSU(t, "p256")
	certify := func(p pades.Permission) func(*pades.Options) { return func(o *pades.Options) { o.Certify = p } }
	for _, doc := range [][]byte{
		pdftest.Table(emptyField(nil), ""),
		pdftest.Table(emptyField(pdftest.Objects{1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Perms 8 0 R>>", 8: "<</X 7 0 R>>"}), ""),
		pdftest.Streams(emptyField(pdftest.Objects{1: "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Perms<</X 7 0 R>>>>"}), ""),
	} {
		for p := pades.NoChanges; p <= pades.FillFormsAnnotate; p++ {
			one := sign(t, doc, id, nil, certify(p))
			s := signatures(t, one)[0]
			if s.Certification != p || s.DocMDP != p || s.Missing(ades.BB) != nil {
				t.Errorf("certified with %d: %d, %d, %q", p, s.Certification, s.DocMDP, s.Missing(ades.BB))
			}
			checkTools(t, one, 1, 0)
			for what, change := range map[string]func(*pades.Options){"new field": nil, "existing field": field("firma")} {
				if _, err := prepare(one, id, change); (pades.KindOf(err) == pades.NotPermitted) != (p == pades.NoChanges) {
					t.Errorf("certified with %d, then %s: %v", p, what, err)
				}
			}
			if _, err := prepare(one, id, func(o *pades.Options) {
				o.Appearance, o.Rect = textAppearance("Ada"), [4]float64{10, 10, 100, 60}
			}); (err == nil) != (p == pades.FillFormsAnnotate) || err != nil && pades.KindOf(err) != pades.NotPermitted {
				t.Errorf("certified with %d, then visible: %v", p, err)
			}
			if _, err := prepare(one, id, certify(p)); pades.KindOf(err) != pades.NotPermitted {
				t.Errorf("certified twice: %v", err)
			}
			lta := stamp(t, one, tsu, ades.Extension{Evidence: pki.Evidence(t, when)}, archive)
			if list := signatures(t, lta); list[0].Certification != p || list[1].Certification != 0 || list[0].Missing(ades.BT) != nil {
				t.Errorf("with a time-stamp: %+v", list)
			}
		}
	}
	approved := sign(t, pdftest.Table(emptyField(nil), ""), id, nil, nil)
	if _, err := prepare(approved, id, certify(2)); pades.KindOf(err) != pades.NotPermitted {
		t.Errorf("certified after an approval: %v", err)
	}
	if _, err := prepare(pdftest.Table(emptyField(nil), ""), id, certify(4)); pades.KindOf(err) != pades.BadOptions {
		t.Errorf("permission 4: %v", err)
	}
}

// TestLocks: the lock of a field becomes part of its signature and binds later ones.
func TestLocks(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	const widget = "/Type/Annot/Subtype/Widget/FT/Sig/T(firma)/P 3 0 R/Rect[100 10 190 40]/F 4"
	for name, test := range map[string]struct {
		lock            string
		newField, other bool // whether a signature in a new field, or in parti.attore, is permitted afterwards
		docMDP          pades.Permission
	}{
		"all":              {"/Action/All", false, false, 0},
		"include other":    {"/Action/Include/Fields[(parti.attore)]", true, false, 0},
		"include parent":   {"/Action/Include/Fields[(parti)]", true, false, 0},
		"include text":     {"/Action/Include/Fields[(prezzo)]", true, true, 0},
		"exclude other":    {"/Action/Exclude/Fields[(parti.attore)]", false, true, 0},
		"no changes":       {"/Action/Include/Fields[(prezzo)]/P 1", false, false, 1},
		"forms":            {"/Action/Include/Fields[(prezzo)]/P 2", true, true, 2},
		"forms, all fixed": {"/Action/All/P 2", false, false, 2},
	} {
		doc := pdftest.Table(emptyField(pdftest.Objects{10: "<<" + widget + "/Lock<</Type/SigFieldLock" + test.lock + ">>>>"}), "")
		signed := sign(t, doc, id, nil, field("firma"))
		s := signatures(t, signed)[0]
		if s.FieldMDP == nil || s.Lock == nil || s.FieldMDP.Action != s.Lock.Action || !slices.Equal(s.FieldMDP.Fields, s.Lock.Fields) ||
			s.DocMDP != test.docMDP || s.Certification != 0 || s.Lock.Permission != test.docMDP {
			t.Errorf("%s: %+v, %+v, %d", name, s.FieldMDP, s.Lock, s.DocMDP)
		}
		for what, allowed := range map[string]bool{"": test.newField, "parti.attore": test.other} {
			if _, err := prepare(signed, id, field(what)); (err == nil) != allowed || err != nil && pades.KindOf(err) != pades.NotPermitted {
				t.Errorf("%s: then field %q: %v", name, what, err)
			}
		}
		checkTools(t, signed, 1, 0)
	}
	lock := &pades.Lock{Action: "Exclude", Fields: []string{"firma"}, Permission: 2}
	signed := sign(t, pdftest.Table(emptyField(nil), ""), id, nil, func(o *pades.Options) { o.Lock = lock })
	if s := signatures(t, signed)[0]; fmt.Sprint(*s.Lock) != fmt.Sprint(*lock) || s.FieldMDP.Action != "Exclude" || s.DocMDP != 2 {
		t.Errorf("%+v", s)
	}
	two := sign(t, signed, id, nil, field("firma"))
	if _, err := prepare(two, id, nil); pades.KindOf(err) != pades.NotPermitted {
		t.Errorf("a new field after the lock of all others: %v", err)
	}
	for _, l := range []*pades.Lock{{Action: "Some"}, {Action: "All", Permission: 9}} {
		if _, err := prepare(signed, id, func(o *pades.Options) { o.Lock = l }); pades.KindOf(err) != pades.BadOptions {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// TestLockLevel: a lock permits no more than the certification before it.
func TestLockLevel(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := sign(t, pdftest.Table(emptyField(nil), ""), id, nil, func(o *pades.Options) { o.Certify = 2 })
	doc = sign(t, doc, id, nil, func(o *pades.Options) { o.Lock = &pades.Lock{Action: "Include", Permission: 3} })
	if s := signatures(t, doc)[1]; s.DocMDP != 2 {
		t.Errorf("the second signature permits %d", s.DocMDP)
	}
}

func TestSeedValues(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	other := pki.Signer(t, "p256")
	hex := func(b []byte) string { return fmt.Sprintf("<%x>", b) }
	reason := func(r string) func(*pades.Options) { return func(o *pades.Options) { o.Reason = r } }
	const widget = "/Type/Annot/Subtype/Widget/FT/Sig/T(firma)/P 3 0 R/Rect[100 10 190 40]/F 4"
	for name, test := range map[string]struct {
		seed   string
		change func(*pades.Options)
		good   bool
	}{
		"nothing asked":        {"", nil, true},
		"filter":               {"/Ff 1/Filter/Adobe.PPKLite", nil, true},
		"other filter":         {"/Ff 1/Filter/Other", nil, false},
		"other, not required":  {"/Ff 0/Filter/Other/SubFilter[/x]/Reasons[(a)]/DigestMethod[(MD5)]/AppearanceFilter(a)", nil, true},
		"encoding":             {"/Ff 2/SubFilter[/adbe.pkcs7.detached/ETSI.CAdES.detached]", nil, true},
		"other encoding":       {"/Ff 2/SubFilter[/adbe.pkcs7.detached]", nil, false},
		"version":              {"/Ff 4/V 3", nil, true},
		"future version":       {"/Ff 4/V 4", nil, false},
		"reason":               {"/Ff 8/Reasons[(a)(b)]", reason("b"), true},
		"other reason":         {"/Ff 8/Reasons[(a)(b)]", reason("c"), false},
		"no reason":            {"/Ff 8/Reasons[(.)]", nil, true},
		"reason, none wanted":  {"/Ff 8/Reasons[(.)]", reason("c"), false},
		"revocation data":      {"/Ff 32/AddRevInfo true", nil, false},
		"digest":               {"/Ff 64/DigestMethod[(SHA1)(SHA256)]", nil, true},
		"other digest":         {"/Ff 64/DigestMethod[(SHA1)(SHA256)]", func(o *pades.Options) { o.Hash = crypto.SHA384 }, false},
		"lock document":        {"/Ff 128/LockDocument/true", nil, false},
		"lock and certify":     {"/Ff 128/LockDocument/true", func(o *pades.Options) { o.Certify = 1 }, true},
		"appearance":           {"/Ff 256/AppearanceFilter(a)", nil, false},
		"approval":             {"/MDP<</P 0>>", nil, true},
		"approval, certified":  {"/MDP<</P 0>>", func(o *pades.Options) { o.Certify = 2 }, false},
		"certification":        {"/MDP<</P 2>>", func(o *pades.Options) { o.Certify = 2 }, true},
		"certification, not":   {"/MDP<</P 2>>", nil, false},
		"time-stamp":           {"/TimeStamp<</URL(http://a)/Ff 1>>", func(o *pades.Options) { o.Timestamp = tokenRoom }, true},
		"time-stamp, none":     {"/TimeStamp<</URL(http://a)/Ff 1>>", nil, false},
		"signer":               {"/Cert<</Ff 1/Subject[" + hex(id.Certificate.Raw) + "]>>", nil, true},
		"other signer":         {"/Cert<</Ff 1/Subject[" + hex(other.Certificate.Raw) + "]>>", nil, false},
		"other, not a must":    {"/Cert<</Ff 0/Subject[" + hex(other.Certificate.Raw) + "]>>", nil, true},
		"issuer":               {"/Cert<</Ff 2/Issuer[" + hex(pki.CA.Raw) + "]>>", nil, true},
		"other issuer":         {"/Cert<</Ff 2/Issuer[" + hex(other.Certificate.Raw) + "]>>", nil, false},
		"policy":               {"/Cert<</Ff 4/OID[(1.2.3)]>>", nil, false},
		"key usage":            {"/Cert<</Ff 32/KeyUsage[(1XXXXXXXX)(X1)]>>", nil, true},
		"other key usage":      {"/Cert<</Ff 32/KeyUsage[(1XXXXXXXX)(X0)]>>", nil, false},
		"subject's attributes": {"/Cert<</Ff 8/SubjectDN[<</cn(Ada)>>]>>", nil, false},
	} {
		doc := pdftest.Table(emptyField(pdftest.Objects{10: "<<" + widget + "/SV 8 0 R>>", 8: "<</Type/SV" + test.seed + ">>"}), "")
		_, err := prepare(doc, id, func(o *pades.Options) {
			o.Field = "firma"
			if test.change != nil {
				test.change(o)
			}
		})
		if (err == nil) != test.good || err != nil && pades.KindOf(err) != pades.NotPermitted {
			t.Errorf("%s: %v", name, err)
		}
	}
}
