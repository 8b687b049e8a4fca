package courier

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// maxReplies is how much a mail server may say in one conversation, in bytes. A
// conversation has a dozen lines and two certificates.
const maxReplies = 256 << 10

// mailer speaks to a mail server: one connection for each message, there are few.
type mailer struct {
	cfg      SMTP
	host     string
	from     string // address alone
	password string
	tls      *tls.Config
	now      func() time.Time
}

func newMailer(cfg SMTP) (*mailer, error) {
	host, _, err := net.SplitHostPort(cfg.Server)
	if err != nil {
		return nil, fail(BadConfig, "courier.smtp.server is host:port")
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fail(BadConfig, "courier.smtp.from is a mail address")
	}
	m := &mailer{cfg: cfg, host: host, from: from.Address, now: time.Now}
	if m.password, err = readSecret(cfg.PasswordFile); err != nil {
		return nil, err
	}
	m.tls, err = tlsConfig(host, cfg.CAFile)
	return m, err
}

func (m *mailer) send(ctx context.Context, to, text string) error {
	address := to
	if !isMail(to) {
		address = fill(m.cfg.To, to, "", "")
	}
	rcpt, err := mail.ParseAddress(address)
	if err != nil {
		return fail(BadConfig, "courier.smtp.to is a mail address with {to} or {digits} in it")
	}
	letter, err := m.letter(rcpt.Address, to, text)
	if err != nil {
		return err
	}
	defer clear(letter)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.cfg.Server)
	if err != nil {
		return m.because(err, "the mail server cannot be reached")
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends reads and writes
	defer stop()
	return m.converse(&boundedConn{Conn: conn, left: maxReplies}, rcpt.Address, letter)
}

// converse is the whole conversation (RFC 5321 §3.3). The message is the
// server's when it has said 250 to its end; what happens at QUIT changes nothing.
func (m *mailer) converse(conn net.Conn, rcpt string, letter []byte) error {
	if m.cfg.TLS == "tls" {
		conn = tls.Client(conn, m.tls)
	}
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return m.because(err, "the mail server does not greet")
	}
	if err := c.Hello("localhost"); err != nil { // §4.1.4: whatever it thinks of our name, it should go on
		return m.because(err, "the mail server does not greet")
	}
	if m.cfg.TLS == "" || m.cfg.TLS == "starttls" {
		// A server that does not offer it any more may be somebody else's: no
		// going on without.
		if err := c.StartTLS(m.tls); err != nil {
			return &Error{Kind: Unavailable, Msg: "the mail server does not speak TLS with us", Err: harmless(err)}
		}
	}
	if m.cfg.User != "" {
		if err := c.Auth(smtp.PlainAuth("", m.cfg.User, m.password, m.host)); err != nil {
			return m.because(err, "the mail server does not let us in")
		}
	}
	if err := c.Mail(m.from); err != nil {
		return m.because(err, "the mail server does not take the sender")
	}
	if err := c.Rcpt(rcpt); err != nil {
		return m.because(err, "the mail server does not take the recipient")
	}
	w, err := c.Data()
	if err != nil {
		return m.because(err, "the mail server does not take the message")
	}
	if _, err := w.Write(letter); err != nil {
		return m.because(err, "the mail server does not take the message")
	}
	if err := w.Close(); err != nil {
		return m.because(err, "the mail server does not take the message")
	}
	_ = c.Quit()
	return nil
}

// letter is the mail (RFC 5322), marked as written by a machine (RFC 3834 §5).
func (m *mailer) letter(rcpt, to, text string) ([]byte, error) {
	var id [16]byte
	rand.Read(id[:])
	_, domain, _ := strings.Cut(m.from, "@")
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n", m.cfg.From, rcpt,
		fill(m.cfg.Subject, to, "", m.password), m.now().UTC().Format(time.RFC1123Z), hex.EncodeToString(id[:]), domain)
	b.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	q := quotedprintable.NewWriter(&b)
	if _, err := io.WriteString(q, text); err != nil {
		return nil, fail(BadMessage, "the text cannot be encoded")
	}
	if err := q.Close(); err != nil {
		return nil, fail(BadMessage, "the text cannot be encoded")
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

// because keeps the code of an answer and leaves out its words, which may repeat
// the number or the text.
func (m *mailer) because(err error, msg string) error {
	var said *textproto.Error
	if errors.As(err, &said) {
		kind := Unavailable // 4yz: may pass
		if said.Code >= 500 {
			kind = Refused
		}
		return fail(kind, "%s (it answers %d)", msg, said.Code)
	}
	return &Error{Kind: Unavailable, Msg: msg, Err: harmless(err)}
}

// harmless is the cause of a failed connection without what a server has said.
func harmless(err error) error {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var said *textproto.Error
	switch {
	case errors.As(err, &certificate):
		return errors.New("its certificate is not trusted; see ca_file")
	case errors.As(err, &said):
		return fmt.Errorf("it answers %d", said.Code)
	case errors.As(err, &op) && op.Err != nil:
		return errors.New(op.Op + ": " + op.Err.Error())
	case errors.Is(err, errTooMuch):
		return errTooMuch
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closes the connection")
	}
	return errors.New("it does not keep to the protocol")
}

var errTooMuch = errors.New("it says too much")

// boundedConn is a connection that gives at most left bytes to read: the library
// reads lines as long as they come.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
