package cms_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// der builds elements by hand, also wrong ones.
func der(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	case n < 0x100:
		return string([]byte{tag, 0x81, byte(n)}) + body
	default:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	}
}

const (
	one      = "\x02\x01\x01"
	sha256ID = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	null     = "\x05\x00"
	yes      = "\x01\x01\xff"
	no       = "\x01\x01\x00"
	nonce    = "\x02\x02\x12\x34"
	policy   = "\x06\x03\x2a\x03\x04"
)

func imprint(n int) string {
	return der(0x30, der(0x30, sha256ID, null), der(0x04, strings.Repeat("i", n)))
}

// Requests are read as strictly as RFC 3161 puts it, and each fault has its bit.
func TestRequestStrictness(t *testing.T) {
	t.Parallel()
	good := imprint(32)
	ext := der(0x30, "\x06\x03\x2a\x03\x05", der(0x04, "x"))
	critical := der(0x30, "\x06\x03\x2a\x03\x05", yes, der(0x04, "x"))
	const granted = cms.FailureInfo(-1)
	for _, c := range []struct {
		name string
		req  string
		want cms.FailureInfo
	}{
		{"least", der(0x30, one, good), granted},
		{"everything", der(0x30, one, good, policy, nonce, yes), granted},
		{"policy only", der(0x30, one, good, policy), granted},
		{"certReq only", der(0x30, one, good, yes), granted},
		{"digest without parameters", der(0x30, one, der(0x30, der(0x30, sha256ID), der(0x04, strings.Repeat("i", 32)))), granted},
		{"negative nonce", der(0x30, one, good, "\x02\x01\xff"), granted},
		{"nonce of zero", der(0x30, one, good, "\x02\x01\x00"), granted},
		{"longest nonce", der(0x30, one, good, der(0x02, "\x01"+strings.Repeat("n", cms.MaxNonce-1))), granted},
		{"policy with a huge arc", der(0x30, one, good, "\x06\x06\x69\xff\xff\xff\xff\x7f"), cms.UnacceptedPolicy},
		{"nonce one byte too long", der(0x30, one, good, der(0x02, "\x01"+strings.Repeat("n", cms.MaxNonce))), cms.BadRequest},
		{"nonce of 4096 bytes", der(0x30, one, good, der(0x02, "\x01"+strings.Repeat("n", 4095))), cms.BadRequest},

		{"empty", "", cms.BadDataFormat},
		{"text", "hello", cms.BadDataFormat},
		{"empty sequence", der(0x30), cms.BadDataFormat},
		{"set", der(0x31, one, good), cms.BadDataFormat},
		{"cut off", der(0x30, one, good)[:20], cms.BadDataFormat},
		{"bytes after", der(0x30, one, good) + "\x00", cms.BadDataFormat},
		{"too large", der(0x30, one, good, der(0x02, "\x01"+strings.Repeat("n", 17000))), cms.BadDataFormat},
		{"indefinite length", "\x30\x80" + one + good + "\x00\x00", cms.BadDataFormat},
		{"long length", "\x30\x81" + der(0x30, one, good)[1:], cms.BadDataFormat},

		{"version 0", der(0x30, "\x02\x01\x00", good), cms.BadRequest},
		{"version 2", der(0x30, "\x02\x01\x02", good), cms.BadRequest},
		{"version -1", der(0x30, "\x02\x01\xff", good), cms.BadRequest},
		{"huge version", der(0x30, der(0x02, "\x01"+strings.Repeat("\x00", 20)), good), cms.BadRequest},
		{"padded version", der(0x30, "\x02\x02\x00\x01", good), cms.BadDataFormat},
		{"no version", der(0x30, good), cms.BadDataFormat},
		{"no imprint", der(0x30, one), cms.BadDataFormat},

		{"imprint of 3 bytes", der(0x30, one, imprint(3)), cms.BadDataFormat},
		{"imprint of 31 bytes", der(0x30, one, imprint(31)), cms.BadDataFormat},
		{"imprint of 33 bytes", der(0x30, one, imprint(33)), cms.BadDataFormat},
		{"empty imprint", der(0x30, one, imprint(0)), cms.BadDataFormat},
		{"junk in the imprint", der(0x30, one, der(0x30, der(0x30, sha256ID), der(0x04, strings.Repeat("i", 32)), null)), cms.BadDataFormat},
		{"junk in the digest algorithm", der(0x30, one, der(0x30, der(0x30, sha256ID, null, null), der(0x04, strings.Repeat("i", 32)))), cms.BadDataFormat},
		{"digest with parameters", der(0x30, one, der(0x30, der(0x30, sha256ID, der(0x30, one)), der(0x04, strings.Repeat("i", 32)))), cms.BadAlg},
		{"NULL that is not empty", der(0x30, one, der(0x30, der(0x30, sha256ID, "\x05\x01x"), der(0x04, strings.Repeat("i", 32)))), cms.BadDataFormat},
		{"unknown digest", der(0x30, one, der(0x30, der(0x30, "\x06\x03\x2a\x03\x04"), der(0x04, strings.Repeat("i", 32)))), cms.BadAlg},
		{"MD5", der(0x30, one, der(0x30, der(0x30, "\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05", null), der(0x04, strings.Repeat("i", 16)))), cms.BadAlg},
		{"constructed imprint", der(0x30, one, der(0x30, der(0x30, sha256ID), der(0x24, der(0x04, strings.Repeat("i", 32))))), cms.BadDataFormat},

		{"broken policy", der(0x30, one, good, "\x06\x02\x2a\x80"), cms.BadDataFormat},
		{"empty policy", der(0x30, one, good, "\x06\x00"), cms.BadDataFormat},
		{"padded nonce", der(0x30, one, good, "\x02\x02\x00\x01"), cms.BadDataFormat},
		{"empty nonce", der(0x30, one, good, "\x02\x00"), cms.BadDataFormat},
		{"certReq FALSE written", der(0x30, one, good, no), cms.BadDataFormat},
		{"certReq of 1", der(0x30, one, good, "\x01\x01\x01"), cms.BadDataFormat},
		{"policy after nonce", der(0x30, one, good, nonce, policy), cms.BadDataFormat},
		{"nonce after certReq", der(0x30, one, good, yes, nonce), cms.BadDataFormat},
		{"two nonces", der(0x30, one, good, nonce, nonce), cms.BadDataFormat},
		{"element after the last", der(0x30, one, good, yes, null), cms.BadDataFormat},
		{"unknown tagged element", der(0x30, one, good, der(0xa1, one)), cms.BadDataFormat},

		{"extension", der(0x30, one, good, der(0xa0, ext)), cms.UnacceptedExtension},
		{"critical extension", der(0x30, one, good, policy, nonce, yes, der(0xa0, critical)), cms.UnacceptedExtension},
		{"two extensions", der(0x30, one, good, der(0xa0, ext, critical)), cms.UnacceptedExtension},
		{"no extension in the list", der(0x30, one, good, der(0xa0)), cms.BadDataFormat},
		{"critical FALSE written", der(0x30, one, good, der(0xa0, der(0x30, "\x06\x03\x2a\x03\x05", no, der(0x04, "x")))), cms.BadDataFormat},
		{"extension without value", der(0x30, one, good, der(0xa0, der(0x30, "\x06\x03\x2a\x03\x05"))), cms.BadDataFormat},
		{"second extension broken", der(0x30, one, good, der(0xa0, ext, one)), cms.BadDataFormat},
		{"element after the extensions", der(0x30, one, good, der(0xa0, ext), null), cms.BadDataFormat},
	} {
		req, refusal := cms.ParseTimestampRequest([]byte(c.req))
		switch {
		case c.want == granted && refusal != nil:
			t.Errorf("%s: %v", c.name, refusal)
		case c.want == granted:
			again, err := req.Marshal()
			if err != nil || string(again) != c.req {
				t.Errorf("%s: written again as %x, %v", c.name, again, err)
			}
		case refusal == nil || req != nil || refusal.FailureInfo != c.want || refusal.Text == "":
			t.Errorf("%s: got %v, want %v", c.name, refusal, c.want)
		}
	}
}

// Requests for openssl and from openssl.
func TestRequestInterop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	digest := sum(crypto.SHA384, []byte("x"))
	for _, n := range []*big.Int{nil, big.NewInt(0), big.NewInt(-5), new(big.Int).Lsh(big.NewInt(1), 127)} {
		req, err := cms.MarshalTimestampRequest(crypto.SHA384, digest, n, true)
		if err != nil {
			t.Fatal(err)
		}
		out, err := openssl(t, "ts", "-query", "-in", write(t, dir, "req", req), "-text")
		if err != nil || !strings.Contains(out, "Hash Algorithm: sha384") || !strings.Contains(out, "Certificate required: yes") {
			t.Fatalf("openssl reads the request as: %v\n%s", err, out)
		}
		theirs, err := timestamp.ParseRequest(req)
		if err != nil || !bytes.Equal(theirs.HashedMessage, digest) || theirs.HashAlgorithm != crypto.SHA384 || n != nil && theirs.Nonce.Cmp(n) != 0 {
			t.Fatalf("digitorus/timestamp reads the request as %+v, %v", theirs, err)
		}
	}
	doc := write(t, dir, "doc", []byte("x"))
	if out, err := openssl(t, "ts", "-query", "-data", doc, "-sha384", "-cert", "-tspolicy", "1.2.3", "-out", filepath.Join(dir, "q")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "q"))
	if err != nil {
		t.Fatal(err)
	}
	req, refusal := cms.ParseTimestampRequest(b)
	if refusal != nil || req.Hash != crypto.SHA384 || !bytes.Equal(req.Imprint, digest) || !req.CertReq || req.Nonce == nil || req.Policy.String() != "1.2.3" {
		t.Fatalf("openssl's request is read as %+v, %v", req, refusal)
	}
}

// Each failure is one named bit, encoded as short as DER wants, and openssl knows
// its name.
func TestRefusalEncoding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for f, want := range map[cms.FailureInfo]struct{ bits, name string }{
		cms.BadAlg:              {"\x03\x02\x07\x80", "unrecognized or unsupported algorithm identifier"},
		cms.BadRequest:          {"\x03\x02\x05\x20", "transaction not permitted or supported"},
		cms.BadDataFormat:       {"\x03\x02\x02\x04", "the data submitted has the wrong format"},
		cms.TimeNotAvailable:    {"\x03\x03\x01\x00\x02", "the TSA's time source is not available"},
		cms.UnacceptedPolicy:    {"\x03\x03\x00\x00\x01", "the requested TSA policy is not supported by the TSA"},
		cms.UnacceptedExtension: {"\x03\x04\x07\x00\x00\x80", "the requested extension is not supported by the TSA"},
		cms.AddInfoNotAvailable: {"\x03\x04\x06\x00\x00\x40", "the additional information requested could not be understood or is not available"},
		cms.SystemFailure:       {"\x03\x05\x06\x00\x00\x00\x40", "the request cannot be handled due to system failure"},
	} {
		resp := cms.MarshalRefusal(cms.Refusal{FailureInfo: f, Text: "perché no"})
		if !bytes.HasSuffix(resp, []byte(want.bits)) {
			t.Errorf("%v is encoded as %x", f, resp)
		}
		out, err := openssl(t, "ts", "-reply", "-in", write(t, dir, "resp", resp), "-text")
		if err != nil || !strings.Contains(out, want.name) || !strings.Contains(out, "Status: Rejected.") {
			t.Errorf("%v: openssl says %v\n%s", f, err, out)
		}
		r, err := cms.ParseResponse(resp)
		if err != nil || r.Refusal == nil || *r.Refusal != (cms.Refusal{FailureInfo: f, Text: "perché no"}) {
			t.Errorf("%v is read as %+v, %v", f, r.Refusal, err)
		}
		if _, err := r.Granted(); cms.KindOf(err) != cms.Refused {
			t.Errorf("%v: Granted gives %v", f, err)
		}
	}
}

func TestMarshalResponse(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 0x70, 0x7a, 0x7b, 0xf0, 0x100, 0x1000, 0xfff0} {
		token := der(0x30, strings.Repeat("t", n))
		if got := cms.MarshalResponse([]byte(token)); string(got) != der(0x30, der(0x30, "\x02\x01\x00"), token) {
			t.Errorf("%d octets: %x", n, got[:min(20, len(got))])
		}
	}
}

func TestParseResponseRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty":                  "",
		"no status":              der(0x30),
		"empty status":           der(0x30, der(0x30)),
		"granted without token":  der(0x30, der(0x30, "\x02\x01\x00")),
		"refused with token":     der(0x30, der(0x30, "\x02\x01\x02"), der(0x30)),
		"bytes after":            der(0x30, der(0x30, "\x02\x01\x02")) + "x",
		"status of another kind": der(0x30, der(0x30, "\x02\x01\x02", yes)),
	} {
		if r, err := cms.ParseResponse([]byte(in)); cms.KindOf(err) != cms.Malformed {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}

// genTime and accuracy are written as RFC 3161 §2.4.2 has them, and read back.
func TestTSTInfoEncoding(t *testing.T) {
	t.Parallel()
	digest := sum(crypto.SHA256, nil)
	base := time.Date(2026, 11, 21, 9, 8, 7, 0, time.UTC)
	for _, c := range []struct {
		at       time.Time
		accuracy time.Duration
		time     string
		acc      string
	}{
		{base, 0, "20261121090807Z", ""},
		{base.Add(120 * time.Millisecond), time.Second, "20261121090807.12Z", "\x30\x03\x02\x01\x01"},
		{base.Add(time.Millisecond), 500 * time.Millisecond, "20261121090807.001Z", "\x30\x04\x80\x02\x01\xf4"},
		{base.Add(999 * time.Microsecond), 1_002_003 * time.Microsecond, "20261121090807Z", "\x30\x09\x02\x01\x01\x80\x01\x02\x81\x01\x03"},
		{base.In(time.FixedZone("CET", 3600)).Add(900 * time.Millisecond), 200 * time.Millisecond, "20261121090807.9Z", "\x30\x04\x80\x02\x00\xc8"},
	} {
		info := cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: digest,
			SerialNumber: big.NewInt(1), GenTime: c.at, Accuracy: c.accuracy}
		b, err := info.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(b, []byte(der(0x18, c.time)+c.acc)) {
			t.Errorf("%v, %v is written as %q", c.at, c.accuracy, b)
		}
	}
	for name, change := range map[string]func(*cms.TSTInfo){
		"no policy":       func(i *cms.TSTInfo) { i.Policy = nil },
		"no serial":       func(i *cms.TSTInfo) { i.SerialNumber = nil },
		"serial of zero":  func(i *cms.TSTInfo) { i.SerialNumber = new(big.Int) },
		"huge serial":     func(i *cms.TSTInfo) { i.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 161) },
		"no time":         func(i *cms.TSTInfo) { i.GenTime = time.Time{} },
		"short imprint":   func(i *cms.TSTInfo) { i.Imprint = digest[1:] },
		"fine accuracy":   func(i *cms.TSTInfo) { i.Accuracy = time.Nanosecond },
		"unknown digest":  func(i *cms.TSTInfo) { i.Hash = crypto.MD4 },
		"coarse accuracy": func(i *cms.TSTInfo) { i.Accuracy = 48 * time.Hour },
	} {
		info := cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: digest, SerialNumber: big.NewInt(1), GenTime: base}
		change(&info)
		if _, err := info.Marshal(); cms.KindOf(err) != cms.BadOptions {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A token is good for the data it stamps and under a certificate that is for
// time-stamping alone; everything else is refused.
func TestTokenVerify(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	data := []byte("valore di firma")
	key := cmstest.Key(t, "p256")
	usage := func(ext ...pkix.Extension) *cmstest.Identity {
		return pki.Identity(t, key, &x509.Certificate{
			Subject: pkix.Name{CommonName: "TSU"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: ext})
	}
	both := pkix.Extension{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte(der(0x30, "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08", "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"))}
	good := pki.TSU(t, "p256")
	now := time.Now()
	for _, c := range []struct {
		name   string
		id     *cmstest.Identity
		data   string
		change func(*cms.Token)
		want   cms.Kind
	}{
		{"good", good, "valore di firma", nil, ""},
		{"other data", good, "altro", nil, cms.Mismatch},
		{"not critical", usage(cmstest.TimeStampingEKU(false)), "valore di firma", nil, cms.Mismatch},
		{"not alone", usage(both), "valore di firma", nil, cms.Mismatch},
		{"no extended usage", usage(), "valore di firma", nil, cms.Mismatch},
		{"certificate replaced", good, "valore di firma", func(k *cms.Token) { k.Certificate = pki.TSU(t, "p256").Certificate }, cms.Mismatch},
		{"certificate missing", good, "valore di firma", func(k *cms.Token) { k.Certificate = nil }, cms.NoCertificate},
		{"value changed", good, "valore di firma", func(k *cms.Token) { k.Signer.SignatureValue[10] ^= 1 }, cms.BadSignature},
		{"SHA-1 imprint", good, "valore di firma", func(k *cms.Token) { k.Info.Hash, k.Info.Imprint = crypto.SHA1, sum(crypto.SHA1, data) }, cms.Weak},
		{"SHA-1 imprint of other data", good, "altro", func(k *cms.Token) { k.Info.Hash, k.Info.Imprint = crypto.SHA1, sum(crypto.SHA1, data) }, cms.Mismatch},
		{"SHA-1 imprint, value changed", good, "valore di firma", func(k *cms.Token) {
			k.Info.Hash, k.Info.Imprint = crypto.SHA1, sum(crypto.SHA1, data)
			k.Signer.SignatureValue[10] ^= 1
		}, cms.BadSignature},
		{"unknown imprint", good, "", func(k *cms.Token) { k.Info.Hash = 0 }, cms.Unsupported},
	} {
		token, err := cms.ParseToken(c.id.Stamp(t, crypto.SHA256, sum(crypto.SHA256, data), now))
		if err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(token)
		}
		if err := token.Verify(digestFunc([]byte(c.data))); cms.KindOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want kind %q", c.name, err, c.want)
		}
	}
}

// A token whose TSTInfo was changed after signing is refused.
func TestTokenTampered(t *testing.T) {
	t.Parallel()
	data := sha256.Sum256([]byte("x"))
	raw := cmstest.New(t).TSU(t, "p256").Stamp(t, crypto.SHA256, data[:], time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC))
	later := bytes.Replace(raw, []byte("20261121090000Z"), []byte("20271121090000Z"), 1)
	token, err := cms.ParseToken(later)
	if err != nil || bytes.Equal(raw, later) {
		t.Fatalf("the token was not changed: %v", err)
	}
	if err := token.Verify(digestFunc([]byte("x"))); cms.KindOf(err) != cms.Mismatch {
		t.Fatalf("got %v", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	digest := sum(crypto.SHA256, nil)
	token := &cms.Token{Info: cms.TSTInfo{Hash: crypto.SHA256, Imprint: digest, Nonce: big.NewInt(7), Policy: asn1.ObjectIdentifier{1, 2, 3}}}
	for name, c := range map[string]struct {
		req cms.TimestampRequest
		ok  bool
	}{
		"same":         {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest, Nonce: big.NewInt(7)}, true},
		"same policy":  {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest, Nonce: big.NewInt(7), Policy: asn1.ObjectIdentifier{1, 2, 3}}, true},
		"other nonce":  {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest, Nonce: big.NewInt(8)}, false},
		"no nonce":     {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest}, false},
		"other data":   {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest[1:], Nonce: big.NewInt(7)}, false},
		"other digest": {cms.TimestampRequest{Hash: crypto.SHA3_256, Imprint: digest, Nonce: big.NewInt(7)}, false},
		"other policy": {cms.TimestampRequest{Hash: crypto.SHA256, Imprint: digest, Nonce: big.NewInt(7), Policy: asn1.ObjectIdentifier{1, 2, 4}}, false},
	} {
		if err := token.Answers(&c.req); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Tokens of another implementation verify: digitorus/timestamp writes its own.
func TestForeignToken(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).TSU(t, "rsa2048")
	data := []byte("x")
	theirs := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum(crypto.SHA256, data), Time: time.Now().UTC(),
		Policy: asn1.ObjectIdentifier{1, 2, 3}, Accuracy: time.Second, AddTSACertificate: true, Nonce: big.NewInt(5)}
	resp, err := theirs.CreateResponseWithOpts(id.Certificate, id.Key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	r, err := cms.ParseResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	token, err := cms.ParseToken(r.Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(digestFunc(data)); err != nil {
		t.Fatal(err)
	}
	if token.Info.Accuracy != time.Second || token.Info.Nonce.Int64() != 5 || token.Info.Policy.String() != "1.2.3" {
		t.Fatalf("the token is read as %+v", token.Info)
	}
}
