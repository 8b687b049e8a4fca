package changes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sigillo/formats/pdf"
)

// role is what an object of the signed document is, when it is compared in a
// way of its own.
type role int

const (
	pageNode    role = iota + 1 // of the page tree
	formField                   // a field or a widget of one
	annotation                  // any other annotation of a page
	catalogRole                 // the root
)

// analysis compares two states of a document.
type analysis struct {
	old, new *pdf.File
	budget   int64 // bytes of objects that may be parsed, both states together

	roles   map[pdf.Ref]role
	fields  map[pdf.Ref]*field
	pages   []page
	widgets map[pdf.Ref]int       // pages of the annotations that were there
	added   map[pdf.Ref]*addition // new signature fields

	// What has to be equal, still to be looked at: first what nothing may change,
	// then what hangs on annotations.
	strict, lenient []pair
	seen, seenLater map[pdf.Ref]bool

	changes []Change
}

// pair is an object to be compared, with the place where it was met.
type pair struct {
	ref   pdf.Ref
	where string
}

func (a *analysis) run() error {
	steps := []func() error{a.readPages, a.readForm, a.trailer, a.catalog, a.comparePages, a.compareFields, a.checkAdditions, a.drain}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// onPage begins the place of what was reached from a page.
const onPage = "Root/Pages/page %d"

// report adds a change. Of the one that is too many it makes one that nothing
// allows, since what would come after it is not looked at.
func (a *analysis) report(c Change) error {
	if len(a.changes) >= maxChanges {
		a.changes = append(a.changes, Change{Kind: Other, Where: "more changes than are compared"})
		return errEnough
	}
	if c.Page == 0 {
		_, _ = fmt.Sscanf(c.Where, onPage, &c.Page) // else it was not reached from a page
	}
	a.changes = append(a.changes, c)
	return nil
}

func (a *analysis) other(where string, ref pdf.Ref) error {
	return a.report(Change{Kind: Other, Where: where, Object: ref})
}

// both reads an object in both states.
func (a *analysis) both(ref pdf.Ref) (o, n pdf.Object, err error) {
	if o, err = a.old.Get(ref); err != nil {
		return nil, nil, err
	}
	if n, err = a.new.Get(ref); err != nil {
		return nil, nil, err
	}
	if a.old.Parsed()+a.new.Parsed() > a.budget {
		return nil, nil, &pdf.Error{Kind: pdf.Limit, Msg: "comparing the revisions of the document takes too long"}
	}
	return o, n, nil
}

// dicts reads an object that has to be a dictionary in both states.
func (a *analysis) dicts(ref pdf.Ref) (o, n pdf.Dict, ok bool, err error) {
	x, y, err := a.both(ref)
	if err != nil {
		return nil, nil, false, err
	}
	o, ok1 := x.(pdf.Dict)
	n, ok2 := y.(pdf.Dict)
	return o, n, ok1 && ok2, nil
}

// trailer compares what the two trailers name. Other entries mean nothing.
func (a *analysis) trailer() error {
	a.roles[a.old.Root()] = catalogRole
	o, n := a.old.Trailer(), a.new.Trailer()
	if o["Root"] != n["Root"] {
		return a.other("Root", pdf.Ref{})
	}
	info, err := a.equal(o["Info"], n["Info"], map[pdf.Ref]bool{})
	if err != nil {
		return err
	}
	if !info {
		if err := a.report(Change{Kind: Metadata, Where: "Info"}); err != nil {
			return err
		}
	}
	return a.frozen(o["Encrypt"], n["Encrypt"], place{where: "Encrypt"})
}

// harmless are entries of the catalog that show nothing.
var harmless = map[pdf.Name]Kind{"DSS": Evidence, "Extensions": Evidence, "Version": Evidence, "Metadata": Metadata}

// catalog compares the root of the document.
func (a *analysis) catalog() error {
	root := a.old.Root()
	o, n, ok, err := a.dicts(root)
	if err != nil {
		return err
	}
	if !ok {
		return a.other("Root", root)
	}
	for _, k := range keys(o, n) {
		where := "Root/" + string(k)
		switch kind := harmless[k]; {
		case kind != "":
			same, err := a.equal(o[k], n[k], map[pdf.Ref]bool{})
			if err == nil && !same {
				err = a.report(Change{Kind: kind, Where: where, Object: root})
			}
			if err != nil {
				return err
			}
		case k == "AcroForm":
			if err := a.form(o[k], n[k], root); err != nil {
				return err
			}
		default: // the page tree too: its nodes have a role and are compared on their own
			if err := a.frozen(o[k], n[k], place{where, k, root}); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain compares what is reached from what has to be equal, until nothing new is reached.
func (a *analysis) drain() error {
	for len(a.strict)+len(a.lenient) > 0 {
		list, kind := &a.strict, Other
		if len(a.strict) == 0 {
			list, kind = &a.lenient, Annotation
		}
		p := (*list)[len(*list)-1]
		*list = (*list)[:len(*list)-1]
		o, n, err := a.both(p.ref)
		if err != nil {
			return err
		}
		if err := a.compare(o, n, place{where: p.where, object: p.ref}, kind); err != nil {
			return err
		}
	}
	return nil
}

// keys are those of two dictionaries, in order.
func keys(o, n pdf.Dict) []pdf.Name {
	var all []pdf.Name
	for k := range o {
		all = append(all, k)
	}
	for k := range n {
		if _, ok := o[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

func sub(where string, key pdf.Name) string {
	if len(where) > 200 { // a hostile document can be deep
		return where
	}
	return fmt.Sprintf("%s/%.60s", where, string(key))
}

// ordered gives the keys in order, so that the same document gives the same list.
func ordered[V any](m map[pdf.Ref]V) []pdf.Ref {
	refs := slices.Collect(maps.Keys(m))
	slices.SortFunc(refs, func(a, b pdf.Ref) int { return cmp.Or(cmp.Compare(a.Num, b.Num), cmp.Compare(a.Gen, b.Gen)) })
	return refs
}
