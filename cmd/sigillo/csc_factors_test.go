package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/appliance"
	"sigillo/auth/courier"
	"sigillo/auth/passkey/passkeytest"
	"sigillo/signing"
	"sigillo/vault"
)

// gateway is a provider of short messages that keeps them.
type gateway struct {
	*httptest.Server
	mu    sync.Mutex
	texts map[string][]string // guarded by mu; by number
}

func newGateway(t testing.TB) *gateway {
	g := &gateway{texts: map[string][]string{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var in struct{ To, Text string }
		if data, err := io.ReadAll(io.LimitReader(r.Body, 1<<16)); err == nil && json.Unmarshal(data, &in) == nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.texts[in.To] = append(g.texts[in.To], in.Text)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// config is that of a courier that hands messages to the gateway.
func (g *gateway) config() courier.Config {
	return courier.Config{Driver: courier.DriverHTTP, PerMinute: 1000, HTTP: courier.HTTP{URL: g.URL, Fields: map[string]any{"to": "{to}", "text": "{text}"}}}
}

// next waits for the next text to a number with a code in it; notices have none.
func (g *gateway) next(t testing.TB, to string) string {
	t.Helper()
	for range 1000 {
		g.mu.Lock()
		if list := g.texts[to]; len(list) > 0 {
			g.texts[to] = list[1:]
			g.mu.Unlock()
			if smsDigits.MatchString(list[0]) {
				return list[0]
			}
			continue
		}
		g.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no text came to " + to)
	return ""
}

// newPhoneHouse is a house with a courier, and an address that passkeys can be bound to.
func newPhoneHouse(t testing.TB) *cscHouse {
	g := newGateway(t)
	h := newCSCHouse(t, func(cfg *appliance.Config, ln net.Listener) {
		cfg.Courier = g.config()
		cfg.BaseURL = fmt.Sprintf("http://localhost:%d", ln.Addr().(*net.TCPAddr).Port)
	})
	h.gateway = g
	return h
}

// factorCommand plays what a scenario does with second factors; false: it is none of them.
func (s *scenario) factorCommand(word string, args []string) bool {
	switch word {
	case "phone":
		s.addPhone()
	case "passkey":
		s.addPasskey()
	case "drop": // a kind of devices
		s.drop(vault.DeviceKind(args[0]))
	case "text": // EXPRESSION: the next that comes to the holder's phone; ${code}
		text := s.h.gateway.next(s.t, s.number)
		if !regexp.MustCompile(strings.Join(args, " ")).MatchString(text) {
			s.fatalf("the text is %q", text)
		}
		s.vars["code"] = smsDigits.FindString(text)
	case "answer": // CHALLENGE: the holder's passkey does; ${assertion}
		s.vars["assertion"] = base64.RawURLEncoding.EncodeToString(s.key.Get([]byte(strings.Join(args, " "))))
	default:
		return false
	}
	return true
}

func (s *scenario) evidence() signing.Evidence {
	return signing.Evidence{Password: []byte(s.c.holder.Password), OTP: s.c.mustOTP(s.t), Client: "the page"}
}

func (s *scenario) addPhone() {
	n, err := rand.Int(rand.Reader, big.NewInt(1e9))
	if err != nil {
		s.fatalf("%v", err)
	}
	s.number = fmt.Sprintf("+393%09d", n)
	added, err := s.h.AddDevice(s.t.Context(), s.holder, vault.NewDevice{Evidence: s.evidence(), Kind: vault.Phone, Label: "phone", To: s.number})
	if err != nil {
		s.fatalf("%v", err)
	}
	c := vault.DeviceConfirmation{Device: added.Device, Client: "the page"}
	if _, err := s.h.SendCode(s.t.Context(), s.holder, c, vault.CodeRequest{}); err != nil {
		s.fatalf("%v", err)
	}
	c.Code = smsDigits.FindString(s.h.gateway.next(s.t, s.number))
	if err := s.h.ConfirmDevice(s.t.Context(), s.holder, c); err != nil {
		s.fatalf("%v", err)
	}
}

func (s *scenario) addPasskey() {
	o, err := s.h.PasskeyOptions(s.t.Context(), s.holder)
	if err != nil {
		s.fatalf("%v", err)
	}
	s.key = passkeytest.New(s.t, s.h.url, -7)
	_, err = s.h.AddDevice(s.t.Context(), s.holder, vault.NewDevice{Evidence: s.evidence(), Kind: vault.Passkey, Label: "key", Registration: s.key.Create(o.Options)})
	if err != nil {
		s.fatalf("%v", err)
	}
}

func (s *scenario) drop(kind vault.DeviceKind) {
	m, err := s.h.Means(s.t.Context(), s.holder)
	if err != nil {
		s.fatalf("%v", err)
	}
	for _, d := range m.Devices {
		if d.Kind == kind {
			if err := s.h.RemoveDevice(s.t.Context(), s.holder, vault.DeviceRemoval{Evidence: s.evidence(), Device: d.ID}); err != nil {
				s.fatalf("%v", err)
			}
		}
	}
}

// What needs a courier or a domain is not offered where there is none.
func TestCSCWithoutPhones(t *testing.T) {
	t.Parallel()
	h := newCSCHouse(t)
	for path, method := range map[string]string{"/csc/v1/": "credentials/sendOTP", "/csc/v2/": "credentials/getChallenge"} {
		res, err := http.Post(h.url+path+"info", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		var info struct{ Methods []string }
		err = json.NewDecoder(res.Body).Decode(&info)
		res.Body.Close()
		if err != nil || len(info.Methods) == 0 || slices.Contains(info.Methods, method) {
			t.Errorf("%v: %v", info.Methods, err)
		}
		res, err = http.Post(h.url+path+method, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s is there: %s", method, res.Status)
		}
	}
}
