package attacks

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

const (
	smallFile   = 8 << 10
	manyOctets  = 4000 // places that are tried in larger files
	otherPlaces = 400  // places of the changes that are not of one octet
)

// octetMutants changes a file in the ways that need no knowledge of its form.
func octetMutants(f *fixture) (out []mutant) {
	file, spans := f.file, f.spans(f.file)
	r := rand.New(rand.NewPCG(1, uint64(len(file))))
	add := func(kind string, at int, make func() []byte) {
		out = append(out, mutant{kind: "octets " + kind, part: partOf(spans, at), make: make})
	}
	places := r.Perm(len(file))
	if len(file) > smallFile {
		places = places[:manyOctets]
	}
	for _, at := range places {
		bit := byte(1) << r.IntN(8)
		add("flipped", at, func() []byte {
			m := bytes.Clone(file)
			m[at] ^= bit
			return m
		})
	}
	for range otherPlaces {
		at, from := r.IntN(len(file)), r.IntN(len(file))
		to := min(at+1+r.IntN(64), len(file))
		add("deleted", at, func() []byte { return slices.Delete(bytes.Clone(file), at, to) })
		add("doubled", at, func() []byte { return slices.Insert(bytes.Clone(file), at, file[at:to]...) })
		add("zeroed", at, func() []byte {
			m := bytes.Clone(file)
			clear(m[at:to])
			return m
		})
		add("copied", at, func() []byte {
			m := bytes.Clone(file)
			copy(m[at:to], file[from:])
			return m
		})
		add("cut", at, func() []byte { return bytes.Clone(file[:at]) })
		add("beheaded", at, func() []byte { return bytes.Clone(file[at:]) })
		add("exchanged", at, func() []byte {
			a, b := min(at, from), max(at, from)
			n := min(b-a, len(file)-b, 32)
			m := bytes.Clone(file)
			copy(m[a:], file[b:b+n])
			copy(m[b:], file[a:a+n])
			return m
		})
	}
	for _, tail := range [][]byte{{0}, {' '}, {'\n'}, []byte("\r\n"), make([]byte, 600), file, []byte(letter), []byte("\n%%EOF\n")} {
		add("appended", len(file)-1, func() []byte { return slices.Concat(file, tail) })
		add("prepended", 0, func() []byte { return slices.Concat(tail, file) })
	}
	return append(out, contentMutants(f)...)
}

// contentMutants changes a document that lies beside its signature.
func contentMutants(f *fixture) (out []mutant) {
	for i, c := range f.contents {
		change := func(data []byte) {
			list := slices.Clone(f.contents)
			list[i].data = data
			out = append(out, mutant{kind: "content", part: "content beside", contents: list, make: func() []byte { return f.file }})
		}
		for at := range c.data {
			m := bytes.Clone(c.data)
			m[at] ^= 1 << (at % 8)
			change(m)
		}
		change(nil)
		change([]byte(other))
		change(append(bytes.Clone(c.data), 0))
		change(c.data[:len(c.data)-1])
		change(append(bytes.Clone(c.data), c.data...))
	}
	return out
}
