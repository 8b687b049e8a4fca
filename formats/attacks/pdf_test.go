package attacks

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/pdf/pdftest"
)

// contract is a document with all that attacks on PDF need: text, an image of a
// font, a text field, an annotation, an empty signature field, a second text that
// no page shows, and objects that nothing leads to.
func contract(text string) pdftest.Objects {
	return pdftest.Objects{
		1:  "<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R/Names<</Dests<</Names[(one)[3 0 R/Fit]]>>>>/Lang(it)>>",
		2:  "<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2/MediaBox[0 0 600 800]>>",
		3:  "<</Type/Page/Parent 2 0 R/Resources<</Font<</F 14 0 R>>/XObject<</X 10 0 R>>>>/Contents 9 0 R/Annots[6 0 R 8 0 R 11 0 R]>>",
		4:  "<</Type/Page/Parent 2 0 R/Resources<</Font<</F 14 0 R>>>>/Contents[9 0 R 15 0 R]>>",
		5:  "<</Fields[6 0 R 11 0 R]/SigFlags 1/DR<</Font<</F 14 0 R>>>>/DA(/F 10 Tf 0 g)>>",
		6:  "<</Type/Annot/Subtype/Widget/FT/Tx/T(nome)/V(Ada)/Rect[10 10 90 30]/P 3 0 R/AP<</N 13 0 R>>>>",
		8:  "<</Type/Annot/Subtype/Text/Rect[300 300 320 320]/Contents(nota)/P 3 0 R>>",
		9:  pdftest.Stream("", []byte("BT /F 12 Tf 100 700 Td ("+text+") Tj ET /X Do")),
		10: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 600 800]", []byte("0 0 100 100 re f")),
		11: "<</Type/Annot/Subtype/Widget/FT/Sig/T(firma)/Rect[10 50 90 80]/P 3 0 R>>",
		13: pdftest.Stream("/Type/XObject/Subtype/Form/BBox[0 0 80 20]", []byte("BT (Ada) Tj ET")),
		14: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
		15: pdftest.Stream("", []byte("BT /F 12 Tf 100 600 Td (fine) Tj ET")),
		20: pdftest.Stream("", []byte("BT /F 12 Tf 100 700 Td (Pagare a Eva 99 euro) Tj ET")), // hidden
		21: "<</Type/Page/Parent 2 0 R/Resources<</Font<</F 14 0 R>>>>/Contents 20 0 R>>",     // hidden
		22: "<</Type/Pages/Kids[21 0 R]/Count 1/MediaBox[0 0 600 800]>>",                      // hidden
		23: "<</Type/Catalog/Pages 22 0 R>>",                                                  // hidden
	}
}

func signPAdES(t testing.TB, doc []byte, by *cmstest.Identity, change func(*pades.Options)) []byte {
	o := pades.Options{Certificate: by.Certificate, Chain: by.Chain, Hash: crypto.SHA256, SigningTime: signedAt}
	if change != nil {
		change(&o)
	}
	p, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
	return assemble(t, p, err, doc, by)
}

var padesFixtures = family(func(t testing.TB, w *party) (out []*fixture) {
	as := func(name string, file []byte) fixture {
		return fixture{name: "PAdES " + name, form: "PAdES", file: file, shown: pdfShown, spans: pdfSpans}
	}
	doc := pdftest.Table(contract("Pagare a Ada 10 euro"), "")
	out = w.levels(t, as("approval", signPAdES(t, doc, w.ada, nil)), allLevels...)
	for p := pades.NoChanges; p <= pades.FillFormsAnnotate; p++ {
		file := signPAdES(t, doc, w.ada, func(o *pades.Options) { o.Certify = p })
		out = append(out, w.levels(t, as(fmt.Sprintf("certified %d", p), file), ades.BB)...)
		if p == pades.NoChanges {
			out = append(out, w.levels(t, as("certified 1", file), ades.BLTA)...)
		}
	}
	out = append(out, w.levels(t, as("existing field", signPAdES(t, doc, w.ada, func(o *pades.Options) { o.Field = "firma" })), ades.BB)...)
	locked := signPAdES(t, doc, w.ada, func(o *pades.Options) { o.Lock = &pades.Lock{Action: "All"} })
	out = append(out, w.levels(t, as("locked", locked), ades.BB)...)
	out = append(out, w.levels(t, as("two", signPAdES(t, signPAdES(t, doc, w.ada, nil), w.eva, nil)), ades.BB, ades.BLTA)...)
	visible := signPAdES(t, doc, w.ada, func(o *pades.Options) {
		o.Rect, o.Appearance = [4]float64{200, 10, 300, 60}, &appearance.Appearance{Text: "Firmato da Ada", Border: 1}
	})
	out = append(out, w.levels(t, as("visible", visible), ades.BB)...)
	streams := pdftest.Streams(contract("Pagare a Ada 10 euro"), "", 1, 2, 3, 4, 5)
	out = append(out, w.levels(t, as("object streams", signPAdES(t, streams, w.ada, nil)), ades.BB)...)
	hybrid := pdftest.Hybrid(contract("Pagare a Ada 10 euro"), "", 14)
	out = append(out, w.levels(t, as("hybrid", signPAdES(t, hybrid, w.ada, nil)), ades.BB)...)
	s, err := pades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), ades.Extension{TokenSize: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var stamped bytes.Buffer
	if err := s.Assemble(&stamped, bytes.NewReader(doc), int64(len(doc)), [][]byte{w.tsu.Stamp(t, crypto.SHA256, s.Imprints()[0], signedAt)}); err != nil {
		t.Fatal(err)
	}
	only := as("document time-stamp", stamped.Bytes())
	return append(out, only.ready(t, w, ""))
})

// pdfShown writes down all that a reader of the document sees: what can be
// reached from the pages, and the catalog without evidence, metadata and the form's
// list. The values of text fields are left out, since they may be filled in.
func pdfShown(file []byte) (string, error) { return pdfContent(file, true) }

func pdfContent(file []byte, annotations bool) (string, error) {
	f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	if err != nil {
		return "", err
	}
	d := &dump{f: f, seen: map[pdf.Ref]int{}, annotations: annotations}
	for p, err := range f.Pages() {
		if err != nil {
			return "", err
		}
		d.seen[p.Ref] = len(d.seen)
		d.page(p)
	}
	catalog, err := f.Catalog()
	if err != nil {
		return "", err
	}
	for _, k := range slices.Sorted(maps.Keys(catalog)) {
		if !slices.Contains([]pdf.Name{"Pages", "AcroForm", "DSS", "Extensions", "Metadata", "Version", "Perms"}, k) {
			d.out.WriteString(string(k))
			d.object(catalog[k], 0)
		}
	}
	return d.out.String(), d.err
}

type dump struct {
	f    *pdf.File
	seen map[pdf.Ref]int
	out  strings.Builder
	err  error

	annotations bool // that are no fields
}

func (d *dump) page(p pdf.Page) {
	own := p.Dict.Clone()
	delete(own, "Annots")
	delete(own, "Parent")
	d.object(own, 0)
	d.object(p.Inherited, 0)
	annots, _, err := pdf.As[pdf.Array](d.f, p.Dict["Annots"])
	d.err = errors.Join(d.err, err)
	for _, a := range annots {
		o, err := d.f.Resolve(a)
		d.err = errors.Join(d.err, err)
		w, ok := o.(pdf.Dict)
		if !ok && !d.annotations {
			continue
		}
		if w["FT"] == pdf.Name("Sig") || !d.annotations && w["FT"] == nil {
			continue
		}
		w = w.Clone()
		delete(w, "P")
		if w["FT"] != nil || w["Parent"] != nil {
			for _, k := range []pdf.Name{"V", "AP", "AS", "M", "RV"} {
				delete(w, k)
			}
		}
		d.object(w, 0)
	}
}

func (d *dump) object(o pdf.Object, depth int) {
	if ref, ok := o.(pdf.Ref); ok {
		if n, ok := d.seen[ref]; ok {
			fmt.Fprintf(&d.out, "@%d", n)
			return
		}
		d.seen[ref] = len(d.seen)
	}
	o, err := d.f.Resolve(o)
	if err != nil || depth > 50 {
		d.err = errors.Join(d.err, err, map[bool]error{true: errors.New("too deep")}[depth > 50])
		return
	}
	switch x := o.(type) {
	case pdf.Dict:
		d.out.WriteString("<<")
		for _, k := range slices.Sorted(maps.Keys(x)) {
			d.out.WriteString("/" + string(k) + " ")
			d.object(x[k], depth+1)
		}
		d.out.WriteString(">>")
	case pdf.Array:
		d.out.WriteString("[")
		for _, e := range x {
			d.object(e, depth+1)
		}
		d.out.WriteString("]")
	case *pdf.Stream:
		d.object(x.Dict, depth+1)
		data, err := io.ReadAll(d.f.Raw(x))
		d.err = errors.Join(d.err, err)
		d.out.Write(data)
	default:
		fmt.Fprintf(&d.out, "%T %v ", o, o)
	}
}

// pdfSpans names the revisions and the values of signatures.
func pdfSpans(file []byte) (out []span) {
	f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	if err != nil {
		return nil
	}
	last := int64(0)
	for i, r := range f.Revisions() {
		out = append(out, span{int(last), int(r.End), fmt.Sprintf("revision %d", i+1)})
		last = r.End
	}
	doc, err := pades.Open(bytes.NewReader(file), int64(len(file)), nil)
	if err != nil {
		return nil
	}
	signedTo := int64(0)
	for _, s := range doc.Signatures() {
		signedTo = max(signedTo, s.ByteRange[2]+s.ByteRange[3])
		out = append(out, span{int(s.ByteRange[1]), int(s.ByteRange[2]), "value of " + s.SubFilter})
	}
	return append(out, span{int(signedTo), len(file), "after the last signature"})
}

// later appends a revision in which objects are replaced.
func later(file []byte, change func(u *pdf.Update)) []byte {
	f, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	if err != nil {
		return nil
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		return nil
	}
	change(u)
	b, err := u.Bytes()
	if err != nil {
		return nil
	}
	return slices.Concat(file, b)
}

// revisionMutants replaces each object in a later revision: whole, and in each of
// its entries.
func revisionMutants(f *fixture) (out []mutant) {
	file, err := pdf.Open(bytes.NewReader(f.file), int64(len(f.file)), pdf.Limits{})
	if err != nil {
		return nil
	}
	catalog, form := file.Root(), pdf.Ref{}
	if c, err := file.Catalog(); err == nil {
		form, _ = c["AcroForm"].(pdf.Ref)
	}
	var refs []pdf.Ref
	for r := range file.Objects() {
		refs = append(refs, r)
	}
	for i, ref := range refs {
		o, err := file.Get(ref)
		if err != nil {
			continue
		}
		part := describe(ref, o, catalog, form)
		set := func(kind string, with pdf.Object) {
			if reflect.DeepEqual(o, with) {
				return
			}
			out = append(out, mutant{kind: "PDF " + kind, part: part, make: func() []byte {
				return later(f.file, func(u *pdf.Update) { u.Set(ref, with) })
			}})
		}
		set("object removed", pdf.Null{})
		set("object emptied", pdf.Dict{})
		set("object of another type", pdf.String("99"))
		next, err := file.Get(refs[(i+1)%len(refs)])
		if _, stream := next.(*pdf.Stream); err == nil && !stream {
			set("object exchanged", next)
		}
		for _, v := range variants(file, o, 0) {
			set(v.kind, v.object)
		}
	}
	return out
}

// describe names an object by what it is.
func describe(ref pdf.Ref, o pdf.Object, catalog, form pdf.Ref) string {
	d, _ := o.(pdf.Dict)
	if s, ok := o.(*pdf.Stream); ok {
		d = s.Dict
	}
	switch {
	case ref == catalog:
		return "catalog"
	case ref == form:
		return "form"
	case d["FT"] != nil:
		return fmt.Sprintf("field %v", d["FT"])
	case d["SubFilter"] != nil:
		return fmt.Sprintf("signature %v", d["SubFilter"])
	case ref.Num >= 20 && ref.Num <= 23:
		return "object that nothing leads to"
	case ref.Num == 13:
		return "appearance of a field"
	case d["Type"] != nil:
		return fmt.Sprintf("%v", d["Type"])
	}
	return fmt.Sprintf("%T", o)
}

type variant struct {
	kind   string
	object pdf.Object
}

// variants are an object with one thing changed.
func variants(f *pdf.File, o pdf.Object, depth int) (out []variant) {
	if depth > 4 {
		return nil
	}
	switch x := o.(type) {
	case pdf.Dict:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			with := func(v pdf.Object) pdf.Dict {
				d := x.Clone()
				if d[k] = v; v == nil {
					delete(d, k)
				}
				return d
			}
			out = append(out, variant{"entry removed: " + string(k), with(nil)})
			for _, v := range variants(f, x[k], depth+1) {
				out = append(out, variant{v.kind + " in " + string(k), with(v.object)})
			}
		}
		for k, v := range map[pdf.Name]pdf.Object{"A": pdf.Dict{"S": pdf.Name("JavaScript"), "JS": pdf.String("x")}, "AA": pdf.Dict{"O": pdf.Dict{"S": pdf.Name("JavaScript"), "JS": pdf.String("x")}},
			"Contents": pdf.Ref{Num: 20}, "OpenAction": pdf.Array{pdf.Ref{Num: 21}, pdf.Name("Fit")}, "Pages": pdf.Ref{Num: 22}, "Kids": pdf.Array{pdf.Ref{Num: 21}}, "AP": pdf.Dict{"N": pdf.Ref{Num: 10}}, "V": pdf.String("Eva"),
			"F": pdf.Integer(2), "Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(600), pdf.Integer(800)}, "OC": pdf.Ref{Num: 20}, "NeedAppearances": pdf.Bool(true), "XFA": pdf.String("x"), "Perms": pdf.Dict{}, "Parent": pdf.Ref{Num: 22}} {
			d := x.Clone()
			d[k] = v
			out = append(out, variant{"entry set: " + string(k), d})
		}
	case pdf.Array:
		for i := range x {
			out = append(out, variant{"element removed", slices.Delete(slices.Clone(x), i, i+1)}, variant{"element doubled", slices.Insert(slices.Clone(x), i, x[i])})
			if i > 0 {
				s := slices.Clone(x)
				s[i-1], s[i] = s[i], s[i-1]
				out = append(out, variant{"elements swapped", s})
			}
			for _, v := range variants(f, x[i], depth+1) {
				s := slices.Clone(x)
				s[i] = v.object
				out = append(out, variant{v.kind, s})
			}
		}
		out = append(out, variant{"element added", append(slices.Clone(x), pdf.Ref{Num: 21})}, variant{"element added", append(slices.Clone(x), pdf.Ref{Num: 8})})
	case pdf.Integer:
		out = append(out, variant{"number", x + 1}, variant{"number", pdf.Integer(0)})
	case pdf.Real:
		out = append(out, variant{"number", x + 1})
	case pdf.Name:
		out = append(out, variant{"name", x + "x"})
	case pdf.String:
		out = append(out, variant{"string", append(slices.Clone(x), '9')})
	case pdf.Ref:
		out = append(out, variant{"reference", pdf.Ref{Num: 20}}, variant{"reference", pdf.Ref{Num: 10}}, variant{"reference", pdf.Ref{Num: 999}})
	case *pdf.Stream:
		out = append(out, streamVariants(f, x)...)
	}
	return out
}

func streamVariants(f *pdf.File, s *pdf.Stream) (out []variant) {
	data, err := io.ReadAll(f.Raw(s))
	if err != nil {
		return nil
	}
	dict := s.Dict.Clone()
	delete(dict, "Length")
	if len(data) > 0 {
		changed := bytes.Clone(data)
		changed[len(data)/2] ^= 1
		out = append(out, variant{"data", &pdf.NewStream{Dict: dict, Data: changed}})
	}
	out = append(out, variant{"data", &pdf.NewStream{Dict: dict, Data: append([]byte("1 0 0 1 9 9 cm "), data...)}}, variant{"data", &pdf.NewStream{Dict: dict}})
	for _, k := range slices.Sorted(maps.Keys(dict)) {
		d := dict.Clone()
		delete(d, k)
		out = append(out, variant{"entry removed: " + string(k), &pdf.NewStream{Dict: d, Data: data}})
	}
	return out
}

func TestPAdES(t *testing.T) {
	t.Parallel()
	fixtures := padesFixtures(t)
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(f.name, "PAdES certified 3") { // which permits annotations
				f.form, f.shown, f.want = "PAdES, annotations permitted", func(file []byte) (string, error) { return pdfContent(file, false) }, nil
				want, err := f.shown(f.file)
				if err != nil {
					t.Fatal(err)
				}
				f.want = []string{want}
			}
			all := slices.Concat(octetMutants(f), revisionMutants(f), rangeMutants(f), tailMutants(f), valueMutants(f), padesGrafts(f, fixtures))
			f.attack(t, all, 12)
		})
	}
}
