package ers_test

import (
	"crypto"
	"fmt"
	"log"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/ers"
)

// A year's documents get one time-stamp; each has a record of its own, which is
// renewed when the time comes.
func Example() {
	t := &testing.T{} // the authority of this example
	tsu := cmstest.New(t).TSU(t, "p256")
	documents := document("fattura 1", "fattura 2", "fattura 3")
	var groups []ers.Group
	for _, d := range documents {
		sum, err := d.Digest(crypto.SHA256)
		if err != nil {
			log.Fatal(err)
		}
		groups = append(groups, ers.Group{sum})
	}

	p, err := ers.Prepare(crypto.SHA256, groups)
	if err != nil {
		log.Fatal(err)
	}
	token := tsu.Stamp(t, p.HashAlgorithm(), p.Imprint(), time.Now()) // elsewhere
	all, err := p.Assemble(token)
	if err != nil {
		log.Fatal(err)
	}
	var records []*ers.Record
	for i, der := range all {
		r, err := ers.Parse(der)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(documents[i].Name, r.Verify(documents[i:i+1]))
		records = append(records, r)
	}

	p, err = ers.PrepareRenewal(records) // one time-stamp renews them all
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(p.Groups), "records to renew")
	// Output:
	// fattura 1 <nil>
	// fattura 2 <nil>
	// fattura 3 <nil>
	// 3 records to renew
}
