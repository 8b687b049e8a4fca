package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"time"
)

var hashOf = map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 512: crypto.SHA512}

// tsget is where Debian's package openssl puts it.
const tsget = "/usr/lib/ssl/misc/tsget.pl"

// opensslClients are those whose requests and answers OpenSSL makes and checks, by
// the ways in which they are carried.
func opensslClients() []client {
	var all []client
	for _, bits := range []int{256, 384, 512} {
		all = append(all, carried(fmt.Sprintf("openssl ts, curl, SHA-%d", bits), bits, lacking("curl", "curl", "/usr/bin/curl"), byCurl))
	}
	perl := lacking("tsget", "openssl, libwww-curl-perl", tsget, "/usr/share/doc/libwww-curl-perl")
	all = append(all, carried("openssl ts, tsget", 256, perl, byTsget))
	for _, f := range []struct {
		name string
		form httpForm
	}{{"HTTP/1.0", http10}, {"HTTP/1.1 chunked", chunked}, {"HTTP/1.1 octet by octet", octets}} {
		all = append(all, carried("openssl ts, "+f.name, 512, func() string { return "" }, func(ctx context.Context, a *authority, query, reply, account string) error {
			return byHand(ctx, a, query, reply, account, f.form)
		}))
	}
	return all
}

// carried is OpenSSL over one carrier, which brings the query in one file and the
// reply into the other.
func carried(name string, bits int, missing func() string, carry func(ctx context.Context, a *authority, query, reply, account string) error) client {
	files := func(a *authority) (query, reply string) {
		base := a.path(strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(name))
		return base + ".tsq", base + ".tsr"
	}
	ask := func(ctx context.Context, a *authority, account string, more ...string) (query, reply string, err error) {
		query, reply = files(a)
		os.Remove(reply)
		said, err := tool(ctx, "openssl", append([]string{"ts", "-query", "-data", a.file, fmt.Sprintf("-sha%d", bits), "-cert", "-out", query}, more...)...)
		if err != nil {
			return "", "", err
		}
		if _, err := os.Stat(query); err != nil {
			return "", "", fmt.Errorf("openssl ts -query: %s", said)
		}
		return query, reply, carry(ctx, a, query, reply, account)
	}
	return client{name: name, missing: missing,
		stamps: func(ctx context.Context, a *authority, account string) error {
			query, reply, err := ask(ctx, a, account)
			if err != nil {
				return err
			}
			said, err := tool(ctx, "openssl", "ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", a.Root())
			return says(said, err, "Verification: OK")
		},
		refused: func(ctx context.Context, a *authority) error {
			_, reply, err := ask(ctx, a, "", "-tspolicy", wrongPolicy)
			if err != nil {
				return err
			}
			said, err := tool(ctx, "openssl", "ts", "-reply", "-in", reply, "-text")
			return says(said, err, "Status: Rejected", "Status description: ", "the requested TSA policy is not supported")
		},
	}
}

func byCurl(ctx context.Context, a *authority, query, reply, account string) error {
	args := []string{"-sS", "--fail", "-H", "Content-Type: application/timestamp-query", "--data-binary", "@" + query, "-o", reply}
	if account != "" {
		args = append(args, "-u", account)
	}
	said, err := tool(ctx, "curl", append(args, a.url())...)
	return there(reply, said, err)
}

func byTsget(ctx context.Context, a *authority, query, reply, account string) error {
	url := a.url()
	if account != "" {
		url = strings.Replace(url, "://", "://"+account+"@", 1)
	}
	said, err := tool(ctx, "perl", tsget, "-h", url, "-o", reply, query)
	return there(reply, said, err)
}

// there checks that a program made a file.
func there(path, said string, err error) error {
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no answer: %s", said)
	}
	return nil
}

// httpForm writes a whole request.
type httpForm func(path, host, header string, body []byte) []byte

// byHand speaks HTTP itself, on one connection.
func byHand(ctx context.Context, a *authority, query, reply, account string, form httpForm) error {
	body, err := os.ReadFile(query)
	if err != nil {
		return err
	}
	header := "Content-Type: application/timestamp-query\r\n"
	if account != "" {
		header += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(account)) + "\r\n"
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	request := form("/tsa", a.Addr, header, body)
	step := len(request)
	if bytes.Contains(request, []byte("X-Slow")) {
		step = 1
	}
	for from := 0; from < len(request); from += step {
		if _, err := c.Write(request[from:min(from+step, len(request))]); err != nil {
			return err
		}
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/timestamp-reply" {
		return fmt.Errorf("%s, %s: %q", answer.Status, answer.Header.Get("Content-Type"), data)
	}
	return os.WriteFile(reply, data, 0o600)
}

func http10(path, _, header string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.0\r\n%sContent-Length: %d\r\n\r\n%s", path, header, len(body), body)
}

func octets(path, host, header string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nX-Slow: yes\r\n%sContent-Length: %d\r\n\r\n%s", path, host, header, len(body), body)
}

// chunked sends the body in chunks of seven octets.
func chunked(path, host, header string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n", path, host, header)
	w := httputil.NewChunkedWriter(&b)
	for ; len(body) > 7; body = body[7:] {
		_, _ = w.Write(body[:7])
	}
	_, _ = w.Write(body)
	_ = w.Close()
	b.WriteString("\r\n")
	return b.Bytes()
}
