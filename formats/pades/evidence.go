package pades

import (
	"crypto/sha1" // the names of /VRI entries (EN 319 142-1 §5.4.2.3); nothing relies on it
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/pdf"
)

// AddEvidence writes the document with the certificates and revocation data of e put into its document security store,
// which raises its time-stamped signatures to level B-LT (EN 319 142-1 §5.4.2, §6.3). They are appended as a new revision; what
// the store has already stays, and is not put in again. If there is nothing new the document is written as it is, unless it
// has a signature that is younger than the store: then the store is written again, with a /VRI entry that says what of it
// serves the signature.
//
// No certification or lock forbids it (ISO 32000-2 §12.8.2.2.2).
func AddEvidence(w io.Writer, doc io.ReaderAt, size int64, e ades.Extension) error {
	tail, err := evidenceTail(doc, size, e)
	if err != nil {
		return err
	}
	if err := stream(w, doc, size); err != nil {
		return err
	}
	if _, err := w.Write(tail); err != nil {
		return &Error{Kind: Failed, Msg: "the document cannot be written", Err: err}
	}
	return nil
}

// evidenceTail is the revision that puts the evidence in, nil if the document has it.
func evidenceTail(doc io.ReaderAt, size int64, x ades.Extension) ([]byte, error) {
	f, err := open(doc, size, x.Password)
	if err != nil {
		return nil, err
	}
	fm, err := readForm(f)
	if err != nil {
		return nil, fromPDF(err)
	}
	e, err := newEdit(f, fm)
	if err != nil {
		return nil, err
	}
	s, err := e.openStore()
	if err != nil {
		return nil, fromPDF(err)
	}
	if err := s.put(x.Evidence); err != nil {
		return nil, fromPDF(err)
	}
	if x.VRI {
		if err := s.relate(doc, x); err != nil {
			return nil, fromPDF(err)
		}
	}
	if !s.changed {
		if x.Signatures, err = s.younger(doc, x); err != nil {
			return nil, fromPDF(err)
		}
		if err := s.relate(doc, x); err != nil || !s.changed {
			return nil, fromPDF(err)
		}
	}
	if err := s.write(); err != nil {
		return nil, fromPDF(err)
	}
	return e.bytes()
}

// store is the document security store that is being extended.
type store struct {
	*edit
	at      place
	old     pdf.Dict           // as the document has it; nil: not at all
	refs    map[string]pdf.Ref // by kind and DER
	added   map[pdf.Name][]pdf.Ref
	vri     pdf.Dict // new entries
	changed bool
}

func (e *edit) openStore() (*store, error) {
	s := &store{edit: e, refs: map[string]pdf.Ref{}, added: map[pdf.Name][]pdf.Ref{}, vri: pdf.Dict{}}
	at, o, err := locate(e.f, e.form.catalog["DSS"])
	if err != nil {
		return nil, err
	}
	s.at = at
	s.old, _ = o.(pdf.Dict)
	have, err := readDSS(e.f)
	if err != nil || have == nil {
		return s, err
	}
	s.mentionAll(s.old, map[pdf.Ref]bool{}, 0)
	for kind, list := range map[pdf.Name][]Datum{"Certs": have.Certs, "CRLs": have.CRLs, "OCSPs": have.OCSPs} {
		for _, v := range list {
			s.refs[string(kind)+string(v.DER)] = v.ref
		}
	}
	return s, nil
}

// mentionAll remembers what the store refers to and the document does not have, down to the lists of /VRI entries: no new object may
// come to stand there.
func (s *store) mentionAll(o pdf.Object, seen map[pdf.Ref]bool, depth int) {
	if ref, ok := o.(pdf.Ref); ok {
		if seen[ref] || s.form.noteMissing(ref) != nil {
			return // what cannot be read is something
		}
		seen[ref] = true
		_, o, _ = locate(s.f, ref) // as noteMissing just did
	}
	if depth > 4 {
		return
	}
	switch o := o.(type) {
	case pdf.Dict:
		for _, v := range o {
			s.mentionAll(v, seen, depth+1)
		}
	case pdf.Array:
		for _, v := range o {
			s.mentionAll(v, seen, depth+1)
		}
	}
}

// put adds what the store does not have.
func (s *store) put(e ades.Evidence) error {
	for _, c := range e.Certificates {
		if _, err := s.stream("Certs", c.Raw); err != nil {
			return err
		}
	}
	for _, der := range e.CRLs {
		if _, err := s.stream("CRLs", der); err != nil {
			return err
		}
	}
	for _, der := range e.OCSP {
		if _, err := s.stream("OCSPs", der); err != nil {
			return err
		}
	}
	return nil
}

// stream gives the stream of the store that holds der, made if there is none.
func (s *store) stream(kind pdf.Name, der []byte) (pdf.Ref, error) {
	if ref, ok := s.refs[string(kind)+string(der)]; ok {
		return ref, nil
	}
	ref, err := s.add(&pdf.NewStream{Data: der})
	if err != nil {
		return ref, err
	}
	s.refs[string(kind)+string(der)] = ref
	s.added[kind] = append(s.added[kind], ref)
	s.changed = true
	return ref, nil
}

// relate makes a /VRI entry for each signature: what it was given with this call belongs to it.
func (s *store) relate(doc io.ReaderAt, x ades.Extension) error {
	d, err := read(s.f, doc)
	if err != nil {
		return err
	}
	entry := pdf.Dict{}
	put := func(key, kind pdf.Name, der []byte) error {
		ref, err := s.stream(kind, der)
		refs, _ := entry[key].(pdf.Array)
		if err == nil && !slices.Contains(refs, pdf.Object(ref)) {
			entry[key] = append(refs, ref)
		}
		return err
	}
	for _, c := range x.Evidence.Certificates {
		if err := put("Cert", "Certs", c.Raw); err != nil {
			return err
		}
	}
	for _, der := range x.Evidence.CRLs {
		if err := put("CRL", "CRLs", der); err != nil {
			return err
		}
	}
	for _, der := range x.Evidence.OCSP {
		if err := put("OCSP", "OCSPs", der); err != nil {
			return err
		}
	}
	for i, sig := range d.list {
		if sig.Err != nil || x.Signatures != nil && !slices.Contains(x.Signatures, i) || len(entry) == 0 {
			continue
		}
		contents, err := sig.contents()
		if err != nil {
			return err
		}
		sum := sha1.Sum(contents)
		s.vri[pdf.Name(strings.ToUpper(hex.EncodeToString(sum[:])))] = entry
		s.changed = true
	}
	return nil
}

// younger gives those of the chosen signatures that came after the store was last written. A reader that takes the store for evidence
// of what was there before it would not see that it serves them too.
func (s *store) younger(doc io.ReaderAt, x ades.Extension) ([]int, error) {
	out := []int{}
	if s.old == nil {
		return out, nil
	}
	written := int64(0)
	if !s.at.indirect {
		if span, err := s.f.Span(s.f.Root(), "DSS"); err == nil {
			written = span.From
		}
	}
	for key := range s.old {
		if span, err := s.f.Span(s.at.ref, key); err == nil { // an object in a stream has no place that is known
			written = max(written, span.From)
		}
	}
	d, err := read(s.f, doc)
	if err != nil {
		return nil, err
	}
	for i, sig := range d.list {
		chosen := x.Signatures == nil || slices.Contains(x.Signatures, i)
		if chosen && sig.Err == nil && !sig.IsTimestamp() && sig.end() > written {
			out = append(out, i)
		}
	}
	return out, nil
}

// write puts the extended store into the revision. Entries of the old one that are not known here stay.
func (s *store) write() error {
	d := pdf.Dict{"Type": pdf.Name("DSS")}
	for k, v := range s.old {
		d[k] = v
	}
	own := func() (pdf.Dict, error) { return d, nil }
	for kind, refs := range s.added {
		if err := s.appendTo(d, own, kind, refs...); err != nil {
			return err
		}
	}
	if len(s.vri) > 0 {
		if err := s.writeVRI(d); err != nil {
			return err
		}
	}
	if s.at.indirect && s.old != nil {
		s.u.Set(s.at.ref, d)
		return nil
	}
	ref, err := s.add(d)
	if err == nil {
		s.catalog()["DSS"] = ref
	}
	return err
}

// writeVRI adds the new entries to the /VRI of d. One that is there already keeps what it has.
func (s *store) writeVRI(d pdf.Dict) error {
	at, o, err := locate(s.f, d["VRI"])
	if err != nil {
		return err
	}
	old, _ := o.(pdf.Dict)
	vri := pdf.Dict{}
	for k, v := range old {
		vri[k] = v
	}
	for _, key := range slices.Sorted(maps.Keys(s.vri)) {
		before, _, err := pdf.As[pdf.Dict](s.f, vri[key])
		if err != nil {
			return err
		}
		merged, err := s.merge(before, s.vri[key].(pdf.Dict))
		if err != nil {
			return err
		}
		// An object of its own: readers that compare revisions know one that stays by its number, and cannot all compare
		// dictionaries of encrypted documents.
		if vri[key], err = s.add(merged); err != nil {
			return err
		}
	}
	if at.indirect && old != nil {
		s.u.Set(at.ref, vri)
	} else {
		d["VRI"] = vri
	}
	return nil
}

// merge gives the entry of a signature in /VRI with what it had before. The date of the old one would be untrue of the new.
func (s *store) merge(before, entry pdf.Dict) (pdf.Dict, error) {
	out := entry.Clone()
	for key, v := range before {
		if _, known := out[key]; !known && key != "TU" && key != "TS" {
			out[key] = v
			continue
		}
		list, ok := out[key].(pdf.Array)
		if !ok {
			continue
		}
		had, _, err := pdf.As[pdf.Array](s.f, v)
		if err != nil {
			return nil, err
		}
		merged := slices.Clone(had)
		for _, o := range list {
			if !slices.Contains(merged, o) {
				merged = append(merged, o)
			}
		}
		out[key] = merged
	}
	return out, nil
}
