package tsd_test

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/tsd"
)

// A document is put into an envelope with its time-stamp, and taken out.
func Example() {
	t := &testing.T{} // the authority of this example
	tsu := cmstest.New(t).TSU(t, "p256")

	p, err := tsd.Prepare(strings.NewReader("contratto"), tsd.Options{Hash: crypto.SHA256, Meta: &tsd.Metadata{FileName: "contratto.txt"}})
	if err != nil {
		log.Fatal(err)
	}
	token := tsu.Stamp(t, crypto.SHA256, p.Imprint, time.Now()) // elsewhere
	var file bytes.Buffer
	if err := p.Assemble(&file, strings.NewReader("contratto"), token); err != nil {
		log.Fatal(err)
	}

	d, err := tsd.Parse(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(d.Content())
	fmt.Println(d.Meta.FileName, string(text), len(d.Evidence), err)
	// Output: contratto.txt contratto 1 <nil>
}
