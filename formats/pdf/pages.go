package pdf

import "iter"

// Page is a leaf of the page tree (ISO 32000-1 §7.7.3).
type Page struct {
	Ref  Ref
	Dict Dict // its own dictionary, read-only
	// Inherited holds /Resources, /MediaBox, /CropBox and /Rotate as they apply to the page, its own or an
	// ancestor's (§7.7.3.4).
	Inherited Dict
}

var inheritable = []Name{"Resources", "MediaBox", "CropBox", "Rotate"}

// PageCount walks the page tree and counts the pages.
func (f *File) PageCount() (int, error) {
	n := 0
	for _, err := range f.Pages() {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Pages goes through the pages in order. After an error it ends. The tree must be a tree: a node met twice, a /Parent that
// leads elsewhere, a /Count that is not the number of leaves, or a node of another type is an error of kind Malformed.
func (f *File) Pages() iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		catalog, err := f.Catalog()
		if err != nil {
			yield(Page{}, err)
			return
		}
		root, ok := catalog["Pages"].(Ref)
		if !ok {
			yield(Page{}, malformed("the catalog has no /Pages reference"))
			return
		}
		w := &pageWalk{f: f, seen: map[Ref]bool{}, yield: yield}
		if _, err := w.node(root, Ref{}, Dict{}, 0); err != nil && !w.stopped {
			yield(Page{}, err)
		}
	}
}

type pageWalk struct {
	f       *File
	seen    map[Ref]bool
	pages   int
	yield   func(Page, error) bool
	stopped bool
}

// node visits one node and returns how many pages are below it.
func (w *pageWalk) node(ref, parent Ref, inherited Dict, depth int) (int, error) {
	if w.seen[ref] {
		return 0, malformed("the page tree comes to object %s twice", ref)
	}
	w.seen[ref] = true
	if depth > w.f.limits.Depth {
		return 0, failure(Limit, "the page tree is more than %d deep", w.f.limits.Depth)
	}
	d, ok, err := As[Dict](w.f, ref)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, malformed("object %s, a node of the page tree, is missing", ref)
	}
	if up, ok := d["Parent"]; ok && depth > 0 && up != Object(parent) {
		return 0, malformed("/Parent of object %s, a node of the page tree, does not lead to the node it is a kid of", ref)
	}
	own := inherited.Clone()
	for _, key := range inheritable {
		if v, ok := d[key]; ok {
			own[key] = v
		}
	}
	_, hasKids := d["Kids"]
	switch {
	case d["Type"] == Name("Page") && depth > 0 && !hasKids:
		if w.pages++; w.pages > w.f.limits.Pages {
			return 0, failure(Limit, "the document has more than %d pages", w.f.limits.Pages)
		}
		if !w.yield(Page{ref, d, own}, nil) {
			w.stopped = true
			return 0, failure(Unsupported, "stopped")
		}
		return 1, nil
	case d["Type"] == Name("Pages"):
		return w.kids(ref, d, own, depth)
	}
	return 0, malformed("object %s in the page tree is neither a /Page nor a /Pages node with /Kids", ref)
}

func (w *pageWalk) kids(ref Ref, d, inherited Dict, depth int) (int, error) {
	kids, ok, err := As[Array](w.f, d["Kids"])
	if err != nil {
		return 0, err
	}
	count, counted, err := As[Integer](w.f, d["Count"])
	if err != nil {
		return 0, err
	}
	if !ok || !counted {
		return 0, malformed("node %s of the page tree has no /Kids or no /Count", ref)
	}
	below := 0
	for _, o := range kids {
		kid, ok := o.(Ref)
		if !ok {
			return 0, malformed("/Kids of node %s of the page tree has something that is not a reference", ref)
		}
		n, err := w.node(kid, ref, inherited, depth+1)
		if err != nil {
			return 0, err
		}
		below += n
	}
	if int64(count) != int64(below) {
		return 0, malformed("node %s of the page tree has a /Count of %d and %d pages", ref, count, below)
	}
	return below, nil
}
