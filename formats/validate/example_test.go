package validate_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/validate"
)

// A service keeps one Validator for all files; what a signature lacks to stand
// alone is collected before it is raised.
func ExampleValidator() {
	var anchors []*x509.Certificate // from the relying party
	var fetch validate.Fetcher      // nil: off-line
	v, err := validate.New(validate.Options{Anchors: anchors, Fetch: fetch})
	if err != nil {
		panic(err)
	}
	raise := func(file []byte, at time.Time) ([]byte, error) {
		doc := validate.Document{Data: bytes.NewReader(file), Size: int64(len(file)), Time: at}
		needs, err := v.Collect(context.Background(), doc)
		if err != nil {
			return nil, err
		}
		evidence, err := validate.Union(needs)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = cades.AddEvidence(&out, doc.Data, doc.Size, ades.Extension{Evidence: evidence})
		return out.Bytes(), err
	}
	_, err = raise([]byte("no signed file"), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
	fmt.Println(validate.KindOf(err))
	// Output: unreadable
}
