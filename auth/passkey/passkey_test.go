package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"

	"sigillo/auth/passkey"
	"sigillo/auth/passkey/passkeytest"
)

const origin = "https://sign.example.org"

var (
	party     = passkey.Party{ID: "example.org", Name: "Sigillo", Origins: []string{origin, "https://other.example.org"}}
	challenge = []byte("0123456789abcdef0123456789abcdef")
	user      = passkey.User{ID: []byte("holder-1"), Name: "anna", Display: "Anna"}
)

func register(t testing.TB, a *passkeytest.Authenticator) (passkey.Key, uint32, []byte) {
	t.Helper()
	o, err := party.CreationOptions(challenge, user, [][]byte{{1, 2, 3}}, 60000)
	if err != nil {
		t.Fatal(err)
	}
	raw := a.Create(o)
	r, err := passkey.ParseRegistration(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.Challenge, challenge) {
		t.Errorf("challenge %x", r.Challenge)
	}
	k, n, err := r.Verify(&party)
	if err != nil {
		t.Fatal(err)
	}
	return k, n, raw
}

func request(t testing.TB, keys ...[]byte) []byte {
	t.Helper()
	o, err := party.RequestOptions(challenge, keys, 60000)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestCeremonies goes through both, with every algorithm, and asks the library what it
// thinks of the answers.
func TestCeremonies(t *testing.T) {
	t.Parallel()
	for _, alg := range []int64{-7, -8, -257} {
		a := passkeytest.New(t, origin, alg)
		key, count, created := register(t, a)
		if count != 1 || key.Synced {
			t.Errorf("%d: count %d, %+v", alg, count, key)
		}
		theirs, err := protocol.ParseCredentialCreationResponseBytes(created)
		if err != nil {
			t.Fatalf("%d: the library: %v", alg, err)
		}
		if got := theirs.Response.AttestationObject.AuthData.AttData; !bytes.Equal(got.CredentialPublicKey, key.Public) || !bytes.Equal(got.CredentialID, key.ID) {
			t.Errorf("%d: the library reads another key", alg)
		}
		got := a.Get(request(t, key.ID))
		as, err := passkey.ParseAssertion(got)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(as.Challenge, challenge) || !bytes.Equal(as.KeyID, key.ID) {
			t.Error("another challenge or key")
		}
		if n, err := as.Verify(&party, &key); err != nil || n != 2 {
			t.Errorf("%d: %d, %v", alg, n, err)
		}
		if err := libraryVerify(got, key); err != nil {
			t.Errorf("%d: the library: %v", alg, err)
		}
		other, _, _ := register(t, passkeytest.New(t, origin, alg))
		other.ID = key.ID
		if _, err := as.Verify(&party, &other); passkey.KindOf(err) != passkey.Refused {
			t.Errorf("%d: with another key: %v", alg, err)
		}
	}
}

func libraryVerify(raw []byte, key passkey.Key) error {
	p, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil {
		return err
	}
	return p.Verify(base64.RawURLEncoding.EncodeToString(challenge), party.ID, "", party.Origins, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, true, true, key.Public, protocol.SignaturePolicy{})
}

func TestAssertionRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*passkeytest.Authenticator)
	}{
		{"another origin", func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }},
		{"the origin in plain text", func(a *passkeytest.Authenticator) { a.Origin = "http://sign.example.org" }},
		{"another domain", func(a *passkeytest.Authenticator) { a.RPID = "evil.example" }},
		{"nobody there", func(a *passkeytest.Authenticator) { a.Flags = 4 }},
		{"user not verified", func(a *passkeytest.Authenticator) { a.Flags = 1 }},
		{"in a frame", func(a *passkeytest.Authenticator) { a.Cross = true }},
		{"backed up but not eligible", func(a *passkeytest.Authenticator) { a.Flags = 1 | 4 | 16 }},
		{"suddenly synced", func(a *passkeytest.Authenticator) { a.Flags = 1 | 4 | 8 }},
	} {
		a := passkeytest.New(t, origin, -7)
		key, _, _ := register(t, a)
		c.change(a)
		as, err := passkey.ParseAssertion(a.Get(request(t)))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := as.Verify(&party, &key); passkey.KindOf(err) != passkey.Refused {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name == "suddenly synced" {
			continue
		}
		o, _ := party.CreationOptions(challenge, user, nil, 1)
		r, err := passkey.ParseRegistration(a.Create(o))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, _, err := r.Verify(&party); passkey.KindOf(err) != passkey.Refused {
			t.Errorf("%s: registered: %v", c.name, err)
		}
	}
}

// TestCeremoniesConfused: what was made for one cannot serve the other.
func TestCeremoniesConfused(t *testing.T) {
	t.Parallel()
	a := passkeytest.New(t, origin, -7)
	key, _, created := register(t, a)
	if _, err := passkey.ParseAssertion(created); passkey.KindOf(err) != passkey.Malformed {
		t.Errorf("a registration as an assertion: %v", err)
	}
	got := a.Get(request(t))
	if _, err := passkey.ParseRegistration(got); passkey.KindOf(err) != passkey.Malformed {
		t.Errorf("an assertion as a registration: %v", err)
	}
	// Client data of the other ceremony, signed.
	var r map[string]any
	if err := json.Unmarshal(got, &r); err != nil {
		t.Fatal(err)
	}
	inner := r["response"].(map[string]any)
	client, _ := base64.RawURLEncoding.DecodeString(inner["clientDataJSON"].(string))
	inner["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(bytes.Replace(client, []byte("webauthn.get"), []byte("webauthn.create"), 1))
	b, _ := json.Marshal(r)
	as, err := passkey.ParseAssertion(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := as.Verify(&party, &key); passkey.KindOf(err) != passkey.Refused {
		t.Errorf("%v", err)
	}
}

// TestSignedBytes changes every byte that is signed, and the signature.
func TestSignedBytes(t *testing.T) {
	t.Parallel()
	a := passkeytest.New(t, origin, -7)
	key, _, _ := register(t, a)
	got := a.Get(request(t))
	var r map[string]any
	if err := json.Unmarshal(got, &r); err != nil {
		t.Fatal(err)
	}
	inner := r["response"].(map[string]any)
	for _, field := range []string{"clientDataJSON", "authenticatorData", "signature"} {
		good := inner[field].(string)
		raw, _ := base64.RawURLEncoding.DecodeString(good)
		for i := range raw {
			raw[i] ^= 1
			inner[field] = base64.RawURLEncoding.EncodeToString(raw)
			raw[i] ^= 1
			b, _ := json.Marshal(r)
			as, err := passkey.ParseAssertion(b)
			if err == nil {
				_, err = as.Verify(&party, &key)
			}
			if err == nil {
				t.Fatalf("%s, byte %d: nothing noticed", field, i)
			}
		}
		inner[field] = good
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "null", "{}", "[]", `{"id":"AA","rawId":"AA","type":"public-key"}`,
		`{"id":"AA","rawId":"AQ","type":"public-key","response":{"clientDataJSON":"e30"}}`,
		`{"id":"A\nA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat(" ", passkey.MaxResponse+1)} {
		if _, err := passkey.ParseAssertion([]byte(s)); passkey.KindOf(err) != passkey.Malformed {
			t.Errorf("%.40q: %v", s, err)
		}
		if _, err := passkey.ParseRegistration([]byte(s)); passkey.KindOf(err) != passkey.Malformed {
			t.Errorf("%.40q: %v", s, err)
		}
	}
	for _, p := range []passkey.Party{{}, {ID: "x"}, {Origins: []string{origin}}} {
		if _, err := p.RequestOptions(challenge, nil, 1); err == nil {
			t.Errorf("%+v asks", p)
		}
	}
	if _, err := party.RequestOptions(challenge[:15], nil, 1); err == nil {
		t.Error("a short challenge")
	}
}

func TestCloned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, now uint32
		cloned      bool
	}{{0, 0, false}, {0, 1, false}, {1, 2, false}, {1, 1, true}, {2, 1, true}, {1, 0, true}} {
		if got := passkey.Cloned(c.before, c.now); got != c.cloned {
			t.Errorf("%d, %d: %v", c.before, c.now, got)
		}
	}
}

// FuzzAssertion: whatever is read never panics, and what we accept the library accepts.
func FuzzAssertion(f *testing.F) {
	a := passkeytest.New(f, origin, -8)
	key, _, _ := register(f, a)
	f.Add(a.Get(request(f)))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"","signature":""}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		as, err := passkey.ParseAssertion(b)
		if err != nil {
			return
		}
		if _, err := as.Verify(&party, &key); err == nil && bytes.Equal(as.Challenge, challenge) {
			if err := libraryVerify(b, key); err != nil {
				t.Errorf("the library refuses: %v", err)
			}
		}
	})
}

func FuzzRegistration(f *testing.F) {
	for _, alg := range []int64{-7, -8, -257} {
		_, _, raw := register(f, passkeytest.New(f, origin, alg))
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := passkey.ParseRegistration(b)
		if err != nil {
			return
		}
		if k, _, err := r.Verify(&party); err == nil && (len(k.ID) == 0 || len(k.Public) == 0) {
			t.Error("a key of nothing")
		}
	})
}
