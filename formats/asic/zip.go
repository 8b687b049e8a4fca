package asic

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"sigillo/formats/cms"
)

// The limits of a container.
const (
	maxEntries   = 10_000
	maxDirectory = 16 << 20 // octets of the central directory
	maxMeta      = 32 << 20 // octets of one file of META-INF, unpacked
	// The whole unpacks to at most maxPlain and maxRatio times its size: deflate
	// reaches a thousand, documents rarely twenty.
	maxPlain = 64 << 20
	maxRatio = 32
	// XAdES signatures read the documents anew, each of them, and each archive
	// time-stamp in them: all together so many times, or 2 × maxRatio times the
	// octets of the file if that is more, and maxWork beside.
	maxPasses = 2
	maxWork   = 128 << 20
)

// ZIP structures (APPNOTE 6.3 §4.3).
const (
	localSignature     = 0x04034b50
	directorySignature = 0x02014b50
	endSignature       = 0x06054b50
	end64Signature     = 0x06064b50
	locatorSignature   = 0x07064b50
	descriptorSig      = 0x08074b50

	localSize     = 30
	directorySize = 46
	endSize       = 22
	end64Size     = 56
	locatorSize   = 20

	stored   = 0
	deflated = 8

	flagDescriptor = 1 << 3
	flagUTF8       = 1 << 11
	flagsAllowed   = 1<<1 | 1<<2 | flagDescriptor | flagUTF8

	extraZip64   = 0x0001
	extraUnicode = 0x7075
)

var le = binary.LittleEndian

// entry is one entry of a ZIP file.
type entry struct {
	name         string
	method       uint16
	flags        uint16
	modified     uint32 // MS-DOS time and date
	crc          uint32
	packed, size int64
	attributes   uint32
	host         byte // of version made by
	header       int64
	data         int64 // offset of the packed octets
	end          int64 // offset past the entry
	extra        bool  // the local header has an extra field
	r            io.ReaderAt
}

func (e *entry) folder() bool { return strings.HasSuffix(e.name, "/") }

// archive is a ZIP file that was read strictly.
type archive struct {
	r       io.ReaderAt
	size    int64
	comment string
	entries []*entry
	byName  map[string]*entry
}

// readArchive reads the directory of a ZIP file and holds the local headers to it.
func readArchive(r io.ReaderAt, size int64) (*archive, error) {
	a := &archive{r: r, size: size, byName: map[string]*entry{}}
	end, count, from, length, err := a.findEnd()
	if err != nil {
		return nil, err
	}
	if count > maxEntries || length > maxDirectory {
		return nil, fail(cms.Limit, "the container has more than %d entries", maxEntries)
	}
	if from+length != end {
		return nil, fail(Ambiguous, "the directory of the container does not stand right before its end")
	}
	raw, err := readAt(r, from, length)
	if err != nil {
		return nil, err
	}
	for range count {
		var e *entry
		if e, raw, err = parseDirectory(raw); err != nil {
			return nil, err
		}
		e.r = r
		a.entries = append(a.entries, e)
	}
	if len(raw) > 0 {
		return nil, fail(Ambiguous, "the directory of the container is longer than its entries")
	}
	if err := a.checkEntries(from); err != nil {
		return nil, err
	}
	return a, a.checkNames()
}

func readAt(r io.ReaderAt, from, length int64) ([]byte, error) {
	if from < 0 || length < 0 {
		return nil, fail(cms.Malformed, "an offset in the container is wrong")
	}
	b := make([]byte, length)
	if n, err := r.ReadAt(b, from); int64(n) != length {
		if err == io.EOF {
			return nil, fail(cms.Malformed, "the container is cut short")
		}
		return nil, wrap(cms.Failed, err, "reading the container")
	}
	return b, nil
}

// findEnd finds the end of central directory record, which with its comment ends
// the file, and gives where the directory has to end, and what the record says of it.
func (a *archive) findEnd() (end, count, from, length int64, err error) {
	tail := min(a.size, endSize+math.MaxUint16)
	raw, err := readAt(a.r, a.size-tail, tail)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	at := -1
	for i := len(raw) - endSize; i >= 0; i-- {
		if le.Uint32(raw[i:]) == endSignature && i+endSize+int(le.Uint16(raw[i+20:])) == len(raw) {
			if at >= 0 {
				return 0, 0, 0, 0, fail(Ambiguous, "the container could end in two ways: its comment holds an end of its own")
			}
			at = i
		}
	}
	if at < 0 {
		return 0, 0, 0, 0, fail(NotASiC, "the file is not a ZIP file, or something follows its end")
	}
	rec := raw[at:]
	a.comment = string(rec[endSize:])
	end = a.size - tail + int64(at)
	count, length, from = int64(le.Uint16(rec[10:])), int64(le.Uint32(rec[12:])), int64(le.Uint32(rec[16:]))
	if le.Uint16(rec[4:]) != 0 || le.Uint16(rec[6:]) != 0 || int64(le.Uint16(rec[8:])) != count {
		return 0, 0, 0, 0, fail(Ambiguous, "the container is split into parts")
	}
	if end < locatorSize {
		return end, count, from, length, nil
	}
	locator, err := readAt(a.r, end-locatorSize, locatorSize)
	if err != nil || le.Uint32(locator) != locatorSignature {
		return end, count, from, length, err
	}
	return a.findEnd64(end-locatorSize, locator, rec)
}

// findEnd64 reads the ZIP64 records; what the ordinary one says has to agree or to
// point there.
func (a *archive) findEnd64(locatorAt int64, locator, rec []byte) (end, count, from, length int64, err error) {
	end = locatorAt - end64Size
	wrong := fail(Ambiguous, "the ZIP64 records of the container do not fit the ordinary ones")
	if le.Uint64(locator[8:]) != uint64(end) || le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) > 1 || end < 0 {
		return 0, 0, 0, 0, wrong
	}
	big, err := readAt(a.r, end, end64Size)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	if le.Uint32(big) != end64Signature || le.Uint64(big[4:]) != end64Size-12 || le.Uint32(big[16:]) != 0 || le.Uint32(big[20:]) != 0 ||
		le.Uint64(big[24:]) != le.Uint64(big[32:]) {
		return 0, 0, 0, 0, wrong
	}
	n, l, f := le.Uint64(big[32:]), le.Uint64(big[40:]), le.Uint64(big[48:])
	for _, c := range []struct{ small, large, limit uint64 }{
		{uint64(le.Uint16(rec[10:])), n, math.MaxUint16},
		{uint64(le.Uint32(rec[12:])), l, math.MaxUint32},
		{uint64(le.Uint32(rec[16:])), f, math.MaxUint32},
	} {
		if c.small != c.large && c.small != c.limit || c.large > math.MaxInt64/2 {
			return 0, 0, 0, 0, wrong
		}
	}
	return end, int64(n), int64(f), int64(l), nil
}

// parseDirectory reads one header of the central directory.
func parseDirectory(raw []byte) (*entry, []byte, error) {
	if len(raw) < directorySize || le.Uint32(raw) != directorySignature {
		return nil, nil, fail(cms.Malformed, "the directory of the container is broken")
	}
	e := &entry{
		host: raw[5], flags: le.Uint16(raw[8:]), method: le.Uint16(raw[10:]), modified: le.Uint32(raw[12:]), crc: le.Uint32(raw[16:]),
		packed: int64(le.Uint32(raw[20:])), size: int64(le.Uint32(raw[24:])), attributes: le.Uint32(raw[38:]), header: int64(le.Uint32(raw[42:])),
	}
	n, x, c := int(le.Uint16(raw[28:])), int(le.Uint16(raw[30:])), int(le.Uint16(raw[32:]))
	disk := le.Uint16(raw[34:])
	if raw = raw[directorySize:]; len(raw) < n+x+c {
		return nil, nil, fail(cms.Malformed, "the directory of the container is broken")
	}
	e.name = string(raw[:n])
	if err := e.readExtra(raw[n : n+x]); err != nil {
		return nil, nil, err
	}
	if disk != 0 {
		return nil, nil, fail(Ambiguous, "the container is split into parts")
	}
	return e, raw[n+x+c:], e.check()
}

// readExtra reads the ZIP64 sizes, which stand there for each that is all ones, and
// refuses a second name.
func (e *entry) readExtra(extra []byte) error {
	big := false
	for len(extra) > 0 {
		if len(extra) < 4 || len(extra)-4 < int(le.Uint16(extra[2:])) {
			return fail(cms.Malformed, "an extra field of %q is broken", e.name)
		}
		id, body := le.Uint16(extra), extra[4:4+le.Uint16(extra[2:])]
		extra = extra[4+len(body):]
		switch id {
		case extraUnicode:
			if len(body) < 5 || string(body[5:]) != e.name {
				return fail(Ambiguous, "the entry %q has a second name", e.name)
			}
		case extraZip64:
			if big {
				return fail(Ambiguous, "the entry %q has its sizes twice", e.name)
			}
			big = true
			for _, v := range []*int64{&e.size, &e.packed, &e.header} {
				if *v != math.MaxUint32 || len(body) < 8 {
					continue
				}
				n := le.Uint64(body)
				if body = body[8:]; n > math.MaxInt64/2 {
					return fail(cms.Malformed, "a size of %q is wrong", e.name)
				}
				*v = int64(n)
			}
		}
	}
	return nil
}

// check refuses what an entry of a container may not be.
func (e *entry) check() error {
	switch mode := e.attributes >> 16; {
	case e.flags&^flagsAllowed != 0:
		return fail(cms.Unsupported, "the entry %q is encrypted or packed in a way that is not supported", e.name)
	case e.method != stored && e.method != deflated:
		return fail(cms.Unsupported, "the entry %q is packed by method %d, which is not supported", e.name, e.method)
	case e.method == stored && e.packed != e.size:
		return fail(Ambiguous, "the entry %q has two sizes", e.name)
	case (e.host == 3 || e.host == 19) && mode&0xf000 != 0 && mode&0xf000 != 0x8000 && mode&0xf000 != 0x4000:
		return fail(Ambiguous, "the entry %q is a link or a device, not a file", e.name)
	case e.folder() && (e.size != 0 || e.packed > 2):
		return fail(Ambiguous, "the folder %q has content", e.name)
	}
	return checkName(e.name)
}

// checkEntries goes over the local headers: they follow each other from the first
// octet to the directory, with nothing between, and say what the directory says.
func (a *archive) checkEntries(directory int64) error {
	var at, total int64
	seen := map[int64]*entry{}
	for _, e := range a.entries {
		if seen[e.header] != nil {
			return fail(Ambiguous, "the entries %q and %q are the same octets", e.name, seen[e.header].name)
		}
		seen[e.header] = e
		if total += e.size; total > maxPlain+maxRatio*a.size || total < 0 {
			return fail(cms.Limit, "the container unpacks to more than %d times its size", maxRatio)
		}
	}
	for range a.entries {
		e := seen[at]
		if e == nil {
			return fail(Ambiguous, "the container holds octets that belong to no entry (at %d)", at)
		}
		if err := e.checkLocal(directory); err != nil {
			return err
		}
		at = e.end
	}
	if at != directory {
		return fail(Ambiguous, "the container holds octets that belong to no entry (at %d)", at)
	}
	return nil
}

// checkLocal holds the local header and the data descriptor to the directory.
func (e *entry) checkLocal(directory int64) error {
	if e.header+localSize > directory {
		return fail(cms.Malformed, "the entry %q lies outside the container", e.name)
	}
	h, err := readAt(e.r, e.header, localSize)
	if err != nil {
		return err
	}
	differs := fail(Ambiguous, "the entry %q says something else in its header than in the directory", e.name)
	n, x := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	if le.Uint32(h) != localSignature || le.Uint16(h[6:]) != e.flags || le.Uint16(h[8:]) != e.method || n != int64(len(e.name)) {
		return differs
	}
	e.data = e.header + localSize + n + x
	if e.data+e.packed > directory || e.data+e.packed < 0 {
		return fail(cms.Malformed, "the entry %q lies outside the container", e.name)
	}
	rest, err := readAt(e.r, e.header+localSize, n+x)
	if err != nil {
		return err
	}
	if string(rest[:n]) != e.name {
		return differs
	}
	e.extra = x > 0
	local := entry{name: e.name, crc: le.Uint32(h[14:]), packed: int64(le.Uint32(h[18:])), size: int64(le.Uint32(h[22:]))}
	if err := local.readExtra(rest[n:]); err != nil {
		return err
	}
	e.end = e.data + e.packed
	if e.flags&flagDescriptor == 0 {
		if local.crc != e.crc || local.packed != e.packed || local.size != e.size {
			return differs
		}
		return nil
	}
	if local.crc != 0 && local.crc != e.crc || local.size != 0 && local.size != e.size || local.packed != 0 && local.packed != e.packed {
		return differs
	}
	return e.checkDescriptor(directory)
}

// checkDescriptor reads the descriptor after the data: with or without signature,
// with sizes of 32 or 64 bits.
func (e *entry) checkDescriptor(directory int64) error {
	raw, err := readAt(e.r, e.end, min(24, directory-e.end))
	if err != nil {
		return err
	}
	for _, wide := range []bool{false, true} {
		want := le.AppendUint32(nil, e.crc)
		if wide {
			want = le.AppendUint64(le.AppendUint64(want, uint64(e.packed)), uint64(e.size))
		} else {
			want = le.AppendUint32(le.AppendUint32(want, uint32(e.packed)), uint32(e.size))
		}
		for _, head := range [][]byte{le.AppendUint32(nil, descriptorSig), nil} {
			all := append(bytes.Clone(head), want...)
			if bytes.HasPrefix(raw, all) && (wide || e.packed <= math.MaxUint32 && e.size <= math.MaxUint32) {
				e.end += int64(len(all))
				return nil
			}
		}
	}
	return fail(Ambiguous, "the entry %q says something else behind its data than in the directory", e.name)
}

// checkNames refuses names that some file system would unpack into one file, and
// the container's own names in other spellings.
func (a *archive) checkNames() error {
	plain := map[string]string{}
	for _, e := range a.entries {
		p := plainName(e.name)
		if other, ok := plain[p]; ok {
			return fail(Ambiguous, "the names %q and %q are one for some programs", other, e.name)
		}
		plain[p] = e.name
		a.byName[e.name] = e
		if p == mimetypeName && e.name != mimetypeName || (p == "meta-inf" || strings.HasPrefix(p, "meta-inf/")) && !strings.HasPrefix(e.name, metaInf) {
			return fail(Ambiguous, "the name %q is one of the container's own in another spelling", e.name)
		}
	}
	for _, e := range a.entries {
		for p := plainName(e.name); strings.Contains(p, "/"); {
			p = p[:strings.LastIndexByte(p, '/')]
			if other, ok := plain[p]; ok && !strings.HasSuffix(other, "/") {
				return fail(Ambiguous, "the name %q is one of a file and of a folder", other)
			}
		}
	}
	return nil
}

// open gives the unpacked octets. Reading fails if they are not what the directory
// says by size and checksum.
func (e *entry) open() io.Reader {
	packed := io.NewSectionReader(e.r, e.data, e.packed)
	c := &checked{e: e, r: packed}
	if e.method == deflated {
		c.r = flate.NewReader(packed)
	}
	return c
}

// checked reads an entry and checks it on the way.
type checked struct {
	e   *entry
	r   io.Reader
	n   int64
	crc uint32
}

// Read reads unpacked octets.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b[:n])
	switch {
	case c.n > c.e.size, err == io.EOF && (c.n != c.e.size || c.crc != c.e.crc):
		return 0, fail(cms.Mismatch, "the entry %q is damaged: its size or checksum is another one", c.e.name)
	case err != nil && err != io.EOF:
		return n, wrap(cms.Malformed, err, "the entry %q cannot be unpacked", c.e.name)
	}
	return n, err
}

// bytes gives a file of META-INF, all of it.
func (e *entry) bytes() ([]byte, error) {
	if e.size > maxMeta {
		return nil, fail(cms.Limit, "the file %q has more than %d octets", e.name, maxMeta)
	}
	b, err := io.ReadAll(io.LimitReader(e.open(), maxMeta+1))
	if err != nil {
		return nil, err
	}
	return b, nil
}
