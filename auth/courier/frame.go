package courier

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// The protocol of the pipe. An order goes one way, its outcome the other; many may
// be under way at a time, and an identifier tells which belongs to which. Each is a
// frame: a length of four bytes, big-endian, then as many bytes of JSON.

const (
	maxFrame = 4 << 10
	maxID    = 64
)

type order struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

type outcome struct {
	ID    string `json:"id"`
	Error string `json:"error,omitempty"` // the message; empty: sent
	Kind  Kind   `json:"kind,omitempty"`
	Retry int64  `json:"retryAfterMs,omitempty"`
}

// outcomeOf is what the other side is told.
func outcomeOf(id string, err error) outcome {
	if err == nil {
		return outcome{ID: id}
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Kind: Unavailable, Msg: "the message could not be sent"}
	}
	msg := e.Msg
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return outcome{ID: id, Error: msg[:min(len(msg), 500)], Kind: e.Kind, Retry: e.RetryAfter.Milliseconds()}
}

func (o *outcome) err() error {
	if o.Error == "" && o.Kind == "" {
		return nil
	}
	k := o.Kind
	if !kinds[k] {
		k = Unavailable
	}
	return &Error{Kind: k, Msg: o.Error, RetryAfter: time.Duration(max(o.Retry, 0)) * time.Millisecond}
}

// readFrame reads one frame into v. io.EOF means that the other side closed
// between two frames; any other error that the stream is of no more use.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return fail(BadMessage, "a frame of %d bytes; 1 to %d are allowed", n, maxFrame)
	}
	b := make([]byte, n)
	defer clear(b) // it may hold a code
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fail(BadMessage, "a frame that is no JSON of this protocol")
	}
	return nil
}

// frame is v as it goes over the pipe, in one write.
func frame(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fail(BadMessage, "the message cannot be encoded")
	}
	defer clear(b)
	if len(b) > maxFrame {
		return nil, fail(BadMessage, "the message is too long")
	}
	f := make([]byte, 4+len(b))
	binary.BigEndian.PutUint32(f, uint32(len(b)))
	copy(f[4:], b)
	return f, nil
}
