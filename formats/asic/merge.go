package asic

import (
	"bytes"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// mergeXML puts the signature of a new XAdESSignatures document as the last one
// into an existing one. Both keep their octets: signatures are canonicalised
// exclusively, and bring their namespaces along.
func mergeXML(existing, added []byte) ([]byte, error) {
	into, err := c14n.Parse(existing)
	if err != nil {
		return nil, fromXML(err, "the file of signatures")
	}
	from, err := c14n.Parse(added)
	if err != nil {
		return nil, fromXML(err, "the new signature")
	}
	if into.Root.Local != "XAdESSignatures" || into.Root.Empty || into.Encoding() != "UTF-8" && into.Encoding() != "" {
		return nil, fail(cms.Unsupported, "the file of signatures has no XAdESSignatures in UTF-8 around them and cannot take one more")
	}
	children := from.Root.Elements()
	if len(children) != 1 || !children[0].Is(dsNamespace, "Signature") {
		return nil, fail(cms.Malformed, "the prepared signature is damaged")
	}
	at := into.Root.CloseStart
	return bytes.Join([][]byte{existing[:at], added[children[0].Start:children[0].End], existing[at:]}, nil), nil
}
