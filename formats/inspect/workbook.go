package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/richardlehane/mscfb"
)

// A bookScan reads the records of an Excel 97–2003 workbook, BIFF8 ([MS-XLS]).
//
// The stream is a row of substreams, each from a BOF to an EOF: first the
// globals, then the sheets in any order, charts within sheets. The globals say
// where each sheet begins, and programs differ in whether they go there or read
// on, so both ways have to find the same sheets. What is in a record is judged
// as the same content of an .xlsx is; a record that is not described, or whose
// fields do not add up, is refused, since its formulas may be anything.
type bookScan struct {
	*report
	path string // of the stream

	open    []int           // kinds of the substreams we are inside of, outermost first
	bound   map[int64]sheet // by where they begin, as the globals say
	found   map[int64]bool  // those met
	globals bool            // the globals have been read
	sheet   string          // name of the sheet we are in

	supBooks []supBook
	sheets3d []int // ExternSheet: for each reference the index of its supBook
	names    []definedName
	waiting  []func() // judgements that need all of the above

	art    drawing
	shared sstScan

	headerArt drawing
}

// A sheet is what the globals say of one.
type sheet struct {
	name string
	kind int // 0 sheet or dialogue, 1 macros, 2 chart, 6 Visual Basic
}

// A supBook is a workbook or program that formulas refer to ([MS-XLS] §2.4.271).
type supBook struct {
	kind  supKind
	path  string
	names []string // its ExternNames, in their order
}

type supKind int

const (
	supExternal supKind = iota
	supSelf
	supAddIn
	supDDE
)

// A definedName is one Lbl record; a function is called by its name.
type definedName struct {
	name     string
	function bool
}

// Kinds of substreams ([MS-XLS] §2.4.21).
const (
	bofGlobals = 0x0005
	bofVisual  = 0x0006
	bofSheet   = 0x0010
	bofChart   = 0x0020
	bofMacro   = 0x0040
)

// errOldBook: a workbook of an edition before Excel 97.
var errOldBook = errors.New("not BIFF8")

// workbook reads the stream of a workbook and reports whether it is of an
// edition that we read. What is wrong with one that is has a rule of its own.
func (c *cfbScan) workbook() bool {
	for _, e := range c.entries {
		c.bookEntry(e)
	}
	e := c.streams["workbook"]
	if e == nil {
		return false // "Book", of Excel 5.0 and 95
	}
	if c.streams["book"] != nil {
		c.add("format.polyglot", e.Name, "Book + Workbook")
	}
	if e.Size > c.size {
		c.add("cfb.malformed", e.Name, "the stream is larger than the file")
		return true
	}
	b := &bookScan{report: c.report, path: e.Name, bound: map[int64]sheet{}, found: map[int64]bool{}, shared: sstScan{texts: -1}}
	err := b.run(&biffReader{r: bufio.NewReaderSize(e, 64<<10)})
	if err != nil && !errors.Is(err, errOldBook) {
		b.add("cfb.malformed", b.place(), err.Error())
	}
	return !errors.Is(err, errOldBook)
}

func (b *bookScan) run(r *biffReader) error {
	keep := func(kind uint16) bool { return bookRecords[kind] != nil }
	for {
		rec, err := r.next(keep, b.piece)
		switch {
		case errors.Is(err, io.EOF):
			return b.end()
		case err != nil:
			return err
		case rec.kind == biffFilePass:
			b.add("cfb.encrypted", b.path, "")
			return nil
		case rec.kind == biffBOF:
			err = b.begin(rec)
		case rec.kind == biffEOF:
			err = b.close()
		case len(b.open) > 0:
			b.record(rec)
		case rec.kind == 0 && len(rec.body) == 0 && r.blank(): // padding
			return b.end()
		default:
			err = fmt.Errorf("record %#x at %d is outside of any sheet", rec.kind, rec.at)
		}
		if err != nil {
			return err
		}
	}
}

// piece takes a part of a record that is not kept whole.
func (b *bookScan) piece(kind uint16, piece []byte) {
	if kind == biffSST {
		b.shared.feed(b, piece)
	} else {
		b.art.feed(b, piece)
	}
}

// begin opens a substream.
func (b *bookScan) begin(rec biffRecord) error {
	c := cursor{b: rec.body}
	version, kind := c.u16(), c.u16()
	if version != 0x0600 && !b.globals && len(b.open) == 0 {
		return errOldBook
	}
	nested := len(b.open) == 1 && b.open[0] != bofGlobals && kind == bofChart
	switch {
	case c.short || version != 0x0600 || (len(b.open) > 0 && !nested):
		return fmt.Errorf("a substream cannot begin at %d", rec.at)
	case len(b.open) == 0 && !b.globals && kind != bofGlobals:
		return fmt.Errorf("the workbook begins with a substream of kind %#x", kind)
	case len(b.open) == 0 && b.globals:
		s, ok := b.bound[rec.at]
		if !ok || b.found[rec.at] {
			return fmt.Errorf("the sheet at %d is not listed", rec.at)
		}
		if want := map[int]int{0: bofSheet, 1: bofMacro, 2: bofChart, 6: bofVisual}[s.kind]; want != kind {
			return fmt.Errorf("the sheet at %d is listed as of another kind", rec.at)
		}
		b.found[rec.at], b.sheet = true, s.name
	}
	b.open = append(b.open, kind)
	return nil
}

// close ends a substream. With the globals all names and references are known.
func (b *bookScan) close() error {
	if len(b.open) == 0 {
		return errors.New("a substream ends that has not begun")
	}
	b.open = b.open[:len(b.open)-1]
	if len(b.open) > 0 {
		return nil
	}
	b.globals = true
	for _, judge := range b.waiting {
		judge()
	}
	b.waiting = nil
	b.art.end(b)
	b.headerArt.end(b)
	b.art, b.headerArt, b.sheet = drawing{}, drawing{}, ""
	return nil
}

func (b *bookScan) end() error {
	switch {
	case !b.globals || len(b.open) > 0:
		return errShort
	case len(b.found) != len(b.bound):
		return errors.New("a listed sheet is missing")
	}
	return nil
}

// record judges one record. A record that cannot be read does not end the
// inspection: the holder is told of the rest as well.
func (b *bookScan) record(rec biffRecord) {
	if rec.kind == biffFrtWrapper { // an older record for the sake of older programs (§2.4.130)
		c := cursor{b: rec.body}
		c.take(4)
		rec.kind = uint16(c.u16())
		rec.body = c.take(c.u16())
		rec.first = len(rec.body)
		switch rec.kind {
		case biffBOF, biffEOF, biffFrtWrapper, biffFilePass, biffDrawing, biffDrawingGroup, biffSST:
			c.short = true
		}
		if c.short {
			b.add("cfb.malformed", b.place(), fmt.Sprintf("record at %d wraps none", rec.at))
			return
		}
	}
	if inertRecord(rec.kind) { // nearly all: the cells
		return
	}
	judge := bookRecords[rec.kind]
	switch {
	case judge != nil:
		if err := judge(b, rec); err != nil {
			b.add("cfb.malformed", b.place(), fmt.Sprintf("record %#x at %d: %v", rec.kind, rec.at, err))
		}
	case rec.kind == biffSST:
		b.shared.end(b)
		b.shared = sstScan{texts: -1}
	case rec.kind == biffDrawing, rec.kind == biffDrawingGroup:
	default:
		b.add("cfb.legacy", b.place(), fmt.Sprintf("record %#x at %d", rec.kind, rec.at))
	}
}

// place names where we are, for a finding.
func (b *bookScan) place() string {
	if b.sheet == "" {
		return b.path
	}
	return b.path + " " + b.sheet
}

// cell names a cell of the sheet we are in, row and column counted from zero.
func (b *bookScan) cell(row, column int) string {
	letters := ""
	for n := column; n >= 0; n = n/26 - 1 {
		letters = string(rune('A'+n%26)) + letters
	}
	return fmt.Sprintf("%s!%s%d", b.place(), letters, row+1)
}

// judged adds the finding of a formula. Those of the globals wait until the
// names and references they may use are known.
func (b *bookScan) judged(where string, rgce, more []byte, also func(ptgResult)) error {
	if len(rgce) == 0 && len(more) == 0 {
		return nil
	}
	judge := func() error {
		res, err := b.formula(rgce, more)
		if err == nil {
			also(res)
		}
		return err
	}
	if b.globals {
		return judge()
	}
	if len(b.waiting) >= maxBIFFNames {
		return errTooLong
	}
	b.waiting = append(b.waiting, func() {
		if err := judge(); err != nil {
			b.add("cfb.malformed", where, err.Error())
		}
	})
	return nil
}

// shown judges a formula whose result is shown or decides what is.
func (b *bookScan) shown(where string, rgce, more []byte) error {
	return b.judged(where, rgce, more, func(res ptgResult) {
		if !res.alone {
			b.add(res.rule, where, res.quote)
		}
	})
}

// bookEntry judges the other streams and storages of a workbook by name; those
// of [MS-XLS] §2.1.7 that only hold data are told apart from what is not known.
func (c *cfbScan) bookEntry(e *mscfb.File) {
	name, where := entryName(e), strings.Join(append(slices.Clone(e.Path), e.Name), "/")
	if len(e.Path) > 0 {
		c.bookPart(e, where)
		return
	}
	switch name {
	case "revision log": // it keeps the formulas there were before, in records that are not read here
		c.add("ooxml.changes", where, "")
		c.add("cfb.legacy", where, "")
	case "user names":
		c.add("ooxml.changes", where, "")
	case "ctls":
		if e.Size > 0 {
			c.add("ooxml.activex", where, "")
		}
	case "workbook", "book", "root entry", "\x05summaryinformation", "\x05documentsummaryinformation", "\x01compobj",
		"_sx_db_cur", "xml", "list data", "msodatastore", "_signatures", "_xmlsignatures", "\x06dataspaces",
		"macros", "_vba_project_cur", "objectpool", "\x01ole", "encryption", "_vba_project", "vba", "project", "projectwm":
	default:
		if !strings.HasPrefix(name, "mbd0") {
			c.add("cfb.legacy", where, "")
		}
	}
}

// bookPart judges what is inside of the storages that hold data for a workbook.
func (c *cfbScan) bookPart(e *mscfb.File, where string) {
	switch strings.ToLower(e.Path[0]) {
	case "_sx_db_cur":
		c.pivotCache(e, where)
	case "msodatastore":
		found, err := containsAny(e, []byte("schemas.microsoft.com/DataMashup"), utf16le("schemas.microsoft.com/DataMashup"))
		if err != nil || found {
			c.add("ooxml.data", where, "DataMashup")
		}
	}
}

// pivotCache reads the stream of a pivot table's cache ([MS-XLS] §2.1.7.12) for
// one that is filled again on opening, or has to be.
func (c *cfbScan) pivotCache(e *mscfb.File, where string) {
	r := &biffReader{r: bufio.NewReader(e)}
	for {
		rec, err := r.next(func(uint16) bool { return false }, func(uint16, []byte) {})
		switch {
		case errors.Is(err, io.EOF), err == nil && rec.kind == biffEOF:
			return
		case err != nil:
			c.add("cfb.malformed", where, err.Error())
			return
		case rec.kind == 0xc6: // SXDB
			f := cursor{b: rec.body}
			f.take(6)
			if flags := f.u16(); f.short || flags&(sxInvalid|sxRefreshOnLoad) != 0 {
				c.add("ooxml.data", where, "refresh on load")
			}
		}
	}
}

const (
	sxInvalid       = 1 << 1
	sxRefreshOnLoad = 1 << 2
)
