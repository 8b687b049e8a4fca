package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"sigillo/store"
)

const hashSize = sha256.Size

// The first bytes of everything that is hashed or signed here, so that no value
// made for one purpose is ever good for another.
const (
	entryDomain      = "sigillo journal entry v1\x00"
	checkpointDomain = "sigillo journal checkpoint v2\x00"
)

// canonical writes values so that no two different sequences of values give the
// same bytes: numbers in eight bytes, strings behind their length, maps behind
// their count and in the order of their keys.
type canonical []byte

func (c canonical) number(n int64) canonical {
	return binary.BigEndian.AppendUint64(c, uint64(n))
}

func (c canonical) bytes(b []byte) canonical {
	return append(c.number(int64(len(b))), b...)
}

func (c canonical) string(s string) canonical {
	return append(c.number(int64(len(s))), s...)
}

func (c canonical) time(t time.Time) canonical {
	return c.number(t.UnixMilli())
}

func (c canonical) detail(d map[string]string) canonical {
	c = c.number(int64(len(d)))
	for _, k := range slices.Sorted(maps.Keys(d)) {
		c = c.string(k).string(d[k])
	}
	return c
}

// encodeEntry returns the bytes whose SHA-256 is the entry's hash: everything in
// it but the hash itself.
func encodeEntry(e store.JournalEntry, detail map[string]string) []byte {
	return canonical(entryDomain).
		number(e.Seq).time(e.Time).
		string(e.Actor).string(e.Event).string(e.Subject).
		detail(detail).bytes(e.Prev)
}

func hash(e store.JournalEntry, detail map[string]string) []byte {
	h := sha256.Sum256(encodeEntry(e, detail))
	return h[:]
}

// encodeCheckpoint returns the bytes whose SHA-256 is signed. They name the
// journal: two journals are signed with one key, and neither may be put in the
// place of the other.
func encodeCheckpoint(journal store.Schema, c store.Checkpoint) []byte {
	return canonical(checkpointDomain).string(string(journal)).number(c.Seq).time(c.Time).bytes(c.Hash).string(c.Key)
}
