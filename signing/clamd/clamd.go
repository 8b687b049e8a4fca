// Package clamd asks ClamAV's daemon what it thinks of a document.
//
// It is a second opinion, never the gate. Whether a document can change what it
// shows is decided by formats/inspect, which knows what a virus scanner does not
// look for; a virus scanner knows exploits, which formats/inspect does not look
// for. So what ClamAV finds is refused, and what it finds nothing in is neither
// better nor worse than before. A daemon that is silent, busy, out of date or
// out of its limits has said nothing: that is written down, and our inspection
// decides as it does where there is no ClamAV.
//
// The daemon is spoken to over its Unix socket, by INSTREAM (clamd(8)): it needs
// no right to our files, and what it is sent are the bytes that were inspected.
// It parses documents in a process that is not ours, which is where documents
// are to be parsed.
package clamd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// A Result is what the daemon said.
type Result string

const (
	Clean    Result = "clean"     // nothing found, all of it looked at
	Found    Result = "found"     // something of that name
	NoAnswer Result = "no-answer" // nothing was said of the document
)

// Answer is an opinion, fit for the journal: no part is longer than 128
// characters or has other than printable ASCII.
type Answer struct {
	Result    Result
	Signature string // of what was found
	Engine    string // name, version and database of the daemon; "" if it did not say
	Reason    string // why there is no answer
}

// String is "clean", "found NAME" or "no-answer: REASON".
func (a Answer) String() string {
	switch a.Result {
	case Clean:
		return string(Clean)
	case Found:
		return string(Found) + " " + a.Signature
	}
	return string(NoAnswer) + ": " + a.Reason
}

// Client asks the daemon that listens at Socket. It is safe for concurrent use.
type Client struct {
	Socket  string        // path of the Unix socket
	Timeout time.Duration // for one document; 0 means 10 s
	Max     int64         // bytes of a document that is sent; 0 means 100 MB
}

const (
	defaultTimeout = 10 * time.Second
	defaultMax     = 100_000_000
	maxReply       = 4 << 10
	maxText        = 128
	chunk          = 256 << 10
)

// limits is how the names begin of what ClamAV reports when it gave up
// (AlertExceedsMax): it has not found anything.
const limits = "Heuristics.Limits.Exceeded"

// Scan asks about the document at path. It cannot fail: what goes wrong is no
// answer, and the reason says what.
func (c *Client) Scan(ctx context.Context, path string) Answer {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := Answer{Result: NoAnswer}
	engine, err := c.ask(ctx, "VERSION", nil)
	if err == nil {
		a.Engine = printable(engine)
		a, err = c.opinion(ctx, path, a)
	}
	if err != nil {
		a.Reason = printable(reason(ctx, err))
	}
	return a
}

// opinion sends the document.
func (c *Client) opinion(ctx context.Context, path string, a Answer) (Answer, error) {
	f, err := os.Open(path)
	if err != nil {
		return a, errDocument
	}
	defer f.Close()
	info, err := f.Stat()
	limit := c.Max
	if limit == 0 {
		limit = defaultMax
	}
	switch {
	case err != nil || !info.Mode().IsRegular():
		return a, errDocument
	case info.Size() > limit:
		return a, fmt.Errorf("the document has more than %d bytes", limit)
	}
	reply, err := c.ask(ctx, "INSTREAM", io.LimitReader(f, info.Size()))
	if err != nil {
		return a, err
	}
	said, isStream := strings.CutPrefix(reply, "stream: ")
	name, found := strings.CutSuffix(said, " FOUND")
	switch {
	case !isStream:
		return a, fmt.Errorf("it says %q", reply)
	case said == "OK":
		a.Result = Clean
	case found && strings.HasPrefix(name, limits):
		return a, errors.New("the document is beyond its limits: " + name)
	case found && name != "":
		a.Result, a.Signature = Found, printable(name)
	default:
		return a, fmt.Errorf("it says %q", reply)
	}
	return a, nil
}

// ask sends one command, with a document if there is one, and reads the reply.
func (c *Client) ask(ctx context.Context, command string, document io.Reader) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends reads and writes
	defer stop()
	_, sending := io.WriteString(conn, "z"+command+"\x00")
	if sending == nil && document != nil {
		sending = stream(conn, document)
	}
	if errors.Is(sending, errDocument) {
		return "", sending
	}
	reply, err := io.ReadAll(io.LimitReader(conn, maxReply))
	said, _, whole := bytes.Cut(reply, []byte{0})
	switch {
	case sending != nil && whole: // it has had enough; whatever it says is not of the whole document
		return "", fmt.Errorf("it does not take the document, and says %q", said)
	case sending != nil:
		return "", sending
	case whole:
		return string(said), nil
	case err != nil:
		return "", err
	}
	return "", errors.New("it closed the connection without a reply")
}

// errDocument: the fault is the file's, not the daemon's.
var errDocument = errors.New("the document cannot be read")

// stream sends pieces with their length before them, and one of none at the end.
// After an error the daemon is not to take what it has for the whole.
func stream(w io.Writer, document io.Reader) error {
	buf := make([]byte, 4+chunk)
	for {
		n, err := io.ReadFull(document, buf[4:])
		binary.BigEndian.PutUint32(buf, uint32(n))
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return errDocument
		}
		if n > 0 {
			if _, err := w.Write(buf[:4+n]); err != nil {
				return err
			}
		}
		if err != nil {
			_, err = w.Write([]byte{0, 0, 0, 0})
			return err
		}
	}
}

// reason says in a few words what went wrong, without paths.
func reason(ctx context.Context, err error) string {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "it takes too long"
	case ctx.Err() != nil:
		return "given up by the caller"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "its socket fails: " + op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxText)]
}
