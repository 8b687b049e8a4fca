package inspect

import (
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/richardlehane/mscfb"
)

// cfb inspects the binary Office formats ([MS-CFB], [MS-DOC], [MS-XLS],
// [MS-PPT]). One whose records we do not read to their end is refused, whatever
// was found in it: its fields and formulas may lie there.
func (s *scan) cfb() {
	doc, err := mscfb.New(s.reader())
	if err == nil {
		err = s.sectorTables()
	}
	if err != nil {
		s.checkNameOfBinary("cfb")
		s.add("cfb.malformed", "", err.Error())
		return
	}
	c := cfbScan{scan: s, streams: map[string]*mscfb.File{}}
	for n := 0; ; n++ {
		entry, err := doc.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.add("cfb.malformed", "", err.Error())
			break
		}
		if n >= maxCFBEntries {
			s.add("cfb.malformed", "", "too many entries")
			break
		}
		c.entry(entry)
	}
	if notes := vbaNotes(c.entries); len(notes) > 0 {
		c.macros = notes
	}
	for _, m := range c.macros {
		c.add("cfb.macro", m.where, m.quote)
	}
	format := c.format
	if format == "" {
		format = "cfb"
	}
	s.checkNameOfBinary(format)
	if !c.readFormat() {
		s.add("cfb.legacy", "", format)
	}
}

// sectorTables compares the number of sector tables that the header states with
// the size of the file, since the reader goes by the list of their places alone.
func (s *scan) sectorTables() error {
	var h [76]byte
	if _, err := s.r.ReadAt(h[:], 0); err != nil {
		return err
	}
	if tables := int64(u32(h[44:])); tables<<u16(h[30:]) > s.size {
		return errors.New("there are fewer sector tables than the header says")
	}
	return nil
}

// readFormat reads the records of the format and tells whether it could.
func (c *cfbScan) readFormat() bool {
	switch c.format {
	case "doc":
		return c.wordDocument()
	case "xls":
		return c.workbook()
	case "ppt":
		return c.presentation()
	case "msg": // [MS-OXMSG] §2.4: the properties of a message
		c.mail()
		return true
	}
	return false
}

func (s *scan) checkNameOfBinary(format string) {
	if format == "cfb" {
		if s.envelopes == 0 {
			s.Format, s.MediaType = format, mediaTypes[format]
		}
		switch extension(s.name) {
		case "", "doc", "dot", "xls", "xlt", "ppt", "pps", "pot", "msg":
			return // too broken to tell
		}
	}
	if s.envelopes == 0 {
		s.Format, s.MediaType = format, mediaTypes[format]
	}
	s.checkName(format)
}

type cfbScan struct {
	*scan
	format  string
	streams map[string]*mscfb.File // of the root storage, by name in lower case
	entries []*mscfb.File          // all of them
	macros  []vbaNote              // what looks like a Visual Basic project
}

func (c *cfbScan) entry(e *mscfb.File) {
	where := strings.Join(append(append([]string(nil), e.Path...), e.Name), "/")
	name := entryName(e)
	c.entries = append(c.entries, e)
	if len(e.Path) == 0 {
		if c.streams[name] != nil { // programs differ in which they take
			c.add("cfb.malformed", where, "two entries of one name")
		}
		c.streams[name] = e
		switch name {
		case "worddocument":
			c.is("doc")
		case "workbook", "book":
			c.is("xls")
		case "powerpoint document":
			c.is("ppt")
		case "__properties_version1.0":
			c.is("msg")
		}
	}
	switch {
	case isVBAStorage(name):
		c.macros = append(c.macros, vbaNote{where: where})
	case len(e.Path) == 1 && strings.EqualFold(e.Path[0], "ObjectPool"), // Word often leaves an empty one
		name == "\x01ole10native", name == "\x01ole" && len(e.Path) > 0, strings.HasPrefix(name, "mbd0"), name == "package":
		c.add("cfb.embedded", where, "")
	case name == "encryptedpackage", name == "encryptioninfo", name == "encryption", name == "\x06dataspaces":
		c.add("cfb.encrypted", where, "")
	}
}

// entryName is the name of an entry in lower case, with the control character
// by which special streams begin.
func entryName(e *mscfb.File) string {
	name := strings.ToLower(e.Name)
	if !unicode.IsPrint(rune(e.Initial)) { // the reader leaves it out of the name
		name = string(rune(e.Initial)) + name
	}
	return name
}

func (c *cfbScan) is(format string) {
	if c.format != "" && c.format != format {
		c.add("format.polyglot", "", c.format+" + "+format)
	}
	c.format = format
}
