package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

var b64 = base64.RawURLEncoding

// flat is a flattened JWS taken apart.
type flat struct {
	Payload   string          `json:"payload,omitempty"`
	Protected string          `json:"protected"`
	Header    json.RawMessage `json:"header,omitempty"`
	Signature string          `json:"signature"`
}

// withHeader signs any protected header with the key, as an attacker who has one
// would: what must be refused is refused for the header and not for the value.
func withHeader(t *testing.T, id *cmstest.Identity, header string) []byte {
	t.Helper()
	f := flat{Payload: b64.EncodeToString(document), Protected: b64.EncodeToString([]byte(header))}
	h := crypto.SHA256.New()
	h.Write([]byte(f.Protected + "." + f.Payload))
	der, err := id.Key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	f.Signature = b64.EncodeToString(der)
	out, _ := json.Marshal(f)
	return out
}

func TestHeadersAreRefused(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id, other := pki.Signer(t, "rsa2048"), pki.Signer(t, "p256")
	x5c := `"x5c":["` + base64.StdEncoding.EncodeToString(id.Certificate.Raw) + `"]`
	good := `{"alg":"RS256","iat":1750000000,` + x5c + `}`
	if err := read(t, withHeader(t, id, good))[0].Verify(); err != nil {
		t.Fatal(err)
	}
	sum := crypto.SHA256.New()
	sum.Write(other.Certificate.Raw)
	foreign := b64.EncodeToString(sum.Sum(nil))
	for name, header := range map[string]string{
		"alg none":                   `{"alg":"none","iat":1,` + x5c + `}`,
		"alg none in other letters":  `{"alg":"nOnE","iat":1,` + x5c + `}`,
		"HMAC":                       `{"alg":"HS256","iat":1,` + x5c + `}`,
		"no alg":                     `{"iat":1,` + x5c + `}`,
		"alg of another key":         `{"alg":"ES256","iat":1,` + x5c + `}`,
		"alg twice":                  `{"alg":"RS256","alg":"RS256","iat":1,` + x5c + `}`,
		"alg twice by an escape":     `{"alg":"RS256","\u0061lg":"RS256","iat":1,` + x5c + `}`,
		"foreign thumbprint":         `{"alg":"RS256","iat":1,"x5t#S256":"` + foreign + `",` + x5c + `}`,
		"foreign x5t#o":              `{"alg":"RS256","iat":1,"x5t#o":{"digAlg":"S256","digVal":"` + foreign + `"},` + x5c + `}`,
		"foreign sigX5ts":            `{"alg":"RS256","iat":1,"sigX5ts":[{"digAlg":"S256","digVal":"` + foreign + `"}],` + x5c + `}`,
		"broken thumbprint":          `{"alg":"RS256","iat":1,"x5t#S256":"AAAA",` + x5c + `}`,
		"unknown critical":           `{"alg":"RS256","iat":1,"foo":1,"crit":["foo"],` + x5c + `}`,
		"critical exp":               `{"alg":"RS256","iat":1,"exp":1,"crit":["exp"],` + x5c + `}`,
		"critical that is not there": `{"alg":"RS256","iat":1,"crit":["sigT"],` + x5c + `}`,
		"empty crit":                 `{"alg":"RS256","iat":1,"crit":[],` + x5c + `}`,
		"crit of a registered name":  `{"alg":"RS256","iat":1,"crit":["alg"],` + x5c + `}`,
		"b64 false, not critical":    `{"alg":"RS256","iat":1,"b64":false,` + x5c + `}`,
		"b64 a string":               `{"alg":"RS256","iat":1,"b64":"false","crit":["b64"],` + x5c + `}`,
		"iat and sigT":               `{"alg":"RS256","iat":1,"sigT":"2024-01-01T00:00:00Z",` + x5c + `}`,
		"iat a fraction":             `{"alg":"RS256","iat":1.5,` + x5c + `}`,
		"sigD beside a payload":      `{"alg":"RS256","iat":1,"crit":["sigD"],"sigD":{"mId":"http://uri.etsi.org/19182/ObjectIdByURIHash","pars":["a"],"hashM":"S256","hashV":["` + foreign + `"]},` + x5c + `}`,
		"broken x5c":                 `{"alg":"RS256","iat":1,"x5c":["AAAA"]}`,
		"no certificate":             `{"alg":"RS256","iat":1}`,
		"header with more behind":    good + `{}`,
		"header not an object":       `["alg"]`,
	} {
		if err := read(t, withHeader(t, id, header))[0].Verify(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Every structural change of a signed file makes it invalid or is no change of
// what was signed.
func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := raise(t, pki, sign(t, pki, id, options(id), document), ades.BLTA, nil)
	var f flat
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	change := func(do func(*flat)) []byte {
		g := f
		do(&g)
		out, _ := json.Marshal(g)
		return out
	}
	evil := b64.EncodeToString([]byte("evil"))
	for name, bad := range map[string][]byte{
		"other payload":             change(func(g *flat) { g.Payload = evil }),
		"no payload":                change(func(g *flat) { g.Payload = "" }),
		"payload with padding":      change(func(g *flat) { g.Payload += "=" }),
		"payload with a line break": change(func(g *flat) { g.Payload += "\n" }),
		"value cut":                 change(func(g *flat) { g.Signature = g.Signature[:80] }),
		"value in DER":              change(func(g *flat) { g.Signature = b64.EncodeToString([]byte("0E\x02")) }),
		"no value":                  change(func(g *flat) { g.Signature = "" }),
		"alg in the open header":    change(func(g *flat) { g.Header = []byte(`{"alg":"none"}`) }),
		"crit in the open header":   change(func(g *flat) { g.Header = []byte(`{"crit":["sigD"]}`) }),
		"etsiU not an array":        change(func(g *flat) { g.Header = []byte(`{"etsiU":{}}`) }),
		"etsiU of two kinds": change(func(g *flat) {
			g.Header = []byte(`{"etsiU":[{"sigTst":{}},"` + b64.EncodeToString([]byte(`{"a":1}`)) + `"]}`)
		}),
		"etsiU entry of two members":  change(func(g *flat) { g.Header = []byte(`{"etsiU":[{"sigTst":{},"xVals":[]}]}`) }),
		"payload twice":               []byte(strings.Replace(string(file), "{", `{"payload":"`+evil+`",`, 1)),
		"payload in other letters":    []byte(strings.Replace(string(file), "{", `{"PAYLOAD":"`+evil+`",`, 1)),
		"signature with a long s":     []byte(strings.Replace(string(file), "{", `{"ſignature":"`+evil+`",`, 1)),
		"signatures in other letters": []byte(strings.Replace(string(file), "{", `{"Signatures":[],`, 1)),
		"etsiU in other letters":      change(func(g *flat) { g.Header = []byte(`{"etsiu":[]}`) }),
		"flattened and general":       []byte(strings.Replace(string(file), "{", `{"signatures":[],`, 1)),
		"no signatures":               []byte(`{"payload":"","signatures":[]}`),
		"not a JWS":                   []byte(`{"a":1}`),
		"nothing":                     nil,
		"four parts":                  []byte("e30.e30.e30.e30"),
		"two parts":                   []byte("e30.e30"),
		"deep":                        []byte(strings.Repeat(`{"a":`, 5000)),
		"cut":                         file[:len(file)-1],
		"more behind":                 append(bytes.Clone(file), '}'),
	} {
		sigs, err := jades.Signatures(bytes.NewReader(bad), int64(len(bad)))
		if err == nil && sigs[0].Verify(doc(document)) == nil && name != "no payload" {
			t.Errorf("%s: accepted", name)
		}
		if err != nil && jades.KindOf(err) == "" {
			t.Errorf("%s: the error %v has no kind", name, err)
		}
	}
	// Without its payload the file is a detached signature of the same document and of no other.
	detached := read(t, change(func(g *flat) { g.Payload = "" }))[0]
	if err := detached.Verify(doc([]byte("evil"))); err == nil {
		t.Error("a detached signature of another document was accepted")
	}
	if err := detached.Verify(); err == nil {
		t.Error("a detached signature without its document was accepted")
	}
}

// Archive time-stamps notice entries of etsiU that are exchanged, dropped or put
// before them.
func TestUnsignedEntriesAreCovered(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	file := raise(t, pki, sign(t, pki, id, options(id), document), ades.BLTA, nil)
	var f flat
	var h struct{ EtsiU []string }
	if json.Unmarshal(file, &f) != nil || json.Unmarshal(f.Header, &h) != nil || len(h.EtsiU) != 4 {
		t.Fatal("the file has not the four entries it was given")
	}
	for name, entries := range map[string][]string{
		"dropped":   {h.EtsiU[0], h.EtsiU[2], h.EtsiU[3]},
		"exchanged": {h.EtsiU[0], h.EtsiU[2], h.EtsiU[1], h.EtsiU[3]},
		"added":     {h.EtsiU[0], h.EtsiU[1], h.EtsiU[1], h.EtsiU[2], h.EtsiU[3]},
		"last":      {h.EtsiU[3], h.EtsiU[0], h.EtsiU[1], h.EtsiU[2]},
	} {
		g := f
		g.Header, _ = json.Marshal(map[string]any{"etsiU": entries})
		changed, _ := json.Marshal(g)
		broken := 0
		for _, s := range read(t, changed)[0].Stamps() {
			token, err := cms.ParseToken(s.DER)
			if err != nil {
				t.Fatal(err)
			}
			if token.Verify(s.Imprint) != nil && s.Kind == ades.ArchiveStamp {
				broken++
			}
		}
		if broken != 1 {
			t.Errorf("%s: the archive time-stamp did not notice", name)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	for name, change := range map[string]func(*jades.Options){
		"no signing time":         func(o *jades.Options) { o.SigningTime = time.Time{} },
		"no certificate":          func(o *jades.Options) { o.Certificate = nil },
		"SHA-1":                   func(o *jades.Options) { o.Hash = crypto.SHA1 },
		"a digest of other curve": func(o *jades.Options) { o.Hash = crypto.SHA384 },
		"PSS with an ECDSA key":   func(o *jades.Options) { o.PSS = true },
		"after the certificate":   func(o *jades.Options) { o.SigningTime = id.Certificate.NotAfter.Add(time.Second) },
		"stamped compact":         func(o *jades.Options) { o.Serialization, o.Timestamp = jades.Compact, 8000 },
		"unknown serialisation":   func(o *jades.Options) { o.Serialization = "xml" },
		"unencoded, enveloping":   func(o *jades.Options) { o.Unencoded = true },
		"unknown commitment":      func(o *jades.Options) { o.Properties.Commitments = []ades.Commitment{"x"} },
		"policy without digest":   func(o *jades.Options) { o.Properties.Policy = &ades.Policy{OID: []int{1, 2}} },
	} {
		o := options(id)
		change(&o)
		if _, err := jades.Prepare(bytes.NewReader(document), int64(len(document)), o); jades.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := jades.Prepare(bytes.NewReader(nil), 0, options(id)); jades.KindOf(err) != cms.BadOptions {
		t.Errorf("an empty document, which would read as detached, gives %v", err)
	}
	if _, err := jades.Prepare(bytes.NewReader(document), 99, options(id)); jades.KindOf(err) != cms.Mismatch {
		t.Errorf("a document shorter than said gives %v", err)
	}
}

func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p256")
	p, err := jades.Prepare(bytes.NewReader(document), int64(len(document)), options(id))
	if err != nil {
		t.Fatal(err)
	}
	value, err := id.Key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.ToUpper(document)
	token := pki.TSU(t, "p256").Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())
	stampedLater := *p
	stampedLater.Timestamp = 8000
	for name, c := range map[string]struct {
		p     *jades.Prepared
		doc   []byte
		value []byte
		token []byte
	}{
		"other document":          {p, other, value, nil},
		"shorter document":        {p, document[1:], value, nil},
		"other value":             {p, document, []byte("0"), nil},
		"a token that is unasked": {p, document, value, token},
		"no token":                {&stampedLater, document, value, nil},
		"a token over other data": {&stampedLater, document, value, token},
		"nothing prepared":        {&jades.Prepared{}, document, value, nil},
	} {
		var out bytes.Buffer
		if err := c.p.Assemble(&out, bytes.NewReader(c.doc), int64(len(c.doc)), c.value, c.token); jades.KindOf(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// EU DSS leaves out leading zeros that both halves of an ECDSA value have; that is
// read, and other lengths are not.
func TestShortECDSAValue(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	id := pki.Signer(t, "p521")
	for range 200 {
		file := sign(t, pki, id, options(id), document)
		var f flat
		if err := json.Unmarshal(file, &f); err != nil {
			t.Fatal(err)
		}
		raw, err := b64.DecodeString(f.Signature)
		if err != nil || len(raw) != 132 {
			t.Fatalf("the value has %d octets, %v", len(raw), err)
		}
		if raw[0] != 0 || raw[66] != 0 {
			continue
		}
		for length, short := range map[int][]byte{130: append(bytes.Clone(raw[1:66]), raw[67:]...), 131: raw[1:]} {
			f.Signature = b64.EncodeToString(short)
			changed, _ := json.Marshal(f)
			if err := read(t, changed)[0].Verify(); (err == nil) != (length == 130) {
				t.Fatalf("a value of %d octets: %v", length, err)
			}
		}
		return
	}
	t.Fatal("no value with two leading zeros came in 200")
}
