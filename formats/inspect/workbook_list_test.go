package inspect

import (
	"strings"
	"testing"
)

// listSpec is a list on a sheet to be written: its source, the two words of
// flags, whether it has a header, and its columns.
type listSpec struct {
	record      int // 0x872 or 0x878
	source      uint32
	flags, more int
	noHeader    bool
	names       string // what follows the count of columns
	columns     []string
	rest        string
}

func (s listSpec) file() []byte {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	header := uint32(1)
	if s.noHeader {
		header = 0
	}
	if s.record == 0 {
		s.record = 0x878
	}
	body := le(zeros(19), 1, zeros(14), s.source, uint32(1), header, zeros(16), s.flags, s.more, zeros(32), 6, byte(0), "Elenco", len(s.columns))
	return xlsOf("", records(s.record, body+s.names+strings.Join(s.columns, "")+s.rest))
}

// listColumn is a column with what its flags announce.
func listColumn(flags uint32, more string) string {
	return le(strings.Repeat("\x00", 16), uint32(2), uint32(0), flags, uint32(1), uint32(0), 5, byte(0), "Costo", 5, byte(0), "Costo", "dx", "d", more)
}

func listCases() []ruleCase {
	list := func(columns ...string) []byte { return listSpec{columns: columns}.file() }
	formula := func(rgce string) string {
		return listColumn(columnFormula, le(2+len(rgce), len(rgce), rgce))
	}
	total := func(rgce string) string { return listColumn(columnTotalFormula, le(len(rgce), rgce)) }
	plain := list(listColumn(0, ""), listColumn(columnFilter, le(uint32(3), 0, "abc")), listColumn(columnTotalText, le(6, byte(0), "Totale")))
	return []ruleCase{
		{"ooxml.data", "x.xls", listSpec{source: 1}.file(), plain},
		{"formula.volatile", "x.xls", list(listColumn(0, ""), formula(callNow)), list(formula(callPi), total(callPi))},
		{"formula.volatile", "x.xls", list(listColumn(columnFilter, le(uint32(3), 0, "abc")), total(callNow)), plain},
		{"formula", "x.xls", list(total(callPi)), plain},
		{"formula", "x.xls", listSpec{record: 0x872, columns: []string{formula(callPi)}}.file(), listSpec{record: 0x872, columns: []string{listColumn(0, "")}}.file()},
		{"text.bidi", "x.xls", list(listColumn(columnTotalText, le(1, byte(1), "\x2e\x20"))), plain},
		{"cfb.malformed", "x.xls", list(formula("\x41\x13")), list(formula(callPi))},
		// What is not read to its end
		{"cfb.legacy", "x.xls", listSpec{columns: []string{listColumn(0, "")}, rest: "x"}.file(), plain},
		{"cfb.legacy", "x.xls", list(listColumn(columnTotalText, "")), plain},
		{"cfb.legacy", "x.xls", list(listColumn(columnXML, "")), plain},
		{"cfb.legacy", "x.xls", list(listColumn(columnTotalFormula|columnTotalArray, le(len(callPi), callPi))), list(total(callPi))},
		{"cfb.legacy", "x.xls", list(listColumn(columnFormula, le(3+len(callPi), len(callPi), callPi, byte(0)))), list(formula(callPi))},
		{"cfb.legacy", "x.xls", listSpec{record: 0x872, columns: []string{total(callPi)}}.file(), plain},
		{"cfb.legacy", "x.xls", listSpec{noHeader: true, columns: []string{listColumn(0, "")}}.file(), listSpec{noHeader: true, flags: listSingleCell, columns: []string{listColumn(0, "")}}.file()},
		{"cfb.legacy", "x.xls", listSpec{flags: listDeleted}.file(), listSpec{flags: listProvider, more: listEntry, names: le(1, byte(0), "a", 1, byte(0), "b")}.file()},
		{"cfb.legacy", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0), "Revision Log", "x"), cfbFile("Workbook", bookStream("", "", 0, 0), "User Names", "x")},
	}
}

// A list of values may be signed without a question.
func TestPlainList(t *testing.T) {
	t.Parallel()
	if rep := look(t, "x.xls", listSpec{columns: []string{listColumn(0, ""), listColumn(0, "")}}.file()); len(rep.Findings) != 0 {
		t.Errorf("%+v", rep.Findings)
	}
}
