package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errMore: the answer is not complete yet.
var errMore = errors.New("more")

// reader splits HTTP answers off a buffer. It remembers where the length stood
// in the head before, for a server writes its heads all alike.
type reader struct{ lengthAt int }

var headEnd, lengthName, chunkedName = []byte("\r\n\r\n"), []byte("content-length:"), []byte("transfer-encoding: chunked")

// answer finds one whole answer at the start of b: its status, its body, and how
// much of b it takes.
func (r *reader) answer(b []byte) (status int, body []byte, size int, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if len(b) > 16<<10 {
			return 0, nil, 0, errors.New("the head of the answer has no end")
		}
		return 0, nil, 0, errMore
	}
	if len(b) < 12 || string(b[:7]) != "HTTP/1." {
		return 0, nil, 0, errors.New("not an answer of HTTP/1")
	}
	if status, err = strconv.Atoi(string(b[9:12])); err != nil {
		return 0, nil, 0, errors.New("no status in the answer")
	}
	head, at := b[:end], end+len(headEnd)
	n := r.length(head)
	if n < 0 {
		if !bytes.Contains(lower(head), chunkedName) {
			return 0, nil, 0, errors.New("an answer without a length")
		}
		body, size, err = chunks(b[at:])
		return status, body, at + size, err
	}
	if len(b) < at+n {
		return 0, nil, 0, errMore
	}
	return status, b[at : at+n], at + n, nil
}

// length gives the Content-Length of a head, -1 if it has none.
func (r *reader) length(head []byte) int {
	at := r.lengthAt
	if at+len(lengthName) > len(head) || !bytes.EqualFold(head[at:at+len(lengthName)], lengthName) {
		at = bytes.Index(lower(head), lengthName)
		if at < 0 {
			return -1
		}
		r.lengthAt = at
	}
	n, seen := 0, false
	for _, c := range head[at+len(lengthName):] {
		switch {
		case c >= '0' && c <= '9' && n < 1<<20:
			n, seen = n*10+int(c-'0'), true
		case c == ' ' && !seen:
		case seen:
			return n
		default:
			return -1
		}
	}
	if seen {
		return n
	}
	return -1
}

// lower gives head with small ASCII letters, octet for octet: what is not UTF-8 keeps
// its length.
func lower(head []byte) []byte {
	out := bytes.Clone(head)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// chunks decodes a chunked body (RFC 9112 §7.1) without trailers.
func chunks(b []byte) (body []byte, size int, err error) {
	for {
		end := bytes.Index(b[size:], []byte("\r\n"))
		if end < 0 {
			return nil, 0, errMore
		}
		text, _, _ := strings.Cut(string(b[size:size+end]), ";")
		n, err := strconv.ParseUint(text, 16, 20)
		if err != nil {
			return nil, 0, fmt.Errorf("a chunk with the length %q", text)
		}
		size += end + 2
		if len(b) < size+int(n)+2 {
			return nil, 0, errMore
		}
		body = append(body, b[size:size+int(n)]...)
		size += int(n) + 2
		if n == 0 {
			return body, size, nil
		}
	}
}

// refused is an answer with another status than granted.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("refused with status %d: %s", r.status, r.text) }

// granted checks a TimeStampResp as far as that costs next to nothing: status 0 or
// 1, and in the TSTInfo the imprint and nonce that were sent. It gives the serial
// number's last eight octets.
func granted(der, imprint, nonce []byte) (serial uint64, err error) {
	d := walker{b: der}
	d.into(0x30)
	info := d.take(0x30)
	if d.bad {
		return 0, errors.New("not a TimeStampResp")
	}
	status := walker{b: info}
	if s := status.take(0x02); len(s) != 1 || s[0] > 1 {
		code := -1
		if len(s) == 1 {
			code = int(s[0])
		}
		return 0, &refused{code, words(status.b)}
	}
	d.into(0x30) // ContentInfo
	d.take(0x06)
	d.into(0xa0)
	d.into(0x30) // SignedData
	d.take(0x02)
	d.take(0x31)
	d.into(0x30) // EncapsulatedContentInfo
	d.take(0x06)
	d.into(0xa0)
	d.into(0x04)
	d.into(0x30) // TSTInfo
	d.take(0x02)
	d.take(0x06)
	m := walker{b: d.take(0x30)}
	m.take(0x30)
	if !bytes.Equal(m.take(0x04), imprint) {
		return 0, errors.New("another imprint than was sent")
	}
	number := d.take(0x02)
	d.take(0x18)
	if len(d.b) > 0 && d.b[0] == 0x30 {
		d.take(0x30)
	}
	if len(d.b) > 0 && d.b[0] == 0x01 {
		d.take(0x01)
	}
	if !bytes.Equal(d.take(0x02), nonce) {
		return 0, errors.New("another nonce than was sent")
	}
	if d.bad || len(number) == 0 {
		return 0, errors.New("not a TSTInfo")
	}
	var last [8]byte
	copy(last[max(0, 8-len(number)):], number[max(0, len(number)-8):])
	return binary.BigEndian.Uint64(last[:]), nil
}

// Token gives the TimeStampToken in an answer; nil if there is none.
func Token(response []byte) []byte {
	d := walker{b: response}
	d.into(0x30)
	d.take(0x30)
	if d.bad || len(d.b) == 0 {
		return nil
	}
	return d.b
}

// words gives what can be read of a status text and the failure information.
func words(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b))
}

// walker steps along DER with definite lengths.
type walker struct {
	b   []byte
	bad bool
}

// head gives the offset of the contents of the next element, and their end.
func (w *walker) head(tag byte) (from, to int, ok bool) {
	b := w.b
	if w.bad || len(b) < 2 || b[0] != tag {
		w.bad = true
		return 0, 0, false
	}
	from, n := 2, int(b[1])
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 3 || len(b) < 2+k {
			w.bad = true
			return 0, 0, false
		}
		n = 0
		for _, c := range b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		from += k
	}
	if len(b) < from+n {
		w.bad = true
		return 0, 0, false
	}
	return from, from + n, true
}

// take gives the contents of the next element and steps over it.
func (w *walker) take(tag byte) []byte {
	from, to, ok := w.head(tag)
	if !ok {
		return nil
	}
	c := w.b[from:to]
	w.b = w.b[to:]
	return c
}

// into steps into the next element; what follows it is forgotten.
func (w *walker) into(tag byte) {
	if from, to, ok := w.head(tag); ok {
		w.b = w.b[from:to]
	}
}
