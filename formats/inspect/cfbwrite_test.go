package inspect

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// cfbFile writes a compound file ([MS-CFB]) whose streams have exactly the size
// of their content: those below 4,096 bytes lie in the mini stream. Entries are
// name, content, name, content …; "a/b/c" is a stream in storages that are made
// as needed, and a name ending in "/" is an empty storage.
func cfbFile(entries ...string) []byte {
	w := &cfbWriter{dir: []*cfbEntry{{name: "Root Entry", kind: 5}}}
	for i := 0; i+1 < len(entries); i += 2 {
		path := strings.Split(entries[i], "/")
		at := 0
		for _, storage := range path[:len(path)-1] {
			at = w.storage(at, storage)
		}
		if name := path[len(path)-1]; name != "" {
			at = w.child(at, name, 2)
			w.dir[at].data = []byte(entries[i+1])
		}
	}
	return w.bytes()
}

type cfbEntry struct {
	name     string
	kind     byte // 1 storage, 2 stream, 5 root
	children []int
	data     []byte
	start    uint32
	size     int
}

const (
	cfbNone = 0xffffffff
	cfbEnd  = 0xfffffffe
	cfbFAT  = 0xfffffffd
)

type cfbWriter struct {
	dir     []*cfbEntry
	fat     []uint32
	sectors []byte
}

func (w *cfbWriter) storage(parent int, name string) int {
	for _, c := range w.dir[parent].children {
		if w.dir[c].name == name {
			return c
		}
	}
	return w.child(parent, name, 1)
}

func (w *cfbWriter) child(parent int, name string, kind byte) int {
	w.dir = append(w.dir, &cfbEntry{name: name, kind: kind, start: cfbEnd})
	w.dir[parent].children = append(w.dir[parent].children, len(w.dir)-1)
	return len(w.dir) - 1
}

// chain appends links for n units to a table and answers the first.
func chain(table []uint32, n int) ([]uint32, uint32) {
	if n == 0 {
		return table, cfbEnd
	}
	first := uint32(len(table))
	for range n - 1 {
		table = append(table, uint32(len(table)+1))
	}
	return append(table, cfbEnd), first
}

// put stores data in whole sectors and answers the first.
func (w *cfbWriter) put(data []byte) uint32 {
	n := (len(data) + 511) / 512
	var first uint32
	w.fat, first = chain(w.fat, n)
	w.sectors = append(append(w.sectors, data...), make([]byte, n*512-len(data))...)
	return first
}

func (w *cfbWriter) bytes() []byte {
	var mini []byte
	var miniFAT []uint32
	for _, e := range w.dir[1:] {
		switch e.size = len(e.data); {
		case e.size >= 4096:
			e.start = w.put(e.data)
		case e.size > 0:
			miniFAT, e.start = chain(miniFAT, (e.size+63)/64)
			mini = append(append(mini, e.data...), make([]byte, (64-e.size%64)%64)...)
		}
	}
	w.dir[0].start, w.dir[0].size = w.put(mini), len(mini)
	for len(miniFAT)%128 != 0 {
		miniFAT = append(miniFAT, cfbNone)
	}
	miniFATAt := w.put(words(miniFAT))
	dirAt := w.put(w.directory())

	fatAt := len(w.fat)
	n := 0
	for (fatAt+n+127)/128 > n {
		n++
	}
	for range n {
		w.fat = append(w.fat, cfbFAT)
	}
	for len(w.fat)%128 != 0 {
		w.fat = append(w.fat, cfbNone)
	}
	var b bytes.Buffer
	le := binary.LittleEndian
	header := make([]byte, 512)
	copy(header, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	le.PutUint16(header[24:], 0x3e)
	le.PutUint16(header[26:], 3)
	le.PutUint16(header[28:], 0xfffe)
	le.PutUint16(header[30:], 9)
	le.PutUint16(header[32:], 6)
	le.PutUint32(header[44:], uint32(n))
	le.PutUint32(header[48:], dirAt)
	le.PutUint32(header[56:], 4096)
	le.PutUint32(header[60:], miniFATAt)
	le.PutUint32(header[64:], uint32(len(miniFAT)/128))
	le.PutUint32(header[68:], cfbEnd)
	for i := range 109 {
		at := uint32(cfbNone)
		if i < n {
			at = uint32(fatAt + i)
		}
		le.PutUint32(header[76+4*i:], at)
	}
	b.Write(header)
	b.Write(w.sectors)
	b.Write(words(w.fat))
	return b.Bytes()
}

// directory writes the entries; siblings form a list instead of a tree.
func (w *cfbWriter) directory() []byte {
	le := binary.LittleEndian
	out := make([]byte, (len(w.dir)+3)/4*512)
	for i := range len(out) / 128 {
		for _, at := range []int{68, 72, 76} {
			le.PutUint32(out[128*i+at:], cfbNone)
		}
	}
	for i, e := range w.dir {
		raw := out[128*i:]
		name := utf16.Encode([]rune(e.name))
		for j, u := range name {
			le.PutUint16(raw[2*j:], u)
		}
		le.PutUint16(raw[64:], uint16(2*len(name)+2))
		raw[66], raw[67] = e.kind, 1
		if e.kind != 1 {
			le.PutUint32(raw[116:], e.start)
			le.PutUint32(raw[120:], uint32(e.size))
		}
		for j, c := range e.children {
			if j == 0 {
				le.PutUint32(raw[76:], uint32(c))
			} else {
				le.PutUint32(out[128*e.children[j-1]+72:], uint32(c))
			}
		}
	}
	return out
}

func words(table []uint32) []byte {
	var b []byte
	for _, v := range table {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
