package pades

import (
	"fmt"
	"strings"

	"sigillo/formats/pdf"
)

// maxFields bounds the fields and widgets of a form.
const maxFields = 100_000

// maxSignatures bounds the fields that have a signature: each may ask for a digest of the whole file.
const maxSignatures = 1000

// maxNames bounds the fully qualified names of all fields together, in bytes: a kid repeats the name of its parent.
const maxNames = 8 << 20

// maxFormText bounds the text of the objects that are read for the form and its signatures, in bytes. Objects that lie in each
// other's strings have more of it than the file.
const maxFormText = 128 << 20

// maxFieldDepth bounds their nesting.
const maxFieldDepth = 64

// field is a terminal field of the form with what it inherits (ISO 32000-1 §12.7.3.1). It holds no object of the file, only
// where its objects are: there may be many fields, and objects may be large.
type field struct {
	name   string // fully qualified
	ref    pdf.Ref
	kind   pdf.Name // /FT
	signed bool     // it has a /V
	value  pdf.Ref  // what /V refers to; zero if /V is a direct object
	owner  pdf.Ref  // the field whose dictionary holds /V
}

// form is the interactive form of a document (§12.7.2).
type form struct {
	f        *pdf.File
	catalog  pdf.Dict
	dict     pdf.Dict        // nil if the document has no form
	at       place           // of dict
	signed   []field         // the terminal fields of type /Sig that have a value
	names    map[string]bool // fully qualified names, of inner fields too
	seen     map[pdf.Ref]bool
	visited  int              // elements of /Fields and of every /Kids
	named    int              // bytes in names
	before   int64            // what f had parsed before
	values   map[pdf.Ref]bool // what a /V refers to: whether it is missing or null
	dangling string           // name of a field whose /V refers to nothing
	dangles  bool
}

// place tells how an object is written: directly in its holder, or as an object of its own.
type place struct {
	ref      pdf.Ref
	indirect bool
}

// locate follows o to the object that holds its value.
func locate(f *pdf.File, o pdf.Object) (place, pdf.Object, error) {
	var at place
	for hops := 0; ; hops++ {
		ref, ok := o.(pdf.Ref)
		if !ok {
			return at, o, nil
		}
		if hops == 16 {
			return at, nil, failure(Malformed, "object %s leads only to further references", ref)
		}
		at = place{ref, true}
		var err error
		if o, err = f.Get(ref); err != nil {
			return at, nil, err
		}
	}
}

// readForm reads the form and all its fields.
func readForm(f *pdf.File) (*form, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return nil, err
	}
	fm := &form{f: f, catalog: catalog, names: map[string]bool{}, seen: map[pdf.Ref]bool{}, values: map[pdf.Ref]bool{}, before: f.Parsed()}
	at, o, err := locate(f, catalog["AcroForm"])
	if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case nil, pdf.Null:
		return fm, nil
	case pdf.Dict:
		fm.dict, fm.at = o, at
	default:
		return nil, failure(Malformed, "the /AcroForm of the catalog is not a dictionary")
	}
	fields, _, err := pdf.As[pdf.Array](f, fm.dict["Fields"])
	if err != nil {
		return nil, err
	}
	refs, err := fm.list(fields)
	if err != nil {
		return nil, err
	}
	if len(refs) != len(fields) {
		return nil, failure(Malformed, "the form has a field that is not a reference")
	}
	for _, ref := range refs {
		if err := fm.walk(ref, field{}, 0); err != nil {
			return nil, err
		}
	}
	return fm, nil
}

// list counts the elements of a /Fields or /Kids and gives those that are references, so that nothing else is kept alive
// while they are visited. A direct field is refused; other direct objects are no fields.
func (fm *form) list(a pdf.Array) ([]pdf.Ref, error) {
	if fm.visited += len(a); fm.visited > maxFields {
		return nil, failure(Limit, "the form has more than %d fields and widgets", maxFields)
	}
	out := make([]pdf.Ref, 0, len(a))
	for _, o := range a {
		if ref, ok := o.(pdf.Ref); ok {
			out = append(out, ref)
		} else if isField, err := fm.hasName(o); err != nil {
			return nil, err
		} else if isField {
			return nil, failure(Malformed, "the form has a field that is not a reference")
		}
	}
	return out, nil
}

// withinText stops reading a form whose objects have too much text.
func (fm *form) withinText() error {
	if fm.f.Parsed()-fm.before > maxFormText {
		return failure(Limit, "the form and its signatures have more than %d bytes of text", maxFormText)
	}
	return nil
}

// walk visits a field and those below it. A kid without a name of its own is a widget of its parent.
func (fm *form) walk(ref pdf.Ref, parent field, depth int) error {
	if fm.seen[ref] {
		return failure(Malformed, "the form comes to field %s twice", ref)
	}
	fm.seen[ref] = true
	if depth > maxFieldDepth || len(fm.seen) > maxFields {
		return failure(Limit, "the form has more than %d fields, or fields nested more than %d deep", maxFields, maxFieldDepth)
	}
	fd, kids, err := fm.read(ref, parent)
	if err != nil {
		return err
	}
	inner := false
	for _, kid := range kids {
		if err := fm.withinText(); err != nil {
			return err
		}
		isField, err := fm.hasName(kid)
		if err != nil {
			return err
		}
		if inner = inner || isField; isField {
			if err := fm.walk(kid, fd, depth+1); err != nil {
				return err
			}
		}
	}
	if !inner && fd.kind == "Sig" && fd.signed {
		if len(fm.signed) == maxSignatures {
			return failure(Limit, "the form has more than %d signatures", maxSignatures)
		}
		fm.signed = append(fm.signed, fd)
	}
	return fm.withinText()
}

// read reads a field and lists its kids. A missing object is null: no field.
func (fm *form) read(ref pdf.Ref, parent field) (field, []pdf.Ref, error) {
	d, ok, err := pdf.As[pdf.Dict](fm.f, ref)
	if err != nil || !ok {
		return field{}, nil, err
	}
	fd := parent
	fd.ref = ref
	if kind, ok, err := pdf.As[pdf.Name](fm.f, d["FT"]); err != nil {
		return fd, nil, err
	} else if ok {
		fd.kind = pdf.Name(strings.Clone(string(kind)))
	}
	title, named, err := pdf.As[pdf.String](fm.f, d["T"])
	if err != nil {
		return fd, nil, err
	}
	if named {
		fd.name = qualified(parent.name, title.Text())
		if fm.named += len(fd.name); fm.named > maxNames {
			return fd, nil, failure(Limit, "the names of the form's fields have more than %d bytes", maxNames)
		}
		fm.names[fd.name] = true
	}
	if v, ok := d["V"]; ok {
		fd.signed, fd.owner = true, ref
		if fd.value, ok = v.(pdf.Ref); ok && fm.refersToNothing(fd.value) && !fm.dangles {
			fm.dangles, fm.dangling = true, fd.name
		}
	}
	kids, _, err := pdf.As[pdf.Array](fm.f, d["Kids"])
	if err != nil {
		return fd, nil, err
	}
	refs, err := fm.list(kids)
	return fd, refs, err
}

// refersToNothing tells whether ref leads to no object. One that cannot be read is something; whoever needs it finds out.
func (fm *form) refersToNothing(ref pdf.Ref) bool {
	nothing, ok := fm.values[ref]
	if !ok {
		o, err := fm.f.Resolve(ref)
		_, null := o.(pdf.Null)
		nothing = err == nil && null
		fm.values[ref] = nothing
	}
	return nothing
}

// entry reads an entry of the dictionary of a field.
func (fm *form) entry(ref pdf.Ref, key pdf.Name) (pdf.Object, error) {
	if err := fm.withinText(); err != nil {
		return nil, err
	}
	d, _, err := pdf.As[pdf.Dict](fm.f, ref)
	return d[key], err
}

// valueOf is the /V of a field as it is written: a reference or a direct object.
func (fm *form) valueOf(fd field) (pdf.Object, error) {
	if fd.value != (pdf.Ref{}) {
		return fd.value, fm.withinText()
	}
	return fm.entry(fd.owner, "V")
}

func (fm *form) hasName(o pdf.Object) (bool, error) {
	d, ok, err := pdf.As[pdf.Dict](fm.f, o)
	if err != nil || !ok {
		return false, err
	}
	_, named := d["T"]
	return named, nil
}

func qualified(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// freeName is the first of Signature1, Signature2 … that no field of the form is called, fully qualified.
func (fm *form) freeName() string {
	for i := 1; ; i++ {
		name := fmt.Sprintf("Signature%d", i)
		if !fm.names[name] {
			return name
		}
	}
}

// mayChange refuses a document whose earlier signatures forbid another one, or whose form cannot be kept correct.
func (fm *form) mayChange() error {
	if _, ok := fm.dict["XFA"]; ok {
		return failure(Unsupported, "the document has an XFA form, which shows other things than its pages; save it as a plain PDF first")
	}
	if _, ok := fm.catalog["NeedsRendering"]; ok {
		return failure(Unsupported, "the document is made by an XFA form when it is opened; save it as a plain PDF first")
	}
	perms, _, err := pdf.As[pdf.Dict](fm.f, fm.catalog["Perms"])
	if err != nil {
		return err
	}
	if err := fm.checkCertification(perms["DocMDP"]); err != nil {
		return err
	}
	// The number of an object that is not there may be given to the new signature: the field would then show it as its own.
	if fm.dangles {
		return failure(Malformed, "the value of the field %q is an object that the document does not have", printable(fm.dangling))
	}
	for _, fd := range fm.signed {
		value, err := fm.valueOf(fd)
		if err != nil {
			return err
		}
		if err := fm.checkCertification(value); err != nil {
			return err
		}
		o, err := fm.entry(fd.ref, "Lock")
		if err != nil {
			return err
		}
		lock, _, err := pdf.As[pdf.Dict](fm.f, o)
		if err != nil {
			return err
		}
		if err := fm.refuseNoChanges(lock["P"]); err != nil {
			return err
		}
	}
	return nil
}

// checkCertification looks for a DocMDP transform with /P 1 in a signature dictionary (§12.8.2.2).
func (fm *form) checkCertification(sig pdf.Object) error {
	d, _, err := pdf.As[pdf.Dict](fm.f, sig)
	if err != nil {
		return err
	}
	refs, _, err := pdf.As[pdf.Array](fm.f, d["Reference"])
	if err != nil {
		return err
	}
	for _, o := range refs {
		r, _, err := pdf.As[pdf.Dict](fm.f, o)
		if err != nil {
			return err
		}
		if r["TransformMethod"] != pdf.Name("DocMDP") {
			continue
		}
		parms, _, err := pdf.As[pdf.Dict](fm.f, r["TransformParams"])
		if err != nil {
			return err
		}
		if err := fm.refuseNoChanges(parms["P"]); err != nil {
			return err
		}
	}
	return nil
}

func (fm *form) refuseNoChanges(p pdf.Object) error {
	level, ok, err := pdf.As[pdf.Integer](fm.f, p)
	if err == nil && ok && level == 1 {
		return failure(NotPermitted, "an earlier signature certifies the document and permits no changes, so no signature can be added")
	}
	return err
}

// addField adds an invisible signature field with the value sig to the form and to the first page (§12.7.4.5, §12.5.6.19).
// Every other entry of the form, of the catalog and of the page stays.
func (fm *form) addField(u *pdf.Update, name string, sig pdf.Ref) error {
	var page pdf.Page
	for p, err := range fm.f.Pages() {
		if err != nil {
			return err
		}
		page = p
		break
	}
	if page.Dict == nil {
		return failure(Malformed, "the document has no pages")
	}
	ref := u.Add(pdf.Dict{
		"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"),
		"T": pdf.TextString(name), "V": sig, "P": page.Ref,
		"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(0), pdf.Integer(0)},
		"F":    pdf.Integer(4 | 128), // Print, as PDF/A asks of annotations, and Locked
	})
	changed := map[pdf.Ref]pdf.Dict{} // dictionaries that are written once, whatever changes in them
	if err := appendTo(fm.f, u, changed, page.Ref, page.Dict, "Annots", ref); err != nil {
		return err
	}
	if err := fm.extend(u, changed, ref); err != nil {
		return err
	}
	for ref, d := range changed {
		u.Set(ref, d)
	}
	return nil
}

// extend puts the field into /Fields and sets /SigFlags to SignaturesExist and AppendOnly (§12.7.2, table 219).
func (fm *form) extend(u *pdf.Update, changed map[pdf.Ref]pdf.Dict, fieldRef pdf.Ref) error {
	root := fm.f.Root()
	if fm.dict == nil {
		catalog := own(changed, root, fm.catalog)
		catalog["AcroForm"] = u.Add(pdf.Dict{"Fields": pdf.Array{fieldRef}, "SigFlags": pdf.Integer(3)})
		return nil
	}
	flags, _, err := pdf.As[pdf.Integer](fm.f, fm.dict["SigFlags"])
	if err != nil {
		return err
	}
	holder := fm.at.ref
	if !fm.at.indirect {
		// A direct form is part of the catalog: copy it so that the catalog can be written with the new one.
		holder = pdf.Ref{}
		catalog := own(changed, root, fm.catalog)
		d := own(changed, holder, fm.dict)
		catalog["AcroForm"] = d
	}
	if err := appendTo(fm.f, u, changed, holder, fm.dict, "Fields", fieldRef); err != nil {
		return err
	}
	if flags&3 != 3 {
		own(changed, holder, fm.dict)["SigFlags"] = flags | 3
	}
	delete(changed, pdf.Ref{})
	return nil
}

// own gives the copy of d that will be written as object ref.
func own(changed map[pdf.Ref]pdf.Dict, ref pdf.Ref, d pdf.Dict) pdf.Dict {
	if c, ok := changed[ref]; ok {
		return c
	}
	c := d.Clone()
	changed[ref] = c
	return c
}

// appendTo adds ref to the array under key of the dictionary d, which is the object holder. An array that is an object of
// its own is replaced as such.
func appendTo(f *pdf.File, u *pdf.Update, changed map[pdf.Ref]pdf.Dict, holder pdf.Ref, d pdf.Dict, key pdf.Name, ref pdf.Ref) error {
	at, o, err := locate(f, d[key])
	if err != nil {
		return err
	}
	var list pdf.Array
	switch o := o.(type) {
	case nil, pdf.Null:
		at.indirect = false
	case pdf.Array:
		list = o
	default:
		return failure(Malformed, "the /%s of object %s is not an array", key, holder)
	}
	list = append(list[:len(list):len(list)], ref)
	if at.indirect {
		u.Set(at.ref, list)
		return nil
	}
	own(changed, holder, d)[key] = list
	return nil
}

// printable keeps control characters of a document out of reports.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
