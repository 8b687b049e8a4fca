package changes

import (
	"errors"
	"fmt"

	"sigillo/formats/pdf"
)

// Kind says what sort of change it is.
type Kind string

// The kinds, by what has to be permitted for them.
const (
	// Evidence is validation data: the document security store and extensions (EN 319 142-1 §5.4).
	Evidence Kind = "evidence"
	// Timestamp is a new document time-stamp (§5.4.3).
	Timestamp Kind = "timestamp"
	// Metadata is the document's title, producer and the like.
	Metadata Kind = "metadata"
	// Signature is a new signature, in a new field or in one that was empty.
	Signature Kind = "signature"
	// FormFill is the value of a field that was empty.
	FormFill Kind = "form-fill"
	// FormChange is another value or appearance of a field that was filled in
	// when the document was signed: it was part of what the signer saw.
	FormChange Kind = "form-change"
	// Annotation is a comment, link or drawing that was added, changed or removed.
	Annotation Kind = "annotation"
	// Other is all the rest: pages, their contents, the form's fields, actions …
	Other Kind = "other"
)

// Change is one difference between the signed and the present document.
type Change struct {
	Kind Kind
	// Where is the path from the trailer, such as "Root/Pages/page 2/Contents".
	Where string
	// Field is the fully qualified name of the field that was signed or filled in.
	Field string
	// Page is the page, counted from 1, that looks different with it, or that it is
	// about; 0: it shows nothing, or nobody can say where.
	Page int
	// Object is the nearest object around the difference.
	Object pdf.Ref
}

func (c Change) String() string {
	if c.Field != "" {
		where := ""
		if c.Page != 0 {
			where = fmt.Sprintf(" (page %d)", c.Page)
		}
		return fmt.Sprintf("%s: field %q%s", c.Kind, c.Field, where)
	}
	return fmt.Sprintf("%s: %s (object %s)", c.Kind, c.Where, c.Object)
}

// Permissions are what a signature lets others do (ISO 32000-2 §12.8.2.2,
// §12.8.2.4). The zero value is that of a signature that says nothing: empty fields
// may be filled in and signatures added. Who wants that fields can be changed says
// so, with a DocMDP of 2 or 3.
type Permissions struct {
	// DocMDP is the /P of the certification or of the field's /Lock: 1 no changes,
	// 2 forms and signatures, 3 annotations too; 0: not said.
	DocMDP int
	// Locked reports whether the signature locks a field; nil: none.
	Locked func(field string) bool
}

// Allow reports whether a change is permitted. Validation data and document
// time-stamps always are (§12.8.2.2.2).
func (p Permissions) Allow(c Change) bool {
	switch c.Kind {
	case Evidence, Timestamp:
		return true
	case Metadata:
		return p.DocMDP != 1
	case Signature, FormFill:
		return p.DocMDP != 1 && (p.Locked == nil || !p.Locked(c.Field))
	case FormChange:
		return p.DocMDP >= 2 && (p.Locked == nil || !p.Locked(c.Field))
	case Annotation:
		return p.DocMDP == 3
	}
	return false
}

// maxChanges bounds the list; a document with more is not worth a longer one.
const maxChanges = 1000

// Analyse compares the document as it was in revision signed, counted as in
// pdf.File.Revisions, with the present one. Without differences the list is
// empty. It ends where there are too many, with one that nothing allows.
//
// Kinds of errors are those of package pdf: either of the two cannot be read
// through, or to do so costs more than a document may.
func Analyse(f *pdf.File, signed int) ([]Change, error) {
	if signed == len(f.Revisions())-1 {
		return nil, nil
	}
	old, err := f.At(signed)
	if err != nil {
		return nil, err
	}
	a := &analysis{
		old: old, new: f, budget: 4*f.Size() + 64<<20,
		roles: map[pdf.Ref]role{}, widgets: map[pdf.Ref]int{}, fields: map[pdf.Ref]*field{}, added: map[pdf.Ref]*addition{},
		seen: map[pdf.Ref]bool{}, seenLater: map[pdf.Ref]bool{},
	}
	err = a.run()
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return a.changes, nil
}

var errEnough = errors.New("enough changes were found")
