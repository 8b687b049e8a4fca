package courier

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	number = "+393331234567"
	words  = "Il codice è 123456. Non dirlo a nessuno.\u20ac"
)

// post is a mail server that keeps what it gets.
type post struct {
	addr    string
	mu      sync.Mutex
	letters []letter
	refuse  error // said to the recipient
}

type letter struct{ from, to, user, body string }

type postSession struct {
	p *post
	l letter
}

func (s *postSession) Reset()                                      { s.l = letter{user: s.l.user} }
func (s *postSession) Logout() error                               { return nil }
func (s *postSession) Mail(from string, _ *smtp.MailOptions) error { s.l.from = from; return nil }
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.l.to = to
	return s.p.refuse
}
func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.l.body = string(b)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.letters = append(s.p.letters, s.l)
	return err
}
func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "open sesame" {
			return smtp.ErrAuthFailed
		}
		s.l.user = user
		return nil
	}), nil
}

// newPost starts a mail server; mode is that of SMTP.TLS.
func newPost(t *testing.T, mode string) *post {
	t.Helper()
	p := &post{}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{p: p}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", quiet{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	secure := &tls.Config{Certificates: []tls.Certificate{serverPair(t)}}
	switch mode {
	case "tls":
		ln = tls.NewListener(ln, secure)
	case "starttls":
		srv.TLSConfig = secure
	}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (p *post) config(t *testing.T, mode string) Config {
	return Config{Driver: DriverSMTP, SMTP: SMTP{Server: p.addr, TLS: mode, CAFile: caFile(t), From: "Sigillo <otp@example.org>",
		To: "{digits}@sms.example.org", Subject: "Sigillo"}}
}

func TestMail(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"none", "starttls", "tls"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := newPost(t, mode)
			cfg := p.config(t, mode)
			if mode != "none" {
				cfg.SMTP.User, cfg.SMTP.PasswordFile = "sigillo", file(t, "open sesame\n")
			}
			if err := newSender(t, cfg).Send(t.Context(), number, words); err != nil {
				t.Fatal(err)
			}
			if len(p.letters) != 1 {
				t.Fatalf("%d letters", len(p.letters))
			}
			l := p.letters[0]
			if l.from != "otp@example.org" || l.to != "393331234567@sms.example.org" || l.user != cfg.SMTP.User {
				t.Errorf("%+v", l)
			}
			m, err := mail.ReadMessage(strings.NewReader(l.body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if got := strings.TrimRight(string(text), "\r\n"); err != nil || got != words {
				t.Errorf("the text is %q, %v", got, err)
			}
			if m.Header.Get("Subject") != "Sigillo" || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-Id") == "" {
				t.Errorf("header %v", m.Header)
			}
			if _, err := m.Header.Date(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMailRefused(t *testing.T) {
	t.Parallel()
	plain, secure := newPost(t, "none"), newPost(t, "starttls")
	refusing, full := newPost(t, "none"), newPost(t, "none")
	refusing.refuse = errors550()
	full.refuse = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "later " + number}
	for _, c := range []struct {
		name   string
		cfg    Config
		change func(*Config)
		kind   Kind
		says   string
	}{
		{"no STARTTLS offered", plain.config(t, "starttls"), nil, Unavailable, "TLS"},
		{"no TLS at all", plain.config(t, "tls"), nil, Unavailable, "greet"},
		{"unknown authority", secure.config(t, "starttls"), func(c *Config) { c.SMTP.CAFile = "" }, Unavailable, "not trusted"},
		{"wrong password", secure.config(t, "starttls"), func(c *Config) {
			c.SMTP.User, c.SMTP.PasswordFile = "sigillo", file(t, "wrong")
		}, Refused, "535"},
		{"recipient refused", refusing.config(t, "none"), nil, Refused, "550"},
		{"later", full.config(t, "none"), nil, Unavailable, "452"},
		{"nobody there", plain.config(t, "none"), func(c *Config) { c.SMTP.Server = closedPort(t) }, Unavailable, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.change != nil {
				c.change(&c.cfg)
			}
			err := newSender(t, c.cfg).Send(t.Context(), number, words)
			if KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s saying %q", err, c.kind, c.says)
			}
			silentAbout(t, err)
		})
	}
}

// TestMailHostile meets servers that do not keep to the protocol.
func TestMailHostile(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(net.Conn, *bufio.Reader){
		"a banner without an end": func(c net.Conn, _ *bufio.Reader) {
			line := strings.Repeat("x", 4096)
			for {
				if _, err := io.WriteString(c, line); err != nil {
					return
				}
			}
		},
		"lines without an end": func(c net.Conn, _ *bufio.Reader) {
			for {
				if _, err := io.WriteString(c, "220-"+number+"\r\n"); err != nil {
					return
				}
			}
		},
		"silence":  func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) },
		"nonsense": func(c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, "ciao "+number+"\r\n") },
		"a close": func(c net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(c, "220 hello\r\n")
			_, _ = r.ReadString('\n')
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := (&post{addr: server(t, play)}).config(t, "none")
			cfg.TimeoutSeconds = 1
			err := newSender(t, cfg).Send(t.Context(), number, words)
			if KindOf(err) != Unavailable {
				t.Errorf("%v", err)
			}
			silentAbout(t, err)
		})
	}
}

// TestMailStripped: text that comes in clear before TLS is not believed after it
// (the attack of CVE-2011-0411), and a server that takes STARTTLS back gets nothing.
func TestMailStripped(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	addr := server(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "220 hello\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			seen.Store(line, true)
			switch {
			case strings.HasPrefix(line, "EHLO"):
				_, _ = io.WriteString(c, "250-hello\r\n250 STARTTLS\r\n")
			case strings.HasPrefix(line, "STARTTLS"):
				_, _ = io.WriteString(c, "454 not now\r\n")
			default:
				_, _ = io.WriteString(c, "250 ok\r\n")
			}
		}
	})
	cfg := (&post{addr: addr}).config(t, "starttls")
	if err := newSender(t, cfg).Send(t.Context(), number, words); KindOf(err) != Unavailable {
		t.Errorf("%v", err)
	}
	seen.Range(func(line, _ any) bool {
		if strings.HasPrefix(line.(string), "MAIL") || strings.Contains(line.(string), "39333") {
			t.Errorf("said in clear: %q", line)
		}
		return true
	})
}

func TestMailGivenUp(t *testing.T) {
	t.Parallel()
	cfg := (&post{addr: server(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })}).config(t, "none")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- newSender(t, cfg).Send(ctx, number, words) }()
	cancel()
	if err := <-done; KindOf(err) != Unavailable {
		t.Errorf("%v", err)
	}
}

func errors550() error {
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such number " + number}
}

// TestMailAddress: mail goes to a mail address where that is switched on, beside a driver
// of another kind too.
func TestMailAddress(t *testing.T) {
	t.Parallel()
	p := newPost(t, "none")
	cfg := p.config(t, "none")
	const anna = "anna@example.org"
	if err := newSender(t, cfg).Send(t.Context(), anna, words); KindOf(err) != NotAllowed {
		t.Errorf("switched off: %v", err)
	}
	cfg.Mail = true
	cfg.Prefixes = []string{"+39"}
	s := newSender(t, cfg)
	for _, to := range []string{"@", "anna@", "@example.org", "Anna <anna@example.org>", "a@b,c@d", "anna@example.org\r\nBcc: b@c", "{to}@x", strings.Repeat("a", 250) + "@b.it", "anna@exämple.org"} {
		if err := s.Send(t.Context(), to, words); KindOf(err) != BadMessage && to != "{to}@x" {
			t.Errorf("%q: %v", to, err)
		}
	}
	p.letters = nil
	web := cfg
	web.Driver, web.HTTP, web.SMTP.To = DriverHTTP, HTTP{URL: "http://127.0.0.1:1/", Fields: map[string]any{"to": "{to}", "t": "{text}"}}, ""
	for _, s := range []*Sender{s, newSender(t, web)} {
		if err := s.Send(t.Context(), anna, words); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.letters) != 2 || p.letters[0].to != anna || p.letters[1].to != anna {
		t.Errorf("%+v", p.letters)
	}
	web.SMTP.Server = ""
	if err := web.Check(); KindOf(err) != BadConfig {
		t.Errorf("mail without a server: %v", err)
	}
}
