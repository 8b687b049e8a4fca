package m7m_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/m7m"
)

// file writes an .m7m file; eol ends its lines.
func file(eol, encoding string, document, stamp []byte, stampHeader string) []byte {
	lines := func(b []byte) []byte {
		if encoding != "base64" {
			return b
		}
		text := base64.StdEncoding.EncodeToString(b)
		var out []string
		for ; len(text) > 64; text = text[64:] {
			out = append(out, text[:64])
		}
		return []byte(strings.Join(append(out, text), eol))
	}
	var b bytes.Buffer
	say := func(s string) { b.WriteString(strings.ReplaceAll(s, "\n", eol)) }
	say("Mime-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"confine-1\"\n\nquesto testo non conta\n--confine-1\n")
	say("Content-Type: application/pkcs7-mime; smime-type=signed-data; name=\"contratto.pdf.p7m\"\nContent-Transfer-Encoding: " + encoding + "\n\n")
	b.Write(lines(document))
	say("\n--confine-1\n" + stampHeader + "\nContent-Transfer-Encoding: " + encoding + "\n\n")
	b.Write(lines(stamp))
	say("\n--confine-1--\n")
	return b.Bytes()
}

const stampHeader = "Content-Type: application/timestamp-reply; name=\"contratto.tsr\""

func TestParse(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	document := append(bytes.Repeat([]byte("riga\r\n--confine-10\n\x00"), 9000), "fine\r\n\n"...)
	sum := sha256.Sum256(document)
	token := tsu.Stamp(t, crypto.SHA256, sum[:], time.Now())
	for _, eol := range []string{"\r\n", "\n"} {
		for _, encoding := range []string{"binary", "base64"} {
			for header, stamp := range map[string][]byte{
				stampHeader: cms.MarshalResponse(token),
				"Content-Disposition: attachment; filename=a.TST": token,
			} {
				b := file(eol, encoding, document, stamp, header)
				f, err := m7m.Parse(bytes.NewReader(b), int64(len(b)))
				if err != nil {
					t.Errorf("%q %s %s: %v", eol, encoding, header, err)
					continue
				}
				got, err := io.ReadAll(io.NewSectionReader(f.Document, 0, f.Size))
				if err != nil || !bytes.Equal(got, document) || !bytes.Equal(f.Token, token) || f.Name != "contratto.pdf.p7m" {
					t.Errorf("%q %s %s: %d octets of %d, name %q, %v", eol, encoding, header, len(got), len(document), f.Name, err)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	token := cmstest.New(t).TSU(t, "p256").Stamp(t, crypto.SHA256, make([]byte, 32), time.Now())
	good := string(file("\n", "base64", []byte("documento"), token, stampHeader))
	for name, c := range map[string]struct {
		text string
		kind cms.Kind
	}{
		"text":            {"ciao", cms.NotCMS},
		"nothing":         {"", cms.NotCMS},
		"a mail":          {"Content-Type: text/plain\n\nciao", cms.NotCMS},
		"no boundary":     {"Content-Type: multipart/mixed\n\nciao", cms.Malformed},
		"cut":             {good[:len(good)-20], cms.Malformed},
		"one part":        {strings.Replace(good, "--confine-1\nContent-Type: application/p", "Content-Type: application/p", 1), cms.Malformed},
		"two documents":   {strings.Replace(good, stampHeader, "Content-Type: text/plain", 1), cms.Malformed},
		"broken base64":   {strings.Replace(good, "\n\nMI", "\n\n!!", 1), cms.Malformed},
		"other encoding":  {strings.ReplaceAll(good, "base64", "quoted-printable"), cms.Unsupported},
		"endless headers": {"Content-Type: multipart/mixed;\n" + strings.Repeat(" a=b;\n", 9000), cms.Limit},
		"refusal": {string(file("\n", "binary", []byte("documento"),
			cms.MarshalRefusal(cms.Refusal{FailureInfo: cms.BadAlg, Text: "no"}), stampHeader)), cms.Refused},
	} {
		if _, err := m7m.Parse(strings.NewReader(c.text), int64(len(c.text))); m7m.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
}

// Any input is read or refused with an error of this package, and what is read is in it.
func FuzzParse(f *testing.F) {
	token := cmstest.New(f).TSU(f, "p256").Stamp(f, crypto.SHA256, make([]byte, 32), time.Now())
	for _, encoding := range []string{"binary", "base64"} {
		f.Add(file("\r\n", encoding, []byte("documento"), token, stampHeader))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := m7m.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if m7m.KindOf(err) == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if n, err := io.Copy(io.Discard, io.NewSectionReader(file.Document, 0, file.Size)); err != nil || n != file.Size || n > int64(len(b)) {
			t.Fatalf("%d octets of %d: %v", n, file.Size, err)
		}
	})
}
