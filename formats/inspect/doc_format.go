package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// modifiers goes through a list of property modifiers, the Prls (§2.6), of
// characters, paragraphs, tables or sections.
func (d *docScan) modifiers(b []byte, where string) error {
	d.object, d.location = false, -1
	for len(b) >= 2 {
		sprm := u16(b)
		n, err := operandSize(sprm, b[2:])
		if err != nil {
			return err
		}
		d.modifier(sprm, b[2:2+n], where)
		b = b[2+n:]
	}
	return nil
}

// operandSize is the length of an operand, by the high bits of its sprm
// (§2.2.5.1), with the two that do not follow the rule.
func operandSize(sprm uint16, b []byte) (int, error) {
	n := [8]int{1, 1, 2, 4, 2, 2, 0, 3}[sprm>>13]
	switch {
	case sprm>>13 != 6:
	case len(b) == 0:
		n = 1
	case (sprm == 0xd608 || sprm == 0xd606) && len(b) >= 2: // sprmTDefTable
		n = int(u16(b)) + 1
	case sprm == 0xc615 && b[0] == 255 && len(b) >= 2: // sprmPChgTabs
		n = 2 + 4*int(b[1])
		if n >= len(b) {
			break
		}
		n += 1 + 3*int(b[n])
	default:
		n = 1 + int(b[0])
	}
	if n > len(b) {
		return 0, errors.New("a property reaches beyond its list")
	}
	return n, nil
}

func (d *docScan) modifier(sprm uint16, op []byte, where string) {
	on := len(op) > 0 && op[0] != 0 && op[0] != 0x80 // 0x80: as the style has it
	switch sprm {
	case 0x083c, 0x0818, 0x0882: // sprmCFVanish, sprmCFSpecVanish, sprmCFWebHidden
		if on {
			d.add("ooxml.hidden", where, "hidden text")
		}
	case 0x0800, 0x0801: // sprmCFRMarkDel, sprmCFRMarkIns
		if on {
			d.add("ooxml.changes", where, "")
		}
	case 0xca57, 0xca89, 0xc63f, 0xc66f, 0xd227, 0xd243, 0xd667, 0xd662: // property and table revision marks
		if on && len(op) > 1 && op[1] != 0 {
			d.add("ooxml.changes", where, fmt.Sprintf("property %#04x", sprm))
		}
	case 0x080a, 0x0856: // sprmCFOle2, sprmCFObj
		if on {
			d.object = true
			d.add("cfb.embedded", where, "")
		}
	case 0x6a03: // sprmCPicLocation
		d.location = int64(u32(op))
	}
}

// formats reads the formatted disk pages of characters or paragraphs (§2.9.33).
func (d *docScan) formats(index int) error {
	b, err := d.part(index)
	if err != nil || b == nil {
		return err
	}
	at, data, err := plc(b, 4)
	if err != nil {
		return err
	}
	if len(at)-1 > len(d.main)/512 {
		return errors.New("more pages of properties than the stream has")
	}
	for i := range len(at) - 1 {
		page := int(u32(data[4*i:])&0x3fffff) * 512
		if page+512 > len(d.main) {
			return errDocRange
		}
		if err := d.page(d.main[page:page+512], index); err != nil {
			return fmt.Errorf("page of properties at %d: %w", page, err)
		}
	}
	return nil
}

// page reads a ChpxFkp (§2.9.33) or PapxFkp (§2.9.175).
func (d *docScan) page(b []byte, index int) error {
	runs := int(b[511])
	step := 1
	if index == fibPAPX {
		step = 13
	}
	if runs == 0 || 4*(runs+1)+step*runs > 511 {
		return errors.New("wrong number of runs")
	}
	for i := range runs {
		at := 2 * int(b[4*(runs+1)+step*i])
		if at == 0 {
			continue // no properties of its own
		}
		where := fmt.Sprintf("byte %d", u32(b[4*i:]))
		n := int(b[at])
		at++
		if index == fibPAPX {
			if n != 0 {
				n = 2*n - 1
			} else {
				n = 2 * int(b[at])
				at++
			}
			if n < 2 {
				continue
			}
			at, n = at+2, n-2 // the style
		}
		if at+n > 511 {
			return errDocRange
		}
		if err := d.modifiers(b[at:at+n], where); err != nil {
			return err
		}
		if err := d.refer(u32(b[4*i:]), u32(b[4*i+4:])); err != nil {
			return err
		}
	}
	return nil
}

// refer keeps the place in the Data stream that a run of text was given, if the
// run has the character that stands for a picture (§2.3.1, U+0001). Of an
// object the place is a name in the ObjectPool.
func (d *docScan) refer(first, end uint32) error {
	if d.location < 0 || d.object {
		return nil
	}
	if first > end || uint64(end) > uint64(len(d.main)) {
		return errDocRange
	}
	if d.searched += int(end - first); d.searched > 4*len(d.main) {
		return errors.New("the runs of text overlap")
	}
	if bytes.IndexByte(d.main[first:end], 1) < 0 {
		return nil
	}
	if len(d.pictures) >= maxDocPictures {
		return errors.New("too many pictures")
	}
	d.pictures = append(d.pictures, d.location)
	return nil
}

// sections reads the properties of sections (§2.8.26).
func (d *docScan) sections() error {
	b, err := d.part(fibSections)
	if err != nil || b == nil {
		return err
	}
	at, data, err := plc(b, 12)
	if err != nil {
		return err
	}
	for i := range len(at) - 1 {
		fc := int(int32(u32(data[12*i+2:])))
		if fc == -1 {
			continue
		}
		if fc < 0 || fc+2 > len(d.main) || fc+2+int(u16(d.main[fc:])) > len(d.main) {
			return errDocRange
		}
		if err := d.modifiers(d.main[fc+2:fc+2+int(u16(d.main[fc:]))], fmt.Sprintf("section %d", i+1)); err != nil {
			return err
		}
	}
	return nil
}

// styles reads the style sheet (§2.9.271) for what styles hide.
func (d *docScan) styles() error {
	b, err := d.part(fibStyles)
	if err != nil {
		return err
	}
	if len(b) < 8 || 2+int(u16(b)) > len(b) || u16(b) < 6 {
		return errors.New("the style sheet is missing or has a wrong size")
	}
	base := int(u16(b[4:])) // cbSTDBaseInFile
	for b = b[2+int(u16(b)):]; len(b) >= 2; {
		n := int(u16(b))
		if 2+n > len(b) {
			return errors.New("a style reaches beyond the style sheet")
		}
		if n > 0 {
			if err := d.style(b[2:2+n], base); err != nil {
				return err
			}
		}
		b = b[2+n:]
	}
	return nil
}

func (d *docScan) style(std []byte, base int) error {
	if base < 10 || len(std) < base+2 {
		return errors.New("a style is too short")
	}
	kind, updates := std[2]&15, int(std[4]&15)
	name, at, ok := xst(std, base)
	if !ok {
		return errors.New("a style has no name")
	}
	for i := 0; i < updates; i++ {
		at += at & 1
		if at+2 > len(std) {
			return nil // Word leaves empty ones out
		}
		n := int(u16(std[at:]))
		at += 2
		if at+n > len(std) {
			return errors.New("a style's properties reach beyond it")
		}
		upx := std[at : at+n]
		if paragraph := kind == 1 && i == 0 || kind == 3 && i == 1 || kind == 4; paragraph && n >= 2 {
			upx = upx[2:]
		}
		if err := d.modifiers(upx, "style "+name); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// xst reads a string with its length before and a zero behind it (§2.9.354).
func xst(b []byte, at int) (string, int, bool) {
	if at+2 > len(b) {
		return "", at, false
	}
	n := int(u16(b[at:]))
	at += 2
	if at+2*n+2 > len(b) {
		return "", at, false
	}
	return wideString(b[at : at+2*n]), at + 2*n + 2, true
}

func wideString(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = u16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// properties reads the first flags of the document properties (§2.7.2).
func (d *docScan) properties() error {
	b, err := d.part(fibDop)
	if err != nil {
		return err
	}
	if len(b) < 84 {
		return errors.New("the document properties are missing or too short")
	}
	if b[0]&4 != 0 { // fPMHMainDoc
		d.add("ooxml.data", "Dop", "mail merge")
	}
	flags := u32(b[4:])
	if flags&(1<<14) != 0 { // fLinkStyles: styles are taken from the template at every opening
		d.add("ooxml.template", "Dop", "styles updated from the template")
	}
	if flags&(1<<15) != 0 { // fRevMarking
		d.add("ooxml.changes", "Dop", "changes are tracked")
	}
	return nil
}

// associations reads the names of files the document belongs with (§2.9.280):
// its template and the sources of a mail merge.
func (d *docScan) associations() error {
	b, err := d.part(fibAssoc)
	if err != nil || b == nil {
		return err
	}
	if len(b) < 6 || u16(b) != 0xffff || u16(b[4:]) != 0 {
		return errors.New("the table of associated strings is defective")
	}
	n := int(u16(b[2:]))
	for i, at := 0, 6; i < n; i++ {
		if at+2 > len(b) || at+2+2*int(u16(b[at:])) > len(b) {
			return errors.New("an associated string reaches beyond its table")
		}
		end := at + 2 + 2*int(u16(b[at:]))
		s := strings.TrimRight(wideString(b[at+2:end]), "\x00")
		at = end
		switch {
		case s == "":
		case i == 1 && !standardTemplate(s):
			d.add("ooxml.template", "SttbfAssoc", s)
		case i == 8, i == 9: // data source and header document
			d.add("ooxml.data", "SttbfAssoc", s)
		}
	}
	return nil
}

// standardTemplate: Word names the template also where none was chosen. Normal
// of the local machine is part of every Word; one from the network, or another
// one, can bring macros and styles along.
func standardTemplate(path string) bool {
	if strings.HasPrefix(path, `\\`) || strings.HasPrefix(path, "//") || strings.Contains(path, "://") {
		return false
	}
	switch strings.ToLower(path[strings.LastIndexAny(path, `\/:`)+1:]) {
	case "normal", "normal.dot", "normal.dotm", "normal.dotx":
		return true
	}
	return false
}

// commands reads the customisations of the program (Tcg, §2.9.314): commands
// that are macros, and key maps and toolbars, which may call them.
func (d *docScan) commands() error {
	b, err := d.part(fibCommands)
	if err != nil || b == nil {
		return err
	}
	if b[0] != 255 || len(b) < 2 {
		return errors.New("the table of commands is defective")
	}
	for b = b[1:]; len(b) > 0 && b[0] != 0x40; {
		size, ok := map[byte]int{1: 24, 2: 4, 3: 14, 4: 14}[b[0]]
		if !ok {
			d.add("ooxml.extension", "Tcg", "toolbars")
			return nil
		}
		if len(b) < 5 || uint64(u32(b[1:]))*uint64(size) > uint64(len(b)-5) {
			return errors.New("the table of commands has a wrong size")
		}
		n := int(u32(b[1:]))
		if n > 0 {
			d.add("cfb.macro", "Tcg", "commands or keys that call macros")
		}
		b = b[5+n*size:]
	}
	return nil
}

// frames looks for a page made of frames (§2.9.214): the names of the files.
func (d *docScan) frames() error {
	b, err := d.part(fibFrames)
	if err != nil {
		return err
	}
	for len(b) >= 8 {
		n := u32(b)
		if n < 8 || uint64(n) > uint64(len(b)) {
			return errors.New("the table of frames has a wrong size")
		}
		if u32(b[4:]) == 5 {
			d.add("ooxml.external", "RgDofr", wideString(b[8:n]))
		}
		b = b[n:]
	}
	return nil
}

// drawings reads the shapes (§2.9.172): one group, then a drawing for the text
// and one for the headers, each with a byte before it.
func (d *docScan) drawings() error {
	b, err := d.part(fibDrawings)
	if err != nil || b == nil {
		return err
	}
	art := artScan{report: d.report, where: "shapes"}
	n, err := art.record(b, 0)
	for b = b[min(n, len(b)):]; err == nil && len(b) > 1; b = b[min(n, len(b)):] {
		b = b[1:]
		n, err = art.record(b, 0)
	}
	return err
}
