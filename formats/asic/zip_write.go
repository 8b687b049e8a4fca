package asic

import (
	"compress/flate"
	"hash/crc32"
	"io"
	"math"
	"time"

	"sigillo/formats/cms"
)

// maker writes a ZIP file as a stream. What is known before it is written (files of
// META-INF, entries that are copied) has its sizes in the local header; documents
// are packed on the way and have them behind (flag 3). Documents that could need
// 64 bits for that are stored, with a ZIP64 header.
type maker struct {
	w       io.Writer
	pos     int64
	entries []*entry
	packer  *flate.Writer // of all documents, one after the other
	err     error
}

func (m *maker) write(b []byte) {
	if m.err != nil {
		return
	}
	n, err := m.w.Write(b)
	m.pos += int64(n)
	if err != nil {
		m.err = wrap(cms.Failed, err, "writing the container")
	}
}

// Write lets packers write into the file.
func (m *maker) Write(b []byte) (int, error) {
	m.write(b)
	return len(b), m.err
}

// version needed to extract (APPNOTE §4.4.3).
const (
	versionDeflate = 20
	versionZip64   = 45
)

func (e *entry) zip64() bool {
	return e.size >= math.MaxUint32 || e.packed >= math.MaxUint32 || e.header >= math.MaxUint32
}

func low(n int64) uint32 { return uint32(min(n, math.MaxUint32)) }

// local writes the local header of an entry; one with a descriptor leaves its
// numbers at zero.
func (m *maker) local(e *entry) {
	e.header = m.pos
	version, extra := uint16(versionDeflate), []byte(nil)
	crc, packed, size := e.crc, low(e.packed), low(e.size)
	switch {
	case e.flags&flagDescriptor != 0:
		crc, packed, size = 0, 0, 0
	case e.size >= math.MaxUint32 || e.packed >= math.MaxUint32:
		version, packed, size = versionZip64, math.MaxUint32, math.MaxUint32
		extra = le.AppendUint16(le.AppendUint16(nil, extraZip64), 16)
		extra = le.AppendUint64(le.AppendUint64(extra, uint64(e.size)), uint64(e.packed))
	}
	h := le.AppendUint32(nil, localSignature)
	h = le.AppendUint16(le.AppendUint16(le.AppendUint16(h, version), e.flags), e.method)
	h = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(h, e.modified), crc), packed), size)
	h = le.AppendUint16(le.AppendUint16(h, uint16(len(e.name))), uint16(len(extra)))
	m.write(append(append(h, e.name...), extra...))
	m.entries = append(m.entries, e)
}

// directory writes the central directory and the end.
func (m *maker) close(comment string) error {
	from := m.pos
	for _, e := range m.entries {
		version, extra := uint16(versionDeflate), []byte(nil)
		packed, size, header := low(e.packed), low(e.size), low(e.header)
		if e.zip64() {
			version, packed, size, header = versionZip64, math.MaxUint32, math.MaxUint32, math.MaxUint32
			extra = le.AppendUint16(le.AppendUint16(nil, extraZip64), 24)
			extra = le.AppendUint64(le.AppendUint64(le.AppendUint64(extra, uint64(e.size)), uint64(e.packed)), uint64(e.header))
		}
		h := le.AppendUint32(nil, directorySignature)
		h = le.AppendUint16(le.AppendUint16(le.AppendUint16(le.AppendUint16(h, version), version), e.flags), e.method)
		h = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(h, e.modified), e.crc), packed), size)
		h = le.AppendUint16(le.AppendUint16(le.AppendUint16(h, uint16(len(e.name))), uint16(len(extra))), 0)
		h = le.AppendUint32(le.AppendUint32(le.AppendUint32(h, 0), 0), header)
		m.write(append(append(h, e.name...), extra...))
	}
	m.end(from, m.pos-from, comment)
	return m.err
}

func (m *maker) end(from, length int64, comment string) {
	count := int64(len(m.entries))
	if count >= math.MaxUint16 || from+length >= math.MaxUint32 {
		at := m.pos
		b := le.AppendUint64(le.AppendUint32(nil, end64Signature), end64Size-12)
		b = le.AppendUint16(le.AppendUint16(b, versionZip64), versionZip64)
		b = le.AppendUint64(b, 0)
		b = le.AppendUint64(le.AppendUint64(b, uint64(count)), uint64(count))
		b = le.AppendUint64(le.AppendUint64(b, uint64(length)), uint64(from))
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, locatorSignature), 0), uint64(at))
		m.write(le.AppendUint32(b, 1))
	}
	n := uint16(min(count, math.MaxUint16))
	b := le.AppendUint32(le.AppendUint32(nil, endSignature), 0)
	b = le.AppendUint16(le.AppendUint16(b, n), n)
	b = le.AppendUint32(le.AppendUint32(b, low(length)), low(from))
	m.write(append(le.AppendUint16(b, uint16(len(comment))), comment...))
}

// file writes a small file. Only the mimetype is stored: its octets have to be seen.
func (m *maker) file(name string, content []byte, modified uint32) {
	e := &entry{name: name, modified: modified, crc: crc32.ChecksumIEEE(content), size: int64(len(content)), packed: int64(len(content))}
	e.setName()
	m.local(e)
	m.write(content)
}

func (e *entry) setName() {
	for i := range len(e.name) {
		if e.name[i] >= 0x80 {
			e.flags |= flagUTF8
		}
	}
}

// document packs a document of the given size, with the digesters beside it.
func (m *maker) document(d Document, modified uint32, beside io.Writer) error {
	e := &entry{name: d.Name, modified: modified, method: deflated, flags: flagDescriptor}
	e.setName()
	if d.Size >= math.MaxUint32-1<<20 {
		return m.storedDocument(e, d, beside)
	}
	m.local(e)
	from, sum := m.pos, crc32.NewIEEE()
	// Most documents are packed in themselves (PDF, office files): more effort costs
	// many times the signature and gains nothing.
	var err error
	if m.packer == nil {
		m.packer, err = flate.NewWriter(m, flate.BestSpeed)
	} else {
		m.packer.Reset(m) // it is as large as hundreds of small documents
	}
	if err != nil {
		return wrap(cms.Failed, err, "packing a document")
	}
	if e.size, err = d.copyTo(io.MultiWriter(m.packer, sum, beside)); err != nil {
		return err
	}
	if err := m.packer.Close(); err != nil {
		return wrap(cms.Failed, err, "packing a document")
	}
	e.packed, e.crc = m.pos-from, sum.Sum32()
	b := le.AppendUint32(le.AppendUint32(nil, descriptorSig), e.crc)
	m.write(le.AppendUint32(le.AppendUint32(b, uint32(e.packed)), uint32(e.size)))
	return m.err
}

// storedDocument writes a document of more than 32 bits of size: it is read once
// more for its checksum, which has to stand before it.
func (m *maker) storedDocument(e *entry, d Document, beside io.Writer) error {
	sum := crc32.NewIEEE()
	if _, err := d.copyTo(sum); err != nil {
		return err
	}
	e.method, e.crc, e.size, e.packed = stored, sum.Sum32(), d.Size, d.Size
	e.flags &^= flagDescriptor
	m.local(e)
	_, err := d.copyTo(io.MultiWriter(m, beside))
	return err
}

// copy copies an entry of another container as it is packed there.
func (m *maker) copy(from *entry, name string) error {
	e := *from
	e.name, e.flags = name, from.flags&^(flagDescriptor|flagUTF8)
	e.setName()
	m.local(&e)
	if _, err := io.Copy(m, io.NewSectionReader(from.r, from.data, from.packed)); err != nil {
		if m.err != nil {
			return m.err
		}
		return wrap(cms.Failed, err, "reading the container")
	}
	return m.err
}

// dosTime gives a time in the form of MS-DOS, in UTC, to two seconds.
func dosTime(t time.Time) uint32 {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 2107 {
		return 1<<21 | 1<<16 // the first day it can tell
	}
	date := uint32(t.Year()-1980)<<9 | uint32(t.Month())<<5 | uint32(t.Day())
	return date<<16 | uint32(t.Hour())<<11 | uint32(t.Minute())<<5 | uint32(t.Second()/2)
}
