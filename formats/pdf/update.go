package pdf

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"
)

// Update collects new and changed objects and writes them as one more revision after the last byte of the file
// (ISO 32000-1 §7.5.6). The cross-reference section is of the same kind as the newest one of the file, as
// §7.5.8.4 advises; after a hybrid one a table is written, which every reader understands.
type Update struct {
	f       *File
	objects map[Ref]Object
	next    int
}

// NewUpdate begins an update of f. What is added to an encrypted file is encrypted as the file is, so one that is locked
// is refused with [File.Locked].
func NewUpdate(f *File) (*Update, error) {
	if f.locked != nil {
		return nil, f.locked
	}
	return &Update{f: f, objects: map[Ref]Object{}, next: f.FirstUnused()}, nil
}

// FirstUnused is the number of the first object that an [Update] of f adds: neither an object of the file has it or a higher one, nor
// does the trailer say so.
func (f *File) FirstUnused() int {
	size, _ := f.trailer["Size"].(Integer)
	first := int(min(size, maxObjectNumber+1))
	if n := len(f.table); n > 0 {
		first = max(first, int(f.table[n-1].num)+1)
	}
	return first
}

// File is the file that is updated.
func (u *Update) File() *File { return u.f }

// Set replaces the object of ref, which keeps its number and generation.
func (u *Update) Set(ref Ref, o Object) {
	u.objects[ref] = o
	u.next = max(u.next, ref.Num+1)
}

// Add adds a new object.
func (u *Update) Add(o Object) Ref {
	ref := Ref{Num: u.next}
	u.next++
	u.objects[ref] = o
	return ref
}

// written is an object of the update with its place in the file.
type written struct {
	ref Ref
	at  int64
}

// Bytes encodes the update: the bytes that come after the last byte of the file. The same update always gives the same
// bytes.
func (u *Update) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if _, err := u.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// WriteTo is [Update.Bytes] written to w object by object. It returns how many bytes w got, even after an error.
func (u *Update) WriteTo(w io.Writer) (int64, error) {
	refs, err := u.order()
	if err != nil {
		return 0, err
	}
	h, err := u.fingerprint()
	if err != nil {
		return 0, err
	}
	e := &encoder{base: u.f.size, sink: io.MultiWriter(w, h)}
	if err := u.newLine(e); err != nil {
		return 0, err
	}
	var list []written
	for _, ref := range refs {
		e.security = u.f.security
		if ref == u.f.encryptRef {
			e.security = nil
		}
		at, err := e.indirect(ref, u.objects[ref])
		if err == nil {
			err = e.flush()
		}
		if err != nil {
			return e.base - u.f.size, err
		}
		list = append(list, written{ref, at})
	}
	e.security = nil
	trailer := u.trailer(h.Sum(nil))
	var at int64
	if u.f.sections[0].kind == XRefStream {
		at, err = u.xrefStream(e, trailer, list)
	} else {
		at, err = u.xrefTable(e, trailer, list)
	}
	if err == nil {
		e.out = fmt.Appendf(e.out, "startxref\n%d\n%%%%EOF\n", at)
		err = e.flush()
	}
	return e.base - u.f.size, err
}

// order lists the objects by number and checks that each can be what it says.
func (u *Update) order() ([]Ref, error) {
	if u.next > maxObjectNumber {
		return nil, failure(Limit, "the file has no object numbers left")
	}
	refs := make([]Ref, 0, len(u.objects))
	for ref := range u.objects {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b Ref) int { return cmp.Compare(a.Num, b.Num) })
	for i, ref := range refs {
		if i > 0 && refs[i-1].Num == ref.Num {
			return nil, malformed("an update has object %d twice", ref.Num)
		}
		e, ok := u.f.table.find(ref.Num)
		if ok && (e.kind == inUse && int(e.aux) != ref.Gen || e.kind == compressed && ref.Gen != 0) {
			return nil, malformed("an update has object %s, and the file has another generation of it", ref)
		}
	}
	return refs, nil
}

// fingerprint begins the second part of /ID.
func (u *Update) fingerprint() (hash.Hash, error) {
	h := sha256.New()
	id, _, err := As[Array](u.f, u.f.trailer["ID"])
	if err != nil {
		return nil, err
	}
	if len(id) == 2 {
		if second, ok := id[1].(String); ok {
			h.Write(second)
		}
	}
	fmt.Fprintf(h, "%d ", u.f.size)
	return h, nil
}

// newLine separates the update from a file that does not end with an end-of-line mark.
func (u *Update) newLine(e *encoder) error {
	var last [1]byte
	if n, err := u.f.r.ReadAt(last[:], u.f.size-1); n != 1 {
		return &Error{Kind: Unreadable, Msg: "the file cannot be read", Err: err}
	}
	if last[0] != '\n' && last[0] != '\r' {
		e.out = append(e.out, '\n')
	}
	return nil
}

// trailer keeps all entries of the newest trailer, as §7.5.6 asks, but those that belong to its own section. The second part
// of /ID changes with the contents (§14.4); it is made from them, so that no clock or chance is needed. The first stays:
// the key of an encrypted file depends on it.
func (u *Update) trailer(sum []byte) Dict {
	t := u.f.trailer.Clone()
	for _, key := range []Name{"XRefStm", "Type", "W", "Index", "Filter", "DecodeParms", "Length", "DL"} {
		delete(t, key)
	}
	t["Prev"] = Integer(u.f.startXRef)
	t["Size"] = Integer(u.next)
	if id, ok, err := As[Array](u.f, t["ID"]); err == nil && ok && len(id) == 2 {
		t["ID"] = Array{id[0], String(sum[:16])}
	}
	return t
}

// maxTableOffset is the largest offset that the ten digits of a table can hold.
const maxTableOffset = 9_999_999_999

func (u *Update) xrefTable(e *encoder, trailer Dict, list []written) (int64, error) {
	at := e.base + int64(len(e.out))
	if at > maxTableOffset {
		return 0, failure(Limit, "the file is too large for its cross-reference table")
	}
	e.out = append(e.out, "xref\n"...)
	for _, run := range runs(list) {
		e.out = fmt.Appendf(e.out, "%d %d\n", run[0].ref.Num, len(run))
		for _, w := range run {
			e.out = fmt.Appendf(e.out, "%010d %05d n \n", w.at, w.ref.Gen)
		}
	}
	e.out = append(e.out, "trailer\n"...)
	if err := e.object(trailer, 0); err != nil {
		return 0, err
	}
	e.out = append(e.out, '\n')
	return at, nil
}

// xrefStream writes a cross-reference stream, which names itself too.
func (u *Update) xrefStream(e *encoder, trailer Dict, list []written) (int64, error) {
	at := e.base + int64(len(e.out))
	self := Ref{Num: u.next}
	trailer["Size"] = Integer(u.next + 1)
	list = append(slices.Clone(list), written{self, at})
	width := 4
	for at>>(8*width) != 0 {
		width++
	}
	var rows []byte
	index := Array{}
	for _, run := range runs(list) {
		index = append(index, Integer(run[0].ref.Num), Integer(len(run)))
		for _, w := range run {
			rows = append(rows, inUse)
			for i := width - 1; i >= 0; i-- {
				rows = append(rows, byte(w.at>>(8*i)))
			}
			rows = append(rows, byte(w.ref.Gen>>8), byte(w.ref.Gen))
		}
	}
	trailer["Type"] = Name("XRef")
	trailer["W"] = Array{Integer(1), Integer(width), Integer(2)}
	trailer["Index"] = index
	_, err := e.indirect(self, &NewStream{Dict: trailer, Data: rows})
	return at, err
}

// runs groups objects with consecutive numbers.
func runs(list []written) (out [][]written) {
	from := 0
	for i := 1; i <= len(list); i++ {
		if i == len(list) || list[i].ref.Num != list[i-1].ref.Num+1 {
			if i > from {
				out = append(out, list[from:i])
			}
			from = i
		}
	}
	return out
}
