package vault

import (
	"bufio"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
)

// The stream of stamps. The operation "stamp-stream" turns a connection into one:
// after the answer to it no JSON follows, but orders one way and answers the other,
// as many as the sides like before they wait. Answers come in any order.
//
//	order   length uint32 · id uint64 · TimeStampReq (DER)
//	answer  length uint32 · id uint64 · kind byte · content
//
// length counts what follows it; numbers are big-endian. The content of an answer:
//
//	stamp    serial int64 · time int64 (ms) · certificates 2 × uint32 · unit · policy · token
//	refusal  failure int32 (-1: none) · failure's text · kind · text
//	ticket   text: of the activation that holds now; it answers no order
//	end      text: the other side sent something that is not an order; it is the last
//
// unit, kind and texts carry their length before them, in one byte or, the texts,
// two. policy is a byte with the number of arcs and the arcs as varints.

const (
	maxOrder  = cms.MaxRequestSize
	maxToken  = 48 << 10 // bytes of a token: certificates of a long chain and more
	maxText   = 1 << 10  // bytes of a text that is sent; longer ones are cut
	maxArcs   = 32
	maxUnit   = 64
	headSize  = 12
	maxAnswer = maxToken + 4*maxText // bytes of a whole answer

	answerStamp   = 1
	answerRefusal = 2
	answerEnd     = 3
	answerTicket  = 4

	noFailure = -1
)

var errFrame = fail(BadRequest, "the stream of stamps is broken: a frame of a wrong length or content")

// appendOrder appends the frame of an order.
func appendOrder(b []byte, id uint64, request []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(8+len(request)))
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, request...)
}

// nextFrame reads a frame and gives what follows its length, which is at least the
// identifier and at most as long as r's buffer less 4. It is good until the next
// call. io.EOF means that the other side closed between two frames.
func nextFrame(r *bufio.Reader, most int) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	n := binary.BigEndian.Uint32(head)
	if n < 8 || uint64(n) > uint64(most) {
		return nil, errFrame
	}
	b, err := r.Peek(4 + int(n))
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	_, err = r.Discard(len(b)) // cannot fail: it is in the buffer
	return b[4:], err
}

// splitID takes the identifier off a frame.
func splitID(frame []byte) (id uint64, rest []byte) {
	return binary.BigEndian.Uint64(frame), frame[8:]
}

// begin appends the head of an answer, whose length end writes.
func begin(b []byte, id uint64, kind byte) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, kind)
}

func end(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// appendStamp appends the answer that is a stamp. One that does not fit the frame,
// which no unit makes, becomes a refusal.
func appendStamp(b []byte, id uint64, s *tsa.Stamp) []byte {
	if len(s.Token) > maxToken || len(s.Unit) > maxUnit || len(s.Policy) > maxArcs {
		return appendRefusal(b, id, &tsa.Error{Kind: tsa.Unavailable, Msg: "the time-stamp is larger than the vault can hand over; leave certificates out of the chain"})
	}
	start := len(b)
	b = begin(b, id, answerStamp)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Serial))
	b = binary.BigEndian.AppendUint64(b, uint64(s.GenTime.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Certs[0]))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Certs[1]))
	b = append(append(b, byte(len(s.Unit))), s.Unit...)
	b = append(b, byte(len(s.Policy)))
	for _, arc := range s.Policy {
		b = binary.AppendUvarint(b, uint64(arc))
	}
	return end(append(b, s.Token...), start)
}

// appendRefusal appends the answer that says why there is no stamp. Causes stay on
// this side, but for what is wrong with the request.
func appendRefusal(b []byte, id uint64, err error) []byte {
	e, ok := errors.AsType[*tsa.Error](err)
	if !ok {
		e = &tsa.Error{Kind: tsa.Unavailable, Msg: "the vault could not make the time-stamp; see its log"}
	}
	failure, why := int32(noFailure), ""
	if r, ok := errors.AsType[*cms.Refusal](e.Err); ok {
		failure, why = int32(r.FailureInfo), r.Text
	}
	start := len(b)
	b = begin(b, id, answerRefusal)
	b = binary.BigEndian.AppendUint32(b, uint32(failure))
	b = appendText(b, why)
	b = append(append(b, byte(len(e.Kind))), e.Kind...)
	return end(appendText(b, e.Msg), start)
}

// appendEnd appends the answer that is the last.
func appendEnd(b []byte, err error) []byte {
	start := len(b)
	return end(appendText(begin(b, 0, answerEnd), toWire(err).Msg), start)
}

// appendTicket appends the answer that hands over a ticket.
func appendTicket(b, ticket []byte) []byte {
	start := len(b)
	return end(appendText(begin(b, 0, answerTicket), string(ticket)), start)
}

func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// outcome is an answer as the client reads it: a stamp, or why there is none.
type outcome struct {
	stamp  tsa.Stamp
	err    error  // *tsa.Error
	last   error  // the other side gave up
	ticket []byte // no answer to an order
}

// names remembers the few units and policies that answers name, so that they are
// made once. What a stream may be told is bounded.
type names struct {
	units    map[string]string
	policies map[string]asn1.ObjectIdentifier
}

const maxNames = 256

func newNames() *names {
	return &names{units: make(map[string]string), policies: make(map[string]asn1.ObjectIdentifier)}
}

func (n *names) unit(b []byte) string {
	if s, ok := n.units[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n.units) < maxNames {
		n.units[s] = s
	}
	return s
}

// policy reads the arcs in b, of which there are count, and gives what follows.
func (n *names) policy(b []byte) (oid asn1.ObjectIdentifier, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < 2 || b[0] > maxArcs {
		return nil, nil, false
	}
	at := 1
	for range b[0] {
		arc, size := binary.Uvarint(b[at:])
		if size <= 0 || arc > 1<<31-1 {
			return nil, nil, false
		}
		at += size
	}
	if oid, ok = n.policies[string(b[:at])]; ok {
		return oid, b[at:], true
	}
	for p := 1; p < at; {
		arc, size := binary.Uvarint(b[p:])
		oid, p = append(oid, int(arc)), p+size
	}
	if len(n.policies) < maxNames {
		n.policies[string(b[:at])] = oid
	}
	return oid, b[at:], true
}

// parseAnswer reads what follows the identifier of an answer. Nothing of b is kept.
func parseAnswer(b []byte, n *names) (o outcome, err error) {
	if len(b) == 0 {
		return o, errFrame
	}
	switch b[0] {
	case answerStamp:
		return parseStamp(b[1:], n)
	case answerRefusal:
		return parseRefusal(b[1:])
	case answerEnd, answerTicket:
		text, rest, ok := readText(b[1:])
		if !ok || len(rest) != 0 {
			return o, errFrame
		}
		if b[0] == answerTicket {
			o.ticket = []byte(text)
		} else {
			o.last = fail(BadRequest, text)
		}
		return o, nil
	}
	return o, errFrame
}

func parseStamp(b []byte, n *names) (o outcome, err error) {
	if len(b) < 25 {
		return o, errFrame
	}
	s := &o.stamp
	s.Serial = int64(binary.BigEndian.Uint64(b))
	s.GenTime = time.UnixMilli(int64(binary.BigEndian.Uint64(b[8:]))).UTC()
	from, to := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	size := int(b[24])
	if b = b[25:]; size == 0 || size > maxUnit || len(b) < size {
		return outcome{}, errFrame
	}
	s.Unit = n.unit(b[:size])
	policy, token, ok := n.policy(b[size:])
	if !ok || len(token) == 0 || len(token) > maxToken || s.Serial <= 0 || from > to || uint64(to) > uint64(len(token)) {
		return outcome{}, errFrame
	}
	s.Policy, s.Certs = policy, [2]int{int(from), int(to)}
	own := make([]byte, len(token))
	copy(own, token)
	s.Token = own
	return o, nil
}

func parseRefusal(b []byte) (o outcome, err error) {
	if len(b) < 4 {
		return o, errFrame
	}
	failure := int32(binary.BigEndian.Uint32(b))
	why, b, ok := readText(b[4:])
	if !ok || len(b) == 0 || len(b) < 1+int(b[0]) {
		return o, errFrame
	}
	size := 1 + int(b[0])
	e := &tsa.Error{Kind: tsa.Kind(b[1:size])}
	if e.Msg, b, ok = readText(b[size:]); !ok || len(b) != 0 || e.Kind == "" {
		return o, errFrame
	}
	if failure != noFailure {
		e.Err = &cms.Refusal{FailureInfo: cms.FailureInfo(failure), Text: why}
	}
	o.err = e
	return o, nil
}

func readText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > maxText || len(b) < n {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}
