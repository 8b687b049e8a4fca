package vault

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// backend is a tsa.Backend that a test writes.
type backend func(ctx context.Context, request []byte) (tsa.Stamp, error)

func (b backend) Stamp(ctx context.Context, request []byte) (tsa.Stamp, error) {
	return b(ctx, request)
}

var testPolicy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2, 1}

// echo answers with a token that holds the request.
func echo(_ context.Context, request []byte) (tsa.Stamp, error) {
	token := append([]byte("[certificates]"), request...)
	return tsa.Stamp{Unit: "tsu-1", Serial: 7, GenTime: time.UnixMilli(1795255200123).UTC(), Policy: testPolicy, Token: token, Certs: [2]int{0, 14}}, nil
}

// desks is a vault that does nothing but stamp, by a back end of the test's.
func desks(t testing.TB, b tsa.Backend, workers int) *Client {
	t.Helper()
	c := Dial(serveDesk(t, b, workers))
	t.Cleanup(func() { c.Close() })
	return c
}

func serveDesk(t testing.TB, b tsa.Backend, workers int) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "desk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	v := &server{cfg: Config{Socket: filepath.Join(dir, "sock")}, log: slog.Default(), conns: make(map[*net.UnixConn]bool)}
	v.tsa = &service{v: v, desk: newDesk(b, workers, v.log)}
	l, err := v.listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		v.accept(ctx, l)
		v.tsa.desk.close()
		close(done)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return v.cfg.Socket
}

// TestStream: many callers, each gets the answer to its own order, whole.
func TestStream(t *testing.T) {
	t.Parallel()
	c := desks(t, backend(echo), 3)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 40 {
				q := fmt.Appendf(nil, "order %d of %d %s", i, g, make([]byte, (g*i*7)%4000))
				s, err := c.Stamp(t.Context(), q)
				want, _ := echo(t.Context(), q)
				if err != nil || string(s.Token) != string(want.Token) || s.Unit != want.Unit || s.Serial != want.Serial ||
					!s.GenTime.Equal(want.GenTime) || !s.Policy.Equal(want.Policy) || s.Certs != want.Certs {
					t.Errorf("order %d of %d: %v, %v", i, g, s, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestStreamRefusals: what the back end refuses arrives as it would in one process,
// without the causes that stay inside.
func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	inside := errors.New("disk full at /var/lib/vault")
	refusals := []error{
		&tsa.Error{Kind: tsa.BadRequest, Msg: "the request is wrong", Err: &cms.Refusal{FailureInfo: cms.BadAlg, Text: "no such algorithm"}},
		&tsa.Error{Kind: tsa.TimeNotAvailable, Msg: "the time cannot be shown to be right", Err: inside},
		&tsa.Error{Kind: tsa.Stopped, Msg: "no unit is in service"},
		inside,
	}
	var n atomic.Int64
	c := desks(t, backend(func(context.Context, []byte) (tsa.Stamp, error) {
		i := int(n.Add(1)) - 1
		if i == len(refusals) {
			panic("a mistake")
		}
		return tsa.Stamp{}, refusals[i]
	}), 1)
	for _, r := range refusals {
		_, err := c.Stamp(t.Context(), []byte("x"))
		var e *tsa.Error
		if !errors.As(err, &e) || tsa.Refusal(err) != wireRefusal(r) || errors.Is(err, inside) {
			t.Errorf("%v became %v: %+v, want %+v", r, err, tsa.Refusal(err), wireRefusal(r))
		}
	}
	if _, err := c.Stamp(t.Context(), []byte("x")); tsa.KindOf(err) != tsa.Unavailable {
		t.Errorf("a panic became %v", err)
	}
	if _, err := c.Stamp(t.Context(), make([]byte, maxOrder+1)); tsa.Refusal(err).FailureInfo != cms.BadDataFormat {
		t.Errorf("too large a request: %v", err)
	}
}

// wireRefusal is what the requester is told of err in one process; of what is no
// error of tsa's, what the vault says instead.
func wireRefusal(err error) cms.Refusal {
	if tsa.KindOf(err) == "" {
		return cms.Refusal{FailureInfo: cms.SystemFailure, Text: "the vault could not make the time-stamp; see its log"}
	}
	return tsa.Refusal(err)
}

// TestStreamLimits: a caller whose time is over leaves; the others go on. No more
// orders are taken in than there may be, and a peer that reads nothing holds up
// nobody else.
func TestStreamLimits(t *testing.T) {
	t.Parallel()
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	socket := serveDesk(t, backend(func(ctx context.Context, q []byte) (tsa.Stamp, error) {
		if string(q) == "slow" {
			entered <- struct{}{}
			<-hold
		}
		return echo(ctx, q)
	}), 2)
	c := Dial(socket)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.Stamp(ctx, []byte("slow"))
		left <- err
	}()
	<-entered
	cancel()
	if err := <-left; tsa.KindOf(err) != tsa.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that left: %v", err)
	}
	// The peer that does not read: its orders are answered until the socket is
	// full, then it is waited for, and at last given up.
	deaf := rawStream(t, socket)
	var flood []byte
	for i := range 3 * maxOpen {
		flood = appendOrder(flood, uint64(i), make([]byte, 8000))
	}
	var sent atomic.Int64
	go func() {
		n, _ := deaf.Write(flood)
		sent.Store(int64(n))
	}()
	for range 200 {
		if _, err := c.Stamp(t.Context(), []byte("quick")); err != nil {
			t.Fatal(err)
		}
	}
	if sent.Load() == int64(len(flood)) {
		t.Error("orders are taken in without end from a peer that does not read")
	}
	close(hold)
	deaf.Close()
	if _, err := c.Stamp(t.Context(), []byte("quick")); err != nil {
		t.Error(err)
	}
}

// rawStream opens a stream by hand.
func rawStream(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if a := raw(t, conn, `{"id":"1","op":"stamp-stream","body":{}}`); a.Error != nil {
		t.Fatal(a.Error)
	}
	return conn
}

// TestStreamNonsense: what is no order ends the stream with a reason, after the
// answers to those before.
func TestStreamNonsense(t *testing.T) {
	t.Parallel()
	socket := serveDesk(t, backend(echo), 1)
	for name, bad := range map[string][]byte{
		"too short": {0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7}, "too long": {0xff, 0xff, 0xff, 0xff}, "JSON": []byte(`{"id":"1","op":"status"}`),
	} {
		conn := rawStream(t, socket)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write(append(appendOrder(nil, 5, []byte("x")), bad...)); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		var last error
		for len(b) >= 4 {
			n := 4 + int(b[2])<<8 + int(b[3])
			id, rest := splitID(b[4:n])
			o, err := parseAnswer(rest, newNames())
			if err != nil {
				t.Fatal(err)
			}
			if got, b = append(got, id), b[n:]; o.last != nil {
				last = o.last
			}
		}
		slices.Sort(got)
		if len(b) != 0 || !slices.Equal(got, []uint64{0, 5}) || KindOf(last) != BadRequest {
			t.Errorf("%s: answers %v, %v", name, got, last)
		}
	}
	if a := raw(t, rawConn(t, socket), `{"id":"2","op":"stamp-stream"}`); a.Error == nil {
		t.Error("a stream without a body was opened")
	}
}

func rawConn(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestStreamAway: without a vault the caller is told within its time, and served
// when there is one again. After Close nothing is stamped.
func TestStreamAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := Dial(filepath.Join(dir, "none"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Stamp(ctx, []byte("x")); tsa.KindOf(err) != tsa.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no vault: %v", err)
	}
	socket := serveDesk(t, backend(echo), 1)
	answer := make(chan error)
	go func() {
		_, err := c.Stamp(t.Context(), []byte("x"))
		answer <- err
	}()
	if err := os.Symlink(socket, filepath.Join(dir, "none")); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the vault came: %v", err)
	}
	c.Close()
	if _, err := c.Stamp(t.Context(), []byte("x")); tsa.KindOf(err) != tsa.Unavailable {
		t.Errorf("after Close: %v", err)
	}
	never := Dial(socket)
	never.Close()
	if _, err := never.Stamp(t.Context(), []byte("x")); tsa.KindOf(err) != tsa.Unavailable {
		t.Errorf("after Close, unused: %v", err)
	}
}

// Both readers of frames: whatever comes, they refuse or read it, and what they read
// is what was written.
func FuzzOrder(f *testing.F) {
	f.Add(appendOrder(appendOrder(nil, 1, []byte("x")), 1<<60, make([]byte, 300)))
	f.Add([]byte{0, 0, 0, 7, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := readAll(t, b, 8+maxOrder)
		var again []byte
		for _, frame := range r {
			id, request := splitID(frame)
			again = appendOrder(again, id, request)
		}
		if !slices.Equal(again, b[:len(again)]) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	s, _ := echo(context.Background(), []byte("x"))
	f.Add(appendStamp(nil, 1, &s))
	f.Add(appendRefusal(nil, 2, &tsa.Error{Kind: tsa.Stopped, Msg: "no"}))
	f.Add(appendRefusal(nil, 2, &tsa.Error{Kind: tsa.BadRequest, Msg: "no", Err: &cms.Refusal{FailureInfo: cms.BadAlg, Text: "?"}}))
	f.Add(appendEnd(nil, errFrame))
	f.Add(appendTicket(nil, []byte("ticket")))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := newNames()
		for _, frame := range readAll(t, b, maxAnswer) {
			id, rest := splitID(frame)
			o, err := parseAnswer(rest, n)
			if err != nil || o.last != nil || o.ticket != nil {
				continue
			}
			var again []byte
			if o.err != nil {
				again = appendRefusal(nil, id, o.err)
			} else {
				again = appendStamp(nil, id, &o.stamp)
			}
			p, err := parseAnswer(again[12:], n)
			if err != nil || !reflect.DeepEqual(p, o) {
				t.Fatalf("%+v became %+v, %v", o, p, err)
			}
		}
	})
}

// BenchmarkBoundary is what the process boundary costs a stamp: both sides of the
// stream in this process, 32 callers, a back end that does nothing and one that
// signs; and the same back ends without the stream. The processor time counts.
func BenchmarkBoundary(b *testing.B) {
	token := make([]byte, 1500)
	none := backend(func(context.Context, []byte) (tsa.Stamp, error) {
		return tsa.Stamp{Unit: "tsu-1", Serial: 7, GenTime: time.UnixMilli(1), Policy: testPolicy, Token: slices.Clone(token), Certs: [2]int{100, 1200}}, nil
	})
	for _, signer := range []struct {
		name string
		tsa.Backend
	}{{"null", none}, {"p256", softAuthority(b, "p256")}} {
		b.Run(signer.name+"/inside", func(b *testing.B) { benchStamp(b, signer.Backend) })
		b.Run(signer.name+"/stream", func(b *testing.B) { benchStamp(b, desks(b, signer.Backend, 2)) })
	}
}

const callers = 32

func benchStamp(b *testing.B, backend tsa.Backend) {
	digest := make([]byte, 32)
	rand.Read(digest)
	q, err := cms.MarshalTimestampRequest(crypto.SHA256, digest, nil, true)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := backend.Stamp(context.Background(), q); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin := processor()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := backend.Stamp(context.Background(), q); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(processor()-begin)/float64(b.N)/1e3, "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stamps/s")
}

// processor is the time this process has had of the processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counter gives serial numbers from memory.
type counter struct{ last atomic.Int64 }

func (c *counter) Reserve(_ context.Context, _ string, n int64, _ time.Time) (int64, time.Time, error) {
	return c.last.Add(n) - n + 1, time.Time{}, nil
}

// wall is a clock that nobody vouches for.
type wall struct{}

func (wall) Now(context.Context) (time.Time, error) { return time.Now(), nil }

// softAuthority is an authority with a key in software.
func softAuthority(t testing.TB, kind string) *tsa.Authority {
	t.Helper()
	id := cmstest.New(t).TSU(t, kind)
	a, err := tsa.NewAuthority(tsa.Config{Policies: testPolicies(), Clock: wall{}, Counter: &counter{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Add(tsa.UnitConfig{Name: "tsu-1", Number: 1, Series: "main", Signer: id.Key, Certificate: id.Certificate, Chain: id.Chain}); err != nil {
		t.Fatal(err)
	}
	return a
}

func testPolicies() []tsa.Policy {
	return []tsa.Policy{{Name: "test", OID: testPolicy, Accuracy: time.Second, Series: "main"}}
}

// readAll gives the frames that a reader finds in b, as long as they are well-formed.
func readAll(t *testing.T, b []byte, most int) (frames [][]byte) {
	t.Helper()
	r := bufio.NewReaderSize(bytes.NewReader(b), 4+most)
	for {
		frame, err := nextFrame(r, most)
		if err != nil {
			return frames
		}
		if len(frame) < 8 || len(frame) > most {
			t.Fatalf("a frame of %d bytes", len(frame))
		}
		frames = append(frames, bytes.Clone(frame))
	}
}
