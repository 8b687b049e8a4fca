package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"sigillo/auth"
	"sigillo/signing"
)

// client is a program of the holder's that talks to the REST interface.
type client struct {
	url    string
	holder demoHolder
	secret []byte
	token  string
	used   int64 // last OTP step used
}

// problem is an RFC 9457 answer.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Kind   string `json:"kind"`
	Retry  string `json:"-"` // the Retry-After that came with it
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Kind, p.Detail) }

func newClient(url string, h demoHolder) (*client, error) {
	secret, err := otpSecret(h.OTPURI)
	if err != nil {
		return nil, err
	}
	// The step before the current one was used at registration.
	return &client{url: url, holder: h, secret: secret, used: auth.OTPStep(time.Now()) - 1}, nil
}

// otp gives a fresh one-time password, waiting for the next step when the
// current one has been used. The vault accepts the step after the current one
// too, for clocks that run fast, so one more is at hand without waiting.
func (c *client) otp(ctx context.Context) (string, error) {
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	c.used = max(c.used+1, auth.OTPStep(time.Now()))
	return auth.TOTP(c.secret, time.Unix(c.used*30, 0)), nil
}

// ready waits until an unused one-time password can be made.
func (c *client) ready(ctx context.Context) error {
	for auth.OTPStep(time.Now())+1 <= c.used {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// do sends a request; in is marshalled as JSON unless it is a reader, out is
// filled from JSON unless it is a writer.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	media := "application/octet-stream"
	switch v := in.(type) {
	case nil:
	case io.Reader:
		body = v
	default:
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, media = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", media)
	req.Header.Set("Accept-Language", "en")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		p := &problem{Status: resp.StatusCode}
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(p); err != nil {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		p.Retry = resp.Header.Get("Retry-After")
		return p
	}
	switch v := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(v, resp.Body)
	default:
		err = json.NewDecoder(resp.Body).Decode(v)
	}
	return err
}

// signIn opens a session with these factors.
func (c *client) signIn(ctx context.Context, password, otp string) error {
	var session struct {
		Token string `json:"token"`
	}
	in := map[string]string{"username": c.holder.Username, "password": password, "otp": otp}
	err := c.do(ctx, http.MethodPost, "/session", in, &session)
	if err == nil {
		c.token = session.Token
	}
	return err
}

func (c *client) upload(ctx context.Context, path string) (signing.Document, error) {
	var doc signing.Document
	f, err := os.Open(path)
	if err != nil {
		return doc, err
	}
	defer f.Close()
	err = c.do(ctx, http.MethodPost, "/documents?name="+url.QueryEscape(filepath.Base(path)), f, &doc)
	return doc, err
}

func (c *client) prepare(ctx context.Context, orders ...signing.Order) (signing.Transaction, error) {
	var t signing.Transaction
	r := signing.Request{Credential: c.holder.Credential, Documents: orders, Confirmed: true}
	err := c.do(ctx, http.MethodPost, "/transactions", r, &t)
	return t, err
}

func (c *client) sign(ctx context.Context, id, password, otp string) (signing.Transaction, error) {
	var t signing.Transaction
	err := c.do(ctx, http.MethodPost, "/transactions/"+id+"/sign", map[string]string{"password": password, "otp": otp}, &t)
	return t, err
}

// download stores a signed document in dir and gives its path.
func (c *client) download(ctx context.Context, t signing.Transaction, seq int, dir string) (string, error) {
	path := filepath.Join(dir, t.Items[seq].OutputName)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return path, c.do(ctx, http.MethodGet, fmt.Sprintf("/transactions/%s/items/%d/content", t.ID, seq), nil, f)
}
