package asic_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

var le = binary.LittleEndian

// part is an entry of a ZIP file that a test writes as it likes: what is not set is
// right.
type part struct {
	name, localName         string
	data                    []byte
	method, flags           uint16
	localFlags, localMethod *uint16
	crc, localCRC, size     *uint32
	extra, localExtra       []byte
	attributes              uint32
	before                  []byte // octets that belong to nobody
	descriptor              []byte // behind the data
	packed                  []byte
	same                    int // index of the part whose local header is used again, +1
}

func u16(n uint16) *uint16 { return &n }
func u32(n uint32) *uint32 { return &n }

func or[T any](p *T, other T) T {
	if p != nil {
		return *p
	}
	return other
}

// zipOf writes a ZIP file; end may change its last record.
func zipOf(parts []part, comment string, end func([]byte) []byte) []byte {
	var out, dir bytes.Buffer
	offsets := make([]int, len(parts))
	for i, p := range parts {
		out.Write(p.before)
		offsets[i] = out.Len()
		packed := p.packed
		if packed == nil {
			packed = p.data
		}
		crc, size := or(p.crc, crc32.ChecksumIEEE(p.data)), or(p.size, uint32(len(p.data)))
		local := p.localName
		if local == "" {
			local = p.name
		}
		if p.same > 0 {
			offsets[i] = offsets[p.same-1]
		} else {
			h := le.AppendUint16(le.AppendUint32(nil, 0x04034b50), 20)
			h = le.AppendUint16(le.AppendUint16(h, or(p.localFlags, p.flags)), or(p.localMethod, p.method))
			h = le.AppendUint32(le.AppendUint32(h, 1<<21|1<<16), or(p.localCRC, crc))
			lp, ls := uint32(len(packed)), size
			if p.descriptor != nil {
				h, lp, ls = h[:len(h)-4], 0, 0
				h = le.AppendUint32(h, 0)
			}
			h = le.AppendUint32(le.AppendUint32(h, lp), ls)
			h = le.AppendUint16(le.AppendUint16(h, uint16(len(local))), uint16(len(p.localExtra)))
			out.Write(h)
			out.WriteString(local)
			out.Write(p.localExtra)
			out.Write(packed)
			out.Write(p.descriptor)
		}
		h := le.AppendUint16(le.AppendUint16(le.AppendUint32(nil, 0x02014b50), 3<<8|20), 20)
		h = le.AppendUint16(le.AppendUint16(h, p.flags), p.method)
		h = le.AppendUint32(le.AppendUint32(h, 1<<21|1<<16), crc)
		h = le.AppendUint32(le.AppendUint32(h, uint32(len(packed))), size)
		h = le.AppendUint16(le.AppendUint16(h, uint16(len(p.name))), uint16(len(p.extra)))
		h = le.AppendUint32(le.AppendUint16(le.AppendUint16(le.AppendUint16(h, 0), 0), 0), p.attributes)
		h = le.AppendUint32(h, uint32(offsets[i]))
		dir.Write(append(append(h, p.name...), p.extra...))
	}
	at := out.Len()
	out.Write(dir.Bytes())
	n := uint16(len(parts))
	e := le.AppendUint32(le.AppendUint32(nil, 0x06054b50), 0)
	e = le.AppendUint16(le.AppendUint16(e, n), n)
	e = le.AppendUint32(le.AppendUint32(e, uint32(dir.Len())), uint32(at))
	e = append(le.AppendUint16(e, uint16(len(comment))), comment...)
	if end != nil {
		e = end(e)
	}
	out.Write(e)
	return out.Bytes()
}

// parts takes a container apart.
func parts(t testing.TB, file []byte) []part {
	t.Helper()
	c := open(t, file)
	var out []part
	out = append(out, part{name: "mimetype", data: []byte(c.MediaType)})
	for _, d := range c.Documents {
		b, err := io.ReadAll(d.Open())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part{name: d.Name, data: b})
	}
	for _, s := range c.Signatures() {
		if s.Manifest != "" {
			out = append(out, part{name: s.Manifest, data: metaFile(t, file, s.Manifest)})
		}
		out = append(out, part{name: s.File, data: metaFile(t, file, s.File)})
	}
	return out
}

// metaFile takes a stored file out of a container.
func metaFile(t testing.TB, file []byte, name string) []byte {
	t.Helper()
	for i := 0; i+30 < len(file); i++ {
		if le.Uint32(file[i:]) == 0x04034b50 && bytes.HasPrefix(file[i+30:], []byte(name)) && int(le.Uint16(file[i+26:])) == len(name) {
			at := i + 30 + len(name) + int(le.Uint16(file[i+28:]))
			return file[at : at+int(le.Uint32(file[i+18:]))]
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func openBytes(b []byte) (*asic.Container, error) {
	return asic.Open(bytes.NewReader(b), int64(len(b)))
}

// The same parts written by hand are the same container, and what other programs
// legally write differently is read.
func TestForeignZip(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := sign(t, pki, id, several, options(id, asic.CAdES, asic.Extended))
	zip64 := func(n int) []byte {
		return le.AppendUint64(le.AppendUint64(le.AppendUint16(le.AppendUint16(nil, 1), 16), uint64(n)), uint64(n))
	}
	for name, change := range map[string]func([]part){
		"as it is":  func([]part) {},
		"packed":    func(p []part) { p[1].method, p[1].packed = 8, deflate(p[1].data) },
		"timestamp": func(p []part) { p[1].extra = []byte{0x55, 0x54, 1, 0, 0}; p[1].localExtra = p[1].extra },
		"sizes in ZIP64 fields": func(p []part) {
			p[1].localExtra = zip64(len(p[1].data))
		},
		"a descriptor": func(p []part) {
			p[1].flags = 8
			p[1].descriptor = le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, crc32.ChecksumIEEE(p[1].data)), uint32(len(p[1].data))), uint32(len(p[1].data)))
		},
	} {
		p := parts(t, file)
		change(p)
		c, err := openBytes(zipOf(p, "", nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.Signatures()[0].Verify(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := openBytes(zipOf(append(parts(t, file), part{name: "allegati/"}, part{name: "META-INF/"}), "a comment", nil))
	if err != nil || c.Signatures()[0].Verify() != nil || len(c.Uncovered()) > 0 {
		t.Errorf("folders and a comment: %v", err)
	}
}

// What two programs could unpack in two ways is refused.
func TestZipTricks(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := sign(t, pki, id, several, options(id, asic.CAdES, asic.Extended))
	more := func(extra ...part) func([]part) []part {
		return func(p []part) []part { return append(p, extra...) }
	}
	one := func(do func(*part)) func([]part) []part {
		return func(p []part) []part { do(&p[1]); return p }
	}
	evil := []byte("evil")
	for name, change := range map[string]func([]part) []part{
		"a name twice":                 func(p []part) []part { return append(p, part{name: p[1].name, data: evil}) },
		"a name in other letters":      func(p []part) []part { return append(p, part{name: strings.ToUpper(p[1].name), data: evil}) },
		"a name composed otherwise":    more(part{name: "Citta\u0300.txt", data: evil}),
		"a name of compatible letters": more(part{name: "ﬁle", data: evil}, part{name: "file", data: evil}),
		"a file and a folder":          more(part{name: "allegati", data: evil}),
		"meta-inf in small letters":    more(part{name: "meta-inf/x", data: evil}),
		"MIMETYPE":                     more(part{name: "Mimetype", data: evil}),
		"the parent folder":            more(part{name: "../x", data: evil}),
		"the parent folder inside":     more(part{name: "a/../x", data: evil}),
		"an absolute name":             more(part{name: "/etc/x", data: evil}),
		"a drive":                      more(part{name: "C:x", data: evil}),
		"a backslash":                  more(part{name: "a\\x", data: evil}),
		"a dot":                        more(part{name: "./x", data: evil}),
		"a dot at the end":             more(part{name: "x.", data: evil}),
		"two slashes":                  more(part{name: "a//x", data: evil}),
		"an empty name":                more(part{name: "", data: evil}),
		"a zero":                       more(part{name: "x\x00.txt", data: evil}),
		"a turn of writing":            more(part{name: "x\u202etxt.exe", data: evil}),
		"not UTF-8":                    more(part{name: "x\xff", data: evil}),
		"a long name":                  more(part{name: strings.Repeat("x", 2000), data: evil}),
		"a folder with content":        more(part{name: "x/", data: evil}),
		"a symbolic link":              more(part{name: "x", data: evil, attributes: 0xa1ff << 16}),
		"a device":                     more(part{name: "x", data: evil, attributes: 0x6000 << 16}),
		"encrypted":                    one(func(p *part) { p.flags = 1 }),
		"strong encryption":            one(func(p *part) { p.flags = 1 << 6 }),
		"hidden header":                one(func(p *part) { p.flags = 1 << 13 }),
		"an unknown method":            one(func(p *part) { p.method = 12 }),
		"another name in the header":   one(func(p *part) { p.localName = "x" }),
		"another case in the header":   one(func(p *part) { p.localName = strings.ToUpper(p.name) }),
		"another method":               one(func(p *part) { p.localMethod = u16(8) }),
		"other flags":                  one(func(p *part) { p.localFlags = u16(1 << 11) }),
		"another checksum":             one(func(p *part) { p.localCRC = u32(1) }),
		"another size":                 one(func(p *part) { p.size = u32(1) }),
		"a second name":                one(func(p *part) { p.extra = []byte{0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, 'x'} }),
		"a second name in the header":  one(func(p *part) { p.localExtra = []byte{0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, 'x'} }),
		"a broken extra field":         one(func(p *part) { p.extra = []byte{1, 0, 9, 0} }),
		"octets before an entry":       one(func(p *part) { p.before = evil }),
		"octets before the first":      func(p []part) []part { p[0].before = evil; return p },
		"an entry hidden between":      one(func(p *part) { p.before = zipOf([]part{{name: "x", data: evil}}, "", nil)[:35] }),
		"two names for one entry": func(p []part) []part {
			return append(p, part{name: p[1].name + "2", localName: p[1].name, data: p[1].data, same: 2})
		},
		"a wrong descriptor": one(func(p *part) { p.flags, p.descriptor = 8, make([]byte, 16) }),
		"octets before the directory": func(p []part) []part {
			p[len(p)-1].packed = append(bytes.Clone(p[len(p)-1].data), 'x')
			return p
		},
	} {
		if _, err := openBytes(zipOf(change(parts(t, file)), "", nil)); err == nil {
			t.Errorf("%s: accepted", name)
		} else if asic.KindOf(err) == "" {
			t.Errorf("%s: the error %v has no kind", name, err)
		}
	}
	inner := zipOf([]part{{name: "x", data: evil}}, "", nil)
	end := inner[len(inner)-22:]
	for name, bad := range map[string][]byte{
		"octets behind":          append(bytes.Clone(file), 'x'),
		"octets before":          append([]byte("#!/bin/sh\n"), file...),
		"cut":                    file[:len(file)-1],
		"two ends":               zipOf(parts(t, file), string(end), nil),
		"fewer entries":          zipOf(parts(t, file), "", func(e []byte) []byte { e[10], e[8] = e[10]-1, e[8]-1; return e }),
		"more entries":           zipOf(parts(t, file), "", func(e []byte) []byte { e[10], e[8] = e[10]+1, e[8]+1; return e }),
		"two counts":             zipOf(parts(t, file), "", func(e []byte) []byte { e[8]--; return e }),
		"parts":                  zipOf(parts(t, file), "", func(e []byte) []byte { e[4] = 1; return e }),
		"another directory":      zipOf(parts(t, file), "", func(e []byte) []byte { e[16]++; return e }),
		"a ZIP64 end that lies":  zipOf(parts(t, file), "", func(e []byte) []byte { return append(lyingEnd64(), e...) }),
		"a locator of nothing":   zipOf(parts(t, file), "", func(e []byte) []byte { return append(lyingEnd64()[56:], e...) }),
		"many entries":           manyEntries(),
		"a bomb":                 bomb(),
		"an empty file":          nil,
		"no signatures":          zipOf([]part{{name: "x", data: evil}}, "", nil),
		"nothing but signatures": zipOf(parts(t, file)[len(several)+1:], "", nil),
		"another type":           zipOf([]part{{name: "mimetype", data: []byte("application/epub+zip")}, {name: "META-INF/signatures.xml", data: evil}}, "", nil),
	} {
		if _, err := openBytes(bad); err == nil {
			t.Errorf("%s: accepted", name)
		} else if asic.KindOf(err) == "" {
			t.Errorf("%s: the error %v has no kind", name, err)
		}
	}
}

func lyingEnd64() []byte {
	b := le.AppendUint64(le.AppendUint32(nil, 0x06064b50), 44)
	b = append(b, make([]byte, 44)...)
	b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, 0x07064b50), 0), 0)
	return le.AppendUint32(b, 1)
}

func manyEntries() []byte {
	all := make([]part, 10_001)
	for i := range all {
		all[i] = part{name: fmt.Sprintf("x%d", i)}
	}
	return zipOf(all, "", nil)
}

func bomb() []byte {
	return zipOf([]part{{name: "x", method: 8, packed: deflate(nil), size: u32(1 << 30)}, {name: "META-INF/signature.p7s", data: []byte("x")}}, "", nil)
}

// A document whose directory entry lies about what is packed cannot be read, and
// its signature is not valid.
func TestDamagedDocument(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := sign(t, pki, id, one, options(id, asic.CAdES, ""))
	for name, change := range map[string]func(*part){
		"other octets, right checksum of the old": func(p *part) { p.crc = u32(crc32.ChecksumIEEE(p.data)); p.data = bytes.ToUpper(p.data) },
		"packed data that are none":               func(p *part) { p.method, p.packed = 8, []byte{0xff, 0xff} },
		"packed data of another size": func(p *part) {
			p.method, p.packed, p.size = 8, deflate(append(p.data, 'x')), u32(uint32(len(p.data)))
		},
		"other octets": func(p *part) { p.data = bytes.ToUpper(p.data) },
	} {
		p := parts(t, file)
		change(&p[1])
		c, err := openBytes(zipOf(p, "", nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Signatures()[0].Verify(); asic.KindOf(err) == "" {
			t.Errorf("%s: accepted: %v", name, err)
		}
	}
}

// What is wrong with the container beside its signatures is told.
func TestIrregular(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	simple := sign(t, pki, id, one, options(id, asic.CAdES, ""))
	for name, c := range map[string]struct {
		parts     func([]part) []part
		comment   string
		uncovered int
	}{
		"mimetype not first":    {func(p []part) []part { p[0], p[1] = p[1], p[0]; return p }, "", 0},
		"mimetype packed":       {func(p []part) []part { p[0].method, p[0].packed = 8, deflate(p[0].data); return p }, "", 0},
		"mimetype with a field": {func(p []part) []part { p[0].localExtra = []byte{0x55, 0x54, 1, 0, 0}; return p }, "", 0},
		"mimetype and a line":   {func(p []part) []part { p[0].data = append(p[0].data, '\n'); return p }, "", 0},
		"another comment":       {func(p []part) []part { return p }, "mimetype=application/vnd.etsi.asic-e+zip", 0},
		"a second document":     {func(p []part) []part { return append(p, part{name: "x", data: []byte("x")}) }, "", 1},
	} {
		got, err := openBytes(zipOf(c.parts(parts(t, simple)), c.comment, nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got.Irregular) == 0 || len(got.Signatures()[0].Missing(ades.BB)) == 0 {
			t.Errorf("%s: not told", name)
		}
		if u := got.Uncovered(); c.uncovered > 0 && len(u) == 0 {
			t.Errorf("%s: all is said to be covered", name)
		}
		if err := got.Signatures()[0].Verify(); (err != nil) != (c.uncovered > 0) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	extended := sign(t, pki, id, several, options(id, asic.CAdES, asic.Extended))
	c, err := openBytes(zipOf(append(parts(t, extended), part{name: "x", data: []byte("x")}, part{name: "META-INF/x", data: []byte("x")}), "", nil))
	if err != nil || c.Signatures()[0].Verify() != nil || len(c.Uncovered()) != 2 || c.Signatures()[0].CoversAll() {
		t.Errorf("files beside the signed ones are not told: %v", err)
	}
}

// A manifest that names itself, a file twice or a file that is not there, or that
// was exchanged, makes the signature invalid.
func TestManifests(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := sign(t, pki, id, several, options(id, asic.CAdES, asic.Extended))
	manifest := string(metaFile(t, file, "META-INF/ASiCManifest001.xml"))
	ref := manifest[strings.Index(manifest, "<asic:DataObjectReference"):strings.LastIndex(manifest, "</asic:ASiCManifest>")]
	for name, change := range map[string]func([]part) []part{
		"the signed one exchanged": func(p []part) []part {
			p[4].data = []byte(strings.Replace(manifest, "perizia", "perizie", 1))
			return p
		},
		"names itself": func(p []part) []part {
			p[4].data = []byte(strings.Replace(manifest, "dichiarazione.txt", "META-INF/ASiCManifest001.xml", 1))
			return p
		},
		"names its signature": func(p []part) []part {
			p[4].data = []byte(strings.Replace(manifest, "dichiarazione.txt", "META-INF/signature001.p7s", 1))
			return p
		},
		"names files twice": func(p []part) []part { p[4].data = []byte(strings.Replace(manifest, ref, ref+ref, 1)); return p },
		"names nothing":     func(p []part) []part { p[4].data = []byte(strings.Replace(manifest, ref, "", 1)); return p },
		"with a DTD": func(p []part) []part {
			p[4].data = []byte(strings.Replace(manifest, "<asic:ASiCManifest", "<!DOCTYPE x><asic:ASiCManifest", 1))
			return p
		},
		"a second one": func(p []part) []part {
			return append(p, part{name: "META-INF/ASiCManifest002.xml", data: []byte(manifest)})
		},
		"none":                 func(p []part) []part { return append(p[:4:4], p[5]) },
		"a document missing":   func(p []part) []part { return append(p[:1:1], p[2:]...) },
		"a document exchanged": func(p []part) []part { p[1].data = []byte("evil"); return p },
	} {
		c, err := openBytes(zipOf(change(parts(t, file)), "", nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Signatures()[0].Verify(); asic.KindOf(err) == "" {
			t.Errorf("%s: accepted: %v", name, err)
		}
	}
}

// The archive time-stamp of a container notices every file that is changed after it.
func TestArchiveCoversAll(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := raise(t, pki, sign(t, pki, id, several, options(id, asic.CAdES, asic.Extended)), ades.BLTA)
	base := parts(t, file)
	for _, name := range []string{"META-INF/ASiCArchiveManifest.xml", "META-INF/timestamp001.tst"} {
		base = append(base, part{name: name, data: metaFile(t, file, name)})
	}
	for i := range base {
		all := append([]part(nil), base...)
		all[i].data = append(bytes.Clone(all[i].data), ' ')
		c, err := openBytes(zipOf(all, "", nil))
		if i == 0 {
			continue // the mimetype, which is irregular then
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Stamps()[0].Verify(); asic.KindOf(err) == "" {
			t.Errorf("%s was changed and the time-stamp says %v", base[i].name, err)
		}
	}
	c, err := openBytes(zipOf(base, "", nil))
	if err != nil || c.Stamps()[0].Verify() != nil {
		t.Fatalf("the container is not right unchanged: %v", err)
	}
	if err := asic.AddEvidence(io.Discard, bytes.NewReader(file), int64(len(file)), ades.Extension{Signatures: []int{0}}); asic.KindOf(err) != cms.Unsupported {
		t.Errorf("evidence put into a signature under an archive time-stamp gives %v", err)
	}
}

// Very many signatures over a large document are not all read.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	data := make([]byte, 32<<20)
	docs := []asic.Document{{Name: "x", Reader: bytes.NewReader(data), Size: int64(len(data))}}
	file := sign(t, pki, id, docs, options(id, asic.XAdES, asic.Extended))
	p := parts(t, file)
	p[1].method, p[1].packed = 8, deflate(p[1].data)
	for i := 2; i < 20; i++ {
		p = append(p, part{name: fmt.Sprintf("META-INF/signatures%03d.xml", i), data: p[2].data})
	}
	c, err := openBytes(zipOf(p, "", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Signatures()[0].Verify(); err != nil {
		t.Fatalf("the first signature: %v", err)
	}
	for _, s := range c.Signatures() {
		if err = s.Verify(); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("all 19 signatures were read")
	}
}
