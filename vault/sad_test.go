package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func testMint(t testing.TB, node string, key byte) *mint {
	t.Helper()
	m, err := newMint(node, &[32]byte{key}, &[32]byte{key, 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testClaims() claims {
	return claims{Subject: "h", Credential: "c", Epoch: 1, Key: bytes.Repeat([]byte{7}, 32), Hash: "SHA-256",
		Digests: sorted(digests(2)), Count: 2, AMR: []string{"pwd", "otp"}, Client: "web", Authorised: noon.Unix(), ID: "0123456789abcdef"}
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestMint(t *testing.T) {
	t.Parallel()
	m := testMint(t, "node", 1)
	d := [32]byte{1, 2, 3}
	s, err := m.issue(testClaims(), &d, noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := testMint(t, "node", 1).read(s.Token) // the vault was started again
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "node" || c.Subject != "h" || strings.Join(c.AMR, " ") != "pwd otp" || c.Expires-c.Issued != 300 {
		t.Errorf("%+v", c)
	}
	if got, err := m.secret(c); err != nil || got != d {
		t.Errorf("%v, %v", got, err)
	}
	parts := strings.Split(s.Token, ".")
	if len(parts) != 3 || s.ID != c.ID {
		t.Fatalf("%d parts, %q", len(parts), s.ID)
	}
	if head, _ := base64.RawURLEncoding.DecodeString(parts[0]); string(head) != `{"alg":"HS256","typ":"sad+jwt"}` {
		t.Errorf("header %s", head)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(parts[1]); len(raw) == 0 || bytes.Contains(raw, d[:]) {
		t.Error("the secret is not sealed")
	}
	// Any reader of RFC 7515 with the key finds the signature good.
	h := hmac.New(sha256.New, m.mac[:])
	h.Write([]byte(parts[0] + "." + parts[1]))
	if sig, err := base64.RawURLEncoding.DecodeString(parts[2]); err != nil || !hmac.Equal(sig, h.Sum(nil)) {
		t.Error("the signature is not HS256 over header and payload")
	}
	if again, err := m.issue(testClaims(), &d, noon); err != nil || again.Token == s.Token {
		t.Errorf("two tokens are alike: %v", err)
	}
	for name, other := range map[string]*mint{"node": testMint(t, "other", 1), "key": testMint(t, "node", 2)} {
		if _, err := other.read(s.Token); KindOf(err) != BadSAD {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for i := range s.Token {
		b := []byte(s.Token)
		b[i] ^= 1
		if _, err := m.read(string(b)); KindOf(err) != BadSAD {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"sad+jwt"}`))
	for _, bad := range []string{"", ".", "..", parts[0], parts[0] + ".", parts[0] + "..", parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".",
		parts[0] + ".." + parts[2], "." + parts[1] + "." + parts[2], parts[1] + "." + parts[2], s.Token + ".", s.Token + "=", s.Token + "\n", " " + s.Token,
		none + "." + parts[1] + ".", none + "." + parts[1] + "." + parts[2], parts[1] + "." + parts[0] + "." + parts[2]} {
		if _, err := m.read(bad); KindOf(err) != BadSAD {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestSecretIsBound: the sealed secret of one SAD does not open in another, even
// one that bears the right MAC.
func TestSecretIsBound(t *testing.T) {
	t.Parallel()
	m := testMint(t, "node", 1)
	base := testClaims()
	s, err := m.issue(base, &[32]byte{9}, noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.read(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*claims){
		"holder":     func(c *claims) { c.Subject = "x" },
		"credential": func(c *claims) { c.Credential = "x" },
		"key":        func(c *claims) { c.Key = []byte("x") },
		"identifier": func(c *claims) { c.ID = "x" },
		"epoch":      func(c *claims) { c.Epoch++ },
		"node":       func(c *claims) { c.Issuer = "x" },
		"secret":     func(c *claims) { c.Secret = c.Secret[:len(c.Secret)-1] },
		"no secret":  func(c *claims) { c.Secret = nil },
	} {
		x := *c
		change(&x)
		if _, err := m.secret(&x); KindOf(err) != BadSAD {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestParseClaims(t *testing.T) {
	t.Parallel()
	c := testClaims()
	c.Issuer, c.Issued, c.Expires, c.Nonce = "node", noon.Unix(), noon.Unix()+300, make([]byte, 16)
	for _, x := range []struct {
		name   string
		change func(*claims)
		ok     bool
	}{
		{"as issued", func(*claims) {}, true},
		{"count", func(c *claims) { c.Count++ }, false},
		{"order", func(c *claims) { c.Digests[0], c.Digests[1] = c.Digests[1], c.Digests[0] }, false},
		{"no digests", func(c *claims) { c.Digests, c.Count = nil, 0 }, false},
		{"length", func(c *claims) { c.Digests[0] = c.Digests[0][1:] }, false},
		{"life", func(c *claims) { c.Expires++ }, false},
		{"backwards", func(c *claims) { c.Expires = c.Issued }, false},
		{"before it was authorised", func(c *claims) { c.Authorised = c.Issued + 1 }, false},
		{"the last minute of its chain", func(c *claims) { c.Authorised = c.Expires - 900 }, true},
		{"after its chain", func(c *claims) { c.Authorised = c.Expires - 901 }, false},
		{"not authenticated", func(c *claims) { c.AMR = nil }, false},
		{"delegated by nobody", func(c *claims) { c.AMR = []string{"delegated"} }, false},
		{"delegated", func(c *claims) { c.AMR, c.Delegation = []string{"delegated"}, "d" }, true},
		{"delegation of somebody who is there", func(c *claims) { c.Delegation = "d" }, false},
		{"no nonce", func(c *claims) { c.Nonce = nil }, false},
		{"no epoch", func(c *claims) { c.Epoch = 0 }, false},
		{"no holder", func(c *claims) { c.Subject = "" }, false},
		{"no identifier", func(c *claims) { c.ID = "" }, false},
		{"confirmed", func(c *claims) { c.Confirmed = make([]byte, 32) }, true},
		{"something confirmed", func(c *claims) { c.Confirmed = []byte("all") }, false},
	} {
		y := c
		y.Digests = append([][]byte(nil), c.Digests...)
		x.change(&y)
		b, err := json.Marshal(y)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseClaims(b); (err == nil) != x.ok {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	b, _ := json.Marshal(c)
	for _, bad := range []string{"", "null", "[]", string(b) + "{}", strings.Replace(string(b), "{", `{"more":1,`, 1), strings.Replace(string(b), "{", `{"iss":"node",`, 1),
		strings.Replace(string(b), `"iss"`, `"ISS"`, 1), strings.Replace(string(b), ",", ", ", 1), string(b) + "\n"} {
		if _, err := parseClaims([]byte(bad)); err == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}

func TestJTI(t *testing.T) {
	t.Parallel()
	k := &[32]byte{1}
	a := newJTI(k, "b", "h", 1)
	if len(a) != 32 || a != newJTI(k, "b", "h", 1) || a == newJTI(k, "b", "h", 2) || a == newJTI(k, "c", "h", 1) ||
		a == newJTI(k, "b", "g", 1) || a == newJTI(k, "bh", "", 1) {
		t.Error("identifiers do not follow what is granted")
	}
}

// FuzzSAD: no token but the ones minted is read, and no JSON makes the parser
// accept what contradicts itself.
func FuzzSAD(f *testing.F) {
	// A fresh key: the fuzzing processes share seeds, and a SAD of one must not
	// be read by another.
	m := testMint(f, "node", 1)
	rand.Read(m.mac[:])
	s, err := m.issue(testClaims(), &[32]byte{1}, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Token)
	f.Add(s.Token[1:])
	f.Add(sadHead + "." + strings.Split(s.Token, ".")[2])
	f.Add(strings.Replace(s.Token, ".", "..", 1))
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(s.Token, ".")[1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(strings.Replace(string(raw), `"count":2`, `"count":3`, 1))
	f.Add(strings.Replace(string(raw), `["pwd","otp"]`, `["delegated"]`, 1))
	f.Add(`{"digests":[""],"count":1}`)
	f.Fuzz(func(t *testing.T, in string) {
		if c, err := m.read(in); err == nil && in != s.Token {
			t.Fatalf("a token that was not minted is read: %+v", c)
		}
		c, err := parseClaims([]byte(in))
		if err == nil && (c.Count != len(c.Digests) || c.Count == 0 || c.Count > MaxDigests || c.Expires-c.Issued > 300 || c.Expires-c.Authorised > 900 || len(c.AMR) == 0) {
			t.Fatalf("%+v", c)
		}
		if err == nil {
			if b, _ := json.Marshal(c); string(b) != in {
				t.Fatalf("two spellings: %s, %s", in, b)
			}
		}
	})
}
