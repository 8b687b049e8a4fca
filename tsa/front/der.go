package front

import (
	"bytes"
	"encoding/asn1"

	"sigillo/formats/cms"
)

// granted gives the TimeStampResp that grants a token (RFC 3161 §2.4.2), in one
// piece of memory.
func granted(token []byte) []byte {
	status := [...]byte{0x30, 3, 2, 1, 0} // PKIStatusInfo, status granted
	out := make([]byte, 0, 5+len(status)+len(token))
	out = appendHeader(out, 0x30, len(status)+len(token))
	out = append(out, status[:]...)
	return append(out, token...)
}

// withPolicy gives a request for the same stamp under a policy (OBJECT
// IDENTIFIER, DER). Imprint and nonce stay as the requester wrote them.
func withPolicy(r *cms.RequestView, policy []byte) []byte {
	imprint := appendHeader(nil, 0x30, len(r.HashAlgorithm)+2+len(r.Imprint))
	imprint = append(imprint, r.HashAlgorithm...)
	imprint = append(append(imprint, 4, byte(len(r.Imprint))), r.Imprint...) // at most 64 octets
	body := append([]byte{2, 1, 1}, imprint...)                              // version 1
	body = append(append(body, policy...), r.Nonce...)
	if r.CertReq {
		body = append(body, 1, 1, 0xff)
	}
	return append(appendHeader(nil, 0x30, len(body)), body...)
}

// withTrue gives a request that ends with a BOOLEAN which BER takes for TRUE as DER
// writes it, if it is a good request then.
func withTrue(request []byte) (mended []byte, r cms.RequestView, ok bool) {
	last := len(request) - 1
	if last < 2 || request[last-2] != 1 || request[last-1] != 1 || request[last] == 0 {
		return nil, r, false
	}
	mended = bytes.Clone(request)
	mended[last] = 0xff
	r, refusal := cms.ReadRequest(mended)
	return mended, r, refusal == nil && r.CertReq
}

// appendHeader writes a tag and the shortest length, for less than 16 MiB.
func appendHeader(out []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(out, tag, byte(n))
	case n < 0x100:
		return append(out, tag, 0x81, byte(n))
	case n < 0x10000:
		return append(out, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(out, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

// content gives the content octets of an element that was read strictly and has
// less than 64 KiB; nil for none.
func content(element []byte) []byte {
	switch {
	case len(element) < 2:
		return nil
	case element[1] < 0x80:
		return element[2:]
	}
	return element[2+int(element[1]&0x7f):]
}

func objectIdentifier(oid asn1.ObjectIdentifier) ([]byte, error) { return asn1.Marshal(oid) }
