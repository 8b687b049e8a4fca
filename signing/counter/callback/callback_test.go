package callback

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var secret = bytes.Repeat([]byte("k"), MinSecret)

// The value was computed by another program:
//
//	printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
func TestSign(t *testing.T) {
	t.Parallel()
	const want = "t=1700000000,v1=6935b796c0fec66e5dee52c86c7fd1218a424c32f1adb239ff2893c31e54f033"
	if got := Sign(secret, time.Unix(1_700_000_000, 0), []byte(`{"a":1}`)); got != want {
		t.Errorf("%s", got)
	}
}

func TestPost(t *testing.T) {
	t.Parallel()
	status, got := http.StatusNoContent, ""
	elsewhere := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/elsewhere":
			elsewhere = true
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		default:
			got = r.Header.Get(Header) + " " + string(b)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	}))
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	c := NewClient(&tls.Config{RootCAs: pool})
	now := time.Unix(1_700_000_000, 0)
	a := Address{srv.URL + "/x", secret}
	if err := c.Post(t.Context(), a, now, []byte("{}")); err != nil || got != Sign(secret, now, []byte("{}"))+" {}" {
		t.Errorf("%q %v", got, err)
	}
	status = http.StatusInternalServerError
	if err := c.Post(t.Context(), a, now, []byte("{}")); err == nil || !strings.Contains(err.Error(), "500") || strings.Contains(err.Error(), "xxx") {
		t.Error(err)
	}
	if err := c.Post(t.Context(), Address{srv.URL + "/moved", secret}, now, nil); err == nil || elsewhere {
		t.Errorf("a redirection was followed: %v", err)
	}
	if err := NewClient(nil).Post(t.Context(), a, now, nil); err == nil {
		t.Error("a certificate that nobody trusts was taken")
	}
}

// An address may have a secret in it, as those of many services do.
func TestAddressNotTold(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Close()
	for _, u := range []string{srv.URL + "/hooks/hush?key=hush", "https://core.example/hush\x7f"} {
		err := NewClient(nil).Post(t.Context(), Address{u, secret}, time.Unix(1, 0), nil)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for u, good := range map[string]bool{"https://core.example/x": true, "http://core.example/x": false, "https://u:p@core.example": false,
		"https://": false, "file:///etc/passwd": false, "": false, "https://core.example/#x": false} {
		if err := (Address{u, secret}).Check(); (err == nil) != good {
			t.Errorf("%s: %v", u, err)
		}
	}
	if err := (Address{"https://core.example", secret[1:]}).Check(); err == nil {
		t.Error("a short secret")
	}
}
