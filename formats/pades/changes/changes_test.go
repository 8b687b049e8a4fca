package changes_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// signedForm is a document with two pages, a text field, an annotation, a
// signature, an empty signature field and a dangling reference.
var signedForm = pdftest.Objects{
	1:  "<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R/Names<</Dests<</Names[(one)[3 0 R/Fit]]>>>>>>",
	2:  "<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2/MediaBox[0 0 600 800]>>",
	3:  "<</Type/Page/Parent 2 0 R/Resources<</XObject<</X 10 0 R/Y 30 0 R>>>>/Contents 9 0 R/Annots[6 0 R 8 0 R 11 0 R]>>",
	4:  "<</Type/Page/Parent 2 0 R/Resources<<>>/Annots 12 0 R>>",
	5:  "<</Fields[6 0 R 7 0 R 11 0 R 15 0 R 16 0 R 18 0 R]/SigFlags 3/DR<<>>>>",
	6:  "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada)/Rect[10 10 90 30]/P 3 0 R/AP<</N 13 0 R>>>>",
	7:  "<</FT/Sig/T(first)/V 14 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/P 3 0 R>>",
	8:  "<</Type/Annot/Subtype/Text/Rect[300 300 320 320]/Contents(note)/P 3 0 R>>",
	9:  pdftest.Stream("", []byte("/X Do")),
	10: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 1 1]", []byte("0 0 1 1 re f")),
	11: "<</Type/Annot/Subtype/Widget/FT/Sig/T(second)/Rect[10 50 90 80]/P 3 0 R>>",
	12: "[]",
	13: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 80 20]", []byte("q Q")),
	15: "<</Type/Annot/Subtype/Widget/FT/Tx/T(empty)/V()/Rect[10 110 90 130]/P 3 0 R/AP<</N 17 0 R>>>>",
	16: "<</Type/Annot/Subtype/Widget/FT/Btn/T(box)/V/Off/AS/Off/Rect[10 140 20 150]/P 3 0 R/AP<</N<</Yes 17 0 R>>>>>>",
	17: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 80 20]", nil),
	18: "<</Type/Annot/Subtype/Widget/FT/Btn/Ff 65536/T(button)/Rect[10 160 20 170]/P 3 0 R/AP<</N 19 0 R>>>>",
	19: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 10 10]", []byte("q Q")),
	14: "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Contents<00>/ByteRange[0 1 2 3]/Reference[<</Type/SigRef/TransformMethod/FieldMDP/Data 1 0 R>>]>>",
}

const (
	page1  = "<</Type/Page/Parent 2 0 R/Resources<</XObject<</X 10 0 R/Y 30 0 R>>>>/Contents 9 0 R/Annots[6 0 R 8 0 R 11 0 R %]>>"
	form   = "<</Fields[6 0 R 7 0 R 11 0 R 15 0 R 16 0 R 18 0 R %]/SigFlags 3/DR<<>>>>"
	sig    = "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Contents<01>/ByteRange[0 1 2 3]>>"
	widget = "<</Type/Annot/Subtype/Widget/FT/Sig/T(third)/V 21 0 R/P 3 0 R/Rect[%]>>"
)

func fill(template, with string) string { return strings.Replace(template, "%", with, 1) }

// newSignature adds a signature field with a widget of the given rectangle.
func newSignature(rect string) pdftest.Objects {
	return pdftest.Objects{3: fill(page1, "20 0 R"), 5: fill(form, "20 0 R"), 20: fill(widget, rect), 21: sig}
}

var cases = []struct {
	name    string
	later   pdftest.Objects
	want    []changes.Kind
	allowed bool // by a signature that says nothing
}{
	{"nothing", pdftest.Objects{40: "(unused)"}, nil, true},
	{"the same again", pdftest.Objects{9: signedForm[9], 8: signedForm[8], 1: signedForm[1]}, nil, true},
	{"evidence", pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/DSS<</CRLs[]>>/Pages", 1)}, []changes.Kind{changes.Evidence}, true},
	{"evidence, and a lock that names the catalog", pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/DSS<</CRLs[]>>/Pages", 1)}, []changes.Kind{changes.Evidence}, true},
	{"metadata", pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/Metadata 40 0 R/Pages", 1), 40: pdftest.Stream("", nil)}, []changes.Kind{changes.Metadata}, true},
	{"second signature", newSignature("0 0 0 0"), []changes.Kind{changes.Signature}, true},
	{"visible second signature", newSignature("400 10 500 60"), []changes.Kind{changes.Signature}, true},
	{"document time-stamp", newSignature("0 0 0 0").With(pdftest.Objects{21: strings.Replace(sig, "ETSI.CAdES.detached", "ETSI.RFC3161", 1)}),
		[]changes.Kind{changes.Timestamp}, true},
	{"document time-stamp that shows something", newSignature("400 10 500 60").With(pdftest.Objects{21: strings.Replace(sig, "ETSI.CAdES.detached", "ETSI.RFC3161", 1)}),
		[]changes.Kind{changes.Timestamp, changes.Other}, false},
	{"empty field time-stamped to show something", pdftest.Objects{11: strings.Replace(signedForm[11], "/Rect", "/V 21 0 R/AP<</N 22 0 R>>/Rect", 1),
		21: strings.Replace(sig, "ETSI.CAdES.detached", "ETSI.RFC3161", 1), 22: signedForm[10]}, []changes.Kind{changes.Other}, false},
	{"empty field signed", pdftest.Objects{11: strings.Replace(signedForm[11], "/Rect", "/V 21 0 R/AP<</N 22 0 R>>/Rect", 1), 21: sig, 22: signedForm[10]},
		[]changes.Kind{changes.Signature}, true},
	{"field filled in", pdftest.Objects{15: strings.Replace(signedForm[15], "()", "(Eva)", 1)}, []changes.Kind{changes.FormFill}, true},
	{"box ticked", pdftest.Objects{16: strings.ReplaceAll(signedForm[16], "/Off", "/Yes")}, []changes.Kind{changes.FormFill}, true},
	{"appearance of an empty field", pdftest.Objects{17: signedForm[10]}, []changes.Kind{changes.FormFill}, true},
	{"field filled in otherwise", pdftest.Objects{6: strings.Replace(signedForm[6], "(Ada)", "(Eva)", 1)}, []changes.Kind{changes.FormChange}, false},
	{"appearance of a field", pdftest.Objects{13: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 80 20]", []byte("Q q"))}, []changes.Kind{changes.FormChange}, false},
	{"appearance of a button", pdftest.Objects{19: signedForm[10]}, []changes.Kind{changes.FormChange}, false},
	{"value taken away", pdftest.Objects{6: strings.Replace(signedForm[6], "/V(Ada)", "", 1)}, []changes.Kind{changes.FormChange}, false},

	{"annotation added", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/Square/Rect[0 0 60 80]>>"}, []changes.Kind{changes.Annotation}, false},
	{"annotation over a page", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/Square/Rect[0 0 600 800]>>"}, []changes.Kind{changes.Other}, false},
	{"annotations over a page together", pdftest.Objects{12: "[23 0 R 24 0 R 25 0 R]", 23: "<</Subtype/Ink/Rect[0 0 600 190]>>", 24: "<</Subtype/Ink/Rect[0 190 600 380]>>", 25: "<</Subtype/Ink/Rect[0 380 600 570]>>"},
		[]changes.Kind{changes.Annotation, changes.Other}, false},
	{"annotation that writes on the page", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/FreeText/Rect[300 300 400 320]/DA(/F 9 Tf)/Contents(999)>>"}, []changes.Kind{changes.Other}, false},
	{"hidden annotation that would write on the page", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/FreeText/F 2/Rect[300 300 400 320]>>"}, []changes.Kind{changes.Annotation}, false},
	{"link over a page", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/Link/Rect[0 0 600 800]>>"}, []changes.Kind{changes.Annotation}, false},
	{"link over a page that paints", pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/Link/Rect[0 0 600 800]/AP<</N 17 0 R>>>>"}, []changes.Kind{changes.Other}, false},
	{"note becomes a stamp", pdftest.Objects{8: strings.Replace(signedForm[8], "/Text", "/Stamp", 1)}, []changes.Kind{changes.Other, changes.Annotation}, false},
	{"note grows over a page", pdftest.Objects{8: strings.Replace(signedForm[8], "300 300 320 320", "0 0 600 800", 1)}, []changes.Kind{changes.Other, changes.Annotation}, false},
	{"stamp in place of a note", pdftest.Objects{3: strings.Replace(fill(page1, ""), "8 0 R", "23 0 R", 1), 23: "<</Type/Annot/Subtype/Stamp/Rect[300 300 400 320]>>"}, []changes.Kind{changes.Other}, false},
	{"annotation changed", pdftest.Objects{8: strings.Replace(signedForm[8], "note", "nothing", 1)}, []changes.Kind{changes.Annotation}, false},

	{"signature over a page", newSignature("0 0 600 800"), []changes.Kind{changes.Signature, changes.Other}, false},
	{"signatures over a page together", pdftest.Objects{3: fill(page1, "20 0 R 41 0 R 42 0 R"), 5: fill(form, "20 0 R 41 0 R 42 0 R"), 20: fill(widget, "0 350 250 790"), 21: sig,
		41: strings.Replace(fill(widget, "250 350 500 790"), "third", "fourth", 1), 42: strings.Replace(fill(widget, "500 200 600 790"), "third", "fifth", 1)},
		[]changes.Kind{changes.Signature, changes.Other}, false},
	{"signature over a field", newSignature("50 20 100 60"), []changes.Kind{changes.Signature, changes.Other}, false},
	{"signature shown nowhere it can be seen", newSignature("0 0 0 0").With(pdftest.Objects{4: strings.Replace(signedForm[4], "12 0 R", "[20 0 R]", 1)}),
		[]changes.Kind{changes.Signature, changes.Other}, false},
	{"unsigned signature field", newSignature("400 10 500 60").With(pdftest.Objects{20: "<</Type/Annot/Subtype/Widget/FT/Sig/T(third)/P 3 0 R/Rect[400 10 500 60]>>"}),
		[]changes.Kind{changes.Other}, false},
	{"new text field", newSignature("400 10 500 60").With(pdftest.Objects{20: "<</Type/Annot/Subtype/Widget/FT/Tx/V(paid)/T(third)/P 3 0 R/Rect[400 10 500 60]>>"}),
		[]changes.Kind{changes.Other}, false},
	{"contents replaced", pdftest.Objects{9: pdftest.Stream("", []byte("/Y Do"))}, []changes.Kind{changes.Other}, false},
	{"contents pointed elsewhere", pdftest.Objects{3: strings.Replace(fill(page1, ""), "9 0 R", "40 0 R", 1), 40: signedForm[9]}, []changes.Kind{changes.Other}, false},
	{"resource replaced", pdftest.Objects{10: signedForm[13]}, []changes.Kind{changes.Other}, false},
	{"resource freed", pdftest.Objects{10: "null"}, []changes.Kind{changes.Other}, false},
	{"dangling resource filled", pdftest.Objects{30: signedForm[10]}, []changes.Kind{changes.Other}, false},
	{"page size", pdftest.Objects{2: strings.Replace(signedForm[2], "800", "80", 1)}, []changes.Kind{changes.Other}, false},
	{"page added", pdftest.Objects{2: strings.Replace(signedForm[2], "4 0 R]/Count 2", "4 0 R 40 0 R]/Count 3", 1), 40: signedForm[4]}, []changes.Kind{changes.Other}, false},
	{"action", pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/OpenAction<</S/JavaScript/JS(x)>>/Pages", 1)}, []changes.Kind{changes.Other}, false},
	{"certification later", pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/Perms<</DocMDP 14 0 R>>/Pages", 1)}, []changes.Kind{changes.Other}, false},
	{"signature value replaced", pdftest.Objects{14: sig}, []changes.Kind{changes.Other}, false},
	{"signature moved", pdftest.Objects{7: strings.Replace(signedForm[7], "[0 0 0 0]", "[0 0 9 9]", 1)}, []changes.Kind{changes.Other}, false},
	{"signature pointed elsewhere", pdftest.Objects{7: strings.Replace(signedForm[7], "14 0 R", "21 0 R", 1), 21: signedForm[14]}, []changes.Kind{changes.Other}, false},
	{"field moved", pdftest.Objects{6: strings.Replace(signedForm[6], "[10", "[20", 1)}, []changes.Kind{changes.Other}, false},
	{"field removed", pdftest.Objects{5: "<</Fields[7 0 R 11 0 R 15 0 R 16 0 R 18 0 R]/SigFlags 3/DR<<>>>>"}, []changes.Kind{changes.Other}, false},
	{"widget removed", pdftest.Objects{3: strings.Replace(fill(page1, ""), "6 0 R 8", "8", 1)}, []changes.Kind{changes.Other}, false},
	{"field gets an action", pdftest.Objects{6: strings.Replace(signedForm[6], "/P", "/AA<<>>/P", 1)}, []changes.Kind{changes.Other}, false},
	{"appearances to be made anew", pdftest.Objects{5: strings.Replace(fill(form, ""), "/DR", "/NeedAppearances true/DR", 1)}, []changes.Kind{changes.Other}, false},
	{"destination", pdftest.Objects{1: strings.Replace(signedForm[1], "3 0 R", "4 0 R", 1)}, []changes.Kind{changes.Other}, false},
}

// kinds are those of a list of changes, in order, neighbours of one kind once.
func kinds(list []changes.Change) []changes.Kind {
	var out []changes.Kind
	for _, c := range list {
		out = append(out, c.Kind)
	}
	return slices.Compact(out)
}

func analyse(t *testing.T, base, later pdftest.Objects) []changes.Change {
	t.Helper()
	doc := appended(t, pdftest.Table(base, ""), later)
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := changes.Analyse(f, 0)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnalyse(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := analyse(t, signedForm, c.later)
			if !slices.Equal(kinds(list), c.want) {
				t.Errorf("%v, want %v", list, c.want)
			}
			if allowed := !slices.ContainsFunc(list, func(ch changes.Change) bool { return !(changes.Permissions{}).Allow(ch) }); allowed != c.allowed {
				t.Errorf("allowed: %v, want %v", allowed, c.allowed)
			}
		})
	}
}

// An object that is an exception in one place is none in another; nor is one
// because of what the signed document makes of it.
func TestTwoRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, later pdftest.Objects }{
		"appearance of a field is part of a page": {
			signedForm.With(pdftest.Objects{6: strings.Replace(signedForm[6], "13 0 R", "10 0 R", 1)}), pdftest.Objects{10: signedForm[13]}},
		"field is a page's resources": {
			signedForm.With(pdftest.Objects{4: "<</Type/Page/Parent 2 0 R/Resources<</XObject 6 0 R>>/Annots 12 0 R>>"}),
			pdftest.Objects{6: strings.Replace(signedForm[6], "(Ada)", "(Eva)", 1)}},
		"annotation's appearance is part of a page": {
			signedForm.With(pdftest.Objects{8: "<</Type/Annot/Subtype/Stamp/Rect[300 300 320 320]/AP<</N 10 0 R>>>>"}), pdftest.Objects{10: signedForm[13]}},
		"security store is a page's contents": {
			signedForm.With(pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/DSS<</CRLs[9 0 R]>>/Pages", 1)}), pdftest.Objects{9: signedForm[13]}},
		"catalog is a page's resources": {
			signedForm.With(pdftest.Objects{4: "<</Type/Page/Parent 2 0 R/Resources<</XObject 1 0 R>>/Annots 12 0 R>>"}),
			pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/Metadata 10 0 R/Pages", 1)}},
		"little of a page is shown, and a signature covers it": {
			signedForm.With(pdftest.Objects{2: strings.Replace(signedForm[2], "/Count", "/CropBox[400 0 600 70]/Count", 1)}), newSignature("400 10 500 60")},
		"form's fields are a page's contents": {
			signedForm.With(pdftest.Objects{5: "<</Fields 12 0 R/SigFlags 3>>", 3: strings.Replace(fill(page1, ""), "/Contents 9 0 R", "/Contents 12 0 R", 1)}),
			pdftest.Objects{12: "[20 0 R]", 20: fill(widget, "0 0 0 0"), 21: sig}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if list := analyse(t, c.base, c.later); !slices.Contains(kinds(list), changes.Other) {
				t.Errorf("only %v", list)
			}
		})
	}
}

// What can be seen of a change is on a page, which is named.
func TestPages(t *testing.T) {
	t.Parallel()
	// The field and its widget are two objects; the widget is on page 2.
	apart := signedForm.With(pdftest.Objects{11: "<</FT/Sig/T(second)/Kids[50 0 R]>>", 12: "[50 0 R]",
		50: "<</Type/Annot/Subtype/Widget/Parent 11 0 R/Rect[10 50 90 80]/P 4 0 R>>", 3: strings.Replace(fill(page1, ""), " 11 0 R", "", 1)})
	signed := func(value string) pdftest.Objects {
		return pdftest.Objects{11: strings.Replace(apart[11], "/Kids", "/V 21 0 R/Kids", 1), 21: value, 50: strings.Replace(apart[50], "/Rect", "/AP<</N 22 0 R>>/Rect", 1), 22: signedForm[10]}
	}
	for _, c := range []struct {
		name        string
		base, later pdftest.Objects
		kind        changes.Kind
		page        int
	}{
		{"invisible signature", signedForm, newSignature("0 0 0 0"), changes.Signature, 0},
		{"visible signature", signedForm, newSignature("400 10 500 60"), changes.Signature, 1},
		{"hidden signature", signedForm, newSignature("400 10 500 60").With(pdftest.Objects{20: strings.Replace(fill(widget, "400 10 500 60"), "/Rect", "/F 2/Rect", 1)}), changes.Signature, 0},
		{"visible signature on the second page", signedForm, newSignature("400 10 500 60").With(pdftest.Objects{3: fill(page1, ""), 12: "[20 0 R]"}), changes.Signature, 2},
		{"empty field signed", signedForm, pdftest.Objects{11: strings.Replace(signedForm[11], "/Rect", "/V 21 0 R/Rect", 1), 21: sig}, changes.Signature, 1},
		{"empty field with a widget apart signed", apart, signed(sig), changes.Signature, 2},
		{"the same time-stamped, to show something", apart, signed(strings.Replace(sig, "ETSI.CAdES.detached", "ETSI.RFC3161", 1)), changes.Other, 0},
		{"field changed", signedForm, pdftest.Objects{6: strings.Replace(signedForm[6], "(Ada)", "(Eva)", 1)}, changes.FormChange, 1},
		{"annotation added", signedForm, pdftest.Objects{12: "[23 0 R]", 23: "<</Type/Annot/Subtype/Square/Rect[0 0 60 80]>>"}, changes.Annotation, 2},
		{"annotation changed", signedForm, pdftest.Objects{8: strings.Replace(signedForm[8], "note", "nothing", 1)}, changes.Annotation, 1},
		{"metadata", signedForm, pdftest.Objects{1: strings.Replace(signedForm[1], "/Pages", "/Metadata 40 0 R/Pages", 1), 40: pdftest.Stream("", nil)}, changes.Metadata, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, found := analyse(t, c.base, c.later), 0
			for _, ch := range list {
				if ch.Kind != c.kind {
					continue
				}
				if found++; ch.Page != c.page {
					t.Errorf("page %d, want %d: %s", ch.Page, c.page, ch)
				}
			}
			if found == 0 {
				t.Errorf("only %v", list)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	locked := func(name string) bool { return name == "name" }
	for _, c := range []struct {
		p    changes.Permissions
		yes  []changes.Kind
		no   []changes.Kind
		lock bool
	}{
		{changes.Permissions{}, []changes.Kind{changes.Evidence, changes.Timestamp, changes.Metadata, changes.Signature, changes.FormFill}, []changes.Kind{changes.Annotation, changes.Other}, true},
		{changes.Permissions{DocMDP: 1}, []changes.Kind{changes.Evidence, changes.Timestamp}, []changes.Kind{changes.Metadata, changes.Signature, changes.FormFill, changes.Annotation, changes.Other}, false},
		{changes.Permissions{DocMDP: 2}, []changes.Kind{changes.Signature, changes.FormFill}, []changes.Kind{changes.Annotation, changes.Other}, true},
		{changes.Permissions{DocMDP: 3}, []changes.Kind{changes.Signature, changes.FormFill, changes.Annotation}, []changes.Kind{changes.Other}, true},
		{changes.Permissions{Locked: locked}, []changes.Kind{changes.Evidence}, []changes.Kind{changes.FormFill, changes.Signature}, false},
	} {
		for _, k := range c.yes {
			if !c.p.Allow(changes.Change{Kind: k, Field: "name"}) {
				t.Errorf("%+v refuses %s", c.p, k)
			}
		}
		for _, k := range c.no {
			if c.p.Allow(changes.Change{Kind: k, Field: "name"}) {
				t.Errorf("%+v allows %s", c.p, k)
			}
		}
		if got := c.p.Allow(changes.Change{Kind: changes.FormFill, Field: "name"}); got != c.lock {
			t.Errorf("%+v: filling in %v", c.p, got)
		}
	}
}

// What is not looked at, since there are too many changes, is not said to be none.
func TestTooManyChanges(t *testing.T) {
	t.Parallel()
	const fields = 1001
	var list strings.Builder
	base, later := maps.Clone(signedForm), pdftest.Objects{9: pdftest.Stream("", []byte("/Y Do"))}
	for i := range fields {
		n := 100 + i
		fmt.Fprintf(&list, " %d 0 R", n)
		base[n] = fmt.Sprintf("<</FT/Tx/T(f%d)>>", n)
		later[n] = fmt.Sprintf("<</FT/Tx/T(f%d)/V(x)>>", n)
	}
	base[5] = fill(form, list.String())
	if got := kinds(analyse(t, base, later)); !slices.Contains(got, changes.Other) {
		t.Errorf("%d changes, and none that nothing allows", len(got))
	}
}
