package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"
)

// Types of the records that a presentation is made of ([MS-PPT] §2.13.24).
const (
	pptDocument     = 0x03e8
	pptSlide        = 0x03ee
	pptNotes        = 0x03f0
	pptMainMaster   = 0x03f8
	pptSlideShow    = 0x03f9
	pptVBAInfo      = 0x0400
	pptSound        = 0x07e6
	pptTextChars    = 0x0fa0
	pptCString      = 0x0fba
	pptHandout      = 0x0fc9
	pptOleEmbed     = 0x0fcc
	pptOleLink      = 0x0fce
	pptHyperlink    = 0x0fd7
	pptSlideNumber  = 0x0fd8
	pptHeaders      = 0x0fd9
	pptHeadersAtom  = 0x0fda
	pptControl      = 0x0fee
	pptAnimation    = 0x0ff1
	pptInteractive  = 0x0ff2
	pptAction       = 0x0ff3
	pptUserEdit     = 0x0ff5
	pptCurrentUser  = 0x0ff6
	pptDateTime     = 0x0ff7
	pptGenericDate  = 0x0ff8
	pptObjectStg    = 0x1011
	pptRTFDateTime  = 0x1015
	pptBinaryTag    = 0x138a
	pptBinaryData   = 0x138b
	pptPersist      = 0x1772
	pptCryptSession = 0x2f14
	pptTimeNode     = 0xf127
	pptTimeNodes    = 0xf144
)

// pptRules judges records by their being there, atoms and containers alike.
var pptRules = map[uint16]string{
	pptDateTime: "field.dynamic", pptRTFDateTime: "field.dynamic", pptGenericDate: "field.layout", pptSlideNumber: "field.layout",
	pptOleEmbed: "cfb.embedded", pptObjectStg: "cfb.embedded", pptOleLink: "ooxml.external", pptControl: "ooxml.activex",
	pptSound: "ooxml.media", 0x1005: "ooxml.media", 0x1006: "ooxml.media", 0x1007: "ooxml.media", // sound, video, AVI, MCI
	0x100d: "ooxml.media", 0x100e: "ooxml.media", 0x100f: "ooxml.media", 0x1010: "ooxml.media", // MIDI, CD, WAV
	pptAnimation: "slide.animation", 0x2ee0: "ooxml.comments", 0x2eec: "ooxml.changes", // Comment10, DiffTree10
	0x3714: "ooxml.external", pptCryptSession: "cfb.encrypted", // slides kept up to date from a library
}

// pptContainers must hold other records and say so in their header; a program
// may look into one that does not.
var pptContainers = map[uint16]bool{
	pptDocument: true, pptSlide: true, pptNotes: true, pptMainMaster: true, pptHandout: true, 0x03f2: true, 0x03ff: true, 0x0409: true, 0x040b: true, 0x040c: true,
	0x07d0: true, pptSound: true, pptOleEmbed: true, pptOleLink: true, pptHyperlink: true, pptHeaders: true, pptControl: true, 0x0ff0: true, pptInteractive: true,
	0x1005: true, 0x1006: true, 0x1007: true, 0x100d: true, 0x100e: true, 0x100f: true, 0x1010: true, 0x1014: true, 0x1388: true, pptBinaryTag: true, 0x2ee0: true,
	0xf000: true, 0xf001: true, 0xf002: true, 0xf003: true, 0xf004: true, 0xf00d: true, 0xf011: true, pptTimeNodes: true,
}

// pptScan walks the records of the stream "PowerPoint Document" once, from its
// first byte to its last, and so sees also what no slide refers to.
type pptScan struct {
	*report
	r        *bufio.Reader
	at       int64
	open     []pptContainer
	objects  map[int64]uint16 // records that are in no other, by their place
	tag      string           // the last name of a tag
	edits    []pptEdit
	persist  map[int64]bool // places in the persist directories
	slides   int
	inflated int64 // bytes of the storages of objects so far
	generic  bool  // a date that the headers and footers decide upon
	headers  bool
}

type pptContainer struct {
	kind, instance uint16
	end            int64
	master         bool
}

type pptEdit struct{ previous, directory int64 }

// presentation inspects the streams of a PPT and tells whether it could.
func (c *cfbScan) presentation() bool {
	e := c.streams["powerpoint document"]
	if c.streams["pp40"] != nil || c.streams["pp97_dualstorage"] != nil {
		return false // a second presentation, for PowerPoint 95
	}
	if e.Size > c.size {
		c.add("cfb.malformed", e.Name, "the stream is larger than the file")
		return true
	}
	p := &pptScan{report: c.report, r: bufio.NewReaderSize(e, 64<<10), objects: map[int64]uint16{}, persist: map[int64]bool{}}
	err := p.walk(e.Size)
	if err != nil {
		err = fmt.Errorf("at %d: %w", p.at, err)
	} else {
		err = p.currentUser(c.streams["current user"])
	}
	if err != nil {
		c.add("cfb.malformed", e.Name, err.Error())
	}
	if p.generic && !p.headers {
		c.add("field.dynamic", e.Name, "date")
	}
	return true
}

// walk reads one record after the other up to size.
func (p *pptScan) walk(size int64) error {
	for {
		for len(p.open) > 0 && p.at == p.open[len(p.open)-1].end {
			p.open = p.open[:len(p.open)-1]
		}
		end := size
		if len(p.open) > 0 {
			end = p.open[len(p.open)-1].end
		}
		if p.at == size {
			return nil
		}
		if end-p.at < 8 {
			return errors.New("bytes that belong to no record")
		}
		var head [8]byte
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return err
		}
		start := p.at
		p.at += 8
		version, kind, length := u16(head[:]), u16(head[2:]), int64(u32(head[4:]))
		if length > end-p.at {
			return fmt.Errorf("record %#04x reaches beyond its container", kind)
		}
		if err := p.record(start, version, kind, length); err != nil {
			return err
		}
	}
}

func (p *pptScan) record(start int64, version, kind uint16, length int64) error {
	if len(p.open) == 0 {
		if err := p.object(start, kind); err != nil {
			return err
		}
	}
	container := version&15 == 15
	_, judged := pptAtoms[kind]
	if pptContainers[kind] != container && (pptContainers[kind] || judged) {
		return fmt.Errorf("record %#04x is not what it has to be", kind)
	}
	if kind == pptObjectStg && !container {
		return p.storage(start, version>>4, length)
	}
	if rule, ok := pptRules[kind]; ok {
		p.add(rule, p.where(), fmt.Sprintf("record %#04x at %d", kind, start))
	}
	p.generic = p.generic || kind == pptGenericDate
	if container || kind == pptBinaryData && strings.HasPrefix(p.tag, "___PPT") {
		return p.enter(kind, version>>4, length)
	}
	if !judged && !isArtProperties(kind) {
		return p.skip(length)
	}
	if length > maxRecord {
		return fmt.Errorf("record %#04x is too long", kind)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(p.r, body); err != nil {
		return err
	}
	p.at += length
	return p.atom(kind, version>>4, body)
}

// object notes a record that is in no other; only some may be.
func (p *pptScan) object(start int64, kind uint16) error {
	switch kind {
	case pptDocument, pptSlide, pptNotes, pptMainMaster, pptHandout, pptObjectStg, pptUserEdit, pptPersist, pptCryptSession:
	default:
		return fmt.Errorf("record %#04x stands outside of any container", kind)
	}
	if len(p.objects) >= maxPPTObjects {
		return errors.New("too many records")
	}
	p.objects[start] = kind
	if kind == pptSlide {
		p.slides++
	}
	return nil
}

func (p *pptScan) enter(kind, instance uint16, length int64) error {
	if len(p.open) >= maxRecordDepth {
		return errors.New("records nested too deep")
	}
	c := pptContainer{kind: kind, instance: instance, end: p.at + length}
	c.master = len(p.open) > 0 && p.open[len(p.open)-1].master || kind == pptMainMaster || kind == pptHandout || kind == pptHeaders && instance == 4
	p.open = append(p.open, c)
	return nil
}

func (p *pptScan) skip(n int64) error {
	_, err := io.CopyN(io.Discard, p.r, n)
	p.at += n
	return err
}

// parent is the container that the record being read is in.
func (p *pptScan) parent() pptContainer {
	if len(p.open) == 0 {
		return pptContainer{}
	}
	return p.open[len(p.open)-1]
}

func (p *pptScan) where() string {
	if len(p.open) == 0 {
		return ""
	}
	switch p.open[0].kind {
	case pptSlide:
		return fmt.Sprintf("slide %d of the file", p.slides)
	case pptMainMaster:
		return "master"
	case pptNotes:
		return "notes"
	case pptHandout:
		return "handout"
	}
	return "document"
}

// pptAtoms are the records whose content is judged, with their least length.
var pptAtoms = map[uint16]int{
	pptSlideShow: 16, pptVBAInfo: 12, pptTextChars: 0, pptCString: 0, pptHeadersAtom: 4, pptAnimation: 12, pptAction: 16,
	pptUserEdit: 28, pptPersist: 0, pptTimeNode: 32, 0x03f1: 4,
}

func (p *pptScan) atom(kind, instance uint16, b []byte) error {
	if len(b) < pptAtoms[kind] {
		return fmt.Errorf("record %#04x is too short", kind)
	}
	switch kind {
	case pptSlideShow:
		p.slideShow(b)
	case pptVBAInfo:
		if u32(b) != 0 || u32(b[4:]) != 0 { // the place of the project; fHasMacros
			p.add("cfb.macro", p.where(), "VBAInfoAtom")
		}
	case pptTextChars:
		for _, c := range wideString(b) {
			if characterRule(c) == "text.bidi" {
				p.add("text.bidi", p.where(), fmt.Sprintf("U+%04X", c))
				break
			}
		}
	case pptCString:
		switch s := wideString(b); {
		case p.parent().kind == pptBinaryTag:
			p.tag = s
		case p.parent().kind == pptHyperlink && instance == 1:
			p.add(linkRule(s), p.where(), s)
		}
	case pptHeadersAtom:
		p.header(u16(b[2:]))
	case pptAnimation:
		if u32(b[8:]) != 0 { // soundIdRef
			p.add("ooxml.media", p.where(), "sound of an animation")
		}
	case pptAction:
		p.action(b)
	case pptTimeNode: // 0 and 1 only hold others, and every slide may have them
		if u32(b[8:]) > 1 {
			p.add("slide.animation", p.where(), "time node")
		}
	case 0x03f1: // NotesAtom: of no slide, it is the master
		if u32(b) == 0 && len(p.open) > 0 {
			p.open[len(p.open)-1].master = true
		}
	case pptUserEdit:
		return p.userEdit(b)
	case pptPersist:
		return p.directory(b)
	default:
		art := artScan{report: p.report, where: p.where()}
		return art.properties(b, int(instance))
	}
	return nil
}

// slideShow judges how a slide comes and goes (§2.6.6).
func (p *pptScan) slideShow(b []byte) {
	flags := u16(b[10:])
	if flags&0x0004 != 0 { // fHidden
		p.add("ooxml.hidden", p.where(), "hidden slide")
	}
	if flags&0x0010 != 0 && u32(b[4:]) != 0 { // fSound, soundIdRef
		p.add("ooxml.media", p.where(), "sound of a slide")
	}
	if flags&0x0400 != 0 { // fAutoAdvance
		p.add("slide.animation", p.where(), "advances by itself")
	}
}

// header judges what headers and footers show (§2.4.15.2): the date of the day
// or one that was typed in.
func (p *pptScan) header(flags uint16) {
	p.headers = true
	if flags&3 != 3 { // fHasDate, fHasTodayDate
		return
	}
	if p.parent().master {
		p.add("field.layout", p.where(), "date in the master's footer")
		return
	}
	p.add("field.dynamic", p.where(), "date in the footer")
}

// action judges what a click or the pointer does (§2.8.2): only moves within
// the presentation and links are inert.
func (p *pptScan) action(b []byte) {
	what := fmt.Sprintf("action %d", b[8])
	switch b[8] {
	case 0, 3, 7: // none, jump, custom show
	case 4: // link; its kind
		switch b[12] {
		case 8: // URL, which is judged where it stands
			if parent := p.parent(); parent.kind == pptInteractive && parent.instance == 1 {
				p.add("slide.action", p.where(), "link opened by the pointer alone")
			}
		case 0, 1, 2, 3, 6, 7, 0xff: // slides
		default:
			p.add("link.scheme", p.where(), "link to another file")
		}
	case 6:
		p.add("ooxml.media", p.where(), what)
	default: // macro, program, object, and what does not exist
		p.add("slide.action", p.where(), what)
	}
	if u32(b) != 0 { // soundIdRef
		p.add("ooxml.media", p.where(), "sound of an action")
	}
}

// userEdit reads what one save has written (§2.3.3).
func (p *pptScan) userEdit(b []byte) error {
	if len(p.open) > 0 {
		return errors.New("a UserEditAtom within another record")
	}
	if len(b) > 28 {
		p.add("cfb.encrypted", "", "")
	}
	p.edits = append(p.edits, pptEdit{previous: int64(u32(b[8:])), directory: int64(u32(b[12:]))})
	return nil
}

// directory reads a PersistDirectoryAtom (§2.3.4): runs of places.
func (p *pptScan) directory(b []byte) error {
	if len(p.open) > 0 {
		return errors.New("a PersistDirectoryAtom within another record")
	}
	for len(b) > 0 {
		if len(b) < 4 || 4+4*int(u32(b)>>20) > len(b) {
			return errors.New("a persist directory has a wrong size")
		}
		n := int(u32(b) >> 20)
		for i := range n {
			p.persist[int64(u32(b[4+4*i:]))] = true
		}
		b = b[4+4*n:]
	}
	return nil
}

// currentUser compares what the walk has met with the places by which a program
// reads: from the stream "Current User" to the last edit, its directory and the
// objects there. A place within a record would show what the walk did not see,
// and more edits than one are earlier versions of the presentation.
func (p *pptScan) currentUser(e *mscfb.File) error {
	if e == nil || e.Size < 20 {
		return errors.New("the stream Current User is missing or too short")
	}
	b := make([]byte, 20)
	if _, err := io.ReadFull(e, b); err != nil {
		return err
	}
	if u16(b[2:]) != pptCurrentUser {
		return errors.New("the stream Current User does not begin with its record")
	}
	switch u32(b[12:]) {
	case 0xe391c05f:
	case 0xf3d1c4df:
		p.add("cfb.encrypted", "Current User", "")
		return nil
	default:
		return errors.New("the stream Current User has a wrong token")
	}
	if p.objects[int64(u32(b[16:]))] != pptUserEdit {
		return errors.New("there is no edit where the stream Current User says")
	}
	for _, edit := range p.edits {
		if p.objects[edit.directory] != pptPersist {
			return errors.New("there is no persist directory where the edit says")
		}
		if edit.previous != 0 && p.objects[edit.previous] != pptUserEdit {
			return errors.New("there is no earlier edit where the last one says")
		}
	}
	for at := range p.persist {
		switch p.objects[at] {
		case 0, pptUserEdit, pptPersist:
			return fmt.Errorf("there is no object at %d", at)
		}
	}
	if len(p.edits) > 1 || p.edits[0].previous != 0 {
		p.add("cfb.revisions", "PowerPoint Document", fmt.Sprintf("%d edits", len(p.edits)))
	}
	for at, kind := range p.objects {
		if kind != pptUserEdit && kind != pptPersist && !p.persist[at] && len(p.edits) == 1 {
			p.add("cfb.revisions", "PowerPoint Document", "an object that is no longer used")
			break
		}
	}
	return nil
}
