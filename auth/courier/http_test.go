package courier

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sink is a provider's interface that keeps the last request.
type sink struct {
	*httptest.Server
	method, path, query, contentType, authorization, key, body string
	status                                                     int
	answer                                                     string
	asked                                                      int
}

func newSink(t *testing.T, secure bool) *sink {
	t.Helper()
	s := &sink{status: 200, answer: `{"status":"QUEUED"}`}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.method, s.path, s.query, s.body = r.Method, r.URL.Path, r.URL.RawQuery, string(b)
		s.contentType, s.authorization, s.key = r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("X-Key")
		s.asked++
		if s.status/100 == 3 {
			w.Header().Set("Location", s.URL+"/elsewhere")
		}
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	})
	s.Server = httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = discardLog()
	if secure {
		s.TLS = serverTLS(t)
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *sink) config(t *testing.T) Config {
	return Config{Driver: DriverHTTP, HTTP: HTTP{URL: s.URL + "/send", CAFile: caFile(t), SecretFile: file(t, "k3y\n"),
		Fields: map[string]any{"to": "{to}", "text": "{text}"}}}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	tricky := `a "quoted" & {to} text={secret}; è`
	for _, c := range []struct {
		name   string
		change func(*HTTP)
		check  func(*sink) string
	}{
		{"json", func(h *HTTP) {
			h.Fields = map[string]any{"messages": []any{map[string]any{"to": "{digits}", "body": "Sigillo: {text}", "flash": false, "ttl": int64(300)}}, "key": "{secret}"}
		}, func(s *sink) string {
			var v struct {
				Messages []struct {
					To, Body string
					Flash    bool
					TTL      int
				}
				Key string
			}
			if err := json.Unmarshal([]byte(s.body), &v); err != nil || len(v.Messages) != 1 {
				return s.body
			}
			m := v.Messages[0]
			if m.To != number[1:] || m.Body != "Sigillo: "+tricky || m.TTL != 300 || v.Key != "k3y" || s.contentType != "application/json" || s.method != "POST" {
				return fmt.Sprintf("%+v", v)
			}
			return ""
		}},
		{"form", func(h *HTTP) {
			h.Format, h.User = "form", "firm"
		}, func(s *sink) string {
			r := httptest.NewRequest("POST", "/", strings.NewReader(s.body))
			r.Header.Set("Content-Type", s.contentType)
			r.Header.Set("Authorization", s.authorization)
			user, password, _ := r.BasicAuth()
			if r.FormValue("to") != number || r.FormValue("text") != tricky || len(r.PostForm) != 2 || user != "firm" || password != "k3y" {
				return s.body
			}
			return ""
		}},
		{"query", func(h *HTTP) {
			h.Format, h.Method, h.URL = "query", "GET", h.URL+"?v=2"
			h.Headers = map[string]string{"X-Key": "Bearer {secret}"}
		}, func(s *sink) string {
			r := httptest.NewRequest("GET", "/?"+s.query, nil)
			if q := r.URL.Query(); q.Get("to") != number || q.Get("text") != tricky || q.Get("v") != "2" || s.key != "Bearer k3y" || s.body != "" || s.method != "GET" {
				return s.query
			}
			return ""
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, true)
			cfg := s.config(t)
			cfg.HTTP.Success = "QUEUED"
			c.change(&cfg.HTTP)
			if err := newSender(t, cfg).Send(t.Context(), number, tricky); err != nil {
				t.Fatal(err)
			}
			if wrong := c.check(s); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		answer string
		change func(*HTTP)
		kind   Kind
		asked  int
	}{
		{"redirect", 307, "", nil, Refused, 1},
		{"not found", 404, number + words, nil, Refused, 1},
		{"unauthorised", 401, "", nil, Refused, 1},
		{"slow down", 429, "", nil, Unavailable, 1},
		{"broken", 500, words, nil, Unavailable, 1},
		{"200 that says no", 200, `{"error":"` + number + `"}`, func(h *HTTP) { h.Success = "QUEUED" }, Refused, 1},
		{"much to say", 200, strings.Repeat("QUEUED", 20_000), func(h *HTTP) { h.Success = "QUEUED" }, Unavailable, 1},
		{"unknown authority", 200, "", func(h *HTTP) { h.CAFile = "" }, Unavailable, 0},
		{"nobody there", 200, "", func(h *HTTP) { h.URL = "https://" + closedPort(t) + "/" }, Unavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, true)
			s.status, s.answer = c.status, c.answer
			cfg := s.config(t)
			cfg.HTTP.Format = "query"
			if c.change != nil {
				c.change(&cfg.HTTP)
			}
			err := newSender(t, cfg).Send(t.Context(), number, words)
			if KindOf(err) != c.kind || s.asked != c.asked {
				t.Errorf("%v after %d requests; want %s after %d", err, s.asked, c.kind, c.asked)
			}
			silentAbout(t, err)
		})
	}
}

func TestHTTPSlow(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-release
	}))
	t.Cleanup(func() { close(release); srv.Close() })
	cfg := Config{Driver: DriverHTTP, TimeoutSeconds: 1, HTTP: HTTP{URL: srv.URL, Fields: map[string]any{"to": "{to}", "text": "{text}"}}}
	if err := newSender(t, cfg).Send(t.Context(), number, words); KindOf(err) != Unavailable {
		t.Errorf("%v", err)
	}
}
