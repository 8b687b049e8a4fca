package cms

import (
	"encoding/asn1"

	"sigillo/formats/der"
)

var derNull = der.TLV(der.Null)

// algorithm gives an AlgorithmIdentifier; params nil means absent.
func algorithm(oid asn1.ObjectIdentifier, params []byte) []byte {
	return der.TLV(der.Sequence, der.OID(oid), params)
}

// attribute gives an Attribute with one value (RFC 5652 §5.3).
func attribute(oid asn1.ObjectIdentifier, value []byte) []byte {
	return der.TLV(der.Sequence, der.OID(oid), der.TLV(der.Set, value))
}
