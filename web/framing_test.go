package web

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// heads are heads of requests that leave a doubt where they end, or none.
func heads() map[string]struct {
	head string // without the empty line
	good bool
} {
	const post = "POST /tsa HTTP/1.1\r\nHost: x\r\n"
	return map[string]struct {
		head string
		good bool
	}{
		"length":               {post + "Content-Length: 4\r\n", true},
		"chunks":               {post + "Transfer-Encoding: chunked\r\n", true},
		"chunks, loud":         {post + "TRANSFER-ENCODING:\t CHUNKED \r\n", true},
		"colons in values":     {post + "X-Y: a: b\r\nContent-Length: 4\r\n", true},
		"empty value":          {"POST /tsa HTTP/1.1\r\nHost:\r\nX-Y:\r\nContent-Length: 4\r\n", true},
		"1.0, no host":         {"POST /tsa HTTP/1.0\r\nContent-Length: 4\r\n", true},
		"chunks and length":    {post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", false},
		"length and chunks":    {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", false},
		"two lengths":          {post + "Content-Length: 4\r\nContent-Length: 5\r\n", false},
		"list of lengths":      {post + "Content-Length: 4, 5\r\n", false},
		"signed length":        {post + "Content-Length: +4\r\n", false},
		"two encodings":        {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", false},
		"identity":             {post + "Transfer-Encoding: identity\r\n", false},
		"identity and length":  {post + "Transfer-Encoding: identity\r\nContent-Length: 4\r\n", false},
		"gzip":                 {post + "Transfer-Encoding: gzip, chunked\r\n", false},
		"chunked not last":     {post + "Transfer-Encoding: chunked, identity\r\n", false},
		"no encoding":          {post + "Transfer-Encoding:\r\nContent-Length: 4\r\n", false},
		"vertical tab":         {post + "Transfer-Encoding: \x0bchunked\r\n", false},
		"blank before colon":   {post + "Transfer-Encoding : chunked\r\n", false},
		"tab before colon":     {post + "Content-Length\t: 4\r\n", false},
		"blank, other header":  {post + "X-Y : z\r\nContent-Length: 4\r\n", false},
		"folded":               {post + "X-Y: a\r\n b\r\nContent-Length: 4\r\n", false},
		"folded, tab":          {post + "X-Y: a\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", false},
		"folded encoding":      {post + "Transfer-Encoding:\r\n chunked\r\n", false},
		"blank first":          {"POST /tsa HTTP/1.1\r\n Host: x\r\nHost: x\r\nContent-Length: 4\r\n", false},
		"no host":              {"POST /tsa HTTP/1.1\r\nContent-Length: 4\r\n", false},
		"no header":            {"GET /healthz HTTP/1.1\r\n", false},
		"two hosts":            {post + "Host: x\r\nContent-Length: 4\r\n", false},
		"two hosts, 1.0":       {"POST /tsa HTTP/1.0\r\nHost: x\r\nhost: y\r\nContent-Length: 4\r\n", false},
		"chunks, 1.0":          {"POST /tsa HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", false},
		"no colon":             {post + "Content-Length 4\r\n", false},
		"no name":              {post + ": 4\r\nContent-Length: 4\r\n", false},
		"lone LF":              {post + "X-Y: z\nContent-Length: 4\r\n", false},
		"lone CR":              {post + "X-Y: z\rContent-Length: 4\r\n", false},
		"NUL":                  {post + "X-Y: \x00\r\nContent-Length: 4\r\n", false},
		"page":                 {"GET /stamp HTTP/1.1\r\nHost: x\r\nHost: y\r\n", false},
		"interface for others": {"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n", false},
		"expects an answer":    {post + "Expect: 100-continue\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n", false},
	}
}

// A head that leaves a doubt is refused at every door, and what comes behind it is
// never read as a request.
func TestDoubtfulHeads(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	const next = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, c := range heads() {
		if c.good {
			continue
		}
		for how, send := range map[string]func(*wire){
			"at once": func(x *wire) { x.send(c.head + "\r\n0\r\n\r\n" + next) },
			"behind another": func(x *wire) {
				x.send("GET /assets/none HTTP/1.1\r\nHost: x\r\n\r\n" + c.head + "\r\n0\r\n\r\n" + next)
				if res, _ := x.receive(); res.StatusCode != 404 {
					t.Errorf("%s: %d before it", name, res.StatusCode)
				}
			},
			"in pieces": func(x *wire) {
				for i := range len(c.head) {
					x.send(c.head[i : i+1])
				}
				x.send("\r\n0\r\n\r\n" + next)
			},
		} {
			x := w.wire()
			send(x)
			if res, body := x.receive(); res.StatusCode != 400 || !res.Close || !x.ended() {
				t.Errorf("%s, %s: %d, closed %t: %s", name, how, res.StatusCode, res.Close, body)
			}
		}
	}
	if len(d.entries) != 0 {
		t.Errorf("%d stamped", len(d.entries))
	}
}

// Heads that leave none go the way they went before.
func TestPlainHeads(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	for name, c := range heads() {
		if !c.good {
			continue
		}
		x := w.wire()
		body := "\x30\x02\x05\x00"
		if strings.Contains(strings.ToLower(c.head), "chunked") {
			body = "4\r\n" + body + "\r\n0\r\n\r\n"
		}
		for range 2 { // the connection is good for another one
			x.send(c.head + "\r\n" + body)
			if res, text := x.receive(); res.StatusCode != 200 {
				t.Errorf("%s: %d: %s", name, res.StatusCode, text)
			}
			if strings.Contains(c.head, "HTTP/1.0") {
				break
			}
		}
	}
}

// What is not HTTP/1 is refused as that, and ends the connection; a later HTTP/1 is
// read as 1.1, with all that is asked of it (RFC 9110 §2.5).
func TestVersions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	const next = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	query := string(stampQuery(t, 5))
	for version, status := range map[string]int{"HTTP/1.1": 200, "HTTP/1.0": 200, "HTTP/1.2": 200, "HTTP/1.9": 200,
		"HTTP/2.0": 505, "HTTP/0.9": 505, "HTTP/3.1": 505, "HTTP/2": 400, "HTTP/11": 400, "http/1.1": 400} {
		stamped := len(d.entries)
		x := w.wire()
		x.send("POST /tsa " + version + "\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\nContent-Length: " + itoa(len(query)) + "\r\n\r\n" + query)
		res, body := x.receive()
		if res.StatusCode != status || (len(d.entries) > stamped) != (status == 200) {
			t.Errorf("%s: %d, %d stamped: %s", version, res.StatusCode, len(d.entries)-stamped, body)
		}
		if status != 200 && (!res.Close || !x.ended()) {
			t.Errorf("%s: the connection goes on", version)
		}
	}
	for head, status := range map[string]int{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                    505, // RFC 9113 §3.4
		"GET /stamp HTTP/2.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n": 505,
		"GET /healthz HTTP/1.2\r\n\r\n":                                                       400, // no Host
		"POST /tsa HTTP/1.2\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n":           400,
	} {
		x := w.wire()
		x.send(head + next)
		if res, body := x.receive(); res.StatusCode != status || !res.Close || !x.ended() {
			t.Errorf("%q: %d, %s", head, res.StatusCode, body)
		}
	}
}

// The look costs no memory.
func TestLookIsCheap(t *testing.T) {
	lines := []byte("Host: x\r\nContent-Type: " + mediaStampQuery + "\r\nContent-Length: 59\r\nAuthorization: Basic YWNtZTpzZWNyZXQ=\r\nUser-Agent: curl/8\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() { wellFormed([]byte("HTTP/1.1"), lines) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkWellFormed(b *testing.B) {
	protocol := []byte("HTTP/1.1")
	lines := []byte("Host: x\r\nContent-Type: " + mediaStampQuery + "\r\nContent-Length: 59\r\nAuthorization: Basic YWNtZTpzZWNyZXQ=\r\nUser-Agent: curl/8\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		wellFormed(protocol, lines)
	}
}

// FuzzHeads compares with net/http: what its reader refuses for where the request
// ends is not let in here, and what is let in ends at the same place.
func FuzzHeads(f *testing.F) {
	for _, c := range heads() {
		f.Add([]byte(c.head + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		first, lines, ok := bytes.Cut(head, []byte("\r\n"))
		end := bytes.Index(head, []byte("\r\n\r\n"))
		parts := strings.Split(string(first), " ")
		if !ok || end < 0 || len(parts) != 3 || parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0" {
			return
		}
		lines = lines[:end+4-len(first)-2]
		if !wellFormed([]byte(parts[2]), lines) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head[:end+4])))
		if err != nil {
			for _, text := range []string{"too many transfer", "unsupported transfer", "http: message cannot contain multiple", "too many Host"} {
				if strings.HasPrefix(err.Error(), text) {
					t.Fatalf("%q is let in: %v", head, err)
				}
			}
			return // the address, a strange name: fasthttp's affair
		}
		chunked := len(r.TransferEncoding) > 0
		sent := bytes.Contains(bytes.ToLower(lines), []byte("transfer-encoding:"))
		if chunked && !sent || r.Host == "" && r.ProtoAtLeast(1, 1) && !bytes.Contains(bytes.ToLower(lines), []byte("host:")) {
			t.Fatalf("%q: %v, host %q", head, r.TransferEncoding, r.Host)
		}
	})
}
