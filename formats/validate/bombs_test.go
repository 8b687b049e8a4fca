//go:build !race

// The race detector takes many times the memory that is counted here.

package validate

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/pdf/pdftest"
)

const (
	bombSize   = 10_000_000 // octets, of a bomb at most
	bombMemory = 512 << 20  // octets a process may hold while it judges one
	bombHung   = time.Minute
)

// upTo repeats a part until size octets are there.
func upTo(size int, part string) string { return strings.Repeat(part, size/len(part)) }

// numbered joins n parts, each with its number at %d.
func numbered(n int, part string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, part, i)
	}
	return b.String()
}

// deep nests elements of definite length until size octets are full.
func deep(tag byte, size int) string {
	var out []byte // backwards
	for n := 0; n < size; n = len(out) {
		head := []byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		if n < 128 {
			head = []byte{tag, byte(n)}
		} else if n < 1<<16 {
			head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
		}
		slices.Reverse(head)
		out = append(out, head...)
	}
	slices.Reverse(out)
	return string(out)
}

// filled is a signed message with an unsigned part that is long.
func filled(t testing.TB, add func(*cms.Additions)) string {
	t.Helper()
	var a cms.Additions
	add(&a)
	file := sign(t, "CAdES", []byte("x"), pki().holder, pki().tsu, stampedAt)
	sd, err := must(cms.ParseBytes(file, cms.Limits{})).Add(a)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := sd.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zipped(t testing.TB, fill func(*zip.Writer)) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	fill(z)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bombs are files of up to 10 MB that ask for more work or memory than they look.
var bombs = map[string]func(t testing.TB) string{
	"cms: indefinite lengths, deep": func(testing.TB) string { return upTo(bombSize, "\x30\x80") },
	"cms: definite lengths, deep":   func(testing.TB) string { return deep(0x30, bombSize) },
	"cms: content in tiny pieces": func(t testing.TB) string {
		// pkcs7-signedData { [0] { version 1, no digests, data { [0] { OCTET STRING in pieces …
		return "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00" +
			"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80" + upTo(bombSize-100, "\x04\x01x") +
			strings.Repeat("\x00\x00", 3) + "\x31\x00" + strings.Repeat("\x00\x00", 3)
	},
	"cms: as many certificates as may be": func(t testing.TB) string {
		return filled(t, func(a *cms.Additions) {
			for i := range 400 { // each could have issued the signer's
				c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pki().sub.cert.Subject, SubjectKeyId: pki().sub.cert.SubjectKeyId,
					IsCA: true, BasicConstraintsValid: true, NotBefore: signedAt.Add(-time.Hour), NotAfter: signedAt.Add(time.Hour)}
				n := new(big.Int).Lsh(big.NewInt(1), 16383)
				raw := must(x509.CreateCertificate(rand.Reader, c, pki().stranger.cert, &rsa.PublicKey{N: n.Add(n, big.NewInt(int64(2*i+1))), E: 65537}, pki().stranger.key))
				a.Evidence.Certificates = append(a.Evidence.Certificates, must(x509.ParseCertificate(raw)))
			}
		})
	},
	"cms: as many lists as may be": func(t testing.TB) string {
		return filled(t, func(a *cms.Additions) {
			var all []entry
			for range 500 {
				all = append(all, entry{pki().tsu, signedAt, 0})
			}
			for i := range 500 {
				a.Evidence.CRLs = append(a.Evidence.CRLs, list(pki().sub, publishedAt.Add(time.Duration(i)*time.Second), publishedAt.Add(24*time.Hour), nil, all...))
			}
		})
	},
	"cms: one list of all": func(t testing.TB) string {
		return filled(t, func(a *cms.Additions) {
			var all []entry
			for range 200_000 {
				all = append(all, entry{pki().tsu, signedAt, 0})
			}
			a.Evidence.CRLs = [][]byte{list(pki().sub, publishedAt, publishedAt.Add(24*time.Hour), nil, all...)}
		})
	},

	"xml: deep":            func(testing.TB) string { return upTo(bombSize/2, "<a>") + upTo(bombSize/2, "</a>") },
	"xml: many elements":   func(testing.TB) string { return "<r>" + upTo(bombSize, "<a/>") + "</r>" },
	"xml: many attributes": func(testing.TB) string { return "<r" + numbered(700_000, ` a%d=""`) + "/>" },
	"xml: many namespaces": func(testing.TB) string { return "<r" + numbered(300_000, ` xmlns:n%d="urn:%[1]d"`) + "/>" },
	"xml: namespaces times depth": func(testing.TB) string {
		return numbered(50_000, `<a xmlns:n%d="urn:%[1]d">`) + strings.Repeat("</a>", 50_000)
	},
	"xml: document type": func(testing.TB) string {
		return "<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'>" + numbered(9, "<!ENTITY b%d '&a;&a;&a;&a;&a;&a;&a;&a;'>") + "]><r>&b8;</r>"
	},
	"xml: references to the whole": func(t testing.TB) string {
		return manyReferences(t, `<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>`, 4_000)
	},
	"xml: transforms": func(t testing.TB) string {
		return manyReferences(t, `<ds:Reference URI=""><ds:Transforms>`+strings.Repeat(`<ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"/>`, 50_000)+`</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>`, 1)
	},
	"xml: signatures without number": func(t testing.TB) string {
		file := string(sign(t, "XAdES", []byte("<a>42</a>"), pki().holder, nil, time.Time{}))
		i, j := strings.Index(file, "<ds:Signature "), strings.Index(file, "</a>")
		return file[:i] + upTo(bombSize, file[i:j]) + file[j:]
	},
	"xml: text alone": func(testing.TB) string { return "<r>" + upTo(bombSize, "&amp;") + "</r>" },

	"pdf: ends without number":   func(testing.TB) string { return "%PDF-1.7\n" + upTo(bombSize, "startxref\n9\n%%EOF\n") },
	"pdf: arrays, deep":          func(testing.TB) string { return withoutMap("1 0 obj\n" + upTo(bombSize, "[")) },
	"pdf: dictionaries, deep":    func(testing.TB) string { return withoutMap("1 0 obj\n" + upTo(bombSize, "<</A")) },
	"pdf: objects without a map": func(testing.TB) string { return withoutMap(numbered(400_000, "%d 0 obj<<>>endobj\n")) },
	"pdf: sections in a row": func(testing.TB) string {
		var b strings.Builder
		b.Write(pdftest.Table(pdftest.Minimal(), ""))
		last := strings.LastIndex(b.String(), "xref\n0")
		for b.Len() < bombSize {
			at := b.Len()
			fmt.Fprintf(&b, "xref\n0 0\ntrailer<</Size 4/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", last, at)
			last = at
		}
		return b.String()
	},
	"pdf: fields without number": func(testing.TB) string {
		const n = 60_000
		return string(pdftest.Table(withObjects(n, func(i int) string {
			return fmt.Sprintf("<</FT/Sig/T(f%d)/Subtype/Widget/Rect[0 0 0 0]/V 10 0 R>>", i)
		}, map[int]string{
			1:  "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[" + numbered(n, "1%05d 0 R ") + "]>>>>",
			10: "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 10 20 30]/Contents<30>>>",
		}), ""))
	},
	"pdf: fields, deep": func(testing.TB) string {
		const n = 60_000
		return string(pdftest.Table(withObjects(n, func(i int) string {
			return fmt.Sprintf("<</T(f)/Kids[%d 0 R]/Parent %d 0 R>>", 100_001+i, 99_999+i)
		}, map[int]string{1: "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[100000 0 R]>>>>"}), ""))
	},
	"pdf: a table of zeros": func(testing.TB) string {
		inflating := pdftest.Deflate(pdftest.Deflate(make([]byte, 1<<28)))
		var b strings.Builder
		b.Write(pdftest.Table(pdftest.Minimal(), ""))
		at := b.Len()
		b.WriteString("9 0 obj\n" + pdftest.Stream("/Type/XRef/Size 8000000/W[1 4 2]/Root 1 0 R/Filter[/FlateDecode/FlateDecode]", inflating) + "\nendobj\n")
		fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", at)
		return b.String()
	},
	"pdf: catalogs in a stream of zeros": func(testing.TB) string {
		index := numbered(10_000, "%d 0 ")
		inside := append([]byte(index), make([]byte, 1<<28)...)
		var b strings.Builder
		b.Write(pdftest.Table(pdftest.Minimal().With(pdftest.Objects{
			1: "<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R>>",
			8: pdftest.Stream(fmt.Sprintf("/Type/ObjStm/N 10000/First %d/Filter[/FlateDecode/FlateDecode]", len(index)), pdftest.Deflate(pdftest.Deflate(inside))),
		}), ""))
		prev, at := strings.LastIndex(b.String(), "xref\n0"), b.Len()
		b.WriteString("9 0 obj\n" + pdftest.Stream(fmt.Sprintf("/Type/XRef/Size 10/Index[5 1]/W[1 2 1]/Prev %d/Root 1 0 R", prev), []byte{2, 0, 8, 0}) + "\nendobj\n")
		fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", at)
		return b.String()
	},

	"asic: entries without number": func(t testing.TB) string {
		return zipped(t, func(z *zip.Writer) {
			zipFile(t, z, "mimetype", "application/vnd.etsi.asic-e+zip")
			for i := range 70_000 {
				zipFile(t, z, fmt.Sprintf("f%d", i), "")
			}
		})
	},
	"asic: zeros": func(t testing.TB) string {
		zeros := string(make([]byte, 1<<24))
		return zipped(t, func(z *zip.Writer) {
			zipFile(t, z, "mimetype", "application/vnd.etsi.asic-e+zip")
			for i := range 10 {
				zipFile(t, z, fmt.Sprintf("META-INF/signature%d.p7s", i), zeros)
				zipFile(t, z, fmt.Sprintf("META-INF/ASiCManifest%d.xml", i), zeros)
			}
		})
	},
	"asic: manifests of everything": func(t testing.TB) string {
		return zipped(t, func(z *zip.Writer) {
			zipFile(t, z, "mimetype", "application/vnd.etsi.asic-e+zip")
			big := make([]byte, 200_000_000) // packs to less than the 32nd part, just
			for at := 0; at < len(big); at += 250 {
				must(rand.Read(big[at : at+8]))
			}
			zipFile(t, z, "big", string(big))
			for i := range 200 {
				zipFile(t, z, fmt.Sprintf("META-INF/signature%d.p7s", i), string(sign(t, "CAdES", []byte("x"), pki().holder, nil, time.Time{})))
				zipFile(t, z, fmt.Sprintf("META-INF/ASiCManifest%d.xml", i), fmt.Sprintf(`<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><asic:SigReference URI="META-INF/signature%d.p7s"/>%s</asic:ASiCManifest>`, i,
					strings.Repeat(`<asic:DataObjectReference URI="big"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><ds:DigestValue>AAAA</ds:DigestValue></asic:DataObjectReference>`, 100)))
			}
		})
	},

	"json: deep":    func(testing.TB) string { return `{"payload":"","signatures":` + upTo(bombSize, "[") },
	"json: members": func(testing.TB) string { return `{"payload":"",` + numbered(700_000, `"a%d":1,`) + `"signatures":[]}` },
	"json: signatures": func(testing.TB) string {
		return `{"payload":"","signatures":[` + upTo(bombSize, `{"protected":"e30","signature":"AA"},`) + "{}]}"
	},
	"json: headers": func(testing.TB) string {
		h := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","crit":[` + upTo(bombSize/2, `"sigT",`) + `"x"]}`))
		return `{"payload":"","signatures":[{"protected":"` + h + `","signature":"AA"}]}`
	},
}

// withoutMap is a PDF whose cross-reference table names nothing but a catalog.
func withoutMap(body string) string {
	head := "%PDF-1.7\n" + body
	return head + fmt.Sprintf("\nxref\n0 2\n0000000000 65535 f \n%010d 00000 n \ntrailer<</Size 2/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", 9, len(head)+1)
}

func withObjects(n int, text func(int) string, more map[int]string) pdftest.Objects {
	o := pdftest.Minimal().With(more)
	for i := range n {
		o[100_000+i] = text(i)
	}
	return o
}

func manyReferences(t testing.TB, reference string, n int) string {
	t.Helper()
	file := string(sign(t, "XAdES", []byte("<a>"+strings.Repeat("<b/>", 1_000_000)+"</a>"), pki().holder, nil, time.Time{}))
	return strings.Replace(file, "<ds:Reference ", strings.Repeat(reference, n)+"<ds:Reference ", 1)
}

// Any file of up to 10 MB is judged or refused in little time and memory. Each is
// judged by a process of its own, whose memory can be measured.
func TestBombs(t *testing.T) {
	t.Parallel()
	if file := os.Getenv("SIGILLO_BOMB"); file != "" {
		data := must(os.ReadFile(file))
		_, err := Validate(bytes.NewReader(data), int64(len(data)), "bomb", pki().options())
		status := must(os.ReadFile("/proc/self/status"))
		_, peak, _ := bytes.Cut(status, []byte("VmHWM:"))
		fmt.Printf("judged: %s kB, %.150v\n", bytes.Fields(peak)[0], err)
		return
	}
	for name, build := range bombs {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bomb")
			data := build(t)
			if len(data) > bombSize*11/10 {
				t.Fatalf("%d octets: too large for the promise", len(data))
			}
			if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), bombHung)
			defer cancel()
			cmd := exec.CommandContext(ctx, must(os.Executable()), "-test.run=^TestBombs$")
			cmd.Env = append(os.Environ(), "SIGILLO_BOMB="+file)
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("judged:")) {
				t.Fatalf("%v\n%.2000s", err, out)
			}
			_, said, _ := bytes.Cut(out, []byte("judged: "))
			peak, err := strconv.Atoi(string(bytes.Fields(said)[0]))
			t.Logf("%s: %d octets: %v, %d MB: %.170s", name, len(data), cmd.ProcessState.UserTime(), peak>>10, said)
			if err != nil || peak<<10 > bombMemory {
				t.Errorf("it took %d MB, %v", peak>>10, err)
			}
		})
	}
}
