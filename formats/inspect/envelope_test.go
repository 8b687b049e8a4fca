package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
)

// envelope signs content with a fresh key, attached or not.
func envelope(t *testing.T, content []byte, detached bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Prova"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := sd.AddSigner(cert, key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	if detached {
		sd.Detach()
	}
	out, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func envelopeCases(t *testing.T) []ruleCase {
	text := []byte("Il sottoscritto dichiara.\n")
	signed := envelope(t, text, false)
	nested := signed
	for range maxEnvelopes {
		nested = envelope(t, nested, false)
	}
	return []ruleCase{
		{"p7m.signed", "x.txt.p7m", signed, envelope(t, text, true)},
		{"p7m.signed", "x.txt.p7m", []byte(base64.StdEncoding.EncodeToString(signed)), nil},
		{"p7m.detached", "x.p7m", envelope(t, text, true), signed},
		{"p7m.malformed", "x.p7m", signed[:len(signed)-20], signed},
		{"p7m.malformed", "x.p7m", join(signed, []byte("more")), signed},
		{"p7m.nested", "x.p7m", nested, envelope(t, signed, false)},
		{"html.script", "x.html.p7m", envelope(t, []byte("<html><script>x</script></html>"), false), envelope(t, []byte("<html>x</html>"), false)},
		{"pdf.javascript", "x.pdf.p7m", envelope(t, pdfPage("/OpenAction << /S /JavaScript /JS (x) >>", ""), false), envelope(t, pdfPage("", ""), false)},
		{"name.mismatch", "x.pdf.p7m", signed, envelope(t, pdfPage("", ""), false)},
		{"name.mismatch", "x.txt", signed, text},
	}
}

func TestEnvelopeFormat(t *testing.T) {
	t.Parallel()
	doc := envelope(t, pdfPage("", ""), false)
	rep := look(t, "contratto.pdf.p7m", doc)
	if rep.Format != "p7m" || rep.Verdict != Allow {
		t.Errorf("%+v", rep)
	}
}

// failing is a reader that breaks after some bytes.
type failing struct{ *bytes.Reader }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 300 {
		return 0, bytes.ErrTooLarge
	}
	return f.Reader.ReadAt(p, off)
}

func TestReadFailure(t *testing.T) {
	t.Parallel()
	doc := pdfPage("", "")
	rep, err := Inspect(failing{bytes.NewReader(doc)}, int64(len(doc)), "x.pdf")
	if KindOf(err) != Read || rep.Verdict != Refuse || !has(rep, "inspect.failed") {
		t.Errorf("%+v, %v", rep, err)
	}
}
