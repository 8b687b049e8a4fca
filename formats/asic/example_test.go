package asic_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigillo/formats/asic"
	"sigillo/formats/cms/cmstest"
)

// Two documents are put into one container and signed together; the key may be
// elsewhere and the assembly days later.
func Example() {
	t := &testing.T{}
	id := cmstest.New(t).Signer(t, "p256") // the holder's certificate and key

	contract, annex := strings.NewReader("Contratto"), strings.NewReader("Allegato A")
	docs := []asic.Document{
		{Name: "contratto.txt", MediaType: "text/plain", Reader: contract, Size: contract.Size()},
		{Name: "allegati/a.txt", MediaType: "text/plain", Reader: annex, Size: annex.Size()},
	}
	p, err := asic.Prepare(docs, asic.Options{Certificate: id.Certificate, Chain: id.Chain, SigningTime: time.Now(), Form: asic.XAdES})
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
	if err := p.Assemble(&file, docs, value, nil); err != nil {
		fmt.Println(err)
		return
	}

	c, err := asic.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range c.Signatures() {
		fmt.Println(c.Type, s.Form, s.File, s.Verify())
		for _, d := range s.Documents {
			fmt.Println(d.Name, d.MediaType, d.Size)
		}
	}
	// Output:
	// ASiC-E XAdES META-INF/signatures001.xml <nil>
	// contratto.txt text/plain 9
	// allegati/a.txt text/plain 10
}
