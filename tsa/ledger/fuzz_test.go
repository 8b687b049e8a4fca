package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// seedLedger is a segment as it is written.
func seedSegment(f *testing.F) []byte {
	f.Helper()
	dir := f.TempDir()
	l := openTest(f, dir, Options{})
	for n := range int64(3) {
		put(f, l, made("tsu", n+1, "acme", "l1"))
	}
	put(f, l, made("tsu-2", 1, "house", ""))
	_ = l.Close()
	data, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// Whatever stands in a segment: it is read to its first flaw, each batch within
// the file, no panic.
func FuzzSegment(f *testing.F) {
	whole := seedSegment(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-9])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, size := bytes.NewReader(data), int64(len(data))
		h, at, hash, err := readHead(r, size)
		if err != nil {
			h, at = &head{first: 1, mark: 7}, 0
		}
		for _, unchecked := range []bool{false, true} {
			s := readBatches(r, h, at, size, hash)
			s.unchecked = unchecked
			for {
				b, err := s.read()
				if err != nil {
					break
				}
				if b.end() > size || b.entries < 1 {
					t.Fatalf("a batch to byte %d of %d", b.end(), size)
				}
				for rest := b.frames; len(rest) > 0; {
					if _, rest, err = nextFrame(rest); err != nil {
						break
					}
				}
			}
			if _, err := startsBatch(r, h.mark, 0, s.place, size); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = readFrame(r, size/2, size)
	})
}

// A batch whose hashes and counts are right but whose frames are anything: whoever
// can write the file can do that. Open refuses it or opens a ledger that works.
func FuzzOpen(f *testing.F) {
	e := made("tsu", 1, "acme", "l1")
	h := head{first: 1, mark: 7}
	start := h.marshal()
	frames := appendDeclaration(nil, "tsu", certs)
	f.Add(appendEntry(frames, &e, 1, int64(len(start))+batchHead), uint8(1))
	f.Add(frames, uint8(1))
	f.Fuzz(func(t *testing.T, frames []byte, entries uint8) {
		for at := 0; at+frameHead <= len(frames); { // checksums made right
			n := int(binary.BigEndian.Uint32(frames[at:]))
			if n > len(frames)-at-frameHead {
				break
			}
			binary.BigEndian.PutUint32(frames[at+4:], checksum(frames[at+frameHead:at+frameHead+n]))
			at += frameHead + n
		}
		b := append(bytes.Clone(start[len(start)-hashSize:]), make([]byte, batchHead)...)
		b = append(b, frames...)
		head := b[hashSize:]
		binary.BigEndian.PutUint64(head, h.mark)
		binary.BigEndian.PutUint64(head[8:], 1)
		binary.BigEndian.PutUint32(head[16:], uint32(entries))
		binary.BigEndian.PutUint32(head[20:], uint32(len(frames)))
		binary.BigEndian.PutUint32(head[24:], checksum(head[:24]))
		sum := sha256.Sum256(b)
		data := append(append(bytes.Clone(start), b[hashSize:]...), sum[:]...)
		dir := quickDir(t)
		if err := os.WriteFile(filepath.Join(dir, segmentName(1)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := open(dir, Options{SegmentSize: 8 << 10}, &faulty{})
		if err != nil {
			if KindOf(err) != Damaged {
				t.Fatalf("a strange segment is %v", err)
			}
			return
		}
		defer l.Close()
		list, err := l.Lookup(context.Background(), Query{})
		if err != nil {
			t.Fatalf("opened, but: %v", err)
		}
		for _, e := range list {
			if _, err := l.Token(e); err != nil {
				t.Fatal(err)
			}
		}
		put(t, l, made("fuzz", 1, "a", ""))
	})
}

// The parts below the hashes, which a fuzzer does not get through.
func FuzzFrames(f *testing.F) {
	e := made("tsu", 1, "acme", "l1")
	f.Add(appendEntry(nil, &e, 1, 141)[frameHead:], []byte{})
	f.Add(appendDeclaration(nil, "tsu", certs)[frameHead:], []byte{})
	h := head{first: 7, units: map[string]unitState{"u": {5, 6}}, used: map[string]*account{"a": {3, map[string]int64{"l": 2}}}}
	b := h.marshal()
	f.Add([]byte{}, b[len(magic)+4:len(b)-hashSize])
	f.Fuzz(func(t *testing.T, body, headBody []byte) {
		if s, err := parseEntry(body); err == nil {
			got := s.entry("u", 1, 1)
			if token := s.whole(certs); len(token) != len(s.token)+len(certs) {
				t.Fatal("the token has another length")
			}
			got.Token, got.Certs, got.Account = append(s.whole(nil), 1), [2]int{}, got.Account+"x"
			_ = got.check()
		}
		if d, err := parseDeclaration(body); err == nil && d.unit == "" {
			t.Fatal("a declaration of no unit")
		}
		if body, _, err := nextFrame(body); err == nil && len(body) == 0 {
			t.Fatal("an empty frame")
		}
		if h, err := parseHead(headBody); err == nil {
			if b := h.marshal(); len(b) > len(headBody)+len(magic)+4+hashSize {
				t.Fatal("a head grows")
			}
		}
		_, _, _, _ = parseBatchHead(append(body, make([]byte, batchHead)...), 0)
	})
}
