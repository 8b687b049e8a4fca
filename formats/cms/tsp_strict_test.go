package cms_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
)

// The view shows the requester's own octets, and reading it takes no memory.
func TestReadRequest(t *testing.T) { // not parallel: it counts allocations
	req := []byte(der(0x30, one, imprint(32), policy, nonce, yes))
	v, refusal := cms.ReadRequest(req)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if v.Hash != crypto.SHA256 || !v.CertReq || string(v.HashAlgorithm) != der(0x30, sha256ID, null) ||
		string(v.Imprint) != strings.Repeat("i", 32) || string(v.Policy) != policy || string(v.Nonce) != nonce {
		t.Fatalf("the request is read as %+v", v)
	}
	for name, part := range map[string][]byte{"algorithm": v.HashAlgorithm, "imprint": v.Imprint, "policy": v.Policy, "nonce": v.Nonce} {
		at := bytes.Index(req, part)
		if at < 0 || &req[at] != &part[0] {
			t.Errorf("the %s is a copy", name)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, refusal := cms.ReadRequest(req); refusal != nil {
			t.Error(refusal)
		}
	}); n != 0 {
		t.Errorf("reading takes %v allocations", n)
	}
}

// Every digest algorithm that the package knows is recognised, with parameters
// absent and NULL, and only in its length.
func TestReadRequestHashes(t *testing.T) {
	t.Parallel()
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512} {
		oid, err := asn1.Marshal(cms.HashOID(h))
		if err != nil {
			t.Fatal(err)
		}
		for _, params := range []string{"", null} {
			for size, want := range map[int]bool{h.Size(): true, h.Size() - 1: false, h.Size() + 1: false} {
				v, refusal := cms.ReadRequest([]byte(der(0x30, one, der(0x30, der(0x30, string(oid), params), der(0x04, strings.Repeat("i", size))))))
				if (refusal == nil) != want || want && v.Hash != h {
					t.Errorf("%v with %d octets: %v, %v", h, size, v.Hash, refusal)
				}
			}
		}
	}
}

// The statement that makes a time-stamp qualified is written as EN 319 422 §9.1
// has it and read back, and what is broken about it is refused.
func TestQualifiedStatement(t *testing.T) {
	t.Parallel()
	info := cms.TSTInfo{Policy: asn1.ObjectIdentifier{1, 2, 3}, Hash: crypto.SHA256, Imprint: make([]byte, 32),
		SerialNumber: big.NewInt(1), GenTime: time.Date(2026, 11, 21, 9, 8, 7, 0, time.UTC), Qualified: true}
	b, err := info.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	statements := "\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x03"
	qualified := "\x06\x07\x04\x00\x81\x97\x5e\x01\x01"
	want := der(0xa1, der(0x30, statements, der(0x04, der(0x30, der(0x30, qualified)))))
	if !bytes.HasSuffix(b, []byte(want)) {
		t.Fatalf("written as %x", b)
	}
	for name, c := range map[string]struct {
		extensions string
		qualified  bool
		kind       cms.Kind
	}{
		"as written":        {want, true, ""},
		"critical":          {der(0xa1, der(0x30, statements, yes, der(0x04, der(0x30, der(0x30, qualified))))), false, cms.Unsupported},
		"another statement": {der(0xa1, der(0x30, statements, der(0x04, der(0x30, der(0x30, policy))))), false, ""},
		"after another":     {der(0xa1, der(0x30, statements, der(0x04, der(0x30, der(0x30, policy, one), der(0x30, qualified))))), true, ""},
		"no statements":     {der(0xa1, der(0x30, statements, der(0x04, der(0x30)))), false, ""},
		"not a list":        {der(0xa1, der(0x30, statements, der(0x04, one))), false, cms.Malformed},
		"empty statement":   {der(0xa1, der(0x30, statements, der(0x04, der(0x30, der(0x30))))), false, cms.Malformed},
		"other extension":   {der(0xa1, der(0x30, policy, der(0x04, "x"))), false, ""},
	} {
		token, err := cms.ParseToken(framed(t, bytes.TrimSuffix(b, []byte(want)), c.extensions))
		if cms.KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want kind %q", name, err, c.kind)
		}
		if err == nil && token.Info.Qualified != c.qualified {
			t.Errorf("%s: qualified is %v", name, token.Info.Qualified)
		}
	}
}

// framed puts a TSTInfo with other extensions into a token: reading it needs no
// valid signature.
func framed(t *testing.T, info []byte, extensions string) []byte {
	t.Helper()
	tst := der(0x30, string(contents(t, info)), extensions)
	sha := der(0x30, sha256ID)
	signer := der(0x30, one, der(0x30, der(0x30), one), sha,
		der(0xa0, der(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", der(0x31, "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04")),
			der(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04", der(0x31, der(0x04, strings.Repeat("d", 32))))),
		der(0x30, "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), der(0x04, der(0x30, one, one)))
	content := der(0x30, "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04", der(0xa0, der(0x04, tst)))
	sd := der(0x30, "\x02\x01\x03", der(0x31, sha), content, der(0x31, signer))
	return []byte(der(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", der(0xa0, sd)))
}

// contents gives the contents of a SEQUENCE whose length octets no longer
// fit them.
func contents(t *testing.T, b []byte) []byte {
	t.Helper()
	if b[0] != 0x30 {
		t.Fatalf("not a SEQUENCE: %x", b)
	}
	if b[1] < 0x80 {
		return b[2:]
	}
	return b[2+int(b[1]&0x7f):]
}

// FuzzReadRequest: what is accepted is written again as the same octets, so that
// there is one way to write every request.
func FuzzReadRequest(f *testing.F) {
	ext := der(0x30, "\x06\x03\x2a\x03\x05", der(0x04, "x"))
	for _, seed := range []string{
		der(0x30, one, imprint(32)), der(0x30, one, imprint(32), policy, nonce, yes), der(0x30, one, imprint(32), "\x02\x01\xff"),
		der(0x30, one, imprint(32), no), der(0x30, one, imprint(31)), der(0x30, one, imprint(32), der(0xa0, ext)), "",
		"\x30\x80" + one + imprint(32) + "\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, refusal := cms.ReadRequest(b)
		r, again := cms.ParseTimestampRequest(b)
		if refusal != nil {
			if refusal.Text == "" || again == nil {
				t.Fatalf("refused without a reason, or by one reader only: %v, %v", refusal, again)
			}
			return
		}
		if again != nil { // an arc that asn1.ObjectIdentifier cannot hold
			return
		}
		r.HashAlgorithmRaw = v.HashAlgorithm
		out, err := r.Marshal()
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("%x is written again as %x, %v", b, out, err)
		}
	})
}

func BenchmarkReadRequest(b *testing.B) {
	req := []byte(der(0x30, one, imprint(32), policy, nonce, yes))
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := cms.ReadRequest(req); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
