package validate

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Junk in the file uses up the work that checking signatures may cost, between a
// list of yesterday and the list at hand, which revokes: what was not looked at
// may not be good for the signature.
func TestExhaustedWork(t *testing.T) {
	t.Parallel()
	w := pki()
	holder := issue(w.sub, newKey(), "Ada Prova", nil)
	var e ades.Evidence
	for i := range 10 { // authorities of the issuer's name, dear to check, later than it
		n := new(big.Int).Lsh(big.NewInt(1), 16383)
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: w.sub.cert.Subject, SubjectKeyId: w.sub.cert.SubjectKeyId, IsCA: true,
			BasicConstraintsValid: true, NotBefore: signedAt, NotAfter: w.sub.cert.NotAfter.Add(time.Hour)}
		der := must(x509.CreateCertificate(rand.Reader, c, w.stranger.cert, &rsa.PublicKey{N: n.Add(n, big.NewInt(int64(2*i+1))), E: 65537}, w.stranger.key))
		e.Certificates = append(e.Certificates, must(x509.ParseCertificate(der)))
	}
	e.CRLs = append(e.CRLs, list(w.sub, publishedAt.Add(-20*time.Hour), publishedAt.Add(24*time.Hour), nil)) // the shortest, so the first
	junk := &party{key: w.stranger.key, cert: func() *x509.Certificate { c := *w.sub.cert; c.PublicKey = w.stranger.key.Public(); return &c }()}
	for i := range 500 {
		e.CRLs = append(e.CRLs, list(junk, publishedAt.Add(-time.Duration(i)*time.Minute), publishedAt.Add(24*time.Hour), nil, entry{w.tsu, signedAt, 0}, entry{w.rsaHolder, signedAt, 0}))
	}
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	o := w.options(entry{holder, signedAt.Add(-time.Hour), 1})
	expect(t, validate(t, file, o), Indeterminate, RevokedNoPOE)
	sd := must(must(cms.ParseBytes(file, cms.Limits{})).Add(cms.Additions{Evidence: e}))
	var stuffed bytes.Buffer
	if err := sd.Write(&stuffed); err != nil {
		t.Fatal(err)
	}
	if r := validate(t, stuffed.Bytes(), o); r.Indication == TotalPassed || !hasCode(r.Signatures[0], "too-much") {
		t.Errorf("a revocation can be hidden: %s", r.Text("en"))
	}
}
