package pades_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/pdftest"
)

// A document is prepared, its digest signed by a key that may be elsewhere, and assembled.
func ExamplePrepare() {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Ada"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	certificate, _ := x509.ParseCertificate(der)

	doc := pdftest.Table(pdftest.Minimal(), "")
	p, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)), pades.Options{
		Certificate: certificate,
		Hash:        crypto.SHA256,
		SigningTime: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
		Reason:      "Approvazione",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	signature, _ := key.Sign(rand.Reader, p.DTBSR(), p.HashAlgorithm())

	var signed bytes.Buffer
	if err := p.Assemble(&signed, bytes.NewReader(doc), int64(len(doc)), signature, nil); err != nil {
		fmt.Println(err)
		return
	}
	list, _ := pades.Signatures(bytes.NewReader(signed.Bytes()), int64(signed.Len()))
	for _, s := range list {
		fmt.Println(s.Field, s.SubFilter, s.Covers, s.Reason, s.Time.Format(time.DateOnly))
	}
	// Output: Signature1 ETSI.CAdES.detached file Approvazione 2026-11-21
}

// A document gets a time-stamp of its own: one imprint goes to a time-stamping authority, one token comes back.
func ExamplePrepareTimestamp() {
	doc := pdftest.Table(pdftest.Minimal(), "")
	s, err := pades.PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), ades.Extension{TokenSize: 8000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Field, s.Hash, len(s.Imprints()), len(s.Imprints()[0]))

	// The token that the authority answers is put in by s.Assemble, maybe by another process.
	var out bytes.Buffer
	err = s.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), [][]byte{[]byte("not a token")})
	fmt.Println(pades.KindOf(err))
	// Output:
	// Signature1 SHA-256 1 32
	// bad-signature
}
