// Package fetch gets over HTTP what a signature needs of the world: the issuers
// of certificates, revocation lists, OCSP answers and time-stamps.
//
// The addresses come from certificates, and certificates come with signatures,
// so in part from people who wish us ill. What is fetched is bounded in size and
// time, redirections are few, and nothing is believed here: who uses it checks
// its signature. Two kinds of addresses are told apart. Those of revocation
// lists and OCSP responders must be asked for only after a path from their
// certificate to a trusted authority was found: then that authority vouches for
// them, wherever they lead. Those of issuers are followed before anything is
// known about the certificate, and must not make this machine talk to its own
// network: Issuers refuses addresses that are not public, and uses no proxy.
//
// A Client remembers for a minute what it got and what it could not get, so that
// a folder of files costs one round.
package fetch

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of what is fetched.
const (
	maxList   = 32 << 20 // bytes of a revocation list
	maxSmall  = 1 << 20  // bytes of anything else
	maxURLs   = 4        // addresses tried for one certificate
	redirects = 3
	keepFor   = time.Minute
)

// Kind says what sort of thing went wrong.
type Kind string

// The kinds of errors.
const (
	// Unreachable: nothing answered, or not in time.
	Unreachable Kind = "unreachable"
	// Forbidden: the address is not one that may be asked.
	Forbidden Kind = "forbidden"
	// BadAnswer: something answered, and it was not what was asked for.
	BadAnswer Kind = "bad-answer"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Client fetches. It is safe for concurrent use.
type Client struct {
	now           func() time.Time
	vouched, open *http.Client // for addresses that somebody trusted vouches for, and for others

	mu    sync.Mutex
	known map[string]answer
	held  int // bytes in known
}

// answer is what came from an address, or why nothing did.
type answer struct {
	body  []byte
	err   error
	until time.Time
}

// New makes a client. timeout bounds one exchange, with all redirections.
func New(timeout time.Duration, now func() time.Time) *Client {
	c := &Client{now: now, vouched: client(timeout, anyAddress), open: client(timeout, publicAddress), known: map[string]answer{}}
	c.vouched.Transport.(*http.Transport).Proxy = http.ProxyFromEnvironment
	return c
}

// client is an HTTP client that connects to addresses which may says are fit. It
// has no proxy, which would connect where it likes.
func client(timeout time.Duration, may func(netip.Addr) bool) *http.Client {
	d := net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || !may(ap.Addr().Unmap()) {
			return &Error{Kind: Forbidden, Msg: address + " is not a public address; a certificate of an unknown issuer names it"}
		}
		return nil
	}}
	return &http.Client{
		Timeout:   timeout,
		Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return errors.New("too many redirections")
			}
			return checkURL(req.URL)
		},
	}
}

func anyAddress(netip.Addr) bool { return true }

// publicAddress reports whether an address is one of the internet at large.
func publicAddress(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// special are further ranges of the registries of RFC 6890 that are not the
// internet at large, or in which an address of IPv4 is hidden that may be any.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared by the customers of a provider, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"), // translated to IPv4, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), // Teredo, RFC 4380
	netip.MustParsePrefix("2002::/16"), // 6to4, RFC 3056
	netip.MustParsePrefix("fec0::/10"),
}

// checkURL refuses what is not HTTP, which includes the LDAP addresses that old
// certificates have.
func checkURL(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return &Error{Kind: Forbidden, Msg: fmt.Sprintf("%.100q is no HTTP address", u.Redacted())}
	}
	return nil
}

// get fetches by GET, or from memory.
func (c *Client) get(ctx context.Context, hc *http.Client, address string, max int64) ([]byte, error) {
	return c.remembered(ctx, address, func() ([]byte, error) {
		req, err := request(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		return do(hc, req, max)
	})
}

// post fetches by POST, or from memory.
func (c *Client) post(ctx context.Context, hc *http.Client, address, contentType string, body []byte) ([]byte, error) {
	return c.remembered(ctx, address+"\x00"+string(body), func() ([]byte, error) {
		return Post(ctx, hc, address, contentType, body)
	})
}

// Post sends a request and gives the answer of at most 1 MiB. A status other
// than 200 is an error.
func Post(ctx context.Context, hc *http.Client, address, contentType string, body []byte) ([]byte, error) {
	req, err := request(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return do(hc, req, maxSmall)
}

func request(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSpace(address), body)
	if err != nil {
		return nil, &Error{Kind: Forbidden, Msg: fmt.Sprintf("%.100q is no HTTP address", address)}
	}
	return req, checkURL(req.URL)
}

func do(hc *http.Client, req *http.Request, max int64) ([]byte, error) {
	resp, err := hc.Do(req)
	if err != nil {
		var mine *Error
		if errors.As(err, &mine) {
			return nil, mine
		}
		return nil, &Error{Kind: Unreachable, Msg: "no answer from " + req.URL.Host, Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{Kind: BadAnswer, Msg: req.URL.Host + " answered " + resp.Status}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, max+1))
	if err != nil {
		return nil, &Error{Kind: Unreachable, Msg: "the answer of " + req.URL.Host + " broke off", Err: err}
	}
	if int64(len(body)) > max {
		return nil, &Error{Kind: BadAnswer, Msg: fmt.Sprintf("the answer of %s is larger than %d bytes", req.URL.Host, max)}
	}
	return body, nil
}

// remembered gives what is known for a key, or gets it. What failed because the
// caller's time was up says nothing about the address.
func (c *Client) remembered(ctx context.Context, key string, get func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	a, ok := c.known[key]
	c.mu.Unlock()
	if ok && c.now().Before(a.until) {
		return a.body, a.err
	}
	body, err := get()
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	c.keep(key, body, err)
	return body, err
}

// Bounds of what a client remembers: answers, and bytes of them.
const (
	maxKnown = 1000
	maxHeld  = 128 << 20
)

func (c *Client) keep(key string, body []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown || c.held+len(body) > maxHeld {
		clear(c.known)
		c.held = 0
	}
	c.held += len(body) - len(c.known[key].body)
	c.known[key] = answer{body, err, c.now().Add(keepFor)}
}

// Issuers gives the certificates at the caIssuers addresses of a certificate
// (RFC 5280 §4.2.2.1): one in DER, or several in a PKCS #7 message.
func (c *Client) Issuers(ctx context.Context, cert *x509.Certificate) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	var first error
	for _, address := range few(cert.IssuingCertificateURL) {
		body, err := c.get(ctx, c.open, address, maxSmall)
		if err == nil {
			var list []*x509.Certificate
			if list, err = certificates(body); err == nil {
				out = append(out, list...)
				continue
			}
		}
		first = either(first, err)
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, first
}

// CRLs gives the revocation lists at the distribution points of a certificate
// (§4.2.1.13), and at its freshest-CRL points the deltas. Ask only for
// certificates with a path to a trusted authority.
func (c *Client) CRLs(ctx context.Context, cert *x509.Certificate) ([][]byte, error) {
	var out [][]byte
	var first error
	for _, address := range few(cert.CRLDistributionPoints) {
		body, err := c.get(ctx, c.vouched, address, maxList)
		if err == nil {
			var der []byte
			if der, err = list(body); err == nil {
				out = append(out, der)
				continue
			}
		}
		first = either(first, err)
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, first
}

func few(list []string) []string { return list[:min(len(list), maxURLs)] }

func either(first, err error) error {
	if first != nil {
		return first
	}
	return err
}
