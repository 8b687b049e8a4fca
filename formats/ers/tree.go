package ers

import (
	"bytes"
	"crypto"
	"slices"

	"sigillo/formats/cms"
)

// node gives the hash of a list of hashes (§4.2 steps 3 and 4): of one it is
// itself, of several the digest of all of them in ascending order.
func node(h crypto.Hash, list ...[]byte) []byte {
	if len(list) == 1 {
		return list[0]
	}
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, bytes.Compare)
	d := h.New()
	for _, v := range sorted {
		d.Write(v)
	}
	return d.Sum(nil)
}

// tree is a hash tree with two children at each node. Leaves are in ascending
// order, each once.
type tree struct {
	h      crypto.Hash
	levels [][][]byte // the leaves first, the root last
}

func newTree(h crypto.Hash, leaves [][]byte) *tree {
	level := slices.Clone(leaves)
	slices.SortFunc(level, bytes.Compare)
	level = slices.CompactFunc(level, bytes.Equal)
	t := &tree{h: h, levels: [][][]byte{level}}
	d := h.New()
	room := make([]byte, 0, len(level)*h.Size()) // for all nodes: there are fewer than leaves
	for len(level) > 1 {
		up := make([][]byte, 0, (len(level)+1)/2)
		for ; len(level) > 1; level = level[2:] {
			a, b := level[0], level[1]
			if bytes.Compare(a, b) > 0 {
				a, b = b, a
			}
			d.Reset()
			d.Write(a)
			d.Write(b)
			from := len(room)
			room = d.Sum(room)
			up = append(up, room[from:len(room):len(room)])
		}
		up = append(up, level...) // an odd one goes up as it is
		t.levels = append(t.levels, up)
		level = up
	}
	return t
}

func (t *tree) root() []byte { return t.levels[len(t.levels)-1][0] }

// reduced gives the reduced hash tree of a group of hashes (§4.2): the list of the
// group, then at each level what is beside the way up. The first list has the hashes
// of the group alone, also if it is one. §5.2 step 5 wants it so of a renewed tree;
// the figures of §4.2 put the neighbour of a single hash beside it, and then nobody
// can tell the two from a group. A tree of one hash has no lists.
func (t *tree) reduced(group [][]byte) (lists [][][]byte) {
	leaf := node(t.h, group...)
	if len(group) > 1 || len(t.levels) > 1 {
		lists = append(lists, group)
	}
	at, _ := slices.BinarySearchFunc(t.levels[0], leaf, bytes.Compare)
	for _, level := range t.levels[:len(t.levels)-1] {
		beside := at ^ 1
		if beside < len(level) {
			lists = append(lists, [][]byte{level[beside]})
		}
		at /= 2
	}
	return lists
}

// climb computes the root from hashes that must be in the first list (§4.3).
func climb(h crypto.Hash, lists [][][]byte, hashes [][]byte) ([]byte, error) {
	if len(lists) == 0 {
		if len(hashes) != 1 {
			return nil, fail(cms.Mismatch, "the record is of one document, %d were given", len(hashes))
		}
		return hashes[0], nil
	}
	for _, v := range hashes {
		if !slices.ContainsFunc(lists[0], func(x []byte) bool { return bytes.Equal(x, v) }) {
			return nil, fail(cms.Mismatch, "the record is not of this document")
		}
	}
	for _, l := range lists {
		for _, v := range l {
			if len(v) != h.Size() {
				return nil, fail(cms.Malformed, "the hash tree has a hash of another algorithm")
			}
		}
	}
	up := node(h, lists[0]...)
	for _, l := range lists[1:] {
		up = node(h, append([][]byte{up}, l...)...)
	}
	return up, nil
}
