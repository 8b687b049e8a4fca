package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/klauspost/compress/flate"
)

// zipArchive is a ZIP opened strictly: the parts named by the directory are the
// parts found by reading from the start, they follow each other without gaps
// or overlaps, and nothing stands before, between or behind them. Programs
// differ in which of the two they follow, so a difference is two documents.
type zipArchive struct {
	files  []*zip.File
	byName map[string]*zip.File
	rule   string // the rule it breaks, "" if none
	detail string
	left   int64         // how many bytes may still be inflated
	spare  io.ReadCloser // has inflated a part, and may inflate the next
}

// zipEnd is the end of central directory record (APPNOTE §4.3.16).
type zipEnd struct {
	at, directory, directorySize int64
	entries                      int
	comment                      int
}

// findZipEnd looks for an end record whose comment reaches exactly to the end.
func findZipEnd(r io.ReaderAt, size int64) (end zipEnd, ok bool) {
	const record = 22
	n := min(size, record+math.MaxUint16)
	tail := make([]byte, n)
	if got, _ := r.ReadAt(tail, size-n); int64(got) != n {
		return zipEnd{}, false
	}
	for at := 0; ; at++ { // the last of them counts
		next := bytes.Index(tail[at:], []byte("PK\x05\x06"))
		if next < 0 || len(tail)-at-next < record {
			return end, ok
		}
		at += next
		e := tail[at:]
		comment := int(binary.LittleEndian.Uint16(e[20:]))
		if record+comment != len(e) {
			continue
		}
		end, ok = zipEnd{
			at:            size - n + int64(at),
			entries:       int(binary.LittleEndian.Uint16(e[10:])),
			directorySize: int64(binary.LittleEndian.Uint32(e[12:])),
			directory:     int64(binary.LittleEndian.Uint32(e[16:])),
			comment:       comment,
		}, true
	}
}

func openZip(r io.ReaderAt, size int64) *zipArchive {
	a := &zipArchive{byName: map[string]*zip.File{}, left: maxZipInflated}
	fail := func(rule, detail string) *zipArchive {
		a.rule, a.detail = rule, detail
		return a
	}
	end, ok := findZipEnd(r, size)
	switch {
	case !ok:
		return fail("zip.malformed", "no end of central directory")
	case end.comment != 0:
		return fail("zip.layout", "archive comment")
	case end.entries == math.MaxUint16 || end.directory == math.MaxUint32:
		return fail("zip.malformed", "ZIP64") // never needed within maxFile and maxZipEntries
	case end.entries > maxZipEntries:
		return fail("zip.bomb", fmt.Sprint(end.entries, " entries"))
	case end.directory+end.directorySize != end.at:
		return fail("zip.layout", "data between directory and end")
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fail("zip.malformed", err.Error())
	}
	if len(z.File) > maxZipEntries {
		return fail("zip.bomb", fmt.Sprint(len(z.File), " entries"))
	}
	z.RegisterDecompressor(zip.Deflate, a.inflate)
	a.files = z.File
	if rule, detail := a.checkEntries(); rule != "" {
		return fail(rule, detail)
	}
	if detail := a.checkLayout(r, end.directory); detail != "" {
		return fail("zip.layout", detail)
	}
	return a
}

// inflater is a decompressor of the archive's, which it gets back.
type inflater struct {
	io.ReadCloser
	a *zipArchive
}

func (a *zipArchive) inflate(r io.Reader) io.ReadCloser {
	if old, ok := a.spare.(flate.Resetter); ok && old.Reset(r, nil) == nil {
		in := &inflater{a.spare, a}
		a.spare = nil
		return in
	}
	return &inflater{flate.NewReader(r), a}
}

func (in *inflater) Close() error {
	if in.ReadCloser == nil {
		return nil
	}
	err := in.ReadCloser.Close()
	in.a.spare, in.ReadCloser = in.ReadCloser, nil
	return err
}

// Read fails when closed, for another may read there now.
func (in *inflater) Read(p []byte) (int, error) {
	if in.ReadCloser == nil {
		return 0, io.ErrClosedPipe
	}
	return in.ReadCloser.Read(p)
}

// checkEntries looks at names, encryption and promised sizes.
func (a *zipArchive) checkEntries() (rule, detail string) {
	folded := map[string]bool{}
	var stored, inflated uint64
	for _, f := range a.files {
		switch key := strings.ToLower(f.Name); {
		case f.Name == "", len(f.Name) > maxZipName, strings.HasPrefix(f.Name, "/"), strings.ContainsAny(f.Name, "\\\x00"),
			strings.Contains("/"+f.Name+"/", "/../"), strings.Contains(f.Name, "//"):
			return "zip.names", f.Name
		case folded[key], otherName(f):
			return "zip.names", f.Name
		default:
			folded[key] = true
		}
		a.byName[f.Name] = f
		if f.Flags&0x1 != 0 {
			return "zip.encrypted", f.Name
		}
		if f.Method != zip.Store && f.Method != zip.Deflate {
			return "zip.malformed", fmt.Sprintf("%s: compression method %d", f.Name, f.Method)
		}
		stored += f.CompressedSize64
		inflated += f.UncompressedSize64
		if f.UncompressedSize64 > maxZipInflated || inflated > maxZipInflated {
			return "zip.bomb", f.Name
		}
		if f.UncompressedSize64 > zipRatioFrom && f.UncompressedSize64 > maxZipRatio*f.CompressedSize64 {
			return "zip.bomb", f.Name
		}
	}
	if inflated > zipRatioFrom && inflated > maxZipRatio*stored {
		return "zip.bomb", ""
	}
	return "", ""
}

// otherName reports an extra field by which some programs know the entry under
// another name (APPNOTE §4.6.9, Info-ZIP Unicode Path).
func otherName(f *zip.File) bool {
	for b := f.Extra; len(b) >= 4; {
		n := 4 + int(binary.LittleEndian.Uint16(b[2:]))
		if n > len(b) {
			return false
		}
		if binary.LittleEndian.Uint16(b) == 0x7075 && (n < 9 || string(b[9:n]) != f.Name) {
			return true
		}
		b = b[n:]
	}
	return false
}

// checkLayout walks the local headers from the first byte to the directory.
func (a *zipArchive) checkLayout(r io.ReaderAt, directory int64) string {
	byData := make(map[int64]*zip.File, len(a.files))
	for _, f := range a.files {
		at, err := f.DataOffset()
		if err != nil {
			return err.Error()
		}
		if byData[at] != nil {
			return "overlapping entries: " + f.Name
		}
		byData[at] = f
	}
	var head [30]byte
	pos := int64(0)
	for range a.files {
		if _, err := r.ReadAt(head[:], pos); err != nil || string(head[:4]) != "PK\x03\x04" {
			return fmt.Sprintf("no entry at byte %d", pos)
		}
		nameLen := int64(binary.LittleEndian.Uint16(head[26:]))
		data := pos + 30 + nameLen + int64(binary.LittleEndian.Uint16(head[28:]))
		f := byData[data]
		name := make([]byte, nameLen)
		if _, err := r.ReadAt(name, pos+30); err != nil || f == nil || string(name) != f.Name {
			return fmt.Sprintf("entry at byte %d is not the one in the directory", pos)
		}
		if flags := binary.LittleEndian.Uint16(head[6:]); flags != f.Flags || binary.LittleEndian.Uint16(head[8:]) != f.Method {
			return "two headers disagree: " + f.Name
		}
		pos = data + int64(f.CompressedSize64)
		if f.Flags&0x8 != 0 {
			pos += descriptorSize(r, pos, f)
		} else if binary.LittleEndian.Uint32(head[14:]) != f.CRC32 ||
			uint64(binary.LittleEndian.Uint32(head[18:])) != f.CompressedSize64 {
			return "two headers disagree: " + f.Name
		}
	}
	if pos != directory {
		return fmt.Sprintf("data between the entries and the directory at byte %d", pos)
	}
	return ""
}

// descriptorSize is the length of the data descriptor at pos (APPNOTE §4.3.9),
// whose signature is optional and whose sizes may be 4 or 8 bytes wide.
func descriptorSize(r io.ReaderAt, pos int64, f *zip.File) int64 {
	var d [24]byte
	n, _ := r.ReadAt(d[:], pos)
	b, signature := d[:n], int64(0)
	if bytes.HasPrefix(b, []byte("PK\x07\x08")) {
		b, signature = b[4:], 4
	}
	if len(b) >= 20 && binary.LittleEndian.Uint64(b[4:]) == f.CompressedSize64 &&
		binary.LittleEndian.Uint64(b[12:]) == f.UncompressedSize64 && f.UncompressedSize64 > 0 {
		return signature + 20
	}
	return signature + 12
}

// errBomb is returned by the readers of a package that inflates too far.
var errBomb = errors.New("inflates beyond the limit")

// open reads one part. The directory's sizes are promises of the file's author;
// the reader holds the part to the common budget whatever they say.
func (a *zipArchive) open(f *zip.File) (io.ReadCloser, error) {
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &zipPart{ReadCloser: rc, a: a}, nil
}

// opened is one file of an archive: its first bytes, to tell what it is, and
// the whole of it.
type opened struct {
	io.Closer
	head  []byte // at most 512 bytes
	whole io.Reader
}

func (a *zipArchive) peek(f *zip.File) (*opened, error) {
	rc, err := a.open(f)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(rc, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		rc.Close()
		return nil, err
	}
	return &opened{rc, head[:n], io.MultiReader(bytes.NewReader(head[:n]), rc)}, nil
}

type zipPart struct {
	io.ReadCloser
	a *zipArchive
}

func (p *zipPart) Read(b []byte) (int, error) {
	if p.a.left <= 0 {
		return 0, errBomb
	}
	n, err := p.ReadCloser.Read(b)
	p.a.left -= int64(n)
	return n, err
}

// isDir reports an entry that is only a folder.
func isDir(f *zip.File) bool { return strings.HasSuffix(f.Name, "/") }

// zipPackage sends a ZIP to the scanner of the package format it is.
func (s *scan) zipPackage(d detected) {
	a := d.zip
	if a.rule != "" {
		s.checkNameOfContainer()
		s.add(a.rule, "", a.detail)
		return
	}
	switch {
	case a.byName["[Content_Types].xml"] != nil && a.byName["mimetype"] != nil:
		s.add("format.polyglot", "", "OOXML + OpenDocument")
	case a.byName["[Content_Types].xml"] != nil:
		s.ooxml(a)
	case a.byName["mimetype"] != nil:
		s.odf(a)
	default:
		s.setFormat("zip")
		s.add("format.container", "", "")
	}
}

// checkNameOfContainer is for a ZIP that is too broken to say what it holds.
func (s *scan) checkNameOfContainer() {
	switch extension(s.name) {
	case "", "zip", "docx", "dotx", "docm", "dotm", "xlsx", "xltx", "xlsm", "xltm", "xlsb",
		"pptx", "ppsx", "potx", "pptm", "ppsm", "potm", "odt", "ott", "ods", "ots", "odp", "otp", "odg", "otg":
	default:
		s.checkName("zip")
	}
}
