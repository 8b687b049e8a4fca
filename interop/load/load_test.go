package load

import (
	"bufio"
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/cms"
)

// response encodes what granted looks at of an answer; nothing is signed.
func response(status, serial int64, imprint, nonce []byte, optional bool) []byte {
	var b cryptobyte.Builder
	seq := func(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) { b.AddASN1(cbasn1.SEQUENCE, f) }
	within := func(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), f)
	}
	oid := asn1.ObjectIdentifier{1, 2, 3}
	info := func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(oid)
		seq(b, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
			b.AddASN1OctetString(imprint)
		})
		b.AddASN1Int64(serial)
		b.AddASN1GeneralizedTime(time.Now().UTC())
		if optional {
			seq(b, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) })
			b.AddASN1Boolean(false)
		}
		b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(nonce) })
	}
	signed := func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
		seq(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			within(b, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { seq(b, info) })
			})
		})
	}
	seq(&b, func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) { b.AddASN1Int64(status) })
		if status > 1 {
			return
		}
		seq(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			within(b, func(b *cryptobyte.Builder) { seq(b, signed) })
		})
	})
	return b.BytesOrPanic()
}

func TestGranted(t *testing.T) {
	t.Parallel()
	imprint, nonce := make([]byte, 32), []byte{0x41, 2, 3, 4, 5, 6, 7, 8}
	other := slices.Clone(nonce)
	other[7]++
	const serial = 0x0102030405060708
	for name, c := range map[string]struct {
		der []byte
		bad string
	}{
		"granted":               {response(0, serial, imprint, nonce, false), ""},
		"with what is optional": {response(0, serial, imprint, nonce, true), ""},
		"with modifications":    {response(1, serial, imprint, nonce, false), ""},
		"refused":               {response(2, serial, imprint, nonce, false), "status 2"},
		"another imprint":       {response(0, serial, make([]byte, 31), nonce, false), "imprint"},
		"another nonce":         {response(0, serial, imprint, other, false), "nonce"},
		"nothing":               {nil, "not a TimeStampResp"},
		"cut":                   {response(0, serial, imprint, nonce, false)[:70], "not a TimeStampResp"},
	} {
		got, err := granted(c.der, imprint, nonce)
		switch {
		case c.bad == "" && (err != nil || got != serial):
			t.Errorf("%s: %d, %v", name, got, err)
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, body string
		bad        error
	}{
		"with a length":    {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nX: y\r\n\r\nabc", "abc", nil},
		"chunked":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc", nil},
		"half a head":      {"HTTP/1.1 200 OK\r\nContent-Le", "", errMore},
		"half a body":      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "", errMore},
		"half of a chunk":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na", "", errMore},
		"without a length": {"HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc", "", errors.New("an answer without a length")},
		"not HTTP":         {"SSH-2.0-OpenSSH\r\n\r\n", "", errors.New("not an answer of HTTP/1")},
	} {
		var r reader
		for range 2 { // the second time it knows where the length stands
			status, body, size, err := r.answer([]byte(c.text))
			if c.bad != nil {
				if err == nil || err.Error() != c.bad.Error() {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil || status != 200 || string(body) != c.body || size != len(c.text) {
				t.Errorf("%s: %d %q %d %v", name, status, body, size, err)
			}
		}
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	for i := range 10_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond, 1: 10 * time.Millisecond} {
		if got := h.at(q); got < want || got > want+want/100 {
			t.Errorf("%g: %s, want %s", q, got, want)
		}
	}
	for p := range 58 * fine {
		if place(uint64(value(p))) != p {
			t.Fatalf("place %d starts at %d, which is at %d", p, value(p), place(uint64(value(p))))
		}
	}
}

// Requests are such as our own parser of requests takes.
func TestRequest(t *testing.T) {
	t.Parallel()
	for h := range hashes {
		der, err := Request(h, make([]byte, h.Size()), nonceTop)
		if err != nil {
			t.Fatal(err)
		}
		if r, refusal := cms.ParseTimestampRequest(der); refusal != nil || r.Hash != h || !r.CertReq || r.Nonce == nil {
			t.Errorf("%v: %v %v", h, r, refusal)
		}
	}
	if _, err := Request(crypto.SHA256, make([]byte, 20), 1); err == nil {
		t.Error("an imprint of the wrong length was encoded")
	}
	tmpl, err := newTemplate("a:1", "/tsa", "")
	if err != nil {
		t.Fatal(err)
	}
	tmpl.next(tmpl.bytes)
	_, body, _ := strings.Cut(string(tmpl.bytes), "\r\n\r\n")
	if _, refusal := cms.ParseTimestampRequest([]byte(body)); refusal != nil {
		t.Error(refusal)
	}
}

// quick answers each request at once, as a server would that costs nothing.
func quick(tb testing.TB, answer func(n int64, imprint, nonce []byte) []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	var count atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return
					}
					q, refusal := cms.ParseTimestampRequest(body)
					if refusal != nil {
						tb.Error(refusal)
						return
					}
					a := answer(count.Add(1), q.Imprint, q.Nonce.Bytes())
					if a == nil {
						return
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(a), a)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	good := func(n int64, imprint, nonce []byte) []byte { return response(0, n, imprint, nonce, true) }
	for name, c := range map[string]struct {
		answer   func(n int64, imprint, nonce []byte) []byte
		rate     int
		stubborn bool
		right    func(r *Report) bool
	}{
		"closed": {good, 0, false, func(r *Report) bool {
			return r.Errors == 0 && r.Granted > 100 && r.Granted == r.Asked && r.Twice == 0 && r.P50 > 0 && r.P50 <= r.P99 && r.ServerCPU > 0
		}},
		"open": {good, 1000, false, func(r *Report) bool {
			return r.Errors == 0 && r.Granted >= 280 && r.Granted <= 301 && r.Asked == r.Granted && r.ResidentTo > 0
		}},
		"the same number twice": {func(n int64, i, x []byte) []byte { return response(0, n/2, i, x, false) }, 0, false,
			func(r *Report) bool { return r.Twice > 10 }},
		"wrong nonce": {func(n int64, i, x []byte) []byte { return response(0, n, i, []byte{1}, false) }, 0, false,
			func(r *Report) bool {
				return r.Granted == 0 && r.Errors == r.Asked && strings.Contains(r.FirstError.Error(), "nonce")
			}},
		"breaks": {func(n int64, i, x []byte) []byte {
			if n%10 == 0 {
				return nil
			}
			return good(n, i, x)
		}, 0, false, func(r *Report) bool {
			return r.Errors > 0 && r.Granted > 0 && r.Errors+r.Granted == r.Asked && strings.Contains(r.FirstError.Error(), "closed")
		}},
		"breaks, and we are stubborn": {func(n int64, i, x []byte) []byte {
			if n%10 == 0 {
				return nil
			}
			return good(n, i, x)
		}, 0, true, func(r *Report) bool { return r.Errors == 0 && r.Broken > 0 && r.Broken+r.Granted == r.Asked }},
		"slow": {func(n int64, i, x []byte) []byte { // stands still once; who came then is told
			if n == 100 {
				time.Sleep(200 * time.Millisecond)
			}
			return good(n, i, x)
		}, 400, false, func(r *Report) bool { return r.Errors == 0 && r.Max >= 180*time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := 4
			if name == "slow" {
				clients = 1
			}
			r, err := Run(context.Background(), Options{Addr: quick(t, c.answer), Path: "/tsa", Clients: clients, Rate: c.rate,
				For: 300 * time.Millisecond, Serials: true, Stubborn: c.stubborn, PIDs: []int{os.Getpid()}})
			if err != nil {
				t.Fatal(err)
			}
			if !c.right(r) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// An open loop charges all who came while the server stood still, not only the
// one who was being served: that is what the closed loop cannot see.
func TestOpenLoopCountsFromIntended(t *testing.T) {
	t.Parallel()
	r, err := Run(context.Background(), Options{Addr: quick(t, func(n int64, i, x []byte) []byte {
		if n == 50 {
			time.Sleep(300 * time.Millisecond)
		}
		return response(0, n, i, x, false)
	}), Path: "/", Clients: 1, Rate: 200, For: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	// 60 of the 200 requests began in the 300 ms; the p99 must be near the whole pause.
	if r.Errors != 0 || r.P99 < 200*time.Millisecond {
		t.Errorf("p99 %s, %+v", r.P99, r)
	}
}

// What a request costs us: the goal is at most 8 µs of processor time.
func BenchmarkRun(b *testing.B) {
	addr := quick(b, func(n int64, imprint, nonce []byte) []byte { return response(0, n, imprint, nonce, true) })
	for b.Loop() {
		r, err := Run(context.Background(), Options{Addr: addr, Path: "/", Clients: 32, For: 2 * time.Second})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.OwnCPU.Nanoseconds()), "own-ns/request")
		b.ReportMetric(r.PerSecond, "requests/s")
	}
}
