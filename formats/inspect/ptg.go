package inspect

import (
	"fmt"
	"strings"
)

// A ptgWalk goes through the tokens of one compiled formula ([MS-XLS] §2.2.2
// and §2.5.198). A formula whose tokens cannot be told apart to the last byte
// is an error and its record refused: the byte that is out of step may be NOW().
type ptgWalk struct {
	book  *bookScan
	rgce  cursor // the tokens
	extra cursor // what array constants and the like keep behind the tokens
	rule  string // the gravest so far
	why   string // what called for it
	calls []string
	named int // functions named as operands, each for one call by name
	alone bool
	count int
}

// ptgResult is what a formula is judged to be.
type ptgResult struct {
	rule  string // "formula", "formula.volatile" or "field.dde"
	quote string // what made it grave, else the functions it calls
	alone bool   // only a pointer to a shared formula or a table, judged where that is
}

// formula walks the tokens rgce with what follows them. more is what the tokens
// keep behind themselves; where the format allows none, it is nil.
func (b *bookScan) formula(rgce, more []byte) (ptgResult, error) {
	w := &ptgWalk{book: b, rgce: cursor{b: rgce}, extra: cursor{b: more}, rule: "formula"}
	for len(w.rgce.b) > 0 {
		at, token := len(rgce)-len(w.rgce.b), w.rgce.u8()
		if !w.token(token) || w.rgce.short || w.extra.short {
			return ptgResult{}, fmt.Errorf("the formula cannot be read from byte %d on (token %#02x)", at, token)
		}
		w.count++
	}
	if len(w.extra.b) > 0 {
		return ptgResult{}, fmt.Errorf("the formula has %d bytes too many", len(w.extra.b))
	}
	if w.named < 0 {
		w.grave("formula.volatile", "user-defined function")
	}
	quote := w.why
	if quote == "" {
		quote = strings.Join(w.calls, ", ")
	}
	return ptgResult{w.rule, quote, w.alone && w.count == 1}, nil
}

// markedVolatile is the reason where there is no better one.
const markedVolatile = "volatile"

// grave records a reason for a rule; "field.dde" outweighs "formula.volatile".
func (w *ptgWalk) grave(rule, why string) {
	if w.rule == "formula" || (w.rule == "formula.volatile" && rule == "field.dde") || w.why == markedVolatile {
		w.rule, w.why = rule, why
	}
}

// token reads what follows a token's first byte; false if there is no such
// token in a workbook of this edition.
func (w *ptgWalk) token(t int) bool {
	switch {
	case t >= 0x80:
		return false
	case t >= 0x20: // an operand, with its class in bits 5 and 6
		return w.operand(0x20 | t&0x1f)
	case t >= 0x03 && t <= 0x16: // operators, parentheses, a missing argument
		return true
	}
	switch t {
	case 0x01, 0x02: // PtgExp, PtgTbl
		w.rgce.take(4)
		w.alone = true
	case 0x17: // PtgStr
		w.rgce.shortText()
	case 0x18:
		return w.extended()
	case 0x19:
		return w.attribute()
	case 0x1c, 0x1d: // PtgErr, PtgBool
		w.rgce.take(1)
	case 0x1e: // PtgInt
		w.rgce.take(2)
	case 0x1f: // PtgNum
		w.rgce.take(8)
	default:
		return false
	}
	return true
}

func (w *ptgWalk) operand(t int) bool {
	switch t {
	case 0x20: // PtgArray
		w.rgce.take(7)
		w.array()
	case 0x21: // PtgFunc
		w.call(w.rgce.u16())
	case 0x22: // PtgFuncVar
		w.rgce.take(1)
		w.call(w.rgce.u16())
	case 0x23: // PtgName
		return w.name(int(w.rgce.u32()))
	case 0x24, 0x2a, 0x2c: // PtgRef, PtgRefErr, PtgRefN
		w.rgce.take(4)
	case 0x25, 0x2b, 0x2d: // PtgArea, PtgAreaErr, PtgAreaN
		w.rgce.take(8)
	case 0x26: // PtgMemArea; the expression itself follows
		w.rgce.take(6)
		w.extra.take(8 * w.extra.u16())
	case 0x27, 0x28: // PtgMemErr, PtgMemNoMem
		w.rgce.take(6)
	case 0x29: // PtgMemFunc
		w.rgce.take(2)
	case 0x39: // PtgNameX
		sheet, name := w.rgce.u16(), w.rgce.u16()
		w.rgce.take(2)
		return w.foreignName(sheet, name)
	case 0x3a, 0x3c: // PtgRef3d, PtgRefErr3d
		sheet := w.rgce.u16()
		w.rgce.take(4)
		return w.sheet(sheet)
	case 0x3b, 0x3d: // PtgArea3d, PtgAreaErr3d
		sheet := w.rgce.u16()
		w.rgce.take(8)
		return w.sheet(sheet)
	default:
		return false
	}
	return true
}

// extended reads natural-language labels and names in a pivot table: the token
// takes six bytes whatever its kind (§2.5.198.46 ff., §2.5.198.91).
func (w *ptgWalk) extended() bool {
	kind := w.rgce.u8()
	w.rgce.take(4)
	switch kind {
	case 0x01, 0x02, 0x03, 0x06, 0x07, 0x0a, 0x10, 0x1d:
	case 0x0b, 0x0d, 0x0f: // with a PtgExtraElf
		n := w.extra.u32() & 0x3fffffff
		if int64(n)*4 > int64(len(w.extra.b)) {
			return false
		}
		w.extra.take(int(n) * 4)
	default:
		return false
	}
	return true
}

// attribute reads a PtgAttr: jumps, spaces, and the mark of a formula that is
// worked out anew whenever the workbook is opened (PtgAttrSemi).
func (w *ptgWalk) attribute() bool {
	kind := w.rgce.u8()
	n := w.rgce.u16()
	switch kind {
	case 0x04: // PtgAttrChoose
		w.rgce.take(2 * (n + 1))
	case 0x01, 0x21, 0x41:
		w.grave("formula.volatile", markedVolatile)
	case 0x10:
		w.calls = append(w.calls, "SUM")
	case 0x00, 0x02, 0x08, 0x20, 0x40:
	default:
		return false
	}
	return true
}

// array reads the values of an array constant (§2.5.198.59).
func (w *ptgWalk) array() {
	cells := (w.extra.u8() + 1) * (w.extra.u16() + 1)
	for ; cells > 0 && !w.extra.short; cells-- {
		switch w.extra.u8() {
		case 0x00, 0x01, 0x04, 0x10:
			w.extra.take(8)
		case 0x02:
			w.extra.text()
		default:
			w.extra.short = true
		}
	}
}

func (w *ptgWalk) call(number int) {
	if number == ftabUser {
		w.named--
		return
	}
	name := ftab[number] // of a command, which has bit 15 set, there is none
	switch {
	case name == "":
		w.grave("formula.volatile", fmt.Sprintf("macro function %d", number))
	case volatileFunctions[name]:
		w.grave("formula.volatile", name)
	case len(w.calls) < 8:
		w.calls = append(w.calls, name)
	}
}

// name judges the use of a defined name, counted from one. The formula of the
// name is judged where the name is defined.
func (w *ptgWalk) name(index int) bool {
	if index < 1 || index > len(w.book.names) {
		return false
	}
	if n := w.book.names[index-1]; n.function {
		w.function(n.name)
	}
	return true
}

// foreignName judges a name that stands in another workbook, an add-in or a
// conversation with another program (DDE, OLE).
func (w *ptgWalk) foreignName(sheet, index int) bool {
	if sheet >= len(w.book.sheets3d) {
		return false
	}
	sup := w.book.sheets3d[sheet]
	if sup >= len(w.book.supBooks) {
		return false
	}
	switch book := w.book.supBooks[sup]; book.kind {
	case supSelf:
		return index >= 1 && w.name(index)
	case supAddIn:
		if index < 1 || index > len(book.names) {
			return false
		}
		w.function(book.names[index-1])
	case supDDE:
		w.grave("field.dde", book.path)
	default:
		w.grave("formula.volatile", book.path)
	}
	return true
}

func (w *ptgWalk) function(name string) {
	w.named++
	if !namedFunction(name) {
		w.grave("formula.volatile", name)
	} else if len(w.calls) < 8 {
		w.calls = append(w.calls, formulaPrefix.ReplaceAllString(name, ""))
	}
}

// sheet judges a reference to the cells of a sheet, by its place in ExternSheet.
func (w *ptgWalk) sheet(index int) bool {
	if index >= len(w.book.sheets3d) {
		return false
	}
	sup := w.book.sheets3d[index]
	if sup >= len(w.book.supBooks) {
		return false
	}
	switch book := w.book.supBooks[sup]; book.kind {
	case supSelf:
	case supDDE:
		w.grave("field.dde", book.path)
	default:
		w.grave("formula.volatile", book.path)
	}
	return true
}
