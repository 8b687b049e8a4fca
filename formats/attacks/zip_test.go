package attacks

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"sigillo/formats/asic"
)

// entry is a file in a ZIP file, in the terms in which it lies there.
type entry struct {
	name, local        string // in the directory and before the data; local empty: the same
	data               []byte
	method, flags      uint16
	size, packed, crc  uint32 // that the directory says; 0: the right ones
	lsize, lpacked     uint32 // that stand before the data; 0: the right ones
	extra, localExtra  []byte
	comment            string
	external           uint32
	gap                []byte // before the entry
	unlisted, listOnly bool   // not in the directory; or there alone, for the entry before
}

// entries unpacks a container.
func entries(file []byte) (out []entry) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil
		}
		out = append(out, entry{name: f.Name, data: data, flags: f.Flags & 0x800})
	}
	return out
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// pack writes a ZIP file, with whatever lies the entries tell.
func pack(list []entry, comment string) []byte {
	var b, dir bytes.Buffer
	put := func(w io.Writer, values ...any) {
		for _, v := range values {
			_ = binary.Write(w, binary.LittleEndian, v) // to memory
		}
	}
	n, offset := 0, 0
	for _, e := range list {
		b.Write(e.gap)
		crc, size, local := crc32.ChecksumIEEE(e.data), uint32(len(e.data)), or(e.local, e.name)
		if !e.listOnly {
			offset = b.Len()
			put(&b, uint32(0x04034b50), uint16(20), e.flags, e.method, uint16(0), uint16(0x5a21), crc, or(e.lpacked, size), or(e.lsize, size), uint16(len(local)), uint16(len(e.localExtra)))
			b.WriteString(local)
			b.Write(e.localExtra)
			b.Write(e.data)
		}
		if e.unlisted {
			continue
		}
		n++
		put(&dir, uint32(0x02014b50), uint16(20), uint16(20), e.flags, e.method, uint16(0), uint16(0x5a21), or(e.crc, crc), or(e.packed, size), or(e.size, size),
			uint16(len(e.name)), uint16(len(e.extra)), uint16(len(e.comment)), uint16(0), uint16(0), e.external, uint32(offset))
		dir.WriteString(e.name)
		dir.Write(e.extra)
		dir.WriteString(e.comment)
	}
	at := b.Len()
	b.Write(dir.Bytes())
	put(&b, uint32(0x06054b50), uint16(0), uint16(0), uint16(n), uint16(n), uint32(dir.Len()), uint32(at), uint16(len(comment)))
	b.WriteString(comment)
	return b.Bytes()
}

// zipSpans names the data of each file, what describes it, and the directory.
func zipSpans(file []byte) (out []span) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil
	}
	end := 0
	for _, f := range z.File {
		at, err := f.DataOffset()
		if err != nil {
			return nil
		}
		out = append(out, span{end, int(at), "header of " + f.Name})
		end = int(at) + int(f.CompressedSize64)
		out = append(out, span{int(at), end, f.Name})
	}
	return append(out, span{end, len(file), "directory"})
}

// zipMutants does to each entry of a container all that can be done.
func zipMutants(f *fixture) (out []mutant) {
	list := entries(f.file)
	for i, e := range list {
		add := func(kind string, change func(list []entry) []entry) {
			out = append(out, mutant{kind: "ZIP " + kind, part: e.name, make: func() []byte { return pack(change(slices.Clone(list)), "") }})
		}
		set := func(kind string, change func(e *entry)) {
			add(kind, func(l []entry) []entry { change(&l[i]); return l })
		}
		insert := func(kind string, at int, n ...entry) {
			add(kind, func(l []entry) []entry { return slices.Insert(l, at, n...) })
		}
		forged := entry{name: e.name, data: []byte(other)}
		add("deleted", func(l []entry) []entry { return slices.Delete(l, i, i+1) })
		insert("doubled", i, e)
		insert("second of the name", i, forged)
		insert("second of the name", i+1, forged)
		hidden, listed := forged, e
		hidden.unlisted, listed.listOnly = true, true
		insert("unlisted", i, hidden)
		insert("unlisted", i+1, hidden)
		insert("listed twice", i+1, listed)
		listed.name += "2"
		insert("listed under two names", i+1, listed)
		for _, n := range nameVariants(e.name) {
			again := forged
			again.name = n
			set("renamed", func(e *entry) { e.name = n })
			set("renamed in the directory", func(e *entry) { e.name, e.local = n, e.name })
			set("renamed before the data", func(e *entry) { e.local = n })
			insert("name like another", i+1, again)
			insert("name like another", i, again)
		}
		set("data", func(e *entry) { e.data = []byte(other) })
		set("data", func(e *entry) { e.data = nil })
		set("data", func(e *entry) { e.data = append(bytes.Clone(e.data), '\n') })
		set("size in the directory", func(e *entry) { e.size, e.packed = uint32(len(e.data)-1), uint32(len(e.data)-1) })
		set("size in the directory", func(e *entry) { e.size = uint32(len(e.data) + 1) })
		set("size before the data", func(e *entry) { e.lsize, e.lpacked = uint32(len(e.data)-1), uint32(len(e.data)-1) })
		set("size before the data", func(e *entry) { e.lpacked = 0xffffffff })
		set("checksum", func(e *entry) { e.crc = 1 })
		set("flags", func(e *entry) { e.flags ^= 1 })
		set("flags", func(e *entry) { e.flags ^= 8 })
		set("flags", func(e *entry) { e.flags ^= 0x800 })
		set("method", func(e *entry) { e.method = 8 })
		set("method", func(e *entry) { e.method = 99 })
		set("extra", func(e *entry) { e.extra = []byte{1, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0} })
		set("extra", func(e *entry) { e.localExtra = []byte{0x75, 0x70, 5, 0, 1, 0, 0, 0, 0} })
		set("extra", func(e *entry) {
			e.extra = append([]byte{0x75, 0x70, 14, 0, 1}, append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(e.name))), "other.txt"...)...)
		})
		set("comment of an entry", func(e *entry) { e.comment = "PK\x05\x06" })
		set("attributes", func(e *entry) { e.external = 0xa1ff0000 }) // a symbolic link
		set("gap", func(e *entry) { e.gap = []byte("PK\x03\x04 hidden") })
		if i > 0 {
			add("swapped", func(l []entry) []entry { l[i-1], l[i] = l[i], l[i-1]; return l })
			set("data of another entry", func(e *entry) { e.data = list[i-1].data })
		}
	}
	return append(out, containerMutants(f, list)...)
}

// nameVariants are names that some program may take for the same, or that lead elsewhere.
func nameVariants(n string) []string {
	return []string{strings.ToUpper(n), n + "2", n + " ", n + ".", "./" + n, "/" + n, "x/../" + n, "../" + n, strings.ReplaceAll(n, "/", "\\"), n + "\x00.txt", strings.ReplaceAll(n, "/", "//"), n + "/", "META-INF/" + n, "meta-inf/" + n, strings.TrimPrefix(n, "META-INF/"), "e\u0301" + n, ""}
}

// containerMutants changes the container as a whole.
func containerMutants(f *fixture, list []entry) (out []mutant) {
	add := func(kind, part string, make func() []byte) {
		out = append(out, mutant{kind: "ZIP " + kind, part: part, make: make})
	}
	add("written anew", "container", func() []byte { return pack(list, "") })
	for _, c := range []string{"mimetype=text/plain", "PK\x05\x06", "x"} {
		add("comment", "container", func() []byte { return pack(list, c) })
	}
	for _, n := range []string{"altro.txt", "a/b.txt", "META-INF/altro.txt", "META-INF/signature999.p7s", "META-INF/signatures999.xml", "META-INF/timestamp999.tst", "META-INF/ASiCManifest999.xml",
		"META-INF/ASiCArchiveManifest.xml", "META-INF/manifest.xml", "META-INF/container.xml", "META-INF/signatures.xml", "META-INF/signature.p7s", "META-INF/evidencerecord.ers", "mimetype"} {
		for _, data := range []string{other, "", "<x/>", "application/zip"} {
			part := "a file outside of META-INF"
			if strings.HasPrefix(n, "META-INF/") {
				part = "a file in META-INF"
			}
			for _, at := range []int{0, min(1, len(list)), len(list)} {
				add("file added", part, func() []byte {
					return pack(slices.Insert(slices.Clone(list), at, entry{name: n, data: []byte(data)}), "")
				})
			}
		}
	}
	inner := slices.Clone(list)
	add("container in a container", "container", func() []byte {
		return pack([]entry{inner[0], {name: "lettera.asice", data: f.file}}, "")
	})
	add("two containers", "container", func() []byte {
		return slices.Concat(pack([]entry{{name: "lettera.txt", data: []byte(other)}}, ""), f.file)
	})
	add("two containers", "container", func() []byte {
		return slices.Concat(f.file, pack([]entry{{name: "lettera.txt", data: []byte(other)}}, ""))
	})
	return out
}

// insideMutants change the signatures, manifests and tokens in a container each in
// the ways of its own form.
func insideMutants(f *fixture) (out []mutant) {
	list := entries(f.file)
	for i, e := range list {
		var inner []mutant
		inside := &fixture{file: e.data, spans: func(b []byte) []span { return nil }}
		switch {
		case strings.HasSuffix(e.name, ".p7s") || strings.HasSuffix(e.name, ".tst"):
			inside.spans = cmsSpans
			inner = derMutants(e.data, cmsSpans(e.data))
		case strings.HasSuffix(e.name, ".xml"):
			inside.spans = xmlSpans
			inner = xmlMutants(inside)
		default:
			continue
		}
		for _, m := range append(inner, octetMutants(inside)...) {
			out = append(out, mutant{kind: m.kind, part: e.name + ": " + m.part, make: func() []byte {
				changed := slices.Clone(list)
				if changed[i].data = m.make(); changed[i].data == nil || bytes.Equal(changed[i].data, e.data) {
					return nil
				}
				return pack(changed, "")
			}})
		}
	}
	return out
}

// zipGrafts puts entries of another container in, in place of those of the name
// and beside them.
func zipGrafts(f *fixture, donor []byte, name string) (out []mutant) {
	list := entries(f.file)
	for _, d := range entries(donor) {
		add := func(kind string, change func(l []entry) []entry) {
			out = append(out, mutant{kind: kind + " " + name, part: d.name, make: func() []byte { return pack(change(slices.Clone(list)), "") }})
		}
		i := slices.IndexFunc(list, func(e entry) bool { return e.name == d.name })
		if i >= 0 {
			add("graft", func(l []entry) []entry { l[i] = d; return l })
		}
		add("graft-added", func(l []entry) []entry { return append(l, d) })
		d.name = strings.NewReplacer("001.", "009.", "signature.", "signature009.").Replace(d.name)
		add("graft-added", func(l []entry) []entry { return append(l, d) })
	}
	// All of META-INF of the other.
	out = append(out, mutant{kind: "graft " + name, part: "META-INF", make: func() []byte {
		var l []entry
		for _, e := range list {
			if !strings.HasPrefix(e.name, "META-INF/") {
				l = append(l, e)
			}
		}
		for _, e := range entries(donor) {
			if strings.HasPrefix(e.name, "META-INF/") {
				l = append(l, e)
			}
		}
		return pack(l, "")
	}})
	return out
}

func TestASiC(t *testing.T) {
	t.Parallel()
	w := world(t)
	fixtures := asicFixtures(t)
	forged := []content{{"lettera.txt", []byte(other)}, {"allegati/nota.txt", []byte("Altra nota.")}}
	donors := map[string][]byte{}
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		donors["another document, "+string(form)] = signASiC(t, forged, w.ada, asic.Extended, form)
		donors["another signer, "+string(form)] = signASiC(t, twoDocuments, w.eva, asic.Extended, form)
		donors["a stranger, "+string(form)] = signASiC(t, twoDocuments, w.nobody, asic.Extended, form)
		donors["another simple document, "+string(form)] = signASiC(t, forged[:1], w.eva, asic.Simple, form)
	}
	for i, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			all := slices.Concat(octetMutants(f), zipMutants(f), insideMutants(f))
			f.know(t, fixtures, donors)
			for name, d := range donors {
				all = append(all, zipGrafts(f, d, name)...)
			}
			for j, g := range fixtures {
				if f.foreign(g) && (j == (i+1)%len(fixtures) || j == (i+3)%len(fixtures)) {
					all = append(all, zipGrafts(f, g.file, g.name)...)
				}
			}
			f.attack(t, all, 6)
		})
	}
}
