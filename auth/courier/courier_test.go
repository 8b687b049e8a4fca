package courier

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// TestMain lets the test binary be the child process, with the configuration in a
// file.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "keep" {
		err := Keep(context.Background(), os.Stdin, os.Stdout, func() *exec.Cmd { return exec.Command(os.Args[0], "courier", os.Args[2]) })
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "courier" {
		var cfg Config
		b, err := os.ReadFile(os.Args[2])
		if err == nil {
			err = toml.Unmarshal(b, &cfg)
		}
		if err == nil {
			err = Run(context.Background(), os.Stdin, os.Stdout, cfg)
		}
		if err != nil {
			slog.Error("courier", "err", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var pair = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func serverPair(t *testing.T) tls.Certificate {
	t.Helper()
	p, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serverTLS(t *testing.T) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{serverPair(t)}}
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func caFile(t *testing.T) string {
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverPair(t).Certificate[0]})))
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func newSender(t *testing.T, cfg Config) *Sender {
	s, err := New(cfg)
	if err != nil {
		t.Error(err)
	}
	return s
}

// server is somebody who plays a part with whoever connects.
func server(t *testing.T, play func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				play(c, bufio.NewReader(c))
			}()
		}
	}()
	return ln.Addr().String()
}

// closedPort is an address where nobody listens any more.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// silentAbout fails when an error tells what it must not.
func silentAbout(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{number, number[1:], "3331234", "123456", "k3y", "sesame", "codice"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func TestCheckNumber(t *testing.T) {
	t.Parallel()
	for _, good := range []string{number, "+1234567", "+999999999999999"} {
		if err := CheckNumber(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "+", "393331234567", "+39 333 1234567", "+0393331234567", "+39333123456a", "+123456", "+1234567890123456",
		"+39333١٢٣٤٥", "+393331234567\r\nRCPT TO:<x@y>", "+3933312@x"} {
		if err := CheckNumber(bad); KindOf(err) != BadMessage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	s := newSink(t, false)
	cfg := s.config(t)
	cfg.Prefixes = []string{"+39", "+41"}
	sender := newSender(t, cfg)
	for _, c := range []struct {
		to, text string
		kind     Kind
	}{
		{number, "", BadMessage}, {number, "two\nlines", BadMessage}, {number, "bell\a", BadMessage}, {number, "\xff", BadMessage},
		{number, strings.Repeat("è", MaxText+1), BadMessage}, {"+1" + number[1:], "x", NotAllowed}, {"x", "x", BadMessage},
	} {
		if err := sender.Send(t.Context(), c.to, c.text); KindOf(err) != c.kind {
			t.Errorf("%q, %q: %v", c.to, c.text, err)
		}
	}
	if s.asked != 0 {
		t.Errorf("%d messages went out", s.asked)
	}
	if err := sender.Send(t.Context(), number, strings.Repeat("è", MaxText)); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := newSink(t, false)
	cfg := s.config(t)
	cfg.PerMinute, cfg.PerNumber = 3, 2
	sender := newSender(t, cfg)
	now := time.Now()
	sender.now = func() time.Time { return now }
	send := func(to string, want Kind, wait time.Duration) {
		t.Helper()
		err := sender.Send(t.Context(), to, "x")
		if KindOf(err) != want {
			t.Fatalf("%s at %v: %v, want %q", to, now, err, want)
		}
		if want == Limited && err.(*Error).RetryAfter != wait {
			t.Errorf("wait %v, want %v", err.(*Error).RetryAfter, wait)
		}
	}
	const other, third = "+393330000001", "+393330000002"
	send(number, "", 0)
	send(number, "", 0)
	send(number, Limited, time.Hour)
	send(other, "", 0)
	send(third, Limited, time.Minute)
	now = now.Add(time.Minute)
	send(third, "", 0)
	send(number, Limited, 59*time.Minute)
	now = now.Add(59 * time.Minute)
	send(number, "", 0)
	now = now.Add(-2 * time.Hour) // a clock put back does not shut anybody out
	send(number, "", 0)
	if s.asked != 6 {
		t.Errorf("%d messages went out", s.asked)
	}
}

func TestLimitsRemember(t *testing.T) {
	t.Parallel()
	l := limits{minute: 1 << 30, hour: 1}
	now := time.Now()
	for i := range maxNumbers {
		if l.take(string(rune(i)), now) != 0 {
			t.Fatal(i)
		}
	}
	if l.take("one more", now) == 0 {
		t.Error("a number beyond what is remembered has no limit")
	}
	if l.take("one more", now.Add(time.Hour)) != 0 || len(l.numbers) != 1 {
		t.Error("old numbers are not forgotten")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := func() Config {
		return Config{Driver: DriverSMTP, SMTP: SMTP{Server: "mail.example.org:587", From: "a@example.org", To: "{to}@example.org"}}
	}
	goodHTTP := func() Config {
		return Config{Driver: DriverHTTP, HTTP: HTTP{URL: "https://sms.example.org/", Fields: map[string]any{"to": "{to}"}}}
	}
	for name, cfg := range map[string]Config{"none": {}, "smtp": good(), "http": goodHTTP()} {
		if err := cfg.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config, *Config){
		"driver":             func(c, _ *Config) { c.Driver = "pigeon" },
		"prefix":             func(c, _ *Config) { c.Prefixes = []string{"39"} },
		"minute":             func(c, _ *Config) { c.PerMinute = -1 },
		"timeout":            func(c, _ *Config) { c.TimeoutSeconds = 1000 },
		"server":             func(c, _ *Config) { c.SMTP.Server = "mail.example.org" },
		"tls":                func(c, _ *Config) { c.SMTP.TLS = "maybe" },
		"clear":              func(c, _ *Config) { c.SMTP.TLS = "none" },
		"user":               func(c, _ *Config) { c.SMTP.User = "u" },
		"from":               func(c, _ *Config) { c.SMTP.From = "nobody" },
		"from with a header": func(c, _ *Config) { c.SMTP.From = "<a@example.org>\r\nBcc: x" },
		"to":                 func(c, _ *Config) { c.SMTP.To = "sms@example.org" },
		"subject":            func(c, _ *Config) { c.SMTP.Subject = "a\r\nBcc: b@example.org" },
		"no url":             func(_, h *Config) { h.HTTP.URL = "" },
		"http":               func(_, h *Config) { h.HTTP.URL = "http://sms.example.org/" },
		"user in url":        func(_, h *Config) { h.HTTP.URL = "https://u:p@sms.example.org/" },
		"no fields":          func(_, h *Config) { h.HTTP.Fields = nil },
		"method":             func(_, h *Config) { h.HTTP.Method = "DELETE" },
		"get json":           func(_, h *Config) { h.HTTP.Method = "GET" },
		"header":             func(_, h *Config) { h.HTTP.Headers = map[string]string{"X": "a\r\nb"} },
		"header name":        func(_, h *Config) { h.HTTP.Headers = map[string]string{"X Y": "a"} },
		"number in a form":   func(_, h *Config) { h.HTTP.Format = "form"; h.HTTP.Fields["n"] = int64(1) },
		"nested form":        func(_, h *Config) { h.HTTP.Format = "form"; h.HTTP.Fields["n"] = map[string]any{"a": "b"} },
		"list in a form":     func(_, h *Config) { h.HTTP.Format = "form"; h.HTTP.Fields["n"] = []any{} },
		"date":               func(_, h *Config) { h.HTTP.Fields["n"] = time.Now() },
		"http user":          func(_, h *Config) { h.HTTP.User = "u" },
	} {
		c, h := good(), goodHTTP()
		change(&c, &h)
		if KindOf(c.Check()) != BadConfig && KindOf(h.Check()) != BadConfig {
			t.Errorf("%s is accepted", name)
		}
	}
	cfg := good()
	cfg.SMTP.User, cfg.SMTP.PasswordFile = "u", file(t, "two\nlines")
	if _, err := New(cfg); KindOf(err) != BadConfig {
		t.Errorf("a password of two lines: %v", err)
	}
	cfg.SMTP.PasswordFile = filepath.Join(t.TempDir(), "nowhere")
	if _, err := New(cfg); KindOf(err) != BadConfig {
		t.Errorf("a password that is not there: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	good, err := frame(order{ID: "1", To: number, Text: words})
	if err != nil {
		f.Fatal(err)
	}
	sent, err := frame(outcomeOf("1", fail(Limited, "x")))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, sent, good[:7], {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, append(bytes.Clone(good), sent...), []byte("\x00\x00\x00\x04null")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			at := r.Len()
			var o order
			if err := readFrame(r, &o); err != nil {
				break
			}
			if used := at - r.Len(); used < 5 || used > 4+maxFrame {
				t.Fatalf("a frame of %d bytes", used)
			}
			if again, err := frame(o); err == nil {
				var twin order
				if err := readFrame(bytes.NewReader(again), &twin); err != nil || twin != o {
					t.Fatalf("%+v comes back as %+v, %v", o, twin, err)
				}
			}
		}
		var o outcome
		if readFrame(bytes.NewReader(b), &o) == nil {
			_ = o.err()
		}
	})
}
