package pades

import (
	"bytes"
	"encoding/asn1"
	"testing"
)

// TestRevocationArchive reads what Adobe's programs put into signatures, and what is like it.
func TestRevocationArchive(t *testing.T) {
	t.Parallel()
	one := asn1.RawValue{FullBytes: []byte{0x30, 1, 1}}
	two := asn1.RawValue{FullBytes: []byte{0x30, 1, 2}}
	type archive struct {
		CRL  []asn1.RawValue `asn1:"explicit,tag:0,optional,omitempty"`
		OCSP []asn1.RawValue `asn1:"explicit,tag:1,optional,omitempty"`
		More []asn1.RawValue `asn1:"explicit,tag:2,optional,omitempty"`
	}
	list := func(v ...asn1.RawValue) []asn1.RawValue { return v }
	for name, test := range map[string]struct {
		in          archive
		crls, ocsps int
	}{
		"both":  {archive{list(one, two), list(two), list(one)}, 2, 1},
		"lists": {archive{CRL: list(one)}, 1, 0},
		"other": {archive{OCSP: list(one, one), More: list(two)}, 0, 2},
		"empty": {archive{}, 0, 0},
	} {
		der, err := asn1.Marshal(test.in)
		if err != nil {
			t.Fatal(err)
		}
		e := revocationArchive(der)
		if len(e.CRLs) != test.crls || len(e.OCSP) != test.ocsps {
			t.Errorf("%s: %d lists, %d answers", name, len(e.CRLs), len(e.OCSP))
		}
		if test.crls > 0 && !bytes.Equal(e.CRLs[0], one.FullBytes) {
			t.Errorf("%s: %x", name, e.CRLs[0])
		}
		for i := range der {
			revocationArchive(der[:i]) // cut off, it must not panic
		}
	}
}
