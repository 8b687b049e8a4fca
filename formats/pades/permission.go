package pades

import (
	"slices"
	"strings"

	"sigillo/formats/pdf"
)

// Permission is the /P of a DocMDP transform: what may be changed after the signature (ISO 32000-2 §12.8.2.2, table 257).
// Document security stores and document time-stamps may always be added.
type Permission int

// The permissions. The zero value restricts nothing.
const (
	NoChanges         Permission = 1 // nothing, not even a further signature
	FillForms         Permission = 2 // forms may be filled in and signed
	FillFormsAnnotate Permission = 3 // and annotations made
)

// Lock names the form fields that a signature locks, and may restrict changes of the whole document: the FieldMDP transform
// (ISO 32000-2 §12.8.2.4) and the signature field lock dictionary (§12.7.5.5, table 236).
type Lock struct {
	// Action is "All", "Include" (the Fields) or "Exclude" (all but the Fields).
	Action string `json:"action"`
	// Fields are fully qualified names; one that is not of a terminal field means all below it.
	Fields []string `json:"fields,omitempty"`
	// Permission is the /P of a lock dictionary; 0: not said.
	Permission Permission `json:"permission,omitempty"`
}

// Covers tells whether the field of this fully qualified name is locked.
func (l *Lock) Covers(name string) bool {
	if l == nil {
		return false
	}
	listed := slices.ContainsFunc(l.Fields, func(f string) bool { return name == f || strings.HasPrefix(name, f+".") })
	switch l.Action {
	case "All":
		return true
	case "Include":
		return listed
	case "Exclude":
		return !listed
	}
	return false
}

// maxLocked bounds the names in all locks of a document together: many fields may share one.
const maxLocked = 100_000

func (fm *form) readLock(o pdf.Object) (*Lock, error) {
	f := fm.f
	d, ok, err := pdf.As[pdf.Dict](f, o)
	if err != nil || !ok {
		return nil, err
	}
	action, _, err := pdf.As[pdf.Name](f, d["Action"])
	if err != nil {
		return nil, err
	}
	list, _, err := pdf.As[pdf.Array](f, d["Fields"])
	if err != nil {
		return nil, err
	}
	if fm.locked += len(list); fm.locked > maxLocked {
		return nil, failure(Limit, "the locks of the document name more than %d fields", maxLocked)
	}
	l := &Lock{Action: string(action)}
	for _, o := range list {
		name, ok, err := pdf.As[pdf.String](f, o)
		if err != nil {
			return nil, err
		}
		if ok {
			l.Fields = append(l.Fields, name.Text())
		}
	}
	l.Permission, err = readPermission(f, d["P"])
	return l, err
}

func readPermission(f *pdf.File, o pdf.Object) (Permission, error) {
	p, _, err := pdf.As[pdf.Integer](f, o)
	if err != nil || p < 0 || p > 3 {
		return 0, err
	}
	return Permission(p), nil
}

func (l *Lock) dict(kind pdf.Name) pdf.Dict {
	d := pdf.Dict{"Type": kind, "Action": pdf.Name(l.Action)}
	if l.Action == "All" {
		return d
	}
	names := pdf.Array{}
	for _, name := range l.Fields {
		names = append(names, pdf.TextString(name))
	}
	d["Fields"] = names
	return d
}

// restrictions are what a signature says about later changes.
type restrictions struct {
	docMDP   Permission // 0: no DocMDP transform
	fieldMDP *Lock      // nil: no FieldMDP transform
}

// readRestrictions reads the transforms in the /Reference of a signature dictionary (§12.8.1, table 256).
func (fm *form) readRestrictions(d pdf.Dict) (r restrictions, err error) {
	f := fm.f
	refs, _, err := pdf.As[pdf.Array](f, d["Reference"])
	if err != nil {
		return r, err
	}
	if len(refs) > 16 {
		return r, failure(Limit, "a signature has more than 16 references")
	}
	for _, o := range refs {
		ref, _, err := pdf.As[pdf.Dict](f, o)
		if err != nil {
			return r, err
		}
		method, _, err := pdf.As[pdf.Name](f, ref["TransformMethod"])
		if err != nil {
			return r, err
		}
		parms, _, err := pdf.As[pdf.Dict](f, ref["TransformParams"])
		if err != nil {
			return r, err
		}
		switch method {
		case "DocMDP":
			level, err := readPermission(f, parms["P"])
			if err != nil {
				return r, err
			}
			if level == 0 {
				level = FillForms // the default of table 257
			}
			if r.docMDP == 0 || level < r.docMDP {
				r.docMDP = level
			}
		case "FieldMDP":
			if r.fieldMDP != nil {
				return r, failure(Malformed, "a signature has two FieldMDP transforms")
			}
			if r.fieldMDP, err = fm.readLock(parms); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// effect is what all earlier signatures together allow.
type effect struct {
	docMDP    Permission
	certified bool
	locks     []*Lock
}

// restricted collects what the signatures of the document restrict.
func (fm *form) restricted() (e effect, err error) {
	take := func(p Permission) {
		if p != 0 && (e.docMDP == 0 || p < e.docMDP) {
			e.docMDP = p
		}
	}
	perms, _, err := pdf.As[pdf.Dict](fm.f, fm.catalog["Perms"])
	if err != nil {
		return e, err
	}
	values := []pdf.Object{perms["DocMDP"]}
	for _, fd := range fm.signed {
		value, err := fm.valueOf(fd)
		if err != nil {
			return e, err
		}
		values = append(values, value)
		o, err := fm.entry(fd.ref, "Lock")
		if err != nil {
			return e, err
		}
		lock, err := fm.readLock(o)
		if err != nil {
			return e, err
		}
		if lock != nil {
			e.locks = append(e.locks, lock)
			take(lock.Permission)
		}
	}
	for i, value := range values {
		d, ok, err := pdf.As[pdf.Dict](fm.f, value)
		if err != nil {
			return e, err
		}
		e.certified = e.certified || ok && i == 0
		r, err := fm.readRestrictions(d)
		if err != nil {
			return e, err
		}
		take(r.docMDP)
		if r.fieldMDP != nil {
			e.locks = append(e.locks, r.fieldMDP)
		}
		if err := fm.withinText(); err != nil {
			return e, err
		}
	}
	return e, nil
}

// maySign refuses a signature in the field of this name if an earlier one forbids it.
func (e effect) maySign(name string) error {
	if e.docMDP == NoChanges {
		return failure(NotPermitted, "an earlier signature certifies the document and permits no changes, so no signature can be added")
	}
	for _, lock := range e.locks {
		if lock.Covers(name) {
			return failure(NotPermitted, "an earlier signature locks the field %q, so it cannot be signed", printable(name))
		}
	}
	return nil
}

// mayWrite asks the permissions of an encrypted document that was opened with its user password.
func (e *edit) mayWrite(t target) error {
	p := e.f.Permissions()
	if t.ref != (pdf.Ref{}) && p.FillFields() || p.AddFields() {
		return nil
	}
	return failure(NotPermitted, "the document is encrypted and its author does not permit signing; its owner password does")
}

// mayGetFields refuses a document whose form cannot be kept correct.
func (fm *form) mayGetFields() error {
	if _, ok := fm.dict["XFA"]; ok {
		return failure(Unsupported, "the document has an XFA form, which shows other things than its pages; save it as a plain PDF first")
	}
	if _, ok := fm.catalog["NeedsRendering"]; ok {
		return failure(Unsupported, "the document is made by an XFA form when it is opened; save it as a plain PDF first")
	}
	return nil
}
