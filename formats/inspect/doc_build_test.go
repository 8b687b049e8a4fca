package inspect

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// docSpec is a binary Word document to be written. The tables of fields follow
// from the field characters in the texts.
type docSpec struct {
	text    string         // the main text; \x13 code \x14 result \x15 is a field
	types   []byte         // types of its fields, in the order they begin
	stories map[int]string // more texts by their place in docStories, with a field of type DATE if any
	wide    bool           // as UTF-16
	chpx    string         // properties of the characters
	papx    string         // of the paragraphs
	style   string         // of a paragraph style
	dop     uint32         // flags at offset 4
	assoc   []string
	tables  map[int]string // further or other tables by their index in the FIB
	flags   uint16
	nFib    uint16
	data    string // the Data stream
	edit    func(main, table []byte)
	more    []string // further streams
}

const docTextAt = 0x600 // where the text begins in the stream

func (s docSpec) file() []byte {
	le := binary.LittleEndian
	main := make([]byte, docTextAt)
	le.PutUint16(main, 0xa5ec)
	le.PutUint16(main[2:], max(s.nFib, 0xc1))
	if s.nFib != 0 {
		le.PutUint16(main[2:], s.nFib)
	}
	le.PutUint16(main[10:], s.flags|0x0200)
	le.PutUint16(main[0x20:], 14)
	le.PutUint16(main[0x3e:], 22)
	le.PutUint16(main[0x98:], 136)

	tables := map[int]string{
		fibDop:    string(le.AppendUint32(make([]byte, 4), s.dop)) + strings.Repeat("\x00", 76),
		fibStyles: styleSheet(s.style),
	}
	all := s.text
	le.PutUint32(main[docStories[0].length:], uint32(len([]rune(s.text))))
	tables[fibFldMain] = fieldTable(s.text, s.types)
	for i := 1; i < len(docStories); i++ {
		if text := s.stories[i]; text != "" {
			all += text
			le.PutUint32(main[docStories[i].length:], uint32(len([]rune(text))))
			tables[docStories[i].fields] = fieldTable(text, []byte{0x1f})
		}
	}
	width, fc := 1, uint32(2*docTextAt|0x40000000)
	if s.wide {
		width, fc = 2, docTextAt
		for _, c := range all {
			main = le.AppendUint16(main, uint16(c))
		}
	} else {
		main = append(main, all...)
	}
	length := uint32(len(main)-docTextAt) / uint32(width)
	pieces := string(words([]uint32{0, length})) + "\x00\x00" + string(words([]uint32{fc})) + "\x00\x00"
	tables[fibClx] = "\x02" + string(words([]uint32{uint32(len(pieces))})) + pieces
	main = append(main, make([]byte, 512-len(main)%512)...)
	main = s.properties(main, tables, length)
	if s.assoc != nil {
		tables[fibAssoc] = "\xff\xff" + string(le.AppendUint16(nil, uint16(len(s.assoc)))) + "\x00\x00"
		for _, a := range s.assoc {
			tables[fibAssoc] += wide(a)
		}
	}
	maps.Copy(tables, s.tables)
	table := tableStream(main, tables)
	if s.edit != nil {
		s.edit(main, table)
	}
	streams := append([]string{"WordDocument", string(main), "1Table", string(table)}, s.more...)
	if s.data != "" {
		streams = append(streams, "Data", s.data)
	}
	return cfbFile(streams...)
}

// properties appends the pages of properties to the stream and notes them in the tables.
func (s docSpec) properties(main []byte, tables map[int]string, length uint32) []byte {
	if s.chpx != "" {
		tables[fibCHPX] = string(words([]uint32{docTextAt, docTextAt + length, uint32(len(main) / 512)}))
		main = append(main, diskPage("\x30", string([]byte{byte(len(s.chpx))})+s.chpx)...)
	}
	if s.papx != "" {
		tables[fibPAPX] = string(words([]uint32{docTextAt, docTextAt + length, uint32(len(main) / 512)}))
		papx := "\x00\x00" + s.papx + strings.Repeat("\x00", len(s.papx)%2)
		main = append(main, diskPage("\x30"+strings.Repeat("\x00", 12), "\x00"+string([]byte{byte(len(papx) / 2)})+papx)...)
	}
	return main
}

// tableStream holds the tables, and the FIB learns where they are.
func tableStream(main []byte, tables map[int]string) []byte {
	le := binary.LittleEndian
	table := []byte("table")
	for _, i := range slices.Sorted(maps.Keys(tables)) {
		t := tables[i]
		le.PutUint32(main[0x9a+8*i:], uint32(len(table)))
		le.PutUint32(main[0x9a+8*i+4:], uint32(len(t)))
		table = append(table, t...)
	}
	return table
}

// diskPage is a page of properties with one run, whose BX and whose properties
// at byte 0x60 are given.
func diskPage(bx, properties string) []byte {
	b := make([]byte, 512)
	binary.LittleEndian.PutUint32(b, docTextAt)
	binary.LittleEndian.PutUint32(b[4:], docTextAt+8)
	copy(b[8:], bx)
	copy(b[0x60:], properties)
	b[511] = 1
	return b
}

// wide is a string in UTF-16 with its length before it.
func wide(s string) string {
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(s)))
	return string(append(b, utf16le(s)...))
}

// fieldTable writes the Plcfld for the field characters of a text.
func fieldTable(text string, types []byte) string {
	var at []uint32
	var fld string
	for i, c := range []byte(text) {
		switch c {
		case 0x13:
			fld += "\x13" + string(types[:1])
			types = types[1:]
		case 0x14, 0x15:
			fld += string([]byte{c, 0x80})
		default:
			continue
		}
		at = append(at, uint32(i))
	}
	if at == nil {
		return ""
	}
	return string(words(append(at, uint32(len(text))))) + fld
}

// styleSheet has one paragraph style with properties of its characters.
func styleSheet(chpx string) string {
	le := binary.LittleEndian
	std := "\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00" + wide("Normal") + "\x00\x00" + "\x02\x00\x00\x00"
	std += string(le.AppendUint16(nil, uint16(len(chpx)))) + chpx
	return "\x12\x00\x01\x00\x0a\x00" + strings.Repeat("\x00", 14) + string(le.AppendUint16(nil, uint16(len(std)))) + std
}

// oneField is a document with one field.
func oneField(kind byte, code string) []byte {
	return docSpec{text: "Contratto \x13 " + code + " \x14x\x15\r", types: []byte{kind}}.file()
}

// sprms writes properties: number, operand, number, operand …
func sprms(parts ...any) string {
	var b string
	for i := 0; i+1 < len(parts); i += 2 {
		b += string(binary.LittleEndian.AppendUint16(nil, uint16(parts[i].(int)))) + fmt.Sprint(parts[i+1])
	}
	return b
}

// picf is the beginning of the Data stream: a picture of that kind, or form data.
func picf(kind uint16, body string) string {
	b := make([]byte, 68)
	binary.LittleEndian.PutUint32(b, uint32(68+len(body)))
	binary.LittleEndian.PutUint16(b[4:], 68)
	binary.LittleEndian.PutUint16(b[6:], kind)
	return string(b) + body
}

// formData is FFData with its strings: name, default, format, help, status, macros.
func formData(bits uint16, strs ...string) string {
	b := "\xff\xff\xff\xff" + string(binary.LittleEndian.AppendUint16(nil, bits)) + "\x00\x00\x00\x00"
	for _, s := range strs {
		b += wide(s) + "\x00\x00"
	}
	return b
}

// record writes one record of a shape or presentation.
func record(version, instance, kind int, body ...string) string {
	all := strings.Join(body, "")
	b := binary.LittleEndian.AppendUint16(nil, uint16(version|instance<<4))
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	return string(binary.LittleEndian.AppendUint32(b, uint32(len(all)))) + all
}

// shape is a drawing with a shape of one property.
func shape(id int, value uint32, data string) string {
	p := binary.LittleEndian.AppendUint16(nil, uint16(id))
	p = binary.LittleEndian.AppendUint32(p, value)
	return record(15, 0, 0xf004, record(3, 1, 0xf00b, string(p), data))
}
