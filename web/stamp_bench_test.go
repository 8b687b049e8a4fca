package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"sigillo/tsa/accounts"
)

// nullStamps answers at once, always the same.
type nullStamps struct {
	Stamps
	answer []byte
}

func (n *nullStamps) AnswerUnder(context.Context, string, accounts.Caller, []byte) ([]byte, error) {
	return n.answer, nil
}

// slowPath is where the same work is done behind the router and around.
const slowPath = "/certs/slow"

// benchServer gives a server that answers at /tsa by the door, and at slowPath as
// all other addresses are.
func benchServer(b *testing.B) *Server {
	b.Helper()
	rooms := newRooms(b)
	null := &nullStamps{answer: make([]byte, 1500)}
	srv, err := New(Config{Signing: rooms, Accounts: rooms, Stamps: null, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	srv.app.Post(slowPath, func(c *fiber.Ctx) error {
		request, err := srv.der(c, mediaStampQuery, stampLimit)
		if err != nil {
			return err
		}
		call := stampCalls.Get().(*stampCall)
		defer stampCalls.Put(call)
		caller, _ := srv.stampCaller(c.Context(), call)
		response, err := null.AnswerUnder(c.UserContext(), "", caller, request)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, mediaStampReply)
		return c.Send(response)
	})
	return srv
}

var benchPaths = map[string]string{"door": stampPath, "router": slowPath}

// processCPU is what the process has used; on a busy machine it says more than
// the clock.
func processCPU(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStampHandler is the cost of a handler without connection and without
// parsing of HTTP.
func BenchmarkStampHandler(b *testing.B) {
	for name, path := range benchPaths {
		b.Run(name, func(b *testing.B) {
			app := benchServer(b).app
			_ = app.Handler() // completes the router
			handler := app.Server().Handler
			query := stampQuery(b, 1)
			conn, other := net.Pipe()
			defer func() { _, _ = conn.Close(), other.Close() }()
			var ctx fasthttp.RequestCtx
			ctx.Init2(conn, nil, false)
			body := bytes.NewReader(nil)
			b.ReportAllocs()
			began := processCPU(b)
			for b.Loop() {
				ctx.Request.Reset()
				ctx.Response.Reset()
				ctx.ResetUserValues()
				h := &ctx.Request.Header
				h.SetMethod("POST")
				h.SetRequestURI(path)
				h.SetHost("localhost")
				h.SetContentType(mediaStampQuery)
				h.Set("Authorization", "Basic YWNtZTpzZXN0bw==")
				body.Reset(query)
				ctx.Request.SetBodyStream(body, len(query))
				handler(&ctx)
				if ctx.Response.StatusCode() != 200 {
					b.Fatal(ctx.Response.StatusCode(), string(ctx.Response.Body()))
				}
			}
			b.ReportMetric(float64(processCPU(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkStampHTTP is the cost of a request over loopback, client, server and
// kernel together, with as little client as can be: 16 connections, each with a
// request made beforehand and an answer of known length.
func BenchmarkStampHTTP(b *testing.B) {
	for name, path := range benchPaths {
		b.Run(name, func(b *testing.B) {
			srv := benchServer(b)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- srv.Serve(ctx, ln, nil) }()
			query := stampQuery(b, 1)
			request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nAuthorization: Basic YWNtZTpzZXN0bw==\r\nContent-Length: %d\r\n\r\n%s",
				path, mediaStampQuery, len(query), query)
			b.SetParallelism(8)
			b.ReportAllocs()
			began := processCPU(b)
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				for pb.Next() {
					if _, err := conn.Write(request); err != nil {
						b.Error(err)
						return
					}
					if err := skipAnswer(r, 1500); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(processCPU(b)-began)/float64(b.N), "cpu-ns/op")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// skipAnswer reads a header and so many octets after it.
func skipAnswer(r *bufio.Reader, n int) error {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) == 2 {
			_, err := r.Discard(n)
			return err
		}
	}
}
