package ledger

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A byte that is not as it was is told as damage, with its place, whoever else misses
// entries because of it; and nobody is led to give up or overwrite what stands behind.
func TestDamageIsNotLoss(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	last := w.names[len(w.names)-1]
	start := func(t *testing.T, seq int64) int { // of the batch after an entry
		return len(endAt(t, w.files[last], seq, 0))
	}
	for name, c := range map[string]struct {
		seq     int64 // the entry that is damaged
		from    int   // of its batch; the byte that is not as it was
		at      int   // of its batch; what the message says
		entries int64 // that others know
	}{
		"in the frame of an entry":             {seq: 48, from: 200, at: batchHead, entries: 52},
		"nobody knows of it":                   {seq: 48, from: 200, at: batchHead},
		"in the head of a batch":               {seq: 48, from: 3, at: 0, entries: 52},
		"in the last batch":                    {seq: 52, from: 200, at: batchHead, entries: 52},
		"in the head of the last batch":        {seq: 52, from: 9, at: 0, entries: 52},
		"in the one before, others know fewer": {seq: 51, from: 100, at: batchHead, entries: 51},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := start(t, c.seq-1)
			dir := w.at(t, func(f map[string][]byte) { f[last][place+c.from] ^= 0x10 })
			o := Options{SegmentSize: lostSegment}
			if c.entries > 0 {
				o.Known = []Head{{Seq: c.entries}}
			}
			before := contents(t, dir)
			says := fmt.Sprintf("damaged at byte %d, in entry %d", place+c.at, c.seq)
			_, err := Open(dir, o)
			if wantKind(t, err, Damaged); !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "Keep the file") {
				t.Errorf("%v; want %q", err, says)
			}
			_, err = AcceptLoss(dir, o, w.state, func(Loss) error { t.Error("accepted"); return nil })
			if wantKind(t, err, Damaged); !strings.Contains(err.Error(), says) {
				t.Errorf("%v; want %q", err, says)
			}
			if after := contents(t, dir); !reflect.DeepEqual(after, before) {
				t.Error("files were changed")
			}
			if c.seq < 52 {
				_, err = Open(dir, Options{ReadOnly: true})
				wantKind(t, err, Damaged)
			}
			if found, _ := filepath.Glob(filepath.Join(dir, "*.cut-*")); len(found) > 0 {
				t.Errorf("cut off: %q", found)
			}
		})
	}
}
