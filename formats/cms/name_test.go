package cms_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"sigillo/formats/cms"
)

// Names are told with the attributes of European certificates by name, in the order
// of RFC 4514, and what could be taken for another attribute is escaped.
func TestReadableName(t *testing.T) {
	t.Parallel()
	attribute := func(value any, arcs ...int) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: arcs, Value: value}
	}
	for _, c := range []struct {
		name pkix.RDNSequence
		want string
	}{
		{nil, ""},
		{pkix.RDNSequence{{attribute("IT", 2, 5, 4, 6)}, {attribute("Prova S.p.A.", 2, 5, 4, 10)}, {attribute("VATIT-01234567890", 2, 5, 4, 97)}, {attribute("TSU 1", 2, 5, 4, 3)}},
			"CN=TSU 1,organizationIdentifier=VATIT-01234567890,O=Prova S.p.A.,C=IT"},
		{pkix.RDNSequence{{attribute("Rossi", 2, 5, 4, 4), attribute("Ada", 2, 5, 4, 42)}}, "GN=Ada+SN=Rossi"},
		{pkix.RDNSequence{{attribute("x,CN=altro", 2, 5, 4, 97)}}, `organizationIdentifier=x\,CN=altro`},
		{pkix.RDNSequence{{attribute(7, 2, 5, 4, 97)}}, "2.5.4.97=#020107"},
		{pkix.RDNSequence{{attribute("x", 1, 2, 3, 4)}}, "1.2.3.4=#130178"},
	} {
		raw, err := asn1.Marshal(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := cms.ReadableName(raw); got != c.want {
			t.Errorf("%v: %q, want %q", c.name, got, c.want)
		}
	}
	if got := cms.ReadableName([]byte{0x31, 0}); got != "" {
		t.Errorf("no name: %q", got)
	}
}
