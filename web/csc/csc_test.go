package csc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"sigillo/signing"
)

// Base64 and base64url, padded or not; nothing else.
func TestBase64(t *testing.T) {
	t.Parallel()
	data := []byte{0xfb, 0xef, 0xff, 0x01}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if got, ok := fromBase64(enc.EncodeToString(data)); !ok || !bytes.Equal(got, data) {
			t.Errorf("%s: %x %t", enc.EncodeToString(data), got, ok)
		}
	}
	for _, bad := range []string{"!", "a", "YQ\n==", "YQ==YQ==", "Y Q"} {
		if got, ok := fromBase64(bad); ok {
			t.Errorf("%q is %x", bad, got)
		}
	}
}

// The last six digits of a password are the code, unless that is given apart.
func TestSplitOTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ password, given, secret, otp string }{
		{"vela123456", "", "vela", "123456"},
		{"vela123456", "654 321", "vela123456", "654321"},
		{"vela12345", "", "vela12345", ""},
		{"123456", "", "123456", ""},
		{"vela12345x", "", "vela12345x", ""},
	} {
		if secret, otp := splitOTP([]byte(c.password), c.given); string(secret) != c.secret || otp != c.otp {
			t.Errorf("%+v: %s %s", c, secret, otp)
		}
	}
}

// RSASSA-PSS-params are read to the last byte.
func TestPSS(t *testing.T) {
	t.Parallel()
	good, _ := fromBase64("MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg")
	if h, ok := pssHash(good); !ok || h.Size() != 32 {
		t.Fatal(h, ok)
	}
	for i := range good { // no byte may be another
		changed := bytes.Clone(good)
		changed[i] ^= 1
		if _, ok := pssHash(changed); ok {
			t.Errorf("byte %d may be changed", i)
		}
	}
	if _, ok := pssHash(append(bytes.Clone(good), 0)); ok {
		t.Error("something may follow")
	}
}

// Every kind of the rooms below has words in both versions, without detail of ours.
func TestTold(t *testing.T) {
	t.Parallel()
	for kind := range table {
		for v := 1; v <= 2; v++ {
			e := told(&signing.Error{Kind: kind, Msg: "inner words"}, v)
			if e.status < 400 || e.Code == "" || e.Description == "" || strings.Contains(e.Description, "inner") {
				t.Errorf("%s: %+v", kind, e)
			}
		}
	}
	if e := told(&signing.Error{Kind: "unheard-of"}, 2); e.Code != "server_error" || e.status != 500 {
		t.Errorf("%+v", e)
	}
}

// Secrets are read without a string in between, as encoding/json reads them.
func TestUnquote(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`""`, `"a b"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e8\u20ac"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"è€😀"`} {
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := unquote([]byte(raw)); !ok || string(got) != want {
			t.Errorf("%s: %q %t, want %q", raw, got, ok, want)
		}
	}
	if _, ok := unquote([]byte("12")); ok {
		t.Error("a number is a string")
	}
}

// A request takes not much more memory than it is long, whatever it is made of.
func TestSmallThings(t *testing.T) {
	const size = 4 << 20
	names := &strings.Builder{}
	names.WriteString(`{"a":1`)
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(names, `,"%x":1`, i)
	}
	for name, text := range map[string]string{
		"objects": `{"documents":[` + strings.Repeat("{},", size/3) + `{}]}`,
		"strings": `{"documentDigests":[{"hashes":[` + strings.Repeat(`"",`, size/3) + `""]}]}`,
		"names":   names.String() + "}",
		"within":  `{"documents":[{"document":"YQ","signed_props":[` + strings.Repeat("{},", size/3) + `{}]}]}`,
	} {
		data := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if o, err := readObject(data); err == nil {
			if err := decode(o, new(signDocInput)); err == nil {
				t.Errorf("%s are taken", name)
			}
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16*size {
			t.Errorf("%s: %d MiB for %d MiB", name, took>>20, len(data)>>20)
		}
	}
}

// Each has some at once and then one a second, and what others have does not matter.
func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Unix(1_800_000_000, 0)
	for n := range stampBurst {
		if wait := p.take("h", now); wait != 0 {
			t.Fatalf("%d: wait %v", n, wait)
		}
	}
	if wait := p.take("h", now); wait != stampEvery {
		t.Errorf("wait %v", wait)
	}
	if p.take("i", now) != 0 || p.take("h", now.Add(stampEvery)) != 0 || p.take("h", now.Add(stampEvery)) == 0 {
		t.Error("others, or later")
	}
	for n := range 2 * paceMost {
		p.take(fmt.Sprint("x", n), now)
	}
	if len(p.by) > paceMost+1 || p.take("h", now.Add(stampEvery)) == 0 {
		t.Errorf("%d are kept", len(p.by))
	}
}

// One holder does not take all places for requests with documents.
func TestPlaces(t *testing.T) {
	t.Parallel()
	var p places
	for range largeOfOne {
		if !p.take("h") {
			t.Fatal("no place")
		}
	}
	if p.take("h") || !p.take("i") || !p.take("i") || p.take("j") {
		t.Fatalf("%d taken: %v", p.taken, p.of)
	}
	p.drop("h")
	if !p.take("j") || p.take("h") {
		t.Fatalf("%d taken: %v", p.taken, p.of)
	}
	for _, holder := range []string{"h", "h", "i", "i", "j"} {
		p.drop(holder)
	}
	if p.taken != 0 || len(p.of) != 0 {
		t.Errorf("%d taken: %v", p.taken, p.of)
	}
}

// Commas count where they part elements of the array itself.
func TestElements(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{`[1]`: 1, `[1,2]`: 2, `[[1,2],{"a":1,"b":2},3]`: 3, `["a,b","\\",",\",","x"]`: 4} {
		if got := elements([]byte(raw)); got != want {
			t.Errorf("%s has %d", raw, got)
		}
	}
}

// Nothing that can be sent makes a reader panic, and what one takes has a shape.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"credentialID":"c","numSignatures":1,"hashes":["AA=="],"hashAlgorithmOID":"1","authData":[{"id":"PIN","value":"\u00e8"}]}`,
		`{"documents":[{"document":"YQ","signature_format":"C","signAlgo":"1","signed_props":[{"attribute_name":"Reason"}]}]}`,
		`{"documentDigests":[{"hashes":"YQ","signature_format":"C","signAlgo":"1"}]}`, `{"a":1,"a":2}`, `[`, "{\"PIN\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := readObject(data)
		if err != nil {
			return
		}
		var plain map[string]json.RawMessage
		if len(bytes.TrimSpace(data)) > 0 && json.Unmarshal(data, &plain) != nil {
			t.Fatal("taken as an object, and is none")
		}
		for _, in := range []any{new(authorizeInput2), new(authorizeInput), new(signDocInput), new(signHashInput2), new(loginInput), new(timestampInput), new(challengeInput), new(createInput)} {
			if err := decode(o, in); err == nil {
				wipe(in)
			}
		}
		for _, raw := range o {
			if text, ok := unquote(raw); ok {
				var want string
				if json.Unmarshal(raw, &want) != nil || string(text) != want {
					t.Fatalf("%s is %q, not %q", raw, text, want)
				}
			}
		}
	})
}

// FuzzPSS looks for parameters that are read in another way than they are written.
func FuzzPSS(f *testing.F) {
	good, _ := fromBase64("MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg")
	f.Add(good)
	f.Fuzz(func(t *testing.T, der []byte) {
		if h, ok := pssHash(der); ok && h.Size() < 32 {
			t.Fatal("a short hash")
		}
	})
}
