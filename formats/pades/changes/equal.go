package changes

import (
	"bytes"
	"io"

	"sigillo/formats/pdf"
)

// place is where two values were met.
type place struct {
	where  string
	key    pdf.Name // of the dictionary entry that the values are or are in
	object pdf.Ref
}

func (p place) entry(k pdf.Name) place { return place{sub(p.where, k), k, p.object} }

// frozen compares two values that nothing may change.
func (a *analysis) frozen(o, n pdf.Object, at place) error { return a.compare(o, n, at, Other) }

// compare compares two values and reports the first difference in them as a
// change of the given kind. Objects that they refer to are compared later.
func (a *analysis) compare(o, n pdf.Object, at place, kind Kind) error {
	differ := func() error { return a.report(Change{Kind: kind, Where: at.where, Object: at.object}) }
	switch o := value(o).(type) {
	case pdf.Ref:
		if value(n) != pdf.Object(o) {
			return differ()
		}
		a.follow(o, at, kind)
		return nil
	case pdf.Array:
		n, ok := n.(pdf.Array)
		if !ok || len(n) != len(o) {
			return differ()
		}
		for i := range o {
			if err := a.compare(o[i], n[i], at, kind); err != nil {
				return err
			}
		}
		return nil
	case pdf.Dict:
		n, ok := n.(pdf.Dict)
		if !ok {
			return differ()
		}
		for _, k := range keys(o, n) {
			if err := a.compare(o[k], n[k], at.entry(k), kind); err != nil {
				return err
			}
		}
		return nil
	case *pdf.Stream:
		n, ok := n.(*pdf.Stream)
		if !ok {
			return differ()
		}
		same, err := a.sameData(o, n)
		if err != nil {
			return err
		}
		if !same {
			return differ()
		}
		return a.compare(withoutLength(o.Dict), withoutLength(n.Dict), at, kind)
	default:
		if !sameScalar(o, value(n)) {
			return differ()
		}
		return nil
	}
}

// follow takes note that an object has to be equal, unless it has a role and
// was reached as such: then it is compared elsewhere.
func (a *analysis) follow(ref pdf.Ref, at place, kind Kind) {
	if a.exempt(ref, at.key) || a.seen[ref] {
		return
	}
	if kind == Other {
		a.seen[ref] = true
		a.strict = append(a.strict, pair{ref, at.where})
		return
	}
	a.followLenient(ref, at.where)
}

// followLenient takes note that an object has to be equal if no annotation may change.
func (a *analysis) followLenient(ref pdf.Ref, where string) {
	if !a.seen[ref] && !a.seenLater[ref] {
		a.seenLater[ref] = true
		a.lenient = append(a.lenient, pair{ref, where})
	}
}

// toFields are the entries by which other objects refer to a field, widget or
// annotation as what it is. By any other it could be taken for something else,
// for which the entries that may change mean something.
var toFields = map[pdf.Name]bool{"Parent": true, "Kids": true, "Annots": true, "P": true, "Obj": true, "CO": true,
	"Popup": true, "IRT": true, "Fields": true, "T": true}

// exempt tells whether ref, reached by key, is compared in a way of its own. The
// only entry of a page that may change, /Annots, means nothing elsewhere.
func (a *analysis) exempt(ref pdf.Ref, key pdf.Name) bool {
	switch a.roles[ref] {
	case pageNode:
		return true
	case catalogRole:
		return key == "Data" // what a signature reference locks (ISO 32000-1 table 253); it is not drawn
	case formField, annotation:
		return toFields[key]
	}
	return false
}

// equal tells whether two values are the same with all that they refer to.
func (a *analysis) equal(o, n pdf.Object, visited map[pdf.Ref]bool) (bool, error) {
	switch o := value(o).(type) {
	case pdf.Ref:
		if value(n) != pdf.Object(o) {
			return false, nil
		}
		if visited[o] || a.roles[o] != 0 {
			return true, nil
		}
		visited[o] = true
		x, y, err := a.both(o)
		if err != nil {
			return false, err
		}
		if len(visited) > maxVisited {
			return false, &pdf.Error{Kind: pdf.Limit, Msg: "comparing the revisions of the document takes too long"}
		}
		return a.equal(x, y, visited)
	case pdf.Array:
		n, ok := n.(pdf.Array)
		if !ok || len(n) != len(o) {
			return false, nil
		}
		for i := range o {
			if same, err := a.equal(o[i], n[i], visited); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case pdf.Dict:
		n, ok := n.(pdf.Dict)
		if !ok {
			return false, nil
		}
		for _, k := range keys(o, n) {
			if same, err := a.equal(o[k], n[k], visited); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case *pdf.Stream:
		n, ok := n.(*pdf.Stream)
		if !ok {
			return false, nil
		}
		if same, err := a.sameData(o, n); err != nil || !same {
			return false, err
		}
		return a.equal(withoutLength(o.Dict), withoutLength(n.Dict), visited)
	default:
		return sameScalar(o, value(n)), nil
	}
}

// maxVisited bounds the references that equal follows one inside the other.
const maxVisited = 2000

// value makes a missing entry the null object that it is equal to.
func value(o pdf.Object) pdf.Object {
	if o == nil {
		return pdf.Null{}
	}
	return o
}

func sameScalar(o, n pdf.Object) bool {
	switch o := o.(type) {
	case pdf.String:
		n, ok := n.(pdf.String)
		return ok && bytes.Equal(o, n)
	case pdf.Integer, pdf.Real:
		x, ok1 := number(o)
		y, ok2 := number(n)
		return ok1 && ok2 && x == y
	case pdf.Null, pdf.Bool, pdf.Name:
		switch n.(type) {
		case pdf.Null, pdf.Bool, pdf.Name:
			return o == n
		}
	}
	return false
}

func number(o pdf.Object) (float64, bool) {
	switch o := o.(type) {
	case pdf.Integer:
		return float64(o), true
	case pdf.Real:
		return float64(o), true
	}
	return 0, false
}

// sameData compares the data of two streams as they are in the file.
func (a *analysis) sameData(o, n *pdf.Stream) (bool, error) {
	if o.Length != n.Length {
		return false, nil
	}
	if o.Offset == n.Offset { // the signed bytes are the beginning of the file
		return true, nil
	}
	if a.budget -= 2 * o.Length; a.budget < 0 {
		return false, &pdf.Error{Kind: pdf.Limit, Msg: "comparing the revisions of the document takes too long"}
	}
	x, y := a.old.Raw(o), a.new.Raw(n)
	p, q := make([]byte, 32<<10), make([]byte, 32<<10)
	for left := o.Length; left > 0; {
		k := min(left, int64(len(p)))
		if _, err := io.ReadFull(x, p[:k]); err != nil {
			return false, &pdf.Error{Kind: pdf.Unreadable, Msg: "the file cannot be read", Err: err}
		}
		if _, err := io.ReadFull(y, q[:k]); err != nil {
			return false, &pdf.Error{Kind: pdf.Unreadable, Msg: "the file cannot be read", Err: err}
		}
		if !bytes.Equal(p[:k], q[:k]) {
			return false, nil
		}
		left -= k
	}
	return true, nil
}

// withoutLength leaves out the one entry that the data itself tells.
func withoutLength(d pdf.Dict) pdf.Dict {
	d = d.Clone()
	delete(d, "Length")
	return d
}
