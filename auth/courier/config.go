package courier

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// The drivers.
const (
	DriverSMTP = "smtp"
	DriverHTTP = "http"
)

// Config says how messages go out. These comments are its manual; the names are
// those of the section [courier] of the appliance's configuration.
type Config struct {
	// Driver is "smtp", "http", or "" when no messages are sent.
	Driver string `toml:"driver,omitempty"`
	// Prefixes are how the numbers begin that messages are sent to, such as "+39".
	// None: to all. Calls to some countries cost much, and some people live on that.
	Prefixes []string `toml:"prefixes,omitempty"`
	// PerMinute is how many messages go out in a minute (0: 60), PerNumber how many
	// to one number in an hour (0: 10).
	PerMinute int `toml:"per_minute,omitempty"`
	PerNumber int `toml:"per_number,omitempty"`
	// TimeoutSeconds is how long the provider has for one message, at most 25; 0: 20.
	TimeoutSeconds int `toml:"timeout_seconds,omitempty"`

	// Mail has messages go to mail addresses too, by SMTP, whatever the driver is. Mail
	// is read by more people and programs than a telephone: leave it off unless there is
	// no other way.
	Mail bool `toml:"mail,omitempty"`

	SMTP SMTP `toml:"smtp,omitempty"`
	HTTP HTTP `toml:"http,omitempty"`
}

// SMTP is a mail server whose provider turns mail into short messages.
type SMTP struct {
	// Server is host:port, usually port 587 or 465.
	Server string `toml:"server,omitempty"`
	// TLS is "starttls" (the usual one at 587, and what empty means), "tls" (at 465),
	// or "none", which only a server on loopback may have.
	TLS string `toml:"tls,omitempty"`
	// CAFile holds the authorities, as PEM, that the server's certificate may come
	// from. Empty: those of the system.
	CAFile string `toml:"ca_file,omitempty"`
	// User and PasswordFile sign in (RFC 4954, PLAIN). Empty: nobody does.
	User         string `toml:"user,omitempty"`
	PasswordFile string `toml:"password_file,omitempty"`
	// From is the sender's address.
	From string `toml:"from,omitempty"`
	// To is the recipient's address: {to} is the number with its +, {digits} without,
	// as in "{digits}@sms.example.org". A mail to a mail address goes there.
	To string `toml:"to,omitempty"`
	// Subject is the subject of the mail, which some providers put into the text or
	// take for a password ({secret} is what PasswordFile holds).
	Subject string `toml:"subject,omitempty"`
}

// HTTP is a provider's interface.
type HTTP struct {
	// URL is where it is; https, or http on loopback.
	URL string `toml:"url,omitempty"`
	// Method is POST (empty), PUT, or GET, which goes with format "query".
	Method string `toml:"method,omitempty"`
	// Format is how Fields are sent: "json" (empty), "form", or "query". Addresses
	// are written into logs on their way: prefer the first two.
	Format string `toml:"format,omitempty"`
	// Fields are what the interface wants. In every text of it {to} is the number with
	// its +, {digits} the number without, {text} the message and {secret} what
	// SecretFile holds. JSON may be nested.
	Fields map[string]any `toml:"fields,omitempty"`
	// Headers are sent too; {secret} may stand in their values.
	Headers map[string]string `toml:"headers,omitempty"`
	// SecretFile holds what the provider knows us by. With User, both are sent as HTTP
	// Basic.
	SecretFile string `toml:"secret_file,omitempty"`
	User       string `toml:"user,omitempty"`
	// Success is a text that the answer must contain, for providers that report
	// failures with a status of 200. The status must be 2xx in any case.
	Success string `toml:"success,omitempty"`
	// CAFile holds the authorities, as PEM, that the provider's certificate may come
	// from. Empty: those of the system.
	CAFile string `toml:"ca_file,omitempty"`
}

const (
	maxPerMinute = 6000
	maxTimeout   = 25 // seconds; the vault waits for 30
	maxSecret    = 4 << 10
	maxCAFile    = 1 << 20
)

func (c *Config) setDefaults() {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&c.PerMinute, 60)
	set(&c.PerNumber, 10)
	set(&c.TimeoutSeconds, 20)
}

// Files are the names of files in c, for whoever knows the folder they are
// relative to.
func (c *Config) Files() []*string {
	return []*string{&c.SMTP.CAFile, &c.SMTP.PasswordFile, &c.HTTP.CAFile, &c.HTTP.SecretFile}
}

// Check says whether c can work, without opening files or asking anybody. A
// configuration without a driver is right: nothing is sent.
func (c Config) Check() error {
	c.setDefaults()
	for _, p := range c.Prefixes {
		if digits, plus := strings.CutPrefix(p, "+"); !plus || digits == "" || strings.Trim(digits, "0123456789") != "" {
			return fail(BadConfig, "courier.prefixes are written with + and digits, such as \"+39\"")
		}
	}
	switch {
	case c.PerMinute < 1 || c.PerMinute > maxPerMinute || c.PerNumber < 1 || c.PerNumber > maxPerMinute:
		return fail(BadConfig, "courier.per_minute and courier.per_number are between 1 and %d", maxPerMinute)
	case c.TimeoutSeconds < 1 || c.TimeoutSeconds > maxTimeout:
		return fail(BadConfig, "courier.timeout_seconds is between 1 and %d", maxTimeout)
	}
	switch c.Driver {
	case "":
		return nil
	case DriverSMTP:
		return c.SMTP.check(true)
	case DriverHTTP:
		if c.Mail {
			if err := c.SMTP.check(false); err != nil {
				return err
			}
		}
		return c.HTTP.check()
	}
	return fail(BadConfig, "courier.driver is \"smtp\", \"http\" or empty")
}

// check looks at the mail server; numbers says whether mail is to reach telephones.
func (c *SMTP) check(numbers bool) error {
	host, _, err := net.SplitHostPort(c.Server)
	_, fromErr := mail.ParseAddress(c.From)
	_, toErr := mail.ParseAddress(fill(c.To, "+390000000000", "", ""))
	switch {
	case err != nil || host == "":
		return fail(BadConfig, "courier.smtp.server is host:port")
	case c.TLS != "" && c.TLS != "starttls" && c.TLS != "tls" && c.TLS != "none":
		return fail(BadConfig, "courier.smtp.tls is \"starttls\", \"tls\" or \"none\"")
	case c.TLS == "none" && !loopback(host):
		return fail(BadConfig, "courier.smtp.tls: only a server on loopback is spoken to without TLS")
	case (c.User == "") != (c.PasswordFile == ""):
		return fail(BadConfig, "courier.smtp: give both user and password_file, or neither")
	case fromErr != nil || !plainHeader(c.From):
		return fail(BadConfig, "courier.smtp.from is a mail address")
	case numbers && (toErr != nil || !plainHeader(c.To) || !strings.Contains(c.To, "{to}") && !strings.Contains(c.To, "{digits}")):
		return fail(BadConfig, "courier.smtp.to is a mail address with {to} or {digits} in it")
	case !plainHeader(c.Subject):
		return fail(BadConfig, "courier.smtp.subject is a line of ASCII characters")
	}
	return nil
}

func (c *HTTP) check() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fail(BadConfig, "courier.http.url is an https address")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return fail(BadConfig, "courier.http.url: only a provider on loopback is spoken to without TLS")
	case c.User != "" && c.SecretFile == "":
		return fail(BadConfig, "courier.http.user needs secret_file")
	case len(c.Fields) == 0:
		return fail(BadConfig, "courier.http.fields say where number and text go")
	}
	switch c.method() + " " + c.format() {
	case "POST json", "POST form", "POST query", "PUT json", "PUT form", "GET query":
	default:
		return fail(BadConfig, "courier.http: method is POST, PUT or GET, format json, form or query; GET goes with query")
	}
	for name, value := range c.Headers {
		if !plainHeader(value) || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			return fail(BadConfig, "courier.http.headers: %q is no header", name)
		}
	}
	return checkFields(c.Fields, c.format() == "json", 0)
}

const maxNesting = 8

// checkFields refuses what cannot be sent: forms and queries have texts only.
func checkFields(v any, nested bool, depth int) error {
	if depth > maxNesting {
		return fail(BadConfig, "courier.http.fields are nested too deep")
	}
	switch v := v.(type) {
	case string:
		return nil
	case bool, int64, float64:
		if nested {
			return nil
		}
	case map[string]any:
		if depth > 0 && !nested {
			break
		}
		for _, v := range v {
			if err := checkFields(v, nested, depth+1); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if !nested {
			break
		}
		for _, v := range v {
			if err := checkFields(v, nested, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fail(BadConfig, "courier.http.fields: this format has texts only")
}

func (c *HTTP) method() string {
	if c.Method == "" {
		return "POST"
	}
	return c.Method
}

func (c *HTTP) format() string {
	if c.Format == "" {
		return "json"
	}
	return c.Format
}

// allows says whether messages are sent to this address.
func (c *Config) allows(to string) bool {
	if isMail(to) {
		return c.Mail
	}
	if len(c.Prefixes) == 0 {
		return true
	}
	for _, p := range c.Prefixes {
		if strings.HasPrefix(to, p) {
			return true
		}
	}
	return false
}

// fill puts number, text and secret in their places, in one pass: what is put in
// is not looked at again.
func fill(template, to, text, secret string) string {
	return strings.NewReplacer("{to}", to, "{digits}", strings.TrimPrefix(to, "+"), "{text}", text, "{secret}", secret).Replace(template)
}

// plainHeader says whether s can stand in a header as it is.
func plainHeader(s string) bool {
	return len(s) <= 500 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// readSecret reads a file that holds one secret; the line's end is not part of it.
func readSecret(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	b, err := readFile(name, maxSecret)
	if err != nil {
		return "", err
	}
	defer clear(b)
	s := string(bytes.TrimRight(b, "\r\n"))
	if s == "" || !plainHeader(s) {
		return "", fail(BadConfig, "%s does not hold a secret of printable ASCII characters", name)
	}
	return s, nil
}

func readFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		return nil, fail(BadConfig, "%s is no file, or too large", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, &Error{Kind: BadConfig, Msg: "a file of the configuration cannot be read", Err: err}
	}
	return b, nil
}

// tlsConfig trusts the authorities in caFile, or those of the system.
func tlsConfig(host, caFile string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return c, nil
	}
	pem, err := readFile(caFile, maxCAFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fail(BadConfig, "%s holds no certificate", caFile)
	}
	return c, nil
}
