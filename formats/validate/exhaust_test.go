package validate

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Junk in the file uses up the work that checking signatures may cost. What the
// caller knows decides all the same, and what speaks against the certificate is
// looked at first; where some of it was not looked at, nothing passes.
func TestExhaustedWork(t *testing.T) {
	t.Parallel()
	w := pki()
	holder := issue(w.sub, newKey(), "Ada Prova", nil)
	revoked, day := entry{holder, signedAt.Add(-time.Hour), 1}, publishedAt.Add(24*time.Hour)
	dear := dearAuthorities(w)
	junk := &party{key: w.stranger.key, cert: func() *x509.Certificate { c := *w.sub.cert; c.PublicKey = w.stranger.key.Public(); return &c }()}
	lists := func(n int, entries ...entry) (out [][]byte) {
		for i := range n {
			out = append(out, list(junk, publishedAt.Add(-time.Duration(i)*time.Minute), day, nil, entries...))
		}
		return out
	}
	others := []entry{{w.tsu, signedAt, 0}, {w.rsaHolder, signedAt, 0}}
	// A file has the shorter lists first.
	yesterday := list(w.sub, publishedAt.Add(-20*time.Hour), day, nil)
	behind := list(w.sub, publishedAt.Add(-20*time.Hour), day, nil, append(others, others...)...)
	honest := list(w.sub, publishedAt.Add(-time.Minute), day, nil, append(others, revoked)...)
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	good, bad := w.options(), w.options(revoked)
	for _, c := range []struct {
		name string
		crls [][]byte // of the file
		o    Options
		want Indication
		sub  SubIndication
		code string
	}{
		{"the caller's list says that all is well", lists(500, others...), good, TotalPassed, "", "valid"},
		{"the caller's list revokes", append(lists(500, others...), yesterday), bad, Indeterminate, RevokedNoPOE, "revoked"},
		{"a list of the file revokes", append(lists(500, others...), honest), good, Indeterminate, RevokedNoPOE, "revoked"},
		{"the same without a list of the caller", append(lists(500, others...), honest), Options{Anchors: good.Anchors, Time: good.Time, CRLs: good.CRLs[:2]}, Indeterminate, RevokedNoPOE, "revoked"},
		{"who revokes cannot be told", append(lists(500, revoked), yesterday), good, Indeterminate, ChainGeneralFailure, "too-much"},
		{"nothing says that all is well", append(lists(500, others...), behind), Options{Anchors: good.Anchors, Time: good.Time, CRLs: good.CRLs[:2]}, Indeterminate, TryLater, "too-much"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := validate(t, stuffed(t, file, ades.Evidence{Certificates: dear, CRLs: c.crls}), c.o)
			if s := expect(t, r, c.want, c.sub); !hasCode(s, c.code) {
				t.Error(r.Text("en"))
			}
		})
	}
}

// dearAuthorities have the name of the issuing authority and keys that are dear to
// check with.
func dearAuthorities(w *world) (out []*x509.Certificate) {
	for i := range 10 {
		n := new(big.Int).Lsh(big.NewInt(1), 16383)
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: w.sub.cert.Subject, SubjectKeyId: w.sub.cert.SubjectKeyId, IsCA: true,
			BasicConstraintsValid: true, NotBefore: signedAt, NotAfter: w.sub.cert.NotAfter.Add(time.Hour)}
		der := must(x509.CreateCertificate(rand.Reader, c, w.stranger.cert, &rsa.PublicKey{N: n.Add(n, big.NewInt(int64(2*i+1))), E: 65537}, w.stranger.key))
		out = append(out, must(x509.ParseCertificate(der)))
	}
	return out
}

// stuffed puts evidence into a message.
func stuffed(t *testing.T, file []byte, e ades.Evidence) []byte {
	t.Helper()
	sd := must(must(cms.ParseBytes(file, cms.Limits{})).Add(cms.Additions{Evidence: e}))
	var out bytes.Buffer
	if err := sd.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A responder says that the certificate is revoked, and the list that speaks for
// the responder was not looked at: its word is not simply left out.
func TestExhaustedWorkAboutAResponder(t *testing.T) {
	t.Parallel()
	w := pki()
	holder := issue(w.sub, newKey(), "Ada Prova", nil)
	responder := issue(w.sub, newKey(), "Responder", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	})
	day := publishedAt.Add(24 * time.Hour)
	answer := func(by *party, status int) []byte {
		a := ocsp.Response{Status: status, SerialNumber: holder.cert.SerialNumber, ThisUpdate: publishedAt, NextUpdate: day, RevokedAt: signedAt.Add(-time.Hour), RevocationReason: 1}
		if by != w.sub {
			a.Certificate = by.cert
		}
		return must(ocsp.CreateResponse(w.sub.cert, by.cert, a, by.key))
	}
	junk := &party{key: w.stranger.key, cert: func() *x509.Certificate { c := *w.sub.cert; c.PublicKey = w.stranger.key.Public(); return &c }()}
	e := ades.Evidence{Certificates: dearAuthorities(w), OCSP: [][]byte{answer(responder, ocsp.Revoked)},
		CRLs: [][]byte{list(w.sub, publishedAt.Add(-20*time.Hour), day, nil, entry{w.tsu, signedAt, 0}, entry{w.rsaHolder, signedAt, 0}, entry{w.holder, signedAt, 0})}}
	o := Options{Anchors: []*x509.Certificate{w.root.cert}, Time: validatedAt, CRLs: [][]byte{list(w.root, publishedAt, day, nil)}, OCSP: [][]byte{answer(w.sub, ocsp.Good)}}
	file := sign(t, "CAdES", []byte("x"), holder, nil, time.Time{})
	expect(t, validate(t, stuffed(t, file, e), o), Indeterminate, RevokedNoPOE)
	for i := range 500 {
		e.CRLs = append(e.CRLs, list(junk, publishedAt.Add(-time.Duration(i)*time.Minute), day, nil, entry{w.tsu, signedAt, 0}, entry{w.rsaHolder, signedAt, 0}))
	}
	if r := validate(t, stuffed(t, file, e), o); r.Indication == TotalPassed || !hasCode(r.Signatures[0], "too-much") {
		t.Error(r.Text("en"))
	}
}
