// Package callback tells a bank's own application that a session at a counter has come
// to its end.
//
// The addresses are those of the configuration, each with a secret of its own; who opens
// a session names one of them and can give no other, so that nobody has this machine talk
// to an address of their choice. It is https with a certificate that the system trusts,
// redirections are not followed, and of the answer the status alone is looked at.
//
// What is sent is signed: the header Sigillo-Signature is "t=TIME,v1=MAC", TIME in Unix
// seconds and MAC the HMAC-SHA256, lower hex, of TIME, a full stop and the body under the
// secret. The application checks it, and that TIME is near: a message is not believed
// because it came.
package callback

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// Header is the name of the header with the signature.
	Header = "Sigillo-Signature"
	// MinSecret is how long a secret is at least, in bytes.
	MinSecret = 32
	patience  = 10 * time.Second
	maxAnswer = 4 << 10 // bytes that are read of an answer, and thrown away
)

// Address is where messages go to, and the secret they are signed with.
type Address struct {
	URL    string
	Secret []byte
}

// Check says what is wrong with an address.
func (a Address) Check() error {
	u, err := url.Parse(a.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("callback: the address is https, without user name and fragment")
	case len(a.Secret) < MinSecret:
		return fmt.Errorf("callback: the secret has at least %d bytes", MinSecret)
	}
	return nil
}

// Client sends messages. It is safe for concurrent use.
type Client struct{ http *http.Client }

// NewClient returns one; trusted is nil but in tests.
func NewClient(trusted *tls.Config) *Client {
	t := &http.Transport{TLSClientConfig: trusted, TLSHandshakeTimeout: patience, ResponseHeaderTimeout: patience,
		MaxResponseHeaderBytes: 16 << 10, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true}
	return &Client{&http.Client{Transport: t, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// Post sends a message, once. An answer of 200 to 299 is success; all else is an error,
// which says nothing of the secret, of path and query of the address, which may have one
// too, or of the answer's content.
func (c *Client) Post(ctx context.Context, a Address, now time.Time, body []byte) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("callback: this is no address")
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "Sigillo")
	q.Header.Set(Header, Sign(a.Secret, now, body))
	r, err := c.http.Do(q)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // which tells the address, and there are addresses that nobody is to know
			err = u.Err
		}
		return fmt.Errorf("callback: %w", err)
	}
	defer r.Body.Close()
	_, _ = io.CopyN(io.Discard, r.Body, maxAnswer)
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return fmt.Errorf("callback: the application answers %d", r.StatusCode)
	}
	return nil
}

// Sign is the value of the header.
func Sign(secret []byte, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(t + "."))
	m.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(m.Sum(nil))
}
