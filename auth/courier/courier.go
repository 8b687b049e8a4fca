// Package courier sends short messages, such as one-time codes, to telephones and, where
// that is allowed, to mail addresses.
//
// It has two drivers. One hands a message to a mail server whose provider turns
// mail into short messages (SMTP, RFC 5321), the other asks a provider's HTTP
// interface. Which fields that wants, and how, is told by the configuration: a
// table of fields in which {to}, {text} and {secret} stand for the number, the
// text and the provider's secret. The table is encoded whole (JSON, a form, or a
// query), so that no text can become a field of its own.
//
// A one-time code must not be seen by the web process, which an attacker may have
// taken over, and the process that knows it, the vault, must not speak to the
// network. So the sending is done by a process of its own: [Run] is its body,
// [Start] the other side of the pipe. Over it go frames of JSON, see frame.go. The
// process ends when the pipe does, and is started again when it dies. Since the vault
// gives up its right to start programs, [Keep] stands in between and does that.
//
// A message is tried once. What became of it when the provider did not answer is
// not known, and a second code would make a worse muddle than none. Numbers and
// texts are bounded, and so is how many messages go out in a minute, and in an
// hour to one number: whoever may have codes sent must not be able to spend the
// provider's money. Neither numbers nor texts, nor what the provider says about
// them, go into logs and errors.
package courier

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what went wrong in a way that a program can act on.
type Kind string

// The kinds of [Error].
const (
	BadConfig   Kind = "BadConfig"   // the configuration cannot work
	BadMessage  Kind = "BadMessage"  // no telephone number, or a text that cannot be sent
	NotAllowed  Kind = "NotAllowed"  // a number that nothing is sent to
	Limited     Kind = "Limited"     // too many messages; RetryAfter says how long to wait
	Refused     Kind = "Refused"     // the provider does not take the message
	Unavailable Kind = "Unavailable" // the provider, or the process that asks it, does not answer
)

var kinds = map[Kind]bool{BadConfig: true, BadMessage: true, NotAllowed: true, Limited: true, Refused: true, Unavailable: true}

// Error is the error of this package. Msg holds nothing secret: neither number
// nor text, nor the words of the provider.
type Error struct {
	Kind       Kind
	Msg        string
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("courier: %s: %v", e.Msg, e.Err)
	}
	return "courier: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Unavailable for an error that is
// not of this package.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unavailable
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

const (
	// MaxText is the longest text in characters: three short messages put together.
	MaxText = 459
	// minDigits and maxDigits bound a number with its country (ITU-T E.164 §6).
	minDigits, maxDigits = 7, 15
)

// CheckNumber says whether to is a telephone number as messages are sent to:
// "+", the country's code and the number, digits only (ITU-T E.164). The kind of
// its error is BadMessage.
func CheckNumber(to string) error {
	digits, plus := strings.CutPrefix(to, "+")
	if !plus || len(digits) < minDigits || len(digits) > maxDigits || digits[0] == '0' ||
		strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return fail(BadMessage, "a telephone number is written with + and the country's code, digits only")
	}
	return nil
}

// isMail tells a mail address from a number.
func isMail(to string) bool { return strings.Contains(to, "@") }

// maxAddress is the longest mail address in bytes (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

// CheckAddress says whether to is a telephone number, as for [CheckNumber], or a plain
// mail address. Whether messages go to either is for the configuration to say.
func CheckAddress(to string) error {
	if !isMail(to) {
		return CheckNumber(to)
	}
	a, err := mail.ParseAddress(to)
	if err != nil || a.Address != to || len(to) > maxAddress || !plainHeader(to) {
		return fail(BadMessage, "a mail address is written like anna@example.org")
	}
	return nil
}

func checkText(text string) error {
	switch {
	case text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return fail(BadMessage, "a text is a line of characters")
	case utf8.RuneCountInString(text) > MaxText:
		return fail(BadMessage, "a text has at most %d characters", MaxText)
	}
	return nil
}

// driver is a way out. send tries once, until ctx ends.
type driver interface {
	send(ctx context.Context, to, text string) error
}

// Sender sends messages by the driver of a configuration, within its limits. It
// is safe for concurrent use.
type Sender struct {
	cfg    Config
	driver driver // to numbers
	mail   driver // to mail addresses; nil: none
	limits limits
	now    func() time.Time
}

// New reads the files that cfg names and makes a sender. Nothing is sent, nobody
// is asked. The kind of its errors is BadConfig.
func New(cfg Config) (*Sender, error) {
	cfg.setDefaults()
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, now: time.Now, limits: limits{minute: cfg.PerMinute, hour: cfg.PerNumber}}
	var err error
	if cfg.Driver == DriverHTTP {
		if s.driver, err = newPoster(cfg.HTTP); err != nil {
			return nil, err
		}
	}
	if cfg.Driver == DriverSMTP || cfg.Mail {
		m, err := newMailer(cfg.SMTP)
		if err != nil {
			return nil, err
		}
		if cfg.Driver == DriverSMTP {
			s.driver = m
		}
		if cfg.Mail {
			s.mail = m
		}
	}
	return s, nil
}

// Send sends one message.
//
//  1. Number and text are well-formed, and the number is one of those that
//     messages are sent to.
//  2. The limits have room: the message counts from here on, whatever becomes
//     of it.
//  3. The driver tries once, until ctx or Config.TimeoutSeconds ends it.
func (s *Sender) Send(ctx context.Context, to, text string) error {
	if err := errors.Join(CheckAddress(to), checkText(text)); err != nil { // 1
		return &Error{Kind: BadMessage, Msg: "the message cannot be sent", Err: err}
	}
	if !s.cfg.allows(to) {
		return fail(NotAllowed, "no messages are sent to numbers of this country or kind, or to mail; see courier.prefixes and courier.mail")
	}
	if wait := s.limits.take(to, s.now()); wait > 0 { // 2
		return &Error{Kind: Limited, Msg: "too many messages; wait and try again", RetryAfter: wait}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.cfg.TimeoutSeconds)*time.Second)
	defer cancel()
	way := s.driver
	if isMail(to) {
		way = s.mail
	}
	err := way.send(ctx, to, text) // 3
	if err != nil && ctx.Err() != nil {
		return fail(Unavailable, "the provider of short messages does not answer in time")
	}
	return err
}
