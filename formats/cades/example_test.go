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

	"sigillo/formats/cades"
	"sigillo/formats/cms"
)

// A document becomes a .p7m of level B-B.
func ExamplePrepare() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Ada Test"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}

	doc := strings.NewReader("Il sottoscritto dichiara.")
	p, err := cades.Prepare(doc, doc.Size(), cades.Options{Certificate: cert, Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.DTBSR(), p.HashAlgorithm()) // in an HSM, as a rule
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
