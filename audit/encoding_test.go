package audit

import (
	"bytes"
	"testing"
	"time"

	"sigillo/store"
)

// decodeEntry is the inverse of encodeEntry: that it exists is the proof that no
// two entries have the same encoding.
func decodeEntry(b []byte) (e store.JournalEntry, detail map[string]string, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(entryDomain))
	number := func() (n int64) {
		if len(b) < 8 {
			ok = false
			return 0
		}
		for _, c := range b[:8] {
			n = n<<8 | int64(c)
		}
		b = b[8:]
		return n
	}
	field := func() []byte {
		n := number()
		if n < 0 || n > int64(len(b)) {
			ok = false
			return nil
		}
		f := b[:n]
		b = b[n:]
		return f
	}
	e.Seq = number()
	e.Time = time.UnixMilli(number())
	e.Actor, e.Event, e.Subject = string(field()), string(field()), string(field())
	detail = map[string]string{}
	for n := number(); n > 0 && ok; n-- {
		k := string(field())
		detail[k] = string(field())
	}
	e.Prev = field()
	return e, detail, ok && len(b) == 0
}

// FuzzEncodingInjective checks that an entry can be read back from its encoding,
// whatever bytes its fields hold, and hence that no other entry encodes to it.
func FuzzEncodingInjective(f *testing.F) {
	f.Add(int64(1), int64(0), "anna", "document.inspected", "d", "k", "v", "l", "w", []byte{})
	f.Add(int64(-1), int64(1<<62), "", "", "", "", "", "", "", []byte("prev"))
	f.Add(int64(0), int64(-5), "a\x00\x00\x00\x00\x00\x00\x00\x01b", "b", "", "k", "\x00", "k", "", bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, seq, ms int64, actor, event, subject, k1, v1, k2, v2 string, prev []byte) {
		e := store.JournalEntry{Seq: seq, Time: time.UnixMilli(ms), Actor: actor, Event: event, Subject: subject, Prev: prev}
		detail := map[string]string{k1: v1, k2: v2}
		encoded := encodeEntry(e, detail)
		back, d, ok := decodeEntry(encoded)
		if !ok || back.Seq != seq || back.Time.UnixMilli() != e.Time.UnixMilli() || back.Actor != actor || back.Event != event ||
			back.Subject != subject || !bytes.Equal(back.Prev, prev) || len(d) != len(detail) || d[k1] != detail[k1] || d[k2] != detail[k2] {
			t.Fatalf("%+v %v became %+v %v", e, detail, back, d)
		}
		if !bytes.Equal(encodeEntry(back, d), encoded) {
			t.Fatal("the encoding is not unique")
		}
	})
}

// The known answer keeps journals readable: a change of the encoding must be a
// new version, not a slip.
func TestEncodingKnownAnswer(t *testing.T) {
	t.Parallel()
	e := store.JournalEntry{Seq: 2, Time: time.UnixMilli(258), Actor: "a", Event: "ev", Subject: "", Prev: []byte{9}}
	want := "sigillo journal entry v1\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x01\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x01a" + "\x00\x00\x00\x00\x00\x00\x00\x02ev" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x01b\x00\x00\x00\x00\x00\x00\x00\x011" +
		"\x00\x00\x00\x00\x00\x00\x00\x01c\x00\x00\x00\x00\x00\x00\x00\x012" +
		"\x00\x00\x00\x00\x00\x00\x00\x01\x09"
	if got := encodeEntry(e, map[string]string{"c": "2", "b": "1"}); string(got) != want {
		t.Errorf("got %q", got)
	}
	c := store.Checkpoint{Seq: 2, Time: time.UnixMilli(258), Hash: []byte{9}, Key: "k"}
	want = "sigillo journal checkpoint v2\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x05vault" +
		"\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x01\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x01\x09" + "\x00\x00\x00\x00\x00\x00\x00\x01k"
	if got := encodeCheckpoint(store.Vault, c); string(got) != want {
		t.Errorf("got %q", got)
	}
}
