package pdf

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
)

// lexerAt gives a lexer on the file at offset pos that may read to the end of the file.
func (f *File) lexerAt(pos int64) *lexer {
	var l *lexer
	if n := len(f.lexers); n > 0 {
		l, f.lexers = f.lexers[n-1], f.lexers[:n-1]
	} else {
		l = newLexer(f.r, f.size, "")
	}
	l.seek(pos, f.size)
	return l
}

func (f *File) release(l *lexer) {
	if l.err == nil && len(f.lexers) < 4 {
		f.lexers = append(f.lexers, l)
	}
}

// Objects goes through every object in use, those in object streams included, by ascending number.
func (f *File) Objects() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for _, e := range f.table {
			ref := Ref{Num: int(e.num)}
			switch e.kind {
			case free, nowhere:
				continue
			case inUse:
				ref.Gen = int(e.aux)
			}
			if !yield(ref) {
				return
			}
		}
	}
}

// Get reads an object. A missing or freed object, or one of another generation, is [Null] (ISO 32000-1 §7.3.10).
// Treat the result as read-only: it may be shared.
func (f *File) Get(ref Ref) (Object, error) {
	if o, ok := f.cache.get(ref); ok {
		return o, nil
	}
	e, ok := f.table.find(ref.Num)
	if !ok || e.kind == free || e.kind == inUse && int(e.aux) != ref.Gen || e.kind == compressed && ref.Gen != 0 {
		return Null{}, nil
	}
	if e.kind == nowhere {
		return nil, malformed("object %s is said to be in use and to be nowhere", ref)
	}
	if slices.Contains(f.loading, ref.Num) || len(f.loading) >= maxHops {
		return nil, malformed("object %s is needed to read itself, or a chain of objects too long", ref)
	}
	f.loading = append(f.loading, ref.Num)
	defer func() { f.loading = f.loading[:len(f.loading)-1] }()
	var o Object
	var cost int64
	var err error
	if e.kind == compressed {
		o, cost, err = f.readCompressed(e)
	} else {
		o, cost, err = f.readAt(e)
	}
	if err != nil {
		return nil, err
	}
	f.cache.put(ref, o, cost)
	return o, nil
}

// Parsed is the text in bytes of all objects that were read so far, those that the cache gave not counted. It tells a
// caller that follows references what a file costs: objects may lie in each other's strings, and have far more text
// together than the file has bytes.
func (f *File) Parsed() int64 { return f.parsed }

// maxHops bounds references that resolve to references, and objects that are needed to read another one: a stream's
// /Length in an object stream with a /Length of its own is the longest honest chain.
const maxHops = 16

// Resolve follows o while it is a reference.
func (f *File) Resolve(o Object) (Object, error) {
	for range maxHops {
		ref, ok := o.(Ref)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = f.Get(ref); err != nil {
			return nil, err
		}
	}
	return nil, malformed("a reference leads only to further references")
}

// readAt reads the object at the offset of e, which must name itself as e does.
func (f *File) readAt(e entry) (Object, int64, error) {
	l := f.lexerAt(e.off)
	defer f.release(l)
	ref, o, err := f.indirect(l, f.lengthOf)
	if err != nil {
		f.parsed += l.pos - e.off
		return nil, 0, err
	}
	if ref.Num != int(e.num) || ref.Gen != int(e.aux) {
		return nil, 0, malformed("offset %d should hold object %d %d and holds %d %d", e.off, e.num, e.aux, ref.Num, ref.Gen)
	}
	cost := l.pos - e.off
	if s, ok := o.(*Stream); ok {
		cost -= s.Length
	}
	f.parsed += cost
	if f.security != nil && ref != f.encryptRef {
		if o, err = f.security.decryptStrings(ref, o); err != nil {
			return nil, 0, err
		}
	}
	return o, cost, nil
}

// indirect reads "num gen obj … endobj" (§7.3.10). length resolves a /Length that is a reference; nil refuses one.
func (f *File) indirect(l *lexer, length func(Object) (int64, error)) (Ref, Object, error) {
	l.seek(l.pos, f.limits.ObjectBytes)
	num, ok1 := l.natural()
	gen, ok2 := l.natural()
	if !ok1 || !ok2 || num < 1 || num > maxObjectNumber || gen > 65535 || !l.keyword("obj") {
		return Ref{}, nil, l.fail("an object is expected")
	}
	ref := Ref{int(num), int(gen)}
	o, err := f.parser(l).object()
	if err != nil {
		return Ref{}, nil, err
	}
	if d, ok := o.(Dict); ok && l.keyword("stream") {
		if o, err = f.stream(l, ref, d, length); err != nil {
			return Ref{}, nil, err
		}
	}
	if !l.keyword("endobj") {
		if _, ok := l.peek(); !ok {
			return Ref{}, nil, l.end(fmt.Sprintf("object %d %d", num, gen))
		}
		return Ref{}, nil, l.fail("object %d %d does not end with endobj", num, gen)
	}
	return ref, o, nil
}

// stream places the data of a stream and verifies /Length against the word endstream (§7.3.8).
func (f *File) stream(l *lexer, ref Ref, d Dict, length func(Object) (int64, error)) (*Stream, error) {
	if !l.literal("\r\n") && !l.literal("\n") {
		return nil, l.fail("the word stream is not followed by a line feed")
	}
	n, ok := d["Length"].(Integer)
	if !ok {
		if length == nil {
			return nil, l.fail("stream %d %d has no direct /Length", ref.Num, ref.Gen)
		}
		v, err := length(d["Length"])
		if err != nil {
			return nil, err
		}
		n = Integer(v)
	}
	s := &Stream{Dict: d, Ref: ref, Offset: l.pos, Length: int64(n)}
	if s.Length < 0 || s.Length > l.size-s.Offset {
		return nil, l.fail("stream %d %d has a /Length of %d, beyond the file", ref.Num, ref.Gen, s.Length)
	}
	l.seek(s.Offset+s.Length, f.limits.ObjectBytes)
	l.skipWhite() // an end of line should come here (§7.3.8.1); some programs write two, and /Length still says where the data ends
	if !l.keywordHere("endstream") {
		return nil, l.fail("stream %d %d does not end where its /Length says", ref.Num, ref.Gen)
	}
	return s, nil
}

// keywordHere is keyword without anything before the word.
func (l *lexer) keywordHere(s string) bool {
	if !l.literal(s) {
		return false
	}
	c, ok := l.peek()
	return !ok || class[c] != regular
}

func (f *File) lengthOf(o Object) (int64, error) {
	n, ok, err := As[Integer](f, o)
	if err != nil {
		return 0, err
	}
	if !ok || n < 0 {
		return 0, malformed("a stream has no /Length")
	}
	return int64(n), nil
}

// readCompressed reads an object out of its object stream (§7.5.7).
func (f *File) readCompressed(e entry) (Object, int64, error) {
	os, err := f.objectStream(int(e.off))
	if err != nil {
		return nil, 0, err
	}
	i := int(e.aux)
	if i >= len(os.nums) || os.nums[i] != int(e.num) {
		return nil, 0, malformed("object %d is not at place %d of object stream %d", e.num, i, e.off)
	}
	from, to := int64(os.offs[i]), int64(len(os.data))
	if i+1 < len(os.offs) {
		to = int64(os.offs[i+1])
	}
	l := &f.packedLexer // an object in a stream needs no other to be read
	f.packedText.Reset(os.data[from:to])
	*l = lexerOn(&f.packedText, os.data[from:to], os.name)
	o, err := f.parser(l).object()
	f.parsed += l.pos
	if err != nil {
		return nil, 0, err
	}
	if l.skip(); l.pos != l.size {
		return nil, 0, l.fail("object %d is followed by something else", e.num)
	}
	return o, to - from, nil
}

// newLexerSized is a lexer on bytes in memory: its window is the data itself.
func newLexerSized(data []byte, name string) *lexer {
	l := lexerOn(bytes.NewReader(data), data, name)
	return &l
}

func lexerOn(src io.ReaderAt, data []byte, name string) lexer {
	return lexer{src: src, size: int64(len(data)), stop: int64(len(data)), name: name, buf: data, n: len(data)}
}

// Span is a range of bytes of the file.
type Span struct{ From, To int64 }

// Span tells where in the file the value lies that path leads to from object ref, through keys of direct
// dictionaries. An object that is missing, or that lies in an object stream and so has no place of its own, is an
// error of kind Malformed.
func (f *File) Span(ref Ref, path ...Name) (Span, error) {
	e, ok := f.table.find(ref.Num)
	if !ok || e.kind != inUse || int(e.aux) != ref.Gen {
		return Span{}, malformed("object %s has no place of its own in the file", ref)
	}
	l := f.lexerAt(e.off)
	defer f.release(l)
	l.seek(e.off, f.limits.ObjectBytes)
	num, _ := l.natural()
	gen, _ := l.natural()
	if num != int64(ref.Num) || gen != int64(ref.Gen) || !l.keyword("obj") {
		return Span{}, malformed("offset %d does not hold object %s", e.off, ref)
	}
	p := f.parser(l)
	var span Span
	p.trace = func(at []Name, from, to int64) {
		if equalNames(at, path) {
			span = Span{from, to}
		}
	}
	_, err := p.object()
	if f.parsed += l.pos - e.off; err != nil {
		return Span{}, err
	}
	if span.To == 0 {
		return Span{}, malformed("object %s has no entry %v", ref, path)
	}
	return span, nil
}

func equalNames(a, b []Name) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
