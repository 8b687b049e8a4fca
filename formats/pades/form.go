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
const maxFormText = 64 << 20

// maxFieldDepth bounds their nesting.
const maxFieldDepth = 64

// field is a terminal field of the form with what it inherits (ISO 32000-1 §12.7.3.1). It holds no object of the file, only
// where its objects are: there may be many fields, and objects may be large.
type field struct {
	name   string // fully qualified
	ref    pdf.Ref
	kind   pdf.Name // /FT
	signed bool     // it has a /V, be it broken
	value  pdf.Ref  // what /V refers to; zero if /V is a direct object
	owner  pdf.Ref  // the field whose dictionary holds /V
}

// form is the interactive form of a document (§12.7.2).
type form struct {
	f       *pdf.File
	catalog pdf.Dict
	dict    pdf.Dict        // nil if the document has no form
	at      place           // of dict
	signed  []field         // the terminal fields of type /Sig that have a value
	empty   []field         // those that have none
	names   map[string]bool // fully qualified names, of inner fields too
	seen    map[pdf.Ref]bool
	visited int              // elements of /Fields and of every /Kids
	locked  int              // names in the locks that were read
	named   int              // bytes in names
	before  int64            // what f had parsed before
	values  map[pdf.Ref]bool // what a /V refers to, looked at already
	missing map[pdf.Ref]bool // what is referred to from the catalog, the form, or the page that is changed, and is not there
	unused  int              // the first number that no object of the document has
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
	fm := &form{f: f, catalog: catalog, names: map[string]bool{}, seen: map[pdf.Ref]bool{},
		values: map[pdf.Ref]bool{}, missing: map[pdf.Ref]bool{}, before: f.Parsed(), unused: f.FirstUnused()}
	fm.mention(catalog, 0)
	if err := fm.mentionPermissions(); err != nil {
		return nil, err
	}
	at, o, err := fm.locate(catalog["AcroForm"])
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
	fm.mention(fm.dict, 0)
	if _, _, err := fm.locate(fm.dict["Fields"]); err != nil {
		return nil, err
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
	switch {
	case inner || fd.kind != "Sig":
	case !fd.signed:
		fm.empty = append(fm.empty, fd)
	case len(fm.signed) == maxSignatures:
		return failure(Limit, "the form has more than %d signatures", maxSignatures)
	default:
		fm.signed = append(fm.signed, fd)
	}
	return fm.withinText()
}

// read reads a field and lists its kids. A missing object is null: no field.
func (fm *form) read(ref pdf.Ref, parent field) (field, []pdf.Ref, error) {
	d, ok, err := pdf.As[pdf.Dict](fm.f, ref)
	if err == nil && !ok {
		err = fm.noteMissing(ref)
	}
	if err != nil || !ok {
		return field{}, nil, err
	}
	fm.mention(d, 0)
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
		if fd.value, ok = v.(pdf.Ref); ok && !fm.values[fd.value] {
			fm.values[fd.value] = true
			_ = fm.noteMissing(fd.value) // one that cannot be read is something; whoever needs it finds out
		}
	}
	kids, _, err := pdf.As[pdf.Array](fm.f, d["Kids"])
	if err != nil {
		return fd, nil, err
	}
	refs, err := fm.list(kids)
	return fd, refs, err
}

// noteMissing remembers the object that ref leads to if that is not there.
func (fm *form) noteMissing(ref pdf.Ref) error {
	_, _, err := fm.locate(ref)
	return err
}

// locate is the function of that name, which remembers what o leads to if that is not there.
func (fm *form) locate(o pdf.Object) (place, pdf.Object, error) {
	at, o, err := locate(fm.f, o)
	if _, null := o.(pdf.Null); err == nil && null && at.indirect {
		fm.missing[at.ref] = true
	}
	return at, o, err
}

// mention remembers what o, as it is written, refers to and would be a new object.
func (fm *form) mention(o pdf.Object, depth int) {
	if depth > maxMention {
		return
	}
	switch o := o.(type) {
	case pdf.Ref:
		if o.Num >= fm.unused {
			fm.missing[o] = true
		}
	case pdf.Dict:
		for _, v := range o {
			fm.mention(v, depth+1)
		}
	case pdf.Array:
		for _, v := range o {
			fm.mention(v, depth+1)
		}
	}
}

// maxMention bounds how deep in a dictionary references are looked for.
const maxMention = 8

// mentionPermissions remembers what the /Perms of the catalog refers to and is not there: a new signature must not come to certify.
func (fm *form) mentionPermissions() error {
	_, o, err := fm.locate(fm.catalog["Perms"])
	if err != nil {
		return err
	}
	perms, _ := o.(pdf.Dict)
	for _, v := range perms {
		_, _, _ = fm.locate(v) // one that cannot be read is something; whoever needs it finds out
	}
	return nil
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
	if err != nil {
		return false, err
	}
	if ref, isRef := o.(pdf.Ref); isRef && !ok {
		return false, fm.noteMissing(ref)
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

// printable keeps control characters of a document out of reports.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
