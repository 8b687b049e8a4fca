package vault

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func dialRaw(t *testing.T, r *rig) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.cfg.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// raw sends a frame with these bytes in it and reads the answer.
func raw(t *testing.T, c net.Conn, body string) (a answer) {
	t.Helper()
	f, err := frame(json.RawMessage(`0`))
	if err != nil {
		t.Fatal(err)
	}
	f = append(f[:0], byte(len(body)>>24), byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	if _, err := c.Write(append(f, body...)); err != nil {
		t.Fatal(err)
	}
	b, err := readFrame(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestNonsense: what makes no sense is refused, and the vault goes on.
func TestNonsense(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := dialRaw(t, r)
	for _, s := range []string{
		"x", "null", "{}", `{"id":"1"}`, `{"op":"status"}`, `{"id":"1","op":"format-disk"}`, `{"id":"1","op":"sign"}`,
		`{"id":"1","op":"sign","body":[]}`, `{"id":"1","op":"sign","body":{"digests":"x"}}`, `{"id":"1","op":"authorise","body":{"digests":[1]}}`,
		`{"id":"` + strings.Repeat("x", maxID+1) + `","op":"status"}`, strings.Repeat("[", 100_000),
	} {
		if a := raw(t, c, s); a.Error == nil || a.Error.Kind != BadRequest {
			t.Errorf("%.40s: %+v", s, a)
		}
	}
	if a := raw(t, c, `{"id":"7","op":"status"}`); a.Error != nil || a.ID != "7" {
		t.Errorf("after that: %+v", a)
	}
	if _, err := c.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	b, err := readFrame(c)
	if err != nil || !strings.Contains(string(b), string(BadRequest)) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := readFrame(c); err != io.EOF {
		t.Errorf("after a length out of range the connection is still open: %v", err)
	}
	if _, err := r.c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestManyConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var open []net.Conn
	for range maxConns {
		c := dialRaw(t, r)
		raw(t, c, `{"id":"1","op":"status"}`) // it has been admitted
		open = append(open, c)
	}
	_, err := r.c.Status(t.Context())
	want(t, err, Busy)
	for _, c := range open[:8] {
		c.Close()
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err = r.c.Status(t.Context()); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestManyRequests: more goroutines than connections, with restarts meanwhile.
func TestManyRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	var wg sync.WaitGroup
	var served atomic.Int32
	for range 40 {
		wg.Go(func() {
			for range 5 {
				if s, err := r.c.Status(t.Context()); err != nil || s.Node != "node-1" {
					t.Errorf("%+v, %v", s, err)
				}
				served.Add(1)
			}
			if _, err := r.c.Sign(t.Context(), act); err != nil {
				t.Error(err)
			}
		})
	}
	for served.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	r.restart()
	wg.Wait()
	if r.events()["signature.done"] != 1 {
		t.Error("one activation, more than one result")
	}
}

// impostor listens on a socket and treats each connection as the test says.
func impostor(t *testing.T, serve func(n int, c net.Conn)) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(n, c)
			c.Close()
		}
	}()
	return socket
}

// TestRepetitions: a request goes out again when the connection breaks, with one
// identifier, and has the answer of the third sending; after that it is given up.
func TestRepetitions(t *testing.T) {
	t.Parallel()
	for _, breaks := range []int{1, 2, 3} {
		var mu sync.Mutex
		var ids []string
		c := Dial(impostor(t, func(n int, c net.Conn) {
			b, err := readFrame(c)
			if err != nil {
				return
			}
			q, err := parseRequest(b)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ids = append(ids, q.ID); n <= breaks {
				return
			}
			if f, err := frame(answer{ID: q.ID, Body: []byte(`{"node":"node-7"}`)}); err != nil {
				t.Error(err)
			} else if _, err := c.Write(f); err != nil {
				t.Error(err)
			}
		}))
		s, err := c.Status(t.Context())
		c.Close()
		if breaks == 3 {
			want(t, err, Unavailable)
		} else if err != nil || s.Node != "node-7" {
			t.Errorf("after %d breaks: %+v, %v", breaks, s, err)
		}
		mu.Lock()
		if len(ids) != min(breaks+1, 3) || len(slices.Compact(slices.Clone(ids))) != 1 {
			t.Errorf("after %d breaks: identifiers %v", breaks, ids)
		}
		mu.Unlock()
	}
}

// TestSignInFlood: however many sign in, those who sign have slots; whoever
// finds no slot to sign in learns so soon.
func TestSignInFlood(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	var waiting atomic.Int32
	socket := impostor(t, func(_ int, c net.Conn) {
		hold, err := dup(c)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer hold.Close()
			b, err := readFrame(hold)
			if err != nil {
				return
			}
			q, _ := parseRequest(b)
			if q.Op == opAuthenticate {
				waiting.Add(1)
				<-hang
				return
			}
			if f, err := frame(answer{ID: q.ID, Body: json.RawMessage(`{"node":"n"}`)}); err == nil {
				hold.Write(f)
			}
		}()
	})
	c := Dial(socket)
	defer c.Close()
	c.guestWait = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refused := make(chan error)
	for i := range 3 * poolSize {
		a := Authentication{Evidence: Evidence{Client: "test"}}
		if i%2 == 0 {
			a.Factors.Holder = "h"
		}
		go func() {
			_, err := c.Authenticate(ctx, a)
			refused <- err
		}()
	}
	for range 3*poolSize - guestSlots {
		want(t, <-refused, Busy)
	}
	if n := waiting.Load(); n != guestSlots {
		t.Errorf("%d sign-ins under way, want %d", n, guestSlots)
	}
	var wg sync.WaitGroup
	for range 2 * poolSize {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if s, err := c.Status(ctx); err != nil || s.Node != "n" {
				t.Errorf("beside the flood: %+v, %v", s, err)
			}
		})
	}
	wg.Wait()
	cancel()
	for range guestSlots {
		<-refused
	}
}

// dup gives a connection that stays open when c is closed.
func dup(c net.Conn) (net.Conn, error) {
	f, err := c.(*net.UnixConn).File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileConn(f)
}

func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]any{
		"another identifier": answer{ID: "x", Body: json.RawMessage(`{}`)},
		"no answer":          "hello",
		"a strange body":     nil,
	} {
		socket := impostor(t, func(_ int, c net.Conn) {
			b, err := readFrame(c)
			if err != nil {
				return
			}
			q, _ := parseRequest(b)
			if a == nil {
				a = answer{ID: q.ID, Body: json.RawMessage(`[]`)}
			}
			f, err := frame(a)
			if err != nil {
				t.Error(err)
			}
			c.Write(f)
		})
		c := Dial(socket)
		_, err := c.Status(t.Context())
		if KindOf(err) != Failed {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	socket := impostor(t, func(_ int, c net.Conn) { <-hang })
	for name, s := range map[string]string{"nobody listens": socket + "x", "no answer": socket} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		c := Dial(s)
		begin := time.Now()
		_, err := c.Status(ctx)
		if KindOf(err) != Unavailable || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(begin))
		}
		cancel()
		c.Close()
		if _, err := c.Status(t.Context()); KindOf(err) != Unavailable {
			t.Errorf("%s: closed: %v", name, err)
		}
	}
}

// TestOtherUser: the kernel's word on who is at the other end counts, not the
// mode of the socket.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("missing the right to become another user: run as root")
	}
	t.Parallel()
	r := newRig(t)
	for path, mode := range map[string]os.FileMode{filepath.Dir(r.cfg.Socket): 0o755, r.cfg.Socket: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	type outcome struct {
		b   []byte
		err error
	}
	got := make(chan outcome)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its user
		// Only this thread becomes another user.
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			got <- outcome{nil, e}
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: r.cfg.Socket})
		}
		if err != nil {
			got <- outcome{nil, err}
			return
		}
		defer unix.Close(fd)
		b := make([]byte, 100)
		n, err := unix.Read(fd, b)
		got <- outcome{b[:max(n, 0)], err}
	}()
	o := <-got
	if o.err != nil || len(o.b) != 0 {
		t.Errorf("another user got %q, %v; want the connection closed", o.b, o.err)
	}
	if _, err := r.c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestPeers: only the users who are named are answered, not the vault's own as such.
func TestPeers(t *testing.T) {
	t.Parallel()
	own := uint32(os.Geteuid())
	for _, c := range []struct {
		peers []uint32
		uid   uint32
		want  bool
	}{{nil, own, true}, {nil, own + 1, false}, {[]uint32{own + 1}, own + 1, true}, {[]uint32{own + 1}, own, false},
		{[]uint32{own + 3, own + 2}, own + 2, true}, {[]uint32{own + 2}, own + 3, false}} {
		v := &server{cfg: Config{Peers: c.peers}}
		if got := v.mayConnect(c.uid); got != c.want {
			t.Errorf("user %d, named %v: %v", c.uid, c.peers, got)
		}
	}
}
