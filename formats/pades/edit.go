package pades

import (
	"io"
	"maps"
	"slices"

	"sigillo/formats/pdf"
)

// edit is a revision of a document that is being made: new objects, and the dictionaries of the document that change, each of
// which is written once, whatever changes in it.
type edit struct {
	f     *pdf.File
	form  *form
	u     *pdf.Update
	dicts map[pdf.Ref]pdf.Dict // copies that will be written
	acro  pdf.Dict             // copy of the form's dictionary, nil as long as it does not change
	spare pdf.Ref              // the first new object, as long as it is none
	last  int                  // number of the newest object
	burnt int
}

// open opens a document for reading or for an edit. Many encrypted ones open without a password.
func open(doc io.ReaderAt, size int64, password []byte) (*pdf.File, error) {
	f, err := pdf.OpenWith(doc, size, pdf.Limits{}, string(password))
	return f, fromPDF(err)
}

func newEdit(f *pdf.File, fm *form) (*edit, error) {
	u, err := pdf.NewUpdate(f)
	if err != nil {
		return nil, fromPDF(err)
	}
	return &edit{f: f, form: fm, u: u, dicts: map[pdf.Ref]pdf.Dict{}, spare: u.Add(pdf.Null{})}, nil
}

// maxBurnt bounds the numbers that are made null so that they are given to nothing.
const maxBurnt = 1000

// add adds an object. Its number is not one that the catalog, the form or the page refers to already: a reference to an object that
// is not there would come to mean the new one.
func (e *edit) add(o pdf.Object) (pdf.Ref, error) {
	ref := e.spare
	if ref != (pdf.Ref{}) {
		e.u.Set(ref, o)
		e.spare = pdf.Ref{}
	} else {
		ref = e.u.Add(o)
	}
	for e.form.missing[ref] {
		if e.burnt++; e.burnt > maxBurnt {
			return ref, failure(Malformed, "the form refers to more than %d objects that the document does not have", maxBurnt)
		}
		e.u.Set(ref, pdf.Null{})
		ref = e.u.Add(o)
	}
	e.last = ref.Num
	return ref, nil
}

// clear makes sure that none of the next n numbers is referred to, for objects that others will add.
func (e *edit) clear(n int) error {
	refs := slices.SortedFunc(maps.Keys(e.form.missing), func(a, b pdf.Ref) int { return a.Num - b.Num })
	for _, ref := range refs {
		if ref.Num <= e.last || ref.Num > e.last+n || ref.Gen != 0 {
			continue
		}
		if e.burnt++; e.burnt > maxBurnt {
			return failure(Malformed, "the form refers to more than %d objects that the document does not have", maxBurnt)
		}
		e.u.Set(ref, pdf.Null{})
		e.last = ref.Num
	}
	return nil
}

// own gives the copy of d that will be written as object ref.
func (e *edit) own(ref pdf.Ref, d pdf.Dict) pdf.Dict {
	if c, ok := e.dicts[ref]; ok {
		return c
	}
	c := d.Clone()
	e.dicts[ref] = c
	return c
}

func (e *edit) catalog() pdf.Dict { return e.own(e.f.Root(), e.form.catalog) }

// acroForm gives the copy of the form's dictionary that will be written, made if the document has none. A direct one is
// part of the catalog.
func (e *edit) acroForm() (pdf.Dict, error) {
	switch {
	case e.acro != nil:
	case e.form.dict == nil:
		e.acro = pdf.Dict{"Fields": pdf.Array{}}
		ref, err := e.add(e.acro)
		if err != nil {
			return nil, err
		}
		e.catalog()["AcroForm"] = ref
	case e.form.at.indirect:
		e.acro = e.own(e.form.at.ref, e.form.dict)
	default:
		e.acro = e.form.dict.Clone()
		e.catalog()["AcroForm"] = e.acro
	}
	return e.acro, nil
}

// appendTo adds refs to the array under key of the dictionary d; change gives the copy of d that will be written. An array
// that is an object of its own is replaced as such.
func (e *edit) appendTo(d pdf.Dict, change func() (pdf.Dict, error), key pdf.Name, refs ...pdf.Ref) error {
	at, o, err := locate(e.f, d[key])
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
		return failure(Malformed, "the /%s of the document is not an array", key)
	}
	list = slices.Clip(list)
	for _, ref := range refs {
		list = append(list, ref)
	}
	if at.indirect {
		e.u.Set(at.ref, list)
		return nil
	}
	c, err := change()
	if err == nil {
		c[key] = list
	}
	return err
}

// bytes encodes the revision: what comes after the last byte of the document.
func (e *edit) bytes() ([]byte, error) {
	if err := e.clear(1); err != nil { // a cross-reference stream takes a number too
		return nil, err
	}
	for ref, d := range e.dicts {
		e.u.Set(ref, d)
	}
	tail, err := e.u.Bytes()
	return tail, fromPDF(err)
}
