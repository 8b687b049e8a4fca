package cms_test

import (
	"bufio"
	"bytes"
	"crypto"
	"encoding/asn1"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// attached gives a DER message with the content inside.
func attached(t testing.TB, id *cmstest.Identity, content []byte) []byte {
	t.Helper()
	p, err := cms.Prepare(sum(crypto.SHA256, content), id.Options(crypto.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.AssembleAttached(&out, bytes.NewReader(content), int64(len(content)), id.Sign(t, p), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// indefinite rewrites DER as BER: every constructed element gets an indefinite
// length, every octet string is cut into pieces of the given size, nested once.
// Certificates, whose bytes are signed as they stand, are left alone.
func indefinite(t testing.TB, der []byte, piece int, cert []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		var e asn1.RawValue
		rest, err := asn1.Unmarshal(der, &e)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case bytes.Equal(e.FullBytes, cert):
			out = append(out, e.FullBytes...)
		case e.IsCompound:
			out = append(out, e.FullBytes[0], 0x80)
			out = append(out, indefinite(t, e.Bytes, piece, cert)...)
			out = append(out, 0, 0)
		case e.Class == 0 && e.Tag == 4:
			out = append(out, 0x24, 0x80, 0x24, 0x80)
			for b := e.Bytes; len(b) > 0; b = b[min(piece, len(b)):] {
				n := min(piece, len(b))
				out = append(append(out, 4, 0x82, byte(n>>8), byte(n)), b[:n]...) // longer length than needed, too
			}
			out = append(out, 0, 0, 0, 0)
		default:
			out = append(out, e.FullBytes...)
		}
		der = rest
	}
	return out
}

// Messages in BER, as streaming signers write them, are read and verify; the
// content comes out whole, in readers of any manner.
func TestBERIsRead(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	id.Chain = nil
	for _, size := range []int{0, 1, 999, 70_000} {
		content := bytes.Repeat([]byte("Sigillo"), size/7+1)[:size]
		der := attached(t, id, content)
		for _, piece := range []int{1, 1000} {
			ber := indefinite(t, der, piece, id.Certificate.Raw)
			sd, err := cms.ParseBytes(ber, cms.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if sd.ContentSize() != int64(size) || sd.Size != int64(len(ber)) {
				t.Fatalf("content size %d, size %d", sd.ContentSize(), sd.Size)
			}
			if err := sd.Signers[0].Verify(sd.ContentDigest()); err != nil {
				t.Fatalf("%d bytes in pieces of %d: %v", size, piece, err)
			}
			for range 2 {
				if err := iotest.TestReader(sd.Content(), content); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A SEQUENCE or SET that is not marked as constructed (X.690 §8.9.1, §8.11.1) is
// refused wherever it stands outside of octets that are only carried along: other
// readers see no structure in it.
func TestPrimitiveSequencesAreRefused(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	id.Chain = nil
	der := attached(t, id, []byte("Sigillo"))
	sd, err := cms.ParseBytes(der, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	signer := sd.Signers[0]
	issuer := bytes.LastIndex(der, signer.RawIssuer)
	for name, at := range map[string]int{
		"the message":         0,
		"the digest's set":    bytes.Index(der, []byte{2, 1, 1, 0x31}) + 3,
		"the SignerInfo":      bytes.LastIndex(der[:issuer], []byte{0x30, 0x82}),
		"the algorithm":       bytes.LastIndex(der, signer.RawSignatureAlgorithm),
		"the signer's issuer": issuer,
	} {
		bad := bytes.Clone(der)
		if bad[at] != 0x30 && bad[at] != 0x31 {
			t.Fatalf("%s is not at %d", name, at)
		}
		bad[at] &^= 0x20
		if sd, err := cms.ParseBytes(bad, cms.Limits{}); err == nil {
			t.Errorf("%s: read, and verifies: %v", name, sd.Signers[0].Verify(sd.ContentDigest()))
		} else if k := cms.KindOf(err); k != cms.Malformed && k != cms.NotCMS {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that OpenSSL streamed is read, with PSS and with key identifiers too.
func TestOpenSSLFilesAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := bytes.Repeat([]byte("Il sottoscritto dichiara\r\n"), 5000)
	doc := write(t, dir, "doc", content)
	at := func(name string) string { return filepath.Join(dir, name) }
	if out, err := openssl(t, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("key"), "-out", at("cert"),
		"-subj", "/C=IT/CN=Ada", "-days", "10"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, extra := range map[string][]string{
		"streamed":       {"-stream", "-cades"},
		"key identifier": {"-stream", "-keyid", "-cades"},
		"PSS":            {"-cades", "-keyopt", "rsa_padding_mode:pss"},
		"plain":          {"-nocerts"},
		"SHA-512":        {"-md", "sha512"},
	} {
		args := append([]string{"cms", "-sign", "-binary", "-nodetach", "-in", doc, "-signer", at("cert"), "-inkey", at("key"), "-outform", "DER", "-out", at(name)}, extra...)
		if out, err := openssl(t, args...); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		b, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		sd, err := cms.ParseBytes(b, cms.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(sd.Content())
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: the content came out wrong: %v", name, err)
		}
		want := cms.Kind("")
		if name == "plain" {
			want = cms.NoCertificate
		}
		if err := sd.Signers[0].Verify(sd.ContentDigest()); cms.KindOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is written is DER: OpenSSL, which encodes anew, gives the same bytes.
func TestWrittenIsDER(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	dir := t.TempDir()
	for _, c := range keyCases {
		id := pki.Signer(t, c.key)
		o := id.Options(c.hash)
		o.PSS = c.pss
		p, err := cms.Prepare(sum(c.hash, nil), o)
		if err != nil {
			t.Fatal(err)
		}
		der, err := p.Assemble(id.Sign(t, p), nil)
		if err != nil {
			t.Fatal(err)
		}
		name := write(t, dir, "sig", der)
		if out, err := openssl(t, "asn1parse", "-inform", "DER", "-in", name); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out, err := openssl(t, "cms", "-cmsout", "-inform", "DER", "-in", name, "-outform", "DER", "-out", name+".again"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		again, err := os.ReadFile(name + ".again")
		if err != nil || !bytes.Equal(der, again) {
			t.Errorf("%s: openssl writes the message differently (%v)", c.key, err)
		}
	}
}

// Each limit stops what goes beyond it, and nothing that does not.
func TestLimits(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	content := bytes.Repeat([]byte("x"), 5000)
	der := attached(t, id, content)
	only := id
	only.Chain = nil
	ber := indefinite(t, attached(t, only, content), 10, id.Certificate.Raw)
	deep := bytes.Repeat([]byte{0x30, 0x80}, 1_000_000)
	deepContent := append([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80"),
		bytes.Repeat([]byte{0x24, 0x80}, 100_000)...)
	for _, c := range []struct {
		name string
		in   []byte
		l    cms.Limits
		want cms.Kind
	}{
		{"content at the limit", der, cms.Limits{Content: 5000}, ""},
		{"content", der, cms.Limits{Content: 4999}, cms.Limit},
		{"pieces at the limit", ber, cms.Limits{Pieces: 502}, ""},
		{"pieces", ber, cms.Limits{Pieces: 501}, cms.Limit},
		{"structure", der, cms.Limits{Structure: 500}, cms.Limit},
		{"certificates", der, cms.Limits{Certificates: 1}, cms.Limit},
		{"attributes", der, cms.Limits{Attributes: 2}, cms.Limit},
		{"depth", ber, cms.Limits{Depth: 5}, cms.Limit},
		{"deep nesting", deep, cms.Limits{}, cms.NotCMS},
		{"deep content", deepContent, cms.Limits{}, cms.Limit},
		{"padding not allowed", append(bytes.Clone(der), 0, 0), cms.Limits{}, cms.Malformed},
		{"padding allowed", append(bytes.Clone(der), make([]byte, 10_000)...), cms.Limits{Padding: true}, ""},
		{"other data as padding", append(append(bytes.Clone(der), make([]byte, 10_000)...), 1), cms.Limits{Padding: true}, cms.Malformed},
		{"nothing", nil, cms.Limits{}, cms.NotCMS},
		{"text", []byte("%PDF-1.7 ..."), cms.Limits{}, cms.NotCMS},
		{"cut off", der[:len(der)-1], cms.Limits{}, cms.NotCMS},
		{"cut off, indefinite", ber[:len(ber)-1], cms.Limits{}, cms.Malformed},
	} {
		if _, err := cms.ParseBytes(c.in, c.l); cms.KindOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want kind %q", c.name, err, c.want)
		}
	}
}

// A reader that fails or is shorter than promised gives an error.
func TestFailingReader(t *testing.T) {
	t.Parallel()
	der := attached(t, cmstest.New(t).Signer(t, "p256"), []byte("abc"))
	if _, err := cms.Parse(bytes.NewReader(der[:100]), int64(len(der)), cms.Limits{}); cms.KindOf(err) != cms.Failed {
		t.Errorf("a short reader gives %v", err)
	}
}

func TestTrimPadding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
	}{
		{"\x30\x03\x02\x01\x05\x00\x00", "\x30\x03\x02\x01\x05"},
		{"\x30\x80\x02\x01\x05\x00\x00\x00", "\x30\x80\x02\x01\x05\x00\x00"},
		{"\x30\x03\x02\x01\x05", "\x30\x03\x02\x01\x05"},
		{"\x30\x03\x02\x01\x05\x00\x01", ""},
		{"\x30\x03\x02\x01", ""},
		{"", ""},
	} {
		got, err := cms.TrimPadding([]byte(c.in))
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%x gives %x, %v", c.in, got, err)
		}
	}
}

// A large content in small pieces, as streaming signers cut it, is measured, read
// and digested without being held.
func TestManyPieces(t *testing.T) {
	const piece, count = 1000, 64_000
	f, err := os.Create(filepath.Join(t.TempDir(), "large.p7m"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	one := append([]byte{4, 0x82, piece >> 8, piece & 0xff}, bytes.Repeat([]byte("x"), piece)...)
	head := "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00" +
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80"
	w.WriteString(head)
	for range count {
		w.Write(one)
	}
	w.WriteString(strings.Repeat("\x00\x00", 3) + "\x31\x00" + strings.Repeat("\x00\x00", 3))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sd, err := cms.Parse(f, info.Size(), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sd.ContentDigest()(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	want := sum(crypto.SHA256, bytes.Repeat([]byte("x"), piece*count))
	if sd.ContentSize() != piece*count || !bytes.Equal(got, want) {
		t.Fatalf("the content has %d bytes and another digest", sd.ContentSize())
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 8<<20 {
		t.Fatalf("reading took %d bytes of memory", taken)
	}
}
