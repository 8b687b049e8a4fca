package web

import (
	"strconv"
	"strings"
	"testing"

	"sigillo/formats/cms"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Who asks whether to send a body that is too large is told no, without a byte of
// it; who asks about one that is not is told to go on.
func TestExpect(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff), func(c *Config) { c.MaxUpload = 5 << 20 })
	token := w.program().bearer
	for name, c := range map[string]struct {
		path, header string
		length       int
		status       int
	}{
		"stamp":                {"/tsa", "Content-Type: " + mediaStampQuery, 9_000_000_000, 413},
		"stamp, a little":      {"/tsa", "Content-Type: " + mediaStampQuery, stampLimit + 1, 413},
		"stamp, of a policy":   {"/tsa/fast", "Content-Type: " + mediaStampQuery, stampLimit + 1, 413},
		"stamp, as it may be":  {"/tsa", "Content-Type: " + mediaStampQuery, stampLimit, 100},
		"status":               {"/ocsp/issuing-ca", "Content-Type: " + mediaOCSPRequest, bodyLimit + 1, 413},
		"form":                 {"/signin", "Content-Type: application/x-www-form-urlencoded", bodyLimit + 1, 413},
		"session":              {"/api/v1/session", "Content-Type: application/json", bodyLimit + 1, 413},
		"upload":               {"/api/v1/documents", "Authorization: Bearer " + token, 5<<20 + 1, 413},
		"upload, as it may be": {"/api/v1/documents", "Authorization: Bearer " + token, 4 << 20, 100},
		"upload by nobody":     {"/api/v1/documents", "Accept: */*", 7 << 20, 401},
		"nowhere":              {"/nowhere", "Accept: */*", 9_000_000_000, 404},
	} {
		c1 := w.wire()
		c1.send("POST " + c.path + " HTTP/1.1\r\nHost: x\r\n" + c.header + "\r\nExpect: 100-continue\r\nContent-Length: " + itoa(c.length) + "\r\n\r\n")
		if c.status == 100 {
			if line, err := c1.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
				t.Errorf("%s: %q %v", name, line, err)
			}
			continue
		}
		res, body := c1.receive()
		if res.StatusCode != c.status || !res.Close || !c1.ended() {
			t.Errorf("%s: %d, closed %t: %s", name, res.StatusCode, res.Close, body)
		}
		if strings.HasPrefix(c.path, "/tsa") {
			if r, err := cms.ParseResponse([]byte(body)); err != nil || r.Refusal == nil || r.Refusal.FailureInfo != cms.BadDataFormat {
				t.Errorf("%s: the answer is no TimeStampResp: %v", name, err)
			}
		}
	}
	if w.rooms.uploaded != 0 || len(d.entries) != 0 {
		t.Errorf("%d bytes taken, %d stamped", w.rooms.uploaded, len(d.entries))
	}
	// What is sent all the same is not the next request.
	c2 := w.wire()
	c2.send("POST /tsa HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9000000000\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if res, _ := c2.receive(); res.StatusCode != 413 || !c2.ended() {
		t.Errorf("%d, or the body was read as a request", res.StatusCode)
	}
	// Nobody is let in by writing what only we write.
	c3 := w.wire()
	c3.send("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\n" + announced + ": 3\r\nContent-Length: 0\r\n\r\n")
	if _, body := c3.receive(); len(d.entries) != 0 {
		t.Errorf("%q", body)
	}
}

// HTTP/1.0 has no interim answers: who asks for one there gets his stamp, and one
// answer (RFC 9110 §10.1.1).
func TestExpectOfHTTP10(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	query := string(stampQuery(t, 4))
	for name, c := range map[string]struct {
		version string
		answers []int
	}{"1.0": {"HTTP/1.0", []int{200}}, "1.1": {"HTTP/1.1", []int{100, 200}}, "1.2": {"HTTP/1.2", []int{100, 200}}} {
		x := w.wire()
		x.send("POST /tsa " + c.version + "\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\nExpect: 100-continue\r\nContent-Length: " + itoa(len(query)) + "\r\n\r\n" + query)
		for _, want := range c.answers {
			if res, _ := x.receive(); res.StatusCode != want {
				t.Errorf("%s: %d, want %d", name, res.StatusCode, want)
			}
		}
	}
}
