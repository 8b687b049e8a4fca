package inspect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Spreadsheets from the time before binary formats look like text and are
// opened by Excel by their first bytes, with formulas, references to programs
// (DDE) and even macros. They are refused as formats; what is in a SYLK file is
// named too, since the records are lines.

// detectSheetText knows SYLK by its first record and DIF by its first item.
func detectSheetText(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("ID;P")):
		return "sylk"
	case bytes.HasPrefix(head, []byte("TABLE\r\n0,1\r\n")), bytes.HasPrefix(head, []byte("TABLE\n0,1\n")):
		return "dif"
	}
	return ""
}

const maxSheetText = 1 << 20 // bytes that are looked at, of what is refused anyway

// sheetText refuses a SYLK or DIF file and looks for macros and formulas in it.
func (s *scan) sheetText(format string) {
	s.add("format.sheet", "", format)
	br := bufio.NewReaderSize(io.NewSectionReader(s.r, 0, min(s.size, maxSheetText)), 64<<10)
	for n := 1; ; n++ {
		line, err := br.ReadSlice('\n')
		if format == "sylk" {
			s.sylkRecord(n, string(line[:min(len(line), maxFieldCode)]))
		}
		for errors.Is(err, bufio.ErrBufferFull) { // of a line that long the beginning is enough
			_, err = br.ReadSlice('\n')
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.add("inspect.failed", "", err.Error())
			}
			return
		}
	}
}

// sylkRecord judges one record: its kind, then fields that each begin with
// a letter, apart from each other by semicolons; a doubled one stands for itself.
func (s *scan) sylkRecord(n int, line string) {
	line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), ";;", "\x00")
	fields := strings.Split(line, ";")
	where := fmt.Sprintf("line %d", n)
	for _, f := range fields[1:] {
		f = strings.ReplaceAll(f, "\x00", ";")
		switch {
		case fields[0] == "O" && f == "E", fields[0] == "NN" && strings.HasPrefix(strings.ToLower(f), "nauto_"): // a macro sheet; a name that is run
			s.add("sheet.macrosheet", where, line)
		case (fields[0] == "C" || fields[0] == "NN") && len(f) > 1 && (f[0] == 'E' || f[0] == 'M'): // formula of a cell, of a matrix or name
			if rule := formulaRule(f[1:]); f[0] == 'E' || rule != "formula" {
				s.add(rule, where, f[1:])
			}
		}
	}
}
