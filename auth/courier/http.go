package courier

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxReply is how much of a provider's answer is read, in bytes.
const maxReply = 64 << 10

// poster asks a provider's HTTP interface.
type poster struct {
	cfg    HTTP
	secret string
	client *http.Client
}

func newPoster(cfg HTTP) (*poster, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fail(BadConfig, "courier.http.url is an https address")
	}
	p := &poster{cfg: cfg}
	if p.secret, err = readSecret(cfg.SecretFile); err != nil {
		return nil, err
	}
	secure, err := tlsConfig(u.Hostname(), cfg.CAFile)
	if err != nil {
		return nil, err
	}
	p.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: secure, MaxIdleConnsPerHost: 2, MaxResponseHeaderBytes: maxReply,
			DisableCompression: true, ForceAttemptHTTP2: true},
		// The text goes where the configuration says, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

func (p *poster) send(ctx context.Context, to, text string) error {
	req, err := p.request(ctx, to, text)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return &Error{Kind: Unavailable, Msg: "the provider cannot be reached", Err: harmlessHTTP(err)}
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	defer clear(said)
	switch {
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout:
		return fail(Unavailable, "the provider cannot send now (it answers %d)", res.StatusCode)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fail(Refused, "the provider does not take the message (it answers %d)", res.StatusCode)
	case err != nil:
		return &Error{Kind: Unavailable, Msg: "the provider does not finish its answer", Err: harmlessHTTP(err)}
	case len(said) > maxReply:
		return fail(Unavailable, "the provider says too much")
	case !bytes.Contains(said, []byte(p.cfg.Success)):
		return fail(Refused, "the provider's answer does not say what courier.http.success wants")
	}
	return nil
}

// request puts number, text and secret in their places and encodes the whole.
func (p *poster) request(ctx context.Context, to, text string) (*http.Request, error) {
	put := func(template string) string { return fill(template, to, text, p.secret) }
	address, body, contentType := p.cfg.URL, []byte(nil), ""
	switch p.cfg.format() {
	case "json":
		var err error
		if body, err = json.Marshal(filled(p.cfg.Fields, put)); err != nil {
			return nil, fail(BadConfig, "courier.http.fields cannot be written as JSON")
		}
		contentType = "application/json"
	case "form":
		body, contentType = []byte(values(p.cfg.Fields, put).Encode()), "application/x-www-form-urlencoded"
	default:
		u, err := url.Parse(address)
		if err != nil {
			return nil, fail(BadConfig, "courier.http.url is an https address")
		}
		query := u.Query()
		for name, v := range values(p.cfg.Fields, put) {
			query[name] = v
		}
		u.RawQuery = query.Encode()
		address = u.String()
	}
	req, err := http.NewRequestWithContext(ctx, p.cfg.method(), address, bytes.NewReader(body))
	if err != nil {
		return nil, fail(BadConfig, "courier.http.url is an https address")
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "sigillo")
	if p.cfg.User != "" {
		req.SetBasicAuth(p.cfg.User, p.secret)
	}
	for name, value := range p.cfg.Headers {
		req.Header.Set(name, strings.ReplaceAll(value, "{secret}", p.secret))
	}
	return req, nil
}

// filled is v with everything in its place.
func filled(v any, put func(string) string) any {
	switch v := v.(type) {
	case string:
		return put(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, v := range v {
			out[name] = filled(v, put)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = filled(v[i], put)
		}
		return out
	}
	return v
}

func values(fields map[string]any, put func(string) string) url.Values {
	out := url.Values{}
	for name, v := range fields {
		if text, ok := v.(string); ok { // Check has made sure of it
			out.Set(name, put(text))
		}
	}
	return out
}

// harmlessHTTP leaves out the address, which may hold number and text.
func harmlessHTTP(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate), errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return harmless(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return errors.New("it does not keep to the protocol")
}
