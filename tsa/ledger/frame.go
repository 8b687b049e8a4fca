package ledger

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// There are two sorts of frame. A declaration holds a unit's name and the
// certificates field of its tokens; it comes once per segment, before the first
// entry that refers to it by its place.
//
//	declaration: u8 1, u8 length, unit, certificates field
//	entry: u8 2, u8 hash, u32 where the certificates go in the token, u32 place of
//	       the declaration, u64 seq, u64 serial, u64 GenTime, each with u8 length:
//	       policy, imprint, nonce, account, lot; the token without certificates
const (
	frameDeclaration = 1
	frameEntry       = 2
	entryFixed       = 1 + 1 + 4 + 4 + 8 + 8 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// sizeOfHash is -1 for what is no hash; crypto.Hash.Size panics there.
func sizeOfHash(h crypto.Hash) int {
	if h < crypto.MD4 || h > crypto.BLAKE2b_512 {
		return -1
	}
	return h.Size()
}

// check says whether an entry can be recorded.
func (e *Entry) check() error {
	switch {
	case !goodName(e.Unit) || !goodName(e.Account):
		return fail(BadEntry, nil, "an entry needs a unit and an account, each of 1 to %d bytes of text", MaxName)
	case e.Lot != "" && !goodName(e.Lot):
		return fail(BadEntry, nil, "the lot of an entry has at most %d bytes of text", MaxName)
	case e.Serial < 1:
		return fail(BadEntry, nil, "the serial number %d is not positive", e.Serial)
	case e.GenTime.Year() < 2000 || e.GenTime.Year() > 2261:
		return fail(BadEntry, nil, "the time %v is out of range", e.GenTime)
	case len(e.Imprint) == 0 || len(e.Imprint) != sizeOfHash(e.Hash):
		return fail(BadEntry, nil, "the imprint has %d bytes, which is not the size of its hash", len(e.Imprint))
	case len(e.Nonce) > MaxNonce:
		return fail(BadEntry, nil, "the nonce is longer than %d bytes", MaxNonce)
	case len(e.Token) == 0 || len(e.Token) > MaxToken:
		return fail(BadEntry, nil, "the token has %d bytes, not 1 to %d", len(e.Token), MaxToken)
	case e.Certs[0] < 0 || e.Certs[1] < e.Certs[0] || e.Certs[1] > len(e.Token):
		return fail(BadEntry, nil, "the certificates are said to be outside of the token")
	case !goodPolicy(e.Policy):
		return fail(BadEntry, nil, "the policy is no object identifier of a reasonable length")
	}
	return nil
}

// goodName refuses what would make a report or a file name lie.
func goodName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
		plain = plain && s[i] < utf8.RuneSelf
	}
	return plain || utf8.ValidString(s)
}

const maxArcs = 20

func goodPolicy(oid asn1.ObjectIdentifier) bool {
	if len(oid) < 2 || len(oid) > maxArcs || oid[0] < 0 || oid[0] > 2 || oid[1] < 0 || oid[0] < 2 && oid[1] > 39 || oid[1] > math.MaxInt-80 {
		return false
	}
	for _, arc := range oid {
		if arc < 0 {
			return false
		}
	}
	return true
}

// appendOID appends the content octets of an object identifier (X.690 §8.19), at
// most 20 × 9 bytes.
func appendOID(b []byte, oid asn1.ObjectIdentifier) []byte {
	b = appendArc(b, uint64(oid[0]*40+oid[1]))
	for _, arc := range oid[2:] {
		b = appendArc(b, uint64(arc))
	}
	return b
}

func appendArc(b []byte, arc uint64) []byte {
	shift := 63
	for shift > 0 && arc>>shift == 0 {
		shift -= 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, byte(arc>>shift)|0x80)
	}
	return append(b, byte(arc)&0x7f)
}

// parseOID reads what appendOID wrote; nil for anything else.
func parseOID(b []byte) asn1.ObjectIdentifier {
	if len(b) == 0 || b[len(b)-1]&0x80 != 0 {
		return nil
	}
	oid := make(asn1.ObjectIdentifier, 0, 8)
	arc := uint64(0)
	for _, c := range b {
		if arc > math.MaxInt>>7 {
			return nil
		}
		arc = arc<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if len(oid) == 0 {
			top := min(arc/40, 2)
			oid, arc = append(oid, int(top)), arc-40*top
		}
		if oid = append(oid, int(arc)); len(oid) > maxArcs {
			return nil
		}
		arc = 0
	}
	return oid
}

// appendDeclaration appends the frame of a declaration.
func appendDeclaration(b []byte, unit string, certs []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = append(b, frameDeclaration)
	b = appendName(b, unit)
	b = append(b, certs...)
	return sealFrame(b, at)
}

// appendEntry appends the frame of an entry that has been checked.
func appendEntry(b []byte, e *Entry, seq, declared int64) []byte {
	at := len(b)
	be := binary.BigEndian
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, frameEntry, byte(e.Hash))
	b = be.AppendUint32(b, uint32(e.Certs[0]))
	b = be.AppendUint32(b, uint32(declared))
	b = be.AppendUint64(b, uint64(seq))
	b = be.AppendUint64(b, uint64(e.Serial))
	b = be.AppendUint64(b, uint64(e.GenTime.UnixNano()))
	mark := len(b)
	b = appendOID(append(b, 0), e.Policy)
	b[mark] = byte(len(b) - mark - 1)
	b = append(append(b, byte(len(e.Imprint))), e.Imprint...)
	b = append(append(b, byte(len(e.Nonce))), e.Nonce...)
	b = appendName(b, e.Account)
	b = appendName(b, e.Lot)
	b = append(b, e.Token[:e.Certs[0]]...)
	b = append(b, e.Token[e.Certs[1]:]...)
	return sealFrame(b, at)
}

func sealFrame(b []byte, at int) []byte {
	body := b[at+frameHead:]
	binary.BigEndian.PutUint32(b[at:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[at+4:], checksum(body))
	return b
}

var (
	errFrame       = errors.New("a frame is not what was written")
	errDeclaration = errors.New("an entry refers to a declaration that is not there")
)

// nextFrame splits the first frame off b.
func nextFrame(b []byte) (body, rest []byte, err error) {
	if len(b) < frameHead {
		return nil, nil, errFrame
	}
	n := int(binary.BigEndian.Uint32(b))
	if n == 0 || n > maxFrame || n > len(b)-frameHead {
		return nil, nil, errFrame
	}
	body = b[frameHead : frameHead+n : frameHead+n]
	if checksum(body) != binary.BigEndian.Uint32(b[4:]) {
		return nil, nil, errFrame
	}
	return body, b[frameHead+n:], nil
}

// stored is an entry as it stands in its frame; the slices point into that.
type stored struct {
	seq, serial, time                           int64
	hash                                        crypto.Hash
	certsAt, declared                           int64
	policy, imprint, nonce, account, lot, token []byte
}

func parseEntry(body []byte) (s stored, err error) {
	c := &cursor{body, true}
	if c.u8() != frameEntry {
		return s, errFrame
	}
	s.hash = crypto.Hash(c.u8())
	s.certsAt, s.declared = int64(c.u32()), int64(c.u32())
	s.seq, s.serial, s.time = int64(c.u64()), int64(c.u64()), int64(c.u64())
	s.policy, s.imprint, s.nonce, s.account, s.lot = c.field(), c.field(), c.field(), c.field(), c.field()
	s.token = c.b
	if !c.ok || s.seq < 1 || s.serial < 1 || s.certsAt > int64(len(s.token)) || len(s.imprint) != sizeOfHash(s.hash) {
		return s, errFrame
	}
	return s, nil
}

// entry gives the entry its own memory.
func (s *stored) entry(unit string, segment, place int64) Entry {
	e := Entry{
		Seq: s.seq, Unit: unit, Serial: s.serial, GenTime: nanoTime(s.time), Policy: parseOID(s.policy), Hash: s.hash,
		Imprint: bytes.Clone(s.imprint), Account: string(s.account), Lot: string(s.lot), segment: segment, place: place,
	}
	if len(s.nonce) > 0 {
		e.Nonce = bytes.Clone(s.nonce)
	}
	return e
}

// whole puts the certificates back.
func (s *stored) whole(certs []byte) []byte {
	token := make([]byte, 0, len(s.token)+len(certs))
	token = append(token, s.token[:s.certsAt]...)
	token = append(token, certs...)
	return append(token, s.token[s.certsAt:]...)
}

// declaration is a unit's name and the certificates field of its tokens.
type declaration struct {
	unit  string
	certs []byte
}

func parseDeclaration(body []byte) (declaration, error) {
	c := &cursor{body, true}
	if c.u8() != frameDeclaration {
		return declaration{}, errFrame
	}
	unit := c.field()
	if !c.ok || len(unit) == 0 {
		return declaration{}, errFrame
	}
	return declaration{string(unit), c.b}, nil
}

// readFrame reads the frame at a place of a segment, with memory of its own.
func readFrame(f io.ReaderAt, place, limit int64) ([]byte, error) {
	if place < 0 || place >= limit {
		return nil, errFrame
	}
	buf := make([]byte, min(2048, limit-place))
	n, err := f.ReadAt(buf, place)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	buf = buf[:n]
	if n < frameHead {
		return nil, errFrame
	}
	if want := frameHead + int(binary.BigEndian.Uint32(buf)); want > n {
		if want > frameHead+maxFrame || int64(want) > limit-place {
			return nil, errFrame
		}
		buf = append(buf, make([]byte, want-n)...)
		if _, err := f.ReadAt(buf[n:], place+int64(n)); err != nil {
			return nil, err
		}
	}
	body, _, err := nextFrame(buf)
	return body, err
}

// size is never less than what an entry and its declaration take in a batch.
func (e *Entry) size() int {
	return 2*(frameHead+len(e.Token)+MaxName) + entryFixed + 5 + 9*maxArcs +
		len(e.Imprint) + len(e.Nonce) + len(e.Account) + len(e.Lot)
}

// nanos is a time of a query: none is before everything.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}
