package inspect

import (
	"bytes"
	"fmt"

	"sigillo/formats/pdf"
)

// mediaAnnotations are the annotations that play or hold something (§12.5.6).
var mediaAnnotations = map[pdf.Name]string{
	"Movie": "pdf.media", "Sound": "pdf.media", "Screen": "pdf.media", "3D": "pdf.media", "RichMedia": "pdf.media",
	"FileAttachment": "pdf.attachment",
}

// Annotation flags (§12.5.3).
const (
	flagInvisible    = 1 << 0
	flagHidden       = 1 << 1
	flagNoView       = 1 << 5
	flagToggleNoView = 1 << 8
)

const (
	flagPushButton = 1 << 16 // /Ff of a button (§12.7.5.2.1)
	maxPDFFace     = 4 << 10 // bytes of an appearance that could still be one of nothing
)

// annotated judges the annotations of a page that do not say what they are:
// some programs draw them all the same.
func (p *pdfScan) annotated(page pdf.Dict) error {
	list, err := p.array(page, "Annots")
	if err != nil {
		return err
	}
	for _, o := range list {
		o, err := p.f.Resolve(o)
		if err != nil {
			return err
		}
		d, ok := o.(pdf.Dict)
		if !ok || d["Type"] == pdf.Name("Annot") {
			continue // annotation comes to it
		}
		if _, err := p.complete(d); err != nil {
			return err
		}
	}
	return nil
}

// complete reports annotations without the entries that all must have (§12.5.2).
func (p *pdfScan) complete(d pdf.Dict) (bool, error) {
	subtype, err := p.name(d, "Subtype")
	if err != nil {
		return false, err
	}
	_, ok, err := p.rect(d)
	switch {
	case err != nil:
		return false, err
	case subtype == "":
		p.note("pdf.annotation.hidden", "no /Subtype")
		return false, nil
	case !ok:
		p.note("pdf.annotation.hidden", "/"+string(subtype)+": /Rect is not four numbers")
		return false, nil
	}
	return true, nil
}

// rect reads /Rect, four numbers.
func (p *pdfScan) rect(d pdf.Dict) (r [4]float64, ok bool, err error) {
	a, err := p.array(d, "Rect")
	if err != nil || len(a) != 4 {
		return r, false, err
	}
	for i, o := range a {
		o, err := p.f.Resolve(o)
		if err != nil {
			return r, false, err
		}
		if r[i], ok = number(o); !ok {
			return r, false, nil
		}
	}
	return r, true, nil
}

func number(o pdf.Object) (float64, bool) {
	switch n := o.(type) {
	case pdf.Integer:
		return float64(n), true
	case pdf.Real:
		return float64(n), true
	}
	return 0, false
}

// annotation finds what programs draw differently, or not all of them, on top
// of the page.
func (p *pdfScan) annotation(d pdf.Dict) error {
	subtype, err := p.name(d, "Subtype")
	if err != nil {
		return err
	}
	if rule, ok := mediaAnnotations[subtype]; ok {
		p.note(rule, "/"+string(subtype))
		return nil
	}
	if subtype == "U3D" || subtype == "PRC" {
		p.note("pdf.media", "/"+string(subtype))
	}
	if d["Type"] == pdf.Name("Annot") {
		if ok, err := p.complete(d); err != nil || !ok {
			return err
		}
	}
	rect, ok, err := p.rect(d)
	if err != nil || subtype == "" || !ok {
		return err
	}
	face, err := p.face(d, subtype, rect[0] == rect[2] || rect[1] == rect[3])
	if err != nil {
		return err
	}
	if subtype == "Widget" {
		return p.widget(d, face)
	}
	if subtype != "Popup" { // the note's window, which shows what the note says
		if err := p.flags(d, subtype); err != nil {
			return err
		}
	}
	switch {
	case subtype == "Link" || subtype == "Popup": // without an appearance they show nothing of their own
		if face.painted && !face.changes {
			return p.onTop(d, subtype)
		}
	case face.missing:
		p.note("pdf.annotation.hidden", "/"+string(subtype)+": no /AP")
	case !face.changes:
		return p.onTop(d, subtype)
	}
	return nil
}

func (p *pdfScan) onTop(d pdf.Dict, subtype pdf.Name) error {
	contents, err := p.get(d, "Contents")
	if err != nil {
		return err
	}
	text, _ := contents.(pdf.String)
	p.note("pdf.annotation", "/"+string(subtype)+" "+textString(text))
	return nil
}

// widget judges the look of a form field (§12.5.6.19). That of a signature may
// be hidden, once there is one.
func (p *pdfScan) widget(d pdf.Dict, face face) error {
	o, err := p.inherited(d, "FT")
	if err != nil {
		return err
	}
	kind, _ := o.(pdf.Name)
	if kind != "Sig" {
		if err := p.flags(d, "Widget"); err != nil {
			return err
		}
		if face.missing {
			p.note("pdf.annotation.hidden", "/Widget: no /AP")
		}
		if kind == "" && face.painted {
			return p.onTop(d, "Widget") // no field reports it
		}
		return nil
	}
	if !face.painted {
		return nil
	}
	v, err := p.inherited(d, "V")
	if err != nil {
		return err
	}
	end, ok, err := signatureEnd(p.f, v)
	if err != nil {
		return err
	}
	for _, rev := range p.f.Revisions() {
		if ok && covered([]int64{end}, rev.End) {
			return nil
		}
	}
	if err := p.flags(d, "Widget"); err != nil {
		return err
	}
	return p.onTop(d, "Widget")
}

// flags reports an annotation that is not shown, or not always.
func (p *pdfScan) flags(d pdf.Dict, subtype pdf.Name) error {
	o, err := p.get(d, "F")
	if err != nil {
		return err
	}
	if _, null := o.(pdf.Null); null {
		return nil
	}
	n, ok := number(o)
	if !ok || n != float64(int32(n)) {
		p.note("pdf.malformed", "/"+string(subtype)+": /F is not a whole number")
		return nil
	}
	if int32(n)&(flagInvisible|flagHidden|flagNoView|flagToggleNoView) != 0 {
		p.note("pdf.annotation.hidden", fmt.Sprintf("/%s /F %d", subtype, int32(n)))
	}
	return nil
}

// face is the appearance of an annotation (§12.5.5).
type face struct {
	missing bool // none, where there is something to fill
	painted bool // the normal one draws something
	changes bool // there is another one under the pointer
}

// face reads /AP, and reports other faces than the normal one: those of boxes to
// tick, which have a second one while pressed, are as good as the first.
func (p *pdfScan) face(d pdf.Dict, subtype pdf.Name, empty bool) (face, error) {
	appearance, err := p.dict(d, "AP")
	if err != nil {
		return face{}, err
	}
	normal, err := p.get(appearance, "N")
	if err != nil {
		return face{}, err
	}
	_, none := normal.(pdf.Null)
	f := face{missing: none && !empty}
	if f.painted, err = p.paints(normal); err != nil {
		return f, err
	}
	f.painted = f.painted && !empty
	if err := p.state(d, normal, subtype, f.painted); err != nil {
		return f, err
	}
	for _, key := range []pdf.Name{"R", "D"} {
		o, err := p.get(appearance, key)
		if err != nil {
			return f, err
		}
		if _, null := o.(pdf.Null); null {
			continue
		}
		box, err := p.tickBox(d)
		if err != nil {
			return f, err
		}
		if key == "D" && subtype == "Widget" && box {
			continue
		}
		f.changes = true
		p.note("pdf.annotation.hidden", "/"+string(subtype)+": /AP with rollover")
	}
	return f, nil
}

// state judges an appearance of several states (§12.5.5), of which /AS says which
// is shown. Without it each program chooses. The value of a tick box says the
// same, and programs differ in which of the two they believe.
func (p *pdfScan) state(d pdf.Dict, normal pdf.Object, subtype pdf.Name, painted bool) error {
	states, ok := normal.(pdf.Dict)
	if !ok || !painted {
		return nil
	}
	shown, err := p.name(d, "AS")
	if err != nil {
		return err
	}
	box, err := p.tickBox(d)
	if err != nil {
		return err
	}
	if !box || subtype != "Widget" {
		if shown == "" {
			p.note("pdf.annotation.hidden", "/"+string(subtype)+": no /AS")
		}
		return nil
	}
	value, err := p.inherited(d, "V")
	if err != nil {
		return err
	}
	says, ok := value.(pdf.Name)
	if !ok {
		return nil
	}
	if states[says] == nil {
		says = "Off"
	}
	if shown == "" {
		shown = "Off"
	}
	if says != shown {
		p.note("pdf.form.appearances", "/V /"+string(says)+" /AS /"+string(shown))
	}
	return nil
}

// tickBox tells whether d is a button that keeps its state.
func (p *pdfScan) tickBox(d pdf.Dict) (bool, error) {
	kind, err := p.inherited(d, "FT")
	if err != nil {
		return false, err
	}
	flags, err := p.inherited(d, "Ff")
	if err != nil {
		return false, err
	}
	n, _ := number(flags)
	return kind == pdf.Name("Btn") && int64(n)&flagPushButton == 0, nil
}

// paints tells whether an appearance, or that of any of its states, draws
// something: programs that make fields give them one of nothing.
func (p *pdfScan) paints(o pdf.Object) (bool, error) {
	switch o := o.(type) {
	case *pdf.Stream:
		b, err := p.f.Decoded(o, maxPDFFace)
		if err != nil {
			return true, nil // too much for nothing
		}
		for line := range bytes.FieldsFuncSeq(b, func(r rune) bool { return r == '\r' || r == '\n' }) {
			line, _, _ = bytes.Cut(line, []byte("%"))
			for _, word := range bytes.Fields(line) {
				switch string(word) {
				case "q", "Q", "/Tx", "BMC", "EMC":
				default:
					return true, nil
				}
			}
		}
	case pdf.Dict:
		for _, state := range o {
			state, err := p.f.Resolve(state)
			if err != nil {
				return false, err
			}
			if _, ok := state.(*pdf.Stream); !ok {
				continue
			}
			if paints, err := p.paints(state); err != nil || paints {
				return paints, err
			}
		}
	}
	return false, nil
}

// inherited is the entry key of a field or of those above it (§12.7.4.1).
func (p *pdfScan) inherited(d pdf.Dict, key pdf.Name) (pdf.Object, error) {
	for range 32 {
		o, err := p.get(d, key)
		if err != nil {
			return nil, err
		}
		if _, null := o.(pdf.Null); !null {
			return o, nil
		}
		if d, err = p.dict(d, "Parent"); err != nil {
			return nil, err
		}
		if d == nil {
			break
		}
	}
	return pdf.Null{}, nil
}
