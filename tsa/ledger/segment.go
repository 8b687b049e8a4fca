package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is a file: a head, then batches. Numbers are big-endian.
//
//	head:  magic, u32 length, body, SHA-256 of all that
//	batch: u64 mark, u64 first seq, u32 entries, u32 length, u32 CRC-32C of these,
//	       frames, SHA-256(the hash before ‖ all that)
//	frame: u32 length, u32 CRC-32C, body
//
// The hash before the first batch is the head's, and the head holds the last hash
// of the segment before: one chain through the whole ledger. The CRCs are there to
// read one entry without its batch, and to tell a torn end from damage.
//
// The mark is a random number made with the segment. No customer knows it, so
// nobody can have the image of a batch stamped as a digest.
const (
	magic       = "Sigillo ledger 1\n"
	hashSize    = sha256.Size
	batchHead   = 8 + 8 + 4 + 4 + 4
	frameHead   = 4 + 4
	maxHead     = 64 << 20
	maxFrames   = 8 << 20 // bytes of the frames of a batch
	maxFrame    = MaxToken + 4*256 + 1024
	suffix      = ".ledger"
	suffixNew   = ".new"
	nameDigits  = 19
	minSegment  = 4 << 10
	maxSegment  = 1 << 30 // places of declarations have 32 bits
	stdSegment  = 64 << 20
	maxDeclared = 1 << 12 // declarations in a segment, after which a new one is begun
)

// head is what a segment begins with: all that is needed to go on without reading
// the segments before it.
type head struct {
	ledger  [16]byte // which ledger
	first   int64    // sequence number of the first entry
	prev    [hashSize]byte
	mark    uint64
	created int64 // unix nanoseconds
	latest  int64 // the latest GenTime before it, unix nanoseconds
	units   map[string]unitState
	used    map[string]*account
}

// unitState is what is known of a unit from before.
type unitState struct {
	serial int64 // the highest used
	time   int64 // GenTime of that, unix nanoseconds
}

// account holds the durable sums of an account.
type account struct {
	stamps int64
	lots   map[string]int64
}

func (a *account) add(lot string) {
	a.stamps++
	if lot == "" {
		return
	}
	if a.lots == nil {
		a.lots = map[string]int64{}
	}
	a.lots[lot]++
}

func segmentName(first int64) string { return fmt.Sprintf("%0*d%s", nameDigits, first, suffix) }

// firstOf reads a segment's first sequence number from its name.
func firstOf(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != nameDigits {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0
}

func appendName(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// marshal gives the head with its hash, keys in order: one state, one encoding.
func (h *head) marshal() []byte {
	be := binary.BigEndian
	b := append(make([]byte, 0, 4096), magic...)
	b = be.AppendUint32(b, 0)
	b = append(b, h.ledger[:]...)
	b = be.AppendUint64(b, uint64(h.first))
	b = append(b, h.prev[:]...)
	b = be.AppendUint64(b, h.mark)
	b = be.AppendUint64(b, uint64(h.created))
	b = be.AppendUint64(b, uint64(h.latest))
	b = be.AppendUint32(b, uint32(len(h.units)))
	for _, name := range slices.Sorted(maps.Keys(h.units)) {
		b = appendName(b, name)
		b = be.AppendUint64(b, uint64(h.units[name].serial))
		b = be.AppendUint64(b, uint64(h.units[name].time))
	}
	b = be.AppendUint32(b, uint32(len(h.used)))
	for _, name := range slices.Sorted(maps.Keys(h.used)) {
		a := h.used[name]
		b = appendName(b, name)
		b = be.AppendUint64(b, uint64(a.stamps))
		b = be.AppendUint32(b, uint32(len(a.lots)))
		for _, lot := range slices.Sorted(maps.Keys(a.lots)) {
			b = appendName(b, lot)
			b = be.AppendUint64(b, uint64(a.lots[lot]))
		}
	}
	be.PutUint32(b[len(magic):], uint32(len(b)-len(magic)-4))
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// errTorn says that what stands at a place is no whole batch.
var errTorn = errors.New("no whole batch")

// readHead reads the head of a segment and returns its length in the file and its
// hash. size is that of the file: no more memory is used.
func readHead(r io.ReaderAt, size int64) (h *head, length int64, hash [hashSize]byte, err error) {
	start := make([]byte, len(magic)+4)
	if _, err := r.ReadAt(start, 0); err != nil {
		return nil, 0, hash, fmt.Errorf("the head is cut short: %w", err)
	}
	if string(start[:len(magic)]) != magic {
		return nil, 0, hash, errors.New("this is no segment of a ledger, or one of a newer program")
	}
	n := int64(binary.BigEndian.Uint32(start[len(magic):]))
	length = int64(len(start)) + n + hashSize
	if n > maxHead || length > size {
		return nil, 0, hash, errors.New("the head is longer than the file")
	}
	all := make([]byte, length)
	if _, err := r.ReadAt(all, 0); err != nil {
		return nil, 0, hash, fmt.Errorf("the head cannot be read: %w", err)
	}
	body, sum := all[:length-hashSize], all[length-hashSize:]
	hash = sha256.Sum256(body)
	if !bytes.Equal(hash[:], sum) {
		return nil, 0, hash, errors.New("the head is not what was written")
	}
	h, err = parseHead(body[len(start):])
	return h, length, hash, err
}

// cursor reads numbers and names; after the first that is missing all are zero.
type cursor struct {
	b  []byte
	ok bool
}

func (c *cursor) take(n int) []byte {
	if !c.ok || n > len(c.b) {
		c.ok = false
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() int {
	if v := c.take(1); v != nil {
		return int(v[0])
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if v := c.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if v := c.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (c *cursor) field() []byte { return c.take(c.u8()) }

func parseHead(body []byte) (*head, error) {
	c := &cursor{body, true}
	h := &head{units: map[string]unitState{}, used: map[string]*account{}}
	copy(h.ledger[:], c.take(len(h.ledger)))
	h.first = int64(c.u64())
	copy(h.prev[:], c.take(hashSize))
	h.mark, h.created, h.latest = c.u64(), int64(c.u64()), int64(c.u64())
	for n := c.u32(); n > 0 && c.ok; n-- {
		name := string(c.field())
		h.units[name] = unitState{int64(c.u64()), int64(c.u64())}
	}
	for n := c.u32(); n > 0 && c.ok; n-- {
		name := string(c.field())
		a := &account{stamps: int64(c.u64())}
		for m := c.u32(); m > 0 && c.ok; m-- {
			if a.lots == nil {
				a.lots = map[string]int64{}
			}
			lot := string(c.field())
			a.lots[lot] = int64(c.u64())
		}
		h.used[name] = a
	}
	if !c.ok || len(c.b) != 0 || h.first < 1 {
		return nil, errors.New("the head does not make sense")
	}
	return h, nil
}

// batch is one group commit as it stands in a segment.
type batch struct {
	place   int64 // of its first byte
	first   int64 // sequence number of its first entry
	entries int
	frames  []byte // valid until the next is read
	hash    [hashSize]byte
}

func (b *batch) end() int64 { return b.place + batchHead + int64(len(b.frames)) + hashSize }

// batches reads one batch after the other.
type batches struct {
	r     *bufio.Reader
	mark  uint64
	place int64 // of the next
	next  int64 // sequence number it must begin with
	limit int64 // where to end
	// hash is that of what lies before. It is checked and carried on unless
	// unchecked is set.
	hash      [hashSize]byte
	unchecked bool
	buf       []byte
}

// readBatches reads the batches of a segment from its head to limit.
func readBatches(f io.ReaderAt, h *head, place, limit int64, hash [hashSize]byte) *batches {
	return &batches{
		r:    bufio.NewReaderSize(io.NewSectionReader(f, place, max(limit-place, 0)), 256<<10),
		mark: h.mark, place: place, next: h.first, limit: limit, hash: hash,
	}
}

// read returns the next batch, io.EOF at the limit, and errTorn (wrapped) when
// there is something else. The batch is valid until the next call.
func (s *batches) read() (*batch, error) {
	if s.place >= s.limit {
		return nil, io.EOF
	}
	if len(s.buf) < hashSize+batchHead {
		s.buf = make([]byte, 64<<10)
	}
	copy(s.buf, s.hash[:])
	if _, err := io.ReadFull(s.r, s.buf[hashSize:hashSize+batchHead]); err != nil {
		return nil, torn(err)
	}
	first, entries, length, ok := parseBatchHead(s.buf[hashSize:], s.mark)
	if !ok || first != s.next || s.place+batchHead+int64(length)+hashSize > s.limit {
		return nil, errTorn
	}
	whole := hashSize + batchHead + length + hashSize
	if len(s.buf) < whole {
		s.buf = append(s.buf[:hashSize+batchHead], make([]byte, whole-hashSize-batchHead)...)
	}
	if _, err := io.ReadFull(s.r, s.buf[hashSize+batchHead:whole]); err != nil {
		return nil, torn(err)
	}
	b := &batch{place: s.place, first: first, entries: entries, frames: s.buf[hashSize+batchHead : whole-hashSize]}
	b.hash = [hashSize]byte(s.buf[whole-hashSize : whole])
	if !s.unchecked && sha256.Sum256(s.buf[:whole-hashSize]) != b.hash {
		return nil, errTorn
	}
	s.hash, s.place, s.next = b.hash, b.end(), first+int64(entries)
	return b, nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

// parseBatchHead reads the 28 bytes before the frames of a batch.
func parseBatchHead(b []byte, mark uint64) (first int64, entries, length int, ok bool) {
	be := binary.BigEndian
	first, entries, length = int64(be.Uint64(b[8:])), int(be.Uint32(b[16:])), int(be.Uint32(b[20:]))
	ok = be.Uint64(b) == mark && be.Uint32(b[24:]) == checksum(b[:24]) &&
		first > 0 && entries > 0 && length <= maxFrames && entries <= length/frameHead
	return first, entries, length, ok
}

// startsBatch says whether a batch that belongs after seq begins anywhere in
// [from, to) of a segment: then what stands before it is damaged, because a batch
// is only written when the one before it is on the disk.
func startsBatch(r io.ReaderAt, mark uint64, seq, from, to int64) (bool, error) {
	var want [8]byte
	binary.BigEndian.PutUint64(want[:], mark)
	buf := make([]byte, 64<<10)
	for from < to {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if n == 0 {
			return false, nil // cut off meanwhile by the process that writes
		}
		chunk := buf[:n]
		for at := 0; ; at++ {
			i := bytes.Index(chunk[at:], want[:])
			if i < 0 || at+i+batchHead > n {
				break
			}
			at += i
			if first, _, _, ok := parseBatchHead(chunk[at:], mark); ok && first > seq {
				return true, nil
			}
		}
		if from+int64(n) >= to {
			break
		}
		from += max(int64(n)-batchHead+1, 1)
	}
	return false, nil
}

func nanoTime(n int64) time.Time { return time.Unix(0, n).UTC() }
