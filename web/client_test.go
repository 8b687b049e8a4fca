package web

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// The header counts from a trusted proxy only, and of it only what proxies of ours
// have written.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	ours := []string{"127.0.0.1/32", "10.1.0.0/24", "2001:db8:1::/64"}
	for name, c := range map[string]struct {
		trusted []string
		header  []string // X-Forwarded-For, one line each
		want    string   // "": none that can be read
	}{
		"no list":                  {nil, []string{"192.0.2.7"}, "127.0.0.1"},
		"another list":             {[]string{"10.0.0.0/8"}, []string{"192.0.2.7"}, "127.0.0.1"},
		"no header":                {ours, nil, "127.0.0.1"},
		"empty header":             {ours, []string{" , "}, "127.0.0.1"},
		"client":                   {ours, []string{"192.0.2.7"}, "192.0.2.7"},
		"spoofed before":           {ours, []string{"10.1.0.9, 203.0.113.9, 192.0.2.7"}, "192.0.2.7"},
		"spoofed, line of its own": {ours, []string{"203.0.113.9", "192.0.2.7"}, "192.0.2.7"},
		"spoofed as a proxy":       {ours, []string{"203.0.113.9, 10.1.0.5, 192.0.2.7, 10.1.0.9"}, "192.0.2.7"},
		"two proxies":              {ours, []string{"192.0.2.7, 10.1.0.9"}, "192.0.2.7"},
		"two proxies, two lines":   {ours, []string{"192.0.2.7", "10.1.0.9"}, "192.0.2.7"},
		"proxies only":             {ours, []string{"10.1.0.8,10.1.0.9"}, "10.1.0.8"},
		"IPv6":                     {ours, []string{"203.0.113.9, 2001:db8:7::1, 2001:db8:1::9"}, "2001:db8:7::1"},
		"IPv6 and port":            {ours, []string{"[2001:db8:7::1]:4711"}, "2001:db8:7::1"},
		"IPv4 and port":            {ours, []string{"192.0.2.7:4711"}, "192.0.2.7"},
		"IPv4 in IPv6":             {ours, []string{"192.0.2.7, ::ffff:10.1.0.9"}, "192.0.2.7"},
		"no address":               {ours, []string{"192.0.2.7, unknown"}, ""},
		"no address, before":       {ours, []string{"_hidden, 10.1.0.9"}, ""},
		"too long":                 {ours, []string{strings.Repeat("1", 5000)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			w := build(t, withDesk(d, StampPagePublic), func(cfg *Config) {
				cfg.TrustedProxies = prefixes(c.trusted...)
			})
			var header strings.Builder
			for _, line := range c.header {
				header.WriteString("X-Forwarded-For: " + line + "\r\n")
			}
			header.WriteString("Forwarded: for=203.0.113.77\r\nX-Real-IP: 203.0.113.78\r\n")
			wire := w.wire()
			query := string(stampQuery(t, 1))
			wire.send("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\n" + header.String() + "Content-Length: ")
			wire.send(itoa(len(query)) + "\r\n\r\n" + query)
			_, _ = wire.receive()
			d.mu.Lock()
			got := d.caller.Addr
			d.mu.Unlock()
			if want, _ := netip.ParseAddr(c.want); got != want {
				t.Errorf("the accounts are told %v, not %q", got, c.want)
			}
			wire.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n" + header.String() + "\r\n")
			_, _ = wire.receive()
			want := c.want
			if want == "" {
				want = "unknown"
			}
			wire.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n") // what the first wrote is in the log by then
			_, _ = wire.receive()
			if first, _, _ := strings.Cut(w.log.String(), "\n"); !strings.Contains(first, "client="+want+" ") {
				t.Errorf("the log has %s", first)
			}
		})
	}
}

// Signing in, signing and stamping on the page go by the same address.
func TestClientAddressOfHolders(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPagePublic), func(c *Config) { c.TrustedProxies = prefixes("127.0.0.0/8") })
	b := w.browser()
	b.post("/signin", url.Values{"token": {b.token("/signin")}, "username": {testUser}, "password": {"wrong"}, "otp": {"111111"}},
		"X-Forwarded-For", "192.0.2.7")
	w.srv.attempts.mu.Lock()
	seen := len(w.srv.attempts.seen)
	left := w.srv.attempts.seen[netip.MustParsePrefix("192.0.2.7/32")]
	w.srv.attempts.mu.Unlock()
	if seen != 1 || left == nil {
		t.Errorf("the attempt counts for another address: %v", w.srv.attempts.seen)
	}
	// Nothing else in this package asks the framework or the connection who it is.
	for _, word := range []string{".IP()", ".IPs()", ".RemoteIP()", ".RemoteAddr()", ".Secure()", ".Hostname()", `"X-Forwarded-`} {
		for file, text := range sources(t) {
			if strings.Contains(text, word) && file != "client.go" {
				t.Errorf("%s has %s", file, word)
			}
		}
	}
}

func sources(t *testing.T) map[string]string {
	t.Helper()
	list, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(text)
	}
	return out
}

// Behind a proxy the certificate of the connection is the proxy's own and makes
// nobody a customer.
func TestProxyCertificate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	srv, err := New(Config{Signing: newRooms(t), Accounts: newRooms(t), Stamps: d, TrustedProxies: prefixes("127.0.0.1/32"),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, client := selfSigned(t, "localhost"), selfSigned(t, "proxy")
	go func() {
		_ = srv.Serve(t.Context(), tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert}), nil)
	}()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{client}}}
	defer transport.CloseIdleConnections()
	for forwarded, own := range map[string]bool{"": true, "192.0.2.7": false} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+ln.Addr().String()+"/tsa", bytes.NewReader(stampQuery(t, 1)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", mediaStampQuery)
		if forwarded != "" {
			req.Header.Set("X-Forwarded-For", forwarded)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		d.mu.Lock()
		if (d.caller.Certificate != nil) != own {
			t.Errorf("forwarded for %q: certificate %v", forwarded, d.caller.Certificate != nil)
		}
		d.mu.Unlock()
	}
}
