package cades_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
)

// signer makes a key with a certificate that vouches for itself.
func signer(name string) (crypto.Signer, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return key, cert
}

// A document becomes a .p7m of level B-B.
func ExamplePrepare() {
	key, cert := signer("Ada Test")
	doc := strings.NewReader("Il sottoscritto dichiara.")
	p, err := cades.Prepare(doc, doc.Size(), cades.Options{Certificate: cert, Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.Algorithm().Input(p.DTBS()), p.Algorithm().SignerOpts()) // in an HSM, as a rule
	if err != nil {
		log.Fatal(err)
	}
	var p7m bytes.Buffer
	if err := p.Assemble(&p7m, doc, doc.Size(), value, nil); err != nil {
		log.Fatal(err)
	}

	sd, err := cms.ParseBytes(p7m.Bytes(), cms.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sd.ContentSize(), sd.Signers[0].Verify(sd.ContentDigest()))
	// Output: 25 <nil>
}

// Another person signs the signature in a .p7m.
func ExamplePrepareCounter() {
	p7m := signedBy("Ada Test")
	key, cert := signer("Bea Test")
	p, err := cades.PrepareCounter(p7m, p7m.Size(), []int{0}, cades.Options{Certificate: cert, Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.DTBSR(), p.HashAlgorithm())
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, p7m, p7m.Size(), value, nil); err != nil {
		log.Fatal(err)
	}

	sd, err := cms.ParseBytes(out.Bytes(), cms.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	first := sd.Signers[0]
	second := first.CounterSignatures[0]
	fmt.Println(first.Certificate.Subject.CommonName, first.Verify(sd.ContentDigest()))
	fmt.Println(second.Certificate.Subject.CommonName, second.Verify(nil))
	fmt.Println("B-T lacks", cades.Missing(sd, first, ades.BT))
	// Output:
	// Ada Test <nil>
	// Bea Test <nil>
	// B-T lacks [signature-time-stamp before the signer's certificate expires]
}

func signedBy(name string) *bytes.Reader {
	key, cert := signer(name)
	doc := strings.NewReader("Il sottoscritto dichiara.")
	p, err := cades.Prepare(doc, doc.Size(), cades.Options{Certificate: cert, Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.DTBSR(), p.HashAlgorithm())
	if err != nil {
		log.Fatal(err)
	}
	var p7m bytes.Buffer
	if err := p.Assemble(&p7m, doc, doc.Size(), value, nil); err != nil {
		log.Fatal(err)
	}
	return bytes.NewReader(p7m.Bytes())
}
