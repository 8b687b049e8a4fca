package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"time"

	"sigillo/formats/cms"
)

// selfSigned makes a key and a certificate to show signatures with.
func selfSigned() (crypto.Signer, *x509.Certificate) {
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
	return key, cert
}

// A detached signature: only digests travel to the key.
func ExamplePrepare() {
	key, cert := selfSigned()
	document := sha256.Sum256([]byte("Il sottoscritto dichiara."))

	p, err := cms.Prepare(document[:], cms.SignerOptions{Certificate: cert, Hash: crypto.SHA256})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.DTBSR(), p.Algorithm().SignerOpts())
	if err != nil {
		log.Fatal(err)
	}
	message, err := p.Assemble(value, nil)
	if err != nil {
		log.Fatal(err)
	}

	sd, err := cms.ParseBytes(message, cms.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	err = sd.Signers[0].Verify(func(crypto.Hash) ([]byte, error) { return document[:], nil })
	fmt.Println(sd.Signers[0].Certificate.Subject.CommonName, err)
	// Output: Ada Test <nil>
}

// An attached message is read from anything that can be read at an offset; its
// content is a stream.
func ExampleParse() {
	key, cert := selfSigned()
	content := []byte("Il sottoscritto dichiara.")
	digest := sha256.Sum256(content)
	p, err := cms.Prepare(digest[:], cms.SignerOptions{Certificate: cert, Hash: crypto.SHA256})
	if err != nil {
		log.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, p.DTBSR(), p.Algorithm().SignerOpts())
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.AssembleAttached(&file, bytes.NewReader(content), int64(len(content)), value, nil); err != nil {
		log.Fatal(err)
	}

	sd, err := cms.Parse(bytes.NewReader(file.Bytes()), int64(file.Len()), cms.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(sd.Content())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %v\n", text, sd.Signers[0].Verify(sd.ContentDigest()))
	// Output: Il sottoscritto dichiara. <nil>
}
