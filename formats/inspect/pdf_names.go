package inspect

import "sigillo/formats/pdf"

// Fonts, graphics states, pictures, destinations and kinds of structure have
// names of the document's own choice, which may be those of entries that act:
// a font can be called AA. What such an entry is, is judged by its value, since
// where it stands proves little: one object can be both a list of fonts and an
// action. What only counts in one place is looked for there too (see catalog).

// isScript tells whether d has a script in /JS, and not something called so.
func (p *pdfScan) isScript(d pdf.Dict) (bool, error) {
	o, err := p.get(d, "JS")
	if err != nil {
		return false, err
	}
	switch o := o.(type) {
	case pdf.String:
		return true, nil
	case *pdf.Stream:
		if d["S"] != nil {
			return true, nil
		}
		kind, err := p.name(o.Dict, "Subtype")
		return kind != "Form" && kind != "Image" && o.Dict["PatternType"] == nil && o.Dict["ShadingType"] == nil, err
	}
	return false, nil
}

// isTree tells whether o is a name tree (ISO 32000-2 §7.9.6).
func (p *pdfScan) isTree(o pdf.Object) (bool, error) {
	o, err := p.f.Resolve(o)
	d, ok := o.(pdf.Dict)
	return ok && (d["Names"] != nil || d["Kids"] != nil), err
}

// isXFA tells whether o is a stream that is no picture or form, or a list of
// names and streams: the two kinds of XFA (§12.7.8).
func (p *pdfScan) isXFA(o pdf.Object) (bool, error) {
	o, err := p.f.Resolve(o)
	if err != nil {
		return false, err
	}
	switch o := o.(type) {
	case *pdf.Stream:
		kind, err := p.name(o.Dict, "Subtype")
		return kind != "Form" && kind != "Image" && o.Dict["PatternType"] == nil && o.Dict["ShadingType"] == nil, err
	case pdf.Array:
		if len(o) == 0 {
			return false, nil
		}
		first, err := p.f.Resolve(o[0])
		_, ok := first.(pdf.String)
		return ok, err
	}
	return false, nil
}

// isTransfer tells whether o is a function, or one for each of four colours: an
// array that begins with another name is a colour space.
func (p *pdfScan) isTransfer(o pdf.Object) (bool, error) {
	o, err := p.f.Resolve(o)
	if err != nil {
		return false, err
	}
	list, ok := o.(pdf.Array)
	if !ok {
		list = pdf.Array{o}
	}
	for i, e := range list {
		e, err := p.f.Resolve(e)
		if err != nil {
			return false, err
		}
		switch e := e.(type) {
		case pdf.Name:
			if i == 0 && e != "Identity" && e != "Default" {
				return false, nil
			}
		case pdf.Dict:
			if e["FunctionType"] != nil {
				return true, nil
			}
		case *pdf.Stream:
			if e.Dict["FunctionType"] != nil {
				return true, nil
			}
		}
	}
	return false, nil
}

// actionEntries are the entries of which an action needs one to do something.
var actionEntries = map[pdf.Name][]pdf.Name{
	"JavaScript": {"JS"}, "Launch": {"F", "Win", "Mac", "Unix"}, "SubmitForm": {"F"}, "ImportData": {"F"},
	"Hide": {"T"}, "SetOCGState": {"State"}, "GoTo3DView": {"TA", "V"}, "GoToR": {"F", "D", "SD"}, "GoToE": {"F", "D", "T", "SD"},
	"Thread": {"F", "D", "B"}, "Rendition": {"R", "AN", "OP", "JS"}, "Movie": {"Annotation", "T", "Operation"}, "Sound": {"Sound"},
}

// isStructure tells whether d is an element of the structure (§14.7.2), whose
// kind is that of an action: it has one above it, and nothing that could act.
func (p *pdfScan) isStructure(d pdf.Dict, kind pdf.Name) (bool, error) {
	above, err := p.dict(d, "P")
	needs := actionEntries[kind]
	if err != nil || above == nil || needs == nil || d["Next"] != nil {
		return false, err
	}
	for _, key := range needs {
		if d[key] != nil {
			return false, nil
		}
	}
	return true, nil
}
