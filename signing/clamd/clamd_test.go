package clamd

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// daemon is a socket that speaks as ClamAV's does: the version, and then reply,
// which gets the document. It ends with the test.
func daemon(t *testing.T, reply func(conn net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clamd") // a short path, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				command := make([]byte, 1)
				var all []byte
				for len(all) < 32 && !bytes.HasSuffix(all, []byte{0}) {
					if _, err := conn.Read(command); err != nil {
						return
					}
					all = append(all, command...)
				}
				switch string(all) {
				case "zVERSION\x00":
					_, _ = io.WriteString(conn, "ClamAV 1.4.6/27000/Sun\x00")
				case "zINSTREAM\x00":
					reply(conn)
				}
			}()
		}
	}()
	return path
}

// received reads the pieces of a document.
func received(conn net.Conn) []byte {
	var all []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return nil
		}
		n := binary.BigEndian.Uint32(head[:])
		if n == 0 {
			return all
		}
		piece := make([]byte, n)
		if _, err := io.ReadFull(conn, piece); err != nil {
			return nil
		}
		all = append(all, piece...)
	}
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("documento "), 100_000) // several pieces
	for reply, want := range map[string]Answer{
		"stream: OK\x00":                                           {Result: Clean},
		"stream: Eicar-Test-Signature FOUND\x00":                   {Result: Found, Signature: "Eicar-Test-Signature"},
		"stream: a\nb\xff FOUND\x00":                               {Result: Found, Signature: "a?b?"},
		"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00": {Reason: "the document is beyond its limits: Heuristics.Limits.Exceeded.MaxFileSize"},
		"INSTREAM size limit exceeded. ERROR\x00":                  {Reason: `it says "INSTREAM size limit exceeded. ERROR"`},
		"stream: Can't allocate memory ERROR\x00":                  {Reason: `it says "stream: Can't allocate memory ERROR"`},
		"stream:  FOUND\x00":                                       {Reason: `it says "stream:  FOUND"`},
		"stream: OK":                                               {Reason: "it closed the connection without a reply"},
		"":                                                         {Reason: "it closed the connection without a reply"},
		strings.Repeat("x", 3*maxReply):                            {Reason: "it closed the connection without a reply"},
	} {
		t.Run(reply[:min(len(reply), 40)], func(t *testing.T) {
			t.Parallel()
			if want.Result == "" {
				want.Result = NoAnswer
			}
			want.Engine = "ClamAV 1.4.6/27000/Sun"
			var whole atomic.Bool
			socket := daemon(t, func(conn net.Conn) {
				whole.Store(bytes.Equal(received(conn), long))
				_, _ = io.WriteString(conn, reply)
			})
			c := Client{Socket: socket}
			if got := c.Scan(t.Context(), file(t, long)); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			if !whole.Load() {
				t.Error("the daemon did not get the document")
			}
		})
	}
}

// What goes wrong is no answer, within the time.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	silent := daemon(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	deaf := daemon(t, func(net.Conn) { <-t.Context().Done() })
	enough := daemon(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "INSTREAM size limit exceeded. ERROR\x00")
	})
	good := daemon(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "stream: OK\x00") })
	document := file(t, bytes.Repeat([]byte{'x'}, 2<<20)) // more than a socket holds
	for name, c := range map[string]struct {
		client   Client
		document string
		reason   string
	}{
		"nobody there":    {Client{Socket: "/nonexistent/clamd.ctl"}, document, "its socket fails: dial: "},
		"silent":          {Client{Socket: silent, Timeout: 100 * time.Millisecond}, document, "it takes too long"},
		"deaf":            {Client{Socket: deaf, Timeout: 100 * time.Millisecond}, document, "it takes too long"},
		"had enough":      {Client{Socket: enough}, document, ""}, // its words may be lost with the connection
		"too large":       {Client{Socket: good, Max: 1 << 20}, document, "the document has more than 1048576 bytes"},
		"no document":     {Client{Socket: good}, filepath.Join(t.TempDir(), "none"), "the document cannot be read"},
		"a folder for it": {Client{Socket: good}, t.TempDir(), "the document cannot be read"},
		"not all taken":   {Client{Socket: good}, document, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.client.Scan(t.Context(), c.document)
			if got.Result != NoAnswer || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("%+v", got)
			}
			if !strings.HasPrefix(got.String(), "no-answer: ") {
				t.Errorf("%q", got)
			}
		})
	}
}
