package pdf

import (
	"cmp"
	"slices"
)

// entry tells where one object is (ISO 32000-1 §7.5.4, §7.5.8.3).
type entry struct {
	off  int64 // inUse: offset in the file; compressed: number of the object stream
	num  int32
	aux  int32 // inUse, free: generation; compressed: index in the object stream
	kind byte
}

const (
	free       = 0
	inUse      = 1
	compressed = 2
	nowhere    = 3 // in use at offset 0, as some programs write for numbers they left out: not to be referred to
)

// XRefKind is the form of a cross-reference section.
type XRefKind string

// The forms of ISO 32000-1 §7.5.4, §7.5.8 and §7.5.8.4.
const (
	XRefTable  XRefKind = "table"
	XRefStream XRefKind = "stream"
	XRefHybrid XRefKind = "hybrid"
)

// section is one cross-reference section with its trailer.
type section struct {
	kind    XRefKind
	at      int64 // its offset
	end     int64 // after the %%EOF that closes it; 0 if nothing does, as in the first part of some linearized files
	starts  int64 // what the startxref that follows it states
	prev    int64 // offset of the section before; 0 = none
	own     int   // entries of objects in use written by a table itself, without those of /XRefStm
	entries table
	trailer Dict
}

// table holds entries ordered by object number.
type table []entry

func (t table) find(num int) (entry, bool) {
	i, ok := slices.BinarySearchFunc(t, num, func(e entry, n int) int { return cmp.Compare(int(e.num), n) })
	if !ok {
		return entry{}, false
	}
	return t[i], true
}

// ordered sorts the entries of a section and refuses an object that is there twice.
func (t table) ordered(l *lexer) (table, error) {
	byNum := func(a, b entry) int { return cmp.Compare(a.num, b.num) }
	if !slices.IsSortedFunc(t, byNum) {
		slices.SortFunc(t, byNum)
	}
	for i := 1; i < len(t); i++ {
		if t[i].num == t[i-1].num {
			return nil, l.fail("a cross-reference section names object %d twice", t[i].num)
		}
	}
	return t, nil
}

// over merges t over older: an object named in t hides the one in older.
func (t table) over(older table) table {
	if len(older) == 0 {
		return t
	}
	out := make(table, 0, len(older)+len(t))
	i, j := 0, 0
	for i < len(t) || j < len(older) {
		switch {
		case j == len(older) || i < len(t) && t[i].num < older[j].num:
			out = append(out, t[i])
			i++
		case i == len(t) || older[j].num < t[i].num:
			out = append(out, older[j])
			j++
		default:
			out = append(out, t[i])
			i, j = i+1, j+1
		}
	}
	return out
}

// mergeSections gives the view of the newest section. Pairs are merged like in a tournament, so that many
// sections cost n log n and not n².
func mergeSections(newestFirst []section) table {
	level := make([]table, len(newestFirst))
	for i, s := range newestFirst {
		level[i] = s.entries
	}
	for len(level) > 1 {
		for i := 0; i < len(level)/2; i++ {
			level[i] = level[2*i].over(level[2*i+1])
		}
		if len(level)%2 == 1 {
			level[len(level)/2] = level[len(level)-1]
		}
		level = level[:(len(level)+1)/2]
	}
	return level[0]
}

// checkGenerations refuses an object whose generation goes back in a later section (§7.3.10): to some readers the two are one
// object, to others two.
func (f *File) checkGenerations() error {
	for _, s := range f.sections[1:] {
		for _, e := range s.entries {
			if e.kind != inUse || e.aux == 0 {
				continue
			}
			now, _ := f.table.find(int(e.num))
			if now.kind == inUse && now.aux < e.aux || now.kind == compressed {
				return malformed("object %d has an older generation in a newer cross-reference section", e.num)
			}
		}
	}
	return nil
}

// readSections follows /Prev from the newest section to the oldest.
func (f *File) readSections() error {
	total := 0
	seen := map[int64]bool{}
	for at := f.startXRef; ; {
		if seen[at] {
			return malformed("the chain of /Prev comes back to the cross-reference section at offset %d", at)
		}
		seen[at] = true
		if len(f.sections) == f.limits.Revisions {
			return failure(Limit, "the file has more than %d cross-reference sections", f.limits.Revisions)
		}
		s, err := f.readSection(at, f.limits.Objects-total)
		if err != nil {
			return err
		}
		total += len(s.entries)
		f.sections = append(f.sections, s)
		if s.prev == 0 {
			return nil
		}
		at = s.prev
	}
}

// readSection reads the table or stream at offset at, of at most room entries, and what closes it.
func (f *File) readSection(at int64, room int) (section, error) {
	if at <= 0 || at >= f.size {
		return section{}, malformed("a cross-reference section is said to be at offset %d, outside of the file", at)
	}
	l := f.lexerAt(at)
	defer f.release(l)
	c, ok := l.peek()
	s := section{at: at, kind: XRefStream}
	var err error
	switch {
	case ok && c == 'x':
		err = f.readTable(l, &s, room)
	case ok && c >= '0' && c <= '9':
		s.entries, s.trailer, err = f.readXRefStream(l, room)
	default:
		err = l.fail("a cross-reference section is expected")
	}
	if err != nil {
		return section{}, err
	}
	if s.prev, err = f.offsetIn(s.trailer, "Prev"); err != nil {
		return section{}, err
	}
	l.stop = l.size
	if s.kind == XRefStream && !l.follows("startxref") {
		return s, l.err
	}
	s.starts, s.end, err = l.closing()
	return s, err
}

// offsetIn reads an optional entry that is an offset, which must be a direct integer; 0 when it is missing.
func (f *File) offsetIn(d Dict, key Name) (int64, error) {
	o, ok := d[key]
	if !ok {
		return 0, nil
	}
	v, isInt := o.(Integer)
	if !isInt || v <= 0 || int64(v) >= f.size {
		return 0, malformed("/%s of a trailer is not an offset inside of the file", key)
	}
	return int64(v), nil
}

// readTable reads a cross-reference table, its trailer, and the stream of a hybrid file (§7.5.4, §7.5.5, §7.5.8.4).
func (f *File) readTable(l *lexer, s *section, room int) error {
	s.kind = XRefTable
	if !l.keyword("xref") {
		return l.fail("the word xref is expected")
	}
	for {
		if l.skipInTable(); l.keywordHere("trailer") {
			break
		}
		if err := f.readSubsection(l, s, room); err != nil {
			return err
		}
	}
	l.stop = min(l.size, l.pos+f.limits.ObjectBytes)
	from := l.pos
	var err error
	if s.trailer, err = f.dictAt(l); err != nil {
		return err
	}
	if err = f.countTrailer(l, from, l.pos); err != nil {
		return err
	}
	if s.entries, err = s.entries.ordered(l); err != nil {
		return err
	}
	if err = checkSize(l, s.trailer, s.entries); err != nil {
		return err
	}
	stm, err := f.offsetIn(s.trailer, "XRefStm")
	if err != nil || stm == 0 {
		return err
	}
	s.kind = XRefHybrid
	hidden, err := f.hybridEntries(stm, room-len(s.entries))
	if err != nil {
		return err
	}
	s.entries, err = s.entries.reveal(hidden)
	return err
}

// reveal adds the objects that only the stream of a hybrid section knows: the table leaves them out, or names them as free
// so that readers of old do not look for them. Where both know an object they must agree.
func (t table) reveal(hidden table) (table, error) {
	shown := make(table, 0, len(t))
	for _, e := range t {
		h, ok := hidden.find(int(e.num))
		switch {
		case !ok || h.kind == free || h == e:
			shown = append(shown, e)
		case e.kind != free:
			return nil, malformed("the table and the stream of a hybrid cross-reference section name different objects %d", e.num)
		}
	}
	return shown.over(hidden), nil
}

// maxTrailers bounds the text of the trailers of all sections together. They are all kept, and sections that lie in each
// other's strings would make far more of them than the file has bytes.
const maxTrailers = 8 << 20

// countTrailer takes the text of a trailer, or of the dictionary of a cross-reference stream, from the budget.
func (f *File) countTrailer(l *lexer, from, to int64) error {
	if f.trailers += to - from; f.trailers > maxTrailers {
		return failure(Limit, "the trailers of the file have more than %d bytes, at %s", maxTrailers, l.where(from))
	}
	return nil
}

// hybridEntries reads the stream that /XRefStm points to. It is looked up after the table and before /Prev, so
// its own /Prev is of no account.
func (f *File) hybridEntries(at int64, room int) (table, error) {
	l := f.lexerAt(at)
	defer f.release(l)
	t, _, err := f.readXRefStream(l, room)
	return t, err
}

// dictAt reads a direct dictionary.
func (f *File) dictAt(l *lexer) (Dict, error) {
	o, err := f.parser(l).object()
	if err != nil {
		return nil, err
	}
	d, ok := o.(Dict)
	if !ok {
		return nil, l.fail("a dictionary is expected")
	}
	return d, nil
}

// readSubsection reads "first count" and count entries of exactly 20 bytes.
func (f *File) readSubsection(l *lexer, s *section, room int) error {
	first, ok1 := l.tableNumber()
	count, ok2 := l.tableNumber()
	if !ok1 || !ok2 {
		if _, ok := l.peek(); !ok {
			return l.end("a cross-reference table")
		}
		return l.fail("a subsection of the cross-reference table does not begin with two numbers")
	}
	if count > int64(room-len(s.entries)) || first+count > int64(f.limits.Objects)+1 {
		return failure(Limit, "the file names more than %d objects, at %s", f.limits.Objects, l.where(l.pos))
	}
	l.skipWhite()
	if l.pos+20*count > l.size {
		return failure(Truncated, "the file ends inside of a cross-reference table")
	}
	s.entries = slices.Grow(s.entries, int(count)) // the bytes of the entries are there
	for i := range count {
		e, err := l.tableEntry(int(first + i))
		if err != nil {
			return err
		}
		if e.kind == inUse {
			s.own++
		}
		s.entries = append(s.entries, e)
	}
	return nil
}

// tableNumber is natural after the white space of a table.
func (l *lexer) tableNumber() (int64, bool) {
	l.skipInTable()
	if c, _ := l.peek(); c < '0' || c > '9' {
		return 0, false
	}
	return l.natural()
}

// skipInTable passes over white space, but for comments and nulls, which not all readers know in a table.
func (l *lexer) skipInTable() {
	for {
		if c, ok := l.peek(); !ok || c == 0 || class[c] != white {
			return
		}
		l.pos++
	}
}

// tableEntry reads "nnnnnnnnnn ggggg n" and a two-byte end of line (§7.5.4).
func (l *lexer) tableEntry(num int) (entry, error) {
	from := l.pos
	b := l.take(20)
	if b == nil {
		if l.err != nil {
			return entry{}, l.err
		}
		return entry{}, failure(Truncated, "the file ends inside of a cross-reference table")
	}
	off, ok1 := decimal(b[:10])
	gen, ok2 := decimal(b[11:16])
	eol := string(b[18:])
	if !ok1 || !ok2 || b[10] != ' ' || b[16] != ' ' || b[17] != 'n' && b[17] != 'f' || eol != " \r" && eol != " \n" && eol != "\r\n" {
		l.pos = from
		return entry{}, l.fail("the cross-reference entry of object %d is not 20 bytes of the form \"nnnnnnnnnn ggggg n\"", num)
	}
	e := entry{off: off, num: int32(num), aux: int32(gen), kind: free}
	switch {
	case b[17] == 'f' || off == 0 && num == 0: // object 0 cannot be referred to, whatever it says
		return e, nil
	case off == 0:
		e.kind = nowhere
		return e, nil
	case num == 0 || gen > 65535 || off >= l.size:
		l.pos = from
		return entry{}, l.fail("the cross-reference entry of object %d cannot be right", num)
	}
	e.kind = inUse
	return e, nil
}

func decimal(b []byte) (v int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// checkSize verifies /Size: one more than the highest object number (§7.5.5, table 15).
//
// One that is larger changes nothing. If it is smaller, some readers know the objects above and some do not, which would make
// two documents of one file; but if the catalog itself is above it, and there is no older section, the file is nothing to
// those who do not. Poppler's pdfunite writes such files.
func checkSize(l *lexer, trailer Dict, t table) error {
	size, ok := trailer["Size"].(Integer)
	if !ok || size < 1 {
		return l.fail("a trailer has no valid /Size")
	}
	if len(t) == 0 || Integer(t[len(t)-1].num) < size {
		return nil
	}
	root, _ := trailer["Root"].(Ref)
	_, older := trailer["Prev"]
	_, hidden := trailer["XRefStm"]
	if Integer(root.Num) >= size && !older && !hidden {
		return nil
	}
	return l.fail("/Size is %d but object %d is named", size, t[len(t)-1].num)
}
