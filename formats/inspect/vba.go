package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/richardlehane/mscfb"
)

// A vbaNote names one module of a Visual Basic project and what is in it. That
// there is a project refuses the document; the notes tell the holder which
// macros those are, and nothing depends on their being understood.
type vbaNote struct{ where, quote string }

// vbaNotes describes the Visual Basic projects ([MS-OVBA] §2.2) among the
// entries of a compound file, wherever they are in it.
func vbaNotes(entries []*mscfb.File) (notes []vbaNote) {
	left := int64(maxVBASource)
	for _, e := range entries {
		if entryName(e) != "dir" || len(e.Path) == 0 || !strings.EqualFold(e.Path[len(e.Path)-1], "VBA") {
			continue
		}
		where := strings.Join(e.Path, "/")
		modules, err := vbaModules(e, &left)
		if err != nil {
			notes = append(notes, vbaNote{where, "unreadable project: " + err.Error()})
		}
		listed := map[string]bool{"dir": true, "_vba_project": true}
		for _, m := range modules {
			listed[strings.ToLower(m.stream)] = true
			notes = append(notes, vbaNote{where + "/" + m.name, m.describe(e.Path, entries, &left)})
		}
		for _, other := range entries {
			name := entryName(other)
			if slices.Equal(other.Path, e.Path) && !listed[name] && !strings.HasPrefix(name, "__srp_") {
				notes = append(notes, vbaNote{where + "/" + other.Name, "not listed in the project"})
			}
		}
		if len(notes) > maxFindings {
			break
		}
	}
	return notes
}

// A vbaModule is one module as the project's directory has it (§2.3.4.2.3.2).
type vbaModule struct {
	name, stream string
	offset       uint32 // of the source within the stream; the compiled code is before it
}

// vbaModules reads the directory of a project (§2.3.4.2). What was read before
// an error is returned with it.
func vbaModules(e *mscfb.File, left *int64) ([]vbaModule, error) {
	packed, err := vbaStream(e)
	if err != nil {
		return nil, err
	}
	dir, err := vbaDecompress(packed, left)
	if err != nil {
		return nil, err
	}
	var modules []vbaModule
	c := cursor{b: dir}
	for len(c.b) > 0 && !c.short {
		id, size := c.u16(), c.u32()
		if id == 0x09 { // PROJECTVERSION says 4 and has 6
			size = 6
		}
		if int64(size) > int64(len(c.b)) {
			return modules, errShort
		}
		body := c.take(int(size))
		if id == 0x19 && len(modules) < maxFindings { // MODULENAME
			modules = append(modules, vbaModule{name: narrow(body), stream: narrow(body)})
		}
		if len(modules) == 0 {
			continue
		}
		m := &modules[len(modules)-1]
		switch id {
		case 0x47: // MODULENAMEUNICODE
			m.name = wideString(body)
		case 0x1a: // MODULESTREAMNAME
			m.stream = narrow(body)
		case 0x32: // its Unicode twin
			m.stream = wideString(body)
		case 0x31: // MODULEOFFSET
			at := cursor{b: body}
			m.offset = at.u32()
		case 0x10: // the end
			return modules, nil
		}
	}
	return modules, errShort
}

// describe names the procedures of a module, those that run by themselves first.
func (m vbaModule) describe(path []string, entries []*mscfb.File, left *int64) string {
	i := slices.IndexFunc(entries, func(e *mscfb.File) bool {
		return strings.EqualFold(e.Name, m.stream) && slices.Equal(e.Path, path)
	})
	if i < 0 {
		return "module without its stream"
	}
	data, err := vbaStream(entries[i])
	switch {
	case err != nil:
		return "unreadable module: " + err.Error()
	case int64(m.offset) > int64(len(data)):
		return "unreadable module: its source begins beyond its end"
	}
	source, err := vbaDecompress(data[m.offset:], left)
	if err != nil {
		return "unreadable module: " + err.Error()
	}
	return vbaSummary(narrow(source), data[:m.offset])
}

var (
	vbaProcedure = regexp.MustCompile(`(?im)^[ \t]*(?:(?:public|private|friend|static)[ \t]+)*(?:sub|function|property[ \t]+(?:get|let|set))[ \t]+([\pL_][\pL\pN_]*)`)
	vbaAuto      = regexp.MustCompile(`(?i)^(?:auto_?(?:open|close|exec|exit|new|activate|deactivate)|(?:document|workbook|worksheet|presentation|app|slideshow)_?[a-z]*)`)
)

// vbaSummary says what a module's source has, and where there is none but there
// is compiled code, that: a program of the same edition runs the latter.
func vbaSummary(source string, compiled []byte) string {
	attributes, code := false, ""
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Attribute ") {
			attributes = true
		} else if line != "" && code == "" {
			code = line
		}
	}
	if code == "" {
		n := vbaCompiledLines(compiled)
		switch {
		case n > 0:
			return fmt.Sprintf("source removed, %d compiled lines left", n)
		case !attributes && len(compiled) > 0:
			return "source removed, compiled code left"
		}
		return "no code"
	}
	var first, rest []string
	for _, match := range vbaProcedure.FindAllStringSubmatch(source, maxQuote) {
		if vbaAuto.MatchString(match[1]) {
			first = append(first, match[1])
		} else {
			rest = append(rest, match[1])
		}
	}
	names := slices.Compact(append(first, rest...))
	if len(names) == 0 {
		return code
	}
	return strings.Join(names, ", ")
}

// vbaCompiledLines counts the lines of compiled code in a module's cache. Its
// format is the program's own (§2.3.4.3 calls it opaque); the table of lines is
// known by the mark before it.
func vbaCompiledLines(cache []byte) int {
	i := bytes.LastIndex(cache, []byte("\xfe\xca\x01\x00"))
	if i < 0 {
		return 0
	}
	c := cursor{b: cache[i+4:]}
	return c.u16()
}

func vbaStream(e *mscfb.File) ([]byte, error) {
	if _, err := e.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(e, maxVBASource+1))
	if err == nil && len(data) > maxVBASource {
		err = errTooLong
	}
	return data, err
}

var errVBA = errors.New("it does not decompress")

// vbaDecompress undoes the compression of [MS-OVBA] §2.4.1 strictly. left is how
// much may still come out, of all streams together.
func vbaDecompress(packed []byte, left *int64) ([]byte, error) {
	if len(packed) == 0 || packed[0] != 1 {
		return nil, errVBA
	}
	var out []byte
	for c := (cursor{b: packed[1:]}); len(c.b) > 0; {
		header := c.u16()
		if header>>12&7 != 3 {
			return nil, errVBA
		}
		chunk := c.take(header&0x0fff + 1)
		if c.short {
			return nil, errVBA
		}
		before := len(out)
		var ok bool
		if header&0x8000 == 0 { // as it is
			out, ok = append(out, chunk...), len(chunk) == vbaChunk
		} else {
			out, ok = vbaUnpack(out, chunk)
		}
		*left -= int64(len(out) - before)
		if !ok {
			return nil, errVBA
		}
		if *left < 0 {
			return nil, errTooLong
		}
	}
	return out, nil
}

const vbaChunk = 4096 // bytes that a chunk expands to at most

// vbaUnpack appends one compressed chunk: groups of a byte of flags and eight
// tokens, each a literal byte or a copy of what came before in the chunk.
func vbaUnpack(out, chunk []byte) ([]byte, bool) {
	start := len(out)
	for c := (cursor{b: chunk}); len(c.b) > 0; {
		flags := c.u8()
		for bit := 0; bit < 8 && len(c.b) > 0; bit++ {
			if flags>>bit&1 == 0 {
				out = append(out, byte(c.u8()))
				continue
			}
			token := c.u16()
			done := len(out) - start
			offsetBits := 4
			for 1<<offsetBits < done {
				offsetBits++
			}
			length := token&(0xffff>>offsetBits) + 3
			offset := token>>(16-offsetBits) + 1
			if c.short || offset > done || done+length > vbaChunk {
				return out, false
			}
			for range length {
				out = append(out, out[len(out)-offset])
			}
		}
		if len(out)-start > vbaChunk {
			return out, false
		}
	}
	return out, true
}

// vbaProject reads a compound file that lies in another container for its
// projects; ok is false if there is none in it.
func vbaProject(data []byte) (notes []vbaNote, ok bool) {
	doc, err := mscfb.New(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	for _, e := range doc.File[:min(len(doc.File), maxCFBEntries)] {
		ok = ok || isVBAStorage(entryName(e))
	}
	return vbaNotes(doc.File[:min(len(doc.File), maxCFBEntries)]), ok
}

// isVBAStorage knows the names by which a Visual Basic project is recognised.
func isVBAStorage(name string) bool {
	switch name {
	case "macros", "_vba_project_cur", "vba", "_vba_project", "projectwm":
		return true
	}
	return false
}
