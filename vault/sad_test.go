package vault

import (
	"bytes"
	"crypto/rand"
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
	return claims{Subject: "h", Credential: "c", Key: bytes.Repeat([]byte{7}, 32), Hash: "SHA-256",
		Digests: sorted(digests(2)), Count: 2, Client: "web", ID: "0123456789abcdef"}
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
	if raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(s.Token, ".")[0]); bytes.Contains(raw, d[:]) {
		t.Error("the secret is not sealed")
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
	head, tail, _ := strings.Cut(s.Token, ".")
	for _, bad := range []string{"", ".", head, head + ".", "." + tail, s.Token + ".", s.Token + "=", s.Token + "\n", tail + "." + head} {
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
	c.Issuer, c.Issued, c.Expires = "node", noon.Unix(), noon.Unix()+300
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
	for _, bad := range []string{"", "null", "[]", string(b) + "{}", strings.Replace(string(b), "{", `{"more":1,`, 1)} {
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
	head, _, _ := strings.Cut(s.Token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(`{"digests":[""],"count":1}`)
	f.Fuzz(func(t *testing.T, in string) {
		if c, err := m.read(in); err == nil && in != s.Token {
			t.Fatalf("a token that was not minted is read: %+v", c)
		}
		c, err := parseClaims([]byte(in))
		if err == nil && (c.Count != len(c.Digests) || c.Count == 0 || c.Count > MaxDigests || c.Expires-c.Issued > 300) {
			t.Fatalf("%+v", c)
		}
	})
}
