package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// visitor is somebody who fills in the pages' forms, as a browser without script would.
type visitor struct {
	*http.Client
	t *testing.T
}

func newVisitor(t *testing.T, transport *http.Transport) visitor {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{&http.Client{Transport: transport, Jar: jar}, t}
}

// read gives status, address after redirections, and body.
func (v visitor) read(res *http.Response, err error) (int, string, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, res.Request.URL.String(), string(b)
}

// token is that of the first form of a page.
func (v visitor) token(page string) string {
	v.t.Helper()
	_, at, body := v.read(v.Get(page))
	m := formToken.FindStringSubmatch(body)
	if m == nil {
		v.t.Fatalf("no form at %s: %s", at, body)
	}
	return m[1]
}

// fill sends the form on a page; to is where the form goes.
func (v visitor) fill(page, to string, fields url.Values) (int, string, string) {
	v.t.Helper()
	fields.Set("token", v.token(page))
	return v.read(v.PostForm(to, fields))
}

// upload sends a document, and gives the address of its page.
func (v visitor) upload(house, name string) string {
	v.t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		v.t.Fatal(err)
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("token", v.token(house+"/"))
	part, err := m.CreateFormFile("file", filepath.Base(name))
	if err != nil {
		v.t.Fatal(err)
	}
	_, _ = part.Write(data)
	_ = m.Close()
	status, at, body := v.read(v.Post(house+"/documents", m.FormDataContentType(), &b))
	if status != http.StatusOK {
		v.t.Fatalf("upload: %d at %s: %s", status, at, body)
	}
	return at
}

// policy is the Content-Security-Policy of a page.
func (v visitor) policy(page string) string {
	v.t.Helper()
	res, err := v.Get(page)
	if err != nil {
		v.t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Content-Security-Policy")
}
