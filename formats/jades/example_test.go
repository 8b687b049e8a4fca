package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

// A document is prepared here, signed where the key is, and assembled.
func Example() {
	t := &testing.T{}
	id := cmstest.New(t).Signer(t, "p256") // the holder's certificate and key

	document := strings.NewReader(`{"importo": 100}`)
	p, err := jades.Prepare(document, document.Size(), jades.Options{
		Certificate: id.Certificate, Chain: id.Chain, SigningTime: time.Now(),
		MediaType: "application/json", Serialization: jades.Compact,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := id.Key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256) // elsewhere
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := p.Assemble(&file, document, document.Size(), value, nil); err != nil {
		fmt.Println(err)
		return
	}

	signatures, err := jades.Signatures(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := signatures[0]
	fmt.Println(s.AlgorithmName, s.Level(), s.ContentType, s.Verify())
	// Output: ES256 B-B application/json <nil>
}
