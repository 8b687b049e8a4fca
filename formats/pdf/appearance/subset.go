package appearance

import (
	"encoding/binary"
	"errors"
	"slices"
)

// sfntTables finds the tables of a TrueType font (ISO/IEC 14496-22 §4.5).
func sfntTables(font []byte) map[string][]byte {
	tables := map[string][]byte{}
	n := int(binary.BigEndian.Uint16(font[4:]))
	for i := range n {
		rec := font[12+16*i:]
		at, size := binary.BigEndian.Uint32(rec[8:]), binary.BigEndian.Uint32(rec[12:])
		tables[string(rec[:4])] = font[at : at+size]
	}
	return tables
}

var errFont = errors.New("the font is damaged")

// outline is the entry of a glyph in the table glyf; empty for a blank.
func (t *typeface) outline(glyph int) ([]byte, error) {
	loca, glyf := t.tables["loca"], t.tables["glyf"]
	at := func(i int) int {
		if binary.BigEndian.Uint16(t.tables["head"][50:]) == 0 {
			return 2 * int(binary.BigEndian.Uint16(loca[2*i:]))
		}
		return int(binary.BigEndian.Uint32(loca[4*i:]))
	}
	if glyph < 0 || glyph >= t.glyphs {
		return nil, errFont
	}
	from, to := at(glyph), at(glyph+1)
	if from > to || to > len(glyf) {
		return nil, errFont
	}
	return glyf[from:to], nil
}

// subset is a font program with the given glyphs, numbered as they come. None of them is composed of others: the font has no
// such glyphs. It has the tables that a CIDFontType2 needs (ISO 32000-1 §9.9.1).
func (t *typeface) subset(ids []int) ([]byte, error) {
	var glyf, loca, hmtx []byte
	for _, id := range ids {
		outline, err := t.outline(id)
		if err != nil {
			return nil, err
		}
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = pad4(append(glyf, outline...))
		hmtx = append(hmtx, t.metric(id)...)
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	n := uint16(len(ids))
	head := slices.Clone(t.tables["head"])
	binary.BigEndian.PutUint32(head[8:], 0)  // checkSumAdjustment, set last
	binary.BigEndian.PutUint16(head[50:], 1) // long offsets in loca
	hhea := slices.Clone(t.tables["hhea"])
	binary.BigEndian.PutUint16(hhea[34:], n)
	maxp := slices.Clone(t.tables["maxp"])
	binary.BigEndian.PutUint16(maxp[4:], n)
	return assemble(map[string][]byte{
		"cvt ": t.tables["cvt "], "fpgm": t.tables["fpgm"], "prep": t.tables["prep"],
		"glyf": glyf, "loca": loca, "hmtx": hmtx, "head": head, "hhea": hhea, "maxp": maxp,
	}), nil
}

// metric is the width and the left side bearing of a glyph, four bytes.
func (t *typeface) metric(glyph int) []byte {
	hmtx := t.tables["hmtx"]
	if glyph < t.metrics {
		return hmtx[4*glyph : 4*glyph+4]
	}
	bearing := 4*t.metrics + 2*(glyph-t.metrics)
	return append(slices.Clone(hmtx[4*(t.metrics-1):4*(t.metrics-1)+2]), hmtx[bearing:bearing+2]...)
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// assemble writes the table directory and the tables (ISO/IEC 14496-22 §4.5.2).
func assemble(tables map[string][]byte) []byte {
	var tags []string
	for tag, data := range tables {
		if len(data) > 0 {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	n := len(tags)
	power, log := 1, 0
	for power*2 <= n {
		power, log = power*2, log+1
	}
	out := []byte{0, 1, 0, 0}
	for _, v := range []int{n, 16 * power, log, 16 * (n - power)} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	at := 12 + 16*n
	var body []byte
	adjust := 0
	for _, tag := range tags {
		data := tables[tag]
		if tag == "head" {
			adjust = at + len(body) + 8
		}
		out = append(out, tag...)
		out = binary.BigEndian.AppendUint32(out, checksum(data))
		out = binary.BigEndian.AppendUint32(out, uint32(at+len(body)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body = pad4(append(body, data...))
	}
	out = append(out, body...)
	binary.BigEndian.PutUint32(out[adjust:], 0xB1B0AFBA-checksum(out))
	return out
}

func checksum(data []byte) (sum uint32) {
	for len(data) >= 4 {
		sum += binary.BigEndian.Uint32(data)
		data = data[4:]
	}
	if len(data) > 0 {
		var last [4]byte
		copy(last[:], data)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}
