package inspect

import (
	"errors"
	"fmt"
	"strings"
)

// bookRecords are the records that are looked into, with what judges them. The
// sections are those of [MS-XLS].
var bookRecords = map[uint16]func(*bookScan, biffRecord) error{
	0x0006: (*bookScan).cellFormula, 0x0221: (*bookScan).sharedFormula,
	0x00bc: (*bookScan).sharedFormula, 0x0236: (*bookScan).table, 0x0018: (*bookScan).label,
	0x01b1: (*bookScan).conditional, 0x087a: (*bookScan).conditional12, 0x087b: (*bookScan).conditionalExtra,
	0x01be: (*bookScan).validation, 0x1051: (*bookScan).chartData,
	0x005d: (*bookScan).object, 0x01b6: (*bookScan).textObject, 0x1066: (*bookScan).fill, 0x0866: (*bookScan).headerPicture,
	0x0014: (*bookScan).header, 0x0015: (*bookScan).header, 0x089c: (*bookScan).headers,
	0x0085: (*bookScan).boundSheet, 0x0208: (*bookScan).row, 0x007d: (*bookScan).columns, 0x0225: (*bookScan).rowHeight,
	0x0055: (*bookScan).columnWidth, 0x0099: (*bookScan).columnWidth,
	0x0081: (*bookScan).sheetFlags,
	0x01ae: (*bookScan).supBook, 0x0017: (*bookScan).externSheet, 0x0023: (*bookScan).externName,
	0x01b8: (*bookScan).hyperlink, 0x0051: (*bookScan).consolidation, 0x0052: (*bookScan).consolidation, 0x01b5: (*bookScan).consolidation,
	0x01b7: (*bookScan).refreshAll, 0x0802: (*bookScan).queryTag, 0x00e3: (*bookScan).pivotSource, 0x0864: (*bookScan).pivotExtra,
	0x0872: (*bookScan).listFeature, 0x0878: (*bookScan).listFeature, 0x0161: (*bookScan).doubleStream,

	0x00e0: (*bookScan).cellFormat, 0x041e: (*bookScan).numberFormat,
	0x0204: (*bookScan).cellText, 0x0207: (*bookScan).cellText,

	0x001c: is("ooxml.comments", "Note"),
	0x00ae: is("ooxml.hidden", "ScenMan"), 0x00af: is("ooxml.hidden", "Scenario"),
	0x00d3: is("cfb.macro", "ObProj"), 0x0087: is("ooxml.extension", "AddIn"),
	0x00c2: is("ooxml.extension", "AddMenu"), 0x00c3: is("ooxml.extension", "DelMenu"), 0x0096: is("ooxml.media", "Sound"),
	0x01ad: is("ooxml.data", "Qsi"), 0x00dc: is("ooxml.data", "DbOrParamQry"), 0x0803: is("ooxml.data", "DBQueryExt"),
	0x0805: is("ooxml.data", "TxtQry"), 0x0806: is("ooxml.data", "Qsir"), 0x0807: is("ooxml.data", "Qsif"),
	0x080a: is("ooxml.data", "OleDbConn"), 0x0876: is("ooxml.data", "DConn"), 0x0881: is("ooxml.data", "connections"),
	0x0813: is("formula.volatile", "RealTimeData"),
}

// is judges a record by being there.
func is(rule, quote string) func(*bookScan, biffRecord) error {
	return func(b *bookScan, _ biffRecord) error {
		b.add(rule, b.place(), quote)
		return nil
	}
}

// cellFormula: Formula, §2.4.127.
func (b *bookScan) cellFormula(rec biffRecord) error {
	c := cursor{b: rec.body}
	row, column := c.u16(), c.u16()
	c.take(16)
	rgce := c.take(c.u16())
	if c.short {
		return errShort
	}
	return b.shown(b.cell(row, column), rgce, c.b)
}

// sharedFormula: Array and ShrFmla, §2.4.4 and §2.4.260, which cells point to.
func (b *bookScan) sharedFormula(rec biffRecord) error {
	c := cursor{b: rec.body}
	row := c.u16()
	c.take(2)
	column := c.u8()
	c.take(1)
	if rec.kind == 0x0221 {
		c.take(6)
	} else {
		c.take(2)
	}
	rgce := c.take(c.u16())
	if c.short {
		return errShort
	}
	return b.shown(b.cell(row, column), rgce, c.b)
}

// table: Table, §2.4.313, the results of trying out values in a formula.
func (b *bookScan) table(biffRecord) error {
	b.add("formula", b.place(), "TABLE")
	return nil
}

// label: Lbl, §2.4.150, a defined name. Names are not shown; only what they
// bring into the formulas that use them counts. A name that is run on opening
// is refused even where there is no macro sheet for it to lead to.
func (b *bookScan) label(rec biffRecord) error {
	c := cursor{b: rec.body}
	flags := c.u16()
	c.take(1)
	cch, cce := c.u8(), c.u16()
	c.take(8)
	name := c.chars(cch)
	rgce := c.take(cce)
	if c.short {
		return errShort
	}
	if len(b.names) >= maxBIFFNames {
		return errTooLong
	}
	if flags&0x20 != 0 { // fBuiltin: one character stands for the name
		switch name {
		case "\x01", "\x02", "\x0a", "\x0b":
			b.add("sheet.macrosheet", b.place(), map[string]string{"\x01": "Auto_Open", "\x02": "Auto_Close", "\x0a": "Auto_Activate", "\x0b": "Auto_Deactivate"}[name])
		}
	} else if autoName(name) {
		b.add("sheet.macrosheet", b.place(), name)
	}
	later := strings.HasPrefix(strings.ToLower(name), "_xl")
	const fFunc, fOB, fProc = 0x02, 0x04, 0x08
	if flags&(fFunc|fOB|fProc) != 0 && !later {
		b.add("sheet.macrosheet", b.place(), name)
	}
	b.names = append(b.names, definedName{name, later || flags&(fFunc|fOB|fProc) != 0})
	where := b.place() + " " + name
	return b.judged(where, rgce, c.b, func(res ptgResult) {
		if res.rule != "formula" {
			b.add(res.rule, where, res.quote)
		}
	})
}

// autoName: names under which Excel looks for a macro to run by itself.
func autoName(name string) bool {
	lower := strings.ToLower(name)
	for _, prefix := range []string{"auto_open", "auto_close", "auto_activate", "auto_deactivate"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// conditional: CF, §2.4.42. The formulas end the record.
func (b *bookScan) conditional(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(2)
	first, second := c.u16(), c.u16()
	if c.take(len(c.b) - first - second); c.short {
		return errShort
	}
	return errors.Join(b.shown(b.place()+" CF", c.take(first), nil), b.shown(b.place()+" CF", c.take(second), nil))
}

// conditional12: CF12, §2.4.43.
func (b *bookScan) conditional12(rec biffRecord) error {
	where := b.place() + " CF"
	c := &cursor{b: rec.body}
	c.take(12)
	kind := c.u8()
	c.take(1)
	first, second := c.u16(), c.u16()
	if dxf := c.u32(); dxf == 0 {
		c.take(2)
	} else if int64(dxf) > int64(len(c.b)) {
		return errShort
	} else {
		c.take(int(dxf))
	}
	formulas := [][]byte{c.take(first), c.take(second)}
	formulas = append(formulas, c.take(c.u16()))
	c.take(3)
	b.conditionTemplate(c.u16())
	c.take(c.u8())
	formulas = append(formulas, conditionScale(c, kind)...)
	if c.short {
		return errShort
	}
	var all error
	for _, rgce := range formulas {
		all = errors.Join(all, b.shown(where, rgce, nil))
	}
	return all
}

// conditionScale collects the formulas of a colour scale, data bar or icon set
// (§2.5.33, §2.5.25, §2.5.38).
func conditionScale(c *cursor, kind int) (formulas [][]byte) {
	value := func() {
		of := c.u8()
		rgce := c.take(c.u16())
		if len(rgce) == 0 && of != 2 && of != 3 { // neither a minimum nor a maximum
			c.take(8)
		}
		formulas = append(formulas, rgce)
	}
	switch kind {
	case 3:
		c.take(3)
		n := c.u8()
		c.take(2)
		for ; n > 0 && !c.short; n-- {
			value()
			c.take(8)
		}
	case 4:
		c.take(22)
		value()
		value()
	case 6:
		c.take(3)
		n := c.u8()
		c.take(2)
		for ; n > 0 && !c.short; n-- {
			value()
			c.take(5)
		}
	}
	return formulas
}

// conditionalExtra: CFEx, §2.4.44, what a later edition adds to a CF.
func (b *bookScan) conditionalExtra(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(12)
	is12 := c.u32()
	c.take(2)
	if is12 == 0 {
		c.take(3)
		b.conditionTemplate(c.u8())
	}
	return c.err()
}

// conditionTemplate: a rule made from a template for dates goes by the day on
// which the workbook is looked at (icfTemplate, "today" to "this month").
func (b *bookScan) conditionTemplate(template int) {
	if template >= 0x0f && template <= 0x18 {
		b.add("formula.volatile", b.place()+" CF", "TODAY")
	}
}

// validation: Dv, §2.4.85.
func (b *bookScan) validation(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(4)
	for range 4 {
		c.text()
	}
	var all error
	for range 2 {
		n := c.u16()
		c.take(2)
		all = errors.Join(all, b.shown(b.place()+" DV", c.take(n), nil))
	}
	return errors.Join(all, c.err())
}

// chartData: BRAI, §2.4.29.
func (b *bookScan) chartData(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(6)
	rgce := c.take(c.u16())
	if c.short {
		return errShort
	}
	return b.shown(b.place()+" chart", rgce, c.b)
}

// header: Header and Footer, §2.4.136 and §2.4.124.
func (b *bookScan) header(rec biffRecord) error {
	c := cursor{b: rec.body}
	if len(c.b) == 0 {
		return nil
	}
	b.headerText(c.text())
	return c.err()
}

// headers: HeaderFooter, §2.4.137, those of first and even pages.
func (b *bookScan) headers(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(30)
	var lengths [4]int
	for i := range lengths {
		lengths[i] = c.u16()
	}
	for _, n := range lengths {
		if n > 0 {
			b.headerText(c.text())
		}
	}
	return c.err()
}

func (b *bookScan) headerText(s string) {
	b.texts(s)
	(&sheetScan{report: b.report, where: b.place()}).header(s)
}

// boundSheet: BoundSheet8, §2.4.28.
func (b *bookScan) boundSheet(rec biffRecord) error {
	c := cursor{b: rec.body}
	at, hidden, kind := int64(c.u32()), c.u8()&3, c.u8()
	name := c.shortText()
	if c.short {
		return errShort
	}
	if _, double := b.bound[at]; double || b.globals {
		return errors.New("the sheet is listed twice or out of place")
	}
	b.bound[at] = sheet{name, kind}
	b.texts(name)
	if hidden != 0 {
		b.add("ooxml.hidden", b.path, []string{"", "hidden ", "veryHidden ", "hidden "}[hidden]+name)
	}
	switch kind {
	case 0, 2:
	case 1:
		b.add("sheet.macrosheet", b.path, name)
	case 6:
		b.add("cfb.macro", b.path, name)
	default:
		return fmt.Errorf("a sheet of kind %d", kind)
	}
	return nil
}

// Sizes below which nothing is seen of a row, in twentieths of a point, or of a
// column, in parts of 256 of a character.
const (
	leastRow    = 8
	leastColumn = 18
)

// row: Row, §2.4.248.
func (b *bookScan) row(rec biffRecord) error {
	c := cursor{b: rec.body}
	n := c.u16()
	c.take(4)
	height := c.u16() & 0x7fff
	c.take(4)
	if flags := c.u16(); flags&0x20 != 0 || height < leastRow {
		b.add("ooxml.hidden", b.place(), fmt.Sprintf("row %d", n+1))
	}
	return c.err()
}

// columns: ColInfo, §2.4.53.
func (b *bookScan) columns(rec biffRecord) error {
	c := cursor{b: rec.body}
	first, last := c.u16(), c.u16()
	width := c.u16()
	c.take(2)
	if flags := c.u16(); flags&1 != 0 || width < leastColumn {
		b.add("ooxml.hidden", b.place(), fmt.Sprintf("columns %d-%d", first+1, last+1))
	}
	return c.err()
}

// columnWidth: DefColWidth and DxGCol, §2.4.89 and §2.4.92.
func (b *bookScan) columnWidth(rec biffRecord) error {
	c := cursor{b: rec.body}
	if width := c.u16(); width == 0 || rec.kind == 0x0099 && width < leastColumn {
		b.add("ooxml.hidden", b.place(), "columns")
	}
	return c.err()
}

// rowHeight: DefaultRowHeight, §2.4.87.
func (b *bookScan) rowHeight(rec biffRecord) error {
	c := cursor{b: rec.body}
	if flags, height := c.u16(), c.u16(); flags&2 != 0 || height < leastRow {
		b.add("ooxml.hidden", b.place(), "rows")
	}
	return c.err()
}

// sheetFlags: WsBool, §2.4.351; a dialogue sheet is there for macros.
func (b *bookScan) sheetFlags(rec biffRecord) error {
	c := cursor{b: rec.body}
	if c.u16()&0x10 != 0 {
		b.add("sheet.macrosheet", b.place(), "dialog")
	}
	return c.err()
}
